"""Features of a pre-trained encoder for every pixel of a scene."""

from __future__ import annotations

import torch
import xarray as xr

from hsi_geo.arrays import BoolArray, Float32Array
from hsi_geo.io.scenes.properties import grid_of, select_good_bands
from hsi_geo.models.classifier import band_map
from hsi_geo.models.s2former import S2Former
from hsi_geo.models.whitening import SpectralStats
from hsi_geo.models.window_inference import WindowGridNetwork
from hsi_geo.tasks.inference.scene_statistics import learn_spectral_stats
from hsi_geo.tasks.inference.sliding_window import SlidingWindow
from hsi_geo.tiling import Tiling

#: Default device of encoders.
CPU = torch.device("cpu")


def sliding_encoder(
    view: xr.DataArray, encoder: S2Former, spectral: SpectralStats, device: torch.device = CPU
) -> SlidingWindow:
    """Make a sliding window that computes an encoder's (D, height, width) features of any block of a scene.

    Args:
        view: (C, H, W) scene as `select_good_bands` returns it.
        encoder: Encoder in evaluation mode; it is moved to the device.
        spectral: Bands and statistics of the scene.
        device: Device on which the encoder runs.

    Returns:
        The sliding window. Features are blended over windows that overlap by half, and are on the CPU.
    """
    bands = band_map(encoder.config, spectral, spectral.centres_nm)
    tiling = Tiling(encoder.config.window_px, max(1, encoder.config.window_px // 2))
    network = WindowGridNetwork(encoder, bands, tiling.stride_px, device)
    return SlidingWindow(view, tiling, network, encoder.config.width)


def scene_features(scene: xr.DataArray, encoder: S2Former) -> tuple[Float32Array, BoolArray]:
    """Compute an encoder's features of every pixel of a scene that fits into memory.

    Args:
        scene: (band, y, x) array with wavelengths.
        encoder: Encoder in evaluation mode.

    Returns:
        features: (D, H, W) features, blended over windows that overlap by half.
        valid: (H, W) whether a pixel has data.

    Examples:
        >>> import numpy as np
        >>> from hsi_geo.io.scenes.scene import scene_from_array
        >>> from hsi_geo.models.s2former_config import S2FormerConfig
        >>> values = np.random.default_rng(0).integers(1, 3000, (3, 10, 12))
        >>> scene = scene_from_array(values, np.array([480.0, 550.0, 660.0]))
        >>> encoder = S2Former(S2FormerConfig(window_px=8, width=16, depth=1, heads=2)).eval()
        >>> scene_features(scene, encoder)[0].shape
        (16, 10, 12)
    """
    view = select_good_bands(scene)
    return sliding_encoder(view, encoder, learn_spectral_stats([view])).block(grid_of(view).window)


def random_encoder_like(encoder: S2Former, seed: int) -> S2Former:
    """Make an encoder of the same shape with random weights, the baseline of pre-training.

    Args:
        encoder: Encoder whose shape is used.
        seed: Seed of the random weights.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return S2Former(encoder.config).eval()
