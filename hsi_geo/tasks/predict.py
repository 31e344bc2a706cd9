"""Prediction: map a scene of any size with an adapted model."""

from __future__ import annotations

import hashlib
import itertools
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xarray as xr

from hsi_geo import timings
from hsi_geo.arguments import require_flags, require_output
from hsi_geo.display.described import Described
from hsi_geo.errors import OptionError
from hsi_geo.extras import require_package
from hsi_geo.io import model_file
from hsi_geo.io.files.paths import is_gdal_name, stem_of
from hsi_geo.io.files.remote_files import as_link
from hsi_geo.io.labels.aoi import read_area
from hsi_geo.io.labels.rejected_classes import REJECTED, read_rejected
from hsi_geo.io.labels.shots import ClassTable
from hsi_geo.io.labels.zones import read_zones
from hsi_geo.io.maps.record import find_stale_files
from hsi_geo.io.maps.vector_names import is_vector_name, require_vector_name
from hsi_geo.io.maps.writer import MapPaths
from hsi_geo.io.outputs.atomic import atomic_outputs
from hsi_geo.io.outputs.checks import read_along
from hsi_geo.io.outputs.inputs import refuse_input_overwrite
from hsi_geo.io.scenes.properties import files_of, log_remarks, name_of, require_upright
from hsi_geo.io.scenes.scene import SomeScene, open_scene
from hsi_geo.io.scenes.unpacking import unpacked
from hsi_geo.progress import Reporter, WarningRecorder, default_reporter, in_notebook
from hsi_geo.tasks.inference.axis_coverage import log_ignored_bands
from hsi_geo.tasks.inference.cleaning import margin_px
from hsi_geo.tasks.inference.options import MapOptions, Rescale, parse_rescale
from hsi_geo.tasks.runtime import Compute
from hsi_geo.tasks.validation.accuracy import PARENTS_ACCURACY, Accuracy

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from hsi_geo.display.summaries import Summary
    from hsi_geo.tasks.artifacts.model import AdaptedModel


@dataclass(frozen=True, slots=True, repr=False)
class MapResult(Described):
    """A map that was written.

    Attributes:
        paths: Paths of the map and of the files beside it.
        classes: Class table of the map.
        accuracy: Estimate of the map's accuracy from the shots; unknown if the shots lie in another
            scene.
        record: Content of the map's JSON file.
    """

    paths: MapPaths
    classes: ClassTable
    accuracy: Accuracy
    record: Mapping[str, Any]

    @property
    def parents_accuracy(self) -> Accuracy | None:
        """Estimate of the accuracy of the upper level of the classes; None if it is not known."""
        found = self.record.get(PARENTS_ACCURACY)
        return None if found is None else Accuracy.from_dict(found)

    @property
    def adapted_accuracy(self) -> Accuracy | None:
        """Accuracy in the scene that the model was adapted to; None if this is that scene."""
        if self.record["scene_adapted_to"]:
            return None
        return Accuracy.from_dict(self.record["adaptation"]["accuracy"])

    def for_programs(self, model: Path | None = None) -> dict[str, Any]:
        """Files, classes and accuracy as JSON can hold them: the result event of the command line.

        Args:
            model: Path of the model that was saved; None if none was.
        """
        saved = {} if model is None else {"model": model}
        record, adapted = self.record, self.adapted_accuracy
        found = {
            "outputs": {
                name: str(path) for name, path in {**self.paths.as_dict(), **saved}.items()
            },
            "classes": record["classes"],
            "accuracy": self.accuracy.as_dict(),
        }
        optional = (REJECTED, "parents", "rejected_parents", PARENTS_ACCURACY)
        found |= {key: record[key] for key in optional if key in record}
        if adapted is not None:  # a scene that the model was not adapted to
            found["adapted_accuracy"] = adapted.as_dict()
            found |= {"unlike": self.unlike, "drifts": record["drifts"]}
        return found

    @property
    def unlike(self) -> float | None:
        """Share of the pixels that are unlike the model's shots, 0 to 1; None if it is not known."""
        shift = self.record["domain_shift"]
        return None if shift is None else shift["unlike"]

    def plot(self, *, show_titles: bool = True, suptitle: str | None = None) -> Figure:
        """Draw the map with matplotlib, with its legend, and its confidence beside it if it was written.

        Args:
            show_titles: Whether each image has its title above it.
            suptitle: Title of the figure; None for none.

        Returns:
            The figure of `matplotlib.pyplot`. In a script ``matplotlib.pyplot.show()`` opens it.

        Raises:
            MapError: If the map is gone or damaged.
        """
        from hsi_geo.tasks.reporting.map_views import plot_map

        legend = (*self.classes, *read_rejected(self.record))
        return plot_map(self.paths, legend, show_titles=show_titles, suptitle=suptitle)

    def _summary(self, *, with_picture: bool) -> Summary:
        from hsi_geo.tasks.reporting.map_views import summarize_map

        return summarize_map(
            self.paths,
            self.classes,
            self.record,
            accuracy=self.accuracy,
            elsewhere=self.adapted_accuracy,
            with_picture=with_picture,
        )


