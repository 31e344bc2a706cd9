"""Band centres in nanometres: units, widths, water vapour, and placing one sensor on another.

Everything here is a plain value or a pure function; where a file keeps its wavelengths is the
readers' business.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hsi_geo.arrays import BoolArray, Float64Array
from hsi_geo.errors import WavelengthError

#: The cores of the two strong water-vapour bands near 1400 and 1900 nm, where no light from
#: the ground reaches a sensor. Cores only: how noisy their flanks are differs by scene, and
#: noise whitening finds that out from the data.
WATER_VAPOUR_NM = ((1350.0, 1425.0), (1805.0, 1950.0))

#: Where sensors see that look at the ground: below, air is opaque to ultraviolet light; above, it is
#: opaque to what is warm, but for windows that end at 14 micrometres (sounders go on to 16).
OPTICAL_NM = (200.0, 20_000.0)

#: Sunlight that the ground reflects: where nearly all imaging spectrometers work, so that a unit
#: which hardly any file has (millimetres, a frequency) is only taken for one if all bands lie here.
REFLECTED_NM = (300.0, 3_000.0)

#: Beyond `OPTICAL_NM` numbers are still taken at their word up to here, if they make no sense in
#: another unit: laboratories and other planets.
AT_ITS_WORD_NM = (100.0, 100_000.0)

#: Numbers without a unit whose median is below this are micrometres, others nanometres.
MICROMETRE_LIMIT = 100.0

#: A band is not wider than its own wavelength (a whole thermal window is half as wide), nor in the
#: median than this many times the usual distance between bands (resampled ones lie close).
MOST_SPACINGS = 200.0

#: Nor is it both narrower than this share of its wavelength and than this share of that distance.
LEAST_SHARE, LEAST_SPACINGS = 2e-4, 0.02

#: Bands around a band (an even number) that its width is guessed from.
AROUND = 8

#: Centres that differ by no more nanometres are of the same band. Less than half the step of DESIS
#: (2.55 nm), the finest sensor that is read: with more, the next band might be taken for this one.
SAME_NM = 1.0


@dataclass(frozen=True, slots=True)
class Unit:
    """What numbers of wavelengths are in.

    Attributes:
        name: For messages, in the plural.
        kind: "length", "wavenumber" or "frequency".
        nm: A wavelength in nm is this times the number, or of the other kinds this over it.
    """

    name: str
    kind: str
    nm: float

    def to_nm(self, values: Float64Array) -> Float64Array:
        """(C,) wavelengths in nm; 0 for those that are infinite."""
        with np.errstate(over="ignore"):  # what is infinite in nm is refused as a wavelength
            if self.kind == "length":
                return np.asarray(values * self.nm, np.float64)
            return np.divide(self.nm, values, out=np.zeros(len(values)), where=values != 0)

    def widths_to_nm(self, widths: Float64Array, centres_nm: Float64Array) -> Float64Array:
        """(C,) widths in nm of bands at these centres."""
        if self.kind == "length":
            return np.asarray(widths * self.nm)
        return np.asarray(widths * centres_nm**2 / self.nm)


NANOMETRES = Unit("nanometres", "length", 1.0)
MICROMETRES = Unit("micrometres", "length", 1e3)

#: All that are known, the usual ones first, with their names in lower case and in the singular.
_SPELLINGS = {
    NANOMETRES: ("nm", "nanometer", "nanometre", "nano meter", "nanom", "nanon"),
    MICROMETRES: ("um", "μm", "micron", "micrometer", "micrometre", "micro meter", "mum", "mu m"),
    Unit("angstroms", "length", 0.1): ("angstrom", "ångström", "ångstrom", "å", "angstroem"),
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

#: Lengths that are told as a power of ten of a metre, such as "1e-9 m".
_POWERS = {-9: "nm", -6: "um", -10: "angstrom", -3: "mm", -2: "cm", 0: "m"}
_POWER_OF_METRE = re.compile(r"(?:1e|10\^?|10\*\*)([-+]?\d+) ?m(?:et(?:er|re)s?)?")

#: What stands for the unit where a list counts bands instead of telling wavelengths.
_COUNTS = ("index", "band", "bandnumber", "band number", "bandindex", "band index", "channel")

_NUMBER_AND_UNIT = re.compile(
    r"((?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?)\s*"
    r"(nanomet(?:er|re)s?|micromet(?:er|re)s?|microns?|nm|um|µm|μm)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, eq=False)
class Bands:
    """The spectral side of a scene, in the order its file keeps.

    Attributes:
        centres_nm: (C,) band centres in nanometres, not necessarily increasing.
        fwhm_nm: (C,) full widths at half maximum in nanometres.
        good: (C,) False where the file or water vapour says that a band carries no signal.
        source: Where the centres came from, in words.
        warnings: What is wrong with what the file says, a sentence each.
    """

    centres_nm: Float64Array
    fwhm_nm: Float64Array
    good: BoolArray
    source: str
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check that the centres can be used at all.

        Raises:
            WavelengthError: If a good band's centre is not a positive number or all bands are bad.
        """
        wrong = self.good & ~_is_positive(self.centres_nm)
        if wrong.any():
            band = int(np.flatnonzero(wrong)[0])
            raise WavelengthError(
                f"band {band + 1} has the wavelength {self.centres_nm[band]:g} nm "
                f"(from {self.source}), which is no wavelength",
                hint="give the band centres with --wavelengths FILE, one in nm per line",
            )
        if not self.good.any():
            raise WavelengthError(
                f"all {len(self.good)} bands are marked bad (from {self.source})",
                hint="give the band centres with --wavelengths FILE, one in nm per line",
            )

    def in_order(self) -> npt.NDArray[np.intp]:
        """Indices of the good bands by increasing wavelength: how models see a scene."""
        order = np.argsort(self.centres_nm, kind="stable")
        return order[self.good[order]]


