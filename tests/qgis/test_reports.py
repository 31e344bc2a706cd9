"""Reports of runs in QGIS: parameters and algorithms in their messages, names of layers in their command."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hsi_geo_qgis.record import record_path
from hsi_geo_qgis.wording import page_in_dialog

Case = Callable[..., dict[str, Any]]
Fake = Any  # defined in conftest, which tests cannot import

TITLES = {"--aoi": "Area", "--min-area": "Patches"}
NAMES = {"/tmp/q/1/a&b.gpkg": "Wald & Wiese", "/tmp/q/1": "wrong", "/tmp/q/2/m.st": "/home/m.st"}

#: A part of a report, and the same in QGIS.
PAGES = [
    ("<p>give --aoi, or see hsi-geo info</p>", "<p>give 'Area', or see 'Describe scene'</p>"),
    ("<td>hsi-geo assess with --design.</td>", "<td>'Assess map' with 'Sampling design'.</td>"),
    ("<p>--min-area 5 ha &lt; 1 px</p>", "<p>5 ha in 'Patches' &lt; 1 px</p>"),
    ("<p>--min-area 5 ha.</p>", "<p>5 ha in 'Patches'.</p>"),
    ("<p>--min-area 5 has to</p>", "<p>5 in 'Patches' has to</p>"),
    ("<p>give --count 40 or more, or none</p>", "<p>give 40 or more in 'count', or none</p>"),
    ("<p>give --min-area 5 or --aoi</p>", "<p>give 5 in 'Patches' or 'Area'</p>"),
    (
        "<p>run hsi-geo sample map.tif -o visit.gpkg.</p>",
        "<p>run 'Draw places to check a map'.</p>",
    ),
    (
        "<p>(hsi-geo assess '/a b/m.tif' --design simple --min-area 5 ha) tells</p>",
        "<p>('Assess map') tells</p>",
    ),
    ("<p>run hsi-geo doctor. Then go on</p>", "<p>run 'Check environment'. Then go on</p>"),
    ("<li>'/tmp/q/1/a&amp;b.gpkg' is empty</li>", "<li>'Wald &amp; Wiese' is empty</li>"),
    (
        "<pre>hsi-geo classify --aoi '/tmp/q/1/a&amp;b.gpkg' --save-model /tmp/q/2/m.st</pre>",
        "<pre>hsi-geo classify --aoi 'Wald &amp; Wiese' --save-model /home/m.st</pre>",
    ),
    ("<style>a{--aoi: 1}</style><p>&quot;x&quot;</p>", "<style>a{--aoi: 1}</style><p>&quot;x&quot;</p>"),
    ("<td>rye--oats</td><td>a -- b</td>", "<td>rye--oats</td><td>a -- b</td>"),
]  # fmt: skip


@pytest.mark.parametrize(("page", "expected"), PAGES)
def test_a_report_has_the_words_of_the_dialog(page: str, expected: str) -> None:
    assert page_in_dialog(f"{page}\n", TITLES, NAMES) == f"{expected}\n"


@pytest.mark.parametrize("algorithm", ["classify", "compare"])
def test_reports_name_no_option_but_in_their_command(
    algorithm: str, case: Case, fake: Fake, job: dict[str, Any], tmp_path: Path
) -> None:
    out, page, wanted = tmp_path / "out.tif", tmp_path / "page.html", tmp_path / "wanted.html"
    command = f"hsi-geo {algorithm} a.tif --max-memory 5 --out {out}"
    page.write_text(f"<p>give --max-memory, or --smooth</p><pre>{command}</pre>")
    entry = {"size": page.stat().st_size, "sha256": "0" * 64}
    Path(record_path(str(out))).write_text(json.dumps({"files": {"report": entry}}))
    fake.answer(
        {
            "v": 1, "type": "result", "comparison": {"changed_share": 0.25}, "accuracy": {},
            "outputs": {"map": str(out), "report": str(page)},
        }
    )  # fmt: skip
    scene = job["parameters"]["INPUT"]
    given = {
        "classify": {"INPUT": scene, "LABELS": job["labels"], "CLASS_FIELD": "class"},
        "compare": {"OLD": scene, "NEW": scene},
    }[algorithm]
    parameters = {**given, "OUTPUT": str(tmp_path / "new.tif"), "REPORT": str(wanted)}
    (row,) = case(
        "several_runs", rows=[{"algorithm": algorithm, "parameters": parameters}],
        python=fake.python,
    )["rows"]  # fmt: skip
    assert row["ok"], row
    text = wanted.read_text(encoding="utf-8")
    message, shown = text.removesuffix("</pre>").split("<pre>")
    assert "--" not in message
    assert shown == command
    kept = json.loads(Path(record_path(str(out))).read_text(encoding="utf-8"))
    assert kept["files"]["report"]["size"] == len(text.encode())  # the record describes it as it is
