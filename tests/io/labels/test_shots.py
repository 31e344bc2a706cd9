"""Shots of every format and class field, and features that are left out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyogrio
import pytest
from affine import Affine
from shapely import Polygon
from shots_cases import GRID, UTM, centre, claimed, patch, write

from hsi_geo.errors import ClassFieldError, ShotsError, ShotsNotFoundError
from hsi_geo.io.labels.class_colors import default_color
from hsi_geo.io.labels.shot_pixels import burn
from hsi_geo.io.labels.shot_reading import read_shots
from hsi_geo.io.scenes.properties import grid_of
from hsi_geo.io.scenes.scene import open_scene
from hsi_geo.tiling import Grid

# The class table ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("labels", "names", "values"),
    [
        (["water", "Asphalt", "meadow"], ["Asphalt", "meadow", "water"], [None] * 3),
        (["10", "9", "b"], ["10", "9", "b"], [None] * 3),
        ([10, 9, 200], ["9", "10", "200"], [9, 10, 200]),
        ([3, -1, 0], ["-1", "0", "3"], [-1, 0, 3]),
        ([10.0, 9.0, 200.0], ["9", "10", "200"], [9, 10, 200]),
        ([1.5, 10.0, 2.0], ["1.5", "10.0", "2.0"], [None] * 3),
        ([" water ", "asphalt", "sand"], ["asphalt", "sand", "water"], [None] * 3),
    ],
)
def test_read_shots_orders_classes_by_number_or_name(
    tmp_path: Path, labels: list[Any], names: list[str], values: list[int | None]
) -> None:
    shots = read_shots(write(tmp_path / "a.gpkg", {"class": labels}))
    assert [c.name for c in shots.classes] == names
    assert [c.value for c in shots.classes] == values
    assert [c.id for c in shots.classes] == [1, 2, 3]
    back = [shots.classes[i - 1].name for i in shots.frame["class_id"]]
    assert [str(name).strip() for name in back] == [
        str(label).strip() if values[0] is None else str(int(label)) for label in labels
    ]


def test_read_shots_reads_integer_field_with_nulls(tmp_path: Path) -> None:
    path = write(tmp_path / "a.gpkg", {"class": pd.array([12, None, 7, 12], dtype="Int64")})
    shots = read_shots(path)
    assert [(c.name, c.value) for c in shots.classes] == [("7", 7), ("12", 12)]
    assert shots.skipped == ("1 without a class in 'class'",)


def test_default_color_differs_between_many_classes() -> None:
    colors = [default_color(id) for id in range(1, 61)]
    assert len(set(colors)) == 60
    assert all(len(bytes.fromhex(color[1:])) == 3 and color[0] == "#" for color in colors)


# The class field ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": ["a", "b"]},
        {"id": [5, 6], "class": ["a", "b"]},
        {"name": ["x", "y"], "Land_Cover": ["a", "b"], "id": [1, 1]},
    ],
)
def test_read_shots_finds_class_field(tmp_path: Path, fields: dict[str, list[Any]]) -> None:
    shots = read_shots(write(tmp_path / "a.gpkg", fields))
    assert [c.name for c in shots.classes] == ["a", "b"]


@pytest.mark.parametrize("usual", [[], ["class", "label"]])
def test_read_shots_lists_several_possible_class_fields(tmp_path: Path, usual: list[str]) -> None:
    fields = {name: ["a", "b"] for name in ["crop", "owner", *usual]}
    with pytest.raises(ClassFieldError, match=f"have {len(fields)} fields") as caught:
        read_shots(write(tmp_path / "a.gpkg", fields))
    assert all(f"'{name}'" in str(caught.value) for name in fields)
    assert "class_field=" in str(caught.value)


def test_read_shots_names_missing_class_field(tmp_path: Path) -> None:
    path = write(tmp_path / "a.gpkg", {"crop": ["a", "b"], "owner": ["x", "y"]})
    message = "no field 'klass', only 'crop', 'owner'"
    with pytest.raises(ClassFieldError, match=message) as caught:
        read_shots(path, class_field="klass")
    assert isinstance(caught.value, LookupError)
    assert [c.name for c in read_shots(path, class_field="owner").classes] == ["x", "y"]


def test_read_shots_refuses_file_without_fields(tmp_path: Path) -> None:
    path = write(tmp_path / "a.gpkg", {}, [centre(0, 0), centre(1, 1)])
    with pytest.raises(ClassFieldError, match="have no fields"):
        read_shots(path)


def test_read_shots_refuses_a_single_class(tmp_path: Path) -> None:
    with pytest.raises(ShotsError, match="only one class, 'rye'"):
        read_shots(write(tmp_path / "a.gpkg", {"class": ["rye", "rye "]}))


# Files and layers -----------------------------------------------------------------------------


def test_read_shots_names_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ShotsNotFoundError, match=r"none\.gpkg' does not exist") as caught:
        read_shots(tmp_path / "none.gpkg")
    assert isinstance(caught.value, FileNotFoundError)


def test_read_shots_refuses_other_files(tmp_path: Path) -> None:
    path = tmp_path / "shots.gpkg"
    path.write_text("nothing of the kind")
    with pytest.raises(ShotsError, match="not a vector file that GDAL can open"):
        read_shots(path)


def test_read_shots_refuses_table_without_geometry(tmp_path: Path) -> None:
    path = tmp_path / "shots.csv"
    path.write_text("class,owner\nrye,me\noats,you\n")
    with pytest.raises(ShotsError, match="table without geometry"):
        read_shots(path)


def test_a_spreadsheet_of_points_is_to_be_saved_as_a_table_of_text(tmp_path: Path) -> None:
    path = tmp_path / "points.ods"
    rows = pd.DataFrame({"x": [1.5, 2.5], "y": [3.5, 1.25], "class": ["rye", "oats"]})
    pyogrio.write_dataframe(rows, path, driver="ODS")
    with pytest.raises(ShotsError, match="table without geometry; save the sheet as CSV"):
        read_shots(path)


def test_read_shots_refuses_empty_layer(tmp_path: Path) -> None:
    with pytest.raises(ShotsError, match="is empty"):
        read_shots(write(tmp_path / "a.gpkg", {"class": pd.Series([], dtype="str")}, []))


@pytest.mark.parametrize("suffix", ["gpkg", "shp", "geojson", "fgb"])
def test_read_shots_reads_usual_formats_alike(tmp_path: Path, suffix: str) -> None:
    geometry = [patch(1, 1, 3, 4), patch(5, 6, 9, 7)]
    path = write(tmp_path / f"a.{suffix}", {"class": ["rye", "oats"]}, geometry)
    pixels = burn(read_shots(path), GRID)
    assert claimed(pixels, 1) == [(row, 6) for row in range(5, 9)]
    assert claimed(pixels, 2) == [(row, col) for row in (1, 2) for col in (1, 2, 3)]


def test_read_shots_needs_layer_of_several(tmp_path: Path) -> None:
    path = write(tmp_path / "a.gpkg", {"class": ["a", "b"]}, layer="fields")
    write(path, {"class": ["x", "y", "z"]}, layer="roads")
    with pytest.raises(ShotsError, match="has 2 layers: 'fields', 'roads'; choose one"):
        read_shots(path)
    with pytest.raises(ShotsError, match="no layer 'rivers', only 'fields', 'roads'"):
        read_shots(path, layer="rivers")
    assert [c.name for c in read_shots(path, layer="roads").classes] == ["x", "y", "z"]


def test_read_shots_ignores_table_of_styles(tmp_path: Path) -> None:
    """QGIS keeps a layer's style in such a table when asked to save it in the GeoPackage."""
    path = write(tmp_path / "a.gpkg", {"class": ["a", "b"]}, layer="fields")
    styles = pd.DataFrame({"f_table_name": ["fields"], "styleQML": ["<qgis/>"]})
    pyogrio.write_dataframe(styles, path, layer="layer_styles", append=True)
    assert [c.name for c in read_shots(path).classes] == ["a", "b"]


