"""Files for tests of bad input, each wrong in one way, and the functions that write them."""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import h5py
import numpy as np
import rasterio
import shapely
import xarray as xr
from affine import Affine
from builders import CENTRES, cube_of, nm_tags, write_envi, write_tif
from rasterio.control import GroundControlPoint
from shapely.geometry.base import BaseGeometry

if TYPE_CHECKING:
    from planted import MakeScene

NM = "wavelength units = Nanometers"
LISTED = "wavelength = {462, 551.5, 640.25}"


@dataclass(frozen=True)
class Inputs:
    """A folder with a sound scene and sound shots."""

    folder: Path
    make_scene: MakeScene

    @property
    def scene(self) -> Path:
        return self.folder / "scene.tif"

    @property
    def shots(self) -> gpd.GeoDataFrame:
        return gpd.read_file(self.folder / "shots.gpkg")


Write = Callable[[Inputs, Path], object]


def text(content: str = "no data here\n") -> Write:
    return lambda inputs, path: path.write_text(content, encoding="utf-8")


def text_beside(suffix: str) -> Write:
    """A text file of the same name with another suffix."""
    return lambda inputs, path: path.with_suffix(suffix).write_text("earlier\n", encoding="utf-8")


def folder(inputs: Inputs, path: Path) -> None:
    path.mkdir()


def scene(**options: Any) -> Write:
    """The sound scene with some options of `write_planted` changed."""
    return lambda inputs, path: inputs.make_scene(path.name, **options)


