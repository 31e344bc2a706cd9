"""Axes and coordinates of arrays that users changed with xarray, or made themselves."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pytest
import xarray as xr

from hsi_geo.errors import SceneError
from hsi_geo.io.scenes.properties import grid_of
from hsi_geo.io.scenes.scene import open_scene

if TYPE_CHECKING:
    from planted import Planted

Change = Callable[[xr.DataArray], xr.DataArray]

# Coordinates ----------------------------------------------------------------------------------

UNEVEN: dict[str, tuple[Change, str]] = {
    "rows left out": (
        lambda s: s.isel(y=np.r_[0:12, 20:37]),
        "'y' that are not evenly spaced: rows 12 and 13",
    ),
    "gap in columns": (
        lambda s: xr.concat([s.isel(x=slice(15)), s.isel(x=slice(30, 53))], "x"),
        "'x' that are not evenly spaced: columns 15 and 16",
    ),
    "gap in the middle": (lambda s: s.isel(x=np.r_[0:20, 33:53]), "columns 20 and 21"),
    "ends of the file": (
        lambda s: s.isel(x=np.r_[0:5, 6, 6:53]),  # as long as the file, with its first and last
        "columns 5 and 6",
    ),
    "parts exchanged": (
        lambda s: xr.concat([s.isel(x=slice(30, 53)), s.isel(x=slice(30))], "x"),
        "columns 23 and 24",
    ),
    "one place twice": (lambda s: s.isel(y=[3, 3]), "rows 1 and 2"),
    "padded": (
        lambda s: s.pad(x=2, constant_values=-999),
        "no number for coordinate 'x' in column 1",
    ),
    "no x": (lambda s: s.isel(x=slice(10, 53)).drop_vars("x"), "no coordinate x"),
    "no y": (lambda s: s.drop_vars("y"), "no coordinate y"),
    "x by pixel": (
        lambda s: s.assign_coords(x=(("y", "x"), np.ones(s.shape[1:]))),
        "'x' that is not one number for each column",
    ),
    "x as text": (lambda s: s.assign_coords(x=[f"c{n}" for n in range(53)]), "one number for each"),
    "no pixel": (lambda s: s.isel(y=slice(0)), "no row"),
}


@pytest.mark.parametrize("case", UNEVEN)
def test_uneven_coordinates_are_refused_with_their_place(planted: Planted, case: str) -> None:
    change, said = UNEVEN[case]
    with pytest.raises(SceneError, match=said):
        grid_of(open_scene(change(open_scene(planted.path))))


EVEN: dict[str, tuple[Change, tuple[int, int, int, int]]] = {
    # the first pixel and the distance to the next one, in rows and columns of the file
    "slice": (lambda s: s.isel(y=slice(3, 30), x=slice(7, 50)), (3, 1, 7, 1)),
    "every third": (lambda s: s.isel(y=slice(1, None, 3), x=slice(2, None, 2)), (1, 3, 2, 2)),
    "south up": (lambda s: s.sortby("y"), (36, -1, 0, 1)),
    "mirrored": (lambda s: s.sortby("x", ascending=False), (0, 1, 52, -1)),
    "one pixel": (lambda s: s.isel(y=[9], x=[4]), (9, 1, 4, 1)),
    "without a transform": (lambda s: s.isel(x=slice(5, 9)).drop_vars("spatial_ref"), (0, 1, 5, 1)),
    "float32": (lambda s: s.assign_coords(x=s["x"].astype("float32")), (0, 1, 0, 1)),
}


@pytest.mark.parametrize("case", EVEN)
def test_even_coordinates_give_the_grid(planted: Planted, case: str) -> None:
    change, (row, rows, col, cols) = EVEN[case]
    found = grid_of(open_scene(change(open_scene(planted.path)))).transform
    for here in (0.5, 1.5):
        expected = planted.transform @ (
            col + 0.5 + cols * (here - 0.5),
            row + 0.5 + rows * (here - 0.5),
        )
        assert found @ (here, here) == pytest.approx(expected, abs=1e-6)


# Axes -----------------------------------------------------------------------------------------

ORDERS: dict[str, Change] = {
    "rows first": lambda s: s.transpose("y", "x", "band"),
    "columns before rows": lambda s: s.transpose("band", "x", "y"),
    "time": lambda s: s.expand_dims("time"),
    "time at the end": lambda s: s.expand_dims(time=[3]).transpose("y", "x", "band", "time"),
    "wavelength": lambda s: s.swap_dims(band="wavelength"),
    "wavelength without numbers": lambda s: s.swap_dims(band="wavelength").drop_vars("band"),
    "other name": lambda s: s.drop_vars("band").rename(band="channel"),
    "wavelength and time": lambda s: s.swap_dims(band="wavelength").expand_dims(time=[3]),
    "band as a scalar": lambda s: (
        s.swap_dims(band="wavelength").drop_vars("band").assign_coords(band=3)
    ),
}


@pytest.mark.parametrize("case", ORDERS)
def test_axes_in_any_order_are_found_by_name(planted: Planted, case: str) -> None:
    scene = open_scene(planted.path)
    changed = ORDERS[case](scene)
    for found in (open_scene(changed), open_scene(changed, wavelengths="400:900")):
        assert found.dims == ("band", "y", "x")
        np.testing.assert_array_equal(found.values, planted.values)
        assert found.hsi.grid.transform == planted.transform
    np.testing.assert_array_equal(open_scene(changed)["wavelength"], planted.centres_nm)
    image, valid = changed.hsi.read()
    np.testing.assert_array_equal(valid, planted.truth > 0)
    assert image.shape == scene.shape


OTHER_AXES: dict[str, Change] = {
    "one band": lambda s: s.isel(band=3),
    "one row": lambda s: s.isel(y=3),
    "geographic names": lambda s: s.rename(y="latitude", x="longitude"),
    "two dates": lambda s: xr.concat([s, s], "time"),
    "two further": lambda s: xr.concat([s, s], "time").drop_vars("band").rename(band="channel"),
    "nothing": lambda s: s.mean(),
}


@pytest.mark.parametrize("case", OTHER_AXES)
def test_other_axes_are_refused_with_their_names(planted: Planted, case: str) -> None:
    changed = OTHER_AXES[case](open_scene(planted.path).load())
    with pytest.raises(
        SceneError, match=f"has the axes {', '.join(map(str, changed.dims)) or 'none'}, and"
    ):
        open_scene(changed)


def test_a_part_without_coordinates_is_refused(planted: Planted) -> None:
    whole = open_scene(planted.path).drop_vars(["x", "y"])
    assert grid_of(whole).transform == planted.transform
    with pytest.raises(SceneError, match="no coordinate x and y, and its pixels are not"):
        grid_of(whole.isel(x=slice(10, 53)))
