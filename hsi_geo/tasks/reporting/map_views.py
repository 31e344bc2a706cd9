"""What a notebook shows of a map, and a figure of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from hsi_geo.display.images import paint
from hsi_geo.display.summaries import SIDE_PX, Summary, picture_or_none
from hsi_geo.io.labels.rejected_classes import legend_entries, read_rejected
from hsi_geo.io.labels.shots import ClassTable
from hsi_geo.io.maps.reader import read_map, read_percent, read_thumbnail
from hsi_geo.io.maps.writer import MapPaths
from hsi_geo.io.scenes.previews import SIDE_PX as FIGURE_PX
from hsi_geo.tasks.validation.accuracy import Accuracy

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def summarize_map(
    paths: MapPaths,
    classes: ClassTable,
    record: Mapping[str, Any],
    *,
    accuracy: Accuracy,
    elsewhere: Accuracy | None,
    with_picture: bool,
) -> Summary:
    """Describe a map.

    Args:
        paths: Files of the map.
        classes: Class table of the map.
        record: Content of the map's JSON file.
        accuracy: Estimate of the map's accuracy.
        elsewhere: Estimate for the scene that the model was adapted to, if that is another one.
        with_picture: Whether the map is read for a picture.
    """
    facts = [f"file: {paths.classes}"]
    optional = {name: path for name, path in paths.as_dict().items() if name in _BESIDE}
    facts += [f"{name}: {path.name}" for name, path in optional.items()]
    facts.append(f"accuracy: {accuracy}")
    if elsewhere is not None:
        facts.append(f"elsewhere: {elsewhere}")
    warnings = record.get("warnings", ())
    if warnings:
        more = f" (and {len(warnings) - 1} more)" if len(warnings) > 1 else ""
        facts.append(f"warning: {warnings[0]}{more}")
    entries = legend_entries(record)
    legend = (*classes, *read_rejected(record))
    pixels = sum(c["pixels"] for c in entries)
    return Summary(
        f"Map of {len(classes)} classes, {pixels:,} pixels",
        facts,
        ("class", "of the map", "pixels", "shots (pixels)"),
        [
            (c["name"], f"{100 * c['share']:.1f} %", f"{c['pixels']:,}", str(c["shots"]))
            for c in entries
        ],
        colors=[c["color"] for c in entries],
        picture=picture_or_none(lambda: paint(read_thumbnail(paths.classes, SIDE_PX), legend))
        if with_picture
        else None,
        caption="the map; white: no class",
    )


#: Files beside a map that its summary names.
_BESIDE = ("confidence", "probabilities", "report")


def plot_map(
    paths: MapPaths,
    classes: ClassTable,
    *,
    show_titles: bool = True,
    suptitle: str | None = None,
) -> Figure:
    """Draw a map with its legend, and its confidence beside it if that was written.

    Args:
        paths: Files of the map.
        classes: Class table of the map, with rejected classes.
        show_titles: Whether each image has its title above it.
        suptitle: Title of the figure; None for none.

    Raises:
        MapError: If the map is gone or damaged.
    """
    from hsi_geo.display.figures import extent_of, plot_images  # imports matplotlib

    grid = read_map(paths.classes).grid
    images = {"map": paint(read_thumbnail(paths.classes, FIGURE_PX), classes)}
    if paths.confidence is not None:
        read_percent(paths.confidence)  # says so if it is gone
        images["confidence"] = read_thumbnail(paths.confidence, FIGURE_PX)
    return plot_images(
        images,
        classes=classes,
        show_titles=show_titles,
        suptitle=suptitle,
        extent=extent_of(grid),
    )
