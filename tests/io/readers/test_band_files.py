"""Files of one band each: which belong together, and that they are read as one file of all bands is."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from builders import check_travels, cube_of, nm_tags, physical, write_tif
from rasterio.control import GroundControlPoint
from rasterio.rpc import RPC

from hsi_geo.errors import SceneError
from hsi_geo.io.scenes.properties import bands_of, grid_of
from hsi_geo.io.scenes.scene import open_scene

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")

#: The wavelengths of five files; two have one digit after the point.
NM = (450.0, 517.2, 584.5, 1055.2, 2400.0)


def write_bands(folder: Path, pattern: str, centres: tuple[float, ...] = NM) -> None:
    """A file for each wavelength, named by it and by the number of the band."""
    folder.mkdir(parents=True, exist_ok=True)
    for index, nm in enumerate(centres):
        text = f"{nm:.1f}"
        name = pattern.format(
            n=index + 1,
            nm=text,
            comma=text.replace(".", ","),
            p=text.replace(".", "p"),
            um=nm / 1e3,
        )
        write_tif(folder / name, cube_of(len(centres))[index][None])


@pytest.mark.parametrize(
    "pattern",
    [
        "refl_{nm}nm.tif",
        "refl_{nm}_nm.tif",
        "refl_{comma}nm.tif",
        "refl_{p}nm.TIF",
        "refl{nm} nm.tif",
        "{nm}nanometers.tif",
        "refl_{um:.4f}um.tif",
        "refl_{um:.5f} µm.tiff",
        "s_B{n:03}_{nm}nm.tif",
        "s_B{n}.{nm}nm.tif",
        "s_{nm}nm_band{n}.tif",
        "s_{nm}nm_10nm.tif",
        "L2A_2019.05.01.{nm}nm.tif",
        "laser532nm.{nm}nm.tif",
    ],
)
def test_wavelengths_in_names(tmp_path: Path, pattern: str) -> None:
    write_bands(tmp_path, pattern)
    scene = open_scene(tmp_path)
    np.testing.assert_allclose(bands_of(scene).centres_nm, NM)
    np.testing.assert_array_equal(scene.values, cube_of(5))
    assert "warnings" not in scene.attrs
    assert "notes" not in scene.attrs


@pytest.mark.parametrize(
    "pattern", ["s_B{n}_{nm}nm.tif", "s.v1.{nm}nm.tif", "s_2019.{nm}nm.tif", "s_B{n}.{nm}nm.tif"]
)
def test_whole_wavelengths_after_a_point(tmp_path: Path, pattern: str) -> None:
    whole = (450, 517, 584, 1055, 2400)
    tmp_path.mkdir(exist_ok=True)
    for n, nm in enumerate(whole, start=1):
        write_tif(tmp_path / pattern.format(n=n, nm=nm), cube_of(5)[n - 1][None])
    np.testing.assert_array_equal(bands_of(open_scene(tmp_path)).centres_nm, whole)


@pytest.mark.parametrize(
    ("pattern", "lows", "centres"),
    [
        ("b_{0}-{1}nm.tif", (480, 450, 460), [455, 465, 485]),
        ("b_{0}nm-{1}nm.tif", (480, 450, 460), [455, 465, 485]),
        ("B{n}_{0} - {1} nm.tif", (450, 460, 480), [455, 465, 485]),
        ("b_0.{0}-0.{1}um_10nm.tif", (480, 450, 460), [455, 465, 485]),
        ("{n}-{0}nm.tif", (450, 460, 480), [450, 460, 480]),
        ("2019-05-01-400-{0}nm.tif", (480, 450, 460), [450, 460, 480]),
        ("T700-{0}nm.tif", (480, 450, 460), [450, 460, 480]),
    ],
)
def test_limits_of_bands_in_names(
    tmp_path: Path, pattern: str, lows: tuple[int, ...], centres: list[float]
) -> None:
    for number, low in enumerate(lows, start=1):
        write_tif(tmp_path / pattern.format(low, low + 10, n=number), cube_of(1))
    np.testing.assert_allclose(bands_of(open_scene(tmp_path)).centres_nm, centres)


@pytest.mark.parametrize("pattern", ["B{0}nir.tif", "{0}nmrefl.tif", "x_{0}.5nmrefl.tif"])
def test_numbers_before_words(tmp_path: Path, pattern: str) -> None:
    for index, number in enumerate((1450, 450, 550)):
        write_tif(tmp_path / pattern.format(number), cube_of(3)[index][None])
    opened = open_scene(tmp_path, wavelengths="450:650")
    np.testing.assert_array_equal(opened.values, cube_of(3)[[1, 2, 0]])


def test_two_detectors_may_share_a_wavelength(tmp_path: Path) -> None:
    write_bands(tmp_path, "s_B{n}_{nm}nm.tif", (900.0, 910.0, 920.0, 910.0, 921.0))
    centres = bands_of(open_scene(tmp_path)).centres_nm
    np.testing.assert_array_equal(centres, [900.0, 910.0, 920.0, 910.0, 921.0])


@pytest.mark.parametrize(
    ("names", "order"),
    [
        (["s_1.2", "s_1.9", "s_1.10", "s_1.11"], [0, 1, 2, 3]),
        (["s_0.45", "s_0.5", "s_0.66"], [0, 1, 2]),
        (["s_9.5", "s_10.25", "s_110"], [0, 1, 2]),
        (["s_450_5nm", "s_460_0nm", "s_1000_5nm", "s_1100_0nm"], [0, 1, 2, 3]),
    ],
)
def test_numbers_without_a_unit(tmp_path: Path, names: list[str], order: list[int]) -> None:
    """Nothing tells the wavelengths: all files are read in the order of their numbers."""
    for index, name in enumerate(names):
        write_tif(tmp_path / f"{name}.tif", cube_of(4)[index][None])
    scene = open_scene(tmp_path, wavelengths="450:900")
    np.testing.assert_array_equal(scene.values, cube_of(4)[order])


@pytest.mark.parametrize("word", ["err", "UNC", "Noise", "mask", "SNR", "std_dev", "reflFlags"])
@pytest.mark.parametrize("pattern", ["{0}_{{nm}}nm.tif", "{0}/B{{n}}_{{nm}}nm.tif"])
def test_uncertainties_beside_the_bands(tmp_path: Path, word: str, pattern: str) -> None:
    """Also if a band of the scene is missing."""
    own, theirs = pattern.format("terrain"), pattern.format(word)
    for text, centres in ((own, NM[:4]), (theirs, NM)):
        (tmp_path / text).parent.mkdir(exist_ok=True)
        write_bands(tmp_path, text, centres)
    scene = open_scene(tmp_path)
    np.testing.assert_array_equal(scene.values, cube_of(4))
    shown = pattern.format(word).format(n="#", nm="#")
    assert scene.attrs["notes"] == (f"it does not read '{shown}' (5 files)",)


def test_several_sets_are_refused(tmp_path: Path) -> None:
    write_bands(tmp_path, "may_{nm}nm.tif")
    write_bands(tmp_path, "june_{nm}nm.tif")
    for number in range(5):  # previews of several bands
        write_tif(tmp_path / f"quick_{number}.tif", cube_of(3))
    with pytest.raises(SceneError) as caught:
        open_scene(tmp_path)
    assert "2 sets of 5 files of one band each: 'june_#nm.tif', 'may_#nm.tif'" in str(caught.value)
    assert "folder of their own" in caught.value.hint
    for file in tmp_path.glob("june_*.tif"):
        file.unlink()
    (warning,) = open_scene(tmp_path).attrs["warnings"]
    assert warning == "it reads the 5 files 'may_#nm.tif', and not 'quick_#.tif' (5 files)"


def test_tiles_of_one_band_are_no_scene(tmp_path: Path) -> None:
    for row in range(3):
        for col in range(3):
            write_tif(tmp_path / f"tile_{row}_{col}.tif", cube_of(1))
    with pytest.raises(SceneError, match=r"6 sets of 3 files .* 'tile_#_0.tif', 'tile_#_1.tif'"):
        open_scene(tmp_path)


def test_files_of_one_pattern_that_are_left_out(tmp_path: Path) -> None:
    write_bands(tmp_path, "s_1_{nm}nm.tif")
    write_bands(tmp_path, "s_2_{nm}nm.tif", NM[:1])
    (warning,) = open_scene(tmp_path).attrs["warnings"]
    assert warning == "it reads the 5 files 's_1_#nm.tif', and not 's_2_450.0nm.tif'"


def test_only_uncertainties(tmp_path: Path) -> None:
    write_bands(tmp_path, "refl_unc_{nm}nm.tif")
    (warning,) = open_scene(tmp_path).attrs["warnings"]
    assert "'refl_unc_#nm.tif' are named like uncertainties" in warning


# As one file of all bands is read ----------------------------------------------------------------

BLANK: dict[str, Any] = {"crs": None, "transform": None}
LEFT = np.repeat(np.array([[0, 0, 255, 255, 255, 255, 0]], "uint8"), 5, axis=0)


def _mask(path: Path, *, inside: bool) -> None:
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=inside), rasterio.open(path, "r+") as file:
        file.write_mask(LEFT)


def _gcps(path: Path) -> None:
    grid = Affine(30.0, 4.0, 383000.0, 4.0, -30.0, 5818000.0)
    points = [
        GroundControlPoint(r, c, *(grid @ (c, r))) for r, c in ((0, 0), (0, 7), (5, 0), (5, 7))
    ]
    with rasterio.open(path, "r+") as file:
        file.gcps = (points, rasterio.crs.CRS.from_epsg(32633))


def _rpc(path: Path) -> None:
    one, samp, line = ([float(i == n) for i in range(20)] for n in (0, 1, 2))
    rpc = RPC(
        height_off=50, height_scale=500, lat_off=52.5, lat_scale=0.01, line_den_coeff=one,
        line_num_coeff=[-v for v in line], line_off=2.5, line_scale=2.5, long_off=13.3,
        long_scale=0.02, samp_den_coeff=one, samp_num_coeff=samp, samp_off=3.5, samp_scale=3.5,
    )  # fmt: skip
    with rasterio.open(path, "r+") as file:
        file.rpcs = rpc


def _geolocation_arrays(path: Path) -> None:
    lon, lat = np.meshgrid(13.3 + 4e-4 * np.arange(7), 52.5 - 3e-4 * np.arange(5))
    for name, values in (("lon", lon), ("lat", lat)):
        write_tif(path.parent / f"{name}.tif", values[None], **BLANK)
    with rasterio.open(path, "r+") as file:
        tags = {
            "X_DATASET": str(path.parent / "lon.tif"),
            "Y_DATASET": str(path.parent / "lat.tif"),
        }
        file.update_tags(ns="GEOLOCATION", X_BAND="1", Y_BAND="1", **tags)


def _header(path: Path) -> None:
    path.with_suffix(".hdr").write_text(
        "ENVI\nreflectance scale factor = 10000\ndata ignore value = 9\nwavelength units = nm\n"
    )


def _clouds(path: Path) -> None:
    """A STAC item that names all files of the folder, and a mask."""
    files = sorted(file.name for file in path.parent.glob("*.tif") if file.name != "clouds.tif")
    write_tif(path.parent / "clouds.tif", (LEFT[None] > 0).astype("uint8"))
    assets = {name: {"href": name, "roles": ["data"]} for name in files}
    assets["cloud"] = {"href": "clouds.tif", "roles": ["cloud"]}
    item = {"type": "Feature", "stac_version": "1.0.0", "id": "a", "properties": {}}
    (path.parent / "item.json").write_text(json.dumps({**item, "assets": assets}))


def _data_mask(path: Path) -> None:
    masks = np.zeros((4, 5, 7), "uint8")
    masks[0], masks[1, 2, 3] = 1, 1
    write_tif(path.with_name(f"{path.stem}_data_mask.tif"), masks)


FORMS: dict[str, tuple[Callable[[Path], None], bool]] = {
    "internal mask": (lambda path: _mask(path, inside=True), False),
    "msk": (lambda path: _mask(path, inside=False), False),
    "control points": (_gcps, True),
    "RPC": (_rpc, True),
    "geolocation arrays": (_geolocation_arrays, True),
    "header": (_header, False),
    "STAC item with a mask": (_clouds, False),
    "data mask": (_data_mask, False),
}


@pytest.mark.parametrize("dtype", ["int16", "uint8", "float32"])
@pytest.mark.parametrize("form", FORMS)
def test_as_one_file_is_read(tmp_path: Path, form: str, dtype: str) -> None:
    """Side files, masks and ground control count for a folder as for a file."""
    add, blank = FORMS[form]
    cube, place = cube_of(3).astype(dtype), BLANK if blank else {}
    (tmp_path / "whole").mkdir()
    whole = write_tif(tmp_path / "whole" / "a.tif", cube, band_tags=nm_tags(NM[:3]), **place)
    add(whole)
    parts = tmp_path / "parts"
    parts.mkdir()
    paths = [parts / f"a_B{number}.tif" for number in range(3)]
    for path, band, tags in zip(paths, cube, nm_tags(NM[:3]), strict=True):
        write_tif(path, band[None], band_tags=[tags], **place)
    for path in paths:
        add(path)
    one, many = open_scene(whole), open_scene(parts)
    np.testing.assert_array_equal(bands_of(many).centres_nm, bands_of(one).centres_nm)
    for found, expected in zip(physical(many), physical(one), strict=True):
        np.testing.assert_array_equal(found, expected)
    assert grid_of(many).transform == grid_of(one).transform
    assert grid_of(many).crs == grid_of(one).crs
    assert many.attrs.get("notes") == one.attrs.get("notes")
    assert many.attrs.get("warnings") == one.attrs.get("warnings")
    bare = (not blank) and physical(many)[1].all() and grid_of(many).crs is not None
    assert not bare or form == "header"


def test_a_crs_without_a_geotransform(tmp_path: Path) -> None:
    for number in range(3):
        write_tif(tmp_path / f"B{number}.tif", cube_of(1), transform=None)
    scene = open_scene(tmp_path, wavelengths="450:650")
    assert grid_of(scene).crs is None
    (warning,) = scene.attrs["warnings"]
    assert warning.endswith("system and no geotransform: its place is not known")


def test_items_beside_many_files_are_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assets = {}
    for number, um in enumerate((0.88, 0.45, 0.66)):
        write_tif(tmp_path / f"B{number}.tif", cube_of(1))
        band = {"name": "x", "center_wavelength": um}
        assets[f"{number}"] = {"href": f"./B{number}.tif", "eo:bands": [band]}
    for name in ("a", "z"):
        (tmp_path / f"{name}.json").write_text(json.dumps({"properties": {}, "assets": assets}))
        assets = {}
    read: list[str] = []

    def read_bytes(path: Path) -> bytes:
        read.append(path.name)
        with path.open("rb") as file:
            return file.read()

    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    np.testing.assert_allclose(bands_of(open_scene(tmp_path)).centres_nm, [880.0, 450.0, 660.0])
    assert read.count("z.json") <= 2
    assert read.count("a.json") <= 2  # also as the item of the whole folder


def test_imagery_tags_of_single_files(tmp_path: Path) -> None:
    for number, um in enumerate(("0.450", "0.66", "0.88")):
        imagery = [{"CENTRAL_WAVELENGTH_UM": um, "FWHM_UM": "0.01"}]
        write_tif(tmp_path / f"B{number}.tif", cube_of(1), imagery=imagery)
    bands = bands_of(open_scene(tmp_path))
    np.testing.assert_allclose(bands.centres_nm, [450.0, 660.0, 880.0])
    np.testing.assert_allclose(bands.fwhm_nm, 10.0)


def test_a_mask_of_one_file_only(tmp_path: Path) -> None:
    """Its pixels are missing in its band; the others have their own nodata value, or none."""
    cube = cube_of(3).astype("uint16")
    for number, nodata in enumerate((None, None, 72)):
        write_tif(tmp_path / f"B{number}.tif", cube[number][None], nodata=nodata)
    _mask(tmp_path / "B1.tif", inside=True)
    scene = open_scene(tmp_path, wavelengths="450:650")
    kept = scene.values
    np.testing.assert_array_equal(kept[[0, 2]], cube[[0, 2]])
    missing = np.broadcast_to(LEFT == 0, (5, 7))
    np.testing.assert_array_equal(kept[1][~missing], cube[1][~missing])
    np.testing.assert_array_equal(kept[1][missing], -1)
    np.testing.assert_array_equal(scene[[1, 0], 1:4, 1:7].values, kept[[1, 0], 1:4, 1:7])
    check_travels(scene, forks=False)


def test_control_points_of_each_file_are_the_same(tmp_path: Path) -> None:
    for number in range(3):
        write_tif(tmp_path / f"B{number}.tif", cube_of(1), **BLANK)
        _gcps(tmp_path / f"B{number}.tif")
    with rasterio.open(tmp_path / "B2.tif", "r+") as file:
        points, crs = file.gcps
        points[1].x += 30
        file.gcps = (points, crs)
    with pytest.raises(
        SceneError, match=r"files of different ground control: 'B2.tif' and 'B0.tif'"
    ):
        open_scene(tmp_path)
