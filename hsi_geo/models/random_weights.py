"""Random weights of networks from a generator of their own: other threads may draw from torch's global one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

_RANDN = torch.ops.aten.randn


def initialised[Network: nn.Module](
    make: Callable[[], Network], generator: torch.Generator
) -> Network:
    """Make a network whose random weights come from a generator.

    Args:
        make: Function that makes the network on the CPU.
        generator: Generator of the CPU. After `torch.manual_seed` of its seed, ``make`` alone gives the same weights.

    Examples:
        >>> one = initialised(lambda: nn.Linear(2, 3), torch.Generator().manual_seed(5))
        >>> other = initialised(lambda: nn.Linear(2, 3), torch.Generator().manual_seed(5))
        >>> bool((one.weight == other.weight).all())
        True
    """
    with _DrawFrom(generator):
        return make()


class _DrawFrom(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Gives a generator to each operation of this thread that draws from torch's global one."""

    def __init__(self, generator: torch.Generator) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.generator = generator

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        if func is _RANDN.default:
            func = _RANDN.generator
        takes = any(argument.name == "generator" for argument in func._schema.arguments)
        if takes and kwargs.get("generator") is None:
            kwargs["generator"] = self.generator
        return func(*args, **kwargs)
