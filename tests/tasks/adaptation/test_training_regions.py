"""Training regions: parts of the scene around the shots, with unchanged pixels and labels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
import shapely
import xarray as xr
from affine import Affine
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hsi_geo.errors import ShotsError
from hsi_geo.io.labels.shot_reading import read_shots
from hsi_geo.io.labels.shots import Shots, make_shots
from hsi_geo.io.scenes.scene import open_scenes, scene_from_array
from hsi_geo.io.scenes.windows import read_window
from hsi_geo.progress import Reporter, SilentReporter
from hsi_geo.tasks.adaptation.region_cutting import MARGIN_PX, cut_training_regions
from hsi_geo.tasks.adaptation.training_regions import TrainingRegions
from hsi_geo.tiling import Grid, Window

Planted = Any  # defined in conftest, which tests cannot import
Recorder = Any
MakeScene = Callable[..., Planted]
Pixel = tuple[int, int]

NODATA = -999
NORTH_UP = Affine(30.0, 0.0, 383472.5, 0.0, -20.0, 5818302.25)

#: Pixels of the usual planted scene, the hole included.
ALL_PX = 37 * 53


def cut(
    scenes: Path | list[Path] | list[xr.DataArray],
    shots: Path | Shots,
    budget_px: int,
    reporter: Reporter | None = None,
    seed: int = 0,
) -> TrainingRegions:
    return cut_training_regions(
        open_scenes(scenes),
        read_shots(shots),
        budget_px=budget_px,
        seed=seed,
        reporter=reporter or SilentReporter(),
    )


def of_scene(regions: TrainingRegions, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """(H, W, ...) of a scene that is one region, NaN where there is no data."""
    (region,) = regions.regions
    spread = np.full((*region.inside.shape, *values.shape[1:]), np.nan)
    spread[region.inside] = values
    return spread


def picked(regions: TrainingRegions, image: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """(N, ...) of an (H, W, ...) image, in the order in which the pixels of regions are counted."""
    return np.concatenate(
        [image[region.padded_window.slices][region.inside] for region in regions.regions]
    )


@pytest.fixture
def shots(planted: Planted, tmp_path: Path) -> Path:
    path: Path = planted.shots(tmp_path / "shots.gpkg")
    return path


# One region or many -----------------------------------------------------------------------------


def test_small_scene_is_one_region(planted: Planted, shots: Path, recorder: Recorder) -> None:
    regions = cut(planted.path, shots, ALL_PX, recorder)
    (region,) = regions.regions
    assert region.window == region.padded_window == Window(0, 0, 37, 53)
    np.testing.assert_array_equal(region.inside, planted.truth > 0)
    np.testing.assert_array_equal(region.valid, planted.truth > 0)
    assert regions.counts == {"asphalt": 4, "meadow": 4, "water": 4}
    assert not recorder.warnings


def test_scene_over_the_budget_is_cut_into_regions(planted: Planted, shots: Path) -> None:
    regions = cut(planted.path, shots, ALL_PX - 1)
    assert len(regions.regions) > 1
    assert sum(int(region.inside.sum()) for region in regions.regions) < ALL_PX


@pytest.mark.parametrize("budget_px", [300, 900, 1500])
def test_regions_agree_with_the_whole_scene(planted: Planted, shots: Path, budget_px: int) -> None:
    """Only the order of the pixels differs."""
    whole, regions = cut(planted.path, shots, ALL_PX), cut(planted.path, shots, budget_px)
    assert len(regions.regions) > 2
    np.testing.assert_array_equal(regions.labels, picked(regions, of_scene(whole, whole.labels)))
    np.testing.assert_array_equal(
        regions.features, picked(regions, of_scene(whole, whole.features))
    )
    moved = picked(regions, of_scene(whole, whole.positions_px)) - regions.positions_px
    np.testing.assert_array_equal(moved, np.broadcast_to(moved[0], moved.shape))
    np.testing.assert_array_equal(regions.positions_px.min(axis=0), [0, 0])
    assert regions.counts == whole.counts
    matrices = (regions.spectral.whitening.matrix, whole.spectral.whitening.matrix)
    np.testing.assert_array_equal(*matrices)


@pytest.mark.parametrize("budget_px", [300, ALL_PX])
def test_images_equal_the_scene_in_the_padded_window(
    planted: Planted, shots: Path, budget_px: int
) -> None:
    regions = cut(planted.path, shots, budget_px)
    stored = np.where(planted.truth > 0, planted.values, 0)
    for region in regions.regions:
        assert region.padded_window == region.window.grow(MARGIN_PX).clip(37, 53)
        np.testing.assert_array_equal(region.image, stored[:, *region.padded_window.slices])
        np.testing.assert_array_equal(region.valid, planted.truth[region.padded_window.slices] > 0)
        again, _ = read_window(regions.views[region.scene], region.padded_window)
        np.testing.assert_array_equal(region.image, again)


def test_labels_are_indices_of_the_class_table(planted: Planted, shots: Path) -> None:
    regions = cut(planted.path, shots, 300)
    truth = picked(regions, np.array(["", *planted.names])[planted.truth])
    names = np.array([c.name for c in regions.classes])
    shot = regions.labels >= 0
    assert shot.sum() == 12
    np.testing.assert_array_equal(names[regions.labels[shot]], truth[shot])
    np.testing.assert_array_equal(np.sort(regions.features[shot]), np.arange(12))


# Any scene, any shots -------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """A scene in memory with a nodata hole, and points on some of its pixels."""

    scene: xr.DataArray
    valid: npt.NDArray[np.bool_]
    spots: list[Pixel]
    names: list[str]
    budget_px: int

    @property
    def shots(self) -> Shots:
        points = [shapely.Point(NORTH_UP @ (col + 0.5, row + 0.5)) for row, col in self.spots]
        return make_shots(gpd.GeoSeries(points, crs=None), self.names)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    height, width = draw(st.integers(9, 90)), draw(st.integers(9, 130))
    valid = np.ones((height, width), bool)
    top, left = draw(st.integers(0, height)), draw(st.integers(0, width))
    valid[top : top + draw(st.integers(0, 60)), left : left + draw(st.integers(0, 40))] = False
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    valid &= generator.random((height, width)) >= draw(st.sampled_from([0.0, 0.3]))
    values = generator.integers(1, 3000, (3, height, width)).astype(np.int16)
    values[:, ~valid] = NODATA
    scene = scene_from_array(
        values,
        np.array([450.0, 560.0, 855.0]),
        grid=Grid(height, width, NORTH_UP, None),
        nodata=NODATA,
    )
    flat = generator.choice(height * width, draw(st.integers(3, 15)), replace=False)
    spots = [(int(at) // width, int(at) % width) for at in flat]
    kinds = draw(st.integers(2, 3))
    names = ["abc"[turn % kinds] for turn in range(len(spots))]
    usable = {name for name, spot in zip(names, spots, strict=True) if valid[spot]}
    assume(len(usable) >= 2)
    return Case(scene, valid, spots, names, draw(st.integers(1, 8000)))


@settings(deadline=None, max_examples=60)
@given(case=cases())
@pytest.mark.slow
def test_every_usable_shot_is_in_exactly_one_region(case: Case) -> None:
    regions = cut([case.scene], case.shots, case.budget_px)
    seen = {}
    taken = np.zeros(case.valid.shape, int)
    for region in regions.regions:
        taken[region.window.slices] += 1
        assert region.inside.any()
        assert not (region.inside & ~case.valid[region.padded_window.slices]).any()
        for row, col in np.argwhere(region.labels >= 0):
            spot = (int(row) + region.padded_window.row, int(col) + region.padded_window.col)
            assert spot not in seen
            seen[spot] = regions.classes[region.labels[row, col]].name, region.features[row, col]
        np.testing.assert_array_equal(region.labels >= 0, region.features >= 0)
    listed = enumerate(zip(case.spots, case.names, strict=True))
    assert seen == {spot: (name, at) for at, (spot, name) in listed if case.valid[spot]}
    assert taken.max() == 1
    # Where shots are far apart, each takes a region of the smallest size.
    assert taken.sum() <= max(case.budget_px, 64 * len(seen))
    assert len(regions.labels) == len(regions.features) == len(regions.positions_px)
    assert sum(regions.counts.values()) == len(seen) == (regions.labels >= 0).sum()


@pytest.mark.parametrize(("budget_px", "side"), [(4000, 16), (12000, 32), (40000, 32), (42000, 64)])
def test_rest_of_the_budget_is_spread_over_the_scene(budget_px: int, side: int) -> None:
    """Five shots in one corner of a large scene; most regions have none."""
    values = np.random.default_rng(3).integers(1, 3000, (2, 350, 270)).astype(np.int16)
    scene = scene_from_array(
        values, np.array([450.0, 560.0]), grid=Grid(350, 270, NORTH_UP, None), nodata=NODATA
    )
    at = [(3, 5), (4, 70), (66, 9), (67, 100), (130, 7)]
    points = [shapely.Point(NORTH_UP @ (col + 0.5, row + 0.5)) for row, col in at]
    regions = cut([scene], make_shots(gpd.GeoSeries(points), list("abbab")), budget_px)
    assert {region.window.height for region in regions.regions} <= {side, 350 % side}
    assert max(region.window.height for region in regions.regions) == side
    without = [region for region in regions.regions if not (region.labels >= 0).any()]
    assert len(without) >= len(regions.regions) // 3
    assert 0.7 * budget_px < sum(region.inside.sum() for region in regions.regions) <= budget_px
    corners = np.array([[region.window.row, region.window.col] for region in without])
    assert (corners.max(axis=0) - corners.min(axis=0) > [200, 120]).all()


# Several scenes -------------------------------------------------------------------------------


@pytest.mark.parametrize("turned", [False, True])
def test_positions_of_two_halves_equal_those_of_the_scene(
    planted: Planted, shots: Path, halves: list[Path], turned: bool
) -> None:
    """In any order of files: positions are on the CRS's grid, not on that of a file."""
    whole = cut(planted.path, shots, ALL_PX)
    regions = cut(halves[::-1] if turned else halves, shots, ALL_PX)
    assert [region.scene for region in regions.regions] == [0, 1]
    parts = [slice(0, 21), slice(21, 53)]
    for values, of_whole in (
        (regions.positions_px, whole.positions_px),
        (regions.labels, whole.labels),
        (regions.features, whole.features),
    ):
        image = of_scene(whole, of_whole)
        uncut = [image[:, part][planted.truth[:, part] > 0] for part in parts]
        np.testing.assert_array_equal(values, np.concatenate(uncut[::-1] if turned else uncut))
    assert regions.counts == whole.counts


