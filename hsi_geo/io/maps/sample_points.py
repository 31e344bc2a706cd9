"""Places of a random sample: a GeoPackage with a form to fill in, which remembers how they were drawn."""

from __future__ import annotations

import warnings
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from pyproj import CRS

from hsi_geo.arrays import Float64Array, IntArray
from hsi_geo.errors import ShotsError
from hsi_geo.io.labels.sample_fields import (
    NOTE,
    PLACE,
    PROBABILITY,
    STRATUM,
    STRATUM_N,
    STRATUM_PX,
)
from hsi_geo.io.labels.shots import Shots
from hsi_geo.io.labels.vectors import read_vector
from hsi_geo.io.maps.vector_files import LayerWriter


@dataclass(frozen=True, eq=False)
class DrawnStrata:
    """Strata that a sample was drawn in.

    Attributes:
        sizes: Number of pixels of each stratum by its name.
        drawn: Number of places that were drawn in each.
        of_feature: Name of the stratum by the id of the feature.
    """

    sizes: Mapping[str, int]
    drawn: Mapping[str, int]
    of_feature: Mapping[int, str]

    def of_pixels(self, labelled: Shots, features: IntArray) -> IntArray:
        """Stratum of sampled pixels.

        Args:
            labelled: The reference.
            features: (N,) row of the reference that each pixel belongs to.

        Returns:
            (N,) indices into ``sizes``.
        """
        index_of = {name: index for index, name in enumerate(self.sizes)}
        ids = labelled.frame["feature_id"].to_numpy()[features]
        return np.array([index_of[self.of_feature[int(id)]] for id in ids], np.int64)


def read_drawn_strata(labelled: Shots) -> DrawnStrata | None:
    """Read how a sample was drawn.

    Args:
        labelled: Reference that was read from one file.

    Returns:
        The strata; None if the file does not hold them.

    Raises:
        ShotsError: If some places lack them, or they contradict each other.
    """
    if len(labelled.files) == 0 or labelled.parts:
        return None
    try:
        frame = read_vector(
            labelled.source,
            what="reference",
            layer=labelled.layer,
            missing=ShotsError,
            wrong=ShotsError,
            tables=True,
        )
    except ShotsError:  # a raster, or a table that was read otherwise
        return None
    if not {STRATUM, STRATUM_PX} <= set(frame.columns):
        return None
    labels = frame.loc[frame.index.isin(labelled.frame["feature_id"])]
    if labels[[STRATUM, STRATUM_PX]].isna().any().any():
        raise ShotsError(
            f"some places of '{labelled.source}' have a class and no {STRATUM}",
            hint="leave out places that were not drawn with the others, or leave out --design",
        )
    known = frame[[STRATUM, STRATUM_PX]].dropna()
    sizes = known.groupby(STRATUM, sort=True)[STRATUM_PX].agg(["min", "max", "size"])
    if (sizes["min"] != sizes["max"]).any() or (sizes["min"] <= 0).any():
        raise ShotsError(
            f"places of '{labelled.source}' give one {STRATUM} different numbers of pixels",
            hint="assess one sample at a time",
        )
    return DrawnStrata(
        {str(name): int(px) for name, px in sizes["min"].items()},
        {str(name): int(n) for name, n in sizes["size"].items()},
        {int(id): str(name) for id, name in labels[STRATUM].items()},
    )


@dataclass(frozen=True, eq=False)
class DrawnPlaces:
    """Places of a sample, in the order in which they are to be visited.

    Attributes:
        x: (N,) coordinates of the centres of pixels.
        y: (N,) likewise.
        strata: (N,) stratum of each, an index into ``names``.
        names: Names of the strata.
        pixels: Number of pixels of each stratum.
        drawn: Number of places of each stratum.
    """

    x: Float64Array
    y: Float64Array
    strata: IntArray
    names: Sequence[str]
    pixels: Sequence[int]
    drawn: Sequence[int]


