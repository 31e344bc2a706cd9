"""Benchmark scenes with ground truth.

Indian Pines comes with a Python package. The others are read from a folder with the files of their
publishers.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import rasterio
import xarray as xr

from hsi_geo.arrays import IntArray
from hsi_geo.errors import OptionError
from hsi_geo.io.datasets.indian_pines import load_indian_pines
from hsi_geo.io.labels.pixel_centres import rasterize_centres
from hsi_geo.io.labels.shot_reading import read_shots
from hsi_geo.io.scenes.properties import grid_of
from hsi_geo.io.scenes.scene import open_scene, scene_from_array
from hsi_geo.text import did_you_mean


@dataclass(frozen=True, eq=False)
class BenchmarkScene:
    """A scene with ground truth.

    Attributes:
        name: Name of the scene, a key of `LOADERS`.
        scene: (band, y, x) array.
        labels: (H, W) classes 1..K, 0 for unlabelled pixels.
    """

    name: str
    scene: xr.DataArray
    labels: IntArray


def load_benchmark_scene(name: str, folder: str | os.PathLike[str] | None) -> BenchmarkScene:
    """Load a scene by its name.

    Args:
        name: Name of the scene, a key of `LOADERS`.
        folder: Folder with one folder for each scene; may be None for Indian Pines.

    Raises:
        OptionError: If there is no such scene, or the folder does not contain it.

    Example:
        >>> load_benchmark_scene("indian_pines", None).scene.shape
        (200, 145, 145)
    """
    if name not in LOADERS:
        raise OptionError(
            f"there is no benchmark scene '{name}'",
            hint=f"choose one of {', '.join(LOADERS)}{did_you_mean(name, LOADERS)}",
        )
    if name != "indian_pines" and (folder is None or not (Path(folder) / name).is_dir()):
        where = "needs a folder of scenes" if folder is None else f"is not in '{folder}'"
        raise OptionError(
            f"benchmark scene '{name}' {where}",
            hint=f"give the folder that holds '{name}' with --data, or leave the scene out",
        )
    scene, labels = LOADERS[name](Path(folder or "."))
    return BenchmarkScene(name, scene, labels)


Loaded = tuple[xr.DataArray, IntArray]


def _indian_pines(folder: Path) -> Loaded:
    loaded = load_indian_pines()
    scene = scene_from_array(loaded.cube, loaded.centres_nm, grid=loaded.grid, name="indian_pines")
    return scene, loaded.truth.astype(np.int64)


def _simulated_fields(folder: Path) -> Loaded:
    home = folder / "simulated_fields"
    with rasterio.open(home / "simulated_fields_truth.tif") as file:
        truth = file.read(1).astype(np.int64)
    return open_scene(home / "simulated_fields.tif"), truth


def _enmap_berlin(folder: Path) -> Loaded:
    """Labels of pixels whose centre lies in polygons of exactly one class."""
    home = folder / "enmap_berlin"
    scene = open_scene(home / "EnMAP_BerlinUrbanGradient.bsq")
    shots = read_shots(home / "LandCov_BerlinUrbanGradient.shp", class_field="Level_2_ID")
    grid = grid_of(scene)
    frame = shots.frame.to_crs(grid.crs)
    covered = [
        rasterize_centres(frame.geometry[frame["class_id"] == c.id], grid, grid.window)
        for c in shots.classes
    ]
    claims = np.stack(covered).astype(np.int64)
    return scene, np.where(claims.sum(axis=0) == 1, claims.argmax(axis=0) + 1, 0)


def _jasper_ridge(folder: Path) -> Loaded:
    from scipy.io import loadmat

    file = loadmat(folder / "jasper_ridge" / "jasperRidge2_R198.mat")
    return _unmixed(folder, "jasper_ridge", file["Y"], file["A"], (100, 100))


def _samson(folder: Path) -> Loaded:
    from scipy.io import loadmat

    spectra = loadmat(folder / "samson" / "samson_1.mat")["V"]
    abundances = loadmat(folder / "samson" / "end3.mat")["A"]
    return _unmixed(folder, "samson", spectra, abundances, (95, 95))


def _unmixed(
    folder: Path,
    name: str,
    spectra: npt.NDArray[np.number],
    abundances: npt.NDArray[np.floating],
    shape: tuple[int, int],
) -> Loaded:
    """A scene that was published with abundances; the label of a pixel is its most abundant class.

    Args:
        folder: Folder of the scenes, which also has the tables of band centres.
        name: Name of the scene and of its table.
        spectra: (C, W * H) stored values, column by column.
        abundances: (K, W * H) shares of the classes, column by column.
        shape: (H, W) of the scene.
    """
    cube, shares = (
        rows.reshape(-1, *shape[::-1]).transpose(0, 2, 1) for rows in (spectra, abundances)
    )
    table = folder / "wavelengths" / f"{name}.csv"
    centres = np.loadtxt(table, delimiter=",", skiprows=1, usecols=1)
    scene = scene_from_array(np.ascontiguousarray(cube), centres, name=name)
    return scene, shares.argmax(axis=0).astype(np.int64) + 1


#: Function that loads each scene, by the name of the scene.
LOADERS: dict[str, Callable[[Path], Loaded]] = {
    "indian_pines": _indian_pines,
    "simulated_fields": _simulated_fields,
    "enmap_berlin": _enmap_berlin,
    "jasper_ridge": _jasper_ridge,
    "samson": _samson,
}

#: The scenes on which the recipe was chosen; their errors are pooled.
CHOSEN_ON = ("indian_pines", "simulated_fields", "enmap_berlin", "jasper_ridge")
