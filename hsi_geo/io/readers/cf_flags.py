"""Flags in netCDF and Zarr: variables with CF's flag attributes, and EMIT's file of masks.

Sources: CF conventions 1.11, section 3.5; EMIT L2A's product guide.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from hsi_geo.errors import SceneError
from hsi_geo.io.files.paths import exists
from hsi_geo.io.readers.base import Pixels
from hsi_geo.io.readers.cf_groups import Groups, iterate_variables, open_groups
from hsi_geo.io.readers.quality_layers import (
    ArrayFlags,
    FlagCode,
    QualityLayer,
    kind_of_flag,
)

#: Function from (path of the file, group, name, order of axes) to the pixels of a variable on the grid of
#: the scene.
Place = Callable[[str, str, str, str], Pixels]

#: Names of EMIT's reflectance and radiance, which have a file of masks beside them.
_EMIT_NAME = re.compile(r"EMIT_(?:L2A_(?:RFLUNCERT|RFL)|L1B_RAD)_", re.IGNORECASE)

#: Words in the names of masks of good pixels.
_FREE = re.compile(r"free|clear|valid|good|(?:^|_)non?(?:_|$)", re.IGNORECASE)

#: Value of EMIT's masks without data.
_EMIT_FILL = -9999.0


def find_flags(
    groups: Groups, path: str, engine: str, shape: tuple[int, int], place: Place
) -> tuple[tuple[QualityLayer, ...], tuple[str, ...]]:
    """The flags of a scene.

    Args:
        groups: All groups of its file.
        path: Path of the file.
        engine: xarray's engine.
        shape: (rows, columns) of the cube as it is stored.
        place: Gives the pixels of a variable that has the rows and columns of the cube.

    Returns:
        layers: The flags.
        warnings: One sentence for a file of masks that cannot be used.
    """
    layers = list(_cf_flags(groups, path, shape, place))
    beside = _emit_masks(path)
    if beside is None:
        return tuple(layers), ()
    try:
        return (*layers, *_emit_flags(beside, engine, shape, place)), ()
    except SceneError as error:
        return tuple(layers), (f"the masks in '{Path(beside).name}' are not applied: {error}",)


def _cf_flags(
    groups: Groups, path: str, shape: tuple[int, int], place: Place
) -> Iterator[QualityLayer]:
    for group, name, array in iterate_variables(groups):
        if array.ndim != 2 or array.shape != shape or array.dtype.kind not in "iu":
            continue
        for meaning, code in (
            _meanings(array) if "flag_meanings" in array.attrs else _named(name, array)
        ):
            kind = kind_of_flag(meaning)
            if kind is not None:
                flag = meaning.replace("_", " ").lower()
                yield QualityLayer(flag, kind, ArrayFlags(place(path, group, name, "yx"), 0, code))


def _meanings(array: xr.DataArray) -> Iterator[tuple[str, FlagCode]]:
    """Each meaning in CF's attributes, and the numbers that have it; none if their lengths differ."""
    meanings = re.split(r"[\s,;]+", str(array.attrs.get("flag_meanings", "")).strip(" ,;"))
    masks, values = (_whole(array.attrs.get(f"flag_{kind}")) for kind in ("masks", "values"))
    unknown = _whole(array.attrs.get("_FillValue")) or ()
    for index, meaning in enumerate(meanings):
        bits = masks[index] if masks and len(masks) == len(meanings) else None
        value = values[index] if values and len(values) == len(meanings) else None
        if bits is not None or value is not None:
            yield meaning, FlagCode(None if value is None else (value,), bits, unknown)


def _named(name: str, array: xr.DataArray) -> Iterator[tuple[str, FlagCode]]:
    """The flag of a mask that only its name explains, such as ``cloud_mask``; none of masks of what is free of it."""
    word = re.search(r"[_ ]?(?:mask|flag)s?$", name, re.IGNORECASE)
    if word is not None and word.start() and not _FREE.search(name):
        unknown = _whole(array.attrs.get("_FillValue")) or ()
        yield name[: word.start()], FlagCode(unknown=(*unknown, 255))


def _whole(values: Any) -> tuple[int, ...] | None:
    """Whole numbers of an attribute, such as "1b, 2b" in a text; None if it has others, or is missing."""
    if values is None:
        return None
    if isinstance(values, str | bytes):
        values = re.sub(r"(?<=\d)(?:u?b|u?s|ull?|ll?)\b", "", _text(values), flags=re.IGNORECASE)
        values = re.split(r"[\s,;]+", values.strip(" ,;[](){}"))
    try:
        return tuple(int(value) for value in np.ravel(values))
    except (TypeError, ValueError, OverflowError):
        return None


def _emit_masks(path: str) -> str | None:
    """EMIT's file of masks beside a file of reflectance; None if there is none."""
    here = Path(path)
    name, changed = _EMIT_NAME.subn("EMIT_L2A_MASK_", here.name)
    beside = str(here.with_name(name))
    return beside if changed and exists(here) and exists(beside) else None


def _emit_flags(
    path: str, engine: str, shape: tuple[int, int], place: Place
) -> tuple[QualityLayer, ...]:
    groups = open_groups(path, engine)
    try:
        names = [
            _text(value)
            for _, name, array in iterate_variables(groups)
            if name == "mask_bands"
            for value in np.ravel(array.values)
        ]
        found = [
            group
            for group, name, array in iterate_variables(groups)
            if name == "mask" and array.shape == (*shape, len(names)) and names
        ]
    finally:
        for dataset in groups.values():
            dataset.close()
    if not found:
        raise SceneError(
            "it has no masks of as many rows and columns", hint="download both files again"
        )
    pixels = place(path, found[0], "mask", "yxb")
    code = FlagCode(unknown=(_EMIT_FILL,))
    layers = []
    for band, name in enumerate(names):
        kind = kind_of_flag(name)
        if kind is not None and "aggregate" not in name.lower():
            flag = re.sub(r"\s*(flag|mask)\s*$", "", name.strip(), flags=re.IGNORECASE).lower()
            layers.append(QualityLayer(flag, kind, ArrayFlags(pixels, band, code)))
    return tuple(layers)


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
