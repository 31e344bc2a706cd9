"""All windows of a stretch at once: the same as one by one, in half precision nearly so."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from hsi_geo.models import window_inference as grid_of_windows
from hsi_geo.models.bf16 import HalfAttention, half_is_faster, halved
from hsi_geo.models.classifier import Classifier
from hsi_geo.models.s2former import Attention, BandMap, S2Former, S2FormerConfig, resample_to_axis
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
def stretch(request: pytest.FixtureRequest) -> tuple[Tensor, Tensor]:
    """Values and validity; wider than high, so that rows and columns cannot be mixed up."""
    generator = torch.Generator().manual_seed(4)
    image = 2.0 + torch.randn(30, 18, 33, generator=generator)
    valid = torch.ones(18, 33, dtype=torch.bool)
    if request.param == "gaps":
        valid = torch.rand(18, 33, generator=generator) < 0.6
        valid[:8, :8] = False  # a window without any data
    return torch.where(valid, image, 0.0), valid


def outputs(network: WindowGridNetwork, stretch: tuple[Tensor, Tensor]) -> Tensor:
    """(R, Q, K, P, P) of all windows of the stretch."""
    image, valid = stretch
    rows = (valid.shape[0] - CONFIG.window_px) // network.stride_px + 1
    cols = (valid.shape[1] - CONFIG.window_px) // network.stride_px + 1
    at = torch.cartesian_prod(torch.arange(rows), torch.arange(cols))
    with torch.inference_mode():
        found = network(image, valid)(at[:, 0], at[:, 1])
    return found.view(rows, cols, *found.shape[1:])


@pytest.mark.parametrize("stride", [8, 5, 3])
def test_a_lattice_gives_what_its_windows_give(
    classifier: Classifier, bands: BandMap, stretch: tuple[Tensor, Tensor], stride: int
) -> None:
    def network(image: Tensor, valid: Tensor) -> Tensor:
        features: Tensor = classifier.backbone(image, valid, bands)
        return features

    together = outputs(WindowGridNetwork(classifier.backbone, bands, stride, CPU), stretch)
    look = each_window(network, Tiling(CONFIG.window_px, stride))(*stretch)
    for row in range(together.shape[0]):
        for col in range(together.shape[1]):
            with torch.inference_mode():
                alone = look(torch.tensor([row]), torch.tensor([col]))[0]
            top, left = row * stride, col * stride
            valid = stretch[1][top : top + 8, left : left + 8]
            torch.testing.assert_close(
                together[row, col][:, valid], alone[:, valid], atol=1e-4, rtol=1e-4
            )


def test_half_precision_changes_little(
    classifier: Classifier,
    bands: BandMap,
    stretch: tuple[Tensor, Tensor],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said = {}
    for half in (False, True):
        monkeypatch.setattr(grid_of_windows, "half_is_faster", lambda device, half=half: half)
        said[half] = outputs(WindowGridNetwork.of(classifier, bands, 5, CPU), stretch)
    assert not torch.equal(said[False], said[True])
    with_data = stretch[1].unfold(0, 8, 5).unfold(1, 8, 5).any(dim=-1).any(dim=-1)
    assert (said[False] - said[True]).abs()[with_data].max() < 0.02


@pytest.mark.parametrize("strength", [1.0, 300.0])
@pytest.mark.parametrize("hidden", [0, 5, 11])
def test_half_attention_is_attention(strength: float, hidden: int) -> None:
    """Also where likeness is beyond what exponentials hold; numbers where nothing is shown."""
    torch.manual_seed(2)
    attention = Attention(CONFIG).eval()
    with torch.no_grad():
        attention.query.weight *= strength
    tokens, context = torch.randn(3, 17, CONFIG.width), torch.randn(3, 11, CONFIG.width)
    hide = torch.zeros(3, 1, 1, 11)
    hide[1, ..., :hidden] = -1e4
    with torch.inference_mode():
        expected = attention(tokens, context, hide)
        found = HalfAttention(attention)(tokens, context, hide)
    assert found.isfinite().all()
    off = (found - expected).abs()[[0, 1, 2] if hidden < 11 else [0, 2]]
    assert off.mean() < (0.005 if strength == 1.0 else 0.05)


def test_halving_leaves_the_network_as_it_was(classifier: Classifier) -> None:
    encoder = classifier.backbone
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    copy = halved(encoder)
    assert isinstance(copy, S2Former)
    assert {p.dtype for p in copy.blocks.parameters()} == {torch.bfloat16, torch.float32}
    assert {p.dtype for p in encoder.parameters()} == {torch.float32}
    for name, value in encoder.state_dict().items():
        assert torch.equal(value, before[name])


def test_machines_without_half_precision_keep_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True}, raising=False)
    assert not half_is_faster(CPU)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True}, raising=False)
    assert half_is_faster(CPU)
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    assert not half_is_faster(CPU)
