"""Windows of diffusion-aligned fine-tuning: how they are laid, and what is asked in them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from daft_cases import CPU, TARGETS, agreement, cut, everywhere, knows, taught, windows

from hsi_geo.tasks.adaptation import daft as module
from hsi_geo.tasks.adaptation.daft import FineTuneConfig, Target
from hsi_geo.tasks.adaptation.teacher import STOPS, learn_teacher
from hsi_geo.tasks.adaptation.training_regions import TrainingRegions

Planted = Any  # defined in conftest, which tests cannot import
MakeScene = Callable[..., Planted]


@pytest.fixture
def regions(planted: Planted, tmp_path: Path) -> TrainingRegions:
    return cut(planted, tmp_path)


@pytest.mark.parametrize(
    ("levels", "shares"),
    [((0.0, 0.25, 0.5, 1.0), (0.4, 0.3, 0.2, 0.1)), ((0.0, 0.75), (0.4, 0.1)), ((0.5,), (0.4,))],
)
def test_the_less_noise_the_later_the_posterior(
    regions: TrainingRegions, levels: tuple[float, ...], shares: tuple[float, ...]
) -> None:
    """Through no noise the last step is asked for, through the most the first."""
    steps = [everywhere(regions, share, 0.9 - share, 0.1) for share in (0.1, 0.2, 0.3, 0.4)]
    assert len(steps) == 1 + len(STOPS)
    batch = windows(
        regions, knows(*steps), FineTuneConfig(noise=levels, batch=200, clean=0.2)
    ).draw()
    assert batch.image.shape == (200, 40, 8, 8)
    assert set(batch.noise.tolist()) == set(levels)
    for noise, share in zip(levels, shares, strict=True):
        found = batch.target[batch.noise == noise][:, 0]
        np.testing.assert_allclose(found[found > 0], share, rtol=1e-6)


@pytest.mark.parametrize("clean", [0.0, 0.3, 1.0])
def test_clean_is_the_share_of_windows_without_noise(
    regions: TrainingRegions, clean: float
) -> None:
    teacher = knows(everywhere(regions, 0.2, 0.3, 0.5))
    batch = windows(regions, teacher, FineTuneConfig(batch=600, clean=clean)).draw()
    assert (batch.noise == 0).float().mean().item() == pytest.approx(clean, abs=0.06)
    if clean < 1.0:
        noisy = [(batch.noise == level).float().mean().item() for level in (0.25, 0.5, 1.0)]
        np.testing.assert_allclose(noisy, (1.0 - clean) / 3, atol=0.06)


@pytest.mark.parametrize("budget_px", [40_000, 300])
def test_what_is_asked_of_a_pixel_is_known_of_that_pixel(
    planted: Planted, tmp_path: Path, budget_px: int
) -> None:
    """However windows are laid. The teacher knows nothing but two bands of each pixel."""
    regions = cut(planted, tmp_path, budget_px)

    def known(image: Any) -> Any:
        """(2, ...) of (C, ...) values, not far from 1."""
        return image[[3, 17]] / 5000.0

    spectra = np.concatenate([region.image[:, region.inside] for region in regions.regions], axis=1)
    teacher = knows(known(spectra).T.astype(np.float32))
    batch = windows(regions, teacher, FineTuneConfig(batch=300)).draw()
    asked = batch.target.any(dim=1)
    for image, target, at in zip(batch.image, batch.target, asked, strict=True):
        np.testing.assert_allclose(target[:, at], known(image.numpy())[:, at], rtol=1e-6)
    assert not (asked & ~batch.valid).any()
    outside = (batch.valid & ~asked).float().mean().item()
    assert outside == 0.0 if budget_px > 300 else 0.1 < outside < 0.9
    corners = {
        tuple(window[:, [0, -1]][:, :, [0, -1]].flatten().tolist()) for window in batch.image
    }
    assert len(corners) > 250  # windows differ


def test_a_window_is_laid_in_all_eight_ways(make_scene: MakeScene, tmp_path: Path) -> None:
    """A scene of one window only."""
    regions = cut(make_scene(height=8, width=8, hole=False), tmp_path, per_class=2)
    teacher = knows(everywhere(regions, 0.2, 0.3, 0.5))
    batch = windows(regions, teacher, FineTuneConfig(batch=200)).draw()
    laid = {window.numpy().tobytes() for window in batch.image}
    image = regions.regions[0].image
    quarters = [np.rot90(image, quarter, (1, 2)) for quarter in range(4)]
    expected = quarters + [quarter.transpose(0, 2, 1) for quarter in quarters]
    assert laid == {np.ascontiguousarray(way).tobytes() for way in expected}
    assert len(laid) == 8


@pytest.mark.parametrize("budget_px", [40_000, 300])
def test_shots_are_asked_for_in_every_window(
    planted: Planted, tmp_path: Path, budget_px: int
) -> None:
    regions = cut(planted, tmp_path, budget_px)
    teacher = knows(everywhere(regions, 0.2, 0.3, 0.5))
    batch = windows(regions, teacher, FineTuneConfig("shots", batch=300)).draw()
    assert (batch.target.sum(dim=(1, 2, 3)) >= 1).all()
    assert set(batch.target.flatten().tolist()) == {0.0, 1.0}
    spectra = np.concatenate([region.image[:, region.inside] for region in regions.regions], axis=1)
    label_of = {spectra[:, row].tobytes(): regions.labels[row] for row in range(spectra.shape[1])}
    seen = set()
    for window, label, row, col in torch.nonzero(batch.target).tolist():
        spectrum = batch.image[window, :, row, col].numpy()
        assert label_of[spectrum.tobytes()] == label
        seen.add(spectrum.tobytes())
    assert len(seen) == 12


def test_the_moving_average_sees_the_rest_as_well(regions: TrainingRegions) -> None:
    teacher = knows(everywhere(regions, 0.2, 0.3, 0.5))
    batch = windows(regions, teacher, FineTuneConfig("ema", batch=400)).draw()
    without = (batch.target.sum(dim=(1, 2, 3)) == 0).float().mean().item()
    assert 0.2 < without < 0.5


@pytest.mark.parametrize(("share", "count"), [(0.5, 32), (0.1, 6), (1.0, 64), (0.001, 1)])
def test_a_thinned_window_holds_other_pixels_of_its_own_each_time(
    regions: TrainingRegions, share: float, count: int
) -> None:
    """Each with its values, whether it has data, what is asked of it and where it lies."""
    posterior = np.random.default_rng(2).dirichlet(np.ones(4), len(regions.labels))
    batch = windows(regions, knows(posterior.astype(np.float32)), FineTuneConfig(batch=50)).draw()
    thin = module._thinned(batch, share, np.random.default_rng(1))
    assert thin.image.shape == (50, 40, count, 1)
    assert thin.valid.shape == (50, count, 1)
    assert thin.places is not None
    for window, places in enumerate(thin.places):
        assert len(set(places.tolist())) == count
        rows, cols = places // 8, places % 8
        for some, every in zip(
            (thin.image, thin.target, thin.valid),
            (batch.image, batch.target, batch.valid),
            strict=True,
        ):
            assert torch.equal(some[window, ..., 0], every[window][..., rows, cols])
    assert torch.equal(thin.noise, batch.noise)
    drawn = {tuple(sorted(places)) for places in thin.places.tolist()}
    assert len(drawn) > 30 or share in (1.0, 0.001)


@pytest.mark.parametrize("target", TARGETS)
def test_only_the_teachers_windows_are_thinned(
    regions: TrainingRegions, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shots are too few to leave any out."""
    seen: list[int] = []

    def through(classifier: Any, batch: Any, *rest: Any) -> Any:
        seen.append(batch.valid[0].numel())
        return real(classifier, batch, *rest)

    real = module._through_noise
    monkeypatch.setattr(module, "_through_noise", through)
    taught(
        regions,
        knows(everywhere(regions, 0.2, 0.3, 0.5)),
        FineTuneConfig(target, steps=2, batch=3, shown=0.25),
    )
    assert seen == [16 if target == "teacher" else 64] * 2


@pytest.mark.parametrize("target", TARGETS)
def test_a_scene_smaller_than_a_window(
    make_scene: MakeScene, tmp_path: Path, target: Target
) -> None:
    scene = make_scene(height=5, width=6, hole=False)
    regions = cut(scene, tmp_path, per_class=2)
    assert regions.regions[0].inside.shape == (5, 6)
    teacher = learn_teacher(regions, None, CPU)
    batch = windows(regions, teacher, FineTuneConfig(target, batch=20)).draw()
    assert (batch.valid.sum(dim=(1, 2)) == 30).all()
    if target == "teacher":
        assert ((batch.target.sum(dim=1) > 0.99) == batch.valid).all()
    lesson = FineTuneConfig(target, steps=40, batch=8, momentum=0.5)
    assert agreement(taught(regions, teacher, lesson), regions, scene) > 0.7
