"""What the maps of a batch give together: an index, STAC items, a log and the classes' areas."""

from __future__ import annotations

import json
import os
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hsi_geo.io.labels.shots import ClassTable
from hsi_geo.io.maps.record import read_recorded_files
from hsi_geo.io.maps.vrt_index import GeoreferencedMap, index_xml
from hsi_geo.io.maps.writer import MapPaths
from hsi_geo.io.outputs.atomic import atomic_outputs
from hsi_geo.io.outputs.inputs import refuse_input_overwrite
from hsi_geo.io.scenes.tile_list import ListedTile
from hsi_geo.progress import Reporter
from hsi_geo.tasks.inference.mapping import MapOptions
from hsi_geo.tasks.tiles.footprints import Footprints
from hsi_geo.tasks.tiles.jobs import MAPPED, UNCHANGED, Outcome
from hsi_geo.tasks.tiles.map_names import map_names

LOG, ITEMS, INDEX = "batch.jsonl", "items.json", "index"

#: Stems whose files would replace ours.
RESERVED = {Path(LOG).stem, Path(ITEMS).stem, INDEX}

#: (K,) pixels and hectares of the classes; see `class_areas`.
Areas = tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class MappedTile:
    """A tile and its map.

    Attributes:
        tile: As it was listed.
        map: What stands in the folder.
    """

    tile: ListedTile
    map: GeoreferencedMap


@dataclass(frozen=True, slots=True)
class ClassArea:
    """How much of all maps a class covers; what several maps show counts once.

    Attributes:
        id: Of the class.
        name: Of the class.
        pixels: Number of them.
        hectares: None if a CRS does not tell the size of its pixels.
    """

    id: int
    name: str
    pixels: int
    hectares: float | None


def place_maps(
    listed: Sequence[ListedTile],
    given: Iterable[str | os.PathLike[str]],
    folder: Path,
    options: MapOptions,
) -> list[MapPaths]:
    """Where maps go.

    Args:
        listed: The tiles.
        given: What they were listed from.
        folder: For the maps and what shows them as one.
        options: Tell which files each map has.

    Raises:
        OptionError: If a file of a map would replace a tile, or what tiles were listed from.
    """
    names = map_names([tile.path for tile in listed], RESERVED)
    found = [
        MapPaths.of(
            folder / f"{name}.tif",
            confidence=options.confidence,
            probabilities=options.probabilities,
        )
        for name in names
    ]
    every = (MapPaths.of(paths.classes, confidence=True, probabilities=True) for paths in found)
    finals = [path for paths in every for path in paths.with_report().all]
    read = [Path(path).absolute() for path in (*(tile.path for tile in listed), *given)]
    overviews = [path for path in read if path.parent == folder and _is_overview(path)]
    refuse_input_overwrite([*finals, *overviews], [path for path in read if not path.is_dir()])
    return found


def _is_overview(path: Path) -> bool:
    """Whether `write_overview` or `write_log` may give a file this name."""
    index = path.suffix == ".vrt" and f"{path.stem}_".startswith(f"{INDEX}_")
    return index or path.name in (LOG, ITEMS)


def area_jobs(maps: Sequence[MappedTile]) -> list[tuple[GeoreferencedMap, list[GeoreferencedMap]]]:
    """Each map with those before it that it overlaps."""
    placed = [one.map for one in maps]
    footprints = Footprints([one.grid for one in placed])
    return [
        (one, [placed[other] for other in footprints.near(index, -0.5) if other < index])
        for index, one in enumerate(placed)
    ]


def summed(parts: Iterable[Areas], classes: ClassTable) -> list[ClassArea]:
    """The areas of all maps in one table; hectares only if every map has some."""
    pixels, hectares = np.zeros(len(classes), np.int64), np.zeros(len(classes))
    for own_pixels, own_hectares in parts:
        pixels += own_pixels
        hectares += own_hectares
    return [
        ClassArea(c.id, c.name, int(n), None if np.isnan(ha) else float(ha))
        for c, n, ha in zip(classes, pixels, hectares, strict=True)
    ]


