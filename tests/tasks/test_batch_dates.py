"""Tiles of several dates in one batch: what shows all maps shows the first, and a warning says so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from batch_cases import Run, cut
from hypothesis import given
from hypothesis import strategies as st

from hsi_geo.io.maps.areas import AddedAreas
from hsi_geo.tasks.tiles.map_areas import hidden_maps_warning
from hsi_geo.tasks.tiles.tile_labels import tile_labels

Planted = Any  # defined in conftest, which tests cannot import

#: Counted and hidden pixels of maps, and the number of covered maps that is named.
COVERED: list[tuple[str, list[tuple[int, int]], int]] = [
    ("none", [(50, 0), (30, 0)], 0),
    ("all_of_one", [(50, 0), (0, 50)], 1),
    ("most_of_two", [(50, 0), (4, 46), (1, 99)], 2),
    ("usual_overlap", [(50, 0), (5, 45)], 0),
    ("no_class", [(0, 0), (50, 0)], 0),
]


@pytest.mark.parametrize(
    ("maps", "count"), [case[1:] for case in COVERED], ids=[case[0] for case in COVERED]
)
def test_covered_maps_are_counted_in_one_warning(maps: list[tuple[int, int]], count: int) -> None:
    parts = [AddedAreas(np.array([own, 0]), np.zeros(2), hidden) for own, hidden in maps]
    text = hidden_maps_warning(parts)
    assert (text is None) == (count == 0)
    assert text is None or text.startswith(f"{count} map{'s are' if count > 1 else ' is'} covered ")


def test_tiles_of_two_dates_are_told_apart_and_warned_of(
    scene: Planted, map_tiles: Run, tmp_path: Path, recorder: Any
) -> None:
    """The second date covers a map of the first, and half of another."""
    early = cut(scene.path, tmp_path / "2020", ((0, 20),), ((0, 17), (17, 20)))
    late = cut(scene.path, tmp_path / "2025", ((0, 20),), ((0, 17), (27, 26)))
    result = map_tiles([*early, *late], halo=False, reporter=recorder)
    assert result.count("mapped") == 4
    (warning,) = [text for text in recorder.warnings if "covered" in text]
    assert warning.startswith("1 map is covered by maps before it in more than 90 % of the pixels")
    named = {text.split("'")[1] for text in recorder.logs if " mapped in " in text}
    assert named == {"2020/0_0.tif", "2025/0_0.tif", "0_17.tif", "0_27.tif"}
    assert len(json.loads(result.outputs["items"].read_text())["features"]) == 4


def test_neighbours_and_usual_overlaps_are_no_warning(
    scene: Planted, map_tiles: Run, tmp_path: Path, recorder: Any
) -> None:
    tiles = cut(scene.path, tmp_path / "tiles", ((0, 24), (15, 22)), ((0, 53),))
    map_tiles(tiles, reporter=recorder)
    assert recorder.warnings == []


LABELS = [
    (["/t/a.tif", "/t/b.tif"], ["a.tif", "b.tif"]),
    (["/x/1/a.tif", "/x/2/a.tif"], ["1/a.tif", "2/a.tif"]),
    (["/1/x/a.tif", "/2/x/a.tif", "/2/y/a.tif"], ["1/x/a.tif", "2/x/a.tif", "2/y/a.tif"]),
    (["a.tif", "t/a.tif"], ["a.tif", "t/a.tif"]),
    (["/a.tif", "a.tif"], ["/a.tif", "a.tif"]),
    (["https://h/1/a.tif", "https://h/2/a.tif"], ["1/a.tif", "2/a.tif"]),
]


@pytest.mark.parametrize(("paths", "labels"), LABELS)
def test_tiles_of_one_file_name_are_named_with_their_folders(
    paths: list[str], labels: list[str]
) -> None:
    assert tile_labels(paths) == labels


@given(st.lists(st.lists(st.sampled_from("abc"), min_size=1, max_size=4), max_size=9))
def test_labels_tell_all_tiles_apart(parts: list[list[str]]) -> None:
    paths = list(dict.fromkeys("/".join(one) for one in parts))
    labels = tile_labels(paths)
    assert len(set(labels)) == len(paths)
    assert all(path.endswith(label) for path, label in zip(paths, labels, strict=True))
