"""Label propagation: diffusion of a few shots' labels over a nearest-neighbour graph of pixels.

Pixels are connected to those with similar features (and, where features include the position, to nearby
pixels). A random walk that starts at the shots of each class spreads their labels along the edges; the
class masses that arrive at a pixel give its posterior. With restarts this is local and global consistency
(Zhou et al. 2004, "Learning with Local and Global Consistency", NIPS 16).

Letters for shapes: N pixels, D features, K classes, M initial distributions.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import cache

import numpy as np
import scipy.sparse
import torch
from numpy.polynomial import Chebyshev, Polynomial

from hsi_geo.arrays import Float32Array

#: Probability that the walk continues at each step; otherwise it restarts.
ALPHA = 0.99

#: Sum of the absolute coefficients of the Chebyshev series that may be left out; float32 loses as much.
SERIES_TOLERANCE = 1e-7


def random_walk_with_restart(
    transition: scipy.sparse.csr_matrix,
    initial: Float32Array,
    steps: Sequence[int],
    alpha: float = ALPHA,
) -> list[Float32Array]:
    """Spread distributions by a random walk with restarts, y <- alpha * (P y) + (1 - alpha) * y_0.

    The polynomial of P is evaluated as a Chebyshev series, which needs far fewer products than steps.

    Args:
        transition: (N, N) matrix of `knn_transition_matrix`; its graph is symmetric, so that its
            eigenvalues are real.
        initial: (N, M) initial distributions, to which the walk restarts.
        steps: Numbers of steps after which a result is returned.
        alpha: Probability that the walk continues at each step.

    Returns:
        (N, M) distributions after each of the numbers of steps.

    Examples:
        >>> import numpy as np, scipy.sparse
        >>> swap = scipy.sparse.csr_matrix(np.array([[0, 1], [1, 0]], np.float32))
        >>> (after,) = random_walk_with_restart(swap, np.array([[1], [0]], np.float32), [1], alpha=0.75)
        >>> after.tolist()
        [[0.25], [0.75]]
    """
    all_coefficients = [_chebyshev_coefficients(count, alpha) for count in steps]
    start = torch.from_numpy(np.ascontiguousarray(initial))
    doubled = _to_torch(2.0 * transition)
    results = [float(coefficients[0]) * start for coefficients in all_coefficients]
    before, now = start, 0.5 * (doubled @ start)
    for order in range(1, max(map(len, all_coefficients))):
        for total, coefficients in zip(results, all_coefficients, strict=True):
            if order < len(coefficients):
                total.add_(now, alpha=float(coefficients[order]))
        before, now = now, torch.addmm(before, doubled, now, beta=-1.0)
    return [total.numpy() for total in results]


def _to_torch(matrix: scipy.sparse.csr_matrix) -> torch.Tensor:
    """The matrix for torch, whose products take half the time of SciPy's and let other threads run."""
    with warnings.catch_warnings():
        # torch warns once in each process that its sparse matrices may change.
        warnings.filterwarnings("ignore", "Sparse CSR tensor support", UserWarning)
        return torch.sparse_csr_tensor(
            torch.from_numpy(matrix.indptr),
            torch.from_numpy(matrix.indices),
            torch.from_numpy(matrix.data),
            size=matrix.shape,
            check_invariants=False,  # SciPy keeps them
        )


@cache
def _chebyshev_coefficients(steps: int, alpha: float) -> Float32Array:
    """Chebyshev coefficients of the polynomial in P of a walk with so many steps.

    The number of coefficients that matter grows as the root of the steps (Sachdeva and Vishnoi 2014, doi
    10.1561/0400000065): 63 of 151 at 150 steps. Others are left out, see `SERIES_TOLERANCE`.
    """
    powers = (1.0 - alpha) * alpha ** np.arange(steps + 1)
    powers[steps] = alpha**steps
    series = np.asarray(Polynomial(powers).convert(kind=Chebyshev).coef, np.float64)
    remainder = np.cumsum(np.abs(series[::-1]))[::-1]  # of this term and all that follow
    return np.asarray(series[remainder > SERIES_TOLERANCE], np.float32)


def class_mass_normalization(
    mass: Float32Array, floor: float = 0.1, mean: Float32Array | None = None
) -> Float32Array:
    """Convert the masses of class-wise random walks to class probabilities.

    Each class is divided by its mean mass (class mass normalization, Zhu et al. 2003, "Semi-Supervised
    Learning Using Gaussian Fields and Harmonic Functions", ICML), so that the number of shots of a class
    has no effect.

    Args:
        mass: (N, K) mass of each class's walk at each pixel; a column of zeros is a class without shots.
        floor: Share of the mean mass that is added for every class everywhere, so that a pixel which no
            walk reaches gets equal probabilities.
        mean: (K,) mean mass of each class over all pixels, if ``mass`` has only some of them.

    Returns:
        (N, K) probabilities; each row sums to 1.

    Examples:
        >>> import numpy as np
        >>> class_mass_normalization(np.array([[3.0, 0.0], [0.0, 0.0]], np.float32))[1].tolist()
        [0.5, 0.5]
    """
    if mean is None:
        total = np.maximum(mass.sum(axis=0), 1e-30)
        relative = mass / total * len(mass) + floor
    else:
        relative = mass / np.maximum(mean, 1e-30) + floor
    return np.asarray(relative / relative.sum(axis=1, keepdims=True), np.float32)


def adjust_priors(posterior: Float32Array, strength: float = 0.5, steps: int = 20) -> Float32Array:
    """Adapt a posterior to the class priors of the scene.

    Shots are drawn class by class, whatever the areas of the classes. The priors are estimated from the
    posterior itself by expectation maximisation (Saerens et al. 2002, doi 10.1162/089976602753284446).

    Args:
        posterior: (N, K) probabilities under equal priors.
        strength: Exponent of the prior ratio: 0 keeps the posterior, 1 applies the estimated priors fully.
        steps: Number of iterations of the estimation.

    Returns:
        (N, K) probabilities; each row sums to 1.

    Examples:
        >>> import numpy as np
        >>> posterior = np.array([[1, 0], [1, 0], [0, 1], [0.5, 0.5]], np.float32)
        >>> adapted = adjust_priors(posterior, strength=1.0)
        >>> print(adapted[3].round(2))
        [0.67 0.33]
    """
    classes = posterior.shape[1]
    priors = np.full(classes, 1.0 / classes)
    adapted = posterior
    for _ in range(steps):
        adapted = posterior * ((classes * priors) ** strength).astype(np.float32)
        adapted = adapted / adapted.sum(axis=1, keepdims=True)
        priors = 0.5 * priors + 0.5 * adapted.mean(axis=0)
    return adapted
