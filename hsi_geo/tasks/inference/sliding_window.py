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

from hsi_geo.io.scenes.windows import read_window
from hsi_geo.tiling import Tiling, Window, WindowGrid

#: Windows that go through the network together.
BATCH = 64

#: From (B, C, P, P) values and (B, P, P) validity of windows to (B, K, P, P).
WindowNetwork = Callable[[Tensor, Tensor], Tensor]

#: From (C, H, W) values and (H, W) validity of a stretch to what gives (B, K, P, P) outputs of the
#: windows in some rows and columns of its grid_of_windows.
RegionNetwork = Callable[[Tensor, Tensor], Callable[[Tensor, Tensor], Tensor]]


def each_window(network: WindowNetwork, tiling: Tiling) -> RegionNetwork:
    """A network that looks at each window by itself."""
    size, stride = tiling.size_px, tiling.stride_px

    def look(image: Tensor, valid: Tensor) -> WindowNetwork:
        images = image.unfold(1, size, stride).unfold(2, size, stride)  # (C, R, Q, P, P), a view
        valids = valid.unfold(0, size, stride).unfold(1, size, stride)  # (R, Q, P, P)

        def windows(rows: Tensor, cols: Tensor) -> Tensor:
            chosen = images[:, rows, cols].transpose(0, 1).contiguous()
            return network(chosen, valids[rows, cols])

        return windows

    return look


class SlidingWindow:
    """Runs a network over blocks of a scene.

    Args:
        view: (C, H, W) scene as models see it, see `io.scenes.properties.select_good_bands`.
        tiling: Windows and their overlap.
        network: Over stretches; see `each_window` for one over windows.
        outputs: K.
    """

    def __init__(
        self, view: xr.DataArray, tiling: Tiling, network: RegionNetwork, outputs: int
    ) -> None:
        self.view = view
        self.tiling = tiling
        self.network = network
        self.outputs = outputs
        self.batch = BATCH
        self.origin_px = view.hsi.grid.origin_px
        self.weights = torch.from_numpy(tiling.weights())

    def block(self, window: Window) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
        """Outputs of one block that fits into memory.

        Args:
            window: Its pixels, inside the scene.

        Returns:
            (K, height, width) weighted means over all windows that hold a pixel, 0 where there
            is no data, and (height, width) where there is.
        """
        grid_of_windows = self.tiling.covering(window, self.origin_px)
        image, valid = read_window(self.view, grid_of_windows.extent)
        rows, cols = window.relative_to(grid_of_windows.extent).slices
        blended = mean(self.sums(torch.from_numpy(image), torch.from_numpy(valid), grid_of_windows))
        return blended[:, rows, cols].numpy(), valid[rows, cols]

    @torch.inference_mode()
    def sums(
        self,
        image: Tensor,
        valid: Tensor,
        grid_of_windows: WindowGrid,
        wanted: Tensor | None = None,
    ) -> Tensor:
        """Weighted sums over the windows of a grid_of_windows, to be added to those of others.

        Args:
            image: (C, *extent) values.
            valid: (*extent) validity.
            grid_of_windows: The windows.
            wanted: (*extent) pixels that are asked for; windows without one are left out, as are
                those without data.

        Returns:
            (K + 1, *extent) sums of weighted outputs, and of the weights.
        """
        size, stride = self.tiling.size_px, self.tiling.stride_px
        asked = valid if wanted is None else valid & wanted
        valids = valid.unfold(0, size, stride).unfold(1, size, stride)
        at_row, at_col = torch.nonzero(
            asked.unfold(0, size, stride).unfold(1, size, stride).any(dim=-1).any(dim=-1),
            as_tuple=True,
        )
        if not len(at_row):
            return torch.zeros(self.outputs + 1, *grid_of_windows.extent.shape)
        look = self.network(image, valid)
        patches = torch.zeros(
            grid_of_windows.rows * grid_of_windows.cols, self.outputs + 1, size, size
        )
        start = 0
        while start < len(at_row):
            r, c = at_row[start : start + self.batch], at_col[start : start + self.batch]
            try:
                outputs = look(r, c)
            except (RuntimeError, MemoryError) as error:
                if self.batch == 1 or not _ran_out_of_memory(error):
                    raise
                self.batch //= 2
                continue
            there = (self.weights * valids[r, c])[:, None]
            weighted = torch.where(there > 0, outputs * there, 0.0)
            patches[r * grid_of_windows.cols + c] = torch.cat([weighted, there], dim=1)
            start += len(r)
        columns = patches.flatten(1).T[None]  # (1, (K + 1) * P * P, R * Q)
        return F.fold(columns, grid_of_windows.extent.shape, (size, size), stride=stride)[0]


def mean(sums: Tensor) -> Tensor:
    """(K, ...) weighted means from (K + 1, ...) sums; 0 where nothing was summed."""
    return sums[:-1] / sums[-1:].clamp(min=1e-30)


def _ran_out_of_memory(error: BaseException) -> bool:
    """On a GPU torch has a class for it, on the CPU only words."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or (
        "not enough memory" in str(error) or "can't allocate memory" in str(error)
    )
