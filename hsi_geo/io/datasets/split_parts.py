"""What TorchGeo's splits leave of the scenes of a dataset.

A split copies a dataset and gives it another index: some of the rows in any order, or parts of them. The pixel grids stay
those of all scenes, so rows and grids do not correspond.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import shapely

from hsi_geo.arrays import BoolArray, Float64Array
from hsi_geo.tiling import Grid

Geometries = npt.NDArray[np.object_]

#: Share of a row's area that lies in its scene: coordinates are rounded where a split cuts.
_WITHIN = 1.0 - 1e-6


def area_in_scenes(query: shapely.Polygon, rows: Geometries, grids: Sequence[Grid]) -> Float64Array:
    """Area that a query shares with each scene.

    Args:
        query: Window in CRS units.
        rows: (R,) geometries of the index.
        grids: Grid of each scene.

    Returns:
        (N,) area in squared CRS units; 0 for scenes of which the index has no part under the query.
    """
    under = rows[shapely.area(shapely.intersection(rows, query)) > 0]
    boxes = _boxes(grids)
    areas = shapely.area(shapely.intersection(boxes, query))
    met = areas > 0
    met[met] = _are_of(under, boxes[met]).any(axis=1)
    return np.asarray(np.where(met, areas, 0.0))


def part_left(rows: Geometries, grid: Grid) -> shapely.Geometry | None:
    """The part of a scene that the index has.

    Args:
        rows: (R,) geometries of the index.
        grid: Grid of the scene.

    Returns:
        Polygons in CRS units, empty if nothing is left; None for all of the scene.

    Examples:
        >>> from affine import Affine
        >>> grid = Grid(2, 4, Affine(1.0, 0.0, 0.0, 0.0, -1.0, 2.0), None)
        >>> west, other = shapely.box(0, 0, 3, 2), shapely.box(4, 0, 8, 2)
        >>> part_left(np.array([west, other]), grid).area
        6.0
        >>> part_left(np.array([shapely.box(0, 0, 4, 2)]), grid) is None
        True
    """
    box = _boxes([grid])
    left = shapely.union_all(rows[_are_of(rows, box)[0]])
    return None if left.area > _WITHIN * box[0].area else left


def _boxes(grids: Sequence[Grid]) -> Geometries:
    west, south, east, north = np.array([grid.bounds for grid in grids]).T
    return np.asarray(shapely.box(west, south, east, north))


def _are_of(rows: Geometries, boxes: Geometries) -> BoolArray:
    """(N, R) whether rows are scenes or parts of them. Where a cut only touches a scene, a split leaves a line."""
    areas = shapely.area(rows)
    shared = shapely.area(shapely.intersection(boxes[:, None], rows))
    return np.asarray((areas > 0) & (shared >= _WITHIN * areas))
