"""Random samples of maps: every pixel as likely as stated, a form, and an assessment that knows the design."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import rasterio
from assess_cases import GRID, NAMES, damaged, truth, write_class_map
from builders import run
from class_map_cases import random_probabilities, write_map

from hsi_geo import assess, read_shots, sample
from hsi_geo.errors import HsiGeoError, MapError, OptionError, ShotsError
from hsi_geo.io.labels.purposes import REFERENCE
from hsi_geo.io.maps.writer import MapPaths

Recorder = Any  # defined in conftest, which tests cannot import
Draw = Callable[..., gpd.GeoDataFrame]


@pytest.fixture
def class_map(tmp_path: Path) -> Path:
    return write_class_map(tmp_path, damaged())


@pytest.fixture
def draw(class_map: Path, tmp_path: Path) -> Draw:
    def draw_(**options: Any) -> gpd.GeoDataFrame:
        sample(class_map, tmp_path / "visit.gpkg", overwrite=True, **options)
        return gpd.read_file(tmp_path / "visit.gpkg", layer="visit")

    return draw_


def pixels_of(frame: gpd.GeoDataFrame) -> np.ndarray[Any, Any]:
    """(N, 2) rows and columns of places."""
    cols, rows = np.array([~GRID @ (p.x, p.y) for p in frame.geometry]).T
    return np.column_stack([rows, cols])


def answered(frame: gpd.GeoDataFrame, path: Path, field: str = "class") -> Path:
    """The sample with the true class of each place."""
    rows, cols = np.floor(pixels_of(frame)).astype(int).T
    names = np.array(["", *NAMES])
    frame.assign(**{field: names[truth()[rows, cols]]}).to_file(path)
    return path


def test_places_are_centres_of_pixels_of_their_stratum(draw: Draw) -> None:
    frame = draw(count=150)
    places = pixels_of(frame)
    np.testing.assert_allclose(places % 1, 0.5)
    rows, cols = np.floor(places).astype(int).T
    assert [NAMES[c - 1] for c in damaged()[rows, cols]] == frame["stratum"].tolist()
    assert len(set(zip(rows, cols, strict=True))) == len(frame) == 150
    counts = np.bincount(damaged().ravel(), minlength=4)
    for c, name in enumerate(NAMES, start=1):
        own = frame[frame["stratum"] == name]
        assert set(own["stratum_px"]) == {counts[c]}
        assert set(own["stratum_n"]) == {len(own)}
        assert own["probability"].to_numpy() == pytest.approx(len(own) / counts[c])
    assert frame["class"].isna().all()
    assert frame["place"].tolist() == list(range(1, 151))


@pytest.mark.slow
def test_every_pixel_of_a_stratum_is_as_likely(draw: Draw) -> None:
    """Over 200 seeds: chi-square of the counts of pixels, within five standard deviations."""
    drawn: Counter[tuple[int, int]] = Counter()
    for seed in range(200):
        frame = draw(count=90, least=30, seed=seed)
        drawn.update((int(r), int(c)) for r, c in pixels_of(frame))
    for c in (1, 2, 3):
        counts = np.array([drawn[int(r), int(k)] for r, k in np.argwhere(damaged() == c)])
        expected = counts.sum() / len(counts)
        statistic = ((counts - expected) ** 2 / expected).sum() / (1 - expected / 200)
        degrees = len(counts) - 1
        assert abs(statistic - degrees) < 5 * np.sqrt(2 * degrees)


def test_order_of_places_is_random(draw: Draw) -> None:
    """Who stops half-way has visited a random half."""
    frame = draw(count=150)
    half = frame.head(75)["stratum"].value_counts() / frame["stratum"].value_counts()
    assert half.between(0.3, 0.7).all()
    assert np.corrcoef(frame["place"], pixels_of(frame)[:, 0])[0, 1] == pytest.approx(0, abs=0.3)


def test_equal_seeds_give_equal_files(class_map: Path, tmp_path: Path) -> None:
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        (tmp_path / name).mkdir()
        sample(class_map, tmp_path / name / "visit.gpkg", seed=seed, count=40, least=10)
    found = [(tmp_path / name / "visit.gpkg").read_bytes() for name in "abc"]
    assert found[0] == found[1] != found[2]


def test_sample_of_a_map_that_is_read_in_strips(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_class_map(tmp_path, damaged())
    found = []
    for rows in (256, 5, 1):
        monkeypatch.setattr("hsi_geo.tasks.sample.STRIP_PX", rows)
        sample(path, tmp_path / "visit.gpkg", count=80, overwrite=True)
        found.append((tmp_path / "visit.gpkg").read_bytes())
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("target", [0.05, 0.02])
def test_standard_error_is_the_wanted_one(class_map: Path, tmp_path: Path, target: float) -> None:
    """The assessment of the answered sample has about the standard error that was asked for."""
    visit = tmp_path / "visit.gpkg"
    found = sample(class_map, visit, target_se=target, expected=0.8, least=2)
    assert found.expected_se == pytest.approx(target, rel=0.1)
    frame = gpd.read_file(visit, layer="visit")
    reference = answered(frame, tmp_path / "answered.gpkg")
    result = assess(class_map, reference, design="stratified")
    assert (result.oa.high - result.oa.low) / (2 * 1.96) == pytest.approx(target, rel=0.35)


@pytest.mark.slow
def test_assess_covers_the_true_accuracy(class_map: Path, tmp_path: Path) -> None:
    """Of 40 samples, the 95 % intervals of all but a few hold the accuracy of the whole map."""
    true = (damaged() == truth())[truth() > 0].mean()
    held = 0
    for seed in range(40):
        sample(class_map, tmp_path / "v.gpkg", count=120, seed=seed, overwrite=True)
        frame = gpd.read_file(tmp_path / "v.gpkg", layer="v")
        found = assess(class_map, answered(frame, tmp_path / "a.gpkg"), design="stratified")
        held += found.oa.low <= true <= found.oa.high
    assert held >= 34


@pytest.mark.slow
def test_assess_takes_the_strata_of_the_file(
    class_map: Path, tmp_path: Path, recorder: Recorder
) -> None:
    """Small classes were pooled: the map's own classes would be no strata of this sample."""
    classes = damaged()
    classes[:2, :3] = 4
    path = write_class_map(tmp_path, classes, (*NAMES, "pond"), name="four.tif")
    visit = tmp_path / "visit.gpkg"
    found = sample(path, visit, target_se=0.1, least=300)
    assert [one.name for one in found.strata] == ["meadow", "asphalt", "deep water", "pond"] or (
        "other classes" in {one.name for one in found.strata}
    )
    frame = gpd.read_file(visit, layer="visit")
    reference = answered(frame, tmp_path / "answered.gpkg")
    result = assess(path, reference, design="stratified", reporter=recorder)
    assert result.more_places
    assert set(result.more_places) <= {one.name for one in found.strata}
    assert any("strata of the sample" in text for text in recorder.logs)
    # Another map of the same pixels may be assessed by it; one of less land may not.
    other = write_class_map(tmp_path, damaged(0.4, seed=8), name="other.tif")
    assert assess(other, reference, design="stratified").oa.value < result.oa.value
    small = write_class_map(tmp_path, damaged()[:20], name="small.tif")
    with pytest.raises(MapError, match="was drawn from"):
        assess(small, reference, design="stratified")


