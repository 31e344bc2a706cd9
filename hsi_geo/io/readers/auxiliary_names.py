"""Names of what comes with measured values: uncertainties, noise, masks, flags."""

from __future__ import annotations

import re

#: Words of such names, in lower case and in the singular.
_AUXILIARY = frozenset(
    [
        *("unc", "uncert", "uncertainty", "uncertainties", "std", "stdev", "stddev", "stderr"),
        *("deviation", "variance", "covariance", "err", "error", "sigma", "noise", "snr"),
        *("mask", "quality", "qa", "flag"),
    ]
)

#: Words of what is taken out of measured values, and the words after them that say so.
_TAKEN_OUT = frozenset(["noise", "error", "err"])
_WITHOUT = frozenset(["corrected", "reduced", "removed", "free", "filtered"])

#: Words of a name: they end at anything but a letter, and before the next capital of camelCase.
_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+")


def is_auxiliary(name: str) -> bool:
    """Whether a name is that of uncertainties, noise, masks or flags rather than of measured values.

    Whole words count. They end at all characters but letters, and in camelCase.

    Args:
        name: Name of a file, a variable or a group.

    Examples:
        >>> [is_auxiliary(name) for name in ("refl_err", "reflectanceError", "SNR_B01.tif", "std2")]
        [True, True, True, True]
        >>> [is_auxiliary(name) for name in ("terrain", "reflectance_masked", "denoised", "ferry")]
        [False, False, False, False]
        >>> [is_auxiliary(name) for name in ("noise_corrected", "errorFree", "noise_corrected_std")]
        [False, False, True]
    """
    return any(_are_auxiliary(_words(name)))


def may_be_measured(name: str, chosen: str) -> bool:
    """Whether an auxiliary name may be that of measured values: it ends with another word, as "quality_checked".

    Args:
        name: Name that `is_auxiliary`.
        chosen: Name of the measured values beside it, which it may repeat ("std_radiance" beside "radiance").

    Examples:
        >>> [may_be_measured(name, "cube") for name in ("noise_adjusted", "y_noise", "std_cube")]
        [True, False, False]
    """
    words = _words(name)
    are_auxiliary = _are_auxiliary(words)
    others = [word for word, is_one in zip(words, are_auxiliary, strict=True) if not is_one]
    return bool(words) and not are_auxiliary[-1] and others != _words(chosen)


def _words(name: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(name)]


def _are_auxiliary(words: list[str]) -> list[bool]:
    """Which words are auxiliary; the noise in "noise_corrected" is taken out, and is none."""
    found = []
    for before, word, after in zip(["", *words], words, [*words[1:], ""], strict=False):
        forms = {word, word.removesuffix("s")}
        is_taken_out = bool(forms & _TAKEN_OUT) and after in _WITHOUT
        is_deviation = word == "dev" and before in ("std", "standard")
        found.append(is_deviation or (bool(forms & _AUXILIARY) and not is_taken_out))
    return found
