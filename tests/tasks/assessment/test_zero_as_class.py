"""Whether 0 is a class: maps, references and strata, by all metadata that GDAL reads."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely
from assess_cases import GRID
from builders import run
from hypothesis import given
from hypothesis import strategies as st
from rasterio.shutil import copy

from hsi_geo import assess, read_shots
from hsi_geo.io.labels.class_values import ClassValues
from hsi_geo.io.labels.purposes import REFERENCE
from hsi_geo.io.maps.reader import read_map
from hsi_geo.tasks.assessment.reference_sample import read_sample

WATER, MEADOW, NONE = 0, 1, 255


def ids(none: int = NONE) -> np.ndarray:
    """(20, 30) 0 in the west, 1 in the east, nothing in a corner."""
    found = np.zeros((20, 30), np.uint8)
    found[:, 12:] = MEADOW
    found[:4, 25:] = none
    return found


def write(
    path: Path,
    values: np.ndarray,
    nodata: float | None = None,
    driver: str = "GTiff",
    crs: str | None = "EPSG:32633",
) -> Path:
    height, width = values.shape
    with rasterio.open(
        path, "w", driver=driver, height=height, width=width, count=1, dtype=str(values.dtype),
        nodata=nodata, crs=crs, transform=GRID,
    ) as file:  # fmt: skip
        file.write(values[None])
    return path


def pam(path: Path, inside: str) -> Path:
    """GDAL's sidecar of a raster."""
    text = f'<PAMDataset><PAMRasterBand band="1">{inside}</PAMRasterBand></PAMDataset>'
    path.with_name(path.name + ".aux.xml").write_text(text, encoding="utf-8")
    return path


def categories(*names: str) -> str:
    return "".join(
        ("<CategoryNames>", *(f"<Category>{n}</Category>" for n in names), "</CategoryNames>")
    )


def table(*rows: tuple[str, str]) -> str:
    numbers = all(value.isdecimal() for value, _ in rows)
    fields = "".join(
        f"<FieldDefn><Name>{name}</Name><Type>{kind}</Type><Usage>{usage}</Usage></FieldDefn>"
        for name, kind, usage in (("Value", 0 if numbers else 2, 5), ("Class", 2, 2))
    )
    cells = "".join(
        f'<Row index="{i}"><F>{value}</F><F>{name}</F></Row>'
        for i, (value, name) in enumerate(rows)
    )
    return f"<GDALRasterAttributeTable>{fields}{cells}</GDALRasterAttributeTable>"


@dataclass(frozen=True)
class Case:
    """A way to say what 0 is."""

    make: Callable[[Path], Path]
    is_class: bool
    name: str = "0"  # of the class


def envi(folder: Path, *lines: str) -> Path:
    path = write(folder / "map.dat", ids(), driver="ENVI")
    header = path.with_suffix(".hdr")
    text = re.sub(r"(?m)^file type.*$", "file type = ENVI Classification", header.read_text())
    header.write_text("\n".join([text, *lines, ""]))
    return path


def vrt(source: Path) -> Path:
    """A virtual copy that carries everything itself."""
    copy(source, source.with_name("map.vrt"), driver="VRT")
    return source.with_name("map.vrt")


def colour_table(folder: Path) -> Path:
    path = write(folder / "map.tif", ids(none=0))
    with rasterio.open(path, "r+") as file:
        file.write_colormap(1, {0: (0, 0, 255, 255), 1: (0, 255, 0, 255)})
    return path


