"""Tables of the results of a benchmark."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hsi_geo.tasks.benchmarking.drawings import BANDS, TITLES
from hsi_geo.tasks.benchmarking.methods import GROUPS

Entries = Sequence[dict[str, Any]]


def summary(entries: Entries) -> list[tuple[str, ...]]:
    """Summarise results in a table with a row for each method and a column for each scene.

    Each combination of scene, number of shots and split has a column. A grid of methods has one row, with the best
    method of the grid by hindsight.

    Args:
        entries: Entries of ``results.json``.

    Returns:
        The header and the rows; cells are mean and standard deviation of the overall accuracy in per cent.

    Examples:
        >>> entry = {"scene": "s", "method": "svm", "shots": 5, "split": "random", "oa": 0.5}
        >>> summary([entry])
        [('OA in per cent', 's, 5 points'), ('svm', '50.0 +- 0.0')]
    """
    columns = list(dict.fromkeys(_column(e) for e in entries))
    head = ("OA in per cent", *(_title(column) for column in columns))
    rows = [head]
    for name, members in rows_of(entries).items():
        cells = []
        for column in columns:
            by_method = {
                m: [100 * e["oa"] for e in entries if e["method"] == m and _column(e) == column]
                for m in members
            }
            best = max((v for v in by_method.values() if v), key=np.mean, default=None)
            cells.append("" if best is None else f"{np.mean(best):.1f} +- {np.std(best):.1f}")
        rows.append((name, *cells))
    return rows


def pooled(entries: Entries, methods: Sequence[str], *, deviations: bool = True) -> list[list[str]]:
    """Summarise the accuracy on each scene and the pooled error over all scenes.

    Args:
        entries: Entries of ``results.json`` with one number of shots and one split.
        methods: Methods in the order of the rows. A key of `methods.GROUPS` stands for the best method of its grid
            on each scene by hindsight, "best" for the best of all methods but the first.
        deviations: Whether to show standard deviations.

    Returns:
        The header and the rows; cells are means of the overall accuracy in per cent over the seeds that all
        methods have in common on a scene. The pooled error is the sum of 100 - OA over scenes.
    """
    members = {name: list(GROUPS.get(name, (name,))) for name in methods if name != "best"}
    if "best" in methods:
        members["best"] = [m for name in list(members)[1:] for m in members[name]]
    scenes = list(dict.fromkeys(e["scene"] for e in entries))
    found: dict[tuple[str, str], dict[int, float]] = {}
    for e in entries:
        found.setdefault((e["scene"], e["method"]), {})[e["seed"]] = 100 * e["oa"]
    rows = [["method", *scenes, "pooled error"]]
    seeds = {
        scene: set.intersection(
            *(set(found[scene, m]) for group in members.values() for m in group)
        )
        for scene in scenes
    }
    for name in methods:
        cells, error = [], 0.0
        for scene in scenes:
            candidates = [
                [found[scene, m][seed] for seed in sorted(seeds[scene])] for m in members[name]
            ]
            best = max(candidates, key=lambda values: float(np.mean(values)))
            error += 100 - float(np.mean(best))
            spread = f" +- {np.std(best):.1f}" if deviations and name != "best" else ""
            cells.append(f"{np.mean(best):.1f}{spread}")
        rows.append([_row_title(name), *cells, f"{error:.1f}"])
    return rows


def best_methods(entries: Entries) -> list[str]:
    """Choose the methods of a diagram: all methods, and the best one by hindsight of each grid.

    Args:
        entries: Entries of ``results.json``.
    """
    kept = []
    for members in rows_of(entries).values():
        means = {m: np.mean([e["oa"] for e in entries if e["method"] == m]) for m in members}
        kept.append(max(means, key=lambda m: float(means[m])))
    return kept


def markdown(entries: Entries) -> str:
    """Write a table in Markdown for each scene, number of shots and split.

    Args:
        entries: Entries of ``results.json``.
    """
    parts = []
    for column in dict.fromkeys(_column(e) for e in entries):
        here = [e for e in entries if _column(e) == column]
        parts += [f"## {_title(column)}", ""]
        parts += [
            "| method | OA | AA | kappa | ECE | seconds | seeds |",
            "|---|---|---|---|---|---|---|",
        ]
        for method in dict.fromkeys(e["method"] for e in here):
            of_method = [e for e in here if e["method"] == method]
            cells = [
                f"{100 * np.mean([e[key] for e in of_method]):.1f} +- {100 * np.std([e[key] for e in of_method]):.1f}"
                for key in ("oa", "aa", "kappa")
            ]
            ece = f"{100 * np.mean([e['ece'] for e in of_method]):.1f}"
            seconds = f"{np.mean([e['seconds_fit'] + e['seconds_map'] for e in of_method]):.1f}"
            parts.append(
                f"| {method} | {' | '.join(cells)} | {ece} | {seconds} | {len(of_method)} |"
            )
        parts.append("")
    return "\n".join(parts)


def rows_of(entries: Entries) -> dict[str, list[str]]:
    """Group methods by the title of their row; a grid of methods is one row.

    Args:
        entries: Entries of ``results.json``.
    """
    rows: dict[str, list[str]] = {}
    for method in dict.fromkeys(e["method"] for e in entries):
        group = next((g for g, members in GROUPS.items() if method in members), None)
        rows.setdefault(_row_title(group or method), []).append(method)
    return rows


def _row_title(name: str) -> str:
    if name == "best":
        return "best of these on each scene, by hindsight"
    return f"{name}-whiten grid, best by hindsight" if name in GROUPS else name


def title_of(entry: dict[str, Any]) -> str:
    """How the shots of a run were drawn, its split and bands, as a title.

    Args:
        entry: Entry of ``results.json``.

    Examples:
        >>> title_of({"shots": 5, "split": "blocked", "drawing": "wrong", "bands": "all"})
        '5 points, 1 in 5 wrong, blocked'
    """
    drawing, bands = entry.get("drawing", "points"), entry.get("bands", "all")
    title = TITLES[drawing].format(entry["shots"])
    parts = [title.replace("points", "point") if entry["shots"] == 1 else title]
    parts += [] if entry["split"] == "random" else [entry["split"]]
    parts += [] if bands == "all" else [BANDS[bands]]
    return ", ".join(parts)


def _column(entry: dict[str, Any]) -> tuple[str, str]:
    return entry["scene"], title_of(entry)


def _title(column: tuple[str, str]) -> str:
    return ", ".join(column)
