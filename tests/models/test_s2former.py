"""S2Former: embedding by wavelength, masking of invalid pixels, cross-attention."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from hsi_geo.models.s2former import S2Former
from hsi_geo.models.s2former_config import S2FormerConfig
from hsi_geo.models.wavelength_axis import BandMap, resample_to_axis
from hsi_geo.wavelengths import spacing

CONFIG = S2FormerConfig(window_px=6, width=32, depth=2, heads=4)

#: Numbers of blocks: a single block has both directions of the cross-attention in turn.
DEPTHS = (1, 2)


def bands_at(centres: npt.NDArray[np.float64]) -> BandMap:
    return resample_to_axis(CONFIG, centres, spacing(centres))


@pytest.fixture(params=DEPTHS)
def network(request: pytest.FixtureRequest) -> S2Former:
    torch.manual_seed(3)
    return S2Former(replace(CONFIG, depth=request.param)).eval()


def window(bands: int, height: int = 6, width: int = 5, batch: int = 2) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(bands)
    image = torch.randn(batch, bands, height, width, generator=generator)
    return image, torch.ones(batch, height, width, dtype=torch.bool)


@pytest.mark.parametrize(
    ("first", "last", "bands"), [(430, 860, 103), (400, 2500, 200), (380, 2510, 426), (500, 900, 1)]
)
def test_forward_accepts_the_bands_of_any_sensor(
    network: S2Former, first: float, last: float, bands: int
) -> None:
    image, valid = window(bands)
    features = network(image, valid, bands_at(np.linspace(first, last, bands)))
    assert features.shape == (2, CONFIG.width, 6, 5)
    assert torch.isfinite(features).all()
    assert features.std() > 0.1


@settings(max_examples=20, deadline=None)
@given(st.permutations(range(30)))
def test_forward_does_not_depend_on_the_order_of_bands(order: list[int]) -> None:
    torch.manual_seed(3)
    network = S2Former(CONFIG).eval()
    centres = np.linspace(450.0, 1300.0, 30)
    image, valid = window(30)
    sorted_bands = network(image, valid, bands_at(centres))
    permuted = network(image[:, order], valid, bands_at(centres[order]))
    assert torch.allclose(sorted_bands, permuted, atol=1e-4)


def test_resample_to_axis_interpolates_linearly_between_coarse_bands() -> None:
    centres = np.arange(400.0, 1000.0, 20.0)
    mapped = bands_at(centres)
    spectrum = torch.tensor(3.0 * centres - 100.0, dtype=torch.float32)
    slots = CONFIG.slots_nm
    inside = (slots > centres[0]) & (slots < centres[-1])
    expected = torch.tensor(3.0 * slots[inside] - 100.0, dtype=torch.float32)
    assert torch.allclose((mapped.matrix @ spectrum)[inside], expected, rtol=1e-5)


@settings(max_examples=20, deadline=None)
@given(bands=st.integers(1, 40), kept=st.integers(1, 40), seed=st.integers(0, 99))
def test_combinations_of_bands_have_the_tokens_of_the_bands(
    bands: int, kept: int, seed: int
) -> None:
    """A map after a whitening that keeps some directions needs no more combinations than it keeps."""
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(3)
    network = S2Former(CONFIG).eval()
    rank = min(bands, kept)
    whitening = torch.randn(bands, rank, generator=generator) @ torch.randn(
        rank, bands, generator=generator
    )
    centre = 3000.0 + 100.0 * torch.randn(bands, generator=generator)
    mapped = bands_at(np.linspace(450.0, 1300.0, bands)).compose(whitening, centre)
    reduced = mapped.reduce()
    assert reduced.basis.shape[0] == bands
    assert reduced.basis.shape[1] <= rank
    image, valid = window(bands)
    image = image + centre[:, None, None]
    pixels = image.movedim(1, -1)
    combined = reduced.combine(pixels.reshape(-1, bands)).reshape(*pixels.shape[:-1], -1)
    expected = network.embed(image, valid, mapped)
    found = network.embed(combined.movedim(-1, 1), valid, reduced.bands)
    scale = expected.pixels.abs().max().item()
    torch.testing.assert_close(found.pixels, expected.pixels, rtol=1e-3, atol=1e-3 * scale)
    torch.testing.assert_close(found.spectrum, expected.spectrum, rtol=1e-3, atol=1e-3 * scale)
    assert torch.equal(found.covered, expected.covered)
    black = reduced.combine(torch.zeros(1, bands))[0]
    torch.testing.assert_close(reduced.dark, black, rtol=1e-4, atol=1e-2)


def test_missing_wavelengths_differ_from_zeros(network: S2Former) -> None:
    gap = bands_at(np.r_[np.arange(400.0, 700.0, 10.0), np.arange(1000.0, 1300.0, 10.0)])
    slots = CONFIG.slots_nm
    assert not gap.present[(slots > 720) & (slots < 980)].any()
    assert gap.present[(slots > 400) & (slots < 690)].all()
    whole = bands_at(np.arange(400.0, 1300.0, 10.0))
    image, valid = window(90)
    zeroed = image.clone()
    zeroed[:, 30:60] = 0.0
    absent = network(torch.cat([image[:, :30], image[:, 60:]], dim=1), valid, gap)
    assert not torch.allclose(network(zeroed, valid, whole), absent, atol=1e-2)


def test_forward_ignores_values_of_invalid_pixels(network: S2Former) -> None:
    bands = bands_at(np.linspace(450.0, 900.0, 12))
    image, valid = window(12)
    valid[:, 1:3, 2:5] = False
    changed = image.clone()
    changed[:, :, 1:3, 2:5] = 1e4
    expected = network(image, valid, bands).movedim(1, -1)[valid]
    found = network(changed, valid, bands).movedim(1, -1)[valid]
    assert torch.allclose(found, expected, atol=1e-4)


def test_forward_is_finite_for_a_window_without_data(network: S2Former) -> None:
    image, valid = window(12)
    features = network(image, torch.zeros_like(valid), bands_at(np.linspace(450.0, 900.0, 12)))
    assert torch.isfinite(features).all()


def test_windows_of_a_batch_are_independent(network: S2Former) -> None:
    bands = bands_at(np.linspace(450.0, 900.0, 12))
    image, valid = window(12, batch=3)
    valid[1, 0, 0] = False
    batched = network(image, valid, bands)
    single = torch.cat([network(image[i : i + 1], valid[i : i + 1], bands) for i in range(3)])
    assert torch.allclose(batched, single, atol=1e-4)


def test_features_depend_on_the_rest_of_the_window(network: S2Former) -> None:
    bands = bands_at(np.linspace(450.0, 900.0, 12))
    image, valid = window(12)
    other = image.clone()
    other[:, :, 5, 4] += 3.0
    change = (network(other, valid, bands) - network(image, valid, bands)).abs()
    assert change[:, :, 0, 0].max() > 1e-3


def test_encode_with_positions_does_not_depend_on_the_order_of_pixels(
    network: S2Former,
) -> None:
    """For a window and for a part of one: positions count the rows of a whole window."""
    bands = bands_at(np.linspace(450.0, 1300.0, 30))
    generator = torch.Generator().manual_seed(5)
    for height, width in ((6, 6), (6, 5), (3, 6)):
        image, valid = window(30, height, width)
        valid[1, 2, 1:4] = False
        order = torch.stack([torch.randperm(height * width, generator=generator) for _ in range(2)])
        rows, cols = order // width, order % width
        permuted = torch.stack([one[:, r, c] for one, r, c in zip(image, rows, cols, strict=True)])
        permuted_valid = torch.stack(
            [one[r, c] for one, r, c in zip(valid, rows, cols, strict=True)]
        )
        tokens = network.embed(permuted[..., None], permuted_valid[..., None], bands)
        positions = rows * CONFIG.window_px + cols
        features = network.encode(tokens, permuted_valid[..., None], positions)[..., 0]
        whole = network(image, valid, bands)
        for one, r, c, expected in zip(features, rows, cols, whole, strict=True):
            torch.testing.assert_close(one, expected[:, r, c], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("direction", ["pixels_from_spectrum", "spectrum_from_pixels"])
def test_cross_attention_has_an_effect_in_both_directions(
    network: S2Former, direction: str
) -> None:
    bands = bands_at(np.linspace(450.0, 900.0, 12))
    image, valid = window(12)
    before = network(image, valid, bands)
    for block in network.blocks:
        if not hasattr(block, direction):  # nothing uses the spectral tokens after the last block
            continue
        out = block.get_submodule(f"{direction}.out")
        assert isinstance(out, torch.nn.Linear)
        torch.nn.init.zeros_(out.weight)
        torch.nn.init.zeros_(out.bias)
    assert (network(image, valid, bands) - before).abs().max() > 1e-3


def test_compose_equals_two_maps_in_sequence(network: S2Former) -> None:
    generator = torch.Generator().manual_seed(0)
    centres = np.linspace(450.0, 900.0, 12)
    first = torch.randn(12, 7, generator=generator, dtype=torch.float64)
    middle = torch.randn(7, generator=generator, dtype=torch.float64)
    mapped = BandMap(*(part.double() for part in bands_at(centres)))
    mapped = mapped._replace(centre=torch.ones(12, dtype=torch.float64))
    x = torch.randn(7, generator=generator, dtype=torch.float64)
    step = mapped.matrix @ (first @ (x - middle) - mapped.centre) + mapped.shift
    combined = mapped.compose(first, middle)
    assert torch.allclose(combined.matrix @ (x - combined.centre) + combined.shift, step)
