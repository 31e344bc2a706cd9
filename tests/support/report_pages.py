"""A page of a report: what it shows and asks for."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from matplotlib.image import imread


class Page(HTMLParser):
    """What a page shows and asks for."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.text = ""
        self.asked: list[str] = []
        self.headings: list[str] = []
        self.rows: list[list[str]] = []
        self.open: list[str] = []
        self.html = path.read_text(encoding="utf-8")
        self.feed(self.html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.asked += [value or "" for name, value in attrs if name in ("src", "href")]
        self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        self.open = self.open[: len(self.open) - self.open[::-1].index(tag) - 1]

    def handle_data(self, data: str) -> None:
        self.text += data
        if "td" in self.open or "th" in self.open:
            self.rows[-1][-1] += data
        elif self.open and self.open[-1] == "h2":
            self.headings.append(data)

    def row(self, first: str) -> list[str]:
        """The first row that begins so."""
        return next(row for row in self.rows if row and row[0] == first)

    @property
    def pictures(self) -> Iterator[Any]:
        for uri in self.asked:
            yield imread(io.BytesIO(base64.b64decode(uri.partition(",")[2])), format="png")
