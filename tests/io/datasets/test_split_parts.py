"""TorchGeo's splits of datasets of several scenes, and combinations in another CRS."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely
import torch
from affine import Affine

from hsi_geo.errors import SceneError
from hsi_geo.io.scenes.scene import scene_from_array
from hsi_geo.tiling import Grid, Window

pytest.importorskip("torchgeo", reason="needs the extra datasets")

from torchgeo.datasets import (
    RasterDataset,
    random_bbox_assignment,
    random_bbox_splitting,
    random_grid_cell_assignment,
    roi_split,
)

from hsi_geo.io.datasets.geo import HyperspectralScene, ShotLabels
from hsi_geo.io.datasets.samplers import ShotSampler, ValidPatchSampler, to_slices

if TYPE_CHECKING:
    import xarray as xr
    from torchgeo.datasets import GeoDataset

HEIGHT, WIDTH = 10, 12

#: Each scene has its own value, and begins where the one to the west of it ends.
VALUES = [1.0, 2.0, 3.0]


def grid_at(number: int, crs: Any = 32633) -> Grid:
    west = 400000.0 + number * WIDTH * 30
    transform = Affine(30.0, 0.0, west, 0.0, -20.0, 5800000.0)
    return Grid(HEIGHT, WIDTH, transform, rasterio.crs.CRS.from_user_input(crs))


def scene_at(number: int, **grid: Any) -> xr.DataArray:
    values = np.full((3, HEIGHT, WIDTH), VALUES[number])
    return scene_from_array(values, np.array([500.0, 600.0, 700.0]), grid=grid_at(number, **grid))


@pytest.fixture
def scenes() -> HyperspectralScene:
    return HyperspectralScene([scene_at(number) for number in range(len(VALUES))])


def shots() -> gpd.GeoDataFrame:
    """Two points in each scene, in its third and in its ninth column."""
    xs = [400000 + 30 * (WIDTH * number + col + 0.5) for number in range(3) for col in (2, 8)]
    points = gpd.points_from_xy(xs, [5799910.0] * len(xs))
    return gpd.GeoDataFrame({"class": ["oats", "rye"] * 3}, geometry=points, crs=32633)


def values_of(image: torch.Tensor) -> list[float]:
    return [float(value) for value in np.unique(image.numpy())]


def parts_by[D: GeoDataset](split: str, dataset: D) -> list[D]:
    """Split a dataset with one of TorchGeo's functions, whose parts are of its own type."""
    return cast("list[D]", split_by(split, dataset))


def split_by(split: str, dataset: GeoDataset) -> list[GeoDataset]:
    generator = torch.Generator().manual_seed(1)
    if split == "scenes":
        return random_bbox_assignment(dataset, [2, 1], generator)
    if split == "even":
        return random_bbox_assignment(dataset, [0.5, 0.5], generator)
    if split == "cells_twice":
        halves = random_grid_cell_assignment(dataset, [0.5, 0.5], 2, generator)
        return [half for one in halves for half in split_by("even", one)]
    if split == "halves":
        return random_bbox_splitting(dataset, [0.5, 0.5], generator)
    if split == "cells":
        return random_grid_cell_assignment(dataset, [0.5, 0.5], 2, generator)
    west, south, east, north = dataset.index.total_bounds
    middle = west + WIDTH * 30  # between the first and the second scene
    boxes = [shapely.box(west, south, middle, north), shapely.box(middle, south, east, north)]
    return roi_split(dataset, boxes)


SPLITS = ["scenes", "halves", "cells", "area"]


