"""Headers and names of bands that are not UTF-8, as German and French programs write them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from builders import cube_of, physical, write_envi

from hsi_geo.errors import SceneError
from hsi_geo.io.labels.shot_reading import read_shots
from hsi_geo.io.scenes.scene import open_scene

NM = (450.0, 550.0, 650.0, 850.0)


def write(path: Path, *lines: str) -> Path:
    """An ENVI cube with lines of its header in Windows-1252."""
    write_envi(path, cube_of(4))
    header = path.with_suffix(".hdr")
    header.write_bytes(header.read_bytes() + "\n".join(lines).encode("cp1252"))
    return path


@pytest.mark.parametrize(
    "lines",
    [
        ["wavelength = {0.45, 0.55, 0.65, 0.85}", "wavelength units = µm"],
        ["wavelength = {450, 550, 650, 850}", "band names = {bleu, forêt, rouille, très}"],
        ["band names = {0.45 µm, 0.55 µm, 0.65 µm, 0.85 µm}"],
        ["wavelength = {450, 550, 650, 850}", "description = {Gelände}", "sensor type = Gerät"],
    ],
    ids=["unit", "names", "wavelengths in names", "other texts"],
)
@pytest.mark.parametrize("driver", ["ENVI", "VRT"])
def test_headers_need_not_be_utf_8(tmp_path: Path, lines: list[str], driver: str) -> None:
    path = write(tmp_path / "s.bsq", *lines)
    if driver == "VRT":
        rasterio.shutil.copy(path, tmp_path / "s.vrt", driver="VRT")
        path = tmp_path / "s.vrt"
    scene = open_scene(path)
    np.testing.assert_allclose(scene["wavelength"], NM)
    np.testing.assert_array_equal(physical(scene)[0], cube_of(4))


def test_a_geotiff_may_have_names_of_bands_that_are_not_utf_8(tmp_path: Path) -> None:
    lines = ["wavelength = {450, 550, 650, 850}", "band names = {bleu, forêt, rouille, très}"]
    path = write(tmp_path / "s.bsq", *lines)
    rasterio.shutil.copy(path, tmp_path / "t.tif", driver="GTiff")
    np.testing.assert_allclose(open_scene(tmp_path / "t.tif")["wavelength"], NM)


def test_class_rasters_may_have_names_that_are_not_utf_8(tmp_path: Path) -> None:
    ids = np.zeros((1, 5, 7), "int16")
    ids[0, 1, 2:5], ids[0, 3, 0] = 1, 2
    path = tmp_path / "ids.bsq"
    write_envi(path, ids)
    lines = ["classes = 3", "class names = {Unclassified, Straße, Forêt}", "band names = {Süd}"]
    header = path.with_suffix(".hdr")
    text = header.read_text().replace("ENVI Standard", "ENVI Classification")
    header.write_bytes((text + "\n".join(lines)).encode("cp1252"))
    assert [one.name for one in read_shots(path).classes] == ["Straße", "Forêt"]


@pytest.mark.parametrize(
    ("before", "encoding"),
    [("", "utf-8-sig"), ("", "utf-16"), ("\n", "utf-8")],
    ids=["mark", "UTF-16", "blank line"],
)
@pytest.mark.parametrize("given", ["s.bsq", "s.hdr"])
def test_a_header_that_gdal_does_not_know_is_named(
    tmp_path: Path, before: str, encoding: str, given: str
) -> None:
    header = write(tmp_path / "s.bsq").with_suffix(".hdr")
    header.write_bytes((before + header.read_text()).encode(encoding))
    with pytest.raises(SceneError, match=r"the header 's\.hdr', which GDAL cannot read"):
        open_scene(tmp_path / given)


@pytest.mark.parametrize(
    ("name", "said"),
    [("s.tif", "is not a raster"), ("s.mat", "is not a raster"), ("s.bsq", "the header 's.hdr'")],
)
def test_files_that_need_no_header_keep_their_own_message(
    tmp_path: Path, name: str, said: str
) -> None:
    header = write(tmp_path / "s.bsq").with_suffix(".hdr")
    header.write_bytes(header.read_text().encode("utf-8-sig"))
    (tmp_path / name).write_bytes(b"II*\x00\x08\x00\x00\x00\xff")
    with pytest.raises(SceneError, match=said):
        open_scene(tmp_path / name)
