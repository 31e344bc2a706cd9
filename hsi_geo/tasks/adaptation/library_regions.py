"""Spectra of a library among the training regions: each is a region of one pixel, without surroundings.

A spectrum has no place in the scene. For the features of its surroundings it is surrounded by itself. For the graphs
of pixels it lies at the pixel of the scene that it is most like.

Letters for shapes: N pixels of the scene, S spectra, C bands.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from hsi_geo.arrays import Float32Array, Float64Array, IntArray
from hsi_geo.errors import ShotsError
from hsi_geo.io.labels.shots import Shots
from hsi_geo.io.labels.spectral_library import SpectralLibrary
from hsi_geo.io.scenes.scene import scene_from_array
from hsi_geo.progress import Reporter
from hsi_geo.tasks.adaptation.training_regions import TrainingRegion, TrainingRegions
from hsi_geo.tasks.inference.spectral_resampling import reflectance_unit, resample
from hsi_geo.tiling import Window

#: Why the accuracy of a map is unknown if only a library taught it.
LIBRARY_REASON = (
    "spectra of a library are no pixels of the scene, and too few shots were drawn in it to hold some out; assess the "
    "map with reference labels"
)

#: Most spectra that are used, spread evenly over the classes.
MAX_SPECTRA = 200

#: Side of the patch that shows a spectrum to the encoder: a window on each side of its pixel.
PATCH_PX = 33

#: Least share of the scene's bands that a spectrum covers.
MIN_COVERED = 0.7

#: Most pixels of the scene that spectra are compared with.
COMPARED_PX = 20_000

#: An offset counts if it exceeds this multiple of the scene's noise and of its own standard error, and this share of
#: the scene's mean.
NOISE_TIMES, MEAN_SHARE = 3.0, 0.05

#: Share of the bands with such an offset from which on the user is warned.
WARN_SHARE = 0.1


def with_library(regions: TrainingRegions, shots: Shots, reporter: Reporter) -> TrainingRegions:
    """Add the spectra of the library of shots to training regions.

    Args:
        regions: Regions of the scenes, with the drawn shots.
        shots: Shots whose library is added.
        reporter: Receives a message on the spectra, and a warning if they differ from the scene.

    Returns:
        The regions with one more for each spectrum; the same if there is no library.

    Raises:
        ShotsError: If no spectrum covers the bands of the scene, or fewer than two classes are left.
    """
    if shots.library is None:
        return regions
    compared = _Scene.of(regions)
    found = _at_bands(shots.library, regions, compared, reporter)
    kept = _evenly(found.class_ids, MAX_SPECTRA)
    if len(kept) < len(found.class_ids):
        reporter.log(f"{len(kept)} of {len(found.class_ids)} spectra of the library are used")
    found = found.take(kept)
    _compare(found, compared, regions, reporter)
    added = [
        _region(index, len(regions.views), found, len(shots.frame))
        for index in range(len(found.class_ids))
    ]
    counts = dict(regions.counts)
    for class_id in found.class_ids:
        counts[shots.classes[class_id - 1].name] += 1
    if sum(count > 0 for count in counts.values()) < 2:
        raise ShotsError(
            f"only one class of '{shots.source}' has spectra that fit the scene",
            hint="give spectra or draw shots of at least two classes",
        )
    return dataclasses.replace(
        regions,
        regions=(*regions.regions, *added),
        views=(*regions.views, _view(found.spectra, regions)),
        counts=counts,
        library_px=len(added),
        library_weight=shots.library_weight,
    )


def library_entry(
    regions: TrainingRegions, shots: Shots, reporter: Reporter
) -> dict[str, dict[str, Any]]:
    """The entry ``library`` of a model's record: spectra, weight, and how well they are told apart.

    Args:
        regions: Regions with the spectra, see `with_library`.
        shots: The shots.
        reporter: Receives a message on how well the spectra are told apart.

    Returns:
        An empty dictionary without a library.
    """
    if shots.library is None:
        return {}
    share = _told_apart(regions)
    if share is not None:
        reporter.log(
            f"{100 * share:.0f} % of the library's spectra are given their class by a classifier of the others. They "
            "are no pixels of the scene, so this is no accuracy of the map"
        )
    return {
        "library": {
            "files": shots.library.source,
            "spectra": regions.library_px,
            "weight": shots.library_weight,
            "held_out_spectra_right": None if share is None else round(share, 4),
        }
    }


def _told_apart(regions: TrainingRegions) -> float | None:
    """Share of the spectra that a linear classifier of the others gives their class; None if classes are too small."""
    # scikit-learn takes long to import, and most adaptations have no library.
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    here = ~regions.in_scene
    spectra, labels = regions.spectra[:, here].T.astype(np.float64), regions.labels[here]
    classes, counts = np.unique(labels, return_counts=True)
    usable = np.isin(labels, classes[counts >= 2])
    if len(np.unique(labels[usable])) < 2:
        return None
    folds = StratifiedKFold(min(5, int(counts[counts >= 2].min())))
    lengths = np.maximum(np.linalg.norm(spectra, axis=1, keepdims=True), 1e-12)
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=5000, tol=1e-3))
    predicted = cross_val_predict(model, (spectra / lengths)[usable], labels[usable], cv=folds)
    return float((predicted == labels[usable]).mean())


@dataclass(frozen=True, eq=False)
class _Scene:
    """A sample of the scene's pixels.

    Attributes:
        spectra: (C, n) physical values.
        positions_px: (n, 2) row and column on the CRS's pixel grid.
        noise: (C,) standard deviation of the noise, from differences of neighbouring pixels.
    """

    spectra: Float64Array
    positions_px: IntArray
    noise: Float64Array

    @classmethod
    def of(cls, regions: TrainingRegions) -> _Scene:
        """Sample the pixels of regions evenly."""
        spectra = regions.spectra
        step = max(1, spectra.shape[1] // COMPARED_PX)
        places = [np.argwhere(r.inside) + np.array(r.origin_px) for r in regions.regions]
        steps = []
        for region in regions.regions:
            both = region.inside[:, 1:] & region.inside[:, :-1]
            steps.append(np.abs(region.image[:, :, 1:] - region.image[:, :, :-1])[:, both])
        differences = np.concatenate(steps, axis=1)
        noise = np.zeros(len(spectra))
        if differences.shape[1]:
            # Most neighbours show the same ground, so that their smaller differences are noise.
            noise = np.quantile(differences, 0.25, axis=1) / 0.3186 / np.sqrt(2)
        return cls(spectra[:, ::step].astype(np.float64), np.concatenate(places)[::step], noise)


@dataclass(frozen=True, eq=False)
class _Resampled:
    """Spectra at the bands of the scene.

    Attributes:
        spectra: (S, C) physical values in the scale of the scene.
        class_ids: (S,) classes, 1..K.
        nearest: (S,) index of the most similar pixel in the sample of the scene.
        covered: (S, C) whether the spectrum has the band itself.
    """

    spectra: Float64Array
    class_ids: IntArray
    nearest: IntArray
    covered: np.ndarray[tuple[int, int], np.dtype[np.bool_]]
    positions_px: IntArray

    def take(self, rows: IntArray) -> _Resampled:
        """Select some spectra."""
        return _Resampled(*(getattr(self, f.name)[rows] for f in dataclasses.fields(self)))


def _at_bands(
    library: SpectralLibrary, regions: TrainingRegions, scene: _Scene, reporter: Reporter
) -> _Resampled:
    """Resample and scale the spectra; bands that one lacks are those of the pixel that it is most like."""
    centres, widths = regions.spectral.centres_nm, regions.spectral.fwhm_nm
    table = np.stack([resample(one, centres, widths) for one in library.spectra])
    covered = np.isfinite(table)
    fits = covered.mean(axis=1) >= MIN_COVERED
    if not fits.any():
        low = min(one.centres_nm[0] for one in library.spectra)
        high = max(one.centres_nm[-1] for one in library.spectra)
        raise ShotsError(
            f"spectral library '{library.source}' covers {low:.0f} to {high:.0f} nm, and of no spectrum "
            f"{100 * MIN_COVERED:.0f} % of the scene's bands between {centres[0]:.0f} and {centres[-1]:.0f} nm",
            hint="give spectra that cover the scene's bands",
        )
    if not fits.all():
        reporter.warning(
            f"{int((~fits).sum())} of {len(fits)} spectra of the library do not cover the scene's bands and are "
            "left out"
        )
    table, covered = table[fits], covered[fits]
    class_ids = np.array(library.class_ids)[fits]
    factor = reflectance_unit(scene.spectra) / reflectance_unit(table)
    if factor != 1.0:
        reporter.log(
            f"the values of the library are multiplied by {factor:g}, the scale of the scene"
        )
    table = table * factor
    nearest = np.array([_nearest(row, has, scene) for row, has in zip(table, covered, strict=True)])
    for row, has, at in zip(table, covered, nearest, strict=True):
        pixel = scene.spectra[:, at]
        row[~has] = pixel[~has] * _ratio(row[has], pixel[has])
    return _Resampled(table, class_ids, nearest, covered, scene.positions_px[nearest])


def _nearest(
    spectrum: Float64Array, has: np.ndarray[tuple[int], np.dtype[np.bool_]], scene: _Scene
) -> int:
    """The pixel with the smallest spectral angle, in the bands that the spectrum has."""
    pixels = scene.spectra[has]
    lengths = np.maximum(np.linalg.norm(pixels, axis=0), 1e-12)
    return int(np.argmax(spectrum[has] @ pixels / lengths))


def _ratio(values: Float64Array, others: Float64Array) -> float:
    """Factor that brings a spectrum to the brightness of another."""
    return float(np.linalg.norm(values) / max(float(np.linalg.norm(others)), 1e-12))


def _compare(
    found: _Resampled, scene: _Scene, regions: TrainingRegions, reporter: Reporter
) -> None:
    """Warn if the spectra differ from the most similar pixels in the same way, beyond the noise."""
    differences = np.full(found.spectra.shape, np.nan)
    for row, (spectrum, at) in enumerate(zip(found.spectra, found.nearest, strict=True)):
        pixel = scene.spectra[:, at]
        differences[row] = spectrum - pixel * _ratio(spectrum, pixel)
    differences[~found.covered] = np.nan
    known = found.covered.sum(axis=0) >= 3
    if not known.any():
        return
    part = differences[:, known]
    middle = np.nanmedian(part, axis=0)
    spread = 1.4826 * np.nanmedian(np.abs(part - middle), axis=0)
    error = 1.25 * spread / np.sqrt(found.covered.sum(axis=0)[known])
    mean = np.abs(scene.spectra.mean(axis=1))[known]
    offset = np.abs(middle) > np.maximum(
        NOISE_TIMES * (scene.noise[known] + error), MEAN_SHARE * mean
    )
    if offset.mean() <= WARN_SHARE:
        return
    centres = regions.spectral.centres_nm[known]
    worst = int(np.argmax(np.abs(middle) / np.maximum(mean, 1e-12) * offset))
    reporter.warning(
        f"the library and the scene disagree in {100 * offset.mean():.0f} % of the bands, most at "
        f"{centres[worst]:.0f} nm: there the spectra are {'above' if middle[worst] > 0 else 'below'} the most similar "
        f"pixels by {100 * abs(middle[worst]) / max(mean[worst], 1e-12):.0f} % of the scene's mean, which is more than "
        "its noise. Look at units, atmospheric correction and illumination"
    )


def _evenly(class_ids: IntArray, most: int) -> IntArray:
    """Indices of at most some spectra, as many of each class as there are, spread over the file."""
    if len(class_ids) <= most:
        return np.arange(len(class_ids))
    members = [np.flatnonzero(class_ids == c) for c in np.unique(class_ids)]
    share, left = 0, most
    for number, size in enumerate(sorted(map(len, members))):
        share = left // (len(members) - number)
        left -= min(size, share)
    kept = [
        own[
            np.unique(
                np.linspace(0, len(own) - 1, min(len(own), max(1, share))).round().astype(int)
            )
        ]
        for own in members
    ]
    return np.sort(np.concatenate(kept))


def _region(index: int, scene: int, found: _Resampled, first_feature: int) -> TrainingRegion:
    """The region of one pixel of a spectrum."""
    window = Window(index * PATCH_PX + PATCH_PX // 2, PATCH_PX // 2, 1, 1)
    row, col = found.positions_px[index]
    one = np.ones((1, 1), bool)
    return TrainingRegion(
        scene=scene,
        window=window,
        padded_window=window,
        origin_px=(int(row), int(col)),
        image=found.spectra[index].astype(np.float32)[:, None, None],
        valid=one,
        inside=one,
        labels=np.full((1, 1), found.class_ids[index] - 1, np.int64),
        features=np.full((1, 1), first_feature + index, np.int64),
    )


def _view(spectra: Float64Array, regions: TrainingRegions) -> xr.DataArray:
    """A scene of patches below each other, each of one spectrum."""
    patches: Float32Array = np.repeat(spectra.T.astype(np.float32), PATCH_PX, axis=1)
    values = np.repeat(patches[:, :, None], PATCH_PX, axis=2)
    return scene_from_array(
        values, regions.spectral.centres_nm, fwhm_nm=regions.spectral.fwhm_nm, name="library"
    )
