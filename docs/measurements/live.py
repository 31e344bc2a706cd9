"""Speed of previews, and how often they agree with the finished map: docs/performance.md.

    python docs/measurements/live.py DATA [SCENE ...]

DATA has a folder for each scene of the benchmark. Each scene runs in a process of its own: it is opened, and five shots
a class give the first preview; torch is imported in between. Then a shot is added, five times, and each time a preview
follows. At the end the map is made. The large scene is Indian Pines, repeated to 1000 x 1000 pixels and resampled to
224 bands. Its shots lie in the middle, where the canvas of 400 x 300 pixels is. ``ATEN_CPU_CAPABILITY=avx2`` and
``ONEDNN_MAX_CPU_ISA=AVX2`` limit a processor to what most have.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import rasterio

from hsi_geo import Session
from hsi_geo.io.datasets.benchmark_scenes import LOADERS, BenchmarkScene, load_benchmark_scene
from hsi_geo.io.scenes.properties import bands_of, grid_of, select_good_bands
from hsi_geo.io.scenes.scene import scene_from_array
from hsi_geo.progress import SilentReporter
from hsi_geo.tasks.benchmarking.protocol import SEEDS, draw_shots, shots_at
from hsi_geo.tiling import Bounds, Grid, Window

SHOTS, ADDED = 5, 5

#: Name and side of the large scene, its bands, and the part on the canvas.
LARGE, SIDE_PX, BANDS, CANVAS = "large", 1000, 224, Window(350, 300, 300, 400)


def main() -> None:
    """Print a row for each scene."""
    if sys.argv[1] == "--scene":
        measure(sys.argv[2], sys.argv[3])
        return
    print(
        "| scene | pixels | bands | first preview, s | after a new shot, s | agrees with the map, % |"
    )
    print("|---|---|---|---|---|---|")
    for name in sys.argv[2:] or [*LOADERS, LARGE]:
        command = [sys.executable, __file__, "--scene", name, sys.argv[1]]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        found = json.loads(done.stdout.splitlines()[-1])
        after = found["after"]
        print(
            f"| {name} | {found['pixels']} | {found['bands']} | {found['first']:.1f} | {np.median(after):.2f} "
            f"({min(after):.2f} to {max(after):.2f}) | {100 * found['agreement']:.1f} |",
            flush=True,
        )
    limited = os.environ.get("ATEN_CPU_CAPABILITY", "not limited")
    print(f"\n{os.cpu_count()} cores, instructions: {limited}")


def measure(name: str, data: str) -> None:
    """Measure one scene, and print the result as JSON.

    Args:
        name: Name of the scene.
        data: Folder with one folder for each scene.
    """
    benchmark = large(data) if name == LARGE else load_benchmark_scene(name, data)
    drawn = draw_shots(benchmark.labels, SHOTS + 1, SEEDS[0])
    flat = benchmark.labels.ravel()
    classes = np.unique(flat[drawn])
    kept = np.concatenate([drawn[flat[drawn] == c][:SHOTS] for c in classes])
    more = np.setdiff1d(drawn, kept)[:ADDED]
    bounds = canvas(benchmark) if name == LARGE else None
    began = time.perf_counter()
    with Session(benchmark.scene, reporter=SilentReporter()) as session:
        session.prepare()
        preview = session.update(shots_at(benchmark.scene, benchmark.labels, kept), bounds=bounds)
        first = time.perf_counter() - began
        after = []
        for count in range(1, 1 + len(more)):
            shots = shots_at(
                benchmark.scene, benchmark.labels, np.concatenate([kept, more[:count]])
            )
            start = time.perf_counter()
            preview = session.update(shots, bounds=bounds)
            after.append(time.perf_counter() - start)
        with tempfile.TemporaryDirectory(prefix="hsi-geo-") as folder:
            path = Path(folder) / "map.tif"
            session.finish(out=path)
            with rasterio.open(path) as file:
                finished = file.read(1)
    rows, cols = sampled(preview.grid, grid_of(benchmark.scene))
    same = preview.class_ids == finished[np.ix_(rows, cols)]
    result = {
        "pixels": f"{benchmark.labels.shape[0]} x {benchmark.labels.shape[1]}",
        "bands": benchmark.scene.shape[0],
        "first": first,
        "after": after,
        "agreement": float(same[preview.class_ids > 0].mean()),
    }
    print(json.dumps(result))


def sampled(preview: Grid, scene: Grid) -> tuple[list[int], list[int]]:
    """Rows and columns of the scene's pixels in the middle of the pixels of a preview."""
    centres = [preview.transform @ (col + 0.5, 0.5) for col in range(preview.width)]
    middles = [preview.transform @ (0.5, row + 0.5) for row in range(preview.height)]
    _, cols = scene.pixels_at(*np.array(centres).T)
    rows, _ = scene.pixels_at(*np.array(middles).T)
    return np.minimum(rows, scene.height - 1).tolist(), np.minimum(cols, scene.width - 1).tolist()


def canvas(benchmark: BenchmarkScene) -> Bounds:
    """(left, bottom, right, top) of the part of the large scene that is shown."""
    return grid_of(benchmark.scene).bounds_of(CANVAS)


def large(data: str) -> BenchmarkScene:
    """Indian Pines, repeated and resampled; only the part on the canvas has labels."""
    small = load_benchmark_scene("indian_pines", data)
    view = select_good_bands(small.scene)
    centres = bands_of(view).centres_nm
    wanted = np.linspace(centres[0], centres[-1], BANDS)
    cube = np.asarray(view.values, np.float32)
    nearest = np.abs(centres[:, None] - wanted).argmin(axis=0)
    height, width = small.labels.shape
    rows, cols = np.arange(SIDE_PX) % height, np.arange(SIDE_PX) % width
    values = cube[np.ix_(nearest, rows, cols)].astype(np.uint16)
    labels = np.zeros((SIDE_PX, SIDE_PX), small.labels.dtype)
    part = CANVAS.slices
    labels[part] = small.labels[np.ix_(rows, cols)][part]
    return BenchmarkScene(LARGE, scene_from_array(values, wanted), labels)


if __name__ == "__main__":
    main()
