"""Tables that compare ways to draw shots."""

from __future__ import annotations

from typing import Any

from hsi_geo.tasks.benchmarking.ways import PLAIN, compare_ways, has_several_ways, sum_ways


def entry(scene: str, drawing: str, method: str, oa: float, seed: int = 1) -> dict[str, Any]:
    """One run, as in results.json."""
    return {
        "scene": scene,
        "shots": 5,
        "split": "random",
        "drawing": drawing,
        "bands": "all",
        "method": method,
        "seed": seed,
        "oa": oa,
        "ece": 0.05,
    }


ENTRIES = [
    entry("a", "points", "hsi-geo", 0.9),
    entry("a", "points", "svm", 0.8),
    entry("a", "points", "auto", 0.85),
    entry("a", "wrong", "hsi-geo", 0.7),
    entry("a", "wrong", "svm", 0.75),
    entry("a", "wrong", "auto", 0.6),
    entry("b", "points", "hsi-geo", 0.9),
    entry("b", "points", "svm", 0.905),
    entry("b", "points", "auto", 0.5),
    entry("b", "wrong", "hsi-geo", 0.5),
    entry("b", "wrong", "svm", 0.4),
    entry("b", "wrong", "auto", 0.45),
]


def test_plain_classifiers_have_no_setting_of_hindsight() -> None:
    assert set(PLAIN) == {"svm", "random-forest", "logistic-regression", "auto"}


def test_compare_ways_marks_the_best_plain_classifier_of_a_cell() -> None:
    rows = compare_ways(ENTRIES)
    assert rows[0] == ("scene", "shots of a class", "hsi-geo", "svm", "auto", "ECE of hsi-geo")
    assert rows[1:3] == [
        ("a", "5 points", "90.0", "80.0", "85.0 *", "5.0"),
        ("a", "5 points, 1 in 5 wrong", "70.0", "75.0 *", "60.0", "5.0"),
    ]


def test_sum_ways_counts_cells_in_which_a_plain_classifier_is_ahead() -> None:
    rows = sum_ways(ENTRIES)
    assert rows[0][-2:] == ("best plain, by hindsight", "plain more than 1 point ahead")
    assert rows[1:] == [
        ("5 points", "20.0", "29.5", "65.0", "24.5", "0 of 2"),
        ("5 points, 1 in 5 wrong", "80.0", "85.0", "95.0", "80.0", "1 of 2"),
    ]


def test_means_are_over_the_seeds_that_all_methods_have() -> None:
    more = [*ENTRIES, entry("a", "points", "hsi-geo", 0.1, seed=2)]
    assert compare_ways(more)[1] == compare_ways(ENTRIES)[1]


def test_grids_take_their_best_setting_and_are_not_plain() -> None:
    grids = [entry("a", "points", f"pca-10-g{g}", oa) for g, oa in ((0, 0.2), (1, 0.95))]
    rows = compare_ways([*ENTRIES, *grids])
    assert rows[1][-2:] == ("95.0", "5.0")
    assert rows[1][4] == "85.0 *"


def test_several_ways_are_drawings_bands_or_splits() -> None:
    assert has_several_ways(ENTRIES)
    assert not has_several_ways([{**e, "drawing": "wrong"} for e in ENTRIES])
    assert has_several_ways([ENTRIES[0], {**ENTRIES[0], "bands": "vnir"}])
    assert not has_several_ways([ENTRIES[0], {**ENTRIES[0], "shots": 3}])
