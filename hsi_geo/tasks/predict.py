"""The sliding-window predictor: any scene, any size, one block at a time."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xarray as xr

from hsi_geo.errors import OptionError
from hsi_geo.io.labels.shots import ClassTable
from hsi_geo.io.maps.record import find_stale_files
from hsi_geo.io.maps.writer import MapPaths
from hsi_geo.io.outputs.atomic import atomic_outputs, refuse_input_overwrite
from hsi_geo.io.scenes.properties import files_of, log_remarks, name_of
from hsi_geo.io.scenes.scene import SomeScene, open_scene
from hsi_geo.io.scenes.unpacking import unpacked
from hsi_geo.progress import LoggingReporter, Reporter
from hsi_geo.tasks.artifacts.model import AdaptedModel, load_model, model_bytes
from hsi_geo.tasks.inference.axis_coverage import log_ignored_bands
from hsi_geo.tasks.inference.mapping import DEFAULT_MEMORY, MapOptions, write_map
from hsi_geo.tasks.inference.scene_scale import Rescale, parse_rescale
from hsi_geo.tasks.validation.accuracy import Accuracy


@dataclass(frozen=True, slots=True)
class MapResult:
    """What a map consists of.

    Attributes:
        paths: Files that were written.
        classes: Class table.
        accuracy: Estimate from the shots; none if they lie in another scene.
        record: What the map's JSON holds.
    """

    paths: MapPaths
    classes: ClassTable
    accuracy: Accuracy
    record: Mapping[str, Any]

    @property
    def adapted_accuracy(self) -> Accuracy | None:
        """That of the scene that the model was adapted to, if it is another one."""
        if self.record["scene_adapted_to"]:
            return None
        return Accuracy.from_dict(self.record["adaptation"]["accuracy"])


def predict(
    scene: SomeScene,
    model: str | os.PathLike[str] | AdaptedModel,
    *,
    out: str | os.PathLike[str] | None = None,
    wavelengths: str | None = None,
    aoi: str | os.PathLike[str] | None = None,
    confidence: bool = False,
    probabilities: bool = False,
    restat: bool = False,
    rescale: Rescale = None,
    overwrite: bool = False,
    max_memory: int = DEFAULT_MEMORY,
    device: str = "auto",
    threads: int | None = None,
    reporter: Reporter | None = None,
) -> MapResult:
    """Map a scene with an adapted model.

    Args:
        scene: Any scene that covers the model's wavelengths.
        model: What `adapt` returned, or the file it wrote.
        out: The map; by default ``SCENE_classes.tif`` beside the scene.
        wavelengths: See `open_scene`.
        aoi: Vector file; only pixels whose centre lies in its polygons are mapped.
        confidence: Also write ``MAP_confidence.tif``.
        probabilities: Also write ``MAP_probabilities.tif``.
        restat: Learn the statistics anew from this scene instead of taking the model's own: for a
            whole scene of another date or sensor, never for a tile.
        rescale: What the scene's values are multiplied by, where it is on another scale than the one
            that the model was adapted to; "auto" finds the power of ten, and says so. None refuses
            such a scene.
        overwrite: Replace outputs that are there.
        max_memory: Bytes that strips of the scene may take together.
        device: "auto", "cpu" or "cuda".
        threads: For torch on the CPU; with 1, the scene is not read ahead in another one either.
        reporter: Receives progress and messages.

    Returns:
        What was written.

    Raises:
        HsiGeoError: If scene, model or output cannot be used; the message says why.
    """
    reporter = reporter or LoggingReporter()
    options = MapOptions(
        confidence, probabilities, aoi, overwrite, max_memory, restat, parse_rescale(rescale)
    )
    if restat and options.rescale is not None:
        raise OptionError(
            "--restat and --rescale were both given, and new statistics need no scale",
            hint="give one of them",
        )
    opened = open_scene(scene, wavelengths=wavelengths)
    log_remarks([opened], reporter)
    paths = map_paths(opened, out, options)
    adapted = model if isinstance(model, AdaptedModel) else load_model(model)
    model_file = None if isinstance(model, AdaptedModel) else model
    log_ignored_bands(adapted.classifier.backbone.config, [opened], reporter)
    with (
        atomic_outputs(
            paths.all,
            overwrite=overwrite,
            inputs=[*files_of(opened), model_file, aoi],
            stale=find_stale_files(paths),
        ) as where,
        unpacked([opened], reporter.log) as readable,
    ):
        record = write_map(
            readable[0],
            adapted,
            paths.moved(where),
            model_hash=hashlib.sha256(model_bytes(adapted)).hexdigest(),
            options=options,
            device=device,
            threads=threads,
            reporter=reporter,
        )
    return MapResult(paths, adapted.classes, Accuracy.from_dict(record["accuracy"]), record)


def map_paths(
    scene: xr.DataArray, out: str | os.PathLike[str] | None, options: MapOptions
) -> MapPaths:
    """Where a scene's map goes.

    Raises:
        OptionError: If the name is no GeoTIFF's, or a file would replace the scene or the area.
    """
    if out is None:
        source = Path(name_of(scene))
        out = source.with_name(f"{source.stem}_classes.tif")
    path = Path(out)
    if path.suffix.lower() not in (".tif", ".tiff"):
        raise OptionError(
            f"output '{path}' does not end in .tif", hint="maps are written as GeoTIFF"
        )
    paths = MapPaths.of(path, confidence=options.confidence, probabilities=options.probabilities)
    refuse_input_overwrite(
        paths.all, [*files_of(scene), options.aoi]
    )  # told before anything else is read
    return paths
