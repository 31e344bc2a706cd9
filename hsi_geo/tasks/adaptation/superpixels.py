"""Segments: neighbouring pixels that are like each other, grown by Ward's method.

A filter smears across a field's rim; the mean over a segment ends there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from scipy.ndimage import label
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from sklearn.cluster import ward_tree
from sklearn.feature_extraction.image import grid_to_graph

from hsi_geo.arrays import BoolArray, Float32Array, IntArray
from hsi_geo.tasks.adaptation.principal_components import principal_components


def grow_superpixels(
    table: Float32Array, inside: Sequence[BoolArray], sizes_px: Sequence[int]
) -> list[IntArray]:
    """Cut images into superpixels.

    From single pixels on, the two touching superpixels are joined that lie least apart (Ward 1963,
    doi 10.1080/01621459.1963.10500845), so that small superpixels lie in large ones.

    Args:
        table: (N, D) numbers of the pixels of all images, row by row.
        inside: (H, W) of each image, which pixels count; N in all.
        sizes_px: Mean numbers of pixels that superpixels shall have.

    Returns:
        For each size the (N,) segment of each pixel, counted from 0.
    """
    likeness = principal_components(table)
    found = [np.empty(len(table), np.int64) for _ in sizes_px]
    counts = [0] * len(sizes_px)
    for rows, mask in _islands(inside):
        children = _joined(likeness[rows], mask)
        for number, size in enumerate(sizes_px):
            own = _cut(children, len(rows), max(1, round(len(rows) / size)))
            found[number][rows] = counts[number] + own
            counts[number] += int(own.max()) + 1
    return found


def means(table: Float32Array, superpixels: IntArray) -> Float32Array:
    """(N, D) each pixel's segment's mean.

    Args:
        table: (N, D) numbers of the pixels.
        superpixels: (N,) segment of each, counted from 0.
    """
    count = int(superpixels.max()) + 1
    members = coo_array(
        (np.ones(len(table), np.float32), (superpixels, np.arange(len(table)))), (count, len(table))
    ).tocsr()
    sizes = np.bincount(superpixels, minlength=count).astype(np.float32)
    return np.asarray((members @ table) / sizes[:, None], np.float32)[superpixels]


def _islands(inside: Sequence[BoolArray]) -> Iterator[tuple[IntArray, BoolArray]]:
    """Rows of the table and mask of each stretch of pixels that touch."""
    first = 0
    for image in inside:
        islands, count = label(image)
        of_pixel = islands[image]
        order = np.argsort(of_pixel, kind="stable")
        ends = np.cumsum(np.bincount(of_pixel, minlength=count + 1)[1:])
        for number, rows in enumerate(np.split(order, ends[:-1]) if count else (), start=1):
            yield first + rows, islands == number
        first += len(of_pixel)


def _joined(table: Float32Array, mask: BoolArray) -> IntArray:
    """(n - 1, 2) what is joined, first to last; n and more are what came of earlier joints."""
    if len(table) == 1:
        return np.empty((0, 2), np.int64)
    return np.asarray(ward_tree(table, connectivity=grid_to_graph(*mask.shape, mask=mask))[0])


def _cut(children: IntArray, pixels: int, superpixels: int) -> IntArray:
    """(n,) superpixels after so many joints that as many are left."""
    done = children[: pixels - superpixels]
    nodes = pixels + len(done)
    parents = np.repeat(np.arange(pixels, nodes), 2)
    edges = coo_array((np.ones(len(parents), bool), (done.ravel(), parents)), (nodes, nodes))
    _, found = connected_components(edges, directed=False)
    return np.asarray(np.unique(found[:pixels], return_inverse=True)[1], np.int64)
