"""Jobs run without the packages of extras that they do not use, and say which extra they miss."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hsi_geo.extras import EXTRAS

Planted = Any  # defined in conftest, which tests cannot import

#: Every package of an extra, and those that come with them and that the package could import by mistake.
OPTIONAL = {package for packages in EXTRAS.values() for package in packages} | {
    *("torchvision", "kornia", "timm", "lightly", "pytorch_lightning", "torchmetrics"),
    *("dask", "bokeh", "einops", "requests", "jsonargparse"),
}

# scikit-learn takes what is in `sys.modules` for the package, also None.
OPTIONAL -= {"pyarrow"}

#: Begins a script that finds none of these packages.
ABSENT = f"import sys\nsys.modules.update(dict.fromkeys({sorted(OPTIONAL)!r}))\n"

JOBS = """
from hsi_geo import Compute, MapOptions, assess, classify, predict, suggest
from hsi_geo.models.s2former_config import S2FormerConfig
from hsi_geo.tasks import adapt
from hsi_geo.tasks.adaptation.daft import FineTuneConfig
from hsi_geo.tasks.info import info
scene, shots = sys.argv[1:]
small = S2FormerConfig(window_px=8, width=32, depth=1, heads=2)
fine_tuning = FineTuneConfig(steps=60, batch=12)
adapt.DEFAULT_RECIPE = adapt.Recipe(network=small, stride_px=4, fine_tuning=fine_tuning)
adapt.DEFAULT_WEIGHTS = "none"
quick = Compute(device="cpu", threads=1)
info(scene, shots)
classify(scene, shots, out="map.tif", options=MapOptions(confidence=True), compute=quick)
adapt.adapt(scene, shots, out="model.safetensors", compute=quick)
predict(scene, "model.safetensors", out="again.tif", compute=quick)
assess("map.tif", shots)
suggest(scene, "model.safetensors", count=3, out="points.gpkg", compute=quick)
print("done")
"""


def run(code: str, *args: object, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", ABSENT + code, *map(str, args)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_jobs_on_scenes_run_without_any_extra(planted: Planted, tmp_path: Path) -> None:
    shots = planted.shots(tmp_path / "shots.gpkg")
    done = run(JOBS, planted.path, shots, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("done\n")
    written = {path.name for path in tmp_path.iterdir()}
    assert {"map.tif", "map_confidence.tif", "again.tif", "points.gpkg"} <= written


#: What needs an extra, the extra, and the package that is missed first.
NEEDS = (
    ("from hsi_geo import HyperspectralScene", "datasets", "torchgeo"),
    ("from hsi_geo import ShotLabels", "datasets", "torchgeo"),
    ("from hsi_geo import ShotSampler", "datasets", "torchgeo"),
    ("from hsi_geo import ValidPatchSampler", "datasets", "torchgeo"),
    ("from hsi_geo import pretrain", "pretrain", "lightning"),
    ("from hsi_geo import batch; batch('a.tif', 'm', 'o')", "batch", "distributed"),
)


@pytest.mark.slow
def test_names_of_a_missing_extra_say_what_installs_it(tmp_path: Path) -> None:
    attempts = [
        f"try:\n    {code}\nexcept ImportError as error: print(type(error).__name__, error)\n"
        for code, *_ in NEEDS
    ]
    done = run("".join(attempts), folder=tmp_path)
    assert done.returncode == 0, done.stderr
    for said, (code, extra, package) in zip(done.stdout.splitlines(), NEEDS, strict=True):
        assert said.startswith("MissingPackageError "), code
        assert f" the package {package}, which is not installed" in said, code
        assert said.endswith(f"; run: pip install 'hsi-geo[{extra}]'"), code


@pytest.mark.slow
def test_command_of_a_missing_extra_is_one_sentence(tmp_path: Path) -> None:
    code = (
        "from hsi_geo.cli.main import main\nsys.argv[1:] = ['pretrain', 'a.tif', '-o', 'w']\nmain()"
    )
    done = run(code, folder=tmp_path)
    assert done.returncode == 1
    assert done.stderr == (
        "Error: pre-training runs need the package lightning, which is not installed; "
        "run: pip install 'hsi-geo[pretrain]'\n"
    )
