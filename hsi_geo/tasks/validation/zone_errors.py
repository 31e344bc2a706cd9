"""Areas of classes in a zone, with standard errors, from how a map confuses classes.

A zone may hold other land than the map as a whole. So a share of right pixels among those mapped to a class ("user's
accuracy") does not hold in the zone: where there is no rye, all that is mapped as rye is wrong. How land of a class is
mapped depends less on how much of it there is. So the land of a zone is found for which the confusion of the whole map
gives the mapped areas of the zone.

Letters for shapes: K classes of the map and of the truth, N places of a reference, R draws.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hsi_geo.arrays import BoolArray, Float64Array, IntArray

#: Fewest places of a mapped class in a zone from which on its errors there are those of the zone.
OWN_PLACES = 10

#: Fewest places of a mapped class without which its errors are unknown.
FEWEST = 2

#: Number of draws for standard errors, and of the steps of the expectation-maximisation.
DRAWS, STEPS = 200, 100


@dataclass(frozen=True, eq=False)
class Confusion:
    """How a map confuses classes.

    Attributes:
        land: (K, K) land by class in the map (rows) and in truth (columns), in any unit.
        mapped_places: (K,) effective number of places by class in the map.
        true_places: (K,) effective number of places by true class.
    """

    land: Float64Array
    mapped_places: Float64Array
    true_places: Float64Array

    @property
    def of_mapped(self) -> Float64Array:
        """(K, K) share of the true classes among what the map gives a class; as mapped for classes without places."""
        return _shares(self.land.T).T

    @property
    def of_truth(self) -> Float64Array:
        """(K, K) share of the mapped classes among the land of a true class, by column."""
        return _shares(self.land)


@dataclass(frozen=True, eq=False)
class ZoneEstimate:
    """Areas of the classes in a zone.

    Attributes:
        areas: (K,) estimated areas, in the unit of the mapped areas.
        errors: (K,) their standard errors, NaN where unknown.
        own_share: Share of the area whose errors are those of places in the zone, 0 to 1.
    """

    areas: Float64Array
    errors: Float64Array
    own_share: float = 0.0


def confusion_of_sample(
    mapped: IntArray, truth: IntArray, weights: Float64Array, classes: int
) -> Confusion:
    """Confusion of a map by places drawn at random.

    Args:
        mapped: (N,) class in the map.
        truth: (N,) class in the reference.
        weights: (N,) land that each place stands for, such as pixels of its stratum by its places.
        classes: K, number of classes.

    Examples:
        >>> found = confusion_of_sample(np.array([0, 0, 0, 0, 1]), np.array([0, 0, 0, 1, 1]), np.ones(5), 2)
        >>> found.of_mapped.tolist(), found.of_truth.tolist(), found.mapped_places.tolist()
        ([[0.75, 0.25], [0.0, 1.0]], [[1.0, 0.5], [0.0, 0.5]], [4.0, 1.0])
    """
    land = np.zeros((classes, classes))
    np.add.at(land, (mapped, truth), weights)
    places = [_effective(weights, np.asarray(labels), classes) for labels in (mapped, truth)]
    return Confusion(land, *places)


def confusion_of_held_out(matrix: IntArray, blocks: int, folds: int = 5) -> Confusion:
    """Confusion of a map by the shots that were held out in cross-validation.

    Pixels of one place are one trial, and models of different folds share most of their shots (Nadeau and Bengio 2003, doi
    10.1023/A:1024068626366).

    Args:
        matrix: (K, K) held-out pixels; rows are predicted classes, columns drawn ones.
        blocks: Number of places that were held out.
        folds: Number of folds.

    Examples:
        >>> confusion_of_held_out(np.diag([45, 45]), 18).true_places.tolist()
        [4.0, 4.0]
    """
    overlap = 1 + folds / max(1, folds - 1)
    land = np.asarray(matrix * (blocks / max(1, int(matrix.sum())) / overlap), np.float64)
    return Confusion(land, land.sum(axis=1), land.sum(axis=0))


def correlation_in_zones(
    groups: Sequence[BoolArray], mapped: IntArray, truth: IntArray, whole: Confusion
) -> float:
    """Estimate how alike the errors of two places are that lie in one zone and are mapped to one class.

    It is the intraclass correlation of the true class: agreement of such pairs beyond that of places of the class in the
    whole map, as kappa does (Fleiss and Cuzick 1979, doi 10.1177/014662167900300410). Each group counts by its places. As
    few pairs say little, they are joined by one pair that is fully alike: without a pair the answer is 1.

    Args:
        groups: For each zone, (N,) True for the places in it.
        mapped: (N,) class in the map.
        truth: (N,) class in the reference.
        whole: Confusion by all places.

    Returns:
        Correlation from 0, for errors of pixels on their own, to 1, if all pixels of a class in a zone share their true class.

    Examples:
        >>> truth = np.array([0, 0, 0, 0, 1, 1, 1, 1])
        >>> whole = confusion_of_sample(np.zeros(8, int), truth, np.ones(8), 2)
        >>> fields, mixed = np.arange(8) < 4, np.arange(8) % 2 == 0
        >>> correlation_in_zones([fields, ~fields], np.zeros(8, int), truth, whole)
        1.0
        >>> round(correlation_in_zones([mixed, ~mixed], np.zeros(8, int), truth, whole), 2)
        0.11
    """
    by_chance = np.square(whole.of_mapped).sum(axis=1)
    beyond, most = 1.0, 1.0
    for inside in groups:
        for k in np.unique(mapped[inside]):
            counts = np.bincount(truth[inside & (mapped == k)])
            places = int(counts.sum())
            if places > 1:
                # Pairs by places - 1, so that a group counts by its places.
                pairs, alike = places / 2, (counts * (counts - 1)).sum() / 2 / (places - 1)
                beyond += alike - pairs * by_chance[k]
                most += pairs * (1 - by_chance[k])
    return float(np.clip(beyond / most, 0, 1))


def estimate_zone(
    mapped: Float64Array,
    pixels: IntArray,
    whole: Confusion,
    own: Confusion,
    correlation: float = 0.0,
) -> ZoneEstimate:
    """Correct the mapped areas of a zone for the map's errors.

    A mapped class with `OWN_PLACES` places in the zone is corrected by them, as Olofsson et al. 2014 do for a whole map:
    the estimate is unbiased by the design, and only pixels that nobody visited are in doubt. The other classes are corrected by the confusion of the whole map, as if the
    map confused land in the zone as it does elsewhere (Saerens et al. 2002, doi 10.1162/089976602753284446). Classes without
    places stay as mapped.

    The standard error of the other classes is the root of the mean squared distance to areas that are possible as well.
    Half of these come from other confusions that the places allow, the other half from the other usual assumption: that what
    is mapped to a class is right as often as elsewhere. Both have chance: the pixels of a class in a zone are n trials, and
    errors that are alike make them n / (1 + (n - 1) correlation) trials (Kish 1965).

    Args:
        mapped: (K,) mapped areas in the zone.
        pixels: (K,) mapped pixels in the zone.
        whole: Confusion of the whole map.
        own: Confusion by the places in the zone.
        correlation: How alike errors in a zone are, from 0 to 1; see `correlation_in_zones`.

    Examples:
        >>> whole = Confusion(np.array([[80.0, 20.0], [20.0, 80.0]]), np.full(2, 100.0), np.full(2, 100.0))
        >>> nothing = Confusion(np.zeros((2, 2)), np.zeros(2), np.zeros(2))
        >>> estimate_zone(np.array([80.0, 20.0]), np.array([80, 20]), whole, nothing).areas.round(1).tolist()
        [99.5, 0.5]
        >>> estimate_zone(np.array([80.0, 20.0]), np.array([80, 20]), whole, whole).areas.tolist()
        [68.0, 32.0]
    """
    is_own = own.mapped_places >= OWN_PLACES
    known = is_own | (whole.mapped_places >= FEWEST)
    elsewhere = np.where(known & ~is_own, mapped, 0.0)
    areas = np.where(known, 0.0, mapped)
    variance = np.zeros(len(mapped))
    rates = own.of_mapped
    own_area = np.where(is_own, mapped, 0.0)
    areas = areas + own_area @ rates
    # Ten right places of ten do not mean that all others are right: one more is assumed, half right.
    places = own.mapped_places[:, None]
    without_error = rates.max(axis=1, keepdims=True) == 1
    usual = np.where(
        without_error, (places * rates + _one_place(len(mapped))) / (places + 1), rates
    )
    spread = usual * (1 - usual) / np.maximum(places - 1, 1)
    left = 1 - np.minimum(
        own.mapped_places / np.maximum(pixels, 1), 1
    )  # pixels that nobody visited
    variance += ((own_area**2 * left)[:, None] * spread).sum(axis=0)
    if elsewhere.any():
        found, possible = _by_confusion(elsewhere, mapped, whole)
        trials = _trials(pixels, correlation)
        areas = areas + found
        # Which of both assumptions holds in the zone is not known.
        for rates in (possible, _possible_rates_of_mapped(whole)):
            variance += _mean_square(elsewhere, rates, found, trials) / 2
    total = float(mapped.sum())
    errors = np.where(known | (mapped == 0), np.sqrt(variance), np.nan)
    return ZoneEstimate(areas, errors, float(own_area.sum()) / total if total else 0.0)


def doubt_zone(mapped: Float64Array, pixels: IntArray, held_out: Confusion) -> ZoneEstimate:
    """Keep the mapped areas of a zone, and say how far they may be wrong.

    Shots are no random sample, so they correct no area. The error is the root of the mean squared distance from the mapped
    areas to those that the confusion of the shots makes possible.

    Args:
        mapped: (K,) mapped areas in the zone.
        pixels: (K,) mapped pixels in the zone.
        held_out: Confusion by held-out shots.

    Examples:
        >>> few = Confusion(np.diag([5.0, 5.0]), np.full(2, 5.0), np.full(2, 5.0))
        >>> found = doubt_zone(np.array([80.0, 20.0]), np.array([80, 20]), few)
        >>> found.areas.tolist(), bool((found.errors > 5).all())  # 5 right places of 5 do not mean 100 per cent
        ([80.0, 20.0], True)
    """
    seen = (held_out.mapped_places > 0) | (held_out.true_places > 0)
    part = np.where(seen, mapped, 0.0)
    _, possible = _by_confusion(part, mapped, held_out)
    squares = _mean_square(part, possible, part, _trials(pixels, 0.0))
    return ZoneEstimate(mapped, np.where(seen | (mapped == 0), np.sqrt(squares), np.nan))


def _by_confusion(
    part: Float64Array, mapped: Float64Array, whole: Confusion
) -> tuple[Float64Array, Float64Array]:
    """(K,) true areas of a part of the mapped areas of a zone, and (R, K, K) other rates that are possible as well."""
    size = len(mapped)
    start = np.maximum(whole.land.sum(axis=0), 1e-9)
    rates = _rates_in_zone(whole.of_truth[None], mapped, start)[0]
    lost = rates.sum(axis=1) == 0  # no true class is ever mapped to it: it stays
    rates[lost] = np.eye(size)[lost]
    # What may also be true of the confusion: one place more of each class, half right, is added to each.
    concentration = whole.true_places * whole.of_truth + _one_place(size)  # (K, K), by column
    drawn = np.random.default_rng(0).standard_gamma(
        np.maximum(concentration, 1e-6), (DRAWS, size, size)
    )
    drawn /= np.maximum(drawn.sum(axis=1, keepdims=True), 1e-300)
    return part @ rates, _rates_in_zone(drawn, mapped, start)


def _possible_rates_of_mapped(whole: Confusion) -> Float64Array:
    """(R, K, K) shares of the true classes among each mapped class, as places of the whole map allow them."""
    size = len(whole.land)
    concentration = whole.mapped_places[:, None] * whole.of_mapped + _one_place(size)
    drawn = np.random.default_rng(1).standard_gamma(
        np.maximum(concentration, 1e-6), (DRAWS, size, size)
    )
    return np.asarray(drawn / np.maximum(drawn.sum(axis=2, keepdims=True), 1e-300))


def _mean_square(
    part: Float64Array, rates: Float64Array, found: Float64Array, trials: Float64Array
) -> Float64Array:
    """(K,) mean squared distance from the areas that were found to possible ones, with chance."""
    possible = np.einsum("k,rkj->rj", part, rates)
    chance = (part**2 / trials)[:, None] * (rates * (1 - rates)).mean(axis=0)
    return np.asarray(np.square(possible - found).mean(axis=0) + chance.sum(axis=0))


def _trials(pixels: IntArray, correlation: float) -> Float64Array:
    """(K,) effective number of pixels of each mapped class, at least 1."""
    count = np.maximum(pixels, 1)
    return np.asarray(count / (1 + (count - 1) * correlation), np.float64)


def _one_place(size: int) -> Float64Array:
    """(K, K) one place of each class, half right, the other half spread over the other classes."""
    right = np.eye(size)
    return right if size == 1 else np.asarray(0.5 * right + 0.5 * (1 - right) / (size - 1))


def _rates_in_zone(
    of_truth: Float64Array, mapped: Float64Array, start: Float64Array
) -> Float64Array:
    """(R, K, K) share of the true classes among each mapped class of a zone, by expectation-maximisation.

    Args:
        of_truth: (R, K, K) share of the mapped classes (rows) among the land of a true class.
        mapped: (K,) mapped areas in the zone.
        start: (K,) land by true class that the steps begin with.
    """
    land = np.broadcast_to(start, (len(of_truth), len(start)))
    rates = np.zeros_like(of_truth)
    for _ in range(STEPS):
        rates = of_truth * land[:, None, :]
        rates /= np.maximum(rates.sum(axis=2, keepdims=True), 1e-300)
        land = np.einsum("k,rkj->rj", mapped, rates)
    return rates


def _shares(land: Float64Array) -> Float64Array:
    """Shares by column; columns without land are those of a map that is right."""
    total = land.sum(axis=0)
    return np.where(total > 0, land / np.where(total > 0, total, 1.0), np.eye(len(land)))


def _effective(weights: Float64Array, labels: IntArray, classes: int) -> Float64Array:
    """(K,) Kish's effective number of places of each class."""
    sums = np.bincount(labels, weights, minlength=classes)
    squares = np.bincount(labels, weights**2, minlength=classes)
    return np.asarray(sums**2 / np.where(squares > 0, squares, 1.0))
