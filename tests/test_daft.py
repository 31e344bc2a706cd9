"""Diffusion-aligned fine-tuning: the student is asked what the teacher knows of what it sees."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor

from hsi_geo.errors import HsiGeoError
from hsi_geo.io.scene import grid_of, open_scenes
from hsi_geo.io.shots import read_shots
from hsi_geo.models.classifier import Classifier, band_map
from hsi_geo.models.s2former import S2FormerConfig
from hsi_geo.progress import SilentReporter
from hsi_geo.tasks import daft as module
from hsi_geo.tasks.accuracy import Accuracy, HeldOut
from hsi_geo.tasks.daft import Lesson, Target, fine_tune
from hsi_geo.tasks.plots import Plots, cut_plots
from hsi_geo.tasks.runtime import seeded
from hsi_geo.tasks.sliding import SlidingWindow, each_window
from hsi_geo.tasks.teacher import STOPS, Teacher, learn_teacher
from hsi_geo.tiling import Tiling

Planted = Any  # defined in conftest, which tests cannot import
Recorder = Any
MakeScene = Callable[..., Planted]
Posterior = npt.NDArray[np.float32]

CPU = torch.device("cpu")
SMALL = S2FormerConfig(window_px=8, width=32, depth=1, heads=2)
TARGETS: tuple[Target, ...] = ("teacher", "shots", "ema")

#: Enough to learn the planted scene.
LONG = Lesson(steps=60, batch=12, learning_rate=5e-3)


def short(**options: Any) -> Lesson:
    return Lesson(steps=3, batch=5, **options)


def cut(planted: Planted, folder: Path, budget_px: int = 40_000, per_class: int = 4) -> Plots:
    shots = planted.shots(folder / f"{planted.path.stem}.gpkg", per_class=per_class)
    return cut_plots(
        open_scenes(planted.path),
        read_shots(shots),
        budget_px=budget_px,
        all_touched=False,
        seed=0,
        reporter=SilentReporter(),
    )


@pytest.fixture
def plots(planted: Planted, tmp_path: Path) -> Plots:
    return cut(planted, tmp_path)


def knows(*steps: Posterior) -> Teacher:
    none = np.empty(0, np.int64)
    nothing = HeldOut(none, none, none, none, np.empty(0), 0, none)
    return Teacher(steps, nothing, Accuracy.unknown("made up"), 0.0)


def everywhere(plots: Plots, *shares: float) -> Posterior:
    """The same of every pixel, none of which is unlike all shots."""
    return np.tile(np.array([*shares, 0.0], np.float32), (len(plots.labels), 1))


def fresh(classes: int = 3, seed: int = 0) -> Classifier:
    with seeded(seed):
        return Classifier(SMALL, classes)


def taught(
    plots: Plots, teacher: Teacher, lesson: Lesson, seed: int = 0, draw_seed: int | None = None
) -> Classifier:
    generator = np.random.default_rng(seed if draw_seed is None else draw_seed)
    with seeded(seed):
        return fine_tune(fresh(), plots, teacher, lesson, CPU, generator, SilentReporter())


def same(one: Classifier, other: Classifier) -> bool:
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(first, second) for first, second in pairs)


def mapped(classifier: Classifier, plots: Plots) -> npt.NDArray[np.str_]:
    """(H, W) class names of the scene."""
    bands = band_map(SMALL, plots.spectral, plots.spectral.centres_nm)

    def network(image: Tensor, valid: Tensor) -> Tensor:
        return classifier.probabilities(classifier(image, valid, bands))

    view = plots.views[0]
    sliding = SlidingWindow(
        view, Tiling(8, 4), each_window(network, Tiling(8, 4)), len(plots.classes)
    )
    probabilities, _ = sliding.block(grid_of(view).window)
    return np.array([c.name for c in plots.classes])[probabilities.argmax(axis=0)]


def agreement(classifier: Classifier, plots: Plots, planted: Planted) -> float:
    truth = np.array(["", *planted.names])[planted.truth]
    return float((mapped(classifier, plots) == truth)[planted.truth > 0].mean())


def windows(plots: Plots, teacher: Teacher, lesson: Lesson, seed: int = 0) -> Any:
    return module._Windows(plots, teacher, 8, lesson, np.random.default_rng(seed))


# What is learnt -------------------------------------------------------------------------------


@pytest.mark.parametrize("target", TARGETS)
def test_the_planted_scene_is_learnt(
    plots: Plots, planted: Planted, target: Target, recorder: Recorder
) -> None:
    teacher = learn_teacher(plots, None, CPU)
    lesson = Lesson(target, steps=60, batch=12, learning_rate=5e-3, momentum=0.8)
    with seeded(1):
        classifier = fine_tune(
            fresh(), plots, teacher, lesson, CPU, np.random.default_rng(1), recorder
        )
    assert agreement(classifier, plots, planted) > 0.9
    assert not classifier.training
    assert recorder.stages == [("adapt", step, 60) for step in range(1, 61)]


def test_plots_are_enough(planted: Planted, tmp_path: Path) -> None:
    """Of a third of the scene, in plots no larger than a window."""
    plots = cut(planted, tmp_path, 700)
    assert sum(plot.inside.sum() for plot in plots.plots) < 0.4 * planted.truth.size
    classifier = taught(plots, learn_teacher(plots, None, CPU), LONG)
    assert agreement(classifier, plots, planted) > 0.9


def test_the_teacher_is_believed_and_not_the_shots(plots: Plots, planted: Planted) -> None:
    """A teacher that takes each class for the next one."""
    teacher = learn_teacher(plots, None, CPU)
    wrong = knows(*(step[:, [2, 0, 1, 3]] for step in teacher.steps))
    found = mapped(taught(plots, wrong, LONG), plots)
    assert [c.name for c in plots.classes] == ["asphalt", "meadow", "water"]
    taken_for = np.array(["", "water", "meadow", "asphalt"])[planted.truth]
    assert (found == taken_for)[planted.truth > 0].mean() > 0.9


@pytest.mark.parametrize("target", TARGETS)
def test_only_a_target_that_is_the_teacher_hears_it(plots: Plots, target: Target) -> None:
    teachers = (knows(everywhere(plots, *shares)) for shares in ((0.2, 0.3, 0.5), (0.5, 0.1, 0.4)))
    one, other = (taught(plots, teacher, short(target=target)) for teacher in teachers)
    assert same(one, other) == (target != "teacher")


# Randomness -----------------------------------------------------------------------------------


@pytest.mark.parametrize("target", TARGETS)
def test_seeds_decide(plots: Plots, target: Target) -> None:
    """Both of them: the generator that draws windows, torch's stream that draws noise."""
    teacher, lesson = knows(everywhere(plots, 0.2, 0.3, 0.5)), short(target=target, clean=0.0)
    first = taught(plots, teacher, lesson, seed=4)
    assert same(first, taught(plots, teacher, lesson, seed=4))
    assert not same(first, taught(plots, teacher, lesson, seed=4, draw_seed=5))
    assert not same(first, taught(plots, teacher, lesson, seed=5, draw_seed=4))


