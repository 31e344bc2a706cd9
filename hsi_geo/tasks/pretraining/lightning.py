"""A pre-training run with Lightning: module, callbacks, trainer, checkpoint."""

from __future__ import annotations

import csv
import dataclasses
import logging
import os
import pickle
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor

from hsi_geo import stages
from hsi_geo.errors import HsiGeoError, ModelFileError
from hsi_geo.io.outputs.replacement import sync
from hsi_geo.models.pretraining import Losses, MaskedReconstruction
from hsi_geo.progress import Reporter
from hsi_geo.tasks.pretraining.batches import Batches, Source
from hsi_geo.tasks.pretraining.recipe import Precision, PretrainRecipe
from hsi_geo.tasks.pretraining.run_folder import CHECKPOINT, DRAFT, LOG
from hsi_geo.tasks.runtime import versions


@dataclass(frozen=True, slots=True)
class TrainerOptions:
    """Options of Lightning's trainer.

    Attributes:
        accelerator: Hardware: "auto", "cpu" or "gpu".
        devices: Number of processes on each node.
        num_nodes: Number of nodes.
        strategy: How processes share the work: "auto", "ddp" or another name that Lightning knows.
        precision: "32", "bf16", or "auto" for bf16 on a GPU that supports it.
    """

    accelerator: str
    devices: int
    num_nodes: int
    strategy: str
    precision: Precision


