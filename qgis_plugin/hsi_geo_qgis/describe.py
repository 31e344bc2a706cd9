"""Describe scene."""

from __future__ import annotations

import html
import json
from typing import Any, ClassVar

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingOutputNumber,
    QgsProcessingOutputString,
    QgsProcessingParameterFileDestination,
)

from .base import HsiGeoAlgorithm, Results
from .command import arguments
from .layers import Parameters
from .map_files import write_text
from .wording import in_dialog

#: Output and its key in the description.
NUMBERS = (
    ("BANDS", "Number of bands", "bands"),
    ("WIDTH", "Width (pixels)", "width"),
    ("HEIGHT", "Height (pixels)", "height"),
)


class DescribeScene(HsiGeoAlgorithm):
    """``hsi-geo info``."""

    NAME = "info"
    TITLE = "Describe scene"
    SHORT = "Show size, bands, wavelengths, missing values and warnings of a hyperspectral scene."
    TAGS = (*HsiGeoAlgorithm.TAGS, "metadata", "wavelengths", "information")
    HELP = """<p>Shows what hsi-geo reads from a scene: size, bands, wavelengths, bands that are not used, missing
values, scale and warnings. Nothing is mapped.</p>
<h3>Example</h3>
<p>Choose a scene and run. The log shows the description. Read it before you draw labels.</p>"""
    HELPS: ClassVar = {
        "OUTPUT": "HTML page with the same lines as the log. The Results Viewer opens it.",
        "VALUES": "JSON file with all that is known of the scene, for other programs.",
    }

    def initAlgorithm(self, config: dict[str, Any] | None = None) -> None:
        """Define the parameters and outputs."""
        self.add_scene()
        self.add_opening()
        for name, title, kind in (
            ("OUTPUT", "Description", "HTML files (*.html)"),
            ("VALUES", "All values", "JSON files (*.json)"),
        ):
            self.addParameter(
                QgsProcessingParameterFileDestination(
                    name, title, kind, optional=True, createByDefault=name == "OUTPUT"
                )
            )
        for name, title, _ in NUMBERS:
            self.addOutput(QgsProcessingOutputNumber(name, title))
        self.addOutput(QgsProcessingOutputString("CRS", "Coordinate reference system"))

    def processAlgorithm(
        self, parameters: Parameters, context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> Results:
        """Run hsi-geo."""
        command = arguments(
            "info",
            self.scene(parameters, context, feedback),
            json=True,
            **self.opening_options(parameters, context),
        )
        run = self.run_command(command, feedback, {})
        found = json.loads("\n".join(run.output))
        scene = found["scene"]
        titles = self.titles()
        rows = [(title, in_dialog(text, titles, self.names)) for title, text in description(scene)]
        warnings = [in_dialog(warning, titles, self.names) for warning in scene["warnings"]]
        for title, text in rows:
            feedback.pushInfo(f"{title}: {text}")
        for warning in warnings:
            feedback.pushWarning(warning)
        results: Results = {name: scene[key] for name, _, key in NUMBERS}
        results["CRS"] = scene["crs"] or ""
        texts = {
            "OUTPUT": _page(rows, warnings),
            "VALUES": json.dumps(found, indent=2, ensure_ascii=False),
        }
        for name, text in texts.items():
            if parameters.get(name):
                results[name] = self.parameterAsFileOutput(parameters, name, context)
                write_text(results[name], text)
        return results


def description(scene: dict[str, Any]) -> list[tuple[str, str]]:
    """Title and text of each line of a description.

    Args:
        scene: The scene, as ``info --json`` describes it.
    """
    low, high = scene["range_nm"]
    across, down = scene["resolution"]
    bad = len(scene["bad_bands"])
    flags = [
        (f"Flagged as {flag}", f"{100 * part:.0f} %") for flag, part in scene["quality"].items()
    ]
    return [
        ("Scene", scene["path"]),
        ("Format", f"{scene['format']}, {scene['dtype']}"),
        ("Size", f"{scene['width']} x {scene['height']} pixels, {scene['bands']} bands"),
        ("Pixel size", f"{across:g} x {down:g} {scene['unit']}"),
        ("Coordinate reference system", scene["crs"] or "none"),
        ("Wavelengths", f"{low:.0f} to {high:.0f} nm, from {scene['wavelength_source']}"),
        ("Bands that are not used", f"{bad} of {scene['bands']}"),
        ("Missing values", f"{100 * scene['nodata_share']:.1f} % of the pixels"),
        ("Values look like", str(scene["values_look_like"])),
        *flags,
        ("Masked", _masked(scene["mask"])),
        *(("Note", note) for note in scene["notes"]),
    ]


def _masked(mask: dict[str, Any]) -> str:
    """How many pixels are masked, and why; a pixel may have several reasons."""
    if not mask["masked_px"]:
        return f"no pixel ({mask['option']})"
    reasons = ", ".join(f"{flag} {count:,}" for flag, count in mask["reasons"].items() if count)
    return f"{mask['masked_px']:,} pixels ({100 * mask['share']:.1f} %): {reasons}"


def _page(rows: list[tuple[str, str]], warnings: list[str]) -> str:
    shown = [*rows, *(("Warning", warning) for warning in warnings)]
    cells = "\n".join(
        f"<tr><th align='left'>{html.escape(title)}</th><td>{html.escape(text)}</td></tr>"
        for title, text in shown
    )
    return (
        "<!DOCTYPE html>\n<html lang='en'><head><meta charset='utf-8'><title>Scene</title></head>\n"
        f"<body><table cellpadding='4'>\n{cells}\n</table></body></html>\n"
    )
