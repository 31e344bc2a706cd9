"""The table of zones: which rows it has, and what an estimate of nearly nothing is shown as."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import shapely
from assess_cases import GRID, NAMES, write_class_map

from hsi_geo.io.labels.zones import read_zones
from hsi_geo.io.maps.reader import read_map
from hsi_geo.tasks.validation.zone_errors import ZoneEstimate
from hsi_geo.tasks.validation.zone_table import REFERENCE, zone_table


def test_an_estimate_of_nearly_nothing_is_0(tmp_path: Path) -> None:
    """Iterations end near 0: the command printed 0.0000000000000000113 ha."""
    ids = np.ones((5, 7), np.uint8)
    ids[:, 4:] = 2
    path = write_class_map(tmp_path, ids)
    corners = [GRID @ (0, 5), GRID @ (7, 0)]
    gpd.GeoDataFrame(
        {"name": ["all"]}, geometry=[shapely.box(*corners[0], *corners[1])], crs="EPSG:32633"
    ).to_file(tmp_path / "zones.gpkg")
    opened = read_map(path)
    names = list(opened.names.values())
    areas = np.zeros(len(names))
    areas[:3] = 2.1, 1.13e-17, 8e-12  # the third class is not in the map
    estimate = ZoneEstimate(areas, np.full(len(names), 0.25))
    zones = read_zones(tmp_path / "zones.gpkg", opened.grid).zones

    rows = zone_table(opened, zones, names, lambda *_: (estimate, 35), REFERENCE)

    assert [(one.name, one.hectares, one.hectares_se) for one in rows] == [
        (NAMES[0], 2.1, 0.25),
        (NAMES[1], 0.0, 0.25),
    ]
    assert rows[1].percent == 0.0
