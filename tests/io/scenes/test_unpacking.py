"""Temporary copies of compressed scenes: same values, reported, removed afterwards."""

from __future__ import annotations

import errno
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import cube_of, nm_tags, watch_reads, write_envi, write_tif

from hsi_geo.errors import OutputError
from hsi_geo.io.readers import RasterPixels, glt
from hsi_geo.io.scenes import unpacking
from hsi_geo.io.scenes.lazy import files_with_values
from hsi_geo.io.scenes.properties import select_good_bands
from hsi_geo.io.scenes.scene import open_scene
from hsi_geo.io.scenes.unpacking import unpacked
from hsi_geo.io.scenes.windows import read_window
from hsi_geo.tiling import Window

WAVELENGTHS = "wavelength = {" + ", ".join(str(500 + 10 * band) for band in range(9)) + "}"


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary folders go."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


def scene_of(folder: Path, *, gzipped: bool, interleave: str = "bsq") -> Any:
    path = folder / "cube.img"
    write_envi(path, cube_of(9, 11, 7), WAVELENGTHS, gzipped=gzipped, interleave=interleave)
    return open_scene(path)


@pytest.mark.parametrize("interleave", ["bsq", "bil", "bip"])
@pytest.mark.parametrize("chunk_bytes", [1, 128 << 20])
def test_unpacked_copy_has_the_values_of_the_scene(
    tmp_path: Path,
    scratch: Path,
    monkeypatch: pytest.MonkeyPatch,
    interleave: str,
    chunk_bytes: int,
) -> None:
    monkeypatch.setattr(unpacking, "CHUNK_BYTES", chunk_bytes)
    scene = scene_of(tmp_path, gzipped=True, interleave=interleave)
    messages: list[str] = []
    with unpacked([scene], messages.append) as (copy,):
        assert len(messages) == 1
        assert "temporary copy" in messages[0]
        assert any(scratch.iterdir())
        window = Window(2, -1, 5, 6)
        for one, other in zip(
            read_window(select_good_bands(copy), window),
            read_window(select_good_bands(scene), window),
            strict=True,
        ):
            np.testing.assert_array_equal(one, other)
        assert copy.attrs["source"] == scene.attrs["source"]
        assert copy.rio.crs == scene.rio.crs
        with unpacked([copy], messages.append) as (again,):
            assert again is copy
    assert len(messages) == 1
    assert not any(scratch.iterdir())


@pytest.mark.parametrize(("ending", "packed"), [("tar", False), ("tar.gz", True)])
def test_uncompressed_archive_is_not_packed(tmp_path: Path, ending: str, packed: bool) -> None:
    scene = write_tif(
        tmp_path / "a.tif",
        cube_of(9, 11, 7),
        band_tags=nm_tags([500.0 + 10 * band for band in range(9)]),
    )
    archive = tmp_path / f"a.{ending}"
    with tarfile.open(archive, "w:gz" if packed else "w") as target:
        target.add(scene, "a.tif")
    assert open_scene(f"/vsitar/{archive}/a.tif").attrs["packed"] is packed


def test_unpacked_passes_on_scenes_that_can_be_read_by_windows(
    tmp_path: Path, scratch: Path
) -> None:
    scene = scene_of(tmp_path, gzipped=False)
    with unpacked([scene], lambda message: pytest.fail(message)) as (same,):
        assert same is scene
        assert not any(scratch.iterdir())


def test_unpacked_removes_copies_after_a_failure(tmp_path: Path, scratch: Path) -> None:
    scene = scene_of(tmp_path, gzipped=True)
    with pytest.raises(KeyboardInterrupt), unpacked([scene], lambda message: None):
        raise KeyboardInterrupt
    assert not any(scratch.iterdir())


def test_unpacked_reports_a_full_disk(
    tmp_path: Path, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: Any, **kwargs: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(np, "memmap", full)
    scene = scene_of(tmp_path, gzipped=True)
    with pytest.raises(OutputError, match="no room") as raised, unpacked([scene], lambda _: None):
        pass
    assert "TMPDIR" in raised.value.hint
    assert not any(scratch.iterdir())


def test_unpacked_allocates_its_file_before_writing(
    tmp_path: Path, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk would end the process while a mapped file is written."""
    requested: list[int] = []

    def full(_: int, start: int, size: int) -> None:
        requested.append(size - start)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.posix_fallocate", full, raising=False)
    scene = scene_of(tmp_path, gzipped=True)
    with pytest.raises(OutputError, match="no room for a temporary copy"), unpacked([scene], print):
        pytest.fail("there is no copy")
    assert requested == [scene.nbytes]
    assert not any(scratch.iterdir())


def test_a_rotated_line_is_unpacked_in_one_pass(
    tmp_path: Path, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows of the upright grid cross all rows of the file, and each step back would unpack it anew."""
    path = tmp_path / "cube.img"
    write_envi(path, cube_of(9, 40, 30), WAVELENGTHS, gzipped=True, interleave="bil")
    header = path.with_suffix(".hdr")
    header.write_text(header.read_text().replace("units=Meters", "units=Meters, rotation=34"))
    scene = open_scene(path)
    expected = scene.values
    monkeypatch.setattr(glt, "MAX_BYTES", 9 * 30 * 2 * 7)
    seen = watch_reads(monkeypatch, RasterPixels)
    with unpacked([scene], list[str]().append) as (copy,):
        rows = [window.row for _, _, window in seen]
        assert len(rows) == 6  # 40 rows, 7 at a time
        assert rows == sorted(rows)
        np.testing.assert_array_equal(copy.values, expected)
        assert "unpacks" not in copy.attrs
        assert files_with_values(copy) == files_with_values(scene) == (str(path), str(header))
    computed = scene * 2
    reordered = scene.isel(band=slice(None, None, -1))
    for part in (reordered, scene[:, 3:], scene[2:5], computed, computed.chunk(x=9)):
        with unpacked([part], list[str]().append) as (copy,):
            np.testing.assert_array_equal(copy.values, part.values)
