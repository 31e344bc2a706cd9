"""The steps of a batch: describe the tiles, map them, sum areas, write what shows all maps."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from hsi_geo import stages
from hsi_geo.errors import MapError, OptionError, OutputExistsError
from hsi_geo.io.files.scratch import remove_leftovers
from hsi_geo.io.maps.vrt_index import GeoreferencedMap
from hsi_geo.io.maps.writer import MapPaths
from hsi_geo.io.scenes.neighbours import NeighbourSource
from hsi_geo.io.scenes.tile_list import ListedTile
from hsi_geo.progress import Reporter
from hsi_geo.tasks.inference.cleaning import margin_px
from hsi_geo.tasks.inference.options import MapOptions
from hsi_geo.tasks.tiles.batch_log import files_in_log, tiles_in_log, write_log
from hsi_geo.tasks.tiles.batch_result import BatchResult
from hsi_geo.tasks.tiles.existing_maps import (
    find_existing_map,
    find_logged_files,
    require_same_tile,
)
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
    tile_areas,
    unchanged,
)
from hsi_geo.tasks.tiles.map_areas import (
    ClassArea,
    area_jobs,
    hidden_maps_warning,
    sum_areas,
)
from hsi_geo.tasks.tiles.mosaic_polygons import write_mosaic_polygons
from hsi_geo.tasks.tiles.mosaic_zones import write_mosaic_zones
from hsi_geo.tasks.tiles.neighbours import neighbours, tile_job
from hsi_geo.tasks.tiles.order import along_curve, in_runs
from hsi_geo.tasks.tiles.outputs import (
    Legends,
    MappedTile,
    index_endings,
    withdraw_overview,
    write_overview,
)
from hsi_geo.tasks.tiles.overview_files import refuse_foreign_outputs
from hsi_geo.tasks.tiles.pixel_progress import PixelProgress
from hsi_geo.tasks.tiles.tile_labels import tile_labels

if TYPE_CHECKING:
    from distributed import Client

    from hsi_geo.tasks.artifacts.model import AdaptedModel


class BatchRun:
    """One run of a batch, from the list of tiles to the files in the folder.

    Args:
        listed: The tiles.
        paths: Paths of each tile's map.
        folder: Folder of the maps.
        model: The model.
        options: Options of the batch.
        reporter: Receives progress and messages.
        local: Whether this batch starts the workers.
        together: Options with the polygons and zones of all maps together.
    """

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
        together: MapOptions,
    ) -> None:
        self.together = together
        self.local = local
        self.listed = listed
        self.labels = tile_labels([tile.path for tile in listed])
        self.paths = paths
        self.folder = folder
        self.model = model
        self.options = options
        self.legends = Legends.of(model.classes, options.map)
        self.reporter = reporter
        self.tiles: list[Tile | Outcome] = [Outcome(PENDING)] * len(listed)
        self.outcomes = [Outcome(PENDING)] * len(listed)
        self.jobs: dict[int, TileJob] = {}
        self._is_overview_current = True

    def run(self, cluster: AbstractContextManager[Client]) -> BatchResult:
        """Describe and map the tiles, and write the log, the mosaics and the STAC items.

        Maps that are complete stay and are logged, however the run ends.

        Args:
            cluster: Gives the Dask client; it is closed at the end.

        Raises:
            MapError: If a map cannot be read back.
            OutputExistsError: If a file beside the maps has a name of this batch's outputs, and no batch made it.
            ClusterError: If the cluster is lost.
            OutputError: If a file cannot be written.
        """
        try:
            return self._run(cluster)
        except KeyboardInterrupt as interrupt:
            done = self._count(MAPPED, UNCHANGED)
            rest = "the same command maps the rest"
            if done and self.options.overwrite:
                rest = "the same command without --overwrite maps those that have no valid map"
            raise KeyboardInterrupt(
                f"interrupted: {done} of {len(self.listed)} tiles are mapped and stay, {rest}"
            ) from interrupt

    def _run(self, cluster: AbstractContextManager[Client]) -> BatchResult:
        try:
            with cluster as client:
                self._describe(client)
                self._map(client)
                maps = self._maps()
                areas = self._areas(client, maps)
        finally:
            self._close()
        outputs = write_overview(
            self.folder, maps, self.legends, self.together, self.options.inputs, self.reporter
        )
        mosaics = dict(outputs)
        if self.together.polygons:
            placed, smooth = [one.map for one in maps], self.together.smooth
            outputs |= write_mosaic_polygons(self.folder, placed, mosaics, smooth, self.reporter)
        if self.together.zones is not None:
            classes, rejected = self.model.classes, self.legends.maps[len(self.model.classes) :]
            outputs |= write_mosaic_zones(
                self.folder, mosaics, classes, rejected, self.together, self.reporter
            )
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
        """Write the log, and remove temporary folders of tiles that were not finished.

        A worker may have finished a tile without its result being received.
        """
        for index, job in self.jobs.items():
            pending = self.outcomes[index].state == PENDING
            if not pending or (existing := find_existing_map(job.paths)) is None:
                continue
            # With --overwrite a valid map may also be one that was there before.
            if existing.is_valid_for(job.hashes["job"]) and not self._was_mapped(index, job):
                self.outcomes[index] = Outcome(MAPPED, warnings=existing.warnings)
                self._withdraw_overview()
        entries = list(zip(self.listed, self.paths, self.outcomes, strict=True))
        undone = [p.classes.stem for _, p, o in entries if o.state not in (MAPPED, UNCHANGED)]
        remove_leftovers(self.folder, undone)
        write_log(self.folder, entries)

    def _was_mapped(self, index: int, job: TileJob) -> bool:
        """Whether a tile had a valid map before this run."""
        tile = self.tiles[index]
        before = tile.existing if isinstance(tile, Tile) else None
        return before is not None and before.is_valid_for(job.hashes["job"])

    def _describe(self, client: Client) -> None:
        """Read the headers of all tiles, to find neighbours and changes."""
        from hsi_geo.tasks.tiles.worker_jobs import run_jobs, workers_of

        jobs = [(tile.path, paths) for tile, paths in zip(self.listed, self.paths, strict=True)]
        runs = in_runs([1] * len(jobs), workers_of(client))
        found = run_jobs(client, describe_tile, jobs, self.options, runs=runs)
        for done, (index, tile) in enumerate(found, start=1):
            self.tiles[index] = (
                failure(tile, local=self.local) if isinstance(tile, BaseException) else tile
            )
            if isinstance(outcome := self.tiles[index], Outcome):
                self._set_outcome(index, outcome)
            self.reporter.progress(stages.CHECKING_TILES, done, len(jobs))
        self._report_remarks()

    def _report_remarks(self) -> None:
        """Report each remark of the reader once: tiles of one flight mostly share them."""
        for kind, report in (("notes", self.reporter.log), ("warnings", self.reporter.warning)):
            tiles_of: dict[str, list[str]] = {}
            for label, tile in zip(self.labels, self.tiles, strict=True):
                for remark in getattr(tile.remarks, kind) if isinstance(tile, Tile) else ():
                    tiles_of.setdefault(remark, []).append(label)
            for remark, names in tiles_of.items():
                others = f" and {len(names) - 1} more" if len(names) > 1 else ""
                report(f"tile '{names[0]}'{others}: {remark}")

    def _map(self, client: Client) -> None:
        """Map the tiles that have no valid map."""
        from hsi_geo.tasks.tiles.worker_jobs import run_jobs, workers_of

        self.jobs = self._jobs()
        described = [tile.file.grid for tile in self.tiles if isinstance(tile, Tile)]
        refuse_foreign_outputs(
            self.folder, index_endings(described), self.together, self.options.inputs
        )
        grids = [tile.file.grid if isinstance(tile, Tile) else None for tile in self.tiles]
        order = along_curve(grids, list(self.jobs))
        sizes_px = [self._pixels(index) for index in order]
        progress = PixelProgress(self.reporter, sum(sizes_px))
        found = run_jobs(
            client,
            map_tile,
            [self.jobs[index] for index in order],
            self.options,
            runs=in_runs(sizes_px, workers_of(client)),
            on_event=progress.update,
        )
        for number, result in found:
            index = order[number]
            outcome = (
                failure(result, local=self.local) if isinstance(result, BaseException) else result
            )
            if outcome.state == UNCHANGED:  # its worker was lost after it had mapped the tile
                outcome = dataclasses.replace(outcome, state=MAPPED)
            self._set_outcome(index, outcome)
            progress.finish(self.listed[index].path, self._pixels(index))

    def _jobs(self) -> dict[int, TileJob]:
        """Jobs of the tiles that have no valid map, by the index of the tile."""
        sources: list[list[tuple[int, NeighbourSource]]] = [[] for _ in self.tiles]
        if self.options.halo:
            sources = list(neighbours(self.tiles, self._margin_px()))
        logged, tile_of = files_in_log(self.folder), tiles_in_log(self.folder)
        jobs = {}
        for index, tile in enumerate(self.tiles):
            if isinstance(tile, Outcome):
                continue
            path, paths = self.listed[index].path, self.paths[index]
            own = find_logged_files(paths, logged.get(str(paths.classes), {}))
            job = tile_job(path, index, tile, paths, sources[index], self.tiles, self.options, own)
            existing, overwrite = tile.existing, self.options.overwrite
            if existing is not None and existing.is_valid_for(job.hashes["job"]) and not overwrite:
                self.outcomes[index] = unchanged(existing)
                continue
            if existing is not None and not overwrite:
                names, before = (path, tile.file.name), tile_of.get(str(paths.classes))
                try:
                    require_same_tile(paths, existing, names, tile.hash, before)
                except OutputExistsError as error:
                    self._set_outcome(index, Outcome(FAILED, error=error.sentence, code=error.code))
                    continue
            damage = (
                existing.damage if existing is not None else "its record is lost" if own else ""
            )
            if damage and not overwrite:
                self.reporter.warning(
                    f"map '{paths.classes}' is not as it was written ({damage}): it is made again"
                )
            jobs[index] = job
        return jobs

    def _margin_px(self) -> int:
        """Width of the margin from whose tiles the map of a tile depends, in pixels."""
        margins = [0]
        for tile in self.tiles:
            if isinstance(tile, Tile):
                with contextlib.suppress(OptionError):  # raised again when the tile is mapped
                    margins.append(margin_px(self.options.map.least_patch, tile.file.grid))
        return self.model.tiling.size_px + max(margins)

    def _pixels(self, index: int) -> int:
        tile = self.tiles[index]
        return tile.file.grid.height * tile.file.grid.width if isinstance(tile, Tile) else 0

    def _set_outcome(self, index: int, outcome: Outcome) -> None:
        self.outcomes[index] = outcome
        if outcome.state == MAPPED:
            self._withdraw_overview()
        name = self.labels[index]
        for text in outcome.warnings:
            self.reporter.warning(f"tile '{name}': {text}")
        if outcome.state == FAILED:
            self.reporter.warning(f"tile '{name}' was not mapped: {outcome.error}")
        else:
            self.reporter.log(f"tile '{name}' {outcome.state} in {outcome.seconds:.1f} s")

    def _withdraw_overview(self) -> None:
        """See `withdraw_overview`: with the first new map, as a batch without one leaves all as it is."""
        if not self._is_overview_current:
            return
        self._is_overview_current = False
        described = [self.tiles[index] for index in self.jobs]
        other_pixels = any(
            isinstance(tile, Tile)
            and tile.existing is not None
            and tile.existing.scene != tile.hash
            for tile in described
        )
        withdraw_overview(self.folder, self.legends.maps, self.reporter, other_pixels=other_pixels)

    def _maps(self) -> list[MappedTile]:
        return [
            MappedTile(listed, GeoreferencedMap(paths.classes, tile.file.grid))
            for listed, paths, tile, outcome in zip(
                self.listed, self.paths, self.tiles, self.outcomes, strict=True
            )
            if outcome.state in (MAPPED, UNCHANGED) and isinstance(tile, Tile)
        ]

    def _areas(self, client: Client, maps: Sequence[MappedTile]) -> list[ClassArea]:
        """Area of each class in all maps."""
        from hsi_geo.tasks.tiles.worker_jobs import run_jobs, workers_of

        jobs, classes, parts = area_jobs([one.map for one in maps]), self.legends.maps, []
        runs = in_runs([1] * len(jobs), workers_of(client))
        found = run_jobs(client, tile_areas, jobs, max(c.id for c in classes), runs=runs)
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
            self.reporter.progress(stages.ADDING_AREAS, done, len(jobs))
        if warning := hidden_maps_warning(parts):
            self.reporter.warning(warning)
        return sum_areas(parts, classes)
