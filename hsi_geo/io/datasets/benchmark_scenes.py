"""Labelled scenes to measure on, each as a scene and its ground truth.

Indian Pines comes inside a package; the others are read from a folder laid out as their
publishers give them.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import rasterio
import rasterio.features
import scipy.io
import xarray as xr

from hsi_geo.errors import OptionError
from hsi_geo.io.datasets.indian_pines import load_indian_pines
from hsi_geo.io.labels.shots import read_shots
from hsi_geo.io.scenes.properties import grid_of
from hsi_geo.io.scenes.scene import open_scene, scene_from_array


@dataclass(frozen=True, eq=False)
class BenchmarkScene:
    """A scene with ground truth.

    Attributes:
        name: As in tables.
        scene: (band, y, x).
        labels: (H, W) 1..K, 0 where nothing is known.
    """

    name: str
    scene: xr.DataArray
    labels: npt.NDArray[np.int64]


def load_benchmark_scene(name: str, folder: str | os.PathLike[str] | None) -> BenchmarkScene:
    """Load a scene by its name.

    Args:
        name: Key of `LOADERS`.
        folder: Where the scenes lie; not needed for Indian Pines.

    Raises:
        OptionError: If there is no such scene, or no folder with it.
    """
    if name not in LOADERS:
        raise OptionError(
            f"there is no benchmark scene '{name}'", hint=f"choose of {', '.join(LOADERS)}"
        )
    if name != "indian_pines" and (folder is None or not (Path(folder) / name).is_dir()):
        raise OptionError(
            f"benchmark scene '{name}' is not in '{folder}'",
            hint="give the folder that holds it, or leave the scene out",
        )
    scene, labels = LOADERS[name](Path(folder or "."))
    return BenchmarkScene(name, scene, labels)


Loaded = tuple[xr.DataArray, npt.NDArray[np.int64]]


def _indian_pines(folder: Path) -> Loaded:
    loaded = load_indian_pines()
    scene = scene_from_array(loaded.cube, loaded.centres_nm, grid=loaded.grid, name="indian_pines")
    return scene, loaded.truth.astype(np.int64)


def _simulated_fields(folder: Path) -> Loaded:
    where = folder / "simulated_fields"
    with rasterio.open(where / "simulated_fields_truth.tif") as file:
        truth = file.read(1).astype(np.int64)
    return open_scene(where / "simulated_fields.tif"), truth


def _enmap_berlin(folder: Path) -> Loaded:
    """Labels by pixel centre alone: a pixel that two classes claim is dropped."""
    where = folder / "enmap_berlin"
    scene = open_scene(where / "EnMAP_BerlinUrbanGradient.bsq")
    shots = read_shots(where / "LandCov_BerlinUrbanGradient.shp", class_field="Level_2_ID")
    grid = grid_of(scene)
    frame = shots.frame.to_crs(grid.crs)
    covered = [
        rasterio.features.rasterize(
            frame.geometry[frame["class_id"] == c.id], grid.shape, transform=grid.transform
        )
        for c in shots.classes
    ]
    claims = np.stack(covered).astype(np.int64)
    return scene, np.where(claims.sum(axis=0) == 1, claims.argmax(axis=0) + 1, 0)


def _jasper_ridge(folder: Path) -> Loaded:
    file = scipy.io.loadmat(folder / "jasper_ridge" / "jasperRidge2_R198.mat")
    return _unmixed(folder, "jasper_ridge", file["Y"], file["A"], (100, 100))


def _samson(folder: Path) -> Loaded:
    spectra = scipy.io.loadmat(folder / "samson" / "samson_1.mat")["V"]
    abundances = scipy.io.loadmat(folder / "samson" / "end3.mat")["A"]
    return _unmixed(folder, "samson", spectra, abundances, (95, 95))


def _unmixed(
    folder: Path,
    name: str,
    spectra: npt.NDArray[np.number],
    abundances: npt.NDArray[np.floating],
    shape: tuple[int, int],
) -> Loaded:
    """A scene that was published with abundances; a pixel's label is what covers most of it.

    Args:
        folder: Of the scenes, with the table of the band centres.
        name: Of the scene, and of its table.
        spectra: (C, W * H), column by column.
        abundances: (K, W * H) likewise.
        shape: (H, W).
    """
    cube, shares = (
        rows.reshape(-1, *shape[::-1]).transpose(0, 2, 1) for rows in (spectra, abundances)
    )
    table = folder / "wavelengths" / f"{name}.csv"
    centres = np.loadtxt(table, delimiter=",", skiprows=1, usecols=1)
    scene = scene_from_array(np.ascontiguousarray(cube), centres, name=name)
    return scene, shares.argmax(axis=0).astype(np.int64) + 1


#: What reads each scene, by its name.
LOADERS: dict[str, Callable[[Path], Loaded]] = {
    "indian_pines": _indian_pines,
    "simulated_fields": _simulated_fields,
    "enmap_berlin": _enmap_berlin,
    "jasper_ridge": _jasper_ridge,
    "samson": _samson,
}

#: The scenes on which the recipe was chosen, whose errors are pooled.
CHOSEN_ON = ("indian_pines", "simulated_fields", "enmap_berlin", "jasper_ridge")
