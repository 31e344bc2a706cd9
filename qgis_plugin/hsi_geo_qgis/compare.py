"""Compare maps."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, ClassVar

from qgis.core import (
    QgsProcessing,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingOutputNumber,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterField,
    QgsProcessingParameterFileDestination,
    QgsProcessingParameterRasterDestination,
    QgsProcessingParameterRasterLayer,
    QgsProcessingParameterVectorDestination,
)

from .base import HsiGeoAlgorithm, Results
from .class_field import own_name
from .class_styles import value_names
from .command import Value, arguments
from .feature_export import export_source
from .layers import SAMPLE_FIELDS, Parameters, is_output_wanted, raster_path, vector_layer
from .map_files import move_files, warn_of_mismatches, word_report
from .parameter_basics import one_of
from .protocol import COMPARING_MAPS
from .runner import warn
from .styling import load_styled


class CompareMaps(HsiGeoAlgorithm):
    """``hsi-geo compare``."""

    NAME = "compare"
    TITLE = "Compare maps"
    SHORT = "Compare two class maps of one place: what changed, where, and how surely."
    TAGS = (
        *HsiGeoAlgorithm.TAGS,
        "change detection",
        "from-to",
        "transition matrix",
        "area estimation",
    )
    HELP = """<p>Compares two class maps of one place. Classes are matched by name. The map of change has a class for each pair of an
