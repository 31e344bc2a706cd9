"""Shots: the few labelled points, lines and polygons an analyst draws, and their class table.

The home of class ids: 1..K in the order of the class table, 0 for no class.
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

#: Most pixels that one class keeps: neighbours inside a polygon add little but time.
MAX_PIXELS_PER_CLASS = 2000


@dataclass(frozen=True, slots=True)
class LandClass:
    """One class of a map.

    Attributes:
        id: 1..K, the value in the map.
        name: As shown to people; see `clean_name`.
        color: "#rrggbb".
        value: The user's own id, None where the class field is text.
    """

    id: int
    name: str
    color: str
    value: int | None = None

    def __post_init__(self) -> None:
        """Whoever names a class, its name can be written to every file and read back."""
        object.__setattr__(self, "name", clean_name(self.name))


ClassTable = tuple[LandClass, ...]


@dataclass(frozen=True, eq=False)
class Shots:
    """Labelled geometries with their class table.

    Attributes:
        classes: In the order of their ids.
        frame: One row for each part of a geometry: ``geometry``, ``class_id`` and ``feature_id``, what
            the file calls the feature; its CRS may be None.
        source: Where they came from, for messages.
        skipped: What was left out while reading, in words.
        notes: What was decided while reading, in words.
        in_scene_frame: Whether coordinates are the scene's own, whatever its CRS.
        purpose: What they were read for.
        files: What was read for them.
        other_fields: Fields of their file that could have held the class as well.
        class_field: Class field that `read_shots` was given, None if it chose.
        layer: Layer that `read_shots` was given, None if it chose.
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
        """What is to be warned of before anything is made of them, in words."""
        return similar_name_warnings(c.name for c in self.classes)


