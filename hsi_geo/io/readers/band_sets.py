"""Names of files of one band each: which of them belong together, their order and their wavelengths.

The names of a set differ only by a number of the band, by a wavelength with its unit, or by both.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import PurePosixPath

import numpy as np

from hsi_geo.io.readers.auxiliary_names import is_auxiliary
from hsi_geo.io.readers.band_names import UNIT, WIDEST
from hsi_geo.io.readers.packages import Package
from hsi_geo.wavelength_units import MICROMETRES, OPTICAL_NM, parse_unit, to_nm

#: Fewer files are no scene.
FEWEST_FILES = 3

_IMAGE = re.compile(r"\.(tif|tiff)$", re.IGNORECASE)

#: A number with a unit of wavelengths. Its fraction may follow a comma or, as in "450p5nm", a p.
_UNIT = rf"(?P<unit>{UNIT})(?![^\W\d_])"
_WAVELENGTH = re.compile(
    rf"(?<!\d)(?P<whole>\d{{1,6}})(?:[.,p](?P<part>\d{{1,6}}))?(?=[ _\-]*{_UNIT})",
    re.IGNORECASE,
)

#: The limits of a band, as in "450-460nm" or "450nm-460nm".
_LIMITS = re.compile(
    r"(?<!\d)(?<!\d[.,p])(?P<low>\d{1,6}(?:[.,p]\d{1,6})?) ?(?P<first>(?:nm|um|[µμ]m)?) ?[-\u2013] ?"
    rf"(?P<high>\d{{1,6}}(?:[.,p]\d{{1,6}})?)(?=[ _\-]*{_UNIT})",
    re.IGNORECASE,
)

#: Where the number of a band begins in a name: at its beginning, or after B, Band or a separator; and where it ends:
#: before a separator, or a letter of words such as nir and nmrefl.
_BEFORE = r"(?:^|(?<=^b)|(?<=[_\-. ]b)|(?<=band)|(?<=band[_\- ])|(?<=[_\-. ]))"
_AFTER = r"(?=[_\-. nuµμ]|$)"
_NUMBER = re.compile(rf"{_BEFORE}(?P<whole>\d{{1,4}}){_AFTER}", re.IGNORECASE)

#: A decimal number; the parts of a date such as 2019.05.01 are none.
_DECIMAL = re.compile(
    rf"{_BEFORE}(?<!\d\.)(?P<whole>\d{{1,6}})\.(?P<part>\d{{1,6}})(?!\.\d){_AFTER}",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class BandFile:
    """A file of one band.

    Attributes:
        number: Number of the band in its name, or its wavelength if the name has no other number.
        wavelength: Wavelength in its name with its unit, such as "450.5 nm"; empty without one.
        name: Name of the file in its folder or archive.
        path: Name that GDAL opens.
    """

    number: float
    wavelength: str
    name: str
    path: str


@dataclass(frozen=True, slots=True)
class BandSet:
    """Files of one band each whose names differ only by numbers.

    Attributes:
        pattern: Their name in the folder or archive, with # for the numbers.
        files: At least three files, in the order of their numbers.
    """

    pattern: str
    files: tuple[BandFile, ...]

    @property
    def is_auxiliary(self) -> bool:
        """Whether they are named like uncertainties, noise, masks or flags."""
        return is_auxiliary(self.pattern)

    @property
    def names(self) -> frozenset[str]:
        """Names of the files."""
        return frozenset(file.name for file in self.files)


@dataclass(frozen=True, slots=True)
class _Field:
    """A number in a name: its text at [start, end), what it is worth, its unit, and the lower limit of a band."""

    start: int
    end: int
    value: str
    unit: str
    low: str = ""


#: How sound a reading of names is: wavelengths with a unit (2), without (1), with one and impossible (0); then which
#: of two sound readings of the same names is meant.
_Rank = tuple[int, int]


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A file with the numbers of its name that may differ from those of other files of a set."""

    name: str
    number: _Field | None
    wavelengths: tuple[_Field, ...]
    is_decimal: bool


