"""Complex numbers, and values that are no numbers: one sentence in every format, for every use."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import rasterio
import xarray as xr
from builders import CENTRES, NORTH_UP, cube_of, nm_tags

from hsi_geo.errors import HsiGeoError
from hsi_geo.io.labels.shot_reading import read_shots
from hsi_geo.io.maps.reader import read_map
from hsi_geo.io.scenes.scene import open_scene, scene_from_array

CUBE = cube_of(3) + 1j * cube_of(3)


def geotiff(folder: Path, dtype: str = "complex64") -> Path:
    path = folder / "a.tif"
    size = {"height": 5, "width": 7, "count": 3, "transform": NORTH_UP}
    with rasterio.open(path, "w", driver="GTiff", dtype=dtype, **size) as file:
        file.write(CUBE.astype("complex64"))
        for band, tags in enumerate(nm_tags(CENTRES[:3]), start=1):
            file.update_tags(band, **tags)
    return path


def envi(folder: Path, number: int) -> Path:
    path = folder / "a.bsq"
    path.write_bytes(CUBE.astype({6: "<c8", 9: "<c16"}[number]).tobytes())
    path.with_suffix(".hdr").write_text(
        f"ENVI\nsamples = 7\nlines = 5\nbands = 3\ndata type = {number}\ninterleave = bsq\n"
        "byte order = 0\nwavelength units = Nanometers\nwavelength = {462, 551.5, 640.25}\n"
    )
    return path


def virtual(folder: Path) -> Path:
    """One band of three is complex."""
    geotiff(folder)
    bands = "".join(
        f'<VRTRasterBand dataType="{kind}" band="{band}"><SimpleSource><SourceFilename '
        f'relativeToVRT="1">a.tif</SourceFilename><SourceBand>{band}</SourceBand></SimpleSource>'
        "</VRTRasterBand>"
        for band, kind in ((1, "Int16"), (2, "CFloat32"), (3, "Int16"))
    )
    path = folder / "a.vrt"
    path.write_text(f'<VRTDataset rasterXSize="7" rasterYSize="5">{bands}</VRTDataset>')
    return path


def hdf5(folder: Path, dtype: Any) -> Path:
    path = folder / "a.h5"
    values = np.zeros((5, 7, 3), dtype)
    with h5py.File(path, "w") as file:
        file["reflectance"] = values
        file["wavelength"] = CENTRES[:3]
    return path


def zarr(folder: Path) -> Path:
    path = folder / "a.zarr"
    cube = xr.DataArray(CUBE, dims=("band", "y", "x"), name="reflectance")
    cube.to_dataset().to_zarr(path, consolidated=False)
    return path


FILES: dict[str, Callable[[Path], Path]] = {
    "GeoTIFF": geotiff,
    "GeoTIFF of pairs of integers": lambda folder: geotiff(folder, "complex_int16"),
    "ENVI 6": lambda folder: envi(folder, 6),
    "ENVI 9": lambda folder: envi(folder, 9),
    "VRT": virtual,
    "HDF5": lambda folder: hdf5(folder, "complex64"),
    "HDF5, other names": lambda folder: hdf5(folder, [("real", "f4"), ("imaginary", "f4")]),
    "Zarr": zarr,
}


@pytest.mark.parametrize("kind", FILES)
def test_a_complex_scene_is_refused(kind: str, tmp_path: Path) -> None:
    with pytest.raises(HsiGeoError, match=r"holds complex numbers .*, and only real ones .*; "):
        open_scene(FILES[kind](tmp_path))


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_a_complex_array_is_refused(dtype: str) -> None:
    with pytest.raises(HsiGeoError, match="array 'array' holds complex numbers"):
        scene_from_array(CUBE.astype(dtype), np.array(CENTRES[:3]))
    scene = scene_from_array(cube_of(3), np.array(CENTRES[:3]))
    with pytest.raises(HsiGeoError, match="holds complex numbers"):
        open_scene(scene.astype(dtype))


@pytest.mark.parametrize("dtype", ["U3", "O", "M8[s]"])
def test_values_that_are_no_numbers_are_refused(dtype: str) -> None:
    with pytest.raises(HsiGeoError, match="which are no numbers"):
        scene_from_array(np.zeros((3, 5, 7), dtype), np.array(CENTRES[:3]))


@pytest.mark.parametrize("dtype", ["complex64", "complex_int16"])
@pytest.mark.parametrize("open_", [read_map, read_shots])
def test_complex_classes_are_refused(
    open_: Callable[[Path], object], dtype: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.tif"
    with rasterio.open(
        path, "w", driver="GTiff", dtype=dtype, height=5, width=7, count=1, transform=NORTH_UP
    ) as file:
        file.write(np.ones((1, 5, 7), "complex64"))
    with pytest.raises(HsiGeoError, match=r"holds? complex numbers"):
        open_(path)
