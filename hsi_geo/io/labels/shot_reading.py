"""Shots read from one file, or from several that are used together."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import geopandas as gpd

from hsi_geo.arguments import require_flags
from hsi_geo.errors import ClassFieldError, EmptyShotsError, OptionError
from hsi_geo.io.labels.class_styles import named_classes, style_classes
from hsi_geo.io.labels.joined_shots import join_shots
from hsi_geo.io.labels.library_files import is_library
from hsi_geo.io.labels.library_shots import join_libraries, require_weight
from hsi_geo.io.labels.parents import with_parents
from hsi_geo.io.labels.purposes import REFERENCE, TRAINING, Purpose
from hsi_geo.io.labels.shot_files import FRAME, labelled_frame, read_labelled
from hsi_geo.io.labels.shots import Shots, SomeShots, SomeSource, make_shots
from hsi_geo.io.labels.table_kinds import points_notes
from hsi_geo.tiling import Grid

#: Types of `SomeSource`.
_SOURCES = (str, os.PathLike, Shots, gpd.GeoDataFrame)

#: A class field or a layer: one for all files, or one for each. None and an empty text mean none is chosen.
Choice = str | None | Sequence[str | None]


def read_shots(
    path: SomeShots,
    *,
    class_field: Choice = None,
    layer: Choice = None,
    all_touched: bool = False,
    classes: Choice | os.PathLike[str] = None,
    library_weight: float = 1.0,
    purpose: Purpose = TRAINING,
    near: Sequence[Grid] = (),
) -> Shots:
    """Read labelled geometries from a vector file, a table of points or a raster, or from several of them.

    Args:
        path: GeoPackage, Shapefile, GeoJSON, FlatGeobuf or another vector format of GDAL, also in a ZIP
            or TAR archive; a CSV or text table with the columns x, y (in the CRS of the scene) or
            lon, lat; a raster of class ids, 0 for no class. A GeoDataFrame with a column of classes
            is read as a file would be. Shots that were read before are returned as they are. A list of
            these, such as points in one file and polygons in another, gives the shots of all; each may have its own CRS. See `joined_shots.join_shots` for how their
            classes are matched. A spectral library (ENVI ``.sli``, a table with wavelengths, profiles of the
            EnMAP-Box, ASD or SVC spectra or a folder of them) gives spectra without a place, alone or
            together with drawn shots.
        class_field: Name of the field that holds the class, text or integer. None: the only field that
            can hold it, the only one with a usual name (`class_fields.USUAL_CLASS_FIELDS`), or the
            one that the QGIS style of the file classifies by. "Level_1/Level_2" names the fields of two levels: the
            classes are those of the second, and the first holds their parents. For a list of files, one name for
            all, or a list with one for each.
        layer: Name of the layer in a file of several; None for the only one. For a list of files,
            one name for all, or a list with one for each.
        all_touched: Whether a polygon labels every pixel it touches, not only those whose centre it
            covers.
        classes: Path of a JSON file with names and colours of the classes, as of
            `class_styles.style_classes`. For a list of files, one for all, or a list with one for each.
        library_weight: Weight of each spectrum of a library beside a drawn shot, above 0 to 1.
        purpose: What the shots are used for: `purposes.TRAINING`, or `purposes.REFERENCE` for
            labels to assess a map with, which may be of one class.
        near: Grids of the scenes that the shots are for, if they are known. Of a large raster only the part around
            them is read. A table with wavelengths and with longitudes and latitudes is one of points if a point lies
            in one of them, else a spectral library.

    Returns:
        The shots. Classes are ordered by the user's ids if the field is integer, else by name.

    Raises:
        ShotsNotFoundError: If there is no such file.
        ShotsError: If it cannot be read, or has too few classes.
        ClassFieldError: If there is no such field, or several may hold the class.
        OptionError: If the number of class fields, layers or files of classes is not that of the files, or
            such a file cannot be used, or the weight is out of its range.
    """
    require_flags(all_touched=all_touched)
    if isinstance(path, Shots):
        return path
    require_weight(library_weight)
    originals = as_list(path)
    given: Any = (
        classes if classes is None or not isinstance(classes, os.PathLike) else os.fspath(classes)
    )
    choices = [
        one_for_each(choice, len(originals), option)
        for choice, option in (
            (class_field, "--class-field"),
            (layer, "--layer"),
            (given, "--classes"),
        )
    ]
    parts_of = [
        (part, index) for index, one in enumerate(originals) for part in _drawn_and_library(one)
    ]
    paths = [part for part, _ in parts_of]
    choices = [[choice[index] for _, index in parts_of] for choice in choices]
    library = [
        one.library is not None
        if isinstance(one, Shots)
        else not isinstance(one, gpd.GeoDataFrame)
        and is_library(one, near, needs_places=purpose.labels == REFERENCE.labels)
        for one in paths
    ]
    if any(library):
        return _with_libraries(paths, library, choices, all_touched, library_weight, purpose, near)
    if len(paths) == 1:
        field, one_layer, style = (choice[0] for choice in choices)
        return _read_one(paths[0], field, one_layer, style, all_touched, purpose, near)
    _require_distinct(paths, choices[1], purpose)
    one_class = dataclasses.replace(purpose, fewest_classes=1)
    parts: list[Shots] = []
    empty = []
    for one, field, one_layer, style in zip(paths, *choices, strict=True):
        try:
            parts.append(_read_one(one, field, one_layer, style, all_touched, one_class, near))
        except EmptyShotsError as error:
            empty.append(error)
        except ClassFieldError as error:
            if len(set(choices[0])) > 1 or choices[0][0] is None:
                raise
            hint = "give --class-field once for each file, in their order"
            raise ClassFieldError(error.message, hint=hint) from error
    if not parts:
        raise empty[0]
    joined = join_shots(parts, purpose)
    left_out = tuple(f"{error.message}: it is left out" for error in empty)
    return dataclasses.replace(joined, cautions=(*left_out, *joined.cautions))


def _with_libraries(
    paths: list[SomeSource],
    library: list[bool],
    choices: list[list[str | None]],
    all_touched: bool,
    weight: float,
    purpose: Purpose,
    near: Sequence[Grid],
) -> Shots:
    """Shots of drawn files, if there are some, with the spectra of libraries."""
    drawn_at = [index for index, is_one in enumerate(library) if not is_one]
    drawn = None
    if drawn_at:
        one_class = dataclasses.replace(purpose, fewest_classes=1)
        fields, layers, styles = ([choice[index] for index in drawn_at] for choice in choices)
        drawn = read_shots(
            [paths[index] for index in drawn_at],
            class_field=fields,
            layer=layers,
            all_touched=all_touched,
            classes=styles,
            purpose=one_class,
            near=near,
        )
    libraries = [index for index, is_one in enumerate(library) if is_one]
    files = [paths[index] for index in libraries]
    own_fields = [choices[0][index] for index in libraries]
    joined = join_libraries(drawn, files, own_fields, weight, purpose, near)
    named = {style for index in libraries if (style := choices[2][index]) is not None}
    if drawn is None and len(named) == 1:
        joined = style_classes(joined, named.pop())
    return joined


def _drawn_and_library(one: SomeSource) -> list[SomeSource]:
    """Shots that were read before, drawn ones and the spectra of a library apart; files as they are."""
    if not isinstance(one, Shots) or one.library is None or one.frame.empty:
        return [one]
    spectra = dataclasses.replace(one, frame=one.frame.iloc[:0], parts=(), notes=(), skipped=())
    return [dataclasses.replace(one, library=None), spectra]


def as_list(path: SomeShots) -> list[SomeSource]:
    """Files of shots as a list.

    Args:
        path: One of them, or a list.

    Raises:
        OptionError: If the list is empty, or something in it is neither a file nor shots.

    Examples:
        >>> as_list("a.gpkg"), as_list(["a.gpkg", "b.gpkg"])
        (['a.gpkg'], ['a.gpkg', 'b.gpkg'])
    """
    # A table or a dataset is iterable, too: over the names of its columns.
    is_one = isinstance(path, (*_SOURCES, Mapping)) or hasattr(path, "dtypes")
    found: list[Any] = list(path) if isinstance(path, Iterable) and not is_one else [path]
    if not found:
        raise OptionError("the list of shots is empty", hint="give at least one file of shots")
    for one in found:
        if not isinstance(one, _SOURCES):
            raise OptionError(
                f"{'None' if one is None else f'a value of the type {type(one).__name__}'} is no file of shots",
                hint="give a path, a GeoDataFrame with a column of classes, or what read_shots or make_shots returned",
            )
    return found


def one_for_each(choice: Choice, count: int, option: str) -> list[str | None]:
    """A choice for each of several files.

    Args:
        choice: One for all files, or a list with one for each.
        count: Number of files.
        option: Option of the command line, for messages.

    Returns:
        As many entries as files; None where nothing is chosen.

    Raises:
        OptionError: If the list is of another length, or holds something else than texts.

    Examples:
        >>> one_for_each("class", 2, "--class-field"), one_for_each(["a", ""], 2, "--class-field")
        (['class', 'class'], ['a', None])
    """
    given: Any = choice
    if isinstance(given, Mapping):
        raise OptionError(
            f"{option} is a text, and a mapping was given",
            hint="write the classes to a JSON file, and give its path"
            if option == "--classes"
            else "for several files give a list in their order",
        )
    is_list = isinstance(given, Iterable) and not isinstance(given, str)
    listed: list[Any] = list(given) if is_list else [given] * count
    for one in listed:
        if not isinstance(one, str | os.PathLike | None):
            raise OptionError(
                f"{option} is a text, and {one!r} was given",
                hint="give the name as a text, as it stands in the file",
            )
    if len(listed) == 1:
        listed *= count
    if len(listed) != count:
        raise OptionError(
            f"{len(listed)} values of {option} are given for {count} file{'s' if count > 1 else ''} of shots",
            hint=f"give {option} once, or once for each file in their order",
        )
    return [one or None for one in listed]


def _read_one(
    path: SomeSource,
    class_field: str | None,
    layer: str | None,
    classes: str | None,
    all_touched: bool,
    purpose: Purpose,
    near: Sequence[Grid],
) -> Shots:
    if isinstance(path, Shots):
        return path
    files: tuple[str, ...] = ()
    if isinstance(path, gpd.GeoDataFrame):
        name = FRAME
        file = labelled_frame(path, class_field, layer, purpose)
    else:
        name = os.fspath(path)
        files = (name,)
        named = purpose.kept if classes is None else purpose.kept | named_classes(classes)
        file = read_labelled(name, class_field, layer, purpose, near, named)
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
    shots = dataclasses.replace(
        shots,
        notes=(
            *file.notes,
            *(note for one in files for note in points_notes(Path(one))),
            *shots.notes,
        ),
        cautions=(*file.cautions, *shots.cautions),
        in_scene_frame=file.in_scene_frame,
        files=files,
        other_fields=file.other_fields,
        class_field=class_field,
        layer=layer,
        all_touched=all_touched,
        drawn=file.drawn,
    )
    if file.parents:
        keys = {c.id: c.name if c.value is None else str(c.value) for c in shots.classes}
        parents = {id: file.parents[key] for id, key in keys.items() if key in file.parents}
        shots = dataclasses.replace(shots, classes=with_parents(shots.classes, parents, {}))
    return shots if classes is None else style_classes(shots, classes)


def _require_distinct(
    paths: Sequence[SomeSource], layers: Sequence[str | None], purpose: Purpose
) -> None:
    """Refuse a layer that is given twice."""
    seen: set[tuple[Path, str | None]] = set()
    for path, layer in zip(paths, layers, strict=True):
        if isinstance(path, Shots | gpd.GeoDataFrame):
            continue
        key = (Path(path).absolute(), layer)
        if key in seen:
            raise OptionError(
                f"the {purpose.labels} '{os.fspath(path)}' are given twice",
                hint="give each file once, or another --layer of it",
            )
        seen.add(key)
