"""`predict`: every pixel gets one class, which does not depend on blocks and batches."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pytest
import rasterio
import shapely
import torch
from affine import Affine
from builders import SIZE, STRIDE, cut_tile, model_for, repeated

from hsi_geo import MapOptions
from hsi_geo.errors import HsiGeoError, OptionError, WavelengthError
from hsi_geo.io.readers.raster_pixels import RasterPixels
from hsi_geo.io.scenes.properties import select_good_bands
from hsi_geo.io.scenes.scene import open_scene
from hsi_geo.models.classifier import band_map
from hsi_geo.models.s2former_config import S2FormerConfig
from hsi_geo.models.whitening import SpectralStats, Whitening
from hsi_geo.tasks.artifacts.model import AdaptedModel, load_model, save_model
from hsi_geo.tasks.inference.scene_statistics import learn_spectral_stats
from hsi_geo.tasks.info import describe_scene
from hsi_geo.tasks.predict import MapResult, predict
from hsi_geo.tiling import Window

Planted = Any  # defined in conftest, which tests cannot import
MakeScene = Callable[..., Planted]


def map_of(result: MapResult) -> npt.NDArray[np.uint8]:
    with rasterio.open(result.paths.classes) as file:
        return np.asarray(file.read(1))


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., npt.NDArray[np.uint8]]:
    """Map a scene with a model and read the map back."""

    def run_(scene: Path, model: AdaptedModel, **options: Any) -> npt.NDArray[np.uint8]:
        path = tmp_path / "model.safetensors"
        save_model(model, path)
        out = tmp_path / "map.tif"
        return map_of(predict(scene, path, out=out, overwrite=True, **options))

    return run_


Run = Callable[..., npt.NDArray[np.uint8]]

SIZES = [1, SIZE - 1, SIZE, SIZE + 1, 3 * SIZE + 7]


@pytest.mark.parametrize("stride", [SIZE, STRIDE, 3])
@pytest.mark.parametrize(("height", "width"), [(h, w) for h in SIZES for w in SIZES[::2]])
def test_predict_gives_every_pixel_a_class(
    make_scene: MakeScene, run: Run, height: int, width: int, stride: int
) -> None:
    scene = make_scene(height=height, width=width, hole=False, bands=6)
    mapped = run(scene.path, model_for(scene.path, stride))
    assert mapped.shape == (height, width)
    assert (mapped > 0).all()


def test_predict_gives_no_class_to_nodata_only(planted: Planted, run: Run) -> None:
    mapped = run(planted.path, model_for(planted.path))
    assert ((mapped == 0) == (planted.truth == 0)).all()


def test_predict_writes_an_empty_map_of_a_scene_without_data(planted: Planted, run: Run) -> None:
    model = model_for(planted.path)
    with rasterio.open(planted.path, "r+") as file:
        file.write(np.full(planted.values.shape, -999, np.int16))
    assert not run(planted.path, model).any()


@pytest.mark.parametrize("output_px", [1, 1 << 19])
@pytest.mark.parametrize("block", [(1, 53), (5, 53), (1, 1), (8, 8), (13, 5), (64, 64)])
def test_predict_does_not_depend_on_the_size_of_blocks(
    planted: Planted,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    block: tuple[int, int],
    output_px: int,
) -> None:
    """Blocks of the file, and blocks of the output."""
    model = model_for(planted.path)
    whole = run(planted.path, model)
    monkeypatch.setattr("hsi_geo.tasks.inference.strips.block_shape", lambda view: block)
    monkeypatch.setattr("hsi_geo.tasks.inference.strips.MIN_ROWS", 1)
    monkeypatch.setattr("hsi_geo.tasks.inference.strips.OUTPUT_PX", output_px)
    monkeypatch.setattr("hsi_geo.tasks.inference.strips.GRID_WINDOWS", 6)
    assert (run(planted.path, model, options=MapOptions(max_memory=1)) != whole).mean() < 0.001


@pytest.mark.parametrize("batch", [1, 7])
def test_predict_does_not_depend_on_the_size_of_batches(
    planted: Planted, run: Run, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    model = model_for(planted.path)
    whole = run(planted.path, model)
    monkeypatch.setattr("hsi_geo.tasks.inference.sliding_window.BATCH", batch)
    assert (run(planted.path, model) != whole).mean() < 0.001


@pytest.mark.parametrize(("row", "col"), [(0, 11), (5, 0), (6, 9)])
def test_predict_maps_a_cut_scene_as_the_whole_one_except_at_its_edge(
    planted: Planted, run: Run, tmp_path: Path, row: int, col: int
) -> None:
    """Windows are aligned to the CRS: another corner of the file moves none of them."""
    model = model_for(planted.path)
    whole = run(planted.path, model)
    cut = tmp_path / "cut.tif"
    cut_tile(planted.path, cut, Window(row, col, 37 - row, 53 - col))
    part = run(cut, model)
    top, left = (SIZE if row else 0), (SIZE if col else 0)
    expected = whole[row + top :, col + left :]
    assert (part[top:, left:] != expected).mean() < 0.001


def test_predict_ignores_the_order_of_bands(make_scene: MakeScene, run: Run) -> None:
    straight = make_scene("straight.tif")
    mixed = make_scene("mixed.tif", order=np.random.default_rng(0).permutation(40))
    model = model_for(straight.path)
    assert (run(mixed.path, model) == run(straight.path, model)).all()


def test_predict_maps_only_inside_the_area(planted: Planted, run: Run, tmp_path: Path) -> None:
    model = model_for(planted.path)
    whole = run(planted.path, model)
    left, top = planted.transform @ (12, 8)
    right, bottom = planted.transform @ (31, 29)
    area = gpd.GeoSeries([shapely.box(left, bottom, right, top)], crs=planted.crs)
    area.to_crs("EPSG:4326").to_file(tmp_path / "area.gpkg")
    mapped = run(planted.path, model, options=MapOptions(aoi=tmp_path / "area.gpkg"))
    inside = np.zeros(whole.shape, bool)
    inside[8:29, 12:31] = True
    assert (mapped[inside] == whole[inside]).all()
    assert not mapped[~inside].any()


def test_predict_refuses_an_area_outside_the_scene(
    planted: Planted, run: Run, tmp_path: Path
) -> None:
    gpd.GeoSeries([shapely.box(0, 0, 1, 1)], crs=planted.crs).to_file(tmp_path / "far.gpkg")
    with pytest.raises(OptionError, match="outside the scene"):
        run(planted.path, model_for(planted.path), options=MapOptions(aoi=tmp_path / "far.gpkg"))


def test_predict_refuses_an_area_without_polygons(
    planted: Planted, run: Run, tmp_path: Path
) -> None:
    gpd.GeoSeries([shapely.Point(0, 0)], crs=planted.crs).to_file(tmp_path / "point.gpkg")
    with pytest.raises(OptionError, match="no polygon"):
        run(planted.path, model_for(planted.path), options=MapOptions(aoi=tmp_path / "point.gpkg"))


def test_predict_refuses_a_scene_that_does_not_cover_the_models_wavelengths(
    make_scene: MakeScene, run: Run
) -> None:
    scene = make_scene()
    model = model_for(scene.path)
    wider = dataclasses.replace(
        model.spectral, centres_nm=model.spectral.centres_nm * np.linspace(1, 1.5, 40)
    )
    with pytest.raises(WavelengthError, match=r"420-13\d\d nm .* 420-19\d\d nm"):
        run(scene.path, dataclasses.replace(model, spectral=wider))


def test_predict_maps_a_scene_with_other_bands_of_the_same_range(
    make_scene: MakeScene, run: Run
) -> None:
    scene = make_scene()
    model = model_for(scene.path)
    finer = make_scene("finer.tif", bands=80)
    mapped = run(finer.path, model)
    assert (mapped > 0).sum() == (finer.truth > 0).sum()


def test_predict_with_restat_maps_a_scene_of_another_gain(make_scene: MakeScene, run: Run) -> None:
    """The same scene with another gain: new statistics give the same whitened values."""
    scene = make_scene("first.tif")
    model = dataclasses.replace(
        model_for(scene.path),
        spectral=learn_spectral_stats([select_good_bands(open_scene(scene.path))]),
    )
    with rasterio.open(scene.path) as file:
        profile, values, tags = file.profile, file.read(), [file.tags(b) for b in file.indexes]
    later = scene.path.with_name("later.tif")
    with rasterio.open(later, "w", **profile) as file:
        file.write(np.where(values == -999, values, values * 2 + 500))
        for band, tag in enumerate(tags, start=1):
            file.update_tags(band, **tag)
    first = run(scene.path, model)
    assert (run(later, model, restat=True) == first).mean() > 0.99
    assert (run(later, model) == first).mean() < 0.9


def test_band_map_keeps_small_differences_of_large_values() -> None:
    """Values far from zero must keep the small differences between classes."""
    centres = np.linspace(420.0, 1300.0, 30)
    generator = np.random.default_rng(2)
    matrix = generator.normal(size=(30, 30))
    smooth = np.exp(
        -(((centres[:, None] - centres) / 400.0) ** 2)
    )  # neighbouring bands are correlated
    spectral = SpectralStats(
        centres, np.full(30, 3.0), Whitening(np.full(30, 9000.0), matrix, smooth)
    )
    config = S2FormerConfig()
    shifted = centres + 2.0
    near = band_map(config, spectral, shifted)
    exact = band_map(config, spectral, centres)
    x = 9000.0 + np.sin(centres / 200.0)
    x_shifted = 9000.0 + np.sin(shifted / 200.0)
    direct = exact.matrix @ torch.tensor(x - 9000.0, dtype=torch.float32)
    placed = near.matrix @ (torch.tensor(x_shifted) - near.centre).float() + near.shift
    assert torch.allclose(direct, placed, atol=0.35)  # interpolation, not rounding
    assert (direct - placed).std() < 0.05 * direct.std()


@pytest.mark.parametrize("crs", [None, "EPSG:32633", "EPSG:4326"])
def test_predict_writes_the_grid_of_the_scene(
    make_scene: MakeScene, run: Run, tmp_path: Path, crs: str | None
) -> None:
    transform = Affine(0.0003, 0, 13.2, 0, -0.0002, 52.5) if crs == "EPSG:4326" else None
    scene = make_scene(crs=crs, transform=transform)
    run(scene.path, model_for(scene.path))
    with rasterio.open(scene.path) as source, rasterio.open(tmp_path / "map.tif") as mapped:
        assert mapped.shape == source.shape
        assert mapped.transform == source.transform
        assert mapped.crs == source.crs
        assert mapped.nodata == 0


def test_predict_maps_a_south_up_scene(make_scene: MakeScene, run: Run, tmp_path: Path) -> None:
    up = make_scene("up.tif", transform=Affine(30, 0, 383472.5, 0, 20, 5818302.25))
    mapped = run(up.path, model_for(up.path))
    assert ((mapped == 0) == (up.truth == 0)).all()
    with rasterio.open(tmp_path / "map.tif") as file:
        assert file.transform == up.transform


def test_predict_refuses_a_rotated_scene_and_names_gdalwarp(
    make_scene: MakeScene, run: Run
) -> None:
    straight = make_scene("straight.tif")
    turned = make_scene(
        "turned.tif",
        transform=Affine.translation(5e5, 5e6) @ Affine.rotation(34) @ Affine.scale(20),
    )
    with pytest.raises(HsiGeoError, match=r"rotated by 34\.0 degrees.*gdalwarp"):
        run(open_scene(turned.path, straighten=False), model_for(straight.path))


def test_predict_writes_confidence_and_probabilities_of_the_map(
    planted: Planted, tmp_path: Path
) -> None:
    model = model_for(planted.path)
    save_model(model, tmp_path / "model.safetensors")
    result = predict(
        planted.path,
        tmp_path / "model.safetensors",
        options=MapOptions(confidence=True, probabilities=True),
    )
    assert result.paths.classes == planted.path.with_name("scene_classes.tif")
    ids = map_of(result)
    valid = ids > 0
    assert result.paths.probabilities is not None
    assert result.paths.confidence is not None
    with rasterio.open(result.paths.probabilities) as file:
        probabilities = file.read()
        assert file.nodata == 255
        assert file.descriptions == ("class 1", "class 2", "class 3")
    with rasterio.open(result.paths.confidence) as file:
        confidence = file.read(1)
    assert (probabilities[:, ~valid] == 255).all()
    assert (confidence[~valid] == 255).all()
    total = probabilities[:, valid].astype(int).sum(axis=0)
    assert total.max() <= 252  # what lacks to 250 is that a pixel is unlike any shot
    assert total.min() < 240
    best = np.take_along_axis(probabilities, np.maximum(ids, 1)[None].astype(int) - 1, axis=0)[0]
    assert (best[valid] == probabilities[:, valid].max(axis=0)).all()
    assert abs(confidence[valid] / 100 - best[valid] / 250).max() < 0.01
    counted = {c["name"]: c["pixels"] for c in result.record["classes"]}
    assert counted == {f"class {i}": int((ids == i).sum()) for i in (1, 2, 3)}


def test_predict_refuses_a_map_of_nan_probabilities(planted: Planted, tmp_path: Path) -> None:
    """In memory: a model file with NaN is not opened."""
    model = model_for(planted.path)
    torch.nn.init.constant_(model.classifier.head.bias, float("nan"))
    with pytest.raises(HsiGeoError, match="got no class"):
        predict(planted.path, model, out=tmp_path / "map.tif")
    assert not (tmp_path / "map.tif").exists()


def test_predict_records_the_bad_bands_that_info_lists(
    make_scene: MakeScene, tmp_path: Path
) -> None:
    scene = make_scene(height=70, width=41)
    model = model_for(scene.path)
    with rasterio.open(scene.path, "r+") as file:
        file.write(np.full(file.shape, 812, np.int16), 7)
        file.update_tags(2, bbl="0")
    record = predict(scene.path, model, out=tmp_path / "map.tif").record
    assert [(bad["band"], bad["why"]) for bad in record["bad_bands"]][:1] == [(2, "by bbl")]
    assert (7, "constant") in [(bad["band"], bad["why"]) for bad in record["bad_bands"]]
    assert record["bad_bands"] == describe_scene(open_scene(scene.path))["bad_bands"]


def test_save_model_writes_the_same_bytes_after_load_model(
    planted: Planted, tmp_path: Path
) -> None:
    first, second = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    save_model(model_for(planted.path), first)
    save_model(load_model(first), second)
    assert first.read_bytes() == second.read_bytes()


def test_predict_ignores_small_shifts_of_wavelengths(make_scene: MakeScene, run: Run) -> None:
    """Two calibrations of a sensor differ by a nanometre or two."""
    scene = make_scene()
    model = model_for(scene.path)
    before = run(scene.path, model)
    with rasterio.open(scene.path, "r+") as file:
        for band, centre in enumerate(scene.centres_nm, start=1):
            file.update_tags(band, wavelength=str(centre + 2.0))
    assert (run(scene.path, model) == before).all()


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_predict_needs_the_same_memory_for_taller_scenes(
    make_scene: MakeScene, tmp_path: Path
) -> None:
    """Under 2 GB at 10,240 columns of 200 bands, and the same at twice the height."""
    tile = make_scene(
        "tile.tif", height=256, width=512, bands=200, tiled=True, blockxsize=256, blockysize=256
    )
    model = tmp_path / "model.safetensors"
    save_model(model_for(tile.path, SIZE), model)
    peaks = []
    for down in (2, 4):
        scene = repeated(tile.path, tmp_path / f"{down}.vrt", tile, (down, 20))
        code = (
            "from hsi_geo import predict\n"
            f"predict({str(scene)!r}, {str(model)!r}, out={str(tmp_path / f'{down}.tif')!r})\n"
            "lines = open('/proc/self/status').read().splitlines()\n"
            "print([line.split()[1] for line in lines if line.startswith('VmHWM')][0])\n"
        )
        run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
        peaks.append(float(run.stdout) / 1e6)  # of this process; ru_maxrss includes its parent
    assert max(peaks) < 2.0
    # Pages of libraries count, and how many are there is the system's choice: a row of blocks more
    # in memory would be a gigabyte.
    assert peaks[1] < 1.1 * peaks[0], f"{peaks[0]:.2f} GB, then {peaks[1]:.2f} GB"


def test_small_scene_is_read_once(
    make_scene: MakeScene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And gives the same map and record as one that is read window by window."""
    planted = make_scene(height=70, width=50)
    model, reads = model_for(planted.path), list[Window]()
    original = RasterPixels.read

    def spied(self: RasterPixels, bands: Any, window: Window) -> Any:
        reads.append(window)
        return original(self, bands, window)

    monkeypatch.setattr(RasterPixels, "read", spied)
    whole = predict(planted.path, model, out=tmp_path / "whole.tif")
    assert reads == [Window(0, 0, 70, 50)]
    monkeypatch.setattr("hsi_geo.io.scenes.properties.SMALL_BYTES", 0)
    pieces = predict(planted.path, model, out=tmp_path / "pieces.tif")
    assert len(reads) > 2
    np.testing.assert_array_equal(map_of(whole), map_of(pieces))
    assert whole.record == pieces.record
