"""Reports of assessments, and texts of users in reports."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from builders import run
from report_pages import Page

from hsi_geo import assess, classify
from hsi_geo.errors import OptionError
from hsi_geo.io.reports.html import Report, Section, Table, write_report

if TYPE_CHECKING:
    from planted import Planted

pytestmark = pytest.mark.usefixtures("quick")


@pytest.mark.parametrize("design", [None, "simple"])
@pytest.mark.slow
def test_assess_writes_a_report(planted: Planted, tmp_path: Path, design: str | None) -> None:
    out = tmp_path / "m.tif"
    classify(planted.path, planted.shots(tmp_path / "shots.gpkg"), out=out)
    reference = planted.shots(tmp_path / "reference.gpkg", per_class=7)
    page_path = tmp_path / "page.html"
    args: list[object] = ["assess", out, "--reference", reference, "-o", page_path]
    args += ["--design", design] if design else []
    shown = run(*args, "--progress", "jsonl")
    assert shown.exit_code == 0, shown.output
    result = json.loads(shown.stderr.strip().splitlines()[-1])
    assert result["outputs"] == {"report": str(page_path)}
    page = Page(page_path)
    assert ("Areas" in page.headings) == (design is not None)
    assert re.search(r"Overall accuracy of the (reference pixels|whole map): \d", page.text)
    found = assess(out, reference, design=design)  # type: ignore[arg-type]
    assert page.row("kappa")[1] == f"{found.kappa} %"
    for score in found.scores:
        assert page.row(score.name)[1:4] == [
            str(score.mapped),
            str(score.reference),
            str(score.user),
        ]
    (shown_map,) = page.pictures
    assert shown_map.shape[:2] == planted.truth.shape
    assert "already there" in run(*args).output
    assert run(*args, "--overwrite").exit_code == 0
    with pytest.raises(OptionError, match=r"does not end in \.html"):
        assess(out, reference, out=tmp_path / "page.pdf")


def test_report_escapes_text_of_users(tmp_path: Path) -> None:
    table = Table(("class", "<i>"), [("<script>alert(1)</script>", "&")], colors=["#ff0000"])
    report = Report("<b>", "a < b", ["<img src=x>"], [Section("s", tables=(table,))], "a && b")
    write_report(report, tmp_path / "a.html")
    page = Page(tmp_path / "a.html")
    assert "script" not in page.html.replace("&lt;script&gt;", "").replace("&lt;/script&gt;", "")
    assert page.asked == []
    assert page.row("<script>alert(1)</script>") == ["<script>alert(1)</script>", "&"]
