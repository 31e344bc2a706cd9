"""Cubes with a header of ENVI in archives, beside files of other kinds, and how archives spell their names."""

from __future__ import annotations

import tarfile
from pathlib import Path

import numpy as np
import pytest
from builders import cube_of, physical, write_envi
from new_sensor_cases import write_pixxel

from hsi_geo.io.readers.packages import Package, rasters_in
from hsi_geo.io.scenes.scene import open_scene


@pytest.mark.parametrize(
    ("names", "rasters"),
    [
        (["a.bsq", "a.hdr"], ["a.bsq"]),
        (["a.bsq", "a.hdr", "a.xml", "a.png", "a.bsq.aux.xml"], ["a.bsq"]),
        (["a.tif", "a.hdr", "a.xml", "a.geojson"], ["a.tif"]),
        (["a_img", "a_img.hdr", "a_img.txt"], ["a_img"]),
        (["a.cube", "a.cube.hdr", "a.kml"], ["a.cube"]),
        (["a.cube", "a.hdr"], ["a.cube"]),
        (["./p/a.bsq", "./p/a.hdr"], ["./p/a.bsq"]),
        (["A.BSQ", "A.HDR", "A.XML"], ["A.BSQ"]),
        (["a.bsq", "a.hdr", "b.cube", "b.hdr"], ["a.bsq", "b.cube"]),
        (["a.bsq", "a.dat", "a.hdr"], ["a.bsq", "a.dat"]),
        (["a.rfl", "a.dat", "a.hdr"], ["a.rfl", "a.dat"]),
        (["a.rfl", "a.hdr", "a.tif"], ["a.rfl", "a.tif"]),
        (["a.flt", "a.hdr", "a.png"], ["a.flt"]),
        (["./a.bsq", "./a.bsq.hdr", "./a.bsq.xml", "./a.bsq.enp"], ["./a.bsq"]),
        (["a.bsq", "a.bsq.hdr", "a.bsq.new"], ["a.bsq"]),
        (["a_v1.2.bsq", "a_v1.2.hdr", "a_v1.2.png", "a_v1.2.jpeg"], ["a_v1.2.bsq"]),
        (["a_v1.2", "a_v1.2.hdr", "a_v1.2.png"], ["a_v1.2"]),
        (["a.xml", "b.hdr"], []),
    ],
    ids=lambda value: " ".join(value),
)
def test_metadata_beside_a_cube_is_no_raster(names: list[str], rasters: list[str]) -> None:
    package = Package("x", tuple(names), str, lambda _: b"")
    assert rasters_in(package) == rasters


@pytest.mark.parametrize("before", ["", "./", "./folder/"])
@pytest.mark.parametrize(("ending", "mode"), [(".tar", "w"), (".tar.gz", "w:gz")])
def test_names_in_a_tar_may_begin_with_a_dot(
    tmp_path: Path, before: str, ending: str, mode: str
) -> None:
    write_envi(tmp_path / "a.bsq", cube_of(4), "wavelength = {500, 600, 700, 900}")
    path = tmp_path / f"scene{ending}"
    with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]  # mode is a text
        for name in ("a.bsq", "a.hdr"):
            tar.add(tmp_path / name, f"{before}{name}")
    scene = open_scene(path)
    assert scene["wavelength"].values.tolist() == [500, 600, 700, 900]
    np.testing.assert_array_equal(physical(scene)[0], cube_of(4))


@pytest.mark.parametrize("name", ["{}.mask.TIF", "{}.MASK.tiff"])
@pytest.mark.parametrize("ending", [".xml", ".XML"])
def test_masks_of_pixxel_may_have_capital_letters(tmp_path: Path, name: str, ending: str) -> None:
    path = write_pixxel(tmp_path)
    expected = physical(open_scene(path))[1]
    assert not expected.all()
    (tmp_path / f"{path.stem}.mask.tif").rename(tmp_path / name.format(path.stem))
    (tmp_path / f"{path.stem}.xml").rename(tmp_path / f"{path.stem}{ending}")
    np.testing.assert_array_equal(physical(open_scene(path))[1], expected)
