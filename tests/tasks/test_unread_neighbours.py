"""A tile whose neighbour could not be read for a moment is mapped again by the next run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from batch_cases import Run

from hsi_geo.errors import SceneError
from hsi_geo.io.readers.raster_pixels import RasterPixels
from hsi_geo.tasks.tiles.batch_result import BatchResult


def states(result: BatchResult) -> dict[str, str]:
    return {Path(path).stem: outcome.state for path, outcome in result.outcomes.items()}


def record_of(result: BatchResult, tile: Path) -> Any:
    return json.loads(result.maps[str(tile)].with_suffix(".json").read_text())


def test_margin_that_was_not_read_is_a_warning_and_read_by_the_next_run(
    tiles: list[Path], map_tiles: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    left, right = tiles[:2]
    read = RasterPixels.read

    def refuse(self: RasterPixels, *arguments: Any) -> Any:
        if self.path == str(right):
            raise SceneError(f"scene '{right}' cannot be read", hint="copy it again")
        return read(self, *arguments)

    with monkeypatch.context() as patched:
        patched.setattr(RasterPixels, "read", refuse)
        first = map_tiles([left, right])
    assert states(first) == {left.stem: "mapped", right.stem: "failed"}
    (warning,) = first.outcomes[str(left)].warnings
    assert "may show a seam" in warning
    assert f"scene '{right}' cannot be read" in warning
    record = record_of(first, left)
    assert record["warnings"] == [warning]
    assert record["hashes"]["neighbours"] == []

    second = map_tiles([left, right])
    assert states(second) == {left.stem: "mapped", right.stem: "mapped"}
    assert not second.outcomes[str(left)].warnings
    assert len(record_of(second, left)["hashes"]["neighbours"]) == 1
    assert states(map_tiles([left, right])) == {left.stem: "unchanged", right.stem: "unchanged"}