def write_overview(
    folder: Path, maps: Sequence[MappedTile], classes: ClassTable, reporter: Reporter
) -> dict[str, Path]:
    """Write one mosaic for each CRS, and STAC items, of the maps of this batch.

    A mosaic of an earlier batch goes if no map of this one has its CRS: it would seem current.

    Args:
        folder: Folder of the maps.
        maps: Tiles that have a map now; none is fine.
        classes: Class table of all maps.
        reporter: Receives a warning if maps have no CRS, and are in no mosaic.

    Returns:
        Name and path of each file, and of the log.

    Raises:
        OutputError: If a file cannot be written.
    """
    from hsi_geo.io.maps.stac_items import item_collection  # an optional package

    mosaics = [one.map for one in maps]
    groups = Footprints([one.grid for one in mosaics]).groups
    texts: dict[str, str] = {}
    for number, group in enumerate(groups, start=1):
        members = [mosaics[index] for index in group]
        name = INDEX if len(groups) == 1 else f"{INDEX}_{_crs_label(members[0])}"
        if f"{name}.vrt" in texts:  # the same CRS upside down
            name += f"_{number}"
        texts[f"{name}.vrt"] = index_xml(members, classes, folder)
    outside = len(mosaics) - sum(map(len, groups))
    if outside:
        reporter.warning(f"{outside} maps have no CRS and are in no {INDEX}.vrt")
    items = item_collection([(one.map, one.tile) for one in maps], classes, folder)
    texts[ITEMS] = json.dumps(items.to_dict(), indent=1, ensure_ascii=False) + "\n"
    stale = [path for path in _earlier_mosaics(folder) if path.name not in texts]
    _write(folder, texts, stale)
    return {"log": folder / LOG, **{Path(name).stem: folder / name for name in texts}}


def _earlier_mosaics(folder: Path) -> list[Path]:
    """Mosaics in a folder that a batch wrote."""
    return [
        path
        for path in sorted(folder.glob(f"{INDEX}*.vrt"))
        if _is_overview(path) and path.is_file() and _is_own_mosaic(path)
    ]


def _is_own_mosaic(path: Path) -> bool:
    """Whether a VRT has the form that `index_xml` gives: classes with names, of maps beside it."""
    try:
        root = ET.fromstring(path.read_bytes())
    except (ET.ParseError, OSError, RecursionError):
        return False
    bands = root.findall("VRTRasterBand")
    if root.tag != "VRTDataset" or len(bands) != 1:
        return False
    names = [
        (name.text or "")
        for name in bands[0].iterfind("ComplexSource/SourceFilename[@relativeToVRT='1']")
    ]
    return (
        bands[0].find("CategoryNames") is not None
        and bands[0].find("GDALRasterAttributeTable") is not None
        and len(names) == len(list(bands[0].iter("SourceFilename"))) > 0
        and all(name.endswith(".tif") and "/" not in name for name in names)
    )


def write_log(folder: Path, ends: Sequence[tuple[ListedTile, MapPaths, Outcome]]) -> None:
    """Write one line a tile."""
    lines = [
        {
            "tile": listed.path,
            "map": str(paths.classes),
            "state": outcome.state,
            "seconds": round(outcome.seconds, 3),
            "error": outcome.error or None,
            "warnings": list(outcome.warnings),
            "files": {one.path.name: one.sha256 for one in read_recorded_files(paths.classes)}
            if outcome.state in (MAPPED, UNCHANGED)
            else {},
            "code": outcome.code or None,
            "drifts": outcome.drifts,
        }
        for listed, paths, outcome in ends
    ]
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    _write(folder, {LOG: text})


def files_in_log(folder: Path) -> dict[str, dict[str, str]]:
    """SHA-256 of the files of each map by their names, by the map's path; see `write_log`.

    What cannot be read tells nothing.
    """
    try:
        lines = (folder / LOG).read_text(encoding="utf-8").splitlines()
        told = [json.loads(line) for line in lines]
        return {line["map"]: dict(line["files"]) for line in told}
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return {}


def _write(folder: Path, texts: Mapping[str, str], stale: Iterable[Path] = ()) -> None:
    finals = [folder / name for name in texts]
    with atomic_outputs(finals, overwrite=True, stale=stale, name="batch") as where:
        for final in finals:
            where[final].write_text(texts[final.name], encoding="utf-8")


def _crs_label(one: GeoreferencedMap) -> str:
    """The CRS of a map as part of a file name, such as epsg_32633."""
    authority = None if one.grid.crs is None else one.grid.crs.to_authority()
    return "_".join(authority).lower() if authority else "crs"