def predict(
    scene: SomeScene,
    model: str | os.PathLike[str] | AdaptedModel,
    *,
    out: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    restat: bool = False,
    rescale: Rescale = None,
    options: MapOptions = MapOptions(),
    compute: Compute = Compute(),
    reporter: Reporter | None = None,
) -> MapResult:
    """Map a scene with an adapted model.

    Args:
        scene: Path of a scene that covers the model's wavelengths, or what `open_scene` returned.
        model: Model that `adapt` returned, or path of the file it wrote.
        out: Path of the map, which ends in ``.tif``, or of its polygons (``.gpkg``, ``.fgb``, ``.parquet``), which then
            have the map beside them; None writes ``SCENE_classes.tif`` beside the scene. In a notebook a number is added
            to that name if there is such a map.
        overwrite: Whether to replace outputs that exist; without it they raise an error.
        restat: Whether to compute the band statistics from this scene instead of taking the
            model's: for a whole scene of another date or sensor, never for a tile.
        rescale: Factor that the scene's values are multiplied by, where they are on another scale
            than those of the scene that the model was adapted to. "auto" takes the power of ten
            that fits, and reports it; None refuses such a scene.
        options: Area to map, files to write beside the map, and memory to use.
        compute: Device and number of threads; the seed is not used.
        reporter: Receives progress and messages; None shows a bar in a notebook, and sends
            messages to Python's ``logging``.

    Returns:
        Paths, class table and accuracy of the map.

    Raises:
        HsiGeoError: If scene, model or output cannot be used; the message says why.
    """
    require_flags(overwrite=overwrite, restat=restat)
    reporter = reporter or default_reporter()
    require_no_report(options)
    factor = parse_rescale(rescale)
    if restat and factor is not None:
        raise OptionError(
            "--restat and --rescale were both given, and new statistics need no scale",
            hint="give one of them",
        )
    opened = open_scene(scene)
    recorder = WarningRecorder(reporter)
    log_remarks([opened], recorder)
    paths = map_paths(opened, out, options, overwrite=overwrite)
    require_upright(opened)
    model_path = model_file.path_of_model(model)
    refuse_unusable_options(options, opened)
    refuse_zones_elsewhere(options, [opened])
    with (
        atomic_outputs(
            paths.all,
            overwrite=overwrite,
            inputs=[*files_of(opened), model_path, options.aoi, options.zones],
            stale=find_stale_files(paths),
        ) as where,
        unpacked([opened], reporter.log) as readable,
    ):
        with timings.stage(timings.IMPORTS):
            # These import torch, which takes longer than all checks.
            from hsi_geo.tasks.artifacts.model import load_model, model_bytes
            from hsi_geo.tasks.inference.mapping import write_map

        adapted = load_model(model) if isinstance(model, str | os.PathLike) else model
        require_parents(options, adapted.classes)
        log_ignored_bands(adapted.classifier.backbone.config, [opened], recorder)
        record = write_map(
            readable[0],
            adapted,
            paths.moved(where),
            model_hash=hashlib.sha256(model_bytes(adapted)).hexdigest(),
            options=options,
            restat=restat,
            rescale=factor,
            compute=compute,
            reporter=reporter,
            warned=recorder.warnings,
        )
    return MapResult(paths, adapted.classes, Accuracy.from_dict(record["accuracy"]), record)


def refuse_unusable_options(options: MapOptions, scene: xr.DataArray) -> None:
    """Refuse options that do not fit a scene, before anything is computed.

    Args:
        options: Options of mapping.
        scene: Scene to map.

    Raises:
        HsiGeoError: If the area of interest or zones cannot be used, or the least area of a patch, or a package is missing.
    """
    if options.stac:
        require_package("batch", "STAC items", "pystac")
    if options.zones is not None:
        require_map_grid(scene, "a table of zones")
        read_zones(options.zones, scene.hsi.grid, field=options.zone_field)
    if options.aoi is not None:
        read_area(options.aoi, scene.hsi.grid)
    margin_px(options.least_patch, scene.hsi.grid)


