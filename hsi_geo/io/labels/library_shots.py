"""Spectral libraries as shots, alone or together with drawn ones."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path

import geopandas as gpd
import numpy as np

from hsi_geo.arguments import is_number
from hsi_geo.errors import OptionError, ShotsError
from hsi_geo.io.labels.class_colors import complete_colors
from hsi_geo.io.labels.joined_shots import joined_classes
from hsi_geo.io.labels.library_files import read_library
from hsi_geo.io.labels.purposes import Purpose
from hsi_geo.io.labels.shots import LandClass, Shots, require_number_of_classes
from hsi_geo.io.labels.spectral_library import LibrarySpectrum, SpectralLibrary, labels_of
from hsi_geo.io.labels.table_kinds import kind_of_table
from hsi_geo.tiling import Grid


def require_weight(weight: float) -> float:
    """Check the weight of a library.

    Args:
        weight: Weight of each spectrum beside a drawn shot.

    Raises:
        OptionError: If it is not above 0 and at most 1.

    Example:
        >>> require_weight(0.5)
        0.5
    """
    if not (is_number(weight) and 0.0 < weight <= 1.0):
        found = f"{weight:g}" if is_number(weight) else repr(weight)
        raise OptionError(f"--library-weight is {found}", hint="give a number above 0 and up to 1")
    return float(weight)


def join_libraries(
    drawn: Shots | None,
    libraries: Sequence[str | os.PathLike[str] | Shots],
    class_fields: Sequence[str | None],
    weight: float,
    purpose: Purpose,
    near: Sequence[Grid] = (),
) -> Shots:
    """Shots with the spectra of libraries.

    Classes of one name are one class, as of several files of drawn shots; upper and lower case do not matter
    between a library and drawn shots.

    Args:
        drawn: Drawn shots; None if libraries are used alone.
        libraries: Paths of the libraries, or what was read of them, one or more.
        class_fields: For each its field that holds the class; None finds it.
        weight: Weight of each spectrum beside a drawn shot, above 0 to 1. Libraries that were read before keep theirs.
        purpose: What the shots are used for.
        near: Grids of the scenes, if they are known.

    Raises:
        ShotsError: If a library cannot be read, or there are too few classes, or more than can be mapped.
        ClassFieldError: If there is no such field, or several may hold the class.
        OptionError: If libraries cannot serve the purpose, or have different weights, or the weight is none.
    """
    require_weight(weight)
    weight = _common_weight(libraries, weight)
    names = [one.source if isinstance(one, Shots) else os.fspath(one) for one in libraries]
    if purpose.labels != "shots":
        raise OptionError(
            f"'{names[0]}' is a spectral library, and its spectra have no place on the map",
            hint=f"give {purpose.labels} with geometries",
        )
    wanted = [] if drawn is None else [c.name for c in drawn.classes]
    spelt = {name.casefold(): name for name in wanted}
    spectra: list[LibrarySpectrum] = []
    labels: list[str] = []
    notes = [] if drawn is None else list(drawn.notes)
    skipped = [] if drawn is None else list(drawn.skipped)
    for one, class_field in zip(libraries, class_fields, strict=True):
        own = _read(one) if isinstance(one, Shots) else _read_file(one, class_field, wanted, near)
        spectra += own.spectra
        labels += [spelt.get(label.casefold(), label) for label in own.labels]
        notes += own.notes
        skipped += own.skipped
    source = ", ".join([*([] if drawn is None else [drawn.source]), *names])
    distinct = sorted(set(labels))
    part = _without_places(distinct, source, purpose)
    files = tuple(
        name
        for one in libraries
        for name in (one.files if isinstance(one, Shots) else [os.fspath(one)])
    )
    if drawn is None:
        require_number_of_classes(distinct, source, purpose)
        shots = part
    else:
        shots = _with_classes(drawn, part, source, purpose)
    id_of = {c.name: c.id for c in shots.classes}
    return dataclasses.replace(
        shots,
        source=source,
        notes=tuple(notes),
        skipped=tuple(skipped),
        files=(*(() if drawn is None else drawn.files), *files),
        library=SpectralLibrary(
            tuple(spectra), tuple(id_of[label] for label in labels), ", ".join(files)
        ),
        library_weight=weight,
    )


@dataclasses.dataclass(frozen=True, eq=False)
class _Labelled:
    """Spectra of a library with the name of the class of each, and what is to be said of them."""

    spectra: list[LibrarySpectrum]
    labels: list[str]
    notes: list[str]
    skipped: list[str]


def _read_file(
    path: str | os.PathLike[str],
    class_field: str | None,
    wanted: Sequence[str],
    near: Sequence[Grid],
) -> _Labelled:
    found = read_library(path)
    kind = kind_of_table(Path(path), near)
    own, note = labels_of(found, class_field, wanted, os.fspath(path))
    kept = [(one, str(label)) for one, label in zip(found, own, strict=True) if label]
    if not kept:
        raise ShotsError(
            f"spectral library '{os.fspath(path)}' has no spectrum with a class",
            hint="choose the field that holds the class with --class-field",
        )
    without = len(found) - len(kept)
    name = Path(path).name
    return _Labelled(
        [one for one, _ in kept],
        [label for _, label in kept],
        [f"'{name}': {len(kept)} spectra, {note}", *([kind.note] if kind.note else [])],
        [f"{without} spectra without a class in '{name}'"] if without else [],
    )


def _read(shots: Shots) -> _Labelled:
    """The spectra of shots that were read before."""
    assert shots.library is not None  # callers choose such shots
    names = {c.id: c.name for c in shots.classes}
    labels = [names[id] for id in shots.library.class_ids]
    return _Labelled([*shots.library.spectra], labels, [*shots.notes], [*shots.skipped])


def _common_weight(libraries: Sequence[str | os.PathLike[str] | Shots], weight: float) -> float:
    """The weight of all libraries."""
    weights = [one.library_weight if isinstance(one, Shots) else weight for one in libraries]
    if len(set(weights)) > 1:
        raise OptionError(
            f"the spectral libraries have the weights {', '.join(f'{one:g}' for one in weights)}",
            hint="read all of them with one library_weight",
        )
    return weights[0]


def _without_places(names: Sequence[str], source: str, purpose: Purpose) -> Shots:
    """Shots of some classes that have no geometry."""
    colors = complete_colors([None] * len(names), list(names))
    classes = tuple(
        LandClass(id, name, color)
        for id, (name, color) in enumerate(zip(names, colors, strict=True), start=1)
    )
    none = np.empty(0, np.int64)
    frame = gpd.GeoDataFrame(
        {"class_id": none, "feature_id": none}, geometry=gpd.GeoSeries([], crs=None)
    )
    ids = tuple(c.id for c in classes)
    return Shots(classes, frame, source, in_scene_frame=True, purpose=purpose, default_colors=ids)


def _with_classes(drawn: Shots, part: Shots, source: str, purpose: Purpose) -> Shots:
    """Drawn shots with the classes of a library beside their own."""
    parts = [*(drawn.parts or (drawn,)), part]
    classes, defaults, ids = joined_classes(parts)
    require_number_of_classes([c.name for c in classes], source, purpose)

    def renumbered(shots: Shots, id_of: dict[int, int]) -> Shots:
        frame = shots.frame.assign(class_id=shots.frame["class_id"].map(id_of))
        return dataclasses.replace(
            shots, classes=classes, frame=frame, default_colors=defaults, purpose=purpose
        )

    if not drawn.parts:
        return renumbered(drawn, ids[0])
    own = tuple(renumbered(one, by_id) for one, by_id in zip(drawn.parts, ids, strict=False))
    ids_of_drawn = {
        c.id: next(found.id for found in classes if found.name == c.name) for c in drawn.classes
    }
    return dataclasses.replace(renumbered(drawn, ids_of_drawn), parts=own)
