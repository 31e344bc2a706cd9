"""Comparison of two class maps of one place: what changed, where, and how surely."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path

import geopandas as gpd
import numpy as np

from hsi_geo import stages
from hsi_geo.arguments import require_flags, require_output, require_word
from hsi_geo.errors import OptionError
from hsi_geo.io.files.scratch import scratch_folder
from hsi_geo.io.labels.class_names import similar_name_warnings
from hsi_geo.io.maps.polygons import require_outlines, write_polygons
from hsi_geo.io.maps.reader import ReadMap, read_map, read_percent
from hsi_geo.io.maps.record import find_stale_files, mixed_file_warnings, write_record
from hsi_geo.io.maps.vector_names import is_vector_name, require_vector_name
from hsi_geo.io.maps.writer import MapLayers, MapPaths, MapWriter
from hsi_geo.io.outputs.atomic import atomic_outputs
from hsi_geo.progress import Reporter, WarningRecorder, default_reporter
from hsi_geo.tasks.assess import assess_map
from hsi_geo.tasks.assessment.results import DESIGNS, Assessment, Design
from hsi_geo.tasks.change.change_classes import ChangeClasses, match_classes
from hsi_geo.tasks.change.common_grid import DatedMap, Layer, on_one_grid, open_dated
from hsi_geo.tasks.change.matrix import ChangeMatrix, change_blocks, count_changes
from hsi_geo.tasks.change.reference import read_pairs
from hsi_geo.tasks.change.results import Comparison
from hsi_geo.tasks.inference.options import require_passes
from hsi_geo.tasks.runtime import versions
from hsi_geo.text import quoted
from hsi_geo.tiling import Grid


def compare(
    old: str | os.PathLike[str],
    new: str | os.PathLike[str],
    *,
    out: str | os.PathLike[str],
    resample: bool = False,
    with_rejected: bool = False,
    polygons: bool = False,
    smooth: int = 0,
    report: bool = False,
    reference: str | os.PathLike[str] | gpd.GeoDataFrame | None = None,
    old_field: str | None = None,
    new_field: str | None = None,
    design: Design | None = None,
    overwrite: bool = False,
    command: str = "",
    reporter: Reporter | None = None,
) -> Comparison:
    """Compare two class maps of one place, pixel by pixel.

    Classes are matched by name. Each pair of an old and a new class is a class of the map of change. Its id is 100
    times the number of the old class, plus that of the new one.

    Pixels that one of the maps gives no class, or rejects, are not compared. If both maps have their confidence (or
    probabilities) beside them, each pixel gets the confidence of its pair: the product of both probabilities.

    Args:
        old: Class map of the earlier date, of any program.
        new: Class map of the later date.
        out: Map of change to write, which ends in ``.tif``; or its polygons (``.gpkg``, ``.fgb``, ``.parquet``), with the map
            beside them.
        resample: Whether a new map on other pixels is put on those of the old one, by the nearest pixel. Otherwise it
            is refused.
        with_rejected: Whether rejected pixels ("unlike any shot", "too uncertain") are compared as classes of their own. They
            never count as changed land. Otherwise they are left out.
        polygons: Whether to write ``OUT_polygons.gpkg``: each connected patch of one change as a polygon.
        smooth: Number of passes in which the outlines of polygons are smoothed, 0 to 20.
        report: Whether to write ``OUT_report.html``, a page with map, matrix and the largest changes.
        reference: Vector file or GeoDataFrame of places whose class is known at both dates. It gives accuracies of the changes; with a
            design also their areas with standard errors.
        old_field: Field of the reference with the class at the earlier date; None for ``class_old``.
        new_field: Field of the reference with the class at the later date; None for ``class_new``.
        design: How the places of the reference were sampled, as in `assess`. Strata are the pairs of classes, or those
            that `sample` wrote into the reference.
        overwrite: Whether to replace outputs that exist.
        command: Command that makes the report again, which is shown in it; empty for none.
        reporter: Receives progress and messages; None shows a bar in a notebook, and sends
            messages to Python's ``logging``.

    Returns:
        The matrix of changes, and paths of what was written.

    Raises:
        HsiGeoError: If the maps cannot be compared, or an output not be written.
    """
    require_flags(
        resample=resample,
        with_rejected=with_rejected,
        polygons=polygons,
        report=report,
        overwrite=overwrite,
    )
    recorder = WarningRecorder(reporter or default_reporter())
    require_passes(smooth)
    if design is not None:
        require_word("design", design, DESIGNS)
    if reference is None and (design or old_field or new_field):
        raise OptionError(
            "a design or fields of a reference were given, and no reference",
            hint="give one with --reference",
        )
    paths = _paths(out, polygons=polygons, report=report)
    dated = []
    for path in (old, new):
        opened = read_map(path)
        for text in mixed_file_warnings(opened.path, list(opened.names.values())):
            recorder.warning(text)
        dated.append(open_dated(opened, recorder.warning, with_rejected=with_rejected))
    before, after = dated
    if paths.polygons is not None:
        require_outlines(before.opened)
    rejected = (*before.rejected_names, *after.rejected_names)
    classes = match_classes(before.classes, after.classes, rejected)
    for text in similar_name_warnings(classes.names):
        recorder.warning(text)
    inputs = [old, new, *(() if isinstance(reference, gpd.GeoDataFrame) else (reference,))]
    if before.confidence is not None and after.confidence is not None:
        paths = dataclasses.replace(paths, confidence=_beside(paths))
        inputs += [before.confidence.path, after.confidence.path]
    else:
        lacking = [str(one.opened.path) for one in (before, after) if one.confidence is None]
        has, each = ("has", "it") if len(lacking) == 1 else ("have", "them")
        recorder.log(
            f"the confidence of changes is not known: {quoted(lacking)} {has} no MAP_confidence.tif or "
            f"MAP_probabilities.tif beside {each} that fits"
        )
    with (
        scratch_folder() as scratch,
        atomic_outputs(
            paths.all, overwrite=overwrite, inputs=inputs, stale=find_stale_files(paths)
        ) as where,
        on_one_grid(before, after, classes.names, scratch, resample=resample) as (grid, *layers),
    ):
        written = paths.moved(where)
        matrix = count_changes(grid, layers[0], layers[1], classes)
        if not matrix.pixels.any():
            raise OptionError(
                "no pixel has a class in both maps", hint="give two maps of the same land"
            )
        found = Comparison(
            classes,
            matrix,
            *_unmatched(before, after),
            (before.rejected, after.rejected),
            None,
            paths,
        )
        _write_map(written, grid, layers, classes, matrix, recorder)
        opened = _with_all_names(read_map(written.classes), classes)
        if reference is not None:
            found = dataclasses.replace(
                found,
                assessment=_assess(
                    opened, reference, old_field, new_field, classes.names, design, recorder
                ),
            )
        if written.polygons is not None:
            _write_polygons(written, opened, classes, smooth)
        record = _record(found, before, after, resample, with_rejected, smooth, recorder)
        if written.report is not None:
            from hsi_geo.tasks.reporting.change_report import ChangeReportContext, report_change

            context = ChangeReportContext(
                found,
                before.opened.path,
                after.opened.path,
                written.classes,
                recorder.warnings,
                command,
            )
            report_change(context, written.report)
        write_record(written, record)
    return found


def _paths(out: str | os.PathLike[str], *, polygons: bool, report: bool) -> MapPaths:
    path = require_output(out)
    if is_vector_name(path):
        require_vector_name(path)
    elif path.suffix.lower() not in (".tif", ".tiff"):
        raise OptionError(
            f"output '{path}' does not end in .tif",
            hint="maps of change are written as GeoTIFF, and their polygons as .gpkg, .fgb or .parquet",
        )
    paths = MapPaths.of(path, polygons=polygons)
    return paths.with_report() if report else paths


def _beside(paths: MapPaths) -> Path:
    return paths.classes.with_name(f"{paths.classes.stem}_confidence.tif")


def _unmatched(old: DatedMap, new: DatedMap) -> tuple[tuple[str, ...], tuple[str, ...]]:
    names = [dict.fromkeys(c.name for c in one.classes) for one in (old, new)]
    return (
        tuple(name for name in names[0] if name not in names[1]),
        tuple(name for name in names[1] if name not in names[0]),
    )


def _write_map(
    written: MapPaths,
    grid: Grid,
    layers: list[Layer],
    classes: ChangeClasses,
    matrix: ChangeMatrix,
    reporter: Reporter,
) -> None:
    present = [
        classes.id_of(old + 1, new + 1) for old, new in np.argwhere(matrix.pixels > 0).tolist()
    ]
    with MapWriter(written, grid, classes.table(present)) as writer:
        for block in change_blocks(grid, layers[0], layers[1], classes):
            writer.write_layers(block.window, MapLayers(block.ids, block.percent, None))
            done = block.window.row + block.window.height
            reporter.progress(stages.COMPARING_MAPS, done, grid.height)


def _with_all_names(opened: ReadMap, classes: ChangeClasses) -> ReadMap:
    """The map of change with the names of pairs that it has no pixel of, which a reference may have."""
    numbers = range(1, len(classes.names) + 1)
    names = {classes.id_of(a, b): classes.name_of(a, b) for a in numbers for b in numbers}
    return dataclasses.replace(opened, class_values=opened.class_values.with_names(names))


def _assess(
    opened: ReadMap,
    reference: str | os.PathLike[str] | gpd.GeoDataFrame,
    old_field: str | None,
    new_field: str | None,
    names: Sequence[str],
    design: Design | None,
    reporter: Reporter,
) -> Assessment:
    pairs = read_pairs(reference, old_field, new_field, names)
    for note in pairs.notes:
        reporter.log(note)
    for caution in pairs.cautions:
        reporter.warning(caution)
    found = assess_map(opened, pairs, design, reporter)
    # Most pairs are neither in the map nor in the reference.
    kept = [i for i, s in enumerate(found.scores) if s.reference or s.mapped or _has_area(s.area)]
    return dataclasses.replace(
        found,
        scores=tuple(found.scores[i] for i in kept),
        matrix=found.matrix[np.ix_(kept, kept)],
        only_in_map=(),
    )


def _has_area(area: object) -> bool:
    return bool(getattr(area, "mapped_share", 0.0))


def _write_polygons(
    written: MapPaths, opened: ReadMap, classes: ChangeClasses, smooth: int
) -> None:
    assert written.polygons is not None
    values = [c for c in opened.counts() if classes.pair_of(c)[0] != classes.pair_of(c)[1]]
    names = {value: classes.pair_of(value) for value in values}
    write_polygons(
        opened,
        written.polygons,
        confidence=None if written.confidence is None else read_percent(written.confidence),
        passes=smooth,
        only=values,
        more_fields={
            "old": {value: classes.names[old - 1] for value, (old, _) in names.items()},
            "new": {value: classes.names[new - 1] for value, (_, new) in names.items()},
        },
    )


def _record(
    found: Comparison,
    old: DatedMap,
    new: DatedMap,
    resample: bool,
    with_rejected: bool,
    smooth: int,
    recorder: WarningRecorder,
) -> dict[str, object]:
    pairs = found.pairs
    table = {c.id: c for c in found.classes.table([pair.id for pair in pairs])}
    listed = [{**dataclasses.asdict(pair), "color": table[pair.id].color} for pair in pairs]
    change = found.as_dict()
    return {
        "classes": listed,
        "change": change,
        "old": old.opened.path,
        "new": new.opened.path,
        "parameters": {"resample": resample, "with_rejected": with_rejected, "smooth": smooth},
        "warnings": recorder.warnings,
        "versions": versions(),
    }
