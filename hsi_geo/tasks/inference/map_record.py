"""The content of a map's record: classes with their pixels, parameters, hashes, versions and accuracy."""

from __future__ import annotations

import os
from typing import Any

import xarray as xr

from hsi_geo.arrays import IntArray
from hsi_geo.io.labels.rejected_classes import REJECTED, REJECTED_PARENTS
from hsi_geo.io.maps.record import PARENTS
from hsi_geo.io.maps.writer import MapWriter
from hsi_geo.io.scenes.properties import name_of
from hsi_geo.tasks.artifacts.model import AdaptedModel
from hsi_geo.tasks.inference.domain_shift import DomainShift
from hsi_geo.tasks.inference.options import MapOptions
from hsi_geo.tasks.runtime import scene_hash, versions
from hsi_geo.tasks.validation.accuracy import PARENTS_ACCURACY, Accuracy

#: Reason why the accuracy of a map is unknown if its scene contains no shots.
NOT_ADAPTED_TO = "the model was adapted to another scene"

#: Keys of a class in the record of a map with rejected pixels or a least area of patches: its pixels before pixels were
#: rejected and small patches given away, and how many of these were rejected.
PIXELS_BEFORE, REJECTED_PIXELS = "pixels_before", "rejected_pixels"


def new_record(
    scene: xr.DataArray,
    model: AdaptedModel,
    model_hash: str,
    options: MapOptions,
    restat: bool,
    writer: MapWriter,
) -> dict[str, Any]:
    """The record of a map, to which `write_map` adds what it found while it mapped.

    Args:
        scene: Scene that was mapped.
        model: Model that mapped it.
        model_hash: SHA-256 of the model.
        options: Options of mapping.
        restat: Whether the band statistics are those of this scene.
        writer: Writer of the map, which has counted the pixels of each class.
    """
    shots, counts = model.record["shots"], writer.counts

    def pixels(class_id: int) -> dict[str, Any]:
        return _counted(counts, class_id)

    def before(class_id: int) -> dict[str, int]:
        """Pixels before rejection and cleaning, and how many of them were rejected."""
        if writer.rejection is None and options.min_area is None:
            return {}
        return {
            PIXELS_BEFORE: int(writer.chosen_counts[class_id]),
            REJECTED_PIXELS: int(writer.rejected_counts[class_id]),
        }

    rejection = writer.rejection
    rejected: dict[str, Any] = {}
    if rejection is not None:
        rejected[REJECTED] = [
            {"id": c.id, "name": c.name, "color": c.color, **pixels(c.id)}
            for c in rejection.classes
        ]
    if writer.hierarchy is not None:
        last = len(writer.hierarchy.table)
        entries = [
            {"id": c.id, "name": c.name, "color": c.color, **_counted(writer.parent_counts, c.id)}
            for c in writer.parents_legend
        ]
        rejected[PARENTS] = entries[:last]
        if rejection is not None:
            rejected[REJECTED_PARENTS] = entries[last:]
    used = options.pixel_parameters
    if rejection is not None and "reject" in used:
        used["min_familiarity"] = round(rejection.min_familiarity, 6)
    return {
        "classes": [
            {**c.as_dict(), "shots": shots[c.name], **pixels(c.id), **before(c.id)}
            for c in model.classes
        ],
        **rejected,
        "seed": model.record["seed"],
        "adaptation": {
            **{
                key: model.record[key]
                for key in ("accuracy", "found", "parameters", "hashes", "versions")
            },
            **_held_out(model),
            # A model of an earlier version knows none.
            "suspicious_shots": model.record.get("suspicious_shots", []),
        },
        "parameters": {
            "aoi": None if options.aoi is None else os.fspath(options.aoi),
            "confidence": options.confidence,
            "probabilities": options.probabilities,
            "restat": restat,
            "window_px": model.tiling.size_px,
            "stride_px": model.tiling.stride_px,
            "wavelength_source": scene.attrs.get("wavelength_source"),
            **used,
            **({"grid": dict(scene.attrs["placed"])} if "placed" in scene.attrs else {}),
        },
        "hashes": {"scene": scene_hash(scene), "model": model_hash},
        "scene": name_of(scene),
        "versions": versions(),
    }


def accuracy_entries(
    model: AdaptedModel, is_training_scene: bool, shift: DomainShift | None
) -> dict[str, Any]:
    """Entries of the record: the accuracy of this scene, and whether the model's may hold for it.

    Args:
        model: Model that mapped the scene.
        is_training_scene: Whether the model was adapted to this scene.
        shift: Difference between the scene and the one that the model was adapted to; None if they were not compared.
    """
    accuracy = model.record["accuracy"]
    upper = model.record.get(PARENTS_ACCURACY) if is_training_scene else None
    return {
        **({} if upper is None else {PARENTS_ACCURACY: upper}),
        "accuracy": accuracy if is_training_scene else Accuracy.unknown(NOT_ADAPTED_TO).as_dict(),
        "scene_adapted_to": is_training_scene,
        "domain_shift": None if shift is None else shift.as_dict(),
        "drifts": shift is not None and shift.drifts,
    }


def _counted(counts: IntArray, class_id: int) -> dict[str, Any]:
    """Pixels of a class, and their share of all pixels with data."""
    count = int(counts[class_id])
    return {"pixels": count, "share": round(count / max(1, int(counts[1:].sum())), 6)}


def _held_out(model: AdaptedModel) -> dict[str, Any]:
    """Confusion matrix of the held-out shots, by which areas of zones get their errors."""
    matrix = model.record.get("held_out", {}).get("matrix")
    return {} if matrix is None else {"held_out_matrix": matrix}
