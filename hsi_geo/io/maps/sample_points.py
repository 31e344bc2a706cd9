"""Places of a random sample: a GeoPackage with a form to fill in, which remembers how they were drawn."""

from __future__ import annotations

import warnings
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from pyproj import CRS

from hsi_geo.arrays import Float64Array, IntArray
from hsi_geo.io.labels.geopackages import layer_name
from hsi_geo.io.labels.sample_fields import (
    NOTE,
    PLACE,
    PROBABILITY,
    STRATUM,
    STRATUM_HA,
    STRATUM_N,
    STRATUM_PX,
)
from hsi_geo.io.maps.vector_files import LayerWriter


@dataclass(frozen=True, eq=False)
class DrawnPlaces:
    """Places of a sample, in the order in which they are to be visited.

    Attributes:
        x: (N,) coordinates of the centres of pixels.
        y: (N,) likewise.
        strata: (N,) stratum of each, an index into ``names``.
        names: Names of the strata.
        pixels: Number of pixels of each stratum.
        hectares: Area of each stratum; None if the CRS of the map does not define it.
        drawn: Number of places of each stratum.
    """

    x: Float64Array
    y: Float64Array
    strata: IntArray
    names: Sequence[str]
    pixels: Sequence[int]
    hectares: Sequence[float] | None
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
    hectares = places.hectares or [np.nan] * len(places.names)
    empty = {name: pd.Series([None] * len(of), dtype="string") for name in (*fields, NOTE)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of a CRS that the map does not have either
        return gpd.GeoDataFrame(
            {
                PLACE: np.arange(1, len(of) + 1),
                **empty,
                STRATUM: pd.Series([places.names[i] for i in of], dtype="string"),
                STRATUM_PX: pixels,
                STRATUM_HA: np.array(hectares, np.float64)[of],
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
    for name in ("fid", *shown, STRATUM, STRATUM_PX, STRATUM_HA, STRATUM_N, PROBABILITY):
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
    with LayerWriter(path, layer_name(path, "places")) as writer:
        writer.write(frame)
        writer.embed_style(style)
