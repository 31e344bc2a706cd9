"""Fitting a model to shots: the steps of an adaptation.

They are: band statistics of the scene (`region_cutting`), an ensemble of classifiers that predicts all pixels of
the training regions (`teacher`), and a network that is fine-tuned on these predictions (`daft`) and can therefore
classify pixels of other tiles too.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr

from hsi_geo import stages
from hsi_geo.io.labels.parents import parent_indices, parent_table
from hsi_geo.io.labels.shots import Shots
from hsi_geo.io.scenes.mask_option import mask_names
from hsi_geo.io.scenes.properties import select_good_bands
from hsi_geo.models.classifier import Classifier
from hsi_geo.models.random_weights import initialised
from hsi_geo.models.s2former import S2Former
from hsi_geo.progress import Reporter
from hsi_geo.tasks.adaptation.canonical_order import in_canonical_order
from hsi_geo.tasks.adaptation.cross_validation import METHOD, cross_validate
from hsi_geo.tasks.adaptation.daft import fine_tune
from hsi_geo.tasks.adaptation.feature_sets import PixelFeatures
from hsi_geo.tasks.adaptation.library_regions import LIBRARY_REASON, library_entry, with_library
from hsi_geo.tasks.adaptation.pixel_features import PIXEL_FEATURE_STEPS
from hsi_geo.tasks.adaptation.prepared import PreparedScenes
from hsi_geo.tasks.adaptation.recipe import Recipe
from hsi_geo.tasks.adaptation.region_cutting import cut_training_regions
from hsi_geo.tasks.adaptation.shot_weights import suspicious_message
from hsi_geo.tasks.adaptation.steps import Steps
from hsi_geo.tasks.adaptation.teacher import TEACHER_STEPS, Teacher, fit_teacher
from hsi_geo.tasks.adaptation.training_regions import TrainingRegions
from hsi_geo.tasks.artifacts.model import AdaptedModel
from hsi_geo.tasks.artifacts.weights import load_weights
from hsi_geo.tasks.inference.axis_coverage import log_ignored_bands, require_on_axis
from hsi_geo.tasks.inference.novelty import keep_shot_spectra
from hsi_geo.tasks.inference.rejection import REJECT_BELOW
from hsi_geo.tasks.inference.scene_scale import require_common_scale
from hsi_geo.tasks.runtime import (
    Compute,
    computing,
    file_hash,
    places_hash,
    scene_hash,
    seeded,
    shots_hash,
    versions,
)
from hsi_geo.tasks.validation.accuracy import PARENTS_ACCURACY, Accuracy, at_upper_level, estimate
from hsi_geo.text import plain
from hsi_geo.tiling import Tiling


def fit_model(
    opened: list[xr.DataArray],
    labelled: Shots,
    prepared: PreparedScenes,
    *,
    weights: str | os.PathLike[str],
    recipe: Recipe,
    cross_validation: bool,
    compute: Compute,
    reporter: Reporter,
) -> AdaptedModel:
    """Fit a model to the shots in some scenes.

    Args:
        opened: Scenes of one sensor, CRS and pixel size.
        labelled: Shots in any CRS.
        prepared: The scenes, ready to be read by windows, with what was computed for an earlier adaptation.
        weights: Path of the network weights to start from; "none" starts from random ones.
        recipe: Hyperparameters of the adaptation.
        cross_validation: Whether to estimate the accuracy by adapting the model once more without each fold of the
            shots.
        compute: Device, number of threads, and seed.
        reporter: Receives progress and messages.

    Raises:
        HsiGeoError: If scenes, shots or weights do not fit each other; the message says why.
    """
    seed = compute.seed
    encoder = None if weights == "none" else load_weights(weights).encoder
    network = recipe.network if encoder is None else encoder.config
    for scene in opened:
        require_on_axis(network, scene)
    log_ignored_bands(network, opened, reporter)
    with computing(compute, reporter) as on, seeded(seed):
        require_common_scale([select_good_bands(scene) for scene in prepared.scenes])
        regions = cut_training_regions(
            prepared.scenes,
            labelled,
            budget_px=recipe.budget_px,
            seed=seed,
            reporter=reporter,
            reads=prepared.reads,
        )
        regions = with_library(regions, labelled, reporter)
        ordered, order = in_canonical_order(regions)
        # Windows overlap by an eighth at least.
        stride_px = min(recipe.stride_px, max(1, 7 * network.window_px // 8))
        tiling = Tiling(network.window_px, stride_px)
        reporter.progress(stages.LEARNING, 0, PIXEL_FEATURE_STEPS + TEACHER_STEPS)
        pixels = prepared.pixel_features(
            ordered,
            encoder if recipe.use_encoder_features else None,
            on,
            Steps(reporter, stages.LEARNING, PIXEL_FEATURE_STEPS + TEACHER_STEPS),
        )
        classifier, teacher = fit_classifier(ordered, pixels, encoder, recipe, on, seed, reporter)
        out_of_fold, accuracy = teacher.out_of_fold, _known(teacher.accuracy, regions)
        suspicious = order.restore_suspicious(teacher.suspicious).as_list(labelled)
        if suspicious:
            reporter.log(suspicious_message(suspicious))
        if cross_validation:

            def fit(part: TrainingRegions, fold_reporter: Reporter) -> Classifier:
                return fit_classifier(
                    part,
                    pixels,
                    encoder,
                    recipe,
                    on,
                    seed,
                    fold_reporter,
                    estimate_accuracy=False,
                )[0]

            out_of_fold = cross_validate(ordered, out_of_fold.shares, fit, tiling, on, reporter)
            accuracy = _known(
                estimate(out_of_fold, [c.name for c in ordered.classes], METHOD), regions
            )
        record: dict[str, Any] = {
            "seed": seed,
            "shots": regions.counts,
            "accuracy": accuracy.as_dict(),
            "held_out": order.restore_out_of_fold(out_of_fold).as_dict(labelled),
            "suspicious_shots": suspicious,
            "found": {
                "context_px": round(teacher.context_px, 3),
                REJECT_BELOW: teacher.reject_below,
            },
            **library_entry(regions, labelled, reporter),
            "parameters": {
                **_reading_options(labelled),
                "wavelengths": _wavelength_option(opened),
                "masks": mask_names(opened),
                "weights": "none" if encoder is None else file_hash(weights),
                "recipe": dataclasses.asdict(recipe),
            },
            "hashes": {
                "scenes": [scene_hash(scene) for scene in opened],
                "shots": shots_hash(labelled),
                "places": places_hash(labelled),
                **_if_several(labelled, "shot_files", shots_hash),
                **_if_several(labelled, "place_files", places_hash),
            },
            "versions": versions(),
        }
        parents = parent_indices(labelled.classes)
        if len(parents):
            upper = at_upper_level(order.restore_out_of_fold(out_of_fold), parents)
            names = [c.name for c in parent_table(labelled.classes)]
            record[PARENTS_ACCURACY] = _known(
                estimate(upper, names, accuracy.method), regions
            ).as_dict()
        return AdaptedModel(
            order.restore_classifier(classifier),
            regions.spectral,
            labelled.classes,
            tiling,
            record,
            tuple(order.classes.tolist()),
            keep_shot_spectra(regions.spectral, regions.spectra, regions.labels),
        )


def _known(accuracy: Accuracy, regions: TrainingRegions) -> Accuracy:
    """The estimate; unknown, with the reason, if spectra of a library are all that was held back or taught."""
    if regions.library_px and accuracy.oa is None:
        return Accuracy.unknown(LIBRARY_REASON)
    return accuracy


def _reading_options(labelled: Shots) -> dict[str, Any]:
    """How the shots were read; for several files a list with an entry for each."""
    found: dict[str, Any] = {}
    for name in ("class_field", "layer", "all_touched"):
        of_each = [getattr(part, name) for part in labelled.parts]
        found[name] = of_each or getattr(labelled, name)
    return found | _if_several(labelled, "shot_files", lambda part: plain(Path(part.source).name))


def _if_several(labelled: Shots, name: str, of: Callable[[Shots], str]) -> dict[str, list[str]]:
    """An entry of the record with something of each file of shots; none for a single file."""
    return {name: [of(part) for part in labelled.parts]} if labelled.parts else {}


def _wavelength_option(scenes: list[xr.DataArray]) -> str | list[str | None] | None:
    """The option that the scenes were opened with; one for each scene where they differ."""
    options = [scene.attrs.get("wavelength_option") for scene in scenes]
    return options[0] if len(set(options)) == 1 else options


def fit_classifier(
    regions: TrainingRegions,
    pixels: PixelFeatures,
    encoder: S2Former | None,
    recipe: Recipe,
    device: torch.device,
    seed: int,
    reporter: Reporter,
    *,
    estimate_accuracy: bool = True,
) -> tuple[Classifier, Teacher]:
    """Fit the teacher, and a network to the teacher's predictions.

    Args:
        regions: Pixels and shots.
        pixels: Features and graphs of these pixels.
        encoder: Pre-trained encoder to start from; None starts from random weights.
        recipe: Hyperparameters of the adaptation.
        device: Device on which networks run.
        seed: Seed of all random numbers.
        reporter: Receives the progress.
        estimate_accuracy: Whether the teacher estimates its accuracy, see `fit_teacher`.
    """
    total = PIXEL_FEATURE_STEPS + TEACHER_STEPS
    advance = Steps(reporter, stages.LEARNING, total, PIXEL_FEATURE_STEPS)
    teacher = fit_teacher(
        regions,
        encoder if recipe.use_encoder_features else None,
        device,
        pixels=pixels,
        estimate_accuracy=estimate_accuracy,
        trust_shots=recipe.trust_shots,
        advance=advance,
    )
    if recipe.method == "linear" and encoder is not None:
        # It needs scikit-learn, which takes long to import.
        from hsi_geo.tasks.adaptation.linear_probe import fit_linear_probe

        return fit_linear_probe(regions, encoder, device), teacher
    # Torch's global generator is one for the process: other threads draw from it, too.
    source = torch.Generator().manual_seed(seed)
    network = recipe.network if encoder is None else encoder.config
    classifier = initialised(lambda: Classifier(network, len(regions.classes)), source)
    if encoder is not None:
        classifier.backbone.load_state_dict(encoder.cpu().state_dict())
    generator = np.random.default_rng(seed)
    classifier = fine_tune(
        classifier, regions, teacher, recipe.fine_tuning, device, generator, reporter, source
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
