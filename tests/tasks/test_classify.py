"""`classify`: options as values, one scene or several, and what it writes together."""

from __future__ import annotations

import html
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import geopandas as gpd
import numpy as np
import pytest
import xarray as xr
from builders import model_for, run, snapshot

from hsi_geo import Compute, MapOptions, adapt, batch, classify, open_scene, predict, read_shots
from hsi_geo.errors import OptionError, OutputExistsError, ShotsNotFoundError
from hsi_geo.io.readers import Placement
from hsi_geo.io.scenes.scene import scene_from_array
from hsi_geo.tasks import classify as module
from hsi_geo.tasks.adapt import refuse_repeats
from hsi_geo.tasks.artifacts.model import save_model
from hsi_geo.tasks.inference import mapping
from hsi_geo.tasks.tiles.jobs import BatchOptions

if TYPE_CHECKING:
    from planted import Planted

pytestmark = pytest.mark.usefixtures("quick")


@pytest.mark.slow
def test_classify_takes_two_paths(planted: Planted, tmp_path: Path) -> None:
    shots = planted.shots(tmp_path / "shots.gpkg")
    result = classify(planted.path, shots)
    assert result.paths.classes == tmp_path / "scene_classes.tif"
    assert result.paths.classes.exists()


def test_classify_writes_the_bytes_of_the_command_line(planted: Planted, tmp_path: Path) -> None:
    """With all options of reading, so that the records show that they were passed on."""
    shots = planted.shots(tmp_path / "shots.gpkg")
    command = (
        *("classify", planted.path, "--shots", shots, "-o", tmp_path / "command" / "map.tif"),
        *("--wavelengths", "420:1300", "--class-field", "class", "--layer", "shots"),
        *("--all-touched", "--trust-shots", "--confidence", "--seed", 3, "--threads", 1),
    )
    for name in ("command", "python"):
        (tmp_path / name).mkdir()
    completed = run(*command)
    assert completed.exit_code == 0, completed.output
    classify(
        open_scene(planted.path, wavelengths="420:1300"),
        read_shots(shots, class_field="class", layer="shots", all_touched=True),
        out=tmp_path / "python" / "map.tif",
        trust_shots=True,
        options=MapOptions(confidence=True),
        compute=Compute(seed=3, threads=1),
    )
    assert snapshot(tmp_path / "command") == snapshot(tmp_path / "python")
    record = json.loads((tmp_path / "python" / "map.json").read_text(encoding="utf-8"))
    parameters = record["adaptation"]["parameters"]
    assert {name: parameters[name] for name in ("class_field", "layer", "all_touched")} == {
        "class_field": "class",
        "layer": "shots",
        "all_touched": True,
    }
    assert parameters["wavelengths"] == "420:1300"
    assert parameters["recipe"]["trust_shots"] is True
    assert record["seed"] == 3


@pytest.mark.slow
def test_classify_takes_shots_of_several_files(planted: Planted, tmp_path: Path) -> None:
    """The map is that of one file with all shots; the record and the report keep each file."""
    shots = planted.shots(tmp_path / "shots.gpkg")
    frame = gpd.read_file(shots)
    files = [tmp_path / "points.gpkg", tmp_path / "others.geojson"]
    frame[:5].rename(columns={"class": "kind"}).to_file(files[0])
    frame[5:].to_crs(4326).to_file(files[1])
    classify(planted.path, shots, out=tmp_path / "whole.tif")
    command = (
        *("classify", planted.path, "--shots", files[0], "--class-field", "kind"),
        *("--shots", files[1], "--class-field", "class", "-o", tmp_path / "map.tif", "--report"),
    )
    completed = run(*command)
    assert completed.exit_code == 0, completed.output
    assert (tmp_path / "map.tif").read_bytes() == (tmp_path / "whole.tif").read_bytes()
    record = json.loads((tmp_path / "map.json").read_text(encoding="utf-8"))["adaptation"]
    assert record["parameters"]["shot_files"] == ["points.gpkg", "others.geojson"]
    assert record["parameters"]["class_field"] == ["kind", "class"]
    assert len(set(record["hashes"]["shot_files"])) == 2
    page = html.unescape((tmp_path / "map_report.html").read_text(encoding="utf-8"))
    assert f"--shots {files[0]} --shots {files[1]} --class-field kind --class-field class" in page
    warned = "was made from "
    for reference in files:
        told = run("assess", tmp_path / "map.tif", "--reference", reference, "--class-field", "kind"
                   if reference == files[0] else "class").stderr  # fmt: skip
        assert warned in told
    other = planted.shots(tmp_path / "new.gpkg", per_class=6)
    both = ("--reference", other, "--reference", files[1])
    told = run("assess", tmp_path / "map.tif", *both).stderr
    assert f"made from the labels of '{files[1]}'" in told
    assert warned not in run("assess", tmp_path / "map.tif", "--reference", other).stderr


