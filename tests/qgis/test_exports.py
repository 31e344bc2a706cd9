"""Fields of layers that are exported: types that a file cannot hold, names, and codes with a name."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import pytest

Case = Callable[..., dict[str, Any]]
Fake = Any  # defined in conftest, which tests cannot import

#: Fields of zones, the field that is chosen, and the fields that are exported.
FIELDS = [
    ({"name": "A", "meta": {"k": 1}, "tags": ["x", "y"], "n": 1}, "", ["name", "n"]),
    ({"ID": "A", "id": 1, "Id": 2}, "", ["ID"]),
    ({"ID": "A", "id": 1}, "id", ["id"]),
    ({"ID": "A", "id": 1}, "ID", ["ID"]),
    ({"when": "2020-01-01", "share": 0.5, "kept": True}, "", ["when", "share", "kept"]),
    ({}, "", []),
]


@pytest.fixture
def layers(job: dict[str, Any], tmp_path: Path) -> Callable[[dict[str, Any]], str]:
    """Function that writes the planted points, with fields, as GeoJSON."""
    points = gpd.read_file(job["labels"]).to_crs("EPSG:4326")[["geometry"]]

    def write(fields: dict[str, Any], *, buffered: bool = False) -> str:
        table = points.assign(geometry=points.buffer(0.001)) if buffered else points
        found = json.loads(table.to_json(drop_id=True))
        for feature in found["features"]:
            feature["properties"] = fields
        path = tmp_path / f"layer{len(list(tmp_path.glob('layer*')))}.geojson"
        path.write_text(json.dumps(found))
        return str(path)

    return write


@pytest.mark.filterwarnings("ignore:Geometry is in a geographic CRS")
@pytest.mark.parametrize(("fields", "chosen", "expected"), FIELDS)
def test_zones_are_exported_with_fields_that_a_file_can_hold(
    fields: dict[str, Any], chosen: str, expected: list[str], case: Case, fake: Fake,
    job: dict[str, Any], layers: Callable[..., str], tmp_path: Path,
) -> None:  # fmt: skip
    parameters = {
        "INPUT": job["parameters"]["INPUT"], "ZONES": layers(fields, buffered=True),
        "ZONE_FIELD": chosen, "OUTPUT": str(tmp_path / "areas.gpkg"),
    }  # fmt: skip
    row = {"algorithm": "zones", "parameters": parameters}
    case("several_runs", rows=[row], python=fake.python)
    assert list(fake.given("zones").columns) == [*expected, "geometry"]


#: Fields of labels, parameters, and what is said.
UNUSABLE = [
    ({"meta": {"k": 1}}, {"CLASS_FIELD": "meta"}, "field 'meta' of layer"),
    ({"class": "a", "Class": "b"}, {"CLASS_FIELD": "class", "PARENT_FIELD": "Class"}, "'class' and 'Class'"),
]  # fmt: skip


def test_fields_that_cannot_be_written_are_refused(
    case: Case, fake: Fake, job: dict[str, Any], layers: Callable[..., str]
) -> None:
    rows = [
        {"algorithm": "classify", "parameters": {**job["parameters"], "LABELS": layers(fields), **given}}
        for fields, given, _ in UNUSABLE
    ]  # fmt: skip
    found = case("several_runs", rows=rows, python=fake.python)["rows"]
    for row, (*_, text) in zip(found, UNUSABLE, strict=True):
        assert not row["ok"]
        assert text in row.get("error", row["log"]), row
        assert "/tmp" not in row.get("error", row["log"])


def test_codes_of_places_have_the_names_of_their_categories(
    case: Case, fake: Fake, job: dict[str, Any], tmp_path: Path
) -> None:
    """In Areas per zone as in Assess map; Compare maps takes one field for both dates."""
    names = {"1": "Wasser", "2": "Straße", "3": "Wiese"}
    points = gpd.read_file(job["labels"])
    points["code"] = [1 + number % 3 for number in range(len(points))]
    drawn = {"stratum_px": 7, "stratum_ha": 0.5, "stratum_n": 3}
    points = points.assign(**drawn)
    points.to_file(tmp_path / "places.gpkg")
    scene, field = job["parameters"]["INPUT"], {"CLASS_OF_PLACES": "code"}
    dates = {"OLD_FIELD": "code", "NEW_FIELD": "code"}
    rows = [
        {"algorithm": "zones", "parameters": {"INPUT": scene, "ZONES": job["labels"], **field, "OUTPUT": str(tmp_path / "a.gpkg")}},
        {"algorithm": "compare", "parameters": {"OLD": scene, "NEW": scene, **dates, "OUTPUT": str(tmp_path / "a.tif")}},
    ]  # fmt: skip
    given = {"reference": str(tmp_path / "places.gpkg"), "names": names, "python": fake.python}
    case("coded_places", rows=rows[:1], **given)
    styles = json.loads((fake.folder / "classes.json").read_text(encoding="utf-8"))
    assert {code: style["name"] for code, style in styles.items()} == names
    assert "--classes" in fake.arguments
    case("coded_places", rows=rows[1:], **given)
    found = fake.given("reference")
    assert list(found.columns) == ["code", *drawn, "geometry"]
    assert list(found["code"]) == [names[str(code)] for code in points["code"]]
    assert all(set(found[name]) == {value} for name, value in drawn.items())


#: Name of the file, the part of it that is used, its class field, and the ids.
PART = "|subset=n > 4"
NUMBERED = [
    ("a.shp", "", "class", range(12)),
    *(("a.gpkg", PART, field, range(6, 13)) for field in ("class", "fid", "hsi_geo_fid")),
]


@pytest.mark.parametrize(("name", "part", "field", "ids"), NUMBERED)
def test_features_keep_the_ids_that_qgis_shows(
    name: str, part: str, field: str, ids: range, case: Case, fake: Fake, job: dict[str, Any],
    tmp_path: Path,
) -> None:  # fmt: skip
    """Messages and reports name labels that look wrong by them."""
    points = gpd.read_file(job["labels"])[["class", "geometry"]]
    points["n"] = range(len(points))
    points = points.rename(columns={"class": field})
    points.to_file(tmp_path / name, **({} if name.endswith("shp") else {"FID": "row"}))
    labels = {"LABELS": f"{tmp_path / name}{part}", "CLASS_FIELD": field}
    (row,) = case(
        "several_runs", python=fake.python,
        rows=[{"algorithm": "classify", "parameters": {**job["parameters"], **labels}}],
    )["rows"]  # fmt: skip
    assert row["ok"], row
    found = gpd.read_file(fake.folder / "shots.gpkg", fid_as_index=True)
    assert list(found.index) == list(ids)
    assert list(found.columns) == [field, "geometry"]
    assert list(found[field]) == list(points[field])[-len(ids) :]


#: Ids of the features in their order, and what the file has: ids and numbers of the features.
IDS = [
    ([3, 1, 7], [[1, "1"], [3, "0"], [7, "2"]]),
    ([5, 5, 6], [[5, "0"], [6, "2"], [7, "1"]]),
    ([5, 6, 5, 6, 5], [[5, "0"], [6, "1"], [7, "2"], [8, "3"], [9, "4"]]),
    ([0, 1], [[0, "0"], [1, "1"]]),
    ([-4, -3, -2], [[1, "2"], [2, "1"], [3, "0"]]),
    ([-3, 9, -2, 4, 9], [[4, "3"], [9, "1"], [10, "4"], [11, "2"], [12, "0"]]),
]


def test_repeated_and_unsaved_features_have_ids_of_their_own(case: Case) -> None:
    """In the order of the layer, or of drawing: QGIS numbers unsaved features -2, -3 and so on."""
    found = case("numbered_features", rows=[ids for ids, _ in IDS])
    for row, (ids, expected) in zip(found["rows"], IDS, strict=True):
        assert row == expected, ids
    assert found["unsaved"] == [[1, "0"], [2, "1"], [3, "2"], [4, "3"]]
