"""Folders and archives with a file for each band, such as Hyperion L1T.

Layout of Hyperion: USGS, EO-1 User Guide 2.3; scaled radiance, 40 a unit in the VNIR and 80 in the SWIR.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import rasterio
from rasterio.errors import RasterioError

from hsi_geo.arrays import Float64Array, IndexArray
from hsi_geo.errors import SceneError
from hsi_geo.io.files.paths import stamp
from hsi_geo.io.files.references import require_local
from hsi_geo.io.readers.band_file_pixels import BandFilePixels
from hsi_geo.io.readers.band_names import parse_band_names
from hsi_geo.io.readers.band_sets import BandFile, BandSet, find_band_sets, left_out
from hsi_geo.io.readers.base import SceneFile, plain
from hsi_geo.io.readers.descriptions import descriptions_of
from hsi_geo.io.readers.gdal import open_raster, quiet_gdal
from hsi_geo.io.readers.masks import Mask, MaskFill, fill_for, find_mask
from hsi_geo.io.readers.packages import Package
from hsi_geo.io.readers.quality_layers import QualityLayer, RasterFlags
from hsi_geo.io.readers.raster_bands import only_band_tags
from hsi_geo.io.readers.raster_description import RasterHead, read_head
from hsi_geo.io.readers.spectral_tags import Tags, find_bands
from hsi_geo.io.readers.stac_sidecar import FolderItems
from hsi_geo.wavelengths import DeclaredBands

#: More files are not opened.
MOST_FILES = 2000

#: A set of files is chosen for its name among those that have at least this part of the largest set's files.
_RIVAL = 0.5

#: Most sets or files that a message names.
_SHOWN = 4

_HYPERION = re.compile(r"^EO1H\d.*_B(\d{3})_L1[A-Z]+", re.IGNORECASE)

#: Hyperion's centres in nm: first band, its centre, and the step, of both detectors.
_VNIR, _SWIR = (1, 355.59, 10.17522), (71, 851.92, 10.08865)

#: Bands of Hyperion that are calibrated, from first to last.
_CALIBRATED = ((8, 57), (77, 224))


def read_band_files(package: Package) -> SceneFile | None:
    """Describe a scene with a file for each band.

    Args:
        package: Files of the folder or archive.

    Returns:
        The scene; its pixels are not read. Without wavelengths in tags, names or a known sensor it has none.
        None if there are no such files.

    Raises:
        SceneError: If files have several bands or different pixels, or cannot be opened; or if several sets
            of files may be the scene.
    """
    sets = find_band_sets(package)
    chosen = _chosen(package.name, sets)
    if chosen is None or _band_count(chosen.files[0]) != 1:
        return None
    files = chosen.files
    if len(files) > MOST_FILES:
        raise SceneError(
            f"scene '{package.name}' has {len(files):,} files of one band each",
            hint=f"give a folder with at most {MOST_FILES:,} of them",
        )
    items = FolderItems([PurePosixPath(file.path).name for file in files])
    heads = [_head(package.name, file, items) for file in files]
    _require_one_place(package.name, files, heads)
    first = heads[0]
    numbers = np.array([file.number for file in files])
    is_hyperion = all(_HYPERION.match(PurePosixPath(file.name).name) for file in files)
    described = parse_band_names([head.description for head in heads]) or [None] * len(heads)
    tags = find_bands(
        {},
        [head.tags for head in heads],
        [head.imagery for head in heads],
        [
            head.description if known else file.wavelength
            for file, head, known in zip(files, heads, described, strict=True)
        ],
    )
    scale = np.concatenate([head.about.values.scale for head in heads])
    if is_hyperion and (scale == 1).all():
        scale = np.where(numbers < _SWIR[0], 1 / 40, 1 / 80)
    calibrated = np.zeros(len(files), bool)
    for low, high in _CALIBRATED:
        calibrated |= (numbers >= low) & (numbers <= high)
    found = tags.found
    if found is None and is_hyperion:
        found = DeclaredBands(hyperion_centres(numbers), "nm", "Hyperion's band numbers")
    stored = _stored(heads)
    quality = tuple(dict.fromkeys(layer for head in heads for layer in head.about.quality))
    beside = left_out(package, chosen, sets, _paths_of(quality))
    beside_notes, beside_warnings = _beside(chosen, beside)
    return SceneFile(
        name=package.name,
        driver="Hyperion L1T" if is_hyperion else "one band a file",
        grid=first.about.grid,
        geolocation=first.about.geolocation,
        found=found,
        found_warnings=tags.found_warnings,
        good=calibrated if is_hyperion else tags.good,
        good_source="Hyperion's calibrated bands" if is_hyperion else tags.good_source,
        dtype=stored.dtype,
        nodata=stored.nodata,
        scale=scale,
        offset=np.concatenate([head.about.values.offset for head in heads]),
        pixels=BandFilePixels(
            tuple(file.path for file in files),
            package.name,
            first.shape,
            stored.dtype.name,
            stamp(files[0].path),
            tuple(head.mask is not None for head in heads),
            stored.fill,
        ),
        block_px=first.block_px,
        packed=any("/vsigzip/" in file.path or _is_packed_tar(file.path) for file in files),
        quality=quality,
        notes=(
            *(() if stored.fill is None else (stored.fill.mask.note,)),
            *(() if is_hyperion else _missing_numbers(files)),
            *beside_notes,
        ),
        warnings=(
            *tags.warnings,
            *dict.fromkeys(warning for head in heads for warning in head.about.warnings),
            *beside_warnings,
        ),
    )


def _chosen(scene: str, sets: Sequence[BandSet]) -> BandSet | None:
    """The largest set, without those that are named like uncertainties or masks; None without sets.

    Raises:
        SceneError: If several sets are equally large.
    """
    rivals = [one for one in sets if len(one.files) >= _RIVAL * len(sets[0].files)]
    rivals = [one for one in rivals if not one.is_auxiliary] or rivals
    largest = [one for one in rivals if len(one.files) == len(rivals[0].files)]
    if len(largest) > 1:  # previews of several bands are no files of one band
        largest = [one for one in largest if _band_count(one.files[0]) in (1, None)]
    if len(largest) < 2:
        return next(iter(largest), None)
    raise SceneError(
        f"scene '{scene}' has {len(largest)} sets of {len(largest[0].files)} files of one band each: "
        f"{_listed([repr(one.pattern) for one in largest])}",
        hint="move the files of one set to a folder of their own, and give that folder",
    )


def _paths_of(quality: Sequence[QualityLayer]) -> set[str]:
    return {layer.flags.path for layer in quality if isinstance(layer.flags, RasterFlags)}


def _beside(chosen: BandSet, found: Mapping[str, bool]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Notes and warnings about files that are not read, and about the names of those that are."""
    measured, auxiliary = (
        [name for name, is_auxiliary in found.items() if is_auxiliary == wanted]
        for wanted in (False, True)
    )
    warnings = []
    if chosen.is_auxiliary:
        warnings.append(
            f"its files '{chosen.pattern}' are named like uncertainties, masks or flags, and are read as the scene"
        )
    if measured:
        warnings.append(
            f"it reads the {len(chosen.files)} files '{chosen.pattern}', and not {_listed(measured)}"
        )
    notes = (f"it does not read {_listed(auxiliary)}",) if auxiliary else ()
    return notes, tuple(warnings)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + ", ..." * (len(names) > _SHOWN)


