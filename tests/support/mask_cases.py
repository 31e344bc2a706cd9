"""Places of flags in a small scene, an EnMAP product that has them, and what a mask takes away."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from builders import physical, write_tif
from product_cases import ENMAP, write_enmap

from hsi_geo.arrays import AnyArray
from hsi_geo.io.scenes.scene import open_scene

SHAPE = (5, 7)

#: A pixel of its own for each kind, and one that has two flags.
PLACES = {
    "clouds": [(0, 1), (4, 6)],
    "cirrus": [(1, 0)],
    "shadows": [(2, 5)],
    "haze": [(3, 2), (4, 6)],
    "snow": [(0, 4)],
    "water": [(4, 0)],
    "quality": [(2, 2)],
}


def at(*kinds: str) -> AnyArray:
    """(5, 7) True where one of the kinds is flagged."""
    found = np.zeros(SHAPE, bool)
    for kind in kinds:
        for place in PLACES[kind]:
            found[place] = True
    return found


def enmap(folder: Path) -> Path:
    path = write_enmap(folder)
    names = {"clouds": "CLOUD", "shadows": "CLOUDSHADOW", "cirrus": "CIRRUS", "haze": "HAZE"}
    for kind, name in {**names, "snow": "SNOW"}.items():
        write_tif(path / f"{ENMAP}-QL_QUALITY_{name}.TIF", 2 * at(kind)[None].astype("uint8"))
    classes = np.where(at("water"), 2, 1).astype("uint8")  # land is 1
    write_tif(path / f"{ENMAP}-QL_QUALITY_CLASSES.TIF", classes[None])
    defects = np.where(at("quality"), 1, np.zeros((7, 1, 1))).astype("uint8")
    defects[2, at("quality")] = 0
    write_tif(path / f"{ENMAP}-QL_PIXELMASK.TIF", defects)
    return path


def masked(path: Path, mask: str) -> AnyArray:
    """Pixels that the option takes away."""
    return physical(open_scene(path, mask="none"))[1] & ~physical(open_scene(path, mask=mask))[1]
