"""TrainingRegions: the stretches of a scene that a model is adapted on, with their shots, in memory.

A small scene is one region. Of a large one regions are cut around the shots, and more are spread over
the rest, up to a budget of pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import xarray as xr

from hsi_geo.arrays import BoolArray, IntArray
from hsi_geo.errors import ShotsError
from hsi_geo.io.datasets.geo import HyperspectralScene, ShotLabels
from hsi_geo.io.labels.shots import ClassTable, ShotPixels, Shots, thin
from hsi_geo.io.scenes.quality import has_data, require_scale
from hsi_geo.io.scenes.windows import read_window
from hsi_geo.models.classifier import SpectralStats
from hsi_geo.progress import Reporter
from hsi_geo.tasks.inference.scene_statistics import learn_spectral_stats
from hsi_geo.tiling import Grid, Window, spread_windows

#: Sides of regions of a large scene, the first that lets all shots into half of the budget.
SIDES_PX = (64, 32, 16, 8)

#: Pixels around a region that are read besides, for what is seen of its surroundings: two standard
#: deviations of the widest filter (`feature_sets.COMPARED_PX`), and half a window of the default network.
MARGIN_PX = 8


@dataclass(frozen=True, eq=False)
class TrainingRegion:
    """A stretch of a scene.

    Attributes:
        scene: Index of the scene.
        window: Its pixels, in the scene.
        reach: The same with a margin, inside the scene.
        position_px: (row, column) of the reach's corner on the CRS's pixel grid.
        image: (C, h, w) physical values of the reach.
        valid: (h, w) bool.
        inside: (h, w) whether a pixel of the reach belongs to the region and has data.
        labels: (h, w) class index of the region's shots, -1 elsewhere.
        features: (h, w) drawn feature that each shot belongs to, -1 elsewhere.
    """

    scene: int
    window: Window
    reach: Window
    position_px: tuple[int, int]
    image: npt.NDArray[np.float32]
    valid: BoolArray
    inside: BoolArray
    labels: IntArray
    features: IntArray


@dataclass(frozen=True, eq=False)
class TrainingRegions:
    """Everything that is learnt from.

    The pixels of all regions that have data are counted through, region by region, row by row.

    Attributes:
        regions: The regions.
        views: The scenes as models see them.
        spectral: Bands and statistics.
        classes: Class table.
        counts: Usable shot pixels by class name.
    """

    regions: tuple[TrainingRegion, ...]
    views: tuple[xr.DataArray, ...]
    spectral: SpectralStats
    classes: ClassTable
    counts: dict[str, int]

    @property
    def spectra(self) -> npt.NDArray[np.float32]:
        """(C, N) physical values of each pixel."""
        return np.concatenate([region.image[:, region.inside] for region in self.regions], axis=1)

    @property
    def labels(self) -> IntArray:
        """(N,) class index of each pixel, -1 where there is no shot."""
        return np.concatenate([region.labels[region.inside] for region in self.regions])

    @property
    def features(self) -> IntArray:
        """(N,) drawn feature that each shot belongs to, -1 elsewhere."""
        return np.concatenate([region.features[region.inside] for region in self.regions])

    @property
    def positions_px(self) -> npt.NDArray[np.float64]:
        """(N, 2) row and column on the CRS's pixel grid, from the first pixel on."""
        found = [
            np.argwhere(region.inside) + np.array(region.position_px) for region in self.regions
        ]
        places = np.concatenate(found).astype(np.float64)
        return places - places.min(axis=0)


def cut_training_regions(
    scenes: list[xr.DataArray],
    shots: Shots,
    *,
    budget_px: int,
    all_touched: bool,
    seed: int,
    reporter: Reporter,
) -> TrainingRegions:
    """Read what there is to learn from.

    Args:
        scenes: Of one sensor, CRS and pixel size.
        shots: In any CRS.
        budget_px: About as many pixels are taken; more only if shots lie too far apart.
        all_touched: Take every pixel a polygon touches.
        seed: Draws pixels of polygons that have too many.
        reporter: Is told what was dropped.

    Raises:
        SceneError: If scenes differ in bands, or hold no data.
        ShotsError: If fewer than two classes have a usable pixel.
    """
    for one in scenes:
        require_scale(one)
    scene = HyperspectralScene(scenes)
    labels = ShotLabels(shots, scene, all_touched=all_touched)
    counts = _keep_usable(labels, scene, shots, np.random.default_rng(seed), reporter)
    spectral = learn_spectral_stats(scene.views)
    if sum(grid.height * grid.width for grid in scene.grids) <= budget_px:
        windows = [(index, grid.window) for index, grid in enumerate(scene.grids)]
    else:
        windows = _choose(scene.grids, labels.pixels, budget_px)
    regions = [_read(scene, labels.pixels[index], index, window) for index, window in windows]
    regions = [region for region in regions if region.inside.any()]
    return TrainingRegions(tuple(regions), tuple(scene.views), spectral, shots.classes, counts)


