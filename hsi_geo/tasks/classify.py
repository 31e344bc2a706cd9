"""The main job: a scene and a few shots in, a map out."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import xarray as xr

from hsi_geo.errors import OptionError
from hsi_geo.io.class_map import MapPaths
from hsi_geo.io.scene import SomeScene, name_of, open_scene, require_upright
from hsi_geo.io.shots import Shots, read_shots
from hsi_geo.io.staging import staged
from hsi_geo.progress import LoggingReporter, Reporter
from hsi_geo.tasks.accuracy import Accuracy
from hsi_geo.tasks.adapt import adapt
from hsi_geo.tasks.adapted import load_model
from hsi_geo.tasks.predict import MapOptions, MapResult, map_paths, write_map
from hsi_geo.tasks.runtime import file_hash

SomeShots = str | os.PathLike[str] | Shots


def classify(
    scene: SomeScene,
    shots: SomeShots,
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
    options = options or MapOptions()
    opened = open_scene(scene, wavelengths=wavelengths)
    job = _Job(class_field, layer, all_touched, wavelengths, options, seed, device, threads)
    return job.run([opened], shots, [map_paths(opened, out, options)], reporter)[0]


def classify_scenes(
    scenes: Sequence[SomeScene],
    shots: SomeShots,
    *,
    out: str | os.PathLike[str] | None,
    class_field: str | None = None,
    layer: str | None = None,
    all_touched: bool = False,
    wavelengths: str | None = None,
    options: MapOptions | None = None,
    seed: int = 0,
    device: str = "auto",
    threads: int | None = None,
    reporter: Reporter | None = None,
) -> list[MapResult]:
    """Adapt one model to several scenes of a sensor and map all of them.

    Args:
        scenes: The scenes; each shot goes to the one it lies in.
        shots: As for `classify`.
        out: Folder for the maps, made if need be; each is ``SCENE_classes.tif``.
        class_field: As for `classify`, like all that follow.
        layer: See there.
        all_touched: See there.
        wavelengths: See there.
        options: See there.
        seed: See there.
        device: See there.
        threads: See there.
        reporter: See there.

    Returns:
        One result a scene. All maps appear together, when the last one is whole.

    Raises:
        HsiGeoError: If a scene, the shots or the folder cannot be used.
    """
    options = options or MapOptions()
    if out is None:
        raise OptionError("several scenes need a folder for their maps", hint="give one with -o")
    opened = [open_scene(scene, wavelengths=wavelengths) for scene in scenes]
    paths = [map_paths(s, Path(out) / f"{_stem(s, opened)}_classes.tif", options) for s in opened]
    made = not Path(out).exists()
    Path(out).mkdir(exist_ok=True)
    job = _Job(class_field, layer, all_touched, wavelengths, options, seed, device, threads)
    try:
        return job.run(opened, shots, paths, reporter)
    except BaseException:
        if made:
            Path(out).rmdir()
        raise


@dataclass(frozen=True, slots=True)
class _Job:
    """Adapt once, map each scene, and let everything appear together."""

    class_field: str | None
    layer: str | None
    all_touched: bool
    wavelengths: str | None
    options: MapOptions
    seed: int
    device: str
    threads: int | None

    def run(
        self,
        scenes: list[xr.DataArray],
        shots: SomeShots,
        paths: list[MapPaths],
        reporter: Reporter | None,
    ) -> list[MapResult]:
        reporter = reporter or LoggingReporter()
        for scene in scenes:
            require_upright(scene)
        labelled = read_shots(shots, class_field=self.class_field, layer=self.layer)
        finals = [file for one in paths for file in one.all]
        with (
            staged(finals, overwrite=self.options.overwrite) as where,
            tempfile.TemporaryDirectory(prefix="hsi-geo-") as folder,
        ):
            model_path = Path(folder) / "model.safetensors"
            adapt(
                scenes,
                labelled,
                out=model_path,
                class_field=self.class_field,
                layer=self.layer,
                all_touched=self.all_touched,
                wavelengths=self.wavelengths,
                seed=self.seed,
                device=self.device,
                threads=self.threads,
                reporter=reporter,
            )
            model = load_model(model_path)
            records = [
                write_map(
                    scene,
                    model,
                    one.moved(where),
                    model_hash=file_hash(model_path),
                    options=self.options,
                    device=self.device,
                    threads=self.threads,
                    reporter=reporter,
                )
                for scene, one in zip(scenes, paths, strict=True)
            ]
        return [
            MapResult(one, model.classes, Accuracy.from_dict(record["accuracy"]), record)
            for one, record in zip(paths, records, strict=True)
        ]


def _stem(scene: xr.DataArray, all_scenes: list[xr.DataArray]) -> str:
    """The scene's file name, with its folder's before it where two would collide."""
    path = Path(name_of(scene))
    same = [other for other in all_scenes if Path(name_of(other)).stem == path.stem]
    return path.stem if len(same) == 1 else f"{path.absolute().parent.name}_{path.stem}"
