"""The site builds without a warning, and numbers in pages are what commands printed."""

from __future__ import annotations

import importlib.util
import os
import runpy
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]

tables: Any = SimpleNamespace(**runpy.run_path(str(ROOT / "docs" / "tables.py")))

needs_mkdocs = pytest.mark.skipif(
    importlib.util.find_spec("mkdocstrings") is None, reason="needs the dependency group docs"
)


class _Resources(HTMLParser):
    """Addresses that a browser loads with a page: scripts, images, frames, styles."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in ("script", "img", "iframe"):
            self.found.append(given.get("src") or "")
        elif tag == "link" and given.get("rel") in ("stylesheet", "preload", "icon"):
            self.found.append(given.get("href") or "")


@needs_mkdocs
def test_site_builds_and_loads_nothing_from_other_hosts(tmp_path: Path) -> None:
    site = tmp_path / "site"
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(site)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    pages = list(site.rglob("*.html"))
    assert len(pages) > 15
    for page in pages:
        resources = _Resources()
        resources.feed(page.read_text(encoding="utf-8"))
        assert resources.found
        assert not [url for url in resources.found if "//" in url], page.name
    commands = (site / "commands.html").read_text(encoding="utf-8")
    assert all(name in commands for name in ("hsi-geo suggest", "hsi-geo assess", "--report"))
    part = commands[
        commands.index('id="hsi-geo-classify"') : commands.index('id="hsi-geo-pretrain"')
    ]
    headings = ("Inputs", "Outputs", "Accuracy", "Speed and memory", "Other options")
    places = [part.index(f"<strong>{heading}</strong>") for heading in headings]
    assert places == sorted(places)
    assert places[1] < part.index("--save-model", places[0]) < places[2]


def test_numbers_in_pages_are_those_of_results() -> None:
    """`python docs/tables.py` copies them; nobody types them."""
    made = tables.made_tables()
    marked = 0
    for path in tables.pages():
        page = path.read_text(encoding="utf-8")
        assert tables.filled(page, made) == page, f"{path.name}: run python docs/tables.py"
        marked += len(tables.PLACE.findall(page))
        assert page.count("<!-- result:") == page.count("<!-- end -->")
    assert marked > 8
