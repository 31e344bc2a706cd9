"""Small swaths with a longitude and a latitude for each pixel, in the layouts of their products."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import shapely
from builders import cube_of
from pyproj import CRS, Transformer

from hsi_geo.arrays import AnyArray, BoolArray, Float64Array, IntArray
from hsi_geo.tiling import Grid

UTM = CRS.from_epsg(32632)
NM = [460.0, 560.0, 660.0, 860.0]


@dataclass(frozen=True)
class Swath:
    """Where the pixel centres of a swath lie.

    Attributes:
        lon: (H, W) longitudes in degrees.
        lat: (H, W) latitudes in degrees.
    """

    lon: Float64Array
    lat: Float64Array

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns)."""
        return self.lon.shape[0], self.lon.shape[1]

    def project(self, crs: CRS) -> tuple[Float64Array, Float64Array]:
        """(H, W) eastings and northings."""
        x, y = Transformer.from_crs(4326, crs, always_xy=True).transform(self.lon, self.lat)
        return np.asarray(x), np.asarray(y)


def make_swath(
    height: int = 34,
    width: int = 23,
    *,
    degrees: float = 12.0,
    size: tuple[float, float] = (30.0, 30.0),
    origin: tuple[float, float] = (500_000.0, 4_500_000.0),
    crs: CRS = UTM,
    bend: float = 3e-3,
) -> Swath:
    """A swath that is rotated, and bent along its way."""
    rows, cols = np.indices((height, width), np.float64)
    right, down = cols * size[0], rows * size[1]
    right = right + bend * down**2 / size[1]
    turn = np.radians(degrees)
    x = origin[0] + np.cos(turn) * right + np.sin(turn) * down
    y = origin[1] + np.sin(turn) * right - np.cos(turn) * down
    lon, lat = Transformer.from_crs(crs, 4326, always_xy=True).transform(x, y)
    return Swath(np.asarray(lon), np.asarray(lat))


def expected_pixels(grid: Grid, x: Float64Array, y: Float64Array) -> tuple[IntArray, BoolArray]:
    """The nearest swath pixel of each grid pixel, pixel by pixel, and whether the swath covers its centre.

    Args:
        grid: Upright grid.
        x: (H, W) coordinates of the swath's pixel centres in the CRS of the grid.
        y: (H, W) as ``x``.

    Returns:
        nearest: (height, width) flat index of the nearest swath pixel.
        covered: (height, width) True inside the outline of the swath, which runs half a pixel outside of its centres.
    """
    rows, cols = np.indices(grid.shape)
    gx = grid.transform.c + (cols + 0.5) * grid.transform.a
    gy = grid.transform.f + (rows + 0.5) * grid.transform.e
    distances = np.hypot(gx.reshape(-1, 1) - x.reshape(1, -1), gy.reshape(-1, 1) - y.reshape(1, -1))
    corner_x, corner_y = _corners(x), _corners(y)
    ring = [
        *zip(corner_x[0], corner_y[0], strict=True),
        *zip(corner_x[:, -1], corner_y[:, -1], strict=True),
        *zip(corner_x[-1, ::-1], corner_y[-1, ::-1], strict=True),
        *zip(corner_x[::-1, 0], corner_y[::-1, 0], strict=True),
    ]
    outline = shapely.Polygon(ring)
    covered = shapely.contains_xy(outline, gx.ravel(), gy.ravel()).reshape(grid.shape)
    return distances.argmin(axis=1).reshape(grid.shape), np.asarray(covered)


def _corners(values: Float64Array) -> Float64Array:
    """(H + 1, W + 1) corners of pixels: means of centres, continued at the edges."""
    grown = np.pad(values, 1, constant_values=np.nan)
    grown[0, 1:-1], grown[-1, 1:-1] = 2 * values[0] - values[1], 2 * values[-1] - values[-2]
    grown[:, 0] = 2 * grown[:, 1] - grown[:, 2]
    grown[:, -1] = 2 * grown[:, -2] - grown[:, -3]
    return np.asarray((grown[:-1, :-1] + grown[1:, :-1] + grown[:-1, 1:] + grown[1:, 1:]) / 4)


