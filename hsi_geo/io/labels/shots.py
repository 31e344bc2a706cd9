"""Shots: the few labelled points, lines and polygons an analyst draws, and their class table.

Class ids are 1..K in the order of the class table, 0 for no class.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from hsi_geo.arrays import BoolArray, IntArray
from hsi_geo.display.described import Described
from hsi_geo.errors import EmptyShotsError, ShotsError
from hsi_geo.io.labels.class_colors import complete_colors
from hsi_geo.io.labels.class_levels import has_class
from hsi_geo.io.labels.class_names import clean_name, similar_name_warnings
from hsi_geo.io.labels.class_rasters import MAX_CLASSES
from hsi_geo.io.labels.purposes import TRAINING, Purpose
from hsi_geo.io.labels.single_values import require_single_values
from hsi_geo.io.labels.spectral_library import SpectralLibrary
from hsi_geo.text import quoted

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

    from hsi_geo.display.summaries import Summary


@dataclass(frozen=True, slots=True)
class LandClass:
    """One class of a map.

    Attributes:
        id: Value in the map, 1..K.
        name: Name that is shown to people, normalised by `clean_name`.
        color: "#rrggbb".
        value: Value of an integer class field; None where the field is text.
        parent: Name of the class of the upper level; None if the classes have one level. See `io.labels.parents`.
        parent_color: "#rrggbb" of the parent.
    """

    id: int
    name: str
    color: str
    value: int | None = None
    parent: str | None = None
    parent_color: str | None = None

    def __post_init__(self) -> None:
        """Normalise the name, so that it can be written to every file and read back."""
        object.__setattr__(self, "name", clean_name(self.name))

    def as_dict(self) -> dict[str, Any]:
        """Value by attribute, for JSON; without the parent if there is none."""
        found = dataclasses.asdict(self)
        return {k: v for k, v in found.items() if v is not None or not k.startswith("parent")}


ClassTable = tuple[LandClass, ...]


@dataclass(frozen=True, eq=False, repr=False)
class Shots(Described):
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
        class_field: Class field that `read_shots` was given; None if it found one, or for several files.
        layer: Layer that `read_shots` was given; None if it took the only one, or for several files.
        all_touched: Whether `burn` takes every pixel that a polygon touches, not only those whose
            centre it covers.
        default_colors: Ids of the classes whose colour nobody gave: it follows their names.
        cautions: What was found while reading that the user should know before, as sentences.
        drawn: How the features of a GeoDataFrame were drawn, if they are a sample; see `sample_fields.drawn_fields`.
        parts: Shots of each file, where several were joined: with the class table of all, each in its
            own CRS. ``frame`` then has them all in the CRS of the first, and a column ``part`` with
            their index. Empty for one file.
        library: Labelled spectra without a place, which teach together with the geometries or alone; None
            if there are none.
        library_weight: Weight of each spectrum of the library beside a drawn shot, above 0 to 1.
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
    default_colors: tuple[int, ...] = ()
    cautions: tuple[str, ...] = ()
    drawn: gpd.GeoDataFrame | None = None
    parts: tuple[Shots, ...] = ()
    library: SpectralLibrary | None = None
    library_weight: float = 1.0

    @property
    def warnings(self) -> list[str]:
        """Sentences to warn the user with before the shots are used."""
        return [*self.cautions, *similar_name_warnings(c.name for c in self.classes)]

    def plot(
        self,
        scene: xr.DataArray | None = None,
        *,
        show_titles: bool = True,
        suptitle: str | None = None,
    ) -> Figure:
        """Draw the shots with matplotlib, in the colours of their classes, with a legend.

        Args:
            scene: Scene that is drawn below them, from `open_scene`; None for none.
            show_titles: Whether the image has its title above it.
            suptitle: Title of the figure; None for none.

        Returns:
            The figure of `matplotlib.pyplot`. In a script ``matplotlib.pyplot.show()`` opens it.

        Raises:
            ShotsError: If only one of shots and scene has a CRS, or they are on different planets.
        """
        from hsi_geo.io.labels.shot_figures import plot_shots

        return plot_shots(self, scene, show_titles=show_titles, suptitle=suptitle)

    def _summary(self, *, with_picture: bool) -> Summary:
        from hsi_geo.io.labels.shot_summary import summarize_shots

        return summarize_shots(self, with_picture=with_picture)


#: From here on whole numbers that differ may be one float.
_INEXACT = 2**53

#: Shots of one source: a file, shots that were read, or features with a class field.
type SomeSource = str | os.PathLike[str] | Shots | gpd.GeoDataFrame

#: What functions take as shots: one source or a list of them.
type SomeShots = SomeSource | Sequence[SomeSource]


def make_shots(
    geometry: gpd.GeoSeries | Sequence[shapely.Geometry | None],
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
        geometry: (N,) geometry of each shot, with a CRS or without (a list has none). Parts count as shots of
            their own. Missing and empty ones are left out.
        labels: (N,) class of each shot in the same order, text or integers. Floats that are whole count as
            integers. Shots whose class is missing (None, NaN, an empty text) are left out.
        ids: (N,) id of each shot; None counts them from 0.
        source: What messages call the shots.
        skipped: What was left out before, as parts of a sentence ("2 without geometry").
        colors: "#rrggbb" by class as text; other classes get a colour of the palette.
        names: Name by class as text, for classes that are numbers.
        purpose: What the shots are used for, as in `read_shots`.

    Returns:
        The shots with their class table.

    Raises:
        ShotsError: If there are fewer classes than the purpose needs, or more than can be mapped, or if there
            are more or fewer labels than geometries.
        EmptyShotsError: If no shot has a geometry and a class.

    Examples:
        >>> points = gpd.GeoSeries(shapely.points([[1.0, 2.0], [3.0, 4.0]]))
        >>> [(c.id, c.name) for c in make_shots(points, ["rye", "oats"]).classes]
        [(1, 'oats'), (2, 'rye')]
    """
    shapes = gpd.GeoSeries(geometry).reset_index(drop=True)
    given = pd.Series(list(labels))
    if len(given) != len(shapes):
        raise ShotsError(
            f"{purpose.labels} '{source}' have {len(shapes)} geometries and {len(given)} labels",
            hint="give one label for each geometry, in their order",
        )
    require_single_values(given, f"the class of shots of '{source}'")
    usable, left_out = _usable(shapes, given)
    if not usable.any():
        raise EmptyShotsError(
            f"{purpose.labels} '{source}' have no geometry with a class",
            hint=f"draw {purpose.wanted}",
        )
    given = given[usable].infer_objects()  # numbers are such again without their gaps
    parts = _single_parts(shapes[usable])
    values = _class_values(given, f"{purpose.labels} '{source}'")[parts.index].reset_index(
        drop=True
    )
    distinct = sorted(values.unique())
    require_number_of_classes(distinct, source, purpose)
    integer = isinstance(distinct[0], int)
    shown = [names.get(str(value), str(value)) for value in distinct] if integer else distinct
    cautions: tuple[str, ...] = ()
    if len(set(shown)) < len(shown):  # two classes of one name
        cautions = (_shared_name(distinct, shown, f"{purpose.labels} '{source}'"),)
        shown = [str(value) for value in distinct]
    given_colors = [colors.get(str(value)) for value in distinct]
    painted = complete_colors(given_colors, shown)
    classes = tuple(
        LandClass(id, name, color, value if integer else None)
        for id, (value, name, color) in enumerate(
            zip(distinct, shown, painted, strict=True), start=1
        )
    )
    class_ids = values.map({value: id for id, value in enumerate(distinct, start=1)})
    feature_ids = np.arange(len(shapes)) if ids is None else np.asarray(ids, np.int64)
    flat = gpd.GeoSeries(shapely.force_2d(parts.to_numpy()), crs=shapes.crs)
    frame = gpd.GeoDataFrame(
        {"class_id": class_ids.to_numpy(), "feature_id": feature_ids[parts.index]}, geometry=flat
    )
    notes = _normalised_names(given, set() if integer else set(distinct))
    chosen = tuple(id for id, color in enumerate(given_colors, start=1) if color is None)
    return Shots(
        classes,
        frame,
        source,
        (*skipped, *left_out),
        notes,
        purpose=purpose,
        default_colors=chosen,
        cautions=cautions,
    )


