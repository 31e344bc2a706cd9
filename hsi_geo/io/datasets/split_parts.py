"""What TorchGeo's splits leave of the scenes of a dataset.

A split copies a dataset and gives it another index: some of the rows in any order, or parts of them. The pixel grids stay
those of all scenes, so rows and grids do not correspond. Scenes may overlap, so that a row names its scene.
"""

from __future__ import annotations

from collections.abc import Sequence

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import shapely

from hsi_geo.arrays import BoolArray, Float64Array, IntArray
from hsi_geo.io.labels.pixel_centres import are_centres_in
from hsi_geo.tiling import Grid

Geometries = npt.NDArray[np.object_]

#: Share of a row's area that lies in its scene: coordinates are rounded where a split cuts.
_WITHIN = 1.0 - 1e-6


def keys_of(names: Sequence[str]) -> list[str]:
    """The name of each scene in the index, which no other scene has.

    Args:
        names: Name of each scene.

    Examples:
        >>> keys_of(["a.tif", "b.tif"]), keys_of(["array", "array"])
        (['a.tif', 'b.tif'], ['array [0]', 'array [1]'])
    """
    if len(set(names)) == len(names):
        return list(names)
    return [f"{name} [{number}]" for number, name in enumerate(names)]


def scenes_of_rows(index: gpd.GeoDataFrame, keys: Sequence[str], grids: Sequence[Grid]) -> IntArray:
    """The scene that each row of an index is, or is a part of.

    A row that names no scene belongs to the first one that contains it.

    Args:
        index: Index of a dataset or of a part of it.
        keys: Name of each scene in the index.
        grids: Grid of each scene.

    Returns:
        (R,) numbers of scenes, -1 for none. Where a cut only touches a scene, a split leaves a line, which is of none.
    """
    # TorchGeo's grid cells lose the names of the columns, and keep their order.
    column = index["filepath"] if "filepath" in index.columns else index.iloc[:, 0]
    numbers = {key: number for number, key in enumerate(keys)}
    found = np.array([numbers.get(name, -1) for name in column], np.int64)
    rows = index.geometry.to_numpy()
    if (unnamed := found < 0).any():
        within = _are_of(rows[unnamed], _boxes(grids))
        found[unnamed] = np.where(within.any(axis=0), within.argmax(axis=0), -1)
    found[shapely.area(rows) == 0] = -1
    return found


def area_in_scenes(
    query: shapely.Polygon, rows: Geometries, scenes: IntArray, grids: Sequence[Grid]
) -> Float64Array:
    """Area that a query shares with each scene.

    Args:
        query: Window in CRS units.
        rows: (R,) geometries of the index.
        scenes: (R,) scene of each row, -1 for none.
        grids: Grid of each scene.

    Returns:
        (N,) area in squared CRS units; 0 for scenes of which the index has no part under the query.
    """
    under = shapely.area(shapely.intersection(rows, query)) > 0
    met = np.isin(np.arange(len(grids)), scenes[under])
    areas = shapely.area(shapely.intersection(_boxes(grids), query))
    return np.asarray(np.where(met, areas, 0.0))


def part_left(rows: Geometries, grid: Grid) -> shapely.Geometry | None:
    """The part of a scene that the index has.

    Args:
        rows: (R,) geometries of the scene in the index.
        grid: Grid of the scene.

    Returns:
        Polygons in CRS units, empty if nothing is left; None for all of the scene.

    Examples:
        >>> from affine import Affine
        >>> grid = Grid(2, 4, Affine(1.0, 0.0, 0.0, 0.0, -1.0, 2.0), None)
        >>> part_left(np.array([shapely.box(0, 0, 2, 2), shapely.box(2, 0, 3, 2)]), grid).area
        6.0
        >>> part_left(np.array([shapely.box(0, 0, 4, 2)]), grid) is None
        True
    """
    box = _boxes([grid])
    left = shapely.union_all(rows)
    return None if left.area > _WITHIN * box[0].area else left


def is_centred(point: shapely.Point, rows: Geometries, grid: Grid) -> tuple[bool, bool]:
    """Whether the pixel under the centre of a window is in what the index has of a scene, and whether it is in the scene.

    Args:
        point: The centre in CRS units.
        rows: (R,) geometries of the scene in the index.
        grid: Grid of the scene.
    """
    row, col = grid.pixels_at(np.array([point.x]), np.array([point.y]))
    if not (0 <= row[0] < grid.height and 0 <= col[0] < grid.width):
        return False, False
    left = part_left(rows, grid)
    return left is None or bool(are_centres_in(left, grid, row, col)[0]), True


def _boxes(grids: Sequence[Grid]) -> Geometries:
    west, south, east, north = np.array([grid.bounds for grid in grids]).T
    return np.asarray(shapely.box(west, south, east, north))


def _are_of(rows: Geometries, boxes: Geometries) -> BoolArray:
    """(N, R) whether rows are scenes or parts of them."""
    areas = shapely.area(rows)
    shared = shapely.area(shapely.intersection(boxes[:, None], rows))
    return np.asarray((areas > 0) & (shared >= _WITHIN * areas))
