"""Out-of-fold predictions do not use held-out labels, and confidence is calibrated."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import torch
from builders import points_of, regions_of

from hsi_geo.arrays import Float32Array
from hsi_geo.io.labels.shots import make_shots
from hsi_geo.models.neighbour_graph import knn_transition_matrix
from hsi_geo.tasks.adaptation import ensemble
from hsi_geo.tasks.adaptation.ensemble import (
    Prediction,
    average_by_cv_likelihood,
    classifier_predictions,
    graph_predictions,
)
from hsi_geo.tasks.adaptation.feature_cubes import SpatialContext
from hsi_geo.tasks.adaptation.feature_sets import FeatureSet
from hsi_geo.tasks.adaptation.pixel_features import compute_pixel_features
from hsi_geo.tasks.adaptation.teacher import PROPAGATION_STEPS, fit_teacher
from hsi_geo.tasks.validation import folds as folding

Planted = Any  # defined in conftest, which tests cannot import
Fit = Callable[[Float32Array, Any], Prediction]

CPU = torch.device("cpu")


def logistic(features: Float32Array, shots: Any) -> Prediction:
    (prediction,) = classifier_predictions(
        FeatureSet(features, 1.0, 0.0, SpatialContext.PIXEL), shots
    )
    return prediction


def discriminant(features: Float32Array, shots: Any) -> Prediction:
    _, prediction = classifier_predictions(
        FeatureSet(features, 1.0, 2.0, SpatialContext.GAUSSIAN), shots
    )
    return prediction


def graphs(features: Float32Array, shots: Any) -> Prediction:
    *_, (last,) = graph_predictions(knn_transition_matrix(features), [shots], PROPAGATION_STEPS)
    return last


@pytest.fixture
def data(planted: Planted, tmp_path: Path) -> tuple[Float32Array, Any]:
    """Features of pixels, and the shots among them in four folds."""
    regions = regions_of(planted.path, planted.shots(tmp_path / "shots.gpkg"))
    view = compute_pixel_features(regions, None, CPU).inputs[0]
    return view.features, folding.labelled_pixels(regions.labels, regions.features)


def with_another_label(shots: Any, fold: int) -> Any:
    """The same shots, those of one fold each of another class."""
    labels = np.where(shots.folds == fold, (shots.labels + 1) % 3, shots.labels)
    return dataclasses.replace(shots, labels=labels)


def test_graph_predictions_do_not_use_held_out_labels(data: tuple[Float32Array, Any]) -> None:
    features, shots = data
    before = graphs(features, shots)
    assert set(shots.folds) == {0, 1, 2, 3}
    for fold in range(4):
        test = shots.folds == fold
        after = graphs(features, with_another_label(shots, fold))
        np.testing.assert_allclose(after.out_of_fold[test], before.out_of_fold[test], atol=1e-4)
        changed = np.abs(after.out_of_fold - before.out_of_fold)[~test].max(axis=1)
        assert (changed > 1e-2).any()
        assert np.abs(after.probabilities - before.probabilities).max() > 1e-2


def test_a_graph_says_little_of_pixels_that_its_walks_hardly_reach() -> None:
    """Two groups of pixels beside the shots, and the same far away, joined by one chain of pixels."""
    generator = np.random.default_rng(4)
    near = [generator.normal(x, 0.3, (60, 2)) for x in (0.0, 3.0)]
    chain = np.column_stack([np.zeros(20), np.linspace(0.5, 10.0, 20)])
    far = generator.normal((0.0, 11.0), 0.3, (60, 2))
    features = np.concatenate([*near, chain, far]).astype(np.float32)
    rows = np.r_[0:60:6, 60:120:6]
    shots = dataclasses.replace(in_folds([0] * 10 + [1] * 10), rows=rows)
    found = graphs(features, shots)
    sure = found.probabilities.max(axis=1)
    assert (found.probabilities[:120].argmax(axis=1) == np.repeat([0, 1], 60)).all()
    assert np.median(sure[:120]) > 0.8
    assert np.median(sure[-60:]) < 0.55


@pytest.mark.parametrize("count", [4, 40])
def test_graph_predictions_of_several_foldings_equal_single_ones(count: int) -> None:
    """Also for many shots, where foldings share no walks."""
    shots = in_folds([0, 1, 2] * count)
    features = np.random.default_rng(3).normal(size=(150, 5)).astype(np.float32)
    walk = knn_transition_matrix(features)
    other = dataclasses.replace(shots, folds=np.arange(3 * count) // 5 % 4 - 1)
    for several, *single in zip(
        graph_predictions(walk, [shots, other], PROPAGATION_STEPS),
        *(graph_predictions(walk, [one], PROPAGATION_STEPS) for one in (shots, other)),
        strict=True,
    ):
        for joint, (separate,) in zip(several, single, strict=True):
            np.testing.assert_allclose(joint.probabilities, separate.probabilities, atol=1e-5)
            np.testing.assert_allclose(joint.out_of_fold, separate.out_of_fold, atol=1e-5)
    assert np.abs(several[0].out_of_fold - several[1].out_of_fold).max() > 1e-2


@pytest.mark.parametrize("fit", [logistic, discriminant])
def test_classifiers_use_held_out_labels_for_the_temperature_only(
    data: tuple[Float32Array, Any], fit: Fit
) -> None:
    """The factor comes from the other folds, whose scores come from fits with that label."""
    features, shots = data
    before = fit(features, shots)
    for fold in range(4):
        test = shots.folds == fold
        after = fit(features, with_another_label(shots, fold))
        assert_same_up_to_temperature(after.out_of_fold[test], before.out_of_fold[test])
        assert np.abs(after.probabilities - before.probabilities).max() > 1e-2


def assert_same_up_to_temperature(after: Float32Array, before: Float32Array) -> None:
    """(m, 3) each: scores are proportional, apart from probabilities near 0."""
    np.testing.assert_array_equal(after.argmax(axis=1), before.argmax(axis=1))
    uncertain = (np.minimum(after, before).min(axis=1) > 1e-6)[:, None]
    scores = (np.log(np.where(uncertain, held, 1.0)) for held in (after, before))
    one, other = (score[:, :2] - score[:, 2:] for score in scores)
    factor = np.vdot(one, other) / max(np.vdot(other, other), 1e-9)
    np.testing.assert_allclose(one, factor * other, atol=0.02)


@pytest.mark.parametrize("fit", [logistic, discriminant])
def test_temperature_scaling_lowers_the_confidence_for_random_labels(
    data: tuple[Float32Array, Any], fit: Fit
) -> None:
    features, shots = data
    assert (
        mean_confidence(fit(features, with_shuffled_labels(shots)))
        < mean_confidence(fit(features, shots)) - 0.1
    )


def test_prior_of_the_temperature_favours_a_factor_near_one(
    data: tuple[Float32Array, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    features, shots = data
    found = []
    for prior_sd in (0.01, ensemble.LOG_SCALE_PRIOR_SD, np.inf):
        monkeypatch.setattr(ensemble, "LOG_SCALE_PRIOR_SD", prior_sd)
        found.append(mean_confidence(logistic(features, with_shuffled_labels(shots))))
    assert found[0] > found[1] > found[2]


def with_shuffled_labels(shots: Any) -> Any:
    """The same shots, their labels shuffled."""
    labels = np.random.default_rng(5).permutation(shots.labels)
    return dataclasses.replace(
        shots, labels=labels, folds=folding.stratified_group_folds(labels, shots.groups)
    )


def mean_confidence(prediction: Prediction) -> float:
    """Mean confidence in held-out shots, all of which are held out here."""
    return float(prediction.out_of_fold.max(axis=1).mean())


def in_folds(labels: list[int]) -> Any:
    """Shots without a scene, each class in as many folds as it has shots."""
    shots = points_of(labels)
    return dataclasses.replace(
        shots, folds=folding.stratified_group_folds(shots.labels, shots.groups)
    )


@pytest.mark.parametrize(("count", "predictions"), [(1, 1), (2, 1), (3, 2), (10, 2), (11, 1)])
def test_discriminant_analysis_is_fitted_for_few_shots_only(count: int, predictions: int) -> None:
    shots = in_folds([0, 1, 2] * count)
    features = np.random.default_rng(3).normal(size=(40, 5)).astype(np.float32)
    assert (
        len(classifier_predictions(FeatureSet(features, 1.0, 2.0, SpatialContext.GAUSSIAN), shots))
        == predictions
    )


@pytest.mark.parametrize("labels", [[0, 1] * 4, [0, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2]])
def test_discriminant_analysis_handles_two_classes_and_single_shots(labels: list[int]) -> None:
    shots = in_folds(labels)
    features = np.random.default_rng(3).normal(size=(40, 5)).astype(np.float32)
    features[shots.rows, shots.labels] += 9.0
    prediction = discriminant(features, shots)
    held = shots.held
    for posterior in (prediction.probabilities, prediction.out_of_fold[held]):
        np.testing.assert_allclose(posterior.sum(axis=1), 1.0, rtol=1e-5)
    assert (prediction.out_of_fold.argmax(axis=1) == shots.labels)[held].mean() > 0.7
    assert (prediction.probabilities[shots.rows].argmax(axis=1) == shots.labels).mean() > 0.9


@pytest.mark.parametrize("fit", [logistic, discriminant])
def test_classifiers_do_not_use_held_out_features(data: tuple[Float32Array, Any], fit: Fit) -> None:
    """Other features of the rest of a fold do not change the prediction of its first shot.

    Only the temperature changes: the other folds' scores come from fits with these features.
    """
    features, shots = data
    before = fit(features, shots)
    for fold in range(4):
        first, *others = np.flatnonzero(shots.folds == fold)
        changed_features = features.copy()
        changed_features[shots.rows[others]] = 7.0 * np.random.default_rng(fold).normal(
            size=(len(others), features.shape[1])
        )
        after = fit(changed_features, shots)
        assert_same_up_to_temperature(after.out_of_fold[[first]], before.out_of_fold[[first]])
        rest = shots.folds != fold
        assert np.abs(after.out_of_fold - before.out_of_fold)[rest].max() > 1e-3


def test_average_by_cv_likelihood_does_not_use_the_predicted_fold(
    data: tuple[Float32Array, Any],
) -> None:
    features, shots = data
    predictions = [fit(features, shots) for fit in (logistic, discriminant, graphs)]
    before, _ = average_by_cv_likelihood(predictions, shots, 0.5, np.ones(3))
    for fold in range(4):
        test = shots.folds == fold
        others = np.where(test, (shots.labels + 1) % 3, shots.labels)
        after, _ = average_by_cv_likelihood(
            predictions, dataclasses.replace(shots, labels=others), 0.5, np.ones(3)
        )
        np.testing.assert_array_equal(after.out_of_fold[test], before.out_of_fold[test])
        assert np.abs(after.out_of_fold - before.out_of_fold)[~test].max() > 1e-3
        assert np.abs(after.probabilities - before.probabilities).max() > 1e-3


@pytest.mark.slow
def test_accuracy_is_low_for_random_labels(planted: Planted, tmp_path: Path) -> None:
    """A third of three classes is right by chance, a little more by the choice of weights."""
    frame = gpd.read_file(planted.shots(tmp_path / "shots.gpkg", per_class=8))
    found = []
    for seed in range(4):
        names = np.random.default_rng(seed).permutation(frame["class"].to_numpy())
        regions = regions_of(planted.path, make_shots(frame.geometry, list(names)))
        found.append(fit_teacher(regions, None, CPU).accuracy.oa)
    assert np.mean([oa for oa in found if oa is not None]) < 0.6
