"""`export`: onnxruntime maps a scene to the classes of `predict`, with what the file says about itself."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import torch
from affine import Affine
from builders import SIZE, STRIDE, model_for, run
from installed_extras import installed

from hsi_geo.errors import MissingPackageError, ModelFileError, OptionError, OutputExistsError
from hsi_geo.io.labels.shots import LandClass
from hsi_geo.io.scenes.scene import open_scene
from hsi_geo.io.scenes.windows import read_window
from hsi_geo.tasks.artifacts.model import AdaptedModel, save_model
from hsi_geo.tasks.export import ExportResult, export
from hsi_geo.tasks.predict import predict
from hsi_geo.tiling import Window

Planted = Any  # defined in conftest, which tests cannot import

EXAMPLE = Path(__file__).parents[2] / "examples" / "onnx_map.py"

HAS_ONNX = installed("onnx") and importlib.util.find_spec("onnxruntime") is not None
HAS_TORCH = tuple(map(int, torch.__version__.split(".")[:2])) >= (2, 9)
needs_onnx = pytest.mark.skipif(
    not (HAS_ONNX and HAS_TORCH), reason="needs the extra onnx, onnxruntime, and torch 2.9"
)


@pytest.fixture(autouse=True)
def _in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some processors compute in bfloat16, which changes a pixel in 300; ONNX files compute in float32."""
    monkeypatch.setattr("hsi_geo.models.window_inference.has_fast_bfloat16", lambda device: False)


def with_parents(model: AdaptedModel) -> AdaptedModel:
    parents = ("built", "green", "built")
    table = tuple(
        dataclasses.replace(c, parent=parent)
        for c, parent in zip(model.classes, parents, strict=True)
    )
    return dataclasses.replace(model, classes=table, order=(2, 0, 1))


