"""--overwrite keeps what a command reads, and what others wrote; see test_outputs_apart for the forms."""

from __future__ import annotations

import shutil
from pathlib import Path

import geopandas as gpd
import pytest
import rasterio
import rasterio.shutil
from builders import model_for, run, snapshot
from installed_extras import installed
from planted import Planted, Recorder

from hsi_geo import assess, predict
from hsi_geo.io.maps.writer import MapPaths
from hsi_geo.tasks.artifacts.model import save_model
from hsi_geo.tasks.artifacts.shipped import SHIPPED
from hsi_geo.tasks.demo import write_inputs


def cases() -> dict[str, str]:
    return {
        "predict the scene": "predict scene.tif --model m.safetensors -o scene.tif",
        "predict the scene's source": "predict scene.vrt --model m.safetensors -o scene.tif",
        "predict a part of it": "predict GTIFF_DIR:1:scene.tif --model m.safetensors -o scene.tif",
        "predict the model": "predict scene.tif --model m.tif -o m.tif",
        "predict the model as record": "predict scene.tif --model m.json -o m.tif",
        "predict its wavelengths": "predict scene.tif --model m.safetensors --wavelengths n.json -o n.tif",
        "adapt the weights": "adapt scene.tif --shots l.gpkg --weights w -o w",
        "adapt the classes": "adapt scene.tif --shots l.gpkg --classes c.json -o c.json",
        "adapt the table": "adapt scene.tif --shots l.shp -o l.dbf",
        "adapt the scene": "adapt scene.tif --shots l.gpkg -o scene.tif",
        "adapt the scene's source": "adapt scene.vrt --shots l.gpkg -o scene.tif",
        "adapt the wavelengths": "adapt scene.tif --shots l.gpkg --wavelengths n.csv -o n.csv",
        "classify the classes": "classify scene.tif --shots l.gpkg --classes c.json -o c.tif",
        "classify the style": "classify scene.tif --shots styled.gpkg -o styled.tif",
        "classify the weights": "classify scene.tif --shots l.gpkg --weights w.json -o w.tif",
        "pretrain the scene": "pretrain scene.tif -o scene.tif",
        "pretrain the wavelengths": "pretrain scene.tif --wavelengths n.csv -o n.safetensors",
        "pretrain the first weights": "pretrain scene.tif --init w -o w",
        "pretrain by its checkpoint": "pretrain w.run/log.csv.tif w.run/log.csv -o w",
        "suggest the scene": "suggest scene.gpkg --model m.safetensors -o scene.gpkg",
        "suggest the area": "suggest scene.tif --model m.safetensors --aoi a.gpkg -o a.gpkg",
        "suggest the model": "suggest scene.tif --model m.gpkg -o m.gpkg",
        "assess the reference": "assess map.tif --reference ref.html -o ref.html",
        # The record and the style of a map have the same names for both endings of a TIFF.
        "compare the record of the first map": "compare map.tif map2.tif -o map.tiff",
        "compare the record of the second map": "compare map.tif map2.tif -o map2.tiff",
        "classify the record of the shots": "classify scene.tif --shots map.tif -o map.tiff",
    }


