"""Summaries: few lines as text; as HTML small, escaped, and with the picture that was given."""

from __future__ import annotations

import re
import subprocess
import sys

import numpy as np
import pytest
from html_cases import colors_in, picture_in, rows_in

from hsi_geo.display.images import paint, png_uri, shrink, stretch
from hsi_geo.display.summaries import MOST_ROWS, SIDE_PX, Summary, as_html, as_text

NOISE = np.random.default_rng(3).integers(0, 256, (1700, 2300, 3), np.uint8)


def large() -> Summary:
    rows = [(f"class {n} with a name of some length", str(n), "1.5 %") for n in range(300)]
    return Summary(
        "Map",
        ["fact " * 99] * 4,
        ("class", "pixels", "share"),
        rows,
        colors=["#12ab34"] * 300,
        picture=NOISE,
        caption="noise",
    )


def test_text_is_short_whatever_it_describes() -> None:
    lines = as_text(large()).splitlines()
    assert len(lines) <= 8
    assert max(map(len, lines)) <= 302
    assert re.search(r"and \d+ more$", lines[-1])
    shown = as_text(large()).count("with a name")
    assert shown + int(lines[-1].split()[-2]) == 300


def test_name_and_number_stay_on_one_line() -> None:
    rows = [(f"two words {n}", str(100 + n)) for n in range(12)]
    text = as_text(Summary("Shots", (), ("class", "shots"), rows))
    assert len(text.splitlines()) > 2
    assert all(re.match(r" +(classes: )?two words", line) for line in text.splitlines()[1:])


def test_html_of_noise_stays_small() -> None:
    page = as_html(large())
    assert len(page.encode()) < 200_000
    assert len(rows_in(page)) == len(colors_in(page)) == MOST_ROWS
    assert "and 276 more" in page
    np.testing.assert_array_equal(picture_in(page), shrink(NOISE, SIDE_PX))


@pytest.mark.parametrize("shape", [(1, 1), (7, 3), (3, 401), (640, 2)])
def test_picture_keeps_rows_and_columns(shape: tuple[int, int]) -> None:
    image = NOISE[: shape[0], : shape[1]]
    page = as_html(Summary("a", picture=image))
    np.testing.assert_array_equal(picture_in(page), shrink(image, SIDE_PX))
    assert max(shrink(image, SIDE_PX).shape[:2]) <= SIDE_PX


def test_every_text_is_escaped_and_on_one_line() -> None:
    bad = '<script>"&\n\x1b'
    page = as_html(
        Summary(bad, [bad], (bad, bad), [(bad, bad)], colors=[bad], picture=NOISE[:2], caption=bad)
    )
    assert "<script" not in page
    assert "\n" not in page
    assert "\x1b" not in page
    assert rows_in(page) == [['<script>"&\\n\\x1b'] * 2]
    assert all(one.isprintable() for one in as_text(Summary(bad, [bad])).splitlines())


def test_empty_summary() -> None:
    assert as_text(Summary("nothing")) == "nothing"
    page = as_html(Summary("nothing", picture=np.zeros((0, 3, 3), np.uint8)))
    assert "<img" not in page
    assert "<table" not in page


def test_grey_and_constant_bands_are_drawn() -> None:
    band = np.array([[[1.0, 1.0], [1.0, 5.0]]], np.float32)
    valid = np.array([[True, True], [True, False]])
    assert stretch(band, valid)[..., 0].tolist() == [[0, 0], [0, 255]]
    assert (stretch(band, np.zeros((2, 2), bool)) == 255).all()


def test_no_class_is_white() -> None:
    assert (paint(np.zeros((2, 3), np.int64), ()) == 255).all()


def test_png_needs_no_matplotlib() -> None:
    code = (
        "import sys, numpy as np\n"
        "from hsi_geo.display.summaries import Summary, as_html\n"
        "page = as_html(Summary('a', picture=np.zeros((3, 2, 3), np.uint8)))\n"
        "assert 'data:image/png;base64,' in page\n"
        "print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert not {"matplotlib", "torch", "PIL", "rasterio"} & set(done.stdout.split())
    assert png_uri(NOISE[:1]).startswith("data:image/png;base64,iVBOR")
