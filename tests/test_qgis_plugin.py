"""What of the plugin can be tested without QGIS: its logic, its form, its package."""

from __future__ import annotations

import ast
import configparser
import enum
import importlib
import io
import re
import subprocess
import sys
import tokenize
import tomllib
import types
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hsi_geo_qgis.command import arguments
from hsi_geo_qgis.interpreter import LauncherError, find_launcher
from hsi_geo_qgis.protocol import LineBuffer, ProgressBar, failure, parse_event
from hypothesis import given
from hypothesis import strategies as st

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "qgis_plugin" / "hsi_geo_qgis"
MODULES = sorted(FOLDER.glob("*.py"))


# Protocol ----------------------------------------------------------------------------------------


@given(st.lists(st.text(st.characters(exclude_characters="\n\r", codec="utf-8"))), st.data())
def test_lines_survive_any_cut(lines: list[str], data: st.DataObject) -> None:
    whole = "".join(f"{line}\n" for line in lines).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)))))
    buffer, found = LineBuffer(), []
    for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True):
        found += buffer.feed(whole[start:end])
    assert found == lines
    assert buffer.flush() == []


def test_a_last_line_without_break_is_kept() -> None:
    buffer = LineBuffer()
    assert buffer.feed(b"one\r\ntw") == ["one"]
    assert buffer.flush() == ["tw"]


@pytest.mark.parametrize("line", ["", "plain", "[1]", "3", '{"no": "type"}', '{"type": '])
def test_other_lines_are_no_events(line: str) -> None:
    assert parse_event(line) is None


def test_stages_are_those_that_hsi_geo_tells_of() -> None:
    """A stage by another name would move no progress bar."""
    root = Path(__file__).parents[1]
    plugin = (root / "qgis_plugin" / "hsi_geo_qgis" / "classify.py").read_text(encoding="utf-8")
    named = set(re.findall(r'"(\w+)": \d\.\d', plugin))
    sources = [path.read_text(encoding="utf-8") for path in (root / "hsi_geo").rglob("*.py")]
    told = {stage for text in sources for stage in re.findall(r'progress\("(\w+)"', text)}
    assert {"teacher", "adapt", "map"} == named <= told


def test_the_bar_goes_forward_through_the_stages() -> None:
    bar = ProgressBar({"look": 0.1, "adapt": 0.7, "map": 0.2})
    steps = [
        ("look", 1, 2, 5), ("look", 2, 2, 10), ("adapt", 1, 7, 20), ("adapt", 7, 7, 80),
        ("adapt", 1, 7, 80), ("unheard of", 1, 2, 80), ("map", 1, 4, 85), ("map", 0, 0, 85),
        ("map", 4, 4, 100),
    ]  # fmt: skip
    for stage, done, total, percent in steps:
        event = {"stage": stage, "done": done, "total": total}
        assert bar.percent(event) == pytest.approx(percent)


def test_a_part_of_the_bar() -> None:
    bar = ProgressBar({"map": 1.0}, start=80, end=100)
    assert bar.percent({"stage": "map", "done": 1, "total": 4}) == pytest.approx(85)


def test_the_hint_is_left_out_where_there_is_none() -> None:
    assert failure(1, {"message": "interrupted", "hint": ""}, [], "python") == "interrupted"


def test_options_become_arguments() -> None:
    found = arguments(
        "classify", "-odd scene.tif", max_memory="1G", seed=0, aoi=None, weights="", overwrite=True,
        confidence=False,
    )  # fmt: skip
    expected = ["classify", "--max-memory", "1G", "--seed", "0", "--overwrite", "--"]
    assert found == [*expected, "-odd scene.tif"]
    assert arguments("doctor", json=True) == ["doctor", "--json"]


# Where hsi-geo is --------------------------------------------------------------------------------


def executable(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o755)
    return str(path)


ISOLATED = ("-I", "-m", "hsi_geo")


def test_setting_comes_before_variable_before_path(tmp_path: Path) -> None:
    setting = executable(tmp_path / "a" / "python")
    variable = executable(tmp_path / "b" / "python")
    on_path = executable(tmp_path / "c" / "bin" / "hsi-geo")
    environ = {"HSI_GEO_PYTHON": variable, "PATH": str(tmp_path / "c" / "bin")}
    assert find_launcher(setting, environ).command == (setting, *ISOLATED)
    assert find_launcher("", environ).command == (variable, *ISOLATED)
    del environ["HSI_GEO_PYTHON"]
    assert find_launcher(" ", environ).command == (on_path,)
    beside = executable(tmp_path / "c" / "bin" / "python")
    assert find_launcher("", environ).command == (beside, *ISOLATED)


@pytest.mark.parametrize("python", ["bin/python", "Scripts/python.exe", "python.exe"])
def test_the_folder_of_an_environment_will_do(python: str, tmp_path: Path) -> None:
    expected = executable(tmp_path / "env" / python)
    assert find_launcher(str(tmp_path / "env"), {}).command == (expected, *ISOLATED)


def test_an_installed_script_leads_to_its_python(tmp_path: Path) -> None:
    """Tools that install programs put a link to the environment's script on the PATH."""
    python = executable(tmp_path / "venvs" / "hsi-geo" / "bin" / "python")
    script = executable(tmp_path / "venvs" / "hsi-geo" / "bin" / "hsi-geo")
    link = tmp_path / "bin" / "hsi-geo"
    link.parent.mkdir()
    link.symlink_to(script)
    assert find_launcher(str(link), {}).command == (python, *ISOLATED)
    assert find_launcher("", {"PATH": str(link.parent)}).program == python


