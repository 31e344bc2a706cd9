"""Few-shot land-cover mapping of georeferenced hyperspectral scenes.

Names are imported when they are first used: torch alone takes a second, and most commands and
many scripts do not need it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from hsi_geo.threads import yield_when_waiting

if TYPE_CHECKING:
    from hsi_geo.errors import HsiGeoError
    from hsi_geo.io.datasets.geo import HyperspectralScene, ShotLabels
    from hsi_geo.io.datasets.samplers import ShotSampler, ValidPatchSampler
    from hsi_geo.io.labels.shots import read_shots
    from hsi_geo.io.scenes.scene import open_scene
    from hsi_geo.tasks.adapt import adapt
    from hsi_geo.tasks.assess import assess
    from hsi_geo.tasks.batch import batch
    from hsi_geo.tasks.classify import classify
    from hsi_geo.tasks.demo import demo
    from hsi_geo.tasks.predict import predict
    from hsi_geo.tasks.pretrain import pretrain
    from hsi_geo.tasks.suggest import suggest

_HOMES = {
    "HsiGeoError": "hsi_geo.errors",
    "HyperspectralScene": "hsi_geo.io.datasets.geo",
    "ShotLabels": "hsi_geo.io.datasets.geo",
    "ShotSampler": "hsi_geo.io.datasets.samplers",
    "ValidPatchSampler": "hsi_geo.io.datasets.samplers",
    "adapt": "hsi_geo.tasks.adapt",
    "assess": "hsi_geo.tasks.assess",
    "batch": "hsi_geo.tasks.batch",
    "classify": "hsi_geo.tasks.classify",
    "demo": "hsi_geo.tasks.demo",
    "open_scene": "hsi_geo.io.scenes.scene",
    "predict": "hsi_geo.tasks.predict",
    "pretrain": "hsi_geo.tasks.pretrain",
    "read_shots": "hsi_geo.io.labels.shots",
    "suggest": "hsi_geo.tasks.suggest",
}

__all__ = [
    "HsiGeoError",
    "HyperspectralScene",
    "ShotLabels",
    "ShotSampler",
    "ValidPatchSampler",
    "adapt",
    "assess",
    "batch",
    "classify",
    "demo",
    "open_scene",
    "predict",
    "pretrain",
    "read_shots",
    "suggest",
]


yield_when_waiting()  # here, as whatever imports torch comes later


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return importlib.import_module("importlib.metadata").version("hsi-geo")
    if name not in _HOMES:
        raise AttributeError(f"module 'hsi_geo' has no attribute '{name}'")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
