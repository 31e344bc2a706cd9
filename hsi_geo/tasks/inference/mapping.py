"""From a scene to the files of a map, strip by strip."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from typing import Any

import numpy as np
import torch
import xarray as xr

from hsi_geo import stages, timings
from hsi_geo.arrays import BoolArray, Float32Array, IntArray
from hsi_geo.errors import HsiGeoError, OptionError
from hsi_geo.io.labels.aoi import read_area
from hsi_geo.io.maps.polygons import write_polygons
from hsi_geo.io.maps.reader import read_map
from hsi_geo.io.maps.record import write_record
from hsi_geo.io.maps.vrt_index import GeoreferencedMap
from hsi_geo.io.maps.writer import MapPaths, MapWriter
from hsi_geo.io.scenes.mask_option import mask_sentence, masked_counts, other_mask_warning
from hsi_geo.io.scenes.neighbours import OTHER_SCALE, HaloScene
from hsi_geo.io.scenes.properties import (
    bands_of,
    held_in_memory,
    name_of,
    require_upright,
    rescaled,
    select_good_bands,
)
from hsi_geo.io.scenes.quality import bad_bands
from hsi_geo.io.scenes.windows import constant_note
from hsi_geo.models.classifier import band_map
from hsi_geo.models.window_inference import WindowGridNetwork
from hsi_geo.progress import Reporter, WarningRecorder
from hsi_geo.tasks.artifacts.model import AdaptedModel, require_cover
from hsi_geo.tasks.inference.axis_coverage import require_on_axis
from hsi_geo.tasks.inference.domain_shift import DomainShift
from hsi_geo.tasks.inference.map_record import accuracy_entries, new_record
from hsi_geo.tasks.inference.map_sink import MapSink, map_sink, requested_mask
from hsi_geo.tasks.inference.map_zones import write_zones
from hsi_geo.tasks.inference.options import MapOptions, Rescale
from hsi_geo.tasks.inference.rejection import rejection_of
from hsi_geo.tasks.inference.scene_scale import match_scale
from hsi_geo.tasks.inference.scene_statistics import learn_spectral_stats
from hsi_geo.tasks.inference.shared_windows import SharedWindows, WindowStore
from hsi_geo.tasks.inference.side_threads import write_behind
from hsi_geo.tasks.inference.sliding_window import SlidingWindow
from hsi_geo.tasks.inference.strips import Strips
from hsi_geo.tasks.runtime import (
    Compute,
    computing,
    earlier_scene_hash,
    known_files,
    scene_hash,
)
from hsi_geo.tiling import Window

#: A class is missing in a map if fewer pixels are mapped to it than this share of the pixels under its shots.
MISSING_SHARE = 0.5

#: Number of pixels from which on the memory is reported before mapping begins.
LONG_PX = 10_000_000


@timings.stage(timings.MAPPING)
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
    halo: HaloScene | None = None,
    store: WindowStore | None = None,
    is_training_scene: bool = False,
    more_hashes: Callable[[], Mapping[str, Any]] = dict,
) -> dict[str, Any]:
    """Map a scene to files that no other process reads yet.

    Args:
        scene: (band, y, x) array with wavelengths, not rotated.
        model: Model that maps the scene.
        paths: Paths of the files to write.
        model_hash: SHA-256 of the model, for the record.
        options: Area to map, and memory to use.
        restat: Whether to compute the band statistics from this scene instead of taking the model's.
        rescale: Factor that the scene's values are multiplied by, "auto" for the power of ten that
            brings them to the model's scale, or None to refuse a scene on another scale.
        compute: Device and number of threads.
        reporter: Receives progress and messages.
        halo: The scene with the adjacent pixels of its neighbours, which windows at its border contain.
        store: Keeps windows that the scene has in common with its neighbours, and has those that were computed for
            these; None computes all windows. It belongs to one model, and to neighbours that are read in one way.
        is_training_scene: Whether the model was adapted to this scene. Scenes that are files are also recognised
            by their hash.
        more_hashes: Returns further entries of the record's hashes, once all pixels are read.

    Returns:
        The record that was written as JSON.

    Raises:
        SceneError: If the scene is rotated or has no data.
        WavelengthError: If the scene lacks wavelengths that the model needs.
        ScaleError: If the scene's values are on another scale than the model's.
        HsiGeoError: If a pixel with data gets no class, or a file cannot be written.
    """
    require_upright(scene)
    reporter = recorder = WarningRecorder(reporter)
    view, grid = select_good_bands(scene), scene.hsi.grid
    centres = bands_of(view).centres_nm
    require_cover(model, centres, name_of(scene))
    require_on_axis(model.classifier.backbone.config, scene)
    view = held_in_memory(view)
    factor, shift, constant = 1.0, None, None
    has_known_scale = is_training_scene or _has_training_hash(scene, model)
    is_training_scene = has_known_scale or _has_earlier_hash(scene, model)
    checks_scale = not restat and (not has_known_scale or rescale is not None)
    if restat:
        model = dataclasses.replace(model, spectral=learn_spectral_stats([view], reporter))
    if checks_scale:
        factor, shift, constant = match_scale(
            view, model.spectral, model.shot_spectra, rescale, reporter
        )
        view = rescaled(view, factor)
    missing = np.zeros(len(centres), bool) if constant is None else constant.missing
    if constant is not None:
        constant.warn(view, reporter)
    if grid.frame is not None and paths.polygons is not None:
        raise OptionError(
            f"scene '{name_of(scene)}' is read in the rows and columns of the sensor, and polygons need a map grid",
            hint="leave --swath out, or write no polygons",
        )
    if grid.crs is None and grid.frame is None:
        reporter.warning(
            f"scene '{name_of(scene)}' has no coordinate reference system: neither has its map"
        )
    area = None if options.aoi is None else read_area(options.aoi, grid)
    written = paths
    if paths.polygons is not None and paths.confidence is None:  # each polygon has its mean
        name = f".{paths.classes.stem}_confidence.tif"
        written = dataclasses.replace(paths, confidence=paths.classes.with_name(name))
    rejection = rejection_of(model, options, reporter)
    with (
        computing(compute, reporter) as on,
        MapWriter(written, grid, model.classes, model.order, rejection) as writer,
        ExitStack() as stack,
    ):
        bands = band_map(model.classifier.backbone.config, model.spectral, centres, missing)
        network = WindowGridNetwork.for_classifier(
            model.mapping_classifier, bands, model.tiling.stride_px, on
        )
        shared = None
        if halo is not None and store is not None and options.least_patch is None:
            # Cleaning needs classes of the margin, too. The bands of neighbours may differ by a nanometre.
            key = (factor, centres[~missing].tobytes())
            shared = SharedWindows(store, key, halo, model.tiling)
            halo = shared.without_known(halo)
        padded = view if halo is None else rescaled(select_good_bands(halo.scene), factor)
        sliding = SlidingWindow(padded, model.tiling, network, len(model.classes), shared)
        sink = stack.enter_context(map_sink(writer, padded, halo, view, options.least_patch))
        requested = partial(requested_mask, area, sliding.grid, sink.mapped)
        # With one thread nothing is read ahead, since other workers use the other cores.
        strips = Strips(
            sliding,
            options.max_memory,
            requested,
            core=sink.output.core,
            read_ahead=compute.threads != 1,
            threads=torch.get_num_threads() if on.type == "cpu" else 1,
        )
        _map_strips(strips, sink, reporter)
        changed_px = sink.finish()
        ranges = strips.ranges.expand(bands_of(scene).in_order(), scene.shape[0])
        record = new_record(scene, model, model_hash, options, restat, writer)
        if changed_px is not None:
            record["cleaned_pixels"] = changed_px
        record["parameters"]["rescale"] = None if factor == 1.0 else factor
        record |= accuracy_entries(model, is_training_scene, shift)
        record["bad_bands"] = [dataclasses.asdict(band) for band in bad_bands(scene, ranges)]
        record["hashes"] |= more_hashes()
        for reason in () if halo is None else halo.unread.values():
            reporter.warning(
                f"its margin lacks the pixels of a neighbour, and may show a seam: {reason}"
            )
        record["mask"] = masked_counts(scene) | {"constant_px": strips.constant_px}
        if strips.constant_px:
            note = constant_note(strips.constant_px, grid.height * grid.width)
            reporter.log(f"scene '{name_of(scene)}': {note}")
        if record["mask"]["masked_px"]:
            reporter.log(f"scene '{name_of(scene)}': {mask_sentence(record['mask'])}")
        warning = other_mask_warning(scene, model.record["parameters"].get("masks"))
        if warning:
            reporter.warning(warning)
        if shift is not None and shift.drifts:
            reporter.warning(f"scene '{name_of(scene)}' {describe_drift(shift)}")
        if checks_scale and shift is None and writer.counts[1:].any():
            reporter.warning(
                f"the scale of scene '{name_of(scene)}' was not compared with that of the model, because "
                "no pixel with data was found in windows spread over the scene"
            )
        if halo is not None and halo.other_scale:
            reporter.warning(
                f"scene '{name_of(scene)}' lies beside tiles whose values are more than {OTHER_SCALE:,.0f} times larger "
                "or smaller: pixels of these are not used at its edges, where maps may not fit together"
            )
        single_scene = len(model.record["hashes"].get("scenes", ())) == 1
        if is_training_scene and options.aoi is None and single_scene:
            for warning in missing_class_warnings(model, writer.counts):
                reporter.warning(warning)
        record["warnings"] = recorder.warnings
        times = timings.active()
        if times is not None:
            record["timings"] = times.as_dict()
    if written.zones is not None:
        write_zones(written, record, options, reporter)
    if written.polygons is not None:
        _write_polygons(written, options.smooth)
        record["parameters"] |= {"polygons": True, "smooth": options.smooth}
        if paths.confidence is None and written.confidence is not None:
            written.confidence.unlink()
    if paths.item is not None:
        from hsi_geo.io.maps.stac_items import write_map_item  # an optional package

        place = GeoreferencedMap(paths.classes, grid)
        write_map_item(
            paths,
            place,
            name_of(scene),
            writer.legend,
            bands=len(model.classes),
            parents=writer.parents_legend,
        )
    return write_record(paths, record)


@timings.stage(timings.WRITING)
def _write_polygons(written: MapPaths, smooth: int) -> None:
    """Write the polygons of a map."""
    assert written.polygons is not None
    assert written.confidence is not None  # written for them
    write_polygons(
        read_map(written.classes),
        written.polygons,
        layer=written.polygons.stem,
        confidence=read_map(written.confidence),
        passes=smooth,
    )


def _has_training_hash(scene: xr.DataArray, model: AdaptedModel) -> bool:
    """Whether a model was adapted to the files of this scene; arrays that are no files have no hash to compare."""
    hashes = model.record["hashes"].get("scenes", ())
    return bool(known_files(scene)) and scene_hash(scene) in hashes


def _has_earlier_hash(scene: xr.DataArray, model: AdaptedModel) -> bool:
    """Whether a model of an earlier version was adapted to this scene's file, maybe with another scale."""
    hashes = model.record["hashes"].get("scenes", ())
    return len(known_files(scene)) == 1 and earlier_scene_hash(scene) in hashes


