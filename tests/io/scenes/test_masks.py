"""Masks of every kind, in scenes, shots, maps and references."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import rasterio
from builders import CENTRES, cube_of, model_for, nm_tags, physical, write_envi, write_tif

from hsi_geo import assess, predict
from hsi_geo.io.labels.shot_reading import read_shots
from hsi_geo.io.maps.reader import read_map
from hsi_geo.io.scenes.scene import open_scene
from hsi_geo.io.scenes.windows import read_window
from hsi_geo.tasks.artifacts.model import save_model
from hsi_geo.tasks.info import info
from hsi_geo.tiling import Window

if TYPE_CHECKING:
    from planted import Planted

#: Not symmetric: rows 2 and 3, columns 1 to 4.
VALID = np.ones((5, 7), bool)
VALID[2:4, 1:5] = False

Make = Callable[[Path, str], Path]


def masked(path: Path, *, internal: bool) -> Path:
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=internal),
        rasterio.open(path, "r+") as file,
    ):
        file.write_mask(VALID)
    return path


def unmasked(path: Path, dtype: str, **how: Any) -> Path:
    return write_tif(path, cube_of(3, dtype=dtype), band_tags=nm_tags(CENTRES[:3]), **how)


def internal(folder: Path, dtype: str) -> Path:
    return masked(unmasked(folder / "a.tif", dtype), internal=True)


def side_file(folder: Path, dtype: str) -> Path:
    return masked(unmasked(folder / "a.tif", dtype), internal=False)


def beside_a_nodata_value(folder: Path, dtype: str) -> Path:
    return masked(unmasked(folder / "a.tif", dtype, nodata=120), internal=True)


def alpha(folder: Path, dtype: str, **how: Any) -> Path:
    """As gdalwarp -dstalpha writes it, with wavelengths of the spectral bands only."""
    opaque = 255 if dtype == "uint8" else 1
    cube = np.concatenate([cube_of(3, dtype=dtype), np.where(VALID, opaque, 0)[None].astype(dtype)])
    return write_tif(
        folder / "a.tif",
        cube,
        tags={"wavelength": str(CENTRES[:3])},
        photometric="RGB",
        alpha="YES",
        **how,
    )


def alpha_in_the_midst(folder: Path, dtype: str) -> Path:
    first, *others = cube_of(3, dtype=dtype)
    cube = np.stack([first, np.where(VALID, 1, 0).astype(dtype), *others])
    tags = {"wavelength": str(CENTRES[:3])}
    how: dict[str, Any] = {"photometric": "MINISBLACK", "alpha": "YES"}
    return write_tif(folder / "a.tif", cube, tags=tags, **how)


def alpha_and_nodata(folder: Path, dtype: str) -> Path:
    return alpha(folder, dtype, nodata=120)


def virtual(folder: Path, dtype: str, *masks: str) -> Path:
    """A VRT of an unmasked file, with mask bands after the bands, or in them."""
    unmasked(folder / "a.tif", dtype)
    write_tif(folder / "m.tif", np.where(VALID, 255, 0)[None].astype("uint8"))
    kind = {"uint8": "Byte"}.get(dtype, dtype.capitalize().replace("Ui", "UI"))
    band = (
        '<VRTRasterBand dataType="{kind}" {band}><SimpleSource><SourceFilename relativeToVRT="1">'
        "{file}</SourceFilename><SourceBand>{source}</SourceBand></SimpleSource>{more}"
        "</VRTRasterBand>"
    )
    mask = band.format(kind="Byte", band="", file="m.tif", source=1, more="")
    mask = f"<MaskBand>{mask}</MaskBand>"
    within = mask if "bands" in masks else ""
    text = '<VRTDataset rasterXSize="7" rasterYSize="5"><GeoTransform>0,2,0,9,0,-3</GeoTransform>'
    for number in (1, 2, 3):
        text += band.format(
            kind=kind, band=f'band="{number}"', file="a.tif", source=number, more=within
        )
    text += (mask if "dataset" in masks else "") + "</VRTDataset>"
    (folder / "a.vrt").write_text(text)
    return folder / "a.vrt"


def virtual_mask(folder: Path, dtype: str) -> Path:
    return virtual(folder, dtype, "dataset")


def virtual_masks_of_bands(folder: Path, dtype: str) -> Path:
    return virtual(folder, dtype, "bands")


MAKE: tuple[Make, ...] = (
    internal,
    side_file,
    beside_a_nodata_value,
    alpha,
    alpha_and_nodata,
    alpha_in_the_midst,
    virtual_mask,
    virtual_masks_of_bands,
)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "uint32", "float32", "float64"])
@pytest.mark.parametrize("make", MAKE)
def test_masked_pixels_of_a_scene_have_no_data(make: Make, dtype: str, tmp_path: Path) -> None:
    scene = open_scene(make(tmp_path, dtype))
    assert scene.shape == (3, 5, 7)
    image, valid = physical(scene)
    np.testing.assert_array_equal(valid, VALID)
    kept = VALID & (cube_of(3) != 120).all(axis=0) if "nodata" in make.__name__ else VALID
    np.testing.assert_array_equal(image[:, kept], cube_of(3, dtype=dtype)[:, kept])
    part = pickle.loads(pickle.dumps(scene)).isel(band=[2, 0])  # as DataLoader's workers have it
    image, valid = read_window(part, Window(1, 3, 4, 6))
    np.testing.assert_array_equal(valid[:, :4], VALID[1:, 3:])
    assert not valid[:, 4:].any()
    kept = kept[1:, 3:]
    np.testing.assert_array_equal(image[:, :, :4][:, kept], cube_of(3)[[2, 0], 1:, 3:][:, kept])
    described = info(scene)["scene"]
    assert described["nodata_share"] == pytest.approx(8 / 35)
    assert [note for note in described["notes"] if "marks the pixels that have data" in note]


def test_mask_file_beside_an_envi_cube_is_used(tmp_path: Path) -> None:
    units, listed = "wavelength units = Nanometers", "wavelength = {462, 551.5, 640.25}"
    path = write_envi(tmp_path / "cube.bsq", cube_of(3), units, listed)
    masked(path, internal=False)
    np.testing.assert_array_equal(physical(open_scene(path))[1], VALID)


def test_nodata_values_of_all_bands_together_are_used(tmp_path: Path) -> None:
    """GDAL's NODATA_VALUES: a pixel is missing where each band has the value of its own."""
    cube = cube_of(3)
    cube[:, ~VALID] = np.array([5, 6, 7])[:, None]
    cube[0, 0, 0] = 5
    path = unmasked(tmp_path / "a.tif", "int16")
    with rasterio.open(path, "r+") as file:
        file.write(cube)
        file.update_tags(NODATA_VALUES="5 6 7")
    np.testing.assert_array_equal(physical(open_scene(path))[1], VALID)


