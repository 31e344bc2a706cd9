"""Cutting training regions out of scenes.

A small scene is one region. In a large scene regions are cut around the shots, and further regions are
spread over the rest, up to a budget of pixels.
"""

from __future__ import annotations

import numpy as np
import xarray as xr

from hsi_geo import timings
from hsi_geo.arrays import BoolArray, Float32Array
from hsi_geo.errors import ShotsError
from hsi_geo.io.labels.several_scenes import count_outside
from hsi_geo.io.labels.shot_pixels import ShotPixels, thin
from hsi_geo.io.labels.shots import Shots
from hsi_geo.io.scenes.alignment import aligned_grids
from hsi_geo.io.scenes.quality import has_data
from hsi_geo.progress import Reporter
from hsi_geo.tasks.adaptation.scene_reads import SceneReads
from hsi_geo.tasks.adaptation.training_regions import TrainingRegion, TrainingRegions
from hsi_geo.tiling import Grid, Window, spread_windows

#: Sides of the regions of a large scene. The first one is chosen with which the regions that contain shots
#: take at most half of the budget.
SIDES_PX = (64, 32, 16, 8)

#: Margin around a region that is read as well, for spatial context: two standard deviations of the widest
#: filter (`feature_cubes.FAMILIARITY_FILTER_PX`), and half a window of the default network.
MARGIN_PX = 8


@timings.stage(timings.REGIONS)
def cut_training_regions(
    scenes: list[xr.DataArray],
    shots: Shots,
    *,
    budget_px: int,
    seed: int,
    reporter: Reporter,
    reads: SceneReads | None = None,
) -> TrainingRegions:
    """Read the training data of some scenes.

    Args:
        scenes: Scenes of one sensor, CRS and pixel size.
        shots: Labelled features, in any CRS.
        budget_px: Approximate number of pixels that are read, without margins. More pixels are read only if
            the shots are far apart.
        seed: Seed of the random choice of pixels of classes that have too many.
        reporter: Receives a warning for each kind of shots that are dropped.
        reads: What was read from these scenes before; None reads all of it.

    Raises:
        SceneError: If scenes have different bands, or no data.
        ShotsError: If fewer than two classes have a usable pixel.
    """
    reads = reads or SceneReads(scenes)
    views = reads.views
    grids = aligned_grids(scenes)
    burnt = reads.shot_pixels(shots)
    usable = keep_usable(burnt, views, shots, np.random.default_rng(seed), reporter)
    counts = count_usable(usable, shots, sum(len(pixels) for pixels in burnt), reporter)
    spectral = reads.spectral(reporter)
    if sum(grid.height * grid.width for grid in grids) <= budget_px:
        windows = [(index, grid.window) for index, grid in enumerate(grids)]
    else:
        windows = _select_windows(grids, usable, budget_px)
    padded = [
        (index, window.grow(MARGIN_PX).clip(*grids[index].shape)) for index, window in windows
    ]
    regions = [
        _region(pixels, grids[index], usable[index], index, window, around)
        for pixels, (index, window), (_, around) in zip(
            reads.windows(padded), windows, padded, strict=True
        )
    ]
    regions = [region for region in regions if region.inside.any()]
    return TrainingRegions(tuple(regions), tuple(views), spectral, shots.classes, counts)


def whole_scenes(
    scenes: list[xr.DataArray], reads: SceneReads, reporter: Reporter
) -> TrainingRegions:
    """The regions of small scenes, which are read as a whole, without any shots.

    Args:
        scenes: Scenes of one sensor, CRS and pixel size.
        reads: What was read from these scenes before.
        reporter: Receives the progress.

    Raises:
        SceneError: If scenes have different bands, or no data.
    """
    none = np.empty(0, np.int64)
    no_shots = ShotPixels(none, none, none, none)
    grids = aligned_grids(scenes)
    spectral = reads.spectral(reporter)
    places = [(index, grid.window) for index, grid in enumerate(grids)]
    regions = [
        _region(pixels, grids[index], no_shots, index, window, window)
        for pixels, (index, window) in zip(reads.windows(places), places, strict=True)
    ]
    kept = tuple(region for region in regions if region.inside.any())
    return TrainingRegions(kept, tuple(reads.views), spectral, (), {})


