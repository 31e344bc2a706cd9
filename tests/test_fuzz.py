"""Any input file gives a result or an `HsiGeoError`, and never another exception."""

from __future__ import annotations

import re
import warnings
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
from fuzzing import LISTS, NUMBERS, ODD, VALUES, fuzz, open_and_check, result_or_error
from hypothesis import example, given
from hypothesis import strategies as st
from shots_cases import UTM

from hsi_geo.errors import HsiGeoError
from hsi_geo.io.files import redirects
from hsi_geo.io.files.redirects import _absolute
from hsi_geo.io.labels.shot_pixels import burn
from hsi_geo.io.labels.shot_reading import read_shots
from hsi_geo.io.labels.shots import make_shots
from hsi_geo.io.scenes.properties import grid_of, require_upright
from hsi_geo.io.scenes.scene import open_scene
from hsi_geo.io.scenes.windows import read_window
from hsi_geo.tiling import Window

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


# Grids ----------------------------------------------------------------------------------------


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
