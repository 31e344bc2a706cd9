"""A batch onto a full disk, or under a limit of file sizes: a map is whole and right, or it is not there."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from batch_cases import cut
from builders import snapshot
from small_disk import BLOCK, file_size_limit, small_disk

from hsi_geo import MapOptions, batch
from hsi_geo.errors import HsiGeoError
from hsi_geo.io.maps.record import is_complete
from hsi_geo.io.maps.writer import MapPaths

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

Planted = Any  # defined in conftest, which tests cannot import
Disk = Callable[[int], Path]

#: What a batch writes beside the maps.
OVERVIEWS = {"batch.jsonl", "items.json", "index.vrt", "index_confidence.vrt"}


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """A disk of so many blocks, with all that was on it."""
    with small_disk(tmp_path / "disk") as resized:
        yield resized


@pytest.fixture
def two(scene: Planted, tmp_path: Path) -> list[Path]:
    return cut(scene.path, tmp_path / "tiles", ((0, 37),), ((0, 20), (20, 33)))


def blocks_of(folder: Path) -> int:
    return sum(-(-path.stat().st_size // BLOCK) for path in folder.iterdir())


def check(
    run: Callable[[], Any], folder: Path, tiles: Sequence[Path], allowed: dict[str, set[str]]
) -> bool:
    """Run a batch and check each file that it leaves.

    Args:
        run: The batch.
        folder: For its maps.
        tiles: That it maps.
        allowed: Hashes that each file of a map may have, by its name.

    Returns:
        Whether all tiles were mapped.
    """
    try:
        outcomes = run().outcomes
    except HsiGeoError as error:
        assert "unexpected" not in str(error)
        outcomes = {}
    assert not [path.name for path in folder.glob(".*")]
    found = snapshot(folder)
    assert all(found[name] in allowed[name] for name in found if name not in OVERVIEWS), found
    for tile in tiles:
        paths = MapPaths.of(folder / f"{tile.stem}.tif", confidence=True, probabilities=True)
        there = [path for path in paths.all if path.exists()]
        assert not there or is_complete(paths), there
        outcome = outcomes.get(str(tile))
        if outcome is None:
            continue
        assert "unexpected" not in outcome.error
        assert outcome.state in ("mapped", "unchanged", "failed")
        assert outcome.state == "failed" or there
    return bool(outcomes) and all(outcome.state != "failed" for outcome in outcomes.values())


def batch_of(
    tiles: list[Path], model: Path, scheduler: str, folder: Path, **options: Any
) -> Callable[[], Any]:
    """A batch with all optional outputs, to be run later."""
    every = MapOptions(confidence=True, probabilities=True)
    return lambda: batch(tiles, model, folder, scheduler=scheduler, options=every, **options)


@pytest.mark.parametrize("over_another", [False, True])
def test_maps_on_a_full_disk_are_complete_or_missing(
    two: list[Path], model: Path, scheduler: str, tmp_path: Path, disk: Disk, over_another: bool
) -> None:
    run = partial(batch_of, two, model, scheduler)
    run(tmp_path / "wanted")()
    run(tmp_path / "earlier", halo=False)()
    wanted, earlier = snapshot(tmp_path / "wanted"), snapshot(tmp_path / "earlier")
    allowed = {name: {wanted[name]} for name in wanted}
    if over_another:
        allowed = {name: {wanted[name], earlier[name]} for name in wanted}
    ends = []
    for blocks in range(1, 2 * blocks_of(tmp_path / "wanted") + 8, 2):
        folder = disk(10_000)
        for path in folder.iterdir():
            path.unlink()
        if over_another:
            for path in (tmp_path / "earlier").iterdir():
                shutil.copy(path, folder)
        room = blocks_of(folder) + blocks
        ends.append(check(run(disk(room), overwrite=over_another), folder, two, allowed))
    assert not ends[0], "begin with less"
    assert ends[-1], "go on to more"
    # The same command, with room, makes what is missing and leaves what is there.
    assert check(run(disk(10_000)), folder, two, allowed)


@pytest.mark.parametrize("over_another", [False, True])
def test_maps_under_a_file_size_limit_are_complete_or_missing(
    two: list[Path], model: Path, scheduler: str, tmp_path: Path, over_another: bool
) -> None:
    run = partial(batch_of, two, model, scheduler)
    run(tmp_path / "wanted")()
    run(tmp_path / "earlier", halo=False)()
    wanted, earlier = snapshot(tmp_path / "wanted"), snapshot(tmp_path / "earlier")
    allowed = {name: {wanted[name], *([earlier[name]] if over_another else [])} for name in wanted}
    largest = max(path.stat().st_size for path in (tmp_path / "wanted").iterdir())
    ends = []
    for size in [*range(0, 2 * largest, largest // 12), 8 * largest]:
        folder = tmp_path / f"limit {size}"
        if over_another:
            shutil.copytree(tmp_path / "earlier", folder)
        else:
            folder.mkdir()
        with file_size_limit(size):
            ends.append(check(run(folder, overwrite=over_another), folder, two, allowed))
    assert not ends[0]
    assert ends[-1]
