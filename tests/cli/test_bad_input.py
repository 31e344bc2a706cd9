"""Bad input of every kind: the command prints one sentence with a hint, exits with 1, and writes nothing.

`BAD_INPUT` is the table: a command line, and what its message has to contain. A file that a command
line names is written first, by its function in `bad_files.FILES`. A sound scene (``scene.tif``) and sound shots
(``shots.gpkg``) are always there.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from bad_files import FILES, Inputs
from builders import run, snapshot

if TYPE_CHECKING:
    from planted import MakeScene, Planted

#: Name of the case: command line, and a regular expression that the message has to match.
BAD_INPUT: dict[str, tuple[str, str]] = {
    # scenes
    "scene missing": ("info none.tif", "scene 'none.tif' does not exist"),
    "scene is text": ("info notes.txt", "notes.txt' is not a raster"),
    "scene is empty": ("info empty.tif", "is empty"),
    "scene is a folder": ("info folder", "is a folder, and neither an EnMAP"),
    "scene cut short": ("classify short.tif --shots shots.gpkg -o map.tif", "short.tif'"),
    "scene without wavelengths": (
        "info plain.tif",
        "40 bands and no wavelengths; give them with --wavelengths FILE",
    ),
    "scene rotated": (
        "classify rotated.tif --shots shots.gpkg --no-straighten",
        "rotated by .* leave --no-straighten out, .*gdalwarp",
    ),
    "grid of nothing": ("info rotated.tif --grid north", "--grid is 'north'; give UTM, native"),
    "grid of no map": ("info rotated.tif --grid EPSG:4978", "which is no CRS of a map"),
    "grid of no code": ("info rotated.tif --grid EPSG:1", "PROJ knows no such code"),
    "grid and swath": ("info rotated.tif --grid UTM --swath", "--grid and --swath were both given"),
    "swath of a map": ("info scene.tif --swath", "lies on an upright grid"),
    "scene of control points": (
        "info points.tif --no-straighten",
        "3 ground control points and no grid; .*gdalwarp",
    ),
    "scene on one point": ("info flat.tif", "which gives its pixels no size"),
    "scene of nodata": (
        "classify void.tif --shots shots.gpkg",
        "are nodata in the scene; draw shots",
    ),
    "band at 0 nm": ("info zero.bsq", "band 2 has the wavelength 0 nm"),
    "all bands bad": ("info bad.bsq", "all 3 bands are marked bad"),
    "bands only counted": ("info index.bsq", "3 bands and no wavelengths"),
    "list of other length": ("info two.bsq", "3 bands and no wavelengths"),
    "cube without header": ("info alone.bsq", "alone.bsq' is not a raster.*its .hdr beside it"),
    "header without cube": ("info alone.hdr", "alone.hdr' is the header of an ENVI cube"),
    "archive damaged": ("info damaged.zip", "is no archive that can be read"),
    "archive of other things": ("info other.zip", "holds no GeoTIFF"),
    "product without image": (
        "info enmap.zip",
        "a METADATA.XML and no SPECTRAL_IMAGE; give the whole",
    ),
    "PRISMA of level 1": (
        "info level1.he5",
        "laid out otherwise than PRISMA L1 files are .*List_Cw_Vnir",
    ),
    "PRISMA without its lists": (
        "info prisma.he5",
        "laid out otherwise than PRISMA L2D files are .*List_Cw_Vnir",
    ),
    "NEON without metadata": ("info neon.h5", "laid out otherwise than NEON reflectance files are"),
    "HDF5 without a cube": ("info none.h5", "holds no three-dimensional variable; give the"),
    "HDF5 with nameless axes": ("info cube.h5", "none of them is known to be its bands"),
    "HDF5 afar": (
        "info /vsicurl/http://127.0.0.1:9/b.nc",  # no server listens there
        "could not be read in 3 tries .*; check the connection, or download the file",
    ),
    "netCDF unevenly spaced": (
        "info uneven.nc",
        "coordinates 'x' that are not evenly spaced; warp it",
    ),
    # wavelengths
    "wavelengths descend": (
        "info scene.tif --wavelengths 2500:400",
        "'2500:400' is neither a file, nor START:STOP",
    ),
    "wavelengths are a word": ("info scene.tif --wavelengths nm", "neither a file, nor"),
    "wavelengths of other count": (
        "info scene.tif --wavelengths three.txt",
        "has 3 centres and the scene 40 bands; write one",
    ),
    "wavelengths no numbers": (
        "info scene.tif --wavelengths colours.txt",
        "a line that is not a number in nm .*'blue'",
    ),
    # shots
    "shots missing": ("info scene.tif --shots none.gpkg", "shots file 'none.gpkg' does not"),
    "shots are text": ("info scene.tif --shots notes.md", "is not a vector file"),
    "shots empty": ("info scene.tif --shots no_shots.gpkg", "is empty; draw"),
    "shots without geometry": (
        "info scene.tif --shots no_geometry.gpkg",
        "no feature with a geometry and a class",
    ),
    "shots of empty geometry": (
        "info scene.tif --shots empty_geometry.gpkg",
        "no feature with a geometry",
    ),
    "shots are a table": (
        "info scene.tif --shots table.csv",
        "is a table without geometry; call the columns",
    ),
    "table with a broken .prj": (
        "info scene.tif --shots prj.csv",
        "prj.prj' holds no coordinate reference system; mend|that PROJ knows",
    ),
    "shots outside": (
        "info scene.tif --shots outside.gpkg",
        "none of the 12 shots .* lies in the scene: they cover x",
    ),
    "shots far beyond": (
        "info scene.tif --shots far.gpkg",
        "none of the 12 shots .* lies in the scene",
    ),
    "shots without CRS": (
        "info scene.tif --shots no_crs.gpkg",
        "no coordinate reference system is set .*; assign it",
    ),
    "scene without CRS": (
        "info nowhere.tif --shots shots.gpkg",
        "the scene has no coordinate reference system, and shots .*gdal_edit.py",
    ),
    "shots of one class": (
        "info scene.tif --shots one_class.gpkg",
        "only one class, 'meadow'",
    ),
    "shots without a class": (
        "info scene.tif --shots no_class.gpkg",
        "no class yet: the field 'class' is empty in all rows",
    ),
    "shots on nodata": (
        "classify scene.tif --shots on_nodata.gpkg",
        "all 3 pixels .* are nodata",
    ),
    "shots on one spot": (
        "info scene.tif --shots one_spot.gpkg",
        "two classes claim each of the 1 under them",
    ),
    "several class fields": (
        "info scene.tif --shots two_fields.gpkg",
        "2 fields that could hold the class: 'class', 'label'; choose one with --class-field",
    ),
    "no such field": (
        "info scene.tif --shots shots.gpkg --class-field clas",
        "no field 'clas', only 'class'; choose",
    ),
    "no such layer": (
        "info scene.tif --shots shots.gpkg --layer two",
        "no layer 'two', only 'shots'; choose",
    ),
    "several layers": (
        "info scene.tif --shots two_layers.gpkg",
        "has 2 layers: 'first', 'second'; choose one",
    ),
    "shots are the scene": (
        "info scene.tif --shots scene.tif",
        "a raster of 40 bands; give one band of class",
    ),
    "shots raster of fractions": (
        "info scene.tif --shots fractions.tif",
        "a raster of 35 different values from 1.5 to 35.5; give",
    ),
    "shots raster of nothing": (
        "info scene.tif --shots zeros.tif",
        "a raster without a class id",
    ),
    "shots with a field twice": (
        "info scene.tif --shots twice.csv",
        "have several fields 'class'; rename all but one of them",
    ),
    # areas
    "area missing": (
        "classify scene.tif --shots shots.gpkg --aoi none.gpkg",
        "area 'none.gpkg' does not exist",
    ),
    "area of points": (
        "classify scene.tif --shots shots.gpkg --aoi points.gpkg",
        "area 'points.gpkg' holds no polygon; give polygons",
    ),
    "area elsewhere": (
        "classify scene.tif --shots shots.gpkg --aoi elsewhere.gpkg",
        "area 'elsewhere.gpkg' lies outside the scene",
    ),
    # outputs and models
    "output exists": (
        "classify scene.tif --shots shots.gpkg -o exists.tif",
        "already there.*--overwrite",
    ),
    "output's style exists": (
        "classify scene.tif --shots shots.gpkg -o styled.tif",
        "styled.qml' is already there",
    ),
    "output is the scene": (
        "classify scene.tif --shots shots.gpkg -o scene.tif --overwrite",
        "scene.tif' would replace what it is made from; choose another",
    ),
    "output's style is that of the shots": (
        "classify scene.tif --shots shots.gpkg -o shots.tif --overwrite",
        "shots.qml' would replace what it is made from",
    ),
    "output's record is the area": (
        "classify scene.tif --shots shots.gpkg -o area.tif --aoi area.json --overwrite",
        "area.json' would replace what it is made from; choose another",
    ),
    "output's record is the area, of a map with a model": (
        "predict scene.tif --model none -o area.tif --aoi area.json --overwrite",
        "area.json' would replace what it is made from; choose another",
    ),
    "model is the shots": (
        "adapt scene.tif --shots shots.gpkg -o shots.gpkg --overwrite",
        "would replace what it is made from; choose another",
    ),
    "output folder missing": (
        "classify scene.tif --shots shots.gpkg -o none/map.tif",
        "folder 'none' does not exist",
    ),
    "output is a folder": (
        "classify scene.tif --shots shots.gpkg -o folder.tif",
        "is a folder",
    ),
    "output is no GeoTIFF": (
        "classify scene.tif --shots shots.gpkg -o map.png",
        "does not end in .tif",
    ),
    "model missing": ("predict scene.tif --model none", "model 'none' does not exist"),
    "model is text": ("predict scene.tif --model notes.txt", "not a safetensors file"),
    "several scenes, no folder": (
        "classify scene.tif scene.tif --shots shots.gpkg",
        "need a folder",
    ),
    "demo onto a file": ("demo notes.txt", "cannot be made"),
}


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(("command", "message"), BAD_INPUT.values(), ids=BAD_INPUT)
def test_bad_input_prints_one_sentence_and_changes_nothing(
    command: str,
    message: str,
    planted: Planted,
    make_scene: MakeScene,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    planted.shots(tmp_path / "shots.gpkg")
    words = shlex.split(command)
    for name in dict.fromkeys(words):
        if name in FILES:
            FILES[name](Inputs(tmp_path, make_scene), tmp_path / name)
    before = snapshot(tmp_path)
    shown = run(*words)
    assert shown.exit_code == 1, shown.output
    assert "Traceback" not in shown.output
    assert shown.stdout == ""
    errors = [line for line in shown.stderr.splitlines() if line.startswith("Error: ")]
    assert errors == shown.stderr.splitlines()[-1:]
    assert "; " in errors[0], "there is no hint"
    assert re.search(message, errors[0]), errors[0]
    assert snapshot(tmp_path) == before
    assert not list(tmp_path.glob(".hsi-geo-*"))


def test_each_file_of_the_table_is_used() -> None:
    words = {word for command, _ in BAD_INPUT.values() for word in shlex.split(command)}
    assert set(FILES) <= words


@pytest.mark.parametrize("shots", ["0", "-1", "1.5", "five", "\u00b2"], ids=ascii)
def test_shots_of_a_benchmark_are_whole_numbers(shots: str, tmp_path: Path) -> None:
    shown = run("benchmark", "--shots", f"5,{shots}", "-o", tmp_path)
    assert shown.exit_code == 2
    assert "give numbers such as 5 or 1,2,5" in shown.stderr
