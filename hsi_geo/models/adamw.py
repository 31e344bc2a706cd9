"""AdamW, and what lets an optimiser of torch work without torch.compile.

Optimisers of torch import its compiler when they are made and in each step, to mark places where a compiled
program has to stop. That takes more than a second, and nothing is compiled here. The methods without these marks
are the same otherwise: they compute the same numbers.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import torch


class PlainOptimizer(torch.optim.Optimizer):
    """An optimiser whose parameters are added without an import of torch's compiler."""

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add parameters with options of their own.

        Args:
            param_group: ``params`` and options, as torch's optimisers take them.
        """
        inspect.unwrap(torch.optim.Optimizer.add_param_group)(self, param_group)


class AdamW(PlainOptimizer, torch.optim.AdamW):
    """torch's AdamW without an import of torch's compiler; the arguments are the same."""

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Update the parameters.

        Args:
            closure: Must be None; it exists for the signature of torch's optimisers.
        """
        assert closure is None
        inspect.unwrap(torch.optim.AdamW.step)(self)
