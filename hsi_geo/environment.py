"""Checks of the installation: packages, GDAL drivers, device, memory and shipped weights."""

from __future__ import annotations

import importlib
import os
import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from hsi_geo.extras import EXTRAS, SOURCE, install_command
from hsi_geo.io.files.gdal_options import REMOTE_DRIVERS
from hsi_geo.threads import yield_when_waiting

__all__ = ["Check", "checks", "drop_foreign_variables", "yield_when_waiting"]

#: Prefixes of variables that QGIS and other GIS programs, or their users, set. They change what GDAL, PROJ
#: and HDF5 read, where they look for tables, and which libraries they load. A map must not depend on them:
#: rasterio, pyogrio, pyproj and h5py bring their own tables.
FOREIGN_VARIABLES = (
    *(
        "GDAL_",
        "OGR_",
        "OSR_",
        "CPL_",
        "VRT_",
        "VSI",
        "GTIFF_",
        "GML_",
        "KML_",
        "LIBKML_",
        "SHAPE_",
    ),
    *("PROJ_", "HDF5_", "JPEGMEM", "PYTHONSO", "SPATIALITE_SECURITY", "USE_RRD", "ECW_", "NITF_"),
)

#: Prefixes of those that are kept: network settings for URLs that the user gives, memory, threads, logs.
KEPT_VARIABLES = (
    *("GDAL_HTTP_", "GDAL_HTTPS_PROXY", "GDAL_PROXY_AUTH", "GDAL_CURL_CA_BUNDLE", "GDAL_CACHEMAX"),
    *("GDAL_NUM_THREADS", "CPL_VSIL_CURL_", "CPL_CURL_", "CPL_AWS_", "CPL_AZURE_", "CPL_GS_"),
    *("CPL_GCE_", "CPL_DEBUG", "CPL_LOG", "CPL_TMPDIR", "VSI_CACHE", "HDF5_USE_FILE_LOCKING"),
)

PACKAGES = (
    "torch",
    "rasterio",
    "rioxarray",
    "xarray",
    "h5py",
    "h5netcdf",
    "geopandas",
    "scikit-learn",
)

#: Drivers that scenes, shots and maps need, and their use.
DRIVERS = {
    "GTiff": "GeoTIFF scenes and maps",
    "COG": "maps in cloud-optimised layout",
    "ENVI": "ENVI cubes",
    "VRT": "mosaics",
    "GPKG": "GeoPackage shots",
    "ESRI Shapefile": "Shapefile shots",
    "GeoJSON": "GeoJSON shots",
}


@dataclass(frozen=True, slots=True)
class Check:
    """The result of one check.

    Attributes:
        name: Name of the package, driver or other part.
        ok: Whether the part can be used.
        found: What was found, such as a version.
        fix: The command that repairs it; empty if nothing is wrong.
    """

    name: str
    ok: bool
    found: str
    fix: str = ""


def drop_foreign_variables() -> None:
    """Remove other programs' GDAL, PROJ and HDF5 settings; call before rasterio is imported.

    Only commands do so. In Python, the readers set safe options while files are open (see
    `hsi_geo.io.files.gdal_options`), and the caller's environment is not changed.

    It also switches off GDAL's drivers for remote data. GDAL prints a warning for each of them that a
    build lacks, as older ones do. Such messages, which bypass Python, go to the null device, unless
    ``CPL_LOG`` or ``CPL_DEBUG`` is set.
    """
    for name in list(os.environ):
        if name.startswith(FOREIGN_VARIABLES) and not name.startswith(KEPT_VARIABLES):
            del os.environ[name]
    os.environ["GDAL_SKIP"] = ",".join(REMOTE_DRIVERS)
    if "CPL_DEBUG" not in os.environ:
        os.environ.setdefault("CPL_LOG", os.devnull)


def checks() -> list[Check]:
    """Check the packages, and if these are complete, device, memory, GDAL drivers and weights.

    Returns:
        One result for each part, in the order of the report.
    """
    found = [
        Check("python", True, f"{platform.python_version()} on {platform.system()}"),
        _package("hsi-geo"),
        *(_package(name) for name in PACKAGES),
    ]
    if all(check.ok for check in found):
        found += [*_extras(), _device(), *_memory(), *_drivers(), _weights()]
    return found


def _package(name: str) -> Check:
    fix = f"pip install {name if name != 'hsi-geo' else SOURCE}"
    try:
        found = version(name)
    except PackageNotFoundError:
        return Check(name, False, "not installed", fix)
    module = {"scikit-learn": "sklearn", "hsi-geo": "hsi_geo"}.get(name, name)
    try:
        importlib.import_module(module)
    except ImportError as error:
        return Check(
            name, False, f"{found}, cannot be imported ({error})", f"{fix} --force-reinstall"
        )
    return Check(name, True, found)


def _extras() -> list[Check]:
    """Which extras are installed; a missing one is no fault, and its packages are not imported."""
    found = []
    for extra, packages in EXTRAS.items():
        missing = [name for name in packages if find_spec(name) is None]
        said = f"not installed; {install_command(extra)}" if missing else "installed"
        found.append(Check(f"extra {extra}", True, said))
    return found


def _device() -> Check:
    import torch

    threads = torch.get_num_threads()
    if torch.cuda.is_available():
        return Check("device", True, f"{torch.cuda.get_device_name()} and {threads} CPU threads")
    reason = "torch is built without CUDA" if torch.version.cuda is None else "no CUDA device"
    return Check("device", True, f"CPU, {threads} threads ({reason})")


def _memory() -> list[Check]:
    """The memory of the machine; empty where the system does not report it (Windows)."""
    names = getattr(os, "sysconf_names", {})
    if "SC_PHYS_PAGES" not in names or "SC_AVPHYS_PAGES" not in names:
        return []
    page = os.sysconf("SC_PAGE_SIZE")
    total, free = (os.sysconf(name) * page / 2**30 for name in ("SC_PHYS_PAGES", "SC_AVPHYS_PAGES"))
    return [Check("memory", True, f"{total:.1f} GiB, {free:.1f} GiB free")]


def _drivers() -> list[Check]:
    import pyogrio
    import rasterio

    with rasterio.Env() as env:
        known = {*env.drivers(), *pyogrio.list_drivers()}
    fix = "pip install --force-reinstall rasterio pyogrio"
    found = [Check("GDAL", True, rasterio.__gdal_version__)]
    for name, use in DRIVERS.items():
        ok = name in known
        found.append(Check(f"driver {name}", ok, use if ok else "missing", "" if ok else fix))
    return found


def _weights() -> Check:
    from hsi_geo.errors import ModelFileError
    from hsi_geo.tasks.artifacts.shipped import SHIPPED
    from hsi_geo.tasks.artifacts.weights import load_weights

    try:
        steps = load_weights(SHIPPED).record["recipe"]["steps"]
    except ModelFileError as error:
        return Check(
            "weights", False, error.message, f"pip install --force-reinstall --no-deps {SOURCE}"
        )
    return Check("weights", True, f"shipped, pre-trained for {steps} steps")
