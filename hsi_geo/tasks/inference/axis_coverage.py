"""Bands that lie outside a network's wavelength axis, which the network ignores; and scenes with no other bands."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from hsi_geo.arrays import BoolArray
from hsi_geo.errors import WavelengthError
from hsi_geo.io.scenes.properties import bands_of, name_of, select_good_bands
from hsi_geo.models.s2former_config import S2FormerConfig
from hsi_geo.progress import Reporter
from hsi_geo.wavelength_units import number_range
from hsi_geo.wavelengths import Bands, spacing


def ignored_bands(network: S2FormerConfig, bands: Bands) -> BoolArray:
    """Bands that get no weight in any slot of a network's wavelength axis.

    Args:
        network: Shape of the network, which fixes the axis.
        bands: Bands of a scene, in any order; only its good bands are considered.

    Returns:
        (C,) True for good bands whose triangular weights (`models.wavelength_axis.resample_to_axis`)
        reach no slot.

    Example:
        >>> import numpy as np
        >>> from hsi_geo.wavelengths import make_bands
        >>> bands = make_bands(np.array([550.0, 560.0, 9000.0, 9100.0]), source="a list")
        >>> ignored_bands(S2FormerConfig(), bands).tolist()
        [False, False, True, True]
    """
    centres, good = bands.centres_nm[bands.good], np.flatnonzero(bands.good)
    reach = np.maximum(
        network.slot_nm, np.minimum(spacing(centres), 2.0 * bands.fwhm_nm[bands.good])
    )
    distance = np.abs(network.slots_nm[:, None] - centres[None, :])
    ignored = np.zeros(len(bands.good), bool)
    ignored[good] = (distance >= reach).all(axis=0)
    return ignored


def ignored_bands_note(network: S2FormerConfig, scene: xr.DataArray) -> str | None:
    """A clause that says how many good bands the network ignores; None if it uses all of them.

    Args:
        network: Shape of the network, which fixes the axis.
        scene: (band, y, x) array.
    """
    bands = bands_of(scene)
    ignored = ignored_bands(network, bands)
    if not ignored.any():
        return None
    count, total = int(ignored.sum()), int(bands.good.sum())
    outside = "lies outside" if count == 1 else "lie outside"
    return (
        f"{count} of {total} good bands ({number_range(bands.centres_nm[ignored])} nm) {outside} the "
        f"wavelength axis of the network, {network.first_nm:g} to {network.last_nm:g} nm, and "
        f"{'is' if count == 1 else 'are'} ignored by it"
    )


def require_on_axis(network: S2FormerConfig, scene: xr.DataArray) -> None:
    """Refuse a scene of which a network could use no band.

    Args:
        network: Shape of the network, which fixes the wavelength axis.
        scene: (band, y, x) array with wavelengths.

    Raises:
        WavelengthError: If none of the scene's good bands lies on the network's wavelength axis.
    """
    from hsi_geo.models.wavelength_axis import resample_to_axis  # imports torch, `info` does not

    bands = bands_of(select_good_bands(scene))
    try:
        resample_to_axis(network, bands.centres_nm, bands.fwhm_nm)
    except WavelengthError as error:
        raise WavelengthError(
            f"scene '{name_of(scene)}' cannot be used: {error.message}", hint=error.hint
        ) from error


def log_ignored_bands(
    network: S2FormerConfig, scenes: Sequence[xr.DataArray], reporter: Reporter
) -> None:
    """Send one message if the network ignores bands of a scene.

    Args:
        network: Shape of the network, which fixes the axis.
        scenes: Scenes of one sensor: the message names the first one with such bands.
        reporter: Receives the message.
    """
    for scene in scenes:
        if note := ignored_bands_note(network, scene):
            reporter.log(f"scene '{name_of(scene)}': {note}")
            return
