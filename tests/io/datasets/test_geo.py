"""Scenes and shots as TorchGeo datasets: its samplers, its intersection, DataLoader workers."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from affine import Affine
from torch.utils.data import DataLoader

from hsi_geo.display.images import paint
from hsi_geo.errors import OptionError, SceneError, ShotsError
from hsi_geo.io.labels.shot_reading import read_shots
from hsi_geo.io.scenes.properties import grid_of
from hsi_geo.io.scenes.scene import open_scene
from hsi_geo.tiling import Window

pytest.importorskip("torchgeo", reason="needs the extra datasets")

from torchgeo.datasets import GeoDataset, IntersectionDataset, stack_samples
from torchgeo.samplers import GriddedPatchSampler, RandomPatchSampler

from hsi_geo.io.datasets.geo import HyperspectralScene, Sample, ShotLabels
from hsi_geo.io.datasets.samplers import to_slices

if TYPE_CHECKING:
    from planted import MakeScene, Planted

# Python 3.12 warns of any fork beside threads, and DataLoader forks on Linux.
forks = pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")

SOUTH_UP = Affine(30.0, 0.0, 383472.5, 0.0, 20.0, 5818302.25)


def labels_of(planted: Planted, folder: Path, scene: HyperspectralScene) -> ShotLabels:
    return ShotLabels(read_shots(planted.shots(folder / "shots.gpkg")), scene)


def both_of(planted: Planted, folder: Path) -> IntersectionDataset:
    scene = HyperspectralScene(planted.path)
    return scene & labels_of(planted, folder, scene)


def part_of(planted: Planted, window: Window) -> npt.NDArray[np.int16]:
    """(C, h, w) stored values of a window inside the scene, 0 where there is no data."""
    known = planted.truth[window.slices] > 0
    return np.where(known, planted.values[:, *window.slices], 0)


def window_of(sample: Sample, planted: Planted) -> Window:
    """The window of a sample in the scene, from its ``transform``."""
    transform = Affine(*sample["transform"].tolist())
    col, row = ~planted.transform @ (transform.c, transform.f)
    assert abs(row - round(row)) < 1e-6
    assert abs(col - round(col)) < 1e-6
    return Window(round(row), round(col), *sample["valid"].shape)


# Samples --------------------------------------------------------------------------------------


def test_scene_sample_has_the_documented_keys(planted: Planted) -> None:
    dataset = HyperspectralScene(planted.path)
    window = Window(2, 4, 9, 13)
    sample = dataset[to_slices(dataset.grids[0], window)]
    assert isinstance(dataset, GeoDataset)
    assert {key: (value.dtype, tuple(value.shape)) for key, value in sample.items()} == {
        "image": (torch.float32, (40, 9, 13)),
        "valid": (torch.bool, (9, 13)),
        "wavelength": (torch.float32, (40,)),
        "bounds": (torch.float64, (9,)),
        "transform": (torch.float64, (6,)),
    }
    np.testing.assert_array_equal(sample["image"], part_of(planted, window))
    np.testing.assert_array_equal(sample["valid"], planted.truth[window.slices] > 0)
    np.testing.assert_allclose(sample["wavelength"], np.sort(planted.centres_nm))
    assert window_of(sample, planted) == window
    left, bottom, right, top = grid_of(open_scene(planted.path)).bounds_of(window)
    assert sample["bounds"][:6].tolist() == [left, right, 30.0, bottom, top, 20.0]


def test_shots_sample_has_a_mask_of_class_indices(planted: Planted, tmp_path: Path) -> None:
    scene = HyperspectralScene(planted.path)
    labels = labels_of(planted, tmp_path, scene)
    sample = labels[to_slices(scene.grids[0], Window(0, 0, 37, 53))]
    assert (sample["mask"].dtype, tuple(sample["mask"].shape)) == (torch.int64, (37, 53))
    assert torch.bincount(sample["mask"].flatten() + 1).tolist() == [37 * 53 - 12, 4, 4, 4]
    mask = sample["mask"].numpy()
    alphabetical = [sorted(planted.names).index(name) for name in planted.names]
    rows, cols = np.nonzero(mask >= 0)
    expected = [alphabetical[i - 1] for i in planted.truth[rows, cols]]
    assert mask[rows, cols].tolist() == expected
    assert sorted(sample["feature"][sample["mask"] >= 0].tolist()) == list(range(12))


def test_scene_sample_has_good_bands_by_increasing_wavelength(
    make_scene: MakeScene,
) -> None:
    order = np.random.default_rng(11).permutation(40)
    scene = open_scene(make_scene(order=order).path)
    scene["good"][7] = False
    sample = HyperspectralScene(scene)[to_slices(grid_of(scene), Window(10, 20, 3, 5))]
    centres = scene["wavelength"].values
    expected = np.argsort(centres)[np.sort(centres) != centres[7]]
    np.testing.assert_array_equal(sample["image"], scene.values[expected][:, 10:13, 20:25])
    np.testing.assert_allclose(sample["wavelength"], centres[expected])


def test_transforms_are_applied_to_samples(planted: Planted, tmp_path: Path) -> None:
    def brighten(sample: Sample) -> Sample:
        return {**sample, "image": sample["image"] + 1.0}

    plain, bright = HyperspectralScene(planted.path), HyperspectralScene(planted.path, brighten)
    query = to_slices(plain.grids[0], Window(8, 8, 4, 4))
    torch.testing.assert_close(bright[query]["image"], plain[query]["image"] + 1.0)

    def forget(sample: Sample) -> Sample:
        return {"mask": sample["mask"]}

    shots = read_shots(planted.shots(tmp_path / "shots.gpkg"))
    assert list(ShotLabels(shots, plain, transforms=forget)[query]) == ["mask"]


# Queries --------------------------------------------------------------------------------------


def test_query_may_extend_beyond_the_scene(planted: Planted, tmp_path: Path) -> None:
    both = both_of(planted, tmp_path)
    sample = both[to_slices(grid_of(open_scene(planted.path)), Window(-3, 48, 8, 9))]
    assert window_of(sample, planted) == Window(-3, 48, 8, 9)
    assert not sample["valid"][:3].any()
    assert not sample["valid"][:, 5:].any()
    assert sample["valid"][3:, :5].all()
    np.testing.assert_array_equal(sample["image"][:, 3:, :5], planted.values[:, 0:5, 48:53])
    assert not sample["image"][:, :3].any()
    assert (sample["mask"][:3] == -1).all()


def test_partial_query_is_completed_from_the_scene(planted: Planted) -> None:
    dataset = HyperspectralScene(planted.path)
    left, _, _, top = dataset.grids[0].bounds
    columns = dataset[left + 60.0 : left + 150.0]
    assert window_of(columns, planted) == Window(0, 2, 37, 3)
    rows = dataset[:, top - 100.0 :]
    assert window_of(rows, planted) == Window(0, 0, 5, 53)
    assert tuple(dataset[:, :]["image"].shape) == (40, 37, 53)


def test_query_between_pixels_snaps_to_the_nearest(planted: Planted) -> None:
    dataset = HyperspectralScene(planted.path)
    x, y = to_slices(dataset.grids[0], Window(8, 9, 4, 6))
    sample = dataset[x.start + 13.0 : x.stop + 13.0, y.start - 9.0 : y.stop - 9.0]
    assert window_of(sample, planted) == Window(8, 9, 4, 6)
    assert sample["bounds"][:2].tolist() == [x.start, x.stop]


def test_query_outside_raises_index_error(planted: Planted, tmp_path: Path) -> None:
    scene = HyperspectralScene(planted.path)
    query = to_slices(scene.grids[0], Window(200, 0, 5, 5))
    for dataset in (scene, labels_of(planted, tmp_path, scene)):
        with pytest.raises(IndexError, match="lies outside"):
            dataset[query]


# The intersection -----------------------------------------------------------------------------


def test_intersection_of_scene_and_shots_has_keys_of_both(planted: Planted, tmp_path: Path) -> None:
    both = both_of(planted, tmp_path)
    window = Window(2, 3, 35, 47)
    sample = both[to_slices(grid_of(open_scene(planted.path)), window)]
    assert set(sample) == {
        "image",
        "valid",
        "wavelength",
        "mask",
        "feature",
        "bounds",
        "transform",
    }
    assert tuple(sample["bounds"].shape) == (9,)
    assert tuple(sample["transform"].shape) == (6,)
    np.testing.assert_array_equal(sample["image"], part_of(planted, window))
    assert (sample["mask"] >= 0).any()


def test_intersection_prints_nothing(
    planted: Planted, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    both_of(planted, tmp_path)
    assert capsys.readouterr().out == ""


# TorchGeo's own samplers ----------------------------------------------------------------------


@pytest.mark.parametrize("crs", ["EPSG:32633", None])
@pytest.mark.parametrize("transform", [None, SOUTH_UP])
def test_torchgeo_random_sampler_works(
    make_scene: MakeScene, tmp_path: Path, crs: str | None, transform: Affine | None
) -> None:
    planted = make_scene(crs=crs, transform=transform)
    both = both_of(planted, tmp_path)
    seen = set()
    for query in RandomPatchSampler(both, size=(7, 11), length=12, generator=3):
        sample = both[query]
        window = window_of(sample, planted)
        assert window.shape == (7, 11)
        assert window == window.clip(37, 53)
        np.testing.assert_array_equal(sample["image"], part_of(planted, window))
        seen.add(window)
    assert len(seen) > 8


@pytest.mark.parametrize("crs", ["EPSG:32633", None])
@pytest.mark.parametrize("transform", [None, SOUTH_UP])
def test_torchgeo_gridded_sampler_covers_the_scene(
    make_scene: MakeScene, tmp_path: Path, crs: str | None, transform: Affine | None
) -> None:
    planted = make_scene(crs=crs, transform=transform)
    both = both_of(planted, tmp_path)
    covered = np.zeros((60, 80), int)
    for query in GriddedPatchSampler(both, size=(8, 12)):
        sample = both[query]
        window = window_of(sample, planted)
        rows, cols = window.relative_to(Window(-10, -10, 0, 0)).slices
        covered[rows, cols] += 1
        inner = window.clip(37, 53)
        here = inner.relative_to(window).slices
        np.testing.assert_array_equal(sample["image"][:, *here], part_of(planted, inner))
    assert (covered[10:47, 10:63] == 1).all()


@forks
def test_workers_read_a_scene_that_the_parent_has_open(planted: Planted, tmp_path: Path) -> None:
    both = both_of(planted, tmp_path)
    queries = list(GriddedPatchSampler(both, size=12))
    alone = [both[query] for query in queries]  # the parent has its handle open now
    loader = DataLoader(
        both, batch_size=4, sampler=queries, num_workers=2, collate_fn=stack_samples
    )
    for _ in range(2):
        batches = list(loader)
        images = torch.cat([batch["image"] for batch in batches])
        masks = torch.cat([batch["mask"] for batch in batches])
        torch.testing.assert_close(images, torch.stack([sample["image"] for sample in alone]))
        torch.testing.assert_close(masks, torch.stack([sample["mask"] for sample in alone]))
    torch.testing.assert_close(both[queries[0]]["image"], alone[0]["image"])


# Several scenes -------------------------------------------------------------------------------


def neighbours(make_scene: MakeScene, width: int = 53) -> tuple[Planted, Planted]:
    """Two scenes side by side; the second, further east, has another height and other values."""
    west = make_scene("west.tif")
    shifted = west.transform @ Affine.translation(53, 0)
    return west, make_scene("east.tif", height=41, width=width, transform=shifted, seed=8)


def test_query_of_several_scenes_reads_the_scene_there(
    make_scene: MakeScene, tmp_path: Path
) -> None:
    pair = neighbours(make_scene)
    scenes = HyperspectralScene([planted.path for planted in pair])
    assert len(scenes) == 2
    both = scenes & labels_of(pair[1], tmp_path, scenes)
    for planted, grid in zip(pair, scenes.grids, strict=True):
        window = Window(20, 11, 9, 7)
        sample = both[to_slices(grid, window)]
        assert window_of(sample, planted) == window
        np.testing.assert_array_equal(sample["image"], part_of(planted, window))


def test_shots_label_the_scene_that_contains_them(make_scene: MakeScene, tmp_path: Path) -> None:
    pair = neighbours(make_scene)
    scenes = HyperspectralScene([planted.path for planted in pair])
    labels = labels_of(pair[1], tmp_path, scenes)
    assert [len(pixels) for pixels in labels.pixels] == [0, 12]
    assert labels.pixels[0].outside == 12


def test_shots_outside_all_scenes_are_refused(make_scene: MakeScene, tmp_path: Path) -> None:
    west, east = neighbours(make_scene)
    with pytest.raises(ShotsError, match="none of the 12 shots"):
        labels_of(east, tmp_path, HyperspectralScene(west.path))


@pytest.mark.parametrize(
    "other",
    [
        {"crs": "EPSG:32632"},
        {"crs": None},
        {"transform": Affine(30.0, 0.0, 383472.5, 0.0, -30.0, 5818302.25)},
    ],
)
def test_scenes_with_different_crs_or_pixel_size_are_refused(
    make_scene: MakeScene, other: dict[str, Any]
) -> None:
    pair = [make_scene("a.tif").path, make_scene("b.tif", **other).path]
    with pytest.raises(SceneError, match=r"b\.tif' and scene '.*a\.tif' differ in"):
        HyperspectralScene(pair)


def test_empty_list_of_scenes_is_refused() -> None:
    with pytest.raises(SceneError):
        HyperspectralScene([])


def test_rotated_scene_is_refused(make_scene: MakeScene) -> None:
    turned = Affine.translation(5e5, 4e6) @ Affine.rotation(34.0) @ Affine.scale(15.0, -15.0)
    with pytest.raises(SceneError, match="rotated by 34"):
        HyperspectralScene(open_scene(make_scene(transform=turned).path, straighten=False))


@pytest.mark.parametrize("wrap", [str, Path, open_scene, lambda path: [path], lambda path: (path,)])
def test_scenes_may_be_paths_arrays_or_lists(planted: Planted, wrap: Any) -> None:
    dataset = HyperspectralScene(wrap(planted.path))
    assert len(dataset) == 1
    assert dataset.paths == [str(planted.path)]
    assert dataset.crs.to_epsg() == 32633
    assert dataset.res == (30.0, 20.0)


# Shots without a grid -------------------------------------------------------------------------


@pytest.mark.parametrize("scene_first", [True, False])
def test_shots_get_the_grid_of_the_scene_that_they_are_combined_with(
    planted: Planted, tmp_path: Path, scene_first: bool
) -> None:
    scene = HyperspectralScene(planted.path)
    path = planted.shots(tmp_path / "shots.gpkg")
    labels, expected = ShotLabels(path), ShotLabels(path, scene)
    both = scene & labels if scene_first else labels & scene
    query = to_slices(scene.grids[0], Window(3, 5, 20, 30))
    torch.testing.assert_close(both[query]["mask"], expected[query]["mask"])
    assert {"image", "mask"} <= set(both[query])
    assert pickle.loads(pickle.dumps(labels)).grids[0].shape == (37, 53)


def test_shots_without_a_grid_say_what_is_missing(planted: Planted, tmp_path: Path) -> None:
    labels = ShotLabels(planted.shots(tmp_path / "shots.gpkg"))
    for use in (lambda: labels.bounds, lambda: len(labels), lambda: labels[0:1, 0:1]):
        with pytest.raises(ShotsError, match=r"no pixel grid yet; combine .*or give like=scenes"):
            use()
    with pytest.raises(AttributeError, match="no attribute 'colour'"):
        _ = labels.colour


# Figures --------------------------------------------------------------------------------------


@pytest.mark.usefixtures("figures_in_memory")
def test_plot_of_a_scene_draws_the_image_of_a_sample(planted: Planted) -> None:
    scene = HyperspectralScene(planted.path)
    sample = scene[to_slices(scene.grids[0], Window(2, 4, 9, 13))]
    figure = scene.plot(sample, suptitle="Here")
    (axis,) = figure.axes
    assert axis.get_title().startswith("colour infrared (")
    assert figure.get_suptitle() == "Here"
    image = np.asarray(axis.images[0].get_array())
    assert image.shape == (9, 13, 3)
    assert (image[1:5, 1:6] == 255).all()  # the hole of the scene
    assert scene.plot(sample, show_titles=False).axes[0].get_title() == ""


@pytest.mark.usefixtures("figures_in_memory")
def test_plot_of_shots_draws_image_mask_and_prediction(planted: Planted, tmp_path: Path) -> None:
    scene = HyperspectralScene(planted.path)
    shots = labels_of(planted, tmp_path, scene)
    sample = (scene & shots)[to_slices(scene.grids[0], Window(0, 0, 37, 53))]
    sample["prediction"] = torch.from_numpy(planted.truth - 1)
    figure = shots.plot(sample)
    assert [axis.get_title() for axis in figure.axes][1:] == ["shots", "prediction"]
    classes = shots.shots.classes
    for axis, key in zip(figure.axes[1:], ("mask", "prediction"), strict=True):
        expected = paint(sample[key].numpy() + 1, classes)
        np.testing.assert_array_equal(axis.images[0].get_array(), expected)
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [c.name for c in classes]
    only = shots.plot(shots[to_slices(scene.grids[0], Window(0, 0, 37, 53))])
    assert [axis.get_title() for axis in only.axes] == ["shots"]


@pytest.mark.usefixtures("figures_in_memory")
def test_plot_says_what_a_sample_lacks(planted: Planted, tmp_path: Path) -> None:
    scene = HyperspectralScene(planted.path)
    shots = labels_of(planted, tmp_path, scene)
    window = to_slices(scene.grids[0], Window(0, 0, 8, 8))
    image, mask = scene[window], shots[window]
    with pytest.raises(OptionError, match=r"has the keys .* and no image"):
        scene.plot(mask)
    with pytest.raises(OptionError, match="and no mask; give a sample of the shots"):
        shots.plot(image)
    with pytest.raises(OptionError, match=r"4 dimensions, and one sample has 3; .*unbind_samples"):
        scene.plot(stack_samples([image, image]))
    with pytest.raises(OptionError, match="3 bands, and there are 40 wavelengths"):
        scene.plot({**image, "image": image["image"][:3]})