def find_band_sets(package: Package) -> list[BandSet]:
    """The rasters of a folder or archive whose names differ only by the numbers of bands or wavelengths.

    Args:
        package: Files of the folder or archive.

    Returns:
        All sets of at least three files, the largest first. A file may be in several of them.

    Examples:
        >>> names = tuple(f"x_B{n:03}_L1T.TIF" for n in (10, 9, 11)) + ("x_MTL.txt", "x_1.tif")
        >>> [file.number for file in find_band_sets(Package("x", names, str, bytes))[0].files]
        [9.0, 10.0, 11.0]
        >>> names = ("r_B1_450.5nm.tif", "r_B2_460nm.tif", "r_B3_470.2nm.tif")
        >>> found = find_band_sets(Package("r", names, str, bytes))[0]
        >>> found.pattern, [file.wavelength for file in found.files]
        ('r_B#_#nm.tif', ['450.5 nm', '460 nm', '470.2 nm'])
    """
    groups: dict[str, dict[str, _Candidate]] = defaultdict(dict)
    spelled: dict[str, str] = {}
    for name in images_of(package):
        for pattern, candidate in _candidates(name):
            key = pattern.lower()
            spelled.setdefault(key, pattern)
            groups[key].setdefault(name, candidate)
    found: dict[frozenset[str], tuple[_Rank, BandSet]] = {}
    for key, group in groups.items():
        ranked = _set_of(spelled[key], list(group.values()), package)
        if ranked is not None:
            names = ranked[1].names
            found[names] = max(found.get(names, ranked), ranked, key=lambda one: one[0])
    sound = set().union(*(names for names, ((level, _), _) in found.items() if level > 0))
    usable = [one for names, ((level, _), one) in found.items() if level > 0 or not names & sound]
    return sorted(usable, key=lambda one: (-len(one.files), one.pattern))


def images_of(package: Package) -> list[str]:
    """Names of the rasters in a folder or archive, without hidden files.

    Args:
        package: Files of the folder or archive.
    """
    names = ((name, PurePosixPath(name).name) for name in package.files)
    return [name for name, base in names if _IMAGE.search(base) and not base.startswith(".")]


def left_out(
    package: Package, chosen: BandSet, sets: Sequence[BandSet], masks: Collection[str] = ()
) -> dict[str, bool]:
    """What lies beside the files of a scene, is named like the files of one, and is not read.

    Args:
        package: Files of the folder or archive.
        chosen: Files of the scene.
        sets: All sets of the folder or archive.
        masks: Paths of files that are read as masks of the scene.

    Returns:
        Names of files, and patterns of sets with their number of files; with whether they are named like
        uncertainties, noise, masks or flags.
    """
    seen, found = set(chosen.names), {}
    seen |= {name for name in images_of(package) if package.gdal_path(name) in masks}
    for one in sets:
        if not seen & one.names:
            seen |= one.names
            found[f"'{one.pattern}' ({len(one.files)} files)"] = one.is_auxiliary
    shape = _shape_of(chosen.files[0].name)
    for name in images_of(package):
        if name not in seen and _shape_of(name) == shape:
            found[f"'{name}'"] = is_auxiliary(name)
    return found


def _shape_of(name: str) -> str:
    """A name without its numbers, and without the letter after one, as in Sentinel-2's B8A."""
    plain = re.sub(r"\d+(?:[.,p]\d+)?", "#", name.lower())
    return re.sub(r"#[a-z](?![a-z])", "#", plain)


def _candidates(name: str) -> Iterator[tuple[str, _Candidate]]:
    """The patterns that a name fits, with the numbers that are free in each."""
    folder, base = PurePosixPath(name).parent, PurePosixPath(name).name
    stem = _IMAGE.sub("", base)
    ending = base[len(stem) :]
    limits = list(_limits(stem))
    for is_decimal, of_limits in ((True, True), (True, False), (False, False)):
        if of_limits and not limits:
            continue
        wavelengths = tuple(_fields(_WAVELENGTH, stem, is_decimal=is_decimal))
        if of_limits:
            both = [*limits, *_apart(wavelengths, limits)]
            wavelengths = tuple(sorted(both, key=lambda one: one.start))
        for numbers in _free(stem, wavelengths, is_decimal=is_decimal):
            candidate = _Candidate(name, *numbers, is_decimal)
            free = [*candidate.wavelengths, *([candidate.number] if candidate.number else [])]
            text = stem
            for field in sorted(free, key=lambda one: -one.start):
                text = f"{text[: field.start]}#{text[field.end :]}"
            yield str(folder / f"{text}{ending}"), candidate


def _free(
    stem: str, wavelengths: tuple[_Field, ...], *, is_decimal: bool
) -> Iterator[tuple[_Field | None, tuple[_Field, ...]]]:
    """Choices of numbers that differ in a set: one number of a band, all wavelengths, or both."""
    if wavelengths:
        yield None, wavelengths
    numbers = list(_fields(_DECIMAL, stem, is_decimal=True)) if is_decimal else []
    numbers += _apart(_fields(_NUMBER, stem, is_decimal=False), numbers)
    for field in _apart(numbers, wavelengths):
        yield field, ()
        if wavelengths:
            yield field, wavelengths


