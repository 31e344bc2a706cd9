"""Pictures of reports, as data URIs."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence

import matplotlib as mpl
import matplotlib.image
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from hsi_geo.arrays import Float64Array, IntArray, UInt8Array
from hsi_geo.io.labels.shots import ClassTable
from hsi_geo.io.reports.figure_text import set_text_safely

#: Spectra side by side.
COLUMNS = 4

#: A line through bands farther apart than this many times the usual distance would be a lie.
GAP = 3.0


def image_uri(image: UInt8Array) -> str:
    """(H, W, 3) or (H, W, 4) colours, a pixel of the picture for each."""
    buffer = io.BytesIO()
    mpl.image.imsave(buffer, image, format="png")
    return _png_uri(buffer)


def percent_uri(percent: UInt8Array, nodata: int) -> str:
    """(H, W) per cent, dark blue for 0 and yellow for 100; nodata is white."""
    colors = mpl.colormaps["viridis"](np.minimum(percent, 100) / 100.0)
    colors[percent == nodata] = 1.0
    return image_uri(np.asarray(255 * colors, np.uint8))


def spectra_uri(
    centres_nm: Float64Array,
    of_shots: Float64Array,
    of_map: Float64Array,
    classes: ClassTable,
) -> str:
    """Mean spectra, one panel a class.

    Args:
        centres_nm: (C,) increasing.
        of_shots: (K, C) mean over the class's shots, NaN where it has none.
        of_map: (K, C) mean over pixels that were mapped to it, likewise.
        classes: K of them.
    """
    columns = min(COLUMNS, len(classes))
    rows = math.ceil(len(classes) / columns)
    figure = Figure(figsize=(3.2 * columns, 2.1 * rows + 0.5), dpi=90, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    for axis, c, shot, mapped in zip(axes, classes, of_shots, of_map, strict=False):
        axis.plot(*_broken(centres_nm, shot), color=c.color, linewidth=2.2, label="shots")
        axis.plot(*_broken(centres_nm, mapped), color="#222222", linewidth=1, label="map")
        set_text_safely(axis.set_title("", fontsize=10), c.name, c.id)
        axis.grid(visible=True, alpha=0.3)
    for axis in axes[len(classes) :]:
        axis.set_axis_off()
    figure.supxlabel("wavelength, nm", fontsize=10)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return _png_uri(buffer)


def _broken(centres_nm: Float64Array, spectrum: Float64Array) -> tuple[Float64Array, Float64Array]:
    """A line that ends before bands that were left out and begins anew behind them."""
    steps = np.diff(centres_nm)
    if not len(steps):
        return centres_nm, spectrum
    gaps = np.flatnonzero(steps > GAP * np.median(steps)) + 1
    return np.insert(centres_nm, gaps, np.nan), np.insert(spectrum, gaps, np.nan)


def shades(matrix: IntArray) -> Sequence[Sequence[float]]:
    """How dark each cell of a confusion matrix is: by its share of the column."""
    totals = np.maximum(matrix.sum(axis=0, keepdims=True), 1)
    found: list[list[float]] = (0.75 * matrix / totals).tolist()
    return found


def _png_uri(buffer: io.BytesIO) -> str:
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
