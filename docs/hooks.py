"""Lets the site hold what lies beside docs/: examples, and pages of the repository's own root."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

#: Files of the root that are pages of the site, under another name.
PAGES = {"CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}


def on_config(config: Any) -> Any:
    """Give pages that nobody has placed in the navigation a place at its end."""
    listed = str(config["nav"])
    pages = sorted(Path(config["docs_dir"]).glob("*.md"))
    left = [page.name for page in pages if page.name not in listed]
    if left:
        config["nav"].append({"More": left})
    return config


def on_files(files: Files, config: Any) -> Files:
    """Add the root's pages, and the examples as they are."""
    root = Path(config["config_file_path"]).parent
    for source, page in PAGES.items():
        files.append(File.generated(config, page, content=(root / source).read_text("utf-8")))
    for example in sorted((root / "examples").glob("*.py")):
        place = f"examples/{example.name}"
        files.append(File.generated(config, place, content=example.read_text("utf-8")))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Links out of docs/ lead to where the site holds the same."""
    markdown = re.sub(r"\]\(\.\./(examples/[^)]+\.py)\)", r"](\1)", markdown)
    for source, page in PAGES.items():
        markdown = markdown.replace(f"](../{source})", f"]({page})")
    return re.sub(r"\]\(docs/([^)]+)\)", r"](\1)", markdown)
