"""Training regions of a preview: a part of a large scene, with every k-th pixel of it, and pixels around other shots.

The regions of a preview are in the rows and columns of a lattice: cell (i, j) is the block of k x k pixels of the
scene from row k i and column k j. Each cell has the spectrum of its middle pixel, or of a shot in it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import xarray as xr

from hsi_geo import stages
from hsi_geo.arrays import BoolArray, Float32Array, IntArray
from hsi_geo.io.labels.several_scenes import burn_each
from hsi_geo.io.labels.shot_pixels import ShotPixels
from hsi_geo.io.labels.shots import Shots
from hsi_geo.io.scenes.properties import grid_of
from hsi_geo.io.scenes.scene import scene_from_array
from hsi_geo.io.scenes.windows import read_window
from hsi_geo.models.whitening import SpectralStats
from hsi_geo.progress import Reporter
from hsi_geo.tasks.adaptation.region_cutting import MARGIN_PX, count_usable, keep_usable
from hsi_geo.tasks.adaptation.scene_reads import SceneReads
from hsi_geo.tasks.adaptation.training_regions import TrainingRegion, TrainingRegions
from hsi_geo.tiling import Grid, Window

#: Most pixels of the part that is shown.
PREVIEW_PX = 12_000

#: Side of the tiles around shots outside of that part, in cells, and most tiles.
TILE_CELLS, MAX_TILES = 8, 60


@dataclass(frozen=True, slots=True)
class Lattice:
    """Every k-th pixel of a scene.

    Attributes:
        step_px: k, the distance of neighbouring cells in pixels of the scene.
        height: Rows of cells of the whole scene.
        width: Columns of cells of the whole scene.
    """

    step_px: int
    height: int
    width: int

    @classmethod
    def covering(cls, grid: Grid, window: Window) -> Lattice:
        """The finest lattice with which a window has at most `PREVIEW_PX` cells.

        Args:
            grid: Grid of the scene.
            window: The part that is shown.

        Examples:
            >>> from affine import Affine
            >>> scene = Grid(1000, 900, Affine.identity(), None)
            >>> Lattice.covering(scene, scene.window)
            Lattice(step_px=9, height=112, width=100)
        """
        step = math.ceil(math.sqrt(window.height * window.width / PREVIEW_PX))
        while -(-window.height // step) * -(-window.width // step) > PREVIEW_PX:
            step += 1
        return cls(step, -(-grid.height // step), -(-grid.width // step))

    def cells(self, window: Window) -> Window:
        """The cells that a window of the scene touches.

        Args:
            window: Pixels of the scene.
        """
        k = self.step_px
        row, col = window.row // k, window.col // k
        end_row, end_col = (
            -(-(window.row + window.height) // k),
            -(-(window.col + window.width) // k),
        )
        return Window(row, col, end_row - row, end_col - col).clip(self.height, self.width)

    def grid(self, scene: Grid, cells: Window) -> Grid:
        """Grid of some cells.

        Args:
            scene: Grid of the scene.
            cells: The cells.
        """
        k = self.step_px
        corner = scene.transform_of(Window(cells.row * k, cells.col * k, 1, 1))
        return Grid(cells.height, cells.width, corner @ type(corner).scale(k), scene.crs)


def cut_preview_regions(
    reads: SceneReads,
    shots: Shots,
    lattice: Lattice,
    shown: Window,
    *,
    seed: int,
    reporter: Reporter,
) -> TrainingRegions:
    """Read the pixels of a preview.

    Args:
        reads: One scene, with what was read from it before.
        shots: Labelled features, in any CRS.
        lattice: Cells of the preview.
        shown: Cells that are shown; they are the first region.
        seed: Seed of the random choice of pixels of classes that have too many.
        reporter: Receives a warning for each kind of shots that are dropped.

    Returns:
        The regions; each has a view of its own, which holds its pixels and their margin.

    Raises:
        SceneError: If the scene has no data.
        ShotsError: If fewer than two classes have a usable pixel.
    """
    (view,) = reads.views
    burnt = burn_each(shots, [grid_of(view)])
    usable = keep_usable(burnt, [view], shots, np.random.default_rng(seed), reporter)
    counts = count_usable(usable, shots, len(burnt[0]), reporter)
    spectral = reads.spectral(reporter)
    placed = _Placed.of(usable[0], lattice)
    regions: list[TrainingRegion] = []
    views: list[xr.DataArray] = []
    parts = [shown, *_tiles(placed, lattice, shown)]
    for number, cells in enumerate(parts):
        reporter.progress(stages.READING, number, len(parts))
        padded = cells.grow(MARGIN_PX).clip(lattice.height, lattice.width)
        image, valid = _read(view, lattice, padded, placed)
        inside = np.zeros(valid.shape, bool)
        inside[cells.relative_to(padded).slices] = True
        if regions:  # cells that are shown count once
            inside &= ~_overlap(shown, padded)
        inside &= valid
        regions.append(
            TrainingRegion(
                scene=len(views),
                window=cells.relative_to(padded),
                padded_window=Window(0, 0, *padded.shape),
                origin_px=(padded.row, padded.col),
                image=image,
                valid=valid,
                inside=inside,
                labels=np.where(inside, placed.pixels.mask(padded), -1),
                features=np.where(inside, placed.pixels.feature_mask(padded), -1),
            )
        )
        views.append(_in_memory(image, valid, spectral))
    kept = [regions[0], *(region for region in regions[1:] if region.inside.any())]
    return TrainingRegions(tuple(kept), tuple(views), spectral, shots.classes, counts)


@dataclass(frozen=True, eq=False)
class _Placed:
    """Shots on a lattice, at most one pixel a cell.

    Attributes:
        pixels: The shots, with rows and columns of cells.
        rows: (n,) row of the scene that each lies in.
        cols: (n,) column of the scene.
    """

    pixels: ShotPixels
    rows: IntArray
    cols: IntArray

    @classmethod
    def of(cls, pixels: ShotPixels, lattice: Lattice) -> _Placed:
        """Place the pixels of shots on a lattice; of several in a cell the one of the rarest class stays."""
        k = lattice.step_px
        rows, cols = pixels.rows // k, pixels.cols // k
        count = np.bincount(pixels.class_ids)[pixels.class_ids]
        order = np.lexsort((np.arange(len(pixels)), count))
        _, first = np.unique((rows * lattice.width + cols)[order], return_index=True)
        kept = np.sort(order[first])
        on_cells = ShotPixels(rows[kept], cols[kept], pixels.class_ids[kept], pixels.features[kept])
        return cls(on_cells, pixels.rows[kept], pixels.cols[kept])


def _tiles(placed: _Placed, lattice: Lattice, shown: Window) -> list[Window]:
    """Tiles of cells around shots that are not shown; where there are too many, those of each class in turn."""
    pixels = placed.pixels
    outside = ~_contains(shown, pixels.rows, pixels.cols)
    by_class: list[list[tuple[int, int]]] = []
    for class_id in np.unique(pixels.class_ids[outside]):
        own = outside & (pixels.class_ids == class_id)
        pairs = zip(pixels.rows[own] // TILE_CELLS, pixels.cols[own] // TILE_CELLS, strict=True)
        by_class.append(list(dict.fromkeys((int(row), int(col)) for row, col in pairs)))
    chosen: dict[tuple[int, int], None] = {}
    for turn in range(max(map(len, by_class), default=0)):
        for tiles in by_class:
            if turn < len(tiles) and len(chosen) < MAX_TILES:
                chosen[tiles[turn]] = None
    return [
        Window(row * TILE_CELLS, col * TILE_CELLS, TILE_CELLS, TILE_CELLS).clip(
            lattice.height, lattice.width
        )
        for row, col in sorted(chosen)
    ]


def _contains(window: Window, rows: IntArray, cols: IntArray) -> BoolArray:
    below, right = window.row + window.height, window.col + window.width
    inside = (rows >= window.row) & (rows < below) & (cols >= window.col) & (cols < right)
    return np.asarray(inside, bool)


def _overlap(window: Window, frame: Window) -> BoolArray:
    """(h, w) which cells of a frame belong to a window."""
    rows = np.arange(frame.row, frame.row + frame.height)[:, None]
    cols = np.arange(frame.col, frame.col + frame.width)[None, :]
    return _contains(window, rows, cols)


def _read(
    view: xr.DataArray, lattice: Lattice, cells: Window, placed: _Placed
) -> tuple[Float32Array, BoolArray]:
    """(C, h, w) spectra of cells, and (h, w) which of them have data."""
    k = lattice.step_px
    height, width = view.shape[-2:]
    if k == 1:
        return read_window(view, cells)
    image = np.zeros((view.shape[0], *cells.shape), np.float32)
    valid = np.zeros(cells.shape, bool)
    middle_cols = np.minimum(np.arange(cells.col, cells.col + cells.width) * k + k // 2, width - 1)
    first, last = int(middle_cols[0]), int(middle_cols[-1])
    for number in range(cells.height):
        row = min((cells.row + number) * k + k // 2, height - 1)
        line, has = read_window(view, Window(row, first, 1, last - first + 1))
        image[:, number], valid[number] = (
            line[:, 0, middle_cols - first],
            has[0, middle_cols - first],
        )
    pixels = placed.pixels
    for index in np.flatnonzero(_contains(cells, pixels.rows, pixels.cols)):
        one, _ = read_window(view, Window(int(placed.rows[index]), int(placed.cols[index]), 1, 1))
        at = int(pixels.rows[index]) - cells.row, int(pixels.cols[index]) - cells.col
        image[:, at[0], at[1]], valid[at] = one[:, 0, 0], True
    return image, valid


def _in_memory(image: Float32Array, valid: BoolArray, spectral: SpectralStats) -> xr.DataArray:
    """A scene of some pixels, which the encoder reads."""
    values = np.where(valid, image, np.float32(np.nan))
    return scene_from_array(values, spectral.centres_nm, fwhm_nm=spectral.fwhm_nm, name="preview")
