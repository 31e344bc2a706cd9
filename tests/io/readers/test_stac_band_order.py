"""Bands of a STAC item that an asset names in another order."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import cube_of, write_tif

from hsi_geo.io.readers import read_scene
from hsi_geo.io.scenes.scene import open_scene

NM = {"B1": 460.0, "B2": 560.0, "B3": 660.0, "B4": 860.0}


def write(folder: Path, asset: dict[str, Any], key: str, centre: str, count: int) -> Path:
    """An item whose bands have the wavelengths, and an image."""
    write_tif(folder / "a.tif", cube_of(count))
    bands = [
        {
            "name": name,
            centre: nm / 1000,
            centre.replace("center_wavelength", "full_width_half_max"): nm / 1e5,
        }
        for name, nm in NM.items()
    ]
    item = {
        "type": "Feature",
        "id": "a",
        "properties": {key: bands},
        "assets": {"data": {"href": "a.tif", "type": "image/tiff", "roles": ["data"], **asset}},
    }
    (folder / "a.json").write_text(json.dumps(item))
    return folder / "a.json"


@pytest.mark.parametrize("named", [["B4", "B3", "B2", "B1"], ["B2", "B4"], ["B3"]], ids=str)
@pytest.mark.parametrize(
    ("key", "centre"),
    [("eo:bands", "center_wavelength"), ("bands", "eo:center_wavelength")],
)
@pytest.mark.parametrize("opened", ["a.json", "a.tif"])
def test_wavelengths_follow_the_names_of_the_asset(
    tmp_path: Path, named: list[str], key: str, centre: str, opened: str
) -> None:
    bands = [{"name": name} for name in named]
    write(tmp_path, {key: bands}, key, centre, len(named))
    scene = open_scene(tmp_path / opened)
    np.testing.assert_allclose(scene["wavelength"], [NM[name] for name in named])
    np.testing.assert_allclose(scene["fwhm"], [NM[name] / 100 for name in named])


@pytest.mark.parametrize(
    "bands", [[], [{"name": name} for name in "abcd"], [{"description": "x"}] * 4]
)
def test_without_names_of_the_item_its_order_counts(
    tmp_path: Path, bands: list[dict[str, str]]
) -> None:
    scene = open_scene(write(tmp_path, {"eo:bands": bands}, "eo:bands", "center_wavelength", 4))
    np.testing.assert_allclose(scene["wavelength"], list(NM.values()))


@pytest.mark.parametrize(
    ("key", "entry"),
    [
        ("raster:bands", "scale"),
        ("raster:bands", "offset"),
        ("raster:bands", "nodata"),
        ("bands", "nodata"),
    ],
)
def test_numbers_of_some_bands_only_are_not_used_with_a_word(
    tmp_path: Path, key: str, entry: str
) -> None:
    listed: list[dict[str, Any]] = [{entry: 7}, {entry: 7}, {}, {entry: 7}]
    scene = open_scene(write(tmp_path, {key: listed}, "eo:bands", "center_wavelength", 4))
    (warning,) = scene.attrs["warnings"]
    assert warning == f"its STAC item has '{entry}' for some of its bands only: not used"
    assert scene.attrs.get("_FillValue") is None
    assert (scene.attrs["scale_factor"], scene.attrs["add_offset"]) == (1, 0)


@pytest.mark.parametrize("key", ["bands", "raster:bands"])
@pytest.mark.parametrize(
    ("entry", "whole"),
    [("nodata", "nodata"), ("scale", "raster:scale"), ("offset", "raster:offset")],
)
@pytest.mark.parametrize("own", [7, 5])
def test_bands_without_a_number_have_that_of_the_asset(
    tmp_path: Path, key: str, entry: str, whole: str, own: int
) -> None:
    listed: list[dict[str, Any]] = [{entry: own}, {}, {entry: own}, {}]
    path = write(tmp_path, {key: listed, whole: 7}, "eo:bands", "center_wavelength", 4)
    file = read_scene(path)
    assert not file.warnings
    values = {"nodata": file.nodata, "scale": file.scale, "offset": file.offset}[entry]
    assert values.tolist() == [own, 7, own, 7]


def test_a_list_with_gaps_gives_way_to_a_complete_one(tmp_path: Path) -> None:
    asset = {
        "raster:bands": [{"scale": 3}, {}, {}, {}],
        "bands": [{"scale": n} for n in (2, 3, 4, 5)],
    }
    file = read_scene(write(tmp_path, asset, "eo:bands", "center_wavelength", 4))
    assert file.scale.tolist() == [2, 3, 4, 5]
    assert not file.warnings
