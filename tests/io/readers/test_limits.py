"""Files that unpack to huge sizes, and files that take values from others, are refused before they are read."""

from __future__ import annotations

import io
import tarfile
import time
from collections.abc import Callable
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import h5py
import pytest
import zarr
from builders import CENTRES, cube_of, nm_tags, run, write_tif

from hsi_geo.errors import HsiGeoError, MapError, SceneError, ShotsError
from hsi_geo.io.files.limits import TEXT_BYTES
from hsi_geo.io.labels.shot_reading import read_shots
from hsi_geo.io.maps.reader import read_map
from hsi_geo.io.scenes.scene import open_scene

BLANKS = b" " * (1 << 20)


def product(folder: Path) -> Path:
    """The image of an EnMAP product."""
    folder.mkdir()
    return write_tif(folder / "ENMAP-L2A-SPECTRAL_IMAGE.TIF", cube_of(3))


def large(folder: Path) -> Path:
    image = product(folder / "a")
    with (image.parent / "ENMAP-L2A-METADATA.XML").open("wb") as file:
        file.truncate(TEXT_BYTES + 1)
    return image.parent


def zipped(folder: Path) -> Path:
    image = product(folder / "a")
    with ZipFile(folder / "a.zip", "w", ZIP_DEFLATED) as archive:
        archive.write(image, image.name)
        with archive.open("ENMAP-L2A-METADATA.XML", "w") as file:
            for _ in range((TEXT_BYTES >> 20) + 1):
                file.write(BLANKS)
    return folder / "a.zip"


def zipped_with_a_lie(folder: Path) -> Path:
    """The archive states a wrong size."""
    path = zipped(folder)
    content = path.read_bytes()
    true = (TEXT_BYTES + (1 << 20)).to_bytes(4, "little")
    assert true in content
    path.write_bytes(content.replace(true, (100).to_bytes(4, "little")))
    return path


def tarred(folder: Path) -> Path:
    image = product(folder / "a")
    with tarfile.open(folder / "a.tar.gz", "w:gz", compresslevel=1) as archive:
        archive.add(image, image.name)
        info = tarfile.TarInfo("ENMAP-L2A-METADATA.XML")
        info.size = TEXT_BYTES + 1
        archive.addfile(info, io.BytesIO(bytes(info.size)))
    return folder / "a.tar.gz"


def entities(folder: Path) -> Path:
    image = product(folder / "a")
    lines = [f'<!ENTITY e{i + 1} "{f"&e{i};" * 10}">' for i in range(12)]
    (image.parent / "ENMAP-L2A-METADATA.XML").write_text(
        f'<!DOCTYPE a [<!ENTITY e0 "x">{"".join(lines)}]><a>&e12;</a>'
    )
    return image.parent


