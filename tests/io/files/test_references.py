"""Local files that refer to other machines or hold code are refused, and GDAL neither fetches nor runs anything."""

from __future__ import annotations

import gzip
import io
import json
import os
import socket
import tarfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape
from zipfile import ZipFile

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely
from builders import CENTRES, cube_of, model_for, nm_tags, run, write_tif

from hsi_geo.errors import HsiGeoError
from hsi_geo.io.files.gdal_options import LOCAL_OPTIONS
from hsi_geo.io.files.references import require_local
from hsi_geo.io.labels.aoi import read_area
from hsi_geo.io.labels.shot_reading import read_shots
from hsi_geo.io.maps.reader import read_map
from hsi_geo.io.readers.gdal import quiet_gdal
from hsi_geo.io.scenes.scene import open_scene
from hsi_geo.tasks.artifacts.model import save_model
from hsi_geo.tasks.info import info
from hsi_geo.tiling import Grid

if TYPE_CHECKING:
    from planted import Planted


class Listener:
    """A server that counts connections and sends nothing."""

    def __init__(self) -> None:
        self.connected = 0
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                one, _ = self.socket.accept()
            except OSError:
                return
            self.connected += 1
            one.close()


@pytest.fixture
def set_variable(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str], None]]:
    """Set a variable of the environment that GDAL reads, for one test.

    When an Env of rasterio ends, it stores what the environment holds as an option of the process. That
    option would stay.
    """
    from rasterio._env import del_gdal_config

    names: list[str] = []

    def set_one(name: str, value: str) -> None:
        names.append(name)
        monkeypatch.setenv(name, value)

    yield set_one
    for name in names:
        del_gdal_config(name)


@pytest.fixture
def web(set_variable: Callable[[str, str], None]) -> Iterator[Listener]:
    set_variable("NO_PROXY", "127.0.0.1")
    set_variable("GDAL_VRT_ENABLE_PYTHON", "YES")
    listener = Listener()
    yield listener
    listener.socket.close()


def vrt(source: str, more: str = "", relative: int = 0) -> str:
    return (
        '<VRTDataset rasterXSize="7" rasterYSize="5"><GeoTransform>0,2,0,9,0,-3</GeoTransform>'
        f'<VRTRasterBand dataType="Int16" band="1"><Metadata><MDI key="wavelength">500</MDI></Metadata>'
        f'<SimpleSource><SourceFilename relativeToVRT="{relative}">{source}</SourceFilename>'
        f"<SourceBand>1</SourceBand></SimpleSource></VRTRasterBand>{more}</VRTDataset>"
    )


def python_pixels(folder: Path) -> str:
    code = f"import pathlib\npathlib.Path({str(folder / 'ran')!r}).touch()\ndef f(a, out, *b, **c): out[:] = 1"
    return (
        '<VRTDataset rasterXSize="7" rasterYSize="5"><VRTRasterBand dataType="Byte" band="1" '
        'subClass="VRTDerivedRasterBand"><PixelFunctionType>f</PixelFunctionType>'
        "<PixelFunctionLanguage>Python</PixelFunctionLanguage>"
        f"<PixelFunctionCode><![CDATA[{code}]]></PixelFunctionCode>"
        '<SimpleSource><SourceFilename relativeToVRT="1">plain.tif</SourceFilename></SimpleSource>'
        "</VRTRasterBand></VRTDataset>"
    )


def linked(folder: Path, target: str) -> str:
    (folder / "link.tif").symlink_to(target)
    return vrt("link.tif", relative=1)


Write = Callable[[Path, str], str]


def archived(folder: Path, kind: str, text: str) -> str:
    """GDAL's name of a text in an archive."""
    if kind == "zip":
        with ZipFile(folder / "inner.zip", "w") as archive:
            archive.writestr("inner.vrt", text)
    elif kind == "tar":
        with tarfile.open(folder / "inner.tar", "w") as tar:
            info = tarfile.TarInfo("inner.vrt")
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text.encode()))
    else:
        (folder / "inner.vrt.gz").write_bytes(gzip.compress(text.encode()))
        return f"/vsigzip/{folder / 'inner.vrt.gz'}"
    return f"/vsi{kind}/{folder / f'inner.{kind}'}/inner.vrt"


