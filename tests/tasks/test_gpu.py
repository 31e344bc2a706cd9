"""A GPU gives the classes of the CPU; run by `make test-gpu`, and skipped where torch finds no CUDA device."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import torch

from hsi_geo import Compute, MapOptions, Session, adapt, classify, predict

Planted = Any  # defined in conftest, which tests cannot import

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no CUDA device"),
]

CPU, GPU = Compute(device="cpu"), Compute(device="cuda")

#: Greatest share of the pixels whose class may differ: those between two classes of the same probability.
DIFFERENT = 0.003


@pytest.fixture
def shots(planted: Planted, tmp_path: Path) -> Path:
    """Shots of the default scene."""
    found: Path = planted.shots(tmp_path / "shots.gpkg")
    return found


def different(one: Path, other: Path) -> float:
    """Share of the pixels with data whose classes differ."""
    with rasterio.open(one) as first, rasterio.open(other) as second:
        classes, others = first.read(1), second.read(1)
    assert ((classes == 0) == (others == 0)).all()
    return float((classes != others)[classes > 0].mean())


def test_a_model_maps_the_same_classes_on_both(
    planted: Planted, shots: Path, tmp_path: Path
) -> None:
    model = adapt(planted.path, shots, compute=CPU)
    options = MapOptions(confidence=True)
    paths = []
    for compute in (CPU, GPU):
        out = tmp_path / f"{compute.device}.tif"
        paths.append(predict(planted.path, model, out=out, options=options, compute=compute).paths)
    assert different(paths[0].classes, paths[1].classes) <= DIFFERENT
    assert paths[0].confidence is not None
    assert paths[1].confidence is not None
    with rasterio.open(paths[0].confidence) as one, rasterio.open(paths[1].confidence) as other:
        percent, others = one.read(1).astype(int), other.read(1).astype(int)
    assert np.quantile(np.abs(percent - others), 0.99) <= 3  # bfloat16 keeps three digits


def test_an_adaptation_on_a_gpu_finds_the_planted_classes(
    planted: Planted, shots: Path, tmp_path: Path
) -> None:
    classify(planted.path, shots, out=tmp_path / "cpu.tif", compute=CPU)
    classify(planted.path, shots, out=tmp_path / "gpu.tif", compute=GPU)
    # Other random numbers on each device: the networks differ like those of two seeds.
    assert different(tmp_path / "cpu.tif", tmp_path / "gpu.tif") < 0.05


def test_the_same_seed_gives_the_same_bytes(planted: Planted, shots: Path, tmp_path: Path) -> None:
    for name in ("one.tif", "two.tif"):
        classify(planted.path, shots, out=tmp_path / name, compute=GPU)
    assert (tmp_path / "one.tif").read_bytes() == (tmp_path / "two.tif").read_bytes()


def test_a_session_previews_on_a_gpu(planted: Planted, shots: Path) -> None:
    previews = []
    for compute in (CPU, GPU):
        with Session(planted.path, compute=compute) as session:
            previews.append(session.update(shots))
    one, other = (preview.class_ids for preview in previews)
    assert (one != other)[one > 0].mean() <= DIFFERENT
