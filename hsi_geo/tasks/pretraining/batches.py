"""Batches of pre-training, as pure functions of their number.

Every batch is drawn by a generator with the seed (seed, number), and comes from one scene, so that bands need no
padding. An interrupted run that is resumed from its last checkpoint thus ends with the same weights as a run
without interruption.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
import xarray as xr
from torch.utils.data import DataLoader, Dataset

from hsi_geo.errors import SceneError
from hsi_geo.io.datasets.geo import HyperspectralScene
from hsi_geo.io.datasets.samplers import ValidPatchSampler
from hsi_geo.io.scenes.properties import name_of
from hsi_geo.models.augmentation import Dihedral
from hsi_geo.models.classifier import band_map
from hsi_geo.models.pretraining import random_mask
from hsi_geo.models.wavelength_axis import BandMap
from hsi_geo.models.whitening import SpectralStats
from hsi_geo.tasks.inference.scene_statistics import learn_spectral_stats
from hsi_geo.tasks.pretraining.recipe import PretrainRecipe


@dataclass(frozen=True, eq=False)
class Source:
    """A scene of the pre-training data.

    Attributes:
        name: Name of the scene, for messages.
        dataset: Dataset of the scene's windows.
        spectral: Bands and statistics of this scene alone, so that scenes may have different scales.
        bands: Map from the scene's bands to the network's wavelength axis.
        pixels: Number of pixels, which determines how often the scene is drawn.
    """

    name: str
    dataset: HyperspectralScene
    spectral: SpectralStats
    bands: BandMap
    pixels: int

    @classmethod
    def from_scene(cls, scene: xr.DataArray, recipe: PretrainRecipe) -> Source:
        """Compute the statistics of a scene.

        Args:
            scene: (band, y, x) array with wavelengths.
            recipe: Recipe with the shape of the network.

        Raises:
            SceneError: If the scene has no data in the windows that are read.
        """
        dataset = HyperspectralScene(scene)
        grid = dataset.grids[0]
        spectral = learn_spectral_stats(dataset.views)
        bands = band_map(recipe.network, spectral, spectral.centres_nm)
        return cls(name_of(scene), dataset, spectral, bands, grid.height * grid.width)


class Batches(pl.LightningDataModule):
    """The batches of the remaining steps.

    Args:
        sources: Scenes of the pre-training data.
        recipe: How the network is pre-trained.
        seed: Seed of all batches.
        workers: Number of processes that read windows, for each training process.
        first: Number of steps that were done before.
    """

    def __init__(
        self, sources: list[Source], recipe: PretrainRecipe, seed: int, workers: int, first: int
    ) -> None:
        super().__init__()
        self.batches = _BatchDataset(sources, recipe, seed)
        self.steps = range(first, recipe.steps)
        self.workers = workers

    def train_dataloader(self) -> DataLoader[dict[str, Any]]:
        """Loader of this process; batch numbers are interleaved over the processes, so that batches differ."""
        trainer = self.trainer
        assert trainer is not None  # Lightning sets it before this call
        numbers = [step * trainer.world_size + trainer.global_rank for step in self.steps]
        return DataLoader(
            self.batches,
            batch_size=None,
            sampler=numbers,
            num_workers=self.workers,
            persistent_workers=self.workers > 0,
        )


class _BatchDataset(Dataset[dict[str, Any]]):
    """Batch number n, from 0 on: windows of one scene, and the mask of their pixels."""

    def __init__(self, sources: list[Source], recipe: PretrainRecipe, seed: int) -> None:
        self.sources = sources
        self.recipe = recipe
        self.seed = seed
        # The square root prevents that a large scene crowds out small ones.
        weight = np.sqrt([source.pixels for source in sources])
        self.probabilities = weight / weight.sum()

    def __getitem__(self, number: int) -> dict[str, Any]:
        generator = np.random.default_rng((self.seed, number))
        index = int(generator.choice(len(self.sources), p=self.probabilities))
        windows = ValidPatchSampler(
            self.sources[index].dataset,
            size_px=self.recipe.network.window_px,
            length=self.recipe.batch,
            min_valid=self.recipe.min_valid,
            generator=generator,
        )
        samples = [self.sources[index].dataset[window] for window in windows]
        if not samples:
            raise SceneError(
                f"scene '{self.sources[index].name}' has hardly any window with data",
                hint="leave it out",
            )
        transforms = [Dihedral.sample(generator) for _ in samples]
        image, valid = (
            torch.stack([d.apply(s[key]) for d, s in zip(transforms, samples, strict=True)])
            for key in ("image", "valid")
        )
        mask_generator = torch.Generator().manual_seed(int(generator.integers(2**62)))
        return {
            "which": index,
            "image": image,
            "valid": valid,
            "masked": random_mask(valid, self.recipe.objective.mask_ratio, mask_generator),
        }
