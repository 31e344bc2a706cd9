"""Local files that refer to other machines or hold code are refused, and GDAL neither fetches nor runs anything."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from xml.sax.saxutils import escape
from zipfile import ZipFile

import geopandas as gpd
import numpy as np
import pytest
import shapely
from builders import CENTRES, cube_of, nm_tags, write_tif
from reference_cases import Listener, Write, archived, vrt

from hsi_geo.errors import HsiGeoError
from hsi_geo.io.labels.shot_reading import read_shots
from hsi_geo.io.maps.reader import read_map
from hsi_geo.io.scenes.scene import open_scene
from hsi_geo.tasks.info import info


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
