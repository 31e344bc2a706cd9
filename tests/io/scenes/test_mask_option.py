"""The option mask: flags of products, whose pixels count as missing."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import xarray as xr
from builders import cube_of, nm_tags, physical, run, write_tif
from mask_cases import SHAPE, at, enmap, masked
from product_cases import DESIS, ENMAP, NODATA, stored, write_desis, write_enmap

from hsi_geo.arrays import AnyArray
from hsi_geo.errors import OptionError, SceneError
from hsi_geo.io.readers.quality_layers import AUTO_KINDS, KINDS, FlagCode, kind_of_flag
from hsi_geo.io.scenes.mask_option import masked_counts
from hsi_geo.io.scenes.scene import open_scene

# Products with all kinds of flags that they can have -------------------------------------------


def enmap_cog(folder: Path) -> Path:
    path = enmap(folder)
    for file in path.glob("*.TIF"):
        file.rename(file.with_name(f"{file.stem}_COG.TIF"))
    return path


def desis(folder: Path) -> Path:
    path = write_desis(folder)
    flags = np.zeros((10, *SHAPE), "uint8")
    for band, kind in ((0, "shadows"), (2, "snow"), (4, "haze"), (6, "clouds"), (7, "water")):
        flags[band][at(kind)] = 1
    write_tif(path / f"{DESIS}-QL_QUALITY-2.tif", flags)
    return path


#: NEON's codes; two of some kinds.
NEON_CODES = {
    "clouds": 16,
    "cirrus": 9,
    "shadows": 22,
    "haze": 11,
    "snow": 7,
    "water": 17,
    "quality": 6,
}


def neon(folder: Path) -> Path:
    codes = np.full(SHAPE, 5, "uint8")
    codes[0, 0], codes[3, 6] = 241, 21  # outside of the map, and a mountain's shadow
    for kind, code in NEON_CODES.items():
        codes[at(kind)] = code
    with h5py.File(folder.with_suffix(".h5"), "w") as file:
        group = file.create_group("SJER/Reflectance")
        group.create_dataset("Reflectance_Data", data=cube_of(6).transpose(1, 2, 0))
        spectral = group.create_group("Metadata/Spectral_Data")
        spectral["Wavelength"] = np.linspace(400.0, 2400.0, 6)
        system = group.create_group("Metadata/Coordinate_System")
        system["Map_Info"] = b"UTM, 1, 1, 257957.6, 4110508.8, 1.0, 2.0, 11, North, WGS-84"
        system["EPSG Code"] = b"32611"
        group["Metadata/Ancillary_Imagery/Haze_Cloud_Water_Map"] = codes
    return folder.with_suffix(".h5")


#: Bits of PACE's l2_flags; the numbers of the others are made up.
CF_BITS = {"LAND": 2, "ATMFAIL": 1, "CLDICE": 512, "THIN_CIRRUS": 4, "CLOUD_SHADOW": 8}
CF_BITS |= {"HAZE": 16, "SNOW": 32, "OCEAN_WATER": 64}


def cf(folder: Path) -> Path:
    flags = np.where(np.indices(SHAPE)[1] > 2, CF_BITS["LAND"], 0).astype("int32")
    kinds = dict(zip(("quality", *KINDS[:6]), list(CF_BITS.values())[1:], strict=True))
    for kind, bit in kinds.items():
        flags[at(kind)] |= bit
    scene = xr.Dataset(
        {
            "reflectance": (("wavelength", "y", "x"), cube_of(6).astype("float32")),
            "l2_flags": (("y", "x"), flags),
        },
        coords={
            "wavelength": ("wavelength", np.linspace(400.0, 2400.0, 6), {"units": "nm"}),
            "y": 5818302.25 - 20.0 * (np.arange(5) + 0.5),
            "x": 383472.5 + 30.0 * (np.arange(7) + 0.5),
        },
    )
    scene["l2_flags"].attrs |= {
        "flag_meanings": " ".join(CF_BITS),
        "flag_masks": np.array(list(CF_BITS.values()), "int32"),
    }
    path = folder.with_suffix(".nc")
    scene.rio.write_crs("EPSG:32633").to_netcdf(path, engine="h5netcdf")
    return path


#: Writer of each product, with the kinds that it has no flags of.
PRODUCTS: dict[str, tuple[Callable[[Path], Path], set[str]]] = {
    "EnMAP": (enmap, set()),
    "EnMAP COG": (enmap_cog, set()),
    "DESIS": (desis, {"cirrus", "quality"}),
    "NEON": (neon, set()),
    "CF flags": (cf, set()),
}

NEON_OVERWRITTEN = {"clouds": {(4, 6)}}  # the pixel of two flags has one code only


def expected(product: str, *kinds: str) -> AnyArray:
    found = at(*(set(kinds) - PRODUCTS[product][1]))
    if product == "NEON" and "haze" not in kinds:
        found[4, 6] = False
    return found


@pytest.mark.parametrize("product", PRODUCTS)
def test_auto_masks_what_hides_the_ground(tmp_path: Path, product: str) -> None:
    path = PRODUCTS[product][0](tmp_path / "product")
    np.testing.assert_array_equal(masked(path, "auto"), expected(product, *AUTO_KINDS))
    scene, plain = open_scene(path), open_scene(path, mask="none")
    valid = physical(scene)[1]
    np.testing.assert_array_equal(scene.values[:, valid], plain.values[:, valid])
    assert scene.dtype == plain.dtype


@pytest.mark.parametrize("product", PRODUCTS)
def test_each_flag_can_be_chosen(tmp_path: Path, product: str) -> None:
    write, lacking = PRODUCTS[product]
    path = write(tmp_path / "product")
    for kind in KINDS:
        if kind in lacking:
            with pytest.raises(OptionError, match=f"has no flags of {kind}; choose of its own"):
                open_scene(path, mask=kind)
        else:
            np.testing.assert_array_equal(masked(path, f" {kind} "), expected(product, kind))
    two = "auto,water"
    np.testing.assert_array_equal(masked(path, two), expected(product, *AUTO_KINDS, "water"))


def test_pixels_are_counted_by_each_reason(tmp_path: Path) -> None:
    scene = open_scene(enmap(tmp_path / "product"), mask="auto,snow")
    counts = masked_counts(scene)
    assert counts == {
        "option": "auto,snow",
        "masked_px": 7,
        "share": round(7 / 35, 6),
        "reasons": {
            "cirrus": 1,
            "cloud": 2,
            "cloud shadow": 1,
            "haze": 2,
            "snow": 1,
            "defective": 1,
        },
    }
    cut = scene.isel(y=slice(2, 5), x=slice(1, 7))
    assert masked_counts(cut)["reasons"]["cloud"] == 1  # the other is outside
    assert masked_counts(cut)["share"] == round(4 / 18, 6)


def test_info_and_maps_tell_what_is_masked(tmp_path: Path) -> None:
    path = enmap(tmp_path / "product")
    shown = run("info", path, "--json")
    assert shown.exit_code == 0, shown.output
    scene = json.loads(shown.stdout)["scene"]
    assert scene["mask"]["masked_px"] == 6
    assert scene["quality"]["snow"] == round(1 / 35, 4)
    assert "6 pixels (17.1 %) are masked: cirrus 1, cloud 2" in run("info", path).stdout
    assert "none: no pixel is masked" in run("info", path, "--mask", "none").stdout


@pytest.mark.parametrize(
    ("code", "flags"),
    [
        (0, []),
        (1, []),  # reduced quality
        (2, ["low quality"]),
        (3, ["low quality"]),
        (0b1100, []),  # interpolated
        (1 << 4, ["saturated"]),
        (1 << 5, ["saturated"]),
        (1 << 6, ["artefact"]),
        (1 << 7, ["artefact"]),
        (0b0110_0010, ["artefact", "low quality", "saturated"]),
        (255, []),  # the background
    ],
)
def test_enmaps_test_flags(tmp_path: Path, code: int, flags: list[str]) -> None:
    path = write_enmap(tmp_path / "product")
    tests = np.zeros((1, *SHAPE), "uint8")
    tests[0, 3, 4] = code
    write_tif(path / f"{ENMAP}-QL_QUALITY_TESTFLAGS.TIF", tests)
    scene = open_scene(path, mask="quality")
    reasons = masked_counts(scene)["reasons"]
    assert sorted(flag for flag, count in reasons.items() if count) == flags
    assert (
        masked(path, "quality")
        == (at() | (bool(flags) & (np.indices(SHAPE) == [[[3]], [[4]]]).all(0)))
    ).all()


#: Defective bands of a pixel of EnMAP, whose first three bands are of VNIR; is the pixel masked?
DEFECTS: dict[str, tuple[list[int], bool]] = {
    "none": ([], False),
    "one band": ([4], False),
    "two of three of VNIR": ([0, 2], True),
    "half of SWIR": ([3, 5], False),
    "most of SWIR": ([3, 5, 6], True),
    "one of VNIR, half of SWIR": ([1, 3, 4], False),
    "all": (list(range(7)), True),
}


@pytest.mark.parametrize("bands", DEFECTS)
@pytest.mark.parametrize("packed", ["folder", "zip", "tar.gz"])
def test_enmaps_defective_pixels(tmp_path: Path, bands: str, packed: str) -> None:
    """A pixel is masked if most bands of a detector are defective. Single defective values are gaps."""
    listed, is_masked = DEFECTS[bands]
    path = write_enmap(tmp_path / "product")
    defects = np.zeros((7, *SHAPE), "uint8")
    defects[listed, 3, 4], defects[:, 0, 0] = 1, 255
    write_tif(path / f"{ENMAP}-QL_PIXELMASK.TIF", defects)
    if packed != "folder":
        kind = "gztar" if packed == "tar.gz" else "zip"
        path = Path(shutil.make_archive(str(tmp_path / "packed"), kind, path))
    scene, plain = open_scene(path, mask="quality"), open_scene(path, mask="none")
    assert masked_counts(scene)["reasons"]["defective"] == int(is_masked)
    expected = plain.values.copy()
    expected[:, 3, 4] = NODATA if is_masked else expected[:, 3, 4]
    expected[listed, 3, 4] = NODATA
    np.testing.assert_array_equal(scene.values, expected)
    np.testing.assert_array_equal(scene[::-2].values, expected[::-2])
    assert not scene.attrs.get("warnings")


@pytest.mark.parametrize(
    ("defects", "reason"),
    [
        (np.ones((7, *SHAPE), "uint8"), "flags most pixels as defective"),
        (np.zeros((6, *SHAPE), "uint8"), "has 6 bands of 5 x 7 pixels and the image 7 of 5 x 7"),
        (np.zeros((7, 4, 7), "uint8"), "has 7 bands of 4 x 7 pixels and the image 7 of 5 x 7"),
        (b"no TIFF", "cannot be read"),
        (
            (
                b'<VRTDataset rasterXSize="7" rasterYSize="5"><VRTRasterBand dataType="Byte" band="1"><SimpleSource>'
                b"<SourceFilename>/vsicurl/http://127.0.0.1:9/a.tif</SourceFilename></SimpleSource></VRTRasterBand>"
                b"</VRTDataset>"
            ),
            "cannot be read",
        ),
    ],
)
def test_a_mask_of_defects_that_cannot_be_true_is_a_warning(
    tmp_path: Path, defects: Any, reason: str
) -> None:
    path = write_enmap(tmp_path / "product")
    file = path / f"{ENMAP}-QL_PIXELMASK.TIF"
    file.write_bytes(defects) if isinstance(defects, bytes) else write_tif(file, defects)
    scene = open_scene(path, mask="auto")
    (warning,) = scene.attrs["warnings"]
    assert f"the defective pixels in '{file.name}' are not masked: it {reason}" in warning
    assert "defective" not in masked_counts(scene)["reasons"]


def test_masks_of_a_stac_item_are_known_by_their_names(tmp_path: Path) -> None:
    """EnMAP's catalogue has a file for each flag. A mask of what is free of clouds is none of clouds."""
    write_tif(tmp_path / "a.tif", cube_of(4), band_tags=nm_tags([450.0, 550.0, 660.0, 850.0]))
    assets: dict[str, Any] = {"image": {"href": "a.tif", "roles": ["data"]}}
    for number, name in enumerate(("quality_cloud", "quality_cirrus", "cloud_free_mask")):
        flags = np.zeros((1, *SHAPE), "uint8")
        flags[0, number, 1] = 1
        write_tif(tmp_path / f"{name}.tif", flags)
        assets[name] = {"href": f"{name}.tif", "roles": ["metadata"]}
    item = {"type": "Feature", "id": "a", "properties": {}, "assets": assets}
    (tmp_path / "item.json").write_text(json.dumps(item))
    for path in ("item.json", "a.tif"):
        reasons = masked_counts(open_scene(tmp_path / path))["reasons"]
        assert reasons == {"quality cloud": 1, "quality cirrus": 1}, path


