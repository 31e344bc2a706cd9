"""The line of a table that tells Excel its separator."""

from __future__ import annotations

from pathlib import Path

import pytest

from hsi_geo.io.labels.library_tables import read_table
from hsi_geo.io.labels.separator_lines import split_separator
from hsi_geo.io.labels.shot_reading import read_shots


@pytest.mark.parametrize(
    "line",
    ["sep={}", "SEP={}", '"sep={}"', "sep={}{}{}"],
    ids=["plain", "upper", "quoted", "filled"],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["unix", "windows"])
@pytest.mark.parametrize(
    ("encoding", "separator"),
    [("utf-8", ";"), ("utf-8-sig", ","), ("utf-8-sig", ";"), ("utf-16", "\t"), ("cp1252", "|")],
    ids=["semicolon", "mark-comma", "mark-semicolon", "utf16-tab", "cp1252-bar"],
)
def test_points(line: str, end: str, encoding: str, separator: str, tmp_path: Path) -> None:
    rows = ["x,y,class", "1.5,2,Röhricht", "4,3.25,rye"]
    text = end.join([line.replace("{}", separator), *(r.replace(",", separator) for r in rows), ""])
    for name in ("a.csv", "b.txt"):
        (tmp_path / name).write_bytes(text.encode(encoding))
        found = read_shots(tmp_path / name)
        assert [c.name for c in found.classes] == ["Röhricht", "rye"]
        assert found.frame.geometry.bounds[["minx", "miny"]].to_numpy().tolist() == [
            [1.5, 2.0],
            [4.0, 3.25],
        ]


def test_side_files_count(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("sep=;\nx;y;class\n1.5;2;7\n4;3.25;8\n")
    path.with_suffix(".csvt").write_text('"Real";"Real";"String"'.replace(";", ","))
    found = read_shots(path)
    assert [(c.name, c.value) for c in found.classes] == [("7", None), ("8", None)]


def test_a_library(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    bands = [450.5, 550, 650, 750, 850.25, 950]
    rows = [["name", *map(str, bands)], ["rye", *(f"0,{n}" for n in range(1, 7))]]
    path.write_text("sep=;\n" + "\n".join(";".join(row) for row in rows) + "\n")
    (found,) = read_table(path)
    assert found.name == "rye"
    assert found.values.tolist() == [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]


@pytest.mark.parametrize(
    "text",
    ["sep=1,2\n", "x,y\nsep=;\n", "sep,y\n", "sep=;1\n"],
    ids=["values", "second", "header", "cells"],
)
def test_other_lines_stay(text: str) -> None:
    assert split_separator(text) == (None, text)