def _shared_name(values: Sequence[Any], names: Sequence[str], what: str) -> str:
    """A caution that names of classes are left out, as several have the same."""
    twice = next(name for name in names if names.count(name) > 1)
    shared = [str(value) for value, name in zip(values, names, strict=True) if name == twice]
    return f"names of the classes of {what} are not used: {quoted(shared)} have the same, '{twice}'"


def require_number_of_classes(classes: Sequence[object], source: str, purpose: Purpose) -> None:
    """Refuse shots of too few or too many classes.

    Args:
        classes: Name or number of each class, in order.
        source: What messages call the shots.
        purpose: What the shots are used for.

    Raises:
        ShotsError: If there are fewer classes than the purpose needs, or more than can be mapped.
    """
    if len(classes) < purpose.fewest_classes:
        raise ShotsError(
            f"{purpose.labels} '{source}' have only one class, '{classes[0]}'",
            hint=f"draw {purpose.wanted}",
        )
    if len(classes) > MAX_CLASSES:
        raise ShotsError(
            f"{purpose.labels} '{source}' have {len(classes)} different classes, from '{classes[0]}' "
            f"to '{classes[-1]}', and {MAX_CLASSES} at most are mapped",
            hint="choose the field that holds the class with --class-field",
        )


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


def _usable(shapes: gpd.GeoSeries, labels: pd.Series[Any]) -> tuple[BoolArray, tuple[str, ...]]:
    """Which shots have a geometry and a class, and what is said of the others."""
    drawn = shapes.to_numpy()
    present, labelled = ~(shapely.is_missing(drawn) | shapely.is_empty(drawn)), has_class(labels)
    counts = {
        "without geometry": int((~present).sum()),
        "without a class": int((~labelled).sum()),
    }
    return present & labelled, tuple(f"{n} {what}" for what, n in counts.items() if n)


