"""Coordinate reference systems that are lost in a GeoTIFF: the user is told."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import rasterio
import rasterio.shutil
from builders import model_for
from pyproj import CRS

from hsi_geo import predict
from hsi_geo.io.maps.geotiff_crs import lost_crs_warning
from hsi_geo.tasks.convert import convert

Planted = Any  # defined in conftest, which tests cannot import
Recorder = Any

ROTATED = "+proj=ob_tran +o_proj=longlat +o_lon_p=0 +o_lat_p=39.25 +lon_0=18 +R=6371229"


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
    assert bool(lost_crs_warning(CRS.from_user_input(text), "map")) == is_lost
    assert lost_crs_warning(None, "map") == ""


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
