"""Bands in the METADATA.XML of a product: their order, and a file that is not used."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from builders import cube_of, nm_tags, write_tif
from product_cases import DESIS, ENMAP, desis_xml, enmap_xml, write_desis, write_enmap

from hsi_geo.errors import WavelengthError
from hsi_geo.io.scenes.properties import bands_of
from hsi_geo.io.scenes.scene import open_scene


def shuffled(xml: str, parent: str, child: str) -> str:
    """The text with the children of an element in another order."""
    whole = re.search(f"<{parent}>(.*)</{parent}>", xml, re.DOTALL)
    assert whole is not None
    parts = re.findall(f"<{child}[ >].*?</{child}>", whole[1], re.DOTALL)
    assert len(parts) == 7
    return xml.replace(whole[1], "".join(parts[index] for index in (4, 0, 6, 2, 1, 5, 3)))


def assert_same(one: Path, other: Path) -> None:
    found, expected = open_scene(one), open_scene(other)
    for name in ("wavelength", "fwhm", "good", "scale_factor"):
        np.testing.assert_array_equal(found[name], expected[name])
    np.testing.assert_array_equal(found.values, expected.values)


@pytest.mark.parametrize("parent", ["bandCharacterisation", "bandStatistics"])
def test_bands_of_enmap_have_numbers(tmp_path: Path, parent: str) -> None:
    changed = write_enmap(tmp_path / "changed", shuffled(enmap_xml(), parent, "bandID"))
    assert_same(changed, write_enmap(tmp_path / "usual"))


def test_bands_of_desis_have_numbers(tmp_path: Path) -> None:
    changed = write_desis(tmp_path / "changed")
    xml = shuffled(desis_xml(), "bandCharacterisation", "band")
    (changed / f"{DESIS}-METADATA.xml").write_text(xml)
    assert_same(changed, write_desis(tmp_path / "usual"))


@pytest.mark.parametrize("numbers", ["", 'number="1"', 'number="x"', 'number="{}.5"'])
def test_without_numbers_the_order_counts(tmp_path: Path, numbers: str) -> None:
    xml = re.sub(r'number="(\d+)"', lambda match: numbers.format(match[1]), enmap_xml())
    assert_same(write_enmap(tmp_path / "a", xml), write_enmap(tmp_path / "b"))


def test_a_metadata_file_that_is_not_used_is_why_an_image_has_no_wavelengths(
    tmp_path: Path,
) -> None:
    folder = write_enmap(tmp_path)
    image = write_tif(folder / f"{ENMAP}-SPECTRAL_IMAGE_subset.TIF", cube_of(3))
    with pytest.raises(
        WavelengthError, match=r"METADATA\.XML beside it describes 7 bands, and it has 3"
    ):
        open_scene(image)
    (warning,) = open_scene(image, wavelengths="450:650").attrs["warnings"]
    assert "METADATA.XML beside it describes 7 bands, and it has 3: not used" in warning
    image = write_tif(image, cube_of(3), band_tags=nm_tags([911.0, 942.0, 993.0]))
    assert bands_of(open_scene(image)).centres_nm.tolist() == [911.0, 942.0, 993.0]
    assert any("describes 7 bands" in text for text in open_scene(image).attrs["warnings"])
