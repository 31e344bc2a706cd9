"""Options that several commands share, and the library's values that are made of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from . import reporting, timing_table
from .byte_size import ByteSize

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

scene = click.argument("scene", type=click.Path(path_type=str))
scenes = click.argument("scenes", nargs=-1, required=True, type=click.Path(path_type=str))


def out(more: str = "") -> Decorator:
    """Option for the file of a map.

    Args:
        more: What else may be given, after the files of one map.
    """
    return click.option(
        "-o",
        "--out",
        type=click.Path(path_type=Path),
        help="GeoTIFF to write, MAP.tif; or its polygons, MAP.gpkg, MAP.fgb or MAP.parquet, with MAP.tif beside "
        f"them{more}.  [default: SCENE_classes.tif beside the scene]",
    )


def seed(made: str) -> Decorator:
    """Option for the start of the random numbers.

    Args:
        made: What the command makes with them.
    """
    return click.option(
        "--seed",
        type=click.IntRange(0),
        default=0,
        show_default=True,
        help=f"Start of the random numbers. Two runs with the same seed give the same {made}; another seed "
        "shows how much depends on chance.",
    )


device = click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda"]),
    default="auto",
    show_default=True,
    help="Where the network computes: auto takes a CUDA GPU if there is one, else the CPU.",
)
threads = click.option(
    "--threads",
    type=click.IntRange(1),
    help="Number of CPU threads.  [default: as many as the machine has cores]",
)
overwrite = click.option(
    "--overwrite", is_flag=True, help="Replace outputs that exist. Without it they are an error."
)
wavelengths = click.option(
    "--wavelengths",
    metavar="FILE|START:STOP|index",
    help="Band centres for a scene without them: a file (one number in nm a line, or a CSV with a "
    "column wavelength), START:STOP in nm for evenly spaced bands, or index (no physical meaning).",
)
mask = click.option(
    "--mask",
    metavar="auto|none|FLAGS|FILE",
    default="auto",
    show_default=True,
    help="Pixels that count as missing, by the flags of the product: auto (clouds, cirrus, shadows, haze and "
    "defects), none, or flags such as clouds,shadows,water. Or a mask file: a raster that is not 0 where pixels "
    "are masked, or polygons.",
)
_GRID = (
    click.option(
        "--grid",
        metavar="UTM|native|EPSG:n",
        help="Grid that SCENE is read on, the nearest pixel for each of its pixels: the UTM zone, the grid or CRS "
        "of the product, or a CRS by its code.  [default: the product's own; for a swath without one UTM, or an "
        "equal-area grid if it is too wide]",
    ),
    click.option(
        "--swath",
        is_flag=True,
        help="Read SCENE in the rows and columns of the sensor: no pixel is lost or repeated.",
    ),
    click.option(
        "--pixel-size",
        type=click.FloatRange(0, min_open=True),
        metavar="SIZE",
        help="Side of the pixels of that grid, in metres or in the unit of its CRS; for a swath, a flight line, or with "
        "--grid.  [default: that of SCENE's own pixels]",
    ),
    click.option(
        "--dem",
        type=click.Path(path_type=str),
        metavar="FILE",
        help="Raster of heights in metres, with which a SCENE with RPCs is placed.  [default: one height for all pixels]",
    ),
)
_STRAIGHTEN = (
    click.option(
        "--no-straighten",
        "straighten",
        is_flag=True,
        default=True,
        flag_value=False,
        help="Refuse a scene with a rotated grid, ground control points or RPCs. Without it such a scene is put "
        "onto an upright grid, the nearest pixel for each of its pixels.",
    ),
)
_PLACEMENT = (*_GRID, *_STRAIGHTEN)
asset = click.option(
    "--asset",
    metavar="NAME",
    help="Key or title of the asset of a STAC item that is the scene.  [default: found by its role and name]",
)
follow_links = click.option(
    "--follow-links",
    is_flag=True,
    help="Allow a STAC item to name files on other hosts than its own, and a server to send to another one.",
)
weights = click.option(
    "--weights",
    type=click.Path(path_type=str),
    metavar="PATH|none",
    help="File of hsi-geo pretrain that the network starts from; none starts from random numbers.  "
    "[default: the weights that come with hsi-geo]",
)
trust_shots = click.option(
    "--trust-shots",
    is_flag=True,
    help="Give all shots the same weight. Without it a shot whose class looks wrong weighs less, and is named.",
)
cache = click.option(
    "--cache",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Keep features of the scene's pixels in FOLDER, so that the next run on the same scene takes less time. "
    "FOLDER takes at most 2 GiB.  [default: they are not kept]",
)
progress = click.option(
    "--progress",
    type=click.Choice(list(reporting.REPORTERS)),
    default="auto",
    show_default=True,
    is_eager=True,
    callback=reporting.store_choice,
    help="Messages on stderr: auto for people, jsonl for programs (one JSON object a line), none for "
    "warnings only.",
)

library_weight = click.option(
    "--library-weight",
    type=click.FloatRange(0, 1, min_open=True),
    default=1.0,
    show_default=True,
    metavar="WEIGHT",
    help="Weight of each spectrum of a library beside a drawn shot, above 0 to 1.",
)

#: Options of `read_shots`, and styles. Each may be given once for all files, or once for each file.
_SHOTS = (
    click.option(
        "--class-field",
        multiple=True,
        help="Field of the labels that holds the class, text or integer; Level_1/Level_2 for the fields of two levels. For several files, one for all, or one for each "
        "in their order.  [default: found by its name]",
    ),
    click.option(
        "--layer",
        multiple=True,
        help="Layer of the labels; needed only for a file with several layers. For several files as --class-field.",
    ),
    click.option(
        "--classes",
        multiple=True,
        type=click.Path(path_type=str),
        metavar="FILE",
        help='File with names and colours of the classes, JSON such as {"1": {"name": "roof", "color": "#e60000"}}. '
        "For several files as --class-field.",
    ),
    click.option(
        "--all-touched",
        is_flag=True,
        help="Take every pixel that a polygon touches, not only those whose centre is inside.",
    ),
)

aoi = click.option(
    "--aoi",
    type=click.Path(path_type=str),
    metavar="POLYGONS",
    help="Vector file with the area to map, in any CRS.  [default: the whole scene]",
)
max_memory = click.option(
    "--max-memory",
    type=ByteSize(),
    default="512M",
    show_default=True,
    help="Memory for the part of the scene that is mapped at a time, in bytes, such as 512M or 2G.",
)

smooth = click.option(
    "--smooth",
    type=click.IntRange(0, 20),
    default=0,
    show_default=True,
    metavar="PASSES",
    help="Smooth the outlines of polygons: 3 rounds stairs of pixels, 20 is the most, 0 follows the pixels. Neighbours "
    "keep the same outline, without gaps.",
)

#: The table of zones. A batch writes one for all of its maps.
_ZONES = (
    click.option(
        "--zones",
        type=click.Path(path_type=str),
        metavar="POLYGONS",
        help="Also write MAP_zones.csv (a batch: zones.csv for all maps): the area of each class in each polygon of this file, with "
        "its standard error where one is known. hsi-geo zones "
        "does so for maps that exist, and corrects areas by a random sample.",
    ),
    click.option(
        "--zone-field",
        metavar="FIELD",
        help="Field of the zones with their names; zones of one name are one.  [default: the first of zone, zone_name, name, "
        "zone_id, label and id that tells them apart, else they are numbered]",
    ),
)

#: Files about one map, which a batch does not write for each.
_ABOUT_MAP = (
    click.option(
        "--stac",
        is_flag=True,
        help="Also write MAP_stac.json: a STAC item with the classes and colours of the map, by which catalogues find it.",
    ),
)

#: Files beside the map, and memory.
_BESIDE_MAP = (
    click.option(
        "--confidence",
        is_flag=True,
        help="Also write MAP_confidence.tif: how sure each pixel is, 0 to 100 per cent.",
    ),
    click.option(
        "--probabilities",
        is_flag=True,
        help="Also write MAP_probabilities.tif: one band for each class.",
    ),
    click.option(
        "--parents",
        is_flag=True,
        help="Also write MAP_parents.tif: the upper level of classes with parents (--class-field Level_1/Level_2, or a parent in "
        "--classes).",
    ),
    click.option(
        "--polygons",
        is_flag=True,
        help="Also write MAP_polygons.gpkg: each patch of a class as a polygon with name, hectares and confidence. A batch "
        "writes polygons.gpkg for all maps together, and MAP_confidence.tif beside each map.",
    ),
    smooth,
    click.option(
        "--reject",
        metavar="FAMILIARITY|auto",
        help="Give pixels that are less like the shots than this the class 'unlike any shot': a share such as 0.5, or auto "
        "for the model's own threshold, which rejects 5 per cent of land like the shots.  [default: every pixel gets a class]",
    ),
    click.option(
        "--min-confidence",
        metavar="SHARE",
        help="Give pixels whose largest class probability is below this the class 'too uncertain': a share such as 0.6, or "
        "60%.  [default: every pixel gets a class]",
    ),
    click.option(
        "--min-area",
        metavar="HECTARES|PIXELS",
        help="Give patches smaller than this to the neighbour whose class their own probabilities prefer: 0.5ha, or 10px; "
        "a number alone counts pixels.  "
        "[default: patches of every size stay]",
    ),
    max_memory,
)


_COMMON = (
    asset,
    follow_links,
    wavelengths,
    mask,
    *_PLACEMENT,
    device,
    threads,
    overwrite,
    timing_table.option,
    progress,
)


def grid(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options of the grid that scenes are read on, without those of rotated ones."""
    return _all(_GRID)(command)


