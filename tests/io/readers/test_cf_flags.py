"""Forms of masks and flags in netCDF and Zarr."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import physical
from cf_cases import STORES, dataset, write_netcdf

from hsi_geo.arrays import AnyArray
from hsi_geo.io.scenes.scene import open_scene

CLOUDS = np.zeros((5, 7), bool)
CLOUDS[0, 2:4] = CLOUDS[4, 6] = True

MEANINGS = {"flag_meanings": "clear cloud"}
VALUES = {**MEANINGS, "flag_values": np.array([0, 1], "uint8")}


def with_gaps(dtype: str, fill: float) -> AnyArray:
    """The mask, with a fill value in a pixel of which it says nothing."""
    values = CLOUDS.astype(dtype)
    values[2, 2] = fill
    return values


#: Axes, values and attributes of masks.
FORMS: dict[str, tuple[tuple[str, ...], AnyArray, dict[str, Any]]] = {
    "bytes": (("y", "x"), CLOUDS.astype("uint8"), {}),
    "bool": (("y", "x"), CLOUDS, {}),
    "bool with meanings": (("y", "x"), CLOUDS, VALUES),
    "floats": (("y", "x"), CLOUDS.astype("float32"), {}),
    "floats with NaN": (("y", "x"), with_gaps("float32", np.nan), {}),
    "floats with a fill value": (
        ("y", "x"),
        with_gaps("float64", -0.5),
        {"_FillValue": -0.5},
    ),
    "floats with meanings": (("y", "x"), CLOUDS.astype("float64"), VALUES),
    "a time": (("time", "y", "x"), CLOUDS[None].astype("uint8"), {}),
    "a time and a band": (("time", "y", "x", "one"), CLOUDS[None, ..., None], {}),
    "a time and floats": (("y", "time", "x"), CLOUDS[:, None].astype("float32"), VALUES),
    "columns first": (("x", "y"), CLOUDS.T.astype("uint8"), {}),
    "axes of its own": (("time", "u", "v"), CLOUDS[None].astype("uint8"), {}),
    "unsigned": (
        ("y", "x"),
        with_gaps("uint8", 255).view("int8") * np.int8(-1),
        {
            "_Unsigned": "true",
            "_FillValue": np.int8(1),
            "flag_meanings": "cloud",
            "flag_values": np.int8(-1),
        },
    ),
}


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("form", FORMS)
def test_masks_of_all_forms_are_applied(tmp_path: Path, store: str, form: str) -> None:
    scene = dataset()  # without a fill value
    scene["cloud_mask"] = FORMS[form]
    opened = open_scene(STORES[store](tmp_path / "a.nc", scene))
    np.testing.assert_array_equal(~physical(opened)[1], CLOUDS)
    assert not opened.attrs.get("warnings")


@pytest.mark.parametrize("size", [(1, 7), (5, 1)])
def test_masks_of_scenes_of_one_row_or_column(tmp_path: Path, size: tuple[int, int]) -> None:
    mask = np.zeros(size, "uint8")
    mask[0, 0] = 1
    scene = dataset().isel(y=slice(size[0]), x=slice(size[1]))
    scene["cloud_mask"] = (("time", "y", "x"), mask[None])
    opened = open_scene(write_netcdf(tmp_path / "a.nc", scene))
    np.testing.assert_array_equal(physical(opened)[1], mask == 0)


UNUSABLE: dict[str, tuple[tuple[str, ...], Any, dict[str, Any], str]] = {
    "another size": (("a", "b"), np.ones((4, 6), "uint8"), {}, "has 4 x 6 pixels"),
    "two times": (("time", "y", "x"), np.ones((2, 5, 7), "uint8"), {}, "has 2 x 5 x 7 pixels"),
    "shares": (("y", "x"), CLOUDS * 0.7, {}, "holds fractions"),
    "packed shares": (
        ("y", "x"),
        CLOUDS.astype("uint8") * 70,
        {"scale_factor": 0.01},
        "holds fractions",
    ),
    "letters": (("y", "x"), np.where(CLOUDS, b"c", b"."), {}, "holds no numbers"),
    "meanings only": (("y", "x"), CLOUDS.astype("uint8"), MEANINGS, "flag_meanings without"),
}


@pytest.mark.parametrize("case", UNUSABLE)
def test_masks_that_cannot_be_used_are_warnings(tmp_path: Path, case: str) -> None:
    dims, values, attributes, message = UNUSABLE[case]
    scene = dataset()
    scene["cloud_mask"] = (dims, values, attributes)
    opened = open_scene(write_netcdf(tmp_path / "a.nc", scene))
    (warning,) = opened.attrs["warnings"]
    assert "'cloud_mask'" in warning
    assert message in warning


@pytest.mark.parametrize(
    ("name", "dims", "values"),
    [
        ("bad_band_mask", ("wavelength",), np.ones(4, "uint8")),  # of bands
        ("cloud_free_mask", ("y", "x"), CLOUDS.astype("uint8")),
        ("land_mask", ("y", "x"), CLOUDS * 0.7),
        ("cloud_cover", ("y", "x"), CLOUDS * 0.7),
    ],
)
def test_other_variables_are_no_masks(
    tmp_path: Path, name: str, dims: tuple[str, ...], values: AnyArray
) -> None:
    scene = dataset()
    scene[name] = (dims, values)
    opened = open_scene(write_netcdf(tmp_path / "a.nc", scene))
    assert not opened.attrs.get("warnings")
    assert physical(opened)[1].all()
