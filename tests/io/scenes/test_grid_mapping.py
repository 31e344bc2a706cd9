"""Transform and CRS of arrays are what rioxarray writes and reads, without importing it."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import rioxarray  # noqa: F401  (registers the .rio accessor)
import xarray as xr
from affine import Affine
from pyproj import CRS

from hsi_geo.io.scenes.grid_mapping import read_crs, read_transform, write_grid
from hsi_geo.tiling import Grid

LOCAL = 'LOCAL_CS["field", UNIT["metre", 1.0]]'
MOON = "+proj=eqc +R=1737400 +units=m +no_defs +type=crs"
CASES = {
    "utm": CRS.from_epsg(32633),
    "degrees": CRS.from_epsg(4326),
    "laea": CRS.from_epsg(3035),
    "compound": CRS.from_epsg(7415),
    "local": CRS.from_wkt(LOCAL),
    "moon": CRS.from_user_input(MOON),
    "krovak": CRS.from_epsg(5514),  # has no name in CF
    "none": None,
}
TRANSFORM = Affine(30.0, 0.0, 390000.25, 0.0, -30.0, 5820000.0)


@pytest.mark.parametrize("name", CASES)
# rioxarray 0.23 multiplies affines in the way that affine 3.1 is about to deprecate.
@pytest.mark.filterwarnings("ignore:Use .@. matmul:PendingDeprecationWarning")
def test_grids_are_written_as_rioxarray_writes_them(name: str) -> None:
    crs = CASES[name]
    scene = xr.DataArray(np.zeros((2, 3, 4)), dims=("band", "y", "x"), attrs={"long_name": "x"})
    expected = scene.rio.write_transform(TRANSFORM)
    if crs is not None:
        expected = expected.rio.write_crs(crs.to_wkt())
    written = write_grid(scene, Grid(3, 4, TRANSFORM, crs))
    xr.testing.assert_identical(written, expected)
    assert written.encoding == expected.encoding
    assert not scene.encoding
    assert read_transform(written) == TRANSFORM


@pytest.mark.parametrize("name", CASES)
def test_the_same_crs_is_read_with_and_without_rioxarray(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    crs = CASES[name]
    scene = xr.DataArray(np.zeros((2, 3, 4)), dims=("band", "y", "x"))
    written = write_grid(scene, Grid(3, 4, TRANSFORM, crs))
    expected = read_crs(written)
    monkeypatch.delitem(sys.modules, "rioxarray")
    found = read_crs(written)
    assert (found is None) == (expected is None) == (crs is None)
    if found is not None and expected is not None:
        assert found.to_wkt() == expected.to_wkt()


FIRST_USE = """
import sys, warnings
warnings.simplefilter("error")
import numpy as np
from hsi_geo.io.scenes.scene import scene_from_array
scene = scene_from_array(np.ones((2, 3, 4)), np.array([550.0, 660.0]))
scene.hsi.grid
assert "rioxarray" not in sys.modules
{use}
assert "rioxarray" in sys.modules
print(scene.rio.height, scene.to_dataset(name="a").rio.width)
"""


@pytest.mark.parametrize("use", ["scene.rio", "import rioxarray", "scene.to_dataset(name='a').rio"])
def test_rio_imports_rioxarray_on_first_use(use: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FIRST_USE.format(use=use)],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["3", "4"]
