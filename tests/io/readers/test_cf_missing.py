"""Missing values of netCDF and Zarr scenes: fill values, missing values and valid ranges."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import xarray as xr
from builders import physical, watch_reads
from cf_cases import STORES, dataset
from emit_cases import emit_lookup, emit_swath, write_emit
from hypothesis import given
from hypothesis import strategies as st

from hsi_geo.io.readers.cf import CfPixels
from hsi_geo.io.readers.cf_missing import find_missing_values
from hsi_geo.io.scenes.scene import open_scene
from hsi_geo.io.scenes.windows import read_window
from hsi_geo.tiling import Window

F32, I16, U8 = np.float32, np.int16, np.uint8

#: Stored values 1, 2, ... in the first band, with five that stand for missing data at row 1.
SPECIAL = (-9999, -8888, -3, 0, 5000)

#: Attributes, and which of `SPECIAL` they make missing.
CASES: dict[str, tuple[str, dict[str, Any], tuple[int, ...]]] = {
    "range": ("int16", {"valid_range": np.array([0, 4000], I16)}, (-9999, -8888, -3, 5000)),
    "range and fill value": (
        "int16",
        {"_FillValue": I16(-9999), "valid_range": np.array([-3, 4000], I16)},
        (-9999, -8888, 5000),
    ),
    "minimum": ("int16", {"valid_min": I16(0)}, (-9999, -8888, -3)),
    "maximum": ("int16", {"valid_max": I16(4000)}, (5000,)),
    "both limits": (
        "int16",
        {"valid_min": I16(-3), "valid_max": I16(4000)},
        (-9999, -8888, 5000),
    ),
    "missing value": ("int16", {"missing_value": I16(-8888)}, (-8888,)),
    "two missing values": (
        "int16",
        {"_FillValue": I16(-9999), "missing_value": I16(-8888)},
        (-9999, -8888),
    ),
    "list of missing values": (
        "int16",
        {"missing_value": np.array([-9999, -8888, 5000], I16)},
        (-9999, -8888, 5000),
    ),
    "physical limits of packed values": (
        "int16",
        {"scale_factor": 0.0001, "valid_range": np.array([0.0, 0.3])},
        (-9999, -8888, -3, 5000),
    ),
    "stored limits of packed values": (
        "int16",
        {"scale_factor": 0.0001, "valid_range": np.array([0, 3000], I16)},
        (-9999, -8888, -3, 5000),
    ),
    "floats": ("float32", {"valid_range": np.array([0, 4000], F32)}, (-9999, -8888, -3, 5000)),
    "floats filled with NaN": (
        "float32",
        {"_FillValue": F32(np.nan), "missing_value": F32(-8888), "valid_max": F32(4000)},
        (-8888, 5000),
    ),
    "text in place of numbers": ("int16", {"_FillValue": I16(-3), "valid_range": "0 to 1"}, (-3,)),
    "empty range": ("int16", {"_FillValue": I16(-3), "valid_range": np.array([9, 1], I16)}, (-3,)),
}


def scene_with(dtype: str, attributes: dict[str, Any]) -> xr.Dataset:
    scene = dataset()
    values = np.arange(1, 141).reshape(4, 5, 7).astype(dtype)
    values[:, 1, : len(SPECIAL)] = np.array(SPECIAL, dtype)
    scene["cube"] = scene["cube"].dims, values, attributes
    scene["cube"].encoding.clear()
    return scene


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("case", CASES)
def test_values_outside_the_valid_range_are_missing(case: str, store: str, tmp_path: Path) -> None:
    dtype, attributes, missing = CASES[case]
    scene = open_scene(STORES[store](tmp_path / "a.nc", scene_with(dtype, attributes)))
    _, valid = physical(scene)
    expected = np.ones((5, 7), bool)
    expected[1, : len(SPECIAL)] = [value not in missing for value in SPECIAL]
    if case == "missing value":  # only the other stored values are data
        assert scene.attrs["_FillValue"] == -8888
    np.testing.assert_array_equal(valid, expected)
    assert np.dtype(scene.dtype) == dtype


def test_missing_values_are_replaced_while_a_window_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dtype, attributes, _ = CASES["range and fill value"]
    reads = watch_reads(monkeypatch, CfPixels)
    scene = open_scene(STORES["netcdf"](tmp_path / "a.nc", scene_with(dtype, attributes)))
    assert reads == []
    _, valid = read_window(scene.isel(band=[1]), Window(1, 0, 1, 6))
    assert valid.tolist() == [[False, False, True, True, False, True]]
    assert [window for _, _, window in reads] == [Window(1, 0, 1, 6)]


def test_unusable_limits_give_a_warning(tmp_path: Path) -> None:
    for case, text in (("text in place of numbers", "two numbers"), ("empty range", "is empty")):
        dtype, attributes, _ = CASES[case]
        path = STORES["netcdf"](tmp_path / f"{text}.nc", scene_with(dtype, attributes))
        assert any(text in warning for warning in open_scene(path).attrs["warnings"])


def test_a_swath_with_a_lookup_table_has_a_valid_range(tmp_path: Path) -> None:
    path = write_emit(tmp_path / "a.nc")
    highest = np.float32(np.median(emit_swath()))
    with h5py.File(path, "r+") as file:
        file["reflectance"].attrs["valid_max"] = highest
    glt_x, glt_y = emit_lookup()
    swath = emit_swath()[glt_y - 1, glt_x - 1]
    outside = (glt_x == 0)[..., None] | (swath == -9999) | (swath > highest)
    np.testing.assert_array_equal(open_scene(path).values == -9999, outside.transpose(2, 0, 1))


@given(
    dtype=st.sampled_from(["uint8", "int8", "uint16", "int16", "int32", "float32", "float64"]),
    limits=st.tuples(st.integers(-300, 300), st.integers(-300, 300)).map(sorted),
    fill=st.sampled_from([None, -9999, 0, 7, np.nan]),
    other=st.sampled_from([None, 0, 3, -8888]),
)
def test_fill_never_hides_valid_values(
    dtype: str, limits: list[int], fill: float | None, other: float | None
) -> None:
    attributes: dict[str, Any] = {"valid_range": limits}
    attributes |= {} if fill is None else {"_FillValue": fill}
    attributes |= {} if other is None else {"missing_value": other}
    found = find_missing_values(attributes, np.dtype(dtype))
    stored = np.array([0, 1, 3, 7, 100, 127]).astype(dtype)
    filled = found.fill(stored)
    assert filled.dtype == stored.dtype
    stated = {fill, other}
    is_valid = (limits[0] <= stored) & (stored <= limits[1])
    is_valid &= ~np.isin(stored, [value for value in stated if value is not None])
    is_missing = np.isnan(filled) if found.nodata is None else filled == found.nodata
    np.testing.assert_array_equal(is_missing, ~is_valid)
    np.testing.assert_array_equal(filled[is_valid], stored[is_valid])
