"""Few-shot adaptation: from a scene and a few shots to a model that maps the scene.

The steps are: band statistics of the scene (`training_regions`), an ensemble of classifiers that
predicts all pixels of the training regions (`teacher`), and a network that is fine-tuned on these
predictions (`daft`) and can therefore classify pixels of other tiles too.
"""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import torch
import xarray as xr

from hsi_geo import stages
from hsi_geo.io.labels.shots import Shots, read_shots
from hsi_geo.io.outputs.atomic import atomic_outputs
from hsi_geo.io.scenes.properties import files_of, log_remarks, select_good_bands
from hsi_geo.io.scenes.scene import SomeScenes, open_scenes
from hsi_geo.io.scenes.unpacking import unpacked
from hsi_geo.models.classifier import Classifier
from hsi_geo.models.s2former import S2Former
from hsi_geo.models.s2former_config import S2FormerConfig
from hsi_geo.progress import LoggingReporter, Reporter, SilentReporter
from hsi_geo.tasks.adaptation.canonical_order import in_canonical_order
from hsi_geo.tasks.adaptation.cross_validation import METHOD, cross_validate
from hsi_geo.tasks.adaptation.daft import FineTuneConfig, fine_tune
from hsi_geo.tasks.adaptation.linear_probe import fit_linear_probe
from hsi_geo.tasks.adaptation.teacher import Teacher, fit_teacher
from hsi_geo.tasks.adaptation.training_regions import TrainingRegions, cut_training_regions
from hsi_geo.tasks.artifacts.model import AdaptedModel, save_model
from hsi_geo.tasks.artifacts.weights import SHIPPED, load_weights
from hsi_geo.tasks.inference.axis_coverage import log_ignored_bands
from hsi_geo.tasks.inference.novelty import keep_shot_spectra
from hsi_geo.tasks.inference.scene_scale import require_common_scale
from hsi_geo.tasks.inference.scene_statistics import require_on_axis
from hsi_geo.tasks.runtime import (
    Compute,
    computing,
    file_hash,
    scene_hash,
    seeded,
    shots_hash,
    versions,
)
from hsi_geo.tasks.validation.accuracy import estimate
from hsi_geo.tiling import Tiling


@dataclass(frozen=True, slots=True)
class Recipe:
    """Hyperparameters of the adaptation; the default is the same for all scenes.

    Attributes:
        network: Hyperparameters of the S2Former, for an adaptation without pre-trained weights.
        stride_px: Step between windows when mapping, in pixels.
        method: "daft" fine-tunes the whole network, "linear" fits a linear head on the frozen encoder.
        fine_tuning: Hyperparameters of the fine-tuning.
        budget_px: Approximate number of pixels in the training regions.
        use_encoder_features: Whether the teacher's classifiers get the encoder's features as well;
            False is an ablation.
    """

    network: S2FormerConfig = field(default_factory=S2FormerConfig)
    stride_px: int = 12
    method: Literal["daft", "linear"] = "daft"
    fine_tuning: FineTuneConfig = field(default_factory=FineTuneConfig)
    budget_px: int = 40_000
    use_encoder_features: bool = True


DEFAULT_RECIPE = Recipe()
DEFAULT_WEIGHTS: str | os.PathLike[str] = SHIPPED


