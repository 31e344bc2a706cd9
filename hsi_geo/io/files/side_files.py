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

#: Suffixes of ENVI cubes, some of which have none, and of their headers.
CUBES = (".bsq", ".bil", ".bip", ".img", ".dat", ".raw", ".bin", ".sli", ".hyspex")
HEADERS = (".hdr", ".HDR")

#: Suffixes of files that GDAL reads with any raster ``x.tif``: pyramids, masks, statistics and names, ArcGIS's
#: attribute table. Each of them may have such files, too.
_OF_RASTER = r"(\.(ovr|msk|aux\.xml|aux|vat\.dbf|vat\.cpg))+"

#: Suffixes of files that SQLite applies to any database of the name.
_OF_SQLITE = r"-(wal|shm|journal)"

#: What is read with a new file, by its suffix: what follows its name, and what follows its stem (pyramids and
#: statistics of Erdas, world files of TIFF). Formats that are missing here, such as JSON, FlatGeobuf and GeoParquet, have
#: no such files. Types beside a CSV (`.csvt`), styles (`.qml`) and world files of pictures are made by people, and stay.
_READ_WITH = {
    ".tif": (_OF_RASTER, r"\.(rrd|aux|tfw|tifw|tiffw)"),
    ".tiff": (_OF_RASTER, r"\.(rrd|aux|tfw|tifw|tiffw)"),
    ".vrt": (_OF_RASTER, r"\.(rrd|aux)"),
    ".png": (_OF_RASTER, r"\.(rrd|aux)"),
    ".gpkg": (_OF_SQLITE, None),
}

#: Suffixes of files that georeference a raster without a geotransform.
WORLD_FILES = (".tfw", ".tifw", ".wld")

#: First bytes of an .aux of Erdas: LaTeX writes .aux, too.
_ERDAS = b"EHFA_HEADER_TAG"


def beside_output(final: Path) -> list[Path]:
    """Files that would be read as part of a new file of this name.

    World files of any raster (`.wld`) are not among them: they count only for a raster without a
    geotransform, see `world_files`.

    Args:
        final: Path of the new file.
    """
    after_name, after_stem = _READ_WITH.get(final.suffix.lower(), (None, None))
    if after_name is None:
        return []
    return [
        path
        for path in _same_stem(final)
        if _follows(path, final.name, after_name)
        or (after_stem is not None and _follows(path, final.stem, after_stem) and _is_read(path))
    ]


def world_files(final: Path) -> list[Path]:
    """World files that would georeference a raster that has no geotransform.

    Args:
        final: Path of the raster.
    """
    return [
        path
        for path in _same_stem(final)
        if path.stem == final.stem and path.suffix.lower() in WORLD_FILES
    ]


def beside_input(path: Path) -> list[Path]:
    """Files that readers read together with a file.

    They have the same stem, or their names begin with the whole name: headers, world files, styles, parts
    of a Shapefile, pyramids, masks.

    Args:
        path: Path of the file that is read.
    """
    found = []
    for other in _same_stem(path):
        if other.name == path.name:
            continue
        tail = other.name[len(path.stem) :].lower()
        whole = bool(path.suffix) and other.name.startswith((f"{path.name}.", f"{path.name}-"))
        cube = path.suffix.lower() == ".hdr" and tail in ("", *CUBES)
        if whole or tail.removeprefix(".") in _PARTS or cube:
            found.append(other)
    return found


#: Suffixes of files that belong to a file of the same stem: headers, styles, Shapefile, MapInfo, GML, CSV,
#: world files, Erdas, metadata of satellites.
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


def _follows(path: Path, start: str, pattern: str) -> bool:
    """Whether a file's name is a start and one of some suffixes, in any case of letters."""
    tail = path.name[len(start) :]
    return path.name.startswith(start) and bool(re.fullmatch(pattern, tail, re.IGNORECASE))


def _is_read(path: Path) -> bool:
    """Whether GDAL reads a file with one of the same stem: an `.aux` only if it is of Erdas."""
    if path.suffix.lower() != ".aux":
        return True
    try:
        with path.open("rb") as file:
            return file.read(len(_ERDAS)) == _ERDAS
    except OSError:
        return False


#: Nanoseconds since the last change after which a folder's listing is cached.
_CACHE_AFTER_NS = 5_000_000_000


def header_names(path: str | os.PathLike[str], stem: Path | None = None) -> list[Path]:
    """Paths that an ENVI header of a raster may have, in the order in which GDAL takes them.

    Args:
        path: Path of the raster.
        stem: Path of the raster without its suffix; None takes what follows the last point for the suffix.

    Examples:
        >>> [header.name for header in header_names("a.bsq")]
        ['a.bsq.hdr', 'a.bsq.HDR', 'a.hdr', 'a.HDR']
    """
    stems = (os.fspath(path), Path(path).with_suffix("") if stem is None else stem)
    return list(dict.fromkeys(Path(f"{one}{end}") for one in stems for end in HEADERS))


def names_by_lower_case(folder: Path) -> dict[str, str]:
    """Names in a folder by their lower case; of several the first in the order of the alphabet.

    Args:
        folder: Path of the folder. One that cannot be read has no names.
    """
    changed = _stable_since(folder)
    try:
        return _lower_names(folder) if changed is None else _listed_lower(folder, changed)
    except OSError:
        return {}


def _stable_since(folder: Path) -> int | None:
    """Time of a folder's last change; None if it may change again within the resolution of its time stamp."""
    try:
        changed = folder.stat().st_mtime_ns
    except OSError:
        return None
    return changed if time.time_ns() - changed > _CACHE_AFTER_NS else None


@lru_cache(maxsize=4)
def _listed_lower(folder: Path, changed: int) -> dict[str, str]:
    return _lower_names(folder)


def _lower_names(folder: Path) -> dict[str, str]:
    return {name.lower(): name for name in reversed(_names(folder))}


def _same_stem(path: Path) -> list[Path]:
    """Files in the same folder whose name begins with the stem."""
    folder, stem = path.parent, path.stem
    changed = _stable_since(folder)
    try:
        names = _names(folder) if changed is None else _listed(folder, changed)
    except OSError:
        return []
    following = itertools.islice(names, bisect_left(names, stem), None)
    found = itertools.takewhile(lambda name: name.startswith(stem), following)
    return [folder / name for name in found if (folder / name).is_file()]


@lru_cache(maxsize=4)
def _listed(folder: Path, changed: int) -> list[str]:
    """Sorted names in a folder, cached until it changes: a batch needs them for each tile."""
    return _names(folder)


def _names(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))  # noqa: PTH208  (names alone)
