"""Virtual rasters (VRT) on another machine, which are read only with leave to follow links.

Their text is fetched and checked. GDAL is then given the text itself, in which all files are whole links, so nothing
that the text says can reach a file of this machine.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from io import BytesIO

from hsi_geo.errors import SceneError
from hsi_geo.io.files.redirects import final_link
from hsi_geo.io.files.remote_files import (
    as_link,
    gdal_name,
    join_link,
    open_remote,
    read_remote_text,
    suffix_of,
)
from hsi_geo.io.files.virtual_files import CheckedFile, names_in_file

#: Most files of a virtual raster; each is asked for its first bytes.
MOST_FILES = 256

#: Bytes in which GDAL looks for the words of a text that names other files.
_HEAD_BYTES = 4096

#: Kinds of bands whose pixels come from rasters, without code and without raw bytes of any file.
_BANDS = (None, "VRTSourcedRasterBand")


def whole_vrt(link: str) -> str | None:
    """The text of a virtual raster on another machine, with links in place of the names of its files.

    Args:
        link: Address of the virtual raster, to which a redirect has led.

    Returns:
        The text, which GDAL opens in place of a name; None if the link is none of a virtual raster.

    Raises:
        SceneError: If the text cannot be read, names something else than rasters behind web links, or holds code.
    """
    if suffix_of(link) != ".vrt":
        return None
    content = read_remote_text(link)
    if b"<VRTDataset" not in content[:_HEAD_BYTES]:
        return None
    checked = CheckedFile(link, "scene", SceneError)
    named = set(names_in_file(BytesIO(content), "the virtual raster", checked))
    try:
        root = ET.fromstring(content)
    except ET.ParseError as error:
        raise _refused(link, f"is no XML that can be read ({error})") from error
    files = [element for element in root.iter("SourceFilename") if (element.text or "").strip()]
    kinds = {band.get("subClass") for band in root.iter("VRTRasterBand")}
    if root.tag != "VRTDataset" or not kinds <= set(_BANDS) or root.get("subClass") is not None:
        raise _refused(link, "is a virtual raster of a kind that is read on this machine only")
    if named != {element.text for element in files}:
        raise _refused(link, "names files in other places than those of its rasters")
    places = {name: _place(link, name) for name in named}
    if len(places) > MOST_FILES:
        raise _refused(link, f"names {len(places)} files, more than {MOST_FILES}")
    for place in dict.fromkeys(places.values()):
        _require_raster(link, place)
    for element in files:
        element.text = gdal_name(places[element.text or ""])
        element.set("relativeToVRT", "0")
    return ET.tostring(root, encoding="unicode")


def _place(link: str, name: str) -> str:
    """The link that a name in a virtual raster means."""
    plain = name.strip()
    place = as_link(plain)
    if place is None and ":" not in plain and not plain.startswith(("/", "\\", "<", "{")):
        place = join_link(link, plain)
    if place is None or not place.lower().startswith(("http://", "https://")):
        raise _refused(link, f"names '{plain}', which is no raster behind a web link")
    return place


def _require_raster(link: str, place: str) -> None:
    """Refuse a file that names others itself."""
    with open_remote(final_link(place, follow=True)) as file:
        head = file.read(_HEAD_BYTES)
    checked = CheckedFile(link, "scene", SceneError)
    if any(True for _ in names_in_file(BytesIO(head), place, checked)) or b"<VRTDataset" in head:
        raise _refused(link, f"names '{place}', which names other files itself")


def _refused(link: str, why: str) -> SceneError:
    return SceneError(f"scene '{link}' {why}", hint="give the rasters themselves, or download it")
