"""Map many tiles with one model on Dask's workers, so that the maps fit together."""

from __future__ import annotations

import dataclasses
import os
import uuid
from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from hsi_geo.arguments import require_flags, require_output, require_whole
from hsi_geo.errors import ModelFileError, OptionError, OutputError
from hsi_geo.extras import require_extra
from hsi_geo.io import model_file
from hsi_geo.io.labels.zones import check_zones
from hsi_geo.io.outputs.atomic import make_folder
from hsi_geo.io.outputs.folder_lock import locked
from hsi_geo.io.outputs.inputs import refuse_input_overwrite
from hsi_geo.io.outputs.own_outputs import OwnOutputs
from hsi_geo.io.readers import Links, Placement
from hsi_geo.io.scenes.given_scenes import given_scenes
from hsi_geo.io.scenes.scene import reading_texts
from hsi_geo.io.scenes.tile_list import list_tiles
from hsi_geo.progress import Reporter, default_reporter
from hsi_geo.tasks.inference.options import MapOptions, Rescale, parse_rescale
from hsi_geo.tasks.predict import require_no_report, require_parents
from hsi_geo.tasks.runtime import Compute, file_hash
from hsi_geo.tasks.tiles.batch_log import files_in_log
from hsi_geo.tasks.tiles.batch_result import BatchResult
from hsi_geo.tasks.tiles.jobs import BatchOptions
from hsi_geo.tasks.tiles.mask_files import absolute_mask, mask_hash
from hsi_geo.tasks.tiles.outputs import assign_map_paths
from hsi_geo.tasks.tiles.overview_files import refuse_foreign_outputs
from hsi_geo.tasks.tiles.run import BatchRun
from hsi_geo.tasks.tiles.worker_processes import start_server
from hsi_geo.text import plain

if TYPE_CHECKING:
    from distributed import Client

