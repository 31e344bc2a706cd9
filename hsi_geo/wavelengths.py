"""Band centres in nanometres: units, widths, water vapour, and placing one sensor on another.

Everything here is a plain value or a pure function; where a file keeps its wavelengths is the
readers' business.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hsi_geo.errors import WavelengthError

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

#: The cores of the two strong water-vapour bands near 1400 and 1900 nm, where no light from
#: the ground reaches a sensor. Cores only: how noisy their flanks are differs by scene, and
#: noise whitening finds that out from the data.
WATER_VAPOUR_NM = ((1350.0, 1425.0), (1805.0, 1950.0))

#: No optical sensor has a centre below this in nm or above it in micrometres.
MICROMETRE_LIMIT = 100.0

#: Bands around a band (an even number) that its width is guessed from.
AROUND = 8

#: Centres that differ by no more nanometres are of the same band. Less than half the step of DESIS
#: (2.55 nm), the finest sensor that is read: with more, the next band might be taken for this one.
SAME_NM = 1.0

_NANOMETRES_PER_UNIT = {
    "nm": 1.0,
    "nanometer": 1.0,
    "nanometre": 1.0,
    "um": 1e3,
    "µm": 1e3,
    "μm": 1e3,
    "micron": 1e3,
    "micrometer": 1e3,
    "micrometre": 1e3,
    "mm": 1e6,
    "millimeter": 1e6,
    "millimetre": 1e6,
    "m": 1e9,
    "meter": 1e9,
    "metre": 1e9,
    "angstrom": 0.1,
}

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
    """

    centres_nm: FloatArray
    fwhm_nm: FloatArray
    good: BoolArray
    source: str

    def __post_init__(self) -> None:
        """Check that the centres can be used at all.

        Raises:
            WavelengthError: If a centre is not a positive number or all bands are bad.
        """
        wrong = ~(np.isfinite(self.centres_nm) & (self.centres_nm > 0))
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


def make_bands(
    centres_nm: FloatArray,
    *,
    fwhm_nm: FloatArray | None = None,
    good: BoolArray | None = None,
    source: str,
) -> Bands:
    """Complete what a file tells of its bands.

    Missing widths become the usual distance between bands thereabouts; bands in the water-vapour
    windows become bad unless that would leave none.

    Args:
        centres_nm: (C,) nanometres.
        fwhm_nm: (C,) nanometres, or None; entries that are not positive count as missing.
        good: (C,) the file's own bad-band list, or None.
        source: Where the centres came from, in words.

    Returns:
        The bands, in the order given.
    """
    widths = usual_spacing(centres_nm)
    if fwhm_nm is not None:
        widths = np.where(np.isfinite(fwhm_nm) & (fwhm_nm > 0), fwhm_nm, widths)
    usable = np.ones(len(centres_nm), bool) if good is None else good.copy()
    dry = usable & ~in_water_vapour(centres_nm)
    return Bands(centres_nm, widths, dry if dry.any() else usable, source)


def to_nm(values: FloatArray, unit: str | None) -> FloatArray:
    """Convert wavelengths to nanometres.

    Args:
        values: Wavelengths in ``unit``.
        unit: As files spell it ("Micrometers", "nm", "Wavenumber", ...). None or an unknown word:
            values whose median is under 100 are taken for micrometres, others for nanometres.

    Returns:
        The same wavelengths in nanometres.
    """
    word = (unit or "").strip().lower().rstrip("s")
    if word in ("wavenumber", "cm-1", "1/cm"):
        with np.errstate(over="ignore"):  # as below
            return np.divide(1e7, values, out=np.zeros(len(values)), where=values != 0)
    factor = _NANOMETRES_PER_UNIT.get(word)
    if factor is None:
        finite = values[np.isfinite(values)]
        small = finite.size > 0 and float(np.median(finite)) < MICROMETRE_LIMIT
        factor = 1e3 if small else 1.0
    with np.errstate(over="ignore"):  # what is infinite in nm is refused as a wavelength
        return np.asarray(values * factor, np.float64)


def from_band_name(name: str) -> float | None:
    """The wavelength in nm that a band's name carries, such as "band 7 (0.5436 Micrometers)"."""
    match = _NUMBER_AND_UNIT.search(name)
    if match is None:
        return None
    return float(to_nm(np.array([float(match[1])]), match[2])[0])


def spacing(centres_nm: FloatArray) -> FloatArray:
    """(C,) distance in nm from each centre to its nearest other centre; 10 nm for a lone band."""
    distinct = np.unique(centres_nm)
    if len(distinct) < 2:
        return np.full(len(centres_nm), 10.0)
    gaps = np.diff(distinct)
    nearest = np.minimum(np.append(gaps, np.inf), np.insert(gaps, 0, np.inf))
    return np.asarray(nearest[np.searchsorted(distinct, centres_nm)])


def usual_spacing(centres_nm: FloatArray) -> FloatArray:
    """(C,) median of the distances in nm between the bands around each.

    Unlike `spacing` it does not shrink where two detectors overlap.
    """
    distinct = np.unique(centres_nm)
    if len(distinct) < 2:
        return np.full(len(centres_nm), 10.0)
    gaps = np.diff(distinct)
    around = np.pad(
        gaps, (AROUND // 2, AROUND // 2 + 1), mode="reflect" if len(gaps) > AROUND else "edge"
    )
    usual = np.median(np.lib.stride_tricks.sliding_window_view(around, AROUND + 1), axis=1)
    return np.asarray(usual[np.searchsorted(distinct, centres_nm)])


def same_centres(one: FloatArray, other: FloatArray) -> bool:
    """Whether two lists of band centres, in nm and in order, are of the same bands."""
    return len(one) == len(other) and bool((np.abs(one - other) <= SAME_NM).all())


def in_water_vapour(centres_nm: FloatArray) -> BoolArray:
    """(C,) True where a centre lies in one of `WATER_VAPOUR_NM`."""
    return np.any([(lo <= centres_nm) & (centres_nm <= hi) for lo, hi in WATER_VAPOUR_NM], axis=0)


def placement(from_nm: FloatArray, to_nm: FloatArray) -> FloatArray:
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
