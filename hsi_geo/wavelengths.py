"""Bands in nanometres: centres, widths, water vapour, and interpolation between sensors.

Everything here is a value or a pure function. Readers find out where a file keeps its wavelengths.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hsi_geo.arrays import BoolArray, Float64Array, IndexArray
from hsi_geo.errors import WavelengthError
from hsi_geo.wavelength_units import (
    LENGTHS,
    Unit,
    is_positive,
    number_range,
    parse_unit,
    resolve_unit,
)

#: The cores of the two strong water-vapour bands near 1400 and 1900 nm, where no light from the
#: ground reaches a sensor. Only the cores: the noise of their flanks differs by scene, and noise
#: whitening measures it.
WATER_VAPOUR_NM = ((1350.0, 1425.0), (1805.0, 1950.0))

#: A band is not wider than its own wavelength (a whole thermal window is half as wide). The median
#: width is at most this many times the usual distance between bands (resampled bands lie close).
MOST_SPACINGS = 200.0

#: A band is not both narrower than this share of its wavelength and than this share of that distance.
LEAST_SHARE, LEAST_SPACINGS = 2e-4, 0.02

#: Number of neighbouring bands (even) from which the width of a band is estimated.
NEIGHBOURING_BANDS = 8

#: Centres that differ by no more nanometres belong to the same band. This is less than half the step
#: of DESIS (2.55 nm), the finest sensor that is read: with more, neighbouring bands could be confused.
SAME_NM = 1.0


@dataclass(frozen=True, eq=False)
class Bands:
    """Centres, widths and flags of the bands of a scene, in the order of its file.

    Attributes:
        centres_nm: (C,) band centres in nanometres, not necessarily increasing.
        fwhm_nm: (C,) full widths at half maximum in nanometres.
        good: (C,) False for bands that the file's bad-band list or water vapour excludes.
        source: Where the centres came from, for messages.
        warnings: What is wrong with the wavelengths of the file, one sentence each.
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
        wrong = self.good & ~is_positive(self.centres_nm)
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

    def in_order(self) -> IndexArray:
        """Indices of the good bands by increasing wavelength, the order of every model's input."""
        order = np.argsort(self.centres_nm, kind="stable")
        return order[self.good[order]]


@dataclass(frozen=True, eq=False)
class DeclaredBands:
    """Band centres and widths as a file declares them, before they are checked.

    Attributes:
        centres: (C,) numbers of the file. A number that is not positive means no wavelength.
        unit: The unit as the file spells it; None or empty if it declares none.
        source: Where the centres came from, for messages.
        widths: (C,) full widths at half maximum, None if the file has none. A number that is not positive
            means no width.
        widths_unit: The unit of the widths; None for that of the centres.
    """

    centres: Float64Array
    unit: str | None
    source: str
    widths: Float64Array | None = None
    widths_unit: str | None = None


def resolve_bands(declared: DeclaredBands, *, good: BoolArray | None = None) -> Bands:
    """Convert declared bands to nanometres, with units that the numbers can be in.

    Numbers that cannot be optical wavelengths in the declared unit, and can be in another one, are
    taken to be in that one; widths likewise. Each contradiction becomes a warning.

    Args:
        declared: Centres and widths of the file.
        good: (C,) the file's own bad-band list, False where bad; None if it has none. The numbers of bad
            bands are not checked.

    Returns:
        The bands, in the order given; see `make_bands`.

    Raises:
        WavelengthError: If the centres are no optical wavelengths in any unit.

    Example:
        >>> import numpy as np
        >>> bands = resolve_bands(DeclaredBands(np.array([0.55, 0.66]), "um", "a header"))
        >>> bands.centres_nm.round(6).tolist()
        [550.0, 660.0]
    """
    used = is_positive(declared.centres)
    if good is not None and (used & good).any():
        used &= good
    unit, warning = resolve_unit(declared.centres[used], declared.unit, declared.source)
    warnings = [] if warning is None else [warning]
    centres_nm = np.where(
        is_positive(declared.centres), unit.to_nm(declared.centres), declared.centres
    )
    if good is not None:  # an unused band needs no centre
        centres_nm = np.where(good | is_positive(centres_nm), centres_nm, 0.0)
    fwhm_nm = None
    if declared.widths is not None:
        fwhm_nm, warning = _resolve_widths(declared, unit, centres_nm, used)
        warnings += [] if warning is None else [warning]
    return make_bands(
        centres_nm, fwhm_nm=fwhm_nm, good=good, source=declared.source, warnings=tuple(warnings)
    )


