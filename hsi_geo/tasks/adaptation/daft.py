"""Diffusion-aligned fine-tuning: a student network learns along its teacher's trajectory.

The teacher's posterior evolves by diffusion (`teacher`); the student sees the scene through noise
that falls while the posterior evolves: what it can say through much noise is held against an early
posterior, what it says of clean pixels against the last one. That a teacher and a student are
aligned along a diffusion's trajectory is all that the abstract of arXiv 2601.18088 tells; the rest
is our reading of it. The other ways to learn from shots are here for comparison: docs/ablations.md
tells which ways were compared. Most numbers were chosen by trials or are usual values.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hsi_geo.errors import HsiGeoError
from hsi_geo.models.augmentation import Dihedral
from hsi_geo.models.classifier import Classifier, band_map
from hsi_geo.models.muon import Muon
from hsi_geo.models.wavelength_axis import BandMap
from hsi_geo.progress import Reporter
from hsi_geo.tasks.adaptation.teacher import Teacher
from hsi_geo.tasks.adaptation.training_regions import TrainingRegions

Target = Literal["teacher", "shots", "ema"]

#: How often a pixel is seen unless steps are told, and the fewest and most steps of that: a small scene is soon
#: learnt by heart, with its teacher's errors; of a large one more brings little.
PASSES, FEWEST, MOST = 22, 150, 300

#: What a class counts for at least, as a share of all pixels: a pond's few pixels must be learnt, for on
#: other tiles there may be lakes.
LEAST_SHARE = 0.01


@dataclass(frozen=True, slots=True)
class FineTuneConfig:
    """How the network is fine-tuned.

    Attributes:
        target: What it is held against: the "teacher", the "shots" alone, or the shots and the
            moving average of itself ("ema", mean teacher).
        steps: Updates; None for as many as the regions' pixels ask for.
        batch: Windows in an update.
        shown: Share of a window's pixels, drawn anew each time, that an update is made from where the
            target is the teacher: neighbours tell much the same, so that half of them teach as much
            in half the time. Of shots, which are few, none is left out.
        learning_rate: Of the backbone's matrices, by Muon. This is its peak; all rates rise for a
            seventh of the steps, then fall.
        other_rate: Of what else the backbone has, by AdamW.
        head_rate: Of the head, by AdamW.
        weight_decay: Of the backbone's matrices and of the head.
        noise: Standard deviations of the noise on pixel tokens, in units of their own, by level:
            the first goes with the teacher's last posterior, the last with its first.
        light: Standard deviation of the factor on a window's values, at noise 1: on other tiles
            the same ground lies in another light.
        clean: Share of windows that are seen without noise.
        momentum: Of the moving average.
    """

    target: Target = "teacher"
    steps: int | None = None
    batch: int = 16
    shown: float = 0.5
    learning_rate: float = 2e-2
    other_rate: float = 4e-3
    head_rate: float = 1.2e-2
    weight_decay: float = 0.01
    noise: tuple[float, ...] = (0.0, 0.25, 0.5, 1.0)
    light: float = 0.1
    clean: float = 0.5
    momentum: float = 0.99

    def steps_for(self, pixels: int, window_px: int) -> int:
        """How many updates there are.

        Args:
            pixels: Of the regions, that are asked about.
            window_px: Side of a window.

        Returns:
            What is told, or as many as show each pixel `PASSES` times, within bounds.
        """
        if self.steps is not None:
            return self.steps
        at_once = self.batch * self.shown * window_px**2
        return min(MOST, max(FEWEST, round(PASSES * pixels / at_once)))


def fine_tune(
    classifier: Classifier,
    regions: TrainingRegions,
    teacher: Teacher,
    config: FineTuneConfig,
    device: torch.device,
    generator: np.random.Generator,
    reporter: Reporter,
) -> Classifier:
    """Teach a network.

    Args:
        classifier: Is changed.
        regions: Where it learns.
        teacher: Of the same regions.
        config: How.
        device: Where.
        generator: Draws windows and levels; torch's own stream draws the noise.
        reporter: Receives progress.

    Returns:
        The network of the last step (of "ema": its moving average), on the CPU, in evaluation mode.

    Raises:
        HsiGeoError: If the loss is not a number.
    """
    classifier.to(device).train()
    spectral = regions.spectral
    bands = band_map(classifier.backbone.config, spectral, spectral.centres_nm).to(device)
    windows = _Windows(regions, teacher, classifier.backbone.config.window_px, config, generator)
    ema = copy.deepcopy(classifier) if config.target == "ema" else None
    optimisers = _optimisers(classifier, config)
    steps = config.steps_for(len(regions.labels), classifier.backbone.config.window_px)
    schedules = [_schedule(optimiser, steps) for optimiser in optimisers]
    for step in range(steps):
        batch = windows.draw()
        if config.target == "teacher":
            batch = _thinned(batch, config.shown, generator)
        batch = batch.to(device)
        logits = _through_noise(classifier, batch, bands, config.light)
        loss = _distance(logits, batch.target)
        if ema is not None:
            with torch.no_grad():
                said = ema(batch.image, batch.valid, bands).softmax(dim=1)
            loss = loss + _distance(logits, said * batch.valid[:, None])
        if not torch.isfinite(loss):
            raise HsiGeoError(
                f"adaptation failed: the loss of step {step + 1} is not a number",
                hint="look at the scene's values with hsi-geo info",
            )
        classifier.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        torch.nn.utils.clip_grad_norm_(classifier.parameters(), 1.0)
        for optimiser, schedule in zip(optimisers, schedules, strict=True):
            optimiser.step()
            schedule.step()
        if ema is not None:
            _follow(ema, classifier, config.momentum)
        reporter.progress("adapt", step + 1, steps)
    learnt = classifier if ema is None else ema
    return learnt.cpu().eval()


@dataclass(frozen=True, eq=False)
class _Batch:
    image: Tensor  # (B, C, P, P)
    valid: Tensor  # (B, P, P)
    target: Tensor  # (B, K + 1, P, P) weighted probabilities, 0 where nothing is asked
    noise: Tensor  # (B,) standard deviations
    places: Tensor | None = None  # (B, n), see `S2Former.encode`; n pixels in place of P * P

    def to(self, device: torch.device) -> _Batch:
        return _Batch(
            self.image.to(device),
            self.valid.to(device),
            self.target.to(device),
            self.noise.to(device),
            None if self.places is None else self.places.to(device),
        )


def _thinned(batch: _Batch, share: float, generator: np.random.Generator) -> _Batch:
    """A share of each window's pixels, drawn without return: (B, P, P) become (B, n, 1)."""
    windows, height, width = batch.valid.shape
    every = np.tile(np.arange(height * width), (windows, 1))
    count = max(1, round(share * height * width))
    places = torch.from_numpy(generator.permuted(every, axis=1)[:, :count].copy())

    def chosen(part: Tensor) -> Tensor:
        """(B, X, P, P) to (B, X, count, 1)."""
        at = places[:, None].expand(-1, part.shape[1], -1)
        return part.flatten(2).gather(2, at)[..., None]

    return _Batch(
        chosen(batch.image),
        chosen(batch.valid[:, None])[:, 0],
        chosen(batch.target),
        batch.noise,
        places,
    )


