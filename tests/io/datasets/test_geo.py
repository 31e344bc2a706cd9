"""Scenes and shots as TorchGeo datasets: its samplers, its intersection, DataLoader workers."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from affine import Affine
from torch.utils.data import DataLoader

from hsi_geo.errors import ShotsError
from hsi_geo.io.labels.shot_reading import read_shots
from hsi_geo.io.scenes.properties import grid_of
from hsi_geo.io.scenes.scene import open_scene
from hsi_geo.tiling import Window

pytest.importorskip("torchgeo", reason="needs the extra datasets")

from geo_cases import as_stored, both_of, labels_of, part_of, window_of
from torchgeo.datasets import GeoDataset, stack_samples
from torchgeo.samplers import GriddedPatchSampler, RandomPatchSampler

from hsi_geo.io.datasets.geo import HyperspectralScene, Sample, ShotLabels
from hsi_geo.io.datasets.samplers import to_slices

if TYPE_CHECKING:
    from planted import MakeScene, Planted

# Python 3.12 warns of any fork beside threads, and DataLoader forks on Linux.
forks = pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")

SOUTH_UP = Affine(30.0, 0.0, 383472.5, 0.0, 20.0, 5818302.25)


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
        sample = as_stored(both[query], planted)
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
        sample = as_stored(both[query], planted)
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
