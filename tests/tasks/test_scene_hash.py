"""A scene's hash changes with each file that its values come from, and with nothing else."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from builders import CENTRES, NORTH_UP, cube_of, nm_tags, write_envi, write_tif
from cf_cases import write_zarr
from product_cases import write_enmap

from hsi_geo import Session, batch, open_scene
from hsi_geo.errors import SceneError
from hsi_geo.io.readers.glt import GltPixels
from hsi_geo.io.readers.image_models import ModelLookup, RationalPolynomials
from hsi_geo.io.readers.pixel_files import pixel_files
from hsi_geo.io.readers.raster_description import describe_raster
from hsi_geo.io.readers.raster_pixels import RasterPixels
from hsi_geo.tasks.runtime import known_files, scene_hash
from hsi_geo.tiling import Grid

#: A time in ns that no file of a test has by itself.
ANOTHER_NS = 1_700_000_000_123_456_789

HEADER = "wavelength = {462, 551.5, 640.25, 1649}", "wavelength units = nm"


def touch(path: Path) -> None:
    """Give a file another time, as if it was replaced by one of the same size."""
    os.utime(path, ns=(ANOTHER_NS, ANOTHER_NS))


def tif(folder: Path) -> Path:
    return write_tif(folder / "a.tif", cube_of(4), band_tags=nm_tags(CENTRES))


def envi(folder: Path) -> Path:
    return write_envi(folder / "a.bsq", cube_of(4), *HEADER)


def vrt(folder: Path) -> Path:
    rasterio.shutil.copy(tif(folder), folder / "a.vrt", driver="VRT")
    return folder / "a.vrt"


def nested(folder: Path) -> Path:
    rasterio.shutil.copy(vrt(folder), folder / "b.vrt", driver="VRT")
    return folder / "b.vrt"


def over_envi(folder: Path) -> Path:
    rasterio.shutil.copy(envi(folder), folder / "a.vrt", driver="VRT")
    return folder / "a.vrt"


def with_data_mask(folder: Path) -> Path:
    path, mask = tif(folder), folder / "a_data_mask.tif"
    names = ("clear", "cloud", "haze", "shadow")
    write_tif(mask, np.zeros((4, 5, 7), "uint8"), names=names)
    return path


def with_mask_file(folder: Path) -> Path:
    path = tif(folder)
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK="NO"), rasterio.open(path, "r+") as file:
        file.write_mask(np.eye(5, 7, dtype=bool))
    return path


def bands(folder: Path) -> Path:
    for number, nm in enumerate(CENTRES, start=1):
        write_tif(folder / f"a_B{number}.tif", cube_of(1), band_tags=nm_tags([nm]))
    return folder


def enmap(folder: Path) -> Path:
    return write_enmap(folder)


def zarr(folder: Path) -> Path:
    import xarray as xr

    values = xr.DataArray(cube_of(4), dims=("band", "y", "x"), name="reflectance")
    wavelengths = ("band", list(CENTRES), {"units": "nm"})
    return write_zarr(folder / "a", values.assign_coords(wavelength=wavelengths).to_dataset())


def scale_of_header(folder: Path) -> None:
    header = folder / "a.hdr"
    header.write_text(header.read_text() + "reflectance scale factor = 10000\n")


def nodata_of_header(folder: Path) -> None:
    header = folder / "a.hdr"
    header.write_text(header.read_text() + "data ignore value = -99\n")


def side_values(name: str, text: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        all_bands = "".join(
            f'<PAMRasterBand band="{n}">{text}</PAMRasterBand>' for n in range(1, 5)
        )
        (folder / name).write_text(f"<PAMDataset>{all_bands}</PAMDataset>")

    return change


def scale_of_vrt(folder: Path) -> None:
    with rasterio.open(folder / "a.vrt", "r+") as file:
        file.scales = [0.5] * 4


def one(name: str) -> Callable[[Path], None]:
    return lambda folder: touch(next(path for path in folder.rglob(name) if path.is_file()))


@pytest.mark.parametrize(
    ("make", "change"),
    [
        (tif, one("a.tif")),
        (tif, side_values("a.tif.aux.xml", "<Scale>0.00002</Scale>")),
        (tif, side_values("a.tif.aux.xml", "<Offset>-3</Offset>")),
        (tif, side_values("a.tif.aux.xml", "<NoDataValue>-3</NoDataValue>")),
        (envi, one("a.bsq")),
        (envi, one("a.hdr")),
        (envi, scale_of_header),
        (envi, nodata_of_header),
        (lambda folder: envi(folder).with_suffix(".hdr"), one("a.bsq")),
        (vrt, one("a.vrt")),
        (vrt, one("a.tif")),
        (vrt, scale_of_vrt),
        (nested, one("a.tif")),
        (over_envi, one("a.hdr")),
        (with_data_mask, one("a_data_mask.tif")),
        (with_mask_file, one("a.tif.msk")),
        (bands, one("a_B3.tif")),
        (enmap, one("*SPECTRAL_IMAGE.TIF")),
        (enmap, one("*QL_QUALITY_CLOUD.TIF")),
        (enmap, one("*QL_PIXELMASK.TIF")),
        (zarr, one("0")),
    ],
)
def test_hash_changes_with_each_file_of_values(
    make: Callable[[Path], Path], change: Callable[[Path], None], tmp_path: Path
) -> None:
    path = make(tmp_path)
    before = scene_hash(open_scene(path))
    assert scene_hash(open_scene(path)) == before
    change(tmp_path)
    assert scene_hash(open_scene(path)) != before


def statistics(folder: Path) -> None:
    """What QGIS writes when it shows a raster."""
    text = '<Metadata><MDI key="STATISTICS_MEAN">5</MDI></Metadata>'
    side_values("a.tif.aux.xml", text)(folder)


def pyramids(folder: Path) -> None:
    path, pyramid = folder / "a.tif", folder / "a.tif.ovr"
    before = path.stat()
    with rasterio.Env(TIFF_USE_OVR=True), rasterio.open(path, "r+") as file:
        file.build_overviews([2])
    assert pyramid.exists()
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def other_files(folder: Path) -> None:
    for name in ("a.shp", "a.dbf", "a.qml", "a.tif.json", "a_classes.tif"):
        (folder / name).write_text("x")


@pytest.mark.parametrize("change", [statistics, pyramids, other_files])
def test_hash_does_not_change_with_what_programs_put_beside_a_scene(
    change: Callable[[Path], None], tmp_path: Path
) -> None:
    path = tif(tmp_path)
    before = scene_hash(open_scene(path))
    change(tmp_path)
    assert scene_hash(open_scene(path)) == before


@pytest.mark.parametrize("make", [tif, envi, vrt, with_data_mask, bands, enmap, zarr])
def test_copy_of_a_folder_has_the_same_hash(
    make: Callable[[Path], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    path = make(here)
    shutil.copytree(here, there)
    monkeypatch.chdir(there.parent)
    copies = (there / path.relative_to(here), Path("there") / path.relative_to(here))
    assert {scene_hash(open_scene(copy)) for copy in copies} == {scene_hash(open_scene(path))}


def test_hash_is_that_of_the_cube_whether_it_or_its_header_is_given(tmp_path: Path) -> None:
    path = envi(tmp_path)
    scenes = [open_scene(one) for one in (path, path.with_suffix(".hdr"))]
    assert scene_hash(scenes[0]) == scene_hash(scenes[1])


def test_file_in_an_archive_changes_with_the_archive(tmp_path: Path) -> None:
    tif(tmp_path)
    archive = Path(shutil.make_archive(str(tmp_path / "a"), "zip", tmp_path, "a.tif"))
    for name in (str(archive), f"/vsizip/{archive}/a.tif"):
        before = scene_hash(scene := open_scene(name))
        assert known_files(scene) == (str(archive),)
        os.utime(archive, ns=(0, os.stat(archive).st_mtime_ns - 10**9))  # noqa: PTH116
        assert scene_hash(open_scene(name)) != before


def test_terrain_model_is_a_file_of_the_pixels_that_it_places(tmp_path: Path) -> None:
    swath, terrain = tif(tmp_path), tmp_path / "dem.tif"
    shutil.copy(swath, terrain)
    polynomials: Any = None
    grid = Grid(5, 7, NORTH_UP, None)
    lookup = ModelLookup(RationalPolynomials(polynomials, str(terrain)), (5, 7), grid)
    pixels = RasterPixels(str(swath), "a", (0, 0))
    placed = GltPixels(pixels, (5, 7), lookup, 0.0, np.dtype("int16"))
    assert pixel_files(placed) == (str(swath), str(terrain))


def test_values_that_are_computed_from_a_file_are_not_known_by_it(tmp_path: Path) -> None:
    scene = open_scene(tif(tmp_path))
    assert known_files(scene) == (str(tmp_path / "a.tif"),)
    assert known_files(scene.compute()) == ()  # it may have been changed since
    assert not known_files(scene * np.int16(2))
    assert scene_hash(scene * np.int16(2)) != scene_hash(scene)


def test_sources_of_many_bands_are_looked_for_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mosaic, looked = vrt(tmp_path), list[str]()
    text = mosaic.read_text()
    band = text[text.index("<VRTRasterBand") : text.index("</VRTRasterBand>")] + "</VRTRasterBand>"
    mosaic.write_text(text.replace(band, band * 50))
    real = os.path.exists

    def exists(path: Any) -> bool:
        looked.append(str(path))
        return real(path)

    monkeypatch.setattr(os.path, "exists", exists)
    with rasterio.open(mosaic) as source:
        file = describe_raster(source, str(mosaic), "a")
    assert file.band_count == 53
    assert looked.count(str(tmp_path / "a.tif")) <= 3  # for GDAL, the scene's files and its scale


def test_session_refuses_a_cube_whose_data_were_replaced(tmp_path: Path) -> None:
    path = envi(tmp_path).with_suffix(".hdr")
    with Session(path) as session:
        touch(tmp_path / "a.bsq")
        with pytest.raises(SceneError, match="has changed since the session opened it"):
            session.prepare()


@pytest.mark.parametrize("given", ["tiles", "tiles/a.bsq", "tiles/a.hdr"])
def test_batch_maps_a_cube_again_whose_data_or_header_changed(
    given: str, model: Path, scene: Any, tmp_path: Path, scheduler: str
) -> None:
    (tmp_path / "tiles").mkdir()
    centres = ", ".join(map(str, scene.centres_nm))
    lines = f"wavelength = {{{centres}}}", "wavelength units = nm", "data ignore value = -999"
    write_envi(tmp_path / "tiles/a.bsq", scene.values, *lines)

    def state() -> str:
        done = batch(tmp_path / given, model, tmp_path / "maps", scheduler=scheduler)
        (outcome,) = done.outcomes.values()
        return outcome.state

    assert state() == "mapped"
    assert state() == "unchanged"
    for name in ("a.bsq", "a.hdr"):
        touch(tmp_path / "tiles" / name)
        assert state() == "mapped"
