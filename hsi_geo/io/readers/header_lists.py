"""Lists in headers and tags, as programs and people write them: numbers, and flags of bands."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hsi_geo.arrays import BoolArray, Float64Array

#: What says that a band can be used, and that it cannot; numbers other than 0 say that it can.
_YES = ("true", "t", "yes", "y", "on")
_NO = ("false", "f", "no", "n", "off")

#: Words that mean the same whatever the list is called.
_GOOD = ("good", "ok", "valid", "use", "used")
_BAD = ("bad", "invalid", "unused")

#: Names of lists of bands, without blanks, underscores and hyphens, by what 1 or "true" means in
#: them: good as in ENVI's ``bbl``, also spelled out; "bad" is said both of ENVI's and of its opposite.
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
    """A list that has no meaning, or more than one; the message says which list, and why."""


@dataclass(frozen=True, slots=True)
class HeaderList:
    """A list as it stands in a header.

    Attributes:
        key: As the header spells it.
        text: Entries, with or without brackets.
        count: Bands of the scene.
    """

    key: str
    text: str
    count: int

    @property
    def words(self) -> list[str]:
        """The entries, whatever stands between them and around them."""
        text = re.sub(r"[{}\[\]()\"']", " ", self.text)
        parted = [word.strip() for word in text.split(";") if word.strip()]
        if len(parted) > 1 and all(re.fullmatch(r"[-+]?\d+,\d+", word) for word in parted):
            return [word.replace(",", ".") for word in parted]  # decimal commas
        return [word for word in re.split(r"[,;|\s]+", text) if word]

    def numbers(self) -> Float64Array:
        """(C,) one number a band.

        Raises:
            UnusableListError: If it holds something else, or of other bands.
        """
        values = self._as_numbers()
        self._require_each(len(values))
        return values

    def number_or_numbers(self) -> Float64Array:
        """(C,) the only number for all bands, or one for each.

        Raises:
            UnusableListError: If it is neither.
        """
        values = self._as_numbers()
        if len(values) != 1:
            self._require_each(len(values))
        return np.broadcast_to(values, (self.count,)).copy()

    def good(self) -> BoolArray:
        """(C,) True for the bands that can be used.

        The list holds a flag for each band, or the numbers of the bands that are meant, from 1 on,
        such as ``{1-5, 104}``. In one called "bad bands" the flags 1 and 0 may mean either; "true"
        means bad.

        Raises:
            UnusableListError: If it tells neither, or of other bands.
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
                f"its '{self.key}' has the entry '{wrong}', which says neither good nor bad: not "
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
        tags: Values by plain key.
        spelled: Each plain key as the file spells it.
        count: Bands of the scene.
        told: Receives why a list cannot be used.
    """

    tags: Mapping[str, str]
    spelled: Mapping[str, str]
    count: int
    told: list[str]

    @classmethod
    def of(cls, tags: Mapping[str, str], count: int, told: list[str]) -> HeaderLists:
        """Lists under keys as the file spells them."""
        plain = {plain_key(key): value for key, value in tags.items()}
        return cls(plain, {plain_key(key): key for key in tags}, count, told)

    def named(self, plain: str) -> HeaderList | None:
        """The list with a key, None if there is none."""
        if plain not in self.tags:
            return None
        return HeaderList(self.spelled[plain], self.tags[plain], self.count)

    def numbers(self, plain: str, *, or_one: bool = False) -> Float64Array | None:
        """(C,) one number a band, None if there are none; with ``or_one``, also one for all."""
        listed = self.named(plain)
        if listed is None:
            return None
        try:
            return listed.number_or_numbers() if or_one else listed.numbers()
        except UnusableListError as error:
            self.told.append(str(error))
            return None


def plain_key(key: str) -> str:
    """A key in lower case, without the blanks and underscores that writers disagree about."""
    return re.sub(r"[\s_\-]+", "", key).lower()


def flag_of(key: str, text: str) -> bool | None:
    """Whether a single band's flag says that it can be used; None if it says nothing."""
    meaning = FLAG_KEYS[plain_key(key)]
    if meaning == "bad" and np.isfinite(value := as_number(text)):
        return not value  # of one band this can only mean that it is bad
    return _flag(text.strip().lower(), meaning)


def as_number(text: str) -> float:
    """The number in a text, NaN if there is none."""
    try:
        return float(text.strip())
    except ValueError:
        return float("nan")


def _flag(word: str, meaning: str) -> bool | None:
    """True for good, None for a word that says nothing."""
    if word in _GOOD or word in _BAD:
        return word in _GOOD
    if word in _YES or word in _NO:
        return (word in _YES) == (meaning == "good")
    value = as_number(word)
    return bool(value != 0) if meaning == "good" and np.isfinite(value) else None


def _band_numbers(words: list[str]) -> list[int] | None:
    """The whole numbers that are listed one by one, or from one to another; None if others are."""
    found: list[int] = []
    for word in words:
        match = re.fullmatch(r"(\d{1,6})(?:\.0*)?(?:[-:](\d{1,6}))?", word)
        if match is None:
            return None
        first = int(match[1])
        last = first if match[2] is None else int(match[2])
        found.extend(range(first, last + 1))
    return found
