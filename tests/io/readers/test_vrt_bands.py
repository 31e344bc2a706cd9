"""Wavelengths of mosaics that show some bands of their files, in any order."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from builders import cube_of, nm_tags, write_envi, write_tif

from hsi_geo.errors import WavelengthError
from hsi_geo.io.readers.vrt_bands import file_bands
from hsi_geo.io.scenes.properties import bands_of
from hsi_geo.io.scenes.scene import open_scene

CENTRES = (500.0, 600.0, 700.0, 900.0)


def vrt(path: Path, shown: Sequence[Sequence[tuple[str, str | None]]], extra: str = "") -> Path:
    """A VRT of sources, (file, band) of each band."""
    bands = ""
    for number, sources in enumerate(shown, start=1):
        bands += f'<VRTRasterBand dataType="Int16" band="{number}">'
        for file, band in sources:
            of = "" if band is None else f"<SourceBand>{band}</SourceBand>"
            name = f'<SourceFilename relativeToVRT="1">{file}</SourceFilename>'
            bands += f"<SimpleSource>{name}{of}</SimpleSource>"
        bands += "</VRTRasterBand>"
    path.write_text(f'<VRTDataset rasterXSize="7" rasterYSize="5">{extra}{bands}</VRTDataset>')
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Files of four bands."""
    for name in ("a.tif", "b.tif"):
        tags = [{**tag, "bbl": str(int(i != 1))} for i, tag in enumerate(nm_tags(CENTRES))]
        write_tif(tmp_path / name, cube_of(4), band_tags=tags)
    write_tif(tmp_path / "without.tif", cube_of(1))
    micrometres = {"wavelength": "0.8", "wavelength_units": "um"}
    write_tif(tmp_path / "micrometres.tif", cube_of(1), band_tags=[micrometres])
    return tmp_path


@pytest.mark.parametrize("shown", [[4, 3, 2, 1], [2, 4], [3], [1, 1, 4], [1, 2, 3, 4]], ids=str)
def test_wavelengths_follow_the_bands_that_are_shown(folder: Path, shown: list[int]) -> None:
    path = vrt(folder / "s.vrt", [[("a.tif", str(one)), ("b.tif", str(one))] for one in shown])
    scene = open_scene(path)
    kept = np.array(shown) - 1
    np.testing.assert_array_equal(bands_of(scene).centres_nm, np.array(CENTRES)[kept])
    np.testing.assert_array_equal(bands_of(scene).good, kept != 1)
    np.testing.assert_array_equal(scene.values, cube_of(4)[kept])


@pytest.mark.parametrize(
    "shown",
    [
        [[("a.tif", "1")], [("without.tif", "1")]],
        [[("a.tif", "1")], [("micrometres.tif", "1")]],
        [[("a.tif", "1")], [("nowhere.tif", "1")]],
        [[("a.tif", "1")], [("micrometres.tif", "3")]],
        [[("a.tif", "1"), ("b.tif", "2")], [("a.tif", "2"), ("b.tif", "1")]],
        [[("a.tif", "mask,1")], [("a.tif", "2")]],
        [[("a.tif", "1")], []],
    ],
    ids=[
        "a file without wavelengths",
        "files in different units",
        "a missing file",
        "a missing band",
        "files with bands in other orders",
        "a mask",
        "an empty band",
    ],
)
def test_other_mosaics_have_no_wavelengths(
    folder: Path, shown: list[list[tuple[str, str | None]]]
) -> None:
    with pytest.raises(WavelengthError, match="no wavelengths"):
        open_scene(vrt(folder / "s.vrt", shown))


@pytest.mark.parametrize("relative", [True, False])
def test_a_stack_has_the_wavelengths_of_each_file(folder: Path, relative: bool) -> None:
    """gdalbuildvrt -separate, of files of one band or of parts of several."""
    write_tif(folder / "c.tif", cube_of(1), band_tags=nm_tags([1600.0]))
    write_envi(
        folder / "d.dat", cube_of(2), "wavelength = {2100, 2200}", "wavelength units = Nanometers"
    )
    shown = [("b.tif", "2"), ("b.tif", "1"), ("c.tif", "1"), ("d.dat", "2")]
    path = vrt(folder / "s.vrt", [[one] for one in shown])
    if not relative:
        text = path.read_text().replace(
            '<SourceFilename relativeToVRT="1">', f"<SourceFilename>{folder}/"
        )
        path.write_text(text)
    scene = open_scene(path)
    np.testing.assert_array_equal(bands_of(scene).centres_nm, [600.0, 500.0, 1600.0, 2200.0])
    np.testing.assert_array_equal(bands_of(scene).good, [False, True, True, True])
    assert scene.attrs["wavelength_source"].endswith("of 3 files")


def test_bands_that_are_not_asked_for_may_be_of_any_kind(folder: Path) -> None:
    """gdalbuildvrt -addalpha adds a band."""
    text = vrt(folder / "s.vrt", [[("a.tif", "3")], [("a.tif", None)], []]).read_text()
    assert file_bands(text, [1, 2]) == [3, 1]
    assert file_bands(text, [1, 2, 3]) is None
    assert file_bands(text, [4]) is None
    assert file_bands("no VRT", [1]) is None


def test_a_warped_vrt_has_a_table_of_bands() -> None:
    text = '<VRTDataset><BandMapping src="3" dst="1"/><BandMapping src="2" dst="2"/></VRTDataset>'
    assert file_bands(text, [1, 2]) == [3, 2]
    assert file_bands(text, [1, 3]) is None