def _choose(
    grids: list[Grid], pixels: list[ShotPixels], budget_px: int
) -> list[tuple[int, Window]]:
    """Windows of a lattice: those that hold shots, then some spread over the rest."""
    for side in SIDES_PX:
        held = {
            (index, int(row), int(col))
            for index, shots in enumerate(pixels)
            for row, col in zip(shots.rows // side, shots.cols // side, strict=True)
        }
        if len(held) * side**2 <= budget_px // 2:
            break
    left = max(0, budget_px // side**2 - len(held))
    total = sum(grid.height * grid.width for grid in grids)
    for index, grid in enumerate(grids):
        share = round(left * grid.height * grid.width / total)
        for window in spread_windows(*grid.shape, side, share) if share else []:
            held.add((index, window.row // side, window.col // side))
    return [
        (index, Window(row * side, col * side, side, side).clip(*grids[index].shape))
        for index, row, col in sorted(held)
    ]


def _read(
    scene: HyperspectralScene, shots: ShotPixels, index: int, window: Window
) -> TrainingRegion:
    grid = scene.grids[index]
    reach = window.grow(MARGIN_PX).clip(*grid.shape)
    image, valid = read_window(scene.views[index], reach)
    inside = np.zeros(valid.shape, bool)
    inside[window.relative_to(reach).slices] = True
    inside &= valid
    origin = grid.origin_px
    return TrainingRegion(
        scene=index,
        window=window,
        reach=reach,
        position_px=(origin[0] + reach.row, origin[1] + reach.col),
        image=image,
        valid=valid,
        inside=inside,
        labels=np.where(inside, shots.mask(reach), -1),
        features=np.where(inside, shots.feature_mask(reach), -1),
    )


def _keep_usable(
    labels: ShotLabels,
    scene: HyperspectralScene,
    shots: Shots,
    generator: np.random.Generator,
    reporter: Reporter,
) -> dict[str, int]:
    """Drop shots on nodata, thin large classes, tell what was dropped; pixels by class name."""
    before = sum(len(pixels) for pixels in labels.pixels)
    outside = _count_outside(labels, shots)
    dry = 0
    for index, pixels in enumerate(labels.pixels):
        valid = has_data(scene.views[index], pixels.rows, pixels.cols)
        dry += int((~valid).sum())
        labels.pixels[index] = thin(pixels.pick(valid), generator)
    counts = {c.name: 0 for c in shots.classes}
    for pixels in labels.pixels:
        for name, count in pixels.counts(shots.classes).items():
            counts[name] += count
    _tell_dropped(labels, shots, outside, dry, reporter)
    if before and dry == before:
        raise ShotsError(
            f"all {before} pixels under the shots in '{shots.source}' are nodata in the scene",
            hint="draw shots where the scene has data",
        )
    present = [name for name, count in counts.items() if count]
    if len(present) < 2:
        raise ShotsError(
            f"only one class, '{present[0]}', has usable pixels under its shots in the scene",
            hint="draw shots of at least two classes inside the scene",
        )
    absent = [name for name, count in counts.items() if not count]
    if absent:
        reporter.warning(
            "no usable pixel in the scene for "
            + ", ".join(f"'{name}'" for name in absent)
            + ": never mapped"
        )
    return counts


def _count_outside(labels: ShotLabels, shots: Shots) -> int:
    """Shots that lie in no scene; of several scenes each has many that lie in another."""
    found = np.unique(np.concatenate([pixels.features for pixels in labels.pixels]))
    missing = len(shots.frame) - len(found)  # or lost to conflicts, which one scene can tell
    return min(missing, *(pixels.outside for pixels in labels.pixels))


def _tell_dropped(
    labels: ShotLabels, shots: Shots, outside: int, dry: int, reporter: Reporter
) -> None:
    conflicts = sum(pixels.conflicts for pixels in labels.pixels)
    if shots.skipped:
        reporter.warning(f"shots left out: {', '.join(shots.skipped)}")
    if outside:
        reporter.warning(f"{outside} of {len(shots.frame)} shots lie outside the scene")
    if conflicts:
        reporter.warning(f"{conflicts} pixels dropped because two classes claim them")
    if dry:
        reporter.warning(f"{dry} pixels under shots are nodata and were dropped")
