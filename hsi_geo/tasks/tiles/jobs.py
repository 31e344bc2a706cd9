"""Jobs of a batch: what a worker needs to map a tile, and how it does it."""

from __future__ import annotations

import dataclasses
import json
import time
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hsi_geo.errors import HsiGeoError, ModelFileError, os_error_text
from hsi_geo.io.files.paths import stamp
from hsi_geo.io.files.scratch import remove_leftovers
from hsi_geo.io.maps.areas import AddedAreas, class_areas
from hsi_geo.io.maps.record import find_stale_files
from hsi_geo.io.maps.vrt_index import GeoreferencedMap
from hsi_geo.io.maps.writer import MapPaths
from hsi_geo.io.outputs.atomic import atomic_outputs
from hsi_geo.io.outputs.checks import without_inputs
from hsi_geo.io.readers import Links, Placement, SceneFile, read_scene
from hsi_geo.io.readers.stac_assets import OWN_HOST
from hsi_geo.io.scenes.held_pixels import held_if_small
from hsi_geo.io.scenes.mask_option import with_mask
from hsi_geo.io.scenes.neighbours import HaloScene, NeighbourSource, with_halo
from hsi_geo.io.scenes.properties import Remarks, bands_of, remarks_of
from hsi_geo.io.scenes.scene import scene_of
from hsi_geo.io.scenes.unpacking import unpacked
from hsi_geo.progress import Reporter, WarningRecorder
from hsi_geo.tasks.inference.cleaning import margin_px
from hsi_geo.tasks.inference.options import MapOptions, Rescale
from hsi_geo.tasks.runtime import Compute, file_hash, scene_hash, text_hash
from hsi_geo.tasks.tiles.existing_maps import ExistingMap, find_existing_map, require_own_outputs
from hsi_geo.wavelengths import Bands

if TYPE_CHECKING:
    from hsi_geo.tasks.artifacts.model import AdaptedModel
    from hsi_geo.tasks.inference.shared_windows import WindowStore

#: States of a tile.
MAPPED, UNCHANGED, FAILED, PENDING = "mapped", "unchanged", "failed", "pending"

