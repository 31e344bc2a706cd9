"""Flags of NEON's reflectance files: ATCOR's map of haze, clouds and water.

Source of the codes: the class table of NEON's product DP3.30006.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hsi_geo.io.readers.base import Pixels
from hsi_geo.io.readers.hdf5_access import other_size_warning
from hsi_geo.io.readers.quality_layers import (
    CIRRUS,
    CLOUDS,
    HAZE,
    QUALITY,
    SHADOWS,
    SNOW,
    WATER,
    ArrayFlags,
    FlagCode,
    QualityLayer,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    import h5py

#: Place of the map below the group of the reflectance.
FLAG_MAP = "Metadata/Ancillary_Imagery/Haze_Cloud_Water_Map"

#: Number of pixels that the map does not cover: byte layers cannot hold the declared -9999.
_OUTSIDE = (0, 241, 255)

#: Flag, its kind, and its codes. The shadows of mountains (21) and bright ground (20) stay.
_CODES: tuple[tuple[str, str, tuple[float, ...]], ...] = (
    ("cloud", CLOUDS, (15, 16)),
    ("cirrus", CIRRUS, (2, 3, 4, 8, 9, 10, 18, 19)),
    ("shadow", SHADOWS, (1, 22)),
    ("haze", HAZE, (11, 12, 13, 14)),
    ("snow", SNOW, (7,)),
    ("water", WATER, (17,)),
    ("saturated", QUALITY, (6,)),
)


def neon_flags(
    group: h5py.Group, shape: tuple[int, int], pixels_of: Callable[[str], Pixels]
) -> tuple[tuple[QualityLayer, ...], tuple[str, ...]]:
    """The flags of a file.

    Args:
        group: Group of the reflectance, such as ``SJER/Reflectance``.
        shape: (rows, columns) of the scene.
        pixels_of: Function from the path of a dataset below the group to its pixels.

    Returns:
        layers: The flags; none if the file has no map of them, or one that cannot be used.
        warnings: Why it cannot, in one sentence; none if it can.
    """
    found = group.get(FLAG_MAP)
    if found is None:
        return (), ()
    name, own = FLAG_MAP.rsplit("/", 1)[-1], getattr(found, "shape", ())
    if own != shape:
        return (), (other_size_warning(name, own, shape),)
    if found.dtype.kind not in "iuf":
        return (), (f"its '{name}' holds no numbers: not used",)
    pixels = pixels_of(FLAG_MAP)
    layers = tuple(
        QualityLayer(flag, kind, ArrayFlags(pixels, 0, FlagCode(values=codes, unknown=_OUTSIDE)))
        for flag, kind, codes in _CODES
    )
    return layers, ()
