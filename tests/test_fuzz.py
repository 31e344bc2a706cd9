"""Any input file gives a result or an `HsiGeoError`, and never another exception."""

from __future__ import annotations

import json
import math
import re
import warnings
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import urlsplit

import geopandas as gpd
import numpy as np
import pytest
import shapely
from affine import Affine
from builders import NORTH_UP, cube_of, write_tif
from fuzzing import fuzz, open_and_check, result_or_error
from hypothesis import example, given
from hypothesis import strategies as st
from pyproj import CRS

from hsi_geo.errors import HsiGeoError
from hsi_geo.io.files import redirects
from hsi_geo.io.files.redirects import _absolute
from hsi_geo.io.labels.aoi import read_area
from hsi_geo.io.labels.shot_pixels import burn
from hsi_geo.io.labels.shot_reading import read_shots
from hsi_geo.io.labels.shots import make_shots
from hsi_geo.io.maps.class_styles import aux_xml
from hsi_geo.io.scenes.properties import grid_of, require_upright
from hsi_geo.io.scenes.scene import open_scene
from hsi_geo.io.scenes.tile_list import list_tiles
from hsi_geo.io.scenes.windows import read_window
from hsi_geo.tiling import Grid, Window

#: Words that parsers may fail on.
ODD = st.sampled_from(
    [
        "", " ", "{}", "{", "}", "{{}}", "nan", "inf", "-inf", "-1", "0", "1e400", "0x10", "1,2",
        "{1, 2", "{,}", "{1;2;3}", "= =", "\x00", "\udcff", "é", "Ω", "None", "true", "1_000",
        "99999999999999999999", "9" * 400, "{" + "1, " * 50 + "}",
    ]
)  # fmt: skip
NUMBERS = st.floats(allow_nan=True, allow_infinity=True, width=64).map(repr)
LISTS = st.lists(st.one_of(NUMBERS, st.sampled_from(["462", "0.55", "x"])), max_size=5).map(
    lambda words: "{" + ", ".join(words) + "}"
)
VALUES = st.one_of(ODD, NUMBERS, LISTS, st.text(max_size=12))


# Headers --------------------------------------------------------------------------------------

HEADER: dict[str, Any] = {
    "samples": st.sampled_from(["7", "0", "-7", "100000"]),
    "lines": st.sampled_from(["5", "0", "2147483648"]),
    "bands": st.sampled_from(["3", "0", "70000"]),
    "header offset": st.sampled_from(["0", "9", "-4"]),
    "data type": st.sampled_from(["2", "1", "4", "5", "6", "12", "15", "77"]),
    "interleave": st.sampled_from(["bsq", "bil", "bip", "BSQ", "zip"]),
    "byte order": st.sampled_from(["0", "1", "2"]),
    "map info": st.sampled_from(
        [
            "{UTM, 1, 1, 383472.5, 5818302.25, 30, 20, 33, North, WGS-84, units=Meters}",
            "{UTM, 1, 1, 383472.5, 5818302.25, 0, 0, 33, North, WGS-84}",
            "{Arbitrary, 1, 1, 0, 0, 1, 1}",
            "{UTM, 1, 1, nan, inf, 30, 20, 99, North, WGS-84, rotation=45}",
            "{}",
        ]
    ),
    "coordinate system string": st.sampled_from(['{PROJCS["x"]}', "{}", "{EPSG:4326}"]),
    "wavelength units": st.sampled_from(["Nanometers", "um", "Index", "Wavenumber", "furlongs"]),
    "wavelength": st.sampled_from(
        [
            "{462, 551.5, 640.25}",
            "{462, 462, 462}",
            "{0, 0, 0}",
            "{0.462, 0.5515, 0.64025}",
            "{4620, 5515, 6402.5}",
            "{21645, 18132, 15619}",
            "{462000, 551500, 640250}",
            "{1, 2, 3}",
        ]
    ),
    "fwhm": st.sampled_from(
        ["{6, 6, 6}", "{0, -1, 6}", "{0.006, 0.006, 0.006}", "{6000}", "{6, 6}"]
    ),
    "bbl": st.sampled_from(
        ["{1, 0, 1}", "{0, 0, 0}", "{True, False, True}", "{1; 0; 1}", "(good bad good)", "{1, 0}"]
    ),
    "bad bands list": st.sampled_from(["{1, 0, 1}", "{2}", "{1-2}", "{7}", "{yes, no, maybe}"]),
    "good bands": st.sampled_from(["{1, 3}", "{0, 1, 0}", "{3-1}"]),
    "data ignore value": st.sampled_from(["-99", "nan", "1e39"]),
    "data gain values": st.sampled_from(["{1, 2, 3}", "{0, 0, 0}"]),
    "reflectance scale factor": st.sampled_from(["10000", "0", "-1"]),
    "file compression": st.sampled_from(["0", "1"]),
    "band names": st.sampled_from(["{a, b, c}", "{1 nm, 2 nm}"]),
}


