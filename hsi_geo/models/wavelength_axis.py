"""Resampling of any sensor's bands to the common wavelength axis of a network.

Letters for shapes: C bands, K slots of the axis, R combinations of bands.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from hsi_geo.arrays import BoolArray, Float64Array
from hsi_geo.errors import WavelengthError
from hsi_geo.models.s2former_config import S2FormerConfig
from hsi_geo.wavelengths import spacing

#: Singular values of a map below this share of the greatest one are rounding errors of single precision.
NEGLIGIBLE = 1e-6


class BandMap(NamedTuple):
    """An affine map from a scene's bands x to the wavelength axis: matrix @ (x - centre) + shift.

    Attributes:
        matrix: (K, C) weights; rows of slots without a band are 0.
        centre: (C,) values that are subtracted first, before rounding can lose digits.
        shift: (K,) values that are added last.
        present: (K,) 1.0 where a slot has bands, 0.0 elsewhere. A missing range is masked, which differs
            from a value of 0.
    """

    matrix: Tensor
    centre: Tensor
    shift: Tensor
    present: Tensor

    def to(self, device: torch.device) -> BandMap:
        """Return the same map on another device.

        Args:
            device: Device of the returned tensors.
        """
        return BandMap(*(part.to(device) for part in self))

    def compose(self, matrix: Tensor, centre: Tensor) -> BandMap:
        """Combine this map with a preceding one, ``matrix @ (x - centre)``, into a single map.

        Args:
            matrix: (C, C') map from other bands x to the bands of this map.
            centre: (C',) values that are subtracted from x.

        Returns:
            The map from x to the wavelength axis.
        """
        shift = self.shift - self.matrix @ self.centre
        return BandMap(self.matrix @ matrix, centre, shift, self.present)

    def with_unused(self, unused: BoolArray) -> BandMap:
        """The same map of more bands, of which some have no weight.

        Args:
            unused: (C',) True for bands without weight, False for the bands of this map in their order.

        Examples:
            >>> bands = BandMap(torch.ones(4, 2), torch.ones(2), torch.zeros(4), torch.ones(4))
            >>> wider = bands.with_unused(np.array([False, True, False]))
            >>> wider.matrix[0].tolist(), wider.centre.tolist()
            ([1.0, 0.0, 1.0], [1.0, 0.0, 1.0])
        """
        used = torch.from_numpy(np.flatnonzero(~unused))
        matrix = self.matrix.new_zeros(len(self.matrix), len(unused))
        centre = self.centre.new_zeros(len(unused))
        matrix[:, used], centre[used] = self.matrix, self.centre
        return BandMap(matrix, centre, self.shift, self.present)

    def reduce(self) -> ReducedBands:
        """Split this map in two. Whitening keeps few directions of many bands, so that R is less than C.

        Examples:
            >>> bands = BandMap(torch.ones(4, 3), torch.zeros(3), torch.zeros(4), torch.ones(4))
            >>> reduced = bands.reduce()
            >>> reduced.basis.shape, reduced.bands.matrix.shape
            (torch.Size([3, 1]), torch.Size([4, 1]))
        """
        _, values, directions = torch.linalg.svd(self.matrix.double(), full_matrices=False)
        kept = values > NEGLIGIBLE * values[0]
        kept[0] = True
        basis = directions[kept].T
        combined = BandMap(
            (self.matrix.double() @ basis).float(),
            torch.zeros(basis.shape[1], device=basis.device),
            self.shift,
            self.present,
        )
        dark = -(self.centre.double() @ basis)
        return ReducedBands(basis.float(), self.centre, dark.float(), combined)


class ReducedBands(NamedTuple):
    """A `BandMap` as two maps in turn: from bands to R combinations of them, and from these to the wavelength axis.

    Attributes:
        basis: (C, R) orthonormal weights of the bands in each combination.
        centre: (C,) values that are subtracted first.
        dark: (R,) combinations of a pixel whose values are 0.
        bands: Map from the combinations to the wavelength axis.
    """

    basis: Tensor
    centre: Tensor
    dark: Tensor
    bands: BandMap

    def combine(self, pixels: Tensor) -> Tensor:
        """Compute the combinations of pixels.

        Args:
            pixels: (N, C) values.

        Returns:
            (N, R) combinations.
        """
        return (pixels - self.centre) @ self.basis


def resample_to_axis(
    config: S2FormerConfig, centres_nm: Float64Array, fwhm_nm: Float64Array
) -> BandMap:
    """Resample bands to the wavelength axis with triangular weights.

    The half-width of a band's triangle is the largest of a slot's width and the smaller of the band
    spacing and twice the FWHM. So bands coarser than the axis are interpolated linearly, and finer bands
    are averaged. Slots that no triangle covers are missing.

    Args:
        config: Shape of the network, which fixes the axis.
        centres_nm: (C,) band centres in nm, in any order.
        fwhm_nm: (C,) full widths at half maximum in nm.

    Returns:
        The map; its centre and shift are 0.

    Raises:
        WavelengthError: If no band lies on the axis, so that all slots would be missing.

    Examples:
        >>> import numpy as np
        >>> axis = resample_to_axis(S2FormerConfig(), np.array([450.0, 470.0]), np.array([12.0, 12.0]))
        >>> axis.matrix.shape, int(axis.present.sum())
        (torch.Size([220, 2]), 6)
        >>> axis.matrix[10].tolist()  # the slot at 455 nm, between both bands
        [0.75, 0.25]
    """
    if not ((config.first_nm <= centres_nm) & (centres_nm <= config.last_nm)).any():
        raise WavelengthError(
            f"no band of {centres_nm.min():.6g} to {centres_nm.max():.6g} nm lies on the network's "
            f"wavelength axis, which goes from {config.first_nm:g} to {config.last_nm:g} nm",
            hint="if the scene's wavelengths are wrong, give the right ones with --wavelengths",
        )
    half_width = np.maximum(config.slot_nm, np.minimum(spacing(centres_nm), 2.0 * fwhm_nm))
    distance = np.abs(config.slots_nm[:, None] - centres_nm[None, :])
    matrix = np.maximum(0.0, 1.0 - distance / half_width)
    total = matrix.sum(axis=1, keepdims=True)
    present = total[:, 0] > 1e-6
    matrix = np.divide(matrix, total, out=np.zeros_like(matrix), where=present[:, None])
    return BandMap(
        torch.tensor(matrix, dtype=torch.float32),
        torch.zeros(len(centres_nm)),
        torch.zeros(len(matrix)),
        torch.tensor(present, dtype=torch.float32),
    )
