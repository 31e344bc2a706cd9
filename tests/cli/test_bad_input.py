"""Bad input of every kind: one sentence with a cure, exit 1, nothing on disk changed."""

from __future__ import annotations

import re
import warnings
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import h5py
import numpy as np
import pytest
import rasterio
import shapely
import xarray as xr
from affine import Affine
from builders import CENTRES, cube_of, nm_tags, run, snapshot, write_envi, write_tif
from rasterio.control import GroundControlPoint
from shapely.geometry.base import BaseGeometry

if TYPE_CHECKING:
    from planted import MakeScene, Planted

NM = "wavelength units = Nanometers"
LISTED = "wavelength = {462, 551.5, 640.25}"


@dataclass(frozen=True)
class Case:
    """A folder with a sound scene and sound shots, for something to go wrong with."""

    folder: Path
    scene: Path
    shots: Path
    make_scene: MakeScene

    def text(self, name: str, content: str = "no data here\n") -> Path:
        path = self.folder / name
        path.write_text(content, encoding="utf-8")
        return path

    def bytes(self, name: str, content: bytes) -> Path:
        path = self.folder / name
        path.write_bytes(content)
        return path

    def made(self, name: str) -> Path:
        path = self.folder / name
        path.mkdir()
        return path

    def frame(self) -> gpd.GeoDataFrame:
        return gpd.read_file(self.shots)

    def drawn(self, frame: gpd.GeoDataFrame, name: str = "drawn.gpkg") -> Path:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # no CRS, as one case wants it
            frame.to_file(self.folder / name)
        return self.folder / name


Make = Callable[[Case], Sequence[object]]


def info(build: Callable[[Case], object], *extra: object) -> Make:
    """``info`` of a scene."""
    return lambda case: ("info", build(case), *extra)


def shots(build: Callable[[Case], object], *extra: object) -> Make:
    """``info`` of the sound scene with shots."""
    return lambda case: ("info", case.scene, "--shots", build(case), *extra)


def classify(out: str = "map.tif", *extra: object, scene: Any = None, shots: Any = None) -> Make:
    """``classify``, some of its files replaced."""
    return lambda case: (
        "classify",
        case.scene if scene is None else scene(case),
        "--shots",
        case.shots if shots is None else shots(case),
        "-o",
        case.folder / out,
        *extra,
    )


def after(prepare: Callable[[Case], object], make: Make) -> Make:
    """Something else to be made first."""

    def build(case: Case) -> Sequence[object]:
        prepare(case)
        return make(case)

    return build


# Scenes ---------------------------------------------------------------------------------------


