"""How many places a sample needs for a wanted standard error, and how they are spread over the strata.

Cochran 1977, Sampling Techniques, sections 4.6 and 5.5; Olofsson et al. 2014 (Remote Sensing of Environment 148,
42-57, doi 10.1016/j.rse.2014.02.015), section 5.1.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from hsi_geo.arrays import BoolArray, Float64Array, IntArray

#: Name of the stratum of a simple random sample.
WHOLE = "whole map"

#: Bisections of the factor that a sample is enlarged by.
_STEPS = 60


def needed_places(
    sizes: Sequence[int], accuracies: Sequence[float], target_se: float, least: int
) -> int:
    """Fewest places for a wanted standard error of the overall accuracy, spread over the strata as `allocate` does.

    Formulas for the best allocation (Cochran 1977, eq. 5.25) give fewer: strata of low accuracy would need a larger
    share of the places.

    Args:
        sizes: (H,) number of pixels of each stratum. One stratum is a simple random sample.
        accuracies: (H,) expected share of right pixels in each stratum, 0 to 1.
        target_se: Wanted standard error, such as 0.01.
        least: Least number of places of a stratum, 1 or more.

    Returns:
        The number, at least 1 and at most that of the pixels. `allocate` may need more for the least numbers.

    Examples:
        Strata of Olofsson et al. 2014, table 5, whose 641 places are those of the best allocation:

        >>> sizes = [200_000, 150_000, 3_200_000, 6_450_000]
        >>> needed_places(sizes, [0.70, 0.60, 0.90, 0.95], 0.01, 2)
        672
    """
    total = sum(sizes)
    weights = [size / total for size in sizes]
    spreads = [math.sqrt(p * (1 - p)) for p in accuracies]

    def is_enough(places: int) -> bool:
        drawn = allocate(sizes, places, least)
        return accuracy_variance(weights, spreads, drawn, sizes) <= target_se**2 * (1 + 1e-9)

    return 1 + bisect.bisect_left(range(1, total), True, key=is_enough)


def accuracy_variance(
    weights: npt.ArrayLike, spreads: npt.ArrayLike, places: npt.ArrayLike, pixels: npt.ArrayLike
) -> float:
    """Variance of the overall accuracy that a stratified sample estimates (Cochran 1977, eq. 5.9).

    Pixels are drawn without replacement, so what is left of a stratum counts: with all of its pixels nothing is unknown.

    Args:
        weights: (H,) share of the map of each stratum.
        spreads: (H,) standard deviation of being right in each stratum, 0 to 0.5.
        places: (H,) number of places in each stratum, above 0.
        pixels: (H,) number of pixels of each stratum.

    Examples:
        >>> round(accuracy_variance([0.5, 0.5], [0.4, 0.4], [100, 100], [100, 200]), 9)
        0.0002
    """
    w, s, n, size = (np.asarray(one, np.float64) for one in (weights, spreads, places, pixels))
    return float((w**2 * s**2 * np.maximum(1 / n - 1 / size, 0)).sum())


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


def places_to_halve(
    right: BoolArray, strata: IntArray, sizes: Mapping[str, int], *, at_random: bool = False
) -> dict[str, int]:
    """Fewest further places that halve the interval of the overall accuracy.

    Places go where they lower the variance most: to large strata with many errors, up to all pixels of a stratum. Those of
    a simple random sample go anywhere, as they have so far. The
    share of right pixels in a stratum is taken as (right + 1) / (places + 2), as none is known to be without errors.

    Args:
        right: (N,) whether the map is right at each sampled pixel.
        strata: (N,) stratum of each pixel, an index into ``sizes``.
        sizes: Number of pixels of each stratum by its name.
        at_random: Whether places are drawn at random in the whole map.

    Returns:
        Number of further places by stratum, without strata that need none; at random that of `WHOLE`.

    Examples:
        >>> right = np.array([True] * 90 + [False] * 10)
        >>> places_to_halve(right, np.zeros(100, int), {"map": 10_000})
        {'map': 289}
    """
    pixels = np.array(list(sizes.values()), np.float64)
    count = np.bincount(strata, minlength=len(pixels)).astype(np.float64)
    hits = np.bincount(strata, right, minlength=len(pixels))
    used = (pixels > 0) & (count > 0)
    names = [name for name, here in zip(sizes, used, strict=True) if here]
    pixels, count, hits = pixels[used], count[used], hits[used]
    weights = pixels / pixels.sum()
    share = (hits + 1) / (count + 2)
    spreads = np.sqrt(share * (1 - share))
    parts = count if at_random else weights * spreads

    def places(factor: float) -> Float64Array:
        return np.maximum(count, np.minimum(factor * parts, pixels))

    def is_enough(factor: float) -> bool:
        return accuracy_variance(weights, spreads, places(factor), pixels) <= target

    target = accuracy_variance(weights, spreads, count, pixels) / 4
    low, high = 0.0, 1.0
    while not is_enough(high):
        high *= 2
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (low, middle) if is_enough(middle) else (middle, high)
    more = places(high) - count
    if at_random:
        names, more = [WHOLE], more.sum(keepdims=True)
    more = np.ceil(more - 1e-6)
    return {name: int(n) for name, n in zip(names, more, strict=True) if n > 0}
