"""Files beside the maps of a batch: those of the user stay, those of an earlier batch do not outlive its maps."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import pytest
import rasterio
import shapely
from batch_cases import Run
from builders import snapshot
from rasterio.enums import Resampling

from hsi_geo import MapOptions, batch
from hsi_geo.errors import OutputExistsError
from hsi_geo.tasks.tiles.overview_files import is_own, refuse_foreign

pytest.importorskip("pystac", reason="needs the extra batch")

Planted = Any  # defined in conftest, which tests cannot import
MakeScene = Callable[..., Planted]

LINE = {"tile": "/t/a.tif", "map": "/m/a.tif", "state": "mapped"}
ITEM = {"type": "Feature", "id": "a", "assets": {"map": {"href": "./a.tif", "title": "Land cover"}}}


def items(*features: Any, **more: Any) -> str:
    return json.dumps({"type": "FeatureCollection", "features": list(features), **more})


def mosaic(source: str, names: str = "<CategoryNames/><GDALRasterAttributeTable/>") -> str:
    return (
        f"<VRTDataset><VRTRasterBand>{names}<ComplexSource><SourceFilename "
        f'relativeToVRT="1">{source}</SourceFilename></ComplexSource></VRTRasterBand></VRTDataset>'
    )


HEADER = (
    "zone,value,name,pixels,mapped_ha,mapped_percent,hectares,hectares_se,percent,percent_se,basis,"
    "places,own_percent\n"
)

#: Also in the forms of earlier versions.
OWN = [
    ("batch.jsonl", json.dumps({**LINE, "seconds": 1.5, "error": None}) + "\n"),
    ("batch.jsonl", f"{json.dumps({**LINE, 'files': {}, 'code': None})}\n" * 2),
    ("batch.jsonl", ""),
    ("items.json", items(ITEM, ITEM)),
    ("items.json", items()),
    ("items.json", items(ITEM, **{"hsi_geo:layers": ["polygons.gpkg"]})),
    ("index.vrt", mosaic("a.tif")),
    ("index_epsg_32633.vrt", mosaic("a.tif")),
    ("index_confidence.vrt", mosaic("a_confidence.tif", "")),
    ("index_epsg_32633_confidence.vrt", mosaic("a_confidence.tif", "")),
    ("zones.csv", HEADER),
]

FOREIGN = [
    ("batch.jsonl", '{"mine": 1}\n'),
    ("batch.jsonl", f"{json.dumps(LINE)}\nmy notes\n"),
    ("batch.jsonl", "[1]\n"),
    ("items.json", items({"mine": "search of last year"})),
    ("items.json", items({**ITEM, "assets": {"image": {"href": "./a.tif"}}})),
    ("items.json", items(ITEM, {**ITEM, "id": "b"})),
    ("items.json", items(name="mine")),
    ("items.json", '{"type": "FeatureCollection"}'),
    ("items.json", "[" * 100_000),
    ("index.vrt", "<VRTDataset/>"),
    ("index.vrt", mosaic("../a.tif")),
    ("index.vrt", mosaic("a.tif", "")),
    ("index_confidence.vrt", mosaic("a_confidence.tif")),
    ("index_confidence.vrt", mosaic("a.tif", "")),
    ("index_confidence.vrt", mosaic("../a_confidence.tif", "")),
    ("polygons.gpkg", "mine"),
    ("zones.csv", "mine\n"),
]


@pytest.mark.parametrize(("name", "text"), OWN)
def test_files_of_this_and_earlier_versions_are_own(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    assert is_own(tmp_path / name)
    refuse_foreign(tmp_path / name)


@pytest.mark.parametrize("rejected", [{}, {"rejected": [0.0]}])
def test_polygons_of_earlier_versions_are_own(tmp_path: Path, rejected: dict[str, Any]) -> None:
    path = tmp_path / "polygons.gpkg"
    numbers = {"class": [1], "name": ["a"], "hectares": [2.0], "confidence": [90.0], "pixels": [3]}
    box = shapely.box(0, 0, 3, 2)
    gpd.GeoDataFrame({**numbers, **rejected}, geometry=[box], crs=32633).to_file(path)
    assert is_own(path)


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize(("name", "text"), FOREIGN)
def test_files_of_the_user_are_refused_before_the_first_tile(
    tiles: list[Path], model: Path, tmp_path: Path, name: str, text: str, overwrite: bool
) -> None:
    """Without a scheduler: nothing is started."""
    maps = tmp_path / "maps"
    maps.mkdir()
    (maps / name).write_text(text)
    options = MapOptions(polygons=True, zones=_zones(tmp_path))
    with pytest.raises(OutputExistsError, match=f"{name}' is there, and no batch made it"):
        batch(
            tiles, model, maps, overwrite=overwrite, options=options, scheduler="tcp://127.0.0.1:9"
        )
    assert {path.name: path.read_text() for path in maps.iterdir()} == {name: text}


def _zones(folder: Path) -> Path:
    path = folder / "z.gpkg"
    boxes = [shapely.box(383000, 5817000, 385000, 5819000)]
    gpd.GeoDataFrame({"zone": ["a"]}, geometry=boxes, crs=32633).to_file(path)
    return path


@pytest.fixture
def two_crs(make_scene: MakeScene) -> list[Path]:
    return [
        make_scene("33.tif", bands=9, height=9, width=11).path,
        make_scene("32.tif", bands=9, height=9, width=13, crs="EPSG:32632").path,
    ]


@pytest.mark.parametrize("name", ["index_epsg_32632.vrt", "polygons_epsg_32633.gpkg"])
def test_files_of_the_user_named_by_a_crs_are_refused_before_the_first_tile(
    scene: Planted, two_crs: list[Path], map_tiles: Run, tmp_path: Path, name: str
) -> None:
    maps = tmp_path / "maps"
    maps.mkdir()
    (maps / name).write_text("mine")
    with pytest.raises(OutputExistsError, match=f"{name}' is there, and no batch made it"):
        map_tiles(two_crs, polygons=True)
    assert sorted(path.name for path in maps.iterdir()) == ["batch.jsonl", name]
    assert map_tiles(two_crs[:1], polygons=True).count("mapped") == 1  # one CRS has no such file
    assert (maps / name).read_text() == "mine"


def test_polygons_and_zones_of_an_earlier_batch_go_with_its_maps(
    tiles: list[Path], model: Path, scheduler: str, tmp_path: Path
) -> None:
    maps, zones = tmp_path / "maps", _zones(tmp_path)

    def layers(**options: Any) -> list[str]:
        batch(tiles[:2], model, maps, scheduler=scheduler, options=MapOptions(**options))
        return sorted(path.name for path in maps.iterdir() if path.name.startswith(("p", "z")))

    assert layers(polygons=True, zones=zones) == ["polygons.gpkg", "zones.csv"]
    mine = {"polygons_mine.gpkg": "polygons.gpkg", "zones_2020.csv": "zones.csv"}
    for name, source in mine.items():
        shutil.copy(maps / source, maps / name)
    before = snapshot(maps)
    (maps / "polygons.gpkg-wal").write_text("of QGIS")
    assert layers(zones=zones) == sorted(["zones.csv", *mine])
    assert layers() == sorted(mine)
    assert all(snapshot(maps)[name] == before[name] for name in mine)


def test_polygons_of_a_crs_go_with_its_maps(
    scene: Planted, two_crs: list[Path], map_tiles: Run, tmp_path: Path
) -> None:
    def layers() -> list[str]:
        return sorted(path.name for path in (tmp_path / "maps").glob("*.gpkg"))

    map_tiles(two_crs, polygons=True)
    assert layers() == ["polygons_epsg_32632.gpkg", "polygons_epsg_32633.gpkg"]
    map_tiles(two_crs[:1], polygons=True)
    assert layers() == ["polygons.gpkg"]
    map_tiles(two_crs)
    assert layers() == []


def test_polygons_that_no_batch_lists_stay_with_a_warning(
    tiles: list[Path], map_tiles: Run, tmp_path: Path, recorder: Any
) -> None:
    """They may be of `hsi-geo polygons`, or of a batch of an earlier version."""
    maps = tmp_path / "maps"
    map_tiles(tiles[:1], polygons=True)
    text = json.loads((maps / "items.json").read_text())
    assert text.pop("hsi_geo:layers") == ["polygons.gpkg"]
    (maps / "items.json").write_text(json.dumps(text))
    before = (maps / "polygons.gpkg").read_bytes()
    map_tiles(tiles[:1], confidence=True, reporter=recorder)
    assert recorder.warnings == []  # the maps are the same
    os.utime(maps / "polygons.gpkg", (1, 1))
    map_tiles(tiles[:1], confidence=True, reporter=recorder)
    (message,) = recorder.warnings
    assert "polygons.gpkg' is older than the maps" in message
    assert (maps / "polygons.gpkg").read_bytes() == before


@pytest.mark.parametrize("changed", [False, True])
def test_pyramids_stay_as_long_as_the_maps(
    tiles: list[Path], map_tiles: Run, tmp_path: Path, changed: bool
) -> None:
    index = map_tiles(tiles[:2]).outputs["index"]
    with rasterio.open(index, "r+") as file:
        file.build_overviews([2], Resampling.nearest)
    pyramids = index.with_name("index.vrt.ovr")
    newest_ns = max(path.stat().st_mtime_ns for path in index.parent.glob("*.tif"))
    os.utime(pyramids, ns=(newest_ns + 1, newest_ns + 1))
    if changed:
        os.utime(tiles[0], (1, 1))
    assert map_tiles(tiles[:2]).count("mapped") == 2 * changed
    assert pyramids.exists() != changed


@pytest.mark.parametrize("overwrite", [False, True])
def test_interruption_says_which_command_maps_the_rest(
    tiles: list[Path], map_tiles: Run, monkeypatch: pytest.MonkeyPatch, overwrite: bool
) -> None:
    def interrupt(*given: Any) -> Any:
        raise KeyboardInterrupt

    def interrupted(step: str) -> str:
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt) as caught:
            patch.setattr(f"hsi_geo.tasks.tiles.run.{step}", interrupt)
            map_tiles(tiles[:2], overwrite=overwrite)
        return str(caught.value)

    again = "the same command maps the rest"
    rest = "the same command without --overwrite maps those that have no valid map"
    wanted = f": 2 of 2 tiles are mapped and stay, {rest if overwrite else again}"
    for step in ("area_jobs", "write_overview"):
        assert interrupted(step).endswith(wanted)
    done = 0 if overwrite else 2  # maps that were there before are not those of this run
    wanted = f": {done} of 2 tiles are mapped and stay, {again}"
    assert interrupted("along_curve").endswith(wanted)
    assert map_tiles(tiles[:2]).count("unchanged") == 2
