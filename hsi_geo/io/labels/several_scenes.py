"""Shots that are spread over several scenes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hsi_geo.errors import ShotsError
from hsi_geo.io.labels.shot_pixels import ShotPixels, burn, to_grid
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
    burnt: list[ShotPixels] = []
    failures: list[ShotsError] = []
    for grid in grids:
        try:
            burnt.append(burn(shots, grid))
        except ShotsError as error:
            failures.append(error)
            burnt.append(ShotPixels(none, none, none, none, outside=len(shots.frame)))
    if len(failures) == len(grids):
        raise failures[0]
    return burnt


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
