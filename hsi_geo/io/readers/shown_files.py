"""What the files that a virtual raster (VRT) shows tell of its bands: GDAL copies neither wavelengths nor most scales."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path

import numpy as np
import rasterio
from rasterio.errors import RasterioError

from hsi_geo.arrays import Float64Array
from hsi_geo.io.files.beside import read_small_file
from hsi_geo.io.files.limits import TEXT_BYTES
from hsi_geo.io.files.paths import exists
from hsi_geo.io.files.text_encoding import xml_text
from hsi_geo.io.readers.base import per_band
from hsi_geo.io.readers.compared_files import (
    ShownFile,
    differing,
    indices,
    nodata_of_files,
    of_other_bands,
)
from hsi_geo.io.readers.descriptions import descriptions_of
from hsi_geo.io.readers.header_lists import HeaderLists, as_number, plain_key
from hsi_geo.io.readers.masks import alpha_band
from hsi_geo.io.readers.raster_bands import own_bands, whole_tags
from hsi_geo.io.readers.spectral_tags import (
    CENTRE_KEYS,
    TaggedBands,
    Tags,
    find_bands,
    header_beside,
    joined_bands,
)
from hsi_geo.io.readers.stac_sidecar import StacSidecar, find_item
from hsi_geo.io.readers.stored_values import StoredValues, own_stored_values
from hsi_geo.io.readers.vrt_bands import (
    changes_values,
    file_bands,
    is_made_up,
    stacked_bands,
    states_values,
)
from hsi_geo.wavelengths import SAME_NM, DeclaredBands, centres_in_nm

#: Most VRTs in each other. One may name itself.
_NESTED = 8

#: Number of files of a mosaic whose scales are compared.
_COMPARED = 20

#: Endings of files that GDAL lists with a VRT, and that it does not show.
_BESIDE = (".ovr", ".msk", ".aux.xml")

#: Warnings about the header of another cube, which has the name of the raster.
_OTHER_HEADER = "the header beside it lists other wavelengths than its own: nothing of it is used"
_OTHER_COUNT = "the header beside it has another number of bands: nothing of it is used"

#: A number above 0 as tags and names of bands have it.
_NUMBER = re.compile(r"(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")


class ShownFiles:
    """The files that a raster shows if it is a VRT, each opened once.

    Args:
        path: Name that GDAL opens.
        outer: VRTs that show this one, outermost first.
    """

    def __init__(self, path: str, outer: tuple[str, ...] = ()) -> None:
        self.path = path
        self.outer = outer
        self._known: dict[str, ShownFile | None] = {}

    def of(self, path: str) -> ShownFile | None:
        """One of the files; None if it cannot be opened. Reading its pixels raises the error then."""
        if path not in self._known:
            self._known[path] = self._described(path)
        return self._known[path]

    def having(self, files: Sequence[str], count: int) -> Iterator[ShownFile]:
        """Those of some files that can be opened, and have a number of bands."""
        for path in files:
            found = None if path.lower().endswith(_BESIDE) else self.of(path)
            if found is not None and found.count >= count:
                yield found

    def _described(self, path: str) -> ShownFile | None:
        outer = (*self.outer, os.path.realpath(self.path))
        if len(outer) > _NESTED or os.path.realpath(path) in outer:
            return None
        try:
            with rasterio.open(path) as file:
                return _described(file, path, ShownFiles(path, outer))
        except RasterioError:
            return None


def find_tags(
    source: rasterio.DatasetReader, path: str, item: StacSidecar | None, shown: ShownFiles
) -> tuple[Tags, tuple[str, ...]]:
    """Tags of a raster and of the files beside it, without the header of another cube.

    A raster that was made from a cube often lies beside it and has its name. Its bands may be others, or be in
    another order, or their wavelengths were corrected.

    Args:
        source: The open raster.
        path: Name that GDAL opens.
        item: What a STAC item tells of it.
        shown: The files that it shows.

    Returns:
        tags: See `raster_bands.whole_tags`.
        warnings: One sentence if the header beside it is that of another cube.
    """
    header = header_beside(path)
    whole = whole_tags(source, item, header)
    if source.driver == "ENVI" or not header:
        return whole, ()
    others = whole_tags(source, item)
    if others == whole:  # those of a STAC item
        return whole, ()
    own = find_raster_bands(source, others, source.indexes, shown).found
    other = None if own is None else _other_cube(source, own, others, header)
    return (whole, ()) if other is None else (others, (other,))


def _other_cube(
    source: rasterio.DatasetReader, own: DeclaredBands, others: Tags, header: Tags
) -> str | None:
    """A warning if the header beside a raster with wavelengths is that of another cube.

    Args:
        source: The open raster.
        own: Its bands without the header.
        others: Its tags without the header.
        header: The header.
    """
    count = source.count
    lists = HeaderLists.of(header, count, [])
    centres = [len(one.words) for key in CENTRE_KEYS if (one := lists.named(key)) and one.words]
    counts = {*centres, as_number(lists.tags.get("bands", ""))}
    if any(np.isfinite(list(counts))) and count not in counts:
        return _OTHER_HEADER if centres else _OTHER_COUNT
    listed = find_bands(header, [{}] * count, [{}] * count, [""] * count).found
    if listed is None:
        return None
    own_nm = centres_in_nm(own)
    apart = np.abs(own_nm - centres_in_nm(listed))
    if not (apart > SAME_NM).any():
        return None
    rounding = own_nm * _rounding(own.centres, _wavelength_texts(source, others))
    return _OTHER_HEADER if (apart > np.maximum(rounding, SAME_NM)).any() else None


def _rounding(centres: Float64Array, texts: Sequence[str]) -> Float64Array:
    """(C,) half a unit of the last digit of wavelengths as they are written, relative to them; 0 if it is not known.

    Programs leave out zeros at the end. So the last digit is that of the number with the most decimals.

    Args:
        centres: (C,) the wavelengths in their unit.
        texts: Texts that hold them, and other numbers.
    """
    known = set(centres[centres > 0].tolist())
    written = {number for text in texts for number in _NUMBER.findall(text)}
    places = [int(Decimal(one).as_tuple().exponent) for one in written if float(one) in known]
    half = 0.5 * 10.0 ** min(places) if places else 0.0
    half *= 1 + 1e-6  # 0.425 may become 0.42 or 0.43
    return np.divide(half, centres, out=np.zeros(len(centres)), where=centres > 0)


def _wavelength_texts(source: rasterio.DatasetReader, others: Tags) -> list[str]:
    """Tags of wavelengths, and names of bands, as a raster has them without a header."""
    domains = [
        source.tags(band, ns=domain)
        for band in source.indexes
        for domain in (None, *source.tag_namespaces(band))
    ]
    tagged = [
        text
        for tags in (others, *domains)
        for key, text in tags.items()
        if "wavelength" in plain_key(key)
    ]
    return [*tagged, *descriptions_of(source)]


def made_up_alpha(source: rasterio.DatasetReader) -> int | None:
    """Number of the alpha band of a VRT, from 1, if it is no band of its files; else None."""
    alpha = alpha_band(source) if source.driver == "VRT" else None
    return alpha if alpha is not None and is_made_up(_text_of(source), alpha) else None


def find_raster_bands(
    source: rasterio.DatasetReader, whole: Tags, numbers: Sequence[int], shown: ShownFiles
) -> TaggedBands:
    """Wavelengths of some bands of a raster; those of its files if it is a VRT and has none itself.

    Args:
        source: The open raster.
        whole: From `find_tags`.
        numbers: (B,) bands, from 1.
        shown: The files that it shows.

    Returns:
        (B,) bands in the order of the numbers.
    """
    bands = own_bands(source, whole, numbers)
    if bands.found is None and source.driver == "VRT":
        return _bands_of_files(source, numbers, shown) or bands
    return bands


def find_stored_values(
    source: rasterio.DatasetReader, whole: Tags, shown: ShownFiles
) -> StoredValues:
    """How stored values are decoded; as in the files that a raster shows, if it is a VRT and does not tell itself.

    Args:
        source: The open raster.
        whole: From `find_tags`.
        shown: The files that it shows.
    """
    values, warnings = _decoded(source, whole, shown)
    return replace(values, warnings=(*values.warnings, *warnings))


def _described(file: rasterio.DatasetReader, path: str, shown: ShownFiles) -> ShownFile:
    item = find_item(path)
    whole, unused = find_tags(file, path, item, shown)
    values, warnings = _decoded(file, whole, shown)
    known = (per_band(file.scales, file.count) != 1) | (per_band(file.offsets, file.count) != 0)
    name = Path(path).name
    if item is not None and item.masks:
        warnings = (
            f"the masks beside '{name}' are not applied, as it is read through a virtual raster",
            *warnings,
        )
    return ShownFile(
        name=name,
        count=file.count,
        bands=find_raster_bands(file, whole, file.indexes, shown),
        values=values,
        beside=StoredValues(
            nodata=np.where([value is None for value in file.nodatavals], values.nodata, np.nan),
            scale=np.where(known, 1.0, values.scale),
            offset=np.where(known, 0.0, values.offset),
            warnings=(),
        ),
        warnings=(*unused, *warnings),
    )


def _bands_of_files(
    mosaic: rasterio.DatasetReader, numbers: Sequence[int], shown: ShownFiles
) -> TaggedBands | None:
    """Wavelengths of the files that a mosaic or a stack shows."""
    text = _text_of(mosaic)
    listed = file_bands(text, numbers)
    if listed is not None:
        first = next(shown.having(mosaic.files[1:], max(listed)), None)
        return None if first is None else first.bands.picked(indices(listed)).of_file(first.name)
    parts = _parts(text, numbers, shown)
    if not parts:
        return None
    joined = joined_bands([file.bands.picked(indices(bands)) for file, bands in parts])
    return None if joined is None else joined.of_file(f"{len(parts)} files")


def _decoded(
    source: rasterio.DatasetReader, whole: Tags, shown: ShownFiles
) -> tuple[StoredValues, tuple[str, ...]]:
    """How stored values are decoded, and warnings about the files that a VRT shows."""
    values = own_stored_values(source, whole, shown.path)
    if source.driver != "VRT" or not exists(shown.path):
        return values, ()
    text, alpha = _text_of(source), made_up_alpha(source)
    numbers = [number for number in source.indexes if number != alpha]
    listed = file_bands(text, numbers)
    if listed is None:
        parts = _parts(text, numbers, shown)
        warnings = [warning for file, _ in parts for warning in file.warnings]
    else:
        number = 1 if shown.outer else _COMPARED
        files = list(islice(shown.having(source.files[1:], max(listed)), number))
        parts = [(file, listed) for file in files[:1]]
        warnings = [warning for file in files for warning in file.warnings]
    is_neutral = bool((values.scale == 1).all() and (values.offset == 0).all())
    content = read_small_file(shown.path, TEXT_BYTES) or b""
    other = None if listed is None else of_other_bands(files, listed)
    if other is not None and own_bands(source, whole, numbers).found is None:
        warnings.append(other)
    if not parts or changes_values(text, alpha):
        return values, tuple(dict.fromkeys(warnings))
    shown_bands = indices(numbers)
    taken = ["nodata"] if np.isnan(values.nodata[shown_bands]).any() else []
    taken += ["scale", "offset"] if is_neutral and not states_values(content) else []
    if listed is not None:
        warnings += differing(files, listed, taken)
    found = {key: getattr(values, key).copy() for key in taken}
    for key, own in found.items():
        own[shown_bands] = np.concatenate(
            [getattr(file.beside, key)[indices(bands)] for file, bands in parts]
        )
    if "nodata" in found:
        found["nodata"], unused = nodata_of_files(values.nodata, found["nodata"], source, text)
        warnings += unused
    return replace(values, **found), tuple(dict.fromkeys(warnings))


def _parts(
    text: str, numbers: Sequence[int], shown: ShownFiles
) -> list[tuple[ShownFile, list[int]]]:
    """The files of a stack one after the other, with their bands, from 1; empty if one of them cannot be opened."""
    stacked = stacked_bands(text, numbers, Path(shown.path).parent) or []
    parts = []
    for path, group in groupby(stacked, key=itemgetter(0)):
        file, bands = shown.of(path), [band for _, band in group]
        if file is None or file.count < max(bands):
            return []
        parts.append((file, bands))
    return parts


def _text_of(vrt: rasterio.DatasetReader) -> str:
    try:
        text: str = vrt.tags(ns="xml:VRT").get("xml:VRT", "")
    except UnicodeDecodeError:  # rasterio reads UTF-8 only
        return xml_text(read_small_file(vrt.name, TEXT_BYTES) or b"")
    return text
