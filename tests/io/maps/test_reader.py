"""Reading maps: files that hold no map, and maps without georeference."""

from __future__ import annotations

import warnings
from pathlib import Path

import h5py
import numpy as np
import pytest
from builders import run, write_tif
from rasterio.errors import NotGeoreferencedWarning

from hsi_geo.errors import MapError, MapNotFoundError
from hsi_geo.io.maps.reader import read_colors, read_map, read_thumbnail
from hsi_geo.io.maps.record import read_record

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
