"""Accuracy assessment: a map against reference labels that it was not made from."""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hsi_geo.arrays import BoolArray, Float64Array, IntArray
from hsi_geo.errors import MapError, OptionError
from hsi_geo.io.labels.class_names import similar_name_warnings
from hsi_geo.io.labels.shot_files import REFERENCE
from hsi_geo.io.labels.shot_reading import read_shots
from hsi_geo.io.labels.shots import Shots, SomeShots
from hsi_geo.io.maps.areas import pixel_area_ha, row_areas_ha
from hsi_geo.io.maps.reader import ReadMap, read_map
from hsi_geo.io.maps.record import mixed_file_warnings, read_record
from hsi_geo.io.maps.sample_points import DrawnStrata, read_drawn_strata
from hsi_geo.io.outputs.atomic import atomic_outputs
from hsi_geo.io.reports.html import require_html
from hsi_geo.progress import Reporter, WarningRecorder, default_reporter
from hsi_geo.tasks.assessment.area_estimates import (
    AreaEstimates,
    Ratios,
    estimate_areas,
    pool_small,
)
from hsi_geo.tasks.assessment.reference_sample import (
    SAME_LAND,
    Sample,
    other_strata,
    own_strata,
    read_sample,
    require_probability_sample,
    require_same_land,
)
from hsi_geo.tasks.assessment.results import Area, Assessment, ClassScore, Design, Estimate
from hsi_geo.tasks.assessment.sample_size import places_to_halve
from hsi_geo.tasks.runtime import shots_hash
from hsi_geo.tasks.validation.accuracy import effective_features, wilson
from hsi_geo.text import quoted

#: Half a 95 % interval in standard errors.
Z95 = 1.96


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
        reference: Vector file, table of points or raster of reference labels in any CRS, or labels that
            `read_shots` returned, or a list of these. One class is enough.
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
    recorder = WarningRecorder(reporter or default_reporter())
    opened = read_map(class_map).without_rejected()
    labelled = read_shots(reference, purpose=REFERENCE)
    for note in labelled.notes:
        recorder.log(note)
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
    sample = read_sample(opened, labelled)
    for warning in similar_name_warnings(sample.names):
        reporter.warning(warning)
    for text in sample.dropped:
        reporter.warning(f"left out: {text}")
    if sample.lacking:
        reporter.warning(sample.lacking)
    if strata is not None and design != "stratified":
        raise OptionError(
            "strata were given, and the design is not stratified", hint="add --design stratified"
        )
    if design is None:
        return _describe(sample)
    require_probability_sample(labelled, sample, design)
    return _of_whole_map(opened, labelled, sample, design, strata, reporter)


def _of_whole_map(
    opened: ReadMap,
    labelled: Shots,
    sample: Sample,
    design: Design,
    strata: str | os.PathLike[str] | None,
    reporter: Reporter,
) -> Assessment:
    counts = opened.class_counts()
    drawn = read_drawn_strata(labelled) if strata is None and design == "stratified" else None
    if drawn is not None:
        came_from, sizes = drawn.of_pixels(labelled, sample.features), dict(drawn.sizes)
        _report_drawn(drawn, labelled, sample, counts, reporter)
    elif strata is None:
        came_from, sizes = own_strata(sample, counts), counts
    else:
        drawn_from = read_map(strata).without_rejected()
        _log_zero_class("strata", drawn_from, reporter)
        sizes = drawn_from.class_counts()
        require_same_land(opened, counts, drawn_from, sizes)
        came_from = other_strata(labelled, sample, opened, drawn_from, sizes)
    if design == "simple":
        came_from, sizes, pooled = pool_small(came_from, sizes)
        if pooled:
            reporter.warning(
                "the sample has fewer than two pixels in a class of the map, and a standard error "
                f"takes two: {quoted(list(pooled))} are weighted as one"
            )
    land = _mapped_land(opened, counts, sample.names)
    areas = None if land.row_areas_ha is None else land.row_areas_ha[sample.rows]
    found = estimate_areas(sample.mapped, sample.truth, len(sample.names), came_from, sizes, areas)
    if land.total_ha is None:
        reporter.warning(
            "the area of the map's pixels is unknown: areas are given as shares of its pixels"
        )
    more = places_to_halve(sample.truth == sample.mapped, came_from, sizes)
    return dataclasses.replace(_estimate(sample, found, land, design), more_places=more)


