"""Images with rational polynomials on upright grids, with and without heights of the terrain."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from builders import check_travels, cube_of, nm_tags, write_tif
from rasterio.rpc import RPC

from hsi_geo.arrays import AnyArray
from hsi_geo.errors import OptionError
from hsi_geo.io.scenes.properties import grid_of, remarks_of
from hsi_geo.io.scenes.scene import open_scene

NM = [550.0, 660.0, 860.0]


def polynomials(height: float) -> RPC:
    """Almost north up around 45 N 9.5 E, with a little rotation and parallax."""
    one = [1.0, *[0.0] * 19]
    return RPC(
        height_off=height, height_scale=500.0, lat_off=45.0, lat_scale=0.02, long_off=9.5,
        long_scale=0.03, line_off=19.5, line_scale=20.0, samp_off=29.5, samp_scale=30.0,
        line_num_coeff=[0.0, 0.2, -1.0, 0.05, *[0.0] * 16], line_den_coeff=one,
        samp_num_coeff=[0.0, 1.0, 0.1, 0.03, *[0.0] * 16], samp_den_coeff=one,
        err_bias=None, err_rand=None,
    )  # fmt: skip


@pytest.mark.slow
def test_polynomials_place_pixels_at_their_own_height(tmp_path: Path) -> None:
    cube = cube_of(3, 40, 60)
    with rasterio.open(
        tmp_path / "raw.tif", "w", driver="GTiff", height=40, width=60, count=3, dtype="int16",
        rpcs=polynomials(300.0),
    ) as file:  # fmt: skip
        file.write(cube)
    scene = open_scene(tmp_path / "raw.tif", wavelengths="500:900", grid="native")
    grid = grid_of(scene)
    found = 0
    for row, col in np.ndindex(*grid.shape):
        lon, lat = grid.transform @ (col + 0.5, row + 0.5)
        x, y = (lon - 9.5) / 0.03, (lat - 45.0) / 0.02
        sample = (x + 0.1 * y) * 30.0 + 29.5 + 0.5
        line = (0.2 * x - y) * 20.0 + 19.5 + 0.5
        shown = scene.values[:, row, col]
        if 0 <= line < 40 and 0 <= sample < 60:
            found += 1
            np.testing.assert_array_equal(shown, cube[:, int(line), int(sample)])
        else:
            assert (shown == 0).all()
    assert found == pytest.approx(2400, rel=0.1)
    assert "at one height, 300 m: relief moves them" in remarks_of(scene).warnings[0]
    check_travels(scene, forks=False)


def write_raw(path: Path, cube: AnyArray) -> Path:
    with rasterio.open(
        path, "w", driver="GTiff", height=40, width=60, count=len(cube), dtype="int16",
        rpcs=polynomials(300.0),
    ) as file:  # fmt: skip
        file.write(cube)
    return path


def write_terrain(path: Path, crs: str | None = "EPSG:4326") -> Path:
    """Heights that rise to the east and to the north."""
    transform = Affine(0.001, 0, 9.4, 0, -0.001, 45.1)
    rows, cols = np.indices((200, 200))
    lon, lat = transform.c + (cols + 0.5) * 0.001, transform.f - (rows + 0.5) * 0.001
    heights = terrain(lon, lat).astype("float32")
    profile: dict[str, Any] = {"crs": crs, "transform": transform}
    return write_tif(path, heights[None], **profile)


def terrain(lon: AnyArray, lat: AnyArray) -> AnyArray:
    return 1500.0 + (lon - 9.5) * 30_000.0 + (lat - 45.0) * 20_000.0


@pytest.mark.slow
def test_polynomials_with_terrain_place_pixels_at_its_height(tmp_path: Path) -> None:
    cube = cube_of(3, 40, 60)
    path, dem = write_raw(tmp_path / "raw.tif", cube), write_terrain(tmp_path / "dem.tif")
    scene = open_scene(path, wavelengths="500:900", grid="native", dem=str(dem))
    grid = grid_of(scene)
    same = inside = 0
    for row, col in np.ndindex(*grid.shape):
        lon, lat = grid.transform @ (col + 0.5, row + 0.5)
        x, y, z = (lon - 9.5) / 0.03, (lat - 45.0) / 0.02, (terrain(lon, lat) - 300.0) / 500.0
        sample = (x + 0.1 * y + 0.03 * z) * 30.0 + 30.0
        line = (0.2 * x - y + 0.05 * z) * 20.0 + 20.0
        if 0 <= line < 40 and 0 <= sample < 60:
            inside += 1
            same += bool((scene.values[:, row, col] == cube[:, int(line), int(sample)]).all())
    assert inside == pytest.approx(2400, rel=0.1)
    assert same > 0.99 * inside
    assert "and a terrain model" in remarks_of(scene).notes[0]
    assert not remarks_of(scene).warnings
    assert scene.attrs["placed"]["dem"] == str(dem)
    flat = open_scene(path, wavelengths="500:900", grid="native")
    assert not np.array_equal(flat.values, scene.values)
    check_travels(scene, forks=False)


def test_terrain_that_cannot_be_used_is_refused(tmp_path: Path) -> None:
    path = write_raw(tmp_path / "raw.tif", cube_of(3, 40, 60))
    dem = write_terrain(tmp_path / "dem.tif")
    upright = write_tif(tmp_path / "a.tif", cube_of(3), band_tags=nm_tags(NM))
    bare = write_terrain(tmp_path / "bare.tif", crs=None)
    (tmp_path / "text.tif").write_text("no raster")
    remote = tmp_path / "remote.vrt"
    remote.write_text(
        '<VRTDataset rasterXSize="1" rasterYSize="1"><VRTRasterBand dataType="Byte" band="1"><SimpleSource>'
        "<SourceFilename>/vsicurl/http://127.0.0.1:9/a.tif</SourceFilename></SimpleSource>"
        "</VRTRasterBand></VRTDataset>"
    )
    for scene, terrain_, problem in (
        (upright, dem, "has no RPCs"),
        (path, tmp_path / "none.tif", "is no raster that GDAL can open"),
        (path, tmp_path / "text.tif", "is no raster that GDAL can open"),
        (path, bare, "has no coordinate reference system"),
        (path, remote, "which is not on this machine"),
    ):
        with pytest.raises(OptionError, match=problem):
            open_scene(scene, wavelengths="500:900", dem=str(terrain_))
