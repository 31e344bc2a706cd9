"""Hyperparameters of a pre-training, as plain values: importing them imports no torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from hsi_geo.models.pretraining_objective import Objective
from hsi_geo.models.s2former_config import S2FormerConfig

#: Precision of the computation.
Precision = Literal["auto", "32", "bf16"]


@dataclass(frozen=True, slots=True)
class PretrainRecipe:
    """How a network is pre-trained.

    Attributes:
        network: Shape of the S2Former.
        objective: Weights and options of the loss.
        steps: Number of updates.
        batch: Number of windows in an update of each process.
        learning_rate: Maximum of the learning rate; it rises for a seventh of the steps, then falls.
        weight_decay: Weight decay of matrices; other parameters have none.
        checkpoint_every: Number of updates between checkpoints.
        min_valid: Least share of a window's pixels that must have data, 0 to 1.
    """

    network: S2FormerConfig = field(default_factory=S2FormerConfig)
    objective: Objective = field(default_factory=Objective)
    steps: int = 400
    batch: int = 32
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    checkpoint_every: int = 100
    min_valid: float = 0.5
