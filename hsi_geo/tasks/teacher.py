"""The teacher of diffusion-aligned fine-tuning: what the shots and the scene itself tell.

Cheap linear heads on several views of the pixels (`views`), each with more or less of their
surroundings, are weighted by how well they name shots that were held out: that is how it finds out
how much spatial context a scene bears. Their posterior then evolves by diffusion over graphs of
the scene's pixels, trusted as far as held-out shots say. It is transductive: it knows the pixels
it was made from and no others; what it knows is taught to a network (`daft`).

Letters for shapes: N pixels of all plots, n shots among them, K classes of the table.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import chain

import numpy as np
import numpy.typing as npt
import torch
from scipy.optimize import brentq
from sklearn import config_context
from sklearn.metrics import pairwise_distances_argmin_min
from sklearn.metrics.pairwise import euclidean_distances
from threadpoolctl import threadpool_limits

from hsi_geo.models.diffusion import towards_shares, walk_over_nearest
from hsi_geo.models.s2former import S2Former
from hsi_geo.tasks.accuracy import Accuracy, HeldOut, estimate
from hsi_geo.tasks.folds import HeldShots, held_out_of, in_blocks, shots_of
from hsi_geo.tasks.plots import Plots
from hsi_geo.tasks.views import Sight, View, Views, compared_tables, views_of
from hsi_geo.tasks.voices import LEAST, Voice, graph_voices, head_voices, mix, normal

#: Steps of the diffusion at which the student looks.
STOPS = (10, 40, 150)

#: Powers of the graphs' evidence among which held-out shots choose, beside none.
POWERS = (0.5, 1.0)

#: What heads weigh together before anything is held out, by how surroundings come in: a few shots
#: tell little, and the number of views must not decide.
BEFOREHAND = {Sight.ALONE: 0.5, Sight.FILTER: 0.25, Sight.SEGMENT: 0.25}

#: How sharply the held-out likelihood of all shots decides between heads, and between graphs.
HEADS_SHARPNESS, GRAPHS_SHARPNESS = 0.25, 0.5

#: Distance at which a pixel is half like a shot, in units of what lies between shots; and how
#: steeply it falls there.
FAR, FALL = 3.5, 4

#: Nothing is less familiar than what lies as far off.
VERY_FAR = 1000.0

#: Standard errors by which a posterior is less sure than held-out shots show.
MODESTY = 0.5

#: Logarithms of the powers that a posterior may be taken to.
SHARPNESS_RANGE = (-3.0, 1.0)

METHOD = (
    "cross-validation, blocked in space, of the teacher that the mapping network was taught by: its "
    "heads and graphs are fitted anew without a fifth of each class's places (polygons, clusters of "
    "points), which are then named, and count by the share of the scene that their class was mapped "
    "to; no network that is heard has seen a label, and the mapping network itself is not refitted"
)

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Teacher:
    """What is taught.

    Attributes:
        steps: (N, K + 1) posteriors, from the heads' own to the most evolved one; the last column
            is the probability of something unlike any shot.
        held_out: What shots were named without those around them.
        accuracy: Estimated from these.
        context_px: Mean standard deviation of the filters, as weighted: what the scene bears.
    """

    steps: tuple[FloatArray, ...]
    held_out: HeldOut
    accuracy: Accuracy
    context_px: float


def learn_teacher(plots: Plots, encoder: S2Former | None, device: torch.device) -> Teacher:
    """Make the teacher of some plots.

    Args:
        plots: Pixels and shots.
        encoder: Pre-trained, stays frozen; None does without its features.
        device: Where the encoder runs.

    Returns:
        The teacher.
    """
    shots = shots_of(plots)
    blocked = in_blocks(plots, shots)
    ways = [shots] if np.array_equal(blocked.folds, shots.folds) else [shots, blocked]
    views = views_of(plots, encoder, device)
    told = _tell_graphs(views, plots.places_px, ways)
    steps, weights = _deliberate(views.heard, told[0], shots)
    contexts = np.array([view.context_px for view in views.heard])
    trust = _trust(views.heard, weights)
    familiar, held_familiar = _familiarity(views.filtered, trust, shots)
    posteriors = [towards_shares(step.everywhere) for step in steps]
    sharpness = [_modest_sharpness(step, held_familiar, shots) for step in steps]
    # Only for the estimate: what heads and graphs are trusted with needs every shot it can get.
    blocked_steps = steps if len(ways) == 1 else _deliberate_shots(views.heard, told[1], blocked)
    shares = np.zeros(len(plots.classes))
    shares[shots.present] = posteriors[-1].mean(axis=0)
    held_out = held_out_of(blocked, blocked_steps[-1].held_out.argmax(axis=1), shares)
    return Teacher(
        tuple(
            _in_all_classes(normal(posterior**power), familiar, shots, len(plots.classes))
            for posterior, power in zip(posteriors, sharpness, strict=True)
        ),
        held_out,
        estimate(held_out, [c.name for c in plots.classes], METHOD),
        float(weights @ contexts),
    )


def _tell_graphs(
    views: Views, places_px: npt.NDArray[np.float64], ways: list[HeldShots]
) -> list[list[list[Voice]]]:
    """What each graph tells, by way to hold shots out and by stop."""
    graphs = [
        list(graph_voices(walk_over_nearest(table), ways, STOPS))
        for table in compared_tables(views, places_px)
    ]
    stops, numbers = range(len(STOPS)), range(len(ways))
    return [[[graph[stop][way] for graph in graphs] for stop in stops] for way in numbers]


def _deliberate(
    views: list[View], told: list[list[Voice]], shots: HeldShots
) -> tuple[list[Voice], npt.NDArray[np.float64]]:
    """The trajectory from the heads' own posterior to the most evolved one; the views' weights."""
    # Threads wait longer for each other than they work, and checks take a third of a small fit.
    unchecked = config_context(assume_finite=True, skip_parameter_validation=True)
    with threadpool_limits(1, user_api="blas"), unchecked:
        said = [head_voices(view, shots) for view in views]
    view_of = np.repeat(np.arange(len(views)), [len(voices) for voices in said])
    beforehand = _beforehand(views)[view_of] / np.bincount(view_of)[view_of]
    heads, weights = mix(list(chain(*said)), shots, HEADS_SHARPNESS, beforehand)
    steps = [heads, *(_evolve(heads, graphs, shots) for graphs in told)]
    return steps, np.bincount(view_of, weights)


def _deliberate_shots(views: list[View], told: list[list[Voice]], shots: HeldShots) -> list[Voice]:
    """The same trajectory of the shots' pixels alone, where no other pixel is asked about."""
    steps, _ = _deliberate(
        [view.at(shots.rows) for view in views],
        [[graph.at(shots.rows) for graph in graphs] for graphs in told],
        replace(shots, rows=np.arange(len(shots.rows))),
    )
    return steps


