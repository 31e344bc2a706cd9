"""Cases of `cases.py` about layers that show products or previews, and styles that come to other layers."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path
from typing import Any

from live_person import Person, pause
from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsDataProvider,
    QgsProject,
    QgsRasterLayer,
    QgsReadWriteContext,
)
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtXml import QDomDocument
from running import Job, run


def product_of_layers(job: Job) -> Job:
    """The product of a layer of *Open scene*, and of others that have its style; a run with each of them."""
    from hsi_geo_qgis.products import ShownProduct, product_of, remember_product

    shown, other = job["raster"], job["other"]
    layers = {name: QgsRasterLayer(shown, "Szene") for name in ("own", "source", "moved")}
    layers["pasted"] = QgsRasterLayer(other, "Szene")
    for name in ("own", "source", "moved"):
        product = ShownProduct(job["product"], job["options"])
        remember_product(layers[name], shown, product)
    paste(layers["own"], layers["pasted"])
    options = QgsDataProvider.ProviderOptions()
    layers["source"].setDataSource(other, "Szene", "gdal", options)
    QgsProject.instance().addMapLayers(list(layers.values()))
    rows = []
    for given in job["rows"]:
        rows.append(run("classify", {**job["parameters"], **given, "INPUT": layers["own"].id()}))
    by_layer = {}
    for name in ("pasted", "source"):
        by_layer[name] = run("classify", {**job["parameters"], "INPUT": layers[name].id()})
    folder = Path(shown).parent / "elsewhere"
    folder.mkdir()
    target = str(folder / Path(shown).name)
    shutil.move(shown, target)
    layers["moved"].setDataSource(target, "Szene", "gdal", options)
    found = {name: product_of(layer) for name, layer in layers.items() if name != "own"}
    paths = {name: None if one is None else one.path for name, one in found.items()}
    return {"rows": rows, "by_layer": by_layer, "paths": paths}


def layers_of_other_days(job: Job) -> Job:
    """Products of layers of old projects, of copied folders and renamed files; a run and the dock with the others."""
    from hsi_geo_qgis.layers import product_warnings
    from hsi_geo_qgis.products import (
        OPTIONS_PROPERTY,
        RASTER_PROPERTY,
        ShownProduct,
        product_of,
        remember_product,
    )

    shown, other = Path(job["raster"]), Path(job["other"])
    made = QgsRasterLayer(str(shown), "Szene")
    remember_product(made, str(shown), ShownProduct(job["product"], job["options"]))
    made.saveNamedStyle(str(shown.with_suffix(".qml")))
    places = {
        "old": shown,
        "option": shown,
        "copied": shown.parent / "copied" / shown.name,
        "renamed": shown.parent / "renamed" / "new name.v2.tif",
        "pasted": other,
        "saved": shown.parent / "saved" / "own.tif",
    }
    for name in ("copied", "renamed", "saved"):
        places[name].parent.mkdir()
        shutil.copy(shown, places[name])
        shutil.copy(shown.with_suffix(".qml"), places[name].with_suffix(".qml"))
    layers = {}
    for name, path in places.items():
        source = f"{path}|option:NUM_THREADS=2" if name == "option" else str(path)
        layers[name] = QgsRasterLayer(source, name)
        paste(made, layers[name])
    for name in ("old", "option", "pasted"):  # projects of before have neither
        layers[name].removeCustomProperty(RASTER_PROPERTY)
        layers[name].removeCustomProperty(OPTIONS_PROPERTY)
    # The style of a renamed raster was written before, for a raster that is gone.
    gone = str(shown.parent / "gone.tif")
    layers["renamed"].setCustomProperty(RASTER_PROPERTY, gone)
    layers["renamed"].saveNamedStyle(str(places["renamed"].with_suffix(".qml")))
    QgsProject.instance().addMapLayers(list(layers.values()))
    runs = {
        name: run("classify", {**job["parameters"], "INPUT": layer.id()})
        for name, layer in layers.items()
        if name in job["runs"]
    }
    found = {name: product_of(layer) for name, layer in layers.items()}
    paths = {name: None if one is None else one.path for name, one in found.items()}
    warned = [name for name, layer in layers.items() if product_warnings(layer)]
    return {"paths": paths, "warned": warned, "runs": runs}


def gone_files(job: Job) -> Job:
    """Run with a layer of a product some of whose files are gone."""
    from hsi_geo_qgis.products import ShownProduct, remember_product

    layer = QgsRasterLayer(job["raster"], "Szene")
    QgsProject.instance().addMapLayer(layer)
    remember_product(layer, job["raster"], ShownProduct(job["product"], job["options"]))
    for path in job["removed"]:
        Path(path).unlink()
    return run("classify", {**job["parameters"], "INPUT": layer.id()})


def paste(source: Any, target: Any) -> None:
    """Copy all of a style, as QGIS's menu does."""
    document = QDomDocument()
    source.exportNamedStyle(document, QgsReadWriteContext())
    ok, reason = target.importNamedStyle(document)
    assert ok, reason


