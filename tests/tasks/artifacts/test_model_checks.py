"""Checks of model and weights files: every invalid content gives one sentence, and quickly."""

from __future__ import annotations

import copy
import json
import os
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from builders import model_for, run
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from hsi_geo.errors import ModelFileError
from hsi_geo.io import model_file
from hsi_geo.models.s2former import S2Former
from hsi_geo.models.s2former_config import S2FormerConfig
from hsi_geo.tasks.artifacts.model import load_model, model_bytes, save_model
from hsi_geo.tasks.artifacts.shipped import SHIPPED
from hsi_geo.tasks.artifacts.weights import Weights, load_weights, save_weights

Planted = Any  # defined in conftest, which tests cannot import
Arrays = dict[str, npt.NDArray[Any]]
Tamper = Callable[[Arrays, dict[str, Any]], None]
Saved = Callable[[Tamper], Path]


@pytest.fixture
def saved(planted: Planted, tmp_path: Path) -> Saved:
    """Function that writes a changed model with a valid checksum."""
    path = tmp_path / "model.safetensors"
    save_model(model_for(planted.path), path)
    arrays, info = model_file.load(path, "model")

    def save(tamper: Tamper) -> Path:
        other, description = copy.deepcopy(arrays), copy.deepcopy(info)
        tamper(other, description)
        model_file.save(path, "model", other, description)
        return path

    return save


def to(name: str, change: Callable[[npt.NDArray[Any]], npt.NDArray[Any]]) -> Tamper:
    def tamper(arrays: Arrays, info: dict[str, Any]) -> None:
        arrays[name] = np.ascontiguousarray(change(arrays[name]))

    return tamper


