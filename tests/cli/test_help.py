"""Help of every command: options in groups, examples, and suggestions for what is misspelt."""

from __future__ import annotations

import importlib
import re
import shlex
from pathlib import Path
from typing import Any

import click
import pytest
from builders import run
from hsi_geo.cli.help import GROUPS
from hsi_geo.cli.main import COMMANDS, group

Planted = Any  # defined in conftest, which tests cannot import


def command(name: str) -> click.Command:
    found: click.Command = importlib.import_module(f"hsi_geo.cli.{name}").command
    return found


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_says_what_it_is_for(name: str) -> None:
    for param in command(name).params:
        if isinstance(param, click.Option):
            assert param.help, param.name
            assert param.help.rstrip()[-1] in ".]}", param.help


@pytest.mark.parametrize("name", COMMANDS)
def test_options_of_every_command_are_grouped(name: str) -> None:
    shown = run(name, "--help").output
    grouped = {heading for heading, names in GROUPS.items() for param in command(name).params
               if param.name in names and isinstance(param, click.Option)}  # fmt: skip
    assert all(f"\n{heading}:\n" in shown for heading in grouped)
    alone = {str(p.name) for p in command(name).params if isinstance(p, click.Option)}
    assert alone - {name for names in GROUPS.values() for name in names} <= {"progress"}


@pytest.mark.parametrize("name", COMMANDS)
def test_examples_in_help_are_commands_that_exist(name: str) -> None:
    text = str(command(name).help).partition("For example:")[2]
    examples = re.findall(r"^ +(hsi-geo .+)$", text, re.MULTILINE)
    assert examples
    for example in examples:
        _, called, *arguments = shlex.split(example)
        with click.Context(group) as parent:
            command(called).make_context(called, arguments, parent=parent)
        assert example in run(name, "--help").output


@pytest.mark.parametrize(
    ("line", "suggestion"),
    [
        ("clasify scene.tif", "'classify'"),
        ("Predict", "'predict'"),
        ("asess", "'assess'"),
        ("classify scene.tif --shot labels.gpkg", "'--shots'"),
        ("benchmark --methods svn", "'svm'"),
        ("benchmark --scenes indian-pines", "'indian_pines'"),
    ],
)
def test_misspelt_names_get_a_suggestion(line: str, suggestion: str) -> None:
    shown = run(*line.split())
    assert shown.exit_code in (1, 2)
    assert "Did you mean" in shown.stderr
    assert suggestion in shown.stderr


def test_a_misspelt_field_or_layer_gets_a_suggestion(planted: Planted, tmp_path: Path) -> None:
    shots = planted.shots(tmp_path / "shots.gpkg")
    for option, wrong, right in (("--class-field", "clas", "class"), ("--layer", "shot", "shots")):
        shown = run("info", planted.path, "--shots", shots, option, wrong)
        assert f"{option}. Did you mean '{right}'?" in shown.stderr


def test_other_names_get_no_suggestion() -> None:
    shown = run("frobnicate")
    assert shown.exit_code == 2
    assert "there is no command 'frobnicate'" in shown.stderr
    assert "Did you mean" not in shown.stderr
