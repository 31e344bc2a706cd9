"""Walks that are kept are those that are computed anew."""

from __future__ import annotations

import numpy as np
import pytest

from hsi_geo.arrays import Float32Array
from hsi_geo.models.diffusion import random_walk_with_restart
from hsi_geo.models.neighbour_graph import knn_transition_matrix
from hsi_geo.tasks.adaptation import stored_walks
from hsi_geo.tasks.adaptation.stored_walks import StoredWalks

STEPS = (2, 9)


def distributions(seed: int, pixels: list[int], count: int, width: int) -> Float32Array:
    random = np.random.default_rng(seed)
    initial = np.zeros((count, width), np.float32)
    initial[pixels] = random.uniform(0.1, 1.0, (len(pixels), width))
    return initial


@pytest.fixture
def walked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Number of initial distributions of each computation."""
    calls: list[int] = []

    def counted(transition: object, initial: Float32Array, steps: object) -> object:
        calls.append(initial.shape[1])
        return random_walk_with_restart(transition, initial, steps)  # type: ignore[arg-type]

    monkeypatch.setattr(stored_walks, "random_walk_with_restart", counted)
    return calls


def test_walks_are_those_of_the_graph_and_computed_once(walked: list[int]) -> None:
    random = np.random.default_rng(1)
    graphs = [knn_transition_matrix(random.normal(size=(60, 3)).astype(np.float32)) for _ in "ab"]
    walk = StoredWalks(STEPS)
    for pixels, new in (([3, 7, 20], 3), ([3, 7, 20, 41], 1), ([7, 41], 0)):
        for graph in graphs:
            before = sum(walked)
            initial = distributions(len(pixels), pixels, 60, 2)
            found = walk(graph, initial, STEPS)
            expected = random_walk_with_restart(graph, initial, STEPS)
            for one, other in zip(found, expected, strict=True):
                np.testing.assert_allclose(one, other, atol=1e-6)
            assert sum(walked) - before == new
    (last,) = walk(graphs[0], distributions(5, [3], 60, 1), STEPS[1:])
    np.testing.assert_allclose(
        last,
        random_walk_with_restart(graphs[0], distributions(5, [3], 60, 1), STEPS)[1],
        atol=1e-6,
    )


def test_few_walks_are_kept(walked: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored_walks, "MOST_WALKS", 4)
    graph = knn_transition_matrix(np.random.default_rng(1).normal(size=(30, 2)).astype(np.float32))
    walk = StoredWalks(STEPS)
    walk(graph, distributions(1, [0, 1, 2], 30, 1), STEPS)
    walk(graph, distributions(1, [2, 3, 4], 30, 1), STEPS)  # 0 and 1 are forgotten
    assert walked == [3, 2]
    walk(graph, distributions(1, [0], 30, 1), STEPS)
    assert walked == [3, 2, 1]
    walk(graph, distributions(1, [0, 1, 2, 3, 4, 5], 30, 7), STEPS)  # too many: as a whole
    assert walked == [3, 2, 1, 7]
    walk(graph, distributions(1, [0], 30, 2), [5])  # another number of steps
    assert walked[-1] == 2
