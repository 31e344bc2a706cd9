"""Polygons of maps: their fields, formats, styles, and those of a batch across the edges of tiles."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pyogrio
import pytest
import rasterio
import scipy.ndimage
import shapely
from assess_cases import NAMES, damaged, truth, write_class_map
from builders import run
from class_map_cases import CLASSES, GRID, random_probabilities, write_map
from installed_extras import needs

from hsi_geo import MapOptions, classify, polygons, predict
from hsi_geo.errors import HsiGeoError, MapError, OptionError, OutputExistsError
from hsi_geo.io.labels.qgis_styles import find_style
from hsi_geo.io.maps.reader import read_map
from hsi_geo.io.maps.writer import MapPaths

Planted = Any  # defined in conftest, which tests cannot import
Run = Callable[..., Any]


def read(path: Path) -> gpd.GeoDataFrame:
    """The layer, of a file that may hold styles as well."""
    return gpd.read_file(path, layer=path.stem)


@pytest.fixture
def class_map(tmp_path: Path) -> Path:
    """A map of hsi-geo, with its confidence."""
    paths = MapPaths.of(tmp_path / "map.tif", confidence=True)
    write_map(paths, random_probabilities())
    return paths.classes


def test_fields_are_those_of_the_map(class_map: Path, tmp_path: Path) -> None:
    found = polygons(class_map, tmp_path / "out.gpkg")
    frame = read(tmp_path / "out.gpkg")
    assert list(frame.columns[:-1]) == [
        "class",
        "name",
        "hectares",
        "confidence",
        "rejected",
        "pixels",
    ]
    assert frame.crs == "EPSG:32633"
    with rasterio.open(class_map) as file:
        ids = file.read(1)
    with rasterio.open(class_map.with_name("map_confidence.tif")) as file:
        percent = file.read(1)
    assert found.count == len(frame)
    for c in CLASSES:
        own = frame[frame["class"] == c.id]
        assert set(own["name"]) == {c.name}
        assert own["pixels"].sum() == (ids == c.id).sum() == found.counts[c.id].pixels
        assert own["hectares"].sum() == pytest.approx(0.06 * (ids == c.id).sum())
        mean = (own["confidence"] * own["pixels"]).sum() / own["pixels"].sum()
        assert mean == pytest.approx(percent[ids == c.id].mean(), abs=0.06)
        assert found.classes[c.id].color == c.color


def test_confidence_is_of_the_polygon_and_may_be_missing(tmp_path: Path) -> None:
    path = write_class_map(tmp_path, truth())
    polygons(path, tmp_path / "none.gpkg")
    assert read(tmp_path / "none.gpkg")["confidence"].isna().all()
    other = write_class_map(tmp_path, truth()[:20], name="small.tif")
    with pytest.raises(MapError, match=r"cannot be the confidence of map .* it has other pixels"):
        polygons(path, tmp_path / "wrong.gpkg", confidence=other)
    assert not (tmp_path / "wrong.gpkg").exists()


@pytest.mark.parametrize("suffix", ["gpkg", "fgb", pytest.param("parquet", marks=needs("parquet"))])
def test_formats_hold_the_same(class_map: Path, tmp_path: Path, suffix: str) -> None:
    polygons(class_map, tmp_path / "wanted.gpkg", smooth=3)
    wanted = read(tmp_path / "wanted.gpkg")
    out = tmp_path / f"out.{suffix}"
    polygons(class_map, out, smooth=3)
    found = gpd.read_parquet(out) if suffix == "parquet" else read(out)
    assert found.crs == wanted.crs
    assert sorted(found.columns) == sorted(wanted.columns)
    fields = ["class", "name", "hectares", "confidence", "pixels"]
    for frame in (found, wanted):
        frame["key"] = [shapely.normalize(g).wkb for g in frame.geometry]
    one, other = (frame.sort_values("key").reset_index(drop=True) for frame in (found, wanted))
    assert (one["key"] == other["key"]).all()
    for name in fields:
        assert (one[name] == other[name]).all()
    assert out.with_suffix(".qml").exists() == (suffix != "gpkg")


@pytest.mark.parametrize("chunk", [1, 7, 10**6])
def test_parts_make_one_layer(
    class_map: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    """Polygons are written in parts; also if the last part is complete when the map ends."""
    monkeypatch.setattr("hsi_geo.io.maps.polygons.CHUNK", chunk)
    monkeypatch.setattr("hsi_geo.io.maps.patches.STRIP_PX", 1)
    monkeypatch.setattr("hsi_geo.io.maps.patches.FEWEST_ROWS", 5)
    found = polygons(class_map, tmp_path / "out.gpkg")
    assert len(read(tmp_path / "out.gpkg")) == found.count


def test_equal_maps_give_equal_bytes(class_map: Path, tmp_path: Path) -> None:
    found = []
    for _ in range(2):
        for suffix in ("gpkg", "fgb"):
            polygons(class_map, tmp_path / f"out.{suffix}", overwrite=True)
            found.append((tmp_path / f"out.{suffix}").read_bytes())
    assert found[0] == found[2]
    assert found[1] == found[3]


def test_layer_has_the_colours_of_the_map(class_map: Path, tmp_path: Path) -> None:
    """As our own reader of QGIS's styles sees it; tests of QGIS open it there."""
    for suffix in ("gpkg", "fgb"):
        polygons(class_map, tmp_path / f"out.{suffix}")
        style = find_style(str(tmp_path / f"out.{suffix}"), "out")
        assert style.class_field == "class"
        assert style.colors == {str(c.id): c.color for c in CLASSES}
        assert style.labels == {str(c.id): c.name for c in CLASSES}


