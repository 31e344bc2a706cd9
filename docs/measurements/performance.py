"""Speed of mapping, compared with other methods: docs/performance.md.

    python docs/measurements/performance.py [--repeats 3] [--fields DATA] [--terratorch PYTHON] [--profile] [--full]

Indian Pines, repeated to 580 x 580 pixels of 200 bands, or with --fields the simulated fields of the folder DATA, repeated to
1080 x 1000 pixels of 234 bands, is mapped by `predict` with the package's weights, by the
same network run on one patch for each pixel, by scikit-learn's random forest and SVM, and by
TerraTorch's tiled inference with the same network. TerraTorch needs another version of TorchGeo:
give it the interpreter of a separate environment (pip install terratorch). Each method runs in its
own process, one after the other, and again in each repeat, while nothing else may run. The processor is limited to
AVX2, which most users have; --full takes all its instructions. Rates are given as ratios to the forest
of the same repeat, since other jobs slow machines down. With --full the script also prints the operations of
the network and the peak rates of this machine; with --profile the time of each operator.
"""

import argparse
import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import machine
import numpy as np
import numpy.typing as npt
import rasterio
import torch
from sklearn.base import ClassifierMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from torch import profiler
from torch.utils.flop_counter import FlopCounterMode

from hsi_geo import adapt, predict
from hsi_geo.io.datasets.benchmark_scenes import load_benchmark_scene
from hsi_geo.io.scenes.properties import select_good_bands
from hsi_geo.io.scenes.scene import open_scene
from hsi_geo.io.scenes.windows import read_window
from hsi_geo.models import window_inference
from hsi_geo.models.classifier import band_map
from hsi_geo.models.window_inference import WindowGridNetwork
from hsi_geo.tasks.adapt import DEFAULT_RECIPE
from hsi_geo.tasks.artifacts.model import AdaptedModel, load_model
from hsi_geo.tasks.benchmarking.protocol import SEEDS, draw_shots, shots_at
from hsi_geo.tasks.demo import write_inputs
from hsi_geo.tasks.inference.sliding_window import each_window
from hsi_geo.tiling import Tiling, Window

TREES = 300

#: How often Indian Pines and the fields are repeated, in rows and columns.
PINES_TIMES, FIELDS_TIMES = (4, 4), (5, 6)

#: Side of the square that slow methods map, in pixels.
PART_PX = 96


