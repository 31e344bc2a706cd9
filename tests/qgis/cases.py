"""Cases that tests run inside QGIS's own Python: ``python3 cases.py CASE < JSON``.

Each takes its settings as JSON on stdin and prints one JSON object as its last line.
"""

from __future__ import annotations

import faulthandler
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cancel_cases import cancelled_late
from designer_cases import batch_dialog, dialogs, helped, whole_model
from engine_cases import live_orphan, live_restart
from follow_cases import (
    live_after_finish,
    live_failed_update,
    live_follows,
    live_kept_classes,
    live_restored_wavelengths,
    live_typed_name,
    live_undone_names,
    live_wavelengths,
)
from label_cases import (
    layers_of_project,
    named_values,
    numbered_features,
    selected_only,
    several_labels,
    temporary_and_styled,
    unsaved_edits,
    without_crs,
)
from layer_cases import coded_places, moved, overridden, several_runs
from leaving_cases import live_leaving, live_removed, live_two_scenes
from live_cases import live_drawing, live_layers, live_product, live_project, live_session
from merge_cases import (
    live_any_changes,
    live_coded_layers,
    live_lost_field,
    live_pasted_style,
    live_restyled,
    live_shown_names,
    live_swapped_labels,
)
from preview_cases import live_suggestions, live_updates
from product_layer_cases import (
    cached_names,
    file_names,
    gone_files,
    layers_of_other_days,
    live_crs_corrected,
    live_small_copy,
    preview_accuracy,
    preview_style,
    product_of_layers,
    stale_style,
)
from project_cases import finished, group_in_view, loaded, open_scene, several_scenes
from qgis.core import (
    QgsApplication,
    QgsProcessingModelAlgorithm,
    QgsProcessingModelChildAlgorithm,
    QgsProcessingModelChildParameterSource,
    QgsProcessingModelOutput,
    QgsProcessingModelParameter,
    QgsProcessingParameterRasterLayer,
    QgsProcessingParameterVectorLayer,
    QgsProject,
    QgsRasterLayer,
    QgsVectorLayer,
)
from replaced_cases import CASES as REPLACED
from running import Job, algorithm, cancelled_when, classify, new_context, run
from set_up_cases import menu, set_up, set_up_dialog
from shot_cases import (
    live_crs,
    live_defaults,
    live_fixed_layers,
    live_mixed_fields,
    live_one_of_two_fixed,
    live_overwrite,
    live_saved_shots,
)
from state_cases import CASES as STATES
from style_cases import (
    doubled_labels,
    mapped_parents_and_zones,
    names_by_locale,
    parents_of_layers,
    zones_of_one_text,
)


def cancelled(job: Job) -> Job:
    """Cancel a background task, as the dialog does, when it has reached a stage."""
    parameters = {**job["parameters"], "LABELS": job["labels"]}
    # The stage may be over by the time of a check: a short one fits between two.
    return cancelled_when("classify", parameters, lambda feedback: job["stage"] in feedback.stages)


def two_steps(job: Job) -> Job:
    """Build a model of Classify and Assess, and save it for qgis_process."""
    model = QgsProcessingModelAlgorithm("classify and assess", "tests")
    model.addModelParameter(
        QgsProcessingParameterRasterLayer("SCENE", "Scene"), QgsProcessingModelParameter("SCENE")
    )
    for name in ("SHOTS", "TRUTH"):
        model.addModelParameter(
            QgsProcessingParameterVectorLayer(name, name), QgsProcessingModelParameter(name)
        )

    def value(text: str) -> list[Any]:
        return [QgsProcessingModelChildParameterSource.fromStaticValue(text)]

    def given(name: str) -> list[Any]:
        return [QgsProcessingModelChildParameterSource.fromModelParameter(name)]

    def step(name: str, child: str, output: tuple[str, str], sources: dict[str, list[Any]]) -> None:
        added = QgsProcessingModelChildAlgorithm(f"hsi_geo:{name}")
        added.setChildId(child)
        for parameter, source in sources.items():
            added.addParameterSources(parameter, source)
        title, produces = output
        shown = QgsProcessingModelOutput(title, title)
        shown.setChildId(child)
        shown.setChildOutputName(produces)
        added.setModelOutputs({title: shown})
        model.addChildAlgorithm(added)

    field = value(job["field"])
    step(
        "classify", "first", ("Map", "OUTPUT"),
        {"INPUT": given("SCENE"), "LABELS": given("SHOTS"), "CLASS_FIELD": field},
    )  # fmt: skip
    produced = QgsProcessingModelChildParameterSource.fromChildOutput("first", "OUTPUT")
    step(
        "assess", "second", ("Numbers", "OUTPUT"),
        {"INPUT": [produced], "REFERENCE": given("TRUTH"), "CLASS_FIELD": field},
    )  # fmt: skip
    return {"ok": model.toFile(job["path"])}


