"""Hints name only options that the command and its input have."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import rasterio
from builders import NORTH_UP, run
from hsi_geo.cli.main import COMMANDS
from installed_extras import needs

from hsi_geo.io import model_file

Planted = Any  # defined in conftest, which tests cannot import


def options_of(command: str) -> set[str]:
    found = importlib.import_module(f"hsi_geo.cli.{command}").command
    return {option for param in found.params for option in param.opts}


def hint_of(*args: object) -> str:
    """Hint of a command that fails; it names only options of the command."""
    shown = run(*args)
    assert shown.exit_code == 1, shown.output
    error = shown.stderr.splitlines()[-1]
    assert error.startswith("Error: ")
    hint = error.partition("; ")[2]
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", hint)) <= options_of(str(args[0])), error
    return hint


@pytest.fixture
def class_map(tmp_path: Path) -> Path:
    """A map of classes 1 and 2, without names."""
    path = tmp_path / "map.tif"
    ids = np.repeat([[1, 2, 2]], 4, axis=0).astype(np.uint8)
    with rasterio.open(
        path, "w", driver="GTiff", height=4, width=3, count=1, dtype="uint8", nodata=0,
        crs="EPSG:32633", transform=NORTH_UP,
    ) as file:  # fmt: skip
        file.write(ids[None])
    return path


@pytest.fixture
def other_names(class_map: Path, tmp_path: Path) -> Callable[[str], Path]:
    """Function that writes references with other class names than the map."""
    points = gpd.GeoSeries.from_xy(
        *zip(NORTH_UP @ (0.5, 0.5), NORTH_UP @ (1.5, 0.5), strict=True), crs="EPSG:32633"
    )

    def write(kind: str) -> Path:
        if kind == "raster":
            path = tmp_path / "reference.tif"
            with rasterio.open(class_map) as file, rasterio.open(path, "w", **file.profile) as out:
                out.write(file.read() + 10)
            return path
        columns: dict[str, list[object]] = {"class": ["a", "b"]}
        columns |= {"id_of_class": [1, 2]} if kind == "several fields" else {}
        columns |= {"share": [0.5, 0.25]} if kind == "one field and shares" else {}
        path = tmp_path / "reference.gpkg"
        gpd.GeoDataFrame(columns, geometry=points).to_file(path)
        return path

    return write


@pytest.mark.parametrize(
    ("kind", "advised"),
    [
        ("raster", "--classes"),
        ("one field", "--classes"),
        ("one field and shares", "--classes"),
        ("several fields", "--class-field"),
    ],
)
def test_assess_hints_at_the_option_for_other_class_names(
    kind: str, advised: str, class_map: Path, other_names: Callable[[str], Path], tmp_path: Path
) -> None:
    reference = other_names(kind)
    hint = hint_of("assess", class_map, "--reference", reference)
    assert re.findall(r"--[a-z-]+", hint) == [advised]
    # The hint works.
    if advised == "--class-field":
        shown = run("assess", class_map, "--reference", reference, advised, "id_of_class")
    else:
        values = ("11", "12") if kind == "raster" else ("a", "b")
        names = ", ".join(f'"{v}": {{"name": "{i}"}}' for i, v in enumerate(values, start=1))
        (tmp_path / "names.json").write_text(f"{{{names}}}")
        shown = run("assess", class_map, "--reference", reference, advised, tmp_path / "names.json")
    assert shown.exit_code == 0, shown.output


def test_assess_reports_options_that_a_raster_ignores(
    class_map: Path, other_names: Callable[[str], Path]
) -> None:
    shown = run("assess", class_map, "--reference", class_map, "--class-field", "a", "--layer", "b")
    assert shown.exit_code == 0
    for option in ("--class-field", "--layer"):
        assert f"{option} is ignored: a raster has neither fields nor layers" in shown.stderr


def test_an_area_of_several_layers_gets_no_hint_at_layer(
    planted: Planted, model: Path, tmp_path: Path
) -> None:
    area = tmp_path / "area.gpkg"
    shots = gpd.read_file(planted.shots(tmp_path / "shots.gpkg"))
    for layer in ("one", "two"):
        shots.set_geometry(shots.buffer(99)).to_file(area, layer=layer)
    args = ("predict", planted.path, "--model", model, "--aoi", area, "-o", tmp_path / "m.tif")
    assert hint_of(*args) == "give a file with one layer"
    hint = hint_of("info", planted.path, "--shots", area)  # a layer of shots can be chosen
    assert "--layer" in hint


def test_shots_without_a_field_get_no_hint_at_class_field(planted: Planted, tmp_path: Path) -> None:
    frame = gpd.read_file(planted.shots(tmp_path / "shots.gpkg"))[["geometry"]]
    frame.to_file(tmp_path / "bare.gpkg")
    for more in ((), ("--class-field", "class")):
        hint = hint_of("info", planted.path, "--shots", tmp_path / "bare.gpkg", *more)
        assert hint == "add a field that holds the class of each"


@pytest.mark.parametrize("command", COMMANDS)
def test_out_of_memory_hints_at_options_of_the_command(
    command: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    module = importlib.import_module(f"hsi_geo.cli.{command}")
    needed = [p for p in module.command.params if p.required]
    monkeypatch.setattr(module.command, "callback", _full)
    args = [
        part
        for param in needed
        for part in ((param.opts[-1], "a.gpkg") if param.opts[0].startswith("-") else ("a.tif",))
    ]
    hint = hint_of(command, *args)
    assert ("--max-memory" in hint) == ("--max-memory" in options_of(command))


def _full(**options: object) -> None:
    raise MemoryError


@pytest.mark.parametrize(
    "error",
    [
        ImportError("libtorch_cpu.so: failed to map segment from shared object"),
        OSError(12, "Cannot allocate memory"),
        MemoryError(),
    ],
    ids=["library", "system", "python"],
)
def test_a_library_that_gets_no_memory_names_the_limit(
    error: Exception, planted: Planted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resource = pytest.importorskip("resource", reason="Windows has no limits of memory")

    def fail(*args: object, **options: object) -> None:
        raise error

    def limits(which: int) -> tuple[int, int]:
        return (3_000_000_000, -1) if which == resource.RLIMIT_AS else (-1, -1)

    monkeypatch.setattr("hsi_geo.tasks.convert.convert", fail)
    monkeypatch.setattr(resource, "getrlimit", limits)
    result = run("convert", planted.path, "-o", tmp_path / "out.tif")
    assert result.exit_code == 1
    assert result.stderr == (
        "Error: out of memory (it is limited to 3.0 GB, see ulimit -v); raise this limit, or take a smaller scene\n"
    )


@pytest.mark.parametrize("command", ["adapt", pytest.param("pretrain", marks=needs("pretrain"))])
def test_weights_of_another_network_get_a_hint(
    command: str, planted: Planted, tmp_path: Path
) -> None:
    weights = tmp_path / "w.safetensors"
    model_file.save(weights, "weights", {}, {"network": {"no": "network"}, "record": {}})
    args: tuple[object, ...] = ("pretrain", planted.path, "--init", weights)
    if command == "adapt":
        shots = planted.shots(tmp_path / "shots.gpkg")
        args = ("adapt", planted.path, "--shots", shots, "--weights", weights)
    assert hint_of(*args, "-o", tmp_path / "out.safetensors").startswith("give another")
