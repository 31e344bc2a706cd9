"""Export: a model as a file that other programs run."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hsi_geo import stages, timings
from hsi_geo.arguments import require_flags, require_output
from hsi_geo.display.described import Described
from hsi_geo.errors import OptionError
from hsi_geo.extras import require_extra
from hsi_geo.io import model_file
from hsi_geo.io.labels.shots import ClassTable
from hsi_geo.io.outputs.atomic import atomic_outputs
from hsi_geo.progress import Reporter, default_reporter

if TYPE_CHECKING:
    from hsi_geo.display.summaries import Summary
    from hsi_geo.tasks.artifacts.model import AdaptedModel


@dataclass(frozen=True, eq=False, repr=False)
class ExportResult(Described):
    """A model that was written for other programs.

    Attributes:
        path: ONNX file.
        classes: Class table.
        wavelengths_nm: Centre in nm of each band of the graph's input.
        window_px: Side of a window in pixels.
        stride_px: Step from one window to the next in pixels.
    """

    path: Path
    classes: ClassTable
    wavelengths_nm: tuple[float, ...]
    window_px: int
    stride_px: int

    def _summary(self, *, with_picture: bool) -> Summary:
        from hsi_geo.display.summaries import Summary

        return Summary(
            f"ONNX model of {len(self.classes)} classes and {len(self.wavelengths_nm)} bands",
            [f"file: {self.path}", f"windows: {self.window_px} pixels, each {self.stride_px}"],
            ("class", "id"),
            [(c.name, str(c.id)) for c in self.classes],
            colors=[c.color for c in self.classes],
        )


def export(
    model: str | os.PathLike[str] | AdaptedModel,
    onnx: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    reporter: Reporter | None = None,
) -> ExportResult:
    """Write a model as an ONNX file, with which other programs map scenes to the same classes.

    The graph has the inputs ``image``, (windows, bands, P, P) float32 physical values, and ``valid``, (windows, P, P) bool,
    and the output ``probabilities``, (windows, classes, P, P). Its metadata hold the band centres, windows, classes, and how
    windows are blended.

    Args:
        model: Model that `adapt` returned, or path of the file it wrote.
        onnx: File to write, which ends in ``.onnx``.
        overwrite: Whether to replace the file if it exists.
        reporter: Receives progress and messages; None shows a bar in a notebook, and sends
            messages to Python's ``logging``.

    Returns:
        Path, classes, bands and windows.

    Raises:
        HsiGeoError: If a package is missing, or model or output cannot be used; the message says why.
    """
    require_flags(overwrite=overwrite)
    reporter = reporter or default_reporter()
    final = require_output(onnx)
    if final.suffix.lower() != ".onnx":
        raise OptionError(
            f"output '{final}' does not end in .onnx", hint="give a name such as model.onnx"
        )
    model_path = model_file.path_of_model(model)
    with atomic_outputs([final], overwrite=overwrite, inputs=[model_path]) as where:
        require_extra("onnx", "ONNX files")
        reporter.progress(stages.EXPORTING, 0, 1)
        with timings.stage(timings.IMPORTS):
            from hsi_geo.tasks.artifacts.model import load_model
            from hsi_geo.tasks.artifacts.onnx_graph import write_graph
        adapted = load_model(model) if isinstance(model, str | os.PathLike) else model
        write_graph(adapted, where[final])
        reporter.progress(stages.EXPORTING, 1, 1)
    return ExportResult(
        final,
        adapted.classes,
        tuple(float(nm) for nm in adapted.spectral.centres_nm),
        adapted.tiling.size_px,
        adapted.tiling.stride_px,
    )