def _apart(fields: Iterable[_Field], others: Sequence[_Field]) -> list[_Field]:
    """The numbers that are no part of others."""
    return [
        field
        for field in fields
        if not any(one.start < field.end and field.start < one.end for one in others)
    ]


def _fields(kind: re.Pattern[str], stem: str, *, is_decimal: bool) -> Iterator[_Field]:
    """The numbers of a kind in a name; without decimals, what follows a point is a number of its own."""
    for match in kind.finditer(stem):
        parts = match.groupdict()
        unit, part = parts.get("unit") or "", parts.get("part")
        if part is None:
            yield _Field(match.start("whole"), match.end("whole"), parts["whole"], unit)
        elif is_decimal:
            yield _Field(match.start("whole"), match.end("part"), f"{parts['whole']}.{part}", unit)
        elif stem[match.end("whole")] == ".":
            yield _Field(match.start("part"), match.end("part"), part, unit)


def _limits(stem: str) -> Iterator[_Field]:
    """Pairs of numbers that may be the limits of a band, worth their middle."""
    for match in _LIMITS.finditer(stem):
        low, high = (float(re.sub("[,p]", ".", match[side].lower())) for side in ("low", "high"))
        unit = match["unit"]
        ends = [_Field(0, 0, str(value), unit) for value in (low, high)]
        if low < high <= WIDEST * low and _are_wavelengths(ends):
            middle = f"{(low + high) / 2:.10g}"
            yield _Field(match.start("low"), match.end("high"), middle, unit, str(low))


def _set_of(
    pattern: str, group: Sequence[_Candidate], package: Package
) -> tuple[_Rank, BandSet] | None:
    """A set with its rank among the readings of its names; None if its numbers do not tell its files apart."""
    if len(group) < FEWEST_FILES:
        return None
    lows = [field.low for one in group for field in one.wavelengths if field.low]
    if lows and len(set(lows)) == 1:  # one number before all wavelengths is no limit of theirs
        return None
    numbers: Sequence[_Field] = [one.number for one in group if one.number is not None]
    columns = zip(*(one.wavelengths for one in group), strict=True)
    # Beside a number of the band, two detectors may have a wavelength in common.
    differing = [f for f in columns if (2 * _values(f) > len(f) if numbers else _differ(f))]
    centres = next((fields for fields in differing if _are_wavelengths(fields)), None)
    numbers = numbers or centres or next(iter(differing), ())
    if not numbers or not _differ(numbers):
        return None
    texts = [""] * len(group) if centres is None else [f"{f.value} {f.unit}" for f in centres]
    files = [
        BandFile(float(number.value), text, one.name, package.gdal_path(one.name))
        for one, number, text in zip(group, numbers, texts, strict=True)
    ]
    files.sort(key=lambda file: file.number)
    if lows:
        preference = 4
    elif group[0].is_decimal:
        preference = 3 if _prefers_decimals(numbers) else 1
    else:
        preference = 2 if centres is None or group[0].number is None else 0
    level = 2 if centres is not None else 0 if differing else 1
    return (level, preference), BandSet(pattern, tuple(files))


def _values(fields: Sequence[_Field]) -> int:
    return len({float(field.value) for field in fields})


def _differ(fields: Sequence[_Field]) -> bool:
    return _values(fields) == len(fields)


def _are_wavelengths(fields: Sequence[_Field]) -> bool:
    low, high = OPTICAL_NM
    return all(low <= to_nm(np.array([float(f.value)]), f.unit)[0] <= high for f in fields)


def _prefers_decimals(numbers: Sequence[_Field]) -> bool:
    """Whether numbers that are all alike before the point ("1.450") are decimals, not numbers after another one.

    Wavelengths in nanometres are not all alike, those in micrometres may be. Numbers without a unit are counted
    after the point if that gives the same order, or if they are such as 1.9 and 1.10.
    """
    unit = parse_unit(numbers[0].unit)
    if unit is not None:
        return unit is MICROMETRES
    parts = [field.value.partition(".")[2] for field in numbers]
    if not all(parts):
        return False
    ordered = sorted(parts, key=lambda part: float(f"0.{part}"))
    counted = all(int(one) < int(two) for one, two in pairwise(ordered))
    lengths = {len(part) for part in parts}
    return not (counted or (len(lengths) > 1 and any(part.endswith("0") for part in parts)))
