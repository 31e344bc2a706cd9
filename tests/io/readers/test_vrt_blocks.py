"""Mosaics of files whose blocks hold all bands: read block by block, with the same values."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
from builders import write_tif
from hypothesis import given
from hypothesis import strategies as st

from hsi_geo.arrays import AnyArray
from hsi_geo.errors import WavelengthError
from hsi_geo.io.readers import raster_pixels, read_scene
from hsi_geo.io.readers.gdal import quiet_gdal
from hsi_geo.io.readers.vrt_blocks import BlockLines, block_lines
from hsi_geo.io.scenes.properties import bands_of
from hsi_geo.io.scenes.scene import open_scene
from hsi_geo.tiling import Window

BANDS, HEIGHT, WIDTH, BLOCK = 3, 37, 53, 16


def tile(path: Path, seed: int, **profile: object) -> AnyArray:
    generator = np.random.default_rng(seed)
    cube = generator.integers(1, 900, (BANDS, HEIGHT, WIDTH), dtype=np.int16)
    cube[:, 5:9, 7:13] = -999
    write_tif(path, cube, nodata=-999)
    with rasterio.open(path) as source:
        kept = {
            **source.profile,
            "blockxsize": BLOCK,
            "blockysize": BLOCK,
            "tiled": True,
            **profile,
        }
    with rasterio.open(path, "w", **kept) as target:
        target.write(cube)
    return cube


def mosaic(path: Path, places: dict[str, tuple[int, int]], kind: str = "ComplexSource") -> Path:
    """A VRT as gdalbuildvrt writes one, of tiles at (row, column)."""
    height = max(row for row, _ in places.values()) + HEIGHT
    width = max(col for _, col in places.values()) + WIDTH
    root = ET.Element("VRTDataset", rasterXSize=str(width), rasterYSize=str(height))
    for band in range(1, BANDS + 1):
        element = ET.SubElement(root, "VRTRasterBand", dataType="Int16", band=str(band))
        ET.SubElement(element, "NoDataValue").text = "-999"
        for name, (row, col) in places.items():
            source = ET.SubElement(element, kind)
            ET.SubElement(source, "SourceFilename", relativeToVRT="1").text = name
            ET.SubElement(source, "SourceBand").text = str(band)
            size = {"xSize": str(WIDTH), "ySize": str(HEIGHT)}
            ET.SubElement(source, "SrcRect", size, xOff="0", yOff="0")
            ET.SubElement(source, "DstRect", size, xOff=str(col), yOff=str(row))
            if kind == "ComplexSource":
                ET.SubElement(source, "NODATA").text = "-999"
    path.write_text(ET.tostring(root, encoding="unicode"), encoding="utf-8")
    return path


@pytest.fixture
def two(tmp_path: Path) -> Path:
    """Two tiles side by side; the second is a little lower and overlaps the first."""
    tile(tmp_path / "a.tif", 1)
    tile(tmp_path / "b.tif", 2)
    return mosaic(tmp_path / "both.vrt", {"a.tif": (0, 0), "b.tif": (3, 47)})


def test_block_lines_are_the_block_boundaries_of_the_files(two: Path) -> None:
    lines = block_lines(str(two))
    assert lines is not None
    assert lines.rows == (0, 3, 16, 19, 32, 35)
    assert lines.cols == (0, 16, 32, 47, 48, 63, 79, 95)
    assert lines.block_px == (BLOCK, BLOCK)
    assert read_scene(two).block_px == (BLOCK, BLOCK)
    pixels = read_scene(two).pixels
    assert isinstance(pixels, raster_pixels.RasterPixels)
    assert pixels.block_bytes == BLOCK * BLOCK * BANDS * 2  # of int16


@pytest.mark.parametrize("kind", ["ComplexSource", "SimpleSource"])
def test_split_reads_equal_whole_reads(two: Path, kind: str) -> None:
    path = mosaic(two.with_name("again.vrt"), {"a.tif": (0, 0), "b.tif": (3, 47)}, kind)
    pixels = read_scene(path).pixels
    with quiet_gdal(), rasterio.open(path) as file:
        whole = file.read()
    for window in (Window(0, 0, 40, 100), Window(2, 30, 35, 40), Window(16, 48, 1, 1)):
        rows, cols = window.slices
        bands = np.array([2, 0])
        np.testing.assert_array_equal(pixels.read(bands, window), whole[bands][:, rows, cols])


def test_no_read_touches_two_blocks_of_a_file(two: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    requested: list[Window] = []
    original = raster_pixels._read

    def spied(handle: rasterio.DatasetReader, numbers: list[int], window: Window) -> AnyArray:
        requested.append(window)
        return original(handle, numbers, window)

    monkeypatch.setattr(raster_pixels, "_read", spied)
    read_scene(two).pixels.read(np.arange(BANDS), Window(1, 5, 37, 90))
    for top, left in ((0, 0), (3, 47)):
        for window in requested:
            inside = window.relative_to(Window(top, left, HEIGHT, WIDTH)).clip(HEIGHT, WIDTH)
            if inside.height and inside.width:
                assert inside.row // BLOCK == (inside.row + inside.height - 1) // BLOCK
                assert inside.col // BLOCK == (inside.col + inside.width - 1) // BLOCK


@given(
    lines=st.lists(st.integers(0, 30), unique=True).map(sorted),
    window=st.builds(Window, *(st.integers(0, 20),) * 2, *(st.integers(1, 12),) * 2),
)
def test_parts_cover_a_window_once(lines: list[int], window: Window) -> None:
    seen = np.zeros((40, 40), int)
    for part in BlockLines(tuple(lines), tuple(lines[::2]), (1, 1)).parts(window):
        seen[part.slices] += 1
    expected = np.zeros((40, 40), int)
    expected[window.slices] = 1
    np.testing.assert_array_equal(seen, expected)


def bands_apart(folder: Path) -> Path:
    tile(folder / "a.tif", 1, interleave="band")
    return mosaic(folder / "a.vrt", {"a.tif": (0, 0)})


def resampled(folder: Path) -> Path:
    tile(folder / "a.tif", 1)
    path = mosaic(folder / "a.vrt", {"a.tif": (0, 0)})
    text = path.read_text(encoding="utf-8").replace('DstRect xSize="53"', 'DstRect xSize="50"')
    path.write_text(text, encoding="utf-8")
    return path


def crooked(folder: Path) -> Path:
    tile(folder / "a.tif", 1)
    return mosaic(folder / "a.vrt", {"./" * i + "a.tif": (i, i) for i in range(30)})


def without_its_file(folder: Path) -> Path:
    return mosaic(folder / "a.vrt", {"a.tif": (0, 0)})


def no_mosaic(folder: Path) -> Path:
    path = folder / "a.vrt"
    path.write_text("<VRTDataset>", encoding="utf-8")
    return path


@pytest.mark.parametrize("make", [bands_apart, resampled, crooked, without_its_file, no_mosaic])
def test_other_mosaics_are_read_as_they_are(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    assert block_lines(str(make(tmp_path))) is None


def test_bands_are_those_of_the_first_file_that_has_as_many(tmp_path: Path) -> None:
    """gdalbuildvrt does not copy wavelengths and bad bands."""
    tags = [{"wavelength": str(nm), "bbl": str(int(nm != 700))} for nm in (500, 700, 900)]
    cube = np.ones((BANDS, HEIGHT, WIDTH), np.int16)
    write_tif(tmp_path / "a.tif", cube, band_tags=tags, tags={"wavelength_units": "nm"})
    write_tif(tmp_path / "b.tif", cube)
    path = mosaic(tmp_path / "all.vrt", {"a.tif": (0, 0), "b.tif": (0, WIDTH)})
    scene = open_scene(path)
    np.testing.assert_array_equal(bands_of(scene).centres_nm, [500.0, 700.0, 900.0])
    np.testing.assert_array_equal(bands_of(scene).good, [True, False, True])
    assert scene.attrs["wavelength_source"] == "the bands' wavelength tags of a.tif"


def test_a_mosaic_of_files_without_wavelengths_has_none(tmp_path: Path) -> None:
    write_tif(tmp_path / "a.tif", np.ones((BANDS, HEIGHT, WIDTH), np.int16))
    with pytest.raises(WavelengthError, match=r"all\.vrt.* no wavelengths"):
        open_scene(mosaic(tmp_path / "all.vrt", {"a.tif": (0, 0)}))


def test_bands_of_different_types_are_read_in_one_that_holds_both(tmp_path: Path) -> None:
    """A VRT of gdalbuildvrt -separate."""
    bands = []
    for number, dtype in enumerate(("uint8", "uint16"), start=1):
        cube = np.arange(1, 36, dtype=dtype).reshape(1, 5, 7) * number
        write_tif(tmp_path / f"{number}.tif", cube, nodata=0)
        kind = {"uint8": "Byte", "uint16": "UInt16"}[dtype]
        bands.append(
            f'<VRTRasterBand dataType="{kind}" band="{number}"><SimpleSource>'
            f'<SourceFilename relativeToVRT="1">{number}.tif</SourceFilename>'
            "<SourceBand>1</SourceBand></SimpleSource></VRTRasterBand>"
        )
    path = tmp_path / "both.vrt"
    path.write_text(f'<VRTDataset rasterXSize="7" rasterYSize="5">{"".join(bands)}</VRTDataset>')
    scene = open_scene(path, wavelengths="500:900")
    np.testing.assert_array_equal(scene.values[1], 2 * scene.values[0].astype(int))
    assert scene.dtype == scene.values.dtype == np.uint16
