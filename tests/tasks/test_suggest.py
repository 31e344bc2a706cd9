"""Suggested places: uncertain, diverse, inside patches, and ready for QGIS."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import shapely
from builders import run, snapshot

from hsi_geo import Compute, adapt, read_shots, suggest
from hsi_geo.errors import OptionError, SceneError
from hsi_geo.progress import SilentReporter
from hsi_geo.tasks.inference.label_places import Candidates, choose_places, patch_uncertainty
from hsi_geo.tasks.suggest import _nothing_to_suggest

Planted = Any  # defined in conftest, which tests cannot import
MakeScene = Any

pytestmark = pytest.mark.usefixtures("quick")


@pytest.fixture
def unsure(planted: Planted, tmp_path: Path) -> Any:
    """A model that has never seen water."""
    path = planted.shots(tmp_path / "shots.gpkg")
    frame = gpd.read_file(path)
    frame[frame["class"] != "water"].to_file(path)
    return adapt(planted.path, path, out=tmp_path / "model.safetensors")


def places(points: Any, planted: Planted) -> tuple[Any, Any]:
    """(rows, columns) of suggested points."""
    t = ~planted.transform
    at = [t @ (p.x, p.y) for p in points]
    np.testing.assert_allclose(np.array(at) % 1, 0.5, atol=1e-6)  # in the middle of pixels
    return tuple(np.floor(np.array(at)).astype(int).T[::-1])


def test_suggest_prefers_a_class_without_shots(planted: Planted, unsure: Any) -> None:
    found = suggest(planted.path, unsure, count=6)
    assert [p.rank for p in found.points] == [1, 2, 3, 4, 5, 6]
    assert found.path is None
    rows, cols = places(found.points, planted)
    assert len(set(zip(rows.tolist(), cols.tolist(), strict=True))) == 6
    truth = planted.truth[rows, cols]
    assert (truth != 0).all()
    assert (truth == 3).sum() > 6 * (planted.truth == 3).mean()
    assert truth[0] == 3
    assert {p.guess for p in found.points} <= {"meadow", "asphalt"}


def test_nothing_to_suggest_gives_the_reason() -> None:
    sure = _nothing_to_suggest({"classes": [{"pixels": 0}, {"pixels": 7}]}, None, "")
    assert "sure of every pixel" in str(sure)
    for aoi, advice in ((None, "give a scene with data"), ("a.gpkg", "given with --aoi")):
        none = _nothing_to_suggest({"classes": []}, aoi, "no pixel was mapped")
        assert none.message == "no pixel was mapped"
        assert advice in none.hint


def test_an_area_without_data_is_said_once(
    planted: Planted, unsure: Any, tmp_path: Path, recorder: Any
) -> None:
    (left, top), (right, bottom) = (planted.transform @ at for at in ((-20.0, -9.0), (31.0, 0.0)))
    edge = gpd.GeoSeries([shapely.box(left, bottom, right, top)], crs=planted.crs)
    edge.to_file(tmp_path / "edge.gpkg")
    with pytest.raises(SceneError, match=r"no pixel of scene .* its centre lies in the area"):
        suggest(planted.path, unsure, aoi=tmp_path / "edge.gpkg", reporter=recorder)
    assert not recorder.warnings


def test_suggest_is_reproducible(planted: Planted, unsure: Any) -> None:
    one, two = (
        suggest(planted.path, unsure, count=4, compute=Compute(seed=2)).points for _ in range(2)
    )
    assert one == two


def test_suggested_points_are_read_as_shots_once_labelled(
    planted: Planted, unsure: Any, tmp_path: Path
) -> None:
    out = tmp_path / "points.gpkg"
    args = [
        "suggest",
        planted.path,
        "--model",
        tmp_path / "model.safetensors",
        "-n",
        "5",
        "-o",
        out,
    ]
    result = run(*args)
    assert result.exit_code == 0, result.output
    frame = gpd.read_file(out)
    assert list(frame.columns) == ["rank", "guess", "confidence", "class", "geometry"]
    assert frame["rank"].tolist() == [1, 2, 3, 4, 5]
    assert frame["class"].isna().all()
    assert frame.crs == planted.crs
    assert frame["confidence"].between(0, 100).all()
    assert all(name in result.stdout for name in frame["guess"])
    before = snapshot(tmp_path)
    assert "already there" in run(*args).output
    assert snapshot(tmp_path) == before
    # Filled in, they are shots; what was left empty is left out.
    frame.loc[:3, "class"] = ["water", "meadow", "water", "asphalt"]
    frame.to_file(out)
    shots = read_shots(out)
    assert [c.name for c in shots.classes] == ["asphalt", "meadow", "water"]
    assert shots.skipped == ("1 without a class in 'class'",)


def test_suggest_stays_inside_the_area(planted: Planted, unsure: Any, tmp_path: Path) -> None:
    corner, other = planted.transform @ (30, 20), planted.transform @ (50, 2)
    box = gpd.GeoDataFrame(geometry=[shapely.box(*corner, *other)], crs=planted.crs)
    box.to_file(tmp_path / "aoi.gpkg")
    found = suggest(planted.path, unsure, count=5, aoi=tmp_path / "aoi.gpkg")
    rows, cols = places(found.points, planted)
    assert ((rows >= 2) & (rows < 20) & (cols >= 30) & (cols < 50)).all()


@pytest.mark.slow
def test_suggest_accepts_scene_without_crs_or_with_fewer_bands(
    make_scene: MakeScene, tmp_path: Path, planted: Planted, unsure: Any
) -> None:
    lacking = make_scene("lacking.tif", bands=38)
    assert len(suggest(lacking.path, unsure, count=3).points) == 3
    bare = make_scene("bare.tif", crs=None)
    shots = bare.shots(tmp_path / "bare.gpkg")
    model = adapt(bare.path, shots)
    out = tmp_path / "p.gpkg"
    suggest(bare.path, model, count=3, out=out)
    assert len(gpd.read_file(out)) == 3


def test_suggest_refuses_invalid_options(planted: Planted, unsure: Any, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="count= is a whole number of 1 or more"):
        suggest(planted.path, unsure, count=0)
    with pytest.raises(OptionError, match=r"does not end in \.gpkg"):
        suggest(planted.path, unsure, out=tmp_path / "p.shp")


def test_patch_uncertainty_is_lower_at_edges_and_single_pixels() -> None:
    """Of equal doubt: within a patch, at its rim, alone among others, and where nothing is."""
    given = np.zeros((2, 9, 12), np.float32)
    given[0] = 0.6
    given[1] = 0.4
    given[:, :, 6:] = given[::-1, :, 6:]  # another class on the right
    given[:, 4, 2] = given[::-1, 4, 2]
    given[:, 8] = 0
    doubt = patch_uncertainty(given)
    assert doubt[2, 9] == pytest.approx(0.8)
    assert doubt[2, 9] > doubt[2, 6] > doubt[4, 2] > 0
    assert (doubt[8] == 0).all()
    given[:, 6:, 8:] = np.array([0.05, 0.95], np.float32)[:, None, None]
    assert patch_uncertainty(given)[7, 10] < 0.3


def test_choose_takes_cluster_centres_by_uncertainty() -> None:
    """Kinds that lie far apart, the doubt unrelated to the distance from their middle."""
    generator = np.random.default_rng(3)
    kind = np.repeat([0, 1, 2], [40, 30, 20])
    table = (100.0 * np.eye(3)[kind] + generator.standard_normal((90, 3))).astype(np.float32)
    doubt = generator.uniform(0.01, [0.2, 0.9, 0.5], (90, 3))[np.arange(90), kind]
    doubt = doubt.astype(np.float32)
    numbers = np.arange(90)
    found = choose_places(Candidates(numbers, numbers, doubt, table), table, 3, seed=0)
    middles, total = [], []
    for k in range(3):
        members = np.flatnonzero(kind == k)
        middle = np.average(table[members], axis=0, weights=doubt[members])
        middles.append(int(members[np.linalg.norm(table[members] - middle, axis=1).argmin()]))
        total.append(float(doubt[members].sum()))
    assert found.tolist() == [middles[k] for k in np.argsort(total)[::-1]]


def test_suggest_reports_confident_places(
    planted: Planted, unsure: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    messages: list[str] = []
    reporter = SilentReporter()
    monkeypatch.setattr(reporter, "log", messages.append)
    for limit in (0, 101):
        monkeypatch.setattr("hsi_geo.tasks.suggest.HIGH_CONFIDENCE", limit)
        points = suggest(planted.path, unsure, count=4, reporter=reporter).points
        printed = [text for text in messages if "the model is sure" in text]
        assert len(points) == 4
        assert len(printed) == 1  # of the first
        assert "at 4 of 4 places" in printed[0]
