"""What a file is that was given as a scene and cannot be opened: its first bytes tell it."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from hsi_geo.errors import HsiGeoError, SceneError
from hsi_geo.io.files.remote_files import as_link, open_remote

_FIRST_BYTES = 1024

#: Beginnings of vector files: GeoPackage, Shapefile, FlatGeobuf.
_VECTORS = (b"SQLite format 3\0", b"\0\0\x27\x0a", b"fgb\x03")


def refuse_other_file(path: str, name: str) -> None:
    """Say what a file is, if it is of a kind that is often given in place of a scene.

    Args:
        path: Path of the file, or a link.
        name: Name of the scene, for messages.

    Raises:
        SceneError: If it is empty, a web page, a vector layer, a model, or a header without its cube.
    """
    first = _first_bytes(path)
    if first is None:
        return
    text = first.lstrip(b"\xef\xbb\xbf \t\r\n")
    if not first:
        found, hint = "is empty (0 bytes)", "copy or download the file again"
    elif text[:14].lower() == b"<!doctype html" or text[:5].lower() == b"<html":
        found = "is a web page, and no raster"
        hint = (
            "the server may want a login first: download the file with a browser, and give its path"
        )
    elif first.startswith(_VECTORS) or (text[:1] == b"{" and b'"FeatureCollection"' in text):
        found, hint = (
            "is a vector layer, and no raster",
            "give the image as the scene, and the layer as the shots",
        )
    elif first[8:10] == b'{"':  # safetensors: a length of eight bytes, and JSON
        found, hint = "is a model or its weights, and no raster", "give the image as the scene"
    elif Path(path).suffix.lower() == ".hdr" and text.startswith(b"ENVI"):
        found = "is the header of an ENVI cube that is not beside it"
        hint = f"copy the cube into its folder, with the name of the header: {Path(path).stem}, or .bsq, .bil, .bip, .dat, .img"
    else:
        return
    raise SceneError(f"scene '{name}' {found}", hint=hint)


def _first_bytes(path: str) -> bytes | None:
    """The first bytes of a file; None if they cannot be read."""
    link = as_link(path)
    with contextlib.suppress(OSError, ValueError, HsiGeoError):
        if link is not None:
            with open_remote(link) as file:
                return file.read(_FIRST_BYTES)
        if os.path.isfile(path):  # noqa: PTH113  (GDAL's names are no paths)
            with Path(path).open("rb") as file:
                return file.read(_FIRST_BYTES)
    return None