@pytest.mark.parametrize(
    ("options", "drawn"),
    [({"noise": (0.0,)}, False), ({"clean": 1.0}, False), ({"clean": 0.0}, True)],
)
def test_torch_draws_nothing_but_noise(plots: Plots, options: Any, drawn: bool) -> None:
    teacher, classifier = knows(everywhere(plots, 0.2, 0.3, 0.5)), fresh()
    with seeded(3):
        before = torch.get_rng_state()
        lesson = short(**options)
        fine_tune(
            classifier, plots, teacher, lesson, CPU, np.random.default_rng(0), SilentReporter()
        )
        assert torch.equal(torch.get_rng_state(), before) != drawn


# Windows and what is asked of them ------------------------------------------------------------


@pytest.mark.parametrize(
    ("levels", "shares"),
    [((0.0, 0.25, 0.5, 1.0), (0.4, 0.3, 0.2, 0.1)), ((0.0, 0.75), (0.4, 0.1)), ((0.5,), (0.4,))],
)
def test_the_less_noise_the_later_the_posterior(
    plots: Plots, levels: tuple[float, ...], shares: tuple[float, ...]
) -> None:
    """Through no noise the last step is asked for, through the most the first."""
    steps = [everywhere(plots, share, 0.9 - share, 0.1) for share in (0.1, 0.2, 0.3, 0.4)]
    assert len(steps) == 1 + len(STOPS)
    batch = windows(plots, knows(*steps), Lesson(noise=levels, batch=200, clean=0.2)).draw()
    assert batch.image.shape == (200, 40, 8, 8)
    assert set(batch.noise.tolist()) == set(levels)
    for noise, share in zip(levels, shares, strict=True):
        found = batch.target[batch.noise == noise][:, 0]
        np.testing.assert_allclose(found[found > 0], share, rtol=1e-6)


