"""EnMAP and DESIS products as their agencies lay them out: folders, archives, single files."""

from __future__ import annotations

import shutil
import tarfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from affine import Affine
from builders import NORTH_UP, cube_of, physical, write_envi, write_tif
from product_cases import (
    CENTRES,
    ENMAP,
    FWHM,
    GAINS,
    enmap_xml,
    stored,
    write_desis,
    write_enmap,
)

from hsi_geo.errors import SceneError
from hsi_geo.io.scenes.declared_values import SCALE, by_band
from hsi_geo.io.scenes.properties import bands_of, grid_of
from hsi_geo.io.scenes.scene import open_scene

#: Geotransform of a part of an image: its second row and third column.
PART = NORTH_UP @ Affine.translation(2, 1)


def zipped(folder: Path) -> Path:
    return Path(shutil.make_archive(str(folder), "zip", folder.parent, folder.name))


def tarred(folder: Path, suffix: str = ".tar.gz") -> Path:
    path = folder.with_name(folder.name + suffix)
    with tarfile.open(path, "w:gz" if suffix != ".tar" else "w") as archive:
        archive.add(folder, arcname=folder.name)
    return path


def upper_zip(folder: Path) -> Path:
    """In the layout of EnMAP's portal."""
    return zipped(folder).rename(folder.with_suffix(".ZIP"))


WAYS: dict[str, Callable[[Path], Path]] = {
    "folder": lambda folder: folder,
    "folder above": lambda folder: folder.parent,
    "metadata": lambda folder: next(f for f in folder.iterdir() if "METADATA" in f.name),
    "image": lambda folder: next(f for f in folder.iterdir() if "SPECTRAL_IMAGE" in f.name),
    "zip": zipped,
    "ZIP": upper_zip,
    "tar": lambda folder: tarred(folder, ".tar"),
    "tar.gz": tarred,
    "tgz": lambda folder: tarred(folder, ".tgz"),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("write", "label"), [(write_enmap, "EnMAP L2A"), (write_desis, "DESIS L2A")]
)
def test_a_product_opens_by_folder_file_or_archive(
    tmp_path: Path, write: Callable[[Path], Path], label: str, way: str
) -> None:
    path = WAYS[way](write(tmp_path / "orders" / "product [1]"))
    scene = open_scene(path, mask="none")
    assert scene.attrs["driver"] == label
    assert scene.attrs["source"] == str(path)
    bands = bands_of(scene)
    np.testing.assert_array_equal(bands.centres_nm, CENTRES)
    np.testing.assert_array_equal(bands.fwhm_nm, FWHM)
    np.testing.assert_array_equal(scene.values, stored())
    image, valid = physical(scene)
    assert np.argwhere(~valid).tolist() == [[1, 2]]
    expected = stored()[:6] * np.array(GAINS[:6])[:, None, None] + 0.5
    np.testing.assert_allclose(image[:6, valid], expected[:, valid], rtol=1e-5)
    assert grid_of(scene).resolution == (30.0, 20.0)


def test_enmaps_dead_and_unexpected_bands_are_bad(tmp_path: Path) -> None:
    good = open_scene(write_enmap(tmp_path / "a"))["good"]
    np.testing.assert_array_equal(good, [True] * 5 + [False, False])  # water vapour, dead
    xml = enmap_xml().replace("1,2,3", "1,3")
    good = open_scene(write_enmap(tmp_path / "b", xml))["good"]
    np.testing.assert_array_equal(good, [True, False, True, True, True, False, False])


def test_overlapping_detectors_interleave_by_wavelength(tmp_path: Path) -> None:
    bands = bands_of(open_scene(write_enmap(tmp_path / "a")))
    np.testing.assert_array_equal(bands.centres_nm[bands.in_order()], sorted(CENTRES[:5]))