def preview_style(job: Job) -> Job:
    """Remove the preview while another layer has its style."""
    from hsi_geo_qgis.live.preview_layer import PreviewLayer, remove_previews

    project, preview = QgsProject.instance(), PreviewLayer()
    own = QgsRasterLayer(job["other"], "Karte")
    project.addMapLayer(own)
    assert not preview.show(job["raster"], [{"id": 1, "name": "a", "color": "#112233"}], [])
    shown = preview.layer()
    assert shown is not None
    paste(shown, own)
    names = [shown.name()]
    preview.remove()
    names += [layer.name() for layer in project.mapLayers().values()]
    remove_previews()
    names += [layer.name() for layer in project.mapLayers().values()]
    return {"names": names}


def preview_accuracy(job: Job) -> Job:
    """What a user reads of the accuracies of previews."""
    from hsi_geo_qgis.live.preview_panel import PreviewPanel
    from qgis.PyQt.QtGui import QTextDocument

    panel, document, read = PreviewPanel(), QTextDocument(), []
    for accuracy in job["accuracies"]:
        panel.show_preview({"accuracy": accuracy}, False)
        document.setHtml(panel.accuracy.text())
        read.append(document.toPlainText().split("\n"))
    return {"read": read, "is_html": panel.accuracy.textFormat() == Qt.TextFormat.RichText}


def cached_names(job: Job) -> Job:
    """The name of a copy before and after each change of a file."""
    from hsi_geo_qgis.open_scene import cached_name

    given = {"bands": "all", "composite": None, **job["options"]}
    names = [cached_name(job["product"], **given)]
    for path in job["changes"]:
        Path(path).write_text("changed")
        names.append(cached_name(job["product"], **given))
    return {"names": names}


def file_names(job: Job) -> Job:
    """Bytes of the names of files that layers are exported to."""
    from hsi_geo_qgis.feature_export import _file_name

    return {"bytes": [len(_file_name(name).encode()) for name in job["names"]]}


def stale_style(job: Job) -> Job:
    """The style of a confidence, after the confidence has gone."""
    from hsi_geo_qgis.styling import remove_stale_style, write_confidence_style

    class_map = Path(job["raster"])
    confidence = class_map.with_name(f"{class_map.stem}_confidence.tif")
    style, found = confidence.with_suffix(".qml"), []
    shutil.copy(class_map, confidence)
    write_confidence_style(str(confidence))
    remove_stale_style(str(class_map))
    found.append(style.exists())
    confidence.unlink()
    remove_stale_style(str(class_map))
    found.append(style.exists())
    style.write_text("of the user")
    remove_stale_style(str(class_map))
    found.append(style.exists())
    return {"found": found}


def live_crs_corrected(job: Job) -> Job:
    """Correct the CRS of a scene whose file has none, while it is open; and set one that its file does not have."""
    person = Person(job)
    dock, crs = person.dock, QgsCoordinateReferenceSystem
    person.scene.setCrs(crs("EPSG:32612"))
    person.open_scene()
    found = [dock.view.crs.authid()]
    person.scene.setCrs(crs("EPSG:32633"))
    pause(0.3)
    found.append(dock.view.crs.authid())
    return {"found": found, "notice": person.notice()}


def live_small_copy(job: Job) -> Job:
    """Which bands of a product the dock asks *Open scene* for."""
    from hsi_geo_qgis.live import product
    from hsi_geo_qgis.open_scene import BANDS
    from qgis.core import QgsProcessingContext

    asked = []

    class Task:
        def __init__(self, algorithm: Any, parameters: Job, *_: Any) -> None:
            context = QgsProcessingContext()
            asked.append(BANDS[algorithm.parameterAsEnumString(parameters, "BANDS", context)])
            raise InterruptedError

    setattr(product, "QgsProcessingAlgRunnerTask", Task)  # noqa: B010  (it is imported there)
    with contextlib.suppress(InterruptedError):
        product.show_product(job["scene"], "", print, print)
    return {"asked": asked}
