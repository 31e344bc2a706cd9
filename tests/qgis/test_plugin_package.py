"""The plugin's form: Qt 6, Python 3.9, and the package that is uploaded."""

from __future__ import annotations

import ast
import configparser
import enum
import importlib
import io
import re
import runpy
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

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "qgis_plugin" / "hsi_geo_qgis"
MODULES = sorted(FOLDER.rglob("*.py"))


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
        "qgis.PyQt.QtWidgets", "qgis.PyQt.QtXml", "qgis.utils", "processing", "processing.gui",
        "processing.gui.wrappers",
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
        parts = path.relative_to(FOLDER.parent).with_suffix("").parts
        importlib.import_module(".".join(parts).removesuffix(".__init__"))
    provider = importlib.import_module("hsi_geo_qgis.provider").HsiGeoProvider()
    added: list[Any] = []
    provider.addAlgorithm = added.append
    provider.loadAlgorithms()
    assert [algorithm.name() for algorithm in added] == [
        "open", "info", "classify", "classify_scenes", "adapt", "suggest", "predict", "batch", "polygons", "sample", "assess", "compare", "zones",
        "environment", "setup",
    ]  # fmt: skip
    for algorithm in added:
        assert "<h3>Example</h3>" in algorithm.shortHelpString()
        page, section = algorithm.helpUrl().split("#")
        assert page == (FOLDER / "help.html").as_uri()
        assert f'<h2 id="{section}">' in (FOLDER / "help.html").read_text(encoding="utf-8")


def test_the_help_page_is_that_of_the_documentation() -> None:
    """`python docs/plugin_help.py` was run after the last change of docs/qgis.md."""
    made: Any = runpy.run_path(str(ROOT / "docs" / "plugin_help.py"))
    page = made["page"]()
    assert (FOLDER / "help.html").read_text(encoding="utf-8") == page
    assert "<img" not in page  # nothing that is loaded, from a network or a file
    assert not re.search(r'(?:src|@import|<link)[ ="]', page)
    # Links lead to headings of the page itself, or say that they leave it.
    for link in re.findall(r'href="([^"]+)"', page):
        assert link.startswith("https://") or f'id="{link[1:]}"' in page, link


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(FOLDER)))
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


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(FOLDER)))
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


@pytest.mark.slow
def test_make_plugin_builds_what_the_plugin_site_takes(tmp_path: Path) -> None:
    subprocess.run(
        ["make", "plugin", f"BUILD={tmp_path}", f"PYTHON={sys.executable}",
         "WHEEL_OPTIONS=--no-build-isolation"],
        cwd=ROOT, check=True, capture_output=True,
    )  # fmt: skip
    built = tmp_path / "hsi_geo_qgis.zip"
    assert built.stat().st_size < 3_000_000
    names = [name for name in zipfile.ZipFile(built).namelist() if not name.endswith("/")]
    assert {name.split("/")[0] for name in names} == {"hsi_geo_qgis"}
    inside = {name.removeprefix("hsi_geo_qgis/") for name in names}
    (wheel,) = (name for name in inside if name.startswith("wheel/"))
    own = {path.relative_to(FOLDER).as_posix() for path in MODULES} | {
        "metadata.txt",
        "icon.svg",
        "help.html",
        "LICENSE",
    }
    assert inside - {wheel} == own
    version = configparser.ConfigParser(interpolation=None)
    version.read(FOLDER / "metadata.txt", encoding="utf-8")
    assert wheel == f"wheel/hsi_geo-{version['general']['version']}-py3-none-any.whl"
    with zipfile.ZipFile(zipfile.ZipFile(built).open(f"hsi_geo_qgis/{wheel}")) as carried:
        packed = set(carried.namelist())
    library = [path.relative_to(ROOT).as_posix() for path in (ROOT / "hsi_geo").rglob("*.py")]
    assert set(library) <= packed
    assert "hsi_geo/cli/main.py" in packed
    assert "hsi_geo/data/s2former.safetensors" in packed


@pytest.mark.slow
def test_scanners_find_nothing() -> None:
    """As `make lint` runs them; the plugin site blocks a plugin for any finding."""
    bandit = [sys.executable, "-m", "bandit", "--quiet", "--recursive", str(FOLDER)]
    secrets = [sys.executable, "-m", "detect_secrets.pre_commit_hook"]
    for command in (
        bandit,
        [
            *secrets,
            *(
                str(one)
                for one in FOLDER.rglob("*")
                if one.suffix in (".py", ".html", ".txt", ".svg")
            ),
        ],
    ):
        shown = subprocess.run(command, check=False, capture_output=True, text=True)
        assert shown.returncode == 0, shown.stdout + shown.stderr
