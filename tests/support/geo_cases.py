"""Shots and windows of planted scenes as TorchGeo datasets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from affine import Affine
from torchgeo.datasets import IntersectionDataset

from hsi_geo.io.datasets.geo import HyperspectralScene, Sample, ShotLabels
from hsi_geo.io.labels.shot_reading import read_shots
from hsi_geo.tiling import Window

if TYPE_CHECKING:
    from planted import Planted


def labels_of(planted: Planted, folder: Path, scene: HyperspectralScene) -> ShotLabels:
    return ShotLabels(read_shots(planted.shots(folder / "shots.gpkg")), scene)


def both_of(planted: Planted, folder: Path) -> IntersectionDataset:
    scene = HyperspectralScene(planted.path)
    return scene & labels_of(planted, folder, scene)


def part_of(planted: Planted, window: Window) -> npt.NDArray[np.int16]:
    """(C, h, w) stored values of a window inside the scene, 0 where there is no data."""
    known = planted.truth[window.slices] > 0
    return np.where(known, planted.values[:, *window.slices], 0)


def as_stored(sample: Sample, planted: Planted) -> Sample:
    """A sample with the rows in the order of the file; samples themselves have north up."""
    if planted.transform.e < 0:
        return sample
    a, b, c, d, e, f = sample["transform"].tolist()
    height = sample["valid"].shape[0]
    assert e < 0
    turned = {key: value.flip(-2) for key, value in sample.items() if value.ndim >= 2}
    return {
        **sample,
        **turned,
        "transform": torch.tensor([a, b, c, d, -e, f + e * height], dtype=torch.float64),
    }


def window_of(sample: Sample, planted: Planted) -> Window:
    """The window of a sample in the scene, from its ``transform``."""
    transform = Affine(*sample["transform"].tolist())
    col, row = ~planted.transform @ (transform.c, transform.f)
    assert abs(row - round(row)) < 1e-6
    assert abs(col - round(col)) < 1e-6
    return Window(round(row), round(col), *sample["valid"].shape)
