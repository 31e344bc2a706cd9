"""Item collections and collections of STAC: which items they have, and the name of one item in a file of many."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hsi_geo.errors import SceneError
from hsi_geo.io.files.paths import exists
from hsi_geo.io.files.references import require_text
from hsi_geo.io.files.remote_files import as_link, join_link, read_remote_text, same_host, suffix_of
from hsi_geo.io.readers.base import plain
from hsi_geo.io.readers.stac_sidecar import Json, assets_of
from hsi_geo.text import quoted

#: Between the name of an item collection and the id of an item in it.
MARK = "#"

#: Endings of files of items.
ENDINGS = (".json", ".geojson")

#: Most items of a collection.
MOST_ITEMS = 100_000

#: Largest file of a local item collection in bytes.
_COLLECTION_BYTES = 256_000_000


def is_items_name(name: str) -> bool:
    """Whether a name ends as files of items do.

    Example:
        >>> is_items_name("a.json"), is_items_name("https://a.org/b.geojson?token=1"), is_items_name("a.tif")
        (True, True, False)
    """
    return suffix_of(name) in ENDINGS if as_link(name) else Path(name).suffix.lower() in ENDINGS


def split_member(name: str) -> tuple[str, str] | None:
    """File and id of an item that is named as one of a file of many; None for other names.

    Example:
        >>> split_member("items.json#a"), split_member("a#b.tif")
        (('items.json', 'a'), None)
    """
    file, mark, item_id = name.rpartition(MARK)
    return (file, item_id) if mark and item_id and is_items_name(file) else None


def member_of(name: str) -> tuple[Json, str] | None:
    """An item of a file of many, such as ``items.json#S1``.

    Args:
        name: Path or link of the file, ``#``, and the id of the item.

    Returns:
        The item, and the path or link of its file; None if the name is none of these.

    Raises:
        SceneError: If the file has no such item.
    """
    parts = split_member(name)
    if parts is None or not (exists(parts[0]) or as_link(parts[0])):
        return None
    for item, place in items_of(parts[0]):
        if str(item.get("id")) == parts[1]:
            return item, place
    raise SceneError(
        f"'{parts[0]}' has no item with the id '{parts[1]}'", hint="check the id and its spelling"
    )


def only_item(name: str) -> tuple[Json, str] | None:
    """The item of a file that holds one.

    Args:
        name: Path or link of a file.

    Returns:
        The item, and the path or link of its file; None if the file holds no items with assets.

    Raises:
        SceneError: If it holds several, or a link cannot be read.
    """
    try:
        found = [(item, place) for item, place in items_of(name) if assets_of(item)]
    except SceneError:
        if as_link(name):
            raise
        return None
    if len(found) > 1:
        ids = quoted([str(item.get("id")) for item, _ in found[:5]])
        raise SceneError(
            f"'{name}' has {len(found)} STAC items: {ids}{', ...' if len(found) > 5 else ''}",
            hint=f"choose one by its id, as in '{name}{MARK}{found[0][0].get('id')}'",
        )
    return found[0] if found else None


@dataclass(frozen=True, slots=True)
class Dates:
    """When the scene of an item was taken, as the item says it.

    Attributes:
        datetime: Time in ISO 8601; None for an interval.
        start: Beginning of the interval; None if the item gives none.
        end: End of the interval.
    """

    datetime: str | None = None
    start: str | None = None
    end: str | None = None

    @classmethod
    def of(cls, item: Json) -> Dates:
        """The dates of an item.

        Example:
            >>> Dates.of({"properties": {"datetime": "2020-05-01T10:00:00Z", "gsd": 30}}).datetime
            '2020-05-01T10:00:00Z'
        """
        given = item.get("properties")
        found = given if isinstance(given, dict) else {}
        texts = (found.get(key) for key in ("datetime", "start_datetime", "end_datetime"))
        return cls(*(text if isinstance(text, str) else None for text in texts))


def dates_of(name: str) -> Dates | None:
    """When the scene was taken that an item stands for.

    Args:
        name: Name of a scene.

    Returns:
        The dates; None if the name is not that of an item, or the item cannot be read.
    """
    try:
        found = member_of(name) or (only_item(name) if is_items_name(name) else None)
    except SceneError:
        return None
    return None if found is None else Dates.of(found[0])


def items_of(name: str) -> Iterator[tuple[Json, str]]:
    """The items of an item, an item collection, or a collection.

    Args:
        name: Path or link of a file.

    Yields:
        Each item, and the path or link of the file that holds it.

    Raises:
        SceneError: If the file cannot be read or is none of these, or an item lies on another host.
    """
    content = _read(name)
    links = content.get("links")
    if content.get("type") == "FeatureCollection" and isinstance(content.get("features"), list):
        for item in content["features"][:MOST_ITEMS]:
            if not isinstance(item, dict) or not isinstance(item.get("properties"), dict):
                raise _no_items(name)
            yield item, name
    elif isinstance(content.get("properties"), dict) and assets_of(content):
        yield content, name
    elif content.get("type") in ("Collection", "Catalog") and isinstance(links, list):
        for link in links[:MOST_ITEMS]:
            if isinstance(link, dict) and link.get("rel") == "item":
                place = _beside(name, link.get("href"))
                yield _read(place), place
    else:
        raise _no_items(name)


def _beside(name: str, href: Any) -> str:
    """Path or link of an item that a collection names."""
    if not isinstance(href, str) or not href:
        raise _no_items(name)
    own = as_link(name)
    place = join_link(own, href) if own else str(Path(name).parent / href)
    other = as_link(href) or (as_link(place) if own else None)
    if (own is None) != (other is None) or (own and other and not same_host(own, other)):
        raise SceneError(
            f"'{name}' names an item on another host, '{href}'", hint="give the link of that item"
        )
    return place


def _read(name: str) -> Json:
    try:
        if as_link(name):
            text = read_remote_text(name)
        else:
            require_text(name, "list", SceneError, _COLLECTION_BYTES)
            text = Path(name).read_bytes()
        content = json.loads(text.decode("utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise SceneError(
            f"'{name}' is no STAC item or item collection ({plain(error)})",
            hint="give a GeoJSON FeatureCollection of STAC items",
        ) from error
    if not isinstance(content, dict):
        raise _no_items(name)
    return content


def _no_items(name: str) -> SceneError:
    return SceneError(
        f"'{name}' is no STAC item, item collection or collection whose items have a raster",
        hint="give a GeoJSON FeatureCollection of STAC items",
    )