class PretrainModule(pl.LightningModule):
    """Lightning's module of the pre-training loss.

    Args:
        recipe: How the network is pre-trained.
        sources: Scenes of the pre-training data.
        seed: Seed of the run.

    Attributes:
        model: Encoder with mask token and decoder.
        first: Number of updates before a resumption.
        last: Terms of the loss of the last update, None before the first.
        rate: Learning rate of the last update.
    """

    def __init__(self, recipe: PretrainRecipe, sources: list[Source], seed: int) -> None:
        super().__init__()
        self.recipe = recipe
        self.names = [source.name for source in sources]
        self.bands = [source.bands for source in sources]
        self.identity = identity_of(recipe, sources, seed)
        self.model = MaskedReconstruction(recipe.network, recipe.objective)
        self.first = 0
        self.last: Losses | None = None
        self.rate = 0.0
        self._restored: dict[str, Any] | None = None

    @property
    def step(self) -> int:
        """Number of updates, including those before a resumption."""
        return self.first + self.global_step

    def restore(self, checkpoint: dict[str, Any]) -> None:
        """Continue from a checkpoint of the same run.

        Lightning resumes by the number of batches in an epoch, which this run does not have. So the weights are
        loaded here, and the states of optimiser and schedule when these are made.

        Args:
            checkpoint: Checkpoint as `read_checkpoint` returns it.

        Raises:
            ModelFileError: If it belongs to a run with another recipe, seed, scenes or version.
        """
        if checkpoint.get("hsi_geo") != self.identity:
            raise ModelFileError(
                "the checkpoint comes from a run with other scenes, another recipe or another "
                "version of hsi-geo",
                hint="resume with what it was started with, or start anew with --overwrite",
            )
        self.load_state_dict(checkpoint["state_dict"])
        self.first = checkpoint["hsi_geo_step"]
        self._restored = checkpoint

    def training_step(self, batch: dict[str, Any], index: int) -> Tensor:
        """Compute the loss of a batch.

        Args:
            batch: Batch of `Batches`.
            index: Number of the batch, as Lightning counts.

        Raises:
            HsiGeoError: If the loss is NaN or infinite; the last checkpoint stays valid.
        """
        bands = self.bands[batch["which"]].to(self.device)
        losses = self.model(batch["image"], batch["valid"], bands, batch["masked"])
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
        """AdamW with a one-cycle schedule of the learning rate."""
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
        if self._restored is not None:
            optimiser.load_state_dict(self._restored["optimizer_states"][0])
            schedule.load_state_dict(self._restored["lr_schedulers"][0])
        return {
            "optimizer": optimiser,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the identity of the run and the number of updates.

        Args:
            checkpoint: Checkpoint that Lightning will write.
        """
        checkpoint["hsi_geo"] = self.identity
        checkpoint["hsi_geo_step"] = self.step


def identity_of(recipe: PretrainRecipe, sources: list[Source], seed: int) -> str:
    """Text that must be equal for a run to be resumed.

    Args:
        recipe: How the network is pre-trained.
        sources: Scenes of the pre-training data.
        seed: Seed of the run.
    """
    return repr(
        (dataclasses.asdict(recipe), [s.name for s in sources], seed, versions()["hsi-geo"])
    )


class _StepCallback(pl.Callback, ABC):
    """A callback that runs after every update."""

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, *batch: Any, **more: Any
    ) -> None:
        """Call `after_step`."""
        assert isinstance(pl_module, PretrainModule)
        self.after_step(trainer, pl_module)

    @abstractmethod
    def after_step(self, trainer: pl.Trainer, module: PretrainModule) -> None:
        """Run after an update.

        Args:
            trainer: Lightning's trainer.
            module: Module after the update.
        """


class Checkpoint(_StepCallback):
    """Writes checkpoints; the previous one is kept until the new one is complete.

    Args:
        run: Folder of the run.
    """

    def __init__(self, run: Path) -> None:
        self.run = run

    def after_step(self, trainer: pl.Trainer, module: PretrainModule) -> None:
        """Write a checkpoint to a draft and rename it every ``checkpoint_every`` steps."""
        if module.step % module.recipe.checkpoint_every:
            return
        draft = self.run / DRAFT
        try:
            trainer.save_checkpoint(draft)
            if trainer.is_global_zero:
                sync(draft)
                os.replace(draft, self.run / CHECKPOINT)
        except OSError as error:
            raise HsiGeoError(
                f"the checkpoint of step {module.step} cannot be written "
                f"({error.strerror or error}); the earlier one is good",
                hint="make room on the disk and go on with --resume",
            ) from error


class LossLog(_StepCallback):
    """Writes a CSV row for each step; rows after the checkpoint of a resumption are dropped.

    Args:
        run: Folder of the run.
    """

    fields = ("step", "loss", "reconstruction", "consistency", "magnitude", "learning_rate")

    def __init__(self, run: Path) -> None:
        self.path = run / LOG

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start a new log, or continue one."""
        assert isinstance(pl_module, PretrainModule)
        if not trainer.is_global_zero:
            return
        kept: list[list[str]] = []
        if pl_module.first and self.path.exists():
            with self.path.open(newline="", encoding="utf-8") as file:
                kept = [row for row in list(csv.reader(file))[1:] if len(row) == len(self.fields)]
            kept = [row for row in kept if int(row[0]) <= pl_module.first]
        with self.path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([list(self.fields), *kept])

    def after_step(self, trainer: pl.Trainer, module: PretrainModule) -> None:
        """Append the row of this step."""
        if not trainer.is_global_zero or module.last is None:
            return
        parts = [float(part) for part in module.last]
        row = [module.step, sum(parts), *parts, module.rate]
        with self.path.open("a", newline="", encoding="utf-8") as file:
            csv.writer(file).writerow([row[0], *(f"{number:.6g}" for number in row[1:])])


class Progress(_StepCallback):
    """Reports the progress.

    Args:
        reporter: Receives the progress.
    """

    def __init__(self, reporter: Reporter) -> None:
        self.reporter = reporter

    def after_step(self, trainer: pl.Trainer, module: PretrainModule) -> None:
        """Report this step."""
        if trainer.is_global_zero:
            self.reporter.progress(stages.PRETRAINING, module.step, module.recipe.steps)


def make_trainer(
    steps: int, options: TrainerOptions, callbacks: Sequence[pl.Callback]
) -> pl.Trainer:
    """Make a trainer without output of its own.

    Args:
        steps: Number of updates.
        options: Options of the trainer.
        callbacks: Callbacks that run during training.
    """
    gpu = options.accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available()
    bf16 = options.precision == "bf16" or (
        options.precision == "auto" and gpu and torch.cuda.is_bf16_supported()
    )
    with _quiet():
        return pl.Trainer(
            accelerator=options.accelerator,
            devices=options.devices,
            num_nodes=options.num_nodes,
            strategy=options.strategy,
            precision="bf16-mixed" if bf16 else "32-true",
            max_steps=steps,
            gradient_clip_val=1.0,
            callbacks=list(callbacks),
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            use_distributed_sampler=False,  # Batches distributes the batch numbers
        )


def run_trainer(trainer: pl.Trainer, module: PretrainModule, batches: Batches) -> None:
    """Train, without output of Lightning.

    Args:
        trainer: Lightning's trainer.
        module: Module to train.
        batches: Batches of the remaining steps.

    Raises:
        KeyboardInterrupt: If the user stops the run.
    """
    try:
        with _quiet():
            trainer.fit(module, batches)
    except SystemExit as stop:  # Lightning exits after Ctrl-C
        raise KeyboardInterrupt from stop


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint; only tensors and plain values are unpickled.

    Args:
        path: File that Lightning wrote.

    Raises:
        ModelFileError: If the file is damaged or not a checkpoint of this package.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns of files that are not checkpoints
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
    """Suppress Lightning's advice, which is for developers of trainers."""
    logger = logging.getLogger("lightning.pytorch")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"lightning\..*")
            yield
    finally:
        logger.setLevel(level)


def read_log(path: Path) -> dict[str, list[float]]:
    """Read the columns of a `LossLog` by name.

    Args:
        path: CSV file of the log.
    """
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {name: [float(row[name]) for row in rows] for name in LossLog.fields}
