"""Functions that write scene files, make models, and run commands."""

from __future__ import annotations

import gzip
import hashlib
import multiprocessing
import pickle
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import rasterio
import rasterio.windows
import torch
import xarray as xr
from affine import Affine
from click.testing import CliRunner, Result
from hsi_geo.cli.main import group

from hsi_geo.arrays import AnyArray
from hsi_geo.io.labels.shot_reading import read_shots
from hsi_geo.io.labels.shots import LandClass, Shots
from hsi_geo.io.scenes.properties import bands_of, select_good_bands
from hsi_geo.io.scenes.scene import open_scene, open_scenes
from hsi_geo.io.scenes.windows import read_window
from hsi_geo.models.classifier import Classifier
from hsi_geo.models.s2former import S2Former
from hsi_geo.models.s2former_config import S2FormerConfig
from hsi_geo.models.whitening import SpectralStats, learn_whitening
from hsi_geo.progress import SilentReporter
from hsi_geo.tasks.adaptation.ensemble import Prediction
from hsi_geo.tasks.adaptation.region_cutting import cut_training_regions
from hsi_geo.tasks.adaptation.training_regions import TrainingRegions
from hsi_geo.tasks.artifacts.model import AdaptedModel
from hsi_geo.tasks.validation.folds import LabelledPixels
from hsi_geo.tiling import Tiling, Window

NORTH_UP = Affine(30.0, 0.0, 383472.5, 0.0, -20.0, 5818302.25)


def write_tif(
    path: Path,
    cube: AnyArray,
    *,
    tags: dict[str, str] | None = None,
    band_tags: Sequence[dict[str, str]] = (),
    imagery: Sequence[dict[str, str]] = (),
    names: Sequence[str] = (),
    scales: Sequence[float] = (),
    offsets: Sequence[float] = (),
    **profile: Any,
) -> Path:
    """Write a (C, H, W) cube as a GeoTIFF, with metadata in the given places."""
    count, height, width = cube.shape
    usual = {
        "driver": "GTiff",
        "dtype": cube.dtype.name,
        "crs": "EPSG:32633",
        "transform": NORTH_UP,
    }
    size = {"height": height, "width": width, "count": count}
    with rasterio.open(path, "w", **size, **{**usual, **profile}) as file:
        file.write(cube)
        file.update_tags(**(tags or {}))
        if scales:
            file.scales = scales
        if offsets:
            file.offsets = offsets
        for band, texts in enumerate(band_tags, start=1):
            file.update_tags(band, **texts)
        for band, texts in enumerate(imagery, start=1):
            file.update_tags(band, ns="IMAGERY", **texts)
        for band, name in enumerate(names, start=1):
            file.set_band_description(band, name)
    return path


def write_envi(
    path: Path,
    cube: AnyArray,
    *lines: str,
    gzipped: bool = False,
    interleave: str = "bsq",
    header: Path | None = None,
) -> Path:
    """Write a (C, H, W) cube as an ENVI cube of int16 with the given header lines."""
    axes = {"bsq": (0, 1, 2), "bil": (1, 0, 2), "bip": (1, 2, 0)}[interleave]
    raw = cube.astype("<i2").transpose(axes).tobytes()
    path.write_bytes(gzip.compress(raw) if gzipped else raw)
    count, height, width = cube.shape
    text = [
        "ENVI",
        f"samples = {width}",
        f"lines = {height}",
        f"bands = {count}",
        "header offset = 0",
        *(["file compression = 1"] if gzipped else []),
        "file type = ENVI Standard",
        "data type = 2",
        f"interleave = {interleave}",
        "byte order = 0",
        "map info = {UTM, 1, 1, 383472.5, 5818302.25, 30, 20, 33, North, WGS-84, units=Meters}",
        *lines,
    ]
    (header or path.with_suffix(".hdr")).write_text("\n".join(text) + "\n")
    return path


def cube_of(bands: int, height: int = 5, width: int = 7, dtype: str = "int16") -> AnyArray:
    """A cube in which no two values are the same, and none is 0."""
    return np.arange(1, bands * height * width + 1).reshape(bands, height, width).astype(dtype)


def nm_tags(centres: Sequence[float]) -> list[dict[str, str]]:
    return [{"wavelength": str(nm), "wavelength_units": "Nanometers"} for nm in centres]


def physical(scene: xr.DataArray) -> tuple[AnyArray, AnyArray]:
    """Values and validity of a whole scene from `read_window`, in the file's order of bands."""
    return read_window(scene, Window(0, 0, *scene.shape[1:]))


CENTRES = (462.0, 551.5, 640.25, 1649.0)


def cut_tile(source: Path, path: Path, window: Window) -> Path:
    """Write a part of a GeoTIFF, with its georeference."""
    with rasterio.open(source) as file:
        part = rasterio.windows.Window(window.col, window.row, window.width, window.height)
        kept = {key: value for key, value in file.profile.items() if "block" not in key}
        profile = {
            **kept,
            "height": window.height,
            "width": window.width,
            "transform": file.window_transform(part),
        }
        with rasterio.open(path, "w", **profile) as target:
            target.write(file.read(window=part))
            for band in file.indexes:
                target.update_tags(band, **file.tags(band))
    return path


# Models ---------------------------------------------------------------------------------------

SIZE, STRIDE = 8, 4