@pytest.mark.slow
def test_classify_writes_a_list_of_one_scene_to_a_folder(planted: Planted, tmp_path: Path) -> None:
    shots = planted.shots(tmp_path / "shots.gpkg")
    (result,) = classify([planted.path], shots, out=tmp_path / "maps")
    assert result.paths.classes == tmp_path / "maps" / "scene_classes.tif"


@pytest.mark.slow
def test_classify_saves_the_model_that_adapt_writes(planted: Planted, tmp_path: Path) -> None:
    shots = planted.shots(tmp_path / "shots.gpkg")
    saved, adapted = tmp_path / "saved.safetensors", tmp_path / "adapted.safetensors"
    one = classify(planted.path, shots, out=tmp_path / "one.tif", save_model=saved)
    adapt(planted.path, shots, out=adapted)
    assert saved.read_bytes() == adapted.read_bytes()
    two = predict(planted.path, saved, out=tmp_path / "two.tif")
    assert one.paths.classes.read_bytes() == two.paths.classes.read_bytes()


@pytest.mark.slow
def test_classify_keeps_a_model_that_exists_and_saves_none_if_it_fails(
    planted: Planted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shots = planted.shots(tmp_path / "shots.gpkg")
    saved = tmp_path / "saved.safetensors"
    saved.write_text("mine")
    with pytest.raises(OutputExistsError, match=r"saved\.safetensors"):
        classify(planted.path, shots, out=tmp_path / "one.tif", save_model=saved)
    assert saved.read_text() == "mine"
    monkeypatch.setattr(mapping, "write_map", lambda *args, **options: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        classify(
            planted.path, shots, out=tmp_path / "one.tif", save_model=tmp_path / "new.safetensors"
        )
    assert sorted(path.name for path in tmp_path.glob("*.safetensors")) == ["saved.safetensors"]


def test_classify_refuses_a_list_without_a_folder(planted: Planted, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="several scenes need a folder"):
        classify([planted.path, planted.path], planted.shots(tmp_path / "shots.gpkg"))


def test_classify_removes_a_new_folder_if_it_fails(planted: Planted, tmp_path: Path) -> None:
    with pytest.raises(ShotsNotFoundError):
        classify([planted.path], tmp_path / "none.gpkg", out=tmp_path / "maps")
    assert not (tmp_path / "maps").exists()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda scene, model: predict(scene, model, options=MapOptions(report=True)), "report"),
        (lambda scene, model: batch(scene, model, "m", options=MapOptions(report=True)), "report"),
        (lambda scene, model: batch(scene, model, "m", options=MapOptions(aoi="a")), "no area"),
    ],
)
def test_predict_and_batch_refuse_options_that_they_cannot_use(
    call: Callable[[Path, Path], object], message: str, planted: Planted, tmp_path: Path
) -> None:
    save_model(model_for(planted.path), tmp_path / "model")
    before = snapshot(tmp_path)
    with pytest.raises(OptionError, match=message):
        call(planted.path, tmp_path / "model")
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize(
    "wrong", [{"device": "gpu"}, {"threads": 0}, {"threads": -1}, {"seed": -1}], ids=str
)
def test_compute_refuses_invalid_values(wrong: dict[str, object]) -> None:
    with pytest.raises(OptionError, match=str(next(iter(wrong.values())))):
        Compute(**wrong)  # type: ignore[arg-type]


@pytest.mark.slow
def test_adapt_records_the_wavelength_option_of_several_scenes(
    planted: Planted, tmp_path: Path
) -> None:
    shots = planted.shots(tmp_path / "shots.gpkg")
    scene = open_scene(planted.path, wavelengths="420:1300")
    assert (
        adapt([scene[:, :20], scene[:, 20:]], shots).record["parameters"]["wavelengths"]
        == "420:1300"
    )


