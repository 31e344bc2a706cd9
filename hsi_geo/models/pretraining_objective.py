"""Weights and options of the pre-training loss, as plain values: importing them imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from hsi_geo.arguments import require_word

Axes = Literal["none", "spatial", "spectral", "both"]


@dataclass(frozen=True, slots=True)
class Objective:
    """Weights and options of the pre-training loss.

    Attributes:
        mask_ratio: Share of a window's pixels that are masked, 0 to 1.
        visible: Loss weight of the reconstruction of a visible pixel; that of a masked pixel is 1.
        fdc: Axes of the FFT: "spatial" (rows and columns), "spectral" (slots), "both", or "none" for a loss
            without the constraint.
        consistency: Loss weight of the mean distance between all coefficients.
        high: Loss weight of the mean distance between the magnitudes of high frequencies.
        cutoff: Frequency from which on a frequency counts as high, as a share of the Nyquist frequency.
        low_pass: Whether to constrain low frequencies instead, the opposite hypothesis (LFSMIM, doi
            10.1109/lgrs.2024.3360184).
    """

    mask_ratio: float = 0.5
    visible: float = 0.3
    fdc: Axes = "spatial"
    consistency: float = 0.1
    high: float = 0.1
    cutoff: float = 0.5
    low_pass: bool = False

    def __post_init__(self) -> None:
        """Refuse axes that would be taken for none.

        Raises:
            OptionError: If ``fdc`` is another word.
        """
        require_word("constraint", self.fdc, get_args(Axes))
