"""Names of columns of coordinates that tell their CRS."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import pytest
from pyproj import CRS
from shots_cases import points_at

from hsi_geo.errors import ShotsError
from hsi_geo.io.labels.shot_reading import read_shots

SPOTS = [(2, 3), (5, 14), (9, 7)]


def table(path: Path, x: str, y: str, crs: int) -> Path:
    frame = points_at(SPOTS, "aba").to_crs(crs)
    rows = [
        f"{p.y!r},{name},{p.x!r}" for p, name in zip(frame.geometry, frame["class"], strict=True)
    ]
    path.write_text("\n".join([f"{y},class,{x}", *rows]) + "\n")
    return path


def lowest(frame: gpd.GeoDataFrame) -> list[list[float]]:
    """Least x and y of each feature."""
    found: list[list[float]] = frame.geometry.bounds[["minx", "miny"]].to_numpy().tolist()
    return found


def bounds(path: Path) -> list[list[float]]:
    frame = read_shots(path).frame
    return lowest(frame.to_crs(32633))


@pytest.mark.parametrize(
    ("x", "y", "crs"),
    [
        ("x_epsg23033", "y_epsg23033", 23033),
        ("EPSG:23033 X", "EPSG:23033 Y", 23033),
        ("easting_epsg_32632", "northing_epsg_32632", 32632),
        ("x_epsg4326", "y_epsg4326", 4326),
        ("lon_epsg4258", "lat_epsg4258", 4258),
        ("x_wgs84", "y_wgs84", 4326),
        ("WGS_X", "WGS_Y", 4326),
    ],
)
def test_the_crs_in_the_names_counts(x: str, y: str, crs: int, tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", x, y, crs)
    found = read_shots(path)
    assert found.frame.crs == CRS.from_epsg(crs)
    shown = "WGS 84" if "wgs" in x.lower() else f"EPSG:{crs}"
    assert f"'{x}' and '{y}' taken for {shown}" in found.notes
    planted = lowest(points_at(SPOTS, "aba"))
    for one, other in zip(bounds(path), planted, strict=True):
        assert one == pytest.approx(other, abs=1e-3)


def test_degrees_and_minutes_of_a_geographic_code(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("x_epsg4258,y_epsg4258,class\n13°30'E,52°15'N,a\n12°45'W,51°N,b\n")
    found = read_shots(path).frame
    assert found.crs == CRS.from_epsg(4258)
    assert found.geometry.x.tolist() == [13.5, -12.75]


def test_metres_named_wgs84_are_those_of_the_scene(tmp_path: Path) -> None:
    found = read_shots(table(tmp_path / "a.csv", "x_wgs84", "y_wgs84", 32633))
    assert found.frame.crs is None
    assert found.in_scene_frame


def test_a_prj_has_to_agree(tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", "x_epsg23033", "y_epsg23033", 23033)
    for version in ("WKT2_2019", "WKT1_ESRI"):
        path.with_suffix(".prj").write_text(CRS.from_epsg(23033).to_wkt(version))
        found = read_shots(path)
        assert "ED50" in found.frame.crs.name.replace("_1950_", "ED50")
        assert not any("taken for EPSG" in note for note in found.notes)
    path.with_suffix(".prj").write_text(CRS.from_epsg(32633).to_wkt("WKT1_ESRI"))
    with pytest.raises(
        ShotsError, match=r"'x_epsg23033' and 'y_epsg23033', and the .prj .* states"
    ):
        read_shots(path)


@pytest.mark.parametrize("names", [("x", "y"), ("lon", "lat")], ids=["metres", "degrees"])
def test_an_unknown_code_is_refused(names: tuple[str, str], tmp_path: Path) -> None:
    x, y = (f"{name}_epsg999999" for name in names)
    with pytest.raises(ShotsError, match="PROJ does not know EPSG:999999") as error:
        read_shots(table(tmp_path / "a.csv", x, y, 32633))
    assert error.value.hint is not None
    assert "put a .prj beside the table" in error.value.hint
