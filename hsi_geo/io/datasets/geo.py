"""Scenes and shots as TorchGeo datasets, indexed by coordinates.

Unlike TorchGeo's own raster datasets they accept scenes without a CRS and never resample. Every
DataLoader worker opens the files itself.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
import torch
import xarray as xr
from pyproj import CRS

from hsi_geo.arrays import IntArray
from hsi_geo.errors import SceneError, ShotsError
from hsi_geo.extras import missing_extra
from hsi_geo.io.datasets.north_up import north_up
from hsi_geo.io.datasets.split_parts import (
    Geometries,
    area_in_scenes,
    is_centred,
    keys_of,
    part_left,
    scenes_of_rows,
)
from hsi_geo.io.labels.several_scenes import burn_each
from hsi_geo.io.labels.shot_pixels import ShotPixels
from hsi_geo.io.labels.shot_reading import read_shots
from hsi_geo.io.labels.shots import SomeShots
from hsi_geo.io.maps.pixel_lattices import lattice_offset, same_pixels
from hsi_geo.io.scenes.alignment import aligned_grids
from hsi_geo.io.scenes.properties import bands_of, name_of, select_good_bands
from hsi_geo.io.scenes.scene import SomeScenes, open_scenes
from hsi_geo.io.scenes.windows import read_window
from hsi_geo.tiling import Grid, Window

try:
    from torchgeo.datasets import GeoDataset, IntersectionDataset
except ModuleNotFoundError as error:
    raise missing_extra("datasets", "TorchGeo datasets", str(error.name)) from error

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Sample = dict[str, Any]
Transforms = Callable[[Sample], Sample]


class _GridDataset(GeoDataset):
    """A dataset with one upright pixel grid for each scene, all in one CRS."""

    grids: list[Grid]
    paths: list[str]
    transforms: Transforms | None

    def _build_index(self, names: list[str]) -> None:
        crs = self.grids[0].crs
        boxes = [shapely.box(*grid.bounds) for grid in self.grids]
        always = pd.IntervalIndex.from_arrays(
            [pd.Timestamp.min] * len(boxes),
            [pd.Timestamp.max] * len(boxes),
            closed="both",
            name="datetime",
        )
        self._keys = keys_of(names)
        columns = {"filepath": self._keys}
        self.index = gpd.GeoDataFrame(columns, index=always, geometry=boxes, crs=crs)
        self._res = self.grids[0].resolution  # the setter would print a message

    @property
    def crs(self) -> Any:
        """CRS of all grids."""
        return self.index.crs

    @crs.setter
    def crs(self, new_crs: Any) -> None:
        """TorchGeo gives the second dataset of a combination the CRS of the first one, which grids cannot follow.

        Raises:
            SceneError: If it is another CRS.
        """
        here, crs = self.crs, None if new_crs is None else CRS.from_user_input(new_crs)
        grid = self.grids[0]
        if not same_pixels(grid, dataclasses.replace(grid, crs=crs)):
            hint = (
                "put TorchGeo's own raster datasets second, as they follow the first CRS, or open the scene in the "
                "other CRS: open_scene(..., grid=...)"
            )
            if here is None or crs is None:
                without = "the scene" if here is None else "the other dataset"
                hint = f"assign a CRS to {without} (its file: gdal_edit.py -a_srs)"
            raise SceneError(
                f"the pixels of '{self.paths[0]}' lie in {_title(here)}, and they were combined with a dataset in {_title(crs)}",
                hint=hint,
            )

    def __and__(self, other: GeoDataset) -> IntersectionDataset:
        """Both datasets where they overlap; keys of both are taken from the first one.

        Shots get the grid of the scenes. Shots that got the grid of other scenes before stay as they are: a copy of
        them is used.

        Raises:
            ShotsError: If shots were given other scenes (``like``), or none of them lies in the scenes.
        """
        first, second = self, other
        if isinstance(first, ShotLabels) and isinstance(second, HyperspectralScene):
            first = first.on_grid_of(second)
        elif isinstance(second, ShotLabels) and isinstance(first, HyperspectralScene):
            second = second.on_grid_of(first)
        return IntersectionDataset(first, second, collate_fn=_first_of_each)

    def parts_left(self) -> list[shapely.Geometry | None]:
        """The part of each scene that is left after a split: polygons in CRS units, or None for all of the scene."""
        rows, scenes = self._rows()
        return [part_left(rows[scenes == n], grid) for n, grid in enumerate(self.grids)]

    def _rows(self) -> tuple[Geometries, IntArray]:
        """(R,) geometries of the index, and the scene of each, -1 for none."""
        return self.index.geometry.to_numpy(), scenes_of_rows(self.index, self._keys, self.grids)

    def _locate(self, index: Any) -> tuple[int, Window, Sample]:
        """The index of the scene under a query, the window of the query there, and its TorchGeo keys.

        Raises:
            IndexError: If the query overlaps no scene.
        """
        x, y, _ = self._disambiguate_slice(index)
        query = shapely.box(x.start, y.start, x.stop, y.stop)
        rows, scenes = self._rows()
        overlap = area_in_scenes(query, rows, scenes, self.grids)
        if not overlap.any():
            raise IndexError(f"{index} lies outside {self.bounds}")
        # The scene under the centre: at a seam, a window around a shot must include the shot. Where scenes overlap, it is
        # one whose part has the centre: the other part of a split has the pixels that another scene has there.
        ranks = [
            (*is_centred(query.centroid, rows[scenes == n], self.grids[n]), overlap[n], n)
            for n in np.flatnonzero(overlap)
        ]
        best = int(max(ranks)[-1])
        grid = self.grids[best]
        window = grid.window_of((x.start, y.start, x.stop, y.stop))
        left, bottom, right, top = grid.bounds_of(window)
        snapped = (slice(left, right, x.step), slice(bottom, top, y.step))
        return (
            best,
            window,
            {
                "bounds": self._slice_to_tensor(snapped),
                "transform": torch.tensor(grid.transform_of(window)[:6], dtype=torch.float64),
            },
        )

    def _slice_to_tensor(self, index: Any) -> torch.Tensor:
        """(9,) float64: with TorchGeo's float32 a UTM northing is off by half a metre."""
        x, y, t = self._disambiguate_slice(index)
        space = [x.start, x.stop, x.step, y.start, y.stop, y.step]
        time = [t.start.timestamp(), t.stop.timestamp(), t.step]
        return torch.tensor([*space, *time], dtype=torch.float64)

    def _finish(self, sample: Sample) -> Sample:
        sample = north_up(sample)
        return sample if self.transforms is None else self.transforms(sample)


