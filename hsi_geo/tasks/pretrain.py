"""Self-supervised pre-training on any mix of scenes, by Lightning.

Every batch is a pure function of its number: it is drawn from a generator seeded with (seed,
number) and comes from one scene, so that bands never need padding. So an interrupted run that is
resumed from its last checkpoint ends at the same weights as one that was never interrupted.
"""

from __future__ import annotations

import csv
import dataclasses
import logging
import os
import pickle
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import lightning.pytorch as pl
import numpy as np
import torch
import xarray as xr
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from hsi_geo.errors import HsiGeoError, ModelFileError, OptionError, SceneError
from hsi_geo.io.datasets import HyperspectralScene
from hsi_geo.io.picture import draw_losses
from hsi_geo.io.samplers import ValidPatchSampler
from hsi_geo.io.scene import SomeScenes, name_of, open_scenes
from hsi_geo.io.staging import staged
from hsi_geo.models.classifier import Spectral, band_map
from hsi_geo.models.pretraining import Losses, MaskedReconstruction, Objective, hide
from hsi_geo.models.s2former import BandMap, S2FormerConfig
from hsi_geo.progress import LoggingReporter, Reporter
from hsi_geo.tasks.runtime import scene_hash, versions
from hsi_geo.tasks.statistics import learn_spectral
from hsi_geo.tasks.weights import Weights, load_weights, save_weights

#: Of a run's folder, which stands beside the weights until they are whole.
CHECKPOINT, LOG = "last.ckpt", "log.csv"

Precision = Literal["auto", "32", "bf16"]


@dataclass(frozen=True, slots=True)
class PretrainRecipe:
    """How a network is pre-trained.

    Attributes:
        network: Shape of the S2Former.
        objective: What is asked of it.
        steps: Updates.
        batch: Windows in an update, for each process.
        learning_rate: Its peak; it rises for a seventh of the steps, then falls.
        weight_decay: On matrices only.
        checkpoint_every: Updates from one checkpoint to the next.
        min_valid: Least share of a window's pixels that must have data.
    """

    network: S2FormerConfig = field(default_factory=S2FormerConfig)
    objective: Objective = field(default_factory=Objective)
    steps: int = 400
    batch: int = 32
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    checkpoint_every: int = 100
    min_valid: float = 0.5


@dataclass(frozen=True, slots=True)
class _Cluster:
    """Where Lightning runs it; the words are Lightning's own."""

    accelerator: str
    devices: int
    num_nodes: int
    strategy: str
    precision: Precision


@dataclass(frozen=True, slots=True)
class PretrainResult:
    """What a run made.

    Attributes:
        weights: Safetensors file.
        log: CSV with the losses of every step.
        plot: PNG of the same.
        last_loss: Mean of the last tenth of the steps.
        is_main: Whether this process wrote the files; of several only one does.
    """

    weights: Path
    log: Path
    plot: Path
    last_loss: float
    is_main: bool


