"""Groups and variables of netCDF files and Zarr stores, opened by xarray without decoding."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import xarray as xr

from hsi_geo.errors import HsiGeoError, SceneError
from hsi_geo.io.files.hdf5_files import WRITTEN_HINT, is_being_written, open_shared
from hsi_geo.io.files.limits import NESTED_GROUPS, STORED_OBJECTS, TEXT_BYTES
from hsi_geo.io.files.paths import exists
from hsi_geo.io.files.remote_files import as_link, open_remote
from hsi_geo.io.files.text_encoding import decode
from hsi_geo.io.readers.base import missing_package, plain

#: Datasets by the path of their group ("/" is the root).
Groups = Mapping[str, xr.Dataset]

#: What pip installs for each of xarray's engines.
_INSTALL = {"h5netcdf": "h5py h5netcdf", "zarr": "'hsi-geo[zarr]'", "scipy": "scipy"}

#: xarray's engine of netCDF files before version 4, and their first bytes. They have no groups.
CLASSIC = "scipy"
_CLASSIC_SIGNATURES = (b"CDF\x01", b"CDF\x02")


def open_groups(path: str, engine: str) -> Groups:
    """Open all groups of a file or store.

    Args:
        path: Path of the netCDF file or Zarr store.
        engine: xarray's engine: "h5netcdf", "zarr" or `CLASSIC`.

    Returns:
        The groups. The caller closes their datasets.

    Raises:
        SceneError: If the file is damaged.
        MissingPackageError: If the engine's package is not installed.
    """
    try:
        if engine == CLASSIC:
            return {"/": _opened(xr.open_dataset, path, engine)}
        with _without_zarr_warning():
            groups = _opened(xr.open_groups, path, engine)
        for dataset in groups.values():
            for attributes in (dataset.attrs, *(one.attrs for one in dataset.variables.values())):
                attributes.update(_mended(attributes))
        return groups
    except HsiGeoError:
        raise
    except Exception as error:
        if isinstance(error, ImportError) or "unrecognized engine" in str(error):
            raise missing_package(engine, path, _INSTALL[engine]) from error
        if is_being_written(error):
            raise SceneError(
                f"scene '{path}' is open for writing in another program", hint=WRITTEN_HINT
            ) from error
        raise SceneError(
            f"scene '{path}' cannot be read as netCDF or Zarr ({plain(error)})",
            hint="copy or download it again, or convert it to GeoTIFF",
        ) from error


def _mended(attributes: Mapping[str, Any]) -> dict[str, str]:
    """Texts that h5py could not decode: programs write UTF-8, or Windows-1252, where HDF5 has ASCII."""
    return {
        key: decode(value.encode("utf-8", "surrogateescape"))[0]
        for key, value in attributes.items()
        if isinstance(value, str) and re.search("[\udc80-\udcff]", value)
    }


def open_group(path: str, group: str, engine: str) -> xr.Dataset:
    """Open one group of a file or store.

    Args:
        path: Path of the netCDF file or Zarr store.
        group: Path of the group in it.
        engine: xarray's engine: "h5netcdf", "zarr" or `CLASSIC`.
    """
    if engine == CLASSIC:
        return _opened(xr.open_dataset, path, engine)
    with _without_zarr_warning():
        return _opened(partial(xr.open_dataset, group=group), path, engine)


def _opened[H](open_: Callable[..., H], path: str, engine: str) -> H:
    """What a function of xarray returns for the path, or for a file object for netCDF on another machine."""
    options = _options(path, engine)
    if engine == "zarr" and exists(path):
        from zarr.storage import LocalStore  # an extra

        # A path would be taken for an address, which ends before "#" and "?".
        return open_(LocalStore(path, read_only=True), **options)
    if engine != "h5netcdf":
        return open_(path, **options)
    if (link := as_link(path)) is not None:
        return open_(open_remote(link), **options)
    return open_shared(lambda **locks: open_(path, **options, driver_kwds=locks))


@contextmanager
def _without_zarr_warning() -> Iterator[None]:
    """Suppress xarray's warning about Zarr stores without consolidated metadata."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Failed to open Zarr store with consol", RuntimeWarning)
        yield


