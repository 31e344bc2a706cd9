"""Messages of the engine name parameters of requests, and no options of the command line."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import geopandas as gpd
import pytest
from planted import Planted
from serving_cases import OPTION, Client, Served

from hsi_geo.errors import ClassFieldError, OptionError, OutputExistsError
from hsi_geo.option_words import is_own_option
from hsi_geo.tasks.serve import _open_session
from hsi_geo.tasks.serving.engine import Engine
from hsi_geo.tasks.serving.failures import rpc_error
from hsi_geo.tasks.serving.request_words import request_hint, request_words

LIBRARY = Path(__file__).parents[3] / "hsi_geo"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("choose one with --class-field", 'choose one with "class_field"'),
        ("choose another, or give --overwrite", 'choose another, or give "overwrite": true'),
        ("give --wavelengths 400:2500", 'give "wavelengths": "400:2500"'),
        ("--wavelengths '5:x' is no list", '"wavelengths": "5:x" is no list'),
        ("give them with --wavelengths FILE", 'give them with "wavelengths": FILE'),
        ("all pixels with --mask none", 'all pixels with "mask": "none"'),
        ("--smooth 90 is out of range", '"smooth": 90 is out of range'),
        ("--pixel-size 1e-09 would make 9 pixels", '"pixel_size": 1e-09 would make 9 pixels'),
        ("--pixel-size 2.5e+20 is too much", '"pixel_size": 2.5e+20 is too much'),
        ("give --count 7.", 'give "count": 7.'),
        ("leave --swath out", 'leave "swath": true out'),
        ("leave --no-straighten out", 'leave "straighten": false out'),
        ("give a file for the map with -o", 'give a file for the map with "out"'),
        ("allow it with --follow-links", 'allow it with "follow_links": true'),
        ("--pixel-size is 0", '"pixel_size" is 0'),
        ("--rescale is 0", "rescale is 0"),
        ("output 'a --overwrite.tif' is a folder", "output 'a --overwrite.tif' is a folder"),
        (
            "run ogrinfo --config SHAPE_RESTORE_SHX YES a",
            "run ogrinfo --config SHAPE_RESTORE_SHX YES a",
        ),
    ],
)
def test_options_become_members_of_a_request(text: str, expected: str) -> None:
    assert request_words(text) == expected


def test_ways_that_no_request_has_are_left_out() -> None:
    assert request_hint("leave --grid out, or give --rescale") == 'leave "grid" out'
    assert request_hint("give --restat") == ""


@pytest.mark.parametrize(
    ("error", "message", "hint"),
    [
        (ClassFieldError("2 fields", hint="choose one with --class-field"), "2 fields",
         'choose one with "class_field"'),
        (OptionError("--reject 'much' is no share", hint="give 0.5"), '"reject": "much" is no share',
         "give 0.5"),
        (OutputExistsError("'--reject' is there", hint="give --overwrite"), "'--reject' is there",
         'give "overwrite": true'),
    ],
)  # fmt: skip
def test_errors_have_the_words_of_a_request(error: Exception, message: str, hint: str) -> None:
    found = rpc_error(error)
    assert (found.message, found.data["hint"]) == (message, hint)


def library_texts() -> Iterator[str]:
    """Texts of the library that name an option."""
    for path in sorted(LIBRARY.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


@pytest.mark.slow
def test_no_option_of_the_library_is_left() -> None:
    named = [text for text in library_texts() if OPTION.search(text)]
    assert len(named) > 30
    for text in named:
        for shown in (request_words(text), request_hint(text)):
            # A text in quotes is a name; here it may be a part of the sentence.
            left = re.findall(r"--[a-z][a-z-]*", re.sub(r"'.*?'", "", shown, flags=re.DOTALL))
            assert not [option for option in left if is_own_option(option)], shown


def test_messages_and_remarks_have_the_words_of_a_request(tmp_path: Path) -> None:
    served = Served(tmp_path)
    try:
        served.change = lambda session: session.scene.attrs.update(
            notes=("centres by --wavelengths index",)
        )
        served.call("open", scene="a.tif")
        served.made[0].fails = OptionError("--reject 'a' is none", hint="leave --reject out")
        served.error("finish", session=1, out="m.tif")
        assert not served.in_options
    finally:
        served.engine.end()


@pytest.mark.usefixtures("quick")
def test_a_live_session_names_no_option(planted: Planted, tmp_path: Path) -> None:
    """`Client.take` looks at each message; here are errors whose texts name options."""
    client = Client(lambda line: engine.receive(line))
    engine = Engine(_open_session, client.take, tmp_path)
    shots = planted.shots(tmp_path / "shots.gpkg")
    frame = gpd.read_file(shots)
    frame.assign(other=frame["class"]).drop(columns="class").assign(third="a").to_file(
        tmp_path / "fields.gpkg"
    )
    try:
        client.call("open", scene=str(planted.path))
        error = client.error("update", session=1, shots=str(tmp_path / "fields.gpkg"))
        assert '"class_field"' in error["data"]["hint"]
        client.call("update", session=1, shots=str(shots))
        wrong: list[tuple[dict[str, Any], str]] = [
            ({"reject": 2}, '"reject": '),
            ({"min_area": "5 acres"}, '"min_area": "5 acres"'),
            ({"min_confidence": "2"}, '"min_confidence": '),
            ({"parents": True}, '"class_field"'),
        ]
        for params, part in wrong:
            error = client.error("finish", session=1, out=str(tmp_path / "m.tif"), **params)
            assert part in error["message"] + error["data"]["hint"]
    finally:
        assert engine.end()
