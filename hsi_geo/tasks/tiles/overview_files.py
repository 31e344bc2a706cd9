"""Files beside the maps of a batch: their names, which ones a batch wrote, and how they are written."""

from __future__ import annotations

import csv
import json
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import pyogrio
from pyogrio.errors import DataLayerError, DataSourceError

from hsi_geo.errors import OutputExistsError
from hsi_geo.io.maps.polygons import CLASS_FIELD
from hsi_geo.io.maps.zone_areas import ZoneArea
from hsi_geo.io.outputs.atomic import atomic_outputs
from hsi_geo.io.outputs.inputs import Name, refuse_input_overwrite
from hsi_geo.tasks.inference.options import MapOptions
from hsi_geo.text import plain_json

LOG, ITEMS, INDEX, POLYGONS, ZONES = "batch.jsonl", "items.json", "index", "polygons", "zones"

#: What the name of a map's confidence has more than that of the map, for a mosaic as well.
CONFIDENCE = "_confidence"

#: Member of the item collection that lists the layers and tables that a batch writes beside it. `hsi-geo polygons` and
#: `hsi-geo zones` give files of the user the same form.
LAYERS = "hsi_geo:layers"


def index_name(ending: str) -> str:
    """Name of a mosaic.

    Args:
        ending: What follows ``index``: the CRS, or nothing for the only one.

    >>> index_name("_epsg_32633")
    'index_epsg_32633.vrt'
    """
    return f"{INDEX}{ending}.vrt"


def confidence_name(ending: str) -> str:
    """Name of the mosaic of confidence that belongs to a mosaic of maps.

    Args:
        ending: What follows ``index`` in the name of that mosaic.

    >>> confidence_name("_epsg_32633")
    'index_epsg_32633_confidence.vrt'
    """
    return index_name(f"{ending}{CONFIDENCE}")


def have_confidence(options: MapOptions) -> bool:
    """Whether each map of a batch has its confidence beside it: polygons need it.

    Args:
        options: Options of all maps together.
    """
    return options.confidence or options.polygons


def names_of_indexes(names: Iterable[str]) -> list[str]:
    """Names of the mosaics of maps among those of a batch's files, without suffix.

    Args:
        names: Names of files without suffix.

    >>> names_of_indexes(["batch", "index_epsg_32633", "index_epsg_32633_confidence"])
    ['index_epsg_32633']
    """
    return [name for name in names if name.startswith(INDEX) and not name.endswith(CONFIDENCE)]


def layer_names(endings: Iterable[str], options: MapOptions) -> list[str]:
    """Names of the layers of polygons and of the tables of zones that belong to mosaics.

    Args:
        endings: What follows ``index`` in the name of each mosaic.
        options: Which of both are written.

    >>> layer_names([""], MapOptions(polygons=True))
    ['polygons.gpkg']
    """
    found = []
    for ending in endings:
        if options.polygons:
            found.append(f"{POLYGONS}{ending}.gpkg")
        if options.zones is not None:
            found.append(f"{ZONES}{ending}.csv")
    return found


def refuse_foreign_outputs(
    folder: Path, endings: Iterable[str], options: MapOptions, inputs: Iterable[Name]
) -> None:
    """Refuse a folder in which a batch would replace files of these names that no batch made, or files that it reads.

    Args:
        folder: Folder of the maps, which may not exist.
        endings: What follows ``index`` in the name of each mosaic.
        options: Whether confidence, polygons and zones are written.
        inputs: Files that the batch reads beside the tiles.

    Raises:
        OutputExistsError: If such a file is there.
        OptionError: If it is one that the batch reads.
    """
    endings = list(endings)
    mosaics = [*map(index_name, endings)]
    if have_confidence(options):
        mosaics += map(confidence_name, endings)
    layers = layer_names(endings, options)
    refuse_input_overwrite([folder / name for name in layers], inputs)
    for name in (LOG, ITEMS, *mosaics, *layers):
        refuse_foreign(folder / name)


def refuse_foreign(path: Path) -> None:
    """Refuse to replace a file that has a name of a batch's outputs and that no batch made.

    Args:
        path: Path of the output.

    Raises:
        OutputExistsError: If another file is there.
    """
    if path.exists() and not is_own(path):
        raise OutputExistsError(
            f"output '{path}' is there, and no batch made it", hint="move it to another folder"
        )


