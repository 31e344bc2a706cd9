"""Pixels of two maps: compared, rejected, or without a class in one of them, each counted once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine

from hsi_geo import compare

GRID = Affine(30, 0, 4e5, 0, -20, 5e6)
NO_CLASS, REJECTED = 0, 7


def write(path: Path, classes: Any) -> Path:
    """A map whose record says that it rejects pixels."""
    height, width = classes.shape
    with rasterio.open(
        path, "w", driver="GTiff", height=height, width=width, count=1, dtype="uint8", nodata=0,
        crs="EPSG:32633", transform=GRID,
    ) as file:  # fmt: skip
        file.write(classes.astype(np.uint8), 1)
    listed = [{"id": c, "name": str(c)} for c in (1, 2)]
    rejected = [{"id": REJECTED, "name": "unlike any shot", "color": "#404040"}]
    record = {"classes": listed, "rejected_classes": rejected}
    path.with_suffix(".json").write_text(json.dumps(record))
    return path


@pytest.mark.parametrize(("rows", "cols"), [(1, 1), (3, 2)], ids=["same pixels", "resampled"])
def test_each_pixel_is_counted_once(tmp_path: Path, rows: int, cols: int) -> None:
    """All pairs of a class, no class and a rejected pixel; the new map may have smaller pixels."""
    generator = np.random.default_rng(4)
    old, new = generator.choice([NO_CLASS, 1, 2, REJECTED], (2, 23, 31), p=[0.2, 0.4, 0.3, 0.1])
    first = write(tmp_path / "old.tif", old)
    second = write(tmp_path / "new.tif", np.kron(new, np.ones((rows, cols))))
    with rasterio.open(second, "r+") as file:
        file.transform = GRID @ Affine.scale(1 / cols, 1 / rows)
    found = compare(first, second, out=tmp_path / "c.tif", resample=rows > 1).matrix
    rejected = (old == REJECTED) | (new == REJECTED)
    assert found.uncompared == (((old > 0) != (new > 0)) & ~rejected).sum()
    neither = (old == NO_CLASS) & (new == NO_CLASS)
    assert found.pixels.sum() + found.uncompared == old.size - (rejected | neither).sum()
    seen = compare(
        first, second, out=tmp_path / "d.tif", resample=rows > 1, with_rejected=True
    ).matrix
    assert seen.uncompared == ((old > 0) != (new > 0)).sum()
    assert seen.pixels.sum() == ((old > 0) & (new > 0)).sum()


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("with_rejected", [False, True])
def test_pixels_outside_of_the_other_map_are_not_compared(
    tmp_path: Path, turned: bool, with_rejected: bool
) -> None:
    """The new map covers a part of the old one, and land beside it."""
    generator = np.random.default_rng(5)
    old, new = generator.choice([NO_CLASS, 1, 2, REJECTED], (2, 23, 31), p=[0.2, 0.4, 0.3, 0.1])
    first, second = write(tmp_path / "old.tif", old), write(tmp_path / "new.tif", new)
    with rasterio.open(second, "r+") as file:
        file.transform = GRID @ Affine.translation(12, 4)
    maps = (second, first) if turned else (first, second)
    found = compare(*maps, out=tmp_path / "c.tif", with_rejected=with_rejected).matrix
    both = np.zeros((2, 27, 43), np.int64)
    both[0, :23, :31], both[1, 4:, 12:] = old, new
    one_only = (both[0] > 0) != (both[1] > 0)
    rejected = (both == REJECTED).any(axis=0) & (not with_rejected)
    assert found.uncompared == (one_only & ~rejected).sum()
    assert found.pixels.sum() == ((both > 0).all(axis=0) & ~rejected).sum()
