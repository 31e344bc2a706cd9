"""Rasters that are read back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from builders import cube_of, write_tif

from hsi_geo.errors import OutputError
from hsi_geo.io.files.read_back import checksum, require_written
from hsi_geo.tiling import Window


@pytest.mark.parametrize("dtype", ["i2", "u2", "f4", "f8"])
def test_both_orders_of_bytes_have_one_checksum(dtype: str) -> None:
    values = cube_of(3).astype(dtype)
    swapped = values.astype(np.dtype(dtype).newbyteorder(">"))
    assert checksum(values) == checksum(swapped)
    assert checksum(values) != checksum(values[::-1])


def test_other_values_are_found_in_any_part(tmp_path: Path) -> None:
    values = cube_of(3)
    path = write_tif(tmp_path / "a.tif", values)
    height, width = values.shape[1:]
    upper, lower = Window(0, 0, 2, width), Window(2, 0, height - 2, width)
    written = [(upper, checksum(values[:, :2])), (lower, checksum(values[:, 2:]))]
    require_written(path, written, "raster")
    changed = values.copy()
    changed[1, -1, -1] += 1
    with pytest.raises(OutputError, match=r"raster 'a\.tif' does not hold what was written"):
        require_written(path, [written[0], (lower, checksum(changed[:, 2:]))], "raster")
