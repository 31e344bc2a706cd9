"""Labelled points on three pixels, as a frame and as a table, and the pixels that a file of them labels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from shots_cases import GRID, points_at

from hsi_geo.io.labels.shot_pixels import burn
from hsi_geo.io.labels.shot_reading import read_shots

SPOTS = ((1, 2), (3, 5), (8, 11))


def points(crs: int = 32633, labels: Sequence[str] = "aba") -> Any:
    return points_at(SPOTS, labels).to_crs(crs)


def spots(path: Path, **how: Any) -> list[tuple[int, int]]:
    pixels = burn(read_shots(path, **how), GRID)
    return list(zip(pixels.rows.tolist(), pixels.cols.tolist(), strict=True))


NO_VECTOR_FILE = "is not a vector file that GDAL can open; give a GeoPackage, Shapefile or GeoJSON"


def table(path: Path, x: str, y: str, frame: Any, separator: str = ",") -> Path:
    rows = [("id", y, "class", x)]
    rows += [
        (str(n), repr(p.y), name, repr(p.x))
        for n, (p, name) in enumerate(zip(frame.geometry, frame["class"], strict=True))
    ]
    path.write_text("\n".join(separator.join(row) for row in rows), encoding="utf-8")
    return path
