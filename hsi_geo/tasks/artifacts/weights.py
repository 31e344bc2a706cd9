"""Pre-trained weights as a value: what `pretrain` makes and `adapt` starts from."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from hsi_geo.io import model_file
from hsi_geo.models.s2former import S2Former
from hsi_geo.tasks.artifacts.model_checks import config_of, fitting, require, state_of

#: What `adapt` starts from unless told otherwise; see docs/model-card.md.
SHIPPED = Path(str(files("hsi_geo.data"))) / "s2former.safetensors"


@dataclass(frozen=True, eq=False)
class Weights:
    """A pre-trained encoder.

    Attributes:
        encoder: In evaluation mode.
        record: How it was made: recipe, seed, steps, scenes, versions.
    """

    encoder: S2Former
    record: Mapping[str, Any]


def save_weights(weights: Weights, path: Path) -> None:
    """Write WEIGHTS; equal weights give equal bytes."""
    arrays = {f"encoder.{k}": v.cpu().numpy() for k, v in weights.encoder.state_dict().items()}
    info = {
        "network": dataclasses.asdict(weights.encoder.config),
        "record": dict(weights.record),
    }
    model_file.save(path, "weights", arrays, info)


def load_weights(path: str | os.PathLike[str]) -> Weights:
    """Read WEIGHTS.

    Raises:
        ModelFileError: If the file is none, or does not fit this package's network.
    """
    arrays, info = model_file.load(Path(path), "weights")
    with fitting(f"weights file '{path}'", "give another, or make it again with hsi-geo pretrain"):
        config = config_of(info["network"])
        state = state_of(lambda: S2Former(config), arrays, "encoder.")
        record = info["record"]
        require(isinstance(record, dict), "it does not tell how it was made")
        encoder = S2Former(config)
        encoder.load_state_dict(state)
    return Weights(encoder.eval(), record)
