"""Linear probing: a linear head on a frozen encoder, the cheapest way to adapt."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression

from hsi_geo.arrays import Float64Array
from hsi_geo.models.classifier import Classifier
from hsi_geo.models.s2former import S2Former
from hsi_geo.tasks.adaptation.encoded_regions import encode_regions, mean_and_std
from hsi_geo.tasks.adaptation.training_regions import TrainingRegions

#: Inverse of the regularisation strength.
C = 1.0

#: Bias of an output that is never chosen.
NEVER = -1e4


def fit_linear_probe(
    regions: TrainingRegions, encoder: S2Former, device: torch.device
) -> Classifier:
    """Fit logistic regression on a frozen encoder's features of the shots.

    Args:
        regions: Pixels and shots.
        encoder: Pre-trained encoder; its weights are not changed.
        device: Device on which the encoder runs.

    Returns:
        The classifier, on the CPU and in evaluation mode.
    """
    cubes = encode_regions(regions, encoder, device)
    mean, std = mean_and_std(regions, cubes)
    pairs = zip(cubes, regions.regions, strict=True)
    features = np.concatenate([cube[:, region.inside].T for cube, region in pairs])
    shots = np.flatnonzero(regions.labels >= 0)
    head = LogisticRegression(C=C, max_iter=1000)
    head.fit((features[shots] - mean) / std, regions.labels[shots])
    classifier = Classifier(encoder.config, len(regions.classes))
    classifier.backbone.load_state_dict(encoder.cpu().state_dict())
    weight = torch.zeros_like(classifier.head.weight)
    # A class without shots is never mapped, and the output "unlike any shot" is not used.
    bias = torch.full_like(classifier.head.bias, NEVER)
    coefficients, intercepts = _one_row_per_class(head)
    scaled = coefficients / std
    weight[head.classes_] = torch.tensor(scaled, dtype=torch.float32)
    bias[head.classes_] = torch.tensor(intercepts - scaled @ mean, dtype=torch.float32)
    classifier.head.load_state_dict({"weight": weight, "bias": bias})
    return classifier.eval()


def _one_row_per_class(head: LogisticRegression) -> tuple[Float64Array, Float64Array]:
    """(K, D) coefficients and (K,) intercepts; for two classes scikit-learn has one row, for the second."""
    if len(head.classes_) > 2:
        return head.coef_, head.intercept_
    return np.vstack([-head.coef_, head.coef_]) / 2, np.r_[-head.intercept_, head.intercept_] / 2
