"""Cross-validation of the whole adaptation: a new model for each fold of the shots.

Features that were adapted with a shot contain its label, however the last layer is fitted. So neither the
teacher nor the network that predicts a held-out shot was fitted with it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import torch

from hsi_geo import stages
from hsi_geo.arrays import Float32Array, Float64Array, IntArray
from hsi_geo.io.scenes.properties import bands_of
from hsi_geo.models.classifier import Classifier, band_map
from hsi_geo.models.window_inference import WindowGridNetwork
from hsi_geo.progress import Reporter, SilentReporter
from hsi_geo.tasks.adaptation.training_regions import TrainingRegions
from hsi_geo.tasks.inference.sliding_window import SlidingWindow
from hsi_geo.tasks.validation.accuracy import OutOfFold
from hsi_geo.tasks.validation.folds import (
    collect_out_of_fold,
    group_by_spatial_blocks,
    labelled_pixels,
)
from hsi_geo.tiling import Tiling

#: How the accuracy is estimated, for the record of a model.
METHOD = (
    "spatially blocked cross-validation of the whole adaptation: classifiers and network are fitted again "
    "without a fifth of each class's places (polygons, clusters of points), the network classifies the "
    "held-out pixels as it maps a scene, and pixels are weighted by the share of the scene that is mapped "
    "to their class"
)


def cross_validate(
    regions: TrainingRegions,
    shares: Float64Array,
    fit: Callable[[TrainingRegions, Reporter], Classifier],
    tiling: Tiling,
    device: torch.device,
    reporter: Reporter,
) -> OutOfFold:
    """Adapt a model without each fold of the shots, and predict the classes of that fold.

    Args:
        regions: Pixels and shots.
        shares: (K,) share of the scene that each class covers, 0 to 1.
        fit: Function that adapts a classifier to regions and reports its progress.
        tiling: Windows with which maps are made.
        device: Device on which the network runs.
        reporter: Receives the progress over all folds.

    Returns:
        The held-out pixels with their true and predicted classes.
    """
    shots = group_by_spatial_blocks(
        labelled_pixels(regions.labels, regions.features, regions.in_scene, regions.library_weight),
        regions.positions_px,
    )
    predicted = np.zeros(len(shots.rows), np.int64)
    folds = np.unique(shots.folds[shots.held])
    for number, fold in enumerate(folds):
        test = shots.folds == fold
        one = _FoldReporter(reporter, number, len(folds))
        classifier = fit(_without_shots(regions, shots.rows[test]), one)
        probabilities = _predict(classifier, regions, shots.rows[test], tiling, device)
        predicted[test] = probabilities[:, shots.present].argmax(axis=1)
    return collect_out_of_fold(shots, predicted, shares)


class _FoldReporter(SilentReporter):
    """Reports the progress of one fold as a part of the progress over all folds.

    Messages of folds are not reported: they are those of the adaptation to all shots.

    Args:
        reporter: Receives the progress.
        fold: Number of folds that are complete.
        folds: Number of all folds.
    """

    def __init__(self, reporter: Reporter, fold: int, folds: int) -> None:
        self.reporter, self.fold, self.folds = reporter, fold, folds

    def progress(self, stage: str, done: int, total: int) -> None:
        """Report a step of the network's training, which takes most of the time of a fold."""
        if stage == stages.TRAINING:
            self.reporter.progress(stages.ACCURACY, self.fold * total + done, self.folds * total)


def _without_shots(regions: TrainingRegions, rows: IntArray) -> TrainingRegions:
    """The same regions without the labels of some pixels, given as indices into all regions' pixels."""
    changed, first = [], 0
    for region in regions.regions:
        pixels = np.flatnonzero(region.inside)
        local = rows[(rows >= first) & (rows < first + len(pixels))] - first
        first += len(pixels)
        labels, features = region.labels.copy(), region.features.copy()
        labels.flat[pixels[local]] = features.flat[pixels[local]] = -1
        changed.append(dataclasses.replace(region, labels=labels, features=features))
    return dataclasses.replace(regions, regions=tuple(changed))


def _predict(
    classifier: Classifier,
    regions: TrainingRegions,
    rows: IntArray,
    tiling: Tiling,
    device: torch.device,
) -> Float32Array:
    """(n, K) probabilities, as in a map, of pixels given as indices into all regions' pixels."""
    probabilities = np.zeros((len(rows), len(regions.classes)), np.float32)
    first = 0
    for region in regions.regions:
        pixels = np.flatnonzero(region.inside)
        here = (rows >= first) & (rows < first + len(pixels))
        if here.any():
            view = regions.views[region.scene]
            bands = band_map(
                classifier.backbone.config, regions.spectral, bands_of(view).centres_nm
            )
            network = WindowGridNetwork.for_classifier(classifier, bands, tiling.stride_px, device)
            sliding = SlidingWindow(view, tiling, network, len(regions.classes))
            block, _ = sliding.block(region.padded_window)
            probabilities[here] = block.reshape(len(block), -1)[:, pixels[rows[here] - first]].T
        first += len(pixels)
    return probabilities
