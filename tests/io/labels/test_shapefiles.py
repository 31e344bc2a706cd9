"""Shapefiles in archives or in parts, and other vector files in archives."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from builders import snapshot
from shots_cases import archive_of
from spot_cases import NO_VECTOR_FILE, SPOTS, points, spots, table

from hsi_geo.errors import ClassFieldError, ShotsError
from hsi_geo.io.labels import archives
from hsi_geo.io.labels.shot_reading import read_shots

PARTS = (".shp", ".shx", ".dbf", ".prj", ".cpg")


@pytest.fixture
def shapes(tmp_path: Path) -> Path:
    """A folder of two Shapefiles, ``a`` and ``b``, of other classes."""
    folder = tmp_path / "shapes"
    folder.mkdir()
    points().to_file(folder / "a.shp")
    points(labels="xyx").to_file(folder / "b.shp")
    return folder


def packed(
    path: Path,
    shapes: Path,
    *inside: str,
    parts: tuple[str, ...] = PARTS,
    texts: Mapping[str, str] = MappingProxyType({}),
) -> Path:
    """An archive of Shapefiles; ``a`` or ``b`` after the folder of each.

    ``texts`` gives the content of other files by their names.
    """
    files = {
        f"{place}{suffix}": (shapes / f"{Path(place).name}{suffix}").read_bytes()
        for place in inside
        for suffix in parts
    }
    return archive_of(path, files | {name: text.encode() for name, text in texts.items()})


ARCHIVES = ("x.zip", "x.tar", "x.tar.gz", "x.tgz")


@pytest.mark.parametrize(
    "name", [*ARCHIVES, "x.ZIP", "x.TAR.GZ", "with } and !.zip", "with } and !.tar", "x.shp.zip"]
)
@pytest.mark.parametrize("place", ["a", "data/a", "data/deep/a", "mit Blank/a", "./a"])
def test_read_shots_finds_shapefile_anywhere_in_archive(
    tmp_path: Path, shapes: Path, name: str, place: str
) -> None:
    assert spots(packed(tmp_path / name, shapes, place)) == list(SPOTS)


@pytest.mark.parametrize("name", ARCHIVES)
def test_read_shots_reads_large_layers_inside_their_archive(
    tmp_path: Path, shapes: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "_UNPACKED_BYTES", 10)
    assert spots(packed(tmp_path / name, shapes, "data/a")) == list(SPOTS)


@pytest.mark.parametrize("name", ARCHIVES)
def test_read_shots_ignores_other_files_in_archive(tmp_path: Path, shapes: Path, name: str) -> None:
    others = {"readme.txt": "nothing", "__MACOSX/data/._a.shp": "x", "data/a.shp.xml": "<m/>"}
    assert spots(packed(tmp_path / name, shapes, "data/a", texts=others)) == list(SPOTS)
    for ending, driver in (("gpkg", "GPKG"), ("geojson", "GeoJSON"), ("csv", None)):
        made = tmp_path / f"g.{ending}"
        if driver is None:
            table(made, "x", "y", points())
        else:
            points().to_file(made, driver=driver)
        path = archive_of(
            tmp_path / f"{ending}-{name}",
            {f"q/g.{ending}": made.read_bytes(), "readme.txt": b"nothing"},
        )
        assert spots(path, class_field="class") == list(SPOTS)


@pytest.mark.parametrize("name", ARCHIVES)
@pytest.mark.parametrize("inside", [("a", "b"), ("q/a", "q/b"), ("a/a", "b/b"), ("a", "q/b")])
def test_read_shots_needs_layer_for_several_shapefiles_in_archive(
    tmp_path: Path, shapes: Path, inside: tuple[str, str], name: str
) -> None:
    path = packed(tmp_path / name, shapes, *inside)
    message = "several files of features: 'a.shp', 'b.shp'; choose one with layer="
    with pytest.raises(ShotsError, match=message):
        read_shots(path)
    assert [c.name for c in read_shots(path, layer="b").classes] == ["x", "y"]
    with pytest.raises(ShotsError, match=message):
        read_shots(path, layer="c")


@pytest.mark.parametrize("spelt", [str.lower, str.upper])
def test_read_shots_names_missing_parts_of_shapefile(
    tmp_path: Path, shapes: Path, spelt: Any
) -> None:
    """And nothing is made beside a file that people gave."""
    folder = tmp_path / "alone"
    folder.mkdir()
    for suffix in (".shp", ".dbf", ".prj"):
        shutil.copy(shapes / f"a{suffix}", folder / spelt(f"a{suffix}"))
    before = snapshot(tmp_path)
    with pytest.raises(ShotsError, match=r"lacks '(?i:a\.shx)', the index .* SHAPE_RESTORE_SHX"):
        read_shots(folder / spelt("a.shp"))
    assert snapshot(tmp_path) == before
    shutil.copy(shapes / "a.shx", folder / spelt("a.shx"))
    assert spots(folder / spelt("a.shp")) == list(SPOTS)
    (folder / spelt("a.dbf")).unlink()
    with pytest.raises(ClassFieldError, match=r"have no fields; copy the \.dbf file"):
        read_shots(folder / spelt("a.shp"))


@pytest.mark.parametrize("name", ARCHIVES)
def test_read_shots_names_missing_index_in_archive(tmp_path: Path, shapes: Path, name: str) -> None:
    path = packed(tmp_path / name, shapes, "q/a", parts=(".shp", ".dbf"))
    with pytest.raises(ShotsError, match=rf"{re.escape(name)}' lacks 'a\.shx'"):
        read_shots(path)


@pytest.mark.parametrize("name", ARCHIVES)
def test_read_shots_refuses_archives_without_features(
    tmp_path: Path, shapes: Path, name: str
) -> None:
    """The same sentence whether an archive holds nothing of use, is damaged or is no archive."""
    whole = packed(tmp_path / name, shapes, "a").read_bytes()
    broken = bytes(reversed(whole[: len(whole) // 2]))
    cut = whole[: min(600, len(whole) // 2)]
    for content in (None, broken, cut, b"nothing", b""):
        path = tmp_path / f"other-{name}"
        if content is None:
            archive_of(path, {"readme.txt": b"nothing"})
        else:
            path.write_bytes(content)
        with pytest.raises(ShotsError, match=NO_VECTOR_FILE):
            read_shots(path)


def test_read_shots_refuses_archives_of_too_many_files(
    tmp_path: Path, shapes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "ARCHIVE_FILES", 3)
    for name in ARCHIVES:
        path = packed(tmp_path / name, shapes, "a")
        with pytest.raises(ShotsError, match="is an archive of more than 3 files; unpack it"):
            read_shots(path)


@pytest.mark.parametrize("name", ARCHIVES)
def test_read_shots_unpacks_beside_nothing(tmp_path: Path, name: str) -> None:
    """Names in an archive that lead out of it write no file there, and nothing is left behind."""
    points().to_file(tmp_path / "g.gpkg")
    path = archive_of(tmp_path / name, {"../../g.gpkg": (tmp_path / "g.gpkg").read_bytes()})
    before = snapshot(tmp_path)
    assert spots(path) == list(SPOTS)
    assert snapshot(tmp_path) == before
