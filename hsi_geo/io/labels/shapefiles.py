"""Shapefiles: the parts without which one cannot be read."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from hsi_geo.errors import HsiGeoError

Errors = type[HsiGeoError]


def require_parts(name: str, what: str, wrong: Errors) -> None:
    """Refuse a Shapefile on disk that lacks its index, which GDAL would write beside it.

    Args:
        name: Path of any file; others than Shapefiles pass.
        what: What the file is meant to be, for messages ("shots file").
        wrong: Raised if the index is missing.
    """
    path = Path(name)
    if path.suffix.lower() == ".shp" and path.is_file():
        siblings = (one.name for one in path.parent.iterdir())
        require_index(path.name, siblings, f"{what} '{name}'", wrong)


def require_index(shape: str, siblings: Iterable[str], called: str, wrong: Errors) -> None:
    """Refuse a Shapefile without its index.

    Args:
        shape: File name of the Shapefile, without a folder.
        siblings: File names in the same folder, in upper or lower case.
        called: What the message calls the file ("shots file 'a.zip'").
        wrong: Raised if the index is missing.
    """
    if _with_suffix(shape, ".shx") not in {sibling.lower() for sibling in siblings}:
        index = Path(shape).with_suffix(".shx").name
        raise wrong(
            f"{called} lacks '{index}', the index of the Shapefile",
            hint="copy all of its files, or make the index anew: "
            f"ogrinfo --config SHAPE_RESTORE_SHX YES {shape}",
        )


def has_attribute_table(name: str) -> bool:
    """Whether a file may have fields: those of a Shapefile are in a DBF file beside it.

    Args:
        name: Path of any file; others than Shapefiles may have fields.
    """
    path = Path(name)
    if path.suffix.lower() != ".shp" or not path.is_file():
        return True
    return _with_suffix(path.name, ".dbf") in {one.name.lower() for one in path.parent.iterdir()}


def _with_suffix(shape: str, suffix: str) -> str:
    return Path(shape).with_suffix(suffix).name.lower()
