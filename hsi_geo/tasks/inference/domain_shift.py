"""Domain shift: how a scene's values differ from those that a model was adapted to.

A network maps any input: for a model of reflectance times 10,000 a scene of reflectance from 0 to 1 has one
class everywhere, and no confidence is low. So a sample of the scene is compared with the model's statistics
before mapping. Bright, dark, hazy and cloudy tiles are ordinary; the thresholds leave room for them
(docs/experiments/scale-of-other-scenes.md).

Letters for shapes: C bands of the scene, T bands of the model, N pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from hsi_geo.arrays import Float32Array, Float64Array
from hsi_geo.models.classifier import ResampledStats
from hsi_geo.tasks.inference.scene_statistics import sample_spectra

#: Numbers and sides in pixels of the windows of a sample, tried in order until it has `ENOUGH_PX` pixels with data.
SAMPLE_WINDOWS = ((36, 7), (288, 32), (2304, 32))
ENOUGH_PX = 200

#: Most pixels of a sample, since each tile of a batch is compared. Shares of pixels are then known to a hundredth.
SAMPLE_PX = 2000

#: With fewer pixels only a factor is determined: all of them may lie on one roof.
MIN_PX = 30

#: Brightness of a scene is varied by up to this power of ten either way before spectra are compared.
BRIGHTNESS_RANGE = 0.4

#: Distances (see `DomainShift`) above which a scene has drifted, and above which it cannot be mapped.
DRIFT_DISTANCE, MAX_DISTANCE = 2.0, 12.0

#: Absolute level (see `DomainShift`) above which a scene has drifted: it shows a lake and not a wood, or its
#: values differ by a factor of ten that cannot be proved.
DRIFT_LEVEL = 0.7

#: Share of pixels unlike every shot above which a scene has drifted.
DRIFT_NOVELTY = 0.3

#: Absolute level above which a scene is on another scale, whatever it shows.
MAX_LEVEL = 2.0

#: A level is a power of ten if it lies within this distance: a scene divided by 65,535 is not one divided by
#: 100,000.
POWER_TOLERANCE = 0.15

#: A factor of ten, and not a dark tile, explains the values if the remaining distance and the interquartile
#: range of the bands' levels are below these.
TEN_DISTANCE, TEN_BAND_RANGE = 1.0, 0.25

#: A factor of a hundred or more needs less proof; and the level that it needs.
HUNDRED_DISTANCE, HUNDRED_BAND_RANGE = 2.5, 0.6
HUNDRED_LEVEL = 1.7

#: One offset of all bands explains the values if the remaining distance is below this.
OFFSET_DISTANCE = 1.0


@dataclass(frozen=True, slots=True)
class DomainShift:
    """Difference between a scene's values and those that a model was adapted to.

    Attributes:
        pixels: Number of pixels in the sample.
        level: Median over bands of log10 of the ratio of root mean squares, scene to model.
        factor: Power of ten by which the scene's values are larger; 1 if no power of ten explains them.
        distance: Root mean square over bands of the difference between the mean whitened spectra, in units of
            the larger of the two standard deviations, for the brightness with the least distance. It is below
            2 for tiles of one scene.
        offset: Value that was added to every band, if that explains the distance; otherwise None.
        negative: Whether most bands have a mean that is not positive, and had a positive one.
        novelty: Share of pixels that are farther from every shot than `ShotSpectra.radius`, 0 to 1; None if it
            was not computed.
    """

    pixels: int
    level: float
    factor: float
    distance: float
    offset: float | None
    negative: bool
    novelty: float | None = None

    @property
    def drifts(self) -> bool:
        """Whether the scene differs so much that the accuracy estimate of the model does not hold."""
        return (
            self.distance > DRIFT_DISTANCE
            or abs(self.level) > DRIFT_LEVEL
            or (self.novelty or 0.0) > DRIFT_NOVELTY
        )

    @property
    def brightness_text(self) -> str:
        """A clause about the brightness if it differs much, otherwise an empty text."""
        if abs(self.level) <= DRIFT_LEVEL:
            return ""
        return f"its values are about {times_larger(10.0**self.level)}"

    def as_dict(self) -> dict[str, float | None]:
        """Entries for the JSON record of a map."""
        novelty = None if self.novelty is None else round(self.novelty, 4)
        return {
            "unlike": novelty,
            "distance": round(self.distance, 3),
            "brightness": round(10.0**self.level, 4),
            "pixels": self.pixels,
        }


def measure_domain_shift(
    stats: ResampledStats, spectra: Float32Array, whitened: Float64Array
) -> DomainShift:
    """Compare pixels with the statistics of a model.

    Args:
        stats: The model's statistics for the scene's bands.
        spectra: (C, N) physical values of pixels with data, N > 0.
        whitened: (T, N) the same spectra, from `ResampledStats.whiten`.

    Returns:
        The difference, without the novelty.

    Examples:
        >>> import numpy as np
        >>> stats = ResampledStats(np.eye(2), np.array([3000.0, 5000.0]), np.full(2, 500.0), np.full(2, 500.0))
        >>> noise = np.random.default_rng(0).normal(0, 500, (2, 400))
        >>> spectra = ((stats.centre[:, None] + noise) * 1e-4).astype(np.float32)
        >>> shift = measure_domain_shift(stats, spectra, stats.whiten(spectra))
        >>> shift.factor, round(shift.level, 1)
        (0.0001, -4.0)
    """
    pixels = spectra.shape[1]
    values = spectra.astype(np.float64)
    known = stats.std > 0
    rms = np.sqrt(np.mean(values**2, axis=1))
    model_rms = np.sqrt(stats.centre**2 + stats.std**2)
    comparable = known & (rms > 0)
    if not comparable.any():
        return DomainShift(pixels, 0.0, 1.0, 0.0, None, False)
    levels = np.log10(rms[comparable] / model_rms[comparable])
    level = float(np.median(levels))
    moments = _WhitenedMoments(stats, whitened.mean(axis=1), whitened.std(axis=1))
    factor = _power_of_ten(levels, level, moments)
    mean = values.mean(axis=1)
    positive = known & (stats.centre > 0)
    negative = bool(positive.any() and (mean[positive] <= 0).mean() > 0.5)
    if pixels < MIN_PX:
        return DomainShift(pixels, level, factor, 0.0, None, False)
    distance = moments.distance(1.0)
    offset, remaining = moments.offset()
    explained = distance > DRIFT_DISTANCE and remaining < OFFSET_DISTANCE
    return DomainShift(pixels, level, factor, distance, offset if explained else None, negative)


def _power_of_ten(levels: Float64Array, level: float, moments: _WhitenedMoments) -> float:
    """Power of ten that explains the levels of the bands; 1 if none does."""
    power = round(level)
    if not power or abs(level - power) >= POWER_TOLERANCE:
        return 1.0
    low, high = np.percentile(levels, (25, 75))
    is_ten = abs(power) == 1
    max_distance, max_range = (
        (TEN_DISTANCE, TEN_BAND_RANGE) if is_ten else (HUNDRED_DISTANCE, HUNDRED_BAND_RANGE)
    )
    is_clear = is_ten or abs(level) > HUNDRED_LEVEL
    if is_clear and high - low < max_range and moments.distance(10.0**power) < max_distance:
        return 10.0**power
    return 1.0


@dataclass(frozen=True, eq=False)
class _WhitenedMoments:
    """Mean and standard deviation of a scene's whitened spectra, before the model's mean is subtracted."""

    stats: ResampledStats
    mean: Float64Array  # (T,)
    std: Float64Array  # (T,)

    def distance(self, factor: float) -> float:
        """Least distance after division by a factor and by any brightness within the range."""
        brightness = factor * 10.0 ** np.linspace(-BRIGHTNESS_RANGE, BRIGHTNESS_RANGE, 161)
        return float(_root_mean_square(self._difference(brightness[:, None])).min())

    def offset(self) -> tuple[float, float]:
        """Value that, subtracted from every band, gives the least distance; and that distance."""
        no_change = np.ones(1)
        difference = self._difference(no_change)
        one = self._in_deviations(self.stats.matrix.sum(axis=1), no_change)
        size = float(one @ one)
        if size == 0.0:
            return 0.0, float(_root_mean_square(difference))
        offset = float(one @ difference) / size
        return offset, float(_root_mean_square(difference - offset * one))

    def _difference(self, divisor: Float64Array) -> Float64Array:
        """(..., T) difference of the means after division, for (..., 1) divisors."""
        model_mean = self.stats.matrix @ self.stats.centre
        return self._in_deviations(self.mean / divisor - model_mean, divisor)

    def _in_deviations(self, differences: Float64Array, divisor: Float64Array) -> Float64Array:
        larger = np.maximum(self.stats.whitened_std, self.std / divisor)
        return np.divide(differences, larger, out=np.zeros_like(differences), where=larger > 1e-9)


def _root_mean_square(values: Float64Array) -> Float64Array:
    """(...) root mean squares of (..., T) values."""
    return np.asarray(np.sqrt(np.mean(values**2, axis=-1)))


def times_larger(factor: float) -> str:
    """Say by how much values are larger or smaller.

    Args:
        factor: Ratio of the values, above 0.

    Examples:
        >>> times_larger(1e-4), times_larger(2.5)
        ('10,000 times smaller', '2.5 times larger')
    """
    return f"{rounded(max(factor, 1 / factor))} times {'larger' if factor > 1 else 'smaller'}"


def rounded(value: float) -> str:
    """Format a number with two significant digits and without an exponent.

    Args:
        value: Number of at least 0.
    """
    near = float(f"{value:.2g}")
    return f"{near:,.0f}" if near >= 10 else f"{near:g}"


def sample_scene(view: xr.DataArray) -> Float32Array:
    """Read pixels of windows spread over a scene, more windows where few pixels have data.

    Args:
        view: (C, H, W) scene as `select_good_bands` returns it.

    Returns:
        (C, N) physical values of pixels with data; N may be 0.
    """
    for count, size_px in SAMPLE_WINDOWS:
        spectra = sample_spectra(view, count, size_px, SAMPLE_PX)
        if spectra.shape[1] >= ENOUGH_PX:
            break
    return spectra