@pytest.mark.parametrize("split", SPLITS)
def test_split_dataset_reads_the_scene_there(scenes: HyperspectralScene, split: str) -> None:
    for part in parts_by(split, scenes):
        for row in part.index.geometry:
            if not row.area:
                continue
            west, south, east, north = row.bounds
            sample = part[west:east, south:north]
            number = int((row.centroid.x - 400000) // (WIDTH * 30))
            assert values_of(sample["image"]) == [VALUES[number]]


def test_split_dataset_has_nothing_elsewhere(scenes: HyperspectralScene) -> None:
    west, rest = parts_by("area", scenes)
    inside = to_slices(grid_at(2), Window(2, 3, 4, 5))
    assert values_of(rest[inside]["image"]) == [VALUES[2]]
    with pytest.raises(IndexError, match="lies outside"):
        west[inside]


@pytest.mark.parametrize("split", SPLITS)
def test_samplers_of_a_split_stay_in_their_part(scenes: HyperspectralScene, split: str) -> None:
    labels = ShotLabels(shots(), like=scenes)
    visited = []
    for images, part in zip(parts_by(split, scenes), parts_by(split, labels), strict=True):
        land = part.index.union_all()
        for x, y in ShotSampler(part, size_px=1, generator=0):
            visited.append(x.start)
            assert land.contains(shapely.Point((x.start + x.stop) / 2, (y.start + y.stop) / 2))
        drawn = list(ValidPatchSampler(images, size_px=3, length=30, generator=0))
        assert len(drawn) == 30
        for x, y in drawn:
            assert land.contains(shapely.Point((x.start + x.stop) / 2, (y.start + y.stop) / 2))
    assert len(set(visited)) == len(visited) == len(shots())


def test_split_that_is_empty_draws_nothing(scenes: HyperspectralScene) -> None:
    (nothing,) = roi_split(scenes, [shapely.box(0, 0, 10, 10)])
    assert isinstance(nothing, HyperspectralScene)
    assert list(ValidPatchSampler(nothing, size_px=3, length=30)) == []


# Scenes that overlap --------------------------------------------------------------------------


def overlapping(by: float, count: int = 2, **names: Any) -> HyperspectralScene:
    """Scenes of one size, each further east than the one before; the value of each is its number from 1."""
    scenes = []
    for number in range(count):
        start = grid_at(0)
        transform = start.transform @ Affine.translation(number * (1 - by) * WIDTH, 0)
        values = np.full((3, HEIGHT, WIDTH), VALUES[number])
        grid = Grid(HEIGHT, WIDTH, transform, start.crs)
        scenes.append(scene_from_array(values, np.array([500.0, 600.0, 700.0]), grid=grid, **names))
    return HyperspectralScene(scenes)


def points_of(scenes: HyperspectralScene) -> gpd.GeoDataFrame:
    """A point in each pixel of the fourth row, of two classes in turn."""
    west, _, east, _ = scenes.index.total_bounds
    xs = np.arange(west + 15, east, 30)
    points = gpd.points_from_xy(xs, np.full(len(xs), 5799930.0))
    classes = [("oats", "rye")[number % 2] for number in range(len(xs))]
    return gpd.GeoDataFrame({"class": classes}, geometry=points, crs=32633)


def kept(part: Any, number: int) -> shapely.Geometry:
    """What a part of a split has of a scene."""
    left = part.parts_left()[number]
    return shapely.box(*part.grids[number].bounds) if left is None else left


@pytest.mark.parametrize("by", [1.0, 0.5], ids=["wholly", "by_half"])
def test_part_with_one_scene_reads_nothing_of_another(by: float) -> None:
    scenes = overlapping(by)
    labels = ShotLabels(points_of(scenes), like=scenes)
    read = []
    for part, shots in zip(parts_by("even", scenes), parts_by("even", labels), strict=True):
        number = list(scenes.index.filepath).index(part.index.filepath.iloc[0])
        read.append(number)
        inside = to_slices(scenes.grids[number], Window(0, 0, HEIGHT, WIDTH))
        assert values_of(part[inside]["image"]) == [VALUES[number]]
        both = part & shots
        visited = list(ShotSampler(shots, size_px=1, generator=0))
        assert len(visited) == WIDTH
        for x, y in visited:
            sample = both[x, y]
            assert values_of(sample["image"]) == [VALUES[number]]
            assert sample["mask"].item() >= 0
    assert sorted(read) == [0, 1]


@pytest.mark.parametrize("split", ["even", "halves", "cells", "cells_twice"])
@pytest.mark.parametrize("by", [1.0, 0.5], ids=["wholly", "by_half"])
@pytest.mark.parametrize("size_px", [1, 2, 3])
def test_windows_are_read_from_a_scene_that_the_part_has_there(
    by: float, split: str, size_px: int
) -> None:
    scenes = overlapping(by, count=3)
    labels = ShotLabels(points_of(scenes), like=scenes)
    seen: list[tuple[float, float]] = []
    for part, shots in zip(parts_by(split, scenes), parts_by(split, labels), strict=True):
        here = set()
        for x, y in ShotSampler(shots, size_px=size_px, generator=0):
            half = size_px // 2
            number = VALUES.index(part[x, y]["image"][0, half, half].item())
            shot = x.start + (half + 0.5) * 30
            assert kept(part, number).contains(shapely.Point(shot + 0.01, 5799930.0 - 0.01))
            here.add((shot, number))
        seen += here
    assert len(set(seen)) == len(seen) > WIDTH


def test_a_row_that_names_no_scene_is_of_the_first_one_there() -> None:
    scenes = overlapping(0.5)
    scenes.index = scenes.index.drop(columns="filepath")
    assert [part is None for part in scenes.parts_left()] == [True, True]
    scenes.index = scenes.index.iloc[[0]].set_geometry([shapely.box(*overlap_of(scenes))])
    first, second = scenes.parts_left()
    assert first is not None
    assert first.area == HEIGHT * WIDTH / 2 * 600
    assert second is not None
    assert second.is_empty


def overlap_of(scenes: HyperspectralScene) -> tuple[float, float, float, float]:
    first, second = scenes.grids
    return (second.bounds[0], first.bounds[1], first.bounds[2], first.bounds[3])


def test_rows_of_an_index_have_names_of_their_own(scenes: HyperspectralScene) -> None:
    assert list(scenes.index.filepath) == ["array [0]", "array [1]", "array [2]"]
    assert scenes.paths == ["array"] * 3
    labels = ShotLabels(shots(), like=scenes)
    assert labels.index.filepath.is_unique


# Combinations in another CRS ------------------------------------------------------------------


def raster_at(path: Path, grid: Grid) -> GeoDataset:
    class One(RasterDataset):
        filename_glob = path.name
        is_image = False

    size = {"height": grid.height, "width": grid.width, "count": 1, "dtype": "float32"}
    with rasterio.open(path, "w", transform=grid.transform, crs=grid.crs, **size) as file:
        file.write(np.full((1, *grid.shape), 7.0, np.float32))
    return One(str(path))


@pytest.mark.parametrize("combine", ["and", "or"])
def test_scene_cannot_follow_another_crs(
    scenes: HyperspectralScene, tmp_path: Path, combine: str
) -> None:
    transform = Affine(0.0005, 0.0, 13.5, 0.0, -0.0003, 52.35)
    degrees = Grid(100, 90, transform, rasterio.crs.CRS.from_epsg(4326))
    raster = raster_at(tmp_path / "degrees.tif", degrees)
    with pytest.raises(SceneError, match=r"lie in WGS 84 / UTM zone 33N.* in WGS 84"):
        raster & scenes if combine == "and" else raster | scenes
    both = scenes & raster_at(tmp_path / "second.tif", degrees)
    sample = both[to_slices(grid_at(1), Window(1, 2, 5, 6))]
    assert values_of(sample["image"]) == [VALUES[1]]
    assert values_of(sample["mask"]) == [7.0]


def test_one_crs_in_other_words_is_the_same(scenes: HyperspectralScene, tmp_path: Path) -> None:
    words = "+proj=utm +zone=33 +datum=WGS84 +units=m +no_defs"
    raster = raster_at(tmp_path / "words.tif", grid_at(0, crs=words))
    sample = (raster & scenes)[to_slices(grid_at(0), Window(1, 2, 5, 6))]
    assert values_of(sample["image"]) == [VALUES[0]]


@pytest.mark.parametrize("has_crs", [True, False])
def test_hint_for_a_missing_crs(has_crs: bool) -> None:
    crs = 32633 if has_crs else None
    scene = scene_from_array(
        np.ones((3, HEIGHT, WIDTH)), np.array([500.0, 600.0, 700.0]),
        grid=Grid(HEIGHT, WIDTH, grid_at(0).transform, None if crs is None else grid_at(0).crs),
    )  # fmt: skip
    dataset = HyperspectralScene(scene)
    with pytest.raises(SceneError, match="no CRS") as caught:
        dataset.crs = None if has_crs else 32633
    wanted = "the other dataset" if has_crs else "the scene"
    assert f"assign a CRS to {wanted}" in str(caught.value.hint)
