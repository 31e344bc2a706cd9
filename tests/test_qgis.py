"""The plugin in a real QGIS: by qgis_process, and inside QGIS's Python."""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import matplotlib.pyplot as plt
import numpy as np
import pytest
import rasterio

Planted = Any  # defined in conftest, which tests cannot import
MakeScene = Callable[..., Planted]
Call = Callable[..., subprocess.CompletedProcess[str]]
Case = Callable[..., dict[str, Any]]

HERE = Path(__file__).parent
PLUGINS = HERE.parent / "qgis_plugin"
#: Debian's wrapper of qgis_process passes a flag that the program refuses.
PROGRAM = shutil.which("qgis_process.bin") or shutil.which("qgis_process")


@functools.cache
def qgis_python() -> str | None:
    """A Python that QGIS is installed in."""
    for name in ("/usr/bin/python3", "python3", "python"):
        found = shutil.which(name)
        command = [str(found), "-c", "import qgis.core"]
        if found and not subprocess.run(command, capture_output=True, check=False).returncode:
            return found
    return None


pytestmark = pytest.mark.skipif(
    PROGRAM is None or qgis_python() is None,
    reason="needs QGIS (Debian: apt-get install qgis python3-qgis qgis-providers)",
)

#: Stands for the environment's Python: the same program with a network and a recipe for tests.
QUICK_PYTHON = """#!{python} -I
import os, sys
assert sys.argv[1:4] == ["-I", "-m", "hsi_geo"], sys.argv
sys.argv = ["hsi-geo", *sys.argv[4:]]
from hsi_geo.environment import drop_foreign_variables
drop_foreign_variables()
from hsi_geo.models.s2former import S2FormerConfig
from hsi_geo.tasks import adapt
from hsi_geo.tasks.daft import Lesson
small = S2FormerConfig(window_px=8, width=32, depth=1, heads=2)
lesson = Lesson(steps=int(os.environ.get("HSI_GEO_TEST_STEPS", "60")), batch=12, learning_rate=5e-3)
adapt.DEFAULT_RECIPE = adapt.Recipe(network=small, stride_px=4, lesson=lesson)
adapt.DEFAULT_WEIGHTS = "none"
from hsi_geo.cli.main import main
main()
"""


#: Stands for it too: notes what it is asked, keeps the files it is given, says what it is told to.
FAKE_PYTHON = """#!{python} -I
import json, os, shutil, sys, time
from pathlib import Path
home = Path(__file__).parent
asked = sys.argv[4:]
told = json.loads((home / "told.json").read_text(encoding="utf-8"))
for option in ("--shots", "--aoi"):
    if option in asked:
        shutil.copy(asked[asked.index(option) + 1], home / (option[2:] + ".gpkg"))
with (home / "asked.jsonl").open("a", encoding="utf-8") as file:
    file.write(json.dumps(asked) + chr(10))
for line in told["stderr"]:
    data = (line + chr(10)).encode()
    for piece in (data[:19], data[19:]):  # as pipes hand them over, through the middle of a letter
        sys.stderr.buffer.write(piece)
        sys.stderr.buffer.flush()
        time.sleep(0.02)
if told["code"] < 0:
    os.kill(os.getpid(), -told["code"])
sys.exit(told["code"])
"""