def test_quality_layers_are_named(tmp_path: Path) -> None:
    flags = [layer.flag for layer in open_scene(write_enmap(tmp_path / "a")).attrs["quality"]]
    assert flags == ["cloud", "defective"]
    flags = [layer.flag for layer in open_scene(write_desis(tmp_path / "b")).attrs["quality"]]
    assert flags == [
        "shadow", "snow", "haze", "haze over water", "cloud", "cloud over water", "water",
    ]  # fmt: skip


def _no_image(folder: Path) -> None:
    next(folder.glob("*SPECTRAL_IMAGE*")).unlink()
    (folder / f"{ENMAP}-SPECTRAL_IMAGE.JPG").write_bytes(b"")


def _level_1b(folder: Path) -> None:
    image = next(folder.glob("*SPECTRAL_IMAGE*"))
    shutil.copy(image, folder / f"{ENMAP}-SPECTRAL_IMAGE_SWIR.TIF")
    image.rename(folder / f"{ENMAP}-SPECTRAL_IMAGE_VNIR.TIF")


def _two(folder: Path) -> None:
    write_enmap(folder, name=ENMAP.replace("_001_", "_002_"))


def _cut(folder: Path) -> None:
    path = next(folder.glob("*METADATA*"))
    path.write_text(path.read_text()[:400])


def _other_bands(folder: Path) -> None:
    next(folder.glob("*METADATA*")).write_text(enmap_xml(CENTRES[:4]))


def _no_metadata(folder: Path) -> None:
    next(folder.glob("*METADATA*")).unlink()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_no_image, "has a METADATA.XML and no SPECTRAL_IMAGE; give the whole product"),
        (_level_1b, "one spectral image a detector, as L1B has; order or download the L2A"),
        (_two, "holds 2 products: .*; give the METADATA.XML of one of them"),
        (_cut, "METADATA.XML that cannot be read"),
        (_other_bands, "has 7 bands and its METADATA.XML describes 4"),
        (_no_metadata, "is a folder, and neither an EnMAP or DESIS product nor a Zarr"),
    ],
)
def test_a_spoilt_product_is_refused(
    tmp_path: Path, spoil: Callable[[Path], None], message: str
) -> None:
    folder = write_enmap(tmp_path / "product")
    spoil(folder)
    with pytest.raises(SceneError, match=message):
        open_scene(folder)


# Files of macOS -------------------------------------------------------------------------------


def _folder(folder: Path) -> Path:
    return folder


@pytest.mark.parametrize("inside", ["._{}", "__MACOSX/._{}"], ids=["beside", "apart"])
@pytest.mark.parametrize("pack", [_folder, zipped, tarred], ids=["folder", "zip", "tar"])
@pytest.mark.parametrize("write", [write_enmap, write_desis], ids=["EnMAP", "DESIS"])
def test_files_of_macos_are_no_part_of_a_product(
    tmp_path: Path, write: Callable[[Path], Path], pack: Callable[[Path], Path], inside: str
) -> None:
    folder = write(tmp_path / "product")
    add_files_of_macos(folder, inside)
    np.testing.assert_array_equal(open_scene(pack(folder), mask="none").values, stored())


@pytest.mark.parametrize("pack", [zipped, tarred], ids=["zip", "tar"])
@pytest.mark.parametrize("name", ["scene.tif", "scene.bsq"])
def test_files_of_macos_are_no_rasters(
    tmp_path: Path, name: str, pack: Callable[[Path], Path]
) -> None:
    folder = tmp_path / "a"
    folder.mkdir()
    if name.endswith(".tif"):
        write_tif(folder / name, cube_of(3))
    else:
        write_envi(folder / name, cube_of(3))
    add_files_of_macos(folder, "__MACOSX/a/._{}")
    scene = open_scene(pack(folder), wavelengths="500:700")
    np.testing.assert_array_equal(scene.values, cube_of(3))


