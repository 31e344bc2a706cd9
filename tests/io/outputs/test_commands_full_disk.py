"""Whole commands on a disk that fills up, or under a limit of file sizes (RLIMIT_FSIZE).

Exit code 0 means that every output is readable and right. Any other end is one sentence, and the output
folder holds what it held before.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import pytest
import rasterio
from builders import model_for, run, snapshot
from planted import Planted
from small_disk import BLOCK, file_size_limit, small_disk

from hsi_geo import MapOptions, predict
from hsi_geo.io.maps.record import is_complete
from hsi_geo.io.maps.writer import MapPaths
from hsi_geo.io.outputs.atomic import atomic_outputs
from hsi_geo.tasks.artifacts.model import save_model

resource = pytest.importorskip("resource", reason="Windows has no limits of file sizes")

#: Successes in a row that end a sweep: more room changes nothing then.
ENOUGH = 3

LAYERS = "--confidence --probabilities"

#: Name and arguments of each command; {i} is the folder of the inputs, {o} that of the outputs.
COMMANDS = {
    "predict": "predict {i}/scene.tif --model {i}/m.safetensors -o {o}/m.tif",
    "predict with all layers": f"predict {{i}}/scene.tif --model {{i}}/m.safetensors -o {{o}}/m.tif {LAYERS}",
    "classify": "classify {i}/scene.tif --shots {i}/l.gpkg -o {o}/m.tif",
    "classify with all outputs": f"classify {{i}}/scene.tif --shots {{i}}/l.gpkg -o {{o}}/m.tif {LAYERS} --report",
    "adapt": "adapt {i}/scene.tif --shots {i}/l.gpkg -o {o}/a.safetensors",
    "assess": "assess {i}/map.tif --reference {i}/l.gpkg -o {o}/r.html",
    "suggest": "suggest {i}/scene.tif --model {i}/m.safetensors -n 3 -o {o}/p.gpkg",
}

#: Commands that `make test` runs, with few sizes.
FEW = ("predict with all layers", "suggest")


@dataclass(frozen=True)
class Command:
    """A command whose outputs are known.

    Attributes:
        arguments: Of hsi-geo.
        out: Folder of its outputs.
        expected: Hash of each output by name.
    """

    arguments: tuple[str, ...]
    out: Path
    expected: Mapping[str, str]

    def check(self, earlier: Mapping[str, str]) -> bool:
        """Run the command and check what it leaves.

        Args:
            earlier: Hashes of what lies in the output folder now.

        Returns:
            Whether it succeeded.
        """
        result = run(*self.arguments)
        found = snapshot(self.out)
        if result.exit_code == 0:
            # A GeoPackage holds the time at which it was made.
            fixed = [name for name in self.expected if not name.endswith(".gpkg")]
            assert found.keys() == self.expected.keys(), result.output
            assert {n: found[n] for n in fixed} == {n: self.expected[n] for n in fixed}
            self._check_readable()
            return True
        errors = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
        assert result.exit_code == 1, result.output
        assert len(errors) == 1, result.output
        assert not any(word in errors[0] for word in ("unexpected", "defect", "CPLE")), errors
        assert found == earlier, errors
        assert not list(self.out.glob(".*")), errors
        return False

    def _check_readable(self) -> None:
        for path in self.out.iterdir():
            if path.suffix == ".tif":
                with rasterio.open(path) as file:
                    file.read()
            elif path.suffix == ".gpkg":
                assert len(gpd.read_file(path)) == 3
        if (self.out / "m.tif").exists():
            every = MapPaths.of(self.out / "m.tif", confidence=True, probabilities=True)
            assert is_complete(every if every.confidence.exists() else MapPaths.of(every.classes))  # type: ignore[union-attr]


@pytest.fixture
def inputs(scene: Planted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a scene, shots, a model and a map; adaptation is short."""
    from hsi_geo.models.s2former_config import S2FormerConfig
    from hsi_geo.tasks import adapt
    from hsi_geo.tasks.adaptation.recipe import FineTuneConfig, Recipe

    small = S2FormerConfig(window_px=8, width=16, depth=1, heads=2)
    recipe = Recipe(network=small, stride_px=4, fine_tuning=FineTuneConfig(steps=3, batch=4))
    monkeypatch.setattr(adapt, "DEFAULT_RECIPE", recipe)
    monkeypatch.setattr(adapt, "DEFAULT_WEIGHTS", "none")
    folder = tmp_path / "inputs"
    folder.mkdir()
    model = model_for(scene.path)
    save_model(model, folder / "m.safetensors")
    shots = gpd.read_file(scene.shots(tmp_path / "named.gpkg"))
    numbers = {name: f"class {id}" for id, name in enumerate(scene.names, start=1)}
    shots.assign(**{"class": shots["class"].map(numbers)}).to_file(folder / "l.gpkg")
    shutil.copy(scene.path, folder / "scene.tif")
    predict(folder / "scene.tif", model, out=folder / "map.tif")
    monkeypatch.setattr("hsi_geo.tasks.classify.adapt_opened", adapt_once(tmp_path))
    return folder


