"""Cases on what only QGIS knows of layers, which `cases.py` runs inside QGIS's own Python."""

from __future__ import annotations

from qgis.core import (
    QgsCategorizedSymbolRenderer,
    QgsCoordinateReferenceSystem,
    QgsMarkerSymbol,
    QgsProcessingException,
    QgsProject,
    QgsRasterLayer,
    QgsRasterRange,
    QgsRendererCategory,
    QgsVectorLayer,
)
from running import Job, run


def overridden(job: Job) -> Job:
    """Run algorithms with a raster whose CRS or values of no data a user has set in QGIS."""
    rows = []
    for row in job["rows"]:
        layer = QgsRasterLayer(row["raster"], "Szene")
        assert layer.isValid(), row
        if row.get("crs") is not None:
            layer.setCrs(QgsCoordinateReferenceSystem(row["crs"]))
        provider = layer.dataProvider()
        ranges = [QgsRasterRange(low, high) for low, high in row.get("nodata", [])]
        provider.setUserNoDataValue(1, ranges)
        provider.setUseSourceNoDataValue(1, not row.get("off"))
        QgsProject.instance().addMapLayer(layer)
        given = [layer.id()] if row["parameter"].startswith("MORE_") else layer.id()
        rows.append(run(row["algorithm"], {**row["parameters"], row["parameter"]: given}))
    return {"rows": rows}


def several_runs(job: Job) -> Job:
    """Run algorithms one after another, each with the paths that it is given."""
    return {"rows": [run(row["algorithm"], row["parameters"]) for row in job["rows"]]}


def moved(job: Job) -> Job:
    """Move files as an algorithm does at its end."""
    from hsi_geo_qgis.map_files import move_files

    try:
        move_files(job["targets"])
    except QgsProcessingException as error:
        return {"error": str(error)}
    return {"error": ""}


def coded_places(job: Job) -> Job:
    """Run algorithms with reference points whose codes are named by the categories of each field."""
    layer = QgsVectorLayer(job["reference"], "Orte")
    rows = []
    for row in job["rows"]:
        categories = [
            QgsRendererCategory(int(code), QgsMarkerSymbol.createSimple({}), name)
            for code, name in job["names"].items()
        ]
        layer.setRenderer(QgsCategorizedSymbolRenderer("code", categories))
        QgsProject.instance().addMapLayer(layer)
        rows.append(run(row["algorithm"], {**row["parameters"], "REFERENCE": layer.id()}))
    return {"rows": rows}
