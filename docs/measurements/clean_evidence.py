"""What --min-area does to the accuracy, beside GDAL's sieve.

    python docs/measurements/clean_evidence.py DATA [SCENE ...] > docs/results/clean.md

Maps from five shots a class of the first seed. Overall accuracy on all other labelled pixels, in per cent, and seconds, for
both on the same map with the same least number of pixels.
"""

import sys
import time

import numpy as np
import torch
from rasterio.features import sieve

from hsi_geo import adapt
from hsi_geo.io.datasets.benchmark_scenes import CHOSEN_ON, load_benchmark_scene
from hsi_geo.io.maps.small_patches import merge_small_patches
from hsi_geo.io.scenes.properties import bands_of, select_good_bands
from hsi_geo.models.classifier import band_map
from hsi_geo.models.window_inference import WindowGridNetwork
from hsi_geo.tasks.benchmarking.protocol import SEEDS, draw_shots, shots_at
from hsi_geo.tasks.inference.sliding_window import SlidingWindow

SHOTS = 5


def main() -> None:
    """Print a row for each scene and area."""
    print("| scene | least pixels | map | `--min-area` | GDAL's sieve | seconds | of the sieve |")
    print("|---|---|---|---|---|---|---|")
    for name in sys.argv[2:] or CHOSEN_ON:
        benchmark = load_benchmark_scene(name, sys.argv[1])
        scene, flat = benchmark.scene, benchmark.labels.ravel()
        shots = draw_shots(benchmark.labels, SHOTS, SEEDS[0])
        model = adapt(scene, shots_at(scene, benchmark.labels, shots))
        view = select_good_bands(scene)
        bands = band_map(
            model.classifier.backbone.config, model.spectral, bands_of(view).centres_nm
        )
        network = WindowGridNetwork.for_classifier(
            model.classifier, bands, model.tiling.stride_px, torch.device("cpu")
        )
        sliding = SlidingWindow(view, model.tiling, network, len(model.classes))
        probabilities = sliding.block(scene.hsi.grid.window)[0]
        ids = probabilities.argmax(axis=0) + 1
        steps = np.rint(250 * probabilities).astype(np.uint8)
        test = np.setdiff1d(np.flatnonzero(flat), shots)
        classes = np.unique(flat[flat > 0])
        for least in (4, 16, 32):
            started = time.perf_counter()
            ours = merge_small_patches(ids, steps, np.ones(len(ids), np.int64), least)
            middle = time.perf_counter()
            theirs = sieve(ids.astype(np.uint8), least)
            seconds = middle - started, time.perf_counter() - middle
            shares = [
                100 * float((classes[one.ravel()[test] - 1] == flat[test]).mean())
                for one in (ids, ours, theirs)
            ]
            cells = [*(f"{one:.1f}" for one in shares), *(f"{one:.3f}" for one in seconds)]
            print(f"| {name} | {least} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
