"""Rasters and layers of labels in files whose ending does not tell what they are."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio
from builders import cube_of, nm_tags, write_tif
from shots_cases import GRID, UTM, points_at

from hsi_geo.errors import HsiGeoError
from hsi_geo.io.labels.aoi import read_area
from hsi_geo.io.labels.shot_pixels import burn
from hsi_geo.io.labels.shot_reading import read_shots
from hsi_geo.io.labels.zones import read_zones
from hsi_geo.io.scenes.mask_option import masked_counts
from hsi_geo.io.scenes.scene import open_scene

#: Class ids at rows and columns.
IDS = {(2, 3): 1, (2, 4): 1, (7, 11): 2}
HEADER = """ENVI
samples = 17
lines = 12
bands = 1
header offset = 0
file type = ENVI Classification
data type = 1
interleave = bsq
classes = 3
class names = {Unclassified, tree, soil}
map info = {UTM, 1, 1, 383472.5, 5818302.25, 30, 20, 33, North, WGS-84}
"""


def ids() -> np.ndarray:
    found = np.zeros(GRID.shape, np.uint8)
    for place, value in IDS.items():
        found[place] = value
    return found


def envi(given: str) -> Callable[[Path], str]:
    def write(folder: Path) -> str:
        data = "rois" if given == "rois.hdr" else given
        (folder / data).write_bytes(ids().tobytes())
        (folder / "rois.hdr").write_text(HEADER)
        return str(folder / given)

    return write


def raster(ending: str, driver: str, **how: object) -> Callable[[Path], str]:
    def write(folder: Path) -> str:
        path = folder / f"labels.{ending}"
        shape = {"height": GRID.height, "width": GRID.width, "count": 1, "dtype": "uint8"}
        with rasterio.open(path, "w", driver=driver, crs=UTM.to_wkt(), transform=GRID.transform,
                           nodata=0, **shape, **how) as file:  # fmt: skip
            file.write(ids(), 1)
        return str(path)

    return write


def packed(name: str) -> Callable[[Path], str]:
    """A GeoTIFF in an archive, with a text that describes it; as the archive or as GDAL names it in there."""

    def write(folder: Path) -> str:
        with zipfile.ZipFile(folder / "a.zip", "w") as archive:
            archive.write(raster("tif", "GTiff")(folder), "maps/labels.tif")
            archive.writestr("maps/readme.md", "class ids")
        return name.format(folder / "a.zip")

    return write


RASTERS = {
    "ENVI without an ending": envi("rois"),
    "ENVI header": envi("rois.hdr"),
    "ENVI .bil": envi("rois.bil"),
    "ENVI .bin": envi("rois.bin"),
    "ENVI .cls": envi("rois.cls"),
    "PNG with a world file": raster("png", "PNG", WORLDFILE="YES"),
    "JPEG 2000": raster("jp2", "JP2OpenJPEG", QUALITY=100, REVERSIBLE="YES"),
    "PCIDSK": raster("pix", "PCIDSK"),
    "ZIP of a GeoTIFF": packed("{}"),
    "GDAL's name in a ZIP": packed("/vsizip/{}/maps/labels.tif"),
}


@pytest.mark.parametrize("kind", RASTERS)
def test_rasters_of_class_ids_are_read_by_their_content(tmp_path: Path, kind: str) -> None:
    path = RASTERS[kind](tmp_path)
    shots = read_shots(path)
    assert shots.source == path
    if shots.frame.crs is None:  # the side file of a PNG holds no CRS
        shots.frame.set_crs(UTM, inplace=True)
    pixels = burn(shots, GRID)
    places = zip(pixels.rows.tolist(), pixels.cols.tolist(), strict=True)
    assert dict(zip(places, pixels.class_ids.tolist(), strict=True)) == IDS
    if "ENVI" in kind:
        assert [c.name for c in shots.classes] == ["tree", "soil"]


@pytest.mark.parametrize("kind", [kind for kind in RASTERS if kind != "PNG with a world file"])
def test_masks_are_read_by_their_content(tmp_path: Path, kind: str) -> None:
    scene = write_tif(tmp_path / "scene.tif", cube_of(3, *GRID.shape), transform=GRID.transform,
                      crs="EPSG:32633", band_tags=nm_tags((500.0, 600.0, 700.0)))  # fmt: skip
    opened = open_scene(scene, mask=RASTERS[kind](tmp_path))
    assert masked_counts(opened)["masked_px"] == len(IDS)


@pytest.mark.parametrize(
    "kind", ["text", "empty", "archive of a text", "missing", "missing in ZIP"]
)
def test_what_is_neither_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "labels.zip"
    if kind == "archive of a text":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("readme.md", "nothing")
    elif "missing" not in kind:
        path = tmp_path / "labels.xyw"
        path.write_text("no labels" if kind == "text" else "")
    given = f"/vsizip/{path}/a.sdat" if kind == "missing in ZIP" else str(path)
    with pytest.raises(HsiGeoError, match="shots"):
        read_shots(given)


# Features -------------------------------------------------------------------------------------


def database(folder: Path, frame: gpd.GeoDataFrame) -> str:
    path = folder / "labels.gdb"
    frame.to_file(path, driver="OpenFileGDB", layer="drawn")
    return str(path)


def zipped_database(name: str, *, beside: bool = False) -> Callable[[Path, gpd.GeoDataFrame], str]:
    def write(folder: Path, frame: gpd.GeoDataFrame) -> str:
        inside = Path(database(folder, frame))
        with zipfile.ZipFile(folder / name, "w") as archive:
            for file in inside.iterdir():
                archive.write(file, f"data/{inside.name}/{file.name}")
            if beside:
                archive.writestr("fields.csv", "field,meaning\nclass,the class\n")
        return str(folder / name)

    return write


def virtual_layer(folder: Path, frame: gpd.GeoDataFrame) -> str:
    frame.to_file(folder / "drawn.gpkg")
    (folder / "a.vrt").write_text(
        '<OGRVRTDataSource><OGRVRTLayer name="drawn"><SrcDataSource relativeToVRT="1">drawn.gpkg'
        "</SrcDataSource></OGRVRTLayer></OGRVRTDataSource>"
    )
    return str(folder / "a.vrt")


LAYERS = {
    "database of ArcGIS": database,
    "database in a.zip": zipped_database("a.zip"),
    "database in a.gdb.zip": zipped_database("a.gdb.zip"),
    "database beside a text": zipped_database("a.zip", beside=True),
    "virtual layer": virtual_layer,
}


@pytest.mark.parametrize("kind", LAYERS)
def test_layers_are_read_as_shots_areas_and_zones(tmp_path: Path, kind: str) -> None:
    frame = points_at([(2, 3), (7, 11)], ["tree", "soil"])
    frame.geometry = frame.buffer(25.0, cap_style="square")
    path = LAYERS[kind](tmp_path, frame)
    shots = read_shots(path)
    assert [c.name for c in shots.classes] == ["soil", "tree"]
    assert len(burn(shots, GRID)) > 2
    assert read_area(path, GRID).area == pytest.approx(2 * 50.0**2)
    assert [one.name for one in read_zones(path, GRID, field="class").zones] == ["tree", "soil"]


def test_polygons_of_an_archive_are_the_mask_beside_a_raster(tmp_path: Path) -> None:
    """As shots of an archive are; a preview in it is none."""
    scene = write_tif(tmp_path / "a.tif", cube_of(3, *GRID.shape), transform=GRID.transform,
                      crs="EPSG:32633", band_tags=nm_tags((500.0, 600.0, 700.0)))  # fmt: skip
    frame = points_at([(2, 3), (7, 11)], ["a", "b"])
    frame.geometry = frame.buffer(5.0, cap_style="square")
    (tmp_path / "drawn").mkdir()
    frame.to_file(tmp_path / "drawn" / "drawn.shp")
    with zipfile.ZipFile(tmp_path / "mask.zip", "w") as archive:
        for file in (tmp_path / "drawn").iterdir():
            archive.write(file, file.name)
        archive.write(scene, "preview.tif")
    assert masked_counts(open_scene(scene, mask=str(tmp_path / "mask.zip")))["masked_px"] == 2


def test_other_folders_are_refused(tmp_path: Path) -> None:
    (tmp_path / "labels").mkdir()
    points_at([(2, 3), (7, 11)], ["a", "b"]).to_file(tmp_path / "labels" / "a.shp")
    with pytest.raises(HsiGeoError, match="is a folder"):
        read_shots(tmp_path / "labels")
