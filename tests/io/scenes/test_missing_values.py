"""Pixels and bands without data, and the values that fill them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from builders import CENTRES, cube_of, nm_tags, physical, write_tif

from hsi_geo.arrays import AnyArray, BoolArray
from hsi_geo.io.scenes.properties import select_good_bands
from hsi_geo.io.scenes.scene import open_scene


def nearest_band_fill(values: AnyArray, present: BoolArray) -> AnyArray:
    """The rule of `read_window` for (C, H, W) in plain loops; ties take the earlier band."""
    filled = np.zeros(values.shape, np.float32)
    for band, row, col in np.ndindex(*values.shape):
        known = np.flatnonzero(present[:, row, col])
        if known.size:
            filled[band, row, col] = values[known[np.abs(known - band).argmin()], row, col]
    return filled


@pytest.mark.parametrize("gap", [-999.0, np.nan, np.inf, -np.inf])
def test_read_window_fills_gaps_from_the_nearest_band(tmp_path: Path, gap: float) -> None:
    generator = np.random.default_rng(5)
    cube = cube_of(6, dtype="float32")
    present = generator.random(cube.shape) > 0.6
    present[:, 2, 3] = False
    present[:, 0, 0] = True
    stored = np.where(present, cube, np.float32(gap)).astype(np.float32)
    centres = nm_tags([500.0 + 10 * band for band in range(6)])
    path = write_tif(tmp_path / "a.tif", stored, band_tags=centres, nodata=-999.0)
    image, valid = physical(open_scene(path))
    np.testing.assert_array_equal(valid, present.any(axis=0))
    np.testing.assert_array_equal(image, nearest_band_fill(cube, present))


def test_read_window_without_nodata_value_takes_all_zeros_as_missing(
    tmp_path: Path,
) -> None:
    cube = cube_of(3)
    cube[:, 1, 2] = 0
    cube[:2, 3, 4] = 0
    image, valid = physical(
        open_scene(write_tif(tmp_path / "a.tif", cube, band_tags=nm_tags(CENTRES[:3])))
    )
    assert np.argwhere(~valid).tolist() == [[1, 2]]
    np.testing.assert_array_equal(image, cube)


def test_read_window_keeps_zeros_beside_another_nodata_value(tmp_path: Path) -> None:
    cube = cube_of(2)
    cube[:, 1, 2] = 0
    path = write_tif(tmp_path / "a.tif", cube, band_tags=nm_tags(CENTRES[:2]), nodata=-1)
    assert physical(open_scene(path))[1].all()


def test_read_window_keeps_zeros_of_a_single_band(tmp_path: Path) -> None:
    cube = cube_of(1)
    cube[0, 1, 2] = 0
    path = write_tif(tmp_path / "a.tif", cube, band_tags=nm_tags(CENTRES[:1]))
    assert physical(open_scene(path))[1].all()


def test_read_window_takes_declared_zeros_as_missing_in_each_band(tmp_path: Path) -> None:
    cube = cube_of(3)
    cube[:, 1, 2] = 0
    cube[1, 3, 4] = 0
    path = write_tif(tmp_path / "a.tif", cube, band_tags=nm_tags(CENTRES[:3]), nodata=0)
    image, valid = physical(open_scene(path))
    assert np.argwhere(~valid).tolist() == [[1, 2]]
    assert image[1, 3, 4] == cube[0, 3, 4]


def test_read_window_recognises_a_rounded_nodata_value(tmp_path: Path) -> None:
    cube = cube_of(2, dtype="float32")
    cube[:, 4, 1] = np.float32(-0.1)
    path = write_tif(tmp_path / "a.tif", cube, band_tags=nm_tags(CENTRES[:2]), nodata=-0.1)
    assert np.argwhere(~physical(open_scene(path))[1]).tolist() == [[4, 1]]


def test_read_window_scales_selected_bands_with_their_own_scale(tmp_path: Path) -> None:
    cube = cube_of(3)
    cube[:, 2, 5] = -7
    path = write_tif(
        tmp_path / "a.tif",
        cube,
        band_tags=nm_tags((900.0, 500.0, 700.0)),
        scales=(0.1, 0.01, 0.001),
        offsets=(1.0, -2.0, 0.5),
        nodata=-7,
    )
    image, valid = physical(select_good_bands(open_scene(path)))
    expected = np.stack([cube[1] * 0.01 - 2.0, cube[2] * 0.001 + 0.5, cube[0] * 0.1 + 1.0])
    assert np.argwhere(~valid).tolist() == [[2, 5]]
    np.testing.assert_allclose(image, np.where(valid, expected, 0.0), rtol=1e-5)


def test_read_window_uses_the_nodata_value_of_each_band(tmp_path: Path) -> None:
    cube = cube_of(3)
    cube[0, 1, 1], cube[1, 1, 1], cube[2, 1, 1] = -1, -2, 9
    cube[0, 2, 2], cube[1, 2, 2] = -2, -1  # the other's value: data
    write_tif(tmp_path / "a.tif", cube)
    bands = "".join(
        f"""<VRTRasterBand dataType="Int16" band="{band}">{nodata}
        <Metadata><MDI key="wavelength">{nm}</MDI></Metadata>
        <SimpleSource><SourceFilename relativeToVRT="1">a.tif</SourceFilename>
        <SourceBand>{band}</SourceBand></SimpleSource></VRTRasterBand>"""
        for band, nm, nodata in (
            (1, 900, "<NoDataValue>-1</NoDataValue>"),
            (2, 800, "<NoDataValue>-2</NoDataValue>"),
            (3, 700, ""),
        )
    )
    vrt = tmp_path / "a.vrt"
    vrt.write_text(
        f"""<VRTDataset rasterXSize="7" rasterYSize="5">
        <GeoTransform>383472.5, 30, 0, 5818302.25, 0, -20</GeoTransform>{bands}</VRTDataset>"""
    )
    image, valid = physical(select_good_bands(open_scene(vrt)))
    assert valid.all()
    np.testing.assert_array_equal(image[:, 1, 1], [9, 9, 9])
    np.testing.assert_array_equal(image[:, 2, 2], [cube[2, 2, 2], -1, -2])
