"""Files of masks beside a raster: assets of a STAC item, and those of Wyvern and Pixxel by their names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from affine import Affine
from rasterio.errors import RasterioError

from hsi_geo.errors import SceneError
from hsi_geo.io.files.beside import files_in, gdal_name_of, is_file
from hsi_geo.io.files.paths import stem_of
from hsi_geo.io.files.references import require_local
from hsi_geo.io.readers.base import plain
from hsi_geo.io.readers.descriptions import descriptions_of
from hsi_geo.io.readers.gdal import open_raster, quiet_gdal
from hsi_geo.io.readers.quality_layers import (
    CLOUDS,
    SHADOWS,
    WATER,
    FlagCode,
    QualityLayer,
    RasterFlags,
    kind_of_flag,
)
from hsi_geo.io.readers.stac_sidecar import Json, MaskAsset

#: Number of pixels without data in masks of bytes.
_FILL = (255,)

#: Bands of Wyvern's "Data Mask".
_DATA_MASK = ("clear", "cloud", "haze", "shadow")

#: Bits of Pixxel's ``.mask.tif``, in the order in which the product's guide lists them.
_PIXXEL_BITS = (("cloud", CLOUDS, 1), ("shadow", SHADOWS, 2), ("water", WATER, 4))

#: Ends of the names of Pixxel's masks, after that of the scene, in lower case.
_PIXXEL_MASKS = (".mask.tif", ".mask.tiff")

#: Share of a pixel by which a mask and its raster may lie apart.
_OFF_PX = 0.1

#: Words in the titles of masks of good pixels.
_FREE = re.compile(
    r"free|clear|(?<!in)valid|good|(?:^|[\W_])non?(?:[\W_](?!data)|$)", re.IGNORECASE
)

#: What follows the name of a scene in those of its masks.
_DATA_MASK_NAME = re.compile(r"[._ -]*data[._ -]*mask", re.IGNORECASE)


def find_side_masks(
    path: str, shape: tuple[int, int], transform: Affine, assets: tuple[MaskAsset, ...]
) -> tuple[tuple[QualityLayer, ...], tuple[str, ...]]:
    """The flags in files beside a raster.

    Args:
        path: Path of the raster.
        shape: (rows, columns) of the raster.
        transform: Geotransform of the raster; the identity if it has none.
        assets: Masks of its STAC item.

    Returns:
        layers: The flags.
        warnings: One sentence for each file that cannot be used.
    """
    layers: list[QualityLayer] = []
    warnings = []
    for asset in (*assets, *_named(path, {asset.path for asset in assets})):
        name = Path(asset.path).name
        try:
            found = list(_layers(asset, shape, transform))
        except SceneError as error:
            warnings.append(f"the masks in '{name}' are not applied: {error}")
            continue
        layers += found
        if not found and not _FREE.search(asset.title):
            warnings.append(
                f"the masks in '{name}' are not applied: nothing tells what their numbers mean"
            )
    return tuple(layers), tuple(warnings)


def _named(path: str, known: set[str]) -> Iterator[MaskAsset]:
    """Masks that are known by their names."""
    raster = Path(path)
    if not is_file(path):
        return
    stem = raster.with_name(stem_of(raster))
    is_pixxel = any(is_file(f"{stem}{end}") for end in (".xml", ".geojson", ".XML", ".GEOJSON"))
    for other in files_in(raster.parent, "*[mM][aA][sS][kK]*.[tT][iI][fF]*"):
        rest, name = other.stem.removeprefix(stem.name), gdal_name_of(other)
        if rest == other.stem or name in known:
            continue
        if is_pixxel and other.name.lower().removeprefix(stem.name.lower()) in _PIXXEL_MASKS:
            yield MaskAsset(name, "pixxel", {})
        elif _DATA_MASK_NAME.fullmatch(rest):
            yield MaskAsset(name, "Data Mask", {})


def _layers(asset: MaskAsset, shape: tuple[int, int], transform: Affine) -> Iterator[QualityLayer]:
    require_local(asset.path, "mask", SceneError)
    try:
        with quiet_gdal(asset.path), open_raster(asset.path) as file:
            found, names = file.shape, list(descriptions_of(file))
            place = file.transform
    except RasterioError as error:
        raise SceneError(
            f"it cannot be opened ({plain(error)})", hint="download it again"
        ) from error
    if found != shape:
        raise SceneError(
            f"it has {found[0]} x {found[1]} pixels and the scene {shape[0]} x {shape[1]}",
            hint="give it with --mask, which takes the nearest pixel",
        )
    if not same_place(place, transform, shape):
        raise SceneError(
            "its pixels lie elsewhere than those of the scene",
            hint="give it with --mask, which takes the nearest pixel",
        )
    for band, (name, content) in enumerate(_described(asset, names), start=1):
        for flag, kind, code in _codes(asset, name, content):
            yield QualityLayer(flag, kind, RasterFlags(asset.path, band, shape, code))


def same_place(one: Affine, two: Affine, shape: tuple[int, int]) -> bool:
    """Whether the corners of two rasters differ by less than a part of a pixel, or one has no geotransform.

    Args:
        one: Geotransform of the first.
        two: Geotransform of the second.
        shape: (rows, columns) of both.
    """
    if one.is_identity or two.is_identity or two.is_degenerate:
        return True
    back = ~two @ one
    corners = [(0, 0), (shape[1], 0), (0, shape[0])]
    return all(
        max(abs(x - col), abs(y - row)) < _OFF_PX
        for col, row in corners
        for x, y in [back @ (col, row)]
    )


def _described(asset: MaskAsset, names: list[str]) -> list[tuple[str, Json]]:
    """Name and STAC description of each band of a mask."""
    content = asset.content
    listed: Any = content.get("bands") or content.get("eo:bands") or []
    rasters: Any = content.get("raster:bands") or []
    found: list[tuple[str, Json]] = []
    for index, own in enumerate(names):
        about: dict[str, Any] = {}
        for bands in (rasters, listed):
            if isinstance(bands, list) and len(bands) == len(names):
                one = bands[index]
                about |= one if isinstance(one, dict) else {}
        named = str(about.get("name") or own)
        if len(names) == 1:
            about = {**content, **about}
            named = named or str(about.get("name") or "")
            named = named if _known(named) else _by_title(asset.title) or named
        found.append((named, about))
    is_data_mask = re.search(r"data[._ -]*mask", asset.title, re.IGNORECASE) is not None
    if (
        is_data_mask
        and len(names) == len(_DATA_MASK)
        and not any(_known(name) for name, _ in found)
    ):
        return [(name, about) for name, (_, about) in zip(_DATA_MASK, found, strict=True)]
    return found


def _by_title(title: str) -> str:
    """The key of an asset that tells its flag; empty for masks of what is free of it."""
    key = title.split()[0] if title else ""
    return key if _known(title) and not _FREE.search(title) else ""


def _known(name: str) -> bool:
    return kind_of_flag(name) is not None


def _codes(asset: MaskAsset, name: str, content: Json) -> Iterator[tuple[str, str, FlagCode]]:
    """Flag, kind and numbers of a band."""
    bitfields, classes = (
        [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
        for listed in (content.get(f"classification:{key}") for key in ("bitfields", "classes"))
    )
    if bitfields:
        yield from (found for one in bitfields for found in _of_bitfield(one))
    elif classes:
        for one in classes:
            text = str(one.get("name") or one.get("description") or "")
            kind = kind_of_flag(text)
            if kind is not None and isinstance(one.get("value"), int):
                yield _spaced(text), kind, FlagCode(values=(one["value"],))
    elif asset.title == "pixxel":
        for flag, kind, bit in _PIXXEL_BITS:
            yield flag, kind, FlagCode(bits=bit, unknown=_FILL)
    elif (kind := kind_of_flag(name)) is not None:
        yield _spaced(name), kind, FlagCode(unknown=_FILL)


def _of_bitfield(field: Json) -> Iterator[tuple[str, str, FlagCode]]:
    """The flag of a bit field. Of several classes, such as confidences, those of the flag's own name count."""
    name, offset, length = (field.get(key) for key in ("name", "offset", "length"))
    kind = kind_of_flag(str(name))
    if kind is None or not isinstance(offset, int) or not isinstance(length, int):
        return
    if not (0 <= offset < 32 and 0 < length < 32):
        return
    classes = field.get("classes")
    listed = [one for one in classes if isinstance(one, dict)] if isinstance(classes, list) else []
    values = [one["value"] << offset for one in listed if _is_set(one, str(name))]
    bits = ((1 << length) - 1) << offset
    code = FlagCode(bits=bits) if length == 1 else FlagCode(tuple(values) or None, bits)
    yield _spaced(str(name)), kind, code


def _is_set(one: Json, name: str) -> bool:
    """Whether a class of a bit field means that the flag is set for sure."""
    called = str(one.get("name", "")).lower()
    return (
        isinstance(one.get("value"), int)
        and one["value"] > 0
        and (called == name.lower() or "high" in called)
    )


def _spaced(name: str) -> str:
    return re.sub(r"[_\s]+", " ", name).strip().lower()[:60]