def adapt(
    scenes: SomeScenes,
    shots: str | os.PathLike[str] | Shots,
    *,
    out: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    weights: str | os.PathLike[str] | None = None,
    recipe: Recipe | None = None,
    cross_validation: bool = False,
    compute: Compute = Compute(),
    reporter: Reporter | None = None,
) -> AdaptedModel:
    """Adapt a model to a scene from a few shots.

    Args:
        scenes: Path of a scene, or what `open_scene` returned; or a list of them, of one sensor, CRS
            and pixel size. Each shot goes to the scene it lies in.
        shots: Path of a vector file with labelled geometries in any CRS, or what `read_shots`
            returned.
        out: Path of the model file; None writes none.
        overwrite: Whether to replace ``out`` if it exists; without it that raises an error.
        weights: Path of network weights that `pretrain` wrote, to start from. None takes the
            weights that come with the package, "none" starts from random ones.
        recipe: Hyperparameters of the adaptation; None takes the default.
        cross_validation: Whether to estimate the accuracy by adapting the model once more without
            each fold of the shots, so that no held-out shot has any influence on its own
            prediction. This takes up to six times as long; the model is the same.
        compute: Device, number of threads, and seed.
        reporter: Receives progress and messages; None sends messages to Python's ``logging``.

    Returns:
        The model.

    Raises:
        HsiGeoError: If scene, shots or output cannot be used; the message says why.
    """
    reporter = reporter or LoggingReporter()
    recipe = recipe or DEFAULT_RECIPE
    seed = compute.seed
    opened = open_scenes(scenes)
    log_remarks(opened, reporter)
    labelled = read_shots(shots)
    for note in labelled.notes:
        reporter.log(note)
    for warning in labelled.warnings:
        reporter.warning(warning)
    if weights is None:
        weights = DEFAULT_WEIGHTS
    encoder = None if weights == "none" else load_weights(weights).encoder
    network = recipe.network if encoder is None else encoder.config
    for scene in opened:
        require_on_axis(network, scene)
    log_ignored_bands(network, opened, reporter)
    finals = [] if out is None else [Path(out)]
    inputs = [name for scene in opened for name in files_of(scene)]
    with (
        atomic_outputs(
            finals,
            overwrite=overwrite,
            inputs=[*inputs, *labelled.files, None if weights == "none" else weights],
        ) as where,
        computing(compute, reporter) as on,
        seeded(seed),
        unpacked(opened, reporter.log) as readable,
    ):
        require_common_scale([select_good_bands(scene) for scene in readable])
        regions = cut_training_regions(
            readable,
            labelled,
            budget_px=recipe.budget_px,
            seed=seed,
            reporter=reporter,
        )
        ordered, order = in_canonical_order(regions)
        # Windows overlap by a quarter at least.
        stride_px = min(recipe.stride_px, max(1, 3 * network.window_px // 4))
        tiling = Tiling(network.window_px, stride_px)
        classifier, teacher = _fit(ordered, encoder, recipe, on, seed, reporter)
        out_of_fold, accuracy = teacher.out_of_fold, teacher.accuracy
        if cross_validation:
            out_of_fold = cross_validate(
                ordered,
                out_of_fold.shares,
                lambda part: _fit(part, encoder, recipe, on, seed, SilentReporter())[0],
                tiling,
                on,
                reporter,
            )
            accuracy = estimate(out_of_fold, [c.name for c in ordered.classes], METHOD)
        record = {
            "seed": seed,
            "shots": regions.counts,
            "accuracy": accuracy.as_dict(),
            "held_out": order.restore_out_of_fold(out_of_fold).as_dict(labelled),
            "found": {"context_px": round(teacher.context_px, 3)},
            "parameters": {
                "class_field": labelled.class_field,
                "layer": labelled.layer,
                "all_touched": labelled.all_touched,
                "wavelengths": _wavelength_option(opened),
                "weights": "none" if encoder is None else file_hash(weights),
                "recipe": dataclasses.asdict(recipe),
            },
            "hashes": {
                "scenes": [scene_hash(scene) for scene in opened],
                "shots": shots_hash(labelled),
            },
            "versions": versions(),
        }
        model = AdaptedModel(
            order.restore_classifier(classifier),
            regions.spectral,
            labelled.classes,
            tiling,
            record,
            tuple(order.classes.tolist()),
            keep_shot_spectra(regions.spectral, regions.spectra, regions.labels),
        )
        for final in finals:
            save_model(model, where[final])
    return model


def _wavelength_option(scenes: list[xr.DataArray]) -> str | list[str | None] | None:
    """The option that the scenes were opened with; one for each scene where they differ."""
    options = [scene.attrs.get("wavelength_option") for scene in scenes]
    return options[0] if len(set(options)) == 1 else options


def _fit(
    regions: TrainingRegions,
    encoder: S2Former | None,
    recipe: Recipe,
    device: torch.device,
    seed: int,
    reporter: Reporter,
) -> tuple[Classifier, Teacher]:
    """Fit the teacher, and a network to the teacher's predictions."""
    reporter.progress(stages.LEARNING, 0, 1)
    teacher = fit_teacher(regions, encoder if recipe.use_encoder_features else None, device)
    reporter.progress(stages.LEARNING, 1, 1)
    if recipe.method == "linear" and encoder is not None:
        return fit_linear_probe(regions, encoder, device), teacher
    torch.manual_seed(seed)  # independent of the teacher's draws
    classifier = Classifier(
        recipe.network if encoder is None else encoder.config, len(regions.classes)
    )
    if encoder is not None:
        classifier.backbone.load_state_dict(encoder.cpu().state_dict())
    generator = np.random.default_rng(seed)
    classifier = fine_tune(
        classifier, regions, teacher, recipe.fine_tuning, device, generator, reporter
    )
    _disable_absent_classes(classifier, regions)
    return classifier, teacher


def _disable_absent_classes(classifier: Classifier, regions: TrainingRegions) -> None:
    """Set the head so that a class without a usable shot is never predicted."""
    for index, c in enumerate(regions.classes):
        if not regions.counts[c.name]:
            with torch.no_grad():
                classifier.head.weight[index] = 0.0
                classifier.head.bias[index] = -1e4
