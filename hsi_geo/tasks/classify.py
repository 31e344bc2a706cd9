"""The main job: a scene and a few shots in, a map out."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from hsi_geo.io.scene import SomeScene, open_scene, require_upright
from hsi_geo.io.shots import Shots, read_shots
from hsi_geo.io.staging import staged
from hsi_geo.progress import LoggingReporter, Reporter
from hsi_geo.tasks.adapt import adapt
from hsi_geo.tasks.adapted import load_model
from hsi_geo.tasks.predict import MapOptions, MapResult, map_paths, write_map
from hsi_geo.tasks.runtime import file_hash


def classify(
    scene: SomeScene,
    shots: str | os.PathLike[str] | Shots,
    *,
    out: str | os.PathLike[str] | None = None,
    class_field: str | None = None,
    layer: str | None = None,
    all_touched: bool = False,
    wavelengths: str | None = None,
    options: MapOptions | None = None,
    seed: int = 0,
    device: str = "auto",
    threads: int | None = None,
    reporter: Reporter | None = None,
) -> MapResult:
    """Adapt a model to a scene and map the scene with it.

    The model is saved, read back and then used, so that the map is the one that `adapt` and
    `predict` give one after the other.

    Args:
        scene: The scene.
        shots: Vector file or shots read before, in any CRS.
        out: The map; by default ``SCENE_classes.tif`` beside the scene.
        class_field: See `read_shots`.
        layer: See `read_shots`.
        all_touched: Take every pixel a polygon touches, not only those whose centre it holds.
        wavelengths: See `open_scene`.
        options: What else to write, and how.
        seed: Same seed, machine and thread count give the same bytes.
        device: "auto", "cpu" or "cuda".
        threads: For torch on the CPU.
        reporter: Receives progress and messages.

    Returns:
        What was written, the class table and the accuracy estimate.

    Raises:
        HsiGeoError: If scene, shots or output cannot be used; the message says why.
    """
    reporter = reporter or LoggingReporter()
    options = options or MapOptions()
    opened = open_scene(scene, wavelengths=wavelengths)
    require_upright(opened)
    labelled = read_shots(shots, class_field=class_field, layer=layer)
    paths = map_paths(opened, out, options)
    with (
        staged(paths.all, overwrite=options.overwrite) as where,
        tempfile.TemporaryDirectory(prefix="hsi-geo-") as folder,
    ):
        model_path = Path(folder) / "model.safetensors"
        adapt(
            opened,
            labelled,
            out=model_path,
            class_field=class_field,
            layer=layer,
            all_touched=all_touched,
            wavelengths=wavelengths,
            seed=seed,
            device=device,
            threads=threads,
            reporter=reporter,
        )
        record = write_map(
            opened,
            load_model(model_path),
            paths.moved(where),
            model_hash=file_hash(model_path),
            options=options,
            device=device,
            threads=threads,
            reporter=reporter,
        )
    return MapResult(paths, labelled.classes, record["accuracy"], record)
