"""What a run that is cancelled when it is over, or nearly so, says and leaves."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Case = Callable[..., dict[str, Any]]

#: A program that prints some events and ends by itself, whoever wants to end it before.
PROGRAM = """#!{python} -I
import signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
for line in {lines!r}:
    print(line, file=sys.stderr, flush=True)
time.sleep(0.2)
sys.exit({code})
"""
RESULT = {"v": 1, "type": "result", "outputs": {}, "count": 3}
MESSAGE = {"v": 1, "type": "log", "message": "a message"}

#: Events, the exit code, the results, and what is said.
ENDS: list[tuple[list[dict[str, Any]], int, int | None, str]] = [
    ([RESULT, MESSAGE], 0, 3, "Cancelled when the run was over; its files stay."),
    ([RESULT, MESSAGE], 1, None, "cancelled; the files of the run were written already, and stay"),
    ([MESSAGE], 0, None, "cancelled; nothing was written"),
]


@pytest.mark.parametrize(("events", "code", "count", "said"), ENDS)
def test_a_late_cancel_tells_what_the_run_has_left(
    events: list[dict[str, Any]], code: int, count: int | None, said: str, case: Case,
    job: dict[str, Any], tmp_path: Path,
) -> None:  # fmt: skip
    program = tmp_path / "late"
    lines = [json.dumps(one) for one in events]
    program.write_text(PROGRAM.format(python=sys.executable, lines=lines, code=code))
    program.chmod(0o755)
    parameters = {"INPUT": job["parameters"]["INPUT"], "OUTPUT": str(tmp_path / "a.gpkg")}
    found = case("cancelled_late", python=program, algorithm="sample", parameters=parameters)
    if count is None:
        assert not found["ok"]
        assert found["error"] == said
    else:
        assert found["ok"]
        assert found["results"]["PLACES"] == count
        assert said in found["log"]
