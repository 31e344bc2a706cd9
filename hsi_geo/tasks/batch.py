"""Many tiles, one model: maps that fit together, made by Dask's workers and never twice."""

from __future__ import annotations

import dataclasses
import importlib.util
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hsi_geo.errors import MapError, MissingPackageError, OptionError, ScaleError
from hsi_geo.io.files.scratch import remove_leftovers
from hsi_geo.io.maps.vrt_index import GeoreferencedMap
from hsi_geo.io.maps.writer import MapPaths
from hsi_geo.io.outputs.atomic import make_folder
from hsi_geo.io.outputs.folder_lock import locked
from hsi_geo.io.scenes.tile_list import ListedTile, list_tiles
from hsi_geo.progress import LoggingReporter, Reporter
from hsi_geo.tasks.artifacts.model import AdaptedModel, load_model
from hsi_geo.tasks.inference.mapping import MapOptions
from hsi_geo.tasks.inference.scene_scale import Rescale, parse_rescale
from hsi_geo.tasks.predict import require_no_report
from hsi_geo.tasks.runtime import Compute, file_hash
from hsi_geo.tasks.tiles.existing_maps import made_by_log, standing
from hsi_geo.tasks.tiles.jobs import (
    FAILED,
    MAPPED,
    PENDING,
    UNCHANGED,
    BatchOptions,
    Outcome,
    Tile,
    TileJob,
    describe_tile,
    error_sentence,
    failure,
    map_tile,
    neighbours,
    tile_areas,
    tile_job,
    unchanged,
)
from hsi_geo.tasks.tiles.outputs import (
    ClassArea,
    MappedTile,
    area_jobs,
    files_in_log,
    place_maps,
    summed,
    write_log,
    write_overview,
)

if TYPE_CHECKING:
    from distributed import Client

#: What the optional packages are for; `pip install 'hsi-geo[batch]'` brings all.
PACKAGES = ("distributed", "cryptography", "pystac")

SomeTiles = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]


@dataclass(frozen=True, eq=False)
class BatchResult:
    """What a batch left.

    Attributes:
        folder: That holds the maps.
        maps: Of each tile, in their order, whether it was mapped or not.
        outcomes: What became of each tile.
        areas: Of each class.
        outputs: Name and path of what was written beside the maps.
    """

    folder: Path
    maps: Mapping[str, Path]
    outcomes: Mapping[str, Outcome]
    areas: Sequence[ClassArea]
    outputs: Mapping[str, Path]

    def count(self, state: str) -> int:
        """Tiles in a state: mapped, unchanged, failed or pending."""
        return sum(outcome.state == state for outcome in self.outcomes.values())

    @property
    def warned(self) -> int:
        """Tiles whose maps may be worse than they look: `Outcome.warnings` tell why."""
        return sum(bool(outcome.warnings) for outcome in self.outcomes.values())

    @property
    def refused_for_scale(self) -> int:
        """Tiles that were not mapped as their values lie on another scale than the model's."""
        return sum(outcome.code == ScaleError.code for outcome in self.outcomes.values())

    @property
    def drifting(self) -> int:
        """Tiles with a map that look unlike what the model was adapted to."""
        return sum(outcome.drifts for outcome in self.outcomes.values())


