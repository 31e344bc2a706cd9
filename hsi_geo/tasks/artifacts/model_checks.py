"""What MODEL and WEIGHTS must be before they are used: files come from anywhere, and are not believed.

Each check ends in one sentence. What passes has the shapes, types, bounds and orders that this package
writes; that its numbers are good ones no check can tell.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from hsi_geo.errors import ModelFileError, WavelengthError
from hsi_geo.io.labels.shots import ClassTable, LandClass
from hsi_geo.io.model_file import Arrays
from hsi_geo.models.classifier import SpectralStats
from hsi_geo.models.s2former_config import S2FormerConfig
from hsi_geo.models.wavelength_axis import resample_to_axis
from hsi_geo.models.whitening import Whitening
from hsi_geo.tasks.validation.accuracy import Accuracy
from hsi_geo.tiling import Tiling

#: Most classes of a map, bands of a scene, shots that a model keeps, characters of a name.
MOST_CLASSES, MOST_BANDS, MOST_SHOTS, MOST_NAME = 65_535, 20_000, 1_000_000, 1000

#: No band lies beyond, in nm.
LAST_NM = 1e5

#: No value of a scene and no statistic of one is larger.
LARGEST = 1e30

#: Windows overlap by no more than this: each pixel lies in the square of it.
MOST_OVERLAP = 16

#: How far the mean variance of whitened bands may be from 1, which it is by construction.
OFF = 0.01


class Unfit(Exception):
    """What is wrong with a file, in words that go on after its name."""


@contextmanager
def fitting(what: str, hint: str) -> Iterator[None]:
    """Tell in one sentence what a file holds that this package does not make.

    Args:
        what: The file, for the message.
        hint: What to do.

    Raises:
        ModelFileError: If a part is missing, of another type or shape, or out of its bounds.
    """
    try:
        yield
    except Unfit as error:
        raise ModelFileError(
            f"{what} does not fit this version of hsi-geo: {error}", hint=hint
        ) from error
    except (LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise ModelFileError(f"{what} does not fit this version of hsi-geo", hint=hint) from error


def require(condition: bool, what: str) -> None:
    """Say what is wrong unless it is not.

    Raises:
        Unfit: With these words.
    """
    if not condition:
        raise Unfit(what)


def array(
    arrays: Arrays, name: str, dtype: type[np.generic], shape: tuple[int | None, ...]
) -> npt.NDArray[Any]:
    """An array that has to be there.

    Args:
        arrays: By name.
        name: Of the one.
        dtype: Of its numbers.
        shape: Its shape, None where any size will do.

    Raises:
        Unfit: If it is missing, of another type or shape, or not all finite.
    """
    require(name in arrays, f"it has no {name}")
    found = arrays[name]
    fits = len(found.shape) == len(shape) and all(
        wanted in (None, size) for wanted, size in zip(shape, found.shape, strict=True)
    )
    told = " x ".join("any" if size is None else str(size) for size in shape)
    require(
        fits and found.dtype == dtype,
        f"{name} is {found.dtype} of shape {found.shape}, and has to be {np.dtype(dtype)} of {told}",
    )
    require(bool(np.isfinite(found).all()), f"{name} holds numbers that are not finite")
    require(
        found.size == 0 or float(np.abs(found).max()) <= LARGEST, f"{name} holds absurd numbers"
    )
    return found


def config_of(entry: object) -> S2FormerConfig:
    """The shape of a network.

    Raises:
        Unfit: If a number of it is out of its bounds.
    """
    require(isinstance(entry, dict), "it does not tell the network's shape")
    assert isinstance(entry, dict)
    try:
        return S2FormerConfig(**entry)
    except (TypeError, ValueError) as error:
        raise Unfit(f"of the network, {error}") from error


def state_of(make: Callable[[], nn.Module], arrays: Arrays, prefix: str) -> dict[str, torch.Tensor]:
    """The numbers of a network.

    Args:
        make: Makes a network of that shape.
        arrays: By name.
        prefix: Of the names of the network's own.

    Raises:
        Unfit: If there are others than the network has.
    """
    with torch.device("meta"):  # shapes only: what is in the file is compared before room is taken
        wanted = make().state_dict()
    own = {name for name in arrays if name.startswith(prefix)}
    require(
        own == {prefix + name for name in wanted},
        "its arrays are not those of a network of the shape that it tells",
    )
    return {
        name: torch.from_numpy(array(arrays, prefix + name, np.float32, tuple(value.shape)))
        for name, value in wanted.items()
    }


def spectral_of(arrays: Arrays, config: S2FormerConfig) -> SpectralStats:
    """Bands and frozen statistics.

    Raises:
        Unfit: If they do not go together, or no band lies on the network's axis.
    """
    centres = array(arrays, "centres_nm", np.float64, (None,))
    bands = len(centres)
    require(1 <= bands <= MOST_BANDS, f"it has {bands} bands")
    require(
        bool((np.diff(centres) >= 0).all() and centres[0] > 0 and centres[-1] <= LAST_NM),
        "its band centres are not increasing wavelengths in nm",
    )
    fwhm = array(arrays, "fwhm_nm", np.float64, (bands,))
    require(bool((fwhm > 0).all() and fwhm.max() <= LAST_NM), "its band widths are no widths in nm")
    whitening = Whitening(
        array(arrays, "whitening.centre", np.float64, (bands,)),
        array(arrays, "whitening.matrix", np.float64, (bands, bands)),
        array(arrays, "whitening.covariance", np.float64, (bands, bands)),
    )
    _require_statistics(whitening)
    try:
        resample_to_axis(config, centres, fwhm)
    except WavelengthError as error:
        raise Unfit(error.message) from error
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
        "its covariance is none",
    )
    require(bool(whitening.centre.any()), "the mean of its bands is 0 in all of them")
    if not covariance.any() and not matrix.any():
        return  # of a scene of one pixel, or of one colour
    require(bool(matrix.any()), "its whitening matrix is 0")
    spread = float(np.einsum("ij,jk,ik->", matrix, covariance, matrix, optimize=True)) / len(matrix)
    require(
        abs(spread - 1) < OFF,
        f"its whitening matrix does not fit its covariance (a mean variance of {spread:.3g}, not 1)",
    )


def classes_of(entries: object) -> ClassTable:
    """A class table.

    Raises:
        Unfit: If ids are not 1..K, or a name or a colour is none.
    """
    require(isinstance(entries, list), "it has no class table")
    assert isinstance(entries, list)
    require(1 <= len(entries) <= MOST_CLASSES, f"it has {len(entries)} classes")
    try:
        classes = tuple(LandClass(**entry) for entry in entries)
    except TypeError as error:
        raise Unfit("an entry of its class table is none") from error
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
    require(len({one.name for one in classes}) == len(classes), "two of its classes have one name")
    return classes


def _is_name(name: object) -> bool:
    """Whether a text can be shown: no control codes, which a terminal obeys, and no half characters."""
    return (
        isinstance(name, str)
        and 0 < len(name) <= MOST_NAME
        and not any(unicodedata.category(letter) in ("Cc", "Cs") for letter in name)
    )


def is_whole(value: object) -> bool:
    """Whether a value from JSON is a whole number, which true and false are not."""
    return isinstance(value, int) and not isinstance(value, bool)


def tiling_of(entry: object, config: S2FormerConfig) -> Tiling:
    """Windows and their overlap.

    Raises:
        Unfit: If they are not the network's, leave gaps or overlap beyond use.
    """
    require(
        isinstance(entry, dict)
        and entry.keys() == {"size_px", "stride_px"}
        and all(is_whole(value) for value in entry.values()),
        "it does not tell its windows",
    )
    assert isinstance(entry, dict)
    size, stride = entry["size_px"], entry["stride_px"]
    require(size == config.window_px, f"windows of {size} px are not its network's")
    require(
        1 <= stride <= size <= MOST_OVERLAP * stride,
        f"a stride of {stride} px does not go with windows of {size} px",
    )
    return Tiling(size, stride)


def record_of(record: object, classes: ClassTable) -> Mapping[str, Any]:
    """How a model was made: the entries that later jobs read.

    Raises:
        Unfit: If one is missing, or is not what it says.
    """
    require(isinstance(record, dict), "it does not tell how it was made")
    assert isinstance(record, dict)
    require(is_whole(record.get("seed")), "its record has no seed")
    shots = record.get("shots")
    require(
        isinstance(shots, dict)
        and all(is_whole(shots.get(c.name)) and 0 <= shots[c.name] < 1 << 53 for c in classes),
        "its record does not tell the shots of each class",
    )
    for part in ("found", "parameters", "hashes", "versions"):
        require(isinstance(record.get(part), dict), f"its record has no {part}")
    scenes = record["hashes"].get("scenes", [])
    require(
        isinstance(scenes, list) and all(isinstance(one, str) for one in scenes),
        "its record does not tell its scenes",
    )
    require(_is_accuracy(record.get("accuracy")), "the accuracy in its record is none")
    return record


def _is_accuracy(entry: object) -> bool:
    try:
        found = Accuracy.from_dict(entry)  # type: ignore[arg-type]  # whatever a file has
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
