"""Preview of a map: the teacher's predictions, without the network that learns from them.

Letters for shapes: K classes, N pixels of all regions, (H, W) rows and columns of the preview.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from hsi_geo import stages
from hsi_geo.arrays import AnyArray, Float32Array, Float64Array
from hsi_geo.io.labels.shots import ClassTable, Shots
from hsi_geo.io.maps.hierarchy import Hierarchy
from hsi_geo.io.scenes.properties import grid_of
from hsi_geo.models.s2former import S2Former
from hsi_geo.progress import Reporter, WarningRecorder
from hsi_geo.tasks.adaptation.canonical_order import in_canonical_order
from hsi_geo.tasks.adaptation.ensemble import normalize
from hsi_geo.tasks.adaptation.library_regions import with_library
from hsi_geo.tasks.adaptation.pixel_features import PIXEL_FEATURE_STEPS
from hsi_geo.tasks.adaptation.prepared import PreparedScenes
from hsi_geo.tasks.adaptation.preview_regions import Lattice, cut_preview_regions
from hsi_geo.tasks.adaptation.region_cutting import cut_training_regions, whole_scenes
from hsi_geo.tasks.adaptation.steps import Steps
from hsi_geo.tasks.adaptation.teacher import TEACHER_STEPS, Teacher, fit_teacher
from hsi_geo.tasks.adaptation.training_regions import TrainingRegions
from hsi_geo.tasks.validation.accuracy import Accuracy
from hsi_geo.tiling import Bounds, Grid, Window

#: Share of a pixel by which bounds may miss an edge.
EDGE_PX = 1e-3

#: Value of `Preview.confidence` and `Preview.familiarity` where there is no data.
NO_DATA = 255


@dataclass(frozen=True, eq=False)
class Preview:
    """What a map will look like.

    Attributes:
        grid: Grid of the preview.
        step_px: Each of its pixels is one of ``step_px`` x ``step_px`` pixels of the scene.
        class_ids: (H, W) class of each pixel, 0 without data, then 1..K.
        confidence: (H, W) probability of that class in per cent, 255 without data. As in a map it is at most the
            familiarity.
        familiarity: (H, W) familiarity of each pixel in per cent, 255 without data.
        classes: Class table.
        shots: Number of usable pixels under shots by class name.
        accuracy: Estimate from the held-out shots.
        suspicious_shots: Shots that look wrong, as in the record of a map.
        warnings: Warnings on the shots.
        seconds: Time that it took.
        probabilities: (K, H, W) class probabilities, 0 without data. Their sum is the familiarity.
        spectra: (C, H, W) whitened spectra, 0 without data.
        class_spectra: (C,) mean physical values of the shots of each class, by its name.
    """

    grid: Grid
    step_px: int
    class_ids: AnyArray
    confidence: AnyArray
    familiarity: AnyArray
    classes: ClassTable
    shots: Mapping[str, int]
    accuracy: Accuracy
    suspicious_shots: list[dict[str, Any]]
    warnings: list[str]
    seconds: float
    probabilities: Float32Array = field(repr=False)
    spectra: Float32Array = field(repr=False)
    class_spectra: Mapping[str, Float64Array] = field(repr=False)


def prepare_features(
    prepared: PreparedScenes,
    *,
    encoder: S2Former | None,
    budget_px: int,
    device: torch.device,
    reporter: Reporter,
) -> None:
    """Compute what no shot has an effect on: statistics, and for a small scene features and graphs.

    Args:
        prepared: One scene.
        encoder: Pre-trained encoder; None for no encoder features.
        budget_px: See `preview_map`.
        device: Device on which the encoder runs.
        reporter: Receives progress and messages.

    Raises:
        SceneError: If the scene has no data.
    """
    grid = grid_of(prepared.reads.views[0])
    if grid.height * grid.width > budget_px:
        prepared.reads.spectral(reporter)
        return
    regions = whole_scenes(prepared.scenes, prepared.reads, reporter)
    steps = Steps(reporter, stages.LEARNING, PIXEL_FEATURE_STEPS)
    prepared.pixel_features(regions, encoder, device, steps)


def preview_map(
    prepared: PreparedScenes,
    shots: Shots,
    bounds: Bounds | None,
    *,
    encoder: S2Former | None,
    budget_px: int,
    trust_shots: bool,
    seed: int,
    device: torch.device,
    reporter: Reporter,
) -> Preview:
    """Predict the pixels of a scene, or of a part of it, from shots.

    A scene of at most ``budget_px`` pixels is predicted as a whole, with the teacher that its map would have. Of a
    larger one a part is predicted, of which at most `preview_regions.PREVIEW_PX` pixels are read.

    Args:
        prepared: One scene.
        shots: Shots in any CRS.
        bounds: Part of a large scene, (left, bottom, right, top) in its CRS; None for all of it.
        encoder: Pre-trained encoder; None for no encoder features.
        budget_px: Number of pixels up to which a scene is predicted as a whole.
        trust_shots: Whether all shots weigh the same.
        seed: Seed of the random choice of pixels of classes that have too many.
        device: Device on which the encoder runs.
        reporter: Receives progress and messages.

    Raises:
        SceneError: If the part has no data.
        ShotsError: If fewer than two classes have a usable pixel.
    """
    start = time.perf_counter()
    recorder = WarningRecorder(reporter)
    for warning in shots.warnings:
        recorder.warning(warning)
    scene_grid = grid_of(prepared.reads.views[0])
    is_whole = scene_grid.height * scene_grid.width <= budget_px
    if is_whole:
        grid, step_px = scene_grid, 1
        regions = cut_training_regions(
            prepared.scenes,
            shots,
            budget_px=budget_px,
            seed=seed,
            reporter=recorder,
            reads=prepared.reads,
        )
    else:
        regions, grid, step_px = _part(prepared, shots, bounds, scene_grid, seed, recorder)
    regions = with_library(regions, shots, recorder)
    ordered, order = in_canonical_order(regions)
    steps = Steps(recorder, stages.LEARNING, PIXEL_FEATURE_STEPS + TEACHER_STEPS)
    pixels = prepared.pixel_features(ordered, encoder, device, steps, to_file=is_whole)
    teacher = fit_teacher(
        ordered,
        encoder,
        device,
        pixels=pixels,
        trust_shots=trust_shots,
        walk=prepared.walks,
        advance=steps,
    )
    place = np.argsort(order.classes)  # position of each class of the table in the canonical order
    probabilities, familiarity = _on_grid(teacher, regions, place)
    chosen, shown = probabilities.argmax(axis=0), probabilities.max(axis=0)
    if (levels := Hierarchy.of(shots.classes)) is not None:  # as in the map
        _, chosen, shown = levels.choose(probabilities)
    ids = np.where(probabilities.any(axis=0), chosen + 1, 0)
    probabilities *= familiarity  # as in a map: what is unlike all shots belongs to no class
    confidence = np.rint(100 * shown * familiarity)
    return Preview(
        grid,
        step_px,
        ids.astype(np.uint8 if len(place) < NO_DATA else np.uint16),
        np.where(ids > 0, confidence, NO_DATA).astype(np.uint8),
        np.where(ids > 0, np.rint(100 * familiarity), NO_DATA).astype(np.uint8),
        shots.classes,
        regions.counts,
        teacher.accuracy,
        order.restore_suspicious(teacher.suspicious).as_list(shots),
        recorder.warnings,
        time.perf_counter() - start,
        probabilities,
        _whitened(regions),
        _class_spectra(regions),
    )


def _part(
    prepared: PreparedScenes,
    shots: Shots,
    bounds: Bounds | None,
    grid: Grid,
    seed: int,
    reporter: Reporter,
) -> tuple[TrainingRegions, Grid, int]:
    """Regions of a part of a large scene, of which the first is shown; its grid, and the distance of its pixels."""
    window = grid.window if bounds is None else _touched(grid, bounds).clip(*grid.shape)
    if not window.height * window.width:
        reporter.warning("the bounds lie outside the scene: the preview is of the whole scene")
        window = grid.window
    lattice = Lattice.covering(grid, window)
    shown = lattice.cells(window)
    regions = cut_preview_regions(
        prepared.reads, shots, lattice, shown, seed=seed, reporter=reporter
    )
    return regions, lattice.grid(grid, shown), lattice.step_px


def _touched(grid: Grid, bounds: Bounds) -> Window:
    """The pixels that bounds touch, at least one."""
    left, bottom, right, top = bounds
    inverse = ~grid.transform
    corners = [inverse @ (x, y) for x in (left, right) for y in (bottom, top)]
    limits = [float(max(grid.height, grid.width)) + 1.0, -1.0]
    cols, rows = ([min(max(one[i], limits[1]), limits[0]) for one in corners] for i in (0, 1))
    # Bounds on an edge of pixels touch one side of it, whatever their rounding.
    row, col = math.floor(min(rows) + EDGE_PX), math.floor(min(cols) + EDGE_PX)
    end_row, end_col = math.ceil(max(rows) - EDGE_PX), math.ceil(max(cols) - EDGE_PX)
    return Window(row, col, max(1, end_row - row), max(1, end_col - col))


def _on_grid(
    teacher: Teacher, regions: TrainingRegions, place: AnyArray
) -> tuple[Float32Array, Float32Array]:
    """(K, H, W) class probabilities of sum 1, and (H, W) familiarity of the first region; 0 without data."""
    first = regions.regions[0]
    last = teacher.steps[-1][: int(first.inside.sum())]
    familiar = 1.0 - last[:, -1]
    of_class = normalize(last[:, :-1][:, place])
    inside = first.inside
    shape = inside.shape
    probabilities = np.zeros((of_class.shape[1], *shape), np.float32)
    probabilities[:, inside] = of_class.T
    familiarity = np.zeros(shape, np.float32)
    familiarity[inside] = familiar
    shown = first.window.relative_to(first.padded_window).slices
    return probabilities[:, shown[0], shown[1]], familiarity[shown]


def _whitened(regions: TrainingRegions) -> Float32Array:
    """(C, H, W) whitened spectra of the first region."""
    first = regions.regions[0]
    shown = first.window.relative_to(first.padded_window).slices
    whitening = regions.spectral.whitening
    centred = first.image[:, shown[0], shown[1]] - whitening.centre[:, None, None]
    whitened = np.einsum("tc,chw->thw", whitening.matrix, centred, optimize=True)
    return np.asarray(whitened * first.valid[shown], np.float32)


def _class_spectra(regions: TrainingRegions) -> dict[str, Float64Array]:
    """(C,) mean physical values of the shots of each class that has some."""
    spectra, labels = regions.spectra, regions.labels
    return {
        c.name: spectra[:, labels == index].mean(axis=1).astype(np.float64)
        for index, c in enumerate(regions.classes)
        if (labels == index).any()
    }
