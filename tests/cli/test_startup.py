"""What commands import: a mistake is reported before slow packages are imported, and jobs import what they use.

The tests look at modules, not at clocks, and so give the same result on a busy machine. One slow test measures.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
from assess_cases import truth, write_class_map
from builders import model_for
from hsi_geo.cli.main import COMMANDS
from planted import write_planted

from hsi_geo.tasks.artifacts.model import save_model

#: Packages that take long to import, and that no check needs.
SLOW = {
    *("torch", "torchgeo", "torchvision", "lightning", "sklearn", "scipy.stats"),
    *("matplotlib", "dask.array", "distributed", "rioxarray", "pystac"),
}

#: Packages that no map needs, without a report.
NOT_FOR_MAPS = {
    *("torchgeo", "torchvision", "lightning", "pytorch_lightning", "torch._dynamo", "sympy"),
    *("matplotlib", "dask.array", "distributed", "rioxarray"),
    *("hsi_geo.display.summaries", "hsi_geo.display.figures"),  # of notebooks
}

#: For each command: arguments with a mistake, and a part of the message.
MISTAKES: dict[str, list[tuple[str, str]]] = {
    "info": [
        ("nope.tif", "'nope.tif'"),
        ("scene.tif --shots nope.gpkg", "'nope.gpkg'"),
        ("scene.tif --shots shots.gpkg --class-field nope", "'nope'"),
        ("scene.tif --shots shots.gpkg --layer nope", "'nope'"),
        ("scene.tif --wavelengths 900:400", "900:400"),
        ("scene.tif --nope", "--nope"),
        ("bare.tif", "no wavelengths"),
    ],
    "classify": [
        ("nope.tif --shots shots.gpkg", "'nope.tif'"),
        ("scene.tif", "--shots"),
        ("scene.tif --shots nope.gpkg", "'nope.gpkg'"),
        ("scene.tif --shots shots.gpkg --class-field nope", "'nope'"),
        ("scene.tif --shots shots.gpkg --layer nope", "'nope'"),
        ("scene.tif --shots shots.gpkg -o taken.tif", "'taken.tif' is already there"),
        ("scene.tif --shots shots.gpkg -o map.png", "does not end in .tif"),
        ("scene.tif --shots shots.gpkg -o nowhere/map.tif", "folder 'nowhere' does not exist"),
        (
            "scene.tif --shots shots.gpkg --save-model nowhere/m.safetensors",
            "folder 'nowhere' does",
        ),
        ("scene.tif --shots shots.gpkg -o scene.tif/map.tif", "'scene.tif' does not exist"),
        ("scene.tif --shots shots.gpkg -o scene.tif --overwrite", "would replace"),
        ("scene.tif --shots shots.gpkg --aoi nope.gpkg", "'nope.gpkg'"),
        ("scene.tif --shots shots.gpkg --aoi far.gpkg", "holds no polygon"),
        ("scene.tif --shots shots.gpkg --weights nope", "'nope'"),
        ("scene.tif --shots shots.gpkg --weights shots.gpkg", "not a safetensors file"),
        (
            "scene.tif --shots shots.gpkg --weights model.safetensors",
            "weights without classes was wanted",
        ),
        ("scene.tif --shots shots.gpkg --wavelengths nope", "nope"),
        ("scene.tif --shots shots.gpkg --max-memory much", "much"),
        ("scene.tif --shots shots.gpkg --device tpu", "tpu"),
        ("scene.tif --shots far.gpkg", "none of the 12 shots"),
        ("scene.tif --shots no_crs.gpkg", "no coordinate reference system"),
        ("scene.tif other.tif --shots shots.gpkg", "several scenes need a folder"),
        ("scene.tif other.tif --shots shots.gpkg -o maps", "differ in coordinate reference"),
        ("bare.tif --shots shots.gpkg", "no wavelengths"),
        ("shots.gpkg --shots shots.gpkg", "shots.gpkg"),
    ],
    "adapt": [
        ("nope.tif --shots shots.gpkg -o m.safetensors", "'nope.tif'"),
        ("scene.tif --shots nope.gpkg -o m.safetensors", "'nope.gpkg'"),
        ("scene.tif --shots shots.gpkg", "--out"),
        ("scene.tif --shots shots.gpkg -o model.safetensors", "is already there"),
        ("scene.tif --shots shots.gpkg -o nowhere/m.safetensors", "'nowhere' does not exist"),
        ("scene.tif --shots far.gpkg -o m.safetensors", "none of the 12 shots"),
        ("scene.tif --shots shots.gpkg -o m.safetensors --weights nope", "'nope'"),
        ("scene.tif --shots shots.gpkg -o m.safetensors --seed -1", "-1"),
    ],
    "predict": [
        ("nope.tif --model model.safetensors", "'nope.tif'"),
        ("scene.tif --model nope.safetensors", "'nope.safetensors' does not exist"),
        ("scene.tif --model shots.gpkg", "not a safetensors file"),
        ("scene.tif --model model.safetensors -o taken.tif", "is already there"),
        ("scene.tif --model model.safetensors -o map.png", "does not end in .tif"),
        ("scene.tif --model model.safetensors -o nowhere/map.tif", "does not exist"),
        ("scene.tif --model model.safetensors --rescale much", "much"),
        ("scene.tif --model model.safetensors --rescale 2 --restat", "both given"),
        ("scene.tif --model model.safetensors --aoi nope.gpkg", "'nope.gpkg'"),
        ("scene.tif --model model.safetensors --threads 0", "0"),
    ],
    "assess": [
        ("nope.tif --reference shots.gpkg", "'nope.tif'"),
        ("classes.tif --reference nope.gpkg", "'nope.gpkg'"),
        ("classes.tif --reference shots.gpkg --class-field nope", "'nope'"),
        ("classes.tif --reference shots.gpkg -o report.pdf", "report.pdf"),
        ("classes.tif --reference shots.gpkg --strata classes.tif", "not stratified"),
        ("classes.tif --reference shots.gpkg --design nope", "nope"),
    ],
    "sample": [
        ("nope.tif -o p.gpkg", "'nope.tif'"),
        ("classes.tif", "--out"),
        ("classes.tif -o p.shp", "does not end in .gpkg"),
        ("classes.tif -o shots.gpkg", "is already there"),
        ("classes.tif -o p.gpkg --target-se 0", "--target-se"),
        ("classes.tif -o p.gpkg --target-se 0.1 -n 20", "both given"),
        ("classes.tif -o p.gpkg -n 1", "1"),
        ("classes.tif -o p.gpkg -n 100000", "1941 pixels"),
        ("classes.tif -o p.gpkg --design nope", "nope"),
        ("scene.tif -o p.gpkg", "no class map"),
    ],
    "compare": [
        ("nope.tif classes.tif -o c.tif", "'nope.tif'"),
        ("classes.tif -o c.tif", "NEW"),
        ("classes.tif classes.tif", "--out"),
        ("classes.tif classes.tif -o c.png", "does not end in .tif"),
        ("classes.tif classes.tif -o taken.tif", "is already there"),
        ("classes.tif scene.tif -o c.tif", "no class map"),
        ("classes.tif classes.tif -o c.tif --design simple", "no reference"),
        ("classes.tif classes.tif -o c.tif --reference shots.gpkg", "class_old"),
        ("classes.tif classes.tif -o classes.tif --overwrite", "would replace"),
    ],
    "polygons": [
        ("nope.tif -o p.gpkg", "'nope.tif'"),
        ("classes.tif", "--out"),
        ("classes.tif -o p.shp", "does not end in .gpkg"),
        ("classes.tif -o shots.gpkg", "is already there"),
        ("classes.tif -o nowhere/p.gpkg", "does not exist"),
        ("classes.tif -o p.gpkg --smooth 21", "21"),
        ("classes.tif -o p.gpkg --confidence nope.tif", "'nope.tif'"),
        ("scene.tif -o p.gpkg", "no class map"),
    ],
    "zones": [
        ("nope.tif --zones zones.gpkg -o a.csv", "'nope.tif'"),
        ("classes.tif -o a.csv", "--zones"),
        ("classes.tif --zones nope.gpkg -o a.csv", "zones 'nope.gpkg' does not exist"),
        ("classes.tif --zones shots.gpkg -o a.csv", "hold no polygon"),
        ("classes.tif --zones shots.gpkg -o a.csv", "hold no polygon"),
        ("classes.tif --zones shots.gpkg -o a.xlsx", "does not end in .csv"),
        ("classes.tif --zones shots.gpkg -o a.csv --reference shots.gpkg", "add --design"),
        ("classes.tif --zones shots.gpkg -o a.csv --design simple", "no reference"),
    ],
    "export": [
        ("nope.safetensors --onnx a.onnx", "nope.safetensors' does not exist"),
        ("model.safetensors", "--onnx"),
        ("model.safetensors --onnx a.tif", "does not end in .onnx"),
        ("model.safetensors --onnx taken.onnx", "is already there"),
    ],
    "convert": [
        ("nope.tif -o a.tif", "'nope.tif'"),
        ("scene.tif -o taken.tif", "is already there"),
        ("scene.tif -o nowhere/a.tif", "does not exist"),
        ("scene.tif -o a.tif --composite nope", "nope"),
    ],
    "serve": [("--nope", "--nope"), ("scene.tif", "scene.tif")],
    "suggest": [
        ("nope.tif --model model.safetensors -o p.gpkg", "'nope.tif'"),
        ("scene.tif --model nope.safetensors -o p.gpkg", "'nope.safetensors'"),
        ("scene.tif --model model.safetensors -o p.shp", "does not end in .gpkg"),
        ("scene.tif --model model.safetensors -o shots.gpkg", "is already there"),
        ("scene.tif --model model.safetensors -o p.gpkg --rescale much", "much"),
        ("scene.tif --model model.safetensors -o p.gpkg --aoi nope.gpkg", "'nope.gpkg'"),
        ("scene.tif --model model.safetensors -o p.gpkg -n 0", "0"),
    ],
    "batch": [
        ("scene.tif --model nope.safetensors -o maps", "nope.safetensors' does not exist"),
        ("nope.txt --model model.safetensors -o maps", "nope.txt"),
        ("scene.tif --model model.safetensors -o taken.tif", "taken.tif"),
        ("scene.tif --model model.safetensors -o maps --rescale much", "much"),
        ("scene.tif --model model.safetensors -o maps --workers 0", "0"),
    ],
    "pretrain": [
        ("nope.tif -o w.safetensors", "'nope.tif'"),
        ("scene.tif -o model.safetensors", "is already there"),
        ("scene.tif -o nowhere/w.safetensors", "does not exist"),
        ("scene.tif -o w.safetensors --init nope", "'nope'"),
        ("scene.tif -o w.safetensors --mask-ratio 2", "2"),
    ],
    "benchmark": [
        ("--scenes nope -o bench", "'nope'"),
        ("--scenes samson -o bench", "'samson'"),
        ("--methods nope -o bench", "'nope'"),
        ("--shots none -o bench", "--shots"),
        ("-o taken.tif", "taken.tif"),
    ],
    "demo": [("taken.tif", "taken.tif"), ("--seed x", "x")],
    "doctor": [("--nope", "--nope"), ("more", "more")],
}

#: Runs commands one after the other in one process; prints messages and modules of each.
PROGRAM = """
import contextlib, io, json, sys
from hsi_geo.cli.main import main
command, slow = sys.argv[1], sys.argv[2].split()
for line in json.load(sys.stdin):
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        try:
            sys.argv[1:] = [command, *line.split()]
            main()
            code = 0
        except SystemExit as stop:
            code = stop.code
    print(json.dumps([code, said.getvalue(), [name for name in slow if sys.modules.get(name)]]))
