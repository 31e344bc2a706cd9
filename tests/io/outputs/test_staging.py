"""Outputs never replace what they are made from."""

from __future__ import annotations

from pathlib import Path

import pytest

from hsi_geo.errors import OptionError
from hsi_geo.io.outputs.inputs import refuse_input_overwrite


@pytest.mark.parametrize("given", ["in/area.json", "./in/../in/area.json", "{folder}/in/area.json"])
def test_an_input_is_no_output_however_it_is_spelt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    monkeypatch.chdir(tmp_path)
    finals = [tmp_path / "in" / "map.tif", tmp_path / "in" / "area.json"]
    with pytest.raises(
        OptionError, match=r"area\.json' would replace .*; choose another with out="
    ):
        refuse_input_overwrite(finals, ["scene.tif", given.format(folder=tmp_path)])


def test_an_input_is_no_output_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "shots.qml").write_text("style")
    (tmp_path / "map.qml").symlink_to(tmp_path / "shots.qml")
    with pytest.raises(OptionError, match=r"map\.qml' would replace"):
        refuse_input_overwrite([tmp_path / "map.qml"], [tmp_path / "shots.qml"])


def test_files_beside_inputs_are_free(tmp_path: Path) -> None:
    inputs = [str(tmp_path / "scene.tif"), "/vsicurl/https://x.org/map.tif", "memory"]
    refuse_input_overwrite([tmp_path / "map.tif", tmp_path / "sub" / "scene.tif"], inputs)
