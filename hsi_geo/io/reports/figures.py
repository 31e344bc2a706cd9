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

from hsi_geo.arrays import UInt8Array
from hsi_geo.display.figure_text import LONGEST_TITLE, set_text_safely
from hsi_geo.display.images import paint
from hsi_geo.io.labels.shots import ClassTable


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
        scene: (H, W, 3) false colour, see `display.images.false_colour`.
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
        scene: (H, W, 3) false colour, see `display.images.false_colour`.
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
