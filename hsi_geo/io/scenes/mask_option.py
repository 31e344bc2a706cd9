"""The option ``mask``: which pixels of a scene count as missing, by the product's flags or a file."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
import xarray as xr

from hsi_geo.arrays import AnyArray, BoolArray, Float64Array, IndexArray
from hsi_geo.errors import OptionError
from hsi_geo.io.files.paths import exists, is_gdal_name
from hsi_geo.io.files.redirects import require_allowed_links
from hsi_geo.io.files.references import is_link, require_local
from hsi_geo.io.labels.aoi import find_raster_or_polygons
from hsi_geo.io.labels.pixel_centres import area_mask
from hsi_geo.io.readers.base import Pixels, SceneFile
from hsi_geo.io.readers.quality_layers import (
    AUTO_KINDS,
    KINDS,
    AppliedMask,
    QualityLayer,
    count_flags,
)
from hsi_geo.io.readers.raster import data_of_header
from hsi_geo.io.scenes.mask_raster import GriddedFlags, lay_over
from hsi_geo.tiling import Grid, Window

#: Words that stand for several flags, or for none.
AUTO, NONE = "auto", "none"

#: Name of the reason that a user's mask gives.
FILE_FLAG = "mask file"


def with_mask(file: SceneFile, option: str) -> SceneFile:
    """A scene whose masked pixels are read as missing.

    Args:
        file: From `readers.read_scene`.
        option: "auto" for the flags of the product that are in `AUTO_KINDS`, "none" for no mask, flags
            of `KINDS` with commas between them, or the path of a mask: a raster whose numbers other than
            0 are masked, or polygons around what is masked, in any CRS.

    Returns:
        The scene; the flags are not read. Without a flag to apply it is the same as before.

    Raises:
        OptionError: If the option is neither words nor a mask, or if the product lacks a flag that is
            asked for. A mask outside the scene is a warning.
    """
    words = _words_of(option)
    path = None
    if words == [NONE]:
        layers: tuple[QualityLayer, ...] = ()
    elif is_words(option):
        layers = _layers_of(file, words)
    else:
        layers, path = _layers_of_file(file, option), option
        if not layers:
            outside = f"the mask '{option}' lies outside of it: nothing is masked"
            file = dataclasses.replace(file, warnings=(*file.warnings, outside))
    mask = AppliedMask(option, layers, file.grid, path)
    if not layers:
        return dataclasses.replace(file, mask=mask)
    fill = _fill_of(file)
    note = (
        f"masked pixels count as missing ({', '.join(dict.fromkeys(one.flag for one in layers))})"
    )
    return dataclasses.replace(
        file,
        mask=mask,
        pixels=MaskedPixels(file.pixels, mask, fill.values, fill.dtype),
        dtype=fill.dtype,
        nodata=fill.nodata,
        notes=(*file.notes, note),
    )


def is_words(option: str) -> bool:
    """Whether the option is words for flags, or for none, and no mask of the user.

    Args:
        option: See `with_mask`.

    Example:
        >>> is_words("clouds, Water"), is_words("none"), is_words("none,clouds"), is_words("mask.tif")
        (True, True, False, False)
    """
    words = _words_of(option)
    return words == [NONE] or (bool(words) and set(words) <= {AUTO, *KINDS})


def _words_of(option: str) -> list[str]:
    return [word.strip().lower() for word in option.split(",") if word.strip()]


def masked_counts(scene: xr.DataArray) -> dict[str, Any]:
    """How many pixels of a scene are masked, by each reason.

    Args:
        scene: (band, y, x) array from `open_scene`.

    Returns:
        Values that JSON can hold: ``option`` (None for an array that was not opened from a file),
        ``masked_px``, ``share`` of all pixels, and ``reasons``, the pixels by flag. A pixel may have
        several reasons.

    Raises:
        SceneError: If a flag cannot be read.

    Example:
        >>> import numpy as np
        >>> from hsi_geo.io.scenes.scene import scene_from_array
        >>> masked_counts(scene_from_array(np.ones((2, 3, 4)), np.array([550.0, 660.0])))
        {'option': None, 'masked_px': 0, 'share': 0.0, 'reasons': {}}
    """
    mask: AppliedMask | None = scene.attrs.get("mask")
    if mask is None or not mask.layers:
        option = None if mask is None else mask.option
        return {"option": option, "masked_px": 0, "share": 0.0, "reasons": {}}
    grid = scene.hsi.grid
    window = mask.grid.window_of(grid.bounds).clip(*mask.grid.shape)
    if window.shape != grid.shape:  # pixels were left out between others
        window = mask.grid.window
    counts = count_flags(mask.layers, window)
    return {
        "option": mask.option,
        "masked_px": counts.flagged,
        "share": round(counts.flagged / max(1, counts.pixels), 6),
        "reasons": counts.by_flag,
    }


def mask_names(scenes: Sequence[xr.DataArray]) -> list[str]:
    """How scenes are masked, for the record of what was learnt from them.

    Args:
        scenes: (band, y, x) arrays from `open_scene`.

    Returns:
        For each distinct mask its words in the alphabet's order, or `FILE_FLAG`; arrays without a mask give none.

    Example:
        >>> import numpy as np
        >>> from hsi_geo.io.scenes.scene import scene_from_array
        >>> scene = scene_from_array(np.ones((2, 3, 4)), np.array([550.0, 660.0]))
        >>> masked = scene.assign_attrs(mask=AppliedMask("water, Clouds", (), scene.hsi.grid))
        >>> mask_names([scene, masked])
        ['clouds,water']
    """
    masks: list[AppliedMask] = [scene.attrs["mask"] for scene in scenes if scene.attrs.get("mask")]
    return list(dict.fromkeys(FILE_FLAG if one.file else _spelt(one.option) for one in masks))


def other_mask_warning(scene: xr.DataArray, adapted: object) -> str:
    """Say that a scene is mapped with another mask than those that its model was adapted with.

    Args:
        scene: (band, y, x) array from `open_scene`.
        adapted: The masks in the model's record, from `mask_names`; None in models of earlier versions.

    Returns:
        The sentence; empty if the masks are the same, or one of them is not known.
    """
    own = mask_names([scene])
    known = [one for one in adapted if isinstance(one, str)] if isinstance(adapted, list) else []
    if not own or not known or own[0] in known:
        return ""
    return (
        f"the model was adapted with the mask '{' and '.join(known)}', and scene '{scene.attrs.get('source')}' is mapped "
        f"with '{own[0]}': it may show classes where the other mask leaves none"
    )


def _spelt(option: str) -> str:
    return ",".join(sorted(_words_of(option)))


def mask_sentence(counts: dict[str, Any]) -> str:
    """Say how many pixels are masked.

    Args:
        counts: From `masked_counts`.

    Example:
        >>> mask_sentence({"masked_px": 30, "share": 0.25, "reasons": {"cloud": 20, "haze": 15, "snow": 0}})
        '30 pixels (25.0 %) are masked: cloud 20, haze 15'
    """
    reasons = [f"{flag} {count:,}" for flag, count in counts["reasons"].items() if count]
    listed = f": {', '.join(reasons)}" if reasons else ""
    return f"{counts['masked_px']:,} pixels ({100 * counts['share']:.1f} %) are masked{listed}"


# Flags of the product -------------------------------------------------------------------------


def _layers_of(file: SceneFile, words: list[str]) -> tuple[QualityLayer, ...]:
    wanted = {*words, *(AUTO_KINDS if AUTO in words else ())}
    have = {layer.kind for layer in file.quality}
    lacking = [word for word in words if word != AUTO and word not in have]
    if lacking:
        known = [kind for kind in KINDS if kind in have]
        raise OptionError(
            f"scene '{file.name}' has no flags of {' or '.join(lacking)}",
            hint=f"choose of its own with --mask {','.join(known)}, or give the file of a mask"
            if known
            else "give the file of a mask, or use all pixels with --mask none",
        )
    return tuple(layer for layer in file.quality if layer.kind in wanted)


# Masks of the user ----------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class AreaFlags:
    """Polygons that cover masked pixels.

    Attributes:
        area: The polygons, in the CRS of the grid.
        grid: Grid of the scene.
    """

    area: shapely.Geometry
    grid: Grid

    def read(self, window: Window) -> tuple[BoolArray, BoolArray]:
        """See `quality_layers.Flags.read`."""
        return area_mask(self.area, self.grid, window), np.ones(window.shape, bool)


def _layers_of_file(file: SceneFile, option: str) -> tuple[QualityLayer, ...]:
    """The layer of a mask; none if it lies outside the scene."""
    path = os.fspath(option)
    if not exists(path) and not is_gdal_name(path):
        raise OptionError(
            f"--mask '{option}' is neither a file nor words for flags",
            hint=f"give auto, none, the path of a mask, or some of {','.join(KINDS)}",
        )
    path = data_of_header(path)
    require_local(path, "mask", OptionError)
    if is_link(path):
        require_allowed_links(path, wrong=OptionError)
    raster, area = find_raster_or_polygons(path, file.grid, what="mask", option="--mask")
    flags: AreaFlags | GriddedFlags | None
    if raster is not None:
        flags = lay_over(raster, file.grid)
    else:
        meets = area.intersects(shapely.box(*file.grid.bounds))
        flags = AreaFlags(area, file.grid) if meets else None
    return () if flags is None else (QualityLayer(FILE_FLAG, FILE_FLAG, flags),)


# Missing values -------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class MaskedPixels:
    """Stored values of a scene, with a value that means no data where pixels are masked.

    Attributes:
        cube: The values without the mask.
        mask: The flags.
        fill: (C,) value of masked pixels in each band.
        dtype: Type that holds these values and those of the cube.
    """

    cube: Pixels
    mask: AppliedMask
    fill: Float64Array
    dtype: np.dtype[Any]

    def read(self, bands: IndexArray, window: Window) -> AnyArray:
        """See `readers.base.Pixels.read`."""
        stored = self.cube.read(bands, window).astype(self.dtype, copy=False)
        masked, single = self.mask.read(window), self.mask.read_bands(bands, window)
        missing = masked if single is None else masked | single
        if not missing.any():
            return stored
        fill = self.fill[bands].astype(self.dtype)
        return np.where(missing, fill[:, None, None], stored)


@dataclass(frozen=True, eq=False)
class _Fill:
    """Values of masked pixels, the type that holds them, and the nodata values to declare."""

    values: Float64Array
    dtype: np.dtype[Any]
    nodata: Float64Array


def _fill_of(file: SceneFile) -> _Fill:
    """The declared nodata values where the type can hold them, else values that no pixel has."""
    nodata, dtype = file.nodata, file.dtype
    declared = ~np.isnan(nodata)
    if dtype.kind == "f":
        return _Fill(nodata, dtype, nodata)
    if not declared.any() and file.band_count > 1:
        return _Fill(np.zeros(len(nodata)), dtype, nodata)  # 0 in all bands is missing
    limits = np.iinfo(np.uint8 if dtype.kind == "b" else dtype)
    filled = np.where(declared, nodata, 0.5)
    usable = (filled == np.round(filled)) & (filled >= limits.min) & (filled <= limits.max)
    if usable.all():
        return _Fill(nodata, dtype, nodata)
    wider = np.dtype({1: "i2", 2: "i4", 4: "i8"}.get(dtype.itemsize, "f8"))
    free = np.nan if wider.kind == "f" else float(limits.min) - 1
    values = np.where(usable, nodata, free)
    return _Fill(values, wider, values)
