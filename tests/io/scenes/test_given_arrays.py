"""What can be done with an array of `open_scene`, and what only with a file."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import xarray as xr

from hsi_geo.errors import OptionError
from hsi_geo.io.scenes.lazy import files_with_values
from hsi_geo.io.scenes.scene import open_scene

if TYPE_CHECKING:
    from planted import Planted


@pytest.mark.parametrize(
    "option",
    [{"mask": "clouds"}, {"grid": "EPSG:4326"}, {"pixel_size": 60.0}, {"dem": "heights.tif"}],
    ids=["mask", "grid", "pixel size", "heights"],
)
def test_options_of_reading_are_refused_for_arrays(
    planted: Planted, option: dict[str, Any]
) -> None:
    """Grid, pixel size and heights were ignored without a word."""
    scene = open_scene(planted.path)
    (name,) = option
    with pytest.raises(OptionError, match=f"is an array, and {name}= is applied when a file"):
        open_scene(scene, **option)
    assert open_scene(scene, mask="none", straighten=False) is scene


COPIES: dict[str, Callable[[xr.DataArray], xr.DataArray]] = {
    "itself": lambda scene: scene,
    "deep copy": copy.deepcopy,
    "pickled": lambda scene: pickle.loads(pickle.dumps(scene)),
    "part": lambda scene: scene.isel(x=slice(2, 40)),
}


@pytest.mark.parametrize("copied", list(COPIES.values()), ids=list(COPIES))
def test_values_can_be_assigned_to_a_scene(
    planted: Planted, copied: Callable[[xr.DataArray], xr.DataArray]
) -> None:
    """To mask pixels, for example. It ended in an error of an inner class."""
    opened = open_scene(planted.path)
    scene = copied(opened)
    before, valid = scene.hsi.read()
    assert files_with_values(scene) is not None
    rows = slice(20, 23)
    scene[:, rows] = scene.attrs["_FillValue"]
    after, left = open_scene(scene).copy(deep=False).hsi.read()
    kept = np.ones(valid.shape, bool)
    kept[rows] = False
    assert np.array_equal(left, valid & kept)
    assert np.array_equal(after[:, left], before[:, left])
    assert files_with_values(scene) is None  # another scene than the file
    if scene is not opened:
        assert files_with_values(opened) is not None
        assert opened.hsi.read()[1][rows].any()
