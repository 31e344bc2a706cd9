"""Units of wavelengths: how files spell them, and which unit a list of numbers can be in.

A declared unit is accepted if the numbers can be wavelengths of an optical sensor in it. Otherwise
the unit is inferred from the numbers.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

import numpy as np

from hsi_geo.arrays import BoolArray, Float64Array
from hsi_geo.errors import WavelengthError

#: Wavelengths of sensors that observe the ground. Below, air is opaque to ultraviolet light. Above, it
#: is opaque to thermal emission, except for windows that end at 14 micrometres (sounders reach 16).
OPTICAL_NM = (200.0, 20_000.0)

#: Reflected sunlight, where nearly all imaging spectrometers work. A unit that hardly any file has
#: (millimetres, a frequency) is only inferred if all bands lie here.
REFLECTED_NM = (300.0, 3_000.0)

#: Beyond `OPTICAL_NM`, numbers up to here are still accepted in their declared unit if no other unit
#: fits: laboratories and other planets.
ACCEPTED_NM = (100.0, 100_000.0)

#: Where the atmosphere absorbs all thermal emission: water vapour between 5.5 and 7.3 micrometres, carbon
#: dioxide and water vapour beyond 16.5. Sensors that observe the ground have no bands here, but sounders do.
OPAQUE_NM = ((5_500.0, 7_300.0), (16_500.0, 20_000.0))

#: Numbers without a unit whose median is below this are micrometres, others nanometres.
MICROMETRE_LIMIT = 100.0


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit of wavelengths, wavenumbers or frequencies.

    Attributes:
        name: Its name in the plural, for messages.
        kind: "length", "wavenumber" or "frequency".
        nm: Factor to nanometres. A length in nm is this times the number; for the other kinds the
            wavelength in nm is this divided by the number.
    """

    name: str
    kind: str
    nm: float

    def to_nm(self, values: Float64Array) -> Float64Array:
        """(C,) wavelengths in nm; 0 for those that are infinite.

        Args:
            values: (C,) numbers in this unit.
        """
        with np.errstate(over="ignore"):  # an infinite wavelength is refused later
            if self.kind == "length":
                return np.asarray(values * self.nm, np.float64)
            return np.divide(self.nm, values, out=np.zeros(len(values)), where=values != 0)

    def widths_to_nm(self, widths: Float64Array, centres_nm: Float64Array) -> Float64Array:
        """(C,) widths in nm of bands with these centres.

        Args:
            widths: (C,) full widths at half maximum in this unit.
            centres_nm: (C,) band centres in nm.
        """
        if self.kind == "length":
            return np.asarray(widths * self.nm)
        return np.asarray(widths * centres_nm**2 / self.nm)


NANOMETRES = Unit("nanometres", "length", 1.0)
MICROMETRES = Unit("micrometres", "length", 1e3)
ANGSTROMS = Unit("angstroms", "length", 0.1)

#: All known units, the usual ones first, with their spellings in lower case and in the singular.
_SPELLINGS = {
    NANOMETRES: ("nm", "nanometer", "nanometre", "nano meter", "nanom", "nanon"),
    MICROMETRES: ("um", "μm", "micron", "micrometer", "micrometre", "micro meter", "mum", "mu m"),
    ANGSTROMS: ("angstrom", "ångström", "ångstrom", "å", "angstroem"),
    Unit("millimetres", "length", 1e6): ("mm", "millimeter", "millimetre"),
    Unit("centimetres", "length", 1e7): ("cm", "centimeter", "centimetre"),
    Unit("metres", "length", 1e9): ("m", "meter", "metre"),
    Unit("wavenumbers per cm", "wavenumber", 1e7): (
        *("wavenumber", "wave number", "wavenumber cm-1", "cm-1", "1/cm", "cm^-1", "cm**-1"),
        *("per cm", "kayser", "reciprocal centimeter", "inverse centimeter"),
    ),
    Unit("terahertz", "frequency", 299_792.458): ("thz", "terahertz"),
    Unit("gigahertz", "frequency", 299_792_458.0): ("ghz", "gigahertz"),
    Unit("megahertz", "frequency", 299_792_458e3): ("mhz", "megahertz"),
    Unit("hertz", "frequency", 299_792_458e9): ("hz", "hertz"),
}
_UNITS = {word: unit for unit, words in _SPELLINGS.items() for word in words}

