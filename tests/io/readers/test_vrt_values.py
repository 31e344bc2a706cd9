"""Scales and nodata values that GDAL does not know, in files beside those that a VRT shows."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

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


@pytest.mark.parametrize(("count", "is_used"), [(4, False), (8, True)], ids=["few", "many"])
def test_pixels_outside_of_the_files_of_a_vrt_stay_missing(
    tmp_path: Path, count: int, is_used: bool
) -> None:
    place = "".join(
        f'<{name} xOff="{start}" yOff="0" xSize="7" ySize="5"/>'
        for name, start in (("SrcRect", 0), ("DstRect", 2))
    )
    path = vrt(tmp_path / "s.vrt", header_of(tmp_path, count), range(1, count + 1), place)
    path.write_text(path.read_text().replace('rasterXSize="7"', 'rasterXSize="9"'))
    scene = open_scene(path)
    valid = physical(scene)[1]
    assert not valid[:, :2].any() and valid[:, 2:5].all()
    assert valid[2, 5] == (not is_used)
    warnings = scene.attrs.get("warnings", ())
    assert [("-9999" in text, "-srcnodata" in text) for text in warnings] == (
        [] if is_used else [(True, True)]
    )
