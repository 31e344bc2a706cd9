"""A linear head on a frozen encoder: the cheapest adaptation there is."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from sklearn.linear_model import LogisticRegression

from hsi_geo.models.classifier import Classifier
from hsi_geo.models.s2former import S2Former
from hsi_geo.tasks.adaptation.feature_sets import centre_and_scale, encode_regions
from hsi_geo.tasks.adaptation.training_regions import TrainingRegions

#: Inverse strength of the regularisation.
STRENGTH = 1.0


def fit_head(regions: TrainingRegions, encoder: S2Former, device: torch.device) -> Classifier:
    """Fit a linear head on what a frozen encoder makes of the shots.

    Args:
        regions: Pixels and shots.
        encoder: Stays as it is.
        device: Where it runs.

    Returns:
        The classifier, on the CPU and in evaluation mode.
    """
    features = encode_regions(regions, encoder, device)
    centre, scale = centre_and_scale(regions, features)
    pairs = zip(features, regions.regions, strict=True)
    table = np.concatenate([found[:, region.inside].T for found, region in pairs])
    shots = np.flatnonzero(regions.labels >= 0)
    head = LogisticRegression(C=STRENGTH, max_iter=1000)
    head.fit((table[shots] - centre) / scale, regions.labels[shots])
    classifier = Classifier(encoder.config, len(regions.classes))
    classifier.backbone.load_state_dict(encoder.cpu().state_dict())
    weight = torch.zeros_like(classifier.head.weight)
    # A class without shots is never mapped, and nothing is unlike any shot.
    bias = torch.full_like(classifier.head.bias, -1e4)
    coefficients, intercepts = _all_rows(head)
    scaled = coefficients / scale
    weight[head.classes_] = torch.tensor(scaled, dtype=torch.float32)
    bias[head.classes_] = torch.tensor(intercepts - scaled @ centre, dtype=torch.float32)
    classifier.head.load_state_dict({"weight": weight, "bias": bias})
    return classifier.eval()


def _all_rows(
    head: LogisticRegression,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """(K, D) and (K,): of two classes scikit-learn keeps one row, for the second."""
    if len(head.classes_) > 2:
        return head.coef_, head.intercept_
    return np.vstack([-head.coef_, head.coef_]) / 2, np.r_[-head.intercept_, head.intercept_] / 2
