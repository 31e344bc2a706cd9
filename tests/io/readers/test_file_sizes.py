"""Raw files that end before their last pixel: GDAL reads zeros there without a word."""

from __future__ import annotations

import gzip
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from builders import cube_of, write_envi, write_tif

from hsi_geo.errors import SceneError
from hsi_geo.io.readers import file_sizes
from hsi_geo.io.scenes.scene import open_scene

NM = "wavelength = {500, 600, 700}"
BYTES = 3 * 5 * 7 * 2


@pytest.mark.parametrize("interleave", ["bsq", "bil", "bip"])
@pytest.mark.parametrize("missing", [1, BYTES // 2, BYTES - 40])
def test_an_envi_cube_that_is_cut_short_is_refused(
    tmp_path: Path, interleave: str, missing: int
) -> None:
    path = write_envi(tmp_path / "a.dat", cube_of(3), NM, interleave=interleave)
    os.truncate(path, BYTES - missing)
    with pytest.raises(SceneError, match=rf"cut short: its file has {BYTES - missing} bytes.* 210"):
        open_scene(path)


def test_an_offset_counts_and_further_bytes_do_not(tmp_path: Path) -> None:
    path = write_envi(tmp_path / "a.dat", cube_of(3), NM)
    header = path.with_suffix(".hdr")
    header.write_text(header.read_text().replace("header offset = 0", "header offset = 11"))
    with pytest.raises(SceneError, match="cut short"):
        open_scene(path)
    path.write_bytes(bytes(11) + path.read_bytes() + bytes(5))
    np.testing.assert_array_equal(open_scene(path).values, cube_of(3))


def test_a_compressed_cube_that_is_cut_short_is_refused(tmp_path: Path) -> None:
    path = write_envi(tmp_path / "a.dat", cube_of(3), NM, gzipped=True)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SceneError, match=r"cut short: its file has \d+ bytes unpacked"):
        open_scene(path)
    path.write_bytes(gzip.compress(gzip.decompress(whole)[:-1]))
    with pytest.raises(SceneError, match=rf"has {BYTES - 1} bytes unpacked"):
        open_scene(path)


def test_a_compressed_cube_of_several_parts_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Block compression (bgzip) writes members, the last of which is empty; others leave zeros behind."""
    monkeypatch.setattr(file_sizes, "_CHUNK_BYTES", 13)
    path = write_envi(tmp_path / "a.dat", cube_of(3), NM)
    raw = path.read_bytes()
    write_envi(path, cube_of(3), NM, gzipped=True)
    parts = [gzip.compress(raw[start : start + 50]) for start in range(0, 250, 50)]
    for end in (b"", bytes(100)):
        path.write_bytes(b"".join(parts) + end)
        assert file_sizes._unpacked_bytes(path, BYTES) == BYTES
    np.testing.assert_array_equal(open_scene(path).values, cube_of(3))


@pytest.mark.parametrize(
    "driver, name, data", [("EHdr", "e.bil", "e.bil"), ("RRASTER", "r.grd", "r.gri")]
)
def test_other_raw_formats_that_are_cut_short_are_refused(
    tmp_path: Path, driver: str, name: str, data: str
) -> None:
    write_tif(tmp_path / name, cube_of(3, 30, 70), driver=driver)
    assert open_scene(tmp_path / name, wavelengths="500:700").shape == (3, 30, 70)
    os.truncate(tmp_path / data, 3 * 30 * 70 * 2 - 1)
    with pytest.raises(SceneError, match="cut short"):
        open_scene(tmp_path / name, wavelengths="500:700")


def test_a_mosaic_of_a_cube_that_is_cut_short_is_refused(tmp_path: Path) -> None:
    path = write_envi(tmp_path / "a.dat", cube_of(3), NM)
    mosaic = mosaic_of(tmp_path / "all.vrt", str(path))
    assert open_scene(mosaic).shape == (3, 5, 7)
    os.truncate(path, BYTES - 1)
    with pytest.raises(SceneError, match=r"all\.vrt' is cut short: its file 'a\.dat'"):
        open_scene(mosaic)


def test_a_header_beside_a_compressed_geotiff_says_nothing_of_its_size(tmp_path: Path) -> None:
    write_tif(tmp_path / "a.tif", cube_of(3), compress="deflate")
    write_envi(tmp_path / "b.dat", np.repeat(cube_of(3), 4, 1), NM, header=tmp_path / "a.hdr")
    assert open_scene(tmp_path / "a.tif").shape == (3, 5, 7)
    with rasterio.open(tmp_path / "a.tif") as source:
        file_sizes.require_whole(source, str(tmp_path / "a.tif"), "a.tif")


def mosaic_of(path: Path, source: str, count: int = 3) -> Path:
    bands = "".join(
        f'<VRTRasterBand dataType="Int16" band="{band}"><SimpleSource><SourceFilename relativeToVRT="0">'
        f"{source}</SourceFilename><SourceBand>{band}</SourceBand></SimpleSource></VRTRasterBand>"
        for band in range(1, count + 1)
    )
    path.write_text(f'<VRTDataset rasterXSize="7" rasterYSize="5">{bands}</VRTDataset>')
    return path


def test_a_picture_in_a_mosaic_with_a_header_of_wavelengths_is_whole(tmp_path: Path) -> None:
    write_tif(tmp_path / "a.png", cube_of(3, dtype="uint8"), driver="PNG")
    write_envi(tmp_path / "b.dat", np.repeat(cube_of(3), 9, 1), NM, header=tmp_path / "a.hdr")
    assert open_scene(mosaic_of(tmp_path / "all.vrt", f"{tmp_path}/a.png")).shape == (3, 5, 7)


def test_a_cube_in_an_archive_beside_a_header_is_whole(tmp_path: Path) -> None:
    path = write_envi(tmp_path / "c.dat", cube_of(3), NM)
    with zipfile.ZipFile(tmp_path / "c.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for file in (path, path.with_suffix(".hdr")):
            archive.write(file, file.name)
    mosaic = mosaic_of(tmp_path / "all.vrt", f"/vsizip/{tmp_path}/c.zip/c.dat")
    scene = open_scene(mosaic, wavelengths="500:700")
    np.testing.assert_array_equal(scene.values, cube_of(3))


@pytest.mark.parametrize(
    ("driver", "name", "options"),
    [
        ("PCIDSK", "a.pix", {"INTERLEAVING": "TILED", "COMPRESSION": "RLE"}),
        ("EHdr", "a.bil", {"NBITS": "1"}),
    ],
)
def test_numbers_that_take_fewer_bytes_are_whole(
    tmp_path: Path, driver: str, name: str, options: dict[str, Any]
) -> None:
    ones = np.ones((3, 128, 160), np.uint8)
    write_tif(tmp_path / name, ones, driver=driver, **options)
    np.testing.assert_array_equal(open_scene(tmp_path / name, wavelengths="500:700").values, ones)
