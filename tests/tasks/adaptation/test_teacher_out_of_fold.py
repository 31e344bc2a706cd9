"""The teacher knows no label of a shot that it is asked about, and is no surer than shots make it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import torch
from builders import plots_of, points_of

from hsi_geo.arrays import Float32Array
from hsi_geo.io.labels.shots import make_shots
from hsi_geo.models.diffusion import knn_transition_matrix
from hsi_geo.tasks.adaptation import ensemble as predictions
from hsi_geo.tasks.adaptation import teacher as module
from hsi_geo.tasks.adaptation.ensemble import (
    Prediction,
    average_by_cv_likelihood,
    classifier_predictions,
    graph_predictions,
    normalize,
)
from hsi_geo.tasks.adaptation.feature_sets import FeatureSet, SpatialContext, compute_feature_sets
from hsi_geo.tasks.adaptation.teacher import STOPS, learn_teacher
from hsi_geo.tasks.validation import folds as folding

Planted = Any  # defined in conftest, which tests cannot import
Hear = Callable[[Float32Array, Any], Prediction]

CPU = torch.device("cpu")


def heads(table: Float32Array, shots: Any) -> Prediction:
    (logistic,) = classifier_predictions(FeatureSet(table, 1.0, 0.0, SpatialContext.PIXEL), shots)
    return logistic


def discriminant(table: Float32Array, shots: Any) -> Prediction:
    _, discriminant = classifier_predictions(
        FeatureSet(table, 1.0, 2.0, SpatialContext.GAUSSIAN), shots
    )
    return discriminant


def graphs(table: Float32Array, shots: Any) -> Prediction:
    *_, (last,) = graph_predictions(knn_transition_matrix(table), [shots], STOPS)
    return last


@pytest.fixture
def heard(planted: Planted, tmp_path: Path) -> tuple[Float32Array, Any]:
    """A table of pixels, and the shots among them in four folds."""
    regions = plots_of(planted.path, planted.shots(tmp_path / "shots.gpkg"))
    view = compute_feature_sets(regions, None, CPU).classifier_inputs[0]
    return view.table, folding.labelled_pixels(regions.labels, regions.features)


def with_another_label(shots: Any, fold: int) -> Any:
    """The same shots, those of one fold each of another class."""
    labels = np.where(shots.folds == fold, (shots.labels + 1) % 3, shots.labels)
    return dataclasses.replace(shots, labels=labels)


def test_a_graph_does_not_hear_a_held_out_label(heard: tuple[Float32Array, Any]) -> None:
    table, shots = heard
    before = graphs(table, shots)
    assert set(shots.folds) == {0, 1, 2, 3}
    for fold in range(4):
        test = shots.folds == fold
        after = graphs(table, with_another_label(shots, fold))
        np.testing.assert_allclose(after.out_of_fold[test], before.out_of_fold[test], atol=1e-4)
        changed = np.abs(after.out_of_fold - before.out_of_fold)[~test].max(axis=1)
        assert (changed > 1e-2).any()
        assert np.abs(after.probabilities - before.probabilities).max() > 1e-2


@pytest.mark.parametrize("count", [4, 40])
def test_a_graph_tells_of_each_way_to_hold_shots_out_as_of_that_alone(count: int) -> None:
    """Of many shots as well, where ways share no walks."""
    shots = in_folds([0, 1, 2] * count)
    table = np.random.default_rng(3).normal(size=(150, 5)).astype(np.float32)
    walk = knn_transition_matrix(table)
    turned = dataclasses.replace(shots, folds=np.arange(3 * count) // 5 % 4 - 1)
    for both, *alone in zip(
        graph_predictions(walk, [shots, turned], STOPS),
        *(graph_predictions(walk, [way], STOPS) for way in (shots, turned)),
        strict=True,
    ):
        for together, (own,) in zip(both, alone, strict=True):
            np.testing.assert_allclose(together.probabilities, own.probabilities, atol=1e-5)
            np.testing.assert_allclose(together.out_of_fold, own.out_of_fold, atol=1e-5)
    assert np.abs(both[0].out_of_fold - both[1].out_of_fold).max() > 1e-2


def test_of_shots_the_same_is_said_when_no_other_pixel_is_asked_about(
    planted: Planted, tmp_path: Path
) -> None:
    regions = plots_of(planted.path, planted.shots(tmp_path / "shots.gpkg"))
    shots, views = (
        folding.labelled_pixels(regions.labels, regions.features),
        compute_feature_sets(regions, None, CPU),
    )
    (graphs_by_stop,) = module._propagate_labels(views, regions.positions_px, [shots])
    probabilities, _ = module._fit_ensemble(views.classifier_inputs, graphs_by_stop, shots)
    alone = module._fit_ensemble_at_shots(views.classifier_inputs, graphs_by_stop, shots)
    for wide, narrow in zip(probabilities, alone, strict=True):
        assert len(narrow.probabilities) == len(shots.rows) < len(wide.probabilities)
        np.testing.assert_allclose(narrow.probabilities, wide.probabilities[shots.rows], atol=1e-4)
        np.testing.assert_allclose(narrow.out_of_fold, wide.out_of_fold, atol=1e-5)


@pytest.mark.parametrize("hear", [heads, discriminant])
def test_a_head_hears_of_a_held_out_label_only_how_sure_to_be(
    heard: tuple[Float32Array, Any], hear: Hear
) -> None:
    """Its factor comes from the other folds, which were scored by fits that knew the label."""
    table, shots = heard
    before = hear(table, shots)
    for fold in range(4):
        test = shots.folds == fold
        after = hear(table, with_another_label(shots, fold))
        assert_same_but_for_sureness(after.out_of_fold[test], before.out_of_fold[test])
        assert np.abs(after.probabilities - before.probabilities).max() > 1e-2


def assert_same_but_for_sureness(after: Float32Array, before: Float32Array) -> None:
    """(m, 3) each: scores in one ratio, as far as they are no certainties."""
    np.testing.assert_array_equal(after.argmax(axis=1), before.argmax(axis=1))
    open_yet = (np.minimum(after, before).min(axis=1) > 1e-6)[:, None]
    scores = (np.log(np.where(open_yet, held, 1.0)) for held in (after, before))
    one, other = (score[:, :2] - score[:, 2:] for score in scores)
    size = np.vdot(one, other) / max(np.vdot(other, other), 1e-9)
    np.testing.assert_allclose(one, size * other, atol=0.02)


@pytest.mark.parametrize("hear", [heads, discriminant])
def test_held_out_shots_tell_how_sure_a_head_is(
    heard: tuple[Float32Array, Any], hear: Hear
) -> None:
    """With labels that say nothing heads grow modest."""
    table, shots = heard
    assert sureness(hear(table, without_meaning(shots))) < sureness(hear(table, shots)) - 0.1


def test_a_factor_near_one_is_likelier_beforehand(
    heard: tuple[Float32Array, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    table, shots = heard
    found = []
    for random_walk_with_restart in (0.01, predictions.LOG_SCALE_PRIOR_SD, np.inf):
        monkeypatch.setattr(predictions, "LOG_SCALE_PRIOR_SD", random_walk_with_restart)
        found.append(sureness(heads(table, without_meaning(shots))))
    assert found[0] > found[1] > found[2]


def without_meaning(shots: Any) -> Any:
    """The same shots, their labels shuffled."""
    labels = np.random.default_rng(5).permutation(shots.labels)
    return dataclasses.replace(
        shots, labels=labels, folds=folding.stratified_group_folds(labels, shots.groups)
    )


def sureness(prediction: Prediction) -> float:
    """Mean confidence in held-out shots, all of which are held out here."""
    return float(prediction.out_of_fold.max(axis=1).mean())


def in_folds(labels: list[int]) -> Any:
    """Shots without a scene, each class in as many folds as it has shots."""
    shots = points_of(labels)
    return dataclasses.replace(
        shots, folds=folding.stratified_group_folds(shots.labels, shots.groups)
    )


@pytest.mark.parametrize(("count", "heard"), [(1, 1), (2, 1), (3, 2), (10, 2), (11, 1)])
def test_discriminants_are_heard_of_some_shots_a_class_not_of_many(count: int, heard: int) -> None:
    shots = in_folds([0, 1, 2] * count)
    table = np.random.default_rng(3).normal(size=(40, 5)).astype(np.float32)
    assert (
        len(classifier_predictions(FeatureSet(table, 1.0, 2.0, SpatialContext.GAUSSIAN), shots))
        == heard
    )


@pytest.mark.parametrize("labels", [[0, 1] * 4, [0, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2]])
def test_a_discriminant_names_two_classes_and_hears_of_one_shot(labels: list[int]) -> None:
    shots = in_folds(labels)
    table = np.random.default_rng(3).normal(size=(40, 5)).astype(np.float32)
    table[shots.rows, shots.labels] += 9.0
    prediction = discriminant(table, shots)
    held = shots.held
    for posterior in (prediction.probabilities, prediction.out_of_fold[held]):
        np.testing.assert_allclose(posterior.sum(axis=1), 1.0, rtol=1e-5)
    assert (prediction.out_of_fold.argmax(axis=1) == shots.labels)[held].mean() > 0.7
    assert (prediction.probabilities[shots.rows].argmax(axis=1) == shots.labels).mean() > 0.9


@pytest.mark.parametrize("hear", [heads, discriminant])
def test_a_held_out_pixel_is_not_looked_at(heard: tuple[Float32Array, Any], hear: Hear) -> None:
    """Whatever a fold's other shots look like, the heads that name the first are the same.

    But for how sure they are: the other folds, which tell it, are scored by fits that looked.
    """
    table, shots = heard
    before = hear(table, shots)
    for fold in range(4):
        first, *others = np.flatnonzero(shots.folds == fold)
        spoilt = table.copy()
        spoilt[shots.rows[others]] = 7.0 * np.random.default_rng(fold).normal(
            size=(len(others), table.shape[1])
        )
        after = hear(spoilt, shots)
        assert_same_but_for_sureness(after.out_of_fold[[first]], before.out_of_fold[[first]])
        rest = shots.folds != fold
        assert np.abs(after.out_of_fold - before.out_of_fold)[rest].max() > 1e-3


def test_a_choice_has_not_seen_the_shots_it_speaks_of(
    heard: tuple[Float32Array, Any],
) -> None:
    table, shots = heard
    predictions = [hear(table, shots) for hear in (heads, discriminant, graphs)]
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


def says(classes: list[int], sure: float = 0.9) -> Any:
    """A prediction that names three classes."""
    out_of_fold = np.full((len(classes), 3), (1.0 - sure) / 2, np.float32)
    out_of_fold[np.arange(len(classes)), classes] = sure
    return Prediction(out_of_fold, out_of_fold)


def test_a_graph_is_heard_as_far_as_held_out_shots_bear_it_out() -> None:
    truth = [0, 1, 2] * 4
    shots, heads_own = points_of(truth), says(truth, 0.6)
    sure = {}
    for name, said in (("sound", truth), ("wrong", [(c + 1) % 3 for c in truth])):
        evolved = module._combine_graphs(heads_own, [says(said)], shots)
        for posterior in (evolved.probabilities, evolved.out_of_fold):
            np.testing.assert_allclose(posterior.sum(axis=1), 1.0, rtol=1e-5)
            sure[name] = posterior[np.arange(12), truth]
            assert (sure[name] > 0.85).all() if name == "sound" else (sure[name] > 0.55).all()
    assert (sure["wrong"] <= 0.6 + 1e-6).all()


@pytest.mark.parametrize("sure", [0.8, 0.9, 0.97])
@pytest.mark.parametrize("count", [6, 60])
def test_of_few_shots_little_is_known(count: int, sure: float) -> None:
    """All are named right; how sure that makes it does not depend on how sure the heads were."""
    labels = [0, 1, 2] * (count // 3)
    prediction, shots = says(labels, sure), points_of(labels)
    sharpness = module._calibrate(prediction, np.ones(count, np.float32), shots)
    sharpened = normalize(prediction.out_of_fold ** np.float32(sharpness))
    assert sharpened.max(axis=1).mean() == pytest.approx(
        1 - 0.5 * module.CALIBRATION_MARGIN / count, abs=0.01
    )


def test_labels_without_meaning_are_not_named_right(planted: Planted, tmp_path: Path) -> None:
    """Three classes, drawn blindly: a third is right by chance, and some by choosing heads."""
    frame = gpd.read_file(planted.shots(tmp_path / "shots.gpkg", per_class=8))
    found = []
    for seed in range(4):
        names = np.random.default_rng(seed).permutation(frame["class"].to_numpy())
        regions = plots_of(planted.path, make_shots(frame.geometry, list(names)))
        found.append(learn_teacher(regions, None, CPU).accuracy.oa)
    assert np.mean([oa for oa in found if oa is not None]) < 0.6


def test_a_stranger_is_told_through_the_filters_that_are_trusted() -> None:
    """Pixel 9 is one only in the second table, pixel 8 in neither."""
    shots = points_of([0, 1, 0, 1, 0, 1, 0, 1])
    near = np.linspace(0.0, 9.0, 10, dtype=np.float32)[:, None]
    far = near + 50.0 * (np.arange(10) == 9)[:, None].astype(np.float32)
    tables = {SpatialContext.PIXEL: near, SpatialContext.SUPERPIXEL: far}

    def familiar(alone: float) -> tuple[Float32Array, Float32Array]:
        trust = {SpatialContext.PIXEL: alone, SpatialContext.SUPERPIXEL: 1.0 - alone}
        return module._familiarity_score(tables, trust, shots)

    only = [familiar(1.0)[0], familiar(0.0)[0]]
    assert only[0][9] > 0.8
    assert only[1][9] < 0.1
    assert only[0][8] == only[1][8] > 0.9
    both, held = familiar(0.5)
    assert only[1][9] < both[9] < only[0][9]
    assert ((held > 0.9) & (held < 1.0)).all()


def test_a_filter_that_tells_no_distance_between_shots_is_left_out() -> None:
    shots = points_of([0, 1, 0, 1, 0, 1, 0, 1])
    near = np.linspace(0.0, 9.0, 10, dtype=np.float32)[:, None]
    same = np.where(np.arange(10) < 8, 0.0, 5.0).astype(np.float32)[:, None]
    trust = {SpatialContext.PIXEL: 0.3, SpatialContext.GAUSSIAN: 0.7}
    with_it, _ = module._familiarity_score(
        {SpatialContext.PIXEL: near, SpatialContext.GAUSSIAN: same}, trust, shots
    )
    without, _ = module._familiarity_score({SpatialContext.PIXEL: near}, trust, shots)
    np.testing.assert_allclose(with_it, without, rtol=1e-5)
    nothing, held = module._familiarity_score({SpatialContext.GAUSSIAN: same}, trust, shots)
    assert (nothing == 1.0).all() and (held == 1.0).all()
