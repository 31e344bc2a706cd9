"""A scene to the files of a map, strip by strip."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
import xarray as xr

from hsi_geo.errors import HsiGeoError
from hsi_geo.io.labels.aoi import area_mask, read_area
from hsi_geo.io.maps.record import write_record
from hsi_geo.io.maps.writer import MapPaths, MapWriter
from hsi_geo.io.scenes.neighbours import HaloScene
from hsi_geo.io.scenes.properties import (
    bands_of,
    name_of,
    require_upright,
    rescaled,
    select_good_bands,
)
from hsi_geo.io.scenes.quality import bad_bands
from hsi_geo.io.scenes.windows import read_window
from hsi_geo.models.classifier import band_map
from hsi_geo.models.window_inference import WindowGridNetwork
from hsi_geo.progress import Reporter, WarningRecorder
from hsi_geo.tasks.artifacts.model import AdaptedModel, require_cover
from hsi_geo.tasks.inference.scene_scale import Likeness, Rescale, bring_to_scale
from hsi_geo.tasks.inference.scene_statistics import learn_spectral_stats, require_on_axis
from hsi_geo.tasks.inference.sliding_window import SlidingWindow
from hsi_geo.tasks.inference.strips import Strips, write_behind
from hsi_geo.tasks.runtime import Compute, computing, scene_hash, versions
from hsi_geo.tasks.validation.accuracy import Accuracy
from hsi_geo.tiling import Grid, Window

#: Bytes that strips of a scene may take together.
DEFAULT_MEMORY = 512 << 20

#: What is said of the accuracy of a map whose scene no shots lie in.
NOT_ADAPTED_TO = "the model was adapted to another scene"

#: A class is lost if a map has less than this share of the pixels under its shots.
LOST = 0.5

#: Pixels from which on a run is told beforehand what it will take.
LONG_PX = 10_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class MapOptions:
    """Area to map, files to write beside the map, and memory to use.

    Attributes:
        aoi: Path of a vector file in any CRS; only pixels whose centre lies in its polygons are
            mapped. None maps the whole scene.
        confidence: Whether to write ``MAP_confidence.tif``: 0 to 100 per cent, uint8.
        probabilities: Whether to write ``MAP_probabilities.tif``: one band for each class.
        report: Whether to write ``MAP_report.html``, and to estimate the accuracy by adapting the
            model once more without each of five folds of the shots, which takes up to six times as
            long. Only `classify` can.
        command: Command line that makes the map again; the report shows it.
        max_memory: Bytes that strips of the scene may take together while it is mapped.
    """

    aoi: str | os.PathLike[str] | None = None
    confidence: bool = False
    probabilities: bool = False
    report: bool = False
    command: str = ""
    max_memory: int = DEFAULT_MEMORY


def write_map(
    scene: xr.DataArray,
    model: AdaptedModel,
    paths: MapPaths,
    *,
    model_hash: str,
    options: MapOptions,
    restat: bool = False,
    rescale: Rescale = None,
    compute: Compute,
    reporter: Reporter,
    around: HaloScene | None = None,
    own: bool = False,
    more_hashes: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Map a scene to files that nobody else looks at yet.

    Args:
        scene: The scene.
        model: Maps it.
        paths: To write.
        model_hash: For the record.
        options: Area to map, and memory to use.
        restat: Whether to compute the band statistics from this scene instead of taking the model's.
        rescale: Factor that the scene's values are multiplied by, "auto" for the power of ten that
            brings them to the model's scale, or None to refuse a scene on another scale.
        compute: Device and number of threads.
        reporter: Receives progress and messages.
        around: The scene amid its neighbours, which windows look at beyond its rim.
        own: Whether the model was adapted to this very scene; of a file its hash may tell, too.
        more_hashes: For the record.

    Returns:
        The record that was written as JSON.
    """
    require_upright(scene)
    reporter = witness = WarningRecorder(reporter)
    view, grid = select_good_bands(scene), scene.hsi.grid
    centres = bands_of(view).centres_nm
    require_cover(model, centres, name_of(scene))
    require_on_axis(model.classifier.backbone.config, scene)
    own = own or _is_own(scene, model)
    factor, likeness = 1.0, None
    if restat:
        model = dataclasses.replace(model, spectral=learn_spectral_stats([view]))
    elif not own or rescale is not None:
        factor, likeness = bring_to_scale(
            view, model.spectral, model.shot_spectra, rescale, reporter
        )
        view = rescaled(view, factor)
    if grid.crs is None:
        reporter.warning(
            f"scene '{name_of(scene)}' has no coordinate reference system: neither has its map"
        )
    area = None if options.aoi is None else read_area(options.aoi, grid)
    with (
        computing(compute, reporter) as on,
        MapWriter(paths, grid, model.classes, model.order) as writer,
    ):
        bands = band_map(model.classifier.backbone.config, model.spectral, centres)
        classifier = model.classifier
        if model.order is not None:
            classifier = classifier.with_class_order(model.order)
        network = WindowGridNetwork.for_classifier(classifier, bands, model.tiling.stride_px, on)
        seen = view if around is None else rescaled(select_good_bands(around.scene), factor)
        sliding = SlidingWindow(seen, model.tiling, network, len(model.classes))
        asked = partial(_asked, area, seen.hsi.grid, around)
        part = _Part(grid.window)
        if around is not None:
            part = _Part(around.core, view if around.overlapped else None)
        # One thread is one thread: beside other workers, reading ahead would take from their cores.
        strips = Strips(sliding, options.max_memory, asked, read_ahead=compute.threads != 1)
        _map_strips(strips, writer, part, reporter)
        ranges = strips.ranges.expand(bands_of(scene).in_order(), scene.shape[0])
        record = _record(scene, model, model_hash, options, restat, writer.counts)
        record["parameters"]["rescale"] = None if factor == 1.0 else factor
        record |= _told_apart(model, own, likeness)
        record["bad_bands"] = [dataclasses.asdict(band) for band in bad_bands(scene, ranges)]
        record["hashes"] |= more_hashes or {}
        if likeness is not None and likeness.drifts:
            reporter.warning(f"scene '{name_of(scene)}' {drift_told(likeness)}")
        if own and options.aoi is None and len(model.record["hashes"].get("scenes", ())) == 1:
            for warning in lost_classes(model, writer.counts):
                reporter.warning(warning)
        record["warnings"] = witness.warnings
    return write_record(paths, record)


