"""Maps against reference labels: numbers, the matching of classes, and what is shown."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
from assess_cases import NAMES, damaged, truth
from click.testing import CliRunner, Result
from hsi_geo.cli.main import group
from sklearn.metrics import cohen_kappa_score

from hsi_geo import assess
from hsi_geo.io.maps.reader import read_map

WriteMap = Callable[..., Path]
WritePoints = Callable[..., Path]


def run(*args: object) -> Result:
    return CliRunner().invoke(group, ["assess", *map(str, args)])


# The map against its reference -------------------------------------------------------------------


def test_assess_computes_accuracies_of_pixels(write_map: WriteMap, everywhere: Path) -> None:
    found = assess(write_map(damaged()), everywhere)
    at = np.argwhere(truth() > 0)[::5]
    mapped, actual = damaged()[*at.T], truth()[*at.T]
    assert found.oa.value == pytest.approx((mapped == actual).mean())
    assert found.kappa is not None
    assert found.kappa.value == pytest.approx(cohen_kappa_score(actual, mapped))
    assert found.matrix.sum() == found.pixels == found.features == len(at)
    for index, score in enumerate(found.scores, start=1):
        assert score.name == NAMES[index - 1]
        assert score.reference == (actual == index).sum()
        right = ((mapped == index) & (actual == index)).sum()
        for estimate, value in (
            (score.user, right / (mapped == index).sum()),
            (score.producer, right / (actual == index).sum()),
            (score.f1, 2 * right / ((mapped == index).sum() + (actual == index).sum())),
        ):
            assert estimate is not None
            assert estimate.value == pytest.approx(value)
            assert estimate.low < estimate.value < estimate.high
    assert found.oa.low < found.aa.value < found.oa.high


def test_assess_gives_interval_if_all_pixels_agree(write_map: WriteMap, everywhere: Path) -> None:
    for design in (None, "stratified"):
        found = assess(write_map(truth()), everywhere, design=design)
        assert found.oa.value == 1.0
        assert found.oa.low < 1.0
        assert found.kappa is not None
        assert found.kappa.value == 1.0
        assert all(s.user is not None and s.user.low < 1.0 for s in found.scores)


def test_assess_counts_polygons_as_one_trial(
    write_map: WriteMap, write_points: WritePoints
) -> None:
    at = np.array([[11, 13], [30, 9], [8, 40], [31, 20], [15, 45]])
    points = assess(write_map(damaged()), write_points(at))
    discs = assess(write_map(damaged()), write_points(at, buffer=90.0))
    assert discs.pixels > 5 * points.pixels
    assert discs.features == points.features == 5
    assert discs.oa.high - discs.oa.low > 0.4  # five trials, however many pixels


def test_assess_matches_classes_by_name(write_map: WriteMap, write_points: WritePoints) -> None:
    """The reference's own ids run the other way round."""
    at = np.argwhere(truth() > 0)[::7]
    reference = write_points(at, ("", "meadow", "tarmac", "deep water"))
    found = assess(write_map(truth()), reference)
    assert found.only_in_map == ("asphalt",)
    assert found.only_in_reference == ("tarmac",)
    assert [score.name for score in found.scores] == [*NAMES, "tarmac"]
    lost = (truth()[*at.T] == 2).mean()
    assert found.oa.value == pytest.approx(1 - lost)
    assert found.matrix[1, 3] == (truth()[*at.T] == 2).sum()
    assert found.scores[1].producer is None
    assert found.scores[3].user is None


@pytest.mark.parametrize("design", [None, "simple"])
def test_assess_accepts_reference_of_one_class(
    design: Any, write_map: WriteMap, write_points: WritePoints, tmp_path: Path
) -> None:
    """Are these places water? Every other row is asked about."""
    at = np.argwhere(truth() == 3)[::2]
    path, reference = write_map(damaged()), write_points(at)
    found = assess(path, reference, design=design, out=tmp_path / "page.html")
    right = (damaged()[*at.T] == 3).mean()
    assert found.only_in_map == NAMES[:2]
    assert found.matrix[:, 2].sum() == found.matrix.sum() == len(at)
    assert found.scores[2].producer is not None
    assert found.aa.value == found.scores[2].producer.value
    if design is None:
        assert found.oa.value == pytest.approx(right)
    styles = tmp_path / "classes.json"
    styles.write_text('{"deep water": {"color": "#0000ff"}}')
    args = [path, "--reference", reference, "--classes", styles]
    result = run(*args, *(["--design", design] if design else []))
    assert result.exit_code == 0, result.output


