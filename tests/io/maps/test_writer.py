"""Maps written as other programs read them."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from builders import NORTH_UP
from class_map_cases import CLASSES, GRID, HOLE, NAMES, random_probabilities, write_map

from hsi_geo.arrays import AnyArray
from hsi_geo.errors import OutputError
from hsi_geo.io.labels.class_colors import default_color
from hsi_geo.io.labels.shots import ClassTable, LandClass
from hsi_geo.io.maps.class_styles import aux_xml, qgis_style
from hsi_geo.io.maps.writer import NO_CLASS, NO_PERCENT, PROBABILITY_STEPS, MapPaths, MapWriter
from hsi_geo.tiling import Grid, blocks


def many(count: int) -> ClassTable:
    return tuple(LandClass(id, f"class {id}", default_color(id)) for id in range(1, count + 1))


def read(path: Path) -> tuple[AnyArray, dict[str, Any]]:
    with rasterio.open(path) as file:
        layout = file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"]
        return file.read(), {**file.profile, "layout": layout, "scales": file.scales}


def test_map_has_grid_classes_and_nodata(tmp_path: Path) -> None:
    probabilities = random_probabilities()
    paths = write_map(MapPaths.of(tmp_path / "m.tif"), probabilities)
    values, profile = read(paths.classes)
    expected = probabilities.argmax(axis=0) + 1
    expected[HOLE] = NO_CLASS
    np.testing.assert_array_equal(values[0], expected)
    assert profile["layout"] == "COG"
    assert (profile["dtype"], profile["nodata"], profile["count"]) == ("uint8", 0, 1)
    assert profile["transform"] == GRID.transform
    assert profile["crs"].to_epsg() == 32633


def test_map_has_colour_table_of_classes(tmp_path: Path) -> None:
    paths = write_map(MapPaths.of(tmp_path / "m.tif"), random_probabilities())
    with rasterio.open(paths.classes) as file:
        table = file.colormap(1)
    assert [table[id] for id in range(1, 4)] == [
        (1, 255, 127, 255),
        (230, 159, 0, 255),
        (0, 114, 178, 255),
    ]


def test_aux_xml_holds_class_names(tmp_path: Path) -> None:
    paths = write_map(MapPaths.of(tmp_path / "m.tif"), random_probabilities())
    assert paths.aux.name == "m.tif.aux.xml"
    band = ET.parse(paths.aux).getroot().find("PAMRasterBand[@band='1']")
    assert band is not None
    assert [name.text or "" for name in band.iterfind("CategoryNames/Category")] == ["", *NAMES]
    with rasterio.open(paths.classes) as file:
        assert [Path(name).name for name in file.files] == ["m.tif", "m.tif.aux.xml"]


def test_aux_xml_has_attribute_table_row_for_each_class() -> None:
    table = ET.fromstring(aux_xml(CLASSES)).find(".//GDALRasterAttributeTable")
    assert table is not None
    assert [name.text for name in table.iterfind("FieldDefn/Name")] == [
        "Value",
        "Class",
        "Red",
        "Green",
        "Blue",
    ]
    # GDALRATFieldUsage: minmax, name, red, green, blue
    assert [use.text for use in table.iterfind("FieldDefn/Usage")] == ["5", "2", "6", "7", "8"]
    rows = [[cell.text for cell in row] for row in table.iterfind("Row")]
    assert rows[0] == ["1", NAMES[0], "1", "255", "127"]
    assert [row[:2] for row in rows] == [[str(c.id), c.name] for c in CLASSES]


def test_qgis_style_has_entry_for_each_class(tmp_path: Path) -> None:
    paths = write_map(MapPaths.of(tmp_path / "m.tif"), random_probabilities())
    text = paths.style.read_text(encoding="utf-8")
    assert text.startswith("<!DOCTYPE qgis")
    renderer = ET.fromstring(text).find("pipe/rasterrenderer[@type='paletted']")
    assert renderer is not None
    assert [entry.attrib for entry in renderer.iterfind("colorPalette/paletteEntry")] == [
        {"value": str(c.id), "label": c.name, "color": c.color, "alpha": "255"} for c in CLASSES
    ]
    assert qgis_style(CLASSES) == text


def test_write_record_writes_sorted_json(tmp_path: Path) -> None:
    text = write_map(MapPaths.of(tmp_path / "m.tif"), random_probabilities()).record.read_text(
        encoding="utf-8"
    )
    record = json.loads(text)
    assert set(record.pop("files")) == {"map", "names", "style"}
    assert record == {"a": 1, "classes": list(NAMES)}
    assert text.index('"a"') < text.index('"classes"')
    assert "Straße" in text


def test_confidence_raster_is_in_per_cent(tmp_path: Path) -> None:
    probabilities = random_probabilities()
    paths = write_map(MapPaths.of(tmp_path / "m.tif", confidence=True), probabilities)
    assert paths.confidence == tmp_path / "m_confidence.tif"
    values, profile = read(paths.confidence)
    assert (profile["dtype"], profile["nodata"], profile["layout"]) == ("uint8", 255, "COG")
    assert (values[0][HOLE] == NO_PERCENT).all()
    known = values[0] != NO_PERCENT
    assert known.sum() == 37 * 53 - 20
    assert np.abs(values[0] - 100 * probabilities.max(axis=0))[known].max() <= 0.5 + 1e-4


def test_probability_raster_has_band_for_each_class_and_scale(tmp_path: Path) -> None:
    probabilities = random_probabilities()
    paths = write_map(MapPaths.of(tmp_path / "m.tif", probabilities=True), probabilities)
    assert paths.probabilities == tmp_path / "m_probabilities.tif"
    values, profile = read(paths.probabilities)
    assert (profile["dtype"], profile["nodata"], profile["count"]) == ("uint8", 255, 3)
    assert profile["scales"] == pytest.approx([1 / PROBABILITY_STEPS] * 3)
    assert profile["layout"] == "COG"
    assert (values[:, *HOLE] == 255).all()
    known = values[0] != 255
    difference = values * profile["scales"][0] - probabilities
    assert np.abs(difference)[:, known].max() <= 0.5 / PROBABILITY_STEPS + 1e-6
    with rasterio.open(paths.probabilities) as file:
        assert file.descriptions == NAMES


def test_probability_of_one_is_not_nodata(tmp_path: Path) -> None:
    certain = np.zeros((3, *GRID.shape), np.float32)
    certain[2] = 1.0
    paths = MapPaths.of(tmp_path / "m.tif", confidence=True, probabilities=True)
    write_map(paths, certain)
    assert paths.confidence is not None
    assert paths.probabilities is not None
    assert (read(paths.classes)[0] == 3).all()
    assert (read(paths.confidence)[0] == 100).all()
    assert read(paths.probabilities)[0][:, 4, 5].tolist() == [0, 0, PROBABILITY_STEPS]


@pytest.mark.parametrize(("count", "dtype"), [(255, "uint8"), (256, "uint16"), (700, "uint16")])
def test_map_of_more_than_255_classes_is_uint16(tmp_path: Path, count: int, dtype: str) -> None:
    classes, grid = many(count), Grid(20, 40, NORTH_UP, None)
    ids = np.arange(800).reshape(grid.shape) % count
    certain = (ids == np.arange(count)[:, None, None]).astype(np.float32)
    paths = write_map(MapPaths.of(tmp_path / "m.tif"), certain, classes, grid)
    values, profile = read(paths.classes)
    assert (profile["dtype"], profile["nodata"]) == (dtype, 0)
    np.testing.assert_array_equal(values[0], ids + 1)
    assert len(list(ET.parse(paths.aux).getroot().iter("Category"))) == count + 1


def test_overviews_hold_only_classes_of_the_map(tmp_path: Path) -> None:
    grid = Grid(700, 530, NORTH_UP, GRID.crs)
    certain = np.zeros((3, *grid.shape), np.float32)
    certain[0], certain[2, 200:] = 1.0, 2.0  # class 2 lies between them and nowhere
    paths = write_map(MapPaths.of(tmp_path / "m.tif"), certain, grid=grid)
    with rasterio.open(paths.classes) as file:
        assert file.overviews(1)
    with rasterio.open(paths.classes, overview_level=0) as file:
        assert file.height < 700
        assert set(np.unique(file.read())) == {1, 3}


@pytest.mark.parametrize(
    "grid",
    [
        Grid(37, 53, NORTH_UP, None),
        Grid(37, 53, Affine(30.0, 0.0, 500.0, 0.0, 20.0, 900.0), GRID.crs),
        Grid(37, 53, Affine.identity(), None),
    ],
    ids=["no CRS", "south-up", "no georeference"],
)
# A file without georeference says so when it is opened.
@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_map_keeps_unusual_grids(tmp_path: Path, grid: Grid) -> None:
    probabilities = random_probabilities()
    paths = write_map(MapPaths.of(tmp_path / "m.tif"), probabilities, grid=grid)
    values, profile = read(paths.classes)
    assert profile["transform"] == grid.transform
    assert (profile["crs"] is None) == (grid.crs is None)
    assert (values[0][probabilities.any(axis=0)] > 0).all()


def test_map_without_georeference_gives_no_warning(tmp_path: Path) -> None:
    write_map(
        MapPaths.of(tmp_path / "m.tif"),
        random_probabilities(),
        grid=Grid(37, 53, Affine.identity(), None),
    )


def test_map_bytes_do_not_depend_on_order_of_blocks(tmp_path: Path) -> None:
    probabilities = random_probabilities()
    written = []
    for name, parts in (
        ("one", list(blocks(37, 53, 16, 20))),
        ("two", list(blocks(37, 53, 16, 20))[::-1]),
        ("three", [GRID.window]),
    ):
        (tmp_path / name).mkdir()
        paths = MapPaths.of(tmp_path / name / "m.tif", confidence=True, probabilities=True)
        write_map(paths, probabilities, parts=parts)
        written.append({path.name: path.read_bytes() for path in paths.all})
    assert written[0] == written[1] == written[2]
    other = write_map(MapPaths.of(tmp_path / "m.tif"), random_probabilities(seed=5))
    assert other.classes.read_bytes() != written[0]["m.tif"]


def test_map_writer_leaves_no_temporary_files(tmp_path: Path) -> None:
    paths = MapPaths.of(tmp_path / "berlin.v2.tif", confidence=True, probabilities=True)
    write_map(paths, random_probabilities())
    assert sorted(paths.all) == sorted(tmp_path.iterdir())
    assert paths.all[-1] == paths.classes
    assert sorted(paths.as_dict().values()) == sorted(paths.all)
    assert {path.name for path in paths.all} == {
        "berlin.v2.tif",
        "berlin.v2.tif.aux.xml",
        "berlin.v2.qml",
        "berlin.v2.json",
        "berlin.v2_confidence.tif",
        "berlin.v2_probabilities.tif",
    }


def test_map_writer_counts_pixels(tmp_path: Path) -> None:
    probabilities = random_probabilities()
    with MapWriter(MapPaths.of(tmp_path / "m.tif"), GRID, CLASSES) as writer:
        for part in blocks(*GRID.shape, 16, 20):
            writer.write(part, probabilities[:, *part.slices])
    assert writer.counts.tolist() == np.bincount(read(writer.paths.classes)[0].ravel()).tolist()


def test_map_writer_reports_failed_disk(tmp_path: Path) -> None:
    paths = MapPaths.of(tmp_path / "none" / "m.tif")
    with (
        pytest.raises(OutputError, match=r"map 'm\.tif' cannot be written"),
        MapWriter(paths, GRID, CLASSES),
    ):
        pass


@pytest.mark.parametrize("length", [246, 250])
def test_a_name_that_is_too_long_needs_a_shorter_one(tmp_path: Path, length: int) -> None:
    with pytest.raises(OutputError, match=r"\(File name too long\); choose a shorter name"):
        write_map(MapPaths.of(tmp_path / f"{'m' * length}.tif"), random_probabilities())