@pytest.mark.parametrize("make", [large, zipped, zipped_with_a_lie, tarred, entities])
def test_huge_metadata_is_refused_quickly(make: Callable[[Path], Path], tmp_path: Path) -> None:
    path = make(tmp_path)
    start = time.process_time()
    with pytest.raises(HsiGeoError) as raised:
        open_scene(path)
    assert raised.value.hint
    assert "METADATA.XML" in raised.value.message
    assert time.process_time() - start < 5.0


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("a.json", ("--shots", "shots.gpkg", "--classes", "a.json")),
        ("a.nm", ("--wavelengths", "a.nm")),
        ("scene.stac.json", ()),
        ("shots.qml", ("--shots", "shots.gpkg")),
    ],
)
def test_a_huge_text_is_refused(
    name: str, arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import geopandas as gpd
    import shapely

    monkeypatch.chdir(tmp_path)
    write_tif(Path("scene.tif"), cube_of(3), band_tags=nm_tags(CENTRES[:3]))
    points = shapely.points([383480.0, 383520.0], 5818260.0)
    gpd.GeoDataFrame({"class": ["a", "b"]}, geometry=points, crs=32633).to_file("shots.gpkg")
    with Path(name).open("wb") as file:
        file.truncate(10 << 30)
    result = run("info", "scene.tif", *arguments)
    assert result.exit_code == 1
    assert "a text of 10,240 MiB, and none of more than 64 MiB is read; " in result.stderr


@pytest.mark.parametrize("name", ["a.json", "scene.stac.json", "tiles.json"])
def test_deeply_nested_json_gives_an_error_message(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_tif(Path("scene.tif"), cube_of(3), band_tags=nm_tags(CENTRES[:3]))
    Path(name).write_text("[" * 200_000)
    if name == "tiles.json":
        result = run("batch", name, "--model", "none", "-o", "maps")
        assert result.exit_code == 1
        assert "unexpected" not in result.stderr
    else:
        assert run("info", "scene.tif").exit_code == 0


# HDF5 and Zarr --------------------------------------------------------------------------------


def deep(folder: Path) -> Path:
    with h5py.File(folder / "a.h5", "w") as file:
        group: h5py.Group = file
        for _ in range(1500):
            group = group.create_group("g")
    return folder / "a.h5"


def many(folder: Path) -> Path:
    with h5py.File(folder / "a.h5", "w", libver="latest") as file:
        for number in range(501):
            file.create_group(str(number))
    return folder / "a.h5"


def secret(folder: Path) -> Path:
    path = folder / "secret"
    path.write_bytes(cube_of(3).tobytes())
    return path


def external(folder: Path) -> Path:
    with h5py.File(folder / "a.h5", "w") as file:
        parts = [(str(secret(folder)), 0, h5py.h5f.UNLIMITED)]
        file.create_dataset("reflectance", (3, 5, 7), "i2", external=parts)
        file["wavelength"] = CENTRES[:3]
    return folder / "a.h5"


def linked(folder: Path) -> Path:
    with h5py.File(folder / "b.h5", "w") as file:
        file["cube"] = cube_of(3)
    with h5py.File(folder / "a.h5", "w") as file:
        file["reflectance"] = h5py.ExternalLink("b.h5", "cube")
    return folder / "a.h5"


def virtual(folder: Path) -> Path:
    linked(folder)
    layout = h5py.VirtualLayout((3, 5, 7), "i2")
    layout[:] = h5py.VirtualSource("b.h5", "cube", (3, 5, 7))
    with h5py.File(folder / "a.h5", "w") as file:
        file.create_virtual_dataset("reflectance", layout)
    return folder / "a.h5"


@pytest.mark.parametrize("make", [deep, many, external, linked, virtual])
@pytest.mark.parametrize("spelt", ["{}", "HDF5:{}://reflectance", 'HDF5:"{}"://reflectance'])
def test_hdf5_with_many_groups_or_external_values_is_refused_quickly(
    make: Callable[[Path], Path],
    spelt: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = make(tmp_path)
    monkeypatch.setattr("hsi_geo.io.files.hdf5_files.STORED_OBJECTS", 500)
    start = time.process_time()
    with pytest.raises(HsiGeoError, match=r"from another file|nested 32 deep, or more than"):
        open_scene(spelt.format(path))
    assert time.process_time() - start < 5.0


@pytest.mark.parametrize("make", [deep, many, external, linked, virtual])
@pytest.mark.parametrize("block", [512, 1024, 65536])
def test_hdf5_after_a_user_block_is_checked(
    make: Callable[[Path], Path], block: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The signature of HDF5 comes at byte 0, 512, 1024, ..."""
    original = h5py.File
    monkeypatch.setattr(
        h5py,
        "File",
        lambda path, mode, **options: original(
            path, mode, **options, **({"userblock_size": block} if mode == "w" else {})
        ),
    )
    path = make(tmp_path)
    assert not path.read_bytes().startswith(b"\x89HDF")
    monkeypatch.setattr("hsi_geo.io.files.hdf5_files.STORED_OBJECTS", 500)
    for name in (str(path), f"HDF5:{path}://reflectance"):
        with pytest.raises(HsiGeoError, match=r"from another file|nested 32 deep, or more than"):
            open_scene(name)


@pytest.mark.parametrize("make", [deep, many, external, linked, virtual])
@pytest.mark.parametrize("suffix", [".vrt", ".tif"])
@pytest.mark.parametrize("named", ["{}", 'HDF5:"{}"://reflectance', "NETCDF:{}:reflectance"])
def test_hdf5_in_a_virtual_raster_is_checked(
    make: Callable[[Path], Path],
    named: str,
    suffix: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = make(tmp_path)
    monkeypatch.setattr("hsi_geo.io.files.hdf5_files.STORED_OBJECTS", 500)
    virtual_raster = tmp_path / f"scene{suffix}"
    virtual_raster.write_text(
        '<VRTDataset rasterXSize="7" rasterYSize="5"><VRTRasterBand dataType="Int16" band="1">'
        f'<SimpleSource><SourceFilename relativeToVRT="0">{named.format(path)}</SourceFilename>'
        "<SourceBand>1</SourceBand></SimpleSource></VRTRasterBand></VRTDataset>"
    )
    reasons = r"from another file|nested 32 deep, or more than"
    with pytest.raises(SceneError, match=reasons):
        open_scene(virtual_raster, wavelengths="index")
    with pytest.raises(ShotsError, match=reasons):
        read_shots(virtual_raster)
    with pytest.raises(MapError, match=reasons):
        read_map(virtual_raster)


def test_cyclic_groups_are_not_refused_as_nested(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        group = file.create_group("a")
        group["up"] = file
        group["soft"] = h5py.SoftLink("/nowhere")
    with pytest.raises(HsiGeoError) as raised:
        open_scene(tmp_path / "a.h5")
    assert "nested" not in raised.value.message


def test_a_zarr_store_of_nested_groups_is_refused(tmp_path: Path) -> None:
    zarr.open_group(tmp_path / "a.zarr", mode="w")
    node = tmp_path / "a.zarr"
    text = (node / "zarr.json").read_text()
    for _ in range(200):
        node = node / "g"
        node.mkdir()
        (node / "zarr.json").write_text(text)
    with pytest.raises(HsiGeoError, match="nested 32 deep"):
        open_scene(tmp_path / "a.zarr")
