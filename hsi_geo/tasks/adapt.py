"""Few-shot adaptation: from a scene and a few shots to a model that maps the scene.

What the user gives is checked here. `adaptation.fitting` does the work; it is imported when the checks are done,
because it imports torch, which takes longer than all of them.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import xarray as xr

from hsi_geo import timings
from hsi_geo.arguments import require_flags, require_output, require_path
from hsi_geo.errors import OptionError
from hsi_geo.extras import require_package
from hsi_geo.io import model_file
from hsi_geo.io.files.paths import exists
from hsi_geo.io.files.remote_files import as_link
from hsi_geo.io.labels.several_scenes import require_overlap
from hsi_geo.io.labels.shot_reading import read_shots
from hsi_geo.io.labels.shots import Shots, SomeShots
from hsi_geo.io.outputs.atomic import atomic_outputs, require_cache_folder
from hsi_geo.io.scenes.alignment import aligned_grids
from hsi_geo.io.scenes.properties import files_of, log_remarks, name_of
from hsi_geo.io.scenes.scene import SomeScenes, open_scenes
from hsi_geo.io.scenes.tile_files import tile_key
from hsi_geo.io.scenes.unpacking import unpacked
from hsi_geo.progress import Reporter, default_reporter
from hsi_geo.tasks.adaptation.ahead import features_ahead
from hsi_geo.tasks.adaptation.feature_process import FeatureProcess, start_process
from hsi_geo.tasks.adaptation.recipe import Recipe
from hsi_geo.tasks.adaptation.scene_reads import SceneReads
from hsi_geo.tasks.artifacts.shipped import SHIPPED
from hsi_geo.tasks.runtime import Compute

if TYPE_CHECKING:
    from hsi_geo.tasks.adaptation.prepared import PreparedScenes
    from hsi_geo.tasks.adaptation.spectral_features import SpectralFeatures
    from hsi_geo.tasks.artifacts.model import AdaptedModel

DEFAULT_RECIPE = Recipe()
DEFAULT_WEIGHTS: str | os.PathLike[str] = SHIPPED


def adapt(
    scenes: SomeScenes,
    shots: SomeShots,
    *,
    out: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    weights: str | os.PathLike[str] | None = None,
    recipe: Recipe | None = None,
    trust_shots: bool = False,
    cross_validation: bool = False,
    stac: bool = False,
    cache: str | os.PathLike[str] | None = None,
    compute: Compute = Compute(),
    reporter: Reporter | None = None,
) -> AdaptedModel:
    """Adapt a model to a scene from a few shots.

    Args:
        scenes: Path of a scene, or what `open_scene` returned; or a list of them, of one sensor, CRS
            and pixel size. Each shot goes to the scene it lies in.
        shots: Path of a vector file with labelled geometries in any CRS, a GeoDataFrame with a column of
            classes, or what `read_shots` returned; or a list of these, such as points in one file and
            polygons in another.
        out: Path of the model file; None writes none.
        overwrite: Whether to replace ``out`` if it exists; without it that raises an error.
        weights: Path of network weights that `pretrain` wrote, to start from. None takes the
            weights that come with the package, "none" starts from random ones.
        recipe: Hyperparameters of the adaptation; None takes the default.
        trust_shots: Whether all shots weigh the same. Otherwise a shot whose label looks wrong weighs less, and the
            model's record names it under ``suspicious_shots``.
        cross_validation: Whether to estimate the accuracy by adapting the model once more without
            each fold of the shots, so that no held-out shot has any influence on its own
            prediction. This takes up to six times as long; the model is the same.
        stac: Whether to write a STAC item beside ``out``, ``MODEL.json``, by which catalogues find the model.
        cache: Folder in which features of the scene's pixels are kept, about 7 kB a pixel of the training regions, so
            that the next run on the same scene takes less time; None keeps none. It is made if there is none, and
            holds at most 2 GiB.
        compute: Device, number of threads, and seed.
        reporter: Receives progress and messages; None shows a bar in a notebook, and sends
            messages to Python's ``logging``.

    Returns:
        The model.

    Raises:
        HsiGeoError: If scene, shots or output cannot be used; the message says why.
    """
    require_flags(
        overwrite=overwrite, trust_shots=trust_shots, cross_validation=cross_validation, stac=stac
    )
    reporter = reporter or default_reporter()
    opened = open_scenes(scenes)
    log_remarks(opened, reporter)
    return adapt_opened(
        opened,
        read_shots(shots, near=[scene.hsi.grid for scene in opened]),
        out=None if out is None else require_output(out),
        overwrite=overwrite,
        weights=weights,
        recipe=recipe,
        trust_shots=trust_shots,
        cross_validation=cross_validation,
        stac=stac,
        prepare=lambda readable, labelled: prepare(readable, labelled, cache),
        compute=compute,
        reporter=reporter,
    )


def prepare(
    readable: list[xr.DataArray],
    labelled: Shots | None,
    cache: str | os.PathLike[str] | None,
) -> PreparedScenes:
    """Scenes with what no shot has an effect on, of which little is computed yet.

    Args:
        readable: Scenes that can be read by windows.
        labelled: Shots, if they are known already.
        cache: Folder of files with features; None keeps none.

    Raises:
        OutputError: If the folder cannot be used.
    """
    folder = None if cache is None else require_output(cache)
    if folder is not None:
        require_cache_folder(folder)
    reads = SceneReads(readable)
    is_ahead = cache is None and reads.size_px <= DEFAULT_RECIPE.budget_px  # all pixels are used
    process = start_process() if is_ahead else None
    ahead: list[SpectralFeatures | FeatureProcess] = []
    with reads.reading() as afterwards, timings.stage(timings.IMPORTS):
        if process is None:
            # With a process, scikit-learn is imported there.
            from hsi_geo.tasks.adaptation import feature_parts  # noqa: F401
        if is_ahead:
            afterwards(lambda: ahead.append(features_ahead(reads, process)))
        if labelled is not None:
            afterwards(lambda: reads.shot_pixels(labelled))
        from hsi_geo.tasks.adaptation.prepared import PreparedScenes  # imports torch

    return PreparedScenes(reads, folder, ahead[0] if ahead else None)


def adapt_opened(
    opened: list[xr.DataArray],
    labelled: Shots,
    *,
    out: Path | None,
    overwrite: bool,
    weights: str | os.PathLike[str] | None,
    recipe: Recipe | None = None,
    trust_shots: bool,
    cross_validation: bool = False,
    stac: bool = False,
    prepare: Callable[[list[xr.DataArray], Shots], PreparedScenes],
    compute: Compute,
    reporter: Reporter,
) -> AdaptedModel:
    """Adapt a model to scenes that are opened, with shots that are read.

    Args:
        opened: Scenes of one sensor, CRS and pixel size.
        labelled: Shots in any CRS.
        out: Path of the model file; None writes none.
        overwrite: See `adapt`.
        weights: See `adapt`.
        recipe: See `adapt`.
        trust_shots: See `adapt`.
        cross_validation: See `adapt`.
        stac: See `adapt`.
        prepare: Function from scenes that can be read by windows, and shots, to what was computed from them before.
        compute: Device, number of threads, and seed.
        reporter: Receives progress and messages.

    Returns:
        The model.

    Raises:
        HsiGeoError: If scenes, shots or output cannot be used.
    """
    for note in labelled.notes:
        reporter.log(note)
    for warning in labelled.warnings:
        reporter.warning(warning)
    if weights is None:
        weights = DEFAULT_WEIGHTS
    require_usable(opened, labelled, weights)
    finals = [] if out is None else [out]
    item = None if out is None or not stac else out.with_suffix(".json")
    if stac:
        require_package("batch", "STAC items", "pystac")
        if item is None:
            raise OptionError("a STAC item describes a file of a model", hint="give one with -o")
    inputs = [name for scene in opened for name in files_of(scene)]
    with (
        atomic_outputs(
            [*finals, *([] if item is None else [item])],
            overwrite=overwrite,
            inputs=[*inputs, *labelled.files, None if weights == "none" else weights],
        ) as where,
        unpacked(opened, reporter.log) as readable,
    ):
        prepared = prepare(readable, labelled)
        with timings.stage(timings.IMPORTS):
            from hsi_geo.tasks.adaptation.fitting import fit_model
            from hsi_geo.tasks.artifacts.model import save_model

        model = fit_model(
            opened,
            labelled,
            prepared,
            weights=weights,
            recipe=_with_trust(recipe or DEFAULT_RECIPE, trust_shots),
            cross_validation=cross_validation,
            compute=compute,
            reporter=reporter,
        )
        for final in finals:
            save_model(model, where[final])
        if item is not None:
            from hsi_geo.tasks.artifacts.stac_item import write_model_item

            grids = [scene.hsi.grid for scene in opened]
            write_model_item(model, grids, finals[0], where[item])
    return model


def _with_trust(recipe: Recipe, trust_shots: bool) -> Recipe:
    return dataclasses.replace(recipe, trust_shots=True) if trust_shots else recipe


def require_usable(
    scenes: list[xr.DataArray], shots: Shots, weights: str | os.PathLike[str] | None
) -> None:
    """Refuse what can be seen in headers and extents to be unusable; this takes no time, and no torch.

    Args:
        scenes: Opened scenes of one adaptation.
        shots: Shots in any CRS.
        weights: Path of network weights; None or "none" if no file was given.

    Raises:
        SceneError: If a scene is rotated, or scenes differ in CRS or pixel size.
        OptionError: If a scene is given twice.
        ShotsError: If all shots lie outside the scenes.
        ModelFileError: If the file holds no weights.
    """
    require_overlap(shots, aligned_grids(scenes))
    refuse_repeats(scenes)
    if weights is not None and weights != "none":
        path = require_path("--weights", weights, "give the file that pretrain wrote")
        model_file.require_kind(Path(path), "weights")


def refuse_repeats(scenes: Sequence[xr.DataArray]) -> None:
    """Refuse a scene that is given twice: its shots would count twice. Several parts of one file are several scenes.

    Args:
        scenes: Opened scenes of one run.

    Raises:
        OptionError: If two scenes are the same array, or the same pixels of one file.
    """
    seen: dict[tuple[object, ...], xr.DataArray] = {}
    for scene in scenes:
        name, grid = name_of(scene), scene.hsi.grid
        key = tile_key(name), grid.shape, tuple(grid.transform)
        is_stored = exists(name) or as_link(name) is not None  # arrays may share a name
        if key in seen and (is_stored or seen[key] is scene):
            raise OptionError(f"scene '{name}' is given twice", hint="give each scene once")
        seen[key] = scene