def expected_map(grid: Grid, swath: Swath, cube: AnyArray, missing: Any) -> AnyArray:
    """(C, height, width) what a map of a (C, H, W) cube shows."""
    assert grid.crs is not None
    nearest, covered = expected_pixels(grid, *swath.project(grid.crs))
    flat = cube.reshape(len(cube), -1)[:, nearest]
    return np.where(covered, flat, np.asarray(missing, cube.dtype))


# Tanager --------------------------------------------------------------------------------------

TANAGER_GOOD = [1, 1, 0, 1]


def tanager_cube(height: int = 34, width: int = 23) -> AnyArray:
    """(4, H, W) values, one pixel without data."""
    cube = cube_of(4, height, width, "float32") / 1e4
    cube[:, 1, 2] = -9999.0
    return cube


def write_tanager(
    path: Path, product: str = "sr", *, ortho: bool = False, swath: Swath | None = None
) -> Path:
    """A file with the groups and attributes of a Tanager product.

    Args:
        path: Path of the file.
        product: "sr" or "radiance".
        ortho: Whether it lies on a grid; else it is a swath.
        swath: Places of the pixels; only their number counts for an ortho product.
    """
    swath = swath or make_swath()
    height, width = swath.shape
    name = {"sr": "surface_reflectance", "radiance": "toa_radiance"}[product]
    with h5py.File(path, "w") as file:
        group = file.create_group(f"HDFEOS/{'GRIDS' if ortho else 'SWATHS'}/HYP")
        group.attrs["epsg_code"] = np.int64(32632)
        group.attrs["strip_id"] = "7500001"
        fields = group.create_group("Data Fields")
        data = fields.create_dataset(name, data=tanager_cube(height, width), chunks=(2, 10, 9))
        data.attrs["wavelengths"], data.attrs["fwhm"] = np.array(NM), np.array([5.0, 5.5, 6.0, 6.5])
        data.attrs["_FillValue"] = np.float32(-9999)
        data.attrs["Unit"] = "unitless" if product == "sr" else "W/(m^2 sr um)"
        if product == "sr":
            data.attrs["good_wavelengths"] = np.array(TANAGER_GOOD, "int8")
            fields[f"{name}_uncertainty"] = np.zeros_like(tanager_cube(height, width))
        else:
            data.attrs["applied_radiometric_coefficients"] = np.ones(4)
        cloud = np.zeros((height, width), "uint8")
        cloud[5:8, 3:9] = 1
        cloud[0] = 255
        fields["beta_cloud_mask"] = cloud
        fields["beta_cirrus_mask"] = np.zeros_like(cloud)
        fields["nodata_pixels"] = (tanager_cube(height, width)[0] == -9999).astype("uint8")
        structure = "GROUP=SwathStructure\nEND_GROUP=SwathStructure\n"
        if ortho:
            structure = (
                'GROUP=GridStructure\n\tGROUP=GRID_1\n\t\tGridName="HYP"\n'
                f"\t\tXDim={width}\n\t\tYDim={height}\n"
                "\t\tUpperLeftPointMtrs=(600000.000000,4500000.000000)\n"
                f"\t\tLowerRightMtrs=({600000 + 30 * width}.000000,{4500000 - 30 * height}.000000)\n"
                "\t\tGridOrigin=HE5_HDFE_GD_UL\n\tEND_GROUP=GRID_1\nEND_GROUP=GridStructure\nEND\n"
            )
        else:
            places = group.create_group("Geolocation Fields")
            places["Longitude"], places["Latitude"] = swath.lon, swath.lat
            places["Time"] = np.zeros(swath.shape)
        file["HDFEOS INFORMATION/StructMetadata.0"] = np.bytes_(structure)
    return path


