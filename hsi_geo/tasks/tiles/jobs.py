"""Tiles: what each needs, and how one is mapped wherever a worker runs."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hsi_geo.errors import HsiGeoError, ModelFileError
from hsi_geo.io.files.scratch import remove_leftovers
from hsi_geo.io.maps.areas import class_areas
from hsi_geo.io.maps.record import find_stale_files
from hsi_geo.io.maps.vrt_index import GeoreferencedMap
from hsi_geo.io.maps.writer import MapPaths
from hsi_geo.io.outputs.atomic import atomic_outputs
from hsi_geo.io.readers import SceneFile, read_scene
from hsi_geo.io.scenes.neighbours import NeighbourSource, with_halo
from hsi_geo.io.scenes.properties import Remarks, bands_of, remarks_of
from hsi_geo.io.scenes.scene import scene_of
from hsi_geo.io.scenes.unpacking import unpacked
from hsi_geo.progress import Reporter, WarningRecorder
from hsi_geo.tasks.artifacts.model import AdaptedModel, load_model
from hsi_geo.tasks.inference.mapping import MapOptions, write_map
from hsi_geo.tasks.inference.scene_scale import Rescale
from hsi_geo.tasks.runtime import Compute, file_hash, scene_hash, text_hash
from hsi_geo.tasks.tiles.existing_maps import Standing, require_own, standing
from hsi_geo.tasks.tiles.footprints import Footprints
from hsi_geo.tiling import Grid
from hsi_geo.wavelengths import Bands, same_centres

#: Neighbours' pixels may be off by as much.
SAME_PX = 0.05

#: What became of a tile.
MAPPED, UNCHANGED, FAILED, PENDING = "mapped", "unchanged", "failed", "pending"


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchOptions:
    """Options that are the same for all tiles of a batch; workers receive them.

    Attributes:
        model: Path of the model file.
        model_hash: SHA-256 of the model file's bytes.
        overwrite: Whether to map every tile again, and to replace maps that no batch made.
        wavelengths: Wavelengths that scenes are opened with, as `open_scene` takes them.
        halo: Whether windows at a tile's edge read the neighbouring tiles.
        rescale: Factor that tiles' values are multiplied by, "auto", or None; see `predict`.
        map: Files to write beside each map, and memory to use.
        compute: Device, and number of threads of each worker.
    """

    model: str
    model_hash: str
    overwrite: bool
    wavelengths: str | None
    halo: bool
    rescale: Rescale
    map: MapOptions
    compute: Compute

    @property
    def pixel_parameters(self) -> dict[str, Any]:
        """Those that change a pixel of a map or a file beside it; part of a tile's hash."""
        return {
            "aoi": self.map.aoi,
            "confidence": self.map.confidence,
            "probabilities": self.map.probabilities,
            "rescale": self.rescale,
            "restat": False,
        }


@dataclass(frozen=True, eq=False)
class Tile:
    """What is known of a tile before it is mapped.

    Attributes:
        file: Its description.
        bands: Its wavelengths.
        hash: See `runtime.scene_hash`.
        remarks: What was noticed while it was opened.
        stands: What a batch left where its map goes.
    """

    file: SceneFile
    bands: Bands
    hash: str
    remarks: Remarks
    stands: Standing | None


@dataclass(frozen=True, eq=False)
class TileJob:
    """A tile to map.

    Attributes:
        path: Of the tile.
        paths: To write.
        neighbours: Whose pixels windows at the rim look at; windows counted in the tile.
        hashes: For the record; "job" is of all that the map depends on.
        made: Files that an earlier batch made, by its log, where a record is lost.
    """

    path: str
    paths: MapPaths
    neighbours: tuple[NeighbourSource, ...]
    hashes: dict[str, Any]
    made: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a tile.

    Attributes:
        state: mapped, unchanged (its map was there), failed, or pending (never begun).
        seconds: It took.
        error: Why it failed, in a sentence.
        warnings: What was told of its map when it was made; an unchanged map keeps them.
        code: Of the error, see `HsiGeoError`; empty without one.
        drifts: Whether the tile looks unlike what the model was adapted to.
    """

    state: str
    seconds: float = 0.0
    error: str = ""
    warnings: tuple[str, ...] = ()
    code: str = ""
    drifts: bool = False


# On the workers -------------------------------------------------------------------------------


def describe_tile(
    job: tuple[str, MapPaths], wavelengths: str | None, reporter: Reporter
) -> Tile | Outcome:
    """Read a tile's header, and what stands where its map goes."""
    path, paths = job
    try:
        file = read_scene(path)
        scene = scene_of(file, wavelengths=wavelengths)
        file = dataclasses.replace(file, quality=())
        return Tile(file, bands_of(scene), scene_hash(scene), remarks_of(scene), standing(paths))
    except HsiGeoError as error:
        return Outcome(FAILED, error=str(error))


