"""What a STAC item tells of a raster: wavelengths, scale and nodata of its bands, sensor, files of masks.

Extensions: Electro-Optical, Raster, Classification; also the bands of STAC 1.1.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from hsi_geo.io.files.beside import files_in, gdal_name_of, is_file, read_small_file
from hsi_geo.io.files.paths import stem_of
from hsi_geo.io.files.remote_files import suffix_of

#: Larger files are no items, and more files in a folder are not searched for one.
MAX_ITEM_BYTES, MAX_ITEMS = 4_000_000, 64

#: Roles of assets that flag pixels.
_MASK_ROLES = {"data-mask", "cloud", "cloud-shadow", "snow-ice", "water-mask", "saturation"}

#: Keys of files with one flag, in the catalogue of EnMAP and others.
_QUALITY = re.compile(r"\bquality[_ ](?:cloud|cirrus|haze|snow)", re.IGNORECASE)

#: Keys of ENVI, and what a STAC item has for them.
_VALUES = {
    "data gain values": "scale",
    "data offset values": "offset",
    "data ignore value": "nodata",
}

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class MaskAsset:
    """A file that flags pixels of a raster.

    Attributes:
        path: Path of the file, or the name under which GDAL opens it.
        title: Key and title of the asset.
        content: The asset as the item describes it.
    """

    path: str
    title: str
    content: Json


@dataclass(frozen=True, slots=True)
class StacSidecar:
    """What an item tells of a raster.

    Attributes:
        tags: Lists as in an ENVI header, by their keys there.
        sensor: Name of platform or constellation; empty if the item has none.
        masks: Files that flag pixels.
        warnings: One sentence for each file that flags pixels and is not read, and for each list with gaps.
    """

    tags: Mapping[str, str]
    sensor: str = ""
    masks: tuple[MaskAsset, ...] = ()
    warnings: tuple[str, ...] = ()


class FolderItems:
    """The items in the folders of many rasters, each read once; see `find_item`.

    Args:
        names: Names of the rasters.
    """

    def __init__(self, names: Collection[str]) -> None:
        self._names = frozenset(names)
        self._by_name: dict[Path, dict[str, Json]] = {}

    def of(self, raster: Path) -> Json | None:
        """The item in the folder of a raster that has it as an asset; None if there is none."""
        folder = raster.parent
        if folder not in self._by_name:
            self._by_name[folder] = self._read(folder)
        return self._by_name[folder].get(raster.name)

    def _read(self, folder: Path) -> dict[str, Json]:
        found: dict[str, Json] = {}
        for path in _listed_items(folder):
            item = read_item(path, naming="assets")
            for asset in {} if item is None else assets_of(item).values():
                name = file_name(asset.get("href"))
                if item is not None and name in self._names:
                    found.setdefault(name, item)
        return found


def find_item(path: str, folder_items: FolderItems | None = None) -> StacSidecar | None:
    """Find the item beside a local raster.

    It is named like the raster (``.stac.json``, ``.json``, ``.geojson``), or one of its assets is the
    raster. Of the assets only files in the folder of the raster are used.

    Args:
        path: Path of the raster.
        folder_items: Items in the folders of this raster and of others; None to read those of this one only.

    Returns:
        What the item tells; None if there is none.
    """
    raster = Path(path)
    if not is_file(path):
        return None
    for end in (raster.name, stem_of(raster)):
        beside = raster.with_name(f"{end}.stac.json")
        if (item := read_item(beside)) is not None and (found := _of(item, raster)).tags:
            return found
    named = [raster.with_suffix(".json"), Path(f"{raster}.json"), raster.with_suffix(".geojson")]
    others = _listed_items(raster.parent) if folder_items is None else []
    for beside in (*named, *(other for other in others if other not in named)):
        item = read_item(beside, naming=raster.name)
        if item is not None and asset_of(item, raster.name) is not None:
            return _of(item, raster)
    item = None if folder_items is None else folder_items.of(raster)
    return None if item is None else _of(item, raster)


def _of(item: Json, raster: Path) -> StacSidecar:
    masks, warnings = [], []
    for title, content in mask_assets(item):
        beside = raster.parent / file_name(content.get("href"))
        if beside == raster:
            continue
        if is_file(beside):
            masks.append(MaskAsset(gdal_name_of(beside), title, content))
        elif _is_raster(content):
            warnings.append(unread_mask(title, content, "it is not beside the image"))
    tags = item_tags(item, raster.name)
    warnings += unused_values(item, raster.name)
    return StacSidecar(tags, sensor_of(item), tuple(masks), tuple(warnings))


def _is_raster(asset: Json) -> bool:
    return suffix_of(str(asset.get("href", ""))) in (".tif", ".tiff")


def unread_mask(title: str, asset: Json, reason: str) -> str:
    """Say that a file which flags pixels is not read.

    Args:
        title: Key and title of the asset.
        asset: The asset.
        reason: The reason, as a clause.
    """
    name = file_name(asset.get("href"))
    return f"the flags in '{name}' ({title}) are not applied: {reason}"


def _listed_items(folder: Path) -> list[Path]:
    """The JSON files in a folder; none if there are too many."""
    listed = files_in(folder, "*.json")
    return listed if len(listed) <= MAX_ITEMS else []


def read_item(path: Path, naming: str = "") -> Json | None:
    """Read a local item.

    Args:
        path: Path of a JSON file.
        naming: Name of a file that the item has to mention, else it is not parsed.

    Returns:
        The item; None if there is no file, or it holds something else.
    """
    text = read_small_file(path, MAX_ITEM_BYTES)
    if text is None:
        return None
    is_wanted = naming.encode("utf-8", "replace") in text or not naming.isascii()
    return parse_item(text) if is_wanted else None


def parse_item(text: bytes) -> Json | None:
    """Parse an item.

    Args:
        text: JSON in UTF-8.

    Returns:
        The item; None if the text is none.

    Example:
        >>> parse_item(b'{"properties": {}}'), parse_item(b"[1]"), parse_item(b"{")
        ({'properties': {}}, None, None)
    """
    try:
        item = json.loads(text.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return None
    return item if isinstance(item, dict) and isinstance(item.get("properties"), dict) else None


def assets_of(item: Json) -> dict[str, Json]:
    """The assets of an item by their keys.

    Args:
        item: See `parse_item`.
    """
    assets = item.get("assets")
    if not isinstance(assets, dict):
        return {}
    return {str(key): asset for key, asset in assets.items() if isinstance(asset, dict)}


def file_name(href: Any) -> str:
    """The last part of an asset's address.

    Example:
        >>> file_name("https://example.org/a%20b/scene.tif?token=1"), file_name("./b.tif")
        ('scene.tif', 'b.tif')
    """
    path = unquote(urlsplit(href).path) if isinstance(href, str) else ""
    return PurePosixPath(path.replace("\\", "/")).name or "."


def asset_of(item: Json, name: str) -> Json | None:
    """The asset that is a file; None if there is none.

    Args:
        item: See `parse_item`.
        name: Name of the file.
    """
    named = (one for one in assets_of(item).values() if file_name(one.get("href")) == name)
    return next(named, None)


def mask_assets(item: Json) -> Iterator[tuple[str, Json]]:
    """Title and content of each asset that flags pixels.

    Args:
        item: See `parse_item`.
    """
    for key, asset in assets_of(item).items():
        roles = asset.get("roles")
        named = f"{key} {asset.get('title', '')}"
        has_role = isinstance(roles, list) and any(str(role) in _MASK_ROLES for role in roles)
        if has_role or "mask" in named.lower() or _QUALITY.search(named):
            yield named.strip(), asset


def sensor_of(item: Json) -> str:
    """Name of the platform of an item, else of its constellation; empty if it has neither.

    Args:
        item: See `parse_item`.
    """
    properties = item["properties"]
    names = [properties.get(key) for key in ("constellation", "platform")]
    words = [name for name in names if isinstance(name, str) and name]
    if len(words) == 2 and words[0].lower() in words[1].lower():
        words = words[1:]
    return " ".join(dict.fromkeys(words))[:80]


def item_tags(item: Json, name: str) -> dict[str, str]:
    """Lists of a raster's bands as an ENVI header has them.

    Args:
        item: See `parse_item`.
        name: Name of the raster's file. Bands of its asset come before those of the item.
    """
    asset = asset_of(item, name)
    properties = item["properties"]
    own = [] if asset is None else _bands(asset, "bands", "eo:bands")
    bands = [own, _in_order_of(own, _bands(properties, "eo:bands", "bands"))]
    with_centres = [one for one in bands if _column(one, "center_wavelength")]
    tags: dict[str, str] = {}
    chosen = with_centres[0] if with_centres else own or bands[1]
    columns = {
        "wavelength": _column(chosen, "center_wavelength"),
        "fwhm": _column(chosen, "full_width_half_max"),
        "bbl": _column(chosen, "enmapbox:bad_band_multiplier", missing=1),
    }
    flagged = any("enmapbox:bad_band_multiplier" in band for band in chosen)
    if columns["wavelength"]:
        tags = {key: text for key, text in columns.items() if text}
        tags["wavelength units"] = "Micrometers"
    else:
        envi = properties.get("envi:metadata")
        pairs = envi.items() if isinstance(envi, dict) else ()
        tags = {str(key): _listed(value) for key, value in pairs}
        if flagged:
            tags["bbl"] = columns["bbl"]
    return tags | _stored_values(asset)


def _in_order_of(own: Sequence[Json], bands: Sequence[Json]) -> list[Json]:
    """The bands of an item that an asset names, in the order of the asset; all of them if it names none of them."""
    by_name = {str(band["name"]): band for band in bands if "name" in band}
    names = [str(band.get("name")) for band in own]
    is_known = bool(names) and len(by_name) == len(bands) and set(names) <= set(by_name)
    return [by_name[name] for name in names] if is_known else list(bands)


def unused_values(item: Json, name: str) -> tuple[str, ...]:
    """One sentence for each of scale, offset and nodata that only some bands of a raster have.

    Args:
        item: See `parse_item`.
        name: Name of the raster's file.
    """
    return tuple(
        f"its STAC item has '{entry}' for some of its bands only: not used"
        for entry in _VALUES.values()
        if _has_gaps(_listed_values(asset_of(item, name) or {}, entry))
    )


def _stored_values(asset: Json | None) -> dict[str, str]:
    """Scale, offset and nodata of an asset, by the keys of ENVI."""
    tags = {}
    for key, entry in _VALUES.items():
        found = _listed_values(asset or {}, entry)
        if found and not _has_gaps(found):
            same = len({str(value) for value in found}) == 1  # also of NaN
            tags[key] = _listed(found[:1] if same else found)
    return tags


def _listed_values(asset: Json, entry: str) -> list[Any]:
    """Numbers of the bands of an asset, or one of all of them: None for a band without; empty if there is none."""
    whole = _number(asset.get(entry if entry == "nodata" else f"raster:{entry}"))
    columns = [
        [band.get(entry) for band in _bands(asset, "raster:bands")],
        [band.get(f"raster:{entry}", band.get(entry)) for band in _bands(asset, "bands")],
    ]
    numbers = [[_number(value) for value in column] for column in columns]
    # A band without a number has that of the asset.
    listed = [
        [whole if value is None else value for value in column]
        for column in numbers
        if any(value is not None for value in column)
    ]
    complete = (column for column in listed if not _has_gaps(column))
    rest = listed[0] if listed else [] if whole is None else [whole]
    return next(complete, rest)


def _has_gaps(values: Sequence[Any]) -> bool:
    return any(value is None for value in values)


def _number(value: Any) -> Any:
    """A number, which catalogues also write as text ("nan" among them); None for anything else."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _bands(content: Json, *keys: str) -> list[Json]:
    """The first list of bands under one of the keys."""
    for key in keys:
        listed = content.get(key)
        if isinstance(listed, list) and listed and all(isinstance(one, dict) for one in listed):
            return listed
    return []


def _column(bands: Sequence[Json], key: str, missing: Any = None) -> str:
    values = [band.get(key, band.get(f"eo:{key}")) for band in bands]
    filled = [missing if value is None else value for value in values]
    return _listed([value for value in filled if value is not None])


def _listed(value: Any) -> str:
    return ", ".join(str(entry) for entry in value) if isinstance(value, list) else str(value)
