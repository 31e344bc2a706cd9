"""Words of a command that click would take for something else."""

from __future__ import annotations

from pathlib import Path

import pytest
from builders import run


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            "batch tiles --model m -o maps -overwrite",
            "'-overwrite' is no option; write --overwrite",
        ),
        ("classify a.tif --shots b.gpkg -out c.tif", "'-out' is no option; write --out"),
        ("classify a.tif -shots=b.gpkg", "'-shots=b.gpkg' is no option; write --shots"),
        ("classify a.tif \u2013shots b.gpkg", "'\u2013shots' is no option; write --shots"),
        ("classify a.tif \u2014shots=b.gpkg", "'\u2014shots=b.gpkg' is no option; write --shots"),
        ("info a.tif \u2212-json", "'\u2212-json' is no option; write --json"),
        ("classify a.tif --shots -o c.tif", "option '--shots' has no value: '-o' follows it"),
    ],
    ids=["o-verwrite", "o-ut", "equals", "en-dash", "em-dash", "minus", "no-value"],
)
def test_wrong_dashes_and_lost_values_are_refused(
    line: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shown = run(*line.split())
    assert shown.exit_code == 2
    assert said in shown.stderr
    assert not list(tmp_path.iterdir())


def test_a_path_with_blanks_needs_quotes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("my new labels.gpkg").touch()
    shown = run("classify", "a.tif", "--shots", "my", "new", "labels.gpkg")
    assert shown.exit_code == 2
    assert "'my' does not exist, but 'my new labels.gpkg' does; put paths" in shown.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["info", "a.tif", "--mask=my", "new", "mask.tif"],
        ["info", "my", "new", "mask.tif"],
        ["info", "--mask", "my", "new", "mask.tif", "a.tif"],
    ],
    ids=["equals", "argument", "option"],
)
@pytest.mark.parametrize("other", ["", "mask.tif"], ids=["alone", "last-word-exists"])
def test_a_path_with_blanks_is_found_behind_a_sign_and_beside_its_last_word(
    words: list[str], other: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a.tif", "my new mask.tif", other or "a.tif"):
        Path(name).touch()
    shown = run(*words)
    assert shown.exit_code == 2
    assert "'my' does not exist, but 'my new mask.tif' does; put paths" in shown.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["--shots", "my new labels.gpkg"],
        ["--shots", "none.gpkg", "--class-field", "my", "new labels.gpkg"],
        ["--shots", "none.gpkg", "--", "-shots"],
    ],
    ids=["quoted", "both-exist", "after-the-end-of-options"],
)
def test_what_is_well_typed_passes(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("my new labels.gpkg", "new labels.gpkg", "scene.tif"):
        Path(name).touch()
    shown = run("classify", "scene.tif", *words)
    assert shown.exit_code == 1  # an empty scene
    assert "quotes" not in shown.stderr
    assert "hyphens" not in shown.stderr
