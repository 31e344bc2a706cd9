"""A figure of shots, with or without the scene below them."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hsi_geo.display.figures import Extent, extent_of, plot_images
from hsi_geo.io.labels.shot_pixels import to_grid
from hsi_geo.io.labels.shots import Shots

#: Share of the extent of the shots that is left free on each side.
MARGIN = 0.06


def plot_shots(
    shots: Shots,
    scene: xr.DataArray | None = None,
    *,
    show_titles: bool = True,
    suptitle: str | None = None,
) -> Figure:
    """Draw shots in the colours of their classes, with a legend.

    Args:
        shots: The shots.
        scene: Scene that is drawn below them, in its CRS; None for none.
        show_titles: Whether the image has its title above it.
        suptitle: Title of the figure; None for none.

    Raises:
        ShotsError: If only one of shots and scene has a CRS, or they are on different planets.
    """
    if scene is None:
        frame = shots.frame
        white = np.full((1, 1, 3), 255, np.uint8)
        images, shown = {"shots": white}, _around(frame)
    else:
        grid = scene.hsi.grid
        frame = to_grid(shots, grid).frame
        image, title = scene.hsi.picture()
        images, extent = {f"shots on {title}": image}, extent_of(grid)
        if extent is None:  # rows do not run along the x axis: draw in pixels
            inverse = ~grid.transform
            matrix = [inverse.a, inverse.b, inverse.d, inverse.e, inverse.c, inverse.f]
            frame = frame.set_geometry(frame.geometry.affine_transform(matrix))
            extent = (0.0, float(grid.width), float(grid.height), 0.0)
        shown = extent
    figure = plot_images(
        images, classes=shots.classes, show_titles=show_titles, suptitle=suptitle, extent=shown
    )
    _draw(figure.axes[0], frame, shots, shown)
    return figure


def _draw(axis: Axes, frame: gpd.GeoDataFrame, shots: Shots, shown: Extent) -> None:
    # Polygons first: a point inside one is seen.
    is_point = frame.geom_type == "Point"
    for order, kind in enumerate((~is_point, is_point), start=2):
        for c in shots.classes:
            own = frame.geometry[kind & (frame["class_id"] == c.id)]
            if len(own):
                own.plot(
                    ax=axis,
                    aspect=None,
                    color=c.color,
                    edgecolor="#222222",
                    linewidth=0.6,
                    markersize=22,
                    zorder=order,
                )
    axis.set(xlim=shown[:2], ylim=shown[2:])


def _around(frame: gpd.GeoDataFrame) -> Extent:
    """The extent of geometries with a margin; at least as wide as a hundredth of the other side."""
    left, bottom, right, top = (float(end) for end in frame.total_bounds)
    span = max(right - left, top - bottom) or 1.0
    margin = MARGIN * span
    return left - margin, right + margin, bottom - margin, top + margin
