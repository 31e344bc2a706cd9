"""Grids of shots that are combined with several datasets of scenes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
import xarray as xr

from hsi_geo.errors import ShotsError
from hsi_geo.io.scenes.scene import open_scene

pytest.importorskip("torchgeo", reason="needs the extra datasets")

from hsi_geo.io.datasets.geo import HyperspectralScene, ShotLabels
from hsi_geo.io.datasets.samplers import to_slices

if TYPE_CHECKING:
    from planted import Planted

#: Other scenes than the left part of one.
OTHERS: dict[str, Callable[[xr.DataArray], xr.DataArray]] = {
    "neighbour": lambda scene: scene[:, :, 20:],
    "coarse": lambda scene: scene[:, ::2, ::2],
    "shifted": lambda scene: scene[:, 1:].assign_coords(x=scene.x + 15.0, y=scene.y[1:] - 10.0),
}


@pytest.mark.parametrize("scene_first", [True, False], ids=["scene first", "shots first"])
@pytest.mark.parametrize("case", OTHERS)
def test_shots_that_met_another_scene_label_the_pixels_of_each(
    planted: Planted, tmp_path: Path, case: str, scene_first: bool
) -> None:
    whole, path = open_scene(planted.path), planted.shots(tmp_path / "shots.gpkg")
    first, other = HyperspectralScene(whole[:, :, :40]), HyperspectralScene(OTHERS[case](whole))
    labels = ShotLabels(path)
    before = first & labels
    query = to_slices(first.grids[0], first.grids[0].window)
    mask = before[query]["mask"]
    both = other & labels if scene_first else labels & other
    grid = other.grids[0]
    found = both[to_slices(grid, grid.window)]
    fresh = ShotLabels(path, other)[to_slices(grid, grid.window)]
    torch.testing.assert_close(found["mask"], fresh["mask"], rtol=0, atol=0)
    torch.testing.assert_close(found["feature"], fresh["feature"], rtol=0, atol=0)
    assert found["mask"].shape == found["image"].shape[1:] == grid.shape
    torch.testing.assert_close(before[query]["mask"], mask, rtol=0, atol=0)


@pytest.mark.parametrize("case", OTHERS)
def test_shots_of_given_scenes_are_refused_with_others(
    planted: Planted, tmp_path: Path, case: str
) -> None:
    whole, path = open_scene(planted.path), planted.shots(tmp_path / "shots.gpkg")
    labels = ShotLabels(path, HyperspectralScene(whole[:, :, :40]))
    with pytest.raises(
        ShotsError, match=r"label the pixels of other scenes than those .*; give like="
    ):
        _ = HyperspectralScene(OTHERS[case](whole)) & labels
    part = HyperspectralScene(whole[:, 3:30, 10:40])
    both = part & labels
    grid = part.grids[0]
    found = both[to_slices(grid, grid.window)]
    expected = ShotLabels(path, part)[to_slices(grid, grid.window)]
    torch.testing.assert_close(found["mask"], expected["mask"], rtol=0, atol=0)
