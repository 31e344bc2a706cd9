"""Diffusion-aligned fine-tuning (DAFT): a student network learns along its teacher's trajectory.

The teacher's posterior changes with the steps of label propagation (`teacher`). The student sees pixel tokens
with noise, and the target depends on the noise level: the highest level is compared with the first posterior,
tokens without noise with the last posterior. The abstract of arXiv 2601.18088 says only that a teacher and a
student are aligned along a diffusion trajectory; the rest is our interpretation. The other targets are for
comparison (docs/ablations.md). Most constants were chosen by trials or are usual values.

Letters for shapes: B windows of P * P pixels, C bands, K classes, N pixels of all regions.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from hsi_geo import stages, timings
from hsi_geo.errors import HsiGeoError
from hsi_geo.models.adamw import AdamW
from hsi_geo.models.classifier import Classifier, band_map
from hsi_geo.models.muon import Muon
from hsi_geo.models.wavelength_axis import BandMap
from hsi_geo.progress import Reporter
from hsi_geo.tasks.adaptation.recipe import FineTuneConfig
from hsi_geo.tasks.adaptation.teacher import Teacher
from hsi_geo.tasks.adaptation.training_regions import TrainingRegions
from hsi_geo.tasks.adaptation.training_windows import Batch, WindowSampler

#: Share of the steps in which the learning rates rise.
WARM_UP = 0.15

#: Greatest norm of the gradient; larger gradients are scaled down.
MAX_GRADIENT_NORM = 1.0


@contextmanager
def _one_thread() -> Iterator[None]:
    """Compute on one thread: an update is so small that two threads take longer, and twice the processor time."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@timings.stage(timings.STUDENT)
@_one_thread()
def fine_tune(
    classifier: Classifier,
    regions: TrainingRegions,
    teacher: Teacher,
    config: FineTuneConfig,
    device: torch.device,
    generator: np.random.Generator,
    reporter: Reporter,
) -> Classifier:
    """Fine-tune a classifier.

    Args:
        classifier: The student; its weights are changed in place.
        regions: Pixels and shots.
        teacher: Teacher that was fitted to the same regions.
        config: How the network is fine-tuned.
        device: Device on which the network is trained.
        generator: Source of the random windows, pixels and noise levels; the noise itself is drawn from torch's
            global generator.
        reporter: Receives the progress.

    Returns:
        The classifier after the last step (with the target "ema" its moving average), on the CPU and in
        evaluation mode.

    Raises:
        HsiGeoError: If the loss becomes NaN or infinite.
    """
    classifier.to(device).train()
    window_px = classifier.backbone.config.window_px
    spectral = regions.spectral
    bands = band_map(classifier.backbone.config, spectral, spectral.centres_nm).to(device)
    sampler = WindowSampler(
        regions,
        teacher,
        window_px,
        target=config.target,
        noise=config.noise,
        batch=config.batch,
        clean_fraction=config.clean_fraction,
        pixel_fraction=config.pixel_fraction if config.target == "teacher" else 1.0,
        generator=generator,
    )
    ema = _moving_average(classifier, config.ema_decay) if config.target == "ema" else None
    optimisers = _optimisers(classifier, config)
    steps = config.steps_for(len(regions.labels), window_px)
    schedules = [_schedule(optimiser, steps) for optimiser in optimisers]
    for step in range(steps):
        batch = sampler.sample().to(device)
        logits = forward_noisy(classifier, batch, bands, config.brightness_jitter)
        loss = soft_cross_entropy(logits, batch.target)
        if ema is not None:
            with torch.no_grad():
                average = ema(batch.image, batch.valid, bands).softmax(dim=1)
            loss = loss + soft_cross_entropy(logits, average * batch.valid[:, None])
        if not torch.isfinite(loss):
            raise HsiGeoError(
                f"adaptation failed: the loss of step {step + 1} is not a number",
                hint="look at the scene's values with hsi-geo info",
            )
        classifier.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        torch.nn.utils.clip_grad_norm_(classifier.parameters(), MAX_GRADIENT_NORM)
        for optimiser, schedule in zip(optimisers, schedules, strict=True):
            optimiser.step()
            schedule.step()
        if ema is not None:
            ema.update_parameters(classifier)
        reporter.progress(stages.TRAINING, step + 1, steps)
    result = classifier if ema is None else ema.module
    assert isinstance(result, Classifier)
    return result.cpu().eval()