def placement(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options of the grid that scenes are read on."""
    return _all(_PLACEMENT)(command)


def shots(required: bool) -> Decorator:
    """--shots and the options of reading them."""
    path = click.option(
        "--shots",
        required=required,
        multiple=True,
        type=click.Path(path_type=str),
        help="Labelled examples (shots): vector file of points, lines or polygons with a class, or raster of classes, in "
        "any CRS; or a spectral library (ENVI .sli, CSV, profiles of the EnMAP-Box, .asd, .sig). Give it again for each "
        "further file.",
    )
    return _all((path, *_SHOTS, library_weight))


def reading(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options of reading labelled geometries."""
    return _all(_SHOTS)(command)


rescale = click.option(
    "--rescale",
    metavar="FACTOR|auto",
    help="Factor for the values of a scene on another scale than the model's; auto takes the power "
    "of ten that fits, and prints it.",
)


def mapping() -> Decorator:
    """Options of `MapOptions`, but the report."""
    return _all((aoi, *_BESIDE_MAP, *_ZONES, *_ABOUT_MAP))


def beside_map(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options of `MapOptions`, but the area and the report."""
    return _all((*_BESIDE_MAP, *_ZONES))(command)


def common() -> Decorator:
    """Options of every command that adapts or maps."""
    return _all(_COMMON)


def _all(options: tuple[Decorator, ...]) -> Decorator:
    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate
