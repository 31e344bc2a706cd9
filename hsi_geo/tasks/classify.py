"""Classification: adapt a model to scenes from a few shots, and map them with it."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import xarray as xr

from hsi_geo import timings
from hsi_geo.arguments import require_flags, require_output
from hsi_geo.errors import OptionError
from hsi_geo.io.files.scratch import scratch_folder
from hsi_geo.io.labels.shot_reading import read_shots
from hsi_geo.io.labels.shots import Shots, SomeShots
from hsi_geo.io.maps.record import find_stale_files, write_record
from hsi_geo.io.maps.writer import MapPaths
from hsi_geo.io.outputs.atomic import atomic_outputs, make_folder
from hsi_geo.io.scenes.properties import files_of, log_remarks, name_of, require_upright
from hsi_geo.io.scenes.scene import SomeScene, SomeScenes, open_scenes
from hsi_geo.io.scenes.tile_files import tile_key
from hsi_geo.io.scenes.tile_list import absolute_name
from hsi_geo.io.scenes.unpacking import unpacked
from hsi_geo.progress import Reporter, WarningRecorder, default_reporter
from hsi_geo.tasks.adapt import adapt_opened, prepare, refuse_repeats, require_usable
from hsi_geo.tasks.inference.options import MapOptions
from hsi_geo.tasks.predict import (
    MapResult,
    map_paths,
    refuse_unusable_options,
    refuse_zones_elsewhere,
    require_parents,
)
from hsi_geo.tasks.runtime import Compute, file_hash
from hsi_geo.tasks.tiles.map_names import map_names
from hsi_geo.tasks.validation.accuracy import Accuracy

if TYPE_CHECKING:
    from hsi_geo.tasks.adaptation.prepared import PreparedScenes
    from hsi_geo.tasks.artifacts.model import AdaptedModel

#: What follows the name of a scene in the name of its map.
_ENDING = "_classes"


@overload
def classify(
    scene: SomeScene,
    shots: SomeShots,
    *,
    out: str | os.PathLike[str] | None = ...,
    overwrite: bool = ...,
    save_model: str | os.PathLike[str] | None = ...,
    weights: str | os.PathLike[str] | None = ...,
    trust_shots: bool = ...,
    cache: str | os.PathLike[str] | None = ...,
    options: MapOptions = ...,
    compute: Compute = ...,
    reporter: Reporter | None = ...,
) -> MapResult: ...


@overload
def classify(
    scene: list[Any] | tuple[Any, ...],
    shots: SomeShots,
    *,
    out: str | os.PathLike[str] | None = ...,
    overwrite: bool = ...,
    save_model: str | os.PathLike[str] | None = ...,
    weights: str | os.PathLike[str] | None = ...,
    trust_shots: bool = ...,
    cache: str | os.PathLike[str] | None = ...,
    options: MapOptions = ...,
    compute: Compute = ...,
    reporter: Reporter | None = ...,
) -> list[MapResult]: ...


def classify(
    scene: SomeScenes,
    shots: SomeShots,
    *,
    out: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    save_model: str | os.PathLike[str] | None = None,
    weights: str | os.PathLike[str] | None = None,
    trust_shots: bool = False,
    cache: str | os.PathLike[str] | None = None,
    options: MapOptions = MapOptions(),
    compute: Compute = Compute(),
    reporter: Reporter | None = None,
) -> MapResult | list[MapResult]:
    """Adapt a model to a scene, or to several of one sensor, and map them with it.

    The model is saved, read back and then used. So the map is the one that `adapt` and `predict`
    give one after the other.

    Args:
        scene: Path of a scene, or what `open_scene` returned; or a list of them, of one sensor, CRS
            and pixel size. Each shot goes to the scene it lies in.
        shots: Path of a vector file with labelled geometries in any CRS, a GeoDataFrame with a column of
            classes, or what `read_shots` returned; or a list of these, such as points in one file and
            polygons in another.
        out: Path of the map, which ends in ``.tif``, or of its polygons (``.gpkg``, ``.fgb``, ``.parquet``), which then
            have the map beside them; None writes ``SCENE_classes.tif`` beside the scene. In a notebook a number is added
            to that name if there is such a map. For a list of scenes it is the folder of the maps: it is made if there is none,
            each map is ``SCENE_classes.tif`` in it, and all maps appear together when the last one
            is complete. Where names would collide, those of the folders of the scenes come first; parts of one file get
            numbers.
        overwrite: Whether to replace outputs that exist; without it they raise an error.
        save_model: Path of a model file to write, with which `predict` maps other scenes of the sensor; the file is
            the one that `adapt` writes. None keeps no model.
        weights: Path of network weights that `pretrain` wrote, to start from. None takes the
            weights that come with the package, "none" starts from random ones.
        trust_shots: Whether all shots weigh the same. Otherwise a shot whose label looks wrong weighs less; log, record
            and report name it.
        cache: Folder in which features of the scene's pixels are kept for the next run; see `adapt`. None keeps none.
        options: Area to map, files to write beside the map, and memory to use.
        compute: Device, number of threads, and seed.
        reporter: Receives progress and messages; None shows a bar in a notebook, and sends
            messages to Python's ``logging``.

    Returns:
        Paths, class table and accuracy estimate of the map; for a list of scenes, a list in its
        order.

    Raises:
        HsiGeoError: If scene, shots or output cannot be used; the message says why.
    """
    require_flags(overwrite=overwrite, trust_shots=trust_shots)
    scenes = open_scenes(scene)
    with _map_paths(scene, scenes, out, options, overwrite=overwrite) as paths:
        results = classify_opened(
            scenes,
            shots,
            paths,
            overwrite=overwrite,
            saved_model=None if save_model is None else require_output(save_model),
            weights=weights,
            trust_shots=trust_shots,
            prepare=lambda readable, labelled: prepare(readable, labelled, cache),
            options=options,
            compute=compute,
            reporter=reporter or default_reporter(),
        )
    return results if _is_list(scene) else results[0]


def _is_list(scene: SomeScenes) -> bool:
    return not isinstance(scene, str | os.PathLike | xr.DataArray | xr.Dataset)


@contextmanager
def _map_paths(
    scene: SomeScenes,
    scenes: Sequence[xr.DataArray],
    out: str | os.PathLike[str] | None,
    options: MapOptions,
    *,
    overwrite: bool,
) -> Iterator[list[MapPaths]]:
    """Paths of the maps; a folder that was made for them is removed if they fail."""
    if not _is_list(scene):
        yield [map_paths(scenes[0], out, options, overwrite=overwrite)]
        return
    if out is None:
        raise OptionError("several scenes need a folder for their maps", hint="give one with -o")
    folder = require_output(out)
    stems = map_stems(scenes)
    paths = [
        map_paths(s, folder / f"{stem}{_ENDING}.tif", options, overwrite=overwrite)
        for s, stem in zip(scenes, stems, strict=True)
    ]
    is_new = make_folder(folder)
    try:
        yield paths
    except BaseException:
        if is_new:
            folder.rmdir()
        raise


def map_stems(scenes: Sequence[xr.DataArray]) -> list[str]:
    """The stem of each scene's map, named as the maps of a batch are.

    Args:
        scenes: Scenes of one run.

    Returns:
        Stems in the order of the scenes. Several parts of one file, or arrays of one name, have numbers: ``a``, ``a_2``.

    Raises:
        OptionError: If a scene is given twice.
    """
    refuse_repeats(scenes)
    keys = [tile_key(name_of(scene)) for scene in scenes]
    first = {key: absolute_name(name_of(scene)) for key, scene in zip(keys, scenes, strict=True)}
    stem_of = dict(zip(first, map_names(list(first.values()), (), ending=_ENDING), strict=True))
    taken = {stem.casefold() for stem in stem_of.values()}
    stems: list[str] = []
    named: set[str] = set()
    for key in keys:
        stem, number = stem_of[key], 1
        while key in named and stem.casefold() in taken:
            number += 1
            stem = f"{stem_of[key]}_{number}"
        named.add(key)
        taken.add(stem.casefold())
        stems.append(stem)
    return stems


def classify_opened(
    scenes: list[xr.DataArray],
    shots: SomeShots,
    paths: list[MapPaths],
    *,
    overwrite: bool,
    saved_model: Path | None,
    weights: str | os.PathLike[str] | None,
    trust_shots: bool,
    prepare: Callable[[list[xr.DataArray], Shots], PreparedScenes],
    options: MapOptions,
    compute: Compute,
    reporter: Reporter,
) -> list[MapResult]:
    """Map scenes that are opened.

    Args:
        scenes: Scenes of one sensor, CRS and pixel size.
        shots: See `classify`.
        paths: Paths of the map of each scene.
        overwrite: See `classify`.
        saved_model: Path of a model file to write; None keeps no model.
        weights: See `classify`.
        trust_shots: See `classify`.
        prepare: Function from scenes that can be read by windows, and shots, to what was computed from them before.
        options: See `classify`.
        compute: Device, number of threads, and seed.
        reporter: Receives progress and messages.

    Returns:
        The map of each scene.

    Raises:
        HsiGeoError: If scenes, shots or outputs cannot be used.
    """
    recorder = WarningRecorder(reporter)
    for scene in scenes:
        require_upright(scene)
        refuse_unusable_options(options, scene)  # before a minute of adaptation
    refuse_zones_elsewhere(options, scenes)
    labelled = read_shots(shots, near=[scene.hsi.grid for scene in scenes])
    require_parents(options, labelled.classes)
    require_usable(scenes, labelled, weights)
    inputs = [name for scene in scenes for name in files_of(scene)]
    with (
        atomic_outputs(
            [
                *(file for one in paths for file in one.all),
                *([] if saved_model is None else [saved_model]),
            ],
            overwrite=overwrite,
            inputs=[
                *inputs,
                *labelled.files,
                options.aoi,
                options.zones,
                None if weights == "none" else weights,
            ],
            stale=[file for one in paths for file in find_stale_files(one)],
        ) as where,
        scratch_folder() as folder,
        unpacked(scenes, recorder.log) as readable,
    ):
        model_path = folder / "model.safetensors" if saved_model is None else where[saved_model]
        log_remarks(readable, recorder)
        adapt_opened(
            readable,
            labelled,
            out=model_path,
            overwrite=False,
            weights=weights,
            trust_shots=trust_shots,
            prepare=prepare,
            compute=compute,
            reporter=recorder,
        )
        with timings.stage(timings.IMPORTS):
            # These import torch; `adapt` has done so after its checks.
            from hsi_geo.tasks.artifacts.model import load_model
            from hsi_geo.tasks.inference.map_warnings import missing_class_warnings

        map_one = _Mapper(
            load_model(model_path),
            file_hash(model_path),
            labelled,
            options,
            compute,
            folder,
            recorder,
            tuple(recorder.warnings),
        )
        records = [
            map_one(scene, one.moved(where)) for scene, one in zip(readable, paths, strict=True)
        ]
        if len(records) > 1 and options.aoi is None:  # of one scene, `write_map` warns
            for warning in missing_class_warnings(records):
                recorder.warning(warning)
    return [
        MapResult(one, map_one.model.classes, Accuracy.from_dict(record["accuracy"]), record)
        for one, record in zip(paths, records, strict=True)
    ]


@dataclasses.dataclass(frozen=True, slots=True)
class _Mapper:
    """Maps the scenes that a model was adapted to, each with its report."""

    model: AdaptedModel
    model_hash: str
    shots: Shots
    options: MapOptions
    compute: Compute
    scratch: Path
    recorder: WarningRecorder
    warned: tuple[str, ...]  # of scenes, shots and adaptation

    def __call__(self, scene: xr.DataArray, paths: MapPaths) -> dict[str, Any]:
        """Write a map, its record and its report; the record."""
        from hsi_geo.tasks.inference.mapping import write_map

        written = paths
        if self.options.report and paths.confidence is None:  # the report shows it
            confidence = self.scratch / f"{paths.classes.stem}_confidence.tif"
            written = dataclasses.replace(paths, confidence=confidence)
        record = write_map(
            scene,
            self.model,
            written,
            model_hash=self.model_hash,
            options=self.options,
            compute=self.compute,
            reporter=self.recorder,
            is_training_scene=True,
            warned=self.warned,
        )
        if paths.report is None:
            return record
        from hsi_geo.tasks.reporting.map_report import MapReportContext, report_map

        context = MapReportContext(
            scene,
            self.shots,
            self.model.classes,
            written,
            record,
            self.model.record["held_out"],
            self.model.record["suspicious_shots"],
            self.recorder.warnings,
            self.options.command,
        )
        report_map(context, paths.report, self.recorder)
        return write_record(paths, record)