def _beforehand(views: list[View]) -> npt.NDArray[np.float64]:
    """What each view's heads weigh together before anything is held out."""
    sights = [view.sight for view in views]
    return np.array([BEFOREHAND[sight] / sights.count(sight) for sight in sights])


def _trust(views: list[View], weights: npt.NDArray[np.float64]) -> dict[Sight, float]:
    """What the heads of all views of a kind weigh together after shots were held out."""
    found = dict.fromkeys(Sight, 0.0)
    for view, weight in zip(views, weights, strict=True):
        found[view.sight] += float(weight)
    return found


def _evolve(heads: Voice, graphs: list[Voice], shots: HeldShots) -> Voice:
    """The heads' posterior times what graphs tell, trusted as far as held-out shots say."""
    candidates = [heads]
    candidates += [heads.times(graph, power) for graph in graphs for power in POWERS]
    evolved, _ = mix(candidates, shots, GRAPHS_SHARPNESS, np.ones(len(candidates)))
    return evolved


def _familiarity(
    tables: dict[Sight, FloatArray], trust: dict[Sight, float], shots: HeldShots
) -> tuple[FloatArray, FloatArray]:
    """(N,) how like a shot each pixel is, and (n,) how like one of another fold each shot is.

    It falls with the distance to the nearest shot, in units of the median distance of a shot to
    the nearest one of another fold, and is a half at `FAR` of them. Distances are means over
    filters, weighted by the trust that heads won with such surroundings: where a scene bears no
    context, what surrounds a pixel makes it no stranger.

    Args:
        tables: (N, D) of the pixels through each filter.
        trust: In heads with such surroundings.
        shots: n of them.
    """
    count = len(next(iter(tables.values())))
    distance, between, heard = np.zeros(count), np.zeros(len(shots.rows)), 0.0
    for sight, table in tables.items():
        at_shots = table[shots.rows]
        apart = euclidean_distances(at_shots)
        apart[shots.folds[:, None] == shots.folds[None, :]] = np.inf
        held = apart.min(axis=1)
        known = np.isfinite(held)
        unit = float(np.median(held[known])) if known.any() else 0.0
        if unit > 0.0:  # else nothing tells how far shots lie apart
            _, nearest = pairwise_distances_argmin_min(table, at_shots)
            distance += trust[sight] * nearest / unit
            between += trust[sight] * np.where(known, held, 0.0) / unit
            heard += trust[sight]
    if heard == 0.0:
        return np.ones(len(distance), np.float32), np.ones(len(between), np.float32)
    return _falling(distance / (heard * FAR)), _falling(between / (heard * FAR))


def _falling(distance: npt.NDArray[np.floating]) -> FloatArray:
    near = np.minimum(distance, VERY_FAR)  # whose powers are still numbers
    return np.asarray(1.0 / (1.0 + near**FALL), np.float32)


def _modest_sharpness(voice: Voice, familiar: FloatArray, shots: HeldShots) -> float:
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
        sure = normal(posterior ** np.float32(np.exp(logarithm))).max(axis=1)
        return float((sure * familiar[held]).mean() - (right - MODESTY * error))

    low, high = SHARPNESS_RANGE
    if too_sure(low) >= 0 or too_sure(high) <= 0:
        return float(np.exp(low if too_sure(low) >= 0 else high))
    return float(np.exp(brentq(too_sure, low, high, xtol=1e-3)))


def _in_all_classes(
    posterior: FloatArray, familiar: FloatArray, shots: HeldShots, classes: int
) -> FloatArray:
    """(N, K + 1): a class without a shot has no probability; the shots themselves are known."""
    known = posterior * familiar[:, None]
    known[shots.rows] = 0.0
    known[shots.rows, shots.labels] = 1.0
    every = np.zeros((len(posterior), classes + 1), np.float32)
    every[:, shots.present] = known
    every[:, -1] = 1.0 - known.sum(axis=1)
    return np.maximum(every, 0.0)