def short(case: Case) -> Path:
    whole = case.scene.read_bytes()
    (case.folder / "short.tif").write_bytes(whole[: len(whole) // 3])
    return case.folder / "short.tif"


def rotated(case: Case) -> Path:
    turned = Affine(20.0, 10.0, 383472.5, 10.0, -20.0, 5818302.25)
    return case.make_scene("rotated.tif", transform=turned).path


def envi(*lines: str) -> Callable[[Case], Path]:
    return lambda case: write_envi(case.folder / "cube.bsq", cube_of(3), *lines)


def header_alone(case: Case) -> Path:
    path = write_envi(case.folder / "cube.bsq", cube_of(3), NM, LISTED)
    path.unlink()
    return path.with_suffix(".hdr")


def cube_alone(case: Case) -> Path:
    path = write_envi(case.folder / "cube.bsq", cube_of(3), NM, LISTED)
    path.with_suffix(".hdr").unlink()
    return path


def points_only(case: Case) -> Path:
    points = [
        GroundControlPoint(r, c, 500.0 + 30 * c, 900.0 - 20 * r)
        for r, c in ((0, 0), (0, 7), (5, 0))
    ]
    path = case.folder / "raw.tif"
    with rasterio.open(
        path, "w", driver="GTiff", height=5, width=7, count=3, dtype="int16",
        gcps=points, crs="EPSG:32633",
    ) as file:  # fmt: skip
        file.write(cube_of(3))
    return path


def hdf5(name: str, *datasets: str) -> Callable[[Case], Path]:
    def build(case: Case) -> Path:
        with h5py.File(case.folder / name, "w") as file:
            for dataset in datasets:
                file[dataset] = cube_of(3)
        return case.folder / name

    return build


def netcdf(**coords: Any) -> Callable[[Case], Path]:
    def build(case: Case) -> Path:
        array = xr.DataArray(cube_of(3), dims=("wavelength", "y", "x"), coords=coords)
        array.to_dataset(name="cube").to_netcdf(case.folder / "a.nc", engine="h5netcdf")
        return case.folder / "a.nc"

    return build


def zipped(*names: str) -> Callable[[Case], Path]:
    def build(case: Case) -> Path:
        with zipfile.ZipFile(case.folder / "a.zip", "w") as archive:
            for name in names:
                archive.writestr(name, b"...")
        return case.folder / "a.zip"

    return build


def whole_of_nothing(case: Case) -> Path:
    return write_tif(
        case.folder / "void.tif",
        np.full((4, 37, 53), -1, "int16"),
        band_tags=nm_tags(CENTRES),
        nodata=-1,
    )


# Shots ----------------------------------------------------------------------------------------


def column(name: str, values: Any) -> Callable[[Case], Path]:
    """The sound shots with one column changed or added."""

    def build(case: Case) -> Path:
        return case.drawn(case.frame().assign(**{name: values}))

    return build


def moved(case: Case) -> Path:
    frame = case.frame()
    return case.drawn(frame.set_geometry(frame.translate(1e6, 0)))


def in_the_hole(case: Case) -> Path:
    """Each class on a nodata pixel of its own."""
    frame = case.frame()
    column = frame["class"].map({"meadow": 5, "asphalt": 7, "water": 9}).to_numpy() + 0.5
    return case.drawn(
        frame.set_geometry(shapely.points(383472.5 + 30 * column, 5818302.25 - 20 * 4.5))
    )


def on_one_spot(case: Case) -> Path:
    frame = case.frame()
    return case.drawn(frame.set_geometry([frame.geometry[0]] * len(frame)))


def geometry(shape: BaseGeometry | None) -> Callable[[Case], Path]:
    def build(case: Case) -> Path:
        frame = case.frame()
        return case.drawn(frame.set_geometry([shape] * len(frame)).set_crs(32633))

    return build


def two_layers(case: Case) -> Path:
    path = case.drawn(case.frame())
    case.frame().to_file(path, layer="second")
    return path


def polygons(left: float, bottom: float) -> Callable[[Case], Path]:
    def build(case: Case) -> Path:
        box = shapely.box(left, bottom, left + 100, bottom + 100)
        return case.drawn(gpd.GeoDataFrame(geometry=[box], crs=32633), "area.gpkg")

    return build


BAD: dict[str, tuple[Make, str]] = {
    # scenes
    "scene missing": (info(lambda c: c.folder / "none.tif"), "scene '.*none.tif' does not exist"),
    "scene is text": (info(lambda c: c.text("notes.txt")), "notes.txt' is not a raster"),
    "scene is empty": (info(lambda c: c.text("a.tif", "")), "a.tif' is not a raster"),
    "scene is a folder": (info(lambda c: c.made("folder")), "is a folder, and neither an EnMAP"),
    "scene cut short": (classify(scene=short), "short.tif'"),
    "scene without wavelengths": (
        info(lambda c: c.make_scene("plain.tif", wavelengths=False).path),
        "40 bands and no wavelengths; give them with --wavelengths FILE",
    ),
    "scene rotated": (classify(scene=rotated), "rotated by .* gdalwarp"),
    "scene of control points": (
        info(points_only),
        "3 ground control points and no grid; .*gdalwarp",
    ),
    "scene on one point": (
        info(lambda c: c.make_scene("flat.tif", transform=Affine(0, 0, 5, 0, 0, 9)).path),
        "which gives its pixels no size",
    ),
    "scene of nodata": (classify(scene=whole_of_nothing), "are nodata in the scene; draw shots"),
    "band at 0 nm": (
        info(envi(NM, "wavelength = {462, 0, 640}")),
        "band 2 has the wavelength 0 nm",
    ),
    "all bands bad": (info(envi(NM, LISTED, "bbl = {0, 0, 0}")), "all 3 bands are marked bad"),
    "bands only counted": (
        info(envi("wavelength units = Index", "wavelength = {1, 2, 3}")),
        "3 bands and no wavelengths",
    ),
    "list of other length": (
        info(envi(NM, "wavelength = {462, 551}")),
        "3 bands and no wavelengths",
    ),
    "cube without header": (info(cube_alone), "cube.bsq' is not a raster.*its .hdr beside it"),
    "header without cube": (info(header_alone), "cube.hdr' is not a raster"),
    "archive damaged": (info(lambda c: c.text("a.zip")), "is no archive that can be read"),
    "archive of other things": (info(zipped("a.txt", "b.he5")), "holds 2 files and no GeoTIFF"),
    "product without image": (
        info(zipped("X-METADATA.XML", "X-SPECTRAL_IMAGE.JPG")),
        "a METADATA.XML and no SPECTRAL_IMAGE; give the whole",
    ),
    "PRISMA of level 1": (
        info(hdf5("a.he5", "HDFEOS/SWATHS/PRS_L1_HCO/Data Fields/VNIR_Cube")),
        "without a map grid .*; download the L2D",
    ),
    "PRISMA without its lists": (
        info(hdf5("a.he5", "HDFEOS/SWATHS/PRS_L2D_HCO/Data Fields/VNIR_Cube")),
        "laid out otherwise than PRISMA L2D files are .*List_Cw_Vnir",
    ),
    "NEON without metadata": (
        info(hdf5("a.h5", "SJER/Reflectance/Reflectance_Data")),
        "laid out otherwise than NEON reflectance files are",
    ),
    "HDF5 without a cube": (info(hdf5("a.h5")), "holds no three-dimensional variable; give the"),
    "HDF5 with nameless axes": (
        info(hdf5("a.h5", "cube")),
        "none of them is known to be its bands",
    ),
    "HDF5 afar": (info(lambda c: "/vsicurl/https://a.org/b.nc"), "not on this machine; download"),
    "netCDF unevenly spaced": (
        info(netcdf(wavelength=[462.0, 551.0, 640.0], y=np.arange(5.0), x=[0, 1, 2, 3, 4, 5, 9.0])),
        "coordinates 'x' that are not evenly spaced; warp it",
    ),
    # wavelengths
    "wavelengths descend": (
        info(lambda c: c.scene, "--wavelengths", "2500:400"),
        "'2500:400' is neither a file, nor START:STOP",
    ),
    "wavelengths are a word": (
        info(lambda c: c.scene, "--wavelengths", "nm"),
        "neither a file, nor",
    ),
    "wavelengths of other count": (
        after(
            lambda c: c.text("three.txt", "400\n500\n600\n"),
            info(lambda c: c.scene, "--wavelengths", "three.txt"),
        ),
        "has 3 centres and the scene 40 bands; write one",
    ),
    "wavelengths no numbers": (
        after(
            lambda c: c.text("colours.txt", "blue\nred\n"),
            info(lambda c: c.scene, "--wavelengths", "colours.txt"),
        ),
        "a line that is not a number in nm .*'blue'",
    ),
    # shots
    "shots missing": (shots(lambda c: c.folder / "none.gpkg"), "shots file '.*none.gpkg' does not"),
    "shots are text": (shots(lambda c: c.text("notes.txt")), "is not a vector file"),
    "shots empty": (shots(lambda c: c.drawn(c.frame().iloc[:0])), "is empty; draw"),
    "shots without geometry": (shots(geometry(None)), "no feature with a geometry and a class"),
    "shots of empty geometry": (shots(geometry(shapely.Point())), "no feature with a geometry"),
    "shots are a table": (
        shots(lambda c: c.text("a.csv", "class,owner\nrye,me\noats,you\n")),
        "is a table without geometry; call the columns",
    ),
    "table with a broken .prj": (
        after(
            lambda c: c.text("a.prj", "nowhere"),
            shots(lambda c: c.text("a.csv", "x,y,class\n1,2,a\n3,4,b\n")),
        ),
        "a.prj' holds no coordinate reference system; mend|that PROJ knows",
    ),
    "shots outside": (shots(moved), "none of the 12 shots .* lies in the scene: they cover x"),
    "shots far beyond": (
        shots(geometry(shapely.LineString([(0, 0), (1e13, 1e13)]))),
        "none of the 12 shots .* lies in the scene",
    ),
    "shots without CRS": (
        shots(lambda c: c.drawn(c.frame().set_crs(None, allow_override=True))),
        "no coordinate reference system is set .*; assign it",
    ),
    "scene without CRS": (
        lambda c: ("info", c.make_scene("nowhere.tif", crs=None).path, "--shots", c.shots),
        "the scene has no coordinate reference system, and shots .*gdal_edit.py",
    ),
    "shots of one class": (shots(column("class", "meadow")), "only one class, 'meadow'"),
    "shots without a class": (shots(column("class", None)), "a geometry and a class in 'class'"),
    "shots on nodata": (classify(shots=in_the_hole), "all 3 pixels .* are nodata"),
    "shots on one spot": (shots(on_one_spot), "two classes claim each of the 1 under them"),
    "several class fields": (
        shots(column("label", "x")),
        "2 fields that could hold the class: 'class', 'label'; choose one with --class-field",
    ),
    "no such field": (
        shots(lambda c: c.shots, "--class-field", "clas"),
        "no field 'clas', only 'class'; choose",
    ),
    "no such layer": (
        shots(lambda c: c.shots, "--layer", "two"),
        "no layer 'two', only 'shots'; choose",
    ),
    "several layers": (shots(two_layers), "has 2 layers: 'drawn', 'second'; choose one"),
    "shots are the scene": (
        shots(lambda c: c.scene),
        "a raster of 40 bands; give one band of class",
    ),
    "shots raster of fractions": (
        shots(
            lambda c: write_tif(c.folder / "f.tif", cube_of(1, dtype="float32") + np.float32(0.5))
        ),
        "a raster of 35 different values from 1.5 to 35.5; give",
    ),
    "shots raster of nothing": (
        shots(lambda c: write_tif(c.folder / "z.tif", np.zeros((1, 5, 7), "uint8"))),
        "a raster without a class id",
    ),
    "shots with a field twice": (
        shots(lambda c: c.text("twice.csv", "x,y,class,class\n1,2,a,b\n3,4,c,d\n")),
        "have several fields 'class'; rename all but one of them",
    ),
    # areas
    "area missing": (
        classify("map.tif", "--aoi", "none.gpkg"),
        "area 'none.gpkg' does not exist",
    ),
    "area of points": (
        after(lambda c: c.drawn(c.frame(), "area.gpkg"), classify("m.tif", "--aoi", "area.gpkg")),
        "area 'area.gpkg' holds no polygon; give polygons",
    ),
    "area elsewhere": (
        after(polygons(0, 0), classify("map.tif", "--aoi", "area.gpkg")),
        "area 'area.gpkg' lies outside the scene",
    ),
    # outputs and models
    "output there": (
        after(lambda c: c.text("there.tif"), classify("there.tif")),
        "already there.*--overwrite",
    ),
    "output's style there": (
        after(lambda c: c.text("styled.qml"), classify("styled.tif")),
        "styled.qml' is already there",
    ),
    "output is the scene": (
        lambda c: ("classify", c.scene, "--shots", c.shots, "-o", c.scene, "--overwrite"),
        "scene.tif' would replace what it is made from; choose another",
    ),
    "output's style is that of the shots": (
        after(
            lambda c: c.text("shots.qml"),
            classify("shots.tif", "--overwrite"),
        ),
        "shots.qml' would replace what it is made from",
    ),
    "output's record is the area": (
        after(
            lambda c: c.text("area.json"),
            classify("area.tif", "--aoi", "area.json", "--overwrite"),
        ),
        "area.json' would replace what it is made from; choose another",
    ),
    "output's record is the area, of a map with a model": (
        lambda c: (
            *("predict", c.scene, "--model", c.folder / "none", "-o", c.folder / "area.tif"),
            *("--aoi", c.text("area.json"), "--overwrite"),
        ),
        "area.json' would replace what it is made from; choose another",
    ),
    "model is the shots": (
        lambda c: ("adapt", c.scene, "--shots", c.shots, "-o", c.shots, "--overwrite"),
        "would replace what it is made from; choose another",
    ),
    "output folder missing": (classify("none/map.tif"), "folder '.*none' does not exist"),
    "output is a folder": (
        after(lambda c: c.made("folder.tif"), classify("folder.tif")),
        "is a folder",
    ),
    "output is no GeoTIFF": (classify("map.png"), "does not end in .tif"),
    "model missing": (
        lambda c: ("predict", c.scene, "--model", c.folder / "none"),
        "model '.*none' does not exist",
    ),
    "model is text": (
        lambda c: ("predict", c.scene, "--model", c.text("notes.txt")),
        "not a safetensors file",
    ),
    "several scenes, no folder": (
        lambda c: ("classify", c.scene, c.scene, "--shots", c.shots),
        "need a folder",
    ),
    "demo onto a file": (lambda c: ("demo", c.text("notes.txt")), "cannot be made"),
}


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_sentence_and_changes_nothing(
    name: str,
    planted: Planted,
    make_scene: MakeScene,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    make, expected = BAD[name]
    case = Case(tmp_path, planted.path, planted.shots(tmp_path / "shots.gpkg"), make_scene)
    arguments = make(case)
    before = snapshot(tmp_path)
    shown = run(*arguments)
    assert shown.exit_code == 1, shown.output
    assert "Traceback" not in shown.output
    assert shown.stdout == ""
    said = [line for line in shown.stderr.splitlines() if line.startswith("Error: ")]
    assert said == shown.stderr.splitlines()[-1:]
    assert "; " in said[0], "no cure is named"
    assert re.search(expected, said[0]), said[0]
    assert snapshot(tmp_path) == before
    assert not list(tmp_path.glob(".hsi-geo-*"))
