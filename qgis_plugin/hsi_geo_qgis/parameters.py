"""Parameters that several algorithms of the toolbox have."""

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
    QgsProcessingParameterRasterDestination,
    QgsProcessingParameterRasterLayer,
    QgsProcessingParameterString,
)

from .learning_parameters import MODEL_FILES, LearningParameters
from .parameter_basics import ANY_FILE, one_of
from .scene_choice import suggested_scene

#: Name and title of the parameters of rejected pixels and small patches; texts as on the command line.
CLEANING = (
    ("REJECT", "Reject pixels unlike any label (auto, or a share such as 0.5)"),
    ("MIN_CONFIDENCE", "Reject pixels with less confidence (such as 60%)"),
    ("MIN_AREA", "Remove patches smaller than (such as 0.5ha or 10px)"),
)

#: Files of products that hsi-geo reads, for the file dialog.
PRODUCT_FILES = (
    "Hyperspectral products (*.he5 *.h5 *.nc *.hdr *.zip *.tar *.gz *.tgz *METADATA.XML *METADATA.xml "
    f"*.tif *.tiff *.bsq *.bil *.bip *.dat *.img *.vrt *.json);;{ANY_FILE}"
)


class CommonParameters(LearningParameters):
    """An algorithm that defines its parameters by what they are: a scene, labels, a model, an area."""

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

    def add_scenes(self, title: str) -> None:
        """Add the parameter INPUTS: several raster layers.

        Args:
            title: Title of the parameter.
        """
        kind = QgsProcessing.SourceType.TypeRaster
        self.addParameter(
            QgsProcessingParameterMultipleLayers("INPUTS", title, kind, optional=True)
        )

    def add_scenes_to_learn_from(self) -> None:
        """Add the parameters INPUTS and PRODUCT: several scenes, as layers or as a file, folder or link."""
        self.add_scenes("Hyperspectral scenes (layers)")
        self.add_product("and a product (file, folder or link)", optional=True)

    def add_model(self) -> None:
        """Add the parameter MODEL."""
        self.addParameter(QgsProcessingParameterFile("MODEL", "Model", fileFilter=MODEL_FILES))

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
