"""Maps of hsi-geo that are read as labels: pixels that they rejected are none."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import rasterio
from builders import NORTH_UP
from class_map_cases import CLASSES, GRID

from hsi_geo import polygons
from hsi_geo.arrays import UInt8Array
from hsi_geo.errors import EmptyShotsError
from hsi_geo.io.labels.purposes import REFERENCE, TRAINING, Purpose
from hsi_geo.io.labels.rejected_classes import REJECTED, rejected_classes
from hsi_geo.io.labels.shot_pixels import burn
from hsi_geo.io.labels.shot_reading import read_shots
from hsi_geo.io.maps.class_styles import aux_xml
from hsi_geo.io.maps.reader import read_map

UNLIKE, UNCERTAIN = rejected_classes(CLASSES, unlike=True, uncertain=True)


def values() -> UInt8Array:
    """(37, 53) classes 1 to 3 in patches, with pixels that are rejected, and a hole."""
    ids = np.ones(GRID.shape, np.uint8)
    ids[:, 20:], ids[22:, :40] = 2, 3
    ids[5:9, 15:31], ids[30, 3:50] = UNLIKE.id, UNCERTAIN.id
    ids[0:2, 40:] = 0
    return ids


@pytest.fixture
def rejecting(tmp_path: Path) -> Path:
    """A map with rejected pixels and its record."""
    path = tmp_path / "old map.tif"
    with rasterio.open(
        path, "w", driver="GTiff", count=1, height=37, width=53, dtype="uint8", nodata=0,
        crs="EPSG:32633", transform=NORTH_UP,
    ) as file:  # fmt: skip
        file.write(values(), 1)
    legend = (*CLASSES, UNLIKE, UNCERTAIN)
    path.with_name("old map.tif.aux.xml").write_text(aux_xml(legend), encoding="utf-8")
    entries = [one.as_dict() for one in (UNLIKE, UNCERTAIN)]
    record = {"classes": [one.as_dict() for one in CLASSES], REJECTED: entries}
    path.with_suffix(".json").write_text(json.dumps(record), encoding="utf-8")
    return path


def burnt(path: Path | str, **how: Any) -> tuple[UInt8Array, Any]:
    """(37, 53) classes in the order of `CLASSES`, and the shots."""
    shots = read_shots(path, **how)
    pixels = burn(shots, GRID)
    number = {one.name: one.id for one in CLASSES} | {str(one.id): one.id for one in CLASSES}
    found = np.zeros(GRID.shape, np.uint8)
    found[pixels.rows, pixels.cols] = [number[shots.classes[i - 1].name] for i in pixels.class_ids]
    return found, shots


@pytest.mark.parametrize("purpose", [TRAINING, REFERENCE], ids=["shots", "reference"])
def test_rejected_pixels_of_a_map_are_no_labels(rejecting: Path, purpose: Purpose) -> None:
    found, shots = burnt(rejecting, purpose=purpose)
    np.testing.assert_array_equal(found, np.where(values() > 3, 0, values()))
    assert len(shots.classes) == 3
    assert shots.notes[-1] == (
        "111 pixels that the map rejected are left out ('unlike any shot', 'too uncertain')"
    )


def zipped(path: Path, folder: str = "") -> Path:
    """The map and its record in an archive."""
    archive = path.with_name("sent.zip")
    with zipfile.ZipFile(archive, "w") as file:
        for one in (path, path.with_suffix(".json")):
            file.write(one, folder + one.name)
    return archive


def in_folder_of_archive(path: Path) -> str:
    return f"/vsizip/{zipped(path, 'maps/')}/maps/{path.name}"


def renamed(path: Path) -> Path:
    shutil.copy(path.with_name(f"{path.name}.aux.xml"), path.with_name("new.tif.aux.xml"))
    return Path(shutil.copy(path, path.with_name("new.tif")))


def linked(path: Path) -> Path:
    link = path.with_name("elsewhere") / "link.tif"
    link.parent.mkdir()
    link.symlink_to(path)
    return link


def shown_by_vrt(path: Path) -> Path:
    """A VRT without names, in another folder."""
    vrt = path.with_name("elsewhere") / "shown.vrt"
    vrt.parent.mkdir()
    place = ", ".join(map(str, NORTH_UP.to_gdal()))
    vrt.write_text(
        f"""<VRTDataset rasterXSize="53" rasterYSize="37"><SRS>EPSG:32633</SRS>
        <GeoTransform>{place}</GeoTransform><VRTRasterBand dataType="Byte" band="1">
        <NoDataValue>0</NoDataValue><SimpleSource><SourceFilename relativeToVRT="1">../{path.name}</SourceFilename>
        <SourceBand>1</SourceBand></SimpleSource></VRTRasterBand></VRTDataset>"""
    )
    return vrt


@pytest.mark.parametrize("sent", [zipped, in_folder_of_archive, renamed, linked, shown_by_vrt])
def test_rejected_pixels_of_a_map_in_another_form_are_no_labels(
    rejecting: Path, sent: Callable[[Path], Path | str]
) -> None:
    path = sent(rejecting)
    found, shots = burnt(path)
    np.testing.assert_array_equal(found, np.where(values() > 3, 0, values()))
    assert shots.notes[-1].startswith("111 pixels that the map rejected are left out")
    if sent is not zipped:  # a map is no archive
        assert [one.id for one in read_map(path).rejected] == [UNLIKE.id, UNCERTAIN.id]


def test_a_map_that_rejected_every_pixel_is_named_so(rejecting: Path, tmp_path: Path) -> None:
    with rasterio.open(rejecting, "r+") as file:
        file.write(np.where(values() > 0, UNCERTAIN.id, 0).astype(np.uint8), 1)
    with pytest.raises(EmptyShotsError, match=r"rejected each of its pixels \('too uncertain'\)"):
        read_shots(rejecting)
    polygons(rejecting, tmp_path / "patches.gpkg")
    with pytest.raises(EmptyShotsError, match="pixels that a map rejected, and of no others"):
        read_shots(tmp_path / "patches.gpkg", class_field="name")


@pytest.mark.parametrize("change", ["capitals", "fewer fields"])
def test_rejected_polygons_that_another_program_saved(
    rejecting: Path, tmp_path: Path, change: str
) -> None:
    layer = tmp_path / "patches.gpkg"
    polygons(rejecting, layer)
    frame = gpd.read_file(layer, layer="patches")
    frame = frame.rename(columns={"name": "NAME", "rejected": "REJECTED", "class": "CLASS"}) if change == "capitals" else frame.drop(columns=["pixels", "hectares"])  # fmt: skip
    shots = read_shots(frame, class_field="NAME" if change == "capitals" else "name")
    assert {one.name for one in shots.classes} == {one.name for one in CLASSES}
    assert shots.skipped == ("2 that a map rejected",)


@pytest.mark.parametrize("name", ["_parents", "_parents.tif", "x_parents.tif"])
def test_other_rasters_may_be_named_like_an_upper_level(rejecting: Path, name: str) -> None:
    path = shutil.copy(rejecting, rejecting.with_name(name))
    assert len(read_shots(path).classes) == 5


def test_rejected_polygons_of_a_map_are_no_labels(rejecting: Path, tmp_path: Path) -> None:
    layer = tmp_path / "patches.gpkg"
    polygons(rejecting, layer)
    kept = gpd.read_file(layer, layer="patches")
    assert kept["name"].isin([UNLIKE.name, UNCERTAIN.name]).sum() == 2
    found, shots = burnt(layer, class_field="name")
    np.testing.assert_array_equal(found, np.where(values() > 3, 0, values()))
    assert shots.skipped == ("2 that a map rejected",)


def test_other_rasters_keep_their_classes(rejecting: Path) -> None:
    """The record of an earlier map of that name is not theirs, nor is another file with that ending."""
    names = [
        *CLASSES,
        *(type(one)(one.id, f"crop {one.id}", one.color) for one in (UNLIKE, UNCERTAIN)),
    ]
    aux = rejecting.with_name("old map.tif.aux.xml")
    aux.write_text(aux_xml(tuple(names)), encoding="utf-8")
    assert [c.name for c in read_shots(rejecting).classes][3:] == ["crop 4", "crop 5"]
    for text in ("[]", "{}", "no JSON", '{"rejected_classes": 4}'):
        rejecting.with_suffix(".json").write_text(text, encoding="utf-8")
        assert len(read_shots(rejecting).classes) == 5
