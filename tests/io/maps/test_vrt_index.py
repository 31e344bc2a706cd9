"""Mosaics of maps: where they lie for programs that read the axes of their CRS."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from affine import Affine
from pyproj import CRS

from hsi_geo.io.maps.vrt_index import GeoreferencedMap, index_xml, percent_xml
from hsi_geo.tiling import Grid


@pytest.mark.parametrize("code", [4326, 3035, 31468, 32633])
def test_x_is_the_easting_whatever_the_first_axis_of_the_crs_is(code: int, tmp_path: Path) -> None:
    """A mapping "1,2" made GDAL take x for the latitude or northing, where this is the first axis."""
    grid = Grid(3, 5, Affine(0.5, 0.0, 13.0, 0.0, -0.5, 52.0), CRS.from_epsg(code))
    one = GeoreferencedMap(tmp_path / "a.tif", grid)

    for text in (index_xml([one], (), tmp_path), percent_xml([one], tmp_path)):
        stated = ET.fromstring(text).find("SRS")

        assert stated is not None
        assert stated.get("dataAxisToSRSAxisMapping") is None
        assert CRS.from_wkt(stated.text or "").to_epsg() == code
