"""Make the weights of the package again.

    python docs/measurements/pretrain_shipped_weights.py DATA weights.safetensors

DATA is a folder with the unlabelled scenes of docs/model-card.md, as their publishers give them.
None of the scenes that accuracy is reported on is among them.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import rasterio
import scipy.io
import xarray as xr
from scipy.ndimage import gaussian_filter

from hsi_geo import open_scene, pretrain
from hsi_geo.arrays import Float64Array
from hsi_geo.io.scenes.scene import scene_from_array
from hsi_geo.wavelengths import interpolation_matrix

#: Number of updates; more made the features worse on other scenes, see docs/pretraining.md.
STEPS = 400


#: Centres and widths in nm of the sensors that scenes are simulated for.
SENSORS = {
    "enmap": np.r_[np.arange(420, 1000, 6.5), np.arange(1000, 2450, 10.0)],
    "prisma": np.r_[np.arange(400, 1010, 9.5), np.arange(1020, 2500, 9.0)],
    "desis": np.arange(402, 1000, 5.1),
    "rosis": np.linspace(430, 860, 103),
    "aviris": np.linspace(380, 2500, 224),
    "neon": np.arange(382, 2510, 5.0),
}


def sources(data: Path) -> list[xr.DataArray]:
    """All scenes for pre-training."""
    return [*_anomaly_scenes(data), *_others(data), *_simulated(data)]


def _centres(data: Path, name: str) -> Float64Array:
    table = data / "wavelengths" / f"{name}.csv"
    return np.asarray(np.loadtxt(table, delimiter=",", skiprows=1, usecols=1), np.float64)


def _anomaly_scenes(data: Path) -> Iterator[xr.DataArray]:
    """The ABU scenes: AVIRIS but for ROSIS (beach-4) and HYDICE.

    Their wavelengths were not stored; AVIRIS's grid without its noisiest bands is near enough for
    pre-training.
    """
    aviris = _centres(data, "salton_sea")
    for path in sorted((data / "abu").glob("*.mat")):
        cube = scipy.io.loadmat(path)["data"].transpose(2, 0, 1)
        if path.stem == "abu-beach-4":
            centres = np.linspace(430.0, 860.0, len(cube))
        elif path.stem == "hydice":
            centres = _without_noisy(np.linspace(400.0, 2500.0, 210), len(cube))
        else:
            centres = _without_noisy(aviris, len(cube))
        yield scene_from_array(np.ascontiguousarray(cube), centres, name=path.stem)


def _without_noisy(centres_nm: Float64Array, count: int) -> Float64Array:
    """The ``count`` bands farthest from water vapour and the ends of the detector."""
    apart = [np.abs(centres_nm - noisy) for noisy in (1400.0, 1880.0)]
    apart += [1.5 * (centres_nm - 360.0), 1.5 * (2520.0 - centres_nm)]
    keep = np.argsort(np.min(apart, axis=0))[len(centres_nm) - count :]
    return centres_nm[np.sort(keep)]


def _others(data: Path) -> Iterator[xr.DataArray]:
    salton = scipy.io.loadmat(data / "salton_sea" / "salton_sea_roi.mat")
    cube = np.ascontiguousarray(salton["I"].transpose(2, 0, 1)[salton["bbl"].ravel() > 0])
    centres = salton["wl"].ravel()[salton["bbl"].ravel() > 0].astype(np.float64)
    yield scene_from_array(cube, 1e3 * centres, name="salton_sea")  # stored in micrometres
    demo = scipy.io.loadmat(data / "aviris_demo" / "a_hsi_img_for_VI_demo.mat")
    cube = np.ascontiguousarray(demo["hsi_img"].transpose(2, 0, 1))
    yield scene_from_array(cube, demo["wavelengths"].ravel().astype(np.float64), name="aviris_demo")
    with rasterio.open(data / "awkward" / "neon_no_crs.tif") as file:
        centres = _centres(data, "neon_sjer_ex")
        yield scene_from_array(file.read(), centres, nodata=-9999, name="neon_sjer_ex")
    yield open_scene(data / "emit_10x10" / "emit20250324t221005_jpl_unmix_ex")


def _simulated(data: Path, size: int = 128) -> Iterator[xr.DataArray]:
    """Scenes of parcels of library spectra: mixed, shaded, blurred, with sensor noise."""
    table = np.genfromtxt(
        data / "speclib" / "roberts2017_urban.csv", delimiter=",", skip_header=1, dtype=str
    )
    with (data / "speclib" / "roberts2017_urban.csv").open(encoding="utf-8") as file:
        header = file.readline().strip().split(",")
    first = next(i for i, word in enumerate(header) if word.replace(".", "", 1).isdigit() and i > 9)
    centres = np.array([float(word) for word in header[first:]])
    spectra = table[:, first:].astype(np.float64) / 1e4  # stored as per ten thousand
    kinds = table[:, header.index("Level_3")]
    order = np.argsort(centres, kind="stable")
    usable = np.isfinite(spectra).all(axis=1) & (spectra.max(axis=1) > 0)
    spectra, kinds = spectra[usable][:, order], kinds[usable]
    for number, (name, sensor) in enumerate(SENSORS.items()):
        generator = np.random.default_rng(number)
        cube = _parcels(
            spectra @ interpolation_matrix(centres[order], sensor).T, kinds, size, generator
        )
        yield scene_from_array(cube.astype(np.float32), sensor, name=f"simulated_{name}")


def _parcels(
    spectra: Float64Array,
    kinds: npt.NDArray[np.str_],
    size: int,
    generator: np.random.Generator,
    parcels: int = 60,
) -> Float64Array:
    """(C, size, size) reflectance of parcels, blurred at their edges."""
    seeds = generator.uniform(0, size, (parcels, 2))
    pixels = np.stack(np.meshgrid(np.arange(size), np.arange(size), indexing="ij"), axis=-1)
    nearest = np.linalg.norm(pixels[:, :, None] - seeds, axis=-1).argmin(axis=-1)
    chosen = generator.choice(np.unique(kinds), parcels)
    cube = np.empty((size, size, spectra.shape[1]))
    for parcel in range(parcels):
        members = np.flatnonzero(kinds == chosen[parcel])
        few = generator.choice(members, min(4, len(members)), replace=False)
        inside = nearest == parcel
        shares = generator.dirichlet(np.full(len(few), 0.7), int(inside.sum()))
        cube[inside] = shares @ spectra[few]
    shade = gaussian_filter(generator.normal(size=(size, size)), 6)
    cube *= 1.0 + 0.15 * (shade / shade.std())[:, :, None]
    cube = gaussian_filter(cube, (0.5, 0.5, 0))
    noise = 0.004 * generator.lognormal(0.0, 0.5, cube.shape[-1])
    cube += noise * generator.normal(size=cube.shape)
    return np.ascontiguousarray(cube.transpose(2, 0, 1))


def main() -> None:
    """Pre-train with the default recipe."""
    data, out = Path(sys.argv[1]), Path(sys.argv[2])
    scenes = sources(data)
    print(f"{len(scenes)} scenes, {sum(s.shape[1] * s.shape[2] for s in scenes)} pixels")
    result = pretrain(scenes, out, steps=STEPS, overwrite=True)
    print(f"{result.weights}: last loss {result.last_loss:.4f}")


if __name__ == "__main__":
    main()
