"""`adapt` and `classify`: true maps, the same bytes for the same seed, refusals."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pytest
import rasterio
import shapely
import torch
from scipy.stats import binom

from hsi_geo import Compute, MapOptions, adapt, classify, predict, read_shots, stages
from hsi_geo.errors import HsiGeoError, SceneError, ShotsError
from hsi_geo.tasks.predict import MapResult
from hsi_geo.tasks.validation.accuracy import Accuracy, clopper_pearson, wilson

Planted = Any  # defined in conftest, which tests cannot import
Recorder = Any
MakeScene = Callable[..., Planted]

pytestmark = pytest.mark.usefixtures("quick")


def mapped(scene: Planted, folder: Path, recorder: Recorder) -> MapResult:
    shots, path = scene.shots(folder / "shots.gpkg"), Path(scene.path)
    return classify(path, shots, out=folder / "map.tif", reporter=recorder)


def read(path: Path) -> npt.NDArray[np.uint8]:
    with rasterio.open(path) as file:
        return np.asarray(file.read(1))


def class_names(path: Path) -> npt.NDArray[np.str_]:
    """A map as class names."""
    classes = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))["classes"]
    return np.array(["", *(c["name"] for c in classes)])[read(path)]


def agreement(path: Path, planted: Planted) -> float:
    truth = np.array(["", *planted.names])[planted.truth]
    return float((class_names(path) == truth).mean())


def test_classify_finds_the_true_map(planted: Planted, tmp_path: Path, recorder: Recorder) -> None:
    result = mapped(planted, tmp_path, recorder)
    assert agreement(result.paths.classes, planted) > 0.95
    assert [c.name for c in result.classes] == ["asphalt", "meadow", "water"]
    assert {stage for stage, _, _ in recorder.stages} == {
        stages.READING,
        stages.LEARNING,
        stages.TRAINING,
        stages.MAPPING,
    }
    assert all(done <= total for _, done, total in recorder.stages)
    assert recorder.stages[-1] == (stages.MAPPING, 37 * 53, 37 * 53)
    assert result.accuracy.oa is not None
    assert 0.0 <= result.record["adaptation"]["found"]["context_px"] <= 4.0
    assert not recorder.warnings


@pytest.mark.slow
def test_adapt_and_predict_write_the_bytes_of_classify(planted: Planted, tmp_path: Path) -> None:
    shots = planted.shots(tmp_path / "shots.gpkg", crs="EPSG:4326")
    options = MapOptions(confidence=True, probabilities=True)
    seed = Compute(seed=4)
    one = classify(planted.path, shots, out=tmp_path / "one.tif", options=options, compute=seed)
    adapted = adapt(planted.path, shots, out=tmp_path / "model.safetensors", compute=seed)
    model = tmp_path / "model.safetensors"
    two = predict(planted.path, model, out=tmp_path / "two.tif", options=options)
    three = predict(planted.path, adapted, out=tmp_path / "three.tif", options=options)
    for name, path in one.paths.as_dict().items():
        assert path.read_bytes() == two.paths.as_dict()[name].read_bytes(), name
        assert path.read_bytes() == three.paths.as_dict()[name].read_bytes(), name


@pytest.mark.slow
def test_adapt_gives_the_same_bytes_for_the_same_seed_only(
    planted: Planted, tmp_path: Path
) -> None:
    shots = planted.shots(tmp_path / "shots.gpkg")
    models: list[bytes] = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        torch.manual_seed(len(models))  # the caller's random state must not matter
        adapt(planted.path, shots, out=tmp_path / name, compute=Compute(seed=seed))
        models.append((tmp_path / name).read_bytes())
    assert models[0] == models[1] != models[2]


@pytest.mark.slow
def test_adapt_leaves_the_callers_random_state_unchanged(planted: Planted, tmp_path: Path) -> None:
    torch.manual_seed(11)
    expected = torch.rand(3)
    torch.manual_seed(11)
    adapt(planted.path, planted.shots(tmp_path / "shots.gpkg"))
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.slow
def test_classify_ignores_the_order_of_bands(make_scene: MakeScene, tmp_path: Path) -> None:
    order = np.random.default_rng(0).permutation(40)
    straight, mixed = make_scene("straight.tif"), make_scene("mixed.tif", order=order)
    shots = straight.shots(tmp_path / "shots.gpkg")
    one = classify(straight.path, shots, out=tmp_path / "one.tif")
    two = classify(mixed.path, shots, out=tmp_path / "two.tif")
    assert (read(one.paths.classes) == read(two.paths.classes)).all()


@pytest.mark.slow
def test_classify_takes_shots_without_crs_for_a_scene_without_crs(
    make_scene: MakeScene, tmp_path: Path, recorder: Recorder
) -> None:
    scene = make_scene(crs=None)
    result = mapped(scene, tmp_path, recorder)
    assert agreement(result.paths.classes, scene) > 0.95
    assert any("no coordinate reference system" in message for message in recorder.warnings)


@pytest.mark.slow
def test_classify_keeps_the_values_of_integer_classes(planted: Planted, tmp_path: Path) -> None:
    frame = gpd.read_file(planted.shots(tmp_path / "shots.gpkg"))
    frame["class"] = frame["class"].map({"meadow": 30, "asphalt": 7, "water": 12})
    frame.to_file(tmp_path / "numbers.gpkg")
    result = classify(planted.path, tmp_path / "numbers.gpkg", out=tmp_path / "map.tif")
    assert [(c.id, c.value) for c in result.classes] == [(1, 7), (2, 12), (3, 30)]


@pytest.mark.slow
def test_classify_gives_each_shot_to_the_scene_it_lies_in(
    planted: Planted, tmp_path: Path, halves: list[Path]
) -> None:
    shots = planted.shots(tmp_path / "shots.gpkg", per_class=6)
    west, east = halves
    results = classify([west, east], shots, out=tmp_path / "maps")
    assert [r.paths.classes.name for r in results] == ["west_classes.tif", "east_classes.tif"]
    found = np.hstack([class_names(r.paths.classes) for r in results])
    truth = np.array(["", *planted.names])[planted.truth]
    assert (found == truth).mean() > 0.95


def test_adapt_refuses_scenes_of_different_sensors(make_scene: MakeScene, tmp_path: Path) -> None:
    one, other = make_scene("one.tif"), make_scene("other.tif", bands=31)
    with pytest.raises(SceneError, match="other bands"):
        adapt([one.path, other.path], one.shots(tmp_path / "shots.gpkg"))


@pytest.mark.slow
def test_classify_never_maps_a_class_without_usable_pixels(
    planted: Planted, tmp_path: Path, recorder: Recorder
) -> None:
    frame = gpd.read_file(planted.shots(tmp_path / "shots.gpkg"))
    far = frame.iloc[[0]].copy()
    far["class"], far["geometry"] = "glacier", [shapely.Point(0, 0)]
    shots = tmp_path / "more.gpkg"
    gpd.GeoDataFrame(np.vstack([frame, far]), columns=frame.columns, crs=frame.crs).to_file(shots)
    result = classify(planted.path, shots, out=tmp_path / "map.tif", reporter=recorder)
    assert "glacier" in {c.name for c in result.classes}
    assert "glacier" not in set(class_names(result.paths.classes).ravel())
    assert any("'glacier'" in message for message in recorder.warnings)
    assert any("1 of 13 shots lie outside" in message for message in recorder.warnings)


def on_nodata(planted: Planted, keep: str | None, path: Path) -> Path:
    """Shots moved onto the nodata hole, all but one class's."""
    frame = gpd.read_file(planted.shots(path))
    x, y = planted.transform @ (7.5, 5.5)
    moved = [
        geometry if name == keep else shapely.Point(x, y)
        for name, geometry in zip(frame["class"], frame.geometry, strict=True)
    ]
    frame.geometry = [
        shapely.Point(p.x + 30 * (i % 2), p.y + 20 * (i % 3 - 1)) if name != keep else p
        for i, (p, name) in enumerate(zip(moved, frame["class"], strict=True))
    ]
    frame.to_file(path)
    return path


