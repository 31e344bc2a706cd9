"""Logistic regression of few shots is scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn.linear_model
from hypothesis import given, settings
from hypothesis import strategies as st

from hsi_geo.tasks.adaptation import logistic
from hsi_geo.tasks.adaptation.logistic import fit_logistic_regression


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 10_000),
    classes=st.integers(2, 5),
    more=st.integers(0, 60),
    features=st.integers(1, 40),
    strength=st.sampled_from([0.1, 1.0, 10.0]),
    repeated=st.booleans(),
)
@pytest.mark.slow
def test_scores_are_those_of_scikit_learn(
    seed: int, classes: int, more: int, features: int, strength: float, repeated: bool
) -> None:
    random = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(classes), random.integers(0, classes, more)])
    values = random.normal(size=(len(labels), features)) + labels[:, None] * 0.3
    values *= random.uniform(0.1, 3.0, features)
    if repeated:  # directions without any length
        values = np.concatenate([values, values, np.zeros((len(labels), 1))], axis=1)
    weights = random.uniform(0.2, 1.0, len(labels))
    theirs = sklearn.linear_model.LogisticRegression(C=strength, tol=1e-9, max_iter=10_000)
    theirs.fit(values, labels, weights)
    with pytest.MonkeyPatch.context() as patch:  # compare the optima, not where the optimisers stop
        patch.setattr(logistic, "TOLERANCE", 1e-8)
        ours = fit_logistic_regression(values, labels, weights, strength)
    others = random.normal(size=(17, values.shape[1])).astype(np.float32)
    scores, expected = ours.scores(others), theirs.decision_function(others)
    if classes == 2:
        expected = np.stack([-expected / 2, expected / 2], axis=1)
    np.testing.assert_allclose(
        scores - scores.mean(axis=1, keepdims=True),
        expected - expected.mean(axis=1, keepdims=True),
        atol=5e-3,
    )


def test_features_that_are_all_zero_teach_nothing() -> None:
    model = fit_logistic_regression(np.zeros((3, 4)), np.array([0, 1, 1]), np.ones(3), 1.0)
    assert not model.coefficients.any()
    odds = np.exp(model.intercepts[1] - model.intercepts[0])
    assert odds == pytest.approx(2.0, rel=0.02)