#: The units of length, in the same order.
LENGTHS = tuple(unit for unit in _SPELLINGS if unit.kind == "length")

#: Lengths that are written as a power of ten of a metre, such as "1e-9 m".
_POWERS = {-9: "nm", -6: "um", -10: "angstrom", -3: "mm", -2: "cm", 0: "m"}
_POWER_OF_METRE = re.compile(r"(?:1e|10\^?|10\*\*)([-+]?\d+) ?m(?:et(?:er|re)s?)?")

#: Words in place of a unit for a list that numbers the bands instead of giving wavelengths.
_COUNTS = ("index", "band", "bandnumber", "band number", "bandindex", "band index", "channel")


# Parsing --------------------------------------------------------------------------------------


def parse_unit(text: str | None) -> Unit | None:
    """The unit that a text names.

    Args:
        text: A unit, alone or in the name of a column or an attribute.

    Returns:
        None for an unknown word, and for more than one unit.

    Example:
        >>> parse_unit("Wavelength (µm)").name
        'micrometres'
        >>> parse_unit("1e-9 m").name
        'nanometres'
        >>> parse_unit("nm or um") is None
        True
    """
    plain = _plain_word(text)
    if plain in _UNITS:
        return _UNITS[plain]
    power = _POWER_OF_METRE.fullmatch(plain)
    if power is not None:
        return _UNITS.get(_POWERS.get(int(power[1]), ""))
    words = {word.rstrip("s") for word in re.split(r"[\s_,;:=()\[\]{}]+", plain)}
    # A single letter among other words is more likely a name than a unit.
    units = {_UNITS[word] for word in words if word in _UNITS and len(word) > 1}
    return units.pop() if len(units) == 1 else None


def to_nm(values: Float64Array, unit: str | None) -> Float64Array:
    """Convert wavelengths to nanometres in their declared unit, whatever the result.

    Args:
        values: (C,) wavelengths in ``unit``.
        unit: Any spelling that `parse_unit` knows. With None or an unknown word, values whose median is
            below 100 are taken as micrometres, others as nanometres.

    Returns:
        (C,) the same wavelengths in nanometres.

    Example:
        >>> import numpy as np
        >>> to_nm(np.array([0.5, 2.5]), "Micrometers").tolist()
        [500.0, 2500.0]
    """
    return (parse_unit(unit) or _default_unit(values)).to_nm(values)


def are_band_numbers(values: Float64Array, unit: str | None) -> bool:
    """Whether a list numbers the bands instead of giving wavelengths.

    Args:
        values: (C,) the list.
        unit: The declared unit. "Index" and similar words are accepted unless the numbers are fractions
            or large: some programs write them beside wavelengths.

    Example:
        >>> import numpy as np
        >>> are_band_numbers(np.arange(1.0, 31.0), "")
        True
        >>> are_band_numbers(np.array([462.0, 551.5]), "Index")
        False
    """
    if parse_unit(unit) is not None or not len(values):
        return False
    first = values[0]
    counted = len(values) > 1 and first in (0, 1) and bool((np.diff(values) == 1).all())
    if _plain_word(unit) not in _COUNTS:
        return counted
    whole = bool((values % 1 == 0).all())
    consecutive = bool((np.diff(values) == 1).all()) and len(values) > 1
    return whole and (consecutive or not _within(values, REFLECTED_NM))


def _plain_word(text: str | None) -> str:
    """A unit's name in lower case and in the singular, in one of its spellings."""
    plain = unicodedata.normalize("NFKC", text or "").lower().replace("\u2212", "-")
    plain = " ".join(plain.strip().strip("()[]{}<>\"'.").split())
    return plain.rstrip("s")


# Inferring ------------------------------------------------------------------------------------


