"""Map a scene with a model in ONNX: with onnxruntime, NumPy and rasterio, without hsi-geo.

Run it with `python examples/onnx_map.py [FOLDER]`. It needs `pip install 'hsi-geo[onnx]' onnxruntime`. It adapts a model
to Indian Pines, exports it, maps the scene with `map_with_onnx`, compares the map with that of hsi-geo, and draws it into
FOLDER/onnx_map.png. Take `map_with_onnx` into your own program: it reads all it needs from the ONNX file. It takes
about a minute.
"""

import json
import math
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime
import rasterio


def map_with_onnx(
    onnx: Path,
    image: npt.NDArray[np.float32],
    valid: npt.NDArray[np.bool_],
    transform: rasterio.Affine,
) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.float32]]:
    """Map a scene that fits into memory.

    Args:
        onnx: File that `hsi-geo export` wrote.
        image: (bands, rows, columns) values of the bands of ``wavelengths_nm``, with scale and offset applied.
        valid: (rows, columns) whether a pixel has data.
        transform: Affine of the scene.

    Returns:
        (rows, columns) class ids, 0 without data, and (classes, rows, columns) probabilities.
    """
    options = onnxruntime.SessionOptions()
    session = onnxruntime.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])
    meta = session.get_modelmeta().custom_metadata_map
    size, stride = int(meta["window_px"]), int(meta["stride_px"])
    ramp = np.array(json.loads(meta["blend_ramp"]), np.float32)
    classes = json.loads(meta["classes"])
    height, width = valid.shape

    # Windows begin at multiples of the stride on the pixel grid of the CRS, so that all tiles have the same ones.
    row = math.floor(transform.f / abs(transform.e) * math.copysign(1, transform.e) + 0.3)
    col = math.floor(transform.c / abs(transform.a) * math.copysign(1, transform.a) + 0.3)
    top, left = (((first - size) // stride + 1) * stride - first for first in (row, col))
    rows, cols = range(top, height, stride), range(left, width, stride)
    padded = np.pad(valid, ((-top, size), (-left, size)))
    values = np.pad(image, ((0, 0), (-top, size), (-left, size)))

    sums = np.zeros((len(classes), *padded.shape), np.float32)
    weights = np.zeros(padded.shape, np.float32)
    for r in rows:
        parts = [(slice(r - top, r - top + size), slice(c - left, c - left + size)) for c in cols]
        parts = [part for part in parts if padded[part].any()]
        if not parts:
            continue
        inputs = {
            "image": np.stack([values[:, *part] for part in parts]).astype(np.float32),
            "valid": np.stack([padded[part] for part in parts]),
        }
        (found,) = session.run(["probabilities"], inputs)
        for part, probabilities in zip(parts, found, strict=True):
            weight = np.outer(ramp, ramp) * padded[part]
            sums[:, *part] += np.where(weight > 0, weight * probabilities, 0)
            weights[part] += weight
    inside = np.s_[-top : height - top, -left : width - left]
    blended = (sums[:, *inside] / np.maximum(weights[inside], 1e-30)).astype(np.float32)

    # Classes with parents: the most probable parent first, and then the most probable of its classes.
    parents = [entry.get("parent") or entry["name"] for entry in classes]
    names = sorted(set(parents))
    of_class = np.array([names.index(parent) for parent in parents])
    totals = np.stack([blended[of_class == p].sum(axis=0) for p in range(len(names))])
    if len(names) < len(classes):
        is_child = of_class[:, None, None] == totals.argmax(axis=0)
        chosen = np.where(is_child, blended, -1).argmax(axis=0)
    else:
        chosen = blended.argmax(axis=0)
    ids = np.array([entry["id"] for entry in classes])[chosen]
    return np.where(valid, ids, 0).astype(np.uint16), blended


def main(folder: Path) -> None:
    """Adapt a model, export it, and compare both maps."""
    from hsi_geo import adapt, export, open_scene, predict
    from hsi_geo.tasks.demo import write_inputs
    from hsi_geo.tasks.reporting.preview import draw_scene_and_map

    scene_path, shots_path, _ = write_inputs(folder)
    model = adapt(scene_path, shots_path, out=folder / "model.safetensors", overwrite=True)
    ours = predict(scene_path, model, out=folder / "ours.tif", overwrite=True)
    centres_nm = export(model, folder / "model.onnx", overwrite=True).wavelengths_nm

    # The model has the good bands of its scene only.
    with rasterio.open(scene_path) as file:
        there_nm = np.array([float(file.tags(band)["wavelength"]) for band in file.indexes])
        bands = [int(np.abs(there_nm - nm).argmin()) for nm in centres_nm]
        image = file.read([band + 1 for band in bands]).astype(np.float32)
        image *= np.array(file.scales, np.float32)[bands, None, None]
        image += np.array(file.offsets, np.float32)[bands, None, None]
        valid = file.dataset_mask() > 0
        transform, profile = file.transform, file.profile
    ids, _ = map_with_onnx(folder / "model.onnx", image, valid, transform)

    path = folder / "onnx_map.tif"
    kept = {name: profile[name] for name in ("height", "width", "crs", "transform")}
    with rasterio.open(
        path, "w", driver="GTiff", count=1, dtype="uint16", nodata=0, **kept
    ) as file:
        file.write(ids, 1)
    with rasterio.open(ours.paths.classes) as file:
        same = (file.read(1) == ids)[valid].mean()
    print(f"map: {path}")
    print(f"pixels of the same class as in the map of hsi-geo: {100 * same:.2f} %")

    picture = folder / "onnx_map.png"
    draw_scene_and_map(
        open_scene(scene_path), path, ours.classes, picture, title="Indian Pines, by ONNX"
    )
    print(f"picture: {picture}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "demo"))
