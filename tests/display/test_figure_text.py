"""Names of classes, scenes and files in figures and reports, in any letters."""

from __future__ import annotations

import html
import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import imread
from matplotlib.text import Text

from hsi_geo.display import figure_text
from hsi_geo.display.figure_text import LONGEST, has_glyphs, set_text_safely
from hsi_geo.io.labels.shots import LandClass
from hsi_geo.io.reports import figures
from hsi_geo.io.reports.figures import draw_losses, draw_map, draw_panels
from hsi_geo.io.reports.html import Picture, Report, Section, Table, write_report
from hsi_geo.io.reports.images import spectra_uri
from hsi_geo.text import plain

NAMES = {
    "a formula that is none": r"soil $\foo$",
    "a formula": "$x^2$",
    "one dollar": "5 $ a day",
    "unbalanced": "$$ $",
    "braces": "a_{b} ^c \\frac{1}{2} \\",
    "an underscore first": "_water",
    "Chinese": "水田",
    "an emoji": "🌾",
    "an emoji of several": "👩‍🌾 ❤️",
    "Arabic": "غابة",
    "a private letter": "\ue000",
    "an unassigned one": "\U000e0fff",
    "half a pair": "\udce9",
    "a control character": "\x1b[31m",
    "lines": "a\nb",
    "markup": "<b>&amp;</b><script>alert(1)</script>",
    "braces of a template": "{{ 7 * 7 }} {% raw %}",
    "an entity": "&lt;",
    "nothing to be seen": "\u200d",
    "long": "wheat and " * 60,
}


@pytest.fixture(params=NAMES)
def classes(request: pytest.FixtureRequest) -> tuple[LandClass, ...]:
    """Two classes, the second of an odd name."""
    return (LandClass(1, "meadow", "#0a1b2c"), LandClass(2, NAMES[request.param], "#c0ffee"))


def test_figures_draw_any_class_name(classes: tuple[LandClass, ...], tmp_path: Path) -> None:
    """Warnings of glyphs, formulas and layouts are errors here."""
    odd = classes[1].name
    ids = np.array([[1, 2, 0], [2, 2, 1]])
    scene = np.zeros((2, 3, 3), np.uint8)
    spectra_uri(np.array([400.0, 500.0, 600.0]), np.ones((2, 3)), np.ones((2, 3)), classes)
    draw_map(tmp_path / "m.png", scene=scene, predicted=ids, classes=classes, title=odd)
    draw_panels(
        tmp_path / "p.png", scene=scene, predicted=ids, truth=ids, classes=classes, title=odd,
        confidence=np.full((2, 3), 7, np.uint8),
    )  # fmt: skip
    draw_losses(tmp_path / "l.png", {"step": [1.0, 2.0], "loss": [3.0, 2.0]}, title=odd)
    for name, wide in (("m", 800), ("p", 1600), ("l", 800)):
        assert imread(tmp_path / f"{name}.png").shape[1] == wide


def test_set_text_safely_sets_text_unchanged() -> None:
    figure = Figure()
    for words in (r"soil $\foo$", "$x^2$", "_water", "Grünland ≥ 5 °"):
        text = figure.text(0, 0, "")
        set_text_safely(text, words, 3)
        assert text.get_text() == words
        assert text.get_parse_math() is False


def test_legend_shows_names_with_leading_underscore(tmp_path: Path) -> None:
    """Matplotlib leaves such labels out."""
    pictures = []
    for name in ("_water", "."):
        table = (LandClass(1, name, "#0a1b2c"),)
        ids = np.ones((2, 3), np.int64)
        draw_map(
            tmp_path / "a.png", scene=np.zeros((2, 3, 3), np.uint8), predicted=ids,
            classes=table, title="",
        )  # fmt: skip
        pictures.append(imread(tmp_path / "a.png"))
    dark = [(picture[400:] < 0.5).sum() for picture in pictures]  # below the panels
    assert dark[0] > dark[1] > 0


def test_set_text_safely_adds_number_without_glyphs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figure_text, "_family_with", lambda char: None)
    text = Figure().text(0, 0, "")
    set_text_safely(text, "水 field", 12)
    assert text.get_text() == "12: □ field"
    assert not has_glyphs("水 field")
    assert has_glyphs("field")


def test_set_text_safely_uses_other_fonts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(figure_text, "_family_with", lambda char: "DejaVu Serif")
    text = Figure().text(0, 0, "")
    set_text_safely(text, "水 field", 12)
    assert text.get_text() == "水 field"
    assert text.get_fontfamily()[-1] == "DejaVu Serif"


@settings(max_examples=60)
@given(st.text(st.characters(), max_size=LONGEST))
def test_set_text_safely_draws_any_text(words: str) -> None:
    figure = Figure(figsize=(2, 1), dpi=40)
    FigureCanvasAgg(figure)
    set_text_safely(figure.text(0, 0, ""), words, 1)
    figure.savefig(io.BytesIO())


def test_write_report_escapes_names(classes: tuple[LandClass, ...], tmp_path: Path) -> None:
    odd = classes[1].name
    table = Table((odd, "x"), [(odd, odd)], caption=odd)
    section = Section(odd, (odd,), (Picture("data:,", odd),), (table,))
    write_report(Report(odd, odd, (odd,), (section,), odd), tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    escaped = html.escape(plain(odd), quote=False)
    assert page.count(escaped.replace('"', "&#34;").replace("'", "&#39;")) >= 8
    assert "<script" not in page
    assert "\x1b" not in page
    assert "49" not in page.partition("</style>")[2]


def test_titles_are_not_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []

    def keep(figure: Figure, path: Path) -> None:
        drawn.extend(text.get_text() for text in figure.findobj(Text))

    monkeypatch.setattr(figures, "_save", keep)
    title = "Indian Pines, 5 shots a class: overall accuracy 85.7 %"
    scene, ids = np.zeros((3, 5, 3), "uint8"), np.ones((3, 5), "uint8")
    classes = (LandClass(1, "a", "#0a1b2c"), LandClass(2, "b", "#c0ffee"))
    draw_map(tmp_path / "a.png", scene=scene, predicted=ids, classes=classes, title=title)
    draw_losses(tmp_path / "b.png", {"step": [1.0, 2.0], "total": [2.0, 1.0]}, title=title)
    assert drawn.count(title) == 2
