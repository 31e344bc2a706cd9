"""A linear head on a frozen encoder: the cheapest adaptation there is, and a strong one.

The encoder has learnt from scenes without labels and stays as it is, so that refitting the head
without some shots shows honestly how well those would have been named.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from sklearn.linear_model import LogisticRegression

from hsi_geo.models.classifier import Classifier, band_map
from hsi_geo.models.s2former import S2Former
from hsi_geo.tasks.accuracy import Accuracy, score_shots
from hsi_geo.tasks.gathering import Training

#: Inverse strength of the regularisation, and parts that shots are cut into for cross-validation.
STRENGTH, FOLDS = 1.0, 3

#: Shots that are few enough to be looked at more closely.
FEW = 120

#: Windows that go through the encoder together.
BATCH = 64

METHOD = (
    "cross-validation: the linear head is fitted anew without a third of each class's features "
    "(points, polygons), which are then named; the encoder has seen no labels"
)

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class ShotFeatures:
    """What an encoder makes of the gathered shots.

    Attributes:
        seen: (N, V, D) features of each shot, from V places in a window.
        centre: (D,) mean over all pixels of the gathered windows.
        scale: (D,) standard deviation over the same.
    """

    seen: npt.NDArray[np.float64]
    centre: npt.NDArray[np.float64]
    scale: npt.NDArray[np.float64]

    @property
    def standard(self) -> npt.NDArray[np.float64]:
        """(N, V, D) standardised."""
        return (self.seen - self.centre) / self.scale


def look(training: Training, encoder: S2Former, device: torch.device) -> ShotFeatures:
    """Encode the gathered windows, each shot at nine places of a window; at four if shots are many.

    When mapping, a pixel is seen from four windows that overlap by half; a shot is learnt from as
    many or more.
    """
    size = encoder.config.window_px
    spectral = training.spectral
    bands = band_map(encoder.config, spectral, spectral.centres_nm).to(device)
    encoder = encoder.to(device)
    near, far = size // 4, size - 1 - size // 4
    at = [near, size // 2, far] if len(training.images) <= FEW else [near, far]
    seen = []
    count, total, squares = 0, torch.zeros(encoder.config.width), torch.zeros(encoder.config.width)
    with torch.inference_mode():
        for row in at:
            for col in at:
                rows = slice(training.centre - row, training.centre - row + size)
                cols = slice(training.centre - col, training.centre - col + size)
                images = training.images[..., rows, cols].to(device)
                valid = training.valid[..., rows, cols].to(device)
                features = torch.cat(
                    [
                        encoder(images[start : start + BATCH], valid[start : start + BATCH], bands)
                        for start in range(0, len(images), BATCH)
                    ]
                ).cpu()
                seen.append(features[:, :, row, col].double().numpy())
                pixels = features.movedim(1, -1)[valid.cpu()]
                count += len(pixels)
                total += pixels.sum(dim=0)
                squares += pixels.square().sum(dim=0)
    # Features leave a layer norm: they are of size one, and sums of squares keep their digits.
    centre = total.double() / count
    scale = (squares.double() / count - centre.square()).clamp(min=1e-6).sqrt()
    return ShotFeatures(np.stack(seen, axis=1), centre.numpy(), scale.numpy())


def fit_head(
    training: Training, encoder: S2Former, device: torch.device
) -> tuple[Classifier, Accuracy]:
    """Fit a linear head on the shots' features, and cross-validate it.

    Args:
        training: The gathered shots.
        encoder: Stays frozen.
        device: Where the encoder runs.

    Returns:
        The classifier, on the CPU and in evaluation mode, and its estimated accuracy.
    """
    features = look(training, encoder, device)
    labels = training.labels
    classifier = Classifier(encoder.config, len(training.classes))
    classifier.backbone.load_state_dict(encoder.state_dict())
    head = _fit(features.standard, labels)
    weight = torch.zeros_like(classifier.head.weight)
    bias = torch.full_like(classifier.head.bias, -1e4)  # a class without shots is never mapped
    coefficients, intercepts = _all_rows(head)
    scaled = coefficients / features.scale
    weight[head.classes_] = torch.tensor(scaled, dtype=torch.float32)
    shifted = intercepts - scaled @ features.centre
    bias[head.classes_] = torch.tensor(shifted, dtype=torch.float32)
    classifier.head.load_state_dict({"weight": weight, "bias": bias})
    return classifier.eval(), _cross_validate(features.standard, labels, training.groups)


def _fit(standard: npt.NDArray[np.float64], labels: IntArray) -> LogisticRegression:
    """Logistic regression; each shot counts once, however often it is seen."""
    shots, views, width = standard.shape
    head = LogisticRegression(C=STRENGTH, max_iter=1000)
    return head.fit(
        standard.reshape(shots * views, width),
        labels.repeat(views),
        sample_weight=np.full(shots * views, 1.0 / views),
    )


def _all_rows(
    head: LogisticRegression,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """(K, D) and (K,): of two classes scikit-learn keeps one row, for the second."""
    if len(head.classes_) > 2:
        return head.coef_, head.intercept_
    return np.vstack([-head.coef_, head.coef_]) / 2, np.r_[-head.intercept_, head.intercept_] / 2


def _cross_validate(
    standard: npt.NDArray[np.float64], labels: IntArray, groups: IntArray
) -> Accuracy:
    """Name every shot by a head that was fitted without its feature."""
    fold = np.full(len(labels), -1)
    generator = np.random.default_rng(0)
    for c in np.unique(labels):
        own = generator.permutation(np.unique(groups[labels == c]))
        if len(own) >= 2:
            for turn, feature in enumerate(own):
                fold[(labels == c) & (groups == feature)] = turn % min(FOLDS, len(own))
    if (fold < 0).all():
        return Accuracy.unknown("no class has two features, of which one could be held out")
    predicted = np.zeros_like(labels)
    for number in range(FOLDS):
        test = fold == number
        if test.any():
            head = _fit(standard[~test], labels[~test])
            predicted[test] = head.classes_[_votes(head, standard[test]).argmax(axis=1)]
    known = fold >= 0
    return score_shots(labels[known], predicted[known], groups[known], METHOD)


def _votes(head: LogisticRegression, standard: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """(N, K) probabilities, averaged over the places a shot is seen from."""
    shots, views, width = standard.shape
    each = head.predict_proba(standard.reshape(shots * views, width))
    return np.asarray(each.reshape(shots, views, -1).mean(axis=1))
