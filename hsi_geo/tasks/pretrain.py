"""Self-supervised pre-training on any mix of scenes, with Lightning."""

from __future__ import annotations

import dataclasses
import os
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import xarray as xr

from hsi_geo.arguments import require_flags, require_output, require_whole, require_word
from hsi_geo.errors import ModelFileError, OptionError
from hsi_geo.io import model_file
from hsi_geo.io.outputs.atomic import atomic_outputs
from hsi_geo.io.outputs.inputs import refuse_input_overwrite
from hsi_geo.io.scenes.properties import files_of, log_remarks, name_of
from hsi_geo.io.scenes.scene import SomeScenes, open_scenes
from hsi_geo.progress import Reporter, SilentReporter, default_reporter
from hsi_geo.tasks.pretraining.recipe import Precision, PretrainRecipe
from hsi_geo.tasks.pretraining.run_folder import CHECKPOINT, LOG, RUN_FILES, remove_run
from hsi_geo.tasks.runtime import Compute, scene_hash, seeded, versions

if TYPE_CHECKING:
    from hsi_geo.tasks.artifacts.weights import Weights
    from hsi_geo.tasks.pretraining.lightning import PretrainModule


@dataclass(frozen=True, slots=True)
class PretrainResult:
    """Files of a pre-training run.

    Attributes:
        weights: Safetensors file with the weights.
        log: CSV file with the losses of every step.
        plot: PNG file with a diagram of the losses.
        last_loss: Mean loss of the last tenth of the steps.
        is_main: Whether this process wrote the files; only one of several processes does.
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
    seed: int = 0,
    overwrite: bool = False,
    reporter: Reporter | None = None,
) -> PretrainResult:
    """Pre-train S2Former without labels.

    Args:
        scenes: Path of a scene, what `open_scene` returned, or a list of them, from any mix of sensors. Scenes are
            read window by window. Each scene is normalised by its own statistics, so that scales may differ; a
            difference is logged.
        out: Path of the weights file. The loss log and its diagram have the same name with ``.csv`` and ``.png``;
            the folder ``OUT.run`` holds the checkpoint during the run.
        steps: Number of updates; None takes the recipe's.
        batch: Number of windows in an update of each process; None takes the recipe's.
        recipe: All other hyperparameters; None takes the default.
        init: Path of weights to start from; None starts from random ones.
        resume: Whether to continue from the checkpoint of an interrupted run, if there is one.
        accelerator: Hardware, as Lightning names it: "auto", "cpu" or "gpu".
        devices: Number of processes on each node.
        num_nodes: Number of nodes.
        strategy: Lightning's strategy for several processes, such as "auto" or "ddp".
        precision: "32", "bf16", or "auto" for bf16 on a GPU that supports it.
        workers: Number of processes that read windows, for each training process.
        seed: Seed of all random numbers. The same seed, machine, number of threads and of processes give the same
            weights.
        overwrite: Whether to replace ``out`` if it exists, and to restart an interrupted run.
        reporter: Receives progress and messages; None shows a bar in a notebook, and sends
            messages to Python's ``logging``.

    Returns:
        Paths of the files.

    Raises:
        HsiGeoError: If numbers, scenes, output, checkpoint or initial weights cannot be used, or the loss becomes NaN; the
            message says why.
    """
    require_flags(resume=resume, overwrite=overwrite)
    recipe = recipe or PretrainRecipe()
    steps = recipe.steps if steps is None else steps
    recipe = dataclasses.replace(
        recipe, steps=steps, batch=recipe.batch if batch is None else batch
    )
    for option, number, least in (
        ("--steps", recipe.steps, 1),
        ("--batch", recipe.batch, 1),
        ("--checkpoint-every", recipe.checkpoint_every, 1),
        ("--devices", devices, 1),
        ("--num-nodes", num_nodes, 1),
        ("--workers", workers, 0),
    ):
        require_whole(option, number, least)
    require_word("precision", precision, get_args(Precision))
    seed = Compute(seed=seed).seed
    recipe = dataclasses.replace(  # records are JSON, which knows no numbers of NumPy
        recipe,
        steps=int(recipe.steps),
        batch=int(recipe.batch),
        checkpoint_every=int(recipe.checkpoint_every),
    )
    reporter = reporter or default_reporter()
    if _is_child():
        reporter = SilentReporter()  # only the first process reports
    weights = require_output(out)
    log, plot = weights.with_suffix(".csv"), weights.with_suffix(".png")
    run = weights.with_name(weights.name + ".run")
    opened = open_scenes(scenes)
    log_remarks(opened, reporter)
    if init is not None:
        model_file.require_kind(Path(init), "weights")
    inputs = [*(name for scene in opened for name in files_of(scene)), init]
    refuse_input_overwrite((run / file for file in RUN_FILES), inputs)
    with (
        atomic_outputs([log, plot, weights], overwrite=overwrite, inputs=inputs) as where,
        ExitStack() as stack,
    ):
        require_new_run(run, resume, overwrite)
        # These import torch and Lightning, which takes longer than all checks.
        from hsi_geo.io.reports.figures import draw_losses
        from hsi_geo.tasks.artifacts.weights import Weights, load_weights, save_weights
        from hsi_geo.tasks.inference.axis_coverage import require_on_axis
        from hsi_geo.tasks.inference.scene_scale import scale_differences
        from hsi_geo.tasks.pretraining import lightning as training
        from hsi_geo.tasks.pretraining.batches import Batches, Source

        for scene in opened:
            require_on_axis(recipe.network, scene)
        start = None if init is None else load_weights(init)
        checkpoint = _prepare_run(run, resume)
        stack.enter_context(seeded(seed, on_gpus=False))  # processes of Lightning may start by fork
        sources = [Source.from_scene(scene, recipe) for scene in opened]
        for difference in scale_differences([source.dataset.views[0] for source in sources]):
            reporter.log(f"{difference}; each scene is normalised by its own statistics")
        for source in sources:
            reporter.log(f"{source.name}: {len(source.spectral.centres_nm)} bands")
        module = training.PretrainModule(recipe, sources, seed)
        if start is not None:
            _start_from(module, start)
        if checkpoint is not None:
            module.restore(training.read_checkpoint(checkpoint))
            reporter.log(f"going on after step {module.first}")
        callbacks = [
            training.Checkpoint(run),
            training.LossLog(run),
            training.Progress(reporter),
        ]
        options = training.TrainerOptions(accelerator, devices, num_nodes, strategy, precision)
        trainer = training.make_trainer(recipe.steps - module.first, options, callbacks)
        training.run_trainer(trainer, module, Batches(sources, recipe, seed, workers, module.first))
        main = trainer.is_global_zero
        rows = training.read_log(run / LOG)
        if main:
            record = _record(recipe, seed, opened)
            encoder = module.model.encoder.cpu().eval()
            save_weights(Weights(encoder, record), where[weights])
            where[log].write_bytes((run / LOG).read_bytes())
            draw_losses(where[plot], rows, title=weights.stem)
    if main:
        remove_run(run)
    tail = rows["loss"][-max(1, len(rows["loss"]) // 10) :]
    return PretrainResult(weights, log, plot, float(np.mean(tail)), main)


def require_new_run(run: Path, resume: bool, overwrite: bool) -> None:
    """Refuse to lose the checkpoint of an interrupted run.

    Args:
        run: Folder of the run.
        resume: Whether to continue from its checkpoint.
        overwrite: Whether to discard it.

    Raises:
        OptionError: If there is a checkpoint, and neither was asked for.
    """
    if (run / CHECKPOINT).exists() and not (resume or overwrite or _is_child()):
        raise OptionError(
            f"an interrupted run is in '{run}'",
            hint="go on with --resume, or start anew with --overwrite",
        )


def _prepare_run(run: Path, resume: bool) -> Path | None:
    """Make the folder of the run; return the checkpoint to resume from, None to start anew."""
    checkpoint = run / CHECKPOINT
    run.mkdir(exist_ok=True)
    if resume:
        return checkpoint if checkpoint.exists() else None
    if not _is_child():
        checkpoint.unlink(missing_ok=True)
    return None


def _is_child() -> bool:
    """Whether this process was started by the first process of the run."""
    return int(os.environ.get("LOCAL_RANK", "0")) > 0


def _start_from(module: PretrainModule, start: Weights) -> None:
    if start.encoder.config != module.recipe.network:
        raise ModelFileError(
            "the weights to start from belong to a network of another shape",
            hint="leave them out, or give the recipe they were made with",
        )
    module.model.encoder.load_state_dict(start.encoder.state_dict())


def _record(recipe: PretrainRecipe, seed: int, scenes: list[xr.DataArray]) -> dict[str, Any]:
    return {
        "recipe": dataclasses.asdict(recipe),
        "seed": seed,
        "scenes": [
            {"name": Path(name_of(scene)).name, "hash": scene_hash(scene)} for scene in scenes
        ],
        "versions": versions(),
    }
