"""Superpixels: connected groups of similar pixels, by agglomerative clustering with Ward linkage.

A Gaussian filter blurs across the edge of a field; the mean of a superpixel ends there.

Letters for shapes: N pixels of all images, n pixels of a connected component, D features.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from scipy.ndimage import label
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from sklearn.cluster import ward_tree
from sklearn.feature_extraction.image import grid_to_graph

from hsi_geo import timings
from hsi_geo.arrays import BoolArray, Float32Array, IntArray
from hsi_geo.tasks.adaptation.principal_components import principal_components


@timings.stage(timings.SUPERPIXELS)
def grow_superpixels(
    features: Float32Array, inside: Sequence[BoolArray], sizes_px: Sequence[int]
) -> list[IntArray]:
    """Segment images into superpixels of several sizes.

    Starting with single pixels, the two adjacent superpixels with the least Ward distance are merged (Ward
    1963, doi 10.1080/01621459.1963.10500845), so that small superpixels lie inside large ones.

    Args:
        features: (N, D) features of the pixels of all images, image by image and row by row.
        inside: (H, W) mask of each image; the True pixels are the N pixels.
        sizes_px: Mean numbers of pixels of a superpixel.

    Returns:
        For each size the (N,) superpixel of each pixel, numbered from 0.

    Examples:
        >>> import numpy as np
        >>> values = np.array([[0.0], [0.1], [5.0], [5.1]], np.float32)
        >>> (found,) = grow_superpixels(values, [np.ones((1, 4), bool)], [2])
        >>> found.tolist()
        [0, 0, 1, 1]
    """
    components = principal_components(features)
    found = [np.empty(len(features), np.int64) for _ in sizes_px]
    counts = [0] * len(sizes_px)
    for rows, mask in _connected_regions(inside):
        children = _merge_tree(components[rows], mask)
        for number, size in enumerate(sizes_px):
            local = _cut_tree(children, len(rows), max(1, round(len(rows) / size)))
            found[number][rows] = counts[number] + local
            counts[number] += int(local.max()) + 1
    return found


def _connected_regions(inside: Sequence[BoolArray]) -> Iterator[tuple[IntArray, BoolArray]]:
    """Rows among the N pixels, and mask in its image, of each connected component of each image."""
    first = 0
    for image in inside:
        components, count = label(image)
        of_pixel = components[image]
        order = np.argsort(of_pixel, kind="stable")
        ends = np.cumsum(np.bincount(of_pixel, minlength=count + 1)[1:])
        for number, rows in enumerate(np.split(order, ends[:-1]) if count else (), start=1):
            yield first + rows, components == number
        first += len(of_pixel)


def _merge_tree(features: Float32Array, mask: BoolArray) -> IntArray:
    """(n - 1, 2) children of each merge, first to last; numbers from n on are earlier merges."""
    if len(features) == 1:
        return np.empty((0, 2), np.int64)
    return np.asarray(ward_tree(features, connectivity=grid_to_graph(*mask.shape, mask=mask))[0])


def _cut_tree(children: IntArray, pixels: int, superpixels: int) -> IntArray:
    """(n,) superpixel of each pixel after the merges that leave a given number of superpixels."""
    done = children[: pixels - superpixels]
    nodes = pixels + len(done)
    parents = np.repeat(np.arange(pixels, nodes), 2)
    edges = coo_array((np.ones(len(parents), bool), (done.ravel(), parents)), (nodes, nodes))
    _, found = connected_components(edges, directed=False)
    return np.asarray(np.unique(found[:pixels], return_inverse=True)[1], np.int64)
