"""Windows that tiles have in common are computed once, and maps are the same as if each tile computed its own."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import torch
from affine import Affine
from batch_cases import COLS, ROWS, Run, Spans, cut
from hypothesis import given
from hypothesis import strategies as st
from pyproj import CRS

from hsi_geo.arrays import AnyArray, IndexArray
from hsi_geo.errors import SceneError
from hsi_geo.io.readers.raster_pixels import RasterPixels
from hsi_geo.io.scenes.neighbours import HaloScene, NeighbourSource
from hsi_geo.io.scenes.scene import scene_from_array
from hsi_geo.tasks.inference import shared_windows
from hsi_geo.tasks.inference.shared_windows import SharedWindows, WindowStore
from hsi_geo.tasks.inference.sliding_window import SlidingWindow
from hsi_geo.tasks.tiles import jobs
from hsi_geo.tasks.tiles.run import BatchRun
from hsi_geo.tiling import Grid, Tiling, Window

pytest.importorskip("dask", reason="needs the extra batch")

Planted = Any  # defined in conftest, which tests cannot import

OVERLAPPING = ((0, 24), (15, 22)), ((0, 21), (13, 30), (30, 23))
NARROW = ROWS, ((0, 17), (17, 3), (20, 33))
APART = ((0, 14), (17, 20)), ((0, 25), (26, 27))

EVERYTHING = {"confidence": True, "probabilities": True}


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Numbers of windows that networks compute."""
    counts: list[int] = []
    compute = SlidingWindow._computed

    def counted(self: SlidingWindow, image: Any, valid: Any, places: torch.Tensor) -> Iterator[Any]:
        counts.append(len(places))
        return compute(self, image, valid, places)

    monkeypatch.setattr(SlidingWindow, "_computed", counted)
    return counts


def maps_of(
    map_tiles: Run, tiles: Sequence[Path], *, failed: int = 0, **how: Any
) -> dict[str, bytes]:
    """Bytes of all rasters that a batch writes, made again."""
    result = map_tiles(tiles, overwrite=True, **EVERYTHING, **how)
    assert result.count("failed") == failed  # else maps of an earlier batch would be compared
    folder = result.folder
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.tif"))}


def change(tile: Path, at: tuple[slice, slice], factor: float) -> None:
    with rasterio.open(tile, "r+") as file:
        values = file.read()
        part = values[:, at[0], at[1]]
        values[:, at[0], at[1]] = -999 if factor == 0.0 else part * factor
        file.write(values)


@pytest.mark.parametrize(
    ("rows", "cols"),
    [(ROWS, COLS), OVERLAPPING, NARROW, APART],
    ids=["cut", "overlapping", "narrow", "apart"],
)
@pytest.mark.parametrize("what", ["plain", "holes", "scales", "no room"])
@pytest.mark.slow
def test_maps_are_those_of_tiles_that_share_nothing(
    scene: Planted,
    map_tiles: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    computed: list[int],
    rows: Spans,
    cols: Spans,
    what: str,
) -> None:
    tiles = cut(scene.path, tmp_path / "tiles", rows, cols)
    how: dict[str, Any] = {}
    if what == "holes":
        change(tiles[0], np.s_[5:, -9:], 0.0)
        change(tiles[-1], np.s_[:7, :30], 0.0)
    elif what == "scales":
        change(tiles[0], np.s_[:, :], 0.001)
        how = {"rescale": "auto"}
    elif what == "no room":
        small = WindowStore(max_bytes=9000)
        monkeypatch.setattr(jobs, "_windows_of", lambda run: small)
    shared = maps_of(map_tiles, tiles, **how)
    count = sum(computed)
    computed.clear()
    monkeypatch.setattr(jobs, "_windows_of", lambda run: None)
    alone = maps_of(map_tiles, tiles, **how)
    assert list(shared) == list(alone)
    for name, content in alone.items():
        assert shared[name] == content, name
    assert count <= sum(computed)
    if what == "plain" and (rows, cols) != OVERLAPPING:
        assert count < 0.95 * sum(computed)


