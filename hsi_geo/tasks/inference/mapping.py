"""From a scene to the files of a map, strip by strip."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
import xarray as xr

from hsi_geo import stages, timings
from hsi_geo.arrays import BoolArray, Float32Array
from hsi_geo.errors import HsiGeoError, OptionError, SceneError
from hsi_geo.io.labels.aoi import read_area
from hsi_geo.io.maps.geotiff_crs import lost_crs_warning
from hsi_geo.io.maps.record import write_record
from hsi_geo.io.maps.writer import MapPaths, MapWriter
from hsi_geo.io.scenes.mask_option import mask_sentence, masked_counts
from hsi_geo.io.scenes.neighbours import HaloScene
from hsi_geo.io.scenes.properties import (
    bands_of,
    name_of,
    require_upright,
    rescaled,
    select_good_bands,
)
from hsi_geo.io.scenes.quality import BandRanges, bad_bands
from hsi_geo.io.scenes.windows import constant_note
from hsi_geo.models.classifier import band_map
from hsi_geo.models.window_inference import WindowGridNetwork
from hsi_geo.progress import Reporter, WarningRecorder
from hsi_geo.tasks.artifacts.model import AdaptedModel
from hsi_geo.tasks.inference.derived_files import with_confidence, write_derived_files
from hsi_geo.tasks.inference.map_record import accuracy_entries, new_record
from hsi_geo.tasks.inference.map_sink import MapSink, map_sink, requested_mask
from hsi_geo.tasks.inference.map_warnings import map_warnings, missing_class_warnings
from hsi_geo.tasks.inference.options import MapOptions, Rescale
from hsi_geo.tasks.inference.rejection import rejection_of
from hsi_geo.tasks.inference.scaled_scene import ScaledScene, scale_to_model
from hsi_geo.tasks.inference.shared_windows import SharedWindows, WindowStore
from hsi_geo.tasks.inference.side_threads import write_behind
from hsi_geo.tasks.inference.sliding_window import SlidingWindow
from hsi_geo.tasks.inference.strips import Strips
from hsi_geo.tasks.runtime import Compute, computing
from hsi_geo.tiling import Window

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
    warned: Sequence[str] = (),
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
        warned: Warnings that the run gave before, for the record.

    Returns:
        The record that was written as JSON.

    Raises:
        SceneError: If the scene is rotated or has no data.
        WavelengthError: If the scene lacks wavelengths that the model needs.
        ScaleError: If the scene's values are on another scale than the model's.
        HsiGeoError: If a pixel with data gets no class, or a file cannot be written.
    """
    require_upright(scene)
    reporter = recorder = WarningRecorder(reporter, warned)
    scaled = scale_to_model(
        scene,
        model,
        restat=restat,
        rescale=rescale,
        is_training_scene=is_training_scene,
        reporter=reporter,
    )
    _require_place(scene, paths, reporter)
    rejection = rejection_of(scaled.model, options, reporter)
    files = with_confidence(paths)
    with (
        computing(compute, reporter) as device,
        MapWriter(files, scene.hsi.grid, model.classes, model.order, rejection) as writer,
    ):
        pixels = _map_pixels(scaled, writer, halo, store, options, compute, device, reporter)
        record = new_record(scene, scaled.model, model_hash, options, restat, writer)
        record["parameters"]["rescale"] = None if scaled.factor == 1.0 else scaled.factor
        record |= accuracy_entries(model, scaled.is_training_scene, scaled.shift)
        record |= pixels.entries(scene)
        record["hashes"] |= more_hashes()
        _log_missing(scene, record["mask"], reporter)
        for warning in map_warnings(scene, scaled, halo, writer.counts, rejection):
            reporter.warning(warning)
        is_empty = not writer.counts[1:].any()
        if is_empty:
            _report_empty(scene, paths, options, scaled.is_training_scene, reporter)
        single_scene = len(model.record["hashes"].get("scenes", ())) == 1
        if scaled.is_training_scene and options.aoi is None and single_scene and not is_empty:
            for warning in missing_class_warnings([record]):
                reporter.warning(warning)
        record["warnings"] = recorder.warnings
        times = timings.active()
        if times is not None:
            record["timings"] = times.as_dict()
    write_derived_files(paths, record, writer, options, reporter)
    return write_record(paths, record)


def _require_place(scene: xr.DataArray, paths: MapPaths, reporter: Reporter) -> None:
    """Refuse polygons of a scene without a map grid, and warn of a scene without a CRS."""
    grid, name = scene.hsi.grid, name_of(scene)
    if grid.frame is not None and paths.polygons is not None:
        raise OptionError(
            f"scene '{name}' is read in the rows and columns of the sensor, and polygons need a map grid",
            hint="leave --swath out, or write no polygons",
        )
    if grid.crs is None and grid.frame is None:
        reporter.warning(f"scene '{name}' has no coordinate reference system: neither has its map")
    if warning := lost_crs_warning(grid, "map"):
        reporter.warning(f"scene '{name}' {warning}")


