"""Sessions of the dock *hsi-geo live*: begun again, cancelled, and as QGIS shows scene, canvas and shots."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import rasterio

Live = Callable[..., dict[str, Any]]


@pytest.mark.parametrize("act", ["reload", "project"])
def test_a_dock_that_is_made_anew_finds_the_session_of_the_project(live: Live, act: str) -> None:
    found = live("live_begun_again", act=act)
    assert Path(found["scene"]).name == "Szene mit ä.tif"
    assert found["counts"] == {"Class 1": 2, "Class 2": 1}
    assert found["current"] == 1


def test_a_layer_of_shots_without_its_file_is_called_so(live: Live) -> None:
    found = live("live_missing_shots")
    missing, again = found["told"]
    assert missing.startswith("problem: Layer 'Orte' cannot be read: its file is missing")
    assert again == ""
    assert found["counts"] == {"Class 1": 2, "Class 2": 1}


def test_a_layer_that_was_refused_is_taken_once_it_is_repaired(live: Live) -> None:
    found = live("live_refused_shots")
    gone = (
        "problem: Layer 'mylabels' cannot be read: its file is missing or damaged. "
        "Correct it with 'Repair Data Source'."
    )
    lacks = "has no field of text or whole numbers. Add one that holds the class."
    assert found["told"] == [
        ["missing", gone, []],
        ["restored", gone, []],
        ["repaired", "", ["mylabels"]],
        ["no field", f"problem: Layer 'heights' {lacks}", []],
        ["field", "", ["heights"]],
        ["no field again", f"problem: Layer 'more heights' {lacks}", []],
        ["removed", "", []],
    ]
    assert found["counts"] == {"wood": 1, "lake": 1}


def test_layers_of_one_file_have_each_their_own_crs(live: Live, make_scene: Any) -> None:
    """The file has none, so shots would lie at the place of the layer before."""
    path = str(make_scene("bare.tif").path)
    with rasterio.open(path, "r+") as file:
        file.crs = rasterio.CRS()
    found = live("live_same_file", bare=path)["found"]
    first, second = ["EPSG:32633", "Szene", 1], ["EPSG:32632", "other", 1]
    assert found == [first, second, first]


def test_the_scene_is_read_as_open_scene_has_put_it_onto_a_grid(live: Live, tmp_path: Path) -> None:
    heights = tmp_path / "heights.tif"
    heights.touch()
    options = {"grid": "EPSG:32632", "pixel_size": 45.5, "dem": str(heights), "mask": "clouds"}
    (opened,) = live("live_opened_with", options=options)["opened"]
    assert {name: opened.get(name) for name in options} == options


def test_opening_and_looking_for_places_can_be_cancelled(live: Live) -> None:
    found = live("live_cancelled")
    cancelled = ["problem: Cancelled; the scene is not open.", "Open again", ""]
    assert [one[0] for one in found["told"]] == [cancelled[0], "", cancelled[0], "", cancelled[0], ""]  # fmt: skip
    assert found["told"][0] == cancelled
    assert found["told"][3][2] == "Choose a scene."
    assert found["opened"] == "copy"
    assert found["right"]


def test_nothing_keeps_the_coordinates_of_another_crs_of_the_canvas(live: Live) -> None:
    found = live("live_other_canvas")
    assert found["corners"] == [2, 0]
    assert found["off"] < 1e-9
    assert found["moved"] < 0.02


def test_new_shots_replace_no_layers_of_other_names(live: Live) -> None:
    found = live("live_kept_tables")
    assert found["shots"] == ["", ["points", "polygons"]]
    for name, tables in (
        ("both", ["points", "polygons", "roads"]), ("polygons", ["polygons", "roads"]), ("roads", ["roads"]),
    ):  # fmt: skip
        problem, left = found[name]
        assert "holds" in problem, name
        assert "'roads'" in problem, name
        assert left == tables, name
    assert "which holds 'roads', and it would be lost; choose another file" in found["roads"][0]


def test_new_shots_do_not_wait_for_a_file_in_use(live: Live) -> None:
    found = live("live_locked_file")
    assert "roads.gpkg', which is in use by another program; close it there, or choose" in found["told"]  # fmt: skip
    assert found["seconds"] < 3
    assert found["tables"] == ["roads"]


def test_points_that_are_drawn_displaced_keep_names_and_style(live: Live) -> None:
    for kind, found in live("live_displaced").items():
        assert found["field"] == "code", kind
        assert found["named"] == {"1": "wood", "2": "lake"}, kind
        assert found["shown"] == [["wood", "#112233"], ["lake", "#445566"]], kind
        assert found["labels"] == {"1": "grass", "2": "lake"}, kind
        assert found["kept"], kind


def test_points_that_are_drawn_displaced_stay_so(live: Live) -> None:
    """Also where no style has classes yet."""
    found = live("live_displaced_alike")
    for kind in ("QgsPointDisplacementRenderer", "QgsPointClusterRenderer"):
        assert found[kind] == [kind, ["lake", "wood"]]
    assert found["QgsSingleSymbolRenderer"][0] == "QgsCategorizedSymbolRenderer"
