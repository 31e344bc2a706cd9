"""Diffusion-aligned fine-tuning: the student is asked what the teacher knows of what it sees."""

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
    cut,
    everywhere,
    fresh,
    knows,
    mapped,
    taught,
    windows,
)
from torch import Tensor

from hsi_geo.errors import HsiGeoError
from hsi_geo.models.classifier import Classifier, band_map
from hsi_geo.progress import SilentReporter
from hsi_geo.tasks.adaptation import daft as module
from hsi_geo.tasks.adaptation.daft import FineTuneConfig, Target, fine_tune
from hsi_geo.tasks.adaptation.teacher import learn_teacher
from hsi_geo.tasks.adaptation.training_regions import TrainingRegions
from hsi_geo.tasks.runtime import seeded

Planted = Any  # defined in conftest, which tests cannot import
Recorder = Any

#: Enough to learn the planted scene.
LONG = FineTuneConfig(steps=60, batch=12)


def short(**options: Any) -> FineTuneConfig:
    return FineTuneConfig(steps=3, batch=5, **options)


@pytest.fixture
def regions(planted: Planted, tmp_path: Path) -> TrainingRegions:
    return cut(planted, tmp_path)


def same(one: Classifier, other: Classifier) -> bool:
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(first, second) for first, second in pairs)


# What is learnt -------------------------------------------------------------------------------


@pytest.mark.parametrize("target", TARGETS)
def test_the_planted_scene_is_learnt(
    regions: TrainingRegions, planted: Planted, target: Target, recorder: Recorder
) -> None:
    teacher = learn_teacher(regions, None, CPU)
    lesson = FineTuneConfig(target, steps=60, batch=12, momentum=0.8)
    with seeded(1):
        classifier = fine_tune(
            fresh(), regions, teacher, lesson, CPU, np.random.default_rng(1), recorder
        )
    assert agreement(classifier, regions, planted) > 0.9
    assert not classifier.training
    assert recorder.stages == [("adapt", step, 60) for step in range(1, 61)]


