"""Parameters of what a model is learnt from: labels, spectral libraries, weights."""

from __future__ import annotations

from qgis.core import (
    QgsProcessing,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterField,
    QgsProcessingParameterFile,
    QgsProcessingParameterFileDestination,
    QgsProcessingParameterMultipleLayers,
    QgsProcessingParameterNumber,
    QgsProcessingParameterString,
)

from .label_layers import further_labels
from .parameter_basics import ANY_FILE, HelpedParameters
from .scene_choice import suggested_labels

#: Files of models, for the file dialog.
MODEL_FILES = "hsi-geo models (*.safetensors)"

#: Least weight of a spectrum of a library; 0 would leave it out.
LEAST_WEIGHT = 0.001

#: Files of spectral libraries, for the file dialog.
LIBRARY_FILES = (
    "Spectral libraries (*.sli *.esl *.hdr *.csv *.txt *.gpkg *.geojson *.json *.asd *.sig);;"
    f"{ANY_FILE}"
)


class LearningParameters(HelpedParameters):
    """An algorithm that learns a model."""

    def add_labels(self, name: str, title: str) -> None:
        """Add a layer of labelled features, CLASS_FIELD, and further layers.

        Args:
            name: Name of the parameter.
            title: Title of the parameter.
        """
        kinds = [QgsProcessing.SourceType.TypeVectorAnyGeometry]
        labels = QgsProcessingParameterFeatureSource(name, title, kinds, optional=True)
        labels.setGuiDefaultValueOverride(suggested_labels())
        self.addParameter(labels)
        field = QgsProcessingParameterField(
            "CLASS_FIELD", "Field with the class", parentLayerParameterName=name, optional=True
        )
        field.setMetadata({"widget_wrapper": {"class": "hsi_geo_qgis.widgets.ClassFieldWidget"}})
        self.addParameter(field)
        kind = QgsProcessing.SourceType.TypeMapLayer
        further = f"Further {title[0].lower()}{title[1:]} (layers, or rasters of classes)"
        self.addParameter(
            QgsProcessingParameterMultipleLayers(further_labels(name), further, kind, optional=True)
        )

    def add_learning(self) -> None:
        """Add what a model is learnt from: LABELS with its field and further layers, a spectral library, and options."""
        self.add_labels("LABELS", "Labels")
        self.add_advanced(
            QgsProcessingParameterField(
                "PARENT_FIELD",
                "Field with the parent of the class",
                parentLayerParameterName="LABELS",
                optional=True,
            )
        )
        self.add_library()
        self.add_all_touched()
        self.add_trust_shots()
        self.add_seed()
        self.add_weights()

    def add_library(self) -> None:
        """Add the parameters LIBRARY, LIBRARY_FIELD and LIBRARY_WEIGHT: spectra that are used as labels."""
        library = QgsProcessingParameterFile(
            "LIBRARY",
            "Spectral library (file or folder)",
            optional=True,
            fileFilter=LIBRARY_FILES,
        )
        library.setMetadata({"widget_wrapper": {"class": "hsi_geo_qgis.widgets.LibraryWidget"}})
        self.add_advanced(library)
        self.add_advanced(
            QgsProcessingParameterString(
                "LIBRARY_FIELD", "Field of the library with the class", optional=True
            )
        )
        self.add_advanced(
            QgsProcessingParameterNumber(
                "LIBRARY_WEIGHT",
                "Weight of a spectrum of the library",
                QgsProcessingParameterNumber.Type.Double,
                defaultValue=1.0,
                minValue=LEAST_WEIGHT,
                maxValue=1.0,
            )
        )

    def add_kept_model(self) -> None:
        """Add the optional output MODEL, a file."""
        self.addParameter(
            QgsProcessingParameterFileDestination(
                "MODEL",
                "Model, to map other scenes with",
                MODEL_FILES,
                optional=True,
                createByDefault=False,
            )
        )

    def add_all_touched(self) -> None:
        """Add the parameter ALL_TOUCHED: which pixels a polygon covers."""
        self.add_advanced(
            QgsProcessingParameterBoolean(
                "ALL_TOUCHED",
                "Take every pixel a polygon touches, not only centres",
                defaultValue=False,
            )
        )

    def add_trust_shots(self) -> None:
        """Add the parameter TRUST_SHOTS: whether labels that look wrong weigh as much as others."""
        self.add_advanced(
            QgsProcessingParameterBoolean(
                "TRUST_SHOTS",
                "Trust all labels, also those that look wrong",
                defaultValue=False,
            )
        )

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