def tile_index(path: Path, location: str) -> Path:
    tiles = gpd.GeoDataFrame(
        {"location": [location]}, geometry=[shapely.box(0, -6, 14, 9)], crs="EPSG:32633"
    )
    tiles.to_file(path)
    return path


RASTERS: dict[str, Write] = {
    "vsicurl": lambda _, web: vrt(f"/vsicurl/{web}/a.tif"),
    "streaming": lambda _, web: vrt(f"/vsicurl_streaming/{web}/a.tif"),
    "with options": lambda _, web: vrt(f"/vsicurl?max_retry=1&amp;url={web}/a.tif"),
    "an address": lambda _, web: vrt(f"{web}/a.tif"),
    "an address by entities": lambda _, web: vrt(f"{web}/a.tif".replace("h", "&#104;", 1)),
    "a part of it": lambda _, web: vrt(f"/vsisubfile/0_1000,/vsicurl/{web}/a.tif"),
    "in an archive": lambda _, web: vrt(f"/vsizip//vsicurl/{web}/a.zip/a.tif"),
    "a bucket": lambda _, __: vrt("/vsis3/bucket/a.tif"),
    "a service": lambda _, web: vrt(f"WMS:{web}/wms"),
    "a database": lambda _, __: vrt("PG:host=127.0.0.1 dbname=x"),
    "nested": lambda folder, web: (
        (folder / "inner.dat").write_text(vrt(f"/vsicurl/{web}/a.tif")),
        vrt("inner.dat", relative=1),
    )[1],
    "nested in a mask": lambda folder, web: (
        (folder / "inner.dat").write_text(vrt(f"{web}/a.tif")),
        vrt(
            "plain.tif",
            '<MaskBand><VRTRasterBand dataType="Byte"><SimpleSource><SourceFilename relativeToVRT="1">'
            "inner.dat</SourceFilename></SimpleSource></VRTRasterBand></MaskBand>",
            1,
        ),
    )[1],
    "an overview": lambda _, web: vrt(
        "plain.tif",
        f"<OverviewList>2</OverviewList><Overview><SourceFilename>{web}/b</SourceFilename></Overview>",
        1,
    ),
    "a link to nothing": lambda folder, web: linked(folder, f"/vsicurl/{web}/a.tif"),
    "a warped one": lambda _, web: (
        '<VRTDataset rasterXSize="7" rasterYSize="5" subClass="VRTWarpedDataset"><GDALWarpOptions>'
        f'<SourceDataset relativeToVRT="0">/vsicurl/{web}/a.tif</SourceDataset></GDALWarpOptions></VRTDataset>'
    ),
    "a tile service": lambda _, web: (
        f'<GDAL_WMS><Service name="TMS"><ServerUrl>{web}/${{z}}</ServerUrl></Service></GDAL_WMS>'
    ),
    "a coverage service": lambda _, web: (
        f"<WCS_GDAL><ServiceURL>{web}/wcs?</ServiceURL><CoverageName>x</CoverageName></WCS_GDAL>"
    ),
    "a map tile service": lambda _, web: (
        f"<GDAL_WMTS><GetCapabilitiesUrl>{web}/wmts</GetCapabilitiesUrl></GDAL_WMTS>"
    ),
    "a cached raster": lambda _, web: (
        f"<MRF_META><CachedSource><Source>/vsicurl/{web}/a.tif</Source></CachedSource><Raster>"
        '<Size x="7" y="5" c="1"/></Raster></MRF_META>'
    ),
    "a tile index": lambda _, web: (
        f"<GDALTileIndexDataset><IndexDataset>/vsicurl/{web}/a.gpkg</IndexDataset></GDALTileIndexDataset>"
    ),
    "a text in a ZIP": lambda folder, web: vrt(archived(folder, "zip", vrt(f"{web}/a.tif"))),
    "a text in a TAR": lambda folder, web: vrt(archived(folder, "tar", vrt(f"{web}/a.tif"))),
    "a text in a gzip": lambda folder, web: vrt(archived(folder, "gz", vrt(f"{web}/a.tif"))),
    "a text in an unknown archive": lambda folder, web: vrt(
        archived(folder, "zip", vrt(f"{web}/a.tif")).replace("/vsizip/", "/vsi7z/")
    ),
    "a text in place of a name": lambda _, web: vrt(
        escape(vrt(f"{web}/a.tif".replace("h", "&#104;", 1)))
    ),
    "a name with a driver": lambda folder, web: (
        (folder / "inner.dat").write_text(vrt(f"{web}/a.tif")),
        vrt(f"vrt://{folder / 'inner.dat'}?bands=1"),
    )[1],
    "a local tile index": lambda folder, web: (
        "<GDALTileIndexDataset><IndexDataset>"
        f"{tile_index(folder / 'tiles.gpkg', f'{web}/a.tif')}</IndexDataset></GDALTileIndexDataset>"
    ),
    "a tile index by its driver": lambda folder, web: vrt(
        f"GTI:{tile_index(folder / 'tiles.gpkg', f'{web}/a.tif')}"
    ),
    "a tile index by its name": lambda folder, web: vrt(
        str(tile_index(folder / "tiles.gti.gpkg", f"/vsicurl/{web}/a.tif"))
    ),
    "a chain of commands": lambda _, web: json.dumps(
        {"type": "gdal_streamed_alg", "command_line": f"gdal raster edit {web}/a.tif x"}
    ),
    "code": lambda folder, _: python_pixels(folder),
}

