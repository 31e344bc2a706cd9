"""Packages that only some jobs need, by the extra of pyproject.toml that installs them."""

from __future__ import annotations

import importlib.util

from hsi_geo.errors import MissingPackageError

#: What pip installs hsi-geo from: no package index has it. An extra of an installed hsi-geo needs no source.
SOURCE = "git+https://github.com/hsi-geo/hsi-geo"

#: Packages that the code imports, by extra. What they depend on is installed with them.
EXTRAS = {
    "batch": ("distributed", "cryptography", "pystac"),
    "datasets": ("torchgeo",),
    "onnx": ("onnx", "onnxscript"),
    "parquet": ("pyarrow",),
    "pretrain": ("lightning", "torchgeo"),
    "remote": ("fsspec", "aiohttp"),
    "zarr": ("zarr",),
}


def install_command(extra: str) -> str:
    """The command that installs an extra into the environment of hsi-geo.

    Args:
        extra: Name of the extra, a key of `EXTRAS`.

    Example:
        >>> install_command("batch")
        "pip install 'hsi-geo[batch]'"
    """
    return f"pip install 'hsi-geo[{extra}]'"


def missing_extra(extra: str, job: str, package: str) -> MissingPackageError:
    """The error for a job whose extra is not installed.

    Args:
        extra: Name of the extra, a key of `EXTRAS`.
        job: What needs it, as the subject of a sentence, in the plural.
        package: Name of the package that is missing, or of a module in it.

    Example:
        >>> print(missing_extra("batch", "batches", "dask"))
        batches need the package dask, which is not installed; run: pip install 'hsi-geo[batch]'
    """
    return MissingPackageError(
        f"{job} need the package {package.split('.')[0]}, which is not installed",
        hint=f"run: {install_command(extra)}",
    )


def require_extra(extra: str, job: str) -> None:
    """Check that the packages of an extra are installed, without importing them.

    Args:
        extra: Name of the extra, a key of `EXTRAS`.
        job: What needs it, as the subject of a sentence, in the plural.

    Raises:
        MissingPackageError: If one of them is not installed.
    """
    for package in EXTRAS[extra]:
        require_package(extra, job, package)


def require_package(extra: str, job: str, package: str) -> None:
    """Check that one package of an extra is installed, without importing it.

    Args:
        extra: Name of the extra, a key of `EXTRAS`.
        job: What needs it, as the subject of a sentence, in the plural.
        package: Name of the package.

    Raises:
        MissingPackageError: If it is not installed.
    """
    if importlib.util.find_spec(package) is None:
        raise missing_extra(extra, job, package)
