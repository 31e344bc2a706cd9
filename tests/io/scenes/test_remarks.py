"""Remarks of readers: reported once by each job, and listed by info."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import xarray as xr
from builders import model_for, run

from hsi_geo import adapt, classify, predict
from hsi_geo.io.readers import Placement, SceneFile, read_scene
from hsi_geo.io.readers.opening import AS_FITS
from hsi_geo.io.scenes.properties import Remarks, remarks_of, select_good_bands
from hsi_geo.io.scenes.scene import open_scene, scene_of
from hsi_geo.tasks.tiles import jobs as tiles_module

if TYPE_CHECKING:
    from batch_cases import Run
    from planted import Planted, Recorder

REMARKS = Remarks(notes=("0 is water",), warnings=("its mask is torn", "its bands are few"))


def with_remarks(path: str | Path, placement: Placement = AS_FITS, *links: Any) -> SceneFile:
    """A file whose reader has remarks."""
    return dataclasses.replace(read_scene(path, placement, *links), **dataclasses.asdict(REMARKS))


@pytest.fixture
def noted(planted: Planted) -> xr.DataArray:
    return scene_of(with_remarks(planted.path))


def expected_warnings(planted: Planted) -> list[str]:
    return [f"scene '{planted.path}': {warning}" for warning in REMARKS.warnings]


def test_remarks_of_a_valid_scene_are_empty(planted: Planted) -> None:
    assert remarks_of(open_scene(planted.path)) == Remarks()


def test_select_good_bands_keeps_remarks(noted: xr.DataArray) -> None:
    assert remarks_of(select_good_bands(noted)) == REMARKS


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("job", ["adapt", "classify", "predict"])
def test_jobs_report_remarks_once(
    planted: Planted, noted: xr.DataArray, tmp_path: Path, recorder: Recorder, job: str
) -> None:
    if job == "predict":
        predict(noted, model_for(planted.path), out=tmp_path / "map.tif", reporter=recorder)
    else:
        shots = planted.shots(tmp_path / "shots.gpkg")
        out = {"out": tmp_path / "map.tif"} if job == "classify" else {}
        work: Any = classify if job == "classify" else adapt
        work(noted, shots, reporter=recorder, **out)
    assert [w for w in recorder.warnings if w in expected_warnings(planted)] == expected_warnings(
        planted
    )
    assert recorder.logs.count(f"scene '{planted.path}': 0 is water") == 1


def test_batch_reports_remarks_of_several_tiles_once(
    tiles: list[Path], map_tiles: Run, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiles_module, "read_scene", with_remarks)
    map_tiles(tiles, reporter=recorder)
    name = tiles[0].name
    assert recorder.warnings == [
        f"tile '{name}' and 5 more: its mask is torn",
        f"tile '{name}' and 5 more: its bands are few",
    ]


def test_info_lists_remarks(planted: Planted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hsi_geo.io.scenes.scene.read_scene", with_remarks)
    scene = json.loads(run("info", planted.path, "--json").stdout)["scene"]
    assert (scene["notes"], scene["warnings"]) == (["0 is water"], list(REMARKS.warnings))
    lines = [" ".join(line.split()) for line in run("info", planted.path).stdout.splitlines()]
    assert {"note 0 is water", "warning its mask is torn"} <= set(lines)
