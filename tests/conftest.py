"""Fixtures of all tests: scenes and shots made in code, a quick recipe, a cluster."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from batch_cases import COLS, ROWS, Run, cut
from builders import cut_tile, model_for
from hypothesis import settings
from planted import MakeScene, Planted, Recorder, write_planted

from hsi_geo import MapOptions, batch
from hsi_geo.tasks.artifacts.model import save_model
from hsi_geo.tasks.tiles.batch_result import BatchResult
from hsi_geo.tiling import Window

DATA = Path(__file__).parents[1] / ".." / "shared" / "data"

# The same examples everywhere, so that results can be reproduced. To search for more, run pytest
# with --hypothesis-profile=default, and keep what it finds with @example.
settings.register_profile("repeatable", derandomize=True, deadline=None)  # machines are noisy
settings.load_profile("repeatable")

# Background jobs of a shell ignore Ctrl-C, those of nohup the end of a terminal, and processes that tests interrupt would
# inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP"):  # not on Windows
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

# Figures are drawn without a screen.
os.environ["MPLBACKEND"] = "agg"

needs_data = pytest.mark.skipif(not DATA.is_dir(), reason=f"needs the real scenes in {DATA}")


@pytest.fixture
def figures_in_memory() -> Iterator[None]:
    """Close matplotlib's figures after a test."""
    import matplotlib.pyplot as plt  # takes a second, and few tests draw

    yield
    plt.close("all")


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    """Use one thread: small windows gain nothing from more, and other jobs may need the cores."""
    torch.set_num_threads(1)


@pytest.fixture(autouse=True, scope="session")
def _unsynced() -> Iterator[None]:
    """Let the operating system write files when it likes.

    Nothing that a test writes must outlive a power cut, and on a busy disk each `os.fsync` takes half a second.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        yield


@pytest.fixture(scope="session")
def data() -> Path:
    """Folder of real scenes; skips where it is absent."""
    if not DATA.is_dir():
        pytest.skip(f"needs the real scenes in {DATA}")
    return DATA.resolve()


@pytest.fixture
def make_scene(tmp_path: Path) -> MakeScene:
    """Function that writes a scene into the folder of the test; see `write_planted`."""

    def make(name: str = "scene.tif", **options: Any) -> Planted:
        return write_planted(tmp_path / name, **options)

    return make


@pytest.fixture
def planted(make_scene: MakeScene) -> Planted:
    """The default scene of `write_planted`."""
    return make_scene()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Adapt with a network and a recipe small enough for tests: a second instead of half a minute."""
    from hsi_geo.models.s2former_config import S2FormerConfig
    from hsi_geo.tasks import adapt
    from hsi_geo.tasks.adaptation.recipe import FineTuneConfig, Recipe

    small = S2FormerConfig(window_px=8, width=32, depth=1, heads=2)
    fine_tuning = FineTuneConfig(steps=60, batch=12)
    recipe = Recipe(network=small, stride_px=4, fine_tuning=fine_tuning)
    monkeypatch.setattr(adapt, "DEFAULT_RECIPE", recipe)
    monkeypatch.setattr(adapt, "DEFAULT_WEIGHTS", "none")


@pytest.fixture
def recorder() -> Recorder:
    """A reporter that records all messages."""
    return Recorder()


@pytest.fixture
def halves(planted: Planted, tmp_path: Path) -> list[Path]:
    """The default scene cut into two files side by side, ``west.tif`` and ``east.tif``."""
    return [
        cut_tile(planted.path, tmp_path / f"{name}.tif", Window(0, first, 37, width))
        for name, first, width in (("west", 0, 21), ("east", 21, 32))
    ]


# Batches --------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def scheduler() -> Iterator[str]:
    """Address of a cluster in this process, for all tests."""
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
    """The default scene with fewer bands."""
    return make_scene(bands=9)


@pytest.fixture
def model(scene: Planted, tmp_path: Path) -> Path:
    """A model for `scene`."""
    path = tmp_path / "model.safetensors"
    save_model(model_for(scene.path), path)
    return path


@pytest.fixture
def tiles(scene: Planted, tmp_path: Path) -> list[Path]:
    """`scene` cut into six tiles."""
    return cut(scene.path, tmp_path / "tiles", ROWS, COLS)


@pytest.fixture
def map_tiles(model: Path, tmp_path: Path, scheduler: str) -> Run:
    """Function that maps tiles into ``maps`` on the cluster."""

    def map_tiles_(
        tiles: Any,
        *,
        confidence: bool = False,
        probabilities: bool = False,
        polygons: bool = False,
        smooth: int = 0,
        **keywords: Any,
    ) -> BatchResult:
        keywords["options"] = MapOptions(
            confidence=confidence, probabilities=probabilities, polygons=polygons, smooth=smooth
        )
        return batch(tiles, model, tmp_path / "maps", scheduler=scheduler, **keywords)

    return map_tiles_
