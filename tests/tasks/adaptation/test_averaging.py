"""Weights of feature sets and graphs: prior weights, agreement, and held-out shots."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from builders import points_of, prediction_of, regions_of

from hsi_geo.tasks.adaptation import averaging
from hsi_geo.tasks.adaptation import teacher as module
from hsi_geo.tasks.adaptation.ensemble import Prediction
from hsi_geo.tasks.adaptation.feature_cubes import SpatialContext
from hsi_geo.tasks.adaptation.feature_sets import FeatureSet
from hsi_geo.tasks.adaptation.pixel_features import compute_pixel_features
from hsi_geo.tasks.validation import folds as folding

Planted = Any  # defined in conftest, which tests cannot import

CPU = torch.device("cpu")


def sets_of(contexts: list[SpatialContext]) -> list[FeatureSet]:
    """Feature sets of which only the context counts."""
    return [FeatureSet(np.zeros((1, 1), np.float32), 1.0, 0.0, context) for context in contexts]


@pytest.mark.parametrize("copies", [1, 3])
def test_prior_weights_do_not_depend_on_the_number_of_feature_sets(copies: int) -> None:
    contexts = [
        SpatialContext.PIXEL,
        *[SpatialContext.GAUSSIAN] * copies,
        SpatialContext.SUPERPIXEL,
        SpatialContext.SUPERPIXEL,
    ]
    weights = averaging.prior_weights(
        [FeatureSet(np.zeros((1, 1), np.float32), 1.0, 0.0, context) for context in contexts]
    )
    assert weights.sum() == pytest.approx(1.0)
    for context, total in averaging.CONTEXT_PRIOR.items():
        own = weights[[context is other for other in contexts]]
        assert own.sum() == pytest.approx(total)
        assert len(set(own)) == 1
    assert sum(averaging.CONTEXT_PRIOR.values()) == 1.0


def test_combine_graphs_weights_graphs_by_held_out_shots() -> None:
    truth = [0, 1, 2] * 4
    shots, classifiers = points_of(truth), prediction_of(truth, 0.6)
    sure = {}
    for name, classes in (("right", truth), ("wrong", [(c + 1) % 3 for c in truth])):
        evolved = averaging.combine_graphs(classifiers, [prediction_of(classes)], shots)
        for posterior in (evolved.probabilities, evolved.out_of_fold):
            np.testing.assert_allclose(posterior.sum(axis=1), 1.0, rtol=1e-5)
            sure[name] = posterior[np.arange(12), truth]
            assert (sure[name] > 0.85).all() if name == "right" else (sure[name] > 0.55).all()
    assert (sure["wrong"] <= 0.6 + 1e-6).all()


@pytest.mark.parametrize("odd", range(4))
def test_a_feature_set_that_contradicts_the_others_loses_its_prior_weight(odd: int) -> None:
    """Also where no shot can be held out: the classes of all pixels tell."""
    contexts = [SpatialContext.PIXEL] * 2 + [SpatialContext.GAUSSIAN, SpatialContext.SUPERPIXEL]
    classes = np.random.default_rng(0).integers(0, 3, 60).tolist()
    wrong = [(c + 1) % 3 for c in classes]
    found = [prediction_of(wrong if i == odd else classes) for i in range(4)]
    shots = dataclasses.replace(points_of([0, 1, 2] * 4), folds=np.full(12, -1))
    shots = dataclasses.replace(shots, rows=np.arange(12))
    found = [Prediction(p.probabilities, p.out_of_fold[:12]) for p in found]
    prior = averaging._agreement_prior(sets_of(contexts), found, shots)
    assert prior.sum() == pytest.approx(1.0)
    assert prior[odd] < 1e-3
    before = averaging.prior_weights(sets_of(contexts))
    kept = [i for i in range(4) if i != odd]
    np.testing.assert_allclose(prior[kept], before[kept] / before[kept].sum(), rtol=0.05)


@pytest.mark.parametrize("narrowly_drawn", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("classes", [2, 5])
def test_maps_that_agree_more_are_expected_to_be_more_accurate(
    classes: int, narrowly_drawn: float
) -> None:
    """From one right guess in K', where maps agree by chance only, to 1."""
    generator = np.random.default_rng(3)
    first = generator.integers(0, classes, 3000)
    found = []
    for same in (0.0, 0.3, 0.6, 0.9, 1.0):
        guesses = generator.integers(0, classes, 3000)
        other = np.where(np.arange(3000) < same * 3000, first, guesses)
        maps = [prediction_of(one.tolist(), count=classes) for one in (first, other)]
        renamed = [
            prediction_of((classes - 1 - one).tolist(), count=classes) for one in (other, first)
        ]
        found.append(averaging.accuracy_by_agreement(maps, narrowly_drawn))
        assert averaging.accuracy_by_agreement(renamed, narrowly_drawn) == pytest.approx(found[-1])
    assert found == sorted(found)
    assert found[0] == pytest.approx(1.0 / classes, abs=0.02)
    assert found[-1] == 1.0


