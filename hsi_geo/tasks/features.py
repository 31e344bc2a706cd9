"""What a pre-trained encoder makes of a scene, and how much a linear head can read from it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
import xarray as xr
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from hsi_geo.io.scene import grid_of, spectral_view
from hsi_geo.models.classifier import band_map
from hsi_geo.models.s2former import S2Former
from hsi_geo.tasks.benchmark import draw_shots
from hsi_geo.tasks.sliding import SlidingWindow, each_window
from hsi_geo.tasks.statistics import learn_spectral
from hsi_geo.tiling import Tiling


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
    view = spectral_view(scene)
    spectral = learn_spectral([view])
    bands = band_map(encoder.config, spectral, spectral.centres_nm)

    def network(image: Tensor, valid: Tensor) -> Tensor:
        features: Tensor = encoder(image, valid, bands)
        return features

    size = encoder.config.window_px
    tiling = Tiling(size, max(1, size // 2))
    return SlidingWindow(view, tiling, each_window(network, tiling), encoder.config.width).block(
        grid_of(view).window
    )


def linear_head_accuracy(
    features: npt.NDArray[np.float32],
    labels: npt.NDArray[np.int64],
    per_class: int,
    seed: int,
    strength: float = 1.0,
) -> float:
    """Overall accuracy of logistic regression on a few shots' frozen features.

    Args:
        features: (D, H, W).
        labels: (H, W) 1..K, 0 where nothing is known.
        per_class: Shots a class, drawn as in `benchmark.draw_shots`.
        seed: Of the draw.
        strength: Inverse of the regularisation.

    Returns:
        Share of all other labelled pixels named right.
    """
    table, flat = features.reshape(len(features), -1).T, labels.ravel()
    scaled = StandardScaler().fit(table)
    shots = draw_shots(labels, per_class, seed)
    test = np.setdiff1d(np.flatnonzero(flat), shots)
    head = LogisticRegression(C=strength, max_iter=500)
    head.fit(scaled.transform(table[shots]), flat[shots])
    return float((head.predict(scaled.transform(table[test])) == flat[test]).mean())


def fresh_encoder(encoder: S2Former, seed: int) -> S2Former:
    """The same network with random weights: what pre-training has to beat."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return S2Former(encoder.config).eval()
