"""Windows that neighbouring tiles have in common: the tile that is mapped first computes them for the others.

A window at the edge of a tile also contains pixels of a neighbour, whose map needs the same window. Outputs of a window depend
only on the pixels in it, so that maps are the same whoever computed them.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable, Iterator
from itertools import combinations

import numpy as np
from torch import Tensor

from hsi_geo.io.scenes.neighbours import HaloScene, NeighbourSource
from hsi_geo.io.scenes.properties import grid_of
from hsi_geo.tiling import Tiling, Window, WindowGrid

#: Memory of the outputs that are kept, in bytes: those at the edges of many tiles.
MAX_BYTES = 64 << 20

#: First row and first column of a window, counted from the first pixel of a tile.
Place = tuple[int, int]

#: What a window shows: numbers of files, and its first row and column in each.
Key = frozenset[tuple[int, int, int]]


class WindowStore:
    """Outputs of windows by key, until each tile that needs them has taken them. Several threads may use it.

    Args:
        max_bytes: Memory of the outputs. Beyond it those that came first are dropped.

    Examples:
        >>> import torch
        >>> store = WindowStore()
        >>> store.put("window", torch.ones(1), uses=1)
        >>> store.take("window"), store.take("window")
        (tensor([1.]), None)
    """

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self.max_bytes = max_bytes
        self._outputs: OrderedDict[Hashable, tuple[Tensor, int]] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def take(self, key: Hashable) -> Tensor | None:
        """The outputs of a window, which are dropped after their last use; None if they are not kept.

        Args:
            key: Key of the window.
        """
        with self._lock:
            if key not in self._outputs:
                return None
            outputs, uses = self._outputs[key]
            if uses > 1:
                self._outputs[key] = outputs, uses - 1
            else:
                self._drop(key)
            return outputs

    def put(self, key: Hashable, outputs: Tensor, *, uses: int) -> None:
        """Keep the outputs of a window.

        Args:
            key: Key of the window.
            outputs: (K, P, P) outputs; they are not copied.
            uses: Number of tiles that still need them.
        """
        with self._lock:
            if key in self._outputs:
                return
            self._outputs[key] = outputs, uses
            self._bytes += outputs.nbytes
            while self._bytes > self.max_bytes:
                self._drop(next(iter(self._outputs)))

    def _drop(self, key: Hashable) -> None:
        outputs, _ = self._outputs.pop(key)
        self._bytes -= outputs.nbytes


class SharedWindows:
    """Windows that a tile has in common with its neighbours, and the outputs that are known of them.

    Args:
        store: Keeps outputs from tile to tile.
        computed_with: All that outputs depend on beside the pixels, such as the model.
        halo: The tile with its neighbours.
        tiling: Size and stride of the windows.

    Attributes:
        origin_px: `Grid.origin_px` of the scene that is mapped. Rounding could give that of its own grid another value.
    """

    def __init__(
        self, store: WindowStore, computed_with: Hashable, halo: HaloScene, tiling: Tiling
    ) -> None:
        self._store = store
        self._core = halo.core
        self._missing = (halo.unread, halo.other_scale)  # filled while the margin is read
        self.origin_px = grid_of(halo.scene).origin_px
        windows = list(_windows_at_edge(halo.core, tiling.covering(halo.core, self.origin_px)))
        keys = ((self._place(one.row, one.col), _key(one, halo.sources)) for one in windows)
        self._keys = {place: key for place, key in keys if key is not None}
        self._computed_with = computed_with
        found = ((place, store.take((computed_with, key))) for place, key in self._keys.items())
        self._known = {place: outputs for place, outputs in found if outputs is not None}
        self._needed = [one for one in windows if self._place(one.row, one.col) not in self._known]

    def without_known(self, halo: HaloScene) -> HaloScene:
        """The tile with as much of its margin as windows contain whose outputs are not known.

        Args:
            halo: The tile with its neighbours. Places are counted in the result from now on.
        """
        parts = [halo.core, *(one.clip(*halo.scene.shape[-2:]) for one in self._needed)]
        top, left = (min(getattr(part, side) for part in parts) for side in ("row", "col"))
        bottom = max(part.row + part.height for part in parts)
        right = max(part.col + part.width for part in parts)
        cropped = halo.cropped(Window(top, left, bottom - top, right - left))
        self._core = cropped.core
        self.origin_px = self.origin_px[0] + top, self.origin_px[1] + left
        return cropped

    def outputs_of(self, row: int, col: int) -> Tensor | None:
        """(K, P, P) outputs of a window; None if they are not known.

        Args:
            row: First row of the window, in the scene that is mapped.
            col: First column of the window.
        """
        return self._known.get(self._place(row, col))

    def keep(self, row: int, col: int, outputs: Tensor) -> None:
        """Keep the outputs of a window for the neighbours, if it contains pixels of them, and all of these were read.

        Args:
            row: First row of the window, in the scene that is mapped.
            col: First column of the window.
            outputs: (K, P, P) outputs.
        """
        key = self._keys.get(self._place(row, col))
        if key is None:
            return
        if not any(number in numbers for numbers in self._missing for number, _, _ in key):
            own = outputs.clone()  # a view would keep its whole batch
            self._store.put((self._computed_with, key), own, uses=len(key) - 1)

    def _place(self, row: int, col: int) -> Place:
        return row - self._core.row, col - self._core.col


def _windows_at_edge(core: Window, grid: WindowGrid) -> Iterator[Window]:
    """The windows of a grid that overlap a tile and reach beyond it; a large tile has many more inside it."""
    size, stride = grid.tiling.size_px, grid.tiling.stride_px
    rows = [grid.row + row * stride for row in range(grid.rows)]
    cols = [grid.col + col * stride for col in range(grid.cols)]
    edge_cols = [c for c in cols if not core.col <= c <= core.col + core.width - size]
    for row in rows:
        is_inside = core.row <= row <= core.row + core.height - size
        for col in edge_cols if is_inside else cols:
            yield Window(row, col, size, size)


def _key(window: Window, sources: tuple[NeighbourSource, ...]) -> Key | None:
    """What a window shows. None if it is not the same for all of its files, or if there is one only.

    Windows in one file only are needed for one map. Where files overlap, each map prefers its own. Where they declare other
    nodata values, each map reads all of them with its own.
    """
    touching = [
        (source, part) for source in sources if all((part := _common(window, source.window)).shape)
    ]
    if len(touching) < 2:
        return None
    if not all(
        np.array_equal(one.nodata, sources[0].nodata, equal_nan=True) for one, _ in touching
    ):
        return None
    if any(all(_common(one, other).shape) for (_, one), (_, other) in combinations(touching, 2)):
        return None
    return frozenset(
        (source.number, window.row - source.window.row, window.col - source.window.col)
        for source, _ in touching
    )


def _common(one: Window, other: Window) -> Window:
    """The pixels that two windows have in common; 0 rows or columns if there are none."""
    top, left = max(one.row, other.row), max(one.col, other.col)
    bottom = min(one.row + one.height, other.row + other.height)
    right = min(one.col + one.width, other.col + other.width)
    return Window(top, left, max(bottom - top, 0), max(right - left, 0))
