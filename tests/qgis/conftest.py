"""A QGIS with our plugin only, environments that it starts, and functions that run algorithms."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import geopandas as gpd
import pytest
from live_shots import CLASSES, WRONG

MakeScene = Callable[..., Any]  # defined in the other conftest
Call = Callable[..., subprocess.CompletedProcess[str]]
Case = Callable[..., dict[str, Any]]
Event = dict[str, Any] | str

HERE = Path(__file__).parent

#: QGIS's own Python runs these.
collect_ignore = [
    "running.py",
    "fake_engine.py",
    "live_person.py",
    *(path.name for path in HERE.glob("*cases.py")),
]
PLUGINS = HERE.parents[1] / "qgis_plugin"

#: Replaces the environment's Python: the same program with a small network and a short recipe.
QUICK_PYTHON = """#!{python} -I
import os, sys
if __name__ == "__main__":  # workers of a batch import it again
    assert sys.argv[1:4] == ["-I", "-m", "hsi_geo"], sys.argv
    sys.argv = ["hsi-geo", *sys.argv[4:]]
from hsi_geo.environment import drop_foreign_variables
drop_foreign_variables()
from hsi_geo.models.s2former_config import S2FormerConfig
from hsi_geo.tasks import adapt
from hsi_geo.tasks.adaptation.recipe import FineTuneConfig, Recipe
small = S2FormerConfig(window_px=8, width=32, depth=1, heads=2)
fine_tuning = FineTuneConfig(steps=int(os.environ.get("HSI_GEO_TEST_STEPS", "60")), batch=12)
adapt.DEFAULT_RECIPE = Recipe(network=small, stride_px=4, fine_tuning=fine_tuning)
adapt.DEFAULT_WEIGHTS = "none"
from hsi_geo.cli.main import main
if __name__ == "__main__":
    main()
"""

#: Replaces it too: logs its arguments, keeps the files it receives, and prints prepared answers, one a call.
FAKE_PYTHON = """#!{python} -I
import json, os, shutil, sys, time
from pathlib import Path
home = Path(__file__).parent
arguments = sys.argv[4:]
calls = home / "calls.jsonl"
number = len(calls.read_text(encoding="utf-8").splitlines()) if calls.exists() else 0
answers = json.loads((home / "answers.json").read_text(encoding="utf-8"))
answer = answers[min(number, len(answers) - 1)]
for option in ("--shots", "--aoi", "--classes", "--zones", "--reference"):
    given = [value for name, value in zip(arguments, arguments[1:]) if name == option and value]
    for count, path in enumerate(given, start=1):
        end = ".json" if option == "--classes" else Path(path).suffix
        shutil.copy(path, home / (option[2:] + (str(count) if count > 1 else "") + end))
with calls.open("a", encoding="utf-8") as file:
    file.write(json.dumps(arguments) + chr(10))
if "--save-model" in arguments:
    Path(arguments[arguments.index("--save-model") + 1]).write_text("model", encoding="utf-8")
for line in answer["stderr"]:
    data = (line + chr(10)).encode()
    for piece in (data[:19], data[19:]):  # as pipes hand them over, through the middle of a letter
        sys.stderr.buffer.write(piece)
        sys.stderr.buffer.flush()
        time.sleep(0.02)
if answer["code"] < 0:
    os.kill(os.getpid(), -answer["code"])
sys.exit(answer["code"])
"""


class Fake:
    """An environment whose hsi-geo prints prepared answers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.python = folder / "python"
        self.python.write_text(FAKE_PYTHON.format(python=sys.executable), encoding="utf-8")
        self.python.chmod(0o755)
        self.answer({"v": 1, "type": "result", "outputs": {"map": "map.tif"}})

    def answer(self, *events: Event, code: int = 0) -> None:
        """Set the lines on stderr and the exit code of all calls."""
        self.answer_in_turn([(events, code)])

    def answer_in_turn(self, answers: Sequence[tuple[Sequence[Event], int]]) -> None:
        """Set the lines on stderr and the exit code of each call."""
        content = [
            {
                "stderr": [
                    e if isinstance(e, str) else json.dumps(e, ensure_ascii=False) for e in events
                ],
                "code": code,
            }
            for events, code in answers
        ]
        (self.folder / "answers.json").write_text(json.dumps(content), encoding="utf-8")

    @property
    def arguments(self) -> list[str]:
        """Arguments of the last call."""
        lines = (self.folder / "calls.jsonl").read_text(encoding="utf-8").splitlines()
        found: list[str] = json.loads(lines[-1])
        return found

    def given(self, option: str) -> gpd.GeoDataFrame:
        return gpd.read_file(self.folder / f"{option}.gpkg")


WANTING = "needs QGIS (Debian: apt-get install qgis python3-qgis qgis-providers)"


@pytest.fixture(scope="session")
def program() -> str:
    """Path of qgis_process; skips where there is none."""
    # Debian's wrapper of qgis_process passes a flag that the program refuses.
    found = shutil.which("qgis_process.bin") or shutil.which("qgis_process")
    return found or pytest.skip(WANTING)


@pytest.fixture(scope="session")
def qgis_python() -> str:
    """A Python that QGIS is installed in; skips where there is none."""
    for name in ("/usr/bin/python3", "python3", "python"):
        found = shutil.which(name)
        command = [str(found), "-c", "import qgis.core"]
        if found and not subprocess.run(command, capture_output=True, check=False).returncode:
            return found
    pytest.skip(WANTING)


@pytest.fixture(scope="session")
def environment(
    program: str, qgis_python: str, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
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
    enabled = subprocess.run(
        [program, "plugins", "enable", "hsi_geo_qgis"],
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
def call(program: str, environment: dict[str, str]) -> Call:
    """Function that runs an algorithm, or a model, by qgis_process."""

    def run(name: str, *, python: str | None = None, **parameters: object) -> Any:
        variables = {**environment, **({"HSI_GEO_PYTHON": python} if python is not None else {})}
        given = [f"{key}={value}" for key, value in parameters.items()]
        command = [program, "run", name, *(["--", *given] if given else [])]
        return subprocess.run(
            command, env=variables, capture_output=True, text=True, check=False, timeout=280
        )

    return run


@pytest.fixture
def case(qgis_python: str, environment: dict[str, str], quick_python: str) -> Case:
    """Function that runs one of `cases.py` inside QGIS's Python."""

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
        command = [qgis_python, str(HERE / "cases.py"), name]
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


@pytest.fixture
def engine(tmp_path: Path) -> Path:
    """Folder of the small engine. QGIS starts its script ``python``."""
    folder = tmp_path / "Größe engine"
    folder.mkdir()
    script = folder / "python"
    program = HERE / "fake_engine.py"
    script.write_text(
        f"#!/bin/sh\nHSI_GEO_FAKE_ENGINE='{folder}' exec '{sys.executable}' '{program}' \"$@\"\n",
        encoding="utf-8",
    )
    script.chmod(0o755)
    return folder


@pytest.fixture
def live(case: Case, engine: Path, make_scene: MakeScene, tmp_path: Path) -> Case:
    """Function that runs a case about the dock with the small engine."""
    scene = make_scene("Szene mit ä.tif")

    def run(name: str, **job: Any) -> Any:
        given = {
            "scene": str(scene.path), "classes": CLASSES, "wrong": WRONG, "cursor": [30, 10],
            "out": str(tmp_path / "Karte ü.tif"), "engine": str(engine), "folder": str(tmp_path),
        }  # fmt: skip
        return case(name, python=engine / "python", **{**given, **job})

    return run