def batch(
    tiles: SomeTiles,
    model: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    scheduler: str | None = None,
    workers: int | None = None,
    halo: bool = True,
    dashboard: bool = False,
    wavelengths: str | None = None,
    rescale: Rescale = None,
    options: MapOptions = MapOptions(),
    compute: Compute = Compute(threads=1),
    reporter: Reporter | None = None,
) -> BatchResult:
    """Map many tiles with an adapted model, on this machine or on a Dask cluster.

    A tile that has a map already is left alone, unless the tile, a neighbour, the model or a
    parameter has changed. So the same call continues after whatever stopped it. A tile that cannot
    be mapped is named in the result and does not stop the others.

    A script that calls this needs ``if __name__ == "__main__":``, as Python starts the workers by
    importing it.

    Args:
        tiles: Paths of scenes, globs, folders, text files with one path a line, VRT mosaics or STAC
            item collections: one of them, or a list.
        model: Path of the file that `adapt` wrote; workers read it under the same path.
        out: Folder of the maps, made if there is none; each map keeps its tile's name.
        overwrite: Whether to map every tile again, and to replace maps that no batch made.
        scheduler: Address of a Dask scheduler; None starts workers on this machine.
        workers: Number of worker processes on this machine; None takes as many as cores and memory
            allow.
        halo: Whether windows at a tile's edge read the neighbouring tiles, so that maps have no
            seams.
        dashboard: Whether to serve Dask's pages about workers on this machine; any user of the
            machine can read them.
        wavelengths: Band centres of all tiles, as `open_scene` takes them; None reads them from each
            tile.
        rescale: Factor that the tiles' values are multiplied by, "auto" (for each tile) or None;
            see `predict`.
        options: Files to write beside each map, and memory to use for each tile. An area cannot be
            given.
        compute: Device, and number of threads of each worker: None means 1, and with 1 it reads and
            maps in turn. The seed is not used.
        reporter: Receives progress and messages; None sends messages to Python's ``logging``.

    Returns:
        Outcome of each tile, and paths of what was written beside the maps.

    Raises:
        SceneError: If a list of tiles (``.txt``, ``.lst``, ``.json``, ``.vrt``) cannot be read or is
            empty; nothing is written then.
        HsiGeoError: If the model cannot be read, another batch writes into the folder, or the
            cluster is lost; maps that are done stay.
    """
    _require_packages()
    from hsi_geo.tasks.tiles.cluster import default_workers, local_cluster, remote_cluster

    reporter = reporter or LoggingReporter()
    require_no_report(options)
    if options.aoi is not None:
        raise OptionError("a batch takes no area", hint="leave out aoi=, or call predict")
    path = Path(model).absolute()
    adapted = load_model(path)
    threads = compute.threads or 1
    batch_options = BatchOptions(
        model=str(path),
        model_hash=file_hash(path),
        overwrite=overwrite,
        wavelengths=_absolute(wavelengths),
        halo=halo,
        rescale=parse_rescale(rescale),
        map=options,
        compute=dataclasses.replace(compute, threads=threads),
    )
    given = [tiles] if isinstance(tiles, str | os.PathLike) else list(tiles)
    listed = list_tiles(given, reporter.warning)
    folder = Path(out).absolute()
    paths = place_maps(listed, given, folder, options)
    make_folder(folder)
    cluster: AbstractContextManager[Client]
    if scheduler is not None:
        cluster = remote_cluster(scheduler, reporter)
    else:
        count = min(workers or default_workers(threads, options.max_memory), len(listed))
        cluster = local_cluster(count, threads, reporter, dashboard=dashboard)
    with locked(folder, reporter.warning):
        return _Batch(
            listed, paths, folder, adapted, batch_options, reporter, local=scheduler is None
        ).run(cluster)


def _require_packages() -> None:
    for package in PACKAGES:
        if importlib.util.find_spec(package) is None:
            raise MissingPackageError(
                f"batches need the package {package}, which is not installed",
                hint="run: pip install 'hsi-geo[batch]'",
            )


def _absolute(wavelengths: str | None) -> str | None:
    """The option, a file's path made absolute: workers run in other folders."""
    if wavelengths is not None and Path(wavelengths).is_file():
        return str(Path(wavelengths).absolute())
    return wavelengths


