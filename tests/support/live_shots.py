"""Shots that a person draws in the dock *hsi-geo live*."""

from __future__ import annotations

#: Five points a class on the planted scene, as (column, row) of their pixels.
CLASSES = {
    "Wiese ä": [[3, 12], [8, 16], [14, 4], [17, 19], [12, 11]],
    "Straße": [[25, 3], [33, 15], [40, 8], [48, 20], [50, 33]],
    "Wasser": [[4, 30], [12, 26], [20, 34], [28, 25], [34, 31]],
}

#: A point of the first class amid the second one.
WRONG = [36, 11]
