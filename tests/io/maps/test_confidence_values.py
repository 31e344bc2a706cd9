"""Values of the confidence of a map: which pixels have none, and which class they are of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from affine import Affine
from class_map_cases import random_probabilities, write_map

from hsi_geo import compare
from hsi_geo.io.maps.confidence import find_confidence, find_percent, require_percent
from hsi_geo.io.maps.reader import read_map
from hsi_geo.io.maps.writer import MapPaths

SHAPE = (19, 31)
PERCENT = np.random.default_rng(3).integers(0, 101, SHAPE)
PERCENT[2, 5:9] = 0
EMPTY = np.random.default_rng(4).random(SHAPE) < 0.2


def write(path: Path, values: Any, nodata: float | None, valid: Any = None) -> Path:
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
        rasterio.open(
            path, "w", driver="GTiff", count=1, height=SHAPE[0], width=SHAPE[1], dtype="uint8", nodata=nodata,
            crs="EPSG:32633", transform=Affine(10.0, 0.0, 5e5, 0.0, -10.0, 5.5e6),
        ) as file,
    ):  # fmt: skip
        file.write(np.asarray(values, "uint8"), 1)
        if valid is not None:
            file.write_mask(valid)
    return path


@pytest.mark.parametrize(
    ("nodata", "masked", "is_known"),
    [
        (255, False, ~EMPTY),
        (200, False, ~EMPTY),
        (0, False, ~EMPTY & (PERCENT > 0)),
        (None, True, ~EMPTY),
        (None, False, np.ones(SHAPE, bool)),
    ],
    ids=["as_hsi_geo", "other_nodata", "0_is_nodata", "mask", "nothing_declared"],
)
def test_pixels_without_confidence_are_those_that_the_raster_declares(
    tmp_path: Path, nodata: int | None, masked: bool, is_known: Any
) -> None:
    opened = read_map(write(tmp_path / "map.tif", np.ones(SHAPE), 0))
    values = PERCENT if nodata is None else np.where(EMPTY, nodata, PERCENT)
    path = write(tmp_path / "map_confidence.tif", values, nodata, ~EMPTY if masked else None)
    found = find_confidence(opened, pytest.fail)
    assert found is not None
    wanted = np.where(is_known, PERCENT, np.nan)
    np.testing.assert_array_equal(found.read(opened.grid.window), wanted)
    for raster in (find_percent(opened, pytest.fail), require_percent(path, opened)):
        assert raster is not None
        read = raster.read(opened.grid.window)
        known = np.where(np.ma.getmaskarray(read), np.nan, read.data)
        np.testing.assert_array_equal(known, wanted)


def test_probabilities_give_that_of_the_class_that_the_map_shows(tmp_path: Path) -> None:
    """A small patch that was given to a neighbour does not have the class of the largest probability."""
    probabilities = random_probabilities()
    paths = write_map(MapPaths.of(tmp_path / "map.tif", probabilities=True), probabilities)
    with rasterio.open(paths.classes, "r+", IGNORE_COG_LAYOUT_BREAK="YES") as file:
        ids = file.read(1).astype(int)
        ids[4:9, 3:8] = np.where(ids[4:9, 3:8] > 0, 1, 0)
        file.write(ids.astype(file.dtypes[0]), 1)
    opened = read_map(paths.classes)
    found = find_confidence(opened, pytest.fail)
    assert found is not None
    shown = np.take_along_axis(probabilities, np.maximum(ids - 1, 0)[None], axis=0)[0]
    assert (shown < probabilities.max(axis=0))[ids > 0].any()
    percent = found.read(opened.grid.window)
    assert np.abs(percent - 100 * shown)[ids > 0].max() < 0.3
    changed = compare(paths.classes, paths.classes, out=tmp_path / "change.tif").matrix
    assert changed.percent is not None
    assert changed.percent[0, 0] == pytest.approx((100 * shown**2)[ids == 1].mean(), abs=0.6)


@pytest.mark.parametrize(
    ("values", "names", "is_shown"),
    [
        ((1, 2, 3), (None, None, None), True),
        ((1, 3), ("oats", "rye", "water"), True),
        ((1, 2, 4), (None, None, None), False),
        ((10, 20, 30), (None, None, None), False),
        ((1, 2, 3), ("3", "1", "2"), False),
    ],
    ids=["numbers", "named_bands", "value_without_band", "other_values", "other_order"],
)
def test_bands_of_a_map_without_names_are_its_values(
    tmp_path: Path, values: tuple[int, ...], names: tuple[str | None, ...], is_shown: bool
) -> None:
    draws = np.random.default_rng(5)
    ids = draws.choice(values, SHAPE)
    opened = read_map(write(tmp_path / "map.tif", ids, 0))
    stored = draws.integers(0, 251, (3, *SHAPE)).astype("uint8")
    with rasterio.open(tmp_path / "map.tif") as file:
        profile = {**file.profile, "count": 3, "nodata": 255}
    with rasterio.open(tmp_path / "map_probabilities.tif", "w", **profile) as file:
        file.write(stored)
        file.descriptions = names
    found = find_confidence(opened, pytest.fail)
    assert found is not None
    shown = stored.max(axis=0)
    if is_shown:
        shown = np.take_along_axis(stored, ids[None] - 1, axis=0)[0]
    np.testing.assert_allclose(found.read(opened.grid.window), shown * 0.4)


def test_names_of_bands_of_probabilities_need_not_be_utf_8(tmp_path: Path) -> None:
    opened = read_map(write(tmp_path / "map.tif", np.full(SHAPE, 2), 0))
    stored = np.random.default_rng(6).integers(0, 251, (3, *SHAPE)).astype("uint8")
    with rasterio.open(tmp_path / "map.tif") as file:
        kept = {key: file.profile[key] for key in ("width", "height", "dtype", "crs", "transform")}
    with rasterio.open(tmp_path / "p.bsq", "w", driver="ENVI", count=3, **kept) as file:
        file.write(stored)
    header = tmp_path / "p.hdr"
    lines = header.read_text().split("band names")[0] + "band names = {Weizen, Straße, Forêt}"
    header.write_bytes(lines.encode("cp1252"))
    rasterio.shutil.copy(tmp_path / "p.bsq", tmp_path / "map_probabilities.tif")
    with rasterio.open(tmp_path / "map_probabilities.tif") as file, pytest.raises(UnicodeError):
        assert file.descriptions
    found = find_confidence(opened, pytest.fail)
    assert found is not None
    np.testing.assert_allclose(found.read(opened.grid.window), stored[1] * 0.4)
