"""Rasters that GDAL opens, with wavelengths in all keys and spellings that occur."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest
import rasterio
from builders import CENTRES, cube_of, nm_tags, physical, write_envi, write_tif
from rasterio.control import GroundControlPoint
from remote_cases import running

from hsi_geo.errors import SceneError, WavelengthError
from hsi_geo.io.scenes.properties import bands_of, grid_of, require_upright
from hsi_geo.io.scenes.scene import open_scene, scene_from_array

NM = "wavelength units = Nanometers"
LISTED = "wavelength = {462, 551.5, 640.25}"


@pytest.mark.parametrize("interleave", ["bsq", "bil", "bip"])
@pytest.mark.parametrize("gzipped", [False, True])
def test_each_interleave_gives_the_same_cube(
    tmp_path: Path, interleave: str, gzipped: bool
) -> None:
    cube = cube_of(3)
    path = write_envi(
        tmp_path / "cube.img", cube, NM, LISTED, gzipped=gzipped, interleave=interleave
    )
    np.testing.assert_array_equal(open_scene(path).values, cube)


@pytest.mark.parametrize("name", ["cube", "cube.bsq", "cube.img", "cube.dat", "ang_v2_img"])
@pytest.mark.parametrize("appended", [False, True])
def test_a_header_opens_its_cube(tmp_path: Path, name: str, appended: bool) -> None:
    path = tmp_path / name
    header = Path(f"{path}.hdr") if appended else path.with_suffix(".hdr")
    write_envi(path, cube_of(3), NM, LISTED, header=header)
    scene = open_scene(header)
    np.testing.assert_array_equal(scene["wavelength"], [462.0, 551.5, 640.25])
    np.testing.assert_array_equal(scene.values, cube_of(3))


@pytest.mark.parametrize(
    "lines",
    [
        (NM, "wavelength = { 462 ,551.5,\n\n  640.25 }"),
        ("Wavelength Units = nanometers", "Wavelength = {462, 551.5, 640.25}"),
        ("wavelength units=Micrometers", "wavelength={0.462,0.5515,0.64025}"),
        ("wavelength units = Unknown", LISTED),
        ("wavelength units = ", LISTED),
        (NM, "; a comment = {1, 2}", LISTED),
        (NM, LISTED, "fwhm = {6, 6}"),
        (NM, LISTED, "bbl = {1, 1}"),
        ("band names = {blue (462 nm), green (551.5 nm), red (0.64025 um)}",),
        ("wavelength units = Index", "wavelength = {1, 2, 3}", "band names = {462nm,551.5nm,640.25nm}"),
    ],
)  # fmt: skip
def test_unusual_headers_are_read(tmp_path: Path, lines: tuple[str, ...]) -> None:
    bands = bands_of(open_scene(write_envi(tmp_path / "cube.bsq", cube_of(3), *lines)))
    np.testing.assert_allclose(bands.centres_nm, [462.0, 551.5, 640.25])
    assert bands.good.all()
    assert (bands.fwhm_nm > 0).all()


def test_wavenumbers_become_wavelengths(tmp_path: Path) -> None:
    lines = ("wavelength units = Wavenumber", "wavelength = {10000, 5000}", "fwhm = {100, 20}")
    bands = bands_of(open_scene(write_envi(tmp_path / "cube.bsq", cube_of(2), *lines)))
    np.testing.assert_allclose(bands.centres_nm, [1000.0, 2000.0])
    np.testing.assert_allclose(bands.fwhm_nm, [10.0, 8.0])


def test_band_numbers_are_no_wavelengths(tmp_path: Path) -> None:
    path = write_envi(
        tmp_path / "cube.bsq", cube_of(3), "wavelength units = Index", "wavelength = {1, 2, 3}"
    )
    with pytest.raises(WavelengthError, match="3 bands and no wavelengths"):
        open_scene(path)


def test_gains_and_offsets_of_a_header_scale_each_band(tmp_path: Path) -> None:
    cube = cube_of(2)
    lines = (NM, "wavelength = {462, 551.5}", "data gain values = {0.1, 0.2}")
    path = write_envi(tmp_path / "cube.bsq", cube, *lines, "data offset values = {1, 2}")
    expected = cube * np.array([0.1, 0.2])[:, None, None] + np.array([1, 2])[:, None, None]
    np.testing.assert_allclose(physical(open_scene(path))[0], expected, rtol=1e-6)


def test_a_reflectance_scale_factor_divides(tmp_path: Path) -> None:
    lines = (NM, LISTED, "reflectance scale factor = 10000.0")
    scene = open_scene(write_envi(tmp_path / "cube.bsq", cube_of(3), *lines))
    assert scene.attrs["scale_factor"] == pytest.approx(1e-4)


# Beside a raster ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["scene.hdr", "scene.tif.hdr"])
def test_a_geotiff_uses_the_lists_of_an_envi_header_beside_it(tmp_path: Path, name: str) -> None:
    path = write_tif(tmp_path / "scene.tif", cube_of(3))
    header = (
        "ENVI",
        "wavelength units = Micrometers",
        "wavelength = {",
        "0.462, 0.5515,",
        "0.64025}",
    )
    (tmp_path / name).write_text("\n".join((*header, "fwhm = {0.006,0.006,0.007}", "bbl={1,0,1}")))
    bands = bands_of(open_scene(path))
    np.testing.assert_allclose(bands.centres_nm, [462.0, 551.5, 640.25])
    np.testing.assert_allclose(bands.fwhm_nm, [6.0, 6.0, 7.0])
    np.testing.assert_array_equal(bands.good, [True, False, True])


def _stac(prefix: str) -> dict[str, object]:
    bands: list[dict[str, object]] = [
        {f"{prefix}center_wavelength": um, f"{prefix}full_width_half_max": 0.006}
        for um in (0.462, 0.5515, 0.64025)
    ]
    bands[1]["enmapbox:bad_band_multiplier"] = 0
    return {"bands" if prefix else "eo:bands": bands}


@pytest.mark.parametrize(
    "properties",
    [
        _stac(""),
        _stac("eo:"),
        {
            "envi:metadata": {
                "wavelength": [462, 551.5, 640.25],
                "wavelength_units": "nm",
                "fwhm": [6, 6, 6],
                "bbl": [1, 0, 1],
            }
        },
    ],
)
@pytest.mark.parametrize("name", ["scene.stac.json", "scene.tif.stac.json"])
def test_a_stac_item_precedes_an_envi_header(
    tmp_path: Path, name: str, properties: dict[str, object]
) -> None:
    path = write_tif(tmp_path / "scene.tif", cube_of(3), tags={"wavelength": "{1, 2, 3}"})
    (tmp_path / name).write_text(json.dumps({"type": "Feature", "properties": properties}))
    bands = bands_of(open_scene(path))
    np.testing.assert_allclose(bands.centres_nm, [462.0, 551.5, 640.25])
    np.testing.assert_allclose(bands.fwhm_nm, 6.0)
    np.testing.assert_array_equal(bands.good, [True, False, True])


@pytest.mark.parametrize("text", ["", "[]", "{", '{"properties": {"eo:bands": [3]}}', "[[["])
def test_other_side_files_are_ignored(tmp_path: Path, text: str) -> None:
    path = write_tif(tmp_path / "scene.tif", cube_of(3), band_tags=nm_tags(CENTRES[:3]))
    for name in ("scene.stac.json", "scene.hdr"):
        (tmp_path / name).write_text(text)
    np.testing.assert_array_equal(open_scene(path)["wavelength"], CENTRES[:3])


@pytest.mark.parametrize("key", ["wavelengths", "center_wavelength", "Wavelength"])
def test_other_keys_for_centres(tmp_path: Path, key: str) -> None:
    whole = write_tif(tmp_path / "a.tif", cube_of(3), tags={key: "462 551.5 640.25"})
    tags = [{key: str(nm)} for nm in CENTRES[:3]]
    single = write_tif(tmp_path / "b.tif", cube_of(3), band_tags=tags)
    for path in (whole, single):
        np.testing.assert_array_equal(open_scene(path)["wavelength"], CENTRES[:3])


def test_tags_are_read_from_all_domains(tmp_path: Path) -> None:
    path = write_tif(tmp_path / "a.tif", cube_of(3), tags={"wavelength": "{1, 2}"})
    with rasterio.open(path, "r+") as file:
        file.update_tags(ns="SENSOR", wavelength_units="um")
        for band, nm in enumerate(CENTRES[:3], start=1):
            file.update_tags(band, ns="SENSOR", wavelength=str(nm / 1e3), fwhm="0.006")
    bands = bands_of(open_scene(path))
    np.testing.assert_allclose(bands.centres_nm, CENTRES[:3])
    np.testing.assert_allclose(bands.fwhm_nm, 6.0)


def test_overlapping_bands_of_two_detectors_are_kept_and_sorted(tmp_path: Path) -> None:
    centres = (880.0, 900.0, 920.0, 940.0, 890.0, 900.0, 910.0, 930.0)
    bands = bands_of(
        open_scene(write_tif(tmp_path / "a.tif", cube_of(8), band_tags=nm_tags(centres)))
    )
    np.testing.assert_array_equal(bands.centres_nm, centres)
    assert list(bands.in_order()) == [0, 4, 1, 5, 6, 2, 7, 3]


def test_426_bands_are_described_within_a_second(tmp_path: Path) -> None:
    centres = np.linspace(381.0, 2511.0, 426)
    path = write_tif(
        tmp_path / "a.tif", cube_of(426), band_tags=nm_tags([float(c) for c in centres])
    )
    start = time.process_time()  # of this process: others may run beside it
    assert open_scene(path).shape[0] == 426
    assert time.process_time() - start < 1.0


def test_ground_control_points_are_not_straightened_against_the_users_will(tmp_path: Path) -> None:
    points = [
        GroundControlPoint(r, c, 500.0 + 30 * c + r, 900.0 - 20 * r)
        for r, c in ((0, 0), (0, 7), (5, 0))
    ]
    path = tmp_path / "raw.tif"
    with rasterio.open(
        path, "w", driver="GTiff", height=5, width=7, count=3, dtype="int16",
        gcps=points, crs="EPSG:32633",
    ) as file:  # fmt: skip
        file.write(cube_of(3))
    with pytest.raises(SceneError, match=r"3 ground control points and no grid; .*gdalwarp"):
        open_scene(path, wavelengths="400:700", straighten=False)
    assert open_scene(path, wavelengths="400:700").shape == (3, 5, 10)


def test_a_flight_line_keeps_its_rotation(tmp_path: Path) -> None:
    path = write_envi(tmp_path / "ang20190624t230039_rfl_v2u1_img", cube_of(3), NM, LISTED)
    header = path.with_suffix(".hdr")
    text = header.read_text().replace("30, 20, 33", "30, 30, 33")
    header.write_text(text.replace("units=Meters", "units=Meters, rotation=34"))
    scene = open_scene(path, straighten=False)
    assert grid_of(scene).rotation_degrees == pytest.approx(34.0)
    with pytest.raises(SceneError, match=r"rotated by 34\.0 degrees, .*gdalwarp"):
        require_upright(scene)


# Somewhere else -------------------------------------------------------------------------------


#: Serves parts of files, as stores of scenes do.
SERVER = """
import sys
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

