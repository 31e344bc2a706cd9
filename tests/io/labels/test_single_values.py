"""Classes that are lists or objects."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hsi_geo import read_shots
from hsi_geo.errors import ShotsError


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([["a"], ["b"]], "lists"),
        ([[1], [2]], "lists"),
        ([["a", 1], ["b"]], "lists"),
        ([["a"], "b"], "lists"),
        ([[], []], "lists"),
        ([{"x": 1}, {"x": 2}], "objects"),
        ([{"x": 1}, "b"], "objects"),
    ],
)
def test_lists_and_objects_are_no_classes(tmp_path: Path, values: list[Any], kind: str) -> None:
    features = [
        {
            "type": "Feature",
            "properties": {"class": value},
            "geometry": {"type": "Point", "coordinates": [10 + i, 50]},
        }
        for i, value in enumerate(values)
    ]
    path = tmp_path / "list.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    with pytest.raises(ShotsError, match=f"the field 'class' of shots .* holds {kind}"):
        read_shots(path)
