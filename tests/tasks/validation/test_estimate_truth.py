"""The estimate from shots alone against the truth, on labelled scenes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from hsi_geo.io.datasets.benchmark_scenes import LOADERS, load_benchmark_scene
from hsi_geo.progress import SilentReporter
from hsi_geo.tasks.adaptation.region_cutting import cut_training_regions
from hsi_geo.tasks.adaptation.teacher import fit_teacher
from hsi_geo.tasks.artifacts.shipped import SHIPPED
from hsi_geo.tasks.artifacts.weights import load_weights
from hsi_geo.tasks.benchmarking.protocol import SEEDS, draw_shots, shots_at


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", LOADERS)
def test_accuracy_interval_covers_the_truth(name: str, data: Path) -> None:
    """Of what is estimated, the teacher, in at least eight of ten draws of five shots a class."""
    encoder, cpu = load_weights(SHIPPED).encoder, torch.device("cpu")
    scene = load_benchmark_scene(name, data)
    flat, covered = scene.labels.ravel(), []
    for seed in SEEDS:
        drawn = draw_shots(scene.labels, 5, seed)
        plots = cut_training_regions(
            [scene.scene],
            shots_at(scene.scene, scene.labels, drawn),
            budget_px=flat.size,
            seed=seed,
            reporter=SilentReporter(),
        )
        teacher = fit_teacher(plots, encoder, cpu)
        (plot,) = plots.regions
        known = flat[plot.inside.ravel()]
        test = (known > 0) & (plots.labels < 0)
        values = np.array([c.value for c in plots.classes])
        named = values[teacher.steps[-1][:, : len(values)].argmax(axis=1)]
        truth = float((named == known)[test].mean())
        assert teacher.accuracy.interval95 is not None
        low, high = teacher.accuracy.interval95
        covered.append(low <= truth <= high)
    assert sum(covered) >= 8