def test_places_that_nobody_visited_are_counted(
    class_map: Path, tmp_path: Path, recorder: Recorder
) -> None:
    sample(class_map, tmp_path / "visit.gpkg", count=100)
    frame = gpd.read_file(
        answered(gpd.read_file(tmp_path / "visit.gpkg", layer="visit"), tmp_path / "a.gpkg")
    )
    frame.loc[frame.index[:30], "class"] = None
    frame.to_file(tmp_path / "part.gpkg")
    result = assess(class_map, tmp_path / "part.gpkg", design="stratified", reporter=recorder)
    assert result.pixels == 70
    assert any("30 of 100 places" in text for text in recorder.warnings)
    frame["stratum_px"] = np.arange(len(frame)) + 1
    frame.to_file(tmp_path / "broken.gpkg")
    with pytest.raises(ShotsError, match="different numbers of pixels"):
        assess(class_map, tmp_path / "broken.gpkg", design="stratified")


def test_assess_says_how_many_more_places_halve_the_interval(
    class_map: Path, tmp_path: Path
) -> None:
    """Drawn again with so many more places, the interval is about half as wide."""
    sample(class_map, tmp_path / "v.gpkg", count=100, least=2)
    frame = gpd.read_file(tmp_path / "v.gpkg", layer="v")
    first = assess(class_map, answered(frame, tmp_path / "a.gpkg"), design="stratified")
    assert 200 < first.further_places < 350
    sample(
        class_map, tmp_path / "v.gpkg", count=100 + first.further_places, least=2, overwrite=True
    )
    frame = gpd.read_file(tmp_path / "v.gpkg", layer="v")
    second = assess(class_map, answered(frame, tmp_path / "b.gpkg"), design="stratified")
    ratio = (second.oa.high - second.oa.low) / (first.oa.high - first.oa.low)
    assert ratio == pytest.approx(0.5, abs=0.12)
    shown = run("assess", class_map, "--reference", tmp_path / "a.gpkg", "--design", "stratified")
    assert f"{first.further_places} further places would halve the interval" in shown.stdout