@dataclass(frozen=True, eq=False)
class StatedBands:
    """What a file says of its bands, before anybody has asked whether it can be true.

    Attributes:
        centres: (C,) numbers as they stand there; what is not positive stands for none.
        unit: As the file spells it; None or empty if it tells none.
        source: Where the centres came from, in words.
        widths: (C,) full widths at half maximum, None if it tells none; as the centres.
        widths_unit: None if it tells none, which is that of the centres then.
    """

    centres: Float64Array
    unit: str | None
    source: str
    widths: Float64Array | None = None
    widths_unit: str | None = None


def read_bands(stated: StatedBands, *, good: BoolArray | None = None) -> Bands:
    """Believe what a file says of its bands as far as it can be true.

    Numbers that cannot be optical wavelengths in the unit that is told, and can be in another one,
    are in that one; widths likewise. Whatever is not taken at its word is among the warnings.

    Args:
        stated: What the file says.
        good: (C,) the file's own bad-band list, or None. Bad bands are not asked.

    Returns:
        The bands, in the order given; see `make_bands`.

    Raises:
        WavelengthError: If the centres are no optical wavelengths in any unit.
    """
    used = _is_positive(stated.centres)
    if good is not None and (used & good).any():
        used &= good
    unit, warning = _believed_unit(stated, used)
    warnings = [] if warning is None else [warning]
    centres_nm = np.where(_is_positive(stated.centres), unit.to_nm(stated.centres), stated.centres)
    if good is not None:  # a band that nobody uses needs no centre
        centres_nm = np.where(good | _is_positive(centres_nm), centres_nm, 0.0)
    fwhm_nm = None
    if stated.widths is not None:
        fwhm_nm, warning = _believed_widths(stated, unit, centres_nm, used)
        warnings += [] if warning is None else [warning]
    return make_bands(
        centres_nm, fwhm_nm=fwhm_nm, good=good, source=stated.source, warnings=tuple(warnings)
    )


def centres_in_nm(stated: StatedBands) -> Float64Array:
    """(C,) centres in nm as `read_bands` takes them; NaN if they are no optical wavelengths."""
    try:
        unit, _ = _believed_unit(stated, _is_positive(stated.centres))
    except WavelengthError:
        return np.full(len(stated.centres), np.nan)  # refused when they are asked for
    return unit.to_nm(stated.centres)