# PRISMA ---------------------------------------------------------------------------------------

PRISMA_NM = [860.0, 660.0, 0.0], [2200.0, 1600.0]


def prisma_cube(height: int = 34, width: int = 23) -> AnyArray:
    """(5, H, W) stored numbers of both detectors, padding among them; one pixel is 0 in all bands."""
    cube = cube_of(5, height, width, "uint16")
    cube[:, 1, 2] = 0
    return cube


#: Indices of the bands of `prisma_cube` that are no padding.
PRISMA_KEPT = [0, 1, 3, 4]


def write_prisma_swath(path: Path, level: str = "L2C", swath: Swath | None = None) -> Path:
    """A file with the groups and attributes of PRISMA L1, L2B or L2C."""
    swath = swath or make_swath()
    cube = prisma_cube(*swath.shape)
    with h5py.File(path, "w") as file:
        file.attrs["Processing_Level"] = np.bytes_(level.removeprefix("L"))
        group = file.create_group(f"HDFEOS/SWATHS/PRS_{level}_HCO")
        for part, centres, bands in (
            ("Vnir", PRISMA_NM[0], cube[:3]),
            ("Swir", PRISMA_NM[1], cube[3:]),
        ):
            file.attrs[f"List_Cw_{part}"] = np.array(centres, "float32")
            file.attrs[f"List_Fwhm_{part}"] = np.full(len(centres), 11.0, "float32")
            file.attrs[f"List_Cw_{part}_Flags"] = (np.array(centres) > 0).astype("int32")
            if level == "L1":
                file.attrs[f"ScaleFactor_{part}"] = np.float32(100.0 if part == "Vnir" else 200.0)
                file.attrs[f"Offset_{part}"] = np.float32(0.5)
            else:
                file.attrs[f"L2Scale{part}Min"] = np.float32(0.0)
                file.attrs[f"L2Scale{part}Max"] = np.float32(0.5)
            group[f"Data Fields/{part.upper()}_Cube"] = bands.transpose(1, 0, 2)
            if level == "L1":
                moved = 0.0 if part == "Vnir" else 1.0
                group[f"Geolocation Fields/Latitude_{part.upper()}"] = swath.lat + moved
                group[f"Geolocation Fields/Longitude_{part.upper()}"] = swath.lon + moved
        if level != "L1":
            group["Geolocation Fields/Latitude"] = swath.lat
            group["Geolocation Fields/Longitude"] = swath.lon
        file[f"HDFEOS/SWATHS/PRS_{level}_PCO/Data Fields/Cube"] = np.ones((30, 42))
    return path


# PACE -----------------------------------------------------------------------------------------

PACE_L1B_NM = {
    "blue": [340.0, 550.0, 605.0],
    "red": [600.0, 865.0],
    "SWIR": [1249.0, 1251.0, 2258.0],
}


def pace_swath(height: int = 34, width: int = 23) -> Swath:
    """Pixels of about 1.2 km, wider at the ends of the lines; some longitudes and latitudes are missing."""
    rows, cols = np.indices((height, width), np.float64)
    centred = cols - width / 2
    lon = -100.0 + 0.0133 * (centred + 0.002 * centred**3) + 0.002 * rows
    lat = 38.0 - 0.0108 * rows + 0.001 * cols
    lon[:, 0] = lat[:, 0] = -32767.0
    return Swath(lon, lat)


def pace_cube(count: int, height: int = 34, width: int = 23) -> AnyArray:
    """(count, H, W) values; one pixel without data."""
    cube = cube_of(count, height, width, "float32") / 1e5
    cube[:, 1, 2] = -32767.0
    return cube


