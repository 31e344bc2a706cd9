"""Shots: the few labelled points, lines and polygons an analyst draws, and their class table.

Class ids are 1..K in the order of the class table, 0 for no class.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from hsi_geo.arrays import AnyArray, Float64Array, IntArray
from hsi_geo.errors import ShotsError
from hsi_geo.io.labels.class_colors import complete_colors
from hsi_geo.io.labels.class_names import clean_name, similar_name_warnings
from hsi_geo.io.labels.rasterize import pixels_under, resolve_conflicts
from hsi_geo.io.labels.reprojection import reproject
from hsi_geo.io.labels.shot_files import MAX_CLASSES, TRAINING, Purpose, read_labelled
from hsi_geo.text import quoted
from hsi_geo.tiling import Grid, Window

#: Most pixels that are used of a class. Neighbours inside a polygon add more time than information.
MAX_PIXELS_PER_CLASS = 2000


@dataclass(frozen=True, slots=True)
class LandClass:
    """One class of a map.

    Attributes:
        id: Value in the map, 1..K.
        name: Name that is shown to people, normalised by `clean_name`.
        color: "#rrggbb".
        value: Value of an integer class field; None where the field is text.
    """

    id: int
    name: str
    color: str
    value: int | None = None

    def __post_init__(self) -> None:
        """Normalise the name, so that it can be written to every file and read back."""
        object.__setattr__(self, "name", clean_name(self.name))


ClassTable = tuple[LandClass, ...]


@dataclass(frozen=True, eq=False)
class Shots:
    """Labelled geometries with their class table.

    Attributes:
        classes: Class table, in the order of the ids.
        frame: One row for each part of a geometry, with the columns ``geometry``, ``class_id`` (1..K)
            and ``feature_id`` (id of the feature in the file). Its CRS may be None.
        source: Path of the file, or another name for messages.
        skipped: What was left out while reading, as parts of a sentence ("2 without geometry").
        notes: What was decided while reading, as sentences.
        in_scene_frame: Whether coordinates are in the CRS of the scene, as the file states none.
        purpose: What the shots are used for.
        files: Paths of the files that were read.
        other_fields: Names of other fields of the file that may hold the class.
        class_field: Class field that `read_shots` was given; None if it found one.
        layer: Layer that `read_shots` was given; None if it took the only one.
        all_touched: Whether `burn` takes every pixel that a polygon touches, not only those whose
            centre it covers.
    """

    classes: ClassTable
    frame: gpd.GeoDataFrame
    source: str
    skipped: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    in_scene_frame: bool = False
    purpose: Purpose = TRAINING
    files: tuple[str, ...] = ()
    other_fields: tuple[str, ...] = ()
    class_field: str | None = None
    layer: str | None = None
    all_touched: bool = False

    @property
    def warnings(self) -> list[str]:
        """Sentences to warn the user with before the shots are used."""
        return similar_name_warnings(c.name for c in self.classes)


@dataclass(frozen=True, eq=False)
class ShotPixels:
    """Shots burnt onto the grid of one scene.

    Attributes:
        rows: (N,) row of each pixel. Pixels are ordered by row, then column; none occurs twice.
        cols: (N,) column of each pixel.
        class_ids: (N,) class id of each pixel, 1..K.
        features: (N,) row of `Shots.frame` that each pixel belongs to.
        outside: Number of shots that have no pixel in the scene.
        conflicts: Number of pixels that were dropped because shots of two classes cover them.
    """

    rows: IntArray
    cols: IntArray
    class_ids: IntArray
    features: IntArray
    outside: int = 0
    conflicts: int = 0

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


def read_shots(
    path: str | os.PathLike[str] | Shots,
    *,
    class_field: str | None = None,
    layer: str | None = None,
    all_touched: bool = False,
    purpose: Purpose = TRAINING,
) -> Shots:
    """Read labelled geometries from a vector file, a table of points or a raster.

    Args:
        path: GeoPackage, Shapefile, GeoJSON, FlatGeobuf or another vector format of GDAL, also in a ZIP
            or TAR archive; a CSV or text table with the columns x, y (in the CRS of the scene) or
            lon, lat; a raster of class ids, 0 for no class. Shots that were read before are returned
            as they are.
        class_field: Name of the field that holds the class, text or integer. None: the only field that
            can hold it, the only one with a usual name (`shot_files.USUAL_CLASS_FIELDS`), or the
            one that the QGIS style of the file classifies by.
        layer: Name of the layer in a file of several; None for the only one.
        all_touched: Whether a polygon labels every pixel it touches, not only those whose centre it
            covers.
        purpose: What the shots are used for: `shot_files.TRAINING`, or `shot_files.REFERENCE` for
            labels to assess a map with, which may be of one class.

    Returns:
        The shots. Classes are ordered by the user's ids if the field is integer, else by name.

    Raises:
        ShotsNotFoundError: If there is no such file.
        ShotsError: If it cannot be read, or has too few classes.
        ClassFieldError: If there is no such field, or several may hold the class.
    """
    if isinstance(path, Shots):
        return path
    name = os.fspath(path)
    file = read_labelled(name, class_field, layer, purpose)
    shots = make_shots(
        file.geometry,
        file.labels,
        ids=file.ids,
        source=name,
        skipped=file.skipped,
        colors=file.colors,
        names=file.names,
        purpose=purpose,
    )
    return dataclasses.replace(
        shots,
        notes=(*file.notes, *shots.notes),
        in_scene_frame=file.in_scene_frame,
        files=(name,),
        other_fields=file.other_fields,
        class_field=class_field,
        layer=layer,
        all_touched=all_touched,
    )


def make_shots(
    geometry: gpd.GeoSeries,
    labels: pd.Series[Any] | Sequence[Any],
    *,
    ids: Sequence[int] | IntArray | None = None,
    source: str = "shots",
    skipped: Iterable[str] = (),
    colors: Mapping[str, str] = MappingProxyType({}),
    names: Mapping[str, str] = MappingProxyType({}),
    purpose: Purpose = TRAINING,
) -> Shots:
    """Build shots from geometries and their classes.

    Args:
        geometry: (N,) geometry of each shot, with a CRS or without. Parts count as shots of their own.
        labels: (N,) class of each shot, text or integers. Floats that are whole count as integers.
        ids: (N,) id of each shot; None counts them from 0.
        source: What messages call the shots.
        skipped: What was left out before, as parts of a sentence ("2 without geometry").
        colors: "#rrggbb" by class as text; other classes get a colour of the palette.
        names: Name by class as text, for classes that are numbers.
        purpose: What the shots are used for, as in `read_shots`.

    Returns:
        The shots with their class table.

    Raises:
        ShotsError: If there are fewer classes than the purpose needs, or more than can be mapped.

    Examples:
        >>> points = gpd.GeoSeries(shapely.points([[1.0, 2.0], [3.0, 4.0]]))
        >>> [(c.id, c.name) for c in make_shots(points, ["rye", "oats"]).classes]
        [(1, 'oats'), (2, 'rye')]
    """
    # One row for each part: the parts of a multipolygon are separate features.
    parts = gpd.GeoSeries(geometry).reset_index(drop=True).explode()
    parts = parts[~shapely.is_empty(parts.to_numpy())]  # a collection may hold empty ones
    given = pd.Series(list(labels))
    values = _class_values(given)[parts.index].reset_index(drop=True)
    distinct = sorted(values.unique())
    if len(distinct) < purpose.fewest_classes:
        raise ShotsError(
            f"{purpose.labels} '{source}' have only one class, '{distinct[0]}'",
            hint=f"draw {purpose.wanted}",
        )
    if len(distinct) > MAX_CLASSES:
        raise ShotsError(
            f"{purpose.labels} '{source}' have {len(distinct)} different classes, from '{distinct[0]}' "
            f"to '{distinct[-1]}', and {MAX_CLASSES} at most are mapped",
            hint="choose the field that holds the class with --class-field",
        )
    integer = isinstance(distinct[0], int)
    shown = [names.get(str(value), str(value)) for value in distinct] if integer else distinct
    if len(set(shown)) < len(shown):  # two classes of one name
        shown = [str(value) for value in distinct]
    painted = complete_colors([colors.get(str(value)) for value in distinct])
    classes = tuple(
        LandClass(id, name, color, value if integer else None)
        for id, (value, name, color) in enumerate(
            zip(distinct, shown, painted, strict=True), start=1
        )
    )
    class_ids = values.map({value: id for id, value in enumerate(distinct, start=1)})
    feature_ids = np.arange(len(geometry)) if ids is None else np.asarray(ids, np.int64)
    flat = gpd.GeoSeries(shapely.force_2d(parts.to_numpy()), crs=geometry.crs)
    frame = gpd.GeoDataFrame(
        {"class_id": class_ids.to_numpy(), "feature_id": feature_ids[parts.index]}, geometry=flat
    )
    notes = _normalised_names(given, set() if integer else set(distinct))
    return Shots(classes, frame, source, tuple(skipped), notes, purpose=purpose)


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
        >>> grid = Grid(3, 4, Affine(1.0, 0.0, 0.0, 0.0, -1.0, 3.0), None)
        >>> shapes = gpd.GeoSeries([shapely.box(0.0, 1.0, 2.0, 3.0), shapely.Point(3.5, 0.5)])
        >>> pixels = burn(make_shots(shapes, ["rye", "oats"]), grid)
        >>> pixels.rows.tolist(), pixels.cols.tolist(), pixels.class_ids.tolist()
        ([0, 0, 1, 1, 2], [0, 1, 0, 1, 3], [2, 2, 2, 2, 1])
    """
    frame = to_grid(shots, grid).frame
    labels, raster = shots.purpose.labels, shots.purpose.raster
    found: list[IntArray] = []
    outside = 0
    for feature, (geometry, class_id) in enumerate(
        zip(frame.geometry, frame["class_id"], strict=True)
    ):
        rows, cols, small = pixels_under(geometry, grid, shots.all_touched)
        inside = (rows >= 0) & (rows < grid.height) & (cols >= 0) & (cols < grid.width)
        if not inside.any():
            outside += 1
            continue
        flat = np.sort(rows[inside] * grid.width + cols[inside])
        tags = np.full((3, len(flat)), [[int(small)], [class_id], [feature]], np.int64)
        found.append(np.vstack([flat, tags]))
    if not found:
        raise ShotsError(
            f"none of the {len(frame)} {labels} in '{shots.source}' lies in the {raster}: they cover "
            f"{_bounds_text(frame.total_bounds)}, the {raster} {_bounds_text(grid.bounds)}",
            hint=_why_outside(shots, grid),
        )
    # Of several shots of one class on a pixel one gets it. Their places decide which, so that the
    # order of the file does not matter.
    shapes = frame.geometry.to_numpy()
    found.sort(key=lambda claims: _place_key(claims[0], shapes[claims[3, 0]]))
    ranks = np.array([claims[3, 0] for claims in found])
    for rank, claims in enumerate(found):
        claims[3] = rank
    flat, class_ids, ranked, conflicts = resolve_conflicts(np.hstack(found))
    if not len(flat):
        raise ShotsError(
            f"{labels} '{shots.source}' leave no pixel in the {raster}: two classes claim each of "
            f"the {conflicts} under them",
            hint=f"draw {labels} of different classes apart",
        )
    rows, cols = np.divmod(flat, grid.width)
    return ShotPixels(rows, cols, class_ids, ranks[ranked], outside, conflicts)


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


