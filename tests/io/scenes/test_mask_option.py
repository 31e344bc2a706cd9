"""The option mask: flags of products and files of masks, whose pixels count as missing."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import h5py
import numpy as np
import pytest
import rasterio
import shapely
import xarray as xr
from affine import Affine
from builders import NORTH_UP, cube_of, nm_tags, physical, run, write_tif
from emit_cases import FWHM, NM, emit_lookup, write_emit
from product_cases import DESIS, ENMAP, NODATA, stored, write_desis, write_enmap
from rasterio.warp import Resampling, reproject
from swath_cases import write_prisma_swath

from hsi_geo import batch, predict
from hsi_geo.arrays import AnyArray
from hsi_geo.errors import OptionError, SceneError
from hsi_geo.io.readers.quality_layers import AUTO_KINDS, KINDS, FlagCode, kind_of_flag
from hsi_geo.io.scenes.mask_option import mask_names, masked_counts, other_mask_warning
from hsi_geo.io.scenes.scene import open_scene, scene_from_array
from hsi_geo.tasks.artifacts.model import load_model

if TYPE_CHECKING:
    from planted import Planted

SHAPE = (5, 7)

#: A pixel of its own for each kind, and one that has two flags.
PLACES = {
    "clouds": [(0, 1), (4, 6)],
    "cirrus": [(1, 0)],
    "shadows": [(2, 5)],
    "haze": [(3, 2), (4, 6)],
    "snow": [(0, 4)],
    "water": [(4, 0)],
    "quality": [(2, 2)],
}


def at(*kinds: str) -> AnyArray:
    """(5, 7) True where one of the kinds is flagged."""
    found = np.zeros(SHAPE, bool)
    for kind in kinds:
        for place in PLACES[kind]:
            found[place] = True
    return found


# Products with all kinds of flags that they can have -------------------------------------------


def enmap(folder: Path) -> Path:
    path = write_enmap(folder)
    names = {"clouds": "CLOUD", "shadows": "CLOUDSHADOW", "cirrus": "CIRRUS", "haze": "HAZE"}
    for kind, name in {**names, "snow": "SNOW"}.items():
        write_tif(path / f"{ENMAP}-QL_QUALITY_{name}.TIF", 2 * at(kind)[None].astype("uint8"))
    classes = np.where(at("water"), 2, 1).astype("uint8")  # land is 1
    write_tif(path / f"{ENMAP}-QL_QUALITY_CLASSES.TIF", classes[None])
    defects = np.where(at("quality"), 1, np.zeros((7, 1, 1))).astype("uint8")
    defects[2, at("quality")] = 0
    write_tif(path / f"{ENMAP}-QL_PIXELMASK.TIF", defects)
    return path


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


def masked(path: Path, mask: str) -> AnyArray:
    """Pixels that the option takes away."""
    return physical(open_scene(path, mask="none"))[1] & ~physical(open_scene(path, mask=mask))[1]


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


# EMIT's masks are in a file of their own --------------------------------------------------------

EMIT_BANDS = (
    *("Cloud flag", "Cirrus flag", "Water flag", "Spacecraft Flag", "Dilated Cloud Flag"),
    *("AOD550", "H2O (g cm-2)", "Aggregate Flag"),
)


def write_emit_masks(path: Path, shape: tuple[int, int] = (6, 5)) -> AnyArray:
    """A file of masks beside EMIT's reflectance; the (rows, columns, bands) numbers."""
    masks = np.zeros((*shape, 8), "float32")
    masks[1, 2, 0] = masks[3, 1, 4] = masks[4, 3, 1] = masks[2, 0, 2] = masks[..., 5] = 1
    masks[0, 4, :] = -9999
    masks[..., 7] = 1  # of all pixels
    with h5py.File(path, "w") as file:
        file["mask"] = masks
        file["band_mask"] = np.ones((*shape, 36), "uint8")
        file.create_group("sensor_band_parameters")["mask_bands"] = np.array(EMIT_BANDS, "S20")
    return masks