@pytest.mark.parametrize(
    ("out", "smooth", "error", "text"),
    [
        ("out.shp", 0, OptionError, r"does not end in .gpkg, .fgb, .parquet"),
        ("out.gpkg", 21, OptionError, "smooth"),
        ("out.gpkg", -1, OptionError, "smooth"),
    ],
)
def test_what_cannot_be_written_is_refused(
    class_map: Path, tmp_path: Path, out: str, smooth: int, error: type[HsiGeoError], text: str
) -> None:
    with pytest.raises(error, match=text):
        polygons(class_map, tmp_path / out, smooth=smooth)


def test_nothing_is_replaced_unasked(class_map: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.gpkg"
    polygons(class_map, out)
    before = out.read_bytes()
    with pytest.raises(OutputExistsError):
        polygons(class_map, out, smooth=2)
    assert out.read_bytes() == before
    polygons(class_map, out, smooth=2, overwrite=True)
    assert out.read_bytes() != before


def test_a_map_without_classes_is_refused(tmp_path: Path) -> None:
    path = write_class_map(tmp_path, 0 * truth())
    with pytest.raises(MapError, match="no pixel with a class"):
        polygons(path, tmp_path / "out.gpkg")
    assert list(tmp_path.glob("out*")) == []


def test_command_prints_what_it_wrote(tmp_path: Path) -> None:
    path = write_class_map(tmp_path, damaged())
    shown = run("polygons", path, "-o", tmp_path / "out.fgb", "--smooth", 2, "--progress", "jsonl")
    assert shown.exit_code == 0, shown.stderr
    events = [json.loads(line) for line in shown.stderr.splitlines()]
    (result,) = [event for event in events if event["type"] == "result"]
    count = sum(scipy.ndimage.label(damaged() == c)[1] for c in (1, 2, 3))
    assert result["count"] == count
    assert result["outputs"] == {"polygons": str(tmp_path / "out.fgb")}
    assert any(event.get("stage") == "Drawing polygons" for event in events)
    for value, name in enumerate(NAMES, start=1):
        pixels = (damaged() == value).sum()
        assert any(
            line.startswith(name)
            and f" {pixels} " in line
            and line.endswith(f"{0.06 * pixels:.2f}")
            for line in shown.stdout.splitlines()
        )


@pytest.mark.parametrize("out", ["map.tif", "map.gpkg", "map.fgb"])
@pytest.mark.slow
def test_classify_writes_polygons_beside_the_map(
    quick: None, planted: Planted, tmp_path: Path, out: str
) -> None:
    shots = planted.shots(tmp_path / "shots.gpkg")
    result = classify(
        planted.path, shots, out=tmp_path / out, options=MapOptions(polygons=True, smooth=1)
    )
    written = result.paths.polygons
    assert written is not None
    assert written.name == ("map_polygons.gpkg" if out == "map.tif" else out)
    assert result.paths.classes == tmp_path / "map.tif"
    assert not list(tmp_path.glob(".*"))
    assert not (tmp_path / "map_confidence.tif").exists()
    frame = read(written)
    assert frame["confidence"].between(1, 100).all()
    counts = read_map(result.paths.classes).class_counts()
    assert frame.groupby("name")["pixels"].sum().to_dict() == counts
    recorded = json.loads(result.paths.record.read_text(encoding="utf-8"))
    assert recorded["files"]["polygons"]["size"] == written.stat().st_size
    assert recorded["parameters"]["smooth"] == 1
    style = find_style(str(written), written.stem)
    assert style.colors == {str(c.id): c.color for c in result.classes}
    # The next map, without polygons, removes those of this one.
    classify(planted.path, shots, out=tmp_path / "map.tif", overwrite=True)
    assert not written.exists()


def test_smoothing_changes_no_map(
    quick: None, planted: Planted, model: Path, tmp_path: Path
) -> None:
    plain = predict(planted.path, model, out=tmp_path / "a.tif", rescale="auto")
    with_layer = predict(
        planted.path, model, out=tmp_path / "b.gpkg", options=MapOptions(smooth=5), rescale="auto"
    )
    assert plain.paths.classes.read_bytes() == with_layer.paths.classes.read_bytes()
    assert "polygons" not in plain.record["parameters"]
    assert with_layer.record["parameters"]["polygons"] is True


@pytest.mark.parametrize("out", ["map.tif", "map.gpkg"])
@pytest.mark.parametrize(
    ("with_model", "rejecting"),
    [
        pytest.param(False, True, id="classify-rejecting", marks=pytest.mark.slow),
        pytest.param(True, True, id="predict-rejecting"),
        pytest.param(True, False, id="predict-all"),
    ],
)
def test_polygons_beside_a_map_are_those_of_polygons(
    quick: None,
    planted: Planted,
    model: Path,
    tmp_path: Path,
    out: str,
    with_model: bool,
    rejecting: bool,
) -> None:
    """They are made before the record, which lists the rejected classes."""
    least = 0.6 if with_model else 0.95  # rejects some pixels, not all
    options = MapOptions(
        polygons=True, smooth=1, confidence=True, min_confidence=least if rejecting else None
    )
    result: Any
    if with_model:
        result = predict(planted.path, model, out=tmp_path / out, options=options, rescale="auto")
    else:
        shots = planted.shots(tmp_path / "shots.gpkg")
        result = classify(planted.path, shots, out=tmp_path / out, options=options)
    beside = read(result.paths.polygons)
    polygons(result.paths.classes, tmp_path / "later.gpkg", smooth=1)
    assert beside.equals(read(tmp_path / "later.gpkg"))
    of_rejected = beside["name"] == "too uncertain"
    assert of_rejected.any() == rejecting
    assert not of_rejected.all()
    assert (beside["rejected"][of_rejected] == 100).all()
    assert beside["rejected"].notna().all() == rejecting


@needs("batch")
@pytest.mark.parametrize("smooth", [0, 3])
@pytest.mark.slow
def test_polygons_of_a_batch_cross_the_edges_of_tiles(
    map_tiles: Run, tiles: list[Path], scene: Planted, model: Path, tmp_path: Path, smooth: int
) -> None:
    result = map_tiles(tiles, polygons=True, smooth=smooth)
    frame = read(result.outputs["polygons"])
    areas = {area.name: area.pixels for area in result.areas}
    assert frame.groupby("name")["pixels"].sum().to_dict() == {
        name: pixels for name, pixels in areas.items() if pixels
    }
    assert frame["confidence"].between(1, 100).all()
    whole = predict(
        scene.path, model, out=tmp_path / "whole.gpkg", options=MapOptions(smooth=smooth)
    )
    assert whole.paths.polygons is not None
    wanted = read(whole.paths.polygons)
    keys = [
        sorted(zip(f["class"], f["pixels"], f["confidence"], f.normalize().to_wkb(), strict=True))
        for f in (frame, wanted)
    ]
    assert keys[0] == keys[1]
    again = map_tiles(tiles, polygons=True, smooth=smooth)
    assert again.count("unchanged") == len(tiles)
    assert read(again.outputs["polygons"]).equals(frame)


@needs("batch")
def test_a_batch_does_not_replace_polygons_of_the_user(
    map_tiles: Run, tiles: list[Path], tmp_path: Path
) -> None:
    own = tmp_path / "maps" / "polygons.gpkg"
    own.parent.mkdir()
    gpd.GeoDataFrame({"owner": ["me"]}, geometry=[shapely.Point(1, 2)], crs=4326).to_file(own)
    before = own.read_bytes()
    with pytest.raises(OutputExistsError, match="no batch made it"):
        map_tiles(tiles, polygons=True)
    assert own.read_bytes() == before


MEMORY = """
import resource, sys
from pathlib import Path
from hsi_geo import polygons
polygons(sys.argv[1], sys.argv[2])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


@pytest.mark.slow
def test_memory_does_not_follow_the_number_of_polygons(tmp_path: Path) -> None:
    """Four times the rows: the peak stays, as polygons are written when they are complete."""
    peaks = []
    for height in (3000, 12000):
        small = np.random.default_rng(1).normal(size=(4, 500, 2000))
        block = scipy.ndimage.gaussian_filter(small, (0, 2, 2)).argmax(axis=0).astype(np.uint8) + 1
        path = tmp_path / f"{height}.tif"
        with rasterio.open(
            path, "w", driver="GTiff", height=height, width=2000, count=1, dtype="uint8", nodata=0,
            crs="EPSG:32633", transform=GRID.transform, tiled=True,
        ) as file:  # fmt: skip
            for row in range(0, height, 500):
                file.write(block, 1, window=rasterio.windows.Window(0, row, 2000, 500))
        out = tmp_path / f"{height}.gpkg"
        shown = subprocess.run(
            [sys.executable, "-c", MEMORY, str(path), str(out)],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        peaks.append(int(shown.stdout.split()[-1]))
        assert pyogrio.read_info(out, layer=out.stem)["features"] > height * 4
    assert peaks[1] < 1.25 * peaks[0], peaks
