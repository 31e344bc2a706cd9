"""Figures of the samples of TorchGeo datasets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from hsi_geo.display.images import paint
from hsi_geo.errors import OptionError
from hsi_geo.tiling import Window

pytest.importorskip("torchgeo", reason="needs the extra datasets")

from geo_cases import labels_of
from torchgeo.datasets import stack_samples

from hsi_geo.io.datasets.geo import HyperspectralScene
from hsi_geo.io.datasets.samplers import to_slices

if TYPE_CHECKING:
    from planted import Planted


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
