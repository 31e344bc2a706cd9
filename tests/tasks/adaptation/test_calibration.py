"""Calibration: the mean confidence of a posterior becomes a target."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from builders import points_of, prediction_of

from hsi_geo.tasks.adaptation import calibration, ensemble
from hsi_geo.tasks.adaptation.averaging import agreement_beyond_chance
from hsi_geo.tasks.adaptation.ensemble import normalize
from hsi_geo.tasks.validation.folds import labelled_pixels


@pytest.mark.parametrize("target", [0.5, 0.6, 0.7])
def test_exponent_gives_the_mean_confidence(target: float) -> None:
    generator = np.random.default_rng(1)
    posterior = normalize(generator.gamma(0.5, size=(200, 4)).astype(np.float32))
    familiarity = generator.uniform(0.95, 1.0, 200).astype(np.float32)
    exponent = calibration.exponent_for(posterior, familiarity, target)
    raised = normalize(np.maximum(posterior, ensemble.PROBABILITY_FLOOR) ** np.float32(exponent))
    assert (raised.max(axis=1) * familiarity).mean() == pytest.approx(target, abs=0.005)


@pytest.mark.parametrize("sure", [0.4, 0.9])
@pytest.mark.parametrize("agreement", [0.3, 0.8])
def test_held_out_places_outweigh_the_agreement_as_they_become_many(
    sure: float, agreement: float
) -> None:
    """All predictions are right; the result does not depend on how sure they are."""
    found = []
    for count in (0, 6, 60, 6000):
        labels = [0, 1, 2] * (count // 3)
        prediction, shots = prediction_of(labels, sure), points_of(labels)
        found.append(calibration.expected_accuracy(prediction, agreement, shots))
    assert found == sorted(found)
    assert found[0] == pytest.approx(agreement)
    assert found[-1] == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize("pixels", [1, 9, 100])
def test_pixels_of_a_polygon_count_as_one_place(pixels: int) -> None:
    """One of four polygons is predicted wrong, whatever their size."""
    labels, features = np.repeat([0, 0, 1, 1], pixels), np.repeat(np.arange(4), pixels)
    shots = labelled_pixels(labels, features)
    predicted = np.where(features == 2, 0, labels)
    found = calibration.expected_accuracy(prediction_of(predicted.tolist()), 0.5, shots)
    places, right = (
        calibration.AGREEMENT_PLACES,
        4 - np.sqrt(0.5),
    )  # half of the places were held out
    assert found == pytest.approx((right + 0.5 * places) / (4 + places))


def test_shots_that_are_likely_wrong_do_not_lower_the_expected_accuracy() -> None:
    labels = [0, 1, 2] * 10
    predicted = [1, *labels[1:]]
    weights = np.ones(30)
    weights[0] = 1e-6
    trusted = points_of(labels)
    doubted = dataclasses.replace(trusted, weights=weights)
    of_trusted, of_doubted = (
        calibration.expected_accuracy(prediction_of(predicted), 1.0, shots)
        for shots in (trusted, doubted)
    )
    assert of_trusted == pytest.approx(1 - np.sqrt(0.5) / (30 + calibration.AGREEMENT_PLACES))
    assert of_doubted == pytest.approx(1.0, abs=0.002)


@pytest.mark.parametrize("wrong", [0, 1, 3])
def test_an_error_counts_less_where_much_of_the_class_was_held_out(wrong: int) -> None:
    """Of five shots of class 0 some have wrong labels, which weigh next to nothing: with each right one more is held out."""
    labels = [0] * 5 + [1] * 5
    weights = np.ones(10)
    weights[5 - wrong : 5] = 1e-9
    shots = dataclasses.replace(points_of(labels), weights=weights, folds=np.arange(10) % 5)
    predicted = [1, *labels[1:]]  # the first shot is an error
    found = calibration.expected_accuracy(prediction_of(predicted), 1.0, shots)
    right_labels = 5 - wrong
    error = np.sqrt((right_labels - 1) / right_labels)
    places = right_labels + 5 + calibration.AGREEMENT_PLACES
    assert found == pytest.approx(1 - error / places, abs=2e-3)


def test_one_class_nearly_everywhere_is_no_agreement() -> None:
    """Two maps that agree on 96 of 100 pixels, all of one class: they agree by chance."""
    one, other = np.zeros(100, int), np.zeros(100, int)
    one[:2], other[2:4] = 1, 1
    assert agreement_beyond_chance(one, other) == 0.0
    one[4:50], other[4:50] = 2, 2
    assert agreement_beyond_chance(one, other) > 0.8