@pytest.mark.parametrize(
    ("setting", "said"),
    [("", "not set up"), ("{}/none", "does not exist"), ("{}", "holds no Python")],
)
def test_what_is_not_there_is_told_with_what_to_do(setting: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(LauncherError, match=f"{said}.*pip install hsi-geo"):
        find_launcher(setting.format(tmp_path), {"PATH": str(tmp_path)})


# Qt 6, Python 3.9 --------------------------------------------------------------------------------


class AnyClass:
    """Stands for a class of QGIS."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass


class Qt6Module(types.ModuleType):
    """Stands for a module of QGIS or PyQt6: any class is there, with nothing on it."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        made = type(name, (AnyClass,), {})
        setattr(self, name, made)
        return made


@pytest.fixture
def qt6(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A QGIS of Qt 6, as far as importing goes; what was imported with it goes with it."""
    names = [
        "qgis", "qgis.core", "qgis.gui", "qgis.PyQt", "qgis.PyQt.QtCore", "qgis.PyQt.QtGui",
        "qgis.PyQt.QtWidgets",
    ]  # fmt: skip
    for name in names:
        monkeypatch.setitem(sys.modules, name, Qt6Module(name))
    core: Any = sys.modules["qgis.PyQt.QtCore"]
    core.QProcess = type(
        "QProcess",
        (AnyClass,),
        {  # PyQt6 has scoped enums only
            "ExitStatus": enum.Enum("ExitStatus", "NormalExit CrashExit"),
            "ProcessError": enum.Enum("ProcessError", "FailedToStart Crashed"),
        },
    )
    before = set(sys.modules)
    yield
    for name in {name for name in sys.modules if name.startswith("hsi_geo_qgis.")} - before:
        del sys.modules[name]


@pytest.mark.usefixtures("qt6")
def test_every_module_imports_under_qt6() -> None:
    for path in MODULES:
        importlib.import_module(f"hsi_geo_qgis.{path.stem}".removesuffix(".__init__"))
    provider = importlib.import_module("hsi_geo_qgis.provider").HsiGeoProvider()
    added: list[Any] = []
    provider.addAlgorithm = added.append
    provider.loadAlgorithms()
    assert [algorithm.name() for algorithm in added] == [
        "classify", "predict", "assess", "environment"
    ]  # fmt: skip
    for algorithm in added:
        assert "<h3>Example</h3>" in algorithm.shortHelpString()
        page, section = algorithm.helpUrl().split("#")
        assert page.endswith("docs/qgis.md")
        headings = (ROOT / "docs" / "qgis.md").read_text(encoding="utf-8").lower()
        assert f"\n## {section.replace('-', ' ')}\n" in headings


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.name)
def test_enums_of_qt_and_qgis_are_scoped(path: Path) -> None:
    """QProcess.CrashExit is gone in PyQt6, QProcess.ExitStatus.CrashExit is in both."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    scoped = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id.startswith("Q")
            and node.attr[0].isupper()
        ):
            assert id(node) in scoped | called, f"{node.value.id}.{node.attr}"


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.name)
def test_code_is_python_39(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text, feature_version=(3, 9))
    assert "from __future__ import annotations" in text
    # What newer versions of the standard library's calls take, and the grammar does not show.
    keywords = {
        (node.func.id, keyword.arg)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        for keyword in node.keywords
    }
    assert not keywords & {("zip", "strict"), ("dataclass", "slots"), ("dataclass", "kw_only")}
    names = {token.string for token in tokenize.generate_tokens(io.StringIO(text).readline)}
    assert not names & {"exec_", "subprocess", "pickle", "eval", "exec", "PyQt5", "PyQt6"}


# The package -------------------------------------------------------------------------------------


def test_metadata_is_complete() -> None:
    found = configparser.ConfigParser(interpolation=None)
    found.read(FOLDER / "metadata.txt", encoding="utf-8")
    general = found["general"]
    for key in (
        "name", "description", "about", "author", "email", "homepage", "repository", "tracker",
        "license", "tags", "icon", "changelog",
    ):  # fmt: skip
        assert general[key]
    assert (FOLDER / general["icon"]).is_file()
    assert general["hasProcessingProvider"] == "yes"
    assert (general["qgisMinimumVersion"], general["qgisMaximumVersion"]) == ("3.22", "4.99")
    assert "External dependency" in general["about"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert general["version"] == project["version"]


def test_make_plugin_builds_what_the_plugin_site_takes(tmp_path: Path) -> None:
    subprocess.run(
        ["make", "plugin", f"BUILD={tmp_path}", f"PYTHON={sys.executable}"],
        cwd=ROOT, check=True, capture_output=True,
    )  # fmt: skip
    built = tmp_path / "hsi_geo_qgis.zip"
    assert built.stat().st_size < 100_000
    names = [name for name in zipfile.ZipFile(built).namelist() if not name.endswith("/")]
    assert {name.split("/")[0] for name in names} == {"hsi_geo_qgis"}
    inside = {name.removeprefix("hsi_geo_qgis/") for name in names}
    assert inside == {path.name for path in MODULES} | {"metadata.txt", "icon.svg", "LICENSE"}


def test_scanners_find_nothing() -> None:
    """As `make lint` runs them; the plugin site blocks a plugin for any finding."""
    bandit = [sys.executable, "-m", "bandit", "--quiet", "--recursive", str(FOLDER)]
    secrets = [sys.executable, "-m", "detect_secrets.pre_commit_hook"]
    for command in (bandit, [*secrets, *map(str, FOLDER.iterdir())]):
        shown = subprocess.run(command, check=False, capture_output=True, text=True)
        assert shown.returncode == 0, shown.stdout + shown.stderr
