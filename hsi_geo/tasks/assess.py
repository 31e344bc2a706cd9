"""Accuracy assessment: a map against reference labels that it was not made from."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hsi_geo.arguments import require_flags, require_word
from hsi_geo.arrays import IntArray
from hsi_geo.errors import OptionError, ShotsError
from hsi_geo.io.labels.class_names import similar_name_warnings
from hsi_geo.io.labels.map_records import read_legend_record, records_of_parts
from hsi_geo.io.labels.purposes import REFERENCE
from hsi_geo.io.labels.shot_reading import read_shots
from hsi_geo.io.labels.shots import Shots, SomeShots
from hsi_geo.io.maps.drawn_strata import DrawnStrata, read_drawn_strata, unequal_probabilities
from hsi_geo.io.maps.reader import ReadMap, read_map
from hsi_geo.io.maps.record import mixed_file_warnings
from hsi_geo.io.outputs.atomic import atomic_outputs
from hsi_geo.io.reports.html import require_html
from hsi_geo.progress import Reporter, WarningRecorder, default_reporter
from hsi_geo.tasks.assessment.area_estimates import (
    estimate_areas,
    pool_small,
)
from hsi_geo.tasks.assessment.drawn_land import compare_land, require_same_pixels, unsampled_land
from hsi_geo.tasks.assessment.reference_sample import (
    Sample,
    at_upper_level,
    other_strata,
    own_strata,
    read_sample,
    require_all_mapped,
    require_points,
    require_same_land,
    visited_places,
)
from hsi_geo.tasks.assessment.results import DESIGNS, Assessment, Design
from hsi_geo.tasks.assessment.sample_size import places_to_halve
from hsi_geo.tasks.assessment.scores import MappedLand, describe, estimate_map, mapped_land
from hsi_geo.tasks.assessment.strata_maps import is_drawn_from, other_strata_warning
from hsi_geo.tasks.runtime import places_hash, shots_hash
from hsi_geo.text import quoted


def assess(
    class_map: str | os.PathLike[str],
    reference: SomeShots,
    *,
    design: Design | None = None,
    strata: str | os.PathLike[str] | None = None,
    out: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    command: str = "",
    reporter: Reporter | None = None,
) -> Assessment:
    """Compare a map with reference labels.

    Classes are matched by name. Without a design, accuracies are those of the reference pixels. Their
    intervals are Wilson's; the number of trials is the effective number of features (see
    `accuracy.effective_features`). They do not hold for places that the reference leaves out. With a
    design, accuracies and areas are those of the whole map (see `estimate_areas`).

    Args:
        class_map: Map of any program, as `read_map` opens it.
        reference: Vector file, table of points or raster of reference labels in any CRS, a GeoDataFrame,
            labels that `read_shots` returned, or a list of these. One class is enough.
        design: How the reference points were sampled: "simple" (at random) or "stratified" (at
            random within each class of a map, or within the strata that `sample` wrote into the file). None: not at
            random, or not known.
        strata: Map whose classes are the strata of a stratified sample, if it is another map. Both maps
            have to show classes on the same land: no sampled point may be outside of either, and
            their areas may differ by 1 %.
        out: HTML report to write; None for no report.
        overwrite: Whether to replace ``out`` if it exists.
        command: Command that makes the report again, which is shown in it; empty for none.
        reporter: Receives messages and warnings; None shows a bar in a notebook, and sends
            messages to Python's ``logging``.

    Returns:
        Accuracies, confusion matrix and, with a design, areas.

    Raises:
        HsiGeoError: If map or reference cannot be used, or the reference is not a sample of the
            stated design.
    """
    require_flags(overwrite=overwrite)
    if design is not None:
        require_word("design", design, DESIGNS)
    recorder = WarningRecorder(reporter or default_reporter())
    opened = read_map(class_map).without_rejected()
    purpose = REFERENCE.keeping(opened.names.values())
    labelled = read_shots(reference, purpose=purpose, near=[opened.grid])
    for note in labelled.notes:
        recorder.log(note)
    for caution in labelled.cautions:
        recorder.warning(caution)
    finals = [] if out is None else [require_html(out)]
    inputs = [class_map, Path(class_map).with_suffix(".json"), *labelled.files, strata]
    with atomic_outputs(finals, overwrite=overwrite, inputs=inputs) as where:
        _warn_of_mixed_files(opened, recorder)
        _warn_of_own_shots(opened, labelled, recorder)
        found = assess_map(opened, labelled, design, recorder, strata)
        for final in finals:
            from hsi_geo.tasks.reporting.assessment_report import (
                AssessmentReportContext,
                report_assessment,
            )

            context = AssessmentReportContext(
                opened, labelled.source, found, recorder.warnings, command
            )
            report_assessment(context, where[final])
    return found


def assess_map(
    opened: ReadMap,
    labelled: Shots,
    design: Design | None,
    reporter: Reporter,
    strata: str | os.PathLike[str] | None = None,
) -> Assessment:
    """Compare a map that was opened with reference labels; see `assess`.

    Args:
        opened: The map.
        labelled: The reference.
        design: How its points were sampled; None if not at random.
        reporter: Receives messages and warnings.
        strata: Map whose classes are the strata, if it is another.

    Returns:
        Accuracies, confusion matrix and, with a design, areas.

    Raises:
        HsiGeoError: If the reference cannot be used with the map, or is not a sample of the stated design.
    """
    _log_zero_class("map", opened, reporter)
    sample = read_sample(opened, labelled, design)
    for warning in similar_name_warnings(sample.names):
        reporter.warning(warning)
    for text in sample.dropped:
        reporter.warning(f"left out: {text}")
    if lacking := sample.lacking(design):
        reporter.warning(lacking)
    _require_design(labelled, design, strata)
    parents = _parents_of(opened, labelled)
    if design is None:
        if unequal_probabilities(labelled):
            reporter.warning(
                f"'{labelled.source}' says that its places were drawn in strata, more densely in some; these numbers do not "
                "weigh them, and --design stratified does"
            )
        upper = at_upper_level(sample, parents)
        return dataclasses.replace(
            describe(sample), parents=None if upper is None else describe(upper)
        )
    require_points(labelled, design)
    return _of_whole_map(opened, labelled, sample, parents, design, strata, reporter)


def _require_design(
    labelled: Shots, design: Design | None, strata: str | os.PathLike[str] | None
) -> None:
    """Refuse a design that is not the one that files say, and strata without a design that has some."""
    if strata is not None and design != "stratified":
        raise OptionError(
            "strata were given, and the design is not stratified", hint="add --design stratified"
        )
    if design != "simple":
        return
    if of_stratum := unequal_probabilities(labelled):
        rare, often = (pick(of_stratum, key=of_stratum.__getitem__) for pick in (min, max))
        raise ShotsError(
            f"'{labelled.source}' is no simple random sample: it says that 1 pixel in {1 / of_stratum[rare]:,.0f} was drawn "
            f"in the stratum '{rare}', and 1 in {1 / of_stratum[often]:,.0f} in '{often}'",
            hint="take --design stratified, which weighs places by their strata",
        )


def _parents_of(opened: ReadMap, labelled: Shots) -> dict[str, str]:
    """Parent of each class by name: by the record beside the map, and by the reference."""
    found = {c.name: c.parent for c in labelled.classes if c.parent}
    listed = read_legend_record(opened.path).get("classes")
    for one in listed if isinstance(listed, list) else ():
        if isinstance(one, Mapping) and isinstance(one.get("parent"), str):
            found[str(one.get("name"))] = one["parent"]
    return found


def _of_whole_map(
    opened: ReadMap,
    labelled: Shots,
    sample: Sample,
    parents: Mapping[str, str],
    design: Design,
    strata: str | os.PathLike[str] | None,
    reporter: Reporter,
) -> Assessment:
    counts = opened.class_counts()
    came_from, sizes = _strata_of(opened, labelled, sample, design, strata, counts, reporter)
    if design == "simple":
        came_from, sizes, pooled = pool_small(came_from, sizes)
        if pooled:
            reporter.warning(
                "the sample has fewer than two pixels in a class of the map, and a standard error "
                f"takes two: {quoted(list(pooled))} are weighted as one"
            )
    land = mapped_land(opened, counts, sample.names)
    areas = None if land.pixel_areas is None else land.pixel_areas.at(sample.rows, sample.cols)
    if land.total_ha is None:
        reporter.warning(
            "the area of the map's pixels is unknown: areas are given as shares of its pixels"
        )

    def estimated(of: Sample, on: MappedLand) -> Assessment:
        found = estimate_areas(of.mapped, of.truth, len(of.names), came_from, sizes, areas)
        right = of.truth == of.mapped
        more = places_to_halve(right, came_from, sizes, at_random=design == "simple")
        return dataclasses.replace(estimate_map(of, found, on, design), more_places=more)

    upper = at_upper_level(sample, parents)
    above = None
    if upper is not None:  # the strata are those of the classes
        index = [upper.names.index(parents.get(name, name)) for name in sample.names]
        shares = np.bincount(index, land.shares, minlength=len(upper.names))
        above = estimated(upper, dataclasses.replace(land, shares=shares))
    return dataclasses.replace(estimated(sample, land), parents=above)


def sample_with_strata(
    opened: ReadMap,
    labelled: Shots,
    design: Design,
    strata: str | os.PathLike[str] | None,
    reporter: Reporter,
) -> tuple[Sample, IntArray, dict[str, int]]:
    """Read a random sample, and the strata that it was drawn from.

    Args:
        opened: The map, without its rejected pixels.
        labelled: The reference.
        design: How its places were drawn.
        strata: Map whose classes are the strata, if it is another.
        reporter: Receives messages and warnings.

    Returns:
        sample: Classes in the map and in the reference of N pixels.
        came_from: (N,) stratum of each pixel, an index into the sizes.
        sizes: Number of pixels of each stratum by its name.

    Raises:
        HsiGeoError: If the reference cannot be used with the map, or is not a sample of the stated design.
    """
    sample = read_sample(opened, labelled, design)
    for text in sample.dropped:
        reporter.warning(f"left out: {text}")
    if lacking := sample.lacking(design):
        reporter.warning(lacking)
    _require_design(labelled, design, strata)
    require_points(labelled, design)
    counts = opened.class_counts()
    return sample, *_strata_of(opened, labelled, sample, design, strata, counts, reporter)


def _strata_of(
    opened: ReadMap,
    labelled: Shots,
    sample: Sample,
    design: Design,
    strata: str | os.PathLike[str] | None,
    counts: Mapping[str, int],
    reporter: Reporter,
) -> tuple[IntArray, dict[str, int]]:
    """Stratum of each sampled pixel, and the number of pixels of each stratum by its name."""
    # A sample of less land says nothing of the rest, whatever the design, and whoever names the strata.
    in_file = design == "stratified" and strata is None
    drawn = read_drawn_strata(labelled, needs_all=in_file)
    if strata is None:
        if drawn is not None and in_file:
            require_same_pixels(drawn, labelled.source, opened)
            if unsampled := unsampled_land(drawn, labelled, opened):
                reporter.warning(unsampled)
            _warn_of_empty_places(drawn, len(np.unique(sample.features)), design, reporter)
            reporter.log(f"strata of the sample: {quoted(list(drawn.sizes))}")
            return drawn.of_pixels(labelled, sample.features), dict(drawn.sizes)
        if drawn is not None:
            _compare_land(drawn, labelled, opened, [], design, reporter)
        return own_strata(sample, counts), dict(counts)
    drawn_from = read_map(strata).without_rejected()
    _log_zero_class("strata", drawn_from, reporter)
    sizes = drawn_from.class_counts()
    require_same_land(opened, counts, drawn_from, sizes)
    if drawn is not None:
        strata_px = [sum(sizes.values())]
        _compare_land(drawn, labelled, opened, strata_px, design, reporter)
    if drawn is not None and is_drawn_from(drawn, sizes):
        # Places may have moved across an edge since they were drawn; the file still knows their strata.
        require_all_mapped(labelled, opened, drawn_from)
        came_from, sizes = drawn.of_pixels(labelled, sample.features), dict(drawn.sizes)
    else:
        came_from = other_strata(labelled, sample, opened, drawn_from, sizes)
        if drawn is not None and len(drawn.sizes) > 1:
            own = np.array(list(drawn.sizes))[drawn.of_pixels(labelled, sample.features)]
            shown = np.array(list(sizes))[came_from]
            if text := other_strata_warning(own, shown, labelled.source, drawn_from.path):
                reporter.warning(text)
    # Sampled pixels are those of the map, which may be smaller or larger than those of the strata.
    ratio = abs(drawn_from.grid.transform.determinant / opened.grid.transform.determinant)
    return came_from, {name: max(1, round(ratio * size)) for name, size in sizes.items()}


def _compare_land(
    drawn: DrawnStrata,
    labelled: Shots,
    opened: ReadMap,
    strata_px: Sequence[int],
    design: Design,
    reporter: Reporter,
) -> None:
    """Compare land of a sample with that of the map and of strata, and count places that nobody visited."""
    differs = compare_land(drawn, labelled.source, opened, strata_px=strata_px)
    for text in (differs, unsampled_land(drawn, labelled, opened)):
        if text:
            reporter.warning(text)
    # Some may share a pixel of the map, or lie where it has no class.
    _warn_of_empty_places(drawn, visited_places(labelled, opened.grid), design, reporter)


def _warn_of_empty_places(
    drawn: DrawnStrata, visited: int, design: Design, reporter: Reporter
) -> None:
    """Warn of places of a sample that nobody visited."""
    empty = drawn.places - visited
    if empty > 0:
        others = "the others of their stratum" if design == "stratified" else "the others"
        reporter.warning(
            f"{empty} of {drawn.places} places of the sample have no class that counts: the result is right only if they are "
            f"like {others}"
        )


def _log_zero_class(what: str, opened: ReadMap, reporter: Reporter) -> None:
    if opened.class_values.zero_is_class:
        reporter.log(
            f"0 is a class of the {what} '{opened.path}': {opened.class_values.zero_reason}"
        )


def _warn_of_mixed_files(opened: ReadMap, reporter: Reporter) -> None:
    """Warn if files of two maps have the same name."""
    names = [*opened.names.values(), *(c.name for c in opened.rejected)]
    for text in mixed_file_warnings(opened.path, names):
        reporter.warning(text)


def _warn_of_own_shots(opened: ReadMap, labelled: Shots, reporter: Reporter) -> None:
    """Warn if the map, or a map that it shows, was made from the labels, also read by another field."""
    parts = (labelled, *labelled.parts)
    own_hashes = [{shots_hash(part), places_hash(part)} for part in parts]
    for record in records_of_parts(opened.path):
        used = _hashes_of_shots(record)
        own = [part for part, found in zip(parts, own_hashes, strict=True) if found & used]
        if own:
            these = "these labels" if own[0] is labelled else f"the labels of '{own[0].source}'"
            reporter.warning(
                f"the map was made from {these}: its accuracy on other places is lower than these numbers"
            )
            return


def _hashes_of_shots(record: Mapping[str, Any]) -> set[str]:
    """Hashes of the shots, and of their places, that a map was made from; none for that of another program."""
    found: Any = record
    for key in ("adaptation", "hashes"):
        found = found.get(key) if isinstance(found, dict) else None
    if not isinstance(found, dict):
        return set()
    files = [found.get(key) for key in ("shot_files", "place_files")]
    listed = [one for part in files if isinstance(part, list) for one in part]
    return {
        one for one in (found.get("shots"), found.get("places"), *listed) if isinstance(one, str)
    }
