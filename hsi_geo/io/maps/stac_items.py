"""STAC item collection of maps (extensions raster, classification, projection and processing)."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import pystac
import shapely
from pystac.extensions.classification import Classification, ClassificationExtension
from pystac.extensions.projection import ProjectionExtension
from pystac.extensions.raster import DataType, RasterBand, RasterExtension

from hsi_geo.io.files.paths import exists
from hsi_geo.io.labels.shots import ClassTable
from hsi_geo.io.maps.map_paths import MapPaths
from hsi_geo.io.maps.outlines import bbox_of, footprint_of
from hsi_geo.io.maps.vrt_index import GeoreferencedMap
from hsi_geo.io.maps.writer import NO_CLASS, NO_PERCENT, PROBABILITY_STEPS
from hsi_geo.io.readers.stac_collections import dates_of
from hsi_geo.io.scenes.tile_list import ListedTile
from hsi_geo.tiling import Grid

#: Extension that says how data were made; pystac has no class for it.
PROCESSING = "https://stac-extensions.github.io/processing/v1.1.0/schema.json"

#: Interval of what has no date: STAC allows no item without one.
ALWAYS = datetime(1900, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)


def item_collection(
    maps: Sequence[tuple[GeoreferencedMap, ListedTile]],
    classes: ClassTable,
    folder: Path,
    *,
    files: Callable[[Path], MapPaths] | None = None,
    bands: int = 0,
    parents: ClassTable = (),
) -> pystac.ItemCollection:
    """Describe each map as a STAC item, with an asset for each of its files.

    Args:
        maps: Each map with its tile. The date of the item is that of the tile, see `_dates_of`.
        classes: Class table of all maps.
        folder: Folder of the collection; links are relative to it.
        files: Function from the path of a map to all of its files; None lists the maps only.
        bands: Number of classes that have a probability.
        parents: Legend of the upper level; empty for one level.

    Returns:
        The collection, with one item for each map.
    """
    legend = classification_of(classes)
    items = []
    for one, tile in maps:
        items.append(_item(one, tile, legend, folder))
        if files is not None:
            _add_files(items[-1], files(one.path), folder, bands, parents)
    return pystac.ItemCollection(items)


def write_map_item(
    paths: MapPaths,
    one: GeoreferencedMap,
    scene: str,
    classes: ClassTable,
    *,
    bands: int,
    parents: ClassTable = (),
) -> None:
    """Write the STAC item of a map, with an asset for each of its files.

    Args:
        paths: Files of the map, with the item.
        one: The map, and its grid.
        scene: Path of the scene, which gives the date of the item, see `_dates_of`.
        classes: Legend of the map: its class table, and rejected classes.
        bands: Number of classes that have a probability.
        parents: Legend of the upper level; empty for one level.
    """
    folder = paths.classes.parent
    assert paths.item is not None
    item = _item(one, ListedTile(scene), classification_of(classes), folder)
    _add_files(item, paths, folder, bands, parents)
    plain = item.to_dict(include_self_link=False, transform_hrefs=False)
    text = json.dumps(plain, indent=1, ensure_ascii=False)
    paths.item.write_text(text + "\n", encoding="utf-8")


def _add_files(
    item: pystac.Item, paths: MapPaths, folder: Path, bands: int, parents: ClassTable
) -> None:
    """Add an asset for each file of a map beside the map itself; links are relative to a folder."""
    percent = RasterBand.create(nodata=NO_PERCENT, data_type=DataType.UINT8, unit="%")
    probability = RasterBand.create(
        nodata=NO_PERCENT, data_type=DataType.UINT8, scale=1.0 / PROBABILITY_STEPS, offset=0.0
    )
    rasters: tuple[tuple[str, Path | None, str, list[RasterBand]], ...] = (
        ("confidence", paths.confidence, "Confidence", [percent]),
        ("probabilities", paths.probabilities, "Class probabilities", [probability] * bands),
        ("parents_confidence", paths.parents_confidence, "Confidence, upper level", [percent]),
    )
    for key, path, title, described in rasters:
        # A file in another folder, such as the confidence that only a report shows, is none of the map's.
        if path is not None and path.parent == paths.classes.parent:
            asset = _asset(path, folder, title, pystac.MediaType.COG, "data")
            item.add_asset(key, asset)
            RasterExtension.ext(asset, add_if_missing=True).apply(described)
    if paths.parents is not None:
        asset = _asset(
            paths.parents, folder, "Land cover, upper level", pystac.MediaType.COG, "data"
        )
        item.add_asset("parents", asset)
        kind = DataType.UINT8 if len(parents) <= 255 else DataType.UINT16
        RasterExtension.ext(asset).apply([RasterBand.create(nodata=NO_CLASS, data_type=kind)])
        ClassificationExtension.ext(asset).classes = classification_of(parents)
    for key, path, title, media, role in (
        ("polygons", paths.polygons, "Polygons of the map", None, "data"),
        ("zones", paths.zones, "Areas in zones", "text/csv", "data"),
        ("report", paths.report, "Report", pystac.MediaType.HTML, "overview"),
        ("record", paths.record, "Record", pystac.MediaType.JSON, "metadata"),
        ("style", paths.style, "Style for QGIS", pystac.MediaType.XML, "metadata"),
    ):
        if path is not None:
            item.add_asset(key, _asset(path, folder, title, media, role))


def _asset(path: Path, folder: Path, title: str, media: str | None, role: str) -> pystac.Asset:
    if media is None:  # of polygons, by their format
        media = {".gpkg": pystac.MediaType.GEOPACKAGE, ".fgb": pystac.MediaType.FLATGEOBUF}.get(
            path.suffix.lower(), "application/vnd.apache.parquet"
        )
    return pystac.Asset(_link(path, folder), media_type=media, roles=[role], title=title)


def _link(path: Path, folder: Path) -> str:
    """Link to a file, relative to a folder."""
    return f"./{Path(os.path.relpath(path, folder)).as_posix()}"


def classification_of(classes: ClassTable) -> list[Classification]:
    """Classes as the classification extension describes them: value, name, title and colour.

    Args:
        classes: Class table.
    """
    return [
        Classification.create(
            value=c.id,
            name=re.sub(r"[^0-9A-Za-z_-]+", "-", c.name).strip("-") or f"class-{c.id}",
            title=c.name,
            color_hint=c.color.removeprefix("#").upper(),
        )
        for c in classes
    ]


def _item(
    one: GeoreferencedMap, tile: ListedTile, legend: list[Classification], folder: Path
) -> pystac.Item:
    footprint = footprint_of(one.grid)
    taken, start, end = _dates_of(tile)
    item = pystac.Item(
        id=one.path.stem,
        geometry=None if footprint is None else shapely.geometry.mapping(footprint),
        bbox=None if footprint is None else list(bbox_of(footprint)),
        datetime=taken,
        start_datetime=start,
        end_datetime=end,
        properties={},
    )
    asset = pystac.Asset(
        href=_link(one.path, folder),
        media_type=pystac.MediaType.COG,
        roles=["data"],
        title="Land cover",
    )
    item.add_asset("map", asset)
    kind = DataType.UINT8 if max((c.value for c in legend), default=0) <= 255 else DataType.UINT16
    band = RasterBand.create(nodata=NO_CLASS, data_type=kind)
    if one.grid.crs is not None and one.grid.crs.is_projected:
        metres = one.grid.crs.axis_info[0].unit_conversion_factor
        band.spatial_resolution = max(one.grid.resolution) * metres
    RasterExtension.ext(asset, add_if_missing=True).apply([band])
    ClassificationExtension.ext(asset, add_if_missing=True).classes = legend
    _add_projection(item, one.grid)
    item.stac_extensions.append(PROCESSING)
    item.properties |= {
        "processing:software": {"hsi-geo": version("hsi-geo")},
        "processing:lineage": "Land cover, mapped from a hyperspectral scene with a model of few labelled places.",
    }
    return item


def _add_projection(item: pystac.Item, grid: Grid) -> None:
    """Add CRS, size and place of the pixels; a CRS without a code is written out."""
    code = None if grid.crs is None else grid.crs.to_authority()
    t = grid.transform
    is_placed = grid.frame is None  # rows and columns of a sensor are no coordinates
    ProjectionExtension.ext(item, add_if_missing=True).apply(
        code=None if code is None else ":".join(code),
        projjson=grid.crs.to_json_dict() if grid.crs is not None and code is None else None,
        bbox=list(grid.bounds) if is_placed else None,
        shape=list(grid.shape),
        transform=[t.a, t.b, t.c, t.d, t.e, t.f] if is_placed else None,
    )


def _dates_of(tile: ListedTile) -> tuple[datetime | None, datetime | None, datetime | None]:
    """Time of a tile, or beginning and end of an interval.

    They are those of the STAC item that the tile was listed from, or that it is named by, if they are valid; else the time at which its file was
    changed; else, for a link, an interval without limits.
    """
    dates = tile.dates or dates_of(tile.path)
    if dates is not None:
        taken, start, end = map(_parsed, (dates.datetime, dates.start, dates.end))
        if taken is not None:
            return taken, None, None
        if start is not None and end is not None and start <= end:
            return None, start, end
    if exists(tile.path):
        return datetime.fromtimestamp(int(Path(tile.path).stat().st_mtime), UTC), None, None
    return None, *ALWAYS


def _parsed(text: str | None) -> datetime | None:
    """A time in ISO 8601, in UTC if it says no zone; None if the text is none."""
    if text is None:
        return None
    try:
        found = pystac.utils.str_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found