def describe_drift(shift: DomainShift) -> str:
    """Say how a scene differs from the one that the model was adapted to.

    Args:
        shift: Difference of a scene that drifts.

    Returns:
        A clause that continues the scene's name.
    """
    parts = [shift.brightness_text]
    if shift.novelty is not None:
        parts.append(f"{100 * shift.novelty:.0f} % of its pixels are unlike every shot")
    details = ", ".join(filter(None, parts))
    return (
        f"looks unlike what the model was adapted to{': ' + details if details else ''}; an accuracy that "
        "was estimated there does not hold here"
    )


def missing_class_warnings(model: AdaptedModel, counts: IntArray) -> list[str]:
    """Find classes that a map lacks although its scene contains shots of them.

    A class with few shots may not be learnt beside classes with many more.

    Args:
        model: Model whose record has the number of pixels under each class's shots.
        counts: (K + 1,) number of mapped pixels by class id; index 0 is nodata.

    Returns:
        A warning for each such class.
    """
    shots: Mapping[str, int] = model.record["shots"]
    return [
        f"the map has {int(counts[c.id]) or 'no'} pixels of class '{c.name}', whose shots cover "
        f"{shots[c.name]}: draw more of it, or fewer of the other classes"
        for c in model.classes
        if counts[c.id] < MISSING_SHARE * shots.get(c.name, 0)
    ]


