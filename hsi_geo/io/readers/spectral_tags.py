"""Wavelengths, widths and bad bands in the tags of a raster, and in its side files."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from hsi_geo.arrays import BoolArray, Float64Array, IndexArray
from hsi_geo.io.files.beside import is_file, read_small_file
from hsi_geo.io.files.paths import stem_of
from hsi_geo.io.files.side_files import header_names
from hsi_geo.io.files.text_encoding import decode
from hsi_geo.io.readers.band_names import parse_band_names
from hsi_geo.io.readers.header_lists import (
    FLAG_KEYS,
    HeaderLists,
    UnusableListError,
    as_number,
    flag_of,
    plain_key,
)
from hsi_geo.wavelength_units import (
    NANOMETRES,
    are_band_numbers,
    parse_unit,
    to_nm,
)
from hsi_geo.wavelengths import DeclaredBands

Tags = Mapping[str, str]

#: Keys of band centres in tags of a band or of the raster, as `plain_key` makes them, best first.
CENTRE_KEYS = (
    "wavelength",
    "wavelengths",
    "centerwavelength",
    "centrewavelength",
    "centerwavelengths",
    "centrewavelengths",
    "wavelengthnm",
    "wavelengthsnm",
    "wavelengthum",
    "wavelengthsum",
)

#: Keys of band widths.
WIDTH_KEYS = ("fwhm", "fullwidthhalfmax", "fwhmnm", "fwhmum")

#: Type of stored numbers by the ``data type`` of an ENVI header.
ENVI_TYPES = {
    "1": "uint8",
    "2": "int16",
    "3": "int32",
    "4": "float32",
    "5": "float64",
    "6": "complex64",
    "9": "complex128",
    "12": "uint16",
    "13": "uint32",
    "14": "int64",
    "15": "uint64",
}

#: Larger files that end in .hdr are no ENVI headers.
MAX_HEADER_BYTES = 10_000_000


@dataclass(frozen=True, eq=False)
class TaggedBands:
    """Bands as tags describe them.

    Attributes:
        found: The first complete list of centres; None if there is none.
        good: (C,) the bad-band list, False where bad; None if there is none.
        good_source: Key of that list.
        found_warnings: Sentences about lists of centres and widths that cannot be used.
        warnings: Sentences about bad-band lists that cannot be used.
    """

    found: DeclaredBands | None
    good: BoolArray | None
    good_source: str = "bbl"
    found_warnings: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def picked(self, bands: IndexArray) -> TaggedBands:
        """Some of the bands.

        Args:
            bands: (B,) bands from 0, in any order.
        """
        found = self.found
        if found is not None:
            widths = None if found.widths is None else found.widths[bands]
            found = replace(found, centres=found.centres[bands], widths=widths)
        return replace(self, found=found, good=None if self.good is None else self.good[bands])

    def of_file(self, name: str) -> TaggedBands:
        """The same bands, of which messages say that they come from a file.

        Args:
            name: Name of the file.
        """
        if self.found is None:
            return self
        return replace(self, found=replace(self.found, source=f"{self.found.source} of {name}"))


def joined_bands(parts: Sequence[TaggedBands]) -> TaggedBands | None:
    """Bands of several files one after the other.

    Args:
        parts: Bands of each file.

    Returns:
        The bands; None if a file has no wavelengths, or if they are in different units.
    """
    found = [part.found for part in parts if part.found is not None]
    if len(found) < len(parts) or len({(one.unit, one.widths_unit) for one in found}) != 1:
        return None
    widths = [one.widths for one in found if one.widths is not None]
    good = [
        np.ones(one.centres.size, bool) if part.good is None else part.good
        for part, one in zip(parts, found, strict=True)
    ]
    first = next((part for part in parts if part.good is not None), parts[0])
    return replace(
        first,
        found=replace(
            found[0],
            centres=np.concatenate([one.centres for one in found]),
            widths=np.concatenate(widths) if len(widths) == len(found) else None,
        ),
        good=None if first.good is None else np.concatenate(good),
        found_warnings=tuple(dict.fromkeys(w for part in parts for w in part.found_warnings)),
        warnings=tuple(dict.fromkeys(w for part in parts for w in part.warnings)),
    )


def find_bands(
    whole: Tags,
    by_band: Sequence[Tags],
    imagery: Sequence[Tags],
    names: Sequence[str],
    *,
    one_source: bool = False,
) -> TaggedBands:
    """Find the first complete list of centres, and the bad-band list.

    Args:
        whole: Tags of the raster.
        by_band: (C,) tags of each band.
        imagery: (C,) tags of each band in GDAL's IMAGERY domain.
        names: (C,) band names.
        one_source: Whether GDAL made the bands' tags and names from the raster's lists. GDAL takes the
            beginning of longer lists, and 0 for words that are no numbers.

    Example:
        >>> tags = {"wavelength": "{450, 550}", "wavelength units": "nm", "bbl": "{1, 0}"}
        >>> bands = find_bands(tags, [{}, {}], [{}, {}], ["", ""])
        >>> bands.found.centres, bands.good
        (array([450., 550.]), array([ True, False]))
    """
    by_band = [{plain_key(key): value for key, value in tags.items()} for tags in by_band]
    warnings: list[str] = []
    lists = HeaderLists.of(whole, len(by_band), warnings)
    found = _from_lists(lists)
    is_unusable = bool(warnings) and any(key in lists.tags for key in CENTRE_KEYS)
    if found is None and not (is_unusable and one_source):
        found = _from_tags(by_band, lists) or _from_imagery(imagery) or _from_names(names, warnings)
    good, source, good_warnings = _good(lists, by_band)
    return TaggedBands(found, good, source, tuple(warnings), good_warnings)


def header_beside(path: str) -> Tags:
    """Read lists from an ENVI header beside a raster.

    Args:
        path: Path of the raster.

    Returns:
        Values by key; empty if there is no header.
    """
    for beside in header_names(path):
        if is_file(beside) and (tags := read_envi_header(beside)):
            return tags
    return {}


def unused_header(path: str) -> tuple[str, ...]:
    """A warning if an ENVI cube has two headers that differ, such as "a.bsq.hdr" and "a.hdr".

    Args:
        path: Path of the cube.
    """
    found = [
        (beside.name, tags)
        for beside in header_names(path, Path(path).with_name(stem_of(path)))
        if is_file(beside) and (tags := read_envi_header(beside))
    ]
    other = next((name for name, tags in found[1:] if tags != found[0][1]), None)
    if other is None:
        return ()
    return (f"it has two headers that differ: '{found[0][0]}' is used, and '{other}' is not",)


def read_envi_header(path: Path) -> Tags:
    """Read keys and values of an ENVI header.

    Args:
        path: Path of the header.

    Returns:
        Values with their braces, by key; empty if the file is no ENVI header.
    """
    content = read_small_file(path, MAX_HEADER_BYTES)
    text, _ = decode(content or b"")
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not text.lstrip().upper().startswith("ENVI"):
        return {}
    pairs = re.findall(r"^[ \t]*([^=\n;{}]+?)[ \t]*=[ \t]*(\{[^}]*\}|[^\n]*)", text, re.MULTILINE)
    return {key: value.strip() for key, value in pairs}


def _from_lists(lists: HeaderLists) -> DeclaredBands | None:
    """Dataset-level lists such as ENVI's ``wavelength = {0.46, 0.465, ...}``."""
    widths = _first(WIDTH_KEYS, lambda key: lists.numbers(key, or_one=True))
    for key in CENTRE_KEYS:
        centres = lists.numbers(key)
        if centres is None:
            continue
        unit = _unit(lists.tags) or _unit_in(key)
        if are_band_numbers(centres, unit):
            if not unit:
                lists.warnings.append(f"its '{lists.spelled[key]}' counts the bands: not used")
            continue
        fwhm, fwhm_unit = widths if widths is not None else (None, None)
        return DeclaredBands(
            centres,
            unit,
            "the header's wavelength list",
            fwhm,
            _width_unit(lists.tags) or (fwhm_unit and _unit_in(fwhm_unit)),
        )
    return None


