"""Choosing the reader for a path."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path

from hsi_geo.errors import SceneError
from hsi_geo.io.files.hdf5_files import is_hdf5
from hsi_geo.io.files.paths import exists, is_gdal_name
from hsi_geo.io.files.redirects import final_link, require_allowed_links
from hsi_geo.io.files.references import require_local
from hsi_geo.io.files.remote_files import as_link, suffix_of
from hsi_geo.io.readers.band_files import read_band_files
from hsi_geo.io.readers.base import SceneFile
from hsi_geo.io.readers.cf import read_cf
from hsi_geo.io.readers.cf_cube import NoCubeError
from hsi_geo.io.readers.cf_groups import CLASSIC, is_classic, is_zarr
from hsi_geo.io.readers.hdf5 import read_hdf5
from hsi_geo.io.readers.packages import (
    Package,
    is_archive,
    open_archive,
    open_folder,
    read_packed_raster,
)
from hsi_geo.io.readers.placement import Placement, place
from hsi_geo.io.readers.product_masks import of_product
from hsi_geo.io.readers.products import is_product, read_product
from hsi_geo.io.readers.raster import (
    ARRAY_HINT,
    data_of_header,
    is_array_file,
    read_raster,
    read_raster_text,
)
from hsi_geo.io.readers.remote_vrt import whole_vrt
from hsi_geo.io.readers.stac_assets import OWN_HOST, Links, image_of
from hsi_geo.io.readers.stac_collections import is_items_name, member_of, only_item
from hsi_geo.io.readers.stac_sidecar import Json, StacSidecar

#: Suffixes of HDF5 files on other machines. Local files are recognised by their signature.
HDF5_SUFFIXES = (".h5", ".he5", ".hdf5", ".nc", ".nc4")

#: Grids that fit best.
AS_FITS = Placement()

#: GDAL's name of a subdataset: driver, path with or without quotes, part.
_SUBDATASET = re.compile(r'[A-Za-z0-9_]+:"?(.+?)"?:(?:.*)$')


def read_scene(
    path: str | os.PathLike[str], placement: Placement = AS_FITS, links: Links = OWN_HOST
) -> SceneFile:
    """Describe the scene in a file of any supported format.

    Args:
        path: Path of a file, of a product's folder or of an archive, or another name that GDAL opens.
        placement: The grid to read it on.
        links: Which asset of a STAC item is wanted, and whether items may name files on other hosts.

    Returns:
        The scene; its pixels are not read.

    Raises:
        SceneNotFoundError: If nothing exists at the path.
        SceneError: If it holds no scene, refers to another machine, or has no place on a map.
        OptionError: If it does not fit into the grid.
    """
    return place(_read(os.fspath(path), links), placement)


def _read(name: str, links: Links) -> SceneFile:
    if not exists(name):
        if (member := member_of(name)) is not None:
            return _read_item(*member, links)
        return _read_remote(name, links)
    require_local(name, "scene", SceneError)
    try:
        return _read_local(Path(name), links)
    except PermissionError as error:
        raise SceneError(
            f"scene '{name}' cannot be read ({error.strerror})",
            hint="ask its owner for the right to read it",
        ) from error


def _read_local(here: Path, links: Links) -> SceneFile:
    if here.is_dir():
        return _read_folder(here)
    if is_archive(here):
        package = open_archive(here)
        return _read_package(package) or read_packed_raster(package)
    if is_items_name(str(here)) and (found := only_item(str(here))) is not None:
        return _read_item(*found, links)
    return _read_file(here)


def _read_item(item: Json, name: str, links: Links) -> SceneFile:
    """The image of a STAC item."""
    image, described = image_of(item, name, links)
    link = as_link(image)
    if link is None:
        require_local(image, "scene", SceneError)
        here = Path(image)
        if here.is_dir() or is_hdf5(here):
            return _read_local(here, links)
        if here.is_file() and is_classic(here):
            return _read_classic(here, described)
        return read_raster(image, item=described)
    final = final_link(link, follow=links.follow)
    if suffix_of(link) in HDF5_SUFFIXES:
        return read_hdf5(final) or read_cf(final, "h5netcdf")
    is_moved = final != link and not links.follow
    return read_raster(final if is_moved else image, name=image, item=described)


def _read_remote(name: str, links: Links) -> SceneFile:
    """A name that is no path: a URL, a subdataset, a file in an archive, or nothing."""
    _check_container(name)
    remote = is_gdal_name(name) and (name.startswith("/vsi") or "://" in name)
    given = as_link(name)
    if given is None:
        require_allowed_links(name, follow=links.follow)
    link = None if given is None else final_link(given, follow=links.follow)
    suffix = Path(name).suffix.lower() if given is None else suffix_of(given)
    if remote and suffix == ".zarr" and "://" in name:
        return read_cf(name, "zarr")
    if link is not None and suffix in HDF5_SUFFIXES:
        return read_hdf5(link) or read_cf(link, "h5netcdf")
    if remote and suffix in HDF5_SUFFIXES:
        raise SceneError(
            f"scene '{name}' is an HDF5 or netCDF file in a place that only GDAL reads",
            hint="give its link, such as https://..., or unpack it first",
        )
    if given is not None and link is not None and is_items_name(given):
        found = only_item(link)
        if found is None:
            raise SceneError(
                f"'{name}' is no STAC item", hint="give the link of an item or of an image"
            )
        return _read_item(*found, links)
    if link is not None and suffix == ".vrt" and not links.follow:
        raise SceneError(
            f"scene '{name}' is a virtual raster (VRT) on another machine, which may name other files there",
            hint="give the rasters themselves, or allow it with --follow-links",
        )
    if links.follow and link is not None and (text := whole_vrt(link)) is not None:
        return read_raster_text(text, name)
    if link is None or link == given or links.follow:
        return read_raster(name)  # with leave, GDAL follows by itself: it knows the user's logins
    return read_raster(link, name=name)


def _check_container(name: str) -> None:
    """Check the file in GDAL's name of a subdataset, such as `HDF5:"a.h5"://cube`."""
    part = _SUBDATASET.match(name)
    if part is None or not exists(part[1]):
        return
    require_local(part[1], "scene", SceneError)


