"""Rejected pixels: ids, names and colours that no class has."""

from __future__ import annotations

import pytest

from hsi_geo.io.labels.class_colors import complete_colors
from hsi_geo.io.labels.rejected_classes import UNCERTAIN, UNLIKE, read_rejected, rejected_classes
from hsi_geo.io.labels.shots import LandClass


def table_of(names: list[str], colors: list[str] | None = None) -> tuple[LandClass, ...]:
    shown = colors or complete_colors([None] * len(names), names)
    return tuple(
        LandClass(i, name, color)
        for i, (name, color) in enumerate(zip(names, shown, strict=True), start=1)
    )


@pytest.mark.parametrize("count", [1, 2, 60, 254, 300])
def test_ids_follow_the_classes_and_colours_are_free(count: int) -> None:
    table = table_of([f"class {i}" for i in range(count)])
    both = rejected_classes(table, unlike=True, uncertain=True)
    assert [(c.id, c.name) for c in both] == [(count + 1, UNLIKE), (count + 2, UNCERTAIN)]
    assert len({c.color for c in (*table, *both)}) == count + 2
    # An id does not depend on which of the two is used.
    assert rejected_classes(table, unlike=True, uncertain=False) == both[:1]
    assert rejected_classes(table, unlike=False, uncertain=True) == both[1:]


def test_names_and_colours_of_the_shots_are_not_taken() -> None:
    table = table_of([UNLIKE, "oats"], ["#404040", "#BFBFBF"])
    both = rejected_classes(table, unlike=True, uncertain=True)
    names, colors = [c.name for c in (*table, *both)], [c.color.lower() for c in (*table, *both)]
    assert len(set(names)) == len(set(colors)) == 4


@pytest.mark.parametrize(
    "entries",
    [
        *(None, 3, "x", [1], [{}], [{"id": "a", "name": 1, "color": 2}]),
        [{"id": float("inf"), "name": "a", "color": "#000000"}],
    ],
)
def test_a_record_of_another_program_lists_none(entries: object) -> None:
    assert read_rejected({"rejected_classes": entries}) == ()
