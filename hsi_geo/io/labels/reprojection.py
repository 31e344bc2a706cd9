"""Features reprojected to the CRS of a scene, across the antimeridian too."""

from __future__ import annotations

from typing import TypeGuard

import geopandas as gpd
import numpy as np
import shapely
from pyproj import CRS
from pyproj.exceptions import ProjError

from hsi_geo.arrays import AnyArray, BoolArray
from hsi_geo.errors import HsiGeoError
from hsi_geo.io.labels.antimeridian import Place, middles, placing
from hsi_geo.io.labels.bent_edges import may_bend, split_bent_edges
from hsi_geo.io.labels.crs_bounds import full_circle, surroundings
from hsi_geo.io.labels.geometry_repair import polygons_of, repair
from hsi_geo.tiling import Bounds, Grid, SensorFrame

Errors = type[HsiGeoError]

#: Distance from an image in the frame of a sensor within which polygons are kept, and the largest distance
#: between their vertices, in pixels.
SENSOR_MARGIN_PX, SENSOR_STEP_PX = 8.0, 2.0

#: Coordinates of maps are smaller than this. GEOS fails for larger ones.
LARGEST_COORDINATE = 1e15

#: Extent from which on a polygon may reach to where a projection is undefined, torn, or the other side of the Earth.
WIDE_DEGREES, WIDE_M = 20.0, 2e6

#: Edges up to this long, in degrees or in metres, are bent by less than their length.
SHORT_EDGE, SHORT_EDGE_M = 1.0, 1e5


def reproject(
    frame: gpd.GeoDataFrame, grid: Grid, *, name: str, wrong: Errors, of: str = "scene"
) -> gpd.GeoDataFrame:
    """Bring features to the CRS of a scene.

    Args:
        frame: Features of any CRS.
        grid: Pixels of the scene.
        name: What messages call the features ("shots 'labels.gpkg'").
        of: What messages call the raster that the grid belongs to ("scene", "map").
        wrong: Raised if only one of the two has a CRS, if they are on different planets, or if
            coordinates are outside of the range of degrees in a geographic CRS, or if polygons near the scene
            reach to where one of both CRS has no places.

    Returns:
        The features, in the same order, without heights. Longitudes are counted as in the scene.
    """
    if frame.has_z.any():  # where a height is NaN, PROJ gives no place
        flat = shapely.force_2d(frame.geometry.to_numpy())
        frame = frame.set_geometry(gpd.GeoSeries(flat, index=frame.index, crs=frame.crs))
    own, target = frame.crs, grid.crs
    if grid.frame is not None and is_known(own):
        placed = reproject(frame, grid.frame.upright, name=name, wrong=wrong, of=of)
        return _in_sensor_frame(placed, grid.frame)
    if not (is_known(own) or is_known(target)):
        return frame.set_crs(target, allow_override=True)
    if is_known(own) and not own.equals(target):
        _require_degrees(frame, own, name, wrong)
    if not is_known(target):
        described = own.name if own is not None else ""
        raise wrong(
            f"the {of} has no coordinate reference system, and {name} one ({described})",
            hint=f"assign one to the {of} with gdal_edit.py -a_srs, or draw in the {of}'s frame",
        )
    if not is_known(own):
        raise wrong(
            f"no coordinate reference system is set for {name}, and one is for the {of}",
            hint="assign it (in QGIS: Set Layer CRS)",
        )
    if own.equals(target):
        return _match_longitudes(frame, grid, target)
    try:
        placed, missing = _transform(frame, grid, own, target)
    except ProjError as error:
        raise wrong(
            f"{name} in {own.name} cannot be transformed to the {of}'s coordinate reference "
            f"system, {target.name}",
            hint="check the CRS of both: are they on the same planet?",
        ) from error
    if missing:
        raise wrong(
            f"{missing} of the polygons of {name} reach beyond the edge of the map in {own.name} or {target.name}, near the {of}",
            hint="cut off what lies beyond the edge, or bring them to degrees before (in QGIS: Clip, Reproject layer)",
        )
    return _match_longitudes(placed, grid, target)


def _in_sensor_frame(frame: gpd.GeoDataFrame, sensor: SensorFrame) -> gpd.GeoDataFrame:
    """Features with columns and rows of a sensor for coordinates.

    Lines and polygons get more vertices: straight lines on the map are bent in the image. Far away from the image
    they are cut off, as nothing says where that is in the image.
    """
    shapes = shapely.force_2d(frame.geometry.to_numpy())
    side = min(sensor.upright.resolution)
    around = shapely.box(*sensor.upright.bounds).buffer(SENSOR_MARGIN_PX * side, join_style="mitre")
    extended = shapely.get_dimensions(shapes) > 0
    valid = repair(shapes[extended], keep_collapsed=True)  # a shot without an area is one
    shapes[extended] = shapely.segmentize(
        shapely.intersection(valid, around), SENSOR_STEP_PX * side
    )

    def place(xy: AnyArray) -> AnyArray:
        return np.stack(sensor.locate(xy[:, 0], xy[:, 1]), axis=1)

    placed = shapely.transform(shapes, place)
    return frame.set_geometry(gpd.GeoSeries(placed, index=frame.index, crs=None), crs=None)


