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
    """
    words = [word.lower() for word in _WORD.findall(name)]
    return any({word, word.removesuffix("s")} & _AUXILIARY for word in words)