def batch(job: Job) -> Job:
    """What the batch dialog does: one algorithm, a row of parameters each."""
    return {"rows": [run(job["algorithm"], row) for row in job["rows"]]}


def checked(job: Job) -> Job:
    """What a dialog says of parameters before it runs."""
    rows = []
    for row in job["rows"]:
        ok, reason = algorithm(job["algorithm"]).checkParameterValues(row, new_context())
        rows.append({"ok": ok, "reason": reason})
    return {"rows": rows}


def styled_layer(job: Job) -> Job:
    """Run an algorithm, and open the layer that it makes as QGIS opens it."""
    found = run(job["algorithm"], job["parameters"])
    return {**found, **opened_layer({"path": found["results"]["OUTPUT"]})} if found["ok"] else found


def opened_layer(job: Job) -> Job:
    """Open a file with the style that comes with it."""
    if job["path"].endswith(".tif"):
        raster = QgsRasterLayer(job["path"], "layer")
        legend = [(label, color.name()) for label, color in raster.legendSymbologyItems()]
        return {"legend": legend}
    layer = QgsVectorLayer(job["path"], "layer")
    categories = layer.renderer().categories()
    return {
        "features": layer.featureCount(),
        "legend": [(one.label(), one.symbol().color().name()) for one in categories],
        "invalid": sum(not one.geometry().isGeosValid() for one in layer.getFeatures()),
    }


def form(job: Job) -> Job:
    """Make a layer, read its form, and fill it in."""
    found = run(job["algorithm"], job["parameters"])
    if not found["ok"]:
        return found
    layer = QgsVectorLayer(found["results"]["OUTPUT"], "layer")
    names = layer.fields().names()
    setups = {name: layer.editorWidgetSetup(names.index(name)) for name in names}
    offered = {
        name: [next(iter(one)) for one in setup.config()["map"]]
        for name, setup in setups.items()
        if setup.type() == "ValueMap"
    }
    labels = [one.label() for one in layer.renderer().categories()]
    layer.startEditing()
    for number, feature in enumerate(layer.getFeatures()):
        for field, answers in job["answers"].items():
            answer = answers[number % len(answers)]
            layer.changeAttributeValue(feature.id(), names.index(field), answer)
    saved = layer.commitChanges()
    widgets = {name: setup.type() for name, setup in setups.items()}
    return {**found, "ok": saved, "widgets": widgets, "offered": offered, "labels": labels}


def compared(job: Job) -> Job:
    """Compare two maps, and open the results."""
    found = run("compare", job["parameters"])
    if not found["ok"]:
        return found
    polygons = opened_layer({"path": found["results"]["POLYGONS"]})
    return {**found, **opened_layer({"path": found["results"]["OUTPUT"]}), "polygons": polygons}


def cancelled_batch(job: Job) -> Job:
    """Cancel a batch when its first map is there."""
    maps = Path(job["maps"])
    return cancelled_when("batch", job["parameters"], lambda _: bool(list(maps.glob("?.tif"))))


def dialog(job: Job) -> Job:
    """Open the dialog of an algorithm with layers in the project, and change what a user changes."""
    sys.path.append(job["plugins"])
    from processing.gui.AlgorithmDialog import AlgorithmDialog

    for path in job["rasters"]:
        layer = QgsRasterLayer(path, Path(path).name)
        assert layer.isValid(), path
        QgsProject.instance().addMapLayer(layer)
    for path in job["vectors"]:
        layer = QgsVectorLayer(path, Path(path).name)
        assert layer.isValid(), path
        QgsProject.instance().addMapLayer(layer)
    shown = AlgorithmDialog(algorithm("classify"))
    panel = shown.mainWidget()
    wrappers, found = panel.wrappers, []

    def look() -> None:
        values = panel.createProcessingParameters()
        given = {name: values.get(name) for name in ("INPUT", "PRODUCT", "LABELS", "CLASS_FIELD")}
        for name in ("INPUT", "LABELS"):
            layer = QgsProject.instance().mapLayer(str(given[name]))
            given[name] = layer.name() if layer is not None else given[name]
        ok, reason = algorithm("classify").checkParameterValues(
            {**values, "OUTPUT": "map.tif"}, new_context()
        )
        found.append({**given, "ok": ok, "reason": reason})

    look()
    for name, value in job["changes"]:
        layers = QgsProject.instance().mapLayersByName(str(value))
        wrappers[name].setParameterValue(layers[0].id() if layers else value, new_context())
        look()
    return {"seen": found}


