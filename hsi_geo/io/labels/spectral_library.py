"""Spectral libraries: labelled spectra without a place."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from hsi_geo.arrays import Float64Array
from hsi_geo.errors import ClassFieldError, ShotsError
from hsi_geo.io.labels.class_fields import USUAL_CLASS_FIELDS
from hsi_geo.io.labels.class_names import clean_name
from hsi_geo.text import quoted
from hsi_geo.wavelength_units import are_band_numbers, to_nm

#: Most spectra of a library.
MAX_SPECTRA = 100_000

#: Smaller numbers are fill values: no reflectance, in any scale, is as negative.
MOST_NEGATIVE = -900.0

#: Fewest wavelengths of a spectrum.
FEWEST_BANDS = 2


@dataclass(frozen=True, eq=False)
class LibrarySpectrum:
    """A spectrum of a library.

    Attributes:
        name: Its name in the library.
        centres_nm: (C,) wavelengths in nm, increasing.
        values: (C,) values in the library's own scale, NaN where there is none.
        fwhm_nm: (C,) full widths at half maximum in nm; None if they are not known.
        fields: What else the library tells of it, as text by field.
    """

    name: str
    centres_nm: Float64Array
    values: Float64Array
    fwhm_nm: Float64Array | None = None
    fields: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class SpectralLibrary:
    """Labelled spectra.

    Attributes:
        spectra: The spectra.
        class_ids: (S,) id of the class of each in the class table of the shots, 1..K.
        source: Path of the file, for messages.
    """

    spectra: tuple[LibrarySpectrum, ...]
    class_ids: tuple[int, ...]
    source: str

    def __len__(self) -> int:
        """Number of spectra."""
        return len(self.spectra)


def make_spectrum(
    name: str,
    centres_nm: Float64Array,
    values: Float64Array,
    fwhm_nm: Float64Array | None = None,
    fields: dict[str, str] | None = None,
) -> LibrarySpectrum:
    """A spectrum with increasing wavelengths, and NaN where it has no value.

    Args:
        name: Its name in the library.
        centres_nm: (C,) wavelengths in nm, in any order. Of equal ones the mean is taken.
        values: (C,) values. Numbers such as -9999 and -1.23e34 mean none.
        fwhm_nm: (C,) full widths at half maximum in nm; None if they are not known.
        fields: What else the library tells of it.

    Raises:
        ShotsError: If lengths differ, or wavelengths are not those of light.

    Example:
        >>> make_spectrum("a", np.array([600.0, 500.0]), np.array([2.0, 1.0])).values.tolist()
        [1.0, 2.0]
    """
    centres, numbers = np.asarray(centres_nm, np.float64), np.asarray(values, np.float64)
    if centres.ndim != 1 or centres.shape != numbers.shape or len(centres) < FEWEST_BANDS:
        raise ShotsError(
            f"spectrum '{name}' has {centres.size} wavelengths and {numbers.size} values",
            hint="give as many of one as of the other",
        )
    usable = np.isfinite(centres) & (centres > 0)
    if not usable.all() or centres.max() > 100_000:
        raise ShotsError(
            f"spectrum '{name}' has numbers for wavelengths that are none",
            hint="give wavelengths in nm or in micrometres",
        )
    numbers = np.where((numbers > MOST_NEGATIVE) & (numbers < 1e30), numbers, np.nan)
    distinct, group = np.unique(centres, return_inverse=True)
    counts = np.bincount(group)
    widths = None
    if fwhm_nm is not None and np.shape(fwhm_nm) == centres.shape:
        widths = np.bincount(group, np.asarray(fwhm_nm, np.float64)) / counts
    return LibrarySpectrum(
        name, distinct, np.bincount(group, numbers) / counts, widths, fields or {}
    )


def library_nm(values: Float64Array, unit: str | None, source: str) -> Float64Array:
    """Wavelengths of a library in nm.

    Args:
        values: (C,) wavelengths.
        unit: Their unit as the library names it; None if it names none.
        source: Path of the library, for messages.

    Raises:
        ShotsError: If the numbers count the bands.
    """
    if are_band_numbers(values, unit):
        raise ShotsError(
            f"spectral library '{source}' numbers its bands ({values[0]:g}, {values[1]:g}, ...) and has no wavelengths",
            hint="give the wavelength of each band in nm",
        )
    return to_nm(values, unit)


def labels_of(
    spectra: Sequence[LibrarySpectrum],
    class_field: str | None,
    wanted: Sequence[str],
    source: str,
) -> tuple[list[str | None], str]:
    """The class of each spectrum.

    Args:
        spectra: Spectra of one library.
        class_field: Field that holds the class; None finds it: the field that has most of the wanted classes,
            one with a usual name, or the only one. Without fields the names of the spectra tell the class.
        wanted: Classes of shots that are used together with the library.
        source: Path of the library, for messages.

    Returns:
        labels: Class of each spectrum, None for those without.
        note: How it was found.

    Raises:
        ClassFieldError: If there is no such field, or several may hold the class.
    """
    fields = list(dict.fromkeys(key for one in spectra for key in one.fields))
    if class_field is not None:
        same = [key for key in fields if _plain(key) == _plain(class_field)]
        exact = [key for key in fields if key == class_field] or same
        if not exact:
            raise ClassFieldError(
                f"spectral library '{source}' has no field '{class_field}', only {quoted(fields)}"
                if fields
                else f"spectral library '{source}' has no fields, and '{class_field}' is asked for",
                hint="choose the field that holds the class with --class-field",
            )
        return _column(spectra, exact[0]), f"class taken from field '{exact[0]}'"
    if not fields:
        return [name_stem(one.name) for one in spectra], "classes taken from the spectra's names"
    known = {clean_name(name).casefold() for name in wanted}
    matches = {
        key: sum(label is not None and label.casefold() in known for label in _column(spectra, key))
        for key in fields
    }
    best = [key for key in fields if matches[key] and matches[key] == max(matches.values())]
    usual = [key for key in fields if _plain(key) in {_plain(name) for name in USUAL_CLASS_FIELDS}]
    for candidates, reason in (
        (best, "it has the classes of the other shots"),
        (usual, "by its name"),
        (fields, "the only field"),
    ):
        if len(candidates) == 1:
            chosen = candidates[0]
            return _column(spectra, chosen), f"class taken from field '{chosen}' ({reason})"
    raise ClassFieldError(
        f"spectral library '{source}' has several fields that may hold the class: {quoted(fields)}",
        hint="choose one with --class-field",
    )


def name_stem(name: str) -> str:
    """The name of a spectrum without the number at its end.

    Example:
        >>> name_stem("Red clay tile 12"), name_stem("grass_03"), name_stem("Water1"), name_stem("7")
        ('Red clay tile', 'grass', 'Water', '7')
    """
    stem = re.sub(r"[\s_.\-]*[(\[]?\d+[)\]]?$", "", name.strip())
    return stem or name.strip()


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", clean_name(text).casefold())


def _column(spectra: Sequence[LibrarySpectrum], key: str) -> list[str | None]:
    found = [clean_name(one.fields.get(key, "")) for one in spectra]
    return [label or None for label in found]