def _options(path: str, engine: str) -> dict[str, Any]:
    """Xarray's options for stored values: no scaling, no masks, no times."""
    options: dict[str, Any] = {
        "engine": engine,
        "decode_times": False,
        "mask_and_scale": False,
        "decode_coords": False,
        "cache": False,
    }
    if engine == CLASSIC:
        return options
    if engine != "h5netcdf":
        is_web = path.lower().startswith(("http://", "https://"))
        # A server that sends to another host is not followed.
        return options | ({"storage_options": {"allow_redirects": False}} if is_web else {})
    # HDF5 that is no netCDF has no names for its axes.
    return options | {"phony_dims": "access"}


def iterate_variables(groups: Groups) -> Iterator[tuple[str, str, xr.DataArray]]:
    """(group, name, array) of each variable and coordinate; groups nearest the root come first.

    Example:
        >>> groups = {"/a": xr.Dataset({"u": 1}), "/": xr.Dataset({"v": 2})}
        >>> [(group, name) for group, name, _ in iterate_variables(groups)]
        [('/', 'v'), ('/a', 'u')]
    """
    for group in sorted(groups, key=lambda name: (name.count("/"), name)):
        for name in groups[group].variables:
            yield group, str(name), groups[group][name]


def nearest_first(groups: Groups, group: str) -> list[str]:
    """Paths of all groups: a group itself, those above it, and others.

    Args:
        groups: Groups of the file.
        group: Path of the group.

    Example:
        >>> nearest_first({"/": xr.Dataset(), "/b": xr.Dataset(), "/a": xr.Dataset()}, "/a")
        ['/a', '/', '/b']
    """

    def distance(other: str) -> tuple[bool, int, str]:
        above = holds(other, group)
        return not above, -len(other) if above else len(other), other  # Zarr's order is any

    return sorted(groups, key=distance)


def holds(group: str, other: str) -> bool:
    """Whether a group is another one, or lies above it.

    Args:
        group: Path of the group.
        other: Path of the other one.

    Example:
        >>> holds("/", "/a"), holds("/a", "/a/b"), holds("/a", "/ab")
        (True, True, False)
    """
    return group in ("/", other) or other.startswith(f"{group.rstrip('/')}/")


def is_classic(path: Path) -> bool:
    """Whether a file is netCDF of the time before version 4, in its usual forms.

    Args:
        path: Path of the file.

    Raises:
        OSError: If the file cannot be read.
    """
    with path.open("rb") as file:
        return file.read(4) in _CLASSIC_SIGNATURES


def is_zarr(path: Path) -> bool:
    """Whether a folder is a Zarr store, of version 2 or 3."""
    markers = ("zarr.json", ".zgroup", ".zarray", ".zmetadata")
    return any((path / marker).exists() for marker in markers)


def require_few_groups(path: str) -> None:
    """Refuse a local Zarr store with too many groups before it is opened.

    Args:
        path: Path of the store; URLs are not checked.

    Raises:
        SceneError: If the groups are nested too deep, or groups and arrays are too many.
    """
    waiting, count = [(Path(path), 0)] if Path(path).is_dir() else [], 0
    while waiting:
        group, depth = waiting.pop()
        for entry in group.iterdir():
            if not entry.is_dir() or not is_zarr(entry):
                continue
            count += 1
            if depth >= NESTED_GROUPS or count > STORED_OBJECTS:
                raise SceneError(
                    f"scene '{path}' holds groups nested {NESTED_GROUPS} deep, or more than "
                    f"{STORED_OBJECTS:,} groups and arrays",
                    hint="give the group that holds the cube",
                )
            if not _is_array(entry):
                waiting.append((entry, depth + 1))


def _is_array(node: Path) -> bool:
    metadata = node / "zarr.json"
    return (node / ".zarray").exists() or (
        metadata.is_file() and b'"array"' in metadata.read_bytes()[:TEXT_BYTES]
    )
