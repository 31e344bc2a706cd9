"""Pictures and times of what is made of a map: polygons, change and a sample.

    python docs/measurements/map_products.py ../shared/data

It draws polygons of the simulated fields' true classes, smoothed and not, a change between two maps of them, and a
sample, writes `docs/polygons.png`, `docs/change.png` and `docs/sample.png`, and prints times of a large map.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import geopandas as gpd
import numpy as np
import rasterio
import scipy.ndimage
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from hsi_geo import compare, polygons, sample
from hsi_geo.arrays import AnyArray
from hsi_geo.display.images import paint
from hsi_geo.io.labels.shots import LandClass
from hsi_geo.io.maps.legend import read_legend
from hsi_geo.io.maps.reader import read_map

DOCS = Path(__file__).parents[1]

#: (left, bottom, right, top) of the detail that is drawn, as rows and columns of the map.
DETAIL = (slice(60, 100), slice(50, 110))

#: Side of the large map in pixels.
LARGE_PX = 6000


def main() -> None:
    """Draw the pictures and print the times."""
    truth = Path(sys.argv[1]) / "simulated_fields" / "simulated_fields_truth.tif"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with rasterio.open(truth) as file:
            classes, profile = _whole(file.read(1)), file.profile
        old = _write(folder / "old.tif", _with_noise(classes), profile)
        draw_polygons(old, folder)
        later = classes.copy()
        later[120:150, 100:160] = classes[4, 4]
        later[40:75, 70:85] = classes[140, 150]
        new = _write(folder / "new.tif", _with_noise(later, seed=2), profile)
        draw_change(old, new, folder)
        draw_sample(old, folder)
        print_times(folder)


def _whole(classes: AnyArray) -> AnyArray:
    """The classes, with the nearest one where there is none: a map has no gaps between fields."""
    nearest = scipy.ndimage.distance_transform_edt(
        classes == 0, return_distances=False, return_indices=True
    )
    return np.asarray(classes[tuple(nearest)])


def _with_noise(classes: AnyArray, seed: int = 1) -> AnyArray:
    """The classes, with wrong patches as a map has them."""
    noise = np.random.default_rng(seed).normal(size=classes.shape)
    wrong = scipy.ndimage.gaussian_filter(noise, 1.2) > 0.42
    return np.where(wrong & (classes > 0), classes % classes.max() + 1, classes).astype(np.uint8)


def _write(path: Path, classes: AnyArray, profile: dict[str, object]) -> Path:
    with rasterio.open(path, "w", **{**profile, "dtype": "uint8", "nodata": 0}) as file:
        file.write(classes, 1)
    return path


def _figure(count: int) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(4.6 * count, 4.2), dpi=90, layout="constrained")
    FigureCanvasAgg(figure)
    axes = list(figure.subplots(1, count))
    for axis in axes:
        axis.set_axis_off()
    return figure, axes


def _painted(path: Path) -> tuple[AnyArray, tuple[float, float, float, float]]:
    opened = read_map(path)
    values = opened.read(opened.grid.window).filled(0)
    legend = read_legend(opened, opened.counts())
    table = [LandClass(i, c.name, c.color) for i, c in enumerate(legend.values(), start=1)]
    ids = np.zeros(values.shape, np.int64)
    for number, value in enumerate(legend, start=1):
        ids[values == value] = number
    left, bottom, right, top = opened.grid.bounds
    return paint(ids, table), (left, right, bottom, top)


def draw_polygons(path: Path, folder: Path) -> None:
    """A detail of a map, its polygons, and its smoothed polygons."""
    figure, axes = _figure(3)
    image, extent = _painted(path)
    axes[0].imshow(image, extent=extent, interpolation="nearest")
    colors = {c.id: c.color for c in read_legend(read_map(path), read_map(path).counts()).values()}
    for axis, smooth in ((axes[1], 0), (axes[2], 3)):
        out = folder / f"smooth_{smooth}.gpkg"
        polygons(path, out, smooth=smooth)
        frame = gpd.read_file(out, layer=out.stem)
        frame.plot(
            ax=axis, color=[colors[c] for c in frame["class"]], edgecolor="#222222", linewidth=0.4
        )
    grid = read_map(path).grid
    rows, cols = DETAIL
    (left, top), (right, bottom) = (
        grid.transform @ (col, row)
        for row, col in ((rows.start, cols.start), (rows.stop, cols.stop))
    )
    for axis, title in zip(axes, ("map", "polygons", "polygons, --smooth 3"), strict=True):
        axis.set(xlim=(left, right), ylim=(bottom, top), aspect="equal", title=title)
    figure.savefig(DOCS / "polygons.png")


def draw_change(old: Path, new: Path, folder: Path) -> None:
    """Two maps and the map of change."""
    out = folder / "change.tif"
    compare(old, new, out=out)
    figure, axes = _figure(3)
    for axis, path, title in zip(
        axes, (old, new, out), ("old map", "new map", "change"), strict=True
    ):
        image, extent = _painted(path)
        axis.imshow(image, extent=extent, interpolation="nearest")
        axis.set_title(title)
    figure.savefig(DOCS / "change.png")


def draw_sample(path: Path, folder: Path) -> None:
    """A stratified sample on its map."""
    out = folder / "visit.gpkg"
    found = sample(path, out, target_se=0.02)
    figure, axes = _figure(2)
    image, extent = _painted(path)
    axes[0].imshow(image, extent=extent, interpolation="nearest")
    axes[0].set_title("map")
    axes[1].imshow(image, extent=extent, interpolation="nearest", alpha=0.45)
    gpd.read_file(out, layer="visit").plot(
        ax=axes[1], color="#ffffff", edgecolor="#222222", markersize=14
    )
    axes[1].set_title(f"{found.places} places to check")
    figure.savefig(DOCS / "sample.png")


def print_times(folder: Path) -> None:
    """Time of polygons of a large map of small patches."""
    noise = np.random.default_rng(0).normal(size=(6, 1000, LARGE_PX)).astype(np.float32)
    block = scipy.ndimage.gaussian_filter(noise, (0, 3, 3)).argmax(axis=0).astype(np.uint8) + 1
    path = folder / "large.tif"
    with rasterio.open(
        path, "w", driver="GTiff", height=LARGE_PX, width=LARGE_PX, count=1, dtype="uint8", nodata=0,
        crs="EPSG:32633", transform=rasterio.Affine(30, 0, 4e5, 0, -30, 5e6), tiled=True,
    ) as file:  # fmt: skip
        for row in range(0, LARGE_PX, 1000):
            file.write(block, 1, window=rasterio.windows.Window(0, row, LARGE_PX, 1000))
    for smooth in (0, 3):
        start = time.perf_counter()
        found = polygons(path, folder / f"large_{smooth}.gpkg", smooth=smooth)
        seconds = time.perf_counter() - start
        print(
            f"{LARGE_PX} x {LARGE_PX} pixels, smooth {smooth}: {found.count} polygons in {seconds:.0f} s"
        )


if __name__ == "__main__":
    main()
