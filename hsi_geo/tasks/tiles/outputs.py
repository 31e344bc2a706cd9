"""Files beside the maps of a batch: names, mosaics and STAC items."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hsi_geo.io.files.side_files import beside_output
from hsi_geo.io.labels.parents import parent_table
from hsi_geo.io.labels.rejected_classes import rejected_classes
from hsi_geo.io.labels.shots import ClassTable
from hsi_geo.io.maps.vrt_index import GeoreferencedMap, has_legend, index_xml, percent_xml
from hsi_geo.io.maps.writer import MapPaths
from hsi_geo.io.outputs.checks import without_inputs
from hsi_geo.io.outputs.inputs import Name, refuse_input_overwrite
from hsi_geo.io.scenes.tile_list import ListedTile
from hsi_geo.progress import Reporter
from hsi_geo.tasks.inference.options import MapOptions
from hsi_geo.tasks.tiles.footprints import Footprints
from hsi_geo.tasks.tiles.map_names import EarlierMaps, map_names
from hsi_geo.tasks.tiles.overview_files import (
    INDEX,
    ITEMS,
    LAYERS,
    LOG,
    POLYGONS,
    ZONES,
    confidence_name,
    earlier_layers,
    earlier_mosaics,
    have_confidence,
    index_name,
    is_own,
    layer_names,
    names_of_indexes,
    refuse_foreign,
    write_texts,
)
from hsi_geo.tiling import Grid

#: An item collection without maps.
_NO_ITEMS = {"type": "FeatureCollection", "features": []}

#: Stems of maps that would replace these files.
RESERVED = {Path(LOG).stem, Path(ITEMS).stem, INDEX}


@dataclass(frozen=True, slots=True)
class MappedTile:
    """A tile and its map.

    Attributes:
        tile: The tile as it was listed.
        map: The map in the folder.
    """

    tile: ListedTile
    map: GeoreferencedMap


@dataclass(frozen=True, slots=True)
class Legends:
    """Classes of the maps of a batch.

    Attributes:
        maps: Class table of all maps, and rejected classes.
        parents: The same of the upper level; empty for one level.
        bands: Number of classes that have a probability.
    """

    maps: ClassTable
    parents: ClassTable
    bands: int

    @classmethod
    def of(cls, classes: ClassTable, options: MapOptions) -> Legends:
        """Legends of maps.

        Args:
            classes: Class table of the model.
            options: Options of each map.
        """
        maps, parents = (_legend(table, options) for table in (classes, parent_table(classes)))
        return cls(maps, parents, len(classes))


def _legend(table: ClassTable, options: MapOptions) -> ClassTable:
    """A class table, and the rejected classes that options ask for; empty without classes."""
    unlike, uncertain = options.reject is not None, options.min_confidence is not None
    rejected = rejected_classes(table, unlike=unlike, uncertain=uncertain) if table else ()
    return (*table, *rejected)


def assign_map_paths(
    listed: Sequence[ListedTile],
    given: Iterable[str | os.PathLike[str]],
    folder: Path,
    options: MapOptions,
) -> list[MapPaths]:
    """Choose the paths of the maps.

    Args:
        listed: The tiles.
        given: Arguments that the tiles were listed from, such as files with a path a line.
        folder: Folder of the maps.
        options: Files to write beside each map.

    Returns:
        Paths of each tile's map.

    Raises:
        OptionError: If a file of a map would replace a tile, or what tiles were listed from.
    """
    names = map_names([tile.path for tile in listed], RESERVED, EarlierMaps(folder))
    found = [
        MapPaths.of(
            folder / f"{name}.tif",
            confidence=options.confidence,
            probabilities=options.probabilities,
            parents=options.parents,
        )
        for name in names
    ]
    every = (
        MapPaths.of(paths.classes, confidence=True, probabilities=True, parents=True)
        for paths in found
    )
    finals = [path for paths in every for path in paths.with_report().all]
    read = [Path(path).absolute() for path in (*(tile.path for tile in listed), *given)]
    overviews = [path for path in read if path.parent == folder and _is_overview(path)]
    refuse_input_overwrite([*finals, *overviews], [path for path in read if not path.is_dir()])
    return found


def _is_overview(path: Path) -> bool:
    """Whether `write_overview` or `batch_log.write_log` may give a file this name."""
    index = path.suffix == ".vrt" and f"{path.stem}_".startswith(f"{INDEX}_")
    return index or path.name in (LOG, ITEMS)


def index_endings(grids: Sequence[Grid]) -> list[str]:
    """What follows ``index`` in the names of the mosaics of maps: one for each group of `Footprints`.

    Args:
        grids: Pixels of the maps.
    """
    groups = Footprints(grids).groups
    if len(groups) == 1:
        return [""]
    found: list[str] = []
    for number, group in enumerate(groups, start=1):
        ending = f"_{_crs_label(grids[group[0]])}"
        # The same CRS upside down gets a number.
        found.append(ending if ending not in found else f"{ending}_{number}")
    return found


def write_overview(
    folder: Path,
    maps: Sequence[MappedTile],
    legends: Legends,
    together: MapOptions,
    inputs: Sequence[Name],
    reporter: Reporter,
) -> dict[str, Path]:
    """Write one mosaic for each CRS, one of its confidence if the maps have theirs, and STAC items, of this batch's maps.

    A mosaic of an earlier batch goes if no map of this one has its CRS: it would seem current. So do polygons and zones
    that this batch does not write. Without a map of this batch all stay: the maps that they show do, too.

    Args:
        folder: Folder of the maps.
        maps: Tiles that have a map now; none is fine.
        legends: Classes of all maps.
        together: Options with the confidence of each map, and the polygons and zones of all maps together.
        inputs: Files that the batch reads beside the tiles; they stay.
        reporter: Receives a warning if maps have no CRS, and are in no mosaic, or polygons or zones may show earlier maps.

    Returns:
        Name and path of each file, and of the log: only of the log without maps.

    Raises:
        OutputExistsError: If a file of that name is there that no batch made.
        OutputError: If a file cannot be written.
    """
    from hsi_geo.io.maps.stac_items import item_collection  # an optional package

    if not maps:
        if earlier_mosaics(folder):
            reporter.log(
                f"no tile was mapped: {INDEX}.vrt and {ITEMS} stay as an earlier batch wrote them"
            )
        return {"log": folder / LOG}
    mosaics = [one.map for one in maps]
    grids = [one.grid for one in mosaics]
    groups, endings = Footprints(grids).groups, index_endings(grids)
    texts: dict[str, str] = {}
    for ending, group in zip(endings, groups, strict=True):
        texts[index_name(ending)] = index_xml([mosaics[one] for one in group], legends.maps, folder)
        if have_confidence(together):
            percents = [_confidence_of(mosaics[one]) for one in group]
            texts[confidence_name(ending)] = percent_xml(percents, folder)
    for name in texts:
        refuse_foreign(folder / name)
    outside = len(mosaics) - sum(map(len, groups))
    if outside:
        reporter.warning(_outside_warning(outside, together))
    layers = layer_names(endings, together)
    items = item_collection(
        [(one.map, one.tile) for one in maps],
        legends.maps,
        folder,
        files=lambda path: _files_of(path, together),
        bands=legends.bands,
        parents=legends.parents,
    ).to_dict()
    texts[ITEMS] = _items_text(items, layers)
    written = {"log": folder / LOG, **{Path(name).stem: folder / name for name in texts}}
    indexes = earlier_mosaics(folder)
    newest_ns = max(one.path.stat().st_mtime_ns for one in mosaics)
    stems = names_of_indexes(path.stem for path in indexes)
    shown = {*endings, *(stem.removeprefix(INDEX) for stem in stems)}
    stale = _stale_layers(folder, layers, sorted(shown), newest_ns, inputs, reporter)
    stale += [path for path in indexes if path.name not in texts]
    current = [
        name for name in texts if _has_current_pyramids(folder / name, texts[name], newest_ns)
    ]
    write_texts(folder, {name: texts[name] for name in texts if name not in current}, stale)
    return written


def withdraw_overview(
    folder: Path, classes: ClassTable, reporter: Reporter, *, other_pixels: bool
) -> None:
    """Remove mosaics and STAC items of an earlier batch that would name or place the maps of this one wrongly.

    A batch that is stopped would leave its maps in a mosaic with the class names of the maps before. At its end it writes
    mosaics and items anew.

    Args:
        folder: Folder of the maps.
        classes: Legend of the maps of this batch.
        reporter: Receives a message if there are such mosaics.
        other_pixels: Whether maps of this batch may have other pixels than those that they replace.
    """
    mosaics = earlier_mosaics(folder)
    indexes = [path for path in mosaics if names_of_indexes([path.stem])]
    if not any(other_pixels or not has_legend(path, classes) for path in indexes):
        return
    reporter.log(
        f"{INDEX}.vrt and {ITEMS} of an earlier batch show other classes or pixels: they are written again at the end"
    )
    # The list of layers stays: the next batch knows by it which ones a batch wrote.
    layers = [path.name for path in earlier_layers(folder)]
    write_texts(folder, {ITEMS: _items_text(_NO_ITEMS, layers)}, mosaics)


def _files_of(path: Path, together: MapOptions) -> MapPaths:
    """Files of a map of a batch; polygons and zones are those of all maps together."""
    return MapPaths.of(
        path,
        confidence=have_confidence(together),
        probabilities=together.probabilities,
        parents=together.parents,
    )


def _items_text(items: dict[str, Any], layers: Sequence[str]) -> str:
    """Text of an item collection that lists the layers and tables that a batch writes beside it."""
    listed = {LAYERS: list(layers)} if layers else {}
    return json.dumps(items | listed, indent=1, ensure_ascii=False) + "\n"


def _outside_warning(count: int, together: MapOptions) -> str:
    """Say in what maps without a CRS are missing, and that their overlaps are counted more than once."""
    maps, have, are, their = (
        ("map", "has", "is", "its") if count == 1 else ("maps", "have", "are", "their")
    )
    asked = {"polygons": together.polygons, "zones": together.zones is not None}
    lacking = "".join(f", no {name}" for name, is_asked in asked.items() if is_asked)
    return (
        f"{count} {maps} {have} no CRS and {are} in no {INDEX}.vrt{lacking}; in the table of areas {their} pixels count "
        "even where another map covers them"
    )


def _confidence_of(one: GeoreferencedMap) -> GeoreferencedMap:
    """The raster of per cent of a map."""
    path = MapPaths.of(one.path, confidence=True).confidence
    assert path is not None  # asked for above
    return dataclasses.replace(one, path=path)


def _stale_layers(
    folder: Path,
    layers: Sequence[str],
    endings: Iterable[str],
    newest_ns: int,
    inputs: Sequence[Name],
    reporter: Reporter,
) -> list[Path]:
    """Layers and tables that an earlier batch wrote, and this one does not write or writes anew, but for those that it reads.

    Those that are not known to be of a batch stay: `hsi-geo polygons` gives files of the user the same form, and batches
    of earlier versions did not list theirs. The reporter receives a warning if they are older than a map.
    """
    earlier = [
        path
        for path in earlier_layers(folder)
        # One that is written again goes, too, if it shows earlier maps: this batch may be stopped before.
        if path.name not in layers or path.stat().st_mtime_ns < newest_ns
    ]
    stale = without_inputs(earlier, inputs)
    for path in stale:
        if path.name in layers:
            continue
        reporter.log(f"'{path.name}' of an earlier batch is removed: it shows earlier maps")
    for ending in endings:
        for path in (folder / f"{POLYGONS}{ending}.gpkg", folder / f"{ZONES}{ending}.csv"):
            if path.name in layers or path in stale or not is_own(path):
                continue
            if path.stat().st_mtime_ns < newest_ns:
                reporter.warning(f"'{path}' is older than the maps: it may show other classes")
    return stale


def _has_current_pyramids(path: Path, text: str, newest_ns: int) -> bool:
    """Whether a mosaic is as it would be written, with pyramids that are newer than all maps."""
    pyramids = beside_output(path)
    return (
        bool(pyramids)
        and path.is_file()
        and path.read_bytes() == text.encode()
        and min(one.stat().st_mtime_ns for one in pyramids) > newest_ns
    )


def _crs_label(grid: Grid) -> str:
    """The CRS of a map as part of a file name, such as epsg_32633."""
    authority = None if grid.crs is None else grid.crs.to_authority()
    return "_".join(authority).lower() if authority else "crs"
