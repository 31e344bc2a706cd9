"""The field that names zones: the one asked for, or one that tells them apart; equal names join zones."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
from assess_cases import truth, write_class_map
from zone_cases import BOXES, box, write_zones

from hsi_geo import zones
from hsi_geo.errors import OptionError
from hsi_geo.io.labels.zones import read_zones
from hsi_geo.io.maps.reader import read_map


@pytest.mark.parametrize(
    ("field", "expected"),
    [(None, list(BOXES)[:3]), ("code", ["10", "11", "12"]), ("part", ["x"])],
)
def test_zones_are_named_by_a_field_and_joined_by_name(
    tmp_path: Path, field: str | None, expected: list[str]
) -> None:
    path = write_class_map(tmp_path, truth())
    zone_file = write_zones(tmp_path, part=["x", "x", "x", None])
    found = zones(path, zone_file, tmp_path / "areas.csv", zone_field=field)
    assert list(dict.fromkeys(one.zone for one in found.areas)) == expected
    if field == "part":  # the overlap counts once
        inside = np.zeros(truth().shape, bool)
        for top, left, bottom, right in list(BOXES.values())[:3]:
            inside[top:bottom, left:right] = True
        assert sum(one.pixels for one in found.areas) == (inside & (truth() > 0)).sum()


#: Fields of four zones; the zones that are made without a field of the user, and what is said of it.
FIELDS: dict[str, tuple[dict[str, list[Any]], list[str], str]] = {
    "names": ({"NAME": ["a", "b", "c", "d"]}, ["a", "b", "c", "d"], ""),
    "no field": ({}, ["1", "2", "3", "4"], ""),
    "another field": ({"Commune": ["a", "b", "c", "d"]}, ["1", "2", "3", "4"], "numbered.* takes one of 'Commune'"),
    "zeros": ({"Id": [0] * 4, "Commune": ["a", "b", "c", "d"]}, ["1", "2", "3", "4"], "numbered.*'Id'"),
    "empty": ({"id": [None] * 4}, ["1", "2", "3", "4"], "numbered.*'id'"),
    "one lacks": ({"name": ["a", "b", None, "d"]}, ["1", "2", "3", "4"], "numbered.*'name'"),
    "alike": ({"zone": ["a", "a ", "b", "c"]}, ["1", "2", "3", "4"], "numbered.*'zone'"),
    "next field": (
        {"zone": [1, 1, 2, 2], "id": [7, 8, 9, 10]},
        ["7", "8", "9", "10"],
        "named by the field 'id', as the field 'zone'",
    ),
    "two fields": (
        {"zone": [1, 1, 2, 2], "id": [0] * 4},
        ["1", "2", "3", "4"],
        "numbered, as the fields 'zone', 'id'",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", FIELDS)
def test_a_field_is_taken_by_itself_only_if_it_tells_zones_apart(tmp_path: Path, case: str) -> None:
    """Otherwise zones would be joined or left out that nobody asked to be."""
    columns, expected, said = FIELDS[case]
    frame = gpd.GeoDataFrame(
        columns, geometry=[box(*corners) for corners in BOXES.values()], crs="EPSG:32633"
    )
    frame.to_file(tmp_path / "zones.gpkg")
    found = read_zones(tmp_path / "zones.gpkg", read_map(write_class_map(tmp_path, truth())).grid)
    assert [zone.name for zone in found.zones] == expected
    assert len(found.notes) == bool(said)
    assert re.search(said, "".join(found.notes))


def test_features_of_one_value_are_joined_aloud(tmp_path: Path) -> None:
    grid = read_map(write_class_map(tmp_path, truth())).grid
    zone_file = write_zones(tmp_path, part=["x", "y", "x", None], none=[None] * 4)
    notes = read_zones(zone_file, grid, field="part").notes
    assert len(notes) == 2
    assert "1 zones have no value in the field 'part'" in notes[0]
    assert "3 features" in notes[1]
    assert "2 zones" in notes[1]
    with pytest.raises(OptionError, match=r"no zone of .* has a value in the field 'none'"):
        read_zones(zone_file, grid, field="none")
