"""Half precision where it is faster: products in bfloat16, everything else as it was."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hsi_geo.models.s2former import Attention, S2Former

#: Attention matrices that are filled together: few enough to stay in a core's cache.
MATRICES = 32

#: Likeness up to this, of either sign, may be raised to e as it is; less than the least that
#: comes of it counts as nothing.
SAFE, NOTHING = 60.0, 1e-30


class HalfLinear(nn.Module):
    """A linear layer whose product is taken in bfloat16; float32 goes in and comes out.

    Sums of the residual stream and norms keep their digits: only what multiplies loses some.

    Args:
        linear: The layer; not changed.
    """

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.weight = nn.Parameter(linear.weight.detach().bfloat16(), requires_grad=False)
        self.bias = nn.Parameter(linear.bias.detach().bfloat16(), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        """(..., C) to (..., D), float32."""
        return self.product(x).float()

    def product(self, x: Tensor) -> Tensor:
        """(..., C) to (..., D), bfloat16."""
        return F.linear(x.bfloat16(), self.weight, self.bias)


class HalfAttention(nn.Module):
    """`Attention` in bfloat16 from queries to mixed values; float32 goes in and comes out.

    Args:
        attention: Not changed.
    """

    def __init__(self, attention: Attention) -> None:
        super().__init__()
        self.heads = attention.heads
        self.norm, self.context_norm = attention.norm, attention.context_norm
        self.query, self.key_value = HalfLinear(attention.query), HalfLinear(attention.key_value)
        self.out = HalfLinear(attention.out)

    def forward(self, tokens: Tensor, context: Tensor, hide: Tensor | None) -> Tensor:
        """See `Attention.forward`."""
        B, T, D = tokens.shape
        split = (B, -1, self.heads, D // self.heads)
        scale = (D // self.heads) ** -0.5
        q = self.query.product(self.norm(tokens)).mul_(scale).view(split).transpose(1, 2)
        k, v = self.key_value.product(self.context_norm(context)).chunk(2, dim=-1)
        k, v = k.view(split).transpose(1, 2), v.view(split).transpose(1, 2)
        # No product can be greater than that of the longest.
        attend = _attend if _longest(q) * _longest(k) < SAFE else _attend_safely
        size = max(1, MATRICES // self.heads)  # windows that are attended to together
        biases = _split_bias(hide, B, size)
        parts = zip(*(torch.split(x, size) for x in (q, k, v)), biases, strict=True)
        seen = torch.cat([attend(*part) for part in parts])
        mixed: Tensor = self.out(seen.transpose(1, 2).reshape(B, T, D))
        return mixed


def _attend(q: Tensor, k: Tensor, v: Tensor, hide: Tensor | None) -> Tensor:
    """(b, heads, T, d) seen by scaled queries; libraries' own kernels are slower for short d.

    Softmax in place, divided by its sum only at the end: of a matrix that is written anew for each
    step, most of the time goes into memory. A query that nothing is shown to sees 0.
    """
    weights = q @ k.transpose(-1, -2)
    if hide is not None:
        weights += hide.bfloat16()
    weights.exp_()
    return (weights @ v).div_(weights.sum(dim=-1, keepdim=True).clamp_(min=NOTHING))


def _attend_safely(q: Tensor, k: Tensor, v: Tensor, hide: Tensor | None) -> Tensor:
    """The same where likeness may be of any size."""
    likeness = q @ k.transpose(-1, -2)
    if hide is not None:
        likeness += hide.bfloat16()
    return likeness.softmax(dim=-1) @ v


def _longest(vectors: Tensor) -> float:
    return float(vectors.norm(dim=-1).max())


def _split_bias(hide: Tensor | None, batch: int, size: int) -> list[Tensor | None]:
    """One part for each part of the batch; a bias of length 1 goes with all."""
    parts = -(-batch // size)
    if hide is None or len(hide) == 1:
        return [hide] * parts
    return list(torch.split(hide, size))


def halved(encoder: S2Former) -> S2Former:
    """A copy of an encoder whose blocks multiply in half precision.

    Only what attends is halved: the entry by wavelength decides over small differences.
    """
    encoder = copy.deepcopy(encoder)
    for module in list(encoder.blocks.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, Attention):
                setattr(module, name, HalfAttention(child))
            elif isinstance(child, nn.Linear):
                setattr(module, name, HalfLinear(child))
    return encoder


def half_is_faster(device: torch.device) -> bool:
    """Whether a device multiplies bfloat16 in hardware; others would emulate it."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    # Older versions of torch do not tell: float32 is never wrong.
    known: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    return any(known.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16"))
