"""Models on disk: what was saved comes back, byte for byte, and nothing else is ever read."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from safetensors.numpy import save_file

from hsi_geo.errors import ModelFileError
from hsi_geo.io.model_file import FORMAT_VERSION, load, save
from hsi_geo.tasks.artifacts.model import load_model
from hsi_geo.tasks.artifacts.weights import load_weights

Arrays = dict[str, npt.NDArray[Any]]

ARRAYS: Arrays = {
    "head.weight": np.arange(12, dtype=np.float32).reshape(3, 4),
    "centres_nm": np.linspace(400.0, 2500.0, 5),
    "good": np.array([True, False, True]),
    "steps": np.array(7),
}
INFO = {"classes": ["Straße", "meadow"], "recipe": {"steps": 40, "rate": 1e-3}, "none": None}

arrays = st.dictionaries(
    st.text("abc.xyz_", min_size=1, max_size=8),
    hnp.arrays(
        st.sampled_from([np.float32, np.float64, np.int64, np.uint8, np.bool_, np.float16]),
        hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
    ),
    max_size=4,
)


def header(path: Path, **changes: Any) -> Path:
    """Write a file like ours with some entries of its header changed."""
    text = json.dumps({"format": FORMAT_VERSION, "kind": "model", "info": {}, **changes})
    save_file({"a": np.zeros(2)}, path, metadata={"hsi_geo": text})
    return path


@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(saved=arrays)
def test_arrays_come_back_with_type_and_shape(tmp_path: Path, saved: Arrays) -> None:
    path = tmp_path / "a.hsi"
    save(path, "weights", saved, INFO)
    loaded, info = load(path, "weights")
    assert info == INFO
    assert loaded.keys() == saved.keys()
    for name, array in saved.items():
        assert loaded[name].dtype == array.dtype
        assert loaded[name].shape == array.shape
        np.testing.assert_array_equal(loaded[name], array)


def test_strided_and_flipped_arrays_are_stored_as_they_look(tmp_path: Path) -> None:
    whole = np.arange(24).reshape(4, 6)
    odd = {"turned": whole.T, "flipped": whole[::-1, ::-2]}
    save(tmp_path / "a.hsi", "model", odd, None)
    loaded, info = load(tmp_path / "a.hsi", "model")
    assert info is None
    for name, array in odd.items():
        np.testing.assert_array_equal(loaded[name], array)


def test_equal_models_are_equal_bytes_whatever_the_order(tmp_path: Path) -> None:
    one, two, three = (tmp_path / name for name in "abc")
    save(one, "model", ARRAYS, INFO)
    save(two, "model", dict(reversed(ARRAYS.items())), dict(reversed(INFO.items())))
    save(three, "model", ARRAYS, {**INFO, "none": 0})
    assert one.read_bytes() == two.read_bytes()
    assert one.read_bytes() != three.read_bytes()


class Trap:
    """Leaves a trace when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.trace,)


def test_a_pickle_is_refused_and_never_run(tmp_path: Path) -> None:
    path, trace = tmp_path / "model.hsi", tmp_path / "trace"
    path.write_bytes(pickle.dumps(Trap(trace)))
    with pytest.raises(ModelFileError, match=r"not a safetensors file.*no pickle is ever read"):
        load(path, "model")
    assert not trace.exists()


@pytest.mark.parametrize(("kind", "wanted"), [("weights", "model"), ("model", "weights")])
def test_another_kind_is_refused_by_name(tmp_path: Path, kind: str, wanted: str) -> None:
    save(tmp_path / "a.hsi", kind, ARRAYS, INFO)
    with pytest.raises(
        ModelFileError, match=f"holds .*{kind} .*, and .*{wanted} .* was wanted"
    ) as caught:
        load(tmp_path / "a.hsi", wanted)
    assert {"model": "adapt", "weights": "pretrain"}[wanted] in str(caught.value.hint)


def test_a_later_format_asks_for_an_upgrade(tmp_path: Path) -> None:
    path = header(tmp_path / "a.hsi", format=FORMAT_VERSION + 1)
    with pytest.raises(ModelFileError, match=f"has format {FORMAT_VERSION + 1}.*upgrade hsi-geo"):
        load(path, "model")


@pytest.mark.parametrize("share", [0.0, 0.05, 0.5, 0.99])
def test_a_truncated_file_is_refused(tmp_path: Path, share: float) -> None:
    path = tmp_path / "a.hsi"
    save(path, "model", ARRAYS, INFO)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ModelFileError, match=r"a\.hsi' is not a safetensors file, or is damaged"):
        load(path, "model")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    for path in (tmp_path / "none.hsi", tmp_path):
        with pytest.raises(ModelFileError, match="does not exist") as caught:
            load(path, "model")
        assert str(path) in str(caught.value)
        assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize("metadata", [None, {"format": "pt"}])
def test_safetensors_of_others_are_refused(tmp_path: Path, metadata: dict[str, str] | None) -> None:
    save_file({"a": np.zeros(2)}, tmp_path / "a.hsi", metadata=metadata)
    with pytest.raises(ModelFileError, match="not one of hsi-geo"):
        load(tmp_path / "a.hsi", "model")


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"format": "one", "kind": "model"}'])
def test_a_header_that_is_not_ours_is_refused(tmp_path: Path, text: str) -> None:
    save_file({"a": np.zeros(2)}, tmp_path / "a.hsi", metadata={"hsi_geo": text})
    with pytest.raises(ModelFileError):
        load(tmp_path / "a.hsi", "model")


@pytest.mark.parametrize(
    ("kind", "read"), [("model", load_model), ("weights", load_weights)], ids=["model", "weights"]
)
@pytest.mark.parametrize(
    "info",
    [{}, {"network": {"colour": "red"}, "classes": []}, {"network": {}, "classes": []}],
    ids=["nothing", "another network", "no arrays"],
)
def test_what_does_not_fit_the_network_is_refused(
    tmp_path: Path, kind: str, read: Callable[[Path], object], info: dict[str, object]
) -> None:
    path = tmp_path / "a.hsi"
    save(path, kind, {}, info)
    with pytest.raises(ModelFileError, match=r"a\.hsi' does not fit this version.*make it again"):
        read(path)