# Sizes and names of flags ------------------------------------------------------------------------


def test_a_layer_of_another_size_is_refused(tmp_path: Path) -> None:
    path = enmap(tmp_path / "product")
    write_tif(path / f"{ENMAP}-QL_QUALITY_HAZE.TIF", np.zeros((1, 4, 7), "uint8"))
    scene = open_scene(path)
    with pytest.raises(SceneError, match=r"has 4 x 7 pixels and its scene 5 x 7; .* mask=\"none\""):
        scene.load()
    np.testing.assert_array_equal(open_scene(path, mask="none").values, stored())
    assert NODATA == -32768


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Cloud flag", "clouds"),
        ("CLDICE", "clouds"),
        ("cloud_shadow", "shadows"),
        ("Cirrus", "cirrus"),
        ("haze over water", "haze"),
        ("SNOW_ICE", "snow"),
        ("water", "water"),
        ("Spacecraft Flag", "quality"),
        ("LAND", None),
        ("AOD550", None),
        ("H2O (g cm-2)", None),
        ("ATMFAIL", "quality"),
        ("CHLFAIL", None),
        ("clear", None),
        ("HIGLINT", None),
        ("NAVWARN", None),
        ("Service", None),
    ],
)
def test_kinds_of_flags_by_their_names(name: str, kind: str | None) -> None:
    assert kind_of_flag(name) == kind


def test_bits_and_values_of_cf_are_compared_together() -> None:
    code = FlagCode(values=(2,), bits=3)
    flagged, known = code.decode(np.array([[2, 6, 3, 1, 255]], "uint8"))
    assert flagged.tolist() == [[True, True, False, False, False]]
    assert known.all()
