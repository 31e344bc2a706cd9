"""Files of maps: comparison with their records, and moves to the paths that the user chose."""

from __future__ import annotations

import contextlib
import os
import shutil
import uuid
from collections.abc import Mapping

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingUtils,
)

from .record import mismatch_warning, mismatched_files, record_path, relink_item, rewrite_file
from .runner import warn
from .styling import load_styled
from .wording import Titles, page_in_dialog


def warn_of_mismatches(
    class_map: str, feedback: QgsProcessingFeedback, moved: Mapping[str, str] | None = None
) -> list[tuple[str, str]]:
    """Warn of each file of a map that differs from the map's record.

    Args:
        class_map: Path of the class map.
        feedback: Receives the warnings, as QGIS's log does.
        moved: Path of each file that no longer lies beside the map; see `mismatched_files`.

    Returns:
        Names of file and record in each warning.
    """
    record = os.path.basename(record_path(class_map))
    paths = mismatched_files(class_map, moved)
    for path in paths:
        warn(mismatch_warning(path, class_map), feedback)
    return [(f"'{os.path.basename(path)}'", f"'{record}'") for path in paths]


def move_files(targets: Mapping[str, str]) -> None:
    """Move files to other folders or disks; no incomplete file gets a final name.

    Args:
        targets: New path of each file by its path. Nothing is done where both are the same.

    Raises:
        QgsProcessingException: If some could not be moved. All others were, and the message says where these are.
    """
    problems = []
    for source, target in targets.items():
        try:
            _move(source, target)
        except OSError as error:
            kept = "until QGIS ends" if QgsProcessingUtils.tempFolder() in source else "as it is"
            problems.append(
                f"'{target}' cannot be written ({error.strerror}); the finished file is kept {kept}, copy it: '{source}'"
            )
    if problems:
        raise QgsProcessingException(". ".join(problems))


def move_files_of_map(class_map: str, item: str, targets: Mapping[str, str]) -> None:
    """Move files of a map, and let its STAC item name them where they are then.

    Args:
        class_map: Path of the class map.
        item: Path of the item; empty if there is none.
        targets: New path of each file by its path; see `move_files`.

    Raises:
        QgsProcessingException: If some could not be moved, or the item not be written.
    """
    before = [source for source in targets if os.path.exists(source)]
    try:
        move_files(targets)
    finally:
        if item:
            moved = {one: targets[one] for one in before if not os.path.exists(one)}
            try:
                relink_item(item, class_map, moved)
            except OSError as error:
                raise QgsProcessingException(
                    f"'{item}' cannot be written ({error.strerror}), and names files where they no longer are; "
                    "write the map again into another folder"
                ) from error


def _move(source: str, target: str) -> None:
    if os.path.abspath(source) == os.path.abspath(target):
        return
    beside = f"{target}.{uuid.uuid4().hex[:8]}.part"  # a name that no file of the user has
    try:
        shutil.copyfile(source, beside)
        os.replace(beside, target)
    except OSError:
        with contextlib.suppress(OSError):
            os.remove(beside)
        raise
    with contextlib.suppress(OSError):  # the copy is what was asked for
        os.remove(source)


def word_report(report: str, titles: Titles, names: Mapping[str, str], class_map: str = "") -> None:
    """Let a report speak of parameters of a dialog, and of layers and files of the user instead of temporary files.

    Args:
        report: Path of the report.
        titles: Title of each parameter of the dialog by its option of the command line.
        names: What users call a file by its path.
        class_map: Path of the class map whose record lists the report; empty if there is none.

    Raises:
        QgsProcessingException: If it cannot be written.
    """
    try:
        with open(report, encoding="utf-8") as file:
            before = file.read()
        text = page_in_dialog(before, titles, names)
        if text != before:
            rewrite_file(report, text, class_map, "report")
    except OSError as error:
        raise QgsProcessingException(
            f"'{report}' cannot be written ({error.strerror}); choose another file"
        ) from error


def write_text(path: str, text: str) -> None:
    """Write a file of text.

    Args:
        path: Path of the file.
        text: Its content.

    Raises:
        QgsProcessingException: If it cannot be written.
    """
    try:
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise QgsProcessingException(
            f"'{path}' cannot be written ({error.strerror}); choose another file"
        ) from error


def load_table(path: str, context: QgsProcessingContext) -> None:
    """Have a table loaded into the project when the algorithm has ended.

    Args:
        path: Path of the table.
        context: As given to the algorithm.
    """
    if context.project() is None:
        return
    name = os.path.splitext(os.path.basename(path))[0]
    details = QgsProcessingContext.LayerDetails(name, context.project(), "")
    context.addLayerToLoadOnCompletion(path, details)
    load_styled(path, context)
