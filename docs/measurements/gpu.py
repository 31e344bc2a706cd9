"""Speed and agreement of a GPU: docs/performance.md, once a GPU was at hand.

    python docs/measurements/gpu.py [--repeats 3]

Indian Pines, repeated to 580 x 580 pixels, is mapped on the CPU and on the GPU by one model, and a model is adapted on
each. Each row has the median of the repeats in seconds, the least and the greatest, and the peak memory of the GPU. The
last line has the share of pixels whose class differs between the two maps of one model.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import performance
import rasterio
import torch

from hsi_geo import Compute, adapt, predict
from hsi_geo.progress import SilentReporter
from hsi_geo.tasks.demo import write_inputs


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit("torch finds no CUDA device")
    print(f"{torch.cuda.get_device_name()}\n")
    print("| job | device | seconds | peak memory of the GPU, MiB |")
    print("|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="hsi-geo-") as name:
        folder = Path(name)
        performance.prepare(folder)
        small, shots, _ = write_inputs(folder)
        silent = SilentReporter()
        for device in ("cpu", "cuda"):
            compute = Compute(device=device)
            out, model = folder / f"{device}.tif", folder / "model.safetensors"
            given: dict[str, Any] = {"compute": compute, "reporter": silent}
            jobs: dict[str, Callable[[], object]] = {
                "adapt": partial(adapt, small, shots, **given),
                "predict": partial(
                    predict, folder / "scene.tif", model, out=out, overwrite=True, **given
                ),
            }
            for job, run in jobs.items():
                print(
                    f"| {job} | {device} | {seconds(run, options.repeats)} | {peak_mib()} |",
                    flush=True,
                )
        with rasterio.open(folder / "cpu.tif") as one, rasterio.open(folder / "cuda.tif") as other:
            classes, others = one.read(1), other.read(1)
    print(
        f"\n{100 * (classes != others)[classes > 0].mean():.3f} % of the pixels have another class"
    )


def seconds(job: Callable[[], object], repeats: int) -> str:
    """Median of some runs, with the least and the greatest; one more run before is not counted."""
    job()
    torch.cuda.reset_peak_memory_stats()
    found = []
    for _ in range(repeats):
        start = time.perf_counter()
        job()
        torch.cuda.synchronize()
        found.append(time.perf_counter() - start)
    return f"{statistics.median(found):.2f} ({min(found):.2f} to {max(found):.2f})"


def peak_mib() -> int:
    """Most memory of the GPU that tensors took since the last reset."""
    return round(torch.cuda.max_memory_allocated() / 2**20)


if __name__ == "__main__":
    main()
