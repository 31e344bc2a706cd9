"""Samples of scenes whose rows run to the north, or whose columns run to the west."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import rasterio
import torch
from affine import Affine

pytest.importorskip("torchgeo", reason="needs the extra datasets")

from torchgeo.datasets import RasterDataset

from hsi_geo.io.datasets.geo import HyperspectralScene, ShotLabels
from hsi_geo.io.datasets.samplers import ShotSampler, to_slices
from hsi_geo.tiling import Window

if TYPE_CHECKING:
    from planted import Planted

#: Whether rows run to the north, and columns to the west.
TURNED = [(True, False), (False, True), (True, True)]


def turned(planted: Planted, path: Path, *, south_up: bool, west_right: bool) -> Path:
    """A copy of a scene with rows, columns or both in the other order, in the same place."""
    with rasterio.open(planted.path) as file:
        values, profile, tags = file.read(), file.profile, [file.tags(b) for b in file.indexes]
    rows, cols = values.shape[1:]
    values = values[:, :: -1 if south_up else 1, :: -1 if west_right else 1]
    to_corner = Affine.translation(west_right * cols, south_up * rows)
    scale = Affine.scale(-1 if west_right else 1, -1 if south_up else 1)
    profile["transform"] = profile["transform"] @ to_corner @ scale
    with rasterio.open(path, "w", **profile) as file:
        file.write(values)
        for band, of_band in enumerate(tags, start=1):
            file.update_tags(band, **of_band)
    return path


@pytest.mark.parametrize(("south_up", "west_right"), TURNED)
def test_samples_are_those_of_the_scene_with_north_up(
    planted: Planted, tmp_path: Path, south_up: bool, west_right: bool
) -> None:
    other = turned(planted, tmp_path / "t.tif", south_up=south_up, west_right=west_right)
    shots = planted.shots(tmp_path / "shots.gpkg")
    both = [HyperspectralScene(path) & ShotLabels(shots) for path in (planted.path, other)]
    grid = HyperspectralScene(planted.path).grids[0]
    for window in (Window(2, 3, 9, 13), Window(-3, 45, 8, 11)):
        expected, found = (dataset[to_slices(grid, window)] for dataset in both)
        assert found.keys() == expected.keys()
        for key, value in expected.items():
            torch.testing.assert_close(found[key], value, msg=key)


@pytest.mark.parametrize("size_px", [6, 7])
@pytest.mark.parametrize(("south_up", "west_right"), TURNED)
def test_windows_around_shots_are_those_of_the_scene_with_north_up(
    planted: Planted, tmp_path: Path, south_up: bool, west_right: bool, size_px: int
) -> None:
    other = turned(planted, tmp_path / "t.tif", south_up=south_up, west_right=west_right)
    shots = planted.shots(tmp_path / "shots.gpkg")
    for path in (planted.path, other):
        labels = ShotLabels(shots, HyperspectralScene(path))
        for query in ShotSampler(labels, size_px=size_px, generator=0):
            assert labels[query]["mask"][size_px // 2, size_px // 2] >= 0


def test_rasters_of_torchgeo_have_the_same_place(planted: Planted, tmp_path: Path) -> None:
    """Both are stacked pixel by pixel; before, the scene was upside down beside the raster."""
    other = turned(planted, tmp_path / "t.tif", south_up=True, west_right=False)
    (tmp_path / "rasters").mkdir()
    with rasterio.open(planted.path) as file:
        profile = {**file.profile, "count": 1}
        first = file.read(1)
    with rasterio.open(tmp_path / "rasters" / "first.tif", "w", **profile) as file:
        file.write(first, 1)
    scene = HyperspectralScene(other)
    query = to_slices(scene.grids[0], Window(5, 8, 12, 17))
    raster = RasterDataset(str(tmp_path / "rasters"))[query]["image"].numpy()[0]
    sample = scene[query]
    band = int(np.argsort(planted.centres_nm).tolist().index(0))
    here = sample["valid"].numpy()
    assert here.any()
    np.testing.assert_array_equal(sample["image"].numpy()[band][here], raster[here])
