"""Confidence of a comparison of two maps, and the map that has none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from builders import run
from class_map_cases import random_probabilities, write_map

from hsi_geo import compare
from hsi_geo.io.maps.writer import MapPaths


@pytest.fixture
def sure(tmp_path: Path) -> tuple[Path, Path]:
    """Two maps of hsi-geo, the one with its confidence, the other with its probabilities."""
    found = []
    for name, kind, seed in (("old", "confidence", 4), ("new", "probabilities", 5)):
        paths = MapPaths.of(tmp_path / f"{name}.tif", **{kind: True})
        write_map(paths, random_probabilities(seed=seed))
        found.append(paths.classes)
    return found[0], found[1]


def test_confidence_is_the_product_of_both(sure: tuple[Path, Path], tmp_path: Path) -> None:
    found = compare(*sure, out=tmp_path / "change.tif")
    first, second = (random_probabilities(seed=seed) for seed in (4, 5))
    wanted = 100 * first.max(axis=0) * second.max(axis=0)
    with rasterio.open(tmp_path / "change_confidence.tif") as file:
        percent = file.read(1).astype(float)
    mapped = first.any(axis=0)
    assert (percent[~mapped] == 255).all()
    assert np.abs(percent - wanted)[mapped].max() < 1.5
    assert found.matrix.percent is not None
    old, new = first.argmax(axis=0), second.argmax(axis=0)
    here = mapped & (old == 1) & (new == 2)
    assert found.matrix.percent[1, 2] == pytest.approx(wanted[here].mean(), abs=1)


def test_confidence_is_resampled_with_the_map(sure: tuple[Path, Path], tmp_path: Path) -> None:
    plain = compare(*sure, out=tmp_path / "a.tif")
    for path in (sure[1], sure[1].with_name("new_probabilities.tif")):
        with rasterio.open(path, "r+", IGNORE_COG_LAYOUT_BREAK="YES") as file:
            file.transform = file.transform @ Affine.translation(0.2, 0.2)
    moved = compare(*sure, out=tmp_path / "b.tif", resample=True)
    assert moved.matrix.percent is not None
    assert plain.matrix.percent is not None
    assert moved.matrix.percent == pytest.approx(plain.matrix.percent, abs=3)


@pytest.mark.parametrize("lacking", [("old",), ("new",), ("old", "new")])
def test_the_log_names_the_map_without_confidence(
    sure: tuple[Path, Path], tmp_path: Path, lacking: tuple[str, ...]
) -> None:
    for name in lacking:
        for path in tmp_path.glob(f"{name}_*.tif"):
            path.unlink()
    shown = run("compare", *sure, "-o", tmp_path / "change.tif")
    assert shown.exit_code == 0, shown.stderr
    (line,) = [one for one in shown.stderr.splitlines() if "confidence of changes" in one]
    for name in ("old", "new"):
        assert (f"{name}.tif'" in line) == (name in lacking)
