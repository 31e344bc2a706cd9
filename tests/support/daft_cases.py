"""Students, and teachers with given probabilities."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from builders import regions_of
from torch import Tensor

from hsi_geo.arrays import Float32Array
from hsi_geo.io.scenes.properties import grid_of
from hsi_geo.models.classifier import Classifier, band_map
from hsi_geo.models.s2former_config import S2FormerConfig
from hsi_geo.models.wavelength_axis import ReducedBands
from hsi_geo.progress import SilentReporter
from hsi_geo.tasks.adaptation.daft import fine_tune
from hsi_geo.tasks.adaptation.recipe import FineTuneConfig, Target
from hsi_geo.tasks.adaptation.teacher import Teacher
from hsi_geo.tasks.adaptation.training_regions import TrainingRegions
from hsi_geo.tasks.adaptation.training_windows import WindowSampler
from hsi_geo.tasks.inference.sliding_window import SlidingWindow, each_window
from hsi_geo.tasks.runtime import seeded
from hsi_geo.tasks.validation.accuracy import Accuracy, OutOfFold
from hsi_geo.tiling import Tiling

Planted = Any  # defined in conftest, which tests cannot import

CPU = torch.device("cpu")
SMALL = S2FormerConfig(window_px=8, width=32, depth=1, heads=2)
TARGETS: tuple[Target, ...] = ("teacher", "shots", "ema")


def cut(
    planted: Planted, folder: Path, budget_px: int = 40_000, per_class: int = 4
) -> TrainingRegions:
    shots = planted.shots(folder / f"{planted.path.stem}.gpkg", per_class=per_class)
    return regions_of(planted.path, shots, budget_px)


def teacher_with(*steps: Float32Array) -> Teacher:
    none = np.empty(0, np.int64)
    empty = OutOfFold(none, none, none, none, np.empty(0), 0, none)
    return Teacher(steps, empty, Accuracy.unknown("no estimate"), 0.0)


def constant_posterior(regions: TrainingRegions, *shares: float) -> Float32Array:
    """The same probabilities at every pixel, and 0 for "unlike any shot"."""
    return np.tile(np.array([*shares, 0.0], np.float32), (len(regions.labels), 1))


def new_student(classes: int = 3, seed: int = 0) -> Classifier:
    with seeded(seed):
        return Classifier(SMALL, classes)


def fine_tuned(
    regions: TrainingRegions,
    teacher: Teacher,
    config: FineTuneConfig,
    seed: int = 0,
    draw_seed: int | None = None,
) -> Classifier:
    generator = np.random.default_rng(seed if draw_seed is None else draw_seed)
    with seeded(seed):
        return fine_tune(new_student(), regions, teacher, config, CPU, generator, SilentReporter())


def mapped(classifier: Classifier, regions: TrainingRegions) -> npt.NDArray[np.str_]:
    """(H, W) class names of the scene."""
    bands = band_map(SMALL, regions.spectral, regions.spectral.centres_nm)

    def network(image: Tensor, valid: Tensor) -> Tensor:
        return classifier.probabilities(classifier(image, valid, bands))

    view = regions.views[0]
    sliding = SlidingWindow(
        view, Tiling(8, 4), each_window(network, Tiling(8, 4)), len(regions.classes)
    )
    probabilities, _ = sliding.block(grid_of(view).window)
    return np.array([c.name for c in regions.classes])[probabilities.argmax(axis=0)]


def agreement(classifier: Classifier, regions: TrainingRegions, planted: Planted) -> float:
    truth = np.array(["", *planted.names])[planted.truth]
    return float((mapped(classifier, regions) == truth)[planted.truth > 0].mean())


def windows(
    regions: TrainingRegions,
    teacher: Teacher,
    config: FineTuneConfig,
    seed: int = 0,
    pixel_fraction: float = 1.0,
    reduced: ReducedBands | None = None,
) -> WindowSampler:
    """Sampler of whole windows, unless a share of their pixels is given."""
    return WindowSampler(
        regions,
        teacher,
        8,
        target=config.target,
        noise=config.noise,
        batch=config.batch,
        clean_fraction=config.clean_fraction,
        pixel_fraction=pixel_fraction,
        generator=np.random.default_rng(seed),
        reduced=reduced,
    )
