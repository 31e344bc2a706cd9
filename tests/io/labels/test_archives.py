"""Archives of labels: files that macOS adds, and several files of features in one."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely

from hsi_geo.errors import ShotsError
from hsi_geo.io.labels.shot_reading import read_shots

#: What macOS puts before the name of a file, and how such a file begins.
BEFORE, APPLE_DOUBLE = "._", b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X"


def packed(folder: Path, archive: Path, only: str) -> Path:
    """An archive of a folder; files with an ending have one of macOS before them."""
    parts: list[tuple[str, bytes]] = []
    for path in sorted(folder.iterdir()):
        if path.name.endswith(only):
            parts.append((f"labels/{BEFORE}{path.name}", APPLE_DOUBLE))
        parts.append((f"labels/{path.name}", path.read_bytes()))
    if archive.suffix == ".zip":
        with zipfile.ZipFile(archive, "w") as file:
            for name, content in parts:
                file.writestr(name, content)
    else:
        with tarfile.open(archive, "w:gz" if archive.suffix == ".gz" else "w") as tar:
            for name, content in parts:
                member = tarfile.TarInfo(name)
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    return archive


@pytest.mark.parametrize("archive", ["a.zip", "a.tar", "a.tar.gz"])
@pytest.mark.parametrize(
    ("name", "only"),
    [("a.shp", ""), ("a.shp", ".shp"), ("a.gpkg", ""), ("a.geojson", ""), ("a.csv", "")],
)
def test_files_of_macos_are_no_labels(tmp_path: Path, archive: str, name: str, only: str) -> None:
    (tmp_path / "files").mkdir()
    path = tmp_path / "files" / name
    points = gpd.GeoDataFrame(
        {"class": ["tree", "soil", "tree"]},
        geometry=shapely.points([(10.5, 50.5), (10.75, 50.25), (10.25, 50.75)]),
        crs="EPSG:4326",
    )
    if name == "a.csv":
        path.write_text("lon,lat,class\n10.5,50.5,tree\n10.75,50.25,soil\n10.25,50.75,tree\n")
    else:
        points.to_file(path)
    shots = read_shots(packed(tmp_path / "files", tmp_path / archive, only))
    assert [one.name for one in shots.classes] == ["soil", "tree"]
    found = shots.frame.to_crs(4326).geometry
    assert sorted(zip(found.x, found.y, strict=True)) == [
        (10.25, 50.75),
        (10.5, 50.5),
        (10.75, 50.25),
    ]


# Several files --------------------------------------------------------------------------------

#: Classes of the files, by their names without ending.
LABELS = {"a": ["tree", "soil"], "b": ["tree", "roof"]}


def archive_of(folder: Path, *names: str) -> Path:
    """A ZIP archive of files of two points, at other places in files of another name."""
    inside = folder / "inside"
    inside.mkdir()
    for name in names:
        path = inside / name
        path.parent.mkdir(parents=True, exist_ok=True)
        left = 10.0 if path.stem == "a" else 11.0
        points = gpd.GeoDataFrame(
            {"class": LABELS.get(path.stem, [])},
            geometry=shapely.points([(left, 50.5), (left, 50.25)])[
                : len(LABELS.get(path.stem, []))
            ],
            crs="EPSG:4326",
        )
        if name == "legend.csv":
            path.write_text("value,name\n1,tree\n2,soil\n")
        elif path.suffix == ".csv":
            rows = [
                f"{p.x},{p.y},{c}" for p, c in zip(points.geometry, points["class"], strict=True)
            ]
            path.write_text("\n".join(["lon,lat,class", *rows]))
        elif path.suffix == ".tif":
            profile = {"driver": "GTiff", "width": 3, "height": 2, "count": 1, "dtype": "uint8"}
            place = {"crs": "EPSG:4326", "transform": rasterio.Affine(0.5, 0, 10, 0, -0.25, 51)}
            with rasterio.open(path, "w", **place, **profile) as file:
                file.write(np.array([[1, 0, 2], [1, 1, 0]], np.uint8), 1)
        else:
            driver = {".kml": "KML", ".gdb": "OpenFileGDB"}.get(path.suffix)
            layer = {"layer": "inner"} if path.suffix in (".gdb", ".gpkg") else {}
            points.to_file(path, driver=driver, **layer)
    archive = folder / "labels.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for path in sorted(one for one in inside.rglob("*") if one.is_file()):
            file.write(path, f"data/{path.relative_to(inside)}")
    return archive


@pytest.mark.parametrize(
    "names",
    [
        ("a.shp", "b.gpkg"),
        ("a.shp", "b.geojson"),
        ("a.gpkg", "b.gpkg"),
        ("a.geojson", "b.geojson"),
        ("a.gpkg", "b.kml"),
        ("a.gpkg", "b.tab"),
        ("a.shp", "b.gdb"),
        ("a.fgb", "b.fgb"),
        ("a.csv", "b.csv"),
        ("data/a/b.shp", "data/b/b.geojson"),
        ("data/gpkg/b.gpkg", "data/old/geojson/b.geojson"),
    ],
)
def test_files_of_features_that_would_be_lost_are_named(
    tmp_path: Path, names: tuple[str, str]
) -> None:
    with pytest.raises(ShotsError, match=f"several files of features: '{names[0]}', '{names[1]}'"):
        read_shots(archive_of(tmp_path, *(name.removeprefix("data/") for name in names)))


@pytest.mark.parametrize(
    ("names", "note"),
    [
        (("a.shp", "a.geojson", "a.kml"), ""),
        (("a.gpkg", "a.geojson"), ""),
        (("gpkg/a.gpkg", "geojson/a.geojson"), ""),
        (("a.shp", "gpkg/a.gpkg"), ""),
        (("shp/a.shp", "gpkg/a.gpkg", "GeoJSON/a.geojson"), ""),
        (("a.gdb", "a.shp"), ""),
        (("gdb/a.gdb", "shapefiles/a.shp"), ""),
        (("a.gpkg", "x/a.csv"), "'a.csv'"),
        (("a.gpkg", "legend.csv"), "'legend.csv'"),
        (("a.shp", "b.csv"), "'b.csv'"),
        (("a.tab", "b.csv"), "'b.csv'"),
    ],
)
def test_one_name_in_several_formats_is_one_file_and_tables_left_out_get_a_note(
    tmp_path: Path, names: tuple[str, ...], note: str
) -> None:
    shots = read_shots(archive_of(tmp_path, *names))
    assert [one.name for one in shots.classes] == ["soil", "tree"]
    assert len(shots.frame) == 2
    assert [n.partition(" in ")[0] for n in shots.notes if "not read" in n] == [note] * bool(note)


@pytest.mark.parametrize("other", ["a.shp", "a.gpkg", "a.gdb", "a.geojson"])
@pytest.mark.parametrize("name", ["b.shp", "b.gpkg", "b.gdb", "b.geojson"])
def test_a_file_among_several_is_chosen_by_its_name(tmp_path: Path, name: str, other: str) -> None:
    """Layers of GeoPackages and databases have another name here."""
    path = archive_of(tmp_path, other, name)
    assert [one.name for one in read_shots(path, layer="b").classes] == ["roof", "tree"]
    with pytest.raises(ShotsError, match="several files of features"):
        read_shots(path, layer="inner")


def test_files_of_one_name_are_chosen_by_their_folders(tmp_path: Path) -> None:
    path = archive_of(tmp_path, "x/a.shp", "y/a.geojson", "y/b.gpkg")
    with pytest.raises(ShotsError, match=r"features: 'data/x/a\.shp', 'data/y/a\.geojson'; choose"):
        read_shots(path, layer="a")
    for layer in ("data/y/a.geojson", "data/x/a", "a.shp"):
        assert {one.name for one in read_shots(path, layer=layer).classes} == {"soil", "tree"}
    assert {one.name for one in read_shots(path, layer="b.gpkg").classes} == {"roof", "tree"}


def test_a_table_among_several_is_chosen_by_its_name(tmp_path: Path) -> None:
    path = archive_of(tmp_path, "a.csv", "b.csv")
    assert {one.name for one in read_shots(path, layer="b").classes} == {"roof", "tree"}


@pytest.mark.parametrize("tables", [("legend.csv",), ("legend.csv", "b.csv")])
def test_a_raster_beside_tables_is_read(tmp_path: Path, tables: tuple[str, ...]) -> None:
    shots = read_shots(archive_of(tmp_path, "c.tif", *tables))
    assert [one.value for one in shots.classes] == [1, 2]
