"""The benchmark: protocol, splits, continuation, tables."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from click.testing import CliRunner
from hsi_geo.cli.benchmark import command
from hsi_geo.cli.main import group
from hypothesis import given
from hypothesis import strategies as st

from hsi_geo.errors import ModelFileError, OptionError
from hsi_geo.tasks import benchmark as module
from hsi_geo.tasks.benchmark import DEFAULT_METHODS, OURS, VARIANTS, benchmark
from hsi_geo.tasks.benchmarking.baselines import BASELINES, BaselineFeatures
from hsi_geo.tasks.benchmarking.methods import BASELINE_NAMES, GROUPS
from hsi_geo.tasks.benchmarking.protocol import (
    BLOCKS_ALONG,
    SEEDS,
    calibration_error,
    draw_blocked,
    draw_shots,
    reliability,
)
from hsi_geo.tasks.benchmarking.tables import summary

CHEAP = ("svm", "logistic-regression")


def patches(seed: int, height: int = 41, width: int = 67) -> npt.NDArray[np.int64]:
    """Labels in patches, with gaps and a rare class."""
    generator = np.random.default_rng(seed)
    labels = np.repeat(np.repeat(generator.integers(0, 5, (9, 14)), 5, axis=0), 5, axis=1)
    labels = labels[:height, :width].astype(np.int64)
    labels[7, 11:14] = 9
    return labels


@given(seed=st.integers(0, 50), per_class=st.integers(1, 20))
def test_draw_shots_draws_each_class(seed: int, per_class: int) -> None:
    labels = patches(seed)
    shots = draw_shots(labels, per_class, seed)
    assert len(np.unique(shots)) == len(shots)
    for c in np.unique(labels[labels > 0]):
        pixels = int((labels == c).sum())
        assert (labels.ravel()[shots] == c).sum() == min(per_class, pixels // 2)


def test_draw_shots_draws_the_pixels_of_the_literature() -> None:
    """The same pixels as in the literature; with another order results would not be comparable."""
    labels = np.array([[1, 2, 2, 1], [0, 1, 2, 2], [1, 1, 2, 0]])
    generator = np.random.default_rng(1330)
    expected = [
        generator.choice(np.flatnonzero(labels.ravel() == c), 2, replace=False) for c in (1, 2)
    ]
    np.testing.assert_array_equal(draw_shots(labels, 2, 1330), np.concatenate(expected))


@given(seed=st.integers(0, 50), per_class=st.integers(1, 20))
def test_draw_blocked_separates_shots_and_test_pixels(seed: int, per_class: int) -> None:
    labels = patches(seed)
    shots, test = draw_blocked(labels, per_class, seed)
    side = max(labels.shape) // BLOCKS_ALONG

    def blocks(flat: npt.NDArray[np.int64]) -> set[tuple[int, int]]:
        rows, cols = np.divmod(flat, labels.shape[1])
        return set(zip((rows // side).tolist(), (cols // side).tolist(), strict=True))

    assert not blocks(shots) & blocks(test)
    assert set(labels.ravel()[shots]) == set(np.unique(labels[labels > 0]))
    assert (labels.ravel()[test] > 0).all()
    assert len(test) > 0


def test_calibration_error_follows_the_definition() -> None:
    right = np.array([True, True, False, True] * 25)
    assert calibration_error(reliability(np.full(100, 0.75), right)) == pytest.approx(0.0)
    assert calibration_error(reliability(np.full(100, 0.95), right)) == pytest.approx(0.2)
    halves = np.r_[np.full(50, 0.55), np.full(50, 0.99)]
    known = np.r_[np.ones(50, bool), np.ones(50, bool)]
    assert calibration_error(reliability(halves, known)) == pytest.approx(0.5 * 0.45 + 0.5 * 0.01)


@pytest.mark.parametrize(
    "name", ["svm", "random-forest", "logistic-regression", "auto", "pca-10-g1"]
)
def test_baselines_classify_planted_classes(name: str) -> None:
    generator = np.random.default_rng(4)
    truth = np.repeat(np.repeat(generator.integers(0, 3, (4, 6)), 6, axis=0), 6, axis=1)
    spectra = 5.0 * generator.normal(size=(3, 30))
    cube = spectra[truth].transpose(2, 0, 1) + generator.normal(size=(30, *truth.shape))
    values = np.array([4, 7, 30])
    shots = np.concatenate([np.flatnonzero(truth.ravel() == c)[:60:12] for c in range(3)])
    probabilities = BASELINES[name](BaselineFeatures(cube), shots, values[truth.ravel()[shots]], 0)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, rtol=1e-6)
    assert (probabilities.argmax(axis=1) == truth.ravel()).mean() > 0.9


@pytest.mark.slow
def test_benchmark_continues_an_interrupted_run(tmp_path: Path) -> None:
    first = benchmark(tmp_path, seeds=1, methods=CHEAP[:1])
    marked = json.loads(first.results.read_text())
    marked[0]["oa"] = 0.123  # measured anew it would not be this
    first.results.write_text(json.dumps(marked))
    second = benchmark(tmp_path, seeds=2, methods=CHEAP, splits=("random", "blocked"))
    assert second.entries[0]["oa"] == 0.123
    keys = {(e["method"], e["seed"], e["split"]) for e in second.entries}
    assert len(keys) == len(second.entries) == 8
    assert set(second.entries[1]) >= {
        "scene", "method", "shots", "seed", "split", "oa", "aa", "kappa", "f1", "ece",
        "seconds_fit", "seconds_map",
    }  # fmt: skip
    again = benchmark(tmp_path, seeds=1, methods=CHEAP[:1], overwrite=True)
    assert again.entries[0]["oa"] > 0.3
    assert again.plot.stat().st_size > 1000


def test_summary_has_one_row_for_a_grid() -> None:
    entry = {"scene": "s", "shots": 5, "split": "random", "seed": 1}
    entries = [
        {**entry, "method": name, "oa": oa}
        for name, oa in (("svm", 0.5), ("pca-10-g0", 0.4), ("pca-10-g1", 0.7))
    ]
    rows = summary(entries)
    assert [row[0] for row in rows[1:]] == ["svm", "pca-whiten grid, best by hindsight"]
    assert rows[2][1] == "70.0 +- 0.0"


def test_benchmark_refuses_unknown_names_and_files(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="no method 'magic'"):
        benchmark(tmp_path, methods=["magic"])
    with pytest.raises(OptionError, match="no benchmark scene 'mars'"):
        benchmark(tmp_path, scenes=["mars"])
    with pytest.raises(OptionError, match="no drawing 'circle'"):
        benchmark(tmp_path / "new", drawings=["circle"])
    with pytest.raises(OptionError, match="no choice of bands 'tir'"):
        benchmark(tmp_path / "new", bands=["tir"])
    assert not (tmp_path / "new").exists()
    (tmp_path / "results.json").write_text("{}[")
    with pytest.raises(ModelFileError, match="no results of a benchmark"):
        benchmark(tmp_path, methods=CHEAP)


def test_command_prints_a_table(tmp_path: Path) -> None:
    args = ["benchmark", "--seeds", "1", "--methods", "svm", "--shots", "1,5", "-o"]
    result = CliRunner().invoke(group, [*args, str(tmp_path / "out")])
    assert result.exit_code == 0, result.output
    assert "indian_pines, 5 points" in result.stdout
    assert (tmp_path / "out" / "table.md").read_text().startswith("## indian_pines, 1 point")
    wrong = CliRunner().invoke(group, [*args[:-1], "--shots", "many"])
    assert wrong.exit_code == 2


@pytest.mark.slow
def test_command_compares_ways_to_draw(tmp_path: Path) -> None:
    out = tmp_path / "out"
    options = ["--drawing", "points,stretch,wrong", "--bands", "all,eighth", "--seeds", "1"]
    args = ["benchmark", *options, "--methods", "svm", "--progress", "none", "-o", str(out)]
    result = CliRunner().invoke(group, args)
    assert result.exit_code == 0, result.output
    assert "1 polygon of 20 to 60 pixels, every eighth band" in result.stdout
    assert "plain more than 1 point ahead" in result.stdout
    entries = json.loads((out / "results.json").read_text())
    assert len({(e["drawing"], e["bands"], e["shots"]) for e in entries}) == len(entries) == 6
    assert {e["shots"] for e in entries if e["drawing"] == "stretch"} == {1}


def test_benchmark_reads_entries_without_drawing_and_bands(tmp_path: Path) -> None:
    first = benchmark(tmp_path, seeds=1, methods=CHEAP[:1])
    old = json.loads(first.results.read_text())[0]
    del old["drawing"], old["bands"]
    first.results.write_text(json.dumps([{**old, "oa": 0.123}]))
    again = benchmark(tmp_path, seeds=1, methods=CHEAP[:1])
    assert [(e["oa"], e["drawing"], e["bands"]) for e in again.entries] == [
        (0.123, "points", "all")
    ]


@pytest.mark.slow
def test_the_first_method_is_compared_whichever_was_measured_first(tmp_path: Path) -> None:
    one, other = CHEAP[:2]
    benchmark(tmp_path, seeds=1, methods=(other,))
    continued = benchmark(tmp_path, seeds=1, methods=(one, other))
    assert [entry["method"] for entry in continued.entries] == [one, other]


@pytest.mark.slow
def test_tables_show_the_runs_that_were_asked_for(tmp_path: Path) -> None:
    """Each once, without the seeds and shots of earlier calls in the folder."""
    one, other = CHEAP[:2]
    benchmark(tmp_path, shots=(2, 3, 2), seeds=2, methods=(one,), scenes=["indian_pines"] * 2)
    found = benchmark(tmp_path, shots=(3,), seeds=1, methods=(one, other))
    kept = json.loads(found.results.read_text())
    assert sorted(e["shots"] for e in kept if e["method"] == one) == [2, 2, 3, 3]
    assert [(e["method"], e["shots"], e["seed"]) for e in found.entries] == [
        (one, 3, SEEDS[0]),
        (other, 3, SEEDS[0]),
    ]
    assert found.table[0] == ("OA in per cent", "indian_pines, 3 points")


def test_command_help_lists_all_methods() -> None:
    printed = {option.name: getattr(option, "help", "") for option in command.params}["methods"]
    by_default, parts = (set(re.split(r"[ ,.]+", half)) for half in printed.split("Also"))
    methods = {*VARIANTS, *GROUPS, *BASELINES}
    assert tuple(BASELINES) == BASELINE_NAMES
    assert by_default & methods == set(DEFAULT_METHODS)
    assert parts & methods == set(VARIANTS) - {OURS}


@pytest.mark.slow
def test_command_uses_the_default_methods(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DEFAULT_METHODS", CHEAP)
    args = ["benchmark", "--seeds", "1", "--progress", "none", "-o", str(tmp_path)]
    result = CliRunner().invoke(group, args)
    assert result.exit_code == 0, result.output
    entries = json.loads((tmp_path / "results.json").read_text())
    assert [entry["method"] for entry in entries] == list(CHEAP)
