"""From a sample of reference pixels to scores with 95 % intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hsi_geo.arrays import BoolArray, Float64Array, IntArray
from hsi_geo.io.maps.areas import PixelAreas, pixel_areas_ha
from hsi_geo.io.maps.reader import ReadMap
from hsi_geo.tasks.assessment.area_estimates import AreaEstimates, Ratios
from hsi_geo.tasks.assessment.reference_sample import Sample
from hsi_geo.tasks.assessment.results import Area, Assessment, ClassScore, Design, Estimate
from hsi_geo.tasks.validation.accuracy import effective_features, wilson

#: Half a 95 % interval in standard errors.
Z95 = 1.96


# Without a design: shares of the reference pixels ------------------------------------------------


def describe(sample: Sample) -> Assessment:
    """Scores of the reference pixels alone.

    Args:
        sample: Reference pixels with their mapped and true classes, one pixel at least.
    """
    from sklearn.metrics import precision_recall_fscore_support

    labels = np.arange(len(sample.names))
    user, producer, f1, _ = precision_recall_fscore_support(
        sample.truth, sample.mapped, labels=labels, zero_division=np.nan
    )
    scores = []
    for index, name in enumerate(sample.names):
        is_mapped, is_true = sample.mapped == index, sample.truth == index
        scores.append(
            ClassScore(
                name,
                reference=int(is_true.sum()),
                mapped=int(is_mapped.sum()),
                user=_share(user[index], is_mapped, sample),
                producer=_share(producer[index], is_true, sample),
                f1=_f1(f1[index], is_mapped | is_true, sample),
                area=None,
            )
        )
    right = sample.truth == sample.mapped
    oa = _share(float(right.mean()), np.ones_like(right), sample)
    assert oa is not None  # there is at least one pixel
    return Assessment(
        oa=oa,
        aa=_mean([score.producer for score in scores if score.producer is not None]),
        kappa=_kappa(oa, _chance(sample.matrix)),
        scores=tuple(scores),
        design=None,
        method="share of the reference pixels; intervals are Wilson's, and count pixels of one "
        "feature once: they are right or wrong together",
        **_facts(sample),
    )


def _chance(matrix: IntArray) -> float:
    """Agreement that is expected by chance, if rows and columns were independent."""
    return float((matrix.sum(axis=0) * matrix.sum(axis=1)).sum() / matrix.sum() ** 2)


def _facts(sample: Sample) -> dict[str, Any]:
    """Attributes of an assessment that do not depend on the design."""
    return {
        "matrix": sample.matrix,
        "pixels": len(sample.truth),
        "features": len(np.unique(sample.features)),
        "only_in_map": sample.only_in_map,
        "only_in_reference": sample.only_in_reference,
        "dropped": sample.dropped,
    }


def _share(value: float, of: BoolArray, sample: Sample) -> Estimate | None:
    if not of.any():
        return None
    return Estimate(float(value), *wilson(float(value), effective_features(sample.features[of])))


def _f1(value: float, either: BoolArray, sample: Sample) -> Estimate | None:
    """F1 = 2 J / (1 + J), J the share of agreement among pixels that map or reference give the class."""
    if not either.any():
        return None
    agreed = float(value / (2 - value))
    low, high = wilson(agreed, effective_features(sample.features[either]))
    return Estimate(float(value), 2 * low / (1 + low), 2 * high / (1 + high))


def _mean(parts: list[Estimate]) -> Estimate:
    """Mean of independent estimates. Its interval is computed from theirs.

    Zou and Donner 2008 (Statistics in Medicine 27, 1693, doi 10.1002/sim.3095).
    """
    value = math.fsum(part.value for part in parts) / len(parts)
    below = math.hypot(*(part.value - part.low for part in parts)) / len(parts)
    above = math.hypot(*(part.high - part.value for part in parts)) / len(parts)
    return Estimate(value, max(0.0, value - below), min(1.0, value + above))


def _kappa(oa: Estimate, chance: float) -> Estimate | None:
    """Kappa, its interval from that of the overall accuracy.

    Agreement by chance is taken as known, as in Cohen (1960, doi 10.1177/001316446002000104).
    """
    if chance >= 1:
        return None
    value, low, high = ((end - chance) / (1 - chance) for end in (oa.value, oa.low, oa.high))
    return Estimate(value, low, high)


# With a design: estimates of the whole map -------------------------------------------------------


@dataclass(frozen=True, eq=False)
class MappedLand:
    """The land that a map shows classes on.

    Attributes:
        shares: (K,) share of each class, 0 to 1.
        total_ha: Hectares of all classes; None if the area of a pixel is unknown.
        pixel_areas: Hectares of each pixel; None where all are the same, or unknown.
    """

    shares: Float64Array
    total_ha: float | None
    pixel_areas: PixelAreas | None


def mapped_land(opened: ReadMap, counts: Mapping[str, int], names: Sequence[str]) -> MappedLand:
    """Shares of area, which are shares of pixels where all pixels have the same area.

    Args:
        opened: The map.
        counts: Number of pixels of each class, by name.
        names: Name of each of the K classes of a sample.
    """
    pixel_areas = pixel_areas_ha(opened.grid)
    pixel_ha = None if pixel_areas is None else pixel_areas.of_each
    areas_ha = opened.class_areas_ha() if pixel_ha is None else None
    if areas_ha is None:
        total = sum(counts.values())
        shares = np.array([counts.get(name, 0) for name in names]) / total
        return MappedLand(shares, None if pixel_ha is None else pixel_ha * total, None)
    total_ha = math.fsum(areas_ha.values())
    shares = np.array([areas_ha.get(name, 0.0) for name in names]) / total_ha
    return MappedLand(shares, total_ha, pixel_areas)


def estimate_map(
    sample: Sample, found: AreaEstimates, land: MappedLand, design: Design
) -> Assessment:
    """Scores of the whole map.

    Args:
        sample: Reference pixels with their mapped and true classes, two pixels at least.
        found: Estimates of areas and accuracies with their standard errors.
        land: The land that the map shows.
        design: How the sample was drawn.
    """
    matrix = sample.matrix
    of_map, of_truth = matrix.sum(axis=1), matrix.sum(axis=0)
    agreed = np.diag(matrix)
    scores = tuple(
        ClassScore(
            name,
            reference=int(of_truth[i]),
            mapped=int(of_map[i]),
            user=_normal(found.user, i, of_map[i]),
            producer=_normal(found.producer, i, of_truth[i]),
            f1=_normal(found.f1, i, of_map[i] + of_truth[i] - agreed[i]),
            area=_area(found.share, land, i, _note(matrix, i) if found.alike[i] else ""),
        )
        for i, name in enumerate(sample.names)
    )
    oa = _normal(found.oa, 0, matrix.sum())
    assert oa is not None  # the sample has at least two pixels
    return Assessment(
        oa=oa,
        aa=_mean([score.producer for score in scores if score.producer is not None]),
        kappa=_kappa(oa, float((land.shares * found.share.value).sum())),
        scores=scores,
        design=design,
        method=f"of the whole map, by a {design} random sample (Olofsson et al. 2014, Stehman 2014)",
        **_facts(sample),
    )


def _note(matrix: IntArray, i: int) -> str:
    """Why the places of each stratum say the same of the area of a class."""
    agreed = int(matrix[i, i])
    places = int(matrix[i].sum() + matrix[:, i].sum()) - agreed
    if not places:
        return "no place of this class"
    if places > agreed:
        return "no difference among the places of a stratum"
    return f"no error found among {places} places"


def _area(share: Ratios, land: MappedLand, i: int, note: str) -> Area:
    mapped, estimated, error = (
        float(values[i]) for values in (land.shares, share.value, share.error)
    )

    def hectares(part: float) -> float | None:
        return None if land.total_ha is None else part * land.total_ha

    return Area(
        mapped, estimated, error, hectares(mapped), hectares(estimated), hectares(error), note
    )


def _normal(estimates: Ratios, i: int, pixels: npt.ArrayLike) -> Estimate | None:
    """An estimate with 1.96 standard errors; with Wilson's interval where the standard error is 0."""
    value, error = float(estimates.value[i]), float(estimates.error[i])
    if not math.isfinite(value):
        return None
    if error == 0:
        return Estimate(value, *wilson(value, float(np.asarray(pixels))))
    return Estimate(value, max(0.0, value - Z95 * error), min(1.0, value + Z95 * error))