def main() -> None:
    """Prepare the inputs, run all methods in turn, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--fields", type=Path, help="folder of scenes: map the fields instead")
    parser.add_argument("--terratorch", help="interpreter of an environment that has it")
    parser.add_argument("--profile", action="store_true", help="print the time of each operator")
    parser.add_argument("--full", action="store_true", help="use all instructions, not only AVX2")
    options = parser.parse_args()
    if not options.full:
        machine.limit_instructions()
    with tempfile.TemporaryDirectory(prefix="hsi-geo-") as name:
        folder = Path(name)
        prepare(folder, options.fields)
        commands = {method: [sys.executable] for method in METHODS}
        if options.terratorch:
            commands["terratorch tiled inference"] = [options.terratorch]
        found: dict[str, list[dict[str, float]]] = {method: [] for method in commands}
        for _ in range(options.repeats):
            for method, command in commands.items():
                machine.require_quiet()
                found[method].append(run(command, method, folder))
        show(found)
        print(f"\n{os.cpu_count()} cores; {machine.instructions()}.")
        if options.full:  # products of MKL are not limited, so that limits of AVX2 would not be its
            machine.require_quiet()
            show_roofline(folder)
        if options.profile:
            show_profile(folder)


def prepare(folder: Path, data: Path | None = None) -> None:
    """Write the scene, a model, the shots' spectra, and the network as TorchScript.

    Args:
        folder: Where to.
        data: Folder of the simulated fields; None takes Indian Pines.
    """
    if data is None:
        name, times = "indian_pines", PINES_TIMES
        small, *_ = write_inputs(folder)
    else:
        name, times = "simulated_fields", FIELDS_TIMES
        small = data / name / f"{name}.tif"
    loaded = load_benchmark_scene(name, data)
    drawn = draw_shots(loaded.labels, 5, SEEDS[0])
    recipe = dataclasses.replace(DEFAULT_RECIPE, method="linear")  # the same network, faster to fit
    scene = open_scene(small)  # with the file's scale
    shots = shots_at(scene, loaded.labels, drawn)
    adapt(scene, shots, out=folder / "model.safetensors", recipe=recipe)
    with rasterio.open(small) as source:
        profile = {**source.profile, "tiled": True, "blockxsize": 256, "blockysize": 256}
        profile |= {"height": source.height * times[0], "width": source.width * times[1]}
        cube, tags = source.read(), [source.tags(band) for band in source.indexes]
        scales = source.scales
    with rasterio.open(folder / "scene.tif", "w", **profile) as target:
        target.write(np.tile(cube, (1, *times)))
        target.scales = scales
        for band, own in enumerate(tags, 1):
            target.update_tags(band, **own)
    spectra = cube.reshape(len(cube), -1).T[drawn].astype(np.float32)
    np.savez(folder / "shots.npz", spectra=spectra, labels=loaded.labels.flat[drawn])
    trace(folder)


def trace(folder: Path) -> None:
    """The network as TorchScript: probabilities of (B, C, P, P) physical values."""
    model = load_model(folder / "model.safetensors")
    network = model.classifier
    centres = model.spectral.centres_nm
    bands = band_map(network.backbone.config, model.spectral, centres)
    size = model.tiling.size_px

    class Plain(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, image: torch.Tensor) -> torch.Tensor:
            valid = torch.ones_like(image[:, 0], dtype=torch.bool)
            probabilities: torch.Tensor = self.network(image, valid, bands).softmax(dim=1)
            return probabilities

    example = torch.zeros(16, len(centres), size, size)
    traced = torch.jit.trace(Plain().eval(), example, check_trace=False)  # type: ignore[no-untyped-call]
    traced.save(folder / "network.pt")
    order = select_good_bands(open_scene(folder / "scene.tif"))["band"].values.tolist()
    (folder / "bands.json").write_text(json.dumps(order))


def run(command: list[str], method: str, folder: Path) -> dict[str, float]:
    """Run a method in its own process."""
    script = __file__ if method in METHODS else Path(__file__).with_name("terratorch_tiles.py")
    text = subprocess.run(
        [*command, str(script), "run", method, str(folder)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout
    result: dict[str, float] = json.loads(text.splitlines()[-1])
    return result


# Methods: each maps the scene in a folder and returns how many pixels in how many seconds. ---


def ours(folder: Path, *, half: bool) -> tuple[int, float]:
    """`predict`: reads the file and writes the map."""
    if not half:
        setattr(window_inference, "has_fast_bfloat16", lambda device: False)  # noqa: B010
    model = load_model(folder / "model.safetensors")
    started = time.perf_counter()
    result = predict(folder / "scene.tif", model, out=folder / "map.tif", overwrite=True)
    seconds = time.perf_counter() - started
    with rasterio.open(result.paths.classes) as file:
        return file.width * file.height, seconds


def patches(folder: Path) -> tuple[int, float]:
    """The same network on a window around each pixel; only the middle pixel is kept."""
    model = load_model(folder / "model.safetensors")
    view = select_good_bands(open_scene(folder / "scene.tif"))
    size = model.tiling.size_px
    side = PART_PX // 2
    image, valid = read_window(view, Window(0, 0, side + size, side + size))
    bands = band_map(model.classifier.backbone.config, model.spectral, model.spectral.centres_nm)

    def network(windows: torch.Tensor, has_data: torch.Tensor) -> torch.Tensor:
        return model.classifier.probabilities(model.classifier(windows, has_data, bands))

    started = time.perf_counter()
    with torch.inference_mode():
        look = each_window(network, Tiling(size, 1))(
            torch.from_numpy(image), torch.from_numpy(valid)
        )
        cols = torch.arange(side)
        for row in range(side):
            look(torch.full((side,), row), cols)[:, :, size // 2, size // 2].argmax(dim=1)
    return side * side, time.perf_counter() - started


def forest(folder: Path) -> tuple[int, float]:
    """Random forest on spectra in memory; reading the file is not counted."""
    return classical(folder, RandomForestClassifier(TREES, n_jobs=-1), None)


def svm(folder: Path) -> tuple[int, float]:
    """SVM on standardised spectra of a part of the scene."""
    return classical(folder, SVC(C=100.0), PART_PX**2)


def classical(folder: Path, classifier: ClassifierMixin, most: int | None) -> tuple[int, float]:
    """Fit on the shots, then classify pixels."""
    shots = np.load(folder / "shots.npz")
    scaler = StandardScaler().fit(shots["spectra"])
    classifier.fit(scaler.transform(shots["spectra"]), shots["labels"])
    with rasterio.open(folder / "scene.tif") as source:
        cube = source.read().astype(np.float32)
    pixels: npt.NDArray[np.float32] = np.ascontiguousarray(cube.reshape(len(cube), -1).T[:most])
    started = time.perf_counter()
    classifier.predict(scaler.transform(pixels).astype(np.float32))
    return len(pixels), time.perf_counter() - started


METHODS: dict[str, Callable[[Path], tuple[int, float]]] = {
    "hsi-geo predict": lambda folder: ours(folder, half=True),
    "hsi-geo predict, float32": lambda folder: ours(folder, half=False),
    "same network, one patch a pixel": patches,
    "random forest, 300 trees": forest,
    "SVM": svm,
}


# Results ------------------------------------------------------------------------------------


def show(found: dict[str, list[dict[str, float]]]) -> None:
    """Print rates with their range, and as ratios to the forest of the same repeat."""
    print("| method | kpx/s | times the forest | peak RSS, MiB |\n|---|---|---|---|")
    reference = [one["rate"] for one in found["random forest, 300 trees"]]
    for method, results in found.items():
        rates = [one["rate"] for one in results]
        ratios = [rate / other for rate, other in zip(rates, reference, strict=True)]
        memory = max(one["rss_mib"] for one in results)
        print(
            f"| {method} | {spread([rate / 1e3 for rate in rates])} | {spread(ratios)} | "
            f"{memory:.0f} |"
        )


def spread(values: list[float]) -> str:
    """Median, minimum and maximum, as text."""
    return f"{np.median(values):.3g} ({min(values):.3g} to {max(values):.3g})"


def show_roofline(folder: Path) -> None:
    """Print operations for a pixel, peak rates of the machine, and the limits that follow."""
    model = load_model(folder / "model.safetensors")
    flop, exponentials = flop_per_pixel(model), exponentials_per_pixel(model)
    bands = len(model.spectral.centres_nm)
    full, half = (products_per_second(dtype) for dtype in (torch.float32, torch.bfloat16))
    raised, copied = exponentials_per_second(), copied_bytes_per_second()
    print("\n| of a pixel | the machine does, a second | and so at most, kpx/s |\n|---|---|---|")
    for cost, speed, most in (
        (f"{flop / 1e6:.2f} MFLOP in float32", f"{full / 1e9:.0f} GFLOP", full / flop),
        (f"{flop / 1e6:.2f} MFLOP in bfloat16", f"{half / 1e9:.0f} GFLOP", half / flop),
        (f"{exponentials:.0f} exponentials", f"{raised / 1e9:.2f} G", raised / exponentials),
        (f"{2 * bands} bytes in the file", f"{copied / 1e9:.0f} GB copied", copied / (2 * bands)),
    ):
        print(f"| {cost} | {speed} | {most / 1e3:.3g} |")
    print(
        f"\n{bands} bands, {torch.get_num_threads()} threads; products of 1024 x 1024; {machine.instructions()}."
    )


def exponentials_per_pixel(model: AdaptedModel) -> float:
    """Exponentials of all attention matrices of a window, divided by its new pixels."""
    config = model.classifier.backbone.config
    pixels, groups = config.window_px**2, config.groups
    whole = (
        config.depth * (pixels + groups) ** 2 - groups * pixels
    )  # the last layer attends one way only
    return config.heads * whole / model.tiling.stride_px**2


def show_profile(folder: Path) -> None:
    """Print the wall time of `predict`, and the time of torch's operators."""
    model = load_model(folder / "model.safetensors")

    def job() -> None:
        predict(folder / "scene.tif", model, out=folder / "map.tif", overwrite=True)

    seconds = best_seconds(job, times=2)
    with profiler.profile(activities=[profiler.ProfilerActivity.CPU]) as profiled:
        job()
    operators = sorted(profiled.key_averages(), key=lambda one: -one.self_cpu_time_total)
    print(f"\npredict: {seconds:.2f} s\n\n| operator | seconds in the calling thread |\n|---|---|")
    for one in operators[:10]:
        print(f"| {one.key} | {one.self_cpu_time_total / 1e6:.2f} |")