@dataclass(frozen=True, eq=False)
class ShotPixels:
    """Shots burnt onto the grid of one scene.

    Attributes:
        rows: (N,) rows, ordered by row, then column; no pixel twice.
        cols: (N,) columns.
        class_ids: (N,) 1..K.
        features: (N,) row of `Shots.frame` that each pixel came from.
        outside: Shots of which no pixel lies in the scene.
        conflicts: Pixels dropped because two classes claim them.
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
        """Some of the pixels, by mask or by increasing index."""
        return ShotPixels(
            self.rows[chosen],
            self.cols[chosen],
            self.class_ids[chosen],
            self.features[chosen],
            self.outside,
            self.conflicts,
        )

    def counts(self, classes: ClassTable) -> dict[str, int]:
        """Pixels by class name, classes without any included."""
        return {c.name: int((self.class_ids == c.id).sum()) for c in classes}

    def mask(self, window: Window) -> IntArray:
        """(height, width) class index 0..K-1 in a window, -1 where there is no shot."""
        return self._paint(self.class_ids - 1, window)

    def feature_mask(self, window: Window) -> IntArray:
        """(height, width) row of `Shots.frame` in a window, -1 where there is no shot."""
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
    """Read labelled geometries from a vector file.

    Args:
        path: GeoPackage, Shapefile, GeoJSON, FlatGeobuf or whatever else GDAL reads; a CSV with
            the columns x, y (in the scene's own CRS) or lon, lat; a raster of class ids, 0 where
            there is none; shots that were read before are returned as they are.
        class_field: Field that holds the class, text or integer. None: the only field that can,
            the only one with a usual name (`shot_files.USUAL_CLASS_FIELDS`), or the one that
            QGIS's style draws classes by.
        layer: Layer of a file with several.
        all_touched: Whether a polygon labels every pixel it touches, not only those whose centre it
            covers.
        purpose: `shot_files.REFERENCE` for labels that a map is compared with, which may be of one
            class.

    Returns:
        The shots. Classes are ordered by the user's ids if the field is integer, else by name.

    Raises:
        ShotsNotFoundError: If there is no such file.
        ShotsError: If it is no vector file, or has nothing to learn from.
        ClassFieldError: If the field does not exist or several could be meant.
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
        geometry: One geometry a shot.
        labels: One class a shot, text or integers (floats that are whole count as integers).
        ids: What each shot is called; None counts them from 0.
        source: For messages.
        skipped: What a reader left out, in words.
        colors: "#rrggbb" by class, as text; classes without get one of the palette.
        names: What to call a class instead, by class as text.
        purpose: As in `read_shots`.

    Returns:
        The shots with their class table.

    Raises:
        ShotsError: If there are fewer classes than the purpose takes, or more than can be mapped.
    """
    # One row a part: what is drawn apart counts apart, also inside a multipolygon.
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
    if len(set(shown)) < len(shown):  # names that are no names
        shown = [str(value) for value in distinct]
    painted = complete_colors([colors.get(str(value)) for value in distinct])
    classes = tuple(
        LandClass(id, name, color, value if integer else None)
        for id, (value, name, color) in enumerate(
            zip(distinct, shown, painted, strict=True), start=1
        )
    )
    class_ids = values.map({value: id for id, value in enumerate(distinct, start=1)})
    called = np.arange(len(geometry)) if ids is None else np.asarray(ids, np.int64)
    flat = gpd.GeoSeries(shapely.force_2d(parts.to_numpy()), crs=geometry.crs)
    frame = gpd.GeoDataFrame(
        {"class_id": class_ids.to_numpy(), "feature_id": called[parts.index]}, geometry=flat
    )
    notes = _renamed(given, set() if integer else set(distinct))
    return Shots(classes, frame, source, tuple(skipped), notes, purpose=purpose)


def to_grid(shots: Shots, grid: Grid) -> Shots:
    """The shots in the scene's CRS.

    Raises:
        ShotsError: If only one of the two has a CRS, or they lie on different planets.
    """
    frame = shots.frame
    if shots.in_scene_frame:
        frame = frame.set_crs(grid.crs, allow_override=True)
    called = f"{shots.purpose.labels} '{shots.source}'"
    frame = reproject(frame, grid, name=called, wrong=ShotsError, of=shots.purpose.raster)
    return dataclasses.replace(shots, frame=frame)


def burn(shots: Shots, grid: Grid) -> ShotPixels:
    """Find the pixels under each shot.

    A pixel belongs to a polygon if its centre does (or, with `Shots.all_touched`, if it is touched
    at all), to a point or a line if they lie in it. A polygon too small to hold a centre takes the pixel
    under it, unless another shot has a better claim. A pixel that two classes claim equally
    well is dropped and counted.

    Args:
        shots: In any CRS.
        grid: Of the scene.

    Returns:
        The pixels inside the scene.

    Raises:
        ShotsError: As `to_grid`, or if not one shot lies in the scene, or none has a pixel of its
            own.
    """
    placed = to_grid(shots, grid).frame
    labels, raster = shots.purpose.labels, shots.purpose.raster
    found: list[IntArray] = []
    outside = 0
    for feature, (geometry, class_id) in enumerate(
        zip(placed.geometry, placed["class_id"], strict=True)
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
            f"none of the {len(placed)} {labels} in '{shots.source}' lies in the {raster}: they cover "
            f"{_bounds_text(placed.total_bounds)}, the {raster} {_bounds_text(grid.bounds)}",
            hint=_why_outside(shots, grid),
        )
    # Of one class's shots on a pixel one has it: which, their places decide, not the file's order.
    shapes = placed.geometry.to_numpy()
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
    """Keep at most `MAX_PIXELS_PER_CLASS` of each class, drawn at random."""
    keep = np.ones(len(pixels), bool)
    # Whatever classes are called, they draw in the order of their first pixels.
    for first in np.sort(np.unique(pixels.class_ids, return_index=True)[1]):
        class_id = pixels.class_ids[first]
        members = np.flatnonzero(pixels.class_ids == class_id)
        if len(members) > MAX_PIXELS_PER_CLASS:
            keep[members] = False
            keep[generator.choice(members, MAX_PIXELS_PER_CLASS, replace=False)] = True
    return pixels.pick(keep)


def _renamed(labels: pd.Series[Any], names: set[str]) -> tuple[str, ...]:
    """What is to be told of labels that are not written as their classes are called."""
    changed = {
        clean_name(t) for t in set(labels) if isinstance(t, str) and clean_name(t) != t.strip()
    }
    shown = sorted(changed & names)
    if not shown:
        return ()
    return (
        f"names with control characters, or letters written as two, are written anew: {quoted(shown)}",
    )


def _place_key(pixels: IntArray, shape: shapely.Geometry) -> tuple[bytes, bytes]:
    """What sorts shots by their pixels, and those with the same ones by their shapes."""
    return pixels.astype(">i8").tobytes(), shapely.to_wkb(shapely.normalize(shape))


def _class_values(labels: pd.Series[Any]) -> pd.Series[Any]:
    """Labels as Python integers where all of them are whole numbers, else as clean text."""
    if pd.api.types.is_numeric_dtype(labels) and not pd.api.types.is_bool_dtype(labels):
        numbers = labels.to_numpy(np.float64)
        if (numbers == np.round(numbers)).all():
            return pd.Series([int(number) for number in numbers], dtype=object)
    return pd.Series([clean_name(label) for label in labels], dtype=object)


def _why_outside(shots: Shots, grid: Grid) -> str:
    """What to do about shots of which none lies in a scene."""
    axes = shots.frame.geometry
    exchanged = shapely.transform(shapely.force_2d(axes.to_numpy()), lambda xy: xy[:, ::-1])
    frame = shots.frame.set_geometry(gpd.GeoSeries(exchanged, index=axes.index, crs=axes.crs))
    try:
        turned = to_grid(dataclasses.replace(shots, frame=frame), grid).frame
    except ShotsError:  # as degrees they would be none
        turned = frame.iloc[:0]
    if turned.intersects(shapely.box(*grid.bounds)).any():
        return "exchange their x and y (or longitude and latitude): then they lie in it"
    left, bottom, right, top = axes.total_bounds
    like_degrees = -180 <= left <= right <= 180 and -90 <= bottom <= top <= 90
    if shots.in_scene_frame and like_degrees and grid.crs is not None and grid.crs.is_projected:
        return "if these are degrees, call their columns lon and lat"
    return "check the coordinate reference systems of both"


def _bounds_text(bounds: Sequence[float] | Float64Array) -> str:
    left, bottom, right, top = bounds
    return f"x {left:.10g} to {right:.10g}, y {bottom:.10g} to {top:.10g}"
