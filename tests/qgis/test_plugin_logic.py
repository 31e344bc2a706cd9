"""What of the plugin works without QGIS: its protocol, and how it looks for hsi-geo."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from hsi_geo_qgis import protocol
from hsi_geo_qgis.command import arguments
from hsi_geo_qgis.interpreter import LauncherError, find_launcher
from hsi_geo_qgis.protocol import (
    LineBuffer,
    ProgressBar,
    StageText,
    failure,
    parse_event,
)
from hsi_geo_qgis.wording import PARAMETERS, advice, as_options, in_dialog
from hypothesis import given, settings
from hypothesis import strategies as st

from hsi_geo import stages
from hsi_geo.tasks.serving.parameters import METHODS
from hsi_geo.tasks.serving.request_words import request_hint, request_words

ROOT = Path(__file__).parents[2]


# Protocol ----------------------------------------------------------------------------------------


@settings(max_examples=40)
@given(st.lists(st.text(st.characters(exclude_characters="\n\r", codec="utf-8"))), st.data())
def test_lines_survive_any_cut(lines: list[str], data: st.DataObject) -> None:
    whole = "".join(f"{line}\n" for line in lines).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)))))
    buffer, found = LineBuffer(), []
    for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True):
        found += buffer.feed(whole[start:end])
    assert found == lines
    assert buffer.flush() == []


def test_a_last_line_without_break_is_kept() -> None:
    buffer = LineBuffer()
    assert buffer.feed(b"one\r\ntw") == ["one"]
    assert buffer.flush() == ["tw"]


@pytest.mark.parametrize("line", ["", "plain", "[1]", "3", '{"no": "type"}', '{"type": '])
def test_other_lines_are_no_events(line: str) -> None:
    assert parse_event(line) is None


def test_stages_are_those_of_the_command() -> None:
    """A stage by another name would move no progress bar."""
    named = {name: getattr(protocol, name) for name in ("LEARNING", "TRAINING", "MAPPING")}
    assert named == {name: getattr(stages, name) for name in named}


def test_stages_have_a_name_in_one_place() -> None:
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "hsi_geo").rglob("*.py")]
    reported = {name for text in sources for name in re.findall(r"\.progress\((.+?),", text)}
    constants = {f"stages.{name}" for name in vars(stages) if name.isupper()}
    assert {"stages.MAPPING", "stages.TRAINING"} <= reported
    assert reported - {"stage", "self", "self.stage"} <= constants


TITLES = {"--aoi": "Inside these", "--max-memory": "Memory"}


@pytest.mark.parametrize(
    ("hint", "shown"),
    [
        ("give polygons to --aoi", "give polygons to 'Inside these'"),
        ("choose another, or give --overwrite", "choose another"),
        ("choose one with --layer", ""),
        ("give fewer --workers, or a smaller --max-memory", "a smaller 'Memory'"),
        ("warp it with gdalwarp -r near", "warp it with gdalwarp -r near"),
        ("", ""),
    ],
)
def test_hints_name_elements_of_the_dialog(hint: str, shown: str) -> None:
    assert advice(hint, TITLES) == shown
    assert failure(1, {"message": "no", "hint": hint}, [], "p", TITLES).startswith("no")
    assert failure(1, {"message": "no", "hint": ""}, [], "p", TITLES) == "no"


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("--aoi and --layer, a--aoi", "'Inside these' and 'layer', a--aoi"),
        ("give --wavelengths FILE, one a line", "give a file in 'Waves', one a line"),
        ("--wavelengths '400' is no file", "'400' in 'Waves' is no file"),
        ("give --wavelengths 400:2500", "give 400:2500 in 'Waves'"),
        ("or --wavelengths index", "or index in 'Waves'"),
        ("--wavelengths 0,0001 is no factor", "0,0001 in 'Waves' is no factor"),
        ("--wavelengths 1e-4x is no factor", "1e-4x in 'Waves' is no factor"),
        ("--wavelengths -0.5 is no share", "-0.5 in 'Waves' is no share"),
        ("(or --max-memory 2G), at best", "(or 2G in 'Memory'), at best"),
        ("for '--max-memory': '1,5G' is no size", "for 'Memory': '1,5G' is no size"),
        ("an --aoi polygon", "an 'Inside these' polygon"),
        ("use it, or see hsi-geo doctor", "use it, or see 'Check environment'"),
        ("shots '/tmp/x/y z.gpkg' are empty", "shots 'Meine Flächen' are empty"),
        ("shots 'y z.gpkg' are empty", "shots 'Meine Flächen' are empty"),
    ],
)
def test_messages_have_the_words_of_the_dialog(message: str, shown: str) -> None:
    titles = {**TITLES, "--wavelengths": "Waves"}
    assert in_dialog(message, titles, {"/tmp/x/y z.gpkg": "Meine Flächen"}) == shown


def test_messages_of_the_engine_have_the_words_of_the_dock() -> None:
    """The engine names parameters of requests; the dock drops ways that it does not offer."""
    engine = {one.name for all_ in METHODS.values() for one in all_} - {"session", "id", "x", "y"}
    assert engine == PARAMETERS
    titles = {"--wavelengths": "Waves"}
    for text in sentences():
        for sent in (request_words(text), request_hint(text)):
            shown = in_dialog(as_options(sent), titles)
            assert not re.search(r"(?<![\w-])--[a-z]", shown), shown
            assert not [name for name in PARAMETERS if f'"{name}"' in shown], shown
    hint = request_hint("give --wavelengths 400:2500, or --overwrite, or write --parents")
    assert advice(as_options(hint), titles) == "give '400:2500' in 'Waves'"
    sent = request_words("--pixel-size 1e-09 would make 9 pixels")
    assert (
        in_dialog(as_options(sent), {"--pixel-size": "Pixel"})
        == "1e-09 in 'Pixel' would make 9 pixels"
    )


def sentences() -> list[str]:
    """Each text in the library's source that names an option of the command line."""
    found = []
    for path in sorted((ROOT / "hsi_geo").rglob("*.py")):
        if path.name == "environment.py":  # commands of pip, which Check environment words itself
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                text = " ".join(node.value.split())
                if re.search(r"(?<![\w-])--[a-z]", text):
                    found.append(text)
    return found


