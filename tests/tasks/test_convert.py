"""Scenes as rasters for other programs: the same values, bands and place as `open_scene` gives."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
from builders import cube_of, nm_tags, run, snapshot, write_envi, write_tif
from emit_cases import write_emit
from product_cases import write_desis, write_enmap
from rasterio.enums import ColorInterp, MaskFlags

from hsi_geo.errors import OptionError, OutputError, OutputExistsError, SceneError
from hsi_geo.io.scenes.composites import COMPOSITES, choose_bands, make_composites
from hsi_geo.io.scenes.scene import open_scene, scene_from_array
from hsi_geo.tasks.convert import convert
from hsi_geo.wavelengths import make_bands

ENVI_BANDS = ("wavelength = {450, 550, 650, 860}", "wavelength units = Nanometers")


def envi(folder: Path) -> Path:
    write_envi(folder / "cube.bsq", cube_of(4), *ENVI_BANDS, "bbl = {1, 0, 1, 1}")
    return folder / "cube.hdr"


def gzipped(folder: Path) -> Path:
    return write_envi(folder / "packed.bsq", cube_of(4), *ENVI_BANDS, gzipped=True)


def geotiff(folder: Path) -> Path:
    tags = nm_tags([450.0, 550.0, 650.0, 860.0])
    return write_tif(
        folder / "scene ü.tif",
        cube_of(4),
        band_tags=tags,
        nodata=7,
        scales=[0.5] * 4,
        offsets=[3.0] * 4,
    )


def rotated(folder: Path) -> Path:
    tags = nm_tags([450.0, 550.0, 650.0, 860.0])
    turned = rasterio.Affine.translation(3e5, 5e6) @ rasterio.Affine.rotation(34.0)
    return write_tif(folder / "turned.tif", cube_of(4), band_tags=tags, transform=turned)


def masked(folder: Path) -> Path:
    path = geotiff(folder)
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=False), rasterio.open(path, "r+") as file:
        file.nodata = None
        mask = np.full(file.shape, 255, np.uint8)
        mask[2, 3] = 0
        file.write_mask(mask)
    return path


def enmap(folder: Path) -> Path:
    return write_enmap(folder / "product")


def enmap_zip(folder: Path) -> Path:
    product = write_enmap(folder / "product")
    path = folder / "product.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in product.iterdir():
            archive.write(file, f"deep/{file.name}")
    return path


def desis(folder: Path) -> Path:
    return (
        write_desis(folder / "product")
        / "DESIS-HSI-L2A-DT0483531728_001-20200628T153803-V0210-METADATA.xml"
    )


def emit(folder: Path) -> Path:
    return write_emit(folder / "EMIT_L2A.nc")


Build = Callable[[Path], Path]

FOUR_NM = [450.0, 550.0, 650.0, 860.0]

#: Builder of a scene, and whether GDAL reads its pixels in their place.
SCENES: dict[Build, bool] = {
    envi: True,
    gzipped: False,
    geotiff: True,
    rotated: True,
    masked: False,
    enmap: True,
    enmap_zip: False,
    desis: True,
    emit: False,
}


@pytest.mark.parametrize("ending", ["", ".tif", ".vrt"])
@pytest.mark.parametrize("build", SCENES, ids=lambda build: build.__name__)
def test_the_raster_is_the_same_scene(build: Build, ending: str, tmp_path: Path) -> None:
    path, refers = build(tmp_path), SCENES[build]
    out = tmp_path / "out"
    out.mkdir()
    if ending == ".vrt" and not refers:
        with pytest.raises(SceneError, match="no virtual raster"):
            convert(path, out / "raster.vrt")
        assert not list(out.iterdir())
        return
    made = convert(path, out / f"raster{ending}")
    assert made.path.name == f"raster{ending or ('.vrt' if refers else '.tif')}"
    assert made.is_copy == (made.path.suffix == ".tif")
    assert [file.name for file in out.iterdir()] == [made.path.name]
    scene, copy = (open_scene(file, straighten=False, mask="none") for file in (path, made.path))
    assert copy.hsi.grid.transform == scene.hsi.grid.transform
    assert copy.hsi.grid.crs.equals(scene.hsi.grid.crs)
    for name in ("wavelength", "fwhm", "good"):
        np.testing.assert_array_equal(copy[name].values, scene[name].values)
    (values, valid), (expected, expected_valid) = copy.hsi.read(), scene.hsi.read()
    np.testing.assert_array_equal(valid, expected_valid)
    np.testing.assert_array_equal(values, expected)
    with rasterio.open(made.path) as file:  # as a program that knows nothing of hsi-geo
        assert file.descriptions[0] == f"{scene['wavelength'].values[0]:.1f} nm" + (
            "" if scene["good"].values[0] else " (bad band)"
        )
        np.testing.assert_array_equal(file.read(), scene.values)


@pytest.mark.parametrize(
    ("dtype", "nodata"),
    [
        ("uint16", "-9999"),
        ("uint8", "-1"),
        ("uint8", "0.5"),
        ("int16", "65535"),
        pytest.param(
            *("float32", "1e40"),
            marks=pytest.mark.filterwarnings("ignore:overflow encountered in cast"),  # rasterio's
        ),
        ("int16", "{-9999, -9998, 65535, -9999}"),
    ],
)
def test_a_nodata_value_that_the_type_cannot_hold(tmp_path: Path, dtype: str, nodata: str) -> None:
    cube = (cube_of(4) % 200).astype(dtype)
    path = write_tif(tmp_path / "a.bsq", cube, driver="ENVI")
    with path.with_suffix(".hdr").open("a") as header:
        header.write("\n".join(["", *ENVI_BANDS, f"data ignore value = {nodata}", ""]))
    scene = open_scene(path)
    (warning,) = scene.attrs["warnings"]
    assert f"is no number of the type {dtype}: not used" in warning
    made = convert(path, tmp_path / "b.tif")
    with rasterio.open(made.path) as file:
        np.testing.assert_array_equal(file.read(), cube)
        assert file.read_masks().all()


def _mask_of_one_pixel(folder: Path, row: int, height: int = 5) -> Path:
    flags = np.zeros((1, height, 7), "uint8")
    flags[0, row, 3] = 1
    return write_tif(folder / "mask.tif", flags)


@pytest.mark.parametrize("count", [1, 4])
@pytest.mark.parametrize("nodata", [None, 7])
@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "int32", "float32", "float64"])
def test_other_programs_see_masked_pixels_as_missing(
    tmp_path: Path, dtype: str, nodata: int | None, count: int
) -> None:
    cube = (cube_of(count) % 90 + 10).astype(dtype)
    tags = nm_tags(FOUR_NM[:count])
    path = write_tif(tmp_path / "a.tif", cube, band_tags=tags, nodata=nodata)
    mask = _mask_of_one_pixel(tmp_path, 2)
    made = convert(path, tmp_path / "b.tif", mask=str(mask))
    with rasterio.open(made.path) as file:
        assert ColorInterp.alpha not in file.colorinterp
        assert np.argwhere(file.read_masks() == 0).tolist() == [[b, 2, 3] for b in range(count)]
    (values, valid), (expected, expected_valid) = (
        scene.hsi.read() for scene in (open_scene(made.path), open_scene(path, mask=str(mask)))
    )
    np.testing.assert_array_equal(valid, expected_valid)
    np.testing.assert_array_equal(values, expected)
    assert {one.name for one in tmp_path.iterdir()} == {"a.tif", "b.tif", "mask.tif"}


@pytest.mark.parametrize("dtype", ["int16", "float32"])
def test_other_programs_see_the_border_of_a_grid_as_missing(tmp_path: Path, dtype: str) -> None:
    path = write_tif(tmp_path / "a.tif", cube_of(4, dtype=dtype) + 5, band_tags=nm_tags(FOUR_NM))
    made = convert(path, tmp_path / "b.tif", grid="EPSG:3035")
    valid = open_scene(path, grid="EPSG:3035").hsi.read()[1]
    assert 0 < valid.sum() < valid.size
    with rasterio.open(made.path) as file:
        assert file.dtypes[0] == dtype
        np.testing.assert_array_equal(file.read_masks(1) != 0, valid)


@pytest.mark.parametrize("row", [0, 70, 99])
def test_the_mask_of_a_copy_in_strips_is_whole(
    tmp_path: Path, row: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hsi_geo.io.scenes.copies.COPY_BYTES", 1)
    scene = write_tif(tmp_path / "a.tif", cube_of(4, 100, 7) + 1, band_tags=nm_tags(FOUR_NM))
    made = convert(
        scene, tmp_path / "b.tif", mask=str(_mask_of_one_pixel(tmp_path, row, height=100))
    )
    with rasterio.open(made.path) as file:
        assert np.argwhere(file.read_masks(1) == 0).tolist() == [[row, 3]]
    whole = convert(scene, tmp_path / "c.tif")
    with rasterio.open(whole.path) as file:  # no pixel is missing: no mask
        assert MaskFlags.per_dataset not in file.mask_flag_enums[0]


def _with_zeros(folder: Path, dtype: str) -> Path:
    """A scene without a nodata value, with pixels that are 0 in all bands, and one that is 0 in one band."""
    cube = (cube_of(4, 300, 50) % 90 + 10).astype(dtype)
    cube[:, 40:290, :11] = 0
    cube[2, 3, 5] = 0
    return write_tif(folder / "a.tif", cube, band_tags=nm_tags(FOUR_NM))


@pytest.mark.parametrize("ending", [".tif", ".vrt"])
@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "uint32", "int64"])
def test_a_copy_with_a_mask_is_read_as_its_scene_is(
    tmp_path: Path, dtype: str, ending: str
) -> None:
    """The mask is for other programs: in hsi-geo it makes no larger type and no other stored values."""
    path = _with_zeros(tmp_path, dtype)
    scene, valid = open_scene(path), np.ones((300, 50), bool)
    valid[40:290, :11] = False
    first = convert(path, tmp_path / "b.tif")
    again = convert(first.path, tmp_path / f"c{ending}")
    for made in (first, again):
        copy = open_scene(made.path)
        assert copy.dtype == scene.dtype == dtype
        assert copy.attrs.get("_FillValue") is scene.attrs.get("_FillValue") is None
        np.testing.assert_array_equal(copy.values, scene.values)
        np.testing.assert_array_equal(copy[1:2].values, scene[1:2].values)
        np.testing.assert_array_equal(copy.hsi.read()[1], valid)
        with rasterio.open(made.path) as file:
            np.testing.assert_array_equal(file.dataset_mask() != 0, valid)


def test_a_later_mask_of_a_copy_counts(tmp_path: Path) -> None:
    made = convert(_with_zeros(tmp_path, "uint16"), tmp_path / "b.tif")
    later = np.ones((300, 50), bool)
    later[7:9, 20:31] = False
    with rasterio.open(made.path, "r+") as file:
        file.write_mask(later)
    copy, later[40:290, :11] = open_scene(made.path), False
    assert copy.dtype == np.uint16
    np.testing.assert_array_equal(copy.hsi.read()[1], later)


def test_gdal_reports_no_errors_of_a_copy_with_a_mask(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Its threads took the tags of a mask for those of the strips that they compressed."""
    path = _with_zeros(tmp_path, "uint16")
    for _ in range(4):
        convert(path, tmp_path / "b.tif", overwrite=True)
    assert "ERROR" not in capfd.readouterr().err