old and a new class.</p>
<h3>Example</h3>
<p>Choose the maps of two years. The log shows the hectares of each change. For areas with standard errors, draw places of the
map of change with <i>Draw places to check a map</i>, fill in both classes, and choose that layer as <i>Reference</i>.</p>"""
    HELPS: ClassVar = {
        "OLD": "Class map of the earlier date, of hsi-geo or any other program.",
        "NEW": "Class map of the later date.",
        "RESAMPLE": "Off: maps of different pixels are refused. On: the new map is put on the pixels of the old one, by the nearest "
        "pixel.",
        "REFERENCE": "Points whose class you know at both dates, such as those of 'Draw places to check a map'.",
        "OLD_FIELD": "Field with the class at the earlier date; 'class_old' if it is empty.",
        "NEW_FIELD": "Field with the class at the later date; 'class_new' if it is empty.",
        "DESIGN": "How the reference points were chosen. 'none': not at random. 'simple': at random in the whole map. 'stratified': at "
        "random within each kind of change, or by 'Draw places to check a map'. With these two, areas of change are estimated with "
        "standard errors.",
        "WITH_REJECTED": "Off: pixels that one of the maps rejects, as unlike any label or too uncertain, are left out. On: they are "
        "classes of their own. They never count as changed land.",
        "OUTPUT": "GeoTIFF of changes: 302 is class 3 of the old map that became class 2. Pale colours: no change.",
        "CONFIDENCE": "Raster with the confidence of each change in per cent. Both maps need their confidence beside them.",
        "POLYGONS": "GeoPackage with each patch that changed as a polygon: both classes, hectares and confidence.",
        "REPORT": "HTML page with both maps, the matrix and the largest changes. The Results Viewer opens it.",
    }

    def initAlgorithm(self, config: dict[str, Any] | None = None) -> None:
        """Define the parameters and outputs."""
        self.addParameter(QgsProcessingParameterRasterLayer("OLD", "Old class map"))
        self.addParameter(QgsProcessingParameterRasterLayer("NEW", "New class map"))
        self.add_advanced(
            QgsProcessingParameterBoolean(
                "RESAMPLE", "Put the new map on the pixels of the old one", defaultValue=False
            )
        )
        self.add_advanced(
            QgsProcessingParameterBoolean(
                "WITH_REJECTED", "Compare rejected pixels as well", defaultValue=False
            )
        )
        self.add_smooth()
        kinds = [QgsProcessing.SourceType.TypeVectorAnyGeometry]
        self.addParameter(
            QgsProcessingParameterFeatureSource(
                "REFERENCE", "Reference of both dates", kinds, optional=True
            )
        )
        for name, title in (
            ("OLD_FIELD", "Field of the old class"),
            ("NEW_FIELD", "Field of the new class"),
        ):
            self.addParameter(
                QgsProcessingParameterField(
                    name, title, parentLayerParameterName="REFERENCE", optional=True
                )
            )
        self.addParameter(one_of("DESIGN", "Sampling design", ["none", "simple", "stratified"]))
        self.addParameter(QgsProcessingParameterRasterDestination("OUTPUT", "Map of change"))
        self.addParameter(
            QgsProcessingParameterRasterDestination(
                "CONFIDENCE",
                "Confidence of changes (per cent)",
                optional=True,
                createByDefault=False,
            )
        )
        self.addParameter(
            QgsProcessingParameterVectorDestination(
                "POLYGONS", "Polygons of change", QgsProcessing.SourceType.TypeVectorPolygon,
                optional=True, createByDefault=False,
            )
        )  # fmt: skip
        self.addParameter(
            QgsProcessingParameterFileDestination(
                "REPORT", "Report", "HTML files (*.html)", optional=True, createByDefault=False
            )
        )
        self.addOutput(QgsProcessingOutputNumber("CHANGED", "Share that changed (per cent)"))

    def prepareAlgorithm(
        self, parameters: Parameters, context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> bool:
        """Read the names of the classes of the reference, on the main thread, where layers live."""
        layer = vector_layer(parameters, "REFERENCE", context)
        named = {
            field if layer is None else own_name(layer.fields(), field): value_names(
                layer, field, feedback
            )
            for field in self._reference_fields(parameters, context)
        }
        self.reference_names = {field: names for field, names in named.items() if names}
        return super().prepareAlgorithm(parameters, context, feedback)

    def _reference_fields(
        self, parameters: Parameters, context: QgsProcessingContext
    ) -> tuple[str, ...]:
        """Fields with the class at the earlier and the later date."""
        return tuple(
            self.parameterAsString(parameters, name, context) or default
            for name, default in (("OLD_FIELD", "class_old"), ("NEW_FIELD", "class_new"))
        )

    def processAlgorithm(
        self, parameters: Parameters, context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> Results:
        """Run hsi-geo."""
        wanted = self._wanted_files(parameters, context)
        maps = [raster_path(self, parameters, name, context) for name in ("OLD", "NEW")]
        known = [
            names for path in dict.fromkeys(maps) for names in warn_of_mismatches(path, feedback)
        ]
        command = arguments(
            "compare",
            *maps,
            resample=self.parameterAsBoolean(parameters, "RESAMPLE", context),
            with_rejected=self.parameterAsBoolean(parameters, "WITH_REJECTED", context),
            smooth=self.parameterAsInt(parameters, "SMOOTH", context),
            polygons="POLYGONS" in wanted,
            report="REPORT" in wanted,
            **self._reference_options(parameters, context, feedback),
            out=wanted["OUTPUT"],
            overwrite=os.path.exists(wanted["OUTPUT"]),  # QGIS has asked the user before
        )
        run = self.run_command(command, feedback, {COMPARING_MAPS: 1.0}, known=known)
        run.show_output(after=1)
        results = _moved(wanted, run.result["outputs"])
        if "CONFIDENCE" in wanted and "CONFIDENCE" not in results:
            _tell_missing_confidence(wanted["CONFIDENCE"], context, feedback)
        if "REPORT" in results:
            word_report(results["REPORT"], self.titles(), self.names, results["OUTPUT"])
        for name in ("OUTPUT", "CONFIDENCE", "POLYGONS"):
            load_styled(results.get(name), context)
        return {**results, "CHANGED": 100.0 * run.result["comparison"]["changed_share"]}

    def _wanted_files(
        self, parameters: Parameters, context: QgsProcessingContext
    ) -> dict[str, str]:
        """Path of each output that is wanted, by its name."""
        wanted = {
            name: str(self.parameterAsOutputLayer(parameters, name, context))
            for name in ("OUTPUT", "CONFIDENCE")
            if is_output_wanted(parameters, name)
        }
        if not wanted.get("OUTPUT"):
            raise QgsProcessingException("no path is given for the map of change")
        if is_output_wanted(parameters, "POLYGONS"):
            wanted["POLYGONS"] = self.geopackage(parameters, context, "POLYGONS")
        if parameters.get("REPORT"):
            wanted["REPORT"] = str(self.parameterAsFileOutput(parameters, "REPORT", context))
        return wanted

    def _reference_options(
        self, parameters: Parameters, context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Value]:
        """Options of the command line for the reference, which is exported to a file."""
        if not parameters.get("REFERENCE"):
            return {}
        source = self.parameterAsSource(parameters, "REFERENCE", context)
        fields = [
            own_name(source.fields(), one) for one in self._reference_fields(parameters, context)
        ]
        path = export_source(
            source, context, feedback, more=(*fields, *SAMPLE_FIELDS), names=self.reference_names
        )
        self.names[path] = str(source.sourceName())
        design = self.parameterAsEnumString(parameters, "DESIGN", context)
        return {
            "reference": path,
            "old_field": fields[0],
            "new_field": fields[1],
            "design": None if design == "none" else design,
        }


def _moved(wanted: Mapping[str, str], written: Mapping[str, str]) -> Results:
    """Move the files beside the map to where the user wants them; the path of each output that was written."""
    beside = {
        name: path for name, path in wanted.items() if name != "OUTPUT" and name.lower() in written
    }
    move_files({written[name.lower()]: path for name, path in beside.items()})
    return {"OUTPUT": written["map"], **beside}


def _tell_missing_confidence(
    path: str, context: QgsProcessingContext, feedback: QgsProcessingFeedback
) -> None:
    warn(
        "the confidence of changes is not written: a map has no confidence beside it; make that map again with "
        "its confidence",
        feedback,
    )
    shown = context.layersToLoadOnCompletion()
    shown.pop(path, None)  # QGIS would miss it
    context.setLayersToLoadOnCompletion(shown)
