"""Comparison of two maps: pairs of classes, other tables and grids, polygons, and areas of change."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from assess_cases import GRID, NAMES, damaged, truth, write_class_map
from builders import run
from class_map_cases import CLASSES
from pyproj import CRS
from small_disk import small_disk

from hsi_geo import compare, sample
from hsi_geo.arrays import AnyArray
from hsi_geo.errors import HsiGeoError, MapError, OptionError, OutputExistsError
from hsi_geo.io.labels.qgis_styles import find_style
from hsi_geo.io.maps.reader import read_map
from hsi_geo.tasks.change.change_classes import match_classes, pair_name
from hsi_geo.tiling import Grid

Recorder = Any  # defined in conftest, which tests cannot import
Write = Callable[..., Path]


def later() -> AnyArray:
    """The classes of `truth` at a later date: a strip of meadow became asphalt, and a pond silted up."""
    classes = truth()
    classes[10:15, :9] = 2
    classes[30:34, 3:8] = 1
    classes[0, 50] = 0
    return classes


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_(classes: AnyArray, name: str, **options: Any) -> Path:
        return write_class_map(tmp_path, classes, name=name, **options)

    return write_


@pytest.fixture
def maps(write: Write) -> tuple[Path, Path]:
    return write(truth(), "old.tif"), write(later(), "new.tif")


def by_hand(old: AnyArray, new: AnyArray, count: int = 3) -> AnyArray:
    """(K, K) number of pixels of each pair."""
    found = np.zeros((count + 1, count + 1), np.int64)
    np.add.at(found, (old.ravel(), new.ravel()), 1)
    return found[1:, 1:]


def test_matrix_and_map_are_those_of_the_pixels(maps: tuple[Path, Path], tmp_path: Path) -> None:
    found = compare(*maps, out=tmp_path / "change.tif")
    wanted = by_hand(truth(), later())
    assert found.classes.names == NAMES
    assert found.matrix.pixels.tolist() == wanted.tolist()
    assert found.matrix.hectares == pytest.approx(0.06 * wanted)
    assert found.matrix.uncompared == 1
    assert found.matrix.changed_share == pytest.approx(1 - np.trace(wanted) / wanted.sum())
    assert [c.name for c in found.changes] == ["meadow → asphalt", "deep water → meadow"]
    with rasterio.open(tmp_path / "change.tif") as file:
        ids = file.read(1)
        assert file.nodata == 0
        assert file.crs == "EPSG:32633"
    old, new = truth().astype(int), later().astype(int)
    assert (ids == np.where((old > 0) & (new > 0), 100 * old + new, 0)).all()
    opened = read_map(tmp_path / "change.tif")
    assert opened.names == {
        101: "meadow, no change", 102: "meadow → asphalt", 202: "asphalt, no change",
        301: "deep water → meadow", 303: "deep water, no change",
    }  # fmt: skip
    style = find_style(str(tmp_path / "change.tif"), None)
    assert set(style.labels.values()) == set(opened.names.values())
    assert len(set(style.colors.values())) == 5
    record = json.loads((tmp_path / "change.json").read_text(encoding="utf-8"))
    assert record["change"]["pixels"] == wanted.tolist()
    assert [c["id"] for c in record["classes"]] == [101, 102, 202, 301, 303]


def test_classes_are_matched_by_name(write: Write, tmp_path: Path) -> None:
    """The tables have other orders, and each map has a class of its own."""
    swap = np.array([0, 4, 1, 2], np.uint8)  # meadow 4, asphalt 1, deep water 2; 3 is new
    new = swap[later()]
    new[20:22, 40:50] = 3
    old = truth()
    old[36, :5] = 4
    first = write(old, "old.tif", names=(*NAMES, "heath"))
    second = write(new, "new.tif", names=("asphalt", "deep water", "solar panels", "meadow"))
    found = compare(first, second, out=tmp_path / "change.tif")
    assert found.classes.names == (*NAMES, "heath", "solar panels")
    assert found.only_in_old == ("heath",)
    assert found.only_in_new == ("solar panels",)
    pairs = {(c.old, c.new): c.pixels for c in found.pairs}
    assert pairs[("asphalt", "solar panels")] == 20
    assert pairs[("heath", "deep water")] == 5
    assert pairs[("meadow", "asphalt")] == 45
    assert sum(pairs.values()) == ((old > 0) & (new > 0)).sum()


def test_maps_without_a_common_class_are_refused(write: Write, tmp_path: Path) -> None:
    first = write(truth(), "old.tif")
    second = write(later(), "new.tif", names=("Wiese", "Straße", "Wasser"))
    with pytest.raises(MapError, match="no class in common: the old one has 'meadow'"):
        compare(first, second, out=tmp_path / "change.tif")
    empty = write(0 * truth(), "empty.tif")
    with pytest.raises(MapError, match="no pixel with a class"):
        compare(first, empty, out=tmp_path / "change.tif")
    assert not list(tmp_path.glob("change*"))


@pytest.mark.parametrize(
    ("rows", "cols"), [(slice(5, 30), slice(4, 53)), (slice(0, 37), slice(10, 20))]
)
def test_maps_of_one_lattice_are_compared_where_both_are(
    write: Write, tmp_path: Path, rows: slice, cols: slice
) -> None:
    first = write(truth(), "old.tif")
    for order in (1, -1):
        part = write(later()[rows, cols], "new.tif")
        with rasterio.open(part, "r+") as file:
            file.transform = GRID @ Affine.translation(cols.start, rows.start)
        pair = (first, part)[::order]
        found = compare(*pair, out=tmp_path / "change.tif", overwrite=True)
        old, new = (truth()[rows, cols], later()[rows, cols])[::order]
        assert found.matrix.pixels.tolist() == by_hand(old, new).tolist()
        with rasterio.open(tmp_path / "change.tif") as file:
            assert file.shape == old.shape
            assert file.transform == GRID @ Affine.translation(cols.start, rows.start)


def test_another_grid_is_refused_or_resampled(write: Write, tmp_path: Path) -> None:
    """The new map has pixels of a third, in another CRS."""
    first = write(truth(), "old.tif")
    fine = np.kron(later(), np.ones((3, 3), np.uint8))
    second = write(fine, "new.tif")
    with rasterio.open(second, "r+") as file:
        file.transform = GRID @ Affine.scale(1 / 3)
    with pytest.raises(MapError, match=r"different pixels: 30 x 20 .* 10 x 6\.66667"):
        compare(first, second, out=tmp_path / "change.tif")
    found = compare(first, second, out=tmp_path / "change.tif", resample=True)
    assert found.matrix.pixels.tolist() == by_hand(truth(), later()).tolist()
    with rasterio.open(second) as file:
        values, transform = file.read(1), file.transform
    from rasterio.warp import calculate_default_transform, reproject

    target, width, height = calculate_default_transform(
        "EPSG:32633", "EPSG:25832", fine.shape[1], fine.shape[0],
        *rasterio.transform.array_bounds(*fine.shape, transform),
    )  # fmt: skip
    warped = np.zeros((height, width), np.uint8)
    reproject(values, warped, src_transform=transform, src_crs="EPSG:32633", dst_transform=target,
              dst_crs="EPSG:25832", src_nodata=0)  # fmt: skip
    third = write(warped, "third.tif", crs="EPSG:25832")
    with rasterio.open(third, "r+") as file:
        file.transform = target
    found = compare(first, third, out=tmp_path / "change.tif", resample=True, overwrite=True)
    assert (np.abs(found.matrix.pixels - by_hand(truth(), later())) <= 40).all()


def test_a_full_temporary_folder_never_gives_a_wrong_comparison(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GDAL reports no error when the last blocks of the resampled map do not fit."""
    classes = np.random.default_rng(2).integers(1, 4, (150, 90), np.uint8)
    first, second = write(classes, "old.tif"), write(np.kron(classes, np.ones((3, 3))), "new.tif")
    with rasterio.open(second, "r+") as file:
        file.transform = GRID @ Affine.scale(1 / 3)
    ends: list[bool] = []
    out = tmp_path / "change.tif"
    with small_disk(tmp_path / "disk") as disk:
        monkeypatch.setattr("tempfile.tempdir", str(disk(100)))
        for blocks in (1, 7, 11, 15, 100):
            disk(blocks)
            try:
                found = compare(first, second, out=out, resample=True, overwrite=True)
            except HsiGeoError as error:
                assert "cannot be written" in str(error) or "not hold" in str(error)
                ends.append(False)
            else:
                assert np.trace(found.matrix.pixels) == classes.size
                ends.append(True)
            assert not list((tmp_path / "disk").iterdir())
    assert not ends[0]
    assert ends[-1]


