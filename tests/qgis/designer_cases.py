"""Cases on the model designer and on batches, which `cases.py` runs inside QGIS's own Python."""

from __future__ import annotations

import sys
from typing import Any

from qgis.core import (
    QgsApplication,
    QgsProcessingAlgorithm,
    QgsProcessingAlgRunnerTask,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingModelAlgorithm,
    QgsProcessingModelChildAlgorithm,
    QgsProcessingModelChildParameterSource,
    QgsProcessingModelOutput,
    QgsProcessingModelParameter,
    QgsProcessingParameterRasterLayer,
    QgsProcessingParameterVectorLayer,
    QgsProject,
)
from qgis.PyQt.QtCore import QEventLoop, QTimer

Job = dict[str, Any]
Source: Any = QgsProcessingModelChildParameterSource
Sources = list[Any]


class Reader(QgsProcessingFeedback):
    """Keeps what a user reads, apart from commands, which hold the parameters that QGIS itself shows."""

    def __init__(self) -> None:
        super().__init__()
        self.read: list[str] = []
        self.commands: list[str] = []

    def pushInfo(self, text: str) -> None:
        self.read.append(text)

    def pushWarning(self, text: str) -> None:
        self.read.append(text)

    def pushDebugInfo(self, text: str) -> None:
        self.read.append(text)

    def pushConsoleInfo(self, text: str) -> None:
        self.read.append(text)

    def setProgressText(self, text: str) -> None:
        self.read.append(text)

    def reportError(self, text: str, fatalError: bool = False) -> None:
        self.read.append(text)

    def pushCommandInfo(self, text: str) -> None:
        self.commands.append(text)


def algorithms() -> list[QgsProcessingAlgorithm]:
    """A new instance of each algorithm of the plugin."""
    provider = QgsApplication.processingRegistry().providerById("hsi_geo")
    return [one.create() for one in provider.algorithms()]


def helped(job: Job) -> Job:
    """Help of each algorithm and of its parameters."""
    return {
        one.name(): {
            "help": one.shortHelpString(),
            "parameters": [
                [definition.name(), definition.description(), definition.help()]
                for definition in one.parameterDefinitions()
            ],
        }
        for one in algorithms()
    }


def dialogs(job: Job) -> Job:
    """Open each algorithm in the model designer, twice, and in the batch dialog with two rows."""
    sys.path.append(job["plugins"])
    from processing.core.ProcessingConfig import ProcessingConfig
    from processing.gui.BatchAlgorithmDialog import BatchAlgorithmDialog
    from processing.modeler.ModelerParametersDialog import ModelerParametersDialog

    ProcessingConfig.initialize()
    model = QgsProcessingModelAlgorithm("all", "tests")
    found: Job = {}
    for one in algorithms():
        added = ModelerParametersDialog(one, model).createAlgorithm()
        child = model.addChildAlgorithm(added)
        again = ModelerParametersDialog(one.create(), model, child).createAlgorithm()
        batch = BatchAlgorithmDialog(one.create())
        panel = batch.mainWidget()
        panel.addRow()
        rows = [panel.parametersForRow(row, warnOnInvalid=False)[0] for row in range(2)]
        found[one.name()] = {
            "added": sorted(added.parameterSources()),
            "again": sorted(again.parameterSources()),
            "rows": [sorted(row) for row in rows],
            "wanted": [d.name() for d in one.parameterDefinitions() if not d.isDestination()],
        }
    return found


def batch_dialog(job: Job) -> Job:
    """Fill the rows of the batch dialog as a user does, and run it."""
    sys.path.append(job["plugins"])
    from processing.core.ProcessingConfig import ProcessingConfig
    from processing.gui.BatchAlgorithmDialog import BatchAlgorithmDialog

    ProcessingConfig.initialize()
    name = f"hsi_geo:{job['algorithm']}"
    one = QgsApplication.processingRegistry().createAlgorithmById(name)
    dialog = BatchAlgorithmDialog(one)
    panel = dialog.mainWidget()
    columns = {d.name(): panel.parameter_to_column[d.name()] for d in one.parameterDefinitions()}
    for number, row in enumerate(job["rows"]):
        if panel.batchRowCount() <= number:
            panel.addRow()
        for parameter, value in row.items():
            wrapper = panel.wrappers[number][columns[parameter]]
            if wrapper is not None:
                wrapper.setParameterValue(value, QgsProcessingContext())
            else:  # outputs; the first row of the table has the buttons that fill
                panel.tblParameters.cellWidget(number + 1, columns[parameter]).setValue(value)
    done: list[Any] = []
    dialog.finish = lambda results, errors: done.extend((results, errors))
    dialog.runAlgorithm()
    results, errors = done
    return {
        "results": [one["results"] for one in results],
        "errors": [one["errors"] for one in errors],
    }


