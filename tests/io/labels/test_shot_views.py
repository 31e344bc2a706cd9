"""Shots in a notebook: a short text, HTML with a map and a legend, and a figure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import geopandas as gpd
import numpy as np
import pytest
import shapely
from affine import Affine
from builders import NORTH_UP, cube_of, nm_tags, write_tif
from html_cases import colors_in, picture_in, rows_in
from matplotlib.axes import Axes

from hsi_geo.arrays import Float64Array
from hsi_geo.errors import ShotsError
from hsi_geo.io.labels.shot_reading import read_shots
from hsi_geo.io.labels.shot_summary import draw_shots
from hsi_geo.io.labels.shots import Shots, make_shots
from hsi_geo.io.scenes.scene import open_scene

if TYPE_CHECKING:
    from pathlib import Path

    from planted import Planted

pytestmark = pytest.mark.usefixtures("figures_in_memory")


def offsets_in(axis: Axes) -> Float64Array:
    """(N, 2) coordinates of all points that are drawn."""
    return np.concatenate([np.asarray(c.get_offsets(), np.float64) for c in axis.collections])


def mixed(crs: str | None = "EPSG:32633") -> Shots:
    """A large polygon, a line, and points; one lies in the polygon, one far in the north-east."""
    shapes = [
        shapely.box(0, 0, 400, 300),
        shapely.LineString([(500, 0), (900, 0)]),
        shapely.Point(200, 150),
        shapely.Point(1000, 2000),
    ]
    colors = {"rye": "#aa0000", "oats": "#00bb00", "<weeds>": "#0000cc"}
    geometry = gpd.GeoSeries(shapes, crs=crs)
    return make_shots(geometry, ["rye", "oats", "<weeds>", "oats"], colors=colors, source="mixed")


def test_text_counts_shapes_and_classes(planted: Planted, tmp_path: Path) -> None:
    path = planted.shots(tmp_path / "shots.gpkg")
    assert repr(read_shots(path)).splitlines() == [
        "Shots: 12 points of 3 classes",
        f"  file: {path}",
        "  coordinates: WGS 84 / UTM zone 33N (EPSG:32633)",
        "  classes: asphalt 4, meadow 4, water 4",
    ]
    assert repr(mixed()).splitlines()[0] == "Shots: 2 points, 1 polygon, 1 line of 3 classes"


def test_html_has_a_legend_and_escapes_names() -> None:
    page = mixed()._repr_html_()
    assert rows_in(page) == [["<weeds>", "1"], ["oats", "2"], ["rye", "1"]]
    assert "<weeds>" not in page
    assert colors_in(page) == ["#0000cc", "#00bb00", "#aa0000"]
    assert len(page) < 200_000


def test_map_shows_shots_where_they_lie() -> None:
    image = picture_in(mixed()._repr_html_())
    height, width = image.shape[:2]
    assert height == 200
    assert 0.4 * height < width < 0.7 * height
    red, green, blue = (
        np.argwhere((image == color).all(axis=-1))
        for color in ([0xAA, 0, 0], [0, 0xBB, 0], [0, 0, 0xCC])
    )
    assert red[:, 0].min() > 0.7 * height  # the polygon in the south-west
    assert red[:, 1].max() < 0.5 * width
    assert len(blue)  # the point above it
    assert green[:, 0].min() < 0.1 * height  # the point in the north-east
    assert green[:, 1].max() > 0.9 * width
    assert green[:, 0].max() > 0.9 * height  # the line in the south
    assert (image[0, 0] == 255).all()


@pytest.mark.parametrize(
    "points",
    [[(5, 5), (5, 5)], [(1e6, 2.0), (1e6, 90.0)], [(0.0, 0.0), (1e-9, 0.0)], [(-179, 0), (179, 0)]],
)
def test_any_extent_is_drawn(points: list[tuple[float, float]]) -> None:
    shots = make_shots(gpd.GeoSeries(shapely.points(points)), ["a", "b"])
    image = draw_shots(shots)
    assert 1 <= min(image.shape[:2]) <= max(image.shape[:2]) <= 200
    assert not (image == 255).all()
    shots.plot().canvas.draw()
    assert "no coordinate reference system" in repr(shots)


def test_many_shots_are_drawn_at_once() -> None:
    at = np.random.default_rng(0).random((30_000, 2))
    shots = make_shots(gpd.GeoSeries(shapely.points(at)), ["a", "b"] * 15_000)
    assert len(shots._repr_html_()) < 200_000


def test_plot_draws_all_shots_with_a_legend() -> None:
    figure = mixed().plot(suptitle="Fields")
    (axis,) = figure.axes
    assert axis.get_title() == "shots"
    assert figure.get_suptitle() == "Fields"
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["<weeds>", "oats", "rye"]
    offsets = offsets_in(axis)
    assert {(200.0, 150.0), (1000.0, 2000.0)} <= {tuple(map(float, xy)) for xy in offsets}
    left, right = axis.get_xlim()
    assert left < 0
    assert right > 1000
    figure.canvas.draw()


def test_plot_over_a_scene_is_in_its_crs(planted: Planted, tmp_path: Path) -> None:
    scene = open_scene(planted.path)
    shots = read_shots(planted.shots(tmp_path / "shots.gpkg", crs="EPSG:4326"))
    (axis,) = shots.plot(scene).axes
    assert axis.get_title().startswith("shots on colour infrared (")
    left, right, bottom, top = axis.images[0].get_extent()
    assert axis.get_xlim() == (left, right)
    assert axis.get_ylim() == (bottom, top)
    offsets = offsets_in(axis)
    assert len(offsets) == 12
    assert ((offsets > (left, bottom)) & (offsets < (right, top))).all()


def test_plot_over_a_rotated_scene_is_in_pixels(tmp_path: Path) -> None:
    turned = NORTH_UP @ Affine.rotation(20.0)
    tags = nm_tags([550.0, 650.0, 860.0])
    path = write_tif(tmp_path / "a.tif", cube_of(3), transform=turned, band_tags=tags)
    scene = open_scene(path, straighten=False)
    at = [turned @ (1.5, 0.5), turned @ (5.5, 3.5)]
    shots = make_shots(gpd.GeoSeries(shapely.points(at), crs="EPSG:32633"), ["a", "b"])
    (axis,) = shots.plot(scene).axes
    offsets = offsets_in(axis)
    np.testing.assert_allclose(offsets, [(1.5, 0.5), (5.5, 3.5)], atol=1e-6)
    assert axis.get_ylim() == (5.0, 0.0)


def test_plot_over_a_scene_needs_a_crs_on_both_sides(planted: Planted) -> None:
    with pytest.raises(ShotsError, match="coordinate reference system"):
        mixed(None).plot(open_scene(planted.path))
