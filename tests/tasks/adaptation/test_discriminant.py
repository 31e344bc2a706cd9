"""Discriminant analysis of few shots equals scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.covariance import ledoit_wolf
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from hsi_geo.tasks.adaptation.discriminant import fit_discriminant, ledoit_wolf_shrinkage

some = settings(deadline=None, max_examples=40)


@some
@given(
    seed=st.integers(0, 10_000),
    classes=st.integers(3, 6),
    more=st.integers(1, 30),
    features=st.integers(2, 40),
    constant=st.booleans(),
)
@pytest.mark.filterwarnings("ignore:Only one sample available:UserWarning")
def test_scores_are_those_of_scikit_learn(
    seed: int, classes: int, more: int, features: int, constant: bool
) -> None:
    random = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(classes), random.integers(0, classes, more)])
    values = random.normal(size=(len(labels), features)) * random.uniform(0.1, 3.0, features)
    values += labels[:, None] * random.uniform(0.0, 1.0, features)
    if constant:
        values[:, 0] = 7.25
    equal = np.full(classes, 1.0 / classes)
    theirs = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto", priors=equal)
    theirs.fit(values, labels)
    ours = fit_discriminant(values, labels)
    others = random.normal(size=(17, features)).astype(np.float32)
    expected = theirs.decision_function(others)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(ours.scores(others) / scale, expected / scale, atol=1e-6)


@some
@given(seed=st.integers(0, 10_000), count=st.integers(2, 9), features=st.integers(2, 20))
def test_shrinkage_is_that_of_scikit_learn(seed: int, count: int, features: int) -> None:
    values = np.random.default_rng(seed).normal(size=(count, features))
    centred = values - values.mean(axis=0)
    expected = ledoit_wolf(centred, assume_centered=True)[1]
    found, mean_variance = ledoit_wolf_shrinkage(centred)
    assert found == pytest.approx(expected, abs=1e-9)
    assert mean_variance == pytest.approx((centred**2).mean())


def test_classes_of_one_shot_alone_have_no_covariance() -> None:
    """The solution of least norm is 0: no class is preferred."""
    values = np.eye(3, 8) * 5.0
    scores = fit_discriminant(values, np.arange(3)).scores(values.astype(np.float32))
    np.testing.assert_allclose(scores, np.full((3, 3), -np.log(3)))