def test_a_copy_in_strips_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hsi_geo.io.scenes.copies.COPY_BYTES", 1)
    tags = nm_tags([450.0, 550.0, 650.0])
    scene = write_tif(tmp_path / "a.tif", cube_of(3, 100, 9, "float32"), band_tags=tags)
    made = convert(scene, tmp_path / "b.tif")
    np.testing.assert_array_equal(open_scene(made.path).values, open_scene(scene).values)


def test_only_the_shown_bands(tmp_path: Path) -> None:
    made = convert(envi(tmp_path), tmp_path / "rgb.tif", bands="shown", composite="colour infrared")
    copy = open_scene(made.path)
    assert copy["wavelength"].values.tolist() == [860.0, 650.0, 450.0]  # 550 nm is a bad band
    assert [one.bands for one in made.composites] == [(1, 2, 3)]


GOOD = {
    "VNIR": np.arange(400.0, 1000.0, 10.0),
    "SWIR": np.arange(1000.0, 2500.0, 10.0),
    "no blue": np.arange(520.0, 1000.0, 10.0),
    "infrared": np.array([900.0, 1000.0, 1100.0, 1200.0]),
    "two": np.array([500.0, 1000.0]),
}


@pytest.mark.parametrize(
    ("centres", "wanted", "name", "chosen"),
    [
        ("VNIR", None, "true colour", [650, 550, 470]),
        ("VNIR", "colour infrared", "colour infrared", [860, 650, 550]),
        ("no blue", "true colour", "colour infrared", [860, 650, 550]),
        ("SWIR", "true colour", "short-wave infrared", [2200, 1650, 1250]),
        ("infrared", None, "three bands of the range", [1200, 1100, 900]),
        ("two", None, "one band", [500]),
    ],
)
def test_the_composite_fits_the_bands(
    centres: str, wanted: str | None, name: str, chosen: list[float]
) -> None:
    bands = make_bands(GOOD[centres], source="test")
    found, indices = choose_bands(bands, wanted)
    assert found == name
    assert bands.centres_nm[indices].tolist() == chosen
    assert set(COMPOSITES) >= {wanted} - {None}


