"""Batch of tiles."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from typing import Any, ClassVar

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingOutputMultipleLayers,
    QgsProcessingOutputNumber,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterFile,
    QgsProcessingParameterFolderDestination,
    QgsProcessingParameterNumber,
)

from .base import HsiGeoAlgorithm, Results
from .command import arguments
from .layers import Parameters
from .map_files import load_table
from .protocol import ADDING_AREAS, CHECKING_TILES, MAPPING
from .runner import warn
from .styling import load_styled, load_with_style

#: Share of the time that each stage takes, about.
STAGES = {CHECKING_TILES: 0.05, MAPPING: 0.9, ADDING_AREAS: 0.05}

#: What the name of a mosaic of confidence ends in.
CONFIDENCE_END = "_confidence.vrt"

#: Output and the state of the tiles that it counts.
NUMBERS = (
    ("MAPPED", "Tiles that were mapped", "mapped"),
    ("UNCHANGED", "Tiles that had a map", "unchanged"),
    ("FAILED", "Tiles that could not be mapped", "failed"),
)


class BatchOfTiles(HsiGeoAlgorithm):
    """``hsi-geo batch``."""

    NAME = "batch"
    TITLE = "Batch of tiles"
    SHORT = "Map many tiles with a model, without seams, and show them as one mosaic."
    TAGS = (*HsiGeoAlgorithm.TAGS, "tiles", "mosaic", "VRT", "folder")
    HELP = """<p>Maps many tiles with one model. Tiles on one pixel grid are mapped without seams. A mosaic (VRT) of
