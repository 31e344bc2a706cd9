"""Outlines of rasters: cut at 180 degrees, closed at a pole, and with the bounds that GeoJSON wants."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from affine import Affine
from pyproj import CRS, Transformer
from rasterio.control import GroundControlPoint

from hsi_geo.io.maps.outlines import bbox_of, footprint_of
from hsi_geo.io.readers.image_models import ControlPoints, ModelledImage
from hsi_geo.tiling import Grid

POLAR = Affine(10_000.0, 0.0, -200_000.0, 0.0, -8_000.0, 190_000.0)

#: Name, CRS, transform, (rows, columns), kind of geometry, bbox (None: see the place of its pixels).
CASES: list[tuple[str, str, Affine, tuple[int, int], str, tuple[float, ...]]] = [
    ("utm", "EPSG:32633", Affine(30, 0, 5e5, 0, -30, 5e6), (37, 53), "Polygon",
     (15.0, 45.144, 15.0202, 45.1539)),
    ("rotated", "EPSG:32633", Affine(30, 0, 5e5, 0, -30, 5e6) @ Affine.rotation(30), (37, 53),
     "Polygon", (15.0, 45.1367, 15.0246, 45.1539)),
    ("fiji", "EPSG:32760", Affine(3000, 0, 750_000, 0, -3000, 8_000_000), (37, 53),
     "MultiPolygon", (179.3620, -19.0766, -179.1152, -18.0501)),
    ("pacific", "EPSG:3832", Affine(1e5, 0, -2e6, 0, -1e5, 1e6), (20, 60),
     "MultiPolygon", (132.0337, -9.0059, -174.0674, 9.0059)),
    ("beyond_180", "EPSG:4326", Affine(1, 0, 170, 0, -1, 10), (10, 20),
     "MultiPolygon", (170, 0, -170, 10)),
    ("0_to_360", "EPSG:4326", Affine(1, 0, 200, 0, -1, 10), (10, 20), "Polygon",
     (-160, 0, -140, 10)),
    ("world", "EPSG:4326", Affine(1, 0, -180, 0, -1, 90), (180, 360), "Polygon",
     (-180, -90, 180, 90)),
    ("world_0_to_360", "EPSG:4326", Affine(1, 0, 0, 0, -1, 90), (180, 360), "Polygon",
     (-180, -90, 180, 90)),
    ("beyond_pole", "EPSG:4326", Affine(1, 0, 20, 0, -1, 90.5), (10, 30), "Polygon",
     (20, 80.5, 50, 90)),
    ("most_of_the_world", "EPSG:6933", Affine(1e6, 0, -17367530.45, 0, -1e6, 7e6), (14, 34),
     "Polygon", (-180, -72.5112, 172.3817, 72.5112)),
    ("arctic", "EPSG:3413", POLAR, (40, 40), "Polygon", (-180, 87.4538, 180, 90)),
    ("antarctic", "EPSG:3031", POLAR, (40, 40), "Polygon", (-180, -90, 180, -87.46)),
    ("pole_at_a_corner", "EPSG:3413", Affine(1e4, 0, 0, 0, -1e4, 0), (40, 40), "Polygon",
     (-45, 84.78, 45, 90)),
    ("pole_on_an_edge", "EPSG:3413", Affine(1e4, 0, -1e5, 0, -1e4, 0), (40, 40), "Polygon",
     (-135, 85.39, 45, 90)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("crs", "transform", "shape", "kind", "bbox"),
    [case[1:] for case in CASES],
    ids=[case[0] for case in CASES],
)
def test_outlines_hold_the_pixels_and_nothing_else(
    crs: str, transform: Affine, shape: tuple[int, int], kind: str, bbox: tuple[float, ...]
) -> None:
    footprint = footprint_of(Grid(*shape, transform, CRS.from_user_input(crs)))
    assert footprint is not None
    assert footprint.geom_type == kind
    assert footprint.is_valid
    x = shapely.get_coordinates(footprint)[:, 0]
    assert np.abs(x).max() <= 180.0
    for part in shapely.get_parts(footprint):
        assert part.exterior.is_ccw  # RFC 7946, 3.1.6
    assert bbox_of(footprint) == pytest.approx(bbox, abs=0.01)
    # Pixels in the raster, and just outside of it.
    cols, rows = np.meshgrid(np.linspace(-0.3, 1.3, 17), np.linspace(-0.3, 1.3, 17))
    inside = ((np.abs(cols - 0.5) < 0.48) & (np.abs(rows - 0.5) < 0.48)).ravel()
    outside = ((np.abs(cols - 0.5) > 0.55) | (np.abs(rows - 0.5) > 0.55)).ravel()
    spots = [
        transform @ spot
        for spot in zip(cols.ravel() * shape[1], rows.ravel() * shape[0], strict=True)
    ]
    x, y = np.array(spots).T
    lon, lat = Transformer.from_crs(crs, "OGC:CRS84", always_xy=True).transform(x, y)
    usable = np.isfinite(lon) & (np.abs(lat) <= 90)
    lon = np.where(usable, (lon + 180.0) % 360.0 - 180.0, 0.0)
    held = shapely.intersects_xy(footprint, lon, np.where(usable, lat, 0.0))
    assert held[inside & usable].mean() > 0.98
    if shape != (180, 360) and crs != "EPSG:6933":  # these go around the world, and meet themselves
        assert not held[outside & usable & (np.abs(lat) < 90)].any()


def test_the_pole_is_in_the_outline_of_its_scene() -> None:
    arctic = footprint_of(Grid(40, 40, POLAR, CRS.from_epsg(3413)))
    for lon in (-170.0, -45.0, 0.0, 120.0):
        assert shapely.contains_xy(arctic, lon, 89.99)
        assert not shapely.contains_xy(arctic, lon, 85.0)


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([(177, 180), (-180, -178)], (177, -178)),
        ([(170, 172), (-175, -170)], (170, -170)),
        ([(10, 20), (30, 50)], (10, 50)),
        ([(-180, 180)], (-180, 180)),
        ([(-180, -100), (-110, 180)], (-180, 180)),
    ],
)
def test_bounds_have_the_fewest_longitudes(
    parts: list[tuple[float, float]], expected: tuple[float, float]
) -> None:
    shape = shapely.MultiPolygon([shapely.box(west, 1, east, 2) for west, east in parts])
    assert bbox_of(shape) == (expected[0], 1, expected[1], 2)


def test_an_image_of_a_sensor_has_an_outline() -> None:
    turned = Affine(30, 0, 5e5, 0, -30, 5e6) @ Affine.rotation(20)
    spots = [(r, c) for r in (0.0, 18.0, 37.0) for c in (0.0, 30.0, 53.0)]
    points = [GroundControlPoint(r, c, *(turned @ (c, r))) for r, c in spots]
    model = ControlPoints(
        tuple((p.row, p.col, p.x, p.y) for p in points), CRS.from_epsg(32633), spline=True
    )
    frame = ModelledImage(model, "it has points").frame((37, 53), "line")
    found = footprint_of(Grid(37, 53, Affine.identity(), None, frame))
    whole = footprint_of(Grid(37, 53, turned, CRS.from_epsg(32633)))
    assert found is not None
    assert whole is not None
    assert 0.9 < found.area / whole.area < 1.0
    assert whole.buffer(1e-6).contains(found)


@pytest.mark.parametrize(
    "crs", [None, "+proj=longlat +a=3396190 +b=3376200", 'LOCAL_CS["site",UNIT["metre",1]]']
)
def test_no_outline_without_a_place_on_the_earth(crs: str | None) -> None:
    known = None if crs is None else CRS.from_user_input(crs)
    assert footprint_of(Grid(3, 4, Affine(1, 0, 0, 0, -1, 0), known)) is None
