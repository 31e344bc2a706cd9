"""The weights that come with the package; importing their path imports no torch."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

#: Default weights of `adapt`; see docs/model-card.md.
SHIPPED = Path(str(files("hsi_geo.data"))) / "s2former.safetensors"
