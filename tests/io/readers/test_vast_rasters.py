"""Rasters that are too large to be read as a whole: sampled or refused within seconds."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
import rasterio
from builders import NORTH_UP

from hsi_geo.errors import SceneError
from hsi_geo.io.scenes.scene import open_scene
from hsi_geo.io.scenes.windows import read_window
from hsi_geo.tasks.info import info
from hsi_geo.tiling import Window

SIDE = 1_000_000


def sparse(path: Path, **layout: Any) -> Path:
    """A raster of a million rows and columns that holds no block."""
    with rasterio.open(
        path, "w", driver="GTiff", height=SIDE, width=SIDE, count=2, dtype="uint8", crs="EPSG:32633",
        transform=NORTH_UP, sparse_ok=True, bigtiff="yes", interleave="band", **layout,
    ):  # fmt: skip
        pass
    return path


@pytest.mark.parametrize(
    "layout", [{"blockysize": 1}, {"tiled": True, "blockxsize": 4096, "blockysize": 4096}]
)
def test_info_reads_a_sample_of_a_vast_raster(tmp_path: Path, layout: dict[str, Any]) -> None:
    path = sparse(tmp_path / "a.tif", **layout)
    started = time.monotonic()
    found = info(open_scene(path, wavelengths="500:900"))
    assert time.monotonic() - started < 20.0
    assert f"{SIDE}" in str(found).replace(",", "")


def test_a_block_larger_than_memory_is_refused(tmp_path: Path) -> None:
    path = sparse(tmp_path / "a.tif", blockysize=28_000)
    with pytest.raises(SceneError, match="block") as caught:
        read_window(open_scene(path, wavelengths="500:900"), Window(0, 0, 9, 9))
    assert "copy or download" not in str(caught.value)
