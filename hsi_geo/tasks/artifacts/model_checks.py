"""Checks of model and weights files before they are used: their contents are untrusted.

Each failed check gives one sentence. Files that pass have the shapes, types, bounds and orders that this package
writes; no check can determine whether the numbers are good.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn

from hsi_geo.arrays import AnyArray
from hsi_geo.errors import ModelFileError, WavelengthError
from hsi_geo.io.labels.shots import ClassTable, LandClass
from hsi_geo.io.model_file import Arrays
from hsi_geo.models.s2former_config import S2FormerConfig
from hsi_geo.models.wavelength_axis import resample_to_axis
from hsi_geo.models.whitening import SpectralStats, Whitening
from hsi_geo.tasks.validation.accuracy import Accuracy
from hsi_geo.tiling import Tiling

#: Greatest numbers of classes of a map, bands of a scene, shots that a model keeps, and characters of a name.
MAX_CLASSES, MAX_BANDS, MAX_SHOTS, MAX_NAME = 65_535, 20_000, 1_000_000, 1000

#: Greatest wavelength and width of a band, in nm.
MAX_NM = 1e5

#: Greatest absolute value of any number in an array; products of two numbers of a scene may have its square.
MAX_MAGNITUDE = 1e30

#: Greatest ratio of a window's size to its stride: a pixel lies in as many windows as the square of it.
MAX_OVERLAP = 16

#: Tolerance of the mean variance of whitened bands, which is 1 by construction.
VARIANCE_TOLERANCE = 0.01


class InvalidContents(Exception):
    """A file's contents are invalid; the message is a clause that follows the file's name."""


@contextmanager
def checkpoint_errors(what: str, hint: str) -> Iterator[None]:
    """Convert errors of invalid contents to `ModelFileError`.

    Args:
        what: The file, as the message names it.
        hint: What the user can do.

    Raises:
        ModelFileError: If a part is missing, has another type or shape, or is out of its bounds.
    """
    try:
        yield
    except InvalidContents as error:
        raise ModelFileError(
            f"{what} does not fit this version of hsi-geo: {error}", hint=hint
        ) from error
    except (LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise ModelFileError(f"{what} does not fit this version of hsi-geo", hint=hint) from error


def require(condition: bool, problem: str) -> None:
    """Raise an error unless a condition holds.

    Args:
        condition: What must be true of the contents.
        problem: Clause that describes what is wrong.

    Raises:
        InvalidContents: If the condition is false.
    """
    if not condition:
        raise InvalidContents(problem)


def require_array(
    arrays: Arrays,
    name: str,
    dtype: type[np.generic],
    shape: tuple[int | None, ...],
    *,
    largest: float = MAX_MAGNITUDE,
) -> AnyArray:
    """Look up an array and check it.

    Args:
        arrays: Arrays of the file by name.
        name: Name of the array.
        dtype: Type of its elements.
        shape: Its shape; None allows any size along an axis.
        largest: Greatest absolute value.

    Raises:
        InvalidContents: If it is missing, has another type or shape, or has numbers that are not finite or too
            large.

    Examples:
        >>> require_array({"a": np.zeros((2, 3))}, "a", np.float64, (None, 3)).shape
        (2, 3)
    """
    require(name in arrays, f"it has no {name}")
    found = arrays[name]
    fits = len(found.shape) == len(shape) and all(
        expected in (None, size) for expected, size in zip(shape, found.shape, strict=True)
    )
    sizes = " x ".join("any" if size is None else str(size) for size in shape)
    require(
        fits and found.dtype == dtype,
        f"{name} is {found.dtype} of shape {found.shape}, and has to be {np.dtype(dtype)} of {sizes}",
    )
    require(bool(np.isfinite(found).all()), f"{name} holds numbers that are not finite")
    require(
        found.size == 0 or float(np.abs(found).max()) <= largest,
        f"{name} holds numbers that are too large",
    )
    return found


def parse_config(entry: object) -> S2FormerConfig:
    """Check and convert the shape of a network.

    Args:
        entry: Value from the file's JSON.

    Raises:
        InvalidContents: If a number of it is out of its bounds.
    """
    require(isinstance(entry, dict), "it has no shape of the network")
    assert isinstance(entry, dict)
    try:
        return S2FormerConfig(**entry)
    except (TypeError, ValueError) as error:
        raise InvalidContents(f"of the network, {error}") from error


@contextmanager
def keeping_generator() -> Iterator[None]:
    """Restore torch's global generator after a ``with`` block that makes networks: they start from random weights."""
    with torch.random.fork_rng(devices=()):  # networks are made on the CPU
        yield