def test_adapt_refuses_shots_on_nodata(planted: Planted, tmp_path: Path) -> None:
    shots = gpd.read_file(on_nodata(planted, None, tmp_path / "all.gpkg"))
    # One class a column, so that no pixel is claimed twice.
    column = shots["class"].map({"meadow": 5, "asphalt": 7, "water": 9})
    xs, ys = planted.transform @ (column.to_numpy() + 0.5, np.full(len(shots), 4.5))
    shots.geometry = gpd.points_from_xy(xs, ys)
    shots.to_file(tmp_path / "all.gpkg")
    with pytest.raises(ShotsError, match=r"all 3 pixels .* are nodata"):
        adapt(planted.path, tmp_path / "all.gpkg")


def test_adapt_refuses_shots_with_one_usable_class(planted: Planted, tmp_path: Path) -> None:
    shots = on_nodata(planted, "water", tmp_path / "one.gpkg")
    with pytest.raises(ShotsError, match="only one class, 'water'"):
        adapt(planted.path, shots)


@pytest.mark.slow
def test_adapt_stops_if_the_loss_is_nan(
    planted: Planted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: Any, **kwargs: Any) -> torch.Tensor:
        return torch.tensor(float("nan"), requires_grad=True)

    monkeypatch.setattr("hsi_geo.tasks.adaptation.daft.soft_cross_entropy", broken)
    with pytest.raises(HsiGeoError, match="loss of step 1 is not a number"):
        adapt(planted.path, planted.shots(tmp_path / "shots.gpkg"), out=tmp_path / "m")
    assert not (tmp_path / "m").exists()


