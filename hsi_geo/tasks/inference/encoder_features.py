"""Features of a pre-trained encoder for every pixel of a scene."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
import xarray as xr

from hsi_geo.io.scenes.properties import grid_of, select_good_bands
from hsi_geo.models.classifier import SpectralStats, band_map
from hsi_geo.models.s2former import S2Former
from hsi_geo.models.window_inference import WindowGridNetwork
from hsi_geo.tasks.inference.scene_statistics import learn_spectral_stats
from hsi_geo.tasks.inference.sliding_window import SlidingWindow
from hsi_geo.tiling import Tiling

#: Where encoders run unless told otherwise.
CPU = torch.device("cpu")


def sliding_encoder(
    view: xr.DataArray, encoder: S2Former, spectral: SpectralStats, device: torch.device = CPU
) -> SlidingWindow:
    """An encoder that gives (D, height, width) features of any block of a scene.

    Args:
        view: (C, H, W) scene as models see it, see `io.scenes.properties.select_good_bands`.
        encoder: In evaluation mode; is moved to the device.
        spectral: Bands and statistics of the scene.
        device: Where the encoder runs.

    Returns:
        Features blended over windows that overlap by half, on the CPU.
    """
    bands = band_map(encoder.config, spectral, spectral.centres_nm)
    tiling = Tiling(encoder.config.window_px, max(1, encoder.config.window_px // 2))
    network = WindowGridNetwork(encoder, bands, tiling.stride_px, device)
    return SlidingWindow(view, tiling, network, encoder.config.width)


def scene_features(
    scene: xr.DataArray, encoder: S2Former
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """Features of every pixel of a scene that fits into memory.

    Args:
        scene: The scene.
        encoder: In evaluation mode.

    Returns:
        (D, H, W) features, blended over windows that overlap by half, and (H, W) validity.
    """
    view = select_good_bands(scene)
    return sliding_encoder(view, encoder, learn_spectral_stats([view])).block(grid_of(view).window)


def fresh_encoder(encoder: S2Former, seed: int) -> S2Former:
    """The same network with random weights: what pre-training has to beat."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return S2Former(encoder.config).eval()
