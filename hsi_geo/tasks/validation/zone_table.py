"""The table of zones: areas of a map's classes in each zone, with their standard errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from hsi_geo.arrays import Float64Array, IntArray
from hsi_geo.io.labels.zones import Zone
from hsi_geo.io.maps.areas import row_areas_ha
from hsi_geo.io.maps.reader import ReadMap
from hsi_geo.io.maps.zone_areas import ZoneArea, count_zone
from hsi_geo.tasks.validation.zone_errors import (
    Confusion,
    ZoneEstimate,
    confusion_of_held_out,
    doubt_zone,
)

#: What errors are computed from, as the table says it.
REFERENCE, HELD_OUT, NOTHING = "reference", "held-out shots", ""

#: Share of a zone below which an estimate is 0: iterations approach 0 and do not reach it.
NEGLIGIBLE_SHARE = 1e-9

#: From a zone, and mapped areas and pixels of the K classes in it, to the estimate, and the number of places in the zone.
Estimator = Callable[[Zone, Float64Array, IntArray], tuple[ZoneEstimate, int | None]]


def zone_table(
    opened: ReadMap,
    zones: Sequence[Zone],
    names: Sequence[str],
    estimator: Estimator | None,
    basis: str,
    progress: Callable[[int], None] = lambda done: None,
) -> list[ZoneArea]:
    """Count and estimate the areas of all zones.

    Args:
        opened: The map, with its rejected pixels.
        zones: The zones.
        names: Names of the K classes.
        estimator: Function that estimates areas and errors; None if nothing is known of the errors.
        basis: What errors are computed from.
        progress: Called with the number of zones that are done.

    Returns:
        A row for each class that a zone has, by zone; rejected classes come last in it.
    """
    index_of = {name: index for index, name in enumerate(names)}
    rejected = {c.id: c.name for c in opened.rejected}
    value_of: dict[str, int] = {}
    for value in (*opened.names, *rejected):
        value_of.setdefault(opened.name_of(value), value)
    in_hectares = row_areas_ha(opened.grid) is not None
    rows: list[ZoneArea] = []
    for done, zone in enumerate(zones, start=1):
        count = count_zone(opened, zone)
        mapped, pixels = np.zeros(len(names)), np.zeros(len(names), np.int64)
        for value, area in count.areas.items():
            name = opened.name_of(value)
            value_of.setdefault(name, value)
            if value not in rejected:
                mapped[index_of[name]] += area
                pixels[index_of[name]] += count.pixels[value]
        total = sum(count.areas.values())
        estimate, places = (
            (ZoneEstimate(mapped, np.full(len(names), np.nan)), None)
            if estimator is None
            else estimator(zone, mapped, pixels)
        )

        def row(
            name: str, value: int | None, px: int, area: float, found: float, error: float, why: str,
            zone: Zone = zone, total: float = total, estimate: ZoneEstimate = estimate,
            places: int | None = places,
        ) -> ZoneArea:  # fmt: skip
            known = bool(np.isfinite(error))
            return ZoneArea(
                zone.name,
                value,
                name,
                int(px),
                float(area) if in_hectares else None,
                100 * float(area) / total,
                float(found) if in_hectares else None,
                float(error) if known and in_hectares else None,
                100 * float(found) / total,
                100 * float(error) / total if known else None,
                why if known else NOTHING,
                places,
                None if places is None else 100 * estimate.own_share,
            )

        areas = np.where(estimate.areas > NEGLIGIBLE_SHARE * total, estimate.areas, 0.0)
        for i, name in enumerate(names):
            if total and (pixels[i] or areas[i]):
                error = float(estimate.errors[i])
                rows.append(
                    row(name, value_of.get(name), pixels[i], mapped[i], areas[i], error, basis)
                )
        for value, name in rejected.items():
            if count.pixels.get(value):
                area = count.areas[value]
                rows.append(row(name, value, count.pixels[value], area, area, np.nan, NOTHING))
        progress(done)
    return rows


def empty_zones(found: Sequence[Zone], rows: Sequence[ZoneArea]) -> tuple[str, ...]:
    """Names of zones without a mapped pixel.

    Args:
        found: The zones.
        rows: Their areas.
    """
    there = {row.zone for row in rows}
    return tuple(zone.name for zone in found if zone.name not in there)


def held_out_estimator(record: Mapping[str, Any], names: Sequence[str]) -> Estimator | None:
    """Estimator of the errors by the shots that were held out when the model of a map was made.

    Args:
        record: Record of the map.
        names: Names of the K classes of the map.

    Returns:
        The estimator; None if the map is of another scene than the shots, or nothing was held out.
    """
    confusion = _recorded_confusion(record, names)
    if confusion is None:
        return None
    return lambda zone, mapped, pixels: (doubt_zone(mapped, pixels, confusion), None)


def _recorded_confusion(record: Mapping[str, Any], names: Sequence[str]) -> Confusion | None:
    """Confusion of the held-out shots in a record, which may be that of any program."""
    try:
        matrix = np.asarray(record["adaptation"]["held_out_matrix"], np.int64)
        listed = [str(one["name"]) for one in record["classes"]]
        blocks, fits = int(record["accuracy"]["blocks"]), record["scene_adapted_to"] is True
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    if not fits or listed != list(names) or matrix.shape != (len(names),) * 2:
        return None
    if (matrix < 0).any() or not matrix.any() or blocks < 1:
        return None
    return confusion_of_held_out(matrix, blocks)
