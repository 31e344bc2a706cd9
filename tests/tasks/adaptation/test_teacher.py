"""The teacher: accuracy on a planted scene, from points and polygons, with fitting spatial context."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pytest
import shapely
import torch
from builders import NORTH_UP, random_encoder, regions_of

from hsi_geo.arrays import Float32Array, IntArray
from hsi_geo.io.labels.shots import Shots, make_shots
from hsi_geo.io.scenes.scene import scene_from_array
from hsi_geo.models.diffusion import class_mass_normalization
from hsi_geo.models.s2former import S2Former
from hsi_geo.tasks.adaptation import ensemble
from hsi_geo.tasks.adaptation.feature_cubes import FILTER_PX
from hsi_geo.tasks.adaptation.feature_sets import SUPERPIXEL_SIZES_PX
from hsi_geo.tasks.adaptation.teacher import PROPAGATION_STEPS, Teacher, fit_teacher
from hsi_geo.tasks.adaptation.training_regions import TrainingRegions
from hsi_geo.tasks.validation import folds as folding
from hsi_geo.tiling import Grid

Planted = Any  # defined in conftest, which tests cannot import
MakeScene = Callable[..., Planted]

CPU = torch.device("cpu")


@pytest.fixture(params=["no encoder", "encoder"])
def encoder(request: pytest.FixtureRequest) -> S2Former | None:
    return random_encoder() if request.param == "encoder" else None


@pytest.fixture
def shots(planted: Planted, tmp_path: Path) -> Path:
    path: Path = planted.shots(tmp_path / "shots.gpkg")
    return path


def truth_of(regions: TrainingRegions, planted: Planted) -> npt.NDArray[np.str_]:
    """(N,) class names of the regions' pixels."""
    names = np.array(["", *planted.names])[planted.truth]
    return np.concatenate(
        [names[region.padded_window.slices][region.inside] for region in regions.regions]
    )


def names_of(regions: TrainingRegions, posterior: Float32Array) -> npt.NDArray[np.str_]:
    """(N,) class with the highest probability, apart from "unlike any shot"."""
    names = np.array([c.name for c in regions.classes])
    return names[posterior[:, : len(names)].argmax(axis=1)]


def right(regions: TrainingRegions, posterior: Float32Array, planted: Planted) -> float:
    return float((names_of(regions, posterior) == truth_of(regions, planted)).mean())


def check(teacher: Teacher, regions: TrainingRegions) -> None:
    """Properties of every teacher."""
    labels, classes = regions.labels, len(regions.classes)
    rows = np.flatnonzero(labels >= 0)
    possible = [*np.unique(labels[rows]), classes]  # the last is "unlike any shot"
    assert len(teacher.steps) == 1 + len(PROPAGATION_STEPS)
    for step in teacher.steps:
        assert step.shape == (len(labels), classes + 1)
        assert (step >= 0).all()
        np.testing.assert_allclose(step.sum(axis=1), 1.0, rtol=1e-5)
        np.testing.assert_array_equal(step[rows], np.eye(classes + 1)[labels[rows]])
        assert not np.delete(step, possible, axis=1).any()
    assert 0.0 <= teacher.context_px <= np.sqrt(max(SUPERPIXEL_SIZES_PX) / 12)


# Accuracy -------------------------------------------------------------------------------------


@pytest.mark.parametrize("budget_px", [40_000, 300])
def test_fit_teacher_classifies_the_planted_scene(
    planted: Planted, shots: Path, encoder: S2Former | None, budget_px: int
) -> None:
    """The whole scene, or ten regions in another order than the scene's."""
    regions = regions_of(planted.path, shots, budget_px)
    teacher = fit_teacher(regions, encoder, CPU)
    check(teacher, regions)
    assert all(right(regions, step, planted) > 0.95 for step in teacher.steps)
    unknown = teacher.steps[-1][regions.labels < 0]
    assert unknown[:, :3].max(axis=1).mean() > 0.8
    assert teacher.accuracy.oa is not None
    assert teacher.accuracy.oa > 0.9
    assert teacher.accuracy.pixels == teacher.accuracy.features == 12
    assert "spatially blocked" in teacher.accuracy.method


def test_fit_teacher_does_not_depend_on_the_order_of_bands(
    make_scene: MakeScene, tmp_path: Path
) -> None:
    order = np.random.default_rng(0).permutation(40)
    straight, mixed = make_scene("straight.tif"), make_scene("mixed.tif", order=order)
    shots = straight.shots(tmp_path / "shots.gpkg")
    one, two = (
        fit_teacher(regions_of(scene.path, shots), random_encoder(), CPU)
        for scene in (straight, mixed)
    )
    for first, second in zip(one.steps, two.steps, strict=True):
        np.testing.assert_array_equal(first, second)


