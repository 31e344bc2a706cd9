"""Names of classes in the plugin, without QGIS: hsi-geo's own form, and labels that only repeat a value."""

from __future__ import annotations

import doctest

import pytest
from hsi_geo_qgis import class_names
from hsi_geo_qgis.class_names import class_name, distinct_names, is_only_value
from hypothesis import given
from hypothesis import strategies as st

from hsi_geo.io.labels.class_names import clean_name


def test_examples() -> None:
    assert doctest.testmod(class_names).attempted > 2
    assert not doctest.testmod(class_names).failed


@given(st.text())
def test_names_are_those_of_the_library(text: str) -> None:
    assert class_name(text) == clean_name(text)


@pytest.mark.parametrize(
    ("label", "value", "is_only"),
    [
        ("1.110", 1110, True),
        ("1,110", 1110, True),
        ("1\u202f110", 1110, True),
        ("1\u00a0110", 1110, True),
        ("1\u2019110", 1110.0, True),
        ("\u0661\u066c\u0661\u0661\u0660", 1110, True),
        ("12.345.678", 12345678, True),
        ("1,23,45,678", 12345678, True),
        ("\u22121.110", -1110, True),
        ("1,50000", 1.5, True),
        ("1.5", 1.5, True),
        ("1,234.50", 1234.5, True),
        ("1,12346", 1.123456, True),
        (" 3 ", 3, True),
        ("2.0", 2, True),
        ("", "rye", True),
        ("rye", "rye", True),
        ("1110", 111, False),
        ("1.110", 111, False),
        ("2,5", 2, False),
        ("11.10", 1110, False),
        ("1.110 ha", 1110, False),
        ("water", 3, False),
        ("1.110", "1110", False),
    ],
)  # fmt: skip
def test_labels_that_only_repeat_the_value(label: str, value: object, is_only: bool) -> None:
    assert is_only_value(label, value) is is_only


POSSIBLE = st.dictionaries(
    st.integers(1, 30).map(str), st.lists(st.sampled_from(["a", "b", "c", "1", "2"]), max_size=2)
)


@given(POSSIBLE)
def test_no_two_values_get_one_name(possible: dict[str, list[str]]) -> None:
    names, doubled = distinct_names(possible)
    assert list(names) == list(possible)
    assert len(set(names.values())) == len(names)
    assert all(names[value] in (*possible[value], value) for value in possible)
    best = [next(iter(one), value) for value, one in possible.items()]
    for (value, name), first in zip(names.items(), best, strict=True):
        clear = best.count(first) == 1 and first not in possible.keys() - {value}
        assert name == first or not clear, value
    assert all(best.count(name) == len(values) > 1 for name, values in doubled.items())
