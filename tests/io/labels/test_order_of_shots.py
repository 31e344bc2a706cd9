"""Maps do not depend on the order of shots, their ids, or the names of their classes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
import rasterio
import shapely
from builders import NORTH_UP, regions_of
from hypothesis import given, settings
from hypothesis import strategies as st

from hsi_geo import MapOptions, adapt, classify, read_shots
from hsi_geo.io.labels.shot_pixels import ShotPixels, burn, thin
from hsi_geo.io.labels.shots import make_shots
from hsi_geo.models.classifier import Classifier
from hsi_geo.models.s2former_config import S2FormerConfig
from hsi_geo.tasks import adapt as adapting
from hsi_geo.tasks.adaptation.canonical_order import in_canonical_order
from hsi_geo.tasks.adaptation.recipe import FineTuneConfig
from hsi_geo.tasks.artifacts.model import load_model
from hsi_geo.tiling import Grid

Planted = Any  # defined in conftest, which tests cannot import
Frame = Any  # geopandas has no types
Change = Callable[[Frame], Frame]


# Maps -----------------------------------------------------------------------------------------


@pytest.fixture
def few_steps(quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Few steps: what differs is seen from the first on."""
    config = FineTuneConfig(steps=8, batch=6)
    recipe = dataclasses.replace(adapting.DEFAULT_RECIPE, fine_tuning=config)
    monkeypatch.setattr(adapting, "DEFAULT_RECIPE", recipe)


def drawn(planted: Planted, folder: Path) -> Frame:
    """Points, polygons that overlap in their own class, a line, one point twice, a class far away."""
    frame = gpd.read_file(planted.shots(folder / "points.gpkg", per_class=6))

    def box(row: float, col: float, height: float, width: float) -> shapely.Polygon:
        return shapely.box(
            *planted.transform @ (col, row + height), *planted.transform @ (col + width, row)
        )

    more = [
        ("meadow", box(9, 1, 3, 5)),
        ("meadow", box(10, 3, 4, 6)),
        ("asphalt", box(2, 30, 5, 4)),
        ("asphalt", box(4, 32, 3, 7)),
        ("water", box(30, 4, 3, 3)),
        (
            "water",
            shapely.LineString([planted.transform @ (6, 33.5), planted.transform @ (15, 35)]),
        ),
        ("water", box(30.2, 20.2, 0.1, 0.1)),
        ("glacier", shapely.Point(0, 0)),
        ("swamp", shapely.Point(1, 0)),
    ]
    again = frame.iloc[[3]]
    names = [*frame["class"], *again["class"], *(name for name, _ in more)]
    shapes = [*frame.geometry, *again.geometry, *(shape for _, shape in more)]
    return gpd.GeoDataFrame({"class": names}, geometry=shapes, crs=frame.crs)


def renamed(names: dict[str, Any]) -> Change:
    return lambda frame: frame.assign(**{"class": frame["class"].map(names)})


def as_parts(frame: Frame) -> Frame:
    """All points of a class one feature, as if drawn so."""
    points = frame.geometry.geom_type == "Point"
    return gpd.GeoDataFrame(
        pd.concat([frame[points].dissolve("class").reset_index(), frame[~points]]),
        crs=frame.crs,
    )


def other_ids(frame: Frame) -> Frame:
    frame = frame.copy()
    frame.index = np.random.default_rng(4).permutation(np.arange(10, 10 + 7 * len(frame), 7))
    return frame


SAME = {name: name for name in ("meadow", "asphalt", "water", "glacier", "swamp")}
BACKWARDS = dict(zip(SAME, ("w", "x", "a", "b", "c"), strict=True))
TURNED = dict(zip(SAME, ("water", "meadow", "asphalt", "swamp", "glacier"), strict=True))
CASES: dict[str, tuple[Change, dict[str, Any]]] = {
    "reversed": (lambda frame: frame[::-1], SAME),
    "shuffled": (lambda frame: frame.sample(frac=1.0, random_state=3), SAME),
    "other ids": (other_ids, SAME),
    "one shot twice": (lambda frame: pd.concat([frame.iloc[[14, 2]], frame]), SAME),
    "multipart": (as_parts, SAME),
    "single parts": (lambda frame: as_parts(frame).explode(), SAME),
    "other rings": (lambda frame: frame.set_geometry(frame.geometry.reverse()), SAME),
    "other names": (renamed(BACKWARDS), BACKWARDS),
    "names exchanged": (renamed(TURNED), TURNED),
    "ids": (renamed(dict(zip(SAME, (9, 2, 30, 4, 5), strict=True))), dict(zip(SAME, (9, 2, 30, 4, 5), strict=True))),
    "ids, shuffled": (
        lambda frame: renamed(dict(zip(SAME, (3, 8, 1, 2, 9), strict=True)))(frame.sample(frac=1.0, random_state=5)),
        dict(zip(SAME, (3, 8, 1, 2, 9), strict=True)),
    ),
}  # fmt: skip


