"""Ways to draw shots that docs/measurements/drawing_evidence.py compares."""

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
    """The functions of the script."""
    monkeypatch.syspath_prepend(str(MEASUREMENTS))
    return SimpleNamespace(**runpy.run_path(str(MEASUREMENTS / "drawing_evidence.py")))


@pytest.fixture
def benchmark(planted: Planted) -> BenchmarkScene:
    """A scene of three classes."""
    return BenchmarkScene("planted", open_scene(planted.path), planted.truth)


def test_squares_give_both_kinds_of_methods_the_same_pixels(
    evidence: Any, benchmark: BenchmarkScene
) -> None:
    """The pixels under the polygons are those of the flat indices, and all are of the right class."""
    drawing = evidence.squares(benchmark, 5, 1, 1330)
    regions = cut_training_regions(
        open_scenes(benchmark.scene),
        drawing.shots,
        budget_px=benchmark.labels.size,
        seed=0,
        reporter=SilentReporter(),
    )
    rows, cols = regions.positions_px[regions.labels >= 0].astype(int).T
    burnt = rows * benchmark.labels.shape[1] + cols
    np.testing.assert_array_equal(np.sort(burnt), np.sort(drawing.pixels))
    values = np.array([c.value for c in regions.classes])
    labels = values[regions.labels[regions.labels >= 0]]
    np.testing.assert_array_equal(labels, benchmark.labels[rows, cols])
    assert len(drawing.shots.frame) == 15
    assert 15 * 4 <= len(drawing.pixels) <= 15 * 9


def test_with_wrong_labels_changes_one_point_of_each_class(
    evidence: Any, benchmark: BenchmarkScene
) -> None:
    drawing = evidence.with_wrong_labels(benchmark, 1220)
    wrong = np.flatnonzero(drawing.labels != benchmark.labels)
    np.testing.assert_array_equal(np.sort(benchmark.labels.flat[wrong]), [1, 2, 3])
    assert set(wrong) <= set(drawing.pixels)
    assert (drawing.labels.flat[wrong] > 0).all()
