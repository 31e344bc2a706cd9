"""A design that is stated against what the files of a sample say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import shapely
from assess_cases import GRID, NAMES, damaged, truth, write_class_map

from hsi_geo import assess, compare, sample, zones
from hsi_geo.errors import MapError, OptionError, ShotsError
from hsi_geo.tasks.change.reference import NEW_FIELD, OLD_FIELD

Frame = Any  # a GeoDataFrame


@pytest.fixture
def class_map(tmp_path: Path) -> Path:
    return write_class_map(tmp_path, damaged())


def drawn(class_map: Path, folder: Path, **options: Any) -> Frame:
    """A sample with the true classes."""
    sample(class_map, folder / "visit.gpkg", seed=2, overwrite=True, **options)
    frame = gpd.read_file(folder / "visit.gpkg", layer="visit")
    cols, rows = ~GRID @ (frame.geometry.x.to_numpy(), frame.geometry.y.to_numpy())
    classes = truth()[np.floor(rows).astype(int), np.floor(cols).astype(int)]
    return frame.assign(**{"class": np.array(["", *NAMES])[classes]})


def in_halves(frame: Frame, folder: Path) -> list[Path]:
    """Each file has places of some strata only."""
    is_first = frame["stratum"] == NAMES[0]
    for name, part in (("ann", frame[is_first]), ("bob", frame[~is_first])):
        part.to_file(folder / f"{name}.gpkg")
    return [folder / "ann.gpkg", folder / "bob.gpkg"]


def in_a_table(frame: Frame, folder: Path) -> list[Path]:
    table = frame.assign(x=frame.geometry.x, y=frame.geometry.y).drop(columns="geometry")
    table.rename(columns=str.upper).to_csv(folder / "a.csv", index=False)
    return [folder / "a.csv"]


def in_one_file(frame: Frame, folder: Path) -> list[Path]:
    frame.to_file(folder / "a.gpkg")
    return [folder / "a.gpkg"]


def without_numbers(frame: Frame, folder: Path) -> list[Path]:
    """Without what says how many places were drawn, they are counted."""
    return in_one_file(frame.drop(columns=["stratum_n", "probability"]), folder)


def beside_others(frame: Frame, folder: Path) -> list[Path]:
    """With a file that says nothing."""
    plain = frame.iloc[:20][["class", "geometry"]]
    plain.to_file(folder / "plain.gpkg")
    return [*in_one_file(frame, folder), folder / "plain.gpkg"]


FORMS = [in_one_file, in_halves, in_a_table, without_numbers, beside_others]

#: Options of a sample: the same number of places in each class is far from its share of the map.
DENSER_IN_SOME = {"count": 120, "least": 40}


@pytest.mark.parametrize("form", FORMS)
def test_a_sample_of_unequal_probabilities_is_not_simple(
    class_map: Path, tmp_path: Path, form: Any, recorder: Any
) -> None:
    reference = form(drawn(class_map, tmp_path, **DENSER_IN_SOME), tmp_path)
    other = write_class_map(tmp_path, damaged(0.4, seed=8), name="other.tif")
    for path in (class_map, other):
        with pytest.raises(ShotsError, match=r"no simple random sample.*1 in 12 in 'meadow'"):
            assess(path, reference, design="simple")
    assess(other, reference, reporter=recorder)
    assert len([text for text in recorder.warnings if "drawn in strata" in text]) == 1


@pytest.mark.parametrize(
    "options",
    [{"design": "simple", "count": 120}, {"count": 120, "least": 2}, {"count": 377, "least": 5}],
    ids=["simple", "in proportion", "more in proportion"],
)
@pytest.mark.parametrize("form", [in_one_file, in_a_table])
def test_a_sample_of_equal_probabilities_may_be_called_simple(
    class_map: Path, tmp_path: Path, form: Any, options: Any, recorder: Any
) -> None:
    reference = form(drawn(class_map, tmp_path, **options), tmp_path)
    found = assess(class_map, reference, design="simple", reporter=recorder)
    right = (damaged() == truth())[truth() > 0].mean()
    assert abs(found.oa.value - right) < 2 * (found.oa.high - found.oa.low)
    assess(class_map, reference, reporter=recorder)
    assert not recorder.warnings


def test_places_may_be_left_out_of_a_sample(class_map: Path, tmp_path: Path) -> None:
    """Without the number of drawn places, a few that are missing in one stratum do not make it uneven."""
    frame = drawn(class_map, tmp_path, count=377, least=5)
    kept = frame.drop(index=frame.index[frame["stratum"] == NAMES[1]][:12])
    assess(class_map, without_numbers(kept, tmp_path), design="simple")


@pytest.mark.parametrize("command", ["zones", "compare"])
def test_other_commands_refuse_it_as_well(class_map: Path, tmp_path: Path, command: str) -> None:
    frame = drawn(class_map, tmp_path, **DENSER_IN_SOME)
    frame = frame.assign(**{OLD_FIELD: frame["class"], NEW_FIELD: frame["class"]})
    reference = in_one_file(frame, tmp_path)[0]
    new = write_class_map(tmp_path, damaged(0.3, seed=8), name="new.tif")
    box = shapely.box(*GRID @ (0, 37), *GRID @ (53, 0))
    gpd.GeoDataFrame({"zone": ["a"]}, geometry=[box], crs="EPSG:32633").to_file(tmp_path / "z.gpkg")

    def call(design: Any) -> Any:
        if command == "compare":
            out = tmp_path / "c.tif"
            return compare(class_map, new, out=out, reference=reference, design=design)
        return zones(
            new, tmp_path / "z.gpkg", tmp_path / "z.csv", reference=frame_of(reference), design=design
        )  # fmt: skip

    with pytest.raises(ShotsError, match="no simple random sample"):
        call("simple")
    call("stratified")


def frame_of(reference: Path) -> Any:
    """The labels of one class field, of a file that has several."""
    from hsi_geo import read_shots
    from hsi_geo.io.labels.purposes import REFERENCE

    return read_shots(reference, class_field="class", purpose=REFERENCE)


def test_zones_refuse_strata_of_another_design(class_map: Path, tmp_path: Path) -> None:
    """As `assess` does: they would be ignored."""
    reference = in_one_file(drawn(class_map, tmp_path, design="simple", count=90), tmp_path)
    box = shapely.box(*GRID @ (0, 37), *GRID @ (53, 0))
    gpd.GeoDataFrame({"zone": ["a"]}, geometry=[box], crs="EPSG:32633").to_file(tmp_path / "z.gpkg")
    with pytest.raises(OptionError, match="the design is not stratified"):
        zones(
            class_map, tmp_path / "z.gpkg", tmp_path / "z.csv", reference=reference, design="simple",
            strata=class_map,
        )  # fmt: skip


#: What says how the places were drawn: own classes, those of a part of the map, or those of the whole map.
LESS_LAND = [("simple", {}), ("stratified", {}), ("stratified", {"strata": "whole.tif"})]


@pytest.mark.parametrize(("design", "more"), LESS_LAND, ids=["simple", "in strata", "strata given"])
@pytest.mark.parametrize("command", ["assess", "zones"])
def test_a_sample_of_a_part_is_none_of_the_whole(
    tmp_path: Path, command: str, design: Any, more: dict[str, str]
) -> None:
    """Drawn from the upper 20 of 37 rows: it says nothing of the land below."""
    part = write_class_map(tmp_path, damaged()[:20], name="part.tif")
    whole = write_class_map(tmp_path, damaged(), name="whole.tif")
    (reference,) = in_one_file(drawn(part, tmp_path, design=design, count=90), tmp_path)
    box = shapely.box(*GRID @ (0, 37), *GRID @ (53, 0))
    gpd.GeoDataFrame({"zone": ["a"]}, geometry=[box], crs="EPSG:32633").to_file(tmp_path / "z.gpkg")

    def call(path: Path, more: dict[str, Any]) -> Any:
        if command == "assess":
            return assess(path, reference, design=design, **more)
        out = tmp_path / f"{path.stem}.csv"
        return zones(path, tmp_path / "z.gpkg", out, reference=reference, design=design, **more)

    with pytest.raises(MapError, match=r"was drawn from 1,040 pixels, and the map has 1,941 with"):
        call(whole, {key: tmp_path / name for key, name in more.items()})
    call(part, dict.fromkeys(more, part))


def test_compare_refuses_a_simple_sample_of_a_part(tmp_path: Path) -> None:
    part = write_class_map(tmp_path, damaged()[:20], name="part.tif")
    frame = drawn(part, tmp_path, design="simple", count=90)
    reference = in_one_file(
        frame.assign(**{OLD_FIELD: frame["class"], NEW_FIELD: frame["class"]}), tmp_path
    )[0]
    old = write_class_map(tmp_path, damaged(), name="old.tif")
    new = write_class_map(tmp_path, damaged(0.3, seed=8), name="new.tif")
    with pytest.raises(MapError, match="was drawn from 1,040 pixels"):
        compare(old, new, out=tmp_path / "c.tif", reference=reference, design="simple")


def test_a_simple_sample_beside_points_that_say_nothing(class_map: Path, tmp_path: Path) -> None:
    """Two simple samples of one map, of which only one says from how many pixels, are one."""
    frame = drawn(class_map, tmp_path, design="simple", count=90)
    found = assess(class_map, beside_others(frame, tmp_path), design="simple")
    assert found.oa.value > 0


def test_places_of_a_simple_sample_that_nobody_visited_are_counted(
    class_map: Path, tmp_path: Path, recorder: Any
) -> None:
    frame = drawn(class_map, tmp_path, design="simple", count=90)
    frame.loc[frame.index[:25], "class"] = None
    (reference,) = in_one_file(frame, tmp_path)
    assess(class_map, reference, design="simple", reporter=recorder)
    assert [text for text in recorder.warnings if "25 of 90 places of the sample have no" in text]