def forward_noisy(
    classifier: Classifier, batch: Batch, bands: BandMap, brightness_jitter: float
) -> Tensor:
    """Compute logits from pixel tokens with noise, and from windows with random brightness.

    Tokens become (x + s e) / sqrt(1 + s^2), where s is the noise level and e normal noise with the standard
    deviation of the tokens, which is thus kept.

    Args:
        classifier: The student.
        batch: Windows or pixels of windows, with noise levels.
        bands: Map from the scene's bands to the wavelength axis.
        brightness_jitter: Standard deviation of the random factor on a window's values at noise level 1.

    Returns:
        (B, K + 1, P, P) logits, or (B, K + 1, n, 1) for subsampled pixels.
    """
    image, level = batch.image, batch.noise[:, None, None]
    if level.any():
        jitter = brightness_jitter * level[..., None] * torch.randn_like(level)[..., None]
        image = image * (1.0 + jitter)
    tokens = classifier.backbone.embed(image, batch.valid, bands)
    if level.any():
        pixels = tokens.pixels
        std = pixels.detach().std(dim=(0, 1))
        noisy = pixels + level * std * torch.randn_like(pixels)
        tokens = tokens._replace(pixels=noisy / torch.sqrt(1.0 + level**2))
    features = classifier.backbone.encode(tokens, batch.valid, batch.positions)
    return classifier.classify(features)


def soft_cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy with weighted target probabilities, averaged over the targets' total weight.

    Args:
        logits: (B, K + 1, ...) logits.
        target: (B, K + 1, ...) weighted probabilities, 0 at pixels without a target.

    Examples:
        >>> logits = torch.tensor([[[0.0], [0.0]]])
        >>> round(float(soft_cross_entropy(logits, torch.tensor([[[1.0], [0.0]]]))), 4)
        0.6931
        >>> float(soft_cross_entropy(logits, torch.zeros(1, 2, 1))) == 0.0
        True
    """
    total = target.sum().clamp(min=1.0)
    return -(target * F.log_softmax(logits, dim=1)).sum() / total


def _moving_average(classifier: Classifier, decay: float) -> AveragedModel:
    """Exponential moving average of the weights that starts at the present weights."""
    ema = AveragedModel(
        classifier,
        multi_avg_fn=get_ema_multi_avg_fn(decay),  # type: ignore[no-untyped-call]  # torch leaves it untyped
    )
    # With 0 models averaged, the first update would copy the student's weights.
    ema.n_averaged.fill_(1)
    return ema


def _optimisers(classifier: Classifier, config: FineTuneConfig) -> list[torch.optim.Optimizer]:
    """Muon for the backbone's matrices, AdamW for the rest; matrices and head have weight decay."""
    backbone = list(classifier.backbone.parameters())
    matrices = [p for p in backbone if p.ndim == 2]
    others = [p for p in backbone if p.ndim != 2]
    head = list(classifier.head.parameters())
    decay = config.weight_decay
    return [
        Muon(matrices, config.muon_lr, weight_decay=decay),
        AdamW(
            [
                {"params": others, "lr": config.adamw_lr, "weight_decay": 0.0},
                {"params": head, "lr": config.head_lr, "weight_decay": decay},
            ],
            fused=True,  # the same steps in less time
        ),
    ]


def _schedule(optimiser: torch.optim.Optimizer, steps: int) -> torch.optim.lr_scheduler.OneCycleLR:
    rates = [group["lr"] for group in optimiser.param_groups]
    return torch.optim.lr_scheduler.OneCycleLR(
        optimiser, rates, total_steps=steps, pct_start=WARM_UP
    )
