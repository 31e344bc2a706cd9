"""A random sample whose places are in several files: its strata are those that each file says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from assess_cases import GRID, NAMES, damaged, truth, write_class_map
from shapely import box

from hsi_geo import assess, read_shots, sample, zones
from hsi_geo.errors import ShotsError
from hsi_geo.io.labels.purposes import REFERENCE

Recorder = Any  # defined in conftest, which tests cannot import
Frame = Any  # a GeoDataFrame
Write = Callable[[Frame, Path], list[Any]]


@pytest.fixture
def visited(tmp_path: Path) -> Frame:
    """A sample of an old map, whose strata are no classes of the new one, with the true classes."""
    old = write_class_map(tmp_path, damaged(0.5, seed=9), name="old.tif")
    sample(old, tmp_path / "visit.gpkg", count=90)
    frame = gpd.read_file(tmp_path / "visit.gpkg", layer="visit")
    cols, rows = ~GRID @ (frame.geometry.x.to_numpy(), frame.geometry.y.to_numpy())
    classes = truth()[np.floor(rows).astype(int), np.floor(cols).astype(int)]
    return frame.assign(**{"class": np.array(["", *NAMES])[classes]})


@pytest.fixture
def class_map(tmp_path: Path) -> Path:
    return write_class_map(tmp_path, damaged())


def halves(frame: Frame) -> tuple[Frame, Frame]:
    return frame.iloc[:37], frame.iloc[37:]


def written(folder: Path, *frames: Frame) -> list[Any]:
    paths = [folder / f"{name}.gpkg" for name, _ in zip(("ann", "bob"), frames, strict=False)]
    for path, frame in zip(paths, frames, strict=True):
        frame.to_file(path)
    return paths


def two_files(frame: Frame, folder: Path) -> list[Any]:
    return written(folder, *halves(frame))


def two_copies(frame: Frame, folder: Path) -> list[Any]:
    """Both people have all places, and fill in their own."""
    ann, bob = frame.copy(), frame.copy()
    ann.loc[ann.index[37:], "class"] = None
    bob.loc[bob.index[:37], "class"] = None
    return written(folder, ann, bob.to_crs("EPSG:4326"))


def strata_apart(frame: Frame, folder: Path) -> list[Any]:
    """A file has places of one stratum only."""
    is_first = frame["stratum"] == NAMES[0]
    return written(folder, frame[is_first], frame[~is_first])


def another_crs(frame: Frame, folder: Path) -> list[Any]:
    ann, bob = halves(frame)
    return written(folder, ann.to_crs("EPSG:3857"), bob)


def in_capitals(frame: Frame, folder: Path) -> list[Any]:
    ann, bob = halves(frame)
    names = {name: name.upper() for name in frame.columns if name != "geometry"}
    return written(folder, ann, bob.rename(columns=names))


def a_table(frame: Frame, folder: Path) -> list[Any]:
    ann, bob = halves(frame)
    table = bob.assign(x=bob.geometry.x, y=bob.geometry.y).drop(columns="geometry")
    table.to_csv(folder / "bob.csv", index=False)
    return [*written(folder, ann), folder / "bob.csv"]


def read_before(frame: Frame, folder: Path) -> list[Any]:
    return [read_shots(path, purpose=REFERENCE) for path in two_files(frame, folder)]


def joined_before(frame: Frame, folder: Path) -> list[Any]:
    return [read_shots(two_files(frame, folder), purpose=REFERENCE)]


FORMS = [two_files, two_copies, strata_apart, another_crs, in_capitals, a_table, read_before,
         joined_before]  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_files_of_one_sample_give_what_one_file_gives(
    form: Write, visited: Frame, class_map: Path, tmp_path: Path, recorder: Recorder
) -> None:
    visited.to_file(tmp_path / "all.gpkg")
    expected = assess(class_map, tmp_path / "all.gpkg", design="stratified")
    found = assess(class_map, form(visited, tmp_path), design="stratified", reporter=recorder)
    assert (found.oa, found.scores) == (expected.oa, expected.scores)
    assert not [text for text in recorder.warnings if "places of the sample" in text]


def test_zones_take_the_strata_of_all_files(
    visited: Frame, class_map: Path, tmp_path: Path
) -> None:
    visited.to_file(tmp_path / "all.gpkg")
    whole = gpd.GeoDataFrame(
        {"zone": ["all"]}, geometry=[box(*GRID @ (0, 0), *GRID @ (53, 37))], crs="EPSG:32633"
    )
    whole.to_file(tmp_path / "zones.gpkg")
    one, several = (
        zones(
            class_map, tmp_path / "zones.gpkg", tmp_path / "a.csv", reference=reference,
            design="stratified", overwrite=True,
        )
        for reference in (tmp_path / "all.gpkg", two_files(visited, tmp_path))
    )  # fmt: skip
    assert one.areas == several.areas


def test_places_that_nobody_visited_are_counted_once(
    visited: Frame, class_map: Path, tmp_path: Path, recorder: Recorder
) -> None:
    visited.loc[visited.index[30:40], "class"] = None
    assess(class_map, two_copies(visited, tmp_path), design="stratified", reporter=recorder)
    assert any("10 of 90 places" in text for text in recorder.warnings)


def test_places_that_people_moved_in_their_copies_are_counted_once(
    visited: Frame, class_map: Path, tmp_path: Path, recorder: Recorder
) -> None:
    ann, bob = (gpd.read_file(path).to_crs(32633) for path in two_copies(visited, tmp_path))
    shift = np.where(ann["class"].notna(), 0.2 * abs(GRID.a), 0.0)
    ann = ann.set_geometry(gpd.points_from_xy(ann.geometry.x + shift, ann.geometry.y, crs=32633))
    assess(class_map, written(tmp_path, ann, bob), design="stratified", reporter=recorder)
    assert not [text for text in recorder.warnings if "places of the sample" in text]


def test_places_of_two_samples_with_equal_numbers_all_count(
    visited: Frame, class_map: Path, tmp_path: Path, recorder: Recorder
) -> None:
    sample(tmp_path / "old.tif", tmp_path / "more.gpkg", count=90, seed=7)
    more = gpd.read_file(tmp_path / "more.gpkg", layer="more").assign(**{"class": None})
    more.loc[more.index[:10], "class"] = NAMES[0]
    files = written(tmp_path, visited, more)
    assess(class_map, files, design="stratified", reporter=recorder)
    (warned,) = [text for text in recorder.warnings if "places of the sample" in text]
    every = pd.concat([visited, more])
    places = len(set(every.geometry.to_wkt()))  # some pixels are in both
    answered = len(set(every[every["class"].notna()].geometry.to_wkt()))
    assert warned.startswith(f"{places - answered} of {places} places")


def test_a_file_that_nobody_filled_in_is_said(
    visited: Frame, class_map: Path, tmp_path: Path, recorder: Recorder
) -> None:
    ann, bob = halves(visited)
    files = written(tmp_path, ann, bob.assign(**{"class": None}))
    assess(class_map, files, reporter=recorder)
    assert any("it is left out" in text for text in recorder.warnings)


def rounded(frame: Frame) -> Frame:
    """As a spreadsheet writes hectares."""
    return frame.assign(stratum_ha=frame["stratum_ha"].round(1))


def coarsely_rounded(frame: Frame) -> Frame:
    return frame.assign(stratum_ha=(frame["stratum_ha"] / 20).round() * 20 + 20)


@pytest.mark.parametrize("change", [rounded, coarsely_rounded])
def test_hectares_may_be_rounded_in_one_file(
    change: Callable[[Frame], Frame],
    visited: Frame,
    class_map: Path,
    tmp_path: Path,
    recorder: Recorder,
) -> None:
    """The pixels of a stratum tell that both files are of one sample."""
    visited.to_file(tmp_path / "all.gpkg")
    expected = assess(class_map, tmp_path / "all.gpkg", design="stratified")
    ann, bob = halves(visited)
    assert (change(ann)["stratum_ha"] != ann["stratum_ha"]).any()
    files = written(tmp_path, change(ann), bob)
    found = assess(class_map, files, design="stratified", reporter=recorder)
    assert (found.oa, found.scores) == (expected.oa, expected.scores)
    assert not recorder.warnings


def other_sizes(frame: Frame) -> Frame:
    return frame.assign(stratum_px=frame["stratum_px"] + 7)


def no_strata(frame: Frame) -> Frame:
    return frame[["class", "geometry"]]


@pytest.mark.parametrize("wrong", ["ann", "bob"])
@pytest.mark.parametrize(
    ("change", "text"),
    [(other_sizes, "ann.gpkg', '.*bob.gpkg' give the stratum '.*' different numbers of pixels"),
     (no_strata, "{wrong}.gpkg' does not say in which stratum")],
)  # fmt: skip
def test_files_of_different_samples_are_refused(
    change: Callable[[Frame], Frame],
    text: str,
    wrong: str,
    visited: Frame,
    class_map: Path,
    tmp_path: Path,
) -> None:
    pair = dict(zip(("ann", "bob"), halves(visited), strict=True))
    files = written(tmp_path, *(pair | {wrong: change(pair[wrong])}).values())
    with pytest.raises(ShotsError, match=text.format(wrong=wrong)):
        assess(class_map, files, design="stratified")


def test_samples_of_maps_of_nearly_one_size_are_refused(
    visited: Frame, class_map: Path, tmp_path: Path
) -> None:
    ann, bob = halves(visited)
    pair = (ann.assign(stratum_px=1_000_000), bob.assign(stratum_px=1_000_050))
    with pytest.raises(ShotsError, match="different numbers of pixels, 1,000,000 and 1,000,050"):
        assess(class_map, written(tmp_path, *pair), design="stratified")
