"""What a local file makes GDAL open besides itself: nothing from afar, and nothing that runs.

A text called `scene.tif` may be a virtual raster whose pixels come from the web, the description of a
web service, or a chain of such files. Only an address that people give themselves is followed.
"""

from __future__ import annotations

import os
import re
import stat
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from hsi_geo.errors import HsiGeoError
from hsi_geo.io.files.limits import NAMES_BYTES, TEXT_BYTES, require_short_file, require_short_text
from hsi_geo.io.files.paths import exists

Errors = type[HsiGeoError]

#: Addresses that GDAL reaches over a network, and prefixes of its drivers for services and databases.
_REMOTE = re.compile(
    r"(?:https?|ftps?|s3|gs|az|abfss?|adl|oss|swift|hdfs|postgresql|mysql|mongodb(?:\+srv)?)://"
    r"|/vsi(?:curl|s3|gs|az|adls|oss|swift|hdfs|webhdfs)(?:_streaming)?[/?]"
    r"|^\s*(?:PG|PGEO|MYSQL|MSSQL|OCI|ODBC|MONGODBV3|ADBC|WMS|WMTS|WCS|WFS3?|OAPIF\w*|OGCAPI|CSW|EEDAI?|"
    r"DAAS|PLMOSAIC|PLSCENES|STACIT|STACTA|NGW|ES|ELASTIC|CARTO|AMIGOCLOUD|TILEDB|GPSBABEL|JPIP\w*):",
    re.IGNORECASE,
)

#: What the texts begin with that name other files, and those that describe services.
_VIRTUAL = (b"<VRTDataset", b"<OGRVRTDataSource", b"<GDALTileIndexDataset", b"<MRF_META")
_SERVICES = (
    *(b"<GDAL_WMS", b"<GDAL_WMTS", b"<WCS_GDAL", b"<OGRWFSDataSource", b"<OGRWFSLayer"),
    *(b"<WMS_Tile_Service", b"<WMS_Capabilities", b"<WMT_MS_Capabilities", b"<TileMapService"),
    *(b"<WFS_Capabilities", b"<wfs:WFS_Capabilities", b'"gdal_streamed_alg"'),
)

#: GDAL looks for such words in the first kilobyte.
_HEAD_BYTES = 4096

#: Files that GDAL opens because they lie beside another: added to its name, or instead of its suffix.
_SIDE_FILES = (
    *(".aux.xml", ".ovr", ".msk", ".hdr", ".aux", ".stac.json", ".prj", ".wld"),
    *(".tfw", ".tifw", ".tab", ".rrd", ".rpb", ".imd", "_rpc.txt"),
    *(".shx", ".dbf", ".cpg", ".qix", ".sbn", ".qml", ".gfs", ".xsd", ".gml.xsd", "-wal"),
)

#: Those of them that are read as a whole.
_SIDE_TEXTS = (".stac.json", ".prj", ".qml", ".cpg")

#: Fields of side files whose texts GDAL opens.
_NAMING_ITEMS = ("OVERVIEW_FILE", "X_DATASET", "Y_DATASET", "DERIVED_FROM")


def is_link(name: str) -> bool:
    """Whether people name something afar themselves."""
    return not exists(name) and _REMOTE.search(name) is not None


def require_file(path: str | os.PathLike[str], what: str, wrong: Errors) -> None:
    """Refuse what is there and is no file to read from: reading a named pipe never ends.

    Args:
        path: Of a file, or of nothing.
        what: What it is meant to be, for messages ("class file").
        wrong: Raised.
    """
    kind = _kind_of(path)
    if kind is not None:
        raise wrong(
            f"{what} '{os.fspath(path)}' is a {kind}, not a file",
            hint="give a file, or copy what it holds into one",
        )


def require_text(
    path: str | os.PathLike[str], what: str, wrong: Errors, most: int = TEXT_BYTES
) -> None:
    """As `require_file`, of a text that is read as a whole; it may have so many bytes."""
    require_file(path, what, wrong)
    require_short_file(path, what, wrong, most)


def _kind_of(path: str | os.PathLike[str]) -> str | None:
    """What is there instead of a file; None for files, and where there is nothing."""
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116  (Path would raise for names that are none)
    except (OSError, ValueError):
        return None
    return next((name for is_kind, name in _KINDS if is_kind(mode)), None)


_KINDS = (
    (stat.S_ISDIR, "folder"),
    (stat.S_ISFIFO, "named pipe"),
    (stat.S_ISSOCK, "socket"),
    (stat.S_ISCHR, "device"),
    (stat.S_ISBLK, "device"),
)