def test_assess_accepts_map_of_one_class(write_map: WriteMap, write_points: WritePoints) -> None:
    water = np.where(truth() == 3, 3, 0).astype(np.uint8)
    found = assess(write_map(water), write_points(np.argwhere(truth() == 3)[::3]))
    assert found.oa.value == 1.0
    assert found.kappa is None


def test_assess_matches_numbers_without_names(
    write_map: WriteMap, write_points: WritePoints
) -> None:
    reference = write_points(np.argwhere(truth() > 0)[::7], (0, 1, 2, 3))
    assert assess(write_map(truth(), names=None), reference).oa.value == 1.0


def test_assess_merges_values_of_one_name(write_map: WriteMap, write_points: WritePoints) -> None:
    names = ("green", "grey", "green")
    reference = write_points(np.argwhere(truth() > 0)[::7], ("", *names))
    for design in (None, "stratified"):
        found = assess(write_map(truth(), names), reference, design=design)
        assert [score.name for score in found.scores] == ["green", "grey"]
        assert found.oa.value == 1.0


def test_read_map_takes_names_of_attribute_table(write_map: WriteMap) -> None:
    path = write_map(truth())
    aux = path.with_name("map.tif.aux.xml")
    text = re.sub(r"<CategoryNames>.*</CategoryNames>", "", aux.read_text(), flags=re.DOTALL)
    aux.write_text(text)
    assert read_map(path).names == dict(enumerate(NAMES, start=1))


def test_counts_and_values_of_map_of_several_strips(write_map: WriteMap) -> None:
    classes = np.tile(damaged(), (9, 1))
    path = write_map(classes)
    expected = dict(enumerate(np.bincount(classes.ravel())[1:].tolist(), start=1))
    assert read_map(path).counts() == expected
    rows, cols = np.argwhere(classes >= 0)[::97].T
    assert (read_map(path).values_at(rows, cols) == classes[rows, cols]).all()


# What is shown -----------------------------------------------------------------------------------


def test_assess_command_prints_table_and_json(write_map: WriteMap, everywhere: Path) -> None:
    path = write_map(damaged())
    result = run(path, "--reference", everywhere, "--design", "stratified")
    assert result.exit_code == 0, result.output
    for text in (*NAMES, "overall accuracy", "kappa", "producer's", " ha", "Olofsson"):
        assert text in result.stdout
    found = json.loads(run(path, "--reference", everywhere, "--json").stdout)
    assert found["oa"] == {
        "value": pytest.approx(assess(path, everywhere).oa.value),
        "low": pytest.approx(assess(path, everywhere).oa.low),
        "high": pytest.approx(assess(path, everywhere).oa.high),
    }
    printed = run(path, "--reference", everywhere, "--progress", "jsonl")
    event = json.loads(printed.stderr.splitlines()[-1])
    assert event["type"] == "result"
    assert event["assessment"] == found


@pytest.mark.usefixtures("quick")
@pytest.mark.slow
def test_assess_warns_if_reference_is_the_shots(planted: Any, tmp_path: Path) -> None:
    shots = planted.shots(tmp_path / "shots.gpkg")
    out = tmp_path / "m.tif"
    made = CliRunner().invoke(
        group, ["classify", str(planted.path), "--shots", str(shots), "-o", str(out)]
    )
    assert made.exit_code == 0, made.output
    assert "was made from these labels" in run(out, "--reference", shots).stderr
    frame = gpd.read_file(shots)
    frame[::-1].to_file(tmp_path / "relisted.geojson")
    assert (
        "was made from these labels"
        in run(out, "--reference", tmp_path / "relisted.geojson").stderr
    )
    others = planted.shots(tmp_path / "others.gpkg", per_class=6)
    assert "was made from these labels" not in run(out, "--reference", others).stderr


@pytest.mark.parametrize(
    "record",
    [None, [], {"adaptation": None}, {"adaptation": "none"}, {"adaptation": {"hashes": [1]}}],
)
def test_assess_ignores_records_of_other_programs(
    record: object, write_map: WriteMap, everywhere: Path
) -> None:
    path = write_map(damaged())
    path.with_suffix(".json").write_text(json.dumps(record))
    assert assess(path, everywhere).pixels > 0


def test_report_of_few_mapped_pixels_has_no_picture(
    write_map: WriteMap, write_points: WritePoints, tmp_path: Path
) -> None:
    """The picture takes every fourth row and column, and none of those is mapped."""
    classes = np.zeros((3000, 2900), np.uint8)
    classes[11:13, 15:17] = truth()[11:13, 15:17]
    reference = write_points(np.array([[11, 15], [12, 16], [20, 25]]))
    page = tmp_path / "page.html"
    assert assess(write_map(classes), reference, out=page).pixels == 2
    assert "too few to show" in page.read_text(encoding="utf-8")
