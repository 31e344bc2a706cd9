"""Geolocation arrays: places of the upper left corners of pixels, or of their centres (GDAL's RFC 4)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from builders import cube_of, nm_tags, write_tif

from hsi_geo.arrays import Float64Array
from hsi_geo.errors import SceneError
from hsi_geo.io.scenes.properties import grid_of
from hsi_geo.io.scenes.scene import open_scene

BLANK: dict[str, Any] = {"crs": None, "transform": Affine.identity()}


#: The images have no grid on purpose.
pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")


def places(turn: float = 0.1, left: float = 10.0) -> tuple[Float64Array, Float64Array]:
    """Longitudes and latitudes of 6 x 8 pixels of a thousandth of a degree, the rows turned a little."""
    rows, cols = np.indices((6, 8), np.float64)
    lon = left + 1e-3 * (cols + turn * rows)
    return (lon + 180) % 360 - 180, 50.0 - 1e-3 * (rows - turn * cols)


def write(folder: Path, lon: Float64Array, lat: Float64Array, convention: str | None) -> Path:
    for name, values in (("lon", lon), ("lat", lat)):
        write_tif(folder / f"{name}.tif", values[None], **BLANK)
    tags = nm_tags([460.0, 560.0, 660.0])
    path = write_tif(folder / "a.tif", cube_of(3, 6, 8), band_tags=tags, **BLANK)
    with rasterio.open(path, "r+") as file:
        file.update_tags(
            ns="GEOLOCATION",
            **{f"{axis}_BAND": "1" for axis in "XY"},
            X_DATASET=str(folder / "lon.tif"),
            Y_DATASET=str(folder / "lat.tif"),
            **({} if convention is None else {"GEOREFERENCING_CONVENTION": convention}),
        )
    return path


@pytest.mark.parametrize("convention", [None, "TOP_LEFT_CORNER", "PIXEL_CENTER"])
@pytest.mark.parametrize("left", [10.0, 179.9965])
def test_places_are_those_of_corners_unless_the_file_says_centres(
    tmp_path: Path, convention: str | None, left: float
) -> None:
    lon, lat = places(left=left)
    half = 0.0 if convention == "PIXEL_CENTER" else 0.5e-3
    scene = open_scene(write(tmp_path, lon, lat, convention), grid="native", pixel_size=1e-4)
    grid, found = grid_of(scene), scene.values[0]
    for row, col in np.ndindex(6, 8):
        inside = np.argwhere(found == cube_of(3, 6, 8)[0, row, col]) + 0.5
        y, x = inside.mean(axis=0)
        centre = np.array(grid.transform @ (x, y))
        east = lon[row, col] + half * 1.1  # half a step right and half a step down
        north = lat[row, col] - half * 0.9
        apart = (centre[0] - east + 180) % 360 - 180, centre[1] - north
        np.testing.assert_allclose(apart, (0, 0), atol=1e-4)


def test_a_missing_place_takes_no_neighbour_with_it(tmp_path: Path) -> None:
    lon, lat = places()
    lon[2, 3] = lat[2, 3] = -9999.0
    scene = open_scene(write(tmp_path, lon, lat, None), grid="native", pixel_size=5e-4)
    lacking = np.setdiff1d(cube_of(3, 6, 8)[0], scene.values[0])
    assert lacking.tolist() == [cube_of(3, 6, 8)[0, 2, 3]]


def test_pixels_without_a_known_neighbour_in_their_row_keep_their_place(tmp_path: Path) -> None:
    lon, lat = places()
    lon[2, 1::2] = lat[2, 1::2] = -9999.0
    scene = open_scene(write(tmp_path, lon, lat, None), grid="native", pixel_size=5e-4)
    lacking = np.setdiff1d(cube_of(3, 6, 8)[0], scene.values[0])
    assert lacking.tolist() == cube_of(3, 6, 8)[0, 2, 1::2].tolist()


@pytest.mark.parametrize("convention", [None, "PIXEL_CENTER"])
@pytest.mark.parametrize("shape", [(1, 8), (6, 1), (1, 1)], ids=str)
def test_an_image_of_one_line_is_refused(
    tmp_path: Path, shape: tuple[int, int], convention: str | None
) -> None:
    lon, lat = (values[: shape[0], : shape[1]] for values in places())
    path = write(tmp_path, lon, lat, convention)
    tags = nm_tags([460.0, 560.0, 660.0])
    with rasterio.open(path) as file:
        geolocation = file.tags(ns="GEOLOCATION")
    write_tif(path, cube_of(3, *shape), band_tags=tags, **BLANK)
    with rasterio.open(path, "r+") as file:
        file.update_tags(ns="GEOLOCATION", **geolocation)
    with pytest.raises(SceneError, match="too few to be put onto a grid"):
        open_scene(path)
