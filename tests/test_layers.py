"""A module imports only from lower layers, and a folder of a layer only from folders before it."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from installed_extras import needs

ROOT = Path(__file__).parents[1]
LIBRARY = sorted((ROOT / "hsi_geo").rglob("*.py"))
COMMANDS = sorted((ROOT / "cli").glob("*.py"))
PLUGIN = sorted((ROOT / "qgis_plugin").rglob("*.py"))

#: A module may import from layers with a lower number. `environment` checks the installation, so it may import from all.
LAYERS = {
    "option_words": -1,
    "arguments": 1,
    "arrays": 0,
    "errors": 0,
    "extras": 1,
    "interrupts": 0,
    "progress": 0,
    "stages": 0,
    "text": 0,
    "threads": 0,
    "timings": 0,
    "environment": 5,
    "wavelength_units": 1,
    "wavelengths": 2,
    "tiling": 1,
    "data": 1,
    "display": 2,
    "io": 3,
    "models": 3,
    "tasks": 4,
    "cli": 5,
}
FREE_OF = {
    "errors": {"numpy", "torch", "rasterio", "click"},
    "wavelength_units": {"torch", "rasterio", "click"},
    "wavelengths": {"torch", "rasterio", "click"},
    "tiling": {"torch", "rasterio", "click"},
    "io": {"click", "sklearn"},
    "models": {"rasterio", "geopandas", "torchgeo", "xarray", "click"},
    "tasks": {"click"},
}


def imports(path: Path) -> Iterator[str]:
    """Absolute names a module imports at run time or for its types."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module or ""


def layer_of(path: Path) -> str:
    """First part of a module's path below ``hsi_geo``."""
    return path.relative_to(ROOT / "hsi_geo").parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", LIBRARY, ids=lambda p: str(p.relative_to(ROOT)))
def test_library_imports_lower_layers_only(path: Path) -> None:
    here = layer_of(path)
    if here in ("__init__", "__main__"):  # they only start the others
        return
    for name in imports(path):
        if name.startswith("hsi_geo."):
            there = name.split(".")[1]
            assert there == here or LAYERS[there] < LAYERS[here], f"{here} imports {name}"
        assert name.split(".")[0] not in FREE_OF.get(here, set()), f"{here} imports {name}"


#: Folders of a layer, in order: each imports only from those before it.
FOLDERS = {
    "io": ["files", "readers", "labels", "scenes", "maps", "outputs", "reports", "datasets"],
    "tasks": [
        "validation",
        "artifacts",
        "inference",
        "adaptation",
        "assessment",
        "change",
        "pretraining",
        "tiles",
        "benchmarking",
        "reporting",
        "serving",
    ],
}

#: Modules beside the folders of a layer. Those of tasks are one for each command, and `runtime`, which they share.
BESIDE = {
    "io": {"model_file"},
    "tasks": {
        "adapt",
        "assess",
        "batch",
        "benchmark",
        "classify",
        "compare",
        "convert",
        "demo",
        "export",
        "info",
        "polygons",
        "predict",
        "pretrain",
        "runtime",
        "sample",
        "session",
        "serve",
        "suggest",
        "zones",
    },
}


@pytest.mark.parametrize("layer", FOLDERS)
def test_layer_has_the_listed_folders_and_modules_only(layer: str) -> None:
    here = ROOT / "hsi_geo" / layer
    modules = {path.stem for path in here.glob("*.py")} - {"__init__"}
    assert modules == BESIDE[layer]
    assert {init.parent.name for init in here.glob("*/__init__.py")} == set(FOLDERS[layer])


@pytest.mark.parametrize("layer", FOLDERS)
def test_folders_import_earlier_folders_only(layer: str) -> None:
    order = FOLDERS[layer]
    for path in sorted((ROOT / "hsi_geo" / layer).glob("*/*.py")):
        own = order.index(path.parent.name)
        for name in imports(path):
            parts = name.split(".")
            if parts[:2] != ["hsi_geo", layer] or len(parts) < 3:
                continue
            if parts[2] in order:
                assert order.index(parts[2]) <= own, f"{path} imports {name}"
            else:
                assert parts[2] in {"model_file", "runtime"}, f"{path} imports {name}"


@pytest.mark.parametrize("path", COMMANDS, ids=lambda p: p.name)
def test_commands_import_nothing_heavy(path: Path) -> None:
    heavy = {"torch", "numpy", "rasterio", "geopandas", "xarray", "sklearn", "torchgeo"}
    assert not heavy & {name.split(".")[0] for name in imports(path)}


@pytest.mark.parametrize("path", PLUGIN, ids=lambda p: p.name)
def test_plugin_imports_qgis_and_the_standard_library_only(path: Path) -> None:
    of_qgis = {"qgis", "processing", "osgeo"}  # the toolbox and GDAL are packages of their own
    assert {name.split(".")[0] for name in imports(path)} <= sys.stdlib_module_names | of_qgis


def modules_after(code: str) -> set[str]:
    """Top-level modules that a fresh interpreter holds after running some code."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint(*sys.modules)"],
        check=True,
        capture_output=True,
        text=True,
    )
    return {name.split(".")[0] for name in done.stdout.split()}


def test_help_imports_nothing_heavy() -> None:
    loaded = modules_after(
        "import hsi_geo.cli.main as m\ntry: m.group(['--help'])\nexcept SystemExit: pass"
    )
    assert not loaded & {"torch", "numpy", "rasterio", "torchgeo", "geopandas", "xarray"}


@pytest.mark.parametrize("task", ["adapt", "classify", "predict", "suggest"])
def test_tasks_are_imported_without_torch(task: str) -> None:
    """Their checks run before what takes seconds to import."""
    loaded = modules_after(f"from hsi_geo import {task}, MapOptions, Compute")
    slow = {"torch", "torchgeo", "torchvision", "lightning", "sklearn", "matplotlib"}
    assert not loaded & slow


def test_opening_a_scene_needs_no_torch() -> None:
    assert "torch" not in modules_after("from hsi_geo import open_scene, read_shots")


@needs("datasets")
@needs("pretrain")
def test_every_public_name_exists() -> None:
    hsi_geo = importlib.import_module("hsi_geo")
    assert {"classify", "open_scene", "HsiGeoError"} <= set(hsi_geo.__all__)
    assert all(getattr(hsi_geo, name) is not None for name in hsi_geo.__all__)
    assert {*hsi_geo.__all__, "__version__"} == set(dir(hsi_geo))
    assert hsi_geo.__version__
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = hsi_geo.no_such_name


def test_stub_makes_every_name_public() -> None:
    """Type checkers take an imported name of a stub for public only if it is written `NAME as NAME`."""
    stub = ROOT / "hsi_geo" / "__init__.pyi"
    found = [
        (alias.name, alias.asname)
        for node in ast.walk(ast.parse(stub.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    ]
    assert found
    assert all(name == public for name, public in found)
