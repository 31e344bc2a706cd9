"""Polygons whose last corner is not the first one, as people and some programs write them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from affine import Affine
from pyproj import CRS

from hsi_geo.io.labels.aoi import read_area
from hsi_geo.io.labels.pixel_centres import area_mask
from hsi_geo.io.labels.shot_pixels import burn
from hsi_geo.io.labels.shot_reading import read_shots
from hsi_geo.io.labels.zones import read_zones
from hsi_geo.tiling import Grid

GRID = Grid(9, 12, Affine(0.5, 0.0, 10.0, 0.0, -0.25, 50.0), CRS.from_epsg(4326))

#: Corners of two polygons of 3 x 2 and 1 x 2 pixels, without their first corners at the end.
CORNERS = {
    "oak": [(10.5, 49.5), (12.0, 49.5), (12.0, 49.0), (10.5, 49.0)],
    "rye": [(14.0, 49.0), (14.5, 49.0), (14.5, 48.5), (14.0, 48.5)],
}
PIXELS = {"oak": 6, "rye": 2}


def geojson(path: Path, kind: str = "Polygon") -> Path:
    features = [
        {
            "type": "Feature",
            "properties": {"class": name},
            "geometry": {"type": kind, "coordinates": [ring] if kind == "Polygon" else [[ring]]},
        }
        for name, ring in CORNERS.items()
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


def kml(path: Path) -> Path:
    placemarks = [
        f"<Placemark><name>{name}</name><Polygon><outerBoundaryIs><LinearRing><coordinates>"
        + " ".join(f"{x},{y},0" for x, y in ring)
        + "</coordinates></LinearRing></outerBoundaryIs></Polygon></Placemark>"
        for name, ring in CORNERS.items()
    ]
    text = f"<Document>{''.join(placemarks)}</Document>"
    path.write_text(f'<kml xmlns="http://www.opengis.net/kml/2.2">{text}</kml>')
    return path


def csv(path: Path) -> Path:
    rows = [
        f'"POLYGON(({", ".join(f"{x} {y}" for x, y in ring)}))",{name}'
        for name, ring in CORNERS.items()
    ]
    path.write_text("\n".join(["WKT,class", *rows]))
    return path


@pytest.mark.parametrize("form", ["geojson", "multi", "kml", "csv"])
def test_open_rings_of_shots_are_closed(tmp_path: Path, form: str) -> None:
    path = {
        "geojson": lambda: geojson(tmp_path / "a.geojson"),
        "multi": lambda: geojson(tmp_path / "a.geojson", "MultiPolygon"),
        "kml": lambda: kml(tmp_path / "a.kml"),
        "csv": lambda: csv(tmp_path / "a.csv"),
    }[form]()
    shots = read_shots(path, class_field="Name" if form == "kml" else None)
    assert not shots.skipped
    assert burn(shots, GRID).counts(shots.classes) == PIXELS


def test_open_rings_of_areas_and_zones_are_closed(tmp_path: Path) -> None:
    path = geojson(tmp_path / "a.geojson")
    assert area_mask(read_area(path, GRID), GRID, GRID.window).sum() == sum(PIXELS.values())
    zones = read_zones(path, GRID).zones
    sizes = [int(area_mask(zone.geometry, GRID, GRID.window).sum()) for zone in zones]
    assert sizes == list(PIXELS.values())
