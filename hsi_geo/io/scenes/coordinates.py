"""Axes and coordinates of arrays that were changed after they were opened, or made elsewhere."""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np
import xarray as xr
from affine import Affine

from hsi_geo.arrays import Float64Array
from hsi_geo.errors import SceneError
from hsi_geo.io.readers.cf_coordinates import TOLERANCE_PX
from hsi_geo.io.scenes.grid_mapping import read_transform

#: Axes of a scene, in this order.
AXES = ("band", "y", "x")

#: What the places along an axis are called.
_PLACES = {"y": "row", "x": "column"}

#: Coordinates are those of the written transform if none deviates by more than this share of a pixel.
_SAME_PX = 1e-3


def in_order(scene: xr.DataArray, name: str) -> xr.DataArray:
    """The array with the axes band, y and x in this order; the same array if it has them.

    Axes of length 1 are dropped. The only third axis is taken for the bands, whatever its name is.

    Args:
        scene: Array with axes named y and x.
        name: Name of the scene, for messages.

    Raises:
        SceneError: If these are not its axes.

    Example:
        >>> cube = xr.DataArray(np.ones((3, 4, 1, 2)), dims=("y", "x", "time", "wavelength"))
        >>> ordered = in_order(cube, "a")
        >>> ordered.dims, ordered.shape
        (('band', 'y', 'x'), (2, 3, 4))
    """
    if scene.dims == AXES:
        return scene
    dims = ", ".join(map(str, scene.dims)) or "none"
    others = [axis for axis in scene.dims if axis not in AXES]
    of_bands = "band" if "band" in scene.dims else _axis_of_bands(scene, others)
    kept = {of_bands, "y", "x"}
    scene = scene.squeeze([axis for axis in others if scene.sizes[axis] == 1 and axis != of_bands])
    if set(scene.dims) != kept:
        raise SceneError(
            f"scene '{name}' has the axes {dims}, and a scene has band, y and x",
            hint="rename its axes, and select one place along each axis that is left, such as "
            "scene.isel(time=0)",
        )
    if of_bands is not None and of_bands != "band":
        if "band" in scene.coords and scene["band"].dims != (of_bands,):
            scene = scene.drop_vars("band")
        scene = scene.swap_dims({of_bands: "band"})
    return scene.transpose(*AXES)


def _axis_of_bands(scene: xr.DataArray, others: list[Hashable]) -> Hashable | None:
    """The axis that is no other's, of an array without an axis named band."""
    long = [axis for axis in others if scene.sizes[axis] != 1]
    candidates = long or others
    return candidates[0] if len(candidates) == 1 else None


def transform_of(scene: xr.DataArray, name: str) -> Affine:
    """The affine as the file has it; from the coordinates where a scene was cut or has none.

    Args:
        scene: (..., y, x) array.
        name: Name of the scene, for messages.

    Raises:
        SceneError: If the coordinates are not evenly spaced, or one of them is missing.
    """
    transform = read_transform(scene)
    missing = [axis for axis in ("x", "y") if axis not in scene.coords]
    if missing:
        _require_uncut(scene, missing, name)
        return Affine.identity() if transform is None else transform
    x, y = (_numbers(scene, axis, name) for axis in ("x", "y"))
    if transform is not None and not (transform.b or transform.d):
        cols = (x - transform.c) / transform.a - np.arange(len(x)) - 0.5
        rows = (y - transform.f) / transform.e - np.arange(len(y)) - 0.5
        if max(np.abs(cols).max(), np.abs(rows).max()) <= _SAME_PX:
            return transform
    xres = _step(x, "x", transform.a if transform else 1.0, name)
    yres = _step(y, "y", transform.e if transform else 1.0, name)
    return Affine(xres, 0.0, float(x[0]) - xres / 2, 0.0, yres, float(y[0]) - yres / 2)


def _require_uncut(scene: xr.DataArray, missing: list[str], name: str) -> None:
    """Refuse an array without coordinates, if the transform that it kept is of another size."""
    opened = scene.encoding.get("opened")
    has_grid = read_transform(scene) is not None
    if (len(missing) == 1 and has_grid) or (
        opened is not None and scene.shape[-2:] != opened.grid.shape
    ):
        raise SceneError(
            f"scene '{name}' has no coordinate {' and '.join(missing)}, and its pixels are not those of the file",
            hint="keep the coordinates x and y when you select pixels",
        )


def _numbers(scene: xr.DataArray, axis: str, name: str) -> Float64Array:
    """(N,) finite coordinates along an axis."""
    try:
        values = np.asarray(scene[axis].values, np.float64)
    except (TypeError, ValueError):
        values = np.array(np.nan)
    if values.shape != (scene.sizes.get(axis),):
        raise SceneError(
            f"scene '{name}' has a coordinate '{axis}' that is not one number for each {_PLACES[axis]}",
            hint=f"assign the {axis} of the pixel centres to it",
        )
    if not len(values):
        raise SceneError(f"scene '{name}' has no {_PLACES[axis]}", hint="select at least one pixel")
    if not np.isfinite(values).all():
        where = int(np.flatnonzero(~np.isfinite(values))[0])
        raise SceneError(
            f"scene '{name}' has no number for coordinate '{axis}' in {_PLACES[axis]} {where + 1}",
            hint="assign the coordinates of the pixel centres: scene.pad() of xarray leaves them out",
        )
    return values


def _step(values: Float64Array, axis: str, single: float, name: str) -> float:
    """Distance from one coordinate to the next.

    Args:
        values: (N,) finite coordinates.
        axis: Name of the axis.
        single: The distance if there is only one coordinate.
        name: Name of the scene.

    Raises:
        SceneError: If they are not evenly spaced.
    """
    if len(values) == 1:
        return single
    step = float(values[-1] - values[0]) / (len(values) - 1)
    even = values[0] + step * np.arange(len(values))
    if step and np.abs(values - even).max() <= TOLERANCE_PX * abs(step):
        return step
    steps = np.diff(values)
    gap = int(np.abs(steps - np.median(steps)).argmax())
    raise SceneError(
        f"scene '{name}' has coordinates '{axis}' that are not evenly spaced: {_PLACES[axis]}s {gap + 1} and "
        f"{gap + 2} are at {values[gap]:.10g} and {values[gap + 1]:.10g}",
        hint=f"sort them with scene.sortby('{axis}'), fill the gap with scene.reindex({axis}=...), or use the "
        "parts as scenes of a list",
    )
