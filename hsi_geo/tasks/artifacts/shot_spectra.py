"""The shots' spectra in a MODEL: what the pixels of other scenes are compared with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, eq=False)
class ShotSpectra:
    """What the pixels of a scene are held against.

    Attributes:
        spectra: (S, C) float32 physical values of shots, in the model's bands.
        reach: Distance to the nearest shot that `NEAR_SHARE` of the pixels which the model was adapted to
            stay within, in whitened standard deviations, root mean square over bands.
    """

    spectra: npt.NDArray[np.float32]
    reach: float