"""


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with a scene, shots, a model and a class map, and unsuitable files beside them."""
    folder = tmp_path_factory.mktemp("inputs")
    planted = write_planted(folder / "scene.tif")
    write_planted(folder / "other.tif", crs="EPSG:32632")
    write_planted(folder / "bare.tif", wavelengths=False)
    frame = gpd.read_file(planted.shots(folder / "shots.gpkg"))
    frame.set_geometry(frame.translate(1e5, 1e5)).to_file(folder / "far.gpkg")
    planted.shots(folder / "no_crs.gpkg")
    with pytest.warns(UserWarning, match="crs"):
        frame.set_crs(None, allow_override=True).to_file(folder / "no_crs.gpkg")
    save_model(model_for(folder / "scene.tif"), folder / "model.safetensors")
    write_class_map(folder, truth(), name="classes.tif")
    (folder / "taken.tif").write_text("another file")
    (folder / "taken.onnx").write_text("another file")
    return folder


def test_every_command_has_mistakes_in_the_table() -> None:
    assert set(MISTAKES) == set(COMMANDS)


@pytest.mark.parametrize("command", MISTAKES)
@pytest.mark.slow
def test_mistakes_are_reported_before_slow_packages_are_imported(
    command: str, inputs: Path
) -> None:
    before = sorted(inputs.iterdir())
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, command, " ".join(sorted(SLOW))],
        input=json.dumps([line for line, _ in MISTAKES[command]]),
        cwd=inputs,
        check=True,
        capture_output=True,
        text=True,
    )
    results = [json.loads(line) for line in done.stdout.splitlines()]
    for (line, part), (code, said, modules) in zip(MISTAKES[command], results, strict=True):
        assert code in (1, 2), f"{command} {line}: {said}"
        assert part in said, f"{command} {line}: {said}"
        assert not set(modules) & SLOW, f"{command} {line} imports {set(modules) & SLOW}"
    assert sorted(inputs.iterdir()) == before


