"""Parameters that several algorithms of the toolbox have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from qgis.core import (
    QgsProcessing,
    QgsProcessingAlgorithm,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterEnum,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterField,
    QgsProcessingParameterFile,
    QgsProcessingParameterFileDestination,
    QgsProcessingParameterMultipleLayers,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterDestination,
    QgsProcessingParameterRasterLayer,
    QgsProcessingParameterString,
)

from .label_layers import further_labels
from .parameter_help import COMMON
from .scene_choice import suggested_labels, suggested_scene

#: QGIS's own "All files (*.*)" refuses names without a dot.
ANY_FILE = "All files (*)"

#: Files of models, for the file dialog.
MODEL_FILES = "hsi-geo models (*.safetensors)"

#: Name and title of the parameters of rejected pixels and small patches; texts as on the command line.
CLEANING = (
    ("REJECT", "Reject pixels unlike any label (auto, or a share such as 0.5)"),
    ("MIN_CONFIDENCE", "Reject pixels with less confidence (such as 60%)"),
    ("MIN_AREA", "Remove patches smaller than (such as 0.5ha or 10px)"),
)

#: Least weight of a spectrum of a library; 0 would leave it out.
LEAST_WEIGHT = 0.001

#: Files of products that hsi-geo reads, for the file dialog.
PRODUCT_FILES = (
    "Hyperspectral products (*.he5 *.h5 *.nc *.hdr *.zip *.tar *.gz *.tgz *METADATA.XML *METADATA.xml "
    f"*.tif *.tiff *.bsq *.bil *.bip *.dat *.img *.vrt *.json);;{ANY_FILE}"
)

#: Files of spectral libraries, for the file dialog.
LIBRARY_FILES = (
    "Spectral libraries (*.sli *.esl *.hdr *.csv *.txt *.gpkg *.geojson *.json *.asd *.sig);;"
    f"{ANY_FILE}"
)


class CommonParameters(QgsProcessingAlgorithm):
    """An algorithm that defines its parameters by what they are: a scene, labels, a model, an area.

    Attributes:
        HELPS: Help of the algorithm's own parameters by their names; see `parameter_help.COMMON` for the others.
        listed: Title and help of each parameter, and whether it is under *Advanced*.
    """

    HELPS: ClassVar[Mapping[str, str]] = {}
    listed: tuple[tuple[str, str, bool], ...] = ()

    def addParameter(
        self, definition: QgsProcessingParameterDefinition, createOutput: bool = True
    ) -> bool:
        """Add a parameter with its help.

        Args:
            definition: The parameter.
            createOutput: Whether a destination also gets an output.
        """
        text = self.HELPS.get(definition.name()) or COMMON.get(definition.name(), "")
        definition.setHelp(text)
        is_advanced = definition.flags() & QgsProcessingParameterDefinition.Flag.FlagAdvanced
        self.listed = (*self.listed, (definition.description(), text, bool(is_advanced)))
        return bool(super().addParameter(definition, createOutput))

    def add_scene(self) -> None:
        """Add the parameters INPUT and PRODUCT: the scene, as a layer or as a file, folder or link."""
        scene = QgsProcessingParameterRasterLayer(
            "INPUT", "Hyperspectral scene (a layer)", optional=True
        )
        scene.setGuiDefaultValueOverride(suggested_scene())
        self.addParameter(scene)
        self.add_product("or a product (file, folder or link)", optional=True)

    def add_product(self, title: str, *, optional: bool) -> None:
        """Add the parameter PRODUCT, a file, folder or link that hsi-geo reads.

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

    def add_scenes_to_learn_from(self) -> None:
        """Add the parameters INPUTS and PRODUCT: several scenes, as layers or as a file, folder or link."""
        self.add_scenes("Hyperspectral scenes (layers)")
        self.add_product("and a product (file, folder or link)", optional=True)

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
        title = "Wavelengths, if the scene has none"
        self.add_advanced(QgsProcessingParameterString("WAVELENGTHS", title, optional=True))

    def add_mask(self, default: str = "auto") -> None:
        """Add the parameter MASK: pixels that count as missing.

        Args:
            default: Value before the user chooses.
        """
        title = "Mask (auto, none, flags or a file)"
        self.add_advanced(
            QgsProcessingParameterString("MASK", title, defaultValue=default, optional=True)
        )

    def add_grid(self) -> None:
        """Add the parameters GRID, PIXEL_SIZE and DEM: how swaths and flight lines are put onto a grid."""
        title = "Grid of a swath (UTM, native, swath or EPSG:n)"
        self.add_advanced(QgsProcessingParameterString("GRID", title, optional=True))
        self.add_advanced(
            QgsProcessingParameterNumber(
                "PIXEL_SIZE",
                "Pixel size of that grid (the scene's own if empty)",
                QgsProcessingParameterNumber.Type.Double,
                optional=True,
                minValue=0.0,
            )
        )
        title = "Terrain model of a scene with RPCs"
        self.add_advanced(QgsProcessingParameterRasterLayer("DEM", title, optional=True))

    def add_links(self) -> None:
        """Add the parameters ASSET and FOLLOW_LINKS: how links and STAC items are read."""
        title = "Asset of a STAC item (found if empty)"
        self.add_advanced(QgsProcessingParameterString("ASSET", title, optional=True))
        self.add_advanced(
            QgsProcessingParameterBoolean(
                "FOLLOW_LINKS",
                "Follow links of a STAC item or a server to other servers",
                defaultValue=False,
            )
        )

    def add_device(self) -> None:
        """Add the parameter DEVICE."""
        self.add_advanced(one_of("DEVICE", "Device", ["auto", "cpu", "cuda"]))

    def add_memory(self) -> None:
        """Add the parameter MAX_MEMORY."""
        title = "Memory, such as 512M or 2G"
        self.add_advanced(QgsProcessingParameterString("MAX_MEMORY", title, defaultValue="512M"))

    def add_smooth(self) -> None:
        """Add the parameter SMOOTH: passes of smoothing of the outlines of polygons."""
        title = "Smoothing of the outlines (0 follows the pixels)"
        whole = QgsProcessingParameterNumber.Type.Integer
        self.addParameter(
            QgsProcessingParameterNumber(
                "SMOOTH", title, whole, defaultValue=0, minValue=0, maxValue=20
            )
        )

    def add_cleaning(self) -> None:
        """Add the parameters of pixels that get no class, and of small patches: `CLEANING`."""
        for name, title in CLEANING:
            self.add_advanced(QgsProcessingParameterString(name, title, optional=True))

    def add_zones(
        self, title: str = "Zones to count the classes in", *, advanced: bool = True
    ) -> None:
        """Add the parameters ZONES and ZONE_FIELD: polygons in which the area of each class is counted.

        Args:
            title: Title of the layer.
            advanced: Whether they are optional, and under *Advanced*.
        """
        add = self.add_advanced if advanced else self.addParameter
        polygons = [QgsProcessing.SourceType.TypeVectorPolygon]
        add(QgsProcessingParameterFeatureSource("ZONES", title, polygons, optional=advanced))
        add(
            QgsProcessingParameterField(
                "ZONE_FIELD",
                "Field with the name of the zone",
                parentLayerParameterName="ZONES",
                optional=True,
            )
        )

    def add_zone_table(self) -> None:
        """Add the parameters of `add_zones`, and the optional output ZONE_TABLE, a CSV file."""
        self.add_zones()
        self.addParameter(
            QgsProcessingParameterFileDestination(
                "ZONE_TABLE",
                "Areas per zone (table)",
                "CSV files (*.csv)",
                optional=True,
                createByDefault=False,
            )
        )

    def add_run_options(self) -> None:
        """Add the parameters of every job on a scene: those of `add_opening`, DEVICE and THREADS."""
        self.add_opening()
        self.add_device()
        whole = QgsProcessingParameterNumber.Type.Integer
        self.add_advanced(
            QgsProcessingParameterNumber(
                "THREADS", "CPU threads (all if empty)", whole, optional=True, minValue=1
            )
        )

    def add_opening(self) -> None:
        """Add the parameters of opening a scene: WAVELENGTHS, MASK, GRID, ASSET and FOLLOW_LINKS."""
        self.add_wavelengths()
        self.add_mask()
        self.add_grid()
        self.add_links()

    def add_map_options(self) -> None:
        """Add the parameters of mapping, and the output maps."""
        self.add_aoi("Map only inside these polygons")
        self.add_run_options()
        self.add_cleaning()
        self.add_memory()
        self.add_advanced(
            QgsProcessingParameterBoolean(
                "STAC", "Write a STAC item beside the map", defaultValue=False
            )
        )
        self.add_zone_table()
        self.addParameter(QgsProcessingParameterRasterDestination("OUTPUT", "Class map"))
        for name, title in (
            ("CONFIDENCE", "Confidence (per cent)"),
            ("PROBABILITIES", "Probabilities (a band a class)"),
            ("PARENTS", "Map of the parents (classes of two levels)"),
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
