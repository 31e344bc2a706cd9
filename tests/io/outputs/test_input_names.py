"""Which files the texts of a side file name, so that they are not overwritten."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from hsi_geo.errors import OptionError
from hsi_geo.io.files.paths import exists
from hsi_geo.io.outputs import inputs


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Names that the disk is asked for."""
    found = []

    def noted(path: str | os.PathLike[str]) -> bool:
        found.append(Path(path).name)
        return exists(path)

    monkeypatch.setattr(inputs, "exists", noted)
    yield found


def scene_with_texts(folder: Path, *texts: str) -> Path:
    """A scene whose side file has these texts."""
    scene = folder / "scene.dat"
    scene.write_bytes(b"no raster")
    items = "".join(f"<MDI key='some'>{text}</MDI>" for text in texts)
    (folder / "scene.dat.aux.xml").write_text(f"<PAMDataset>{items}</PAMDataset>", "utf-8")
    return scene


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("other.dat", "other.dat"),
        ("  other.dat ", "other.dat"),
        ("./other.dat", "other.dat"),
        ("sub/other.dat", "sub/other.dat"),
        ("band 8 (other.dat)", "other.dat"),
        ("{0.46, 0.503,other.dat}", "other.dat"),
        ("HDF5:&quot;other.dat&quot;://cube", "other.dat"),
        ("NETCDF:other.dat:cube", "other.dat"),
        ("a,b (1).dat", "a,b (1).dat"),
        ("RASTER:a,b (1).dat:cube", "a,b (1).dat"),
        ("größe.dat", "größe.dat"),
    ],
)
def test_files_that_a_text_names_are_inputs(tmp_path: Path, text: str, name: str) -> None:
    other = tmp_path / name
    other.parent.mkdir(exist_ok=True)
    other.write_text("an input")
    scene = scene_with_texts(tmp_path, text)
    assert other.resolve() in {path.resolve() for path, _ in inputs.files_behind(scene)}


@pytest.mark.parametrize(
    "text", ["0.460000", "band 8 (0.460000 Micrometers)", "{0.46, 0.503, 0.508}", "other.dat.bak"]
)
def test_the_disk_is_not_asked_for_texts_that_name_nothing(
    tmp_path: Path, looks: list[str], text: str
) -> None:
    (tmp_path / "other.dat").write_text("no input")
    scene = scene_with_texts(tmp_path, text)
    assert {path for path, _ in inputs.files_behind(scene)} == {
        scene,
        tmp_path / "scene.dat.aux.xml",
    }
    assert not [name for name in looks if name != scene.name and "aux.xml" not in name]


def test_long_texts_of_a_side_file_are_searched_in_memory(tmp_path: Path, looks: list[str]) -> None:
    """ENVI headers in an .aux.xml have a number for each band; each part of such a list could be a path."""
    numbers = ", ".join(f"{0.4 + 0.01 * band:.6f}" for band in range(200))
    (tmp_path / "Other.txt").write_text("an input")
    scene = scene_with_texts(tmp_path, f"{{{numbers}}}", f"{{/{numbers}}}", "(Other.txt, 2)")
    with pytest.raises(OptionError, match=r"Other\.txt"):
        inputs.refuse_input_overwrite([tmp_path / "Other.txt"], [scene])
    assert len(looks) < 500


def test_numbers_of_a_side_file_are_no_paths(
    tmp_path: Path, looks: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is asked for texts that name something in the folder or in the working directory only."""
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    (here / "Other").write_text("an input")
    scene = scene_with_texts(
        tmp_path, *(f"{0.4 + 0.01 * band:.6f}" for band in range(200)), "Other"
    )
    with pytest.raises(OptionError, match="Other"):
        inputs.refuse_input_overwrite([here / "Other"], [scene])
    assert not [name for name in looks if name.startswith("0.")]


def test_inputs_are_found_from_a_folder_that_was_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing can be listed there, and the files that a side file names are inputs all the same."""
    gone = tmp_path / "gone"
    gone.mkdir()
    (tmp_path / "Other").write_text("an input")
    scene = scene_with_texts(tmp_path, "Other")
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(OptionError, match="Other"):
        inputs.refuse_input_overwrite([tmp_path / "Other"], [scene])


#: Texts that describe a raster. A band is called 3, or its class forest.
DESCRIBING = [
    "<Category>{}</Category>",
    "<F>{}</F>",
    "<Description>{}</Description>",
    "<Name>{}</Name>",
    "<UnitType>{}</UnitType>",
    '<MDI key="CLASS_1">{}</MDI>',
    "<SourceBand>{}</SourceBand>",
]

#: Those of a file or a store that is read.
NAMING = [
    '<SourceFilename relativeToVRT="1">{}</SourceFilename>',
    '<MDI key="OVERVIEW_FILE">{}</MDI>',
    '<MDI key="X_DATASET">{}</MDI>',
    "<SrcDataSource>{}</SrcDataSource>",
    "<IndexDataset>{}</IndexDataset>",
]


def files_named(folder: Path, ending: str, root: str, element: str, name: str) -> set[str]:
    """Names of the files behind a raster beside a text, or that is a text, with a name in an element."""
    (folder / "map.dat").write_bytes(b"no raster")
    text = element.format(name)
    (folder / f"map.dat{ending}").write_text(f"<{root}>{text}</{root}>")
    raster = folder / ("map.dat.vrt" if ending == ".vrt" else "map.dat")
    found = {path.name for path, _ in inputs.files_behind(raster)}
    return found - {"map.dat", f"map.dat{ending}"}


@pytest.mark.parametrize(
    ("ending", "root"), [(".aux.xml", "PAMDataset"), (".vrt", "VRTDataset")], ids=["aux", "vrt"]
)
@pytest.mark.parametrize("element", [*DESCRIBING, *NAMING])
@pytest.mark.parametrize("name", ["forest", "3"])
def test_folders_count_only_where_files_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, element: str, name: str, ending: str, root: str
) -> None:
    """A map with the class "forest" reads nothing of the folder "forest": results there were never replaced."""
    (tmp_path / name).mkdir()
    (tmp_path / name / "areas.csv").write_text("an output")
    monkeypatch.chdir(tmp_path)
    wanted = {"areas.csv"} if element in NAMING else set()
    assert files_named(tmp_path, ending, root, element, name) == wanted
    if not wanted:
        inputs.refuse_input_overwrite([tmp_path / name / "areas.csv"], [tmp_path / "map.dat"])


@pytest.mark.parametrize("element", [*DESCRIBING, *NAMING])
def test_files_count_in_any_element(tmp_path: Path, element: str) -> None:
    (tmp_path / "forest").write_text("an input")
    assert files_named(tmp_path, ".aux.xml", "PAMDataset", element, "forest") == {"forest"}
