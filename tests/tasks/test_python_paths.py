"""What Python programs give to tasks where a path is wanted, such as the result of another task."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely

from hsi_geo import (
    Session,
    assess,
    classify,
    compare,
    demo,
    export,
    open_scene,
    polygons,
    predict,
    pretrain,
    sample,
    suggest,
    zones,
)
from hsi_geo.errors import OptionError
from hsi_geo.io.scenes.given_scenes import given_scenes
from hsi_geo.io.scenes.tile_list import list_tiles

Planted = Any  # defined in conftest, which tests cannot import


class Result:
    """What a task returned, which is no path."""


NO_MAP = "a class map is given as a path, and a value of the type Result .*result.paths.classes"
NO_ZONES = "zones= is given as a path, and a value of the type GeoDataFrame .*GeoDataFrame.to_file"
NO_OUTPUT = "an output is given as a path, and None was given; give the path to write to"
FRAME = gpd.GeoDataFrame(
    {"class": ["1", "2"]}, geometry=gpd.points_from_xy([15.0, 45.0], [45.0, 15.0]), crs=32633
)

CASES: dict[str, tuple[Callable[[Path, Any, Path], object], str]] = {
    "assess": (lambda a, _s, _o: assess(Result(), FRAME), NO_MAP),  # type: ignore[arg-type]
    "strata": (
        lambda a, _s, _o: assess(a, FRAME, design="stratified", strata=Result()),  # type: ignore[arg-type]
        NO_MAP,
    ),
    "polygons": (lambda _a, _s, o: polygons(Result(), o / "p.gpkg"), NO_MAP),  # type: ignore[arg-type]
    "sample": (lambda _a, _s, o: sample(Result(), o / "p.gpkg"), NO_MAP),  # type: ignore[arg-type]
    "compare": (lambda a, _s, o: compare(a, Result(), out=o / "c.tif"), NO_MAP),  # type: ignore[arg-type]
    "map of zones": (lambda _a, _s, o: zones(Result(), "z.gpkg", o / "z.csv"), NO_MAP),  # type: ignore[arg-type]
    "zones": (lambda a, _s, o: zones(a, FRAME, o / "z.csv"), NO_ZONES),
    "confidence": (
        lambda a, _s, o: polygons(a, o / "p.gpkg", confidence=Result()),  # type: ignore[arg-type]
        "a confidence is given as a path",
    ),
    "out of assess": (lambda a, _s, _o: assess(a, FRAME, out=5), "type int was given"),  # type: ignore[arg-type]
    "out of polygons": (lambda a, _s, _o: polygons(a, None), NO_OUTPUT),  # type: ignore[arg-type]
    "out of sample": (lambda a, _s, _o: sample(a, None), NO_OUTPUT),  # type: ignore[arg-type]
    "out of compare": (lambda a, _s, _o: compare(a, a, out=None), NO_OUTPUT),  # type: ignore[arg-type]
    "out of zones": (lambda a, _s, _o: zones(a, "z.gpkg", None), NO_OUTPUT),  # type: ignore[arg-type]
    "out of classify": (lambda _a, s, _o: classify(s, FRAME, out=5), "type int was given"),  # type: ignore[call-overload]
    "saved model": (
        lambda _a, s, o: classify(s, FRAME, out=o / "m.tif", save_model=5),  # type: ignore[call-overload]
        "an output is given as a path",
    ),
    "weights of a session": (
        lambda _a, s, _o: Session(s, weights=5),  # type: ignore[arg-type]
        "weights= is given as a path",
    ),
    "cache of a session": (lambda _a, s, _o: Session(s, cache=5), "type int was given"),  # type: ignore[arg-type]
    "demo": (lambda _a, _s, _o: demo(5), "an output is given as a path"),  # type: ignore[arg-type]
    "pretrain": (lambda _a, s, _o: pretrain(s, None), NO_OUTPUT),  # type: ignore[arg-type]
    "suggest": (lambda _a, s, _o: suggest(s, "m.safetensors", out=5), "type int was given"),  # type: ignore[arg-type]
    "export": (lambda _a, _s, _o: export("m.safetensors", None), NO_OUTPUT),  # type: ignore[arg-type]
}


@pytest.fixture
def class_map(tmp_path: Path) -> Path:
    """A map of two classes, 2 x 2 pixels of 30 m."""
    path = tmp_path / "a.tif"
    transform = rasterio.transform.from_origin(0.0, 60.0, 30.0, 30.0)
    with rasterio.open(path, "w", "GTiff", 2, 2, 1, 32633, transform, "uint8", nodata=0) as file:
        file.write(np.array([[[1, 2], [1, 2]]], np.uint8))
    return path


@pytest.mark.parametrize(("call", "message"), list(CASES.values()), ids=list(CASES))
def test_what_is_no_path_is_refused_with_a_sentence(
    planted: Planted,
    class_map: Path,
    tmp_path: Path,
    call: Callable[[Path, Any, Path], object],
    message: str,
) -> None:
    """Python's own message did not say what was wanted."""
    with pytest.raises(OptionError, match=message):
        call(class_map, open_scene(planted.path), tmp_path)


def test_out_of_predict(planted: Planted) -> None:
    with pytest.raises(OptionError, match="type int was given"):
        predict(planted.path, "m.safetensors", out=5)  # type: ignore[arg-type]


@pytest.mark.parametrize("is_list", [True, False], ids=["list", "array"])
def test_tiles_that_are_no_paths(planted: Planted, *, is_list: bool) -> None:
    scene = open_scene(planted.path)
    with pytest.raises(OptionError, match=r"a tile is given as a path.* predict maps an array"):
        list_tiles(given_scenes([scene] if is_list else scene), print)


def test_compare_takes_a_frame_as_its_reference(class_map: Path, tmp_path: Path) -> None:
    """So do assess and zones."""
    places = gpd.GeoDataFrame(
        {"class_old": ["1", "2", "1"], "class_new": ["1", "2", "2"]},
        geometry=[shapely.Point(15, 45), shapely.Point(45, 15), shapely.Point(15, 15)],
        crs=32633,
    )
    places.to_file(tmp_path / "places.gpkg")
    by_frame, by_file = (
        compare(class_map, class_map, out=tmp_path / f"{i}.tif", reference=one).assessment
        for i, one in enumerate((places, tmp_path / "places.gpkg"))
    )
    assert by_frame is not None
    assert by_file is not None
    assert by_frame.oa == by_file.oa
    assert by_frame.matrix.tolist() == by_file.matrix.tolist()
