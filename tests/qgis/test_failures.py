"""What goes wrong is one sentence in QGIS, and news arrive as what they are."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Call = Callable[..., subprocess.CompletedProcess[str]]
Fake = Any  # defined in conftest, which tests cannot import


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"CLASS_FIELD": "clas"}, "has no field 'clas', only 'fid', 'class'"),
        ({"INPUT": "{shots}"}, "INPUT"),
        ({"MAX_MEMORY": "lots"}, "'lots' is no size"),
    ],
)
def test_bad_input_is_the_algorithms_error(
    changes: dict[str, str], said: str, call: Call, job: dict[str, Any]
) -> None:
    changed = {key: value.format(shots=job["labels"]) for key, value in changes.items()}
    shown = call("hsi_geo:classify", **{**job["parameters"], "LABELS": job["labels"], **changed})
    assert shown.returncode == 1, shown.stdout + shown.stderr
    assert re.search(said, shown.stderr), shown.stderr
    assert "Traceback" not in shown.stderr
    assert not Path(job["parameters"]["OUTPUT"]).exists()


ERROR = {"v": 1, "type": "error", "message": "die Szene fehlt völlig", "hint": "look", "code": "x"}


@pytest.mark.parametrize(
    ("events", "code", "said"),
    [
        ([ERROR], 1, "die Szene fehlt völlig; look"),
        (
            [{**ERROR, "hint": "move it, or give --overwrite"}],
            1,
            "die Szene fehlt völlig; move it\n",
        ),
        ([{**ERROR, "hint": "a smaller --max-memory"}], 1, "a smaller 'Memory for strips of the"),
        (
            [{**ERROR, "message": "--aoi?", "hint": "give --layer"}],
            1,
            "'Map only inside these polygons'?\n",
        ),
        ([{**ERROR, "v": 2}], 0, "speaks version 2 of its protocol, the plugin version 1; update"),
        (["Traceback", "ValueError: nichts"], 1, "exit code 1 (ValueError: nichts); run 'Check"),
        (["Error: No such option: --restat"], 2, "does not know what the plugin asks for"),
        ([], -9, "want of memory"),
    ],
)
def test_failures_are_one_sentence(
    events: list[Any], code: int, said: str, call: Call, fake: Fake, job: dict[str, Any]
) -> None:
    fake.tell(*events, code=code)
    shown = call(
        "hsi_geo:classify", python=str(fake.python), LABELS=job["labels"], **job["parameters"]
    )
    assert shown.returncode == 1
    (error,) = [line for line in shown.stderr.splitlines() if line.startswith("ERROR:")]
    assert said in f"{error}\n"


def test_news_arrive_as_what_they_are(call: Call, fake: Fake, job: dict[str, Any]) -> None:
    fake.tell(
        {"v": 1, "type": "log", "message": "größer als gedacht"},
        {"v": 1, "type": "warning", "message": "zu wenig für Ä"},
        {"v": 1, "type": "progress", "stage": "adapt", "done": 1, "total": 2, "eta_s": None},
        {"v": 1, "type": "unheard of", "message": "of later versions"},
        {"v": 1, "type": "result", "outputs": {"map": "map.tif"}},
    )
    shown = call(
        "hsi_geo:classify", python=str(fake.python), LABELS=job["labels"], **job["parameters"]
    )
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert "größer als gedacht" in shown.stdout.splitlines()
    assert re.search(r"^WARNING:\s+zu wenig für Ä$", shown.stdout + shown.stderr, re.MULTILINE)
    assert "adapt" in shown.stdout.splitlines()
