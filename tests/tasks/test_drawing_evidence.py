"""Ways to draw shots that an example compares."""

from __future__ import annotations

import runpy
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from hsi_geo.io.datasets.benchmark_scenes import BenchmarkScene
from hsi_geo.io.scenes.scene import open_scene, open_scenes
from hsi_geo.progress import SilentReporter
from hsi_geo.tasks.adaptation.training_regions import cut_training_regions

if TYPE_CHECKING:
    from planted import Planted

MEASUREMENTS = Path(__file__).parents[2] / "docs" / "measurements"


@pytest.fixture
def evidence(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The example's functions."""
    monkeypatch.syspath_prepend(str(MEASUREMENTS))
    return SimpleNamespace(**runpy.run_path(str(MEASUREMENTS / "drawing_evidence.py")))


@pytest.fixture
def benchmark(planted: Planted) -> BenchmarkScene:
    """Of three classes."""
    return BenchmarkScene("planted", open_scene(planted.path), planted.truth)


def test_squares_are_the_pixels_that_classical_methods_get(
    evidence: Any, benchmark: BenchmarkScene
) -> None:
    """What is burnt of the polygons, and nothing of another class."""
    drawing = evidence.squares(benchmark, 5, 1, 1330)
    plots = cut_training_regions(
        open_scenes(benchmark.scene),
        drawing.shots,
        budget_px=benchmark.labels.size,
        seed=0,
        reporter=SilentReporter(),
    )
    rows, cols = plots.positions_px[plots.labels >= 0].astype(int).T
    burnt = rows * benchmark.labels.shape[1] + cols
    np.testing.assert_array_equal(np.sort(burnt), np.sort(drawing.pixels))
    values = np.array([c.value for c in plots.classes])
    called = values[plots.labels[plots.labels >= 0]]
    np.testing.assert_array_equal(called, benchmark.labels[rows, cols])
    assert len(drawing.shots.frame) == 15
    assert 15 * 4 <= len(drawing.pixels) <= 15 * 9


def test_one_point_of_each_class_is_called_another(
    evidence: Any, benchmark: BenchmarkScene
) -> None:
    """And only points are."""
    drawing = evidence.with_wrong_ones(benchmark, 1220)
    wrong = np.flatnonzero(drawing.called != benchmark.labels)
    np.testing.assert_array_equal(np.sort(benchmark.labels.flat[wrong]), [1, 2, 3])
    assert set(wrong) <= set(drawing.pixels)
    assert (drawing.called.flat[wrong] > 0).all()
