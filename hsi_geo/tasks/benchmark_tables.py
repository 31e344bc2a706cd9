"""Tables of a benchmark's results, for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hsi_geo.tasks.baselines import GROUPS

Entries = Sequence[dict[str, Any]]


def summary(entries: Entries) -> list[tuple[str, ...]]:
    """Rows of text: a head, then a method a row with its accuracy on each scene.

    Of several numbers of shots or splits each gets a column of its own. The grids are shown as
    the best of them by hindsight.
    """
    columns = list(dict.fromkeys(_column(e) for e in entries))
    head = ("OA in per cent", *(_title(column) for column in columns))
    rows = [head]
    for name, members in _rows(entries).items():
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


def best_methods(entries: Entries) -> list[str]:
    """Methods for a plot: all but grids, of which the best by hindsight is kept."""
    kept = []
    for members in _rows(entries).values():
        means = {m: np.mean([e["oa"] for e in entries if e["method"] == m]) for m in members}
        kept.append(max(means, key=lambda m: float(means[m])))
    return kept


def markdown(entries: Entries) -> str:
    """A table in Markdown for each scene, number of shots and split."""
    parts = []
    for column in dict.fromkeys(_column(e) for e in entries):
        here = [e for e in entries if _column(e) == column]
        parts += [f"## {_title(column)}", ""]
        parts += [
            "| method | OA | AA | kappa | ECE | seconds | seeds |",
            "|---|---|---|---|---|---|---|",
        ]
        for method in dict.fromkeys(e["method"] for e in here):
            own = [e for e in here if e["method"] == method]
            cells = [
                f"{100 * np.mean([e[key] for e in own]):.1f} +- {100 * np.std([e[key] for e in own]):.1f}"
                for key in ("oa", "aa", "kappa")
            ]
            ece = f"{100 * np.mean([e['ece'] for e in own]):.1f}"
            seconds = f"{np.mean([e['seconds_fit'] + e['seconds_map'] for e in own]):.1f}"
            parts.append(f"| {method} | {' | '.join(cells)} | {ece} | {seconds} | {len(own)} |")
        parts.append("")
    return "\n".join(parts)


def _rows(entries: Entries) -> dict[str, list[str]]:
    """Methods by the name of their row: a grid is one row."""
    rows: dict[str, list[str]] = {}
    for method in dict.fromkeys(e["method"] for e in entries):
        group = next((g for g, members in GROUPS.items() if method in members), None)
        title = method if group is None else f"{group}-whiten grid, best by hindsight"
        rows.setdefault(title, []).append(method)
    return rows


def _column(entry: dict[str, Any]) -> tuple[str, int, str]:
    return entry["scene"], entry["shots"], entry["split"]


def _title(column: tuple[str, int, str]) -> str:
    scene, shots, split = column
    return f"{scene}, {shots} shots" + ("" if split == "random" else f", {split}")
