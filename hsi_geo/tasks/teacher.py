"""The teacher of diffusion-aligned fine-tuning: what the shots and the scene itself tell.

Cheap linear heads on several views of the pixels, each smoothed over more or less of its
surroundings, are weighted by how well they name shots that were held out: that is how it finds out
how much spatial context a scene bears. Their posterior then evolves by diffusion over graphs of
the scene's pixels, trusted as far as held-out shots say. It is transductive: it knows the pixels
it was made from and no others; what it knows is taught to a network (`daft`).

Letters for shapes: N pixels of all plots, n shots among them, K classes of the table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from scipy.ndimage import gaussian_filter
from scipy.optimize import brentq
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from hsi_geo.errors import SceneError
from hsi_geo.models.classifier import band_map
from hsi_geo.models.diffusion import evidence, spread, towards_shares, walk_over_nearest
from hsi_geo.models.s2former import S2Former
from hsi_geo.tasks.accuracy import Accuracy, score_shots
from hsi_geo.tasks.plots import Plots
from hsi_geo.tasks.sliding import SlidingWindow, each_window
from hsi_geo.tiling import Tiling

#: Standard deviations in pixels of the Gaussian filters that pixels are seen through.
CONTEXTS_PX = (0.0, 1.0, 2.0, 4.0)

#: Parts that shots are cut into for cross-validation, at most.
FOLDS = 5

#: Steps of the diffusion at which the student looks.
STOPS = (10, 40, 150)

#: Powers of the graphs' evidence among which held-out shots choose, beside none.
POWERS = (0.5, 1.0)

#: How sharply the held-out likelihood of all shots decides between heads, and between graphs.
HEADS_SHARPNESS, GRAPHS_SHARPNESS = 0.25, 0.5

#: Least probability that a head is held to have given: one shot must not decide alone.
LEAST = 1e-3

#: Principal components that are looked at.
COMPONENTS = 120

#: Context in which pixels are compared with shots to find what is unlike any, in pixels; the
#: distance at which a pixel is half like a shot, in units of what lies between shots; and how
#: steeply it falls there.
FAMILIAR_PX, FAR, FALL = 2.0, 4.0, 8

#: Standard errors by which a posterior is less sure than held-out shots show.
MODESTY = 0.5

#: Logarithms of the powers that a posterior may be taken to.
SHARPNESS_RANGE = (-3.0, 1.0)

#: What the numbers of a whitened pixel, and of its features, add up to in squares.
SIZE = 60.0

METHOD = (
    "cross-validation: heads and graphs are fitted anew without a fifth of each class's features "
    "(points, polygons), which are then named, and count by the share of the scene that their "
    "class was mapped to; no network has seen a label"
)

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Teacher:
    """What is taught.

    Attributes:
        steps: (N, K + 1) posteriors, from the heads' own to the most evolved one; the last column
            is the probability of something unlike any shot.
        accuracy: Estimated from held-out shots.
        context_px: Mean standard deviation of the filters, as weighted: what the scene bears.
        trust: Weight of all graphs together.
    """

    steps: tuple[FloatArray, ...]
    accuracy: Accuracy
    context_px: float
    trust: float


@dataclass(frozen=True, eq=False)
class _View:
    """One way to look at the pixels, with a head's strength that goes with it."""

    table: FloatArray  # (N, D)
    strength: float  # inverse of the regularisation
    context_px: float


@dataclass(frozen=True, eq=False)
class _Shots:
    """The shots among the pixels, in the classes that have any."""

    rows: IntArray  # (n,) of the pixels' tables
    labels: IntArray  # (n,) 0..K' - 1
    folds: IntArray  # (n,) -1: never held out
    groups: IntArray  # (n,) drawn features
    present: IntArray  # (K',) class indices
    honest: bool  # whether no feature lies in two folds

    @property
    def held(self) -> IntArray:
        """(n',) which shots are held out at some time."""
        return np.flatnonzero(self.folds >= 0)


@dataclass(frozen=True, eq=False)
class _Voice:
    """A posterior of all pixels, and one of the shots from fits that did not know them."""

    everywhere: FloatArray  # (N, K')
    held_out: FloatArray  # (n, K'); rows of shots that are never held out mean nothing

    def times(self, other: _Voice, power: float) -> _Voice:
        """Product of experts."""
        return _Voice(
            _normal(self.everywhere * other.everywhere**power),
            _normal(self.held_out * other.held_out**power),
        )

    def likelihood(self, shots: _Shots) -> float:
        """Logarithmic, of all held-out shots."""
        given = self.held_out[shots.held, shots.labels[shots.held]]
        return float(np.log(np.maximum(given, LEAST)).sum())


