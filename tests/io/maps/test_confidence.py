"""Which raster is the confidence of a map: one of per cent on the map's pixels, in its CRS."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from class_map_cases import random_probabilities, write_map
from pyproj import CRS
from rasterio.control import GroundControlPoint
from rasterio.shutil import copy

from hsi_geo import compare, polygons, sample
from hsi_geo.errors import MapError
from hsi_geo.io.maps.confidence import find_confidence, find_percent, require_percent
from hsi_geo.io.maps.reader import read_map
from hsi_geo.io.maps.writer import MapPaths
from hsi_geo.progress import SilentReporter

SHAPE = (37, 53)
GRID = Affine(10.0, 0.0, 500_000.0, 0.0, -10.0, 5_500_000.0)
DEGREES = Affine(1e-6, 0.0, 10.0, 0.0, -1e-6, 60.0)
PERCENT = np.random.default_rng(2).integers(0, 101, SHAPE)


def write(path: Path, values: Any, **profile: Any) -> Path:
    values = np.atleast_3d(np.asarray(values).T).T
    count, height, width = values.shape
    settings = {
        "transform": GRID, "crs": "EPSG:32633", "dtype": "uint8", "nodata": 255, **profile,
    }  # fmt: skip
    with rasterio.open(
        path, "w", driver="GTiff", count=count, height=height, width=width, **settings
    ) as file:
        file.write(values.astype(settings["dtype"]))
    return path


def write_pair(folder: Path, values: Any, own: dict[str, Any], beside: dict[str, Any]) -> Any:
    classes = np.random.default_rng(1).integers(1, 4, SHAPE)
    path = write(folder / "map.tif", classes, **{"nodata": 0, **own})
    write(folder / "map_confidence.tif", values, **beside)
    return read_map(path)


MISFITS: list[tuple[str, Any, dict[str, Any], dict[str, Any], str]] = [
    ("bytes", np.arange(37 * 53).reshape(SHAPE) % 255, {}, {}, "go from 0 to 254"),
    ("undeclared", np.where(PERCENT > 90, 255, PERCENT), {}, {"nodata": None}, "to 255"),
    ("below_0", PERCENT - 1, {}, {"dtype": "int16", "nodata": 255}, "go from -1 to"),
    ("shares", PERCENT / 100, {}, {"dtype": "float32"}, "one band of float32"),
    ("colours", np.stack([PERCENT] * 3), {}, {}, "3 bands of uint8"),
    ("size", PERCENT[:20], {}, {}, "20 x 53 of .* the map has 37 x 53"),
    ("place", PERCENT, {}, {"transform": GRID @ Affine.translation(9, 0)}, r"\(500090, 5500000\)"),
    ("half_px", PERCENT, {}, {"transform": GRID @ Affine.translation(0.5, 0)}, "500005"),
    ("zone", PERCENT, {}, {"crs": "EPSG:32634"}, "zone 34N.* zone 33N"),
    ("no_crs", PERCENT, {}, {"crs": None}, "no CRS"),
    (
        "small_degrees", PERCENT, {"transform": DEGREES, "crs": "EPSG:4326"},
        {"transform": DEGREES @ Affine.translation(0.9, 0), "crs": "EPSG:4326"}, "10.0000009",
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("values", "own", "beside", "message"),
    [case[1:] for case in MISFITS],
    ids=[case[0] for case in MISFITS],
)
def test_another_raster_is_not_the_confidence(
    tmp_path: Path, values: Any, own: Any, beside: Any, message: str
) -> None:
    opened = write_pair(tmp_path, values, own, beside)
    told: list[str] = []
    assert find_confidence(opened, told.append) is None
    assert find_percent(opened, told.append) is None
    assert len(told) == 2
    with pytest.raises(MapError, match=f"cannot be the confidence of map .*{message}"):
        require_percent(tmp_path / "map_confidence.tif", opened)


FITTING: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("same", {}, {}),
    ("rounded_place", {}, {"transform": GRID @ Affine.translation(0.01, 0)}),
    (
        "large_degrees", {"transform": Affine(0.3, 0, -40, 0, -0.2, 60), "crs": "EPSG:4326"},
        {"transform": Affine(0.3, 0, -40 + 1e-5, 0, -0.2, 60), "crs": "OGC:CRS84"},
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("own", "beside"), [case[1:] for case in FITTING], ids=[case[0] for case in FITTING]
)
def test_per_cent_on_the_pixels_of_the_map_are_its_confidence(
    tmp_path: Path, own: Any, beside: Any
) -> None:
    opened = write_pair(tmp_path, PERCENT, own, beside)
    told: list[str] = []
    found = find_confidence(opened, told.append)
    assert found is not None
    np.testing.assert_array_equal(found.read(opened.grid.window), PERCENT)
    assert find_percent(opened, told.append) is not None
    assert require_percent(found.path, opened).path == str(found.path)
    assert told == []


#: Files beside a map, and which of them is its confidence.
MOSAICS: list[tuple[str, str, tuple[str, ...], str | None]] = [
    ("mosaic", "map.vrt", ("map_confidence.vrt",), "map_confidence.vrt"),
    ("raster", "map.vrt", ("map_confidence.tif",), "map_confidence.tif"),
    ("both", "map.vrt", ("map_confidence.tif", "map_confidence.vrt"), "map_confidence.vrt"),
    ("capitals", "map.VRT", ("map_confidence.VRT",), "map_confidence.VRT"),
    ("of_a_raster", "map.tif", ("map_confidence.vrt",), None),
    ("neither", "map.vrt", (), None),
]


@pytest.mark.parametrize(
    ("name", "beside", "wanted"), [case[1:] for case in MOSAICS], ids=[case[0] for case in MOSAICS]
)
def test_the_confidence_of_a_mosaic_is_a_mosaic_or_a_raster(
    tmp_path: Path, name: str, beside: tuple[str, ...], wanted: str | None
) -> None:
    classes = write(tmp_path / "a.tif", np.ones(SHAPE), nodata=0)
    percent = write(tmp_path / "b.tif", PERCENT)
    for source, copied in ((classes, name), *((percent, one) for one in beside)):
        driver = "VRT" if copied.lower().endswith(".vrt") else "GTiff"
        copy(source, tmp_path / copied, driver=driver)
    told: list[str] = []
    opened = read_map(tmp_path / name)
    found, raster = find_confidence(opened, told.append), find_percent(opened, told.append)
    assert (found and found.path.name, raster and Path(raster.path).name) == (wanted, wanted)
    assert told == []


@pytest.mark.parametrize("name", ["map_confidence.vrt", "map_confidence.tif"])
def test_a_confidence_on_another_machine_is_refused(tmp_path: Path, name: str) -> None:
    """Whatever its name is: GDAL looks at the content."""
    copy(write(tmp_path / "a.tif", np.ones(SHAPE), nodata=0), tmp_path / "map.vrt", driver="VRT")
    copy(write(tmp_path / "b.tif", PERCENT), tmp_path / "b.vrt", driver="VRT")
    text = (tmp_path / "b.vrt").read_text()
    (tmp_path / name).write_text(text.replace("b.tif", "/vsicurl/http://127.0.0.1:9/b.tif"))
    opened = read_map(tmp_path / "map.vrt")
    for find in (find_confidence, find_percent):
        with pytest.raises(MapError, match=f"{name}' refers to .*, which is not on this machine"):
            find(opened, pytest.fail)


def test_the_crs_may_be_written_in_other_words(tmp_path: Path) -> None:
    """An ASCII grid has the CRS as ESRI writes it, without the parameters of the datum."""
    own = {"crs": "EPSG:31468", "transform": GRID @ Affine.scale(2)}
    opened = write_pair(tmp_path, PERCENT, own, own)
    source = rasterio.open(tmp_path / "map_confidence.tif")
    copy(source, tmp_path / "other.asc", driver="AAIGrid")
    with rasterio.open(tmp_path / "other.asc") as other:
        assert not CRS.from_user_input(other.crs).equals(opened.grid.crs)
    require_percent(tmp_path / "other.asc", opened)
    source.close()


def test_probabilities_are_checked_as_well(tmp_path: Path) -> None:
    paths = write_map(MapPaths.of(tmp_path / "map.tif", probabilities=True), random_probabilities())
    told: list[str] = []
    opened = read_map(paths.classes)
    found = find_confidence(opened, told.append)
    assert found is not None
    assert not found.is_percent
    assert told == []
    assert paths.probabilities is not None
    with rasterio.open(paths.probabilities) as file:
        stored, place = file.read(), {"transform": file.transform, "crs": "EPSG:32634"}
    write(paths.probabilities, stored, **place)
    assert find_confidence(opened, told.append) is None
    assert len(told) == 1


def test_the_confidence_of_another_image_of_the_sensor_is_not_used(tmp_path: Path) -> None:
    def points(shift: float) -> list[GroundControlPoint]:
        turned = GRID @ Affine.rotation(20.0)
        spots = [(r, c) for r in (0.0, 18.0, 37.0) for c in (0.0, 30.0, 53.0)]
        return [GroundControlPoint(r, c, *(turned @ (c + shift, r))) for r, c in spots]

    placed = {"transform": None, "gcps": points(0.0)}
    opened = write_pair(tmp_path, PERCENT, placed, placed)
    told: list[str] = []
    assert find_confidence(opened, told.append) is not None
    assert told == []
    opened = write_pair(tmp_path, PERCENT, placed, {"transform": None, "gcps": points(40.0)})
    assert find_confidence(opened, told.append) is None
    assert "rows and 53 columns of a sensor" in told[0]


def test_tasks_warn_of_a_raster_that_does_not_fit(tmp_path: Path) -> None:
    class Heard(SilentReporter):
        def __init__(self) -> None:
            self.texts: list[str] = []

        def warning(self, text: str) -> None:
            self.texts.append(text)

    opened = write_pair(tmp_path, PERCENT, {}, {"crs": "EPSG:32634"})
    for call in (
        lambda told: sample(opened.path, tmp_path / "s.gpkg", count=80, reporter=told),
        lambda told: polygons(opened.path, tmp_path / "p.gpkg", reporter=told),
        lambda told: compare(opened.path, opened.path, out=tmp_path / "c.tif", reporter=told),
    ):
        call(told := Heard())
        assert "map_confidence.tif' is not used as the confidence" in told.texts[0]
