"""Folders for outputs."""

from __future__ import annotations

from pathlib import Path

import pytest

from hsi_geo.errors import OutputError
from hsi_geo.io.outputs.atomic import make_folder


@pytest.mark.parametrize("name", ["map.tif", "MAP.TIF", "all.gpkg", "index.vrt"])
def test_a_folder_with_the_name_of_a_file_is_refused_unless_it_is_there(
    name: str, tmp_path: Path
) -> None:
    with pytest.raises(OutputError, match="would have the name of a file"):
        make_folder(tmp_path / name)
    assert not list(tmp_path.iterdir())
    (tmp_path / name).mkdir()
    assert make_folder(tmp_path / name) is False


@pytest.mark.parametrize("name", ["maps", "v1.2", "2025.06.01", "T32UQD.maps"])
def test_points_in_names_of_folders_are_allowed(name: str, tmp_path: Path) -> None:
    assert make_folder(tmp_path / name)