def test_pixel_parameters_are_the_options_that_change_a_pixel() -> None:
    """The names are part of the hash: a new one would map every tile of a finished batch again."""
    options = BatchOptions(
        model="m",
        model_hash="h",
        overwrite=True,
        placement=Placement(),
        wavelengths=None,
        halo=True,
        rescale="auto",
        map=MapOptions(confidence=True, max_memory=1),
        compute=Compute(),
    )
    assert options.pixel_parameters == {
        "aoi": None,
        "confidence": True,
        "probabilities": False,
        "rescale": "auto",
        "restat": False,
    }


def test_names_of_maps_of_links_have_no_query() -> None:
    names = ("https://host/a/b.tif?token=x.y", "https://host/c/b.tif", "https://host/d.tif#1")
    scenes = [
        scene_from_array(np.ones((2, 3, 4)), np.array([550.0, 660.0]), name=name) for name in names
    ]
    assert module.map_stems(scenes) == ["a_b", "c_b", "d"]


@pytest.mark.parametrize(
    ("files", "stems"),
    [
        (["a/x/s.tif", "b/x/s.tif"], ["a_x_s", "b_x_s"]),
        (["a/s.tif", "b/s.tif", "c.tif"], ["a_s", "b_s", "c"]),
        (["a/s.tif", "a/s.tiff"], ["s_tif", "s_tiff"]),
        (["a/s.tif", "b/S.tif"], ["a_s", "b_S"]),
        (["s.tif", "s_confidence.tif"], ["s", "s_confidence"]),
    ],
    ids=["deep", "folders", "suffixes", "case", "confidence"],
)
def test_maps_of_scenes_of_one_name_are_named_as_in_a_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: list[str], stems: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in files:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()
    assert module.map_stems([tiny(name) for name in files]) == stems
    assert module.map_stems([tiny(str(tmp_path / name)) for name in files]) == stems


def tiny(name: str, rows: int = 3) -> xr.DataArray:
    return scene_from_array(np.ones((2, rows, 4)), np.array([550.0, 660.0]), name=name)


@pytest.mark.parametrize("other", ["s.tif", "../a/s.tif", "link.tif"])
def test_a_scene_that_is_given_twice_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, other: str
) -> None:
    folder = tmp_path / "a"
    folder.mkdir()
    monkeypatch.chdir(folder)
    Path("s.tif").touch()
    Path("link.tif").symlink_to("s.tif")
    with pytest.raises(OptionError, match="is given twice"):
        module.map_stems([tiny(str(folder / "s.tif")), tiny("t"), tiny(other)])
    with pytest.raises(OptionError, match="is given twice"):
        refuse_repeats([tiny("s.tif"), tiny("s.tif", 9), tiny(other)])
    parts = [tiny("s.tif", 9), tiny(other), tiny("s.tif", 5)]
    refuse_repeats(parts)
    stem = module.map_stems(parts[:1])[0]
    assert module.map_stems(parts) == [stem, f"{stem}_2", f"{stem}_3"]


NUMBERED = [
    (["flight", "flight"], ["flight", "flight_2"]),
    (["a", "b", "a", "a"], ["a", "b", "a_2", "a_3"]),
    (["a", "a_2", "a", "a_3", "a"], ["a", "a_2", "a_4", "a_3", "a_5"]),
    (["a", "A_2", "a"], ["a", "A_2", "a_3"]),
]


@pytest.mark.parametrize(("names", "stems"), NUMBERED, ids=["two", "mixed", "taken", "case"])
def test_arrays_of_one_name_are_numbered(names: list[str], stems: list[str]) -> None:
    assert module.map_stems([tiny(name) for name in names]) == stems


def test_a_scene_is_not_adapted_to_twice(planted: Planted, tmp_path: Path) -> None:
    scene, shots = open_scene(planted.path), planted.shots(tmp_path / "s.gpkg")
    array = scene_from_array(planted.values, planted.centres_nm, grid=scene.hsi.grid)
    for scenes in ([scene, scene], [scene, planted.path], [array, array]):
        with pytest.raises(OptionError, match="is given twice"):
            adapt(scenes, shots)
    out = tmp_path / "maps"
    with pytest.raises(OptionError, match="is given twice"):
        classify([planted.path, planted.path], planted.shots(tmp_path / "s.gpkg"), out=out)
    assert not out.exists()
