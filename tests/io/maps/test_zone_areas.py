"""Zones that touch add up to the land that they cover, in pixels and in places."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine

from hsi_geo.io.labels.zones import Zone
from hsi_geo.io.maps.reader import read_map
from hsi_geo.io.maps.zone_areas import are_in_zone, count_zone

#: Centres of pixels lie at multiples of 30 m, as in Landsat scenes.
LANDSAT = Affine(30.0, 0.0, 299985.0, 0.0, -30.0, 5000015.0)
SOUTH_UP = Affine(30.0, 0.0, 299985.0, 0.0, 30.0, 4998185.0)


@pytest.mark.parametrize("transform", [LANDSAT, SOUTH_UP], ids=["north-up", "south-up"])
def test_square_zones_with_edges_through_centres_are_as_large_as_they_are(
    tmp_path: Path, transform: Affine
) -> None:
    with rasterio.open(
        tmp_path / "map.tif", "w", driver="GTiff", height=61, width=41, count=1, dtype="uint8",
        nodata=0, crs="EPSG:32633", transform=transform,
    ) as file:  # fmt: skip
        file.write(np.tile(np.arange(1, 42, dtype=np.uint8) % 3 + 1, (1, 61, 1)))
    opened = read_map(tmp_path / "map.tif")
    zones = [
        Zone(f"{i} {j}", shapely.box(x, y - 600.0, x + 300.0, y))
        for i, x in enumerate((300000.0, 300300.0, 300600.0))
        for j, y in enumerate((5000000.0, 4999400.0))
    ]
    rows, cols = (one.ravel() for one in np.indices(opened.grid.shape))
    for zone in zones:
        counted = count_zone(opened, zone)
        assert sum(counted.pixels.values()) == 10 * 20
        assert sum(counted.areas.values()) == pytest.approx(0.09 * 10 * 20, rel=2e-3)
        assert are_in_zone(zone, opened.grid, rows, cols).sum() == 10 * 20
    groups = [are_in_zone(zone, opened.grid, rows, cols) for zone in zones]
    assert np.sum(groups, axis=0).max() == 1
