"""Random weights of networks from a generator of their own: other jobs of the process draw from torch's global one."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

import torch
from torch import nn

#: Layers of torch draw their first weights from the global generator, so one job at a time may hold its state.
_GLOBAL_GENERATOR = Lock()


def initialised[Network: nn.Module](
    make: Callable[[], Network], generator: torch.Generator
) -> Network:
    """Make a network whose random weights come from a generator.

    The global generator has the state of this one for the milliseconds that ``make`` takes, and its own state
    afterwards. (A `TorchDispatchMode` could hand the generator to each operation, and imports ``torch._dynamo``, which
    takes a second.)

    Args:
        make: Function that makes the network on the CPU.
        generator: Generator of the CPU. After `torch.manual_seed` of its seed, ``make`` alone gives the same weights.

    Examples:
        >>> one = initialised(lambda: nn.Linear(2, 3), torch.Generator().manual_seed(5))
        >>> other = initialised(lambda: nn.Linear(2, 3), torch.Generator().manual_seed(5))
        >>> bool((one.weight == other.weight).all())
        True
    """
    with _GLOBAL_GENERATOR:
        before = torch.get_rng_state()
        torch.set_rng_state(generator.get_state())
        try:
            network = make()
            generator.set_state(torch.get_rng_state())
        finally:
            torch.set_rng_state(before)
    return network