@dataclass(frozen=True)
class WrittenMap:
    """A map with its probabilities by the class's first name."""

    names: npt.NDArray[np.str_]
    confidence: npt.NDArray[np.uint8]
    probabilities: dict[str, npt.NDArray[np.uint8]]
    accuracy: Any


def mapped(scene: Path, shots: Frame, called: dict[str, Any], out: Path, **how: Any) -> WrittenMap:
    path = out.with_name(f"{out.stem}_shots.geojson")
    path.write_text(shots.to_json())  # with the ids
    result = classify(
        scene, read_shots(path, class_field="class"), out=out,
        options=MapOptions(confidence=True, probabilities=True), **how,
    )  # fmt: skip
    first = {str(now): name for name, now in called.items()}
    names = np.array(["", *(first[c.name] for c in result.classes)])
    assert result.paths.confidence is not None
    assert result.paths.probabilities is not None
    with (
        rasterio.open(out) as ids,
        rasterio.open(result.paths.confidence) as percent,
        rasterio.open(result.paths.probabilities) as bands,
    ):
        each = dict(zip(names[1:], bands.read(), strict=True))
        return WrittenMap(names[ids.read(1)], percent.read(1), each, result.accuracy)


def assert_same_map(one: WrittenMap, other: WrittenMap, how: str) -> None:
    np.testing.assert_array_equal(one.names, other.names, how)
    np.testing.assert_array_equal(one.confidence, other.confidence, how)
    assert one.probabilities.keys() == other.probabilities.keys(), how
    for name, band in one.probabilities.items():
        np.testing.assert_array_equal(band, other.probabilities[name], how)
    assert one.accuracy.oa == other.accuracy.oa, how
    assert one.accuracy.interval95 == other.accuracy.interval95, how


@pytest.mark.usefixtures("few_steps")
@pytest.mark.slow
def test_classify_does_not_depend_on_order_ids_and_names(scene: Planted, tmp_path: Path) -> None:
    shots = drawn(scene, tmp_path)
    first = mapped(scene.path, shots, SAME, tmp_path / "first.tif")
    assert len(np.unique(first.names)) == 4
    other = as_parts(other_ids(renamed(TURNED)(shots[::-1])))
    assert_same_map(first, mapped(scene.path, other, TURNED, tmp_path / "other.tif"), "all at once")


@pytest.mark.slow
@pytest.mark.usefixtures("few_steps")
def test_classify_does_not_depend_on_order_or_ids_or_names(scene: Planted, tmp_path: Path) -> None:
    shots = drawn(scene, tmp_path)
    first = mapped(scene.path, shots, SAME, tmp_path / "first.tif")
    for number, (name, (change, called)) in enumerate(CASES.items()):
        found = mapped(scene.path, change(shots), called, tmp_path / f"{number}.tif")
        assert_same_map(first, found, name)


@pytest.mark.slow
@pytest.mark.usefixtures("few_steps")
def test_cross_validation_does_not_depend_on_order(scene: Planted, tmp_path: Path) -> None:
    shots = drawn(scene, tmp_path)
    one = adapt(scene.path, of(shots, SAME), cross_validation=True)
    two = adapt(scene.path, of(shots[::-1], BACKWARDS), cross_validation=True)
    assert one.record["accuracy"] == two.record["accuracy"]
    place = [[c.name for c in two.classes].index(BACKWARDS[c.name]) for c in one.classes]
    matrix = np.array(two.record["held_out"]["matrix"])
    np.testing.assert_array_equal(one.record["held_out"]["matrix"], matrix[np.ix_(place, place)])


def of(frame: Frame, called: dict[str, Any]) -> Any:
    return make_shots(frame.geometry, [called[name] for name in frame["class"]])


