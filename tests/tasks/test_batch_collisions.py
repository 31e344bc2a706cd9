"""Tiles whose names meet: no map vanishes as what belongs to another, whatever ran before."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from batch_cases import Run, cut, ids_in

from hsi_geo.errors import OutputExistsError
from hsi_geo.io.maps.writer import MapPaths
from hsi_geo.tasks.tiles.batch_result import BatchResult
from hsi_geo.tasks.tiles.existing_maps import ExistingMap, require_same_tile

Planted = Any  # defined in conftest, which tests cannot import


@pytest.fixture
def two(scene: Planted, tmp_path: Path) -> list[Path]:
    """Two tiles of different size, to be renamed."""
    return cut(scene.path, tmp_path / "tiles", ((0, 9),), ((0, 11), (11, 14)))


def require_maps(result: BatchResult) -> None:
    """Each tile has a whole map of its own shape, and beside it what that map brings."""
    assert result.count("mapped") + result.count("unchanged") == len(result.maps), result.outcomes
    for tile, path in result.maps.items():
        with rasterio.open(tile) as source, rasterio.open(path) as found:
            assert found.shape == source.shape
            assert found.bounds == source.bounds
        assert ids_in(path).any()
        assert all(one.exists() for one in MapPaths.of(path).all)


NAMES = [
    ("a.tif", "a_confidence.tif"),
    ("a_probabilities.tif", "a.tif"),
    ("a.tif", "a_report.tif"),
    ("a.tif", "A_CONFIDENCE.tif"),
    ("a.tif", "A.tif"),
    ("a.tif", "a.tiff"),
    ("index.tif", "items.tif"),
    ("a.tif", "a.tif.aux.tif"),
]


@pytest.mark.parametrize("names", NAMES)
@pytest.mark.slow
def test_each_tile_keeps_its_map(two: list[Path], map_tiles: Run, names: tuple[str, str]) -> None:
    """With any options, in any order of runs, with --overwrite or without."""
    tiles = [tile.rename(tile.with_name(name)) for tile, name in zip(two, names, strict=True)]
    runs: list[Mapping[str, bool]] = [
        {},
        {"overwrite": True},
        {"confidence": True, "probabilities": True},
        {"overwrite": True},
        {},
    ]
    for options in runs:
        result = map_tiles(tiles, **options)
        require_maps(result)
        for path in result.maps.values():
            requested = MapPaths.of(
                path,
                confidence=options.get("confidence", False),
                probabilities=options.get("probabilities", False),
            )
            assert all(one.exists() for one in requested.all)


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("kind", ["confidence", "probabilities"])
def test_batch_keeps_files_of_another_batch(
    two: list[Path], map_tiles: Run, tmp_path: Path, kind: str, overwrite: bool
) -> None:
    """Tiles in batches of their own do not know of each other; their records do."""
    plain, other = two[0].rename(two[0].with_name("a.tif")), two[1].with_name(f"a_{kind}.tif")
    two[1].rename(other)
    for first, second in itertools.permutations(([plain], [other])):
        shutil.rmtree(tmp_path / "maps", ignore_errors=True)
        before = map_tiles(first, **{kind: True})
        kept = {path: path.read_bytes() for path in MapPaths.of(*before.maps.values()).all}
        result = map_tiles(second, **{kind: True}, overwrite=overwrite)
        assert result.count("failed") == 1
        (outcome,) = result.outcomes.values()
        assert f"'{tmp_path / 'maps' / f'a_{kind}.tif'}'" in outcome.error
        assert {path: path.read_bytes() for path in kept} == kept


def test_a_later_batch_replaces_no_map_of_another_tile(
    scene: Planted, map_tiles: Run, tmp_path: Path
) -> None:
    east = cut(scene.path, tmp_path / "east", ((0, 9),), ((0, 11),))
    west = cut(scene.path, tmp_path / "west", ((0, 9),), ((0, 14),))
    (path,) = map_tiles(east).maps.values()
    before = path.read_bytes()
    result = map_tiles(west)
    assert result.count("failed") == 1
    assert f"is the map of '{east[0]}'" in next(iter(result.outcomes.values())).error
    assert path.read_bytes() == before
    assert map_tiles(west, overwrite=True).count("mapped") == 1


@pytest.fixture
def other_date(scene: Planted, tmp_path: Path) -> list[Path]:
    """Two tiles of one name and one grid, in folders of their own, the second written later."""
    found = []
    for seconds, year in ((10**9, "2020"), (10**9 + 5, "2021")):
        (path,) = cut(scene.path, tmp_path / year, ((0, 9),), ((0, 14),))
        os.utime(path, (seconds, seconds))
        found.append(path)
    return found


def test_the_map_of_a_tile_whose_disk_is_away_is_not_replaced(
    other_date: list[Path], map_tiles: Run, tmp_path: Path
) -> None:
    """Also by a tile on the same grid, again and again."""
    first, second = other_date
    (path,) = map_tiles([first]).maps.values()
    before = path.read_bytes()
    away = first.parent.rename(tmp_path / "away")
    for _ in range(2):
        result = map_tiles([second])
        assert result.count("failed") == 1
        error = next(iter(result.outcomes.values())).error
        assert f"is the map of '{first}', which is not there now" in error
        assert path.read_bytes() == before
    away.rename(first.parent)
    assert map_tiles([first]).count("unchanged") == 1
    away = first.parent.rename(tmp_path / "away")
    assert map_tiles([second], overwrite=True).count("mapped") == 1


def test_a_tile_whose_folder_was_renamed_is_mapped_again_with_other_options(
    other_date: list[Path], map_tiles: Run, tmp_path: Path
) -> None:
    first, _ = other_date
    map_tiles([first])
    moved = first.parent.rename(tmp_path / "renamed") / first.name
    assert map_tiles([moved], confidence=True).count("mapped") == 1


LINK = "https://host.org/2020/a.tif"
SAME = [
    (LINK, "s", LINK, "s", None),
    (LINK, "s", f"{LINK}?key=2", "s", None),
    (f"/vsicurl/{LINK}?key=1", "s", f"{LINK}?key=2", "s", None),
    ("/away/a.tif", "s", "/t/a.tif", "other", "/t/a.tif"),
    ("/away/a.tif", "s", __file__, "s", None),
    (__file__, "s", "/t/a.tif", "other", None),  # a tile that is there is compared elsewhere
]
OTHERS = [
    (LINK, "s", "https://host.org/2021/a.tif", "s", None),
    (LINK, "s", f"{LINK}?key=2", "other", None),
    (f"{LINK}#1", "s", f"{LINK}#2", "s", None),
    (LINK, "s", __file__, "other", None),
    ("/away/a.tif", "s", LINK, "s", None),
    ("/away/a.tif", "s", __file__, "other", "/t/a.tif"),
    ("/vsizip//away/2020.zip/a.tif", "s", "/vsizip//t/2021.zip/a.tif", "s", None),
    ("/away/a.tif", "", __file__, "other", None),
]


@pytest.mark.parametrize(
    ("tile", "hash_", "path", "scene", "logged", "is_same"),
    [(*one, True) for one in SAME] + [(*one, False) for one in OTHERS],
)
def test_a_tile_that_is_not_there_now(
    tile: str, hash_: str, path: str, scene: str, logged: str | None, is_same: bool
) -> None:
    existing = ExistingMap("job", tile, hash_, ())
    wanted = nullcontext() if is_same else pytest.raises(OutputExistsError, match="not there now")
    with wanted:
        require_same_tile(MapPaths.of(Path("m.tif")), existing, [path], scene, logged)


def test_a_tile_that_has_moved_keeps_its_map(
    two: list[Path], map_tiles: Run, tmp_path: Path
) -> None:
    (path,) = map_tiles(two[:1]).maps.values()
    before = ids_in(path)
    moved = shutil.move(two[0], tmp_path / two[0].name)
    assert map_tiles([moved]).count("unchanged") == 1
    with rasterio.open(moved, "r+") as file:
        file.write(file.read()[:, ::-1])
    assert map_tiles([moved]).count("mapped") == 1
    assert not np.array_equal(ids_in(path), before)
