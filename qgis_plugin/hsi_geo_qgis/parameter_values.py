"""Values of common parameters, as options of the command line."""

from __future__ import annotations

import os
import re

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingUtils,
    QgsRasterLayer,
)

from .class_field import own_name
from .command import Value
from .feature_export import export_features, export_source, plain_fields
from .label_layers import LabelLayer, label_options
from .layers import (
    Parameters,
    given_layers,
    is_output_wanted,
    layer_path,
    raster_path,
    scene_path,
    shown_product,
)
from .parameters import CLEANING, CommonParameters
from .products import ShownProduct, common_options, is_chosen, with_remembered
from .scene_choice import scene_problem

#: Options of the command line that have another name than the parameter.
_OPTIONS = {"LABELS": "--shots", "OUTPUT": "--out"}


class ParameterValues(CommonParameters):
    """Reads the parameters that `CommonParameters` adds.

    Attributes:
        labels: Label layers of the run.
        zone_names: Text that the form of the zones shows, by value, by field.
        names: What users call the files that hsi-geo is given, by path.
        remembered: Options that the scenes of the run were opened with by *Open scene*.
    """

    labels: list[LabelLayer]
    zone_names: dict[str, dict[str, str]]
    names: dict[str, str]
    remembered: dict[str, Value]

    def _labels_name(self) -> str:
        """Name of the parameter of labels; empty if there is none."""
        field = self.parameterDefinition("CLASS_FIELD")
        return "" if field is None else str(field.parentLayerParameterName())

    def titles(self) -> dict[str, str]:
        """Title of each parameter, up to a comma or bracket, by its option of the command line."""
        titles = {
            _OPTIONS.get(definition.name())
            or "--" + definition.name().lower().replace("_", "-"): definition.description()
            for definition in self.parameterDefinitions()
            if not definition.isDestination() or definition.name() in _OPTIONS
        }
        return {option: re.split(r",| \(", title)[0] for option, title in titles.items()}

    def geopackage(
        self, parameters: Parameters, context: QgsProcessingContext, name: str = "OUTPUT"
    ) -> str:
        """Path of a layer to write, which has to be a GeoPackage.

        Args:
            parameters: As given to the algorithm.
            context: As given to the algorithm.
            name: Name of the parameter.

        Raises:
            QgsProcessingException: If it is another format.
        """
        path = str(self.parameterAsOutputLayer(parameters, name, context))
        if not path.lower().endswith(".gpkg"):
            raise QgsProcessingException(
                f"'{path}' is no GeoPackage; choose a file that ends in .gpkg"
            )
        return path

    def scene(
        self,
        parameters: Parameters,
        context: QgsProcessingContext,
        feedback: QgsProcessingFeedback | None = None,
    ) -> str:
        """Path of the scene.

        Args:
            parameters: As given to the algorithm.
            context: As given to the algorithm.
            feedback: Receives a warning, instead of an error, of a CRS that only QGIS holds.

        Raises:
            QgsProcessingException: If no scene is given, or two are.
        """
        problem = scene_problem(parameters)
        if problem:
            raise QgsProcessingException(problem)
        if parameters.get("PRODUCT"):
            return str(self.parameterAsFile(parameters, "PRODUCT", context))
        return scene_path(self, parameters, "INPUT", context, feedback)

    def scenes(
        self, parameters: Parameters, context: QgsProcessingContext, *others: str
    ) -> list[str]:
        """Paths of several scenes.

        Args:
            parameters: As given to the algorithm.
            context: As given to the algorithm.
            others: Names of parameters of a file, folder or link beside INPUTS.
        """
        layers = given_layers(self, parameters, "INPUTS", context)
        paths = [layer_path(layer, context) for layer in layers]
        paths += [
            str(self.parameterAsFile(parameters, other, context))
            for other in others
            if parameters.get(other)
        ]
        return paths

    def aoi(
        self,
        parameters: Parameters,
        context: QgsProcessingContext,
        feedback: QgsProcessingFeedback,
    ) -> str | None:
        """Path of the exported area of interest; None if there is none.

        Args:
            parameters: As given to the algorithm.
            context: As given to the algorithm.
            feedback: Its cancelling ends the export.
        """
        if not parameters.get("AOI"):
            return None
        path = export_features(self, parameters, "AOI", context, feedback)
        self.names[path] = str(self.parameterAsSource(parameters, "AOI", context).sourceName())
        return path

    def zone_options(
        self,
        parameters: Parameters,
        context: QgsProcessingContext,
        feedback: QgsProcessingFeedback,
    ) -> dict[str, Value]:
        """Options of the command line for `add_zones`; the zones are exported to a file.

        Args:
            parameters: As given to the algorithm.
            context: As given to the algorithm.
            feedback: Its cancelling ends the export.

        Returns:
            Value by option; none without zones.
        """
        if not parameters.get("ZONES"):
            return {}
        source = self.parameterAsSource(parameters, "ZONES", context)
        if source is None:
            raise QgsProcessingException(self.invalidSourceError(parameters, "ZONES"))
        field = own_name(source.fields(), self.parameterAsString(parameters, "ZONE_FIELD", context))
        names = [] if field else plain_fields(source.fields())
        path = export_source(source, context, feedback, field, names, self.zone_names)
        self.names[path] = str(source.sourceName())
        return {"zones": path, "zone_field": field}

    def label_options(
        self,
        parameters: Parameters,
        context: QgsProcessingContext,
        feedback: QgsProcessingFeedback,
    ) -> dict[str, Value]:
        """Options of the command line for labels; layers are exported to files.

        Args:
            parameters: As given to the algorithm.
            context: As given to the algorithm.
            feedback: Its cancelling ends the export.

        Returns:
            Value by option.
        """
        paths, options, names = label_options(self, self.labels, parameters, context, feedback)
        self.names.update(names)
        return {
            "reference" if self._labels_name() == "REFERENCE" else "shots": paths,
            **options,
            "all_touched": self.parameterAsBoolean(parameters, "ALL_TOUCHED", context),
        }

    def learning_options(
        self,
        parameters: Parameters,
        context: QgsProcessingContext,
        feedback: QgsProcessingFeedback,
    ) -> dict[str, Value]:
        """Options of the command line for `add_learning`; layers are exported to files.

        Args:
            parameters: As given to the algorithm.
            context: As given to the algorithm.
            feedback: Its cancelling ends the export.

        Returns:
            Value by option.
        """
        return {
            **self.label_options(parameters, context, feedback),
            "library_weight": self.parameterAsDouble(parameters, "LIBRARY_WEIGHT", context)
            if parameters.get("LIBRARY")
            else None,
            "seed": self.parameterAsInt(parameters, "SEED", context),
            "weights": self.parameterAsFile(parameters, "WEIGHTS", context),
            "trust_shots": self.parameterAsBoolean(parameters, "TRUST_SHOTS", context),
        }

    def run_options(
        self, parameters: Parameters, context: QgsProcessingContext
    ) -> dict[str, Value]:
        """Options of the command line for every job on a scene.

        Args:
            parameters: As given to the algorithm.
            context: As given to the algorithm.

        Returns:
            Value by option.
        """
        threads = parameters.get("THREADS")
        return {
            **self.opening_options(parameters, context),
            "device": self.parameterAsEnumString(parameters, "DEVICE", context),
            "threads": None
            if threads in (None, "")
            else self.parameterAsInt(parameters, "THREADS", context),
        }

    def opening_options(
        self, parameters: Parameters, context: QgsProcessingContext
    ) -> dict[str, Value]:
        """Options of the command line for `add_opening`, those that the algorithm has.

        Those that the user has not chosen are the ones that the scenes were opened with.

        Args:
            parameters: As given to the algorithm.
            context: As given to the algorithm.

        Returns:
            Value by option.
        """
        return with_remembered(self._chosen_options(parameters, context), self.remembered)

    def remember_opening(
        self,
        parameters: Parameters,
        context: QgsProcessingContext,
        feedback: QgsProcessingFeedback,
    ) -> None:
        """Set `remembered`, and tell of it; call on the main thread, where layers live.

        Args:
            parameters: As given to the algorithm.
            context: As given to the algorithm.
            feedback: Is told which options are taken, and where the dialog has others.
        """
        self.remembered = {}
        if self.parameterDefinition("FOLLOW_LINKS") is None:
            return
        scenes = self._opened_scenes(parameters, context, feedback)
        common, others = common_options(scenes)
        given = self._chosen_options(parameters, context)
        for name, value in {**others, **common}.items():
            now = given.get(name)
            title = self.titles().get(f"--{name.replace('_', '-')}", name)
            what = f"'{title}' {'on' if value is True else value}"
            if is_chosen(name, now):
                if now != value:
                    feedback.pushInfo(f"A layer was opened with {what}; this run takes {now}.")
            elif name in common:
                feedback.pushInfo(f"The scene is read as it was opened, with {what}.")
            else:
                feedback.pushWarning(
                    f"A layer was opened with {what}, and other scenes of this run were not; all are read without it"
                )
        self.remembered = common

    def _opened_scenes(
        self, parameters: Parameters, context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> list[ShownProduct | None]:
        """The product of each scene; None for one that *Open scene* did not open."""
        defined = {one.name() for one in self.parameterDefinitions()}
        files: list[ShownProduct | None] = [
            None for name in {"PRODUCT", "FOLDER"} & defined if parameters.get(name)
        ]
        if "INPUTS" in defined:
            layers = self.parameterAsLayerList(parameters, "INPUTS", context) or []
        elif "INPUT" in defined and parameters.get("INPUT"):
            layers = [self.parameterAsRasterLayer(parameters, "INPUT", context)]
        else:
            layers = []
        rasters = [one for one in layers if isinstance(one, QgsRasterLayer)]
        return [*(shown_product(one, context, feedback) for one in rasters), *files]

    def _chosen_options(
        self, parameters: Parameters, context: QgsProcessingContext
    ) -> dict[str, Value]:
        """Options of `add_opening` as the dialog has them."""
        texts = [
            name
            for name in ("WAVELENGTHS", "MASK", "GRID", "ASSET")
            if self.parameterDefinition(name) is not None
        ]
        return {
            **{
                name.lower(): self.parameterAsString(parameters, name, context).strip()
                for name in texts
            },
            "pixel_size": self.parameterAsDouble(parameters, "PIXEL_SIZE", context)
            if parameters.get("PIXEL_SIZE")
            else None,
            "dem": raster_path(self, parameters, "DEM", context, zero_is_missing=False)
            if parameters.get("DEM")
            else None,
            "follow_links": self.parameterAsBoolean(parameters, "FOLLOW_LINKS", context),
        }

    def cleaning_options(
        self, parameters: Parameters, context: QgsProcessingContext
    ) -> dict[str, Value]:
        """Options of the command line for `add_cleaning`.

        Args:
            parameters: As given to the algorithm.
            context: As given to the algorithm.

        Returns:
            Value by option.
        """
        return {
            name.lower(): self.parameterAsString(parameters, name, context).strip()
            for name, _ in CLEANING
        }

    def map_options(
        self,
        parameters: Parameters,
        context: QgsProcessingContext,
        feedback: QgsProcessingFeedback,
    ) -> dict[str, Value]:
        """Options of the command line for what is mapped and written.

        Args:
            parameters: As given to the algorithm.
            context: As given to the algorithm.
            feedback: Its cancelling ends the export of the area.

        Returns:
            Value by option.

        Raises:
            QgsProcessingException: If there is no path for the map.
        """
        output = self.parameterAsOutputLayer(parameters, "OUTPUT", context)
        if not output:
            raise QgsProcessingException("no path is given for the class map")
        if QgsProcessingUtils.tempFolder() in output:
            self.names[output] = "Class map"
        return {
            "aoi": self.aoi(parameters, context, feedback),
            "max_memory": self.parameterAsString(parameters, "MAX_MEMORY", context),
            "confidence": is_output_wanted(parameters, "CONFIDENCE"),
            "probabilities": is_output_wanted(parameters, "PROBABILITIES"),
            "parents": is_output_wanted(parameters, "PARENTS"),
            "stac": self.parameterAsBoolean(parameters, "STAC", context),
            **self.cleaning_options(parameters, context),
            **self.zone_options(parameters, context, feedback),
            "out": output,
            # QGIS has asked the user before. Without a map, files of its other names are not ours.
            "overwrite": os.path.exists(output),
        }
