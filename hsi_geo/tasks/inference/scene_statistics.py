"""What is learnt of a scene before any network sees it: its bands and its noise whitening."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import xarray as xr

from hsi_geo.errors import SceneError, WavelengthError
from hsi_geo.io.scenes.properties import bands_of, name_of, select_good_bands
from hsi_geo.io.scenes.quality import require_scale
from hsi_geo.io.scenes.windows import read_window_and_band_mask
from hsi_geo.models.classifier import SpectralStats
from hsi_geo.models.s2former_config import S2FormerConfig
from hsi_geo.models.wavelength_axis import resample_to_axis
from hsi_geo.models.whitening import learn_whitening
from hsi_geo.tiling import spread_windows

#: Windows that statistics are learnt from, spread over the scenes; a small scene is read whole.
WINDOWS, WINDOW_PX = 64, 32

#: How far the bands of two scenes of one sensor may lie apart.
SAME_BAND_NM = 1.0

#: A pixel is left out of the statistics where a band of it lies farther beyond the usual values
#: than this many times their range: saturated, or a fill value that nobody declared.
SPIKE = 10.0

#: Pixels that tell what is usual.
USUAL_PX = 4000

Windows = list[tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]]


def require_on_axis(network: S2FormerConfig, scene: xr.DataArray) -> None:
    """Refuse a scene of which a network would see nothing.

    Raises:
        WavelengthError: If none of its good bands lies on the network's wavelength axis.
    """
    bands = bands_of(select_good_bands(scene))
    try:
        resample_to_axis(network, bands.centres_nm, bands.fwhm_nm)
    except WavelengthError as error:
        raise WavelengthError(
            f"scene '{name_of(scene)}' cannot be seen: {error.message}", hint=error.hint
        ) from error


def learn_spectral_stats(views: Sequence[xr.DataArray]) -> SpectralStats:
    """Bands and whitening of one scene, or of several of one sensor together.

    Args:
        views: Scenes as models see them, see `io.scenes.properties.select_good_bands`.

    Returns:
        The first scene's bands, and statistics of all.

    Raises:
        SceneError: If the scenes have other bands, or no data was found in them.
    """
    bands = bands_of(views[0])
    for view in views[1:]:
        centres = bands_of(view).centres_nm
        if (
            len(centres) != len(bands.centres_nm)
            or abs(centres - bands.centres_nm).max() > SAME_BAND_NM
        ):
            raise SceneError(
                f"scene '{name_of(view)}' and scene '{name_of(views[0])}' have other bands",
                hint="take scenes of one sensor only",
            )
    share = max(1, WINDOWS // len(views))
    for view in views:
        require_scale(view)
    windows = _ordinary(_read(views, share))
    if not any(valid.any() for _, valid in windows):
        raise SceneError(
            f"scene '{name_of(views[0])}' has no data in {len(windows)} windows spread over it",
            hint="look at it with hsi-geo info, or leave it out",
        )
    return SpectralStats(bands.centres_nm, bands.fwhm_nm, learn_whitening(windows))


def sample_spectra(view: xr.DataArray, count: int) -> npt.NDArray[np.float32]:
    """(C, N) pixels with data of at most ``count`` windows spread over a scene, without spikes."""
    windows = _ordinary(_read([view], count))
    return np.concatenate([image[:, valid] for image, valid in windows], axis=1)


def _read(views: Sequence[xr.DataArray], share: int) -> Windows:
    """Windows spread over scenes; bands without any data are 0, so that they get no weight."""
    windows: Windows = []
    seen = np.zeros(views[0].shape[0], bool)
    for view in views:
        height, width = view.shape[-2:]
        for window in spread_windows(height, width, WINDOW_PX, share):
            image, valid, present = read_window_and_band_mask(view, window)
            seen |= present
            windows.append((image, valid))
    if not seen.all():
        for image, _ in windows:
            image[~seen] = 0.0
    return windows


def _ordinary(windows: Windows) -> Windows:
    """The windows without pixels that would bend the statistics of all others."""
    spectra = np.concatenate([image[:, valid] for image, valid in windows], axis=1)
    if not spectra.shape[1]:
        return windows
    usual = spectra[:, :: max(1, spectra.shape[1] // USUAL_PX)]
    low, high = np.percentile(usual, (1, 99), axis=1)
    reach = np.where(high > low, SPIKE * (high - low), np.inf)
    least, most = (low - reach)[:, None, None], (high + reach)[:, None, None]
    kept = [
        (image, valid & ((image >= least) & (image <= most)).all(axis=0))
        for image, valid in windows
    ]
    # What is common is no spike.
    return kept if sum(v.sum() for _, v in kept) * 2 > spectra.shape[1] else windows