@st.composite
def headers(draw: st.DrawFn) -> str:
    """A valid header with one to four wrong values, with its lines in any order."""
    sound = {"samples": "7", "lines": "5", "bands": "3", "data type": "2", "interleave": "bsq"}
    sound |= {"header offset": "0", "byte order": "0", "wavelength": "{462, 551.5, 640.25}"}
    for key in draw(st.lists(st.sampled_from(sorted(HEADER)), min_size=1, max_size=4)):
        sound[key] = draw(st.one_of(HEADER[key], VALUES))
    lines = [f"{key} = {value}" for key, value in sound.items()]
    lines += draw(st.lists(VALUES, max_size=2))
    first = draw(st.sampled_from(["ENVI", "ENVI", "ENVI", "envi", ""]))
    return "\n".join([first, *draw(st.permutations(lines))])


@fuzz
@given(text=headers(), size=st.sampled_from([210, 210, 210, 1000, 100, 0]))
def test_any_envi_header(tmp_path: Path, text: str, size: int) -> None:
    cube = tmp_path / "cube.bsq"
    cube.write_bytes(cube_of(3).tobytes().ljust(size, b"\1")[:size])
    cube.with_suffix(".hdr").write_bytes(text.encode("utf-8", "surrogatepass"))
    result_or_error(lambda: open_and_check(cube))


@fuzz
@example(text="ENVI\nwavelength = {462, 551.5, 640.25}\ndata gain values = {3e36}")
@given(
    text=st.one_of(headers(), st.text(max_size=40), VALUES.map(lambda v: f"ENVI\nwavelength={v}"))
)
def test_any_header_beside_a_geotiff(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.tif"
    if not path.exists():
        write_tif(path, cube_of(3))
    path.with_suffix(".hdr").write_bytes(text.encode("utf-8", "surrogatepass"))
    result_or_error(lambda: open_and_check(path))


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(
            st.sampled_from(["center_wavelength", "full_width_half_max", "wavelength", "bbl", "x"]),
            inner,
        ),
    ),
    max_leaves=12,
)


@fuzz
@given(bands=JSON, envi=JSON, cut=st.integers(0, 3))
def test_any_stac_item_beside_a_geotiff(tmp_path: Path, bands: Any, envi: Any, cut: int) -> None:
    path = tmp_path / "a.tif"
    if not path.exists():
        write_tif(path, cube_of(3))
    item = json.dumps({"properties": {"eo:bands": bands, "envi:metadata": envi}})
    path.with_suffix(".stac.json").write_text(item[: len(item) - cut])
    result_or_error(lambda: open_and_check(path))


ASSET = st.sampled_from(
    [
        *("href", "roles", "title", "eo:bands", "bands", "raster:bands", "nodata", "raster:scale"),
        *("classification:bitfields", "classification:classes", "name", "offset", "length"),
        *("value", "center_wavelength", "scale"),
    ]
)
PARTS = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.floats(),
        st.integers(),
        st.sampled_from(
            ["a.tif", "m.tif", "..", "cloud", "data-mask", "\x00", "http://127.0.0.1:9/a"]
        ),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(ASSET, inner)),
    max_leaves=16,
)


@fuzz
@given(image=PARTS, mask=st.dictionaries(ASSET, PARTS), beside=st.booleans())
@pytest.mark.slow
def test_any_assets_of_a_stac_item(tmp_path: Path, image: Any, mask: Any, beside: bool) -> None:
    if not (tmp_path / "a.tif").exists():
        write_tif(tmp_path / "a.tif", cube_of(3))
        write_tif(tmp_path / "m.tif", cube_of(1).astype("uint8"))
    assets = {"data": {"href": "a.tif", "eo:bands": image}, "mask": {"href": "m.tif", **mask}}
    item = {"properties": {"platform": image}, "assets": assets}
    path = tmp_path / "item.json"
    path.write_text(json.dumps(item))
    result_or_error(lambda: open_and_check(tmp_path / "a.tif" if beside else path, "400:900"))