@pytest.mark.parametrize("budget_px", [900, 1400])
def test_several_scenes_share_the_budget(shots: Path, halves: list[Path], budget_px: int) -> None:
    regions = cut(halves, shots, budget_px)
    widths = (21, 32)
    taken = np.zeros(2)
    for region in regions.regions:
        assert region.window == region.window.clip(37, widths[region.scene])
        taken[region.scene] += region.inside.sum()
    assert (regions.labels >= 0).sum() == 12
    assert 0.4 < taken[0] / taken[1] < 1.0
    assert 0.7 * budget_px < taken.sum() <= budget_px


def test_shot_in_one_of_several_scenes_is_not_outside(
    shots: Path, halves: list[Path], recorder: Recorder
) -> None:
    cut(halves, shots, ALL_PX, recorder)
    assert not recorder.warnings


# Dropped shots --------------------------------------------------------------------------------


def moved(planted: Planted, shots: Path, spots: dict[int, Pixel]) -> Path:
    """The same shots, some of them at other pixels."""
    frame = gpd.read_file(shots)
    points = list(frame.geometry)
    for feature, (row, col) in spots.items():
        points[feature] = shapely.Point(planted.transform @ (col + 0.5, row + 0.5))
    frame.geometry = points
    frame.to_file(shots)
    return shots