def test_the_range_is_that_of_data(tmp_path: Path) -> None:
    values = np.full((3, 40, 50), -1.0)
    values[:, :20] = np.linspace(0.0, 100.0, 1000).reshape(20, 50)
    scene = scene_from_array(values, np.array([470.0, 550.0, 650.0]), nodata=-1.0)
    (found,) = make_composites(scene)
    assert found.low == pytest.approx((2.0, 2.0, 2.0))
    assert found.high == pytest.approx((98.0, 98.0, 98.0))


def test_the_command_prints_and_reports_what_is_shown(tmp_path: Path) -> None:
    scene = envi(tmp_path)
    before = snapshot(tmp_path)
    shown = run("convert", scene, "-o", tmp_path / "view", "--progress", "jsonl")
    assert shown.exit_code == 0, shown.output
    assert f"raster  {tmp_path / 'view.vrt'}" in shown.stdout
    events = [json.loads(line) for line in shown.stderr.splitlines()]
    assert events[-1]["outputs"] == {"raster": str(tmp_path / "view.vrt")}
    (composite,) = events[-1]["composites"]
    assert (composite["bands"], composite["centres_nm"]) == ([4, 3, 1], [860, 650, 450])
    shown = run("convert", scene, "-o", tmp_path / "view", "--composite", "short-wave-infrared")
    assert shown.exit_code == 1
    assert "give --overwrite" in shown.stderr
    assert snapshot(tmp_path) == {**before, "view.vrt": snapshot(tmp_path)["view.vrt"]}


@pytest.mark.parametrize("out", ["", ".", "..", "/", "folder", "folder/"])
def test_a_folder_is_no_output(out: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    with pytest.raises(OutputError, match="is a folder; give the path of a file"):
        convert(geotiff(tmp_path), out)


def test_unusable_choices_are_refused(tmp_path: Path) -> None:
    scene = envi(tmp_path)
    with pytest.raises(OptionError, match="bands are 'some'"):
        convert(scene, tmp_path / "a.tif", bands="some")
    with pytest.raises(OptionError, match="composite is 'nice'"):
        convert(scene, tmp_path / "a.tif", composite="nice")
    with pytest.raises(OptionError, match="would replace"):
        convert(geotiff(tmp_path), tmp_path / "scene ü.tif", overwrite=True)
    (tmp_path / "a.tif").write_bytes(b"mine")
    with pytest.raises(OutputExistsError):
        convert(scene, tmp_path / "a.tif")
