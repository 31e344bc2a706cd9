"""No output replaces or removes a file that the job reads, however it is spelt, or one of others."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from builders import CENTRES, cube_of, nm_tags, write_envi, write_tif
from class_map_cases import random_probabilities, write_map

from hsi_geo.errors import OptionError
from hsi_geo.io.maps.record import find_stale_files
from hsi_geo.io.maps.writer import MapPaths
from hsi_geo.io.outputs.atomic import atomic_outputs
from hsi_geo.io.outputs.inputs import refuse_input_overwrite


def scene(path: Path) -> Path:
    return write_tif(path, cube_of(4), band_tags=nm_tags(CENTRES))


def vrt(path: Path, *sources: str, relative: bool = True) -> Path:
    bands = "".join(
        f'<VRTRasterBand dataType="Int16" band="{band}"><SimpleSource>'
        f'<SourceFilename relativeToVRT="{int(relative)}">{source}</SourceFilename>'
        f"<SourceBand>1</SourceBand></SimpleSource></VRTRasterBand>"
        for band, source in enumerate(sources, start=1)
    )
    path.write_text(f'<VRTDataset rasterXSize="7" rasterYSize="5">{bands}</VRTDataset>')
    return path


def hard_link(folder: Path) -> tuple[str, str]:
    os.link(scene(folder / "s.tif"), folder / "linked.tif")
    return "s.tif", "linked.tif"


def link_to_output(folder: Path) -> tuple[str, str]:
    scene(folder / "real.tif")
    (folder / "s.tif").symlink_to("real.tif")
    return "s.tif", "real.tif"


def link_from_output(folder: Path) -> tuple[str, str]:
    scene(folder / "s.tif")
    (folder / "out.tif").symlink_to("s.tif")
    return "s.tif", "out.tif"


def linked_folder(folder: Path) -> tuple[str, str]:
    scene(folder / "s.tif")
    (folder / "same").symlink_to(folder)
    return "s.tif", "same/s.tif"


def source_of_a_mosaic(folder: Path) -> tuple[str, str]:
    scene(folder / "part.tif")
    vrt(folder / "s.vrt", "part.tif")
    return "s.vrt", "part.tif"


def absolute_source(folder: Path) -> tuple[str, str]:
    vrt(folder / "s.vrt", str(scene(folder / "part.tif")), relative=False)
    return "s.vrt", "part.tif"


def source_of_a_mosaic_of_mosaics(folder: Path) -> tuple[str, str]:
    (folder / "inner").mkdir()
    scene(folder / "inner" / "part.tif")
    vrt(folder / "inner" / "i.vrt", "part.tif")
    vrt(folder / "s.vrt", "inner/i.vrt")
    return "s.vrt", "inner/part.tif"


def mosaic_called_tif(folder: Path) -> tuple[str, str]:
    scene(folder / "part.tif")
    vrt(folder / "s.tif", "part.tif")
    return "s.tif", "part.tif"


def source_by_gdals_name(folder: Path) -> tuple[str, str]:
    scene(folder / "part.tif")
    vrt(folder / "s.vrt", f"GTIFF_DIR:1:{folder / 'part.tif'}", relative=False)
    return "s.vrt", "part.tif"


def mask_of_the_mosaics_source(folder: Path) -> tuple[str, str]:
    scene(folder / "part.tif")
    (folder / "part.tif.msk").write_bytes(b"mask")
    vrt(folder / "s.vrt", "part.tif")
    return "s.vrt", "part.tif.msk"


def part_of(prefix: str) -> Callable[[Path], tuple[str, str]]:
    def make(folder: Path) -> tuple[str, str]:
        scene(folder / "s.tif")
        return prefix.format(folder=folder), "s.tif"

    return make


def archive(folder: Path) -> tuple[str, str]:
    with zipfile.ZipFile(folder / "s.zip", "w") as file:
        file.write(scene(folder / "x.tif"), "x.tif")
    return f"/vsizip/{folder}/s.zip/x.tif", "s.zip"


def braced_archive(folder: Path) -> tuple[str, str]:
    archive(folder)
    return f"/vsizip/{{{folder}/s.zip}}/x.tif", "s.zip"


def beside(suffix: str, of: str = "s.tif") -> Callable[[Path], tuple[str, str]]:
    def make(folder: Path) -> tuple[str, str]:
        (scene if of.endswith(".tif") else Path.touch)(folder / of)
        (folder / f"s{suffix}").write_bytes(b"x")
        return of, f"s{suffix}"

    return make


def cube_of_a_header(folder: Path) -> tuple[str, str]:
    write_envi(folder / "s.bsq", cube_of(4))
    return "s.hdr", "s.bsq"


def header_of_a_cube(folder: Path) -> tuple[str, str]:
    write_envi(folder / "s.bsq", cube_of(4), header=folder / "s.bsq.hdr")
    return "s.bsq", "s.bsq.hdr"


def file_of_a_store(folder: Path) -> tuple[str, str]:
    (folder / "s.zarr" / "reflectance").mkdir(parents=True)
    (folder / "s.zarr" / "reflectance" / "zarr.json").write_text("{}")
    return "s.zarr", "s.zarr/reflectance/zarr.json"


def product(folder: Path) -> str:
    names = ("METADATA.XML", "SPECTRAL_IMAGE.TIF", "QL_QUALITY_CLOUD.TIF")
    for name in names:
        (folder / f"ENMAP01-L2A-{name}").write_bytes(b"x")
    return "ENMAP01-L2A-METADATA.XML"


def file_of_a_product(folder: Path) -> tuple[str, str]:
    return product(folder), "ENMAP01-L2A-QL_QUALITY_CLOUD.TIF"


def file_of_a_products_folder(folder: Path) -> tuple[str, str]:
    product(folder)
    return ".", "ENMAP01-L2A-SPECTRAL_IMAGE.TIF"


def index_of_a_statistics_file(folder: Path) -> tuple[str, str]:
    scene(folder / "s.tif")
    (folder / "s.tif.aux.xml").write_text(
        '<PAMDataset><Metadata><MDI key="OVERVIEW_FILE">small.tif</MDI></Metadata></PAMDataset>'
    )
    (folder / "small.tif").write_bytes(b"x")
    return "s.tif", "small.tif"


READ = {
    "itself": lambda folder: (str(scene(folder / "s.tif")), "s.tif"),
    "a hard link": hard_link,
    "what a link leads to": link_to_output,
    "a link to it": link_from_output,
    "through a linked folder": linked_folder,
    "a source": source_of_a_mosaic,
    "an absolute source": absolute_source,
    "a source of a source": source_of_a_mosaic_of_mosaics,
    "a source of a mosaic called .tif": mosaic_called_tif,
    "a source by GDAL's name": source_by_gdals_name,
    "the mask of a source": mask_of_the_mosaics_source,
    "GTIFF_DIR": part_of("GTIFF_DIR:1:s.tif"),
    "GTIFF_DIR, absolute": part_of("GTIFF_DIR:1:{folder}/s.tif"),
    "quoted": part_of('NETCDF:"{folder}/s.tif":band'),
    "vrt://": part_of("vrt://{folder}/s.tif?bands=1,2"),
    "derived": part_of("DERIVED_SUBDATASET:LOGAMPLITUDE:s.tif"),
    "/vsisubfile/": part_of("/vsisubfile/10_20,{folder}/s.tif"),
    "/vsigzip/": part_of("/vsigzip/{folder}/s.tif"),
    "an archive": archive,
    "an archive in braces": braced_archive,
    "statistics": beside(".tif.aux.xml"),
    "pyramids": beside(".tif.ovr"),
    "a mask": beside(".tif.msk"),
    "a header of a GeoTIFF": beside(".hdr"),
    "a world file": beside(".tfw"),
    "a style": beside(".qml", "s.gpkg"),
    "a table": beside(".dbf", "s.shp"),
    "an index": beside(".shx", "s.shp"),
    "a projection": beside(".prj", "s.shp"),
    "an encoding": beside(".cpg", "s.shp"),
    "a table of points' projection": beside(".prj", "s.csv"),
    "what SQLite has not merged": beside(".gpkg-wal", "s.gpkg"),
    "the cube of a header": cube_of_a_header,
    "the header of a cube": header_of_a_cube,
    "a file of a store": file_of_a_store,
    "a file of a product": file_of_a_product,
    "a file of a product's folder": file_of_a_products_folder,
    "pyramids that statistics name": index_of_a_statistics_file,
}


@pytest.mark.parametrize("case", READ)
def test_input_cannot_be_an_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    monkeypatch.chdir(tmp_path)
    name, output = READ[case](tmp_path)
    with pytest.raises(OptionError, match=r"would replace what it is made from.*; choose another"):
        refuse_input_overwrite([tmp_path / output], [name])
    with (
        pytest.raises(OptionError, match="would replace"),
        atomic_outputs([tmp_path / output], overwrite=True, inputs=["other", None, name]),
    ):
        pytest.fail("not reached")


@pytest.mark.parametrize("case", READ)
def test_other_files_beside_it_are_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    monkeypatch.chdir(tmp_path)
    name, _ = READ[case](tmp_path)
    for output in ("s_classes.tif", "s_classes.json", "model.safetensors", "s_report.html"):
        (tmp_path / output).write_text("there")
        refuse_input_overwrite([tmp_path / output], [name])


def test_missing_style_is_no_input(tmp_path: Path) -> None:
    (tmp_path / "a.gpkg").touch()
    refuse_input_overwrite(MapPaths.of(tmp_path / "a.tif").all, [tmp_path / "a.gpkg"])
    (tmp_path / "a.qml").write_text("mine")
    with pytest.raises(OptionError, match=r"a\.qml' would replace"):
        refuse_input_overwrite(MapPaths.of(tmp_path / "a.tif").all, [tmp_path / "a.gpkg"])


def test_outputs_beside_an_input_may_be_replaced(tmp_path: Path) -> None:
    """The same command again, of shots and a map of one name, or into a product's folder."""
    (tmp_path / "a.gpkg").touch()
    paths = write_map(MapPaths.of(tmp_path / "a.tif"), random_probabilities())
    refuse_input_overwrite(paths.all, [tmp_path / "a.gpkg"])
    product(tmp_path)
    own = write_map(
        MapPaths.of(tmp_path / "ENMAP01-L2A-METADATA_classes.tif"), random_probabilities()
    )
    refuse_input_overwrite(own.all, [tmp_path / "ENMAP01-L2A-METADATA.XML"])
    refuse_input_overwrite(own.all, [tmp_path])
    paths.style.write_text("changed by hand")
    with pytest.raises(OptionError, match=r"a\.qml' would replace"):
        refuse_input_overwrite(paths.all, [tmp_path / "a.gpkg"])


