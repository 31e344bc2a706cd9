"""Shapefiles: the files that make one, and where an archive keeps it."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from hsi_geo.errors import HsiGeoError

Errors = type[HsiGeoError]

#: Files of features that an archive may hold besides Shapefiles.
_OTHERS = (".gpkg", ".geojson", ".fgb", ".gml", ".kml", ".tab", ".mif", ".csv")


def require_parts(name: str, what: str, wrong: Errors) -> None:
    """Refuse a Shapefile without its index: only GDAL's own tools may make it anew beside it."""
    path = Path(name)
    if path.suffix.lower() == ".shp" and path.is_file():
        _require(path.name, (one.name for one in path.parent.iterdir()), f"{what} '{name}'", wrong)


def has_fields(name: str) -> bool:
    """Whether a file may have fields: those of a Shapefile are in a DBF file beside it."""
    path = Path(name)
    if path.suffix.lower() != ".shp" or not path.is_file():
        return True
    return _beside(path.name, ".dbf") in {one.name.lower() for one in path.parent.iterdir()}


def in_archive(name: str, layer: str | None, what: str, wrong: Errors) -> tuple[str, list[str]]:
    """What GDAL calls the features that a ZIP archive holds in a folder or beside other files.

    Args:
        name: Of any file.
        layer: The one of several Shapefiles that is meant.
        what: What the file holds, for messages.
        wrong: Raised if a Shapefile in it lacks its index.

    Returns:
        The name as it was, for GDAL to look into, or that of a folder or file inside; and the names of
        Shapefiles in several folders, of which no one is chosen.
    """
    path = Path(name)
    if path.suffix.lower() != ".zip" or not path.is_file() or not zipfile.is_zipfile(path):
        return name, []
    with zipfile.ZipFile(path) as archive:
        inside = [
            PurePosixPath(one) for one in archive.namelist() if not one.startswith("__MACOSX/")
        ]
    shapes = [one for one in inside if one.suffix.lower() == ".shp"]
    for shape in shapes:
        siblings = (one.name for one in inside if one.parent == shape.parent)
        _require(shape.name, siblings, f"{what} '{name}'", wrong)
    others = [one for one in inside if one.suffix.lower() in _OTHERS]
    chosen = [one for one in shapes if one.stem == layer] or shapes
    # Braces tell where the archive ends, whatever its folders are called.
    prefix = f"/vsizip/{path}" if set("{}") & set(name) else f"/vsizip/{{{path}}}"
    if len(chosen) == 1:
        return f"{prefix}/{chosen[0]}", []
    if len({one.parent for one in chosen}) > 1:
        return name, [one.stem for one in chosen]
    if chosen and chosen[0].parent.name:
        return f"{prefix}/{chosen[0].parent}", []
    return (f"{prefix}/{others[0]}" if len(others) == 1 and not shapes else name), []


def _require(shape: str, siblings: Iterable[str], called: str, wrong: Errors) -> None:
    if _beside(shape, ".shx") not in {sibling.lower() for sibling in siblings}:
        index = Path(shape).with_suffix(".shx").name
        raise wrong(
            f"{called} lacks '{index}', the index of the Shapefile",
            hint="copy all of its files, or make the index anew: "
            f"ogrinfo --config SHAPE_RESTORE_SHX YES {shape}",
        )


def _beside(shape: str, suffix: str) -> str:
    return Path(shape).with_suffix(suffix).name.lower()
