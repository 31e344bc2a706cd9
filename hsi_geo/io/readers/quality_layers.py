"""Flags that a product has for its pixels: clouds, shadows, water, defects."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np
import rasterio
import rasterio.windows
from rasterio.errors import RasterioError

from hsi_geo.arrays import AnyArray, BoolArray, IndexArray
from hsi_geo.errors import SceneError
from hsi_geo.io.files.paths import stamp
from hsi_geo.io.files.references import require_local
from hsi_geo.io.readers.gdal import open_raster, quiet_gdal
from hsi_geo.io.readers.handles import opened
from hsi_geo.io.readers.masks import find_mask
from hsi_geo.tiling import Grid, Window, blocks

if TYPE_CHECKING:
    from hsi_geo.io.readers.base import Pixels

#: What flags can mean; these are the words of the option ``mask``.
CLOUDS: Final = "clouds"
CIRRUS: Final = "cirrus"
SHADOWS: Final = "shadows"
HAZE: Final = "haze"
SNOW: Final = "snow"
WATER: Final = "water"
QUALITY: Final = "quality"
KINDS = (CLOUDS, CIRRUS, SHADOWS, HAZE, SNOW, WATER, QUALITY)

#: What is masked unless the user chooses. Snow and water are classes of land cover.
AUTO_KINDS = (CLOUDS, CIRRUS, SHADOWS, HAZE, QUALITY)

#: Kinds by a word in the name of a flag; the first that matches.
_WORDS = (
    (r"shadow", SHADOWS),
    (r"cirrus", CIRRUS),
    (r"haze|aerosol_plume", HAZE),
    (r"cloud|cldice", CLOUDS),
    (r"snow|(^|_)ice(_|$)", SNOW),
    (r"water|ocean|(^|_)sea(_|$)", WATER),
    (
        r"defect|invalid|nodata|no_data|saturat|bad_|dead|spacecraft|atmfail|navfail|hilt|artefact|artifact",
        QUALITY,
    ),
)

#: Pixels of a layer that are read at a time to count flags.
COUNTED_PX = 1 << 22


class Flags(Protocol):
    """A flag for each pixel of a scene, read window by window. Objects can be pickled."""

    def read(self, window: Window) -> tuple[BoolArray, BoolArray]:
        """Read a window.

        Args:
            window: Window inside the scene's grid.

        Returns:
            flagged: (height, width) True where the flag is set.
            known: (height, width) False where the layer says nothing.
        """


class BandFlags(Protocol):
    """A flag for each band of each pixel of a scene. Objects can be pickled."""

    def read_bands(self, bands: IndexArray, window: Window) -> BoolArray:
        """Read some bands of a window.

        Args:
            bands: (B,) indices from 0, in any order.
            window: Window inside the scene's grid.

        Returns:
            (B, height, width) True where the value of a band is flagged.
        """


@dataclass(frozen=True, slots=True)
class QualityLayer:
    """A flag of each pixel of a product.

    Attributes:
        flag: Meaning of the flag, such as "cloud over water".
        kind: What it means, one of `KINDS`.
        flags: Reads the flag on the grid of the scene.
        by_band: Reads the flags of single bands, whose values are missing; None if the layer has none.
    """

    flag: str
    kind: str
    flags: Flags
    by_band: BandFlags | None = None


@dataclass(frozen=True, slots=True)
class FlagCode:
    """Which numbers of a layer flag a pixel.

    Attributes:
        values: Numbers that flag; None for all but 0.
        bits: Only these bits of a number count; None if all do.
        unknown: Numbers that say nothing of a pixel.

    Example:
        >>> flagged, known = FlagCode(bits=4, unknown=(255,)).decode(np.array([[4, 3, 6, 255]]))
        >>> flagged.tolist(), known.tolist()
        ([[True, False, True, False]], [[True, True, True, False]])
    """

    values: tuple[float, ...] | None = None
    bits: int | None = None
    unknown: tuple[float, ...] = ()

    def decode(self, stored: AnyArray) -> tuple[BoolArray, BoolArray]:
        """Find the flagged pixels.

        Args:
            stored: (height, width) numbers of the layer.

        Returns:
            flagged: (height, width) True where the flag is set.
            known: (height, width) False where the layer says nothing.
        """
        known = ~np.isin(stored, self.unknown)
        if stored.dtype.kind == "f":
            known &= np.isfinite(stored)
            stored = np.where(known, stored, 0)
        if self.bits is not None:
            stored = stored.astype(np.int64) & self.bits
        flagged = stored != 0 if self.values is None else np.isin(stored, self.values)
        return flagged & known, known


@dataclass(frozen=True, slots=True)
class RasterFlags:
    """A band of a raster that has the pixels of the scene.

    Attributes:
        path: Name that GDAL opens. It is opened when flags are read.
        band: Number of the band, from 1.
        shape: (rows, columns) of the scene.
        code: Which numbers flag a pixel.
    """

    path: str
    band: int
    shape: tuple[int, int]
    code: FlagCode = FlagCode()

    def read(self, window: Window) -> tuple[BoolArray, BoolArray]:
        """See `Flags.read`.

        Raises:
            SceneError: If the layer cannot be read, or has another size than the scene.
        """
        pixels = rasterio.windows.Window(window.col, window.row, window.width, window.height)
        try:
            with quiet_gdal(self.path):
                key = (self.path, stamp(self.path), "quality")
                source = opened(key, lambda: _open_layer(self.path, self.shape))
                stored = source.read(self.band, window=pixels)
                nodata, mask = source.nodata, find_mask(source)
                valid = None if mask is None else mask.valid(source, [self.band], pixels)[0]
        except (RasterioError, IndexError) as error:
            raise unreadable_layer(self.path, error) from error
        flagged, known = self.code.decode(stored)
        if nodata not in (None, 0):
            known &= stored != nodata
        if valid is not None:
            known &= valid
        return flagged & known, known


def _open_layer(path: str, shape: tuple[int, int]) -> rasterio.DatasetReader:
    require_local(path, "quality layer", SceneError)
    source = open_raster(path)
    if source.shape != shape:
        found = source.shape
        source.close()
        raise SceneError(
            f"the quality layer '{path}' has {found[0]} x {found[1]} pixels and its scene "
            f"{shape[0]} x {shape[1]}",
            hint="download the product again, or use all pixels with --mask none",
        )
    return source


def unreadable_layer(path: str, error: Exception) -> SceneError:
    """The error for a layer that cannot be read.

    Args:
        path: Name that GDAL opens.
        error: What rasterio raised.
    """
    lines = str(error.__cause__ or error).strip().splitlines() or [type(error).__name__]
    return SceneError(
        f"the quality layer '{path}' cannot be read ({lines[0].rstrip('.')})",
        hint="download or unpack the product again, or use all pixels with --mask none",
    )


@dataclass(frozen=True, eq=False)
class ArrayFlags:
    """A band of an array that is on the grid of the scene, such as a dataset in HDF5.

    Attributes:
        pixels: Reads the array.
        band: Index of its band, from 0.
        code: Which numbers flag a pixel.
    """

    pixels: Pixels
    band: int = 0
    code: FlagCode = FlagCode()

    def read(self, window: Window) -> tuple[BoolArray, BoolArray]:
        """See `Flags.read`."""
        return self.code.decode(self.pixels.read(np.array([self.band]), window)[0])


@dataclass(frozen=True, eq=False)
class MostBandsFlags:
    """A cube with a number for each band of each pixel, which flags pixels where most bands are flagged.

    Attributes:
        pixels: Reads the cube.
        bands: Number of its bands.
        code: Which numbers flag a band of a pixel.
    """

    pixels: Pixels
    bands: int
    code: FlagCode = FlagCode()

    def read(self, window: Window) -> tuple[BoolArray, BoolArray]:
        """See `Flags.read`."""
        flagged, known = self.code.decode(self.pixels.read(np.arange(self.bands), window))
        return 2 * flagged.sum(axis=0) > self.bands, known.any(axis=0)


@dataclass(frozen=True, eq=False)
class AppliedMask:
    """The flags that are applied to a scene.

    Attributes:
        option: The option that chose them, such as "auto".
        layers: The flags; a pixel with one of them is masked.
        grid: Grid of the scene that they belong to.
        file: Path of the user's mask; None without one.
    """

    option: str
    layers: tuple[QualityLayer, ...]
    grid: Grid
    file: str | None = None

    def read(self, window: Window) -> BoolArray:
        """(height, width) True for the masked pixels of a window.

        Args:
            window: Window inside the scene's grid.
        """
        masked = np.zeros(window.shape, bool)
        for layer in self.layers:
            masked |= layer.flags.read(window)[0]
        return masked

    def read_bands(self, bands: IndexArray, window: Window) -> BoolArray | None:
        """(B, height, width) True for the flagged values of single bands; None if no layer has any.

        Args:
            bands: (B,) indices from 0, in any order.
            window: Window inside the scene's grid.
        """
        found = [layer.by_band for layer in self.layers if layer.by_band is not None]
        if not found:
            return None
        return np.asarray(np.logical_or.reduce([one.read_bands(bands, window) for one in found]))


@dataclass(frozen=True, slots=True)
class FlagCounts:
    """Number of flagged pixels.

    Attributes:
        pixels: Number of all pixels.
        flagged: Number of pixels with at least one of the flags.
        by_flag: Number of pixels with each flag; a pixel may have several.
        known: Number of pixels of which each layer says something.
    """

    pixels: int
    flagged: int
    by_flag: dict[str, int]
    known: dict[str, int]


def count_flags(layers: tuple[QualityLayer, ...], window: Window) -> FlagCounts:
    """Count the pixels of a window that have flags.

    Args:
        layers: Flags on one grid. Layers of the same name are counted together.
        window: Window inside that grid.
    """
    by_flag = {layer.flag: 0 for layer in layers}
    known = dict(by_flag)
    flagged = 0
    rows = max(1, COUNTED_PX // max(1, window.width)) if layers else window.height
    for part in blocks(window.height, window.width, rows, window.width):
        here = Window(window.row + part.row, window.col + part.col, part.height, part.width)
        any_flag = np.zeros(here.shape, bool)
        for name in by_flag:
            found = [layer.flags.read(here) for layer in layers if layer.flag == name]
            one = np.logical_or.reduce([flags for flags, _ in found])
            any_flag |= one
            by_flag[name] += int(one.sum())
            known[name] += int(np.logical_or.reduce([is_known for _, is_known in found]).sum())
        flagged += int(any_flag.sum())
    return FlagCounts(window.height * window.width, flagged, by_flag, known)


def kind_of_flag(name: str) -> str | None:
    """What a flag means, by its name; None if it is none of `KINDS`.

    Args:
        name: Name of a flag as products write it.

    Example:
        >>> kind_of_flag("Dilated Cloud Flag"), kind_of_flag("CLOUD_SHADOW"), kind_of_flag("LAND")
        ('clouds', 'shadows', None)
    """
    plain = re.sub(r"[^a-z0-9]+", "_", name.lower())
    return next((kind for pattern, kind in _WORDS if re.search(pattern, plain)), None)
