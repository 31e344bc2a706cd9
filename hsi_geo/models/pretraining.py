"""Self-supervised pre-training: masked reconstruction under a Frequency Domain Constraint.

Most pixel tokens of a window are hidden from the spatial branch; the spectral branch stays
unmasked; both guide each other by cross-attention, and every pixel's spectrum is reconstructed.
The constraint (FDC) asks besides that the reconstruction agree with the window in the frequency
domain: in all coefficients of its real FFT, and in the magnitude of the high ones, which hold
edges and fine detail. That much is in the abstract of arXiv 2601.18088; weights, cutoff, axes and
distances are ours and were chosen by ablation (docs/pretraining.md).

Letters for shapes as in `s2former`; P = H = W is the side of a window.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from hsi_geo.models.s2former import BandMap, S2Former, S2FormerConfig

Axes = Literal["none", "spatial", "spectral", "both"]


@dataclass(frozen=True, slots=True)
class Objective:
    """What is asked of the reconstruction.

    Attributes:
        mask_ratio: Share of a window's pixels that are hidden.
        visible: Weight of reconstructing a pixel that is not hidden, beside 1 for one that is.
        fdc: Axes of the FFT: "spatial" (rows and columns), "spectral" (slots), "both", "none".
        consistency: Weight of the distance between all coefficients.
        high: Weight of the distance between the magnitudes of high ones.
        cutoff: Share of the Nyquist frequency from which on a frequency is high.
        low_pass: Constrain the low frequencies instead, the counter-hypothesis (LFSMIM, doi
            10.1109/lgrs.2024.3360184).
    """

    mask_ratio: float = 0.5
    visible: float = 0.3
    fdc: Axes = "spatial"
    consistency: float = 0.1
    high: float = 0.1
    cutoff: float = 0.5
    low_pass: bool = False


class Losses(NamedTuple):
    """The parts of the loss, each a scalar; their sum is minimised."""

    reconstruction: Tensor
    consistency: Tensor
    magnitude: Tensor

    @property
    def total(self) -> Tensor:
        """The sum."""
        return self.reconstruction + self.consistency + self.magnitude


class MaskedReconstruction(nn.Module):
    """Wraps an S2Former, which stays as it is, with a mask token and a linear decoder."""

    def __init__(self, config: S2FormerConfig, objective: Objective) -> None:
        super().__init__()
        self.objective = objective
        self.encoder = S2Former(config)
        self.mask_token = nn.Parameter(0.02 * torch.randn(config.width))
        self.decoder = nn.Linear(config.width, config.groups * config.slots_per_group)

    def forward(self, image: Tensor, valid: Tensor, bands: BandMap, hidden: Tensor) -> Losses:
        """Hide pixels, reconstruct all, compare.

        Args:
            image: (B, C, P, P) physical values.
            valid: (B, P, P) bool; pixels without data are neither seen nor asked for.
            bands: From the C bands to the axis.
            hidden: (B, P, P) bool, pixels hidden from the spatial branch.

        Returns:
            The losses.
        """
        tokens = self.encoder.embed(image, valid, bands)
        pixels = torch.where(hidden.flatten(1)[:, :, None], self.mask_token, tokens.pixels)
        features = self.encoder.encode(tokens._replace(pixels=pixels), valid)
        drawn = self.decoder(features.movedim(1, -1)).movedim(-1, 1)  # (B, K, P, P)
        wanted = torch.einsum("kc,bchw->bkhw", bands.matrix, image - bands.centre[:, None, None])
        wanted = wanted + bands.shift[:, None, None]
        there = valid[:, None] * bands.present[:, None, None]  # (B, K, P, P)
        return self.compare(drawn * there, wanted * there, there, hidden)

    def compare(self, drawn: Tensor, wanted: Tensor, there: Tensor, hidden: Tensor) -> Losses:
        """Losses of (B, K, P, P) reconstructions; all arguments are 0 where there is no data."""
        seen = self.objective.visible * ~hidden[:, None]
        asked = there * (hidden[:, None] + seen)
        error = ((drawn - wanted).square() * asked).sum() / asked.sum().clamp(min=1.0)
        nothing = drawn.new_zeros(())
        if self.objective.fdc == "none":
            return Losses(error, nothing, nothing)
        # Empty slots and pixels are 0 on both sides: they add nothing but to the mean.
        scale = there.numel() / there.sum().clamp(min=1.0)
        parts = [
            _spectra_apart(drawn, wanted, axes, self.objective)
            for axes in _axes(self.objective.fdc)
        ]
        consistency = scale * torch.stack([part[0] for part in parts]).mean()
        magnitude = scale * torch.stack([part[1] for part in parts]).mean()
        return Losses(
            error, self.objective.consistency * consistency, self.objective.high * magnitude
        )


def random_mask(valid: Tensor, mask_ratio: float, generator: torch.Generator) -> Tensor:
    """(B, P, P) bool: a random share of each window's pixels, hidden from the spatial branch."""
    B, H, W = valid.shape
    order = torch.rand(B, H * W, generator=generator).argsort(dim=1)
    hidden = torch.zeros(B, H * W, dtype=torch.bool)
    hidden.scatter_(1, order[:, : round(mask_ratio * H * W)], True)
    return hidden.view(B, H, W)


def _axes(fdc: Axes) -> list[tuple[int, ...]]:
    """Axes of (B, K, P, P) to transform."""
    spatial, spectral = (2, 3), (1,)
    return [*[spatial] * (fdc in ("spatial", "both")), *[spectral] * (fdc in ("spectral", "both"))]


def _spectra_apart(
    drawn: Tensor, wanted: Tensor, axes: tuple[int, ...], objective: Objective
) -> tuple[Tensor, Tensor]:
    """Mean distance of all Fourier coefficients, and of the magnitudes of high (or low) ones."""
    ours = torch.fft.rfftn(drawn, dim=axes, norm="ortho")
    theirs = torch.fft.rfftn(wanted, dim=axes, norm="ortho")
    radius = _radius([drawn.shape[axis] for axis in axes]).to(drawn.device)
    shape = [1] * drawn.ndim
    for axis, size in zip(axes, radius.shape, strict=True):
        shape[axis] = size
    chosen = (radius < objective.cutoff) if objective.low_pass else (radius >= objective.cutoff)
    chosen = chosen.view(shape).to(drawn.dtype)
    apart = (ours - theirs).abs()
    consistency = (
        (apart * chosen).sum() / chosen.expand_as(apart).sum()
        if (objective.low_pass)
        else apart.mean()
    )
    magnitudes = (ours.abs() - theirs.abs()).abs() * chosen
    return consistency, magnitudes.sum() / chosen.expand_as(magnitudes).sum()


def _radius(sizes: list[int]) -> Tensor:
    """Distance from frequency 0 of each real-FFT coefficient; 1 at Nyquist along an axis."""
    along = [2 * torch.fft.fftfreq(size).abs() for size in sizes[:-1]]
    along.append(2 * torch.fft.rfftfreq(sizes[-1]))
    grids = torch.meshgrid(*along, indexing="ij")
    return torch.stack(grids).square().sum(dim=0).sqrt()
