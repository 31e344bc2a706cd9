"""Files of maps: comparison with their records, and moves to the paths that the user chose."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping

from qgis.core import QgsProcessingContext, QgsProcessingFeedback

from .record import mismatch_warning, mismatched_files, record_path
from .runner import warn


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


def move_file(source: str, target: str | None) -> None:
    """Move a file to another folder or disk; no incomplete file gets the final name.

    Args:
        source: Path of the file.
        target: New path. Nothing is done if there is none, or it is the same.
    """
    if not target or os.path.abspath(source) == os.path.abspath(target):
        return
    beside = f"{target}.part"
    shutil.copyfile(source, beside)
    os.replace(beside, target)
    os.remove(source)


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
