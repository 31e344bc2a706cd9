"""Products in the formats of EnMAP, PRISMA and EMIT, of any size, filled with a small real scene.

The spectra of DATA/simulated_fields (200 x 180 pixels) are interpolated to the bands of each sensor, and repeated with a
gain of its own for each copy and noise for each pixel. So the classes of all pixels are known.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import h5py
import numpy as np
import numpy.typing as npt
import rasterio
from affine import Affine
from pyproj import CRS

from hsi_geo import open_scene
from hsi_geo.io.scenes.properties import bands_of

FloatArray = npt.NDArray[np.float64]

#: Pixels of one copy of the scene.
TILE = (200, 180)

UTM, CORNER, PIXEL_M = "EPSG:32611", (600000.0, 3700000.0), 30.0

#: The pixel of EMIT's map grid in degrees, and the angle of its swath on that grid.
EMIT_DEGREES, EMIT_ANGLE = 0.000542232520256367, 15.0


@dataclass(frozen=True)
class Source:
    """The small scene: (C, H, W) reflectance, (C,) centres in nm, (H, W) class ids 1..K, and their K names."""

    cube: FloatArray
    centres_nm: FloatArray
    truth: npt.NDArray[np.int64]
    names: tuple[str, ...]

    def rows(
        self, height: int, width: int, centres_nm: FloatArray, seed: int
    ) -> Iterator[tuple[int, npt.NDArray[np.float32]]]:
        """First row and (C, h, W) reflectance of each row of copies, at other band centres."""
        rng = np.random.default_rng(seed)
        spectra = self.cube.reshape(len(self.cube), -1)
        right = np.clip(np.searchsorted(self.centres_nm, centres_nm), 1, len(self.centres_nm) - 1)
        step = self.centres_nm[right] - self.centres_nm[right - 1]
        share = np.clip((centres_nm - self.centres_nm[right - 1]) / step, 0, 1)[:, None]
        bands = spectra[right - 1] * (1 - share) + spectra[right] * share
        tile = bands.reshape(len(centres_nm), *TILE).astype(np.float32)
        copies = -(-width // TILE[1])
        for row in range(0, height, TILE[0]):
            gains = rng.uniform(0.93, 1.07, copies).astype(np.float32)
            strip = np.concatenate([gain * tile for gain in gains], axis=2)[:, :, :width]
            strip = strip[:, : height - row]
            noise = rng.standard_normal(strip.shape, np.float32)
            yield row, np.clip(strip + 0.002 * noise, 0.0002, 1.5)

    def labels(self, height: int, width: int) -> npt.NDArray[np.int64]:
        """(height, width) class ids of the copies."""
        copies = (-(-height // TILE[0]), -(-width // TILE[1]))
        return np.tile(self.truth, copies)[:height, :width]


def read_source(data: Path) -> Source:
    """Read the small scene."""
    folder = data / "simulated_fields"
    scene = open_scene(folder / "simulated_fields.tif").hsi.good
    cube = scene.hsi.read()[0].astype(np.float64)
    with rasterio.open(folder / "simulated_fields_truth.tif") as file:
        truth = file.read(1).astype(np.int64)
    names = sorted(set(gpd.read_file(folder / "simulated_fields_shots.gpkg")["class"]))
    return Source(cube, bands_of(scene).centres_nm, truth, tuple(names))


Product = tuple[Path, str, npt.NDArray[np.int64]]


def write_enmap(source: Source, folder: Path, shape: tuple[int, int] = (1000, 1000)) -> Product:
    """EnMAP L2A: 224 bands, int16, deflated in blocks of 512 x 512; shape is (rows, columns)."""
    height, width = shape
    centres, name = np.linspace(420.0, 2445.0, 224), "ENMAP01-____L2A-DT0000000000"
    product = folder / name
    product.mkdir()
    profile: dict[str, Any] = {
        "driver": "GTiff",
        "dtype": "int16",
        "nodata": -32768,
        "crs": UTM,
        "transform": Affine(PIXEL_M, 0, CORNER[0], 0, -PIXEL_M, CORNER[1]),
        "tiled": True,
        "blockxsize": 512,
        "blockysize": 512,
        "compress": "deflate",
        "predictor": 2,
        "interleave": "band",
    }
    cube = np.empty((len(centres), height, width), np.int16)
    for row, values in source.rows(height, width, centres, seed=1):
        cube[:, row : row + values.shape[1]] = np.rint(1e4 * values)
    size = {"count": len(centres), "height": height, "width": width}
    with rasterio.open(product / f"{name}-SPECTRAL_IMAGE.TIF", "w", **profile, **size) as file:
        file.write(cube)
    bands = "".join(
        f'<bandID number="{i}"><wavelengthCenterOfBand>{nm}</wavelengthCenterOfBand>'
        "<FWHMOfBand>9</FWHMOfBand><GainOfBand>0.0001</GainOfBand>"
        "<OffsetOfBand>0</OffsetOfBand></bandID>"
        for i, nm in enumerate(centres, 1)
    )
    (product / f"{name}-METADATA.XML").write_text(
        f"<level_X><specific><bandCharacterisation>{bands}</bandCharacterisation></specific></level_X>"
    )
    return product, f"EnMAP L2A, {height} x {width}, 224 bands", source.labels(height, width)


def write_prisma(source: Source, folder: Path) -> Product:
    """PRISMA L2D: 1000 x 1000 pixels of 63 and 167 bands, uint16, not compressed."""
    path, shape = folder / "PRS_L2D_STD.he5", (1000, 1000)
    detectors = {"Vnir": np.linspace(1010, 406, 63), "Swir": np.linspace(2497, 943, 167)}
    left, top = CORNER[0] + PIXEL_M / 2, CORNER[1] - PIXEL_M / 2
    right, bottom = left + PIXEL_M * (shape[1] - 1), top - PIXEL_M * (shape[0] - 1)
    with h5py.File(path, "w") as file:
        fields = file.create_group("HDFEOS/SWATHS/PRS_L2D_HCO/Data Fields")
        for name, centres in detectors.items():
            cube = fields.create_dataset(
                f"{name.upper()}_Cube", (shape[0], len(centres), shape[1]), "uint16"
            )
            for row, values in source.rows(*shape, centres, seed=2):
                stored = np.rint(65535 * np.minimum(values, 1.0)).astype(np.uint16)
                cube[row : row + values.shape[1]] = stored.transpose(1, 0, 2)
            file.attrs[f"List_Cw_{name}"] = centres
            file.attrs[f"List_Fwhm_{name}"] = np.full(len(centres), 10.0)
            file.attrs[f"List_Cw_{name}_Flags"] = np.ones(len(centres), np.int64)
            file.attrs[f"L2Scale{name}Min"], file.attrs[f"L2Scale{name}Max"] = 0.0, 1.0
        for corner in ("UL", "UR", "LL", "LR"):
            file.attrs[f"Product_{corner}corner_easting"] = left if corner[1] == "L" else right
            file.attrs[f"Product_{corner}corner_northing"] = top if corner[0] == "U" else bottom
        file.attrs["Epsg_Code"] = int(UTM.removeprefix("EPSG:"))
    return path, "PRISMA L2D, 1000 x 1000, 230 bands", source.labels(*shape)


def write_emit(source: Source, folder: Path, swath: tuple[int, int] = (1280, 1242)) -> Product:
    """EMIT L2A: 285 bands, float32, deflated, with its lookup table; swath is (lines, samples)."""
    path, (lines, samples) = folder / "EMIT_L2A_RFL.nc", swath
    centres = np.linspace(381.0, 2493.0, 285)
    glt_x, glt_y = lookup(lines, samples)
    with h5py.File(path, "w") as file:
        file.attrs["geotransform"] = [-115.0, EMIT_DEGREES, 0.0, 33.0, 0.0, -EMIT_DEGREES]
        file.attrs["spatial_ref"] = CRS.from_epsg(4326).to_wkt()
        cube = file.create_dataset(
            "reflectance",
            (lines, samples, len(centres)),
            "float32",
            chunks=(128, 128, 32),
            compression=2,
            shuffle=True,
        )
        cube.attrs["_FillValue"] = np.float32(-9999)
        for row, values in source.rows(lines, samples, centres, seed=3):
            cube[row : row + values.shape[1]] = values.transpose(1, 2, 0)
        location, bands = file.create_group("location"), file.create_group("sensor_band_parameters")
        location.create_dataset("glt_x", data=glt_x, compression=2)
        location.create_dataset("glt_y", data=glt_y, compression=2)
        bands["wavelengths"] = centres.astype(np.float32)
        bands["wavelengths"].attrs["units"] = "nm"
        bands["fwhm"] = np.full(len(centres), 8.5, np.float32)
        bands["good_wavelengths"] = np.ones(len(centres), np.uint8)
        axes = {"downtrack": lines, "crosstrack": samples, "bands": len(centres)}
        axes |= {"ortho_y": glt_x.shape[0], "ortho_x": glt_x.shape[1]}
        for name, length in axes.items():
            file[name] = np.arange(length)
            file[name].make_scale(name)
        for dataset, names in (
            (cube, ("downtrack", "crosstrack", "bands")),
            (location["glt_x"], ("ortho_y", "ortho_x")),
            (location["glt_y"], ("ortho_y", "ortho_x")),
            (bands["wavelengths"], ("bands",)),
            (bands["fwhm"], ("bands",)),
            (bands["good_wavelengths"], ("bands",)),
        ):
            for axis, name in enumerate(names):
                dataset.dims[axis].attach_scale(file[name])
    truth = np.where(glt_x > 0, source.labels(lines, samples)[glt_y - 1, glt_x - 1], 0)
    height, width = truth.shape
    size = f"EMIT L2A, swath of {lines} x {samples}, map of {height} x {width}, 285 bands"
    return path, size, truth


def lookup(lines: int, samples: int) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Columns and rows (from 1) of a swath that is turned on its map; 0 where it has no pixel."""
    cos, sin = np.cos(np.radians(EMIT_ANGLE)), np.sin(np.radians(EMIT_ANGLE))
    height, width = int(lines * cos + samples * sin), int(samples * cos + lines * sin)
    row, col = np.indices((height, width)) + 0.5
    row, col = row - height / 2, col - width / 2
    line, sample = cos * row + sin * col + lines / 2, cos * col - sin * row + samples / 2
    inside = (line >= 0) & (line < lines) & (sample >= 0) & (sample < samples)
    x, y = (np.where(inside, np.floor(v) + 1, 0).astype(np.int32) for v in (sample, line))
    return x, y
