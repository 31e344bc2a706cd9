"""How scenes on another scale differ from ordinary tiles: docs/experiments/scale-of-other-scenes.md.

    python docs/measurements/scale_evidence.py DATA

A model is adapted to the western or the eastern half of each scene in DATA. Tiles of the other half, ordinary
and faulty ones, are compared with it. For each kind of tile the script prints their number, the 5th and 95th
percentile of levels and distances (see `hsi_geo.tasks.inference.domain_shift.DomainShift`), and the outcomes. Other
scenes with the same number of bands are compared too. A minute.
"""

import dataclasses
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import scipy.io

from hsi_geo import open_scene
from hsi_geo.arrays import Float32Array
from hsi_geo.errors import ScaleError
from hsi_geo.io.datasets.benchmark_scenes import LOADERS, load_benchmark_scene
from hsi_geo.io.scenes.properties import grid_of, select_good_bands
from hsi_geo.io.scenes.windows import read_window
from hsi_geo.models.classifier import resample_stats
from hsi_geo.models.whitening import SpectralStats, learn_whitening
from hsi_geo.tasks.inference.domain_shift import DomainShift, measure_domain_shift
from hsi_geo.tasks.inference.novelty import keep_shot_spectra, novelty
from hsi_geo.tasks.inference.scene_scale import require_same_scale

Tile = tuple[str, Float32Array]

#: Number of random pixels that are used as shots; most scenes have no labels.
SHOTS = 60


def scenes(data: Path) -> Iterator[tuple[str, Float32Array]]:
    """Every scene of the folder that is large enough to cut."""
    for name in LOADERS:
        yield name, whole(load_benchmark_scene(name, data).scene)
    for path in sorted((data / "abu").glob("*.mat")):
        yield path.stem, scipy.io.loadmat(path)["data"].astype(np.float32).transpose(2, 0, 1)
    yield "neon", whole(open_scene(data / "neon_h5" / "neon_sjer.h5"))


def whole(scene: object) -> Float32Array:
    """(C, H, W) physical values; these scenes have no nodata."""
    view = select_good_bands(scene)  # type: ignore[arg-type]
    return read_window(view, grid_of(view).window)[0]


