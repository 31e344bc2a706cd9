"""Folders and archives that hold a scene and other files."""

from __future__ import annotations

import re
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from hsi_geo.errors import SceneError
from hsi_geo.io.files.limits import ARCHIVE_FILES, read_short, require_short_text
from hsi_geo.io.readers.auxiliary_names import is_auxiliary
from hsi_geo.io.readers.base import SceneFile
from hsi_geo.io.readers.quality_layers import RasterFlags
from hsi_geo.io.readers.raster import read_raster
from hsi_geo.text import quoted

ARCHIVES = (".zip", ".tar", ".tgz", ".tar.gz")

_GEOTIFFS = (".tif", ".tiff")

#: Endings of files that lie beside cubes and hold none: headers, metadata, texts, pictures, tables and vectors. ENVI's
#: cubes may have any other.
_NO_CUBE = re.compile(
    r"\.(hdr|xml|json|txt|log|md|ya?ml|csv|tsv|xlsx|pdf|html?|png|jpe?g|jp2|gif|bmp|webp|svg|ovr|msk|aux|rrd|enp|sta"
    r"|km[lz]|geojson|gpkg|gml|shp|shx|dbf|prj|cpg|qpj|qml|sld|tfw|wld|pgw|jgw|md5|sha\d+|gain|zip|h5|nc|mat|npy)"
)

#: How GDAL's name of a part of a file begins.
_BY_POSITION = "/vsisubfile/"

#: Number of folder levels in which a product's files are searched.
FOLDER_LEVELS = 3


@dataclass(frozen=True)
class Package:
    """The files of a folder or an archive, without those of `is_of_macos`.

    Attributes:
        name: The path as the user gave it.
        files: Names of the files, relative to the folder or archive, in alphabetical order.
        gdal_path: Function from a name to the path that GDAL opens.
        read_bytes: Function from a name to the content of a small file.
    """

    name: str
    files: tuple[str, ...]
    gdal_path: Callable[[str], str]
    read_bytes: Callable[[str], bytes]


def is_archive(path: Path) -> bool:
    """Whether a file's name is that of an archive that GDAL reads without unpacking.

    Example:
        >>> is_archive(Path("EnMAP.tar.gz")), is_archive(Path("EnMAP.7z"))
        (True, False)
    """
    return path.name.lower().endswith(ARCHIVES)


def is_of_macos(name: str) -> bool:
    """Whether macOS made a file beside one of the user, for attributes that archives and other file systems lack.

    Args:
        name: Name of a file, relative to its folder or archive.

    Example:
        >>> is_of_macos("a/._scene.tif"), is_of_macos("__MACOSX/scene.tif"), is_of_macos("a/scene.tif")
        (True, True, False)
    """
    path = PurePosixPath(name)
    return path.name.startswith("._") or "__MACOSX" in path.parts


def open_folder(path: Path, name: str, pattern: str = "*") -> Package:
    """List the files of a folder.

    Args:
        path: Path of the folder.
        name: Name of the scene, for messages.
        pattern: Glob of the files in the folder. Subfolders are searched only with the default.
    """
    levels = ["/".join(["*"] * depth) for depth in range(1, FOLDER_LEVELS + 1)]
    globs = levels if pattern == "*" else [pattern]
    files = sorted(file for glob in globs for file in path.glob(glob) if file.is_file())
    names = (file.relative_to(path).as_posix() for file in files)
    return Package(
        name,
        tuple(one for one in names if not is_of_macos(one)),
        lambda inside: str(path / inside),
        lambda inside: _from_folder(path / inside),
    )


def open_archive(path: Path) -> Package:
    """List the files of a .zip, .tar or .tar.gz.

    Args:
        path: Path of the archive.

    Raises:
        SceneError: If it is damaged, or holds too many files.
    """
    name = str(path)
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                files = sorted(info.filename for info in archive.infolist() if not info.is_dir())
            _require_few(len(files), name)
            return Package(
                name,
                tuple(one for one in files if not is_of_macos(one)),
                lambda inside: f"/vsizip/{_braced(path)}/{inside}",
                lambda inside: _from_zip(path, inside),
            )
        with tarfile.open(path) as tar:
            members = {member.name: member for member in _members(tar, name)}
    except (OSError, EOFError, tarfile.TarError, zipfile.BadZipFile) as error:
        raise SceneError(
            f"scene '{name}' is no archive that can be read ({error})",
            hint="download it again, or unpack it and give what is inside",
        ) from error
    return Package(
        name,
        tuple(one for one in sorted(members) if not is_of_macos(one)),
        lambda inside: _in_tar(path, members[inside]),
        lambda inside: _from_tar(path, inside),
    )


