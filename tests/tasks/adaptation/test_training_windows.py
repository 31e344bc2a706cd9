"""Training windows: positions, orientations, noise levels and targets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from daft_cases import (
    CPU,
    SMALL,
    TARGETS,
    agreement,
    constant_posterior,
    cut,
    fine_tuned,
    new_student,
    teacher_with,
    windows,
)

from hsi_geo.models.classifier import band_map
from hsi_geo.tasks.adaptation import daft as module
from hsi_geo.tasks.adaptation.recipe import FineTuneConfig, Target
from hsi_geo.tasks.adaptation.teacher import PROPAGATION_STEPS, fit_teacher
from hsi_geo.tasks.adaptation.training_regions import TrainingRegions
from hsi_geo.tasks.adaptation.training_windows import WindowSampler, class_weights
from hsi_geo.tasks.runtime import seeded

Planted = Any  # defined in conftest, which tests cannot import
MakeScene = Callable[..., Planted]


@pytest.fixture
def regions(planted: Planted, tmp_path: Path) -> TrainingRegions:
    return cut(planted, tmp_path)


@pytest.mark.parametrize(
    ("levels", "shares"),
    [((0.0, 0.25, 0.5, 1.0), (0.4, 0.3, 0.2, 0.1)), ((0.0, 0.75), (0.4, 0.1)), ((0.5,), (0.4,))],
)
def test_sample_pairs_less_noise_with_later_posteriors(
    regions: TrainingRegions, levels: tuple[float, ...], shares: tuple[float, ...]
) -> None:
    """The first noise level has the last posterior as target, the last level the first."""
    steps = [constant_posterior(regions, share, 0.9 - share, 0.1) for share in (0.1, 0.2, 0.3, 0.4)]
    assert len(steps) == 1 + len(PROPAGATION_STEPS)
    batch = windows(
        regions,
        teacher_with(*steps),
        FineTuneConfig(
            noise=levels,
            batch=200,
            clean_fraction=0.2,
        ),
    ).sample()
    assert batch.image.shape == (200, 40, 8, 8)
    assert set(batch.noise.tolist()) == set(levels)
    for noise, share in zip(levels, shares, strict=True):
        found = batch.target[batch.noise == noise][:, 0]
        np.testing.assert_allclose(found[found > 0], share, rtol=1e-6)


@pytest.mark.parametrize("clean", [0.0, 0.3, 1.0])
def test_clean_fraction_is_the_share_of_windows_without_noise(
    regions: TrainingRegions, clean: float
) -> None:
    teacher = teacher_with(constant_posterior(regions, 0.2, 0.3, 0.5))
    batch = windows(regions, teacher, FineTuneConfig(batch=600, clean_fraction=clean)).sample()
    assert (batch.noise == 0).float().mean().item() == pytest.approx(clean, abs=0.06)
    if clean < 1.0:
        noisy = [(batch.noise == level).float().mean().item() for level in (0.25, 0.5, 1.0)]
        np.testing.assert_allclose(noisy, (1.0 - clean) / 3, atol=0.06)


@pytest.mark.parametrize("budget_px", [40_000, 300])
def test_sample_keeps_targets_with_their_pixels(
    planted: Planted, tmp_path: Path, budget_px: int
) -> None:
    """In any orientation. The teacher's posterior is two bands of each pixel."""
    regions = cut(planted, tmp_path, budget_px)

    def two_bands(image: Any) -> Any:
        """(2, ...) of (C, ...) values, not far from 1."""
        return image[[3, 17]] / 5000.0

    spectra = np.concatenate([region.image[:, region.inside] for region in regions.regions], axis=1)
    teacher = teacher_with(two_bands(spectra).T.astype(np.float32))
    batch = windows(regions, teacher, FineTuneConfig(batch=300)).sample()
    has_target = batch.target.any(dim=1)
    for image, target, at in zip(batch.image, batch.target, has_target, strict=True):
        np.testing.assert_allclose(target[:, at], two_bands(image.numpy())[:, at], rtol=1e-6)
    assert not (has_target & ~batch.valid).any()
    outside = (batch.valid & ~has_target).float().mean().item()
    assert outside == 0.0 if budget_px > 300 else 0.1 < outside < 0.9
    corners = {
        tuple(window[:, [0, -1]][:, :, [0, -1]].flatten().tolist()) for window in batch.image
    }
    assert len(corners) > 250  # windows differ


