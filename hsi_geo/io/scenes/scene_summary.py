"""What a notebook shows of a scene, and a figure of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from hsi_geo.display.summaries import SIDE_PX, Summary, crs_text, picture_or_none
from hsi_geo.errors import OptionError, WavelengthError
from hsi_geo.io.scenes.composites import COMPOSITES
from hsi_geo.io.scenes.declared_values import NODATA, SCALE, declared
from hsi_geo.io.scenes.previews import composite, is_quick
from hsi_geo.io.scenes.properties import bands_of, grid_of, name_of, remarks_of
from hsi_geo.text import plain, quoted
from hsi_geo.tiling import Grid
from hsi_geo.wavelengths import Bands

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Ranges of wavelengths in nm, by their usual names.
RANGES = {
    "visible": (0.0, 700.0),
    "near infrared": (700.0, 1000.0),
    "short-wave infrared 1": (1000.0, 1800.0),
    "short-wave infrared 2": (1800.0, 3000.0),
    "longer": (3000.0, np.inf),
}

#: Short names of units of coordinates.
UNITS = {"metre": "m", "meter": "m", "degree": "degrees"}

#: Most warnings that a summary shows.
MOST_WARNINGS = 2


def summarize_scene(scene: xr.DataArray, *, with_picture: bool) -> Summary:
    """Describe a scene without reading its pixels, except for a small picture.

    Args:
        scene: Array of any dimensions and coordinates.
        with_picture: Whether three bands are read for a picture. A large file, or one in an archive, is not read.

    Example:
        >>> from hsi_geo.io.scenes.scene import scene_from_array
        >>> scene = scene_from_array(np.ones((2, 3, 4)), np.array([550.0, 660.0]), name="a")
        >>> summarize_scene(scene, with_picture=False).title
        'Scene a: 3 rows, 4 columns, 2 bands'
    """
    if scene.ndim != 3 or scene.dims[0] != "band" or "wavelength" not in scene.coords:
        dims = ", ".join(map(str, scene.dims)) or "none"
        return Summary("Not a scene", [f"dimensions: {dims}; wanted: band, y, x and wavelengths"])
    try:
        bands = bands_of(scene)
    except WavelengthError as error:
        return Summary("Not a scene", [str(error)])
    grid, name = grid_of(scene), name_of(scene)
    facts = [f"file: {name}"] if "driver" in scene.attrs else []
    facts += [_of_grid(grid), _of_values(scene)]
    facts += [f"warning: {one}" for one in remarks_of(scene).warnings[:MOST_WARNINGS]]
    picture, caption = None, ""
    if with_picture and is_quick(scene):
        found: list[str] = []  # the title of the picture

        def draw() -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
            image, title = composite(scene, SIDE_PX)
            found.append(title)
            return image

        picture = picture_or_none(draw)
        caption = found[0] if found else ""
    elif with_picture:
        facts.append("picture: scene.hsi.plot()")
    height, width = grid.shape
    return Summary(
        f"Scene {_short(name)}: {height} rows, {width} columns, {len(bands.good)} bands",
        facts,
        ("wavelengths", "good bands", "bands"),
        _ranges(scene, bands),
        "good bands",
        picture=picture,
        caption=caption,
    )


def plot_scene(
    scene: xr.DataArray,
    *,
    composite_name: str = "colour infrared",
    show_titles: bool = True,
    suptitle: str | None = None,
) -> Figure:
    """Draw a scene.

    Args:
        scene: (band, y, x) array.
        composite_name: Bands that are shown as red, green and blue, a key of `composites.COMPOSITES`.
        show_titles: Whether the name of the composite is shown above the image.
        suptitle: Title of the figure; None for none.

    Returns:
        The figure of `matplotlib.pyplot`.

    Raises:
        OptionError: If there is no such composite.
    """
    from hsi_geo.display.figures import extent_of, plot_images  # imports matplotlib

    if composite_name not in COMPOSITES:
        raise OptionError(
            f"there is no composite '{composite_name}'",
            hint=f"choose one of {quoted(list(COMPOSITES))}",
        )
    image, title = composite(scene, wanted=composite_name)
    return plot_images(
        {title: image},
        show_titles=show_titles,
        suptitle=suptitle,
        extent=extent_of(grid_of(scene)),
    )


def _short(name: str) -> str:
    """The last part of a path."""
    return plain(name).replace("\\", "/").rstrip("/").rpartition("/")[2] or plain(name)


def _of_grid(grid: Grid) -> str:
    x, y = grid.resolution
    named = grid.crs.axis_info[0].unit_name.lower() if grid.crs and grid.crs.axis_info else ""
    unit = f" {UNITS.get(named, named)}" if named else ""
    rotated = f", rotated by {grid.rotation_degrees:.1f} degrees" if grid.is_rotated else ""
    return f"grid: {crs_text(grid.crs)}, pixels of {x:.6g} x {y:.6g}{unit}{rotated}"


def _of_values(scene: xr.DataArray) -> str:
    parts = [str(scene.dtype)]
    for name, title in ((SCALE, "scale"), (NODATA, "no data")):
        found = declared(scene, name)
        values = np.unique(np.atleast_1d(np.nan if found is None else found))
        if not (np.isnan(values).all() or (name == SCALE and (values == 1).all())):
            parts.append(f"{title} {values[0]:g}" if len(values) == 1 else f"{title} by band")
    return f"values: {', '.join(parts)}"


def _ranges(scene: xr.DataArray, bands: Bands) -> Sequence[Sequence[str]]:
    """Name, number of good bands and number of bands of each range that has any."""
    if scene.attrs.get("wavelength_option") == "index":
        return [("unknown", str(int(bands.good.sum())), str(len(bands.good)))]
    rows = []
    for name, (low, high) in RANGES.items():
        here = (bands.centres_nm >= low) & (bands.centres_nm < high)
        if here.any():
            centres = bands.centres_nm[here]
            title = f"{name} ({centres.min():.0f}-{centres.max():.0f} nm)"
            rows.append((title, str(int(bands.good[here].sum())), str(int(here.sum()))))
    return rows
