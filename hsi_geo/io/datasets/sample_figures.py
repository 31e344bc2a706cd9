"""Figures of samples, as the method ``plot`` of TorchGeo's datasets draws them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from hsi_geo.arrays import AnyArray, Float64Array, UInt8Array
from hsi_geo.display.figures import plot_images
from hsi_geo.display.images import paint, stretch
from hsi_geo.errors import OptionError
from hsi_geo.io.labels.shots import ClassTable
from hsi_geo.io.scenes.composites import choose_bands
from hsi_geo.wavelengths import Bands

#: Keys of class masks in a sample, and what each shows.
MASKS = {"mask": "shots", "prediction": "prediction"}


def plot_image(
    sample: Mapping[str, Any], centres_nm: Float64Array, show_titles: bool, suptitle: str | None
) -> Figure:
    """Draw the image of a sample.

    Args:
        sample: Sample with the key ``image``; white where its key ``valid`` is False.
        centres_nm: (C,) wavelengths of the bands, if the sample has no key ``wavelength``.
        show_titles: Whether the name of the composite is shown above the image.
        suptitle: Title of the figure; None for none.

    Raises:
        OptionError: If the sample has no such image, or is a batch.
    """
    title, image = _image(sample, centres_nm)
    return plot_images({title: image}, show_titles=show_titles, suptitle=suptitle)


def plot_masks(
    sample: Mapping[str, Any], classes: ClassTable, show_titles: bool, suptitle: str | None
) -> Figure:
    """Draw the masks of a sample with a legend; before them its image, if it has one with wavelengths.

    Args:
        sample: Sample with the keys of `MASKS`, or one of them: class index from 0, and -1 for no class.
        classes: Class table of the masks.
        show_titles: Whether each image has its title above it.
        suptitle: Title of the figure; None for none.

    Raises:
        OptionError: If the sample has no mask, or is a batch.
    """
    images = {}
    if "image" in sample and "wavelength" in sample:
        title, image = _image(sample, np.empty(0))
        images[title] = image
    for key, title in MASKS.items():
        if key in sample:
            index = np.asarray(_array(sample, key, 2), np.int64)
            images[title] = paint(np.where(index < 0, 0, index + 1), classes)
    if not MASKS.keys() & sample.keys():
        raise OptionError(
            f"the sample has the keys {', '.join(sample)} and no mask",
            hint="give a sample of the shots, or of scenes & shots",
        )
    return plot_images(images, classes=classes, show_titles=show_titles, suptitle=suptitle)


def _image(sample: Mapping[str, Any], centres_nm: Float64Array) -> tuple[str, UInt8Array]:
    """Title and colours of the image of a sample."""
    image = np.asarray(_array(sample, "image", 3), np.float32)
    centres = np.asarray(sample.get("wavelength", centres_nm), np.float64)
    if centres.shape != (len(image),):
        raise OptionError(
            f"the sample's image has {len(image)} bands, and there are {centres.size} wavelengths",
            hint="a transform that changes the bands must change the key wavelength, too",
        )
    valid = np.isfinite(image).all(axis=0)
    if "valid" in sample:
        valid &= np.asarray(_array(sample, "valid", 2), bool)
    bands = Bands(centres, np.ones(len(centres)), np.ones(len(centres), bool), "the sample")
    name, chosen = choose_bands(bands, "colour infrared")
    shown = ", ".join(f"{centres[band]:.0f}" for band in chosen)
    return f"{name} ({shown} nm)", stretch(image[chosen], valid)


def _array(sample: Mapping[str, Any], key: str, dimensions: int) -> AnyArray:
    """A tensor of a sample as an array.

    Raises:
        OptionError: If the sample has no such key, or is a batch.
    """
    if key not in sample:
        raise OptionError(
            f"the sample has the keys {', '.join(map(str, sample))} and no {key}",
            hint="give a sample of this dataset, or one that was made of it",
        )
    tensor = sample[key]
    found = np.asarray(tensor.detach().cpu() if hasattr(tensor, "detach") else tensor)
    if found.ndim != dimensions:
        raise OptionError(
            f"the sample's {key} has {found.ndim} dimensions, and one sample has {dimensions}",
            hint="give one sample of a batch, such as torchgeo.datasets.unbind_samples(batch)[0]",
        )
    return found