def test_sample_uses_all_eight_orientations(make_scene: MakeScene, tmp_path: Path) -> None:
    """A scene of a single window."""
    regions = cut(make_scene(height=8, width=8, hole=False), tmp_path, per_class=2)
    teacher = teacher_with(constant_posterior(regions, 0.2, 0.3, 0.5))
    batch = windows(regions, teacher, FineTuneConfig(batch=200)).sample()
    found = {window.numpy().tobytes() for window in batch.image}
    image = regions.regions[0].image
    quarters = [np.rot90(image, quarter, (1, 2)) for quarter in range(4)]
    expected = quarters + [quarter.transpose(0, 2, 1) for quarter in quarters]
    assert found == {np.ascontiguousarray(window).tobytes() for window in expected}
    assert len(found) == 8


@pytest.mark.parametrize("budget_px", [40_000, 300])
def test_target_shots_has_a_shot_in_every_window(
    planted: Planted, tmp_path: Path, budget_px: int
) -> None:
    regions = cut(planted, tmp_path, budget_px)
    teacher = teacher_with(constant_posterior(regions, 0.2, 0.3, 0.5))
    batch = windows(regions, teacher, FineTuneConfig("shots", batch=300)).sample()
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


def test_target_ema_also_samples_windows_without_shots(regions: TrainingRegions) -> None:
    teacher = teacher_with(constant_posterior(regions, 0.2, 0.3, 0.5))
    batch = windows(regions, teacher, FineTuneConfig("ema", batch=400)).sample()
    without = (batch.target.sum(dim=(1, 2, 3)) == 0).float().mean().item()
    assert 0.2 < without < 0.5


@pytest.mark.parametrize(("share", "count"), [(0.5, 32), (0.1, 6), (0.001, 1)])
def test_pixel_fraction_draws_random_pixels_of_each_window(
    regions: TrainingRegions, share: float, count: int
) -> None:
    """Each pixel keeps its values, validity, target, and position among its neighbours."""
    posterior = np.random.default_rng(2).dirichlet(np.ones(4), len(regions.labels))
    teacher = teacher_with(posterior.astype(np.float32))
    subset = windows(regions, teacher, FineTuneConfig(batch=50), pixel_fraction=share).sample()
    assert subset.image.shape == (50, 40, count, 1)
    assert subset.target.shape == (50, 4, count, 1)
    assert subset.valid.shape == (50, count, 1)
    assert subset.positions is not None
    # No two pixels are the same: their spectra tell where they are.
    (region,) = regions.regions
    places = np.argwhere(region.inside)
    row_of = {spectrum.tobytes(): i for i, spectrum in enumerate(regions.spectra.T)}
    for window, positions in enumerate(subset.positions):
        assert len(set(positions.tolist())) == count
        found = [
            (row_of[subset.image[window, :, i, 0].numpy().tobytes()], i)
            for i in range(count)
            if subset.target[window, :, i].any()
        ]
        rows, drawn = np.array(found).reshape(-1, 2).T
        target = subset.target[window, :, drawn, 0].numpy().T
        np.testing.assert_allclose(target, posterior[rows], rtol=1e-6)
        assert subset.valid[window, drawn, 0].all()
        there, within = places[rows], np.stack(np.divmod(positions[drawn].numpy(), 8), axis=1)
        # Rotation and reflection keep all distances.
        np.testing.assert_array_equal(distances(there), distances(within))
    drawn_sets = {tuple(sorted(positions)) for positions in subset.positions.tolist()}
    assert len(drawn_sets) > 30 or share == 0.001


def distances(places: Any) -> Any:
    """(n, n) squared distances of (n, 2) rows and columns."""
    return ((places[:, None] - places[None]) ** 2).sum(axis=2)


@pytest.mark.parametrize("share", [0.25, 1.0])
@pytest.mark.parametrize("parts", [1, 2, 3, 9])
def test_split_keeps_the_windows_in_their_order(
    regions: TrainingRegions, parts: int, share: float
) -> None:
    teacher = teacher_with(constant_posterior(regions, 0.2, 0.3, 0.5))
    whole = windows(regions, teacher, FineTuneConfig(batch=5), pixel_fraction=share).sample()
    split = whole.split(parts)
    assert len(split) == min(parts, 5)
    for name in ("image", "valid", "target", "noise", "positions"):
        found = [getattr(part, name) for part in split]
        if share < 1.0 or name != "positions":
            assert torch.equal(torch.cat(found), getattr(whole, name))
        else:
            assert found == [None] * len(split)


