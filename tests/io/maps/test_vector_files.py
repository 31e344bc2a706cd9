"""Layers in coordinate reference systems that formats of features hold as others, or not at all."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import pytest
import shapely

from hsi_geo.errors import OutputError
from hsi_geo.io.labels.geopackages import write_geopackage
from hsi_geo.io.maps.vector_files import LayerWriter

#: Longitudes and latitudes with a rotated pole, which no GeoPackage holds.
ROTATED = (
    "+proj=ob_tran +o_proj=longlat +o_lon_p=-162 +o_lat_p=39.25 +lon_0=180 "
    "+to_meter=0.0174532925199433"
)
UTM = "+proj=utm +zone=33"
UTM_KM, UTM_FEET = (f"{UTM} +datum=WGS84 +units={unit}" for unit in ("km", "us-ft"))


def write(crs: str, path: Path) -> gpd.GeoDataFrame:
    frame = gpd.GeoDataFrame(geometry=[shapely.box(400.0, 5.0, 403.0, 7.0)], crs=crs)
    with LayerWriter(path, "classes") as writer:
        writer.write(frame)
    return frame


@pytest.mark.parametrize(
    ("crs", "refused"),
    [
        (UTM_KM, (".fgb",)),
        (UTM_FEET, (".fgb",)),
        (f"{UTM} +ellps=WGS84 +towgs84=100,0,0", (".fgb",)),
        (f"{UTM} +datum=WGS84 +pm=paris", (".fgb", ".gpkg")),
        ("EPSG:32633", ()),
        ("+proj=utm +zone=11 +datum=NAD27", ()),
    ],
)
@pytest.mark.parametrize("suffix", [".gpkg", ".fgb", ".parquet"])
def test_a_layer_keeps_its_places_or_is_refused(
    crs: str, refused: tuple[str, ...], suffix: str, tmp_path: Path
) -> None:
    path = tmp_path / f"a{suffix}"
    if suffix in refused:
        with pytest.raises(OutputError, match="would hold its coordinates as those of"):
            write(crs, path)
        assert not path.exists()
        return
    written = write(crs, path)
    held = gpd.read_parquet(path) if suffix == ".parquet" else gpd.read_file(path)
    placed, wanted = held.to_crs(4326).geometry[0], written.to_crs(4326).geometry[0]
    assert shapely.hausdorff_distance(placed, wanted) < 1e-8


@pytest.mark.parametrize("crs", ["EPSG:32633", "EPSG:2263", "EPSG:4807", "+proj=sinu +R=6371007"])
def test_a_flatgeobuf_holds_other_crs(crs: str, tmp_path: Path) -> None:
    frame = write(crs, tmp_path / "a.fgb")

    held = gpd.read_file(tmp_path / "a.fgb")

    assert held.crs.axis_info[0].unit_name == frame.crs.axis_info[0].unit_name
    assert held.geometry[0].equals(frame.geometry[0])


@pytest.mark.parametrize("suffix", [".gpkg", ".fgb"])
def test_a_rotated_pole_is_refused_in_a_sentence(suffix: str, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot hold the coordinate reference system of the map"):
        write(ROTATED, tmp_path / f"a{suffix}")


def test_points_with_a_rotated_pole_are_refused_in_a_sentence(tmp_path: Path) -> None:
    frame = gpd.GeoDataFrame(geometry=[shapely.Point(1.0, 2.0)], crs=ROTATED)

    with pytest.raises(OutputError, match="cannot hold the coordinate reference system"):
        write_geopackage(frame, tmp_path / "a.gpkg")