def _select_windows(
    grids: list[Grid], pixels: list[ShotPixels], budget_px: int
) -> list[tuple[int, Window]]:
    """Scene index and window: first the tiles that contain shots, then tiles spread over the rest."""
    for side in SIDES_PX:
        tiles = {
            (index, int(row), int(col))
            for index, shots in enumerate(pixels)
            for row, col in zip(shots.rows // side, shots.cols // side, strict=True)
        }
        if len(tiles) * side**2 <= budget_px // 2:
            break
    remaining = max(0, budget_px // side**2 - len(tiles))
    total = sum(grid.height * grid.width for grid in grids)
    for index, grid in enumerate(grids):
        share = round(remaining * grid.height * grid.width / total)
        for window in spread_windows(*grid.shape, side, share) if share else []:
            tiles.add((index, window.row // side, window.col // side))
    return [
        (index, Window(row * side, col * side, side, side).clip(*grids[index].shape))
        for index, row, col in sorted(tiles)
    ]


def _region(
    pixels: tuple[Float32Array, BoolArray],
    grid: Grid,
    shots: ShotPixels,
    index: int,
    window: Window,
    padded: Window,
) -> TrainingRegion:
    image, valid = pixels
    inside = np.zeros(valid.shape, bool)
    inside[window.relative_to(padded).slices] = True
    inside &= valid
    origin = grid.origin_px
    return TrainingRegion(
        scene=index,
        window=window,
        padded_window=padded,
        origin_px=(origin[0] + padded.row, origin[1] + padded.col),
        image=image,
        valid=valid,
        inside=inside,
        labels=np.where(inside, shots.mask(padded), -1),
        features=np.where(inside, shots.feature_mask(padded), -1),
    )


def keep_usable(
    burnt: list[ShotPixels],
    views: list[xr.DataArray],
    shots: Shots,
    generator: np.random.Generator,
    reporter: Reporter,
) -> list[ShotPixels]:
    """Drop shots on nodata, thin large classes, and report what was dropped.

    Args:
        burnt: Pixels under the shots in each scene.
        views: The scenes.
        shots: The shots.
        generator: Source of the random choice of pixels of classes that have too many.
        reporter: Receives a warning for each kind of shots that are dropped.

    Returns:
        The pixels of each scene that are used.
    """
    usable = []
    nodata = 0
    for pixels, view in zip(burnt, views, strict=True):
        valid = has_data(view, pixels.rows, pixels.cols)
        nodata += int((~valid).sum())
        usable.append(thin(pixels.pick(valid), generator))
    _report_dropped(burnt, shots, nodata, reporter)
    return usable


def count_usable(
    usable: list[ShotPixels], shots: Shots, burnt_px: int, reporter: Reporter
) -> dict[str, int]:
    """Count the usable pixels by class name; two classes must have some.

    Args:
        usable: Usable pixels in each scene.
        shots: The shots.
        burnt_px: Number of pixels under the shots, usable or not.
        reporter: Receives a warning if classes have none.

    Raises:
        ShotsError: If fewer than two classes have a usable pixel.
    """
    counts = {c.name: 0 for c in shots.classes}
    for pixels in usable:
        for name, count in pixels.counts(shots.classes).items():
            counts[name] += count
    taught = set() if shots.library is None else set(shots.library.class_ids)
    present = [c.name for c in shots.classes if counts[c.name] or c.id in taught]
    if burnt_px and not present:
        raise ShotsError(
            f"all {burnt_px} pixels under the shots in '{shots.source}' are nodata in the scene",
            hint="draw shots where the scene has data",
        )
    if len(present) < 2:
        raise ShotsError(
            f"only one class, '{present[0]}', has usable pixels under its shots in the scene",
            hint="draw shots of at least two classes inside the scene",
        )
    absent = [name for name in counts if name not in present]
    if absent:
        reporter.warning(
            "no usable pixel in the scene for "
            + ", ".join(f"'{name}'" for name in absent)
            + ": never mapped"
        )
    return counts


def _report_dropped(burnt: list[ShotPixels], shots: Shots, nodata: int, reporter: Reporter) -> None:
    outside = count_outside(burnt, shots)
    conflicts = sum(pixels.conflicts for pixels in burnt)
    if shots.skipped:
        reporter.warning(f"shots left out: {', '.join(shots.skipped)}")
    if outside:
        reporter.warning(f"{outside} of {len(shots.frame)} shots lie outside the scene")
    if conflicts:
        reporter.warning(f"{conflicts} pixels dropped because two classes claim them")
    if nodata:
        reporter.warning(f"{nodata} pixels under shots are nodata and were dropped")