def _read_folder(path: Path) -> SceneFile:
    if is_zarr(path):
        return read_cf(str(path), "zarr")
    package = open_folder(path, str(path))
    found = _read_package(package)
    if found is not None:
        return found
    raise SceneError(
        f"scene '{path}' is a folder, and neither an EnMAP or DESIS product nor a Zarr store, "
        "and has no file for each band",
        hint="give the file in it that holds the scene",
    )


def _read_package(package: Package) -> SceneFile | None:
    """The scene of a folder or archive; None if it is no product and has no file for each band."""
    if is_product(package):
        return read_product(package)
    return read_band_files(package)


def _read_file(path: Path) -> SceneFile:
    product = product_part(path)
    if product:
        package = open_folder(path.parent, str(path), f"{_escaped(product)}*")
        own = of_product(package, path.name)
        package = own if is_product(own) else package
        if is_product(package):
            is_image = path.suffix.lower() != ".xml"  # no METADATA.XML, and no .aux.xml
            return read_product(package, Path(data_of_header(path)).name if is_image else None)
    if is_hdf5(path):
        if is_array_file(path.name):  # MATLAB's of version 7.3
            raise SceneError(
                f"scene '{path}' is a file of arrays, which have neither wavelengths nor a place",
                hint=ARRAY_HINT,
            )
        return read_hdf5(str(path)) or read_cf(str(path), "h5netcdf")
    if is_classic(path):
        return _read_classic(path)
    return read_raster(path)


def _read_classic(path: Path, item: StacSidecar | None = None) -> SceneFile:
    """A netCDF file before version 4, as GDAL reads it if its bands are not known: they may be given, or lie beside it.

    Args:
        path: Path of the file.
        item: What a STAC item tells of it; None looks for an item beside it.
    """
    try:
        found = read_cf(str(path), CLASSIC)
    except NoCubeError as error:
        try:
            return read_raster(path, item=item)
        except SceneError:
            raise error from None
    if found.found is None:
        with contextlib.suppress(SceneError):
            raster = read_raster(path, item=item)
            found = found if raster.found is None else raster
    return found


def product_part(path: Path) -> str | None:
    """The common prefix of the names of a product's files.

    Args:
        path: Path of a file.

    Returns:
        The prefix, possibly empty; None if the name is not that of a product's file.

    Example:
        >>> product_part(Path("ENMAP01-METADATA.XML"))
        'ENMAP01-'
    """
    upper = path.name.upper()
    for part in ("METADATA.XML", "SPECTRAL_IMAGE"):
        if part in upper:
            return path.name[: upper.index(part)]
    return None


def _escaped(text: str) -> str:
    """A name with the wildcards of a glob escaped."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in text)
