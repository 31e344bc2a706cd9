"""Scales and nodata values that GDAL does not know, in files beside those that a VRT shows."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import cube_of, physical, write_envi, write_tif
from new_sensor_cases import write_wyvern

from hsi_geo.arrays import AnyArray
from hsi_geo.io.readers import read_scene
from hsi_geo.io.scenes.scene import open_scene

LINES = ("wavelength = {500, 600, 700, 900}", "wavelength units = Nanometers")


def with_factor(folder: Path) -> str:
    write_envi(folder / "a.bsq", cube_of(4), *LINES, "reflectance scale factor = 10000")
    return "a.bsq"


def with_gains(folder: Path) -> str:
    write_envi(folder / "line1_img", cube_of(4), *LINES, header=folder / "line1_img.hdr")
    (folder / "line1.gain").write_text("300 1\n300 2\n600 3\n500 4\n")
    return "line1_img"


def with_header(folder: Path) -> str:
    lists = ["data gain values = {0.1, 0.2, 0.3, 0.4}", "data offset values = {1, 2, 3, 4}"]
    write_tif(folder / "a.tif", cube_of(4))
    (folder / "a.hdr").write_text("\n".join(["ENVI", *LINES, *lists]))
    return "a.tif"


def with_item(folder: Path) -> str:
    bands = [{"name": f"B{i}", "center_wavelength": 0.5 + i / 10} for i in range(4)]
    asset = {
        "href": "a.tif",
        "eo:bands": bands,
        "raster:bands": [{"scale": 1e-4, "offset": i / 10} for i in range(4)],
    }
    write_tif(folder / "a.tif", cube_of(4))
    item = {"type": "Feature", "properties": {}, "assets": {"image": asset}}
    (folder / "a.json").write_text(json.dumps(item))
    return "a.tif"


FILES: dict[str, Callable[[Path], str]] = {
    "reflectance scale factor": with_factor,
    "gains": with_gains,
    "ENVI header beside a GeoTIFF": with_header,
    "STAC item": with_item,
}


def vrt(path: Path, file: str, shown: Sequence[int], source: str = "", extra: str = "") -> Path:
    """A VRT of the bands of a file, as gdalbuildvrt makes it."""
    bands = "".join(
        f'<VRTRasterBand dataType="Int16" band="{number}">{extra}<ComplexSource>'
        f'<SourceFilename relativeToVRT="1">{file}</SourceFilename><SourceBand>{band}</SourceBand>'
        f"{source}</ComplexSource></VRTRasterBand>"
        for number, band in enumerate(shown, start=1)
    )
    path.write_text(f'<VRTDataset rasterXSize="7" rasterYSize="5">{bands}</VRTDataset>')
    return path


@pytest.mark.parametrize("case", FILES)
@pytest.mark.parametrize("shown", [[1, 2, 3, 4], [4, 2]], ids=str)
@pytest.mark.parametrize("is_nested", [False, True])
def test_a_vrt_has_the_scale_of_its_file(
    tmp_path: Path, case: str, shown: list[int], is_nested: bool
) -> None:
    file = FILES[case](tmp_path)
    expected = physical(open_scene(tmp_path / file))[0][np.array(shown) - 1]
    path = vrt(tmp_path / "mosaic.vrt", file, shown)
    if is_nested:
        path = vrt(tmp_path / "outer.vrt", path.name, range(1, len(shown) + 1))
    np.testing.assert_array_equal(physical(open_scene(path))[0], expected)


def test_a_stack_has_the_scale_of_each_file(tmp_path: Path) -> None:
    write_envi(tmp_path / "a.bsq", cube_of(4), *LINES, "reflectance scale factor = 10000")
    write_envi(tmp_path / "b.bsq", cube_of(4), *LINES)
    text = vrt(tmp_path / "s.vrt", "a.bsq", [1, 4]).read_text()
    first, second = text.split('band="2"')
    (tmp_path / "s.vrt").write_text(f'{first}band="2"{second.replace("a.bsq", "b.bsq")}')
    expected = np.stack([cube_of(4)[0] / 1e4, cube_of(4)[3]])
    np.testing.assert_allclose(physical(open_scene(tmp_path / "s.vrt"))[0], expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("source", "extra", "factor"),
    [
        ("<ScaleRatio>3</ScaleRatio><ScaleOffset>0</ScaleOffset>", "", 3),
        ("<LUT>0:0,100:200</LUT>", "", 2),
        ("", "<Scale>0.5</Scale>", 0.5),
        ("", "<Offset>0</Offset><Scale>0.25</Scale>", 0.25),
        ("", "<Scale>1</Scale>", 1),
        ("", "<Offset>0</Offset>", 1),
    ],
)
def test_a_vrt_with_values_of_its_own_keeps_them(
    tmp_path: Path, source: str, extra: str, factor: float
) -> None:
    path = vrt(tmp_path / "s.vrt", with_factor(tmp_path), [1, 2], source, extra)
    values = physical(open_scene(path))[0]
    np.testing.assert_allclose(values, factor * cube_of(4)[:2], rtol=1e-6)


def test_a_scale_that_gdal_knows_is_that_of_the_vrt(tmp_path: Path) -> None:
    write_tif(tmp_path / "a.tif", cube_of(4), scales=[1e-4] * 4)
    (tmp_path / "a.hdr").write_text("\n".join(["ENVI", *LINES]))
    values = physical(open_scene(vrt(tmp_path / "s.vrt", "a.tif", [1, 2])))[0]
    np.testing.assert_allclose(values, cube_of(4)[:2])


@pytest.mark.parametrize("extra", ["", "<Scale>0.5</Scale>"], ids=["without", "with"])
@pytest.mark.parametrize("source", ["", "<LUT>0:0,100:200</LUT>"], ids=["plain", "computed"])
@pytest.mark.parametrize("is_nested", [False, True])
def test_masks_that_a_vrt_does_not_have_are_told(
    tmp_path: Path, extra: str, source: str, is_nested: bool
) -> None:
    image = write_wyvern(tmp_path)
    path = vrt(tmp_path / "s.vrt", image.name, [1, 2, 3, 4], source, extra)
    if is_nested:
        path = vrt(tmp_path / "outer.vrt", path.name, [1, 2, 3, 4])
    (warning,) = open_scene(path).attrs["warnings"]
    assert f"the masks beside '{image.name}' are not applied" in warning


def gapped(cube: AnyArray) -> AnyArray:
    """The cube with a pixel without data, and one that lacks a band."""
    cube[:, 2, 3] = cube[1, 1, 5] = -9999
    return cube


def header_of(folder: Path, count: int) -> str:
    centres = ", ".join(str(500 + 10 * band) for band in range(count))
    write_tif(folder / "a.tif", gapped(cube_of(count)))
    lines = ["ENVI", f"wavelength = {{{centres}}}", "data ignore value = -9999"]
    (folder / "a.hdr").write_text("\n".join(lines))
    return "a.tif"


@pytest.mark.parametrize("is_nested", [False, True], ids=["one", "nested"])
@pytest.mark.parametrize("shown", [[1, 2, 3, 4], [4, 2]], ids=str)
def test_a_vrt_has_the_nodata_value_beside_its_file(
    tmp_path: Path, shown: list[int], is_nested: bool
) -> None:
    file = header_of(tmp_path, 4)
    expected = open_scene(tmp_path / file)[np.array(shown) - 1]
    path = vrt(tmp_path / "s.vrt", file, shown)
    if is_nested:
        path = vrt(tmp_path / "outer.vrt", path.name, range(1, len(shown) + 1))
    for found, wanted in zip(physical(open_scene(path)), physical(expected), strict=True):
        np.testing.assert_array_equal(found, wanted)
    assert not physical(open_scene(path))[1][2, 3]


def test_a_nodata_value_of_the_vrt_comes_before_that_beside_its_file(tmp_path: Path) -> None:
    extra = "<NoDataValue>3</NoDataValue>"
    file = read_scene(vrt(tmp_path / "s.vrt", header_of(tmp_path, 4), [1, 2], extra=extra))
    assert file.nodata.tolist() == [3, 3]


def rectangles(start: int, width: int, *, height: int = 5, first: int = 0) -> str:
    """Columns of a file from the first one, and the columns and rows of a VRT that show them."""
    return (
        f'<SrcRect xOff="{first}" yOff="0" xSize="{width}" ySize="5"/>'
        f'<DstRect xOff="{start}" yOff="0" xSize="{width}" ySize="{height}"/>'
    )


def wide_vrt(path: Path, file: str, count: int, places: Sequence[str]) -> Path:
    """A VRT of 9 columns that shows a file at some places in all bands."""
    one = vrt(path, file, range(1, count + 1), "PLACE").read_text()
    for source in set(re.findall("<ComplexSource>.*?</ComplexSource>", one)):
        one = one.replace(source, "".join(source.replace("PLACE", place) for place in places))
    path.write_text(one.replace('rasterXSize="7"', 'rasterXSize="9"'))
    return path


#: Places of a file with the nodata value -9999 beside it in columns 2 to 8 of a VRT. Columns 0 and 1 show none.
GAPPED = {
    "one file": [rectangles(2, 7)],
    "two files": [rectangles(2, 7), rectangles(4, 5, first=2)],
    "pixels left out": [f"<NODATA>77</NODATA>{rectangles(2, 7)}"],
    "a mask": [f"<UseMaskBand>true</UseMaskBand>{rectangles(2, 7)}"],
}


@pytest.mark.parametrize("read", [[0, 1, 2], [3, 1], [0, 1, 3, 4, 6, 8], range(9)], ids=len)
@pytest.mark.parametrize("count", [4, 9])
@pytest.mark.parametrize("case", GAPPED)
def test_pixels_outside_of_the_files_of_a_vrt_stay_missing(
    tmp_path: Path, case: str, count: int, read: Sequence[int]
) -> None:
    path = wide_vrt(tmp_path / "s.vrt", header_of(tmp_path, count), count, GAPPED[case])
    scene = open_scene(path)
    valid = physical(scene[[band for band in read if band < count]])[1]
    assert not valid[:, :2].any() and valid[:, 2:5].all()
    (warning,) = scene.attrs["warnings"]
    assert "-9999" in warning and "-srcnodata" in warning


#: Places of a file in a VRT that leave no pixel free.
WHOLE = {
    "touching": [rectangles(0, 2), rectangles(2, 7)],
    "overlapping": [rectangles(2, 7), rectangles(0, 5)],
    "beyond the VRT": [rectangles(-1, 7), rectangles(3, 7, height=6)],
}


@pytest.mark.parametrize("case", WHOLE)
@pytest.mark.parametrize("count", [4, 9])
def test_files_that_cover_a_vrt_keep_the_nodata_value_beside_them(
    tmp_path: Path, case: str, count: int
) -> None:
    path = wide_vrt(tmp_path / "s.vrt", header_of(tmp_path, count), count, WHOLE[case])
    file = read_scene(path)
    assert file.nodata.tolist() == [-9999] * count
    assert not file.warnings


def test_a_declared_nan_marks_pixels_that_show_no_file(tmp_path: Path) -> None:
    """As `gdalbuildvrt -vrtnodata nan`: the nodata value beside the file is used then."""
    write_tif(tmp_path / "a.tif", gapped(cube_of(4)).astype("float32"))
    lines = ["ENVI", "wavelength = {500, 510, 520, 530}", "data ignore value = -9999"]
    (tmp_path / "a.hdr").write_text("\n".join(lines))
    path = wide_vrt(tmp_path / "s.vrt", "a.tif", 4, [rectangles(2, 7)])
    text = path.read_text().replace("Int16", "Float32")
    path.write_text(
        text.replace("<ComplexSource>", "<NoDataValue>nan</NoDataValue><ComplexSource>")
    )
    scene = open_scene(path)
    valid = physical(scene)[1]
    assert not scene.attrs.get("warnings")
    assert not valid[:, :2].any() and not valid[2, 5] and valid[:, 2:5].all()


def write_pair(folder: Path, declared: dict[str, tuple[dict[str, Any], list[str]]]) -> Path:
    """A VRT of two files side by side: what each declares itself, and lines of the header beside it."""
    for name, (own, beside) in declared.items():
        write_tif(folder / f"{name}.tif", cube_of(4), **own)
        lines = ["ENVI", "wavelength = {500, 510, 520, 530}", *beside]
        (folder / f"{name}.hdr").write_text("\n".join(lines))
    path = wide_vrt(folder / "s.vrt", "a.tif", 4, [rectangles(0, 2), rectangles(2, 7)])
    text = path.read_text()
    for source in set(re.findall("<ComplexSource>.*?</ComplexSource>", text)):
        if 'DstRect xOff="2"' in source:
            text = text.replace(source, source.replace("a.tif", "b.tif"))
    path.write_text(text)
    return path


IGNORED, FACTOR = ["data ignore value = -9999"], ["reflectance scale factor = 10000"]
PAIRS: dict[str, tuple[dict[str, Any], list[str], dict[str, Any], list[str], str | None]] = {
    "one nodata beside": ({}, IGNORED, {}, [], "nodata values"),
    "in the file and beside": ({"nodata": -9999}, [], {}, IGNORED, None),
    "beside and in the file": ({}, IGNORED, {"nodata": -9999}, [], None),
    "both in the files": ({"nodata": -9999}, [], {"nodata": -1}, [], None),
    "another one in the file": ({}, IGNORED, {"nodata": -1}, [], "nodata values"),
    "one scale beside": ({}, FACTOR, {}, [], "scales"),
    "the same scale": ({}, FACTOR, {"scales": [1e-4] * 4}, [], None),
    "both": ({}, IGNORED + FACTOR, {}, [], "nodata values and scales"),
}


@pytest.mark.parametrize("case", PAIRS)
def test_warnings_name_what_differs_between_the_files_of_a_vrt(tmp_path: Path, case: str) -> None:
    first, beside_first, second, beside_second, what = PAIRS[case]
    path = write_pair(tmp_path, {"a": (first, beside_first), "b": (second, beside_second)})
    found = [text for text in read_scene(path).warnings if "have other" in text]
    assert len(found) == (what is not None)
    assert what is None or f"have other {what}, as" in found[0]
