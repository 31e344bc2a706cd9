"""What a batch returns: its maps, the outcome of each tile, and the area of each class."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hsi_geo.display.described import Described
from hsi_geo.errors import ScaleError
from hsi_geo.tasks.tiles.jobs import Outcome
from hsi_geo.tasks.tiles.map_areas import ClassArea
from hsi_geo.text import number_text

if TYPE_CHECKING:
    from hsi_geo.display.summaries import Summary


@dataclass(frozen=True, eq=False, repr=False)
class BatchResult(Described):
    """Result of a batch.

    Attributes:
        folder: Folder of the maps.
        maps: Path of each tile's map by the tile's path, mapped or not, in the order of the tiles.
        outcomes: Outcome of each tile by its path.
        areas: Area of each class.
        outputs: Path of each file beside the maps by its name.
    """

    folder: Path
    maps: Mapping[str, Path]
    outcomes: Mapping[str, Outcome]
    areas: Sequence[ClassArea]
    outputs: Mapping[str, Path]

    def count(self, state: str) -> int:
        """Number of tiles in a state.

        Args:
            state: "mapped", "unchanged", "failed" or "pending".
        """
        return sum(outcome.state == state for outcome in self.outcomes.values())

    @property
    def warned(self) -> int:
        """Number of tiles with warnings; see `Outcome.warnings`."""
        return sum(bool(outcome.warnings) for outcome in self.outcomes.values())

    @property
    def refused_for_scale(self) -> int:
        """Number of tiles that were not mapped because their values have another scale than the model's."""
        return sum(outcome.code == ScaleError.code for outcome in self.outcomes.values())

    @property
    def drifting(self) -> int:
        """Number of mapped tiles whose spectra are unlike those that the model was adapted to."""
        return sum(outcome.drifts for outcome in self.outcomes.values())

    def _summary(self, *, with_picture: bool) -> Summary:
        from hsi_geo.display.summaries import Summary

        counted = Counter(outcome.state for outcome in self.outcomes.values())
        states = ", ".join(f"{count} {state}" for state, count in sorted(counted.items()))
        return Summary(
            f"Batch of {len(self.maps)} tiles: {states}",
            [f"folder: {self.folder}", f"tiles with warnings: {self.warned}"],
            ("class", "pixels", "hectares"),
            [
                (one.name, f"{one.pixels:,}", number_text(one.hectares, 1) if one.hectares else "-")
                for one in self.areas
            ],
        )
