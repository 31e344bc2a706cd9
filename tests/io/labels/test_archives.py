"""Files that macOS adds to archives of labels."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import geopandas as gpd
import pytest
import shapely

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