def _is_own(scene: xr.DataArray, model: AdaptedModel) -> bool:
    """Whether a model was adapted to this scene's file; what is no file cannot be told."""
    return Path(name_of(scene)).is_file() and scene_hash(scene) in model.record["hashes"].get(
        "scenes", ()
    )


def _told_apart(model: AdaptedModel, own: bool, likeness: Likeness | None) -> dict[str, Any]:
    """Whose accuracy is known, and whether that of another scene may hold for this one."""
    accuracy = model.record["accuracy"]
    return {
        "accuracy": accuracy if own else Accuracy.unknown(NOT_ADAPTED_TO).as_dict(),
        "scene_adapted_to": own,
        "likeness": None if likeness is None else likeness.as_dict(),
        "drifts": likeness is not None and likeness.drifts,
    }


def drift_told(likeness: Likeness) -> str:
    """In words, of a scene that drifts."""
    told = [likeness.brightness_told]
    if likeness.unlike is not None:
        told.append(f"{100 * likeness.unlike:.0f} % of its pixels are unlike every shot")
    said = ", ".join(filter(None, told))
    return (
        f"looks unlike what the model was adapted to{': ' + said if said else ''}; an accuracy that "
        "was estimated there does not hold here"
    )


def lost_classes(model: AdaptedModel, counts: npt.NDArray[np.int64]) -> list[str]:
    """What to warn of where a map of all that the shots lie in has less of a class than they cover.

    Beside classes of many more shots a class of few may not be learnt at all.

    Args:
        model: With the pixels under each class's shots.
        counts: (K + 1,) mapped pixels by class id.
    """
    shots: Mapping[str, int] = model.record["shots"]
    return [
        f"the map has {int(counts[c.id]) or 'no'} pixels of class '{c.name}', whose shots cover "
        f"{shots[c.name]}: draw more of it, or fewer of the other classes"
        for c in model.classes
        if counts[c.id] < LOST * shots.get(c.name, 0)
    ]


