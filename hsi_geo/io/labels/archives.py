"""Vector files inside ZIP and TAR archives: which file is meant, and its parts unpacked for GDAL."""

from __future__ import annotations

import tarfile
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from hsi_geo.errors import HsiGeoError
from hsi_geo.io.files.archive_members import UNREADABLE
from hsi_geo.io.files.limits import ARCHIVE_FILES
from hsi_geo.io.labels.class_names import find_name
from hsi_geo.io.labels.shapefiles import require_index
from hsi_geo.io.readers.packages import is_archive, is_of_macos

Errors = type[HsiGeoError]

#: Endings of files of features, the best first, and names of folders that are those of the format.
_FORMATS = {
    ".shp": ("shp", "shape", "shapes", "shapefile", "shapefiles"),
    ".gdb": ("gdb", "filegdb", "geodatabase"),
    ".gpkg": ("gpkg", "geopackage"),
    ".geojson": ("geojson", "json"),
    ".fgb": ("fgb", "flatgeobuf"),
    ".gml": ("gml",),
    ".kml": ("kml",),
    ".tab": ("tab", "mapinfo"),
    ".mif": ("mif", "mapinfo"),
    ".csv": ("csv",),
    ".tsv": ("tsv",),
}

#: Those of them that may lie beside the others and only describe them.
_TABLES = (".csv", ".tsv")

#: Larger layers stay in their archive, where GDAL reads them without unpacking.
_UNPACKED_BYTES = 256 << 20


@dataclass(frozen=True, slots=True)
class VectorSource:
    """What GDAL has to open for a file of features.

    Attributes:
        path: The file as it was given, or the path of a file or folder in it, in GDAL's notation.
        archive: The archive; None where nothing has to be unpacked.
        members: Names of the files in the archive that belong together. The first one is opened.
        several: Names of the files of features in an archive, of which none was chosen; empty for one.
        are_tables: Whether these are tables, which may only describe a raster beside them.
        is_chosen: Whether the name of the layer chose the file among several.
        left_out: Names of tables in the archive that are not read, as there are features.
    """

    path: str
    archive: Path | None = None
    members: tuple[str, ...] = ()
    several: tuple[str, ...] = ()
    are_tables: bool = False
    is_chosen: bool = False
    left_out: tuple[str, ...] = ()


def find_vector_source(name: str, layer: str | None, what: str, wrong: Errors) -> VectorSource:
    """Find the features in an archive; any other file is its own source.

    One name in several formats is one file, if they lie in one folder or each in a folder named after its format.

    Args:
        name: Path of any file.
        layer: Name of the file to choose where an archive holds several, maybe without its ending; None for no choice.
        what: What the file is meant to be, for messages ("shots file").
        wrong: Raised if the Shapefile in the archive lacks its index, or if the archive has too many files.

    Returns:
        The source. It is the file itself where the archive cannot be read or holds nothing that is
        known: GDAL then decides.
    """
    path = Path(name)
    if not path.is_file() or not is_archive(path):
        return VectorSource(name)
    try:
        sizes = _list_files(path)
    except UNREADABLE:
        return VectorSource(name)
    if len(sizes) > ARCHIVE_FILES:
        raise wrong(
            f"{what} '{name}' is an archive of more than {ARCHIVE_FILES:,} files",
            hint="unpack it, and give the file itself",
        )
    inside = {PurePosixPath(one): one for one in sizes if not is_of_macos(one)}
    every = _files_of_features(inside)
    features = [one for one in every if one.suffix.lower() not in _TABLES]
    found = features or every
    left_out = tuple(one.name for one in every if one not in found)
    named = [one for one in found if layer and find_name(layer, _names(one))]
    chosen = named or found
    if len(chosen) > 1:
        return VectorSource(name, several=_short_names(chosen), are_tables=not features)
    if not chosen:
        return VectorSource(name)
    (one,) = chosen
    if one.suffix.lower() == ".shp":
        siblings = (other.name for other in inside if other.parent == one.parent)
        require_index(one.name, siblings, f"{what} '{name}'", wrong)
    source = VectorSource(
        f"{_gdal_prefix(path)}/{one}", left_out=left_out, is_chosen=len(found) > 1
    )
    members = _parts(one, inside) if one in inside else []  # a database is a folder
    if not members or sum(sizes[member] for member in members) > _UNPACKED_BYTES:
        return source
    return replace(source, archive=path, members=tuple(members))