def refuse_zones_elsewhere(options: MapOptions, scenes: Sequence[xr.DataArray]) -> None:
    """Refuse zones that all lie outside all scenes, before anything is computed.

    Args:
        options: Options of mapping.
        scenes: Scenes to map.

    Raises:
        OptionError: If no zone meets the extent of a scene.
    """
    if options.zones is None:
        return
    grids = [scene.hsi.grid for scene in scenes]
    if not any(
        read_zones(options.zones, grid, field=options.zone_field).are_on(grid) for grid in grids
    ):
        where = "the scene" if len(grids) == 1 else "the scenes"
        raise OptionError(
            f"all zones of '{os.fspath(options.zones)}' lie outside {where}",
            hint="check the CRS of both",
        )


def require_map_grid(scene: xr.DataArray, what: str) -> None:
    """Refuse an output for a scene that is read in the rows and columns of the sensor.

    Args:
        scene: Scene to map.
        what: What is to be written, for the message.

    Raises:
        OptionError: If the scene has no map grid.
    """
    if scene.hsi.grid.frame is not None:
        raise OptionError(
            f"scene '{name_of(scene)}' is read in the rows and columns of the sensor, and {what} needs a map grid",
            hint="leave --swath out",
        )


def require_parents(options: MapOptions, classes: ClassTable) -> None:
    """Refuse to write the upper level of classes that have one level.

    Args:
        options: Options of mapping.
        classes: Class table of the map.

    Raises:
        OptionError: If the upper level is asked for, and the classes have no parents.
    """
    if options.parents and not any(c.parent for c in classes):
        raise OptionError(
            "--parents was given, and the classes have one level",
            hint="give the labels with --class-field Level_1/Level_2, or a parent for each class in --classes, and "
            "adapt again",
        )


def require_no_report(options: MapOptions) -> None:
    """Refuse a report where there are no shots to estimate the accuracy from.

    Raises:
        OptionError: If the options ask for one.
    """
    if options.report:
        raise OptionError(
            "a report needs shots, and a model's map has none",
            hint="leave out report=True, or call classify",
        )


def map_paths(
    scene: xr.DataArray,
    out: str | os.PathLike[str] | None,
    options: MapOptions,
    *,
    overwrite: bool,
) -> MapPaths:
    """Paths of a scene's map and of the files beside it.

    Args:
        scene: Scene to map.
        out: Path of the map; None writes ``SCENE_classes.tif`` beside the scene. In a notebook it is
            ``SCENE_classes_2.tif`` and so on if that exists and ``overwrite`` is False: cells are run again.
        options: Which files to write beside the map.
        overwrite: Whether files that exist are replaced.

    Raises:
        OptionError: If the path does not end in ``.tif`` or as a layer of polygons does, or a file would replace the scene or the
            area, or if there is no place beside the scene.
    """
    if out is None:
        source = Path(name_of(scene))
        if is_gdal_name(str(source)) or as_link(name_of(scene)) is not None:
            raise OptionError(
                f"scene '{name_of(scene)}' is no file of this machine, and its map cannot be written beside it",
                hint="give a file for the map with -o",
            )
        out = source.with_name(f"{stem_of(source)}_classes.tif")
        if in_notebook() and not overwrite:
            out = _free_path(out)
    path = require_output(out)
    if is_vector_name(path):
        require_vector_name(path)
    elif path.suffix.lower() not in (".tif", ".tiff"):
        raise OptionError(
            f"output '{path}' does not end in .tif",
            hint="maps are written as GeoTIFF, and their polygons as .gpkg, .fgb or .parquet",
        )
    paths = MapPaths.of(
        path,
        confidence=options.confidence,
        probabilities=options.probabilities,
        polygons=options.polygons,
        parents=options.parents,
        zones=options.zones is not None,
        item=options.stac,
    )
    if options.report:
        paths = paths.with_report()
    refuse_input_overwrite(
        paths.all, [*files_of(scene), options.aoi, options.zones]
    )  # before anything is read
    return paths


def _free_path(path: Path) -> Path:
    """The path, with the first number from 2 after its stem under which no file of a map exists."""
    for number in itertools.count(1):
        free = path if number == 1 else path.with_stem(f"{path.stem}_{number}")
        every = MapPaths.of(
            free,
            confidence=True,
            probabilities=True,
            polygons=True,
            parents=True,
            zones=True,
            item=True,
        )
        files = every.with_report().all
        if not any(map(os.path.lexists, files)) and not read_along(files):
            return free
    raise AssertionError  # never reached
