"""Which shots are held out together when shots are asked how good what was learnt from others is."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from hsi_geo.arrays import Float64Array, IntArray
from hsi_geo.tasks.validation.accuracy import OutOfFold
from hsi_geo.tasks.validation.spatial_blocks import spatial_blocks

#: Parts that shots are cut into for cross-validation, at most.
FOLDS = 5


@dataclass(frozen=True, eq=False)
class LabelledPixels:
    """The shots among the pixels of all regions, in the classes that have any.

    Attributes:
        rows: (n,) of the pixels' tables.
        labels: (n,) 0..K' - 1.
        folds: (n,) in which each is held out; -1: never.
        groups: (n,) what is held out as one: drawn features, or blocks of them.
        features: (n,) drawn features.
        present: (K',) class indices.
    """

    rows: IntArray
    labels: IntArray
    folds: IntArray
    groups: IntArray
    features: IntArray
    present: IntArray

    @property
    def held(self) -> IntArray:
        """(n',) which shots are held out at some time."""
        return np.flatnonzero(self.folds >= 0)


def labelled_pixels(labels: IntArray, features: IntArray) -> LabelledPixels:
    """Shots with whole features held out; with contiguous parts if every class is one feature.

    Args:
        labels: (N,) class index of each pixel, -1 where there is no shot.
        features: (N,) drawn feature of each pixel, -1 where there is no shot.

    Returns:
        The shots among the pixels, with the fold in which each is held out.

    >>> import numpy as np
    >>> shots = labelled_pixels(np.array([0, -1, 0, 1, 1]), np.array([0, -1, 1, 2, 3]))
    >>> shots.rows.tolist(), shots.labels.tolist()
    ([0, 2, 3, 4], [0, 0, 1, 1])
    """
    rows = np.flatnonzero(labels >= 0)
    present, own = np.unique(labels[rows], return_inverse=True)
    groups = features[rows]
    folds = stratified_group_folds(own, groups)
    if not (folds >= 0).any():  # every class was drawn in one piece
        folds = contiguous_folds(own)
    return LabelledPixels(rows, own, folds, groups, groups, present)


def group_by_spatial_blocks(shots: LabelledPixels, positions_px: Float64Array) -> LabelledPixels:
    """The same shots; features that lie close together are held out together.

    Args:
        shots: As `labelled_pixels` gives them.
        positions_px: (N, 2) row and column of each pixel on the CRS's pixel grid.

    Returns:
        Shots with other folds and groups; the same ones if no two features lie close.
    """
    blocks = spatial_blocks(shots.labels, shots.features, positions_px[shots.rows])
    # A block is called by its first feature: without a cluster nothing changes.
    names = np.full(blocks.max() + 1, shots.features.max())
    np.minimum.at(names, blocks, shots.features)
    groups = names[blocks]
    return dataclasses.replace(
        shots, folds=stratified_group_folds(shots.labels, groups), groups=groups
    )


def collect_out_of_fold(shots: LabelledPixels, named: IntArray, shares: Float64Array) -> OutOfFold:
    """What comes of holding out.

    Args:
        shots: n of them.
        named: (n,) class of each without its fold, 0..K' - 1.
        shares: (K,) of the scene that each class covers.
    """
    held = shots.held
    never = np.setdiff1d(np.arange(len(shots.present)), shots.labels[held])
    return OutOfFold(
        shots.features[held],
        shots.groups[held],
        shots.present[shots.labels[held]],
        shots.present[named[held]],
        shares,
        len(np.unique(shots.folds[held])),
        shots.present[never],
    )


def stratified_group_folds(labels: IntArray, groups: IntArray) -> IntArray:
    """(n,) fold of each shot, whole groups together; -1 for a class that is one group."""
    folds = np.full(len(labels), -1)
    generator = np.random.default_rng(0)
    for c in np.unique(labels):
        own = generator.permutation(np.unique(groups[labels == c]))
        if len(own) >= 2:
            for turn, group in enumerate(own):
                folds[(labels == c) & (groups == group)] = turn % min(FOLDS, len(own))
    return folds


def contiguous_folds(labels: IntArray) -> IntArray:
    """(n,) fold of each shot: stretches of consecutive pixels; -1 for a class of one pixel."""
    folds = np.full(len(labels), -1)
    for c in np.unique(labels):
        own = np.flatnonzero(labels == c)
        if len(own) >= 2:
            folds[own] = np.arange(len(own)) * min(FOLDS, len(own)) // len(own)
    return folds