def _missing_numbers(files: Sequence[BandFile]) -> tuple[str, ...]:
    """A note on the bands that are left out between others; none for numbers that are no simple count."""
    numbers = np.array([file.number for file in files])
    counts = (numbers % 1 == 0).all() and not any(
        file.wavelength.startswith(f"{file.number:g}") for file in files
    )
    lacking = np.setdiff1d(np.arange(numbers[0], numbers[-1]), numbers)
    if not counts or not 0 < len(lacking) < len(numbers):
        return ()
    return (f"it has no file for band {_listed([f'{number:g}' for number in lacking[:6]])}",)


def hyperion_centres(numbers: IndexArray) -> Float64Array:
    """Centres of Hyperion's bands in nm.

    Args:
        numbers: (B,) numbers of bands, 1 to 242.

    Example:
        >>> hyperion_centres(np.array([8, 57, 77, 224])).round(1).tolist()
        [426.8, 925.4, 912.5, 2395.5]
    """
    low, high = ((first, nm, step) for first, nm, step in (_VNIR, _SWIR))
    vnir, swir = (nm + (numbers - first) * step for first, nm, step in (low, high))
    return np.where(numbers < _SWIR[0], vnir, swir)


def _is_packed_tar(path: str) -> bool:
    return path.startswith("/vsitar/") and ".tar/" not in path.lower()