def make_bands(
    centres_nm: Float64Array,
    *,
    fwhm_nm: Float64Array | None = None,
    good: BoolArray | None = None,
    source: str,
    warnings: tuple[str, ...] = (),
) -> Bands:
    """Complete what is known of bands.

    Missing widths become the usual distance between bands thereabouts; bands in the water-vapour
    windows become bad unless that would leave none.

    Args:
        centres_nm: (C,) nanometres.
        fwhm_nm: (C,) nanometres, or None; entries that are not positive count as missing.
        good: (C,) the file's own bad-band list, or None.
        source: Where the centres came from, in words.
        warnings: See `Bands`.

    Returns:
        The bands, in the order given.
    """
    widths = usual_spacing(centres_nm)
    if fwhm_nm is not None:
        widths = np.where(np.isfinite(fwhm_nm) & (fwhm_nm > 0), fwhm_nm, widths)
    usable = np.ones(len(centres_nm), bool) if good is None else good.copy()
    dry = usable & ~in_water_vapour(centres_nm)
    return Bands(centres_nm, widths, dry if dry.any() else usable, source, warnings)


# Units ----------------------------------------------------------------------------------------


def unit_named(text: str | None) -> Unit | None:
    """The unit that files mean by "Micrometers", "nm", "[µm]", "1e-9 m", "Wavelength (nm)", ...

    Returns:
        None for an unknown word, and for more than one unit.
    """
    plain = _plain_word(text)
    if plain in _UNITS:
        return _UNITS[plain]
    power = _POWER_OF_METRE.fullmatch(plain)
    if power is not None:
        return _UNITS.get(_POWERS.get(int(power[1]), ""))
    words = {word.rstrip("s") for word in re.split(r"[\s_,;:=()\[\]{}]+", plain)}
    # A lone letter among other words is rather a name than a unit.
    named = {_UNITS[word] for word in words if word in _UNITS and len(word) > 1}
    return named.pop() if len(named) == 1 else None


def to_nm(values: Float64Array, unit: str | None) -> Float64Array:
    """Convert wavelengths to nanometres, as they are told.

    Args:
        values: Wavelengths in ``unit``.
        unit: As files spell it, see `unit_named`. None or an unknown word: values whose median is
            under 100 are taken for micrometres, others for nanometres.

    Returns:
        The same wavelengths in nanometres.
    """
    return (unit_named(unit) or _guessed(values)).to_nm(values)


def are_band_numbers(values: Float64Array, unit: str | None) -> bool:
    """Whether a list counts bands instead of telling wavelengths.

    Args:
        values: (C,).
        unit: As the file spells it. "Index" and the like are believed unless the numbers are
            fractions or large: some programs write it beside wavelengths.
    """
    if unit_named(unit) is not None or not len(values):
        return False
    first = values[0]
    counted = len(values) > 1 and first in (0, 1) and bool((np.diff(values) == 1).all())
    if _plain_word(unit) not in _COUNTS:
        return counted
    whole = bool((values % 1 == 0).all())
    in_a_row = bool((np.diff(values) == 1).all()) and len(values) > 1
    return whole and (in_a_row or not _within(values, REFLECTED_NM))


def _guessed(values: Float64Array) -> Unit:
    finite = values[np.isfinite(values)]
    small = finite.size > 0 and float(np.median(finite)) < MICROMETRE_LIMIT
    return MICROMETRES if small else NANOMETRES


def _believed_unit(stated: StatedBands, used: BoolArray) -> tuple[Unit, str | None]:
    """The unit that the centres are in, and a warning if it is not the one that is told.

    Raises:
        WavelengthError: If they are no optical wavelengths in any.
    """
    told, values = unit_named(stated.unit), stated.centres[used]
    at_its_word = told or _guessed(values)
    if not len(values):
        return at_its_word, None  # refused with its first band
    word = (stated.unit or "").strip()
    in_nm = at_its_word.to_nm(values)
    unit = at_its_word if _within(in_nm, OPTICAL_NM) else _unit_of(values, told)
    if unit is None and _within(in_nm, AT_ITS_WORD_NM):
        unit = at_its_word
    numbers = _numbers(values)
    if unit is None:
        raise WavelengthError(
            f"the wavelengths {numbers}{word and ' ' + word} (from {stated.source}) are no optical "
            "wavelengths, neither in the unit that is told nor in another one",
            hint="give the band centres with --wavelengths FILE, one in nm per line",
        )
    contradicts = unit is not at_its_word or _plain_word(word) in _COUNTS
    if not contradicts:
        return unit, None
    said = f"cannot be in the unit '{word}'" if word else "tell no unit and can be in no usual one"
    return unit, f"its wavelengths {numbers} (from {stated.source}) {said}: taken for {unit.name}"


