"""Temperature scaling of the network: its mean confidence becomes the expected accuracy.

The network learns its teacher's probabilities, and smooths them: its own confidence is up to a tenth higher or lower.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.optimize import brentq
from torch import Tensor

from hsi_geo import timings
from hsi_geo.models.classifier import Classifier, band_map
from hsi_geo.tasks.adaptation.teacher import Teacher
from hsi_geo.tasks.adaptation.training_regions import TrainingRegions
from hsi_geo.tasks.adaptation.training_windows import WindowSampler

#: Number of windows whose pixels are taken.
WINDOWS = 48

#: Range of the logarithm of the factor on the logits.
LOG_FACTOR_RANGE = (-2.0, 1.5)


@timings.stage(timings.CALIBRATION)
@torch.no_grad()
def calibrate_network(
    classifier: Classifier,
    regions: TrainingRegions,
    teacher: Teacher,
    device: torch.device,
    generator: np.random.Generator,
) -> None:
    """Multiply the logits by a factor with which the mean confidence is the teacher's expected accuracy.

    After Guo et al. (2017, arXiv 1706.04599), but without labels: the expected accuracy is that of
    `calibration.expected_accuracy`. The weights of the head are changed in place.

    Args:
        classifier: The network after fine-tuning, in evaluation mode.
        regions: Pixels that it was fine-tuned on.
        teacher: Teacher of these pixels.
        device: Device on which the network computes.
        generator: Source of the random windows.
    """
    sampler = WindowSampler(
        regions,
        teacher,
        classifier.backbone.config.window_px,
        target="teacher",
        noise=(0.0,),
        batch=WINDOWS,
        clean_fraction=1.0,
        generator=generator,
    )
    bands = band_map(classifier.backbone.config, regions.spectral, regions.spectral.centres_nm)
    batch = sampler.sample().to(device)
    logits = classifier.to(device)(batch.image, batch.valid, bands.to(device))
    inside = batch.target.sum(dim=1) > 0
    factor = logit_factor(logits.movedim(1, -1)[inside].cpu(), teacher.expected_accuracy)
    classifier.cpu()
    classifier.head.weight.mul_(factor)
    classifier.head.bias.mul_(factor)


def logit_factor(logits: Tensor, target: float) -> float:
    """Factor on logits with which the mean confidence is a target.

    Args:
        logits: (N, K + 1) logits; the last one is that of "unlike any shot".
        target: Mean largest probability of a class, 0 to 1.

    Returns:
        The factor, within the bounds of `LOG_FACTOR_RANGE`.

    Examples:
        >>> logits = torch.tensor([[2.0, 0.0, -9.0], [0.0, 1.0, -9.0]])
        >>> factor = logit_factor(logits, 0.6)
        >>> round(float((factor * logits).softmax(dim=1)[:, :-1].amax(dim=1).mean()), 3)
        0.6
    """

    def excess_confidence(log_factor: float) -> float:
        probabilities = (logits * float(np.exp(log_factor))).softmax(dim=1)[:, :-1]
        return float(probabilities.amax(dim=1).mean()) - target

    low, high = LOG_FACTOR_RANGE
    if excess_confidence(low) >= 0:
        return float(np.exp(low))
    if excess_confidence(high) <= 0:
        return float(np.exp(high))
    return float(np.exp(brentq(excess_confidence, low, high, xtol=1e-3)))
