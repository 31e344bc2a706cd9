"""EnMAP and DESIS products: a raster, and a METADATA.XML that describes its bands.

Layout: the missions' product specifications (EnMAP: EN-PCV-ICD-2009-2).
"""

from __future__ import annotations

import dataclasses
import re
import xml.etree.ElementTree as ET
import zlib
from pathlib import PurePosixPath
from zipfile import BadZipFile

import numpy as np

from hsi_geo.arrays import Float64Array
from hsi_geo.errors import SceneError, WavelengthError
from hsi_geo.io.readers.base import SceneFile
from hsi_geo.io.readers.packages import Package
from hsi_geo.io.readers.product_bands import (
    CENTRE,
    GAIN,
    OFFSET,
    WIDTH,
    column,
    described_bands,
    factors,
    good_bands,
)
from hsi_geo.io.readers.product_masks import (
    defective_pixels,
    is_on,
    of_product,
    product_of,
    quality_flags,
    with_masks,
)
from hsi_geo.io.readers.raster import read_raster
from hsi_geo.wavelengths import DeclaredBands

_METADATA = re.compile(r"METADATA\.XML$", re.IGNORECASE)
_IMAGE = re.compile(r"SPECTRAL_IMAGE(_COG)?\.(TIF|TIFF|BSQ|BIL|BIP)$", re.IGNORECASE)
_IMAGE_HALF = re.compile(r"SPECTRAL_IMAGE_(VNIR|SWIR)\.", re.IGNORECASE)

#: Images that somebody made from one of a product, such as a part of it.
_MADE_FROM = re.compile(r"SPECTRAL_IMAGE[^/]*\.(TIF|TIFF|BSQ|BIL|BIP|IMG|DAT)$", re.IGNORECASE)

#: Part of the names of all of them.
_IMAGE_PART = "SPECTRAL_IMAGE"

#: Largest difference between centres in nm of the same band.
_SAME_NM = 1.0

#: Nodata value, if the image declares none.
_BACKGROUND = -32768.0


def is_product(package: Package) -> bool:
    """Whether a package holds a METADATA.XML and a spectral image, or that of one detector.

    Args:
        package: Files of a folder or archive.
    """
    metadata = any(_METADATA.search(name) for name in package.files)
    return metadata and any(_IMAGE_PART in name.upper() for name in package.files)


def read_product(package: Package, image: str | None = None) -> SceneFile:
    """Describe an EnMAP or DESIS product, or an image that was made from one.

    Where the detectors overlap, the bands of both are kept. The METADATA.XML gives what an image made from the
    product does not tell itself, if it has the same bands. Gains are those of the integers of the product.

    Args:
        package: Files of the product.
        image: Name of the image in the package; None for the image of the product.

    Returns:
        The scene; its pixels are not read.

    Raises:
        SceneError: If files are missing, or image and metadata have different numbers of bands.
    """
    metadata = [name for name in package.files if _METADATA.search(name)]
    others: list[str] = []
    if image is None:
        image, *others = _images(package, metadata)
    raster = read_raster(package.gdal_path(image), name=package.name)
    described_in = _nearest(image, metadata)
    package, unused = with_masks(package, of_product(package, image, described_in), raster.grid)
    root = _parse(package, described_in)
    bands = described_bands(root)
    centres = column(bands, CENTRE, np.nan)
    if len(bands) != raster.band_count:
        _require_own_bands(package, image, raster, len(bands))
        return _unused(raster, f"describes {len(bands)} bands, and it has {raster.band_count}")
    own = [name for name in package.files if _IMAGE.search(name)]
    is_original = image in own[:1] and raster.dtype.kind in "iu"
    if not is_original and not _has_wavelengths(raster, centres):
        return _unused(raster, "describes bands of other wavelengths")
    gain, offset = (
        factors(bands, GAIN, 1.0, package.name),
        factors(bands, OFFSET, 0.0, package.name),
    )
    defects, warnings = defective_pixels(package, raster.grid.shape, centres)
    described = dataclasses.replace(
        raster,
        driver=_label(image),
        found=DeclaredBands(centres, "nm", "METADATA.XML", column(bands, WIDTH, np.nan)),
        found_warnings=(),
        good=good_bands(root, len(bands)),
        good_source="METADATA.XML",
        nodata=np.where(np.isnan(raster.nodata), _BACKGROUND, raster.nodata),
        scale=gain,
        offset=offset,
        quality=(*quality_flags(package, raster.grid.shape), *defects),
        warnings=(*raster.warnings, *unused, *warnings, *_unread(image, others)),
    )
    return described if is_original else _made_from(described, raster)


