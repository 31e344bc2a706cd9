"""Files that GDAL, SQLite and QGIS read together with another one, by their names."""

from __future__ import annotations

import itertools
import os
import re
import time
from bisect import bisect_left
from functools import lru_cache
from pathlib import Path

RASTERS = (".tif", ".tiff")

#: What GDAL reads with ``x.tif`` whatever it holds: pyramids, masks, statistics and names, ArcGIS's
#: attribute table; each of them may have one of its own.
_OF_RASTER = re.compile(r"(\.(ovr|msk|aux\.xml|aux|vat\.dbf|vat\.cpg))+", re.IGNORECASE)

#: Pyramids and statistics of Erdas, and the TIFF's own world files, by the stem.
_OF_STEM = re.compile(r"\.(rrd|aux|tfw|tifw|tiffw)", re.IGNORECASE)

#: Where a raster lies that does not say so itself.
WORLD_FILES = (".tfw", ".tifw", ".wld")

#: What SQLite would apply to whatever database has the name.
_OF_SQLITE = re.compile(r"-(wal|shm|journal)")

#: What begins a file of Erdas: LaTeX, too, writes an .aux.
_ERDAS = b"EHFA_HEADER_TAG"


def beside_output(final: Path) -> list[Path]:
    """Files that would be read as part of a file that takes this name.

    World files of any raster (`.wld`) are none of them: they count only for a raster that does not
    say where it lies, see `world_files`.
    """
    suffix = final.suffix.lower()
    if suffix in RASTERS:
        return [
            path
            for path in _named_alike(final)
            if (
                _OF_RASTER.fullmatch(path.name[len(final.name) :])
                and path.name.startswith(final.name)
            )
            or _is_of_stem(path, final)
        ]
    if suffix == ".gpkg":
        return [
            path
            for path in _named_alike(final)
            if path.name.startswith(final.name)
            and _OF_SQLITE.fullmatch(path.name[len(final.name) :])
        ]
    return []


def world_files(final: Path) -> list[Path]:
    """Those that place a raster which has no place of its own."""
    return [
        path
        for path in _named_alike(final)
        if path.stem == final.stem and path.suffix.lower() in WORLD_FILES
    ]


def beside_input(path: Path) -> list[Path]:
    """Files that readers look at together with a file that they open.

    All that has the same stem, or begins with the whole name: headers, world files, styles, parts of
    a Shapefile, pyramids, masks. What is no part of it but looks so by its suffix is left out.
    """
    found = []
    for other in _named_alike(path):
        if other.name == path.name:
            continue
        tail = other.name[len(path.stem) :].lower()
        whole = bool(path.suffix) and other.name.startswith((f"{path.name}.", f"{path.name}-"))
        cube = path.suffix.lower() == ".hdr" and tail in _CUBES
        if whole or tail.removeprefix(".") in _PARTS or cube:
            found.append(other)
    return found


#: Suffixes of what belongs to a file of the same stem: headers, styles, Shapefile, MapInfo, GML, CSV,
#: world files, Erdas, Envisat's and Kompsat's notes.
_PARTS = frozenset(
    [
        "hdr",
        "qml",
        "prj",
        "qpj",
        "cpg",
        "shx",
        "shp",
        "dbf",
        "qix",
        "sbn",
        "sbx",
        "idx",
        "shp.xml",
        "csvt",
        "dat",
        "map",
        "id",
        "ind",
        "mid",
        "mif",
        "gfs",
        "xsd",
        "tfw",
        "tifw",
        "wld",
        "bqw",
        "bpw",
        "aux",
        "rrd",
        "ige",
        "ovr",
        "msk",
        "sta",
        "rpb",
        "imd",
    ]
)

#: An ENVI cube has any of these, or none.
_CUBES = frozenset(["", ".bsq", ".bil", ".bip", ".img", ".dat", ".raw", ".bin", ".sli"])


def _is_of_stem(path: Path, final: Path) -> bool:
    tail = path.name[len(final.stem) :]
    if not path.name.startswith(final.stem) or not _OF_STEM.fullmatch(tail):
        return False
    return tail.lower() != ".aux" or _is_erdas(path)


def _is_erdas(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(_ERDAS)) == _ERDAS
    except OSError:
        return False


#: Nanoseconds after which a folder's listing can be kept.
_SETTLED_NS = 5_000_000_000


def _named_alike(path: Path) -> list[Path]:
    """Files in the same folder whose name begins with the stem."""
    folder, stem = path.parent, path.stem
    try:
        changed = folder.stat().st_mtime_ns
        # What has just changed may change again within the same tick of a disk's clock.
        settled = time.time_ns() - changed > _SETTLED_NS
        names = _listed(folder, changed) if settled else _names(folder)
    except OSError:
        return []
    alike = itertools.islice(names, bisect_left(names, stem), None)
    found = itertools.takewhile(lambda name: name.startswith(stem), alike)
    return [folder / name for name in found if (folder / name).is_file()]


@lru_cache(maxsize=4)
def _listed(folder: Path, changed: int) -> list[str]:
    """Names in a folder as long as it does not change: a batch asks once for each of its tiles."""
    return _names(folder)


def _names(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))  # noqa: PTH208  (names alone)
