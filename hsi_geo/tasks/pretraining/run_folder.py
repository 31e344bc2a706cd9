"""The folder of an interrupted or running pre-training, which lies beside the weights."""

from __future__ import annotations

from pathlib import Path

#: Files in a run's folder, which lies beside the weights until they are complete.
CHECKPOINT, LOG = "last.ckpt", "log.csv"

#: Name of a checkpoint while it is written.
DRAFT = CHECKPOINT + ".draft"

#: All files of a run's folder.
RUN_FILES = (CHECKPOINT, DRAFT, LOG)


def remove_run(run: Path) -> None:
    """Remove the files of a run, and its folder if it contains nothing else.

    Args:
        run: Folder of the run.
    """
    for name in RUN_FILES:
        (run / name).unlink(missing_ok=True)
    if not any(run.iterdir()):
        run.rmdir()
