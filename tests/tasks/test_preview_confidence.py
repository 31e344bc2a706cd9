"""The confidence of a preview is what the map of the same shots calls confidence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from hsi_geo import Session

Planted = Any  # defined in conftest, which tests cannot import


def test_confidence_is_low_where_the_scene_is_unlike_the_shots(
    planted: Planted, tmp_path: Path
) -> None:
    """It was the probability among the classes: 93 % in the mean where the map had 56 %."""
    with Session(planted.path) as session:
        preview = session.update(planted.shots(tmp_path / "shots.gpkg"))
    known = preview.class_ids > 0
    assert known.any()
    assert not known.all()
    assert preview.familiarity[known].min() < 90
    assert (preview.confidence[known] <= preview.familiarity[known]).all()
    of_class = 100 * preview.probabilities.max(axis=0)
    np.testing.assert_array_equal(preview.confidence[known], np.rint(of_class)[known])
    np.testing.assert_allclose(
        100 * preview.probabilities.sum(axis=0)[known], preview.familiarity[known], atol=0.51
    )
    assert (preview.probabilities.argmax(axis=0) + 1 == preview.class_ids)[known].all()