def centres_in_nm(declared: DeclaredBands) -> Float64Array:
    """(C,) centres in nm as `resolve_bands` gives them; NaN if they are no optical wavelengths.

    Args:
        declared: Centres of a file with their unit.
    """
    used = is_positive(declared.centres)
    try:
        unit, _ = resolve_unit(declared.centres[used], declared.unit, declared.source)
    except WavelengthError:
        return np.full(len(declared.centres), np.nan)  # refused when the bands are needed
    return unit.to_nm(declared.centres)


def make_bands(
    centres_nm: Float64Array,
    *,
    fwhm_nm: Float64Array | None = None,
    good: BoolArray | None = None,
    source: str,
    warnings: tuple[str, ...] = (),
) -> Bands:
    """Complete missing widths and mark bands in water vapour.

    A missing width becomes the usual distance between the neighbouring bands. Bands in the water-vapour
    windows become bad unless no other band would be left.

    Args:
        centres_nm: (C,) band centres in nanometres.
        fwhm_nm: (C,) widths in nanometres, or None; entries that are not positive count as missing.
        good: (C,) the file's own bad-band list, False where bad; None if it has none.
        source: Where the centres came from, for messages.
        warnings: What is wrong with the wavelengths of the file, one sentence each.

    Returns:
        The bands, in the order given.

    Example:
        >>> import numpy as np
        >>> bands = make_bands(np.array([550.0, 560.0, 1400.0]), source="a list")
        >>> bands.good.tolist()  # 1400 nm is water vapour
        [True, True, False]
    """
    widths = usual_spacing(centres_nm)
    if fwhm_nm is not None:
        widths = np.where(np.isfinite(fwhm_nm) & (fwhm_nm > 0), fwhm_nm, widths)
    usable = np.ones(len(centres_nm), bool) if good is None else good.copy()
    dry = usable & ~in_water_vapour(centres_nm)
    return Bands(centres_nm, widths, dry if dry.any() else usable, source, warnings)


# Widths ---------------------------------------------------------------------------------------


def _resolve_widths(
    declared: DeclaredBands, unit: Unit, centres_nm: Float64Array, used: BoolArray
) -> tuple[Float64Array | None, str | None]:
    """Widths in nm, None if they fit in no unit, and a warning if they contradict their unit.

    Args:
        declared: With widths.
        unit: The unit of the centres.
        centres_nm: (C,) centres in nm.
        used: (C,) True for the bands that are checked.
    """
    assert declared.widths is not None
    known = used & is_positive(declared.widths)
    own_unit = parse_unit(declared.widths_unit)
    source = declared.source
    if not known.any():
        if np.isnan(declared.widths).all():
            return None, None
        return None, f"its widths of bands (from {source}) are no numbers above 0: not used"
    centres, widths = centres_nm[known], declared.widths[known]
    candidates = dict.fromkeys((own_unit or unit, unit, *LENGTHS))
    fitting = (one for one in candidates if _are_widths(one.widths_to_nm(widths, centres), centres))
    found = next(fitting, None)
    numbers = number_range(widths)
    if found is None:
        return None, (
            f"its widths of bands {numbers} (from {source}) fit its wavelengths in no unit: "
            "not used, the distances between bands are taken instead"
        )
    if found is unit and own_unit is None and unit.kind == "length":
        # The same factor as for the centres, to the last digit.
        ratio = np.ones_like(centres_nm)
        np.divide(centres_nm, declared.centres, out=ratio, where=declared.centres != 0)
        widths_nm = np.asarray(declared.widths * ratio)
    else:
        widths_nm = found.widths_to_nm(declared.widths, centres_nm)
    if found is (own_unit or unit):
        return widths_nm, None
    reason = (
        f"the unit '{declared.widths_unit}'" if own_unit else f"{unit.name}, as its wavelengths are"
    )
    return widths_nm, (
        f"its widths of bands {numbers} (from {source}) cannot be in {reason}: taken for "
        f"{found.name}"
    )