def _unit_of(values: Float64Array, told: Unit | None) -> Unit | None:
    """The unit in which numbers are optical wavelengths that are none in the unit that is told.

    A length is sooner another length than a wavenumber, and a list in a unit that hardly any file
    has lies where nearly all sensors look.
    """
    for unit in (NANOMETRES, MICROMETRES):
        limits = OPTICAL_NM if told is None or told.kind == "length" else REFLECTED_NM
        if unit is not told and _within(unit.to_nm(values), limits):
            return unit
    kind = "length" if told is None else told.kind
    rare = [unit for unit in _SPELLINGS if unit is not told]
    alike = [unit for unit in rare if unit.kind == kind]
    at_its_word = told is not None and _within(told.to_nm(values), AT_ITS_WORD_NM)
    others = [] if at_its_word else [unit for unit in rare if unit.kind != kind]
    for unit in alike + others:
        if _within(unit.to_nm(values), REFLECTED_NM):
            return unit
    wide = [] if at_its_word else alike
    return next((unit for unit in wide if _within(unit.to_nm(values), OPTICAL_NM)), None)


def _believed_widths(
    stated: StatedBands, unit: Unit, centres_nm: Float64Array, used: BoolArray
) -> tuple[Float64Array | None, str | None]:
    """Widths in nm, None if they are none, and a warning if they are not what they are told to be.

    Args:
        stated: With widths.
        unit: That the centres are in.
        centres_nm: (C,).
        used: (C,) which bands are asked.
    """
    assert stated.widths is not None
    known = used & _is_positive(stated.widths)
    told = unit_named(stated.widths_unit)
    if not known.any():
        if np.isnan(stated.widths).all():
            return None, None
        return None, f"its widths of bands (from {stated.source}) are no numbers above 0: not used"
    here, widths = centres_nm[known], stated.widths[known]
    lengths = (candidate for candidate in _SPELLINGS if candidate.kind == "length")
    candidates = dict.fromkeys((told or unit, unit, *lengths))
    fitting = (one for one in candidates if _are_widths(one.widths_to_nm(widths, here), here))
    found = next(fitting, None)
    numbers = _numbers(widths)
    if found is None:
        return None, (
            f"its widths of bands {numbers} (from {stated.source}) fit its wavelengths in no unit: "
            "not used, the distances between bands are taken instead"
        )
    if found is unit and told is None and unit.kind == "length":
        ratio = np.ones_like(centres_nm)  # to the last digit what the centres are multiplied with
        np.divide(centres_nm, stated.centres, out=ratio, where=stated.centres != 0)
        widths_nm = np.asarray(stated.widths * ratio)
    else:
        widths_nm = found.widths_to_nm(stated.widths, centres_nm)
    if found is (told or unit):
        return widths_nm, None
    why = f"the unit '{stated.widths_unit}'" if told else f"{unit.name}, as its wavelengths are"
    return widths_nm, (
        f"its widths of bands {numbers} (from {stated.source}) cannot be in {why}: taken for "
        f"{found.name}"
    )


def _are_widths(widths_nm: Float64Array, centres_nm: Float64Array) -> bool:
    """Whether bands at these centres can be so wide, in the median."""
    share = float(np.median(widths_nm / centres_nm))
    if share > 1:
        return False
    if len(np.unique(centres_nm)) < 2:
        return share >= LEAST_SHARE
    spacings = float(np.median(widths_nm / usual_spacing(centres_nm)))
    too_narrow = share < LEAST_SHARE and spacings < LEAST_SPACINGS
    return spacings <= MOST_SPACINGS and not too_narrow


