"""Class names and colours out of QGIS styles, beside a file or inside a GeoPackage."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import geopandas as gpd
import pyogrio
from pyogrio.errors import DataLayerError, DataSourceError

from hsi_geo.io.files.file_names import openable
from hsi_geo.io.files.paths import exists
from hsi_geo.io.files.text_encoding import xml_text
from hsi_geo.io.labels.class_colors import parse_color
from hsi_geo.io.labels.class_names import clean_name
from hsi_geo.io.labels.geopackages import STYLES


@dataclass(frozen=True)
class Style:
    """How QGIS draws the classes of a layer.

    Attributes:
        class_field: Name of the field that holds the class; empty for a raster.
        colors: "#rrggbb" by value of the field, as text.
        labels: Name by value of the field, as text.
        source: Where the style was found, for messages ("the style 'a.qml'"); empty for no style.
    """

    class_field: str = ""
    colors: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    source: str = ""


NO_STYLE = Style()


def find_style(path: str, layer: str | None) -> Style:
    """Find the style of a layer: a .qml beside its file, as in QGIS, else that in its GeoPackage.

    Args:
        path: Path of the file.
        layer: Name of its layer; None for any.

    Returns:
        The style; `NO_STYLE` where there is none that can be read.
    """
    beside = Path(path).with_suffix(".qml")
    in_geopackage = Path(path).suffix.lower() == ".gpkg" and exists(path)
    if exists(beside):
        try:
            style = _parse(beside.read_bytes(), f"the style '{beside.name}'")
        except OSError:
            return NO_STYLE
        if style.class_field or not in_geopackage:  # a raster of the same name has its style there
            return style
    if in_geopackage:
        return _from_geopackage(path, layer)
    return NO_STYLE


def _from_geopackage(path: str, layer: str | None) -> Style:
    try:
        with openable(path) as named:
            if STYLES not in {str(row[0]) for row in pyogrio.list_layers(named)}:
                return NO_STYLE
            table = gpd.read_file(named, layer=STYLES)
    except (DataSourceError, DataLayerError):
        return NO_STYLE
    if not {"f_table_name", "styleQML"} <= set(table.columns):
        return NO_STYLE
    if "useAsDefault" in table.columns:
        table = table.sort_values("useAsDefault", ascending=False, kind="stable")
    for _, row in table.iterrows():
        if layer in (None, row["f_table_name"]) and isinstance(row["styleQML"], str):
            style = _parse(row["styleQML"].encode(), "the style in the GeoPackage")
            if style.colors:
                return style
    return NO_STYLE


def _parse(text: bytes, source: str) -> Style:
    """Categories of a vector layer, or palette entries of a raster."""
    try:
        root = ET.fromstring(xml_text(text))
    except ET.ParseError:
        return NO_STYLE
    for renderer in root.iter("renderer-v2"):
        if renderer.get("type") == "categorizedSymbol":
            symbols = {
                symbol.get("name", ""): _symbol_color(symbol)
                for parent in renderer.iter("symbols")
                for symbol in parent.findall("symbol")
            }
            categories = [
                (c.get("value", ""), c.get("label", ""), symbols.get(c.get("symbol", "")))
                for c in renderer.iter("category")
            ]
            return _style(renderer.get("attr", "").strip('"'), categories, source)
    entries = [
        (entry.get("value", ""), entry.get("label", ""), parse_color(entry.get("color", "")))
        for entry in root.iter("paletteEntry")
    ]
    return _style("", entries, source)


def _style(attribute: str, entries: list[tuple[str, str, str | None]], source: str) -> Style:
    entries = [(clean_name(value), clean_name(label), color) for value, label, color in entries]
    entries = [entry for entry in entries if entry[0]]  # the rest has no value
    return Style(
        attribute,
        {value: color for value, _, color in entries if color},
        {value: label for value, label, _ in entries if label},
        source,
    )


def _symbol_color(symbol: ET.Element) -> str | None:
    """The fill of a symbol's first layer: ``prop`` until QGIS 3.26, ``Option`` since."""
    for part in symbol.iter():
        name = part.get("k") or part.get("name")
        if part.tag in ("prop", "Option") and name in ("color", "line_color"):
            return parse_color(part.get("v") or part.get("value") or "")
    return None