@pytest.mark.parametrize("target", TARGETS)
def test_only_the_target_teacher_subsamples_pixels(
    regions: TrainingRegions, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shots are few, so that all are used."""
    seen: list[int] = []

    def count_pixels(classifier: Any, batch: Any, *rest: Any) -> Any:
        seen.append(batch.valid[0].numel())
        return real(classifier, batch, *rest)

    real = module.forward_noisy
    monkeypatch.setattr(module, "forward_noisy", count_pixels)
    fine_tuned(
        regions,
        teacher_with(constant_posterior(regions, 0.2, 0.3, 0.5)),
        FineTuneConfig(target, steps=2, batch=3, pixel_fraction=0.25),
    )
    assert seen == [16 if target == "teacher" else 64] * 2 * module.PARTS


@pytest.mark.parametrize("target", TARGETS)
def test_sample_pads_a_scene_smaller_than_a_window(
    make_scene: MakeScene, tmp_path: Path, target: Target
) -> None:
    scene = make_scene(height=5, width=6, hole=False)
    regions = cut(scene, tmp_path, per_class=2)
    assert regions.regions[0].inside.shape == (5, 6)
    teacher = fit_teacher(regions, None, CPU)
    batch = windows(regions, teacher, FineTuneConfig(target, batch=20)).sample()
    assert (batch.valid.sum(dim=(1, 2)) == 30).all()
    if target == "teacher":
        assert ((batch.target.sum(dim=1) > 0.99) == batch.valid).all()
    config = FineTuneConfig(target, steps=40, batch=8, ema_decay=0.5)
    assert agreement(fine_tuned(regions, teacher, config), regions, scene) > 0.7


def test_a_class_of_one_pixel_is_drawn_often(make_scene: MakeScene, tmp_path: Path) -> None:
    """In a scene of a single window of 256 pixels. Its weight is 2.56: what is no draw stays in the target."""
    regions = cut(make_scene(height=16, width=16, hole=False), tmp_path, per_class=2)
    posterior = constant_posterior(regions, 1.0, 0.0, 0.0)
    posterior[37] = [0.0, 1.0, *[0.0] * (posterior.shape[1] - 2)]
    teacher = teacher_with(posterior)
    weight = class_weights(posterior)[1]
    assert weight == pytest.approx(2.56)
    for fraction in (0.125, 0.5, 1.0):
        sampler = WindowSampler(
            regions,
            teacher,
            16,
            target="teacher",
            noise=(0.0,),
            batch=2000,
            clean_fraction=1.0,
            pixel_fraction=fraction,
            generator=np.random.default_rng(0),
        )
        batch = sampler.sample()
        of_rare = batch.target[:, 1].flatten(1).sum(dim=1)
        draws = (of_rare > 0).float().mean().item()
        drawn = min(weight, 1 / fraction)
        assert draws == pytest.approx(1 - (1 - fraction) ** drawn, rel=0.12)
        assert of_rare.max().item() == pytest.approx(weight / drawn)


def test_forward_noisy_of_combinations_of_bands_is_that_of_the_bands(
    regions: TrainingRegions,
) -> None:
    """Brightness is a factor on the bands' values, also where windows consist of combinations of bands."""
    classifier = new_student()
    bands = band_map(SMALL, regions.spectral, regions.spectral.centres_nm)
    reduced = bands.reduce()
    teacher = teacher_with(constant_posterior(regions, 0.2, 0.3, 0.5))
    config = FineTuneConfig(batch=6, clean_fraction=0.0)
    of_bands = windows(regions, teacher, config).sample()
    combined = windows(regions, teacher, config, reduced=reduced).sample()
    assert combined.image.shape[1] == len(reduced.dark)
    with torch.no_grad(), seeded(0):
        expected = module.forward_noisy(classifier, of_bands, bands, 0.3)
    with torch.no_grad(), seeded(0):
        found = module.forward_noisy(classifier, combined, reduced.bands, 0.3, dark=reduced.dark)
    with torch.no_grad(), seeded(0):
        elsewhere = module.forward_noisy(classifier, combined, reduced.bands, 0.3)
    valid = of_bands.valid[:, None].expand_as(expected)
    torch.testing.assert_close(found[valid], expected[valid], rtol=1e-2, atol=1e-2)
    assert (elsewhere - expected)[valid].abs().max() > 0.05
