"""Names and colours of classes, as GDAL and QGIS read them beside a map."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from hsi_geo.io.labels.shots import ClassTable


def aux_xml(classes: ClassTable) -> str:
    """GDAL's side file with category names and a raster attribute table for band 1.

    Args:
        classes: Class table.

    Returns:
        Text of the `.aux.xml` file.

    Examples:
        >>> from hsi_geo.io.labels.shots import LandClass
        >>> text = aux_xml((LandClass(1, "water", "#0000ff"),))
        >>> [line.strip() for line in text.splitlines() if "Category>" in line]
        ['<Category>water</Category>']
    """
    root = ET.Element("PAMDataset")
    add_names(ET.SubElement(root, "PAMRasterBand", band="1"), classes)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode") + "\n"


def add_names(band: ET.Element, classes: ClassTable) -> None:
    """Add category names and attribute table to a band.

    Args:
        band: Element of a band in GDAL's PAM or VRT, which is changed.
        classes: Class table.
    """
    names = ET.SubElement(band, "CategoryNames")
    by_id = {c.id: c.name for c in classes}
    for number in range(max(by_id, default=0) + 1):
        ET.SubElement(names, "Category").text = by_id.get(number, "")
    table = ET.SubElement(band, "GDALRasterAttributeTable", tableType="thematic")
    # Field types and usages are GDAL's GDALRATFieldType and GDALRATFieldUsage numbers.
    fields = [("Value", 0, 5), ("Class", 2, 2), ("Red", 0, 6), ("Green", 0, 7), ("Blue", 0, 8)]
    has_parents = any(c.parent is not None for c in classes)
    if has_parents:
        fields.append(("Parent", 2, 0))
    for index, (name, kind, usage) in enumerate(fields):
        field = ET.SubElement(table, "FieldDefn", index=str(index))
        ET.SubElement(field, "Name").text = name
        ET.SubElement(field, "Type").text = str(kind)
        ET.SubElement(field, "Usage").text = str(usage)
    for index, c in enumerate(classes):
        row = ET.SubElement(table, "Row", index=str(index))
        parent = (c.parent or "",) if has_parents else ()
        for value in (c.id, c.name, *rgb(c.color), *parent):
            ET.SubElement(row, "F").text = str(value)


def qgis_style(classes: ClassTable, *, alpha_band: int = -1) -> str:
    """A QGIS layer style with one palette entry for each class.

    Args:
        classes: Class table.
        alpha_band: Number of the band that holds the transparency; -1 for none.

    Returns:
        Text of the `.qml` file.
    """
    root = ET.Element("qgis", version="3.22.0", styleCategories="Symbology")
    pipe = ET.SubElement(root, "pipe")
    renderer = ET.SubElement(
        pipe,
        "rasterrenderer",
        type="paletted",
        band="1",
        opacity="1",
        alphaBand=str(alpha_band),
        nodataColor="",
    )
    palette = ET.SubElement(renderer, "colorPalette")
    for c in classes:
        ET.SubElement(
            palette, "paletteEntry", value=str(c.id), color=c.color, label=c.name, alpha="255"
        )
    ET.indent(root)
    return (
        "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
        + ET.tostring(root, encoding="unicode")
        + "\n"
    )


def rgb(color: str) -> tuple[int, int, int]:
    """Red, green and blue of a colour.

    Args:
        color: "#rrggbb".

    Returns:
        Three numbers from 0 to 255.

    Examples:
        >>> rgb("#e60000")
        (230, 0, 0)
    """
    red, green, blue = bytes.fromhex(color.removeprefix("#"))
    return red, green, blue
