"""Muon's steps, against their definition and torch's own."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from hsi_geo.models.muon import Muon, orthogonalize

SHAPES = st.tuples(st.integers(1, 9), st.integers(1, 9))


@given(SHAPES, st.integers(0, 99))
def test_orthogonalize_keeps_the_singular_vectors(shape: tuple[int, int], seed: int) -> None:
    """U S V' becomes U S' V' with S' near 1, unless S is almost 0."""
    generator = torch.Generator().manual_seed(seed)
    left, _ = torch.linalg.qr(torch.randn(shape[0], shape[0], generator=generator))
    right, _ = torch.linalg.qr(torch.randn(shape[1], shape[1], generator=generator))
    rank = min(shape)
    sizes = 0.05 + torch.rand(rank, generator=generator)
    matrix = left[:, :rank] * sizes @ right[:, :rank].T
    turned = left.T @ orthogonalize(matrix[None])[0] @ right
    torch.testing.assert_close(turned, _diagonal_part(turned), atol=1e-4, rtol=0.0)
    values = turned.diagonal()
    assert (values > 0.6).all()
    assert (values < 1.3).all()


def test_orthogonalize_ignores_scale_and_other_matrices_and_keeps_zeros() -> None:
    matrices = torch.randn(3, 5, 8, generator=torch.Generator().manual_seed(1))
    matrices[1] = 0.0
    found = orthogonalize(matrices)
    assert not found[1].any()
    torch.testing.assert_close(orthogonalize(1e4 * matrices), found, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(orthogonalize(matrices[2:])[0], found[2], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(orthogonalize(matrices.mT), found.mT, atol=1e-5, rtol=1e-5)


@pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="needs a torch with Muon: 2.9")
def test_muon_agrees_with_torch() -> None:
    """torch's implementation rounds to bfloat16."""
    options: dict[str, Any] = {"lr": 0.02, "weight_decay": 0.1, "momentum": 0.9}
    ours, theirs = (
        [nn.Parameter(torch.zeros(6, 4) + 0.1), nn.Parameter(torch.ones(4, 9))] for _ in "ab"
    )
    optimisers = (
        Muon(ours, **options),
        torch.optim.Muon(theirs, adjust_lr_fn="match_rms_adamw", **options),
    )
    generator = torch.Generator().manual_seed(2)
    for _ in range(4):
        gradients = [torch.randn(p.shape, generator=generator) for p in ours]
        for parameters, optimiser in zip((ours, theirs), optimisers, strict=True):
            for parameter, gradient in zip(parameters, gradients, strict=True):
                parameter.grad = gradient.clone()
            optimiser.step()
    for own, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(own, other, atol=2e-3, rtol=0.0)


def test_muon_leaves_parameters_without_gradient() -> None:
    frozen, moved = nn.Parameter(torch.ones(3, 3)), nn.Parameter(torch.ones(3, 3))
    moved.grad = torch.eye(3)
    Muon([frozen, moved], lr=0.1).step()
    assert (frozen == 1.0).all()
    assert (moved != 1.0).any()


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_muon_minimises_a_quadratic_of_any_scale(scale: float) -> None:
    matrix, target = nn.Parameter(torch.zeros(5, 3)), torch.arange(15.0).view(5, 3) / 10.0
    optimiser = Muon([matrix], lr=0.2)
    schedule = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.0, total_iters=200)
    for _ in range(200):
        optimiser.zero_grad()
        (scale * (matrix - target).square().sum()).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
    torch.testing.assert_close(matrix.detach(), target, atol=0.02, rtol=0.0)


def _diagonal_part(matrix: torch.Tensor) -> torch.Tensor:
    diagonal = torch.zeros_like(matrix)
    diagonal.diagonal().copy_(matrix.diagonal())
    return diagonal
