"""Noise whitening: noise, scale and constant bands."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from hsi_geo.models.whitening import learn_whitening

Window = tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]


def scene(bands: int = 15, height: int = 40, width: int = 33, noisy: int = 4) -> Window:
    """Smooth patches, and noise ten times as strong in one band."""
    generator = np.random.default_rng(1)
    levels = generator.normal(size=(bands, 4, 3)).repeat(10, axis=1).repeat(11, axis=2)
    noise = 0.1 * generator.normal(size=(bands, height, width))
    noise[noisy] *= 10
    return (levels + noise + 5.0).astype(np.float32), np.ones((height, width), bool)


def apply(image: npt.NDArray[np.float32], window: Window) -> npt.NDArray[np.float64]:
    learnt = learn_whitening([window])
    flat = image.reshape(len(image), -1).astype(np.float64)
    return np.asarray(learnt.matrix @ (flat - learnt.centre[:, None]))


def test_learn_whitening_equalises_the_noise() -> None:
    image, valid = scene()
    white = apply(image, (image, valid)).reshape(image.shape)
    noise = (white[:, :, 1:] - white[:, :, :-1])[:, :, [0, 1, 2, 5, 6]].std(axis=(1, 2))
    raw = (image[:, :, 1:] - image[:, :, :-1])[:, :, [0, 1, 2, 5, 6]].std(axis=(1, 2))
    assert raw[4] / np.median(raw) > 8
    assert noise[4] / np.median(noise) < 3


def test_learn_whitening_does_not_depend_on_units() -> None:
    image, valid = scene()
    scaled = (image * np.linspace(1, 900, len(image))[:, None, None] - 77.0).astype(np.float32)
    same = apply(image, (image, valid))
    other = apply(scaled, (scaled, valid))
    assert np.allclose(same, other, atol=0.02)


def test_whitened_bands_correlate_with_their_own_bands() -> None:
    image, valid = scene()
    white = apply(image, (image, valid))
    flat = image.reshape(len(image), -1)
    own = [abs(np.corrcoef(white[b], flat[b])[0, 1]) for b in range(len(image))]
    assert np.median(own) > 0.8


def test_constant_bands_get_no_weight() -> None:
    image, valid = scene()
    image[7] = 42.0
    learnt = learn_whitening([(image, valid)])
    assert np.isfinite(learnt.matrix).all()
    assert not learnt.matrix[:, 7].any()


def test_learn_whitening_ignores_pixels_without_data() -> None:
    image, valid = scene()
    clean = learn_whitening([(image[:, :30], valid[:30])])
    image[:, 30:], valid[30:] = 1e6, False
    with_invalid = learn_whitening([(image, valid)])
    assert np.allclose(clean.matrix, with_invalid.matrix)
    assert np.allclose(clean.centre, with_invalid.centre)


def test_learn_whitening_of_one_pixel_is_finite() -> None:
    image, valid = scene()
    learnt = learn_whitening([(image[:, :1, :1], valid[:1, :1])])
    assert np.isfinite(learnt.matrix).all()


def test_learn_whitening_without_valid_pixels_raises() -> None:
    image, valid = scene()
    with pytest.raises(ValueError, match="no valid pixel"):
        learn_whitening([(image, ~valid)])
