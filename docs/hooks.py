"""Adds files outside docs/ to the site: the examples, pages of the repository's root, and the help of commands."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from hsi_geo.cli.help import sections
from hsi_geo.cli.main import COMMANDS, group
from mkdocs.structure.files import File, Files

#: Stands in a page where the help of all commands goes.
HELP = "<!-- help of all commands -->"

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
    for example in sorted((root / "examples").glob("*.*")):
        address = f"examples/{example.name}"
        files.append(File.generated(config, address, content=example.read_text("utf-8")))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Fill in the help of commands; change links to files outside docs/ into links to their pages on the site."""
    if HELP in markdown:
        markdown = markdown.replace(HELP, "\n".join(help_of_commands()))
    markdown = re.sub(r"\]\(\.\./(examples/[^)]+\.(?:py|ipynb))\)", r"](\1)", markdown)
    for source, page in PAGES.items():
        markdown = markdown.replace(f"](../{source})", f"]({page})")
    return re.sub(r"\]\(docs/([^)]+)\)", r"](\1)", markdown)


def help_of_commands() -> Iterator[str]:
    """Lines of Markdown: each command with its text, its usage, and its options in groups, as --help has them."""
    whole = click.Context(group, info_name="hsi-geo")
    for name in COMMANDS:
        command = group.get_command(whole, name)
        assert command is not None  # COMMANDS lists the commands
        context = click.Context(command, info_name=name, parent=whole)
        yield f"## hsi-geo {name} {{ #hsi-geo-{name} data-toc-label='{name}' }}\n"
        yield inspect.cleandoc(command.help or "")
        yield f"\n    {' '.join([context.command_path, *command.collect_usage_pieces(context)])}\n"
        for heading, records in sections(command, context).items():
            formatter = click.HelpFormatter(width=100)
            formatter.write_dl(records)
            yield f"**{heading}**\n\n```text\n{formatter.getvalue().rstrip()}\n```\n"
