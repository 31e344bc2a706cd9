"""Models and weights on disk: named arrays and one JSON text, in safetensors.

Nothing is ever unpickled. What the arrays mean is the business of whoever saves them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as serialise

from hsi_geo.errors import ModelFileError
from hsi_geo.io.references import require_file

#: Raised when older packages could no longer read what this one writes.
FORMAT_VERSION = 1

#: The one metadata key: safetensors keeps several in no fixed order, and equal models must be
#: equal bytes.
_KEY = "hsi_geo"

Arrays = dict[str, npt.NDArray[Any]]


def dump(kind: str, arrays: Mapping[str, npt.NDArray[Any]], info: object) -> bytes:
    """What a file holds; equal arrays and descriptions give equal bytes.

    Args:
        kind: "model" (adapted, ready to predict) or "weights" (pre-trained).
        arrays: By name.
        info: Anything JSON can hold.
    """
    text = json.dumps({"format": FORMAT_VERSION, "kind": kind, "info": info}, sort_keys=True)
    contiguous = {name: np.asarray(arrays[name], order="C") for name in sorted(arrays)}
    return bytes(serialise(contiguous, metadata={_KEY: text}))


def save(path: Path, kind: str, arrays: Mapping[str, npt.NDArray[Any]], info: object) -> None:
    """Write what `dump` gives.

    By way of bytes: safetensors' own writer leaves files that only their owner can read.
    """
    path.write_bytes(dump(kind, arrays, info))


def load(path: Path, kind: str) -> tuple[Arrays, Any]:
    """Read what `save` wrote.

    Args:
        path: Where.
        kind: What is wanted.

    Returns:
        The arrays by name, and the description.

    Raises:
        ModelFileError: If there is no such file, it is no safetensors file, not ours, of
            another kind or of a later version.
    """
    require_file(path, "model", ModelFileError)
    if not path.is_file():
        raise ModelFileError(
            f"model '{path}' does not exist", hint="make one with hsi-geo adapt, or check the path"
        )
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise ModelFileError(
            f"'{path}' is not a safetensors file, or is damaged",
            hint="give a file made by hsi-geo adapt or hsi-geo pretrain; no pickle is ever read",
        ) from error
    if _KEY not in metadata:
        raise ModelFileError(
            f"'{path}' is a safetensors file, but not one of hsi-geo",
            hint="give a file made by hsi-geo adapt or hsi-geo pretrain",
        )
    try:
        header = json.loads(metadata[_KEY])
        version, found, info = int(header["format"]), header["kind"], header["info"]
    except (ValueError, TypeError, LookupError) as error:
        raise ModelFileError(
            f"'{path}' has a header that hsi-geo cannot read, or is damaged",
            hint="give a file made by hsi-geo adapt or hsi-geo pretrain",
        ) from error
    if version > FORMAT_VERSION:
        raise ModelFileError(
            f"'{path}' has format {version}, this package reads up to {FORMAT_VERSION}",
            hint="upgrade hsi-geo",
        )
    if found != kind:
        raise ModelFileError(
            f"'{path}' holds {found}, and {kind} is wanted here",
            hint="hsi-geo adapt makes a model from weights and shots",
        )
    return arrays, info
