"""Diffusion-aligned fine-tuning: the student learns the teacher's posteriors."""

from __future__ import annotations

import copy
from dataclasses import dataclass
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
    mapped,
    new_student,
    teacher_with,
    windows,
)
from torch import Tensor

from hsi_geo import stages
from hsi_geo.errors import HsiGeoError
from hsi_geo.models.classifier import Classifier, band_map
from hsi_geo.progress import SilentReporter
from hsi_geo.tasks.adaptation import daft as module
from hsi_geo.tasks.adaptation.daft import fine_tune
from hsi_geo.tasks.adaptation.recipe import FineTuneConfig, Target
from hsi_geo.tasks.adaptation.teacher import fit_teacher
from hsi_geo.tasks.adaptation.training_regions import TrainingRegions
from hsi_geo.tasks.adaptation.training_windows import Batch, class_weights
from hsi_geo.tasks.runtime import seeded

Planted = Any  # defined in conftest, which tests cannot import
Recorder = Any

#: Enough to learn the planted scene.
LONG = FineTuneConfig(steps=60)


def short(**options: Any) -> FineTuneConfig:
    return FineTuneConfig(steps=3, batch=5, **options)


@pytest.fixture
def regions(planted: Planted, tmp_path: Path) -> TrainingRegions:
    return cut(planted, tmp_path)


def same(one: Classifier, other: Classifier) -> bool:
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(first, second) for first, second in pairs)


# Accuracy -------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", TARGETS)
def test_fine_tune_learns_the_planted_scene(
    regions: TrainingRegions, planted: Planted, target: Target, recorder: Recorder
) -> None:
    teacher = fit_teacher(regions, None, CPU)
    config = FineTuneConfig(target, steps=60, batch=12, ema_decay=0.8)
    with seeded(1):
        classifier = fine_tune(
            new_student(), regions, teacher, config, CPU, np.random.default_rng(1), recorder
        )
    assert agreement(classifier, regions, planted) > 0.9
    assert not classifier.training
    assert recorder.stages == [(stages.TRAINING, step, 60) for step in range(1, 61)]


