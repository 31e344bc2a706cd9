"""The eight ways to lay a window: land cover has no up or down."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Dihedral:
    """One way to lay a window.

    Attributes:
        quarters: Quarter turns, anticlockwise.
        mirrored: Whether columns are reversed after that.
    """

    quarters: int
    mirrored: bool

    @classmethod
    def draw(cls, generator: np.random.Generator) -> Dihedral:
        """One of the eight, all as likely."""
        return cls(int(generator.integers(4)), bool(generator.integers(2)))

    def of(self, window: Tensor) -> Tensor:
        """(..., P, P) laid this way, contiguous."""
        turned = torch.rot90(window, self.quarters, (-2, -1))
        return (turned.flip(-1) if self.mirrored else turned).contiguous()
