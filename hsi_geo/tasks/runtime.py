"""What every job shares: device and threads, and the facts that identify a run."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import numpy as np
import rasterio
import shapely
import torch
import xarray as xr

from hsi_geo.errors import OptionError
from hsi_geo.io.labels.shots import Shots
from hsi_geo.io.scenes.properties import bands_of, name_of
from hsi_geo.progress import Reporter
from hsi_geo.threads import SPINNING, TORCH_CAME_FIRST


@contextmanager
def computing(
    device: str, threads: int | None, reporter: Reporter | None = None
) -> Iterator[torch.device]:
    """Choose the device and the number of threads for a while.

    Args:
        device: "auto" (a GPU if there is one), "cpu" or "cuda".
        threads: For torch on the CPU; None leaves its choice.
        reporter: Is told if the threads will be slow beside other jobs.

    Yields:
        The device.

    Raises:
        OptionError: If a GPU is asked for and there is none.
    """
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
def seeded(seed: int) -> Iterator[None]:
    """Torch's random numbers from a seed, the caller's own stream left as it was."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield


def versions() -> dict[str, str]:
    """Of the packages that decide what comes out."""
    return {
        "hsi-geo": version("hsi-geo"),
        "torch": version("torch"),
        "numpy": np.__version__,
        "rasterio": rasterio.__version__,
        "gdal": rasterio.__gdal_version__,
    }


def scene_hash(scene: xr.DataArray) -> str:
    """SHA-256 of what identifies a scene without reading it: header, file size and mtime."""
    grid, bands = scene.hsi.grid, bands_of(scene)
    path = Path(name_of(scene))
    status = path.stat() if path.is_file() else None
    header = {
        "shape": list(scene.shape),
        "dtype": str(scene.dtype),
        "transform": list(grid.transform)[:6],
        "crs": grid.crs.to_wkt() if grid.crs is not None else None,
        "centres_nm": bands.centres_nm.tolist(),
        "good": bands.good.tolist(),
        "size": status.st_size if status else None,
        "mtime_ns": status.st_mtime_ns if status else None,
    }
    return text_hash(json.dumps(header, sort_keys=True))


def shots_hash(shots: Shots) -> str:
    """SHA-256 of the geometries and class names of shots.

    The format of their file does not matter, nor the order of the shots, nor where a ring begins.

    Args:
        shots: Labelled geometries.

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
    shapes = shapely.to_wkb(shapely.normalize(shots.frame.geometry.to_numpy()))
    lines = [
        f"{names[class_id - 1]}\t{wkb.hex()}"
        for class_id, wkb in zip(shots.frame["class_id"], shapes, strict=True)
    ]
    return text_hash("\n".join(sorted(lines)))


def file_hash(path: str | os.PathLike[str]) -> str:
    """SHA-256 of a file's bytes."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def text_hash(text: str) -> str:
    """SHA-256 of a text in UTF-8."""
    return hashlib.sha256(text.encode()).hexdigest()