def test_fit_teacher_is_deterministic(planted: Planted, shots: Path) -> None:
    regions, encoder = regions_of(planted.path, shots), random_encoder()
    torch.manual_seed(1)
    before = torch.get_rng_state()
    one = fit_teacher(regions, encoder, CPU)
    assert torch.equal(torch.get_rng_state(), before)
    two = fit_teacher(regions, encoder, CPU)
    for first, second in zip(one.steps, two.steps, strict=True):
        np.testing.assert_array_equal(first, second)
    assert one.accuracy == two.accuracy


def test_class_without_shots_has_no_probability(planted: Planted, shots: Path) -> None:
    """It comes first in the table, and the other classes keep their indices."""
    frame = gpd.read_file(shots)
    frame.loc[len(frame)] = ["aaa", shapely.Point(0, 0)]
    frame.set_crs(planted.crs).to_file(shots)  # which older pandas lost
    regions = regions_of(planted.path, shots)
    assert [c.name for c in regions.classes] == ["aaa", "asphalt", "meadow", "water"]
    teacher = fit_teacher(regions, random_encoder(), CPU)
    check(teacher, regions)
    assert not teacher.steps[-1][:, 0].any()
    assert right(regions, teacher.steps[-1], planted) > 0.95


def test_fit_teacher_with_two_classes(
    planted: Planted, shots: Path, encoder: S2Former | None
) -> None:
    frame = gpd.read_file(shots)
    frame[frame["class"] != "meadow"].to_file(shots)
    regions = regions_of(planted.path, shots)
    teacher = fit_teacher(regions, encoder, CPU)
    check(teacher, regions)
    names, truth = names_of(regions, teacher.steps[-1]), truth_of(regions, planted)
    assert (names == truth)[truth != "meadow"].mean() > 0.95
    assert teacher.accuracy.pixels == 8


def test_pixels_of_an_unlabelled_class_are_unlike_any_shot(planted: Planted, shots: Path) -> None:
    """Class probabilities are low there, and high elsewhere."""
    frame = gpd.read_file(shots)
    frame[frame["class"] != "meadow"].to_file(shots)
    regions = regions_of(planted.path, shots)
    meadow = truth_of(regions, planted) == "meadow"
    for step in fit_teacher(regions, random_encoder(), CPU).steps:
        assert np.median(step[meadow, -1]) > 0.8
        assert np.median(step[~meadow, -1]) < 0.2


def test_fit_teacher_with_one_shot_a_class_uses_prior_weights(
    planted: Planted, tmp_path: Path
) -> None:
    """Nothing can be held out, so that classifiers have their prior weights."""
    regions = regions_of(planted.path, planted.shots(tmp_path / "shots.gpkg", per_class=1))
    teacher = fit_teacher(regions, None, CPU)
    check(teacher, regions)
    assert teacher.accuracy.oa is None
    assert right(regions, teacher.steps[-1], planted) > 0.95
    superpixels = sum(np.sqrt(size / 12) for size in SUPERPIXEL_SIZES_PX) / 2
    # All feature sets agree, so that their prior weights stay.
    expected = 0.1 * FILTER_PX + 0.1 * superpixels
    assert teacher.context_px == pytest.approx(expected, rel=0.1)


# Polygons -------------------------------------------------------------------------------------


#: (top, left) of boxes of 4 by 5 pixels inside the planted classes.
BOXES = {
    "meadow": [(9, 2), (16, 12)],
    "asphalt": [(2, 23), (14, 45)],
    "water": [(24, 3), (31, 28)],
}


def boxes(planted: Planted, counts: dict[str, int]) -> Shots:
    drawn = []
    for name, count in counts.items():
        for top, left in BOXES[name][:count]:
            corners = ((left, top + 4), (left + 5, top))
            ends = [planted.transform @ corner for corner in corners]
            drawn.append((name, shapely.box(*ends[0], *ends[1])))
    names = [name for name, _ in drawn]
    return make_shots(gpd.GeoSeries([box for _, box in drawn], crs=planted.crs), names)


def test_fit_teacher_with_one_polygon_a_class(planted: Planted, encoder: S2Former | None) -> None:
    regions = regions_of(planted.path, boxes(planted, dict.fromkeys(BOXES, 1)))
    assert (regions.labels >= 0).sum() == 60
    teacher = fit_teacher(regions, encoder, CPU)
    check(teacher, regions)
    assert teacher.accuracy.oa is None
    assert "every class was drawn in one place" in str(teacher.accuracy)
    # Land that looks like a polygon is familiar, though less similar to it than its own pixels are.
    assert teacher.steps[-1][:, :3].sum(axis=1).mean() > 0.95
    assert right(regions, teacher.steps[-1], planted) > 0.95


def test_class_with_one_polygon_is_never_held_out(planted: Planted) -> None:
    """Pixels of one polygon are held out together."""
    regions = regions_of(planted.path, boxes(planted, {"meadow": 1, "asphalt": 2, "water": 2}))
    shots = folding.labelled_pixels(regions.labels, regions.features)
    meadow = shots.labels == [c.name for c in regions.classes].index("meadow")
    np.testing.assert_array_equal(shots.folds == -1, meadow)
    teacher = fit_teacher(regions, None, CPU)
    check(teacher, regions)
    assert (teacher.accuracy.pixels, teacher.accuracy.features) == (80, 4)
    assert right(regions, teacher.steps[-1], planted) > 0.95