class Fake:
    """An environment whose hsi-geo does as it is told."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.python = folder / "python"
        self.python.write_text(FAKE_PYTHON.format(python=sys.executable), encoding="utf-8")
        self.python.chmod(0o755)
        self.tell({"v": 1, "type": "result", "outputs": {"map": "map.tif"}})

    def tell(self, *events: dict[str, Any] | str, code: int = 0) -> None:
        lines = [e if isinstance(e, str) else json.dumps(e, ensure_ascii=False) for e in events]
        told = json.dumps({"stderr": lines, "code": code})
        (self.folder / "told.json").write_text(told, encoding="utf-8")

    @property
    def asked(self) -> list[str]:
        """Arguments of the last call."""
        lines = (self.folder / "asked.jsonl").read_text(encoding="utf-8").splitlines()
        found: list[str] = json.loads(lines[-1])
        return found

    def given(self, option: str) -> gpd.GeoDataFrame:
        return gpd.read_file(self.folder / f"{option}.gpkg")


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Variables for a QGIS that knows nothing but our plugin, in a profile of its own."""
    profile = tmp_path_factory.mktemp("profile")
    profile.chmod(0o700)
    variables = {
        **{k: v for k, v in os.environ.items() if not k.startswith(("QGIS", "PYTHON", "VIRTUAL"))},
        "HOME": str(profile),
        "XDG_RUNTIME_DIR": str(profile),
        "QGIS_CUSTOM_CONFIG_PATH": str(profile),
        "QGIS_PLUGINPATH": str(PLUGINS),
        "QT_QPA_PLATFORM": "offscreen",
        "HSI_GEO_PYTHON": sys.executable,
        "OMP_NUM_THREADS": "1",
    }
    assert PROGRAM is not None
    enabled = subprocess.run(
        [PROGRAM, "plugins", "enable", "hsi_geo_qgis"],
        env=variables, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "Enabled hsi_geo_qgis" in enabled.stdout, enabled.stdout + enabled.stderr
    return variables


@pytest.fixture(scope="session")
def quick_python(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("environment") / "python"
    path.write_text(QUICK_PYTHON.format(python=sys.executable), encoding="utf-8")
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def fake(tmp_path: Path) -> Fake:
    folder = tmp_path / "environment"
    folder.mkdir()
    return Fake(folder)


@pytest.fixture(scope="session")
def call(environment: dict[str, str]) -> Call:
    """Function that runs an algorithm, or a model, by qgis_process."""

    def run(name: str, *, python: str | None = None, **parameters: object) -> Any:
        variables = {**environment, **({"HSI_GEO_PYTHON": python} if python is not None else {})}
        given = [f"{key}={value}" for key, value in parameters.items()]
        assert PROGRAM is not None
        command = [PROGRAM, "run", name, *(["--", *given] if given else [])]
        return subprocess.run(
            command, env=variables, capture_output=True, text=True, check=False, timeout=280
        )

    return run


@pytest.fixture
def case(environment: dict[str, str], quick_python: str) -> Case:
    """Function that runs one of `qgis_cases.py` inside QGIS's Python."""

    def run(
        name: str, *, python: object = quick_python, steps: int = 60, profile: Path | None = None,
        **job: Any,
    ) -> Any:  # fmt: skip
        job["python"] = str(python)
        own = {
            **({"QGIS_CUSTOM_CONFIG_PATH": str(profile)} if profile else {}),
            "PYTHONPATH": str(PLUGINS),  # QGIS's Python has nothing of ours but the plugin
            "HSI_GEO_PYTHON": str(python),
            "HSI_GEO_TEST_STEPS": str(steps),
        }
        command = [str(qgis_python()), str(HERE / "qgis_cases.py"), name]
        shown = subprocess.run(
            command, input=json.dumps(job), env={**environment, **own}, capture_output=True,
            text=True, check=False, timeout=280,
        )  # fmt: skip
        assert shown.returncode == 0, shown.stdout + shown.stderr
        return json.loads(shown.stdout.splitlines()[-1])

    return run


@pytest.fixture(scope="session")
def berlin(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Berlin in a folder that QGIS may write its notes into, with a blank and umlauts."""
    folder = tmp_path_factory.mktemp("berlin") / "Größe und Raum"
    shutil.copytree(data / "enmap_berlin", folder)
    return folder


@pytest.fixture
def job(make_scene: MakeScene, tmp_path: Path) -> dict[str, Any]:
    """The planted scene, twelve points on it, and where the map goes."""
    scene = make_scene("Szene mit ä.tif")
    shots = scene.shots(tmp_path / "shots.gpkg")
    return {
        "labels": str(shots),
        "parameters": {
            "INPUT": str(scene.path),
            "CLASS_FIELD": "class",
            "OUTPUT": str(tmp_path / "Karte ü.tif"),
        },
    }


def shots_by_class(job: dict[str, Any]) -> dict[str, int]:
    record = json.loads(Path(job["parameters"]["OUTPUT"]).with_suffix(".json").read_text())
    return {entry["name"]: entry["shots"] for entry in record["classes"]}


# Real runs on Berlin -----------------------------------------------------------------------------


@pytest.fixture(scope="session")
def berlin_map(berlin: Path, call: Call) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """Classify, as a script would call it."""
    out = berlin / "Karte ü.tif"
    shown = call(
        "hsi_geo:classify",
        INPUT=berlin / "EnMAP_BerlinUrbanGradient.bsq",
        LABELS=berlin / "LandCov_BerlinUrbanGradient.shp",
        CLASS_FIELD="Level_2",
        OUTPUT=out,
        CONFIDENCE=berlin / "sicher.tif",
        MODEL=berlin / "model.safetensors",
    )
    return out, shown


def test_classify_berlin(
    berlin_map: tuple[Path, subprocess.CompletedProcess[str]], berlin: Path
) -> None:
    out, shown = berlin_map
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert f"OUTPUT:\t{out}" in shown.stdout
    assert "held-out pixels named right" in shown.stdout
    # Names and colours of the .qml beside the labels.
    style = out.with_suffix(".qml").read_text(encoding="utf-8")
    assert 'value="4" color="#e60000" label="Roof"' in style
    with rasterio.open(out) as file:
        assert file.shape == (80, 60)
        assert set(range(1, 7)) >= set(file.read(1).ravel().tolist()) - {0}
    assert (berlin / "sicher.tif").is_file()
    assert "singlebandpseudocolor" in (berlin / "sicher.qml").read_text(encoding="utf-8")
    assert not [*berlin.glob("*_confidence.tif"), *berlin.glob(".hsi-geo*"), *berlin.glob("*.part")]


def test_apply_model_and_assess_berlin(
    berlin_map: tuple[Path, subprocess.CompletedProcess[str]], berlin: Path, call: Call
) -> None:
    again = berlin / "again.tif"
    shown = call(
        "hsi_geo:predict",
        INPUT=berlin / "EnMAP_BerlinUrbanGradient.bsq",
        MODEL=berlin / "model.safetensors",
        OUTPUT=again,
    )
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert again.read_bytes() == berlin_map[0].read_bytes()
    shown = call(
        "hsi_geo:assess",
        INPUT=again,
        REFERENCE=berlin / "LandCov_BerlinUrbanGradient.shp",
        CLASS_FIELD="Level_2",
        OUTPUT=berlin / "numbers.json",
    )
    assert shown.returncode == 0, shown.stdout + shown.stderr
    numbers = json.loads((berlin / "numbers.json").read_text(encoding="utf-8"))
    assert [score["name"] for score in numbers["scores"]][3] == "Roof"
    told = float(re.findall(r"OVERALL_ACCURACY:\t([\d.]+)", shown.stdout)[0])
    assert told == pytest.approx(100 * numbers["oa"]["value"])
    assert "knows the answers" in shown.stdout + shown.stderr


def test_check_environment_is_content(call: Call) -> None:
    shown = call("hsi_geo:environment")
    assert shown.returncode == 0, shown.stdout + shown.stderr
    for text in ("torch: ", "memory: ", "driver COG", "all is well"):
        assert text in shown.stdout


def test_a_python_that_works_is_remembered(environment: dict[str, str], tmp_path: Path) -> None:
    """In a profile of its own; without the variable, the other algorithms find it."""
    python, profile = tmp_path / "python", tmp_path / "profile"
    answer = {"ok": True, "checks": [{"name": "torch", "ok": True, "found": "9.9", "fix": ""}]}
    python.write_text(f"#!{sys.executable}\nprint({json.dumps(answer)!r})\n", encoding="utf-8")
    python.chmod(0o755)
    shutil.copytree(environment["QGIS_CUSTOM_CONFIG_PATH"], profile)
    variables = {**environment, "QGIS_CUSTOM_CONFIG_PATH": str(profile), "HSI_GEO_PYTHON": ""}
    assert PROGRAM is not None
    for parameters in (["--", f"PYTHON={python}"], []):
        shown = subprocess.run(
            [PROGRAM, "run", "hsi_geo:environment", *parameters],
            env=variables, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert shown.returncode == 0, shown.stdout + shown.stderr
        assert "torch: 9.9" in shown.stdout
    assert "named in the provider's setting" in shown.stdout


def test_the_page_of_the_options(
    case: Case, environment: dict[str, str], fake: Fake, tmp_path: Path
) -> None:
    found = case("settings_page", profile=tmp_path / "profile", python=fake.python)
    assert found == {"shown": str(fake.python), "origin": "the provider's setting"}


# What goes wrong ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("python", "said"),
    [
        ("/nowhere/python", "Python '/nowhere/python' of .HSI_GEO_PYTHON does not exist"),
        ("{folder}", "holds no Python"),
        ("/usr/bin/env", "failed with exit code"),
        ("{notes}", "cannot be started"),
        ("{bare}", "has no hsi-geo .*; install it there: .* -m pip install hsi-geo"),
    ],
)
def test_a_wrong_environment_is_one_sentence(
    python: str, said: str, call: Call, tmp_path: Path
) -> None:
    (tmp_path / "notes").write_text("no program\n", encoding="utf-8")
    places = {"folder": tmp_path, "notes": tmp_path / "notes", "bare": qgis_python()}
    shown = call("hsi_geo:environment", python=python.format(**places))
    assert shown.returncode == 1
    (error,) = [line for line in shown.stderr.splitlines() if line.startswith("ERROR:")]
    assert re.search(said, error), error
    assert "Traceback" not in shown.stderr


def test_nothing_runs_without_an_environment(call: Call, job: dict[str, Any]) -> None:
    shown = call(
        "hsi_geo:classify", python="/nowhere/python", LABELS=job["labels"], **job["parameters"]
    )
    assert shown.returncode == 1
    assert "Python '/nowhere/python' of $HSI_GEO_PYTHON does not exist" in shown.stderr


def test_an_incomplete_environment_is_told_with_its_cure(call: Call, tmp_path: Path) -> None:
    broken = tmp_path / "python"
    broken.write_text(
        f"#!{sys.executable}\n"
        "import hsi_geo.environment as e\n"
        "e.PACKAGES = ('torch', 'no-such-package')\n"
        "import sys\n"
        "sys.argv = ['hsi-geo', *sys.argv[4:]]\n"
        "from hsi_geo.cli.main import main\n"
        "main()\n",
        encoding="utf-8",
    )
    broken.chmod(0o755)
    shown = call("hsi_geo:environment", python=str(broken))
    assert shown.returncode == 1
    assert f'"{broken}" -m pip install no-such-package' in shown.stderr


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"CLASS_FIELD": "clas"}, "has no field 'clas', only 'fid', 'class'"),
        ({"INPUT": "{shots}"}, "INPUT"),
        ({"MAX_MEMORY": "lots"}, "'lots' is no size"),
    ],
)
def test_bad_input_is_the_algorithms_error(
    changes: dict[str, str], said: str, call: Call, job: dict[str, Any]
) -> None:
    changed = {key: value.format(shots=job["labels"]) for key, value in changes.items()}
    shown = call("hsi_geo:classify", **{**job["parameters"], "LABELS": job["labels"], **changed})
    assert shown.returncode == 1, shown.stdout + shown.stderr
    assert re.search(said, shown.stderr), shown.stderr
    assert "Traceback" not in shown.stderr
    assert not Path(job["parameters"]["OUTPUT"]).exists()


ERROR = {"v": 1, "type": "error", "message": "die Szene fehlt völlig", "hint": "look", "code": "x"}


@pytest.mark.parametrize(
    ("events", "code", "said"),
    [
        ([ERROR], 1, "die Szene fehlt völlig; look"),
        ([{**ERROR, "v": 2}], 0, "speaks version 2 of its protocol, the plugin version 1; update"),
        (["Traceback", "ValueError: nichts"], 1, "exit code 1 (ValueError: nichts); run 'Check"),
        (["Error: No such option: --restat"], 2, "does not know what the plugin asks for"),
        ([], -9, "want of memory"),
    ],
)
def test_failures_are_one_sentence(
    events: list[Any], code: int, said: str, call: Call, fake: Fake, job: dict[str, Any]
) -> None:
    fake.tell(*events, code=code)
    shown = call(
        "hsi_geo:classify", python=str(fake.python), LABELS=job["labels"], **job["parameters"]
    )
    assert shown.returncode == 1
    (error,) = [line for line in shown.stderr.splitlines() if line.startswith("ERROR:")]
    assert said in error


def test_news_arrive_as_what_they_are(call: Call, fake: Fake, job: dict[str, Any]) -> None:
    fake.tell(
        {"v": 1, "type": "log", "message": "größer als gedacht"},
        {"v": 1, "type": "warning", "message": "zu wenig für Ä"},
        {"v": 1, "type": "progress", "stage": "adapt", "done": 1, "total": 2, "eta_s": None},
        {"v": 1, "type": "unheard of", "message": "of later versions"},
        {"v": 1, "type": "result", "outputs": {"map": "map.tif"}},
    )
    shown = call(
        "hsi_geo:classify", python=str(fake.python), LABELS=job["labels"], **job["parameters"]
    )
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert "größer als gedacht" in shown.stdout.splitlines()
    assert re.search(r"^WARNING:\s+zu wenig für Ä$", shown.stdout + shown.stderr, re.MULTILINE)
    assert "adapt" in shown.stdout.splitlines()


# What is asked of hsi-geo ------------------------------------------------------------------------


def test_parameters_become_options(
    call: Call, fake: Fake, job: dict[str, Any], tmp_path: Path
) -> None:
    labels = gpd.read_file(job["labels"])
    area = gpd.GeoDataFrame(geometry=[labels.union_all().convex_hull], crs=labels.crs)
    area.to_file(tmp_path / "area.gpkg", driver="GPKG")
    out = Path(job["parameters"]["OUTPUT"])
    out.write_bytes(b"agreed to be replaced")
    call(
        "hsi_geo:classify",
        python=str(fake.python),
        LABELS=job["labels"],
        AOI=tmp_path / "area.gpkg",
        SEED=7,
        THREADS=2,
        DEVICE="cpu",
        ALL_TOUCHED=1,
        MAX_MEMORY="2G",
        WAVELENGTHS="400:2500",
        WEIGHTS=job["labels"],
        PROBABILITIES=tmp_path / "p.tif",
        **job["parameters"],
    )
    asked = fake.asked
    assert asked[:3] == ["classify", "--progress", "jsonl"]
    assert asked[-2:] == ["--", job["parameters"]["INPUT"]]
    assert {"--all-touched", "--probabilities", "--overwrite"} <= set(asked)
    assert "--confidence" not in asked
    for option, value in {
        "--class-field": "class", "--seed": "7", "--threads": "2", "--device": "cpu",
        "--max-memory": "2G", "--wavelengths": "400:2500", "--weights": job["labels"],
        "--out": str(out),
    }.items():  # fmt: skip
        assert asked[asked.index(option) + 1] == value
    assert fake.given("aoi").area.sum() == pytest.approx(area.area.sum())
    # The exported labels keep the name that the user knows, for messages.
    assert asked[asked.index("--shots") + 1].endswith("/shots.gpkg")


def test_a_sampling_design_is_passed_on(call: Call, fake: Fake, job: dict[str, Any]) -> None:
    numbers = dict.fromkeys(("value", "low", "high"), 0.25)
    found = {"oa": numbers, "aa": numbers, "kappa": None}
    fake.tell({"v": 1, "type": "result", "outputs": {}, "assessment": found})
    shown = call(
        "hsi_geo:assess",
        python=str(fake.python),
        INPUT=job["parameters"]["INPUT"],
        REFERENCE=job["labels"],
        CLASS_FIELD="class",
        DESIGN="stratified",
        STRATA=job["parameters"]["INPUT"],
    )
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert "OVERALL_ACCURACY:\t25" in shown.stdout
    asked = fake.asked
    assert asked[asked.index("--design") + 1] == "stratified"
    assert asked[asked.index("--strata") + 1] == job["parameters"]["INPUT"]
    assert asked[asked.index("--reference") + 1].endswith("/shots.gpkg")


def test_files_of_others_are_not_overwritten(call: Call, fake: Fake, job: dict[str, Any]) -> None:
    """Without a map, what lies beside its place belongs to someone else."""
    call("hsi_geo:classify", python=str(fake.python), LABELS=job["labels"], **job["parameters"])
    assert "--overwrite" not in fake.asked


def test_only_selected_features_are_learnt_from(
    case: Case, fake: Fake, job: dict[str, Any]
) -> None:
    found = case("selected_only", expression="\"class\" <> 'water'", python=fake.python, **job)
    assert found["ok"], found
    assert fake.given("shots")["class"].value_counts().to_dict() == {"asphalt": 4, "meadow": 4}


def test_unsaved_edits_count(case: Case, fake: Fake, job: dict[str, Any]) -> None:
    point = [383472.5 + 30 * 2.5, 5818302.25 - 20 * 1.5]
    found = case(
        "unsaved_edits", expression="\"class\" = 'water'", point=point, python=fake.python,
        **{"class": "meadow"}, **job,
    )  # fmt: skip
    assert found["ok"], found
    given = fake.given("shots")
    assert given["class"].value_counts().to_dict() == {"asphalt": 4, "meadow": 5}
    assert point in [[place.x, place.y] for place in given.geometry]
    assert given.crs.to_epsg() == 32633


def test_a_batch_goes_on_after_a_bad_row(
    case: Case, fake: Fake, job: dict[str, Any], tmp_path: Path
) -> None:
    common = {**job["parameters"], "LABELS": job["labels"]}
    rows = [
        {**common, "OUTPUT": str(tmp_path / "one.tif"), "SEED": 3},
        {**common, "OUTPUT": str(tmp_path / "two.tif"), "CLASS_FIELD": "nothing"},
        {**common, "OUTPUT": str(tmp_path / "three.tif"), "SEED": "4", "DEVICE": "cpu"},
    ]
    found = case("batch", algorithm="classify", rows=rows, python=fake.python)["rows"]
    assert [row["ok"] for row in found] == [True, False, True]
    assert "no field 'nothing'" in found[1]["error"]
    assert str(tmp_path / "three.tif") in fake.asked


# In one go, with a network for tests -------------------------------------------------------------


def test_a_temporary_layer_and_its_style(case: Case, job: dict[str, Any], tmp_path: Path) -> None:
    """Also: GDAL_DATA, PROJ_LIB and PYTHONHOME that suit QGIS do not reach hsi-geo."""
    job["parameters"]["CONFIDENCE"] = str(tmp_path / "sicher.tif")
    job["parameters"]["PROBABILITIES"] = str(tmp_path / "wie wahrscheinlich.tif")
    categories = {
        "water": ("Gewässer", "#112233"), "meadow": ("Wiese", "#aabb00"), "": ("rest", "#000000")
    }  # fmt: skip
    found = case("temporary_and_styled", categories=categories, **job)
    assert found["ok"], found
    assert found["provider"] == "memory"
    assert shots_by_class(job) == {"asphalt": 4, "Wiese": 4, "Gewässer": 4}
    assert found["progress"] == sorted(found["progress"])
    assert found["progress"][-1] == pytest.approx(100)
    layers = found["layers"]
    assert layers["OUTPUT"]["renderer"] == "paletted"
    assert layers["OUTPUT"]["legend"] == [
        ["asphalt", "#e69f00"], ["Wiese", "#aabb00"], ["Gewässer", "#112233"]
    ]  # fmt: skip
    assert layers["CONFIDENCE"]["renderer"] == "singlebandpseudocolor"
    assert layers["CONFIDENCE"]["legend"][0] == ["0 %", "#440154"]
    with rasterio.open(tmp_path / "wie wahrscheinlich.tif") as file:
        assert file.descriptions == ("asphalt", "Wiese", "Gewässer")


def test_cancelling_ends_the_child_and_leaves_no_file(
    case: Case, job: dict[str, Any], tmp_path: Path
) -> None:
    before = sorted(tmp_path.iterdir())
    found = case("cancelled", stage="adapt", steps=1_000_000, **job)
    assert found["ok"] is False, found
    assert "cancelled" in found["log"]
    assert found["took"] < 2
    time.sleep(0.1)
    assert not running(job["parameters"]["OUTPUT"])
    written = [path for path in tmp_path.iterdir() if path not in before]
    # QGIS itself notes statistics of a raster that it opened.
    assert [path for path in written if not path.name.endswith(".aux.xml")] == []


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["teacher", "adapt", "map"])
def test_cancelling_the_real_thing(stage: str, case: Case, berlin: Path, tmp_path: Path) -> None:
    parameters = {
        "INPUT": str(berlin / "EnMAP_BerlinUrbanGradient.bsq"),
        "CLASS_FIELD": "Level_2",
        "OUTPUT": str(tmp_path / "map.tif"),
    }
    found = case(
        "cancelled", stage=stage, labels=str(berlin / "LandCov_BerlinUrbanGradient.shp"),
        parameters=parameters, python=sys.executable,
    )  # fmt: skip
    assert found["ok"] is False, found
    assert found["took"] < 2
    assert not running(parameters["OUTPUT"])
    assert list(tmp_path.iterdir()) == []


def running(text: str) -> list[str]:
    """Command lines of processes that hold a text."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().decode(errors="replace")
        except OSError:  # gone since
            continue
        if text in line:
            found.append(line)
    return found


# Models, batches, scripts ------------------------------------------------------------------------


@pytest.mark.slow
def test_a_model_of_two_steps(
    case: Case, call: Call, job: dict[str, Any], quick_python: str, make_scene: MakeScene,
    tmp_path: Path,
) -> None:  # fmt: skip
    model = tmp_path / "two steps.model3"
    assert case("two_steps", path=str(model), field="class")["ok"]
    truth = make_scene("again.tif").shots(tmp_path / "truth.gpkg", per_class=9)
    numbers, out = tmp_path / "numbers.json", job["parameters"]["OUTPUT"]
    shown = call(
        str(model),
        python=quick_python,
        SCENE=job["parameters"]["INPUT"],
        SHOTS=job["labels"],
        TRUTH=truth,
        **{"first:Map": out, "second:Numbers": numbers},
    )
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert json.loads(numbers.read_text(encoding="utf-8"))["pixels"] == 27
    assert shots_by_class(job) == {"asphalt": 4, "meadow": 4, "water": 4}


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("xvfb-run") is None, reason="needs a virtual screen (xvfb)")
def test_pictures_of_the_desktop(data: Path, tmp_path: Path) -> None:
    """A person's way: toolbox, dialog, Run, styled result."""
    berlin = data / "enmap_berlin"
    script = HERE.parent / "examples" / "qgis_screenshots.py"
    command = [
        sys.executable, script, berlin / "EnMAP_BerlinUrbanGradient.bsq",
        berlin / "LandCov_BerlinUrbanGradient.shp", "Level_2", tmp_path,
    ]  # fmt: skip
    subprocess.run([str(part) for part in command], check=True, timeout=280)
    for name, color in (("qgis-dialog.png", None), ("qgis-result.png", (230, 0, 0))):
        picture = plt.imread(tmp_path / name)[..., :3]
        assert picture.shape == (800, 1360, 3)
        if color is not None:  # roofs are red, in the label layer's own red
            roofs = (np.abs(picture - np.array(color) / 255) < 0.01).all(axis=-1)
            assert roofs.sum() > 1000


def test_parameters_as_json_on_stdin(
    environment: dict[str, str], quick_python: str, job: dict[str, Any]
) -> None:
    assert PROGRAM is not None
    told = subprocess.run(
        [PROGRAM, "--help"], env=environment, capture_output=True, text=True, check=False
    )
    if "STDIN" not in told.stdout:
        pytest.skip("this QGIS takes no JSON on stdin (3.24 and newer do)")
    inputs = {**job["parameters"], "LABELS": job["labels"], "SEED": 3, "THREADS": None}
    shown = subprocess.run(
        [PROGRAM, "--json", "run", "hsi_geo:classify", "-"],
        env={**environment, "HSI_GEO_PYTHON": quick_python},
        input=json.dumps({"inputs": inputs}), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert json.loads(shown.stdout)["results"]["OUTPUT"] == job["parameters"]["OUTPUT"]
