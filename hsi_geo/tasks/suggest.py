"""Active learning: the places where the next shots would help most."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import rasterio
import xarray as xr

from hsi_geo.arguments import require_flags, require_whole
from hsi_geo.arrays import Float32Array, IntArray
from hsi_geo.display.described import Described
from hsi_geo.errors import SceneError
from hsi_geo.io import model_file
from hsi_geo.io.files.scratch import scratch_folder
from hsi_geo.io.labels.aoi import read_area
from hsi_geo.io.labels.geopackages import require_geopackage
from hsi_geo.io.labels.suggested_points import SuggestedPoint, write_suggested_points
from hsi_geo.io.maps.control_points import centres_on_earth, crs_on_earth
from hsi_geo.io.maps.writer import NO_PERCENT, PROBABILITY_STEPS
from hsi_geo.io.outputs.atomic import atomic_outputs
from hsi_geo.io.scenes.properties import (
    bands_of,
    files_of,
    require_upright,
    rescaled,
    select_good_bands,
)
from hsi_geo.io.scenes.scene import SomeScene, open_scene
from hsi_geo.io.scenes.unpacking import unpacked
from hsi_geo.io.scenes.windows import read_window
from hsi_geo.progress import Reporter, WarningRecorder, default_reporter
from hsi_geo.tasks.inference.label_places import (
    CANDIDATES,
    PATCH_PX,
    Candidates,
    choose_places,
    mean_of_patches,
    most_uncertain,
    patch_uncertainty,
    place_features,
    suggested_points,
)
from hsi_geo.tasks.inference.options import (
    DEFAULT_MEMORY,
    MapOptions,
    Rescale,
    parse_rescale,
    require_file_name,
)
from hsi_geo.tasks.predict import predict
from hsi_geo.tasks.runtime import Compute
from hsi_geo.threads import one_blas_thread
from hsi_geo.tiling import Window, blocks
from hsi_geo.wavelengths import same_centres

if TYPE_CHECKING:
    from hsi_geo.display.summaries import Summary
    from hsi_geo.tasks.artifacts.model import AdaptedModel

#: Confidence in per cent from which on a message explains why a place is suggested.
HIGH_CONFIDENCE = 85

#: Side in pixels of the blocks in which a scene is read.
BLOCK_PX = 512

STEPS = np.float32(PROBABILITY_STEPS)


@dataclass(frozen=True, eq=False, repr=False)
class Suggestions(Described):
    """Places to label next, the most helpful first.

    Attributes:
        points: Suggested places with the model's prediction, by decreasing benefit.
        path: GeoPackage that they were written to; None if none was written.
    """

    points: tuple[SuggestedPoint, ...]
    path: Path | None

    def _summary(self, *, with_picture: bool) -> Summary:
        from hsi_geo.display.summaries import Summary

        return Summary(
            f"Places to label next: {len(self.points)}",
            [] if self.path is None else [f"file: {self.path}"],
            ("rank", "predicted", "confidence", "x", "y"),
            [
                (str(p.rank), p.guess, f"{p.confidence} %", f"{p.x:.10g}", f"{p.y:.10g}")
                for p in self.points
            ],
            "places",
        )


def suggest(
    scene: SomeScene,
    model: str | os.PathLike[str] | AdaptedModel,
    *,
    count: int = 20,
    out: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    aoi: str | os.PathLike[str] | None = None,
    rescale: Rescale = None,
    max_memory: int = DEFAULT_MEMORY,
    compute: Compute = Compute(),
    reporter: Reporter | None = None,
) -> Suggestions:
    """Find where the next shots would help most.

    Uncertainty is 1 minus the margin between the two largest probabilities, averaged over a patch. It
    is weighted by the share of the patch that has the class of its centre, since edges between two
    fields are uncertain and of no use. Candidates are clustered by their spectra with k-means, weighted
    by uncertainty (diverse mini-batch active learning, Zhdanov 2019, arXiv 1901.05954). The candidate
    nearest to the centre of each cluster is suggested, clusters of most uncertainty first. It represents
    its cluster: the model may be confident of the place itself, and a message tells if so.

    Args:
        scene: Path of a scene that covers the model's wavelengths, or a scene that was opened before.
        model: Model that `adapt` returned, or the path of its file.
        count: Number of places, 1 or more.
        out: GeoPackage to write the places to; None to write none.
        overwrite: Whether to replace ``out`` if it exists.
        aoi: Vector file; only places inside its polygons are suggested. None for the whole scene.
        rescale: Factor that the scene's values are multiplied by, "auto" or None; see `predict`.
        max_memory: Bytes that strips of the scene may take together while it is mapped.
        compute: Device, number of threads, and seed of the first cluster centres.
        reporter: Receives progress and messages; None shows a bar in a notebook, and sends
            messages to Python's ``logging``.

    Returns:
        The places.

    Raises:
        HsiGeoError: If scene, model or output cannot be used.
    """
    require_flags(overwrite=overwrite)
    reporter = reporter or default_reporter()
    require_whole("--count", count, 1)
    require_file_name("--aoi", aoi)
    opened = open_scene(scene)
    require_upright(opened)
    finals = [] if out is None else [require_geopackage(out)]
    model_path = model_file.path_of_model(model)
    parse_rescale(rescale)
    if aoi is not None:
        read_area(aoi, opened.hsi.grid)
    with (
        atomic_outputs(
            finals, overwrite=overwrite, inputs=[*files_of(opened), model_path, aoi]
        ) as where,
        scratch_folder() as folder,
        unpacked([opened], reporter.log) as (readable,),
    ):
        from hsi_geo.tasks.artifacts.model import load_model  # imports torch
        from hsi_geo.tasks.inference.mapping import empty_map_sentence

        adapted = load_model(model) if isinstance(model, str | os.PathLike) else model
        empty = empty_map_sentence(readable, aoi)
        mapped = predict(
            readable,
            adapted,
            out=folder / "map.tif",
            rescale=rescale,
            options=MapOptions(aoi=aoi, confidence=True, probabilities=True, max_memory=max_memory),
            compute=compute,
            reporter=_Without(empty, reporter),
        )
        assert mapped.paths.probabilities is not None and mapped.paths.confidence is not None
        readable = rescaled(readable, mapped.record["parameters"]["rescale"] or 1.0)
        grid = opened.hsi.grid
        candidates = _candidates(mapped.paths.probabilities)
        x, y = centres_on_earth(grid, candidates.rows, candidates.cols)
        is_placed = np.isfinite(x) & np.isfinite(y)  # of a sensor's pixels some may not be
        candidates, x, y = candidates.pick(is_placed), x[is_placed], y[is_placed]
        if not len(candidates.rows):
            raise _nothing_to_suggest(mapped.record, aoi, empty)
        with one_blas_thread():
            chosen = choose_places(
                candidates, _spectra(readable, adapted, candidates), count, compute.seed
            )
        shown = candidates.pick(chosen)
        points = suggested_points(
            x[chosen],
            y[chosen],
            _values_at(mapped.paths.classes, shown),
            _values_at(mapped.paths.confidence, shown),
            adapted.classes,
        )
        for final in finals:
            write_suggested_points(points, crs_on_earth(grid), where[final])
    if confident := sum(point.confidence >= HIGH_CONFIDENCE for point in points):
        reporter.log(
            f"at {confident} of {len(points)} places the model is sure (confidence {HIGH_CONFIDENCE} % or "
            "more): they represent kinds of land that the others do not show"
        )
    if len(points) < count:
        reporter.warning(f"only {len(points)} places differ enough to be worth a label")
    return Suggestions(points, finals[0] if finals else None)


class _Without(WarningRecorder):
    """Leaves out a warning whose sentence the error says that follows it."""

    def __init__(self, message: str, reporter: Reporter) -> None:
        super().__init__(reporter)
        self._left_out = message

    def warning(self, message: str) -> None:
        """Forward and record it, unless it is left out."""
        if message != self._left_out:
            super().warning(message)


def _nothing_to_suggest(
    record: Mapping[str, Any], aoi: str | os.PathLike[str] | None, empty: str
) -> SceneError:
    if any(one["pixels"] for one in record["classes"]):
        return SceneError(
            "the model is sure of every pixel, so that no place helps more than another",
            hint="draw shots where you doubt the map",
        )
    return SceneError(
        empty,
        hint="give a scene with data" if aoi is None else "check the area given with --aoi",
    )


def _candidates(path: Path) -> Candidates:
    """The most uncertain pixels of each block, their number by the block's share of the scene."""
    found = []
    with rasterio.open(path) as file:
        total = file.height * file.width
        for block in blocks(file.height, file.width, BLOCK_PX, BLOCK_PX):
            padded = block.grow(PATCH_PX // 2).clip(file.height, file.width)
            stored = file.read(
                window=rasterio.windows.Window(padded.col, padded.row, padded.width, padded.height)
            )
            uncertainty = patch_uncertainty(
                np.where(stored == NO_PERCENT, 0, stored).astype(np.float32) / STEPS
            )
            inside = block.relative_to(padded).slices
            share = -(-CANDIDATES * block.height * block.width // total)
            here = most_uncertain(uncertainty[inside], stored[:, inside[0], inside[1]], share)
            found.append(
                (
                    here.rows + block.row,
                    here.cols + block.col,
                    here.uncertainty,
                    here.probabilities / STEPS,
                )
            )
    return Candidates(*(np.concatenate(parts) for parts in zip(*found, strict=True)))


def _values_at(path: Path, places: Candidates) -> IntArray:
    """(N,) values of the first band of a map at some places."""
    with rasterio.open(path) as file:
        found = [
            int(file.read(1, window=rasterio.windows.Window(col, row, 1, 1))[0, 0])
            for row, col in zip(places.rows.tolist(), places.cols.tolist(), strict=True)
        ]
    return np.array(found, np.int64)


def _spectra(scene: xr.DataArray, model: AdaptedModel, candidates: Candidates) -> Float32Array:
    """(N, D) features of candidates: whitened spectra of their patches, and probabilities."""
    view = select_good_bands(scene)
    side = PATCH_PX // 2
    found = np.zeros((len(candidates.rows), view.shape[0]), np.float32)
    for block in blocks(view.shape[-2], view.shape[-1], BLOCK_PX, BLOCK_PX):
        here = (candidates.rows // BLOCK_PX == block.row // BLOCK_PX) & (
            candidates.cols // BLOCK_PX == block.col // BLOCK_PX
        )
        if not here.any():
            continue
        padded = block.grow(side)
        image, valid = read_window(view, Window(padded.row, padded.col, *padded.shape))
        rows, cols = candidates.rows[here] - padded.row, candidates.cols[here] - padded.col
        found[here] = mean_of_patches(image, valid, rows, cols)
    whitening = model.spectral.whitening
    same = same_centres(bands_of(view).centres_nm, model.spectral.centres_nm)
    spectra = (found - whitening.centre) @ whitening.matrix.T if same else found - found.mean(0)
    return place_features(spectra, candidates.probabilities)
