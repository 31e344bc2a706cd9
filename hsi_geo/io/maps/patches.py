"""Patches of a class map: connected pixels of one class, found strip by strip.

The map may be larger than memory, and a mosaic (VRT) of many maps: a patch that several tiles share is one patch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import shapely
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from hsi_geo.arrays import AnyArray, BoolArray, Float64Array, IntArray
from hsi_geo.io.maps.areas import PixelAreas, pixel_areas_ha
from hsi_geo.io.maps.corners import margin_px, outline, place_corners, turns
from hsi_geo.io.maps.reader import ReadMap
from hsi_geo.io.maps.rejected_pixels import RejectedPixels
from hsi_geo.tiling import Window

#: Number of pixels that a strip of a map has, about.
STRIP_PX = 2_000_000

#: Added to classes, which may be 0 or negative, so that 0 is free for pixels without one.
_OFFSET = 1 << 40

#: Fewest rows of a strip: each patch that crosses a strip's edge is joined from parts.
FEWEST_ROWS = 64


@dataclass(frozen=True, eq=False)
class Patches:
    """Some patches of a map.

    Attributes:
        values: (N,) class of each, as the map stores it.
        polygons: (N,) outlines in the map's CRS.
        pixels: (N,) number of pixels.
        hectares: (N,) area of the pixels, NaN if the CRS does not define it.
        percent: (N,) mean of the second raster over the pixels, NaN where it has none.
        rejected: (N,) per cent of rejected pixels among those that the outer ring encloses, but for pixels of other
            classes; NaN if the map rejects none.
    """

    values: IntArray
    polygons: AnyArray
    pixels: IntArray
    hectares: Float64Array
    percent: Float64Array
    rejected: Float64Array

    def pick(self, chosen: BoolArray) -> Patches:
        """Some of the patches.

        Args:
            chosen: (N,) True for those.
        """
        return Patches(
            self.values[chosen],
            self.polygons[chosen],
            self.pixels[chosen],
            self.hectares[chosen],
            self.percent[chosen],
            self.rejected[chosen],
        )


@dataclass(eq=False)
class _Open:
    """A patch that reaches the last row that was read."""

    value: int
    sums: Float64Array  # pixels, hectares, sum of per cent, pixels with per cent
    parts: list[AnyArray] = field(default_factory=list)
    seams: list[int] = field(default_factory=list)
    first_row: int = 0


def find_patches(
    class_map: ReadMap, percent: ReadMap | None = None, *, passes: int = 0, rows: int | None = None
) -> Iterator[tuple[Patches, int]]:
    """Find the patches of a map, those that end first coming first.

    Pixels are connected by their edges, not by corners.

    Args:
        class_map: Map of any program.
        percent: Raster on the same grid, of which each patch gets the mean, such as the confidence.
        passes: Number of passes of smoothing of the outlines; 0 follows the pixels.
        rows: Number of rows that are read at a time; None takes as many as `STRIP_PX` allows.

    Yields:
        Patches, and the number of rows of the map that are done.

    Raises:
        MapError: If a raster is damaged.
    """
    grid = class_map.grid
    rows = rows or max(FEWEST_ROWS, STRIP_PX // grid.width)
    finder = _Finder(class_map, pixel_areas_ha(grid), passes)
    for first in range(0, grid.height, rows):
        strip = Window(first, 0, min(rows, grid.height - first), grid.width)
        yield finder.strip(strip, percent), first + strip.height


_NOTHING = Patches(
    np.empty(0, np.int64),
    np.empty(0, object),
    np.empty(0, np.int64),
    *(np.empty(0) for _ in range(3)),
)


class _Finder:
    """Finds the patches of one strip after the other."""

    def __init__(self, class_map: ReadMap, areas: PixelAreas | None, passes: int) -> None:
        self.map = class_map
        self.areas = areas
        self.passes = passes
        self.above: IntArray = np.zeros(class_map.grid.width, np.int64)  # classes of the last row
        self.open_at: IntArray = np.zeros(
            class_map.grid.width, np.int64
        )  # its open patches, from 0
        self.open: list[_Open] = []
        self.nodes: dict[int, BoolArray] = {}  # corners where outlines meet, by the row of a seam
        self.rejection = RejectedPixels(class_map)

    def strip(self, strip: Window, percent: ReadMap | None) -> Patches:
        """Patches that end in a strip, which follows the one before."""
        margin = margin_px(self.passes)
        padded = strip.grow(margin).clip(*self.map.grid.shape)
        padded = Window(padded.row, 0, padded.height, strip.width)
        above = strip.row - padded.row
        known = self.map.read(padded)
        is_empty = bool(np.ma.getmaskarray(known)[above : above + strip.height].all())
        if is_empty and not self.open:  # between the tiles of a mosaic there may be much of nothing
            return _NOTHING
        ids = np.where(np.ma.getmaskarray(known), 0, known.data + _OFFSET)
        own = ids[above : above + strip.height]
        corners = place_corners(
            ids, strip.row, above, padded.height - above - strip.height, self.passes
        )
        labels, count = label_patches(own)
        values = np.zeros(count + 1, np.int64)
        values[labels] = own
        sums = self._sums(labels, count, strip, percent)
        numbers, polygons = outline(labels, corners)
        drawn = np.empty(count, object)
        drawn[numbers - 1] = polygons
        self.nodes[strip.row] = corners.nodes[0]
        self.rejection.add(strip.row, own - _OFFSET)
        return self._close(strip, own, labels, values[1:], sums, drawn)

    def _sums(
        self, labels: AnyArray, count: int, strip: Window, percent: ReadMap | None
    ) -> Float64Array:
        flat = labels.ravel()
        found = np.zeros((count, 4))
        found[:, 0] = np.bincount(flat, minlength=count + 1)[1:]
        found[:, 1] = np.nan
        if self.areas is not None:
            of_pixels = self.areas.of(strip).ravel()
            found[:, 1] = np.bincount(flat, of_pixels, minlength=count + 1)[1:]
        if percent is not None:
            read = percent.read(strip)
            known = ~np.ma.getmaskarray(read).ravel()
            found[:, 2] = np.bincount(flat[known], read.data.ravel()[known], count + 1)[1:]
            found[:, 3] = np.bincount(flat[known], minlength=count + 1)[1:]
        return found

    def _close(
        self,
        strip: Window,
        ids: AnyArray,
        labels: AnyArray,
        values: IntArray,
        sums: Float64Array,
        drawn: AnyArray,
    ) -> Patches:
        """Join the strip's patches with the open ones; give back those that do not reach its last row."""
        count, before = len(values), len(self.open)
        touching = (self.above == ids[0]) & (ids[0] > 0)
        pairs = np.unique(
            np.column_stack([self.open_at[touching], before + labels[0, touching] - 1]), axis=0
        )
        group = _connected(before + count, pairs)
        is_last = strip.row + strip.height == self.map.grid.height
        reaches = np.zeros(before + count, bool)
        if not is_last:
            reaches[before + np.unique(labels[-1][labels[-1] > 0]) - 1] = True
        joined = np.zeros(
            group.max(initial=-1) + 1, bool
        )  # groups that are more than one new patch
        joined[group[:before]] = True
        joined[group[reaches]] = True
        alone = ~joined[group[before:]]
        members: dict[int, _Open] = {}
        for index in np.flatnonzero(joined[group]):
            self._add(
                members, int(group[index]), int(index) - before, values, sums, drawn, strip.row
            )
        stay = set(group[reaches].tolist())
        ended = [patch for number, patch in members.items() if number not in stay]
        self.open = [patch for number, patch in members.items() if number in stay]
        index_of = {number: i for i, number in enumerate(n for n in members if n in stay)}
        self.open_at = np.zeros(strip.width, np.int64)
        if not is_last:
            here = labels[-1] > 0
            of_group = group[before + labels[-1][here] - 1]
            self.open_at[here] = [index_of[number] for number in of_group.tolist()]
        self.above = ids[-1]
        used = {row for patch in self.open for row in patch.seams}
        found = self._gather(ended, values[alone], sums[alone], drawn[alone])
        self.nodes = {row: nodes for row, nodes in self.nodes.items() if row in used}
        self.rejection.drop_before(min((patch.first_row for patch in self.open), default=None))
        return found

    def _add(
        self,
        members: dict[int, _Open],
        group: int,
        new: int,
        values: IntArray,
        sums: Float64Array,
        drawn: AnyArray,
        row: int,
    ) -> None:
        """Add a patch to its group: an open one (``new`` below 0, counted from the end), or one of the strip."""
        if new < 0:
            part = self.open[new + len(self.open)]
            part.seams.append(row)
        else:
            part = _Open(int(values[new]), sums[new].copy(), [drawn[new]], first_row=row)
        if group not in members:
            members[group] = part
            return
        whole = members[group]
        whole.sums += part.sums
        whole.parts += part.parts
        whole.seams = sorted({*whole.seams, *part.seams})
        whole.first_row = min(whole.first_row, part.first_row)

    def _gather(
        self, ended: list[_Open], values: IntArray, sums: Float64Array, drawn: AnyArray
    ) -> Patches:
        if ended:
            whole = [self._union(patch) for patch in ended]
            values = np.concatenate([[patch.value for patch in ended], values])
            sums = np.concatenate([[patch.sums for patch in ended], sums])
            drawn = np.concatenate([np.array(whole, object), drawn])
        rejected = self.rejection.shares(values - _OFFSET, sums[:, 0], drawn)
        transform = self.map.grid.transform
        matrix = np.array([[transform.a, transform.d], [transform.b, transform.e]])
        origin = np.array([transform.c, transform.f])
        polygons = shapely.transform(drawn, lambda xy: xy @ matrix + origin)
        with np.errstate(invalid="ignore"):
            percent = np.where(sums[:, 3] > 0, sums[:, 2] / sums[:, 3], np.nan)
        counts = sums[:, 0].astype(np.int64)
        return Patches(values - _OFFSET, polygons, counts, sums[:, 1], percent, rejected)

    def _union(self, patch: _Open) -> shapely.Polygon:
        """The parts of a patch as one polygon, without the vertices that only the strips' edges made."""
        if len(patch.parts) == 1:
            return patch.parts[0]
        whole = shapely.union_all(patch.parts)
        places, ring_of = shapely.get_coordinates(shapely.get_rings(whole), return_index=True)
        last = np.append(np.diff(ring_of) > 0, True)  # each ring repeats its first vertex
        places, ring_of = places[~last], ring_of[~last]
        kept = turns(places, ring_of)
        for index in np.flatnonzero(~kept):
            x, y = places[index].tolist()
            if x.is_integer() and y.is_integer():  # nodes are not moved
                at_seam = self.nodes.get(int(y))
                kept[index] = at_seam is None or at_seam[int(x)]
        rings = shapely.linearrings(places[kept], indices=ring_of[kept])
        return shapely.Polygon(rings[0], list(rings[1:]))


