"""Familiarity of pixels: distances to the shots in several spatial contexts."""

from __future__ import annotations

import numpy as np
import pytest
from builders import points_of

from hsi_geo.arrays import Float32Array
from hsi_geo.tasks.adaptation.familiarity import (
    FALSE_REJECTION,
    NEAR_SHOTS,
    familiarity_score,
    rejection_threshold,
)
from hsi_geo.tasks.adaptation.feature_cubes import SpatialContext


def test_familiarity_score_uses_the_weights_of_contexts() -> None:
    """Pixel 9 is unfamiliar only in the second features, pixel 8 in neither."""
    shots = points_of([0, 1, 0, 1, 0, 1, 0, 1])
    near = np.linspace(0.0, 9.0, 10, dtype=np.float32)[:, None]
    far = near + 50.0 * (np.arange(10) == 9)[:, None].astype(np.float32)
    features_of = {SpatialContext.PIXEL: near, SpatialContext.SUPERPIXEL: far}

    def familiarity(pixel_weight: float) -> tuple[Float32Array, Float32Array]:
        weights = {
            SpatialContext.PIXEL: pixel_weight,
            SpatialContext.SUPERPIXEL: 1.0 - pixel_weight,
        }
        return familiarity_score(features_of, weights, shots)

    only = [familiarity(1.0)[0], familiarity(0.0)[0]]
    assert only[0][9] > 0.8
    assert only[1][9] < 0.1
    assert only[0][8] == only[1][8] > 0.9
    both, held = familiarity(0.5)
    assert only[1][9] < both[9] < only[0][9]
    assert ((held > 0.9) & (held < 1.0)).all()


def test_familiarity_score_ignores_contexts_in_which_shots_are_equal() -> None:
    shots = points_of([0, 1, 0, 1, 0, 1, 0, 1])
    near = np.linspace(0.0, 9.0, 10, dtype=np.float32)[:, None]
    same = np.where(np.arange(10) < 8, 0.0, 5.0).astype(np.float32)[:, None]
    weights = {SpatialContext.PIXEL: 0.3, SpatialContext.GAUSSIAN: 0.7}
    with_it, _ = familiarity_score(
        {SpatialContext.PIXEL: near, SpatialContext.GAUSSIAN: same}, weights, shots
    )
    without, _ = familiarity_score({SpatialContext.PIXEL: near}, weights, shots)
    np.testing.assert_allclose(with_it, without, rtol=1e-5)
    nothing, held = familiarity_score({SpatialContext.GAUSSIAN: same}, weights, shots)
    assert (nothing == 1.0).all() and (held == 1.0).all()


@pytest.mark.parametrize(
    ("shots", "lowest", "highest"),
    [(6, 0.0, 0.07), (15, 0.0, 0.07), (40, 0.02, 0.1), (400, 0.03, 0.07)],
)
def test_threshold_rejects_five_per_cent_of_land_like_the_shots(
    shots: int, lowest: float, highest: float
) -> None:
    """Mean over many draws of shots whose distances are log-normal, as those of further land are."""
    rng = np.random.default_rng(1)

    def familiarity(count: int) -> Float32Array:
        return np.asarray(1 / (1 + (np.exp(rng.normal(0, 0.5, count)) / 3.5) ** 4), np.float32)

    rejected = []
    for _ in range(300):
        threshold = rejection_threshold(familiarity(shots), familiarity(2000))
        assert threshold is not None
        rejected.append((familiarity(2000) < threshold).mean())
    assert lowest <= np.mean(rejected) <= highest
    assert FALSE_REJECTION == 0.05


def test_threshold_needs_shots_that_differ_and_is_a_share() -> None:
    assert rejection_threshold(np.ones(2, np.float32), np.ones(9, np.float32)) is None
    for held in (np.ones(5, np.float32), np.zeros(5, np.float32), np.ones(50, np.float32)):
        threshold = rejection_threshold(held, np.ones(9, np.float32))
        assert threshold is not None and 0.0 <= threshold <= 1.0


@pytest.mark.parametrize("shots", [6, 60])
@pytest.mark.parametrize(
    ("pixels", "is_lowered"),
    [
        ("all a little different", True),
        ("all like the shots", False),
        ("a fifth is other land", False),
    ],
)
def test_shots_that_lie_alike_do_not_reject_much_land(
    shots: int, pixels: str, is_lowered: bool
) -> None:
    rng = np.random.default_rng(0)
    held = np.asarray(rng.uniform(0.985, 0.995, shots), np.float32)
    of_pixels = {
        "all a little different": np.linspace(0.85, 0.98, 500),
        "all like the shots": np.full(500, 0.992),
        "a fifth is other land": np.r_[np.full(400, 0.992), np.full(100, 0.3)],
    }[pixels]
    threshold = rejection_threshold(held, np.asarray(of_pixels, np.float32))
    assert threshold is not None
    if is_lowered:
        assert threshold == pytest.approx(NEAR_SHOTS, abs=1e-6)
    else:
        assert threshold > 0.97


def test_threshold_that_is_low_stays_whatever_it_rejects() -> None:
    held = np.linspace(0.4, 1.0, 61, dtype=np.float32)
    assert rejection_threshold(held, np.zeros(100, np.float32)) == pytest.approx(0.43, abs=1e-3)


def test_shots_that_are_nearly_the_same_leave_ordinary_pixels_familiar() -> None:
    """As in scenes without noise: the shots differ by a millionth of what pixels differ by."""
    shots = points_of([0, 1, 0, 1, 0, 1, 0, 1])
    rng = np.random.default_rng(0)
    at_shots = np.repeat([[0.0], [1.0]], 4, axis=1).T.ravel()[:, None] + 1e-6 * rng.random((8, 1))
    others = np.repeat([0.0, 1.0], 100)[:, None] + 0.01 * rng.standard_normal((200, 1))
    features = np.asarray(np.concatenate([at_shots, others, [[9.0]]]), np.float32)
    pixels, held = familiarity_score(
        {SpatialContext.PIXEL: features}, {SpatialContext.PIXEL: 1.0}, shots
    )
    assert (held > 0.9).all()
    assert (pixels[:-1] > 0.9).all()
    assert pixels[-1] < 0.5
