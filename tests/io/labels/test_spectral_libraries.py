"""Spectral libraries as shots: every format gives the same spectra and classes."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import shapely
from library_cases import (
    CLASSES,
    LIBRARIES,
    NAMES,
    NM,
    asd_bytes,
    csv_rows,
    frame,
    geopackage_pickled,
    profile,
    sli,
    sli_with_table,
    spectra,
    write_sli,
)

from hsi_geo.errors import ClassFieldError, OptionError, ShotsError
from hsi_geo.io.labels.library_files import is_library, read_library
from hsi_geo.io.labels.purposes import REFERENCE
from hsi_geo.io.labels.shot_reading import read_shots


@pytest.mark.parametrize("kind", LIBRARIES)
def test_every_format_gives_the_same_spectra_and_classes(tmp_path: Path, kind: str) -> None:
    write, scale, has_same_bands = LIBRARIES[kind]
    path = write(tmp_path)
    assert is_library(path)
    shots = read_shots(path)
    library = shots.library
    assert library is not None
    assert len(library) == 5
    names = [shots.classes[class_id - 1].name for class_id in library.class_ids]
    order = sorted(range(5), key=NAMES.__getitem__) if kind == "ASD" else list(range(5))
    assert names == [CLASSES[index] for index in order]
    assert shots.frame.empty
    for one, row in zip(library.spectra, spectra()[order], strict=True):
        if has_same_bands:
            np.testing.assert_allclose(one.centres_nm, NM)
        at = np.array([460.0, 600.0, 690.0])
        found = np.interp(at, one.centres_nm, one.values) / scale
        np.testing.assert_allclose(found, np.interp(at, NM, row), rtol=0.02)
    assert str(path) in shots.files


def test_a_field_of_the_side_table_is_chosen(tmp_path: Path) -> None:
    path = sli_with_table(tmp_path)
    with pytest.raises(ClassFieldError, match=r"several fields .* 'kind', 'Level_1'"):
        read_shots(path)
    for spelt in ("Level_1", "level 1", "LEVEL-1"):
        assert [c.name for c in read_shots(path, class_field=spelt).classes] == [
            "blue",
            "green",
            "grey",
        ]
    with pytest.raises(ClassFieldError, match="has no field 'colour'"):
        read_shots(path, class_field="colour")


def drawn(folder: Path, classes: list[str]) -> Path:
    points = [shapely.Point(383500 + 30 * i, 5818200) for i in range(len(classes))]
    frame = gpd.GeoDataFrame({"class": classes}, geometry=points, crs="EPSG:32633")
    folder.mkdir(exist_ok=True)
    frame.to_file(folder / "points.gpkg")
    return folder / "points.gpkg"


def test_drawn_shots_and_a_library_share_their_classes(tmp_path: Path) -> None:
    """Without regard to upper and lower case; the field is the one with the drawn classes."""
    points = drawn(tmp_path, ["Grass", "roof", "Grass"])
    shots = read_shots([points, sli_with_table(tmp_path)], library_weight=0.25)
    assert [c.name for c in shots.classes] == ["Grass", "Water", "asphalt", "roof"]
    assert shots.library is not None
    assert [shots.classes[i - 1].name for i in shots.library.class_ids] == [
        *("Grass", "Grass", "asphalt", "asphalt", "Water")
    ]
    assert [shots.classes[i - 1].name for i in shots.frame["class_id"]] == [
        "Grass",
        "roof",
        "Grass",
    ]
    assert shots.library_weight == 0.25
    assert any("class taken from field 'kind'" in note for note in shots.notes)


def test_several_files_of_each_kind_are_joined(tmp_path: Path) -> None:
    first = drawn(tmp_path, ["roof", "grass"])
    (tmp_path / "more").mkdir()
    second = drawn(tmp_path / "more", ["tree", "roof"])
    shots = read_shots([first, sli(tmp_path), second, csv_rows(tmp_path)])
    assert [c.name for c in shots.classes] == ["Water", "asphalt", "grass", "roof", "tree"]
    names = [c.name for c in shots.classes]
    assert [names[i - 1] for i in shots.frame["class_id"]] == ["roof", "grass", "tree", "roof"]
    assert [[names[i - 1] for i in part.frame["class_id"]] for part in shots.parts] == [
        ["roof", "grass"],
        ["tree", "roof"],
    ]
    assert shots.library is not None
    assert len(shots.library) == 10


def test_shots_that_are_no_libraries_are_read_as_before(tmp_path: Path) -> None:
    points = drawn(tmp_path, ["roof", "grass"])
    assert not is_library(points)
    assert read_shots(points).library is None
    (tmp_path / "points.csv").write_text("x,y,class\n1,2,roof\n3,4,tree\n")
    assert not is_library(tmp_path / "points.csv")
    assert not is_library(tmp_path)
    assert not is_library("no such file.sli")


def cut(path: Path) -> Path:
    path.write_bytes(path.read_bytes()[:60])
    return path


def without_header(folder: Path) -> Path:
    path = sli(folder)
    path.with_suffix(".hdr").unlink()
    return path


def one_class(folder: Path) -> Path:
    names = "{a 1, a 2, a 3, a 4, a 5}"
    return write_sli(folder / "library.sli", spectra_names=names)


def bad_asd(content: Callable[[], bytes]) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        (folder / "a.asd").write_bytes(content())
        return folder / "a.asd"

    return write


BROKEN: dict[str, tuple[Callable[[Path], Path], str]] = {
    "cut short": (lambda folder: cut(sli(folder)), "has 56 bytes, and its header states 5 spectra"),
    "no header": (without_header, "has no header"),
    "no wavelengths": (
        lambda folder: write_sli(folder / "a.sli", wavelength=""),
        "has 6 bands and 0 wavelengths",
    ),
    "absurd size": (
        lambda folder: write_sli(folder / "a.sli", lines="99999"),
        "99999 spectra of 6",
    ),
    "negative size": (lambda folder: write_sli(folder / "a.sli", samples="-6"), "of -6 bands"),
    "unknown type": (lambda folder: write_sli(folder / "a.sli", data_type="6"), "without samples"),
    "one class": (one_class, "have only one class, 'a'"),
    "ASD cut short": (bad_asd(lambda: asd_bytes(spectra()[0])[:700]), "it is cut short"),
    "ASD of radiance": (bad_asd(lambda: asd_bytes(spectra()[0], kind=2)), "holds radiance"),
    "ASD of counts": (
        bad_asd(lambda: asd_bytes(spectra()[0], kind=0, reference=False)),
        "holds counts and no white reference",
    ),
    "no ASD": (bad_asd(lambda: b"x" * 600), "does not begin like an ASD file"),
    "ASD without step": (
        bad_asd(lambda: asd_bytes(spectra()[0])[:195] + b"\0" * 400),
        "states no wavelengths",
    ),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_broken_libraries_are_one_sentence(tmp_path: Path, kind: str) -> None:
    write, message = BROKEN[kind]
    path = write(tmp_path)
    with pytest.raises(ShotsError, match=message) as caught:
        read_shots(path)
    assert "\n" not in caught.value.message
    assert caught.value.hint


class _Runs:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("ran",)


def test_pickled_profiles_run_no_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = geopackage_pickled(tmp_path, {"x": [_Runs()], "y": [1]})
    assert not is_library(path)
    assert read_shots(path).library is None  # its points are shots
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("text", ["[]", "{", '{"grass 1": 5}', '{"grass 1": {"class": "a"}}'])
def test_any_json_beside_a_library(tmp_path: Path, text: str) -> None:
    path = sli(tmp_path)
    path.with_suffix(".json").write_text(text)
    if text == "{":
        with pytest.raises(ShotsError, match="are no JSON"):
            read_shots(path)
    elif text == "[]":
        assert read_shots(path).library is not None
    else:
        with pytest.raises(ShotsError, match="only one class"):
            read_shots(path)


def test_libraries_are_no_reference_labels(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="is a spectral library, and its spectra have no place"):
        read_shots(sli(tmp_path), purpose=REFERENCE)


@pytest.mark.parametrize("weight", [0.0, -1.0, 1.5, float("nan")])
def test_weights_outside_of_0_to_1_are_refused(tmp_path: Path, weight: float) -> None:
    with pytest.raises(OptionError, match="library_weight="):
        read_shots(sli(tmp_path), library_weight=weight)


def test_berlins_library_has_its_levels(data: Path) -> None:
    path = data / "enmap_berlin" / "SpecLib_BerlinUrbanGradient.sli"
    shots = read_shots(path, class_field="level 2")
    assert shots.library is not None
    assert len(shots.library) == 75
    assert [c.name for c in shots.classes] == [
        *("Low vegetation", "Other", "Pavement", "Roof", "Soil", "Tree")
    ]
    both = read_shots([path, data / "enmap_berlin" / "LandCov_BerlinUrbanGradient.shp"])
    assert [c.name for c in both.classes] == [c.name for c in shots.classes]


@pytest.mark.slow
def test_a_table_of_thousands_of_spectra(data: Path) -> None:
    found = read_library(data / "speclib" / "roberts2017_urban.csv")
    assert len(found) == 3725
    assert found[0].fields["Level_2"] == "GV"
    assert (np.diff(found[0].centres_nm) > 0).all()


def test_libraries_that_were_read_before_are_joined_as_their_files(tmp_path: Path) -> None:
    library, points = sli(tmp_path), drawn(tmp_path, ["Grass", "water", "soil"])
    from_files = read_shots([points, library])
    together = read_shots([points, library])
    ways: list[list[Any]] = [
        [points, read_shots(library)],
        [read_shots(points), library],
        [read_shots(points), read_shots(library)],
        [together],
    ]
    for given in ways:
        found = read_shots(given)
        assert found.library is not None
        assert from_files.library is not None
        assert found.library.class_ids == from_files.library.class_ids
        assert [c.name for c in found.classes] == [c.name for c in from_files.classes]
        assert found.frame["class_id"].tolist() == from_files.frame["class_id"].tolist()
        assert set(found.files) == set(from_files.files)
    more = drawn(tmp_path / "more", ["asphalt", "soil"])
    both = read_shots([together, more])
    assert both.library is not None
    assert len(both.library) == 5
    assert len(both.frame) == 5
    weights = [read_shots(library, library_weight=weight) for weight in (0.5, 1.0)]
    with pytest.raises(OptionError, match=r"have the weights 0\.5, 1"):
        read_shots([points, *weights])
    assert read_shots([points, weights[0]]).library_weight == 0.5


# Forms of tables, headers and profiles -----------------------------------------------------------


def table(folder: Path, header: list[str], cells: list[list[str]], separator: str = ",") -> Path:
    path = folder / "table.csv"
    path.write_text("\n".join(separator.join(row) for row in [header, *cells]))
    return path


def with_commas(folder: Path) -> Path:
    cells = [
        [c, *(f"{v:.6f}".replace(".", ",") for v in row)]
        for c, row in zip(CLASSES, spectra(), strict=True)
    ]
    return table(folder, ["class", *(f"{nm:.1f}".replace(".", ",") for nm in NM)], cells, ";")


def with_units_in_names(folder: Path) -> Path:
    cells = [[c, *map(str, row)] for c, row in zip(CLASSES, spectra(), strict=True)]
    return table(folder, ["class", *(f"{nm} nm" for nm in NM)], cells)


def unsorted_columns(folder: Path) -> Path:
    cells = [[f"{nm}", *map(str, v)] for nm, v in zip(NM, spectra().T, strict=True)]
    return table(folder, ["wavelength", *NAMES], [cells[i] for i in (3, 0, 5, 1, 4, 2)])


def unsorted_sli(folder: Path) -> Path:
    path = write_sli(folder / "a.sli", wavelength=f"{{{', '.join(str(nm) for nm in NM[::-1])}}}",
                     wavelength_units="nm")  # fmt: skip
    path.write_bytes(b"1234" + np.ascontiguousarray(spectra()[:, ::-1]).astype("<f8").tobytes())
    return path


@pytest.mark.parametrize(
    "write", [with_commas, with_units_in_names, unsorted_columns, unsorted_sli]
)
def test_forms_of_libraries(tmp_path: Path, write: Callable[[Path], Path]) -> None:
    path = write(tmp_path)
    assert is_library(path)
    for one, row in zip(read_library(path), spectra(), strict=True):
        np.testing.assert_allclose(one.centres_nm, NM)
        np.testing.assert_allclose(one.values, row, atol=1e-6)


def numbered_table(folder: Path) -> Path:
    cells = [[c, *map(str, row)] for c, row in zip(CLASSES, spectra(), strict=True)]
    return table(folder, ["class", *(f"b{number}" for number in range(1, 7))], cells)


def numbered_sli(folder: Path) -> Path:
    return write_sli(folder / "a.sli", wavelength="{1, 2, 3, 4, 5, 6}", wavelength_units="Index")


def numbered_profiles(folder: Path) -> Path:
    path = folder / "a.gpkg"
    cells: list[object] = [
        json.dumps({"x": list(range(6)), "y": row.tolist(), "xUnit": "Band Index"})
        for row in spectra()
    ]
    frame(cells).to_file(path)
    return path


@pytest.mark.parametrize("write", [numbered_table, numbered_sli, numbered_profiles])
def test_numbers_of_bands_are_no_wavelengths(tmp_path: Path, write: Callable[[Path], Path]) -> None:
    with pytest.raises(ShotsError, match=r"numbers its bands .* and has no wavelengths"):
        read_library(write(tmp_path))


def bad_profiles(folder: Path) -> Path:
    path = folder / "a.gpkg"
    frame([json.dumps(profile(row) | {"bbl": [1, 1, 0, 1, 1, 1]}) for row in spectra()]).to_file(
        path
    )
    return path


def filled(number: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        rows = [list(map(str, row)) for row in spectra()]
        cells = [[c, *row[:2], number, *row[3:]] for c, row in zip(CLASSES, rows, strict=True)]
        return table(folder, ["class", *(f"{nm:g}" for nm in NM)], cells)

    return write


@pytest.mark.parametrize(
    "write",
    [
        lambda folder: write_sli(folder / "a.sli", bbl="{1, 1, 0, 1, 1, 1}"),
        bad_profiles,
        filled("-9999"),
        filled("-1.23e34"),
        filled("1e34"),
        filled("nan"),
        filled(""),
    ],
)
def test_bad_bands_have_no_values(tmp_path: Path, write: Callable[[Path], Path]) -> None:
    for one in read_library(write(tmp_path)):
        np.testing.assert_array_equal(np.isnan(one.values), NM == 560.0)
