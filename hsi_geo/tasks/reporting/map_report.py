"""The report on a map: its estimated accuracy, doubtful shots, spectra, areas and parameters."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
import xarray as xr

from hsi_geo import stages, timings
from hsi_geo.arrays import IntArray
from hsi_geo.display.figure_text import has_glyphs
from hsi_geo.display.images import FALSE_COLOUR_NM, paint
from hsi_geo.io.labels.rejected_classes import REJECTED, legend_entries, read_rejected
from hsi_geo.io.labels.shot_pixels import find_pixels
from hsi_geo.io.labels.shots import ClassTable, Shots
from hsi_geo.io.maps.areas import class_areas, pixel_area_ha
from hsi_geo.io.maps.reader import read_thumbnail
from hsi_geo.io.maps.vrt_index import GeoreferencedMap
from hsi_geo.io.maps.writer import NO_PERCENT, MapPaths
from hsi_geo.io.reports.html import Picture, Report, Section, Table, write_report
from hsi_geo.io.reports.images import image_uri, percent_uri, shades, spectra_uri
from hsi_geo.io.scenes.previews import SIDE_PX, preview
from hsi_geo.io.scenes.properties import bands_of, name_of, select_good_bands
from hsi_geo.progress import Reporter
from hsi_geo.tasks.reporting.spectra import class_spectra
from hsi_geo.tasks.validation.accuracy import PARENTS_ACCURACY, Accuracy
from hsi_geo.text import number_text
from hsi_geo.tiling import Window

#: Two classes are confused if this share of their held-out pixels was classified as the other.
CONFUSED_SHARE = 0.2

#: Most misclassified shots that are listed.
MOST_SHOTS = 40


@dataclass(frozen=True, eq=False)
class MapReportContext:
    """Content of the report on a map.

    Attributes:
        scene: (C, H, W) scene that was mapped.
        shots: Shots that the model was adapted to.
        classes: Class table of the map.
        paths: Files of the map, with its confidence.
        record: Record of the map, see `io.maps.record`.
        held_out: Out-of-fold predictions of the shots, as `accuracy.OutOfFold.as_dict` returns them.
        suspicious: Shots that weigh less, as `shot_weights.SuspiciousShots.as_list` returns them.
        warnings: Warnings while the map was made, as sentences.
        command: Command that makes the map again; empty for none.
    """

    scene: xr.DataArray
    shots: Shots
    classes: ClassTable
    paths: MapPaths
    record: Mapping[str, Any]
    held_out: Mapping[str, Any]
    suspicious: Sequence[Mapping[str, Any]]
    warnings: Sequence[str]
    command: str

    @property
    def legend(self) -> ClassTable:
        """Class table, and rejected classes."""
        return (*self.classes, *read_rejected(self.record))


@timings.stage(timings.REPORT)
def report_map(mapped: MapReportContext, path: Path, reporter: Reporter) -> None:
    """Write the report on a map to an HTML file.

    Args:
        mapped: The map and what it was made from.
        path: HTML file to write.
        reporter: Receives the progress.
    """
    accuracy = Accuracy.from_dict(mapped.record["accuracy"])
    name = Path(name_of(mapped.scene)).name
    makers: tuple[Callable[[], Section], ...] = (
        lambda: _map_section(mapped),
        lambda: _accuracy_section(mapped, accuracy),
        lambda: _spectra_section(mapped),
        lambda: _area_section(mapped),
        lambda: Section("Parameters", tables=(parameter_table(mapped.record),)),
    )
    sections = []
    for done, make in enumerate(makers):
        reporter.progress(stages.REPORT, done, len(makers))
        sections.append(make())
    warnings = (*mapped.warnings, *_confused_classes(mapped), *_doubtful_shots(mapped))
    write_report(
        Report(f"Land cover of {name}", _lead(accuracy), warnings, sections, mapped.command), path
    )
    reporter.progress(stages.REPORT, len(makers), len(makers))


def _lead(accuracy: Accuracy) -> str:
    text = str(accuracy)
    return f"Accuracy, estimated from the shots: {text[0].lower()}{text[1:]}."


# Pictures -------------------------------------------------------------------------------------


def _map_section(mapped: MapReportContext) -> Section:
    ids = read_thumbnail(mapped.paths.classes, SIDE_PX)
    assert mapped.paths.confidence is not None  # written for the report in any case
    percent = read_thumbnail(mapped.paths.confidence, SIDE_PX)
    known = percent[percent != NO_PERCENT]
    mean = f", {known.mean():.0f} per cent on average" if known.size else ""
    pictures = (
        Picture(image_uri(preview(mapped.scene)), "Scene: " + _shown_bands(mapped.scene), True),
        Picture(image_uri(paint(ids, mapped.legend)), "Map; white: no class", True),
        Picture(
            percent_uri(percent, NO_PERCENT),
            f"Confidence: dark blue 0, green 50, yellow 100 per cent{mean}; low where the scene "
            "is unlike all shots",
            True,
        ),
    )
    legend = Table(
        ("class", "id", "shots (pixels)", "of the map"),
        [
            (c["name"], str(c["id"]), str(c["shots"]), f"{100 * c['share']:.1f} %")
            for c in legend_entries(mapped.record)
        ],
        colors=[c.color for c in mapped.legend],
    )
    return Section("Map", pictures=pictures, tables=(legend,))


def _shown_bands(scene: xr.DataArray) -> str:
    centres = bands_of(select_good_bands(scene)).centres_nm
    shown = [centres[np.abs(centres - nm).argmin()] for nm in FALSE_COLOUR_NM]
    return "red, green and blue show {:.0f}, {:.0f} and {:.0f} nm".format(*shown)


# Accuracy -------------------------------------------------------------------------------------


def _accuracy_section(mapped: MapReportContext, accuracy: Accuracy) -> Section:
    text = [f"How it was estimated: {accuracy.method}."]
    upper = mapped.record.get(PARENTS_ACCURACY)
    if upper is not None:
        text.append(f"Of the parents of the classes: {Accuracy.from_dict(upper)}.")
    tables = []
    matrix = np.asarray(mapped.held_out["matrix"], np.int64)
    if matrix.sum():
        names = [c.name for c in mapped.classes]
        tables.append(
            matrix_table(
                matrix,
                names,
                "Pixels of shots that were held out; rows: predicted class, columns: class that "
                "was drawn",
            )
        )
    if _doubtful(mapped):
        tables.append(_doubtful_table(mapped))
    text.append(
        "Shots are not a random sample: places that are easy to draw are easy to classify. A random "
        "sample of labels that the map was not made from gives a better estimate: hsi-geo assess."
    )
    return Section("Accuracy", text, tables=tables)


def matrix_table(matrix: IntArray, names: Sequence[str], caption: str) -> Table:
    """A confusion matrix as a table, cells shaded by their share of the column.

    Args:
        matrix: (K, K) counts. Zeros are left blank.
        names: Names of the K classes.
        caption: Caption of the table.

    Examples:
        >>> matrix_table(np.array([[3, 0], [1, 2]]), ["rye", "oats"], "").rows
        [('rye', '3', ''), ('oats', '1', '2')]
    """
    rows = [
        (name, *(str(count) if count else "" for count in counts))
        for name, counts in zip(names, matrix.tolist(), strict=True)
    ]
    return Table(("", *names), rows, shades=shades(matrix), caption=caption)


def _confused_classes(mapped: MapReportContext) -> list[str]:
    """Warnings of pairs of classes whose held-out pixels were confused."""
    matrix = np.asarray(mapped.held_out["matrix"], np.int64)
    drawn = matrix.sum(axis=0)
    found = []
    for a, b in itertools.combinations(range(len(matrix)), 2):
        confused, both = int(matrix[a, b] + matrix[b, a]), int(drawn[a] + drawn[b])
        if confused >= 2 and confused >= CONFUSED_SHARE * both:
            one, other = mapped.classes[a].name, mapped.classes[b].name
            found.append(
                f"'{one}' and '{other}' are confused: of {both} held-out pixels of the two, "
                f"{confused} were classified as the other"
            )
    return found


def _doubtful(mapped: MapReportContext) -> list[dict[str, Any]]:
    """Shots that weigh less, then shots that were classified otherwise when they were held out."""
    found = {
        (one.get("file"), one["feature_id"]): {**one, "named": one["looks_like"], "pixels": None}
        for one in mapped.suspicious
    }
    for one in mapped.held_out["named_otherwise"]:
        key = one.get("file"), one["feature_id"]  # files may count their features alike
        found[key] = {**one, "weight": found.get(key, {"weight": 1.0})["weight"]}
    return sorted(found.values(), key=lambda one: one["weight"])


def _doubtful_shots(mapped: MapReportContext) -> list[str]:
    """Warning of shots that were classified otherwise when they were held out."""
    count = len(_doubtful(mapped))
    if not count:
        return []
    what = "shot looks" if count == 1 else "shots look"
    return [f"{count} {what} wrong: see the table under 'Accuracy'"]


def _doubtful_table(mapped: MapReportContext) -> Table:
    """Shots that look wrong, with their weights and coordinates."""
    doubtful = _doubtful(mapped)
    rows = [
        (
            f"{one['feature_id']} in {one['file']}" if "file" in one else str(one["feature_id"]),
            one["drawn"],
            one["named"],
            "" if one["pixels"] is None else str(one["pixels"]),
            f"{one['weight']:.2f}",
            f"{one['x']:.10g}",
            f"{one['y']:.10g}",
        )
        for one in doubtful[:MOST_SHOTS]
    ]
    more = len(doubtful) - MOST_SHOTS
    left_out = f"; {more} more are not shown" if more > 0 else ""
    return Table(
        ("feature id", "drawn as", "looks like", "pixels", "weight", "x", "y"),
        rows,
        caption="Shots that look wrong: without them they are classified otherwise. Either their class is wrong, or "
        "it has few similar shots. A shot whose class is probably wrong has a weight below 1: the map follows it "
        f"less{left_out}",
    )


# Spectra and areas ----------------------------------------------------------------------------


def _spectra_section(mapped: MapReportContext) -> Section:
    view, grid = select_good_bands(mapped.scene), mapped.scene.hsi.grid

    def ids_in(window: Window) -> npt.NDArray[np.integer]:
        pixels = rasterio.windows.Window(window.col, window.row, window.width, window.height)
        ids = np.asarray(file.read(1, window=pixels))
        return np.where(
            ids > len(mapped.classes), 0, ids
        )  # rejected pixels have no shots to compare with

    with rasterio.open(mapped.paths.classes) as file:
        shots = find_pixels(mapped.shots, grid)
        found = class_spectra(view, shots, ids_in, len(mapped.classes))
    picture = spectra_uri(bands_of(view).centres_nm, found.of_shots, found.of_map, mapped.classes)
    caption = (
        "Mean spectrum of each class: coloured under the shots, black where the map shows it "
        f"({found.mapped_px} pixels of the map were read)"
    )
    undrawn = [f"{c.id} is {c.name}" for c in mapped.classes if not has_glyphs(c.name)]
    caption += "".join(f"; {one}" for one in undrawn)  # a browser has fonts for every letter
    text = "Where the two differ, the map shows other spectra than the shots in the class."
    return Section("Spectra", (text,), (Picture(picture, caption),))


def _area_section(mapped: MapReportContext) -> Section:
    hectares = _hectares(mapped)
    header = ["class", "pixels", "share"] + (["hectares"] if hectares is not None else [])
    rows = [
        [c["name"], f"{c['pixels']:,}", f"{100 * c['share']:.2f} %"]
        + ([number_text(hectares[c["id"]], 2)] if hectares is not None else [])
        for c in legend_entries(mapped.record)
    ]
    text = (
        "Areas are counted on the map, without a correction of its errors. For areas with standard "
        "errors, label a random sample of places and run hsi-geo assess with --design."
    )
    return Section("Areas", (text,), tables=(Table(header, rows),))


def _hectares(mapped: MapReportContext) -> Mapping[int, float] | None:
    """Area by class id; None if the CRS does not define the area of a pixel."""
    grid = mapped.scene.hsi.grid
    pixel_ha = pixel_area_ha(grid)
    if pixel_ha is not None:
        return {c["id"]: c["pixels"] * pixel_ha for c in legend_entries(mapped.record)}
    one = GeoreferencedMap(mapped.paths.classes, grid)
    hectares = class_areas(one, max(c.id for c in mapped.legend)).hectares
    return None if np.isnan(hectares).any() else dict(enumerate(hectares.tolist(), start=1))


# Parameters -----------------------------------------------------------------------------------


def parameter_table(record: Mapping[str, Any]) -> Table:
    """All values of a record that the report does not show elsewhere, one row for each.

    Args:
        record: Record of a map, see `io.maps.record`.

    Examples:
        >>> parameter_table({"seed": 0, "hashes": {"shots": "ab"}, "classes": []}).rows
        [('hashes.shots', 'ab'), ('seed', '0')]
    """
    shown = {
        k: v
        for k, v in record.items()
        if k not in ("classes", REJECTED, "accuracy", PARENTS_ACCURACY)
    }
    return Table(("parameter", "value"), list(_flat(shown)))


def _flat(entries: Mapping[str, Any], before: str = "") -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for name, value in sorted(entries.items()):
        if isinstance(value, Mapping):
            found += _flat(value, f"{before}{name}.")
        else:
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            found.append((f"{before}{name}", text))
    return found
