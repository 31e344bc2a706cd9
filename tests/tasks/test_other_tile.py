"""Accuracy of maps of tiles that the model was not adapted to."""

from __future__ import annotations

import runpy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from hsi_geo.io.datasets.benchmark_scenes import load_benchmark_scene
from hsi_geo.tasks.benchmarking.protocol import SEEDS

EXAMPLE = Path(__file__).parents[2] / "docs" / "measurements" / "other_tile_evidence.py"


def test_of_fields_separates_fields_with_and_without_shots() -> None:
    """Four fields: one in the west, two in the east, and one over the cut, with the shot."""
    evidence: Any = SimpleNamespace(**runpy.run_path(str(EXAMPLE)))
    labels = np.array([[1, 1, 0, 1, 1, 1], [0, 0, 0, 0, 0, 1], [2, 2, 2, 2, 0, 2]])
    fields = evidence.numbered_fields(labels)
    np.testing.assert_array_equal(
        fields, [[1, 1, 0, 2, 2, 2], [0, 0, 0, 0, 0, 2], [3, 3, 3, 3, 0, 4]]
    )
    here = np.arange(6) < np.full((3, 1), 3)
    ours, autos = labels.copy(), labels.copy()
    ours[0, 0] = ours[0, 1] = 2  # without a shot, here
    ours[0, 3] = 2  # without a shot, there
    autos[2, 3] = 1  # with a shot
    autos[2, 0] = 1  # the shot itself, which is not asked about
    crossed = evidence.Crossing(here, np.array([12]), ours, labels, autos)
    found = evidence.of_fields([crossed], labels)
    np.testing.assert_allclose([*found.values()], [(1, 1, 2 / 3), (0, 1, 1), (0.8, 1, 1)])


def test_of_opposite_ignores_classes_without_shots() -> None:
    """Nor is the half with the shots."""
    evidence: Any = SimpleNamespace(**runpy.run_path(str(EXAMPLE)))
    labels = np.array([[1, 2, 1, 2], [0, 1, 3, 2], [2, 1, 3, 0]])
    here = np.arange(4) < np.full((3, 1), 2)
    wrong_there = labels.copy()
    wrong_there[0, 2:] = 0
    crossed = evidence.Crossing(
        here, np.array([0, 1]), np.where(here, 0, labels), wrong_there, labels
    )
    np.testing.assert_allclose(evidence.of_opposite([crossed] * 2, labels), [1, 1 / 3, 1])


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_other_tile_is_mapped_better_than_by_baselines(data: Path) -> None:
    """Shots in one half: as good there as if the half had been adapted to, and better than rivals.

    Not as good as with shots in both halves: no classifier is, with all labels of the first half.
    """
    evidence: Any = SimpleNamespace(**runpy.run_path(str(EXAMPLE)))
    fields = load_benchmark_scene("simulated_fields", data)
    west = evidence.cross(fields, SEEDS[0], "west")
    found = evidence.of_seed(fields, SEEDS[0], west)
    _, east = found["west", "west"]
    _, adapted_to_it = found["west and east", "west"]
    _, classical = found["auto", "west"]
    _, classical_with_all_labels = found[evidence.BEST, "west"]
    west_spread, east_spread = found["west and east", "west and east"]
    with_all_labels, _ = evidence.best_classifiers(fields)
    # In the mean of several draws they are equal (docs/accuracy.md); one draw differs by two points.
    assert east > adapted_to_it - 4
    assert east > classical
    assert east > classical_with_all_labels - 1
    assert east > with_all_labels - 6
    assert min(west_spread, east_spread) > 95
    assert with_all_labels < east_spread - 2


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_lake_is_uncertain_with_one_shot_in_a_pond(data: Path, seed: int) -> None:
    """One shot of a class is too few to map a lake reliably; the map has to say so."""
    evidence: Any = SimpleNamespace(**runpy.run_path(str(EXAMPLE.with_stem("rare_class_evidence"))))
    lake = evidence.map_lake(load_benchmark_scene("samson", data), SEEDS[0], seed)
    assert lake.confidence < lake.elsewhere - 10