def whole_model(job: Job) -> Job:
    """A model of all algorithms that work on scenes, each fed by those before it; run in the background."""
    model = QgsProcessingModelAlgorithm("all", "tests")
    for definition in (
        QgsProcessingParameterRasterLayer("SCENE", "Scene"),
        *(QgsProcessingParameterVectorLayer(name, name) for name in ("LABELS", "TRUTH")),
    ):
        model.addModelParameter(definition, QgsProcessingModelParameter(definition.name()))

    def value(given: Any) -> Sources:
        return [Source.fromStaticValue(given)]

    scene, labels, truth = (
        [Source.fromModelParameter(name)] for name in ("SCENE", "LABELS", "TRUTH")
    )

    def output(child: str, name: str = "OUTPUT") -> Sources:
        return [Source.fromChildOutput(child, name)]

    learning = {"LABELS": labels, "CLASS_FIELD": value("class")}
    steps: dict[str, dict[str, Sources]] = {
        "open": {"PRODUCT": value(job["product"])},
        "info": {"INPUT": output("open")},
        "adapt": {"INPUTS": scene, **learning},
        "suggest": {"INPUT": scene, "MODEL": output("adapt"), "COUNT": value(3)},
        "predict": {"INPUT": scene, "MODEL": output("adapt")},
        "classify": {"INPUT": scene, **learning, "MORE_LABELS": truth},
        "classify_scenes": {"INPUTS": scene, **learning},
        "batch": {"INPUTS": scene, "MODEL": output("adapt"), "WORKERS": value(1)},
        "assess": {"INPUT": output("classify"), "REFERENCE": truth, "CLASS_FIELD": value("class")},
        "polygons": {"INPUT": output("classify")},
        "sample": {"INPUT": output("classify"), "COUNT": value(60)},
        "compare": {"OLD": output("classify"), "NEW": output("predict")},
        "zones": {"INPUT": output("classify"), "ZONES": value(job["zones"])},
        "environment": {},
    }
    ends = {
        "info": ["OUTPUT"], "suggest": ["OUTPUT"], "predict": ["OUTPUT"],
        "classify": ["OUTPUT", "REPORT"], "classify_scenes": ["OUTPUT"], "batch": ["OUTPUT"],
        "assess": ["OUTPUT", "REPORT"], "polygons": ["OUTPUT"], "sample": ["OUTPUT"],
        "compare": ["OUTPUT"], "zones": ["OUTPUT"],
    }  # fmt: skip
    for name, sources in steps.items():
        child = QgsProcessingModelChildAlgorithm(f"hsi_geo:{name}")
        child.setChildId(name)
        defaults = {  # as the designer's dialog has them
            one.name(): value(one.defaultValue())
            for one in child.algorithm().parameterDefinitions()
            if one.defaultValue() is not None and not one.isDestination()
        }
        for parameter, source in {**defaults, **sources}.items():
            child.addParameterSources(parameter, source)
        shown = {}
        for end in ends.get(name, []):
            made = QgsProcessingModelOutput(end, end)
            made.setChildId(name)
            made.setChildOutputName(end)
            shown[end] = made
        child.setModelOutputs(shown)
        model.addChildAlgorithm(child)
    ok, problems = model.validate()
    whole = model.create()  # a name of its own: QGIS would free it
    context, feedback = QgsProcessingContext(), Reader()
    context.setProject(QgsProject.instance())
    parameters = {
        "SCENE": job["scene"], "LABELS": job["labels"], "TRUTH": job["truth"],
        **{
            definition.name(): f"{job['folder']}/{definition.name().replace(':', ' ')}"
            + ("" if definition.type() == "folderDestination" else ENDINGS[definition.type()])
            for definition in whole.destinationParameterDefinitions()
        },
    }  # fmt: skip
    task = QgsProcessingAlgRunnerTask(whole, parameters, context, feedback)
    loop = QEventLoop()
    state: Job = {"ok": None}

    def done(succeeded: bool, results: Job) -> None:
        state.update(ok=succeeded, results=results)
        loop.quit()

    task.executed.connect(done)
    QgsApplication.taskManager().addTask(task)
    QTimer.singleShot(250_000, loop.quit)
    loop.exec()
    return {
        **state, "valid": ok, "problems": problems, "read": feedback.read,
        "commands": feedback.commands, "outputs": parameters,
    }  # fmt: skip


ENDINGS = {
    "rasterDestination": ".tif", "vectorDestination": ".gpkg", "fileDestination": ".html",
}  # fmt: skip
