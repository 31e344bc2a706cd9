"""A model knows the scene that it was adapted to, unless its files or their scale have changed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import rasterio
import rasterio.shutil
from builders import model_for, write_envi

from hsi_geo import batch, open_scene, predict, suggest
from hsi_geo.errors import ScaleError
from hsi_geo.tasks.artifacts.model import AdaptedModel, save_model
from hsi_geo.tasks.runtime import earlier_scene_hash, scene_hash

Planted = Any  # defined in conftest, which tests cannot import


def adapted_to(path: Path, hash_of: Callable[[Any], str] = scene_hash) -> AdaptedModel:
    model = model_for(path)
    hashes = {"scenes": [hash_of(open_scene(path))]}
    return dataclasses.replace(model, record={**model.record, "hashes": hashes})


def in_header(scene: Planted) -> tuple[Path, Callable[[], object]]:
    centres = ", ".join(map(str, scene.centres_nm))
    lines = f"wavelength = {{{centres}}}", "wavelength units = nm", "data ignore value = -999"
    path = write_envi(scene.path.with_name("cube.bsq"), scene.values, *lines)
    header = path.with_suffix(".hdr")
    text = header.read_text() + "reflectance scale factor = 10000\n"
    return path, lambda: header.write_text(text)


def given_by_header(scene: Planted) -> tuple[Path, Callable[[], object]]:
    path, change = in_header(scene)
    return path.with_suffix(".hdr"), change


def in_side_file(scene: Planted) -> tuple[Path, Callable[[], object]]:
    bands = "".join(
        f'<PAMRasterBand band="{number}"><Scale>0.0001</Scale></PAMRasterBand>'
        for number in range(1, len(scene.values) + 1)
    )
    side = scene.path.with_name(f"{scene.path.name}.aux.xml")
    return scene.path, lambda: side.write_text(f"<PAMDataset>{bands}</PAMDataset>")


def in_virtual_raster(scene: Planted) -> tuple[Path, Callable[[], object]]:
    path = scene.path.with_suffix(".vrt")
    rasterio.shutil.copy(scene.path, path, driver="VRT")

    def change() -> None:
        with rasterio.open(path, "r+") as file:
            file.scales = [0.0001] * file.count

    return path, change


FORMS = [in_header, given_by_header, in_side_file, in_virtual_raster]


@pytest.mark.parametrize("form", FORMS)
def test_training_scene_that_gets_a_scale_is_refused_as_a_copy_is(
    form: Callable[[Planted], tuple[Path, Callable[[], object]]], scene: Planted, tmp_path: Path
) -> None:
    path, change = form(scene)
    model = adapted_to(path)
    record = predict(path, model, out=tmp_path / "before.tif").record
    assert record["scene_adapted_to"]
    assert record["domain_shift"] is None
    change()
    save_model(model, tmp_path / "own.safetensors")
    with pytest.raises(ScaleError, match="10,000 times smaller"):
        predict(path, model, out=tmp_path / "after.tif")
    with pytest.raises(ScaleError, match="10,000 times smaller"):
        suggest(path, model)


def test_training_tile_of_a_batch_that_gets_a_scale_is_refused(
    scene: Planted, tmp_path: Path, scheduler: str
) -> None:
    path, change = in_header(scene)
    save_model(adapted_to(path), tmp_path / "own.safetensors")
    change()
    done = batch(path, tmp_path / "own.safetensors", tmp_path / "maps", scheduler=scheduler)
    assert done.refused_for_scale == 1


def test_model_of_an_earlier_version_knows_a_single_file_and_compares_its_scale(
    scene: Planted, tmp_path: Path
) -> None:
    path, change = in_side_file(scene)
    model = adapted_to(path, earlier_scene_hash)
    record = predict(path, model, out=tmp_path / "before.tif").record
    assert record["scene_adapted_to"]
    assert record["domain_shift"] is not None
    change()
    with pytest.raises(ScaleError, match="10,000 times smaller"):
        predict(path, model, out=tmp_path / "after.tif")


def test_model_of_an_earlier_version_does_not_know_a_scene_of_several_files(
    scene: Planted, tmp_path: Path
) -> None:
    path, _ = in_header(scene)
    model = adapted_to(path, earlier_scene_hash)
    assert not predict(path, model, out=tmp_path / "map.tif").record["scene_adapted_to"]
