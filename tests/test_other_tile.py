"""A map of a tile that the model was not adapted to."""

from __future__ import annotations

import runpy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hsi_geo.io.benchmark_scenes import load_benchmark_scene
from hsi_geo.tasks.protocol import SEEDS

EXAMPLE = Path(__file__).parents[1] / "examples" / "other_tile_evidence.py"


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_another_tile_is_mapped_as_well_as_its_shots_allow(data: Path) -> None:
    """Shots in one half: as good there as if the half had been adapted to, and better than rivals.

    Not as good as with shots in both halves: no head is, with all labels of the first half.
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
    with_all_labels, _ = evidence.best_heads(fields)
    assert east > adapted_to_it - 2
    assert east > classical
    assert east > classical_with_all_labels - 1
    assert east > with_all_labels - 6
    assert min(west_spread, east_spread) > 95
    assert with_all_labels < east_spread - 2
