"""Self-supervised pre-training: masked reconstruction with a Frequency Domain Constraint (FDC).

Part of a window's pixel tokens are masked in the spatial branch; the spectral branch is not masked. Both
branches attend to each other, and every pixel's spectrum is reconstructed. The FDC also compares
reconstruction and window in the frequency domain: all coefficients of the real FFT, and the magnitudes of
the high frequencies, which hold edges and fine detail. The abstract of arXiv 2601.18088 says this much;
weights, cutoff, axes and distances are our choice by ablation (docs/pretraining.md).

Letters for shapes as in `s2former`; P = H = W is the side of a window.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from hsi_geo.models.pretraining_objective import Axes, Objective
from hsi_geo.models.s2former import S2Former
from hsi_geo.models.s2former_config import S2FormerConfig
from hsi_geo.models.wavelength_axis import BandMap


class Losses(NamedTuple):
    """The terms of the loss; their sum is minimised.

    Attributes:
        reconstruction: Weighted mean squared error of the reconstruction, a scalar.
        consistency: Weighted mean distance of all Fourier coefficients, a scalar.
        magnitude: Weighted mean distance of the magnitudes of high frequencies, a scalar.
    """

    reconstruction: Tensor
    consistency: Tensor
    magnitude: Tensor

    @property
    def total(self) -> Tensor:
        """The sum of the terms."""
        return self.reconstruction + self.consistency + self.magnitude


class MaskedReconstruction(nn.Module):
    """An S2Former with a mask token and a linear decoder.

    Args:
        config: Shape of the S2Former.
        objective: Weights and options of the loss.

    Attributes:
        encoder: The S2Former that is pre-trained.
    """

    def __init__(self, config: S2FormerConfig, objective: Objective) -> None:
        super().__init__()
        self.objective = objective
        self.encoder = S2Former(config)
        self.mask_token = nn.Parameter(0.02 * torch.randn(config.width))
        self.decoder = nn.Linear(config.width, config.groups * config.slots_per_group)

    def forward(self, image: Tensor, valid: Tensor, bands: BandMap, masked: Tensor) -> Losses:
        """Mask pixels, reconstruct all pixels, and compute the loss.

        Args:
            image: (B, C, P, P) physical values.
            valid: (B, P, P) bool, whether a pixel has data; other pixels have no effect.
            bands: Map from the C bands to the wavelength axis.
            masked: (B, P, P) bool, whether a pixel is masked in the spatial branch.
        """
        tokens = self.encoder.embed(image, valid, bands)
        pixels = torch.where(masked.flatten(1)[:, :, None], self.mask_token, tokens.pixels)
        features = self.encoder.encode(tokens._replace(pixels=pixels), valid)
        prediction = self.decoder(features.movedim(1, -1)).movedim(-1, 1)  # (B, K, P, P)
        target = torch.einsum("kc,bchw->bkhw", bands.matrix, image - bands.centre[:, None, None])
        target = target + bands.shift[:, None, None]
        has_value = valid[:, None] * bands.present[:, None, None]  # (B, K, P, P)
        return self.compare(prediction * has_value, target * has_value, has_value, masked)

    def compare(
        self, prediction: Tensor, target: Tensor, has_value: Tensor, masked: Tensor
    ) -> Losses:
        """Compute the terms of the loss.

        Args:
            prediction: (B, K, P, P) reconstruction on the wavelength axis, 0 where there is no value.
            target: (B, K, P, P) true values on the wavelength axis, 0 where there is no value.
            has_value: (B, K, P, P) 1 where a slot of a pixel has a value, 0 elsewhere.
            masked: (B, P, P) bool, whether a pixel was masked.
        """
        visible = self.objective.visible * ~masked[:, None]
        weights = has_value * (masked[:, None] + visible)
        error = ((prediction - target).square() * weights).sum() / weights.sum().clamp(min=1.0)
        zero = prediction.new_zeros(())
        if self.objective.fdc == "none":
            return Losses(error, zero, zero)
        # Empty slots and pixels are 0 on both sides: they only lower the mean, which is corrected here.
        scale = has_value.numel() / has_value.sum().clamp(min=1.0)
        distances = [
            _spectral_distances(prediction, target, axes, self.objective)
            for axes in _fft_axes(self.objective.fdc)
        ]
        consistency = scale * torch.stack([pair[0] for pair in distances]).mean()
        magnitude = scale * torch.stack([pair[1] for pair in distances]).mean()
        return Losses(
            error, self.objective.consistency * consistency, self.objective.high * magnitude
        )


def random_mask(valid: Tensor, mask_ratio: float, generator: torch.Generator) -> Tensor:
    """Choose a random share of each window's pixels.

    Args:
        valid: (B, P, P) tensor whose shape is used.
        mask_ratio: Share of the pixels that are masked, 0 to 1.
        generator: Source of the random numbers.

    Returns:
        (B, P, P) bool, the same number of True in each window.

    Examples:
        >>> mask = random_mask(torch.ones(3, 4, 4), 0.25, torch.Generator().manual_seed(0))
        >>> mask.flatten(1).sum(dim=1).tolist()
        [4, 4, 4]
    """
    B, H, W = valid.shape
    order = torch.rand(B, H * W, generator=generator).argsort(dim=1)
    masked = torch.zeros(B, H * W, dtype=torch.bool)
    masked.scatter_(1, order[:, : round(mask_ratio * H * W)], True)
    return masked.view(B, H, W)


def _fft_axes(fdc: Axes) -> list[tuple[int, ...]]:
    """Axes of (B, K, P, P) for each FFT."""
    spatial, spectral = (2, 3), (1,)
    return [*[spatial] * (fdc in ("spatial", "both")), *[spectral] * (fdc in ("spectral", "both"))]


def _spectral_distances(
    prediction: Tensor, target: Tensor, axes: tuple[int, ...], objective: Objective
) -> tuple[Tensor, Tensor]:
    """Mean distance of all Fourier coefficients, and of the magnitudes of high (or low) frequencies."""
    predicted = torch.fft.rfftn(prediction, dim=axes, norm="ortho")
    expected = torch.fft.rfftn(target, dim=axes, norm="ortho")
    radius = _frequency_radius([prediction.shape[axis] for axis in axes]).to(prediction.device)
    shape = [1] * prediction.ndim
    for axis, size in zip(axes, radius.shape, strict=True):
        shape[axis] = size
    selected = (radius < objective.cutoff) if objective.low_pass else (radius >= objective.cutoff)
    selected = selected.view(shape).to(prediction.dtype)
    distance = (predicted - expected).abs()
    consistency = (
        (distance * selected).sum() / selected.expand_as(distance).sum()
        if objective.low_pass
        else distance.mean()
    )
    magnitudes = (predicted.abs() - expected.abs()).abs() * selected
    return consistency, magnitudes.sum() / selected.expand_as(magnitudes).sum()


def _frequency_radius(sizes: list[int]) -> Tensor:
    """Distance of each real-FFT coefficient from frequency 0; 1 is the Nyquist frequency of an axis."""
    along = [2 * torch.fft.fftfreq(size).abs() for size in sizes[:-1]]
    along.append(2 * torch.fft.rfftfreq(sizes[-1]))
    grids = torch.meshgrid(*along, indexing="ij")
    return torch.stack(grids).square().sum(dim=0).sqrt()