def _report_drawn(
    drawn: DrawnStrata,
    labelled: Shots,
    sample: Sample,
    counts: Mapping[str, int],
    reporter: Reporter,
) -> None:
    """Say what is known from the file of a sample: its strata, and places that nobody visited."""
    total, there = sum(drawn.sizes.values()), sum(counts.values())
    if abs(total - there) > SAME_LAND * there:
        raise MapError(
            f"the sample '{labelled.source}' was drawn from {total:,} pixels, and the map has {there:,} with a class",
            hint="assess the map that the sample was drawn from, or another one of the same pixels and land",
        )
    reporter.log(f"strata of the sample: {quoted(list(drawn.sizes))}")
    places = sum(drawn.drawn.values())
    empty = places - len(np.unique(sample.features))
    if empty:
        reporter.warning(
            f"{empty} of {places} places of the sample have no class that counts: the result is right only if they are "
            "like the others of their stratum"
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
    made_from: Any = read_record(opened.path)
    for key in ("adaptation", "hashes"):  # the file may be any program's
        made_from = made_from.get(key) if isinstance(made_from, dict) else None
    if not isinstance(made_from, dict):
        return
    files = made_from.get("shot_files")
    used = [made_from.get("shots"), *(files if isinstance(files, list) else [])]
    own = [part for part in (labelled, *labelled.parts) if shots_hash(part) in used]
    if own:
        these = "these labels" if own[0] is labelled else f"the labels of '{own[0].source}'"
        reporter.warning(
            f"the map was made from {these}: its accuracy on other places is lower than these numbers"
        )


# Without a design: shares of the reference pixels ------------------------------------------------


def _describe(sample: Sample) -> Assessment:
    from sklearn.metrics import precision_recall_fscore_support

    labels = np.arange(len(sample.names))
    user, producer, f1, _ = precision_recall_fscore_support(
        sample.truth, sample.mapped, labels=labels, zero_division=np.nan
    )
    scores = []
    for index, name in enumerate(sample.names):
        is_mapped, is_true = sample.mapped == index, sample.truth == index
        scores.append(
            ClassScore(
                name,
                reference=int(is_true.sum()),
                mapped=int(is_mapped.sum()),
                user=_share(user[index], is_mapped, sample),
                producer=_share(producer[index], is_true, sample),
                f1=_f1(f1[index], is_mapped | is_true, sample),
                area=None,
            )
        )
    right = sample.truth == sample.mapped
    oa = _share(float(right.mean()), np.ones_like(right), sample)
    assert oa is not None  # there is at least one pixel
    return Assessment(
        oa=oa,
        aa=_mean([score.producer for score in scores if score.producer is not None]),
        kappa=_kappa(oa, _chance(sample.matrix)),
        scores=tuple(scores),
        design=None,
        method="share of the reference pixels; intervals are Wilson's, and count pixels of one "
        "feature once: they are right or wrong together",
        **_facts(sample),
    )


def _chance(matrix: IntArray) -> float:
    """Agreement that is expected by chance, if rows and columns were independent."""
    return float((matrix.sum(axis=0) * matrix.sum(axis=1)).sum() / matrix.sum() ** 2)


def _facts(sample: Sample) -> dict[str, Any]:
    """Attributes of an assessment that do not depend on the design."""
    return {
        "matrix": sample.matrix,
        "pixels": len(sample.truth),
        "features": len(np.unique(sample.features)),
        "only_in_map": sample.only_in_map,
        "only_in_reference": sample.only_in_reference,
        "dropped": sample.dropped,
    }


def _share(value: float, of: BoolArray, sample: Sample) -> Estimate | None:
    if not of.any():
        return None
    return Estimate(float(value), *wilson(float(value), effective_features(sample.features[of])))


def _f1(value: float, either: BoolArray, sample: Sample) -> Estimate | None:
    """F1 = 2 J / (1 + J), J the share of agreement among pixels that map or reference give the class."""
    if not either.any():
        return None
    agreed = float(value / (2 - value))
    low, high = wilson(agreed, effective_features(sample.features[either]))
    return Estimate(float(value), 2 * low / (1 + low), 2 * high / (1 + high))


def _mean(parts: list[Estimate]) -> Estimate:
    """Mean of independent estimates. Its interval is computed from theirs.

    Zou and Donner 2008 (Statistics in Medicine 27, 1693, doi 10.1002/sim.3095).
    """
    value = math.fsum(part.value for part in parts) / len(parts)
    below = math.hypot(*(part.value - part.low for part in parts)) / len(parts)
    above = math.hypot(*(part.high - part.value for part in parts)) / len(parts)
    return Estimate(value, max(0.0, value - below), min(1.0, value + above))


def _kappa(oa: Estimate, chance: float) -> Estimate | None:
    """Kappa, its interval from that of the overall accuracy.

    Agreement by chance is taken as known, as in Cohen (1960, doi 10.1177/001316446002000104).
    """
    if chance >= 1:
        return None
    value, low, high = ((end - chance) / (1 - chance) for end in (oa.value, oa.low, oa.high))
    return Estimate(value, low, high)


# With a design: estimates of the whole map -------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _MappedLand:
    """The land that a map shows classes on."""

    shares: Float64Array  # (K,) of each class
    total_ha: float | None  # None if the area of a pixel is unknown
    row_areas_ha: Float64Array | None  # (height,) area of a pixel; None where all are the same


def _mapped_land(opened: ReadMap, counts: Mapping[str, int], names: Sequence[str]) -> _MappedLand:
    """Shares of area, which are shares of pixels where all pixels have the same area."""
    pixel_ha = pixel_area_ha(opened.grid)
    areas_ha = opened.class_areas_ha() if pixel_ha is None else None
    if areas_ha is None:
        total = sum(counts.values())
        shares = np.array([counts.get(name, 0) for name in names]) / total
        return _MappedLand(shares, None if pixel_ha is None else pixel_ha * total, None)
    total_ha = math.fsum(areas_ha.values())
    shares = np.array([areas_ha.get(name, 0.0) for name in names]) / total_ha
    return _MappedLand(shares, total_ha, row_areas_ha(opened.grid))


def _estimate(
    sample: Sample, found: AreaEstimates, land: _MappedLand, design: Design
) -> Assessment:
    matrix = sample.matrix
    of_map, of_truth = matrix.sum(axis=1), matrix.sum(axis=0)
    agreed = np.diag(matrix)
    scores = tuple(
        ClassScore(
            name,
            reference=int(of_truth[i]),
            mapped=int(of_map[i]),
            user=_normal(found.user, i, of_map[i]),
            producer=_normal(found.producer, i, of_truth[i]),
            f1=_normal(found.f1, i, of_map[i] + of_truth[i] - agreed[i]),
            area=_area(found.share, land, i),
        )
        for i, name in enumerate(sample.names)
    )
    oa = _normal(found.oa, 0, matrix.sum())
    assert oa is not None  # the sample has at least two pixels
    return Assessment(
        oa=oa,
        aa=_mean([score.producer for score in scores if score.producer is not None]),
        kappa=_kappa(oa, float((land.shares * found.share.value).sum())),
        scores=scores,
        design=design,
        method=f"of the whole map, by a {design} random sample (Olofsson et al. 2014, Stehman 2014)",
        **_facts(sample),
    )


def _area(share: Ratios, land: _MappedLand, i: int) -> Area:
    shares = [float(values[i]) for values in (land.shares, share.value, share.error)]
    total_ha = land.total_ha
    return Area(*shares, *(None if total_ha is None else part * total_ha for part in shares))


def _normal(estimates: Ratios, i: int, pixels: npt.ArrayLike) -> Estimate | None:
    """An estimate with 1.96 standard errors; with Wilson's interval where the standard error is 0."""
    value, error = float(estimates.value[i]), float(estimates.error[i])
    if not math.isfinite(value):
        return None
    if error == 0:
        return Estimate(value, *wilson(value, float(np.asarray(pixels))))
    return Estimate(value, max(0.0, value - Z95 * error), min(1.0, value + Z95 * error))