def label_patches(ids: AnyArray) -> tuple[AnyArray, int]:
    """Number the connected pixels of equal class.

    Args:
        ids: (height, width) classes; 0 for none.

    Returns:
        labels: (height, width) int32 number of each pixel's patch, from 1 in the order of their first pixels; 0 where
            the class is 0.
        count: Number of patches.

    Examples:
        >>> label_patches(np.array([[3, 3, 0], [7, 3, 3], [7, 7, 7]]))[0].tolist()
        [[1, 1, 0], [2, 1, 1], [2, 2, 2]]
    """
    starts = np.ones(ids.shape, bool)
    starts[:, 1:] = ids[:, 1:] != ids[:, :-1]
    runs = (np.cumsum(starts.ravel()) - 1).reshape(ids.shape)
    same = ids[1:] == ids[:-1]
    # Two runs that lie beside each other are linked once, where the later one begins.
    same &= starts[1:] | starts[:-1]
    pairs = np.column_stack([runs[:-1][same], runs[1:][same]])
    group = _connected(int(runs[-1, -1]) + 1, pairs)
    of_run = ids[starts]
    kept = of_run > 0
    numbers = np.zeros(len(of_run), np.int32)
    present, first, inverse = np.unique(group[kept], return_index=True, return_inverse=True)
    rank = np.empty(len(present), np.int32)
    rank[np.argsort(first)] = np.arange(1, len(present) + 1)
    numbers[kept] = rank[inverse]
    return numbers[runs], len(present)


def _connected(count: int, pairs: AnyArray) -> IntArray:
    """(count,) number of the group of each of some nodes that pairs connect."""
    ones = np.ones(len(pairs), bool)
    graph = coo_array((ones, (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    return np.asarray(connected_components(graph, directed=False)[1], np.int64)