def is_own(path: Path) -> bool:
    """Whether a file has the form that a batch of this or an earlier version gives it.

    Args:
        path: A file with a name of a batch's outputs.
    """
    if not path.is_file():
        return False
    return {".jsonl": _is_log, ".json": _is_collection, ".vrt": _is_mosaic, ".gpkg": _is_layer}.get(
        path.suffix, _is_table
    )(path)


def earlier_mosaics(folder: Path) -> list[Path]:
    """Mosaics of maps and of their confidence in a folder that a batch wrote.

    Args:
        folder: Folder of the maps.
    """
    return [
        path
        for path in sorted(folder.glob(index_name("*")))
        if f"{path.stem}_".startswith(f"{INDEX}_") and is_own(path)
    ]


def earlier_layers(folder: Path) -> list[Path]:
    """Layers and tables in a folder that a batch wrote, according to its item collection.

    Args:
        folder: Folder of the maps.
    """
    found = _read_json(folder / ITEMS)
    names = found.get(LAYERS) if isinstance(found, dict) else None
    paths = [folder / name for name in names or () if _is_layer_name(name)]
    return [path for path in paths if is_own(path)]


def write_texts(folder: Path, texts: Mapping[str, str], stale: Iterable[Path] = ()) -> None:
    """Write files beside the maps: all of them, or none.

    Args:
        folder: Folder of the maps.
        texts: Text of each file by its name.
        stale: Files to remove when the new ones appear.

    Raises:
        OutputError: If one cannot be written.
    """
    finals = [folder / name for name in texts]
    with atomic_outputs(finals, overwrite=True, stale=stale, name="batch") as where:
        for final in finals:
            # In JSON names that are not UTF-8 can be written as escapes.
            escape = plain_json if final.suffix in (".json", ".jsonl") else str
            where[final].write_text(escape(texts[final.name]), encoding="utf-8")


def _is_layer_name(name: Any) -> bool:
    return (
        isinstance(name, str)
        and Path(name).name == name
        and (
            (name.startswith(POLYGONS) and name.endswith(".gpkg"))
            or (name.startswith(ZONES) and name.endswith(".csv"))
        )
    )


def _read_json(path: Path) -> Any:
    """Content of a JSON file; None if it is none."""
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None


def _is_log(path: Path) -> bool:
    """Whether each line describes a tile. A file without lines has nothing to lose."""
    try:
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        entries = [json.loads(line) for line in lines]
    except (OSError, ValueError, RecursionError):
        return False
    return all(isinstance(one, dict) and {"tile", "map", "state"} <= set(one) for one in entries)


def _is_collection(path: Path) -> bool:
    """Whether all items are those of maps in the same folder."""
    found = _read_json(path)
    if not isinstance(found, dict) or found.get("type") != "FeatureCollection":
        return False
    items: Any = found.get("features")
    if items == []:
        return set(found) <= {"type", "features", LAYERS}
    try:
        return all(one["assets"]["map"]["href"] == f"./{one['id']}.tif" for one in items)
    except (KeyError, TypeError):
        return False


def _is_mosaic(path: Path) -> bool:
    """Whether a VRT has the form that `index_xml` or `percent_xml` gives: classes with names, or none, of maps beside it."""
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
    is_percent = path.stem.endswith(CONFIDENCE)
    parts = [bands[0].find(part) for part in ("CategoryNames", "GDALRasterAttributeTable")]
    return (
        all((part is None) == is_percent for part in parts)
        and len(names) == len(list(bands[0].iter("SourceFilename"))) > 0
        and all(name.endswith(f"{CONFIDENCE * is_percent}.tif") for name in names)
        and not any("/" in name for name in names)
    )


def _is_layer(path: Path) -> bool:
    try:
        found = set(pyogrio.read_info(path, layer=path.stem)["fields"])
    except (DataSourceError, DataLayerError):
        return False
    return {CLASS_FIELD, "hectares", "confidence", "pixels"} <= found


def _is_table(path: Path) -> bool:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            header = next(csv.reader(file), [])
    except (OSError, UnicodeDecodeError, csv.Error):
        return False
    return header == [field.name for field in fields(ZoneArea)]
