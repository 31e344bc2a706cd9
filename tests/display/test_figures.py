"""Figures: images, titles, coordinates, and a legend of all classes."""

from __future__ import annotations

import numpy as np
import pytest
from affine import Affine
from matplotlib.colors import to_hex

from hsi_geo.display.figures import extent_of, plot_images
from hsi_geo.io.labels.shots import LandClass
from hsi_geo.tiling import Grid

CLASSES = (LandClass(1, "_rye $x$", "#aa0000"), LandClass(2, "oats", "#00bb00"))
COLOURS = np.arange(90, dtype=np.uint8).reshape(5, 6, 3)
PERCENT = np.array([[0, 100, 255], [50, 60, 70]], np.uint8)

pytestmark = pytest.mark.usefixtures("figures_in_memory")


def test_images_are_drawn_beside_each_other_with_titles() -> None:
    figure = plot_images({"map": COLOURS, "confidence": PERCENT}, classes=CLASSES, suptitle="Here")
    first, second, bar = figure.axes
    assert [first.get_title(), second.get_title()] == ["map", "confidence"]
    assert bar.get_ylabel() == "per cent"
    np.testing.assert_array_equal(first.images[0].get_array(), COLOURS)
    shown = second.images[0].get_array()
    assert shown is not None
    np.testing.assert_array_equal(np.ma.getmaskarray(shown), PERCENT == 255)
    assert second.images[0].get_clim() == (0, 100)
    assert figure.get_suptitle() == "Here"
    figure.canvas.draw()


def test_legend_has_the_names_and_colours_of_all_classes() -> None:
    (legend,) = plot_images({"map": COLOURS}, classes=CLASSES).legends
    assert [text.get_text() for text in legend.get_texts()] == ["_rye $x$", "oats"]
    assert [to_hex(patch.get_facecolor()) for patch in legend.get_patches()] == [
        "#aa0000",
        "#00bb00",
    ]


def test_titles_can_be_left_out() -> None:
    figure = plot_images({"map": COLOURS}, show_titles=False)
    assert figure.axes[0].get_title() == ""
    assert figure.get_suptitle() == ""
    assert not figure.legends


@pytest.mark.parametrize("north", [-20.0, 20.0])
def test_pixels_lie_at_their_coordinates(north: float) -> None:
    grid = Grid(5, 6, Affine(30.0, 0.0, 400.0, 0.0, north, 9000.0), None)
    extent = extent_of(grid)
    axis = plot_images({"map": COLOURS}, extent=extent).axes[0]
    assert axis.axison
    left, right, bottom, top = axis.images[0].get_extent()
    assert (left, right) == (400.0, 580.0)
    assert (bottom, top) == (9000.0 + 5 * north, 9000.0)  # the first row is drawn at the top
    assert axis.get_ylim() == (bottom, top)


def test_rotated_grid_has_no_extent() -> None:
    assert extent_of(Grid(5, 6, Affine(30.0, 9.0, 0.0, 9.0, -30.0, 0.0), None)) is None
    assert not plot_images({"map": COLOURS}).axes[0].axison


def test_a_strip_makes_no_endless_figure() -> None:
    strip = np.zeros((1, 4000, 3), np.uint8)
    many = [LandClass(n, f"class {n}", "#123456") for n in range(1, 101)]
    figure = plot_images({"a": strip, "b": strip}, classes=many)
    assert figure.get_figwidth() < 30
    figure.canvas.draw()