def test_read_shots_returns_shots_unchanged(tmp_path: Path) -> None:
    shots = read_shots(write(tmp_path / "a.gpkg", {"class": ["a", "b"]}))
    assert read_shots(shots) is shots


# What is left out -----------------------------------------------------------------------------


def test_read_shots_counts_missing_geometries_and_classes(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.gpkg",
        {"class": ["a", "b", None, "  ", "a", "b"]},
        [centre(0, 0), centre(1, 1), centre(2, 2), centre(3, 3), None, Polygon()],
    )
    shots = read_shots(path)
    assert shots.skipped == ("2 without geometry", "2 without a class in 'class'")
    assert claimed(burn(shots, GRID)) == [(0, 0), (1, 1)]


def test_read_shots_skips_broken_geometries(tmp_path: Path) -> None:
    """A ring and a line of one point."""
    broken = [[[0, 0]]]
    features = [
        {
            "type": "Feature",
            "properties": {"class": name},
            "geometry": {"type": kind, "coordinates": at},
        }
        for name, kind, at in (
            ("roof", "Point", [1, 2]),
            ("tree", "Point", [3, 4]),
            ("tree", "Polygon", broken),
            ("roof", "LineString", [[5, 5]]),
        )
    ]
    path = tmp_path / "shots.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    shots = read_shots(path)
    assert len(shots.frame) == 2
    assert any("2" in message for message in shots.skipped), shots.skipped


def test_read_shots_refuses_file_without_usable_features(tmp_path: Path) -> None:
    path = write(tmp_path / "a.gpkg", {"class": [None, "a"]}, [centre(0, 0), None])
    with pytest.raises(ShotsError, match="no feature with a geometry and a class in 'class'"):
        read_shots(path)


# Real shots -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("field", "integer"), [("Level_2", False), ("Level_2_ID", True)])
def test_read_shots_reads_polygons_of_berlin(data: Path, field: str, integer: bool) -> None:
    folder = data / "enmap_berlin"
    shots = read_shots(folder / "LandCov_BerlinUrbanGradient.shp", class_field=field)
    assert len(shots.classes) == 6
    assert all((c.value is not None) == integer for c in shots.classes)
    order: list[Any] = [c.value if integer else c.name for c in shots.classes]
    assert order == sorted(order)
    grid = Grid(80, 60, Affine(30.0, 0.0, 383472.37, 0.0, -30.0, 5818302.35), UTM)
    pixels = burn(shots, grid)
    assert min(pixels.counts(shots.classes).values()) > 0
    assert len(pixels) + pixels.conflicts <= 80 * 60


def test_read_shots_reads_points_of_simulated_fields(data: Path) -> None:
    folder = data / "simulated_fields"
    shots = read_shots(folder / "simulated_fields_shots.gpkg")
    pixels = burn(shots, grid_of(open_scene(folder / "simulated_fields.tif")))
    counts: npt.NDArray[np.int64] = np.array(list(pixels.counts(shots.classes).values()))
    assert counts.tolist() == [5] * 12
    assert pixels.outside == pixels.conflicts == 0
