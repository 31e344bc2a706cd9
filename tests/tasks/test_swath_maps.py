"""Maps of swaths: on an upright grid, and in the rows and columns of the sensor."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import geopandas as gpd
import h5py
import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from builders import cube_of, nm_tags, write_tif
from builders import run as run_command
from swath_cases import Swath, expected_pixels, make_swath, write_tanager

from hsi_geo import (
    adapt,
    assess,
    classify,
    compare,
    open_scene,
    polygons,
    read_shots,
    sample,
    suggest,
)
from hsi_geo.arrays import AnyArray, IntArray
from hsi_geo.errors import MapError, OptionError
from hsi_geo.io.labels.aoi import read_area
from hsi_geo.io.labels.pixel_centres import area_mask
from hsi_geo.io.labels.shot_pixels import burn
from hsi_geo.io.labels.shots import make_shots
from hsi_geo.io.maps.reader import read_map
from hsi_geo.io.scenes.properties import grid_of
from hsi_geo.tasks.inference.options import MapOptions
from hsi_geo.tasks.info import info

HEIGHT, WIDTH, BANDS = 44, 33, 24


@pytest.fixture
def swath() -> Swath:
    return make_swath(HEIGHT, WIDTH, degrees=17.0)


def truth() -> IntArray:
    """(H, W) classes 1 to 3 in patches of different sizes."""
    classes = np.ones((HEIGHT, WIDTH), np.int64)
    classes[:, 14:] = 2
    classes[27:, :24] = 3
    return classes


@pytest.fixture
def scene(tmp_path: Path, swath: Swath) -> Path:
    """A Tanager basic product with known classes."""
    path = write_tanager(tmp_path / "tanager_basic_sr.h5", swath=swath)
    nm = np.linspace(450.0, 900.0, BANDS)
    spectra = 0.3 + 0.1 * np.stack([np.sin(nm / 80.0), np.cos(nm / 110.0), np.sin(nm / 50.0 + 1.0)])
    noise = np.random.default_rng(3).standard_normal((BANDS, HEIGHT, WIDTH))
    cube = spectra[truth() - 1].transpose(2, 0, 1) + 0.004 * noise
    with h5py.File(path, "r+") as file:
        fields = file["HDFEOS/SWATHS/HYP/Data Fields"]
        for name in list(fields):
            del fields[name]
        data = fields.create_dataset("surface_reflectance", data=cube.astype("float32"))
        data.attrs["wavelengths"], data.attrs["_FillValue"] = nm, np.float32(-9999)
    return path


def labels_at(swath: Swath, rows: AnyArray, cols: AnyArray) -> gpd.GeoDataFrame:
    """Points in degrees at pixel centres, with their classes."""
    names = np.array(["meadow", "asphalt", "water"])[truth()[rows, cols] - 1]
    return gpd.GeoDataFrame(
        {"class": names},
        geometry=shapely.points(swath.lon[rows, cols], swath.lat[rows, cols]),
        crs=4326,
    )


@pytest.fixture
def shots(tmp_path: Path, swath: Swath) -> Path:
    """Six points of each class."""
    places = [np.argwhere(truth() == k)[:: int((truth() == k).sum() / 7)][1:7] for k in (1, 2, 3)]
    rows, cols = np.concatenate(places).T
    path = tmp_path / "shots.gpkg"
    labels_at(swath, rows, cols).to_file(path)
    return path


@pytest.mark.usefixtures("quick")
@pytest.mark.slow
def test_the_map_lies_where_the_swath_does(
    scene: Path, shots: Path, swath: Swath, tmp_path: Path
) -> None:
    result = run_command("classify", scene, "--shots", shots, "-o", tmp_path / "map.tif")
    assert result.exit_code == 0, result.output
    assert (
        "are a swath: each pixel of an upright grid of 30 m in WGS 84 / UTM zone 32N"
        in result.stderr
    )
    with rasterio.open(tmp_path / "map.tif") as file:
        mapped, grid = file.read(1), grid_of(open_scene(scene))
        assert file.crs.to_epsg() == 32632
        assert file.transform == grid.transform
    assert grid.crs is not None
    assert json.loads((tmp_path / "map.json").read_text())["parameters"]["grid"] == {
        "option": None,
        "resampling": "nearest",
        "image_height": HEIGHT,
        "image_width": WIDTH,
    }
    nearest, covered = expected_pixels(grid, *swath.project(grid.crs))
    assert ((mapped > 0) == covered).mean() > 0.998
    ids = {c.name: c.id for c in read_shots(shots).classes}
    wanted = np.array([0, ids["meadow"], ids["asphalt"], ids["water"]])[truth().ravel()[nearest]]
    assert (mapped == wanted)[covered].mean() > 0.9


@pytest.mark.usefixtures("quick")
def test_a_map_in_the_geometry_of_the_sensor_repeats_and_loses_no_pixel(
    scene: Path, shots: Path, swath: Swath, tmp_path: Path
) -> None:
    result = run_command("classify", scene, "--shots", shots, "--swath", "-o", tmp_path / "map.tif")
    assert result.exit_code == 0, result.output
    with rasterio.open(tmp_path / "map.tif") as file:
        mapped = file.read(1)
        points, crs = file.gcps
    assert mapped.shape == (HEIGHT, WIDTH)
    ids = {c.name: c.id for c in read_shots(shots).classes}
    wanted = np.array([0, ids["meadow"], ids["asphalt"], ids["water"]])[truth()]
    assert (mapped == wanted).mean() > 0.9
    # Control points tell other programs where the map lies.
    assert crs.to_epsg() == 32632
    x, y = swath.project(grid_of(open_scene(scene)).crs)  # type: ignore[arg-type]
    for point in points:
        row, col = int(point.row - 0.5), int(point.col - 0.5)
        assert (point.x, point.y) == pytest.approx((x[row, col], y[row, col]), abs=0.1)
    # A reference in degrees meets the pixels that it lies in.
    rows, cols = (part.ravel()[::3] for part in np.indices((HEIGHT, WIDTH)))
    reference = tmp_path / "reference.gpkg"
    labels_at(swath, rows, cols).to_file(reference)
    found = assess(tmp_path / "map.tif", reference)
    assert found.pixels == len(rows)
    right = (mapped == wanted)[rows, cols].mean()
    assert found.oa.value == pytest.approx(right, abs=2e-3)


def test_shots_are_placed_by_their_true_coordinates(scene: Path, swath: Swath) -> None:
    """Points, and polygons whose sides are bent in the image, meet the same pixels as on the ground."""
    grid = grid_of(open_scene(scene, grid="swath"))
    generator = np.random.default_rng(0)
    rows, cols = generator.integers(0, HEIGHT, 50), generator.integers(0, WIDTH, 50)
    # Anywhere in the pixel, not only at its centre.
    x, y = swath.project(grid.frame.upright.crs)  # type: ignore[arg-type, union-attr]
    step = np.stack([np.gradient(x, axis=0), np.gradient(y, axis=0)])
    shift = 0.4 * generator.uniform(-1, 1, 50)
    spots = shapely.points(
        x[rows, cols] + shift * step[0][rows, cols], y[rows, cols] + shift * step[1][rows, cols]
    )
    crs = grid.frame.upright.crs  # type: ignore[union-attr]
    points = burn(make_shots(gpd.GeoSeries(spots, crs=crs), ["a", "b"] * 25), grid)
    assert points.outside == 0
    found = set(zip(points.rows.tolist(), points.cols.tolist(), strict=True))
    assert found <= set(zip(rows.tolist(), cols.tolist(), strict=True))
    box = shapely.box(x.mean() - 300, y.mean() - 200, x.mean() + 250, y.mean() + 310)
    far = shapely.Point(x.max() + 5000, y.max())
    polygons = burn(make_shots(gpd.GeoSeries([box, far], crs=crs), ["a", "b"]), grid)
    inside = shapely.contains_xy(box, x.ravel(), y.ravel()).reshape(x.shape)
    mask = np.zeros(x.shape, bool)
    mask[polygons.rows, polygons.cols] = True
    assert (mask != inside).sum() <= 0.02 * inside.sum()
    assert polygons.outside == 1


def test_an_area_is_placed_by_its_true_coordinates(
    scene: Path, swath: Swath, tmp_path: Path
) -> None:
    grid = grid_of(open_scene(scene, grid="swath"))
    crs: Any = grid.frame.upright.crs  # type: ignore[union-attr]
    x, y = swath.project(crs)
    box = shapely.box(x.mean(), y.mean() - 5_000, x.mean() + 9_000, y.mean() + 5_000)
    gpd.GeoSeries([box], crs=crs).to_file(tmp_path / "aoi.gpkg")
    inside = area_mask(read_area(tmp_path / "aoi.gpkg", grid), grid, grid.window)
    assert (inside != (x > x.mean())).mean() < 0.02


def test_a_cut_scene_keeps_its_place(scene: Path, swath: Swath) -> None:
    part = open_scene(scene, grid="swath")[:, 7:30, 4:]
    grid = grid_of(part)
    spots = shapely.points(swath.lon[[9, 20], [6, 11]], swath.lat[[9, 20], [6, 11]])
    pixels = burn(make_shots(gpd.GeoSeries(spots, crs=4326), ["a", "b"]), grid)
    assert pixels.rows.tolist() == [2, 13]
    assert pixels.cols.tolist() == [2, 7]


def test_info_counts_labels_of_a_swath(scene: Path, shots: Path) -> None:
    opened = open_scene(scene, grid="swath")
    found = info(opened, shots)
    assert [entry["pixels"] for entry in found["shots"]["classes"]] == [6, 6, 6]
    assert found["shots"]["dropped"] == []


@pytest.mark.usefixtures("quick")
def test_polygons_of_a_map_without_a_grid_are_refused(
    scene: Path, shots: Path, tmp_path: Path
) -> None:
    opened = open_scene(scene, grid="swath")
    with pytest.raises(OptionError, match="polygons need a map grid"):
        classify(
            opened, read_shots(shots), out=tmp_path / "map.tif", options=MapOptions(polygons=True)
        )


def test_a_map_with_control_points_of_another_program_is_placed(
    tmp_path: Path, swath: Swath
) -> None:
    points = [
        rasterio.control.GroundControlPoint(r + 0.5, c + 0.5, swath.lon[r, c], swath.lat[r, c])
        for r in (0, 20, 43)
        for c in (0, 15, 32)
    ]
    path = tmp_path / "classes.tif"
    with rasterio.open(
        path, "w", driver="GTiff", height=HEIGHT, width=WIDTH, count=1, dtype="uint8", gcps=points,
        crs="EPSG:4326",
    ) as file:  # fmt: skip
        file.write(truth().astype("uint8"), 1)
    grid = read_map(path).grid
    spots = shapely.points(swath.lon[[9, 30], [6, 11]], swath.lat[[9, 30], [6, 11]])
    pixels = burn(make_shots(gpd.GeoSeries(spots, crs=4326), ["a", "b"]), grid)
    assert pixels.rows.tolist() == [9, 30]
    assert pixels.cols.tolist() == [6, 11]


TURNED = Affine.translation(5e5, 4e6) @ Affine.rotation(20.0) @ Affine.scale(30.0, -30.0)


def write_line(path: Path, classes: AnyArray, place: Affine = TURNED) -> Path:
    """A map in the rows and columns of a sensor, placed by control points."""
    spots = [(r, c) for r in np.linspace(0, HEIGHT, 5) for c in np.linspace(0, WIDTH, 5)]
    points = [rasterio.control.GroundControlPoint(r, c, *(place @ (c, r))) for r, c in spots]
    with rasterio.open(
        path, "w", driver="GTiff", height=HEIGHT, width=WIDTH, count=1, dtype="uint8", nodata=0,
        gcps=points, crs="EPSG:32633",
    ) as file:  # fmt: skip
        file.write(classes.astype("uint8"), 1)
    return path


def test_a_sample_of_a_map_of_the_sensor_lies_on_the_earth(tmp_path: Path) -> None:
    path = write_line(tmp_path / "line.tif", truth())
    sample(path, tmp_path / "visit.gpkg", count=60)
    places = gpd.read_file(tmp_path / "visit.gpkg", layer="visit")
    assert places.crs == "EPSG:32633"
    cols, rows = ~TURNED @ (places.geometry.x.to_numpy(), places.geometry.y.to_numpy())
    np.testing.assert_allclose([cols % 1, rows % 1], 0.5, atol=1e-3)
    values = truth()[np.floor(rows).astype(int), np.floor(cols).astype(int)]
    assert places["stratum"].tolist() == values.astype(str).tolist()
    places.assign(**{"class": places["stratum"]}).to_file(tmp_path / "seen.gpkg")
    found = assess(path, tmp_path / "seen.gpkg", design="stratified")
    assert (found.pixels, found.oa.value) == (60, 1.0)


@pytest.mark.usefixtures("quick")
def test_suggested_places_of_a_swath_lie_on_the_earth(
    scene: Path, shots: Path, swath: Swath, tmp_path: Path
) -> None:
    part = slice(7, 43), slice(2, 32)
    opened = open_scene(scene, grid="swath")[:, *part]
    model = adapt(opened, shots)
    found = suggest(opened, model, count=6, out=tmp_path / "next.gpkg")
    places = gpd.read_file(tmp_path / "next.gpkg")
    assert places.crs == open_scene(scene).hsi.grid.crs
    assert [(p.x, p.y) for p in found.points] == list(
        zip(places.geometry.x, places.geometry.y, strict=True)
    )
    x, y = (values[part] for values in swath.project(places.crs))
    for place in places.geometry:
        assert (
            np.hypot(x - place.x, y - place.y).min() < 0.5
        )  # at the centre of a pixel, which is 30 m wide
    # As shots of the scene they are at the same pixels.
    labelled = places.assign(**{"class": ["a", "b"] * 3})
    assert len(burn(read_shots(labelled), grid_of(opened))) == 6


def test_a_comparison_of_maps_of_the_sensor_keeps_their_place(tmp_path: Path) -> None:
    later = truth()
    later[:5, :9] = 3
    old = write_line(tmp_path / "old.tif", truth())
    new = write_line(tmp_path / "new.tif", later)
    found = compare(old, new, out=tmp_path / "change.tif")
    assert found.matrix.hectares is None
    assert found.matrix.pixels[0, 2] == 45
    with rasterio.open(tmp_path / "change.tif") as file:
        points, crs = file.gcps
    assert crs.to_epsg() == 32633
    for point in points:
        assert (point.x, point.y) == pytest.approx(TURNED @ (point.col, point.row), abs=0.1)
    elsewhere = write_line(tmp_path / "far.tif", later, TURNED @ Affine.translation(9, 0))
    for resample in (False, True):
        with pytest.raises(MapError, match="44 rows and 33 columns of a sensor"):
            compare(old, elsewhere, out=tmp_path / "none.tif", resample=resample)
    assert not (tmp_path / "none.tif").exists()


def test_a_map_of_the_sensor_has_no_polygons(tmp_path: Path) -> None:
    path = write_line(tmp_path / "line.tif", truth())
    with pytest.raises(OptionError, match="polygons need a map grid"):
        polygons(path, tmp_path / "patches.gpkg")
    with pytest.raises(OptionError, match="polygons need a map grid"):
        compare(path, path, out=tmp_path / "change.tif", polygons=True)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["line.tif"]


def test_a_rotated_line_in_the_geometry_of_the_sensor(tmp_path: Path) -> None:
    turned = Affine.translation(5e5, 4e6) @ Affine.rotation(34.0) @ Affine.scale(15.0, -15.0)
    path = write_tif(
        tmp_path / "line.tif",
        cube_of(3),
        transform=turned,
        band_tags=nm_tags([550.0, 660.0, 860.0]),
    )
    scene = open_scene(path, grid="swath")
    np.testing.assert_array_equal(scene.values, cube_of(3))
    spots = shapely.points([turned @ (2.5, 1.3), turned @ (6.1, 4.9)])
    pixels = burn(make_shots(gpd.GeoSeries(spots, crs=32633), ["a", "b"]), grid_of(scene))
    assert pixels.rows.tolist() == [1, 4]
    assert pixels.cols.tolist() == [2, 6]