def commands_in_log(job: Job) -> Job:
    """Classify as it is, and with commands shown in the log."""
    from hsi_geo_qgis.settings_page import SettingsPageFactory
    from qgis.PyQt.QtWidgets import QWidget

    logs = []
    parent = QWidget()
    page = SettingsPageFactory().createWidget(parent)
    for shown in (page.commands.isChecked(), True):
        page.commands.setChecked(shown)
        page.apply()
        logs.append(classify(job, job["labels"])["log"])
    return {"logs": logs}


def settings_page(job: Job) -> Job:
    """Open the page of the options, accept another Python, and open it again."""
    from hsi_geo_qgis.runner import launcher
    from hsi_geo_qgis.settings_page import SettingsPageFactory
    from qgis.PyQt.QtWidgets import QWidget

    parent = QWidget()
    factory = SettingsPageFactory()
    page = factory.createWidget(parent)
    page.python.set_path(job["python"])
    page.apply()
    again = factory.createWidget(parent)
    return {"shown": again.python.path(), "origin": launcher().origin}


CASES: dict[str, Callable[[Job], Job]] = {
    case.__name__: case
    for case in (
        selected_only,
        unsaved_edits,
        temporary_and_styled,
        without_crs,
        finished,
        group_in_view,
        cancelled,
        two_steps,
        batch,
        cached_names,
        file_names,
        cancelled_batch,
        cancelled_late,
        opened_layer,
        form,
        compared,
        styled_layer,
        checked,
        loaded,
        dialog,
        gone_files,
        layers_of_other_days,
        layers_of_project,
        several_labels,
        overridden,
        moved,
        preview_accuracy,
        preview_style,
        product_of_layers,
        stale_style,
        coded_places,
        several_runs,
        several_scenes,
        commands_in_log,
        helped,
        dialogs,
        batch_dialog,
        whole_model,
        named_values,
        numbered_features,
        names_by_locale,
        doubled_labels,
        mapped_parents_and_zones,
        parents_of_layers,
        zones_of_one_text,
        open_scene,
        settings_page,
        set_up,
        set_up_dialog,
        menu,
        live_any_changes,
        live_coded_layers,
        live_lost_field,
        live_pasted_style,
        live_restyled,
        live_shown_names,
        live_swapped_labels,
        live_crs,
        live_crs_corrected,
        live_defaults,
        live_drawing,
        live_fixed_layers,
        live_follows,
        live_kept_classes,
        live_layers,
        live_leaving,
        live_mixed_fields,
        live_one_of_two_fixed,
        live_orphan,
        live_overwrite,
        live_product,
        live_project,
        live_removed,
        live_restart,
        live_restored_wavelengths,
        live_saved_shots,
        live_session,
        live_small_copy,
        live_suggestions,
        live_two_scenes,
        live_typed_name,
        live_undone_names,
        live_updates,
        live_after_finish,
        live_failed_update,
        live_wavelengths,
        *REPLACED,
        *STATES,
    )
}


def main() -> None:
    faulthandler.enable()
    application = QgsApplication([], True)
    application.initQgis()
    from hsi_geo_qgis.plugin import HsiGeoPlugin

    plugin = HsiGeoPlugin(None)
    plugin.initProcessing()
    found = CASES[sys.argv[1]](json.load(sys.stdin))
    sys.stdout.write("\n" + json.dumps(found, default=str) + "\n")
    sys.stdout.flush()
    plugin.unload()
    # QGIS's own tear-down crashes now and then once plugins are gone; the answer is out.
    os._exit(0)


if __name__ == "__main__":
    main()