def write_pace_l1b(path: Path, swath: Swath | None = None) -> Path:
    """A file with the groups and names of PACE OCI L1B."""
    swath = swath or pace_swath()
    counts = [len(listed) for listed in PACE_L1B_NM.values()]
    cubes = np.split(pace_cube(sum(counts), *swath.shape), np.cumsum(counts)[:-1])
    with h5py.File(path, "w") as file:
        file.attrs["title"], file.attrs["instrument"] = "PACE OCI Level-1B Data", "OCI"
        for (part, listed), cube in zip(PACE_L1B_NM.items(), cubes, strict=True):
            data = file.create_dataset(f"observation_data/rhot_{part}", data=cube)
            data.attrs["_FillValue"] = np.float32(-32767)
            file[f"observation_data/qual_{part}"] = np.zeros(cube.shape, "uint8")
            file[f"sensor_band_parameters/{part}_wavelength"] = np.array(listed, "float32")
        file["sensor_band_parameters/SWIR_bandpass"] = np.array([30.0, 30.0, 75.0])
        file["geolocation_data/longitude"] = swath.lon.astype("float32")
        file["geolocation_data/latitude"] = swath.lat.astype("float32")
        file["geolocation_data/height"] = np.zeros(swath.shape, "int16")
    return path


def write_pace_l2(path: Path, swath: Swath | None = None) -> Path:
    """A file with the groups, names and dimensions of PACE OCI L2 SFREFL."""
    swath = swath or pace_swath()
    height, width = swath.shape
    cube = np.where(pace_cube(4, height, width) < 0, -32767, cube_of(4, height, width))
    with h5py.File(path, "w") as file:
        file.attrs["title"] = "OCI Level-2 Data SFREFL"
        file.attrs["instrument"], file.attrs["platform"] = "OCI", "PACE"
        axes = {"number_of_lines": height, "pixels_per_line": width, "wavelength_3d": 4}
        for name, size in axes.items():
            file[name] = np.zeros(size, ">f4")
            file[name].make_scale(
                f"This is a netCDF dimension but not a netCDF variable. {size:10d}"
            )
        data = file.create_dataset(
            "geophysical_data/rhos", data=cube.transpose(1, 2, 0).astype("int16")
        )
        data.attrs.update(
            {
                "_FillValue": np.int16(-32767),
                "scale_factor": np.float32(2e-6),
                "add_offset": np.float32(0.05),
            }
        )
        flags = np.zeros((height, width), "int32")
        flags[4:7, 5:9] = 1 << 9
        layer = file.create_dataset("geophysical_data/l2_flags", data=flags)
        layer.attrs["flag_meanings"] = "ATMFAIL LAND CLDICE"
        layer.attrs["flag_masks"] = np.array([1, 2, 1 << 9], "int32")
        listed = file.create_dataset("sensor_band_parameters/wavelength_3d", data=np.array(NM))
        listed.attrs["units"] = "nm"
        file["sensor_band_parameters/wavelength"] = np.arange(300.0, 591.0)
        names = [
            ("geophysical_data/rhos", tuple(axes)),
            ("geophysical_data/l2_flags", tuple(axes)[:2]),
        ]
        for name, values in (("longitude", swath.lon), ("latitude", swath.lat)):
            file[f"navigation_data/{name}"] = values.astype("float32")
            names.append((f"navigation_data/{name}", tuple(axes)[:2]))
        names.append(("sensor_band_parameters/wavelength_3d", ("wavelength_3d",)))
        for dataset, dims in names:
            for axis, dim in enumerate(dims):
                file[dataset].dims[axis].attach_scale(file[dim])
    return path


#: Writers of swaths, by name of the product as `info` gives it.
SWATHS: dict[str, Callable[[Path], Path]] = {
    "Tanager basic surface reflectance": write_tanager,
    "Tanager basic radiance": lambda path: write_tanager(path, "radiance"),
    "PRISMA L1": lambda path: write_prisma_swath(path, "L1"),
    "PRISMA L2B": lambda path: write_prisma_swath(path, "L2B"),
    "PRISMA L2C": write_prisma_swath,
    "PACE OCI L1B": write_pace_l1b,
    "PACE OCI Level-2 Data SFREFL, netCDF": write_pace_l2,
}
