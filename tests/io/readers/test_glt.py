"""Swaths on a map grid by a lookup table, as in EMIT products."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from affine import Affine
from builders import physical, write_tif
from emit_cases import FWHM, NM, emit_lookup, emit_swath, write_emit
from hypothesis import given, settings
from hypothesis import strategies as st
from product_cases import ENMAP, write_enmap

from hsi_geo.arrays import AnyArray
from hsi_geo.errors import SceneError
from hsi_geo.io.readers.glt import GltPixels, glt_fill_value
from hsi_geo.io.scenes.properties import bands_of, grid_of
from hsi_geo.io.scenes.scene import open_scene
from hsi_geo.tiling import Window


def emit_map() -> AnyArray:
    """(4, 9, 8) the expected map, computed pixel by pixel."""
    glt_x, glt_y = emit_lookup()
    expected = np.full((4, 9, 8), -9999.0, np.float32)
    for row, col in np.argwhere(glt_x):
        expected[:, row, col] = emit_swath()[glt_y[row, col] - 1, glt_x[row, col] - 1]
    return expected


def test_emit_swath_is_read_on_its_map_grid(tmp_path: Path) -> None:
    scene = open_scene(write_emit(tmp_path / "EMIT_L2A_RFL.nc"))
    np.testing.assert_array_equal(scene.values, emit_map())
    bands = bands_of(scene)
    np.testing.assert_allclose(bands.centres_nm, NM)
    np.testing.assert_allclose(bands.fwhm_nm, FWHM)
    np.testing.assert_array_equal(bands.good, [True, False, False, True])
    assert scene.attrs["bad_band_source"] == "good_wavelengths"
    _, valid = physical(scene)
    np.testing.assert_array_equal(valid, emit_map()[0] != -9999)
    grid = grid_of(scene)
    assert grid.transform.almost_equals(Affine(0.001, 0, 10, 0, -0.002, 50))
    assert grid.crs is not None
    assert grid.crs.to_epsg() == 4326


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int8", "int16", "float32", "float64"])
def test_glt_fill_value_fits_the_type(dtype: str) -> None:
    """-9999 would become data in a type that cannot hold it."""
    fill = glt_fill_value(None, np.dtype(dtype))
    assert np.full(1, fill, dtype)[0] == fill
    assert glt_fill_value(-1.0, np.dtype(dtype)) == -1.0


def test_a_lookup_table_without_a_geotransform_is_refused(tmp_path: Path) -> None:
    path = write_emit(tmp_path / "a.nc")
    with h5py.File(path, "r+") as file:
        del file.attrs["geotransform"]
    with pytest.raises(SceneError, match="lookup table of 8 x 9 pixels and no geotransform"):
        open_scene(path)


class _Cube:
    """Pixels in memory that record the windows that are read."""

    def __init__(self, cube: AnyArray) -> None:
        self.cube, self.windows = cube, list[Window]()

    def read(self, bands: Any, window: Window) -> AnyArray:
        self.windows.append(window)
        return np.asarray(self.cube[bands][:, *window.slices])


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 999), rows_at_once=st.integers(1, 400), data=st.data())
def test_glt_window_equals_the_part_of_the_whole_map(
    seed: int, rows_at_once: int, data: st.DataObject
) -> None:
    generator = np.random.default_rng(seed)
    swath = generator.integers(1, 999, (3, 300, 7))
    lookup = np.stack(
        [generator.integers(-8, 9, (11, 13)), generator.integers(-310, 311, (11, 13))]
    )
    pixels = GltPixels(_Cube(swath), (300, 7), _Cube(lookup), -1, swath.dtype, rows_at_once)
    top, left = data.draw(st.integers(0, 10)), data.draw(st.integers(0, 12))
    window = Window(
        top, left, data.draw(st.integers(1, 11 - top)), data.draw(st.integers(1, 13 - left))
    )
    bands = np.array(data.draw(st.permutations(range(3)))[: data.draw(st.integers(1, 3))])
    expected = np.full((3, 11, 13), -1)
    for row, col in np.ndindex(11, 13):
        x, y = np.abs(lookup[:, row, col])
        if 0 < x <= 7 and 0 < y <= 300:
            expected[:, row, col] = swath[:, y - 1, x - 1]
    np.testing.assert_array_equal(pixels.read(bands, window), expected[bands][:, *window.slices])


def test_glt_window_reads_only_its_part_of_the_swath() -> None:
    rows, cols = np.indices((1000, 20))
    swath = _Cube(np.zeros((2, 1000, 20), np.float32))
    pixels = GltPixels(swath, (1000, 20), _Cube(np.stack([cols, rows]) + 1), 0, swath.cube.dtype)
    pixels.read(np.array([0]), Window(640, 3, 64, 5))
    assert swath.windows == [Window(640, 3, 64, 5)]


def test_a_swath_is_opened_again_while_it_is_open(tmp_path: Path) -> None:
    """A cell of a notebook that is run again; HDF5 refuses it where the two differ in locking."""
    path = write_emit(tmp_path / "emit.nc")
    first = open_scene(path)
    values = first.values
    np.testing.assert_array_equal(open_scene(path).values, values)


def test_defects_of_single_bands_count_on_another_grid(tmp_path: Path) -> None:
    folder = write_enmap(tmp_path / "enmap")
    defects = np.zeros((7, 5, 7), "uint8")
    defects[0, 4, :], defects[5, 3, 2] = 1, 1
    write_tif(folder / f"{ENMAP}-QL_PIXELMASK.TIF", defects)
    own, placed = (open_scene(folder, grid=grid) for grid in (None, "EPSG:32632"))
    at = open_scene(
        folder, grid="EPSG:32632", mask="none"
    ).values  # numbers of `cube_of` tell the pixel
    for band, row, cols in ((0, 4, range(7)), (5, 3, [2])):
        stored = open_scene(folder, mask="none").values[band, row, list(cols)]
        where = np.isin(at[band], stored)
        assert where.any()
        assert not np.isin(placed.values[band][where], stored).any()
        assert not np.isin(own.values[band], stored).any()
    assert (placed.values[1] == at[1]).sum() > 0
    window = placed[[5, 0], 2:5, 1:6]
    np.testing.assert_array_equal(window.values, placed.values[[5, 0], 2:5, 1:6])