def test_maps_apart_are_refused(write: Write, tmp_path: Path) -> None:
    first, second = write(truth(), "old.tif"), write(later(), "new.tif")
    with rasterio.open(second, "r+") as file:
        file.transform = GRID @ Affine.translation(100, 0)
    with pytest.raises(MapError, match="do not overlap"):
        compare(first, second, out=tmp_path / "change.tif")


def test_polygons_are_the_patches_that_changed(maps: tuple[Path, Path], tmp_path: Path) -> None:
    compare(*maps, out=tmp_path / "change.gpkg", smooth=2, report=True)
    frame = gpd.read_file(tmp_path / "change.gpkg", layer="change")
    assert sorted(zip(frame["name"], frame["old"], frame["new"], frame["pixels"], strict=True)) == [
        ("deep water → meadow", "deep water", "meadow", 20),
        ("meadow → asphalt", "meadow", "asphalt", 45),
    ]
    same = compare(maps[0], maps[0], out=tmp_path / "same.gpkg")
    assert not same.changes
    assert gpd.read_file(tmp_path / "same.gpkg", layer="same").empty
    page = (tmp_path / "change_report.html").read_text(encoding="utf-8")
    assert "meadow → asphalt" in page
    assert "3.4 % of what both maps show" in page


def reference(at: AnyArray, path: Path) -> Path:
    """The true classes of both dates at some pixels."""
    names = np.array(["", *NAMES])
    frame = gpd.GeoDataFrame(
        {
            "class_old": names[truth()[at[:, 0], at[:, 1]]],
            "class_new": names[later()[at[:, 0], at[:, 1]]],
        },
        geometry=[shapely.Point(*GRID @ (col + 0.5, row + 0.5)) for row, col in at],
        crs="EPSG:32633",
    )
    frame.to_file(path)
    return path