@pytest.mark.parametrize("clean", [0.0, 0.3, 1.0])
def test_clean_is_the_share_of_windows_without_noise(plots: Plots, clean: float) -> None:
    teacher = knows(everywhere(plots, 0.2, 0.3, 0.5))
    batch = windows(plots, teacher, Lesson(batch=600, clean=clean)).draw()
    assert (batch.noise == 0).float().mean().item() == pytest.approx(clean, abs=0.06)
    if clean < 1.0:
        noisy = [(batch.noise == level).float().mean().item() for level in (0.25, 0.5, 1.0)]
        np.testing.assert_allclose(noisy, (1.0 - clean) / 3, atol=0.06)


@pytest.mark.parametrize("budget_px", [40_000, 300])
def test_what_is_asked_of_a_pixel_is_known_of_that_pixel(
    planted: Planted, tmp_path: Path, budget_px: int
) -> None:
    """However windows are laid. The teacher knows nothing but two bands of each pixel."""
    plots = cut(planted, tmp_path, budget_px)

    def known(image: Any) -> Any:
        """(2, ...) of (C, ...) values, not far from 1."""
        return image[[3, 17]] / 5000.0

    spectra = np.concatenate([plot.image[:, plot.inside] for plot in plots.plots], axis=1)
    teacher = knows(known(spectra).T.astype(np.float32))
    batch = windows(plots, teacher, Lesson(batch=300)).draw()
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
    plots = cut(make_scene(height=8, width=8, hole=False), tmp_path, per_class=2)
    teacher = knows(everywhere(plots, 0.2, 0.3, 0.5))
    batch = windows(plots, teacher, Lesson(batch=200)).draw()
    laid = {window.numpy().tobytes() for window in batch.image}
    image = plots.plots[0].image
    quarters = [np.rot90(image, quarter, (1, 2)) for quarter in range(4)]
    expected = quarters + [quarter.transpose(0, 2, 1) for quarter in quarters]
    assert laid == {np.ascontiguousarray(way).tobytes() for way in expected}
    assert len(laid) == 8


@pytest.mark.parametrize("budget_px", [40_000, 300])
def test_shots_are_asked_for_in_every_window(
    planted: Planted, tmp_path: Path, budget_px: int
) -> None:
    plots = cut(planted, tmp_path, budget_px)
    teacher = knows(everywhere(plots, 0.2, 0.3, 0.5))
    batch = windows(plots, teacher, Lesson("shots", batch=300)).draw()
    assert (batch.target.sum(dim=(1, 2, 3)) >= 1).all()
    assert set(batch.target.flatten().tolist()) == {0.0, 1.0}
    spectra = np.concatenate([plot.image[:, plot.inside] for plot in plots.plots], axis=1)
    label_of = {spectra[:, row].tobytes(): plots.labels[row] for row in range(spectra.shape[1])}
    seen = set()
    for window, label, row, col in torch.nonzero(batch.target).tolist():
        spectrum = batch.image[window, :, row, col].numpy()
        assert label_of[spectrum.tobytes()] == label
        seen.add(spectrum.tobytes())
    assert len(seen) == 12


def test_the_moving_average_sees_the_rest_as_well(plots: Plots) -> None:
    teacher = knows(everywhere(plots, 0.2, 0.3, 0.5))
    batch = windows(plots, teacher, Lesson("ema", batch=400)).draw()
    without = (batch.target.sum(dim=(1, 2, 3)) == 0).float().mean().item()
    assert 0.2 < without < 0.5