def _single_parts(shapes: gpd.GeoSeries) -> gpd.GeoSeries:
    """One row for each part, with the index of its geometry: the parts of a multipolygon are separate features.

    A collection may hold empty geometries, multilines and collections.
    """
    while (shapely.get_type_id(shapes.to_numpy()) >= shapely.GeometryType.MULTIPOINT).any():
        shapes = shapes.explode()
        shapes = shapes[~shapely.is_empty(shapes.to_numpy())]
    return shapes


def _class_values(labels: pd.Series[Any], what: str) -> pd.Series[Any]:
    """Labels as Python integers where all of them are whole numbers, else as clean text. Messages call them ``what``."""
    if pd.api.types.is_integer_dtype(labels):  # a float would join those above 2^53
        return pd.Series([int(number) for number in labels], labels.index, dtype=object)
    if pd.api.types.is_numeric_dtype(labels) and not pd.api.types.is_bool_dtype(labels):
        numbers = labels.to_numpy(np.float64)
        if np.abs(numbers).max() >= _INEXACT:
            raise ShotsError(
                f"{what} have the class {numbers[np.abs(numbers).argmax()]:.0f}, and a number of so many digits is "
                "not exact in a field with gaps or decimals: two classes may have become one",
                hint="fill in the class of each, or save the field as text",
            )
        if (numbers == np.round(numbers)).all():
            return pd.Series([int(number) for number in numbers], labels.index, dtype=object)
    return pd.Series([clean_name(label) for label in labels], labels.index, dtype=object)
