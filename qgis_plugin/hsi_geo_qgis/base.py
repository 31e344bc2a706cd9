"""Base class of the algorithms: common parameters, outputs and texts of the toolbox."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from qgis.core import (
    Qgis,
    QgsApplication,
    QgsProcessing,
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterEnum,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterField,
    QgsProcessingParameterFile,
    QgsProcessingParameterMultipleLayers,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterDestination,
    QgsProcessingParameterRasterLayer,
    QgsProcessingParameterString,
    QgsProcessingUtils,
    QgsProject,
    QgsRasterLayer,
)
from qgis.PyQt.QtCore import QThread
from qgis.PyQt.QtGui import QIcon
from qgis.utils import iface

from .about import ICON, VERSION, help_page
from .command import Value
from .interpreter import LauncherError
from .layers import (
    Parameters,
    chosen_field,
    class_styles,
    export_features,
    layer_path,
    raster_path,
    vector_layer,
    write_class_styles,
)
from .protocol import Stages
from .record import mismatch_warning, mismatched_files, record_path
from .run_group import RunSummary, arrange
from .runner import Run, launcher, run_command, warn
from .styling import write_confidence_style

Results = dict[str, Any]

#: Options of the command line that have another name than the parameter.
_OPTIONS = {"LABELS": "--shots", "OUTPUT": "--out"}

#: QGIS's own "All files (*.*)" refuses names without a dot.
ANY_FILE = "All files (*)"

#: How long the message of a finished run is shown.
MESSAGE_SECONDS = 30

#: A raster of fewer bands is not suggested as a scene.
FEWEST_BANDS = 8

#: Files of products that hsi-geo reads, for the file dialog.
PRODUCT_FILES = (
    "Hyperspectral products (*.he5 *.h5 *.nc *.hdr *.zip *.tar *.gz *.tgz *METADATA.XML *METADATA.xml "
    f"*.tif *.tiff *.bsq *.bil *.bip *.dat *.img *.vrt);;{ANY_FILE}"
)


class HsiGeoAlgorithm(QgsProcessingAlgorithm):
    """Base of the algorithms.

    Attributes:
        NAME: Name in scripts, never translated.
        TITLE: Name in the toolbox.
        SHORT: One line for the toolbox.
        HELP: HTML beside the dialog, with an example.
        TAGS: Words for the toolbox's search.
    """

    NAME = ""
    TITLE = ""
    SHORT = ""
    HELP = ""
    TAGS: tuple[str, ...] = ("hyperspectral", "land cover", "classification", "few-shot")

    def name(self) -> str:
        """Name of the algorithm in scripts, never translated."""
        return self.NAME

    def displayName(self) -> str:
        """Name of the algorithm in the toolbox."""
        return self.TITLE

    def shortDescription(self) -> str:
        """One line for the toolbox."""
        return self.SHORT

    def shortHelpString(self) -> str:
        """HTML beside the dialog, with an example."""
        return " ".join(self.HELP.split())  # QGIS shows line breaks of the source as such

    def helpUrl(self) -> str:
        """Address of the algorithm's section of the documentation."""
        return help_page(self.TITLE.lower().replace(" ", "-"))

    def tags(self) -> list[str]:
        """Words for the toolbox's search."""
        return list(self.TAGS)

    def icon(self) -> QIcon:
        """The plugin's icon."""
        return QIcon(ICON)

    def createInstance(self) -> QgsProcessingAlgorithm:
        """A new instance."""
        return type(self)()

    def canExecute(self) -> tuple[bool, str]:
        """Whether hsi-geo is set up, and why not. Whether it works shows when it runs."""
        try:
            launcher()
        except LauncherError as error:
            return False, str(error)
        return True, ""

    def prepareAlgorithm(
        self, parameters: Parameters, context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> bool:
        """Read styles of label layers, on the main thread, where layers live."""
        self.class_styles: dict[str, dict[str, str]] = {}
        self.class_field = ""
        self.started = datetime.now()
        self.summary: RunSummary | None = None
        self.labels: dict[str, str] = {}
        self.names: dict[str, str] = {}  # what users call the files that hsi-geo is given
        self.scene_name = self._scene_name(parameters, context)
        for definition in self.parameterDefinitions():
            if isinstance(definition, QgsProcessingParameterField):
                given = self.parameterAsString(parameters, definition.name(), context)
                layer = vector_layer(parameters, definition.parentLayerParameterName(), context)
                self.class_field = chosen_field(layer, given)
                if layer is not None:
                    self.labels[layer.id()] = layer.name()
                self.class_styles = class_styles(layer, self.class_field)
                if not given and self.class_field:
                    feedback.pushInfo(f"The class is in the field '{self.class_field}'.")
        return True

    def _scene_name(self, parameters: Parameters, context: QgsProcessingContext) -> str:
        if parameters.get("PRODUCT"):
            product = str(self.parameterAsFile(parameters, "PRODUCT", context))
            return os.path.basename(product.rstrip("/\\"))
        if self.parameterDefinition("INPUT") is None:
            return ""
        layer = self.parameterAsRasterLayer(parameters, "INPUT", context)
        return "" if layer is None else str(layer.name())

    def postProcessAlgorithm(
        self, context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> Results:
        """Show the accuracy in QGIS's message bar; QGIS calls this on the main thread."""
        if self.summary is not None and iface is not None:
            iface.messageBar().pushMessage(
                "hsi-geo", self.summary.message, Qgis.MessageLevel.Success, MESSAGE_SECONDS
            )
        return {}

    def checkParameterValues(
        self, parameters: Parameters, context: QgsProcessingContext
    ) -> tuple[bool, str]:
        """Whether the values can be used, and why not: one scene has to be given."""
        problem = ""
        if {"INPUT", "PRODUCT"} <= {one.name() for one in self.parameterDefinitions()}:
            problem = scene_problem(parameters)
        if problem:
            return False, problem
        ok, reason = super().checkParameterValues(parameters, context)
        return bool(ok), str(reason)

    def run_command(
        self,
        arguments: list[str],
        feedback: QgsProcessingFeedback,
        stages: Stages,
        part: tuple[float, float] = (0.0, 100.0),
        known: Sequence[tuple[str, ...]] = (),
        *,
        partial: bool = False,
    ) -> Run:
        """Run a command of hsi-geo; messages name this dialog's parameters instead of options."""
        return run_command(
            arguments, feedback, stages, part, self._titles(), known, self.names, partial=partial
        )

    def _titles(self) -> dict[str, str]:
        """Title of each parameter, up to a comma or bracket, by its option of the command line."""
        titles = {
            _OPTIONS.get(definition.name())
            or "--" + definition.name().lower().replace("_", "-"): definition.description()
            for definition in self.parameterDefinitions()
            if not definition.isDestination() or definition.name() in _OPTIONS
        }
        return {option: re.split(r",| \(", title)[0] for option, title in titles.items()}

    # Parameters ----------------------------------------------------------------------------------

    def add_scene(self) -> None:
        """Add the parameters INPUT and PRODUCT: the scene, as a layer or as a file or folder."""
        scene = QgsProcessingParameterRasterLayer(
            "INPUT", "Hyperspectral scene (a layer)", optional=True
        )
        scene.setGuiDefaultValueOverride(suggested_scene())
        self.addParameter(scene)
        self.add_product("or a product (file or folder)", optional=True)

    def add_product(self, title: str, *, optional: bool) -> None:
        """Add the parameter PRODUCT, a file or folder that hsi-geo reads.

        Args:
            title: Title of the parameter.
            optional: Whether it may be empty.
        """
        product = QgsProcessingParameterFile(
            "PRODUCT", title, optional=optional, fileFilter=PRODUCT_FILES
        )
        product.setMetadata({"widget_wrapper": {"class": "hsi_geo_qgis.widgets.ProductWidget"}})
        self.addParameter(product)

    def add_labels(self, name: str, title: str) -> None:
        """Add a layer of labelled features, and CLASS_FIELD.

        Args:
            name: Name of the parameter.
            title: Title of the parameter.
        """
        kinds = [QgsProcessing.SourceType.TypeVectorAnyGeometry]
        self.addParameter(QgsProcessingParameterFeatureSource(name, title, kinds))
        field = QgsProcessingParameterField(
            "CLASS_FIELD", "Field with the class", parentLayerParameterName=name, optional=True
        )
        field.setMetadata({"widget_wrapper": {"class": "hsi_geo_qgis.widgets.ClassFieldWidget"}})
        self.addParameter(field)

    def add_all_touched(self) -> None:
        """Add the parameter ALL_TOUCHED: which pixels a polygon covers."""
        self.add_advanced(
            QgsProcessingParameterBoolean(
                "ALL_TOUCHED",
                "Take every pixel a polygon touches, not only centres",
                defaultValue=False,
            )
        )

    def add_scenes(self, title: str) -> None:
        """Add the parameter INPUTS: several raster layers.

        Args:
            title: Title of the parameter.
        """
        kind = QgsProcessing.SourceType.TypeRaster
        self.addParameter(
            QgsProcessingParameterMultipleLayers("INPUTS", title, kind, optional=True)
        )

    def add_model(self) -> None:
        """Add the parameter MODEL."""
        models = "hsi-geo models (*.safetensors)"
        self.addParameter(QgsProcessingParameterFile("MODEL", "Model", fileFilter=models))

    def add_seed(self) -> None:
        """Add the parameter SEED."""
        whole = QgsProcessingParameterNumber.Type.Integer
        self.add_advanced(
            QgsProcessingParameterNumber("SEED", "Seed", whole, defaultValue=0, minValue=0)
        )

    def add_weights(self) -> None:
        """Add the parameter WEIGHTS."""
        title = "Pre-trained weights (those of hsi-geo if empty)"
        self.add_advanced(
            QgsProcessingParameterFile("WEIGHTS", title, optional=True, fileFilter=ANY_FILE)
        )

    def add_rescale(self) -> None:
        """Add the parameter RESCALE."""
        title = "Multiply the scene's values by this (a number, or auto)"
        self.add_advanced(QgsProcessingParameterString("RESCALE", title, optional=True))

    def add_aoi(self, title: str) -> None:
        """Add the parameter AOI.

        Args:
            title: Title of the parameter.
        """
        kinds = [QgsProcessing.SourceType.TypeVectorPolygon]
        self.add_advanced(QgsProcessingParameterFeatureSource("AOI", title, kinds, optional=True))

    def add_wavelengths(self) -> None:
        """Add the parameter WAVELENGTHS."""
        title = "Wavelengths, if the scene has none (a file, START:STOP in nm, or index)"
        self.add_advanced(QgsProcessingParameterString("WAVELENGTHS", title, optional=True))

    def add_device(self) -> None:
        """Add the parameter DEVICE."""
        self.add_advanced(one_of("DEVICE", "Device", ["auto", "cpu", "cuda"]))

    def add_memory(self) -> None:
        """Add the parameter MAX_MEMORY."""
        title = "Memory for strips of the scene"
        self.add_advanced(QgsProcessingParameterString("MAX_MEMORY", title, defaultValue="512M"))

    def add_run_options(self) -> None:
        """Add the parameters of every job on a scene: WAVELENGTHS, DEVICE and THREADS."""
        self.add_wavelengths()
        self.add_device()
        whole = QgsProcessingParameterNumber.Type.Integer
        self.add_advanced(
            QgsProcessingParameterNumber(
                "THREADS", "CPU threads (all if empty)", whole, optional=True, minValue=1
            )
        )

    def add_map_options(self) -> None:
        """Add the parameters of mapping, and the output maps."""
        self.add_aoi("Map only inside these polygons")
        self.add_run_options()
        self.add_memory()
        self.addParameter(QgsProcessingParameterRasterDestination("OUTPUT", "Class map"))
        for name, title in (
            ("CONFIDENCE", "Confidence (per cent)"),
            ("PROBABILITIES", "Probabilities (a band a class)"),
        ):
            self.addParameter(
                QgsProcessingParameterRasterDestination(
                    name, title, optional=True, createByDefault=False
                )
            )

    def add_advanced(self, definition: QgsProcessingParameterDefinition) -> None:
        """Add a parameter under *Advanced*.

        Args:
            definition: The parameter.
        """
        advanced = QgsProcessingParameterDefinition.Flag.FlagAdvanced
        definition.setFlags(definition.flags() | advanced)
        self.addParameter(definition)

    # Values --------------------------------------------------------------------------------------

    def scene(self, parameters: Parameters, context: QgsProcessingContext) -> str:
        """Path of the scene.

        Args:
            parameters: As given to the algorithm.
            context: As given to the algorithm.

        Raises:
            QgsProcessingException: If no scene is given, or two are.
        """
        problem = scene_problem(parameters)
        if problem:
            raise QgsProcessingException(problem)
        if parameters.get("PRODUCT"):
            return str(self.parameterAsFile(parameters, "PRODUCT", context))
        return raster_path(self, parameters, "INPUT", context)

    def scenes(
        self, parameters: Parameters, context: QgsProcessingContext, other: str
    ) -> list[str]:
        """Paths of several scenes.

        Args:
            parameters: As given to the algorithm.
            context: As given to the algorithm.
            other: Name of the parameter of a file or folder beside INPUTS.
        """
        layers = self.parameterAsLayerList(parameters, "INPUTS", context)
        paths = [layer_path(layer, context) for layer in layers or []]
        if parameters.get(other):
            paths.append(str(self.parameterAsFile(parameters, other, context)))
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
        return self._exported(parameters, "AOI", context, feedback)

    def label_options(
        self,
        parameters: Parameters,
        name: str,
        context: QgsProcessingContext,
        feedback: QgsProcessingFeedback,
    ) -> dict[str, Value]:
        """Options of the command line for labels; the labels are exported to a file.

        Args:
            parameters: As given to the algorithm.
            name: Name of the parameter, LABELS or REFERENCE.
            context: As given to the algorithm.
            feedback: Its cancelling ends the export.

        Returns:
            Value by option.
        """
        field = self.class_field
        classes = write_class_styles(self.class_styles)
        if classes is not None:
            self.names[classes] = "style of the labels"
        return {
            "reference" if name == "REFERENCE" else "shots": self._exported(
                parameters, name, context, feedback, field
            ),
            "class_field": field,
            "classes": classes,
            "all_touched": self.parameterAsBoolean(parameters, "ALL_TOUCHED", context),
        }

    def _exported(
        self,
        parameters: Parameters,
        name: str,
        context: QgsProcessingContext,
        feedback: QgsProcessingFeedback,
        field: str = "",
    ) -> str:
        """Path of the file that a layer is exported to; messages have the layer's name instead."""
        path = export_features(self, parameters, name, context, feedback, field)
        source = self.parameterAsSource(parameters, name, context)
        self.names[path] = str(source.sourceName())
        return path

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
            "wavelengths": self.parameterAsString(parameters, "WAVELENGTHS", context),
            "device": self.parameterAsEnumString(parameters, "DEVICE", context),
            "threads": None
            if threads in (None, "")
            else self.parameterAsInt(parameters, "THREADS", context),
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
            "confidence": bool(parameters.get("CONFIDENCE")),
            "probabilities": bool(parameters.get("PROBABILITIES")),
            "out": output,
            # QGIS has asked the user before. Without a map, files of its other names are not ours.
            "overwrite": os.path.exists(output),
        }

    def finish_maps(
        self,
        parameters: Parameters,
        context: QgsProcessingContext,
        feedback: QgsProcessingFeedback,
        run: Run,
    ) -> Results:
        """Move optional rasters to the user's paths, check all files, and load the styles.

        Args:
            parameters: As given to the algorithm.
            context: As given to the algorithm.
            feedback: Receives a warning for each file that differs from the map's record.
            run: The run that wrote the maps.

        Returns:
            Path of each output by its name.
        """
        run.show_output(after=1)  # the paths, which QGIS shows itself
        written = run.result["outputs"]
        results: Results = {"OUTPUT": written["map"]}
        for name in ("CONFIDENCE", "PROBABILITIES"):
            if parameters.get(name):
                target = self.parameterAsOutputLayer(parameters, name, context)
                move_file(written[name.lower()], target)
                results[name] = target
        moved = {name.lower(): path for name, path in results.items() if name != "OUTPUT"}
        warn_of_mismatches(results["OUTPUT"], feedback, moved)
        if "CONFIDENCE" in results:
            write_confidence_style(results["CONFIDENCE"])
        self.summary = self._summary(run)
        titles = {one.name(): one.description() for one in self.parameterDefinitions()}
        arrange(results, titles, self.summary, context)
        return results

    def _summary(self, run: Run) -> RunSummary:
        return RunSummary(
            algorithm=self.TITLE,
            version=VERSION,
            scene=self.scene_name,
            labels=tuple(self.labels.values()),
            label_ids=tuple(self.labels),
            field=self.class_field,
            started=self.started,
            accuracy=run.result.get("accuracy") or {},
            adapted_accuracy=run.result.get("adapted_accuracy") or {},
        )


def warn_of_mismatches(
    class_map: str, feedback: QgsProcessingFeedback, moved: Mapping[str, str] | None = None
) -> list[tuple[str, str]]:
    """Warn of each file of a map that differs from the map's record.

    Args:
        class_map: Path of the class map.
        feedback: Receives the warnings, as QGIS's log does.
        moved: Path of each file that no longer lies beside the map; see `mismatched_files`.

    Returns:
        Names of file and record in each warning.
    """
    record = os.path.basename(record_path(class_map))
    paths = mismatched_files(class_map, moved)
    for path in paths:
        warn(mismatch_warning(path, class_map), feedback)
    return [(f"'{os.path.basename(path)}'", f"'{record}'") for path in paths]


def scene_problem(parameters: Parameters) -> str:
    """What is wrong with the choice of a scene: none is given, or two are; empty if nothing is.

    Args:
        parameters: As given to the algorithm.
    """
    layer, product = parameters.get("INPUT"), parameters.get("PRODUCT")
    if layer and product:
        return "a layer and a product are given, and only one scene is mapped; clear one of the two"
    if not layer and not product:
        return "no scene is given; choose a raster layer, or the file or folder of a product"
    return ""


def suggested_scene() -> str | None:
    """Id of the layer that dialogs suggest as the scene: the active one, else that of the most bands."""
    application = QgsApplication.instance()
    if application is None or QThread.currentThread() != application.thread():
        return None  # layers live on the main thread
    layers = [
        layer
        for layer in QgsProject.instance().mapLayers().values()
        if isinstance(layer, QgsRasterLayer)
        and layer.providerType() == "gdal"
        and layer.bandCount() >= FEWEST_BANDS
    ]
    if not layers:
        return None
    active = [] if iface is None else [layer for layer in layers if layer == iface.activeLayer()]
    return str(max(active or layers, key=lambda layer: layer.bandCount()).id())


def one_of(name: str, title: str, options: list[str]) -> QgsProcessingParameterEnum:
    """A parameter with a few choices; the first is the default.

    Args:
        name: Name of the parameter.
        title: Title of the parameter.
        options: The choices, which scripts use too.
    """
    return QgsProcessingParameterEnum(
        name, title, options=options, defaultValue=options[0], usesStaticStrings=True
    )


def move_file(source: str, target: str | None) -> None:
    """Move a file to another folder or disk; no incomplete file gets the final name.

    Args:
        source: Path of the file.
        target: New path. Nothing is done if there is none, or it is the same.
    """
    if not target or os.path.abspath(source) == os.path.abspath(target):
        return
    beside = f"{target}.part"
    shutil.copyfile(source, beside)
    os.replace(beside, target)
    os.remove(source)
