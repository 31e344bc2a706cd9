"""A preview as one GeoTIFF: classes, confidence, familiarity, and a band of transparency."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import rasterio
from rasterio.enums import ColorInterp

from hsi_geo.arrays import UInt8Array
from hsi_geo.io.files.read_back import checksum, require_written
from hsi_geo.io.labels.shots import ClassTable
from hsi_geo.io.maps.class_styles import add_names, qgis_style, rgb
from hsi_geo.io.maps.control_points import georeference
from hsi_geo.io.maps.writer import BLOCK_PX, NO_CLASS, no_georeference_warning, writing
from hsi_geo.tiling import Grid

#: Names of the bands, in order.
BANDS = ("class", "confidence (per cent)", "familiarity (per cent)", "alpha")

#: Number of the band of transparency.
ALPHA_BAND = 4


def alpha_of(
    class_ids: UInt8Array, confidence: UInt8Array, min_confidence: float = 0.0
) -> UInt8Array:
    """Which pixels of a preview are shown.

    Args:
        class_ids: (H, W) class ids, 0 where there is no data.
        confidence: (H, W) confidence in per cent.
        min_confidence: Least confidence of a pixel that is shown, in per cent.

    Returns:
        (H, W) 255 for pixels that are shown, 0 for others.

    Examples:
        >>> alpha_of(np.array([[1, 2, 0]], np.uint8), np.array([[50, 90, 255]], np.uint8), 60).tolist()
        [[0, 255, 0]]
    """
    shown = (class_ids != NO_CLASS) & (confidence >= min_confidence)
    return np.where(shown, 255, 0).astype(np.uint8)


def write_preview(
    path: Path,
    grid: Grid,
    class_ids: UInt8Array,
    confidence: UInt8Array,
    familiarity: UInt8Array,
    classes: ClassTable,
    *,
    min_confidence: float = 0.0,
) -> None:
    """Write a preview, and beside it names and colours for GDAL (``.aux.xml``) and a style for QGIS (``.qml``).

    Args:
        path: GeoTIFF to write.
        grid: Pixels of the preview.
        class_ids: (H, W) class ids, 0 where there is no data.
        confidence: (H, W) confidence in per cent, 255 where there is no data.
        familiarity: (H, W) familiarity in per cent, 255 where there is no data.
        classes: Class table.
        min_confidence: Pixels below this confidence, in per cent, are transparent.

    Raises:
        OutputError: If the disk is full or gone.
        OSError: If a file beside it cannot be written.
    """
    alpha = alpha_of(class_ids, confidence, min_confidence)
    bands = np.stack([class_ids, confidence, familiarity, alpha])
    with (
        writing(path, "preview"),
        no_georeference_warning(),
        rasterio.Env(GDAL_PAM_ENABLED="NO"),
    ):
        with rasterio.open(
            path,
            "w",
            driver="GTiff",
            height=grid.height,
            width=grid.width,
            count=len(BANDS),
            dtype=bands.dtype.name,
            tiled=True,
            blockxsize=BLOCK_PX,
            blockysize=BLOCK_PX,
            compress="deflate",
            zlevel=1,
            photometric="MINISBLACK",
            **georeference(grid),
        ) as file:
            undefined = ColorInterp.undefined
            file.colorinterp = (ColorInterp.gray, undefined, undefined, ColorInterp.alpha)
            for number, name in enumerate(BANDS, start=1):
                file.set_band_description(number, name)
            file.write(bands)
        require_written(path, [(grid.window, checksum(bands))])
    path.with_name(f"{path.name}.aux.xml").write_text(_aux_xml(classes), encoding="utf-8")
    path.with_suffix(".qml").write_text(
        qgis_style(classes, alpha_band=ALPHA_BAND), encoding="utf-8"
    )


def _aux_xml(classes: ClassTable) -> str:
    """GDAL's side file: the GeoTIFF format allows no colour table in a file of several bands."""
    root = ET.Element("PAMDataset")
    band = ET.SubElement(root, "PAMRasterBand", band="1")
    ET.SubElement(band, "ColorInterp").text = "Palette"
    table = ET.SubElement(band, "ColorTable")
    colors = {c.id: (*rgb(c.color), 255) for c in classes}
    for number in range(max(colors, default=0) + 1):
        parts = colors.get(number, (0, 0, 0, 0))
        ET.SubElement(table, "Entry", {f"c{i}": str(part) for i, part in enumerate(parts, start=1)})
    add_names(band, classes)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode") + "\n"