def test_files_of_macos_are_no_bands(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        write_tif(tmp_path / f"s_B0{number}_{number + 4}50nm.tif", cube_of(3)[number - 1 : number])
    add_files_of_macos(tmp_path, "._{}")
    np.testing.assert_array_equal(open_scene(tmp_path).values, cube_of(3))


def add_files_of_macos(folder: Path, inside: str) -> None:
    """A file of attributes for each file of a folder."""
    for path in list(folder.iterdir()):
        junk = folder / inside.format(path.name)
        junk.parent.mkdir(parents=True, exist_ok=True)
        junk.write_bytes(b"\0\5\x16\7Mac OS X")


# Images beside a product, or in its place -----------------------------------------------------


def _part(
    folder: Path,
    name: str,
    dtype: str = "int16",
    *,
    bands: int = 7,
    centres: Sequence[float] = (),
    **more: Any,
) -> Path:
    """A part of a product's image, with numbers of its own, as GeoTIFF or ENVI cube."""
    cube = (cube_of(7)[:bands, 1:4, 2:6] + 1000).astype(dtype)
    driver = "GTiff" if name.lower().endswith(".tif") else "ENVI"
    tags = [{"wavelength": str(nm), "wavelength_units": "nm"} for nm in centres]
    path = folder / f"{ENMAP}-{name}"
    return write_tif(path, cube, driver=driver, transform=PART, band_tags=tags, **more)


@pytest.mark.parametrize("alone", [False, True], ids=["beside", "alone"])
@pytest.mark.parametrize(
    ("name", "dtype", "scale"),
    [
        ("SPECTRAL_IMAGE_subset.tif", "int16", GAINS),
        ("SPECTRAL_IMAGE_subset.tif", "float32", (1.0,) * 7),
        ("SPECTRAL_IMAGE_crop.bsq", "int16", GAINS),
        ("SPECTRAL_IMAGE.bsq", "int16", GAINS),
        ("SPECTRAL_IMAGE.bsq", "float32", (1.0,) * 7),
    ],
)
def test_the_image_that_is_given_is_read(
    tmp_path: Path, name: str, dtype: str, scale: Sequence[float], *, alone: bool
) -> None:
    folder = write_enmap(tmp_path / "product")
    if alone:
        for path in folder.glob("*.TIF"):
            path.unlink()
    image = _part(folder, name, dtype)
    scene = open_scene(image)
    np.testing.assert_array_equal(scene.values, cube_of(7)[:, 1:4, 2:6] + 1000)
    assert grid_of(scene).transform == PART
    np.testing.assert_array_equal(bands_of(scene).centres_nm, CENTRES)
    np.testing.assert_array_equal(by_band(scene, SCALE, 1.0), scale)
    assert not scene.attrs.get("quality")


@pytest.mark.parametrize("name", ["SPECTRAL_IMAGE_subset.hdr", "SPECTRAL_IMAGE.hdr"])
def test_the_cube_of_a_header_that_is_given_is_read(tmp_path: Path, name: str) -> None:
    header = _part(write_enmap(tmp_path / "a"), f"{Path(name).stem}.bsq").with_suffix(".hdr")
    assert open_scene(header, mask="none").shape == (7, 3, 4)


def test_what_an_image_tells_itself_comes_before_its_metadata(tmp_path: Path) -> None:
    folder = write_enmap(tmp_path / "a")
    image = _part(folder, "SPECTRAL_IMAGE_part.tif", scales=(0.5,) * 7, offsets=(2.0,) * 7)
    scene = open_scene(image, mask="none")
    assert (scene.attrs["scale_factor"], scene.attrs["add_offset"]) == (0.5, 2.0)


@pytest.mark.parametrize(
    ("bands", "centres", "warning"),
    [
        (3, CENTRES[:3], "describes 7 bands, and it has 3: not used"),
        (7, CENTRES[::-1], "describes bands of other wavelengths: not used"),
    ],
    ids=["fewer bands", "another order"],
)
def test_metadata_of_other_bands_is_not_used(
    tmp_path: Path, bands: int, centres: Sequence[float], warning: str
) -> None:
    image = _part(write_enmap(tmp_path / "a"), "SPECTRAL_IMAGE_b.tif", bands=bands, centres=centres)
    scene = open_scene(image)
    np.testing.assert_array_equal(bands_of(scene).centres_nm, centres)
    assert scene.attrs["scale_factor"] == 1
    assert any(warning in one for one in scene.attrs["warnings"])


def test_masks_of_the_product_count_for_images_on_its_pixels(tmp_path: Path) -> None:
    folder = write_enmap(tmp_path / "a")
    smooth = write_tif(folder / f"{ENMAP}-SPECTRAL_IMAGE_smooth.tif", cube_of(7) / 2)
    flags = [layer.flag for layer in open_scene(smooth).attrs["quality"]]
    assert flags == ["cloud", "defective"]


def test_a_product_with_two_images_says_which_is_read(tmp_path: Path) -> None:
    folder = write_enmap(tmp_path / "a")
    _part(folder, "SPECTRAL_IMAGE.bsq")
    scene = open_scene(folder, mask="none")
    np.testing.assert_array_equal(scene.values, stored())
    assert any(r"SPECTRAL_IMAGE.TIF', and not 'ENMAP01" in one for one in scene.attrs["warnings"])


def test_one_image_of_a_detector_is_refused(tmp_path: Path) -> None:
    folder = write_enmap(tmp_path / "product")
    _level_1b(folder)
    image = _part(folder, "SPECTRAL_IMAGE_VNIR.TIF", bands=3)
    with pytest.raises(SceneError, match="order or download the L2A"):
        open_scene(image)


# Other archives -------------------------------------------------------------------------------


def test_a_flight_line_in_a_tar_is_read_in_place(tmp_path: Path) -> None:
    folder = tmp_path / "ang20190624t230039rfl"
    folder.mkdir()
    header = ("wavelength units = nm", "wavelength = {462, 551.5, 640.25}")
    write_envi(folder / "ang20190624t230039_rfl_v2_img", cube_of(3), *header)
    write_envi(folder / "ang20190624t230039_h2o_v2_img", cube_of(1))
    scene = open_scene(tarred(folder))
    np.testing.assert_array_equal(scene["wavelength"], [462.0, 551.5, 640.25])
    np.testing.assert_array_equal(scene.values, cube_of(3))


def test_several_rasters_in_an_archive_are_named(tmp_path: Path) -> None:
    folder = tmp_path / "tiles"
    folder.mkdir()
    for name in ("a.tif", "b.tif"):
        write_tif(folder / name, cube_of(2))
    with pytest.raises(SceneError, match=r"holds 2 rasters: tiles/a\.tif, tiles/b\.tif; give one"):
        open_scene(zipped(folder))


def test_an_archive_without_a_raster_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("inner/product.zip", b"...")
    with pytest.raises(SceneError, match="holds no GeoTIFF"):
        open_scene(tmp_path / "a.zip")


def test_damaged_metadata_is_refused(tmp_path: Path) -> None:
    path = zipped(write_enmap(tmp_path / ENMAP))
    with zipfile.ZipFile(path) as archive:
        (info,) = [one for one in archive.infolist() if one.filename.endswith("METADATA.XML")]
    content = bytearray(path.read_bytes())
    content[info.header_offset + 30 + len(info.filename) + 20] ^= 0xFF
    path.write_bytes(bytes(content))
    with pytest.raises(SceneError, match=r"METADATA\.XML that cannot be read"):
        open_scene(path)


@pytest.mark.parametrize("name", ["a.zip", "a.tar.gz", "a.tar"])
def test_a_damaged_archive_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"PK\x03\x04 and then nothing of use" * 9)
    with pytest.raises(SceneError, match="is no archive that can be read"):
        open_scene(tmp_path / name)
