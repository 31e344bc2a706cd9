"""Pre-trained weights: what `pretrain` writes and `adapt` starts from."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hsi_geo.io import model_file
from hsi_geo.models.s2former import S2Former
from hsi_geo.tasks.artifacts.model_checks import (
    checkpoint_errors,
    keeping_generator,
    parse_config,
    parse_state,
    require,
)


@dataclass(frozen=True, eq=False)
class Weights:
    """A pre-trained encoder.

    Attributes:
        encoder: Encoder in evaluation mode.
        record: How it was made: recipe, seed, steps, scenes and versions.
    """

    encoder: S2Former
    record: Mapping[str, Any]


def save_weights(weights: Weights, path: Path) -> None:
    """Write a weights file; equal weights give equal bytes.

    Args:
        weights: Encoder and record.
        path: File to write.
    """
    arrays = {f"encoder.{k}": v.cpu().numpy() for k, v in weights.encoder.state_dict().items()}
    info = {
        "network": dataclasses.asdict(weights.encoder.config),
        "record": dict(weights.record),
    }
    model_file.save(path, "weights", arrays, info)


def load_weights(path: str | os.PathLike[str]) -> Weights:
    """Read a weights file.

    Args:
        path: File that `save_weights` wrote.

    Raises:
        ModelFileError: If it is not a weights file, or does not fit this version of the network.

    Examples:
        >>> from hsi_geo.tasks.artifacts.shipped import SHIPPED
        >>> load_weights(SHIPPED).encoder.config.window_px
        16
    """
    arrays, info = model_file.load(Path(path), "weights")
    hint = "give another, or make it again with hsi-geo pretrain"
    with checkpoint_errors(f"weights file '{path}'", hint), keeping_generator():
        config = parse_config(info["network"])
        state = parse_state(lambda: S2Former(config), config, arrays, "encoder.")
        record = info["record"]
        require(isinstance(record, dict), "it has no record of how it was made")
        encoder = S2Former(config)
        encoder.load_state_dict(state)
    return Weights(encoder.eval(), record)
