"""Styles of result layers in QGIS."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from typing import Any

from qgis.core import (
    QgsColorRampShader,
    QgsContrastEnhancement,
    QgsMapLayer,
    QgsMultiBandColorRenderer,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingLayerPostProcessorInterface,
    QgsProject,
    QgsRasterLayer,
    QgsRasterRenderer,
    QgsRasterShader,
    QgsSingleBandGrayRenderer,
    QgsSingleBandPseudoColorRenderer,
)
from qgis.PyQt.QtGui import QColor

from .products import ShownProduct, file_of, is_same_file, remember_product

#: Custom property in the styles (.qml) that are written beside confidences.
CONFIDENCE_PROPERTY = "hsi_geo/confidence"

#: Seconds by which times of files may lie before those of the clock.
_CLOCK_S = 2.0

#: Per cent and colour of the confidence ramp: viridis, which is safe for colour-blind readers.
RAMP = ((0, "#440154"), (25, "#3b528b"), (50, "#21918c"), (75, "#5ec962"), (100, "#fde725"))


def show_as_written(layer: QgsMapLayer, style: str = "") -> None:
    """Read the file of a result anew, with its style; call on the main thread.

    For a file that was replaced QGIS takes the layer that the project has of it, and that shows what it has read before.
    QGIS loads no style of results itself: neither one beside the file (.qml) nor that in a GeoPackage.

    Args:
        layer: The layer.
        style: Path of a style (.qml) of another file; empty for that of its own.
    """
    layer.reload()
    if style:
        layer.loadNamedStyle(style)
    else:
        layer.loadDefaultStyle()
    layer.triggerRepaint()


def read_anew(project: QgsProject, paths: Sequence[str], since: float = 0.0) -> None:
    """Read the layers of a project anew whose files a run has replaced; call on the main thread.

    Rasters get the style of their file, too: it names the classes of the new pixels.

    Args:
        project: The project.
        paths: Files that were written, and folders.
        since: Time of the start in seconds since 1970: folders hold other files, too.
    """
    for layer in project.mapLayers().values():
        file = file_of(layer)
        if not _is_written(file, paths, since) or layer.isEditable():
            continue
        if isinstance(layer, QgsRasterLayer):
            show_as_written(layer)
        else:
            layer.reload()
            layer.triggerRepaint()


def _is_written(file: str, paths: Sequence[str], since: float) -> bool:
    """Whether a file is one of others, or lies in one of them, and is as new as a run."""
    folder = os.path.dirname(file)
    if not file or not any(is_same_file(file, one) or is_same_file(folder, one) for one in paths):
        return False
    try:
        return os.path.getmtime(file) >= since - _CLOCK_S
    except OSError:
        return False


class StyleBeside(QgsProcessingLayerPostProcessorInterface):
    """Shows a result as its file is now, with the style that comes with the file."""

    def postProcessLayer(
        self, layer: QgsMapLayer, context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> None:
        """Load the style; QGIS calls this on the main thread.

        Args:
            layer: The loaded layer.
            context: As given to the algorithm.
            feedback: As given to the algorithm.
        """
        show_as_written(layer)


class StyleOfMap(QgsProcessingLayerPostProcessorInterface):
    """Gives a mosaic the style (.qml) of one of its maps.

    Args:
        style: Path of the style.
    """

    def __init__(self, style: str) -> None:
        super().__init__()
        self.style = style

    def postProcessLayer(
        self, layer: QgsMapLayer, context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> None:
        """Load the style; QGIS calls this on the main thread.

        Args:
            layer: The loaded layer.
            context: As given to the algorithm.
            feedback: As given to the algorithm.
        """
        show_as_written(layer, self.style)


_processors: list[QgsProcessingLayerPostProcessorInterface] = []


def load_styled(path: str | None, context: QgsProcessingContext) -> None:
    """Register a post-processor that styles a result when QGIS loads it.

    Args:
        path: Path of the result; None if there is none.
        context: As given to the algorithm.
    """
    if path and context.willLoadLayerOnCompletion(path):
        # One for each layer, because the context deletes it. The list keeps it alive in Python until then.
        _processors.append(StyleBeside())
        context.layerToLoadOnCompletionDetails(path).setPostProcessor(_processors[-1])


def load_with_style(path: str, style: str, context: QgsProcessingContext) -> None:
    """Register a post-processor that gives a result the style of another file.

    Args:
        path: Path of the result.
        style: Path of the style (.qml).
        context: As given to the algorithm.
    """
    _processors.append(StyleOfMap(style))
    context.layerToLoadOnCompletionDetails(path).setPostProcessor(_processors[-1])


def write_confidence_style(path: str) -> None:
    """Write a style (.qml) with a colour ramp beside a confidence raster.

    Args:
        path: Path of the raster.
    """
    layer = QgsRasterLayer(path, "confidence")
    if not layer.isValid():
        return
    ramp = QgsColorRampShader(0.0, 100.0, None, QgsColorRampShader.Type.Interpolated)
    ramp.setColorRampItemList(
        [
            QgsColorRampShader.ColorRampItem(percent, QColor(color), f"{percent} %")
            for percent, color in RAMP
        ]
    )
    shader = QgsRasterShader(0.0, 100.0)
    shader.setRasterShaderFunction(ramp)
    renderer = QgsSingleBandPseudoColorRenderer(layer.dataProvider(), 1, shader)
    renderer.setClassificationMin(0.0)
    renderer.setClassificationMax(100.0)
    layer.setRenderer(renderer)
    layer.setCustomProperty(CONFIDENCE_PROPERTY, 1)
    layer.saveNamedStyle(os.path.splitext(path)[0] + ".qml")


def is_confidence_style(style: str) -> bool:
    """Whether a style is one that was written beside a confidence.

    Args:
        style: Path of the style (.qml).
    """
    try:
        with open(style, encoding="utf-8", errors="replace") as file:
            return CONFIDENCE_PROPERTY in file.read()
    except OSError:
        return False


def remove_stale_style(class_map: str) -> None:
    """Remove the style of a confidence that is no longer beside its map, such as after a run without one.

    Args:
        class_map: Path of the class map.
    """
    stem = f"{os.path.splitext(class_map)[0]}_confidence"
    style = f"{stem}.qml"
    if not os.path.exists(f"{stem}.tif") and is_confidence_style(style):
        with contextlib.suppress(OSError):  # it does no harm
            os.remove(style)


def write_composite_style(path: str, composite: dict[str, Any], product: ShownProduct) -> None:
    """Write a style (.qml) beside a raster that shows a product in colours.

    Args:
        path: Path of the raster.
        composite: Numbers of the ``bands`` for red, green and blue, or of one for grey; the values that are
            drawn dark (``low``) and bright (``high``).
        product: The product, with the options that it was opened with. The layer remembers both, and *Classify*
            takes them.
    """
    layer = QgsRasterLayer(path, "scene")
    if not layer.isValid():
        return
    layer.setRenderer(_composite_renderer(layer, composite))
    remember_product(layer, path, product)
    layer.saveNamedStyle(os.path.splitext(path)[0] + ".qml")


def _composite_renderer(layer: QgsRasterLayer, composite: dict[str, Any]) -> QgsRasterRenderer:
    provider, bands = layer.dataProvider(), composite["bands"]
    stretched = []
    for band, low, high in zip(bands, composite["low"], composite["high"]):
        enhancement = QgsContrastEnhancement(provider.dataType(band))
        stretch = QgsContrastEnhancement.ContrastEnhancementAlgorithm.StretchToMinimumMaximum
        enhancement.setContrastEnhancementAlgorithm(stretch)
        enhancement.setMinimumValue(low)
        enhancement.setMaximumValue(high)
        stretched.append(enhancement)
    if len(bands) < 3:
        grey = QgsSingleBandGrayRenderer(provider, bands[0])
        grey.setContrastEnhancement(stretched[0])
        return grey
    renderer = QgsMultiBandColorRenderer(provider, *bands[:3])
    renderer.setRedContrastEnhancement(stretched[0])
    renderer.setGreenContrastEnhancement(stretched[1])
    renderer.setBlueContrastEnhancement(stretched[2])
    return renderer
