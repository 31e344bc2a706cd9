"""Device, threads and seed of a run, and the hashes and versions that identify it."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import rasterio
import shapely
import xarray as xr

from hsi_geo.arguments import require_whole
from hsi_geo.errors import OptionError
from hsi_geo.io.labels.shots import Shots
from hsi_geo.io.readers.pixel_files import file_states, part_name
from hsi_geo.io.scenes.declared_values import NODATA, OFFSET, SCALE, declared
from hsi_geo.io.scenes.lazy import files_with_values
from hsi_geo.io.scenes.properties import bands_of, name_of
from hsi_geo.progress import Reporter
from hsi_geo.threads import SPINNING, TORCH_CAME_FIRST

if TYPE_CHECKING:
    import torch

#: Choices of `Compute.device`.
DEVICES = ("auto", "cpu", "cuda")

#: Largest seed that torch takes.
MOST_SEED = 2**64 - 1

#: Bytes of values that are hashed at a time.
_HASHED_BYTES = 64 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Compute:
    """Device, number of threads, and seed of a run.

    Attributes:
        device: Where torch computes: "auto" (a CUDA GPU if torch finds one, else the CPU), "cpu" or
            "cuda".
        threads: Number of torch's threads on the CPU; None leaves it to torch. With 1, mapping also
            reads the scene in the thread that computes.
        seed: Seed of all random numbers, 0 to 2**64 - 1. The same seed, machine and number of threads
            give the same bytes.

    Raises:
        OptionError: If a value is none of these.

    Examples:
        >>> Compute(threads=2)
        Compute(device='auto', threads=2, seed=0)
    """

    device: str = "auto"
    threads: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse values that would fail later, or be taken for others."""
        if self.device not in DEVICES:
            raise OptionError(
                f"there is no device '{self.device}'", hint=f"choose one of: {', '.join(DEVICES)}"
            )
        if self.threads is not None:
            require_whole("--threads", self.threads, 1)
        if self.seed is None:
            raise OptionError(
                "no seed was given", hint="give a whole number, or leave it out for 0"
            )
        require_whole("--seed", self.seed, 0, MOST_SEED)
        # Records are JSON, which knows no numbers of NumPy.
        object.__setattr__(self, "seed", int(self.seed))
        if self.threads is not None:
            object.__setattr__(self, "threads", int(self.threads))


