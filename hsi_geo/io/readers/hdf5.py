"""HDF5 files with layouts of their own, by product."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hsi_geo.errors import HsiGeoError, SceneError
from hsi_geo.io.files.hdf5_files import DAMAGED, WRITTEN_HINT, is_being_written, require_own_values
from hsi_geo.io.readers.base import SceneFile, plain
from hsi_geo.io.readers.hdf5_access import layout_errors, names_in, open_hdf5
from hsi_geo.io.readers.neon import read_neon
from hsi_geo.io.readers.other_files import refuse_other_file
from hsi_geo.io.readers.pace import is_pace_l1b, read_pace_l1b
from hsi_geo.io.readers.prisma import prisma_level, read_prisma
from hsi_geo.io.readers.tanager import find_tanager, read_tanager

if TYPE_CHECKING:
    import h5py


def read_hdf5(path: str) -> SceneFile | None:
    """Describe a PRISMA, Tanager, PACE L1B or NEON file.

    Args:
        path: Path of the HDF5 file.

    Returns:
        The scene; its pixels are not read. None if the file is none of these.

    Raises:
        SceneError: If the product has another layout, or takes values from other files.
        MissingPackageError: If h5py is not installed.
    """
    try:
        with open_hdf5(path) as file:
            require_own_values(file, f"scene '{path}'", SceneError)
            return _read_product(file, path)
    except HsiGeoError:
        raise
    except DAMAGED as error:
        if is_being_written(error):
            raise SceneError(
                f"scene '{path}' is open for writing in another program", hint=WRITTEN_HINT
            ) from error
        refuse_other_file(path, path)
        raise SceneError(
            f"scene '{path}' is a damaged HDF5 file ({plain(error)})",
            hint="copy or download the file again",
        ) from error


def _read_product(file: h5py.File, path: str) -> SceneFile | None:
    swaths = names_in(file, "HDFEOS/SWATHS")
    if (prisma := prisma_level(swaths)) is not None:
        with layout_errors(path, f"PRISMA {prisma[0]}"):
            return read_prisma(file, path, *prisma)
    if any(name.startswith("PRS_") for name in swaths):
        raise SceneError(
            f"scene '{path}' is a PRISMA product without a hyperspectral cube ({swaths[0]})",
            hint="give the L1, L2B, L2C or L2D product",
        )
    if (tanager := find_tanager(file)) is not None:
        with layout_errors(path, "Tanager"):
            return read_tanager(file, path, *tanager)
    if is_pace_l1b(file):
        with layout_errors(path, "PACE OCI L1B"):
            return read_pace_l1b(file, path)
    for site in file:
        if "Reflectance_Data" in names_in(file, f"{site}/Reflectance"):
            with layout_errors(path, "NEON reflectance"):
                return read_neon(file, path, f"{site}/Reflectance")
        if any("Radiance" in name for name in names_in(file, f"{site}/Radiance")):
            raise SceneError(
                f"scene '{path}' is NEON's radiance, whose values are in two parts",
                hint="give the reflectance of this flight",
            )
    return None
