"""Reference labels of two dates: the pair of classes at each place."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable

import geopandas as gpd

from hsi_geo.errors import ShotsError
from hsi_geo.io.labels.purposes import REFERENCE
from hsi_geo.io.labels.shot_reading import read_shots
from hsi_geo.io.labels.shots import LandClass, Shots
from hsi_geo.tasks.change.change_classes import pair_name

#: Fields that hold the class of each date, if none are named; `sample` makes them.
OLD_FIELD, NEW_FIELD = "class_old", "class_new"


def read_pairs(
    path: str | os.PathLike[str] | gpd.GeoDataFrame,
    old_field: str | None = None,
    new_field: str | None = None,
    names: Iterable[str] = (),
) -> Shots:
    """Read reference labels with a class of each date.

    Args:
        path: Vector file of labelled places in any CRS, or what geopandas read from one.
        old_field: Field with the class of the old date; None for `OLD_FIELD`.
        new_field: Field with the class of the new date; None for `NEW_FIELD`.
        names: Names of the classes of both maps, which are no missing values in a table ("NA").

    Returns:
        Labels whose classes are named as those of a map of change. Places without one of both classes are left out.

    Raises:
        ShotsError: If there is no such file or field, or no place has both classes.
    """
    purpose = REFERENCE.keeping(names)
    old, new = (
        read_shots(
            path, class_field=field, purpose=dataclasses.replace(purpose, field_option=option)
        )
        for field, option in (
            (old_field or OLD_FIELD, "--old-field"),
            (new_field or NEW_FIELD, "--new-field"),
        )
    )
    frames = []
    for shots in (old, new):
        frame = shots.frame
        name_of = {c.id: c.name for c in shots.classes}
        frame = frame.assign(name=frame["class_id"].map(name_of))
        frame["part"] = frame.groupby("feature_id").cumcount()
        frames.append(frame.set_index(["feature_id", "part"]))
    both = frames[0].join(frames[1]["name"].rename("new_name"), how="inner").reset_index()
    if both.empty:
        raise ShotsError(
            f"no place of '{path}' has a class of both dates", hint="fill in both fields"
        )
    pairs = [pair_name(a, b) for a, b in zip(both["name"], both["new_name"], strict=True)]
    number_of = {name: number for number, name in enumerate(sorted(set(pairs)), start=1)}
    table = tuple(LandClass(number, name, "#888888") for name, number in number_of.items())
    frame = gpd.GeoDataFrame(
        {
            "class_id": [number_of[name] for name in pairs],
            "feature_id": both["feature_id"].to_numpy(),
        },
        geometry=both.geometry.to_numpy(),
        crs=old.frame.crs,
    )
    left_out = len(old.frame) - len(frame)  # the others are among those that were skipped before
    without = (f"{left_out} without a class in '{new_field or NEW_FIELD}'",) if left_out else ()
    skipped = old.skipped + without
    return dataclasses.replace(old, classes=table, frame=frame, skipped=skipped, default_colors=())
