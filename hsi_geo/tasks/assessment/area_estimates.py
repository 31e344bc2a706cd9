"""Accuracy and areas of a whole map, estimated from a probability sample.

Every estimate is a ratio of two estimated totals of a stratified random sample, as in Stehman 2014
(International Journal of Remote Sensing 35, 4923-4939, doi 10.1080/01431161.2014.930207). Where the strata are
the map's classes these are the estimators of Olofsson et al. 2014 (Remote Sensing of Environment 148, 42-57, doi
10.1016/j.rse.2014.02.015), with the correction for finite populations, which they leave out: pixels are drawn without
replacement, so n of N pixels leave 1 - n / N of the variance (Cochran 1977, section 2.6). It counts on small maps only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hsi_geo.arrays import BoolArray, Float64Array, IntArray
from hsi_geo.errors import ShotsError

#: Fewest sampled pixels of a stratum, without which its standard error is unknown.
FEWEST = 2

#: Differences of less than this part of the largest value are those of rounding.
ROUNDING = 1e-12


@dataclass(frozen=True, eq=False)
class Ratios:
    """Estimated ratios with their standard errors, NaN where the sample has no pixel.

    Attributes:
        value: (K,) ratios, 0 to 1.
        error: (K,) standard errors of the ratios.
    """

    value: Float64Array
    error: Float64Array


@dataclass(frozen=True, eq=False)
class AreaEstimates:
    """Accuracy and areas of a map, estimated from a probability sample.

    Attributes:
        oa: (1,) overall accuracy.
        user: (K,) user's accuracy (precision) of each class.
        producer: (K,) producer's accuracy (recall) of each class.
        f1: (K,) harmonic mean of both.
        share: (K,) share of the area that each class covers on the ground.
        alike: (K,) True where each stratum has only places of the class, or none of them, and pixels that nobody visited.
            The standard error of the share then says nothing: it is 0 where pixels have the same area.
        total: Number of pixels of all strata.
    """

    oa: Ratios
    user: Ratios
    producer: Ratios
    f1: Ratios
    share: Ratios
    alike: BoolArray
    total: int


def estimate_areas(
    mapped: IntArray,
    truth: IntArray,
    classes: int,
    strata: IntArray,
    sizes: Mapping[str, int],
    areas: Float64Array | None = None,
) -> AreaEstimates:
    """Estimate accuracy and areas from a stratified random sample of pixels.

    A simple random sample may be stratified by the map's classes after it was drawn (poststratification),
    see `pool_small`.

    Args:
        mapped: (N,) class of each sampled pixel in the map, 0..K-1.
        truth: (N,) class of each sampled pixel in the reference, 0..K-1.
        classes: Number of classes K.
        strata: (N,) stratum that each pixel was drawn from, an index into ``sizes``.
        sizes: Number of pixels of each stratum by its name.
        areas: (N,) area of each sampled pixel, in any unit, where pixels differ in it, as they do in
            degrees. All shares are then shares of area. None: every pixel has the same area.

    Returns:
        The estimates.

    Raises:
        ShotsError: If a stratum has fewer than two sampled pixels.

    Examples:
        >>> mapped, truth = np.array([0, 0, 0, 1, 1]), np.array([0, 0, 1, 1, 1])
        >>> found = estimate_areas(mapped, truth, 2, mapped, {"rye": 300, "oats": 700})
        >>> found.share.value.round(3).tolist(), found.oa.value.round(3).tolist()
        ([0.2, 0.8], [0.9])
    """
    pixels = np.array(list(sizes.values()), np.float64)
    sampled = np.bincount(strata, minlength=len(sizes))
    few = [
        name for name, size, n in zip(sizes, pixels, sampled, strict=True) if size and n < FEWEST
    ]
    if few:
        raise ShotsError(
            f"the sample has fewer than two pixels in {', '.join(few)}: no standard error can be "
            "computed",
            hint="sample more there, merge classes, or leave out --design",
        )
    in_map = mapped[:, None] == np.arange(classes)  # (N, K)
    in_truth = truth[:, None] == np.arange(classes)
    both = in_map & in_truth
    all_of_it = np.ones((len(truth), 1))
    scale = None if areas is None else areas[:, None]

    def ratios(of: npt.ArrayLike, to: npt.ArrayLike) -> Ratios:
        parts = [np.asarray(part, np.float64) for part in (of, to)]
        if scale is not None:
            parts = [scale * part for part in parts]
        return _ratios(parts[0], parts[1], strata, pixels)

    return AreaEstimates(
        oa=ratios(both.sum(axis=1, keepdims=True), all_of_it),
        user=ratios(both, in_map),
        producer=ratios(both, in_truth),
        f1=ratios(2 * both, in_map.astype(int) + in_truth),
        share=ratios(in_truth, all_of_it),
        alike=_are_alike(in_truth, strata, pixels),
        total=int(pixels.sum()),
    )


def _are_alike(in_truth: BoolArray, strata: IntArray, pixels: Float64Array) -> BoolArray:
    """(K,) whether the places of each stratum say the same of a class, as (N, K) values, and are not all of its pixels."""
    drawn = [in_truth[strata == stratum] for stratum in range(len(pixels))]
    mixed = [one.any(axis=0) & ~one.all(axis=0) for one in drawn if len(one)]
    all_visited = all(len(one) >= n for one, n in zip(drawn, pixels, strict=True))
    return ~np.any(mixed, axis=0) & ~np.bool_(all_visited)


def pool_small(
    strata: IntArray, sizes: Mapping[str, int]
) -> tuple[IntArray, dict[str, int], tuple[str, ...]]:
    """Pool poststrata with too few pixels of a simple random sample into one.

    The number of sampled pixels of a class is random, and may be 0 for a rare class. Poststrata may be
    made coarser for that (Little 1993, Journal of the American Statistical Association 88, 1001-1012,
    doi 10.1080/01621459.1993.10476368). If all become one, the estimates are the shares of the sample.
    Strata of a stratified sample must not be pooled: the design fixes the number of pixels of each.

    Args:
        strata: (N,) stratum of each sampled pixel, an index into ``sizes``.
        sizes: Number of pixels of each stratum by its name.

    Returns:
        strata: (N,) index into the new sizes.
        sizes: Sizes of the new strata. The pooled one has the last of the pooled names.
        pooled: Names of the strata that were pooled; none if all are large enough. If the small ones
            are too few together, the next larger one is pooled with them.

    Examples:
        >>> strata = np.array([0, 0, 0, 1, 2])
        >>> found = pool_small(strata, {"rye": 60, "oats": 30, "peas": 10})
        >>> found[0].tolist(), found[1], found[2]
        ([0, 0, 0, 1, 1], {'rye': 60, 'oats': 40}, ('peas', 'oats'))
    """
    sampled = np.bincount(strata, minlength=len(sizes))
    # By sampled pixels, then by size: the result must not depend on the order of the map's values.
    ranked = sorted(zip(sampled.tolist(), sizes.values(), sizes, strict=True))
    count = sum(n < FEWEST for n, _, _ in ranked)
    while 0 < count < len(ranked) and sum(n for n, _, _ in ranked[:count]) < FEWEST:
        count += 1
    pooled = tuple(name for _, _, name in ranked[:count])
    merged = {name: size for name, size in sizes.items() if name not in pooled}
    if pooled:
        merged[pooled[-1]] = sum(sizes[name] for name in pooled)
    index_of = {name: index for index, name in enumerate(merged)}
    moved = np.array([index_of[pooled[-1] if name in pooled else name] for name in sizes], np.int64)
    return moved[strata], merged, pooled


def _ratios(of: Float64Array, to: Float64Array, strata: IntArray, pixels: Float64Array) -> Ratios:
    """Ratios of the totals of (N, K) values to those of (N, K) or (N, 1) values."""
    weight = pixels / pixels.sum()
    drawn = [strata == stratum for stratum in range(len(weight))]
    # Points on the edges of pixels of other maps may be more than a stratum has pixels.
    left = [
        max(0.0, 1 - here.sum() / n) if n else 0.0 for here, n in zip(drawn, pixels, strict=True)
    ]

    def total(values: Float64Array) -> Float64Array:
        means = (w * values[here].mean(axis=0) for w, here in zip(weight, drawn, strict=True) if w)
        return np.asarray(sum(means), np.float64)

    whole = total(to)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.where(whole > 0, total(of) / whole, np.nan)
        residual = of - value * to
        noise = (ROUNDING * np.maximum(of.max(initial=0.0), to.max(initial=0.0))) ** 2

        def spread(here: BoolArray) -> Float64Array:
            found = residual[here].var(axis=0, ddof=1)
            return np.where(found < noise, 0.0, found)

        variance = sum(
            w**2 * spread(here) / here.sum() * part
            for w, here, part in zip(weight, drawn, left, strict=True)
            if w
        )
        return Ratios(value, np.sqrt(variance) / whole)
