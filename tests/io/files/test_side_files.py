"""Side files that other programs read with an output go with the file that is replaced; those of people stay."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from builders import write_tif
from rasterio.enums import Resampling

from hsi_geo.io.files.side_files import beside_output
from hsi_geo.io.outputs.atomic import atomic_outputs

READ = [
    *(("x.vrt", f"x.vrt.{end}") for end in ("ovr", "OVR", "msk", "msk.ovr", "aux.xml", "aux")),
    *(("x.VRT", name) for name in ("x.VRT.ovr", "x.rrd")),
    *(("x.tiff", name) for name in ("x.tiff.ovr", "x.tiff.vat.dbf", "x.rrd")),
    *(("x.png", f"x.png.{end}") for end in ("ovr", "msk", "aux.xml")),
    *(("x.gpkg", f"x.gpkg-{end}") for end in ("wal", "shm", "journal")),
]

KEPT = [
    *(("x.vrt", name) for name in ("x.ovr", "x.vrt.bak", "x.tfw", "x.aux", "xy.vrt.ovr", "x.qml")),
    *(("x.vrt", name) for name in ("x.tif.ovr", "x_1.vrt.ovr", "x.wld")),
    *(("x.png", name) for name in ("x.pgw", "x.wld", "x.tif.aux.xml")),
    *(("x.gpkg", name) for name in ("x.qml", "x.gpkg.bak", "x.vrt-wal")),
    *(("x.csv", name) for name in ("x.csvt", "x.csv.aux.xml", "x.prj")),
    *((f"x{end}", f"x{end}.aux.xml") for end in (".json", ".fgb", ".parquet", ".html", "")),
]


def replace(final: Path) -> None:
    with atomic_outputs([final], overwrite=True) as where:
        where[final].write_text("new")


@pytest.mark.parametrize(("name", "beside"), READ)
def test_files_that_are_read_with_an_output_go(tmp_path: Path, name: str, beside: str) -> None:
    (tmp_path / beside).write_text("old")
    with (
        pytest.raises(OSError, match="would be read as part of the output"),
        atomic_outputs([tmp_path / name], overwrite=False),
    ):
        pytest.fail("not reached")
    (tmp_path / name).write_text("old")
    replace(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(("name", "beside"), KEPT)
def test_files_of_people_stay(tmp_path: Path, name: str, beside: str) -> None:
    for one in (name, beside):
        (tmp_path / one).write_text("mine")
    replace(tmp_path / name)
    assert (tmp_path / beside).read_text() == "mine"


@pytest.mark.parametrize("erdas", [False, True])
def test_gdal_reads_no_pyramids_of_an_earlier_mosaic(tmp_path: Path, erdas: bool) -> None:
    sources = [
        write_tif(tmp_path / f"{value}.tif", np.full((1, 37, 53), value, np.uint8))
        for value in (1, 2)
    ]
    mosaic = tmp_path / "m.vrt"
    rasterio.shutil.copy(sources[0], mosaic, driver="VRT")
    with rasterio.Env(USE_RRD="YES" if erdas else "NO"), rasterio.open(mosaic, "r+") as file:
        file.build_overviews([2], Resampling.nearest)
    assert [path.name for path in beside_output(mosaic)] == ["m.aux" if erdas else "m.vrt.ovr"]
    with atomic_outputs([mosaic], overwrite=True) as where:
        rasterio.shutil.copy(sources[1], where[mosaic], driver="VRT")
    with rasterio.open(mosaic) as file:
        assert file.overviews(1) == []


@pytest.mark.parametrize("is_read", [False, True])
def test_side_files_go_with_a_stale_file(tmp_path: Path, is_read: bool) -> None:
    """Not those that the job writes; nothing goes that the job reads."""
    beside = ("s.vrt", "s.vrt.ovr", "s.vrt.msk")
    for name in (*beside, "s.vrt.aux.xml", "other.vrt.ovr"):
        (tmp_path / name).write_text("old")
    finals = [tmp_path / "new.txt", *([] if is_read else [tmp_path / "s.vrt.aux.xml"])]
    inputs, stale = [tmp_path / "s.vrt"] if is_read else [], [tmp_path / "s.vrt"]
    with atomic_outputs(finals, overwrite=True, stale=stale, inputs=inputs) as where:
        for path in where.values():
            path.write_text("new")
    kept = dict.fromkeys((*beside, "s.vrt.aux.xml") if is_read else (), "old")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "other.vrt.ovr": "old",
        **dict.fromkeys((path.name for path in finals), "new"),
        **kept,
    }
