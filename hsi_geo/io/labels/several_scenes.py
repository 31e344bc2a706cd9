"""Shots that are spread over several scenes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hsi_geo.errors import ShotsError
from hsi_geo.io.labels.shot_pixels import ShotPixels, burn
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
    burnt: list[ShotPixels] = []
    failures: list[ShotsError] = []
    for grid in grids:
        try:
            burnt.append(burn(shots, grid))
        except ShotsError as error:
            failures.append(error)
            none = np.empty(0, np.int64)
            burnt.append(ShotPixels(none, none, none, none, outside=len(shots.frame)))
    if len(failures) == len(grids):
        raise failures[0]
    return burnt
