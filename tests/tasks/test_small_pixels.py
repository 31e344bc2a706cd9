"""Maps with pixels of 2 cm, as drones give: no area is stored or shown as 0."""

from __future__ import annotations

import json
import re
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely
from affine import Affine
from builders import run

from hsi_geo import compare, zones
from hsi_geo.text import number_text

GRID = Affine(0.02, 0.0, 500_000.0, 0.0, -0.02, 5_500_000.0)
PX_HA = 4e-8


def write(path: Path, classes: np.ndarray) -> Path:
    with rasterio.open(
        path, "w", driver="GTiff", height=classes.shape[0], width=classes.shape[1], count=1,
        dtype="uint8", nodata=0, crs="EPSG:32633", transform=GRID,
    ) as file:  # fmt: skip
        file.write(classes.astype("uint8"), 1)
    return path


@pytest.fixture
def classes() -> np.ndarray:
    found = np.ones((37, 53), int)
    found[:, 40:] = 2
    found[30:33, 2:7] = 3
    return found


@pytest.fixture
def plot(tmp_path: Path) -> Path:
    outline = shapely.Polygon([GRID @ (x, y) for x, y in ((5, 4), (50, 4), (50, 33), (5, 33))])
    path = tmp_path / "plots.gpkg"
    gpd.GeoDataFrame({"zone": ["plot"]}, geometry=[outline], crs=32633).to_file(path)
    return path


@pytest.mark.parametrize("suffix", [".csv", ".gpkg"])
def test_tables_of_zones_hold_the_area_of_every_pixel(
    classes: np.ndarray, plot: Path, tmp_path: Path, suffix: str
) -> None:
    out = tmp_path / f"areas{suffix}"
    zones(write(tmp_path / "map.tif", classes), plot, out)
    stored = pd.read_csv(out) if suffix == ".csv" else gpd.read_file(out, layer="areas")
    inside = classes[4:33, 5:50]
    for value, hectares in zip(stored["value"], stored["hectares"], strict=True):
        assert hectares == pytest.approx(PX_HA * (inside == value).sum(), abs=PX_HA / 50)


def test_the_matrix_of_a_comparison_keeps_the_area_of_one_pixel(
    classes: np.ndarray, tmp_path: Path
) -> None:
    later = classes.copy()
    later[0, 0] = 2
    old, new = write(tmp_path / "old.tif", classes), write(tmp_path / "new.tif", later)
    found = compare(old, new, out=tmp_path / "change.tif")
    stored = json.loads(json.dumps(found.as_dict()))
    np.testing.assert_allclose(stored["hectares"], PX_HA * np.array(stored["pixels"]))
    assert stored["hectares"][0][1] == PX_HA
    assert "0.00000004" in found._repr_html_()


def test_commands_and_reports_show_small_areas(
    classes: np.ndarray, plot: Path, tmp_path: Path
) -> None:
    later = classes.copy()
    later[0, 0] = 2
    old, new = write(tmp_path / "old.tif", classes), write(tmp_path / "new.tif", later)
    rows, cols = np.argwhere(np.indices(classes.shape).sum(axis=0) % 11 == 0).T
    reference = tmp_path / "reference.gpkg"
    gpd.GeoDataFrame(
        {"class": classes[rows, cols].astype(str)},
        geometry=[
            shapely.Point(GRID @ (c + 0.5, r + 0.5)) for r, c in zip(rows, cols, strict=True)
        ],
        crs=32633,
    ).to_file(reference)
    sampled = ("--reference", reference, "--design", "simple")
    for command in (
        ("zones", old, "--zones", plot, "-o", tmp_path / "areas.csv"),
        ("polygons", old, "-o", tmp_path / "patches.gpkg"),
        ("compare", old, new, "-o", tmp_path / "change.tif", "--report"),
        ("assess", old, *sampled, "-o", tmp_path / "assessed.html"),
    ):
        shown = run(*command)
        assert shown.exit_code == 0, shown.stderr
        small = [float(text) for text in re.findall(r"\b0\.0000\d+", shown.stdout)]
        assert small, shown.stdout
        assert 0.0 not in small
    for page in ("change_report.html", "assessed.html"):
        assert re.search(r"0\.0000\d+", (tmp_path / page).read_text(encoding="utf-8"))


@pytest.mark.parametrize("digits", [1, 2, 4])
def test_a_number_that_is_not_0_is_never_shown_as_0(digits: int) -> None:
    for value in 10.0 ** np.arange(-12.0, 9.0, 0.37):
        text = number_text(value, digits)
        assert float(text.replace(",", "")) == pytest.approx(value, rel=6e-3 if value < 1 else 0.06)
        assert len(text.partition(".")[2]) >= digits