all maps is added to the project.</p>
<h3>Example</h3>
<p>Choose a folder of tiles, a model of <i>Adapt model</i> and a folder for the maps, and run. If you cancel, run
again with the same folders: finished maps stay, and only the other tiles are mapped.</p>"""
    HELPS: ClassVar = {
        "FOLDER": "Every scene in this folder is mapped. You may choose layers instead, or both.",
        "PRODUCT": "One of these: a text file (.txt) with a path or a link a line; a STAC item or item collection (.json), as a file "
        "or a link; a mosaic (.vrt), for its tiles; or one scene, as a file or a link.",
        "OVERWRITE": "Off: only tiles that have no map yet are mapped.",
        "POLYGONS": "One layer for all tiles: polygons cross their edges. Each has class, name, hectares and mean confidence.",
        "PARENTS": "Raster of the upper level beside each map. The model has to be of labels with parents.",
        "ZONES": "Polygons in any CRS: communes, catchments, parcels. The area of each class in each of them, in all maps together, is "
        "written as 'zones.csv'.",
        "WORKERS": "Number of tiles that are mapped at a time. If it is empty, as many as processor cores and memory allow.",
        "OUTPUT": "Each map keeps its tile's name. Choose a folder that stays; a temporary one is gone when QGIS ends. The file "
        "'batch.jsonl' in it tells what became of each tile.",
    }

    def initAlgorithm(self, config: dict[str, Any] | None = None) -> None:
        """Define the parameters and outputs."""
        self.addParameter(
            QgsProcessingParameterFile(
                "FOLDER",
                "Folder of tiles",
                QgsProcessingParameterFile.Behavior.Folder,
                optional=True,
            )
        )
        self.add_scenes("Tiles (layers)")
        self.add_product("and a list, STAC items or a link", optional=True)
        self.add_model()
        for name, title in (
            ("CONFIDENCE", "Write the confidence of each map"),
            ("PROBABILITIES", "Write the probabilities of each map"),
            ("PARENTS", "Write the map of the parents of each tile (classes of two levels)"),
            ("POLYGONS", "Write polygons across all maps (and the confidence of each map)"),
            ("OVERWRITE", "Map every tile again"),
        ):
            definition = QgsProcessingParameterBoolean(name, title, defaultValue=False)
            self.add_advanced(definition)
        whole = QgsProcessingParameterNumber.Type.Integer
        self.add_advanced(
            QgsProcessingParameterNumber(
                "WORKERS", "Processes (all that fit if empty)", whole, optional=True, minValue=1
            )
        )
        self.add_rescale()
        self.add_opening()
        self.add_device()
        self.add_cleaning()
        self.add_zones()
        self.add_memory()
        self.addParameter(QgsProcessingParameterFolderDestination("OUTPUT", "Folder for the maps"))
        self.addOutput(QgsProcessingOutputMultipleLayers("MOSAICS", "Mosaics of the maps"))
        for name, title, _ in NUMBERS:
            self.addOutput(QgsProcessingOutputNumber(name, title))

    def processAlgorithm(
        self, parameters: Parameters, context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> Results:
        """Run hsi-geo."""
        folder = self.parameterAsString(parameters, "OUTPUT", context)
        workers = parameters.get("WORKERS")
        command = arguments(
            "batch",
            *self.scenes(parameters, context, "FOLDER", "PRODUCT"),
            model=self.parameterAsFile(parameters, "MODEL", context),
            **{
                name.lower(): self.parameterAsBoolean(parameters, name, context)
                for name in ("CONFIDENCE", "PROBABILITIES", "PARENTS", "POLYGONS", "OVERWRITE")
            },
            workers=None
            if workers in (None, "")
            else self.parameterAsInt(parameters, "WORKERS", context),
            rescale=self.parameterAsString(parameters, "RESCALE", context),
            **self.opening_options(parameters, context),
            device=self.parameterAsEnumString(parameters, "DEVICE", context),
            **self.cleaning_options(parameters, context),
            **self.zone_options(parameters, context, feedback),
            max_memory=self.parameterAsString(parameters, "MAX_MEMORY", context),
            out=folder,
        )
        run = self.run_command(command, feedback, STAGES, partial=True, kept=_kept(folder))
        run.show_output(after=1)
        tiles = run.result["tiles"]
        if run.has_failed and not tiles["mapped"] + tiles["unchanged"]:
            raise QgsProcessingException(run.failure())
        if run.has_failed:
            warn(run.failure(), feedback)
        mosaics = _mosaics_of_maps(run.result["outputs"].values())
        style = _style_of_a_map(run.result["outputs"]["log"])
        if context.project() is not None:
            for path in mosaics:
                name = f"{os.path.basename(os.path.abspath(folder))} ({os.path.basename(path)})"
                details = QgsProcessingContext.LayerDetails(name, context.project(), "MOSAICS")
                context.addLayerToLoadOnCompletion(path, details)
                if style:
                    load_with_style(path, style, context)
            for path in run.result["outputs"].values():
                if path.endswith(".csv"):
                    load_table(path, context)
                if path.endswith(".gpkg"):
                    name = os.path.splitext(os.path.basename(path))[0]
                    details = QgsProcessingContext.LayerDetails(name, context.project(), "")
                    context.addLayerToLoadOnCompletion(path, details)
                    load_styled(path, context)
        counts = {name: tiles[state] for name, _, state in NUMBERS}
        return {"OUTPUT": folder, "MOSAICS": mosaics, **counts}

    def checkParameterValues(
        self, parameters: Parameters, context: QgsProcessingContext
    ) -> tuple[bool, str]:
        """Whether the values can be used, and why not: at least one tile has to be given."""
        if not any(parameters.get(name) for name in ("INPUTS", "FOLDER", "PRODUCT")):
            return False, "no tiles are given; choose a folder of tiles, raster layers, or a list"
        return super().checkParameterValues(parameters, context)


def _kept(folder: str) -> str:
    """What a cancelled batch leaves."""
    return (
        f"maps that were finished stay in '{folder}'; run again with the same folder, and without 'Map every tile "
        "again', to map the other tiles"
    )


def _mosaics_of_maps(outputs: Iterable[str]) -> list[str]:
    """Those of a batch's files that are mosaics of maps; one of confidence would get their style."""
    return [path for path in outputs if path.endswith(".vrt") and not path.endswith(CONFIDENCE_END)]


def _style_of_a_map(log: str) -> str:
    """Path of the style (.qml) of the first map that a batch's log names; empty if there is none."""
    try:
        with open(log, encoding="utf-8") as file:
            entries = [json.loads(line) for line in file]
    except (OSError, ValueError):
        return ""
    styles = [
        os.path.splitext(entry["map"])[0] + ".qml"
        for entry in entries
        if entry["state"] in ("mapped", "unchanged")
    ]
    return next((style for style in styles if os.path.exists(style)), "")
