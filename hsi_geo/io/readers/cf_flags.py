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
from hsi_geo.io.readers.cf_plane import Plane
from hsi_geo.io.readers.cf_stored import declared_attributes
from hsi_geo.io.readers.hdf5_access import other_size_warning
from hsi_geo.io.readers.quality_layers import (
    ArrayFlags,
    FlagCode,
    QualityLayer,
    kind_of_flag,
)
from hsi_geo.io.readers.scaled_pixels import number_of

#: Function from (path of the file, group, name, order of axes) to the pixels of a variable on the grid of
#: the scene.
Place = Callable[[str, str, str, str], Pixels]

#: Names of EMIT's reflectance and radiance, which have a file of masks beside them.
_EMIT_NAME = re.compile(r"EMIT_(?:L2A_(?:RFLUNCERT|RFL)|L1B_RAD)_", re.IGNORECASE)

#: Words in the names of masks of good pixels.
_FREE = re.compile(r"free|clear|(?<!in)valid|good|(?:^|_)non?(?:_(?!data)|$)", re.IGNORECASE)

#: Number of pixels of a mask of floating point numbers that are checked.
CHECKED_PX = 1 << 22

#: Value of EMIT's masks without data.
_EMIT_FILL = -9999.0


def find_flags(
    groups: Groups,
    path: str,
    engine: str,
    plane: Plane,
    place: Place,
) -> tuple[tuple[QualityLayer, ...], tuple[str, ...]]:
    """The flags of a scene.

    Args:
        groups: All groups of its file.
        path: Path of the file.
        engine: xarray's engine.
        plane: Rows and columns of the cube as it is stored.
        place: Gives the pixels of a variable that has the rows and columns of the cube.

    Returns:
        layers: The flags.
        warnings: One sentence for each mask, or file of masks, that cannot be used.
    """
    layers, warnings = _cf_flags(groups, path, plane, place)
    beside = _emit_masks(path)
    if beside is None:
        return tuple(layers), tuple(warnings)
    try:
        return (*layers, *_emit_flags(beside, engine, plane.shape, place)), tuple(warnings)
    except SceneError as error:
        warnings.append(f"the masks in '{Path(beside).name}' are not applied: {error}")
        return tuple(layers), tuple(warnings)


def _cf_flags(
    groups: Groups, path: str, plane: Plane, place: Place
) -> tuple[list[QualityLayer], list[str]]:
    """The layers of all variables of flags, and warnings about those that cannot be used."""
    layers, warnings = [], []
    for group, name, array in iterate_variables(groups):
        codes = [
            (meaning.replace("_", " ").lower(), kind, code)
            for meaning, code in _codes(name, array)
            if (kind := kind_of_flag(meaning)) is not None
        ]
        order = plane.order_of(array) if codes else ""
        if not order and (not codes or sum(size > 1 for size in array.shape) < 2):
            continue  # a list of one flag for each band or row is no mask of pixels
        fault = _fault(name, array, plane.shape, order, all(code is None for *_, code in codes))
        if fault is not None:
            warnings.append(fault)
            continue
        pixels = place(path, group, name, order)
        layers += [
            QualityLayer(flag, kind, ArrayFlags(pixels, 0, code))
            for flag, kind, code in codes
            if code is not None
        ]
    return layers, warnings


def _fault(
    name: str, array: xr.DataArray, shape: tuple[int, int], order: str, uncoded: bool
) -> str | None:
    """Why flags cannot be used, as a sentence; None if they can be."""
    if not order:
        return other_size_warning(name, array.shape, shape)
    if uncoded:
        return f"its '{name}' has flag_meanings without a value or a mask for each: not used"
    if array.dtype.kind not in "biuf":
        return f"its '{name}' holds no numbers: not used"
    if not _holds_whole_numbers(array, order):
        return f"its '{name}' holds fractions, and flags are whole numbers: not used"
    return None


def _holds_whole_numbers(array: xr.DataArray, order: str) -> bool:
    """Whether the numbers are whole; of a large image, evenly spread rows are read."""
    scale = number_of(array.attrs, "scale_factor", 1.0)
    if array.dtype.kind != "f":
        return "flag_meanings" in array.attrs or scale % 1 == 0
    step = max(1, -(-array.size // CHECKED_PX))
    rows = tuple(slice(None, None, step) if letter == "y" else slice(None) for letter in order)
    values = np.asarray(array[rows].values, np.float64)
    values = values[np.isfinite(values) & ~np.isin(values, _unknown(array))]
    return scale % 1 == 0 and bool((values % 1 == 0).all())


def _codes(name: str, array: xr.DataArray) -> Iterator[tuple[str, FlagCode | None]]:
    """What a variable flags, by its attributes or by its name; None for flags without a number."""
    return _meanings(array) if "flag_meanings" in array.attrs else _named(name, array)


def _meanings(array: xr.DataArray) -> Iterator[tuple[str, FlagCode | None]]:
    """Each meaning in CF's attributes, and the numbers that have it; None if their lengths differ."""
    attributes = declared_attributes(array)
    meanings = re.split(r"[\s,;]+", str(attributes.get("flag_meanings", "")).strip(" ,;"))
    masks, values = (_whole(attributes.get(f"flag_{kind}")) for kind in ("masks", "values"))
    for index, meaning in enumerate(meanings):
        bits = masks[index] if masks and len(masks) == len(meanings) else None
        value = values[index] if values and len(values) == len(meanings) else None
        known = bits is not None or value is not None
        numbers = None if value is None else (value,)
        yield meaning, FlagCode(numbers, bits, _unknown(array)) if known else None


def _named(name: str, array: xr.DataArray) -> Iterator[tuple[str, FlagCode | None]]:
    """The flag of a mask that only its name explains, such as ``cloud_mask``; none of masks of what is free of it."""
    word = re.search(r"[_ ]?(?:mask|flag)s?$", name, re.IGNORECASE)
    if word is not None and word.start() and not _FREE.search(name):
        yield name[: word.start()], FlagCode(unknown=(*_unknown(array), 255))


def _unknown(array: xr.DataArray) -> tuple[float, ...]:
    """The fill value, which says nothing of a pixel."""
    fill = number_of(declared_attributes(array), "_FillValue", np.nan)
    return (fill,) if np.isfinite(fill) else ()


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
