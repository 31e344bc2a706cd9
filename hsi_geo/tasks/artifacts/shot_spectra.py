"""The shots' spectra in a model file, with which pixels of other scenes are compared."""

from __future__ import annotations

from dataclasses import dataclass

from hsi_geo.arrays import Float32Array


@dataclass(frozen=True, eq=False)
class ShotSpectra:
    """Spectra of shots, and the usual distance of pixels to them.

    Attributes:
        spectra: (S, C) physical values of shots, in the model's bands.
        radius: Distance to the nearest shot within which `novelty.NEAR_SHARE` of the pixels lie that the model was
            adapted to, in whitened standard deviations, root mean square over bands.
    """

    spectra: Float32Array
    radius: float
