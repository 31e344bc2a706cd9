"""Random walks from single pixels, kept for the next shots: a new shot needs one more walk, not all of them again.

Letters for shapes: N pixels, n pixels from which walks start, W initial distributions.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_array

from hsi_geo.arrays import Float32Array
from hsi_geo.models.diffusion import random_walk_with_restart

#: Most walks that are kept of a graph. They take 12 bytes a pixel each.
MOST_WALKS = 128


class StoredWalks:
    """Does what `random_walk_with_restart` does; equal up to rounding errors.

    A walk from several pixels is the sum of walks from each. Those are kept. Different graphs may be used in different
    threads.

    Args:
        steps: Numbers of steps after which walks are kept.
    """

    def __init__(self, steps: Sequence[int]) -> None:
        self._steps = tuple(steps)
        # By graph the masses after each number of steps, (steps, N), by the pixel that a walk starts at.
        self._masses: dict[int, dict[int, Float32Array]] = {}
        self._graphs: dict[int, csr_array] = {}  # so that no other graph gets the same id

    def __call__(
        self, transition: csr_array, initial: Float32Array, steps: Sequence[int]
    ) -> list[Float32Array]:
        """Spread distributions by a random walk with restarts.

        Args:
            transition: (N, N) transition matrix.
            initial: (N, W) initial distributions.
            steps: Numbers of steps after which a result is returned.

        Returns:
            (N, W) distributions after each of the numbers of steps.
        """
        rows = np.flatnonzero(initial.any(axis=1)).tolist()
        if len(rows) > MOST_WALKS or not set(steps) <= set(self._steps):
            return random_walk_with_restart(transition, initial, steps)
        masses = self._walk_from(transition, rows)
        parts = initial[rows]
        return [
            np.stack([masses[row][self._steps.index(step)] for row in rows]).T @ parts
            for step in steps
        ]

    def _walk_from(self, transition: csr_array, rows: list[int]) -> dict[int, Float32Array]:
        """Masses of walks from some pixels, of which those that are not known are computed."""
        key = id(transition)
        self._graphs[key] = transition
        known = self._masses.setdefault(key, {})
        missing = [row for row in rows if row not in known]
        if len(known) + len(missing) > MOST_WALKS:
            known = self._masses[key] = {row: known[row] for row in rows if row in known}
        if missing:
            initial = np.zeros((transition.shape[0], len(missing)), np.float32)
            initial[missing, np.arange(len(missing))] = 1.0
            found = np.stack(random_walk_with_restart(transition, initial, self._steps))
            for number, row in enumerate(missing):
                known[row] = np.ascontiguousarray(found[:, :, number])
        return known
