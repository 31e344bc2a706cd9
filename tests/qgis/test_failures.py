"""Errors are one sentence in QGIS; messages and warnings keep their kind."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Call = Callable[..., subprocess.CompletedProcess[str]]
Fake = Any  # defined in conftest, which tests cannot import


Case = Callable[..., dict[str, Any]]


@pytest.mark.slow
def test_bad_input_is_the_error_of_the_algorithm(
    call: Call, case: Case, job: dict[str, Any]
) -> None:
    """The first two are found by the plugin, the last one by hsi-geo."""
    common = {**job["parameters"], "LABELS": job["labels"]}
    rows = [{**common, "CLASS_FIELD": "clas"}, {**common, "INPUT": job["labels"]}]
    found = case("batch", algorithm="classify", rows=rows)["rows"]
    assert "has no field 'clas', only 'fid', 'class'" in found[0]["error"]
    assert "INPUT" in found[1]["error"]
    shown = call("hsi_geo:classify", **common, MAX_MEMORY="lots")
    assert shown.returncode == 1, shown.stdout + shown.stderr
    assert "'lots' is not a size" in shown.stderr
    assert "Traceback" not in shown.stderr
    assert not Path(job["parameters"]["OUTPUT"]).exists()


@pytest.mark.slow
def test_errors_have_names_of_layers_and_parameters(case: Case, job: dict[str, Any]) -> None:
    """Errors of hsi-geo itself: about an exported layer, and with options in message and hint."""
    found = case("without_crs", **job)
    job["parameters"]["WAVELENGTHS"] = "900:400"
    waves = case("selected_only", expression="true", **job)
    assert (found["ok"], waves["ok"]) == (False, False)
    assert "is set for shots 'Meine Flächen'" in found["error"]
    assert "'900:400' in 'Wavelengths' is neither a file" in waves["error"]
    for error in (found["error"], waves["error"]):
        assert not re.search(r"--[a-z]|\.gpkg|processing_", error), error


ERROR = {"v": 1, "type": "error", "message": "die Szene fehlt völlig", "hint": "look", "code": "x"}

#: Events, exit code, and what the message contains.
FAILURES: list[tuple[list[Any], int, str]] = [
    ([ERROR], 1, "die Szene fehlt völlig; look\n"),
    ([{**ERROR, "hint": "move it, or give --overwrite"}], 1, "die Szene fehlt völlig; move it\n"),
    ([{**ERROR, "hint": "a smaller --max-memory"}], 1, "a smaller 'Memory'"),
    (
        [{**ERROR, "message": "--aoi?", "hint": "give --layer"}],
        1,
        "'Map only inside these polygons'?\n",
    ),
    ([{**ERROR, "v": 2}], 0, "version 2 of its protocol, the plugin version 1; update"),
    (["Traceback", "ValueError: nichts"], 1, "exit code 1 (ValueError: nichts); run 'Check"),
    (["Error: No such option: --restat"], 2, "does not know an option of the plugin"),
    ([], -9, "too little memory"),
]


def test_failures_are_one_sentence(case: Case, fake: Fake, job: dict[str, Any]) -> None:
    fake.answer_in_turn([(events, code) for events, code, _ in FAILURES])
    rows = [{**job["parameters"], "LABELS": job["labels"]}] * len(FAILURES)
    found = case("batch", algorithm="classify", rows=rows, python=fake.python)["rows"]
    for row, (_, _, text) in zip(found, FAILURES, strict=True):
        assert not row["ok"]
        assert text in row["error"] + "\n"
        assert "\n" not in row["error"]


def test_a_failure_is_the_error_of_qgis_process(
    call: Call, fake: Fake, job: dict[str, Any]
) -> None:
    fake.answer(ERROR, code=1)
    shown = call(
        "hsi_geo:classify", python=str(fake.python), LABELS=job["labels"], **job["parameters"]
    )
    assert shown.returncode == 1
    (error,) = [line for line in shown.stderr.splitlines() if line.startswith("ERROR:")]
    assert "die Szene fehlt völlig; look" in error


def test_events_become_messages_and_warnings(call: Call, fake: Fake, job: dict[str, Any]) -> None:
    fake.answer(
        {"v": 1, "type": "log", "message": "größer als gedacht"},
        {"v": 1, "type": "warning", "message": "zu wenig für Ä"},
        {
            "v": 1,
            "type": "progress",
            "stage": "Training the network",
            "done": 1,
            "total": 2,
            "eta_s": None,
        },
        {"v": 1, "type": "unheard of", "message": "of later versions"},
        {"v": 1, "type": "result", "outputs": {"map": "map.tif"}},
    )
    shown = call(
        "hsi_geo:classify", python=str(fake.python), LABELS=job["labels"], **job["parameters"]
    )
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert "größer als gedacht" in shown.stdout.splitlines()
    assert re.search(r"^WARNING:\s+zu wenig für Ä$", shown.stdout + shown.stderr, re.MULTILINE)
    assert "Training the network" in shown.stdout.splitlines()
