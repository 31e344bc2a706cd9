"""Calibration: the mean confidence of a posterior becomes a target."""

from __future__ import annotations

import numpy as np
import pytest
from builders import points_of, prediction_of

from hsi_geo.tasks.adaptation import calibration, ensemble
from hsi_geo.tasks.adaptation.ensemble import normalize


@pytest.mark.parametrize("target", [0.5, 0.6, 0.7])
def test_exponent_gives_the_mean_confidence(target: float) -> None:
    generator = np.random.default_rng(1)
    posterior = normalize(generator.gamma(0.5, size=(200, 4)).astype(np.float32))
    familiarity = generator.uniform(0.95, 1.0, 200).astype(np.float32)
    exponent = calibration.exponent_for(posterior, familiarity, target)
    raised = normalize(np.maximum(posterior, ensemble.PROBABILITY_FLOOR) ** np.float32(exponent))
    assert (raised.max(axis=1) * familiarity).mean() == pytest.approx(target, abs=0.005)


@pytest.mark.parametrize("sure", [0.8, 0.9, 0.97])
@pytest.mark.parametrize("count", [6, 60])
def test_calibrate_lowers_the_confidence_for_few_shots(count: int, sure: float) -> None:
    """All predictions are right; the result does not depend on the classifiers' confidence."""
    labels = [0, 1, 2] * (count // 3)
    prediction, shots = prediction_of(labels, sure), points_of(labels)
    sharpness = calibration.calibrate(prediction, np.ones(count, np.float32), shots)
    sharpened = normalize(prediction.out_of_fold ** np.float32(sharpness))
    assert sharpened.max(axis=1).mean() == pytest.approx(
        1 - 0.5 * calibration.CALIBRATION_MARGIN / count, abs=0.01
    )