SomeTiles = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]


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
    wavelengths: str | os.PathLike[str] | None = None,
    mask: str | os.PathLike[str] = "auto",
    grid: str | None = None,
    straighten: bool = True,
    pixel_size: float | None = None,
    dem: str | None = None,
    asset: str | None = None,
    follow_links: bool = False,
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
        tiles: Paths or links of scenes, globs, folders, text files with one path or link a line, VRT mosaics,
            STAC items or item collections (files or links): one of them, or a list.
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
        mask: Pixels of all tiles that count as missing, as `open_scene` takes them. A mask file may
            cover several tiles.
        grid: Grid that each tile is read on, as `open_scene` takes it.
        straighten: Whether rotated tiles are put onto an upright grid, as `open_scene` takes it.
        pixel_size: Side of the pixels of each tile's grid, as `open_scene` takes it.
        dem: Raster of heights for tiles with RPCs, as `open_scene` takes it.
        asset: Key or title of the asset of each STAC item that is its scene; None finds it.
        follow_links: Whether STAC items may name files on other hosts than their own, and servers may send
            to other hosts.
        rescale: Factor that the tiles' values are multiplied by, "auto" (for each tile) or None;
            see `predict`.
        options: Files to write beside each map, and memory to use for each tile. An area cannot be
            given. Polygons are written once for all maps, and cross the edges of tiles; each map then has its
            confidence beside it. The table of zones is ``zones.csv``, for all maps together.
        compute: Device, and number of threads of each worker: None means 1, and with 1 it reads and
            maps in turn. The seed is not used.
        reporter: Receives progress and messages; None shows a bar in a notebook, and sends
            messages to Python's ``logging``.

    Returns:
        Outcome of each tile, and paths of what was written beside the maps.

    Raises:
        SceneError: If a list of tiles (``.txt``, ``.lst``, ``.json``, ``.vrt``) cannot be read or is
            empty; nothing is written then.
        OutputExistsError: If the folder has a file with a name that a batch gives to what it writes beside the maps, and
            no batch made it; nothing is written then.
        HsiGeoError: If the model cannot be read, another batch writes into the folder, or the
            cluster is lost; maps that are done stay.
    """
    require_flags(
        overwrite=overwrite,
        halo=halo,
        dashboard=dashboard,
        straighten=straighten,
        follow_links=follow_links,
    )
    require_extra("batch", "batches")
    reporter = reporter or default_reporter()
    require_no_report(options)
    if options.aoi is not None:
        raise OptionError("a batch takes no area", hint="leave out aoi=, or call predict")
    if options.stac:
        raise OptionError(
            "a batch writes no STAC item for each map",
            hint="leave it out: items.json describes them",
        )
    if options.zones is not None:
        for note in check_zones(options.zones, field=options.zone_field):
            reporter.warning(note)
    together = options
    options = dataclasses.replace(options, zones=None, zone_field=None)
    if options.polygons:
        options = dataclasses.replace(options, polygons=False, confidence=True)
    if workers is not None:
        require_whole("--workers", workers, 1)
    wavelengths, mask, grid = reading_texts(wavelengths, mask, grid)
    model_path = model_file.path_of_model(model)
    if model_path is None:
        raise ModelFileError(
            "an adapted model was given to a batch, whose workers read a file",
            hint="write it with adapt(out=...), and give its path",
        )
    path, links = model_path.absolute(), Links(asset, follow_links)
    threads, mask = compute.threads or 1, os.fspath(mask)
    read = (path, wavelengths, mask, together.zones, dem)
    batch_options = BatchOptions(
        model=str(path),
        model_hash=file_hash(path),
        overwrite=overwrite,
        wavelengths=_absolute(wavelengths),
        mask=absolute_mask(mask),
        mask_hash=mask_hash(mask),
        placement=Placement(grid, straighten, pixel_size=pixel_size, dem=_absolute(dem)),
        links=links,
        halo=halo,
        rescale=parse_rescale(rescale),
        map=options,
        compute=dataclasses.replace(compute, threads=threads),
        run=uuid.uuid4().hex,
        inputs=tuple(absolute_mask(os.fspath(one)) for one in read if one is not None),
    )
    given = given_scenes(tiles)
    folder = require_output(out).absolute()
    _require_utf8(folder)
    logged = files_in_log(folder).values()
    own = OwnOutputs(folder, {name: sha for files in logged for name, sha in files.items()})
    listed = list_tiles(given, reporter.warning, links, own)
    lists = [one for one in given if not own.has(one)]
    paths = assign_map_paths(listed, lists, folder, options)
    refuse_input_overwrite([file for one in paths for file in one.all], batch_options.inputs)
    refuse_foreign_outputs(folder, [""], together, batch_options.inputs)
    is_new = make_folder(folder)
    if scheduler is None:
        start_server(threads)
    # These import torch and Dask, which takes longer than all checks.
    from hsi_geo.tasks.artifacts.model import load_model
    from hsi_geo.tasks.tiles.cluster import default_workers, local_cluster, remote_cluster

    try:
        adapted = load_model(path)
        require_parents(options, adapted.classes)
    except BaseException:
        if is_new:
            folder.rmdir()
        raise
    cluster: AbstractContextManager[Client]
    if scheduler is not None:
        cluster = remote_cluster(scheduler, reporter)
    else:
        count = min(workers or default_workers(threads, options.max_memory), len(listed))
        cluster = local_cluster(count, threads, reporter, dashboard=dashboard)
    with locked(folder, reporter.warning):
        return BatchRun(
            listed, paths, folder, adapted, batch_options, reporter, local=scheduler is None,
            together=together,
        ).run(cluster)  # fmt: skip


def _require_utf8(folder: Path) -> None:
    try:
        str(folder).encode()
    except UnicodeEncodeError as error:
        raise OutputError(
            f"output folder '{plain(folder)}' is not named in UTF-8, and GDAL cannot be given such a name",
            hint="choose another folder with -o",
        ) from error


def _absolute(option: str | None) -> str | None:
    """The option, a file's path made absolute: workers run in other folders."""
    if option is not None and Path(option).is_file():
        return str(Path(option).absolute())
    return option
