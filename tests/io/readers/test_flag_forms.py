"""Forms of flags: attributes of netCDF, masks that only their names explain, and saturated pixels of PACE."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import xarray as xr
from builders import cube_of, physical
from swath_cases import write_pace_l1b

from hsi_geo.arrays import AnyArray
from hsi_geo.io.scenes.mask_option import masked_counts
from hsi_geo.io.scenes.scene import open_scene

# Flags -------------------------------------------------------------------------------------------

#: Attributes that say: 1 is a cloud, 2 a shadow, 3 water; and the name of the variable.
FLAG_FORMS: dict[str, tuple[str, dict[str, Any]]] = {
    "values": ("quality", {"flag_values": np.array([1, 2, 3], "uint8")}),
    "values as text": ("quality", {"flag_values": "1b, 2b, 3b"}),
    "values and masks": (
        "quality",
        {"flag_values": np.array([1, 2, 3]), "flag_masks": np.array([3, 3, 3])},
    ),
}


@pytest.mark.parametrize("form", FLAG_FORMS)
@pytest.mark.parametrize("meanings", ["cloud shadow water", "cloud, shadow, water"])
def test_classes_of_flags(form: str, meanings: str, tmp_path: Path) -> None:
    name, attrs = FLAG_FORMS[form]
    flags = np.zeros((5, 7), "uint8")
    flags[0, :2], flags[1, 1], flags[2, :4] = 1, 2, 3
    path = write_flagged(tmp_path / "a.nc", name, flags, {**attrs, "flag_meanings": meanings})
    counts = masked_counts(open_scene(path))
    assert counts["reasons"] == {"cloud": 2, "shadow": 1}
    assert masked_counts(open_scene(path, mask="water"))["masked_px"] == 4


@pytest.mark.parametrize(
    ("name", "reasons"),
    [
        ("cloud_mask", {"cloud": 2}),
        ("Cirrus_Flag", {"cirrus": 2}),
        ("cloud_free_mask", {}),
        ("valid_mask", {}),
        ("mask", {}),
        ("elevation", {}),
    ],
)
def test_masks_that_only_their_names_explain(
    name: str, reasons: dict[str, int], tmp_path: Path
) -> None:
    flags = np.zeros((5, 7), "uint8")
    flags[0, :2], flags[3, 3] = 1, 255
    path = write_flagged(tmp_path / "a.nc", name, flags, {})
    assert masked_counts(open_scene(path))["reasons"] == reasons


def write_flagged(path: Path, name: str, flags: AnyArray, attrs: dict[str, Any]) -> Path:
    scene = xr.Dataset(
        {
            "reflectance": (("wavelength", "y", "x"), cube_of(3).astype("float32")),
            name: (("y", "x"), flags, attrs),
        },
        coords={
            "wavelength": ("wavelength", [450.0, 550.0, 660.0], {"units": "nm"}),
            "y": 5e6 - 30.0 * np.arange(5),
            "x": 4e5 + 30.0 * np.arange(7),
        },
    )
    scene.rio.write_crs("EPSG:32633").to_netcdf(path, engine="h5netcdf")
    return path


# PACE --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["rhot", "Lt"])
def test_saturated_pixels_of_pace(kind: str, tmp_path: Path) -> None:
    """A pixel is masked if most bands of a detector are saturated."""
    path, swath = write_pace_l1b(tmp_path / "a.nc"), tmp_path / "b.nc"
    with h5py.File(path, "r+") as file:
        for part in ("blue", "red", "SWIR"):
            file.move(f"observation_data/rhot_{part}", f"observation_data/{kind}_{part}")
        file["observation_data/qual_blue"][:2, 9, 9] = 1  # 2 of 3
        file["observation_data/qual_red"][:1, 12, 9] = 1  # 1 of 2
        file["observation_data/qual_SWIR"][:, 20, 4:6] = 1
        file["observation_data/qual_SWIR"][:, 30] = 255
    scene = open_scene(path, grid="swath")
    assert scene.attrs["driver"] == "PACE OCI L1B" + " radiance" * (kind == "Lt")
    gone = physical(open_scene(path, grid="swath", mask="none"))[1] & ~physical(scene)[1]
    assert np.argwhere(gone).tolist() == [[9, 9], [20, 4], [20, 5]]
    assert masked_counts(scene)["reasons"] == {"saturated": 3}
    shutil.copy(path, swath)
    with h5py.File(swath, "r+") as file:
        del file["observation_data/qual_red"]
        file["observation_data/qual_red"] = np.zeros((2, 3, 4), "uint8")
    (warning,) = open_scene(swath).attrs["warnings"]
    assert warning == "its 'qual_red' has 2 x 3 x 4 numbers and the cube 2 x 34 x 23: not used"
