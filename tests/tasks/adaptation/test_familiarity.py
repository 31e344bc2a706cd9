"""Familiarity of pixels: distances to the shots in several spatial contexts."""

from __future__ import annotations

import numpy as np
from builders import points_of

from hsi_geo.arrays import Float32Array
from hsi_geo.tasks.adaptation.familiarity import familiarity_score
from hsi_geo.tasks.adaptation.feature_sets import SpatialContext


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
