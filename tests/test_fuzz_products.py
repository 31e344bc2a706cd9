"""Any damage to a product in HDF5 gives a result or an `HsiGeoError`, and never another exception."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from cf_cases import write_aviris, write_aviris_raw
from emit_cases import write_emit
from fuzzing import fuzz, open_and_check, result_or_error
from hypothesis import given
from hypothesis import strategies as st
from product_cases import write_neon, write_prisma_l2d
from swath_cases import SWATHS, write_tanager

WRITERS: dict[str, Callable[[Path], Path]] = {
    **SWATHS,
    "Tanager ortho": partial(write_tanager, ortho=True),
    "PRISMA L2D": write_prisma_l2d,
    "NEON": write_neon,
    "EMIT": write_emit,
    "AVIRIS-3": write_aviris,
    "AVIRIS-5": write_aviris_raw,
}

ODD_VALUES = st.sampled_from(
    [
        np.float64("nan"), np.float64("inf"), np.int64(-1), np.int64(0), np.uint64(2**63), np.bytes_(b""),
        np.bytes_(b"x" * 40), "text", np.zeros(3), np.full(4, np.nan), np.full(4, 1e300), np.zeros((2, 2)),
        np.array([b"a", b"b", b"c", b"d"]), np.array([460, 560, 660, 860], "int16"), np.array([1 + 2j] * 4),
        np.array([0.46, 0.56, 0.66, 0.86]), h5py.Empty("f8"),
    ]
)  # fmt: skip

ODD_ARRAYS = st.sampled_from(
    [
        np.zeros((34, 23)), np.full((34, 23), np.nan), np.full((34, 23), -9999.0), np.full((34, 23), 1e30),
        np.zeros((23, 34)), np.zeros((1, 1)), np.zeros(0), np.float64(3), np.zeros((4, 34, 23), "complex64"),
        np.array(b"StructMetadata"), np.random.default_rng(0).uniform(-400, 400, (34, 23)),
        np.random.default_rng(1).uniform(-90, 90, (34, 23)), np.full((34, 23), b"x"), np.zeros((4, 0, 0)),
        np.zeros((34, 23), "uint8"), np.indices((34, 23))[0] * 1e-12 + 45.0, h5py.Empty("f4"),
    ]
)  # fmt: skip

GRIDS = st.sampled_from([None, "UTM", "native", "EPSG:3035", "EPSG:4326", "swath"])


def objects_of(file: h5py.File) -> list[str]:
    """Paths of all groups and datasets."""
    found = list[str]()
    file.visit(found.append)
    return found


@fuzz
@given(data=st.data())
@pytest.mark.slow
def test_any_damage_to_a_product(tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "product.h5"
    path.unlink(missing_ok=True)
    WRITERS[data.draw(st.sampled_from(sorted(WRITERS)))](path)
    with h5py.File(path, "r+") as file:
        for _ in range(data.draw(st.integers(1, 3))):
            damage(file, data)
    grid = data.draw(GRIDS)
    result_or_error(lambda: open_and_check(path, grid=grid))


def damage(file: h5py.File, data: st.DataObject) -> None:
    """Remove or replace something of a file."""
    name = data.draw(st.sampled_from(sorted(objects_of(file)) or ["/"]))
    entry: Any = file.get(name)
    if entry is None or name == "/":
        return
    kind = data.draw(st.sampled_from(["remove", "replace", "attribute", "lost attribute"]))
    keys = sorted(key for key in [*entry.attrs, *file.attrs] if key not in ("CLASS", "NAME"))
    if kind == "remove":
        del file[name]
    elif kind == "replace" and isinstance(entry, h5py.Dataset):
        del file[name]
        file[name] = data.draw(ODD_ARRAYS)
    elif keys:
        key = data.draw(st.sampled_from(keys))
        owner = entry if key in entry.attrs else file
        if "DIMENSION" in key or "REFERENCE" in key:
            return
        del owner.attrs[key]
        if kind == "attribute":
            owner.attrs[key] = data.draw(ODD_VALUES)


@fuzz
@given(
    product=st.sampled_from(sorted(WRITERS)),
    share=st.floats(0.0, 1.0),
    noise=st.binary(max_size=30),
)
@pytest.mark.slow
def test_any_cut_or_overwritten_product(
    tmp_path: Path, product: str, share: float, noise: bytes
) -> None:
    path = tmp_path / "product.h5"
    path.unlink(missing_ok=True)
    WRITERS[product](path)
    whole = path.read_bytes()
    at = int(share * len(whole))
    path.write_bytes(whole[:at] + noise + whole[at + len(noise) :] if noise else whole[:at])
    result_or_error(lambda: open_and_check(path))
