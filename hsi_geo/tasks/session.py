"""A session: shots are drawn, a preview is looked at, and shots are drawn again, on one scene that is prepared once."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
import xarray as xr

from hsi_geo import timings
from hsi_geo.arguments import require_flags, require_output, require_path
from hsi_geo.errors import OptionError, SceneChangedError
from hsi_geo.io import model_file
from hsi_geo.io.labels.shot_reading import read_shots
from hsi_geo.io.labels.shots import Shots, SomeShots
from hsi_geo.io.labels.suggested_points import SuggestedPoint
from hsi_geo.io.outputs.atomic import require_cache_folder
from hsi_geo.io.readers.pixel_files import State, file_states
from hsi_geo.io.scenes.properties import (
    log_remarks,
    name_of,
    require_upright,
)
from hsi_geo.io.scenes.scene import SomeScene, open_scene
from hsi_geo.io.scenes.unpacking import unpacked
from hsi_geo.progress import Reporter, default_reporter
from hsi_geo.tasks import adapt as adaptation
from hsi_geo.tasks.adaptation.pixel_spectrum import PixelSpectrum, read_pixel
from hsi_geo.tasks.classify import classify_opened
from hsi_geo.tasks.inference.label_places import (
    CANDIDATES,
    choose_places,
    mean_of_patches,
    most_uncertain,
    patch_uncertainty,
    place_features,
    suggested_points,
)
from hsi_geo.tasks.inference.options import MapOptions
from hsi_geo.tasks.predict import MapResult, map_paths
from hsi_geo.tasks.runtime import Compute
from hsi_geo.threads import one_blas_thread
from hsi_geo.tiling import Bounds

if TYPE_CHECKING:
    from types import TracebackType

    from hsi_geo.models.s2former import S2Former
    from hsi_geo.tasks.adaptation.prepared import PreparedScenes
    from hsi_geo.tasks.adaptation.preview import Preview


#: Most places that `Session.suggest` finds: more would take minutes.
MOST_PLACES = 500


class Session:
    """Shots and previews on one scene.

    What no shot has an effect on is computed once: band statistics, whitening, features of the encoder, superpixels and
    graphs of neighbouring pixels. It takes at most 12 kB of memory for each pixel, for at most 45,000 pixels. Use it in
    a ``with`` block, or call `close` at the end. One thread at a time may use a session. An exception in
    ``reporter.progress`` ends what is computed; the session can be used afterwards.

    Args:
        scene: Path of a scene, or what `open_scene` returned.
        weights: Path of network weights that `pretrain` wrote; see `adapt`.
        cache: Folder in which what is computed is kept for later runs; see `adapt`. None keeps none.
        compute: Device, number of threads, and seed.
        reporter: Receives progress and messages of all calls that are given none; None shows a bar in a notebook, and
            sends messages to Python's ``logging``.

    Raises:
        HsiGeoError: If the scene cannot be used; the message says why.

    Attributes:
        scene: The opened scene.
        preview: What the last `update` returned; None before the first.
    """

    def __init__(
        self,
        scene: SomeScene,
        *,
        weights: str | os.PathLike[str] | None = None,
        cache: str | os.PathLike[str] | None = None,
        compute: Compute = Compute(),
        reporter: Reporter | None = None,
    ) -> None:
        self.scene: xr.DataArray = open_scene(scene)
        self.preview: Preview | None = None
        self._weights = adaptation.DEFAULT_WEIGHTS if weights is None else weights
        self._cache, self._compute = cache, compute
        self._reporter = reporter or default_reporter()
        require_upright(self.scene)
        if cache is not None:
            require_cache_folder(require_output(cache))
        self._states = _states_of_files(self.scene)
        if self._weights != "none":
            path = require_path("--weights", self._weights, "give the file that pretrain wrote")
            model_file.require_kind(Path(path), "weights")
        log_remarks([self.scene], self._reporter)
        self._stack = ExitStack()
        self._prepared: PreparedScenes | None = None
        self._encoder: S2Former | None = None
        self._shots: Shots | None = None
        self._trust_shots = False
        self._is_closed = False

    def __enter__(self) -> Self:
        """The session."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Forget what was computed, and remove temporary copies of the scene."""
        self._is_closed = True
        self._prepared = self._encoder = self._shots = self.preview = None
        self._stack.close()

    def prepare(self, *, reporter: Reporter | None = None) -> None:
        """Compute what no shot has an effect on. The first `update` does so too.

        Of a scene larger than the training regions this is the band statistics only: its features are those of the part
        that is shown.

        Args:
            reporter: Receives progress and messages; None takes that of the session.

        Raises:
            HsiGeoError: If the scene cannot be used.
        """
        reporter = reporter or self._reporter
        prepared = self._ready(reporter)
        from hsi_geo.tasks.adaptation.preview import prepare_features
        from hsi_geo.tasks.runtime import computing, seeded

        with computing(self._compute, reporter) as device, seeded(self._compute.seed):
            prepare_features(
                prepared,
                encoder=self._encoder_features(),
                budget_px=self._budget_px(),
                device=device,
                reporter=reporter,
            )

    def update(
        self,
        shots: SomeShots,
        *,
        bounds: Bounds | None = None,
        trust_shots: bool = False,
        reporter: Reporter | None = None,
    ) -> Preview:
        """Preview the map that shots give.

        A scene of at most 40,000 pixels is previewed as a whole. Of a larger one the part in ``bounds`` is previewed, with
        every k-th pixel if it has more than 12,000.

        Args:
            shots: Path of a vector file with labelled geometries in any CRS, a GeoDataFrame, or what `read_shots`
                returned; or a list of these. `finish` maps with the same shots.
            bounds: Part of a large scene, (left, bottom, right, top) in its CRS; None for all of it.
            trust_shots: Whether all shots weigh the same; see `classify`.
            reporter: Receives progress and messages; None takes that of the session.

        Returns:
            The preview. The finished map is made by a network that learns from it, and differs a little.

        Raises:
            HsiGeoError: If scene or shots cannot be used.
        """
        require_flags(trust_shots=trust_shots)
        reporter = reporter or self._reporter
        bounds = None if bounds is None else _require_bounds(bounds)
        labelled = read_shots(shots, near=[self.scene.hsi.grid])
        for note in labelled.notes:
            reporter.log(note)
        adaptation.require_usable([self.scene], labelled, self._weights)
        prepared = self._ready(reporter)
        from hsi_geo.tasks.adaptation.preview import preview_map
        from hsi_geo.tasks.runtime import computing, seeded

        with computing(self._compute, reporter) as device, seeded(self._compute.seed):
            preview = preview_map(
                prepared,
                labelled,
                bounds,
                encoder=self._encoder_features(),
                budget_px=self._budget_px(),
                trust_shots=trust_shots,
                seed=self._compute.seed,
                device=device,
                reporter=reporter,
            )
        self._shots, self._trust_shots, self.preview = labelled, trust_shots, preview
        return preview

    def suggest(self, count: int = 20) -> tuple[SuggestedPoint, ...]:
        """Find where the next shots would help most, in the last preview.

        Args:
            count: Number of places, 1 to `MOST_PLACES`.

        Returns:
            The places, the most helpful first; see `hsi_geo.suggest`.

        Raises:
            OptionError: If no place is asked for, or there is no preview.
        """
        if isinstance(count, bool) or not isinstance(count, int | np.integer):
            raise OptionError(f"{count!r} is no number of places", hint="give a whole number")
        if not 1 <= count <= MOST_PLACES:
            raise OptionError(
                f"{count} places were asked for", hint=f"ask for one or more, at most {MOST_PLACES}"
            )
        preview = self._last_preview()

        uncertainty = patch_uncertainty(preview.probabilities)
        candidates = most_uncertain(uncertainty, preview.probabilities, CANDIDATES)
        if not len(candidates.rows):
            return ()
        spectra = mean_of_patches(
            preview.spectra, preview.class_ids > 0, candidates.rows, candidates.cols
        )
        features = place_features(spectra, candidates.probabilities)
        with one_blas_thread():
            chosen = choose_places(candidates, features, count, self._compute.seed)
        rows, cols = candidates.rows[chosen], candidates.cols[chosen]
        t = preview.grid.transform
        return suggested_points(
            np.asarray(t.c + t.a * (cols + 0.5), np.float64),
            np.asarray(t.f + t.e * (rows + 0.5), np.float64),
            preview.class_ids[rows, cols],
            preview.confidence[rows, cols],
            preview.classes,
        )

    def spectrum(self, x: float, y: float) -> PixelSpectrum:
        """Read the spectrum of the pixel at a place.

        Args:
            x: Coordinate in the scene's CRS.
            y: The same.

        Raises:
            OptionError: If the place lies outside the scene.
        """
        self._require_open()
        if not all(_is_finite(one) for one in (x, y)):
            raise OptionError(f"{x!r}, {y!r} is no place", hint="give two finite numbers")
        grid = self.scene.hsi.grid
        found_rows, found_cols = grid.pixels_at(np.array([x]), np.array([y]))
        row, col = int(found_rows[0]), int(found_cols[0])
        if not (0 <= row < grid.height and 0 <= col < grid.width):
            raise OptionError(
                f"the place {x:.10g}, {y:.10g} lies outside the scene",
                hint="give coordinates in the scene's reference system",
            )
        return read_pixel(self._readable(), row, col, self.preview)

    def finish(
        self,
        *,
        out: str | os.PathLike[str] | None = None,
        overwrite: bool = False,
        save_model: str | os.PathLike[str] | None = None,
        options: MapOptions = MapOptions(),
        reporter: Reporter | None = None,
    ) -> MapResult:
        """Map the scene with the shots of the last `update`.

        Args:
            out: Path of the map; see `classify`.
            overwrite: Whether to replace outputs that exist; without it they raise an error.
            save_model: Path of a model file to write; None keeps no model.
            options: Area to map, and files to write beside the map.
            reporter: Receives progress and messages; None takes that of the session.

        Returns:
            The map that `classify` makes with these shots, the same bytes.

        Raises:
            OptionError: If there was no `update`.
            HsiGeoError: If the output cannot be written.
        """
        require_flags(overwrite=overwrite)
        self._last_preview()
        assert self._shots is not None  # there is a preview
        reporter = reporter or self._reporter
        prepared = self._ready(reporter)
        paths = map_paths(self.scene, out, options, overwrite=overwrite)
        (result,) = classify_opened(
            prepared.scenes,
            self._shots,
            [paths],
            overwrite=overwrite,
            saved_model=None if save_model is None else require_output(save_model),
            weights=self._weights,
            trust_shots=self._trust_shots,
            prepare=lambda *_: prepared,
            options=options,
            compute=self._compute,
            reporter=reporter,
        )
        return result

    def _ready(self, reporter: Reporter) -> PreparedScenes:
        self._require_open()
        if _states_of_files(self.scene) != self._states:
            raise SceneChangedError(
                f"scene '{name_of(self.scene)}' has changed since the session opened it",
                hint="open another session",
            )
        if self._prepared is None:
            scenes = self._stack.enter_context(unpacked([self.scene], reporter.log))
            self._prepared = adaptation.prepare(scenes, None, self._cache)
        return self._prepared

    def _readable(self) -> xr.DataArray:
        return self.scene if self._prepared is None else self._prepared.scenes[0]

    def _encoder_features(self) -> S2Former | None:
        """The encoder, read once; None if the recipe uses none of its features."""
        if self._encoder is None and self._weights != "none":
            with timings.stage(timings.IMPORTS):
                from hsi_geo.tasks.artifacts.weights import load_weights

            self._encoder = load_weights(self._weights).encoder
        return self._encoder if adaptation.DEFAULT_RECIPE.use_encoder_features else None

    def _budget_px(self) -> int:
        return adaptation.DEFAULT_RECIPE.budget_px

    def _last_preview(self) -> Preview:
        self._require_open()
        if self.preview is None:
            raise OptionError("there is no preview yet", hint="give shots with update first")
        return self.preview

    def _require_open(self) -> None:
        if self._is_closed:
            raise OptionError("the session is closed", hint="open another one")


def _is_finite(value: object) -> bool:
    """Whether a value is a finite number."""
    return isinstance(value, int | float | np.integer | np.floating) and bool(np.isfinite(value))


def _require_bounds(bounds: Bounds) -> Bounds:
    """Refuse what is no (left, bottom, right, top)."""
    values = tuple(bounds) if isinstance(bounds, Sequence | np.ndarray) else ()
    if len(values) != 4 or not all(map(_is_finite, values)):
        raise OptionError(
            f"the bounds {bounds!r} are no four finite numbers",
            hint="give left, bottom, right and top in the scene's reference system",
        )
    left, bottom, right, top = map(float, values)
    if left > right or bottom > top:
        raise OptionError(
            f"the bounds {left:.10g}, {bottom:.10g}, {right:.10g}, {top:.10g} have left and right, or bottom and top, "
            "in the wrong order",
            hint="give left, bottom, right and top",
        )
    return left, bottom, right, top


def _states_of_files(scene: xr.DataArray) -> list[State]:
    """State of each file that a scene was opened from, whether or not its values are in memory by now."""
    opened = scene.encoding.get("opened")
    return [] if opened is None else file_states(opened.files)