def test_no_option_of_the_library_is_left_in_a_dialog() -> None:
    """Whatever hsi-geo says, also about an option that the dialog does not have."""
    assert len(sentences()) > 30
    for text in sentences():
        for shown in (in_dialog(text, TITLES), in_dialog(text, {}), advice(text, TITLES)):
            assert not re.search(r"(?<![\w-])--[a-z]", shown), shown


def test_the_bar_goes_forward_through_the_stages() -> None:
    bar = ProgressBar({"look": 0.1, "adapt": 0.7, "map": 0.2})
    steps = [
        ("look", 1, 2, 5), ("look", 2, 2, 10), ("adapt", 1, 7, 20), ("adapt", 7, 7, 80),
        ("adapt", 1, 7, 80), ("unheard of", 1, 2, 80), ("map", 1, 4, 85), ("map", 0, 0, 85),
        ("map", 4, 4, 100),
    ]  # fmt: skip
    for stage, done, total, percent in steps:
        event = {"stage": stage, "done": done, "total": total}
        assert bar.percent(event) == pytest.approx(percent)


def test_a_part_of_the_bar() -> None:
    rounds = ProgressBar({"learn": 0.5, "map": 0.5}, rounds={"map": 2})
    steps = [
        ("learn", 2, 2),
        ("map", 0, 2),
        ("map", 2, 2),
        ("map", 0, 4),
        ("map", 2, 4),
        ("map", 4, 4),
    ]
    assert [rounds.percent({"stage": s, "done": d, "total": t}) for s, d, t in steps] == [
        50, 50, 75, 75, 87.5, 100
    ]  # fmt: skip
    bar = ProgressBar({"map": 1.0}, start=80, end=100)
    assert bar.percent({"stage": "map", "done": 1, "total": 4}) == pytest.approx(85)


