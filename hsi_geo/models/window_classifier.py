"""A classifier of single windows with everything inside: what other programs run.

Letters for shapes: B windows of P * P pixels, C bands, K classes, D width of a token.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hsi_geo.models.classifier import Classifier
from hsi_geo.models.s2former import MASKED_LOGIT
from hsi_geo.models.wavelength_axis import BandMap


class WindowClassifier(nn.Module):
    """From values and validity of whole windows to class probabilities, in one graph without branches.

    `Classifier` leaves out attention masks where all pixels have data. A graph cannot decide that, so masks are always
    added here. A mask of zeros changes no probability.

    Args:
        classifier: Classifier in evaluation mode.
        bands: Map from the C bands to the wavelength axis.

    Examples:
        >>> import numpy as np
        >>> from hsi_geo.models.s2former_config import S2FormerConfig
        >>> from hsi_geo.models.wavelength_axis import resample_to_axis
        >>> config = S2FormerConfig(window_px=8, width=16, depth=1, heads=2)
        >>> classifier = Classifier(config, 3).eval()
        >>> bands = resample_to_axis(config, np.array([500.0, 600.0]), np.array([20.0, 20.0]))
        >>> image, valid = torch.rand(4, 2, 8, 8), torch.ones(4, 8, 8, dtype=torch.bool)
        >>> found = WindowClassifier(classifier, bands)(image, valid)
        >>> expected = classifier.probabilities(classifier(image, valid, bands))
        >>> found.shape, bool((found - expected).abs().max() < 1e-5)
        (torch.Size([4, 3, 8, 8]), True)
    """

    matrix: Tensor
    centre: Tensor
    shift: Tensor
    present: Tensor

    def __init__(self, classifier: Classifier, bands: BandMap) -> None:
        super().__init__()
        self.classifier = classifier
        for name, part in bands._asdict().items():
            self.register_buffer(name, part)

    def forward(self, image: Tensor, valid: Tensor) -> Tensor:
        """Compute the class probabilities of every pixel.

        Args:
            image: (B, C, P, P) float32 physical values; values where ``valid`` is False may be anything, also NaN.
            valid: (B, P, P) bool, whether a pixel has data.

        Returns:
            (B, K, P, P) probabilities; those of pixels without data are undefined.
        """
        encoder = self.classifier.backbone
        size = encoder.config.window_px
        bands = BandMap(self.matrix, self.centre, self.shift, self.present)
        tokens = encoder.embed(torch.where(valid[:, None], image, 0.0), valid, bands)
        pixels = tokens.pixels + encoder.position_encoding.flatten(0, 1)  # (B, P * P, D)
        spectrum = tokens.spectrum + encoder.wavelength_encoding
        pixel_mask = _mask(valid.flatten(1))
        group_mask = _mask(tokens.covered[None])
        for block in encoder.blocks:
            pixels, spectrum = block(pixels, spectrum, pixel_mask, group_mask)
        features = encoder.norm(pixels).transpose(1, 2).unflatten(2, (size, size))
        return self.classifier.probabilities(self.classifier.classify(features))


def _mask(visible: Tensor) -> Tensor:
    """(B, M) bool to a (B, 1, 1, M) additive attention mask."""
    return torch.where(visible, 0.0, MASKED_LOGIT)[:, None, None, :]
