"""Sliding-window inference: outputs of a network for every pixel of a block, blended over its windows.

A block is computed from all windows that intersect it, and the grid of windows is anchored to the CRS, not
to the block. So blocks are units of reading and writing only: other blocks give the same values.

Letters for shapes: B windows of P * P pixels, C bands, K outputs, R rows of Q windows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
import xarray as xr
from torch import Tensor
from torch.nn import functional as F

from hsi_geo.arrays import BoolArray, Float32Array
from hsi_geo.io.scenes.properties import grid_of
from hsi_geo.io.scenes.windows import read_window
from hsi_geo.tasks.inference.shared_windows import SharedWindows
from hsi_geo.tiling import Tiling, Window, WindowGrid

#: Number of windows in a batch.
BATCH = 64

#: From (B, C, P, P) values and (B, P, P) validity of windows to (B, K, P, P) outputs.
WindowNetwork = Callable[[Tensor, Tensor], Tensor]

#: From (C, H, W) values and (H, W) validity of a region to a function from (B,) rows and (B,) columns of
#: windows in its grid to their (B, K, P, P) outputs.
RegionNetwork = Callable[[Tensor, Tensor], Callable[[Tensor, Tensor], Tensor]]


def each_window(network: WindowNetwork, tiling: Tiling) -> RegionNetwork:
    """Make a network over regions from a network over single windows.

    Args:
        network: Function from values and validity of windows to their outputs.
        tiling: Size and stride of the windows.
    """
    size, stride = tiling.size_px, tiling.stride_px

    def region_network(image: Tensor, valid: Tensor) -> WindowNetwork:
        images = image.unfold(1, size, stride).unfold(2, size, stride)  # (C, R, Q, P, P), a view
        valids = valid.unfold(0, size, stride).unfold(1, size, stride)  # (R, Q, P, P)

        def outputs(rows: Tensor, cols: Tensor) -> Tensor:
            chosen = images[:, rows, cols].transpose(0, 1).contiguous()
            return network(chosen, valids[rows, cols])

        return outputs

    return region_network


class SlidingWindow:
    """Runs a network over blocks of a scene.

    Args:
        view: (C, H, W) scene as `select_good_bands` returns it.
        tiling: Size and stride of the windows.
        network: Network over regions; see `each_window` for one over windows.
        outputs: K, number of outputs of the network.
        shared: Windows that the scene has in common with others; None if there are none.

    Examples:
        >>> import numpy as np
        >>> from hsi_geo.io.scenes.scene import scene_from_array
        >>> scene = scene_from_array(np.arange(1.0, 21.0).reshape(1, 4, 5), np.array([550.0]))
        >>> tiling = Tiling(2, 1)
        >>> sliding = SlidingWindow(scene, tiling, each_window(lambda image, valid: 2 * image, tiling), 1)
        >>> doubled, valid = sliding.block(Window(0, 0, 1, 3))
        >>> doubled.round(3).tolist()
        [[[2.0, 4.0, 6.0]]]
    """

    def __init__(
        self,
        view: xr.DataArray,
        tiling: Tiling,
        network: RegionNetwork,
        outputs: int,
        shared: SharedWindows | None = None,
    ) -> None:
        self.view = view
        self.tiling = tiling
        self.network = network
        self.outputs = outputs
        self.shared = shared
        self.batch = BATCH
        # Not view.hsi.grid: an array that holds its accessor is freed late, and its values with it.
        self.grid = grid_of(view)
        self.origin_px = self.grid.origin_px if shared is None else shared.origin_px
        self.weights = torch.from_numpy(tiling.weights())

    def block(self, window: Window) -> tuple[Float32Array, BoolArray]:
        """Compute the outputs of a block that fits into memory.

        Args:
            window: Pixels of the block, inside the scene.

        Returns:
            (K, height, width) weighted means over all windows that contain a pixel, 0 for pixels without
            data, and (height, width) whether a pixel has data.
        """
        grid = self.tiling.covering(window, self.origin_px)
        image, valid = read_window(self.view, grid.extent)
        rows, cols = window.relative_to(grid.extent).slices
        blended = weighted_mean(
            self.weighted_sums(torch.from_numpy(image), torch.from_numpy(valid), grid)
        )
        return blended[:, rows, cols].numpy(), valid[rows, cols]

    @torch.inference_mode()
    def weighted_sums(
        self,
        image: Tensor,
        valid: Tensor,
        grid: WindowGrid,
        requested: Tensor | None = None,
    ) -> Tensor:
        """Compute weighted sums of the outputs over the windows of a grid.

        Sums of several grids can be added before `weighted_mean`.

        Args:
            image: (C, *extent) physical values.
            valid: (*extent) whether a pixel has data.
            grid: The windows.
            requested: (*extent) pixels whose outputs are needed, None for all. Windows without such pixels are
                left out, as are windows without data.

        Returns:
            (K + 1, *extent) sums of weighted outputs, and of the weights.
        """
        size, stride = self.tiling.size_px, self.tiling.stride_px
        needed = valid if requested is None else valid & requested
        valids = valid.unfold(0, size, stride).unfold(1, size, stride)
        places = torch.nonzero(
            needed.unfold(0, size, stride).unfold(1, size, stride).any(dim=-1).any(dim=-1)
        )
        if not len(places):
            return torch.zeros(self.outputs + 1, *grid.extent.shape)
        patches = torch.zeros(grid.rows * grid.cols, self.outputs + 1, size, size)
        for chosen, outputs in self._outputs(image, valid, grid, places):
            r, c = chosen[:, 0], chosen[:, 1]
            weights = (self.weights * valids[r, c])[:, None]
            weighted = torch.where(weights > 0, outputs * weights, 0.0)
            patches[r * grid.cols + c] = torch.cat([weighted, weights], dim=1)
        columns = patches.flatten(1).T[None]  # (1, (K + 1) * P * P, R * Q)
        return F.fold(columns, grid.extent.shape, (size, size), stride=stride)[0]

    def _outputs(
        self, image: Tensor, valid: Tensor, grid: WindowGrid, places: Tensor
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """(B, 2) rows and columns of windows in the grid, and their (B, K, P, P) outputs, batch by batch."""
        shared = self.shared
        if shared is not None:
            corners = [self._corner(grid, place) for place in places.tolist()]
            known = [shared.outputs_of(*corner) for corner in corners]
            found = torch.tensor([outputs is not None for outputs in known])
            if found.any():
                yield places[found], torch.stack([one for one in known if one is not None])
            places = places[~found]
        for chosen, outputs in self._computed(image, valid, places):
            if shared is not None:
                for place, one in zip(chosen.tolist(), outputs, strict=True):
                    shared.keep(*self._corner(grid, place), one)
            yield chosen, outputs

    def _corner(self, grid: WindowGrid, place: Sequence[int]) -> tuple[int, int]:
        """First row and column of a window of the grid, in rows and columns of the scene."""
        stride = self.tiling.stride_px
        return grid.row + place[0] * stride, grid.col + place[1] * stride

    def _computed(
        self, image: Tensor, valid: Tensor, places: Tensor
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """The same by the network, which embeds no more of the region than the windows need."""
        if not len(places):
            return
        size, stride = self.tiling.size_px, self.tiling.stride_px
        first, last = places.amin(dim=0), places.amax(dim=0)
        rows, cols = (
            slice(start * stride, end * stride + size)
            for start, end in zip(first.tolist(), last.tolist(), strict=True)
        )
        outputs_of = self.network(image[:, rows, cols], valid[rows, cols])
        start = 0
        while start < len(places):
            chosen = places[start : start + self.batch]
            try:
                outputs = outputs_of(*(chosen - first).T)
            except (RuntimeError, MemoryError) as error:
                if self.batch == 1 or not _is_out_of_memory(error):
                    raise
                self.batch //= 2
                continue
            yield chosen, outputs
            start += len(chosen)


def weighted_mean(sums: Tensor) -> Tensor:
    """Divide sums of weighted outputs by the sums of the weights.

    Args:
        sums: (K + 1, ...) sums of weighted outputs; the last one is that of the weights.

    Returns:
        (K, ...) means, 0 where the weights are 0.

    Examples:
        >>> weighted_mean(torch.tensor([[3.0, 0.0], [2.0, 0.0]])).tolist()
        [[1.5, 0.0]]
    """
    return sums[:-1] / sums[-1:].clamp(min=1e-30)


def _is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out: torch has an exception class for GPUs, and only a message for CPUs."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or (
        "not enough memory" in str(error) or "can't allocate memory" in str(error)
    )
