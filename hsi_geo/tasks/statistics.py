"""What is learnt of a scene before any network sees it: its bands and its noise whitening."""

from __future__ import annotations

from collections.abc import Sequence

import xarray as xr

from hsi_geo.errors import SceneError
from hsi_geo.io.scene import bands_of, grid_of, name_of, read_window
from hsi_geo.models.classifier import Spectral
from hsi_geo.models.whitening import learn_whitening
from hsi_geo.tiling import spread_windows

#: Windows that statistics are learnt from, spread over the scenes; a small scene is read whole.
WINDOWS, WINDOW_PX = 64, 32

#: How far the bands of two scenes of one sensor may lie apart.
SAME_BAND_NM = 1.0


def learn_spectral(views: Sequence[xr.DataArray]) -> Spectral:
    """Bands and whitening of one scene, or of several of one sensor together.

    Args:
        views: Scenes as models see them, see `io.scene.spectral_view`.

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
    windows = [
        read_window(view, window)
        for view in views
        for window in spread_windows(*grid_of(view).shape, WINDOW_PX, share)
    ]
    if not any(valid.any() for _, valid in windows):
        raise SceneError(
            f"scene '{name_of(views[0])}' has no data in {len(windows)} windows spread over it",
            hint="look at it with hsi-geo info, or leave it out",
        )
    return Spectral(bands.centres_nm, bands.fwhm_nm, learn_whitening(windows))