def parse_state(
    make: Callable[[], nn.Module], config: S2FormerConfig, arrays: Arrays, prefix: str
) -> dict[str, torch.Tensor]:
    """Check and convert the weights of a network.

    Args:
        make: Function that makes a network of the right shape.
        config: Shape of its S2Former.
        arrays: Arrays of the file by name.
        prefix: Prefix of the names of the network's arrays.

    Returns:
        The network's state dict.

    Raises:
        InvalidContents: If arrays are missing, or have other names, types or shapes than the network's.
    """
    names = {name for name in arrays if name.startswith(prefix)}
    # The numbers are counted before memory is allocated.
    stored = sum(arrays[name].size for name in names)
    fits = config.least_parameters <= stored
    expected = make().state_dict() if fits else {}
    require(
        fits and names == {prefix + name for name in expected},
        "its arrays are not those of a network of the shape in its header",
    )
    return {
        name: torch.from_numpy(require_array(arrays, prefix + name, np.float32, tuple(value.shape)))
        for name, value in expected.items()
    }


def parse_spectral(arrays: Arrays, config: S2FormerConfig) -> SpectralStats:
    """Check and convert bands and frozen statistics.

    Args:
        arrays: Arrays of the file by name.
        config: Shape of the network.

    Raises:
        InvalidContents: If they do not fit each other, or no band lies on the network's wavelength axis.
    """
    centres = require_array(arrays, "centres_nm", np.float64, (None,))
    bands = len(centres)
    require(1 <= bands <= MAX_BANDS, f"it has {bands} bands")
    require(
        bool((np.diff(centres) >= 0).all() and centres[0] > 0 and centres[-1] <= MAX_NM),
        "its band centres are not increasing wavelengths in nm",
    )
    fwhm = require_array(arrays, "fwhm_nm", np.float64, (bands,))
    require(bool((fwhm > 0).all() and fwhm.max() <= MAX_NM), "its band widths are no widths in nm")
    whitening = Whitening(
        require_array(arrays, "whitening.centre", np.float64, (bands,)),
        require_array(arrays, "whitening.matrix", np.float64, (bands, bands)),
        require_array(
            arrays, "whitening.covariance", np.float64, (bands, bands), largest=MAX_MAGNITUDE**2
        ),
    )
    _require_statistics(whitening)
    try:
        resample_to_axis(config, centres, fwhm)
    except WavelengthError as error:
        raise InvalidContents(error.message) from error
    return SpectralStats(centres, fwhm, whitening)


def _require_statistics(whitening: Whitening) -> None:
    covariance, matrix = whitening.covariance, whitening.matrix
    variance = np.diagonal(covariance)
    largest = np.sqrt(np.outer(np.maximum(variance, 0), np.maximum(variance, 0)))
    require(
        bool((variance >= 0).all())
        and np.allclose(
            covariance, covariance.T, rtol=1e-6, atol=1e-9 * max(variance.max(), 1e-300)
        )
        and bool((np.abs(covariance) <= largest * (1 + 1e-6) + 1e-300).all()),
        "its covariance is not a covariance matrix",
    )
    require(bool(whitening.centre.any()), "the mean of its bands is 0 in all of them")
    if not covariance.any() and not matrix.any():
        return  # a scene of equal pixels
    require(bool(matrix.any()), "its whitening matrix is 0")
    spread = float(np.einsum("ij,jk,ik->", matrix, covariance, matrix, optimize=True)) / len(matrix)
    require(
        abs(spread - 1) < VARIANCE_TOLERANCE,
        f"its whitening matrix does not fit its covariance (a mean variance of {spread:.3g}, not 1)",
    )


