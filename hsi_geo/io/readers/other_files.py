"""What a file is that was given as a scene and cannot be opened: its first bytes tell it."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path

from hsi_geo.errors import HsiGeoError, SceneError
from hsi_geo.io.files.remote_files import as_link, open_remote
from hsi_geo.io.readers.stac_collections import is_items_name

#: Some catalogues write the version of STAC at the end of an item.
_FIRST_BYTES = 65_536

#: Beginnings of vector files: GeoPackage, Shapefile, FlatGeobuf.
_VECTORS = (b"SQLite format 3\0", b"\0\0\x27\x0a", b"fgb\x03")

#: Beginning of a web page, also of one in XML.
_PAGE = re.compile(
    rb"(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html)\b",
    re.IGNORECASE | re.DOTALL,
)

#: Members of a STAC item, and of a file of several.
_STAC = (b'"stac_version"', b'"stac_extensions"')
_STAC_LISTS = (b'"FeatureCollection"', b'"features"', b'"Collection"', b'"Catalog"')


def refuse_other_file(path: str, name: str) -> None:
    """Say what a file is, if it is of a kind that is often given in place of a scene.

    Args:
        path: Path of the file, or a link.
        name: Name of the scene, for messages.

    Raises:
        SceneError: If it is empty, a web page, a list of STAC items, a vector layer, a model, or a header without its cube.
    """
    first = _first_bytes(path)
    if first is None:
        return
    text = first.lstrip(b"\xef\xbb\xbf \t\r\n")
    if not first:
        found, hint = "is empty (0 bytes)", "copy or download the file again"
    elif _PAGE.match(text):
        found = "is a web page, and no raster"
        hint = (
            "the server may want a login first: download the file with a browser, and give its path"
        )
    elif text[:1] == b"{" and any(key in text for key in _STAC):
        found, hint = _stac(text, name)
    elif Path(path).suffix.lower() == ".dbf":
        found = "is the table of a shapefile, and no raster"
        hint = f"give the image as the scene, and the layer ({Path(path).stem}.shp) as the shots"
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


def _stac(text: bytes, name: str) -> tuple[str, str]:
    """What a file with STAC items is, and a hint."""
    if not any(word in text for word in _STAC_LISTS):
        return (
            "is a STAC item without an image that is read",
            "give the image itself, or an item that has one among its assets, with the ending .json",
        )
    hint = "give one of them by its id, as in '{}#ID', or the list to batch"
    if is_items_name(name):
        hint = hint.format(name)
    else:
        hint = f"rename it to end in .json; {hint.format('items.json')}"
    return "is a list of STAC items, and no raster", hint


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