@contextmanager
def computing(compute: Compute, reporter: Reporter | None = None) -> Iterator[torch.device]:
    """Set torch's number of threads inside a ``with`` block.

    Args:
        compute: Device and number of threads; the seed is not used, see `seeded`.
        reporter: Receives a message if torch was imported before hsi_geo, so that its threads will
            be slow beside other jobs; None drops the message.

    Yields:
        The device.

    Raises:
        OptionError: If the device is "cuda" and torch finds none.

    Examples:
        >>> import torch
        >>> with computing(Compute(device="cpu", threads=1)) as device:
        ...     print(device, torch.get_num_threads())
        cpu 1
    """
    import torch  # takes seconds: paths and options are checked before

    device, threads = compute.device, compute.threads
    if device == "cuda" and not torch.cuda.is_available():
        raise OptionError(
            "--device cuda was asked for and torch finds no CUDA device",
            hint="use --device cpu, or see hsi-geo doctor",
        )
    before = torch.get_num_threads()
    if threads is not None:
        torch.set_num_threads(threads)
    try:
        use_cuda = device == "cuda" or (device == "auto" and torch.cuda.is_available())
        if (
            TORCH_CAME_FIRST
            and reporter is not None
            and not use_cuda
            and torch.get_num_threads() > 1
        ):
            reporter.log(SPINNING)
        yield torch.device("cuda" if use_cuda else "cpu")
    finally:
        torch.set_num_threads(before)


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch compute on one thread, in the thread that enters the block.

    Examples:
        >>> import torch
        >>> with one_thread():
        ...     torch.get_num_threads()
        1
    """
    with torch_threads(1):
        yield


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Let each operation of torch compute on so many threads, in the thread that enters the block and those that it starts.

    Args:
        count: Number of threads, at least 1.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def seeded(seed: int, *, on_gpus: bool = True) -> Iterator[None]:
    """Seed torch's global generator inside a ``with`` block, and restore its state afterwards.

    Args:
        seed: Seed of the random numbers drawn in the block.
        on_gpus: Whether the states of GPUs are restored, too. It starts CUDA, after which a process must not fork.

    Examples:
        >>> import torch
        >>> with seeded(1):
        ...     first = torch.rand(2)
        >>> with seeded(1):
        ...     bool((torch.rand(2) == first).all())
        True
    """
    import torch

    with torch.random.fork_rng(devices=None if on_gpus else ()):
        torch.manual_seed(seed)
        yield


def versions() -> dict[str, str]:
    """Versions of the packages that results depend on, by package name."""
    return {
        "hsi-geo": _version("hsi-geo"),
        "torch": _version("torch"),
        "numpy": np.__version__,
        "rasterio": rasterio.__version__,
        "gdal": rasterio.__gdal_version__,
    }


@cache
def _version(package: str) -> str:
    return version(package)


def scene_hash(scene: xr.DataArray) -> str:
    """SHA-256 of a scene's header, and of size and modification time of all files that hold its values and masks.

    Pixels are not read. Copies of the same files have the same hash, wherever they are. Parts of one file, such as the scenes
    in an archive, have different ones, and so have links. Of values in memory only the header counts.

    Args:
        scene: What `open_scene` returned.
    """
    files = files_with_values(scene)
    states = file_states(files or ())
    header = _header(scene) | {
        "fwhm_nm": bands_of(scene).fwhm_nm.tolist(),
        "nodata": _declared(scene, NODATA, np.nan),
        "scale": _declared(scene, SCALE, 1.0),
        "offset": _declared(scene, OFFSET, 0.0),
        "files": states,
    }
    if files is not None:
        elsewhere = [file for file, state in zip(files, states, strict=True) if state is None]
        names = {part_name(name_of(scene)), *(part_name(file) or file for file in elsewhere)}
        parts = sorted(names - {""})
        header |= {"parts": parts} if parts else {}
    if scene.chunks is not None and "opened" in scene.encoding:  # Dask may read the files later
        header["read_by_dask"] = file_states(scene.encoding["opened"].files)
    return text_hash(json.dumps(header, sort_keys=True))


def _declared(scene: xr.DataArray, name: str, missing: float) -> Any:
    found = declared(scene, name)
    return np.asarray(missing if found is None else found).tolist()


def values_hash(scene: xr.DataArray) -> str:
    """SHA-256 of a scene's header and all of its stored values, for a scene whose files are not known.

    Args:
        scene: (band, y, x) array. It is read by some rows at a time.
    """
    digest = hashlib.sha256(scene_hash(scene).encode())
    rows = max(1, _HASHED_BYTES // max(1, scene[:, :1].nbytes))
    for row in range(0, scene.shape[1], rows):
        digest.update(np.ascontiguousarray(scene[:, row : row + rows].values).data)
    return digest.hexdigest()


def earlier_scene_hash(scene: xr.DataArray) -> str:
    """The hash that earlier versions wrote into models: of one file only, without scale and nodata.

    Args:
        scene: What `open_scene` returned.
    """
    (state,) = file_states([name_of(scene)])
    size, mtime_ns = state if isinstance(state, tuple) else (None, None)  # a folder had none
    header = _header(scene) | {"size": size, "mtime_ns": mtime_ns}
    return text_hash(json.dumps(header, sort_keys=True))


def known_files(scene: xr.DataArray) -> tuple[str, ...]:
    """The files that hold a scene's values.

    Args:
        scene: (band, y, x) array.

    Returns:
        Paths; none if a part of the values is in memory or on another machine, so that a hash does not tell them.
    """
    files = files_with_values(scene) or ()
    return () if None in file_states(files) else files


def _header(scene: xr.DataArray) -> dict[str, Any]:
    grid, bands = scene.hsi.grid, bands_of(scene)
    return {
        "shape": list(scene.shape),
        "dtype": str(scene.dtype),
        "transform": list(grid.transform)[:6],
        "crs": grid.crs.to_wkt() if grid.crs is not None else None,
        "centres_nm": bands.centres_nm.tolist(),
        "good": bands.good.tolist(),
    }


def shots_hash(shots: Shots) -> str:
    """SHA-256 of the geometries and class names of shots.

    The format of their file does not matter, nor the order of the shots, nor where a ring begins, nor how
    they are spread over several files of one CRS.

    Args:
        shots: Labelled geometries.

    Examples:
        >>> import geopandas as gpd
        >>> from shapely import Point
        >>> from hsi_geo.io.labels.shots import make_shots
        >>> points = [Point(1, 2), Point(3, 4)]
        >>> one = make_shots(gpd.GeoSeries(points), ["rye", "oats"])
        >>> other = make_shots(gpd.GeoSeries(points[::-1]), ["oats", "rye"])
        >>> shots_hash(one) == shots_hash(other)
        True
    """
    names = [c.name for c in shots.classes]
    lines = []
    for frame in [part.frame for part in shots.parts or (shots,)]:
        shapes = shapely.to_wkb(shapely.normalize(frame.geometry.to_numpy()))
        lines += [
            f"{names[class_id - 1]}\t{wkb.hex()}"
            for class_id, wkb in zip(frame["class_id"], shapes, strict=True)
        ]
    if shots.library is not None:
        lines.append(f"weight of the library\t{shots.library_weight:g}")
        for one, class_id in zip(shots.library.spectra, shots.library.class_ids, strict=True):
            numbers = np.concatenate([one.centres_nm, one.values]).astype("<f8").tobytes()
            lines.append(f"{names[class_id - 1]}\t{hashlib.sha256(numbers).hexdigest()}")
    return text_hash("\n".join(sorted(lines)))


def places_hash(shots: Shots) -> str:
    """SHA-256 of the geometries of shots, whatever their classes: they may be read from another field of the file.

    Args:
        shots: Labelled geometries.
    """
    frames = [part.frame for part in shots.parts or (shots,)]
    places = [
        wkb.hex()
        for frame in frames
        for wkb in shapely.to_wkb(shapely.normalize(frame.geometry.to_numpy()))
    ]
    return text_hash("\n".join(sorted(places)))


def file_hash(path: str | os.PathLike[str]) -> str:
    """SHA-256 of a file's bytes, as hexadecimal digits.

    Args:
        path: Path of the file.
    """
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def text_hash(text: str) -> str:
    """SHA-256 of a text in UTF-8, as hexadecimal digits.

    Args:
        text: The text.

    Examples:
        >>> text_hash("")[:8]
        'e3b0c442'
    """
    return hashlib.sha256(text.encode()).hexdigest()
