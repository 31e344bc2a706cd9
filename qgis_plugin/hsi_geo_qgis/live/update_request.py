"""What the engine is asked for a preview."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class UpdateRequest:
    """What the next preview is computed from.

    Attributes:
        params: Parameters of ``update``, without the session.
        key: The same for two requests that give the same preview.
        names: What users call a file by its path.
        problem: What is missing, as one sentence; the request is not sent then.
        shots: The shots, in the order of their ids.
        crs: CRS of the shots, as QGIS has it.
        warnings: What it leaves out, as sentences.
    """

    params: Mapping[str, Any] = field(default_factory=dict)
    key: str = ""
    names: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""
    shots: Sequence[Any] = ()
    crs: Any = None
    warnings: Sequence[str] = ()
