"""The notebook of live previews runs from top to bottom, and its figure answers to the mouse."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from corner_scene import corner
from matplotlib.backend_bases import MouseButton, MouseEvent

from hsi_geo.io.datasets import indian_pines
from hsi_geo.tasks import demo

NOTEBOOK = Path(__file__).parents[1] / "examples" / "live_notebook.ipynb"


def cells() -> list[str]:
    """Source of the code cells."""
    content = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    return ["".join(c["source"]) for c in content["cells"] if c["cell_type"] == "code"]


def test_the_notebook_is_stored_without_outputs() -> None:
    content = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    assert all(not c["outputs"] for c in content["cells"] if c["cell_type"] == "code")


def run_cell(cell: str, space: dict[str, Any]) -> None:
    exec(compile(cell, NOTEBOOK.name, "exec"), space)  # noqa: S102  # of this repository


def click(axes: Any, x: float, y: float, button: int = 1, name: str = "button_press_event") -> None:
    """Press a mouse button at coordinates of the data, or move the mouse there."""
    canvas = axes.figure.canvas
    canvas.draw()
    across, up = axes.transData.transform((x, y))
    event = MouseEvent(name, canvas, across, up, MouseButton(button))
    canvas.callbacks.process(name, event)


def shown(live: Any) -> int:
    """Number of pixels of the map that are not transparent."""
    return int((live.map_axes.images[0].get_array()[..., 3] > 0).sum())


@pytest.mark.slow
@pytest.mark.usefixtures("quick", "figures_in_memory")
def test_the_notebook_runs_and_its_figure_answers_to_the_mouse(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    small = corner()
    for home in (indian_pines, demo):
        monkeypatch.setattr(home, "load_indian_pines", lambda: small)
    monkeypatch.chdir(tmp_path)
    space: dict[str, Any] = {}
    *drawing, finishing, closing = cells()
    for cell in drawing:
        run_cell(cell, space)
    live, names = space["live"], space["names"]
    assert len(live.shots) == 6
    first = live.preview
    assert {c.name for c in first.classes} == set(names[:3])
    assert "1. " in capsys.readouterr().out

    left, bottom, right, top = bounds = space["session"].scene.hsi.grid.bounds
    x, y = left + 0.75 * (right - left), bottom + 0.25 * (top - bottom)
    live.chosen.set_active(3)
    click(live.scene_axes, x, y)
    assert live.shots[-1] == (pytest.approx(x, abs=40), pytest.approx(y, abs=40), names[3])
    assert {c.name for c in live.preview.classes} == set(names[:4])
    assert bounds == live.preview.grid.bounds

    click(live.map_axes, x, y, name="motion_notify_event")
    assert len(live.spectrum_axes.lines) == 5  # four means and the pixel
    pixel = live.spectrum_axes.lines[-1].get_ydata()
    assert pixel.tolist() == space["session"].spectrum(x, y).values.tolist()

    everything = shown(live)
    live.least.set_val(float(np.median(live.preview.confidence)) + 1)
    assert 0 < shown(live) < everything

    click(live.map_axes, x, y, button=3)  # the nearest shot goes
    assert len(live.shots) == 6
    assert live.preview.class_ids.tolist() == first.class_ids.tolist()

    run_cell(finishing, space)
    with rasterio.open(tmp_path / "demo" / "live_map.tif") as file:
        assert (file.height, file.width) == small.truth.shape
    assert space["result"].paths.report.exists()
    run_cell(closing, space)


@pytest.mark.slow
def test_the_notebook_runs_in_a_kernel(tmp_path: Path) -> None:
    """As Jupyter runs it, without a screen; on the whole scene."""
    for name in ("ipykernel", "nbclient", "nbformat"):
        pytest.importorskip(name, reason=f"{name} is not installed")
    import nbclient
    import nbformat

    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    place: dict[str, Any] = {"metadata": {"path": str(tmp_path)}}
    client = nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3", resources=place)
    client.execute()
    assert (tmp_path / "demo" / "live_map.tif").exists()
    shown = [one for cell in notebook.cells if cell.cell_type == "code" for one in cell.outputs]
    assert any("image/png" in one.get("data", {}) for one in shown)
