"""Pages that list commands, arguments, fields or algorithms list all of them."""

from __future__ import annotations

import importlib
import inspect
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hsi_geo.cli.main import COMMANDS

import hsi_geo
from hsi_geo import MapOptions, classify, open_scene, read_shots
from hsi_geo.tasks.serving.parameters import METHODS
from hsi_geo.tasks.validation.spatial_blocks import NEAR_PX

Planted = Any  # defined in conftest, which tests cannot import

ROOT = Path(__file__).parents[1]


def page(name: str) -> str:
    return (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")


def rows(text: str) -> dict[str, str]:
    """Rows of tables, by each word in backticks in their first cell."""
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return {word: line for line in lines for word in re.findall(r"`([^`]+)`", line.split("|")[1])}


def test_the_page_of_commands_names_each() -> None:
    """In a checkout the page was empty, since only the site has the help."""
    assert set(rows(page("commands"))) == set(COMMANDS)


def test_the_page_of_qgis_names_each_algorithm() -> None:
    plugin = ROOT / "qgis_plugin" / "hsi_geo_qgis"
    sources = "\n".join(file.read_text(encoding="utf-8") for file in plugin.glob("*.py"))
    names = set(re.findall(r'^    NAME = "(\w+)"', sources, re.MULTILINE))
    assert len(names) > 10
    assert set(re.findall(r"`hsi_geo:(\w+)`", page("qgis").partition("## Install")[0])) == names


def test_the_guide_names_the_arguments_of_reading() -> None:
    guide = page("python")
    for function, left_out in ((open_scene, {"path"}), (read_shots, {"path", "purpose", "near"})):
        listed = re.search(rf"`{function.__name__}\(([\w=, ]+=)\)`", guide)
        assert listed is not None
        names = {name.strip() for name in listed[1].split("=") if name}
        wanted = set(inspect.signature(function).parameters) - left_out
        assert {name.removeprefix(", ") for name in names} == wanted


def test_the_pages_of_the_interface_have_each_public_name() -> None:
    text = "".join(page(f"api/{name}") for name in ("jobs", "data", "models"))
    listed = re.findall(r"^::: (\S+)$", text, re.MULTILINE)
    names = {name.rpartition(".")[2] for name in listed} | {
        "HsiGeoError"
    }  # the whole module is there
    assert set(dir(hsi_geo)) - {"__version__"} <= names
    for name in listed:
        module, _, own = name.rpartition(".")
        assert hasattr(importlib.import_module(module), own), name


def test_the_page_of_outputs_has_each_parameter_of_requests() -> None:
    table = rows(page("output").partition("## Live sessions")[2].partition("**Shots**")[0])
    for method, parameters in METHODS.items():
        listed = re.findall(r"`(\w+)`", table[method].split("|")[2])
        assert set(listed) == {one.name for one in parameters}, method


def test_pages_state_the_distance_within_a_place() -> None:
    assert NEAR_PX == 6.0
    for name in ("glossary", "trust", "how-it-works"):
        assert re.search(r"\bsix\s+pixels", page(name)), name
        assert "three pixels" not in page(name), name


@pytest.mark.slow
@pytest.mark.usefixtures("quick")
def test_the_page_of_outputs_has_each_field_of_a_record(planted: Planted, tmp_path: Path) -> None:
    made = classify(
        planted.path,
        planted.shots(tmp_path / "shots.gpkg"),
        out=tmp_path / "map.tif",
        options=MapOptions(reject="auto", min_area=3),
    )
    record = json.loads(made.paths.record.read_text(encoding="utf-8"))
    fields = rows(page("output").partition("The record is JSON")[2].partition("`adapt` writes")[0])
    assert set(record) <= set(fields)
    for name in ("accuracy", "adaptation"):
        assert all(f"`{one}`" in fields[name] for one in record[name]), name
