"""Tables with numbers in the names of their columns: points with values of pixels beside them, or spectra."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from library_cases import CLASSES, NM, spectra
from pyproj import CRS

from hsi_geo.errors import OptionError
from hsi_geo.io.labels.library_files import is_library
from hsi_geo.io.labels.purposes import REFERENCE
from hsi_geo.io.labels.shot_reading import read_shots
from hsi_geo.tiling import Grid

#: The scene covers 13.00 to 13.02 degrees east, 52.00 to 52.01 north.
SCENE = Grid(5, 10, Affine(0.002, 0.0, 13.0, 0.0, -0.002, 52.01), CRS.from_epsg(4326))

WAVELENGTHS = [f"X{nm:.1f}" for nm in NM]
PLAIN = [f"{nm:g}" for nm in NM]
BANDS = [f"band_{number}" for number in range(1, 7)]
PLOTS = [f"t{number}" for number in range(1, 7)]
YEARS = [str(year) for year in range(2018, 2024)]


def table(path: Path, places: tuple[str, ...], columns: list[str], separator: str = ",") -> Path:
    """A table of five spectra; the places lie in the scene."""
    rows = [[*places, "class", *columns]]
    for index, (name, values) in enumerate(zip(CLASSES, spectra(), strict=True)):
        x, y = 13.001 + 0.002 * index, 52.005
        cells = {1: [f"POINT({x} {y})"], 2: [f"{x}", f"{y}"], 0: []}[len(places)]
        rows.append([*cells, name, *(f"{value:.4f}" for value in values)])
    path.write_text("\n".join(separator.join(row) for row in rows))
    return path


@pytest.mark.parametrize("columns", [WAVELENGTHS, PLAIN, BANDS, PLOTS, YEARS])
@pytest.mark.parametrize("places", [("x", "y"), ("lon", "lat"), ("WKT",)])
@pytest.mark.parametrize(("ending", "separator"), [("csv", ","), ("tsv", "\t"), ("txt", ";")])
def test_tables_with_coordinates_in_the_scene_are_points(
    tmp_path: Path, columns: list[str], places: tuple[str, ...], ending: str, separator: str
) -> None:
    path = table(tmp_path / f"a.{ending}", places, columns, separator)
    assert not is_library(path, [SCENE])
    shots = read_shots(path, near=[SCENE])
    assert shots.library is None
    np.testing.assert_allclose(shots.frame.geometry.x, [13.001 + 0.002 * i for i in range(5)])
    assert [c.name for c in shots.classes] == ["Water", "asphalt", "grass"]
    told = [note for note in shots.notes if "would be a spectral library" in note]
    assert len(told) == (columns in (WAVELENGTHS, PLAIN))


@pytest.mark.parametrize("columns", [WAVELENGTHS, PLAIN])
@pytest.mark.parametrize("grids", [[Grid(5, 10, SCENE.transform, CRS.from_epsg(32633))], []])
def test_spectra_that_were_measured_elsewhere_are_a_library(
    tmp_path: Path, columns: list[str], grids: list[Grid]
) -> None:
    path = table(tmp_path / "a.csv", ("Long", "Lat"), columns)
    assert is_library(path, grids)
    shots = read_shots(path, near=grids)
    assert shots.library is not None
    assert len(shots.library) == 5
    assert any("'Long' and 'Lat'" in note and "spectral library" in note for note in shots.notes)


@pytest.mark.parametrize("columns", [BANDS, PLOTS, YEARS])
def test_numbers_that_are_no_wavelengths_never_make_a_library(
    tmp_path: Path, columns: list[str]
) -> None:
    assert not is_library(table(tmp_path / "a.csv", ("lon", "lat"), columns))


@pytest.mark.parametrize("cell", ["", "north field", "n/a"])
def test_columns_without_coordinates_are_fields_of_a_library(tmp_path: Path, cell: str) -> None:
    rows = [f"{cell},{cell},{name}" + ",0.1" * 6 for name in CLASSES]
    (tmp_path / "a.csv").write_text("\n".join([",".join(["x", "y", "class", *PLAIN]), *rows]))
    assert is_library(tmp_path / "a.csv")


def test_spectra_in_columns_may_have_any_names(tmp_path: Path) -> None:
    lines = ["wavelength,x,y", *(f"{nm:g},0.1,0.2" for nm in NM)]
    (tmp_path / "a.csv").write_text("\n".join(lines))
    assert is_library(tmp_path / "a.csv")


def test_reference_labels_are_points_wherever_they_lie(tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", ("lon", "lat"), WAVELENGTHS)
    assert len(read_shots(path, purpose=REFERENCE).frame) == 5
    with pytest.raises(OptionError, match="is a spectral library"):
        read_shots(table(tmp_path / "b.csv", (), WAVELENGTHS), purpose=REFERENCE)