@pytest.mark.parametrize("product", ["L2A_RFL", "L2A_RFLUNCERT", "L1B_RAD"])
def test_emits_masks_are_found_beside_it_and_follow_its_lookup_table(
    tmp_path: Path, product: str
) -> None:
    path = write_emit(tmp_path / f"EMIT_{product}_001_20240101T000000_1_1.nc")
    assert not masked(path, "auto").any()
    masks = write_emit_masks(tmp_path / "EMIT_L2A_MASK_001_20240101T000000_1_1.nc")
    cols, rows = (part - 1 for part in emit_lookup())
    inside = cols >= 0
    for mask, bands in (("auto", [0, 1, 3, 4]), ("water", [2]), ("cirrus", [1])):
        swath = (masks[..., bands] == 1).any(axis=-1)
        on_map = inside & swath[rows, cols] & physical(open_scene(path, mask="none"))[1]
        assert on_map.any()
        np.testing.assert_array_equal(masked(path, mask), on_map)
    assert len(NM) == len(FWHM) == len(open_scene(path))
    assert masked_counts(open_scene(path))["reasons"]["dilated cloud"] == 1


@pytest.mark.parametrize("damage", ["cut", "shape", "text"])
def test_a_damaged_file_of_masks_is_a_warning(tmp_path: Path, damage: str) -> None:
    path = write_emit(tmp_path / "EMIT_L2A_RFL_001_a.nc")
    beside = tmp_path / "EMIT_L2A_MASK_001_a.nc"
    write_emit_masks(beside, (5, 6) if damage == "shape" else (6, 5))
    if damage == "cut":
        beside.write_bytes(beside.read_bytes()[:900])
    elif damage == "text":
        beside.write_text("no netCDF")
    (warning,) = open_scene(path).attrs["warnings"]
    assert warning.startswith(f"the masks in '{beside.name}' are not applied: ")
    assert not masked(path, "auto").any()


@pytest.mark.parametrize("level", ["L1", "L2C"])
def test_prismas_flags_and_defective_pixels(tmp_path: Path, level: str) -> None:
    """A pixel is defective if most bands of a detector are."""
    path = write_prisma_swath(tmp_path / "a.he5", level)
    with h5py.File(path) as file:
        shape = file[f"HDFEOS/SWATHS/PRS_{level}_HCO/Data Fields/VNIR_Cube"].shape[::2]
    defects = {"VNIR": np.zeros((shape[0], 3, shape[1]), "uint8")}
    defects["SWIR"] = np.zeros((shape[0], 2, shape[1]), "uint8")
    defects["VNIR"][4, :2, 5] = 1
    defects["VNIR"][6, :1, 5] = 1  # one band of three
    defects["SWIR"][9, :, 8] = 3
    clouds, cover = np.zeros(shape, "uint8"), np.full(shape, 10, "uint8")
    clouds[2:4, 7], clouds[0] = 1, 255
    cover[12, 3:6], cover[13, 3] = 0, 1
    with h5py.File(path, "a") as file:
        fields = file[f"HDFEOS/SWATHS/PRS_{level}_HCO/Data Fields"]
        for part, cube in defects.items():
            fields[f"{part}_PIXEL_{'SAT' if level == 'L1' else 'L2'}_ERR_MATRIX"] = cube
        if level == "L1":
            fields["Cloud_Mask"], fields["LandCover_Mask"] = clouds, cover
            fields["SunGlint_Mask"] = np.ones((2, 2), "uint8")

    def taken(mask: str) -> list[list[int]]:
        before, after = (
            physical(open_scene(path, mask=one, grid="swath"))[1] for one in ("none", mask)
        )
        return np.argwhere(before & ~after).tolist()

    assert taken("quality") == [[4, 5], [9, 8]]
    assert taken("auto") == (
        [[2, 7], [3, 7], [4, 5], [9, 8]] if level == "L1" else [[4, 5], [9, 8]]
    )
    if level == "L1":
        assert taken("water") == [[12, 3], [12, 4], [12, 5]]
        assert taken("snow") == [[13, 3]]


# Types and nodata values -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "dtype", ["uint8", "int8", "uint16", "int16", "int32", "uint32", "float32"]
)
@pytest.mark.parametrize("nodata", [None, 7, -9999])
@pytest.mark.parametrize("bands", [1, 3, 9])
def test_masked_pixels_are_missing_in_any_type(
    tmp_path: Path, dtype: str, nodata: float | None, bands: int
) -> None:
    """Also where the type cannot hold the declared value, or none is declared."""
    low = 0 if dtype.startswith("u") else np.iinfo(dtype).min if "int" in dtype else -np.inf
    if nodata is not None and nodata < low:
        nodata = None  # GDAL writes no such value
    values = (cube_of(bands) % 100 + 8).astype(dtype)
    path = write_tif(
        tmp_path / "a.tif",
        values,
        band_tags=nm_tags([450.0 + 50 * b for b in range(bands)]),
        nodata=nodata,
    )
    mask = write_tif(tmp_path / "mask.tif", at("clouds", "water")[None].astype("uint8"))
    scene = open_scene(path, mask=str(mask))
    image, valid = physical(scene)
    np.testing.assert_array_equal(valid, ~at("clouds", "water"))
    np.testing.assert_array_equal(image[:, valid], values[:, valid])