@pytest.mark.usefixtures("few_steps")
def test_model_file_keeps_the_canonical_order(planted: Planted, tmp_path: Path) -> None:
    shots = of(drawn(planted, tmp_path), SAME)
    model = adapt(planted.path, shots, out=tmp_path / "model")
    assert sorted(model.order or ()) == [0, 1, 2, 3, 4]
    assert model.order != (0, 1, 2, 3, 4)
    assert load_model(tmp_path / "model").order == model.order


# Parts ----------------------------------------------------------------------------------------


@settings(max_examples=40)
@given(order=st.permutations(range(7)), names=st.permutations(["a", "b", "c"]))
@pytest.mark.slow
def test_burn_does_not_depend_on_order(order: list[int], names: list[str]) -> None:
    """Overlapping shots of a class share its pixels by their places; conflicts stay conflicts."""
    grid = Grid(12, 15, NORTH_UP, None)
    boxes = [(1, 1, 5, 5), (1, 1, 5, 7), (3, 3, 8, 4), (3, 3, 8, 4), (6, 2, 9, 9), (6, 9, 3, 4)]

    def corners(row: int, col: int, height: int, width: int) -> shapely.Geometry:
        return shapely.box(*NORTH_UP @ (col, row + height), *NORTH_UP @ (col + width, row))

    shapes = [*(corners(*box) for box in boxes), corners(10, 1, 1, 2)]
    labels = [names[i] for i in (0, 0, 0, 0, 1, 1, 2)]
    plain = burn(make_shots(gpd.GeoSeries(shapes), labels), grid)
    mixed = make_shots(gpd.GeoSeries([shapes[i] for i in order]), [labels[i] for i in order])
    found = burn(mixed, grid)
    np.testing.assert_array_equal(found.rows, plain.rows)
    np.testing.assert_array_equal(found.cols, plain.cols)
    np.testing.assert_array_equal(found.class_ids, plain.class_ids)
    drawn_as = np.array([2 if i == 3 else i for i in range(7)])  # two are the same
    np.testing.assert_array_equal(
        drawn_as[np.array(order)[found.features]], drawn_as[plain.features]
    )
    assert found.conflicts == plain.conflicts > 0


@pytest.mark.parametrize("ids", [(1, 2, 3), (3, 1, 2), (2, 3, 1)])
def test_thin_does_not_depend_on_class_ids(ids: tuple[int, int, int]) -> None:
    rows, cols = np.divmod(np.arange(9000), 90)
    kinds = np.array(ids)[np.where(rows < 30, 0, np.where(cols < 40, 1, 2))]
    pixels = ShotPixels(rows, cols, kinds, np.zeros_like(rows))
    kept = thin(pixels, np.random.default_rng(5))
    first = thin(ShotPixels(rows, cols, np.where(rows < 30, 1, np.where(cols < 40, 2, 3)), rows), np.random.default_rng(5))  # fmt: skip
    assert len(kept) == 6000
    np.testing.assert_array_equal(kept.rows, first.rows)
    np.testing.assert_array_equal(kept.cols, first.cols)


@pytest.mark.parametrize("budget_px", [300, 40_000])
def test_in_canonical_order_numbers_by_position(
    planted: Planted, tmp_path: Path, budget_px: int
) -> None:
    regions = regions_of(planted.path, of(drawn(planted, tmp_path), SAME), budget_px)
    ordered, order = in_canonical_order(regions)
    labels, features = ordered.labels, ordered.features
    at = labels >= 0
    np.testing.assert_array_equal(at, regions.labels >= 0)
    np.testing.assert_array_equal(order.classes[labels[at]], regions.labels[at])
    np.testing.assert_array_equal(order.features[features[at]], regions.features[at])
    for values in (labels[at], features[at]):  # each is first seen after all before it
        seen = np.maximum.accumulate(values)
        assert values[0] == 0
        assert (values[1:] <= seen[:-1] + 1).all()
    assert [c.name for c in ordered.classes[3:]] == ["glacier", "swamp"]
    assert {c.name for c in ordered.classes} == set(SAME)


def test_with_class_order_permutes_the_outputs() -> None:
    import torch

    torch.manual_seed(1)
    one = Classifier(S2FormerConfig(window_px=8, width=16, depth=1, heads=2), 3)
    two = one.with_class_order((2, 0, 1))
    features = torch.randn(2, 16, 3, 3)
    before, after = one.classify(features), two.classify(features)
    torch.testing.assert_close(after, before[:, [2, 0, 1, 3]])
    torch.testing.assert_close(two.with_class_order((1, 2, 0)).classify(features), before)
