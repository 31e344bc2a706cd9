"""Shots of several files as one: classes, fields, colours, CRS, and files that hold nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from shots_cases import GRID, UTM, centre, claimed, patch, write

from hsi_geo.errors import ClassFieldError, HsiGeoError, OptionError, ShotsError
from hsi_geo.io.labels.joined_shots import join_shots
from hsi_geo.io.labels.purposes import REFERENCE, TRAINING
from hsi_geo.io.labels.shot_pixels import burn
from hsi_geo.io.labels.shot_reading import read_shots
from hsi_geo.io.labels.shots import Shots, make_shots
from hsi_geo.tasks.adaptation.shot_weights import SuspiciousShots, suspicious_message
from hsi_geo.tasks.runtime import shots_hash

Names = dict[Any, str]


def file_of(path: Path, values: list[Any], names: Names | None = None) -> tuple[Path, Path | None]:
    """Points with a class each, and a file that names the classes."""
    styles = path.with_suffix(".json")
    if names is None:
        return write(path, {"class": values}), None
    styles.write_text(json.dumps({str(value): {"name": name} for value, name in names.items()}))
    return write(path, {"class": values}), styles


def joined(folder: Path, *files: tuple[list[Any], Names | None]) -> Shots:
    made = [file_of(folder / f"{i}.gpkg", *one) for i, one in enumerate(files)]
    classes = [None if styles is None else str(styles) for _, styles in made]
    return read_shots([path for path, _ in made], classes=classes)


@pytest.mark.parametrize(
    ("files", "classes"),
    [
        # Names: of one name, one class.
        ([(["roof", "tree"], None), (["water", "tree"], None)],
         [("roof", None), ("tree", None), ("water", None)]),
        # One class a file is enough, if they are two together.
        ([(["roof"], None), (["tree"], None)], [("roof", None), ("tree", None)]),
        # Numbers without names are matched by number, and ordered by it.
        ([([10, 2], None), ([9, 2], None)], [("2", 2), ("9", 9), ("10", 10)]),
        # A number without a name takes the name that another file gives it.
        ([([1, 2], {1: "tree", 2: "roof"}), ([2, 3], None)],
         [("tree", 1), ("roof", 2), ("3", 3)]),
        # Two codes of one name are one class, which has no number then.
        ([([1, 2], {1: "roof", 2: "tree"}), ([1, 2], {1: "tree", 2: "water"})],
         [("roof", None), ("tree", None), ("water", None)]),
        # Numbers with names beside names.
        ([([1, 2], {1: "roof", 2: "tree"}), (["tree", "water"], None)],
         [("roof", None), ("tree", None), ("water", None)]),
        # Names that are numbers, beside numbers.
        ([(["1", "2", "x"], None), ([1, 3], None)],
         [("1", None), ("2", None), ("3", None), ("x", None)]),
    ],
)  # fmt: skip
def test_classes_are_matched_by_name(
    files: list[Any], classes: list[tuple[str, int | None]], tmp_path: Path
) -> None:
    shots = joined(tmp_path, *files)
    assert [(c.name, c.value) for c in shots.classes] == classes
    assert [c.id for c in shots.classes] == list(range(1, len(classes) + 1))
    given_names = {value: name for _, names in files for value, name in (names or {}).items()}
    expected = [
        (names or given_names).get(value, str(value)) for values, names in files for value in values
    ]
    assert [shots.classes[i - 1].name for i in shots.frame["class_id"]] == expected
    assert len({c.color for c in shots.classes}) == len(classes)


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ([(["roof", "tree"], None), ([1, 2], None)],
         "the classes of '.*1.gpkg' are numbers without names .*'1', '2'.* of '.*0.gpkg' are names"),
        ([([1], {1: "roof"}), ([1], {1: "tree"}), ([1], None)],
         "have a class 1 without a name, and other files name it 'roof', 'tree'"),
        ([(["roof"], None), (["roof"], None)], "have only one class, 'roof'"),
    ],
)  # fmt: skip
def test_classes_that_cannot_be_matched_are_refused(
    files: list[Any], said: str, tmp_path: Path
) -> None:
    with pytest.raises(ShotsError, match=said):
        joined(tmp_path, *files)


def test_names_that_differ_by_case_stay_apart_with_a_warning(tmp_path: Path) -> None:
    shots = joined(tmp_path, (["Roof", "tree"], None), (["roof", "water"], None))
    assert [c.name for c in shots.classes] == ["Roof", "roof", "tree", "water"]
    assert len(shots.warnings) == 1
    assert "'Roof', 'roof' differ only by case" in shots.warnings[0]


def test_each_file_has_its_class_field(tmp_path: Path) -> None:
    one = write(tmp_path / "one.gpkg", {"kind": ["roof", "tree"], "note": ["p", "q"]})
    two = write(tmp_path / "two.gpkg", {"Klasse": ["water", "tree"], "note": ["p", "q"]})
    shots = read_shots([one, two], class_field=["kind", "Klasse"])
    assert [c.name for c in shots.classes] == ["roof", "tree", "water"]
    assert [part.class_field for part in shots.parts] == ["kind", "Klasse"]
    for for_all in ("kind", ["kind"]):
        with pytest.raises(
            ClassFieldError, match=r"two.gpkg' have no field 'kind'.* for each file"
        ):
            read_shots([one, two], class_field=for_all)
    with pytest.raises(OptionError, match="3 values of class_field= are given for 2 files"):
        read_shots([one, two], class_field=["kind", "kind", "Klasse"])


def test_notes_and_what_is_skipped_name_their_file(tmp_path: Path) -> None:
    one = write(tmp_path / "one.gpkg", {"class": ["roof", "tree", None]})
    two = write(tmp_path / "two.gpkg", {"label": ["water", "tree"]})
    shots = read_shots([one, two])
    assert shots.skipped == ("1 without a class in 'class' in 'one.gpkg'",)
    assert "'two.gpkg': class taken from field 'label' (the only field)" in shots.notes
    assert shots.files == (str(one), str(two))


def test_an_empty_file_is_left_out_with_a_warning(tmp_path: Path) -> None:
    one = write(tmp_path / "one.gpkg", {"class": ["roof", "tree"]})
    two = write(tmp_path / "two.gpkg", {"class": ["x"]})
    gpd.read_file(two).iloc[:0].to_file(two)
    shots = read_shots([one, two])
    assert [c.name for c in shots.classes] == ["roof", "tree"]
    assert shots.warnings == [f"shots file '{two}' is empty: it is left out"]
    assert len(burn(shots, GRID)) == 2
    with pytest.raises(ShotsError, match="is empty"):
        read_shots([two, tmp_path / "two.gpkg"], layer=["two", None])


@pytest.mark.parametrize("paths", [["a.gpkg", "a.gpkg"], []])
def test_the_list_is_checked(paths: list[str], tmp_path: Path) -> None:
    write(tmp_path / "a.gpkg", {"class": ["roof", "tree"]})
    with pytest.raises(OptionError, match=r"are given twice|is empty"):
        read_shots([tmp_path / path for path in paths])


def test_layers_of_one_file_are_several_files(tmp_path: Path) -> None:
    path = tmp_path / "a.gpkg"
    write(path, {"class": ["roof", "tree"]}, layer="points")
    write(path, {"class": ["water"]}, [patch(5, 5, 7, 7)], layer="areas")
    shots = read_shots([path, path], layer=["points", "areas"])
    assert [c.name for c in shots.classes] == ["roof", "tree", "water"]
    assert len(burn(shots, GRID)) == 6


def test_the_first_colour_of_a_class_is_taken(tmp_path: Path) -> None:
    fields = {"class": ["roof", "tree"], "color": ["#112233", "#445566"]}
    one = write(tmp_path / "one.gpkg", {"class": ["roof", "tree"]})
    two = write(tmp_path / "two.gpkg", fields)
    three = write(tmp_path / "three.gpkg", {"class": ["tree", "rye"], "color": ["#00ff00"] * 2})
    shots = read_shots([one, two, three], class_field="class")
    colors = {c.name: c.color for c in shots.classes}
    assert colors == {"roof": "#112233", "tree": "#445566", "rye": "#00ff00"}
    assert shots.default_colors == ()


def test_a_raster_is_joined_with_points(tmp_path: Path) -> None:
    ids = np.zeros(GRID.shape, np.uint8)
    ids[4, 3:6] = 2
    raster = tmp_path / "labels.tif"
    with rasterio.open(
        raster, "w", driver="GTiff", height=GRID.height, width=GRID.width, count=1, dtype="uint8",
        transform=GRID.transform, crs=UTM,
    ) as file:  # fmt: skip
        file.write(ids, 1)
        file.write_colormap(1, {2: (1, 2, 3, 255)})
    points = write(tmp_path / "points.gpkg", {"class": [1, 2]}, [centre(0, 0), centre(1, 1)])
    pixels = burn(shots := read_shots([points, raster]), GRID)
    assert claimed(pixels, 2) == [(1, 1), (4, 3), (4, 4), (4, 5)]
    assert shots.classes[1].color == "#010203"


# The same shots in one file and in several ----------------------------------------------------

SHAPES = (
    *(("rye", centre(1, 2)), ("rye", centre(5, 9)), ("oats", centre(8, 3))),
    *(
        ("oats", patch(2.2, 3.1, 4.9, 6.2)),
        ("rye", patch(6, 9, 9, 12)),
        ("pea", patch(9, 1, 11, 4)),
    ),
)
CRS_OF_FILES = (UTM, 4326, 3857)


@settings(max_examples=25, deadline=None)
@given(where=st.lists(st.integers(0, 2), min_size=len(SHAPES), max_size=len(SHAPES)))
def test_pixels_do_not_depend_on_files_and_their_crs(where: list[int]) -> None:
    """Each file is in another CRS. Pixels, classes and hash are those of one file, up to rounding."""
    whole = make_shots(
        gpd.GeoSeries([shape for _, shape in SHAPES], crs=UTM), [n for n, _ in SHAPES]
    )
    parts, same_crs = [], []
    for number, crs in enumerate(CRS_OF_FILES):
        own = [shape for shape, file in zip(SHAPES, where, strict=True) if file == number]
        if own:
            series = gpd.GeoSeries([shape for _, shape in own], crs=UTM)
            one_class = REFERENCE
            parts.append(make_shots(series.to_crs(crs), [n for n, _ in own], purpose=one_class))
            same_crs.append(make_shots(series, [n for n, _ in own], purpose=one_class))
    expected, found = burn(whole, GRID), burn(join_shots(parts, TRAINING), GRID)
    assert found.rows.tolist() == expected.rows.tolist()
    assert found.cols.tolist() == expected.cols.tolist()
    assert found.class_ids.tolist() == expected.class_ids.tolist()
    assert shots_hash(join_shots(same_crs, TRAINING)) == shots_hash(whole)


def test_a_file_without_crs_is_named(tmp_path: Path) -> None:
    one = write(tmp_path / "one.gpkg", {"class": ["roof", "tree"]})
    two = make_shots(gpd.GeoSeries([centre(1, 1), centre(2, 2)]), ["a", "b"], source="two")
    with pytest.raises(HsiGeoError, match="no coordinate reference system is set for shots 'two'"):
        burn(read_shots([one, two]), GRID)


def test_shots_outside_of_the_scene_are_counted_over_all_files(tmp_path: Path) -> None:
    one = write(tmp_path / "one.gpkg", {"class": ["roof", "tree"]})
    far = write(tmp_path / "far.gpkg", {"class": ["tree"]}, [centre(900, 900)])
    assert burn(read_shots([one, far]), GRID).outside == 1
    both = [
        write(tmp_path / f"{name}.gpkg", {"class": [name]}, [centre(900, 900)]) for name in "xy"
    ]
    with pytest.raises(ShotsError, match=r"none of the 2 shots in '.*x.gpkg, .*y.gpkg' lies in"):
        burn(read_shots(both), GRID)


def test_suspicious_shots_name_their_file(tmp_path: Path) -> None:
    one = write(tmp_path / "one.gpkg", {"class": ["roof", "tree"]})
    two = write(tmp_path / "two.gpkg", {"class": ["water", "tree"]})
    found = SuspiciousShots(
        np.array([0, 2]), np.array([0, 2]), np.array([1, 1]), np.array([0.1, 0.2])
    )
    listed = found.as_list(read_shots([one, two]))
    assert [(entry["file"], entry["drawn"]) for entry in listed] == [
        ("one.gpkg", "roof"), ("two.gpkg", "water")
    ]  # fmt: skip
    assert listed[0]["feature_id"] == listed[1]["feature_id"]
    assert "in 'two.gpkg' ('water', looks like 'tree'" in suspicious_message(listed)
    assert all("file" not in entry for entry in found.as_list(joined_in_one(tmp_path)))


def joined_in_one(folder: Path) -> Shots:
    return read_shots(write(folder / "all.gpkg", {"class": ["roof", "tree", "water"]}))