@fuzz
@given(
    content=st.dictionaries(
        st.sampled_from(["type", "features", "links", "properties", "assets", "id"]),
        st.one_of(
            PARTS, st.sampled_from(["FeatureCollection", "Feature", "Collection", "Catalog"])
        ),
    ),
    features=st.lists(st.dictionaries(st.sampled_from(["id", "properties", "assets"]), PARTS)),
    member=st.sampled_from(["", "#", "#a", "#None"]),
)
@pytest.mark.slow
def test_any_items_of_a_collection(
    tmp_path: Path, content: Any, features: list[Any], member: str
) -> None:
    path = tmp_path / "items.json"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features, **content}))
    result_or_error(lambda: open_scene(f"{path}{member}", wavelengths="400:900"))
    result_or_error(lambda: list_tiles([path], lambda _: None))


@fuzz
@given(
    location=st.one_of(
        st.text(max_size=40),
        st.text(st.sampled_from("hft:/\\\\@#?.%[]0127localhost "), max_size=40),
        st.sampled_from(["//a.org@b.org/", "https://a.org\\@b.org", "HTTPS://A.ORG:443/x"]),
    )
)
def test_any_redirect_stays_on_its_host(location: str) -> None:
    """By whatever program its address is read."""
    seen = {"https://a.org/b": _absolute("https://a.org/b", location)}

    def final() -> str:
        with mock.patch.object(redirects, "_redirect_of", seen.get):
            return redirects.final_link("https://a.org/b")

    try:
        found = final()
    except HsiGeoError:
        return
    assert re.match(r"https://a\.org(:443)?([/?#]|$)", found, re.IGNORECASE)
    assert "\\" not in found
    assert "@" not in urlsplit(found).netloc


@fuzz
@given(
    option=st.one_of(
        st.text(max_size=30),
        st.lists(st.sampled_from(["auto", "none", "clouds", "water", "", " "])).map(",".join),
    )
)
def test_any_mask_option(tmp_path: Path, option: str) -> None:
    path = tmp_path / "a.tif"
    if not path.exists():
        write_tif(path, cube_of(3), band_tags=[{"wavelength": str(nm)} for nm in (462, 551, 640)])
    result_or_error(lambda: open_scene(path, mask=option).load())


LIBRARY_ENDINGS = st.sampled_from([".csv", ".asd", ".sig", ".sli", ".geojson", ".json", ".txt"])


@fuzz
@given(
    ending=LIBRARY_ENDINGS,
    content=st.one_of(
        st.binary(max_size=700),
        VALUES.map(
            lambda text: f"name,class,{text},500,600,700,800\n1,a,1,2,3,4,5".encode(
                "utf-8", "replace"
            )
        ),
        VALUES.map(
            lambda text: f"Wavelength,a,b\n{text},1,2\n500,{text},3".encode("utf-8", "replace")
        ),
        st.binary(min_size=300, max_size=300).map(lambda tail: b"as7" + bytes(183) + tail * 3),
        VALUES.map(lambda text: f"data=\n400 1 1 {text}\n500 1 1 20".encode("utf-8", "replace")),
    ),
)
def test_any_library(tmp_path: Path, ending: str, content: bytes) -> None:
    path = tmp_path / f"library{ending}"
    path.write_bytes(content)
    (tmp_path / "library.hdr").write_text("ENVI\nsamples = 3\nlines = 2\ndata type = 4\n")
    result_or_error(lambda: read_shots(path))
    path.unlink()


# Masks and side files --------------------------------------------------------------------------


@fuzz
@given(data=st.data())
def test_any_mask_of_a_geotiff(tmp_path: Path, data: st.DataObject) -> None:
    """Exactly the pixels that GDAL masks are missing."""
    import rasterio

    path = tmp_path / "a.tif"
    path.unlink(missing_ok=True)
    path.with_name("a.tif.msk").unlink(missing_ok=True)
    values = np.where(cube_of(3) == 0, 1, cube_of(3)).astype("int16")
    shape = values.shape[1:]
    size = shape[0] * shape[1]
    mask = data.draw(st.lists(st.sampled_from([0, 255]), min_size=size, max_size=size))
    valid = np.array(mask, "uint8").reshape(shape)
    internal = data.draw(st.booleans())
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=internal),
        rasterio.open(
            path, "w", driver="GTiff", height=shape[0], width=shape[1], count=3, dtype="int16",
            crs=UTM.to_wkt(), transform=NORTH_UP,
        ) as file,
    ):  # fmt: skip
        file.write(values)
        file.write_mask(valid)
    scene = open_scene(path, wavelengths="400:900")
    _, found = read_window(scene, Window(0, 0, *shape))
    assert (found == (valid > 0)).all()


