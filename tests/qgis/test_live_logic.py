"""What of the dock works without QGIS: the protocol, axes and texts."""

from __future__ import annotations

import doctest
import importlib
import json
import math

import pytest
from hsi_geo_qgis.live import axes, rpc
from hypothesis import given
from hypothesis import strategies as st

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@pytest.mark.parametrize("name", ["axes", "rpc", "texts"])
def test_examples(name: str) -> None:
    module = importlib.import_module(f"hsi_geo_qgis.live.{name}")
    found = doctest.testmod(module)
    assert found.attempted
    assert not found.failed


@given(JSON)
def test_any_line_is_a_message_or_none(value: object) -> None:
    found = rpc.parse_message(json.dumps(value))
    assert found is None or found.method or found.id is not None


@pytest.mark.parametrize("line", ["", "text", "[", '"id"', "[1]", '{"id": "a"}', "[" * 100_000])
def test_other_lines_are_none(line: str) -> None:
    assert rpc.parse_message(line) is None


@given(st.integers(1), st.text(), st.dictionaries(st.text(), JSON))
@pytest.mark.slow
def test_a_request_is_one_line_without_what_is_not_given(
    number: int, method: str, params: dict[str, object]
) -> None:
    line = rpc.request_line(number, method, params)
    assert line.count(b"\n") == 1
    found = json.loads(line)
    assert (found["id"], found["method"], found["jsonrpc"]) == (number, method, "2.0")
    assert found["params"] == {name: value for name, value in params.items() if value is not None}


NUMBERS = st.floats(-1e6, 1e6, allow_nan=False)


@given(NUMBERS, st.floats(1e-3, 1e6), st.integers(2, 12))
def test_ticks_are_few_and_inside(low: float, width: float, most: int) -> None:
    found = axes.ticks(low, low + width, most)
    assert len(found) <= most
    assert all(low - 1e-6 * width <= one <= low + 1.000001 * width for one in found)
    assert found == sorted(set(found))


@given(st.lists(st.tuples(st.floats(1, 20), st.none() | NUMBERS), max_size=30))
def test_parts_of_a_line_hold_each_value_once(bands: list[tuple[float, float | None]]) -> None:
    centres = [sum(step for step, _ in bands[: index + 1]) for index in range(len(bands))]
    values = [value for _, value in bands]
    parts = axes.line_parts(centres, values)
    assert [point for part in parts for point in part] == [
        (centre, value) for centre, value in zip(centres, values, strict=True) if value is not None
    ]
    assert all(parts)


def test_a_line_is_interrupted_where_bands_are_missing() -> None:
    centres = [400.0, 410.0, 420.0, 430.0, 600.0, 610.0]
    assert [len(part) for part in axes.line_parts(centres, [1.0] * 6)] == [4, 2]
    assert [len(part) for part in axes.line_parts(centres, [1.0, math.nan, *[1.0] * 4])] == [
        1,
        2,
        2,
    ]


@pytest.mark.parametrize("lines", [[], [[None]], [[3.0]], [[-2.0, 5.0]], [[0.0, 0.0]]])
def test_axis_of_values_has_two_ends(lines: list[list[float | None]]) -> None:
    low, high = axes.value_range(lines)
    assert low <= 0 < high - low
    assert all(low <= one <= high for line in lines for one in line if one is not None)
