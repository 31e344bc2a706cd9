"""Adds files outside docs/ to the site: the examples, and pages of the repository's root."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

#: Files of the root that are pages of the site, under another name.
PAGES = {"CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}


def on_config(config: Any) -> Any:
    """Add pages that the navigation does not list at its end."""
    listed = str(config["nav"])
    pages = sorted(Path(config["docs_dir"]).glob("*.md"))
    unlisted = [page.name for page in pages if page.name not in listed]
    if unlisted:
        config["nav"].append({"More": unlisted})
    return config


def on_files(files: Files, config: Any) -> Files:
    """Add the root's pages and the examples."""
    root = Path(config["config_file_path"]).parent
    for source, page in PAGES.items():
        files.append(File.generated(config, page, content=(root / source).read_text("utf-8")))
    for example in sorted((root / "examples").glob("*.py")):
        address = f"examples/{example.name}"
        files.append(File.generated(config, address, content=example.read_text("utf-8")))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Change links to files outside docs/ into links to their pages on the site."""
    markdown = re.sub(r"\]\(\.\./(examples/[^)]+\.py)\)", r"](\1)", markdown)
    for source, page in PAGES.items():
        markdown = markdown.replace(f"](../{source})", f"]({page})")
    return re.sub(r"\]\(docs/([^)]+)\)", r"](\1)", markdown)
