"""A scene with known classes, and a reporter that records messages."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import shapely
from affine import Affine
from builders import NORTH_UP, nm_tags, write_tif

from hsi_geo.progress import SilentReporter


@dataclass(frozen=True)
class Planted:
    """A scene file with known classes.

    Attributes:
        path: Path of the GeoTIFF.
        truth: (H, W) class 1..K of every pixel, 0 in the nodata hole.
        names: Names of the classes, in the order of their ids in ``truth``.
        centres_nm: (C,) band centres in the order of the file.
        transform: Transform of the grid.
        crs: CRS as text, None for a scene without one.
        values: (C, H, W) stored values.
    """

    path: Path
    truth: npt.NDArray[np.int64]
    names: tuple[str, ...]
    centres_nm: npt.NDArray[np.float64]
    transform: Affine
    crs: str | None
    values: npt.NDArray[np.int16]

    def shots(self, path: Path, per_class: int = 4, crs: str | None = "same") -> Path:
        """Write points at pixel centres, spread over each class, with a text field ``class``."""
        rows, cols, names = [], [], []
        for index, name in enumerate(self.names, start=1):
            at = np.argwhere(self.truth == index)
            picked = at[np.linspace(0, len(at) - 1, per_class + 2).round().astype(int)[1:-1]]
            rows += [row for row, _ in picked]
            cols += [col for _, col in picked]
            names += [name] * per_class
        t, x, y = self.transform, np.array(cols) + 0.5, np.array(rows) + 0.5
        xs, ys = t.a * x + t.b * y + t.c, t.d * x + t.e * y + t.f
        frame = gpd.GeoDataFrame({"class": names}, geometry=shapely.points(xs, ys), crs=self.crs)
        if crs != "same":
            frame = frame.to_crs(crs)
        with warnings.catch_warnings():
            if self.crs is None:  # pyogrio warns that the file has no CRS
                warnings.simplefilter("ignore", UserWarning)
            frame.to_file(path, driver="GPKG")
        return path


NODATA = -999


def write_planted(
    path: Path,
    *,
    height: int = 37,
    width: int = 53,
    bands: int = 40,
    crs: str | None = "EPSG:32633",
    transform: Affine | None = None,
    hole: bool = True,
    order: npt.NDArray[np.intp] | None = None,
    wavelengths: bool = True,
    seed: int = 7,
    **profile: Any,
) -> Planted:
    """Write a scene of three classes in patches of different sizes.

    Nothing is symmetric, so that exchanged axes or bands fail a test: each band has its own
    wavelength, level and gain, height and width differ, and pixels are not square. ``order``
    permutes the bands with their wavelengths.
    """
    generator = np.random.default_rng(seed)
    transform = transform or NORTH_UP
    centres = np.linspace(420.0, 1300.0, bands) + 3.0 * np.sin(np.arange(bands))
    truth = np.ones((height, width), np.int64)
    truth[:, int(0.4 * width) :] = 2
    truth[int(0.6 * height) :, : int(0.7 * width)] = 3
    spectra = 2000 + 600 * np.stack(
        [np.sin(centres / 150.0), np.cos(centres / 210.0), np.sin(centres / 90.0 + 1.0)]
    )
    gains = np.linspace(0.5, 2.0, bands)
    cube = spectra[truth - 1].transpose(2, 0, 1) * gains[:, None, None]
    cube = cube + 40.0 * generator.standard_normal(cube.shape)
    values = np.rint(cube).astype(np.int16)
    if hole and height > 12 and width > 12:
        truth[3:7, 5:10] = 0
        values[:, 3:7, 5:10] = NODATA
    order = np.arange(bands) if order is None else order
    values, centres = values[order], centres[order]
    tags = nm_tags(list(centres)) if wavelengths else ()
    options = {"crs": crs, "transform": transform, "nodata": NODATA, **profile}
    write_tif(path, values, band_tags=tags, **options)
    names = ("meadow", "asphalt", "water")
    return Planted(path, truth, names, centres, transform, crs, values)


MakeScene = Callable[..., Planted]


class Recorder(SilentReporter):
    """A reporter that records all calls.

    Attributes:
        stages: (stage, done, total) of each call of `progress`.
        logs: Messages of `log`.
        warnings: Messages of `warning`.
    """

    def __init__(self) -> None:
        self.stages: list[tuple[str, int, int]] = []
        self.logs: list[str] = []
        self.warnings: list[str] = []

    def progress(self, stage: str, done: int, total: int) -> None:
        self.stages.append((stage, done, total))

    def log(self, message: str) -> None:
        self.logs.append(message)

    def warning(self, message: str) -> None:
        self.warnings.append(message)
