"""Vector files that refer to other machines are refused, and those that refer to local files are read."""

from __future__ import annotations

import json
from pathlib import Path
from zipfile import ZipFile

import geopandas as gpd
import pytest
import rasterio
import shapely
from reference_cases import Listener, Write, archived

from hsi_geo.errors import HsiGeoError
from hsi_geo.io.labels.aoi import read_area
from hsi_geo.io.labels.shot_reading import read_shots
from hsi_geo.tiling import Grid


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
