"""What would be read as part of an output is removed with an earlier one or is an error, and other files stay."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from builders import write_tif
from class_map_cases import random_probabilities, write_map

from hsi_geo.io.maps.writer import MapPaths
from hsi_geo.io.outputs.atomic import atomic_outputs

SIDE_FILES = (
    *("m.tif.ovr", "m.tif.OVR", "m.tif.msk", "m.tif.MSK", "m.tif.msk.ovr", "m.rrd"),
    *("m.aux", "m.tif.aux", "m.tif.vat.dbf", "m.tfw", "m.tifw", "m_confidence.tif.aux.xml"),
)


def write_side_file(path: Path) -> None:
    if path.suffix.lower() in (".ovr", ".msk"):
        size = 2 if path.suffix.lower() == ".msk" else 1
        values = np.full((1, 19 * size, 27 * size), 9, np.uint8)[:, :37, :53]
        drawn = write_tif(path.with_name("drawn.tif"), values, crs=None)
        drawn.replace(path)
    elif path.suffix == ".aux":
        profile = {"height": 37, "width": 53, "count": 1, "dtype": "uint8"}
        with rasterio.open(
            path.with_name("d.img"), "w", driver="HFA", DEPENDENT_FILE="m.tif", **profile
        ):
            pass
        path.with_name("d.img").replace(path)
    else:
        path.write_text("5\n0\n0\n-5\n100\n200\n")


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
@pytest.mark.parametrize("name", SIDE_FILES)
def test_side_files_of_an_earlier_map_are_removed(tmp_path: Path, name: str) -> None:
    paths = MapPaths.of(tmp_path / "m.tif", confidence=True)
    write_map(paths, random_probabilities())
    write_side_file(tmp_path / name)
    with atomic_outputs(paths.all, overwrite=True) as where:
        write_map(paths.moved(where), random_probabilities(seed=5))
    assert not (tmp_path / name).exists()
    with rasterio.open(paths.classes) as file:
        assert {Path(read).name for read in file.files} == {"m.tif", "m.tif.aux.xml"}
    for path in paths.all:
        path.unlink()
    write_side_file(tmp_path / name)
    with pytest.raises(OSError, match="already there"), atomic_outputs(paths.all, overwrite=False):
        pytest.fail("not reached")


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
@pytest.mark.parametrize("name", ["m.wld", "m.WLD"])
def test_world_file_beside_a_map_without_crs_is_an_error(tmp_path: Path, name: str) -> None:
    from affine import Affine

    from hsi_geo.tiling import Grid

    grid = Grid(37, 53, Affine.identity(), None)
    paths = MapPaths.of(tmp_path / "m.tif")
    (tmp_path / name).write_text("5\n0\n0\n-5\n100\n200\n")
    with (
        pytest.raises(OSError, match=r"would georeference 'm\.tif'"),
        atomic_outputs(paths.all, overwrite=True) as where,
    ):
        write_map(paths.moved(where), random_probabilities(), grid=grid)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    with atomic_outputs(paths.all, overwrite=True) as where:  # one with a place is not concerned
        write_map(paths.moved(where), random_probabilities())
    with atomic_outputs(paths.all, overwrite=True) as where:
        write_map(paths.moved(where), random_probabilities(), grid=grid)
    with rasterio.open(paths.classes) as file:
        assert file.transform.is_identity


@pytest.mark.parametrize("name", ["m.jpg", "m.txt", "m.aux", "m_RPC.TXT", "m.tif.bak", "m.gpkg"])
def test_other_files_of_the_stem_stay(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("\\relax mine")
    paths = MapPaths.of(tmp_path / "m.tif")
    for overwrite in (False, True):
        with atomic_outputs(paths.all, overwrite=overwrite) as where:
            write_map(paths.moved(where), random_probabilities())
    assert (tmp_path / name).read_text() == "\\relax mine"


def test_sqlite_journal_of_earlier_points_is_removed(tmp_path: Path) -> None:
    final = tmp_path / "p.gpkg"
    for end in ("", "-wal", "-shm", "-journal"):
        final.with_name(final.name + end).write_text("old")
    with atomic_outputs([final], overwrite=True) as where:
        where[final].write_text("new")
    assert [path.name for path in tmp_path.iterdir()] == ["p.gpkg"]
