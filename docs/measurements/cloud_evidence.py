"""What clouds do to a map: docs/before-you-start.md.

    python docs/measurements/cloud_evidence.py DATA [SCENE,...] [SEEDS]

Clouds and their shadows are painted over a part of a scene that has none, and the scene is classified with five
points a class. The script prints the overall accuracy in per cent of the land that is neither in a cloud nor in a
shadow, without the shots; the mean confidence there, in clouds and in shadows; and how well low confidence finds
clouds and shadows, as the area under the ROC curve. The points are the same in all rows but those of `BELOW` and
`CLASSES`. Two minutes of processor time a scene and seed.
"""

import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
import xarray as xr
from scipy.ndimage import gaussian_filter, shift
from sklearn.metrics import roc_auc_score

from hsi_geo import MapOptions, classify
from hsi_geo.arrays import BoolArray, Float32Array, Float64Array, IntArray
from hsi_geo.io.datasets.benchmark_scenes import BenchmarkScene, load_benchmark_scene
from hsi_geo.io.scenes.scene import scene_from_array
from hsi_geo.progress import SilentReporter
from hsi_geo.tasks.benchmarking.protocol import SEEDS, draw_shots, shots_at

SHOTS = 5
SCENES = ("simulated_fields", "jasper_ridge")

#: Share of the scene in clouds, and distance of a shadow from its cloud, in rows and columns.
COVER, OFFSET_PX = 0.15, (9, -14)

#: Standard deviation of the filter that makes clouds of noise, as a share of the scene's shorter side.
SMOOTHNESS = 0.07

#: Reflectance of a thick cloud of water drops by wavelength in nm.
CLOUD = {400: 0.72, 900: 0.74, 1250: 0.68, 1650: 0.55, 2200: 0.40, 2500: 0.32}

#: Share of the light that reaches land in a deep shadow, by wavelength in nm: it comes from the sky, and is blue.
SHADOW = {400: 0.45, 600: 0.28, 1000: 0.18, 2500: 0.12}

#: What is done about clouds; the first row has none.
NONE = "no clouds"
BESIDE = "clouds, shots beside them"
NODATA = "clouds and shadows set to no data"
CLASSES = "classes for clouds and for shadows"
BELOW = "clouds, shots anywhere"


@dataclass(frozen=True, eq=False)
class Sky:
    """Clouds over a scene.

    Attributes:
        cloud: (H, W) opacity of the clouds, 0 to 1.
        shadow: (H, W) darkness of their shadows, 0 to 1.
    """

    cloud: Float64Array
    shadow: Float64Array

    @property
    def in_cloud(self) -> BoolArray:
        """(H, W) True where clouds hide most of the land."""
        return self.cloud > 0.5

    @property
    def in_shadow(self) -> BoolArray:
        """(H, W) True where land beside the clouds lies in shadow."""
        return (self.shadow > 0.5) & ~self.in_cloud

    @property
    def clear(self) -> BoolArray:
        """(H, W) True where neither is seen."""
        return (self.cloud < 0.05) & (self.shadow < 0.05)


@dataclass(frozen=True, eq=False)
class Case:
    """A scene with shots.

    Attributes:
        title: What is done about clouds.
        scene: (band, y, x) array.
        labels: (H, W) classes that shots are taken from.
        drawn: (n,) flat indices of the shots.
    """

    title: str
    scene: xr.DataArray
    labels: IntArray
    drawn: IntArray


def main() -> None:
    """Print a table: means over the seeds."""
    names = sys.argv[2].split(",") if len(sys.argv) > 2 else list(SCENES)
    seeds = SEEDS[: int(sys.argv[3]) if len(sys.argv) > 3 else 1]
    columns = ("OA of clear land", "confidence, clear", "in clouds", "in shadows")
    print(f"| scene | case | {' | '.join(columns)} | AUC, clouds | AUC, shadows |")
    print("|---|---|---|---|---|---|---|---|")
    for name in names:
        benchmark = load_benchmark_scene(name, Path(sys.argv[1]))
        found: dict[str, list[list[float]]] = {}
        for seed in seeds:
            sky = make_sky(benchmark.labels.shape, seed)
            for case in cases(benchmark, sky, seed):
                found.setdefault(case.title, []).append(measure(case, benchmark, sky))
        for title, of_seeds in found.items():
            cells = [f"{value:.1f}" for value in np.mean(of_seeds, axis=0)]
            print(f"| {name} | {title} | {' | '.join(cells)} |".replace("nan", "-"), flush=True)


