"""Features of small scenes that are computed before it is known which shots they have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hsi_geo.progress import SilentReporter
from hsi_geo.tasks.adaptation.feature_process import FeatureProcess
from hsi_geo.tasks.adaptation.region_cutting import whole_scenes
from hsi_geo.tasks.adaptation.scene_reads import SceneReads

if TYPE_CHECKING:
    from hsi_geo.tasks.adaptation.spectral_features import SpectralFeatures


def features_ahead(
    reads: SceneReads, process: FeatureProcess | None
) -> SpectralFeatures | FeatureProcess:
    """Compute the features of scenes whose pixels are all used, or let a process compute them.

    Args:
        reads: The scenes, of one sensor, CRS and pixel size.
        process: Process that computes them; None computes them here.

    Returns:
        The features, or the process.

    Raises:
        SceneError: If a scene has no data, or all pixels are the same.
    """
    regions = whole_scenes(reads.scenes, reads, SilentReporter())
    if process is not None:
        process.begin(regions)
        return process
    # scikit-learn takes long to import.
    from hsi_geo.tasks.adaptation.spectral_features import SpectralFeatures

    found = SpectralFeatures(regions)
    found.compute_all()
    return found
