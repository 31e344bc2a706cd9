"""Models and weights on disk: named arrays and one JSON text, in safetensors.

No file is unpickled. Sizes are limited before anything is read, and a checksum detects damage. What the arrays
mean is checked by the modules that use them (`tasks.artifacts.model_checks`).
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as serialise

from hsi_geo.errors import ModelFileError
from hsi_geo.io.files.references import require_file

#: Version of the format. It is increased when older packages cannot read new files.
FORMAT_VERSION = 1

#: The only metadata key: safetensors writes several in no fixed order, and equal models must give equal
#: bytes.
_KEY = "hsi_geo"

#: Largest file in bytes, and longest description in characters. A model of 426 bands has 4 MB and 40 kB.
MAX_BYTES, MAX_TEXT = 4 << 30, 32 << 20

#: Deepest nesting of lists and tables in the description.
MAX_DEPTH = 32

#: The kinds of files in a sentence, and where to get a file of each.
_KINDS = {"model": "a model with classes", "weights": "pre-trained weights without classes"}
_KIND_HINTS = {
    "model": "give a file that hsi-geo adapt wrote",
    "weights": "give a file that hsi-geo pretrain wrote, or leave the weights out to take those that come with hsi-geo",
}

#: Hint for other files.
FILE_HINT = "give a file made by hsi-geo adapt or hsi-geo pretrain"

#: Names of numpy's array types in safetensors.
_TYPES = {"BOOL", "U8", "I8", "U16", "I16", "U32", "I32", "U64", "I64", "F16", "F32", "F64"}

Arrays = dict[str, npt.NDArray[Any]]


def path_of_model(model: object) -> Path | None:
    """The path of a model that is given as a file or as an object.

    Args:
        model: Path of a model file, or what `adapt` returned.

    Returns:
        The path; None for an object.

    Raises:
        ModelFileError: If it is neither, or the file holds no model.
    """
    if isinstance(model, str | os.PathLike):
        require_kind(Path(model), "model")
        return Path(model)
    if hasattr(model, "classifier"):  # its class imports torch
        return None
    found = "no model" if model is None else f"a value of the type {type(model).__name__}"
    raise ModelFileError(
        f"{found} was given as a model",
        hint="give the path of a model file, or what adapt returned",
    )


def dump(kind: str, arrays: Mapping[str, npt.NDArray[Any]], info: object) -> bytes:
    """The bytes of a file. Equal arrays and descriptions give equal bytes.

    Args:
        kind: "model" (adapted, ready to predict) or "weights" (pre-trained).
        arrays: Arrays by name.
        info: Description: any value that JSON can represent.

    >>> arrays = {"a": np.arange(3.0)}
    >>> dump("model", arrays, {"x": 1}) == dump("model", arrays, {"x": 1})
    True
    """
    contiguous = {name: np.asarray(arrays[name], order="C") for name in sorted(arrays)}
    header = {
        "format": FORMAT_VERSION,
        "kind": kind,
        "info": info,
        "sha256": _checksum(contiguous, info),
    }
    text = json.dumps(header, sort_keys=True)
    return bytes(serialise(contiguous, metadata={_KEY: text}))


def save(path: Path, kind: str, arrays: Mapping[str, npt.NDArray[Any]], info: object) -> None:
    """Write a file.

    The bytes are written here, because files of safetensors' own writer can be read by their owner only.

    Args:
        path: Path of the file.
        kind: "model" or "weights".
        arrays: Arrays by name.
        info: Description: any value that JSON can represent.
    """
    path.write_bytes(dump(kind, arrays, info))


def load(path: Path, kind: str) -> tuple[Arrays, Any]:
    """Read a file that `save` wrote.

    Args:
        path: Path of the file.
        kind: Expected kind, "model" or "weights".

    Returns:
        Arrays by name, and the description.

    Raises:
        ModelFileError: If there is no such file, or it is no safetensors file of hsi-geo, too large, damaged,
            of another kind or of a later version.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "a.safetensors"
    ...     save(path, "model", {"a": np.arange(3)}, {"x": 1})
    ...     load(path, "model")
    ({'a': array([0, 1, 2])}, {'x': 1})
    """
    with _opened(path) as file:
        header = _header(path, file.metadata() or {}, kind)
        names = list(file.keys())
        if any(file.get_slice(name).get_dtype() not in _TYPES for name in names):
            raise ModelFileError(f"'{path}' holds numbers of an unknown type", hint=FILE_HINT)
        arrays = {name: file.get_tensor(name) for name in names}
    info = header["info"]
    # Files of earlier versions have no checksum.
    if "sha256" in header and header["sha256"] != _checksum(arrays, info):
        raise ModelFileError(
            f"'{path}' is damaged: its numbers are not those that were written",
            hint="copy the file again, or make it again",
        )
    return arrays, info


def require_kind(path: Path, kind: str) -> None:
    """Refuse a file that `load` would refuse by its header; no array is read.

    Args:
        path: Path of the file.
        kind: Expected kind, "model" or "weights".

    Raises:
        ModelFileError: If there is no such file, or it is no safetensors file of hsi-geo of that kind.
    """
    with _opened(path) as file:
        _header(path, file.metadata() or {}, kind)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """The file, opened by safetensors."""
    if path.is_dir() or not path.exists():
        raise ModelFileError(
            f"model '{path}' does not exist", hint="make one with hsi-geo adapt, or check the path"
        )
    require_file(path, "model", ModelFileError)
    if path.stat().st_size > MAX_BYTES:
        raise ModelFileError(
            f"'{path}' has {path.stat().st_size >> 20} MiB, and no model has more than "
            f"{MAX_BYTES >> 20}",
            hint=FILE_HINT,
        )
    try:
        with safe_open(path, framework="numpy") as file:
            yield file
    except (SafetensorError, OSError) as error:
        raise ModelFileError(
            f"'{path}' is not a safetensors file, or is damaged",
            hint=f"{FILE_HINT}; no pickle is ever read",
        ) from error


def _checksum(arrays: Mapping[str, npt.NDArray[Any]], info: object) -> str:
    """SHA-256 of names, types, shapes and values, and of the description."""
    plain = json.loads(
        json.dumps(info)
    )  # keys that are numbers become texts, and are sorted as texts
    digest = hashlib.sha256(json.dumps(plain, sort_keys=True).encode())
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"\n{name} {array.dtype.str} {arrays[name].shape}\n".encode())
        digest.update(array.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def _header(path: Path, metadata: Mapping[str, str], kind: str) -> dict[str, Any]:
    """The JSON text of a file of hsi-geo, of the expected kind and a known version."""
    if _KEY not in metadata:
        raise ModelFileError(
            f"'{path}' is a safetensors file, but not one of hsi-geo", hint=FILE_HINT
        )
    text = metadata[_KEY]
    try:
        header = json.loads(text, parse_constant=_refuse) if len(text) <= MAX_TEXT else None
        if not (isinstance(header, dict) and _is_sound(header, MAX_DEPTH)):
            raise ValueError
        version, found = header["format"], header["kind"]
        if not isinstance(version, int) or isinstance(version, bool) or "info" not in header:
            raise TypeError
    except (ValueError, TypeError, LookupError, RecursionError) as error:
        raise ModelFileError(
            f"'{path}' has a header that hsi-geo cannot read, or is damaged", hint=FILE_HINT
        ) from error
    if version > FORMAT_VERSION:
        raise ModelFileError(
            f"'{path}' has format {version}, this package reads up to {FORMAT_VERSION}",
            hint="upgrade hsi-geo",
        )
    if found != kind:
        raise ModelFileError(
            f"'{path}' holds {_KINDS.get(str(found), 'something else')}, and {_KINDS[kind]} was wanted",
            hint=_KIND_HINTS[kind],
        )
    return header


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is no number of JSON")


def _is_sound(value: object, depth: int) -> bool:
    """Whether numbers are finite (1e999 is read as infinite) and nesting is not too deep."""
    if isinstance(value, dict | list):
        inner = value.values() if isinstance(value, dict) else value
        return depth > 0 and all(_is_sound(one, depth - 1) for one in inner)
    return not isinstance(value, float) or math.isfinite(value)
