"""Files that hold a raster or features, whatever their names: headers, archives, folders and files without an ending."""

from __future__ import annotations

from pathlib import Path

from rasterio.errors import RasterioError

from hsi_geo.errors import HsiGeoError, SceneError
from hsi_geo.io.files.file_names import openable
from hsi_geo.io.files.paths import exists
from hsi_geo.io.files.references import require_local
from hsi_geo.io.readers.gdal import open_raster, quiet_gdal
from hsi_geo.io.readers.packages import is_archive, open_archive, rasters_in

#: Endings of rasters. Other files are tried as features first.
RASTERS = (".tif", ".tiff", ".img", ".vrt", ".bsq", ".dat", ".asc")

#: How a virtual layer of features begins, whose ending is that of a virtual raster.
_VIRTUAL_LAYER = b"<ogrvrtdatasource"

#: Bytes of a text in which its first element is looked for.
_START_BYTES = 4096


def is_named_as_raster(name: str) -> bool:
    """Whether a file is a raster by its ending. That of a virtual raster may also be a virtual layer of features.

    Args:
        name: Path of any file, or GDAL's name of one.
    """
    suffix = Path(name).suffix.lower()
    if suffix != ".vrt" or not Path(name).is_file():
        return suffix in RASTERS
    with Path(name).open("rb") as file:
        return _VIRTUAL_LAYER not in file.read(_START_BYTES).lower()


def is_file_database(name: str) -> bool:
    """Whether a path is that of a folder which is a database of ArcGIS (.gdb).

    Args:
        name: Path of any file or folder.
    """
    return Path(name).suffix.lower() == ".gdb" and exists(name) and Path(name).is_dir()


def find_raster(name: str, what: str, wrong: type[HsiGeoError]) -> str | None:
    """The name by which GDAL opens a file as a raster.

    Args:
        name: Path of a file that is no file of features, or GDAL's name of one; an archive may hold one raster.
        what: What the file is meant to be, for messages ("mask").
        wrong: Raised if the file refers to other machines.

    Returns:
        The name, of the raster in it for an archive; None if GDAL opens no raster.
    """
    opened_as = _packed_raster(name)
    require_local(opened_as, what, wrong)
    try:
        with quiet_gdal(opened_as), openable(opened_as) as opened, open_raster(opened):
            return opened_as
    except RasterioError:
        return None


def _packed_raster(name: str) -> str:
    """GDAL's name of the only raster in an archive; the same name where there is none."""
    path = Path(name)
    if not is_archive(path) or not exists(path) or not path.is_file():
        return name
    try:
        package = open_archive(path)
    except SceneError:  # damaged, or of too many files
        return name
    found = rasters_in(package)
    return package.gdal_path(found[0]) if len(found) == 1 else name
