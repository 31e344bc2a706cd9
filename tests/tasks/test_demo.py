"""The demo as a new user runs it."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio
from click.testing import CliRunner
from hsi_geo.cli.main import group

from hsi_geo import Compute, demo
from hsi_geo.io.datasets.indian_pines import load_indian_pines
from hsi_geo.io.scenes.scene import open_scene
from hsi_geo.tasks.benchmarking.protocol import draw_shots, score
from hsi_geo.tasks.demo import write_inputs


@pytest.mark.slow
def test_demo_is_more_accurate_than_svm_and_random_forest(tmp_path: Path) -> None:
    """With the default recipe, which takes half a minute."""
    result = demo(tmp_path)
    assert result.test_pixels == 10249 - 80
    ours = result.scores["hsi-geo"]
    for method in ("SVM", "random forest"):
        assert ours.oa > result.scores[method].oa + 0.1
        assert ours.aa > result.scores[method].aa + 0.1
    with (
        rasterio.open(result.map.paths.classes) as mapped,
        rasterio.open(tmp_path / "indian_pines.tif") as scene,
    ):
        assert mapped.transform == scene.transform
        assert "approximate" in scene.tags()["GEOREFERENCE"]
        assert (mapped.read(1) > 0).all()
    assert result.picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
@pytest.mark.usefixtures("quick")
def test_demo_replaces_its_own_files(tmp_path: Path) -> None:
    for _ in range(2):
        completed = CliRunner().invoke(group, ["demo", str(tmp_path / "new" / "folder")])
        assert completed.exit_code == 0, completed.output
        assert all(
            word in completed.stdout for word in ("hsi-geo", "SVM", "random forest", "kappa")
        )
    names = {path.name for path in (tmp_path / "new" / "folder").iterdir()}
    assert {"indian_pines.tif", "indian_pines_shots.gpkg", "indian_pines.png"} < names


@pytest.mark.usefixtures("quick")
@pytest.mark.slow
def test_demo_scores_the_map_of_classify(tmp_path: Path) -> None:
    """The same score, counted by class names at the pixels of the ground truth."""
    result = demo(tmp_path, compute=Compute(seed=1220))
    truth = load_indian_pines()
    shots = gpd.read_file(tmp_path / "indian_pines_shots.gpkg")
    assert shots["class"].value_counts().max() == 5
    with rasterio.open(result.map.paths.classes) as mapped:
        ids = mapped.read(1)
        places = zip(shots.geometry.x, shots.geometry.y, strict=True)
        rows, cols = np.array([mapped.index(x, y) for x, y in places]).T
    names = np.array(["", *(c.name for c in result.map.classes)])
    test = truth.truth > 0
    test[rows, cols] = False
    right = names[ids][test] == np.array(["", *truth.names])[truth.truth][test]
    assert right.size == result.test_pixels
    assert right.mean() == pytest.approx(result.scores["hsi-geo"].oa)


def test_write_inputs_keeps_the_wavelengths(tmp_path: Path) -> None:
    path, _, _ = write_inputs(tmp_path)
    scene = open_scene(path)
    assert np.allclose(scene["wavelength"], load_indian_pines().centres_nm, atol=1e-3)
    assert (np.diff(scene["wavelength"]) < 0).any(), "detectors overlap: centres are not monotonic"


def test_draw_shots_follows_the_protocol() -> None:
    labels = np.zeros((9, 11), np.int64)
    labels[:6], labels[7, :6], labels[8, :2] = 1, 2, 3
    shots = draw_shots(labels, 5, 1330)
    counts = np.bincount(labels.ravel()[shots], minlength=4)
    assert counts.tolist() == [0, 5, 3, 1]
    assert len(set(shots.tolist())) == len(shots)
    generator = np.random.default_rng(1330)
    first = generator.choice(np.flatnonzero(labels.ravel() == 1), 5, replace=False)
    assert (shots[:5] == first).all()


def test_score_gives_the_published_definitions() -> None:
    truth, predicted = np.array([1, 1, 1, 2, 2, 3]), np.array([1, 1, 2, 2, 2, 1])
    scores = score(truth, predicted)
    assert scores.oa == pytest.approx(4 / 6)
    assert scores.aa == pytest.approx((2 / 3 + 1 + 0) / 3)
    assert scores.kappa == pytest.approx((4 / 6 - 15 / 36) / (1 - 15 / 36))
