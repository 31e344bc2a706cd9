"""Two maps on one grid: the nearest pixel is the one that a centre lies in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from pyproj import Transformer
from rasterio.warp import calculate_default_transform

from hsi_geo import compare

#: An old map of wide pixels, whose rows are far from straight in other CRS.
OLD_GRID, OLD_CRS, OLD_SHAPE = Affine(2000, 0, 4e5, 0, -2500, 5.5e6), "EPSG:32633", (90, 130)


def write(path: Path, classes: Any, transform: Affine, crs: str) -> Path:
    """A map without names: its values are its classes."""
    height, width = classes.shape
    with rasterio.open(
        path, "w", driver="GTiff", height=height, width=width, count=1, dtype="uint8", nodata=0,
        crs=crs, transform=transform,
    ) as file:  # fmt: skip
        file.write(classes.astype(np.uint8), 1)
    return path


def read(path: Path) -> Any:
    with rasterio.open(path) as file:
        return file.read(1).astype(int)


def centres(shape: tuple[int, int], transform: Affine) -> tuple[Any, Any]:
    """(height, width) x and y of pixels."""
    rows, cols = np.mgrid[: shape[0], : shape[1]] + 0.5
    return (
        transform.a * cols + transform.b * rows + transform.c,
        transform.d * cols + transform.e * rows + transform.f,
    )


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:3035"])
def test_resampling_takes_the_pixel_that_a_centre_lies_in(tmp_path: Path, crs: str) -> None:
    """Each pixel of the new map has a random class, so that a neighbour would be seen."""
    generator = np.random.default_rng(3)
    old = generator.integers(1, 5, OLD_SHAPE)
    first = write(tmp_path / "old.tif", old, OLD_GRID, OLD_CRS)
    bounds = rasterio.transform.array_bounds(*OLD_SHAPE, OLD_GRID)
    theirs, width, height = calculate_default_transform(OLD_CRS, crs, *OLD_SHAPE[::-1], *bounds)
    new = generator.integers(1, 5, (height, width))
    second = write(tmp_path / "new.tif", new, theirs, crs)
    compare(first, second, out=tmp_path / "change.tif", resample=True)
    x, y = Transformer.from_crs(OLD_CRS, crs, always_xy=True).transform(
        *centres(OLD_SHAPE, OLD_GRID)
    )
    cols, rows = (np.floor(part).astype(int) for part in ~theirs @ (x, y))
    inside = (rows >= 0) & (rows < height) & (cols >= 0) & (cols < width)
    wanted = np.zeros(OLD_SHAPE, int)
    wanted[inside] = 100 * old[inside] + new[rows[inside], cols[inside]]
    assert inside.mean() > 0.99
    np.testing.assert_array_equal(read(tmp_path / "change.tif"), wanted)


@pytest.mark.parametrize("moved", [-360, 0, 360])
@pytest.mark.parametrize(("left", "step"), [(179.75, 0.01), (195.0, 0.01), (195.0, 0.013)], ids=str)
def test_longitudes_may_be_counted_otherwise(
    tmp_path: Path, left: float, step: float, moved: int
) -> None:
    """From 0 to 360 in the one map, and from -180 to 180 in the other, on the same pixels or on others."""
    generator = np.random.default_rng(6)
    ours, theirs = Affine(0.01, 0, left, 0, -0.02, 60), Affine(step, 0, left, 0, -0.02, 60)
    old, new = generator.integers(1, 5, (31, 52)), generator.integers(1, 5, (40, 70))
    first = write(tmp_path / "old.tif", old, ours, "EPSG:4326")
    second = write(
        tmp_path / "new.tif", new, Affine.translation(moved, 0) @ theirs, "EPSG:4326"
    )  # fmt: skip
    compare(first, second, out=tmp_path / "change.tif", resample=step != ours.a)
    cols, rows = (np.floor(part + 1e-6).astype(int) for part in ~theirs @ centres(old.shape, ours))
    np.testing.assert_array_equal(read(tmp_path / "change.tif"), 100 * old + new[rows, cols])
