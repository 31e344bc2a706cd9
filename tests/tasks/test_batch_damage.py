"""Maps of a batch that are damaged, changed or without their record: made again, kept or refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from batch_cases import Run, ids_in, states
from builders import snapshot

from hsi_geo.errors import MapError
from hsi_geo.tasks.tiles.map_areas import area_jobs

if TYPE_CHECKING:
    from planted import Recorder


def cut_in_half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip_a_byte(path: Path) -> None:
    """In the middle, which leaves the size as it is."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x5A
    path.write_bytes(content)


def swap_names(path: Path) -> None:
    """What can be read, and calls the classes by other names."""
    path.write_text(path.read_text().replace("class 1", "class 7"))


HARM: dict[str, Callable[[Path], object]] = {
    "lost": Path.unlink,
    "halved": cut_in_half,
    "emptied": lambda path: path.write_bytes(b""),
    "zeroed": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "flipped": flip_a_byte,
    "other": lambda path: path.write_text("other"),
    "grown": lambda path: path.write_bytes(path.read_bytes() + b"more"),
}
FILES = (".tif", ".tif.aux.xml", ".qml", ".json", "_confidence.tif", "_probabilities.tif")


#: A letter more or less in a text may be somebody's own.
TEXTS = (".tif.aux.xml", ".qml", ".json")


@pytest.mark.parametrize(
    ("file", "harm"),
    [(file, harm) for file in FILES for harm in HARM if (file in TEXTS, harm) != (True, "flipped")],
)
@pytest.mark.slow
def test_damaged_map_is_made_again_and_named(
    tiles: list[Path], map_tiles: Run, tmp_path: Path, recorder: Recorder, file: str, harm: str
) -> None:
    both = {"confidence": True, "probabilities": True}
    map_tiles(tiles[:2], **both)
    maps = tmp_path / "maps"
    before = snapshot(maps)
    HARM[harm](maps / f"0_0{file}")
    again = map_tiles(tiles[:2], reporter=recorder, **both)
    assert states(again) == {"0_0": "mapped", "0_17": "unchanged"}
    (message,) = recorder.warnings
    assert f"'{maps / '0_0.tif'}' is not as it was written" in message
    assert f"0_0{file}" in message or (file == ".json" and "its record" in message)
    after = snapshot(maps)
    assert {name for name in before if before[name] != after[name]} == {"batch.jsonl"}
    assert map_tiles(tiles[:2], **both).count("unchanged") == 2


def test_map_with_other_class_names_is_made_again(
    tiles: list[Path], map_tiles: Run, tmp_path: Path
) -> None:
    map_tiles(tiles[:1])
    swap_names(tmp_path / "maps" / "0_0.tif.aux.xml")
    assert map_tiles(tiles[:1]).count("mapped") == 1


def test_styles_changed_in_qgis_are_kept(tiles: list[Path], map_tiles: Run, tmp_path: Path) -> None:
    """Statistics in the names; colours in the style."""
    map_tiles(tiles[:1])
    style, names = (tmp_path / "maps" / f"0_0{end}" for end in (".qml", ".tif.aux.xml"))
    style.write_text(style.read_text().replace("#0a1b2c", "#ffffff"))
    mark = "<Metadata><MDI key='STATISTICS_MAXIMUM'>3</MDI></Metadata></PAMRasterBand>"
    names.write_text(names.read_text().replace("</PAMRasterBand>", mark))
    kept = {path: path.read_text() for path in (style, names)}
    assert map_tiles(tiles[:1]).count("unchanged") == 1
    assert {path: path.read_text() for path in kept} == kept


def test_folder_in_place_of_a_map_is_an_output_error(
    tiles: list[Path], map_tiles: Run, tmp_path: Path
) -> None:
    map_tiles(tiles[:2])
    path = tmp_path / "maps" / "0_0.tif"
    path.unlink()
    path.mkdir()
    again = map_tiles(tiles[:2])
    assert states(again) == {"0_0": "failed", "0_17": "unchanged"}
    assert f"output '{path}' is a folder" in next(iter(again.outcomes.values())).error


def test_map_without_record_and_log_is_not_replaced(
    tiles: list[Path], map_tiles: Run, tmp_path: Path
) -> None:
    map_tiles(tiles[:1])
    maps = tmp_path / "maps"
    for name in ("0_0.json", "batch.jsonl"):
        (maps / name).unlink()
    before = ids_in(maps / "0_0.tif")
    assert map_tiles(tiles[:1]).count("failed") == 1
    assert (ids_in(maps / "0_0.tif") == before).all()
    assert map_tiles(tiles[:1], overwrite=True).count("mapped") == 1


@pytest.mark.parametrize("mine", ["0_0.json", "0_0.tif"])
def test_log_does_not_claim_files_written_later(
    tiles: list[Path], map_tiles: Run, tmp_path: Path, mine: str
) -> None:
    map_tiles(tiles[:1])
    maps = tmp_path / "maps"
    (maps / "0_0.json").unlink()
    (maps / mine).write_text('{"mine": 1}')
    assert map_tiles(tiles[:1]).count("failed") == 1
    assert (maps / mine).read_text() == '{"mine": 1}'


def test_a_map_that_is_damaged_while_it_runs_is_named(
    tiles: list[Path], map_tiles: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After it was found whole, and before its classes are counted."""
    map_tiles(tiles[:1])
    path = tmp_path / "maps" / "0_0.tif"
    real = area_jobs

    def harm(maps: Any) -> Any:
        path.write_bytes(path.read_bytes()[:20])
        return real(maps)

    monkeypatch.setattr("hsi_geo.tasks.tiles.run.area_jobs", harm)
    with pytest.raises(MapError, match=f"map '{path}' could not be read back"):
        map_tiles(tiles[:1])
