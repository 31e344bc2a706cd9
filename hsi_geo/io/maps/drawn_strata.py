"""Strata that a sample was drawn in, as its files say: `sample` writes them into its GeoPackage."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
from pyproj.exceptions import ProjError

from hsi_geo.arrays import IntArray
from hsi_geo.errors import ShotsError
from hsi_geo.io.labels.containers import find_raster, is_named_as_raster
from hsi_geo.io.labels.sample_fields import (
    PLACE,
    STRATUM,
    STRATUM_HA,
    STRATUM_N,
    STRATUM_PX,
    drawn_fields,
)
from hsi_geo.io.labels.shots import Shots
from hsi_geo.io.labels.vectors import is_unopened, read_vector
from hsi_geo.io.readers.raster import data_of_header
from hsi_geo.text import quoted

#: Digits of coordinates in metres and in degrees, about a millimetre: places of equal ones are the same place.
DIGITS_M, DIGITS_DEGREES = 3, 8


#: Ratio of two strata's shares of visited pixels from which on they count as drawn unevenly, if a file does not say how
#: many places were drawn: some may have been left out since.
UNEVEN = 1.5

#: Relative difference up to which hectares of one stratum are those of one map: programs round them when they write them.
ROUNDING = 0.01

#: Share of the places of equal numbers in two files that lie where they were drawn, from which on both are copies of one
#: sample. Of two samples almost none do.
UNMOVED = 0.1


@dataclass(frozen=True, eq=False)
class DrawnStrata:
    """Strata that a sample was drawn in.

    Attributes:
        sizes: Number of pixels of each stratum by its name.
        hectares: Area of all strata; None if the files do not tell it, as for maps without a CRS.
        places: Number of places that were drawn in all. A place that several files have counts once.
        of_feature: For each file, name of the stratum by the id of the feature.
    """

    sizes: Mapping[str, int]
    hectares: float | None
    places: int
    of_feature: Sequence[Mapping[int, str]]

    def of_pixels(self, labelled: Shots, features: IntArray) -> IntArray:
        """Stratum of sampled pixels.

        Args:
            labelled: The reference.
            features: (N,) row of the reference that each pixel belongs to.

        Returns:
            (N,) indices into ``sizes``.
        """
        index_of = {name: index for index, name in enumerate(self.sizes)}
        ids = labelled.frame["feature_id"].to_numpy()[features]
        # Each file numbers its features on its own.
        parts = (
            labelled.frame["part"].to_numpy()[features] if labelled.parts else np.zeros_like(ids)
        )
        names = [self.of_feature[part][int(id)] for part, id in zip(parts, ids, strict=True)]
        return np.array([index_of[name] for name in names], np.int64)


def read_drawn_strata(labelled: Shots, *, needs_all: bool = True) -> DrawnStrata | None:
    """Read how a sample was drawn.

    Args:
        labelled: Reference that was read from one file, or from several: the places of several people, or
            several samples of one map.
        needs_all: Whether all places with a class need a stratum, once some have one.

    Returns:
        The strata of all files; None if no file holds them, or if some places lack them and ``needs_all`` is False.

    Raises:
        ShotsError: If some places or files lack them and all need them, or they contradict each other.
    """
    parts = labelled.parts or (labelled,)
    read = [_read_part(part) for part in parts]
    frames = [frame for frame in read if frame is not None]
    if not frames:
        return None
    lacking = [part.source for part, frame in zip(parts, read, strict=True) if frame is None]
    if not needs_all and (lacking or any(map(_lacks_some, parts, frames))):
        return None
    if lacking:
        known = next(part for part, frame in zip(parts, read, strict=True) if frame is not None)
        raise ShotsError(
            f"{quoted(lacking)} {'does' if len(lacking) == 1 else 'do'} not say in which {STRATUM} each place was "
            f"drawn, and '{known.source}' does",
            hint=f"give files of one sample with their fields {STRATUM} and {STRATUM_PX}, or the map that all places "
            "were drawn from with --strata",
        )
    return DrawnStrata(
        _pixels(parts, frames),
        _hectares(frames),
        _count_places(frames),
        [_strata_of_labels(part, frame) for part, frame in zip(parts, frames, strict=True)],
    )


def unequal_probabilities(labelled: Shots) -> dict[str, float]:
    """Probability with which a pixel of each stratum was drawn, where the files of a sample say that they differ.

    Args:
        labelled: Reference that was read from one file or from several.

    Returns:
        Probability by the name of the stratum. Empty if files say nothing, or differ by no more than whole numbers of places
        make necessary: a stratified sample in proportion to the strata is as good as a simple one.
    """
    frames = []
    for part in labelled.parts or (labelled,):
        with contextlib.suppress(ShotsError):  # a file of another kind, which holds no strata
            frames.append(_read_part(part))
    known = [frame for frame in frames if frame is not None]
    if not known:
        return {}
    every = pd.concat(frame.drop(columns="geometry") for frame in known)
    every = every[every[STRATUM].notna() & (every[STRATUM_PX] > 0)]
    strata = every.groupby(STRATUM, sort=True).agg({STRATUM_PX: "max", STRATUM_N: "max"})
    counted = strata[STRATUM_N].isna().any()
    places = every.groupby(STRATUM).size() if counted else strata[STRATUM_N]
    rates = places / strata[STRATUM_PX]
    in_proportion = strata[STRATUM_PX] * places.sum() / strata[STRATUM_PX].sum()
    if counted:
        is_even = rates.max() < UNEVEN * rates.min()
    else:
        is_even = ((places - in_proportion).abs() < 1).all()
    if is_even:
        return {}
    return {str(name): float(p) for name, p in rates.items()}


def _read_part(part: Shots) -> gpd.GeoDataFrame | None:
    """Features of a file or a GeoDataFrame with their strata; None if it does not hold them."""
    if part.drawn is not None:
        return part.drawn
    if not part.files or part.frame.empty:
        return None
    opened_as = data_of_header(part.source)
    if is_named_as_raster(opened_as):
        return None
    try:
        frame = read_vector(
            opened_as,
            what="reference",
            layer=part.layer,
            missing=ShotsError,
            wrong=ShotsError,
            tables=True,
        )
    except ShotsError as error:
        if is_unopened(error) and find_raster(opened_as, "reference", ShotsError) is not None:
            return None
        raise
    return drawn_fields(frame)


def _strata_of_labels(part: Shots, frame: gpd.GeoDataFrame) -> dict[int, str]:
    """Stratum by the id of each feature that has a class."""
    if _lacks_some(part, frame):
        raise ShotsError(
            f"some places of '{part.source}' have a class and no {STRATUM}",
            hint="leave out places that were not drawn with the others, or leave out --design",
        )
    return {int(id): str(name) for id, name in _labels(part, frame)[STRATUM].items()}


def _lacks_some(part: Shots, frame: gpd.GeoDataFrame) -> bool:
    """Whether some features that have a class have no stratum."""
    return bool(_labels(part, frame)[[STRATUM, STRATUM_PX]].isna().any().any())


def _labels(part: Shots, frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Features that have a class."""
    return frame.loc[frame.index.isin(part.frame["feature_id"])]


