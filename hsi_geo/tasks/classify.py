"""The main job: a scene and a few shots in, a map out."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict, Unpack

import numpy as np
import xarray as xr

from hsi_geo.errors import OptionError
from hsi_geo.io.files.scratch import scratch_folder
from hsi_geo.io.labels.aoi import read_area
from hsi_geo.io.labels.shots import Shots, read_shots
from hsi_geo.io.maps.record import find_stale_files, write_record
from hsi_geo.io.maps.writer import MapPaths
from hsi_geo.io.outputs.atomic import atomic_outputs, make_folder
from hsi_geo.io.scenes.properties import files_of, name_of, require_upright
from hsi_geo.io.scenes.scene import SomeScene, open_scene
from hsi_geo.io.scenes.unpacking import unpacked
from hsi_geo.progress import LoggingReporter, Reporter, WarningRecorder
from hsi_geo.tasks.adapt import adapt
from hsi_geo.tasks.artifacts.model import load_model
from hsi_geo.tasks.inference.mapping import DEFAULT_MEMORY, MapOptions, lost_classes, write_map
from hsi_geo.tasks.predict import MapResult, map_paths
from hsi_geo.tasks.reporting.map_report import MapReportContext, report_map
from hsi_geo.tasks.runtime import file_hash
from hsi_geo.tasks.validation.accuracy import Accuracy

SomeShots = str | os.PathLike[str] | Shots


class Settings(TypedDict, total=False):
    """Everything but scene, shots and output; see `classify` for what each means."""

    class_field: str | None
    layer: str | None
    all_touched: bool
    wavelengths: str | None
    weights: str | os.PathLike[str] | None
    aoi: str | os.PathLike[str] | None
    confidence: bool
    probabilities: bool
    report: bool
    command: str
    overwrite: bool
    max_memory: int
    seed: int
    device: str
    threads: int | None
    reporter: Reporter | None


def classify(
    scene: SomeScene,
    shots: SomeShots,
    *,
    out: str | os.PathLike[str] | None = None,
    class_field: str | None = None,
    layer: str | None = None,
    all_touched: bool = False,
    wavelengths: str | None = None,
    weights: str | os.PathLike[str] | None = None,
    aoi: str | os.PathLike[str] | None = None,
    confidence: bool = False,
    probabilities: bool = False,
    report: bool = False,
    command: str = "",
    overwrite: bool = False,
    max_memory: int = DEFAULT_MEMORY,
    seed: int = 0,
    device: str = "auto",
    threads: int | None = None,
    reporter: Reporter | None = None,
) -> MapResult:
    """Adapt a model to a scene and map the scene with it.

    The model is saved, read back and then used, so that the map is the one that `adapt` and
    `predict` give one after the other.

    Args:
        scene: The scene.
        shots: Vector file or shots read before, in any CRS.
        out: The map; by default ``SCENE_classes.tif`` beside the scene.
        class_field: See `read_shots`.
        layer: See `read_shots`.
        all_touched: Take every pixel a polygon touches, not only those whose centre it holds.
        wavelengths: See `open_scene`.
        weights: See `adapt`.
        aoi: Vector file; only pixels whose centre lies in its polygons are mapped.
        confidence: Also write ``MAP_confidence.tif``.
        probabilities: Also write ``MAP_probabilities.tif``.
        report: Also write ``MAP_report.html``, and estimate the accuracy by adapting anew without
            each fifth of the shots: up to six times the time.
        command: What makes the map again, to be shown in the report.
        overwrite: Replace outputs that are there.
        max_memory: Bytes that strips of the scene may take together while mapping.
        seed: Same seed, machine and thread count give the same bytes.
        device: "auto", "cpu" or "cuda".
        threads: For torch on the CPU.
        reporter: Receives progress and messages.

    Returns:
        What was written, the class table and the accuracy estimate.

    Raises:
        HsiGeoError: If scene, shots or output cannot be used; the message says why.
    """
    opened = open_scene(scene, wavelengths=wavelengths)
    options = MapOptions(confidence, probabilities, aoi, overwrite, max_memory)
    job = _Job(
        class_field,
        layer,
        all_touched,
        wavelengths,
        weights,
        options,
        report,
        command,
        seed,
        device,
        threads,
    )
    return job.run([opened], shots, [map_paths(opened, out, options)], reporter)[0]


def classify_scenes(
    scenes: Sequence[SomeScene],
    shots: SomeShots,
    *,
    out: str | os.PathLike[str] | None,
    **settings: Unpack[Settings],
) -> list[MapResult]:
    """Adapt one model to several scenes of a sensor and map all of them.

    Args:
        scenes: The scenes; each shot goes to the one it lies in.
        shots: As for `classify`.
        out: Folder for the maps, made if need be; each is ``SCENE_classes.tif``.
        **settings: As for `classify`.

    Returns:
        One result a scene. All maps appear together, when the last one is whole.

    Raises:
        HsiGeoError: If a scene, the shots or the folder cannot be used.
    """
    if out is None:
        raise OptionError("several scenes need a folder for their maps", hint="give one with -o")
    folder = Path(out)
    options = MapOptions(
        settings.get("confidence", False),
        settings.get("probabilities", False),
        settings.get("aoi"),
        settings.get("overwrite", False),
        settings.get("max_memory", DEFAULT_MEMORY),
    )
    job = _Job(
        settings.get("class_field"),
        settings.get("layer"),
        settings.get("all_touched", False),
        settings.get("wavelengths"),
        settings.get("weights"),
        options,
        settings.get("report", False),
        settings.get("command", ""),
        settings.get("seed", 0),
        settings.get("device", "auto"),
        settings.get("threads"),
    )
    opened = [open_scene(scene, wavelengths=job.wavelengths) for scene in scenes]
    paths = [map_paths(s, folder / f"{_stem(s, opened)}_classes.tif", options) for s in opened]
    made = make_folder(folder)
    try:
        return job.run(opened, shots, paths, settings.get("reporter"))
    except BaseException:
        if made:
            folder.rmdir()
        raise


@dataclass(frozen=True, slots=True)
class _Job:
    """Adapt once, map each scene, and let everything appear together."""

    class_field: str | None
    layer: str | None
    all_touched: bool
    wavelengths: str | None
    weights: str | os.PathLike[str] | None
    options: MapOptions
    report: bool
    command: str
    seed: int
    device: str
    threads: int | None

    def run(
        self,
        scenes: list[xr.DataArray],
        shots: SomeShots,
        paths: list[MapPaths],
        reporter: Reporter | None,
    ) -> list[MapResult]:
        witness = WarningRecorder(reporter or LoggingReporter())
        for scene in scenes:
            require_upright(scene)
            if self.options.aoi is not None:  # refused before a minute of learning
                read_area(self.options.aoi, scene.hsi.grid)
        labelled = read_shots(shots, class_field=self.class_field, layer=self.layer)
        if self.report:
            paths = [one.with_report() for one in paths]
        weights = None if self.weights == "none" else self.weights
        opened = [name for scene in scenes for name in files_of(scene)]
        with (
            atomic_outputs(
                [file for one in paths for file in one.all],
                overwrite=self.options.overwrite,
                inputs=[*opened, *labelled.files, self.options.aoi, weights],
                stale=[file for one in paths for file in find_stale_files(one)],
            ) as where,
            scratch_folder() as folder,
            unpacked(scenes, witness.log) as readable,
        ):
            model_path = folder / "model.safetensors"
            adapt(
                readable,
                labelled,
                out=model_path,
                class_field=self.class_field,
                layer=self.layer,
                all_touched=self.all_touched,
                wavelengths=self.wavelengths,
                weights=self.weights,
                seed=self.seed,
                device=self.device,
                threads=self.threads,
                cross_validation=self.report,
                reporter=witness,
            )
            model, model_hash = load_model(model_path), file_hash(model_path)
            records = []
            for number, (scene, one) in enumerate(zip(readable, paths, strict=True)):
                there = one.moved(where)
                if self.report and there.confidence is None:
                    there = dataclasses.replace(there, confidence=folder / f"{number}.tif")
                records.append(
                    write_map(
                        scene,
                        model,
                        there,
                        model_hash=model_hash,
                        options=self.options,
                        device=self.device,
                        threads=self.threads,
                        reporter=witness,
                        own=True,
                    )
                )
                if there.report is not None:
                    about = MapReportContext(
                        scene,
                        labelled,
                        self.all_touched,
                        model.classes,
                        there,
                        records[-1],
                        model.record["held_out"],
                        witness.warnings,
                        self.command,
                    )
                    report_map(about, there.report)
                    records[-1] = write_record(one.moved(where), records[-1])
            if len(records) > 1 and self.options.aoi is None:  # of one, the map itself tells
                pixels = [[c["pixels"] for c in record["classes"]] for record in records]
                for warning in lost_classes(model, np.array([0, *np.sum(pixels, axis=0)])):
                    witness.warning(warning)
        return [
            MapResult(one, model.classes, Accuracy.from_dict(record["accuracy"]), record)
            for one, record in zip(paths, records, strict=True)
        ]


def _stem(scene: xr.DataArray, all_scenes: list[xr.DataArray]) -> str:
    """The scene's file name, with its folder's before it where two would collide."""
    path = Path(name_of(scene))
    same = [other for other in all_scenes if Path(name_of(other)).stem == path.stem]
    return path.stem if len(same) == 1 else f"{path.absolute().parent.name}_{path.stem}"
