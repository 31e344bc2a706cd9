"""Objects that notebooks show by their summary."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hsi_geo.display.summaries import Summary


class Described(ABC):
    """Has a short text (``repr``) and an HTML page of its own, both made from one summary.

    Dataclasses need ``repr=False``, since they would make a text of all their values.
    """

    __slots__ = ()

    @abstractmethod
    def _summary(self, *, with_picture: bool) -> Summary:
        """What is shown.

        Args:
            with_picture: Whether a picture is read; a text needs none.
        """

    # What these import is needed in notebooks only.

    def __repr__(self) -> str:
        from hsi_geo.display.summaries import as_text

        return as_text(self._summary(with_picture=False))

    def _repr_html_(self) -> str:
        from hsi_geo.display.summaries import as_html

        return as_html(self._summary(with_picture=True))
