"""A grid of windows gives the same outputs as single windows, and nearly the same in bfloat16."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from hsi_geo.models import window_inference as module
from hsi_geo.models.bf16 import BFloat16Attention, has_fast_bfloat16, to_bfloat16
from hsi_geo.models.classifier import Classifier
from hsi_geo.models.s2former import Attention, S2Former
from hsi_geo.models.s2former_config import S2FormerConfig
from hsi_geo.models.wavelength_axis import BandMap, resample_to_axis
from hsi_geo.models.window_inference import WindowGridNetwork
from hsi_geo.tasks.inference.sliding_window import each_window
from hsi_geo.tiling import Tiling

CONFIG = S2FormerConfig(window_px=8, width=32, depth=2, heads=2)
CPU = torch.device("cpu")


@pytest.fixture
def classifier() -> Classifier:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return Classifier(CONFIG, 5).eval()


@pytest.fixture
def bands() -> BandMap:
    return resample_to_axis(CONFIG, np.linspace(450.0, 2300.0, 30), np.full(30, 12.0))


@pytest.fixture(params=["whole", "gaps"])
def region(request: pytest.FixtureRequest) -> tuple[Tensor, Tensor]:
    """Values and validity, wider than high, so that swapped rows and columns are found."""
    generator = torch.Generator().manual_seed(4)
    image = 2.0 + torch.randn(30, 18, 33, generator=generator)
    valid = torch.ones(18, 33, dtype=torch.bool)
    if request.param == "gaps":
        valid = torch.rand(18, 33, generator=generator) < 0.6
        valid[:8, :8] = False  # a window without any data
    return torch.where(valid, image, 0.0), valid


def outputs(network: WindowGridNetwork, region: tuple[Tensor, Tensor]) -> Tensor:
    """(R, Q, K, P, P) of all windows of the region."""
    image, valid = region
    rows = (valid.shape[0] - CONFIG.window_px) // network.stride_px + 1
    cols = (valid.shape[1] - CONFIG.window_px) // network.stride_px + 1
    at = torch.cartesian_prod(torch.arange(rows), torch.arange(cols))
    with torch.inference_mode():
        found = network(image, valid)(at[:, 0], at[:, 1])
    return found.view(rows, cols, *found.shape[1:])


@pytest.mark.parametrize("stride", [8, 5, 3])
def test_window_grid_network_equals_single_windows(
    classifier: Classifier, bands: BandMap, region: tuple[Tensor, Tensor], stride: int
) -> None:
    def network(image: Tensor, valid: Tensor) -> Tensor:
        features: Tensor = classifier.backbone(image, valid, bands)
        return features

    grid_outputs = outputs(WindowGridNetwork(classifier.backbone, bands, stride, CPU), region)
    single = each_window(network, Tiling(CONFIG.window_px, stride))(*region)
    for row in range(grid_outputs.shape[0]):
        for col in range(grid_outputs.shape[1]):
            with torch.inference_mode():
                window = single(torch.tensor([row]), torch.tensor([col]))[0]
            top, left = row * stride, col * stride
            valid = region[1][top : top + 8, left : left + 8]
            torch.testing.assert_close(
                grid_outputs[row, col][:, valid], window[:, valid], atol=1e-4, rtol=1e-4
            )


def test_bfloat16_changes_probabilities_little(
    classifier: Classifier,
    bands: BandMap,
    region: tuple[Tensor, Tensor],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = {}
    for bf16 in (False, True):
        monkeypatch.setattr(module, "has_fast_bfloat16", lambda device, bf16=bf16: bf16)
        found[bf16] = outputs(WindowGridNetwork.for_classifier(classifier, bands, 5, CPU), region)
    assert not torch.equal(found[False], found[True])
    with_data = region[1].unfold(0, 8, 5).unfold(1, 8, 5).any(dim=-1).any(dim=-1)
    assert (found[False] - found[True]).abs()[with_data].max() < 0.02


@pytest.mark.parametrize("scale", [1.0, 300.0])
@pytest.mark.parametrize("masked", [0, 5, 11])
def test_bfloat16_attention_approximates_attention(scale: float, masked: int) -> None:
    """Also for logits whose exponential overflows; finite where all keys are masked."""
    torch.manual_seed(2)
    attention = Attention(CONFIG).eval()
    with torch.no_grad():
        attention.query.weight *= scale
    tokens, context = torch.randn(3, 17, CONFIG.width), torch.randn(3, 11, CONFIG.width)
    attn_mask = torch.zeros(3, 1, 1, 11)
    attn_mask[1, ..., :masked] = -1e4
    with torch.inference_mode():
        expected = attention(tokens, context, attn_mask)
        found = BFloat16Attention(attention)(tokens, context, attn_mask)
    assert found.isfinite().all()
    error = (found - expected).abs()[[0, 1, 2] if masked < 11 else [0, 2]]
    assert error.mean() < (0.005 if scale == 1.0 else 0.05)


def test_to_bfloat16_does_not_change_the_encoder(classifier: Classifier) -> None:
    encoder = classifier.backbone
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    copy = to_bfloat16(encoder)
    assert isinstance(copy, S2Former)
    assert {p.dtype for p in copy.blocks.parameters()} == {torch.bfloat16, torch.float32}
    assert {p.dtype for p in encoder.parameters()} == {torch.float32}
    for name, value in encoder.state_dict().items():
        assert torch.equal(value, before[name])


def test_has_fast_bfloat16_is_false_without_hardware(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True}, raising=False)
    assert not has_fast_bfloat16(CPU)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True}, raising=False)
    assert has_fast_bfloat16(CPU)
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    assert not has_fast_bfloat16(CPU)
