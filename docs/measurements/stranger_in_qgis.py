"""The part of `stranger` inside QGIS: plugin, set-up, Open scene, labels, Classify with few shots."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from qgis_desktop import Desk, Job, Wait

DIALOG = (200, 60, 900, 690)

#: Least share of the shots, and of other pixels, that the map must show the class of.
AT_SHOTS, ELSEWHERE = 0.9, 0.6

#: Least share of the canvas that has a colour of the map.
SHOWN = 0.2


def tour(desk: Desk, job: Job) -> Iterator[Wait]:
    """Go from a fresh profile to the map of each scene of the job."""
    diary = Diary(desk, Path(job["folder"]))
    yield 4.0
    if job["fresh"]:
        yield from install_plugin(desk, diary, job)
        yield from set_up(desk, diary, job)
    desk.show_toolbox("hsi-geo")
    yield 1.5
    desk.shoot(diary.folder / "toolbox.png")
    yield from run_alone(desk, diary, "environment", {}, "Ready.")
    for number, scene in enumerate(job["scenes"]):
        yield from open_scene(desk, diary, scene)
        yield from classify(desk, diary, scene, number)


class Diary:
    """Writes what was done, how long it took, and a picture of it."""

    def __init__(self, desk: Desk, folder: Path) -> None:
        self.desk, self.folder = desk, folder
        self.begin()

    def begin(self) -> None:
        """Begin to measure."""
        self.since = time.monotonic()

    def note(self, step: str, found: str, picture: str = "") -> None:
        """Add a line about a step that has ended."""
        if picture:
            self.desk.shoot(self.folder / picture)
        line = {"step": step, "seconds": time.monotonic() - self.since, "found": found}
        with (self.folder / "qgis.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        self.begin()


def demand(condition: bool, text: str) -> None:
    """End the tour with a text unless a condition holds."""
    if not condition:
        raise RuntimeError(text)


# The set-up ---------------------------------------------------------------------------------------


def install_plugin(desk: Desk, diary: Diary, job: Job) -> Iterator[Wait]:
    """Plugins > Manage and Install Plugins > Install from ZIP."""
    import pyplugin_installer
    from qgis.utils import plugins

    demand("hsi_geo_qgis" not in plugins, "the profile is not fresh")
    diary.begin()
    pyplugin_installer.instance().installFromZipFile(job["plugin"])
    demand("hsi_geo_qgis" in plugins, f"QGIS did not load the plugin: {desk.messages()}")
    yield lambda: visible_set_up() is not None  # opens by itself
    yield lambda: visible_set_up().search is None
    diary.note("Install from ZIP", "; ".join(desk.messages()), "plugin.png")


def visible_set_up() -> Any:
    """The dialog of the set-up; None if there is none."""
    from qgis.PyQt.QtWidgets import QApplication

    for widget in QApplication.topLevelWidgets():
        if widget.windowTitle() == "Set up hsi-geo" and widget.isVisible():
            return widget
    return None


def set_up(desk: Desk, diary: Diary, job: Job) -> Iterator[Wait]:
    """One click. With a folder of wheels, or CUDA, as the job says."""
    dialog = visible_set_up()
    desk.shoot(diary.folder / "set_up.png", dialog)
    demand(dialog.start_button.isEnabled(), f"Set up is grey: {dialog.status.text()}")
    if job["wheels"]:
        dialog.wheels.setFilePath(job["wheels"])
    if job["torch"]:
        dialog.torch.setCurrentIndex(dialog.torch.findData(job["torch"]))
    size = dialog.sizes.text()
    diary.begin()
    dialog.start_button.click()
    yield lambda: dialog.bar.value() >= 20 or dialog.task is None
    desk.shoot(diary.folder / "set_up_running.png", dialog)
    yield lambda: dialog.task is None
    desk.shoot(diary.folder / "set_up_ready.png", dialog)
    (diary.folder / "set_up.log").write_text(dialog.log.toPlainText(), encoding="utf-8")
    demand(dialog.status.text().startswith("hsi-geo is ready."), dialog.status.text())
    diary.note("Set up", f"{dialog.status.text()} ({size})")
    dialog.close()
    yield 0.5


# Scenes -------------------------------------------------------------------------------------------


def run_alone(
    desk: Desk, diary: Diary, algorithm: str, parameters: Job, wanted: str
) -> Iterator[Wait]:
    """Run an algorithm from its dialog, and keep its log and a picture of it."""
    dialog = desk.open_dialog(algorithm, parameters, DIALOG)
    yield 1.0
    desk.shoot(diary.folder / f"{algorithm}_dialog.png", dialog)
    diary.begin()
    yield desk.run(dialog)
    yield 1.5
    desk.end_of_log(dialog)
    log = desk.log(dialog)
    diary.note(dialog.algorithm().displayName(), last_words(log), f"{algorithm}.png")
    (diary.folder / f"{algorithm}.log").write_text(log, encoding="utf-8")
    demand(wanted in log, f"{algorithm} did not say '{wanted}': {log}")
    dialog.close()
    yield 0.5


def last_words(log: str) -> str:
    """The last lines of a log that say something."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    return " / ".join(lines[-4:])


