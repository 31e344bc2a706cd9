"""Outputs on a full disk or under a file size limit: readable and right, or one sentence."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import rasterio
from builders import NORTH_UP, nm_tags, snapshot, write_tif
from class_map_cases import GRID, random_probabilities, write_map
from small_disk import BLOCK, file_size_limit, small_disk

from hsi_geo.errors import OutputError, write_error_text
from hsi_geo.io import model_file
from hsi_geo.io.datasets.indian_pines import LabelledScene, write_scene
from hsi_geo.io.labels.suggested_points import SuggestedPoint, write_suggested_points
from hsi_geo.io.maps.record import is_complete
from hsi_geo.io.maps.writer import MapPaths
from hsi_geo.io.outputs.atomic import atomic_outputs
from hsi_geo.io.reports.figures import draw_losses
from hsi_geo.io.reports.html import Report, write_report
from hsi_geo.progress import SilentReporter
from hsi_geo.tasks.convert import convert
from hsi_geo.tiling import Grid

BIG = Grid(300, 270, NORTH_UP, GRID.crs)  # with overviews
PROBABILITIES = random_probabilities(grid=BIG)

Write = Callable[[Path], None]


def map_with_all(folder: Path) -> None:
    paths = MapPaths.of(folder / "m.tif", confidence=True, probabilities=True)
    with atomic_outputs(paths.all, overwrite=True) as where:
        write_map(paths.moved(where), PROBABILITIES, grid=BIG)


def just_a_map(folder: Path) -> None:
    paths = MapPaths.of(folder / "m.tif")
    with atomic_outputs(paths.all, overwrite=True) as where:
        write_map(paths.moved(where), PROBABILITIES, grid=BIG)


def one_file(name: str, write: Callable[[Path], object]) -> Write:
    def write_it(folder: Path) -> None:
        with atomic_outputs([folder / name], overwrite=True) as where:
            write(where[folder / name])

    return write_it


def points(path: Path) -> None:
    many = [SuggestedPoint(rank, 383500.0 + rank, 5818000.0, "meadow", 50) for rank in range(400)]
    write_suggested_points(many, GRID.crs, path)


#: Bands of the scenes, in nanometres.
CENTRES = np.linspace(450.0, 2400.0, 7)

#: Values that no compression makes much smaller.
CUBE = np.random.default_rng(4).integers(1, 9000, (len(CENTRES), 90, 61), "uint16")


def copy(folder: Path) -> None:
    scene = folder.parent / "scene.tif"
    if not scene.exists():
        write_tif(scene, CUBE, band_tags=nm_tags(list(CENTRES)))
    convert(scene, folder / "copy.tif", overwrite=True, reporter=SilentReporter())


def masked_copy(folder: Path) -> None:
    """Zeros in all bands give the copy a mask, which is written last."""
    scene = folder.parent / "zeros.tif"
    if not scene.exists():
        cube = CUBE.copy()
        cube[:, 5:80, np.arange(61) % 3 == 1] = 0
        write_tif(scene, cube, band_tags=nm_tags(list(CENTRES)))
    convert(scene, folder / "copy.tif", overwrite=True, reporter=SilentReporter())


def labelled_scene(path: Path) -> None:
    truth = np.ones((90, 61), np.uint8)
    grid = Grid(90, 61, NORTH_UP, GRID.crs)
    write_scene(LabelledScene(CUBE, CENTRES, truth, ("a",), grid), path, {"DESCRIPTION": "test"})


def model(path: Path) -> None:
    arrays = {"a": np.arange(9000, dtype=np.float32)}
    model_file.save(path, "model", arrays, {"x": 1})


def report(path: Path) -> None:
    write_report(Report("Title", "Lead.", ("warning",) * 800, (), "command"), path)


def plot(path: Path) -> None:
    draw_losses(path, {"step": [1.0, 2.0, 3.0], "loss": [3.0, 1.0, 2.0]}, title="losses")


#: What is written, and how many bytes it takes at least and at most, with what it takes on the way.
OUTPUTS: dict[str, tuple[Write, int, int]] = {
    "a map": (just_a_map, 0, 30),
    "a map with confidence and probabilities": (map_with_all, 50, 230),
    "points": (one_file("p.gpkg", points), 10, 60),
    "a copy of a scene": (copy, 0, 44),
    "a copy with a mask": (masked_copy, 0, 44),
    "a labelled scene": (one_file("s.tif", labelled_scene), 0, 44),
    "a model": (one_file("m.safetensors", model), 0, 14),
    "a report": (one_file("r.html", report), 0, 24),
    "a plot": (one_file("p.png", plot), 3, 12),
}


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """A disk of so many blocks, empty."""
    mount = tmp_path / "disk"
    with small_disk(mount) as resized:

        def emptied(blocks: int) -> Path:
            for path in mount.iterdir():
                path.unlink()
            return resized(blocks)

        yield emptied


def require_right(folder: Path) -> None:
    """The map is what was written, to the last pixel, overviews among them."""
    paths = MapPaths.of(folder / "m.tif")
    if not paths.classes.exists():
        return
    assert is_complete(paths)
    expected = PROBABILITIES.argmax(axis=0) + 1
    expected[~PROBABILITIES.any(axis=0)] = 0
    with rasterio.open(paths.classes) as file:
        np.testing.assert_array_equal(file.read(1), expected)
        assert file.overviews(1)
    with rasterio.open(paths.classes, overview_level=0) as file:
        small = file.read(1)
    assert small.any(axis=1).all()
    assert small.any(axis=0).all()
    every = MapPaths.of(folder / "m.tif", confidence=True, probabilities=True)
    for path in (every.confidence, every.probabilities):
        if path is not None and path.exists():
            with rasterio.open(path) as file:
                file.read()


def outcome(write: Write, folder: Path, expected: dict[str, str], first: dict[str, str]) -> bool:
    """Whether it succeeded; either way what is there is as it should be."""
    try:
        write(folder)
    except OutputError as error:
        text = str(error)
        assert "cannot be written" in text or "failed" in text or "not hold" in text
        assert "CPLE" not in text
        assert snapshot(folder) == first
        assert not list(folder.glob(".*"))
        return False
    found = snapshot(folder)
    assert found.keys() == expected.keys()
    # A GeoPackage holds the time.
    assert {n: h for n, h in found.items() if not n.endswith(".gpkg")} == {
        n: h for n, h in expected.items() if not n.endswith(".gpkg")
    }
    require_right(folder)
    return True


#: Blocks between the sizes of the disk: few sizes in the fast suite, all in the slow one.
STEPS = [pytest.param(4, id="few"), pytest.param(1, id="all", marks=pytest.mark.slow)]


@pytest.mark.parametrize("over_another", [False, True])
@pytest.mark.parametrize("name", OUTPUTS)
@pytest.mark.parametrize("step", STEPS)
def test_outputs_on_a_full_disk_are_whole_or_nothing(
    tmp_path: Path, disk: Callable[[int], Path], name: str, over_another: bool, step: int
) -> None:
    write, least, most = OUTPUTS[name]
    (tmp_path / "expected").mkdir()
    write(tmp_path / "expected")
    expected = snapshot(tmp_path / "expected")
    if most > 100:
        step *= 9
    successes = []
    for blocks in [*range(least, most, step), most]:
        room = blocks
        if over_another:
            room += sum(
                -(-path.stat().st_size // BLOCK) for path in (tmp_path / "expected").iterdir()
            )
        folder = disk(room)
        first = {}
        if over_another:
            for path in (tmp_path / "expected").iterdir():
                (folder / path.name).write_text("earlier " * (path.stat().st_size // 8))
            first = snapshot(folder)
        successes.append(outcome(write, folder, expected, first))
    assert not successes[0], "begin with less"
    assert successes[-1], "go on to more"


#: Outputs, largest limit, and step between limits, in bytes.
LIMITS = [("a map", 90_000, 2999), ("points", 240_000, 9999), ("a model", 50_000, 4999)]
LIMITS += [("a copy of a scene", 180_000, 9999), ("a labelled scene", 180_000, 9999)]
LIMITS += [("a copy with a mask", 180_000, 2999)]


@pytest.mark.parametrize(("name", "most", "step"), LIMITS)
def test_outputs_under_a_file_size_limit_are_whole_or_nothing(
    tmp_path: Path, name: str, most: int, step: int
) -> None:
    write = OUTPUTS[name][0]
    (tmp_path / "expected").mkdir()
    write(tmp_path / "expected")
    expected = snapshot(tmp_path / "expected")
    folder = tmp_path / "limited"
    folder.mkdir()
    ends: list[bool] = []
    for size in range(0, most, step):
        for path in folder.iterdir():
            path.unlink()
        with file_size_limit(size):
            ends.append(outcome(write, folder, expected, {}))
        if len(ends) > 3 and all(ends[-3:]):
            break
    assert not ends[0]
    assert ends[-1]


def test_the_advice_fits_the_cause(tmp_path: Path) -> None:
    """A library names no cause: the folder and the limits of this process are looked at."""
    path = tmp_path / "a.gpkg"
    assert write_error_text("no such table", path)[1] == "check the disk and its free space"
    with file_size_limit(1 << 12):
        assert write_error_text("no such table", path)[1].endswith("(ulimit -f)")
    gone = tmp_path / "gone" / "a.gpkg"
    assert write_error_text("unable to open", gone)[0] == "its folder is no longer there"
