"""Maps written as cloud-optimised GeoTIFF: classes, confidence and probabilities.

Class names and colours are stored where other programs look for them: in the colour table of the
GeoTIFF, as category names and raster attribute table in GDAL's `.aux.xml`, and as a QGIS style in
`.qml`.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import rasterio
import rasterio.shutil
import rasterio.windows
from rasterio._err import CPLE_BaseError  # some calls raise it instead of a RasterioError
from rasterio.errors import NotGeoreferencedWarning, RasterioError

from hsi_geo import timings
from hsi_geo.arrays import Float32Array, IntArray
from hsi_geo.errors import OutputError, write_error_text
from hsi_geo.io.files.read_back import checksum, require_written
from hsi_geo.io.labels.shots import ClassTable
from hsi_geo.io.maps.class_styles import aux_xml, qgis_style, rgb
from hsi_geo.io.maps.control_points import georeference
from hsi_geo.io.maps.hierarchy import Hierarchy
from hsi_geo.io.maps.map_paths import MapPaths
from hsi_geo.io.maps.rejection import Rejection
from hsi_geo.io.readers.masks import CONFIDENCE_BAND
from hsi_geo.tiling import Grid, Window

__all__ = [
    "BLOCK_PX",
    "NO_CLASS",
    "NO_PERCENT",
    "PROBABILITY_STEPS",
    "MapLayers",
    "MapPaths",
    "MapWriter",
    "writing",
]

#: Class id and confidence of pixels that are not mapped.
NO_CLASS = 0
NO_PERCENT = 255

#: Probabilities are stored as round(250 p), so that 255 stays free for nodata.
PROBABILITY_STEPS = 250

#: Side of the blocks inside a written GeoTIFF.
BLOCK_PX = 256


@dataclass(frozen=True, eq=False)
class MapLayers:
    """A block of a map as it is stored.

    Attributes:
        ids: (H, W) class ids, 0 where there is no data.
        percent: (H, W) confidence in per cent, `NO_PERCENT` where there is no data; None if it is not written.
        steps: (K, H, W) probabilities in `PROBABILITY_STEPS`, in the order of the class table; None if they are not
            written.
        parents: (H, W) ids of the upper level; None if the classes have one level.
        parents_percent: (H, W) confidence of the upper level; None likewise, or if it is not written.
        chosen: (H, W) class ids before pixels were rejected and small patches given away; None if they are `ids`.
    """

    ids: IntArray
    percent: npt.NDArray[Any] | None
    steps: npt.NDArray[Any] | None
    parents: IntArray | None = None
    parents_percent: npt.NDArray[Any] | None = None
    chosen: IntArray | None = None


class MapWriter:
    """Writes a map block by block, as a context manager that completes it on exit.

    Args:
        paths: Files to write. With paths of `hsi_geo.io.outputs.atomic.atomic_outputs`, no existing
            file is replaced before the new one is complete.
        grid: Pixels of the map.
        classes: Class table of K classes.
        order: (K,) index in the class table of each class of the probabilities that are given to
            `write`; None for the order of the table.
        rejection: Which pixels are rejected; None rejects none.

    Attributes:
        paths: Files that are written.
        grid: Pixels of the map.
        classes: Class table.
        rejection: Which pixels are rejected, or None.
        legend: Class table, and the rejected classes.
        counts: Number of pixels that were written, by class id from 0 to the last of the legend.
        chosen_counts: The same before pixels were rejected and small patches given away.
        rejected_counts: Number of rejected pixels, by the class id that they had before.
        hierarchy: Parents of the classes; None if the classes have one level.
        parent_counts: Number of pixels that were written, by id of the upper level.
    """

    def __init__(
        self,
        paths: MapPaths,
        grid: Grid,
        classes: ClassTable,
        order: Sequence[int] | None = None,
        rejection: Rejection | None = None,
    ) -> None:
        self.paths = paths
        self.grid = grid
        self.classes = classes
        self.rejection = rejection
        self.legend = classes if rejection is None else (*classes, *rejection.classes)
        self.hierarchy = Hierarchy.of(classes, order)
        self._order = np.arange(len(classes)) if order is None else np.asarray(order, np.int64)
        self.counts = np.zeros(max((c.id for c in self.legend), default=0) + 1, np.int64)
        self.chosen_counts = np.zeros_like(self.counts)
        self.rejected_counts = np.zeros_like(self.counts)
        self.parent_counts = np.zeros(
            max((c.id for c in self.parents_legend), default=0) + 1, np.int64
        )
        self._stack = ExitStack()
        self._open: dict[Path, Any] = {}
        self._written: dict[Path, list[tuple[Window, int]]] = {}

    def __enter__(self) -> Self:
        self._stack.enter_context(no_georeference_warning())
        self._start_classes(self.paths.classes, self.legend)
        if self.paths.parents is not None:
            self._start_classes(self.paths.parents, self.parents_legend)
        if self.paths.parents_confidence is not None:
            self._start(self.paths.parents_confidence, 1, "uint8", NO_PERCENT)
            self._open[self.paths.parents_confidence].set_band_description(1, CONFIDENCE_BAND)
        if self.paths.confidence is not None:
            self._start(self.paths.confidence, 1, "uint8", NO_PERCENT)
            self._open[self.paths.confidence].set_band_description(1, CONFIDENCE_BAND)
        if self.paths.probabilities is not None:
            self._start(self.paths.probabilities, len(self.classes), "uint8", NO_PERCENT)
            for c in self.classes:
                self._open[self.paths.probabilities].set_band_description(c.id, c.name)
                self._open[self.paths.probabilities].scales = (1.0 / PROBABILITY_STEPS,) * len(
                    self.classes
                )
        return self

    @property
    def parents_legend(self) -> ClassTable:
        """Table of the parents, and the rejected classes; empty if the classes have one level."""
        if self.hierarchy is None:
            return ()
        own = None if self.rejection is None else self.hierarchy.rejection(self.rejection)
        return (*self.hierarchy.table, *(() if own is None else own.classes))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            for file in self._open.values():
                if not file.closed:
                    file.close()
            self._stack.close()

    @timings.stage(timings.WRITING)
    def write(self, window: Window, probabilities: Float32Array) -> None:
        """Write one block.

        Args:
            window: Pixels of the block. Each pixel of the map is written once.
            probabilities: (K, height, width) probabilities in the writer's order of classes. They sum
                to 1 or less, and are all 0 where there is no data.

        Raises:
            OutputError: If the disk is full or gone.
        """
        self.write_layers(
            window,
            self.layers(
                probabilities,
                confidence=self.paths.confidence is not None,
                probability=self.paths.probabilities is not None,
            ),
        )

    def layers(
        self, probabilities: Float32Array, *, confidence: bool = True, probability: bool = True
    ) -> MapLayers:
        """What is stored of some pixels.

        Args:
            probabilities: (K, H, W) probabilities in the writer's order of classes, as for `write`.
            confidence: Whether the confidence is needed.
            probability: Whether the probabilities are needed.
        """
        valid = probabilities.any(axis=0)
        parents = parents_percent = sums = None
        chosen, shown = probabilities.argmax(axis=0), probabilities.max(axis=0)
        if self.hierarchy is not None:
            sums, chosen, shown = self.hierarchy.choose(probabilities)
        ids = np.where(valid, self._order[chosen] + 1, NO_CLASS)
        if self.hierarchy is not None and sums is not None:
            parents = self.hierarchy.parents_of(ids)
            if confidence:
                parents_percent = np.where(valid, np.rint(100 * sums.max(axis=0)), NO_PERCENT)
            if self.rejection is not None:
                parents = self.hierarchy.rejection(self.rejection).apply(
                    parents, sums, sums.max(axis=0)
                )
        before = None
        if self.rejection is not None:
            before, ids = ids, self.rejection.apply(ids, probabilities, shown)
        percent = steps = None
        if confidence:
            percent = np.where(valid, np.rint(100 * shown), NO_PERCENT)
        if probability:
            steps = np.rint(PROBABILITY_STEPS * probabilities[np.argsort(self._order)])
            steps = np.where(valid, steps, NO_PERCENT)
        return MapLayers(ids, percent, steps, parents, parents_percent, before)

    def write_layers(self, window: Window, block: MapLayers) -> None:
        """Write one block as it is stored.

        Args:
            window: Pixels of the block. Each pixel of the map is written once.
            block: What is stored of them.

        Raises:
            OutputError: If the disk is full or gone.
        """
        if block.parents is not None:
            self.parent_counts += np.bincount(
                block.parents.ravel(), minlength=len(self.parent_counts)
            )
        self._count(block.ids, block.ids if block.chosen is None else block.chosen)
        layers = {self.paths.classes: block.ids[None]}
        if self.paths.confidence is not None and block.percent is not None:
            layers[self.paths.confidence] = block.percent[None]
        if self.paths.probabilities is not None and block.steps is not None:
            layers[self.paths.probabilities] = block.steps
        if self.paths.parents is not None and block.parents is not None:
            layers[self.paths.parents] = block.parents[None]
        if self.paths.parents_confidence is not None and block.parents_percent is not None:
            layers[self.paths.parents_confidence] = block.parents_percent[None]
        pixels = rasterio.windows.Window(window.col, window.row, window.width, window.height)
        with writing(self.paths.classes):
            for path, layer in layers.items():
                file = self._open[path]
                values = layer.astype(file.dtypes[0])
                file.write(values, window=pixels)
                self._written[path].append((window, checksum(values)))

    def _count(self, ids: IntArray, chosen: IntArray) -> None:
        """Count the pixels of each class, and those of each class before."""
        written = np.bincount(ids.ravel(), minlength=len(self.counts))
        self.counts += written
        if chosen is ids:
            self.chosen_counts += written
            return
        self.chosen_counts += np.bincount(chosen.ravel(), minlength=len(self.counts))
        rejected = chosen[ids > len(self.classes)]
        self.rejected_counts += np.bincount(rejected, minlength=len(self.counts))

    def _start_classes(self, path: Path, legend: ClassTable) -> None:
        wide = max((c.id for c in legend), default=0) > 255
        self._start(path, 1, "uint16" if wide else "uint8", NO_CLASS)
        if not wide:
            table = {c.id: (*rgb(c.color), 255) for c in legend}
            self._open[path].write_colormap(1, {NO_CLASS: (0, 0, 0, 0), **table})

    def _start(self, path: Path, bands: int, dtype: str, nodata: int) -> None:
        self._written[path] = []
        with writing(path):
            self._open[path] = rasterio.open(
                _draft(path),
                "w",
                driver="GTiff",
                height=self.grid.height,
                width=self.grid.width,
                count=bands,
                dtype=dtype,
                nodata=nodata,
                **georeference(self.grid),
                tiled=True,
                blockxsize=BLOCK_PX,
                blockysize=BLOCK_PX,
                compress="deflate",
                bigtiff="if_safer",
            )

    @timings.stage(timings.WRITING)
    def _finish(self) -> None:
        """Copy the drafts into COG layout, with overviews, and write the names beside them."""
        for path, file in self._open.items():
            with writing(path), rasterio.Env(GDAL_PAM_ENABLED="NO"):
                file.close()
                rasterio.shutil.copy(
                    _draft(path),
                    path,
                    driver="COG",
                    compress="deflate",
                    blocksize=BLOCK_PX,
                    overview_resampling="nearest",
                )
                _draft(path).unlink()
                require_written(path, self._written[path])
        self.paths.aux.write_text(aux_xml(self.legend), encoding="utf-8")
        self.paths.style.write_text(qgis_style(self.legend), encoding="utf-8")
        if self.paths.parents_aux is not None and self.paths.parents_style is not None:
            self.paths.parents_aux.write_text(aux_xml(self.parents_legend), encoding="utf-8")
            self.paths.parents_style.write_text(qgis_style(self.parents_legend), encoding="utf-8")


def _draft(path: Path) -> Path:
    return path.with_name(path.name + ".draft")


@contextmanager
def no_georeference_warning() -> Iterator[None]:
    """Drop rasterio's warning. A scene without a geotransform gives a map without one; the user was warned before."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        yield


@contextmanager
def writing(path: Path, what: str = "map") -> Iterator[None]:
    """Raise GDAL's errors while writing as one sentence.

    Args:
        path: Path of the file that is written.
        what: What messages call the file.

    Raises:
        OutputError: If GDAL fails.
    """
    try:
        yield
    except (RasterioError, CPLE_BaseError) as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
        why, hint = write_error_text(first, path)
        raise OutputError(f"{what} '{path.name}' cannot be written ({why})", hint=hint) from error