def adapt_once(folder: Path) -> Callable[..., Any]:
    """`adapt_opened`, which computes a model once; each call writes the model file anew."""
    from hsi_geo.tasks.adapt import adapt_opened

    models: list[Any] = []

    def adapted(scenes: Any, shots: Any, *, out: Path, **options: Any) -> Any:
        if not models:
            models.append(adapt_opened(scenes, shots, out=None, **options))
        with atomic_outputs([out], overwrite=False) as where:
            save_model(models[0], where[out])
        return models[0]

    return adapted


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """Function that gives a disk so many blocks, with all that is on it."""
    with small_disk(tmp_path / "disk") as resized:
        yield resized


PLENTY = 10_000


def clear(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()


def blocks_of(folder: Path) -> int:
    return sum(-(-path.stat().st_size // BLOCK) for path in folder.iterdir())


def known(name: str, inputs: Path, out: Path, *more: str) -> Command:
    """A command with its outputs, which it writes into a folder once; a report shows all arguments."""
    arguments = (*COMMANDS[name].format(i=inputs, o=out).split(), *more)
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return Command(arguments, out, snapshot(out))


def earlier_outputs(command: Command) -> None:
    """Replace the outputs by earlier ones; a map by a good map of another model."""
    for path in command.out.iterdir():
        path.write_bytes(b"earlier " * (path.stat().st_size // 8))
    if command.arguments[0] == "predict":
        clear(command.out)
        scene, model = Path(command.arguments[1]), model_for(Path(command.arguments[1]), seed=6)
        both = "--confidence" in command.arguments
        options = MapOptions(confidence=both, probabilities=both)
        predict(scene, model, out=command.out / "m.tif", options=options)


def fill(
    name: str, inputs: Path, disk: Callable[[int], Path], *, over_earlier: bool, few: bool
) -> None:
    """Run a command on disks of more and more free blocks."""
    command = known(name, inputs, disk(PLENTY), *(("--overwrite",) if over_earlier else ()))
    needed = blocks_of(command.out)
    if over_earlier:
        earlier_outputs(command)
        kept = {path: path.read_bytes() for path in command.out.iterdir()}
    else:
        kept = {}
    ends: list[bool] = []
    sizes = (0, 1, needed // 2, needed - 1, needed, 4 * needed) if few else range(4 * needed + 9)
    for blocks in sizes:
        disk(PLENTY)
        clear(command.out)
        for path, content in kept.items():
            path.write_bytes(content)
        earlier = snapshot(command.out)
        disk(blocks_of(command.out) + blocks)
        ends.append(command.check(earlier))
        if not few and len(ends) > ENOUGH and all(ends[-ENOUGH:]):
            break
    assert not ends[1]  # the disk has at least one block
    assert ends[-1]


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("over_earlier", [False, True])
@pytest.mark.parametrize("name", COMMANDS)
def test_command_on_a_full_disk_writes_all_or_nothing(
    inputs: Path, disk: Callable[[int], Path], name: str, over_earlier: bool
) -> None:
    fill(name, inputs, disk, over_earlier=over_earlier, few=False)


@pytest.mark.parametrize("over_earlier", [False, True])
@pytest.mark.parametrize("name", FEW)
def test_command_on_a_full_disk_at_few_sizes_writes_all_or_nothing(
    inputs: Path, disk: Callable[[int], Path], name: str, over_earlier: bool
) -> None:
    fill(name, inputs, disk, over_earlier=over_earlier, few=True)


def limit(name: str, inputs: Path, out: Path, *, over_earlier: bool, steps: int) -> None:
    """Run a command under larger and larger limits of file sizes."""
    command = known(name, inputs, out, *(("--overwrite",) if over_earlier else ()))
    largest = max(path.stat().st_size for path in out.iterdir())
    if over_earlier:
        earlier_outputs(command)
    kept = {path: path.read_bytes() for path in out.iterdir()} if over_earlier else {}
    ends: list[bool] = []
    step = max(1, largest // steps)
    # Temporary files may be larger than the outputs.
    sizes = [*range(0, 2 * largest, step), *(largest << shift for shift in range(1, 10))]
    for size in sizes:
        clear(out)
        for path, content in kept.items():
            path.write_bytes(content)
        earlier = snapshot(out)
        with file_size_limit(size):
            ends.append(command.check(earlier))
        if len(ends) > ENOUGH and all(ends[-ENOUGH:]):
            break
    assert not ends[0]
    assert ends[-1]


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("over_earlier", [False, True])
@pytest.mark.parametrize("name", COMMANDS)
def test_command_under_a_file_size_limit_writes_all_or_nothing(
    inputs: Path, tmp_path: Path, name: str, over_earlier: bool
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    limit(name, inputs, out, over_earlier=over_earlier, steps=20)


def test_predict_under_few_file_size_limits_writes_all_or_nothing(
    inputs: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    limit("predict with all layers", inputs, out, over_earlier=True, steps=2)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", ["classify with all outputs", "predict", "suggest"])
def test_command_with_a_full_temporary_folder_writes_all_or_nothing(
    inputs: Path,
    disk: Callable[[int], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    command = known(name, inputs, out)
    monkeypatch.setattr("tempfile.tempdir", str(disk(PLENTY)))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "disk"))
    ends: list[bool] = []
    for blocks in range(1, 200):
        clear(out)
        ends.append(command.check({}) if disk(blocks) else False)
        assert not list((tmp_path / "disk").iterdir())
        if len(ends) > ENOUGH and all(ends[-ENOUGH:]):
            break
    assert ends[-1]


# Results on stdout that a shell sends to a file ------------------------------------------------

PRINTING = {
    "info": "info {i}/scene.tif --json",
    "info with shots": "info {i}/scene.tif --shots {i}/l.gpkg --json",
    "assess": "assess {i}/map.tif --reference {i}/l.gpkg --json",
}


def printed(arguments: str, target: Path, size: int, unbuffered: str) -> bool:
    """Whether a command in a process of its own printed JSON into a file under a limit of its size."""

    def prepare() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    with target.open("w") as file:
        ended = subprocess.run(
            [sys.executable, "-m", "hsi_geo", *arguments.split()],
            stdout=file,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            preexec_fn=prepare,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": unbuffered},
        )
    if ended.returncode == 0:
        json.loads(target.read_text())
        return True
    assert ended.returncode == 1, ended.stderr
    (error,) = [line for line in ended.stderr.splitlines() if line.startswith("Error: ")]
    assert "writing failed" in error
    assert "Traceback" not in ended.stderr
    return False


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_json_that_is_cut_short_makes_the_command_fail(
    scene: Planted, tmp_path: Path, unbuffered: str
) -> None:
    """Docker images often set PYTHONUNBUFFERED."""
    assert not printed(f"info {scene.path} --json", tmp_path / "printed.json", 300, unbuffered)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("name", PRINTING)
def test_printed_json_is_whole_or_the_command_fails(
    inputs: Path, tmp_path: Path, name: str, unbuffered: str
) -> None:
    arguments = PRINTING[name].format(i=inputs)
    target = tmp_path / "printed.json"
    assert printed(arguments, target, 1 << 20, unbuffered)
    whole = target.stat().st_size
    for size in (0, 1, whole // 2, whole - 1):
        assert not printed(arguments, target, size, unbuffered)
    assert printed(arguments, target, whole, unbuffered)
