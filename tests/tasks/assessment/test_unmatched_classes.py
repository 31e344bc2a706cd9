"""Classes that no place of a sample is mapped to, and classes that only the reference has."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pytest
import shapely
from assess_cases import GRID, NAMES, damaged, truth, write_class_map

from hsi_geo import assess, zones
from hsi_geo.errors import MapError
from hsi_geo.tasks.assessment.results import Area

WriteMap = Callable[..., Path]
WritePoints = Callable[..., Path]

#: Names of the map's values by what the map knows; the reference has the same.
KNOWN: dict[str, tuple[Sequence[str] | None, tuple[Any, ...]]] = {
    "all names": (NAMES, ("", *NAMES)),
    "one name": (NAMES[:1], ("", "meadow", "2", "3")),
    "no name": (None, (0, 1, 2, 3)),
}


def areas_of(found: Any) -> dict[str, Area]:
    return {score.name: score.area for score in found.scores}


@pytest.mark.parametrize("design", [None, "simple"])
@pytest.mark.parametrize("case", KNOWN)
def test_a_class_of_the_map_counts_where_no_place_is_mapped_to_it(
    write_map: WriteMap, write_points: WritePoints, case: str, design: Any, recorder: Any
) -> None:
    """A rare class, which the reference finds once beside where the map has it."""
    names, answers = KNOWN[case]
    at = np.argwhere((truth() > 0) & (damaged() != 3) & (truth() != 3))[::5]
    at = np.vstack([at, np.argwhere((truth() == 3) & (damaged() == 1))[:1]])
    found = assess(
        write_map(damaged(), names=names), write_points(at, answers), design=design, reporter=recorder
    )  # fmt: skip
    shown = [str(answer) for answer in answers[1:]]
    assert [score.name for score in found.scores] == shown
    assert found.only_in_map == found.only_in_reference == ()
    assert not [text for text in recorder.warnings if "no class" in text]
    if design is not None:
        counts = np.bincount(damaged().ravel(), minlength=4)[1:]
        shares = [area.mapped_share for area in areas_of(found).values()]
        assert shares == pytest.approx(counts / counts.sum())


def test_a_raster_of_object_numbers_is_no_class_map(
    write_map: WriteMap, write_points: WritePoints
) -> None:
    objects = np.arange(truth().size, dtype=np.int32).reshape(truth().shape)
    reference = write_points(np.argwhere(truth() > 0)[::5], (0, 1, 2, 3))
    with pytest.raises(MapError, match="1,960 values without a name"):
        assess(write_map(objects, names=None), reference)


def peat(rows: np.ndarray[Any, Any], cols: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The true classes, with a fourth one on a part of all others, which no map shows."""
    return np.where((rows + 2 * cols) % 7 == 0, 4, truth()[rows, cols])


def peat_sample(folder: Path, design: str) -> tuple[Path, np.ndarray[Any, Any]]:
    """Places with classes 1..4, and their pixels."""
    generator = np.random.default_rng(3)
    flat = np.flatnonzero(damaged().ravel())
    if design == "simple":
        drawn = generator.choice(flat, 160, replace=False)
    else:
        drawn = np.concatenate(
            [generator.choice(np.flatnonzero(damaged().ravel() == k), 60, replace=False) for k in (1, 2, 3)]
        )  # fmt: skip
    at = np.column_stack(np.unravel_index(drawn, damaged().shape))
    answers = ("", *NAMES, "peat")
    frame = gpd.GeoDataFrame(
        {"class": [answers[k] for k in peat(*at.T)]},
        geometry=[shapely.Point(*GRID @ (col + 0.5, row + 0.5)) for row, col in at],
        crs="EPSG:32633",
    )
    frame.to_file(folder / "peat.gpkg")
    return folder / "peat.gpkg", at