def test_the_hint_is_left_out_where_there_is_none() -> None:
    assert failure(1, {"message": "interrupted", "hint": ""}, [], "python") == "interrupted"


def test_options_become_arguments() -> None:
    found = arguments(
        "classify", "-odd scene.tif", max_memory="1G", seed=0, aoi=None, weights="", overwrite=True,
        confidence=False,
    )  # fmt: skip
    expected = ["classify", "--max-memory", "1G", "--seed", "0", "--overwrite", "--"]
    assert found == [*expected, "-odd scene.tif"]
    assert arguments("doctor", json=True) == ["doctor", "--json"]


# Where hsi-geo is --------------------------------------------------------------------------------


def executable(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o755)
    return str(path)


ISOLATED = ("-I", "-m", "hsi_geo")


def test_setting_comes_before_variable_before_path(tmp_path: Path) -> None:
    setting = executable(tmp_path / "a" / "python")
    variable = executable(tmp_path / "b" / "python")
    on_path = executable(tmp_path / "c" / "bin" / "hsi-geo")
    environ = {"HSI_GEO_PYTHON": variable, "PATH": str(tmp_path / "c" / "bin")}
    assert find_launcher(setting, environ).command == (setting, *ISOLATED)
    assert find_launcher("", environ).command == (variable, *ISOLATED)
    del environ["HSI_GEO_PYTHON"]
    assert find_launcher(" ", environ).command == (on_path,)
    beside = executable(tmp_path / "c" / "bin" / "python")
    assert find_launcher("", environ).command == (beside, *ISOLATED)


@pytest.mark.parametrize("python", ["bin/python", "Scripts/python.exe", "python.exe"])
def test_folder_of_an_environment_is_accepted(python: str, tmp_path: Path) -> None:
    expected = executable(tmp_path / "env" / python)
    assert find_launcher(str(tmp_path / "env"), {}).command == (expected, *ISOLATED)


def test_an_installed_script_leads_to_its_python(tmp_path: Path) -> None:
    """Tools that install programs put a link to the environment's script on the PATH."""
    python = executable(tmp_path / "venvs" / "hsi-geo" / "bin" / "python")
    script = executable(tmp_path / "venvs" / "hsi-geo" / "bin" / "hsi-geo")
    link = tmp_path / "bin" / "hsi-geo"
    link.parent.mkdir()
    link.symlink_to(script)
    assert find_launcher(str(link), {}).command == (python, *ISOLATED)
    assert find_launcher("", {"PATH": str(link.parent)}).program == python


@pytest.mark.parametrize(
    ("setting", "said"),
    [("", "not set up"), ("{}/none", "does not exist"), ("{}", "holds no Python")],
)
def test_missing_environment_gives_an_error_with_a_hint(
    setting: str, said: str, tmp_path: Path
) -> None:
    with pytest.raises(LauncherError, match=f"{said}.*Set up hsi-geo"):
        find_launcher(setting.format(tmp_path), {"PATH": str(tmp_path)})


def test_texts_on_the_remaining_time_are_few() -> None:
    """One when a stage begins, one when its remaining time is known, then one every half a minute."""
    now = [0.0]
    text, shown = StageText(lambda: now[0]), []
    for second in range(100):
        now[0] = float(second)
        event = {
            "stage": "Training the network",
            "done": second,
            "total": 100,
            "eta_s": 99.0 - second,
        }
        shown.append(text.update(event))
    assert {second: words for second, words in enumerate(shown) if words} == {
        0: "Training the network",
        5: "Training the network: 5 %, about 2 min left",
        35: "Training the network: 35 %, about 1 min left",
        65: "Training the network: 65 %, about 35 s left",
    }
    assert text.update({"stage": "Mapping", "done": 0, "total": 0, "eta_s": None}) == "Mapping"