def model_for(scene: Path, stride: int = STRIDE, classes: int = 3, seed: int = 5) -> AdaptedModel:
    """A model with random weights, so that neighbouring windows give different predictions."""
    torch.manual_seed(seed)
    config = S2FormerConfig(window_px=SIZE, width=16, depth=1, heads=2)
    classifier = Classifier(config, classes).eval()
    torch.nn.init.normal_(classifier.head.weight, std=1.0)
    view = select_good_bands(open_scene(scene))
    bands = bands_of(view)
    image = view.values.astype(np.float32)
    whitening = learn_whitening([(image, np.ones(image.shape[1:], bool))])
    table = tuple(LandClass(i, f"class {i}", "#0a1b2c", None) for i in range(1, classes + 1))
    record = {
        "seed": 0,
        "shots": {c.name: 4 for c in table},
        "accuracy": {
            "oa": None,
            "interval95": None,
            "pixels": 0,
            "features": 0,
            "method": "not estimated: weights are random",
        },
        "found": {},
        "parameters": {},
        "hashes": {},
        "versions": {},
    }
    spectral = SpectralStats(bands.centres_nm, bands.fwhm_nm, whitening)
    return AdaptedModel(classifier, spectral, table, Tiling(SIZE, stride), record)


# The command line -----------------------------------------------------------------------------


def run(*args: object) -> Result:
    """Run a command in this process."""
    return CliRunner().invoke(group, [str(arg) for arg in args])


def snapshot(folder: Path) -> dict[str, str]:
    """SHA-256 of every file under a folder, by relative path."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


# Readers --------------------------------------------------------------------------------------


def in_a_fork(read: Callable[[], AnyArray]) -> AnyArray:
    """Result of a function in a forked process, as DataLoader starts them on Linux."""
    context = multiprocessing.get_context("fork")
    results: multiprocessing.Queue[AnyArray] = context.Queue()
    child = context.Process(target=lambda: results.put(read()))
    child.start()
    found = results.get(timeout=60)
    child.join(60)
    return found


def check_travels(scene: xr.DataArray, *, forks: bool = True) -> None:
    """Assert that a scene reads the same after pickling, in a forked process, and in this one."""
    whole = scene.values
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(scene)).values, whole)
    if forks:
        np.testing.assert_array_equal(in_a_fork(lambda: scene.values), whole)
    np.testing.assert_array_equal(scene.values, whole)


def watch_reads(
    monkeypatch: pytest.MonkeyPatch, pixels: type[Any]
) -> list[tuple[Any, list[int], Window]]:
    """List that receives reader, bands and window of each read from now on."""
    reads: list[tuple[Any, list[int], Window]] = []
    original = pixels.read

    def read(self: Any, bands: npt.NDArray[np.intp], window: Window) -> AnyArray:
        reads.append((self, [int(band) for band in bands], window))
        return np.asarray(original(self, bands, window))

    monkeypatch.setattr(pixels, "read", read)
    return reads


def repeated(source: Path, path: Path, scene: Any, times: tuple[int, int]) -> Path:
    """A VRT that repeats a planted scene (down, across) times."""
    with rasterio.open(source) as file:
        height, width = file.shape
    t = scene.transform
    offsets = [(row * height, col * width) for row in range(times[0]) for col in range(times[1])]
    bands = []
    for band, centre in enumerate(scene.centres_nm, start=1):
        sources = "".join(
            f'<SimpleSource><SourceFilename relativeToVRT="1">{source.name}</SourceFilename>'
            f"<SourceBand>{band}</SourceBand>"
            f'<SrcRect xOff="0" yOff="0" xSize="{width}" ySize="{height}"/>'
            f'<DstRect xOff="{col}" yOff="{row}" xSize="{width}" ySize="{height}"/></SimpleSource>'
            for row, col in offsets
        )
        bands.append(
            f'<VRTRasterBand dataType="Int16" band="{band}"><Metadata>'
            f'<MDI key="wavelength">{centre}</MDI></Metadata>'
            f"<NoDataValue>-999</NoDataValue>{sources}</VRTRasterBand>"
        )
    path.write_text(
        f'<VRTDataset rasterXSize="{times[1] * width}" rasterYSize="{times[0] * height}">'
        f"<SRS>{scene.crs}</SRS><GeoTransform>{t.c}, {t.a}, 0, {t.f}, 0, {t.e}</GeoTransform>"
        + "".join(bands)
        + "</VRTDataset>",
        encoding="utf-8",
    )
    return path


def regions_of(scene: Any, shots: Path | Shots, budget_px: int = 40_000) -> TrainingRegions:
    """Training regions of a scene, with default options."""
    return cut_training_regions(
        open_scenes(scene),
        read_shots(shots),
        budget_px=budget_px,
        seed=0,
        reporter=SilentReporter(),
    )


def random_encoder() -> S2Former:
    """An encoder with the same random weights each time."""
    with torch.random.fork_rng():
        torch.manual_seed(2)
        return S2Former(S2FormerConfig(window_px=8, width=32, depth=2, heads=2)).eval()


def points_of(labels: Sequence[int]) -> LabelledPixels:
    """Labelled pixels without a scene, each of its own feature, in two folds."""
    numbers = np.arange(len(labels))
    classes = np.unique(labels)
    weights = np.ones(len(labels))
    return LabelledPixels(
        numbers, np.array(labels, int), numbers % 2, numbers, numbers, classes, weights
    )


def prediction_of(classes: list[int], sure: float = 0.9, count: int = 3) -> Any:
    """A prediction of some pixels, of a number of classes, with a given confidence."""
    out_of_fold = np.full((len(classes), count), (1.0 - sure) / (count - 1), np.float32)
    out_of_fold[np.arange(len(classes)), classes] = sure
    return Prediction(out_of_fold, out_of_fold)