@pytest.mark.skipif(not HAS_ONNX, reason="needs onnxruntime")
def test_the_example_keeps_ids_above_255(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    classes = [{"id": number, "name": f"c{number}"} for number in range(1, 301)]
    meta = {"window_px": "4", "stride_px": "4", "blend_ramp": "[1, 1, 1, 1]"}
    meta["classes"] = json.dumps(classes)

    class Session:
        def __init__(self, *_: object, **__: object) -> None: ...

        def get_modelmeta(self) -> Any:
            return type("Meta", (), {"custom_metadata_map": meta})

        def run(self, _: object, inputs: Any) -> list[Any]:
            found = np.zeros((len(inputs["image"]), 300, 4, 4), np.float32)
            found[:, 259] = 1.0
            return [found]

    monkeypatch.setattr("onnxruntime.InferenceSession", Session)
    map_with_onnx = runpy.run_path(str(EXAMPLE))["map_with_onnx"]
    image, valid = np.zeros((2, 5, 7), np.float32), np.ones((5, 7), bool)
    valid[1, 2] = False
    ids, _ = map_with_onnx(tmp_path / "m.onnx", image, valid, Affine(30, 0, 60, 0, -30, 90))
    np.testing.assert_array_equal(ids, np.where(valid, 260, 0))


@needs_onnx
@pytest.mark.parametrize("change", [lambda model: model, with_parents], ids=["flat", "parents"])
@pytest.mark.slow
def test_onnxruntime_maps_a_scene_to_the_classes_of_predict(
    planted: Planted, tmp_path: Path, change: Any
) -> None:
    map_with_onnx = runpy.run_path(str(EXAMPLE))["map_with_onnx"]
    model = change(model_for(planted.path))
    with rasterio.open(predict(planted.path, model, out=tmp_path / "m.tif").paths.classes) as file:
        ours = file.read(1)
    written = export(model, tmp_path / "model.onnx")
    scene = open_scene(planted.path)
    image, valid = read_window(scene, Window(0, 0, *ours.shape))
    image[:, ~valid] = np.nan  # as other readers leave pixels without data
    theirs, probabilities = map_with_onnx(written.path, image, valid, planted.transform)
    assert len(np.unique(ours)) == 4  # no data, and three classes
    assert (theirs == ours).mean() >= 0.999
    assert ((theirs == 0) == (planted.truth == 0)).all()
    assert np.isfinite(probabilities[:, valid]).all()


@needs_onnx
@pytest.mark.slow
def test_probabilities_of_any_number_of_windows_are_those_of_the_network(
    planted: Planted, tmp_path: Path
) -> None:
    import onnxruntime

    from hsi_geo.models.classifier import band_map

    model = model_for(planted.path)
    path = export(model, tmp_path / "model.onnx").path
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    bands = band_map(model.classifier.backbone.config, model.spectral, model.spectral.centres_nm)
    generator = np.random.default_rng(1)
    for windows in (1, 2, 70):
        valid = generator.random((windows, SIZE, SIZE)) > 0.3
        image = generator.normal(2000, 500, (windows, 40, SIZE, SIZE)).astype(np.float32)
        valid[0] = windows > 1  # one window has no data at all
        (found,) = session.run(None, {"image": image, "valid": valid})
        inputs = (torch.from_numpy(image), torch.from_numpy(valid), bands)
        with torch.inference_mode():
            expected = model.classifier.probabilities(model.classifier(*inputs)).numpy()
        assert found.shape == (windows, 3, SIZE, SIZE)
        difference = np.abs(found - expected).max(axis=1)[valid]
        assert difference.max(initial=0.0) < 1e-4


@needs_onnx
@pytest.mark.slow
def test_metadata_say_all_that_another_program_needs(planted: Planted, tmp_path: Path) -> None:
    import onnx

    model = model_for(planted.path)
    table = (LandClass(1, "Äcker & Wiesen", "#0a1b2c", 11, "grün"), *model.classes[1:])
    found = {**model.record, "found": {"reject_below": 0.25}}
    model = dataclasses.replace(
        model, classes=table, record={**found, "shots": {c.name: 4 for c in table}}
    )
    written = export(model, tmp_path / "model.onnx")
    loaded = onnx.load(written.path)
    meta = {entry.key: entry.value for entry in loaded.metadata_props}
    assert json.loads(meta["wavelengths_nm"]) == pytest.approx(list(model.spectral.centres_nm))
    assert json.loads(meta["fwhm_nm"]) == pytest.approx(list(model.spectral.fwhm_nm))
    assert (int(meta["window_px"]), int(meta["stride_px"])) == (SIZE, STRIDE)
    classes = json.loads(meta["classes"])
    assert [entry["name"] for entry in classes] == [c.name for c in table]
    assert classes[0]["value"] == 11
    assert classes[0]["parent"] == "grün"
    ramp = np.array(json.loads(meta["blend_ramp"]))
    assert np.outer(ramp, ramp) == pytest.approx(model.tiling.weights(), abs=1e-6)
    assert float(meta["reject_below"]) == 0.25
    assert meta["hsi_geo_layout"] == "1"
    shapes = {
        value.name: [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim]
        for value in (*loaded.graph.input, *loaded.graph.output)
    }
    assert shapes == {
        "image": ["windows", 40, SIZE, SIZE],
        "valid": ["windows", SIZE, SIZE],
        "probabilities": ["windows", 3, SIZE, SIZE],
    }
    assert "path" not in str(meta)
    assert b"site-packages" not in written.path.read_bytes()
    assert written.wavelengths_nm == tuple(model.spectral.centres_nm)


@needs_onnx
@pytest.mark.slow
def test_equal_models_give_equal_bytes_by_command_and_in_python(
    planted: Planted, tmp_path: Path
) -> None:
    model = model_for(planted.path)
    save_model(model, tmp_path / "model.safetensors")
    export(model, tmp_path / "a.onnx")
    shown = run(
        *("export", tmp_path / "model.safetensors", "--onnx", tmp_path / "b.onnx"),
        *("--progress", "jsonl"),
    )
    assert shown.exit_code == 0, shown.stderr
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()
    assert "40, 420-" in shown.stdout
    result = [json.loads(line) for line in shown.stderr.splitlines()][-1]
    assert result["outputs"] == {"onnx": str(tmp_path / "b.onnx")}
    assert [c["id"] for c in result["classes"]] == [1, 2, 3]


@needs_onnx
@pytest.mark.slow
def test_a_graph_with_other_probabilities_is_not_written(
    planted: Planted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hsi_geo.tasks.artifacts.onnx_graph.TOLERANCE", 0.0)
    with pytest.raises(Exception, match="differ by"):
        export(model_for(planted.path), tmp_path / "model.onnx")
    assert not (tmp_path / "model.onnx").exists()


def test_what_cannot_be_exported_is_refused(
    planted: Planted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tmp_path / "model.safetensors"
    save_model(model_for(planted.path), model)
    (tmp_path / "taken.onnx").write_text("another file")
    with pytest.raises(OptionError, match=r"does not end in \.onnx"):
        export(model, tmp_path / "model.bin")
    with pytest.raises(OutputExistsError):
        export(model, tmp_path / "taken.onnx")
    with pytest.raises(ModelFileError):
        export(tmp_path / "taken.onnx", tmp_path / "m.onnx")
    monkeypatch.setattr("hsi_geo.extras.importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingPackageError, match=r"pip install 'hsi-geo\[onnx\]'"):
        export(model, tmp_path / "m.onnx")
    assert not (tmp_path / "m.onnx").exists()


def test_an_older_torch_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from hsi_geo.tasks.artifacts.onnx_graph import require_torch

    require = require_torch
    monkeypatch.setattr(torch, "__version__", "2.4.0")
    with pytest.raises(MissingPackageError, match=r"torch 2\.9 or later, and 2\.4\.0"):
        require()


def test_result_lists_its_classes(tmp_path: Path) -> None:
    table = (LandClass(1, "rye", "#0a1b2c", None),)
    shown = repr(ExportResult(tmp_path / "m.onnx", table, (500.0, 600.0), 16, 8))
    assert "1 classes" in shown
    assert "rye" in shown
