"""The examples run unchanged, on a corner of a real scene."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from corner_scene import corner
from matplotlib.image import imread

from hsi_geo.io.datasets import indian_pines
from hsi_geo.models.s2former_config import S2FormerConfig
from hsi_geo.tasks import demo
from hsi_geo.tasks.pretraining.recipe import PretrainRecipe

pytest.importorskip("lightning", reason="needs the extra pretrain")

from hsi_geo.tasks import pretrain

EXAMPLES = Path(__file__).parents[1] / "examples"

#: Arguments of each example, and parts of its output.
RUNS = {
    "quickstart": ([], ("200 bands, 400 nm and up", "40 shots of 8 classes", "accuracy: ")),
    "own_sensor": ([], ("map: ", "accuracy: ")),
    "map_folder": ([], ("tile_0_0.tif", "tile_30_27.tif")),
    "pretrain_archive": (["3"], ("last loss", "accuracy: ")),
    "onnx_map": ([], ("map: ", "same class")),
    "torchgeo_lightning": (["2"], ("last loss",)),
}


@pytest.mark.usefixtures("quick")
@pytest.mark.filterwarnings(  # Lightning's own
    "ignore:.*LeafSpec:FutureWarning", "ignore:.*does not have many workers"
)
@pytest.mark.parametrize(
    "name",
    [name if name != "map_folder" else pytest.param(name, marks=pytest.mark.slow) for name in RUNS],
)
@pytest.mark.slow
def test_example_runs_and_draws_a_picture(
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if name == "map_folder":
        pytest.importorskip("distributed", reason="needs the extra batch")
    if name == "onnx_map":
        for package in ("onnxruntime", "onnx", "onnxscript"):
            pytest.importorskip(package, reason="needs the extra onnx, and onnxruntime")
    small = corner()
    assert np.bincount(small.truth.ravel())[1:].max() > 100
    for home in (indian_pines, demo):
        monkeypatch.setattr(home, "load_indian_pines", lambda: small)
    network = S2FormerConfig(window_px=8, width=16, depth=1, heads=2)
    monkeypatch.setattr(
        pretrain, "PretrainRecipe", lambda: PretrainRecipe(network=network, batch=4)
    )
    args, expected = RUNS[name]
    monkeypatch.setattr(sys, "argv", [name, str(tmp_path), *args])
    runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
    out = capsys.readouterr().out
    assert all(text in out for text in expected), out
    picture = tmp_path / f"{name}.png"
    assert f"picture: {picture}" in out
    pixels = imread(picture)[..., :3]
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 100
