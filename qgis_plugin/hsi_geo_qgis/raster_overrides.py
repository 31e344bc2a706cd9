"""What only QGIS holds of a raster: a CRS, and values of no data, that a user has set for the layer."""

from __future__ import annotations

from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransform,
    QgsCoordinateTransformContext,
    QgsCsException,
    QgsDataProvider,
    QgsPointXY,
    QgsProcessingException,
    QgsProviderRegistry,
    QgsRasterLayer,
)

#: Two CRS are one for a raster if they put its corners within this part of a pixel.
_SAME_PLACE_PX = 0.1


def crs_problem(layer: QgsRasterLayer, product: str = "", *, may_lack_crs: bool = False) -> str:
    """How the CRS of a layer differs from that of its file, which hsi-geo reads.

    Args:
        layer: A layer that GDAL reads.
        product: Path of the product that it shows; empty if it shows its own file.
        may_lack_crs: Whether the file may have no CRS, since that of the layer is taken.

    Returns:
        A sentence with advice; empty if both put the raster at the same place.
    """
    file_crs = _crs_of_file(layer)
    if _is_same_place(layer, file_crs) or (may_lack_crs and not file_crs.isValid()):
        return ""
    shown = f"in {_named(layer.crs())}" if layer.crs().isValid() else "without a CRS"
    held = f"says {_named(file_crs)}" if file_crs.isValid() else "has no CRS"
    write = "" if product else "write the CRS into the file with 'Assign projection', or "
    return (
        f"layer '{layer.name()}' is shown {shown}, but its file {held}, and hsi-geo reads the file; {write}set the "
        "layer back to the CRS of its file"
    )


def nodata_problem(layer: QgsRasterLayer, *, zero_is_missing: bool = True) -> str:
    """How the values of no data of a layer differ from those of its file, which hsi-geo reads.

    Args:
        layer: A layer that GDAL reads, with one value a pixel: classes, heights or per cent.
        zero_is_missing: Whether 0 is no data where the file names no other value, as in rasters of classes.

    Returns:
        A sentence with advice; empty if there is no difference that matters.
    """
    provider, band = layer.dataProvider(), 1
    own = provider.sourceNoDataValue(band) if provider.sourceHasNoDataValue(band) else None
    if own is not None and not provider.useSourceNoDataValue(band):
        return (
            f"the no data value {own:g} of layer '{layer.name()}' is switched off in QGIS, but its file has it, and "
            "hsi-geo reads the file; switch it on under 'Transparency' of the layer's properties, or write a copy "
            "without it by 'Translate'"
        )
    missing = 0.0 if own is None and zero_is_missing else own
    added = [
        (one.min(), one.max())
        for one in provider.userNoDataValues(band)
        if not one.min() == one.max() == missing
    ]
    if not added:
        return ""
    values = ", ".join(f"{low:g}" if low == high else f"{low:g} to {high:g}" for low, high in added)
    tool = "Translate" if own is None and values == f"{added[0][0]:g}" else "Reclassify by table"
    return (
        f"layer '{layer.name()}' has the additional no data value {values} in QGIS, but its file does not, and "
        f"hsi-geo reads the file; write a copy in which it is the no data value by '{tool}', or remove it under "
        "'Transparency' of the layer's properties"
    )


def require_nodata_of_file(layer: QgsRasterLayer, *, zero_is_missing: bool = True) -> None:
    """Refuse values of no data that only QGIS holds.

    Args:
        layer: A layer that GDAL reads; see `nodata_problem`.
        zero_is_missing: See `nodata_problem`.

    Raises:
        QgsProcessingException: If there are such values.
    """
    problem = nodata_problem(layer, zero_is_missing=zero_is_missing)
    if problem:
        raise QgsProcessingException(problem)


def _crs_of_file(layer: QgsRasterLayer) -> QgsCoordinateReferenceSystem:
    """The CRS that QGIS would give a layer of the same source, if nobody had set one."""
    registry, options = QgsProviderRegistry.instance(), QgsDataProvider.ProviderOptions()
    provider = registry.createProvider(layer.providerType(), layer.source(), options)
    if provider is None or not provider.isValid():
        provider = layer.dataProvider()
    return provider.crs()


def _is_same_place(layer: QgsRasterLayer, crs: QgsCoordinateReferenceSystem) -> bool:
    """Whether a layer's own CRS and another one put its corners at the same place."""
    if layer.crs() == crs:
        return True
    if not layer.crs().isValid() or not crs.isValid():
        return False
    transform = QgsCoordinateTransform(layer.crs(), crs, QgsCoordinateTransformContext())
    extent = layer.extent()
    corners = [
        QgsPointXY(x, y)
        for x in (extent.xMinimum(), extent.xMaximum())
        for y in (extent.yMinimum(), extent.yMaximum())
    ]
    pixel = min(abs(layer.rasterUnitsPerPixelX()), abs(layer.rasterUnitsPerPixelY()))
    try:
        return all(
            transform.transform(corner).distance(corner) <= _SAME_PLACE_PX * pixel
            for corner in corners
        )
    except QgsCsException:
        return False


def _named(crs: QgsCoordinateReferenceSystem) -> str:
    return str(crs.userFriendlyIdentifier())
