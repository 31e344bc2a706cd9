"""Figures of scenes, maps, losses and benchmarks, as PNG."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from hsi_geo.arrays import BoolArray, Float32Array, Float64Array, UInt8Array
from hsi_geo.io.labels.shots import ClassTable
from hsi_geo.io.reports.figure_text import LONGEST_TITLE, set_text_safely
from hsi_geo.io.scenes.composites import COMPOSITES

#: Wavelengths in nm that are shown as red, green and blue. Vegetation is red, as in colour infrared
#: film.
FALSE_COLOUR_NM = COMPOSITES["colour infrared"]


def false_colour(
    cube: Float32Array,
    centres_nm: Float64Array,
    valid: BoolArray,
) -> UInt8Array:
    """Draw a scene in false colour, each channel stretched from its 2nd to its 98th percentile.

    Args:
        cube: (C, H, W) reflectance or radiance.
        centres_nm: (C,) wavelengths of the bands.
        valid: (H, W) False for pixels without data, which become white.

    Returns:
        (H, W, 3) colours from 0 to 255.

    Examples:
        >>> cube = np.arange(12, dtype=np.float32).reshape(3, 2, 2)
        >>> picture = false_colour(cube, np.array([550.0, 650.0, 860.0]), np.ones((2, 2), bool))
        >>> picture.shape, int(picture.min()), int(picture.max())
        ((2, 2, 3), 0, 255)
    """
    channels = []
    for wanted in FALSE_COLOUR_NM:
        band = cube[int(np.abs(centres_nm - wanted).argmin())]
        low, high = np.percentile(band[valid], (2, 98)) if valid.any() else (0.0, 1.0)
        channels.append(np.clip((band - low) / max(high - low, 1e-12), 0, 1))
    picture = np.where(valid[..., None], np.stack(channels, axis=-1), 1.0)
    return np.asarray(255 * picture, np.uint8)


def paint(ids: npt.NDArray[np.integer], classes: ClassTable) -> UInt8Array:
    """Colour class ids.

    Args:
        ids: (H, W) class ids, 0 for no class.
        classes: Class table.

    Returns:
        (H, W, 3) colours from 0 to 255, white for no class.

    Examples:
        >>> from hsi_geo.io.labels.shots import LandClass
        >>> paint(np.array([[0, 1]]), (LandClass(1, "water", "#0000ff"),)).tolist()
        [[[255, 255, 255], [0, 0, 255]]]
    """
    table = np.full((max(c.id for c in classes) + 1, 3), 255, np.uint8)
    for c in classes:
        table[c.id] = list(bytes.fromhex(c.color.removeprefix("#")))
    return np.asarray(table[ids])


def draw_panels(
    path: Path,
    *,
    scene: UInt8Array,
    predicted: npt.NDArray[np.integer],
    truth: npt.NDArray[np.integer],
    confidence: UInt8Array,
    classes: ClassTable,
    title: str,
) -> None:
    """Draw false colour, map, ground truth and confidence side by side, with a legend.

    Args:
        path: PNG to write.
        scene: (H, W, 3) false colour, see `false_colour`.
        predicted: (H, W) class ids of the map.
        truth: (H, W) class ids of the ground truth, 0 where it is unknown.
        confidence: (H, W) confidence in per cent, 255 where there is no data.
        classes: Class table of map and ground truth.
        title: Title of the figure.
    """
    named = {
        "false colour": scene,
        "map": paint(predicted, classes),
        "ground truth": paint(truth, classes),
    }
    figure, axes = _panels(named, 4, classes, title)
    shown = axes[3].imshow(
        np.ma.masked_equal(confidence, 255),
        vmin=0,
        vmax=100,
        cmap="viridis",
        interpolation="nearest",
    )
    axes[3].set_title("confidence")
    figure.colorbar(shown, ax=axes[3], label="per cent", shrink=0.7)
    _save(figure, path)


def draw_map(
    path: Path,
    *,
    scene: UInt8Array,
    predicted: npt.NDArray[np.integer],
    classes: ClassTable,
    title: str,
) -> None:
    """Draw false colour and map side by side, with a legend.

    Args:
        path: PNG to write.
        scene: (H, W, 3) false colour, see `false_colour`.
        predicted: (H, W) class ids of the map.
        classes: Class table of the map.
        title: Title of the figure.
    """
    named = {"false colour": scene, "map": paint(predicted, classes)}
    figure, _ = _panels(named, 2, classes, title)
    _save(figure, path)


def _panels(
    named: Mapping[str, UInt8Array], count: int, classes: ClassTable, title: str
) -> tuple[Figure, list[Axes]]:
    """A figure of ``count`` panels side by side, the first of them filled, with a legend."""
    figure = Figure(figsize=(4 * count, 4.9), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    axes = list(figure.subplots(1, count))
    for axis, (name, image) in zip(axes, named.items(), strict=False):
        axis.imshow(image, interpolation="nearest")
        axis.set_title(name)
    for axis in axes:
        axis.set_axis_off()
    handles = [Patch(facecolor=c.color, edgecolor="#444444", label=str(c.id)) for c in classes]
    legend = figure.legend(
        handles=handles, loc="outside lower center", ncols=min(2 * count, len(handles)), fontsize=8
    )
    for text, c in zip(legend.get_texts(), classes, strict=True):
        set_text_safely(text, c.name, c.id)  # a legend leaves out labels that begin with _
    set_text_safely(figure.suptitle(""), title, longest=LONGEST_TITLE)
    return figure, axes


def _save(figure: Figure, path: Path) -> None:
    """Write a PNG in one piece, so that a failure is that of any other file."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    path.write_bytes(buffer.getvalue())


