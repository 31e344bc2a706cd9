"""What Python programs give to tasks in place of paths: frames, datasets, arrays, nothing."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import shapely
import torch
import xarray as xr

import hsi_geo
from hsi_geo import (
    MapOptions,
    assess,
    batch,
    classify,
    compare,
    export,
    open_scene,
    polygons,
    predict,
    pretrain,
    read_shots,
    sample,
    suggest,
    zones,
)
from hsi_geo.errors import ModelFileError, OptionError, SceneError
from hsi_geo.io.scenes.scene import open_scenes, scene_from_array
from hsi_geo.models.pretraining_objective import Objective
from hsi_geo.tasks.adaptation.recipe import FineTuneConfig, Recipe
from hsi_geo.tiling import Grid, Window

Planted = Any  # defined in conftest, which tests cannot import

FRAME = gpd.GeoDataFrame({"class": ["a"]}, geometry=[shapely.Point(1, 2)], crs=32633)


def same_scene(one: xr.DataArray, other: xr.DataArray) -> bool:
    (values, valid), (others, other_valid) = one.hsi.read(), other.hsi.read()
    return (
        np.array_equal(values, others)
        and np.array_equal(valid, other_valid)
        and np.array_equal(one.hsi.bands.centres_nm, other.hsi.bands.centres_nm)
        and one.hsi.grid.crs.equals(other.hsi.grid.crs)
    )


DATASETS: dict[str, Callable[[Planted], xr.Dataset]] = {
    "own engine": lambda planted: xr.open_dataset(planted.path, engine="hsi_geo"),
    "array as dataset": lambda planted: open_scene(planted.path).to_dataset(name="refl"),
    "one time": lambda planted: (
        open_scene(planted.path).expand_dims("time").to_dataset(name="refl")
    ),
    "wavelengths and CRS as variables": lambda planted: (
        open_scene(planted.path)
        .to_dataset(name="refl")
        .reset_coords(["wavelength", "spatial_ref"])
        .assign(remark="of one value")
    ),
}


@pytest.mark.parametrize("dataset", list(DATASETS.values()), ids=list(DATASETS))
def test_a_dataset_of_one_cube_is_a_scene(
    planted: Planted, dataset: Callable[[Planted], xr.Dataset]
) -> None:
    """The names of its variables were taken for paths."""
    given, scene = dataset(planted), open_scene(planted.path)
    assert same_scene(open_scene(given), scene)
    assert all(same_scene(one, scene) for one in open_scenes([given, planted.path]))
    assert len(open_scenes(given)) == 1


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (np.ones((3, 4, 5)), "a value of the type ndarray is no scene; give a path or what"),
        ([np.ones((3, 4, 5))], "a value of the type ndarray is no scene"),
        (3, "a value of the type int is no scene"),
        (None, "no scene was given"),
        ([], "no scene was given"),
        (FRAME, "a value of the type GeoDataFrame is no scene"),
        (xr.Dataset({"a": 1}), "and this one has none; give the variable that holds the bands"),
        (
            xr.Dataset({n: (("band", "y", "x"), np.ones((3, 4, 5))) for n in "ab"}),
            r"and this one has 2 \('a', 'b'\)",
        ),
    ],
    ids=["array", "list", "number", "none", "empty", "frame", "flat dataset", "two cubes"],
)
def test_other_values_are_no_scene(given: Any, message: str) -> None:
    with pytest.raises(SceneError, match=message):
        open_scenes(given)


def test_scene_from_array_compares_the_grid(planted: Planted) -> None:
    """xarray's error named coordinates that nobody gave."""
    height, width = planted.values.shape[1:]
    with pytest.raises(SceneError, match=f"has {height} x {width} pixels and the grid {width} x"):
        scene_from_array(
            planted.values, planted.centres_nm, grid=Grid(width, height, planted.transform, None)
        )


CUBE, CENTRES = np.arange(24.0).reshape(2, 3, 4), np.array([550.0, 660.0])

ODD_ARRAYS: dict[str, tuple[dict[str, Any], str]] = {
    "widths of other length": ({"fwhm_nm": [9.0] * 3}, "has 2 bands and there are 3 widths"),
    "widths of two axes": ({"fwhm_nm": np.ones((2, 1))}, r"there are \(2, 1\) widths"),
    "centres of two axes": ({"centres_nm": CENTRES[:, None]}, r"there are \(2, 1\) band centres"),
    "one centre": ({"centres_nm": 550.0}, r"there are \(\) band centres"),
    "centres are words": ({"centres_nm": ["a", "b"]}, "the band centres of array 'array' are of"),
    "unequal rows": ({"values": [[[1.0], [1.0, 2.0]]] * 2}, "the values of array 'array' are of"),
    "tensor with gradient": (
        {"values": torch.tensor(CUBE, requires_grad=True)},
        "are of the type Tensor, which NumPy cannot read",
    ),
}