def _transform(
    frame: gpd.GeoDataFrame, grid: Grid, own: CRS, target: CRS
) -> tuple[gpd.GeoDataFrame, int]:
    """Features in a scene's CRS, and the number of polygons near the scene that have no place in it.

    Far from its own region a projection is undefined, torn, or shows the other side of the Earth. So polygons are first cut to the
    surroundings of the scene if they are wide, have no place as a whole, or reach the scene without being near it as a whole.
    """
    shapes = frame.geometry.to_numpy()
    polygons = frame.geom_type.str.contains("Polygon", na=False).to_numpy()
    polygons = polygons & have_valid_coordinates(shapes)
    around = surroundings(grid, own)
    wide = _are_wide(shapes, own) | middles(shapes, grid, own, target)[1]
    placed, found = shapes.copy(), wide & polygons
    placed[~found] = _placed(shapes[~found], grid, own, target)
    if around is None:
        placed[found] = _placed(shapes[found], grid, own, target)
        missing = found & ~have_valid_coordinates(placed)
    else:
        away = ~_are_inside(shapes, around, own)
        lost = ~have_valid_coordinates(placed)
        found |= polygons & away & (lost | _reach(placed, grid.bounds))
        placed[found] = _placed_near(shapes[found], around, grid, own, target)
        missing = polygons & ~have_valid_coordinates(placed)
    placed[polygons & ~have_valid_coordinates(placed)] = shapely.Polygon()
    series = gpd.GeoSeries(placed, index=frame.index, crs=target)
    return frame.set_geometry(series), int(missing.sum())


def _placed_near(
    shapes: AnyArray, around: shapely.Polygon, grid: Grid, own: CRS, target: CRS
) -> AnyArray:
    """Polygons in a scene's CRS, cut to its surroundings."""
    if not len(shapes):
        return shapes
    turns = [times * full_circle(own) for times in (-1, 0, 1)] if own.is_geographic else [0.0]
    cut = repair(shapes)
    for index, shape in enumerate(cut):
        copies = [_shift_x(shape, turn) for turn in turns]
        cut[index] = shapely.intersection(shapely.union_all(copies), around)
    cut = polygons_of(cut)
    covering = shapely.equals(cut, around)  # around a pole, no box of longitudes will do
    placed = _placed(cut, grid, own, target)
    side = max(grid.resolution)
    placed[covering] = shapely.box(*grid.bounds).buffer(side, join_style="mitre")
    return placed


def _placed(shapes: AnyArray, grid: Grid, own: CRS, target: CRS) -> AnyArray:
    """Shapes in a scene's CRS, with vertices on edges that are bent there."""
    placed = shapes.copy()
    longitudes, _ = middles(shapes, grid, own, target)
    for middle in np.unique(longitudes):
        members = longitudes == middle
        placed[members] = _placed_by(placing(own, target, middle), shapes[members], grid, own)
    return placed


def _placed_by(place: Place, shapes: AnyArray, grid: Grid, own: CRS) -> AnyArray:
    """Shapes in a scene's CRS by a function of their coordinates."""
    short = (
        full_circle(own) * SHORT_EDGE / 360 if own.is_geographic else SHORT_EDGE_M / _metres(own)
    )
    found: AnyArray = shapely.transform(shapes, place)
    near = np.flatnonzero(may_bend(shapes, found, grid, short=short))
    near = near[have_valid_coordinates(shapes[near])]
    old = shapes[near]
    split = split_bent_edges(old, found[near], place, grid, short=short)
    is_new = np.array([after is not before for after, before in zip(split, old, strict=True)], bool)
    changed = near[is_new]
    moved = shapely.transform(split[is_new], place)
    usable = have_valid_coordinates(moved)  # an edge may pass where the projection is undefined
    found[changed[usable]] = moved[usable]
    return found


def _metres(crs: CRS) -> float:
    """Metres of a unit of a projected CRS."""
    return float(crs.axis_info[0].unit_conversion_factor or 1.0) if crs.axis_info else 1.0


def _are_wide(shapes: AnyArray, crs: CRS) -> BoolArray:
    """(N,) True for shapes that extend over more than `WIDE_DEGREES`, in a projected CRS over more than `WIDE_M`."""
    widest = full_circle(crs) * WIDE_DEGREES / 360 if crs.is_geographic else WIDE_M / _metres(crs)
    bounds = shapely.bounds(shapes)
    return np.asarray(((bounds[:, 2:] - bounds[:, :2]) > widest).any(axis=1))


def _are_inside(shapes: AnyArray, around: shapely.Polygon, crs: CRS) -> BoolArray:
    """(N,) True for shapes whose extent lies inside surroundings, in degrees also if longitudes are counted otherwise."""
    extents, (left, _, right, _) = shapely.bounds(shapes), around.bounds
    if crs.is_geographic:
        circle, middle = full_circle(crs), (left + right) / 2
        turns = np.round((extents[:, [0, 2]].mean(axis=1) - middle) / circle)
        extents[:, [0, 2]] -= circle * turns[:, None]
    return np.asarray(shapely.covers(around, shapely.box(*extents.T)))