def _pixels(parts: Sequence[Shots], frames: Sequence[gpd.GeoDataFrame]) -> dict[str, int]:
    """Pixels of each stratum, which all places have to agree on."""
    every = pd.concat(frame[[STRATUM, STRATUM_PX]].dropna() for frame in frames)
    sizes = every.groupby(STRATUM, sort=True)[STRATUM_PX].agg(["min", "max"])
    wrong = sizes[(sizes["max"] != sizes["min"]) | (sizes["min"] <= 0)]
    if len(wrong):
        raise ShotsError(
            f"places of {quoted([part.source for part in parts])} give the {STRATUM} '{wrong.index[0]}' different "
            f"numbers of pixels, {wrong['min'].iloc[0]:,.0f} and {wrong['max'].iloc[0]:,.0f}",
            hint="assess one sample at a time",
        )
    return {str(name): int(px) for name, px in sizes["min"].items()}


def _hectares(frames: Sequence[gpd.GeoDataFrame]) -> float | None:
    """Area of all strata; None if it is unknown for one of them, or if places do not agree on it."""
    every = pd.concat(frame[[STRATUM, STRATUM_HA]] for frame in frames)
    # Programs write 0 for an area that is unknown.
    every[STRATUM_HA] = every[STRATUM_HA].where(every[STRATUM_HA] > 0)
    areas = every.groupby(STRATUM, sort=True)[STRATUM_HA].agg(["min", "median", "max"])
    if not (areas["max"] - areas["min"] <= ROUNDING * areas["max"]).all():
        return None
    return math.fsum(areas["median"])


def _count_places(frames: Sequence[gpd.GeoDataFrame]) -> int:
    """Number of different places with a stratum; people may have filled in copies of one file, and moved places."""
    crs = frames[0].crs
    digits = DIGITS_DEGREES if crs is not None and crs.is_geographic else DIGITS_M
    parts = []
    for part, frame in enumerate(frames):
        drawn = frame[frame[STRATUM].notna()]
        places = drawn.geometry
        if crs is not None and places.crs is not None:
            with contextlib.suppress(ProjError):  # on another planet; the pixels were found before
                places = places.to_crs(crs)
        at = places.bounds[["minx", "miny"]].round(digits)
        parts.append(at.assign(part=part, number=drawn[PLACE]))
    every = pd.concat(parts)
    if _are_copies(every):
        return int(every["number"].nunique())
    return len(every.drop_duplicates(["minx", "miny"]))


def _are_copies(places: pd.DataFrame) -> bool:
    """Whether equal numbers of places in several files are one place: two samples of one map have equal numbers, too."""
    if places["number"].isna().any() or places.duplicated(["part", "number"]).any():
        return False
    shared = places[places.duplicated("number", keep=False)]
    if shared.empty:
        return False
    at = shared.groupby("number")[["minx", "miny"]]
    return bool(((at.max() == at.min()).all(axis=1)).mean() >= UNMOVED)
