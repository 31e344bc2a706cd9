"""Ways to draw the shots of a benchmark."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import label as label_components

from hsi_geo.io.datasets.benchmark_scenes import BenchmarkScene
from hsi_geo.io.scenes.scene import open_scene, open_scenes, scene_from_array
from hsi_geo.progress import SilentReporter, WarningRecorder
from hsi_geo.tasks import benchmark as module
from hsi_geo.tasks.adaptation.region_cutting import cut_training_regions
from hsi_geo.tasks.benchmarking.drawings import DRAWINGS, STRETCH_PX, Drawing, select_bands
from hsi_geo.tasks.benchmarking.protocol import draw_blocked, draw_shots

if TYPE_CHECKING:
    from planted import Planted


@pytest.fixture
def benchmark(planted: Planted) -> BenchmarkScene:
    """A scene of three classes."""
    return BenchmarkScene("planted", open_scene(planted.path), planted.truth)


def draw(name: str, benchmark: BenchmarkScene, per_class: int, seed: int = 1330) -> Drawing:
    """Shots drawn on all pixels of a scene."""
    centres = draw_shots(benchmark.labels, per_class, seed)
    return DRAWINGS[name](benchmark, centres, benchmark.labels, seed)


@pytest.mark.parametrize("name", DRAWINGS)
def test_drawings_give_both_kinds_of_methods_the_same_pixels(
    name: str, benchmark: BenchmarkScene
) -> None:
    """The pixels under the shots are those of the flat indices, with the same labels."""
    drawing = draw(name, benchmark, 4)
    regions = cut_training_regions(
        open_scenes(benchmark.scene),
        drawing.shots,
        budget_px=benchmark.labels.size,
        seed=0,
        reporter=SilentReporter(),
    )
    rows, cols = regions.positions_px[regions.labels >= 0].astype(int).T
    burnt = rows * benchmark.labels.shape[1] + cols
    np.testing.assert_array_equal(np.sort(burnt), np.sort(drawing.pixels))
    values = np.array([c.value for c in regions.classes])
    labels = values[regions.labels[regions.labels >= 0]]
    np.testing.assert_array_equal(labels, drawing.labels[rows, cols])
    assert len(drawing.shots.frame) == 12


def test_squares_and_points_have_their_sizes(benchmark: BenchmarkScene) -> None:
    assert len(draw("points", benchmark, 5).pixels) == 15
    assert 15 * 4 <= len(draw("squares", benchmark, 5).pixels) <= 15 * 9
    assert 3 * 9 <= len(draw("square", benchmark, 1).pixels) <= 3 * 25


@pytest.mark.parametrize(("per_class", "wrong_per_class"), [(1, 0), (2, 1), (5, 1), (10, 2)])
def test_wrong_labels_are_one_in_five(
    per_class: int, wrong_per_class: int, benchmark: BenchmarkScene
) -> None:
    drawing = draw("wrong", benchmark, per_class, seed=1220)
    wrong = np.flatnonzero(drawing.labels != benchmark.labels)
    expected = np.repeat([1, 2, 3], wrong_per_class)
    np.testing.assert_array_equal(np.sort(benchmark.labels.flat[wrong]), expected)
    assert set(wrong) <= set(drawing.pixels)
    assert (drawing.labels.flat[wrong] > 0).all()


@given(seed=st.integers(0, 200))
@pytest.mark.slow
def test_stretch_grows_a_connected_polygon_inside_one_field(seed: int) -> None:
    generator = np.random.default_rng(seed)
    labels = np.repeat(np.repeat(generator.integers(0, 4, (5, 7)), 9, axis=0), 8, axis=1)
    labels[2, 3:6] = 5  # a class of three pixels
    cube = np.ones((6, *labels.shape), np.float32)
    scene = scene_from_array(cube, np.linspace(450, 900, 6))
    drawing = draw("stretch", BenchmarkScene("fields", scene, labels), 1, seed)
    inside = np.isin(np.arange(labels.size), drawing.pixels).reshape(labels.shape)
    assert set(labels[inside]) == set(labels[labels > 0])
    for c in np.unique(labels[inside]):
        polygon, size = inside & (labels == c), int((labels == c).sum())
        assert label_components(polygon)[1] == 1
        field = label_components(labels == c)[0]
        largest = int((field == field[polygon][0]).sum())
        least = min(STRETCH_PX[0], max(1, size // 2), largest)
        assert least <= polygon.sum() <= min(STRETCH_PX[1], max(1, size // 2))


@pytest.mark.parametrize("name", ["squares", "square", "stretch"])
def test_polygons_of_a_blocked_split_leave_the_test_pixels_alone(
    name: str, benchmark: BenchmarkScene
) -> None:
    centres, test = draw_blocked(benchmark.labels, 2, 1220)
    allowed = benchmark.labels.copy()
    allowed.flat[test] = 0
    drawing = DRAWINGS[name](benchmark, centres, allowed, 1220)
    assert not set(drawing.pixels) & set(test)
    assert set(centres) <= set(drawing.pixels)


def test_select_bands_cuts_by_wavelength() -> None:
    centres_nm = np.array([2200.0, 390.0, 400.0, 1000.0, 1001.0, 700.0, 800.0, 900.0, 950.0])
    scene = scene_from_array(np.ones((9, 3, 5), np.float32), centres_nm)
    benchmark = BenchmarkScene("nine", scene, np.ones((3, 5), np.int64))
    expected = {
        "all": centres_nm,
        "vnir": centres_nm[[2, 3, 5, 6, 7, 8]],
        "swir": centres_nm[[0, 4]],
        "eighth": [390.0, 2200.0],
    }
    for name, wanted_nm in expected.items():
        cut = select_bands(benchmark, name)
        assert cut is not None
        np.testing.assert_array_equal(cut.scene.wavelength.values, wanted_nm)
    only = BenchmarkScene("visible", scene[[2, 5]], benchmark.labels)
    assert select_bands(only, "swir") is None


def test_scene_without_such_bands_is_left_out_with_a_warning(
    tmp_path: Path, benchmark: BenchmarkScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    centres_nm = benchmark.scene.wavelength.values
    visible = BenchmarkScene("visible", benchmark.scene[centres_nm < 1000], benchmark.labels)
    monkeypatch.setattr(module, "load_benchmark_scene", lambda name, data: visible)
    recorder = WarningRecorder(SilentReporter())
    result = module.benchmark(
        tmp_path,
        scenes=["visible"],
        seeds=1,
        methods=["svm"],
        bands=["swir", "all"],
        reporter=recorder,
    )
    assert recorder.warnings == ["scene 'visible' has no bands for 'swir': it is left out there"]
    assert [e["bands"] for e in result.entries] == ["all"]
