"""Scenes and shots made in code, with nothing symmetric about them."""

from __future__ import annotations

import signal
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pytest
import shapely
import torch
from affine import Affine
from batch_cases import COLS, ROWS, Run, cut
from builders import NORTH_UP, cut_tile, model_for, nm_tags, write_tif
from hypothesis import settings

from hsi_geo import batch
from hsi_geo.progress import SilentReporter
from hsi_geo.tasks.adapted import save_model
from hsi_geo.tasks.batch import BatchResult
from hsi_geo.tiling import Window

DATA = Path(__file__).parents[1] / ".." / "shared" / "data"

# The same examples everywhere, so that a change is not blamed for what luck finds; to look for
# more run pytest with --hypothesis-profile=default, and keep what it finds with @example.
settings.register_profile("repeatable", derandomize=True, deadline=None)  # machines are noisy
settings.load_profile("repeatable")

# What a shell runs in the background ignores Ctrl-C, and so would all that tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

needs_data = pytest.mark.skipif(not DATA.is_dir(), reason=f"needs the real scenes in {DATA}")


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    """Small windows gain nothing from threads, and other jobs may want the cores."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def data() -> Path:
    """Folder of real scenes; skips where it is absent."""
    if not DATA.is_dir():
        pytest.skip(f"needs the real scenes in {DATA}")
    return DATA.resolve()


@dataclass(frozen=True)
class Planted:
    """A scene on disk whose classes are known.

    Attributes:
        path: GeoTIFF.
        truth: (H, W) class 1..K of every pixel, 0 in the nodata hole.
        names: Of the classes, in the order of their ids in ``truth``.
        centres_nm: (C,) in file order.
        transform: Of the grid.
        crs: As text, None for a scene without.
        values: (C, H, W) as stored.
    """

    path: Path
    truth: npt.NDArray[np.int64]
    names: tuple[str, ...]
    centres_nm: npt.NDArray[np.float64]
    transform: Affine
    crs: str | None
    values: npt.NDArray[np.int16]

    def shots(self, path: Path, per_class: int = 4, crs: str | None = "same") -> Path:
        """Write points at pixel centres, spread over each class, with a text field ``class``."""
        rows, cols, names = [], [], []
        for index, name in enumerate(self.names, start=1):
            at = np.argwhere(self.truth == index)
            picked = at[np.linspace(0, len(at) - 1, per_class + 2).round().astype(int)[1:-1]]
            rows += [row for row, _ in picked]
            cols += [col for _, col in picked]
            names += [name] * per_class
        t, x, y = self.transform, np.array(cols) + 0.5, np.array(rows) + 0.5
        xs, ys = t.a * x + t.b * y + t.c, t.d * x + t.e * y + t.f
        frame = gpd.GeoDataFrame({"class": names}, geometry=shapely.points(xs, ys), crs=self.crs)
        if crs != "same":
            frame = frame.to_crs(crs)
        with warnings.catch_warnings():
            if self.crs is None:  # pyogrio warns that the file lacks one, as it should
                warnings.simplefilter("ignore", UserWarning)
            frame.to_file(path, driver="GPKG")
        return path


NODATA = -999


def write_planted(
    path: Path,
    *,
    height: int = 37,
    width: int = 53,
    bands: int = 40,
    crs: str | None = "EPSG:32633",
    transform: Affine | None = None,
    hole: bool = True,
    order: npt.NDArray[np.intp] | None = None,
    wavelengths: bool = True,
    seed: int = 7,
    **profile: Any,
) -> Planted:
    """Write a scene of three classes in unequal patches.

    Each band has its own wavelength, level and gain, rows differ from columns, the origin is off
    and pixels are not square. ``order`` permutes the bands with their wavelengths.
    """
    generator = np.random.default_rng(seed)
    transform = transform or NORTH_UP
    centres = np.linspace(420.0, 1300.0, bands) + 3.0 * np.sin(np.arange(bands))
    truth = np.ones((height, width), np.int64)
    truth[:, int(0.4 * width) :] = 2
    truth[int(0.6 * height) :, : int(0.7 * width)] = 3
    spectra = 2000 + 600 * np.stack(
        [np.sin(centres / 150.0), np.cos(centres / 210.0), np.sin(centres / 90.0 + 1.0)]
    )
    gains = np.linspace(0.5, 2.0, bands)
    cube = spectra[truth - 1].transpose(2, 0, 1) * gains[:, None, None]
    cube = cube + 40.0 * generator.standard_normal(cube.shape)
    values = np.rint(cube).astype(np.int16)
    if hole and height > 12 and width > 12:
        truth[3:7, 5:10] = 0
        values[:, 3:7, 5:10] = NODATA
    order = np.arange(bands) if order is None else order
    values, centres = values[order], centres[order]
    tags = nm_tags(list(centres)) if wavelengths else ()
    how = {"crs": crs, "transform": transform, "nodata": NODATA, **profile}
    write_tif(path, values, band_tags=tags, **how)
    names = ("meadow", "asphalt", "water")
    return Planted(path, truth, names, centres, transform, crs, values)


MakeScene = Callable[..., Planted]


@pytest.fixture
def make_scene(tmp_path: Path) -> MakeScene:
    """Function that writes a planted scene into the test's folder; see `write_planted`."""

    def make(name: str = "scene.tif", **options: Any) -> Planted:
        return write_planted(tmp_path / name, **options)

    return make


