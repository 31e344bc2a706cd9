"""Samplers of windows around shots and of windows with data."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely
import torch
from affine import Affine
from shapely import Polygon, box
from torch.utils.data import DataLoader

from hsi_geo.errors import OptionError
from hsi_geo.io.labels.shots import Shots, make_shots
from hsi_geo.tiling import Grid, Window

pytest.importorskip("torchgeo", reason="needs the extra datasets")

from torchgeo.samplers import SpatialSampler

from hsi_geo.io.datasets.geo import HyperspectralScene, Sample, ShotLabels
from hsi_geo.io.datasets.samplers import ShotSampler, Slices, ValidPatchSampler, to_slices

if TYPE_CHECKING:
    from planted import MakeScene, Planted

Pixel = tuple[int, int]

NODATA = -999
NORTH_UP = Affine(30.0, 0.0, 383472.5, 0.0, -20.0, 5818302.25)


def shots_at(grid: Grid, spots: dict[str, list[Pixel]]) -> Shots:
    """One point at each (row, column), by class."""
    labelled = [(name, row, col) for name, found in spots.items() for row, col in found]
    points = [shapely.Point(grid.transform @ (col + 0.5, row + 0.5)) for _, row, col in labelled]
    return make_shots(gpd.GeoSeries(points, crs=grid.crs), [name for name, _, _ in labelled])


#: Unequal classes: 5, 2 and 3 shots.
SPOTS: dict[str, list[Pixel]] = {
    "a": [(0, 0), (1, 30), (9, 9), (36, 52), (20, 5)],
    "b": [(30, 2), (31, 50)],
    "c": [(15, 15), (15, 16), (2, 51)],
}


def labels_of(path: Path, spots: dict[str, list[Pixel]] | None = None) -> ShotLabels:
    scene = HyperspectralScene(path)
    return ShotLabels(shots_at(scene.grids[0], SPOTS if spots is None else spots), scene)


def windows(sampler: SpatialSampler, grid: Grid) -> list[Window]:
    return [grid.window_of((x.start, y.start, x.stop, y.stop)) for x, y in sampler]


def centres(found: list[Window]) -> list[Pixel]:
    """The labelled pixel of each window without jitter."""
    return [(at.row + at.height // 2, at.col + at.width // 2) for at in found]


def class_of(spot: Pixel) -> str:
    return next(name for name, found in SPOTS.items() if spot in found)


def blank(planted: Planted, *keep: Window) -> Path:
    """Set a scene to nodata except in some windows."""
    values = np.full_like(planted.values, NODATA)
    for window in keep:
        values[:, *window.slices] = 1 + np.abs(planted.values[:, *window.slices])
    with rasterio.open(planted.path, "r+") as file:
        file.write(values)
    return planted.path


# Around shots ---------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 6, 9])
def test_shot_sampler_visits_each_shot_once_with_classes_in_turn(
    planted: Planted, size: int
) -> None:
    labels = labels_of(planted.path)
    sampler = ShotSampler(labels, size_px=size, generator=5)
    assert isinstance(sampler, SpatialSampler)
    for _ in range(2):
        found = windows(sampler, labels.grids[0])
        assert len(found) == len(sampler) == 10
        assert {window.shape for window in found} == {(size, size)}
        spots = centres(found)
        assert sorted(spots) == sorted(itertools.chain(*SPOTS.values()))
        names = [class_of(spot) for spot in spots]
        assert names == ["a", "b", "c", "a", "b", "c", "a", "c", "a", "a"]


def test_shot_sampler_shuffles_each_epoch(planted: Planted) -> None:
    sampler = ShotSampler(labels_of(planted.path), size_px=5, generator=5)
    assert list(sampler) != list(sampler)


def test_shot_sampler_repeats_shots_in_a_long_epoch(planted: Planted) -> None:
    labels = labels_of(planted.path)
    sampler = ShotSampler(labels, size_px=5, length=26, generator=5)
    spots = centres(windows(sampler, labels.grids[0]))
    assert len(spots) == 26
    assert sorted(spots[:10]) == sorted(spots[10:20]) == sorted(itertools.chain(*SPOTS.values()))
    assert [class_of(spot) for spot in spots[20:]] == ["a", "b", "c"] * 2
    assert spots[:10] != spots[10:20]


@pytest.mark.parametrize("jitter", [1, 4])
def test_shot_sampler_jitter_stays_within_its_range(planted: Planted, jitter: int) -> None:
    labels = labels_of(planted.path, {"a": [(10, 20)], "b": [(20, 11)]})
    sampler = ShotSampler(labels, size_px=9, jitter_px=jitter, length=400, generator=5)
    spots = centres(windows(sampler, labels.grids[0]))
    for (row, col), visits in (((10, 20), spots[::2]), ((20, 11), spots[1::2])):
        offsets = {(found[0] - row, found[1] - col) for found in visits}
        allowed = set(range(-jitter, jitter + 1))
        assert {down for down, _ in offsets} == allowed
        assert {right for _, right in offsets} == allowed
        assert any(down != right for down, right in offsets)


def test_shot_sampler_visits_only_shots_inside_the_roi(planted: Planted) -> None:
    labels = labels_of(planted.path)
    grid = labels.grids[0]
    region = box(*grid.bounds_of(Window(0, 0, 16, 31)))
    spots = centres(windows(ShotSampler(labels, size_px=3, roi=region), grid))
    assert sorted(spots) == [(0, 0), (1, 30), (9, 9), (15, 15), (15, 16)]


@pytest.mark.timeout(5)  # it must not search forever
def test_shot_sampler_of_an_roi_without_shots_is_empty(planted: Planted) -> None:
    labels = labels_of(planted.path)
    region = box(*labels.grids[0].bounds_of(Window(22, 20, 5, 5)))
    assert list(ShotSampler(labels, size_px=3, roi=region)) == []
    assert list(itertools.islice(ShotSampler(labels, size_px=3, roi=region, length=4), 4)) == []


def test_shot_sampler_centres_shots_of_south_up_scenes(make_scene: MakeScene) -> None:
    planted = make_scene(transform=Affine(30.0, 0.0, 383472.5, 0.0, 20.0, 5818302.25))
    labels = labels_of(planted.path)
    for query in ShotSampler(labels, size_px=5, generator=1):
        assert labels[query]["mask"][2, 2] >= 0


def pair_of(make_scene: MakeScene, width: int = 31) -> tuple[HyperspectralScene, Shots]:
    """Two scenes side by side, the eastern one ``width`` pixels wide, with shots on the seam."""
    west = make_scene("west.tif")
    shifted = west.transform @ Affine.translation(53, 0)
    east = make_scene("east.tif", height=41, width=width, transform=shifted, seed=8)
    scene = HyperspectralScene([west.path, east.path])
    spots = {"a": [(5, 10), (20, 52), (30, 53)], "b": [(8, 53), (35, 54), (12, 30)]}
    return scene, shots_at(scene.grids[0], spots)


@pytest.mark.parametrize("workers", [0, 2])
# Python 3.12 warns of any fork beside threads, and DataLoader forks on Linux.
@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
def test_shot_sampler_is_reproducible_with_several_scenes_and_workers(
    make_scene: MakeScene, workers: int
) -> None:
    scene, shots = pair_of(make_scene)
    labels = ShotLabels(shots, scene)

    def samples(seed: int) -> list[Sample]:
        sampler = ShotSampler(labels, size_px=7, jitter_px=3, length=15, generator=seed)
        return list(
            DataLoader(scene & labels, sampler=sampler, batch_size=None, num_workers=workers)
        )

    torch.manual_seed(1)
    one = samples(4)
    torch.manual_seed(2)  # the global random state must not matter
    np.random.seed(2)
    two, other = samples(4), samples(5)
    assert all(
        torch.equal(first[key], second[key])
        for first, second in zip(one, two, strict=True)
        for key in ("bounds", "image", "mask")
    )
    assert not all(
        torch.equal(first["bounds"], second["bounds"])
        for first, second in zip(one, other, strict=True)
    )


@pytest.mark.parametrize(("size", "width"), [(7, 31), (8, 31), (7, 2)])
def test_shot_sampler_centres_shots_on_the_seam_of_two_scenes(
    make_scene: MakeScene, size: int, width: int
) -> None:
    scene, shots = pair_of(make_scene, width)
    labels = ShotLabels(shots, scene)
    sampler = ShotSampler(labels, size_px=size, generator=3)
    assert len(sampler) == 6
    for query in sampler:
        sample = (scene & labels)[query]
        assert sample["mask"][size // 2, size // 2] >= 0
        assert sample["valid"][size // 2, size // 2]


# Windows with data --------------------------------------------------------------------------


def test_valid_patch_sampler_covers_all_positions(planted: Planted) -> None:
    dataset = HyperspectralScene(planted.path)
    sampler = ValidPatchSampler(dataset, size_px=8, length=300, generator=2)
    assert isinstance(sampler, SpatialSampler)
    found = windows(sampler, dataset.grids[0])
    assert len(found) == len(sampler) == 300
    assert all(window == window.clip(37, 53) and window.shape == (8, 8) for window in found)
    assert {window.row for window in found} == set(range(37 - 8 + 1))
    assert {window.col for window in found} == set(range(53 - 8 + 1))


def test_valid_patch_sampler_length_covers_the_scene_once(planted: Planted) -> None:
    sampler = ValidPatchSampler(HyperspectralScene(planted.path), size_px=8)
    assert len(sampler) == 37 * 53 // 64


@pytest.mark.parametrize(("height", "width"), [(9, 53), (37, 10), (5, 6), (1, 1), (12, 12)])
def test_valid_patch_sampler_reaches_the_edges_of_narrow_scenes(
    make_scene: MakeScene, height: int, width: int
) -> None:
    dataset = HyperspectralScene(make_scene(height=height, width=width, hole=False).path)
    sampler = ValidPatchSampler(dataset, size_px=12, length=400, generator=2)
    covered = np.zeros((height, width), bool)
    for window in windows(sampler, dataset.grids[0]):
        assert window.shape == (12, 12)
        covered[window.clip(height, width).slices] = True
    assert covered.all()


@pytest.mark.parametrize("share", [0.5, 1.0])
def test_valid_patch_sampler_skips_windows_without_enough_data(
    planted: Planted, share: float
) -> None:
    dataset = HyperspectralScene(blank(planted, Window(0, 0, 37, 20)))
    sampler = ValidPatchSampler(dataset, size_px=10, length=60, min_valid=share, generator=2)
    found = windows(sampler, dataset.grids[0])
    assert len(found) == 60
    assert max(window.col for window in found) == (15 if share == 0.5 else 10)
    for query in sampler:
        assert dataset[query]["valid"].float().mean() >= share


def test_valid_patch_sampler_of_a_scene_without_data_is_empty(
    planted: Planted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ValidPatchSampler, "max_misses", 200)
    dataset = HyperspectralScene(blank(planted))
    assert list(ValidPatchSampler(dataset, size_px=10, length=5, generator=2)) == []


@pytest.mark.timeout(60)
def test_valid_patch_sampler_finds_a_small_area_with_data(make_scene: MakeScene) -> None:
    planted = make_scene(height=120, width=170, bands=4)
    dataset = HyperspectralScene(blank(planted, Window(90, 31, 24, 24)))
    sampler = ValidPatchSampler(dataset, size_px=8, length=30, min_valid=0.9, generator=2)
    assert len(list(sampler)) == 30


@pytest.mark.timeout(60)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_valid_patch_sampler_fills_a_small_roi(planted: Planted, seed: int) -> None:
    dataset = HyperspectralScene(planted.path)
    grid = dataset.grids[0]
    region: Polygon = box(*grid.bounds_of(Window(20, 30, 3, 2)))
    sampler = ValidPatchSampler(dataset, size_px=7, length=20, roi=region, generator=seed)
    found = windows(sampler, grid)
    assert len(found) == 20
    assert set(centres(found)) == {(row, col) for row in (20, 21, 22) for col in (30, 31)}


def test_valid_patch_sampler_is_reproducible(make_scene: MakeScene) -> None:
    scene, _ = pair_of(make_scene)

    def queries(seed: int) -> list[Slices]:
        return list(ValidPatchSampler(scene, size_px=7, length=30, generator=seed))

    assert queries(4) == queries(4)
    assert queries(4) != queries(5)
    seam = scene.grids[1].bounds[0]
    assert {x.stop <= seam for x, _ in queries(4)} == {True, False}
    generator = ValidPatchSampler(scene, size_px=7, length=30, generator=4)
    assert list(generator) != list(generator)


def test_to_slices_gives_coordinates_of_a_window(planted: Planted) -> None:
    grid = HyperspectralScene(planted.path).grids[0]
    x, y = to_slices(grid, Window(-2, 50, 9, 5))
    assert (x.start, x.stop) == (383472.5 + 50 * 30, 383472.5 + 55 * 30)
    assert (y.start, y.stop) == (5818302.25 - 7 * 20, 5818302.25 + 2 * 20)


@pytest.mark.parametrize(
    ("sampler", "given", "message"),
    [
        ("shots", {"size_px": 0}, "size_px is a whole number of 1 or more, and 0 was given"),
        ("shots", {"size_px": None}, "size_px is a whole number of 1 or more, and None was given"),
        ("shots", {"size_px": 7, "jitter_px": None}, "jitter_px is a whole number of 0 or more"),
        (
            "patches",
            {"size_px": None},
            "size_px is a whole number of 1 or more, and None was given",
        ),
        ("shots", {"size_px": 2.5}, "size_px is a whole number of 1 or more, and 2.5"),
        ("shots", {"size_px": 7, "jitter_px": -1}, "jitter_px is a whole number of 0 or more"),
        ("shots", {"size_px": 7, "length": 0}, "length is a whole number of 1 or more, and 0"),
        ("patches", {"size_px": -3}, "size_px is a whole number of 1 or more, and -3 was given"),
        ("patches", {"size_px": 7, "length": 0}, "length is a whole number of 1 or more, and 0"),
        ("patches", {"size_px": 7, "min_valid": 2}, "min_valid is a share, and 2 was given"),
        ("patches", {"size_px": 7, "min_valid": np.nan}, "min_valid is a share, and nan was given"),
    ],
)
def test_numbers_that_draw_no_window_are_refused(
    planted: Planted, sampler: str, given: dict[str, Any], message: str
) -> None:
    """A length of 0 gave all windows, a size of 0 windows without pixels, and a share of 2 an epoch of none."""
    labels = labels_of(planted.path)
    with pytest.raises(OptionError, match=message):
        if sampler == "shots":
            ShotSampler(labels, **given)
        else:
            ValidPatchSampler(HyperspectralScene(planted.path), **given)


def test_the_other_dataset_is_refused(planted: Planted) -> None:
    """TorchGeo's own samplers take the combination, too."""
    scene = HyperspectralScene(planted.path)
    labels = ShotLabels(shots_at(scene.grids[0], SPOTS))
    for wrong in (scene & labels, scene):
        with pytest.raises(OptionError, match="was given; give the ShotLabels themselves, not"):
            ShotSampler(wrong, size_px=7)  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="type ShotLabels was given; give the HyperspectralScene"):
        ValidPatchSampler(labels, size_px=7)  # type: ignore[arg-type]
