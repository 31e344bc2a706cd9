"""QGIS styles of layers of polygons: a colour for each class, in a file or inside a GeoPackage."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterable

from hsi_geo.io.labels.shots import LandClass
from hsi_geo.io.maps.class_styles import rgb

_HEAD = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"

#: QGIS's numbers of kinds of geometries.
POINTS, POLYGONS = 0, 2


def vector_style(
    classes: Iterable[LandClass],
    attribute: str,
    style: ET.Element | None = None,
    geometry: int = POLYGONS,
) -> str:
    """A QGIS style (.qml) of a layer, with one category for each class.

    Args:
        classes: Classes. The ids are the values of the field.
        attribute: Name of the field of integers that holds the class.
        style: Style of a raster that gets the categories as well; None for a new one.
        geometry: `POLYGONS` or `POINTS`.

    Returns:
        Text of the style.

    Examples:
        >>> text = vector_style([LandClass(3, "water", "#0000ff")], "class")
        >>> [line.strip() for line in text.splitlines() if "<category " in line]
        ['<category symbol="0" value="3" type="long" label="water" render="true" />']
    """
    root = style
    if root is None:
        root = ET.Element("qgis", version="3.22.0", styleCategories="Symbology")
    _add_renderer(root, classes, attribute, geometry)
    ET.indent(root)
    return _HEAD + ET.tostring(root, encoding="unicode") + "\n"


def _add_renderer(
    root: ET.Element, classes: Iterable[LandClass], attribute: str, geometry: int
) -> None:
    renderer = ET.SubElement(
        root, "renderer-v2", type="categorizedSymbol", attr=attribute, symbollevels="0"
    )
    categories = ET.SubElement(renderer, "categories")
    symbols = ET.SubElement(renderer, "symbols")
    for index, c in enumerate(classes):
        ET.SubElement(
            categories, "category", symbol=str(index), value=str(c.id), type="long", label=c.name,
            render="true",
        )  # fmt: skip
        kind = "fill" if geometry == POLYGONS else "marker"
        symbol = ET.SubElement(symbols, "symbol", type=kind, name=str(index), alpha="1")
        kinds = {"class": _SYMBOLS[geometry], "enabled": "1", "locked": "0", "pass": "0"}
        layer = ET.SubElement(symbol, "layer", kinds)
        color = ",".join(map(str, (*rgb(c.color), 255)))
        # A thin line of the same colour: without it, the background shows between neighbours.
        line = color if geometry == POLYGONS else "35,35,35,255"
        for key, value in (
            ("color", color), ("style", "solid"), ("outline_color", line),
            ("outline_style", "solid"), ("outline_width", "0.1"), ("outline_width_unit", "MM"),
            ("name", "circle"), ("size", "3"),
        ):  # fmt: skip
            ET.SubElement(layer, "prop", k=key, v=value)
    ET.SubElement(root, "layerGeometryType").text = str(geometry)


_SYMBOLS = {POINTS: "SimpleMarker", POLYGONS: "SimpleFill"}
