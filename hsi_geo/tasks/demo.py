"""The demo: classify Indian Pines from five shots a class, and compare with two classical methods."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import rasterio

from hsi_geo.arguments import require_output
from hsi_geo.display.images import false_colour
from hsi_geo.io.datasets.indian_pines import (
    DESCRIPTION,
    LabelledScene,
    is_indian_pines,
    load_indian_pines,
    write_points,
    write_scene,
)
from hsi_geo.io.outputs.atomic import atomic_outputs, make_folder
from hsi_geo.io.outputs.checks import require_free
from hsi_geo.progress import Reporter, default_reporter
from hsi_geo.tasks.benchmarking.protocol import Scores, draw_shots, score
from hsi_geo.tasks.classify import classify
from hsi_geo.tasks.inference.options import MapOptions
from hsi_geo.tasks.predict import MapResult
from hsi_geo.tasks.runtime import Compute

SHOTS_PER_CLASS = 5
SEED = 1330  # the first of the few-shot literature's ten

#: Classical methods that other programs offer first: name to show, name in `BASELINES`.
COMPARED = {"SVM": "svm", "random forest": "random-forest"}


@dataclass(frozen=True, slots=True)
class DemoResult:
    """Files and scores of the demo.

    Attributes:
        map: Result of `classify`.
        picture: Path of the picture (PNG).
        scores: Scores of each method, by its name, on all labelled pixels that are no shots.
        test_pixels: Number of these pixels.
        seconds: Duration of `classify`.
    """

    map: MapResult
    picture: Path
    scores: dict[str, Scores]
    test_pixels: int
    seconds: float


def demo(
    folder: str | os.PathLike[str] = "demo",
    *,
    compute: Compute = Compute(seed=SEED),
    reporter: Reporter | None = None,
) -> DemoResult:
    """Write Indian Pines and five shots a class as files, classify them, and compare.

    Args:
        folder: Folder for all files. It is made if there is none; the demo's own files in it are
            replaced.
        compute: Device, number of threads, and the seed that draws the shots and everything after.
        reporter: Receives progress and messages; None shows a bar in a notebook, and sends
            messages to Python's ``logging``.

    Returns:
        The map, a picture of it, and scores beside those of an SVM and a random forest.

    Raises:
        HsiGeoError: If the folder cannot be written to.
    """
    reporter = reporter or default_reporter()
    target = require_output(folder)
    scene_path, shots_path, shots = write_inputs(target, compute.seed)
    reporter.log(f"wrote {scene_path} and {shots_path}: {len(shots)} shots, grid approximate")
    scene = load_indian_pines()
    started = time.perf_counter()
    result = classify(
        scene_path,
        shots_path,
        out=_output_paths(target)[0],
        overwrite=True,
        options=MapOptions(confidence=True),
        compute=compute,
        reporter=reporter,
    )
    seconds = time.perf_counter() - started
    predicted = _to_truth_ids(result, scene)
    test = np.setdiff1d(np.flatnonzero(scene.truth), shots)
    truth = scene.truth.ravel()[test].astype(np.int64)
    scores = {"hsi-geo": score(truth, predicted.ravel()[test])}
    from hsi_geo.tasks.benchmarking.baselines import BASELINES, BaselineFeatures

    pixels = BaselineFeatures(scene.cube)
    labels = scene.truth.ravel()[shots].astype(np.int64)
    for title, name in COMPARED.items():
        columns = BASELINES[name](pixels, shots, labels, compute.seed).argmax(axis=1)
        scores[title] = score(truth, np.unique(labels)[columns[test]])
    picture = _draw(scene, result, predicted, scores["hsi-geo"], target)
    return DemoResult(result, picture, scores, len(test), seconds)


def _output_paths(folder: Path) -> tuple[Path, Path]:
    """Paths of the map and of the picture."""
    return folder / "indian_pines_classes.tif", folder / "indian_pines.png"


def write_inputs(folder: Path, seed: int = SEED) -> tuple[Path, Path, npt.NDArray[np.int64]]:
    """Write Indian Pines as a GeoTIFF, and five points a class as a GeoPackage.

    Args:
        folder: Folder for the files, made if there is none; the demo's own files in it are replaced.
        seed: Seed of the draw.

    Returns:
        Path of the scene, path of the shots, and the (N,) flat indices of the shots' pixels.

    Raises:
        OutputError: If the folder cannot be written to.
        OutputExistsError: If it holds other files of these names.
    """
    scene = load_indian_pines()
    shots = draw_shots(scene.truth, SHOTS_PER_CLASS, seed)
    make_folder(folder)
    finals = [folder / "indian_pines.tif", folder / "indian_pines_shots.gpkg"]
    if not is_indian_pines(finals[0]):  # other files of these names are the user's
        require_free([*finals, *_output_paths(folder)])
    with atomic_outputs(finals, overwrite=True) as where:
        write_scene(
            scene,
            where[finals[0]],
            {
                "DESCRIPTION": DESCRIPTION,
                "GEOREFERENCE": "approximate: the north-west corner is good to a kilometre",
            },
        )
        write_points(scene, shots, where[finals[1]])
    return finals[0], finals[1], shots


def _to_truth_ids(result: MapResult, scene: LabelledScene) -> npt.NDArray[np.int64]:
    """The map with the ids of the ground truth; the class table of the map is in alphabetical order."""
    with rasterio.open(result.paths.classes) as file:
        ids = file.read(1)
    order = np.zeros(len(result.classes) + 1, np.int64)
    for c in result.classes:
        order[c.id] = scene.names.index(c.name) + 1
    return np.asarray(order[ids])


def _draw(
    scene: LabelledScene,
    result: MapResult,
    predicted: npt.NDArray[np.int64],
    scores: Scores,
    folder: Path,
) -> Path:
    from hsi_geo.io.reports.figures import draw_panels

    assert result.paths.confidence is not None  # asked for above
    with rasterio.open(result.paths.confidence) as file:
        confidence = file.read(1)
    # Both images take the ids of the map's class table, as the legend does.
    to_map = np.zeros(len(scene.names) + 1, np.int64)
    for c in result.classes:
        to_map[scene.names.index(c.name) + 1] = c.id
    picture = _output_paths(folder)[-1]
    valid = np.ones(scene.truth.shape, bool)
    with atomic_outputs([picture], overwrite=True) as where:
        draw_panels(
            where[picture],
            scene=false_colour(scene.cube.astype(np.float32), scene.centres_nm, valid),
            predicted=to_map[predicted],
            truth=to_map[scene.truth],
            confidence=confidence,
            classes=result.classes,
            title=f"Indian Pines, {SHOTS_PER_CLASS} shots a class: "
            f"overall accuracy {100 * scores.oa:.1f} %",
        )
    return picture