def parse_classes(entries: object) -> ClassTable:
    """Check and convert a class table.

    Args:
        entries: Value from the file's JSON.

    Raises:
        InvalidContents: If ids are not 1..K, or a name, colour or value is invalid.
    """
    require(isinstance(entries, list), "it has no class table")
    assert isinstance(entries, list)
    require(1 <= len(entries) <= MAX_CLASSES, f"it has {len(entries)} classes")
    try:
        classes = tuple(LandClass(**entry) for entry in entries)
    except TypeError as error:
        raise InvalidContents("an entry of its class table is invalid") from error
    for number, one in enumerate(classes, start=1):
        require(is_whole(one.id) and one.id == number, "the ids of its classes are not 1, 2, 3 ...")
        require(_is_name(one.name), f"the name of its class {number} cannot be shown")
        require(
            isinstance(one.color, str) and re.fullmatch("#[0-9a-fA-F]{6}", one.color) is not None,
            f"the colour of its class {number} is not like #1a2b3c",
        )
        require(
            one.value is None or (is_whole(one.value) and abs(one.value) < 1 << 63),
            f"the value of its class {number} is no whole number",
        )
        require(
            (one.parent is None) == (classes[0].parent is None)
            and (one.parent is None or _is_name(one.parent)),
            f"the parent of its class {number} cannot be shown",
        )
        require(
            one.parent_color is None
            or (
                isinstance(one.parent_color, str)
                and re.fullmatch("#[0-9a-fA-F]{6}", one.parent_color) is not None
            ),
            f"the colour of the parent of its class {number} is not like #1a2b3c",
        )
    require(len({one.name for one in classes}) == len(classes), "two of its classes have one name")
    return classes


def _is_name(name: object) -> bool:
    """Whether a text can be displayed: without control characters and lone surrogates."""
    return (
        isinstance(name, str)
        and 0 < len(name) <= MAX_NAME
        and not any(unicodedata.category(letter) in ("Cc", "Cs") for letter in name)
    )


def is_whole(value: object) -> bool:
    """Whether a value from JSON is an integer; true and false are not.

    Args:
        value: Any value.
    """
    return isinstance(value, int) and not isinstance(value, bool)


def parse_tiling(entry: object, config: S2FormerConfig) -> Tiling:
    """Check and convert size and stride of the windows.

    Args:
        entry: Value from the file's JSON.
        config: Shape of the network.

    Raises:
        InvalidContents: If the size is not the network's, or windows leave gaps or overlap too much.
    """
    require(
        isinstance(entry, dict)
        and entry.keys() == {"size_px", "stride_px"}
        and all(is_whole(value) for value in entry.values()),
        "its windows are invalid",
    )
    assert isinstance(entry, dict)
    size, stride = entry["size_px"], entry["stride_px"]
    require(size == config.window_px, f"windows of {size} px are not its network's")
    require(
        1 <= stride <= size <= MAX_OVERLAP * stride,
        f"a stride of {stride} px does not go with windows of {size} px",
    )
    return Tiling(size, stride)


def parse_record(record: object, classes: ClassTable) -> Mapping[str, Any]:
    """Check the entries of a model's record that other tasks read.

    Args:
        record: Value from the file's JSON.
        classes: Class table of the model.

    Raises:
        InvalidContents: If an entry is missing or invalid.
    """
    require(isinstance(record, dict), "it has no record of how it was made")
    assert isinstance(record, dict)
    require(is_whole(record.get("seed")), "its record has no seed")
    shots = record.get("shots")
    require(
        isinstance(shots, dict)
        and all(is_whole(shots.get(c.name)) and 0 <= shots[c.name] < 1 << 53 for c in classes),
        "its record lacks the shots of each class",
    )
    for part in ("found", "parameters", "hashes", "versions"):
        require(isinstance(record.get(part), dict), f"its record has no {part}")
    scenes = record["hashes"].get("scenes", [])
    require(
        isinstance(scenes, list) and all(isinstance(one, str) for one in scenes),
        "its record has no list of scenes",
    )
    require(_is_accuracy(record.get("accuracy")), "the accuracy in its record is invalid")
    return record


def _is_accuracy(entry: object) -> bool:
    try:
        found = Accuracy.from_dict(entry)  # type: ignore[arg-type]  # files may hold anything
    except (LookupError, TypeError, AttributeError):
        return False
    counts = (found.pixels, found.features, found.blocks)
    ends = found.interval95
    return (
        all(is_whole(count) and 0 <= count < 1 << 53 for count in counts)
        and _is_text(found.method)
        and _is_text(found.caution)
        and (found.oa is None or _is_share(found.oa))
        and (ends is None or (len(ends) == 2 and all(map(_is_share, ends)) and ends[0] <= ends[1]))
    )


def _is_share(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1


def _is_text(text: object) -> bool:
    return isinstance(text, str) and (
        text == "" or all(map(_is_name, re.findall(".{1,500}", text)))
    )
