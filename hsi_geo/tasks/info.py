"""Description of a scene, and of shots on it, before a model is adapted."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import xarray as xr
from pyproj import CRS

from hsi_geo.io.labels.several_scenes import burn_each
from hsi_geo.io.labels.shot_pixels import MAX_PIXELS_PER_CLASS
from hsi_geo.io.labels.shot_reading import read_shots
from hsi_geo.io.labels.shots import Shots, SomeShots
from hsi_geo.io.readers.quality_layers import AppliedMask, QualityLayer, count_flags
from hsi_geo.io.scenes.declared_values import NODATA, OFFSET, SCALE, by_band, declared
from hsi_geo.io.scenes.mask_option import masked_counts
from hsi_geo.io.scenes.properties import name_of, remarks_of, require_upright
from hsi_geo.io.scenes.quality import (
    assess_quality,
    bad_bands,
    has_data,
    kind_of_values,
    scale_problem,
)
from hsi_geo.io.scenes.scene import SomeScene, open_scene
from hsi_geo.models.s2former_config import S2FormerConfig
from hsi_geo.tasks.inference.axis_coverage import ignored_bands_note

#: A class with fewer labelled pixels cannot be classified reliably.
FEW_PX = 5


def info(
    scene: SomeScene,
    shots: SomeShots | None = None,
) -> dict[str, Any]:
    """Describe a scene, and shots on it.

    Args:
        scene: Path of a scene or an opened one; see `open_scene`.
        shots: Vector file or class raster with labelled features, a GeoDataFrame, shots that were read
            before, or a list of these. None describes the scene only.

    Returns:
        The keys ``scene`` and ``shots`` (None without shots), with values that JSON can hold; see
        `describe_scene` and `describe_shots`.

    Raises:
        HsiGeoError: If scene or shots cannot be used; the message gives the reason.
    """
    opened = open_scene(scene)
    described = describe_scene(opened)
    if shots is None:
        return {"scene": described, "shots": None}
    labelled = read_shots(shots, near=[opened.hsi.grid])
    return {"scene": described, "shots": describe_shots(labelled, opened)}


def describe_scene(scene: xr.DataArray) -> dict[str, Any]:
    """Describe size, CRS, bands, nodata and scale of a scene.

    Args:
        scene: (band, y, x) array from `open_scene`. Dead bands, nodata and the range of values come from
            a sample of windows.

    Returns:
        Values that JSON can hold, by name: sizes in pixels, ``resolution`` and ``bounds`` in CRS units,
        ``range_nm`` the least and greatest wavelength, shares from 0 to 1.

    Example:
        >>> import numpy as np
        >>> from hsi_geo.io.scenes.scene import scene_from_array
        >>> values = np.arange(1.0, 13.0).reshape(2, 2, 3)
        >>> found = describe_scene(scene_from_array(values, np.array([550.0, 660.0])))
        >>> found["width"], found["height"], found["range_nm"]
        (3, 2, [550.0, 660.0])
    """
    grid, bands = scene.hsi.grid, scene.hsi.bands
    known = bands.centres_nm[bands.centres_nm > 0]  # a bad band without a wavelength has 0
    quality = assess_quality(scene)
    xres, yres = grid.resolution
    return {
        "path": name_of(scene),
        "format": scene.attrs.get("driver"),
        "dtype": str(scene.dtype),
        "width": grid.width,
        "height": grid.height,
        "bands": int(scene.shape[0]),
        "crs": _crs_name(grid.crs),
        "unit": grid.crs.axis_info[0].unit_name if grid.crs is not None else "units",
        "resolution": [xres, yres],
        "bounds": list(grid.bounds),
        "rotation_degrees": grid.rotation_degrees if grid.is_rotated else 0.0,
        "range_nm": [float(known.min()), float(known.max())],
        "wavelength_source": scene.attrs.get("wavelength_source"),
        "bad_bands": [dataclasses.asdict(band) for band in bad_bands(scene, quality)],
        "nodata": _number(declared(scene, NODATA)),
        "nodata_share": quality.nodata_share,
        "same_value_share": quality.same_value_share,
        "scale": _number(by_band(scene, SCALE, 1.0)),
        "offset": _number(by_band(scene, OFFSET, 0.0)),
        "values": [_finite(quality.low), _finite(quality.high)],
        "values_look_like": kind_of_values(scene, quality),
        "notes": _notes(scene),
        "warnings": _warnings(scene),
        "quality": _flagged_shares(scene.attrs.get("quality", ()), scene.attrs.get("mask")),
        "mask": masked_counts(scene),
    }


def _flagged_shares(layers: tuple[QualityLayer, ...], mask: AppliedMask | None) -> dict[str, float]:
    """Share of the pixels that each flag of the product has, of those that it says something of."""
    if mask is None or not layers:
        return {}
    counts = count_flags(layers, mask.grid.window)
    known = {flag: max(1, count) for flag, count in counts.known.items()}
    return {flag: round(count / known[flag], 4) for flag, count in counts.by_flag.items()}


def _notes(scene: xr.DataArray) -> list[str]:
    ignored = ignored_bands_note(S2FormerConfig(), scene)
    return [*remarks_of(scene).notes, *((ignored,) if ignored else ())]


def _warnings(scene: xr.DataArray) -> list[str]:
    problem = scale_problem(scene)
    return [*remarks_of(scene).warnings, *((problem,) if problem else ())]


def describe_shots(shots: Shots, scene: xr.DataArray) -> dict[str, Any]:
    """Describe the classes of shots with their pixels, and what is left out.

    Args:
        shots: Labelled features in any CRS.
        scene: (band, y, x) array whose pixels they label.

    Returns:
        Values that JSON can hold, by name: ``classes`` with their pixels and a remark, ``dropped`` with
        the number of features and pixels that are left out, and why.

    Raises:
        SceneError: If the grid of the scene is rotated.
        ShotsError: If no shot lies in the scene.
    """
    require_upright(scene)
    grid = scene.hsi.grid
    (pixels,) = burn_each(shots, [grid])
    usable = pixels.pick(has_data(scene, pixels.rows, pixels.cols))
    dropped = list(shots.skipped)
    mask: AppliedMask | None = scene.attrs.get("mask")
    masked = " or masked" if mask is not None and mask.layers else ""
    for count, what in (
        (pixels.outside, "features outside the scene"),
        (pixels.conflicts, "pixels that two classes claim"),
        (len(pixels) - len(usable), f"pixels on nodata{masked}"),
    ):
        if count:
            dropped.append(f"{count} {what}")
    counts = usable.counts(shots.classes)
    library = [] if shots.library is None else list(shots.library.class_ids)
    parts = shots.parts or (shots,)
    names = [_crs_of(part) or "none" for part in parts]
    own = [part.frame.crs for part in parts if part.frame.crs is not None]
    return {
        "path": shots.source,
        "notes": list(shots.notes),
        "warnings": shots.warnings,
        "crs": _shots_crs(shots, names),
        "reprojected": any(not crs.equals(grid.crs) for crs in own),
        "features": len(shots.frame),
        "dropped": dropped,
        "classes": [
            {
                **c.as_dict(),
                "pixels": counts[c.name],
                **({"spectra": library.count(c.id)} if library else {}),
                "remark": _remark(counts[c.name], library.count(c.id)),
            }
            for c in shots.classes
        ],
    }


def _shots_crs(shots: Shots, names: list[str]) -> str | None:
    """Names of the CRS of shots; spectra have none."""
    if shots.frame.empty and shots.library is not None:
        return None
    return ", ".join(dict.fromkeys(names)) if shots.parts else _crs_of(shots)


def _remark(pixels: int, spectra: int) -> str:
    if spectra:
        return f"and {spectra} spectra of a library"
    if not pixels:
        return "none: never mapped"
    if pixels < FEW_PX:
        return f"few: draw {FEW_PX} or more"
    return f"thinned to {MAX_PIXELS_PER_CLASS}" if pixels > MAX_PIXELS_PER_CLASS else ""


def _crs_of(shots: Shots) -> str | None:
    """Name of the CRS of the shots of one file."""
    return "the scene's own" if shots.in_scene_frame else _crs_name(shots.frame.crs)


def _crs_name(crs: CRS | None) -> str | None:
    """A short name: the EPSG code where there is one."""
    if crs is None:
        return None
    code = crs.to_epsg()
    return f"EPSG:{code}" if code is not None else str(crs.name)


def _finite(value: float) -> float | None:
    """A number with six digits; None for NaN and infinities."""
    return float(f"{value:.6g}") if np.isfinite(value) else None


def _number(value: Any) -> float | list[float] | None:
    """One number if it is the same for all bands, else one for each band."""
    if value is None:
        return None
    array = np.asarray(value, np.float64)
    if array.ndim == 0:
        return float(array)
    distinct = np.unique(array)
    return float(distinct[0]) if len(distinct) == 1 else [float(entry) for entry in array]