def _is_positive(values: Float64Array) -> BoolArray:
    return np.asarray(np.isfinite(values) & (np.nan_to_num(values) > 0))


def _within(values_nm: Float64Array, limits_nm: tuple[float, float]) -> bool:
    """Whether all lie there, give or take what conversions round."""
    low, high = limits_nm
    return bool((values_nm >= low * (1 - 1e-9)).all() and (values_nm <= high * (1 + 1e-9)).all())


def _numbers(values: Float64Array) -> str:
    low, high = float(values.min()), float(values.max())
    return f"{low:.6g}" if low == high else f"{low:.6g} to {high:.6g}"


def _plain_word(text: str | None) -> str:
    """A unit's name in lower case and in the singular, in one of its spellings."""
    plain = unicodedata.normalize("NFKC", text or "").lower().replace("\u2212", "-")
    plain = " ".join(plain.strip().strip("()[]{}<>\"'.").split())
    return plain.rstrip("s")


def from_band_name(name: str) -> tuple[float, str] | None:
    """The wavelength and its unit that a band's name carries: "band 7 (0.5436 Micrometers)"."""
    match = _NUMBER_AND_UNIT.search(name)
    return None if match is None else (float(match[1]), match[2])


# Distances and places -------------------------------------------------------------------------


def spacing(centres_nm: Float64Array) -> Float64Array:
    """(C,) distance in nm from each centre to its nearest other centre; 10 nm for a lone band."""
    distinct = np.unique(centres_nm)
    if len(distinct) < 2:
        return np.full(len(centres_nm), 10.0)
    gaps = np.diff(distinct)
    nearest = np.minimum(np.append(gaps, np.inf), np.insert(gaps, 0, np.inf))
    return np.asarray(nearest[np.searchsorted(distinct, centres_nm)])


def usual_spacing(centres_nm: Float64Array) -> Float64Array:
    """(C,) median of the distances in nm between the bands around each.

    Unlike `spacing` it does not shrink where two detectors overlap.
    """
    distinct = np.unique(centres_nm[_is_positive(centres_nm)])
    if len(distinct) < 2:
        return np.full(len(centres_nm), 10.0)
    gaps = np.diff(distinct)
    around = np.pad(
        gaps, (AROUND // 2, AROUND // 2 + 1), mode="reflect" if len(gaps) > AROUND else "edge"
    )
    usual = np.median(np.lib.stride_tricks.sliding_window_view(around, AROUND + 1), axis=1)
    return np.asarray(usual[np.searchsorted(distinct, centres_nm).clip(max=len(distinct) - 1)])


def same_centres(one: Float64Array, other: Float64Array) -> bool:
    """Whether two lists of band centres, in nm and in order, are of the same bands."""
    return len(one) == len(other) and bool((np.abs(one - other) <= SAME_NM).all())


def in_water_vapour(centres_nm: Float64Array) -> BoolArray:
    """(C,) True where a centre lies in one of `WATER_VAPOUR_NM`."""
    return np.any([(lo <= centres_nm) & (centres_nm <= hi) for lo, hi in WATER_VAPOUR_NM], axis=0)


def interpolation_matrix(from_nm: Float64Array, to_nm: Float64Array) -> Float64Array:
    """Linear interpolation from one list of bands to another, as a matrix.

    Args:
        from_nm: (C,) centres at hand, increasing.
        to_nm: (T,) centres wanted; those outside the range of ``from_nm`` take its end.

    Returns:
        (T, C) matrix with rows that sum to 1, so that ``matrix @ spectrum`` is the spectrum at
        the wanted centres. The identity where the two lists are the same.
    """
    if len(from_nm) == 1:
        return np.ones((len(to_nm), 1))
    right = np.clip(np.searchsorted(from_nm, to_nm), 1, len(from_nm) - 1)
    left = right - 1
    gap = from_nm[right] - from_nm[left]
    share = np.divide(to_nm - from_nm[left], gap, out=np.zeros(len(to_nm)), where=gap > 0).clip(
        0.0, 1.0
    )
    matrix = np.zeros((len(to_nm), len(from_nm)))
    rows = np.arange(len(to_nm))
    matrix[rows, left] += 1.0 - share
    matrix[rows, right] += share
    return matrix