@pytest.mark.parametrize("rare", [1, 2, 3])
def test_fine_tune_learns_a_class_of_one_pixel(
    regions: TrainingRegions, planted: Planted, rare: int
) -> None:
    """The teacher has one pixel of the class; the rest of its area must be mapped too."""
    names = np.array([c.name for c in regions.classes])
    known = planted.truth[
        regions.positions_px[:, 0].astype(int), regions.positions_px[:, 1].astype(int)
    ]
    posterior = constant_posterior(regions, 0.0, 0.0, 0.0)
    for number, name in enumerate(planted.names, start=1):
        posterior[known == number, np.flatnonzero(names == name)[0]] = 1.0
    few = np.flatnonzero(known == rare)
    posterior[np.delete(few, len(few) // 2)] = 0.0
    found = mapped(fine_tuned(regions, teacher_with(posterior), LONG), regions)
    there = planted.truth == rare
    assert (found[there] == planted.names[rare - 1]).mean() > 0.9
    others = (planted.truth > 0) & ~there
    assert (found[others] != planted.names[rare - 1]).mean() > 0.9


def test_class_weights_raises_rare_classes_only() -> None:
    """Rare classes are raised to the least share; others, absent ones and "unlike any shot" are not."""
    posterior = np.zeros((2000, 5), np.float32)
    posterior[:1200, 0], posterior[1200:1990, 1] = 1.0, 1.0
    posterior[1990:1995, 3], posterior[1995:1998, 4] = 1.0, 1.0  # two pixels have no target
    weights = class_weights(posterior)
    assert weights.dtype == np.float32
    np.testing.assert_allclose(weights, [1.0, 1.0, 1.0, 0.01 * 1998 / 5, 1.0], rtol=1e-6)
    order = [3, 0, 2, 1, 4]
    np.testing.assert_array_equal(class_weights(posterior[:, order]), weights[order])
    np.testing.assert_array_equal(class_weights(np.zeros((3, 4), np.float32)), np.ones(4))


@pytest.mark.slow
def test_fine_tune_works_with_small_regions(planted: Planted, tmp_path: Path) -> None:
    """A third of the scene, in regions no larger than a window."""
    regions = cut(planted, tmp_path, 700)
    assert sum(region.inside.sum() for region in regions.regions) < 0.4 * planted.truth.size
    classifier = fine_tuned(regions, fit_teacher(regions, None, CPU), LONG)
    assert agreement(classifier, regions, planted) > 0.9


def test_fine_tune_follows_the_teacher_and_not_the_shots(
    regions: TrainingRegions, planted: Planted
) -> None:
    """The teacher confuses each class with the next one."""
    teacher = fit_teacher(regions, None, CPU)
    wrong = teacher_with(*(step[:, [2, 0, 1, 3]] for step in teacher.steps))
    found = mapped(fine_tuned(regions, wrong, LONG), regions)
    assert [c.name for c in regions.classes] == ["asphalt", "meadow", "water"]
    expected = np.array(["", "water", "meadow", "asphalt"])[planted.truth]
    assert (found == expected)[planted.truth > 0].mean() > 0.9


@pytest.mark.parametrize("target", TARGETS)
def test_only_the_target_teacher_uses_the_teacher(regions: TrainingRegions, target: Target) -> None:
    teachers = (
        teacher_with(constant_posterior(regions, *shares))
        for shares in ((0.2, 0.3, 0.5), (0.5, 0.1, 0.4))
    )
    one, other = (fine_tuned(regions, teacher, short(target=target)) for teacher in teachers)
    assert same(one, other) == (target != "teacher")


# Randomness -----------------------------------------------------------------------------------


@pytest.mark.parametrize("target", TARGETS)
def test_fine_tune_is_reproducible_by_its_seeds(regions: TrainingRegions, target: Target) -> None:
    """Two generators: one draws windows, torch's global one draws noise."""
    teacher, config = (
        teacher_with(constant_posterior(regions, 0.2, 0.3, 0.5)),
        short(target=target, clean_fraction=0.0),
    )
    first = fine_tuned(regions, teacher, config, seed=4)
    assert same(first, fine_tuned(regions, teacher, config, seed=4))
    assert not same(first, fine_tuned(regions, teacher, config, seed=4, draw_seed=5))
    assert not same(first, fine_tuned(regions, teacher, config, seed=5, draw_seed=4))


@pytest.mark.parametrize(
    ("options", "drawn"),
    [({"noise": (0.0,)}, False), ({"clean_fraction": 1.0}, False), ({"clean_fraction": 0.0}, True)],
)
def test_torch_seed_has_an_effect_on_noise_only(
    regions: TrainingRegions, options: Any, drawn: bool
) -> None:
    teacher, config = teacher_with(constant_posterior(regions, 0.2, 0.3, 0.5)), short(**options)
    students = [new_student() for _ in range(2)]
    for seed, student in enumerate(students):
        with seeded(seed):
            fine_tune(
                student, regions, teacher, config, CPU, np.random.default_rng(0), SilentReporter()
            )
    assert same(*students) != drawn


@pytest.mark.parametrize("threads", [1, 4])
def test_fine_tune_does_not_depend_on_the_number_of_threads(
    regions: TrainingRegions, threads: int
) -> None:
    teacher, config = teacher_with(constant_posterior(regions, 0.2, 0.3, 0.5)), short()
    first = fine_tuned(regions, teacher, config, seed=4)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        assert same(first, fine_tuned(regions, teacher, config, seed=4))
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)


# Noise ----------------------------------------------------------------------------------------


@dataclass
class Pass:
    """Input, tokens and logits of one forward pass."""

    image: Tensor
    tokens: Tensor
    logits: Tensor


def noisy_and_plain(
    regions: TrainingRegions, noise: list[float], jitter: float, monkeypatch: pytest.MonkeyPatch
) -> tuple[Pass, Pass]:
    """A forward pass with noise and another brightness, and one without."""
    classifier = new_student()
    bands = band_map(SMALL, regions.spectral, regions.spectral.centres_nm)
    teacher = teacher_with(constant_posterior(regions, 0.2, 0.3, 0.5))
    batch = windows(regions, teacher, FineTuneConfig(batch=len(noise))).sample()
    batch = Batch(batch.image, batch.valid, batch.target, torch.tensor(noise))
    images, tokens = [], []
    embed, encode = classifier.backbone.embed, classifier.backbone.encode

    def record_embed(image: Tensor, *rest: Any) -> Any:
        images.append(image)
        return embed(image, *rest)

    def record_encode(embedded: Any, *rest: Any) -> Tensor:
        tokens.append(embedded.pixels)
        return encode(embedded, *rest)

    monkeypatch.setattr(classifier.backbone, "embed", record_embed)
    monkeypatch.setattr(classifier.backbone, "encode", record_encode)
    with torch.no_grad(), seeded(0):
        noisy = module.forward_noisy(classifier, batch, bands, jitter)
        plain = classifier(batch.image, batch.valid, bands)
    return Pass(images[0], tokens[0], noisy), Pass(images[1], tokens[1], plain)


def test_forward_noisy_does_not_change_clean_windows(
    regions: TrainingRegions, monkeypatch: pytest.MonkeyPatch
) -> None:
    noisy, plain = noisy_and_plain(regions, [0.0, 1.0, 0.0, 0.25], 0.1, monkeypatch)
    for window in (0, 2):
        assert torch.equal(noisy.image[window], plain.image[window])
        assert torch.equal(noisy.tokens[window], plain.tokens[window])
        torch.testing.assert_close(noisy.logits[window], plain.logits[window])
    for window in (1, 3):
        assert (noisy.logits[window] - plain.logits[window]).abs().mean() > 0.01


@pytest.mark.parametrize("amount", [0.25, 1.0, 3.0])
def test_forward_noisy_keeps_the_variance_of_tokens(
    regions: TrainingRegions, monkeypatch: pytest.MonkeyPatch, amount: float
) -> None:
    """The correlation with the tokens is 1 / sqrt(1 + s^2) in each feature."""
    noisy, plain = noisy_and_plain(regions, [amount] * 40, 0.0, monkeypatch)
    for number in range(SMALL.width):
        before, after = plain.tokens[..., number].flatten(), noisy.tokens[..., number].flatten()
        centred = after - before.mean() / np.sqrt(1 + amount**2)
        assert centred.std() == pytest.approx(before.std().item(), rel=0.1)
        correlation = torch.corrcoef(torch.stack([before, after]))[0, 1].item()
        assert correlation == pytest.approx(1 / np.sqrt(1 + amount**2), abs=0.06)


@pytest.mark.parametrize("jitter", [0.0, 0.1, 0.3])
def test_forward_noisy_multiplies_a_window_by_one_factor(
    regions: TrainingRegions, monkeypatch: pytest.MonkeyPatch, jitter: float
) -> None:
    """All values of a window have the same factor, whose deviation grows with the noise level."""
    noise = [0.0] * 20 + [0.5] * 150 + [1.0] * 150
    changed, plain = noisy_and_plain(regions, noise, jitter, monkeypatch)
    has_data = (plain.image != 0).flatten(1)
    ratios = changed.image.flatten(1) / plain.image.flatten(1)
    factors = torch.stack([ratio[at].median() for ratio, at in zip(ratios, has_data, strict=True)])
    torch.testing.assert_close(changed.image, plain.image * factors[:, None, None, None])
    assert (factors[:20] == 1.0).all()
    for amount, of_these in ((0.5, factors[20:170]), (1.0, factors[170:])):
        assert of_these.mean().item() == pytest.approx(1.0, abs=0.3 * jitter * amount)
        assert of_these.std().item() == pytest.approx(jitter * amount, rel=0.2)


# Moving average and number of steps -----------------------------------------------------------


def test_target_ema_returns_the_moving_average(regions: TrainingRegions) -> None:
    """With a decay of 1 it keeps its start, with a decay of 0 it is the student."""
    teacher = teacher_with(constant_posterior(regions, 0.2, 0.3, 0.5))
    for decay in (1.0, 0.0, 0.5):
        student, start = new_student(), new_student()
        config = short(target="ema", ema_decay=decay)
        generator = np.random.default_rng(0)
        learnt = fine_tune(student, regions, teacher, config, CPU, generator, SilentReporter())
        assert not learnt.training
        assert not same(student, start)
        assert same(learnt, start) == (decay == 1.0)
        assert same(learnt, student) == (decay == 0.0)


def test_moving_average_equals_interpolation_of_the_weights_exactly() -> None:
    student = new_student()
    ema = module._moving_average(student, 0.97)
    expected = [parameter.detach().clone() for parameter in student.parameters()]
    generator = torch.Generator().manual_seed(3)
    for _ in range(4):
        for parameter, average in zip(student.parameters(), expected, strict=True):
            with torch.no_grad():
                parameter.add_(torch.randn(parameter.shape, generator=generator))
                average.lerp_(parameter, 1.0 - 0.97)
        ema.update_parameters(student)
    for found, average in zip(ema.module.parameters(), expected, strict=True):
        assert torch.equal(found, average)


def test_target_ema_compares_the_student_with_its_average(
    regions: TrainingRegions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Noisy predictions, at every pixel with data; the loss of the shots is left out here."""

    def without_shots(logits: Tensor, target: Tensor) -> Tensor:
        loss = cross_entropy(logits, target)
        if set(target.flatten().tolist()) <= {0.0, 1.0}:
            return 0.0 * loss
        targets.append(target)
        return loss

    targets: list[Tensor] = []
    cross_entropy = module.soft_cross_entropy
    monkeypatch.setattr(module, "soft_cross_entropy", without_shots)
    student, teacher = new_student(), teacher_with(constant_posterior(regions, 0.2, 0.3, 0.5))
    config = short(target="ema", clean_fraction=0.0, weight_decay=0.0)
    fine_tune(student, regions, teacher, config, CPU, np.random.default_rng(0), SilentReporter())
    assert not same(student, new_student())
    assert len(targets) == (config.steps or 0) * module.PARTS
    share = torch.cat(targets).sum(dim=1)
    assert ((share - 1.0).abs().lt(1e-5) | (share == 0)).all()
    assert share.mean() > 0.9  # all but the hole


@pytest.mark.parametrize("target", ["teacher", "shots"])
def test_fine_tune_changes_the_student_in_place(regions: TrainingRegions, target: Target) -> None:
    student = new_student()
    before = copy.deepcopy(student)
    teacher = teacher_with(constant_posterior(regions, 0.2, 0.3, 0.5))
    config, generator = short(target=target), np.random.default_rng(0)
    assert fine_tune(student, regions, teacher, config, CPU, generator, SilentReporter()) is student
    assert not same(student, before)


@pytest.mark.parametrize(
    ("pixels", "steps"), [(4800, 75), (21_025, 164), (24_000, 188), (40_000, 300), (1, 75)]
)
def test_steps_for_grows_with_the_scene_within_bounds(pixels: int, steps: int) -> None:
    """Each pixel is used equally often, except in very small and very large scenes."""
    assert FineTuneConfig().steps_for(pixels, 16) == steps
    assert FineTuneConfig(steps=7).steps_for(pixels, 16) == 7


@pytest.mark.parametrize("steps", [1, 2, 7])
def test_fine_tune_accepts_any_number_of_steps(regions: TrainingRegions, steps: int) -> None:
    teacher = teacher_with(constant_posterior(regions, 0.2, 0.3, 0.5))
    learnt = fine_tuned(regions, teacher, FineTuneConfig(steps=steps, batch=2))
    assert all(torch.isfinite(value).all() for value in learnt.state_dict().values())


# Errors ---------------------------------------------------------------------------------------


def test_fine_tune_raises_for_a_loss_that_is_nan(
    regions: TrainingRegions, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []

    def nan_in_the_third_step(logits: Tensor, target: Tensor) -> Tensor:
        calls.append(len(calls))
        loss = cross_entropy(logits, target)
        return loss * float("nan") if len(calls) > 2 * module.PARTS else loss

    cross_entropy = module.soft_cross_entropy
    monkeypatch.setattr(module, "soft_cross_entropy", nan_in_the_third_step)
    with pytest.raises(HsiGeoError, match="the loss of step 3 is not a number"):
        fine_tuned(
            regions,
            teacher_with(constant_posterior(regions, 0.2, 0.3, 0.5)),
            FineTuneConfig(steps=5, batch=2),
        )
    assert len(calls) == 3 * module.PARTS


def test_soft_cross_entropy_ignores_pixels_without_target() -> None:
    logits = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    nothing = torch.zeros_like(logits)
    assert module.soft_cross_entropy(logits, nothing) == 0.0
    target = nothing.clone()
    target[1, 2, 0, 3], target[1, 0, 1, 1] = 1.0, 1.0
    expected = -(logits.log_softmax(1)[1, 2, 0, 3] + logits.log_softmax(1)[1, 0, 1, 1]) / 2
    torch.testing.assert_close(module.soft_cross_entropy(logits, target), expected)