CASES = {
    "nothing is said": Case(lambda f: write(f / "map.tif", ids()), False),
    "nodata 255": Case(lambda f: write(f / "map.tif", ids(), 255), True),
    "nodata 0": Case(lambda f: write(f / "map.tif", ids(0), 0), False),
    "nodata 0, and 0 named": Case(
        lambda f: pam(write(f / "map.tif", ids(0), 0), categories("water", "meadow")), False
    ),
    "nodata -1": Case(lambda f: write(f / "map.tif", ids().astype(np.int16), -1), True),
    "nodata 255 in the sidecar": Case(
        lambda f: pam(write(f / "map.tif", ids()), "<NoDataValue>255</NoDataValue>"), True
    ),
    "nodata NaN in the sidecar": Case(
        lambda f: pam(write(f / "map.tif", ids()), "<NoDataValue>nan</NoDataValue>"), True
    ),
    "category names": Case(
        lambda f: pam(write(f / "map.tif", ids()), categories("water", "meadow")), True, "water"
    ),
    "category names, 0 blank": Case(
        lambda f: pam(write(f / "map.tif", ids()), categories(" ", "meadow")), False
    ),
    "attribute table": Case(
        lambda f: pam(write(f / "map.tif", ids()), table(("0", "water"), ("1", "meadow"))),
        True,
        "water",
    ),
    "attribute table without 0": Case(
        lambda f: pam(write(f / "map.tif", ids()), table(("1", "meadow"))), False
    ),
    "attribute table of text": Case(
        lambda f: pam(write(f / "map.tif", ids()), table(("none", "water"), ("1", "meadow"))), False
    ),
    "categories from 1, table with 0": Case(
        lambda f: pam(
            write(f / "map.tif", ids()), categories("", "meadow") + table(("0.0", "water"))
        ),
        True,
        "water",
    ),
    "nodata 255, and 0 unclassified": Case(
        lambda f: pam(write(f / "map.tif", ids(), 255), categories("Unclassified", "meadow")), False
    ),
    "colour table": Case(colour_table, False),
    "ENVI's classes, 0 unclassified": Case(
        lambda f: envi(f, "classes = 2", "class names = {Unclassified, meadow}"), False
    ),
    "ENVI's classes, 0 named": Case(
        lambda f: envi(f, "classes = 2", "class names = {water, meadow}"), True, "water"
    ),
    "ENVI's data ignore value": Case(lambda f: envi(f, "data ignore value = 255"), True),
    "VRT with names": Case(
        lambda f: vrt(pam(write(f / "s.tif", ids()), categories("water", "meadow"))), True, "water"
    ),
    "VRT with nodata": Case(lambda f: vrt(write(f / "s.tif", ids(), 255)), True),
}


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


def truth_points(folder: Path, called: dict[int, str]) -> Path:
    """The truth at every fourth pixel; of the map's zeros, one in five is meadow in truth."""
    values = ids()
    at = np.argwhere(values != NONE)[::4]
    names = [called[int(values[row, col])] for row, col in at]
    west = [i for i, (row, col) in enumerate(at) if values[row, col] == WATER]
    for i in west[::5]:
        names[i] = called[MEADOW]
    points = [shapely.Point(*GRID @ (col + 0.5, row + 0.5)) for row, col in at]
    gpd.GeoDataFrame({"class": names}, geometry=points, crs="EPSG:32633").to_file(
        folder / "reference.gpkg"
    )
    return folder / "reference.gpkg"


def test_read_map_decides_whether_zero_is_a_class(case: Case, tmp_path: Path) -> None:
    opened = read_map(case.make(tmp_path))
    values = ids()
    assert opened.class_values.zero_is_class is case.is_class
    assert (0 in opened.counts()) is case.is_class
    assert (0 in opened.names) is (case.is_class and case.name != "0")
    rows, cols = np.indices(values.shape).reshape(2, -1)
    masked = np.ma.getmaskarray(opened.values_at(rows, cols))
    assert (~masked[values.ravel() == WATER]).all() == case.is_class
    assert masked[values.ravel() == WATER].all() != case.is_class
    if case.is_class:
        assert opened.class_counts()[case.name] == (values == WATER).sum()


