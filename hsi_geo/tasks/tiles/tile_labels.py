"""Names of tiles in messages."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path


def tile_labels(paths: Sequence[str]) -> list[str]:
    """Name each tile in messages: by its file, with as many folders as tell it from others of that name.

    Args:
        paths: Paths of the tiles, without duplicates.

    >>> tile_labels(["/t/2020/a.tif", "/t/2025/a.tif", "/t/2025/b.tif"])
    ['2020/a.tif', '2025/a.tif', 'b.tif']
    """
    groups: dict[str, list[int]] = defaultdict(list)
    for index, path in enumerate(paths):
        groups[Path(path).name].append(index)
    labels = [""] * len(paths)
    for group in groups.values():
        parts = [Path(paths[index]).parts for index in group]
        depth, longest = 1, max(map(len, parts))
        while depth < longest and len({one[-depth:] for one in parts}) < len(parts):
            depth += 1
        for index, one in zip(group, parts, strict=True):
            labels[index] = str(Path(*one[-depth:]))
    return labels
