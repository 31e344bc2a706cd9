"""Fixtures of sessions: shots, a recipe for which the default scene is large, and a count of computed features."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hsi_geo.tasks import adapt as adaptation
from hsi_geo.tasks.adaptation import prepared, preview_regions
from hsi_geo.tasks.adaptation.pixel_features import compute_pixel_features

if TYPE_CHECKING:
    from planted import Planted


@pytest.fixture
def shots(planted: Planted, tmp_path: Path) -> Path:
    """Shots of the default scene."""
    found: Path = planted.shots(tmp_path / "shots.gpkg")
    return found


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Number of pixels of each call that computes features."""
    calls: list[int] = []
    compute = compute_pixel_features

    def counted(regions: Any, *arguments: Any) -> Any:
        calls.append(len(regions.labels))
        return compute(regions, *arguments)

    monkeypatch.setattr(prepared, "compute_pixel_features", counted)
    return calls


@pytest.fixture
def large(quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the default scene (37 x 53 pixels) a large one."""
    recipe = dataclasses.replace(adaptation.DEFAULT_RECIPE, budget_px=900)
    monkeypatch.setattr(adaptation, "DEFAULT_RECIPE", recipe)
    monkeypatch.setattr(preview_regions, "PREVIEW_PX", 600)