class HyperspectralScene(_GridDataset):
    """One or several scenes of a CRS as a TorchGeo dataset.

    Samples hold ``image`` (C, H, W) float32 physical values of the good bands by increasing
    wavelength, 0 where there is no data; ``valid`` (H, W) bool; ``wavelength`` (C,) float32 nm;
    ``bounds`` (9,) and ``transform`` (6,) float64. North is up, whatever the order of rows in the file. A query snaps to the
    pixels of the scene under its centre, or else of the scene that it overlaps most. It may extend beyond that scene.

    Args:
        scenes: Paths or opened scenes, all with the same CRS and pixel size.
        transforms: Function that is applied to each sample; None for none.

    Attributes:
        grids: Grid of each scene.
        views: (band, y, x) lazy array of each scene with its good bands by increasing wavelength.
        wavelengths: (C,) float32 band centres of each scene in nm.
        paths: Name of each scene.

    Raises:
        SceneError: If a scene's grid is rotated, or scenes differ in CRS or pixel size.
    """

    def __init__(self, scenes: SomeScenes, transforms: Transforms | None = None) -> None:
        opened = open_scenes(scenes)
        self.grids = aligned_grids(opened)
        self.views: list[xr.DataArray] = [select_good_bands(scene) for scene in opened]
        self.wavelengths = [
            torch.tensor(bands_of(view).centres_nm, dtype=torch.float32) for view in self.views
        ]
        names = [name_of(scene) for scene in opened]
        self.paths = [*names]
        self.transforms = transforms
        self._build_index(names)

    def __getitem__(self, index: Any) -> Sample:
        """Image of a query; see the class for the keys.

        Args:
            index: (x, y) slices in CRS units, as of TorchGeo's samplers.

        Raises:
            IndexError: If the query overlaps no scene.
        """
        which, window, sample = self._locate(index)
        image, valid = read_window(self.views[which], window)
        sample |= {
            "image": torch.from_numpy(image),
            "valid": torch.from_numpy(valid),
            "wavelength": self.wavelengths[which],
        }
        return self._finish(sample)

    def plot(self, sample: Sample, show_titles: bool = True, suptitle: str | None = None) -> Figure:
        """Draw the image of a sample with matplotlib, in colour infrared if it has the bands.

        `ShotLabels.plot` draws the mask and the prediction of a sample beside it.

        Args:
            sample: Sample of this dataset, or of it and shots; not a batch.
            show_titles: Whether the name of the composite and its wavelengths are shown above the image.
            suptitle: Title of the figure; None for none.

        Returns:
            The figure of `matplotlib.pyplot`. In a script ``matplotlib.pyplot.show()`` opens it.

        Raises:
            OptionError: If the sample has no image, or is a batch.
        """
        from hsi_geo.io.datasets.sample_figures import plot_image

        centres = self.wavelengths[0].numpy().astype(np.float64)
        return plot_image(sample, centres, show_titles, suptitle)


