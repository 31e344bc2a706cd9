"""A model as an ONNX graph, with all that another program needs to map scenes with it."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import warnings
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from hsi_geo.errors import HsiGeoError, MissingPackageError
from hsi_geo.models.classifier import band_map
from hsi_geo.models.window_classifier import WindowClassifier
from hsi_geo.tasks.artifacts.model import AdaptedModel

if TYPE_CHECKING:
    from torch.onnx import ONNXProgram

#: Names of the graph's inputs and output.
IMAGE, VALID, PROBABILITIES = "image", "valid", "probabilities"

#: Version of the keys in the graph's metadata. A change that breaks readers gets a higher one.
LAYOUT = 1

#: First release of torch whose default exporter is the one that is used here.
LEAST_TORCH = (2, 9)

#: Operators of ONNX 1.13 and its file format of that time: all that the graph needs, and runtimes since 2022 know them.
OPSET, IR_VERSION = 18, 8

#: Greatest difference of a probability between torch and ONNX's own reference implementation.
TOLERANCE = 1e-3

#: How the outputs of windows become a map, for people who open the file.
_BLENDING = (
    "Windows begin at pixels whose row and column, counted on the pixel grid of the CRS, are multiples of stride_px. All "
    "windows that hold a pixel count: sum probabilities times blend_ramp[row] times blend_ramp[column] over them, and "
    "divide by the sum of these weights. Windows that reach beyond the scene are filled with pixels that are not valid."
)
_CHOICE = (
    "The class of a pixel is that of the largest blended probability. Where classes have a parent, first choose the "
    "parent with the largest sum of the probabilities of its classes, then the most probable of them. The sum of all "
    "probabilities is the familiarity: below reject_below a pixel is unlike any shot."
)


def graph_metadata(model: AdaptedModel) -> dict[str, str]:
    """What another program must know of a model, as the texts of ONNX's ``metadata_props``.

    Args:
        model: The model.

    Returns:
        Text by key. Lists are JSON.
    """
    size, stride = model.tiling.size_px, model.tiling.stride_px
    bands, classes = len(model.spectral.centres_nm), len(model.classes)
    ramp = np.sqrt(np.diagonal(model.tiling.weights()).astype(np.float64))
    listed = [
        {
            "id": c.id,
            "value": c.value,
            "name": c.name,
            "color": c.color,
            **({"parent": c.parent} if c.parent else {}),
        }
        for c in model.classes
    ]
    reject = model.record["found"].get("reject_below")
    return {
        "hsi_geo_layout": str(LAYOUT),
        "hsi_geo_version": version("hsi-geo"),
        "window_px": str(size),
        "stride_px": str(stride),
        "wavelengths_nm": _listed(model.spectral.centres_nm, 6),
        "fwhm_nm": _listed(model.spectral.fwhm_nm, 6),
        "classes": json.dumps(listed, ensure_ascii=False),
        "blend_ramp": _listed(ramp, 7),
        **({"reject_below": f"{reject:.6g}"} if isinstance(reject, int | float) else {}),
        "input_image": f"float32 (windows, {bands}, {size}, {size}): values of the bands of wavelengths_nm, in that order, with "
        "the scale and offset of the scene's file applied, in the unit of the scene that the model was adapted to",
        "input_valid": f"bool (windows, {size}, {size}): whether a pixel has data",
        "output_probabilities": f"float32 (windows, {classes}, {size}, {size}): probability of each class, 0 to 1, in the order of "
        "classes; undefined where valid is false",
        "blending": _BLENDING,
        "choice": _CHOICE,
    }


def _listed(values: Any, digits: int) -> str:
    return json.dumps([round(float(value), digits) for value in values])


def write_graph(model: AdaptedModel, path: Path) -> None:
    """Write a model as an ONNX file; equal models give equal bytes.

    The file is read again, and run once by ONNX's reference implementation.

    Args:
        model: Model on the CPU.
        path: File to write.

    Raises:
        MissingPackageError: If torch is too old.
        HsiGeoError: If the written file gives other probabilities than the model.
    """
    require_torch()
    spectral = model.spectral
    bands = band_map(model.classifier.backbone.config, spectral, spectral.centres_nm)
    network = WindowClassifier(model.classifier, bands).eval()
    image, valid = _example(model)
    program = _export(network, image, valid)
    described = program.model
    described.ir_version = IR_VERSION
    described.doc_string = "Land cover from windows of a hyperspectral scene; the metadata say how"
    described.metadata_props.clear()
    described.metadata_props.update(graph_metadata(model))
    _remove_traces(described)
    program.save(str(path), external_data=False)
    with torch.inference_mode():
        _require_same(path, image, valid, network(image, valid))


def require_torch() -> None:
    """Refuse a torch whose exporter is another one.

    Raises:
        MissingPackageError: If torch is older than `LEAST_TORCH`.
    """
    major, minor = torch.__version__.split(".")[:2]
    if (int(major), int(minor)) < LEAST_TORCH:
        wanted = ".".join(map(str, LEAST_TORCH))
        raise MissingPackageError(
            f"models are exported by torch {wanted} or later, and {torch.__version__} is installed",
            hint="run: pip install --upgrade torch",
        )


def _example(model: AdaptedModel) -> tuple[Tensor, Tensor]:
    """Two windows with values of the model's scene: one whole, one with a part that has no data."""
    spectral, size = model.spectral, model.tiling.size_px
    deviation = np.sqrt(np.maximum(np.diagonal(spectral.whitening.covariance), 0.0))
    noise = np.random.default_rng(0).normal(size=(2, len(deviation), size, size))
    image = spectral.whitening.centre[:, None, None] + deviation[:, None, None] * noise
    valid = torch.ones(2, size, size, dtype=torch.bool)
    valid[1, : size // 2, : (size + 1) // 2] = False
    return torch.tensor(image, dtype=torch.float32), valid


def _export(network: WindowClassifier, image: Tensor, valid: Tensor) -> ONNXProgram:
    windows = torch.export.Dim("windows", min=1)
    with _quiet():
        program = torch.onnx.export(
            network,
            (image, valid),
            dynamo=True,
            input_names=[IMAGE, VALID],
            output_names=[PROBABILITIES],
            dynamic_shapes={IMAGE: {0: windows}, VALID: {0: windows}},
            opset_version=OPSET,
            verbose=False,
        )
    assert program is not None  # it is with dynamo
    return program


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep notes of the exporter for its developers off the screen."""
    logger = logging.getLogger("torch.onnx")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)


def _remove_traces(described: Any) -> None:
    """Remove what the exporter notes of each node: it has paths of this machine."""
    graph = described.graph
    for node in graph:
        node.metadata_props.clear()
        for value in node.outputs:
            value.metadata_props.clear()
    for value in (*graph.inputs, *graph.outputs, *graph.initializers.values()):
        value.metadata_props.clear()
    graph.metadata_props.clear()


def _require_same(path: Path, image: Tensor, valid: Tensor, expected: Tensor) -> None:
    """Run a file by ONNX's reference implementation, and compare pixels with data."""
    import onnx
    from onnx.reference import ReferenceEvaluator

    loaded = onnx.load(path)
    onnx.checker.check_model(loaded, full_check=True)
    inputs: Mapping[str, Any] = {IMAGE: image.numpy(), VALID: valid.numpy()}
    (found,) = ReferenceEvaluator(loaded).run(None, dict(inputs))
    differences = np.abs(found - expected.numpy()).max(axis=1)[valid.numpy()]
    if not float(differences.max()) < TOLERANCE:
        raise HsiGeoError(
            f"the ONNX file gives probabilities that differ by {float(differences.max()):.3g} from those of the model",
            hint="this is a defect of hsi-geo or of the package onnxscript: report it",
        )