class Ranges(SimpleHTTPRequestHandler):
    def do_GET(self):
        path, wanted = Path(self.translate_path(self.path)), self.headers.get("Range")
        if wanted is None or not path.is_file():
            return super().do_GET()
        first, _, last = wanted.removeprefix("bytes=").partition("-")
        whole = path.read_bytes()
        part = whole[int(first) : int(last) + 1 if last else None]
        self.send_response(206)
        end = int(first) + len(part) - 1
        self.send_header("Content-Range", f"bytes {first}-{end}/{len(whole)}")
        self.send_header("Content-Length", str(len(part)))
        self.end_headers()
        self.wfile.write(part)

server = ThreadingHTTPServer(("127.0.0.1", 0), Ranges)
print(server.server_port, flush=True)
server.serve_forever()
"""


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """URL of a server for the test's folder."""
    monkeypatch.setenv("GDAL_HTTP_TIMEOUT", "10")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with running(SERVER, tmp_path) as url:
        yield url


@pytest.mark.parametrize("prefix", ["", "/vsicurl/"])
def test_a_remote_scene_is_read(tmp_path: Path, served: str, prefix: str) -> None:
    write_tif(tmp_path / "scene.tif", cube_of(3), band_tags=nm_tags(CENTRES[:3]))
    scene = open_scene(f"{prefix}{served}/scene.tif")
    np.testing.assert_array_equal(scene[:, 2:4, 1:5].values, cube_of(3)[:, 2:4, 1:5])
    with pytest.raises(SceneError, match="there is no file at"):
        open_scene(f"{prefix}{served}/none.tif")


