"""Places of a sample one by one: those that share a pixel of the map, and those of other strata."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely
from assess_cases import GRID, NAMES, damaged, truth, write_class_map
from rasterio import Affine

from hsi_geo import assess, compare, read_shots, sample
from hsi_geo.errors import ShotsError
from hsi_geo.io.labels.purposes import REFERENCE

#: Number of pixels of the truth along a side of a coarse pixel.
SIDE = 5


@pytest.fixture
def coarse(tmp_path: Path) -> Path:
    """A map of 7 x 10 large pixels, with the class in the middle of each."""
    path = write_class_map(tmp_path, truth()[2:35:SIDE, 2:50:SIDE], name="coarse.tif")
    with rasterio.open(path, "r+") as file:
        file.transform = GRID @ Affine.scale(SIDE)
    return path


def places(rows: np.ndarray, cols: np.ndarray, classes: np.ndarray) -> gpd.GeoDataFrame:
    """Places at the centres of pixels of the truth."""
    centres: Any = (cols + 0.5, rows + 0.5)
    x, y = GRID @ centres
    names = np.array(["", *NAMES])[classes]
    return gpd.GeoDataFrame({"class": names}, geometry=shapely.points(x, y), crs="EPSG:32633")


def test_all_places_of_one_pixel_count(tmp_path: Path, coarse: Path, recorder: Any) -> None:
    """All pixels of the truth are visited: the accuracy is the share of right ones, though most share a pixel of the map."""
    rows, cols = np.nonzero(truth()[: 7 * SIDE, : 10 * SIDE])
    places(rows, cols, truth()[rows, cols]).to_file(tmp_path / "visit.gpkg")
    shown = truth()[2:35:SIDE, 2:50:SIDE][rows // SIDE, cols // SIDE]
    found = assess(coarse, tmp_path / "visit.gpkg", design="simple", reporter=recorder)
    here = shown > 0
    assert found.pixels == found.matrix.sum() == here.sum()
    right = shown[here] == truth()[rows, cols][here]
    by_class = [right[shown[here] == c].mean() for c in (1, 2, 3)]
    assert [s.user.value for s in found.scores if s.user] == pytest.approx(by_class)
    assert not [text for text in recorder.warnings if "claim" in text]


def test_places_count_where_every_pixel_has_places_of_two_classes(tmp_path: Path) -> None:
    """Maps of few pixels: without a design such pixels are left out, and here all would be."""
    path = write_class_map(tmp_path, np.array([[1, 2]], "uint8"), name="two.tif")
    rows, cols = np.zeros(7), np.array([0.1, 0.2, 0.3, -0.4, 0.7, 0.8, 1.3])
    frame = places(rows, cols, np.array([1, 1, 2, 1, 2, 2, 1]))
    frame.to_file(tmp_path / "visit.gpkg")
    with pytest.raises(ShotsError, match="two classes claim"):
        assess(path, tmp_path / "visit.gpkg")
    found = assess(path, tmp_path / "visit.gpkg", design="simple")
    assert found.matrix[:2, :2].tolist() == [[3, 1], [1, 2]]
    frame.geometry = frame.geometry.translate(1e4)
    with pytest.raises(ShotsError, match="none of the 7 reference labels"):
        assess(path, frame, design="simple")


def test_a_place_of_two_files_counts_once(tmp_path: Path, coarse: Path, recorder: Any) -> None:
    """Two people filled in copies, and disagree on one place."""
    rows, cols = np.nonzero(truth()[: 7 * SIDE, : 10 * SIDE])
    frame = places(rows[::9], cols[::9], truth()[rows[::9], cols[::9]])
    other = frame.iloc[::-1].reset_index(drop=True)
    other.loc[3, "class"] = next(name for name in NAMES if name != other.loc[3, "class"])
    frame.to_file(tmp_path / "one.gpkg")
    other.to_file(tmp_path / "two.gpkg")
    kept = frame.drop(index=len(frame) - 1 - 3)
    kept.to_file(tmp_path / "agreed.gpkg")
    both = [tmp_path / "one.gpkg", tmp_path / "two.gpkg"]
    found = assess(coarse, both, design="simple", reporter=recorder)
    agreed = assess(coarse, tmp_path / "agreed.gpkg", design="simple")
    assert found.matrix.tolist() == agreed.matrix.tolist()
    assert "left out: 1 places that two classes claim" in recorder.warnings


@pytest.mark.parametrize(
    ("given", "shift", "warns"),
    [
        ("drawn.tif", 0.0, False),
        ("drawn.tif", 0.9, False),
        ("renamed.tif", 0.0, False),
        ("renamed.tif", 0.9, False),
        ("edited.tif", 0.0, False),
        ("edited_renamed.tif", 0.0, False),
        ("other.tif", 0.0, True),
        ("other_renamed.tif", 0.0, True),
    ],
)
def test_a_map_of_strata_that_places_were_not_drawn_from_gets_a_warning(
    tmp_path: Path, recorder: Any, given: str, shift: float, warns: bool
) -> None:
    """Places may be moved in the field, classes renamed, and a few pixels edited."""
    drawn_from = damaged(0.3, seed=8)
    edited = drawn_from.copy()
    edited[30:32, 4:20] = 2
    for name, classes in (("drawn", drawn_from), ("edited", edited), ("other", damaged())):
        write_class_map(tmp_path, classes, name=f"{name}.tif")
    for name, classes in (("", drawn_from), ("edited_", edited), ("other_", damaged())):
        write_class_map(tmp_path, classes, ("p", "q", "r"), name=f"{name}renamed.tif")
    sample(tmp_path / "drawn.tif", tmp_path / "visit.gpkg", count=90, seed=3)
    frame = gpd.read_file(tmp_path / "visit.gpkg", layer="visit")
    cols, rows = ~GRID @ (frame.geometry.x.to_numpy(), frame.geometry.y.to_numpy())
    classes = truth()[np.floor(rows).astype(int), np.floor(cols).astype(int)]
    frame = frame.assign(**{"class": np.array(["", *NAMES])[classes]})
    inner = np.where(cols > 26, -shift, shift) * abs(GRID.a)  # away from the border
    moved = shapely.points(frame.geometry.x + inner, frame.geometry.y)
    frame.set_geometry(moved, crs=frame.crs).to_file(tmp_path / "places.gpkg")
    options = {"design": "stratified", "strata": tmp_path / given, "reporter": recorder}
    found = assess(tmp_path / "other.tif", tmp_path / "places.gpkg", **options)
    warned = [text for text in recorder.warnings if "were drawn in other strata than" in text]
    assert len(warned) == warns
    if given in ("drawn.tif", "renamed.tif"):  # the file knows the strata as well
        own = assess(tmp_path / "other.tif", tmp_path / "places.gpkg", design="stratified")
        assert (own.oa, own.scores) == (found.oa, found.scores)


def drawn_elsewhere(folder: Path) -> tuple[Path, gpd.GeoDataFrame]:
    """A map, and a sample with its classes that was drawn in the classes of another map."""
    older = write_class_map(folder, damaged(0.5, seed=8), name="older.tif")
    sample(older, folder / "visit.gpkg", count=210, least=70, seed=3)
    frame = gpd.read_file(folder / "visit.gpkg", layer="visit")
    cols, rows = ~GRID @ (frame.geometry.x.to_numpy(), frame.geometry.y.to_numpy())
    classes = truth()[np.floor(rows).astype(int), np.floor(cols).astype(int)]
    frame = frame.assign(**{"class": np.array(["", *NAMES])[classes]})
    return write_class_map(folder, damaged()), frame.astype({"stratum": "category"})


@pytest.mark.parametrize("kind", ["frame", "shots", "list"])
def test_strata_of_a_geodataframe_are_those_of_its_file(tmp_path: Path, kind: str) -> None:
    one, frame = drawn_elsewhere(tmp_path)
    frame.astype({"stratum": str}).to_file(tmp_path / "places.gpkg")
    wanted = assess(one, tmp_path / "places.gpkg", design="stratified")
    given: Any = {
        "frame": frame.iloc[::-1],
        "shots": read_shots(frame, purpose=REFERENCE),
        "list": [frame.iloc[:50], frame.iloc[50:].set_index("place", drop=False)],
    }[kind]
    found = assess(one, given, design="stratified")
    assert found.oa == wanted.oa
    assert [s.area for s in found.scores] == [s.area for s in wanted.scores]
    with pytest.raises(ShotsError, match="is no simple random sample"):
        assess(one, given, design="simple")


def test_a_stratum_without_hectares_has_an_unknown_area(tmp_path: Path, recorder: Any) -> None:
    """Programs write 0 for what is unknown."""
    one, frame = drawn_elsewhere(tmp_path)
    frame.loc[frame["stratum"] == NAMES[1], "stratum_ha"] = 0.0
    assess(one, frame, design="stratified", reporter=recorder)
    assert not recorder.warnings


def test_classes_of_maps_are_no_missing_values_in_a_table_of_two_dates(
    tmp_path: Path, recorder: Any
) -> None:
    """Programs write missing values as "NA", which is a class here."""
    names = ("NA", *NAMES[1:])
    old = write_class_map(tmp_path, truth(), names, name="old.tif")
    new = write_class_map(tmp_path, damaged(), names, name="new.tif")
    rows, cols = np.nonzero(truth())
    centres: Any = (cols[::7] + 0.5, rows[::7] + 0.5)
    x, y = GRID @ centres
    dated = [np.array(["", *names])[one[rows[::7], cols[::7]]] for one in (truth(), damaged())]
    table = pd.DataFrame({"x": x, "y": y, "class_old": dated[0], "class_new": dated[1]})
    table.to_csv(tmp_path / "visit.csv", index=False)
    found = compare(
        old, new, out=tmp_path / "change.tif", reference=tmp_path / "visit.csv", reporter=recorder
    )
    assert found.assessment is not None
    assert found.assessment.pixels == len(table)
    assert found.assessment.oa.value == 1
    assert not [text for text in recorder.warnings if "left out" in text]
