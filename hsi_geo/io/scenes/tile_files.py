"""Files of one tile: names of the same file, a cube and its header, and files that are read with another one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hsi_geo.io.files.paths import exists, real_path
from hsi_geo.io.files.side_files import RASTERS, beside_input
from hsi_geo.io.readers.raster import data_of_header

#: Endings of files that hold no pixels of a scene: georeferencing, statistics, names, styles, pyramids, masks.
_SIDE_ENDS = (".aux.xml", ".aux", ".qml", ".prj", ".tfw", ".tifw", ".wld", ".ovr", ".msk", ".hdr")


def tile_key(name: str) -> str:
    """A key that is the same for all names of a tile: that of its file, and for an ENVI header that of the cube.

    Args:
        name: Path of a file, or another name of a scene.
    """
    if not exists(name):
        return name
    return real_path(data_of_header(name) if Path(name).is_file() else name)


def is_cube_header(name: str) -> bool:
    """Whether a file is the header of an ENVI cube, and not one beside a GeoTIFF or without a cube.

    Args:
        name: Path of a file, or another name of a scene.
    """
    cube = data_of_header(name) if exists(name) else name
    return cube != name and not cube.lower().endswith(RASTERS)


def side_files_among(names: Sequence[str]) -> set[str]:
    """The files that are read with another one of some files, and are no tiles by themselves.

    Args:
        names: Paths of files, and other names of scenes.
    """
    every = set(names)
    doubtful = {
        name
        for name in every
        if name.lower().endswith(_SIDE_ENDS) and exists(name) and data_of_header(name) == name
    }
    if not doubtful:
        return set()
    read_with: set[str] = set()
    for name in every - doubtful if len(every) > len(doubtful) else every:
        read_with.update(str(path) for path in beside_input(Path(name)) if str(path) != name)
    return doubtful & read_with