@pytest.mark.parametrize("target", TARGETS)
def test_a_scene_smaller_than_a_window(
    make_scene: MakeScene, tmp_path: Path, target: Target
) -> None:
    scene = make_scene(height=5, width=6, hole=False)
    plots = cut(scene, tmp_path, per_class=2)
    assert plots.plots[0].inside.shape == (5, 6)
    teacher = learn_teacher(plots, None, CPU)
    batch = windows(plots, teacher, Lesson(target, batch=20)).draw()
    assert (batch.valid.sum(dim=(1, 2)) == 30).all()
    if target == "teacher":
        assert ((batch.target.sum(dim=1) > 0.99) == batch.valid).all()
    lesson = Lesson(target, steps=40, batch=8, learning_rate=5e-3, momentum=0.5)
    assert agreement(taught(plots, teacher, lesson), plots, scene) > 0.7


# Through noise --------------------------------------------------------------------------------


@dataclass
class Seen:
    """What the network gets and says of a batch."""

    image: Tensor
    tokens: Tensor
    logits: Tensor


def seen(
    plots: Plots, noise: list[float], light: float, monkeypatch: pytest.MonkeyPatch
) -> tuple[Seen, Seen]:
    """A batch through noise and in another light, and as it is."""
    classifier = fresh()
    bands = band_map(SMALL, plots.spectral, plots.spectral.centres_nm)
    teacher = knows(everywhere(plots, 0.2, 0.3, 0.5))
    batch = windows(plots, teacher, Lesson(batch=len(noise))).draw()
    batch = module._Batch(batch.image, batch.valid, batch.target, torch.tensor(noise))
    images, tokens = [], []
    embed, encode = classifier.backbone.embed, classifier.backbone.encode

    def looking(image: Tensor, *rest: Any) -> Any:
        images.append(image)
        return embed(image, *rest)

    def listening(given: Any, valid: Tensor) -> Tensor:
        tokens.append(given.pixels)
        return encode(given, valid)

    monkeypatch.setattr(classifier.backbone, "embed", looking)
    monkeypatch.setattr(classifier.backbone, "encode", listening)
    with torch.no_grad(), seeded(0):
        disturbed = module._through_noise(classifier, batch, bands, light)
        plain = classifier(batch.image, batch.valid, bands)
    return Seen(images[0], tokens[0], disturbed), Seen(images[1], tokens[1], plain)


def test_clean_windows_among_noisy_ones_are_seen_as_they_are(
    plots: Plots, monkeypatch: pytest.MonkeyPatch
) -> None:
    noisy, plain = seen(plots, [0.0, 1.0, 0.0, 0.25], 0.1, monkeypatch)
    for window in (0, 2):
        assert torch.equal(noisy.image[window], plain.image[window])
        assert torch.equal(noisy.tokens[window], plain.tokens[window])
        torch.testing.assert_close(noisy.logits[window], plain.logits[window])
    for window in (1, 3):
        assert (noisy.logits[window] - plain.logits[window]).abs().mean() > 0.01


@pytest.mark.parametrize("amount", [0.25, 1.0, 3.0])
def test_noise_keeps_the_size_of_tokens(
    plots: Plots, monkeypatch: pytest.MonkeyPatch, amount: float
) -> None:
    """And leaves as much of them as it says, in each of their numbers."""
    noisy, plain = seen(plots, [amount] * 40, 0.0, monkeypatch)
    for number in range(SMALL.width):
        before, after = plain.tokens[..., number].flatten(), noisy.tokens[..., number].flatten()
        centred = after - before.mean() / np.sqrt(1 + amount**2)
        assert centred.std() == pytest.approx(before.std().item(), rel=0.1)
        left = torch.corrcoef(torch.stack([before, after]))[0, 1].item()
        assert left == pytest.approx(1 / np.sqrt(1 + amount**2), abs=0.06)