def _map_strips(strips: Strips, sink: MapSink, reporter: Reporter) -> None:
    output = sink.output
    pixels, done = output.core.height * output.core.width, 0
    if pixels >= LONG_PX:
        plan = strips.plan
        reporter.log(
            f"{pixels / 1e6:.0f} million pixels, read {plan.rows} rows of {plan.cols} columns at a "
            f"time: about {plan.bytes / 2**30:.1f} GiB of memory beside the program itself"
        )
    reporter.progress(stages.MAPPING, 0, pixels)
    with write_behind(sink.write) as write:
        for window, probabilities, valid in strips:
            requested = strips.requested(window)
            mapped = valid if requested is None else valid & requested
            _require_classes(probabilities, mapped, window)
            masked = np.where(mapped, probabilities, np.float32(0.0))
            inside, kept = output.crop(window, masked)
            if kept.size:
                write(inside, kept)
                done += inside.height * inside.width
                reporter.progress(stages.MAPPING, done, pixels)


def _require_classes(probabilities: Float32Array, mapped: BoolArray, window: Window) -> None:
    """Raise an error if a pixel with data has no class."""
    missed = int((mapped & ~(probabilities.max(axis=0) > 0)).sum())
    if missed:
        raise HsiGeoError(
            f"{missed} pixels with data got no class in rows {window.row} to "
            f"{window.row + window.height}",
            hint="look at the scene's values with hsi-geo info, or adapt the model anew",
        )
