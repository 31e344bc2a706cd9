"""The scale of a scene's values: the factor to that of a model, and errors where none explains them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
import xarray as xr

from hsi_geo.errors import ScaleError
from hsi_geo.io.scenes.properties import bands_of, name_of, rescaled
from hsi_geo.models.classifier import resample_stats
from hsi_geo.models.whitening import SpectralStats
from hsi_geo.progress import Reporter
from hsi_geo.tasks.artifacts.shot_spectra import ShotSpectra
from hsi_geo.tasks.inference.constant_bands import ConstantBands, find_constant, judge_constant
from hsi_geo.tasks.inference.domain_shift import (
    MAX_DISTANCE,
    MAX_LEVEL,
    DomainShift,
    measure_domain_shift,
    rounded,
    sample_scene,
    times_larger,
)
from hsi_geo.tasks.inference.novelty import novelty
from hsi_geo.tasks.inference.options import Rescale
from hsi_geo.tasks.inference.scene_statistics import learn_spectral_stats


def match_scale(
    view: xr.DataArray,
    spectral: SpectralStats,
    shots: ShotSpectra | None,
    rescale: Rescale,
    reporter: Reporter,
) -> tuple[float, DomainShift | None, ConstantBands | None]:
    """Determine the factor by which a scene's values are multiplied before a model maps them.

    Args:
        view: (C, H, W) scene as `select_good_bands` returns it.
        spectral: Bands and statistics of the model.
        shots: The shots that the model keeps, None if it keeps none.
        rescale: The user's factor, "auto" to apply the power of ten that is found, or None for a factor of 1.
        reporter: Receives a message if a power of ten is applied.

    Returns:
        The factor, the difference that remains, and the constant bands, without which it was measured; None instead
        of both if the sample has no pixel with data.

    Raises:
        WavelengthError: If so many bands are constant that too few are left for the model.
        ScaleError: If the values are on another scale, or differ otherwise too much from the model's.
    """
    factor = 1.0 if rescale is None or rescale == "auto" else rescale
    spectra = sample_scene(rescaled(view, factor))
    if not spectra.shape[1]:
        return factor, None, None
    name, centres = name_of(view), bands_of(view).centres_nm
    constant = find_constant(spectra, spectral, centres)
    stats = resample_stats(spectral, centres[~constant])
    varying = spectra[~constant]
    whitened = stats.whiten(varying)
    shift = measure_domain_shift(stats, varying, whitened)
    if rescale == "auto" and shift.factor != 1.0:
        factor = 1.0 / shift.factor
        reporter.log(
            f"scene '{name}': values were multiplied by {_plain(factor)}, which brings them to the "
            "scale of the model"
        )
        spectra, whitened = spectra * np.float32(factor), whitened * factor
        varying = spectra[~constant]
        shift = measure_domain_shift(stats, varying, whitened)
    judged = judge_constant(constant, spectra, spectral, rescaled(view, factor))
    require_same_scale(shift, name, factor)
    shift = dataclasses.replace(shift, novelty=novelty(spectral, stats, shots, whitened))
    return factor, shift, judged


def require_same_scale(shift: DomainShift, name: str, applied: float) -> None:
    """Refuse a scene whose values are on another scale, or differ otherwise too much from a model's.

    Args:
        shift: Difference between the scene's values and the model's.
        name: Name of the scene, for the message.
        applied: Factor by which the values were multiplied before they were compared.

    Raises:
        ScaleError: If a factor or an offset explains the values, or if nothing does; the message says which, and
            what to do.
    """
    after = "" if applied == 1.0 else f", after they were multiplied by {_plain(applied)},"
    if shift.factor != 1.0:
        needed = _plain(applied / shift.factor)
        raise ScaleError(
            f"scene '{name}' has values{after} {times_larger(shift.factor)} than those that the model was "
            "adapted to",
            hint=f"if both are the same quantity, give --rescale {needed} or --rescale auto",
        )
    if abs(shift.level) > MAX_LEVEL:
        raise ScaleError(
            f"scene '{name}' has values{after} about {times_larger(10.0**shift.level)} than those that the "
            "model was adapted to, which no power of ten explains",
            hint="give --rescale FACTOR if you know it, or --restat if it is a whole scene of another "
            "date or sensor",
        )
    restat = (
        "declare the offset in the file, or give --restat if it is a whole scene of another date or "
        "sensor"
    )
    if shift.offset is not None:
        side = "above" if shift.offset > 0 else "below"
        raise ScaleError(
            f"scene '{name}' has values{after} about {rounded(abs(shift.offset))} {side} those that the "
            "model was adapted to, by as much in every band",
            hint=restat,
        )
    if shift.negative:
        raise ScaleError(
            f"scene '{name}' has values{after} that are not above 0 in the mean of most bands, and "
            "the model was adapted to values that are",
            hint=restat,
        )
    if shift.distance > MAX_DISTANCE:
        raise ScaleError(
            f"scene '{name}' has spectra{after} that lie {shift.distance:.0f} standard deviations "
            "from those that the model was adapted to",
            hint="give --restat if it is a whole scene of another date or sensor, or leave it out",
        )


def _plain(factor: float) -> str:
    """A factor without an exponent, such as 10000 or 0.0001."""
    return np.format_float_positional(float(f"{factor:.6g}"), trim="-")


def scale_differences(views: Sequence[xr.DataArray]) -> Iterator[str]:
    """Compare the scale of each scene with that of the first scene.

    Args:
        views: Scenes as `select_good_bands` returns them, of one sensor or of several.

    Yields:
        A clause for each scene whose values differ by a power of ten, or by more than a factor of a hundred.
    """
    if len(views) < 2:
        return
    spectral = learn_spectral_stats(views[:1])
    for view in views[1:]:
        spectra = sample_scene(view)
        if not spectra.shape[1]:
            continue
        stats = resample_stats(spectral, bands_of(view).centres_nm)
        shift = measure_domain_shift(stats, spectra, stats.whiten(spectra))
        if shift.factor == 1.0 and abs(shift.level) <= MAX_LEVEL:
            continue
        times = times_larger(shift.factor if shift.factor != 1.0 else 10.0**shift.level)
        yield f"scene '{name_of(view)}' has values about {times} than scene '{name_of(views[0])}'"


def require_common_scale(views: Sequence[xr.DataArray]) -> None:
    """Refuse scenes of one adaptation whose values differ by a power of ten.

    Args:
        views: Scenes of one sensor as `select_good_bands` returns them.

    Raises:
        ScaleError: If the values of a scene differ from those of the first scene.
    """
    for difference in scale_differences(views):
        raise ScaleError(
            difference,
            hint="declare the scale in the file (gdal_edit.py -scale), or leave one out",
        )
