"""Any shots, class names and spectral libraries give a result or an `HsiGeoError`, and never another exception."""

from __future__ import annotations

import math
import warnings
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import geopandas as gpd
import pytest
import shapely
from builders import NORTH_UP
from fuzzing import VALUES, fuzz, result_or_error
from hypothesis import given
from hypothesis import strategies as st
from pyproj import CRS
from shots_cases import UTM

from hsi_geo.io.labels.aoi import read_area
from hsi_geo.io.labels.shot_pixels import burn
from hsi_geo.io.labels.shot_reading import read_shots
from hsi_geo.io.labels.shots import make_shots
from hsi_geo.io.maps.class_styles import aux_xml
from hsi_geo.tiling import Grid

# Libraries ------------------------------------------------------------------------------------

LIBRARY_ENDINGS = st.sampled_from([".csv", ".asd", ".sig", ".sli", ".geojson", ".json", ".txt"])


@fuzz
@given(
    ending=LIBRARY_ENDINGS,
    content=st.one_of(
        st.binary(max_size=700),
        VALUES.map(
            lambda text: f"name,class,{text},500,600,700,800\n1,a,1,2,3,4,5".encode(
                "utf-8", "replace"
            )
        ),
        VALUES.map(
            lambda text: f"Wavelength,a,b\n{text},1,2\n500,{text},3".encode("utf-8", "replace")
        ),
        st.binary(min_size=300, max_size=300).map(lambda tail: b"as7" + bytes(183) + tail * 3),
        VALUES.map(lambda text: f"data=\n400 1 1 {text}\n500 1 1 20".encode("utf-8", "replace")),
    ),
)
def test_any_library(tmp_path: Path, ending: str, content: bytes) -> None:
    path = tmp_path / f"library{ending}"
    path.write_bytes(content)
    (tmp_path / "library.hdr").write_text("ENVI\nsamples = 3\nlines = 2\ndata type = 4\n")
    result_or_error(lambda: read_shots(path))
    path.unlink()


# Names of classes -----------------------------------------------------------------------------


@fuzz
@given(names=st.lists(st.text(max_size=20), min_size=4, max_size=4))
def test_any_class_names(tmp_path: Path, names: list[str]) -> None:
    """A class table holds names that XML and GDAL can store, and each class once."""
    places = gpd.GeoSeries(shapely.points([(x, x) for x in range(4)]), crs=UTM)

    def attempt() -> None:
        classes = make_shots(places, names).classes
        root = ET.fromstring(aux_xml(classes))
        written = [entry.text or "" for entry in root.iter("Category")][1:]
        assert written == [c.name for c in classes]
        assert len({c.name for c in classes}) == len(classes)

    result_or_error(attempt)


# Geometries -----------------------------------------------------------------------------------

CLOSE = st.floats(-5, 25)
COORDINATES = st.one_of(
    CLOSE,
    CLOSE,
    CLOSE,
    st.sampled_from([0.0, 12.0, 17.0, math.nan, math.inf, 1e300, -1e18, 5e-324]),
)
SPOT = st.tuples(COORDINATES, COORDINATES)

#: NaN does not equal itself: a ring that began with it could not be closed.
RING = st.tuples(st.tuples(CLOSE, CLOSE), st.lists(SPOT, min_size=2, max_size=6)).map(
    lambda parts: [parts[0], *parts[1]]
)


@st.composite
def shapes(draw: st.DrawFn) -> Any:
    """Geometries of every kind around a grid of 12 x 17 pixels: crossed, flat, empty, far, 3-D."""
    kind = draw(st.sampled_from(["Point", "LineString", "Polygon", "Multi", "Collection", "None"]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # NaN among the coordinates
        if kind == "Point":
            return draw(st.one_of(SPOT.map(shapely.Point), st.just(shapely.Point())))
        if kind == "LineString":
            return shapely.LineString(draw(st.lists(SPOT, min_size=2, max_size=5)))
        if kind == "Polygon":
            ring, hole = draw(RING), draw(st.lists(RING, max_size=1))
            return shapely.Polygon(ring, hole)
        if kind == "None":
            return draw(st.sampled_from([None, shapely.Polygon(), shapely.GeometryCollection()]))
        if kind == "Multi":
            return shapely.MultiPoint(draw(st.lists(SPOT, max_size=4)))
        return shapely.GeometryCollection(draw(st.lists(shapes(), max_size=3)))


def placed(shape: Any) -> Any:
    """From (column, row) to the coordinates of the grid."""
    if shape is None:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return shapely.transform(
            shape, lambda xy: xy * [NORTH_UP.a, NORTH_UP.e] + [NORTH_UP.c, NORTH_UP.f]
        )


LABELS = st.one_of(
    st.lists(st.sampled_from(["a", "b", " ", None]), min_size=5, max_size=5),
    st.lists(st.sampled_from([1.0, 2.0, 2.5, math.nan]), min_size=5, max_size=5),
    st.lists(st.integers(-3, 3), min_size=5, max_size=5),
)


@fuzz
@given(
    drawn=st.lists(shapes(), min_size=5, max_size=5),
    labels=LABELS,
    crs=st.sampled_from([UTM, CRS.from_epsg(4326), None]),
    all_touched=st.booleans(),
)
@pytest.mark.filterwarnings("ignore:.*crs.*:UserWarning", "ignore:invalid value:RuntimeWarning")
def test_any_shots(
    tmp_path: Path, drawn: list[Any], labels: list[Any], crs: CRS | None, all_touched: bool
) -> None:
    frame = gpd.GeoDataFrame({"class": labels}, geometry=[placed(s) for s in drawn], crs=crs)
    path = tmp_path / "shots.fgb"
    path = path.with_suffix(".gpkg")
    path.unlink(missing_ok=True)
    frame.to_file(path)

    def attempt() -> None:
        grid = Grid(12, 17, NORTH_UP, UTM)
        pixels = burn(read_shots(path, all_touched=all_touched), grid)
        assert len(pixels)
        assert ((pixels.rows >= 0) & (pixels.rows < 12)).all()
        assert ((pixels.cols >= 0) & (pixels.cols < 17)).all()
        assert len(set(zip(pixels.rows, pixels.cols, strict=True))) == len(pixels)

    result_or_error(attempt)
    result_or_error(lambda: read_area(path, Grid(12, 17, NORTH_UP, UTM)))
