"""Areas of the classes of a map in zones, with error bars."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hsi_geo import stages
from hsi_geo.arguments import require_flags, require_output, require_word
from hsi_geo.arrays import Float64Array, IntArray
from hsi_geo.display.described import Described
from hsi_geo.errors import OptionError
from hsi_geo.io.labels import purposes
from hsi_geo.io.labels.map_records import read_record
from hsi_geo.io.labels.shot_reading import read_shots
from hsi_geo.io.labels.shots import Shots, SomeShots
from hsi_geo.io.labels.zones import Zone, read_zones
from hsi_geo.io.maps.areas import pixel_areas_ha
from hsi_geo.io.maps.reader import ReadMap, read_map
from hsi_geo.io.maps.record import mixed_file_warnings
from hsi_geo.io.maps.zone_areas import (
    ZoneArea,
    are_in_zone,
    require_table_name,
    write_zone_table,
)
from hsi_geo.io.outputs.atomic import atomic_outputs
from hsi_geo.progress import Reporter, default_reporter
from hsi_geo.tasks.assess import sample_with_strata
from hsi_geo.tasks.assessment.results import DESIGNS, Design
from hsi_geo.tasks.validation.zone_errors import (
    FEWEST,
    ZoneEstimate,
    confusion_of_sample,
    correlation_in_zones,
    estimate_zone,
)
from hsi_geo.tasks.validation.zone_table import (
    HELD_OUT,
    NOTHING,
    REFERENCE,
    Estimator,
    empty_zones,
    held_out_estimator,
    zone_table,
)
from hsi_geo.text import number_text, quoted

if TYPE_CHECKING:
    from hsi_geo.display.summaries import Summary


@dataclass(frozen=True, eq=False, repr=False)
class ZonesResult(Described):
    """Areas of the classes of a map in zones.

    Attributes:
        path: Table that was written.
        areas: A row for each class that a zone has, in the order of the zones.
        basis: What errors are computed from: "reference", "held-out shots", or "" for nothing.
        empty: Names of zones without a mapped pixel.
    """

    path: Path
    areas: tuple[ZoneArea, ...]
    basis: str
    empty: tuple[str, ...]

    def _summary(self, *, with_picture: bool) -> Summary:
        from hsi_geo.display.summaries import Summary

        return Summary(
            f"Zones: {len({one.zone for one in self.areas})}",
            [f"file: {self.path}", f"errors by: {self.basis or 'nothing, they are unknown'}"],
            ("zone", "class", "hectares", "share, %"),
            [
                (one.zone, one.name, _with_error(one.hectares, one.hectares_se, 1),
                 _with_error(one.percent, one.percent_se, 1))
                for one in self.areas
            ],
        )  # fmt: skip


def _with_error(value: float | None, error: float | None, digits: int) -> str:
    if value is None:
        return "-"
    return number_text(value, digits) + (
        "" if error is None else f" +- {number_text(error, digits)}"
    )


def zones(
    class_map: str | os.PathLike[str],
    zones: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    zone_field: str | None = None,
    zone_layer: str | None = None,
    reference: SomeShots | None = None,
    design: Design | None = None,
    strata: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    reporter: Reporter | None = None,
) -> ZonesResult:
    """Write the areas of a map's classes in zones, with standard errors.

    Pixels whose centre lies in a zone count. Zones may overlap: a pixel then counts in each. Rejected pixels have rows of
    their own.

    With a reference that was drawn at random, areas are corrected for the map's errors (Olofsson et al. 2014, doi
    10.1016/j.rse.2014.02.015). A class with 10 places or more in a zone is corrected by these; other classes by all places, as
    if the map confused land in the zone as it does elsewhere. Without a reference the areas are those of the map. Then the
    error comes from the shots that were held out when the model was made, and is a hint only. Without both it is unknown.

    Args:
        class_map: Map of any program, as `read_map` opens it.
        zones: Vector file of polygons in any CRS.
        out: Table to write: ``.csv``, or ``.gpkg`` with the zones and the table ``areas``.
        zone_field: Field with the names of zones; zones of one name are one. None takes a field such as ``zone`` or
            ``name`` in which each has a value of its own, else numbers the features from 1.
        zone_layer: Layer of the zones; None for the only one.
        reference: Random sample of reference labels, as for `assess`; None for none.
        design: How its places were drawn, as for `assess`. It is needed with a reference.
        strata: Map whose classes are the strata, as for `assess`.
        overwrite: Whether to replace ``out`` if it exists.
        reporter: Receives progress and messages; None shows a bar in a notebook, and sends
            messages to Python's ``logging``.

    Returns:
        The areas.

    Raises:
        HsiGeoError: If map, zones or reference cannot be used, or the output not be written.
    """
    require_flags(overwrite=overwrite)
    reporter = reporter or default_reporter()
    final = require_table_name(require_output(out))
    if design is not None:
        require_word("design", design, DESIGNS)
    if reference is None and design is None and strata is not None:
        raise OptionError(
            "strata were given, and no reference", hint="give the places with --reference"
        )
    if (reference is None) != (design is None):
        raise OptionError(
            "a design was given, and no reference"
            if reference is None
            else "a reference was given, and not how its places were drawn",
            hint="give the places with --reference"
            if reference is None
            else "add --design stratified or --design simple; labels that were not drawn at random correct no area",
        )
    opened = read_map(class_map)
    for text in mixed_file_warnings(opened.path, list(opened.names.values())):
        reporter.warning(text)
    found = read_zones(zones, opened.grid, field=zone_field, layer=zone_layer)
    for note in found.notes:
        reporter.warning(note)
    labelled = (
        None
        if reference is None
        else read_shots(
            reference,
            purpose=purposes.REFERENCE.keeping(opened.names.values()),
            near=[opened.grid],
        )
    )
    if labelled is not None:
        for note in labelled.notes:
            reporter.log(note)
        for caution in labelled.cautions:
            reporter.warning(caution)
    inputs = [class_map, Path(class_map).with_suffix(".json"), zones, strata]
    inputs += [] if labelled is None else list(labelled.files)
    with atomic_outputs([final], overwrite=overwrite, inputs=inputs) as where:
        estimator: Estimator | None
        if labelled is not None and design is not None:
            estimator, names = _by_sample(opened, found.zones, labelled, design, strata, reporter)
            basis = REFERENCE
        else:
            names = list(dict.fromkeys(map(opened.name_of, _values(opened))))
            estimator = held_out_estimator(read_record(opened.path), names)
            basis = NOTHING if estimator is None else HELD_OUT
        count = len(found.zones)
        rows = zone_table(
            opened,
            found.zones,
            names,
            estimator,
            basis,
            lambda done: reporter.progress(stages.ADDING_AREAS, done, count),
        )
        empty = empty_zones(found.zones, rows)
        if len(empty) == count:
            raise OptionError(
                f"no mapped pixel lies in the zones '{os.fspath(zones)}'",
                hint="check the CRS of both",
            )
        if empty:
            reporter.warning(
                f"no mapped pixel lies in {len(empty)} zone{'s' if len(empty) > 1 else ''}: {quoted(list(empty))}"
            )
        if not basis:
            reporter.log("nothing is known of the map's errors: areas have no standard error")
        write_zone_table(rows, found.zones, opened.grid, where[final])
    return ZonesResult(final, tuple(rows), basis, empty)


def _values(opened: ReadMap) -> list[int]:
    """Values of the classes of a map, without rejected ones."""
    rejected = {c.id for c in opened.rejected}
    return sorted({*opened.names, *opened.counts()} - rejected)


def _by_sample(
    opened: ReadMap,
    zones: Sequence[Zone],
    labelled: Shots,
    design: Design,
    strata: str | os.PathLike[str] | None,
    reporter: Reporter,
) -> tuple[Estimator, list[str]]:
    """Estimator by a random sample, and the names of the classes."""
    own = opened.without_rejected()
    sample, came_from, sizes = sample_with_strata(own, labelled, design, strata, reporter)
    drawn = np.bincount(came_from, minlength=len(sizes))
    land = np.array(list(sizes.values()), np.float64) / np.maximum(drawn, 1)
    weights = np.ones(len(sample.truth)) if design == "simple" else land[came_from]
    areas = pixel_areas_ha(opened.grid)
    if areas is not None and areas.of_each is None:
        weights = weights * areas.at(sample.rows, sample.cols)
    names = list(sample.names)
    size = len(names)
    whole = confusion_of_sample(sample.mapped, sample.truth, weights, size)
    lacking = [
        name
        for name, n in zip(names, whole.mapped_places, strict=True)
        if n < FEWEST and name not in sample.only_in_reference
    ]
    if lacking:
        reporter.warning(
            f"the reference has fewer than two places in {quoted(lacking)} of the map: their areas stay as mapped, and "
            "their errors are unknown"
        )

    groups = [are_in_zone(zone, opened.grid, sample.rows, sample.cols) for zone in zones]
    correlation = correlation_in_zones(groups, sample.mapped, sample.truth, whole)

    def estimate(zone: Zone, mapped: Float64Array, pixels: IntArray) -> tuple[ZoneEstimate, int]:
        here = are_in_zone(zone, opened.grid, sample.rows, sample.cols)
        inside = confusion_of_sample(sample.mapped[here], sample.truth[here], weights[here], size)
        return estimate_zone(mapped, pixels, whole, inside, correlation), int(here.sum())

    return estimate, names
