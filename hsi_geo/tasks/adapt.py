"""Few-shot adaptation: from a scene and a handful of shots to a model that maps it.

Statistics are learnt from the scene; then a linear head is fitted on what pre-trained weights make
of the shots (`head`), or, without such weights, the whole network is fine-tuned on windows around
them (`fit`). Diffusion-aligned fine-tuning, the teacher-student scheme of arXiv 2601.18088, is to
take the place of `fit`.
"""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from hsi_geo.errors import HsiGeoError
from hsi_geo.io.scene import SomeScenes, open_scenes
from hsi_geo.io.shots import Shots, read_shots
from hsi_geo.io.staging import staged
from hsi_geo.models.classifier import Classifier, band_map
from hsi_geo.models.s2former import S2FormerConfig
from hsi_geo.progress import LoggingReporter, Reporter
from hsi_geo.tasks.accuracy import Accuracy, hold_out, score_shots
from hsi_geo.tasks.adapted import AdaptedModel, save_model
from hsi_geo.tasks.gathering import Training, gather
from hsi_geo.tasks.head import fit_head
from hsi_geo.tasks.runtime import computing, file_hash, scene_hash, seeded, shots_hash, versions
from hsi_geo.tasks.weights import SHIPPED, load_weights
from hsi_geo.tiling import Tiling


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a network is adapted: one fixed recipe for all scenes.

    Attributes:
        network: Shape of the S2Former.
        stride_px: Step between windows when mapping.
        steps: Updates.
        batch: Windows in an update.
        learning_rate: Its peak; it rises for a fifth of the steps, then falls.
        weight_decay: On matrices only.
        label_smoothing: Probability taken from the shot's class and given to all.
        gather: Most windows kept in memory to learn from.
    """

    network: S2FormerConfig = field(default_factory=S2FormerConfig)
    stride_px: int = 8
    steps: int = 100
    batch: int = 48
    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    label_smoothing: float = 0.05
    gather: int = 400


DEFAULT_RECIPE = Recipe()
DEFAULT_WEIGHTS: str | os.PathLike[str] = SHIPPED


def adapt(
    scenes: SomeScenes,
    shots: str | os.PathLike[str] | Shots,
    *,
    out: str | os.PathLike[str] | None = None,
    class_field: str | None = None,
    layer: str | None = None,
    all_touched: bool = False,
    wavelengths: str | None = None,
    weights: str | os.PathLike[str] | None = None,
    seed: int = 0,
    device: str = "auto",
    threads: int | None = None,
    overwrite: bool = False,
    recipe: Recipe | None = None,
    reporter: Reporter | None = None,
) -> AdaptedModel:
    """Adapt a model to a scene from a few shots.

    Args:
        scenes: One scene, or several of one sensor, CRS and pixel size; each shot goes to the
            scene it lies in.
        shots: Vector file or shots read before, in any CRS.
        out: Where to write MODEL; None writes nothing.
        class_field: See `read_shots`.
        layer: See `read_shots`.
        all_touched: Take every pixel a polygon touches, not only those whose centre it holds.
        wavelengths: See `open_scene`.
        weights: Made by `pretrain`: the encoder stays as it is and a linear head is fitted. None
            takes those that ship; "none" fine-tunes the whole network from random weights.
        seed: Same seed, machine and thread count give the same bytes.
        device: "auto", "cpu" or "cuda".
        threads: For torch on the CPU.
        overwrite: Replace ``out`` if it is there.
        recipe: None for the default.
        reporter: Receives progress and messages; None sends messages to Python's logging.

    Returns:
        The model.

    Raises:
        HsiGeoError: If scene, shots or output cannot be used; the message says why.
    """
    reporter = reporter or LoggingReporter()
    recipe = recipe or DEFAULT_RECIPE
    opened = open_scenes(scenes, wavelengths=wavelengths)
    labelled = read_shots(shots, class_field=class_field, layer=layer)
    if weights is None:
        weights = DEFAULT_WEIGHTS
    encoder = None if weights == "none" else load_weights(weights).encoder
    network = recipe.network if encoder is None else encoder.config
    finals = [] if out is None else [Path(out)]
    with (
        staged(finals, overwrite=overwrite) as where,
        computing(device, threads) as on,
        seeded(seed),
    ):
        training = gather(
            opened,
            labelled,
            window_px=network.window_px,
            most=recipe.gather,
            all_touched=all_touched,
            seed=seed,
            reporter=reporter,
        )
        if encoder is not None:
            classifier, accuracy = fit_head(training, encoder, on)
            reporter.progress("adapt", 1, 1)
        else:
            accuracy = estimate_accuracy(training, recipe, on, seed, reporter)
            torch.manual_seed(seed)  # whether or not accuracy was estimated
            classifier = fit(training, recipe, on, np.random.default_rng(seed), reporter, "adapt")
        record = {
            "seed": seed,
            "shots": training.counts,
            "accuracy": accuracy.as_dict(),
            "parameters": {
                "class_field": class_field,
                "layer": layer,
                "all_touched": all_touched,
                "wavelengths": wavelengths,
                "weights": "none" if encoder is None else file_hash(weights),
                "recipe": dataclasses.asdict(recipe),
            },
            "hashes": {
                "scenes": [scene_hash(scene) for scene in opened],
                "shots": shots_hash(labelled),
            },
            "versions": versions(),
        }
        # Windows overlap by half at least.
        tiling = Tiling(network.window_px, min(recipe.stride_px, max(1, network.window_px // 2)))
        model = AdaptedModel(classifier, training.spectral, labelled.classes, tiling, record)
        for final in finals:
            save_model(model, where[final])
    return model


def fit(
    training: Training,
    recipe: Recipe,
    device: torch.device,
    generator: np.random.Generator,
    reporter: Reporter,
    stage: str,
) -> Classifier:
    """Fine-tune a network on the shots.

    Args:
        training: What to learn from.
        recipe: How.
        device: Where.
        generator: Draws windows and crops; torch's own stream draws the first weights.
        reporter: Receives progress.
        stage: Its name.

    Returns:
        The network of the last step, on the CPU, in evaluation mode.

    Raises:
        HsiGeoError: If the loss is not a number.
    """
    classifier = Classifier(recipe.network, len(training.classes)).to(device)
    spectral = training.spectral
    bands = band_map(recipe.network, spectral, spectral.centres_nm).to(device)
    optimiser = _optimiser(classifier, recipe)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, recipe.learning_rate, total_steps=recipe.steps, pct_start=0.2
    )
    batches = _Batches(training, recipe, generator)
    classifier.train()
    for step in range(recipe.steps):
        image, valid, mask = (part.to(device) for part in batches.draw())
        logits = classifier(image, valid, bands)
        loss = F.cross_entropy(
            logits, mask, ignore_index=-1, label_smoothing=recipe.label_smoothing
        )
        if not torch.isfinite(loss):
            raise HsiGeoError(
                f"adaptation failed: the loss of step {step + 1} is not a number",
                hint="look at the scene's values with hsi-geo info",
            )
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        torch.nn.utils.clip_grad_norm_(classifier.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        reporter.progress(stage, step + 1, recipe.steps)
    _silence_absent(classifier, training)
    return classifier.cpu().eval()


def estimate_accuracy(
    training: Training, recipe: Recipe, device: torch.device, seed: int, reporter: Reporter
) -> Accuracy:
    """Adapt once more without a third of each class's shots, and see how well those are named.

    Whole features are held out, never pixels of one that is also learnt from.
    """
    held = hold_out(training.labels, training.groups, np.random.default_rng(seed))
    if held is None:
        return Accuracy.unknown("no class has two features, of which one could be held out")
    rest = training.without(held)
    generator = np.random.default_rng(seed)
    classifier = fit(rest, recipe, device, generator, reporter, "estimate accuracy")
    test = np.flatnonzero(np.isin(training.groups, held))
    predicted = _name_centres(classifier, training, test, recipe)
    return score_shots(training.labels[test], predicted, training.groups[test])


class _Batches:
    """Crops of the gathered windows: the classes in turn, shots at any place of the crop."""

    def __init__(self, training: Training, recipe: Recipe, generator: np.random.Generator) -> None:
        self.training = training
        self.size = recipe.network.window_px
        self.batch = recipe.batch
        self.generator = generator
        labels = training.labels
        self.by_class = [np.flatnonzero(labels == c) for c in np.unique(labels)]
        self.turn = 0

    def draw(self) -> tuple[Tensor, Tensor, Tensor]:
        """(B, C, P, P) images, (B, P, P) validity and (B, P, P) class indices or -1."""
        crops = [self._crop() for _ in range(self.batch)]
        image, valid, mask = (torch.stack(parts) for parts in zip(*crops, strict=True))
        return image, valid, mask

    def _crop(self) -> tuple[Tensor, Tensor, Tensor]:
        members = self.by_class[self.turn % len(self.by_class)]
        self.turn += 1
        chosen = int(members[self.generator.integers(len(members))])
        row, col = (int(start) for start in self.generator.integers(self.size, size=2))
        quarter, mirror = self.generator.integers(4), self.generator.integers(2)
        rows, cols = slice(row, row + self.size), slice(col, col + self.size)
        return tuple(  # type: ignore[return-value]  # three of them
            _turn(part[chosen][..., rows, cols], int(quarter), bool(mirror))
            for part in (self.training.images, self.training.valid, self.training.masks)
        )


def _turn(part: Tensor, quarter: int, mirror: bool) -> Tensor:
    """One of the eight ways to lay a square: land cover has no up or down."""
    turned = torch.rot90(part, quarter, (-2, -1))
    return turned.flip(-1) if mirror else turned


def _name_centres(
    classifier: Classifier, training: Training, chosen: npt.NDArray[np.intp], recipe: Recipe
) -> npt.NDArray[np.int64]:
    """(M,) class index of the middle pixels of some windows, seen from the middle of a crop."""
    spectral, size = training.spectral, recipe.network.window_px
    bands = band_map(recipe.network, spectral, spectral.centres_nm)
    start = training.centre - size // 2
    crop = slice(start, start + size)
    named = []
    with torch.inference_mode():
        for part in np.array_split(chosen, max(1, len(chosen) // recipe.batch)):
            logits = classifier(
                training.images[part][..., crop, crop], training.valid[part][..., crop, crop], bands
            )
            named.append(logits[:, :, size // 2, size // 2].argmax(dim=1).numpy())
    return np.concatenate(named)


def _optimiser(classifier: Classifier, recipe: Recipe) -> torch.optim.Optimizer:
    """AdamW; only what multiplies is decayed, not biases and norms."""
    matrices = [p for p in classifier.parameters() if p.ndim >= 2]
    others = [p for p in classifier.parameters() if p.ndim < 2]
    groups = [
        {"params": matrices, "weight_decay": recipe.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=recipe.learning_rate)


def _silence_absent(classifier: Classifier, training: Training) -> None:
    """A class of the table without a usable shot is never mapped."""
    for index, c in enumerate(training.classes):
        if not training.counts[c.name]:
            with torch.no_grad():
                classifier.head.weight[index] = 0.0
                classifier.head.bias[index] = -1e4