def resolve_unit(
    values: Float64Array, declared: str | None, source: str
) -> tuple[Unit, str | None]:
    """The unit that band centres are in.

    Args:
        values: (C,) centres of the bands in use, all above 0.
        declared: The unit as the file spells it; None or empty if there is none.
        source: Where the centres came from, for messages.

    Returns:
        The unit, and a warning if it contradicts the declared unit or is ambiguous.

    Raises:
        WavelengthError: If the numbers are no optical wavelengths in any unit.

    Example:
        >>> import numpy as np
        >>> unit, warning = resolve_unit(np.array([420.0, 2400.0]), "Micrometers", "a header")
        >>> unit.name, warning.split(": ")[1]
        ('nanometres', 'taken for nanometres')
    """
    known = parse_unit(declared)
    nominal = known or _default_unit(values)
    if not len(values):
        return nominal, None  # refused with its first band
    word = (declared or "").strip()
    in_nm = nominal.to_nm(values)
    unit = nominal if _within(in_nm, OPTICAL_NM) else _infer_unit(values, known)
    if unit is None and _within(in_nm, ACCEPTED_NM):
        unit = nominal
    numbers = number_range(values)
    if unit is None:
        raise WavelengthError(
            f"the wavelengths {numbers}{word and ' ' + word} (from {source}) are no optical "
            "wavelengths, neither in the declared unit nor in another one",
            hint="give the band centres with --wavelengths FILE, one in nm per line",
        )
    contradicts = unit is not nominal or _plain_word(word) in _COUNTS
    if not contradicts:
        return unit, _ambiguity(values, unit, source)
    reason = f"cannot be in the unit '{word}'" if word else "have no unit and fit no usual one"
    return unit, f"its wavelengths {numbers} (from {source}) {reason}: taken for {unit.name}"


def _ambiguity(values: Float64Array, unit: Unit, source: str) -> str | None:
    """A warning for nanometres that are more likely angstroms.

    The numbers 4000 to 10000 are thermal bands in nm, and visible and near-infrared bands in angstroms.
    Bands where the atmosphere is opaque make the latter more likely, but sounders have such bands. So the
    unit stays, and the user is warned.
    """
    if unit is not NANOMETRES or not _within(ANGSTROMS.to_nm(values), REFLECTED_NM):
        return None
    if not any(((low <= values) & (values <= high)).any() for low, high in OPAQUE_NM):
        return None
    return (
        f"its wavelengths {number_range(values)} (from {source}) may be angstroms, as they lie where the "
        "atmosphere is opaque: taken for nanometres; if they are angstroms, give --wavelengths FILE with "
        "a column named wavelength_angstrom"
    )


def _default_unit(values: Float64Array) -> Unit:
    """The unit of numbers without one."""
    finite = values[np.isfinite(values)]
    small = finite.size > 0 and float(np.median(finite)) < MICROMETRE_LIMIT
    return MICROMETRES if small else NANOMETRES


def _infer_unit(values: Float64Array, declared: Unit | None) -> Unit | None:
    """The unit in which numbers are optical wavelengths that are none in the declared unit.

    Another unit of length is tried before a wavenumber. A unit that hardly any file has is only
    inferred where all bands lie in reflected sunlight.
    """
    for unit in (NANOMETRES, MICROMETRES):
        limits = OPTICAL_NM if declared is None or declared.kind == "length" else REFLECTED_NM
        if unit is not declared and _within(unit.to_nm(values), limits):
            return unit
    kind = "length" if declared is None else declared.kind
    rare = [unit for unit in _SPELLINGS if unit is not declared]
    same_kind = [unit for unit in rare if unit.kind == kind]
    accepted = declared is not None and _within(declared.to_nm(values), ACCEPTED_NM)
    others = [] if accepted else [unit for unit in rare if unit.kind != kind]
    for unit in same_kind + others:
        if _within(unit.to_nm(values), REFLECTED_NM):
            return unit
    wide = [] if accepted else same_kind
    return next((unit for unit in wide if _within(unit.to_nm(values), OPTICAL_NM)), None)


def is_positive(values: Float64Array) -> BoolArray:
    """(C,) True for finite numbers above 0.

    Args:
        values: (C,) any numbers.
    """
    return np.asarray(np.isfinite(values) & (np.nan_to_num(values) > 0))


def number_range(values: Float64Array) -> str:
    """Least and greatest number of a list, for messages.

    Args:
        values: (C,) finite numbers, at least one.
    """
    low, high = float(values.min()), float(values.max())
    return f"{low:.6g}" if low == high else f"{low:.6g} to {high:.6g}"


def _within(values_nm: Float64Array, limits_nm: tuple[float, float]) -> bool:
    """Whether all values lie between the limits, within what conversions round."""
    low, high = limits_nm
    return bool((values_nm >= low * (1 - 1e-9)).all() and (values_nm <= high * (1 + 1e-9)).all())