class _Windows:
    """Windows of the regions with what is to be said of their pixels."""

    def __init__(
        self,
        regions: TrainingRegions,
        teacher: Teacher,
        size_px: int,
        config: FineTuneConfig,
        generator: np.random.Generator,
    ) -> None:
        self.size = size_px
        self.config = config
        self.generator = generator
        self.images = [torch.from_numpy(_padded(p.image, size_px, 0.0)) for p in regions.regions]
        self.valid = [torch.from_numpy(_padded(p.valid, size_px, False)) for p in regions.regions]
        steps = self._steps(teacher, regions)
        weights = class_weights(steps[0])
        self.targets = [
            [torch.from_numpy(_padded(placed, size_px, 0.0)) for placed in _in_place(step, regions)]
            for step in (said * weights for said in steps)
        ]
        areas = np.array([region.inside.sum() for region in regions.regions], np.float64)
        self.shares = areas / areas.sum()
        self.shots = [
            (number, int(row), int(col))
            for number, region in enumerate(regions.regions)
            for row, col in np.argwhere(region.labels >= 0)
        ]

    def _steps(self, teacher: Teacher, regions: TrainingRegions) -> list[npt.NDArray[np.float32]]:
        """Posteriors by level of noise: the last one first."""
        if self.config.target == "teacher":
            order = teacher.steps[::-1]
            at = np.linspace(0, len(order) - 1, len(self.config.noise)).round().astype(int)
            return [order[i] for i in at]
        labels = regions.labels
        known = np.zeros((len(labels), len(regions.classes) + 1), np.float32)
        known[labels >= 0, labels[labels >= 0]] = 1.0
        return [known] * len(self.config.noise)

    def draw(self) -> _Batch:
        """Draw a batch."""
        parts = [self._one() for _ in range(self.config.batch)]
        images, valid, targets, noise = zip(*parts, strict=True)
        return _Batch(
            torch.stack(images), torch.stack(valid), torch.stack(targets), torch.tensor(noise)
        )

    def _one(self) -> tuple[Tensor, Tensor, Tensor, float]:
        region, row, col = self._place()
        level = 0
        if len(self.config.noise) > 1 and self.generator.random() >= self.config.clean:
            level = int(self.generator.integers(1, len(self.config.noise)))
        rows, cols = slice(row, row + self.size), slice(col, col + self.size)
        turn = Dihedral.sample(self.generator)
        image, valid, target = (
            turn.apply(part[..., rows, cols])
            for part in (self.images[region], self.valid[region], self.targets[level][region])
        )
        return image, valid, target, self.config.noise[level]

    def _place(self) -> tuple[int, int, int]:
        """TrainingRegion, first row and first column: anywhere, or around a shot where only they count."""
        if self.config.target == "shots" or (
            self.config.target == "ema" and self.generator.random() < 0.5
        ):
            region, row, col = self.shots[int(self.generator.integers(len(self.shots)))]
            height, width = self.valid[region].shape
            first = self.generator.integers(self.size, size=2)
            top = int(np.clip(row - first[0], 0, height - self.size))
            left = int(np.clip(col - first[1], 0, width - self.size))
            return region, top, left
        region = int(self.generator.choice(len(self.shares), p=self.shares))
        height, width = self.valid[region].shape
        top = int(self.generator.integers(height - self.size + 1))
        return region, top, int(self.generator.integers(width - self.size + 1))