def test_shots_on_nodata_are_dropped_and_counted(
    planted: Planted, shots: Path, recorder: Recorder
) -> None:
    on_nodata = moved(planted, shots, {1: (4, 6), 2: (6, 9), 9: (3, 5)})
    regions = cut(planted.path, on_nodata, 300, recorder)
    assert regions.counts == {"asphalt": 4, "meadow": 2, "water": 3}
    assert set(regions.features) == {-1, 0, 3, 4, 5, 6, 7, 8, 10, 11}
    assert recorder.warnings == ["3 pixels under shots are nodata and were dropped"]


def test_class_on_nodata_stays_in_the_table(
    planted: Planted, shots: Path, recorder: Recorder
) -> None:
    on_nodata = moved(planted, shots, {4: (4, 6), 5: (4, 7), 6: (4, 8), 7: (5, 5)})
    regions = cut(planted.path, on_nodata, ALL_PX, recorder)
    assert [c.name for c in regions.classes] == ["asphalt", "meadow", "water"]
    assert regions.counts == {"asphalt": 0, "meadow": 4, "water": 4}
    assert set(regions.labels) == {-1, 1, 2}
    assert recorder.warnings[1:] == ["no usable pixel in the scene for 'asphalt': never mapped"]


def test_shots_outside_and_conflicts_are_reported(
    planted: Planted, shots: Path, recorder: Recorder
) -> None:
    cut(planted.path, moved(planted, shots, {0: (-3, 4), 5: (30, 7), 8: (30, 7)}), 300, recorder)
    assert recorder.warnings == [
        "1 of 12 shots lie outside the scene",
        "1 pixels dropped because two classes claim them",
    ]


