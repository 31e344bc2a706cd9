"""Labels whose coordinate reference system is not known, or cannot be the one that is stated."""

from __future__ import annotations

import json
import sqlite3
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import shapely
from affine import Affine
from builders import NORTH_UP, write_tif
from pyproj import CRS

from hsi_geo.errors import OptionError, ShotsError
from hsi_geo.io.labels.aoi import read_area
from hsi_geo.io.labels.purposes import REFERENCE
from hsi_geo.io.labels.shot_pixels import burn
from hsi_geo.io.labels.shot_reading import read_shots
from hsi_geo.tiling import Grid

SCENE = Grid(12, 17, NORTH_UP, CRS.from_epsg(32633))
BARE = Grid(12, 17, NORTH_UP, None)

CARTESIAN = CRS(
    'ENGCRS["Undefined Cartesian SRS with unknown unit",EDATUM["Unknown engineering datum"],'
    'CS[Cartesian,2],AXIS["X",unspecified,ORDER[1],LENGTHUNIT["unknown",0]],'
    'AXIS["Y",unspecified,ORDER[2],LENGTHUNIT["unknown",0]]]'
)
GEOGRAPHIC = CRS(
    'GEOGCRS["Undefined geographic SRS",DATUM["unknown",ELLIPSOID["unknown",6378137,298.257223563]],'
    'PRIMEM["Greenwich",0],CS[ellipsoidal,2],AXIS["latitude",north],AXIS["longitude",east],'
    'ANGLEUNIT["degree",0.0174532925199433]]'
)


def boxes(crs: CRS | None) -> Any:
    corners = [(1, 2), (3, 5), (8, 11)]
    shapes = [
        shapely.box(*NORTH_UP @ (col, row + 1), *NORTH_UP @ (col + 1, row)) for row, col in corners
    ]
    return gpd.GeoDataFrame({"class": list("aba")}, geometry=shapes, crs=crs)


def written(path: Path, crs: CRS | None) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # pyogrio's, of the CRS that is not there
        boxes(crs).to_file(path)
    return path


def with_srs_id(srs_id: int) -> Callable[[Path], Path]:
    """A GeoPackage whose layer has an undefined CRS by its number."""

    def write(folder: Path) -> Path:
        path = written(folder / "a.gpkg", None)
        with sqlite3.connect(path) as base:
            base.create_function("ST_IsEmpty", 1, lambda _: 0)
            for table in ("gpkg_geometry_columns", "gpkg_contents"):
                base.execute(f"UPDATE {table} SET srs_id = {srs_id}")
        base.close()
        return path

    return write


def with_prj(text: str | None) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        path = written(folder / "a.shp", None)
        if text is not None:
            path.with_suffix(".prj").write_text(text)
        return path

    return write


def raster(folder: Path) -> Path:
    ids = np.zeros((1, 12, 17), "uint8")
    ids[0, 1, 2:4], ids[0, 8, 9] = 1, 2
    return write_tif(folder / "ids.tif", ids, crs=None)


def as_file(end: str, crs: CRS | None) -> Callable[[Path], Path]:
    return lambda folder: written(folder / f"a.{end}", crs)


UNKNOWN: dict[str, Callable[[Path], Path]] = {
    **{f"srs_id {srs_id}": with_srs_id(srs_id) for srs_id in (-1, 0, 99999)},
    **{
        f"{kind} {end}": as_file(end, crs)
        for kind, crs in (("no", None), ("cartesian", CARTESIAN), ("geographic", GEOGRAPHIC))
        for end in ("gpkg", "fgb", "gml", "shp")
    },
    **{
        f"prj {text}": with_prj(text)
        for text in ("", "garbage", 'LOCAL_CS["Nonearth",UNIT["Meter",1.0]]')
    },
}


@pytest.mark.parametrize("how", [*UNKNOWN, "raster"])
@pytest.mark.parametrize("purpose", ["shots", "reference"])
def test_burn_refuses_undefined_crs_of_shots(tmp_path: Path, how: str, purpose: str) -> None:
    path = raster(tmp_path) if how == "raster" else UNKNOWN[how](tmp_path)
    more: Any = {} if purpose == "shots" else {"purpose": REFERENCE}
    message = f"no coordinate reference system is set for .*'{path}', and one is for the"
    with pytest.raises(ShotsError, match=message):
        burn(read_shots(path, **more), SCENE)
    assert len(burn(read_shots(path, **more), BARE)) == 3