class ShotLabels(_GridDataset):
    """Shots burnt into the grids of scenes, as a TorchGeo dataset.

    Samples hold ``mask`` (H, W) int64, class index 0..K-1 and -1 where there is no shot, and
    ``feature`` (H, W) int64, row of `Shots.frame` or -1, beside ``bounds`` and ``transform``.

    Args:
        shots: Vector file, or shots that were read before, in any CRS.
        like: Dataset of the scenes whose pixels the shots label. None takes the one that the shots are
            combined with (``scenes & shots``); until then there are no samples. The shots can then be combined
            with further scenes, too.
        transforms: Function that is applied to each sample; None for none.

    Attributes:
        grids: Grid of each scene.
        pixels: Labelled pixels of each scene.
        shots: The shots.
        paths: Name of the file of the shots.

    Raises:
        ShotsError: If no shot lies in any scene, or CRS are missing on one side only.
    """

    def __init__(
        self,
        shots: SomeShots,
        like: HyperspectralScene | None = None,
        *,
        transforms: Transforms | None = None,
    ) -> None:
        self.shots = read_shots(shots, near=() if like is None else like.grids)
        self.grids = []
        self.pixels: list[ShotPixels] = []
        self.paths = [part.source for part in self.shots.parts or (self.shots,)]
        self.transforms = transforms
        self._like_was_given = like is not None
        if like is not None:
            self.label(like)

    def on_grid_of(self, scenes: HyperspectralScene) -> ShotLabels:
        """These shots with the grids of scenes, or a copy of them if they have the grids of other scenes.

        Args:
            scenes: Dataset of the scenes.

        Raises:
            ShotsError: If the shots were given other scenes (``like``), no shot lies in any scene, or CRS are missing on
                one side only.
        """
        if not self.grids:
            self.label(scenes)
            return self
        if self._like_was_given:
            if all(any(_is_part(grid, own) for own in self.grids) for grid in scenes.grids):
                return self
            raise ShotsError(
                f"shots '{self.shots.source}' label the pixels of other scenes than those that they are combined with",
                hint="give like= the scenes that the shots are combined with, or leave it out",
            )
        pairs = zip(self.grids, scenes.grids, strict=False)
        if len(self.grids) == len(scenes.grids) and all(_is_same(a, b) for a, b in pairs):
            return self
        labels = copy.copy(self)
        labels.grids = []
        labels.label(scenes)
        return labels

    def label(self, scenes: HyperspectralScene) -> None:
        """Burn the shots into the grids of scenes, unless they have grids already.

        Args:
            scenes: Dataset of the scenes.

        Raises:
            ShotsError: If no shot lies in any scene, or CRS are missing on one side only.
        """
        if self.grids:
            return
        self.pixels = burn_each(self.shots, scenes.grids)
        self.grids = scenes.grids
        self._build_index([self.shots.source] * len(self.grids))

    def __getattr__(self, name: str) -> Any:
        """Say what is missing where shots are used before they have a grid."""
        if name == "index" and "shots" in self.__dict__:
            raise ShotsError(
                f"shots '{self.shots.source}' have no pixel grid yet",
                hint="combine them with scenes first (scenes & shots), or give like=scenes",
            )
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")

    def __getitem__(self, index: Any) -> Sample:
        """Mask of a query; see the class for the keys.

        Args:
            index: (x, y) slices in CRS units, as of TorchGeo's samplers.

        Raises:
            IndexError: If the query overlaps no scene.
        """
        which, window, sample = self._locate(index)
        pixels = self.pixels[which]
        sample["mask"] = torch.from_numpy(pixels.mask(window))
        sample["feature"] = torch.from_numpy(pixels.feature_mask(window))
        return self._finish(sample)

    def plot(self, sample: Sample, show_titles: bool = True, suptitle: str | None = None) -> Figure:
        """Draw the labels of a sample with matplotlib, with a legend.

        Args:
            sample: Sample of this dataset, or of scenes and this dataset (``scenes & shots``), whose image is
                then drawn first; not a batch. A key ``prediction`` (class index, as in ``mask``) is drawn last.
            show_titles: Whether each image has its title above it.
            suptitle: Title of the figure; None for none.

        Returns:
            The figure of `matplotlib.pyplot`. In a script ``matplotlib.pyplot.show()`` opens it.

        Raises:
            OptionError: If the sample has neither mask nor prediction, or is a batch.
        """
        from hsi_geo.io.datasets.sample_figures import plot_masks

        return plot_masks(sample, self.shots.classes, show_titles, suptitle)


def _title(crs: CRS | None) -> str:
    return "no CRS" if crs is None else str(crs.name)


def _is_part(grid: Grid, whole: Grid) -> bool:
    """Whether the pixels of a grid are pixels of another one."""
    offset = lattice_offset(whole, grid)
    if offset is None:
        return False
    row, col = offset
    return 0 <= row <= whole.height - grid.height and 0 <= col <= whole.width - grid.width


def _is_same(grid: Grid, other: Grid) -> bool:
    return grid.shape == other.shape and _is_part(grid, other)


def _first_of_each(samples: Sequence[Sample]) -> Sample:
    joined: Sample = {}
    for sample in reversed(samples):
        joined |= sample
    return joined
