"""The costly estimate: the whole adaptation anew without each part of the shots.

Features that were adapted with a shot know it, however the last layer is fitted. So nothing that
has seen a held-out shot is used to name it: neither the teacher nor the network it taught.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch

from hsi_geo.arrays import IntArray
from hsi_geo.io.scenes.properties import bands_of
from hsi_geo.models.classifier import Classifier, band_map
from hsi_geo.models.window_inference import WindowGridNetwork
from hsi_geo.progress import Reporter
from hsi_geo.tasks.adaptation.training_regions import TrainingRegions
from hsi_geo.tasks.inference.sliding_window import SlidingWindow
from hsi_geo.tasks.validation.accuracy import OutOfFold
from hsi_geo.tasks.validation.folds import (
    collect_out_of_fold,
    group_by_spatial_blocks,
    labelled_pixels,
)
from hsi_geo.tiling import Tiling

METHOD = (
    "cross-validation, blocked in space, of the whole adaptation: teacher and network are made anew "
    "without a fifth of each class's places (polygons, clusters of points), which are then named by "
    "the network as it maps, and count by the share of the scene that their class was mapped to"
)


def cross_validate(
    regions: TrainingRegions,
    shares: npt.NDArray[np.float64],
    learn: Callable[[TrainingRegions], Classifier],
    tiling: Tiling,
    device: torch.device,
    reporter: Reporter,
) -> OutOfFold:
    """Adapt once for each fold of the shots, without it, and name it.

    Args:
        regions: Pixels and shots.
        shares: (K,) of the scene that each class covers.
        learn: The adaptation.
        tiling: Windows that a map is made with.
        device: Where the network runs.
        reporter: Is told how far it is.
    """
    shots = group_by_spatial_blocks(
        labelled_pixels(regions.labels, regions.features), regions.positions_px
    )
    named = np.zeros(len(shots.rows), np.int64)
    every = np.unique(shots.folds[shots.held])
    for turn, fold in enumerate(every, start=1):
        reporter.log(f"adapting without part {turn} of {len(every)} of the shots")
        test = shots.folds == fold
        classifier = learn(_without(regions, shots.rows[test]))
        given = _probabilities(classifier, regions, shots.rows[test], tiling, device)
        named[test] = given[:, shots.present].argmax(axis=1)
    return collect_out_of_fold(shots, named, shares)


def _without(regions: TrainingRegions, rows: IntArray) -> TrainingRegions:
    """The same regions without the shots of some pixels, counted through all regions."""
    parts, first = [], 0
    for region in regions.regions:
        at = np.flatnonzero(region.inside)
        here = rows[(rows >= first) & (rows < first + len(at))] - first
        first += len(at)
        labels, features = region.labels.copy(), region.features.copy()
        labels.flat[at[here]] = features.flat[at[here]] = -1
        parts.append(dataclasses.replace(region, labels=labels, features=features))
    return dataclasses.replace(regions, regions=tuple(parts))


def _probabilities(
    classifier: Classifier,
    regions: TrainingRegions,
    rows: IntArray,
    tiling: Tiling,
    device: torch.device,
) -> npt.NDArray[np.float32]:
    """(n, K) of pixels counted through all regions, as a map would have them."""
    found = np.zeros((len(rows), len(regions.classes)), np.float32)
    first = 0
    for region in regions.regions:
        at = np.flatnonzero(region.inside)
        here = (rows >= first) & (rows < first + len(at))
        if here.any():
            view = regions.views[region.scene]
            bands = band_map(
                classifier.backbone.config, regions.spectral, bands_of(view).centres_nm
            )
            network = WindowGridNetwork.for_classifier(classifier, bands, tiling.stride_px, device)
            block, _ = SlidingWindow(view, tiling, network, len(regions.classes)).block(
                region.reach
            )
            found[here] = block.reshape(len(block), -1)[:, at[rows[here] - first]].T
        first += len(at)
    return found
