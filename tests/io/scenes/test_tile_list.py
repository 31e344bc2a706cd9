"""Lists of tiles, and names of their maps."""

from __future__ import annotations

import json
import os
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from builders import CENTRES, cube_of, nm_tags, write_envi, write_tif
from hypothesis import given
from hypothesis import strategies as st

from hsi_geo.errors import OptionError, SceneError, SceneNotFoundError
from hsi_geo.io.maps.writer import MapPaths
from hsi_geo.io.readers import Links
from hsi_geo.io.readers.opening import HDF5_SUFFIXES
from hsi_geo.io.readers.stac_collections import Dates
from hsi_geo.io.scenes.tile_list import ListedTile, list_tiles
from hsi_geo.tasks.tiles.map_names import map_names


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three tiles in two folders, and files that are no tiles."""
    (tmp_path / "in" / "deep").mkdir(parents=True)
    for name in ("b.tif", "a.tif", "deep/c.tif"):
        write_tif(tmp_path / "in" / name, cube_of(4), band_tags=nm_tags(CENTRES))
    (tmp_path / "in" / "notes.md").write_text("no tile")
    (tmp_path / "in" / ".hidden.tif").write_text("no tile")
    return tmp_path / "in"


def names(*given: Any, warn: Callable[[str], object] = pytest.fail) -> list[str]:
    return [Path(tile.path).name for tile in list_tiles(given, warn)]


def test_list_tiles_expands_globs_and_folders(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert names(folder / "*.tif") == ["a.tif", "b.tif"]
    assert names(f"{folder}/**/*.tif") == ["a.tif", "b.tif", "c.tif"]
    assert names(folder) == ["a.tif", "b.tif", "c.tif"]
    assert names(folder / "b.tif", folder) == ["b.tif", "a.tif", "c.tif"]
    monkeypatch.chdir(folder)
    assert list_tiles(["b.tif"], pytest.fail) == [ListedTile(str(folder / "b.tif"))]


def test_list_tiles_lists_an_envi_cube_once(tmp_path: Path) -> None:
    write_envi(tmp_path / "cube.bsq", cube_of(4))
    assert names(tmp_path) == ["cube.hdr"]


@pytest.mark.parametrize("ending", [*HDF5_SUFFIXES, ".img", ".jp2", ".TIF", ".Nc4"])
def test_list_tiles_finds_scenes_of_each_ending_in_a_folder(folder: Path, ending: str) -> None:
    (folder / f"z{ending}").write_text("opened later")
    assert names(folder) == ["a.tif", "b.tif", "c.tif", f"z{ending}"]


@pytest.mark.parametrize("ending", [".img", ".bip"])
def test_list_tiles_lists_a_cube_with_an_ending_of_a_scene_once(
    tmp_path: Path, ending: str
) -> None:
    write_envi(tmp_path / f"cube{ending}", cube_of(4))
    assert names(tmp_path) == ["cube.hdr"]


@pytest.mark.parametrize("header", ["a.hdr", "a.tif.hdr"])
def test_list_tiles_leaves_out_headers_beside_geotiffs(folder: Path, header: str) -> None:
    (folder / header).write_text("ENVI\nwavelength = {462, 551.5, 640.25, 1649}\n")
    assert names(folder) == ["a.tif", "b.tif", "c.tif"]


@pytest.mark.parametrize(("number", "why"), [(13, "Permission denied"), (5, "Input/output error")])
def test_list_tiles_warns_of_a_folder_that_cannot_be_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch, number: int, why: str
) -> None:
    def iterdir(self: Path) -> Iterator[Path]:
        if self.name == "deep":
            raise OSError(number, why, str(self))
        return real(self)

    real = Path.iterdir
    monkeypatch.setattr(Path, "iterdir", iterdir)
    messages: list[str] = []
    assert names(folder, warn=messages.append) == ["a.tif", "b.tif"]
    assert messages == [f"folder '{folder / 'deep'}' is left out: it cannot be read ({why})"]
    with pytest.raises(SceneNotFoundError, match="no tiles in"):
        names(folder / "deep", warn=messages.append)


def test_list_tiles_resolves_paths_of_a_text_file_from_its_folder(folder: Path) -> None:
    listed = folder / "list.txt"
    listed.write_text(f"# tiles\n\nb.tif\n  {folder / 'a.tif'}\n/vsicurl/https://x.org/c.tif\n")
    assert [tile.path for tile in list_tiles([listed], pytest.fail)] == [
        str(folder / "b.tif"),
        str(folder / "a.tif"),
        "/vsicurl/https://x.org/c.tif",
    ]


def vrt(*sources: tuple[str, ...]) -> str:
    """A VRT, by the sources of each of its bands."""
    bands = "".join(
        "<VRTRasterBand>"
        + "".join(
            f'<SimpleSource><SourceFilename relativeToVRT="1">{name}</SourceFilename></SimpleSource>'
            for name in band
        )
        + "</VRTRasterBand>"
        for band in sources
    )
    return f"<VRTDataset>{bands}</VRTDataset>"


def test_list_tiles_expands_a_mosaic_but_not_a_stack_of_bands(folder: Path) -> None:
    mosaic, stack = folder / "mosaic.vrt", folder / "stack.vrt"
    mosaic.write_text(vrt(("b.tif", "a.tif"), ("b.tif", "a.tif")))
    stack.write_text(vrt(("b.tif",), ("a.tif",)))
    assert names(mosaic) == ["b.tif", "a.tif"]
    assert names(stack) == ["stack.vrt"]


def item(href: str, **asset: Any) -> dict[str, Any]:
    return {
        "type": "Feature",
        "id": href,
        "properties": {"datetime": "2021-05-06T07:08:09Z"},
        "assets": {"image": {"href": href, **asset}, "thumbnail": {"href": "small.png"}},
    }


def test_list_tiles_reads_dates_of_stac_items(folder: Path) -> None:
    collection = folder / "items.json"
    features = [item("./b.tif"), item("https://x.org/c", roles=["data"]), item("s3://bucket/d.tif")]
    collection.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    assert list_tiles([collection], pytest.fail, Links(follow=True)) == [
        ListedTile(path, Dates("2021-05-06T07:08:09Z"))
        for path in (str(folder / "b.tif"), "/vsicurl/https://x.org/c", "/vsis3/bucket/d.tif")
    ]
    with pytest.raises(SceneError, match=r"'https://x.org/c', which is on another host"):
        list_tiles([collection], pytest.fail)


def test_an_asset_of_each_stac_item_is_listed(folder: Path) -> None:
    one = item("./b.tif", roles=["data"])
    one["assets"]["second"] = {"href": "a.tif", "roles": ["data"]}
    (folder / "item.json").write_text(json.dumps(one))
    for key, expected in (("image", "b.tif"), ("second", "a.tif")):
        tiles = list_tiles([folder / "item.json"], pytest.fail, Links(asset=key))
        assert [Path(tile.path).name for tile in tiles] == [expected]
    with pytest.raises(OptionError, match="2 assets that may be the scene"):
        list_tiles([folder / "item.json"], pytest.fail)


def test_an_item_is_the_tile_where_only_it_tells_of_the_bands(folder: Path) -> None:
    """A raster in another folder than its item, and items of a collection, are opened through the item."""
    (folder / "data").mkdir()
    (folder / "a.tif").rename(folder / "data" / "plain.tif")
    bands = [{"center_wavelength": 0.45}, {"center_wavelength": 0.55}]
    made = [item("data/plain.tif", **{"eo:bands": bands}) | {"id": f"S {n}.1"} for n in range(2)]
    (folder / "item.json").write_text(json.dumps(made[0]))
    whole = {"type": "FeatureCollection", "features": made}
    (folder / "many.json").write_text(json.dumps(whole))
    (folder / "collection.json").write_text(
        json.dumps({"type": "Collection", "links": [{"rel": "item", "href": "./item.json"}]})
    )
    expected = {
        "item.json": ["item.json"],
        "collection.json": ["item.json"],
        "many.json": ["many.json#S 0.1", "many.json#S 1.1"],
    }
    for name, tiles in expected.items():
        assert names(folder / name) == tiles
    paths = [tile.path for tile in list_tiles([folder / "many.json"], pytest.fail)]
    assert map_names(paths, ()) == ["S_0.1", "S_1.1"]


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("list.json", "{}", "is no STAC item"),
        ("list.json", json.dumps(item("a.png")), "no asset that is an image"),
        ("list.vrt", "<VRTDataset>", "no VRT"),
        ("list.txt", b"\xff\xfe\x00", "cannot be read"),
    ],
)
def test_list_tiles_refuses_invalid_lists(
    tmp_path: Path, name: str, text: str | bytes, problem: str
) -> None:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(SceneError, match=problem):
        list_tiles([path], pytest.fail)


@pytest.mark.parametrize("given", ["nothing/*.tif", "empty", "list.txt"])
def test_list_tiles_refuses_paths_without_tiles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "list.txt").write_text("# none\n")
    with pytest.raises(SceneNotFoundError, match="no tiles in"):
        list_tiles([given], pytest.fail)


def rooted(*parts: str) -> list[str]:
    return [f"{os.sep}{part}" for part in parts]


def test_map_names_add_folders_until_they_differ() -> None:
    paths = rooted("a/x/t.tif", "b/x/t.tif", "b/y/u.tif", "b/index.tif", "v.h5")
    assert map_names(paths, {"index"}) == ["a_x_t", "b_x_t", "u", "b_index", "v"]


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["t/a.tif", "t/a_confidence.tif"], ["a", "t_a_confidence"]),
        (["t/a_probabilities.tif", "t/a.tif"], ["t_a_probabilities", "a"]),
        (["t/a.tif", "t/A_Confidence.tif"], ["a", "t_A_Confidence"]),
        (["t/a.tif", "u/t_a_confidence.h5", "t/t_a.tif"], ["a", "u_t_a_confidence", "t_a"]),
        (["t/a.tif", "t/a.tiff", "t/a.tar.gz"], ["a_tif", "a_tiff", "a.tar"]),
        (["t/a.tif", "t/a.tiff", "u/a_tif.tif"], ["t_a_tif", "a_tiff", "u_a_tif"]),
        (["t/a.tif", "u/A.tif"], ["t_a", "u_A"]),
        (["t/é.tif", "u/e\u0301.tif"], ["t_é", "u_e\u0301"]),
        (["t/Index.tif", "t/b.tif"], ["t_Index", "b"]),
        (["t/a.tif", "t/a_report.tif"], ["a", "a_report"]),
    ],
)
def test_map_names_never_share_a_file(paths: list[str], names: list[str]) -> None:
    assert map_names(rooted(*paths), {"index"}) == names


def test_map_names_that_differ_by_case_get_a_hash() -> None:
    names = map_names(rooted("t/a.tif", "t/A.tif"), ())
    assert [name[:2] for name in names] == ["a_", "A_"]
    assert names[0].lower() != names[1].lower()


PART = st.sampled_from(["a", "A", "a_confidence", "a_probabilities", "b", "index", "é", "e\u0301"])


@given(
    st.lists(
        st.tuples(st.lists(PART, max_size=2), PART, st.sampled_from([".tif", ".tiff", ""])),
        max_size=8,
    )
)
def test_map_names_never_share_a_file_on_any_file_system(
    tiles: list[tuple[list[str], str, str]],
) -> None:
    """The files of all options are compared."""
    paths = list(dict.fromkeys(rooted(*("/".join([*f, n + s]) for f, n, s in tiles))))
    names = map_names(paths, {"index"})
    files = [
        unicodedata.normalize("NFC", path.name).casefold()
        for name in names
        for path in MapPaths.of(Path(f"{name}.tif"), confidence=True, probabilities=True).all
    ]
    assert len(set(files)) == len(files)
    assert "index.tif" not in files
    assert names == map_names(paths, {"index"})


@given(st.permutations(rooted("t/a.tif", "t/a_confidence.tif", "u/a.tif", "t/A.tif", "t/a.h5")))
def test_map_names_do_not_depend_on_the_order_of_tiles(paths: list[str]) -> None:
    named = dict(zip(paths, map_names(paths, ()), strict=True))
    usual = sorted(paths)
    assert named == dict(zip(usual, map_names(usual, ()), strict=True))
