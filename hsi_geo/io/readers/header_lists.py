"""Lists in headers and tags: numbers, and flags of bands, in the spellings that occur."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hsi_geo.arrays import BoolArray, Float64Array

#: Words for true and false. Numbers other than 0 are true.
_YES = ("true", "t", "yes", "y", "on")
_NO = ("false", "f", "no", "n", "off")

#: Words whose meaning does not depend on the name of the list.
_GOOD = ("good", "ok", "valid", "use", "used")
_BAD = ("bad", "invalid", "unused")

#: Meaning of 1 or "true" by the name of the list, as `plain_key` makes it: "good" as in ENVI's ``bbl``.
#: Lists that are named "bad bands" occur with both meanings.
FLAG_KEYS = {
    **dict.fromkeys(
        (
            *("bbl", "badbandlist", "badbandslist", "badbandmultiplier", "badbandsmultiplier"),
            *("badbandmultipliers", "goodwavelengths", "goodwavelength"),
            *("goodbands", "goodband", "goodbandlist", "goodbandslist", "good", "isgood"),
        ),
        "good",
    ),
    **dict.fromkeys(("badbands", "badband", "badbandnumbers", "badbandindices", "isbad"), "bad"),
}


class UnusableListError(ValueError):
    """A list that cannot be interpreted. The message has its name and the reason."""


@dataclass(frozen=True, slots=True)
class HeaderList:
    """A list in a header.

    Attributes:
        key: Key of the list, as the header spells it.
        text: Entries, with or without brackets.
        count: Number of bands of the scene.
    """

    key: str
    text: str
    count: int

    @property
    def words(self) -> list[str]:
        """The entries, without separators and brackets.

        Example:
            >>> HeaderList("bbl", "{1; 0, [1]}", 3).words
            ['1', '0', '1']
        """
        text = re.sub(r"[{}\[\]()\"']", " ", self.text)
        parted = [word.strip() for word in text.split(";") if word.strip()]
        if len(parted) > 1 and all(re.fullmatch(r"[-+]?\d+,\d+", word) for word in parted):
            return [word.replace(",", ".") for word in parted]  # decimal commas
        return [word for word in re.split(r"[,;|\s]+", text) if word]

    def numbers(self) -> Float64Array:
        """(C,) one number for each band.

        Raises:
            UnusableListError: If an entry is no number, or the length is not the number of bands.
        """
        values = self._as_numbers()
        self._require_each(len(values))
        return values

    def number_or_numbers(self) -> Float64Array:
        """(C,) numbers from a list of one number for all bands, or of one for each.

        Raises:
            UnusableListError: If the list is neither.
        """
        values = self._as_numbers()
        if len(values) != 1:
            self._require_each(len(values))
        return np.broadcast_to(values, (self.count,)).copy()

    def good(self) -> BoolArray:
        """(C,) True for good bands.

        The list holds a flag for each band, or the numbers of bands from 1, such as ``{1-5, 104}``. In a list
        named "bad bands" the flags 1 and 0 may have either meaning, and "true" means bad.

        Raises:
            UnusableListError: If it is neither, or its bands are not those of the scene.

        Example:
            >>> HeaderList("bbl", "{1, 0, 1}", 3).good()
            array([ True, False,  True])
            >>> HeaderList("bad bands", "{2-3}", 3).good()
            array([ True, False, False])
        """
        meaning = FLAG_KEYS[plain_key(self.key)]
        words = [word.lower() for word in self.words]
        if not words or words == ["none"]:
            return np.ones(self.count, bool)
        flags = [_flag(word, meaning) for word in words]
        listed = _band_numbers(words)
        is_numbers = listed is not None and not set(listed) <= {0, 1}
        if is_numbers and (len(words) != self.count or meaning == "bad" or None in flags):
            return self._from_numbers(listed or [], meaning, plain_key(self.key))
        if None in flags:
            wrong = words[flags.index(None)]
            if meaning == "bad" and listed is not None:
                raise UnusableListError(
                    f"its '{self.key}' is a list of 0 and 1, and of a list with this name 1 may "
                    "mean good or bad: not used (call it bbl, where 1 means good)"
                )
            raise UnusableListError(
                f"its '{self.key}' has the entry '{wrong}', which means neither good nor bad: not "
                "used"
            )
        self._require_each(len(flags))
        return np.array(flags, bool)

    def _from_numbers(self, listed: list[int], meaning: str, plain: str) -> BoolArray:
        if not all(1 <= band <= self.count for band in listed):
            raise UnusableListError(
                f"its '{self.key}' names band {max(listed) if min(listed) > 0 else min(listed)}, "
                f"and the scene has the bands 1 to {self.count}: not used"
            )
        named = np.isin(np.arange(1, self.count + 1), listed)
        return named if "good" in plain else ~named

    def _as_numbers(self) -> Float64Array:
        values = []
        for word in self.words:
            value = as_number(word)
            if not np.isfinite(value):
                raise UnusableListError(
                    f"its '{self.key}' has the entry '{word}', which is no number: not used"
                )
            values.append(value)
        return np.array(values)

    def _require_each(self, found: int) -> None:
        if found != self.count:
            raise UnusableListError(
                f"its '{self.key}' has {found} entries and the scene {self.count} bands: not used"
            )


@dataclass(frozen=True, slots=True)
class HeaderLists:
    """The lists of a header, or among the tags of a raster.

    Attributes:
        tags: Values by plain key (see `plain_key`).
        spelled: The file's spelling of each plain key.
        count: Number of bands of the scene.
        warnings: List to which a sentence is added for each list that cannot be used.
    """

    tags: Mapping[str, str]
    spelled: Mapping[str, str]
    count: int
    warnings: list[str]

    @classmethod
    def of(cls, tags: Mapping[str, str], count: int, warnings: list[str]) -> HeaderLists:
        """Make lists from tags.

        Args:
            tags: Values by the keys of the file.
            count: Number of bands of the scene.
            warnings: See the attribute.
        """
        plain = {plain_key(key): value for key, value in tags.items()}
        return cls(plain, {plain_key(key): key for key in tags}, count, warnings)

    def named(self, plain: str) -> HeaderList | None:
        """The list with a plain key; None if there is none."""
        if plain not in self.tags:
            return None
        return HeaderList(self.spelled[plain], self.tags[plain], self.count)

    def numbers(self, plain: str, *, or_one: bool = False) -> Float64Array | None:
        """Numbers of a list.

        Args:
            plain: Plain key of the list.
            or_one: Accept one number for all bands.

        Returns:
            (C,) one number for each band; None if there is no such list, or it cannot be used.
        """
        listed = self.named(plain)
        if listed is None:
            return None
        try:
            return listed.number_or_numbers() if or_one else listed.numbers()
        except UnusableListError as error:
            self.warnings.append(str(error))
            return None


def plain_key(key: str) -> str:
    """A key in lower case, without blanks, underscores and hyphens.

    Example:
        >>> plain_key("Wavelength_Units")
        'wavelengthunits'
    """
    return re.sub(r"[\s_\-]+", "", key).lower()


def flag_of(key: str, text: str) -> bool | None:
    """Parse the flag of a single band.

    Args:
        key: Key of the flag, one of `FLAG_KEYS` in any spelling.
        text: The flag.

    Returns:
        True for a good band, False for a bad band, None if the flag cannot be interpreted.

    Example:
        >>> flag_of("bbl", "1"), flag_of("bad_band", "1"), flag_of("bbl", "maybe")
        (True, False, None)
    """
    meaning = FLAG_KEYS[plain_key(key)]
    if meaning == "bad" and np.isfinite(value := as_number(text)):
        return not value  # a flag of one band: 1 means bad
    return _flag(text.strip().lower(), meaning)


def as_number(text: str) -> float:
    """The number in a text; NaN if the text is no number.

    Example:
        >>> as_number(" 0.5 "), as_number("x")
        (0.5, nan)
    """
    try:
        return float(text.strip())
    except ValueError:
        return float("nan")


def _flag(word: str, meaning: str) -> bool | None:
    """True for good, False for bad, None for other words."""
    if word in _GOOD or word in _BAD:
        return word in _GOOD
    if word in _YES or word in _NO:
        return (word in _YES) == (meaning == "good")
    value = as_number(word)
    return bool(value != 0) if meaning == "good" and np.isfinite(value) else None


def _band_numbers(words: list[str]) -> list[int] | None:
    """Band numbers from integers and ranges ("1-5"); None if there are other words."""
    found: list[int] = []
    for word in words:
        match = re.fullmatch(r"(\d{1,6})(?:\.0*)?(?:[-:](\d{1,6}))?", word)
        if match is None:
            return None
        first = int(match[1])
        last = first if match[2] is None else int(match[2])
        found.extend(range(first, last + 1))
    return found
