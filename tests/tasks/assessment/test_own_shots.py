"""A map that is checked by the very shots that it was made from: numbers are too high, and a warning says so."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import rasterio.shutil
from assess_cases import NAMES, damaged
from planted import Recorder

from hsi_geo import assess, read_shots
from hsi_geo.io.labels.map_records import records_of_parts
from hsi_geo.io.labels.purposes import REFERENCE
from hsi_geo.tasks.runtime import places_hash, shots_hash

WriteMap = Callable[..., Path]


@pytest.fixture
def made(write_map: WriteMap, everywhere: Path) -> Path:
    """A map with the record of what it was made from."""
    path = write_map(damaged())
    shots = read_shots(everywhere, purpose=REFERENCE)
    hashes = {"shots": shots_hash(shots), "places": places_hash(shots)}
    path.with_suffix(".json").write_text(json.dumps({"adaptation": {"hashes": hashes}}))
    return path


def itself(made: Path, folder: Path) -> Path:
    return made


def upper_level(made: Path, folder: Path) -> Path:
    path = made.with_stem(f"{made.stem}_parents")
    for ending in ("", ".aux.xml"):
        shutil.copy(f"{made}{ending}", f"{path}{ending}")
    return path


def mosaic(made: Path, folder: Path) -> Path:
    rasterio.shutil.copy(made, made.with_name("index.vrt"), driver="VRT")
    return made.with_name("index.vrt")


def mosaic_elsewhere(made: Path, folder: Path) -> Path:
    rasterio.shutil.copy(made, folder / "index.vrt", driver="VRT")
    return folder / "index.vrt"


def mosaic_of_upper_levels(made: Path, folder: Path) -> Path:
    return mosaic_elsewhere(upper_level(made, folder), folder)


def mosaic_of_mosaics(made: Path, folder: Path) -> Path:
    rasterio.shutil.copy(mosaic(made, folder), folder / "whole.vrt", driver="VRT")
    return folder / "whole.vrt"


def link(made: Path, folder: Path) -> Path:
    (folder / "link.tif").symlink_to(made)
    return folder / "link.tif"


def link_to_upper_level(made: Path, folder: Path) -> Path:
    return link(upper_level(made, folder), folder)


MAPS = [
    link_to_upper_level,
    itself,
    upper_level,
    mosaic,
    mosaic_elsewhere,
    mosaic_of_upper_levels,
    mosaic_of_mosaics,
    link,
]


def is_told(class_map: Path, reference: Any) -> bool:
    recorder = Recorder()
    assess(class_map, reference, reporter=recorder)
    return any("was made from these labels" in text for text in recorder.warnings)


@pytest.mark.parametrize("shown", MAPS)
@pytest.mark.parametrize("kept", ["shots", "places"])
def test_every_form_of_a_map_tells_that_it_was_made_from_the_reference(
    made: Path, everywhere: Path, tmp_path: Path, shown: Callable[[Path, Path], Path], kept: str
) -> None:
    (tmp_path / "elsewhere").mkdir()
    record = json.loads(made.with_suffix(".json").read_text())
    record["adaptation"]["hashes"] = {kept: record["adaptation"]["hashes"][kept]}
    made.with_suffix(".json").write_text(json.dumps(record))
    class_map = shown(made, tmp_path / "elsewhere")
    assert is_told(class_map, everywhere)
    frame = gpd.read_file(everywhere)
    assert not is_told(class_map, frame[:-1])


def test_another_field_of_the_file_is_of_the_same_places(made: Path, everywhere: Path) -> None:
    frame = gpd.read_file(everywhere)
    field = next(name for name in frame.columns if name != frame.geometry.name)
    frame["second"] = frame[field].map(dict(zip(NAMES, np.roll(NAMES, 1).tolist(), strict=True)))
    assert is_told(made, read_shots(frame[["second", "geometry"]], purpose=REFERENCE))


def test_files_of_a_list_are_told_apart(made: Path, everywhere: Path) -> None:
    frame = gpd.read_file(everywhere)
    labelled = read_shots([frame[::2], frame[1::2]], purpose=REFERENCE)
    parts = [[of(part) for part in labelled.parts] for of in (shots_hash, places_hash)]
    hashes = {"shots": "0", "shot_files": parts[0], "places": "0", "place_files": parts[1]}
    made.with_suffix(".json").write_text(json.dumps({"adaptation": {"hashes": hashes}}))
    assert is_told(made, frame[1::2])
    hashes["shot_files"] = []
    made.with_suffix(".json").write_text(json.dumps({"adaptation": {"hashes": hashes}}))
    assert is_told(made, frame[1::2])
    assert not is_told(made, frame[1::3])


@pytest.mark.parametrize("text", ["<VRTDataset", "", "<VRTDataset/>"])
def test_a_vrt_that_cannot_be_read_has_no_records(tmp_path: Path, text: str) -> None:
    (tmp_path / "index.vrt").write_text(text)
    assert not list(records_of_parts(tmp_path / "index.vrt"))


def test_a_vrt_that_shows_itself_ends(tmp_path: Path) -> None:
    name = '<SourceFilename relativeToVRT="1">{}</SourceFilename>'
    for one, other in (("a.vrt", "b.vrt"), ("b.vrt", "a.vrt")):
        (tmp_path / one).write_text(f"<VRTDataset>{name.format(other)}</VRTDataset>")
    assert not list(records_of_parts(tmp_path / "a.vrt"))
