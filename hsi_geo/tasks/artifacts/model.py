"""An adapted model as a value: what `adapt` makes, `predict` needs, and MODEL holds."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hsi_geo.arrays import Float64Array
from hsi_geo.errors import WavelengthError
from hsi_geo.io import model_file
from hsi_geo.io.labels.shots import ClassTable
from hsi_geo.io.model_file import Arrays
from hsi_geo.models.classifier import Classifier, SpectralStats
from hsi_geo.models.whitening import Whitening
from hsi_geo.tasks.artifacts.model_checks import (
    MOST_SHOTS,
    array,
    classes_of,
    config_of,
    fitting,
    is_whole,
    record_of,
    require,
    spectral_of,
    state_of,
    tiling_of,
)
from hsi_geo.tasks.artifacts.shot_spectra import ShotSpectra
from hsi_geo.tiling import Tiling

#: Parts of the whitening, as MODEL names them.
WHITENING = tuple(field.name for field in dataclasses.fields(Whitening))

#: How far beyond a scene's first and last band the model's bands may reach: two bands' width.
SLACK_NM = 20.0


@dataclass(frozen=True, eq=False)
class AdaptedModel:
    """A classifier with everything that maps a scene.

    Attributes:
        classifier: In evaluation mode.
        spectral: Its bands and frozen statistics.
        classes: Class table.
        tiling: Windows and their overlap.
        record: How it was made: parameters, seed, versions, hashes, shots, accuracy estimate.
        order: (K,) index in the class table of each class in the order in which scenes are mapped,
            which does not depend on the classes' names; None: the table's own.
        shot_spectra: What other scenes' pixels are held against; None in files of older versions.
    """

    classifier: Classifier
    spectral: SpectralStats
    classes: ClassTable
    tiling: Tiling
    record: Mapping[str, Any]
    order: tuple[int, ...] | None = None
    shot_spectra: ShotSpectra | None = None


def model_bytes(model: AdaptedModel) -> bytes:
    """What MODEL holds; equal models give equal bytes."""
    arrays = {f"network.{k}": v.numpy() for k, v in model.classifier.state_dict().items()}
    arrays |= {
        "centres_nm": model.spectral.centres_nm,
        "fwhm_nm": model.spectral.fwhm_nm,
    }
    whitening = model.spectral.whitening
    arrays |= {f"whitening.{part}": getattr(whitening, part) for part in WHITENING}
    info: dict[str, Any] = {
        "network": dataclasses.asdict(model.classifier.backbone.config),
        "classes": [dataclasses.asdict(c) for c in model.classes],
        "tiling": dataclasses.asdict(model.tiling),
        "record": dict(model.record),
        "order": model.order,
    }
    if model.shot_spectra is not None:
        arrays["shots.spectra"] = model.shot_spectra.spectra
        info["reach"] = model.shot_spectra.reach
    return model_file.dump("model", arrays, info)


def save_model(model: AdaptedModel, path: Path) -> None:
    """Write MODEL."""
    path.write_bytes(model_bytes(model))


def load_model(path: str | os.PathLike[str]) -> AdaptedModel:
    """Read MODEL.

    Raises:
        ModelFileError: If the file is none, or holds what no model of this package does.
    """
    arrays, info = model_file.load(Path(path), "model")
    with fitting(f"model '{path}'", "make it again with hsi-geo adapt"):
        classes = classes_of(info["classes"])
        config = config_of(info["network"])
        state = state_of(lambda: Classifier(config, len(classes)), arrays, "network.")
        spectral = spectral_of(arrays, config)
        tiling = tiling_of(info["tiling"], config)
        record = record_of(info["record"], classes)
        order = _order(info.get("order"), len(classes))
        known = shot_spectra_in(arrays, info, spectral)
        classifier = Classifier(config, len(classes))
        classifier.load_state_dict(state)
    return AdaptedModel(classifier.eval(), spectral, classes, tiling, record, order, known)


def _order(listed: object, classes: int) -> tuple[int, ...] | None:
    """Models of earlier versions list none."""
    if listed is None:
        return None
    require(
        isinstance(listed, list)
        and all(map(is_whole, listed))
        and sorted(listed) == list(range(classes)),
        f"it does not order its {classes} classes",
    )
    assert isinstance(listed, list)
    return tuple(listed)


def shot_spectra_in(
    arrays: Arrays, info: Mapping[str, Any], spectral: SpectralStats
) -> ShotSpectra | None:
    """What pixels are held against, None in files of older versions."""
    if "shots.spectra" not in arrays:
        return None
    spectra = array(arrays, "shots.spectra", np.float32, (None, len(spectral.centres_nm)))
    require(0 < len(spectra) <= MOST_SHOTS, f"it keeps {len(spectra)} shots")
    reach = info.get("reach")
    require(isinstance(reach, float) and reach >= 0, "it does not tell how far its shots reach")
    assert isinstance(reach, float)
    return ShotSpectra(spectra, reach)


def require_cover(model: AdaptedModel, centres_nm: Float64Array, name: str) -> None:
    """Refuse a scene whose bands do not reach as far as the model's.

    Args:
        model: With its own bands.
        centres_nm: (C,) of the scene, increasing.
        name: Of the scene.

    Raises:
        WavelengthError: With both ranges.
    """
    wanted = model.spectral.centres_nm
    if centres_nm[0] <= wanted[0] + SLACK_NM and centres_nm[-1] >= wanted[-1] - SLACK_NM:
        return
    raise WavelengthError(
        f"scene '{name}' covers {centres_nm[0]:.0f}-{centres_nm[-1]:.0f} nm and the model was "
        f"adapted on {wanted[0]:.0f}-{wanted[-1]:.0f} nm",
        hint="adapt a model to this sensor with hsi-geo adapt",
    )