@pytest.fixture
def folder(planted: Planted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One of everything that a command reads."""
    monkeypatch.chdir(tmp_path)
    rasterio.shutil.copy(planted.path, "scene.vrt", driver="VRT")
    planted.shots(tmp_path / "l.gpkg")
    shutil.copy("l.gpkg", "styled.gpkg")
    Path("styled.qml").write_text("<qgis/>")
    shots = gpd.read_file("l.gpkg")
    shots.to_file("l.shp")
    shots.to_file("ref.html", driver="GeoJSON")
    shots.assign(geometry=shots.buffer(60)).to_file("a.gpkg")
    model = model_for(planted.path)
    for name in ("m.safetensors", "m.tif", "m.json", "m.gpkg"):
        save_model(model, Path(name))
    for name in ("w", "w.json"):
        shutil.copy(SHIPPED, name)
    Path("c.json").write_text('{"meadow": {"color": "#e60000"}}')
    lines = "\n".join(str(centre) for centre in planted.centres_nm)
    for name in ("n.csv", "n.json"):
        Path(name).write_text(lines)
    shutil.copy(planted.path, "scene.gpkg")
    Path("w.run").mkdir()
    shutil.copy(planted.path, "w.run/log.csv")
    shutil.copy(planted.path, "w.run/log.csv.tif")
    for name in ("map.tif", "map2.tif"):
        predict(planted.path, model, out=name)
    return tmp_path


@pytest.mark.usefixtures("quick")
def test_inputs_of_a_command_are_never_replaced(folder: Path) -> None:
    before = snapshot(folder)
    for name, line in cases().items():
        if name.startswith("pretrain") and not installed("pretrain"):
            continue
        result = run(*line.split(), "--overwrite")
        assert result.exit_code == 1, (name, result.output)
        assert "would replace what it is made from" in result.stderr, (name, result.stderr)
        assert snapshot(folder) == before, name
    assert not list(folder.glob(".hsi-geo-*"))


def test_scene_named_like_a_stale_file_is_kept(planted: Planted, tmp_path: Path) -> None:
    scene = tmp_path / "map_confidence.tif"
    shutil.copy(planted.path, scene)
    (tmp_path / "map_report.html").write_text("mine")
    kept = scene.read_bytes()
    for _ in range(2):
        predict(scene, model_for(planted.path), out=tmp_path / "map.tif", overwrite=True)
        assert scene.read_bytes() == kept
        assert (tmp_path / "map_report.html").read_text() == "mine"


def named_as_the_model_does(planted: Planted, path: Path) -> Path:
    """Shots whose classes have the names of `model_for`."""
    shots = gpd.read_file(planted.shots(path))
    numbers = {name: f"class {id}" for id, name in enumerate(planted.names, start=1)}
    shots.assign(**{"class": shots["class"].map(numbers)}).to_file(path, driver="GPKG")
    return path


def test_assess_warns_of_a_map_of_another_record(
    planted: Planted, tmp_path: Path, recorder: Recorder
) -> None:
    shots = named_as_the_model_does(planted, tmp_path / "l.gpkg")
    for seed in (5, 6):
        predict(planted.path, model_for(planted.path, seed=seed), out=tmp_path / f"{seed}.tif")
    assess(tmp_path / "5.tif", shots, reporter=recorder)
    assert not [text for text in recorder.warnings if "describes" in text or "lists" in text]
    shutil.copy(tmp_path / "6.tif", tmp_path / "5.tif")
    assess(tmp_path / "5.tif", shots, reporter=recorder)
    assert [text for text in recorder.warnings if "'5.tif' is not the file that '5.json'" in text]


def test_assess_warns_of_class_names_of_another_map(
    planted: Planted, tmp_path: Path, recorder: Recorder
) -> None:
    predict(planted.path, model_for(planted.path), out=tmp_path / "m.tif")
    paths = MapPaths.of(tmp_path / "m.tif")
    paths.aux.write_text(paths.aux.read_text().replace("class 2", "meadow"))
    shots = named_as_the_model_does(planted, tmp_path / "l.gpkg")
    assess(tmp_path / "m.tif", shots, reporter=recorder)
    assert [text for text in recorder.warnings if "the class names of 'm.tif' are not" in text]


@pytest.mark.slow
def test_shots_and_map_of_one_name(planted: Planted, tmp_path: Path, quick: None) -> None:
    shots = planted.shots(tmp_path / "a.gpkg")
    kept = shots.read_bytes()
    line = ("classify", planted.path, "--shots", shots, "-o", tmp_path / "a.tif")
    maps = []
    for more in ((), ("--overwrite",)):
        result = run(*line, *more)
        assert result.exit_code == 0, result.output
        with rasterio.open(tmp_path / "a.tif") as file:
            maps.append(file.read())
    assert (maps[0] == maps[1]).all()
    assert shots.read_bytes() == kept


def test_demo_keeps_an_existing_indian_pines(tmp_path: Path) -> None:
    for name in ("indian_pines.tif", "indian_pines_shots.gpkg", "indian_pines.png"):
        (tmp_path / name).write_text("mine")
        with pytest.raises(OSError, match="already there"):
            write_inputs(tmp_path)
        assert [path.read_text() for path in tmp_path.iterdir()] == ["mine"]
        (tmp_path / name).unlink()
    for _ in range(2):
        write_inputs(tmp_path)
