"""Values of a class raster: their names, and whether 0 is a class."""

from __future__ import annotations

import math
import os
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import rasterio.shutil
from rasterio.io import MemoryFile

from hsi_geo.io.files.beside import as_path
from hsi_geo.io.files.text_encoding import xml_text
from hsi_geo.io.labels.class_names import clean_name
from hsi_geo.io.labels.virtual_names import names_of_sources
from hsi_geo.io.readers.gdal import open_raster

#: GDAL's GDALRATFieldUsage numbers.
_RAT_NAME, _RAT_VALUE = "2", "5"
_RAT_COLORS = ("6", "7", "8")  # red, green, blue

#: Names of 0 where it is no class. ENVI names it "Unclassified" in every classification.
_NO_CLASS_NAMES = frozenset(
    ("unclassified", "no data", "nodata", "no_data", "no class", "none", "unlabelled", "unlabeled")
)


@dataclass(frozen=True)
class ClassValues:
    """Metadata of a raster about its values.

    Attributes:
        nodata: Value that is declared as nodata, None if none is. It may be one that no pixel can
            have, such as NaN in a raster of integers.
        names: Class name by value, for values that have one.
        colors: "#rrggbb" by value, for values that the attribute table has a colour of.
    """

    nodata: float | None
    names: Mapping[int, str]
    colors: Mapping[int, str] = field(default_factory=dict)

    @property
    def zero_is_class(self) -> bool:
        """Whether 0 is a class like any other.

        It is one if it has a name or another nodata value is declared. It is none if neither holds,
        if 0 itself is nodata, or if its name is one such as ENVI's "Unclassified".

        Examples:
            >>> ClassValues(255, {}).zero_is_class, ClassValues(None, {}).zero_is_class
            (True, False)
            >>> ClassValues(None, {0: "water"}).zero_is_class
            True
        """
        name = self.names.get(0, "").strip().casefold()
        if self.nodata == 0 or name in _NO_CLASS_NAMES:
            return False
        return self.nodata is not None or bool(name)

    @property
    def zero_reason(self) -> str:
        """Why 0 is a class, as part of a sentence; to be used only where it is."""
        if name := self.names.get(0, "").strip():
            return f"it is named '{name}'"
        return f"the declared nodata value is another, {self.nodata:g}"

    def with_names(self, names: Mapping[int, str]) -> ClassValues:
        """The same metadata with other names for some values.

        Args:
            names: Class name by value.
        """
        return ClassValues(self.nodata, {**self.names, **names}, self.colors)


def read_class_values(file: Any, outer: tuple[str, ...] = ()) -> ClassValues:
    """Read nodata value and class names of a raster's first band.

    Names are GDAL's category names and raster attribute table, inside the file or in the ``.aux.xml``
    beside it. Blank names, and rows of the table whose value is not a whole number, are ignored.
    A virtual raster without names has those of the rasters that it shows, and a link those of the file that it leads to.

    Args:
        file: Open dataset of rasterio.
        outer: Real paths of the virtual rasters that show it, outermost first.

    Returns:
        The metadata. Category names take precedence over the attribute table.
    """
    # Rasterio reads no names, nor nodata values that the data type cannot hold. GDAL writes both
    # into a virtual copy (VRT) of the file.
    with MemoryFile(ext=".vrt") as memory:
        rasterio.shutil.copy(file, memory.name, driver="VRT")
        band = ET.fromstring(xml_text(memory.read())).find("VRTRasterBand")
    if band is None:
        return ClassValues(file.nodata, {})
    categories = enumerate(
        clean_name(entry.text or "") for entry in band.iterfind("CategoryNames/Category")
    )
    named = {value: name for value, name in categories if name}
    declared = band.findtext("NoDataValue")
    nodata = file.nodata if declared is None else float(declared)
    table = band.find("GDALRasterAttributeTable")
    names = _table_names(table) | named
    if not names and file.driver == "VRT":
        names = names_of_sources(
            band, lambda source, outer: read_class_values(source, outer).names, file.name, outer
        )
    found = ClassValues(nodata, names, _table_colors(table))
    linked = as_path(file.name)
    if names or not os.path.islink(linked) or os.path.realpath(linked) in outer:  # noqa: PTH114 (Path raises for names that are no paths)
        return found
    target = os.path.realpath(linked)
    with open_raster(target) as shown:
        beside = read_class_values(shown, (*outer, target))
    return ClassValues(nodata, beside.names, beside.colors)


def _table_colors(table: ET.Element | None) -> dict[int, str]:
    if table is None:
        return {}
    usages = [one.findtext("Usage") for one in table.iterfind("FieldDefn")]
    if not {_RAT_VALUE, *_RAT_COLORS} <= set(usages):
        return {}
    columns = [usages.index(usage) for usage in (_RAT_VALUE, *_RAT_COLORS)]
    found = {}
    for row in table.iterfind("Row"):
        cells = [cell.text or "" for cell in row.iterfind("F")]
        value, *channels = (_whole(cells[column]) for column in columns)
        if value is not None and all(c is not None and 0 <= c <= 255 for c in channels):
            found[value] = "#" + "".join(f"{channel:02x}" for channel in channels)
    return found


def _table_names(table: ET.Element | None) -> dict[int, str]:
    if table is None:
        return {}
    usages = [one.findtext("Usage") for one in table.iterfind("FieldDefn")]
    if _RAT_NAME not in usages or _RAT_VALUE not in usages:
        return {}
    value_at, name_at = usages.index(_RAT_VALUE), usages.index(_RAT_NAME)
    rows = [[cell.text or "" for cell in row.iterfind("F")] for row in table.iterfind("Row")]
    values = [_whole(row[value_at]) for row in rows]
    return {
        value: clean_name(row[name_at])
        for value, row in zip(values, rows, strict=True)
        if value is not None and clean_name(row[name_at])
    }


def _whole(text: str) -> int | None:
    """The whole number that a text is, None for any other text."""
    try:
        number = float(text)
    except ValueError:
        return None
    return int(number) if math.isfinite(number) and number.is_integer() else None