def _are_widths(widths_nm: Float64Array, centres_nm: Float64Array) -> bool:
    """Whether bands with these centres can have these widths, in the median."""
    share = float(np.median(widths_nm / centres_nm))
    if share > 1:
        return False
    if len(np.unique(centres_nm)) < 2:
        return share >= LEAST_SHARE
    spacings = float(np.median(widths_nm / usual_spacing(centres_nm)))
    too_narrow = share < LEAST_SHARE and spacings < LEAST_SPACINGS
    return spacings <= MOST_SPACINGS and not too_narrow


# Distances and interpolation ------------------------------------------------------------------


def spacing(centres_nm: Float64Array) -> Float64Array:
    """Distance in nm from each centre to its nearest other centre; 10 nm for a single band.

    Args:
        centres_nm: (C,) band centres in any order.

    Returns:
        (C,) distances.

    Example:
        >>> import numpy as np
        >>> spacing(np.array([500.0, 510.0, 516.0])).tolist()
        [10.0, 6.0, 6.0]
    """
    distinct = np.unique(centres_nm)
    if len(distinct) < 2:
        return np.full(len(centres_nm), 10.0)
    gaps = np.diff(distinct)
    nearest = np.minimum(np.append(gaps, np.inf), np.insert(gaps, 0, np.inf))
    return np.asarray(nearest[np.searchsorted(distinct, centres_nm)])


def usual_spacing(centres_nm: Float64Array) -> Float64Array:
    """Median of the distances in nm between the bands around each band.

    Unlike `spacing` it does not shrink where two detectors overlap.

    Args:
        centres_nm: (C,) band centres in any order.

    Returns:
        (C,) distances; 10 nm for a single band.

    Example:
        >>> import numpy as np
        >>> usual_spacing(np.array([500.0, 510.0, 513.0, 520.0, 530.0])).tolist()
        [10.0, 10.0, 10.0, 10.0, 10.0]
    """
    distinct = np.unique(centres_nm[is_positive(centres_nm)])
    if len(distinct) < 2:
        return np.full(len(centres_nm), 10.0)
    gaps = np.diff(distinct)
    half = NEIGHBOURING_BANDS // 2
    mode = "reflect" if len(gaps) > NEIGHBOURING_BANDS else "edge"
    padded = np.pad(gaps, (half, half + 1), mode=mode)  # type: ignore[call-overload]
    windows = np.lib.stride_tricks.sliding_window_view(padded, NEIGHBOURING_BANDS + 1)
    usual = np.median(windows, axis=1)
    return np.asarray(usual[np.searchsorted(distinct, centres_nm).clip(max=len(distinct) - 1)])


def same_centres(one: Float64Array, other: Float64Array) -> bool:
    """Whether two lists of band centres, in nm and in order, belong to the same bands.

    Args:
        one: (C,) band centres in nm.
        other: (C',) band centres in nm, in the same order.

    Example:
        >>> import numpy as np
        >>> same_centres(np.array([550.0, 660.0]), np.array([550.4, 660.0]))
        True
    """
    return len(one) == len(other) and bool((np.abs(one - other) <= SAME_NM).all())


def in_water_vapour(centres_nm: Float64Array) -> BoolArray:
    """(C,) True where a centre lies in one of `WATER_VAPOUR_NM`.

    Args:
        centres_nm: (C,) band centres in nm.
    """
    return np.any([(lo <= centres_nm) & (centres_nm <= hi) for lo, hi in WATER_VAPOUR_NM], axis=0)


def interpolation_matrix(from_nm: Float64Array, to_nm: Float64Array) -> Float64Array:
    """Linear interpolation from one list of bands to another, as a matrix.

    Args:
        from_nm: (C,) centres of the input bands, increasing.
        to_nm: (T,) centres of the output bands; those outside the range of ``from_nm`` take the value
            at its end.

    Returns:
        (T, C) matrix with rows that sum to 1, so that ``matrix @ spectrum`` is the spectrum at
        the output bands. The identity where the two lists are the same.

    Example:
        >>> import numpy as np
        >>> interpolation_matrix(np.array([500.0, 600.0]), np.array([525.0, 700.0])).tolist()
        [[0.75, 0.25], [0.0, 1.0]]
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
