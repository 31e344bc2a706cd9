"""Folds of shots for cross-validation: features and spatial blocks stay whole."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from hsi_geo.arrays import BoolArray, Float64Array, IntArray
from hsi_geo.tasks.validation.accuracy import OutOfFold
from hsi_geo.tasks.validation.spatial_blocks import spatial_blocks

#: Most folds of a cross-validation.
FOLDS = 5


@dataclass(frozen=True, eq=False)
class LabelledPixels:
    """Pixels under shots, with the fold in which each is held out.

    Attributes:
        rows: (n,) index of each labelled pixel among all N pixels.
        labels: (n,) class of each among the K' classes that have shots, 0..K' - 1.
        folds: (n,) fold in which each is held out, -1 for never.
        groups: (n,) group that is held out as a whole: a drawn feature, or a block of features.
        features: (n,) drawn feature of each.
        present: (K',) class index, 0..K - 1, of each class that has shots.
        weights: (n,) weight of each in fits, above 0 to 1; see `shot_weights`.
        in_scene: (n,) whether each is a pixel of the scene; spectra of a library are never held out, as they
            cannot tell how the scene is mapped. None if all are.
    """

    rows: IntArray
    labels: IntArray
    folds: IntArray
    groups: IntArray
    features: IntArray
    present: IntArray
    weights: Float64Array
    in_scene: BoolArray | None = None

    @property
    def held(self) -> IntArray:
        """(n',) indices of the pixels that are held out in a fold."""
        return np.flatnonzero(self.folds >= 0)

    @property
    def _held_as_a_whole(self) -> BoolArray:
        """(n,) whether the group of each pixel is held out as a whole, not in parts."""
        names, group = np.unique(self.groups, return_inverse=True)
        first, last = np.full(len(names), np.iinfo(np.int64).max), np.full(len(names), -1)
        np.minimum.at(first, group, self.folds)
        np.maximum.at(last, group, self.folds)
        return np.asarray((first == last)[group] & (self.folds >= 0))

    @property
    def coverage(self) -> float:
        """Share of the classes of which whole groups are held out, 0 to 1.

        A class that was drawn in one place cannot tell how it looks at other places.
        """
        return len(self._known_elsewhere) / max(1, len(self.present))

    @property
    def _known_elsewhere(self) -> IntArray:
        """Classes of which whole groups are held out."""
        return np.unique(self.labels[self._held_as_a_whole])

    @property
    def narrowly_drawn(self) -> float:
        """Share of the classes that were drawn by many pixels of one place, 0 to 1.

        All classifiers learn such a class from the same narrow cut. A class of m pixels in g groups counts
        1 - g / m: what a single pixel shows by chance differs from feature set to feature set.

        Examples:
            >>> import numpy as np
            >>> labelled_pixels(np.array([0, 0, 0, 0, 1]), np.array([0, 0, 0, 0, 1])).narrowly_drawn
            0.375
            >>> labelled_pixels(np.array([0, 0, 0, 0, 1]), np.array([0, 0, 1, 1, 2])).narrowly_drawn
            0.0
        """
        shares = []
        for label in np.setdiff1d(self.labels, self._known_elsewhere):
            groups = self.groups[self.labels == label]
            shares.append(1.0 - len(np.unique(groups)) / len(groups))
        return float(np.sum(shares)) / max(1, len(self.present))

    @property
    def evidence(self) -> Float64Array:
        """(n,) weight of each pixel where held-out pixels decide between predictions.

        Pixels of one group are not independent: together they count as one pixel. A group that is held out in
        parts counts nothing, since the other parts are its neighbours. Where few classes have several groups,
        all evidence is weak, and is multiplied by `coverage`.

        Examples:
            >>> import numpy as np
            >>> points = labelled_pixels(np.array([0, 0, 1, 1]), np.array([0, 1, 2, 3]))
            >>> points.evidence.tolist()
            [1.0, 1.0, 1.0, 1.0]
            >>> polygons = labelled_pixels(np.array([0, 0, 0, 1, 1]), np.array([0, 0, 1, 2, 3]))
            >>> polygons.evidence.tolist()
            [0.5, 0.5, 1.0, 1.0, 1.0]
            >>> one_place = labelled_pixels(np.array([0, 0, 1, 1]), np.array([0, 0, 1, 1]))
            >>> one_place.evidence.tolist()
            [0.0, 0.0, 0.0, 0.0]
        """
        group = np.unique(self.groups, return_inverse=True)[1]
        return self.coverage * self._held_as_a_whole / np.bincount(group)[group]

    @property
    def left_share(self) -> Float64Array:
        """(n,) share of the weight of its class that is left for a fit while a pixel is held out; 1 if it never is.

        Pixels of one group weigh as much as one pixel. Of a class with wrong labels, which weigh little, a larger share
        goes with each right one.

        Examples:
            >>> import numpy as np
            >>> shots = labelled_pixels(np.array([0, 0, 1, 1, 1]), np.array([0, 1, 2, 3, 4]))
            >>> shots.left_share.round(2).tolist()
            [0.5, 0.5, 0.67, 0.67, 0.67]
            >>> weighted = dataclasses.replace(shots, weights=np.array([1.0, 1.0, 1.0, 1.0, 0.1]))
            >>> weighted.left_share.round(2).tolist()
            [0.5, 0.5, 0.52, 0.52, 0.95]
        """
        group = np.unique(self.groups, return_inverse=True)[1]
        weights = self.weights / np.bincount(group)[group]
        of_class = np.bincount(self.labels, weights)[self.labels]
        _, part = np.unique(np.stack([self.labels, self.folds]), axis=1, return_inverse=True)
        part = part.reshape(-1)  # NumPy 2.0.0 gives it another shape
        held = np.bincount(part, weights)[part]
        return np.where(self.folds >= 0, np.clip(1.0 - held / of_class, 0.0, 1.0), 1.0)


def labelled_pixels(
    labels: IntArray,
    features: IntArray,
    in_scene: BoolArray | None = None,
    library_weight: float = 1.0,
) -> LabelledPixels:
    """Assign folds to the pixels under shots.

    Whole features are held out; contiguous parts of them if every class is one feature.

    Args:
        labels: (N,) class index of each pixel, -1 where there is no shot.
        features: (N,) drawn feature of each pixel, -1 where there is no shot.
        in_scene: (N,) False for spectra of a library; None if there are none.
        library_weight: Weight of each of these.

    Returns:
        The labelled pixels with their folds.

    Examples:
        >>> import numpy as np
        >>> shots = labelled_pixels(np.array([0, -1, 0, 1, 1]), np.array([0, -1, 1, 2, 3]))
        >>> shots.rows.tolist(), shots.labels.tolist()
        ([0, 2, 3, 4], [0, 0, 1, 1])
    """
    rows = np.flatnonzero(labels >= 0)
    present, own = np.unique(labels[rows], return_inverse=True)
    groups = features[rows]
    if in_scene is None or in_scene.all():
        folds = stratified_group_folds(own, groups)
        if not (folds >= 0).any():  # every class was drawn in one piece
            folds = contiguous_folds(own)
        return LabelledPixels(rows, own, folds, groups, groups, present, np.ones(len(rows)))
    here = in_scene[rows]
    folds = np.full(len(rows), -1)
    folds[here] = stratified_group_folds(own[here], groups[here])
    if not (folds >= 0).any():
        folds[here] = contiguous_folds(own[here])
    weights = np.where(here, 1.0, library_weight)
    return LabelledPixels(rows, own, folds, groups, groups, present, weights, here)


def group_by_spatial_blocks(shots: LabelledPixels, positions_px: Float64Array) -> LabelledPixels:
    """Assign folds anew, so that features that are close to each other are held out together.

    Args:
        shots: Labelled pixels as `labelled_pixels` returns them.
        positions_px: (N, 2) row and column of all N pixels on the pixel grid of the CRS.

    Returns:
        The labelled pixels with other folds and groups; unchanged if no two features are close.
    """
    if shots.in_scene is not None:
        return _group_in_scene(shots, positions_px)
    blocks = spatial_blocks(shots.labels, shots.features, positions_px[shots.rows])
    # A block has the number of its first feature, so that nothing changes without close features.
    names = np.full(blocks.max() + 1, shots.features.max())
    np.minimum.at(names, blocks, shots.features)
    groups = names[blocks]
    return dataclasses.replace(
        shots, folds=stratified_group_folds(shots.labels, groups), groups=groups
    )


def _group_in_scene(shots: LabelledPixels, positions_px: Float64Array) -> LabelledPixels:
    """Folds of the pixels of the scene anew; spectra of a library have none."""
    here = np.flatnonzero(np.asarray(shots.in_scene))
    folds, groups = np.full(len(shots.rows), -1), shots.groups.copy()
    if len(here):
        drawn = dataclasses.replace(
            shots,
            rows=shots.rows[here],
            labels=shots.labels[here],
            folds=shots.folds[here],
            groups=shots.groups[here],
            features=shots.features[here],
            weights=shots.weights[here],
            in_scene=None,
        )
        grouped = group_by_spatial_blocks(drawn, positions_px)
        folds[here], groups[here] = grouped.folds, grouped.groups
    return dataclasses.replace(shots, folds=folds, groups=groups)


def collect_out_of_fold(
    shots: LabelledPixels, predicted: IntArray, shares: Float64Array
) -> OutOfFold:
    """Collect the predictions of pixels that were held out.

    Args:
        shots: n labelled pixels.
        predicted: (n,) class predicted for each without its fold, 0..K' - 1.
        shares: (K,) share of the scene that each class covers, 0 to 1.

    Returns:
        Predictions of the pixels that have a fold, with class indices 0..K - 1.
    """
    held = shots.held
    never = np.setdiff1d(np.arange(len(shots.present)), shots.labels[held])
    return OutOfFold(
        shots.features[held],
        shots.groups[held],
        shots.present[shots.labels[held]],
        shots.present[predicted[held]],
        shares,
        len(np.unique(shots.folds[held])),
        shots.present[never],
    )


def stratified_group_folds(labels: IntArray, groups: IntArray) -> IntArray:
    """Distribute the groups of each class over folds, at random but always the same way.

    Args:
        labels: (n,) class of each pixel.
        groups: (n,) group of each pixel, of one class each.

    Returns:
        (n,) fold of each pixel, -1 for a class that is one group.

    Examples:
        >>> stratified_group_folds(np.array([0, 0, 0, 1]), np.array([5, 5, 6, 7])).tolist()
        [0, 0, 1, -1]
    """
    folds = np.full(len(labels), -1)
    generator = np.random.default_rng(0)
    for c in np.unique(labels):
        own = generator.permutation(np.unique(groups[labels == c]))
        if len(own) >= 2:
            for number, group in enumerate(own):
                folds[(labels == c) & (groups == group)] = number % min(FOLDS, len(own))
    return folds


def contiguous_folds(labels: IntArray) -> IntArray:
    """Cut the pixels of each class into folds of consecutive pixels.

    Args:
        labels: (n,) class of each pixel.

    Returns:
        (n,) fold of each pixel, -1 for a class of one pixel.

    Examples:
        >>> contiguous_folds(np.array([0, 0, 0, 0, 0, 0, 1])).tolist()
        [0, 0, 1, 2, 3, 4, -1]
    """
    folds = np.full(len(labels), -1)
    for c in np.unique(labels):
        own = np.flatnonzero(labels == c)
        if len(own) >= 2:
            folds[own] = np.arange(len(own)) * min(FOLDS, len(own)) // len(own)
    return folds