def _band_count(file: BandFile) -> int | None:
    """Number of bands of a file; None if it is no raster."""
    try:
        require_local(file.path, "scene", SceneError)
        with quiet_gdal(file.path), open_raster(file.path) as source:
            return int(source.count)
    except RasterioError:
        return None


@dataclass(frozen=True, slots=True)
class _Head:
    """What a band's file tells."""

    about: RasterHead
    crs: Any
    control: tuple[str, ...]
    dtype: np.dtype[Any]
    mask: Mask | None
    description: str
    tags: Tags
    imagery: Tags
    block_px: tuple[int, int]

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns)."""
        return self.about.grid.height, self.about.grid.width


def _head(scene: str, file: BandFile, items: FolderItems) -> _Head:
    require_local(file.path, "scene", SceneError)
    try:
        with quiet_gdal(file.path), open_raster(file.path) as source:
            if source.count != 1:
                raise SceneError(
                    f"scene '{scene}' is a folder, and its file '{file.name}' has {source.count} bands, "
                    "not one",
                    hint="give the file that holds the scene",
                )
            name = str(PurePosixPath(scene, file.name))
            about = read_head(source, file.path, name, folder_items=items)
            return _Head(
                about,
                source.crs,
                tuple(_control(source)),
                np.dtype(source.dtypes[0]),
                find_mask(source),
                descriptions_of(source)[0],
                *only_band_tags(source, about.tags),
                source.block_shapes[0],
            )
    except RasterioError as error:
        raise SceneError(
            f"scene '{scene}' has the file '{file.name}', which GDAL cannot open ({plain(error)})",
            hint="download or unpack the scene again",
        ) from error


def _control(source: rasterio.DatasetReader) -> Iterator[str]:
    """What places a raster without a grid, as texts that are equal for equal places."""
    if not source.transform.is_identity:
        return
    points, crs = source.gcps
    if points:
        yield crs.to_wkt() if crs else ""
        for point in points:
            yield " ".join(f"{value:.9g}" for value in (point.row, point.col, point.x, point.y))
    elif source.rpcs is not None:
        yield str(source.rpcs.to_dict())
    else:
        yield str(sorted(source.tags(ns="GEOLOCATION").items()))


def _require_one_place(scene: str, files: Sequence[BandFile], heads: Sequence[_Head]) -> None:
    """Refuse files whose pixels do not lie on those of the first.

    Raises:
        SceneError: If size, geotransform, CRS or ground control differ.
    """
    first = heads[0]
    place = first.about.grid.transform
    for file, head in zip(files, heads, strict=True):
        if head.shape != first.shape or not head.about.grid.transform.almost_equals(place, 1e-6):
            what = "pixels"
        elif head.crs != first.crs:
            what = "coordinate reference systems"
        elif head.control != first.control:
            what = "ground control"
        else:
            continue
        raise SceneError(
            f"scene '{scene}' has files of different {what}: '{file.name}' and '{files[0].name}'",
            hint="put them on one grid, or give a folder with the files of one grid",
        )


@dataclass(frozen=True, slots=True)
class _Stored:
    """Type, nodata values and masks of all files as those of one cube."""

    dtype: np.dtype[Any]
    nodata: Float64Array
    fill: MaskFill | None


def _stored(heads: Sequence[_Head]) -> _Stored:
    """The type that holds all bands, and a nodata value for the masked pixels of each."""
    dtypes, nodata = [], []
    for head in heads:
        own = head.about.values.nodata
        fill = None if head.mask is None else fill_for(head.mask, own, head.dtype)
        dtypes.append(head.dtype if fill is None else fill.dtype)
        nodata.append(own if fill is None else fill.values)
    dtype, values = np.result_type(*dtypes), np.concatenate(nodata)
    if not any(head.mask is not None for head in heads):
        return _Stored(dtype, values, None)
    return _Stored(dtype, values, MaskFill(Mask(None, shared=False), values, dtype))
