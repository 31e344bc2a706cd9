"""How much a linear head reads from frozen features: the tables of docs/pretraining.md.

    python examples/pretraining_evidence.py DATA ROW [ROW ...]

DATA is a folder of scenes (see docs/model-card.md); ROW is a name from `ROWS` below, or a weights
file. Each row is one line: overall accuracy in per cent, 5 shots a class, mean over 5 seeds, for
each benchmark scene. The command line's thread settings hold.
"""

import dataclasses
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from pretrain_shipped_weights import sources

from hsi_geo import pretrain
from hsi_geo.io.benchmark_scenes import LOADERS, BenchmarkScene, load_benchmark_scene
from hsi_geo.models.s2former import S2Former
from hsi_geo.tasks.features import fresh_encoder, linear_head_accuracy, scene_features
from hsi_geo.tasks.pretrain import PretrainRecipe
from hsi_geo.tasks.weights import load_weights

SEEDS = (1330, 1220, 1336, 1337, 1224)
SHOTS = 5

#: Changes to a short run of the default recipe; objective and network take their own settings.
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
    "depth-1": {"network": {"depth": 1}},
    "depth-4": {"network": {"depth": 4}},
    "width-32": {"network": {"width": 32}},
    "width-96": {"network": {"width": 96}},
    "window-12": {"network": {"window_px": 12}},
}
STEPS = 400


def short(**changes: dict[str, Any]) -> PretrainRecipe:
    """The default recipe with some changes, for a minute or two."""
    recipe = PretrainRecipe(steps=STEPS)
    parts = {name: getattr(recipe, name) for name in changes}
    replaced = {name: dataclasses.replace(parts[name], **changes[name]) for name in changes}
    return dataclasses.replace(recipe, **replaced)


def pretrained(scenes: list[Any], recipe: PretrainRecipe, init: Path | None = None) -> S2Former:
    """The encoder of a run."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "weights.safetensors"
        pretrain(scenes, out, recipe=recipe, init=init)
        return load_weights(out).encoder


def accuracy(encoder: S2Former, benchmark: BenchmarkScene) -> float:
    """Mean over the seeds, in per cent."""
    features, _ = scene_features(benchmark.scene, encoder)
    labels = benchmark.labels
    return 100 * float(
        np.mean([linear_head_accuracy(features, labels, SHOTS, seed) for seed in SEEDS])
    )


def row(name: str, data: Path) -> list[float]:
    """Accuracy on every benchmark scene.

    "random" is a network that has learnt nothing; "own" has learnt from the scene's own pixels
    only, "FILE+own" from them after FILE's.
    """
    benchmarks = [load_benchmark_scene(scene, data) for scene in LOADERS]
    if name == "random":
        recipe = short()
        empty = S2Former(recipe.network)
        return [accuracy(fresh_encoder(empty, 0), benchmark) for benchmark in benchmarks]
    if name.endswith("own"):
        init = Path(name.removesuffix("+own")) if "+" in name else None
        recipe = short()
        if init is not None:
            recipe = dataclasses.replace(recipe, network=load_weights(init).encoder.config)
        return [accuracy(pretrained([b.scene], recipe, init), b) for b in benchmarks]
    if name in ROWS:
        encoder = pretrained(sources(data), short(**ROWS[name]))
    else:
        encoder = load_weights(name).encoder
    return [accuracy(encoder, benchmark) for benchmark in benchmarks]


def main() -> None:
    """Print a line for each row asked for."""
    data, *names = sys.argv[1:]
    print(f"| {'row':18} | " + " | ".join(f"{name:>16}" for name in LOADERS) + " |  mean |")
    for name in names:
        found = row(name, Path(data))
        cells = " | ".join(f"{value:16.1f}" for value in found)
        print(f"| {name:18} | {cells} | {np.mean(found):5.1f} |", flush=True)


if __name__ == "__main__":
    main()
