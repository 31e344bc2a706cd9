"""The Ocean Color Instrument (OCI) of PACE: L1B, whose bands are in three cubes. L2 is read as CF netCDF.

Layout: NASA's OCI Level-1B data structure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from affine import Affine

from hsi_geo.io.readers.base import PickedPixels, SceneFile, StackedPixels, blocks_of, per_band
from hsi_geo.io.readers.hdf5_access import cube_of, names_in, numbers, sizes_of, swath_of
from hsi_geo.io.readers.quality_layers import (
    QUALITY,
    FlagCode,
    MostBandsFlags,
    QualityLayer,
)
from hsi_geo.tiling import Grid
from hsi_geo.wavelengths import DeclaredBands

if TYPE_CHECKING:
    import h5py

#: Group of the cubes, their parts, and their names: reflectance at the top of the atmosphere, or radiance.
CUBES, PARTS, KINDS = "observation_data", ("blue", "red", "SWIR"), ("rhot", "Lt")

#: Side of a pixel below the satellite, in metres.
PIXEL_M = 1200.0

#: Width of the bands of the blue and the red detector in nm; the file states that of the SWIR bands.
_WIDTH_NM = 5.0

#: Value of pixels without data, if a cube states none.
_FILL = -32767.0


def is_pace_l1b(file: h5py.File) -> bool:
    """Whether a file has one of the cubes of OCI's L1B.

    Args:
        file: The open file.
    """
    return any(f"{kind}_{part}" in names_in(file, CUBES) for part in PARTS for kind in KINDS)


def read_pace_l1b(file: h5py.File, path: str) -> SceneFile:
    """Describe a granule: the cubes of the detectors (bands x rows x columns) as one.

    Bands of the blue and the red detector overlap by some nm, and two SWIR bands are there twice, with two gains:
    all are kept.

    Args:
        file: The open file.
        path: Path of the file.
    """
    cubes, centres, widths, nodata, scale, offset = [], [], [], [], [], []
    names = names_in(file, CUBES)
    kind = next(kind for kind in KINDS if any(f"{kind}_{part}" in names for part in PARTS))
    quality: list[QualityLayer] = []
    warnings: list[str] = []
    for part in PARTS:
        listed = numbers(file[f"sensor_band_parameters/{part}_wavelength"][()])
        pixels, data = cube_of(file, path, f"{CUBES}/{kind}_{part}", "byx", len(listed))
        count = sizes_of(data.shape, pixels.order)[0]
        passes = f"sensor_band_parameters/{part}_bandpass"
        fwhm = numbers(file[passes][()]) if passes in file else np.full(count, _WIDTH_NM)
        if len(listed) != count or len(fwhm) != count:
            raise ValueError(
                f"'{part}_wavelength' has {len(listed)} entries and {kind}_{part} {count} bands"
            )
        flags = _saturated(file, path, part, data.shape, pixels.order)
        quality += [flags] if isinstance(flags, QualityLayer) else []
        warnings += [flags] if isinstance(flags, str) else []
        cubes.append((pixels, data))
        centres.append(listed)
        widths.append(fwhm)
        nodata.append(per_band(data.attrs.get("_FillValue", _FILL), count))
        scale.append(per_band(data.attrs.get("scale_factor", 1.0), count))
        offset.append(per_band(data.attrs.get("add_offset", 0.0), count))
    shapes = {sizes_of(data.shape, pixels.order)[1:] for pixels, data in cubes}
    if len(shapes) > 1:
        raise ValueError("the cubes of the detectors have different numbers of pixels")
    height, width = shapes.pop()
    nm = np.concatenate(centres)
    kept = np.flatnonzero(nm > 0)
    places = "geolocation_data/longitude", "geolocation_data/latitude"
    stacked = StackedPixels(
        tuple(pixels for pixels, _ in cubes),
        tuple(sizes_of(data.shape, pixels.order)[0] for pixels, data in cubes),
    )
    return SceneFile(
        name=path,
        driver="PACE OCI L1B" if kind == KINDS[0] else "PACE OCI L1B radiance",
        grid=Grid(height, width, Affine.identity(), None),
        geolocation=swath_of(file, path, places, (height, width), PIXEL_M),
        found=DeclaredBands(
            nm[kept], "nm", "blue, red and SWIR wavelength", np.concatenate(widths)[kept]
        ),
        dtype=np.result_type(*(data.dtype for _, data in cubes)),
        nodata=np.concatenate(nodata)[kept],
        scale=np.concatenate(scale)[kept],
        offset=np.concatenate(offset)[kept],
        pixels=PickedPixels(stacked, kept),
        quality=tuple(quality),
        warnings=tuple(warnings),
        block_px=blocks_of(cubes[0][1].chunks, cubes[0][0].order),
    )


def _saturated(
    file: h5py.File, path: str, part: str, shape: tuple[int, ...], order: str
) -> QualityLayer | str | None:
    """The flag of pixels where most bands of a detector are saturated; a warning if it cannot be used."""
    name = f"qual_{part}"
    if name not in names_in(file, CUBES):
        return None
    found = getattr(file[f"{CUBES}/{name}"], "shape", ())
    if found != shape:
        sizes = (" x ".join(map(str, one)) or "one" for one in (found, shape))
        return "its '{}' has {} numbers and the cube {}: not used".format(name, *sizes)
    pixels, data = cube_of(file, path, f"{CUBES}/{name}", order)
    if data.dtype.kind not in "iu":
        return f"its '{name}' holds no flags: not used"
    bands = int(shape[order.index("b")])
    return QualityLayer(
        "saturated", QUALITY, MostBandsFlags(pixels, bands, FlagCode(bits=1, unknown=(255,)))
    )
