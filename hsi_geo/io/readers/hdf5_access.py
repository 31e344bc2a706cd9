"""Datasets and groups of HDF5 files, as the readers of products open them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from hsi_geo.arrays import Float64Array
from hsi_geo.errors import SceneError
from hsi_geo.io.files.hdf5_files import DAMAGED, open_shared
from hsi_geo.io.files.paths import stamp
from hsi_geo.io.files.remote_files import as_link, open_remote
from hsi_geo.io.readers.base import (
    ArrayPixels,
    Pixels,
    StackedPixels,
    missing_package,
    plain,
    require_real,
)
from hsi_geo.io.readers.handles import opened
from hsi_geo.io.readers.scaled_pixels import in_degrees
from hsi_geo.io.readers.swath import SwathCoordinates

if TYPE_CHECKING:
    import h5py

#: Orders of axes in which cubes are stored.
_ORDERS = ("byx", "yxb", "ybx")

#: What pip installs if h5py or h5netcdf is missing.
INSTALL = "h5py h5netcdf"


@dataclass(frozen=True, eq=False, kw_only=True)
class HdfPixels(ArrayPixels):
    """A dataset of two or three dimensions.

    Attributes:
        dataset: Path of the dataset in the file.
    """

    dataset: str

    def variable(self) -> Any:
        """See `ArrayPixels.variable`."""
        file = opened(("h5py", self.path, self.stamp), partial(open_hdf5, self.path), self)
        return file[self.dataset]


def open_hdf5(path: str) -> h5py.File:
    """Open a file for reading.

    Args:
        path: Path of the file.

    Raises:
        MissingPackageError: If h5py is not installed.
        OSError: If the file is damaged, or another program writes it.
    """
    try:
        import h5py
    except ImportError as error:
        raise missing_package("h5py", path, INSTALL) from error
    if (link := as_link(path)) is not None:
        return h5py.File(open_remote(link), "r")
    return open_shared(partial(h5py.File, path, "r"))


def names_in(file: h5py.File, group: str) -> list[str]:
    """Names of the entries of a group; none if there is no such group.

    Args:
        file: The open file.
        group: Path of the group.
    """
    found = file.get(group)
    return list(found) if hasattr(found, "keys") else []


@contextmanager
def layout_errors(path: str, kind: str) -> Iterator[None]:
    """Turn what h5py and NumPy raise for a file of another layout into one error.

    Args:
        path: Path of the file.
        kind: Name of the product that the file should be.

    Raises:
        SceneError: If an entry is missing, or of another type or shape.
    """
    try:
        yield
    except SceneError:
        raise
    except (IndexError, ArithmeticError, *DAMAGED) as error:
        raise SceneError(
            f"scene '{path}' is laid out otherwise than {kind} files are ({plain(error)})",
            hint="download the file again, or convert it to GeoTIFF",
        ) from error


def known_name(file: h5py.File, name: str) -> str:
    """The path of an entry as the file spells it: capital and small letters may differ.

    Args:
        file: The open file.
        name: Path of the entry.

    Returns:
        The path; as it is given if there is no such entry.
    """
    if name in file:
        return name
    found = ""
    for part in name.split("/"):
        names = {other.lower(): other for other in names_in(file, found or "/")}
        found = f"{found}/{names.get(part.lower(), part)}"
    return found.removeprefix("/") if found in file else name


def cube_order(shape: tuple[int, ...], bands: int, usual: str) -> str:
    """Letters of the axes of a cube, by the number of its bands.

    Args:
        shape: Lengths of the axes.
        bands: Number of bands.
        usual: The order that the product has; it is taken where several fit, or none.

    Example:
        >>> cube_order((4, 34, 23), 4, "byx"), cube_order((34, 23, 4), 4, "byx")
        ('byx', 'yxb')
    """
    fits = [order for order in (usual, *_ORDERS) if shape[order.index("b")] == bands]
    return fits[0] if len(shape) == len(usual) and fits else usual


def sizes_of(shape: tuple[int, ...], order: str) -> tuple[int, int, int]:
    """(bands, rows, columns) of a cube.

    Args:
        shape: Lengths of its axes.
        order: Letters of its axes in their order.
    """
    count, height, width = (int(shape[order.index(letter)]) for letter in "byx")
    return count, height, width


def cube_of(
    file: h5py.File, path: str, dataset: str, order: str, bands: int | None = None
) -> tuple[HdfPixels, h5py.Dataset]:
    """A cube or an image of a file.

    Args:
        file: The open file.
        path: Path of the file.
        dataset: Path of the dataset.
        order: Letters of its axes in their usual order: b(and), y, x.
        bands: Number of its bands, from which another order is known; None takes the usual one.

    Returns:
        Its pixels, with the order of its axes, and the dataset.

    Raises:
        KeyError: If there is no such dataset.
        ValueError: If it has other dimensions, or is empty.
        SceneError: If its values are no real numbers.
    """
    dataset = known_name(file, dataset)
    data = file[dataset]
    if len(getattr(data, "shape", ())) != len(order) or 0 in data.shape:
        raise ValueError(f"'{dataset}' is no array of {len(order)} dimensions")
    require_real(data.dtype, path)
    if bands is not None:
        order = cube_order(data.shape, bands, order)
    return HdfPixels(path=path, dataset=dataset, order=order, stamp=stamp(path)), data


def swath_of(
    file: h5py.File,
    path: str,
    names: tuple[str, str],
    shape: tuple[int, int],
    nominal_m: float | None,
) -> SwathCoordinates:
    """Longitudes and latitudes of a swath.

    Args:
        file: The open file.
        path: Path of the file.
        names: Paths of the datasets of longitudes and of latitudes.
        shape: (rows, columns) of the swath.
        nominal_m: See `SwathCoordinates.nominal_m`.

    Raises:
        KeyError: If there is no such dataset.
        ValueError: If one has another shape than the swath.
    """
    parts: list[Pixels] = []
    for name in names:
        pixels, data = cube_of(file, path, name, "yx")
        if data.shape != shape:
            found = " x ".join(map(str, data.shape))
            raise ValueError(f"'{name}' has {found} pixels and the cube {shape[0]} x {shape[1]}")
        parts.append(in_degrees(pixels, data.attrs))
    return SwathCoordinates(coordinates=StackedPixels(tuple(parts), (1, 1)), nominal_m=nominal_m)


def other_size_warning(name: str, shape: tuple[int, ...], scene: tuple[int, int]) -> str:
    """Say that a layer is not used because it has other pixels than its scene.

    Args:
        name: Name of the layer.
        shape: Lengths of its axes.
        scene: (rows, columns) of the scene.
    """
    found = " x ".join(map(str, shape)) or "one"
    return f"its '{name}' has {found} pixels and the scene {scene[0]} x {scene[1]}: not used"


def numbers(value: Any) -> Float64Array:
    """The numbers in an attribute, as one list.

    Args:
        value: Value of the attribute.

    Raises:
        ValueError: If it holds something else.
    """
    if isinstance(value, str | bytes):
        value = text_of(value).strip("[]{}() ").replace(",", " ").split()
    if np.iscomplexobj(value):
        raise ValueError("it holds complex numbers")
    return np.ravel(value).astype(np.float64)


def text_of(value: Any) -> str:
    """The text in bytes, arrays or scalars of HDF5.

    Example:
        >>> text_of(np.array([b"EPSG:32633"]))
        'EPSG:32633'
    """
    entry = np.ravel(value)[0] if np.size(value) else ""
    return entry.decode("utf-8", "replace") if isinstance(entry, bytes) else str(entry)
