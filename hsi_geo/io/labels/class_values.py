"""What the values of a class raster mean: their names, and whether 0 is a class."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import rasterio.shutil
from rasterio.io import MemoryFile

from hsi_geo.io.files.text_encoding import xml_text
from hsi_geo.io.labels.class_names import clean_name

#: GDAL's GDALRATFieldUsage numbers.
_RAT_NAME, _RAT_VALUE = "2", "5"

#: What programs call 0 where it is no class; ENVI names it "Unclassified" in every classification.
_NO_CLASS_NAMES = frozenset(
    ("unclassified", "no data", "nodata", "no_data", "no class", "none", "unlabelled", "unlabeled")
)


@dataclass(frozen=True)
class ClassValues:
    """What a raster says of its values.

    Attributes:
        nodata: Value that is declared to mean no class, None if none is. One that no pixel can have, such
            as NaN in a raster of integers, is declared all the same.
        names: Class name by value, for values that have one.
    """

    nodata: float | None
    names: Mapping[int, str]

    @property
    def zero_is_class(self) -> bool:
        """Whether 0 is a class like any other, or stands for no class.

        Whoever declares another nodata value, or names 0, means 0 as a class; who does neither, or
        declares 0 itself, does not. Names such as ENVI's "Unclassified" say that it is none.
        """
        called = self.names.get(0, "").strip().casefold()
        if self.nodata == 0 or called in _NO_CLASS_NAMES:
            return False
        return self.nodata is not None or bool(called)

    @property
    def zero_reason(self) -> str:
        """Why 0 is a class, in words; only where it is."""
        if name := self.names.get(0, "").strip():
            return f"it is named '{name}'"
        return f"the declared nodata value is another, {self.nodata:g}"

    def renamed(self, names: Mapping[int, str]) -> ClassValues:
        """The same with other names for some values."""
        return ClassValues(self.nodata, {**self.names, **names})


def read_class_values(file: Any) -> ClassValues:
    """What GDAL knows of an open raster's first band.

    Names are its category names and its attribute table, inside the file or in the ``.aux.xml``
    beside it. A blank name is none, a colour is no name, and a row of a table whose value is no whole
    number names nothing.
    """
    # Rasterio has no call for names, and passes over nodata values that the type cannot hold, but
    # GDAL spells both out in a virtual copy of the file.
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
    return ClassValues(nodata, _table_names(band.find("GDALRasterAttributeTable")) | named)


def _table_names(table: ET.Element | None) -> dict[int, str]:
    if table is None:
        return {}
    usages = [field.findtext("Usage") for field in table.iterfind("FieldDefn")]
    if _RAT_NAME not in usages or _RAT_VALUE not in usages:
        return {}
    at, name = usages.index(_RAT_VALUE), usages.index(_RAT_NAME)
    rows = [[cell.text or "" for cell in row.iterfind("F")] for row in table.iterfind("Row")]
    values = [_whole(row[at]) for row in rows]
    return {
        value: clean_name(row[name])
        for value, row in zip(values, rows, strict=True)
        if value is not None and clean_name(row[name])
    }


def _whole(text: str) -> int | None:
    """A whole number, None where a text is none."""
    try:
        number = float(text)
    except ValueError:
        return None
    return int(number) if math.isfinite(number) and number.is_integer() else None
