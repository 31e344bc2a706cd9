"""Shots whose label looks wrong weigh less, are named, and take no class away."""

from __future__ import annotations

from dataclasses import replace

import geopandas as gpd
import numpy as np
import pytest
import shapely
import torch
from builders import NORTH_UP, points_of, regions_of

from hsi_geo.arrays import Float32Array, Float64Array, IntArray
from hsi_geo.io.labels.shots import Shots, make_shots
from hsi_geo.io.scenes.scene import scene_from_array
from hsi_geo.tasks.adaptation.pixel_features import compute_pixel_features
from hsi_geo.tasks.adaptation.shot_walks import walk_from_shots
from hsi_geo.tasks.adaptation.shot_weights import (
    LEAST_WEIGHT,
    label_probabilities,
    shot_weights,
    training_weights,
    weigh_shots,
)
from hsi_geo.tasks.adaptation.teacher import (
    PROPAGATION_STEPS,
    Teacher,
    _propagate_labels,
    fit_teacher,
)
from hsi_geo.tasks.adaptation.training_regions import TrainingRegions
from hsi_geo.tasks.validation.folds import LabelledPixels, labelled_pixels
from hsi_geo.tiling import Grid

CPU = torch.device("cpu")
PATCH_PX, ROWS, COLS = 8, 48, 64


def sure_of(classes: list[int], number: int, probability: float = 0.99) -> Float32Array:
    """(n, number) probabilities that are nearly certain of a class."""
    posterior = np.full((len(classes), number), (1 - probability) / (number - 1), np.float32)
    posterior[np.arange(len(classes)), classes] = probability
    return posterior


def labels_of(found: Float32Array, familiarity: float, shots: LabelledPixels) -> Float64Array:
    every = np.ones(len(shots.labels), bool)
    return label_probabilities(
        found, np.full(len(shots.labels), familiarity, np.float32), shots, every
    )


def test_a_shot_that_looks_like_another_class_is_improbable() -> None:
    shots = points_of([0, 0, 0, 0, 1, 1, 1, 1])
    right = labels_of(sure_of([0, 0, 0, 1, 1, 1, 1, 1], 2), 1.0, shots)
    assert right[3] < 0.1
    assert np.delete(right, 3).min() > 0.95


def test_a_shot_that_looks_like_no_other_shot_may_be_a_rare_variant() -> None:
    shots = points_of([0, 0, 0, 0, 1, 1, 1, 1])
    found = sure_of([0, 0, 0, 1, 1, 1, 1, 1], 2)
    familiarity = np.ones(8, np.float32)
    familiarity[3] = 0.85  # far from other shots, but not as far as land without any shot
    right = label_probabilities(found, familiarity, shots, np.ones(8, bool))
    assert right[3] > 0.9


def test_nothing_is_suspicious_if_predictions_are_not_sure() -> None:
    shots = points_of([0, 0, 1, 1, 2, 2])
    right = labels_of(np.full((6, 3), 1 / 3, np.float32), 1.0, shots)
    np.testing.assert_array_equal(right, right[0])
    np.testing.assert_array_equal(shot_weights(right, shots), 1.0)


