"""Scenes in formats that GDAL opens: GeoTIFF, ENVI and others."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from rasterio.errors import RasterioError

from hsi_geo.errors import MissingPackageError, SceneError, SceneNotFoundError
from hsi_geo.io.files.beside import read_small_file
from hsi_geo.io.files.paths import exists, is_gdal_name
from hsi_geo.io.files.references import require_local
from hsi_geo.io.files.remote_files import as_link, open_remote
from hsi_geo.io.files.side_files import CUBES, RASTERS, header_names, names_by_lower_case
from hsi_geo.io.readers.base import SceneFile, plain
from hsi_geo.io.readers.gdal import open_raster, quiet_gdal
from hsi_geo.io.readers.other_files import refuse_other_file
from hsi_geo.io.readers.raster_description import describe_raster
from hsi_geo.io.readers.spectral_tags import MAX_HEADER_BYTES, read_envi_header
from hsi_geo.io.readers.stac_sidecar import StacSidecar

#: Suffixes of arrays of NumPy and MATLAB, in which many public scenes are given away. They have neither wavelengths nor a place.
ARRAY_FILES = (".npy", ".npz", ".mat")

#: What to do with such a file, and with others that GDAL cannot open.
ARRAY_HINT = (
    "in Python, read the array and its wavelengths, and make a scene of them with "
    "hsi_geo.io.scenes.scene.scene_from_array; examples/own_sensor.py shows how"
)

#: Endings of files that GDAL reads without the header beside them.
_WITHOUT_HEADER = (*ARRAY_FILES, *RASTERS, ".vrt", ".jp2", ".png", ".jpg", ".jpeg", ".hdf")

_RASTER_HINT = "give a GeoTIFF, or an ENVI cube with its .hdr beside it"


def read_raster(
    path: str | os.PathLike[str], *, name: str | None = None, item: StacSidecar | None = None
) -> SceneFile:
    """Describe a raster that GDAL opens.

    Args:
        path: Path of a file, or another name that GDAL opens ("/vsicurl/...").
        name: Name of the scene, for messages; None takes the path.
        item: What a STAC item tells of it; None looks for an item beside it.

    Returns:
        The scene; its pixels are not read.

    Raises:
        SceneNotFoundError: If the file does not exist.
        SceneError: If it is not a raster, or refers to another machine.
    """
    path = os.fspath(path)
    name = name or path
    if not exists(path) and not is_gdal_name(path):
        raise SceneNotFoundError(
            f"scene '{name}' does not exist", hint="check the path and its spelling"
        )
    path = data_of_header(path)
    require_local(path, "scene", SceneError)
    try:
        with quiet_gdal(path), open_raster(path) as source:
            return describe_raster(source, path, name, item)
    except RasterioError as error:
        _require_answer(path)
        refuse_other_file(path, name)
        _require_plain_header(path, name)
        raise SceneError(
            f"scene '{name}' is not a raster that GDAL can open ({plain(error)})",
            hint=ARRAY_HINT if is_array_file(name) else _RASTER_HINT,
        ) from error


def is_array_file(name: str) -> bool:
    """Whether a file is one of NumPy's or MATLAB's by its name.

    Example:
        >>> is_array_file("Indian_pines.mat"), is_array_file("scene.tif")
        (True, False)
    """
    return Path(name).suffix.lower() in ARRAY_FILES


def read_raster_text(text: str, name: str) -> SceneFile:
    """Describe a virtual raster that is given as its text.

    Args:
        text: Text in which each file is a link, from `remote_vrt.whole_vrt`.
        name: Name of the scene, for messages.

    Raises:
        SceneError: If GDAL cannot open it.
    """
    try:
        with quiet_gdal(text), open_raster(text) as source:
            return describe_raster(source, text, name, StacSidecar({}))
    except RasterioError as error:
        raise SceneError(
            f"scene '{name}' is not a virtual raster that GDAL can open ({plain(error)})",
            hint="give the rasters that it names themselves",
        ) from error


def _require_answer(path: str) -> None:
    """Say why a link cannot be read, if its server does.

    Raises:
        SceneError: If there is no such file, no right to read it, or no answer.
    """
    link = as_link(path)
    if link is not None and link.lower().startswith(("http", "s3:")):
        with contextlib.suppress(MissingPackageError), open_remote(link):
            pass


def _require_plain_header(path: str, name: str) -> None:
    """Say why GDAL does not know a cube that has a header. Other rasters may have that of a cube beside them.

    Raises:
        SceneError: If its header begins otherwise than with the word ENVI in plain capitals.
    """
    if Path(path).suffix.lower() in _WITHOUT_HEADER:
        return
    for beside in header_names(path):
        if read_envi_header(beside) and not _begins_with_envi(beside):
            raise SceneError(
                f"scene '{name}' has the header '{beside.name}', which GDAL cannot read: its first bytes are not the word "
                "ENVI, but a byte order mark, blanks, or small letters",
                hint="save it in an editor as UTF-8 without a byte order mark (BOM), with ENVI at its beginning",
            )


def _begins_with_envi(header: Path) -> bool:
    return (read_small_file(header, MAX_HEADER_BYTES) or b"").startswith(b"ENVI")


def data_of_header(path: str | os.PathLike[str]) -> str:
    """Path of the cube that an ENVI header describes.

    Args:
        path: Path of a header, such as "scene.hdr" or "scene.bsq.hdr"; other paths are returned as they are,
            and that of a header without a cube, too.
    """
    given, header = os.fspath(path), Path(path)
    if header.suffix.lower() != ".hdr":
        return given
    stem = header.with_suffix("")
    # Appended as text: in "scene.v2.hdr" the stem has a point, too, and "scene.bsq" is another scene.
    candidates = [Path(f"{stem}{ending}") for ending in ("", *CUBES)]
    exact = next((str(cube) for cube in candidates if cube.is_file()), None)
    if exact is not None or not header.is_file():
        return exact or given
    # File systems that ignore case: SCENE.HDR beside scene.bsq.
    beside = names_by_lower_case(header.parent)
    found = next((beside[c.name.lower()] for c in candidates if c.name.lower() in beside), None)
    return given if found is None else str(header.with_name(found))
