"""What `info` prints about a scene."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from builders import NORTH_UP, run, write_tif


def test_the_range_of_values_holds_the_share_that_is_printed(tmp_path: Path) -> None:
    values = np.random.default_rng(3).random((60, 37, 53)).astype(np.float32)
    path = write_tif(tmp_path / "s.tif", values, transform=NORTH_UP, crs="EPSG:32633")
    shown = run("info", path, "--wavelengths", "450:900")
    found = re.search(r"values +([\d.]+) to ([\d.]+) \((\d+) in 100\)", shown.stdout)
    assert found is not None, shown.output
    low, high, share = map(float, found.groups())
    assert ((values >= low) & (values <= high)).mean() == pytest.approx(share / 100, abs=0.005)
