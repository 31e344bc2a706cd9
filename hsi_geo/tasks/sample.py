"""A random sample of places to check a map by."""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hsi_geo.arguments import is_number, require_flags, require_whole, require_word
from hsi_geo.arrays import IntArray
from hsi_geo.display.described import Described
from hsi_geo.errors import MapError, OptionError
from hsi_geo.io.labels.geopackages import require_geopackage
from hsi_geo.io.labels.map_records import read_record
from hsi_geo.io.maps.confidence import Confidence, find_confidence
from hsi_geo.io.maps.control_points import centres_on_earth, crs_on_earth
from hsi_geo.io.maps.legend import read_legend
from hsi_geo.io.maps.reader import STRIP_PX, ReadMap, read_map
from hsi_geo.io.maps.record import mixed_file_warnings
from hsi_geo.io.maps.sample_points import DrawnPlaces, form_style, sample_frame, write_sample
from hsi_geo.io.outputs.atomic import atomic_outputs
from hsi_geo.progress import Reporter, default_reporter
from hsi_geo.tasks.assessment.area_estimates import FEWEST
from hsi_geo.tasks.assessment.results import DESIGNS, Design
from hsi_geo.tasks.assessment.sample_size import (
    WHOLE,
    accuracy_variance,
    allocate,
    needed_places,
)
from hsi_geo.tasks.change.reference import NEW_FIELD, OLD_FIELD
from hsi_geo.tiling import blocks

if TYPE_CHECKING:
    from hsi_geo.display.summaries import Summary

#: Field that people fill in; `read_shots` leaves out places where it stays empty.
CLASS_FIELD = "class"

#: Least number of places of a class, unless another is given.
LEAST = 20

#: Name of the stratum of all classes that have too few pixels for one of their own.
OTHERS = "other classes"

#: Range of expected accuracies that are taken from the confidence of a map: it may be too sure.
LOWEST, HIGHEST = 0.5, 0.95

#: Expected share of right pixels where nothing is known.
EXPECTED = 0.8


@dataclass(frozen=True, slots=True)
class Stratum:
    """A part of a map that places are drawn in.

    Attributes:
        name: Name of its class, or of several classes together.
        pixels: Number of its pixels.
        places: Number of places that were drawn.
        expected: Expected share of right pixels, 0 to 1.
    """

    name: str
    pixels: int
    places: int
    expected: float


@dataclass(frozen=True, eq=False, repr=False)
class SampleResult(Described):
    """A sample that was drawn.

    Attributes:
        path: GeoPackage of the places.
        strata: Strata, with the places in each.
        expected_se: Standard error of the overall accuracy, if the expected accuracies hold.
    """

    path: Path
    strata: tuple[Stratum, ...]
    expected_se: float

    @property
    def places(self) -> int:
        """Number of places."""
        return sum(one.places for one in self.strata)

    def _summary(self, *, with_picture: bool) -> Summary:
        from hsi_geo.display.summaries import Summary

        return Summary(
            f"Sample of {self.places} places, expected standard error {100 * self.expected_se:.1f} points",
            [f"file: {self.path}"],
            ("stratum", "pixels", "places", "expected accuracy"),
            [
                (one.name, f"{one.pixels:,}", f"{one.places:,}", f"{100 * one.expected:.0f} %")
                for one in self.strata
            ],
            "strata",
        )