OPENERS: dict[str, Callable[[Path], object]] = {
    "scene": lambda path: open_scene(path).values,
    "shots": read_shots,
    "map": lambda path: read_map(path).counts(),
}


@pytest.mark.parametrize("opener", OPENERS)
@pytest.mark.parametrize("kind", RASTERS)
def test_rasters_that_refer_to_other_machines_are_refused(
    kind: str, opener: str, tmp_path: Path, web: Listener
) -> None:
    write_tif(tmp_path / "plain.tif", cube_of(1))
    path = tmp_path / "a.tif"
    path.write_text(RASTERS[kind](tmp_path, web.address))
    with pytest.raises(HsiGeoError) as raised:
        OPENERS[opener](path)
    assert raised.value.hint
    assert not web.connected
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("kind", ["a.tif.ovr", "a.tif.msk", "a.tif.aux.xml"])
def test_side_files_that_refer_to_other_machines_are_refused(
    kind: str, tmp_path: Path, web: Listener
) -> None:
    write_tif(tmp_path / "a.tif", cube_of(3), band_tags=nm_tags(CENTRES[:3]))
    (tmp_path / kind).write_text(
        '<PAMDataset><Metadata domain="OVERVIEWS"><MDI key="OVERVIEW_FILE">'
        f"{web.address}/a.ovr</MDI></Metadata></PAMDataset>"
        if kind.endswith("xml")
        else vrt(f"/vsicurl/{web.address}/a.tif")
    )
    with pytest.raises(HsiGeoError, match=r"refers to '.*', which is not on this machine; "):
        info(tmp_path / "a.tif")
    assert not web.connected


@pytest.mark.parametrize("prefix", ["", "GTI:"])
def test_a_tile_index_of_tiles_on_the_web_is_refused(
    prefix: str, tmp_path: Path, web: Listener
) -> None:
    path = tile_index(tmp_path / "a.gti.gpkg", f"{web.address}/a.tif")
    with pytest.raises(HsiGeoError, match="which is not on this machine"):
        open_scene(f"{prefix}{path}", wavelengths="index")
    assert not web.connected


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
@pytest.mark.parametrize("side", ["a.tif.ovr", "a.tif.msk", "a.tif.aux.xml", "a.vrt"])
def test_side_files_in_archives_that_refer_to_other_machines_are_refused(
    side: str, kind: str, tmp_path: Path, web: Listener
) -> None:
    write_tif(tmp_path / "a.tif", cube_of(3), band_tags=nm_tags(CENTRES[:3]))
    (tmp_path / side).write_text(
        '<PAMDataset><Metadata domain="OVERVIEWS"><MDI key="OVERVIEW_FILE">'
        f"{web.address}/a.ovr</MDI></Metadata></PAMDataset>"
        if side.endswith("xml")
        else vrt(f"{web.address}/a.tif")
    )
    path = tmp_path / f"a.{kind}"
    if kind == "zip":
        with ZipFile(path, "w") as archive:
            for name in ("a.tif", side):
                archive.write(tmp_path / name, name)
    else:
        with tarfile.open(path, "w:gz") as tar:
            for name in ("a.tif", side):
                tar.add(tmp_path / name, name)
    if side == "a.vrt":  # GDAL does not open it for a.tif
        assert info(path)
    else:
        with pytest.raises(HsiGeoError, match=r"holds 'a\.tif\..*' in an archive, which refers to"):
            info(path)
    assert not web.connected


