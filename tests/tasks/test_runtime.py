"""Hashes that identify the input of a run."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import MultiPoint, Polygon
from shots_cases import centre, patch, shots_of, write

from hsi_geo.io.labels.shot_reading import read_shots
from hsi_geo.tasks.runtime import shots_hash

LABELLED = (
    *((centre(1, 2), "rye"), (centre(1, 2), "oats"), (patch(3, 4, 6, 7), "rye")),
    *((MultiPoint([centre(8, 9), centre(9, 9)]), "oats"), (centre(1, 2), "rye")),
)


@settings(max_examples=20)
@given(order=st.permutations(range(len(LABELLED))))
def test_shots_hash_does_not_depend_on_order(order: list[int]) -> None:
    assert shots_hash(shots_of(LABELLED[i] for i in order)) == shots_hash(shots_of(LABELLED))


def test_shots_hash_depends_on_places_classes_and_repeats() -> None:
    first, *others = LABELLED
    changed = [
        [(centre(1, 3), "rye"), *others],
        [(first[0], "oats"), *others],
        [(first[0], "wheat"), *others],
        others,
        [first, *LABELLED],
    ]
    hashes = {shots_hash(shots_of(labelled)) for labelled in (LABELLED, *changed)}
    assert len(hashes) == 1 + len(changed)


def test_shots_hash_is_that_of_the_same_shots_in_another_file(tmp_path: Path) -> None:
    """Formats differ in the direction of rings, and in the order in which a program saves."""
    ring = list(patch(3, 4, 6, 7).exterior.coords)
    shapes = [Polygon(ring), centre(1, 2), centre(9, 9)]
    one = write(tmp_path / "a.gpkg", {"class": ["rye", "oats", "rye"]}, shapes)
    turned = [centre(9, 9), Polygon(ring[2:] + ring[1:3]), centre(1, 2)]
    two = write(tmp_path / "b.gpkg", {"class": ["rye", "rye", "oats"]}, turned)
    again = gpd.read_file(one).sort_values("class")
    again.to_file(tmp_path / "c.gpkg")
    hashes = {shots_hash(read_shots(path)) for path in (one, two, tmp_path / "c.gpkg")}
    assert len(hashes) == 1