def cut_short(inputs: Inputs, path: Path) -> None:
    whole = inputs.scene.read_bytes()
    path.write_bytes(whole[: len(whole) // 3])


def all_nodata(inputs: Inputs, path: Path) -> None:
    cube = np.full((4, 37, 53), -1, "int16")
    write_tif(path, cube, band_tags=nm_tags(CENTRES), nodata=-1)


def ground_control_points(inputs: Inputs, path: Path) -> None:
    points = [
        GroundControlPoint(r, c, 500.0 + 30 * c, 900.0 - 20 * r)
        for r, c in ((0, 0), (0, 7), (5, 0))
    ]
    with rasterio.open(
        path, "w", driver="GTiff", height=5, width=7, count=3, dtype="int16",
        gcps=points, crs="EPSG:32633",
    ) as file:  # fmt: skip
        file.write(cube_of(3))


def envi(*lines: str, without: str | None = None) -> Write:
    """An ENVI cube of 3 bands with these lines in its header; ``without`` one of its two files."""

    def write(inputs: Inputs, path: Path) -> None:
        write_envi(path.with_suffix(".bsq"), cube_of(3), *lines)
        if without is not None:
            path.with_suffix(without).unlink()

    return write


def hdf5(*datasets: str) -> Write:
    def write(inputs: Inputs, path: Path) -> None:
        with h5py.File(path, "w") as file:
            for dataset in datasets:
                file[dataset] = cube_of(3)

    return write


def netcdf(**coords: Any) -> Write:
    def write(inputs: Inputs, path: Path) -> None:
        array = xr.DataArray(cube_of(3), dims=("wavelength", "y", "x"), coords=coords)
        array.to_dataset(name="cube").to_netcdf(path, engine="h5netcdf")

    return write


def zipped(*names: str) -> Write:
    def write(inputs: Inputs, path: Path) -> None:
        with zipfile.ZipFile(path, "w") as archive:
            for name in names:
                archive.writestr(name, b"...")

    return write


def raster(cube: Any) -> Write:
    return lambda inputs, path: write_tif(path, cube)


def shots(change: Callable[[gpd.GeoDataFrame], gpd.GeoDataFrame]) -> Write:
    """The sound shots after a change."""

    def write(inputs: Inputs, path: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # one case has no CRS
            change(inputs.shots).to_file(path)

    return write


def column(name: str, value: Any) -> Write:
    """The sound shots with a column changed or added."""
    return shots(lambda frame: frame.assign(**{name: value}))


def shape(geometry: BaseGeometry | None) -> Write:
    """The sound shots, all with the same geometry."""
    return shots(lambda frame: frame.set_geometry([geometry] * len(frame)).set_crs(32633))


def on_nodata(frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Each class on a nodata pixel of its own."""
    column = frame["class"].map({"meadow": 5, "asphalt": 7, "water": 9}).to_numpy() + 0.5
    return frame.set_geometry(shapely.points(383472.5 + 30 * column, 5818302.25 - 20 * 4.5))


def two_layers(inputs: Inputs, path: Path) -> None:
    for layer in ("first", "second"):
        inputs.shots.to_file(path, layer=layer)


def polygon(left: float, bottom: float) -> Write:
    box = shapely.box(left, bottom, left + 100, bottom + 100)
    return lambda inputs, path: gpd.GeoDataFrame(geometry=[box], crs=32633).to_file(path)


def table_with_prj(inputs: Inputs, path: Path) -> None:
    path.write_text("x,y,class\n1,2,a\n3,4,b\n", encoding="utf-8")
    path.with_suffix(".prj").write_text("nowhere", encoding="utf-8")


FILES: dict[str, Write] = {
    # scenes
    "notes.txt": text(),
    "notes.md": text(),
    "empty.tif": text(""),
    "folder": folder,
    "short.tif": cut_short,
    "plain.tif": scene(wavelengths=False),
    "rotated.tif": scene(transform=Affine(20.0, 10.0, 383472.5, 10.0, -20.0, 5818302.25)),
    "points.tif": ground_control_points,
    "flat.tif": scene(transform=Affine(0, 0, 5, 0, 0, 9)),
    "void.tif": all_nodata,
    "zero.bsq": envi(NM, "wavelength = {462, 0, 640}"),
    "bad.bsq": envi(NM, LISTED, "bbl = {0, 0, 0}"),
    "index.bsq": envi("wavelength units = Index", "wavelength = {1, 2, 3}"),
    "two.bsq": envi(NM, "wavelength = {462, 551}"),
    "alone.bsq": envi(NM, LISTED, without=".hdr"),
    "alone.hdr": envi(NM, LISTED, without=".bsq"),
    "damaged.zip": text(),
    "other.zip": zipped("a.txt", "b.he5"),
    "enmap.zip": zipped("X-METADATA.XML", "X-SPECTRAL_IMAGE.JPG"),
    "level1.he5": hdf5("HDFEOS/SWATHS/PRS_L1_HCO/Data Fields/VNIR_Cube"),
    "prisma.he5": hdf5("HDFEOS/SWATHS/PRS_L2D_HCO/Data Fields/VNIR_Cube"),
    "neon.h5": hdf5("SJER/Reflectance/Reflectance_Data"),
    "none.h5": hdf5(),
    "cube.h5": hdf5("cube"),
    "uneven.nc": netcdf(
        wavelength=[462.0, 551.0, 640.0], y=np.arange(5.0), x=[0, 1, 2, 3, 4, 5, 9.0]
    ),
    "nowhere.tif": scene(crs=None),
    # wavelengths
    "three.txt": text("400\n500\n600\n"),
    "colours.txt": text("blue\nred\n"),
    # shots
    "no_shots.gpkg": shots(lambda frame: frame.iloc[:0]),
    "no_geometry.gpkg": shape(None),
    "empty_geometry.gpkg": shape(shapely.Point()),
    "table.csv": text("class,owner\nrye,me\noats,you\n"),
    "prj.csv": table_with_prj,
    "outside.gpkg": shots(lambda frame: frame.set_geometry(frame.translate(1e6, 0))),
    "far.gpkg": shape(shapely.LineString([(0, 0), (1e13, 1e13)])),
    "no_crs.gpkg": shots(lambda frame: frame.set_crs(None, allow_override=True)),
    "one_class.gpkg": column("class", "meadow"),
    "no_class.gpkg": column("class", None),
    "on_nodata.gpkg": shots(on_nodata),
    "one_spot.gpkg": shots(lambda f: f.set_geometry([f.geometry[0]] * len(f))),
    "two_fields.gpkg": column("label", "x"),
    "two_layers.gpkg": two_layers,
    "fractions.tif": raster(cube_of(1, dtype="float32") + np.float32(0.5)),
    "zeros.tif": raster(np.zeros((1, 5, 7), "uint8")),
    "twice.csv": text("x,y,class,class\n1,2,a,b\n3,4,c,d\n"),
    # areas
    "points.gpkg": shots(lambda frame: frame),
    "elsewhere.gpkg": polygon(0, 0),
    "area.json": text(),
    # outputs
    "exists.tif": text(),
    "styled.tif": text_beside(".qml"),
    "shots.tif": text_beside(".qml"),
    "folder.tif": folder,
}