@pytest.mark.parametrize("how", UNKNOWN)
def test_read_area_refuses_undefined_crs(tmp_path: Path, how: str) -> None:
    path = UNKNOWN[how](tmp_path)
    with pytest.raises(OptionError, match=f"is set for area '{path}', and one is for the scene"):
        read_area(path, SCENE)
    assert read_area(path, BARE).area > 0


@pytest.mark.parametrize("crs", [CARTESIAN, GEOGRAPHIC])
def test_scene_with_undefined_crs_has_none(tmp_path: Path, crs: CRS) -> None:
    bare = Grid(12, 17, NORTH_UP, crs)
    assert len(burn(read_shots(written(tmp_path / "a.gpkg", None)), bare)) == 3
    with pytest.raises(ShotsError, match="the scene has no coordinate reference system"):
        burn(read_shots(written(tmp_path / "b.gpkg", SCENE.crs)), bare)


# Degrees that are none ------------------------------------------------------------------------


def geojson(folder: Path, frame: Any) -> Path:
    """Without a word on its CRS: so it is WGS 84, by the standard."""
    path = folder / "a.geojson"
    path.write_text(json.dumps(json.loads(frame.set_crs(None, allow_override=True).to_json())))
    return path


def mislabelled(end: str) -> Callable[[Path, Any], Path]:
    def write(folder: Path, frame: Any) -> Path:
        path = folder / f"a.{end}"
        frame.set_crs(4326, allow_override=True).to_file(path)
        return path

    return write


def lon_lat(folder: Path, frame: Any) -> Path:
    points = frame.representative_point()
    rows = [f"{p.x},{p.y},{c}" for p, c in zip(points, frame["class"], strict=True)]
    path = folder / "a.csv"
    path.write_text("\n".join(["lon,lat,class", *rows]))
    return path


@pytest.mark.parametrize("grid", [SCENE, BARE], ids=["scene", "bare scene"])
@pytest.mark.parametrize(
    "write", [geojson, lon_lat, mislabelled("gpkg"), mislabelled("shp"), mislabelled("fgb")]
)
def test_burn_refuses_metres_in_geographic_crs(
    tmp_path: Path, write: Callable[[Path, Any], Path], grid: Grid
) -> None:
    path = write(tmp_path, boxes(SCENE.crs))
    with pytest.raises(
        ShotsError, match=r"should be degrees, as they are in WGS 84, and are none: x 383"
    ):
        burn(read_shots(path), grid)


def test_read_area_refuses_metres_in_geographic_crs(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"area '.*a\.geojson' should be degrees"):
        read_area(geojson(tmp_path, boxes(SCENE.crs)), SCENE)


def test_burn_says_that_latitudes_come_first(tmp_path: Path) -> None:
    """Longitudes beyond 90 degrees are no latitudes."""
    path = tmp_path / "a.csv"
    path.write_text("lon,lat,class\n34.42,-119.72,a\n34.44,-119.74,b\n", encoding="utf-8")
    with pytest.raises(
        ShotsError, match=r"latitudes beyond a pole: x 34.*exchange longitude and latitude"
    ):
        burn(read_shots(path), SCENE)


@pytest.mark.parametrize("turns", [0, 360, -360])
def test_burn_accepts_longitudes_beyond_360_degrees(tmp_path: Path, turns: int) -> None:
    """And one feature astray does not make all of them metres."""
    grid = Grid(12, 17, Affine(0.001, 0.0, 13.25, 0.0, -0.001, 52.5), CRS.from_epsg(4258))
    points = [grid.transform @ (col + 0.5, row + 0.5) for row, col in ((1, 2), (3, 5))]
    frame = gpd.GeoDataFrame(
        {"class": ["a", "b", "a"]},
        geometry=shapely.points([*points, (383500.0, 5818300.0)]),
        crs=4326,
    )
    frame.geometry = frame.translate(turns, 0)
    frame.to_file(tmp_path / "a.gpkg")
    if turns == 0:
        assert burn(read_shots(tmp_path / "a.gpkg"), grid).outside == 1
        return
    try:
        burn(read_shots(tmp_path / "a.gpkg"), grid)
    except ShotsError as error:
        assert "should be degrees" not in str(error)
