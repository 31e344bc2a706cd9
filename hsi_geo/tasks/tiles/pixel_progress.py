"""Progress of a batch, in pixels."""

from __future__ import annotations

from hsi_geo import stages
from hsi_geo.progress import Reporter


class PixelProgress:
    """Counts mapped pixels; large tiles report while they are mapped.

    Args:
        reporter: Receives progress of the stage "Mapping".
        total: Number of pixels of all tiles.
    """

    def __init__(self, reporter: Reporter, total: int) -> None:
        self.reporter = reporter
        self.total = total
        self.done = 0
        self.partial: dict[str, int] = {}

    def update(self, event: tuple[str, int]) -> None:
        """Set the mapped pixels of a tile.

        Args:
            event: Path of the tile, and number of its pixels that are mapped.
        """
        tile, pixels = event
        self.partial[tile] = pixels
        self._report()

    def finish(self, tile: str, pixels: int) -> None:
        """Count a tile that is finished.

        Args:
            tile: Path of the tile.
            pixels: Number of its pixels.
        """
        self.partial.pop(tile, None)
        self.done += pixels
        self._report()

    def _report(self) -> None:
        done = min(self.total, self.done + sum(self.partial.values()))
        self.reporter.progress(stages.MAPPING, done, self.total)
