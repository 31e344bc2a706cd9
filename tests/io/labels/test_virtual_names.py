"""Class names of virtual rasters that were built without them, as gdalbuildvrt and QGIS do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine

from hsi_geo import compare
from hsi_geo.io.labels.class_values import read_class_values
from hsi_geo.io.maps.reader import read_map

TABLES: dict[str, Mapping[int, str]] = {
    "a": {1: "rye", 2: "oats"},
    "b": {1: "rye", 2: "oats", 4: "peas"},
    "other": {1: "oats", 2: "rye"},
    "none": {},
}


def write_tile(path: Path, names: Mapping[int, str], col: int) -> None:
    with rasterio.open(
        path, "w", driver="GTiff", count=1, height=3, width=4, dtype="uint8", nodata=0,
        crs="EPSG:32633", transform=Affine(10.0, 0.0, 5e5 + 10.0 * col, 0.0, -10.0, 5.5e6),
    ) as file:  # fmt: skip
        file.write(np.array([[1, 2, 2, 1], [1, 1, 2, 0], [2, 1, 2, 1]], "uint8"), 1)
    listed = "".join(f"<Category>{names.get(value, '')}</Category>" for value in range(5))
    if names:
        path.with_name(f"{path.name}.aux.xml").write_text(
            f'<PAMDataset><PAMRasterBand band="1"><CategoryNames>{listed}</CategoryNames></PAMRasterBand></PAMDataset>'
        )


def build(folder: Path, tiles: Sequence[str], *, suffix: str = ".tif", more: str = "") -> Path:
    """A mosaic of tiles side by side, as GDAL builds it: without names, its paths relative to it."""
    sources = []
    for number, tile in enumerate(tiles):
        if suffix == ".tif":
            write_tile(folder / f"{tile}.tif", TABLES[tile], 4 * number)
        sources.append(
            f'<ComplexSource><SourceFilename relativeToVRT="1">{tile}{suffix}</SourceFilename><SourceBand>1</SourceBand>'
            '<SrcRect xOff="0" yOff="0" xSize="4" ySize="3"/>'
            f'<DstRect xOff="{4 * number}" yOff="0" xSize="4" ySize="3"/><NODATA>0</NODATA>{more}</ComplexSource>'
        )
    path = folder / f"{'_'.join(tiles[:9])}{len(suffix)}.vrt"
    path.write_text(
        f'<VRTDataset rasterXSize="{4 * len(tiles)}" rasterYSize="3"><SRS>EPSG:32633</SRS>'
        "<GeoTransform>500000, 10, 0, 5500000, 0, -10</GeoTransform>"
        '<VRTRasterBand dataType="Byte" band="1"><NoDataValue>0</NoDataValue>'
        f"{''.join(sources)}</VRTRasterBand></VRTDataset>"
    )
    return path


@pytest.mark.parametrize(
    ("tiles", "more", "names"),
    [
        (["a"], "", TABLES["a"]),
        (["a", "b"], "", TABLES["b"]),
        (["a", "other"], "", {}),
        (["a", "none"], "", {}),
        (["none"], "", {}),
        (["a"], "<LUT>1:2,2:1</LUT>", {}),
        (["a"], "<ScaleOffset>1</ScaleOffset><ScaleRatio>1</ScaleRatio>", {}),
    ],
    ids=["one", "two", "contradiction", "one_without", "without", "other_values", "scaled"],
)
def test_a_mosaic_has_the_names_that_its_rasters_agree_on(
    tmp_path: Path, tiles: Sequence[str], more: str, names: Mapping[int, str]
) -> None:
    assert read_map(build(tmp_path, tiles, more=more)).names == names


def test_a_mosaic_of_a_mosaic_has_the_names(tmp_path: Path) -> None:
    inner = build(tmp_path, ["a", "b"])
    assert read_map(build(tmp_path, [inner.stem], suffix=".vrt")).names == TABLES["b"]


@pytest.mark.parametrize("shown", ["s", "other"], ids=["itself", "each other"])
def test_mosaics_that_show_themselves_have_no_names(tmp_path: Path, shown: str) -> None:
    for name, inner in (("s", shown), ("other", "s")):
        build(tmp_path, [inner], suffix=".vrt").rename(tmp_path / f"{name}.vrt")
    with rasterio.open(tmp_path / "s.vrt") as file:
        assert read_class_values(file).names == {}


def test_mosaics_are_followed_into_each_other_to_a_depth(tmp_path: Path) -> None:
    build(tmp_path, ["a"]).rename(tmp_path / "1.vrt")
    for depth in range(2, 10):
        built = build(tmp_path, [str(depth - 1)], suffix=".vrt")
        built.rename(tmp_path / f"{depth}.vrt")
    assert read_map(tmp_path / "8.vrt").names == TABLES["a"]
    assert read_map(tmp_path / "9.vrt").names == {}


@pytest.mark.parametrize(("count", "named"), [(100, True), (101, False)])
def test_a_mosaic_of_more_rasters_than_are_compared_has_no_names(
    tmp_path: Path, count: int, named: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiles = [f"a{number}" for number in range(count)]
    monkeypatch.setitem(globals(), "TABLES", dict.fromkeys(tiles, TABLES["a"]))
    assert read_map(build(tmp_path, tiles)).names == (TABLES["a0"] if named else {})


def test_maps_of_two_tables_are_compared_by_name(tmp_path: Path) -> None:
    """By number, all land would have changed."""
    one, two = build(tmp_path, ["a"]), build(tmp_path, ["other"])
    found = compare(one, two, out=tmp_path / "change.tif")
    assert found.classes.names == ("rye", "oats")
    assert found.matrix.pixels.tolist() == [[0, 6], [5, 0]]
