"""Errors for maps and references that do not match."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely
from assess_cases import GRID, NAMES, truth

from hsi_geo import assess
from hsi_geo.errors import HsiGeoError, MapError, MapNotFoundError, ShotsError

WriteMap = Callable[..., Path]


Refusal = tuple[type[HsiGeoError], str, Callable[[Path, Path], tuple[Any, ...]], str | None]

REFUSED: dict[str, Refusal] = {
    "map missing": (
        MapNotFoundError, "does not exist", lambda m, r: (m.with_name("none.tif"), r), None
    ),
    "map is no raster": (MapError, "not a raster", lambda m, r: (r.with_name("notes"), r), None),
    "map is a scene": (MapError, "2 bands of float32", lambda m, r: (r.with_name("two.tif"), r), None),
    "no class in common": (
        MapError, "map has 'meadow', .*reference 'grass', 'road'",
        lambda m, r: (m, r.with_name("other.gpkg")), None,
    ),
    "reference in the hole": (
        ShotsError, "none of the 2 reference pixels", lambda m, r: (m, r.with_name("hole.gpkg")), None
    ),
    "a design of polygons": (
        ShotsError, "consists of points, and the reference has Polygons",
        lambda m, r: (m, r.with_name("discs.gpkg")), "simple",
    ),
    "a class unsampled": (
        ShotsError, "fewer than two pixels in deep water",
        lambda m, r: (m, r.with_name("few.gpkg")), "stratified",
    ),
}  # fmt: skip


@pytest.fixture
def refused_files(everywhere: Path, tmp_path: Path) -> None:
    """Everything the table above names."""
    frame = gpd.read_file(everywhere)
    (tmp_path / "notes").write_text("no raster\n")
    with rasterio.open(
        tmp_path / "two.tif", "w", driver="GTiff", height=3, width=4, count=2, dtype="float32",
        transform=GRID,
    ) as file:  # fmt: skip
        file.write(np.ones((2, 3, 4), np.float32))

    def save(name: str, changed: gpd.GeoDataFrame) -> None:
        changed.to_file(tmp_path / f"{name}.gpkg", driver="GPKG")

    names = {"meadow": "grass", "asphalt": "road", "deep water": "road"}
    save("other", frame.assign(**{"class": frame["class"].map(names)}))
    save("few", frame[frame["class"] != "deep water"])
    save("discs", frame.set_geometry(frame.buffer(40.0)))
    hole = frame.iloc[[0, -1]].copy()
    hole.geometry = [shapely.Point(*GRID @ (col, 4.5)) for col in (6.5, 8.5)]
    save("hole", hole.assign(**{"class": ["meadow", "asphalt"]}))


def test_assess_errors_name_map_and_reference(
    write_map: WriteMap, everywhere: Path, tmp_path: Path
) -> None:
    """Nobody who assesses a map has drawn shots, or given a scene."""
    frame = gpd.read_file(everywhere)
    changed = {
        "far": frame.set_geometry(frame.translate(1e6, 0.0)),
        "empty": frame[:0],
        "unlabelled": frame.assign(**{"class": None}),
        "twice": frame.assign(other=frame["class"], more=frame["class"]).drop(columns="class"),
        "contested": frame[:2].assign(geometry=[frame.geometry[0]] * 2, **{"class": NAMES[:2]}),
    }
    path, bare = write_map(truth()), write_map(truth(), crs=None, name="bare.tif")
    requested = {name: (path, tmp_path / f"{name}.gpkg") for name in (*changed, "missing")}
    for name, one in changed.items():
        one.to_file(requested[name][1], driver="GPKG")
    for name, (class_map, reference) in (*requested.items(), ("bare", (bare, everywhere))):
        with pytest.raises(HsiGeoError) as caught:
            assess(class_map, reference)
        message = str(caught.value).replace(str(tmp_path), "")
        assert "reference labels" in message, name
        assert not re.search("shot|scene|two classes or", message), name


def test_a_map_without_names_says_so(write_map: WriteMap, everywhere: Path) -> None:
    """Names of the reference match none of its numbers, whatever a person calls its classes elsewhere."""
    numbered = write_map(truth())
    with rasterio.open(numbered) as file:
        values, profile = file.read(1), file.profile
    bare = numbered.with_name("numbers.tif")
    with rasterio.open(bare, "w", **profile) as file:
        file.write(values, 1)
    with pytest.raises(MapError, match=r"the map has '1', .*no names for its numbers"):
        assess(bare, everywhere)


@pytest.mark.usefixtures("refused_files")
@pytest.mark.parametrize("case", REFUSED)
def test_assess_errors_give_the_reason(case: str, write_map: WriteMap, everywhere: Path) -> None:
    kind, expected, paths, design = REFUSED[case]
    with pytest.raises(kind, match=expected) as caught:
        assess(*paths(write_map(truth()), everywhere), design=design)  # type: ignore[arg-type]
    assert caught.value.hint