def test_areas_of_change_are_estimated_from_a_sample(write: Write, tmp_path: Path) -> None:
    """Both maps have errors, so that they show four times the change; the estimate covers the truth."""
    old, new = write(damaged(0.1, seed=1), "old.tif"), write(
        np.where(later() > 0, np.where(np.random.default_rng(2).random((37, 53)) < 0.1, later() % 3 + 1, later()), 0)
        .astype(np.uint8), "new.tif",
    )  # fmt: skip
    compare(old, new, out=tmp_path / "change.tif")
    sample(tmp_path / "change.tif", tmp_path / "visit.gpkg", count=500, least=30, seed=3)
    frame = gpd.read_file(tmp_path / "visit.gpkg", layer="visit")
    assert {"class_old", "class_new"} <= set(frame.columns)
    cols, rows = np.floor(np.array([~GRID @ (p.x, p.y) for p in frame.geometry]).T).astype(int)
    names = np.array(["", *NAMES])
    frame["class_old"], frame["class_new"] = names[truth()[rows, cols]], names[later()[rows, cols]]
    frame.to_file(tmp_path / "answered.gpkg")
    found = compare(
        old, new, out=tmp_path / "change.tif", reference=tmp_path / "answered.gpkg",
        design="stratified", overwrite=True, report=True,
    )  # fmt: skip
    assert found.assessment is not None
    areas = {score.name: score.area for score in found.assessment.scores}
    wanted = by_hand(truth(), later())
    for a in range(3):
        for b in range(3):
            area = areas.get(pair_name(NAMES[a], NAMES[b]))
            true = 0.06 * wanted[a, b]
            if area is None or area.ha is None or area.ha_se is None:
                assert true == 0
                continue
            assert abs(area.ha - true) <= 3.5 * area.ha_se + 1e-9
    changed = sum(a.ha or 0.0 for n, a in areas.items() if a is not None and "→" in n)
    shown = sum(one.hectares or 0.0 for one in found.changes)
    true = 0.06 * (wanted.sum() - np.trace(wanted))
    assert shown > 3 * true
    assert abs(changed - true) < 0.25 * (shown - true)
    page = (tmp_path / "change_report.html").read_text(encoding="utf-8")
    assert "standard error" in page
    printed = run(
        "compare", old, new, "-o", tmp_path / "change.tif", "--overwrite", "--reference",
        tmp_path / "answered.gpkg", "--design", "stratified",
    )  # fmt: skip
    assert printed.exit_code == 0, printed.stderr
    assert "standard error" in printed.stdout


