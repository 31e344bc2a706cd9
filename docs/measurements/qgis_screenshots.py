"""Screenshots of QGIS for docs/qgis.md: set-up, toolbox, Open scene, Classify, its map, Check environment.

    python docs/measurements/qgis_screenshots.py SCENE LABELS CLASS_FIELD FOLDER [PLUGIN_ZIP]

writes them into FOLDER. hsi-geo must be installed for the Python that runs this script. The dialog of the set-up is
shown as in a fresh profile with PLUGIN_ZIP, which ``make plugin`` builds. It needs QGIS and Xvfb, see `qgis_desktop`.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import qgis_desktop
from qgis_desktop import WIDTH, WITH_PLUGIN, Desk, Job, Wait

ROOT = Path(__file__).resolve().parents[2]


def main(scene: str, labels: str, field: str, folder: str, plugin: str = "") -> None:
    """Take all pictures.

    Args:
        scene: Path of a scene.
        labels: Path of its labels.
        field: Their field with the class.
        folder: Folder of the pictures.
        plugin: Path of the plugin's ZIP; without it there is no picture of the set-up.
    """
    with tempfile.TemporaryDirectory(prefix="qgis-") as temporary:
        take_tour(Path(temporary), Path(scene), Path(labels), field, Path(folder))
    if plugin:
        with tempfile.TemporaryDirectory(prefix="qgis-") as temporary:
            take_set_up(Path(temporary), plugin, Path(folder))
    print(f"the pictures are in {folder}")


def take_tour(home: Path, scene: Path, labels: Path, field: str, folder: Path) -> None:
    """Take the pictures of a profile that is set up.

    Args:
        home: Empty folder.
        scene: Path of the scene.
        labels: Path of its labels.
        field: Their field with the class.
        folder: Folder of the pictures.
    """
    data = home / "data"
    for path in {scene.resolve().parent, labels.resolve().parent}:
        shutil.copytree(path, data, dirs_exist_ok=True)  # QGIS writes files beside them
    environment = home / "hsi-geo-env"  # a place that tells nothing about this computer
    environment.symlink_to(sys.prefix)
    job = {
        "part": "map",
        "scene": str(data / scene.name),
        "labels": str(data / labels.name),
        "field": field,
        "folder": str(folder.resolve()),
        "outputs": {"OUTPUT": str(home / "map.tif"), "CONFIDENCE": str(home / "confidence.tif")},
    }
    variables = {
        "QGIS_PLUGINPATH": str(ROOT / "qgis_plugin"),
    }
    settings = f"{WITH_PLUGIN}\n[hsi_geo]\npython={environment}/bin/python\n"
    qgis_desktop.start("qgis_screenshots", job, home, variables=variables, settings=settings)


def take_set_up(home: Path, plugin: str, folder: Path) -> None:
    """Take the picture of the set-up, which opens by itself in a fresh profile. Nothing is installed.

    Args:
        home: Empty folder.
        plugin: Path of the plugin's ZIP.
        folder: Folder of the pictures.
    """
    with zipfile.ZipFile(plugin) as archive:
        archive.extractall(home / "plugins")
    (home / "bin").mkdir()
    (home / "bin" / "python3.12").symlink_to(Path(sys.executable).resolve())
    variables = {"QGIS_PLUGINPATH": str(home / "plugins"), "PATH": f"{home}/bin:/usr/bin:/bin"}
    job = {"part": "set_up", "folder": str(folder.resolve())}
    qgis_desktop.start("qgis_screenshots", job, home, variables=variables, settings=WITH_PLUGIN)


# Inside QGIS --------------------------------------------------------------------------------------


def tour(desk: Desk, job: Job) -> Iterator[Wait]:
    """Take the pictures of one part."""
    yield 3.0
    folder = Path(job["folder"])
    if job["part"] == "set_up":
        yield lambda: set_up_dialog() is not None and set_up_dialog().search is None
        desk.shoot(folder / "qgis-set-up.png", set_up_dialog())
        return
    desk.show_toolbox("hsi-geo")
    yield 1.5
    desk.shoot(folder / "qgis-toolbox.png", desk.toolbox())
    yield from environment(desk, folder)
    yield from open_scene(desk, job, folder)
    yield from classify(desk, job, folder)


def set_up_dialog() -> Any:
    """The dialog of the set-up; None if there is none."""
    from qgis.PyQt.QtWidgets import QApplication

    for widget in QApplication.topLevelWidgets():
        if widget.windowTitle() == "Set up hsi-geo" and widget.isVisible():
            return widget
    return None


def environment(desk: Desk, folder: Path) -> Iterator[Wait]:
    """Run Check environment."""
    dialog = desk.open_dialog("environment", {}, (200, 90, 720, 560))
    yield 1.0
    yield desk.run(dialog)
    yield 1.5
    desk.end_of_log(dialog)
    yield 0.5
    desk.shoot(folder / "qgis-environment.png", dialog)
    dialog.close()


def open_scene(desk: Desk, job: Job, folder: Path) -> Iterator[Wait]:
    """Fill in Open scene, run it, and show the layer beside the dialog."""
    dialog = desk.open_dialog("open", {"PRODUCT": job["scene"]}, (WIDTH - 760, 250, 750, 520))
    yield 1.0
    yield desk.run(dialog)
    yield 2.0
    scene = desk.layers()[0]
    yield from desk.zoom_to(scene)
    desk.look_left_of(scene, 0.9)
    desk.widen_layers(300)
    desk.end_of_log(dialog)
    yield 2.5
    desk.shoot(folder / "qgis-open-scene.png")
    dialog.close()


def classify(desk: Desk, job: Job, folder: Path) -> Iterator[Wait]:
    """Fill in Classify with few shots, run it, and show the map below the labels."""
    scene = desk.layers()[0]
    labels = desk.iface.addVectorLayer(job["labels"], "Labels", "ogr")
    yield from desk.zoom_to(scene)
    given = {"INPUT": scene, "LABELS": labels, "CLASS_FIELD": job["field"], **job["outputs"]}
    dialog = desk.open_dialog("classify", given, (120, 90, 900, 690))
    yield 2.5
    desk.shoot(folder / "qgis-dialog.png")
    yield desk.run(dialog)
    yield 3.0
    for layer in desk.layers():
        node = desk.node(layer)
        is_map = layer.name().startswith("Class map")
        node.setExpanded(is_map)
        node.parent().setExpanded(True)
    desk.layer("Class map")  # fails if there is none
    dialog.close()
    desk.toolbox().hide()
    desk.widen_layers(470)
    yield from desk.zoom_to(scene)
    yield 2.5
    desk.shoot(folder / "qgis-result.png")


if __name__ == "__main__":
    if len(sys.argv) not in (5, 6):
        sys.exit(__doc__)
    main(*sys.argv[1:])