def read_packed_raster(package: Package) -> SceneFile:
    """Describe the only raster of an archive.

    Args:
        package: The files of the archive. Of several rasters, those named like uncertainties, noise, masks or flags
            are left out, and then the only one named reflectance is taken.

    Raises:
        SceneError: If there is no raster, or several.
    """
    rasters = rasters_in(package)
    auxiliary = [name for name in rasters if is_auxiliary(PurePosixPath(name).name)]
    if len(auxiliary) < len(rasters):
        rasters = [name for name in rasters if name not in auxiliary]
    reflectance = [name for name in rasters if re.search("re?fl", PurePosixPath(name).name.lower())]
    if len(rasters) > 1 and len(reflectance) == 1:
        rasters = reflectance
    if len(rasters) == 1:
        file = _read_alone(package, rasters[0])
        return _noting(file, package, [name for name in auxiliary if name not in rasters])
    if rasters:
        raise SceneError(
            f"scene '{package.name}' holds {len(rasters)} rasters: {', '.join(rasters[:5])}",
            hint=f"give one of them, such as '{package.gdal_path(rasters[0])}'",
        )
    raise SceneError(
        f"scene '{package.name}' holds no GeoTIFF, ENVI cube, EnMAP or DESIS product among its "
        f"{len(package.files)} file(s)",
        hint="unpack it and give the scene's file",
    )


def _read_alone(package: Package, name: str) -> SceneFile:
    """Describe a raster of an archive. By its position in a TAR, it is read without the files beside it.

    Raises:
        SceneError: If it is a cube whose header cannot be found for this.
    """
    path, place = package.gdal_path(name), PurePosixPath(name)
    if not path.startswith(_BY_POSITION):
        return read_raster(path, name=package.name)
    if place.suffix.lower() not in _GEOTIFFS:
        raise SceneError(
            f"scene '{package.name}' names its cube '{place.name}', with its folders, by a name that is long or not "
            "plain ASCII, and GDAL finds no header for such a name in a TAR of the PAX format",
            hint="unpack it, and give the cube",
        )
    file = read_raster(path, name=package.name)
    others = [PurePosixPath(one) for one in package.files if one != name]
    beside = [one.name for one in others if one.parent == place.parent]
    if not beside:
        return file
    warning = (
        f"{quoted(beside)} beside it in the archive are not used, as its name with its folders is long or not plain "
        "ASCII, in the PAX format: unpack it to use them"
    )
    return replace(file, warnings=(*file.warnings, warning))


def _noting(file: SceneFile, package: Package, auxiliary: list[str]) -> SceneFile:
    """A scene with a note on rasters that are not read, neither as masks."""
    flags = (layer.flags for layer in file.quality)
    masks = {one.path for one in flags if isinstance(one, RasterFlags)}
    unread = [name for name in auxiliary if package.gdal_path(name) not in masks]
    if not unread:
        return file
    return replace(file, notes=(*file.notes, f"it does not read {quoted(unread)}"))


def rasters_in(package: Package) -> list[str]:
    """Names of the files that are rasters: GeoTIFFs, and cubes with a header of ENVI beside them.

    A header "a.cube.hdr" is that of "a.cube" only. One named "a.hdr" may be that of any "a.*" that can hold a cube.

    Args:
        package: The files of a folder or an archive.
    """
    paths = {name: PurePosixPath(name.lower()) for name in package.files}  # without a "./" before
    inside = {str(path) for path in paths.values()}
    return [name for name in package.files if _is_raster(paths[name], inside)]


def _is_raster(path: PurePosixPath, inside: set[str]) -> bool:
    if path.suffix in _GEOTIFFS:
        return True
    if _NO_CUBE.fullmatch(path.suffix):
        return False
    header = _header(path)
    return f"{path}.hdr" in inside or (
        header in inside and header.removesuffix(".hdr") not in inside
    )


def _header(path: PurePosixPath) -> str:
    return str(path.with_suffix(".hdr"))


def _require_few(files: int, name: str) -> None:
    if files > ARCHIVE_FILES:
        raise SceneError(
            f"scene '{name}' is an archive of more than {ARCHIVE_FILES:,} files",
            hint="unpack it, and give the scene's file",
        )


def _members(tar: tarfile.TarFile, name: str) -> Iterator[tarfile.TarInfo]:
    for count, member in enumerate(tar):
        _require_few(count, name)
        if member.isfile():
            yield member


def _from_folder(path: Path) -> bytes:
    with path.open("rb") as file:
        return read_short(file, f"'{path}'", SceneError)


def _from_zip(path: Path, inside: str) -> bytes:
    with zipfile.ZipFile(path) as archive:
        what = f"'{inside}' in '{path}'"
        require_short_text(archive.getinfo(inside).file_size, what, SceneError)
        with archive.open(inside) as file:  # may hold more bytes than the archive states
            return read_short(file, what, SceneError)


def _in_tar(path: Path, member: tarfile.TarInfo) -> str:
    """GDAL's path of a file in a TAR: by its name, but by its position for names that PAX stores apart: long ones, and those beyond ASCII."""
    if "path" not in member.pax_headers:
        return f"/vsitar/{_braced(path)}/{member.name.removeprefix('./')}"  # as GDAL lists it
    whole = path if path.suffix.lower() == ".tar" else f"/vsigzip/{path}"
    return f"{_BY_POSITION}{member.offset_data}_{member.size},{whole}"


def _braced(path: Path) -> str:
    """An archive's path in braces, which show GDAL its end; not if the path has a brace itself."""
    return str(path) if "}" in str(path) else f"{{{path}}}"


def _from_tar(path: Path, inside: str) -> bytes:
    with tarfile.open(path) as archive:
        file = archive.extractfile(inside)
        return b"" if file is None else read_short(file, f"'{inside}' in '{path}'", SceneError)
