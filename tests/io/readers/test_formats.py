"""The way a scene is kept changes nothing about its map."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import ZipFile

import numpy as np
import pytest
import rasterio
import rasterio.shutil

from hsi_geo.arrays import AnyArray
from hsi_geo.io.scenes.scene import open_scene
from hsi_geo.tasks.adapt import adapt
from hsi_geo.tasks.predict import predict

if TYPE_CHECKING:
    from planted import Planted


def as_envi(path: Path) -> Path:
    rasterio.shutil.copy(path, path.with_suffix(".bil"), driver="ENVI", INTERLEAVE="BIL")
    return path.with_suffix(".bil")


def as_zip(path: Path) -> Path:
    with ZipFile(path.with_suffix(".zip"), "w") as archive:
        archive.write(path, path.name)
    return path.with_suffix(".zip")


def as_netcdf(path: Path) -> Path:
    scene = open_scene(path)
    saved = scene.drop_vars("band").drop_attrs(deep=False)
    saved.attrs["_FillValue"] = np.int16(scene.attrs["_FillValue"])
    saved.rename(band="bands").to_netcdf(path.with_suffix(".nc"), engine="h5netcdf")
    return path.with_suffix(".nc")


def as_zarr(path: Path) -> Path:
    pytest.importorskip("zarr", reason="needs the extra zarr")
    from_netcdf = open_scene(as_netcdf(path))
    saved = from_netcdf.drop_attrs(deep=False).transpose("y", "x", "band")
    saved.attrs["_FillValue"] = int(from_netcdf.attrs["_FillValue"])
    saved.to_dataset(name="cube").to_zarr(path.with_suffix(".zarr"), consolidated=False)
    return path.with_suffix(".zarr")


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("convert", [as_envi, as_zip, as_netcdf, as_zarr])
@pytest.mark.slow
def test_each_format_gives_the_same_map(
    planted: Planted, tmp_path: Path, convert: Callable[[Path], Path]
) -> None:
    model = adapt(planted.path, planted.shots(tmp_path / "shots.gpkg"))

    def mapped(scene: Path) -> AnyArray:
        result = predict(scene, model, out=tmp_path / f"{scene.suffix[1:]}.tif")
        with rasterio.open(result.paths.classes) as file:
            assert file.transform.almost_equals(planted.transform)
            assert file.crs.to_epsg() == 32633
            return np.asarray(file.read(1))

    np.testing.assert_array_equal(mapped(convert(planted.path)), mapped(planted.path))