def map_tile(job: TileJob, options: BatchOptions, reporter: Reporter) -> Outcome:
    """Map a tile; what stops it is told as its outcome, not raised.

    The record gets its name first, so that what a killed batch left is known as a batch's, and the
    map last; the record tells which map is its own.
    """
    started = time.monotonic()
    paths, overwrite = job.paths, options.overwrite
    recorder = WarningRecorder(reporter)
    try:
        stands = standing(paths)
        if not overwrite and stands is not None and stands.is_of(job.hashes["job"]):
            return unchanged(stands)  # a worker was lost after it had finished
        require_own(paths, job.path, stands, job.made, overwrite=overwrite)
        name = paths.classes.stem
        remove_leftovers(paths.classes.parent, [name])
        stale = find_stale_files(paths)
        with atomic_outputs(paths.all, overwrite=True, name=name, stale=stale) as where:
            record = _write(job, paths.moved(where), options, recorder)
            # Something may have appeared.
            require_own(paths, job.path, stands, job.made, overwrite=overwrite)
    except HsiGeoError as error:
        told, seconds = tuple(recorder.warnings), time.monotonic() - started
        return Outcome(FAILED, seconds, str(error), told, error.code)
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
    file = read_scene(job.path)
    scene = scene_of(file, wavelengths=options.wavelengths)
    halo = None
    if job.neighbours:
        halo = with_halo(
            file, job.neighbours, model.tiling.size_px, wavelengths=options.wavelengths
        )
    readable = [scene] if halo is None else [scene, halo.scene]
    with unpacked(readable, reporter.log) as read:
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
            more_hashes=job.hashes,
        )


@lru_cache(maxsize=1)
def _model(path: str, expected_hash: str) -> AdaptedModel:
    """Read once a worker."""
    if file_hash(path) != expected_hash:
        raise ModelFileError(
            f"model '{path}' has changed since the batch began", hint="run the batch again"
        )
    return load_model(path)


def tile_areas(
    job: tuple[GeoreferencedMap, list[GeoreferencedMap]], classes: int, reporter: Reporter
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]] | Outcome:
    """See `class_areas`; what stops it is told as an outcome, not raised."""
    try:
        return class_areas(job[0], classes, job[1])
    except HsiGeoError as error:
        return Outcome(FAILED, error=str(error))


def unchanged(stands: Standing) -> Outcome:
    """Of a tile whose map stands, with what was told when it was made."""
    return Outcome(UNCHANGED, warnings=stands.warnings, drifts=stands.drifts)


def failure(error: BaseException, *, local: bool) -> Outcome:
    """The outcome of a tile whose job raised an exception; see `error_sentence`."""
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
        return str(error)
    advice = "fewer --workers" if local else "each worker more memory"
    if type(error).__name__ == "KilledWorker":
        return (
            f"its worker died each time, most likely out of memory; give {advice}, or a smaller "
            "--max-memory"
        )
    if isinstance(error, MemoryError):
        return f"out of memory; give {advice}, or a smaller --max-memory"
    return f"unexpected {type(error).__name__}: {' '.join(str(error).split())}"


# Before that ---------------------------------------------------------------------------------


def neighbours(
    tiles: Sequence[Tile | Outcome], margin_px: int
) -> Iterator[list[tuple[int, NeighbourSource]]]:
    """For each tile, those that lend it their margin, in their order.

    They lie on the same pixels of the same CRS, and have the same bands in the same units.
    """
    grids = [tile.file.grid if isinstance(tile, Tile) else None for tile in tiles]
    footprints = Footprints(grids)
    for index, tile in enumerate(tiles):
        found = []
        for near in footprints.near(index, margin_px):
            other = tiles[near]
            if isinstance(tile, Tile) and isinstance(other, Tile) and _fits(tile, other):
                window = tile.file.grid.window_of(other.file.grid.bounds)
                found.append((near, NeighbourSource(other.file.pixels, window, other.file.nodata)))
        yield found


def _fits(tile: Tile, other: Tile) -> bool:
    here, there = tile.file, other.file
    if here.dtype != there.dtype or here.band_count != there.band_count:
        return False
    if not same_centres(tile.bands.centres_nm, other.bands.centres_nm):
        return False
    same = (
        np.array_equal(tile.bands.good, other.bands.good)
        and np.array_equal(here.scale, there.scale, equal_nan=True)
        and np.array_equal(here.offset, there.offset, equal_nan=True)
        and len(set(np.isnan(here.nodata))) == 1
    )
    return same and _on_one_lattice(here.grid, there.grid)


def _on_one_lattice(grid: Grid, other: Grid) -> bool:
    inverse = ~grid.transform
    first = np.array(inverse @ (other.transform @ (0, 0)))
    last = np.array(inverse @ (other.transform @ (other.width, other.height)))
    off = np.abs(first - np.round(first)).max()
    stretched = np.abs(last - first - (other.width, other.height)).max()
    return bool(max(off, stretched) < SAME_PX)


def tile_job(
    path: str,
    tile: Tile,
    paths: MapPaths,
    near: Sequence[tuple[int, NeighbourSource]],
    tiles: Sequence[Tile | Outcome],
    options: BatchOptions,
    made: tuple[Path, ...] = (),
) -> TileJob:
    """Everything that a tile's map depends on."""
    hashes = [other.hash for index, _ in near if isinstance(other := tiles[index], Tile)]
    depends = {
        "tile": tile.hash,
        "neighbours": hashes,
        "model": options.model_hash,
        "parameters": options.pixel_parameters,
    }
    job = text_hash(json.dumps(depends, sort_keys=True))
    pieces = tuple(piece for _, piece in near)
    return TileJob(path, paths, pieces, {"job": job, "neighbours": hashes}, made)