SIDE_FILES = st.sampled_from(
    [
        "a.tif.aux.xml",
        "a.tif.msk",
        "a.tif.ovr",
        "a.tfw",
        "a.hdr",
        "a.stac.json",
        "a.tif.xml",
        "a.prj",
    ]
)


@fuzz
@given(
    name=SIDE_FILES,
    content=st.one_of(
        st.binary(max_size=60),
        ODD.map(lambda text: text.encode("utf-8", "surrogatepass")),
        st.sampled_from(
            [
                b"<PAMDataset><SRS>EPSG:4326</SRS></PAMDataset>",
                b"<PAMDataset><GeoTransform>nan, 1, 0, inf, 0, -1</GeoTransform></PAMDataset>",
                b"<PAMDataset><Metadata><MDI key='wavelength'>{1,2,3}</MDI></Metadata></PAMDataset>",
                b"<PAMDataset><PAMRasterBand band='9'><NoDataValue>x</NoDataValue></PAMRasterBand>",
                b"1\n0\n0\n-1\n5\n",
                b"II*\0",
            ]
        ),
    ),
)
@pytest.mark.slow
def test_any_side_file_of_a_geotiff(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / "a.tif"
    for old in tmp_path.iterdir():
        old.unlink()
    write_tif(path, cube_of(3), band_tags=[{"wavelength": str(nm)} for nm in (462, 551, 640)])
    (tmp_path / name).write_bytes(content)
    result_or_error(lambda: open_and_check(path))


# Wavelengths ----------------------------------------------------------------------------------

PLAIN = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=12)


@fuzz
@given(data=st.data())
def test_any_wavelength_tags(tmp_path: Path, data: st.DataObject) -> None:
    def text() -> str:
        return data.draw(st.one_of(NUMBERS, LISTS, PLAIN)).replace("\x00", "")

    keys = st.sampled_from(["wavelength", "wavelengths", "wavelength_units", "fwhm", "bbl"])
    path = write_tif(
        tmp_path / "a.tif",
        cube_of(3),
        tags={data.draw(keys): text()},
        band_tags=[{data.draw(keys): text()} for _ in range(3)],
        imagery=[{"CENTRAL_WAVELENGTH_UM": text()} for _ in range(data.draw(st.integers(0, 3)))],
        names=[text() for _ in range(3)],
    )
    result_or_error(lambda: open_and_check(path))


@fuzz
@given(
    option=st.one_of(st.text(max_size=30), st.from_regex(r"\A-?[0-9.e+]{0,6}:[0-9.e+na]{0,6}\Z"))
)
def test_any_wavelength_option(tmp_path: Path, option: str) -> None:
    path = tmp_path / "a.tif"
    if not path.exists():
        write_tif(path, cube_of(3))
    result_or_error(lambda: open_and_check(path, option))


@fuzz
@given(
    content=st.one_of(
        st.binary(max_size=40), st.lists(NUMBERS, max_size=4).map(lambda n: "\n".join(n).encode())
    )
)
@example(content=b"0\n0\n2e305")  # beyond all numbers once it is in nm
def test_any_wavelength_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.tif"
    if not path.exists():
        write_tif(path, cube_of(3))
    (tmp_path / "nm.txt").write_bytes(content)
    result_or_error(lambda: open_and_check(path, str(tmp_path / "nm.txt")))


@fuzz
@given(name=st.text(max_size=300))
def test_any_name(name: str) -> None:
    result_or_error(lambda: read_shots(name))
    result_or_error(lambda: open_scene(name))


@fuzz
@given(names=st.lists(st.text(max_size=20), min_size=4, max_size=4))
def test_any_class_names(tmp_path: Path, names: list[str]) -> None:
    """A class table holds names that XML and GDAL can store, and each class once."""
    places = gpd.GeoSeries(shapely.points([(x, x) for x in range(4)]), crs=UTM)

    def attempt() -> None:
        classes = make_shots(places, names).classes
        root = ET.fromstring(aux_xml(classes))
        written = [entry.text or "" for entry in root.iter("Category")][1:]
        assert written == [c.name for c in classes]
        assert len({c.name for c in classes}) == len(classes)

    result_or_error(attempt)


# Geometries -----------------------------------------------------------------------------------

UTM = CRS.from_epsg(32633)
CLOSE = st.floats(-5, 25)
COORDINATES = st.one_of(
    CLOSE,
    CLOSE,
    CLOSE,
    st.sampled_from([0.0, 12.0, 17.0, math.nan, math.inf, 1e300, -1e18, 5e-324]),
)
SPOT = st.tuples(COORDINATES, COORDINATES)