@pytest.fixture
def planted(make_scene: MakeScene) -> Planted:
    """The usual planted scene."""
    return make_scene()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Adapt with a network and a recipe small enough for tests: a second instead of half a minute."""
    from hsi_geo.models.s2former import S2FormerConfig
    from hsi_geo.tasks import adapt
    from hsi_geo.tasks.daft import Lesson

    small = S2FormerConfig(window_px=8, width=32, depth=1, heads=2)
    lesson = Lesson(steps=60, batch=12)
    recipe = adapt.Recipe(network=small, stride_px=4, lesson=lesson)
    monkeypatch.setattr(adapt, "DEFAULT_RECIPE", recipe)
    monkeypatch.setattr(adapt, "DEFAULT_WEIGHTS", "none")


class Recorder(SilentReporter):
    """Keeps what a job says.

    Attributes:
        stages: (stage, done, total) of each step.
        logs: Messages.
        warnings: Messages.
    """

    def __init__(self) -> None:
        self.stages: list[tuple[str, int, int]] = []
        self.logs: list[str] = []
        self.warnings: list[str] = []

    def progress(self, stage: str, done: int, total: int) -> None:
        self.stages.append((stage, done, total))

    def log(self, message: str) -> None:
        self.logs.append(message)

    def warning(self, message: str) -> None:
        self.warnings.append(message)


@pytest.fixture
def recorder() -> Recorder:
    """A reporter that keeps what a job says."""
    return Recorder()


@pytest.fixture
def halves(planted: Planted, tmp_path: Path) -> list[Path]:
    """The usual planted scene cut in two files side by side, ``west.tif`` and ``east.tif``."""
    return [
        cut_tile(planted.path, tmp_path / f"{name}.tif", Window(0, first, 37, width))
        for name, first, width in (("west", 0, 21), ("east", 21, 32))
    ]


# Batches --------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def scheduler() -> Iterator[str]:
    """A cluster that stays for all tests, in this process."""
    distributed = pytest.importorskip("distributed", reason="needs the extra batch")
    with distributed.LocalCluster(
        n_workers=1,
        threads_per_worker=2,
        processes=False,
        protocol="tcp",
        dashboard_address="127.0.0.1:0",
    ) as cluster:
        yield cluster.scheduler_address


@pytest.fixture
def scene(make_scene: MakeScene) -> Planted:
    """The usual scene with fewer bands."""
    return make_scene(bands=9)


@pytest.fixture
def model(scene: Planted, tmp_path: Path) -> Path:
    """A model for it."""
    path = tmp_path / "model.safetensors"
    save_model(model_for(scene.path), path)
    return path


@pytest.fixture
def tiles(scene: Planted, tmp_path: Path) -> list[Path]:
    """It in six tiles that leave nothing out."""
    return cut(scene.path, tmp_path / "tiles", ROWS, COLS)


@pytest.fixture
def map_tiles(model: Path, tmp_path: Path, scheduler: str) -> Run:
    """Map tiles into ``maps`` on the cluster that stays."""

    def map_tiles_(tiles: Any, **options: Any) -> BatchResult:
        return batch(tiles, model, tmp_path / "maps", scheduler=scheduler, **options)

    return map_tiles_