def test_fourth_byte_band_with_a_wavelength_is_no_alpha_band(
    tmp_path: Path,
) -> None:
    """GDAL calls the fourth of four bands of bytes an alpha band whatever it holds."""
    cube = cube_of(4, dtype="uint8")
    cube[3, 2] = 0
    path = write_tif(tmp_path / "a.tif", cube, band_tags=nm_tags(CENTRES))
    scene = open_scene(path)
    np.testing.assert_array_equal(scene.values, cube)
    assert physical(scene)[1].all()
    assert scene.dtype == np.uint8
    assert "notes" not in scene.attrs


def test_file_without_mask_keeps_its_type_and_values(tmp_path: Path) -> None:
    for nodata in (None, 120):
        scene = open_scene(unmasked(tmp_path / "a.tif", "int16", nodata=nodata))
        assert scene.dtype == np.int16
        assert scene.attrs.get("_FillValue") == nodata
        np.testing.assert_array_equal(scene.values, cube_of(3))


def test_map_has_no_class_in_masked_pixels(planted: Planted, tmp_path: Path) -> None:
    save_model(model_for(planted.path), model := tmp_path / "model")
    valid = np.ones(planted.truth.shape, bool)
    valid[20:31, 2:17] = False
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
        rasterio.open(planted.path, "r+") as file,
    ):
        file.write_mask(valid)
    result = predict(planted.path, model, out=tmp_path / "map.tif")
    with rasterio.open(result.paths.classes) as file:
        classes = file.read(1)
    np.testing.assert_array_equal(classes != 0, valid & (planted.truth != 0))


# Rasters of classes ---------------------------------------------------------------------------


CLASSES = np.array([[1, 1, 1, 2, 2, 2, 2]] * 5, np.uint8)


def class_file(path: Path, kind: str) -> Path:
    if kind == "alpha":
        opaque = np.where(VALID, 255, 0).astype(np.uint8)
        return write_tif(path, np.stack([CLASSES, opaque]), alpha="YES", photometric="MINISBLACK")
    nodata = 0 if kind == "mask and nodata" else None
    write_tif(path, CLASSES[None], nodata=nodata)
    return masked(path, internal=kind != "side file")


KINDS = ("mask", "mask and nodata", "side file", "alpha")


@pytest.mark.parametrize("kind", KINDS)
def test_masked_pixels_of_a_class_raster_are_no_shots(kind: str, tmp_path: Path) -> None:
    shots = read_shots(class_file(tmp_path / "shots.tif", kind))
    assert shots.frame.geometry.area.sum() == pytest.approx(600 * VALID.sum())


@pytest.mark.parametrize("kind", KINDS)
def test_masked_pixels_of_maps_and_references_are_left_out(kind: str, tmp_path: Path) -> None:
    whole = write_tif(tmp_path / "whole.tif", CLASSES[None])
    part = class_file(tmp_path / "part.tif", kind)
    opened = read_map(part)
    counted = {value: int((CLASSES[VALID] == value).sum()) for value in (1, 2)}
    assert opened.counts() == counted
    np.testing.assert_array_equal(opened.thumbnail(100).filled(0), CLASSES * VALID)
    rows, cols = np.indices(VALID.shape).reshape(2, -1)
    np.testing.assert_array_equal(opened.values_at(rows, cols).filled(0), (CLASSES * VALID).ravel())
    assert assess(whole, part).pixels == VALID.sum()


def test_a_nodata_value_that_the_type_cannot_hold_is_none_of_masked_pixels(tmp_path: Path) -> None:
    path = unmasked(tmp_path / "a.bsq", "uint16", driver="ENVI")
    masked(path, internal=False)
    with path.with_suffix(".hdr").open("a") as header:
        header.write(f"\nwavelength = {{{str(CENTRES[:3])[1:-1]}}}\ndata ignore value = -9999\n")
    np.testing.assert_array_equal(open_scene(path).hsi.read()[1], VALID)
