"""Margins of tiles: which values of neighbours are used."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from builders import cube_of

from hsi_geo.arrays import AnyArray, IndexArray
from hsi_geo.errors import SceneError
from hsi_geo.io.scenes.neighbours import MosaicPixels, NeighbourSource
from hsi_geo.tiling import Window


@dataclass(frozen=True, eq=False)
class Values:
    """Pixels in memory."""

    cube: AnyArray

    def read(self, bands: IndexArray, window: Window) -> AnyArray:
        rows, cols = window.slices
        return self.cube[bands][:, rows, cols]


def pair(left: AnyArray, right: AnyArray, nodata: float = np.nan) -> MosaicPixels:
    """Two files side by side, with the left one as the tile."""
    height, width = left.shape[1:]
    missing = np.full(len(left), nodata)
    sources = tuple(
        NeighbourSource(Values(cube), Window(0, number * width, height, width), missing, number)
        for number, cube in enumerate((left, right))
    )
    return MosaicPixels(sources, missing, left.dtype)


OWN = 0.1 + cube_of(9, 16, 20, "float32") / 1e4
ALL = np.arange(9)


@pytest.mark.parametrize("factor", [1e4, 2e3, 1e-4])
@pytest.mark.parametrize("window", [Window(0, 10, 16, 20), Window(3, 20, 1, 1)], ids=str)
def test_values_on_another_scale_are_missing(factor: float, window: Window) -> None:
    pixels = pair(OWN, (OWN * factor).astype("float32"))
    read = pixels.read(ALL, window)
    own = 20 - window.col
    np.testing.assert_array_equal(read[:, :, :own], OWN[:, window.slices[0], window.col :])
    assert np.isnan(read[:, :, own:]).all()
    assert pixels.other_scale == {1}
    assert not pixels.unread


@pytest.mark.parametrize("factor", [1.0, -1.0, 90.0, 1 / 90, 0.0])
def test_values_of_bright_and_dark_neighbours_are_used(factor: float) -> None:
    right = (OWN * np.float32(factor)).astype("float32")
    pixels = pair(OWN, right)
    read = pixels.read(ALL, Window(0, 10, 16, 20))
    np.testing.assert_array_equal(read[:, :, 10:], right[:, :, :10])
    assert not pixels.other_scale


@pytest.mark.parametrize("factor", [990.0, 1010.0])
def test_two_files_agree_whether_they_fit(factor: float) -> None:
    """Whatever parts of them are read: a tile takes over windows that its neighbour has computed."""
    other = (OWN * np.float32(factor)).astype("float32")
    other[:, :, :3] /= 50
    found = set()
    for first, second in ((OWN, other), (other, OWN)):
        for window in (Window(0, 20, 16, 3), Window(0, 20, 16, 20)):
            pixels = pair(first, second)
            pixels.read(ALL, window)
            found.add(bool(pixels.other_scale))
    assert len(found) == 1


def test_pixels_without_data_say_nothing_of_a_scale() -> None:
    right = OWN.copy()
    right[:, :, :15] = -1e6
    assert pair(OWN, right, nodata=-1e6).read(ALL, Window(0, 20, 16, 20)).tolist() == right.tolist()
    empty = pair(np.full_like(OWN, -1e6), OWN * 1e4, nodata=-1e6)
    np.testing.assert_array_equal(empty.read(ALL, Window(0, 20, 16, 20)), OWN * 1e4)


@dataclass(frozen=True, eq=False)
class Damaged(Values):
    """Pixels of which some rows cannot be read."""

    def read(self, bands: IndexArray, window: Window) -> AnyArray:
        if window.row >= 8:
            raise SceneError("these rows are damaged", hint="copy the file again")
        return super().read(bands, window)


@pytest.mark.parametrize("damaged", [0, 1])
def test_damage_far_from_the_margin_costs_no_pixel(damaged: int) -> None:
    pixels = pair(OWN, OWN)
    sources = list(pixels.sources)
    sources[damaged] = replace(sources[damaged], pixels=Damaged(OWN))
    pixels = replace(pixels, sources=tuple(sources))
    read = pixels.read(ALL, Window(0, 10, 5, 20))
    np.testing.assert_array_equal(read, np.concatenate([OWN[:, :5, 10:], OWN[:, :5, :10]], axis=2))
    assert not pixels.unread


def test_levels_are_kept_from_tile_to_tile() -> None:
    pixels = pair(OWN, OWN)
    pixels.read(ALL, Window(0, 20, 2, 2))
    assert set(pixels.levels) == {0, 1}
    pixels.levels[1] = 1e9
    pixels.read(ALL, Window(0, 20, 2, 2))
    assert pixels.other_scale == {1}