def _reach(shapes: AnyArray, bounds: Bounds) -> BoolArray:
    """(N,) True for shapes whose extent shares a part with bounds."""
    left, bottom, right, top = shapely.bounds(shapes).T
    across, up = (
        (left <= bounds[2]) & (right >= bounds[0]),
        (bottom <= bounds[3]) & (top >= bounds[1]),
    )
    return np.asarray(across & up)


def _match_longitudes(frame: gpd.GeoDataFrame, grid: Grid, crs: CRS) -> gpd.GeoDataFrame:
    """Features in degrees, shifted by 360 degrees where that brings them onto the scene.

    Longitudes of 190 and -170 are the same meridian. A scene across the antimeridian, or one that
    counts from 0 to 360, may count otherwise than the features.
    """
    if not crs.is_geographic:
        return frame
    left, _, right, _ = grid.bounds
    circle = full_circle(crs)
    shapes = frame.geometry.to_numpy()
    bounds = shapely.bounds(shapes)
    if not ((bounds[:, 0] < left) | (bounds[:, 2] > right)).any():
        return frame
    moved = shapes.copy()
    for index, geometry in enumerate(shapes):
        copies = [
            copy
            for times in (0, 1, -1, 2, -2)
            if _meets(copy := _shift_x(geometry, times * circle), grid.bounds)
        ]
        if len(copies) > 1 and geometry.geom_type.endswith("Polygon"):
            moved[index] = shapely.union_all(repair(np.array(copies)))
        elif copies:
            moved[index] = copies[0]
    return frame.set_geometry(gpd.GeoSeries(moved, index=frame.index, crs=frame.crs))


def _shift_x(geometry: shapely.Geometry, by: float) -> shapely.Geometry:
    return shapely.transform(geometry, lambda xy: xy + np.array([by, 0.0])) if by else geometry


def _meets(geometry: shapely.Geometry | None, bounds: tuple[float, float, float, float]) -> bool:
    """Whether the extents of a geometry and a scene share more than an edge."""
    if geometry is None or geometry.is_empty:
        return False
    left, bottom, right, top = geometry.bounds
    across = (
        left < bounds[2] and right > bounds[0] if right > left else bounds[0] <= left < bounds[2]
    )
    return bool(across and bottom <= bounds[3] and top >= bounds[1])


def _require_degrees(frame: gpd.GeoDataFrame, crs: CRS, name: str, wrong: Errors) -> None:
    """Refuse features in a geographic CRS if the coordinates of none of them can be degrees."""
    if not crs.is_geographic or frame.empty:
        return
    left, bottom, right, top = frame.total_bounds
    x, y = np.abs(frame.geometry.bounds.to_numpy().reshape(-1, 2, 2)).transpose(2, 0, 1)
    circle = full_circle(crs)  # from -720 to 720; latitudes may be rounded
    if ((x <= 2 * circle).all(axis=1) & (y <= 1.0001 * circle / 4).all(axis=1)).any():
        return
    if (x <= circle / 4).all() and (y <= circle / 2).all():
        raise wrong(
            f"coordinates of {name} have latitudes beyond a pole: x {left:.10g} to {right:.10g}, "
            f"y {bottom:.10g} to {top:.10g}",
            hint="exchange longitude and latitude: x is the longitude, y the latitude",
        )
    raise wrong(
        f"coordinates of {name} should be degrees, as they are in {crs.name}, and are none: x "
        f"{left:.10g} to {right:.10g}, y {bottom:.10g} to {top:.10g}",
        hint="state the coordinate reference system that they are in (in QGIS: Set Layer CRS, then "
        "export); GeoJSON that names none is in degrees",
    )


def have_valid_coordinates(geometries: AnyArray) -> BoolArray:
    """Find geometries that can be shapes on a map.

    Args:
        geometries: (N,) geometries of shapely.

    Returns:
        (N,) False where a coordinate is NaN, infinite, or `LARGEST_COORDINATE` or more.

    Examples:
        >>> points = shapely.points([[1.0, 2.0], [float("nan"), 2.0], [1e20, 0.0]])
        >>> have_valid_coordinates(points).tolist()
        [True, False, False]
    """
    coordinates, owner = shapely.get_coordinates(geometries, return_index=True)
    valid = np.ones(len(geometries), bool)
    valid[owner[~(np.abs(coordinates) < LARGEST_COORDINATE).all(axis=1)]] = False
    return valid


def is_known(crs: CRS | None) -> TypeGuard[CRS]:
    """Whether a CRS is that of a planet.

    Formats that need a CRS write an "undefined" one where there is none: an engineering CRS or, in
    GeoPackages and files made from them, a geographic one.

    Args:
        crs: The CRS of a file; None if it states none.
    """
    return crs is not None and not crs.is_engineering and "undefined" not in crs.name.lower()
