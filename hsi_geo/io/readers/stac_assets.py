"""A STAC item as a scene: which of its assets is the image, and where it lies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from hsi_geo.errors import OptionError, SceneError
from hsi_geo.io.files.paths import exists
from hsi_geo.io.files.redirects import final_link
from hsi_geo.io.files.remote_files import as_link, join_link, same_host, suffix_of
from hsi_geo.io.readers.auxiliary_names import is_auxiliary
from hsi_geo.io.readers.stac_sidecar import (
    Json,
    MaskAsset,
    StacSidecar,
    assets_of,
    file_name,
    item_tags,
    mask_assets,
    sensor_of,
    unread_mask,
    unused_values,
)
from hsi_geo.text import did_you_mean, quoted

#: Endings and media types of images.
_IMAGES = (
    ".tif",
    ".tiff",
    ".nc",
    ".nc4",
    ".h5",
    ".he5",
    ".hdf5",
    ".zarr",
    ".bsq",
    ".bil",
    ".bip",
    ".img",
    ".dat",
)
_TYPES = ("tiff", "hdf5", "x-hdf", "netcdf", "zarr")

#: Roles of assets that are no images of the scene.
_OTHER_ROLES = {"thumbnail", "overview", "metadata", "visual"}

#: Words in the key of the asset that is wanted most, best first.
_WANTED = (
    "ortho_sr",
    "surface_reflectance",
    "reflectance",
    "sr",
    "rfl",
    "spectral_image",
    "ortho",
    "data",
)


@dataclass(frozen=True, slots=True)
class Links:
    """How items and links are followed.

    Attributes:
        asset: Key or title of the asset that is the scene; None finds it.
        follow: Whether an item may name files on other hosts.
    """

    asset: str | None = None
    follow: bool = False


#: Items name files on their own host only.
OWN_HOST = Links()


def image_of(item: Json, name: str, links: Links) -> tuple[str, StacSidecar]:
    """The image of an item, and what the item tells of it.

    Args:
        item: The item.
        name: Path or link of the item.
        links: Which asset is wanted, and whether other hosts are asked.

    Returns:
        Path or link of the image, and its description.

    Raises:
        OptionError: If there is no such asset, or several may be the image.
        SceneError: If there is no image, or it lies on another host.
    """
    key, asset = _chosen(assets_of(item), name, links.asset)
    image = _place(asset, key, name, links)
    masks, warnings = [], []
    for title, content in mask_assets(item):
        if content is asset:
            continue
        place = _readable(content, name, links) or _beside(content, name)
        if place is not None:
            place = final_link(place, follow=links.follow)
            masks.append(MaskAsset(place, title, content))
        elif (other := _resolved(content, name)) is not None:
            is_there = as_link(other) is None
            reason = "there is no such file" if is_there else "it is on another host"
            warnings.append(unread_mask(title, content, reason))
    raster = file_name(asset.get("href"))
    tags = item_tags(item, raster)
    warnings += unused_values(item, raster)
    return image, StacSidecar(tags, sensor_of(item), tuple(masks), tuple(warnings))


def place_of(item: Json, name: str, links: Links) -> str:
    """Path or link of the image of an item, which need not exist.

    Args:
        item: The item.
        name: Path or link of the item.
        links: Which asset is wanted, and whether other hosts are asked.

    Raises:
        OptionError: If there is no such asset, or several may be the image.
        SceneError: If there is no image, or it lies on another host.
    """
    key, asset = _chosen(assets_of(item), name, links.asset)
    place = _resolved(asset, name)
    if place is not None and as_link(place) is None and not place.startswith("/vsi"):
        return place
    return _place(asset, key, name, links)


def _chosen(assets: Mapping[str, Json], name: str, wanted: str | None) -> tuple[str, Json]:
    if wanted is not None:
        for key, asset in assets.items():
            if wanted.casefold() in (key.casefold(), str(asset.get("title", "")).casefold()):
                return key, asset
        raise OptionError(
            f"STAC item '{name}' has no asset '{wanted}', only {quoted(list(assets))}",
            hint=f"choose one of them with --asset{did_you_mean(wanted, list(assets))}",
        )
    images = {key: asset for key, asset in assets.items() if _is_image(key, asset)} or {
        key: asset for key, asset in assets.items() if "data" in _roles(asset)
    }
    if not images:
        raise SceneError(
            f"STAC item '{name}' has no asset that is an image, only {quoted(list(assets))}",
            hint="choose one with --asset",
        )
    best = max(_rank(key, asset) for key, asset in images.items())
    found = [(key, asset) for key, asset in images.items() if _rank(key, asset) == best]
    if len(found) > 1:
        raise OptionError(
            f"STAC item '{name}' has {len(found)} assets that may be the scene: "
            f"{quoted([key for key, _ in found])}",
            hint="choose one with --asset",
        )
    return found[0]


def _roles(asset: Json) -> set[str]:
    roles = asset.get("roles")
    return {str(role) for role in roles} if isinstance(roles, list) else set()


def _is_image(key: str, asset: Json) -> bool:
    href, media = asset.get("href"), str(asset.get("type", "")).lower()
    if not isinstance(href, str) or _roles(asset) & _OTHER_ROLES:
        return False
    if "mask" in f"{key} {asset.get('title', '')}".lower() or "quicklook" in key.lower():
        return False
    return suffix_of(href) in _IMAGES or any(word in media for word in _TYPES)


def _rank(key: str, asset: Json) -> tuple[bool, bool, int, int]:
    """Data before others, measured values before their uncertainties, then by the key and by the number of bands."""
    is_measured = not any(map(is_auxiliary, (key, file_name(asset.get("href")))))
    named = next((len(_WANTED) - i for i, word in enumerate(_WANTED) if word in key.lower()), 0)
    bands = next(
        (len(asset[k]) for k in ("bands", "eo:bands") if isinstance(asset.get(k), list)), 0
    )
    return bool(_roles(asset) & {"data", "reflectance"}), is_measured, named, bands


def _resolved(asset: Json, name: str) -> str | None:
    """Path or link of an asset; None if it has none."""
    href: Any = asset.get("href")
    if not isinstance(href, str) or not href:
        return None
    own = as_link(name)
    if own is not None:
        return join_link(own, href)
    if "://" in href or href.startswith("/vsi"):
        return _as_on_disk(href.removeprefix("file://"))
    return _as_on_disk(str(Path(name).parent / href))


def _as_on_disk(path: str) -> str:
    """A local path, in which items may write characters as in a link ("a%20b.tif")."""
    plain = unquote(path)
    return plain if not exists(path) and exists(plain) else path


def _beside(asset: Json, name: str) -> str | None:
    """The downloaded file of an asset beside a local item; None without one."""
    beside = Path(name).parent / file_name(asset.get("href"))
    return str(beside) if as_link(name) is None and beside.is_file() else None


def _readable(asset: Json, name: str, links: Links) -> str | None:
    """The first address of an asset that may be read: its own, or an alternate one; None without any."""
    alternate = asset.get("alternate")
    others = alternate.values() if isinstance(alternate, dict) else ()
    for one in (asset, *(other for other in others if isinstance(other, dict))):
        place = _resolved(one, name)
        if place is not None and _may_be_read(place, name, links):
            return place
    return None


def _may_be_read(place: str, name: str, links: Links) -> bool:
    """Whether an asset lies where its item does, or other hosts may be asked."""
    own, other = as_link(name), as_link(place)
    if own is None and other is None:
        return exists(place) and not place.startswith("/vsi")
    if own is not None and other is not None and same_host(own, other):
        return True
    return other is not None and links.follow


def _place(asset: Json, key: str, name: str, links: Links) -> str:
    place = _resolved(asset, name)
    if place is None:
        raise SceneError(
            f"STAC item '{name}' has no address for its asset '{key}'", hint="give the image itself"
        )
    readable = _readable(asset, name, links)
    if readable is not None:
        return readable
    if as_link(place) is None:
        raise SceneError(
            f"STAC item '{name}' names '{place}' as its asset '{key}', and no such file can be read",
            hint="put the image beside the item, or give the image itself",
        )
    raise SceneError(
        f"STAC item '{name}' names '{place}', which is on another host, as its asset '{key}'",
        hint="give that link itself, or allow it with --follow-links",
    )
