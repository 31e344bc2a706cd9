"""Commands, Python names and links in the README and the pages exist."""

from __future__ import annotations

import ast
import importlib
import re
import shlex
from pathlib import Path

import click
import pytest
from hsi_geo.cli.main import COMMANDS, group

import hsi_geo

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")

PAGES = [README, *(page.read_text(encoding="utf-8") for page in (ROOT / "docs").glob("*.md"))]

LINES = [
    line.strip()
    for page in PAGES
    for line in page.replace("\\\n", " ").splitlines()
    if re.match(r" {4,}hsi-geo \S", line)
]


@pytest.mark.parametrize("line", LINES)
def test_commands_parse(line: str) -> None:
    name, *args = shlex.split(line)[1:]
    assert name in COMMANDS
    context = click.Context(group)
    command = group.get_command(context, name)
    assert command is not None
    command.make_context(name, args, parent=context)  # raises on an option that is not there


def test_the_stranger_runs_all_of_the_readme(monkeypatch: pytest.MonkeyPatch) -> None:
    """`docs/measurements/stranger.py` misses no command and takes no printed result for one."""
    monkeypatch.syspath_prepend(str(ROOT / "docs" / "measurements"))
    found = list(importlib.import_module("stranger").commands_of(README))
    shell = [text for kind, text in found if kind == "shell"]
    shown = set(re.findall(r"`(hsi-geo [a-z][^`]*)`", README.partition("## How it compares")[0]))
    assert shown <= set(shell)
    assert shell[:3] == ["make demo", "make test", "source .venv/bin/activate"]
    assert all(line.split()[0] in ("make", "source", "hsi-geo") for line in shell)
    assert [kind for kind, _ in found].count("python") == README.count("```python")
    for option in ("--confidence", "--report", "--save-model model.safetensors"):
        assert any(option in line and "classify scene.tif" in line for line in shell)


def test_there_are_commands_to_check() -> None:
    assert len(LINES) >= 4


def test_make_targets_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"make ([a-z-]+)", README)) - {"test suite"}
    assert {"demo", "test"} <= named <= targets


def test_python_names_exist() -> None:
    (block,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    for node in ast.walk(ast.parse(block)):
        if isinstance(node, ast.ImportFrom):
            assert node.module == "hsi_geo"
            assert all(hasattr(hsi_geo, alias.name) for alias in node.names)


def test_links_have_targets() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert target.startswith("https://") or (ROOT / target).exists(), target
