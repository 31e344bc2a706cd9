"""A network that names the class of every pixel: frozen statistics, S2Former, a linear head."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from hsi_geo.models.s2former import BandMap, S2Former, S2FormerConfig, place_on_axis
from hsi_geo.models.whitening import Whitening
from hsi_geo.wavelengths import placement

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Spectral:
    """The bands a classifier was adapted to, and their frozen statistics.

    Attributes:
        centres_nm: (C,) increasing.
        fwhm_nm: (C,) widths.
        whitening: Learnt from the scene the shots lie in.
    """

    centres_nm: FloatArray
    fwhm_nm: FloatArray
    whitening: Whitening


class Classifier(nn.Module):
    """S2Former with a linear head: logits for every pixel of a window.

    Args:
        config: Of the S2Former.
        classes: K, number of classes.
    """

    def __init__(self, config: S2FormerConfig, classes: int) -> None:
        super().__init__()
        self.backbone = S2Former(config)
        self.head = nn.Linear(config.width, classes)

    def forward(self, image: Tensor, valid: Tensor, bands: BandMap) -> Tensor:
        """(B, C, H, W) physical values and (B, H, W) validity to (B, K, H, W) logits."""
        features: Tensor = self.backbone(image, valid, bands)
        logits: Tensor = self.head(features.movedim(1, -1))
        return logits.movedim(-1, 1)


def band_map(config: S2FormerConfig, spectral: Spectral, centres_nm: FloatArray) -> BandMap:
    """From a scene's physical values to the network's wavelength axis, in one affine map.

    The scene's bands are brought to those of the statistics, whitened, and spread over the axis. A
    band whose centre lies within half a width of the wanted one is taken for it: whitening magnifies
    what interpolation between bands blurs. Others are interpolated.

    Args:
        config: Of the S2Former.
        spectral: The classifier's own bands and statistics.
        centres_nm: (C,) the scene's bands, increasing.

    Returns:
        The map for (B, C, H, W) images of the scene.
    """
    axis = place_on_axis(config, spectral.centres_nm, spectral.fwhm_nm)
    whitening = spectral.whitening
    if np.array_equal(centres_nm, spectral.centres_nm):
        return axis.after(_tensor(whitening.matrix), _tensor(whitening.centre))
    # Subtract something near the scene's own values first, so that no digits are lost.
    to_scene = placement(spectral.centres_nm, centres_nm)
    to_model = _matched(centres_nm, spectral)
    near = to_scene @ whitening.centre
    rest = whitening.matrix @ (to_model @ near - whitening.centre)
    mapped = axis.after(_tensor(whitening.matrix @ to_model), _tensor(near))
    return mapped._replace(shift=mapped.shift + axis.matrix @ _tensor(rest))


def _matched(centres_nm: FloatArray, spectral: Spectral) -> FloatArray:
    """(T, C) from a scene's bands to the statistics' own: the same band, or interpolated."""
    matrix = placement(centres_nm, spectral.centres_nm)
    distance = np.abs(centres_nm[None, :] - spectral.centres_nm[:, None])
    nearest = distance.argmin(axis=1)
    same = distance.min(axis=1) <= spectral.fwhm_nm / 2
    matrix[same] = 0.0
    matrix[same, nearest[same]] = 1.0
    return matrix


def _tensor(array: FloatArray) -> Tensor:
    return torch.tensor(array, dtype=torch.float32)