def sample(
    class_map: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    design: Design = "stratified",
    target_se: float | None = None,
    count: int | None = None,
    least: int | None = None,
    expected: float | None = None,
    seed: int = 0,
    overwrite: bool = False,
    reporter: Reporter | None = None,
) -> SampleResult:
    """Draw a random sample of pixels of a map, to visit or to look at in images.

    The GeoPackage has a form that asks for the class, and remembers the stratum of each place, the number of pixels, the
    hectares and the number of places of the stratum, and the probability that a pixel of it was drawn. So `assess` knows how it was
    drawn. Places are in random order: a part of them from the top of the table is a random sample, too.

    Args:
        class_map: Map of any program; for a map of change of `compare` the form asks for both classes.
        out: GeoPackage to write.
        design: "stratified" draws within each class; "simple" in the whole map.
        target_se: Wanted standard error of the overall accuracy, such as 0.02; None for 0.02, unless ``count`` is given.
        count: Number of places; None computes it from ``target_se``.
        least: Least number of places of a class in a stratified sample; None for 20. Classes of fewer pixels are one
            stratum.
        expected: Expected share of right pixels, between 0 and 1. None takes the mean confidence of each class, if the
            map has its confidence beside it, else 0.8.
        seed: Seed of the random numbers.
        overwrite: Whether to replace ``out`` if it exists.
        reporter: Receives messages and warnings; None shows a bar in a notebook, and sends
            messages to Python's ``logging``.

    Returns:
        The strata, and the expected standard error.

    Raises:
        HsiGeoError: If the map cannot be used, or an option is out of its range.
    """
    require_flags(overwrite=overwrite)
    reporter = reporter or default_reporter()
    is_given, least = least is not None, LEAST if least is None else least
    require_word("design", design, DESIGNS)
    _require_options(target_se, count, least, expected, seed)
    final = require_geopackage(out)
    whole = read_map(class_map)
    opened = whole.without_rejected()  # as `assess` does
    for text in mixed_file_warnings(whole.path, list(whole.names.values())):
        reporter.warning(text)
    plan = _plan(opened, design, least, expected, reporter)
    total = sum(plan.pixels)
    asked, fewest = count, least if design == "stratified" else FEWEST
    if count is None:
        target = 0.02 if target_se is None else target_se
        count = needed_places(plan.pixels, plan.expected, target, fewest)
    if count > total:
        raise OptionError(
            f"{count} places were asked for, and the map has {total} pixels", hint="ask for fewer"
        )
    drawn = allocate(plan.pixels, count, fewest)
    if asked is not None and sum(drawn) > asked:
        what = f"{asked} places are too few for at least {least} in each of {len(drawn)} strata"
        if is_given:
            raise OptionError(what, hint=f"give --count {sum(drawn)} or more, or a smaller --least")
        reporter.warning(f"{what}: {sum(drawn)} are drawn; give a smaller --least for fewer")
    with atomic_outputs([final], overwrite=overwrite, inputs=[class_map]) as where:
        places = _draw(opened, plan, drawn, np.random.default_rng(seed))
        fields, classes = _questions(opened)
        frame = sample_frame(places, crs_on_earth(opened.grid), fields)
        write_sample(frame, form_style(classes, fields), where[final])
    strata = tuple(
        Stratum(*one) for one in zip(plan.names, plan.pixels, drawn, plan.expected, strict=True)
    )
    return SampleResult(final, strata, _standard_error(strata))


def _require_options(
    target_se: float | None, count: int | None, least: int, expected: float | None, seed: int
) -> None:
    for name, value, low, high in (
        ("--target-se", target_se, 0.0, 0.5),
        ("--expected", expected, 0.0, 1.0),
    ):
        if value is not None and not (is_number(value) and low < value < high):
            raise OptionError(
                f"{name} {value} is out of range",
                hint=f"give a number between {low:g} and {high:g}",
            )
    if target_se is not None and count is not None:
        raise OptionError(
            "--target-se and --count were both given", hint="give one of them: each gives the other"
        )
    # A standard error takes two places.
    if count is not None:
        require_whole("--count", count, FEWEST)
    require_whole("--least", least, FEWEST)
    require_whole("--seed", seed, 0)


@dataclass(frozen=True, eq=False)
class _Plan:
    """Strata before places are drawn."""

    names: Sequence[str]
    pixels: Sequence[int]
    expected: Sequence[float]
    stratum_of: Mapping[int, int]  # by value of the map
    hectares: Sequence[float] | None  # None where the CRS does not define areas


def _plan(
    opened: ReadMap, design: Design, least: int, expected: float | None, reporter: Reporter
) -> _Plan:
    counts = opened.counts()
    if not counts:
        raise MapError(
            f"map '{opened.path}' has no pixel with a class", hint="give a map with classes"
        )
    by_name: dict[str, int] = {}
    for value in sorted(counts):
        name = opened.name_of(value)
        by_name[name] = by_name.get(name, 0) + counts[value]
    stratum_of_name = {name: name for name in by_name}
    if design == "simple":
        stratum_of_name = dict.fromkeys(by_name, WHOLE)
    else:
        ordered = sorted(by_name, key=lambda name: (by_name[name], name))
        small = [name for name in ordered if by_name[name] < least]
        if small and sum(by_name[name] for name in small) < FEWEST:
            small = ordered[:2]
        if len(small) > 1:
            stratum_of_name |= dict.fromkeys(
                small, OTHERS if OTHERS not in by_name else f"{OTHERS} *"
            )
            reporter.log(f"{len(small)} classes of fewer than {least} pixels are one stratum")
    names = list(dict.fromkeys(stratum_of_name.values()))
    index = {name: number for number, name in enumerate(names)}
    stratum_of = {value: index[stratum_of_name[opened.name_of(value)]] for value in counts}
    pixels = [0] * len(names)
    for value, count in counts.items():
        pixels[stratum_of[value]] += count
    areas = opened.class_areas_ha()
    hectares = None
    if areas is not None:
        strata = [index[stratum_of_name[name]] for name in areas]
        hectares = np.bincount(strata, list(areas.values())).tolist()
    plan = _Plan(names, pixels, [expected or EXPECTED] * len(names), stratum_of, hectares)
    confidence = find_confidence(opened, reporter.warning) if expected is None else None
    if confidence is None:
        if expected is None:
            reporter.log(f"{100 * EXPECTED:.0f} % of the pixels are expected to be right")
        return plan
    return dataclasses.replace(plan, expected=_mean_confidence(opened, plan, confidence))


