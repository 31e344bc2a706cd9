"""Version, icon and addresses of the plugin, from metadata.txt."""

from __future__ import annotations

import configparser
import os
from pathlib import Path

FOLDER = os.path.dirname(os.path.abspath(__file__))
ICON = os.path.join(FOLDER, "icon.svg")

_METADATA = configparser.ConfigParser(interpolation=None)
_METADATA.read(os.path.join(FOLDER, "metadata.txt"), encoding="utf-8")

VERSION = _METADATA["general"]["version"]
HOMEPAGE = _METADATA["general"]["homepage"]


def help_page(section: str) -> str:
    """Address of a section of the help, a page in the plugin's folder that needs no network.

    Args:
        section: Its heading, in lower case with hyphens.
    """
    return f"{Path(FOLDER, 'help.html').as_uri()}#{section}"
