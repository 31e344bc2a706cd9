"""The shape of an S2Former: sizes, wavelength axis, and bounds that files are checked against."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from hsi_geo.arrays import Float64Array

#: Which branch attends to the other one.
CrossAttention = Literal["both", "to_pixels", "to_spectrum", "none"]

#: Least and greatest value of each number. The bounds lie far beyond useful shapes and prevent that a
#: damaged or malicious file exhausts the machine (`tasks.artifacts.model_checks`).
BOUNDS: dict[str, tuple[float, float]] = {
    "window_px": (1, 256),
    "width": (4, 2048),
    "depth": (1, 64),
    "heads": (1, 256),
    "mlp_ratio": (1, 16),
    "first_nm": (0.0, 1e5),
    "slot_nm": (0.1, 1e4),
    "groups": (1, 1024),
    "slots_per_group": (1, 1024),
    "group_width": (1, 1024),
}

#: Greatest wavelength of an axis, and greatest number of its slots.
MAX_AXIS_NM, MAX_SLOTS = 1e5, 20_000


@dataclass(frozen=True, slots=True)
class S2FormerConfig:
    """Everything that fixes the network's shape. It is saved with the weights.

    Attributes:
        window_px: Side of a window in pixels.
        width: D, length of a token and of a pixel's feature vector.
        depth: Number of transformer blocks.
        heads: Number of attention heads; must divide ``width``.
        mlp_ratio: Hidden units of a block's MLP, as a multiple of ``width``.
        first_nm: Lower end of the wavelength axis, in nm.
        slot_nm: Width of a slot of the wavelength axis, in nm.
        groups: G, number of spectral tokens; each stands for a group of slots.
        slots_per_group: S, number of slots in a group.
        group_width: d, length of the vector to which each group of a pixel is projected.
        cross_attention: Which branch attends to the other one: "both", "to_pixels", "to_spectrum" or
            "none"; anything but "both" is for ablations.

    Examples:
        >>> config = S2FormerConfig()
        >>> config.last_nm
        2550.0
        >>> config.slots_nm[:3].tolist()
        [355.0, 365.0, 375.0]
    """

    window_px: int = 16
    width: int = 64
    depth: int = 1
    heads: int = 4
    mlp_ratio: int = 2
    first_nm: float = 350.0
    slot_nm: float = 10.0
    groups: int = 22
    slots_per_group: int = 10
    group_width: int = 8
    cross_attention: CrossAttention = "both"

    def __post_init__(self) -> None:
        """Check the type and the bounds of each number, and that the numbers fit each other.

        Raises:
            ValueError: If a number has another type or is out of its bounds, if heads do not divide the
                width, or if the wavelength axis is too long.
        """
        for name, (least, greatest) in BOUNDS.items():
            value = getattr(self, name)
            number = int if isinstance(least, int) else int | float
            in_bounds = isinstance(value, number) and least <= value <= greatest
            if not in_bounds or isinstance(value, bool):
                raise ValueError(f"{name} {value!r} is not in {least:g}..{greatest:g}")
        if self.cross_attention not in get_args(CrossAttention):
            raise ValueError(
                f"cross_attention {self.cross_attention!r} is not one of "
                + ", ".join(get_args(CrossAttention))
            )
        if self.width % self.heads or self.width % 4:
            raise ValueError(f"width {self.width} is not a multiple of {self.heads} heads and of 4")
        slots = self.groups * self.slots_per_group
        if slots > MAX_SLOTS or self.first_nm + self.slot_nm * slots > MAX_AXIS_NM:
            raise ValueError(
                f"{slots} slots of {self.slot_nm:g} nm from {self.first_nm:g} nm on are too many: at "
                f"most {MAX_SLOTS} slots up to {MAX_AXIS_NM:g} nm are allowed"
            )

    @property
    def last_nm(self) -> float:
        """Upper end of the wavelength axis, in nm."""
        return self.first_nm + self.slot_nm * self.groups * self.slots_per_group

    @property
    def slots_nm(self) -> Float64Array:
        """(K,) centre wavelengths of the slots, in nm."""
        return np.asarray(
            self.first_nm + self.slot_nm * (0.5 + np.arange(self.groups * self.slots_per_group))
        )

    @property
    def least_parameters(self) -> int:
        """A lower bound of the network's number of parameters; it has at most five times as many.

        Examples:
            >>> S2FormerConfig().least_parameters
            46816
        """
        block = (4 + 2 * self.mlp_ratio) * self.width**2  # attention of the pixels, and their MLP
        tokens = self.groups * self.group_width * (self.width + self.slots_per_group)
        return self.depth * block + tokens + 2 * self.group_width * self.width
