"""Write the help page inside the QGIS plugin from docs/qgis.md, so that help needs no network.

    python docs/plugin_help.py

Pictures are left out, since the plugin is small. Links to other pages lead to the repository.
"""

from __future__ import annotations

import configparser
import re
from pathlib import Path

import markdown

DOCS = Path(__file__).parent
PLUGIN = DOCS.parent / "qgis_plugin" / "hsi_geo_qgis"
TARGET = PLUGIN / "help.html"

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>hsi-geo in QGIS</title>
<style>
body {{ font-family: sans-serif; line-height: 1.5; max-width: 48em; margin: 2em auto; padding: 0 1em; }}
table {{ border-collapse: collapse; }}
td, th {{ border: 1px solid #bbb; padding: 0.3em 0.6em; text-align: left; vertical-align: top; }}
pre, code {{ background: #f3f3f3; }}
</style>
</head>
<body>
{body}
</body>
</html>
"""


def page() -> str:
    """The help page as HTML."""
    about = configparser.ConfigParser(interpolation=None)
    about.read(PLUGIN / "metadata.txt", encoding="utf-8")
    base = f"{about['general']['homepage']}/blob/main/docs/"
    text = (DOCS / "qgis.md").read_text(encoding="utf-8")
    text = re.sub(r"!\[[^]]*\]\([^)]*\)\n\n\*[^*]+\*\n", "", text)  # pictures with their captions
    text = re.sub(r"\]\((?!https?:|#)([^)]+)\)", rf"]({base}\1)", text)
    body = markdown.markdown(text, extensions=["tables", "toc", "sane_lists"])
    return _PAGE.format(body=body)


if __name__ == "__main__":
    TARGET.write_text(page(), encoding="utf-8")