def learn_teacher(plots: Plots, encoder: S2Former | None, device: torch.device) -> Teacher:
    """Make the teacher of some plots.

    Args:
        plots: Pixels and shots.
        encoder: Pre-trained, stays frozen; None does without its features.
        device: Where the encoder runs.

    Returns:
        The teacher.
    """
    shots = _shots_of(plots)
    views = list(_views(plots, encoder, device))
    with threadpool_limits(1, user_api="blas"):  # threads wait longer for each other than they work
        voices = [_listen(view, shots) for view in views]
    heads, weights = _mix(voices, shots, HEADS_SHARPNESS)
    context = float(sum(w * view.context_px for w, view in zip(weights, views, strict=True)))
    reached = [list(_graph_voices(table, shots)) for table in _compared(views, plots.places_px)]
    steps, trust = [heads], 0.0
    evolved = heads
    for at in range(len(STOPS)):
        evolved, trust = _evolve(heads, [graph[at] for graph in reached], shots)
        steps.append(evolved)
    familiar, held_familiar = _familiarity(views[CONTEXTS_PX.index(FAMILIAR_PX)].table, shots)
    posteriors = [towards_shares(step.everywhere) for step in steps]
    sharpness = [_modest_sharpness(step, held_familiar, shots) for step in steps]
    shares = posteriors[-1].mean(axis=0)
    return Teacher(
        tuple(
            _in_all_classes(_normal(posterior**power), familiar, shots, len(plots.classes))
            for posterior, power in zip(posteriors, sharpness, strict=True)
        ),
        _score(evolved, shots, shares),
        context,
        trust,
    )


def _evolve(heads: _Voice, graphs: list[_Voice], shots: _Shots) -> tuple[_Voice, float]:
    """The heads' posterior times what graphs tell, and how far graphs were trusted."""
    candidates = [heads]
    candidates += [heads.times(graph, power) for graph in graphs for power in POWERS]
    evolved, weights = _mix(candidates, shots, GRAPHS_SHARPNESS)
    return evolved, float(weights[1:].sum())


# What is looked at ----------------------------------------------------------------------------


def _views(plots: Plots, encoder: S2Former | None, device: torch.device) -> Iterator[_View]:
    """Whitened spectra with the network's features in several contexts; other spectra."""
    valid = [plot.valid for plot in plots.plots]
    inside = [plot.inside for plot in plots.plots]
    cubes = _principal([_whitened(plots, plot.image) for plot in plots.plots], inside)
    learnt = None if encoder is None else _standard_features(plots, encoder, device)
    for context in CONTEXTS_PX:
        parts = [_sized(_table(cubes, valid, inside, context))]
        if learnt is not None:
            parts.append(_sized(_table(learnt, valid, inside, context)))
        yield _View(np.concatenate(parts, axis=1), 1.0, context)
    spectra = np.concatenate([p.image[:, p.inside].T for p in plots.plots]).astype(np.float64)
    evened = _of_equal_variance([plot.image for plot in plots.plots], spectra)
    for context in CONTEXTS_PX[1:]:  # weak directions are noise unless they are smoothed
        yield _View(_sized(_table(evened, valid, inside, context)), 1.0, context)
    yield _View(_standard(spectra), 10.0, 0.0)
    lengths = np.maximum(np.linalg.norm(spectra, axis=1, keepdims=True), 1e-9)
    yield _View(_standard(spectra / lengths), 10.0, 0.0)


def _whitened(plots: Plots, image: FloatArray) -> FloatArray:
    whitening = plots.spectral.whitening
    off = image - whitening.centre[:, None, None]
    turned = np.einsum("tc,chw->thw", whitening.matrix, off, optimize=True)
    return np.asarray(turned, np.float32)


def _principal(cubes: list[FloatArray], inside: list[npt.NDArray[np.bool_]]) -> list[FloatArray]:
    """Turn bands to the few directions that whitening left, so that tables are narrow."""
    pixels = np.concatenate([c[:, i] for c, i in zip(cubes, inside, strict=True)], axis=1)
    values, vectors = np.linalg.eigh(np.cov(pixels.astype(np.float64)).reshape((len(pixels),) * 2))
    kept = vectors[:, values > 1e-6 * max(values[-1], 1e-30)].astype(np.float32)
    if not kept.shape[1]:
        raise SceneError(
            "the scene's pixels are all the same around the shots",
            hint="look at it with hsi-geo info",
        )
    return [np.einsum("tc,thw->chw", kept, cube, optimize=True) for cube in cubes]


