"""Models of scenes on any scale are saved, read, and give the same map."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from batch_cases import ids_in
from builders import NORTH_UP, model_for, nm_tags, write_tif

from hsi_geo import predict
from hsi_geo.tasks.artifacts.model import load_model, save_model

MakeScene = Any  # defined in conftest, which tests cannot import


@pytest.mark.parametrize("factor", [1e-25, 1e16, 1e25])
def test_models_of_small_and_huge_values(
    make_scene: MakeScene, tmp_path: Path, factor: float
) -> None:
    """Radiance in photons is 1e16 and more; its variance is the square of that."""
    scene = make_scene(bands=9, hole=False)
    maps = []
    for name, scale in (("plain", 1.0), ("scaled", factor)):
        path = write_tif(
            tmp_path / f"{name}.tif",
            scene.values * scale,
            band_tags=nm_tags(list(scene.centres_nm)),
            crs="EPSG:32633",
            transform=NORTH_UP,
        )
        save_model(model_for(path), tmp_path / f"{name}.safetensors")
        model = load_model(tmp_path / f"{name}.safetensors")
        maps.append(ids_in(predict(path, model, out=tmp_path / f"{name}_map.tif").paths.classes))
    assert (maps[0] > 0).any()
    assert (maps[0] == maps[1]).mean() > 0.999
