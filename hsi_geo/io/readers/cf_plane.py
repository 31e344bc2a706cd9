"""The rows and columns of a netCDF or Zarr cube, and other variables that have them in any order of axes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Any

_X_AXIS = re.compile(
    r"^(\w+_)?x$|^(n_?x|x_?dim\w*|x_?c(oord\w*)?|east.*|lon.*|n?_?col.*|n?_?sample.*|width"
    r"|(x|cross_?|across_?)track)$",
    re.IGNORECASE,
)

#: Names that xarray makes up for axes of HDF5 files that are no netCDF: those of two groups are not the same axes.
_MADE_UP = "phony_dim"


def is_x_axis(name: str) -> bool:
    """Whether the name of an axis says that it runs along the rows.

    Args:
        name: Name of the axis.

    Example:
        >>> [name for name in ("x", "ortho_x", "nx", "y", "lines", "max") if is_x_axis(name)]
        ['x', 'ortho_x', 'nx']
    """
    return _X_AXIS.match(name) is not None


def is_made_up(name: str) -> bool:
    """Whether xarray made up the name of an axis, so that it tells nothing.

    Args:
        name: Name of the axis.
    """
    return name.startswith(_MADE_UP)


@dataclass(frozen=True)
class Plane:
    """The rows and columns of a cube.

    Attributes:
        names: Names of its y and x axes.
        shape: (rows, columns).
        stored: Letters of the two axes in the order of the file: "yx" or "xy".
    """

    names: tuple[str, str]
    shape: tuple[int, int]
    stored: str = "yx"

    def names_axes_of(self, array: Any) -> bool:
        """Whether a variable has both axes by their names.

        Args:
            array: The variable.
        """
        dims = [str(dim) for dim in array.dims]
        known = len(set(self.names)) == 2 and not is_made_up(self.names[0])
        return known and all(dims.count(name) == 1 for name in self.names)

    def order_of(self, array: Any) -> str:
        """Letters of the axes of a variable: y, x, and 1 for an axis of that length.

        Axes are found by their names, else by their lengths: of a square, in the order of the cube.

        Args:
            array: The variable.

        Returns:
            The letters; empty if the variable has other rows or columns.

        Example:
            >>> import numpy as np, xarray as xr
            >>> plane = Plane(("y", "x"), (3, 3))
            >>> plane.order_of(xr.Variable(("x", "y"), np.ones((3, 3))))
            'xy'
        """
        wanted = {"y": self.shape[0], "x": self.shape[1], "1": 1}
        for order in self._orders(array):
            if all(size == wanted[letter] for letter, size in zip(order, array.shape, strict=True)):
                return order
        return ""

    def _orders(self, array: Any) -> Iterator[str]:
        """Orders that the axes of a variable may have, the likeliest first."""
        dims = [str(dim) for dim in array.dims]
        if self.names_axes_of(array):
            letters = dict(zip(self.names, "yx", strict=True))
            yield "".join(letters.get(dim, "1") for dim in dims)
            return
        for stored in (self.stored, self.stored[::-1]):
            for pair in combinations(range(len(dims)), 2):
                ends = [is_x_axis(dims[i]) for i in pair]
                if ends[0] == ends[1] or ends[stored.index("x")]:
                    letters_at = dict(zip(pair, stored, strict=True))
                    yield "".join(letters_at.get(i, "1") for i in range(len(dims)))
