"""How many places a sample needs for a wanted standard error, and how they are spread over the strata.

Cochran 1977, Sampling Techniques, sections 4.6 and 5.5; Olofsson et al. 2014 (Remote Sensing of Environment 148,
42-57, doi 10.1016/j.rse.2014.02.015), section 5.1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from hsi_geo.arrays import BoolArray, Float64Array, IntArray

#: Bisections of the factor that a sample is enlarged by.
_STEPS = 60


def needed_places(
    weights: Sequence[float], accuracies: Sequence[float], target_se: float, pixels: int
) -> int:
    """Number of places for a wanted standard error of the overall accuracy (Cochran 1977, eq. 5.25).

    Args:
        weights: (H,) share of the map of each stratum; they sum to 1. One stratum is a simple random sample.
        accuracies: (H,) expected share of right pixels in each stratum, 0 to 1.
        target_se: Wanted standard error, such as 0.01.
        pixels: Number of pixels of all strata.

    Returns:
        The number, at least 1 and at most ``pixels``.

    Examples:
        The example of Olofsson et al. 2014, table 5: four strata, a standard error of 0.01.

        >>> needed_places([0.020, 0.015, 0.320, 0.645], [0.70, 0.60, 0.90, 0.95], 0.01, 10_000_000)
        641
    """
    spreads = [math.sqrt(u * (1 - u)) for u in accuracies]
    mean = math.fsum(w * s for w, s in zip(weights, spreads, strict=True))
    finite = math.fsum(w * s**2 for w, s in zip(weights, spreads, strict=True)) / pixels
    return min(pixels, max(1, math.ceil(mean**2 / (target_se**2 + finite) - 1e-9)))


def allocate(sizes: Sequence[int], places: int, least: int) -> list[int]:
    """Spread places over strata: a least number for each, and the rest in proportion to their sizes.

    Args:
        sizes: (H,) number of pixels of each stratum, 1 or more.
        places: Number of places; more are taken if the least numbers need them.
        least: Least number of places of a stratum. A stratum of fewer pixels has all of them.

    Returns:
        (H,) number of places of each stratum.

    Examples:
        >>> allocate([9000, 900, 100], 100, 20)
        [60, 20, 20]
        >>> allocate([9000, 900, 5], 30, 20)
        [20, 20, 5]
    """
    found = [min(least, size) for size in sizes]
    free = [index for index, size in enumerate(sizes) if size > least]
    left = places - sum(found)
    while left > 0 and free:
        # A stratum whose share is below its least number keeps that number.
        spare = left + sum(found[index] for index in free)
        total = sum(sizes[index] for index in free)
        small = [index for index in free if spare * sizes[index] / total <= found[index]]
        if small:
            free = [index for index in free if index not in small]
            continue
        exact = {index: spare * sizes[index] / total for index in free}
        for index, share in exact.items():
            found[index] = min(sizes[index], int(share))
        by_rest = sorted(free, key=lambda index: (int(exact[index]) - exact[index], index))
        for index in by_rest[: spare - sum(found[index] for index in free)]:
            found[index] = min(sizes[index], found[index] + 1)
        break
    return found


def places_to_halve(right: BoolArray, strata: IntArray, sizes: Mapping[str, int]) -> dict[str, int]:
    """Fewest further places that halve the interval of the overall accuracy.

    Places go where they lower the variance most: to large strata with many errors. The share of right pixels in a
    stratum is taken as (right + 1) / (places + 2), as none is known to be without errors.

    Args:
        right: (N,) whether the map is right at each sampled pixel.
        strata: (N,) stratum of each pixel, an index into ``sizes``.
        sizes: Number of pixels of each stratum by its name.

    Returns:
        Number of further places by stratum, without strata that need none.

    Examples:
        >>> right = np.array([True] * 90 + [False] * 10)
        >>> places_to_halve(right, np.zeros(100, int), {"map": 10_000})
        {'map': 300}
    """
    pixels = np.array(list(sizes.values()), np.float64)
    count = np.bincount(strata, minlength=len(pixels)).astype(np.float64)
    hits = np.bincount(strata, right, minlength=len(pixels))
    used = (pixels > 0) & (count > 0)
    weights = pixels / pixels[used].sum()
    share = (hits + 1) / (count + 2)
    spreads = np.sqrt(share * (1 - share))

    def variance(places: Float64Array) -> float:
        return float((weights[used] ** 2 * spreads[used] ** 2 / places[used]).sum())

    target = variance(count) / 4
    low, high = 0.0, 1.0
    while variance(np.maximum(count, high * weights * spreads)) > target:
        high *= 2
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if variance(np.maximum(count, middle * weights * spreads)) > target:
            low = middle
        else:
            high = middle
    more = np.ceil(np.maximum(count, high * weights * spreads) - count - 1e-6)
    return {name: int(n) for name, n, here in zip(sizes, more, used, strict=True) if here and n > 0}