def _asked(
    area: shapely.Geometry | None, grid: Grid, around: HaloScene | None, window: Window
) -> npt.NDArray[np.bool_] | None:
    """Which pixels of a window are asked for, None for all."""
    mask = None if around is None else around.core_mask(window)
    if area is None:
        return mask
    inside = area_mask(area, grid, window)
    return inside if mask is None else inside & mask


@dataclass(frozen=True, slots=True)
class _Part:
    """What is written of that which the strips read.

    Attributes:
        core: The pixels, counted in what the strips read.
        own: (C, height, width) view that tells where the core has data of its own; None if what
            was read tells.
    """

    core: Window
    own: xr.DataArray | None = None

    def cut(
        self, window: Window, probabilities: npt.NDArray[np.float32]
    ) -> tuple[Window, npt.NDArray[np.float32]]:
        """A window's pixels inside the core, counted in the core; maybe none."""
        moved = window.relative_to(self.core)
        inside = moved.clip(*self.core.shape)
        rows, cols = inside.relative_to(moved).slices
        kept = probabilities[:, rows, cols]
        if self.own is not None and kept.size:
            kept = np.where(read_window(self.own, inside)[1], kept, np.float32(0.0))
        return inside, kept


def _map_strips(strips: Strips, writer: MapWriter, part: _Part, reporter: Reporter) -> None:
    pixels, done = part.core.height * part.core.width, 0
    if pixels >= LONG_PX:
        plan = strips.plan
        reporter.log(
            f"{pixels / 1e6:.0f} million pixels, read {plan.rows} rows of {plan.cols} columns at a "
            f"time: about {plan.bytes / 2**30:.1f} GiB of memory beside the program itself"
        )
    with write_behind(writer.write) as write:
        for window, probabilities, valid in strips:
            wanted = strips.wanted(window)
            here = valid if wanted is None else valid & wanted
            _require_classes(probabilities, here, window)
            inside, kept = part.cut(window, np.where(here, probabilities, np.float32(0.0)))
            if kept.size:
                write(inside, kept)
                done += inside.height * inside.width
                reporter.progress("map", done, pixels)


def _require_classes(
    probabilities: npt.NDArray[np.float32], here: npt.NDArray[np.bool_], window: Window
) -> None:
    """Every pixel that has data gets a class."""
    missed = int((here & ~(probabilities.max(axis=0) > 0)).sum())
    if missed:
        raise HsiGeoError(
            f"{missed} pixels with data got no class in rows {window.row} to "
            f"{window.row + window.height}",
            hint="look at the scene's values with hsi-geo info, or adapt the model anew",
        )


def _record(
    scene: xr.DataArray,
    model: AdaptedModel,
    model_hash: str,
    options: MapOptions,
    restat: bool,
    counts: npt.NDArray[np.int64],
) -> dict[str, Any]:
    shots = model.record["shots"]
    mapped = max(1, int(counts[1:].sum()))
    return {
        "classes": [
            {
                **dataclasses.asdict(c),
                "shots": shots[c.name],
                "pixels": int(counts[c.id]),
                "share": round(int(counts[c.id]) / mapped, 6),
            }
            for c in model.classes
        ],
        "seed": model.record["seed"],
        "adaptation": {
            key: model.record[key]
            for key in ("accuracy", "found", "parameters", "hashes", "versions")
        },
        "parameters": {
            "aoi": None if options.aoi is None else os.fspath(options.aoi),
            "confidence": options.confidence,
            "probabilities": options.probabilities,
            "restat": restat,
            "window_px": model.tiling.size_px,
            "stride_px": model.tiling.stride_px,
            "wavelength_source": scene.attrs.get("wavelength_source"),
        },
        "hashes": {"scene": scene_hash(scene), "model": model_hash},
        "scene": name_of(scene),
        "versions": versions(),
    }