def with_value(value: float) -> Callable[[npt.NDArray[Any]], npt.NDArray[Any]]:
    def change(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        array.reshape(-1)[array.size // 2] = value
        return array

    return change


NAMES = (
    "centres_nm",
    "fwhm_nm",
    "whitening.centre",
    "whitening.matrix",
    "whitening.covariance",
    "network.head.weight",
    "network.backbone.group_weight",
)
CHANGES: dict[str, Callable[[npt.NDArray[Any]], npt.NDArray[Any]]] = {
    "one short": lambda a: a[:-1],
    "one more": lambda a: np.concatenate([a, a[:1]]),
    "0-d": lambda a: a.reshape(-1)[0],
    "none": lambda a: a[:0],
    "one more axis": lambda a: a[None],
    "flat": lambda a: a.reshape(-1) if a.ndim > 1 else a[:, None],
    "whole numbers": lambda a: a.astype(np.int64),
    "half precision": lambda a: a.astype(np.float16),
    "other precision": lambda a: a.astype(np.float32 if a.dtype == np.float64 else np.float64),
    "booleans": lambda a: a.astype(bool),
    "nan": with_value(np.nan),
    "inf": with_value(np.inf),
    "-inf": with_value(-np.inf),
    "too large": with_value(3e38),
    "zeros": np.zeros_like,
}
#: Arrays of which zeros are valid values.
MAY_BE_ZERO = ("network.head.weight", "network.backbone.group_weight")


@pytest.mark.filterwarnings("ignore:overflow encountered in cast:RuntimeWarning")
@pytest.mark.parametrize("kind", CHANGES)
@pytest.mark.parametrize("name", NAMES)
def test_load_model_refuses_invalid_arrays(saved: Saved, name: str, kind: str) -> None:
    if kind == "zeros" and name in MAY_BE_ZERO:
        pytest.skip("a network may hold zeros")
    path = saved(to(name, CHANGES[kind]))
    with pytest.raises(ModelFileError, match=r"does not fit.*make it again") as caught:
        load_model(path)
    assert "\n" not in str(caught.value)


def test_load_model_refuses_inconsistent_statistics(saved: Saved) -> None:
    wrong: list[tuple[Tamper, str]] = [
        (to("centres_nm", lambda a: a[::-1]), "not increasing wavelengths"),
        (to("centres_nm", lambda a: a / 1000), "lies on the network's wavelength axis"),
        (to("centres_nm", lambda a: a + 9e5), "not increasing wavelengths"),
        (to("fwhm_nm", lambda a: -a), "no widths"),
        (to("whitening.covariance", lambda a: -a), "not a covariance matrix"),
        (to("whitening.covariance", np.triu), "not a covariance matrix"),
        (to("whitening.covariance", lambda a: a * 100), "does not fit its covariance"),
        (to("whitening.matrix", lambda a: np.where(np.arange(len(a)) > 9, a, 0)), "does not fit"),
        (to("whitening.matrix", lambda a: a * 2), "does not fit its covariance"),
    ]
    for tamper, message in wrong:
        with pytest.raises(ModelFileError, match=message):
            load_model(saved(tamper))


def at(*keys: Any, value: Any) -> Tamper:
    def tamper(arrays: Arrays, info: dict[str, Any]) -> None:
        place: Any = info
        for key in keys[:-1]:
            place = place[key]
        place[keys[-1]] = value

    return tamper


NUMBERS = {
    "window_px": (0, -1, 10**9, 7.5, True, "8", None, [8]),
    "width": (0, 18, 1_000_000, 16.0, False),
    "depth": (0, -3, 1_000_000, 2**70, 1.0),
    "heads": (0, 3, 1000),
    "mlp_ratio": (0, 10**6, -2),
    "first_nm": (1e9, -1e9, 1e5, "350", True),
    "slot_nm": (0, -10, 1e-9, 1e9, None),
    "groups": (0, 10**9, 2.0),
    "slots_per_group": (0, 10**9),
    "group_width": (0, 10**9),
    "cross_attention": ("all", None, 1, ["both"]),
    "more": (1,),
}


@pytest.mark.parametrize(("key", "value"), [(k, v) for k, all_ in NUMBERS.items() for v in all_])
def test_load_model_refuses_shapes_out_of_bounds(saved: Saved, key: str, value: Any) -> None:
    started = time.monotonic()
    with pytest.raises(ModelFileError, match="does not fit this version"):
        load_model(saved(at("network", key, value=value)))
    assert time.monotonic() - started < 2


def test_load_model_compares_shapes_before_it_allocates_memory(saved: Saved) -> None:
    """The header claims a hundred thousand million numbers."""

    def tamper(arrays: Arrays, info: dict[str, Any]) -> None:
        info["network"] |= {"depth": 64, "width": 2048, "mlp_ratio": 16, "heads": 1}

    started = time.monotonic()
    with pytest.raises(ModelFileError, match="its arrays are not those of a network"):
        load_model(saved(tamper))
    assert time.monotonic() - started < 5


VALUES: tuple[Any, ...] = (2**70, 1.5, "1", True)
RECORDS: tuple[Any, ...] = (None, [], "text", {})
SHOTS: tuple[Any, ...] = (None, {}, [4, 4, 4])

OTHER: list[tuple[tuple[Any, ...], Any]] = [
    (("tiling",), {}),
    (("tiling",), {"size_px": 8}),
    (("tiling",), [8, 4]),
    *((("tiling", "size_px"), v) for v in (0, 9, 10**9, "8", 8.0, True)),
    *((("tiling", "stride_px"), v) for v in (0, -4, 9, 10**9, 4.0, None)),
    (("classes",), []),
    (("classes",), {}),
    (("classes",), None),
    (("classes", 0), {}),
    (("classes", 0), 3),
    *((("classes", 1, "id"), v) for v in (0, 1, 3, -2, 2.0, True, "2", 2**70)),
    *(
        (("classes", 1, "name"), v)
        for v in ("", "class 1", 7, None, "a\x1b[31m", "\x00", "x" * 5000)
    ),
    (("classes", 1, "name"), "a\ud800"),
    *((("classes", 1, "color"), v) for v in ("", "red", "#12345", "#1234567", "#gggggg", None, 3)),
    *((("classes", 1, "value"), v) for v in VALUES),
    (("classes", 1, "more"), 1),
    *((("record",), v) for v in RECORDS),
    *((("record", "seed"), v) for v in (None, "0", 1.5)),
    *((("record", "shots"), v) for v in SHOTS),
    *((("record", "shots", "class 1"), v) for v in (-1, 2**70, 1.5, "4", None)),
    *(
        (("record", part), v)
        for part in ("found", "parameters", "hashes", "versions")
        for v in (None, 3)
    ),
    (("record", "hashes", "scenes"), "abc"),
    (("record", "hashes", "scenes"), [1]),
    *((("record", "accuracy"), v) for v in (None, {}, "95 %", {"oa": 1.0})),
    *((("record", "accuracy", "oa"), v) for v in (2.0, -0.1, "all", True)),
    *((("record", "accuracy", "interval95"), v) for v in ([0.1], [0.9, 0.1], "ab", 0.5, [0, 2])),
    *((("record", "accuracy", "pixels"), v) for v in (-1, 1.5, None)),
    *((("record", "accuracy", "method"), v) for v in (3, None, "\x1b]0;title\x07")),
    (("record", "accuracy", "caution"), "bell \x07"),
    (("record", "accuracy", "more"), 1),
]


@pytest.mark.parametrize(("keys", "value"), OTHER)
def test_load_model_refuses_invalid_entries(
    saved: Saved, keys: tuple[Any, ...], value: Any
) -> None:
    with pytest.raises(ModelFileError, match="does not fit this version") as caught:
        load_model(saved(at(*keys, value=value)))
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("part", ["network", "classes", "tiling", "record"])
def test_load_model_refuses_missing_parts(saved: Saved, part: str) -> None:
    def tamper(arrays: Arrays, info: dict[str, Any]) -> None:
        del info[part]

    with pytest.raises(ModelFileError, match="does not fit this version"):
        load_model(saved(tamper))


def header_of(path: Path) -> tuple[dict[str, Any], bytes]:
    raw = path.read_bytes()
    size = struct.unpack("<Q", raw[:8])[0]
    return json.loads(raw[8 : 8 + size]), raw[8 + size :]


@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(share=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_flipped_bit_is_detected_or_harmless(
    planted: Planted, tmp_path: Path, share: float, bit: int
) -> None:
    path = tmp_path / "model.safetensors"
    if not path.exists():
        save_model(model_for(planted.path), path)
    whole = bytearray(path.read_bytes())
    whole[int(share * len(whole))] ^= 1 << bit
    other = tmp_path / "other.safetensors"
    other.write_bytes(whole)
    try:
        found = load_model(other)
    except ModelFileError as error:
        assert "\n" not in str(error)
    else:  # a blank between entries, or the name of an unused key
        assert model_bytes(found) == path.read_bytes()


def test_flipped_bit_among_the_numbers_raises(planted: Planted, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_model(model_for(planted.path), path)
    whole = bytearray(path.read_bytes())
    whole[-5] ^= 1
    path.write_bytes(whole)
    with pytest.raises(ModelFileError, match="is damaged: its numbers are not those"):
        load_model(path)


def test_load_model_opens_earlier_versions_without_checksum(
    planted: Planted, tmp_path: Path
) -> None:
    path = tmp_path / "model.safetensors"
    model = model_for(planted.path)
    save_model(model, path)
    arrays, info = model_file.load(path, "model")
    text = json.dumps({"format": 1, "kind": "model", "info": info})
    save_file(arrays, path, metadata={"hsi_geo": text})
    assert load_model(path).classes == model.classes
    load_weights(SHIPPED)


@pytest.mark.parametrize(
    "text",
    [
        '{"format": 1, "kind": "model", "info": ' + "[" * 100_000 + "]" * 100_000 + "}",
        '{"format": 1, "kind": "model", "info": ' + "[" * 100 + "]" * 100 + "}",
        '{"format": 1e999, "kind": "model", "info": {}}',
        '{"format": true, "kind": "model", "info": {}}',
        '{"format": 1, "kind": "model", "info": {"a": NaN}}',
        '{"format": 1, "kind": "model", "info": {"a": 1e999}}',
        '{"format": 1, "kind": "model", "info": ' + "9" * 10_000 + "}",
        '{"format": 1, "kind": "model"}',
        '"text"',
        "null",
    ],
)
def test_load_refuses_invalid_headers(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.safetensors"
    save_file({"a": np.zeros(2)}, path, metadata={"hsi_geo": text})
    with pytest.raises(ModelFileError, match="header that hsi-geo cannot read"):
        model_file.load(path, "model")


def test_load_refuses_a_file_that_is_too_large(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    with path.open("wb") as file:
        file.truncate(model_file.MAX_BYTES + 1)
    with pytest.raises(ModelFileError, match="no model has more than 4096"):
        model_file.load(path, "model")


def test_load_refuses_types_that_numpy_lacks(tmp_path: Path) -> None:
    entry = {"a": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}}
    head = json.dumps(
        entry | {"__metadata__": {"hsi_geo": '{"format": 1, "kind": "model", "info": {}}'}}
    ).encode()
    path = tmp_path / "a.safetensors"
    path.write_bytes(struct.pack("<Q", len(head)) + head + b"\0" * 4)
    with pytest.raises(ModelFileError, match="unknown type"):
        model_file.load(path, "model")


def test_load_model_refuses_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ModelFileError, match="not a file"):
        load_model(tmp_path / "pipe")


def test_command_reports_an_invalid_model_in_one_sentence(
    saved: Saved, planted: Planted, tmp_path: Path
) -> None:
    path = saved(to("fwhm_nm", lambda a: a[:-1]))
    done = run("predict", planted.path, "--model", path, "-o", tmp_path / "map.tif")
    assert done.exit_code == 1
    assert len(done.stderr.splitlines()) == 1
    assert "fwhm_nm is float64 of shape (39,), and has to be float64 of 40" in done.stderr
    assert not (tmp_path / "map.tif").exists()


# Weights ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "tamper",
    [
        to("encoder.norm.weight", with_value(np.nan)),
        to("encoder.norm.weight", lambda a: a[:-1]),
        to("encoder.norm.weight", lambda a: a.astype(np.float64)),
        lambda arrays, info: arrays.pop("encoder.norm.bias"),
        lambda arrays, info: (
            arrays.update(extra=np.zeros(1)) or arrays.update({"encoder.x": np.zeros(1)})
        ),
        at("network", "depth", value=1_000_000),
        at("network", "first_nm", value=1e9),
        at("network", value=None),
        at("record", value=None),
    ],
)
def test_load_weights_refuses_invalid_contents(tmp_path: Path, tamper: Any) -> None:
    path = tmp_path / "weights.safetensors"
    torch.manual_seed(0)
    save_weights(
        Weights(S2Former(S2FormerConfig(window_px=8, width=16, depth=1, heads=2)), {}), path
    )
    arrays, info = model_file.load(path, "weights")
    tamper(arrays, info)
    model_file.save(path, "weights", arrays, info)
    with pytest.raises(ModelFileError, match=r"does not fit.*make it again with hsi-geo pretrain"):
        load_weights(path)