@pytest.mark.parametrize(
    ("spots", "expected"),
    [
        pytest.param([], [], id="all inside"),
        pytest.param([(9, 3, 1), (9, 3, 1), (9, 40, 2), (9, 40, 2)], [], id="twice in one pixel"),
        pytest.param(
            [(-3, 4, 1), (8, 60, 2)], ["2 of 14 shots lie outside the scene"], id="outside"
        ),
        pytest.param(
            [(9, 3, 1), (9, 3, 2), (-3, 4, 1)],
            [
                "1 of 15 shots lie outside the scene",
                "1 pixels dropped because two classes claim them",
            ],
            id="conflict",
        ),
    ],
)
@pytest.mark.parametrize("only_east", [False, True])
def test_shots_of_several_scenes_are_counted_once(
    planted: Planted, shots: Path, halves: list[Path], recorder: Recorder,
    spots: list[tuple[int, int, int]], expected: list[str], only_east: bool,
) -> None:  # fmt: skip
    """Also where a scene has only shots that are dropped."""
    frame = gpd.read_file(shots)
    if only_east:
        places = [planted.transform @ (22.5 + 2 * at, 5.5 + at) for at in range(len(frame))]
        frame = frame.set_geometry(gpd.points_from_xy(*zip(*places, strict=True), crs=planted.crs))
    more = gpd.GeoDataFrame(
        {"class": [planted.names[k - 1] for *_, k in spots]},
        geometry=[
            shapely.Point(planted.transform @ (col + 0.5, row + 0.5)) for row, col, _ in spots
        ],
        crs=planted.crs,
    )
    together = read_shots(pd.concat([frame, more], ignore_index=True))
    cut(halves, together, 4000, recorder)
    assert recorder.warnings == expected


def test_single_class_with_data_raises(planted: Planted, shots: Path) -> None:
    on_nodata = moved(planted, shots, {at: (3 + at // 5, 5 + at % 5) for at in range(8)})
    with pytest.raises(ShotsError, match="only one class, 'water'"):
        cut(planted.path, on_nodata, 300)


def test_seed_selects_pixels_of_large_classes() -> None:
    values = np.random.default_rng(3).integers(1, 3000, (2, 60, 70)).astype(np.int16)
    scene = scene_from_array(values, np.array([450.0, 560.0]), grid=Grid(60, 70, NORTH_UP, None))
    left, top = NORTH_UP @ (3, 55)
    right, bottom = NORTH_UP @ (60, 4)
    large = shapely.box(left, top, right, bottom)
    small = shapely.Point(NORTH_UP @ (65.5, 20.5))
    shots = make_shots(gpd.GeoSeries([large, small]), ["large", "small"])
    found = [cut([scene], shots, 9999, seed=seed) for seed in (1, 1, 2)]
    assert found[0].counts == {"large": 2000, "small": 1}
    np.testing.assert_array_equal(found[0].labels, found[1].labels)
    assert (found[0].labels != found[2].labels).any()
