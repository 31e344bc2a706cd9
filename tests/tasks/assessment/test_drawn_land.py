"""Land of a sample against that of the map, whatever the sizes of their pixels."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import rasterio.shutil
import shapely
from assess_cases import GRID, NAMES, damaged, truth, write_class_map
from rasterio import Affine
from rasterio.vrt import WarpedVRT

from hsi_geo import assess, compare, sample, zones
from hsi_geo.errors import MapError
from hsi_geo.tasks.change.reference import NEW_FIELD, OLD_FIELD

#: Rows and columns that maps of two pixel sizes have whole pixels of.
HEIGHT, WIDTH = 36, 48


def write_map(folder: Path, name: str, classes: np.ndarray, size: float = 1.0) -> Path:
    """A map whose pixels are ``size`` times as wide and as high as those of the truth."""
    path = write_class_map(folder, classes.astype(np.uint8), name=name)
    with rasterio.open(path, "r+") as file:
        file.transform = GRID @ Affine.scale(size)
    return path


def at_size(classes: np.ndarray, size: float) -> np.ndarray:
    """The class under the centre of each pixel of another size."""
    height, width = classes.shape
    rows = np.floor((np.arange(round(height / size)) + 0.5) * size).astype(int)
    cols = np.floor((np.arange(round(width / size)) + 0.5) * size).astype(int)
    return classes[np.ix_(rows, cols)]


def full() -> np.ndarray:
    """(36, 48) classes without a hole."""
    classes = damaged()[:HEIGHT, :WIDTH]
    return np.where(classes == 0, 1, classes)


def visited(class_map: Path, **options: Any) -> Any:
    """A sample with the true classes."""
    out = class_map.with_name("visit.gpkg")
    sample(class_map, out, seed=3, overwrite=True, **{"design": "simple", "count": 90, **options})
    frame = gpd.read_file(out, layer="visit")
    cols, rows = ~GRID @ (frame.geometry.x.to_numpy(), frame.geometry.y.to_numpy())
    classes = truth()[np.floor(rows).astype(int), np.floor(cols).astype(int)]
    return frame.assign(**{"class": np.array([NAMES[0], *NAMES])[classes]})


def saved(frame: Any, folder: Path) -> Path:
    frame.to_file(folder / "places.gpkg")
    return folder / "places.gpkg"


def moved(frame: Any) -> Any:
    """Places as a GPS gives them, in the same pixels."""
    shifts = np.random.default_rng(1).uniform(-0.3, 0.3, (2, len(frame))) * abs(GRID.a)
    x, y = frame.geometry.x + shifts[0], frame.geometry.y + shifts[1]
    return frame.set_geometry(shapely.points(x, y), crs=frame.crs)


SIZES = [
    (2.0, 1.0),
    (1.0, 2.0),
    (3.0, 1.0),
    (1.0, 3.0),
    (1.5, 1.0),
    (1.0, 1.5),
    (3.0, 2.0),
    (1.0, 0.5),
]


@pytest.mark.parametrize(("drawn", "shown"), SIZES)
def test_a_simple_sample_counts_on_pixels_of_any_size(
    tmp_path: Path, recorder: Any, drawn: float, shown: float
) -> None:
    frame = visited(write_map(tmp_path, "drawn.tif", at_size(full(), drawn), drawn))
    one = write_map(tmp_path, "one.tif", at_size(full(), shown), shown)
    found = assess(one, saved(frame, tmp_path), design="simple", reporter=recorder)
    assert found.oa.value > 0.5
    assert found.pixels == len(frame)
    assert not recorder.warnings


@pytest.mark.parametrize(("drawn", "shown"), [(2.0, 1.0), (1.0, 2.0)])
def test_a_sample_of_a_part_holds_for_it_on_pixels_of_another_size(
    tmp_path: Path, recorder: Any, drawn: float, shown: float
) -> None:
    """Drawn from the upper half."""
    part = at_size(full(), drawn)[: round(HEIGHT / drawn / 2)]
    frame = visited(write_map(tmp_path, "drawn.tif", part, drawn))
    whole = write_map(tmp_path, "whole.tif", at_size(full(), shown), shown)
    assess(whole, saved(frame, tmp_path), design="simple", reporter=recorder)
    assert [text for text in recorder.warnings if "drawn from 50.0 % of the land" in text]


def calls(one: Path, frame: Any, folder: Path, recorder: Any) -> dict[str, Any]:
    """Commands that take a sample of the land of a map, by name."""
    box = shapely.box(*GRID @ (0, HEIGHT), *GRID @ (WIDTH, 0))
    gpd.GeoDataFrame({"zone": ["a"]}, geometry=[box], crs="EPSG:32633").to_file(folder / "z.gpkg")
    pairs = frame.assign(**{OLD_FIELD: frame["class"], NEW_FIELD: frame["class"]})
    pairs.drop(columns="class").to_file(folder / "pairs.gpkg")
    reference, out = saved(frame, folder), folder / "out"
    of = {"design": "simple", "reporter": recorder, "overwrite": True}
    return {
        "assess": lambda: assess(one, reference, **of),
        "zones": lambda: zones(
            one, folder / "z.gpkg", out.with_suffix(".csv"), reference=reference, **of
        ),
        "compare": lambda: compare(
            one, one, out=out.with_suffix(".tif"), reference=folder / "pairs.gpkg", **of
        ),
    }


@pytest.mark.parametrize("command", ["assess", "zones", "compare"])
def test_the_numbers_hold_for_what_the_map_shows(
    tmp_path: Path, recorder: Any, command: str
) -> None:
    """The map has no class in the upper 3 of 36 rows, and all places were visited."""
    frame = visited(write_map(tmp_path, "drawn.tif", full()))
    shown = full()
    shown[:3] = 0
    holed = write_map(tmp_path, "holed.tif", shown)
    calls(holed, frame, tmp_path, recorder)[command]()
    assert any("8.3 % of the land that" in text for text in recorder.warnings)
    assert any("places without a class in the map" in text for text in recorder.warnings)
    assert not any("have no class that counts" in text for text in recorder.warnings)


@pytest.mark.parametrize("command", ["assess", "zones", "compare"])
def test_a_file_without_hectares_gets_a_warning(
    tmp_path: Path, recorder: Any, command: str
) -> None:
    """As of a map without a CRS, or with the field left out. Places may have been moved in the field."""
    part = write_map(tmp_path, "part.tif", full()[:20])
    frame, whole = moved(visited(part)), write_map(tmp_path, "whole.tif", full())
    with pytest.raises(MapError, match="was drawn from 960 pixels, and the map has 1,728 with a"):
        calls(whole, frame, tmp_path, recorder)[command]()
    for path, warns in ((whole, 1), (part, 0)):
        recorder.warnings.clear()
        calls(path, frame.drop(columns="stratum_ha"), tmp_path, recorder)[command]()
        assert (
            sum("if pixels of both are of one size" in text for text in recorder.warnings) == warns
        )


def test_as_many_pixels_of_another_size_are_other_land(tmp_path: Path, recorder: Any) -> None:
    """The map has twice the width and height of the land that places were drawn from."""
    reference = saved(visited(write_map(tmp_path, "drawn.tif", full())), tmp_path)
    coarse = write_map(tmp_path, "coarse.tif", full(), 2.0)
    assess(coarse, reference, design="simple", reporter=recorder)
    assert any("drawn from 25.0 % of the land" in text for text in recorder.warnings)
    with pytest.raises(MapError, match=r"103\.7 ha, and the map has as many pixels on 414\.7 ha"):
        assess(coarse, reference, design="stratified")


@pytest.mark.parametrize(("design", "rows"), [("simple", 18), ("stratified", 18), ("simple", 36)])
def test_land_is_compared_across_crs(tmp_path: Path, recorder: Any, design: Any, rows: int) -> None:
    """Places of a map in UTM, and the same map in degrees."""
    frame = visited(write_map(tmp_path, "drawn.tif", full()[:rows]), design=design)
    utm, degrees = write_map(tmp_path, "utm.tif", full()), tmp_path / "degrees.tif"
    with rasterio.open(utm) as file, WarpedVRT(file, crs="EPSG:4326", nodata=0) as warped:
        rasterio.shutil.copy(warped, degrees, driver="GTiff")
    shutil.copy(tmp_path / "utm.tif.aux.xml", tmp_path / "degrees.tif.aux.xml")
    options: Any = {"strata": degrees} if design == "stratified" else {}
    assess(degrees, saved(frame, tmp_path), design=design, reporter=recorder, **options)
    warned = [text for text in recorder.warnings if "of the land that has a class" in text]
    assert len(warned) == (rows == 18)


@pytest.mark.parametrize("design", ["simple", "stratified"])
def test_a_sample_of_as_much_land_beside_the_map_gets_a_warning(
    tmp_path: Path, recorder: Any, design: Any
) -> None:
    """The western and the eastern three quarters of the land: a third of each lies outside of the other."""
    west, east = full()[:, :36], full()[:, 12:]
    reference = saved(visited(write_map(tmp_path, "west.tif", west), design=design), tmp_path)
    path = write_map(tmp_path, "east.tif", east)
    with rasterio.open(path, "r+") as file:
        file.transform = GRID @ Affine.translation(12, 0)
    assess(path, reference, design=design, reporter=recorder)
    warned = [text for text in recorder.warnings if "was not sampled" in text]
    assert len(warned) == 1
    assert abs(int(warned[0].split()[1]) - 33) < 15  # per cent
    recorder.warnings.clear()
    assess(tmp_path / "west.tif", reference, design=design, reporter=recorder)
    assert not recorder.warnings


@pytest.mark.parametrize("design", ["simple", "stratified"])
@pytest.mark.parametrize("error_px", [1.0, 2.0])
def test_places_that_moved_off_a_narrow_map_are_no_land_beside_it(
    tmp_path: Path, recorder: Any, design: Any, error_px: float
) -> None:
    """A strip of 8 columns, all of it sampled, with errors of the GPS."""
    strip = full()
    strip[:, :14] = strip[:, 22:] = 0
    one = write_map(tmp_path, "strip.tif", strip)
    frame = visited(one, design=design, count=200)
    shifts = np.random.default_rng(4).normal(0, error_px * abs(GRID.a), (2, len(frame)))
    at = shapely.points(frame.geometry.x + shifts[0], frame.geometry.y + shifts[1])
    reference = saved(frame.set_geometry(at, crs=frame.crs), tmp_path)
    assess(one, reference, design=design, reporter=recorder)
    assert any("without a class in the map" in text for text in recorder.warnings)
    assert not any("not sampled" in text for text in recorder.warnings)


def test_strata_may_have_pixels_of_a_third_size(tmp_path: Path, recorder: Any) -> None:
    """The file tells from how much land it was drawn, whatever map has its strata."""
    drawn = write_map(tmp_path, "drawn.tif", at_size(full(), 2.0), 2.0)
    reference = saved(visited(drawn, design="stratified"), tmp_path)
    one = write_map(tmp_path, "one.tif", full())
    strata = write_map(tmp_path, "strata.tif", at_size(full(), 3.0), 3.0)
    assess(one, reference, design="stratified", strata=strata, reporter=recorder)
    assert not [text for text in recorder.warnings if "drawn in other strata" not in text]
    with pytest.raises(MapError, match="was drawn from 432 pixels, and the map has 1,728"):
        assess(one, reference, design="stratified")
