"""Maps and references of known truth, where a test wants them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from assess_cases import truth, write_class_map, write_reference


@pytest.fixture
def write_map(tmp_path: Path) -> Callable[..., Path]:
    """Function that writes a class map, with names beside it."""
    return partial(write_class_map, tmp_path)


@pytest.fixture
def write_points(tmp_path: Path) -> Callable[..., Path]:
    """Function that writes the truth at some pixels as points."""
    return partial(write_reference, tmp_path)


@pytest.fixture
def everywhere(write_points: Callable[..., Path]) -> Path:
    """A reference point on every fifth pixel."""
    return write_points(np.argwhere(truth() > 0)[::5])
