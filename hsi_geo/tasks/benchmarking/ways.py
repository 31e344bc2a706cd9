"""Comparison of ways to draw shots, splits and choices of bands: where are plain classifiers ahead?

A way is a drawing with its number of shots, a split and a choice of bands. A cell is one scene and one way. Plain
classifiers are the baselines without a setting that is chosen by hindsight.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hsi_geo.tasks.benchmarking.methods import BASELINE_NAMES, GROUPS
from hsi_geo.tasks.benchmarking.tables import Entries, rows_of, title_of

#: Names of the plain classifiers.
PLAIN = tuple(name for name in BASELINE_NAMES if not any(name in grid for grid in GROUPS.values()))

#: Per cent by which a plain classifier must be better to be counted as ahead.
AHEAD_POINTS = 1.0

Rows = list[tuple[str, ...]]
Cells = dict[tuple[str, str], dict[str, float]]


def has_several_ways(entries: Entries) -> bool:
    """Whether runs differ by more than their number of points, scene, method and seed.

    Args:
        entries: Entries of ``results.json``.
    """
    return len({(e["drawing"], e["bands"], e["split"]) for e in entries}) > 1


def compare_ways(entries: Entries) -> Rows:
    """Make a table with a row for each cell.

    Args:
        entries: Entries of ``results.json``.

    Returns:
        The header and the rows: scene, way, mean overall accuracy in per cent of each method, expected calibration error
        of the first method in per cent. The best plain classifier of a cell has a star.

    Examples:
        >>> run = {"scene": "s", "shots": 5, "split": "random", "drawing": "points", "bands": "all", "seed": 1}
        >>> rows = [{**run, "method": m, "oa": oa, "ece": 0.1} for m, oa in (("hsi-geo", 0.9), ("svm", 0.5))]
        >>> compare_ways(rows)[1]
        ('s', '5 points', '90.0', '50.0 *', '10.0')
    """
    titles = list(rows_of(entries))
    rows: Rows = [("scene", "shots of a class", *titles, f"ECE of {titles[0]}")]
    for (scene, way), accuracies in _cells(entries).items():
        plain = _best_plain(accuracies)
        cells = [
            "" if title not in accuracies else f"{accuracies[title]:.1f}" + " *" * (title == plain)
            for title in titles
        ]
        of_cell = [e for e in entries if (e["scene"], title_of(e)) == (scene, way)]
        ece = [e["ece"] for e in of_cell if e["method"] == titles[0]]
        rows.append((scene, way, *cells, f"{100 * np.mean(ece):.1f}" if ece else ""))
    return rows


def sum_ways(entries: Entries) -> Rows:
    """Make a table with a row for each way, over all scenes.

    Args:
        entries: Entries of ``results.json``.

    Returns:
        The header and the rows: way; pooled error of each method, the sum over scenes of 100 per cent minus the mean
        overall accuracy; pooled error of the best plain classifier of each scene; number of cells in which a plain
        classifier is more than `AHEAD_POINTS` ahead of the first method, and number of cells.
    """
    titles, cells = list(rows_of(entries)), _cells(entries)
    ahead = f"plain more than {AHEAD_POINTS:g} point ahead"
    rows: Rows = [("pooled error", *titles, "best plain, by hindsight", ahead)]
    for way in dict.fromkeys(way for _, way in cells):
        here = [accuracies for (_, w), accuracies in cells.items() if w == way]
        errors = [
            f"{sum(100 - a[title] for a in here):.1f}" if all(title in a for a in here) else ""
            for title in titles
        ]
        compared = [(a, plain) for a in here if (plain := _best_plain(a)) and titles[0] in a]
        best = sum(100 - a[plain] for a, plain in compared)
        count = sum(a[plain] > a[titles[0]] + AHEAD_POINTS for a, plain in compared)
        plain_cells = (f"{best:.1f}", f"{count} of {len(compared)}") if compared else ("", "")
        rows.append((way, *errors, *plain_cells))
    return rows


def _cells(entries: Entries) -> Cells:
    """Mean accuracy in per cent of each method by scene and way, over the seeds that all methods have."""
    runs: dict[tuple[str, str], dict[str, dict[int, float]]] = {}
    for e in entries:
        of_cell = runs.setdefault((e["scene"], title_of(e)), {})
        of_cell.setdefault(e["method"], {})[e["seed"]] = 100 * e["oa"]
    return {
        key: _means(by_method, rows_of([e for e in entries if e["method"] in by_method]))
        for key, by_method in runs.items()
    }


def _means(by_method: dict[str, dict[int, float]], rows: dict[str, Any]) -> dict[str, float]:
    """Mean over common seeds by the title of a row; a grid has that of its best method."""
    seeds = sorted(set.intersection(*(set(values) for values in by_method.values())))
    if not seeds:
        return {}
    return {
        title: max(float(np.mean([by_method[m][seed] for seed in seeds])) for m in members)
        for title, members in rows.items()
    }


def _best_plain(accuracies: dict[str, float]) -> str | None:
    plain = [name for name in accuracies if name in PLAIN]
    return max(plain, key=lambda name: accuracies[name], default=None)