@pytest.mark.slow
def test_a_neighbour_that_cannot_be_read_changes_no_other_map(
    tiles: list[Path], map_tiles: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tiles[1].read_bytes()
    tiles[1].write_bytes(data[: len(data) // 2])
    shared = maps_of(map_tiles, tiles, failed=1)
    monkeypatch.setattr(jobs, "_windows_of", lambda run: None)
    assert maps_of(map_tiles, tiles, failed=1) == shared
    assert shared


@pytest.mark.slow
def test_a_neighbour_that_was_not_read_once_has_its_own_map(
    tiles: list[Path], map_tiles: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parts of a tile cannot be read while its neighbours are mapped, as on a network that is busy."""
    read = RasterPixels.read
    failures: list[str] = []

    def read_or_fail(self: RasterPixels, bands: IndexArray, window: Window) -> AnyArray:
        if self.path == str(tiles[1]) and window.width < 16:
            failures.append(self.path)
            raise SceneError("the server did not answer", hint="try again")
        return read(self, bands, window)

    monkeypatch.setattr(RasterPixels, "read", read_or_fail)
    shared = maps_of(map_tiles, tiles)
    assert failures
    monkeypatch.setattr(jobs, "_windows_of", lambda run: None)
    alone = maps_of(map_tiles, tiles)
    own = [name for name in alone if name.startswith(tiles[1].stem)]
    assert len(own) == 3
    for (
        name
    ) in own:  # maps of others may be better: they may take windows that this tile has computed
        assert shared[name] == alone[name], name


@pytest.mark.slow
def test_a_tile_that_changes_after_its_header_was_read_is_mapped_as_it_is(
    tiles: list[Path], map_tiles: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if its new values are declared in another way."""
    map_all = BatchRun._map

    def change_and_map(self: BatchRun, client: Any) -> None:
        with rasterio.open(tiles[2]) as file:
            values, profile, tags = file.read(), file.profile, file.tags(1)
            every = [file.tags(band) for band in file.indexes]
        assert tags
        with rasterio.open(tiles[2], "w", **{**profile, "dtype": "float32"}) as file:
            file.write(np.where(values == -999, values, values * 0.001))
            for band, own in enumerate(every, start=1):
                file.update_tags(band, **own)
            file.scales = (1000.0,) * file.count
        map_all(self, client)

    before = maps_of(map_tiles, tiles, halo=False)
    monkeypatch.setattr(BatchRun, "_map", change_and_map)
    after = maps_of(map_tiles, tiles, halo=False)
    name = f"{tiles[2].stem}.tif"
    with (
        rasterio.MemoryFile(before[name]) as old,
        rasterio.MemoryFile(after[name]) as new,
        old.open() as one,
        new.open() as other,
    ):
        assert (one.read() == other.read()).mean() > 0.99


@pytest.mark.slow
def test_windows_of_one_batch_are_not_those_of_another(
    tiles: list[Path], map_tiles: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same workers, tiles and places, but a mask that hides some pixels."""
    maps_of(map_tiles, tiles)
    mask = tmp_path / "mask.tif"
    with rasterio.open(tiles[0]) as file:
        profile = {**file.profile, "count": 1, "dtype": "uint8", "nodata": None}
        hidden = np.zeros((1, *file.shape), "uint8")
    hidden[:, :, -6:] = 1
    with rasterio.open(mask, "w", **profile) as file:
        file.write(hidden)
    shared = maps_of(map_tiles, tiles, mask=str(mask))
    monkeypatch.setattr(jobs, "_windows_of", lambda run: None)
    assert maps_of(map_tiles, tiles, mask=str(mask)) == shared


def sources(*windows: Window) -> tuple[NeighbourSource, ...]:
    return tuple(
        NeighbourSource(None, window, np.zeros(0), number)  # type: ignore[arg-type]
        for number, window in enumerate(windows)
    )


#: Three tiles at a corner, and a fourth one that is not there.
WEST, EAST, SOUTH = Window(0, 0, 20, 30), Window(0, 30, 20, 9), Window(20, 0, 25, 30)


@given(st.integers(-15, 44), st.integers(-15, 38), st.permutations(range(3)))
def test_the_key_of_a_window_is_the_same_from_each_tile(row: int, col: int, order: Any) -> None:
    window = Window(row, col, 16, 16)
    files = sources(WEST, EAST, SOUTH)
    key = shared_windows._key(window, files)
    for own in files:  # rows and columns are counted from another tile, which comes first
        seen = [files[number] for number in order]
        seen.sort(key=lambda source: source is not own)
        moved = tuple(
            dataclasses.replace(one, window=one.window.relative_to(own.window)) for one in seen
        )
        assert shared_windows._key(window.relative_to(own.window), moved) == key
    touched = [one for one in files if all(shared_windows._common(window, one.window).shape)]
    assert (key is None) == (len(touched) < 2)
    for unknown in touched if key is not None else ():
        others = tuple(one for one in files if one is not unknown)
        assert shared_windows._key(window, others) != key


def test_a_window_of_files_with_other_nodata_values_has_no_key() -> None:
    first, second, third = sources(WEST, EAST, SOUTH)
    window = Window(0, 20, 16, 16)
    other = dataclasses.replace(second, nodata=np.array([-9999.0]))
    assert shared_windows._key(window, (first, second, third)) is not None
    assert shared_windows._key(window, (first, other, third)) is None
    assert shared_windows._key(window, (other, first, third)) is None


@given(st.integers(1, 60), st.integers(1, 60), st.integers(-40, 40), st.integers(5, 16))
def test_windows_at_the_edge_are_those_that_are_not_inside(
    height: int, width: int, corner: int, stride: int
) -> None:
    core = Window(3, 7, height, width)
    grid = Tiling(16, stride).covering(core, (corner, -corner))
    every = [
        Window(grid.row + row * stride, grid.col + col * stride, 16, 16)
        for row in range(grid.rows)
        for col in range(grid.cols)
    ]
    found = list(shared_windows._windows_at_edge(core, grid))
    assert found == [one for one in every if shared_windows._common(one, core) != one]


@pytest.mark.parametrize("size_m", [0.1, 0.3, 1.0, 30.0])
@pytest.mark.parametrize("corner", [500000.07, 500000.17, 499999.9, 512345.6])
def test_windows_are_found_again_where_numbers_of_pixels_round_badly(
    size_m: float, corner: float
) -> None:
    """A margin that is cut off changes the corner of the grid, and may not move the windows."""
    tiling, utm = Tiling(16, 14), CRS.from_epsg(32633)
    for number in range(12):
        store, left = WindowStore(), corner + size_m * 64 * number
        found = []
        for own in (0, 1):
            core = Window(16, 16, 64, 64)
            files = tuple(
                NeighbourSource(None, Window(16, 16 + 64 * (one - own), 64, 64), np.zeros(0), one)  # type: ignore[arg-type]
                for one in (0, 1)
            )
            transform = Affine(
                size_m, 0.0, left + size_m * (64 * own - 16), 0.0, -size_m, 4e6 + 16 * size_m
            )
            scene = scene_from_array(
                np.ones((1, 96, 96)), np.array([550.0]), grid=Grid(96, 96, transform, utm)
            )
            halo = HaloScene(scene, core, False, files, {})
            shared = SharedWindows(store, "model", halo, tiling)
            cropped = shared.without_known(halo)
            assert shared.origin_px[1] + cropped.core.col == halo.scene.hsi.grid.origin_px[1] + 16
            grid = tiling.covering(cropped.core, shared.origin_px)
            for one in shared_windows._windows_at_edge(cropped.core, grid):
                inside = one.clip(*cropped.scene.shape[-2:])
                known = shared.outputs_of(one.row, one.col)
                found.append(known is not None)
                if known is None:  # all of its pixels in files are there
                    assert sum(
                        np.prod(shared_windows._common(one, f.window).shape)
                        for f in cropped.sources
                    ) == sum(
                        np.prod(shared_windows._common(inside, f.window).shape)
                        for f in cropped.sources
                    )
                    shared.keep(one.row, one.col, torch.zeros(1, 16, 16))
        assert any(found) or size_m == 0.1  # tiles whose corners are rounded apart share nothing


def test_a_window_where_files_overlap_has_no_key() -> None:
    files = sources(WEST, dataclasses.replace(EAST, col=28))
    assert shared_windows._key(Window(0, 20, 16, 16), files) is None
    assert shared_windows._key(Window(0, 20, 16, 16), sources(WEST, EAST)) is not None


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(1, 9), st.integers(1, 3)), max_size=40),
    st.integers(0, 60),
)
def test_a_store_drops_what_is_used_up_and_then_what_came_first(
    puts: list[tuple[int, int, int]], room: int
) -> None:
    store = WindowStore(max_bytes=room)
    kept: dict[int, tuple[int, int]] = {}
    for key, size, uses in puts:
        store.put(key, torch.zeros(size, dtype=torch.uint8), uses=uses)
        kept.setdefault(key, (size, uses))
        while sum(size for size, _ in kept.values()) > room:
            kept.pop(next(iter(kept)))
        if size % 2 and key in kept:
            store.take(key)
            left = kept[key][1] - 1
            kept[key] = kept[key][0], left
            if not left:
                del kept[key]
    for key in range(10):
        size, uses = kept.get(key, (0, 0))
        for _ in range(uses):
            found = store.take(key)
            assert found is not None
            assert len(found) == size
        assert store.take(key) is None