@pytest.mark.parametrize("case", ODD_ARRAYS)
def test_scene_from_array_says_which_shape_is_wrong(case: str) -> None:
    change, message = ODD_ARRAYS[case]
    with pytest.raises(SceneError, match=message):
        scene_from_array(**({"values": CUBE, "centres_nm": CENTRES} | change))


def test_scene_from_array_takes_tensors() -> None:
    scene = scene_from_array(torch.tensor(CUBE), torch.tensor(CENTRES))  # type: ignore[arg-type]
    assert isinstance(scene.data, np.ndarray)
    np.testing.assert_array_equal(scene.values, CUBE)
    np.testing.assert_array_equal(scene["wavelength"], CENTRES)


TASKS: dict[str, Callable[[Path, Any, Path], object]] = {
    "predict": lambda scene, model, out: predict(scene, model, out=out / "map.tif"),
    "suggest": lambda scene, model, _: suggest(scene, model),
    "export": lambda _, model, out: export(model, out / "a.onnx"),
    "batch": lambda scene, model, out: batch([scene], model, out / "maps"),
}


@pytest.mark.parametrize("task", list(TASKS.values()), ids=list(TASKS))
@pytest.mark.parametrize(
    ("model", "found"),
    [(None, "no model"), (3, "a value of the type int"), (FRAME, "a value of the type GeoData")],
    ids=["none", "number", "frame"],
)
def test_other_values_are_no_model(
    planted: Planted,
    tmp_path: Path,
    task: Callable[[Path, Any, Path], object],
    model: Any,
    found: str,
) -> None:
    with pytest.raises(ModelFileError, match=f"^{found}.* was given as a model; give the path of"):
        task(planted.path, model, tmp_path)
    assert list(tmp_path.iterdir()) == [planted.path]


@pytest.mark.parametrize("name", ["aoi", "zones"])
@pytest.mark.parametrize(
    "given",
    [FRAME, FRAME.geometry, FRAME.geometry[0]],
    ids=["frame", "series", "geometry"],
)
def test_areas_are_files(name: str, given: Any) -> None:
    message = (
        f"^{name}= is the path of a vector file, and a value of the type {type(given).__name__}"
    )
    with pytest.raises(OptionError, match=message):
        MapOptions(**{name: given})


def test_suggest_takes_its_area_from_a_file(planted: Planted) -> None:
    with pytest.raises(OptionError, match="aoi= is the path of a vector file"):
        suggest(planted.path, planted.path, aoi=FRAME)


@pytest.mark.slow
@pytest.mark.usefixtures("quick")
def test_classify_takes_a_geodataframe(planted: Planted, tmp_path: Path) -> None:
    path = planted.shots(tmp_path / "shots.gpkg")
    for shots, out in ((path, "file.tif"), (gpd.read_file(path), "frame.tif")):
        classify(planted.path, shots, out=tmp_path / out)
    maps = [(tmp_path / out).read_bytes() for out in ("file.tif", "frame.tif")]
    assert maps[0] == maps[1]


# Numbers --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "least"),
    [
        ("steps", -3, 1),
        ("steps", 0, 1),  # the default was taken
        ("steps", 2.5, 1),
        ("batch", 0, 1),
        ("batch", True, 1),
        ("devices", 0, 1),
        ("num_nodes", -1, 1),
        ("workers", -1, 0),
        ("seed", -1, 0),
    ],
)
def test_pretrain_refuses_numbers_before_it_writes(
    planted: Planted, tmp_path: Path, name: str, value: Any, least: int
) -> None:
    message = rf"^{name}= is a whole number of {least} or more, and {value} was given; "
    with pytest.raises(OptionError, match=message):
        pretrain(planted.path, tmp_path / "w.safetensors", **{name: value})
    assert list(tmp_path.iterdir()) == [planted.path]


@pytest.mark.parametrize("workers", [0, -1, 1.5])
def test_batch_refuses_numbers_of_workers(planted: Planted, tmp_path: Path, workers: Any) -> None:
    with pytest.raises(OptionError, match=r"^workers= is a whole number"):
        batch([planted.path], "m.safetensors", tmp_path / "maps", workers=workers)


