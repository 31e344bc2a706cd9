"""How results look in QGIS."""

from __future__ import annotations

import os

from qgis.core import (
    QgsColorRampShader,
    QgsMapLayer,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingLayerPostProcessorInterface,
    QgsRasterLayer,
    QgsRasterShader,
    QgsSingleBandPseudoColorRenderer,
)
from qgis.PyQt.QtGui import QColor

#: Per cent and colours of the confidence ramp: viridis, which colour-blind readers can read.
RAMP = ((0, "#440154"), (25, "#3b528b"), (50, "#21918c"), (75, "#5ec962"), (100, "#fde725"))


class StyleBeside(QgsProcessingLayerPostProcessorInterface):
    """Gives a loaded layer the style that lies beside its file."""

    def postProcessLayer(
        self, layer: QgsMapLayer, context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> None:
        """Called by QGIS on the main thread."""
        layer.loadDefaultStyle()
        layer.triggerRepaint()


_KEPT: list[StyleBeside] = []


def load_styled(path: str | None, context: QgsProcessingContext) -> None:
    """Have a result styled when QGIS loads it."""
    if path and context.willLoadLayerOnCompletion(path):
        # One a layer, for the context deletes it; and kept, lest Python does so before.
        _KEPT.append(StyleBeside())
        context.layerToLoadOnCompletionDetails(path).setPostProcessor(_KEPT[-1])


def write_confidence_style(path: str) -> None:
    """Write a style with a colour ramp beside a confidence raster."""
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
    layer.saveNamedStyle(os.path.splitext(path)[0] + ".qml")
