"""Features and graphs of the pixels of training regions. No shot has an effect on them, so that they can be kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from hsi_geo.models.s2former import S2Former
from hsi_geo.tasks.adaptation.encoded_regions import encoder_cubes
from hsi_geo.tasks.adaptation.feature_process import FeatureProcess
from hsi_geo.tasks.adaptation.feature_sets import PixelFeatures, combine_parts
from hsi_geo.tasks.adaptation.steps import Steps, no_steps
from hsi_geo.tasks.adaptation.training_regions import TrainingRegions

if TYPE_CHECKING:
    from hsi_geo.tasks.adaptation.spectral_features import SpectralFeatures

#: Number of steps of `compute_pixel_features`, for the progress.
PIXEL_FEATURE_STEPS = 4


def compute_pixel_features(
    regions: TrainingRegions,
    encoder: S2Former | None,
    device: torch.device,
    advance: Steps | None = None,
    ahead: SpectralFeatures | FeatureProcess | None = None,
) -> PixelFeatures:
    """Compute the features and graphs of the pixels of some regions.

    Args:
        regions: Pixels; their shots are not used.
        encoder: Pre-trained encoder, whose weights are not changed; None for no encoder features.
        device: Device on which the encoder runs.
        advance: Receives `PIXEL_FEATURE_STEPS` steps; None reports none.
        ahead: Features of the spectra of these regions that were computed before, or the process that computes them;
            None computes them now.

    Raises:
        SceneError: If all pixels are the same.
    """
    advance = advance or no_steps()
    encoded = None if encoder is None else encoder_cubes(regions, encoder, device)
    advance()
    threads = torch.get_num_threads()
    if isinstance(ahead, FeatureProcess):
        found = ahead.finish(encoded, threads, advance.check)
        if found is not None:
            advance.finish(PIXEL_FEATURE_STEPS)
            return combine_parts(found, regions.positions_px)
        ahead = None
    # scikit-learn takes long to import.
    from hsi_geo.tasks.adaptation.feature_parts import compute_parts
    from hsi_geo.tasks.adaptation.spectral_features import SpectralFeatures

    parts = compute_parts(ahead or SpectralFeatures(regions), encoded, threads, advance)
    return combine_parts(parts, regions.positions_px)