def flop_per_pixel(model: AdaptedModel) -> float:
    """Multiplications and additions for a pixel, from a region of 16 x 16 windows."""
    size, stride = model.tiling.size_px, model.tiling.stride_px
    bands = band_map(model.classifier.backbone.config, model.spectral, model.spectral.centres_nm)
    network = WindowGridNetwork.for_classifier(model.classifier, bands, stride, torch.device("cpu"))
    side = 15 * stride + size
    at = torch.cartesian_prod(torch.arange(16), torch.arange(16))
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        look = network(torch.zeros(len(bands.centre), side, side), torch.ones(side, side) > 0)
        look(at[:, 0], at[:, 1])
    return float(counter.get_total_flops()) / (16 * stride) ** 2


def products_per_second(dtype: torch.dtype) -> float:
    """FLOP/s of a large matrix product."""
    a, b = (torch.ones(1024, 1024, dtype=dtype) for _ in range(2))
    return 2 * 1024**3 / best_seconds(lambda: a @ b)


def exponentials_per_second() -> float:
    """Exponentials of numbers in the cache, for each second."""
    a = torch.zeros(1 << 18)
    return (1 << 18) / best_seconds(a.exp)


def copied_bytes_per_second() -> float:
    """Bytes read and written for each second, of an array larger than the caches."""
    a, b = torch.zeros(1 << 26), torch.zeros(1 << 26)
    return 2 * 4 * (1 << 26) / best_seconds(lambda: b.copy_(a))


def best_seconds(job: Callable[[], Any], times: int = 20) -> float:
    """Seconds of the fastest of some runs."""
    seconds = []
    for _ in range(times):
        started = time.perf_counter()
        job()
        seconds.append(time.perf_counter() - started)
    return min(seconds)


def peak_rss_mib() -> float:
    """Peak resident memory of this process, from /proc."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


if __name__ == "__main__":
    if sys.argv[1:2] == ["run"]:
        pixels, seconds = METHODS[sys.argv[2]](Path(sys.argv[3]))
        rss = peak_rss_mib()
        print(json.dumps({"rate": pixels / seconds, "rss_mib": rss}))
    else:
        main()