# Masks of the user -------------------------------------------------------------------------------


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    centres = [450.0 + 50 * band for band in range(4)]
    return write_tif(tmp_path / "scene.tif", cube_of(4), band_tags=nm_tags(centres), nodata=-9)


def test_a_raster_in_another_crs_masks_by_the_nearest_pixel(plain: Path, tmp_path: Path) -> None:
    fine = np.zeros((1, 60, 90), "uint8")
    fine[0, 10:30, 20:70] = 3
    fine[0, 40:, :5] = 255  # nodata is no mask
    there = Affine(5e-5, 0, 13.2827, 0, -2.5e-5, 52.5026)
    path = write_tif(tmp_path / "mask.tif", fine, crs="EPSG:4326", transform=there, nodata=255)
    with rasterio.open(plain) as scene:
        wanted = np.zeros(SHAPE, "uint8")
        reproject(
            fine[0],
            wanted,
            src_transform=there,
            src_crs="EPSG:4326",
            src_nodata=255,
            dst_transform=scene.transform,
            dst_crs=scene.crs,
            dst_nodata=255,
            resampling=Resampling.nearest,
        )
    wanted = np.where(wanted == 3, 1, 0).astype(bool)
    assert 0 < wanted.sum() < wanted.size
    np.testing.assert_array_equal(masked(plain, str(path)), wanted)


def test_polygons_mask_the_pixels_whose_centre_they_cover(plain: Path, tmp_path: Path) -> None:
    left, top = NORTH_UP.c, NORTH_UP.f
    box = shapely.box(left + 31, top - 59, left + 121, top - 21)
    frame = gpd.GeoDataFrame(geometry=[box], crs="EPSG:32633").to_crs(4326)
    frame.to_file(tmp_path / "mask.geojson")
    wanted = np.zeros(SHAPE, bool)
    wanted[1:3, 1:4] = True
    np.testing.assert_array_equal(masked(plain, str(tmp_path / "mask.geojson")), wanted)
    assert masked_counts(open_scene(plain, mask=str(tmp_path / "mask.geojson")))["reasons"] == {
        "mask file": 6
    }


def test_a_mask_elsewhere_masks_nothing_and_is_a_warning(plain: Path, tmp_path: Path) -> None:
    away = Affine(30, 0, 900000, 0, -20, 100000)
    path = write_tif(tmp_path / "mask.tif", np.ones((1, 5, 7), "uint8"), transform=away)
    scene = open_scene(plain, mask=str(path))
    assert scene.attrs["warnings"] == (f"the mask '{path}' lies outside of it: nothing is masked",)
    assert physical(scene)[1].all()


def no_crs(folder: Path) -> Path:
    return write_tif(folder / "mask.tif", np.ones((1, 9, 7), "uint8"), crs=None)


def lines(folder: Path) -> Path:
    frame = gpd.GeoDataFrame(geometry=[shapely.LineString([(0, 0), (1, 1)])], crs="EPSG:32633")
    frame.to_file(folder / "lines.gpkg")
    return folder / "lines.gpkg"


def words(folder: Path) -> Path:
    (folder / "words.txt").write_text("clouds")
    return folder / "words.txt"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (no_crs, "mask '.*' has other pixels than the scene, and one of them has no coordinate"),
        (lines, "mask '.*' holds no polygon; give polygons to mask="),
        (words, "mask '.*' "),
        (lambda folder: "cluods", "mask='cluods' is neither a file nor words for flags"),
        (lambda folder: "clouds", "scene '.*' has no flags of clouds; give the file of a mask"),
        (lambda folder: "", "mask='' is neither"),
    ],
)
def test_masks_that_cannot_be_used_are_refused(
    plain: Path, tmp_path: Path, make: Callable[[Path], Any], message: str
) -> None:
    with pytest.raises(OptionError, match=message):
        open_scene(plain, mask=str(make(tmp_path)))


def test_arrays_take_no_mask() -> None:
    scene = scene_from_array(np.ones((2, 3, 4)), np.array([550.0, 660.0]))
    assert open_scene(scene, mask="none") is scene
    with pytest.raises(
        OptionError, match="is an array, and a mask is applied when a file is opened"
    ):
        open_scene(scene, mask="clouds")


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


# Jobs --------------------------------------------------------------------------------------------


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
