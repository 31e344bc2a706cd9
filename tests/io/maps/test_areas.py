"""Hectares of pixels and classes: projected and geographic CRS, against known and geodesic areas."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import rasterio
from affine import Affine
from pyproj import CRS, Transformer

from hsi_geo.io.maps.areas import class_areas, pixel_area_ha, pixel_areas_ha, row_areas_ha
from hsi_geo.io.maps.patches import find_patches
from hsi_geo.io.maps.reader import read_map
from hsi_geo.io.maps.vrt_index import GeoreferencedMap
from hsi_geo.tiling import Grid, Window

WGS84 = CRS.from_epsg(4326)
SPHERE = CRS.from_proj4("+proj=longlat +R=6371000 +no_defs")
MARS = CRS.from_proj4("+proj=longlat +a=3396190 +b=3376200 +no_defs")
#: Degrees of 400 to a full turn, on another ellipsoid.
GRADS = CRS.from_epsg(4807)
LOCAL = CRS.from_wkt('LOCAL_CS["site",UNIT["metre",1]]')


def geodesic_ha(grid: Grid, row: int) -> float:
    """Area of a pixel with many vertices along its edges, on the ellipsoid of its own CRS."""
    assert grid.crs is not None
    geographic = grid.crs.geodetic_crs
    geod = grid.crs.get_geod()
    assert geographic is not None
    assert geod is not None
    corners = [(3, row), (4, row), (4, row + 1), (3, row + 1), (3, row)]
    pixel = np.concatenate(
        [np.linspace(a, b, 400, endpoint=False) for a, b in itertools.pairwise(corners)]
    )
    x, y = np.array([grid.transform @ (col, line) for col, line in pixel]).T
    lon, lat = Transformer.from_crs(grid.crs, geographic, always_xy=True).transform(x, y)
    unit = float(np.degrees(geographic.axis_info[0].unit_conversion_factor))
    return abs(geod.polygon_area_perimeter(lon * unit, lat * unit)[0]) / 1e4


@pytest.mark.parametrize("crs", [3857, 32633, 3035, 2154, 4326, 4258])
@pytest.mark.parametrize("degrees", [46.0, 52.5])
def test_row_areas_ha_are_areas_on_the_ground(crs: int, degrees: float) -> None:
    known = CRS.from_epsg(crs)
    x, y = Transformer.from_crs(4326, known, always_xy=True).transform(8.0, degrees)
    size = 0.003 if known.is_geographic else 300.0
    grid = Grid(40, 7, Affine(size, 0.0, x, 0.0, -size / 1.5, y), known)
    rows = row_areas_ha(grid)
    assert rows is not None
    for row in (0, 39):
        tolerance = 1e-6 if known.is_geographic else 0.01
        assert rows[row] == pytest.approx(geodesic_ha(grid, row), rel=tolerance)


@pytest.mark.parametrize(
    ("epsg", "size", "hectares"),
    [(32633, 300.0, 9.0), (2263, 300.0, 9.0 * (1200 / 3937) ** 2), (3857, 300.0, None), (4326, 0.01, None)],
)  # fmt: skip
def test_pixel_area_ha_is_none_where_rows_differ(
    epsg: int, size: float, hectares: float | None
) -> None:
    crs = CRS.from_epsg(epsg)
    x, y = Transformer.from_crs(4326, crs, always_xy=True).transform(-74.0, 40.7)
    if epsg == 32633:
        x, y = 4e5, 5.8e6
    grid = Grid(40, 7, Affine(size, 0.0, x, 0.0, -size, y), crs)
    assert pixel_area_ha(grid) == (None if hectares is None else pytest.approx(hectares))
    rows = row_areas_ha(grid)
    assert rows is not None
    assert pixel_area_ha(replace(grid, height=1)) == pytest.approx(rows[0])


@pytest.mark.parametrize(
    ("crs", "top", "square_km"),
    [
        (WGS84, 1, 12308.464),  # between the equator and 1 degree north
        (WGS84, 0, 12308.464),
        (SPHERE, 1, 6371.0**2 * np.radians(1) * np.sin(np.radians(1))),
        (SPHERE, -59, 6371.0**2 * np.radians(1) * (np.sin(np.radians(60)) - np.sin(np.radians(59)))),
        (WGS84, 51, None),
        (WGS84, -50, None),
        (WGS84, 90, None),
        (MARS, 71, None),
        (GRADS, 51, None),
    ],
)  # fmt: skip
@pytest.mark.parametrize("left", [-180.5, -3.0, 8.0, 179.5, 359.0])
@pytest.mark.parametrize("step", [(1.0, -1.0), (-1.0, -1.0)])
def test_row_areas_ha_of_a_degree_is_known_at_any_longitude(
    crs: CRS, top: float, square_km: float | None, left: float, step: tuple[float, float]
) -> None:
    grid = Grid(1, 7, Affine(step[0], 0.0, left, 0.0, step[1], top), crs)
    rows = row_areas_ha(grid)
    assert rows is not None
    known = geodesic_ha(replace(grid, transform=Affine(1.0, 0.0, 8.0, 0.0, -1.0, top)), 0)
    assert rows[0] == pytest.approx(known, rel=1e-6)
    if square_km is not None:
        assert rows[0] / 100 == pytest.approx(square_km, rel=1e-6)


@pytest.mark.parametrize("step", [-0.5, 0.5])
def test_row_areas_ha_sum_to_the_surface_of_the_earth(step: float) -> None:
    """510,065,621.7 square kilometres on WGS 84; digits beyond the pole count for nothing."""
    top = 90.0 if step < 0 else -90.0
    grid = Grid(360, 720, Affine(0.5, 0.0, -180.0, 0.0, step, top * (1 + 1e-12)), WGS84)
    rows = row_areas_ha(grid)
    assert rows is not None
    assert 720 * rows.sum() / 100 == pytest.approx(510_065_621.724, rel=1e-9)
    assert (rows > 0).all()


@pytest.mark.parametrize("angle", [5.0, 90.0, -160.0])
def test_row_areas_ha_of_rotated_grid_are_those_of_upright_one(angle: float) -> None:
    upright = Affine(0.003, 0.0, 0.0, 0.0, -0.003, 0.0)
    transform = Affine.translation(8.0, 50.0) @ Affine.rotation(angle) @ upright
    grid = Grid(1, 1, transform, WGS84)
    rows = row_areas_ha(grid)
    middle = transform @ (0.5, 0.5)
    same = row_areas_ha(Grid(1, 1, Affine(0.003, 0.0, 8.0, 0.0, -0.003, middle[1] + 0.0015), WGS84))
    assert rows == pytest.approx(same, rel=1e-7)


@pytest.mark.parametrize("crs", [None, LOCAL])
def test_row_areas_ha_is_none_without_known_crs(crs: CRS | None, tmp_path: Path) -> None:
    grid = Grid(4, 5, Affine(30.0, 0.0, 4e5, 0.0, -20.0, 5e6), crs)
    assert row_areas_ha(grid) is None
    assert pixel_area_ha(grid) is None
    one = write(tmp_path / "map.tif", np.ones(grid.shape, np.uint8), grid)
    assert read_map(one.path).class_areas_ha() is None
    added = class_areas(one, 2)
    pixels, hectares = added.pixels, added.hectares
    assert pixels.tolist() == [20, 0]
    assert np.isnan(hectares).all()


def write(path: Path, ids: npt.NDArray[np.uint8], grid: Grid) -> GeoreferencedMap:
    with rasterio.open(
        path, "w", driver="GTiff", height=grid.height, width=grid.width, count=1, dtype="uint8",
        nodata=0, transform=grid.transform, crs=None if grid.crs is None else grid.crs.to_wkt(),
    ) as file:  # fmt: skip
        file.write(ids[None])
    return GeoreferencedMap(path, grid)


@pytest.mark.parametrize("crs", [WGS84, CRS.from_epsg(32633)])
def test_class_areas_are_sums_over_rows(crs: CRS, tmp_path: Path) -> None:
    """More rows than are read at a time; the reader and the batch agree."""
    size = (0.01, 60.0) if crs.is_geographic else (30.0, 5.8e6)
    grid = Grid(600, 7, Affine(size[0], 0.0, 8.0, 0.0, -size[0], size[1]), crs)
    ids = np.random.default_rng(3).integers(0, 4, grid.shape).astype(np.uint8)
    one = write(tmp_path / "map.tif", ids, grid)
    rows = row_areas_ha(grid)
    assert rows is not None
    expected = [float((rows[:, None] * (ids == c)).sum()) for c in (1, 2, 3)]
    assert class_areas(one, 3).hectares == pytest.approx(expected)
    assert read_map(one.path).class_areas_ha() == pytest.approx(
        dict(zip("123", expected, strict=True))
    )


def test_row_areas_ha_of_window_are_those_of_its_rows() -> None:
    grid = Grid(30, 7, Affine(0.1, 0.0, 178.0, 0.0, -0.1, 60.0), WGS84)
    window = Window(11, 2, 5, 4)
    part = Grid(5, 4, grid.transform_of(window), WGS84)
    whole, rows = row_areas_ha(grid), row_areas_ha(part)
    assert whole is not None
    assert rows == pytest.approx(whole[11:16])


#: Grids whose pixels of one row differ in area: near a pole, and rotated.
WIDE = {
    "Arctic": Grid(31, 83, Affine(48_000.0, 0.0, -2e6, 0.0, -40_000.0, 1e6), CRS.from_epsg(3413)),
    "east of the South Pole": Grid(
        31, 83, Affine(40_000.0, 0.0, -3e5, 0.0, -50_000.0, 6e5), CRS.from_epsg(3031)
    ),
    "rotated in Web Mercator": Grid(
        53, 97, Affine.translation(1e6, 8e6) @ Affine.rotation(30) @ Affine.scale(3000.0, -3500.0),
        CRS.from_epsg(3857),
    ),
    "rotated in degrees": Grid(
        53, 97, Affine.translation(10, 60) @ Affine.rotation(-40) @ Affine.scale(0.03, -0.02), WGS84
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WIDE)
def test_pixels_of_a_row_may_differ_in_area(name: str, tmp_path: Path) -> None:
    """At the ends of rows, too, areas are those on the ellipsoid, wherever they are counted."""
    grid = WIDE[name]
    areas = pixel_areas_ha(grid)
    assert areas is not None
    assert areas.of_each is None
    assert pixel_area_ha(grid) is None
    rows, cols = (np.array(part) for part in np.meshgrid([0, 17, 30], [0, 3, 40, 82]))
    every = areas.of(grid.window)
    for row, col in zip(rows.ravel().tolist(), cols.ravel().tolist(), strict=True):
        place = replace(grid, transform=grid.transform @ Affine.translation(col - 3, 0))
        known = geodesic_ha(place, row)  # of the pixel in column 3
        assert every[row, col] == pytest.approx(known, rel=5e-3)
        assert areas.at(np.array([row]), np.array([col])) == pytest.approx(known, rel=5e-3)
    part = Window(5, 30, 11, 44)
    assert areas.of(part) == pytest.approx(every[part.slices], rel=1e-3)
    ids = np.random.default_rng(3).integers(0, 4, grid.shape).astype(np.uint8)
    ids[:, 60:] = 2
    one = write(tmp_path / "map.tif", ids, grid)
    expected = [float(every[ids == c].sum()) for c in (1, 2, 3)]
    assert class_areas(one, 3).hectares == pytest.approx(expected, rel=1e-3)
    assert list((read_map(one.path).class_areas_ha() or {}).values()) == pytest.approx(
        expected, rel=1e-3
    )
    patches = [patch for patch, _ in find_patches(read_map(one.path))]
    found = np.concatenate([patch.hectares for patch in patches])
    assert found.sum() == pytest.approx(sum(expected), rel=1e-3)


@pytest.mark.parametrize(
    ("epsg", "width"), [(32633, 4e5), (3035, 4e5), (3857, 4e6), (4326, 40.0)], ids=str
)
def test_pixels_of_a_row_have_one_area_where_the_scale_is_that_of_the_row(
    epsg: int, width: float
) -> None:
    crs = CRS.from_epsg(epsg)
    x, y = Transformer.from_crs(4326, crs, always_xy=True).transform(12.0, 52.0)
    grid = Grid(23, 71, Affine(width / 71, 0.0, x, 0.0, -width / 71, y), crs)
    areas = pixel_areas_ha(grid)
    assert areas is not None
    assert not areas.along_rows
    assert (areas.of(grid.window) == areas.rows[:, None]).all()


@pytest.mark.parametrize(
    ("code", "lon", "lat"),
    [(31251, 11.0, 47.2), (20790, -8.0, 39.5), (26591, 10.0, 44.0), (2065, 14.5, 50.0), (27572, 2.5, 47.0)],
)  # fmt: skip
def test_areas_in_a_crs_with_another_prime_meridian_are_those_on_the_ground(
    code: int, lon: float, lat: float
) -> None:
    """Ferro, Lisbon, Rome and Paris: the scale was that of a place so many degrees away, up to 4 % off."""
    crs = CRS.from_epsg(code)
    x, y = Transformer.from_crs(4326, crs, always_xy=True).transform(lon, lat)
    grid = Grid(40, 7, Affine(300.0, 0.0, x, 0.0, -200.0, y), crs)

    areas = pixel_areas_ha(grid)

    assert areas is not None
    for row in (0, 39):
        assert areas.rows[row] == pytest.approx(geodesic_ha(grid, row), rel=0.003)
