"""Scenes of an adaptation with all that no shot has an effect on, computed once and kept.

It stays in memory, and on request in a folder, for later runs. Features and graphs take about 7 kB a pixel, and the
walks of previews (`stored_walks`) up to 5 kB in memory. There are at most about 45,000 pixels (`Recipe.budget_px` and
margins), so that all of it takes at most about 540 MB.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from hsi_geo.arrays import AnyArray
from hsi_geo.errors import OutputError
from hsi_geo.models.s2former import S2Former
from hsi_geo.progress import Reporter
from hsi_geo.tasks.adaptation.feature_files import FeatureFiles
from hsi_geo.tasks.adaptation.feature_process import FeatureProcess
from hsi_geo.tasks.adaptation.feature_sets import PixelFeatures
from hsi_geo.tasks.adaptation.pixel_features import PIXEL_FEATURE_STEPS, compute_pixel_features
from hsi_geo.tasks.adaptation.scene_reads import SceneReads
from hsi_geo.tasks.adaptation.steps import Steps, no_steps
from hsi_geo.tasks.adaptation.stored_walks import StoredWalks
from hsi_geo.tasks.adaptation.teacher import PROPAGATION_STEPS
from hsi_geo.tasks.adaptation.training_regions import TrainingRegions
from hsi_geo.tasks.runtime import known_files, scene_hash, values_hash

if TYPE_CHECKING:
    from hsi_geo.tasks.adaptation.spectral_features import SpectralFeatures


class PreparedScenes:
    """Scenes of one adaptation or of several, one after the other.

    Args:
        reads: Scenes of one sensor, CRS and pixel size, which can be read by windows.
        cache: Folder of files with features, for later runs; it is made if there is none. None keeps none.
        ahead: Features of the spectra of these scenes that are computed already, or the process that computes them; None
            for none.

    Attributes:
        scenes: These scenes.
        reads: What was read from them.
        walks: Random walks over the graphs of the last features, for previews.
    """

    def __init__(
        self,
        reads: SceneReads,
        cache: Path | None = None,
        ahead: SpectralFeatures | FeatureProcess | None = None,
    ) -> None:
        self.scenes = reads.scenes
        self.reads = reads
        self._ahead = ahead
        self._files = None if cache is None else FeatureFiles(cache)
        self._last: tuple[str, PixelFeatures] | None = None
        self.walks = StoredWalks(PROPAGATION_STEPS)

    def pixel_features(
        self,
        regions: TrainingRegions,
        encoder: S2Former | None,
        device: torch.device,
        advance: Steps | None = None,
        *,
        to_file: bool = True,
    ) -> PixelFeatures:
        """Compute features and graphs, or take those of the same pixels that were computed before.

        Args:
            regions: Regions of these scenes.
            encoder: Pre-trained encoder; None for no encoder features.
            device: Device on which the encoder runs.
            advance: Receives `PIXEL_FEATURE_STEPS` steps; None reports none.
            to_file: Whether the folder of files is used. It is not for parts of a scene that change with each view.

        Returns:
            What `compute_pixel_features` returns, the same numbers.

        Raises:
            SceneError: If all pixels are the same.
        """
        advance = advance or no_steps()
        key = content_hash(regions, encoder)
        if self._last is not None and self._last[0] == key:
            found = self._last[1]
        else:
            # Two sets of features would need twice the memory, and walks belong to their graphs.
            self._last, self.walks = None, StoredWalks(PROPAGATION_STEPS)
            files = self._files if to_file else None
            name = "" if files is None else self._file_name(key, device)
            kept = None if files is None else files.read(name)
            # They are part of the features that are kept from now on.
            ahead, self._ahead = self._ahead, None
            if ahead is not None and not ahead.same_pixels(regions):
                ahead.close()
                ahead = None
            found = kept or compute_pixel_features(regions, encoder, device, advance, ahead)
            if files is not None and kept is None:
                _write(files, name, found, advance.reporter)
            self._last = key, found
        advance.finish(PIXEL_FEATURE_STEPS)
        return found

    def _file_name(self, key: str, device: torch.device) -> str:
        """What features depend on: windows of the encoder reach beyond the regions, and threads change the rounding."""
        scenes = (
            (scene_hash(scene) if known_files(scene) else values_hash(scene))[:16]
            for scene in self.scenes
        )
        return "-".join([key, *scenes, device.type, str(torch.get_num_threads())])


def _write(files: FeatureFiles, name: str, features: PixelFeatures, reporter: Reporter) -> None:
    try:
        files.write(name, features)
    except OutputError as error:  # the result is worth more than the cache
        reporter.warning(f"features are not kept: {error.message}")


def content_hash(regions: TrainingRegions, encoder: S2Former | None) -> str:
    """SHA-256 of all that `compute_pixel_features` depends on: pixels, places, statistics and encoder.

    Args:
        regions: Pixels; their shots do not matter.
        encoder: Encoder of the features; None for none.
    """
    digest = hashlib.sha256()

    def add(array: AnyArray) -> None:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)

    whitening = regions.spectral.whitening
    for array in (regions.spectral.centres_nm, whitening.centre, whitening.matrix):
        add(array)
    for region in regions.regions:
        where = [region.scene, *region.origin_px, *_numbers(region.window)]
        digest.update(json.dumps([*where, *_numbers(region.padded_window)]).encode())
        for pixels in (region.image, region.valid, region.inside):
            add(pixels)
    if encoder is not None:
        for name, weights in sorted(encoder.state_dict().items()):
            digest.update(name.encode())
            add(weights.cpu().numpy())
    return digest.hexdigest()


def _numbers(window: object) -> list[int]:
    return [getattr(window, name) for name in ("row", "col", "height", "width")]
