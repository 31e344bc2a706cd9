"""How often the error bars of zones reach the true areas.

    python docs/measurements/zone_evidence.py DATA [DRAWS [SAMPLES]] > docs/results/zones.md

Each scene is mapped from DRAWS draws of five shots a class, and cut to the land whose class is known. Nine zones (three rows,
three columns) are counted; zones with fewer than 30 known pixels are left out. For each of SAMPLES random samples of 250 places, two
standard errors up and down are compared with the true area of each class in each zone. Then the same is done for the errors of
held-out shots. Four draws take about ten minutes on one core.

Draws and samples are others than those on which the rule of the errors was chosen: the fifth draw is the first one here, and samples are
numbered from 100. All scenes but Samson were looked at for that choice.

The mean half width is two standard errors. Distances and widths are in per cent of the zone.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import rasterio
import shapely

from hsi_geo import classify, zones
from hsi_geo.arrays import AnyArray
from hsi_geo.io.datasets.benchmark_scenes import BenchmarkScene, load_benchmark_scene
from hsi_geo.io.maps.reader import read_map
from hsi_geo.io.maps.zone_areas import ZoneArea
from hsi_geo.progress import SilentReporter
from hsi_geo.tasks.benchmarking.protocol import SEEDS, draw_shots, shots_at

SCENES = ("indian_pines", "simulated_fields", "jasper_ridge", "enmap_berlin", "samson")

SHOTS, PLACES, SIDE, LEAST_PX = 5, 250, 3, 30

#: Draws, and numbers of samples, on which the rule was chosen. They are left out.
CHOSEN_ON_DRAWS, FIRST_SAMPLE = 4, 100

COLUMNS = (
    "scene", "areas", "sample reaches the truth", "mean half width", "distance as mapped",
    "distance corrected", "held-out shots reach the truth", "their mean half width",
)  # fmt: skip


@dataclass(frozen=True)
class KnownMap:
    """A map that is cut to the land whose class is known, in zones.

    Attributes:
        path: The map.
        truth: (H, W) true classes, 0 for none.
        parts: Rows and columns of each zone, by its name.
        zone_file: The zones.
    """

    path: Path
    truth: AnyArray
    parts: dict[str, tuple[slice, slice]]
    zone_file: Path


def main() -> None:
    """Print a row for each scene."""
    data = sys.argv[1]
    draws, samples = (int(one) for one in [*sys.argv[2:], *("4", "5")[len(sys.argv) - 2 :]])
    print("| " + " | ".join(COLUMNS) + " |")
    print("|---|" + "---|" * (len(COLUMNS) - 1))
    for name in SCENES:
        benchmark = load_benchmark_scene(name, data)
        by_sample: list[AnyArray] = []
        by_shots: list[AnyArray] = []
        for seed in SEEDS[CHOSEN_ON_DRAWS : CHOSEN_ON_DRAWS + draws]:
            with tempfile.TemporaryDirectory() as folder:
                known = map_known_land(benchmark, seed, Path(folder))
                by_sample += [sampled(known, FIRST_SAMPLE + number) for number in range(samples)]
                by_shots.append(compare(known, areas_of(known), "held-out shots"))
        print(_row(name, np.concatenate(by_sample), np.concatenate(by_shots)), flush=True)


def map_known_land(benchmark: BenchmarkScene, seed: int, folder: Path) -> KnownMap:
    """Map a scene from a few shots, and cut the map to the land whose class is known."""
    drawn = draw_shots(benchmark.labels, SHOTS, seed)
    path = folder / "map.tif"
    shots = shots_at(benchmark.scene, benchmark.labels, drawn)
    classify(benchmark.scene, shots, out=path, reporter=SilentReporter())
    truth = benchmark.labels
    with rasterio.open(path, "r+", IGNORE_COG_LAYOUT_BREAK="YES") as file:
        file.write(np.where(truth > 0, file.read(1), 0), 1)
    grid = read_map(path).grid
    rows, cols = (np.linspace(0, n, SIDE + 1).round().astype(int) for n in grid.shape)
    parts = {}
    for r in range(SIDE):
        for c in range(SIDE):
            part = slice(rows[r], rows[r + 1]), slice(cols[c], cols[c + 1])
            if (truth[part] > 0).sum() >= LEAST_PX:
                parts[f"{r}{c}"] = part
    shapes = [
        shapely.Polygon(
            [grid.transform @ corner for corner in (
                (part[1].start, part[0].start), (part[1].stop, part[0].start),
                (part[1].stop, part[0].stop), (part[1].start, part[0].stop),
            )]
        )
        for part in parts.values()
    ]  # fmt: skip
    crs = None if grid.crs is None else grid.crs.to_wkt()
    zone_file = folder / "zones.gpkg"
    gpd.GeoDataFrame({"zone": list(parts)}, geometry=shapes, crs=crs).to_file(zone_file)
    return KnownMap(path, truth, parts, zone_file)


def sampled(known: KnownMap, number: int) -> AnyArray:
    """Areas by places drawn at random, compared with the truth."""
    grid = read_map(known.path).grid
    at = np.argwhere(known.truth > 0)
    chosen = at[np.random.default_rng(number).choice(len(at), PLACES, replace=False)]
    visit = known.path.with_name("visit.gpkg")
    gpd.GeoDataFrame(
        {"class": known.truth[chosen[:, 0], chosen[:, 1]].astype(str)},
        geometry=[shapely.Point(*grid.transform @ (c + 0.5, r + 0.5)) for r, c in chosen],
        crs=None if grid.crs is None else grid.crs.to_wkt(),
    ).to_file(visit)
    return compare(known, areas_of(known, visit), "reference")


def areas_of(known: KnownMap, visit: Path | None = None) -> Sequence[ZoneArea]:
    """Areas of the zones, as the command writes them."""
    return zones(
        known.path, known.zone_file, known.path.with_name("areas.csv"), overwrite=True,
        reference=visit, design=None if visit is None else "simple", reporter=SilentReporter(),
    ).areas  # fmt: skip


def compare(known: KnownMap, areas: Sequence[ZoneArea], basis: str) -> AnyArray:
    """(N, 4) whether the truth is reached, half width, and distance as mapped and as estimated."""
    found = []
    for one in areas:
        part = known.truth[known.parts[one.zone]]
        true = 100 * (part == int(one.name)).sum() / (part > 0).sum()
        if one.percent_se is not None:
            assert one.basis == basis
            wide = 2 * one.percent_se
            apart = abs(one.percent - true)
            found.append((apart <= wide + 0.05, wide, abs(one.mapped_percent - true), apart))
    return np.array(found, float)


def _row(name: str, by_sample: AnyArray, by_shots: AnyArray) -> str:
    reached, wide, mapped, corrected = by_sample.mean(axis=0)
    cells = (
        name, f"{len(by_sample):,}", f"{100 * reached:.0f} %", f"{wide:.1f}", f"{mapped:.1f}",
        f"{corrected:.1f}", f"{100 * by_shots[:, 0].mean():.0f} %", f"{by_shots[:, 1].mean():.1f}",
    )  # fmt: skip
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    main()