def require_local(path: str | os.PathLike[str], what: str, wrong: Errors) -> None:
    """Refuse a local file that makes GDAL open something afar, run code, or wait for ever.

    Looks at the file, at those beside it that GDAL opens by itself, and at all that they name.

    Args:
        path: Of a file on this machine; others pass.
        what: What it is meant to be, for messages ("scene").
        wrong: Raised.
    """
    name = os.fspath(path)
    if not exists(name) or Path(name).is_dir():
        return
    _require_utf8(name, what, wrong)
    waiting, seen = [Path(name), *_beside(Path(name))], set[Path]()
    while waiting:
        file = waiting.pop()
        if file in seen:
            continue
        seen.add(file)
        if kind := _kind_of(file):
            raise wrong(
                f"{what} '{name}' cannot be read: '{file}' is a {kind}, not a file",
                hint="put a file in its place, or take it away",
            )
        if file.name.lower().endswith(_SIDE_TEXTS):
            require_short_file(file, f"{what} '{name}' cannot be read:", wrong)
        for named in _named_in(file, name, what, wrong):
            for text in (named, *_broken_links(named, file.parent)):
                if _REMOTE.search(text):
                    raise wrong(
                        f"{what} '{name}' refers to '{text.strip()}', which is not on this machine",
                        hint="download that, or give its address itself",
                    )
                waiting += _local_files(text, file.parent)


def _require_utf8(name: str, what: str, wrong: Errors) -> None:
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise wrong(
            f"{what} '{ascii(name)[1:-1]}' is not named in UTF-8, and GDAL cannot be given such a name",
            hint="rename the file, or the folder that it is in",
        ) from error


def _beside(path: Path) -> Iterator[Path]:
    stems = {path.name, path.stem}
    for stem in stems:
        for end in _SIDE_FILES:
            for spelt in {end, end.upper()}:
                beside = path.with_name(stem + spelt)
                if beside != path and exists(beside) and not beside.is_dir():
                    yield beside


def _local_files(text: str, folder: Path) -> Iterator[Path]:
    """What a name may mean: GDAL takes it as it is or as lying beside the text."""
    for candidate in (Path(text), folder / text):
        if exists(candidate) and not candidate.is_dir():
            yield candidate


def _broken_links(text: str, folder: Path) -> Iterator[str]:
    """What links that lead to no file say: GDAL takes it for a name."""
    for candidate in (text, os.path.join(folder, text)):  # noqa: PTH118  (Path would mend "//")
        try:
            if os.path.islink(candidate) and not exists(candidate):  # noqa: PTH114
                yield os.readlink(candidate)  # noqa: PTH115
        except ValueError:
            continue


def _named_in(file: Path, name: str, what: str, wrong: Errors) -> Iterator[str]:
    """Texts of a file that GDAL takes for names of others."""
    try:
        opened = file.open("rb")
    except OSError:
        return  # told where it is opened
    with opened:
        head = opened.read(_HEAD_BYTES)
        if any(word in head for word in _SERVICES):
            raise wrong(
                f"{what} '{name}' describes a web service or a chain of commands "
                f"('{file.name}') and holds no data itself",
                hint="download the data, and give that file",
            )
        is_side_file = file.name.lower().endswith((".aux.xml", ".aux"))
        if not any(word in head for word in _VIRTUAL) and not (is_side_file and b"<" in head):
            return
        content = head + opened.read(NAMES_BYTES)
    require_short_text(len(content), f"{what} '{name}'", wrong, NAMES_BYTES)
    try:
        yield from _names_of(content, name, what, wrong)
    except ET.ParseError as error:
        if is_side_file:  # GDAL does not read it either
            return
        raise wrong(
            f"{what} '{name}' names other files in a text that is no XML ('{file.name}': {error})",
            hint="build it anew",
        ) from error


def _names_of(content: bytes, name: str, what: str, wrong: Errors) -> Iterator[str]:
    for _, element in ET.iterparse(BytesIO(as_utf8(content)), events=("end",)):
        tag = element.tag.rpartition("}")[2].lower()
        if tag == "pixelfunctionlanguage" and (element.text or "").strip().lower() == "python":
            raise wrong(
                f"{what} '{name}' holds code in Python that would have to be run",
                hint="write its pixels to a GeoTIFF with the program that made it",
            )
        names_file = tag.endswith(
            ("filename", "dataset", "datasource", "source", "file", "url", "dem")
        )
        if names_file or (tag == "mdi" and element.get("key") in _NAMING_ITEMS):
            yield from (text for text in (element.text,) if text and text.strip())
        elif tag in ("connection", "srcsql", "option", "command_line"):
            yield from (text for text in (element.text,) if text and _REMOTE.search(text))


def as_utf8(content: bytes) -> bytes:
    """GDAL writes names as their bytes are, whatever their encoding; XML without one is UTF-8."""
    content = content[content.find(b"<") :]
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return content if content.startswith(b"<?xml") else content.decode("latin-1").encode()
    return content
