"""Voices: what a head, or walks over a graph, say of every pixel, and of shots held out from them.

The teacher listens to many of them (`teacher`) and trusts each as far as held-out shots say.

Letters for shapes: N pixels of all plots, n shots among them, K' classes that have any.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from scipy.sparse import csr_array
from scipy.special import log_softmax, softmax
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression

from hsi_geo.models.diffusion import evidence, spread
from hsi_geo.tasks.folds import HeldShots
from hsi_geo.tasks.views import Sight, View

#: Least probability that a voice is held to have given: one shot must not decide alone.
LEAST = 1e-3

#: Logarithms of the factors that a head's scores may be taken by.
SCALE_RANGE = (-7.0, 1.0)

#: Standard deviation, beforehand, of the logarithm of the factor on logistic regression's scores:
#: it is about as sure as it should be when shots are few, far too sure of many polygons' pixels.
OWN_SURENESS = 0.25

#: Pixels of shots a class, in the mean, from which and up to which discriminants are heard: of fewer
#: the spread within classes is not known, of more logistic regression knows as much without them.
ENOUGH, FEW = 2, 10

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Voice:
    """A posterior of all pixels, and one of the shots from fits that did not know them.

    Attributes:
        everywhere: (N, K').
        held_out: (n, K'); rows of shots that are never held out mean nothing.
    """

    everywhere: FloatArray
    held_out: FloatArray

    def at(self, rows: IntArray) -> Voice:
        """What is said of some pixels only."""
        return Voice(self.everywhere[rows], self.held_out)

    def times(self, other: Voice, power: float) -> Voice:
        """Product of experts."""
        return Voice(
            normal(self.everywhere * other.everywhere**power),
            normal(self.held_out * other.held_out**power),
        )


def head_voices(view: View, shots: HeldShots) -> list[Voice]:
    """Fit heads to a view: on all shots, and without each fold.

    Logistic regression always. Where shots are few and pixels are seen with their surroundings a
    discriminant, too: with a pixel's own noise averaged away, how fields of one class differ can be
    learnt from the shots of all classes together.

    Args:
        view: With N pixels.
        shots: No fold of them has all shots of a class.

    Returns:
        One or two.
    """
    voices = [_logistic(view, shots)]
    if view.sight is not Sight.ALONE and _discriminants_help(shots):
        voices.append(_discriminant(view, shots))
    return voices


def graph_voices(
    walk: csr_array, ways: Sequence[HeldShots], stops: Sequence[int]
) -> Iterator[list[Voice]]:
    """What walks over a graph tell, after each of some numbers of steps.

    Args:
        walk: (N, N) one step, see `walk_over_nearest`.
        ways: The same shots, held out in other folds.
        stops: Increasing numbers of steps.

    Yields:
        A voice for each of the ways.
    """
    # One walk for all shots of a class that no way tells apart: whatever a fold leaves is a sum.
    kinds = np.stack([ways[0].labels, *(shots.folds for shots in ways)])
    walks, walk_of = np.unique(kinds, axis=1, return_inverse=True)
    if walks.shape[1] > sum(len(set(zip(w.labels, w.folds, strict=True))) for w in ways):
        # So many shots that each way by itself needs fewer.
        apart = (graph_voices(walk, [way], stops) for way in ways)
        yield from ([voice for (voice,) in found] for found in zip(*apart, strict=True))
        return
    starts = np.zeros((walk.shape[0], walks.shape[1]), np.float32)
    starts[ways[0].rows, walk_of] = 1.0
    for reached in spread(walk, starts, stops):
        yield [
            _told(reached, walks[0], walked, shots)
            for walked, shots in zip(walks[1:], ways, strict=True)
        ]


def _told(reached: FloatArray, classes: IntArray, folds: IntArray, shots: HeldShots) -> Voice:
    """What (N, W) walks of W classes and folds tell."""
    to_class = np.eye(len(shots.present), dtype=np.float32)[classes]
    held_out = np.zeros((len(shots.rows), len(shots.present)), np.float32)
    for fold in np.unique(shots.folds[shots.held]):
        test, left = shots.folds == fold, folds != fold
        held_out[test] = evidence(reached[:, left] @ to_class[left])[shots.rows[test]]
    return Voice(evidence(reached @ to_class), held_out)


def mix(
    voices: list[Voice],
    shots: HeldShots,
    sharpness: float,
    beforehand: npt.NDArray[np.float64],
) -> tuple[Voice, npt.NDArray[np.float64]]:
    """Voices weighted by what they weigh beforehand and the likelihood of held-out shots.

    What is said of a held-out shot is weighted without looking at its own fold: a choice that had
    seen it would flatter itself.

    Args:
        voices: Some.
        shots: That they were fitted to.
        sharpness: How much the likelihood counts.
        beforehand: What each voice weighs before anything is held out.

    Returns:
        The mixture, and the weight of each voice.
    """
    truth = shots.labels[:, None]
    given = [np.take_along_axis(voice.held_out, truth, axis=1)[:, 0] for voice in voices]
    likelihoods = np.log(np.maximum(np.stack(given), LEAST))  # (voices, n)
    start = np.log(beforehand)
    weights = softmax(start + sharpness * likelihoods[:, shots.held].sum(axis=1))
    held_out = np.zeros_like(voices[0].held_out)
    for fold in np.unique(shots.folds[shots.held]):
        own, others = shots.folds == fold, (shots.folds >= 0) & (shots.folds != fold)
        honest = softmax(start + sharpness * likelihoods[:, others].sum(axis=1))
        held_out[own] = _sum(honest, [voice.held_out[own] for voice in voices])
    return Voice(_sum(weights, [voice.everywhere for voice in voices]), held_out), weights


def normal(posterior: FloatArray) -> FloatArray:
    """Rows that sum to 1."""
    total = np.maximum(posterior.sum(axis=1, keepdims=True), 1e-30)
    return np.asarray(posterior / total, np.float32)


def _logistic(view: View, shots: HeldShots) -> Voice:
    head = LogisticRegression(C=view.strength, max_iter=5000, tol=1e-3)
    return _as_sure_as_is_likely(head, view, shots, OWN_SURENESS)


def _discriminant(view: View, shots: HeldShots) -> Voice:
    """Linear discriminant analysis.

    Covariances of a few shots are shrunk by Ledoit and Wolf's rule (2004, doi
    10.1016/S0047-259X(03)00096-4). Their scores are far too sure, in all classes alike: how sure
    they may be is for the held-out shots alone to say.
    """
    equal = np.full(len(shots.present), 1.0 / len(shots.present))
    head = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto", priors=equal)
    with warnings.catch_warnings():  # the covariance of a class of one shot is 0
        warnings.filterwarnings("ignore", "Only one sample available", UserWarning)
        return _as_sure_as_is_likely(head, view, shots, np.inf)


def _as_sure_as_is_likely(
    head: LogisticRegression | LinearDiscriminantAnalysis,
    view: View,
    shots: HeldShots,
    spread_of_factor: float,
) -> Voice:
    """What a head says after one factor on all its scores that held-out shots make likely.

    Heads that are too sure would else lose to modest ones that name fewer shots right. A held-out
    shot is told by a factor that was found without its fold.

    Args:
        head: To be fitted.
        view: With N pixels.
        shots: To fit it to.
        spread_of_factor: See `_likeliest_factor`.
    """

    def score(rows: IntArray | slice, fitted: npt.NDArray[np.bool_]) -> FloatArray:
        head.fit(view.table[shots.rows[fitted]].astype(np.float64), shots.labels[fitted])
        scores = head.decision_function(view.table[rows])
        if scores.ndim == 1:  # of two classes scikit-learn gives the second's lead
            scores = np.stack([-scores / 2, scores / 2], axis=1)
        return np.asarray(scores, np.float32)

    everywhere, held_out = _everywhere_and_held_out(score, shots)
    honest = np.zeros_like(held_out)
    for fold in np.unique(shots.folds[shots.held]):
        own, others = shots.folds == fold, (shots.folds >= 0) & (shots.folds != fold)
        factor = _likeliest_factor(held_out[others], shots.labels[others], spread_of_factor)
        honest[own] = softmax(held_out[own] * factor, axis=1)
    factor = _likeliest_factor(held_out[shots.held], shots.labels[shots.held], spread_of_factor)
    return Voice(softmax(everywhere * factor, axis=1), honest)


def _likeliest_factor(scores: FloatArray, labels: IntArray, spread: float) -> np.float32:
    """The likeliest factor on (m, K') scores, of which (m,) labels are known.

    Beforehand its logarithm is normal around 0 with a standard deviation of ``spread``.
    """

    def unlikeliness(logarithm: float) -> float:
        given = log_softmax(scores * np.exp(logarithm), axis=1)
        return 0.5 * (logarithm / spread) ** 2 - float(given[np.arange(len(labels)), labels].sum())

    found = minimize_scalar(unlikeliness, bounds=SCALE_RANGE, method="bounded")
    return np.float32(np.exp(found.x))


def _everywhere_and_held_out(
    say: Callable[[IntArray | slice, npt.NDArray[np.bool_]], FloatArray], shots: HeldShots
) -> tuple[FloatArray, FloatArray]:
    """(N, K') and (n, K') of what is said of some rows after fitting to some of the shots."""
    held_out = np.zeros((len(shots.rows), len(shots.present)), np.float32)
    for fold in np.unique(shots.folds[shots.held]):
        test = shots.folds == fold
        held_out[test] = say(shots.rows[test], ~test)
    return say(slice(None), np.ones(len(shots.rows), bool)), held_out


def _discriminants_help(shots: HeldShots) -> bool:
    """Whether every fit knows enough shots, some are held out at all, and there are few."""
    folds, counts = np.unique(shots.folds[shots.held], return_counts=True)
    classes, left = len(shots.present), len(shots.rows) - counts
    enough = len(folds) > 0 and bool(left.min() >= ENOUGH * classes)
    return enough and len(shots.rows) <= FEW * classes


def _sum(weights: npt.NDArray[np.float64], arrays: list[FloatArray]) -> FloatArray:
    pairs = zip(weights.astype(np.float32), arrays, strict=True)
    return np.asarray(sum(weight * array for weight, array in pairs), np.float32)
