"""Maps against a sample of known design: areas, and the strata that it was drawn from."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import rasterio
from affine import Affine
from assess_cases import GRID, NAMES, damaged, truth, without
from hsi_geo.cli.assess import assessment_parts
from pyproj import CRS

from hsi_geo import assess
from hsi_geo.errors import MapError, OptionError, ShotsError
from hsi_geo.io.maps.areas import pixel_area_ha, row_areas_ha
from hsi_geo.tiling import Grid

WriteMap = Callable[..., Path]
WritePoints = Callable[..., Path]


def test_assess_with_design_gives_hectares(write_map: WriteMap, everywhere: Path) -> None:
    found = assess(write_map(damaged()), everywhere, design="simple")
    areas = [score.area for score in found.scores]
    for area, count in zip(areas, np.bincount(truth().ravel())[1:], strict=True):
        assert area is not None
        assert area.ha is not None
        assert area.ha_se is not None
        assert abs(area.ha - count * 0.06) < 3 * area.ha_se
    assert sum(area.share for area in areas if area is not None) == pytest.approx(1.0)


def test_assess_pools_classes_that_a_simple_sample_misses(
    write_map: WriteMap, write_points: WritePoints, caplog: pytest.LogCaptureFixture
) -> None:
    """Rare classes often get no point; where points were drawn within classes, that is no chance."""
    at = np.argwhere((truth() > 0) & (damaged() != 3))[::5]
    reference = write_points(at)
    found = assess(write_map(damaged()), reference, design="simple")
    assert "'deep water', 'meadow' are weighted as one" in caplog.text
    assert found.scores[2].user is None
    areas = [score.area for score in found.scores if score.area is not None]
    assert sum(area.share for area in areas) == pytest.approx(1.0)
    assert all(area.share_se > 0 for area in areas)
    with pytest.raises(ShotsError, match="fewer than two pixels in deep water"):
        assess(write_map(damaged()), reference, design="stratified")


@pytest.mark.parametrize("design", ["simple", "stratified"])
def test_where_no_place_is_wrong_a_note_stands_for_the_error(
    write_map: WriteMap, write_points: WritePoints, tmp_path: Path, design: Any
) -> None:
    """Two classes are mapped perfectly, and the third one is mapped to land of a fourth."""
    at = np.concatenate([np.argwhere(truth() == c)[: 20 + c] for c in (1, 2, 3)])
    reference = write_points(at, ("", *NAMES[:2], "peat"))
    found = assess(write_map(truth()), reference, design=design, out=tmp_path / "page.html")
    notes = {one.name: one.area.note for one in found.scores if one.area is not None}
    alike = "no difference among the places of a stratum"
    assert notes == {
        NAMES[0]: "no error found among 21 places",
        NAMES[1]: "no error found among 22 places",
        NAMES[2]: alike,
        "peat": alike,
    }
    assert all(one.area.share_se == 0 for one in found.scores if one.area is not None)
    user = found.scores[0].user
    assert user is not None
    assert user.low < 0.9  # Wilson's interval
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    shown = "\n".join(assessment_parts(found))
    for text in (page, shown):
        assert "no error found among 21 places" in text
        assert "0.000" not in text
    assert "(no error found among 21 places)" in found._repr_html_()


def test_where_all_pixels_were_visited_an_error_of_0_is_one(
    write_map: WriteMap, write_points: WritePoints
) -> None:
    reference = write_points(np.argwhere(truth() > 0))
    found = assess(write_map(truth()), reference, design="stratified")
    for one in found.scores:
        assert one.area is not None
        assert one.area.texts[2] == "0.0 ha"


def test_assess_takes_strata_of_another_map(write_map: WriteMap, everywhere: Path) -> None:
    path, older = write_map(damaged()), write_map(damaged(0.4, seed=8), name="older.tif")
    usual = assess(path, everywhere, design="stratified")
    assert assess(path, everywhere, design="stratified", strata=path).oa == usual.oa
    found = assess(path, everywhere, design="stratified", strata=older)
    assert found.oa != usual.oa
    assert abs(found.oa.value - usual.oa.value) < usual.oa.high - usual.oa.low


def test_assess_refuses_strata_of_other_land(
    write_map: WriteMap, write_points: WritePoints
) -> None:
    """A sample point lies at row 11, column 13."""
    reference = write_points(np.vstack([[[11, 13]], np.argwhere(truth() > 0)[2::5]]))
    path = write_map(damaged())
    wide = np.hstack([damaged(), damaged()])
    for name, classes, crs, message in (
        ("wide", wide, "EPSG:32633", r"cover 200\.0 % of the area that those of map"),
        ("small", damaged()[:20], "EPSG:32633", r"cover 5\d\.\d % of the area"),
        ("empty", 0 * damaged(), "EPSG:32633", r"cover 0\.0 % of the area"),
        ("elsewhere", damaged(), "EPSG:32632", "in another CRS"),
        ("holed", without(11, 13, damaged()), "EPSG:32633", "1 sampled pixels have no class in"),
    ):
        strata = write_map(classes, crs=crs, name=f"{name}.tif")
        with pytest.raises(MapError, match=message) as caught:
            assess(path, reference, design="stratified", strata=strata)
        assert caught.value.hint
    with pytest.raises(OptionError, match="not stratified"):
        assess(path, reference, design="simple", strata=path)


def test_assess_refuses_sampled_points_without_class_in_map(
    write_map: WriteMap, write_points: WritePoints
) -> None:
    """Weights count the land they stand for. Points that are in neither map stand for none."""
    strata = write_map(damaged(0.4, seed=8), name="older.tif")
    at = np.argwhere(truth() > 0)[::5]
    holed = write_map(without(11, 13, damaged()))
    reference = write_points(np.vstack([[[11, 13]], at]))
    with pytest.raises(MapError, match="1 points that were drawn from the strata") as caught:
        assess(holed, reference, design="stratified", strata=strata)
    assert caught.value.hint
    reference = write_points(np.vstack([[[4, 6]], at]), (*NAMES[:1], *NAMES))
    found = assess(write_map(damaged()), reference, design="stratified", strata=strata)
    assert found.dropped == ("1 places without a class in the map",)


def test_assess_gives_hectares_of_the_map_not_the_strata(
    write_map: WriteMap, everywhere: Path
) -> None:
    """The strata have four times the pixels, and lack two of the map's."""
    older = without(11, 14, without(30, 9, damaged(0.4, seed=8)))
    strata = write_map(np.kron(older, np.ones((2, 2), np.uint8)), name="older.tif")
    with rasterio.open(strata, "r+") as file:
        file.transform = GRID @ Affine.scale(0.5)
    found = assess(write_map(damaged()), everywhere, design="stratified", strata=strata)
    areas = [score.area for score in found.scores if score.area is not None]
    counts = np.bincount(damaged().ravel())[1:]
    assert [area.mapped_ha for area in areas] == pytest.approx((0.06 * counts).tolist())
    assert sum(area.ha or 0.0 for area in areas) == pytest.approx(0.06 * counts.sum())
    same = write_map(older, name="same.tif")
    again = assess(write_map(damaged()), everywhere, design="stratified", strata=same)
    assert again.as_dict() == found.as_dict()


