"""Masks in jobs: what is masked teaches nothing and gets no class, and another mask than before is a warning."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import rasterio
from builders import nm_tags, run, write_tif
from mask_cases import enmap

from hsi_geo import batch, predict
from hsi_geo.arrays import AnyArray
from hsi_geo.io.scenes.mask_option import mask_names, other_mask_warning
from hsi_geo.io.scenes.scene import open_scene
from hsi_geo.tasks.artifacts.model import load_model

if TYPE_CHECKING:
    from planted import Planted


@pytest.mark.usefixtures("quick")
@pytest.mark.slow
def test_masked_pixels_teach_nothing_and_get_no_class(planted: Planted, tmp_path: Path) -> None:
    """As if the pixels were missing in the scene itself."""
    shots = planted.shots(tmp_path / "shots.gpkg")
    hidden = np.zeros(planted.truth.shape, bool)
    hidden[20:30, 10:40] = True
    mask = write_tif(tmp_path / "mask.tif", hidden[None].astype("uint8"))
    values = np.where(hidden, -999, planted.values)
    holes = write_tif(
        tmp_path / "holes.tif", values, band_tags=nm_tags(list(planted.centres_nm)), nodata=-999
    )
    for scene, options, name in ((planted.path, ("--mask", mask), "a"), (holes, (), "b")):
        done = run("classify", scene, "--shots", shots, "-o", tmp_path / f"{name}.tif", *options)
        assert done.exit_code == 0, done.output
    with rasterio.open(tmp_path / "a.tif") as a, rasterio.open(tmp_path / "b.tif") as b:
        np.testing.assert_array_equal(a.read(1), b.read(1))
        np.testing.assert_array_equal(a.read(1) == 0, hidden | (planted.truth == 0))
    record = json.loads((tmp_path / "a.json").read_text())
    assert record["mask"]["masked_px"] == 300
    assert record["mask"]["reasons"] == {"mask file": 300}
    shown = run("info", planted.path, "--shots", shots, "--mask", mask).stdout
    assert "pixels on nodata or masked" in shown


@pytest.mark.parametrize(
    ("adapted", "option", "warns"),
    [
        (["auto"], "auto", False),
        (["auto"], "none", True),
        (["clouds,shadows"], "Shadows, clouds", False),
        (["auto", "none"], "none", False),
        (["mask file"], "auto", True),
        (None, "none", False),
        ("auto", "none", False),
        ([3], "none", False),
    ],
)
def test_another_mask_than_the_models_is_a_warning(
    tmp_path: Path, adapted: object, option: str, warns: bool
) -> None:
    scene = open_scene(enmap(tmp_path / "product"), mask=option)
    warning = other_mask_warning(scene, adapted)
    assert bool(warning) == warns
    if warns:
        assert mask_names([scene, scene])[0] in warning


def test_a_map_warns_of_another_mask(planted: Planted, model: Path, tmp_path: Path) -> None:
    adapted = load_model(model)
    parameters = {**adapted.record["parameters"], "masks": ["clouds"]}
    other = dataclasses.replace(adapted, record={**adapted.record, "parameters": parameters})
    result = predict(planted.path, other, out=tmp_path / "map.tif")
    assert "was adapted with the mask 'clouds'" in " ".join(result.record["warnings"])
    again = predict(planted.path, adapted, out=tmp_path / "again.tif")
    assert "the mask" not in " ".join(again.record["warnings"])


def test_batches_mask_each_tile_and_map_again_with_another_mask(
    halves: list[Path], model: Path, scheduler: str, tmp_path: Path
) -> None:
    hidden = np.zeros((37, 53), "uint8")
    hidden[5:12, 15:30] = 1  # of both tiles
    mask = write_tif(tmp_path / "mask.tif", hidden[None])

    def mapped(option: str) -> tuple[AnyArray, int]:
        result = batch(halves, model, tmp_path / "maps", scheduler=scheduler, mask=option)
        parts = []
        for path in result.maps.values():
            with rasterio.open(path) as file:
                parts.append(file.read(1))
        return np.hstack(parts), result.count("mapped")

    everything, _ = mapped("auto")
    some, count = mapped(str(mask))
    assert count == 2
    np.testing.assert_array_equal(some == 0, (everything == 0) | (hidden == 1))
    assert mapped(str(mask))[1] == 0
    write_tif(mask, (1 - hidden)[None])
    assert mapped(str(mask))[1] == 2
    record = json.loads((tmp_path / "maps" / "west.json").read_text())
    assert record["mask"]["masked_px"] == 37 * 21 - 7 * 6
