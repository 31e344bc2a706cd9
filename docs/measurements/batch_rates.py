"""Scaling of batches, overhead of a tile, and days for a continent: docs/batch.md.

    python docs/measurements/batch_rates.py [--side 4] [--small 1000] [--turns 3]

Eight equal tiles of Indian Pines, each repeated SIDE x SIDE times, are mapped with the package's
weights by one worker, by two, and, as one scene, by `predict` with two threads, in turns. Rates and
ratios are medians over the turns. Then SMALL tiles of 16 x 16 pixels are mapped one after the other
without a batch, and by a batch of one worker. Times count from the start of the first map to the
end of the last; the time to start a cluster is printed separately.
"""

from __future__ import annotations

import argparse
import dataclasses
import tempfile
import time
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine

from hsi_geo import Compute, adapt, batch, predict, stages
from hsi_geo.progress import SilentReporter
from hsi_geo.tasks.adapt import DEFAULT_RECIPE
from hsi_geo.tasks.artifacts.model import load_model
from hsi_geo.tasks.demo import write_inputs

TILES = 8
SMALL_PX = 16

#: Of the continent: its area and the side of its pixels.
CONTINENT_KM2, PIXEL_M = 10_000_000, 30
WORKERS = (1, 10, 100)


class Stopwatch(SilentReporter):
    """Records when the first tile began and when the last one ended."""

    def __init__(self) -> None:
        self.began = self.ended = time.perf_counter()

    def progress(self, stage: str, done: int, total: int) -> None:
        """See `hsi_geo.progress.Reporter`."""
        now = time.perf_counter()
        if stage == stages.CHECKING_TILES:
            self.began = now
        elif stage == stages.MAPPING:
            self.ended = now

    @property
    def seconds(self) -> float:
        """Seconds from the first to the last."""
        return self.ended - self.began


def main() -> None:
    """Prepare the inputs, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=4)
    parser.add_argument("--small", type=int, default=1000)
    parser.add_argument("--turns", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hsi-geo-") as name:
        folder = Path(name)
        scene, shots, _ = write_inputs(folder)
        model = folder / "model.safetensors"
        recipe = dataclasses.replace(DEFAULT_RECIPE, method="linear")  # fits faster
        adapt(scene, shots, out=model, recipe=recipe)
        rate = show_scaling(folder, scene, model, options.side, options.turns)
        show_overhead(folder, scene, model, options.small)
        show_continent(rate)


def show_scaling(folder: Path, scene: Path, model: Path, side: int, turns: int) -> float:
    """Print rates; return pixels per second of one worker."""
    whole, tiles = write_tiles(folder, scene, side, TILES)
    with rasterio.open(whole) as file:
        pixels = file.width * file.height
    found = pixels / np.array([time_turn(whole, tiles, model, folder) for _ in range(turns)])
    contenders = ("predict, 2 threads", "batch, 1 worker", "batch, 2 workers")
    for contender, rates in zip(contenders, found.T, strict=True):
        print(f"{contender}: {np.median(rates) / 1e3:.1f} kpx/s")
    reference, one, two = found.T
    print(
        f"2 workers are {np.median(two / one):.2f} ({(two / one).min():.2f} to "
        f"{(two / one).max():.2f}) times 1 worker, {np.median(two / reference):.2f} times predict"
    )
    return float(np.median(one))


def time_turn(
    whole: Path, tiles: list[Path], model: Path, folder: Path
) -> tuple[float, float, float]:
    """Seconds of `predict`, one worker and two."""
    started = time.perf_counter()
    predict(whole, model, out=folder / "whole_map.tif", overwrite=True, compute=Compute(threads=2))
    found = [time.perf_counter() - started]
    for workers in (1, 2):
        watch, started = Stopwatch(), time.perf_counter()
        maps = folder / f"maps{workers}"
        batch(tiles, model, maps, workers=workers, overwrite=True, reporter=watch)
        beside = time.perf_counter() - started - watch.seconds
        print(f"{workers} workers: {watch.seconds:.1f} s, starting and ending {beside:.1f} s")
        found.append(watch.seconds)
    return found[0], found[1], found[2]


def show_overhead(folder: Path, scene: Path, model: Path, count: int) -> None:
    """Print the time of a tile in a batch beside that of `predict`."""
    tiles = write_small(folder / "small", scene, count)
    adapted = load_model(model)
    (folder / "alone").mkdir()
    started = time.perf_counter()
    for tile in tiles[: max(1, count // 5)]:
        predict(tile, adapted, out=folder / "alone" / tile.name, compute=Compute(threads=1))
    alone = (time.perf_counter() - started) / max(1, count // 5)
    watch, started = Stopwatch(), time.perf_counter()
    batch(tiles, model, folder / "maps", workers=1, halo=False, reporter=watch)
    everything = (time.perf_counter() - started) / count
    print(
        f"{count} tiles of {SMALL_PX} x {SMALL_PX}: predict {1e3 * alone:.0f} ms a tile, batch "
        f"{1e3 * watch.seconds / count:.0f} ms, with headers, areas, index, start and end "
        f"{1e3 * everything:.0f} ms: {1e3 * (everything - alone):.0f} ms beside the work"
    )


def show_continent(rate: float) -> None:
    """Print the days for a continent by the number of workers."""
    total = CONTINENT_KM2 * 1e6 / PIXEL_M**2
    print(
        f"\n{CONTINENT_KM2 / 1e6:.0f} million km2 at {PIXEL_M} m: {total / 1e9:.1f} thousand million"
        f" pixels, at {rate / 1e3:.1f} kpx/s and worker\n\n| workers | days |\n|---|---|"
    )
    for workers in WORKERS:
        print(f"| {workers} | {total / rate / workers / 86400:.2f} |")


def write_tiles(folder: Path, scene: Path, side: int, count: int) -> tuple[Path, list[Path]]:
    """One scene, and the same scene cut into tiles."""
    with rasterio.open(scene) as file:
        cube, tags, profile = file.read(), [file.tags(b) for b in file.indexes], file.profile
    for key in ("blockxsize", "blockysize"):
        profile.pop(key, None)
    tile = np.tile(cube, (1, side, side))
    whole = folder / "whole.tif"
    write(whole, np.tile(tile, (1, 1, count)), profile, tags, 0)
    paths = [folder / f"tile{index}.tif" for index in range(count)]
    for index, path in enumerate(paths):
        write(path, tile, profile, tags, index * tile.shape[2])
    return whole, paths


def write_small(folder: Path, scene: Path, count: int) -> list[Path]:
    """Many tiles with the same pixels and without neighbours."""
    folder.mkdir()
    with rasterio.open(scene) as file:
        cube, tags, profile = file.read(), [file.tags(b) for b in file.indexes], file.profile
    paths = [folder / f"{index}.tif" for index in range(count)]
    for index, path in enumerate(paths):
        write(path, cube[:, :SMALL_PX, :SMALL_PX], profile, tags, 100 * index)
    return paths


def write(
    path: Path, cube: np.ndarray, profile: dict[str, object], tags: list[dict[str, str]], col: int
) -> None:
    """Write a scene, moved to the right by a number of columns."""
    transform = profile["transform"]
    assert isinstance(transform, Affine)
    moved = transform @ Affine.translation(col, 0)
    shape = {"height": cube.shape[1], "width": cube.shape[2], "transform": moved}
    with rasterio.open(path, "w", **{**profile, **shape}) as file:
        file.write(cube)
        for band, texts in enumerate(tags, start=1):
            file.update_tags(band, **texts)


if __name__ == "__main__":
    main()
