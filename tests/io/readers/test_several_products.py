"""EnMAP and DESIS products beside others, and beside files that people made from them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from builders import cube_of, physical, write_tif
from product_cases import CENTRES, ENMAP, enmap_xml, write_enmap

from hsi_geo.io.scenes.scene import open_scene

OTHER_XML = enmap_xml().replace("911.0", "912.0").replace(">0.0001<", ">0.5<")


def clouds(path: Path, size: tuple[int, int] = (5, 7)) -> None:
    """A layer that flags all pixels as clouds."""
    write_tif(path, np.ones((1, *size), "uint8"))


@pytest.mark.parametrize("given", ["site-METADATA.XML", "site-SPECTRAL_IMAGE.TIF"])
def test_a_product_whose_name_goes_on_is_another_one(tmp_path: Path, given: str) -> None:
    expected = physical(open_scene(write_enmap(tmp_path / "alone", name="site")))
    write_enmap(tmp_path / "both", name="site")
    write_enmap(tmp_path / "both", xml=OTHER_XML, name="site-2")
    clouds(tmp_path / "both" / "site-2-QL_QUALITY_CLOUD.TIF")
    scene = open_scene(tmp_path / "both" / given)
    assert scene["wavelength"].values.tolist() == list(CENTRES)
    for found, wanted in zip(physical(scene), expected, strict=True):
        np.testing.assert_array_equal(found, wanted)
    other = open_scene(tmp_path / "both" / given.replace("site", "site-2"))
    assert other["wavelength"].values[0] == 912
    assert not physical(other)[1].any()


@pytest.mark.parametrize(
    "name",
    [
        f"clip_{ENMAP}-QL_QUALITY_CLOUD.TIF",
        f"{ENMAP.replace('L2A', 'L1C')}-QL_QUALITY_CLOUD.TIF",
        f"crop/{ENMAP}-QL_QUALITY_CLOUD.TIF",
    ],
    ids=["made from it", "of another level", "in a folder"],
)
@pytest.mark.parametrize("size", [(5, 7), (3, 2)], ids=["whole", "crop"])
def test_flags_are_those_of_the_product(tmp_path: Path, name: str, size: tuple[int, int]) -> None:
    expected = physical(open_scene(write_enmap(tmp_path)))
    (tmp_path / name).parent.mkdir(exist_ok=True)
    clouds(tmp_path / name, size)
    for found, wanted in zip(physical(open_scene(tmp_path)), expected, strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_a_metadata_file_of_another_name_is_that_of_the_only_image(tmp_path: Path) -> None:
    write_enmap(tmp_path)
    image = tmp_path / f"{ENMAP}-SPECTRAL_IMAGE.TIF"
    expected = physical(open_scene(tmp_path))
    image.rename(tmp_path / "mine-SPECTRAL_IMAGE.TIF")
    scene = open_scene(tmp_path)
    assert scene["wavelength"].values.tolist() == list(CENTRES)
    np.testing.assert_array_equal(physical(scene)[1], expected[1])


def moved(folder: Path, to: str) -> None:
    """Move the masks of a product: "{}" in the new name stands for their end, as "QL_QUALITY_CLOUD.TIF"."""
    for path in folder.glob("*-QL_*.TIF"):
        target = folder / to.format(path.name[len(ENMAP) + 1 :])
        target.parent.mkdir(exist_ok=True)
        path.rename(target)


def in_folder(folder: Path) -> None:
    moved(folder, f"masks/{ENMAP}-{{}}")


def image_renamed(folder: Path) -> None:
    for name in ("SPECTRAL_IMAGE.TIF", "METADATA.XML"):
        (folder / f"{ENMAP}-{name}").rename(folder / f"site-{name}")


def image_and_masks_moved(folder: Path) -> None:
    image_renamed(folder)
    moved(folder, f"official/{ENMAP}-{{}}")


@pytest.mark.parametrize("change", [in_folder, image_renamed, image_and_masks_moved])
def test_masks_of_the_only_product_are_found(
    tmp_path: Path, change: Callable[[Path], None]
) -> None:
    expected = physical(open_scene(write_enmap(tmp_path)))[1]
    assert not expected.all()
    change(tmp_path)
    scene = open_scene(tmp_path)
    np.testing.assert_array_equal(physical(scene)[1], expected)
    assert not scene.attrs.get("warnings")


def other_pixels(folder: Path) -> None:
    moved(folder, f"masks/{ENMAP}-{{}}")
    for path in (folder / "masks").iterdir():
        clouds(path, (3, 2))


def two_names(folder: Path) -> None:
    moved(folder, "a-{}")
    clouds(folder / "b-QL_QUALITY_HAZE.TIF")


def two_copies(folder: Path) -> None:
    moved(folder, f"masks/{ENMAP}-{{}}")
    (folder / "old").mkdir()
    clouds(folder / "old" / f"{ENMAP}-QL_QUALITY_CLOUD.TIF")


def of_a_crop(folder: Path) -> None:
    moved(folder, f"crop/{ENMAP}-{{}}")
    write_tif(folder / "crop" / f"{ENMAP}-SPECTRAL_IMAGE.TIF", cube_of(7))


@pytest.mark.parametrize("change", [other_pixels, two_names, two_copies, of_a_crop])
def test_masks_that_cannot_be_told_to_be_those_of_the_product_are_named(
    tmp_path: Path, change: Callable[[Path], None]
) -> None:
    write_enmap(tmp_path)
    change(tmp_path)
    warnings = [one for one in open_scene(tmp_path).attrs["warnings"] if "mask" in one]
    assert len(warnings) == 1 and "QL_QUALITY_CLOUD.TIF'" in warnings[0]
