"""Shots that are spread over several scenes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hsi_geo.io.labels.shot_pixels import ShotPixels, burn, find_pixels, to_grid
from hsi_geo.io.labels.shots import Shots
from hsi_geo.tiling import Grid


def burn_each(shots: Shots, grids: Sequence[Grid]) -> list[ShotPixels]:
    """Labelled pixels of each scene; a scene without shots has none.

    Args:
        shots: Labelled geometries in any CRS.
        grids: Grid of each scene, one or more.

    Raises:
        ShotsError: If no shot lies in any of the scenes.
    """
    none = np.empty(0, np.int64)
    if _are_library_only(shots):
        return [ShotPixels(none, none, none, none) for _ in grids]
    burnt = [find_pixels(shots, grid) for grid in grids]
    if not any(map(len, burnt)):
        # Of scenes without a shot, that with shots of two classes on its pixels tells more.
        first = next((i for i, pixels in enumerate(burnt) if pixels.conflicts), 0)
        burn(shots, grids[first])  # raises the error that says why
    return burnt


def count_outside(burnt: Sequence[ShotPixels], shots: Shots) -> int:
    """Number of shots that lie in no scene.

    Args:
        burnt: Pixels of each scene, from `burn_each`.
        shots: The shots.
    """
    inside = np.concatenate([pixels.inside for pixels in burnt])
    return len(shots.frame) - len(np.unique(inside))


def require_overlap(shots: Shots, grids: Sequence[Grid]) -> None:
    """Refuse shots that all lie outside the scenes, by their extents: no pixel is searched for.

    Args:
        shots: Labelled geometries in any CRS.
        grids: Grid of each scene, one or more.

    Raises:
        ShotsError: If no shot's extent overlaps any of the scenes, or the CRS is missing on one side.
    """
    if _are_library_only(shots):
        return
    for grid in grids:
        left, bottom, right, top = grid.bounds
        extents = to_grid(shots, grid).frame.bounds.to_numpy()
        outside = (extents[:, :2] > (right, top)) | (extents[:, 2:] < (left, bottom))
        if not outside.any(axis=1).all():
            return
    burn_each(shots, grids)  # raises the error that says where they lie


def _are_library_only(shots: Shots) -> bool:
    """Whether shots are spectra of a library alone, without any geometry."""
    return shots.library is not None and shots.frame.empty
