"""Names of classes in the styles and forms of layers, in a real QGIS."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import rasterio
from shapely.geometry import box

Case = Callable[..., dict[str, Any]]

CODES, DECIMALS = [110, 1110, 25110], [1.5, 1234.25]


@pytest.fixture
def raster(tmp_path: Path) -> str:
    path = tmp_path / "codes.tif"
    with rasterio.open(
        path, "w", driver="GTiff", height=2, width=3, count=1, dtype="uint16", crs="EPSG:32633"
    ) as file:
        file.write(np.array([CODES, [110, 110, 1110]], np.uint16), 1)
    return str(path)


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_numbers_are_no_names_in_any_locale(case: Case, raster: str) -> None:
    locales = ["C", "en_US", "de_DE", "fr_FR", "de_CH", "hi_IN"]
    found = case("names_by_locale", codes=CODES, decimals=DECIMALS, raster=raster, locales=locales)
    assert "1.110" in found["de_DE"]["labels"]  # QGIS writes them so
    values = [str(value) for value in (*CODES, *DECIMALS)]
    for locale in locales:
        assert found[locale]["names"] == {value: value for value in values}, locale


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_only_doubled_names_are_dropped_and_this_is_said(case: Case, raster: str) -> None:
    labels = {"1": "Water", "2": "Soil", "3": "Forest", "4": "Forest"}
    found = case("doubled_labels", labels=labels, raster=raster)
    assert found["names"] == [{"1": "Water", "2": "Soil", "3": "3", "4": "4"}] * 2
    for layer in ("Orte", "Codes"):
        said = f"several classes of layer '{layer}' are labelled 'Forest': they are named '3', '4' instead"
        assert said in found["log"]


@pytest.mark.parametrize(
    ("field", "chosen"), [("gem", "gem"), ("id", None)], ids=["chosen", "found"]
)
def test_forms_name_parents_and_zones(
    field: str, chosen: str | None, case: Case, fake: Any, job: dict[str, Any], tmp_path: Path
) -> None:
    shots = gpd.read_file(job["labels"])
    shots["up"] = [1 + (name == "water") for name in shots["class"]]
    shots.to_file(job["labels"])
    zones = gpd.GeoDataFrame(
        {field: [2, 1]}, geometry=[box(0, 0, 9, 9), box(9, 0, 30, 9)], crs=shots.crs
    )
    zones.to_file(tmp_path / "zones.gpkg")
    found = case(
        "mapped_parents_and_zones", python=fake.python, labels=job["labels"], field=field,
        zones=str(tmp_path / "zones.gpkg"), parameters=job["parameters"], chosen=chosen,
        parents={"1": "Land", "2": "See"}, named={"1": "Adorf", "2": "Bdorf"},
    )  # fmt: skip
    assert found["ok"], found
    sent = fake.given("shots")
    assert {*zip(sent["class"], sent["up"], strict=True)} == {
        ("asphalt", "Land"), ("meadow", "Land"), ("water", "See")
    }  # fmt: skip
    assert list(fake.given("zones")[field]) == ["Bdorf", "Adorf"]


def test_zones_of_one_text_stay_apart_and_this_is_said(case: Case) -> None:
    """A field that is not chosen is not read."""
    texts = [
        [("1", "Adorf"), ("2", "Neustadt"), ("3", "Neustadt")],
        [("a", "Nord"), ("b", "Nord")],
    ]
    found = case(
        "zones_of_one_text", values=[[1, "a"], [2, "b"], [3, "a"], [2, "a"], [7, "b"]], texts=texts,
        fields=["GEM", "kreis", ""],
    )  # fmt: skip
    communes = {"1": "Adorf", "2": "2", "3": "3", "7": "7"}
    districts = {"a": "a", "b": "b"}
    assert found["GEM"]["names"] == {"gem": communes}
    assert found["kreis"]["names"] == {"kreis": districts}
    assert found[""]["names"] == {"gem": communes, "kreis": districts}
    said = (
        "several zones of layer 'Gemeinden' are labelled 'Neustadt': they are named '2', '3' instead; to make them "
        "one zone, give them one value"
    )
    assert [said in found[field]["log"] for field in ("GEM", "kreis", "")] == [True, False, True]


WOODY = [["1", "Land"], ["2", "See"]]


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (WOODY, [], [{"Land", "See"}, {"Land", "See"}]),
        (WOODY, None, [{"Land", "See"}, set()]),
        ([], WOODY, [{"Land", "See"}, {"Land", "See"}]),
        (WOODY, [["1", "Boden"]], [{"Land", "See"}, {"Boden", "See"}]),
        (WOODY, [["1", "See"], ["2", "Land"]], [{"Land", "See"}, {"Land", "See"}]),
        (WOODY, [["1", "See"]], [{"Land", "See"}, {"See", "2"}]),
        ([["1", "Land"], ["2", "Land"]], [], [{"1", "2"}, {"1", "2"}]),
    ],
    ids=["first", "no-field", "further", "both", "other-codes", "taken", "doubled"],
)
def test_parents_have_one_name_in_all_layers(
    first: list[list[str]], second: list[list[str]] | None, expected: list[set[str]],
    case: Case, fake: Any, job: dict[str, Any], tmp_path: Path,
) -> None:  # fmt: skip
    shots = gpd.read_file(job["labels"])
    shots["up"] = [1 + (name == "water") for name in shots["class"]]
    paths = [str(tmp_path / f"{name}.gpkg") for name in ("a", "b")]
    for number, path in enumerate(paths):
        part = shots[shots.groupby("class").cumcount() % 2 == number]
        has_parents = number == 0 or second is not None
        (part if has_parents else part.drop(columns="up")).to_file(path)
    found = case(
        "parents_of_layers", python=fake.python, parameters=job["parameters"],
        layers=[[paths[0], first], [paths[1], second or []]],
    )  # fmt: skip
    assert found["ok"], found
    sent = [fake.given(name) for name in ("shots", "shots2")]
    assert [set(map(str, one.get("up", []))) for one in sent] == expected
    is_doubled = len(expected[0] & {"1", "2"}) == 2
    assert ("several classes of layer 'Punkte 0' are labelled 'Land'" in found["log"]) is is_doubled
