"""Which files belong to an EnMAP or DESIS product, and the masks among them."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from rasterio.errors import RasterioError

from hsi_geo.arrays import Float64Array
from hsi_geo.errors import SceneError
from hsi_geo.io.files.references import require_local
from hsi_geo.io.readers.band_defects import BandDefects, find_defects
from hsi_geo.io.readers.gdal import open_raster, quiet_gdal
from hsi_geo.io.readers.packages import Package
from hsi_geo.io.readers.quality_layers import (
    CIRRUS,
    CLOUDS,
    HAZE,
    QUALITY,
    SHADOWS,
    SNOW,
    WATER,
    FlagCode,
    QualityLayer,
    RasterFlags,
)
from hsi_geo.io.readers.side_masks import same_place
from hsi_geo.text import quoted
from hsi_geo.tiling import Grid

#: What follows the name of a product in those of its files.
_PART = re.compile(r"(METADATA\.XML|SPECTRAL_IMAGE|QL_QUALITY|QL_PIXELMASK)[^/]*$", re.IGNORECASE)

#: The masks among a product's files, and its image.
_MASK = re.compile(r"(QL_QUALITY|QL_PIXELMASK)[^/]*\.(TIF|TIFF|BSQ|BIL|BIP)$", re.IGNORECASE)
_IMAGE = re.compile(r"SPECTRAL_IMAGE[^/]*\.(TIF|TIFF|BSQ|BIL|BIP|IMG|DAT)$", re.IGNORECASE)

#: EnMAP's files of flags: the end of the name, the flag, its kind, and the numbers that mean it.
_ENMAP_FLAGS = (
    ("QL_QUALITY_CLOUD", "cloud", CLOUDS, FlagCode()),
    ("QL_QUALITY_CLOUDSHADOW", "cloud shadow", SHADOWS, FlagCode()),
    ("QL_QUALITY_CIRRUS", "cirrus", CIRRUS, FlagCode()),
    ("QL_QUALITY_HAZE", "haze", HAZE, FlagCode()),
    ("QL_QUALITY_SNOW", "snow", SNOW, FlagCode()),
    ("QL_QUALITY_CLASSES", "water", WATER, FlagCode(values=(2,))),
)

#: Bits of EnMAP's test flags of each pixel: the flag, and the numbers that mean it. Bits 0 and 1 hold a grade (0 nominal,
#: 1 reduced, 2 low, 3 not produced), 4 and 5 saturation in SWIR and VNIR, 6 and 7 artefacts. All bits are the background.
_ENMAP_TESTS = (
    ("low quality", FlagCode(values=(2, 3), bits=0b11, unknown=(255,))),
    ("saturated", FlagCode(bits=0b11 << 4, unknown=(255,))),
    ("artefact", FlagCode(bits=0b11 << 6, unknown=(255,))),
)

#: Bands of DESIS's file of flags: flag, its kind, number of the band.
_DESIS_FLAGS = (
    ("shadow", SHADOWS, 1),
    ("snow", SNOW, 3),
    ("haze", HAZE, 4),
    ("haze over water", HAZE, 5),
    ("cloud", CLOUDS, 6),
    ("cloud over water", CLOUDS, 7),
    ("water", WATER, 8),
)


def of_product(package: Package, *names: str) -> Package:
    """The files of some products only: others may lie beside them, such as copies.

    Args:
        package: Files of a folder or archive.
        names: Names of a file of each product.
    """
    products = {product_of(name) for name in names} - {None}
    files = tuple(name for name in package.files if product_of(name) in products)
    return dataclasses.replace(package, files=files)


def product_of(name: str) -> str | None:
    """What the names of a product's files begin with, with their folder; None for other files.

    Args:
        name: Name of a file in a package.
    """
    part = _PART.search(name)
    return None if part is None else name[: part.start()].lower()


def with_masks(package: Package, own: Package, grid: Grid) -> tuple[Package, list[str]]:
    """The files of a product, with masks that lie in another folder, or have another name.

    Masks of another name are used only if a single product is there that they can belong to.

    Args:
        package: Files of a folder or archive.
        own: The files among them that have the name of the product, from `of_product`.
        grid: Pixels of its image. Masks of others lie on other pixels.

    Returns:
        product: The files of the product.
        warnings: A sentence if no mask has the name of the product, and others are not applied.
    """
    masks = [name for name in package.files if _MASK.search(name)]
    if not masks or any(name in own.files for name in masks):
        return own, []
    used = [
        name for name in _masks_of(package, own, masks) if _lies_on(package.gdal_path(name), grid)
    ]
    if used:
        return dataclasses.replace(own, files=(*own.files, *used)), []
    names = [PurePosixPath(name).name for name in masks]
    warning = (
        f"no mask has the name of the product, and {quoted(names)} cannot be told to be its own: not applied, rename "
        "them, or put them beside its image"
    )
    return own, [warning]


def _masks_of(package: Package, own: Package, masks: Sequence[str]) -> list[str]:
    """Masks of the name of a product in a folder without an image of it, or those of the only product that is there."""
    own_names = {_name_of(name) for name in own.files}
    copies = {product_of(name) for name in package.files if _IMAGE.search(name)}
    named = [one for one in masks if _name_of(one) in own_names and product_of(one) not in copies]
    images = [name for name in package.files if _IMAGE.search(name)]
    is_alone = len(images) == 1 and len({_name_of(name) for name in masks}) == 1
    found = named or (list(masks) if is_alone else [])
    return found if len({_stem(name) for name in found}) == len(found) else []


def _name_of(name: str) -> str | None:
    """The name of the product of a file, without its folder; None for other files."""
    product = product_of(name)
    return None if product is None else PurePosixPath(f"{product}_").name


def is_on(layer: QualityLayer, grid: Grid) -> bool:
    """Whether a layer of a product lies on the pixels of an image; False if it cannot be opened.

    Args:
        layer: From `defective_pixels` or `quality_flags`.
        grid: Pixels of the image.
    """
    return isinstance(layer.flags, RasterFlags | BandDefects) and _lies_on(layer.flags.path, grid)


def _lies_on(path: str, grid: Grid) -> bool:
    try:
        require_local(path, "quality layer", SceneError)
        with quiet_gdal(path), open_raster(path) as file:
            same_size = file.shape == grid.shape
            return same_size and same_place(file.transform, grid.transform, grid.shape)
    except (RasterioError, SceneError):
        return False


def defective_pixels(
    package: Package, shape: tuple[int, int], centres_nm: Float64Array
) -> tuple[list[QualityLayer], list[str]]:
    """EnMAP's masks of defective pixels, which have a band for each band of the image.

    Args:
        package: Files of the product.
        shape: (rows, columns) of the image.
        centres_nm: (C,) wavelengths of its bands.

    Returns:
        layers: The masks.
        warnings: One sentence for each that cannot be used.
    """
    layers, warnings = [], []
    for name in package.files:
        if _stem(name).endswith("QL_PIXELMASK"):
            found, warning = find_defects(package.gdal_path(name), shape, centres_nm)
            if found is not None:
                layers.append(QualityLayer("defective", QUALITY, found, found))
            warnings += [warning] if warning else []
    return layers, warnings


def _stem(name: str) -> str:
    return re.sub(r"(_COG)?\.(TIFF?|BSQ|BIL|BIP)$", "", PurePosixPath(name).name.upper())


def quality_flags(package: Package, shape: tuple[int, int]) -> Iterator[QualityLayer]:
    """Flags of clouds and others of EnMAP and DESIS.

    Args:
        package: Files of the product.
        shape: (rows, columns) of the image.
    """
    for name in package.files:
        stem = _stem(name)
        path = package.gdal_path(name)
        for ending, flag, kind, code in _ENMAP_FLAGS:
            if stem.endswith(ending):
                yield QualityLayer(flag, kind, RasterFlags(path, 1, shape, code))
        if stem.endswith("QL_QUALITY_TESTFLAGS"):
            for flag, code in _ENMAP_TESTS:
                yield QualityLayer(flag, QUALITY, RasterFlags(path, 1, shape, code))
        if stem.endswith("QL_QUALITY-2"):
            for flag, kind, band in _DESIS_FLAGS:
                yield QualityLayer(flag, kind, RasterFlags(path, band, shape))
