"""Rasters of class ids: names and colours from a style beside them, and values that are no ids."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from builders import NORTH_UP

from hsi_geo.errors import ShotsError
from hsi_geo.io.labels.shot_reading import read_shots
from hsi_geo.io.labels.shots import LandClass
from hsi_geo.io.maps.class_styles import qgis_style
from hsi_geo.io.readers.masks import CONFIDENCE_BAND


@pytest.mark.parametrize("codes", [(1, 2, 7), (-2, -1, 1), (-32768, 3, 32767)], ids=str)
def test_a_style_names_any_whole_number(tmp_path: Path, codes: tuple[int, ...]) -> None:
    path = tmp_path / "labels.tif"
    ids = np.repeat([codes], 4, axis=0).astype(np.int16)
    with rasterio.open(
        path, "w", driver="GTiff", count=1, height=4, width=3, dtype="int16", nodata=0,
        crs="EPSG:32633", transform=NORTH_UP,
    ) as file:  # fmt: skip
        file.write(ids, 1)
    named = [LandClass(code, f"crop {i}", f"#0{i}0{i}0{i}") for i, code in enumerate(codes)]
    path.with_suffix(".qml").write_text(qgis_style(tuple(named)), encoding="utf-8")
    shots = read_shots(path)
    assert [(c.value, c.name, c.color) for c in shots.classes] == [
        (c.id, c.name, c.color) for c in named
    ]


def test_a_style_of_continuous_values_leaves_the_colour_table(tmp_path: Path) -> None:
    path = tmp_path / "labels.tif"
    with rasterio.open(
        path, "w", driver="GTiff", count=1, height=2, width=3, dtype="uint8", nodata=0,
        crs="EPSG:32633", transform=NORTH_UP,
    ) as file:  # fmt: skip
        file.write(np.array([[1, 1, 5], [5, 1, 0]], np.uint8), 1)
        file.write_colormap(1, {1: (10, 20, 30, 255), 5: (200, 100, 0, 255)})
    path.with_suffix(".qml").write_text(
        "<qgis><pipe><rasterrenderer type='singlebandgray'/></pipe></qgis>", encoding="utf-8"
    )
    assert [c.color for c in read_shots(path).classes] == ["#0a141e", "#c86400"]


@pytest.mark.parametrize("dtype", ["int32", "int64", "float32"])
def test_missing_values_that_became_the_smallest_integer_are_no_class(
    tmp_path: Path, dtype: str
) -> None:
    path = tmp_path / "labels.tif"
    smallest = np.iinfo("int64" if dtype == "int64" else "int32").min  # NumPy's NaN as integer
    with rasterio.open(
        path, "w", driver="GTiff", count=1, height=2, width=3, dtype=dtype, crs="EPSG:32633", transform=NORTH_UP,
    ) as file:  # fmt: skip
        file.write(np.array([[1, 2, smallest], [smallest, 1, 2]], dtype), 1)
    with pytest.raises(ShotsError, match="raster of 3 different values from -"):
        read_shots(path)


def test_names_that_two_classes_share_are_left_out_with_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "labels.tif"
    with rasterio.open(
        path, "w", driver="GTiff", count=1, height=2, width=3, dtype="uint8", nodata=0,
        crs="EPSG:32633", transform=NORTH_UP,
    ) as file:  # fmt: skip
        file.write(np.array([[1, 2, 5], [5, 1, 0]], np.uint8), 1)
    named = [LandClass(1, "wood", "#0a141e"), LandClass(2, "wood", "#0a141e")]
    named.append(LandClass(5, "lake", "#c86400"))
    path.with_suffix(".qml").write_text(qgis_style(tuple(named)), encoding="utf-8")
    shots = read_shots(path)
    assert [c.name for c in shots.classes] == ["1", "2", "5"]
    (caution,) = shots.warnings
    assert caution.endswith("labels.tif' are not used: '1', '2' have the same, 'wood'")


def test_the_confidence_of_a_map_is_no_labels(tmp_path: Path) -> None:
    """Whole per cent look like class ids."""
    path = tmp_path / "map_confidence.tif"
    with rasterio.open(
        path, "w", driver="GTiff", count=1, height=2, width=3, dtype="uint8", nodata=255,
        crs="EPSG:32633", transform=NORTH_UP,
    ) as file:  # fmt: skip
        file.write(np.array([[41, 41, 97], [97, 41, 255]], np.uint8), 1)
        file.set_band_description(1, CONFIDENCE_BAND)
    with pytest.raises(ShotsError, match="are the confidence of a map"):
        read_shots(path)