def test_adjacent_points_are_held_out_together(planted: Planted) -> None:
    """Only for the estimate: weights are fitted with each point in its own group."""
    t = planted.transform
    spots = [(10, 2), (11, 3), (18, 12), (2, 25), (14, 46), (20, 30), (24, 3), (25, 4), (26, 3)]
    points = [shapely.Point(t @ (col + 0.5, row + 0.5)) for row, col in spots]
    names = np.repeat(["meadow", "asphalt", "water"], 3)
    regions = regions_of(
        planted.path, make_shots(gpd.GeoSeries(points, crs=planted.crs), list(names))
    )
    alone = folding.labelled_pixels(regions.labels, regions.features)
    together = folding.group_by_spatial_blocks(alone, regions.positions_px)
    assert len(np.unique(alone.groups)) == 9
    assert (alone.folds >= 0).all()
    assert len(np.unique(together.groups)) == 3 + 2 + 1
    water = regions.labels[together.rows] == [c.name for c in regions.classes].index("water")
    np.testing.assert_array_equal(together.folds == -1, water)
    accuracy = fit_teacher(regions, None, CPU).accuracy
    assert (accuracy.pixels, accuracy.features, accuracy.blocks) == (6, 6, 5)
    assert "too few to tell: 5 places" in str(accuracy)
    assert "nothing is known of 'water', drawn in one place" in str(accuracy)


def test_polygon_is_one_block_of_any_size(planted: Planted) -> None:
    regions = regions_of(planted.path, boxes(planted, dict.fromkeys(BOXES, 2)))
    shots = folding.labelled_pixels(regions.labels, regions.features)
    blocked = folding.group_by_spatial_blocks(shots, regions.positions_px)
    np.testing.assert_array_equal(blocked.folds, shots.folds)
    np.testing.assert_array_equal(blocked.groups, shots.groups)


# Context and graphs ---------------------------------------------------------------------------


def noisy(patch_px: int, noise: float = 2.0) -> tuple[TrainingRegions, IntArray]:
    """TrainingRegions of a scene of square patches, with the class index of each pixel."""
    generator = np.random.default_rng(0)
    height, width, bands = 42, 60, 12
    patches = generator.integers(0, 3, (height // patch_px + 1, width // patch_px + 1))
    truth = patches.repeat(patch_px, 0).repeat(patch_px, 1)[:height, :width]
    spectra = generator.normal(size=(3, bands))
    values = spectra[truth] + noise * generator.normal(size=(height, width, bands))
    scene = scene_from_array(
        (1000 + 100 * values.transpose(2, 0, 1)).astype(np.float32),
        np.linspace(420, 900, bands),
        grid=Grid(height, width, NORTH_UP, None),
    )
    flat = truth.ravel()
    at = [generator.choice(np.flatnonzero(flat == c), 8, replace=False) for c in range(3)]
    spots = [divmod(int(spot), width) for spot in np.concatenate(at)]
    points = [shapely.Point(NORTH_UP @ (col + 0.5, row + 0.5)) for row, col in spots]
    shots = make_shots(gpd.GeoSeries(points), list(np.repeat(["a", "b", "c"], 8)))
    return regions_of([scene], shots), flat


@pytest.mark.slow
def test_context_px_depends_on_the_size_of_patches() -> None:
    """The same noise on patches of one pixel, which a filter destroys, and on large patches."""
    (fine, _), (coarse, truth) = noisy(1), noisy(14)
    assert fit_teacher(fine, None, CPU).context_px < 0.5
    teacher = fit_teacher(coarse, None, CPU)
    assert teacher.context_px > 0.9
    found = [step[:, :3].argmax(axis=1) for step in teacher.steps]
    classifiers, *_, last = ((classes == truth).mean() for classes in found)
    assert last >= classifiers > 0.95
    assert len({step.tobytes() for step in teacher.steps}) == len(teacher.steps)


def test_graphs_that_contradict_held_out_shots_get_little_weight(
    planted: Planted, shots: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(reached: Float32Array, **given: Any) -> Float32Array:
        return np.roll(class_mass_normalization(reached, **given), 1, axis=1)

    regions = regions_of(planted.path, shots)
    monkeypatch.setattr(ensemble, "class_mass_normalization", wrong)
    teacher = fit_teacher(regions, None, CPU)
    check(teacher, regions)
    assert right(regions, teacher.steps[-1], planted) > 0.95


def test_fit_teacher_does_not_change_the_encoder(planted: Planted, shots: Path) -> None:
    encoder, same = random_encoder(), random_encoder().state_dict()
    fit_teacher(regions_of(planted.path, shots), encoder, CPU)
    assert all(torch.equal(value, same[name]) for name, value in encoder.state_dict().items())
    assert all(parameter.grad is None for parameter in encoder.parameters())
