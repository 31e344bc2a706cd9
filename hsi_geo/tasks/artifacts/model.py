"""An adapted model: what `adapt` returns, `predict` needs, and a model file holds."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hsi_geo.arrays import Float64Array
from hsi_geo.display.described import Described
from hsi_geo.errors import WavelengthError
from hsi_geo.io import model_file
from hsi_geo.io.labels.shots import ClassTable
from hsi_geo.io.model_file import Arrays
from hsi_geo.models.classifier import Classifier
from hsi_geo.models.whitening import SpectralStats, Whitening
from hsi_geo.tasks.artifacts.model_checks import (
    MAX_SHOTS,
    checkpoint_errors,
    is_whole,
    keeping_generator,
    parse_classes,
    parse_config,
    parse_record,
    parse_spectral,
    parse_state,
    parse_tiling,
    require,
    require_array,
)
from hsi_geo.tasks.artifacts.shot_spectra import ShotSpectra
from hsi_geo.tasks.validation.accuracy import Accuracy
from hsi_geo.tiling import Tiling

if TYPE_CHECKING:
    from hsi_geo.display.summaries import Summary

#: Arrays of the whitening, as the model file names them.
WHITENING = tuple(field.name for field in dataclasses.fields(Whitening))

#: Distance by which the model's bands may extend beyond a scene's first and last band: two bands' width.
MARGIN_NM = 20.0


@dataclass(frozen=True, eq=False, repr=False)
class AdaptedModel(Described):
    """A classifier with everything that is needed to map a scene.

    Attributes:
        classifier: Classifier in evaluation mode, with outputs in the order of the class table.
        spectral: The classifier's bands and frozen statistics.
        classes: Class table.
        tiling: Size and stride of the windows.
        record: How the model was made: parameters, seed, versions, hashes, shots, accuracy estimate.
        order: (K,) index in the class table of each class in the order in which scenes are mapped, which does not
            depend on the classes' names; None for the order of the table.
        shot_spectra: Shots with which other scenes' pixels are compared; None in files of older versions.
    """

    classifier: Classifier
    spectral: SpectralStats
    classes: ClassTable
    tiling: Tiling
    record: Mapping[str, Any]
    order: tuple[int, ...] | None = None
    shot_spectra: ShotSpectra | None = None

    @cached_property
    def mapping_classifier(self) -> Classifier:
        """The classifier with its outputs in the order in which scenes are mapped; of many tiles the same."""
        return (
            self.classifier if self.order is None else self.classifier.with_class_order(self.order)
        )

    def _summary(self, *, with_picture: bool) -> Summary:
        from hsi_geo.display.summaries import Summary

        centres, shots = self.spectral.centres_nm, self.record["shots"]
        accuracy = Accuracy.from_dict(self.record["accuracy"])
        return Summary(
            f"Model of {len(self.classes)} classes and {len(centres)} bands, "
            f"{centres.min():.0f}-{centres.max():.0f} nm",
            [f"accuracy: {accuracy}"],
            ("class", "shots (pixels)"),
            [(c.name, str(shots.get(c.name, ""))) for c in self.classes],
            colors=[c.color for c in self.classes],
        )


def model_bytes(model: AdaptedModel) -> bytes:
    """Serialise a model; equal models give equal bytes.

    Args:
        model: Model on the CPU.

    Returns:
        The contents of a model file.
    """
    arrays = {f"network.{k}": v.numpy() for k, v in model.classifier.state_dict().items()}
    arrays |= {
        "centres_nm": model.spectral.centres_nm,
        "fwhm_nm": model.spectral.fwhm_nm,
    }
    whitening = model.spectral.whitening
    arrays |= {f"whitening.{part}": getattr(whitening, part) for part in WHITENING}
    info: dict[str, Any] = {
        "network": dataclasses.asdict(model.classifier.backbone.config),
        "classes": [c.as_dict() for c in model.classes],
        "tiling": dataclasses.asdict(model.tiling),
        "record": dict(model.record),
        "order": model.order,
    }
    if model.shot_spectra is not None:
        arrays["shots.spectra"] = model.shot_spectra.spectra
        info["reach"] = model.shot_spectra.radius
    return model_file.dump("model", arrays, info)


def save_model(model: AdaptedModel, path: Path) -> None:
    """Write a model file.

    Args:
        model: Model on the CPU.
        path: File to write.
    """
    path.write_bytes(model_bytes(model))


def load_model(path: str | os.PathLike[str]) -> AdaptedModel:
    """Read a model file.

    Args:
        path: File that `save_model` wrote.

    Raises:
        ModelFileError: If it is not a model file, or its contents are not those of a model of this package.
    """
    arrays, info = model_file.load(Path(path), "model")
    what, hint = f"model '{path}'", "make it again with hsi-geo adapt"
    with checkpoint_errors(what, hint), keeping_generator():
        classes = parse_classes(info["classes"])
        config = parse_config(info["network"])
        state = parse_state(lambda: Classifier(config, len(classes)), config, arrays, "network.")
        spectral = parse_spectral(arrays, config)
        tiling = parse_tiling(info["tiling"], config)
        record = parse_record(info["record"], classes)
        order = _parse_order(info.get("order"), len(classes))
        shot_spectra = _parse_shot_spectra(arrays, info, spectral)
        classifier = Classifier(config, len(classes))
        classifier.load_state_dict(state)
    return AdaptedModel(classifier.eval(), spectral, classes, tiling, record, order, shot_spectra)


def _parse_order(entry: object, classes: int) -> tuple[int, ...] | None:
    """Order of the classes; models of earlier versions have none."""
    if entry is None:
        return None
    require(
        isinstance(entry, list)
        and all(map(is_whole, entry))
        and sorted(entry) == list(range(classes)),
        f"it does not order its {classes} classes",
    )
    assert isinstance(entry, list)
    return tuple(entry)


def _parse_shot_spectra(
    arrays: Arrays, info: Mapping[str, Any], spectral: SpectralStats
) -> ShotSpectra | None:
    """Shots with which pixels are compared; models of earlier versions have none."""
    if "shots.spectra" not in arrays:
        return None
    bands = len(spectral.centres_nm)
    spectra = require_array(arrays, "shots.spectra", np.float32, (None, bands))
    require(0 < len(spectra) <= MAX_SHOTS, f"it keeps {len(spectra)} shots")
    radius = info.get("reach")
    require(isinstance(radius, float) and radius >= 0, "it has no radius of its shots")
    assert isinstance(radius, float)
    return ShotSpectra(spectra, radius)


def require_cover(model: AdaptedModel, centres_nm: Float64Array, name: str) -> None:
    """Refuse a scene whose wavelength range does not cover that of a model.

    Args:
        model: Model with its own bands.
        centres_nm: (C,) band centres of the scene in nm, increasing.
        name: Name of the scene, for the message.

    Raises:
        WavelengthError: If the scene's range is shorter by more than `MARGIN_NM` at either end.
    """
    needed = model.spectral.centres_nm
    if centres_nm[0] <= needed[0] + MARGIN_NM and centres_nm[-1] >= needed[-1] - MARGIN_NM:
        return
    raise WavelengthError(
        f"scene '{name}' covers {centres_nm[0]:.0f}-{centres_nm[-1]:.0f} nm and the model was "
        f"adapted on {needed[0]:.0f}-{needed[-1]:.0f} nm",
        hint="adapt a model to this sensor with hsi-geo adapt",
    )