def test_agreement_counts_otherwise_where_classes_were_drawn_in_one_place() -> None:
    first, other = [0, 1] * 50, [0, 1] * 25 + [0, 1, 1, 0] * 12 + [0, 1]
    kappa = averaging.agreement_beyond_chance(np.array(first), np.array(other))
    maps = [prediction_of(one, count=2) for one in (first, other)]
    found = [averaging.accuracy_by_agreement(maps, share) for share in (1.0, 0.5, 0.0)]
    known = 1.0 / (1.0 + 2.0 * ((1.0 - kappa) / kappa) ** 2)
    assert kappa == pytest.approx(0.52)
    assert found[0] == pytest.approx(known + (1.0 - known) / 2)
    assert found[1] == pytest.approx((found[0] + found[2]) / 2)
    assert found[2] == pytest.approx(kappa + (1.0 - kappa) / 2)


def test_held_out_shots_decide_between_contexts_and_not_within_one() -> None:
    truth = [0, 1, 2] * 4
    shots = points_of(truth)
    right, wrong = prediction_of(truth), prediction_of([(c + 1) % 3 for c in truth])
    pixel, gaussian = SpatialContext.PIXEL, SpatialContext.GAUSSIAN
    prior = np.array([0.2, 0.3, 0.5])
    within, weights = averaging._average_feature_sets(
        sets_of([pixel, pixel, gaussian]), [right, wrong, wrong], shots, prior
    )
    assert weights[0] / weights[1] == pytest.approx(0.2 / 0.3)
    assert weights[:2].sum() > 0.99
    _, between = averaging._average_feature_sets(
        sets_of([pixel, gaussian]), [right, wrong], shots, prior[:2] * 2
    )
    assert between[0] > 0.99
    np.testing.assert_allclose(within.probabilities.sum(axis=1), 1.0, rtol=1e-5)


def test_predict_held_out_equals_a_whole_fit(planted: Planted, tmp_path: Path) -> None:
    regions = regions_of(planted.path, planted.shots(tmp_path / "shots.gpkg"))
    shots = folding.labelled_pixels(regions.labels, regions.features)
    pixels = compute_pixel_features(regions, None, CPU)
    (graphs_by_stop,) = module._propagate_labels(pixels.graphs, [shots])
    inputs = pixels.feature_sets.classifier_inputs
    members = averaging.fit_members(inputs, shots)
    whole = averaging.combine_members(inputs, members, graphs_by_stop, shots)
    held_out = averaging.predict_held_out(inputs, graphs_by_stop, shots, whole.prior)
    np.testing.assert_array_equal(held_out.weights, whole.weights)
    for one, other in zip(held_out.steps, whole.steps, strict=True):
        assert one.probabilities.shape == (0, other.probabilities.shape[1])
        np.testing.assert_array_equal(one.out_of_fold, other.out_of_fold)
