"""Sliding windows: what a network says of every pixel of a block, blended over its windows.

A block is computed from all windows that touch it, and windows sit where the scene's place says,
not where the block begins. So blocks are units of reading and writing only: cutting the work
otherwise gives the same values.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
import xarray as xr
from torch import Tensor
from torch.nn import functional as F

from hsi_geo.io.scene import grid_of, read_window
from hsi_geo.tiling import TileLattice, Tiling, Window

#: Windows that go through the network together.
BATCH = 64

Network = Callable[[Tensor, Tensor], Tensor]


class SlidingWindow:
    """Runs a network over blocks of a scene.

    Args:
        view: (C, H, W) scene as models see it, see `io.scene.spectral_view`.
        tiling: Windows and their overlap.
        network: From (B, C, P, P) values and (B, P, P) validity to (B, K, P, P).
        outputs: K.
    """

    def __init__(self, view: xr.DataArray, tiling: Tiling, network: Network, outputs: int) -> None:
        self.view = view
        self.tiling = tiling
        self.network = network
        self.outputs = outputs
        self.origin_px = grid_of(view).origin_px
        self.weights = torch.from_numpy(tiling.weights())

    def block(self, window: Window) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
        """Outputs of one block.

        Args:
            window: Its pixels, inside the scene.

        Returns:
            (K, height, width) weighted means over all windows that hold a pixel, 0 where there
            is no data, and (height, width) where there is.
        """
        lattice = self.tiling.covering(window, self.origin_px)
        image, valid = read_window(self.view, lattice.extent)
        rows, cols = window.relative_to(lattice.extent).slices
        blended = self._blend(torch.from_numpy(image), torch.from_numpy(valid), lattice)
        return blended[:, rows, cols].numpy(), valid[rows, cols]

    @torch.inference_mode()
    def _blend(self, image: Tensor, valid: Tensor, lattice: TileLattice) -> Tensor:
        """(K, *extent) weighted means over the windows that hold any data."""
        size, stride = self.tiling.size_px, self.tiling.stride_px
        images = image.unfold(1, size, stride).unfold(2, size, stride)  # (C, R, Q, P, P), a view
        valids = valid.unfold(0, size, stride).unfold(1, size, stride)  # (R, Q, P, P)
        at_row, at_col = torch.nonzero(valids.any(dim=-1).any(dim=-1), as_tuple=True)
        # The weights ride along as one more output, to be divided by in the end.
        patches = torch.zeros(lattice.rows * lattice.cols, self.outputs + 1, size, size)
        for start in range(0, len(at_row), BATCH):
            r, c = at_row[start : start + BATCH], at_col[start : start + BATCH]
            outputs = self.network(images[:, r, c].transpose(0, 1).contiguous(), valids[r, c])
            there = (self.weights * valids[r, c])[:, None]
            weighted = torch.where(there > 0, outputs * there, 0.0)
            patches[r * lattice.cols + c] = torch.cat([weighted, there], dim=1)
        columns = patches.flatten(1).T[None]  # (1, (K + 1) * P * P, R * Q)
        summed = F.fold(columns, lattice.extent.shape, (size, size), stride=stride)[0]
        return summed[:-1] / summed[-1:].clamp(min=1e-30)
