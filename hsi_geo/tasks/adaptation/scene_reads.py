"""What an adaptation reads from scenes, kept for the next adaptation to the same scenes.

Nothing here needs torch, so that small scenes can be read while it is imported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property

import xarray as xr

from hsi_geo import stages
from hsi_geo.arrays import BoolArray, Float32Array
from hsi_geo.io.labels.several_scenes import burn_each
from hsi_geo.io.labels.shot_pixels import ShotPixels
from hsi_geo.io.labels.shots import Shots
from hsi_geo.io.scenes.alignment import aligned_grids
from hsi_geo.io.scenes.properties import held_in_memory, select_good_bands
from hsi_geo.io.scenes.quality import require_scale
from hsi_geo.io.scenes.windows import read_window
from hsi_geo.models.whitening import SpectralStats
from hsi_geo.progress import Reporter, SilentReporter
from hsi_geo.tasks.inference.scene_statistics import learn_spectral_stats
from hsi_geo.tiling import Window

#: Number of a scene and a window of it.
Place = tuple[int, Window]

#: Scenes with at most this number of pixels in all are read in about a second, see `SceneReads.reading`.
SMALL_PX = 100_000


class SceneReads:
    """Pixels and statistics of scenes that do not change while they are used.

    Args:
        scenes: Scenes of one sensor, CRS and pixel size.

    Attributes:
        scenes: These scenes.
    """

    def __init__(self, scenes: list[xr.DataArray]) -> None:
        self.scenes = scenes
        self._spectral: SpectralStats | None = None
        self._was_read_ahead = False  # and no caller has heard of it
        self._windows: dict[Place, tuple[Float32Array, BoolArray]] = {}
        self._burnt: tuple[Shots, list[ShotPixels]] | None = None

    @cached_property
    def views(self) -> list[xr.DataArray]:
        """The scenes as `select_good_bands` returns them, in memory if all of them together are small.

        Raises:
            SceneError: If single precision cannot hold the numbers of one of them.
        """
        for scene in self.scenes:
            require_scale(scene)
        views = [select_good_bands(scene) for scene in self.scenes]
        return [held_in_memory(view) for view in views] if self.size_px <= SMALL_PX else views

    @property
    def size_px(self) -> int:
        """Number of pixels of all scenes."""
        return sum(scene.shape[-2] * scene.shape[-1] for scene in self.scenes)

    @contextmanager
    def reading(self) -> Iterator[Callable[[Callable[[], object]], object]]:
        """Read small scenes, and compute their statistics, in another thread inside a ``with`` block.

        An error comes again where a caller asks for the numbers.

        Yields:
            Function that lets the same thread call a function afterwards. For scenes that are not small it does nothing.
        """
        if not 0 < self.size_px <= SMALL_PX:
            yield lambda job: None
            return
        with ThreadPoolExecutor(1) as pool:
            pool.submit(self._read_all)
            yield pool.submit
        self._was_read_ahead = self._spectral is not None

    def _read_all(self) -> None:
        self.spectral(SilentReporter())
        self.windows([(i, Window(0, 0, *scene.shape[-2:])) for i, scene in enumerate(self.scenes)])

    def spectral(self, reporter: Reporter) -> SpectralStats:
        """Bands and statistics of all scenes; see `learn_spectral_stats`.

        Args:
            reporter: Receives the progress of the first call.
        """
        if self._spectral is None:
            self._spectral = learn_spectral_stats(self.views, reporter)
        elif self._was_read_ahead:
            reporter.progress(stages.READING, 1, 1)
        self._was_read_ahead = False
        return self._spectral

    def windows(self, places: list[Place]) -> list[tuple[Float32Array, BoolArray]]:
        """Read windows; those of the last call are not read again.

        Args:
            places: Scene and window of each.

        Returns:
            (C, h, w) physical values and (h, w) validity of each, which callers leave as they are.
        """
        before, self._windows = self._windows, {}
        for place in places:
            index, window = place
            self._windows[place] = before.get(place) or read_window(self.views[index], window)
        return [self._windows[place] for place in places]

    def shot_pixels(self, shots: Shots) -> list[ShotPixels]:
        """Pixels under the shots in each scene; those of the last call are not searched for again.

        Args:
            shots: Labelled geometries in any CRS.

        Raises:
            ShotsError: If no shot lies in any of the scenes.
        """
        if self._burnt is None or self._burnt[0] is not shots:
            self._burnt = shots, burn_each(shots, aligned_grids(self.scenes))
        return self._burnt[1]