def open_scene(desk: Desk, diary: Diary, scene: Job) -> Iterator[Wait]:
    """Open scene, with the product as the only choice; the layer must lie where the product does."""
    before = {layer.id() for layer in desk.layers()}
    yield from run_alone(desk, diary, "open", {"PRODUCT": scene["product"]}, "Shown:")
    (layer,) = [layer for layer in desk.layers() if layer.id() not in before]
    place = layer.extent()
    found = [place.xMinimum(), place.yMinimum(), place.xMaximum(), place.yMaximum()]
    pixel = layer.rasterUnitsPerPixelX()
    near = all(abs(a - b) < pixel / 100 for a, b in zip(found, scene["bounds"]))  # noqa: B905  # Python 3.9
    demand(near, f"{layer.name()} lies at {found}, the product at {scene['bounds']}")
    demand(layer.crs().authid() == scene["crs"], f"{layer.name()} is in {layer.crs().authid()}")
    yield from desk.zoom_to(layer)
    yield 2.0
    diary.note(
        "Look at the layer", f"{layer.name()}: {layer.bandCount()} bands, at the product's place",
        f"{scene['name']}_opened.png",
    )  # fmt: skip
    scene["layer"] = layer


def draw(desk: Desk, scene: Job) -> Any:
    """A temporary scratch layer with a point for each shot, not saved, as if drawn."""
    from qgis.core import QgsFeature, QgsGeometry, QgsPointXY, QgsProject, QgsVectorLayer

    name = f"{scene['name']} labels"
    layer = QgsVectorLayer(f"Point?crs={scene['crs']}&field=class:string", name, "memory")
    QgsProject.instance().addMapLayer(layer)
    desk.iface.setActiveLayer(layer)
    layer.startEditing()
    for x, y, kind in scene["shots"]:
        feature = QgsFeature(layer.fields())
        feature.setGeometry(QgsGeometry.fromPointXY(QgsPointXY(x, y)))
        feature.setAttributes([kind])
        layer.addFeature(feature)
    return layer


def classify(desk: Desk, diary: Diary, scene: Job, number: int) -> Iterator[Wait]:
    """Draw the shots and press Run. The first scene is mapped as the dialog suggests, another with all outputs."""
    diary.begin()
    labels = draw(desk, scene)
    yield 1.5
    name = scene["name"]
    diary.note("Draw shots", f"{labels.featureCount()} points", f"{name}_labels.png")
    given: Job = {}
    if number:
        outputs = {"CONFIDENCE": "confidence.tif", "REPORT": "report.html"}
        outputs |= {"MODEL": "model.safetensors", "OUTPUT": "map.tif"}
        paths = {key: str(diary.folder / f"{name}_{file}") for key, file in outputs.items()}
        given = {"INPUT": scene["layer"], "LABELS": labels, **paths}
    dialog = desk.open_dialog("classify", given, DIALOG)
    yield 1.5
    desk.shoot(diary.folder / f"{name}_classify_dialog.png", dialog)
    chosen = dialog.mainWidget().createProcessingParameters()
    wanted = {"INPUT": scene["layer"].id(), "LABELS": labels.id(), "CLASS_FIELD": "class"}
    wrong = {key: chosen.get(key) for key in wanted if chosen.get(key) != wanted[key]}
    demand(not wrong, f"the dialog suggests {wrong}, not {wanted}")
    diary.begin()
    ended = desk.run(dialog)
    end = time.monotonic() + 12
    yield lambda: time.monotonic() > end or ended()
    desk.shoot(diary.folder / f"{name}_classify_running.png", dialog)
    yield ended
    yield 3.0
    log = desk.log(dialog)
    (diary.folder / f"{name}_classify.log").write_text(log, encoding="utf-8")
    diary.note(f"Classify {name}", "; ".join(desk.messages()) or last_words(log))
    map_layer = desk.layer("Class map")
    diary.note("Check the map", checked(map_layer, scene))
    for key, path in given.items():
        demand(key in ("INPUT", "LABELS") or Path(path).exists(), f"there is no {key}")
    dialog.close()
    labels.commitChanges()
    yield 1.0
    yield desk.is_drawn
    desk.shoot(diary.folder / f"{name}_map.png")
    shown = desk.share_of_colours({item.color.name() for item in map_layer.renderer().classes()})
    demand(shown > SHOWN, f"the canvas shows the map on {shown:.0%} of its pixels")
    diary.note("Look at the map", f"its colours fill {shown:.0%} of the canvas")


def checked(layer: Any, scene: Job) -> str:
    """Compare a map with its scene, the drawn shots and other pixels of known class."""
    place = scene["layer"].extent()
    demand(layer.isValid(), "the map is no valid layer")
    demand(layer.crs() == scene["layer"].crs(), f"the map is in {layer.crs().authid()}")
    demand(layer.extent() == place, f"the map lies at {layer.extent().toString()}")
    at_shots, elsewhere = agreement(layer, scene["shots"]), agreement(layer, scene["others"])
    text = f"at the scene's place; right at {at_shots:.0%} of the shots, {elsewhere:.0%} of other pixels"
    demand(at_shots >= AT_SHOTS and elsewhere >= ELSEWHERE, text)
    return text


def agreement(layer: Any, points: list[Any]) -> float:
    """Share of points at which a map shows their class."""
    from qgis.core import QgsPointXY

    names = {round(one.value): one.label for one in layer.renderer().classes()}
    right = 0
    for x, y, kind in points:
        value, ok = layer.dataProvider().sample(QgsPointXY(x, y), 1)
        right += ok and names.get(round(value)) == kind
    return right / len(points)
