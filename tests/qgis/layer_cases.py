"""Cases on what only QGIS knows of layers, which `cases.py` runs inside QGIS's own Python."""

from __future__ import annotations

from qgis.core import QgsCoordinateReferenceSystem, QgsProject, QgsRasterLayer, QgsRasterRange
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
