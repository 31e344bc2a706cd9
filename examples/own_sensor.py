"""Map a scene that is no GDAL file: an array and a list of wavelengths.

Run it with `python examples/own_sensor.py [FOLDER]`. The input is what the software of a drone or a
laboratory may write: values as .npy, band centres as text, no georeference. The script adds a grid,
classifies from points given in pixels, and draws FOLDER/own_sensor.png.
"""

import sys
from pathlib import Path

import geopandas as gpd
import numpy as np
import shapely
from affine import Affine
from pyproj import CRS

from hsi_geo import classify
from hsi_geo.io.datasets import indian_pines
from hsi_geo.io.labels.shots import make_shots
from hsi_geo.io.scenes.scene import scene_from_array
from hsi_geo.tasks.benchmarking.protocol import draw_shots
from hsi_geo.tasks.reporting.preview import draw_scene_and_map
from hsi_geo.tiling import Grid


def main(folder: Path) -> None:
    """Write an array and a list of wavelengths, then map from these two files."""
    folder.mkdir(parents=True, exist_ok=True)
    labelled = write_raw_files(folder)

    cube = np.load(folder / "raw.npy")  # (rows, columns, bands), as many programs save it
    centres_nm = np.loadtxt(folder / "centres_nm.txt")
    height, width, _ = cube.shape
    # Pixels of 0.1 m; the upper left corner in UTM. A grid is optional: without it the map has none.
    grid = Grid(
        height, width, Affine(0.1, 0.0, 500_000.0, 0.0, -0.1, 4_480_000.0), CRS.from_epsg(32616)
    )
    scene = scene_from_array(cube.transpose(2, 0, 1), centres_nm, grid=grid, name="my sensor")

    # Points at pixels (row, column) of known class.
    points = [shapely.Point(grid.transform @ (col + 0.5, row + 0.5)) for row, col, _ in labelled]
    shots = make_shots(gpd.GeoSeries(points, crs=grid.crs), [name for _, _, name in labelled])

    result = classify(scene, shots, out=folder / "own_sensor.tif", overwrite=True)
    print(f"map: {result.paths.classes}")
    print(f"accuracy: {result.accuracy}")
    picture = folder / "own_sensor.png"
    draw_scene_and_map(scene, result.paths.classes, result.classes, picture, title="My sensor")
    print(f"picture: {picture}")


def write_raw_files(folder: Path) -> list[tuple[int, int, str]]:
    """Write every second band of Indian Pines as raw files; (row, column, class) of some pixels."""
    scene = indian_pines.load_indian_pines()
    np.save(folder / "raw.npy", scene.cube[::2].transpose(1, 2, 0))
    np.savetxt(folder / "centres_nm.txt", scene.centres_nm[::2])
    drawn = draw_shots(scene.truth, 5, seed=0)
    names = [scene.names[i - 1] for i in scene.truth.ravel()[drawn]]
    rows, cols = np.divmod(drawn, scene.truth.shape[1])
    return list(zip(rows.tolist(), cols.tolist(), names, strict=True))


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "demo"))
