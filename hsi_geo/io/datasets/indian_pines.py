"""Indian Pines, the common benchmark scene, from a Python package that contains it.

AVIRIS, 12 June 1992, 145 x 145 pixels of 20 m, 200 bands without those in water vapour, 16 classes
(doi 10.4231/R7RX991C, CC BY 3.0). The scene has no georeference of its own. The grid here puts its
north-west corner approximately at its true location, and the file says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import rasterio
import shapely
from affine import Affine
from pyproj import CRS, Transformer
from rasterio.errors import RasterioError

from hsi_geo.arrays import Float64Array, IntArray, UInt8Array
from hsi_geo.errors import MissingPackageError, OutputError
from hsi_geo.io.labels.geopackages import write_geopackage
from hsi_geo.io.maps.writer import writing
from hsi_geo.tiling import Grid

CLASS_NAMES = (
    "Alfalfa",
    "Corn-notill",
    "Corn-mintill",
    "Corn",
    "Grass-pasture",
    "Grass-trees",
    "Grass-pasture-mowed",
    "Hay-windrowed",
    "Oats",
    "Soybean-notill",
    "Soybean-mintill",
    "Soybean-clean",
    "Wheat",
    "Woods",
    "Buildings-Grass-Trees-Drives",
    "Stone-Steel-Towers",
)

#: Description in the files that `write_scene` writes.
DESCRIPTION = "Indian Pines, AVIRIS 1992, doi 10.4231/R7RX991C, CC BY 3.0"

PIXEL_M = 20.0
NORTH_WEST_DEGREES = (-87.02, 40.46)  # longitude, latitude; good to a kilometre


@dataclass(frozen=True, eq=False)
class LabelledScene:
    """A scene in memory with its ground truth.

    Attributes:
        cube: (C, H, W) stored values.
        centres_nm: (C,) band centres in nm, not monotonic, as the spectrometers overlap.
        truth: (H, W) classes 1..K in the order of ``names``, 0 for unlabelled pixels.
        names: Names of the classes.
        grid: Size, transform and CRS.
    """

    cube: npt.NDArray[np.uint16]
    centres_nm: Float64Array
    truth: UInt8Array
    names: tuple[str, ...]
    grid: Grid


def load_indian_pines() -> LabelledScene:
    """Read the scene and its labels from the package `tensorly`.

    Raises:
        MissingPackageError: If that package is not installed.

    Example:
        >>> scene = load_indian_pines()
        >>> scene.cube.shape, int((scene.truth > 0).sum())
        ((200, 145, 145), 10249)
    """
    spec = find_spec("tensorly")
    if spec is None or spec.origin is None:
        raise MissingPackageError(
            "Indian Pines comes inside the package tensorly, which is not installed",
            hint="pip install tensorly",
        )
    folder = Path(spec.origin).parent / "datasets" / "data"
    cube = np.load(folder / "Indian_pines_corrected.npy").transpose(2, 0, 1)
    truth = np.load(folder / "Indian_pines_gt.npy").astype(np.uint8)
    table = files("hsi_geo.data").joinpath("indian_pines_wavelengths.csv")
    with table.open(encoding="utf-8") as lines:
        centres = np.loadtxt(lines, delimiter=",", skiprows=1, usecols=1)
    height, width = truth.shape
    return LabelledScene(
        np.ascontiguousarray(cube), centres, truth, CLASS_NAMES, _approximate_grid(height, width)
    )


def is_indian_pines(path: Path) -> bool:
    """Whether a file was written by `write_scene`, by its description.

    Args:
        path: Path of the file, which need not exist.
    """
    if not path.is_file():
        return False
    try:
        with rasterio.open(path) as file:
            return bool(file.tags().get("DESCRIPTION") == DESCRIPTION)
    except RasterioError:
        return False


def write_scene(scene: LabelledScene, path: Path, tags: dict[str, Any]) -> None:
    """Write a scene as a GeoTIFF with wavelengths in band tags and in GDAL's IMAGERY domain.

    Args:
        scene: The scene.
        path: Path of the GeoTIFF.
        tags: Tags of the file.

    Raises:
        OutputError: If the file does not contain what was written.
    """
    with writing(path, "scene"):
        _write(scene, path, tags)
        with rasterio.open(path) as file:
            if not np.array_equal(file.read(), scene.cube):
                raise OutputError(
                    f"scene '{path.name}' does not hold what was written to it",
                    hint="check the disk and its free space",
                )


def _write(scene: LabelledScene, path: Path, tags: dict[str, Any]) -> None:
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        height=scene.grid.height,
        width=scene.grid.width,
        count=len(scene.cube),
        dtype=scene.cube.dtype.name,
        crs=scene.grid.crs.to_wkt() if scene.grid.crs is not None else None,
        transform=scene.grid.transform,
        tiled=True,
        blockxsize=64,
        blockysize=64,
        compress="deflate",
        predictor=2,
    ) as file:
        file.write(scene.cube)
        file.update_tags(**tags)
        for band, centre in enumerate(scene.centres_nm, start=1):
            file.update_tags(band, wavelength=f"{centre:.4f}", wavelength_units="Nanometers")
            file.update_tags(band, ns="IMAGERY", CENTRAL_WAVELENGTH_UM=f"{centre / 1e3:.7f}")
            file.set_band_description(band, f"{centre:.2f} Nanometers")


def write_points(scene: LabelledScene, flat: IntArray, path: Path) -> None:
    """Write pixels as points at their centres, with the field ``class``, as a GeoPackage.

    Args:
        scene: The scene with its ground truth.
        flat: (N,) flat indices (row * width + column) of labelled pixels.
        path: Path of the GeoPackage.
    """
    rows, cols = np.divmod(flat, scene.grid.width)
    transform = scene.grid.transform
    xs = transform.c + transform.a * (cols + 0.5)
    ys = transform.f + transform.e * (rows + 0.5)
    names = [scene.names[i - 1] for i in scene.truth.ravel()[flat]]
    frame = gpd.GeoDataFrame({"class": names}, geometry=shapely.points(xs, ys), crs=scene.grid.crs)
    write_geopackage(frame, path)


def _approximate_grid(height: int, width: int) -> Grid:
    crs = CRS.from_epsg(32616)
    x, y = Transformer.from_crs("EPSG:4326", crs, always_xy=True).transform(*NORTH_WEST_DEGREES)
    left, top = (PIXEL_M * round(value / PIXEL_M) for value in (x, y))
    return Grid(height, width, Affine(PIXEL_M, 0.0, left, 0.0, -PIXEL_M, top), crs)
