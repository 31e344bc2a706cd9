"""Diffusion-aligned fine-tuning (DAFT): a student network learns along its teacher's trajectory.

The teacher's posterior changes with the steps of label propagation (`teacher`). The student sees pixel tokens
with noise, and the target depends on the noise level: the highest level is compared with the first posterior,
tokens without noise with the last posterior. The abstract of arXiv 2601.18088 says only that a teacher and a
student are aligned along a diffusion trajectory; the rest is our interpretation. The other targets are for
comparison (docs/ablations.md). Most constants were chosen by trials or are usual values.

Letters for shapes: B windows of P * P pixels, C bands, K classes, N pixels of all regions.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

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
from hsi_geo.tasks.runtime import one_thread

#: Share of the steps in which the learning rates rise.
WARM_UP = 0.15

#: Number of parts of each batch. They are computed at the same time, each on a thread of its own: an update is so small
#: that torch's own threads would make it slower.
PARTS = 2

#: Greatest norm of the gradient; larger gradients are scaled down.
MAX_GRADIENT_NORM = 1.0


@timings.stage(timings.STUDENT)
@one_thread()
def fine_tune(
    classifier: Classifier,
    regions: TrainingRegions,
    teacher: Teacher,
    config: FineTuneConfig,
    device: torch.device,
    generator: np.random.Generator,
    reporter: Reporter,
    seeds: torch.Generator | None = None,
) -> Classifier:
    """Fine-tune a classifier.

    Args:
        classifier: The student; its weights are changed in place.
        regions: Pixels and shots.
        teacher: Teacher that was fitted to the same regions.
        config: How the network is fine-tuned.
        device: Device on which the network is trained.
        generator: Source of the random windows, pixels and noise levels.
        reporter: Receives the progress.
        seeds: Source of the seeds of the generators that the noise itself comes from; None takes torch's global one.

    Returns:
        The classifier after the last step (with the target "ema" its moving average), on the CPU and in
        evaluation mode.

    Raises:
        HsiGeoError: If the loss becomes NaN or infinite.
    """
    classifier.to(device).train()
    parameters = list(classifier.parameters())
    parts = 1 if device.type == "cuda" else PARTS
    # The parts draw at the same time: each has a generator of its own.
    noises = [
        torch.Generator(device).manual_seed(int(torch.randint(2**62, (), generator=seeds)))
        for _ in range(parts)
    ]
    window_px = classifier.backbone.config.window_px
    spectral = regions.spectral
    # The same products with fewer numbers: windows consist of the combinations of bands that whitening keeps.
    reduced = band_map(classifier.backbone.config, spectral, spectral.centres_nm).reduce()
    bands, dark = reduced.bands.to(device), reduced.dark.to(device)
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
        reduced=reduced,
    )
    ema = _moving_average(classifier, config.ema_decay) if config.target == "ema" else None
    optimisers = _optimisers(classifier, config)
    steps = config.steps_for(len(regions.labels), window_px)
    schedules = [_schedule(optimiser, steps) for optimiser in optimisers]

    def loss_of(batch: Batch, noise: torch.Generator) -> Tensor:
        logits = forward_noisy(classifier, batch, bands, config.brightness_jitter, noise, dark)
        loss = soft_cross_entropy(logits, batch.target)
        if ema is not None:
            with torch.no_grad():
                average = ema(batch.image, batch.valid, bands).softmax(dim=1)
            loss = loss + soft_cross_entropy(logits, average * batch.valid[:, None])
        return loss

    def gradients(batch: Batch, noise: torch.Generator) -> tuple[Tensor, tuple[Tensor | None, ...]]:
        with torch.enable_grad():  # a setting of each thread
            loss = loss_of(batch, noise)
            return loss.detach(), torch.autograd.grad(loss, parameters, allow_unused=True)

    # This thread computes as well: more threads than parts would wait for each other, and for the interpreter's lock.
    with ThreadPoolExecutor(1) as helper:
        following = helper.submit(sampler.sample)
        for step in range(steps):
            batches = following.result().to(device).split(parts)
            others = [
                helper.submit(gradients, *one)
                for one in zip(batches[1:], noises[1:], strict=False)  # a batch may have one window
            ]
            if step + 1 < steps:
                following = helper.submit(sampler.sample)
            found = [gradients(batches[0], noises[0]), *(other.result() for other in others)]
            loss = sum(part for part, _ in found)
            if not torch.isfinite(torch.as_tensor(loss)):
                raise HsiGeoError(
                    f"adaptation failed: the loss of step {step + 1} is not a number",
                    hint="look at the scene's values with hsi-geo info",
                )
            _set_mean_gradients(parameters, [part for _, part in found])
            torch.nn.utils.clip_grad_norm_(parameters, MAX_GRADIENT_NORM)
            stepping = helper.submit(_step_all, optimisers[1::2])
            _step_all(optimisers[::2])
            stepping.result()
            for schedule in schedules:
                schedule.step()
            if ema is not None:
                ema.update_parameters(classifier)
            reporter.progress(stages.TRAINING, step + 1, steps)
    result = classifier if ema is None else ema.module
    assert isinstance(result, Classifier)
    return result.cpu().eval()


def _step_all(optimisers: Sequence[torch.optim.Optimizer]) -> None:
    for optimiser in optimisers:
        optimiser.step()


def _set_mean_gradients(
    parameters: Sequence[torch.nn.Parameter], of_parts: Sequence[Sequence[Tensor | None]]
) -> None:
    """Give each parameter the mean of its gradients over the parts of a batch; None if no part uses it.

    Operations on lists of tensors take a tenth of the time of a loop over the parameters.
    """
    used = [i for i, gradient in enumerate(of_parts[0]) if gradient is not None]  # in every part
    lists = [[gradient for gradient in part if gradient is not None] for part in of_parts]
    means = tuple(lists[0])
    for gradients in lists[1:]:
        means = torch._foreach_add(means, gradients)
    for i, mean in zip(used, torch._foreach_div(means, float(len(lists))), strict=True):
        parameters[i].grad = mean


def forward_noisy(
    classifier: Classifier,
    batch: Batch,
    bands: BandMap,
    brightness_jitter: float,
    generator: torch.Generator | None = None,
    dark: Tensor | None = None,
) -> Tensor:
    """Compute logits from pixel tokens with noise, and from windows with random brightness.

    Tokens become (x + s e) / sqrt(1 + s^2), where s is the noise level and e normal noise with the standard
    deviation of the tokens, which is thus kept.

    Args:
        classifier: The student.
        batch: Windows or pixels of windows, with noise levels.
        bands: Map from the image's values to the wavelength axis.
        brightness_jitter: Standard deviation of the random factor on a window's values at noise level 1.
        generator: Source of the noise; None takes torch's global one.
        dark: (C,) values of a pixel without any light, see `ReducedBands`; None for 0.

    Returns:
        (B, K + 1, P, P) logits, or (B, K + 1, n, 1) for subsampled pixels.
    """
    image, level = batch.image, batch.noise[:, None, None]
    if level.any():
        jitter = brightness_jitter * level[..., None] * _noise_like(level, generator)[..., None]
        light = image if dark is None else image - dark[:, None, None]
        image = image + jitter * light
    tokens = classifier.backbone.embed(image, batch.valid, bands)
    if level.any():
        pixels = tokens.pixels
        std = _std(pixels.detach().flatten(0, 1))
        noisy = pixels + level * std * _noise_like(pixels, generator)
        tokens = tokens._replace(pixels=noisy / torch.sqrt(1.0 + level**2))
    features = classifier.backbone.encode(tokens, batch.valid, batch.positions)
    return classifier.classify(features)


def _std(values: Tensor) -> Tensor:
    """(N, D) to (D,) standard deviations; a tenth of the time of `torch.std` along the first axis."""
    return (values.square().mean(dim=0) - values.mean(dim=0).square()).clamp(min=0).sqrt()


def _noise_like(values: Tensor, generator: torch.Generator | None) -> Tensor:
    """Normal noise of the same shape."""
    return torch.randn(values.shape, generator=generator, device=values.device)


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
    """Muon for the backbone's matrices, AdamW for the rest; matrices and head have weight decay.

    Steps of several optimisers may be made at the same time: none of them shares a parameter.
    """
    backbone = list(classifier.backbone.parameters())
    matrices = [p for p in backbone if p.ndim == 2]
    others = [p for p in backbone if p.ndim != 2]
    head = list(classifier.head.parameters())
    decay = config.weight_decay
    return [
        *(Muon(half, config.muon_lr, weight_decay=decay) for half in _halves(matrices)),
        AdamW(
            [
                {"params": others, "lr": config.adamw_lr, "weight_decay": 0.0},
                {"params": head, "lr": config.head_lr, "weight_decay": decay},
            ],
            fused=True,  # the same steps in less time
        ),
    ]


def _halves(matrices: Sequence[torch.nn.Parameter]) -> list[list[torch.nn.Parameter]]:
    """Two lists with about as many numbers, or one. Matrices of one shape, which Muon computes together, are in one of them."""
    shapes = sorted({matrix.shape for matrix in matrices})
    of_shape = [[matrix for matrix in matrices if matrix.shape == shape] for shape in shapes]
    halves: list[list[torch.nn.Parameter]] = [[], []]
    for group in sorted(of_shape, key=_count, reverse=True):
        min(halves, key=_count).extend(group)
    return [half for half in halves if half]


def _count(matrices: Sequence[torch.nn.Parameter]) -> int:
    return sum(matrix.numel() for matrix in matrices)


def _schedule(optimiser: torch.optim.Optimizer, steps: int) -> torch.optim.lr_scheduler.OneCycleLR:
    rates = [group["lr"] for group in optimiser.param_groups]
    return torch.optim.lr_scheduler.OneCycleLR(
        optimiser, rates, total_steps=steps, pct_start=WARM_UP
    )