def test_gdal_names_of_files_in_archives(tmp_path: Path) -> None:
    write_envi(tmp_path / "cube.img", cube_of(3), NM, LISTED)
    with ZipFile(tmp_path / "a.zip", "w") as archive:
        for name in ("cube.img", "cube.hdr"):
            archive.write(tmp_path / name, f"inner/{name}")
    scene = open_scene(f"/vsizip/{tmp_path / 'a.zip'}/inner/cube.img")
    np.testing.assert_array_equal(scene.values, cube_of(3))


def test_gdal_names_of_subdatasets(tmp_path: Path) -> None:
    scene = scene_from_array(cube_of(3), np.array(CENTRES[:3]))
    path = tmp_path / "a.nc"
    scene.drop_vars(["fwhm", "good", "spatial_ref"]).swap_dims(band="wavelength").to_dataset(
        name="cube"
    ).drop_attrs().to_netcdf(path, engine="h5netcdf")
    again = open_scene(f'NETCDF:"{path}":cube')
    np.testing.assert_array_equal(again["wavelength"], CENTRES[:3])
    np.testing.assert_array_equal(again.values[:, ::-1], cube_of(3))  # GDAL turns north up


@pytest.mark.parametrize(
    ("scale", "offset"), [(3e36, 0.0), (np.inf, 0.0), (1.0, 1e31), (1.0, -np.inf)]
)
def test_scales_beyond_32_bit_floats_are_refused(
    scale: float, offset: float, tmp_path: Path
) -> None:
    path = write_tif(tmp_path / "a.tif", cube_of(3), scales=[scale] * 3, offsets=[offset] * 3)
    with pytest.raises(
        SceneError, match=r"has the (scale factor|offset) .*, which is no number up to"
    ):
        open_scene(path, wavelengths="400:900")
