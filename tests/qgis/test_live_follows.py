"""What the dock *hsi-geo live* follows: layers that change in QGIS, the slider, and undo."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

Case = Callable[..., dict[str, Any]]


def test_the_preview_follows_layers_and_the_slider(live: Case) -> None:
    found = live("live_follows")
    assert found["slider"] == [0, 0, 70]  # it was moved while the second one was computed
    assert found["moved"] == ["EPSG:32632"]
    assert found["nowhere"] == [
        1,
        "Layer 'Shots (points)' has no coordinate reference system, and the scene has one. Set it (Set Layer CRS).",
    ]
    assert found["opened"] == ["Szene mit ä.tif", "other.tif"]
    assert found["preview"]


def test_the_reason_of_a_failed_update_stays_while_the_slider_moves(live: Case) -> None:
    found = live("live_failed_update")
    assert found["failed"]
    assert found["after the slider"] == found["failed"]
    assert found["after an update"] == ""


def test_the_preview_is_shown_again_after_a_map_was_written(live: Case) -> None:
    """A person who hides it keeps it hidden."""
    assert live("live_after_finish")["drawn"] == [True, False, True, False]


def test_wavelengths_of_one_scene_are_not_those_of_the_next(live: Case) -> None:
    """They would replace the scene's own without a word."""
    assert live("live_wavelengths")["opened"] == ["400:2500", "", "", "index", ""]


def test_wavelengths_of_a_restored_project_are_for_its_own_scene(live: Case) -> None:
    """The scene; then another one after each of: the scene, one that is gone, one without its file, none."""
    found = live("live_restored_wavelengths")["opened"]
    assert found == ["400:2500", "", "", "", ""]


def test_undo_gives_a_class_its_name_back(live: Case) -> None:
    """With its key and its colour, also between the undo in one layer and that in the other."""
    turns = ["undo", "undo", "redo", "undo"]
    found = live("live_undone_names", turns=turns)["found"]
    names = ["A", "C", "D", "C", "A", "C", "A"]
    for (step, classes, counts, current), name in zip(found, names, strict=False):
        assert [one for one, _ in classes] == [name, "B"], step
        assert classes == [[name, found[0][1][0][1]], found[0][1][1]], step
        assert counts == {name: 3, "B": 2}, step
        assert current == 0, step
    assert len(found) == len(names) + 1
    assert [one for one, _ in found[-1][1]] == ["A", "B", "C"]
    assert found[-1][2] == {"A": 3, "B": 2}


def test_classes_stay_where_no_rename_was_undone(live: Case) -> None:
    """Shots have the name of before, and the new name has none: that alone is no undo."""
    found = live("live_kept_classes")
    assert found["relabelled"] == ["forest", "B", "A"]
    assert found["relabelled, undone"] == ["forest", "B", "A"]
    names, counts = found["new class of an old name"]
    assert names == ["forest", "water", "A", "Class 4"]
    assert counts == {"forest": 2, "Class 4": 1}
    assert found["another layer"] == ["forest", "wood", "sand"]


def test_a_name_that_is_typed_lies_in_the_folder_of_the_dialog(case: Case, tmp_path: Path) -> None:
    """The engine has a folder of its own, and links need whole paths."""
    elsewhere = str(tmp_path / "elsewhere" / "map.tif")
    found = case("live_typed_name", folder=str(tmp_path), names=["map", "a/map.tif", elsewhere, ""])
    assert found == {
        "map": str(tmp_path / "map.tif"), "a/map.tif": str(tmp_path / "a" / "map.tif"),
        elsewhere: elsewhere, "": "",
    }  # fmt: skip
