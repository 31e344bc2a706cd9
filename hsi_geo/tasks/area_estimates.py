"""Accuracy and areas from a probability sample, adjusted for the map's own errors.

The estimators are those of Olofsson et al. 2014 (Remote Sensing of Environment 148, 42-57, doi
10.1016/j.rse.2014.02.015), equations 1 to 11; numbers in comments are theirs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hsi_geo.errors import ShotsError

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class AreaEstimates:
    """What a probability sample says of a map, each with its standard error.

    Shares are of the mapped pixels; NaN where the sample cannot tell.

    Attributes:
        oa: Overall accuracy.
        oa_se: Its standard error.
        user: (K,) user's accuracy by class.
        user_se: (K,) its standard error.
        producer: (K,) producer's accuracy by class.
        producer_se: (K,) its standard error.
        f1: (K,) harmonic mean of both by class.
        f1_se: (K,) its standard error.
        mapped_share: (K,) of each class in the map.
        share: (K,) of each class on the ground.
        share_se: (K,) its standard error.
    """

    oa: float
    oa_se: float
    user: FloatArray
    user_se: FloatArray
    producer: FloatArray
    producer_se: FloatArray
    f1: FloatArray
    f1_se: FloatArray
    mapped_share: FloatArray
    share: FloatArray
    share_se: FloatArray


def estimate_areas(matrix: IntArray, mapped: IntArray, names: Sequence[str]) -> AreaEstimates:
    """Estimate accuracy and areas from a sample stratified by map class.

    A simple random sample is treated as stratified after it was drawn, with the same formulas.

    Args:
        matrix: (K, K) sampled pixels; rows are the map's classes, columns the reference's.
        mapped: (K,) pixels of the whole map.
        names: K class names, for messages.

    Returns:
        The estimates.

    Raises:
        ShotsError: If a class of the map has fewer than two sampled pixels.
    """
    weight = mapped / mapped.sum()
    sampled = matrix.sum(axis=1)
    few = [name for name, w, n in zip(names, weight, sampled, strict=True) if w > 0 and n < 2]
    if few:
        raise ShotsError(
            f"the sample has fewer than two pixels in the map's {', '.join(few)}: no standard "
            "error can be told",
            hint="sample more there, merge classes, or leave out --design",
        )
    # A class that the map never shows is a stratum of size 0 and adds nothing.
    n = np.maximum(sampled, 2)[:, None]
    within = matrix / n  # (K, K) shares of a stratum
    p = weight[:, None] * within  # eq. 4
    spread = within * (1 - within) / (n - 1)  # (K, K) variance of each of them
    share = p.sum(axis=0)  # eq. 9
    user, user_var = np.diag(within), np.diag(spread)
    apart = weight[:, None] ** 2 * spread
    own = np.diag(apart)
    others = apart.sum(axis=0) - own
    either = weight + share
    with np.errstate(divide="ignore", invalid="ignore"):
        producer = np.diag(p) / share  # eq. 3
        producer_var = (own * (1 - producer) ** 2 + others * producer**2) / share**2  # eq. 7
        # Linearised (Taylor), as equation 7 is; the paper has no F1.
        f1 = 2 * np.diag(p) / either
        f1_var = (own * (2 - f1) ** 2 + others * f1**2) / either**2
    return AreaEstimates(
        oa=float(np.trace(p)),  # eq. 1
        oa_se=float(np.sqrt((weight**2 * user_var).sum())),  # eq. 5
        user=_known(user, weight > 0),  # eq. 2
        user_se=_known(np.sqrt(user_var), weight > 0),  # eq. 6
        producer=_known(producer, share > 0),
        producer_se=_known(np.sqrt(producer_var), share > 0),
        f1=_known(f1, either > 0),
        f1_se=_known(np.sqrt(f1_var), either > 0),
        mapped_share=weight,
        share=share,
        share_se=np.sqrt(apart.sum(axis=0)),  # eq. 10
    )


def _known(values: FloatArray, where: npt.NDArray[np.bool_]) -> FloatArray:
    return np.where(where, values, np.nan)