def _normalised_names(labels: pd.Series[Any], names: set[str]) -> tuple[str, ...]:
    """A note on labels whose text differs from the name of their class."""
    changed = {
        clean_name(t) for t in set(labels) if isinstance(t, str) and clean_name(t) != t.strip()
    }
    shown = sorted(changed & names)
    if not shown:
        return ()
    return (
        f"names with control characters, or letters in two parts, are normalised: {quoted(shown)}",
    )


def _place_key(pixels: IntArray, shape: shapely.Geometry) -> tuple[bytes, bytes]:
    """Key that sorts shots by their pixels, and those of the same pixels by their geometries."""
    return pixels.astype(">i8").tobytes(), shapely.to_wkb(shapely.normalize(shape))


def _class_values(labels: pd.Series[Any]) -> pd.Series[Any]:
    """Labels as Python integers where all of them are whole numbers, else as clean text."""
    if pd.api.types.is_numeric_dtype(labels) and not pd.api.types.is_bool_dtype(labels):
        numbers = labels.to_numpy(np.float64)
        if (numbers == np.round(numbers)).all():
            return pd.Series([int(number) for number in numbers], dtype=object)
    return pd.Series([clean_name(label) for label in labels], dtype=object)


def _why_outside(shots: Shots, grid: Grid) -> str:
    """A hint for shots of which none is in the scene."""
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
    return "check the coordinate reference systems of both"


def _bounds_text(bounds: Sequence[float] | Float64Array) -> str:
    left, bottom, right, top = bounds
    return f"x {left:.10g} to {right:.10g}, y {bottom:.10g} to {top:.10g}"
