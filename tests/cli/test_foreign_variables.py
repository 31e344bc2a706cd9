"""Variables that other programs set are dropped, since GDAL would obey them; missing drivers print nothing."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("PROJ_LIB", False),
        ("GDAL_DATA", False),
        ("GDAL_VRT_ENABLE_PYTHON", False),
        ("GDAL_VRT_PYTHON_TRUSTED_MODULES", False),
        ("GDAL_PYTHON_DRIVER_PATH", False),
        ("GDAL_CONFIG_FILE", False),
        ("GDAL_DISABLE_READDIR_ON_OPEN", False),  # hides masks and headers
        ("VRT_VIRTUAL_OVERVIEWS", False),
        ("GTIFF_IGNORE_READ_ERRORS", False),
        ("GTIFF_POINT_GEO_IGNORE", False),  # shifts by half a pixel
        ("OGR_SQLITE_LOAD_EXTENSIONS", False),
        ("HDF5_PLUGIN_PATH", False),
        ("CPL_ALLOW_VSISTDIN", False),
        ("GDAL_HTTP_PROXY", True),
        ("GDAL_HTTP_TIMEOUT", True),
        ("CPL_VSIL_CURL_CACHE_SIZE", True),
        ("AWS_PROFILE", True),
        ("PATH", True),
    ],
)
def test_drop_foreign_variables_keeps_those_of_the_network(
    name: str, kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hsi_geo.environment import drop_foreign_variables

    monkeypatch.setattr(os, "environ", {**os.environ, name: "/nowhere"})
    drop_foreign_variables()
    assert (name in os.environ) is kept
    assert "WMS" in os.environ["GDAL_SKIP"]


@pytest.mark.parametrize("library", ["rasterio", "pyogrio"])
def test_missing_drivers_print_nothing(library: str) -> None:
    """Builds of GDAL differ in their drivers, and GDAL warns of names to skip that it does not know."""
    code = (
        "from hsi_geo import environment\n"
        "environment.REMOTE_DRIVERS = ('NoSuchDriver',)\n"
        "environment.drop_foreign_variables()\n"
        "import pyogrio, rasterio\n"
        + {
            "rasterio": "with rasterio.Env() as env: env.drivers()",
            "pyogrio": "pyogrio.list_drivers()",
        }[library]
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == ""
