"""Where the probabilities of a scene go while it is mapped: straight to the map, or through its cleaning."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import shapely
import xarray as xr

from hsi_geo.arrays import BoolArray, Float32Array
from hsi_geo.io.files.scratch import scratch_folder
from hsi_geo.io.labels.pixel_centres import area_mask
from hsi_geo.io.maps.writer import MapWriter
from hsi_geo.io.scenes.neighbours import HaloScene
from hsi_geo.io.scenes.properties import grid_of
from hsi_geo.io.scenes.windows import read_window
from hsi_geo.tasks.inference.cleaning import CleaningWriter
from hsi_geo.tasks.inference.options import MinArea
from hsi_geo.tiling import Grid, Window


@dataclass(frozen=True, slots=True)
class MapOutput:
    """The part of the strips' pixels that is written.

    Attributes:
        core: Pixels that are written, counted in the scene that the strips read.
        validity: (C, height, width) view that determines where the core has data; None if the strips' own validity
            does.
    """

    core: Window
    validity: xr.DataArray | None = None

    def crop(self, window: Window, probabilities: Float32Array) -> tuple[Window, Float32Array]:
        """The pixels of a window inside the core, counted in the core; there may be none."""
        moved = window.relative_to(self.core)
        inside = moved.clip(*self.core.shape)
        rows, cols = inside.relative_to(moved).slices
        kept = probabilities[:, rows, cols]
        if self.validity is not None and kept.size:
            valid = read_window(self.validity, inside)[1]
            kept = np.where(valid, kept, np.float32(0.0))
        return inside, kept


@dataclass(frozen=True, slots=True)
class MapSink:
    """Receives the probabilities of a scene.

    Attributes:
        output: The part of the scene's pixels that is given to `write`.
        mapped: The tile in its halo, with the pixels that are mapped as its core; None to map the whole scene.
        write: Function that takes a window of the output, and the probabilities of its pixels.
        cleaner: Cleaning of the map; None if it is written at once.
    """

    output: MapOutput
    mapped: HaloScene | None
    write: Callable[[Window, Float32Array], None]
    cleaner: CleaningWriter | None = None

    def finish(self) -> int | None:
        """Write what was kept back.

        Returns:
            Number of pixels whose class was changed by cleaning; None without cleaning.
        """
        return None if self.cleaner is None else self.cleaner.finish()


@contextmanager
def map_sink(
    writer: MapWriter,
    padded: xr.DataArray,
    halo: HaloScene | None,
    view: xr.DataArray,
    min_area: MinArea | None,
) -> Iterator[MapSink]:
    """Make what receives the probabilities of a scene.

    Args:
        writer: Writer of the map.
        padded: (C, H, W) scene that is mapped: with its halo, if it has one.
        halo: The scene with the adjacent pixels of its neighbours; None for none.
        view: (C, height, width) scene without its halo.
        min_area: Least area of a patch; None if the map is not cleaned.

    Yields:
        The sink. Its temporary files are removed afterwards.
    """
    output = MapOutput(writer.grid.window)
    if halo is not None:
        output = MapOutput(halo.core, view if halo.overlapped else None)
    if min_area is None:
        yield MapSink(output, halo, writer.write)
        return
    grid, valid = grid_of(padded), output.validity
    with scratch_folder() as folder:
        cleaner = CleaningWriter(
            writer,
            min_area,
            grid,
            output.core,
            None if valid is None else lambda window: read_window(valid, window)[1],
            folder,
        )
        mapped = halo
        if halo is not None:  # what a patch is given to may lie in the margin
            core = halo.core.grow(cleaner.margin_px).clip(*grid.shape)
            mapped = dataclasses.replace(halo, core=core)
        yield MapSink(MapOutput(grid.window), mapped, cleaner.write, cleaner)


def requested_mask(
    area: shapely.Geometry | None, grid: Grid, halo: HaloScene | None, window: Window
) -> BoolArray | None:
    """Mask of the pixels of a window whose classes are needed, None for all pixels."""
    mask = None if halo is None else halo.core_mask(window)
    if area is None:
        return mask
    inside = area_mask(area, grid, window)
    return inside if mask is None else inside & mask
