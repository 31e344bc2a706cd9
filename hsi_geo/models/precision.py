"""Half precision where it is faster: products in bfloat16, everything else as it was."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class HalfLinear(nn.Module):
    """A linear layer whose product is taken in bfloat16; float32 goes in and comes out.

    Sums of the residual stream, norms and softmax keep their digits: only what multiplies loses.

    Args:
        linear: The layer; not changed.
    """

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.weight = nn.Parameter(linear.weight.detach().bfloat16(), requires_grad=False)
        self.bias = nn.Parameter(linear.bias.detach().bfloat16(), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        """(..., C) to (..., D), float32."""
        return F.linear(x.bfloat16(), self.weight, self.bias).float()


def halved[M: nn.Module](network: M, part: str) -> M:
    """A copy of a network, of which one part's linear layers multiply in half precision."""
    network = copy.deepcopy(network)
    for module in list(network.get_submodule(part).modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.Linear):
                setattr(module, name, HalfLinear(child))
    return network


def half_is_faster(device: torch.device) -> bool:
    """Whether a device multiplies bfloat16 in hardware; others would emulate it."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    # Older versions of torch do not tell: float32 is never wrong.
    known: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    return any(known.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16"))