def test_reference_without_a_design_gives_accuracies(
    maps: tuple[Path, Path], tmp_path: Path
) -> None:
    path = reference(np.argwhere(later() > 0)[::7], tmp_path / "r.gpkg")
    found = compare(*maps, out=tmp_path / "change.tif", reference=path)
    assert found.assessment is not None
    assert found.assessment.oa.value == 1.0
    assert {s.name for s in found.assessment.scores} == {one.name for one in found.pairs}
    frame = gpd.read_file(path).rename(columns={"class_old": "then", "class_new": "now"})
    frame.loc[frame.index[:3], "now"] = None
    frame.to_file(tmp_path / "other.gpkg")
    again = compare(
        *maps, out=tmp_path / "change.tif", reference=tmp_path / "other.gpkg", old_field="then",
        new_field="now", overwrite=True,
    )  # fmt: skip
    assert again.assessment is not None
    assert again.assessment.pixels == found.assessment.pixels - 3
    assert again.assessment.dropped == ("3 without a class in 'now'",)


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"out": "change.png"}, OptionError, "does not end in .tif"),
        ({"design": "simple"}, OptionError, "no reference"),
        ({"smooth": 99}, OptionError, "smooth"),
        ({"out": "old.tif", "overwrite": True}, HsiGeoError, "would replace"),
        ({"out": "nowhere/change.tif"}, HsiGeoError, "does not exist"),
    ],
)
def test_wrong_options_are_refused(
    maps: tuple[Path, Path],
    tmp_path: Path,
    options: dict[str, Any],
    error: type[HsiGeoError],
    text: str,
) -> None:
    out = options.pop("out", "change.tif")
    before = maps[0].read_bytes()
    with pytest.raises(error, match=text):
        compare(*maps, out=tmp_path / out, **options)
    assert maps[0].read_bytes() == before
    assert not list(tmp_path.glob("change*"))


def test_nothing_is_replaced_unasked(maps: tuple[Path, Path], tmp_path: Path) -> None:
    compare(*maps, out=tmp_path / "change.tif", polygons=True)
    with pytest.raises(OutputExistsError):
        compare(*maps, out=tmp_path / "change.tif")
    compare(*maps, out=tmp_path / "change.tif", overwrite=True)
    assert not (tmp_path / "change_polygons.gpkg").exists()  # of the earlier comparison


def test_command_prints_matrix_and_changes(maps: tuple[Path, Path], tmp_path: Path) -> None:
    shown = run("compare", *maps, "-o", tmp_path / "change.tif", "--report", "--progress", "jsonl")
    assert shown.exit_code == 0, shown.stderr
    result = json.loads(shown.stderr.splitlines()[-1])
    assert result["comparison"]["pixels"] == by_hand(truth(), later()).tolist()
    assert set(result["outputs"]) == {"map", "names", "style", "record", "report"}
    assert "meadow → asphalt" in shown.stdout
    assert "changed: 3.35 %" in shown.stdout


def test_many_classes_have_legible_ids() -> None:
    table = tuple(type(CLASSES[0])(i, f"class {i}", "#888888") for i in range(1, 121))
    classes = match_classes(table, table)
    pairs = {classes.id_of(a, b): (a, b) for a in range(1, 121) for b in range(1, 121)}
    assert len(pairs) == 120 * 120
    assert max(pairs) < 2**16
    assert all(classes.pair_of(id) == pair for id, pair in pairs.items())
    too_many = tuple(type(CLASSES[0])(i, f"class {i}", "#888888") for i in range(1, 300))
    with pytest.raises(MapError, match="299 classes together"):
        match_classes(too_many, too_many)


def test_rotated_and_degree_grids_are_one_lattice_too() -> None:
    from hsi_geo.io.maps.pixel_lattices import lattice_offset

    for transform, epsg in (
        (Affine(30.0, 7.0, 4e5, 5.0, -20.0, 5e6), 32633),
        (Affine(0.001, 0.0, 13.0, 0.0, -0.001, 52.0), 4326),
    ):
        own = Grid(40, 50, transform, CRS.from_epsg(epsg))
        inside = Grid(7, 9, transform @ Affine.translation(11, 5), CRS.from_epsg(epsg))
        assert lattice_offset(own, inside) == (5, 11)
        assert lattice_offset(inside, own) == (-5, -11)
        shifted = Grid(7, 9, transform @ Affine.translation(11.3, 5), CRS.from_epsg(epsg))
        assert lattice_offset(own, shifted) is None
        finer = Grid(7, 9, transform @ Affine.scale(0.99), CRS.from_epsg(epsg))
        assert lattice_offset(own, finer) is None
