"""What a pre-training run learns from: batches that are pure functions of their number.

Every batch is drawn from a generator seeded with (seed, number) and comes from one scene, so that
bands never need padding. So an interrupted run that is resumed from its last checkpoint ends at
the same weights as one that was never interrupted.
"""

from __future__ import annotations

from dataclasses import dataclass, field
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
from hsi_geo.models.classifier import SpectralStats, band_map
from hsi_geo.models.pretraining import Objective, random_mask
from hsi_geo.models.s2former_config import S2FormerConfig
from hsi_geo.models.wavelength_axis import BandMap
from hsi_geo.tasks.inference.scene_statistics import learn_spectral_stats


@dataclass(frozen=True, slots=True)
class PretrainRecipe:
    """How a network is pre-trained.

    Attributes:
        network: Shape of the S2Former.
        objective: What is asked of it.
        steps: Updates.
        batch: Windows in an update, for each process.
        learning_rate: Its peak; it rises for a seventh of the steps, then falls.
        weight_decay: On matrices only.
        checkpoint_every: Updates from one checkpoint to the next.
        min_valid: Least share of a window's pixels that must have data.
    """

    network: S2FormerConfig = field(default_factory=S2FormerConfig)
    objective: Objective = field(default_factory=Objective)
    steps: int = 400
    batch: int = 32
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    checkpoint_every: int = 100
    min_valid: float = 0.5


@dataclass(frozen=True, eq=False)
class Source:
    """One scene to learn from.

    Attributes:
        name: For messages.
        dataset: Its windows.
        spectral: Its bands and statistics.
        bands: From them to the network's axis.
        pixels: Its size: how often it is drawn.
    """

    name: str
    dataset: HyperspectralScene
    spectral: SpectralStats
    bands: BandMap
    pixels: int

    @classmethod
    def of(cls, scene: xr.DataArray, recipe: PretrainRecipe) -> Source:
        """Learn the statistics of a scene."""
        dataset = HyperspectralScene(scene)
        grid = dataset.grids[0]
        spectral = learn_spectral_stats(dataset.views)
        mapped = band_map(recipe.network, spectral, spectral.centres_nm)
        return cls(name_of(scene), dataset, spectral, mapped, grid.height * grid.width)


class Batches(pl.LightningDataModule):
    """The batches of the steps that are still to do."""

    def __init__(
        self, sources: list[Source], recipe: PretrainRecipe, seed: int, workers: int, first: int
    ) -> None:
        super().__init__()
        self.windows = _Windows(sources, recipe, seed)
        self.steps = range(first, recipe.steps)
        self.workers = workers

    def train_dataloader(self) -> DataLoader[dict[str, Any]]:
        """Numbers interleaved over the processes, so that no two see the same batch."""
        trainer = self.trainer
        assert trainer is not None  # Lightning attaches it before it asks
        numbers = [step * trainer.world_size + trainer.global_rank for step in self.steps]
        return DataLoader(
            self.windows,
            batch_size=None,
            sampler=numbers,
            num_workers=self.workers,
            persistent_workers=self.workers > 0,
        )


class _Windows(Dataset[dict[str, Any]]):
    """Batch number n, for n from 0 on: windows of one scene and which of their pixels to hide."""

    def __init__(self, sources: list[Source], recipe: PretrainRecipe, seed: int) -> None:
        self.sources = sources
        self.recipe = recipe
        self.seed = seed
        # The root: a large scene is seen more often than a small one, but not only it.
        weight = np.sqrt([source.pixels for source in sources])
        self.shares = weight / weight.sum()

    def __getitem__(self, number: int) -> dict[str, Any]:
        generator = np.random.default_rng((self.seed, number))
        which = int(generator.choice(len(self.sources), p=self.shares))
        places = ValidPatchSampler(
            self.sources[which].dataset,
            size_px=self.recipe.network.window_px,
            length=self.recipe.batch,
            min_valid=self.recipe.min_valid,
            generator=generator,
        )
        samples = [self.sources[which].dataset[place] for place in places]
        if not samples:
            raise SceneError(
                f"scene '{self.sources[which].name}' has hardly any window with data",
                hint="leave it out",
            )
        turns = [Dihedral.sample(generator) for _ in samples]
        image, valid = (
            torch.stack([turn.apply(s[key]) for turn, s in zip(turns, samples, strict=True)])
            for key in ("image", "valid")
        )
        draws = torch.Generator().manual_seed(int(generator.integers(2**62)))
        return {
            "which": which,
            "image": image,
            "valid": valid,
            "hidden": random_mask(valid, self.recipe.objective.mask_ratio, draws),
        }
