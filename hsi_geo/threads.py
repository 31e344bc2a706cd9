"""The waiting policy of torch's threads, set when the package is imported."""

from __future__ import annotations

import os
import sys

#: Whether torch was imported before this package. Its threads then spin: OpenMP reads its variables once,
#: when torch is imported.
TORCH_CAME_FIRST = "torch" in sys.modules and "OMP_WAIT_POLICY" not in os.environ

#: The note for this case.
SPINNING = (
    "torch was imported before hsi_geo: its threads spin while they wait for each other, which is many "
    "times slower beside other jobs; import hsi_geo first, or set OMP_WAIT_POLICY=passive"
)


def yield_when_waiting() -> None:
    """Let torch's threads sleep soon while they wait for each other. Has no effect after torch is imported.

    Threads that spin for long are many times slower on a busy machine. Threads that never spin are slower on
    an idle machine, where waking takes longer than the wait. A policy that is set in the environment is kept.
    Child processes inherit the policy.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ["OMP_WAIT_POLICY"] = "passive"
        os.environ.setdefault("GOMP_SPINCOUNT", "1000")  # for GNU's OpenMP: a few microseconds
