"""How torch's threads wait for each other; imported with the package, before torch."""

from __future__ import annotations

import os
import sys

#: Whether torch was there before this package, so that its threads spin whatever is set now. OpenMP reads
#: its variables once, when torch brings it.
TORCH_CAME_FIRST = "torch" in sys.modules and "OMP_WAIT_POLICY" not in os.environ

#: What that means, for notes.
SPINNING = (
    "torch was imported before hsi_geo: its threads spin while they wait for each other, which is many "
    "times slower beside other jobs; import hsi_geo first, or set OMP_WAIT_POLICY=passive"
)


def yield_when_waiting() -> None:
    """Let torch's threads soon sleep while they wait for each other; no use once torch is imported.

    Threads that spin for long are many times slower on a busy machine, threads that never do are
    slower on an idle one, where the wait is shorter than to be woken. Whoever has set a policy
    keeps it. Processes started from here inherit it.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ["OMP_WAIT_POLICY"] = "passive"
        os.environ.setdefault("GOMP_SPINCOUNT", "1000")  # GNU's, a few microseconds
