"""The patches of a class map as one layer of polygons, with area and certainty of each."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import geopandas as gpd
import numpy as np
import pandas as pd

from hsi_geo.arrays import Float64Array, IntArray
from hsi_geo.errors import MapError, OptionError
from hsi_geo.io.labels.geopackages import layer_name
from hsi_geo.io.labels.shots import LandClass
from hsi_geo.io.maps.legend import read_legend
from hsi_geo.io.maps.patches import Patches, find_patches
from hsi_geo.io.maps.reader import ReadMap
from hsi_geo.io.maps.vector_files import CHUNK, LayerWriter

#: Field of the layer that holds the class, as the map stores it.
CLASS_FIELD = "class"


@dataclass(frozen=True, slots=True)
class PolygonCount:
    """Polygons of a class.

    Attributes:
        polygons: Number of polygons.
        pixels: Number of their pixels.
        hectares: Area of their pixels; None if the CRS does not define it.
    """

    polygons: int = 0
    pixels: int = 0
    hectares: float | None = 0.0

    def plus(self, pixels: IntArray, hectares: Float64Array) -> PolygonCount:
        """The sum with more polygons.

        Args:
            pixels: (N,) pixels of each.
            hectares: (N,) area of each, NaN where it is unknown.
        """
        area = float(hectares.sum())
        known = self.hectares is not None and np.isfinite(area)
        return PolygonCount(
            self.polygons + len(pixels),
            self.pixels + int(pixels.sum()),
            (self.hectares or 0.0) + area if known else None,
        )


def write_polygons(
    class_map: ReadMap,
    path: Path,
    *,
    confidence: ReadMap | None = None,
    passes: int = 0,
    only: Collection[int] | None = None,
    more_fields: Mapping[str, Mapping[int, str]] = MappingProxyType({}),
    progress: Callable[[int], None] | None = None,
) -> tuple[dict[int, PolygonCount], dict[int, LandClass]]:
    """Write the patches of a map as polygons.

    Args:
        class_map: Map of any program.
        path: File to write; its suffix says the format.
        confidence: Raster of per cent on the same grid; None leaves the field ``confidence`` empty.
        passes: Number of passes of smoothing of the outlines; 0 follows the pixels.
        only: Values of the classes whose patches are written, maybe none; None writes those of all classes.
        more_fields: Text by the value of the class, by the name of a further field.
        progress: Receives the number of rows that are done.

    Returns:
        counts: Number of polygons, pixels and hectares by the value of the class.
        classes: Classes of the map by their value.

    Raises:
        MapError: If the map is damaged, or has no pixel with a class.
        OptionError: If it is in the rows and columns of a sensor.
        OutputError: If the disk is full or gone.
    """
    require_outlines(class_map)
    counts: dict[int, PolygonCount] = {}
    layer = layer_name(path, "polygons")
    with LayerWriter(path, layer) as writer:
        waiting: list[gpd.GeoDataFrame] = []
        for every, rows in find_patches(class_map, confidence, passes=passes):
            found = every if only is None else every.pick(np.isin(every.values, list(only)))
            for value in np.unique(found.values):
                here = found.values == value
                before = counts.get(int(value), PolygonCount())
                counts[int(value)] = before.plus(found.pixels[here], found.hectares[here])
            waiting.append(_frame(class_map, found, more_fields))
            if sum(map(len, waiting)) >= CHUNK:
                writer.write(_joined(waiting))
                waiting = []
            if progress is not None:
                progress(rows)
        if not counts and only is None:
            raise MapError(
                f"map '{class_map.path}' has no pixel with a class", hint="give a map with classes"
            )
        if waiting and (any(map(len, waiting)) or not writer.count):
            writer.write(_joined(waiting))
        classes = read_legend(class_map, counts)
        writer.write_style(list(classes.values()), CLASS_FIELD)
    return {value: counts[value] for value in classes}, classes


def require_outlines(class_map: ReadMap) -> None:
    """Refuse a map whose pixels have no outline on a map.

    Args:
        class_map: Map of any program.

    Raises:
        OptionError: If it is in the rows and columns of a sensor.
    """
    if class_map.grid.frame is not None:
        raise OptionError(
            f"map '{class_map.path}' is in the rows and columns of a sensor, and polygons need a map grid",
            hint="make the map on a map grid",
        )


def _frame(
    class_map: ReadMap, found: Patches, more_fields: Mapping[str, Mapping[int, str]]
) -> gpd.GeoDataFrame:
    values = [int(value) for value in found.values]
    names = {value: class_map.name_of(value) for value in set(values)}
    return gpd.GeoDataFrame(
        {
            CLASS_FIELD: np.asarray(found.values, np.int64),
            "name": pd.Series([names[value] for value in values], dtype="str"),
            **{
                field: pd.Series([texts[value] for value in values], dtype="str")
                for field, texts in more_fields.items()
            },
            "hectares": found.hectares,
            "confidence": np.round(found.percent, 1),
            "rejected": np.round(found.rejected, 1),
            "pixels": found.pixels,
        },
        geometry=found.polygons,
        crs=class_map.grid.crs,
    )


def _joined(frames: list[gpd.GeoDataFrame]) -> gpd.GeoDataFrame:
    filled = [frame for frame in frames if len(frame)] or frames[:1]
    return gpd.GeoDataFrame(pd.concat(filled, ignore_index=True), crs=frames[0].crs)
