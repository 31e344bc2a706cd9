"""What programs give as scenes: paths, arrays, datasets of one cube, and lists of these."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import xarray as xr

from hsi_geo.errors import SceneError
from hsi_geo.text import quoted


def given_scenes(scenes: Any) -> list[Any]:
    """One scene or several as a list.

    Args:
        scenes: A path, an array, a dataset, or an iterable of these.

    Raises:
        SceneError: If it is empty, or neither a scene nor a list.

    Examples:
        >>> given_scenes("a.tif"), given_scenes(("a.tif", "b.tif"))
        (['a.tif'], ['a.tif', 'b.tif'])
    """
    is_one = isinstance(scenes, str | os.PathLike | xr.DataArray | xr.Dataset)
    if scenes is None:
        listed = []
    elif is_one or not isinstance(scenes, Iterable) or hasattr(scenes, "ndim"):
        listed = [scenes]
    else:
        listed = list(scenes)
    if not listed:
        raise SceneError("no scene was given", hint="give at least one")
    return listed


def given_scene(scene: Any) -> str | os.PathLike[str] | xr.DataArray:
    """A scene as a path or an array.

    Args:
        scene: A path, an array, or a dataset with one variable of three dimensions.

    Returns:
        The path or the array. That of a dataset has the dataset's variables along one axis as coordinates: wavelengths,
        widths, and the CRS.

    Raises:
        SceneError: If it is none of these.
    """
    if isinstance(scene, str | os.PathLike | xr.DataArray):
        return scene
    if isinstance(scene, xr.Dataset):
        cubes = [str(name) for name, one in scene.data_vars.items() if one.ndim == 3] or [
            str(name)
            for name, one in scene.data_vars.items()
            if sum(size > 1 for size in one.shape) == 3
        ]
        if len(cubes) == 1:
            lists = [name for name, variable in scene.data_vars.items() if variable.ndim < 2]
            return scene.set_coords(lists)[cubes[0]]
        found = f"{len(cubes)} ({quoted(cubes)})" if cubes else "none"
        raise SceneError(
            f"a dataset with one variable of three dimensions is a scene, and this one has {found}",
            hint="give the variable that holds the bands, as dataset[NAME]",
        )
    raise SceneError(
        f"a value of the type {type(scene).__name__} is no scene",
        hint="give a path or what open_scene returned, or make a scene of an array of numbers with "
        "hsi_geo.io.scenes.scene.scene_from_array",
    )