def test_a_sound_chain_of_local_files_is_read(tmp_path: Path) -> None:
    write_tif(tmp_path / "plain.tif", cube_of(1))
    (tmp_path / "inner.vrt").write_text(vrt("plain.tif", relative=1))
    outer = vrt(str(tmp_path / "inner.vrt"))
    (tmp_path / "outer.vrt").write_text(
        outer.replace("<SimpleS", "<!-- see http://x.org --><SimpleS")
    )
    np.testing.assert_array_equal(open_scene(tmp_path / "outer.vrt").values, cube_of(1))


def test_gdal_options_prevent_network_and_code_without_the_checks(
    tmp_path: Path, web: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GDAL's options and drivers are a second protection, for references that the checks do not find."""
    monkeypatch.setattr("hsi_geo.io.readers.raster.require_local", lambda *_: None)
    write_tif(tmp_path / "plain.tif", cube_of(1))
    for kind in ("vsicurl", "nested", "a part of it", "a tile service", "a cached raster", "code"):
        (tmp_path / "link.tif").unlink(missing_ok=True)
        (tmp_path / "a.tif").write_text(RASTERS[kind](tmp_path, web.address))
        with pytest.raises(HsiGeoError):
            open_scene(tmp_path / "a.tif", wavelengths="index").load()
    assert not web.connected
    assert not (tmp_path / "ran").exists()


#: Variables of the environment by which other programs change what GDAL reads, and safe values.
VARIABLES = {
    "GDAL_VRT_ENABLE_PYTHON": ("YES", "NO"),
    "GDAL_VRT_RAWRASTERBAND_ALLOWED_SOURCE": ("ALL", "SIBLING_OR_CHILD_OF_VRT_PATH"),
    "OGR_SQLITE_LOAD_EXTENSIONS": ("ENABLE_SQL_LOAD_EXTENSION", ""),
    "CPL_ALLOW_VSISTDIN": ("YES", "NO"),
    "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": (".tif", "{none}"),
    "CPL_VSIL_CURL_ALLOWED_FILENAME": ("http://127.0.0.1/a.tif", "{none}"),
    "GML_DOWNLOAD_SCHEMA": ("YES", "NO"),
    "GDAL_DISABLE_READDIR_ON_OPEN": ("EMPTY_DIR", "FALSE"),
    "GDAL_PAM_ENABLED": ("NO", "YES"),
    "GTIFF_IGNORE_READ_ERRORS": ("YES", "NO"),
    "GTIFF_POINT_GEO_IGNORE": ("YES", "NO"),
    "SHAPE_RESTORE_SHX": ("YES", "NO"),
    "VRT_VIRTUAL_OVERVIEWS": ("YES", "NO"),
}


@pytest.mark.parametrize("name", VARIABLES)
def test_quiet_gdal_shadows_variables_of_the_environment(
    name: str, set_variable: Callable[[str, str], None]
) -> None:
    from rasterio._env import get_gdal_config

    value, safe = VARIABLES[name]
    set_variable(name, value)
    with quiet_gdal():
        assert get_gdal_config(name, normalize=False) == safe
    assert get_gdal_config(name, normalize=False) == value
    assert os.environ[name] == value


def test_every_option_for_local_files_is_tested() -> None:
    assert {*VARIABLES, "GML_DOWNLOAD_WFS_SCHEMA", "GTIFF_HONOUR_NEGATIVE_SCALEY"} == {
        *LOCAL_OPTIONS
    }


def test_an_allowed_file_name_in_the_environment_opens_no_network(
    tmp_path: Path,
    web: Listener,
    monkeypatch: pytest.MonkeyPatch,
    set_variable: Callable[[str, str], None],
) -> None:
    monkeypatch.setattr("hsi_geo.io.readers.raster.require_local", lambda *_: None)
    monkeypatch.setattr("hsi_geo.io.readers.opening.require_local", lambda *_: None)
    set_variable("CPL_VSIL_CURL_ALLOWED_FILENAME", f"{web.address}/a.tif")
    (tmp_path / "a.tif").write_text(vrt(f"/vsicurl/{web.address}/a.tif"))
    with pytest.raises(HsiGeoError):
        open_scene(tmp_path / "a.tif", wavelengths="index").load()
    assert not web.connected


def test_a_damaged_raster_is_refused_whatever_the_environment_allows(
    tmp_path: Path, set_variable: Callable[[str, str], None]
) -> None:
    set_variable("GTIFF_IGNORE_READ_ERRORS", "YES")
    tags = nm_tags(CENTRES[:3])
    path = write_tif(tmp_path / "a.tif", cube_of(3), band_tags=tags, compress="deflate")
    with rasterio.open(path) as file:
        start = int(file.get_tag_item("BLOCK_OFFSET_0_0", "TIFF", bidx=1))
    content = bytearray(path.read_bytes())
    content[start : start + 8] = b"\xff" * 8
    path.write_bytes(content)
    scene = open_scene(path)
    with pytest.raises(HsiGeoError, match="cannot be read at row"):
        scene.load()


# Vectors --------------------------------------------------------------------------------------


def ogr(source: str, more: str = "") -> str:
    return (
        f'<OGRVRTDataSource><OGRVRTLayer name="a"><SrcDataSource>{source}</SrcDataSource>{more}'
        "</OGRVRTLayer></OGRVRTDataSource>"
    )


VECTORS: dict[str, Write] = {
    "vsicurl": lambda _, web: ogr(f"/vsicurl/{web}/a.gpkg"),
    "an address": lambda _, web: ogr(f"{web}/a.geojson"),
    "a service": lambda _, web: ogr(f"WFS:{web}/wfs"),
    "a database": lambda _, __: ogr("PG:host=127.0.0.1 dbname=x"),
    "nested": lambda folder, web: (
        (folder / "inner.dat").write_text(ogr(f"{web}/a.geojson")),
        ogr("inner.dat").replace("<SrcDataSource>", '<SrcDataSource relativeToVRT="1">'),
    )[1],
    "a feature service": lambda _, web: (
        f"<OGRWFSDataSource><URL>{web}/wfs</URL></OGRWFSDataSource>"
    ),
    "a chain of commands": lambda _, web: json.dumps(
        {"type": "gdal_streamed_alg", "command_line": f"gdal vector edit {web}/a.gpkg x"}
    ),
    "a schema": lambda _, web: (
        '<wfs:FeatureCollection xmlns:wfs="http://www.opengis.net/wfs" '
        'xmlns:gml="http://www.opengis.net/gml" xmlns:a="http://a" xmlns:xsi="http://www.w3.org/'
        f'2001/XMLSchema-instance" xsi:schemaLocation="http://a {web}/wfs?SERVICE=WFS&amp;'
        'REQUEST=DescribeFeatureType&amp;TYPENAME=a:b">'
        "<gml:featureMember><a:b><a:class>x</a:class><a:geom><gml:Point><gml:coordinates>1,2"
        "</gml:coordinates></gml:Point></a:geom></a:b></gml:featureMember></wfs:FeatureCollection>"
    ),
}


@pytest.mark.parametrize("suffix", [".gpkg", ".shp", ".geojson", ".vrt", ".gml"])
@pytest.mark.parametrize("kind", VECTORS)
def test_vectors_that_refer_to_other_machines_are_refused(
    kind: str, suffix: str, tmp_path: Path, web: Listener
) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_text(VECTORS[kind](tmp_path, web.address))
    grid = Grid(5, 7, rasterio.Affine(1, 0, 0, 0, -1, 9), None)
    for open_ in (read_shots, lambda path: read_area(path, grid)):
        with pytest.raises(HsiGeoError) as raised:
            open_(path)
        assert raised.value.hint
    assert not web.connected


@pytest.mark.parametrize("kind", ["zip", "tar"])
@pytest.mark.parametrize("member", ["a.vrt", "a.gpkg", "a.ovf"])
def test_a_virtual_layer_in_an_archive_is_refused(
    member: str, kind: str, tmp_path: Path, web: Listener
) -> None:
    text = ogr(f"{web.address}/a.geojson")
    path = Path(archived(tmp_path, kind, text).removeprefix(f"/vsi{kind}/")).parent
    if kind == "zip":
        with ZipFile(path, "w") as archive:
            archive.writestr(member, text)
    for name in (str(path), f"/vsi{kind}/{path}/{member if kind == 'zip' else 'inner.vrt'}"):
        with pytest.raises(HsiGeoError) as raised:
            read_shots(name)
        assert raised.value.hint
    assert not web.connected


def test_a_virtual_layer_of_local_points_is_read(tmp_path: Path) -> None:
    points = shapely.points([1.0, 2.0], [3.0, 4.0])
    frame = gpd.GeoDataFrame({"class": ["a", "b"]}, geometry=points, crs="EPSG:32633")
    frame.to_file(tmp_path / "a.geojson")
    (tmp_path / "b.ovf").write_text(
        ogr("a.geojson").replace("<SrcDataSource>", '<SrcDataSource relativeToVRT="1">')
    )
    shots = read_shots(tmp_path / "b.ovf")
    assert [c.name for c in shots.classes] == ["a", "b"]


# What never ends ------------------------------------------------------------------------------


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
@pytest.mark.parametrize(
    "beside", ["a.tif", "a.tif.aux.xml", "a.tif.ovr", "a.tif.msk", "a.hdr", "a.tif.hdr", "a.tfw"]
)
def test_a_pipe_in_place_of_a_raster_or_side_file_is_refused(beside: str, tmp_path: Path) -> None:
    if beside != "a.tif":
        write_tif(tmp_path / "a.tif", cube_of(3), band_tags=nm_tags(CENTRES[:3]))
    os.mkfifo(tmp_path / beside)
    for open_ in (open_scene, read_map, read_shots):
        with pytest.raises(HsiGeoError, match=rf"{beside}' is a named pipe, not a file; "):
            open_(tmp_path / "a.tif")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("a.csv", ("info", "scene.tif", "--shots", "a.csv")),
        ("a.gpkg", ("info", "scene.tif", "--shots", "a.gpkg")),
        ("a.geojson", ("info", "scene.tif", "--shots", "a.geojson")),
        ("shots.qml", ("info", "scene.tif", "--shots", "shots.gpkg")),
        ("shots.gpkg-wal", ("info", "scene.tif", "--shots", "shots.gpkg")),
        ("a.nm", ("info", "scene.tif", "--wavelengths", "a.nm")),
        ("a.hdr", ("info", "a.hdr")),
        ("a.zip", ("info", "a.zip")),
        ("a.h5", ("info", "a.h5")),
        ("a.json", ("info", "scene.tif", "--shots", "shots.gpkg", "--classes", "a.json")),
        ("a.st", ("predict", "scene.tif", "--model", "a.st", "-o", "map.tif")),
        ("a.gpkg", ("predict", "scene.tif", "--model", "model", "-o", "map.tif", "--aoi", "a.gpkg")),
        ("a.txt", ("batch", "a.txt", "--model", "model", "-o", "maps")),
        ("a.vrt", ("batch", "a.vrt", "--model", "model", "-o", "maps")),
        ("a.geojson", ("assess", "scene.tif", "--reference", "a.geojson")),
    ],
)  # fmt: skip
def test_a_pipe_is_refused_for_every_option(
    name: str, arguments: tuple[str, ...], planted: Planted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(planted.path.parent)
    planted.shots(Path("shots.gpkg"))
    save_model(model_for(planted.path), Path("model"))
    if arguments[0] == "assess":
        write_tif(Path("scene.tif"), np.ones((1, 5, 7), np.uint8))
    os.mkfifo(name)
    result = run(*arguments)
    assert result.exit_code == 1, result.output
    assert "is a named pipe, not a file" in result.stderr
    assert "unexpected" not in result.stderr


def test_sockets_and_devices_are_refused(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as opened:
        opened.bind(str(tmp_path / "socket"))
        for path, kind in (("socket", "socket"), ("/dev/zero", "device"), ("/dev/null", "device")):
            with pytest.raises(HsiGeoError, match=f"is a {kind}, not a file"):
                require_local(tmp_path / path, "scene", HsiGeoError)
