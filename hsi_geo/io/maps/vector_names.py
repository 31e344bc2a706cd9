"""Names of layers of features that can be written: GeoPackage, FlatGeobuf and GeoParquet."""

from __future__ import annotations

import os
from pathlib import Path

from hsi_geo.arguments import require_output
from hsi_geo.errors import OptionError
from hsi_geo.extras import require_extra

#: Formats by suffix, as messages name them.
FORMATS = {".gpkg": "GeoPackage", ".fgb": "FlatGeobuf", ".parquet": "GeoParquet"}


def is_vector_name(path: str | os.PathLike[str]) -> bool:
    """Whether a file's name is that of a layer of features that can be written.

    >>> is_vector_name("map.gpkg"), is_vector_name("map.tif")
    (True, False)
    """
    return Path(path).suffix.lower() in FORMATS


def require_vector_name(path: str | os.PathLike[str]) -> Path:
    """Refuse an output whose name is not that of a format that can be written, or whose package is missing.

    Args:
        path: Where features are to be written.

    Returns:
        The path.

    Raises:
        OptionError: If it does not end in .gpkg, .fgb or .parquet.
        MissingPackageError: If the format is GeoParquet and its package is not installed.
    """
    found = require_output(path)
    if not is_vector_name(found):
        raise OptionError(
            f"output '{found}' does not end in {', '.join(FORMATS)}",
            hint="polygons are written as " + ", ".join(FORMATS.values()),
        )
    if found.suffix.lower() == ".parquet":
        require_extra("parquet", "GeoParquet files")
    return found


def style_beside(path: Path) -> list[Path]:
    """Path of the style of a layer whose format cannot hold one; none for a GeoPackage.

    Args:
        path: File of the layer.
    """
    return [] if path.suffix.lower() == ".gpkg" else [path.with_suffix(".qml")]