#: The program with three steps of fine-tuning, from the weights of the package.
SHORT_PROGRAM = """
import sys
from hsi_geo.tasks import adapt
from hsi_geo.tasks.adaptation.recipe import FineTuneConfig, Recipe
adapt.DEFAULT_RECIPE = Recipe(fine_tuning=FineTuneConfig(steps=3, batch=4))
from hsi_geo.cli.main import main
try:
    main()
except SystemExit as stop:
    assert not stop.code
print(*(name for name, module in sys.modules.items() if module))
"""


@pytest.mark.parametrize(
    "line",
    [
        "classify scene.tif --shots shots.gpkg -o {out}/map.tif --confidence",
        "adapt scene.tif --shots shots.gpkg -o {out}/m.safetensors",
        "predict scene.tif --model model.safetensors -o {out}/map.tif --probabilities",
        "info scene.tif --shots shots.gpkg",
        "suggest scene.tif --model model.safetensors -n 3 -o {out}/p.gpkg",
    ],
)
@pytest.mark.slow
def test_jobs_import_only_what_they_use(line: str, inputs: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SHORT_PROGRAM, *line.format(out=tmp_path).split()],
        cwd=inputs,
        check=True,
        capture_output=True,
        text=True,
    )
    modules = set(done.stdout.splitlines()[-1].split())
    assert not modules & NOT_FOR_MAPS
    if line.startswith("info"):
        assert not modules & SLOW
    if line.startswith("predict"):
        assert not modules & {"sklearn", "scipy.stats"}


