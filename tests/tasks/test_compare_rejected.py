"""Comparison of maps that reject pixels: compared only if asked, and never counted as change."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio
from builders import run
from class_map_cases import CLASSES, random_probabilities
from class_map_cases import GRID as CLASS_GRID

from hsi_geo import compare, sample
from hsi_geo.arrays import AnyArray
from hsi_geo.errors import MapError
from hsi_geo.io.labels.shots import LandClass
from hsi_geo.io.maps.reader import read_map
from hsi_geo.io.maps.record import write_record
from hsi_geo.io.maps.rejection import Rejection
from hsi_geo.io.maps.writer import MapPaths, MapWriter
from hsi_geo.tasks.change.change_classes import match_classes


def rejecting(tmp_path: Path, name: str, rejected: AnyArray, seed: int) -> tuple[Path, AnyArray]:
    """A map that rejects some pixels as unlike any shot, and others as too uncertain; its ids."""
    probabilities = random_probabilities(seed=seed)
    probabilities[:, rejected] *= np.float32(0.1)
    rejection = Rejection.of(CLASSES, min_familiarity=0.5, min_confidence=0.4)
    paths = MapPaths.of(tmp_path / name)
    with MapWriter(paths, CLASS_GRID, CLASSES, rejection=rejection) as writer:
        writer.write(CLASS_GRID.window, probabilities)
    entries = [{"id": c.id, "name": c.name, "color": c.color} for c in rejection.classes]
    listed = [{"id": c.id, "name": c.name, "color": c.color} for c in CLASSES]
    write_record(paths, {"classes": listed, "rejected_classes": entries})
    with rasterio.open(paths.classes) as file:
        return paths.classes, file.read(1)


@pytest.mark.parametrize("asked", [False, True])
def test_rejected_pixels_are_compared_only_if_asked_and_are_no_changed_land(
    tmp_path: Path, asked: bool
) -> None:
    rejected = np.zeros(CLASS_GRID.shape, bool)
    rejected[20:30, 4:31] = True
    old, before = rejecting(tmp_path, "old.tif", np.zeros_like(rejected), 4)
    new, after = rejecting(tmp_path, "new.tif", rejected, 9)
    assert {4, 5} <= set(np.unique(after))
    arguments = ["--with-rejected"] if asked else []
    shown = run("compare", old, new, "-o", tmp_path / "c.tif", "--report", *arguments)
    assert shown.exit_code == 0, shown.stderr
    found = compare(old, new, out=tmp_path / "d.tif", with_rejected=asked, polygons=True)
    land = (before > 0) & (before < 4) & (after > 0) & (after < 4)
    assert found.matrix.changed_share == pytest.approx((before != after)[land].mean())
    assert found.rejected == (int((before > 3).sum()), int((after > 3).sum()))
    told = "compared, not counted as changed" if asked else "not compared"
    assert f"rejected, {told}: {found.rejected[0]} pixels of the old map" in shown.stdout
    with rasterio.open(tmp_path / "d.tif") as file:
        ids = file.read(1)
    compared = (before > 0) & (after > 0) if asked else land
    assert (ids == np.where(compared, 100 * before.astype(int) + after, 0)).all()
    names = {pair.name for pair in found.pairs}
    unlike = f"{CLASSES[1].name} → unlike any shot"
    assert (unlike in names) == asked
    assert ("too uncertain in both maps" in names) == asked
    assert read_map(tmp_path / "d.tif").names.keys() == set(np.unique(ids)) - {0}
    assert (unlike in (tmp_path / "c_report.html").read_text(encoding="utf-8")) == asked
    drawn_names = set(gpd.read_file(tmp_path / "d_polygons.gpkg", layer="d_polygons")["name"])
    assert (unlike in drawn_names) == asked
    # The map of change is sampled and assessed as any other, also its rejected pixels.
    sample(tmp_path / "d.tif", out=tmp_path / "visit.gpkg", count=60, overwrite=True)


def test_maps_that_share_rejected_classes_only_are_refused() -> None:
    one = (LandClass(1, "rye", "#111111"), LandClass(2, "unlike any shot", "#404040"))
    other = (LandClass(1, "oats", "#222222"), LandClass(2, "unlike any shot", "#404040"))
    with pytest.raises(MapError, match="no class in common"):
        match_classes(one, other, ["unlike any shot"])