def make_sky(shape: tuple[int, int], seed: int) -> Sky:
    """Draw clouds with soft edges, and their shadows."""
    noise = np.random.default_rng(seed).standard_normal(shape)
    smooth = gaussian_filter(noise, SMOOTHNESS * min(shape), mode="wrap")
    smooth = (smooth - np.quantile(smooth, 1 - COVER)) / smooth.std()
    cloud = np.clip(0.5 + 1.5 * smooth, 0, 1)
    shadow = np.clip(shift(cloud, OFFSET_PX, order=1, mode="constant"), 0, 1)
    return Sky(cloud, shadow)


def paint_clouds(
    image: Float32Array, centres_nm: Float64Array, sky: Sky, white: float
) -> Float32Array:
    """A (C, H, W) scene below clouds; ``white`` is the value of a reflectance of 1."""
    cloud = white * np.interp(centres_nm, list(CLOUD), list(CLOUD.values()))[:, None, None]
    light = np.interp(centres_nm, list(SHADOW), list(SHADOW.values()))[:, None, None]
    shaded = image * (1 - sky.shadow * (1 - light))
    # The brightness of a cloud varies, by a tenth, as that of land does.
    texture = 1 + 0.1 * np.sin(np.cumsum(np.ones(image.shape[1:]), axis=0) / 5.0)
    return np.asarray((1 - sky.cloud) * shaded + sky.cloud * cloud * texture, np.float32)


def cases(benchmark: BenchmarkScene, sky: Sky, seed: int) -> Iterator[Case]:
    """What can be done about clouds."""
    labels, grid = benchmark.labels, benchmark.scene.hsi.grid
    good = benchmark.scene.hsi.good
    image, _ = good.hsi.read()
    centres = good["wavelength"].values
    white = 1.0 if image.max() < 20 else 1e4
    clouded = paint_clouds(image, centres, sky, white)

    def scene(values: Float32Array) -> xr.DataArray:
        return scene_from_array(values, centres, grid=grid, nodata=-1.0, name=benchmark.name)

    beside = draw_shots(np.where(sky.clear, labels, 0), SHOTS, seed)
    anywhere = draw_shots(labels, SHOTS, seed)
    yield Case(NONE, scene(image), labels, beside)
    yield Case(BESIDE, scene(clouded), labels, beside)
    yield Case(NODATA, scene(np.where(sky.clear, clouded, -1.0)), labels, beside)
    count = int(labels.max())
    more = np.where(sky.in_cloud, count + 1, np.where(sky.in_shadow, count + 2, 0))
    both = np.where(sky.clear, labels, more)
    of_sky = draw_shots(more, SHOTS, seed)
    yield Case(CLASSES, scene(clouded), both, np.concatenate([beside, of_sky]))
    yield Case(BELOW, scene(clouded), labels, anywhere)


def measure(case: Case, benchmark: BenchmarkScene, sky: Sky) -> list[float]:
    """The columns of the table; NaN where a map has no such pixels."""
    shots = shots_at(case.scene, case.labels, case.drawn)
    with tempfile.TemporaryDirectory() as folder:
        result = classify(
            case.scene,
            shots,
            out=Path(folder) / "map.tif",
            options=MapOptions(confidence=True),
            reporter=SilentReporter(),
        )
        assert result.paths.confidence is not None  # asked for above
        with rasterio.open(result.paths.classes) as file:
            ids = file.read(1).astype(np.int64)
        with rasterio.open(result.paths.confidence) as file:
            percent = file.read(1).astype(np.float64)
    values = np.array([0, *(c.value or 0 for c in result.classes)])
    test = sky.clear & (benchmark.labels > 0)
    test.flat[case.drawn] = False
    accuracy = 100 * float((values[ids] == benchmark.labels)[test].mean())
    if case.title == NODATA:
        return [accuracy, float(percent[sky.clear].mean()), *[np.nan] * 4]
    kinds = (sky.in_cloud, sky.in_shadow)
    means = [float(percent[kind].mean()) for kind in (sky.clear, *kinds)]
    if case.title in (NONE, CLASSES):
        return [accuracy, *means, np.nan, np.nan]
    areas = [100 * float(roc_auc_score(k[k | sky.clear], -percent[k | sky.clear])) for k in kinds]
    return [accuracy, *means, *areas]


if __name__ == "__main__":
    main()
