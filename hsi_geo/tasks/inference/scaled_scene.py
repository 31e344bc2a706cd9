"""A scene on the scale of the model that maps it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import xarray as xr

from hsi_geo.arrays import BoolArray, Float64Array
from hsi_geo.io.scenes.properties import (
    bands_of,
    held_in_memory,
    name_of,
    rescaled,
    select_good_bands,
)
from hsi_geo.progress import Reporter
from hsi_geo.tasks.artifacts.model import AdaptedModel, require_cover
from hsi_geo.tasks.inference.axis_coverage import require_on_axis
from hsi_geo.tasks.inference.domain_shift import DomainShift
from hsi_geo.tasks.inference.options import Rescale
from hsi_geo.tasks.inference.scene_scale import match_scale
from hsi_geo.tasks.inference.scene_statistics import learn_spectral_stats
from hsi_geo.tasks.runtime import earlier_scene_hash, known_files, scene_hash


@dataclass(frozen=True, eq=False)
class ScaledScene:
    """The good bands of a scene, and what is known of their values.

    Attributes:
        view: (C, H, W) good bands, multiplied by the factor.
        model: The model that maps them. It has the scene's own statistics if these were wanted.
        factor: Factor that brings the values to the model's scale.
        missing: (C,) True for bands that the map is made without.
        is_training_scene: Whether the model was adapted to this scene.
        is_checked: Whether the scale had to be compared with the model's.
        shift: What differs from the scene that the model was adapted to; None if nothing was compared.
    """

    view: xr.DataArray
    model: AdaptedModel
    factor: float
    missing: BoolArray
    is_training_scene: bool
    is_checked: bool
    shift: DomainShift | None

    @property
    def centres_nm(self) -> Float64Array:
        """(C,) band centres in nm."""
        return bands_of(self.view).centres_nm


def scale_to_model(
    scene: xr.DataArray,
    model: AdaptedModel,
    *,
    restat: bool,
    rescale: Rescale,
    is_training_scene: bool,
    reporter: Reporter,
) -> ScaledScene:
    """Bring the values of a scene to the scale of a model.

    Args:
        scene: (band, y, x) array with wavelengths.
        model: Model that maps it.
        restat: Whether to compute the band statistics from this scene instead of taking the model's.
        rescale: Factor that the values are multiplied by, "auto" for the power of ten that fits, or None to refuse a
            scene on another scale.
        is_training_scene: Whether the model was adapted to this scene. Scenes that are files are also recognised by
            their hash.
        reporter: Receives messages.

    Raises:
        WavelengthError: If the scene lacks wavelengths that the model needs.
        ScaleError: If the scene's values are on another scale than the model's.
    """
    require_cover(model, bands_of(select_good_bands(scene)).centres_nm, name_of(scene))
    require_on_axis(model.classifier.backbone.config, scene)
    view = held_in_memory(select_good_bands(scene))
    has_known_scale = is_training_scene or _has_training_hash(scene, model)
    if restat:
        model = dataclasses.replace(model, spectral=learn_spectral_stats([view], reporter))
    missing = np.zeros(view.shape[0], bool)
    factor, shift, constant = 1.0, None, None
    is_checked = not restat and (not has_known_scale or rescale is not None)
    if is_checked:
        factor, shift, constant = match_scale(
            view, model.spectral, model.shot_spectra, rescale, reporter
        )
        view = rescaled(view, factor)
    if constant is not None:
        constant.warn(view, reporter)
        missing = constant.missing
    known = has_known_scale or _has_earlier_hash(scene, model)
    return ScaledScene(view, model, factor, missing, known, is_checked, shift)


def _has_training_hash(scene: xr.DataArray, model: AdaptedModel) -> bool:
    """Whether a model was adapted to the files of this scene; arrays that are no files have no hash to compare."""
    hashes = model.record["hashes"].get("scenes", ())
    return bool(known_files(scene)) and scene_hash(scene) in hashes


def _has_earlier_hash(scene: xr.DataArray, model: AdaptedModel) -> bool:
    """Whether a model of an earlier version was adapted to this scene's file, maybe with another scale."""
    hashes = model.record["hashes"].get("scenes", ())
    return len(known_files(scene)) == 1 and earlier_scene_hash(scene) in hashes
