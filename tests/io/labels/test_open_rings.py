"""Polygons whose last corner is not the first one, as people and some programs write them."""

from __future__ import annotations

import json
import struct
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


def csv(path: Path, before: str = "") -> Path:
    rows = [
        f'"{before}POLYGON(({", ".join(f"{x} {y}" for x, y in ring)}))",{name}'
        for name, ring in CORNERS.items()
    ]
    path.write_text("\n".join(["geom,class" if before else "WKT,class", *rows]))
    return path


def binary(ring: list[tuple[float, float]]) -> str:
    """The ring as the well-known binary of a polygon, as hexadecimal numbers."""
    corners = b"".join(struct.pack("<dd", *corner) for corner in ring)
    return (struct.pack("<BIII", 1, 3, 1, len(ring)) + corners).hex().upper()


def hexadecimal(path: Path) -> Path:
    rows = [f"{binary(ring)},{name}" for name, ring in CORNERS.items()]
    path.write_text("\n".join(["geom,class", *rows]))
    return path


@pytest.mark.parametrize("form", ["geojson", "multi", "kml", "csv", "ewkt", "binary"])
def test_open_rings_of_shots_are_closed(tmp_path: Path, form: str) -> None:
    path = {
        "geojson": lambda: geojson(tmp_path / "a.geojson"),
        "multi": lambda: geojson(tmp_path / "a.geojson", "MultiPolygon"),
        "kml": lambda: kml(tmp_path / "a.kml"),
        "csv": lambda: csv(tmp_path / "a.csv"),
        "ewkt": lambda: csv(tmp_path / "a.csv", "SRID=4326;"),
        "binary": lambda: hexadecimal(tmp_path / "a.csv"),
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


#: Rings of polygons without an area that were left out as broken before rings were closed.
BROKEN = [[(10.6, 49.6), (11.9, 49.1)], [(10.6, 49.6), (11.6, 48.6), (12.6, 47.6)], [(10.6, 49.6)]]


@pytest.mark.parametrize("kind", ["Polygon", "MultiPolygon"])
@pytest.mark.parametrize("ring", BROKEN)
def test_rings_that_closing_leaves_without_an_area_stay_broken(
    tmp_path: Path, ring: list[tuple[float, float]], kind: str
) -> None:
    path = geojson(tmp_path / "a.geojson")
    found = json.loads(path.read_text())
    shape = {"type": kind, "coordinates": [ring] if kind == "Polygon" else [[ring]]}
    found["features"].append({"type": "Feature", "properties": {"class": "oak"}, "geometry": shape})
    path.write_text(json.dumps(found))
    shots = read_shots(path)
    assert [one for one in shots.skipped if "without geometry" in one] == ["1 without geometry"]
    assert burn(shots, GRID).counts(shots.classes) == PIXELS


@pytest.mark.parametrize("before", ["", "SRID=4326;"])
@pytest.mark.parametrize("ring", BROKEN)
def test_texts_of_rings_without_an_area_are_named(
    tmp_path: Path, ring: list[tuple[float, float]], before: str
) -> None:
    path = csv(tmp_path / "a.csv", before)
    text = f"{before}POLYGON(({', '.join(f'{x} {y}' for x, y in ring)}))"
    path.write_text(f'{path.read_text()}\n"{text}",oak')
    shots = read_shots(path)
    assert any("1 with coordinates that could not be read" in one for one in shots.skipped)
    assert burn(shots, GRID).counts(shots.classes) == PIXELS


def test_a_closed_line_of_a_polygon_is_read_as_it_is_stored(tmp_path: Path) -> None:
    """It is no broken ring: shots of it lie on the pixels of the line, as before."""
    path = geojson(tmp_path / "a.geojson")
    text = path.read_text().replace(
        "[12.0, 49.5], [12.0, 49.0], [10.5, 49.0]", "[12.0, 49.5], [10.5, 49.5]"
    )
    path.write_text(text)
    assert not read_shots(path).skipped
