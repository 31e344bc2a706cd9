"""Statistics of scenes that are computed before any network runs: bands and noise whitening.

Nothing here needs torch, so that they can be computed while it is imported.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import chain, takewhile
from threading import Event

import numpy as np
import xarray as xr

from hsi_geo import stages
from hsi_geo.arrays import BoolArray, Float32Array, IntArray
from hsi_geo.errors import SceneError
from hsi_geo.io.files.references import is_link
from hsi_geo.io.readers.gdal import unpacking_threads
from hsi_geo.io.scenes.properties import SMALL_BYTES, bands_of, name_of
from hsi_geo.io.scenes.quality import require_scale
from hsi_geo.io.scenes.windows import block_bytes, block_shape, read_window_and_band_mask
from hsi_geo.models.whitening import SpectralStats, learn_whitening
from hsi_geo.progress import Reporter, SilentReporter
from hsi_geo.threads import one_blas_thread
from hsi_geo.tiling import Window, spread_windows

#: Number and side of the windows from which statistics are computed, spread over the scenes. A small scene is
#: read as a whole.
WINDOWS, WINDOW_PX = 64, 32

#: Most threads that read windows: most of the time goes into unpacking the file's blocks.
READ_THREADS = 2

#: Greatest distance between the bands of two scenes of one sensor.
SAME_BAND_NM = 1.0

#: A pixel is an outlier if a band of it lies outside the usual range by more than this multiple of the range: it
#: is saturated, or a fill value that the file does not declare.
OUTLIER_RANGES = 10.0

#: Number of pixels from which the usual range is computed.
RANGE_PX = 4000

_SILENT = SilentReporter()

#: (C, H, W) values and (H, W) validity of windows.
Windows = list[tuple[Float32Array, BoolArray]]


def learn_spectral_stats(
    views: Sequence[xr.DataArray], reporter: Reporter = _SILENT
) -> SpectralStats:
    """Compute bands and noise whitening of one scene, or of several scenes of one sensor together.

    Args:
        views: (C, H, W) scenes as `select_good_bands` returns them.
        reporter: Receives the progress.

    Returns:
        The first scene's bands, and statistics of all scenes.

    Raises:
        SceneError: If the scenes have different bands, or no data in the windows that are read.

    Examples:
        >>> import numpy as np
        >>> from hsi_geo.io.scenes.scene import scene_from_array
        >>> values = np.random.default_rng(0).integers(1, 3000, (2, 40, 40))
        >>> spectral = learn_spectral_stats([scene_from_array(values, np.array([550.0, 660.0]))])
        >>> spectral.centres_nm.tolist()
        [550.0, 660.0]
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
    windows_a_scene = max(1, WINDOWS // len(views))
    for view in views:
        require_scale(view)
    windows = _without_outliers(_read(views, windows_a_scene, WINDOW_PX, reporter))
    if not any(valid.any() for _, valid in windows):
        raise SceneError(
            f"scene '{name_of(views[0])}' has no data in {len(windows)} windows spread over it",
            hint="look at it with hsi-geo info, or leave it out",
        )
    # The number of BLAS's threads changes the rounding, and may not depend on who computes the statistics.
    with one_blas_thread():
        return SpectralStats(bands.centres_nm, bands.fwhm_nm, learn_whitening(windows))


def sample_spectra(
    view: xr.DataArray, count: int, size_px: int, most_px: int | None = None
) -> Float32Array:
    """Read pixels that are spread over a scene, without outliers.

    Of a scene that fits into memory these are about as many single pixels as the windows have, by one read.

    Args:
        view: (C, H, W) scene as `select_good_bands` returns it.
        count: Greatest number of windows.
        size_px: Side of a window in pixels.
        most_px: Greatest number of pixels, evenly spaced among those that were read; None for all of them.

    Returns:
        (C, N) physical values of pixels with data; N may be 0.
    """
    if view.nbytes <= SMALL_BYTES:
        height, width = view.shape[-2:]
        step = max(1, round((height * width / (count * size_px**2)) ** 0.5))
        view = view[:, ::step, ::step]
        count, size_px = 1, max(view.shape[-2:])
    windows = _read([view], count, size_px, _SILENT)
    spectra = np.concatenate([image[:, valid] for image, valid in windows], axis=1)
    if most_px is not None:
        spectra = spectra[:, thin_evenly(spectra.shape[1], most_px)]
    image, valid = spectra[:, None], np.ones((1, spectra.shape[1]), bool)
    ((image, valid),) = _without_outliers([(image, valid)])
    return image[:, valid]


def thin_evenly(size: int, count: int) -> IntArray:
    """At most so many indices of an array, evenly spaced.

    Args:
        size: Length of the array.
        count: Greatest number of indices.

    Examples:
        >>> thin_evenly(9, 3).tolist(), thin_evenly(2, 3).tolist()
        ([0, 4, 8], [0, 1])
    """
    if size <= count:
        return np.arange(size)
    return np.linspace(0, size - 1, count).round().astype(np.int64)


def _read(views: Sequence[xr.DataArray], count: int, size_px: int, reporter: Reporter) -> Windows:
    """Windows spread over each scene; bands without any data are 0, so that they get no weight."""
    windows: Windows = []
    has_data = np.zeros(views[0].shape[0], bool)
    places = [(view, _spread(view, count, size_px)) for view in views]
    total, done = sum(len(spread) for _, spread in places), 0
    reporter.progress(stages.READING, 0, total)
    for view, spread in places:
        found: dict[Window, tuple[Float32Array, BoolArray]] = {}
        with _reading_by_block(view, spread) as results:
            for window, (image, valid, present) in results:
                has_data |= present
                found[window] = image, valid
                done += 1
                reporter.progress(stages.READING, done, total)
        windows += [found[window] for window in spread]
    if not has_data.all():
        for image, _ in windows:
            image[~has_data] = 0.0
    return windows


def _spread(view: xr.DataArray, count: int, size_px: int) -> list[Window]:
    height, width = view.shape[-2:]
    return spread_windows(height, width, size_px, count)


@contextmanager
def _reading_by_block(
    view: xr.DataArray, windows: list[Window]
) -> Iterator[Iterator[tuple[Window, tuple[Float32Array, BoolArray, BoolArray]]]]:
    """Read windows block by block of the file, on the threads that `_threads_for` allows, a block on one thread.

    GDAL unpacks a block as a whole, and keeps few of them. Windows that nobody has asked for at the end are not read.
    """
    rows, cols = block_shape(view)
    by_block: dict[tuple[int, int], list[Window]] = {}
    for window in windows:
        by_block.setdefault((window.row // rows, window.col // cols), []).append(window)

    ended = Event()

    def read(block: list[Window]) -> list[tuple[Window, tuple[Float32Array, BoolArray, BoolArray]]]:
        wanted = takewhile(lambda _: not ended.is_set(), block)
        return [(window, read_window_and_band_mask(view, window)) for window in wanted]

    threads = _threads_for(view)
    if threads == 1:
        yield chain.from_iterable(map(read, by_block.values()))
        return
    pool = ThreadPoolExecutor(threads, "sample")
    try:
        yield chain.from_iterable(pool.map(read, by_block.values()))
    finally:
        ended.set()
        pool.shutdown(cancel_futures=True)


def _threads_for(view: xr.DataArray) -> int:
    """Number of threads that read windows of a scene.

    Each opens the file for itself, which pays only where blocks of a local GeoTIFF are unpacked. Links would be fetched, and
    files of a mosaic opened, once more.
    """
    is_raster = str(view.attrs.get("driver")).endswith("GTiff")  # a sensor's name may come before
    is_local = is_raster and not is_link(str(view.attrs.get("source")))
    if not is_local or view.nbytes <= SMALL_BYTES:  # or in memory
        return 1
    return min(READ_THREADS, unpacking_threads(block_bytes(view)))


def _without_outliers(windows: Windows) -> Windows:
    """The windows with outliers marked as invalid, unless half of all pixels or more are outliers."""
    spectra = np.concatenate([image[:, valid] for image, valid in windows], axis=1)
    if not spectra.shape[1]:
        return windows
    sample = spectra[:, :: max(1, spectra.shape[1] // RANGE_PX)]
    low, high = np.percentile(sample, (1, 99), axis=1)
    margin = np.where(high > low, OUTLIER_RANGES * (high - low), np.inf)
    least, greatest = (low - margin)[:, None, None], (high + margin)[:, None, None]
    kept = [
        (image, valid & ((image >= least) & (image <= greatest)).all(axis=0))
        for image, valid in windows
    ]
    return kept if sum(v.sum() for _, v in kept) * 2 > spectra.shape[1] else windows
