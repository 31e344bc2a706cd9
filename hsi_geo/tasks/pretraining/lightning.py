"""One pre-training run as Lightning wants it: module, callbacks, trainer, checkpoint."""

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
from typing import Any, Literal

import lightning.pytorch as pl
import torch
from torch import Tensor

from hsi_geo.errors import HsiGeoError, ModelFileError
from hsi_geo.io.outputs.replacement import sync
from hsi_geo.models.pretraining import Losses, MaskedReconstruction
from hsi_geo.progress import Reporter
from hsi_geo.tasks.pretraining.batches import Batches, PretrainRecipe, Source
from hsi_geo.tasks.runtime import versions

#: Of a run's folder, which stands beside the weights until they are whole.
CHECKPOINT, LOG = "last.ckpt", "log.csv"

#: A checkpoint until it is whole.
DRAFT = CHECKPOINT + ".draft"

#: All that a run has in its folder.
OWN = (CHECKPOINT, DRAFT, LOG)

Precision = Literal["auto", "32", "bf16"]


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where Lightning runs it; the words are Lightning's own."""

    accelerator: str
    devices: int
    num_nodes: int
    strategy: str
    precision: Precision


class PretrainModule(pl.LightningModule):
    """The objective as Lightning wants it."""

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


def identity_of(recipe: PretrainRecipe, sources: list[Source], seed: int) -> str:
    """What must agree for a run to be resumed."""
    return repr(
        (dataclasses.asdict(recipe), [s.name for s in sources], seed, versions()["hsi-geo"])
    )


class _EachStep(pl.Callback, ABC):
    """Does something after every update; Lightning's hook tells more than we want."""

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, *batch: Any, **more: Any
    ) -> None:
        """Pass on what is needed."""
        assert isinstance(pl_module, PretrainModule)
        self.after_step(trainer, pl_module)

    @abstractmethod
    def after_step(self, trainer: pl.Trainer, module: PretrainModule) -> None:
        """What is done.

        Args:
            trainer: Lightning's.
            module: After the update.
        """


class Checkpoint(_EachStep):
    """Keeps the last checkpoint; the earlier one stays until the new one is whole."""

    def __init__(self, run: Path) -> None:
        self.run = run

    def after_step(self, trainer: pl.Trainer, module: PretrainModule) -> None:
        """Every so many steps, write beside it, then rename."""
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


class LossLog(_EachStep):
    """One CSV row a step; rows after the checkpoint that is resumed from are dropped."""

    fields = ("step", "loss", "reconstruction", "consistency", "magnitude", "learning_rate")

    def __init__(self, run: Path) -> None:
        self.path = run / LOG

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Begin, or go on."""
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
        """Append a row."""
        if not trainer.is_global_zero or module.last is None:
            return
        parts = [float(part) for part in module.last]
        row = [module.step, sum(parts), *parts, module.rate]
        with self.path.open("a", newline="", encoding="utf-8") as file:
            csv.writer(file).writerow([row[0], *(f"{number:.6g}" for number in row[1:])])


class Progress(_EachStep):
    """Lightning's progress, told to ours."""

    def __init__(self, reporter: Reporter) -> None:
        self.reporter = reporter

    def after_step(self, trainer: pl.Trainer, module: PretrainModule) -> None:
        """Tell."""
        if trainer.is_global_zero:
            self.reporter.progress("pretrain", module.step, module.recipe.steps)


def make_trainer(steps: int, cluster: Cluster, callbacks: Sequence[pl.Callback]) -> pl.Trainer:
    """A silent trainer for so many updates, in bf16 where the hardware has it."""
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
            callbacks=list(callbacks),
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            use_distributed_sampler=False,  # numbers are shared out by Batches
        )


def run_trainer(trainer: pl.Trainer, module: PretrainModule, batches: Batches) -> None:
    """Train.

    Raises:
        KeyboardInterrupt: If the user stops it.
    """
    try:
        with _quiet():
            trainer.fit(module, batches)
    except SystemExit as stop:  # Lightning's own answer to Ctrl-C
        raise KeyboardInterrupt from stop


def remove_run(run: Path) -> None:
    """Remove what a run left in its folder, and the folder if nothing else is in it."""
    for name in OWN:
        (run / name).unlink(missing_ok=True)
    if not any(run.iterdir()):
        run.rmdir()


def read_checkpoint(path: Path) -> dict[str, Any]:
    """What Lightning saved; nothing is unpickled but tensors and plain values.

    Raises:
        ModelFileError: If the file is damaged or something else.
    """
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


def read_log(path: Path) -> dict[str, list[float]]:
    """Columns of a `LossLog` by name."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {name: [float(row[name]) for row in rows] for name in LossLog.fields}
