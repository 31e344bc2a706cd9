"""The pre-training objective: masking, reconstruction, and the frequency domain constraint."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from hsi_geo.models.pretraining import Losses, MaskedReconstruction, random_mask
from hsi_geo.models.pretraining_objective import Objective
from hsi_geo.models.s2former_config import S2FormerConfig
from hsi_geo.models.wavelength_axis import BandMap, resample_to_axis

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
def test_random_mask_has_the_exact_share_and_differs_by_window(ratio: float) -> None:
    masked = random_mask(torch.ones(5, 8, 8), ratio, torch.Generator().manual_seed(0))
    assert (masked.flatten(1).sum(dim=1) == round(64 * ratio)).all()
    assert not (masked[0] == masked[1]).all()
    again = random_mask(torch.ones(5, 8, 8), ratio, torch.Generator().manual_seed(0))
    assert torch.equal(masked, again)


def features(network: MaskedReconstruction, image: Tensor, masked: Tensor) -> Tensor:
    valid = torch.ones_like(masked)
    tokens = network.encoder.embed(image, valid, bands())
    pixels = torch.where(masked.flatten(1)[:, :, None], network.mask_token, tokens.pixels)
    return network.encoder.encode(tokens._replace(pixels=pixels), valid)


def test_masked_pixels_reach_the_features_through_the_spectral_branch_only() -> None:
    image, valid = window()
    masked = random_mask(valid, 0.75, torch.Generator().manual_seed(0))
    other = torch.where(masked[:, None], image + 5.0, image)
    separate = S2FormerConfig(window_px=8, width=16, depth=1, heads=2, cross_attention="none")
    uncoupled = model(separate)
    assert torch.allclose(features(uncoupled, image, masked), features(uncoupled, other, masked))
    coupled = model()
    moved = features(coupled, image, masked) - features(coupled, other, masked)
    assert moved.abs().max() > 1e-3


def compare(prediction: Tensor, target: Tensor, **objective: Any) -> Losses:
    has_value, masked = torch.ones_like(target), torch.ones(target.shape[0], *target.shape[2:]) > 0
    return model(**objective).compare(prediction, target, has_value, masked)


@pytest.mark.parametrize("fdc", ["none", "spatial", "spectral", "both"])
def test_compare_is_zero_for_a_perfect_reconstruction(fdc: str) -> None:
    target = torch.randn(2, 220, 8, 8)
    assert compare(target, target, fdc=fdc).total == 0
    different = compare(target + 0.1 * torch.randn_like(target), target, fdc=fdc)
    assert (different.consistency > 0) == (fdc != "none")
    assert (different.magnitude > 0) == (fdc != "none")


def test_compare_weights_fine_detail_by_the_high_frequencies() -> None:
    """The same energy of error, once constant and once as a checkerboard."""
    target = torch.zeros(1, 220, 8, 8)
    rows, cols = torch.meshgrid(torch.arange(8), torch.arange(8), indexing="ij")
    fine = (((rows + cols) % 2) * 2.0 - 1.0).expand(1, 220, 8, 8)
    slow = torch.full_like(target, 1.0)
    high, low = {"fdc": "spatial"}, {"fdc": "spatial", "low_pass": True}
    assert compare(slow, target, **high).reconstruction == compare(fine, target).reconstruction
    assert compare(fine, target, **high).magnitude > 10 * compare(slow, target, **high).magnitude
    assert compare(slow, target, **low).magnitude > 10 * compare(fine, target, **low).magnitude


def test_compare_of_a_shifted_window_changes_coefficients_only() -> None:
    target = torch.randn(1, 220, 8, 8)
    shifted = compare(target.roll(3, dims=2), target, fdc="spatial")
    assert shifted.magnitude < 1e-5
    assert shifted.consistency > 0.05


def test_pixels_without_data_do_not_change_the_loss() -> None:
    image, valid = window()
    valid[:, 2:5, 3:7] = False
    masked = random_mask(valid, 0.75, torch.Generator().manual_seed(0))
    network = model()
    wild = torch.where(valid[:, None], image, torch.tensor(1e3))
    first, second = network(image, valid, bands(), masked), network(wild, valid, bands(), masked)
    assert torch.allclose(first.total, second.total, rtol=1e-4)


def test_loss_is_zero_for_a_window_without_data() -> None:
    image, valid = window()
    losses = model()(image, torch.zeros_like(valid), bands(), torch.ones_like(valid))
    assert losses.total == 0


@pytest.mark.parametrize("visible", [0.0, 0.5])
def test_compare_weights_visible_pixels(visible: float) -> None:
    target = torch.zeros(1, 220, 8, 8)
    masked = torch.zeros(1, 8, 8, dtype=torch.bool)
    masked[:, :4] = True
    prediction = torch.zeros_like(target)
    prediction[:, :, 4:] = 1.0  # wrong only where pixels are visible
    losses = model(fdc="none", visible=visible).compare(
        prediction, target, torch.ones_like(target), masked
    )
    assert losses.reconstruction == pytest.approx(visible / (1 + visible))


def test_training_lowers_the_loss() -> None:
    torch.manual_seed(0)
    network = MaskedReconstruction(SMALL, Objective())
    optimiser = torch.optim.Adam(network.parameters(), 3e-3)
    generator = torch.Generator().manual_seed(0)
    image, valid = window(8)
    image = image[:, :, :1, :1].expand(-1, -1, 8, 8)  # visible pixels determine masked ones
    losses = []
    for _ in range(60):
        total = network(image, valid, bands(), random_mask(valid, 0.75, generator)).total
        optimiser.zero_grad()
        total.backward()
        optimiser.step()
        losses.append(float(total.detach()))
    assert losses[-1] < 0.5 * losses[0]
