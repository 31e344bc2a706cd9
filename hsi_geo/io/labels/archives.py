"""Vector files inside ZIP and TAR archives: which file is meant, and its parts unpacked for GDAL."""

from __future__ import annotations

import tarfile
import tempfile
import zipfile
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from hsi_geo.errors import HsiGeoError
from hsi_geo.io.files.archive_members import UNREADABLE
from hsi_geo.io.files.limits import ARCHIVE_FILES
from hsi_geo.io.labels.class_names import find_name
from hsi_geo.io.labels.shapefiles import require_index
from hsi_geo.io.readers.packages import is_archive, is_of_macos
from hsi_geo.text import quoted

Errors = type[HsiGeoError]

#: Formats of one file that are looked for where an archive holds neither a Shapefile nor a database of ArcGIS.
_SINGLE_FILES = (".gpkg", ".geojson", ".fgb", ".gml", ".kml", ".tab", ".mif", ".csv", ".tsv")

#: Those of them that may lie beside a database of ArcGIS and only describe it.
_TABLES = (".csv", ".tsv")

#: Formats of which GDAL takes all files of an archive for layers, if there are no others.
_LAYERED = (".fgb", ".tab", ".mif", *_TABLES)

#: Larger layers stay in their archive, where GDAL reads them without unpacking.
_UNPACKED_BYTES = 256 << 20


@dataclass(frozen=True, slots=True)
class VectorSource:
    """What GDAL has to open for a file of features.

    Attributes:
        path: The file as it was given, or the path of a file or folder in it, in GDAL's notation.
        archive: The archive; None where nothing has to be unpacked.
        members: Names of the files in the archive that belong together. The first one is opened.
        layers: Names of the Shapefiles in several folders of an archive, of which none was chosen;
            empty otherwise.
        left_out: Names of tables in the archive that are not read, as there are features.
    """

    path: str
    archive: Path | None = None
    members: tuple[str, ...] = ()
    layers: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


def find_vector_source(name: str, layer: str | None, what: str, wrong: Errors) -> VectorSource:
    """Find the features in an archive; any other file is its own source.

    Args:
        name: Path of any file.
        layer: Name of the Shapefile to choose where an archive holds several; None for no choice.
        what: What the file is meant to be, for messages ("shots file").
        wrong: Raised if a Shapefile in the archive lacks its index, if the archive has several files of features that
            are no layers of one, or too many files.

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
    shapes = [one for one in inside if one.suffix.lower() == ".shp"]
    for shape in shapes:
        siblings = (one.name for one in inside if one.parent == shape.parent)
        require_index(shape.name, siblings, f"{what} '{name}'", wrong)
    prefix = _gdal_prefix(path)
    named = None if layer is None else find_name(layer, (one.stem for one in shapes))
    chosen = [one for one in shapes if one.stem == named] or shapes
    databases = {up for one in inside for up in one.parents if up.suffix.lower() == ".gdb"}
    features, tables = _single_files(inside, {one.stem.lower() for one in shapes})
    left_out = tuple(one.name for one in tables)
    if named is None:
        _require_one_source(f"{what} '{name}'", shapes, databases, features, wrong)
    if len({one.parent for one in chosen}) > 1:
        return VectorSource(name, layers=tuple(one.stem for one in chosen))
    if len(chosen) > 1:
        folder = chosen[0].parent
        return VectorSource(f"{prefix}/{folder}" if folder.name else prefix, left_out=left_out)
    if not shapes:
        if databases:
            return VectorSource(f"{prefix}/{databases.pop()}", left_out=left_out)
        chosen, left_out = (features, left_out) if features else (tables, ())
    if len(chosen) != 1:
        return VectorSource(name, left_out=left_out)
    members = _parts(chosen[0], inside)
    if sum(sizes[one] for one in members) > _UNPACKED_BYTES:
        return VectorSource(f"{prefix}/{chosen[0]}", left_out=left_out)
    return VectorSource(f"{prefix}/{chosen[0]}", path, tuple(members), left_out=left_out)


def _single_files(
    inside: Iterable[PurePosixPath], taken: Collection[str]
) -> tuple[list[PurePosixPath], list[PurePosixPath]]:
    """Files of features and tables, the best format of each name.

    Args:
        inside: Files of an archive.
        taken: Names without ending, in lower case, of Shapefiles, which come before the same in another format.
    """
    ranks = {ending: rank for rank, ending in enumerate(_SINGLE_FILES)}
    found: dict[str, PurePosixPath] = {}
    for one in sorted(inside, key=lambda one: ranks.get(one.suffix.lower(), len(ranks))):
        if one.suffix.lower() in ranks and one.stem.lower() not in taken:
            found.setdefault(str(one.with_suffix("")).lower(), one)
    features = [one for one in found.values() if one.suffix.lower() not in _TABLES]
    return features, [one for one in found.values() if one not in features]


def _require_one_source(
    called: str,
    shapes: Sequence[PurePosixPath],
    databases: Collection[PurePosixPath],
    features: Sequence[PurePosixPath],
    wrong: Errors,
) -> None:
    """Refuse an archive with files that GDAL does not open together: the features of all but one would be lost.

    Args:
        called: What the message calls the archive ("shots file 'a.zip'").
        shapes: Its Shapefiles, which GDAL opens together.
        databases: Its databases of ArcGIS.
        features: Its files of other formats.
        wrong: Raised if there are several.
    """
    endings = {one.suffix.lower() for one in features}
    is_one = len(features) < 2 or (len(endings) == 1 and endings <= set(_LAYERED))
    kinds = bool(shapes) + len(databases) + bool(features)
    if kinds > 1 or not is_one:
        raise wrong(
            f"{called} holds several files of features: "
            f"{quoted([one.name for one in (*shapes, *sorted(databases), *sorted(features))])}",
            hint="unpack it, and give the files themselves",
        )


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