def _first(
    keys: Sequence[str], read: Callable[[str], Float64Array | None]
) -> tuple[Float64Array, str] | None:
    """Values of the first key that has any, and the key."""
    for key in keys:
        values = read(key)
        if values is not None:
            return values, key
    return None


def _from_tags(by_band: Sequence[Tags], lists: HeaderLists) -> DeclaredBands | None:
    """A ``wavelength`` tag on every band."""
    whole = lists.tags
    for key in (*CENTRE_KEYS, "netcdfdimwavelength"):
        centres = _column(by_band, key)
        if centres is None:
            tagged = sum(key in tags for tags in by_band)
            if (
                tagged and not lists.warnings
            ):  # GDAL gives a short list's entries to the first bands
                lists.warnings.append(
                    f"its tag '{key}' is a number on {_numbered(by_band, key)} of "
                    f"{len(by_band)} bands: not used"
                )
            continue
        units = [_unit(tags) or _unit(whole) or _unit_in(key) or "" for tags in by_band]
        if are_band_numbers(centres, units[0]):
            continue
        widths = _first(WIDTH_KEYS, lambda key: _column(by_band, key))
        fwhm, fwhm_key = widths if widths is not None else (None, "")
        fwhm_unit = (_width_unit(by_band[0]) or _width_unit(whole) or _unit_in(fwhm_key)) or None
        return _with_units(centres, units, "the bands' wavelength tags", fwhm, fwhm_unit)
    return None


