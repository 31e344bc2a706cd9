"""Footprints of grids: which ones lie near each other."""

from __future__ import annotations

from collections.abc import Sequence

import shapely

from hsi_geo.tiling import Grid


class Footprints:
    """Spatial index of grids. Grids without a CRS, and rotated ones, are near no other.

    Args:
        grids: Grids; None for tiles that do not count.

    Attributes:
        groups: Indices of the grids of each CRS with rows in one direction, in their order.
    """

    def __init__(self, grids: Sequence[Grid | None]) -> None:
        self.grids = grids
        self.groups: list[list[int]] = []
        self._group_of: dict[int, tuple[list[int], shapely.STRtree]] = {}
        known: list[tuple[Grid, tuple[bool, bool], list[int]]] = []
        texts: dict[str, Grid] = {}  # comparing CRS takes long
        for index, grid in enumerate(grids):
            if grid is None or grid.crs is None or grid.is_rotated:
                continue
            first = texts.setdefault(grid.crs.to_wkt(), grid)
            flipped = (grid.transform.a < 0, grid.transform.e < 0)
            same = (g for one, t, g in known if t == flipped and one.has_crs_of(first))
            group = next(same, None)
            if group is None:
                known.append((first, flipped, group := []))
            group.append(index)
        self.groups = [group for *_, group in known]
        for group in self.groups:
            tree = shapely.STRtree([shapely.box(*self._bounds(i)) for i in group])
            self._group_of |= dict.fromkeys(group, (group, tree))

    def _bounds(self, index: int, margin_px: float = 0) -> tuple[float, float, float, float]:
        grid = self.grids[index]
        assert grid is not None  # only grids of a group are used
        left, bottom, right, top = grid.bounds
        x, y = (margin_px * size for size in grid.resolution)
        return left - x, bottom - y, right + x, top + y

    def near(self, index: int, margin_px: float) -> list[int]:
        """Other grids of the same group within a margin.

        Args:
            index: Index of the grid.
            margin_px: Width of the margin in pixels of the grid. Negative values find grids that overlap by as much.

        Returns:
            Indices in their order.
        """
        if index not in self._group_of:
            return []
        group, tree = self._group_of[index]
        hits = tree.query(shapely.box(*self._bounds(index, margin_px)), predicate="intersects")
        return sorted(group[hit] for hit in hits if group[hit] != index)