def _files_of_features(inside: Iterable[PurePosixPath]) -> list[PurePosixPath]:
    """Files of features, databases of ArcGIS and tables: of one file in several formats the best, sorted by format."""
    inside = list(inside)
    databases = {up for one in inside for up in one.parents if up.suffix.lower() == ".gdb"}
    files = {one for one in inside if one.suffix.lower() in _FORMATS.keys() - {".gdb"}}
    ranks = {ending: rank for rank, ending in enumerate(_FORMATS)}
    kept: dict[str, list[PurePosixPath]] = {}
    for one in sorted(files | databases, key=lambda one: (ranks[one.suffix.lower()], one)):
        others = kept.setdefault(one.stem.lower(), [])
        if not any(_are_one(one, other) for other in others):
            others.append(one)
    found = [one for others in kept.values() for one in others]
    return sorted(found, key=lambda one: (ranks[one.suffix.lower()], one))


def _are_one(one: PurePosixPath, other: PurePosixPath) -> bool:
    """Whether two files with one name are the same features in two formats."""
    if one.suffix.lower() == other.suffix.lower():
        return False
    return one.parent == other.parent or _home(one) == _home(other)


def _names(file: PurePosixPath) -> list[str]:
    return [file.stem, file.name, str(file.with_suffix("")), str(file)]


def _home(file: PurePosixPath) -> PurePosixPath:
    """Folder of a file, but for one that is named after its format."""
    is_of_format = file.parent.name.lower() in _FORMATS[file.suffix.lower()]
    return file.parent.parent if is_of_format else file.parent


def _short_names(files: Sequence[PurePosixPath]) -> tuple[str, ...]:
    """Names of files, with their folders if two have one name without ending."""
    is_unique = len({one.stem.lower() for one in files}) == len(files)
    return tuple(one.name if is_unique else str(one) for one in files)


@contextmanager
def unpacked_source(source: VectorSource) -> Iterator[str]:
    """The path of a source outside of its archive, where all side files are found by their names.

    Args:
        source: As `find_vector_source` gives it.

    Yields:
        Its path; that of a copy in a temporary folder where it is in an archive.
    """
    if source.archive is None:
        yield source.path
        return
    with tempfile.TemporaryDirectory(prefix="hsi-geo-") as folder:
        try:
            _unpack(source.archive, source.members, Path(folder))
        except UNREADABLE:
            yield str(source.archive)  # GDAL refuses it
            return
        yield str(Path(folder) / PurePosixPath(source.members[0]).name)


def _list_files(path: Path) -> dict[str, int]:
    """Size in bytes by name; one more file than is allowed at most."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            return {one.filename: one.file_size for one in archive.infolist() if not one.is_dir()}
    sizes: dict[str, int] = {}
    with tarfile.open(path) as tar:
        for member in tar:
            if member.isfile():
                sizes[member.name] = member.size
            if len(sizes) > ARCHIVE_FILES:
                break
    return sizes


def _parts(chosen: PurePosixPath, inside: Mapping[PurePosixPath, str]) -> list[str]:
    """Names of a file and of those beside it that differ in their suffix only, the file first."""
    beside = [
        one
        for one in inside
        if one.parent == chosen.parent and one.stem.lower() == chosen.stem.lower() and one != chosen
    ]
    return [inside[one] for one in (chosen, *beside)]


def _unpack(path: Path, members: Sequence[str], folder: Path) -> None:
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for member in members:
                (folder / PurePosixPath(member).name).write_bytes(archive.read(member))
        return
    with tarfile.open(path) as tar:
        for member in members:
            file = tar.extractfile(member)
            if file is not None:
                (folder / PurePosixPath(member).name).write_bytes(file.read())


def _gdal_prefix(path: Path) -> str:
    """Path of an archive's root in GDAL's notation.

    Braces mark where the archive ends, whatever its folders are called.
    """
    kind = "vsizip" if zipfile.is_zipfile(path) else "vsitar"
    return f"/{kind}/{path}" if set("{}") & set(str(path)) else f"/{kind}/{{{path}}}"