def draw_losses(path: Path, rows: Mapping[str, Sequence[float]], *, title: str) -> None:
    """Draw the losses of a run over its steps, smoothed over a fiftieth of them.

    Args:
        path: PNG to write.
        rows: (N,) values of ``step`` and of any number of losses. ``learning_rate`` is not drawn.
        title: Title of the figure.
    """
    figure = Figure(figsize=(8, 4.5), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    axis = figure.subplots()
    width = max(1, len(rows["step"]) // 50)
    for name, values in rows.items():
        if name in ("step", "learning_rate") or not any(values):
            continue
        smooth = np.convolve(values, np.full(width, 1 / width), mode="valid")
        axis.plot(rows["step"][width - 1 :], smooth, label=name)
    axis.set(xlabel="step", ylabel="loss", yscale="log")
    set_text_safely(axis.set_title(""), title, longest=LONGEST_TITLE)
    axis.grid(visible=True, which="both", alpha=0.3)
    axis.legend()
    _save(figure, path)


def draw_benchmark(
    path: Path,
    entries: Sequence[Mapping[str, Any]],
    methods: Sequence[str],
    titles: Sequence[str] = (),
) -> None:
    """Draw accuracy by scene over the number of shots (or over other differences of runs), and calibration.

    Args:
        path: PNG to write.
        entries: Results as in ``results.json`` of `hsi-geo benchmark`, one for each run.
        methods: Names of the methods to draw. Calibration is drawn for the first.
        titles: Title of each entry on the horizontal axis; without titles it shows the number of shots.
    """
    categories = list(dict.fromkeys(titles))
    if titles:
        entries = [
            {**entry, "x": categories.index(title)}
            for entry, title in zip(entries, titles, strict=True)
        ]
    else:
        entries = [{**entry, "x": entry["shots"]} for entry in entries]
    scenes = list(dict.fromkeys(entry["scene"] for entry in entries))
    figure = Figure(figsize=(4 * len(scenes), 8), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(2, len(scenes), squeeze=False)
    for column, scene in enumerate(scenes):
        here = [entry for entry in entries if entry["scene"] == scene]
        for number, method in enumerate(methods):
            own = [entry for entry in here if entry["method"] == method]
            if own:
                _draw_accuracy(axes[0][column], own, number, method)
                if method == methods[0]:
                    _draw_reliability(axes[1][column], own, method)
        axes[0][column].set(title=scene, ylabel="overall accuracy, %")
        if titles:
            axes[0][column].set_xticks(range(len(categories)), categories, rotation=30, ha="right")
        else:
            axes[0][column].set_xlabel("shots a class")
        axes[0][column].grid(visible=True, alpha=0.3)
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4)
    _save(figure, path)


def _draw_accuracy(
    axis: Axes, entries: Sequence[Mapping[str, Any]], number: int, method: str
) -> None:
    positions = sorted({entry["x"] for entry in entries})
    by_position = [[100 * e["oa"] for e in entries if e["x"] == x] for x in positions]
    shifted = [x + 0.02 * number * max(x, 1) for x in positions]  # so that bars do not overlap
    axis.errorbar(
        shifted,
        [float(np.mean(values)) for values in by_position],
        yerr=[float(np.std(values)) for values in by_position],
        marker="o",
        linewidth=2.5 if number == 0 else 1.0,
        capsize=2,
        label=method,
    )


def _draw_reliability(axis: Axes, entries: Sequence[Mapping[str, Any]], method: str) -> None:
    bins = [bin_ for entry in entries for bin_ in entry["reliability"]]
    confidence, accuracy, count = (np.array([bin_[i] for bin_ in bins], float) for i in range(3))
    axis.plot([0, 100], [0, 100], color="#888888", linestyle="--")
    axis.scatter(100 * confidence, 100 * accuracy, s=200 * count / count.max(), alpha=0.4)
    axis.set(
        xlabel="confidence, %",
        ylabel="classified correctly, %",
        title=f"reliability of {method}",
        xlim=(0, 100),
        ylim=(0, 100),
    )