def _with_units(
    centres: Float64Array,
    units: Sequence[str],
    source: str,
    widths: Float64Array | None = None,
    widths_unit: str | None = None,
) -> DeclaredBands:
    """Bands with one unit for each band."""
    if len({parse_unit(unit) for unit in units}) < 2:
        return DeclaredBands(centres, units[0], source, widths, widths_unit)
    pairs = list(zip(centres, units, strict=True))
    in_nm = np.array([to_nm(np.array([centre]), unit)[0] for centre, unit in pairs])
    if widths is not None and widths_unit is None:
        own = [
            (parse_unit(unit) or NANOMETRES).widths_to_nm(width, nm)
            for width, unit, nm in zip(widths, units, in_nm, strict=True)
        ]
        widths, widths_unit = np.array(own), "nm"
    return DeclaredBands(in_nm, "nm", source, widths, widths_unit)


def _from_imagery(by_band: Sequence[Tags]) -> DeclaredBands | None:
    """GDAL's IMAGERY domain, always in micrometres and rounded to one nanometre."""
    centres = _column(by_band, "CENTRAL_WAVELENGTH_UM")
    if centres is None:
        return None
    widths = _column(by_band, "FWHM_UM")
    return DeclaredBands(centres, "um", "GDAL's IMAGERY tags", widths)


def _from_names(names: Sequence[str], warnings: list[str]) -> DeclaredBands | None:
    read = parse_band_names(names)
    if read is None:
        warnings.append(
            f"the names of its bands, such as '{names[0]}', can be read as different wavelengths: not used"
        )
        return None
    found = [known for known in read if known is not None]
    if found and len(found) < len(names):
        warnings.append(
            f"the names of {len(found)} of its {len(names)} bands hold a wavelength: not used"
        )
    if len(found) < len(names) or not found:
        return None
    centres, units = zip(*found, strict=True)
    return _with_units(np.array(centres), units, "the band names")


def _unit(tags: Tags) -> str | None:
    keys = ("wavelengthunits", "wavelengthunit", "wavelength#units", "unitofwavelength")
    return next((tags[key] for key in keys if tags.get(key)), None)


def _width_unit(tags: Tags) -> str | None:
    return tags.get("fwhmunits") or tags.get("fwhmunit")


def _unit_in(key: str) -> str | None:
    """The unit that a key ends in, such as ``wavelength_um``."""
    return next((unit for unit in ("nm", "um") if key.endswith(unit)), None)


def _good(
    lists: HeaderLists, by_band: Sequence[Tags]
) -> tuple[BoolArray | None, str, tuple[str, ...]]:
    """The bad-band list, its key, and warnings about lists that cannot be used."""
    warnings: list[str] = []
    for key in FLAG_KEYS:
        listed = lists.named(key)
        if listed is None:
            continue
        try:
            return listed.good(), listed.key, tuple(warnings)
        except UnusableListError as error:
            warnings.append(str(error))
    for key in FLAG_KEYS:
        flags = [flag_of(key, tags[key]) if key in tags else True for tags in by_band]
        if None in flags:
            band = flags.index(None)
            warnings.append(
                f"the tag '{key}' of band {band + 1} is '{by_band[band][key]}', which means neither "
                "good nor bad: not used"
            )
        if not all(flag is not False for flag in flags):
            return np.array([flag is not False for flag in flags]), key, tuple(warnings)
    return None, "bbl", tuple(warnings)


def _numbered(by_band: Sequence[Tags], key: str) -> int:
    return sum(bool(np.isfinite(as_number(tags.get(key, "")))) for tags in by_band)


def _column(by_band: Sequence[Tags], key: str) -> Float64Array | None:
    """(C,) one number for each band; None if a band has none."""
    values = [as_number(tags.get(key, "")) for tags in by_band]
    return np.array(values) if values and all(np.isfinite(values)) else None