class _Batch:
    """One run, from the list of tiles to what lies in the folder."""

    def __init__(
        self,
        listed: Sequence[ListedTile],
        paths: Sequence[MapPaths],
        folder: Path,
        model: AdaptedModel,
        options: BatchOptions,
        reporter: Reporter,
        *,
        local: bool,
    ) -> None:
        self.local = local
        self.listed = listed
        self.paths = paths
        self.folder = folder
        self.model = model
        self.options = options
        self.reporter = reporter
        self.tiles: list[Tile | Outcome] = [Outcome(PENDING)] * len(listed)
        self.outcomes = [Outcome(PENDING)] * len(listed)
        self.jobs: dict[int, TileJob] = {}

    def run(self, cluster: AbstractContextManager[Client]) -> BatchResult:
        """All steps; what is mapped stays and is logged however they end."""
        try:
            try:
                with cluster as client:
                    self._describe(client)
                    self._map(client)
                    maps = self._done()
                    areas = self._areas(client, maps)
            finally:
                self._close()
        except KeyboardInterrupt as interrupt:
            done = self._count(MAPPED, UNCHANGED)
            raise KeyboardInterrupt(
                f"interrupted: {done} of {len(self.listed)} tiles are mapped and stay, the same "
                "command maps the rest"
            ) from interrupt
        outputs = write_overview(self.folder, maps, self.model.classes, self.reporter)
        names = [tile.path for tile in self.listed]
        return BatchResult(
            self.folder,
            dict(zip(names, (paths.classes for paths in self.paths), strict=True)),
            dict(zip(names, self.outcomes, strict=True)),
            areas,
            outputs,
        )

    def _count(self, *states: str) -> int:
        return sum(outcome.state in states for outcome in self.outcomes)

    def _close(self) -> None:
        """Count what workers finished unheard, remove what they left half done, write the log."""
        for index, job in self.jobs.items():
            pending = self.outcomes[index].state == PENDING
            if not pending or (stands := standing(job.paths)) is None:
                continue
            if stands.is_of(job.hashes["job"]):
                self.outcomes[index] = Outcome(MAPPED, warnings=stands.warnings)
        ends = list(zip(self.listed, self.paths, self.outcomes, strict=True))
        undone = [p.classes.stem for _, p, o in ends if o.state not in (MAPPED, UNCHANGED)]
        remove_leftovers(self.folder, undone)
        write_log(self.folder, ends)

    def _describe(self, client: Client) -> None:
        """Headers of all tiles, which tell who is whose neighbour and what has changed."""
        from hsi_geo.tasks.tiles.cluster import each

        jobs = [(tile.path, paths) for tile, paths in zip(self.listed, self.paths, strict=True)]
        found = each(client, describe_tile, jobs, self.options.wavelengths)
        for done, (index, tile) in enumerate(found, start=1):
            self.tiles[index] = (
                failure(tile, local=self.local) if isinstance(tile, BaseException) else tile
            )
            if isinstance(now := self.tiles[index], Outcome):
                self._settle(index, now)
            self.reporter.progress("look at tiles", done, len(jobs))
        self._tell_about_tiles()

    def _tell_about_tiles(self) -> None:
        """What was noticed in them: the tiles of a flight mostly share their flaws."""
        for kind, tell in (("notes", self.reporter.log), ("warnings", self.reporter.warning)):
            tiles_of: dict[str, list[str]] = {}
            for listed, tile in zip(self.listed, self.tiles, strict=True):
                for remark in getattr(tile.remarks, kind) if isinstance(tile, Tile) else ():
                    tiles_of.setdefault(remark, []).append(Path(listed.path).name)
            for remark, names in tiles_of.items():
                others = f" and {len(names) - 1} more" if len(names) > 1 else ""
                tell(f"tile '{names[0]}'{others}: {remark}")

    def _map(self, client: Client) -> None:
        """Map what is not there as it should be."""
        from hsi_geo.tasks.tiles.cluster import each

        self.jobs = self._jobs()
        order = list(self.jobs)
        pixels = _Pixels(self.reporter, sum(self._pixels(index) for index in order))
        ordered = list(self.jobs.values())
        for number, result in each(client, map_tile, ordered, self.options, news=pixels.hear):
            index = order[number]
            outcome = (
                failure(result, local=self.local) if isinstance(result, BaseException) else result
            )
            self._settle(index, outcome)
            pixels.add(self.listed[index].path, self._pixels(index))

    def _jobs(self) -> dict[int, TileJob]:
        """What has to be mapped, by the index of the tile."""
        margin = self.model.tiling.size_px if self.options.halo else None
        lent = [[] for _ in self.tiles] if margin is None else list(neighbours(self.tiles, margin))
        logged = files_in_log(self.folder)
        jobs = {}
        for index, tile in enumerate(self.tiles):
            if isinstance(tile, Outcome):
                continue
            path, paths = self.listed[index].path, self.paths[index]
            made = made_by_log(paths, logged.get(str(paths.classes), {}))
            job = tile_job(path, tile, paths, lent[index], self.tiles, self.options, made)
            stands, overwrite = tile.stands, self.options.overwrite
            if stands is not None and stands.is_of(job.hashes["job"]) and not overwrite:
                self.outcomes[index] = unchanged(stands)
                continue
            flaw = stands.flaw if stands is not None else "its record is lost" if made else ""
            if flaw and not overwrite:
                self.reporter.warning(
                    f"map '{paths.classes}' is not as it was written ({flaw}): it is made again"
                )
            jobs[index] = job
        return jobs

    def _pixels(self, index: int) -> int:
        tile = self.tiles[index]
        return tile.file.grid.height * tile.file.grid.width if isinstance(tile, Tile) else 0

    def _settle(self, index: int, outcome: Outcome) -> None:
        self.outcomes[index] = outcome
        name = Path(self.listed[index].path).name
        for text in outcome.warnings:
            self.reporter.warning(f"tile '{name}': {text}")
        if outcome.state == FAILED:
            self.reporter.warning(f"tile '{name}' was not mapped: {outcome.error}")
        else:
            self.reporter.log(f"tile '{name}' {outcome.state} in {outcome.seconds:.1f} s")

    def _done(self) -> list[MappedTile]:
        return [
            MappedTile(listed, GeoreferencedMap(paths.classes, tile.file.grid))
            for listed, paths, tile, outcome in zip(
                self.listed, self.paths, self.tiles, self.outcomes, strict=True
            )
            if outcome.state in (MAPPED, UNCHANGED) and isinstance(tile, Tile)
        ]

    def _areas(self, client: Client, maps: Sequence[MappedTile]) -> list[ClassArea]:
        """Each class's, of all maps."""
        from hsi_geo.tasks.tiles.cluster import each

        jobs, classes = area_jobs(maps), self.model.classes
        parts = []
        found = each(client, tile_areas, jobs, len(classes))
        for done, (index, part) in enumerate(found, start=1):
            if isinstance(part, Outcome):
                raise MapError(part.error)
            if isinstance(part, BaseException):
                raise MapError(
                    f"the classes of map '{jobs[index][0].path}' could not be counted "
                    f"({error_sentence(part, local=self.local)})",
                    hint="run it again",
                ) from part
            parts.append(part)
            self.reporter.progress("sum areas", done, len(jobs))
        return summed(parts, classes)


class _Pixels:
    """How many are mapped; large tiles tell on their way."""

    def __init__(self, reporter: Reporter, total: int) -> None:
        self.reporter = reporter
        self.total = total
        self.done = 0
        self.partly: dict[str, int] = {}

    def hear(self, content: tuple[str, int]) -> None:
        """So many pixels of a tile are mapped."""
        tile, pixels = content
        self.partly[tile] = pixels
        self._tell()

    def add(self, tile: str, pixels: int) -> None:
        """A tile is through."""
        self.partly.pop(tile, None)
        self.done += pixels
        self._tell()

    def _tell(self) -> None:
        done = min(self.total, self.done + sum(self.partly.values()))
        self.reporter.progress("map", done, self.total)