@pytest.mark.parametrize("memory", [0, -1, 1.5, "1GB"])
def test_map_options_refuse_other_sizes_of_memory(memory: Any) -> None:
    with pytest.raises(OptionError, match=r"^max_memory= is a whole number"):
        MapOptions(max_memory=memory)


def test_memory_may_be_a_whole_float() -> None:
    assert MapOptions(max_memory=2e9).max_memory == 2_000_000_000  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="max_memory= is a whole number"):
        MapOptions(max_memory=2.5)  # type: ignore[arg-type]


RANDOM: Any = "random"

LABELLED = gpd.GeoDataFrame(
    {"class": ["a", "b"]}, geometry=[shapely.Point(1, 2), shapely.Point(3, 4)], crs=32633
)

#: Calls with a word or a number that the function does not know, and what the error says. No file is needed before.
ODD_ARGUMENTS: dict[str, tuple[Callable[[Path], object], str]] = {
    # "Stratified" was taken for "simple", without a word: other accuracies and areas.
    "assess, design": (
        lambda d: assess(d / "m.tif", d / "r.gpkg", design="Stratified"),  # type: ignore[arg-type]
        "there is no design 'Stratified'; choose one of: simple, stratified",
    ),
    "zones, design": (
        lambda d: zones(d / "m.tif", d / "z.gpkg", d / "t.csv", reference=FRAME, design="Simple"),  # type: ignore[arg-type]
        "there is no design 'Simple'; choose one of: simple, stratified",
    ),
    "zones, strata": (
        lambda d: zones(d / "m.tif", d / "z.gpkg", d / "t.csv", strata=d / "m.tif"),
        "strata were given, and no reference; give the places with reference=",
    ),
    "compare, design": (
        lambda d: compare(
            d / "m.tif", d / "n.tif", out=d / "c.tif", reference=d / "r.gpkg", design=RANDOM
        ),
        "there is no design 'random'",
    ),
    "sample, design": (
        lambda d: sample(d / "m.tif", d / "s.gpkg", design=None),  # type: ignore[arg-type]
        "there is no design None",
    ),
    "sample, count": (
        lambda d: sample(d / "m.tif", d / "s.gpkg", count=30.5),  # type: ignore[arg-type]
        "count= is a whole number of 2 or more, and 30.5 was given",
    ),
    "sample, least": (
        lambda d: sample(d / "m.tif", d / "s.gpkg", least=2.5),  # type: ignore[arg-type]
        "least= is a whole number of 2 or more, and 2.5 was given",
    ),
    "sample, error": (
        lambda d: sample(d / "m.tif", d / "s.gpkg", target_se="2%"),  # type: ignore[arg-type]
        "target_se=.* is out of range",
    ),
    "suggest, count": (
        lambda d: suggest(d / "s.tif", d / "m.safetensors", count=2.5),  # type: ignore[arg-type]
        "count= is a whole number of 1 or more, and 2.5 was given",
    ),
    "suggest, no count": (
        lambda d: suggest(d / "s.tif", d / "m.safetensors", count=None),  # type: ignore[arg-type]
        "count= is a whole number of 1 or more, and None was given",
    ),
    "options, no smooth": (
        lambda _: MapOptions(smooth=None),  # type: ignore[arg-type]
        "smooth= is a whole number of 0 or more, and None was given",
    ),
    "options, no memory": (
        lambda _: MapOptions(max_memory=None),  # type: ignore[arg-type]
        "max_memory= is a whole number of 1 or more, and None was given",
    ),
    "polygons, smooth": (
        lambda d: polygons(d / "m.tif", d / "p.gpkg", smooth=1.5),  # type: ignore[arg-type]
        "smooth= is a whole number of 0 or more, and 1.5 was given",
    ),
    "options, smooth": (
        lambda _: MapOptions(smooth=2.0),  # type: ignore[arg-type]
        "smooth= is a whole number of 0 or more, and 2.0 was given",
    ),
    "recipe, method": (
        lambda _: Recipe(method="DAFT"),  # type: ignore[arg-type]
        "there is no method 'DAFT'; choose one of: daft, linear",
    ),
    "recipe, target": (
        lambda _: FineTuneConfig(target="labels"),  # type: ignore[arg-type]
        "there is no target 'labels'; choose one of: teacher, shots, ema",
    ),
    "objective, axes": (
        lambda _: Objective(fdc="spatal"),  # type: ignore[arg-type]
        "there is no constraint 'spatal'; choose one of: none, spatial, spectral, both",
    ),
    "pretrain, precision": (
        lambda d: pretrain(d / "s.tif", d / "w.safetensors", precision="16"),  # type: ignore[arg-type]
        "there is no precision '16'; choose one of: auto, 32, bf16",
    ),
    "batch, wavelengths": (
        lambda d: batch(d / "s.tif", d / "m.safetensors", d / "maps", wavelengths=[550, 660]),  # type: ignore[arg-type]
        "wavelengths= is a text or a path, and a value of the type list was given",
    ),
    "read_shots, weight": (
        lambda _: read_shots(LABELLED, class_field="class", library_weight="0.5"),  # type: ignore[arg-type]
        "library_weight= is '0.5'; give a number above 0 and up to 1",
    ),
    "read_shots, weight without a library": (
        lambda _: read_shots(LABELLED, class_field="class", library_weight=2),
        "library_weight= is 2; give a number above 0 and up to 1",
    ),
}


