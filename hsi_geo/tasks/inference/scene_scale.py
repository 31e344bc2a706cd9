"""Whether a scene's values lie on the scale of those that a model was adapted to.

A network maps whatever it is given: a scene of reflectance from 0 to 1 is one class everywhere to a
model of reflectance times 10,000, and no pixel of that map looks doubtful. So a sample of the scene
is compared with the model's statistics beforehand. Bright, dark, hazy and cloudy tiles are
ordinary; the thresholds keep clear of them (docs/experiments/scale-of-other-scenes.md).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import xarray as xr
from scipy.spatial.distance import cdist

from hsi_geo.arrays import Float64Array
from hsi_geo.errors import OptionError, ScaleError
from hsi_geo.io.scenes.properties import bands_of, name_of, rescaled
from hsi_geo.models.classifier import ResampledStats, SpectralStats, resample_stats
from hsi_geo.progress import Reporter
from hsi_geo.tasks.artifacts.shot_spectra import ShotSpectra
from hsi_geo.tasks.inference.scene_statistics import learn_spectral_stats, sample_spectra

#: Windows that are looked at: more of them while there are fewer pixels with data than `ENOUGH_PX`.
LOOKS = (36, 288, 2304)
ENOUGH_PX = 200

#: Of fewer pixels nothing is told but a factor: they may all lie on one roof.
FEWEST_PX = 30

#: Most shots of a class that are kept, and most pixels of a scene that are held against shots.
KEPT_SHOTS, HELD_PX = 40, 4000

#: Share of the pixels of the scene that was adapted to which are near to a shot, by definition.
NEAR_SHARE = 0.99

#: How far a scene may be brighter or darker as a whole: powers of ten.
BRIGHTER = 0.4

#: Distances (see `Likeness`) from which on a scene drifts, and from which on it cannot be mapped.
DRIFTING, FAR = 2.0, 12.0

#: With a level beyond this a scene drifts: a lake beside a wood, or a factor of ten that nothing proves.
DRIFTING_LEVEL = 0.7

#: Share of pixels unlike every shot from which on a scene drifts.
UNLIKE = 0.3

#: With a level beyond this power of ten a scene is on another scale, whatever it shows.
FAR_LEVEL = 2.0

#: How a factor of ten is told from a dark tile: distance and difference of the bands' levels, with it;
#: a factor of a hundred or more needs less proof.
TEN, TEN_BANDS = 1.0, 0.25
MORE, MORE_BANDS = 2.5, 0.6
MORE_LEVEL = 1.7

#: How near to a power of ten the level has to lie: a scene divided by 65,535 is not one by 100,000.
NEAR = 0.15

#: One number that was added to all bands explains the scene if what is left is as near as this.
EXPLAINED = 1.0

Rescale = float | Literal["auto"] | None


@dataclass(frozen=True, slots=True)
class Likeness:
    """How a scene's values lie beside those that a model was adapted to.

    Attributes:
        pixels: That were looked at.
        level: Median over bands of the decimal logarithm of the ratio of root mean squares.
        factor: The power of ten that the values are multiplied by there; 1 if none is plain.
        distance: Of the mean whitened spectra, brightness left aside, in units of the larger of the
            two standard deviations; root mean square over bands. Of tiles of one scene it is below 2.
        offset: One number that explains the distance if it was added to every band; None if none.
        negative: Whether most bands have a mean that is not positive, and had one that is.
        unlike: Share of pixels that are farther from every shot than `ShotSpectra.reach`; None if the
            model keeps no shots.
    """

    pixels: int
    level: float
    factor: float
    distance: float
    offset: float | None
    negative: bool
    unlike: float | None = None

    @property
    def drifts(self) -> bool:
        """Whether the scene looks unlike what the model was adapted to."""
        return (
            self.distance > DRIFTING
            or abs(self.level) > DRIFTING_LEVEL
            or (self.unlike or 0.0) > UNLIKE
        )

    @property
    def brightness_told(self) -> str:
        """In words, where it is far from that of the scene that was adapted to; else empty."""
        if abs(self.level) <= DRIFTING_LEVEL:
            return ""
        return f"its values are about {_times(10.0**self.level)}"

    def as_dict(self) -> dict[str, float | None]:
        """For JSON."""
        unlike = None if self.unlike is None else round(self.unlike, 4)
        return {
            "unlike": unlike,
            "distance": round(self.distance, 3),
            "brightness": round(10.0**self.level, 4),
            "pixels": self.pixels,
        }


def compare(placed: ResampledStats, spectra: npt.NDArray[np.float32]) -> Likeness:
    """Compare pixels with the statistics of a model.

    Args:
        placed: On the scene's bands.
        spectra: (C, N) pixels with data, N > 0.
    """
    pixels = spectra.shape[1]
    values = spectra.astype(np.float64)
    known = placed.std > 0
    size = np.sqrt(np.mean(values**2, axis=1))
    usual = np.sqrt(placed.centre**2 + placed.std**2)
    told = known & (size > 0)
    if not told.any():
        return Likeness(pixels, 0.0, 1.0, 0.0, None, False)
    levels = np.log10(size[told] / usual[told])
    level = float(np.median(levels))
    whitened = placed.matrix @ values
    own = _Whitened(placed, whitened.mean(axis=1), whitened.std(axis=1))
    factor = 1.0
    power = round(level)
    if power and abs(level - power) < NEAR:
        low, high = np.percentile(levels, (25, 75))
        near, alike = (TEN, TEN_BANDS) if abs(power) == 1 else (MORE, MORE_BANDS)
        plain = abs(power) == 1 or abs(level) > MORE_LEVEL
        if plain and high - low < alike and own.distance(10.0**power) < near:
            factor = 10.0**power
    mean = values.mean(axis=1)
    positive = known & (placed.centre > 0)
    negative = bool(positive.any() and (mean[positive] <= 0).mean() > 0.5)
    if pixels < FEWEST_PX:
        return Likeness(pixels, level, factor, 0.0, None, False)
    distance = own.distance(1.0)
    offset, left = own.offset()
    explained = distance > DRIFTING and left < EXPLAINED
    return Likeness(pixels, level, factor, distance, offset if explained else None, negative)


@dataclass(frozen=True, eq=False)
class _Whitened:
    """Mean and standard deviation of a scene's whitened spectra, before the model's mean is taken off."""

    placed: ResampledStats
    mean: Float64Array  # (T,)
    deviation: Float64Array  # (T,)

    def distance(self, factor: float) -> float:
        """After values were divided by a factor, and by what makes them as bright as can be."""
        brightness = factor * 10.0 ** np.linspace(-BRIGHTER, BRIGHTER, 161)
        return min(self._root_mean_square(self._apart(by)) for by in brightness)

    def offset(self) -> tuple[float, float]:
        """The number that, taken off every band, brings the scene nearest; the distance then."""
        apart = self._apart(1.0)
        one = self._in_deviations(self.placed.matrix.sum(axis=1), 1.0)
        size = float(one @ one)
        if size == 0.0:
            return 0.0, self._root_mean_square(apart)
        number = float(one @ apart) / size
        return number, self._root_mean_square(apart - number * one)

    def _apart(self, factor: float) -> Float64Array:
        there = self.placed.matrix @ self.placed.centre
        return self._in_deviations(self.mean / factor - there, factor)

    def _in_deviations(self, differences: Float64Array, factor: float) -> Float64Array:
        larger = np.maximum(self.placed.whitened_std, self.deviation / factor)
        return np.divide(differences, larger, out=np.zeros_like(differences), where=larger > 1e-9)

    @staticmethod
    def _root_mean_square(values: Float64Array) -> float:
        return float(np.sqrt(np.mean(values**2)))


def shot_spectra_of(
    spectral: SpectralStats, spectra: npt.NDArray[np.float32], labels: npt.NDArray[np.int64]
) -> ShotSpectra:
    """What a model keeps of its shots: some of each class, and how far pixels lie from them.

    Args:
        spectral: Its bands and statistics.
        spectra: (C, N) pixels that it was adapted to.
        labels: (N,) class index of each, -1 where there is no shot.
    """
    kept = np.sort(
        np.concatenate(
            [
                _spread(np.flatnonzero(labels == c), KEPT_SHOTS)
                for c in np.unique(labels[labels >= 0])
            ]
        )
    )
    shots = np.ascontiguousarray(spectra[:, kept].T)
    placed = resample_stats(spectral, spectral.centres_nm)
    some = spectra[:, _spread(np.arange(spectra.shape[1]), HELD_PX)]
    reach = float(np.quantile(_to_nearest(placed, some, placed, shots), NEAR_SHARE))
    return ShotSpectra(shots, reach)


def _spread(indices: npt.NDArray[np.intp], count: int) -> npt.NDArray[np.intp]:
    """At most so many of them, evenly."""
    if len(indices) <= count:
        return indices
    return indices[np.linspace(0, len(indices) - 1, count).round().astype(np.intp)]


def _to_nearest(
    placed: ResampledStats,
    spectra: npt.NDArray[np.float32],
    of_shots: ResampledStats,
    shots: npt.NDArray[np.float32],
) -> Float64Array:
    """(N,) distance of (C, N) pixels to the nearest of (S, C') shots, each with its own bands."""
    apart: Float64Array = cdist(_standardised(placed, spectra), _standardised(of_shots, shots.T))
    nearest: Float64Array = apart.min(axis=1) / np.sqrt(
        max(1, int((placed.whitened_std > 0).sum()))
    )
    return nearest


def _standardised(placed: ResampledStats, spectra: npt.NDArray[np.float32]) -> Float64Array:
    """(N, T) whitened spectra, each band divided by its deviation."""
    whitened = placed.matrix @ (spectra.astype(np.float64) - placed.centre[:, None])
    scale = placed.whitened_std[:, None]
    return np.divide(whitened, scale, out=np.zeros_like(whitened), where=scale > 1e-9).T


def share_unlike(
    spectral: SpectralStats,
    placed: ResampledStats,
    shots: ShotSpectra | None,
    spectra: npt.NDArray[np.float32],
) -> float | None:
    """Share of (C, N) pixels that are farther from every shot than the shots reach.

    None of too few pixels, and where a model of an earlier version keeps no shots.
    """
    if shots is None or spectra.shape[1] < FEWEST_PX:
        return None
    some = spectra[:, _spread(np.arange(spectra.shape[1]), HELD_PX)]
    own = resample_stats(spectral, spectral.centres_nm)
    return float((_to_nearest(placed, some, own, shots.spectra) > shots.reach).mean())


def look(view: xr.DataArray) -> npt.NDArray[np.float32]:
    """(C, N) pixels with data of windows spread over a scene, see `select_good_bands`; N may be 0."""
    for count in LOOKS:
        spectra = sample_spectra(view, count)
        if spectra.shape[1] >= ENOUGH_PX:
            break
    return spectra


def bring_to_scale(
    view: xr.DataArray,
    spectral: SpectralStats,
    shots: ShotSpectra | None,
    rescale: Rescale,
    reporter: Reporter,
) -> tuple[float, Likeness | None]:
    """Find out what a scene's values have to be multiplied by before a model maps them.

    Args:
        view: The scene as models see it.
        spectral: Bands and statistics of the model.
        shots: That the model keeps.
        rescale: What the user says: a factor, "auto" to take the power of ten that is found, or None.
        reporter: Is told what was applied.

    Returns:
        The factor, and how the scene's values lie then; None if no pixel with data was found.

    Raises:
        ScaleError: If the values lie on another scale, or are otherwise far from the model's.
    """
    factor = 1.0 if rescale is None or rescale == "auto" else rescale
    spectra = look(rescaled(view, factor))
    name = name_of(view)
    if not spectra.shape[1]:
        reporter.log(f"scene '{name}' has no data in a sample: its scale was not looked at")
        return factor, None
    placed = resample_stats(spectral, bands_of(view).centres_nm)
    found = compare(placed, spectra)
    if rescale == "auto" and found.factor != 1.0:
        factor = 1.0 / found.factor
        reporter.log(
            f"scene '{name}': values were multiplied by {_plain(factor)}, which brings them to the "
            "scale of the model"
        )
        spectra = spectra * np.float32(factor)
        found = compare(placed, spectra)
    require_near(found, name, factor)
    return factor, dataclasses.replace(found, unlike=share_unlike(spectral, placed, shots, spectra))


def require_near(found: Likeness, name: str, applied: float) -> None:
    """Refuse a scene whose values lie on another scale, or otherwise far from a model's.

    Args:
        found: How they lie.
        name: Of the scene.
        applied: What they were multiplied by before.

    Raises:
        ScaleError: With what explains it, and what to do.
    """
    after = "" if applied == 1.0 else f", after they were multiplied by {_plain(applied)},"
    if found.factor != 1.0:
        needed = _plain(applied / found.factor)
        raise ScaleError(
            f"scene '{name}' has values{after} {_times(found.factor)} than those that the model was "
            "adapted to",
            hint=f"if both are the same quantity, give --rescale {needed} or --rescale auto",
        )
    if abs(found.level) > FAR_LEVEL:
        raise ScaleError(
            f"scene '{name}' has values{after} about {_times(10.0**found.level)} than those that the "
            "model was adapted to, which no power of ten explains",
            hint="give --rescale FACTOR if you know it, or --restat if it is a whole scene of another "
            "date or sensor",
        )
    restat = (
        "declare the offset in the file, or give --restat if it is a whole scene of another date or "
        "sensor"
    )
    if found.offset is not None:
        side = "above" if found.offset > 0 else "below"
        raise ScaleError(
            f"scene '{name}' has values{after} about {_rounded(abs(found.offset))} {side} those that the "
            "model was adapted to, by as much in every band",
            hint=restat,
        )
    if found.negative:
        raise ScaleError(
            f"scene '{name}' has values{after} that are not above 0 in the mean of most bands, and "
            "the model was adapted to values that are",
            hint=restat,
        )
    if found.distance > FAR:
        raise ScaleError(
            f"scene '{name}' has spectra{after} that lie {found.distance:.0f} standard deviations "
            "from those that the model was adapted to",
            hint="give --restat if it is a whole scene of another date or sensor, or leave it out",
        )


def _times(factor: float) -> str:
    return f"{_rounded(max(factor, 1 / factor))} times {'larger' if factor > 1 else 'smaller'}"


def _rounded(value: float) -> str:
    """Two digits, as people write them."""
    near = float(f"{value:.2g}")
    return f"{near:,.0f}" if near >= 10 else f"{near:g}"


def _plain(factor: float) -> str:
    """Such as 10000 or 0.0001, never 1e-04."""
    return np.format_float_positional(float(f"{factor:.6g}"), trim="-")


def require_one_scale(views: Sequence[xr.DataArray]) -> None:
    """Refuse scenes to learn from together whose values differ by a power of ten.

    Args:
        views: Scenes of one sensor as models see them.

    Raises:
        ScaleError: With the two scenes and the factor.
    """
    if len(views) < 2:
        return
    spectral = learn_spectral_stats(views[:1])
    for view in views[1:]:
        spectra = look(view)
        if not spectra.shape[1]:
            continue
        found = compare(resample_stats(spectral, bands_of(view).centres_nm), spectra)
        if found.factor == 1.0 and abs(found.level) <= FAR_LEVEL:
            continue
        times = _times(found.factor if found.factor != 1.0 else 10.0**found.level)
        raise ScaleError(
            f"scene '{name_of(view)}' has values about {times} than scene '{name_of(views[0])}'",
            hint="declare the scale in the file (gdal_edit.py -scale), or leave one out",
        )


def parse_rescale(rescale: object) -> Rescale:
    """What a user gave as --rescale.

    Raises:
        OptionError: If it is neither "auto" nor a number above 0.
    """
    if rescale is None or rescale == "auto":
        return None if rescale is None else "auto"
    try:
        factor = float(rescale)  # type: ignore[arg-type]  # anything a user may give
    except (TypeError, ValueError):
        factor = math.nan
    if not (math.isfinite(factor) and factor > 0):
        raise OptionError(
            f"--rescale {rescale} is no factor", hint="give a number above 0 such as 10000, or auto"
        )
    return factor
