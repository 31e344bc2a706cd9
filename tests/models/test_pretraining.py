"""The pre-training objective: what is hidden, what is compared, in which frequencies."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from hsi_geo.models.pretraining import Losses, MaskedReconstruction, Objective, random_mask
from hsi_geo.models.s2former import BandMap, S2FormerConfig, resample_to_axis

SMALL = S2FormerConfig(window_px=8, width=16, depth=1, heads=2)
CENTRES = np.linspace(450.0, 900.0, 12)


def bands() -> BandMap:
    return resample_to_axis(SMALL, CENTRES, np.full(12, 40.0))


def model(config: S2FormerConfig = SMALL, **objective: Any) -> MaskedReconstruction:
    torch.manual_seed(1)
    return MaskedReconstruction(config, Objective(**objective)).eval()


def window(batch: int = 2) -> tuple[Tensor, Tensor]:
    image = torch.randn(batch, 12, 8, 8, generator=torch.Generator().manual_seed(2))
    return image, torch.ones(batch, 8, 8, dtype=torch.bool)


@pytest.mark.parametrize("ratio", [0.5, 0.75, 0.9])
def test_the_share_hidden_is_exact_and_differs_by_window(ratio: float) -> None:
    hidden = random_mask(torch.ones(5, 8, 8), ratio, torch.Generator().manual_seed(0))
    assert (hidden.flatten(1).sum(dim=1) == round(64 * ratio)).all()
    assert not (hidden[0] == hidden[1]).all()
    again = random_mask(torch.ones(5, 8, 8), ratio, torch.Generator().manual_seed(0))
    assert torch.equal(hidden, again)


def features(network: MaskedReconstruction, image: Tensor, hidden: Tensor) -> Tensor:
    valid = torch.ones_like(hidden)
    tokens = network.encoder.embed(image, valid, bands())
    pixels = torch.where(hidden.flatten(1)[:, :, None], network.mask_token, tokens.pixels)
    return network.encoder.encode(tokens._replace(pixels=pixels), valid)


def test_hidden_pixels_are_hidden_from_the_spatial_branch_only() -> None:
    image, valid = window()
    hidden = random_mask(valid, 0.75, torch.Generator().manual_seed(0))
    other = torch.where(hidden[:, None], image + 5.0, image)
    alone = S2FormerConfig(window_px=8, width=16, depth=1, heads=2, cross_attention="none")
    blind = model(alone)
    assert torch.allclose(features(blind, image, hidden), features(blind, other, hidden))
    guided = model()
    moved = features(guided, image, hidden) - features(guided, other, hidden)
    assert moved.abs().max() > 1e-3


def compare(drawn: Tensor, wanted: Tensor, **objective: Any) -> Losses:
    there, hidden = torch.ones_like(wanted), torch.ones(wanted.shape[0], *wanted.shape[2:]) > 0
    return model(**objective).compare(drawn, wanted, there, hidden)


@pytest.mark.parametrize("fdc", ["none", "spatial", "spectral", "both"])
def test_a_perfect_reconstruction_costs_nothing(fdc: str) -> None:
    wanted = torch.randn(2, 220, 8, 8)
    assert compare(wanted, wanted, fdc=fdc).total == 0
    apart = compare(wanted + 0.1 * torch.randn_like(wanted), wanted, fdc=fdc)
    assert (apart.consistency > 0) == (fdc != "none")
    assert (apart.magnitude > 0) == (fdc != "none")


def test_fine_detail_costs_more_in_the_high_frequencies() -> None:
    """The same energy of error, once as a slow wave and once as a checkerboard."""
    wanted = torch.zeros(1, 220, 8, 8)
    rows, cols = torch.meshgrid(torch.arange(8), torch.arange(8), indexing="ij")
    fine = (((rows + cols) % 2) * 2.0 - 1.0).expand(1, 220, 8, 8)
    slow = torch.full_like(wanted, 1.0)
    high, low = {"fdc": "spatial"}, {"fdc": "spatial", "low_pass": True}
    assert compare(slow, wanted, **high).reconstruction == compare(fine, wanted).reconstruction
    assert compare(fine, wanted, **high).magnitude > 10 * compare(slow, wanted, **high).magnitude
    assert compare(slow, wanted, **low).magnitude > 10 * compare(fine, wanted, **low).magnitude


def test_shifting_a_window_keeps_magnitudes_but_not_coefficients() -> None:
    wanted = torch.randn(1, 220, 8, 8)
    shifted = compare(wanted.roll(3, dims=2), wanted, fdc="spatial")
    assert shifted.magnitude < 1e-5
    assert shifted.consistency > 0.05


def test_pixels_without_data_are_not_asked_for() -> None:
    image, valid = window()
    valid[:, 2:5, 3:7] = False
    hidden = random_mask(valid, 0.75, torch.Generator().manual_seed(0))
    network = model()
    wild = torch.where(valid[:, None], image, torch.tensor(1e3))
    here, there = network(image, valid, bands(), hidden), network(wild, valid, bands(), hidden)
    assert torch.allclose(here.total, there.total, rtol=1e-4)


def test_window_without_data_costs_nothing() -> None:
    image, valid = window()
    losses = model()(image, torch.zeros_like(valid), bands(), torch.ones_like(valid))
    assert losses.total == 0


@pytest.mark.parametrize("visible", [0.0, 0.5])
def test_visible_pixels_count_by_their_weight(visible: float) -> None:
    wanted = torch.zeros(1, 220, 8, 8)
    hidden = torch.zeros(1, 8, 8, dtype=torch.bool)
    hidden[:, :4] = True
    drawn = torch.zeros_like(wanted)
    drawn[:, :, 4:] = 1.0  # wrong only where it is seen
    losses = model(fdc="none", visible=visible).compare(
        drawn, wanted, torch.ones_like(wanted), hidden
    )
    assert losses.reconstruction == pytest.approx(visible / (1 + visible))


def test_it_learns() -> None:
    torch.manual_seed(0)
    network = MaskedReconstruction(SMALL, Objective())
    optimiser = torch.optim.Adam(network.parameters(), 3e-3)
    generator = torch.Generator().manual_seed(0)
    image, valid = window(8)
    image = image[:, :, :1, :1].expand(-1, -1, 8, 8)  # what is seen tells what is hidden
    losses = []
    for _ in range(60):
        total = network(image, valid, bands(), random_mask(valid, 0.75, generator)).total
        optimiser.zero_grad()
        total.backward()
        optimiser.step()
        losses.append(float(total.detach()))
    assert losses[-1] < 0.5 * losses[0]
