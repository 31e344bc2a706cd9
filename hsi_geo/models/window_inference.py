"""Inference over the overlapping windows of a region, with shared pixel tokens."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from hsi_geo.models.bf16 import has_fast_bfloat16, to_bfloat16
from hsi_geo.models.classifier import Classifier
from hsi_geo.models.s2former import S2Former, Tokens
from hsi_geo.models.wavelength_axis import BandMap

#: From (B,) rows and (B,) columns of windows in a grid to their (B, K, P, P) outputs.
WindowOutputs = Callable[[Tensor, Tensor], Tensor]


class WindowGridNetwork:
    """Runs a network over a regular grid of windows; pixel tokens are computed once for all windows.

    Args:
        encoder: Network whose features are computed. For a classifier use `for_classifier`.
        bands: Map from the scene's bands to the wavelength axis.
        stride_px: Step between windows in pixels.
        device: Device on which the network runs.
        head: Function from (B, D, P, P) features to (B, K, P, P) outputs; the default returns the features.
        bf16: Whether to compute products in bfloat16 on devices that are faster at it.

    Examples:
        >>> import numpy as np
        >>> from hsi_geo.models.s2former_config import S2FormerConfig
        >>> from hsi_geo.models.wavelength_axis import resample_to_axis
        >>> encoder = S2Former(S2FormerConfig(window_px=8, width=16, depth=1, heads=2)).eval()
        >>> bands = resample_to_axis(encoder.config, np.array([500.0, 600.0]), np.array([20.0, 20.0]))
        >>> network = WindowGridNetwork(encoder, bands, 4, torch.device("cpu"))
        >>> windows = network(torch.zeros(2, 16, 24), torch.ones(16, 24, dtype=torch.bool))
        >>> windows(torch.tensor([0, 2]), torch.tensor([1, 4])).shape
        torch.Size([2, 16, 8, 8])
    """

    def __init__(
        self,
        encoder: S2Former,
        bands: BandMap,
        stride_px: int,
        device: torch.device,
        *,
        head: Callable[[Tensor], Tensor] = lambda features: features,
        bf16: bool = False,
    ) -> None:
        self.encoder = encoder.to(device)
        if bf16 and has_fast_bfloat16(device):
            self.encoder = to_bfloat16(self.encoder)
        self.bands = bands.to(device)
        self.stride_px = stride_px
        self.device = device
        self.head = head

    @classmethod
    def for_classifier(
        cls, classifier: Classifier, bands: BandMap, stride_px: int, device: torch.device
    ) -> WindowGridNetwork:
        """Make a network that computes class probabilities, in bfloat16 where that is faster.

        Args:
            classifier: The classifier in evaluation mode; it is moved to the device.
            bands: Map from the scene's bands to the wavelength axis.
            stride_px: Step between windows in pixels.
            device: Device on which the network runs.
        """
        classifier.to(device)

        def probabilities(features: Tensor) -> Tensor:
            return classifier.probabilities(classifier.classify(features))

        return cls(classifier.backbone, bands, stride_px, device, head=probabilities, bf16=True)

    def __call__(self, image: Tensor, valid: Tensor) -> WindowOutputs:
        """Embed a region.

        Args:
            image: (C, H, W) float32 physical values.
            valid: (H, W) bool, whether a pixel has data.

        Returns:
            Function that computes the outputs of the windows in given rows and columns of the grid, on
            the CPU.
        """
        size, stride = self.encoder.config.window_px, self.stride_px
        valid = valid.to(self.device)
        tokens = self.encoder.embed_grid(image.to(self.device), valid, self.bands, stride)
        pixels = tokens.pixels.unfold(0, size, stride).unfold(1, size, stride)  # (R, Q, D, P, P)
        pixels = pixels.permute(0, 1, 3, 4, 2)
        valids = valid.unfold(0, size, stride).unfold(1, size, stride)  # (R, Q, P, P)

        def outputs(rows: Tensor, cols: Tensor) -> Tensor:
            rows, cols = rows.to(self.device), cols.to(self.device)
            window_pixels = pixels[rows, cols].flatten(1, 2)  # (B, P * P, D)
            chosen = Tokens(window_pixels, tokens.spectrum[rows, cols], tokens.covered)
            return self.head(self.encoder.encode(chosen, valids[rows, cols])).cpu()

        return outputs