@pytest.mark.parametrize(
    ("made", "read", "out", "refused"),
    [
        ("m.tif", "m.tif", "m.tiff", True),
        ("m.tiff", "m.tiff", "m.tif", True),
        ("m.tif", "m.gpkg", "m.tiff", True),  # the style beside the shots is that of m.tif
        ("m.tif", "m.gpkg", "m.tif", False),
        ("m.tiff", "m.gpkg", "m.tiff", False),
        ("m.tif", "other.tif", "m.tiff", False),
    ],
)
def test_the_record_of_a_map_is_replaced_with_it_only(
    tmp_path: Path, made: str, read: str, out: str, refused: bool
) -> None:
    """Maps that end in .tif and .tiff have the same names of styles and records."""
    (tmp_path / "m.gpkg").touch()
    write_map(MapPaths.of(tmp_path / made), random_probabilities())
    outputs = MapPaths.of(tmp_path / out).all
    if not refused:
        refuse_input_overwrite(outputs, [tmp_path / read])
        return
    with pytest.raises(OptionError, match=r"m\.(qml|json)' would replace"):
        refuse_input_overwrite(outputs, [tmp_path / read])


def test_input_written_by_hsi_geo_is_kept(tmp_path: Path) -> None:
    paths = MapPaths.of(tmp_path / "m.tif", confidence=True)
    write_map(paths, random_probabilities())
    assert paths.confidence is not None
    now = MapPaths.of(tmp_path / "m.tif")
    stale = find_stale_files(now)
    assert stale == [paths.confidence]
    with atomic_outputs(now.all, overwrite=True, stale=stale, inputs=[paths.confidence]) as where:
        write_map(now.moved(where), random_probabilities(seed=5))
    assert paths.confidence.exists()


@pytest.mark.parametrize("change", ["append", "same size", "no record", "another's record"])
def test_only_files_in_the_record_are_removed(tmp_path: Path, change: str) -> None:
    paths = MapPaths.of(tmp_path / "m.tif", confidence=True)
    write_map(paths, random_probabilities())
    assert paths.confidence is not None
    content = paths.confidence.read_bytes()
    match change:
        case "append":
            paths.confidence.write_bytes(content + b"x")
        case "same size":
            paths.confidence.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        case "no record":
            paths.record.unlink()
        case _:
            paths.record.write_text(json.dumps({"files": {"confidence": True, "map": [1]}}))
    assert find_stale_files(MapPaths.of(tmp_path / "m.tif")) == []


def test_two_outputs_of_one_name_are_refused(tmp_path: Path) -> None:
    with (
        pytest.raises(OptionError, match=r"two files would be written as .*w\.csv"),
        atomic_outputs(
            [tmp_path / "w.csv", tmp_path / "w.png", tmp_path / "w.csv"], overwrite=True
        ),
    ):
        pytest.fail("not reached")
