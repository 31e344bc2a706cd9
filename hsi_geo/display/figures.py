"""Figures that methods called ``plot`` return, as those of TorchGeo's datasets do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from hsi_geo.arrays import UInt8Array
from hsi_geo.display.figure_text import LONGEST_TITLE, set_text_safely
from hsi_geo.display.images import ColoredClass
from hsi_geo.tiling import Grid

#: (left, right, bottom, top) coordinates of an image, as `matplotlib.axes.Axes.imshow` takes them.
Extent = tuple[float, float, float, float]

#: Value of a pixel without per cent.
NO_PERCENT = 255

#: Height of a figure; width of the labels beside an image, and of a column of the legend, in inches.
IMAGE_IN, BESIDE_IN, LEGEND_IN = 4.2, 0.8, 1.7

#: Least and greatest width of an image by its height, so that strips do not make figures of any width.
_ASPECTS = (0.6, 2.0)

#: Most classes in one column of a legend.
_ROWS = 20


def plot_images(
    images: Mapping[str, UInt8Array],
    *,
    classes: Sequence[ColoredClass] = (),
    show_titles: bool = True,
    suptitle: str | None = None,
    extent: Extent | None = None,
) -> Figure:
    """Draw images side by side, with a legend of classes.

    Args:
        images: Images by title: (H, W, 3) colours from 0 to 255, or (H, W) per cent, `NO_PERCENT` for no data.
        classes: Classes of the legend; none draws no legend.
        show_titles: Whether each image has its title above it.
        suptitle: Title of the figure; None for none.
        extent: Coordinates of the images; None hides the axes.

    Returns:
        The figure of `matplotlib.pyplot`. In a script ``matplotlib.pyplot.show()`` opens it.
    """
    columns = -(-len(classes) // _ROWS)
    widths = [IMAGE_IN * _aspect(image, extent) + BESIDE_IN for image in images.values()]
    figure, found = plt.subplots(
        1,
        len(images),
        figsize=(sum(widths) + LEGEND_IN * columns, IMAGE_IN),
        layout="constrained",
        squeeze=False,
    )
    for axis, (title, image) in zip(found[0], images.items(), strict=True):
        _draw(figure, axis, image, extent)
        if show_titles:
            set_text_safely(axis.set_title("", fontsize=10), title, longest=LONGEST_TITLE)
    _add_legend(figure, classes)
    if suptitle is not None:
        set_text_safely(figure.suptitle(""), suptitle, longest=LONGEST_TITLE)
    return figure


def extent_of(grid: Grid) -> Extent | None:
    """Coordinates of an image of a scene; None if its rows do not run along the x axis.

    Args:
        grid: Pixels of the scene.

    Examples:
        >>> from affine import Affine
        >>> extent_of(Grid(4, 20, Affine(30.0, 0.0, 5000.0, 0.0, -30.0, 9000.0), None))
        (5000.0, 5600.0, 8880.0, 9000.0)
    """
    if grid.is_rotated:
        return None
    t = grid.transform
    return t.c, t.c + t.a * grid.width, t.f + t.e * grid.height, t.f


def _aspect(image: UInt8Array, extent: Extent | None) -> float:
    """Width of an image by its height, within `_ASPECTS`."""
    height, width = image.shape[:2]
    if extent is not None:
        left, right, bottom, top = extent
        width, height = abs(right - left), abs(top - bottom)
    return float(np.clip(width / (height or 1.0), *_ASPECTS))


def _draw(figure: Figure, axis: Axes, image: UInt8Array, extent: Extent | None) -> None:
    if image.ndim == 3:
        axis.imshow(image, interpolation="nearest", extent=extent)
    else:
        shown = axis.imshow(
            np.ma.masked_equal(image, NO_PERCENT),
            vmin=0,
            vmax=100,
            cmap="viridis",
            interpolation="nearest",
            extent=extent,
        )
        figure.colorbar(shown, ax=axis, label="per cent", shrink=0.7)
    if extent is None:
        axis.set_axis_off()
        return
    # Coordinates in full: 5818302, not 2 beside an offset of 5.8183e6.
    axis.ticklabel_format(useOffset=False, style="plain")
    axis.tick_params(labelsize=7)
    axis.locator_params(nbins=4)


def _add_legend(figure: Figure, classes: Sequence[ColoredClass]) -> None:
    """Add the legend of classes beside the axes."""
    if not classes:
        return
    handles = [Patch(facecolor=c.color, edgecolor="#444444", label=str(c.id)) for c in classes]
    columns = -(-len(classes) // _ROWS)
    legend = figure.legend(
        handles=handles, loc="outside right center", fontsize=8, ncols=columns, frameon=False
    )
    for text, c in zip(legend.get_texts(), classes, strict=True):
        set_text_safely(text, c.name, c.id)  # a legend leaves out labels that begin with _
