"""Names of other files in texts that GDAL opens: virtual rasters and layers, tile indexes, side files."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO

from hsi_geo.errors import HsiGeoError
from hsi_geo.io.files.limits import NAMES_BYTES, require_short_text

#: URLs and paths that GDAL reads over a network, and prefixes of its drivers for services and databases.
_REMOTE = re.compile(
    r"(?:https?|ftps?|s3|gs|az|abfss?|adl|oss|swift|hdfs|postgresql|mysql|mongodb(?:\+srv)?)://"
    r"|/vsi(?:curl|s3|gs|az|adls|oss|swift|hdfs|webhdfs)(?:_streaming)?[/?]"
    r"|^\s*(?:PG|PGEO|MYSQL|MSSQL|OCI|ODBC|MONGODBV3|ADBC|WMS|WMTS|WCS|WFS3?|OAPIF\w*|OGCAPI|CSW|EEDAI?|"
    r"DAAS|PLMOSAIC|PLSCENES|STACIT|STACTA|NGW|ES|ELASTIC|CARTO|AMIGOCLOUD|TILEDB|GPSBABEL|JPIP\w*):",
    re.IGNORECASE,
)

#: Beginnings of texts that name other files, and of texts that describe services.
_VIRTUAL = (b"<VRTDataset", b"<OGRVRTDataSource", b"<GDALTileIndexDataset", b"<MRF_META")
_SERVICES = (
    *(b"<GDAL_WMS", b"<GDAL_WMTS", b"<WCS_GDAL", b"<OGRWFSDataSource", b"<OGRWFSLayer"),
    *(b"<WMS_Tile_Service", b"<WMS_Capabilities", b"<WMT_MS_Capabilities", b"<TileMapService"),
    *(b"<WFS_Capabilities", b"<wfs:WFS_Capabilities", b'"gdal_streamed_alg"'),
)

#: GDAL looks for these words in the first kilobyte.
_HEAD_BYTES = 4096

#: Beginnings of ZIP and gzip files.
_COMPRESSED = (b"PK\x03\x04", b"\x1f\x8b")

#: Metadata items of side files whose values GDAL opens.
_NAMING_ITEMS = ("OVERVIEW_FILE", "X_DATASET", "Y_DATASET", "DERIVED_FROM")

#: Names by which GDAL knows the index of a tile index; its fields hold the names of the tiles.
_TILE_INDEX = re.compile(r"\.gti\.(gpkg|fgb|parquet)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class CheckedFile:
    """The file that is checked, for messages.

    Attributes:
        name: Path or name as the user gave it.
        what: What the file is meant to be ("scene").
        wrong: Exception class to raise.
    """

    name: str
    what: str
    wrong: type[HsiGeoError]

    def error(self, message: str, hint: str) -> HsiGeoError:
        """An exception about this file.

        Args:
            message: The rest of the sentence, after the file's name.
            hint: What the user can do.
        """
        return self.wrong(f"{self.what} '{self.name}' {message}", hint=hint)


def is_remote_name(text: str) -> bool:
    """Whether GDAL would use a network to open a name, or a part of the name.

    Example:
        >>> is_remote_name("/vsicurl/https://example.org/a.tif"), is_remote_name("folder/a.tif")
        (True, False)
    """
    return _REMOTE.search(text) is not None


def names_in_file(file: IO[bytes], file_name: str, checked: CheckedFile) -> Iterator[str]:
    """Texts of an open file that GDAL takes for names of other files.

    Args:
        file: The file, at its beginning. Files of other kinds are read to `_HEAD_BYTES` only.
        file_name: Name of this file, which may be a side file of the checked one.
        checked: The file that is checked.

    Yields:
        Names as they are written. The index of a tile index also with the prefix "GTI:".

    Raises:
        HsiGeoError: If the file describes a service, holds code, or is no XML.
    """
    head = file.read(_HEAD_BYTES)
    if head.startswith(_COMPRESSED):
        return  # no text, even if one of its members is stored as it is
    _refuse_services(head, file_name, checked)
    is_side_file = file_name.lower().endswith((".aux.xml", ".aux"))
    if not any(word in head for word in _VIRTUAL) and not (is_side_file and b"<" in head):
        return
    content = head + file.read(NAMES_BYTES)
    called = f"{checked.what} '{checked.name}'"
    require_short_text(len(content), called, checked.wrong, NAMES_BYTES)
    try:
        yield from _names_of(content, checked)
    except ET.ParseError as error:
        if is_side_file:  # GDAL does not read it either
            return
        raise checked.error(
            f"names other files in a text that is no XML ('{file_name}': {error})", "build it anew"
        ) from error


def names_in_name(text: str, checked: CheckedFile) -> Iterator[str]:
    """Names in a virtual raster that is written in place of a file's name; none in other names.

    Args:
        text: A name as GDAL takes it.
        checked: The file that is checked.

    Raises:
        HsiGeoError: As `names_in_file`.
    """
    if text.lstrip().startswith(("<", "{")):
        yield from names_in_file(BytesIO(text.encode()), "a text in place of a name", checked)


def _refuse_services(head: bytes, file_name: str, checked: CheckedFile) -> None:
    if any(word in head for word in _SERVICES):
        raise checked.error(
            f"describes a web service or a chain of commands ('{file_name}') and holds no data itself",
            "download the data, and give that file",
        )


def _names_of(content: bytes, checked: CheckedFile) -> Iterator[str]:
    for _, element in ET.iterparse(BytesIO(as_utf8(content)), events=("end",)):
        tag, text = element.tag.rpartition("}")[2].lower(), element.text or ""
        if tag == "pixelfunctionlanguage" and text.strip().lower() == "python":
            raise checked.error(
                "holds code in Python that would have to be run",
                "write its pixels to a GeoTIFF with the program that made it",
            )
        names_file = tag.endswith(
            ("filename", "dataset", "datasource", "source", "file", "url", "dem")
        )
        is_item = tag == "mdi" and element.get("key") in _NAMING_ITEMS
        if (names_file or is_item) and text.strip():
            yield text
            if tag == "indexdataset":
                yield f"GTI:{text}"
        elif tag in ("connection", "srcsql", "option", "command_line") and is_remote_name(text):
            yield text


def as_utf8(content: bytes) -> bytes:
    """XML for Python's parser: GDAL writes file names byte by byte, whatever their encoding.

    Args:
        content: Bytes of the file; what comes before the first "<" is dropped.

    Returns:
        XML in UTF-8, or in the encoding that it declares.
    """
    content = content[content.find(b"<") :]
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return content if content.startswith(b"<?xml") else content.decode("latin-1").encode()
    return content


def is_tile_index(file: Path) -> bool:
    """Whether GDAL opens a file as the index of a tile index, by its name."""
    return _TILE_INDEX.search(file.name) is not None


def names_in_tile_index(file: Path, checked: CheckedFile) -> Iterator[str]:
    """All texts in the fields of a tile index: names of its tiles, and others.

    Args:
        file: The index, a vector file.
        checked: The file that is checked.

    Raises:
        HsiGeoError: If the index cannot be read.
    """
    import pyogrio
    from pyogrio.errors import DataLayerError, DataSourceError

    try:
        for layer, _ in pyogrio.list_layers(file):
            columns = pyogrio.raw.read(file, layer=layer, read_geometry=False)[3]
            for column in columns:
                yield from (text for text in column if isinstance(text, str))
    except (DataSourceError, DataLayerError, ValueError) as error:
        raise checked.error(
            f"has a tile index '{file.name}' whose files cannot be listed",
            "build a VRT of the tiles with gdalbuildvrt, and give that",
        ) from error
