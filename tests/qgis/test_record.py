"""The plugin warns when a file of a map differs from the map's record."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from class_map_cases import random_probabilities, write_map
from hsi_geo_qgis.record import mismatch_warning, mismatched_files, record_path

from hsi_geo.io.maps.record import find_mismatched_files as mismatched_by_package
from hsi_geo.io.maps.writer import MapPaths

Call = Callable[..., subprocess.CompletedProcess[str]]
Fake = Any  # defined in conftest, which tests cannot import

FILES = ("classes", "confidence", "probabilities", "style", "aux", "record")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def change(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(bytes([content[0] ^ 1]) + content[1:])


HARM: dict[str, Callable[[Path], object]] = {
    "removed": Path.unlink,
    "emptied": lambda path: path.write_bytes(b""),
    "cut": cut,
    "changed": change,
    "grown": lambda path: path.write_bytes(path.read_bytes() + b" "),
    "as written": Path.exists,
}


@pytest.fixture
def paths(tmp_path: Path) -> MapPaths:
    """A map with confidence and probabilities."""
    every = MapPaths.of(tmp_path / "Karte ü.tif", confidence=True, probabilities=True)
    return write_map(every, random_probabilities())


@pytest.mark.parametrize("harm", HARM)
@pytest.mark.parametrize("file", FILES)
def test_mismatched_files_agrees_with_the_package(paths: MapPaths, file: str, harm: str) -> None:
    HARM[harm](getattr(paths, file))
    expected = [str(path) for path in mismatched_by_package(paths.classes)]
    assert mismatched_files(str(paths.classes)) == expected
    compared = file in ("classes", "confidence", "probabilities") and harm != "as written"
    assert bool(expected) == (compared and (harm != "removed" or file == "classes"))


@pytest.mark.parametrize(
    "text", ["", "[]", "{", "[" * 100_000, '{"files": 3}', '{"files": {"map": {"size": "x"}}}']
)
def test_mismatched_files_is_empty_for_a_record_of_another_form(tmp_path: Path, text: str) -> None:
    (tmp_path / "m.tif").write_bytes(b"map")
    (tmp_path / "m.json").write_text(text)
    assert mismatched_files(str(tmp_path / "m.tif")) == []


def test_mismatched_files_looks_for_moved_files_where_they_are(
    paths: MapPaths, tmp_path: Path
) -> None:
    assert paths.confidence is not None
    target = tmp_path / "elsewhere.tif"
    shutil.move(paths.confidence, target)
    moved = {"confidence": str(target)}
    assert mismatched_files(str(paths.classes), moved) == []
    cut(target)
    assert mismatched_files(str(paths.classes), moved) == [str(target)]


def test_mismatch_warning_names_file_and_record() -> None:
    text = mismatch_warning("/a/m_confidence.tif", "/a/m.tif")
    assert text.startswith("'m_confidence.tif' differs from its record 'm.json'")
    assert record_path("/a/m.tif") == "/a/m.json"
    assert "\n" not in text


# In QGIS ---------------------------------------------------------------------------------------


def warnings_in(shown: subprocess.CompletedProcess[str]) -> list[str]:
    assert shown.returncode == 0, shown.stdout + shown.stderr
    lines = (shown.stdout + shown.stderr).splitlines()
    return [
        line for line in lines if "differs from its record" in line or "is not the file" in line
    ]


@pytest.mark.parametrize("harmed", [True, False])
@pytest.mark.slow
def test_apply_model_warns_of_a_file_that_differs_from_the_record(
    call: Call, fake: Fake, job: dict[str, Any], paths: MapPaths, harmed: bool
) -> None:
    if harmed:
        cut(paths.classes)
    fake.answer({"v": 1, "type": "result", "outputs": {"map": str(paths.classes)}})
    (fake.folder / "m.safetensors").touch()
    shown = call(
        "hsi_geo:predict",
        python=str(fake.python),
        INPUT=job["parameters"]["INPUT"],
        MODEL=fake.folder / "m.safetensors",
        OUTPUT=paths.classes,
    )
    found = warnings_in(shown)
    assert len(found) == harmed, found
    assert all("'Karte ü.tif' differs from its record 'Karte ü.json'" in line for line in found)


def test_assess_warns_once_of_a_map_that_differs_from_its_record(
    call: Call, fake: Fake, job: dict[str, Any], paths: MapPaths
) -> None:
    """hsi-geo assess warns of it too."""
    record = json.loads(paths.record.read_text(encoding="utf-8"))
    record["files"]["map"]["sha256"] = "0" * 64
    paths.record.write_text(json.dumps(record), encoding="utf-8")
    numbers = dict.fromkeys(("value", "low", "high"), 0.25)
    message = "'Karte ü.tif' is not the file that 'Karte ü.json' describes"
    fake.answer(
        {"v": 1, "type": "warning", "message": message},
        {
            "v": 1,
            "type": "result",
            "outputs": {},
            "assessment": {"oa": numbers, "aa": numbers, "kappa": None},
        },
    )
    shown = call(
        "hsi_geo:assess",
        python=str(fake.python),
        INPUT=paths.classes,
        REFERENCE=job["labels"],
        CLASS_FIELD="class",
    )
    found = warnings_in(shown)
    assert len(found) == 1, found
    assert "differs from its record" in found[0]