def class_weights(posterior: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """What each class's probability is multiplied by, so that rare ones count `LEAST_SHARE`.

    Args:
        posterior: (N, K + 1) of all pixels, zeros where nothing is known; the last column is no class.

    Returns:
        (K + 1,) at least 1; 1 for what is no class and for a class that no pixel has.
    """
    mass = posterior.sum(axis=0, dtype=np.float64)
    shares = mass / max(mass.sum(), 1e-30)
    rare = (shares > 0) & (shares < LEAST_SHARE)
    rare[-1] = False
    weights = np.divide(LEAST_SHARE, shares, out=np.ones_like(shares), where=rare)
    return weights.astype(np.float32)


def _padded(array: npt.NDArray[Any], size_px: int, value: float) -> npt.NDArray[Any]:
    """(..., h, w) at least as large as a window."""
    height, width = array.shape[-2:]
    widths = [(0, 0)] * (array.ndim - 2)
    widths += [(0, max(0, size_px - height)), (0, max(0, size_px - width))]
    return np.pad(array, widths, constant_values=value)


def _in_place(
    posterior: npt.NDArray[np.float32], regions: TrainingRegions
) -> Iterator[npt.NDArray[np.float32]]:
    """(K + 1, h, w) of each region from (N, K + 1) of all pixels; 0 outside of it."""
    start = 0
    for region in regions.regions:
        count = int(region.inside.sum())
        placed = np.zeros((posterior.shape[1], *region.inside.shape), np.float32)
        placed[:, region.inside] = posterior[start : start + count].T
        start += count
        yield placed


def _through_noise(classifier: Classifier, batch: _Batch, bands: BandMap, light: float) -> Tensor:
    """(B, K + 1, P, P) logits of a batch's pixels in another light, whose tokens were disturbed.

    The tokens' size is kept.
    """
    image, amount = batch.image, batch.noise[:, None, None]
    if amount.any():
        image = image * (1.0 + light * amount[..., None] * torch.randn_like(amount)[..., None])
    tokens = classifier.backbone.embed(image, batch.valid, bands)
    if amount.any():
        pixels = tokens.pixels
        size = pixels.detach().std(dim=(0, 1))
        disturbed = pixels + amount * size * torch.randn_like(pixels)
        tokens = tokens._replace(pixels=disturbed / torch.sqrt(1.0 + amount**2))
    features = classifier.backbone.encode(tokens, batch.valid, batch.places)
    return classifier.classify(features)


def _distance(logits: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy against weighted probabilities, over the pixels that have any."""
    asked = target.sum().clamp(min=1.0)
    return -(target * F.log_softmax(logits, dim=1)).sum() / asked


def _follow(ema: nn.Module, leader: nn.Module, momentum: float) -> None:
    with torch.no_grad():
        for mine, theirs in zip(ema.parameters(), leader.parameters(), strict=True):
            mine.lerp_(theirs, 1.0 - momentum)


def _optimisers(classifier: Classifier, config: FineTuneConfig) -> list[torch.optim.Optimizer]:
    """Muon for the backbone's matrices, AdamW for the rest; only matrices and the head are decayed."""
    backbone = list(classifier.backbone.parameters())
    matrices = [p for p in backbone if p.ndim == 2]
    others = [p for p in backbone if p.ndim != 2]
    head = list(classifier.head.parameters())
    decay = config.weight_decay
    return [
        Muon(matrices, config.learning_rate, weight_decay=decay),
        torch.optim.AdamW(
            [
                {"params": others, "lr": config.other_rate, "weight_decay": 0.0},
                {"params": head, "lr": config.head_rate, "weight_decay": decay},
            ],
            fused=True,  # the same steps in less time
        ),
    ]


def _schedule(optimiser: torch.optim.Optimizer, steps: int) -> torch.optim.lr_scheduler.OneCycleLR:
    rates = [group["lr"] for group in optimiser.param_groups]
    return torch.optim.lr_scheduler.OneCycleLR(optimiser, rates, total_steps=steps, pct_start=0.15)