@pytest.mark.parametrize("light", [0.0, 0.1, 0.3])
def test_light_falls_on_a_window_as_a_whole(
    plots: Plots, monkeypatch: pytest.MonkeyPatch, light: float
) -> None:
    """All its values in all bands take one factor, which deviates more the more noise there is."""
    noise = [0.0] * 20 + [0.5] * 150 + [1.0] * 150
    dim, plain = seen(plots, noise, light, monkeypatch)
    there = (plain.image != 0).flatten(1)
    ratios = dim.image.flatten(1) / plain.image.flatten(1)
    factors = torch.stack([ratio[at].median() for ratio, at in zip(ratios, there, strict=True)])
    torch.testing.assert_close(dim.image, plain.image * factors[:, None, None, None])
    assert (factors[:20] == 1.0).all()
    for amount, of_these in ((0.5, factors[20:170]), (1.0, factors[170:])):
        assert of_these.mean().item() == pytest.approx(1.0, abs=0.3 * light * amount)
        assert of_these.std().item() == pytest.approx(light * amount, rel=0.2)


# The student and the one that follows it ------------------------------------------------------


def test_the_moving_average_is_what_is_learnt(plots: Plots) -> None:
    """With a momentum of 1 it stays where it was, with none it is the student."""
    teacher = knows(everywhere(plots, 0.2, 0.3, 0.5))
    for momentum in (1.0, 0.0, 0.5):
        student, start = fresh(), fresh()
        lesson = short(target="ema", momentum=momentum)
        generator = np.random.default_rng(0)
        learnt = fine_tune(student, plots, teacher, lesson, CPU, generator, SilentReporter())
        assert not learnt.training
        assert not same(student, start)
        assert same(learnt, start) == (momentum == 1.0)
        assert same(learnt, student) == (momentum == 0.0)


def test_the_student_is_held_against_its_moving_average(
    plots: Plots, monkeypatch: pytest.MonkeyPatch
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
    student, teacher = fresh(), knows(everywhere(plots, 0.2, 0.3, 0.5))
    lesson = short(target="ema", clean=0.0, weight_decay=0.0)
    fine_tune(student, plots, teacher, lesson, CPU, np.random.default_rng(0), SilentReporter())
    assert not same(student, fresh())
    assert len(asked) == lesson.steps
    share = torch.stack(asked).sum(dim=2)
    assert ((share - 1.0).abs().lt(1e-5) | (share == 0)).all()
    assert share.mean() > 0.9  # all but the hole


@pytest.mark.parametrize("target", ["teacher", "shots"])
def test_the_student_is_changed_in_place(plots: Plots, target: Target) -> None:
    student = fresh()
    before = copy.deepcopy(student)
    teacher = knows(everywhere(plots, 0.2, 0.3, 0.5))
    lesson, generator = short(target=target), np.random.default_rng(0)
    assert fine_tune(student, plots, teacher, lesson, CPU, generator, SilentReporter()) is student
    assert not same(student, before)


@pytest.mark.parametrize("steps", [1, 2, 7])
def test_any_number_of_steps(plots: Plots, steps: int) -> None:
    teacher = knows(everywhere(plots, 0.2, 0.3, 0.5))
    learnt = taught(plots, teacher, Lesson(steps=steps, batch=2))
    assert all(torch.isfinite(value).all() for value in learnt.state_dict().values())


# What goes wrong ------------------------------------------------------------------------------


def test_a_loss_that_is_no_number_stops_and_names_its_step(
    plots: Plots, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []

    def breaks(logits: Tensor, target: Tensor) -> Tensor:
        calls.append(len(calls))
        loss = distance(logits, target)
        return loss * float("nan") if len(calls) == 3 else loss

    distance = module._distance
    monkeypatch.setattr(module, "_distance", breaks)
    with pytest.raises(HsiGeoError, match="the loss of step 3 is not a number"):
        taught(plots, knows(everywhere(plots, 0.2, 0.3, 0.5)), Lesson(steps=5, batch=2))
    assert len(calls) == 3


def test_windows_where_nothing_is_asked_cost_nothing() -> None:
    logits = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    nothing = torch.zeros_like(logits)
    assert module._distance(logits, nothing) == 0.0
    target = nothing.clone()
    target[1, 2, 0, 3], target[1, 0, 1, 1] = 1.0, 1.0
    expected = -(logits.log_softmax(1)[1, 2, 0, 3] + logits.log_softmax(1)[1, 0, 1, 1]) / 2
    torch.testing.assert_close(module._distance(logits, target), expected)