@pytest.mark.parametrize("case", ODD_ARGUMENTS)
def test_words_and_numbers_are_checked_before_files(tmp_path: Path, case: str) -> None:
    call, message = ODD_ARGUMENTS[case]
    with pytest.raises(OptionError, match=message):
        call(tmp_path)
    assert not list(tmp_path.iterdir())


OPENING: dict[str, tuple[dict[str, Any], str]] = {
    "list of wavelengths": (
        {"wavelengths": [550, 660]},
        "wavelengths= is a text or a path, and a value of the type list was given; .*scene_from_array",
    ),
    "array of wavelengths": ({"wavelengths": CENTRES}, "a value of the type ndarray was given"),
    "array as mask": ({"mask": CUBE[0] > 3}, "mask= is a text or a path, and a value of the type"),
    "no mask": ({"mask": None}, "mask= .* None was given; give 'auto', 'none', flags, or the path"),
    "number as grid": ({"grid": 32633}, "grid= .* type int was given; .* code such as EPSG:32633"),
    "size as text": ({"grid": "UTM", "pixel_size": "30"}, "pixel_size= is 30; give a number"),
}


@pytest.mark.parametrize("of_array", [False, True], ids=["file", "array"])
@pytest.mark.parametrize("case", OPENING)
def test_open_scene_says_what_an_argument_may_be(
    planted: Planted, case: str, of_array: bool
) -> None:
    given, message = OPENING[case]
    if of_array and "pixel_size" in given:
        pytest.skip("it belongs to files")
    with pytest.raises(OptionError, match=message):
        open_scene(open_scene(planted.path) if of_array else planted.path, **given)


def test_a_mask_may_be_a_path(planted: Planted, tmp_path: Path) -> None:
    """`pathlib.Path` ended in an AttributeError."""
    height, width = planted.values.shape[1:]
    corner = shapely.box(
        *Grid(height, width, planted.transform, None).bounds_of(Window(0, 0, 3, 2))
    )
    gpd.GeoDataFrame(geometry=[corner], crs=open_scene(planted.path).rio.crs).to_file(
        tmp_path / "mask.gpkg"
    )
    masks: list[Any] = [tmp_path / "mask.gpkg", str(tmp_path / "mask.gpkg")]
    valid = [open_scene(planted.path, mask=mask).hsi.read()[1] for mask in masks]
    assert not valid[0][:3, :2].any()
    assert valid[0].any()
    np.testing.assert_array_equal(*valid)


#: Public functions and classes with arguments that are True or False.
CALLS: list[Callable[..., object]] = [
    MapOptions,
    *(one for name in dir(hsi_geo) if inspect.isfunction(one := getattr(hsi_geo, name))),
]


def flags_of(call: Callable[..., object]) -> list[str]:
    named = inspect.signature(call).parameters.values()
    return [one.name for one in named if isinstance(one.default, bool)]


@pytest.mark.parametrize("value", ["no", "false", None, 2], ids=repr)
@pytest.mark.parametrize(
    ("call", "flag"), [(call, flag) for call in CALLS for flag in flags_of(call)]
)
def test_flags_are_true_or_false(
    tmp_path: Path, call: Callable[..., object], flag: str, value: object
) -> None:
    """Python takes the text "no" for true."""
    required = [
        one.name
        for one in inspect.signature(call).parameters.values()
        if one.default is one.empty and one.kind is not one.VAR_KEYWORD
    ]
    given = dict.fromkeys(required, tmp_path / "absent.tif")
    with pytest.raises(OptionError, match=f"{flag} is True or False, and {value!r} was given"):
        call(**given, **{flag: value})
    assert not list(tmp_path.iterdir())