@pytest.mark.parametrize("design", ["simple", "stratified"])
@pytest.mark.parametrize("size", [1e-5, 1e-3])
def test_assess_gives_areas_on_the_ellipsoid_in_degrees(
    write_map: WriteMap, everywhere: Path, tmp_path: Path, design: Any, size: float
) -> None:
    """From pixels of half a metre to those of half a kilometre, whose rows differ in area."""
    place = (
        Affine.translation(13.0, 58.0) @ Affine.scale(size) @ Affine.translation(-GRID.c, -GRID.f)
    )
    frame = gpd.read_file(everywhere).set_crs("EPSG:4326", allow_override=True)
    frame.geometry = frame.geometry.affine_transform(
        [place.a, place.b, place.d, place.e, place.c, place.f]
    )
    frame.to_file(tmp_path / "degrees.gpkg", driver="GPKG")
    path = write_map(damaged(), crs="EPSG:4326")
    with rasterio.open(path, "r+") as file:
        file.transform = place @ GRID
    grid = Grid(37, 53, place @ GRID, CRS.from_epsg(4326))
    rows = row_areas_ha(grid)
    assert rows is not None
    assert pixel_area_ha(grid) is None
    found = assess(path, tmp_path / "degrees.gpkg", design=design, out=tmp_path / "page.html")
    total = float((rows[:, None] * (damaged() > 0)).sum())
    for c, score in enumerate(found.scores, start=1):
        area = score.area
        assert area is not None
        assert area.mapped_ha == pytest.approx(float((rows[:, None] * (damaged() == c)).sum()))
        assert area.mapped_share * total == pytest.approx(area.mapped_ha)
        assert area.ha is not None
        assert area.ha_se is not None
        assert abs(area.ha - float((rows[:, None] * (truth() == c)).sum())) < 3 * area.ha_se
    areas = [score.area for score in found.scores if score.area is not None]
    assert sum(area.share for area in areas) == pytest.approx(1.0)
    assert sum(area.ha or 0.0 for area in areas) == pytest.approx(total)
    assert " ha</td>" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_assess_gives_shares_of_pixels_without_crs(
    write_map: WriteMap, everywhere: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    frame = gpd.read_file(everywhere).set_crs(None, allow_override=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # pyogrio's, of the CRS that is not there
        frame.to_file(tmp_path / "local.gpkg", driver="GPKG")
    found = assess(write_map(damaged(), crs=None), tmp_path / "local.gpkg", design="stratified")
    assert "areas are given as shares of its pixels" in caplog.text
    assert found.scores[0].area is not None
    assert found.scores[0].area.ha is None
    assert found.scores[0].area.share > 0


@pytest.mark.parametrize("turn", [-360.0, 360.0])
def test_strata_may_count_longitudes_otherwise(
    write_map: WriteMap, everywhere: Path, tmp_path: Path, turn: float
) -> None:
    """The map from 0 to 360 degrees, and its strata from -180 to 180, or in turn."""
    place = (
        Affine.translation(200.0, 58.0) @ Affine.scale(1e-4) @ Affine.translation(-GRID.c, -GRID.f)
    )
    frame = gpd.read_file(everywhere).set_crs("EPSG:4326", allow_override=True)
    frame.geometry = frame.geometry.affine_transform(
        [place.a, place.b, place.d, place.e, place.c, place.f]
    )
    frame.to_file(tmp_path / "degrees.gpkg", driver="GPKG")
    found = []
    for name, by in (("near.tif", 0.0), ("far.tif", turn)):
        strata = write_map(damaged(0.4, seed=8), crs="EPSG:4326", name=name)
        path = write_map(damaged(), crs="EPSG:4326")
        for one, moved in ((strata, by), (path, 0.0)):
            with rasterio.open(one, "r+") as file:
                file.transform = Affine.translation(moved, 0) @ place @ GRID
        found.append(
            assess(path, tmp_path / "degrees.gpkg", design="stratified", strata=strata).as_dict()
        )
    assert found[0] == found[1]