#: Stamp of what is no file of this machine, such as a link.
NO_FILE = (0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchOptions:
    """Options that are the same for all tiles of a batch; workers receive them.

    Attributes:
        model: Path of the model file.
        model_hash: SHA-256 of the model file's bytes.
        overwrite: Whether to map every tile again, and to replace maps that no batch made.
        wavelengths: Wavelengths that scenes are opened with, as `open_scene` takes them.
        mask: Pixels that count as missing, as `open_scene` takes them.
        mask_hash: Hash of the files of the user's mask; None without one.
        placement: Grid that scenes are read on.
        links: How STAC items and links are followed.
        halo: Whether windows at a tile's edge read the neighbouring tiles.
        rescale: Factor that tiles' values are multiplied by, "auto", or None; see `predict`.
        map: Files to write beside each map, and memory to use.
        compute: Device, and number of threads of each worker.
        run: Identifies this run of the batch among others of the same workers.
        inputs: Files that the batch reads beside the tiles, such as zones. They stay, even if an earlier map made them.
    """

    model: str
    model_hash: str
    overwrite: bool
    wavelengths: str | None
    placement: Placement
    links: Links = OWN_HOST
    mask: str = "auto"
    mask_hash: str | None = None
    halo: bool
    rescale: Rescale
    map: MapOptions
    compute: Compute
    run: str = ""
    inputs: tuple[str, ...] = ()

    @property
    def pixel_parameters(self) -> dict[str, Any]:
        """Those that change a pixel of a map or a file beside it; part of a tile's hash."""
        return {
            "aoi": self.map.aoi,
            "confidence": self.map.confidence,
            "probabilities": self.map.probabilities,
            "rescale": self.rescale,
            "restat": False,
            **self.map.pixel_parameters,
        }


@dataclass(frozen=True, eq=False)
class Tile:
    """What the header of a tile and the output folder tell before the tile is mapped.

    Attributes:
        file: Description of the tile's file.
        stamp: State of the file when it was described; see `paths.stamp`.
        bands: Wavelengths of the tile.
        hash: Hash that changes when the tile does; see `runtime.scene_hash`.
        remarks: Notes and warnings of the reader.
        existing: Map that an earlier batch wrote under the tile's names; None if there is none.
    """

    file: SceneFile
    stamp: tuple[int, int]
    bands: Bands
    hash: str
    remarks: Remarks
    existing: ExistingMap | None


@dataclass(frozen=True, eq=False)
class TileJob:
    """A tile to map.

    Attributes:
        path: Path of the tile.
        number: Number of the tile in the batch.
        file: Description of the tile's file.
        stamp: State of the file when it was described.
        paths: Paths of the map's files.
        neighbours: Neighbouring tiles that windows at the edge read, with their windows in the tile's
            pixels.
        hashes: Hashes for the record. "job" is the hash of all that the map depends on.
        logged: Files that an earlier batch made according to its log, if the map's record is lost.
    """

    path: str
    number: int
    file: SceneFile
    stamp: tuple[int, int]
    paths: MapPaths
    neighbours: tuple[NeighbourSource, ...]
    hashes: dict[str, Any]
    logged: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """Result of a tile.

    Attributes:
        state: "mapped", "unchanged" (its map was there), "failed" or "pending" (never begun).
        seconds: Time that mapping took.
        error: Sentence on why it failed; empty if it did not.
        warnings: Warnings about its map. An unchanged map keeps those of the batch that made it.
        code: Code of the error, see `HsiGeoError`; empty without one.
        drifts: Whether the tile's spectra are unlike those that the model was adapted to.
    """

    state: str
    seconds: float = 0.0
    error: str = ""
    warnings: tuple[str, ...] = ()
    code: str = ""
    drifts: bool = False


def describe_tile(
    job: tuple[str, MapPaths], options: BatchOptions, reporter: Reporter
) -> Tile | Outcome:
    """Read a tile's header, and the record of an earlier map of it.

    Args:
        job: Path of the tile, and paths of its map.
        options: Options of the batch.
        reporter: Not used; workers give one to each job.

    Returns:
        The tile, or its outcome if it cannot be opened.
    """
    path, paths = job
    try:
        state = stamp(path)
        file = _describe(path, options)
        scene = scene_of(file, wavelengths=options.wavelengths)
        return Tile(
            file,
            state,
            bands_of(scene),
            scene_hash(scene),
            remarks_of(scene),
            find_existing_map(paths),
        )
    except HsiGeoError as error:
        return Outcome(FAILED, error=error.sentence)


def map_tile(job: TileJob, options: BatchOptions, reporter: Reporter) -> Outcome:
    """Map a tile.

    The record is renamed first and the map last. So files of a killed batch are known by their record, which
    also holds the hash of the map that belongs to it.

    Args:
        job: The tile, and what its map depends on.
        options: Options of the batch.
        reporter: Receives progress.

    Returns:
        The outcome. An error of the tile is an outcome, too, and not raised.
    """
    started = time.monotonic()
    paths, overwrite = job.paths, options.overwrite
    recorder = WarningRecorder(reporter)
    try:
        existing = find_existing_map(paths)
        if not overwrite and existing is not None and existing.is_valid_for(job.hashes["job"]):
            return unchanged(existing)  # a worker was lost after it had finished
        require_own_outputs(paths, job.path, existing, job.logged, overwrite=overwrite)
        name = paths.classes.stem
        remove_leftovers(paths.classes.parent, [name])
        # The batch has refused maps that would replace its inputs.
        stale = without_inputs(find_stale_files(paths), options.inputs)
        with atomic_outputs(paths.all, overwrite=True, stale=stale, name=name) as where:
            record = _write(job, paths.moved(where), options, recorder)
            # A file may have appeared meanwhile.
            require_own_outputs(paths, job.path, existing, job.logged, overwrite=overwrite)
    except HsiGeoError as error:
        seconds = time.monotonic() - started
        return Outcome(FAILED, seconds, error.sentence, tuple(recorder.warnings), error.code)
    return Outcome(
        MAPPED,
        time.monotonic() - started,
        warnings=tuple(recorder.warnings),
        drifts=record["drifts"],
    )


def _write(
    job: TileJob, paths: MapPaths, options: BatchOptions, reporter: Reporter
) -> dict[str, Any]:
    model = _model(options.model, options.model_hash)
    with held_if_small(_described(job, options)) as file:
        scene = scene_of(file, wavelengths=options.wavelengths)
        halo = None
        if job.neighbours:
            halo = with_halo(
                file,
                job.neighbours,
                model.tiling.size_px + margin_px(options.map.least_patch, file.grid),
                number=job.number,
                wavelengths=options.wavelengths,
                levels=_levels_of(options.run),
            )
        readable = [scene] if halo is None else [scene, halo.scene]
        with unpacked(readable, reporter.log) as read:
            from hsi_geo.tasks.inference.mapping import write_map  # imports torch

            return write_map(
                read[0],
                model,
                paths,
                model_hash=options.model_hash,
                options=options.map,
                rescale=options.rescale,
                compute=options.compute,
                reporter=reporter,
                halo=None if halo is None else dataclasses.replace(halo, scene=read[1]),
                # Of a file that has changed the neighbours may have seen other values.
                store=_windows_of(options.run) if job.stamp == stamp(job.path) else None,
                more_hashes=partial(_hashes_of, job, halo),
            )


def _hashes_of(job: TileJob, halo: HaloScene | None) -> dict[str, Any]:
    """Hashes of what a map was made of. Without a neighbour that could not be read it is made again by the next run."""
    if halo is None or not halo.unread:
        return job.hashes
    pairs = zip(job.neighbours, job.hashes["neighbours"], strict=True)
    read = [hash_ for source, hash_ in pairs if source.number not in halo.unread]
    return {"job": text_hash(json.dumps([job.hashes["job"], read])), "neighbours": read}


def _described(job: TileJob, options: BatchOptions) -> SceneFile:
    """The description of a tile's file; read again if the file has changed since, or if other files may have."""
    is_alone = job.file.driver == "GTiff" and job.path.lower().endswith((".tif", ".tiff"))
    if is_alone and job.stamp == stamp(job.path) != NO_FILE:
        return job.file
    return _describe(job.path, options)


def _describe(path: str, options: BatchOptions) -> SceneFile:
    file = with_mask(read_scene(path, options.placement, options.links), options.mask)
    return dataclasses.replace(file, quality=())  # the mask has the flags that count


@lru_cache(maxsize=1)
def _model(path: str, expected_hash: str) -> AdaptedModel:
    """The model, which each worker reads once."""
    if file_hash(path) != expected_hash:
        raise ModelFileError(
            f"model '{path}' has changed since the batch began", hint="run the batch again"
        )
    from hsi_geo.tasks.artifacts.model import load_model  # imports torch

    return load_model(path)


@lru_cache(maxsize=1)
def _windows_of(run: str) -> WindowStore:
    """Windows that tiles of a batch have in common. A worker keeps those of one batch only: others read tiles in other ways."""
    from hsi_geo.tasks.inference.shared_windows import WindowStore  # imports torch

    return WindowStore()


@lru_cache(maxsize=1)
def _levels_of(run: str) -> dict[int, float]:
    """Levels of the values of a batch's files, by number; see `MosaicPixels.levels`."""
    return {}


def tile_areas(
    job: tuple[GeoreferencedMap, list[GeoreferencedMap]], last_id: int, reporter: Reporter
) -> AddedAreas | Outcome:
    """Areas of the classes in a map.

    Args:
        job: The map, and maps before it whose pixels do not count again.
        last_id: Highest class id.
        reporter: Not used; workers give one to each job.

    Returns:
        Pixels and hectares of each class id; an outcome if the map cannot be read.
    """
    try:
        return class_areas(job[0], last_id, job[1])
    except HsiGeoError as error:
        return Outcome(FAILED, error=error.sentence)


def unchanged(existing: ExistingMap) -> Outcome:
    """The outcome of a tile whose map exists, with the warnings of the batch that made it.

    Args:
        existing: The map.
    """
    return Outcome(UNCHANGED, warnings=existing.warnings, drifts=existing.drifts)


def failure(error: BaseException, *, local: bool) -> Outcome:
    """The outcome of a tile whose job raised an exception.

    Args:
        error: The exception.
        local: Whether this batch started the workers; see `error_sentence`.
    """
    return Outcome(FAILED, error=error_sentence(error, local=local))


def error_sentence(error: BaseException, *, local: bool) -> str:
    """One sentence on an exception that Dask brought back from a worker.

    Args:
        error: The exception.
        local: Whether this batch started the workers, so that ``--workers`` is an option of it.

    >>> error_sentence(MemoryError(), local=False)
    'out of memory; give each worker more memory, or a smaller --max-memory'
    """
    if isinstance(error, HsiGeoError):
        return error.sentence
    advice = "fewer --workers" if local else "each worker more memory"
    if type(error).__name__ == "KilledWorker":
        return (
            f"its worker died each time, most likely out of memory; give {advice}, or a smaller "
            "--max-memory"
        )
    if isinstance(error, MemoryError):
        return f"out of memory; give {advice}, or a smaller --max-memory"
    if isinstance(error, OSError):
        return "; ".join(os_error_text(error))
    return f"unexpected {type(error).__name__}: {' '.join(str(error).split())}"
