"""Pictures of reports as data URIs."""

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
from hsi_geo.display.figure_text import set_text_safely
from hsi_geo.io.labels.shots import ClassTable

#: Number of panels of spectra side by side.
COLUMNS = 4

#: A spectrum is interrupted between bands that are farther apart than this many times the median.
GAP = 3.0


def image_uri(image: UInt8Array) -> str:
    """Encode an image as PNG in a data URI.

    Args:
        image: (H, W, 3) or (H, W, 4) colours from 0 to 255.

    Examples:
        >>> image_uri(np.zeros((2, 3, 3), np.uint8))[:22]
        'data:image/png;base64,'
    """
    buffer = io.BytesIO()
    mpl.image.imsave(buffer, image, format="png")
    return _png_uri(buffer)


def percent_uri(percent: UInt8Array, nodata: int) -> str:
    """Draw percentages, dark blue for 0 and yellow for 100.

    Args:
        percent: (H, W) values from 0 to 100, or ``nodata``.
        nodata: Value of pixels without data, which become white.

    Returns:
        Data URI of the picture.
    """
    colors = mpl.colormaps["viridis"](np.minimum(percent, 100) / 100.0)
    colors[percent == nodata] = 1.0
    return image_uri(np.asarray(255 * colors, np.uint8))


def spectra_uri(
    centres_nm: Float64Array,
    of_shots: Float64Array,
    of_map: Float64Array,
    classes: ClassTable,
) -> str:
    """Draw mean spectra, one panel for each class.

    Args:
        centres_nm: (C,) increasing wavelengths.
        of_shots: (K, C) mean spectrum of the pixels under the shots of each class, NaN without any.
        of_map: (K, C) mean spectrum of the pixels that were mapped to each class, NaN without any.
        classes: Class table of K classes.

    Returns:
        Data URI of the picture.
    """
    columns = min(COLUMNS, len(classes))
    rows = math.ceil(len(classes) / columns)
    figure = Figure(figsize=(3.2 * columns, 2.1 * rows + 0.5), dpi=90, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    for axis, c, shot, mapped in zip(axes, classes, of_shots, of_map, strict=False):
        axis.plot(*_with_gaps(centres_nm, shot), color=c.color, linewidth=2.2, label="shots")
        axis.plot(*_with_gaps(centres_nm, mapped), color="#222222", linewidth=1, label="map")
        set_text_safely(axis.set_title("", fontsize=10), c.name, c.id)
        axis.grid(visible=True, alpha=0.3)
    for axis in axes[len(classes) :]:
        axis.set_axis_off()
    figure.supxlabel("wavelength, nm", fontsize=10)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return _png_uri(buffer)


def _with_gaps(
    centres_nm: Float64Array, spectrum: Float64Array
) -> tuple[Float64Array, Float64Array]:
    """A spectrum with NaN in gaps between its bands, where the line is interrupted."""
    steps = np.diff(centres_nm)
    if not len(steps):
        return centres_nm, spectrum
    gaps = np.flatnonzero(steps > GAP * np.median(steps)) + 1
    return np.insert(centres_nm, gaps, np.nan), np.insert(spectrum, gaps, np.nan)


def shades(matrix: IntArray) -> Sequence[Sequence[float]]:
    """Shade the cells of a confusion matrix by their share of the column.

    Args:
        matrix: (K, K) counts.

    Returns:
        (K, K) darkness from 0 to 0.75.

    Examples:
        >>> shades(np.array([[3, 0], [1, 0]]))
        [[0.5625, 0.0], [0.1875, 0.0]]
    """
    totals = np.maximum(matrix.sum(axis=0, keepdims=True), 1)
    found: list[list[float]] = (0.75 * matrix / totals).tolist()
    return found


def _png_uri(buffer: io.BytesIO) -> str:
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
