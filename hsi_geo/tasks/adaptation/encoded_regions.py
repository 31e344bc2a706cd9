"""Features of a pre-trained encoder for the pixels of training regions.

Letters for shapes: D features of a pixel, h rows and w columns of a region with its margin.
"""

from __future__ import annotations

import numpy as np
import torch

from hsi_geo import timings
from hsi_geo.arrays import Float32Array
from hsi_geo.models.s2former import S2Former
from hsi_geo.tasks.adaptation.feature_cubes import FeatureCubes
from hsi_geo.tasks.adaptation.training_regions import TrainingRegions
from hsi_geo.tasks.inference.encoder_features import sliding_encoder


@timings.stage(timings.FEATURES)
def encoder_cubes(
    regions: TrainingRegions, encoder: S2Former, device: torch.device
) -> FeatureCubes:
    """Compute standardised features of an encoder for each region.

    Args:
        regions: Regions of some scenes.
        encoder: Pre-trained encoder, whose weights are not changed.
        device: Device on which the encoder runs.
    """
    cubes = encode_regions(regions, encoder, device)
    mean, std = mean_and_std(regions, cubes)
    return FeatureCubes(
        [(cube - mean[:, None, None]) / std[:, None, None] for cube in cubes],
        [region.valid for region in regions.regions],
        [region.inside for region in regions.regions],
    )


def encode_regions(
    regions: TrainingRegions, encoder: S2Former, device: torch.device
) -> list[Float32Array]:
    """Compute an encoder's features of each region and its margin.

    Args:
        regions: Regions of some scenes.
        encoder: Pre-trained encoder, whose weights are not changed.
        device: Device on which the encoder runs.

    Returns:
        (D, h, w) features of each region's padded window, blended over windows that overlap by half.
    """
    by_scene = [sliding_encoder(v, encoder, regions.spectral, device) for v in regions.views]
    return [by_scene[region.scene].block(region.padded_window)[0] for region in regions.regions]


def mean_and_std(
    regions: TrainingRegions, cubes: list[Float32Array]
) -> tuple[Float32Array, Float32Array]:
    """Compute mean and standard deviation of features over all pixels of the regions.

    Args:
        regions: Regions with N pixels in all.
        cubes: (D, h, w) features of each region's padded window.

    Returns:
        (D,) mean and (D,) standard deviation, which is at least 1e-6.
    """
    pairs = zip(cubes, regions.regions, strict=True)
    pixels = np.concatenate([cube[:, region.inside] for cube, region in pairs], axis=1)
    std = np.maximum(pixels.std(axis=1), 1e-6)
    return np.asarray(pixels.mean(axis=1), np.float32), np.asarray(std, np.float32)
