"""Pipes of every code page, and names with control characters."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import rasterio
from builders import cube_of, run, write_tif
from hsi_geo.cli.printing import pairs, table
from hsi_geo.cli.reporting import JsonReporter, QuietReporter, TerminalReporter
from hypothesis import given
from hypothesis import strategies as st

from hsi_geo.text import plain, plain_json

Planted = Any  # defined in conftest, which tests cannot import
MakeScene = Callable[..., Planted]

#: Environments in which Python's default encoding of pipes is not UTF-8, or may not be.
ENVIRONMENTS: dict[str, dict[str, str]] = {
    "cp1252": {"PYTHONIOENCODING": "cp1252"},
    "ascii, strict": {"PYTHONIOENCODING": "ascii:strict"},
    "latin-1": {"PYTHONIOENCODING": "latin-1"},
    "utf-16": {"PYTHONIOENCODING": "utf-16"},
    "C": {"LC_ALL": "C"},
    "POSIX without coercion": {"LC_ALL": "POSIX", "PYTHONCOERCECLOCALE": "0"},
    "C without UTF-8 mode": {"LC_ALL": "C", "PYTHONUTF8": "0"},
    "nothing but ASCII": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "all of it": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "cp1252"},
}

#: Letters beyond ASCII, beyond cp1252, Chinese, and an emoji of several code points.
NAMES = {"meadow": "Grünland", "asphalt": "łąka", "water": "水田 👩‍🌾"}


@pytest.mark.parametrize(
    "line",
    [
        "zones map.tif --zones z.gpkg --progress jsonl",
        "zones map.tif --progress=jsonl",
        "convert a.tif --no-such-option --progress jsonl",
        "convert --progress jsonl a.tif -o b.tif --bands none",
        "info a.tif b.tif c.tif --tile --progress jsonl",
    ],
    ids=["output", "two", "option", "choice", "info"],
)
def test_wrong_use_is_one_event_for_programs(line: str) -> None:
    result = run(*line.split())
    assert result.exit_code == 2
    (event,) = [json.loads(one) for one in result.stderr.splitlines()]
    assert (event["type"], event["code"]) == ("error", "option")
    assert "\n" not in event["message"]


@pytest.mark.parametrize("closed", ["2>&-", ">&- 2>&-", "<&- >&- 2>&-"], ids=["err", "out", "all"])
@pytest.mark.skipif(os.name == "nt", reason="the shell is that of Unix")
def test_a_command_with_closed_streams_writes_its_output(tmp_path: Path, closed: str) -> None:
    """As under pythonw and starters of desktops; no file of data gets the number of a stream."""
    tags = [{"wavelength": str(nm), "wavelength_units": "Nanometers"} for nm in (450, 550, 650)]
    scene = write_tif(tmp_path / "a.tif", cube_of(3), band_tags=tags)
    out = tmp_path / "b.tif"
    line = f'"{sys.executable}" -m hsi_geo convert "{scene}" -o "{out}" {closed}'
    assert subprocess.run(line, shell=True, check=False, timeout=60).returncode == 0
    with rasterio.open(out) as file:
        np.testing.assert_array_equal(file.read(), cube_of(3))


def call(
    where: Path, environment: Mapping[str, str], *args: object
) -> subprocess.CompletedProcess[bytes]:
    """Run the program as other programs do, with bytes through pipes."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTHON", "LC_", "LANG"))
    }
    return subprocess.run(
        [sys.executable, "-m", "hsi_geo", *map(os.fsencode, map(str, args))],
        cwd=where,
        env={**kept, **environment, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        check=False,
        timeout=120,
    )


def events(output: bytes) -> list[dict[str, Any]]:
    """Events of the protocol, from UTF-8."""
    return [json.loads(line) for line in output.decode("utf-8").splitlines()]


@pytest.fixture
def chinese(planted: Planted, tmp_path: Path) -> tuple[Path, Path]:
    """A scene and its shots, with all names in other scripts."""
    folder = tmp_path / "Übung 测试"
    folder.mkdir()
    scene = planted.path.rename(folder / "场景 é.tif")
    shots = planted.shots(folder / "标签.gpkg")
    frame = gpd.read_file(shots)
    frame["class"] = frame["class"].map(NAMES)
    frame.to_file(shots)
    return scene, shots


@pytest.mark.parametrize("environment", ENVIRONMENTS.values(), ids=ENVIRONMENTS)
def test_output_is_utf8_in_every_locale(
    environment: dict[str, str], chinese: tuple[Path, Path], tmp_path: Path
) -> None:
    scene, shots = chinese
    done = call(tmp_path, environment, "info", scene, "--shots", shots)
    assert done.returncode == 0, done.stderr
    output = done.stdout.decode("utf-8")
    assert str(scene) in output
    assert all(name in output for name in NAMES.values())
    assert b"\r\n" not in done.stdout


@pytest.mark.parametrize("environment", ["cp1252", "all of it"])
@pytest.mark.slow
def test_json_is_utf8_in_every_locale(
    environment: str, chinese: tuple[Path, Path], tmp_path: Path
) -> None:
    scene, shots = chinese
    chosen = ENVIRONMENTS[environment]
    done = call(tmp_path, chosen, "info", scene, "--json", "--shots", shots)
    found = json.loads(done.stdout.decode("utf-8"))
    assert {c["name"] for c in found["shots"]["classes"]} == set(NAMES.values())
    missing = f"{scene}-没有.tif"
    done = call(tmp_path, chosen, "info", missing, "--progress", "jsonl")
    assert done.returncode == 1
    (event,) = events(done.stderr)
    assert event["code"] == "scene-not-found"
    assert missing in event["message"]


@pytest.mark.parametrize("environment", ["cp1252", "all of it"])
@pytest.mark.slow
def test_result_event_has_paths_that_the_code_page_lacks(
    environment: str, chinese: tuple[Path, Path], tmp_path: Path
) -> None:
    """Exit code 0 and the result event with the true path, for names that the code page lacks."""
    scene, _ = chinese
    with rasterio.open(scene) as file:
        profile = {"driver": "GTiff", "transform": file.transform, "crs": file.crs, "nodata": 0}
        ids = np.where(file.read(1) > 2000, 1, 2).astype(np.uint8)
    reference = tmp_path / "карта.tif"
    height, width = ids.shape
    with rasterio.open(
        reference, "w", height=height, width=width, count=1, dtype="uint8", **profile
    ) as file:
        file.write(ids[None])
    page = tmp_path / "отчёт.html"
    done = call(
        tmp_path, ENVIRONMENTS[environment], "assess", reference, "--reference", reference,
        "-o", page, "--progress", "jsonl",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert page.exists()
    assert events(done.stderr)[-1]["outputs"] == {"report": str(page)}


@pytest.mark.slow
def test_file_names_that_are_not_utf8_are_refused(
    make_scene: MakeScene, planted: Planted, tmp_path: Path
) -> None:
    """Bytes of another encoding: GDAL does not take them; the message can be read and parsed."""
    name = os.fsdecode(b"caf\xe9.tif")
    planted.path.rename(tmp_path / name)
    for environment in (ENVIRONMENTS["nothing but ASCII"], ENVIRONMENTS["cp1252"]):
        done = call(tmp_path, environment, "info", name)
        assert done.returncode == 1
        assert b"'caf\\udce9.tif' is not named in UTF-8" in done.stderr
        assert b"unexpected" not in done.stderr
        done = call(tmp_path, environment, "info", name, "--progress", "jsonl")
        (event,) = events(done.stderr)
        assert plain(name) in plain(event["message"])
    done = call(tmp_path, {}, "info", os.fsdecode(b"\xe9none.tif"))
    assert b"'\\udce9none.tif' does not exist" in done.stderr


def test_a_closed_stdout_exits_with_0(planted: Planted, tmp_path: Path) -> None:
    done = subprocess.run(
        ["sh", "-c", f"'{sys.executable}' -m hsi_geo info '{planted.path}' >&-"],
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


# Control characters ------------------------------------------------------------------------------

#: Characters that control a terminal, or change the order of a text.
HOSTILE = (
    "\x1b[31mred",
    "bell\x07",
    "csi\x9b2J",
    "del\x7f",
    "back\u202ewards",
    "\u2028line",
    "a\rb",
)


@pytest.mark.parametrize("name", HOSTILE)
def test_reporters_print_no_control_characters(
    name: str, planted: Planted, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = [
        table([("class", "id"), (name, "1")]),
        pairs([("scene", Path(name)), ("CRS", name)]),
    ]
    for reporter in (TerminalReporter(), QuietReporter(), JsonReporter()):
        reporter.warning(name)
        reporter.log(name)
    shown += capsys.readouterr()
    for text in shown:
        assert not any(char in text for char in name if not char.isprintable()), text
    assert all(plain(name) in text for text in shown[:2])


@pytest.mark.parametrize("name", [name for name in HOSTILE if "\r" not in name])  # GDAL's SQLite
def test_commands_print_no_control_characters_of_names(
    name: str, planted: Planted, tmp_path: Path
) -> None:
    scene = planted.path.rename(tmp_path / f"{name}.tif")
    shots = planted.shots(tmp_path / f"{name}.gpkg")
    frame = gpd.read_file(shots)
    frame["class"] = frame["class"].replace("water", f"water {name}")
    frame.to_file(shots, layer=f"layer {name.strip()}")
    for args in (
        ("info", scene, "--shots", shots),
        ("info", scene, "--shots", shots, "--layer", f"layer {name.strip()}"),
        ("info", scene, "--shots", shots, "--layer", f"layer {name.strip()}", "--json"),
        ("info", scene, "--shots", shots, "--class-field", name),
        ("info", f"{scene}{name}"),
        ("info", scene, name),
        ("info", scene, f"--{name}"),
        ("info", scene, "--progress", name),
        (name,),
        ("assess", scene, "--reference", shots),
        ("assess", scene, "--reference", shots, "--progress", "jsonl"),
    ):
        shown = run(*args)
        raw = [c for c in shown.stdout + shown.stderr if not c.isprintable() and c != "\n"]
        assert not raw, (args, raw)
        assert "defect" not in shown.stderr
        if "--json" in args:
            names = {c["name"] for c in json.loads(shown.stdout)["shots"]["classes"]}
            assert len(names) == 3  # names are tested elsewhere
        if "jsonl" in args:
            (event,) = events(shown.stderr.encode())
            assert name in event["message"] or "\u2028" in name  # errors are one line


@given(st.text(st.characters(), max_size=30))
def test_plain_gives_one_line_that_can_be_encoded(text: str) -> None:
    shown = plain(text)
    assert shown.splitlines() in ([shown], [])
    shown.encode("utf-8")
    if text.isprintable():
        assert shown == text


@given(st.recursive(st.text(st.characters()), lambda inner: st.lists(inner, max_size=3)))
def test_plain_json_holds_the_same_value(content: Any) -> None:
    for indent in (None, 2):
        text = plain_json(json.dumps(content, ensure_ascii=False, indent=indent))
        assert json.loads(text.encode("utf-8")) == content
        assert "\x1b" not in text
        assert "\x9b" not in text


def test_table_aligns_wide_characters() -> None:
    lines = table([("class", "id"), ("水田", "1"), ("meadow", "2"), ("o\u0302", "3")]).splitlines()
    assert lines == ["class   id", "水田     1", "meadow   2", "o\u0302        3"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_printing_to_a_full_disk_is_one_sentence(tmp_path: Path, unbuffered: str) -> None:
    write_tif(tmp_path / "a.tif", cube_of(3))
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "hsi_geo", "info", "a.tif", "--wavelengths", "500:900"],
            stdout=full, stderr=subprocess.PIPE, text=True, check=False, cwd=tmp_path,
            env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
        )  # fmt: skip
    assert ended.returncode == 1
    assert ended.stderr.startswith("Error: writing failed (No space left on device)")
    assert "defect" not in ended.stderr
