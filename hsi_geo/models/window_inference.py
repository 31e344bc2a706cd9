"""A classifier over the overlapping windows of one stretch of a scene, all at once."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from hsi_geo.models.bf16 import half_is_faster, halved
from hsi_geo.models.classifier import Classifier
from hsi_geo.models.s2former import BandMap, S2Former, Tokens

#: Outputs (B, K, P, P) of the windows in some rows and columns of a grid_of_windows.
Windows = Callable[[Tensor, Tensor], Tensor]


class WindowGridNetwork:
    """Runs a network over a grid_of_windows of windows; what is a pixel's own is computed once.

    Args:
        encoder: Its features are put out; of a classifier pass its backbone and see `of`.
        bands: From the scene's bands.
        stride_px: Step between windows.
        device: Where it runs.
        name: From (B, D, P, P) features to (B, K, P, P) outputs.
        half: Multiply in half precision where the device is faster at it.
    """

    def __init__(
        self,
        encoder: S2Former,
        bands: BandMap,
        stride_px: int,
        device: torch.device,
        *,
        name: Callable[[Tensor], Tensor] = lambda features: features,
        half: bool = False,
    ) -> None:
        self.encoder = encoder.to(device)
        if half and half_is_faster(device):
            self.encoder = halved(self.encoder)
        self.bands = bands.to(device)
        self.stride_px = stride_px
        self.device = device
        self.name = name

    @classmethod
    def of(
        cls, classifier: Classifier, bands: BandMap, stride_px: int, device: torch.device
    ) -> WindowGridNetwork:
        """Class probabilities, as fast as the device can."""
        classifier.to(device)

        def name(features: Tensor) -> Tensor:
            return classifier.probabilities(classifier.name(features))

        return cls(classifier.backbone, bands, stride_px, device, name=name, half=True)

    def __call__(self, image: Tensor, valid: Tensor) -> Windows:
        """Take a stretch in.

        Args:
            image: (C, H, W) float32.
            valid: (H, W) bool.

        Returns:
            What gives the outputs of its windows.
        """
        size, stride = self.encoder.config.window_px, self.stride_px
        valid = valid.to(self.device)
        tokens = self.encoder.embed_grid(image.to(self.device), valid, self.bands, stride)
        cut = tokens.pixels.unfold(0, size, stride).unfold(1, size, stride)  # (R, Q, D, P, P)
        pixels = cut.permute(0, 1, 3, 4, 2)
        valids = valid.unfold(0, size, stride).unfold(1, size, stride)  # (R, Q, P, P)

        def windows(rows: Tensor, cols: Tensor) -> Tensor:
            rows, cols = rows.to(self.device), cols.to(self.device)
            own = pixels[rows, cols].flatten(1, 2)  # (B, P * P, D)
            chosen = Tokens(own, tokens.spectrum[rows, cols], tokens.covered)
            return self.name(self.encoder.encode(chosen, valids[rows, cols])).cpu()

        return windows
