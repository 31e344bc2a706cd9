"""Small patches of a map are given to a neighbour, by the class probabilities of their own pixels.

A patch is a set of pixels of one class that are connected by their sides, as in GDAL's sieve. The smallest patches
are given away first: those below the least area divided by 2 ** n, then by 2 ** (n - 1) and so on. A patch looks
at larger patches beside it only. So a pixel depends on pixels within a known distance (`reach_px`), and a tile
with a margin of that width gets the same classes as a whole mosaic.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from hsi_geo.arrays import BoolArray, IntArray, UInt8Array


def merge_small_patches(
    ids: IntArray, steps: UInt8Array, pixel_areas: IntArray, min_area: int
) -> IntArray:
    """Give patches that are too small to the larger neighbour whose class their own pixels have most of.

    A patch without such a neighbour stays, as do pixels of no class and rejected pixels.

    Args:
        ids: (H, W) class ids 1..K; 0 for no class, and ids above K for rejected pixels.
        steps: (K, H, W) class probabilities in whole steps; sums of them do not depend on the order.
        pixel_areas: (H, W) area of each pixel in whole units, or (H, 1) of a pixel in each row.
        min_area: Least area of a patch in these units.

    Returns:
        (H, W) class ids.

    Examples:
        >>> ids = np.array([[1, 1, 1, 1], [2, 2, 3, 1], [2, 2, 2, 2]])
        >>> steps = np.zeros((3, 3, 4), np.uint8)
        >>> steps[:, 1, 2] = 60, 90, 100  # of the pixel of class 3: class 2 is next
        >>> merge_small_patches(ids, steps, np.ones((3, 1), np.int64), 2)[1].tolist()
        [2, 2, 2, 1]
    """
    smallest = int(pixel_areas.min()) if pixel_areas.size else 1
    found = np.asarray(ids, np.int64)
    areas = np.broadcast_to(pixel_areas, ids.shape).ravel()
    for level in _levels(min_area, smallest):
        found = _merge(found, steps, areas, level)
    return found


def reach_px(min_area: int, pixel_area: int) -> int:
    """Greatest distance, in pixels, of what the class of a pixel can depend on.

    Args:
        min_area: Least area of a patch in whole units.
        pixel_area: Area of the smallest pixel in these units.

    Examples:
        >>> reach_px(2, 1), reach_px(10, 1), reach_px(1, 1)
        (2, 32, 0)
    """
    # A small patch has n pixels at most. From any of them the patch ends n - 1 steps away, and in n more steps behind
    # its neighbour's first pixel a larger one has more pixels than the patch.
    return sum(2 * _most_pixels(level, pixel_area) for level in _levels(min_area, pixel_area))


def label_patches(ids: IntArray) -> IntArray:
    """Number the patches of a map: pixels of one class that are connected by their sides.

    Args:
        ids: (H, W) class ids, 0 for no class.

    Returns:
        (H, W) number of the patch of each pixel, from 1; 0 for no class.

    Examples:
        >>> label_patches(np.array([[1, 1, 2], [2, 1, 0]])).tolist()
        [[1, 1, 2], [3, 1, 0]]
    """
    height, width = ids.shape
    # Between any two pixels that are connected lies a cell that is set: so one call labels all classes.
    connected = np.zeros((max(0, 2 * height - 1), max(0, 2 * width - 1)), bool)
    connected[::2, ::2] = ids > 0
    connected[::2, 1::2] = (ids[:, :-1] == ids[:, 1:]) & (ids[:, 1:] > 0)
    connected[1::2, ::2] = (ids[:-1] == ids[1:]) & (ids[1:] > 0)
    from scipy import ndimage  # slow to import, and most maps are not cleaned

    return np.asarray(ndimage.label(connected)[0][::2, ::2], np.int64)


def _levels(min_area: int, pixel_area: int) -> Iterator[float]:
    """Areas below which patches are given away, one after another."""
    count = max(0, math.ceil(math.log2(min_area / pixel_area))) if min_area > pixel_area else 0
    for halvings in reversed(range(count)):
        yield min_area / 2**halvings


def _most_pixels(level: float, pixel_area: int) -> int:
    """Greatest number of pixels of a patch whose area is below a level."""
    return math.ceil(level / pixel_area) - 1


def _merge(ids: IntArray, steps: UInt8Array, areas: IntArray, level: float) -> IntArray:
    patches = label_patches(ids)
    flat = patches.ravel()
    area = np.bincount(flat, areas)
    of_patch = np.zeros(len(area), np.int64)
    of_patch[flat] = ids.ravel()
    has_class = (of_patch > 0) & (of_patch <= len(steps))
    small = has_class & (area < level)
    own, other = _neighbours(patches, small)
    larger = has_class[other] & (area[other] > area[own])
    own, other = own[larger], other[larger]
    if not len(own):
        return ids
    pixels = np.flatnonzero(small[flat])
    shown = steps.reshape(len(steps), -1)[:, pixels]
    classes = of_patch[other]
    votes = np.zeros(len(own))
    for c in np.unique(classes):
        sums = np.bincount(flat[pixels], shown[c - 1], minlength=len(area))
        votes[classes == c] = sums[own[classes == c]]
    order = np.lexsort((-classes, votes, own))  # the last one of each patch wins
    changed = of_patch.copy()
    changed[own[order]] = classes[order]
    return np.asarray(changed[patches])


def _neighbours(patches: IntArray, small: BoolArray) -> tuple[IntArray, IntArray]:
    """Pairs of a small patch and a patch beside it, each in both orders if both are small."""
    pairs = []
    for one, two in ((patches[:, :-1], patches[:, 1:]), (patches[:-1], patches[1:])):
        differ = (one != two) & (one > 0) & (two > 0) & (small[one] | small[two])
        pairs.append(np.stack([one[differ], two[differ]]))
    both = np.concatenate(pairs, axis=1)
    both = np.concatenate([both, both[::-1]], axis=1)
    both = np.unique(both[:, small[both[0]]], axis=1)
    return both[0], both[1]