def ordinary(cube: Float32Array, other: Float32Array) -> Iterator[Tile]:
    """Tiles that an analyst may map with the model."""
    generator = np.random.default_rng(0)
    yield "other half", other
    _, height, width = cube.shape
    for row in range(3):
        for col in range(3):
            rows = slice(height * row // 3, height * (row + 1) // 3)
            cols = slice(width * col // 3, width * (col + 1) // 3)
            yield "a ninth", cube[:, rows, cols].reshape(len(cube), -1)
    order = np.argsort(other.mean(axis=0))
    few = max(30, len(order) // 20)
    yield "its darkest twentieth", other[:, order[:few]]
    yield "its brightest twentieth", other[:, order[-few:]]
    for factor in (0.5, 0.8, 1.25, 2.0):
        yield f"in {factor:g} times the light", other * np.float32(factor)
    noise = generator.normal(size=other.shape) * 0.05 * other.std(axis=1, keepdims=True)
    yield "with 5 % more noise", (other + noise).astype(np.float32)
    deck = clouds(cube, other.shape[1], generator) + 0.05 * other
    yield "half under clouds", np.where(np.arange(other.shape[1]) % 2, deck, other)
    yield "all under clouds", deck


def clouds(cube: Float32Array, pixels: int, generator: np.random.Generator) -> Float32Array:
    """Bright spectra of clouds, darker in the last two thirds of the bands, with texture."""
    bands = np.linspace(0, 1, len(cube))
    shape = np.where(bands < 0.35, 1.0, 0.4) * (1 + 0.02 * np.sin(40 * bands))
    bright = 1.3 * np.percentile(cube, 98) * generator.normal(1, 0.12, pixels)
    return (shape[:, None] * bright[None, :]).astype(np.float32)


def faulty(cube: Float32Array, other: Float32Array) -> Iterator[Tile]:
    """Tiles on another scale, or with an offset."""
    generator = np.random.default_rng(1)
    for power in (-4, -3, -2, -1, 1, 2, 3, 4):
        yield f"times 10^{power}", other * np.float32(10.0**power)
    yield "divided by 65,535", other / np.float32(65535)
    bright = np.percentile(cube, 98)
    for share in (-0.05, 0.1, 0.2):
        yield f"plus {share:g} of the bright", (other + share * bright).astype(np.float32)
    each = generator.normal(size=(len(other), 1)) * 0.05 * bright
    yield "another offset in each band", (other + each).astype(np.float32)


def halves(cube: Float32Array) -> Iterator[tuple[Float32Array, Float32Array]]:
    """One half, which the model is adapted to, and the pixels of the other half."""
    middle = cube.shape[2] // 2
    west, east = cube[:, :, :middle], cube[:, :, middle:]
    yield west, east.reshape(len(cube), -1)
    yield east, west.reshape(len(cube), -1)


def outcomes(half: Float32Array, tiles: Iterator[Tile]) -> Iterator[tuple[str, DomainShift, str]]:
    """Kind of each tile, comparison with the model, and outcome."""
    centres = np.linspace(400.0, 2500.0, len(half))
    spectral = SpectralStats(
        centres,
        np.full(len(half), 10.0),
        learn_whitening([(half, np.ones(half.shape[1:], bool))]),
    )
    resampled = resample_stats(spectral, centres)
    pixels = half.reshape(len(half), -1)
    labels = np.full(pixels.shape[1], -1)
    labels[np.random.default_rng(2).choice(len(labels), SHOTS, replace=False)] = np.arange(SHOTS)
    shots = keep_shot_spectra(spectral, pixels, labels)
    for kind, spectra in tiles:
        some = spectra[:, :: max(1, spectra.shape[1] // 2000)]
        whitened = resampled.whiten(some)
        found = measure_domain_shift(resampled, some, whitened)
        unlike = novelty(spectral, resampled, shots, whitened) or 0.0
        try:
            require_same_scale(found, kind, 1.0)
        except ScaleError as error:
            names_factor = "--rescale auto" in str(error)
            yield kind, found, "factor" if names_factor else "refused"
        else:
            found = dataclasses.replace(found, novelty=unlike)
            yield kind, found, "drifts" if found.drifts else "mapped"


def print_table(rows: list[tuple[str, DomainShift, str]]) -> None:
    """Print a line for each kind."""
    print("| tile | tiles | level | distance | mapped | drifts | refused, factor named | refused |")
    print("|---|---|---|---|---|---|---|---|")
    for kind in dict.fromkeys(kind for kind, _, _ in rows):
        own = [(found, end) for name, found, end in rows if name == kind]
        level = np.percentile([found.level for found, _ in own], (5, 95))
        distance = np.percentile([found.distance for found, _ in own], (5, 95))
        ends = [end for _, end in own]
        counts = [str(ends.count(end)) for end in ("mapped", "drifts", "factor", "refused")]
        spans = [f"{level[0]:.1f} to {level[1]:.1f}", f"{distance[0]:.1f} to {distance[1]:.1f}"]
        print(f"| {kind} | {len(own)} | {' | '.join(spans + counts)} |")


def main(data: Path) -> None:
    """Compare the tiles of all scenes; print ordinary tiles first."""
    cubes = dict(scenes(data))
    rows: list[tuple[str, DomainShift, str]] = []
    wrong: list[tuple[str, DomainShift, str]] = []
    for cube in cubes.values():
        for half, other in halves(cube):
            rows += outcomes(half, ordinary(cube, other))
            wrong += outcomes(half, faulty(cube, other))
    for name, cube in cubes.items():
        others = [
            ("another scene of the sensor", one.reshape(len(one), -1))
            for other, one in cubes.items()
            if other != name and len(one) == len(cube)
        ]
        rows += outcomes(cube, iter(others))
    print_table(rows + wrong)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
