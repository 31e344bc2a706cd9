"""Which pixels of a model's maps are rejected, by the options of mapping."""

from __future__ import annotations

from hsi_geo.io.maps.rejection import Rejection
from hsi_geo.progress import Reporter
from hsi_geo.tasks.artifacts.model import AdaptedModel
from hsi_geo.tasks.inference.options import MapOptions

#: Key of a model's ``found`` for the familiarity below which `MapOptions.reject` "auto" rejects a pixel.
REJECT_BELOW = "reject_below"


def rejection_of(model: AdaptedModel, options: MapOptions, reporter: Reporter) -> Rejection | None:
    """Which pixels of a model's maps are rejected.

    Args:
        model: Model that maps the scene.
        options: Options of mapping.
        reporter: Receives a warning if the model has no threshold of its own.

    Returns:
        The rejection; None if no option asks for one.
    """
    if options.reject is None and options.min_confidence is None:
        return None
    familiarity = options.min_familiarity
    if familiarity == "auto":
        found = model.record["found"].get(REJECT_BELOW)
        if not isinstance(found, int | float) or not 0 <= found <= 1:
            reporter.warning(
                "the model holds no threshold for --reject auto, so that no pixel is rejected as unlike any shot: "
                "too few shots could be held out, or the model is of an earlier version"
            )
            found = 0.0
        familiarity = float(found)
    return Rejection.of(
        model.classes, min_familiarity=familiarity, min_confidence=options.least_confidence
    )
