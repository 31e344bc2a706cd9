"""Hierarchy of classes: each class may have a parent, such as "built-up" of "roof" and "pavement"."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from hsi_geo.arrays import Float32Array, IntArray
from hsi_geo.io.labels.class_colors import complete_colors
from hsi_geo.io.labels.class_names import clean_name
from hsi_geo.io.labels.shots import ClassTable, LandClass


def with_parents(
    classes: ClassTable, parents: Mapping[int, str], colors: Mapping[str, str | None]
) -> ClassTable:
    """Give classes their parents.

    Args:
        classes: Class table.
        parents: Name of the parent by id of the class; classes that it lacks are their own parents.
        colors: "#rrggbb" by name of the parent; others get a colour of the palette.

    Returns:
        The class table; unchanged if no class has a parent.

    Examples:
        >>> table = tuple(LandClass(i, n, "#000000") for i, n in enumerate(["roof", "lake"], start=1))
        >>> [(c.name, c.parent) for c in with_parents(table, {1: "built-up"}, {})]
        [('roof', 'built-up'), ('lake', 'lake')]
    """
    named = {id: clean_name(name) for id, name in parents.items() if clean_name(name)}
    if not named:
        return classes
    parent_of = {c.id: named.get(c.id, c.name) for c in classes}
    distinct = list(dict.fromkeys(parent_of.values()))
    alone = {c.name: c.color for c in classes if c.id not in named}  # its own parent
    given = [colors.get(name) or alone.get(name) for name in distinct]
    painted = dict(zip(distinct, complete_colors(given, distinct), strict=True))
    return tuple(
        dataclasses.replace(c, parent=parent_of[c.id], parent_color=painted[parent_of[c.id]])
        for c in classes
    )


def parent_table(classes: ClassTable) -> ClassTable:
    """The parents as a class table, in the order in which they first appear.

    Args:
        classes: Class table.

    Returns:
        Parents with ids 1..P; empty if the classes have none.
    """
    colors = {c.parent: c.parent_color for c in classes if c.parent is not None}
    return tuple(
        LandClass(id, name, color or "#888888")
        for id, (name, color) in enumerate(colors.items(), start=1)
    )


def parent_indices(classes: Sequence[LandClass]) -> IntArray:
    """(K,) index of the parent of each class in `parent_table`; empty if the classes have none.

    Args:
        classes: Class table.

    Examples:
        >>> table = [LandClass(i, n, "#000000", None, p) for i, n, p in ((1, "a", "x"), (2, "b", "y"), (3, "c", "x"))]
        >>> parent_indices(table).tolist()
        [0, 1, 0]
    """
    index = {c.name: c.id - 1 for c in parent_table(tuple(classes))}
    return np.array([index[c.parent] for c in classes if c.parent is not None], np.int64)


def sum_children(probabilities: Float32Array, parents: IntArray) -> Float32Array:
    """(P, ...) probability of each parent: the sum of those of its classes.

    Args:
        probabilities: (K, ...) probabilities of the classes.
        parents: (K,) index of the parent of each class.

    Examples:
        >>> sum_children(np.float32([[0.5], [0.25], [0.125]]), np.array([0, 1, 0])).tolist()
        [[0.625], [0.25]]
    """
    count = int(parents.max()) + 1
    return np.stack([probabilities[parents == parent].sum(axis=0) for parent in range(count)])
