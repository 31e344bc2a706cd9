"""Shots from tables of points and rasters, their colours and names, and the class field."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pytest
import rasterio
import shapely
from affine import Affine
from builders import NORTH_UP, cube_of, write_tif
from pyproj import CRS
from shots_cases import GRID, UTM, points_at

from hsi_geo.errors import ClassFieldError, ShotsError, ShotsNotFoundError
from hsi_geo.io.labels.class_colors import PALETTE, complete_colors, parse_color
from hsi_geo.io.labels.shot_pixels import burn
from hsi_geo.io.labels.shot_reading import read_shots
from hsi_geo.io.labels.shots import Shots
from hsi_geo.io.scenes.properties import grid_of
from hsi_geo.io.scenes.scene import open_scene
from hsi_geo.tasks.info import info
from hsi_geo.tiling import Grid

if TYPE_CHECKING:
    from planted import MakeScene, Planted

#: (row, column, class) of points at pixel centres.
SPOTS = ((1, 2, 20), (3, 5, 7), (8, 11, 20), (9, 16, 7))


def points(crs: str | CRS = UTM) -> gpd.GeoDataFrame:
    frame = points_at([spot[:2] for spot in SPOTS], [value for _, _, value in SPOTS])
    return frame.to_crs(crs)


def labelled_pixels(shots: Shots, grid: Grid = GRID) -> list[tuple[int, int, int | str]]:
    """(row, column, class as the user wrote it)."""
    pixels = burn(shots, grid)
    user = [c.name if c.value is None else c.value for c in shots.classes]
    names = [user[id - 1] for id in pixels.class_ids]
    return list(zip(pixels.rows.tolist(), pixels.cols.tolist(), names, strict=True))


# Tables of points -----------------------------------------------------------------------------


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize(
    ("x", "y", "crs"),
    [("x", "y", UTM), ("X", "Y", UTM), ("Easting", "Northing", UTM), ("lon", "lat", "EPSG:4326")],
)
def test_read_shots_reads_tables_of_points(
    tmp_path: Path, separator: str, x: str, y: str, crs: str | CRS
) -> None:
    frame = points(crs)
    table = pd.DataFrame(
        {"class": frame["class"], y: frame.geometry.y, x: frame.geometry.x},
    )
    table.to_csv(tmp_path / "a.csv", sep=separator, index=False)
    shots = read_shots(tmp_path / "a.csv")
    assert labelled_pixels(shots) == list(SPOTS)
    assert [c.value for c in shots.classes] == [7, 20]  # numbers, in the order of numbers
    taken = "WGS 84" if x == "lon" else "coordinates in the scene's own CRS"
    assert f"'{x}' and '{y}' taken for {taken}" in shots.notes


def test_read_shots_takes_crs_of_table_from_prj(tmp_path: Path) -> None:
    frame = points("EPSG:32632")
    path = tmp_path / "a.csv"
    table = pd.DataFrame({"x": frame.geometry.x, "y": frame.geometry.y, "class": frame["class"]})
    table.to_csv(path, index=False)
    path.with_suffix(".prj").write_text(CRS.from_epsg(32632).to_wkt("WKT1_ESRI"))
    assert labelled_pixels(read_shots(path)) == list(SPOTS)
    path.with_suffix(".prj").write_text("nowhere")
    with pytest.raises(ShotsError, match=r"a\.prj' holds no coordinate reference system"):
        read_shots(path)


def test_burn_places_table_without_crs_in_scene_crs(tmp_path: Path) -> None:
    frame = points()
    table = pd.DataFrame({"x": frame.geometry.x, "y": frame.geometry.y, "class": frame["class"]})
    table.to_csv(tmp_path / "a.csv", index=False)
    shots = read_shots(tmp_path / "a.csv")
    assert labelled_pixels(shots, Grid(12, 17, NORTH_UP, None)) == list(SPOTS)


def test_read_shots_counts_table_rows_without_point_or_class(tmp_path: Path) -> None:
    x, y = points().geometry.x, points().geometry.y
    lines = [f"{a},{b},{c}" for a, b, (_, _, c) in zip(x, y, SPOTS, strict=True)]
    text = "\n".join(["x,y,class", *lines, f",{y[0]},7", f"{x[0]},{y[0]},", "nan,inf,7", ""])
    (tmp_path / "a.csv").write_text(text)
    shots = read_shots(tmp_path / "a.csv")
    assert labelled_pixels(shots) == list(SPOTS)
    assert "1 without a class in 'class'" in shots.skipped
    assert len(shots.skipped) == 2


# Rasters of class ids -------------------------------------------------------------------------


def id_raster(path: Path, dtype: str = "uint8", **options: Any) -> Path:
    ids = np.zeros((1, 12, 17))
    ids[0, 1:4, 2:6] = 3
    ids[0, 2, 3] = 0  # a hole
    ids[0, 4, 6] = 3  # touches the patch by a corner only
    ids[0, 8:, 10:] = 20
    return write_tif(path, ids.astype(dtype), **options)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "int32", "float32"])
@pytest.mark.parametrize("nodata", [None, 0, 3])
def test_read_shots_reads_rasters_of_class_ids(
    tmp_path: Path, dtype: str, nodata: float | None
) -> None:
    path = id_raster(tmp_path / "ids.tif", dtype, nodata=nodata)
    with rasterio.open(path) as file:
        ids = file.read(1)
    none = nodata or 0  # with another nodata value 0 is a class
    shots = read_shots(path)
    expected = [(r, c, int(ids[r, c])) for r, c in np.argwhere(ids != none).tolist()]
    assert labelled_pixels(shots) == expected
    values = [value for value in (0, 3, 20) if value != none]
    assert [(c.name, c.value) for c in shots.classes] == [(str(v), v) for v in values]
    noted = "0 is one of its classes: the declared nodata value is another, 3"
    assert (noted in shots.notes) == (nodata == 3)


def test_burn_resamples_a_raster_of_class_ids(tmp_path: Path) -> None:
    shots = read_shots(id_raster(tmp_path / "ids.tif"))
    half = Grid(24, 34, NORTH_UP @ Affine.scale(0.5), UTM)
    pixels, fine = burn(shots, GRID), burn(shots, half)
    assert len(fine) == 4 * len(pixels)


def test_read_shots_takes_colour_table_of_raster(tmp_path: Path) -> None:
    path = id_raster(tmp_path / "ids.tif")
    with rasterio.open(path, "r+") as file:
        file.write_colormap(1, {0: (0, 0, 0, 0), 3: (1, 2, 3, 255), 20: (250, 251, 252, 255)})
    assert [c.color for c in read_shots(path).classes] == ["#010203", "#fafbfc"]


def test_read_shots_reads_maps_of_hsi_geo(planted: Planted, tmp_path: Path) -> None:
    """With its style beside it, names and colours come back."""
    from hsi_geo.io.maps.writer import MapPaths, MapWriter

    classes = read_shots(planted.shots(tmp_path / "shots.gpkg")).classes
    grid = grid_of(open_scene(planted.path))
    paths = MapPaths.of(tmp_path / "map.tif")
    probabilities = np.zeros((3, *grid.shape), np.float32)
    probabilities[0, :9], probabilities[1, 9:20], probabilities[2, 20:] = 1, 1, 1
    with MapWriter(paths, grid, classes) as writer:
        writer.write(grid.window, probabilities)
    again = read_shots(paths.classes)
    assert [(c.name, c.color) for c in again.classes] == [(c.name, c.color) for c in classes]
    np.testing.assert_array_equal(
        burn(again, grid).class_ids, np.repeat([1, 2, 3], [9 * 53, 11 * 53, 17 * 53])
    )


@pytest.mark.parametrize(
    ("cube", "message"),
    [
        (cube_of(3), "are a raster of 3 bands"),
        (cube_of(1, dtype="float32") + np.float32(0.5), "raster of 35 different values"),
        (np.zeros((1, 5, 7), "uint8"), "without a class id"),
        (cube_of(1, 60, 70, "int32"), "raster of 4200 different values from 1 to 4200"),
    ],
)
def test_read_shots_refuses_other_rasters(tmp_path: Path, cube: Any, message: str) -> None:
    with pytest.raises(ShotsError, match=message):
        read_shots(write_tif(tmp_path / "a.tif", cube))


def test_read_shots_refuses_missing_and_invalid_rasters(tmp_path: Path) -> None:
    with pytest.raises(ShotsNotFoundError, match=r"none\.tif' does not exist"):
        read_shots(tmp_path / "none.tif")
    (tmp_path / "a.tif").write_text("nothing")
    with pytest.raises(ShotsError, match="are no raster that GDAL can open"):
        read_shots(tmp_path / "a.tif")


# Colours and names ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "color"),
    [
        ("#AaBb01", "#aabb01"),
        ("aabb01", "#aabb01"),
        ("#aabb01ff", "#aabb01"),
        ("#a0f", "#aa00ff"),
        ("230,0,0,255", "#e60000"),
        ("1, 2, 3", "#010203"),
        ("51,160,44,255,rgb:0.2,0.6274510,0.1725490,1", "#33a02c"),
        ("300,0,0", None),
        ("red", None),
        ("", None),
        ("nan", None),
    ],
)
def test_parse_color_reads_html_and_qgis_notations(text: str, color: str | None) -> None:
    assert parse_color(text) == color


def test_complete_colors_gives_unused_colours() -> None:
    colors = complete_colors([None, PALETTE[0], None, "#123456"])
    assert colors == [PALETTE[1], PALETTE[0], PALETTE[2], "#123456"]


@pytest.mark.parametrize("column", ["color", "Colour"])
def test_read_shots_takes_commonest_colour_of_field(tmp_path: Path, column: str) -> None:
    frame = points()
    frame[column] = ["#ff0000", "0,0,255", "#ff0000", None]
    frame.to_file(tmp_path / "a.gpkg")
    shots = read_shots(tmp_path / "a.gpkg")
    assert [(c.name, c.color) for c in shots.classes] == [("7", "#0000ff"), ("20", "#ff0000")]


def qml(attribute: str, new: bool) -> str:
    """A categorised style as QGIS 2 and 3.0 to 3.26, or as 3.28 and later save it."""
    colors = {"7": "10,20,30,255", "20": "200,100,50,255,rgb:0.78,0.39,0.2,1"}

    def symbol(name: str, color: str) -> str:
        prop = f'<prop k="color" v="{color}"/>'
        option = (
            f'<Option type="Map"><Option name="color" type="QString" value="{color}"/></Option>'
        )
        return (
            f'<symbol name="{name}" type="marker"><layer>{option if new else prop}</layer></symbol>'
        )

    return f"""<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>
    <qgis version="3"><renderer-v2 attr="{attribute}" type="categorizedSymbol"><categories>
    <category symbol="0" value="7" label="sand"/><category symbol="1" value="20" label="rye"/>
    <category symbol="2" value="" label=""/></categories><symbols>{symbol("0", colors["7"])}
    {symbol("1", colors["20"])}{symbol("2", "1,1,1,255")}</symbols></renderer-v2></qgis>"""


@pytest.mark.parametrize("new", [False, True])
@pytest.mark.parametrize("inside", [False, True])
def test_read_shots_takes_names_and_colours_of_qgis_style(
    tmp_path: Path, new: bool, inside: bool
) -> None:
    path = tmp_path / "a.gpkg"
    points().to_file(path, layer="shots")
    if inside:
        styles = pd.DataFrame(
            {
                "f_table_name": ["other", "shots", "shots"],
                "styleQML": [
                    qml("class", new).replace("sand", "wrong"),
                    "<qgis/>",
                    qml("class", new),
                ],
                "useAsDefault": [1, 0, 1],
            }
        )
        pyogrio.write_dataframe(styles, path, layer="layer_styles", append=True)
    else:
        path.with_suffix(".qml").write_text(qml("class", new))
    shots = read_shots(path)
    assert [(c.id, c.value, c.name, c.color) for c in shots.classes] == [
        (1, 7, "sand", "#0a141e"),
        (2, 20, "rye", "#c86432"),
    ]


@pytest.mark.parametrize("text", ["", "<qgis", "<qgis/>", qml("another", True)])
def test_read_shots_ignores_other_styles(tmp_path: Path, text: str) -> None:
    points().to_file(tmp_path / "a.gpkg")
    (tmp_path / "a.qml").write_text(text)
    classes = read_shots(tmp_path / "a.gpkg").classes
    assert [(c.name, c.color) for c in classes] == [("7", PALETTE[0]), ("20", PALETTE[1])]


def test_read_shots_takes_style_of_berlin(data: Path) -> None:
    shots = read_shots(data / "enmap_berlin" / "LandCov_BerlinUrbanGradient.shp")
    colors = {c.name: c.color for c in shots.classes}
    assert colors["Roof"] == "#e60000"
    assert len(set(colors.values())) == 6
    assert "field 'Level_2' (by the style" in shots.notes[0]


# The class field ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "how"),
    [
        ({"crop": ["a", "b"]}, "the only field"),
        ({"crop": ["a", "b"], "area": [1.5, 2.25]}, "the only field that can hold it"),
        ({"crop": ["a", "b"], "seen": [True, False]}, "the only field that can hold it"),
        ({"crop": ["a", "b"], "note": [None, None]}, "the only field that can hold it"),
        ({"crop": ["a", "b"], "color": ["#ff0000", "#00ff00"]}, "the only field that can hold it"),
        ({"crop": [2.0, 1.0], "area": [1.5, 2.25]}, "the only field that can hold it"),
        ({"id": [1, 2], "Label": ["a", "b"]}, "by its name"),
    ],
)
def test_read_shots_notes_the_class_field(
    tmp_path: Path, fields: dict[str, list[Any]], how: str
) -> None:
    geometry = points().geometry[:2]
    gpd.GeoDataFrame(fields, geometry=geometry, crs=UTM).to_file(tmp_path / "a.geojson")
    (note,) = read_shots(tmp_path / "a.geojson").notes
    assert note == f"class taken from field '{'Label' if 'Label' in fields else 'crop'}' ({how})"


def test_read_shots_takes_class_field_of_qgis_style(tmp_path: Path) -> None:
    frame = points()
    frame["owner"], frame["kind"] = ["x", "y", "x", "y"], frame.pop("class")
    frame.to_file(tmp_path / "a.gpkg")
    with pytest.raises(
        ClassFieldError, match="2 fields that could hold the class: 'owner', 'kind'"
    ):
        read_shots(tmp_path / "a.gpkg")
    (tmp_path / "a.qml").write_text(qml("kind", True))
    shots = read_shots(tmp_path / "a.gpkg")
    assert [c.name for c in shots.classes] == ["sand", "rye"]


# What info says -------------------------------------------------------------------------------


def test_info_counts_used_and_dropped_shots(make_scene: MakeScene, tmp_path: Path) -> None:
    planted = make_scene(height=120, width=140)
    t = planted.transform

    def box(row: int, col: int, rows: int, cols: int) -> shapely.Polygon:
        (x0, y0), (x1, y1) = t @ (col, row), t @ (col + cols, row + rows)
        return shapely.box(min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))

    shapes = {
        "wide": box(0, 0, 40, 55),  # 2200 pixels, 20 of them nodata
        "few": box(60, 60, 1, 3),
        "away": box(-50, -50, 2, 2),
        "other": box(39, 50, 3, 10),  # shares 5 with "wide"
        None: box(90, 90, 2, 2),
    }
    frame = gpd.GeoDataFrame({"class": list(shapes)}, geometry=list(shapes.values()), crs=UTM)
    frame.to_crs(4326).to_file(tmp_path / "a.gpkg")
    found = info(planted.path, tmp_path / "a.gpkg")["shots"]
    assert found["notes"] == ["class taken from field 'class' (the only field)"]
    assert found["crs"] == "EPSG:4326"
    assert found["reprojected"]
    assert found["dropped"] == [
        "1 without a class in 'class'",
        "1 features outside the scene",
        "5 pixels that two classes claim",
        "20 pixels on nodata",
    ]
    assert {c["name"]: (c["pixels"], c["remark"]) for c in found["classes"]} == {
        "away": (0, "none: never mapped"),
        "few": (3, "few: draw 5 or more"),
        "other": (25, ""),
        "wide": (2175, "thinned to 2000"),
    }


def test_burn_accepts_shots_in_a_crs_of_mars(data: Path, tmp_path: Path) -> None:
    scene = shutil.copy(data / "awkward" / "crism_mars_crs.tif", tmp_path)
    grid = grid_of(open_scene(scene, wavelengths="index"))
    xy = [grid.transform @ (col + 0.5, row + 0.5) for row, col in ((3, 4), (9, 12))]
    frame = gpd.GeoDataFrame({"class": ["dust", "rock"]}, geometry=shapely.points(xy), crs=grid.crs)
    frame.to_file(tmp_path / "a.gpkg")
    pixels = burn(read_shots(tmp_path / "a.gpkg"), grid)
    assert list(zip(pixels.rows, pixels.cols, strict=True)) == [(3, 4), (9, 12)]