def _images(package: Package, metadata: list[str]) -> list[str]:
    """The images of the only product, the one to read first.

    Raises:
        SceneError: If there are several products, or there is no image.
    """
    images = [name for name in package.files if _IMAGE.search(name)]
    if len(metadata) > 1 and len(images) > 1:
        raise SceneError(
            f"scene '{package.name}' holds {len(images)} products: "
            + ", ".join(PurePosixPath(name).name for name in images[:4]),
            hint="give the METADATA.XML of one of them",
        )
    if images:
        return images
    if any(_IMAGE_HALF.search(name) for name in package.files):
        raise _of_one_detector(package)
    made = [name for name in package.files if _MADE_FROM.search(name)]
    if len(made) != 1:
        raise SceneError(
            f"scene '{package.name}' has a METADATA.XML and no SPECTRAL_IMAGE",
            hint="give the whole product",
        )
    return made


def _of_one_detector(package: Package) -> SceneError:
    return SceneError(
        f"scene '{package.name}' has a METADATA.XML and one spectral image a detector, as L1B has",
        hint="order or download the L2A product",
    )


def _require_own_bands(package: Package, image: str, raster: SceneFile, described: int) -> None:
    """Refuse an image of a product that has neither the bands of its METADATA.XML nor wavelengths of its own.

    Raises:
        SceneError: If it does.
    """
    if raster.found is not None:
        return
    if _IMAGE_HALF.search(image):
        raise _of_one_detector(package)
    if _IMAGE.search(image):
        raise SceneError(
            f"scene '{package.name}' has {raster.band_count} bands and its METADATA.XML describes "
            f"{described}",
            hint="take image and metadata from the same product",
        )


def _unused(raster: SceneFile, reason: str) -> SceneFile:
    """An image of which the METADATA.XML tells nothing: for one without wavelengths this is why it has none."""
    warning = f"the METADATA.XML beside it {reason}: not used"
    raster = dataclasses.replace(raster, warnings=(*raster.warnings, warning))
    if raster.found is not None:
        return raster
    return dataclasses.replace(raster, found_warnings=(warning, *raster.found_warnings))


def _unread(image: str, others: list[str]) -> list[str]:
    """A warning if a product has several images."""
    names = [f"'{PurePosixPath(name).name}'" for name in (image, *others)]
    return [f"it reads {names[0]}, and not {', '.join(names[1:])}"] if others else []


def _has_wavelengths(raster: SceneFile, centres_nm: Float64Array) -> bool:
    """Whether the wavelengths that an image has are those of a METADATA.XML; True if it has none."""
    try:
        own = raster.bands
    except WavelengthError:
        return False
    return own is None or np.allclose(own.centres_nm, centres_nm, rtol=0, atol=_SAME_NM)


def _made_from(described: SceneFile, raster: SceneFile) -> SceneFile:
    """An image that somebody made from that of a product: what it tells itself comes first.

    Args:
        described: The image as the METADATA.XML describes it.
        raster: The image as it describes itself.
    """
    is_whole = raster.dtype.kind in "iu"
    own_scale = bool((raster.scale != 1).any() or (raster.offset != 0).any())
    quality = tuple(layer for layer in described.quality if is_on(layer, raster.grid))
    warnings = list(described.warnings)
    if len(quality) < len(described.quality):
        warnings = [
            *raster.warnings,
            "the masks of its product are not applied: they lie on other pixels",
        ]
    if not is_whole and not own_scale:
        warnings.append(
            f"it holds {raster.dtype}: the gains in the METADATA.XML beside it are not used"
        )
    return dataclasses.replace(
        described,
        found=raster.found or described.found,
        found_warnings=raster.found_warnings if raster.found is not None else (),
        good=described.good if raster.good is None else raster.good,
        good_source=described.good_source if raster.good is None else raster.good_source,
        nodata=described.nodata if is_whole else raster.nodata,
        scale=described.scale if is_whole and not own_scale else raster.scale,
        offset=described.offset if is_whole and not own_scale else raster.offset,
        quality=quality,
        warnings=tuple(warnings),
    )


def _parse(package: Package, name: str) -> ET.Element:
    try:
        return ET.fromstring(package.read_bytes(name))
    except SceneError:
        raise
    except (ET.ParseError, OSError, ValueError, BadZipFile, RuntimeError, zlib.error) as error:
        raise SceneError(
            f"scene '{package.name}' has a METADATA.XML that cannot be read ({error})",
            hint="download or unpack the product again",
        ) from error


def _nearest(image: str, metadata: list[str]) -> str:
    """The metadata file of the image's product, by its name."""
    product = product_of(image)
    return next((name for name in metadata if product_of(name) == product), metadata[0])


def _label(image: str) -> str:
    name = PurePosixPath(image).name.upper()
    mission = next((m for m in ("EnMAP", "DESIS") if m.upper() in name), "product")
    level = re.search(r"L\d[A-D]", name)
    return f"{mission} {level[0]}" if level else mission
