"""Wyvern, Pixxel, Hyperion and other scenes whose bands are described beside their pixels."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from affine import Affine
from builders import NORTH_UP, cube_of, nm_tags, physical, write_tif
from new_sensor_cases import (
    CLOUDY,
    HAZY,
    HYPERION,
    HYPERION_BANDS,
    PIXXEL_NM,
    SHADED,
    WYVERN,
    WYVERN_NM,
    hyperion_band,
    write_hyperion,
    write_pixxel,
    write_plain_bands,
    write_wyvern,
    wyvern_cube,
    wyvern_item,
)

from hsi_geo.errors import SceneError, WavelengthError
from hsi_geo.io.scenes.mask_option import masked_counts
from hsi_geo.io.scenes.properties import bands_of, grid_of
from hsi_geo.io.scenes.scene import open_scene
from hsi_geo.tasks.info import describe_scene


def missing(path: Path, mask: str = "auto") -> list[tuple[int, ...]]:
    return [
        tuple(place) for place in np.argwhere(~physical(open_scene(path, mask=mask))[1]).tolist()
    ]


def moved_to_bands(item: dict[str, Any]) -> dict[str, Any]:
    """The item in STAC 1.1, which has one list of bands."""
    asset = item["assets"]["Cloud optimized GeoTiff"]
    bands, rasters = asset.pop("eo:bands"), asset.pop("raster:bands")
    asset["bands"] = [
        {
            "name": one["name"],
            "eo:center_wavelength": one["center_wavelength"],
            "eo:full_width_half_max": one["full_width_half_max"],
            "raster:scale": raster["scale"],
            "nodata": raster["nodata"],
        }
        for one, raster in zip(bands, rasters, strict=True)
    ]
    return item


@pytest.mark.parametrize("change", [lambda item: item, moved_to_bands])
@pytest.mark.parametrize("name", [f"{WYVERN}.json", f"{WYVERN}.tiff.json", "item.json"])
def test_a_stac_item_beside_a_wyvern_scene_describes_it(
    tmp_path: Path, change: Callable[[dict[str, Any]], dict[str, Any]], name: str
) -> None:
    path = write_wyvern(tmp_path / "order", item=change(wyvern_item()))
    path.with_suffix(".json").rename(path.with_name(name))
    scene = open_scene(path)
    bands = bands_of(scene)
    np.testing.assert_allclose(bands.centres_nm, WYVERN_NM)
    np.testing.assert_allclose(bands.fwhm_nm, 20.0)
    assert scene.attrs["driver"] == "Dragonette-001, GTiff"
    assert scene.attrs["scale_factor"] == pytest.approx(1e-4)
    assert scene.attrs["_FillValue"] == 65535
    assert missing(path, "none") == [(3, 1)]
    assert missing(path) == [CLOUDY, HAZY, (3, 1), SHADED]
    image, valid = physical(scene)
    np.testing.assert_allclose(image[:, valid], wyvern_cube()[:, valid] / 1e4, rtol=1e-5)
    assert masked_counts(scene)["reasons"] == {"cloud": 1, "haze": 1, "shadow": 1}


def test_numbers_of_an_item_may_be_texts(tmp_path: Path) -> None:
    item, usual = wyvern_item(), open_scene(write_wyvern(tmp_path / "usual"))
    for band in item["assets"]["Cloud optimized GeoTiff"]["raster:bands"]:
        band |= {"scale": "0.0001", "nodata": "65535", "offset": "0"}
    found = open_scene(write_wyvern(tmp_path / "odd", item=item))
    for key in ("scale_factor", "_FillValue"):
        np.testing.assert_array_equal(found.attrs[key], usual.attrs[key])


def test_an_item_of_another_file_is_left_alone(tmp_path: Path) -> None:
    item = wyvern_item()
    item["assets"]["Cloud optimized GeoTiff"]["href"] = "other.tiff"
    path = write_wyvern(tmp_path, item=item)
    with pytest.raises(WavelengthError, match="has 4 bands and no wavelengths"):
        open_scene(path)


BROKEN_ITEMS: dict[str, Any] = {
    "text": "no JSON",
    "list": "[1]",
    "deep": "[" * 100_000,
    "assets is a list": {"properties": {}, "assets": [1]},
    "asset is text": {"properties": {}, "assets": {"a": "b"}},
    "href is a number": {"properties": {}, "assets": {"a": {"href": 7}}},
    "bands is text": {"properties": {"eo:bands": "x"}, "assets": {"a": {"href": f"{WYVERN}.tiff"}}},
    "centre is text": {
        "properties": {"platform": 7},
        "assets": {
            "a": {"href": f"{WYVERN}.tiff", "eo:bands": [{"center_wavelength": "blue"}] * 4}
        },
    },
    "scale is text": {
        "properties": {},
        "assets": {"a": {"href": f"{WYVERN}.tiff", "raster:bands": [{"scale": "x", "nodata": {}}]}},
    },
    "folder": {"properties": {}, "assets": {"mask": {"href": "..", "roles": ["cloud"]}}},
}


@pytest.mark.parametrize("kind", BROKEN_ITEMS)
def test_broken_items_describe_nothing(tmp_path: Path, kind: str) -> None:
    path = write_wyvern(tmp_path)
    content = BROKEN_ITEMS[kind]
    text = content if isinstance(content, str) else json.dumps(content)
    path.with_suffix(".json").write_text(text)
    scene = open_scene(path, wavelengths="450:900")
    assert scene.attrs["scale_factor"] == 1
    np.testing.assert_array_equal(
        open_scene(path, wavelengths="450:900", mask="none"), wyvern_cube()
    )


@pytest.mark.parametrize(
    ("about", "flagged"),
    [
        (
            {
                "classification:bitfields": [
                    {"name": "cloud", "offset": 1, "length": 1},
                    {
                        "name": "cloud_shadow_confidence",
                        "offset": 2,
                        "length": 2,
                        "classes": [
                            {"value": 1, "name": "low"},
                            {"value": 3, "name": "high"},
                        ],
                    },
                    {"name": "dilated", "offset": 0, "length": 1},
                ]
            },
            {"cloud": {2, 3, 14}, "cloud shadow confidence": {12, 14}},
        ),
        (
            {
                "classification:classes": [
                    {"value": 2, "name": "cloud"},
                    {"value": 4, "name": "land"},
                ]
            },
            {"cloud": {2}},
        ),
    ],
)
def test_classes_and_bits_of_a_mask_are_those_of_its_item(
    tmp_path: Path, about: dict[str, Any], flagged: dict[str, set[int]]
) -> None:
    codes = np.array([[0, 1, 2, 3, 4, 12, 14]] * 5, "uint8")
    item = wyvern_item()
    item["assets"]["Data Mask"] |= about
    path = write_wyvern(tmp_path, item=item)
    write_tif(tmp_path / f"{WYVERN}_data_mask.tiff", codes[None])
    counts = masked_counts(open_scene(path))["reasons"]
    wanted = {flag: 5 * len(values & set(codes[0].tolist())) for flag, values in flagged.items()}
    assert counts == wanted


@pytest.mark.parametrize(
    ("transform", "used"),
    [
        (NORTH_UP, True),
        (NORTH_UP @ Affine.translation(0.02, 0.0), True),
        (NORTH_UP @ Affine.translation(1.0, 0.0), False),
        (NORTH_UP @ Affine.translation(0.0, 5.0) @ Affine.scale(1.0, -1.0), False),
    ],
)
def test_a_mask_that_lies_elsewhere_is_a_warning(
    tmp_path: Path, transform: Affine, used: bool
) -> None:
    """Its pixels are not those of the scene, even if they are as many."""
    path = write_wyvern(tmp_path)
    flags = np.zeros((4, 5, 7), "uint8")
    flags[1, 0, 3] = 1
    write_tif(tmp_path / f"{WYVERN}_data_mask.tiff", flags, transform=transform)
    scene = open_scene(path)
    if used:
        assert masked_counts(scene)["reasons"]["cloud"] == 1
    else:
        (warning,) = scene.attrs["warnings"]
        assert "not applied: its pixels lie elsewhere than those of the scene" in warning


def test_nan_as_nodata_needs_no_word(tmp_path: Path) -> None:
    path = write_wyvern(tmp_path, item=wyvern_item(**{"raster:bands": [{"nodata": "nan"}] * 4}))
    assert not open_scene(path).attrs.get("warnings")


def test_a_mask_without_a_meaning_is_a_warning(tmp_path: Path) -> None:
    item = wyvern_item()
    item["assets"]["Pixel Quality Mask"] = {"href": "quality.tiff", "roles": ["data-mask"]}
    path = write_wyvern(tmp_path, item=item)
    write_tif(tmp_path / "quality.tiff", np.ones((1, 5, 7), "uint8"))
    scene = open_scene(path)
    (warning,) = scene.attrs["warnings"]
    assert warning == (
        "the masks in 'quality.tiff' are not applied: nothing tells what their numbers mean"
    )
    assert missing(path) == missing(write_wyvern(tmp_path / "other"))


def test_a_mask_of_other_pixels_is_a_warning(tmp_path: Path) -> None:
    path = write_wyvern(tmp_path)
    write_tif(tmp_path / f"{WYVERN}_data_mask.tiff", np.ones((4, 5, 8), "uint8"))
    (warning,) = open_scene(path).attrs["warnings"]
    assert f"the masks in '{WYVERN}_data_mask.tiff' are not applied: it has 5 x 8 pixels" in warning
    assert missing(path) == [(3, 1)]


def test_pixxels_bits_are_applied(tmp_path: Path) -> None:
    path = write_pixxel(tmp_path)
    scene = open_scene(path)
    np.testing.assert_array_equal(bands_of(scene).centres_nm, PIXXEL_NM)
    assert missing(path) == [CLOUDY, SHADED]
    assert missing(path, "water") == [(1, 1), SHADED]
    path.with_suffix(".xml").unlink()  # a mask of nobody knows whom
    assert missing(path) == []


@pytest.mark.parametrize("way", ["folder", "zip", "gztar"])
def test_hyperion_is_a_folder_of_bands(tmp_path: Path, way: str) -> None:
    path = write_hyperion(tmp_path / HYPERION)
    if way != "folder":
        path = Path(shutil.make_archive(str(tmp_path / "a"), way, tmp_path, HYPERION))
    scene = open_scene(path)
    assert scene.attrs["driver"] == "Hyperion L1T"
    assert scene.attrs["packed"] is (way == "gztar")
    assert scene.shape == (len(HYPERION_BANDS), 5, 7)
    bands = bands_of(scene)
    good = [8 <= number <= 57 or 77 <= number <= 224 for number in HYPERION_BANDS]
    np.testing.assert_array_equal(bands.good, good)
    nm = dict(zip(HYPERION_BANDS, bands.centres_nm, strict=True))
    published = {8: 426.82, 57: 925.41, 77: 912.45, 80: 942.73, 224: 2395.5}
    assert {number: nm[number] for number in published} == pytest.approx(published, abs=0.05)
    stored = np.stack([hyperion_band(number) for number in HYPERION_BANDS])
    np.testing.assert_array_equal(scene.values, stored)
    np.testing.assert_array_equal(scene[[5, 0, 9], 1:4, 2:6].values, stored[[5, 0, 9], 1:4, 2:6])
    factors = np.array([1 / 40 if number < 71 else 1 / 80 for number in HYPERION_BANDS])
    image, valid = physical(scene)
    assert np.argwhere(~valid).tolist() == [[1, 2]]
    np.testing.assert_allclose(
        image[:, valid], (stored * factors[:, None, None])[:, valid], rtol=1e-5
    )
    assert grid_of(scene).resolution == (30.0, 20.0)
    assert describe_scene(scene)["format"] == "Hyperion L1T"


def test_files_of_one_band_are_a_scene(tmp_path: Path) -> None:
    """In the order of the numbers in their names: 9, 10, 11."""
    scene = open_scene(write_plain_bands(tmp_path / "drone"))
    np.testing.assert_array_equal(bands_of(scene).centres_nm, [880.0, 450.0, 660.0])
    np.testing.assert_array_equal(scene.values, cube_of(12)[9:12])


#: Names of files, with their numbers or wavelengths, and whether the wavelengths are in the names only.
NAMES_OF_BANDS = {
    "scene_B{n:02}.tif": False,
    "scene_band{n}.TIF": False,
    "scene.{n}.tif": False,
    "B{n}.tif": False,
    "{n}.tiff": False,
    "scene {n}.tif": False,
    "refl_{nm}nm.tif": True,
    "refl_{nm}_nm.tif": True,
    "refl_{um}um.tif": True,
}


@pytest.mark.parametrize("name", NAMES_OF_BANDS)
def test_files_of_one_band_have_many_kinds_of_names(tmp_path: Path, name: str) -> None:
    expected = {}
    for n in (2, 3, 5, 10):
        nm = 400.0 + 50 * n
        path = tmp_path / name.format(n=n, nm=f"{nm:g}", um=nm / 1000)
        tags = [{}] if NAMES_OF_BANDS[name] else nm_tags([nm])
        write_tif(path, cube_of(12)[n][None], band_tags=tags)
        expected[nm] = cube_of(12)[n]
    scene = open_scene(tmp_path)
    assert sorted(scene["wavelength"].values) == sorted(expected)
    for band in scene:
        np.testing.assert_array_equal(band.values, expected[float(band["wavelength"])])
    notes = scene.attrs.get("notes", ())
    assert ("it has no file for band 4, 6, 7, 8, 9" in notes) is False  # more than it has
    if not NAMES_OF_BANDS[name]:
        next(file for file in tmp_path.iterdir() if "10" in file.name).unlink()
        assert "it has no file for band 4" in open_scene(tmp_path).attrs["notes"]


def _other_crs(folder: Path) -> None:
    write_tif(folder / "drone_band_10.tif", cube_of(1), crs="EPSG:32634")


def _other_size(folder: Path) -> None:
    write_tif(folder / "drone_band_10.tif", np.ones((1, 6, 7), "int16"))


def _several_bands(folder: Path) -> None:
    write_tif(folder / "drone_band_10.tif", cube_of(2))


def _cut(folder: Path) -> None:
    path = folder / "drone_band_10.tif"
    path.write_bytes(path.read_bytes()[:60])


def _remote(folder: Path) -> None:
    (folder / "drone_band_10.tif").write_text(
        '<VRTDataset rasterXSize="7" rasterYSize="5"><VRTRasterBand dataType="Byte" band="1">'
        "<SimpleSource><SourceFilename>/vsicurl/http://127.0.0.1:9/a.tif</SourceFilename>"
        "</SimpleSource></VRTRasterBand></VRTDataset>"
    )


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_other_size, "files of different pixels: 'drone_band_10.tif' and 'drone_band_9.tif'"),
        (_other_crs, "files of different coordinate reference systems: 'drone_band_10.tif'"),
        (_several_bands, "its file 'drone_band_10.tif' has 2 bands, not one"),
        (_cut, "has the file 'drone_band_10.tif', which GDAL cannot open"),
        (_remote, "drone_band_10.tif"),
    ],
)
def test_a_spoilt_band_is_one_sentence(
    tmp_path: Path, spoil: Callable[[Path], None], message: str
) -> None:
    folder = write_plain_bands(tmp_path / "drone")
    spoil(folder)
    with pytest.raises(SceneError, match=message) as caught:
        open_scene(folder)
    assert "\n" not in str(caught.value)
