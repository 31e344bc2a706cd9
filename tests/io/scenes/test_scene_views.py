"""`scene.hsi` in a notebook: a short text, HTML with a picture, and a figure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import xarray as xr
from affine import Affine
from builders import NORTH_UP, cube_of, nm_tags, write_envi, write_tif
from html_cases import picture_in, rows_in

from hsi_geo.errors import OptionError
from hsi_geo.io.scenes import previews
from hsi_geo.io.scenes.previews import composite, preview
from hsi_geo.io.scenes.scene import open_scene, scene_from_array

if TYPE_CHECKING:
    from pathlib import Path

    from planted import MakeScene, Planted

pytestmark = pytest.mark.usefixtures("figures_in_memory")


def test_text_names_size_grid_values_and_bands(planted: Planted) -> None:
    lines = repr(open_scene(planted.path).hsi).splitlines()
    assert lines[0] == "Scene scene.tif: 37 rows, 53 columns, 40 bands"
    assert lines[1] == f"  file: {planted.path}"
    assert lines[2] == "  grid: WGS 84 / UTM zone 33N (EPSG:32633), pixels of 30 x 20 m"
    assert lines[3] == "  values: int16, no data -999"
    assert lines[4].startswith("  good bands: visible (420-")
    assert len(lines) <= 8


def test_html_shows_the_scene_and_its_bands(planted: Planted) -> None:
    scene = open_scene(planted.path)
    page = scene.hsi._repr_html_()
    image = picture_in(page)
    assert image.shape == (37, 53, 3)
    np.testing.assert_array_equal(image, composite(scene)[0])
    assert (image[3:7, 5:10] == 255).all()  # the hole
    good = [int(row[1]) for row in rows_in(page)]
    assert sum(good) == int(scene["good"].sum())
    assert "colour infrared (" in page
    assert len(page) < 200_000


def test_picture_has_red_for_the_longest_wavelength(tmp_path: Path) -> None:
    """Each of three bands is bright in another corner, and the file has them in another order."""
    values = np.full((3, 4, 6), 10, np.int16)
    centres = (650.0, 550.0, 860.0)
    for band, (row, col) in enumerate([(0, 5), (3, 0), (0, 0)]):
        values[band, row, col] = 500
    image, title = composite(
        open_scene(write_tif(tmp_path / "a.tif", values, band_tags=nm_tags(list(centres))))
    )
    assert title == "colour infrared (860, 650, 550 nm)"
    assert image[0, 0].tolist() == [255, 0, 0]
    assert image[0, 5].tolist() == [0, 255, 0]
    assert image[3, 0].tolist() == [0, 0, 255]


@pytest.mark.parametrize(
    ("centres", "name"),
    [
        ((1250.0, 1650.0, 2200.0), "short-wave infrared (2200, 1650, 1250 nm)"),
        ((470.0, 550.0, 650.0), "true colour (650, 550, 470 nm)"),
        ((1000.0, 1010.0, 1020.0), "three bands of the range (1020, 1010, 1000 nm)"),
        ((1000.0,), "one band (1000 nm)"),
    ],
)
def test_composite_is_one_that_the_scene_has(centres: tuple[float, ...], name: str) -> None:
    scene = scene_from_array(cube_of(len(centres)), np.array(centres))
    image, title = composite(scene)
    assert title == name
    assert image.shape == (5, 7, 3)
    assert scene.hsi._repr_html_().count("<img") == 1


def test_every_nth_pixel_of_a_large_scene(make_scene: MakeScene) -> None:
    scene = open_scene(make_scene(height=90, width=70).path)
    small = scene.isel(y=slice(None, None, 3), x=slice(None, None, 3))
    np.testing.assert_array_equal(composite(scene, 30)[0], composite(small)[0])
    np.testing.assert_array_equal(preview(scene, 30), preview(small))


def test_large_and_packed_scenes_are_not_read_unasked(
    planted: Planted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = "wavelength units = Nanometers", "wavelength = {550, 650, 860}"
    packed = open_scene(write_envi(tmp_path / "a.bsq", cube_of(3), *lines, gzipped=True))
    assert "<img" in packed.hsi._repr_html_()
    monkeypatch.setattr(previews, "QUICK_PACKED_BYTES", 10)
    for scene, limit in ((packed, "QUICK_PACKED_BYTES"), (open_scene(planted.path), "QUICK_BYTES")):
        monkeypatch.setattr(previews, limit, 10)
        page = scene.copy(deep=False).hsi._repr_html_()
        assert "<img" not in page
        assert "picture: scene.hsi.plot()" in page
        assert scene.hsi.plot().axes


def test_summary_of_what_is_gone_or_no_scene_does_not_fail(planted: Planted) -> None:
    scene = open_scene(planted.path)
    planted.path.write_bytes(b"damaged")
    assert "Scene scene.tif" in scene.hsi._repr_html_()
    assert "<img" not in scene.hsi._repr_html_()
    no_scene: list[xr.DataArray] = [
        xr.DataArray(1.0),
        xr.DataArray(np.ones((2, 3, 4)), dims=("band", "y", "x")),
        xr.DataArray(np.ones(4), dims="time", coords={"time": range(4)}),
        xr.DataArray(
            np.ones((2, 3, 4)),
            dims=("band", "y", "x"),
            coords={"wavelength": ("band", [-1.0, np.nan])},
        ),
    ]
    for array in no_scene:
        assert "Not a scene" in repr(array.hsi)
        assert "Not a scene" in array.hsi._repr_html_()


def test_wavelengths_without_meaning_have_no_ranges(planted: Planted) -> None:
    scene = open_scene(planted.path, wavelengths="index")
    assert "good bands: unknown 40" in repr(scene.hsi)
    assert re.fullmatch(r"bands \d+, \d+, \d+", composite(scene)[1])
    assert " nm" not in scene.hsi._repr_html_()


def test_warnings_of_the_file_are_shown(planted: Planted) -> None:
    scene = open_scene(planted.path).assign_attrs(warnings=("<b>", "two", "three"))
    assert "warning: <b>" in repr(scene.hsi)
    assert "warning: &lt;b&gt;" in scene.hsi._repr_html_()
    assert "three" not in repr(scene.hsi)


def test_plot_draws_the_composite_at_its_coordinates(planted: Planted) -> None:
    scene = open_scene(planted.path)
    figure = scene.hsi.plot("true colour", suptitle="Meadow")
    (axis,) = figure.axes
    assert axis.get_title().startswith("true colour (")
    assert figure.get_suptitle() == "Meadow"
    t = planted.transform
    assert tuple(axis.images[0].get_extent()) == (t.c, t.c + 53 * t.a, t.f + 37 * t.e, t.f)
    expected = composite(scene, wanted="true colour")[0]
    np.testing.assert_array_equal(axis.images[0].get_array(), expected)
    assert scene.hsi.plot(show_titles=False).axes[0].get_title() == ""
    with pytest.raises(OptionError, match="no composite 'nope'; choose one of 'true colour'"):
        scene.hsi.plot("nope")


def test_plot_of_a_rotated_scene_has_no_coordinates(tmp_path: Path) -> None:
    turned = NORTH_UP @ Affine.rotation(20.0)
    path = write_tif(
        tmp_path / "a.tif", cube_of(3), transform=turned, band_tags=nm_tags([550.0, 650.0, 860.0])
    )
    scene: Any = open_scene(path, straighten=False)
    assert not scene.hsi.plot().axes[0].axison
    assert "rotated by" in repr(scene.hsi)