@pytest.mark.parametrize("rare", [1, 2, 3])
def test_a_class_of_few_pixels_is_named_where_there_are_more(
    regions: TrainingRegions, planted: Planted, rare: int
) -> None:
    """A pond among the regions, lakes elsewhere: the teacher knows one pixel of the class."""
    names = np.array([c.name for c in regions.classes])
    known = planted.truth[
        regions.positions_px[:, 0].astype(int), regions.positions_px[:, 1].astype(int)
    ]
    posterior = everywhere(regions, 0.0, 0.0, 0.0)
    for number, name in enumerate(planted.names, start=1):
        posterior[known == number, np.flatnonzero(names == name)[0]] = 1.0
    few = np.flatnonzero(known == rare)
    posterior[np.delete(few, len(few) // 2)] = 0.0
    found = mapped(taught(regions, knows(posterior), LONG), regions)
    there = planted.truth == rare
    assert (found[there] == planted.names[rare - 1]).mean() > 0.9
    others = (planted.truth > 0) & ~there
    assert (found[others] != planted.names[rare - 1]).mean() > 0.9


def test_weights_of_classes() -> None:
    """Rare classes are lifted to the least share; others, absent ones and what is none are not."""
    posterior = np.zeros((2000, 5), np.float32)
    posterior[:1200, 0], posterior[1200:1990, 1] = 1.0, 1.0
    posterior[1990:1995, 3], posterior[1995:1998, 4] = 1.0, 1.0  # two pixels are not asked about
    weights = module.class_weights(posterior)
    assert weights.dtype == np.float32
    np.testing.assert_allclose(weights, [1.0, 1.0, 1.0, 0.01 * 1998 / 5, 1.0], rtol=1e-6)
    order = [3, 0, 2, 1, 4]
    np.testing.assert_array_equal(module.class_weights(posterior[:, order]), weights[order])
    np.testing.assert_array_equal(module.class_weights(np.zeros((3, 4), np.float32)), np.ones(4))


def test_plots_are_enough(planted: Planted, tmp_path: Path) -> None:
    """Of a third of the scene, in regions no larger than a window."""
    regions = cut(planted, tmp_path, 700)
    assert sum(region.inside.sum() for region in regions.regions) < 0.4 * planted.truth.size
    classifier = taught(regions, learn_teacher(regions, None, CPU), LONG)
    assert agreement(classifier, regions, planted) > 0.9


def test_the_teacher_is_believed_and_not_the_shots(
    regions: TrainingRegions, planted: Planted
) -> None:
    """A teacher that takes each class for the next one."""
    teacher = learn_teacher(regions, None, CPU)
    wrong = knows(*(step[:, [2, 0, 1, 3]] for step in teacher.steps))
    found = mapped(taught(regions, wrong, LONG), regions)
    assert [c.name for c in regions.classes] == ["asphalt", "meadow", "water"]
    taken_for = np.array(["", "water", "meadow", "asphalt"])[planted.truth]
    assert (found == taken_for)[planted.truth > 0].mean() > 0.9


@pytest.mark.parametrize("target", TARGETS)
def test_only_a_target_that_is_the_teacher_hears_it(
    regions: TrainingRegions, target: Target
) -> None:
    teachers = (
        knows(everywhere(regions, *shares)) for shares in ((0.2, 0.3, 0.5), (0.5, 0.1, 0.4))
    )
    one, other = (taught(regions, teacher, short(target=target)) for teacher in teachers)
    assert same(one, other) == (target != "teacher")


# Randomness -----------------------------------------------------------------------------------


@pytest.mark.parametrize("target", TARGETS)
def test_seeds_decide(regions: TrainingRegions, target: Target) -> None:
    """Both of them: the generator that draws windows, torch's stream that draws noise."""
    teacher, lesson = knows(everywhere(regions, 0.2, 0.3, 0.5)), short(target=target, clean=0.0)
    first = taught(regions, teacher, lesson, seed=4)
    assert same(first, taught(regions, teacher, lesson, seed=4))
    assert not same(first, taught(regions, teacher, lesson, seed=4, draw_seed=5))
    assert not same(first, taught(regions, teacher, lesson, seed=5, draw_seed=4))


@pytest.mark.parametrize(
    ("options", "drawn"),
    [({"noise": (0.0,)}, False), ({"clean": 1.0}, False), ({"clean": 0.0}, True)],
)
def test_torch_draws_nothing_but_noise(regions: TrainingRegions, options: Any, drawn: bool) -> None:
    teacher, classifier = knows(everywhere(regions, 0.2, 0.3, 0.5)), fresh()
    with seeded(3):
        before = torch.get_rng_state()
        lesson = short(**options)
        fine_tune(
            classifier, regions, teacher, lesson, CPU, np.random.default_rng(0), SilentReporter()
        )
        assert torch.equal(torch.get_rng_state(), before) != drawn


# Through noise --------------------------------------------------------------------------------


@dataclass
class Seen:
    """What the network gets and says of a batch."""

    image: Tensor
    tokens: Tensor
    logits: Tensor


def seen(
    regions: TrainingRegions, noise: list[float], light: float, monkeypatch: pytest.MonkeyPatch
) -> tuple[Seen, Seen]:
    """A batch through noise and in another light, and as it is."""
    classifier = fresh()
    bands = band_map(SMALL, regions.spectral, regions.spectral.centres_nm)
    teacher = knows(everywhere(regions, 0.2, 0.3, 0.5))
    batch = windows(regions, teacher, FineTuneConfig(batch=len(noise))).draw()
    batch = module._Batch(batch.image, batch.valid, batch.target, torch.tensor(noise))
    images, tokens = [], []
    embed, encode = classifier.backbone.embed, classifier.backbone.encode

    def looking(image: Tensor, *rest: Any) -> Any:
        images.append(image)
        return embed(image, *rest)

    def listening(given: Any, *rest: Any) -> Tensor:
        tokens.append(given.pixels)
        return encode(given, *rest)

    monkeypatch.setattr(classifier.backbone, "embed", looking)
    monkeypatch.setattr(classifier.backbone, "encode", listening)
    with torch.no_grad(), seeded(0):
        disturbed = module._through_noise(classifier, batch, bands, light)
        plain = classifier(batch.image, batch.valid, bands)
    return Seen(images[0], tokens[0], disturbed), Seen(images[1], tokens[1], plain)


def test_clean_windows_among_noisy_ones_are_seen_as_they_are(
    regions: TrainingRegions, monkeypatch: pytest.MonkeyPatch
) -> None:
    noisy, plain = seen(regions, [0.0, 1.0, 0.0, 0.25], 0.1, monkeypatch)
    for window in (0, 2):
        assert torch.equal(noisy.image[window], plain.image[window])
        assert torch.equal(noisy.tokens[window], plain.tokens[window])
        torch.testing.assert_close(noisy.logits[window], plain.logits[window])
    for window in (1, 3):
        assert (noisy.logits[window] - plain.logits[window]).abs().mean() > 0.01


@pytest.mark.parametrize("amount", [0.25, 1.0, 3.0])
def test_noise_keeps_the_size_of_tokens(
    regions: TrainingRegions, monkeypatch: pytest.MonkeyPatch, amount: float
) -> None:
    """And leaves as much of them as it says, in each of their numbers."""
    noisy, plain = seen(regions, [amount] * 40, 0.0, monkeypatch)
    for number in range(SMALL.width):
        before, after = plain.tokens[..., number].flatten(), noisy.tokens[..., number].flatten()
        centred = after - before.mean() / np.sqrt(1 + amount**2)
        assert centred.std() == pytest.approx(before.std().item(), rel=0.1)
        left = torch.corrcoef(torch.stack([before, after]))[0, 1].item()
        assert left == pytest.approx(1 / np.sqrt(1 + amount**2), abs=0.06)


@pytest.mark.parametrize("light", [0.0, 0.1, 0.3])
def test_light_falls_on_a_window_as_a_whole(
    regions: TrainingRegions, monkeypatch: pytest.MonkeyPatch, light: float
) -> None:
    """All its values in all bands take one factor, which deviates more the more noise there is."""
    noise = [0.0] * 20 + [0.5] * 150 + [1.0] * 150
    dim, plain = seen(regions, noise, light, monkeypatch)
    there = (plain.image != 0).flatten(1)
    ratios = dim.image.flatten(1) / plain.image.flatten(1)
    factors = torch.stack([ratio[at].median() for ratio, at in zip(ratios, there, strict=True)])
    torch.testing.assert_close(dim.image, plain.image * factors[:, None, None, None])
    assert (factors[:20] == 1.0).all()
    for amount, of_these in ((0.5, factors[20:170]), (1.0, factors[170:])):
        assert of_these.mean().item() == pytest.approx(1.0, abs=0.3 * light * amount)
        assert of_these.std().item() == pytest.approx(light * amount, rel=0.2)


# The student and the one that follows it ------------------------------------------------------


def test_the_moving_average_is_what_is_learnt(regions: TrainingRegions) -> None:
    """With a momentum of 1 it stays where it was, with none it is the student."""
    teacher = knows(everywhere(regions, 0.2, 0.3, 0.5))
    for momentum in (1.0, 0.0, 0.5):
        student, start = fresh(), fresh()
        lesson = short(target="ema", momentum=momentum)
        generator = np.random.default_rng(0)
        learnt = fine_tune(student, regions, teacher, lesson, CPU, generator, SilentReporter())
        assert not learnt.training
        assert not same(student, start)
        assert same(learnt, start) == (momentum == 1.0)
        assert same(learnt, student) == (momentum == 0.0)


def test_the_student_is_held_against_its_moving_average(
    regions: TrainingRegions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it says through noise, at every pixel with data; the shots are left out here."""

    def without_shots(logits: Tensor, target: Tensor) -> Tensor:
        loss = distance(logits, target)
        if set(target.flatten().tolist()) <= {0.0, 1.0}:
            return 0.0 * loss
        asked.append(target)
        return loss

    asked: list[Tensor] = []
    distance = module._distance
    monkeypatch.setattr(module, "_distance", without_shots)
    student, teacher = fresh(), knows(everywhere(regions, 0.2, 0.3, 0.5))
    lesson = short(target="ema", clean=0.0, weight_decay=0.0)
    fine_tune(student, regions, teacher, lesson, CPU, np.random.default_rng(0), SilentReporter())
    assert not same(student, fresh())
    assert len(asked) == lesson.steps
    share = torch.stack(asked).sum(dim=2)
    assert ((share - 1.0).abs().lt(1e-5) | (share == 0)).all()
    assert share.mean() > 0.9  # all but the hole


@pytest.mark.parametrize("target", ["teacher", "shots"])
def test_the_student_is_changed_in_place(regions: TrainingRegions, target: Target) -> None:
    student = fresh()
    before = copy.deepcopy(student)
    teacher = knows(everywhere(regions, 0.2, 0.3, 0.5))
    lesson, generator = short(target=target), np.random.default_rng(0)
    assert fine_tune(student, regions, teacher, lesson, CPU, generator, SilentReporter()) is student
    assert not same(student, before)


@pytest.mark.parametrize(
    ("pixels", "steps"), [(4800, 150), (21_025, 226), (24_000, 258), (40_000, 300), (1, 150)]
)
def test_a_larger_scene_takes_more_steps(pixels: int, steps: int) -> None:
    """Each pixel is seen as often, but for the smallest scenes and the largest."""
    assert FineTuneConfig().steps_for(pixels, 16) == steps
    assert FineTuneConfig(steps=7).steps_for(pixels, 16) == 7


@pytest.mark.parametrize("steps", [1, 2, 7])
def test_any_number_of_steps(regions: TrainingRegions, steps: int) -> None:
    teacher = knows(everywhere(regions, 0.2, 0.3, 0.5))
    learnt = taught(regions, teacher, FineTuneConfig(steps=steps, batch=2))
    assert all(torch.isfinite(value).all() for value in learnt.state_dict().values())


# What goes wrong ------------------------------------------------------------------------------


def test_a_loss_that_is_no_number_stops_and_names_its_step(
    regions: TrainingRegions, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []

    def breaks(logits: Tensor, target: Tensor) -> Tensor:
        calls.append(len(calls))
        loss = distance(logits, target)
        return loss * float("nan") if len(calls) == 3 else loss

    distance = module._distance
    monkeypatch.setattr(module, "_distance", breaks)
    with pytest.raises(HsiGeoError, match="the loss of step 3 is not a number"):
        taught(regions, knows(everywhere(regions, 0.2, 0.3, 0.5)), FineTuneConfig(steps=5, batch=2))
    assert len(calls) == 3


def test_windows_where_nothing_is_asked_cost_nothing() -> None:
    logits = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    nothing = torch.zeros_like(logits)
    assert module._distance(logits, nothing) == 0.0
    target = nothing.clone()
    target[1, 2, 0, 3], target[1, 0, 1, 1] = 1.0, 1.0
    expected = -(logits.log_softmax(1)[1, 2, 0, 3] + logits.log_softmax(1)[1, 0, 1, 1]) / 2
    torch.testing.assert_close(module._distance(logits, target), expected)
