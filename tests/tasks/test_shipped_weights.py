"""The weights that ship have seen none of the scenes on which accuracy is reported."""

from __future__ import annotations

import ast
import runpy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from hsi_geo.io.datasets.benchmark_scenes import LOADERS, load_benchmark_scene

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "docs" / "measurements" / "pretrain_shipped_weights.py"
CARD = ROOT / "docs" / "model-card.md"


def test_script_names_no_benchmark_scene() -> None:
    """No import of their loaders, and no string with a scene's name outside docstrings."""
    tree = ast.parse(SCRIPT.read_text(encoding="utf-8"))
    imported = [n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)]
    assert imported
    assert not [name for name in imported if name.startswith("hsi_geo.io.datasets")]
    lone = {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Expr)}
    strings = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in lone
    ]
    assert "salton_sea" in strings
    words = "".join("\n" + text.lower().replace("_", "") for text in strings)
    assert not [name for name in LOADERS if name.replace("_", "") in words]


@pytest.mark.slow
def test_sources_hold_no_benchmark_scene(data: Path) -> None:
    """Neither by name nor by pixels; the model card has their number."""
    script: Any = SimpleNamespace(**runpy.run_path(str(SCRIPT)))
    sources = script.sources(data)
    assert not {str(scene.name) for scene in sources} & set(LOADERS)
    for name in LOADERS:
        scene = load_benchmark_scene(name, data).scene
        middle = scene.values[:, scene.shape[1] // 2, scene.shape[2] // 2].astype(np.float64)
        for source in sources:
            if source.shape[0] == len(middle):
                found = np.isclose(source.values, middle[:, None, None], rtol=1e-6).all(axis=0)
                assert not found.any(), f"{name} in {source.name}"
    pixels = sum(source.shape[1] * source.shape[2] for source in sources)
    assert f"{len(sources)} scenes, {pixels:,} pixels" in CARD.read_text(encoding="utf-8")
