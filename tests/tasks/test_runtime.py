"""Device, threads and seed of a run, and hashes that identify its input."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import MultiPoint, Polygon
from shots_cases import centre, patch, shots_of, write

from hsi_geo.errors import OptionError
from hsi_geo.io.labels.shot_reading import read_shots
from hsi_geo.tasks.artifacts.shipped import SHIPPED
from hsi_geo.tasks.artifacts.weights import load_weights
from hsi_geo.tasks.runtime import Compute, seeded, shots_hash

LABELLED = (
    *((centre(1, 2), "rye"), (centre(1, 2), "oats"), (patch(3, 4, 6, 7), "rye")),
    *((MultiPoint([centre(8, 9), centre(9, 9)]), "oats"), (centre(1, 2), "rye")),
)


@settings(max_examples=20)
@given(order=st.permutations(range(len(LABELLED))))
def test_shots_hash_does_not_depend_on_order(order: list[int]) -> None:
    assert shots_hash(shots_of(LABELLED[i] for i in order)) == shots_hash(shots_of(LABELLED))


def test_shots_hash_depends_on_places_classes_and_repeats() -> None:
    first, *others = LABELLED
    changed = [
        [(centre(1, 3), "rye"), *others],
        [(first[0], "oats"), *others],
        [(first[0], "wheat"), *others],
        others,
        [first, *LABELLED],
    ]
    hashes = {shots_hash(shots_of(labelled)) for labelled in (LABELLED, *changed)}
    assert len(hashes) == 1 + len(changed)


def test_shots_hash_is_that_of_the_same_shots_in_another_file(tmp_path: Path) -> None:
    """Formats differ in the direction of rings, and in the order in which a program saves."""
    ring = list(patch(3, 4, 6, 7).exterior.coords)
    shapes = [Polygon(ring), centre(1, 2), centre(9, 9)]
    one = write(tmp_path / "a.gpkg", {"class": ["rye", "oats", "rye"]}, shapes)
    turned = [centre(9, 9), Polygon(ring[2:] + ring[1:3]), centre(1, 2)]
    two = write(tmp_path / "b.gpkg", {"class": ["rye", "rye", "oats"]}, turned)
    again = gpd.read_file(one).sort_values("class")
    again.to_file(tmp_path / "c.gpkg")
    hashes = {shots_hash(read_shots(path)) for path in (one, two, tmp_path / "c.gpkg")}
    assert len(hashes) == 1


@pytest.mark.parametrize("name", ["seed", "threads"])
@pytest.mark.parametrize("value", [True, 1.0, 1.5, "2", -1, np.float32(3)])
def test_numbers_that_are_not_whole_are_refused(name: str, value: Any) -> None:
    with pytest.raises(OptionError, match=f"{name}= is a whole number of .*, and .* was given"):
        Compute(**{name: value})


def test_seeds_that_torch_does_not_take_are_refused() -> None:
    with pytest.raises(OptionError, match="a whole number of 18446744073709551615 or less"):
        Compute(seed=2**64)
    with pytest.raises(OptionError, match="no seed was given"):
        Compute(seed=None)  # type: ignore[arg-type]
    with seeded(Compute(seed=2**64 - 1).seed):
        torch.rand(1)


def test_numbers_of_numpy_can_be_written_into_records() -> None:
    compute = Compute(seed=np.int64(7), threads=np.uint8(2))  # type: ignore[arg-type]
    assert json.dumps([compute.seed, compute.threads]) == "[7, 2]"
    assert compute == Compute(seed=7, threads=2)


@pytest.mark.parametrize("on_gpus", [True, False])
def test_seeded_restores_the_generator(on_gpus: bool) -> None:
    before = torch.get_rng_state()
    with seeded(3, on_gpus=on_gpus):
        torch.rand(5)
    assert torch.equal(torch.get_rng_state(), before)


def test_loading_weights_does_not_draw_from_the_generator() -> None:
    before = torch.get_rng_state()
    load_weights(SHIPPED)
    assert torch.equal(torch.get_rng_state(), before)
