"""Ways to draw shots: points, squares, a polygon, and points with wrong labels.

Our method gets points or polygons, baselines get the pixels under them. Both see the same pixels and labels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import shapely
from scipy.ndimage import label as label_components
from shapely.affinity import affine_transform

from hsi_geo.arrays import BoolArray, IntArray
from hsi_geo.io.datasets.benchmark_scenes import BenchmarkScene
from hsi_geo.io.labels.shots import Shots, make_shots
from hsi_geo.io.scenes.properties import grid_of
from hsi_geo.tasks.benchmarking.protocol import shots_at

#: Pixels from the centre to the edge of the squares of "squares" and of "square".
SQUARES_REACH_PX, SQUARE_REACH_PX = 1, 2

#: Fewest and most pixels of the polygons of "stretch".
STRETCH_PX = (20, 60)

#: One in so many points of "wrong" has the label of another class.
WRONG_ONE_IN = 5


@dataclass(frozen=True, eq=False)
class Drawing:
    """The same shots for our method and for baselines.

    Attributes:
        shots: Points or polygons, for our method.
        pixels: (N,) flat indices of their pixels, in increasing order for polygons.
        labels: (H, W) classes: those of the shots at their pixels, elsewhere the truth.
    """

    shots: Shots
    pixels: IntArray
    labels: IntArray


#: From a scene, (N,) flat indices of drawn pixels, (H, W) labels of the pixels that may be shots (0 elsewhere) and a
#: seed to a drawing.
Draw = Callable[[BenchmarkScene, IntArray, IntArray, int], Drawing]


def draw_points(scene: BenchmarkScene, centres: IntArray, allowed: IntArray, seed: int) -> Drawing:
    """Points in the drawn pixels."""
    return Drawing(shots_at(scene.scene, scene.labels, centres), centres, scene.labels)


def draw_squares(scene: BenchmarkScene, centres: IntArray, allowed: IntArray, seed: int) -> Drawing:
    """Squares of 3 x 3 pixels around the drawn pixels, without the pixels of other classes."""
    return _polygons(scene, [_square(allowed, int(c), SQUARES_REACH_PX) for c in centres], centres)


def draw_square(scene: BenchmarkScene, centres: IntArray, allowed: IntArray, seed: int) -> Drawing:
    """Squares of 5 x 5 pixels around the drawn pixels, without the pixels of other classes."""
    return _polygons(scene, [_square(allowed, int(c), SQUARE_REACH_PX) for c in centres], centres)


def draw_wrong(scene: BenchmarkScene, centres: IntArray, allowed: IntArray, seed: int) -> Drawing:
    """Points in the drawn pixels; one in `WRONG_ONE_IN` of each class has the label of another class.

    A class with one point keeps its label.
    """
    generator = np.random.default_rng(seed)
    labels, given = scene.labels, scene.labels.copy()
    classes = np.unique(labels[labels > 0])
    for c in classes:
        own = centres[labels.flat[centres] == c]
        for _ in range(max(1, len(own) // WRONG_ONE_IN) if len(own) > 1 else 0):
            wrong = generator.choice(own)
            given.flat[wrong] = generator.choice(classes[classes != c])
            own = own[own != wrong]
    return Drawing(shots_at(scene.scene, given, centres), centres, given)


def draw_stretch(scene: BenchmarkScene, centres: IntArray, allowed: IntArray, seed: int) -> Drawing:
    """A polygon around each drawn pixel, grown inside the connected pixels of its class.

    The polygon has a random number of pixels in `STRETCH_PX`, and at most half of the pixels of its class.
    """
    generator = np.random.default_rng(seed)
    masks = []
    for centre in centres:
        of_class = allowed == allowed.flat[centre]
        size = int(generator.integers(STRETCH_PX[0], STRETCH_PX[1] + 1))
        masks.append(
            _grow(of_class, int(centre), min(size, max(1, of_class.sum() // 2)), generator)
        )
    return _polygons(scene, masks, centres)


#: Ways to draw shots, by their names in ``results.json``.
DRAWINGS: dict[str, Draw] = {
    "points": draw_points,
    "squares": draw_squares,
    "square": draw_square,
    "wrong": draw_wrong,
    "stretch": draw_stretch,
}

#: Ways that draw one polygon for each class, whatever the number of shots.
ONE_POLYGON = ("square", "stretch")

#: Titles in tables; {0} is the number of shots of each class.
TITLES = {
    "points": "{0} points",
    "squares": "{0} squares of 3 x 3",
    "square": "1 square of 5 x 5",
    "wrong": "{0} points, 1 in 5 wrong",
    "stretch": "1 polygon of 20 to 60 pixels",
}


def select_bands(scene: BenchmarkScene, bands: str) -> BenchmarkScene | None:
    """Cut a scene to the bands of another sensor.

    Args:
        scene: Scene with labels.
        bands: "all"; "vnir" for 400 to 1000 nm; "swir" for more than 1000 nm; "eighth" for every eighth band.

    Returns:
        The scene with these bands; None if it has none of them.
    """
    centres_nm = scene.scene.wavelength.values
    chosen = {
        "all": np.arange(len(centres_nm)),
        "vnir": np.flatnonzero((centres_nm >= 400) & (centres_nm <= 1000)),
        "swir": np.flatnonzero(centres_nm > 1000),
        "eighth": np.argsort(centres_nm)[::8],
    }[bands]
    if not len(chosen):
        return None
    cut = scene.scene if bands == "all" else scene.scene[chosen]
    return BenchmarkScene(scene.name, cut, scene.labels)


#: Choices of bands, with their titles in tables.
BANDS = {
    "all": "all bands",
    "vnir": "400 to 1000 nm",
    "swir": "1000 to 2500 nm",
    "eighth": "every eighth band",
}


def _square(allowed: IntArray, centre: int, reach_px: int) -> BoolArray:
    """(H, W) mask of a square's pixels of the centre's class."""
    row, col = divmod(centre, allowed.shape[1])
    mask = np.zeros(allowed.shape, bool)
    near = np.s_[
        max(0, row - reach_px) : row + reach_px + 1, max(0, col - reach_px) : col + reach_px + 1
    ]
    mask[near] = allowed[near] == allowed[row, col]
    return mask


def _grow(of_class: BoolArray, centre: int, size: int, generator: np.random.Generator) -> BoolArray:
    """Grow a region of connected pixels from a centre, by random pixels of its edge (Eden 1961)."""
    components, _ = label_components(of_class)
    row, col = divmod(centre, of_class.shape[1])
    free = components == components[row, col]
    mask = np.zeros(of_class.shape, bool)
    edge = [(row, col)]
    while edge and mask.sum() < size:
        r, c = edge.pop(int(generator.integers(len(edge))))
        mask[r, c] = True
        free[r, c] = False
        for near in ((r - 1, c), (r + 1, c), (r, c - 1), (r, c + 1)):
            inside = 0 <= near[0] < free.shape[0] and 0 <= near[1] < free.shape[1]
            if inside and free[near]:
                free[near] = False
                edge.append(near)
    return mask


def _polygons(scene: BenchmarkScene, masks: list[BoolArray], centres: IntArray) -> Drawing:
    """A polygon for each (H, W) mask, of the class at its centre."""
    grid = grid_of(scene.scene)
    polygons = []
    for mask in masks:
        rows, cols = np.nonzero(mask)
        polygon = shapely.union_all(shapely.box(cols, rows, cols + 1, rows + 1))
        polygons.append(affine_transform(polygon, grid.transform.to_shapely()))
    shots = make_shots(gpd.GeoSeries(polygons, crs=grid.crs), scene.labels.flat[centres].tolist())
    pixels = np.flatnonzero(np.any(masks, axis=0))
    return Drawing(shots, pixels, scene.labels)
