"""Names and colours of classes out of a file."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import geopandas as gpd
import pytest
import shapely
from click.testing import CliRunner
from hsi_geo.cli.main import group

from hsi_geo.errors import OptionError
from hsi_geo.io.labels.class_styles import style_classes
from hsi_geo.io.labels.shots import Shots, make_shots


@pytest.fixture
def shots() -> Shots:
    """Three classes by number."""
    points = [shapely.Point(x, 2 * x) for x in range(5)]
    return make_shots(gpd.GeoSeries(points), [12, 3, 7, 3, 12])


def write(path: Path, styles: Any) -> Path:
    path.write_text(styles if isinstance(styles, str) else json.dumps(styles), encoding="utf-8")
    return path


def test_style_classes_sets_names_and_colors(shots: Shots, tmp_path: Path) -> None:
    styles = {"12": {"name": "Dächer", "color": "#E60000"}, "3": {"name": "tree"}, "99": {}}
    found = style_classes(shots, write(tmp_path / "classes.json", styles))
    assert [(c.id, c.name, c.value) for c in found.classes] == [
        (1, "tree", 3), (2, "7", 7), (3, "Dächer", 12)
    ]  # fmt: skip
    assert found.classes[2].color == "#e60000"
    assert found.classes[:2] == (
        dataclasses.replace(shots.classes[0], name="tree", color="#14532d"), shots.classes[1]
    )  # fmt: skip
    assert found.frame is shots.frame


def test_style_classes_replaces_names_of_qgis_styles(tmp_path: Path) -> None:
    """A layer's own style may have named its numbers."""
    points = [shapely.Point(x, 2 * x) for x in range(3)]
    named = make_shots(gpd.GeoSeries(points), [12, 3, 7], names={"3": "Wald", "12": "Dach"})
    styles = {"12": {"name": "roof"}, "Wald": {"name": "not meant"}}
    found = style_classes(named, write(tmp_path / "classes.json", styles))
    assert [c.name for c in found.classes] == ["Wald", "7", "roof"]


@pytest.mark.parametrize(
    ("styles", "message"),
    [
        ("no json", "is no JSON"),
        (["roof"], "does not map values"),
        ({"3": "roof"}, "does not map values"),
        ({"3": {"color": "red"}}, "gives class '3' the name '3' and the color 'red'"),
        ({"3": {"name": " "}}, "gives class '3' the name ''"),
        ({"3": {"name": "roof"}, "12": {"name": "roof"}}, "several classes the name 'roof'"),
        ({"3": {"name": "7"}}, "several classes the name '7'"),
    ],
)
def test_style_classes_refuses_invalid_files(
    styles: Any, message: str, shots: Shots, tmp_path: Path
) -> None:
    with pytest.raises(OptionError, match=message) as caught:
        style_classes(shots, write(tmp_path / "classes.json", styles))
    assert caught.value.hint


def test_style_classes_refuses_a_missing_file(shots: Shots, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"cannot be read \(No such file"):
        style_classes(shots, tmp_path / "none.json")


def test_info_takes_a_class_file(planted: Any, tmp_path: Path) -> None:
    shots = planted.shots(tmp_path / "shots.gpkg")
    styles = write(tmp_path / "classes.json", {"water": {"name": "See"}})
    options = [str(planted.path), "--shots", str(shots), "--classes", str(styles), "--json"]
    result = CliRunner().invoke(group, ["info", *options])
    assert result.exit_code == 0, result.output
    names = [entry["name"] for entry in json.loads(result.stdout)["shots"]["classes"]]
    assert names == ["asphalt", "meadow", "See"]


def test_entries_belong_to_text_classes_by_key_or_name(tmp_path: Path) -> None:
    """A key comes before a name; what belongs to no class is told."""
    points = gpd.GeoSeries([shapely.Point(x, 2 * x) for x in range(3)])
    shots = make_shots(points, ["class10", "class2", "roof"])
    styles = {
        "1": {"name": "class10", "color": "#ff0001", "parent": "crop"},
        "2": {"name": "class2", "parent": "crop"},
        "roof": {"name": "building"},
        "3": {"name": "roof", "color": "#000001"},
        "4": {"name": "crop", "color": "#00aa00"},
        "5": {"name": "sea"},
    }
    found = style_classes(shots, write(tmp_path / "classes.json", styles))
    assert [(c.name, c.parent) for c in found.classes] == [
        ("class10", "crop"), ("class2", "crop"), ("building", "building")
    ]  # fmt: skip
    assert found.classes[0].color == "#ff0001"
    assert found.classes[0].parent_color == "#00aa00"
    assert [note for note in found.notes if "no class: '3', '5'" in note]
