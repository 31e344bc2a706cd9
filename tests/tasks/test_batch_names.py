"""Tiles and folders with names that no map can have, and maps in the folder of their tiles."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from batch_cases import Run, cut

from hsi_geo import batch
from hsi_geo.errors import OutputError

#: A name from an archive of another system.
LATIN = os.fsdecode(b"caf\xe9.tif")

Planted = Any  # defined in conftest, which tests cannot import


@pytest.fixture
def two(scene: Planted, tmp_path: Path) -> list[Path]:
    """Two tiles, the second of which may be renamed."""
    return cut(scene.path, tmp_path / "tiles", ((0, 9),), ((0, 11), (11, 14)))


@pytest.mark.skipif(sys.platform != "linux", reason="names are bytes on Linux only")
@pytest.mark.parametrize(
    ("name", "why"),
    [(LATIN, "not named in UTF-8"), ("x" * 245 + ".tif", "too long); choose a shorter name")],
)
def test_a_name_that_cannot_be_used_costs_one_tile(
    two: list[Path], map_tiles: Run, name: str, why: str
) -> None:
    renamed = two[1].rename(two[1].with_name(name))
    result = map_tiles([two[0], renamed])
    assert [outcome.state for outcome in result.outcomes.values()] == ["mapped", "failed"]
    log = [json.loads(line) for line in result.outputs["log"].read_text("utf-8").splitlines()]
    assert [entry["tile"] for entry in log] == [str(two[0]), str(renamed)]
    assert why in log[1]["error"]
    assert len(json.loads(result.outputs["items"].read_text("utf-8"))["features"]) == 1
    assert sum(area.pixels for area in result.areas) > 0
    assert map_tiles([two[0], renamed]).count("unchanged") == 1


@pytest.mark.skipif(sys.platform != "linux", reason="names are bytes on Linux only")
def test_an_output_folder_that_is_not_named_in_utf_8_is_refused(
    two: list[Path], model: Path, tmp_path: Path
) -> None:
    with pytest.raises(OutputError, match=r"caf\\udce9.tif' is not named in UTF-8"):
        batch(two, model, tmp_path / LATIN)
    assert not (tmp_path / LATIN).exists()


def test_maps_in_the_folder_of_their_tiles_are_not_mapped(
    two: list[Path], model: Path, scheduler: str
) -> None:
    folder = two[0].parent
    first = batch(folder, model, folder / "maps", scheduler=scheduler)
    again = batch(folder, model, folder / "maps", scheduler=scheduler)
    assert (first.count("mapped"), again.count("unchanged")) == (2, 2)
    assert again.maps == first.maps
