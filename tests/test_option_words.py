"""Errors name options as arguments in Python, and as options on the command line."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path

import click
import pytest
from hsi_geo.cli.main import COMMANDS

from hsi_geo.errors import OutputExistsError
from hsi_geo.option_words import python_words

LIBRARY = Path(__file__).parents[1] / "hsi_geo"

#: Modules whose texts are commands to type.
TYPED = {"environment.py", "demo.py", "stages.py"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("choose another, or give --overwrite", "choose another, or give overwrite=True"),
        ("choose another folder with -o", "choose another folder with out="),
        ("choose it with --class-field", "choose it with class_field="),
        ("give --wavelengths 400:2500", 'give wavelengths="400:2500"'),
        ("--wavelengths '5:x' is no list", "wavelengths='5:x' is no list"),
        ("give --rescale 10000 or --rescale auto", 'give rescale=10000 or rescale="auto"'),
        ("give --grid EPSG:32633 to both", 'give grid="EPSG:32633" to both'),
        ("--pixel-size 1e-09 would do", 'pixel_size="1e-09" would do'),
        ("give --rescale 2.5e+20.", "give rescale=2.5e+20."),
        ("leave --swath out", 'leave grid="swath" out'),
        ("leave --no-straighten out", "leave straighten=False out"),
        ("add --design stratified", 'add design="stratified"'),
        (
            "the model's scale, or --restat if it's new",
            "the model's scale, or restat=True if it's new",
        ),
        ("output 'a -o --overwrite.tif' is a folder", "output 'a -o --overwrite.tif' is a folder"),
        ("run gdalwarp -r near a b", "run gdalwarp -r near a b"),
        (
            "run ogrinfo --config SHAPE_RESTORE_SHX YES a",
            "run ogrinfo --config SHAPE_RESTORE_SHX YES a",
        ),
    ],
)
def test_options_become_arguments(text: str, expected: str) -> None:
    assert python_words(text) == expected


def test_error_has_the_words_of_both_places() -> None:
    error = OutputExistsError("output 'a.tif' is already there", hint="give --overwrite")
    assert str(error).endswith("give overwrite=True")
    assert error.hint == "give --overwrite"
    assert error.sentence.endswith("give --overwrite")


def options() -> set[str]:
    """Every long option of every command."""
    commands = [importlib.import_module(f"hsi_geo.cli.{name}").command for name in COMMANDS]
    params = [param for command in commands for param in command.params]
    return {o for p in params if isinstance(p, click.Option) for o in p.opts if o[:2] == "--"}


def texts() -> list[str]:
    """Texts of the library that name an option, without docstrings."""
    found = []
    for path in sorted(LIBRARY.rglob("*.py")):
        if path.name in TYPED or path.name == "option_words.py":
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        docs = {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Expr)}
        for node in ast.walk(tree):
            if not isinstance(node, ast.Constant) or id(node) in docs:
                continue
            if isinstance(node.value, str) and "--" in node.value:
                found.append(node.value)
    return found


def test_every_option_in_a_message_has_python_words() -> None:
    known, named = options(), [text for text in texts() if re.search(r"--[a-z]", text)]
    assert len(named) > 20
    left = [
        text for text in named if known & set(re.findall(r"--[a-z][a-z-]*", python_words(text)))
    ]
    assert not left
