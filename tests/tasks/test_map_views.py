"""The result of a map in a notebook, and a cell that is run again."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import rasterio
from html_cases import colors_in, picture_in, rows_in
from matplotlib.colors import to_hex

from hsi_geo import MapOptions, adapt, classify, predict
from hsi_geo.display.images import paint
from hsi_geo.errors import MapNotFoundError, OutputExistsError

if TYPE_CHECKING:
    from pathlib import Path

    from planted import MakeScene, Planted

pytestmark = pytest.mark.usefixtures("quick")

pytestmark = pytest.mark.usefixtures("figures_in_memory")


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel of IPython that displays nothing."""
    shown = SimpleNamespace(update=lambda *_, **__: None)
    shell = SimpleNamespace(kernel=object())
    modules = {
        "IPython": SimpleNamespace(get_ipython=lambda: shell),
        "IPython.display": SimpleNamespace(display=lambda *_, **__: shown),
    }
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)


def test_result_shows_map_legend_accuracy_and_files(planted: Planted, tmp_path: Path) -> None:
    shots = planted.shots(tmp_path / "shots.gpkg")
    result = classify(
        planted.path, shots, out=tmp_path / "map.tif", options=MapOptions(confidence=True)
    )
    lines = repr(result).splitlines()
    assert lines[0] == "Map of 3 classes, 1,941 pixels"
    assert f"  file: {tmp_path / 'map.tif'}" in lines
    assert "  confidence: map_confidence.tif" in lines
    assert f"accuracy: {result.accuracy}"[:60] in repr(result)
    assert len(lines) <= 8

    page = result._repr_html_()
    classes = result.record["classes"]
    assert [row[0] for row in rows_in(page)] == ["asphalt", "meadow", "water"]
    assert [row[2] for row in rows_in(page)] == [f"{c['pixels']:,}" for c in classes]
    assert [row[3] for row in rows_in(page)] == ["4", "4", "4"]
    assert colors_in(page) == [c.color for c in result.classes]
    with rasterio.open(result.paths.classes) as file:
        ids = file.read(1)
    np.testing.assert_array_equal(picture_in(page), paint(ids, result.classes))
    assert len(page) < 200_000

    figure = result.plot(suptitle="Land cover")
    first, second, bar = figure.axes
    assert [first.get_title(), second.get_title()] == ["map", "confidence"]
    assert bar.get_ylabel() == "per cent"
    np.testing.assert_array_equal(first.images[0].get_array(), paint(ids, result.classes))
    t = planted.transform
    assert tuple(second.images[0].get_extent()) == (t.c, t.c + 53 * t.a, t.f + 37 * t.e, t.f)
    with rasterio.open(tmp_path / "map_confidence.tif") as file:
        percent = np.ma.masked_equal(file.read(1), 255)
    drawn = second.images[0].get_array()
    assert drawn is not None
    np.testing.assert_array_equal(drawn, percent)
    assert np.ma.getmaskarray(drawn)[3:7, 5:10].all()
    (legend,) = figure.legends
    shown = {
        text.get_text(): to_hex(patch.get_facecolor())
        for text, patch in zip(legend.get_texts(), legend.get_patches(), strict=True)
    }
    assert shown == {c.name: c.color for c in result.classes}


@pytest.mark.slow
def test_result_of_another_scene_says_so(
    planted: Planted, make_scene: MakeScene, tmp_path: Path
) -> None:
    model = adapt(planted.path, planted.shots(tmp_path / "shots.gpkg"))
    result = predict(make_scene("other.tif", seed=8).path, model)
    assert "accuracy: not estimated" in repr(result)
    assert "elsewhere: " in repr(result)
    assert [axis.get_title() for axis in result.plot(show_titles=False).axes] == [""]

    assert repr(model).splitlines()[0] == "Model of 3 classes and 40 bands, 420-1303 nm"
    assert "classes: asphalt 4, meadow 4, water 4" in repr(model)
    assert [row[1] for row in rows_in(model._repr_html_())] == ["4", "4", "4"]


@pytest.mark.slow
def test_result_whose_map_is_gone(planted: Planted, tmp_path: Path) -> None:
    result = classify(planted.path, planted.shots(tmp_path / "shots.gpkg"))
    result.paths.classes.unlink()
    assert "<img" not in result._repr_html_()
    assert "Map of 3 classes" in result._repr_html_()
    with pytest.raises(MapNotFoundError, match="does not exist"):
        result.plot()


@pytest.mark.usefixtures("notebook")
@pytest.mark.slow
def test_a_cell_that_is_run_again_writes_another_map(planted: Planted, tmp_path: Path) -> None:
    """The first free number, whichever of the files of a map is taken; `overwrite` replaces the first."""
    shots = planted.shots(tmp_path / "shots.gpkg")
    (tmp_path / "scene_classes_3_report.html").touch()
    names = [classify(planted.path, shots).paths.classes.name for _ in range(3)]
    assert names == ["scene_classes.tif", "scene_classes_2.tif", "scene_classes_4.tif"]
    before = (tmp_path / "scene_classes.tif").stat().st_mtime_ns
    result = classify(planted.path, shots, overwrite=True)
    assert result.paths.classes.name == "scene_classes.tif"
    assert result.paths.classes.stat().st_mtime_ns > before
    model = adapt(planted.path, shots)
    assert predict(planted.path, model).paths.classes.name == "scene_classes_5.tif"


@pytest.mark.usefixtures("notebook")
@pytest.mark.slow
def test_an_output_that_was_named_is_never_renamed(planted: Planted, tmp_path: Path) -> None:
    shots = planted.shots(tmp_path / "shots.gpkg")
    out = tmp_path / "scene_classes.tif"
    classify(planted.path, shots, out=out)
    with pytest.raises(OutputExistsError) as caught:
        classify(planted.path, shots, out=out)
    assert str(caught.value).endswith("; choose another, or give overwrite=True")
    assert "--" not in str(caught.value)


@pytest.mark.slow
def test_a_script_has_one_default_output(planted: Planted, tmp_path: Path) -> None:
    shots = planted.shots(tmp_path / "shots.gpkg")
    classify(planted.path, shots)
    with pytest.raises(OutputExistsError, match="overwrite=True"):
        classify(planted.path, shots)
    assert not (tmp_path / "scene_classes_2.tif").exists()