def pretrain(
    scenes: SomeScenes,
    out: str | os.PathLike[str],
    *,
    steps: int | None = None,
    batch: int | None = None,
    recipe: PretrainRecipe | None = None,
    init: str | os.PathLike[str] | None = None,
    resume: bool = False,
    accelerator: str = "auto",
    devices: int = 1,
    num_nodes: int = 1,
    strategy: str = "auto",
    precision: Precision = "auto",
    workers: int = 0,
    wavelengths: str | None = None,
    seed: int = 0,
    overwrite: bool = False,
    reporter: Reporter | None = None,
) -> PretrainResult:
    """Pre-train S2Former without labels.

    Args:
        scenes: Any mix of scenes and sensors; each is read by windows.
        out: The weights; the log and its plot get names that follow from it, and
            ``OUT.run`` holds the checkpoint until all is done.
        steps: Updates; None takes the recipe's.
        batch: Windows in an update, for each process; None takes the recipe's.
        recipe: All else; None for the default.
        init: Weights to start from.
        resume: Go on from the checkpoint of an interrupted run, if there is one.
        accelerator: Lightning's: "auto", "cpu" or "gpu".
        devices: Lightning's: processes on a node.
        num_nodes: Lightning's: nodes.
        strategy: Lightning's: "auto", "ddp", ...
        precision: "auto" takes bf16 on a GPU that has it.
        workers: Reading processes for each process.
        wavelengths: See `open_scene`.
        seed: Same seed, machine, thread and process count give the same weights.
        overwrite: Replace ``out``, and start anew over an interrupted run.
        reporter: Receives progress and messages.

    Returns:
        Paths of what was written.

    Raises:
        HsiGeoError: If scenes, output, checkpoint or initial weights cannot be used, or the loss
            is not a number; the message says why.
    """
    recipe = recipe or PretrainRecipe()
    recipe = dataclasses.replace(recipe, steps=steps or recipe.steps, batch=batch or recipe.batch)
    cluster = _Cluster(accelerator, devices, num_nodes, strategy, precision)
    reporter = reporter or LoggingReporter()
    if int(os.environ.get("LOCAL_RANK", "0")) > 0:
        reporter = _Silent()  # the first process speaks for all
    weights = Path(out)
    log, plot = weights.with_suffix(".csv"), weights.with_suffix(".png")
    run = weights.with_name(weights.name + ".run")
    opened = open_scenes(scenes, wavelengths=wavelengths)
    start = None if init is None else load_weights(init)
    with staged([log, plot, weights], overwrite=overwrite) as where:
        checkpoint = _prepare_run(run, resume, overwrite)
        torch.manual_seed(seed)
        sources = [_Source.of(scene, recipe) for scene in opened]
        for source in sources:
            reporter.log(f"{source.name}: {len(source.spectral.centres_nm)} bands")
        module = _Module(recipe, sources, seed)
        if start is not None:
            _start_from(module, start)
        if checkpoint is not None:
            module.restore(_read_checkpoint(checkpoint))
            reporter.log(f"going on after step {module.first}")
        callbacks = [_Checkpoint(run), _Log(run), _Progress(reporter)]
        trainer = _trainer(recipe.steps - module.first, cluster, callbacks)
        _fit(trainer, module, _Batches(sources, recipe, seed, workers, module.first))
        main = trainer.is_global_zero
        rows = _read_log(run / LOG)
        if main:
            record = _record(recipe, seed, opened)
            encoder = module.model.encoder.cpu().eval()
            save_weights(Weights(encoder, record), where[weights])
            where[log].write_bytes((run / LOG).read_bytes())
            draw_losses(where[plot], rows, title=weights.stem)
    if main:
        for file in run.iterdir():
            file.unlink()
        run.rmdir()
    tail = rows["loss"][-max(1, len(rows["loss"]) // 10) :]
    return PretrainResult(weights, log, plot, float(np.mean(tail)), main)


@dataclass(frozen=True, eq=False)
class _Source:
    """One scene to learn from.

    Attributes:
        name: For messages.
        dataset: Its windows.
        spectral: Its bands and statistics.
        bands: From them to the network's axis.
        pixels: Its size: how often it is drawn.
    """

    name: str
    dataset: HyperspectralScene
    spectral: Spectral
    bands: BandMap
    pixels: int

    @classmethod
    def of(cls, scene: xr.DataArray, recipe: PretrainRecipe) -> _Source:
        dataset = HyperspectralScene(scene)
        grid = dataset.grids[0]
        spectral = learn_spectral(dataset.views)
        mapped = band_map(recipe.network, spectral, spectral.centres_nm)
        return cls(name_of(scene), dataset, spectral, mapped, grid.height * grid.width)


class _Windows(Dataset[dict[str, Any]]):
    """Batch number n, for n from 0 on: windows of one scene and which of their pixels to hide."""

    def __init__(self, sources: list[_Source], recipe: PretrainRecipe, seed: int) -> None:
        self.sources = sources
        self.recipe = recipe
        self.seed = seed
        # The root: a large scene is seen more often than a small one, but not only it.
        weight = np.sqrt([source.pixels for source in sources])
        self.shares = weight / weight.sum()

    def __getitem__(self, number: int) -> dict[str, Any]:
        generator = np.random.default_rng((self.seed, number))
        which = int(generator.choice(len(self.sources), p=self.shares))
        places = ValidPatchSampler(
            self.sources[which].dataset,
            size_px=self.recipe.network.window_px,
            length=self.recipe.batch,
            min_valid=self.recipe.min_valid,
            generator=generator,
        )
        samples = [self.sources[which].dataset[place] for place in places]
        if not samples:
            raise SceneError(
                f"scene '{self.sources[which].name}' has hardly any window with data",
                hint="leave it out",
            )
        turned = [_turned(sample, generator) for sample in samples]
        valid = torch.stack([sample[1] for sample in turned])
        draws = torch.Generator().manual_seed(int(generator.integers(2**62)))
        return {
            "which": which,
            "image": torch.stack([sample[0] for sample in turned]),
            "valid": valid,
            "hidden": hide(valid, self.recipe.objective.mask_ratio, draws),
        }


def _turned(sample: dict[str, Any], generator: np.random.Generator) -> tuple[Tensor, Tensor]:
    """One of the eight ways to lay a window: land cover has no up or down."""
    quarter, mirror = int(generator.integers(4)), bool(generator.integers(2))
    parts = [torch.rot90(sample[key], quarter, (-2, -1)) for key in ("image", "valid")]
    image, valid = (part.flip(-1) if mirror else part for part in parts)
    return image.contiguous(), valid.contiguous()


class _Batches(pl.LightningDataModule):
    """The batches of the steps that are still to do."""

    def __init__(
        self, sources: list[_Source], recipe: PretrainRecipe, seed: int, workers: int, first: int
    ) -> None:
        super().__init__()
        self.windows = _Windows(sources, recipe, seed)
        self.steps = range(first, recipe.steps)
        self.workers = workers

    def train_dataloader(self) -> DataLoader[dict[str, Any]]:
        """Numbers interleaved over the processes, so that no two see the same batch."""
        trainer = self.trainer
        assert trainer is not None  # Lightning attaches it before it asks
        numbers = [step * trainer.world_size + trainer.global_rank for step in self.steps]
        return DataLoader(
            self.windows,
            batch_size=None,
            sampler=numbers,
            num_workers=self.workers,
            persistent_workers=self.workers > 0,
        )


class _Module(pl.LightningModule):
    """The objective as Lightning wants it."""

    def __init__(self, recipe: PretrainRecipe, sources: list[_Source], seed: int) -> None:
        super().__init__()
        self.recipe = recipe
        self.names = [source.name for source in sources]
        self.bands = [source.bands for source in sources]
        self.identity = _identity(recipe, sources, seed)
        self.model = MaskedReconstruction(recipe.network, recipe.objective)
        self.first = 0
        self.last: Losses | None = None
        self.rate = 0.0
        self._states: dict[str, Any] | None = None

    @property
    def step(self) -> int:
        """Updates done, those before a resumption included."""
        return self.first + self.global_step

    def restore(self, checkpoint: dict[str, Any]) -> None:
        """Go on from a checkpoint of the same run.

        Lightning's own way to resume counts batches of an epoch that ours does not have, so what
        it saves is taken as it is: weights now, optimiser and schedule when they are made.

        Raises:
            ModelFileError: If recipe, seed, scenes or version differ.
        """
        if checkpoint.get("hsi_geo") != self.identity:
            raise ModelFileError(
                "the checkpoint comes from a run with other scenes, another recipe or another "
                "version of hsi-geo",
                hint="resume with what it was started with, or start anew with --overwrite",
            )
        self.load_state_dict(checkpoint["state_dict"])
        self.first = checkpoint["hsi_geo_step"]
        self._states = checkpoint

    def training_step(self, batch: dict[str, Any], index: int) -> Tensor:
        """Loss of one batch.

        Raises:
            HsiGeoError: If it is not a number; the last checkpoint is good.
        """
        bands = self.bands[batch["which"]].to(self.device)
        losses = self.model(batch["image"], batch["valid"], bands, batch["hidden"])
        assert isinstance(losses, Losses)
        if not torch.isfinite(losses.total):
            raise HsiGeoError(
                f"the loss of step {self.step + 1} is not a number, on scene "
                f"'{self.names[batch['which']]}'; the last checkpoint is good",
                hint="look at that scene with hsi-geo info, or start anew without it",
            )
        self.last = Losses(*(part.detach() for part in losses))
        self.rate = self.trainer.optimizers[0].param_groups[0]["lr"]
        return losses.total

    def configure_optimizers(self) -> Any:
        """AdamW with one rise and fall of the learning rate."""
        matrices = [p for p in self.parameters() if p.ndim >= 2]
        others = [p for p in self.parameters() if p.ndim < 2]
        optimiser = torch.optim.AdamW(
            [
                {"params": matrices, "weight_decay": self.recipe.weight_decay},
                {"params": others, "weight_decay": 0.0},
            ],
            lr=self.recipe.learning_rate,
            betas=(0.9, 0.95),
        )
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimiser, self.recipe.learning_rate, total_steps=self.recipe.steps, pct_start=0.15
        )
        if self._states is not None:
            optimiser.load_state_dict(self._states["optimizer_states"][0])
            schedule.load_state_dict(self._states["lr_schedulers"][0])
        return {
            "optimizer": optimiser,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Say whose checkpoint it is, and how far."""
        checkpoint["hsi_geo"] = self.identity
        checkpoint["hsi_geo_step"] = self.step


def _identity(recipe: PretrainRecipe, sources: list[_Source], seed: int) -> str:
    """What must agree for a run to be resumed."""
    return repr(
        (dataclasses.asdict(recipe), [s.name for s in sources], seed, versions()["hsi-geo"])
    )


class _Checkpoint(pl.Callback):
    """Keeps the last checkpoint; the earlier one stays until the new one is whole."""

    def __init__(self, run: Path) -> None:
        self.run = run

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Every so many steps, write beside it, then rename."""
        assert isinstance(pl_module, _Module)
        if pl_module.step % pl_module.recipe.checkpoint_every:
            return
        draft = self.run / (CHECKPOINT + ".draft")
        try:
            trainer.save_checkpoint(draft)
            if trainer.is_global_zero:
                os.replace(draft, self.run / CHECKPOINT)
        except OSError as error:
            raise HsiGeoError(
                f"the checkpoint of step {pl_module.step} cannot be written "
                f"({error.strerror or error}); the earlier one is good",
                hint="make room on the disk and go on with --resume",
            ) from error


class _Log(pl.Callback):
    """One CSV row a step; rows after the checkpoint that is resumed from are dropped."""

    fields = ("step", "loss", "reconstruction", "consistency", "magnitude", "learning_rate")

    def __init__(self, run: Path) -> None:
        self.path = run / LOG

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Begin, or go on."""
        assert isinstance(pl_module, _Module)
        if not trainer.is_global_zero:
            return
        kept: list[list[str]] = []
        if pl_module.first and self.path.exists():
            with self.path.open(newline="", encoding="utf-8") as file:
                kept = [row for row in list(csv.reader(file))[1:] if len(row) == len(self.fields)]
            kept = [row for row in kept if int(row[0]) <= pl_module.first]
        with self.path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([list(self.fields), *kept])

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Append a row."""
        assert isinstance(pl_module, _Module)
        if not trainer.is_global_zero or pl_module.last is None:
            return
        parts = [float(part) for part in pl_module.last]
        row = [pl_module.step, sum(parts), *parts, pl_module.rate]
        with self.path.open("a", newline="", encoding="utf-8") as file:
            csv.writer(file).writerow([row[0], *(f"{number:.6g}" for number in row[1:])])


class _Progress(pl.Callback):
    """Lightning's progress, told to ours."""

    def __init__(self, reporter: Reporter) -> None:
        self.reporter = reporter

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Tell."""
        assert isinstance(pl_module, _Module)
        if trainer.is_global_zero:
            self.reporter.progress("pretrain", pl_module.step, pl_module.recipe.steps)


class _Silent:
    """For all processes but the first."""

    def progress(self, stage: str, done: int, total: int) -> None:
        """Ignored."""

    def log(self, message: str) -> None:
        """Ignored."""

    def warning(self, message: str) -> None:
        """Ignored."""


def _trainer(steps: int, cluster: _Cluster, callbacks: list[pl.Callback]) -> pl.Trainer:
    gpu = cluster.accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available()
    bf16 = cluster.precision == "bf16" or (
        cluster.precision == "auto" and gpu and torch.cuda.is_bf16_supported()
    )
    with _quiet():
        return pl.Trainer(
            accelerator=cluster.accelerator,
            devices=cluster.devices,
            num_nodes=cluster.num_nodes,
            strategy=cluster.strategy,
            precision="bf16-mixed" if bf16 else "32-true",
            max_steps=steps,
            gradient_clip_val=1.0,
            callbacks=callbacks,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            use_distributed_sampler=False,  # numbers are shared out by _Batches
        )


def _fit(trainer: pl.Trainer, module: _Module, batches: _Batches) -> None:
    try:
        with _quiet():
            trainer.fit(module, batches)
    except SystemExit as stop:  # Lightning's own answer to Ctrl-C
        raise KeyboardInterrupt from stop


def _read_checkpoint(path: Path) -> dict[str, Any]:
    """What Lightning saved; nothing is unpickled but tensors and plain values."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of files that are no checkpoints
            checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        if isinstance(checkpoint, dict) and "hsi_geo_step" in checkpoint:
            return checkpoint
        found = "no checkpoint of hsi-geo"
    except (RuntimeError, pickle.UnpicklingError, EOFError, ValueError, LookupError) as error:
        found = type(error).__name__
    raise ModelFileError(
        f"checkpoint '{path}' is damaged or no checkpoint ({found})",
        hint="start anew with --overwrite",
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Lightning's advice is for those who write trainers."""
    logger = logging.getLogger("lightning.pytorch")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"lightning\..*")
            yield
    finally:
        logger.setLevel(level)


def _prepare_run(run: Path, resume: bool, overwrite: bool) -> Path | None:
    """The folder of the run, and the checkpoint to resume from."""
    checkpoint = run / CHECKPOINT
    child = int(os.environ.get("LOCAL_RANK", "0")) > 0  # comes after the first process
    if checkpoint.exists() and not (resume or overwrite or child):
        raise OptionError(
            f"an interrupted run is in '{run}'",
            hint="go on with --resume, or start anew with --overwrite",
        )
    run.mkdir(exist_ok=True)
    if resume:
        return checkpoint if checkpoint.exists() else None
    if not child:
        checkpoint.unlink(missing_ok=True)
    return None


def _start_from(module: _Module, start: Weights) -> None:
    if start.encoder.config != module.recipe.network:
        raise ModelFileError(
            "the weights to start from belong to a network of another shape",
            hint="leave them out, or give the recipe they were made with",
        )
    module.model.encoder.load_state_dict(start.encoder.state_dict())


def _read_log(path: Path) -> dict[str, list[float]]:
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {name: [float(row[name]) for row in rows] for name in _Log.fields}


def _record(recipe: PretrainRecipe, seed: int, scenes: list[xr.DataArray]) -> dict[str, Any]:
    return {
        "recipe": dataclasses.asdict(recipe),
        "seed": seed,
        "scenes": [
            {"name": Path(name_of(scene)).name, "hash": scene_hash(scene)} for scene in scenes
        ],
        "versions": versions(),
    }