def sample_frame(places: DrawnPlaces, crs: CRS | None, fields: Sequence[str]) -> gpd.GeoDataFrame:
    """Features of a sample.

    Args:
        places: The places.
        crs: Their coordinate reference system.
        fields: Names of the fields that people fill in.
    """
    of = places.strata
    pixels, drawn = np.array(places.pixels, np.int64)[of], np.array(places.drawn, np.int64)[of]
    empty = {name: pd.Series([None] * len(of), dtype="string") for name in (*fields, NOTE)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of a CRS that the map does not have either
        return gpd.GeoDataFrame(
            {
                PLACE: np.arange(1, len(of) + 1),
                **empty,
                STRATUM: pd.Series([places.names[i] for i in of], dtype="string"),
                STRATUM_PX: pixels,
                STRATUM_N: drawn,
                PROBABILITY: drawn / pixels,
            },
            geometry=shapely.points(places.x, places.y),
            crs=crs,
        )


def form_style(classes: Sequence[tuple[str, str]], fields: Sequence[str]) -> str:
    """A QGIS style (.qml) of a sample: a form that asks for the class, and a colour for each answer.

    The stratum is not shown, since who sees the map's class tends to confirm it.

    Args:
        classes: Name and "#rrggbb" of each class.
        fields: Names of the fields that people fill in; the last one gives the colour.

    Returns:
        Text of the style.
    """
    root = ET.Element("qgis", version="3.22.0", styleCategories="Symbology|Fields|Forms")
    _add_symbols(root, classes, fields[-1])
    configuration = ET.SubElement(root, "fieldConfiguration")
    shown = {PLACE: "TextEdit", **dict.fromkeys(fields, "ValueMap"), NOTE: "TextEdit"}
    for name in ("fid", *shown, STRATUM, STRATUM_PX, STRATUM_N, PROBABILITY):
        field = ET.SubElement(configuration, "field", name=name, configurationFlags="None")
        widget = ET.SubElement(field, "editWidget", type=shown.get(name, "Hidden"))
        config = ET.SubElement(widget, "config")
        if shown.get(name) == "ValueMap":
            options = ET.SubElement(config, "Option", type="Map")
            listed = ET.SubElement(options, "Option", type="List", name="map")
            for label, _ in classes:
                entry = ET.SubElement(listed, "Option", type="Map")
                ET.SubElement(entry, "Option", type="QString", name=label, value=label)
        else:
            ET.SubElement(config, "Option", type="Map")
    editable = ET.SubElement(root, "editable")
    for name in shown:
        ET.SubElement(editable, "field", name=name, editable=str(int(name != PLACE)))
    ET.SubElement(root, "layerGeometryType").text = "0"
    ET.indent(root)
    return (
        "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
        + ET.tostring(root, encoding="unicode")
        + "\n"
    )


def _add_symbols(root: ET.Element, classes: Sequence[tuple[str, str]], attribute: str) -> None:
    renderer = ET.SubElement(root, "renderer-v2", type="categorizedSymbol", attr=attribute)
    categories = ET.SubElement(renderer, "categories")
    symbols = ET.SubElement(renderer, "symbols")
    for index, (name, color) in enumerate((*classes, ("", "#ffffff"))):
        ET.SubElement(
            categories,
            "category",
            {"symbol": str(index), "value": name, "type": "string" if name else "NULL",
             "label": name or "to visit", "render": "true"},
        )  # fmt: skip
        symbol = ET.SubElement(symbols, "symbol", type="marker", name=str(index), alpha="1")
        kinds = {"class": "SimpleMarker", "enabled": "1", "locked": "0", "pass": "0"}
        layer = ET.SubElement(symbol, "layer", kinds)
        red, green, blue = bytes.fromhex(color.removeprefix("#"))
        for key, value in (
            ("color", f"{red},{green},{blue},255"), ("name", "circle"), ("size", "3"),
            ("outline_color", "35,35,35,255"), ("outline_width", "0.4"),
        ):  # fmt: skip
            ET.SubElement(layer, "prop", k=key, v=value)


def write_sample(frame: gpd.GeoDataFrame, style: str, path: Path) -> None:
    """Write a sample with its form.

    Args:
        frame: Features; see `sample_frame`.
        style: Text of the style; see `form_style`.
        path: GeoPackage to write.

    Raises:
        OutputError: If the disk is full or gone.
    """
    with LayerWriter(path, path.stem) as writer:
        writer.write(frame)
        writer.embed_style(style)