#: NaN does not equal itself: a ring that began with it could not be closed.
RING = st.tuples(st.tuples(CLOSE, CLOSE), st.lists(SPOT, min_size=2, max_size=6)).map(
    lambda parts: [parts[0], *parts[1]]
)


@st.composite
def shapes(draw: st.DrawFn) -> Any:
    """Geometries of every kind around a grid of 12 x 17 pixels: crossed, flat, empty, far, 3-D."""
    kind = draw(st.sampled_from(["Point", "LineString", "Polygon", "Multi", "Collection", "None"]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # NaN among the coordinates
        if kind == "Point":
            return draw(st.one_of(SPOT.map(shapely.Point), st.just(shapely.Point())))
        if kind == "LineString":
            return shapely.LineString(draw(st.lists(SPOT, min_size=2, max_size=5)))
        if kind == "Polygon":
            ring, hole = draw(RING), draw(st.lists(RING, max_size=1))
            return shapely.Polygon(ring, hole)
        if kind == "None":
            return draw(st.sampled_from([None, shapely.Polygon(), shapely.GeometryCollection()]))
        if kind == "Multi":
            return shapely.MultiPoint(draw(st.lists(SPOT, max_size=4)))
        return shapely.GeometryCollection(draw(st.lists(shapes(), max_size=3)))


def placed(shape: Any) -> Any:
    """From (column, row) to the coordinates of the grid."""
    if shape is None:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return shapely.transform(
            shape, lambda xy: xy * [NORTH_UP.a, NORTH_UP.e] + [NORTH_UP.c, NORTH_UP.f]
        )


LABELS = st.one_of(
    st.lists(st.sampled_from(["a", "b", " ", None]), min_size=5, max_size=5),
    st.lists(st.sampled_from([1.0, 2.0, 2.5, math.nan]), min_size=5, max_size=5),
    st.lists(st.integers(-3, 3), min_size=5, max_size=5),
)


@fuzz
@given(
    drawn=st.lists(shapes(), min_size=5, max_size=5),
    labels=LABELS,
    crs=st.sampled_from([UTM, CRS.from_epsg(4326), None]),
    all_touched=st.booleans(),
)
@pytest.mark.filterwarnings("ignore:.*crs.*:UserWarning", "ignore:invalid value:RuntimeWarning")
def test_any_shots(
    tmp_path: Path, drawn: list[Any], labels: list[Any], crs: CRS | None, all_touched: bool
) -> None:
    frame = gpd.GeoDataFrame({"class": labels}, geometry=[placed(s) for s in drawn], crs=crs)
    path = tmp_path / "shots.fgb"
    path = path.with_suffix(".gpkg")
    path.unlink(missing_ok=True)
    frame.to_file(path)

    def attempt() -> None:
        grid = Grid(12, 17, NORTH_UP, UTM)
        pixels = burn(read_shots(path, all_touched=all_touched), grid)
        assert len(pixels)
        assert ((pixels.rows >= 0) & (pixels.rows < 12)).all()
        assert ((pixels.cols >= 0) & (pixels.cols < 17)).all()
        assert len(set(zip(pixels.rows, pixels.cols, strict=True))) == len(pixels)

    result_or_error(attempt)
    result_or_error(lambda: read_area(path, Grid(12, 17, NORTH_UP, UTM)))


@fuzz
@given(
    numbers=st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=6, max_size=6),
    size=st.tuples(st.integers(1, 9), st.integers(1, 9)),
)
def test_any_grid(tmp_path: Path, numbers: list[float], size: tuple[int, int]) -> None:
    import rasterio

    path = tmp_path / "a.tif"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with rasterio.open(
            path, "w", driver="GTiff", height=size[0], width=size[1], count=2, dtype="int16",
            crs=UTM.to_wkt(), transform=Affine(*numbers),
        ) as file:  # fmt: skip
            file.write(cube_of(2, *size))

    def attempt() -> None:
        open_grid(path)

    result_or_error(attempt)


def open_grid(path: Path) -> None:
    scene = open_scene(path, wavelengths="400:900")
    require_upright(scene)
    grid = grid_of(scene)
    assert grid.origin_px
    spots = [grid.transform @ (0.5, 0.5), grid.transform @ (grid.width - 0.5, grid.height - 0.5)]
    shots = make_shots(gpd.GeoSeries(shapely.points(spots), crs=UTM), ["a", "b"])
    burn(shots, grid)