def _mean_confidence(opened: ReadMap, plan: _Plan, confidence: Confidence) -> list[float]:
    sums, known = np.zeros(len(plan.names)), np.zeros(len(plan.names))
    for strip in blocks(*opened.grid.shape, STRIP_PX, opened.grid.width):
        strata, percent = _strata(opened.read(strip), plan), confidence.read(strip)
        here = (strata >= 0) & np.isfinite(percent)
        sums += np.bincount(strata[here], percent[here], minlength=len(sums))
        known += np.bincount(strata[here], minlength=len(sums))
    means = np.where(known > 0, sums / np.maximum(known, 1) / 100, EXPECTED)
    return [float(mean) for mean in np.clip(means, LOWEST, HIGHEST)]


def _strata(
    values: np.ma.MaskedArray[tuple[int, ...], np.dtype[np.int64]], plan: _Plan
) -> IntArray:
    """Index of the stratum of each pixel, -1 for none."""
    present, index = np.unique(values.data, return_inverse=True)
    table = np.array([plan.stratum_of.get(int(value), -1) for value in present], np.int64)
    found = table[index.reshape(values.shape)]
    found[np.ma.getmaskarray(values)] = -1
    return found


def _draw(
    opened: ReadMap, plan: _Plan, drawn: Sequence[int], generator: np.random.Generator
) -> DrawnPlaces:
    """Draw pixels of each stratum without replacement; each pixel of a stratum is as likely as the others."""
    ranks = [
        np.sort(generator.choice(pixels, n, replace=False))
        for pixels, n in zip(plan.pixels, drawn, strict=True)
    ]
    seen = [0] * len(plan.names)
    rows: list[IntArray] = []
    cols: list[IntArray] = []
    of: list[int] = []
    for strip in blocks(*opened.grid.shape, STRIP_PX, opened.grid.width):
        strata = _strata(opened.read(strip), plan).ravel()
        for number, wanted in enumerate(ranks):
            here = np.flatnonzero(strata == number)
            inside = wanted[(wanted >= seen[number]) & (wanted < seen[number] + len(here))]
            seen[number] += len(here)
            if len(inside):
                at = here[inside - (seen[number] - len(here))]
                rows.append(at // strip.width + strip.row)
                cols.append(at % strip.width)
                of += [number] * len(at)
    row, col = np.concatenate(rows), np.concatenate(cols)
    order = np.lexsort((col, row))[generator.permutation(len(of))]  # whatever the strips
    x, y = centres_on_earth(opened.grid, row[order], col[order])
    return DrawnPlaces(x, y, np.array(of)[order], plan.names, plan.pixels, plan.hectares, drawn)


def _questions(opened: ReadMap) -> tuple[list[str], list[tuple[str, str]]]:
    """Fields that people fill in, and the classes that they choose from: name and colour."""
    record = read_record(opened.path)
    change = record.get("change")
    if isinstance(change, dict) and isinstance(change.get("classes"), list):
        from hsi_geo.io.labels.class_colors import complete_colors

        names = [str(name) for name in change["classes"]]
        return [OLD_FIELD, NEW_FIELD], list(
            zip(names, complete_colors([None] * len(names), names), strict=True)
        )
    values = {**opened.names, **opened.counts()}
    by_name = {c.name: c.color for c in read_legend(opened, values).values()}
    return [CLASS_FIELD], list(by_name.items())


def _standard_error(strata: Sequence[Stratum]) -> float:
    """Standard error of the overall accuracy."""
    total = sum(one.pixels for one in strata)
    drawn = [one for one in strata if one.places]  # a stratum without a place cannot be estimated
    variance = accuracy_variance(
        [one.pixels / total for one in drawn],
        [math.sqrt(one.expected * (1 - one.expected)) for one in drawn],
        [one.places for one in drawn],
        [one.pixels for one in drawn],
    )
    return math.sqrt(variance)
