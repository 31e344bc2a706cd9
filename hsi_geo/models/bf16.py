"""Inference in bfloat16 where the hardware is faster at it: matrix products only, sums in float32."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hsi_geo.models.s2former import Attention, S2Former

#: Number of attention matrices that are computed together: few enough to stay in a core's cache.
CHUNK_MATRICES = 32

#: Attention logits of at most this absolute value need no shift by their maximum before exp.
MAX_SAFE_LOGIT = 60.0

#: Lower bound of a softmax denominator, below all values that logits up to `MAX_SAFE_LOGIT` can give.
MIN_DENOMINATOR = 1e-30


class BFloat16Linear(nn.Module):
    """A linear layer whose product is computed in bfloat16; input and output are float32.

    The residual stream and the norms stay in float32; only products lose digits.

    Args:
        linear: The layer to copy; it is not changed.
    """

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.weight = nn.Parameter(linear.weight.detach().bfloat16(), requires_grad=False)
        self.bias = nn.Parameter(linear.bias.detach().bfloat16(), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the layer.

        Args:
            x: (..., C) values.

        Returns:
            (..., D) values in float32.
        """
        return self.product(x).float()

    def product(self, x: Tensor) -> Tensor:
        """Apply the layer and leave the result in bfloat16.

        Args:
            x: (..., C) values.

        Returns:
            (..., D) values in bfloat16.
        """
        return F.linear(x.bfloat16(), self.weight, self.bias)


class BFloat16Attention(nn.Module):
    """`Attention` in bfloat16 from the queries to the output; input and output are float32.

    Args:
        attention: The layer to copy; it is not changed.
    """

    def __init__(self, attention: Attention) -> None:
        super().__init__()
        self.heads = attention.heads
        self.norm, self.context_norm = attention.norm, attention.context_norm
        self.query = BFloat16Linear(attention.query)
        self.key_value = BFloat16Linear(attention.key_value)
        self.out = BFloat16Linear(attention.out)

    def forward(self, tokens: Tensor, context: Tensor, attn_mask: Tensor | None) -> Tensor:
        """Attend from tokens to a context; arguments and result are those of `Attention.forward`.

        Args:
            tokens: (B, T, D) tokens that the queries are computed from.
            context: (B, M, D) tokens that the keys and values are computed from.
            attn_mask: (B or 1, 1, 1, M) additive attention mask of the context, None for no mask.

        Returns:
            (B, T, D) update of the tokens.
        """
        B, T, D = tokens.shape
        split = (B, -1, self.heads, D // self.heads)
        scale = (D // self.heads) ** -0.5
        q = self.query.product(self.norm(tokens)).mul_(scale).view(split).transpose(1, 2)
        k, v = self.key_value.product(self.context_norm(context)).chunk(2, dim=-1)
        k, v = k.view(split).transpose(1, 2), v.view(split).transpose(1, 2)
        # By Cauchy-Schwarz no logit exceeds the product of the largest norms.
        is_bounded = _max_norm(q) * _max_norm(k) < MAX_SAFE_LOGIT
        attend = _attend_bounded if is_bounded else _attend
        size = max(1, CHUNK_MATRICES // self.heads)  # windows in a chunk
        masks = _split_mask(attn_mask, B, size)
        chunks = zip(*(torch.split(x, size) for x in (q, k, v)), masks, strict=True)
        attended = torch.cat([attend(*chunk) for chunk in chunks])
        update: Tensor = self.out(attended.transpose(1, 2).reshape(B, T, D))
        return update


def _attend_bounded(q: Tensor, k: Tensor, v: Tensor, attn_mask: Tensor | None) -> Tensor:
    """(b, heads, T, d) attention for scaled queries whose logits are bounded.

    The softmax is computed in place and divided by its sum at the end, because most of the time goes
    into memory if each step writes a new matrix. The kernels of libraries are slower for short d. The
    result is 0 for a query whose keys are all masked.
    """
    weights = q @ k.transpose(-1, -2)
    if attn_mask is not None:
        weights += attn_mask.bfloat16()
    weights.exp_()
    return (weights @ v).div_(weights.sum(dim=-1, keepdim=True).clamp_(min=MIN_DENOMINATOR))


def _attend(q: Tensor, k: Tensor, v: Tensor, attn_mask: Tensor | None) -> Tensor:
    """(b, heads, T, d) attention for scaled queries whose logits may have any size."""
    logits = q @ k.transpose(-1, -2)
    if attn_mask is not None:
        logits += attn_mask.bfloat16()
    return logits.softmax(dim=-1) @ v


def _max_norm(vectors: Tensor) -> float:
    return float(vectors.norm(dim=-1).max())


def _split_mask(attn_mask: Tensor | None, batch: int, size: int) -> list[Tensor | None]:
    """One mask for each chunk of the batch; a mask of length 1 is shared by all chunks."""
    chunks = -(-batch // size)
    if attn_mask is None or len(attn_mask) == 1:
        return [attn_mask] * chunks
    return list(torch.split(attn_mask, size))


def to_bfloat16(encoder: S2Former) -> S2Former:
    """Copy an encoder, with the products of its transformer blocks in bfloat16.

    The embedding by wavelength stays in float32, because it depends on small differences.

    Args:
        encoder: The encoder to copy; it is not changed.
    """
    encoder = copy.deepcopy(encoder)
    for module in list(encoder.blocks.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, Attention):
                setattr(module, name, BFloat16Attention(child))
            elif isinstance(child, nn.Linear):
                setattr(module, name, BFloat16Linear(child))
    return encoder


def has_fast_bfloat16(device: torch.device) -> bool:
    """Whether a device multiplies bfloat16 in hardware; other devices would emulate it.

    Args:
        device: A CPU or CUDA device.
    """
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    # The processor may have more than it is let use: ATEN_CPU_CAPABILITY=avx2 makes it an ordinary one.
    if torch.backends.cpu.get_cpu_capability() == "AVX2":
        return False
    # Older versions of torch do not list capabilities: float32 is never wrong.
    capabilities: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    return any(capabilities.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16"))
