"""Masks of EMIT, which are in a file of their own, and flags of PRISMA: they lie on the grid of the scene."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from builders import physical
from emit_cases import FWHM, NM, emit_lookup, write_emit
from mask_cases import masked
from swath_cases import write_prisma_swath

from hsi_geo.arrays import AnyArray
from hsi_geo.io.scenes.mask_option import masked_counts
from hsi_geo.io.scenes.scene import open_scene

EMIT_BANDS = (
    *("Cloud flag", "Cirrus flag", "Water flag", "Spacecraft Flag", "Dilated Cloud Flag"),
    *("AOD550", "H2O (g cm-2)", "Aggregate Flag"),
)


def write_emit_masks(path: Path, shape: tuple[int, int] = (6, 5)) -> AnyArray:
    """A file of masks beside EMIT's reflectance; the (rows, columns, bands) numbers."""
    masks = np.zeros((*shape, 8), "float32")
    masks[1, 2, 0] = masks[3, 1, 4] = masks[4, 3, 1] = masks[2, 0, 2] = masks[..., 5] = 1
    masks[0, 4, :] = -9999
    masks[..., 7] = 1  # of all pixels
    with h5py.File(path, "w") as file:
        file["mask"] = masks
        file["band_mask"] = np.ones((*shape, 36), "uint8")
        file.create_group("sensor_band_parameters")["mask_bands"] = np.array(EMIT_BANDS, "S20")
    return masks


@pytest.mark.parametrize("product", ["L2A_RFL", "L2A_RFLUNCERT", "L1B_RAD"])
def test_emits_masks_are_found_beside_it_and_follow_its_lookup_table(
    tmp_path: Path, product: str
) -> None:
    path = write_emit(tmp_path / f"EMIT_{product}_001_20240101T000000_1_1.nc")
    assert not masked(path, "auto").any()
    masks = write_emit_masks(tmp_path / "EMIT_L2A_MASK_001_20240101T000000_1_1.nc")
    cols, rows = (part - 1 for part in emit_lookup())
    inside = cols >= 0
    for mask, bands in (("auto", [0, 1, 3, 4]), ("water", [2]), ("cirrus", [1])):
        swath = (masks[..., bands] == 1).any(axis=-1)
        on_map = inside & swath[rows, cols] & physical(open_scene(path, mask="none"))[1]
        assert on_map.any()
        np.testing.assert_array_equal(masked(path, mask), on_map)
    assert len(NM) == len(FWHM) == len(open_scene(path))
    assert masked_counts(open_scene(path))["reasons"]["dilated cloud"] == 1


@pytest.mark.parametrize("damage", ["cut", "shape", "text"])
def test_a_damaged_file_of_masks_is_a_warning(tmp_path: Path, damage: str) -> None:
    path = write_emit(tmp_path / "EMIT_L2A_RFL_001_a.nc")
    beside = tmp_path / "EMIT_L2A_MASK_001_a.nc"
    write_emit_masks(beside, (5, 6) if damage == "shape" else (6, 5))
    if damage == "cut":
        beside.write_bytes(beside.read_bytes()[:900])
    elif damage == "text":
        beside.write_text("no netCDF")
    (warning,) = open_scene(path).attrs["warnings"]
    assert warning.startswith(f"the masks in '{beside.name}' are not applied: ")
    assert not masked(path, "auto").any()


@pytest.mark.parametrize("level", ["L1", "L2C"])
def test_prismas_flags_and_defective_pixels(tmp_path: Path, level: str) -> None:
    """A pixel is defective if most bands of a detector are."""
    path = write_prisma_swath(tmp_path / "a.he5", level)
    with h5py.File(path) as file:
        shape = file[f"HDFEOS/SWATHS/PRS_{level}_HCO/Data Fields/VNIR_Cube"].shape[::2]
    defects = {"VNIR": np.zeros((shape[0], 3, shape[1]), "uint8")}
    defects["SWIR"] = np.zeros((shape[0], 2, shape[1]), "uint8")
    defects["VNIR"][4, :2, 5] = 1
    defects["VNIR"][6, :1, 5] = 1  # one band of three
    defects["SWIR"][9, :, 8] = 3
    clouds, cover = np.zeros(shape, "uint8"), np.full(shape, 10, "uint8")
    clouds[2:4, 7], clouds[0] = 1, 255
    cover[12, 3:6], cover[13, 3] = 0, 1
    with h5py.File(path, "a") as file:
        fields = file[f"HDFEOS/SWATHS/PRS_{level}_HCO/Data Fields"]
        for part, cube in defects.items():
            fields[f"{part}_PIXEL_{'SAT' if level == 'L1' else 'L2'}_ERR_MATRIX"] = cube
        if level == "L1":
            fields["Cloud_Mask"], fields["LandCover_Mask"] = clouds, cover
            fields["SunGlint_Mask"] = np.ones((2, 2), "uint8")

    def taken(mask: str) -> list[list[int]]:
        before, after = (
            physical(open_scene(path, mask=one, grid="swath"))[1] for one in ("none", mask)
        )
        return np.argwhere(before & ~after).tolist()

    assert taken("quality") == [[4, 5], [9, 8]]
    assert taken("auto") == (
        [[2, 7], [3, 7], [4, 5], [9, 8]] if level == "L1" else [[4, 5], [9, 8]]
    )
    if level == "L1":
        assert taken("water") == [[12, 3], [12, 4], [12, 5]]
        assert taken("snow") == [[13, 3]]
