"""What a notebook shows of shots."""

from __future__ import annotations

from collections import Counter

import numpy as np
import rasterio.features
import shapely
from affine import Affine

from hsi_geo.arrays import UInt8Array
from hsi_geo.display.images import paint
from hsi_geo.display.summaries import SIDE_PX, Summary, crs_text, picture_or_none
from hsi_geo.io.labels.shots import Shots

#: Radius of a point, and least half width of a line or polygon, in pixels of the picture.
POINT_PX, LEAST_PX = 2.5, 0.7

#: Share of the picture that is left free on each side.
MARGIN = 0.04

#: Most geometries that are drawn: more would not be seen, and would take time.
MOST_DRAWN = 4000

#: Names of types of geometries, in the singular.
KINDS = {"Point": "point", "LineString": "line", "LinearRing": "line", "Polygon": "polygon"}


def summarize_shots(shots: Shots, *, with_picture: bool) -> Summary:
    """Describe shots.

    Args:
        shots: The shots.
        with_picture: Whether a map of them is drawn.
    """
    counts = np.bincount(shots.frame["class_id"], minlength=len(shots.classes) + 1)
    facts = [f"file: {shots.source}"] if shots.files else []
    crs = "that of the scene" if shots.in_scene_frame else crs_text(shots.frame.crs)
    facts.append(f"coordinates: {crs}")
    if shots.skipped:
        facts.append(f"left out: {', '.join(shots.skipped)}")
    facts += [f"warning: {one}" for one in shots.warnings[:1]]
    return Summary(
        f"Shots: {_counted(shots)} of {len(shots.classes)} classes",
        facts,
        ("class", "shots"),
        [(c.name, str(counts[c.id])) for c in shots.classes],
        colors=[c.color for c in shots.classes],
        picture=picture_or_none(lambda: draw_shots(shots)) if with_picture else None,
        caption="shots in the colours of their classes",
    )


def _counted(shots: Shots) -> str:
    """Number of geometries of each type: 12 points, 1 polygon."""
    kinds = Counter(KINDS.get(kind, "shape") for kind in shots.frame.geom_type)
    return ", ".join(f"{count} {kind}{'s' * (count > 1)}" for kind, count in kinds.most_common())


def draw_shots(shots: Shots, side_px: int = SIDE_PX) -> UInt8Array:
    """Draw a map of shots, without matplotlib.

    Args:
        shots: The shots, in any CRS.
        side_px: Longest side of the picture in pixels.

    Returns:
        (h, w, 3) colours from 0 to 255 on white.
    """
    frame = shots.frame.iloc[:: -(-len(shots.frame) // MOST_DRAWN)]
    left, bottom, right, top = frame.total_bounds
    span = max(right - left, top - bottom) or 1.0
    pixel = span * (1 + 2 * MARGIN) / side_px
    margin = MARGIN * span + POINT_PX * pixel
    height = max(1, min(side_px, round((top - bottom + 2 * margin) / pixel)))
    width = max(1, min(side_px, round((right - left + 2 * margin) / pixel)))
    x, y = (left + right - width * pixel) / 2, (top + bottom + height * pixel) / 2
    is_point = frame.geom_type.to_numpy() == "Point"
    radius = pixel * np.where(is_point, POINT_PX, LEAST_PX)
    shapes = shapely.buffer(frame.geometry.to_numpy(), radius)
    # Polygons first: a point inside one is seen.
    order = np.argsort(is_point, kind="stable")
    ids = rasterio.features.rasterize(
        zip(shapes[order], frame["class_id"].to_numpy()[order].tolist(), strict=True),
        (height, width),
        transform=Affine(pixel, 0.0, x, 0.0, -pixel, y),
        dtype="int32",
    )
    return paint(ids, shots.classes)
