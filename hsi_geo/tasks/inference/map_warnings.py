"""Warnings about a map that was made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import xarray as xr

from hsi_geo.arrays import IntArray
from hsi_geo.io.scenes.mask_option import other_mask_warning
from hsi_geo.io.scenes.neighbours import OTHER_SCALE, HaloScene
from hsi_geo.io.scenes.properties import name_of
from hsi_geo.tasks.artifacts.model import AdaptedModel
from hsi_geo.tasks.inference.domain_shift import DomainShift
from hsi_geo.tasks.inference.scaled_scene import ScaledScene

#: A class is missing in a map if fewer pixels are mapped to it than this share of the pixels under its shots.
MISSING_SHARE = 0.5


def map_warnings(
    scene: xr.DataArray, scaled: ScaledScene, halo: HaloScene | None, counts: IntArray
) -> Iterator[str]:
    """Find what may be wrong with a map.

    Args:
        scene: Scene that was mapped.
        scaled: The scene on the scale of its model.
        halo: The scene with the adjacent pixels of its neighbours, after these were read; None for none.
        counts: (K + 1,) number of mapped pixels by class id; index 0 is nodata.

    Yields:
        A sentence for each finding.
    """
    name, model, shift = name_of(scene), scaled.model, scaled.shift
    for reason in () if halo is None else halo.unread.values():
        yield f"its margin lacks the pixels of a neighbour, and may show a seam: {reason}"
    if warning := other_mask_warning(scene, model.record["parameters"].get("masks")):
        yield warning
    if shift is not None and shift.drifts:
        yield f"scene '{name}' {describe_drift(shift)}"
    if scaled.is_checked and shift is None and counts[1:].any():
        yield (
            f"the scale of scene '{name}' was not compared with that of the model, because "
            "no pixel with data was found in windows spread over the scene"
        )
    if halo is not None and halo.other_scale:
        yield (
            f"scene '{name}' lies beside tiles whose values are more than {OTHER_SCALE:,.0f} times larger "
            "or smaller: pixels of these are not used at its edges, where maps may not fit together"
        )


def describe_drift(shift: DomainShift) -> str:
    """Say how a scene differs from the one that the model was adapted to.

    Args:
        shift: Difference of a scene that drifts.

    Returns:
        A clause that continues the scene's name.
    """
    parts = [shift.brightness_text]
    if shift.novelty is not None:
        parts.append(f"{100 * shift.novelty:.0f} % of its pixels are unlike every shot")
    details = ", ".join(filter(None, parts))
    return (
        f"looks unlike what the model was adapted to{': ' + details if details else ''}; an accuracy that "
        "was estimated there does not hold here"
    )


def missing_class_warnings(model: AdaptedModel, counts: IntArray) -> list[str]:
    """Find classes that a map lacks although its scene contains shots of them.

    A class with few shots may not be learnt beside classes with many more.

    Args:
        model: Model whose record has the number of pixels under each class's shots.
        counts: (K + 1,) number of mapped pixels by class id; index 0 is nodata.

    Returns:
        A warning for each such class.
    """
    shots: Mapping[str, int] = model.record["shots"]
    return [
        f"the map has {int(counts[c.id]) or 'no'} pixels of class '{c.name}', whose shots cover "
        f"{shots[c.name]}: draw more of it, or fewer of the other classes"
        for c in model.classes
        if counts[c.id] < MISSING_SHARE * shots.get(c.name, 0)
    ]