def test_exact_gives_the_clopper_pearson_interval() -> None:
    """Nine of ten: the published limits, and the tails of the binomial distribution."""
    low, high = clopper_pearson(0.9, 10)
    assert (low, high) == pytest.approx((0.5550, 0.9975), abs=1e-4)
    assert binom.sf(8, 10, low) == pytest.approx(0.025)
    assert binom.cdf(9, 10, high) == pytest.approx(0.025)
    assert clopper_pearson(1.0, 5)[1] == 1.0
    assert clopper_pearson(0.0, 5)[0] == 0.0
    assert clopper_pearson(0.91, 26.7)[1] > wilson(0.91, 26.7)[1]


def test_wilson_gives_the_published_interval() -> None:
    low, high = wilson(0.9, 10)
    assert (round(low, 3), round(high, 3)) == (0.596, 0.982)
    assert wilson(1.0, 5)[1] == 1.0


def test_accuracy_is_the_same_after_json() -> None:
    known = Accuracy(0.5, (0.25, 0.75), 12, 9, "counted")
    assert Accuracy.from_dict(json.loads(json.dumps(known.as_dict()))) == known
    assert "50 % of 12" in str(known)
    assert str(Accuracy.unknown("why not")) == "not estimated: why not"


@pytest.mark.slow
def test_classify_maps_berlin(data: Path, tmp_path: Path) -> None:
    """Gzip-compressed ENVI with wavelengths in um, multipolygons with text classes."""
    folder = data / "enmap_berlin"
    before = sorted(folder.iterdir())
    result = classify(
        folder / "EnMAP_BerlinUrbanGradient.bsq",
        read_shots(folder / "LandCov_BerlinUrbanGradient.shp", class_field="Level_2"),
        out=tmp_path / "berlin.tif",
        options=MapOptions(confidence=True, probabilities=True),
    )
    assert all(path.is_file() for path in result.paths.all)
    assert [c.name for c in result.classes] == sorted(c.name for c in result.classes)
    with rasterio.open(result.paths.classes) as mapped:
        assert mapped.crs.to_epsg() == 32633 or "33N" in mapped.crs.to_wkt()
        assert mapped.shape == (80, 60)
        assert mapped.bounds.left == pytest.approx(383472.37)
        assert (mapped.read(1) > 0).all()
    assert sorted(folder.iterdir()) == before
