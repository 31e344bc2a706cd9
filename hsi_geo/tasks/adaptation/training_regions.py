"""Training regions: the parts of scenes that a model is adapted on, in memory, with their shots.

`region_cutting` makes them. Nothing here is slow to import, since a process that computes features needs it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from hsi_geo.arrays import BoolArray, Float32Array, Float64Array, IntArray
from hsi_geo.models.whitening import SpectralStats
from hsi_geo.tiling import Window

if TYPE_CHECKING:
    import xarray as xr

    from hsi_geo.io.labels.shots import ClassTable


@dataclass(frozen=True, eq=False)
class TrainingRegion:
    """A rectangular part of a scene.

    Attributes:
        scene: Index of the scene.
        window: Pixels of the region, counted in the scene.
        padded_window: The window with a margin, clipped to the scene; arrays have its shape (h, w).
        origin_px: (row, column) of the padded window's first pixel on the CRS's pixel grid.
        image: (C, h, w) physical values.
        valid: (h, w) whether a pixel has data.
        inside: (h, w) whether a pixel belongs to the region and has data.
        labels: (h, w) class index of the region's shots, -1 elsewhere.
        features: (h, w) row in `Shots.frame` of the feature that contains each shot, -1 elsewhere.
    """

    scene: int
    window: Window
    padded_window: Window
    origin_px: tuple[int, int]
    image: Float32Array
    valid: BoolArray
    inside: BoolArray
    labels: IntArray
    features: IntArray


@dataclass(frozen=True, eq=False)
class TrainingRegions:
    """All training data.

    The N pixels that have data are numbered through all regions, region by region and row by row.

    Attributes:
        regions: The regions.
        views: The scenes as `select_good_bands` returns them: good bands, sorted by wavelength.
        spectral: Bands, and statistics of all scenes.
        classes: Class table.
        counts: Number of usable shot pixels by class name, with the spectra of a library.
        library_px: Number of spectra of a library; they are the last of the N pixels, see `library_regions`.
        library_weight: Weight of each of them beside a shot, above 0 to 1.
    """

    regions: tuple[TrainingRegion, ...]
    views: tuple[xr.DataArray, ...]
    spectral: SpectralStats
    classes: ClassTable
    counts: dict[str, int]
    library_px: int = 0
    library_weight: float = 1.0

    @property
    def in_scene(self) -> BoolArray:
        """(N,) whether each pixel is one of a scene, not a spectrum of a library."""
        count = sum(int(region.inside.sum()) for region in self.regions)
        return np.arange(count) < count - self.library_px

    @property
    def spectra(self) -> Float32Array:
        """(C, N) physical values of each pixel."""
        return np.concatenate([region.image[:, region.inside] for region in self.regions], axis=1)

    @property
    def labels(self) -> IntArray:
        """(N,) class index of each pixel, -1 for pixels without a shot."""
        return np.concatenate([region.labels[region.inside] for region in self.regions])

    @property
    def features(self) -> IntArray:
        """(N,) row in `Shots.frame` of the feature that contains each shot, -1 elsewhere."""
        return np.concatenate([region.features[region.inside] for region in self.regions])

    @property
    def positions_px(self) -> Float64Array:
        """(N, 2) row and column on the CRS's pixel grid, counted from the least row and column."""
        found = [np.argwhere(region.inside) + np.array(region.origin_px) for region in self.regions]
        positions = np.concatenate(found).astype(np.float64)
        return positions - positions.min(axis=0)

    def same_pixels(self, other: TrainingRegions) -> bool:
        """Whether other regions have the same pixels of the same scenes; their shots may be others.

        Args:
            other: The other regions.
        """
        return (
            len(self.regions) == len(other.regions)
            and self.spectral is other.spectral
            and all(
                a.image is b.image and np.array_equal(a.inside, b.inside)
                for a, b in zip(self.regions, other.regions, strict=True)
            )
        )

    def without_scenes(self) -> TrainingRegions:
        """The same pixels, without the scenes that they come from."""
        return replace(self, views=())