def olofsson(at: np.ndarray[Any, Any]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Shares of four classes on the ground and their standard errors (Olofsson et al. 2014, eq. 9 to 11).

    With the part of each class that nobody visited (Cochran 1977).
    """
    sizes = np.bincount(damaged().ravel(), minlength=4)[1:]
    weights = sizes / sizes.sum()
    counts = np.zeros((3, 4))
    np.add.at(counts, (damaged()[*at.T] - 1, peat(*at.T) - 1), 1)
    of_row = counts.sum(axis=1, keepdims=True)
    rates = counts / of_row
    left = 1 - of_row / sizes[:, None]
    variance = (weights[:, None] ** 2 * left * rates * (1 - rates) / (of_row - 1)).sum(axis=0)
    return weights @ rates, np.sqrt(variance)


@pytest.mark.parametrize("design", ["simple", "stratified"])
def test_the_area_of_a_class_that_the_map_lacks_is_estimated(
    write_map: WriteMap, tmp_path: Path, design: Any, recorder: Any
) -> None:
    reference, at = peat_sample(tmp_path, design)
    path = write_map(damaged())
    found = assess(path, reference, design=design, reporter=recorder, out=tmp_path / "page.html")
    assert found.only_in_reference == ("peat",)
    assert any("no class 'peat'" in text and "area" in text for text in recorder.warnings)
    share, error = olofsson(at)
    areas = list(areas_of(found).values())
    assert [area.share for area in areas] == pytest.approx(share)
    assert [area.share_se for area in areas] == pytest.approx(error)
    assert areas[3].mapped_share == 0
    assert sum(area.share for area in areas) == pytest.approx(1)
    rows, cols = np.nonzero(damaged())
    truly = np.bincount(peat(rows, cols), minlength=5)[1:] / len(rows)
    assert np.all(np.abs([area.share for area in areas] - truly) < 3 * error)
    assert (found.scores[3].user, found.scores[3].mapped) == (None, 0)
    assert found.scores[3].producer is not None
    assert found.scores[3].producer.value == 0


def test_zones_have_rows_of_a_class_that_the_map_lacks(tmp_path: Path, recorder: Any) -> None:
    """In a zone of the whole map they are those of `assess`."""
    path = write_class_map(tmp_path, damaged())
    reference, _ = peat_sample(tmp_path, "stratified")
    (x0, y0), (x1, y1) = GRID @ (0, 37), GRID @ (53, 0)
    gpd.GeoDataFrame(
        {"zone": ["all", "part"]},
        geometry=[shapely.box(x0, y0, x1, y1), shapely.box(x0, y1 - 60, x0 + 120, y1)],
        crs="EPSG:32633",
    ).to_file(tmp_path / "z.gpkg")
    zones(
        path, tmp_path / "z.gpkg", tmp_path / "a.csv", reference=reference, design="stratified",
        reporter=recorder,
    )  # fmt: skip
    assert len(recorder.warnings) == 1
    assert "no class 'peat'" in recorder.warnings[0]
    found = zones(
        path, tmp_path / "z.gpkg", tmp_path / "a.gpkg", reference=reference, design="stratified"
    )
    areas = areas_of(assess(path, reference, design="stratified"))
    rows = {one.name: one for one in found.areas if one.zone == "all"}
    assert set(rows) == {*NAMES, "peat"}
    for name, one in rows.items():
        assert one.hectares == pytest.approx(areas[name].ha)
        assert one.hectares_se == pytest.approx(areas[name].ha_se, rel=0.05)
    assert (rows["peat"].value, rows["peat"].pixels, rows["peat"].mapped_ha) == (None, 0, 0)
    for zone in ("all", "part"):
        own = [one for one in found.areas if one.zone == zone]
        assert sum(one.percent for one in own) == pytest.approx(100)
        assert all(one.hectares_se for one in own)
    written = pd.read_csv(tmp_path / "a.csv", dtype=str, keep_default_na=False)
    table = pyogrio.read_dataframe(tmp_path / "a.gpkg", layer="areas")
    expected = [one.value for one in found.areas]
    assert [int(value) if value else None for value in written["value"]] == expected
    assert [None if pd.isna(value) else int(value) for value in table["value"]] == expected
