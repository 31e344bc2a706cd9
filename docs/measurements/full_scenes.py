"""Time, memory and disk of whole scenes of EnMAP, PRISMA and EMIT: docs/before-you-start.md.

    python docs/measurements/full_scenes.py DATA [--folder FOLDER] [--sensors enmap,prisma,emit]

`scene_products` fills a product of the true size in the format of the mission. `hsi-geo classify` and `hsi-geo predict` map it, each in a
process of its own: five points of each of twelve classes, no other options. The script prints a table
in Markdown and removes what it wrote (up to 2 GB).
"""

import argparse
import dataclasses
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import shapely
from scene_products import Product, Source, read_source, write_emit, write_enmap, write_prisma

from hsi_geo import adapt, open_scene
from hsi_geo.tasks.adapt import DEFAULT_RECIPE


def main() -> None:
    """Write, map and remove each product; print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--folder", type=Path, help="where the products are written")
    parser.add_argument("--sensors", default=",".join(PRODUCTS))
    options = parser.parse_args()
    source = read_source(options.data)
    print(f"{os.cpu_count()} cores, {memory_gib():.0f} GiB of memory, no GPU\n")
    print(
        "| product | command | minutes | of processor time | GiB of memory | product, GB | map, MB |"
    )
    print("|---|---|---|---|---|---|---|", flush=True)
    for sensor in options.sensors.split(","):
        with tempfile.TemporaryDirectory(prefix="hsi-geo-", dir=options.folder) as name:
            measure(sensor, source, Path(name))
    print(f"\nOther jobs ran beside: load average {os.getloadavg()[2]:.0f} at the end.", flush=True)


def measure(sensor: str, source: Source, folder: Path) -> None:
    """Map one product, and print its rows of the table."""
    path, size, truth = PRODUCTS[sensor](source, folder)
    shots = folder / "shots.gpkg"
    write_shots(path, truth, shots)
    recipe = dataclasses.replace(DEFAULT_RECIPE, method="linear")  # the same network, faster to fit
    model = folder / "model.safetensors"
    adapt(path, shots, out=model, recipe=recipe)
    commands = {
        "classify": ["classify", str(path), "--shots", str(shots)],
        "predict": ["predict", str(path), "--model", str(model)],
    }
    product = sum(file.stat().st_size for file in path.rglob("*")) if path.is_dir() else 0
    product = product or path.stat().st_size
    for name, command in commands.items():
        out = folder / f"{name}.tif"
        minutes, processor, gib = timed([*command, "-o", str(out), "--progress", "none"])
        print(
            f"| {size} | {name} | {minutes:.1f} | {processor:.1f} | {gib:.1f} | {product / 1e9:.2f} "
            f"| {out.stat().st_size / 1e6:.1f} |",
            flush=True,
        )


def timed(command: list[str]) -> tuple[float, float, float]:
    """Run hsi-geo: minutes, minutes of processor time, and the greatest memory in GiB."""
    program = shutil.which("hsi-geo", path=str(Path(sys.executable).parent)) or "hsi-geo"
    start = time.monotonic()
    child = subprocess.Popen([program, *command], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"hsi-geo {command[0]} failed")
    used = (usage.ru_utime + usage.ru_stime) / 60
    return (time.monotonic() - start) / 60, used, usage.ru_maxrss / 2**20


def memory_gib() -> float:
    """Memory of the machine."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30


def write_shots(scene: Path, truth: npt.NDArray[np.int64], path: Path) -> None:
    """Five points of each class at random places of the whole scene."""
    grid = open_scene(scene).hsi.grid
    rng = np.random.default_rng(1330)
    ids = np.unique(truth[truth > 0])
    picked = [rng.choice(np.flatnonzero(truth.ravel() == one), 5, replace=False) for one in ids]
    rows, cols = np.divmod(np.concatenate(picked), truth.shape[1])
    x, y = grid.transform @ (cols + 0.5, rows + 0.5)
    names = [f"class {one}" for one in np.repeat(ids, 5)]
    points = gpd.GeoDataFrame({"class": names}, geometry=shapely.points(x, y), crs=grid.crs)
    points.to_file(path, driver="GPKG")


PRODUCTS: dict[str, Callable[[Source, Path], Product]] = {
    "enmap": write_enmap,
    "prisma": write_prisma,
    "emit": write_emit,
}


if __name__ == "__main__":
    main()