def _of_equal_variance(
    images: list[FloatArray], spectra: npt.NDArray[np.float64]
) -> list[FloatArray]:
    """Principal components of standardised bands, all made equally strong."""
    centre, deviation = spectra.mean(axis=0), spectra.std(axis=0)
    scale = np.divide(1.0, deviation, out=np.zeros_like(deviation), where=deviation > 0)
    covariance = np.cov(spectra, rowvar=False).reshape((len(centre),) * 2) * np.outer(scale, scale)
    values, vectors = np.linalg.eigh(covariance)
    strongest = [i for i in np.argsort(values)[::-1][:COMPONENTS] if values[i] > 1e-9 * values[-1]]
    turn = (vectors[:, strongest] / np.sqrt(values[strongest])).T * scale
    return [
        np.einsum("kc,chw->khw", turn, image - centre[:, None, None], optimize=True).astype(
            np.float32
        )
        for image in images
    ]


def encode_plots(plots: Plots, encoder: S2Former, device: torch.device) -> list[FloatArray]:
    """(D, h, w) features of each plot's reach, blended over windows that overlap by half."""
    spectral, size = plots.spectral, encoder.config.window_px
    bands = band_map(encoder.config, spectral, spectral.centres_nm).to(device)
    on_device = encoder.to(device)

    def network(image: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = on_device(image.to(device), valid.to(device), bands)
        return features.cpu()

    tiling = Tiling(size, max(1, size // 2))
    return [
        SlidingWindow(
            plots.views[plot.scene], tiling, each_window(network, tiling), encoder.config.width
        ).block(plot.reach)[0]
        for plot in plots.plots
    ]


def centre_and_scale(plots: Plots, features: list[FloatArray]) -> tuple[FloatArray, FloatArray]:
    """(D,) mean and standard deviation of features over all pixels of the plots."""
    pairs = zip(features, plots.plots, strict=True)
    pixels = np.concatenate([found[:, plot.inside] for found, plot in pairs], axis=1)
    scale = np.maximum(pixels.std(axis=1), 1e-6)
    return np.asarray(pixels.mean(axis=1), np.float32), np.asarray(scale, np.float32)


def _standard_features(plots: Plots, encoder: S2Former, device: torch.device) -> list[FloatArray]:
    features = encode_plots(plots, encoder, device)
    centre, scale = centre_and_scale(plots, features)
    return [(found - centre[:, None, None]) / scale[:, None, None] for found in features]


def _table(
    cubes: list[FloatArray],
    valid: list[npt.NDArray[np.bool_]],
    inside: list[npt.NDArray[np.bool_]],
    context_px: float,
) -> FloatArray:
    """(N, D) of cubes seen through a Gaussian filter; pixels without data have no weight."""
    parts = []
    for cube, has_data, wanted in zip(cubes, valid, inside, strict=True):
        smooth = cube
        if context_px > 0:
            sigma = (0.0, context_px, context_px)
            weight = gaussian_filter(has_data.astype(np.float32), context_px)
            smooth = gaussian_filter(cube * has_data, sigma) / np.maximum(weight, 1e-6)
        parts.append(smooth[:, wanted].T)
    return np.concatenate(parts)


def _sized(table: FloatArray) -> FloatArray:
    """Scaled as a whole, so that squares of a row add up to `SIZE` in the mean."""
    square = float((table.astype(np.float64) ** 2).sum(axis=1).mean())
    return np.asarray(table * np.float32(np.sqrt(SIZE / max(square, 1e-30))))


def _standard(spectra: npt.NDArray[np.float64]) -> FloatArray:
    spread_ = spectra.std(axis=0)
    return ((spectra - spectra.mean(axis=0)) / np.where(spread_ > 0, spread_, 1.0)).astype(
        np.float32
    )


def _compared(views: list[_View], places_px: npt.NDArray[np.float64]) -> Iterator[FloatArray]:
    """The tables whose nearest rows are joined: features with some and more place, spectra."""
    by_context = {view.context_px: view for view in reversed(views)}
    for table, place in (
        (views[0].table, 0.05),
        (by_context[1.0].table, 0.02),
        (views[-1].table, 0.0),
    ):
        unit = table / np.sqrt(max((table.astype(np.float64) ** 2).sum(axis=1).mean(), 1e-30))
        parts = [unit, place * places_px] if place else [unit]
        yield np.concatenate(parts, axis=1).astype(np.float32)


# What is heard --------------------------------------------------------------------------------


def _shots_of(plots: Plots) -> _Shots:
    labels, features = plots.labels, plots.features
    rows = np.flatnonzero(labels >= 0)
    present, own = np.unique(labels[rows], return_inverse=True)
    groups = features[rows]
    folds = _by_feature(own, groups)
    honest = bool((folds >= 0).any())
    if not honest:  # every class was drawn in one piece
        folds = _by_order(own)
    return _Shots(rows, own, folds, groups, present, honest)


def _by_feature(labels: IntArray, groups: IntArray) -> IntArray:
    """(n,) fold of each shot, whole features together; -1 for a class drawn in one piece."""
    folds = np.full(len(labels), -1)
    generator = np.random.default_rng(0)
    for c in np.unique(labels):
        own = generator.permutation(np.unique(groups[labels == c]))
        if len(own) >= 2:
            for turn, feature in enumerate(own):
                folds[(labels == c) & (groups == feature)] = turn % min(FOLDS, len(own))
    return folds


def _by_order(labels: IntArray) -> IntArray:
    """(n,) fold of each shot: stretches of consecutive pixels; -1 for a class of one pixel."""
    folds = np.full(len(labels), -1)
    for c in np.unique(labels):
        own = np.flatnonzero(labels == c)
        if len(own) >= 2:
            folds[own] = np.arange(len(own)) * min(FOLDS, len(own)) // len(own)
    return folds


def _listen(view: _View, shots: _Shots) -> _Voice:
    """Fit a head on all shots, and one without each fold."""

    def fit(chosen: npt.NDArray[np.bool_]) -> Callable[[FloatArray], FloatArray]:
        labels = shots.labels[chosen]
        posterior = np.zeros(len(shots.present), np.float32)
        if len(np.unique(labels)) < 2:
            posterior[labels[0]] = 1.0
            return lambda table: np.tile(posterior, (len(table), 1))
        head = LogisticRegression(C=view.strength, max_iter=5000, tol=1e-3)
        head.fit(view.table[shots.rows[chosen]].astype(np.float64), labels)

        def name(table: FloatArray) -> FloatArray:
            named = np.zeros((len(table), len(shots.present)), np.float32)
            named[:, head.classes_] = head.predict_proba(table)
            return named

        return name

    held_out = np.zeros((len(shots.rows), len(shots.present)), np.float32)
    for fold in np.unique(shots.folds[shots.held]):
        test = shots.folds == fold
        held_out[test] = fit(~test)(view.table[shots.rows[test]])
    return _Voice(fit(np.ones(len(shots.rows), bool))(view.table), held_out)


def _graph_voices(table: FloatArray, shots: _Shots) -> Iterator[_Voice]:
    """What walks over a graph tell, after each of `STOPS`."""
    walk = walk_over_nearest(table)
    classes = len(shots.present)
    folds = np.unique(shots.folds)
    # A walk for each class and fold: what all but one fold tell is a sum of columns.
    starts = np.zeros((len(table), len(folds), classes), np.float32)
    starts[shots.rows, np.searchsorted(folds, shots.folds), shots.labels] = 1.0
    for flat in spread(walk, starts.reshape(len(table), -1), STOPS):
        reached = flat.reshape(starts.shape)
        everything = reached.sum(axis=1)
        held_out = np.zeros((len(shots.rows), classes), np.float32)
        for number, fold in enumerate(folds):
            if fold >= 0:
                test = shots.folds == fold
                held_out[test] = evidence(everything - reached[:, number])[shots.rows[test]]
        yield _Voice(evidence(everything), held_out)


def _mix(
    voices: list[_Voice], shots: _Shots, sharpness: float
) -> tuple[_Voice, npt.NDArray[np.float64]]:
    """Posteriors weighted by the likelihood of held-out shots, and the weights.

    What is said of a held-out shot is weighted without looking at its own fold: a choice that had
    seen it would flatter itself.
    """
    truth = shots.labels[:, None]
    given = [np.take_along_axis(voice.held_out, truth, axis=1)[:, 0] for voice in voices]
    likelihoods = np.log(np.maximum(np.stack(given), LEAST))  # (voices, n)
    weights = _softmax(sharpness * likelihoods[:, shots.held].sum(axis=1))
    held_out = np.zeros_like(voices[0].held_out)
    for fold in np.unique(shots.folds[shots.held]):
        own, others = shots.folds == fold, (shots.folds >= 0) & (shots.folds != fold)
        honest = _softmax(sharpness * likelihoods[:, others].sum(axis=1))
        held_out[own] = _sum(honest, [voice.held_out[own] for voice in voices])
    return _Voice(_sum(weights, [voice.everywhere for voice in voices]), held_out), weights


def _softmax(logarithms: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    weights = np.exp(logarithms - logarithms.max())
    return np.asarray(weights / weights.sum())


def _sum(weights: npt.NDArray[np.float64], arrays: list[FloatArray]) -> FloatArray:
    pairs = zip(weights.astype(np.float32), arrays, strict=True)
    return np.asarray(sum(weight * array for weight, array in pairs), np.float32)


def _familiarity(table: FloatArray, shots: _Shots) -> tuple[FloatArray, FloatArray]:
    """(N,) how like a shot each pixel is, and (n,) how like one of another fold each shot is.

    It falls with the distance to the nearest shot, in units of the median distance of a shot to
    the nearest one of another fold, and is a half at `FAR` of them.
    """
    at_shots = table[shots.rows]
    between = _distances(at_shots, at_shots)
    between[shots.folds[:, None] == shots.folds[None, :]] = np.inf
    held = between.min(axis=1)
    known = np.isfinite(held)
    unit = FAR * float(np.median(held[known])) if known.any() else 0.0
    if unit == 0.0:  # nothing tells how far shots lie apart
        return np.ones(len(table), np.float32), np.ones(len(held), np.float32)
    nearest = np.concatenate(
        [_distances(part, at_shots).min(axis=1) for part in np.array_split(table, 16)]
    )
    return _falling(nearest / unit), _falling(np.where(known, held, 0.0) / unit)


def _falling(distance: npt.NDArray[np.floating]) -> FloatArray:
    return np.asarray(1.0 / (1.0 + distance**FALL), np.float32)


def _distances(rows: FloatArray, others: FloatArray) -> FloatArray:
    """(N, M) Euclidean."""
    squares = (rows**2).sum(axis=1)[:, None] + (others**2).sum(axis=1)[None, :]
    return np.asarray(np.sqrt(np.maximum(squares - 2.0 * rows @ others.T, 0.0)), np.float32)


def _modest_sharpness(voice: _Voice, familiar: FloatArray, shots: _Shots) -> float:
    """The power of the posterior that makes it as sure as held-out shots allow.

    Mean confidence is brought to the share of held-out shots that are named right, less half its
    standard error: of few shots little is known, and a map had better be too modest than too sure.
    """
    held = shots.held
    if not len(held):
        return 1.0
    posterior = np.maximum(voice.held_out[held], LEAST)
    features = len(np.unique(shots.groups[held]))
    right = float((posterior.argmax(axis=1) == shots.labels[held]).mean())
    # A quarter of a shot's variance at least: all right is no proof of no error.
    error = np.sqrt(max(right * (1.0 - right), 0.25 / features) / features)

    def too_sure(logarithm: float) -> float:
        sure = _normal(posterior ** np.float32(np.exp(logarithm))).max(axis=1)
        return float((sure * familiar[held]).mean() - (right - MODESTY * error))

    low, high = SHARPNESS_RANGE
    if too_sure(low) >= 0 or too_sure(high) <= 0:
        return float(np.exp(low if too_sure(low) >= 0 else high))
    return float(np.exp(brentq(too_sure, low, high, xtol=1e-3)))


def _score(voice: _Voice, shots: _Shots, shares: npt.NDArray[np.floating]) -> Accuracy:
    """Accuracy of held-out shots, each standing for its class's share of the scene."""
    if not shots.honest:
        return Accuracy.unknown("no class has two features, of which one could be held out")
    held = shots.held
    labels, named = shots.labels[held], voice.held_out[held].argmax(axis=1)
    counts = np.bincount(labels, minlength=len(shares))
    weights = shares[labels] / counts[labels]
    return score_shots(labels, named, shots.groups[held], METHOD, weights)


def _in_all_classes(
    posterior: FloatArray, familiar: FloatArray, shots: _Shots, classes: int
) -> FloatArray:
    """(N, K + 1): a class without a shot has no probability; the shots themselves are known."""
    known = posterior * familiar[:, None]
    known[shots.rows] = 0.0
    known[shots.rows, shots.labels] = 1.0
    every = np.zeros((len(posterior), classes + 1), np.float32)
    every[:, shots.present] = known
    every[:, -1] = 1.0 - known.sum(axis=1)
    return np.maximum(every, 0.0)


def _normal(posterior: FloatArray) -> FloatArray:
    total = np.maximum(posterior.sum(axis=1, keepdims=True), 1e-30)
    return np.asarray(posterior / total, np.float32)
