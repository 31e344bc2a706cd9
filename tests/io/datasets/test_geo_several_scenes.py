"""Several scenes in one TorchGeo dataset, and what is refused as scenes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from affine import Affine

from hsi_geo.errors import SceneError, ShotsError
from hsi_geo.io.scenes.scene import open_scene
from hsi_geo.tiling import Window

pytest.importorskip("torchgeo", reason="needs the extra datasets")

from geo_cases import labels_of, part_of, window_of

from hsi_geo.io.datasets.geo import HyperspectralScene
from hsi_geo.io.datasets.samplers import to_slices

if TYPE_CHECKING:
    from planted import MakeScene, Planted


def neighbours(make_scene: MakeScene, width: int = 53) -> tuple[Planted, Planted]:
    """Two scenes side by side; the second, further east, has another height and other values."""
    west = make_scene("west.tif")
    shifted = west.transform @ Affine.translation(53, 0)
    return west, make_scene("east.tif", height=41, width=width, transform=shifted, seed=8)


def test_query_of_several_scenes_reads_the_scene_there(
    make_scene: MakeScene, tmp_path: Path
) -> None:
    pair = neighbours(make_scene)
    scenes = HyperspectralScene([planted.path for planted in pair])
    assert len(scenes) == 2
    both = scenes & labels_of(pair[1], tmp_path, scenes)
    for planted, grid in zip(pair, scenes.grids, strict=True):
        window = Window(20, 11, 9, 7)
        sample = both[to_slices(grid, window)]
        assert window_of(sample, planted) == window
        np.testing.assert_array_equal(sample["image"], part_of(planted, window))


def test_shots_label_the_scene_that_contains_them(make_scene: MakeScene, tmp_path: Path) -> None:
    pair = neighbours(make_scene)
    scenes = HyperspectralScene([planted.path for planted in pair])
    labels = labels_of(pair[1], tmp_path, scenes)
    assert [len(pixels) for pixels in labels.pixels] == [0, 12]
    assert labels.pixels[0].outside == 12


def test_shots_outside_all_scenes_are_refused(make_scene: MakeScene, tmp_path: Path) -> None:
    west, east = neighbours(make_scene)
    with pytest.raises(ShotsError, match="none of the 12 shots"):
        labels_of(east, tmp_path, HyperspectralScene(west.path))


@pytest.mark.parametrize(
    "other",
    [
        {"crs": "EPSG:32632"},
        {"crs": None},
        {"transform": Affine(30.0, 0.0, 383472.5, 0.0, -30.0, 5818302.25)},
    ],
)
def test_scenes_with_different_crs_or_pixel_size_are_refused(
    make_scene: MakeScene, other: dict[str, Any]
) -> None:
    pair = [make_scene("a.tif").path, make_scene("b.tif", **other).path]
    with pytest.raises(SceneError, match=r"b\.tif' and scene '.*a\.tif' differ in"):
        HyperspectralScene(pair)


def test_empty_list_of_scenes_is_refused() -> None:
    with pytest.raises(SceneError):
        HyperspectralScene([])


def test_rotated_scene_is_refused(make_scene: MakeScene) -> None:
    turned = Affine.translation(5e5, 4e6) @ Affine.rotation(34.0) @ Affine.scale(15.0, -15.0)
    with pytest.raises(SceneError, match="rotated by 34"):
        HyperspectralScene(open_scene(make_scene(transform=turned).path, straighten=False))


@pytest.mark.parametrize("wrap", [str, Path, open_scene, lambda path: [path], lambda path: (path,)])
def test_scenes_may_be_paths_arrays_or_lists(planted: Planted, wrap: Any) -> None:
    dataset = HyperspectralScene(wrap(planted.path))
    assert len(dataset) == 1
    assert dataset.paths == [str(planted.path)]
    assert dataset.crs.to_epsg() == 32633
    assert dataset.res == (30.0, 20.0)
