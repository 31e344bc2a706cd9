"""Batches of tiles: no seams, nothing twice, one bad tile stops no other."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pystac
import pytest
import rasterio
from affine import Affine
from builders import cut_tile, model_for, run, snapshot
from distributed import LocalCluster
from pyproj import CRS
from pystac.extensions.classification import ClassificationExtension
from pystac.extensions.raster import RasterExtension
from pystac.validation import validate_dict
from pystac.validation.stac_validator import GetSchemaError

from hsi_geo import batch
from hsi_geo.errors import MissingPackageError, OptionError
from hsi_geo.io.map_index import PlacedMap
from hsi_geo.io.stac_items import item_collection
from hsi_geo.io.tile_list import ListedTile
from hsi_geo.tasks.adapted import save_model
from hsi_geo.tasks.batch import BatchResult
from hsi_geo.tasks.predict import predict
from hsi_geo.tiling import Grid, Window

Planted = Any  # defined in conftest, which tests cannot import
MakeScene = Callable[..., Planted]
Recorder = Any
Ids = npt.NDArray[np.uint8]

#: (first, size) of rows and columns that cut the usual scene into six unequal tiles.
ROWS, COLS = ((0, 20), (20, 17)), ((0, 17), (17, 16), (33, 20))


@pytest.fixture(scope="session")
def scheduler() -> Iterator[str]:
    """A cluster that stays for all tests, in this process."""
    with LocalCluster(
        n_workers=1,
        threads_per_worker=2,
        processes=False,
        protocol="tcp",
        dashboard_address="127.0.0.1:0",
    ) as cluster:
        yield cluster.scheduler_address


@pytest.fixture
def scene(make_scene: MakeScene) -> Planted:
    return make_scene(bands=9)


@pytest.fixture
def model(scene: Planted, tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    save_model(model_for(scene.path), path)
    return path


@pytest.fixture
def tiles(scene: Planted, tmp_path: Path) -> list[Path]:
    """The usual scene in six tiles that leave nothing out."""
    return cut(scene.path, tmp_path / "tiles", ROWS, COLS)


Spans = tuple[tuple[int, int], ...]


def cut(scene: Path, folder: Path, rows: Spans, cols: Spans) -> list[Path]:
    folder.mkdir()
    return [
        cut_tile(scene, folder / f"{row}_{col}.tif", Window(row, col, height, width))
        for row, height in rows
        for col, width in cols
    ]


Run = Callable[..., BatchResult]


@pytest.fixture
def map_tiles(model: Path, tmp_path: Path, scheduler: str) -> Run:
    """Map tiles into ``maps`` on the cluster that stays."""

    def map_tiles_(tiles: Any, **options: Any) -> BatchResult:
        return batch(tiles, model, tmp_path / "maps", scheduler=scheduler, **options)

    return map_tiles_


def ids_in(path: Path) -> Ids:
    with rasterio.open(path) as file:
        return np.asarray(file.read(1))


@pytest.fixture
def whole(scene: Planted, model: Path, tmp_path: Path) -> Ids:
    """The map of the uncut scene."""
    return ids_in(predict(scene.path, model, out=tmp_path / "whole.tif").paths.classes)


def states(result: BatchResult) -> dict[str, str]:
    return {Path(path).stem: outcome.state for path, outcome in result.outcomes.items()}


OVERLAPPING = ((0, 24), (15, 22)), ((0, 21), (13, 30), (30, 23))


NARROW = ROWS, ((0, 17), (17, 3), (20, 33))


@pytest.mark.parametrize(("rows", "cols"), [(ROWS, COLS), OVERLAPPING, NARROW])
def test_neighbours_leave_no_seams(
    scene: Planted, map_tiles: Run, whole: Ids, tmp_path: Path, rows: Spans, cols: Spans
) -> None:
    """Also where tiles overlap, and where one is narrower than a window."""
    tiles = cut(scene.path, tmp_path / "tiles", rows, cols)
    result = map_tiles(tiles)
    assert result.count("mapped") == 6
    assert (ids_in(result.outputs["index"]) != whole).mean() < 0.001
    for tile, path in result.maps.items():
        row, col = map(int, Path(tile).stem.split("_"))
        ids = ids_in(path)
        there = whole[row : row + ids.shape[0], col : col + ids.shape[1]]
        assert (ids != there).mean() < 0.001
        with rasterio.open(tile) as source, rasterio.open(path) as mapped:
            assert (mapped.shape, mapped.transform, mapped.crs) == (
                source.shape,
                source.transform,
                source.crs,
            )


def test_without_halo_each_tile_is_mapped_by_itself(
    tiles: list[Path], model: Path, map_tiles: Run, whole: Ids, tmp_path: Path
) -> None:
    result = map_tiles(tiles, halo=False)
    alone = predict(tiles[0], model, out=tmp_path / "alone.tif")
    assert (ids_in(result.maps[str(tiles[0])]) == ids_in(alone.paths.classes)).all()
    assert (ids_in(result.outputs["index"]) != whole).mean() > 0.01


def test_a_tile_without_data_of_its_own_borrows_no_class(
    scene: Planted, map_tiles: Run, tmp_path: Path
) -> None:
    """An overlapping neighbour lends its pixels to windows, not to the map."""
    tiles = cut(scene.path, tmp_path / "tiles", ((0, 37),), ((0, 30), (10, 43)))
    with rasterio.open(tiles[0], "r+") as file:
        values = file.read()
        values[:, :, 20:] = -999
        file.write(values)
    ids = ids_in(map_tiles(tiles).maps[str(tiles[0])])
    assert not ids[:, 20:].any()
    assert ids[8:, :20].all()


def test_areas_count_what_several_maps_show_once(
    scene: Planted, map_tiles: Run, whole: Ids, tmp_path: Path
) -> None:
    result = map_tiles(cut(scene.path, tmp_path / "tiles", *OVERLAPPING))
    for area in result.areas:
        assert area.pixels == (whole == area.id).sum()
        assert area.hectares == pytest.approx(area.pixels * 30 * 20 / 1e4)


def test_gaps_zones_and_sizes_do_not_matter(
    make_scene: MakeScene, map_tiles: Run, tmp_path: Path
) -> None:
    near = make_scene("near.tif", bands=9)
    far = Affine(30.0, 0.0, 393462.5, 0.0, -20.0, 5818302.25)
    coarse = Affine(60.0, 0.0, 387462.5, 0.0, -60.0, 5818302.25)
    added: dict[str, dict[str, Any]] = {
        "far.tif": {"transform": far},
        "coarse.tif": {"transform": coarse, "height": 5, "width": 11},
        "zone.tif": {"crs": "EPSG:32632"},
        "degrees.tif": {"crs": "EPSG:4326", "transform": Affine(0.01, 0, 13, 0, -0.01, 52)},
    }
    for name, options in added.items():
        make_scene(name, bands=9, **options)
    others = [near.path.with_name(name) for name in ("far.tif", "coarse.tif", "zone.tif")]
    result = map_tiles([near.path, *others, near.path.with_name("degrees.tif")])
    assert result.count("mapped") == 5
    assert {"index_epsg_32633", "index_epsg_32632", "index_epsg_4326"} <= set(result.outputs)
    with rasterio.open(result.outputs["index_epsg_32633"]) as file:
        assert file.res == (30.0, 20.0)
        assert file.bounds == (383472.5, 5817562.25, 393462.5 + 53 * 30, 5818302.25)
        east = file.read(1)[:37, -53:]
        fine = file.read(1)[:15, 133:155]  # 5 x 11 pixels of 60 m
    assert (east == ids_in(result.maps[str(others[0])])).all()
    expected = ids_in(result.maps[str(others[1])]).repeat(3, axis=0).repeat(2, axis=1)
    assert (fine == expected).all()


def test_nothing_is_mapped_twice(tiles: list[Path], map_tiles: Run, tmp_path: Path) -> None:
    assert map_tiles(tiles[:5]).count("mapped") == 5
    before = snapshot(tmp_path / "maps")
    again = map_tiles(tiles[:5])
    assert again.count("unchanged") == 5
    after = snapshot(tmp_path / "maps")
    assert {name for name in before if before[name] != after[name]} == {"batch.jsonl"}
    # A tile that comes in is a neighbour of those around it.
    assert states(map_tiles(tiles)) == {
        "0_0": "unchanged",
        "0_17": "mapped",
        "0_33": "mapped",
        "20_0": "unchanged",
        "20_17": "mapped",
        "20_33": "mapped",
    }
    assert map_tiles(tiles, halo=False).count("mapped") == 6
    assert map_tiles(tiles, halo=False, confidence=True).count("mapped") == 6
    assert map_tiles(tiles, halo=False, confidence=True, overwrite=True).count("mapped") == 6


def test_changed_tile_and_its_neighbours_are_mapped_again(
    tiles: list[Path], map_tiles: Run
) -> None:
    map_tiles(tiles)
    os.utime(tiles[0], (1, 1))
    found = states(map_tiles(tiles))
    assert [name for name, state in found.items() if state == "mapped"] == [
        "0_0",
        "0_17",
        "20_0",
        "20_17",
    ]


@pytest.mark.parametrize("lost", ["0_0.tif", "0_0.tif.aux.xml", "0_0.json"])
def test_lost_file_is_made_again(
    tiles: list[Path], map_tiles: Run, tmp_path: Path, lost: str
) -> None:
    map_tiles(tiles)
    before = snapshot(tmp_path / "maps")
    (tmp_path / "maps" / lost).unlink()
    if lost.endswith(".json"):  # then nobody knows who made the map
        assert states(map_tiles(tiles))["0_0"] == "failed"
        map_tiles(tiles, overwrite=True)
    else:
        assert map_tiles(tiles).count("mapped") == 1
    after = snapshot(tmp_path / "maps")
    assert {name for name in before if before[name] != after[name]} <= {"batch.jsonl"}


def damage(path: Path) -> None:
    """Compress a GeoTIFF and put nonsense where its pixels begin."""
    with rasterio.open(path) as file:
        values, tags = file.read(), [file.tags(band) for band in file.indexes]
        profile = {**file.profile, "compress": "deflate"}
    with rasterio.open(path, "w", **profile) as file:
        file.write(values)
        for band, tag in enumerate(tags, start=1):
            file.update_tags(band, **tag)
    with rasterio.open(path) as file:
        offset = int(file.get_tag_item("BLOCK_OFFSET_0_0", "TIFF", bidx=1))
    content = bytearray(path.read_bytes())
    content[offset : offset + 20] = b"\0" * 20
    path.write_bytes(content)


def test_bad_tile_stops_no_other(
    tiles: list[Path], model: Path, scheduler: str, tmp_path: Path
) -> None:
    """Neither one that is no raster nor one with damaged pixels, which neighbours look at."""
    tiles[0].write_text("no raster")
    damage(tiles[4])
    given = [*tiles, tmp_path / "nowhere.tif"]
    shown = run(
        "batch", *given, "--model", model, "-o", tmp_path / "maps", "--scheduler", scheduler
    )
    assert shown.exit_code == 1
    assert "3 of 7 tiles were not mapped" in shown.stderr
    assert "tile '0_0.tif' was not mapped: scene" in shown.stderr
    assert "Traceback" not in shown.output
    lines = [
        json.loads(line) for line in (tmp_path / "maps" / "batch.jsonl").read_text().splitlines()
    ]
    assert [line["state"] for line in lines] == [
        "failed",
        "mapped",
        "mapped",
        "mapped",
        "failed",
        "mapped",
        "failed",
    ]
    assert "not a raster" in lines[0]["error"]
    assert "cannot be read" in lines[4]["error"]
    assert "does not exist" in lines[6]["error"]
    assert all(Path(line["map"]).exists() == (line["state"] == "mapped") for line in lines)
    assert "mapped" in shown.stdout
    assert "area (ha)" in shown.stdout


def test_index_carries_colours_and_names(tiles: list[Path], map_tiles: Run) -> None:
    result = map_tiles(tiles)
    with rasterio.open(result.outputs["index"]) as file:
        assert file.colormap(1)[2] == (10, 27, 44, 255)
        assert file.nodata == 0
        assert file.dtypes == ("uint8",)
    text = result.outputs["index"].read_text()
    assert "<Category>class 2</Category>" in text
    assert "GDALRasterAttributeTable" in text


def test_items_are_valid_stac(tiles: list[Path], map_tiles: Run, tmp_path: Path) -> None:
    result = map_tiles(tiles)
    items = pystac.ItemCollection.from_file(str(result.outputs["items"]))
    assert len(items) == 6
    for item in items:
        plain = item.to_dict(include_self_link=False, transform_hrefs=False)
        validate_dict({**plain, "stac_extensions": []})  # the others' schemas are on the web
        assert item.geometry is not None
        assert item.bbox is not None
        assert 13 < item.bbox[0] < item.bbox[2] < 14
        asset = item.assets["map"]
        assert (tmp_path / "maps" / asset.href).exists()
        bands = RasterExtension.ext(asset).bands
        assert bands is not None
        (band,) = bands
        assert (band.nodata, band.data_type, band.spatial_resolution) == (0, "uint8", 30)
        named = ClassificationExtension.ext(asset).classes
        assert [(c.value, c.name, c.title, c.color_hint) for c in named or ()] == [
            (i, f"class-{i}", f"class {i}", "0A1B2C") for i in (1, 2, 3)
        ]


@pytest.mark.parametrize("crs", ["IAU_2015:49910", 'LOCAL_CS["Arbitrary",UNIT["metre",1]]'])
def test_maps_that_are_nowhere_on_earth_have_items_without_a_footprint(
    tmp_path: Path, crs: str
) -> None:
    grid = Grid(5, 7, Affine(30.0, 0.0, 100.0, 0.0, -20.0, 900.0), CRS.from_user_input(crs))
    path = tmp_path / "map.tif"
    tile = ListedTile(str(path), "some day in May")
    collection = item_collection([(PlacedMap(path, grid), tile)], (), tmp_path)
    (item,) = collection.items
    assert item.geometry is None
    assert item.datetime is not None


def test_items_keep_to_the_schemas_of_their_extensions(tiles: list[Path], map_tiles: Run) -> None:
    items = pystac.ItemCollection.from_file(str(map_tiles(tiles[:1]).outputs["items"]))
    try:
        assert len(items[0].validate()) == 3
    except GetSchemaError:
        pytest.skip("needs the web, where the schemas of STAC extensions lie")


def test_names_that_collide_take_their_folders(
    scene: Planted, map_tiles: Run, tmp_path: Path
) -> None:
    for folder in ("east", "west"):
        cut(scene.path, tmp_path / folder, ((0, 9),), ((0, 9),))
    only = cut(scene.path, tmp_path / "more", ((0, 9),), ((9, 9),))[0].rename(
        tmp_path / "more" / "index.tif"
    )
    tiles = [tmp_path / "east" / "0_0.tif", tmp_path / "west" / "0_0.tif", only]
    assert [path.name for path in map_tiles(tiles).maps.values()] == [
        "east_0_0.tif",
        "west_0_0.tif",
        "more_index.tif",
    ]


def test_tiles_are_never_replaced(tiles: list[Path], model: Path, scheduler: str) -> None:
    before = snapshot(tiles[0].parent)
    with pytest.raises(OptionError, match="would replace what it is made from"):
        batch(tiles, model, tiles[0].parent, scheduler=scheduler, overwrite=True)
    assert snapshot(tiles[0].parent) == before


def test_map_of_another_making_is_left_alone(
    tiles: list[Path], model: Path, map_tiles: Run, tmp_path: Path
) -> None:
    (tmp_path / "maps").mkdir()
    predict(tiles[0], model, out=tmp_path / "maps" / "0_0.tif")
    before = snapshot(tmp_path / "maps")
    result = map_tiles(tiles[:2])
    assert list(states(result).values()) == ["failed", "mapped"]
    assert before.items() <= snapshot(tmp_path / "maps").items()
    assert map_tiles(tiles[:2], overwrite=True).count("mapped") == 2


def test_only_what_a_batch_made_goes_with_its_map(
    tiles: list[Path], map_tiles: Run, tmp_path: Path
) -> None:
    maps = tmp_path / "maps"
    maps.mkdir()
    mine = [maps / "0_0_confidence.tif", maps / "0_0_report.html"]
    for path in mine:
        path.write_text("mine")
    for probabilities in (False, True, False):
        assert map_tiles(tiles[:1], probabilities=probabilities).count("mapped") == 1
        assert (maps / "0_0_probabilities.tif").exists() == probabilities
        assert [path.read_text() for path in mine] == ["mine", "mine"]
    map_tiles(tiles[:1], overwrite=True)
    assert not any(path.exists() for path in mine)


def test_an_unreadable_folder_is_told_and_stops_no_tile(
    tiles: list[Path], map_tiles: Run, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root may read anywhere, so the refusal is made here."""
    folder = tiles[0].parent
    (folder / "lost+found").mkdir()
    real = Path.iterdir

    def iterdir(self: Path) -> Iterator[Path]:
        if self.name == "lost+found":
            raise PermissionError(13, "Permission denied", str(self))
        return real(self)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    assert map_tiles(folder, reporter=recorder).count("mapped") == 6
    assert [text for text in recorder.warnings if "lost+found' is left out" in text]


def test_progress_counts_pixels(tiles: list[Path], map_tiles: Run, recorder: Recorder) -> None:
    map_tiles(tiles, reporter=recorder)
    mapped = [(done, total) for stage, done, total in recorder.stages if stage == "map"]
    assert mapped[-1] == (37 * 53, 37 * 53)
    assert mapped == sorted(mapped)
    assert {stage for stage, *_ in recorder.stages} == {"look at tiles", "map", "sum areas"}


def test_missing_package_is_told_with_its_cure(
    tiles: list[Path], map_tiles: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hsi_geo.tasks.batch.PACKAGES", ("no_such_package",))
    with pytest.raises(MissingPackageError, match=r"pip install 'hsi-geo\[batch\]'"):
        map_tiles(tiles)


def test_unreachable_scheduler_is_one_sentence(
    tiles: list[Path], model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hsi_geo.tasks.cluster.PATIENCE_S", 0.5)
    shown = run(
        "batch", *tiles, "--model", model, "-o", tmp_path, "--scheduler", "tcp://127.0.0.1:9"
    )
    assert shown.exit_code == 1
    assert "Error: no Dask scheduler answers at 'tcp://127.0.0.1:9'" in shown.stderr
    assert "Traceback" not in shown.output
