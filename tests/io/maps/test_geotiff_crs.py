"""Coordinate reference systems that are lost in a GeoTIFF: the user is told."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import rasterio
import rasterio.shutil
from affine import Affine
from builders import model_for
from pyproj import CRS

from hsi_geo import predict
from hsi_geo.io.maps.geotiff_crs import lost_crs_warning
from hsi_geo.tasks.convert import convert
from hsi_geo.tiling import Grid

Planted = Any  # defined in conftest, which tests cannot import
Recorder = Any

LOCAL = (
    'ENGCRS["site",EDATUM["corner"],CS[Cartesian,2],AXIS["x",east],AXIS["y",north],'
    'LENGTHUNIT["metre",1]]'
)
ROTATED = "+proj=ob_tran +o_proj=longlat +o_lon_p=0 +o_lat_p=39.25 +lon_0=18 +R=6371229"


def grid_in(crs: CRS | None) -> Grid:
    return Grid(5, 7, Affine(30.0, 0.0, -738632.5, 0.0, -20.0, -1053490.25), crs)


@pytest.mark.parametrize(
    ("text", "is_lost"),
    [
        ("EPSG:32633", False),
        ("EPSG:4326", False),
        ("EPSG:7415", False),
        ("IAU_2015:49900", False),
        ("+proj=laea +lat_0=37.3 +lon_0=-121.2 +datum=WGS84", False),
        ("+proj=tpers +h=5500000 +lat_0=40", True),
        (ROTATED, True),
    ],
)
def test_what_a_geotiff_holds(text: str, is_lost: bool) -> None:
    warning = lost_crs_warning(grid_in(CRS.from_user_input(text)), "map")
    assert ("cannot hold" in warning) == bool(warning) == is_lost
    assert lost_crs_warning(grid_in(None), "map") == ""


@pytest.mark.parametrize(
    ("text", "is_moved"),
    [
        ("+proj=krovak", True),
        (
            "+proj=krovak +ellps=bessel +towgs84=570.8,85.7,462.8,4.998,1.587,5.261,3.56",
            True,
        ),
        ("EPSG:5514", False),
        ("EPSG:5513", False),
        ("+proj=geos +h=35785831 +sweep=x +lon_0=-75", False),
        ("+proj=lcc +lat_1=30 +lat_2=50 +towgs84=1,2,3", False),
        (LOCAL, False),
    ],
    ids=["krovak", "krovak-datum", "krovak-epsg", "krovak-south", "geos", "lcc-datum", "local"],
)
def test_a_crs_that_comes_back_as_another_one(text: str, is_moved: bool) -> None:
    """A GeoTIFF has other names and parameters of some. Only places that move are worth a warning."""
    warning = lost_crs_warning(grid_in(CRS.from_user_input(text)), "copy")
    assert ("its copy lies elsewhere" in warning) == bool(warning) == is_moved


def test_maps_and_copies_without_their_crs_get_a_warning(
    scene: Planted, tmp_path: Path, recorder: Recorder
) -> None:
    rotated = tmp_path / "rotated.vrt"
    rasterio.shutil.copy(scene.path, rotated, driver="VRT")
    wkt = CRS(ROTATED).to_wkt().replace('"', "&quot;")
    text = re.sub(r"<SRS.*?</SRS>", f"<SRS>{wkt}</SRS>", rotated.read_text(encoding="utf-8"), flags=re.DOTALL)  # fmt: skip
    rotated.write_text(text, encoding="utf-8")
    predict(rotated, model_for(rotated), out=tmp_path / "map.tif", reporter=recorder)
    convert(rotated, tmp_path / "copy.tif", reporter=recorder)
    for name, what in (("map", "map"), ("copy", "copy")):
        with rasterio.open(tmp_path / f"{name}.tif") as file:
            assert file.crs is None
        (warning,) = [text for text in recorder.warnings if f"its {what} has none" in text]
        assert warning.startswith(f"scene '{rotated}' has a coordinate reference system that a GeoTIFF cannot hold")  # fmt: skip