def test_a_simple_sample_has_one_stratum(class_map: Path, tmp_path: Path) -> None:
    found = sample(
        class_map, tmp_path / "visit.gpkg", design="simple", target_se=0.05, expected=0.8
    )
    assert [one.name for one in found.strata] == ["whole map"]
    assert found.places == pytest.approx(64, abs=3)  # 0.8 * 0.2 / 0.05^2, fewer in a small map
    frame = gpd.read_file(tmp_path / "visit.gpkg", layer="visit")
    assess(class_map, answered(frame, tmp_path / "a.gpkg"), design="simple")


def test_expected_accuracy_is_the_confidence_of_the_map(tmp_path: Path) -> None:
    paths = MapPaths.of(tmp_path / "map.tif", confidence=True)
    write_map(paths, random_probabilities())
    found = sample(paths.classes, tmp_path / "visit.gpkg")
    assert paths.confidence is not None
    with rasterio.open(paths.classes) as ids, rasterio.open(paths.confidence) as percent:
        classes, sure = ids.read(1), percent.read(1)
    for c, one in enumerate(found.strata, start=1):
        assert one.expected == pytest.approx(sure[classes == c].mean() / 100)


def test_form_asks_for_the_class_and_hides_the_map(class_map: Path, tmp_path: Path) -> None:
    sample(class_map, tmp_path / "visit.gpkg")
    style = gpd.read_file(tmp_path / "visit.gpkg", layer="layer_styles")["styleQML"][0]
    root = ET.fromstring(style)
    widgets = {
        f.get("name"): f.find("editWidget")
        for f in root.iter("field")
        if f.find("editWidget") is not None
    }
    kinds = {name: widget.get("type") for name, widget in widgets.items() if widget is not None}
    assert kinds["class"] == "ValueMap"
    assert all(
        kinds[name] == "Hidden" for name in ("stratum", "stratum_px", "stratum_n", "probability")
    )
    form = widgets["class"]
    assert form is not None
    offered = [one.get("value") for one in form.iter("Option") if one.get("type") == "QString"]
    assert offered == list(NAMES)


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"target_se": 0.0}, OptionError, "target_se"),
        ({"target_se": 0.6}, OptionError, "target_se"),
        ({"expected": 1.0}, OptionError, "expected"),
        ({"count": 1}, OptionError, "count= is a whole number of 2 or more"),
        ({"least": 1}, OptionError, "least= is a whole number of 2 or more"),
        ({"count": 100, "target_se": 0.02}, OptionError, "both given"),
        ({"count": 10**6}, OptionError, "1941 pixels"),
        ({"seed": -1}, OptionError, "seed"),
        ({"out": "visit.shp"}, OptionError, r"\.gpkg"),
    ],
)
def test_wrong_options_are_refused(
    class_map: Path, tmp_path: Path, options: dict[str, Any], error: type[HsiGeoError], text: str
) -> None:
    out = options.pop("out", "visit.gpkg")
    with pytest.raises(error, match=text):
        sample(class_map, tmp_path / out, **options)
    assert not (tmp_path / "visit.gpkg").exists()


def test_command_prints_the_strata(class_map: Path, tmp_path: Path) -> None:
    out = tmp_path / "visit.gpkg"
    shown = run("sample", class_map, "--target-se", 0.05, "-o", out, "--progress", "jsonl")
    assert shown.exit_code == 0, shown.stderr
    result = json.loads(shown.stderr.splitlines()[-1])
    assert result["count"] == len(gpd.read_file(out, layer="visit"))
    assert f"{result['count']} places; expected standard error" in shown.stdout
    assert all(name in shown.stdout for name in NAMES)


@pytest.mark.parametrize("field", [None, "class", "stratum", "place"])
def test_a_sample_that_nobody_filled_in_is_refused(
    draw: Draw, tmp_path: Path, field: str | None
) -> None:
    draw(count=60)
    with pytest.raises(ShotsError, match="no place of this sample has a class yet") as caught:
        read_shots(tmp_path / "visit.gpkg", class_field=field, purpose=REFERENCE)
    assert caught.value.hint == "fill in the field 'class'"


@pytest.mark.parametrize("field", ["stratum", "stratum_px", "place"])
def test_what_says_how_places_were_drawn_is_no_class(
    draw: Draw, tmp_path: Path, field: str
) -> None:
    path = answered(draw(count=60), tmp_path / "done.gpkg")
    with pytest.raises(ShotsError, match=f"'{field}' says how the places"):
        read_shots(path, class_field=field, purpose=REFERENCE)


def test_the_least_number_overrides_the_count_with_a_warning(
    class_map: Path, tmp_path: Path, recorder: Recorder
) -> None:
    found = sample(class_map, tmp_path / "a.gpkg", count=30, reporter=recorder)
    assert found.places == 60
    assert [text for text in recorder.warnings if "30 places are too few" in text]
    with pytest.raises(OptionError, match="30 places are too few for at least 20 in each of 3"):
        sample(class_map, tmp_path / "b.gpkg", count=30, least=20)
    assert not (tmp_path / "b.gpkg").exists()