def _report_empty(
    scene: xr.DataArray,
    paths: MapPaths,
    options: MapOptions,
    is_training_scene: bool,
    reporter: Reporter,
) -> None:
    """Warn of a map without a class, or refuse it if polygons are made of it.

    A scene without data, such as a tile at the edge of a mosaic, has a map without a class, and that is no surprise.
    A scene that a model learnt from has data.
    """
    sentence = empty_map_sentence(scene, options.aoi)
    if paths.polygons is not None:
        raise SceneError(sentence, hint="map land with data, or write no polygons")
    if options.aoi is not None:
        reporter.warning(sentence)
    elif is_training_scene:
        reporter.warning(f"{sentence} that is not masked; use another mask")


def empty_map_sentence(scene: xr.DataArray, aoi: str | os.PathLike[str] | None) -> str:
    """Sentence on a scene of which no pixel was mapped.

    Args:
        scene: The scene.
        aoi: File of the area to map; None for the whole scene.
    """
    inside = ""
    if aoi is not None:
        inside = f" in area '{os.fspath(aoi)}' (a pixel counts if its centre lies in the area)"
    return f"no pixel of scene '{name_of(scene)}' was mapped: it has no data{inside}"


@dataclass(frozen=True, slots=True)
class _MappedPixels:
    """What was found while pixels were mapped.

    Attributes:
        ranges: Ranges of the values of the good bands.
        constant_px: Pixels that were missing because all of their bands have the same value.
        cleaned_px: Pixels whose class was changed by cleaning; None without cleaning.
    """

    ranges: BandRanges
    constant_px: int
    cleaned_px: int | None

    def entries(self, scene: xr.DataArray) -> dict[str, Any]:
        """Entries of the record."""
        ranges = self.ranges.expand(bands_of(scene).in_order(), scene.shape[0])
        cleaned = {} if self.cleaned_px is None else {"cleaned_pixels": self.cleaned_px}
        return {
            **cleaned,
            "bad_bands": [dataclasses.asdict(band) for band in bad_bands(scene, ranges)],
            "mask": masked_counts(scene) | {"constant_px": self.constant_px},
        }


def _map_pixels(
    scaled: ScaledScene,
    writer: MapWriter,
    halo: HaloScene | None,
    store: WindowStore | None,
    options: MapOptions,
    compute: Compute,
    device: torch.device,
    reporter: Reporter,
) -> _MappedPixels:
    """Map the pixels of a scene, and write them; arguments as in `write_map`."""
    model, centres, present = scaled.model, scaled.centres_nm, ~scaled.missing
    area = None if options.aoi is None else read_area(options.aoi, writer.grid)
    bands = band_map(model.classifier.backbone.config, model.spectral, centres, scaled.missing)
    network = WindowGridNetwork.for_classifier(
        model.mapping_classifier, bands, model.tiling.stride_px, device
    )
    shared = None
    if halo is not None and store is not None and options.least_patch is None:
        # Cleaning needs classes of the margin, too. The bands of neighbours may differ by a nanometre.
        shared = SharedWindows(
            store, (scaled.factor, centres[present].tobytes()), halo, model.tiling
        )
        halo = shared.without_known(halo)
    padded = scaled.view
    if halo is not None:
        padded = rescaled(select_good_bands(halo.scene), scaled.factor)
    sliding = SlidingWindow(padded, model.tiling, network, len(model.classes), shared)
    with map_sink(writer, padded, halo, scaled.view, options.least_patch) as sink:
        # With one thread nothing is read ahead, since other workers use the other cores.
        strips = Strips(
            sliding,
            options.max_memory,
            partial(requested_mask, area, sliding.grid, sink.mapped),
            core=sink.output.core,
            read_ahead=compute.threads != 1,
            threads=torch.get_num_threads() if device.type == "cpu" else 1,
        )
        _map_strips(strips, sink, reporter)
        return _MappedPixels(strips.ranges, strips.constant_px, sink.finish())


def _log_missing(scene: xr.DataArray, mask: dict[str, Any], reporter: Reporter) -> None:
    """Say how many pixels were missing because of their values or of flags."""
    if mask["constant_px"]:
        note = constant_note(mask["constant_px"], scene.shape[1] * scene.shape[2])
        reporter.log(f"scene '{name_of(scene)}': {note}")
    if mask["masked_px"]:
        reporter.log(f"scene '{name_of(scene)}': {mask_sentence(mask)}")


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