def test_assess_counts_and_logs_zero_class(case: Case, tmp_path: Path) -> None:
    path = case.make(tmp_path)
    opened = read_map(path)
    meadow = opened.names.get(MEADOW, "1")
    reference = truth_points(tmp_path, {WATER: case.name, MEADOW: meadow})
    result = run("assess", path, "--reference", reference, "-o", tmp_path / "page.html")
    assert result.exit_code == 0, result.output
    found = assess(path, reference)
    zeros = 20 * 12 // 4
    if case.is_class:
        assert found.oa.value == pytest.approx(1 - zeros / 5 / found.pixels)
        assert found.only_in_reference == ()
        assert f"0 is a class of the map '{path}'" in result.stderr
        assert "without a class in the map" not in result.output
    else:
        assert found.oa.value == 1.0
        assert found.only_in_reference == (case.name,)
        assert "nor another class where the reference has it" in result.stderr
        assert "count as wrong" not in result.stderr
        left_out = re.search(r"left out: (\d+) pixels without a class", result.stderr)
        assert left_out is not None
        assert int(left_out[1]) == zeros


def test_read_shots_decides_whether_zero_is_a_class(case: Case, tmp_path: Path) -> None:
    """It says of itself what the map would, and the same map is right everywhere or nowhere known."""
    path = case.make(tmp_path)
    labelled = read_shots(path, purpose=REFERENCE)
    assert (case.name in [c.name for c in labelled.classes]) is case.is_class
    noted = any(note.startswith("0 is one of its classes") for note in labelled.notes)
    assert noted is case.is_class
    sample = read_sample(read_map(path), labelled)
    assert len(sample.truth) == sum(read_map(path).counts().values())
    assert (sample.truth == sample.mapped).all()


def test_assess_takes_zero_as_stratum(tmp_path: Path) -> None:
    """A sample drawn within water, whose value is 0, and meadow."""
    path = pam(write(tmp_path / "strata.tif", ids(), 255), categories("water", "meadow"))
    class_map = pam(
        write(tmp_path / "map.tif", ids(254) + 1, 255), categories("", "water", "meadow")
    )
    reference = truth_points(tmp_path, {WATER: "water", MEADOW: "meadow"})
    found = assess(class_map, reference, design="stratified", strata=path)
    own = assess(path, reference, design="stratified")
    assert found.oa == own.oa
    area = next(score.area for score in own.scores if score.name == "water")
    assert area is not None
    assert area.mapped_share == pytest.approx((ids() == 0).sum() / (ids() != NONE).sum())


def test_read_shots_takes_nan_as_nodata(tmp_path: Path) -> None:
    values = np.where(ids() == NONE, np.nan, ids()).astype(np.float32)
    labelled = read_shots(write(tmp_path / "labels.tif", values, np.nan), purpose=REFERENCE)
    assert [c.value for c in labelled.classes] == [0, 1]


def test_assess_counts_classes_that_the_map_lacks(tmp_path: Path) -> None:
    """Of 'sand', what lies on meadow is wrong, and what lies on nothing is left out."""
    path = pam(write(tmp_path / "map.tif", ids(), 255), categories("water", "meadow"))
    points = [shapely.Point(*GRID @ (c + 0.5, 10.5)) for c in (1, 13, 14, 15)]
    points += [shapely.Point(*GRID @ (27.5, r + 0.5)) for r in (0, 1)]
    frame = gpd.GeoDataFrame(
        {"class": ["water", "meadow", *["sand"] * 4]}, geometry=points, crs="EPSG:32633"
    )
    frame.to_file(tmp_path / "r.gpkg")
    result = run("assess", path, "--reference", tmp_path / "r.gpkg")
    assert "no class 'sand': 2 pixels of it in the reference count as wrong" in result.stderr
    assert "left out: 2 pixels without a class in the map" in result.stderr
    assert assess(path, tmp_path / "r.gpkg").oa.value == pytest.approx(0.5)


@given(
    st.none() | st.floats(allow_infinity=False) | st.integers(-300, 300).map(float),
    st.dictionaries(st.integers(0, 5), st.text(max_size=5)),
)
def test_zero_is_class_is_false_if_zero_is_nodata(
    nodata: float | None, names: dict[int, str]
) -> None:
    assert not ClassValues(0.0, names).zero_is_class
    assert not ClassValues(-0.0, names).zero_is_class
    unnamed = {value: name for value, name in names.items() if value != 0}
    assert ClassValues(nodata, unnamed).zero_is_class == (nodata is not None and nodata != 0)
