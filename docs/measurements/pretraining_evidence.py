"""Accuracy of a linear probe on frozen features: the tables of docs/pretraining.md.

    python docs/measurements/pretraining_evidence.py DATA ROW [ROW ...]

DATA is a folder of scenes (see docs/model-card.md); ROW is a name from `ROWS` below, with @N for
another seed of the pre-training; or random, shipped, own (pre-trained on the scene's own pixels
only), shipped+own (first on other scenes, then on its own pixels), or a weights file. Each row is
one line: overall accuracy in per cent, 5 shots a class, mean over 5 seeds of the draw, for each
benchmark scene, and the operations of the network.
"""

import dataclasses
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pretrain_shipped_weights import sources
from torch.utils.flop_counter import FlopCounterMode

from hsi_geo import pretrain
from hsi_geo.io.datasets.benchmark_scenes import CHOSEN_ON, BenchmarkScene, load_benchmark_scene
from hsi_geo.models.s2former import S2Former
from hsi_geo.models.wavelength_axis import resample_to_axis
from hsi_geo.tasks.artifacts.shipped import SHIPPED
from hsi_geo.tasks.artifacts.weights import load_weights
from hsi_geo.tasks.benchmarking.linear_probe import linear_probe_accuracy
from hsi_geo.tasks.inference.encoder_features import random_encoder_like, scene_features
from hsi_geo.tasks.pretraining.recipe import PretrainRecipe

SEEDS = (1330, 1220, 1336, 1337, 1224)
SHOTS = 5

#: Changes to a short run of the default recipe, by the part that they belong to.
ROWS: dict[str, dict[str, Any]] = {
    "default": {},
    "fdc-off": {"objective": {"fdc": "none"}},
    "fdc-spatial": {"objective": {"fdc": "spatial"}},
    "fdc-spectral": {"objective": {"fdc": "spectral"}},
    "fdc-both": {"objective": {"fdc": "both"}},
    "fdc-low-pass": {"objective": {"fdc": "spatial", "low_pass": True}},
    "cross-off": {"network": {"cross_attention": "none"}},
    "cross-to-pixels": {"network": {"cross_attention": "to_pixels"}},
    "cross-to-spectrum": {"network": {"cross_attention": "to_spectrum"}},
    "mask-0.50": {"objective": {"mask_ratio": 0.5}},
    "mask-0.75": {"objective": {"mask_ratio": 0.75}},
    "mask-0.90": {"objective": {"mask_ratio": 0.9}},
    "visible-0": {"objective": {"visible": 0.0}},
    "visible-1": {"objective": {"visible": 1.0}},
    "depth-2": {"network": {"depth": 2}},
    "depth-4": {"network": {"depth": 4}},
    "width-32": {"network": {"width": 32}},
    "width-96": {"network": {"width": 96}},
    "window-12": {"network": {"window_px": 12}},
}
STEPS = 400


def short(**changes: dict[str, Any]) -> PretrainRecipe:
    """The default recipe with some changes, and fewer steps."""
    recipe = PretrainRecipe(steps=STEPS)
    parts = {name: getattr(recipe, name) for name in changes}
    replaced = {name: dataclasses.replace(parts[name], **changes[name]) for name in changes}
    return dataclasses.replace(recipe, **replaced)


def pretrained(
    scenes: list[Any], recipe: PretrainRecipe, seed: int = 0, init: Path | None = None
) -> S2Former:
    """Pre-train; return the encoder."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "weights.safetensors"
        pretrain(scenes, out, recipe=recipe, init=init, seed=seed)
        return load_weights(out).encoder


def megaflops(encoder: S2Former, bands: int = 200) -> float:
    """Multiplications and additions for a pixel, in millions, when windows overlap by half."""
    size, config = encoder.config.window_px, encoder.config
    centres = np.linspace(400.0, 2450.0, bands)
    mapped = resample_to_axis(config, centres, np.full(bands, 10.0))
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        encoder(
            torch.zeros(1, bands, size, size), torch.ones(1, size, size, dtype=torch.bool), mapped
        )
    return 4e-6 * float(counter.get_total_flops()) / size**2


def accuracy(encoder: S2Former, benchmark: BenchmarkScene) -> float:
    """Accuracy of the linear probe in per cent, mean over the seeds."""
    features, _ = scene_features(benchmark.scene, encoder)
    labels = benchmark.labels
    return 100 * float(
        np.mean([linear_probe_accuracy(features, labels, SHOTS, seed) for seed in SEEDS])
    )


def encoders(name: str, data: Path) -> Iterator[tuple[S2Former, BenchmarkScene]]:
    """Encoder of a row, and benchmark scene, for each of the scenes."""
    name, _, seed = name.partition("@")
    benchmarks = [load_benchmark_scene(scene, data) for scene in CHOSEN_ON]
    if name.endswith("own"):
        init = SHIPPED if name == "shipped+own" else None
        for benchmark in benchmarks:
            yield pretrained([benchmark.scene], short(), int(seed or 0), init), benchmark
        return
    if name == "random":
        encoder = random_encoder_like(S2Former(short().network), int(seed or 0))
    elif name in ROWS:
        encoder = pretrained(sources(data), short(**ROWS[name]), int(seed or 0))
    else:
        encoder = load_weights(SHIPPED if name == "shipped" else name).encoder
    for benchmark in benchmarks:
        yield encoder, benchmark


def main() -> None:
    """Print a line for each row."""
    data, *names = sys.argv[1:]
    columns = " | ".join(f"{name:>16}" for name in CHOSEN_ON)
    print(f"| {'row':18} | {columns} |  mean | MFLOP/px |")
    for name in names:
        found = []
        for encoder, benchmark in encoders(name, Path(data)):
            found.append(accuracy(encoder, benchmark))
        cells = " | ".join(f"{value:16.1f}" for value in found)
        cost = f"{megaflops(encoder):8.2f}"
        print(f"| {name:18} | {cells} | {np.mean(found):5.1f} | {cost} |", flush=True)


if __name__ == "__main__":
    main()
