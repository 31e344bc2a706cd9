"""Names that are long or not plain ASCII in a TAR of the PAX format, which GDAL does not know."""

from __future__ import annotations

import tarfile
from pathlib import Path

import numpy as np
import pytest
from builders import cube_of, nm_tags, write_envi, write_tif

from hsi_geo.errors import SceneError
from hsi_geo.io.scenes.scene import open_scene

FOLDERS = f"{'a' * 60}/{'b' * 60}"
NAMES = pytest.mark.parametrize("folders", [FOLDERS, "Gr\u00f6\u00dfe"], ids=["long", "not ascii"])
LISTS = ("wavelength = {462, 551.5, 640.25}", "wavelength units = Nanometers")


def packed(files: list[Path], archive: Path, form: int, folders: str) -> Path:
    with tarfile.open(archive, "w:gz" if archive.suffix == ".gz" else "w", format=form) as tar:
        for path in files:
            tar.add(path, f"{folders}/{path.name}")
    return archive


@NAMES
@pytest.mark.parametrize("archive", ["a.tar", "a.tar.gz"])
def test_a_cube_with_such_a_name_asks_to_be_unpacked(
    tmp_path: Path, archive: str, folders: str
) -> None:
    cube = write_envi(tmp_path / "line.bsq", cube_of(3), *LISTS)
    files = [cube, cube.with_suffix(".hdr")]
    with pytest.raises(SceneError, match="finds no header for such a name") as error:
        open_scene(packed(files, tmp_path / archive, tarfile.PAX_FORMAT, folders))
    assert "by a name that is long or not plain ASCII" in str(error.value)
    assert "unpack it" in str(error.value)
    for form, others in ((tarfile.GNU_FORMAT, folders), (tarfile.PAX_FORMAT, "short")):
        path = packed(files, tmp_path / f"{form}-{archive}", form, others)
        np.testing.assert_array_equal(open_scene(path).values, cube_of(3))


@NAMES
@pytest.mark.parametrize("archive", ["a.tar", "a.tar.gz"])
def test_files_beside_a_geotiff_with_such_a_name_are_named(
    tmp_path: Path, archive: str, folders: str
) -> None:
    image = write_tif(tmp_path / "line.tif", cube_of(3), band_tags=nm_tags([462, 551.5, 640.25]))
    header = tmp_path / "line.hdr"
    header.write_text("ENVI\nreflectance scale factor = 10000\n")
    alone = open_scene(packed([image], tmp_path / f"1{archive}", tarfile.PAX_FORMAT, folders))
    assert not alone.attrs.get("warnings")
    path = packed([image, header], tmp_path / f"2{archive}", tarfile.PAX_FORMAT, folders)
    both = open_scene(path)
    (warning,) = both.attrs["warnings"]
    assert warning.startswith("'line.hdr' beside it in the archive are not used")
    assert "is long or not plain ASCII" in warning
    np.testing.assert_array_equal(both.values, cube_of(3))
    short = open_scene(
        packed([image, header], tmp_path / f"3{archive}", tarfile.PAX_FORMAT, "short")
    )
    assert short.attrs["scale_factor"] == 1e-4
