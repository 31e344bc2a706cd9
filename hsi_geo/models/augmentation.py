"""Dihedral augmentation: the eight rotations and reflections of a square window.

Land cover has no up or down, so all elements of the dihedral group D4 are equally likely.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Dihedral:
    """One element of the dihedral group D4: a rotation, then perhaps a reflection.

    Attributes:
        quarter_turns: Number of rotations by 90 degrees, anticlockwise, 0 to 3.
        flipped: Whether the order of the columns is reversed after the rotation.
    """

    quarter_turns: int
    flipped: bool

    @classmethod
    def sample(cls, generator: np.random.Generator) -> Dihedral:
        """Draw one of the eight elements with equal probability.

        Args:
            generator: Source of the two random numbers.
        """
        return cls(int(generator.integers(4)), bool(generator.integers(2)))

    def apply(self, window: Tensor) -> Tensor:
        """Rotate and reflect a window.

        Args:
            window: (..., P, P) values; the last two axes are rows and columns.

        Returns:
            (..., P, P) transformed values in contiguous memory.

        Examples:
            >>> import torch
            >>> Dihedral(1, False).apply(torch.tensor([[1, 2], [3, 4]])).tolist()
            [[2, 4], [1, 3]]
            >>> Dihedral(0, True).apply(torch.tensor([[1, 2], [3, 4]])).tolist()
            [[2, 1], [4, 3]]
        """
        turned = torch.rot90(window, self.quarter_turns, (-2, -1))
        return (turned.flip(-1) if self.flipped else turned).contiguous()
