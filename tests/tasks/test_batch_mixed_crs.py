"""Tiles and scenes whose files describe one CRS in different words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import rasterio
from affine import Affine
from batch_cases import COLS, ROWS, cut, ids_in
from builders import model_for, write_envi
from pyproj import CRS

from hsi_geo import batch, open_scene
from hsi_geo.io.scenes.alignment import aligned_grids
from hsi_geo.tasks.artifacts.model import save_model
from hsi_geo.tasks.predict import predict

pytest.importorskip("pystac", reason="needs the extra batch")

MakeScene = Any  # defined in conftest, which tests cannot import


def as_envi(tile: Path) -> Path:
    """Replace a GeoTIFF in degrees by an ENVI cube whose header has ESRI's text of the CRS: longitude is its first axis."""
    with rasterio.open(tile) as file:
        cube, t = file.read(), file.transform
        centres = ", ".join(file.tags(band)["wavelength"] for band in file.indexes)
    path = tile.with_suffix(".bsq")
    write_envi(
        path,
        cube,
        f"wavelength = {{{centres}}}",
        "wavelength units = Nanometers",
        "data ignore value = -999",
        f"coordinate system string = {{{CRS('EPSG:4326').to_wkt('WKT1_ESRI')}}}",
    )
    header = path.with_suffix(".hdr")
    place = f"map info = {{Geographic Lat/Lon, 1, 1, {t.c}, {t.f}, {t.a}, {-t.e}, WGS-84, units=Degrees}}"
    lines = header.read_text().splitlines()
    kept = [place if line.startswith("map info") else line for line in lines]
    header.write_text("\n".join(kept) + "\n")
    tile.unlink()
    return path


def test_tiles_with_axes_in_another_order_are_one_mosaic(
    make_scene: MakeScene, scheduler: str, tmp_path: Path
) -> None:
    place = Affine(0.0003, 0.0, 13.1, 0.0, -0.0002, 52.4)
    scene = make_scene(bands=9, crs="EPSG:4326", transform=place)
    model = tmp_path / "degrees.safetensors"
    save_model(model_for(scene.path), model)
    tiles = cut(scene.path, tmp_path / "tiles", ROWS, COLS)
    tiles = [as_envi(tile) if number % 2 else tile for number, tile in enumerate(tiles)]
    opened = [open_scene(tile) for tile in tiles]
    assert opened[0].hsi.grid.crs != opened[1].hsi.grid.crs
    assert len(aligned_grids(opened)) == 6
    result = batch(tiles, model, tmp_path / "maps", scheduler=scheduler)
    whole = ids_in(predict(scene.path, model, out=tmp_path / "whole.tif").paths.classes)
    assert (ids_in(result.outputs["index"]) != whole).mean() < 0.001