@pytest.mark.parametrize(("command", "found"), [("info", False), ("doctor", True)])
@pytest.mark.slow
def test_dask_is_imported_only_where_a_command_needs_it(
    command: str, found: bool, inputs: Path
) -> None:
    program = (
        "import sys\n"
        "from hsi_geo.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "from importlib.util import find_spec\n"
        "print(find_spec('dask') is not None, bool(sys.modules.get('dask.array')))"
    )
    args = ["scene.tif"] if command == "info" else []
    done = subprocess.run(
        [sys.executable, "-c", program, command, *args],
        cwd=inputs,
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout.splitlines()[-1] == f"{found} False"


#: Runs a command as the installed program does, with work that is left to the end.
EXITING_PROGRAM = """
import atexit, sys
atexit.register(lambda: print("at exit", file=sys.stderr, flush=True))
from hsi_geo.cli.main import run
run()
raise AssertionError("run has returned")
"""


@pytest.mark.parametrize(
    ("line", "code", "printed"),
    [("info scene.tif", 0, "bands"), ("info nope.tif", 1, ""), ("info --nope", 2, "")],
)
def test_commands_exit_with_their_code_and_all_that_was_printed(
    line: str, code: int, printed: str, inputs: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", EXITING_PROGRAM, *line.split()],
        cwd=inputs,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == code
    assert printed in done.stdout
    assert "at exit" in done.stderr
    assert "Traceback" not in done.stderr
    assert ("nope" in done.stderr) == bool(code)


def cpu_seconds(*args: str, folder: Path) -> float:
    """Least CPU time of a program in three runs: other programs disturb it little."""
    found = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, *args], cwd=folder, check=False, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        found.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(found)


@pytest.mark.slow
@pytest.mark.parametrize("command", [name for name in MISTAKES if name != "doctor"])
def test_a_mistake_takes_less_time_than_importing_torch(command: str, inputs: Path) -> None:
    torch = cpu_seconds("-c", "import torch", folder=inputs)
    slowest: tuple[float, Any] = max(
        (cpu_seconds("-m", "hsi_geo", command, *line.split(), folder=inputs), line)
        for line, _ in MISTAKES[command][:3]
    )
    assert slowest[0] < 0.8 * torch, slowest


@pytest.mark.slow
@pytest.mark.parametrize("args", [("--help",), ("--version",), ("classify", "--help")])
def test_help_takes_a_fraction_of_importing_torch(args: tuple[str, ...], tmp_path: Path) -> None:
    torch = cpu_seconds("-c", "import torch", folder=tmp_path)
    assert cpu_seconds("-m", "hsi_geo", *args, folder=tmp_path) < 0.2 * torch


def test_slow_packages_are_named_as_python_names_them() -> None:
    """A misspelt name would never be found."""
    import importlib.util

    known = [name for name in SLOW | NOT_FOR_MAPS if "." not in name]
    assert np.mean([importlib.util.find_spec(name) is not None for name in known]) > 0.5