def test_pixels_of_a_feature_have_one_probability() -> None:
    """One odd pixel does not make a polygon suspicious."""
    pixels = np.arange(12)
    shots = replace(points_of([0] * 6 + [1] * 6), features=pixels // 3, groups=pixels // 3)
    found = sure_of([0, 0, 1, 0, 0, 0, 1, 1, 1, 0, 0, 0], 2)
    right = labels_of(found, 1.0, shots).reshape(4, 3)
    np.testing.assert_array_equal(right, right[:, :1].repeat(3, 1))
    assert right[:3].min() > 0.8
    assert right[3].max() < 0.1


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_half_of_the_features_of_a_class_weigh_fully(count: int) -> None:
    """Also where all of them look wrong."""
    shots = points_of([0] * count + [1] * count)
    right = np.geomspace(1e-6, 1e-3, 2 * count)
    weights = shot_weights(right, shots).reshape(2, count)
    assert ((weights == 1.0).sum(axis=1) >= (count + 1) // 2).all()
    assert weights.min() >= LEAST_WEIGHT


def test_a_class_keeps_a_shot_of_weight_1_in_every_fit() -> None:
    shots = replace(points_of([0, 0, 1, 1]), weights=np.array([1.0, LEAST_WEIGHT, 1.0, 1.0]))
    np.testing.assert_array_equal(training_weights(shots, np.array([False, True, True, True])), 1.0)


def test_shots_that_cannot_be_judged_weigh_fully() -> None:
    """A class of one polygon, and classes that are one polygon each, of which parts are held out."""

    def never(_: LabelledPixels) -> tuple[Float32Array, Float32Array]:
        raise AssertionError("nothing can be judged")

    one_each = labelled_pixels(np.repeat([0, 1], 6), np.repeat([0, 1], 6))
    assert (one_each.folds >= 0).all()
    weighted, suspicious = weigh_shots(one_each, never)
    np.testing.assert_array_equal(weighted.weights, 1.0)
    assert not len(suspicious.features)
    single = labelled_pixels(np.array([0, 1, 1, 1]), np.arange(4))
    weighted, suspicious = weigh_shots(
        single, lambda shots: (sure_of([1, 1, 1, 1], 2), np.ones(4, np.float32))
    )
    np.testing.assert_array_equal(weighted.weights, 1.0)


def test_suspicious_shots_have_classes_of_the_table() -> None:
    labels = np.array([2, 2, 2, 2, 5, 5, 5, 5])
    shots = labelled_pixels(labels, np.arange(8) + 10)
    weighted, suspicious = weigh_shots(
        shots, lambda _: (sure_of([0, 0, 0, 1, 1, 1, 1, 1], 2), np.ones(8, np.float32))
    )
    assert suspicious.features.tolist() == [13]
    assert (suspicious.drawn.tolist(), suspicious.looks_like.tolist()) == ([2], [5])
    assert suspicious.weights[0] == weighted.weights[3] < 0.01


# Scenes ---------------------------------------------------------------------------------------


def scene_of(kinds: int) -> tuple[object, IntArray]:
    """A scene of patches of a few kinds of land, with the kind of each pixel."""
    generator = np.random.default_rng(3)
    patches = np.arange(ROWS // PATCH_PX * (COLS // PATCH_PX)) % kinds
    truth = generator.permutation(patches).reshape(ROWS // PATCH_PX, -1)
    truth = truth.repeat(PATCH_PX, 0).repeat(PATCH_PX, 1)
    spectra = generator.normal(size=(kinds, 16))
    values = spectra[truth] + 0.5 * generator.normal(size=(ROWS, COLS, 16))
    scene = scene_from_array(
        (1000 + 100 * values.transpose(2, 0, 1)).astype(np.float32),
        np.linspace(420, 900, 16),
        grid=Grid(ROWS, COLS, NORTH_UP, None),
    )
    return scene, truth


def shots_in(truth: IntArray, counts: list[tuple[int, str, int]], seed: int = 1) -> Shots:
    """Points in random pixels: for each entry so many in a kind, drawn as a class."""
    generator = np.random.default_rng(seed)
    spots, names = [], []
    for kind, name, count in counts:
        spots += generator.choice(np.flatnonzero(truth.ravel() == kind), count, False).tolist()
        names += [name] * count
    at = [divmod(spot, truth.shape[1]) for spot in spots]
    points = [shapely.Point(NORTH_UP @ (col + 0.5, row + 0.5)) for row, col in at]
    return make_shots(gpd.GeoSeries(points), names)


def share_of(
    teacher: Teacher, regions: TrainingRegions, truth: IntArray, kind: int, name: str
) -> float:
    """Share of the pixels of a kind that are predicted as a class."""
    names = np.array([c.name for c in regions.classes])
    found = names[teacher.steps[-1][:, : len(names)].argmax(axis=1)]
    return float((found[truth.ravel() == kind] == name).mean())


@pytest.mark.slow
def test_wrong_shots_weigh_less() -> None:
    scene, truth = scene_of(3)
    counts = [(0, "a", 4), (1, "a", 1), (1, "b", 4), (2, "b", 1), (2, "c", 4), (0, "c", 1)]
    regions = regions_of([scene], shots_in(truth, counts))
    weighed = fit_teacher(regions, None, CPU)
    trusted = fit_teacher(regions, None, CPU, trust_shots=True)
    found = weighed.suspicious
    names = [c.name for c in regions.classes]
    pairs = {
        (names[drawn], names[like])
        for drawn, like in zip(found.drawn, found.looks_like, strict=True)
    }
    assert {("a", "b"), ("b", "c"), ("c", "a")} <= pairs
    assert (found.weights[:3] < 0.3).all()
    assert not len(trusted.suspicious.features)
    right = [
        np.mean([share_of(one, regions, truth, k, n) for k, n in enumerate("abc")])
        for one in (weighed, trusted)
    ]
    assert right[0] > 0.98
    assert right[0] >= right[1]
    # A wrong shot is as certain as its weight.
    rows = np.flatnonzero(regions.features == found.features[0])
    assert weighed.steps[-1][rows, found.drawn[0]].max() < 0.5
    assert (trusted.steps[-1][rows, found.drawn[0]] == 1.0).all()


@pytest.mark.slow
def test_right_shots_weigh_fully() -> None:
    scene, truth = scene_of(3)
    regions = regions_of([scene], shots_in(truth, [(0, "a", 5), (1, "b", 5), (2, "c", 5)]))
    weighed = fit_teacher(regions, None, CPU)
    trusted = fit_teacher(regions, None, CPU, trust_shots=True)
    assert not len(weighed.suspicious.features)
    for one, other in zip(weighed.steps, trusted.steps, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_rare_variant_of_a_class_is_not_lost() -> None:
    """Three shots of one kind, one of another: the second kind belongs to the class too."""
    scene, truth = scene_of(4)
    counts = [(0, "a", 3), (3, "a", 1), (1, "b", 4), (2, "c", 4)]
    shares = []
    for seed in (1, 2, 3):
        regions = regions_of([scene], shots_in(truth, counts, seed))
        teacher = fit_teacher(regions, None, CPU)
        assert (teacher.suspicious.weights > 0.5).all()
        shares.append(share_of(teacher, regions, truth, 3, "a"))
    assert np.mean(shares) > 0.8


# Walks ----------------------------------------------------------------------------------------


def test_walks_give_the_predictions_of_label_propagation() -> None:
    """With any weights."""
    scene, truth = scene_of(3)
    regions = regions_of([scene], shots_in(truth, [(0, "a", 4), (1, "b", 4), (2, "c", 4)]))
    pixels = compute_pixel_features(regions, None, CPU)
    shots = labelled_pixels(regions.labels, regions.features)
    walks = [walk_from_shots(graph, shots, PROPAGATION_STEPS[-1]) for graph in pixels.graphs]
    for weights in (np.ones(12), np.linspace(0.01, 1.0, 12)):
        weighted = replace(shots, weights=weights)
        (by_step,) = _propagate_labels(pixels.graphs, [weighted])
        for walk, expected in zip(walks, by_step[-1], strict=True):
            found = walk.prediction(weighted)
            np.testing.assert_allclose(
                found.probabilities, expected.probabilities[shots.rows], atol=1e-5
            )
            np.testing.assert_allclose(found.out_of_fold, expected.out_of_fold, atol=1e-5)
