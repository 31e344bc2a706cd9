"""Reading maps: files that hold no map, and maps without georeference."""

from __future__ import annotations

import warnings
from pathlib import Path

import h5py
import numpy as np
import pytest
import rasterio
from affine import Affine
from builders import NORTH_UP, run, write_tif
from rasterio.errors import NotGeoreferencedWarning

from hsi_geo.errors import MapError, MapNotFoundError
from hsi_geo.io.labels.map_records import read_record
from hsi_geo.io.maps.reader import read_colors, read_map, read_percent, read_thumbnail
from hsi_geo.io.maps.vrt_index import GeoreferencedMap, percent_xml
from hsi_geo.io.readers.masks import CONFIDENCE_BAND

CLASSES = (np.arange(35, dtype=np.uint8) % 4).reshape(5, 7)
COUNTS = dict(enumerate(np.bincount(CLASSES.ravel())[1:].tolist(), start=1))

#: (row, column) of pixels with a class.
SPOTS = ((0, 1), (1, 3), (3, 2), (4, 5))


@pytest.fixture
def container(tmp_path: Path) -> Path:
    """An HDF5 file of two datasets: GDAL sees no band in it."""
    path = tmp_path / "maps.h5"
    with h5py.File(path, "w") as file:
        file["classes"] = CLASSES
        file["confidence"] = CLASSES
    return path


@pytest.fixture
def nowhere(tmp_path: Path) -> Path:
    """A map without a geotransform or CRS."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        return write_tif(tmp_path / "nowhere.tif", CLASSES[None], crs=None, transform=None)


def test_read_map_lists_datasets_of_file_without_bands(container: Path) -> None:
    with pytest.raises(MapError, match="has no band, and 2 datasets inside") as caught:
        read_map(container)
    # In quotes or not: that differs between releases of GDAL.
    assert "://classes" in caught.value.hint
    assert str(container) in caught.value.hint


def test_read_map_refuses_empty_hdf5_file(tmp_path: Path) -> None:
    path = tmp_path / "empty.h5"
    with h5py.File(path, "w") as file:
        file.attrs["title"] = "nothing"
    with pytest.raises(MapError):
        read_map(path)


def test_read_map_opens_the_dataset_that_the_error_names(container: Path) -> None:
    found = read_map(f'HDF5:"{container}"://classes')
    assert found.grid.shape == CLASSES.shape
    assert found.counts() == COUNTS
    assert read_record(found.path) == {}


def test_read_map_distinguishes_missing_and_invalid_files(tmp_path: Path) -> None:
    with pytest.raises(MapNotFoundError):
        read_map(tmp_path / "none.tif")
    with pytest.raises(MapError, match="not a raster"):
        read_map(f'HDF5:"{tmp_path / "none.h5"}"://classes')


def test_read_map_without_georeference_gives_no_warning(nowhere: Path) -> None:
    found = read_map(nowhere)
    assert found.grid.crs is None
    assert found.counts() == COUNTS
    assert read_thumbnail(nowhere, 7).tolist() == CLASSES.tolist()
    assert read_colors(nowhere) == {}


def test_assess_without_georeference_prints_only_json(nowhere: Path, tmp_path: Path) -> None:
    lines = ["x,y,class", *(f"{col + 0.5},{row + 0.5},{CLASSES[row, col]}" for row, col in SPOTS)]
    (tmp_path / "reference.csv").write_text("\n".join(lines) + "\n")
    result = run(
        "assess", nowhere, "--reference", tmp_path / "reference.csv",
        "-o", tmp_path / "page.html", "--progress", "jsonl",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert all(line.startswith("{") for line in result.stderr.splitlines())


def floats(path: Path, values: np.ndarray, dtype: str, nodata: float | None) -> Path:
    with rasterio.open(
        path, "w", driver="GTiff", height=5, width=7, count=1, dtype=dtype, nodata=nodata,
        crs="EPSG:32633", transform=Affine(30, 0, 5e5, 0, -30, 5e6),
    ) as file:  # fmt: skip
        file.write(values.astype(dtype), 1)
    return path


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("nodata", [None, 0.0, float("nan"), -9999.0, float(np.finfo("f4").min)])
def test_maps_of_whole_floats_are_those_of_integers(
    tmp_path: Path, dtype: str, nodata: float | None
) -> None:
    """As raster calculators write them."""
    missing = 0.0 if nodata is None else nodata
    values = np.where(CLASSES == 0, missing, CLASSES)
    opened = read_map(floats(tmp_path / "map.tif", values, dtype, nodata))
    assert opened.counts() == COUNTS
    read = opened.read(opened.grid.window)
    assert read.dtype == np.int64
    np.testing.assert_array_equal(read.filled(0), CLASSES)
    np.testing.assert_array_equal(opened.thumbnail(7).filled(0), CLASSES)


@pytest.mark.parametrize(
    ("odd", "shown"),
    [(2.5, "2.5"), (3e9, "3e+09"), (-1e30, "-1e+30")],
    ids=["share", "large", "fill"],
)
def test_maps_of_other_floats_are_refused(tmp_path: Path, odd: float, shown: str) -> None:
    values = CLASSES.astype(float)
    values[4, 6] = odd
    path = floats(tmp_path / "map.tif", values, "float32", None)
    with pytest.raises(MapError, match="are float32, such as") as caught:
        read_map(path)
    assert f"such as {shown}," in str(caught.value)


@pytest.mark.parametrize("mosaic", [False, True], ids=["raster", "mosaic"])
def test_read_map_refuses_confidence(tmp_path: Path, mosaic: bool) -> None:
    """Whole per cent look like class ids: areas and polygons of them would be wrong without a word."""
    path = tmp_path / "map_confidence.tif"
    with rasterio.open(
        path, "w", driver="GTiff", count=1, height=5, width=7, dtype="uint8", nodata=255,
        crs="EPSG:32633", transform=NORTH_UP,
    ) as file:  # fmt: skip
        file.write(CLASSES + 40, 1)
        file.set_band_description(1, CONFIDENCE_BAND)
    if mosaic:
        parts = [GeoreferencedMap(path, read_percent(path).grid)]
        path = tmp_path / "index_confidence.vrt"
        path.write_text(percent_xml(parts, tmp_path), encoding="utf-8")
    with pytest.raises(MapError, match="is no class map: it holds the confidence of one"):
        read_map(path)
    percent = read_percent(path)
    assert percent.thumbnail(7).tolist() == (CLASSES + 40).tolist()
