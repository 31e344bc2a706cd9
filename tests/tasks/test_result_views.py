"""Results of `assess`, `suggest` and `batch` in a notebook; and all of them in a real one, where there is one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from html_cases import rows_in

from hsi_geo.io.labels.suggested_points import SuggestedPoint
from hsi_geo.tasks.assessment.results import Area, Assessment, ClassScore, Estimate
from hsi_geo.tasks.suggest import Suggestions
from hsi_geo.tasks.tiles.batch_result import BatchResult
from hsi_geo.tasks.tiles.jobs import Outcome
from hsi_geo.tasks.tiles.map_areas import ClassArea

if TYPE_CHECKING:
    from planted import Planted

SURE = Estimate(0.9, 0.8, 0.95)


def assessment(area: Area | None) -> Assessment:
    scores = (
        ClassScore("<rye>", 30, 29, SURE, SURE, SURE, area),
        ClassScore("oats", 0, 3, None, None, None, area),
    )
    matrix = np.array([[27, 2], [3, 0]])
    return Assessment(
        SURE, SURE, None, scores, matrix, 32, 30, "simple", ("oats",), (), (), "by counting"
    )


def test_assessment_shows_accuracies_by_class() -> None:
    found = assessment(Area(0.5, 0.4, 0.02, 50.0, 40.0, 2.0))
    lines = repr(found).splitlines()
    assert lines[0] == "Assessment: overall accuracy 90.0 (80-95) %, 95 % interval in brackets"
    assert "32 reference pixels in 30 features, simple random sample" in lines[1]
    assert "the reference lacks 'oats'" in repr(found)
    assert len(lines) <= 8
    assert rows_in(found._repr_html_()) == [
        ["<rye>", "90.0 (80-95)", "90.0 (80-95)", "90.0 (80-95)", "40.0 +- 2.0"],
        ["oats", "-", "-", "-", "40.0 +- 2.0"],
    ]
    assert "area" not in assessment(None)._repr_html_()


def test_suggestions_show_ranked_places(tmp_path: Path) -> None:
    points = tuple(SuggestedPoint(n, 5e5 + n, 6e6 - n, "rye", 40 + n) for n in range(1, 41))
    places = Suggestions(points, tmp_path / "p.gpkg")
    assert repr(places).splitlines()[0] == "Places to label next: 40"
    assert "places: 1 rye, 2 rye" in repr(places)
    assert len(repr(places).splitlines()) <= 8
    page = places._repr_html_()
    assert rows_in(page)[0] == ["1", "rye", "41 %", "500001", "5999999"]
    assert "and 16 more" in page


def test_batch_counts_tiles_and_areas(tmp_path: Path) -> None:
    states = ("mapped", "mapped", "failed")
    names = [f"{n}.tif" for n in range(3)]
    maps = BatchResult(
        tmp_path,
        {name: tmp_path / name for name in names},
        {name: Outcome(state) for name, state in zip(names, states, strict=True)},
        [ClassArea(1, "rye", 1234, 74.04), ClassArea(2, "oats", 1, None)],
        {},
    )
    assert repr(maps).splitlines()[0] == "Batch of 3 tiles: 1 failed, 2 mapped"
    assert rows_in(maps._repr_html_()) == [["rye", "1,234", "74.0"], ["oats", "1", "-"]]


OPEN = """from hsi_geo import open_scene, read_shots
scene = open_scene("scene.tif")
shots = read_shots("shots.gpkg")
scene.hsi"""

CELLS = (
    OPEN,
    "shots",
    "figure = shots.plot(scene)",
    "print(scene.hsi)",
)


def test_a_notebook_shows_pictures_and_figures(planted: Planted, tmp_path: Path) -> None:
    """Cells that a real kernel executes."""
    for name in ("ipykernel", "nbclient", "nbformat"):
        pytest.importorskip(name, reason=f"{name} is not installed")
    import nbclient
    import nbformat

    planted.shots(tmp_path / "shots.gpkg")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    place: dict[str, Any] = {"metadata": {"path": str(tmp_path)}}
    client = nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3", resources=place)
    client.execute()
    scene, shots, figure, printed = ([*cell.outputs] for cell in notebook.cells)
    for (shown,), title in ((scene, "Scene scene.tif: "), (shots, "Shots: 12 points")):
        assert shown.data["text/plain"].startswith(title)
        assert "data:image/png;base64," in shown.data["text/html"]
        assert len(str(shown.data)) < 200_000
    assert ["image/png" in one.data for one in figure] == [True]
    assert printed[0].text.startswith("Scene scene.tif: ")
