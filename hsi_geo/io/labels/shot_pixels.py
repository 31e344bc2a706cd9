"""Pixels under shots: the rows, columns and classes that shots have on the grid of a scene."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from hsi_geo.arrays import AnyArray, IntArray
from hsi_geo.errors import ShotsError
from hsi_geo.io.labels.rasterize import pixels_under_each, resolve_conflicts
from hsi_geo.io.labels.reprojection import reproject
from hsi_geo.io.labels.scene_surroundings import bounds_text
from hsi_geo.io.labels.shots import ClassTable, Shots
from hsi_geo.tiling import Grid, Window

#: Most pixels that are used of a class. Neighbours inside a polygon add more time than information.
MAX_PIXELS_PER_CLASS = 2000

_CHECK_CRS = "check the coordinate reference systems of both"


@dataclass(frozen=True, eq=False)
class ShotPixels:
    """Shots burnt onto the grid of one scene.

    Attributes:
        rows: (N,) row of each pixel. Those of `burn` are ordered by row, then column; none occurs twice.
        cols: (N,) column of each pixel.
        class_ids: (N,) class id of each pixel, 1..K.
        features: (N,) row of `Shots.frame` that each pixel belongs to.
        outside: Number of shots that have no pixel in the scene.
        conflicts: Number of pixels that were dropped because shots of two classes cover them.
        inside: (M,) rows of `Shots.frame` of the shots that have a pixel in the scene, also if another shot got it.
    """

    rows: IntArray
    cols: IntArray
    class_ids: IntArray
    features: IntArray
    outside: int = 0
    conflicts: int = 0
    inside: IntArray = field(default_factory=lambda: np.empty(0, np.int64))

    def __len__(self) -> int:
        return len(self.rows)

    def pick(self, chosen: AnyArray) -> ShotPixels:
        """Select pixels.

        Args:
            chosen: (N,) mask, or increasing indices.
        """
        return ShotPixels(
            self.rows[chosen],
            self.cols[chosen],
            self.class_ids[chosen],
            self.features[chosen],
            self.outside,
            self.conflicts,
            self.inside,
        )

    def counts(self, classes: ClassTable) -> dict[str, int]:
        """Number of pixels by class name, 0 for classes that have none.

        Args:
            classes: Class table of the shots.
        """
        return {c.name: int((self.class_ids == c.id).sum()) for c in classes}

    def mask(self, window: Window) -> IntArray:
        """(height, width) class index 0..K-1 in a window of the scene, -1 where there is no shot."""
        return self._paint(self.class_ids - 1, window)

    def feature_mask(self, window: Window) -> IntArray:
        """(height, width) row of `Shots.frame` in a window of the scene, -1 without a shot."""
        return self._paint(self.features, window)

    def _paint(self, values: IntArray, window: Window) -> IntArray:
        mask = np.full(window.shape, -1, np.int64)
        rows, cols = self.rows - window.row, self.cols - window.col
        inside = (rows >= 0) & (rows < window.height) & (cols >= 0) & (cols < window.width)
        mask[rows[inside], cols[inside]] = values[inside]
        return mask


def to_grid(shots: Shots, grid: Grid) -> Shots:
    """Reproject shots to the CRS of a scene.

    Args:
        shots: Shots in any CRS.
        grid: Pixels of the scene.

    Returns:
        The shots with coordinates in the scene's CRS.

    Raises:
        ShotsError: If only one of the two has a CRS, or they are on different planets.
    """
    if shots.parts:
        frames = [to_grid(part, grid).frame for part in shots.parts]
        frame = gpd.GeoDataFrame(pd.concat(frames, ignore_index=True), crs=frames[0].crs)
        return dataclasses.replace(shots, frame=frame, parts=())
    frame = shots.frame
    if shots.in_scene_frame:
        frame = frame.set_crs(grid.crs, allow_override=True)
    name = f"{shots.purpose.labels} '{shots.source}'"
    frame = reproject(frame, grid, name=name, wrong=ShotsError, of=shots.purpose.raster)
    return dataclasses.replace(shots, frame=frame)


def burn(shots: Shots, grid: Grid) -> ShotPixels:
    """Find the pixels under each shot.

    A pixel belongs to a polygon if its centre is inside (with `Shots.all_touched`, if the polygon
    touches the pixel), and to a point or a line if that is inside the pixel. A polygon that covers no centre gets the pixel under it, unless another shot covers
    that. A pixel under shots of two classes is dropped and counted.

    Args:
        shots: Shots in any CRS.
        grid: Pixels of the scene.

    Returns:
        The pixels inside the scene.

    Raises:
        ShotsError: As `to_grid`, or if no shot is in the scene, or all pixels are dropped.

    Examples:
        >>> from affine import Affine
        >>> from hsi_geo.io.labels.shots import make_shots
        >>> grid = Grid(3, 4, Affine(1.0, 0.0, 0.0, 0.0, -1.0, 3.0), None)
        >>> shapes = gpd.GeoSeries([shapely.box(0.0, 1.0, 2.0, 3.0), shapely.Point(3.5, 0.5)])
        >>> pixels = burn(make_shots(shapes, ["rye", "oats"]), grid)
        >>> pixels.rows.tolist(), pixels.cols.tolist(), pixels.class_ids.tolist()
        ([0, 0, 1, 1, 2], [0, 1, 0, 1, 3], [2, 2, 2, 2, 1])
    """
    pixels = find_pixels(shots, grid)
    if len(pixels):
        return pixels
    labels, raster = shots.purpose.labels, shots.purpose.raster
    if pixels.conflicts:
        raise ShotsError(
            f"{labels} '{shots.source}' leave no pixel in the {raster}: two classes claim each of "
            f"the {pixels.conflicts} under them",
            hint=f"draw {labels} of different classes apart",
        )
    frame = to_grid(shots, grid).frame
    bounds = frame.total_bounds
    where = bounds_text(bounds) if np.isfinite(bounds).all() else f"nothing near the {raster}"
    raise ShotsError(
        f"none of the {len(frame)} {labels} in '{shots.source}' lies in the {raster}: they cover {where}, the {raster} "
        f"{bounds_text(grid.bounds)}",
        hint=_why_outside(shots, grid),
    )


def find_pixels(shots: Shots, grid: Grid) -> ShotPixels:
    """Find the pixels under each shot as `burn` does; there may be none.

    Args:
        shots: Shots in any CRS.
        grid: Pixels of the scene.

    Returns:
        The pixels inside the scene.

    Raises:
        ShotsError: As `to_grid`.
    """
    none = np.empty(0, np.int64)
    if shots.frame.empty:  # spectra of a library alone have no place, and no CRS
        return ShotPixels(none, none, none, none)
    frame = to_grid(shots, grid).frame
    found: list[IntArray] = []
    outside = 0
    touched = [part.all_touched for part in shots.parts or (shots,) for _ in range(len(part.frame))]
    under = pixels_under_each(frame.geometry.to_numpy(), grid, touched)
    for feature, (class_id, (rows, cols, small)) in enumerate(
        zip(frame["class_id"], under, strict=True)
    ):
        inside = (rows >= 0) & (rows < grid.height) & (cols >= 0) & (cols < grid.width)
        if not inside.any():
            outside += 1
            continue
        flat = np.sort(rows[inside] * grid.width + cols[inside])
        tags = np.full((3, len(flat)), [[int(small)], [class_id], [feature]], np.int64)
        found.append(np.vstack([flat, tags]))
    if not found:
        return ShotPixels(none, none, none, none, outside)
    # Of several shots of one class on a pixel one gets it. Their places decide which, so that the
    # order of the file does not matter.
    shapes = frame.geometry.to_numpy()
    found.sort(key=lambda claims: _place_key(claims[0], shapes[claims[3, 0]]))
    ranks = np.array([claims[3, 0] for claims in found])
    for rank, claims in enumerate(found):
        claims[3] = rank
    flat, class_ids, ranked, conflicts = resolve_conflicts(np.hstack(found))
    rows, cols = np.divmod(flat, grid.width)
    return ShotPixels(rows, cols, class_ids, ranks[ranked], outside, conflicts, np.sort(ranks))


def thin(pixels: ShotPixels, generator: np.random.Generator) -> ShotPixels:
    """Keep at most `MAX_PIXELS_PER_CLASS` pixels of each class, drawn at random.

    Args:
        pixels: Pixels under shots.
        generator: Source of random numbers.
    """
    keep = np.ones(len(pixels), bool)
    # Classes draw in the order of their first pixels, whatever their names.
    for first in np.sort(np.unique(pixels.class_ids, return_index=True)[1]):
        class_id = pixels.class_ids[first]
        members = np.flatnonzero(pixels.class_ids == class_id)
        if len(members) > MAX_PIXELS_PER_CLASS:
            keep[members] = False
            keep[generator.choice(members, MAX_PIXELS_PER_CLASS, replace=False)] = True
    return pixels.pick(keep)


def _place_key(pixels: IntArray, shape: shapely.Geometry) -> tuple[bytes, bytes]:
    """Key that sorts shots by their pixels, and those of the same pixels by their geometries."""
    return pixels.astype(">i8").tobytes(), shapely.to_wkb(shapely.normalize(shape))


def _why_outside(shots: Shots, grid: Grid) -> str:
    """A hint for shots of which none is in the scene."""
    if shots.parts:
        hints = [_why_outside(part, grid) for part in shots.parts]
        return next((hint for hint in hints if hint != _CHECK_CRS), _CHECK_CRS)
    axes = shots.frame.geometry
    swapped = shapely.transform(shapely.force_2d(axes.to_numpy()), lambda xy: xy[:, ::-1])
    frame = shots.frame.set_geometry(gpd.GeoSeries(swapped, index=axes.index, crs=axes.crs))
    try:
        reprojected = to_grid(dataclasses.replace(shots, frame=frame), grid).frame
    except ShotsError:  # swapped, they are no degrees
        reprojected = frame.iloc[:0]
    if reprojected.intersects(shapely.box(*grid.bounds)).any():
        return "exchange their x and y (or longitude and latitude): then they lie in it"
    left, bottom, right, top = axes.total_bounds
    maybe_degrees = -180 <= left <= right <= 180 and -90 <= bottom <= top <= 90
    if shots.in_scene_frame and maybe_degrees and grid.crs is not None and grid.crs.is_projected:
        return "if these are degrees, call their columns lon and lat"
    return _CHECK_CRS
