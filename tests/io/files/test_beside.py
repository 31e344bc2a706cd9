"""Files beside a raster count in an archive as they do in a folder."""

from __future__ import annotations

import json
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from builders import cube_of, nm_tags, write_envi, write_tif
from new_sensor_cases import write_wyvern

from hsi_geo.io.files.beside import files_in, is_file, read_small_file
from hsi_geo.io.scenes.declared_values import NODATA, OFFSET, SCALE, by_band
from hsi_geo.io.scenes.scene import open_scene

NM = [450.0, 550.0, 650.0, 860.0]

HEADER = """ENVI
data type = 2
reflectance scale factor = 10000
data ignore value = 7
bbl = {1, 0, 1, 1}
"""


def header_with_values(folder: Path) -> Path:
    (folder / "scene.hdr").write_text(HEADER)
    return write_tif(folder / "scene.tif", cube_of(4), band_tags=nm_tags(NM))


def header_with_wavelengths(folder: Path) -> Path:
    (folder / "scene.hdr").write_text(f"{HEADER}wavelength = {{450, 550, 650, 860}}\n")
    return write_tif(folder / "scene.tif", cube_of(4))


def gains_of_a_cube(folder: Path) -> Path:
    (folder / "f08rdn_c.gain").write_text("300 1\n600 2\n300 3\n1200 4\n")
    cube = folder / "f08rdn_c_ort_img"
    return write_envi(cube, cube_of(4), "wavelength = {450, 550, 650, 860}")


def item_with_wavelengths(folder: Path) -> Path:
    bands = [{"center_wavelength": nm / 1000, "full_width_half_max": 0.02} for nm in NM]
    asset = {
        "href": "./scene.tif",
        "eo:bands": bands,
        "raster:bands": [{"scale": 0.001, "nodata": 7}] * 4,
    }
    item = {"properties": {"platform": "test-1"}, "assets": {"image": asset}}
    (folder / "item.json").write_text(json.dumps(item))
    return write_tif(folder / "scene.tif", cube_of(4))


def masks_of_a_scene(folder: Path) -> Path:
    return write_wyvern(folder)


def masks_by_their_names(folder: Path) -> Path:
    path = write_wyvern(folder)
    item = json.loads(path.with_suffix(".json").read_text())
    del item["assets"]["Data Mask"]
    path.with_suffix(".json").write_text(json.dumps(item))
    return path


Write = Callable[[Path], Path]
SCENES: tuple[Write, ...] = (
    header_with_values,
    header_with_wavelengths,
    gains_of_a_cube,
    item_with_wavelengths,
    masks_of_a_scene,
    masks_by_their_names,
)


def packed(folder: Path, ending: str, inner: str) -> Path:
    """An archive of a folder, next to it, with its files in a folder of the archive."""
    path = folder.with_name(f"archive{ending}")
    files = sorted(folder.iterdir())
    if ending == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            for file in files:
                archive.write(file, f"{inner}{file.name}")
    else:
        with tarfile.open(path, "w:gz" if ending.endswith("gz") else "w") as tar:
            for file in files:
                tar.add(file, f"{inner}{file.name}")
    return path


@pytest.mark.parametrize("braces", [True, False], ids=["braces", "plain"])
@pytest.mark.parametrize(
    ("ending", "inner"),
    [(".zip", "a/b/"), (".zip", ""), (".tar", "a/"), (".tar.gz", "./"), (".tgz", "a/")],
)
@pytest.mark.parametrize("write", SCENES, ids=lambda write: write.__name__)
def test_a_scene_in_an_archive_is_as_in_its_folder(
    tmp_path: Path, write: Write, ending: str, inner: str, *, braces: bool
) -> None:
    folder = tmp_path / "scene"
    folder.mkdir()
    path = write(folder)
    archive = packed(folder, ending, inner)
    kind = "zip" if ending == ".zip" else "tar"
    place = f"{{{archive}}}" if braces else str(archive)
    name = f"/vsi{kind}/{place}/{inner.removeprefix('./')}{path.name}"
    scene, other = open_scene(path), open_scene(name)
    for declared, neutral in ((SCALE, 1.0), (OFFSET, 0.0), (NODATA, np.nan)):
        np.testing.assert_array_equal(
            by_band(other, declared, neutral), by_band(scene, declared, neutral)
        )
    for coordinate in ("wavelength", "fwhm", "good"):
        np.testing.assert_array_equal(other[coordinate], scene[coordinate])
    for one, two in zip(other.hsi.read(), scene.hsi.read(), strict=True):
        np.testing.assert_array_equal(one, two)
    assert other.attrs["driver"] == scene.attrs["driver"]


@pytest.mark.parametrize("ending", [".zip", ".tar.gz"])
@pytest.mark.parametrize(
    "write",
    [header_with_values, header_with_wavelengths, gains_of_a_cube, item_with_wavelengths],
    ids=lambda write: write.__name__,
)
def test_an_archive_that_is_given_has_its_side_files(
    tmp_path: Path, write: Write, ending: str
) -> None:
    folder = tmp_path / "scene"
    folder.mkdir()
    scene, other = open_scene(write(folder)), open_scene(packed(folder, ending, "x/"))
    np.testing.assert_array_equal(other.hsi.read()[0], scene.hsi.read()[0])
    np.testing.assert_array_equal(other["good"], scene["good"])


def test_files_of_a_folder_in_an_archive(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("x/b.json", "x/a.json", "x/y/c.json", "d.json", "x/e.txt"):
            archive.writestr(name, name)
    folder = f"/vsizip/{{{path}}}/x"
    assert [one.name for one in files_in(folder, "*.json")] == ["a.json", "b.json"]
    assert [one.name for one in files_in(f"/vsizip/{{{path}}}", "*")] == ["d.json"]
    assert is_file(f"{folder}/a.json")
    assert not is_file(f"{folder}/y")
    assert read_small_file(f"{folder}/a.json", 8) == b"x/a.json"
    assert read_small_file(f"{folder}/a.json", 7) is None
    assert read_small_file(f"{folder}/none.json", 7) is None


def test_a_damaged_archive_has_no_files(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(b"PK\x03\x04 and nothing of use")
    assert not is_file(f"/vsizip/{{{path}}}/a.hdr")
    assert files_in(f"/vsizip/{{{path}}}", "*") == []
