"""Wavelengths and widths whose unit contradicts the numbers, wherever a file keeps them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pytest
import xarray as xr
from builders import cube_of, model_for, write_envi, write_tif
from hypothesis import example, given
from hypothesis import strategies as st
from product_cases import write_enmap

from hsi_geo import adapt, predict
from hsi_geo.arrays import Float64Array
from hsi_geo.errors import OptionError, WavelengthError
from hsi_geo.io.scenes.properties import bands_of
from hsi_geo.io.scenes.scene import open_scene, scene_from_array
from hsi_geo.models.s2former_config import S2FormerConfig
from hsi_geo.models.wavelength_axis import resample_to_axis
from hsi_geo.tasks.info import info
from hsi_geo.wavelength_units import are_band_numbers, parse_unit
from hsi_geo.wavelengths import DeclaredBands, resolve_bands

if TYPE_CHECKING:
    from planted import MakeScene, Recorder

#: In nm; sensors as they are.
SENSORS = {
    "VNIR": np.linspace(402.5, 998.0, 60),
    "VNIR and SWIR": np.linspace(418.2, 2445.5, 224),
    "SWIR": np.linspace(1002.0, 2496.0, 90),
    "thermal": np.linspace(7_850.0, 11_950.0, 32),
    "VNIR, SWIR and thermal": np.r_[np.linspace(450, 2400, 50), np.linspace(8200, 12300, 6)],
    "four bands": np.array([485.0, 560.0, 660.0, 830.0]),
    "a single band": np.array([865.0]),
    "a single thermal band": np.array([10_900.0]),
    "unordered": np.array([1649.0, 462.0, 2200.5, 551.5, 960.0]),
}

#: Numbers of a wavelength in nm, by the words that tell their unit.
NUMBERS: dict[str, Callable[[Float64Array], Float64Array]] = {
    "Nanometers": lambda nm: nm,
    "Micrometers": lambda nm: nm / 1e3,
    "Millimeters": lambda nm: nm / 1e6,
    "Meters": lambda nm: nm / 1e9,
    "Angstroms": lambda nm: nm * 10,
    "Wavenumber": lambda nm: 1e7 / nm,
    "GHz": lambda nm: 299_792_458.0 / nm,
}


def stated(values: Float64Array, unit: str | None, **more: Any) -> DeclaredBands:
    return DeclaredBands(values, unit, "a test", **more)


# The judgement --------------------------------------------------------------------------------


@pytest.mark.parametrize("sensor", SENSORS)
@pytest.mark.parametrize("unit", NUMBERS)
def test_what_can_be_true_is_taken_at_its_word(sensor: str, unit: str) -> None:
    bands = resolve_bands(stated(NUMBERS[unit](SENSORS[sensor]), unit))
    np.testing.assert_allclose(bands.centres_nm, SENSORS[sensor])
    assert not bands.warnings


@pytest.mark.parametrize("sensor", SENSORS)
@pytest.mark.parametrize("told", ["Micrometers", "Millimeters", "Meters", "m", "µm"])
def test_nanometres_under_another_name(sensor: str, told: str) -> None:
    bands = resolve_bands(stated(SENSORS[sensor], told))
    np.testing.assert_allclose(bands.centres_nm, SENSORS[sensor])
    (warning,) = bands.warnings
    assert f"cannot be in the unit '{told}': taken for nanometres" in warning


@pytest.mark.parametrize("sensor", SENSORS)
@pytest.mark.parametrize("told", ["nm", "Millimeters", "Meters", "Angstroms"])
def test_micrometres_under_another_name(sensor: str, told: str) -> None:
    bands = resolve_bands(stated(SENSORS[sensor] / 1e3, told))
    np.testing.assert_allclose(bands.centres_nm, SENSORS[sensor])
    (warning,) = bands.warnings
    assert f"cannot be in the unit '{told}': taken for micrometres" in warning


@pytest.mark.parametrize("sensor", ["VNIR", "VNIR and SWIR", "SWIR", "four bands", "a single band"])
@pytest.mark.parametrize(
    ("told", "true"),
    [
        ("Nanometers", "Meters"),
        ("Micrometers", "Meters"),
        ("Micrometers", "Millimeters"),
        ("Meters", "Millimeters"),
        ("Wavenumber", "Micrometers"),
        ("GHz", "Nanometers"),
        ("GHz", "Micrometers"),
        ("", "Meters"),
    ],
)
def test_rare_units_under_another_name(sensor: str, told: str, true: str) -> None:
    bands = resolve_bands(stated(NUMBERS[true](SENSORS[sensor]), told))
    np.testing.assert_allclose(bands.centres_nm, SENSORS[sensor])
    assert len(bands.warnings) == 1


def test_angstroms_and_a_wavenumber_under_another_name() -> None:
    nm = SENSORS["VNIR and SWIR"]
    for told, values in (("nm", nm * 10), ("Wavenumber", nm)):
        bands = resolve_bands(stated(values, told))
        np.testing.assert_allclose(bands.centres_nm, nm)
        assert len(bands.warnings) == 1


@pytest.mark.parametrize(
    ("values", "unit"),
    [
        (np.linspace(400.0, 4000.0, 30), "cm-1"),  # an interferometer, 2.5 to 25 micrometres
        (np.linspace(645.0, 2760.0, 30), "Wavenumber"),  # IASI
        (np.linspace(6.0, 50.0, 20), "um"),  # an orbiter of Mars
        (np.linspace(120.0, 180.0, 20), "nm"),  # a vacuum chamber
        (np.array([9000.0, 10000.0]), "nm"),
    ],
)
def test_exotic_sensors_stay_what_they_are(values: Float64Array, unit: str) -> None:
    bands = resolve_bands(stated(values, unit))
    expected = 1e7 / values if "1" in unit or unit == "Wavenumber" else values
    np.testing.assert_allclose(bands.centres_nm, expected * (1e3 if unit == "um" else 1))
    assert not bands.warnings


@pytest.mark.parametrize(
    ("values", "unit"),
    [
        (np.arange(1.0, 201.0), "Micrometers"),
        (np.arange(1.0, 201.0), "Nanometers"),
        (np.array([420.0, 560.0, 99_999_999.0]), "nm"),
        (np.array([0.42, 560.0, 2400.0]), "um"),  # half of it in nm
        (np.array([1e-20, 1e20]), ""),
        (np.array([5.4e9]), "nm"),
    ],
)
def test_what_can_be_no_wavelength_is_refused(values: Float64Array, unit: str) -> None:
    with pytest.raises(WavelengthError, match="are no optical wavelengths"):
        resolve_bands(stated(values, unit))


@given(
    centres=st.lists(st.floats(300.0, 14_000.0), min_size=1, max_size=20).map(np.array),
    true=st.sampled_from(["Nanometers", "Micrometers"]),
    told=st.sampled_from(["Nanometers", "Micrometers", "", "Unknown"]),
)
def test_nanometres_and_micrometres_are_never_mistaken(
    centres: Float64Array, true: str, told: str
) -> None:
    bands = resolve_bands(stated(NUMBERS[true](centres), told))
    np.testing.assert_allclose(bands.centres_nm, centres)
    assert bool(bands.warnings) == (told in NUMBERS and told != true)


@pytest.mark.parametrize("unused", [0.0, -1.0, np.nan, 9999.0])
@pytest.mark.parametrize("unit", ["um", "nm"])
def test_bands_that_nobody_uses_are_not_asked(unused: float, unit: str) -> None:
    values = np.array([unused, 462.0, 551.5, 640.0])
    bands = resolve_bands(stated(values, unit), good=np.array([False, True, True, True]))
    np.testing.assert_allclose(bands.centres_nm[1:], values[1:])
    assert bool(bands.warnings) == (unit == "um")
    assert not bands.good[0]
    assert np.isfinite(bands.centres_nm).all()
    assert (bands.fwhm_nm > 0).all()


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("NANOMETERS", "nanometres"),
        (" nanometre ", "nanometres"),
        ("(nm)", "nanometres"),
        ("Wavelength (nm)", "nanometres"),
        ("1e-9 m", "nanometres"),
        ("10^-6 m", "micrometres"),
        ("[µm]", "micrometres"),
        ("μm", "micrometres"),
        ("Micron", "micrometres"),
        ("wavelength_um", "micrometres"),
        ("Micrometers (um)", "micrometres"),
        ("Å", "angstroms"),
        ("cm⁻¹", "wavenumbers per cm"),
        ("1/cm", "wavenumbers per cm"),
        ("Wavenumber (cm-1)", "wavenumbers per cm"),
        ("THz", "terahertz"),
        ("Centimeters", "centimetres"),
        ("Unknown", None),
        ("Index", None),
        ("W m-2 sr-1", None),
        ("nm or um", None),
        ("", None),
        (None, None),
    ],
)
def test_units_as_files_spell_them(text: str | None, name: str | None) -> None:
    unit = parse_unit(text)
    assert (None if unit is None else unit.name) == name


@pytest.mark.parametrize(
    ("values", "unit", "counts"),
    [
        (np.arange(1.0, 31.0), "", True),
        (np.arange(30.0), "Unknown", True),
        (np.arange(1.0, 31.0), "um", False),
        (np.arange(301.0, 427.0), "Index", True),  # bands 301 to 426 of NEON
        (np.array([5.0, 17.0, 30.0]), "Bands", True),
        (np.array([462.0, 551.5, 640.0]), "Index", False),
        (np.array([450.0, 550.0, 650.0, 850.0]), "Index", False),
        (np.array([0.46, 0.55]), "Index", False),
        (np.array([462.0, 551.5]), "", False),
    ],
)
def test_band_numbers_are_no_wavelengths(values: Float64Array, unit: str, counts: bool) -> None:
    assert are_band_numbers(values, unit) == counts


# Widths ---------------------------------------------------------------------------------------

WIDTHS = {
    "a spectrometer": (SENSORS["VNIR and SWIR"], np.full(224, 9.6)),
    "fine": (np.linspace(670.0, 780.0, 400), np.full(400, 0.3)),
    "thermal": (SENSORS["thermal"], np.full(32, 110.0)),
    "four wide bands": (SENSORS["four bands"], np.array([65.0, 60.0, 60.0, 130.0])),
    "bands picked out of many": (SENSORS["four bands"], np.full(4, 5.0)),
    "a single band": (SENSORS["a single band"], np.array([20.0])),
    "some unknown": (np.linspace(420.0, 900.0, 49), np.where(np.arange(49) % 5, 10.0, 0.0)),
}


@pytest.mark.parametrize("sensor", WIDTHS)
@pytest.mark.parametrize("unit", ["nm", "um", "m"])
def test_widths_that_can_be_true_share_the_unit_of_the_centres(sensor: str, unit: str) -> None:
    factor = {"nm": 1.0, "um": 1e-3, "m": 1e-9}[unit]
    centres, widths = WIDTHS[sensor]
    bands = resolve_bands(stated(centres * factor, unit, widths=widths * factor))
    np.testing.assert_allclose(bands.fwhm_nm[widths > 0], widths[widths > 0])
    assert not bands.warnings


@pytest.mark.parametrize("sensor", [name for name in WIDTHS if name != "fine"])
@pytest.mark.parametrize("own", [None, "as the centres"])
@pytest.mark.parametrize("unit", ["nm", "um"])
def test_widths_in_the_other_unit(sensor: str, unit: str, own: str | None) -> None:
    """In nm beside micrometres, and the other way round, whether a unit of their own is told."""
    centres, widths = WIDTHS[sensor]
    centre_factor, width_factor = (1.0, 1e-3) if unit == "nm" else (1e-3, 1.0)
    given = stated(
        centres * centre_factor,
        unit,
        widths=widths * width_factor,
        widths_unit=unit if own else None,
    )
    bands = resolve_bands(given)
    np.testing.assert_allclose(bands.fwhm_nm[widths > 0], widths[widths > 0])
    assert ["widths of bands" in warning for warning in bands.warnings] == [True]


def test_widths_with_a_true_unit_of_their_own_need_no_warning() -> None:
    centres, widths = WIDTHS["a spectrometer"]
    bands = resolve_bands(stated(centres / 1e3, "um", widths=widths, widths_unit="nm"))
    np.testing.assert_allclose(bands.fwhm_nm, widths)
    assert not bands.warnings


def test_widths_follow_centres_whose_unit_was_wrong() -> None:
    centres, widths = WIDTHS["a spectrometer"]
    bands = resolve_bands(stated(centres, "Micrometers", widths=widths))
    np.testing.assert_allclose(bands.fwhm_nm, widths)
    assert len(bands.warnings) == 1


def test_widths_in_wavenumbers_are_turned_with_their_centres() -> None:
    centres = np.linspace(700.0, 1300.0, 40)
    bands = resolve_bands(stated(centres, "cm-1", widths=np.full(40, 4.0)))
    ends = 1e7 / (centres - 2.0) - 1e7 / (centres + 2.0)
    np.testing.assert_allclose(bands.fwhm_nm, ends, rtol=1e-3)
    assert not bands.warnings


@pytest.mark.parametrize("width", [-1.0, 0.0, 1e30, 1e-30, 31.0e6])
def test_widths_that_fit_in_no_unit_are_left_out_with_a_warning(width: float) -> None:
    centres = SENSORS["VNIR and SWIR"]
    bands = resolve_bands(stated(centres, "nm", widths=np.full(224, width)))
    np.testing.assert_allclose(bands.fwhm_nm, resolve_bands(stated(centres, "nm")).fwhm_nm)
    assert ["widths of bands" in warning for warning in bands.warnings] == [True]


# Wherever they come from ----------------------------------------------------------------------

NM = np.array([462.0, 551.5, 640.25, 865.0])
FWHM = np.array([6.0, 7.0, 8.0, 12.0])


def text(values: Float64Array) -> str:
    return "{" + ", ".join(f"{value:.10g}" for value in values) + "}"


def envi(folder: Path, centres: Float64Array, unit: str, widths: Float64Array | None) -> Path:
    lines = [f"wavelength units = {unit}", f"wavelength = {text(centres)}"]
    lines += [] if widths is None else [f"fwhm = {text(widths)}"]
    return write_envi(folder / "cube.bsq", cube_of(4), *lines)


def dataset_tags(
    folder: Path, centres: Float64Array, unit: str, widths: Float64Array | None
) -> Path:
    tags = {"wavelength": text(centres), "wavelength_units": unit}
    tags |= {} if widths is None else {"fwhm": text(widths)}
    return write_tif(folder / "a.tif", cube_of(4), tags=tags)


def band_tags(folder: Path, centres: Float64Array, unit: str, widths: Float64Array | None) -> Path:
    tags = [{"wavelength": str(centre), "wavelength_units": unit} for centre in centres]
    if widths is not None:
        for one, width in zip(tags, widths, strict=True):
            one["fwhm"] = str(width)
    return write_tif(folder / "a.tif", cube_of(4), band_tags=tags)


def band_names(folder: Path, centres: Float64Array, unit: str, widths: Float64Array | None) -> Path:
    names = [f"Band {i} ({centre:g} {unit})" for i, centre in enumerate(centres, start=1)]
    return write_tif(folder / "a.tif", cube_of(4), names=names)


def netcdf(folder: Path, centres: Float64Array, unit: str, widths: Float64Array | None) -> Path:
    cube = xr.DataArray(
        cube_of(4).astype("float32"),
        dims=("band", "y", "x"),
        coords={
            "wavelength": ("band", centres, {"units": unit}),
            "y": np.arange(5.0)[::-1],
            "x": np.arange(7.0),
        },
        name="reflectance",
    )
    if widths is not None:
        cube = cube.assign_coords(fwhm=("band", widths))
    cube.to_netcdf(folder / "a.nc", engine="h5netcdf")
    return folder / "a.nc"


def neon(folder: Path, centres: Float64Array, unit: str, widths: Float64Array | None) -> Path:
    with h5py.File(folder / "a.h5", "w") as file:
        group = file.create_group("SITE/Reflectance")
        data = group.create_dataset("Reflectance_Data", data=cube_of(4).transpose(1, 2, 0))
        data.attrs["Scale_Factor"] = 10000.0
        spectral = group.create_group("Metadata/Spectral_Data")
        spectral["Wavelength"] = centres
        spectral["Wavelength"].attrs["Units"] = unit
        if widths is not None:
            spectral["FWHM"] = widths
        place = group.create_group("Metadata/Coordinate_System")
        place["EPSG Code"] = "32611"
        place["Map_Info"] = "UTM, 1, 1, 257000, 4112000, 1, 1, 11, North, WGS-84, units=Meters"
    return folder / "a.h5"


def python(
    folder: Path, centres: Float64Array, unit: str, widths: Float64Array | None
) -> xr.DataArray:
    coords = {"wavelength": ("band", centres, {"units": unit})}
    if widths is not None:
        coords["fwhm"] = ("band", widths, {})
    return xr.DataArray(cube_of(4), dims=("band", "y", "x"), coords=coords, name="mine")


PLACES = (envi, dataset_tags, band_tags, band_names, netcdf, neon, python)


def check(scene: xr.DataArray, warnings: int, widths: bool) -> None:
    bands = bands_of(scene)
    np.testing.assert_allclose(bands.centres_nm, NM)
    if widths:
        np.testing.assert_allclose(bands.fwhm_nm, FWHM)
    assert len(scene.attrs.get("warnings", ())) == warnings, scene.attrs.get("warnings")
    assert scene["wavelength"].attrs["units"] == "nm"


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    ("unit", "factor", "warnings"),
    [
        ("Micrometers", 1e-3, 0),
        ("Nanometers", 1.0, 0),
        ("Micrometers", 1.0, 1),
        ("Nanometers", 1e-3, 1),
    ],
)
def test_every_place_passes_by_the_judgement(
    tmp_path: Path, place: Callable[..., Any], unit: str, factor: float, warnings: int
) -> None:
    has_widths = place is not band_names
    scene = open_scene(place(tmp_path, NM * factor, unit, FWHM * factor if has_widths else None))
    check(scene, warnings, has_widths)
    check(open_scene(scene), warnings, has_widths)  # once is enough


@pytest.mark.parametrize("place", [place for place in PLACES if place is not band_names])
def test_widths_in_nm_beside_micrometres_in_every_place(
    tmp_path: Path, place: Callable[..., Any]
) -> None:
    check(open_scene(place(tmp_path, NM / 1e3, "um", FWHM)), 1, widths=True)


@pytest.mark.parametrize("place", PLACES)
def test_nonsense_is_refused_in_every_place(tmp_path: Path, place: Callable[..., Any]) -> None:
    with pytest.raises(WavelengthError, match="no optical wavelengths"):
        open_scene(place(tmp_path, np.array([1.0, 70.0, 300.0, 5.0]), "um", None))


@pytest.mark.parametrize("factor", [1.0, 1e-3])
@pytest.mark.parametrize("key", ["center_wavelength", "eo:center_wavelength"])
def test_stac_is_in_micrometres_or_said_to_be(tmp_path: Path, key: str, factor: float) -> None:
    path = write_tif(tmp_path / "a.tif", cube_of(4))
    bands = [
        {key: centre * factor, "full_width_half_max": width * factor}
        for centre, width in zip(NM, FWHM, strict=True)
    ]
    item = {"properties": {"eo:bands": bands}}
    path.with_suffix(".stac.json").write_text(json.dumps(item))
    check(open_scene(path), int(factor == 1), widths=True)


def test_gdals_imagery_tags_in_nm(tmp_path: Path) -> None:
    imagery = [
        {"CENTRAL_WAVELENGTH_UM": f"{centre}", "FWHM_UM": f"{width}"}
        for centre, width in zip(NM, FWHM, strict=True)
    ]
    path = write_tif(tmp_path / "a.tif", cube_of(4), imagery=imagery)
    check(open_scene(path), 1, widths=True)


def test_units_told_band_by_band(tmp_path: Path) -> None:
    tags = [
        {"wavelength": "0.462", "wavelength_units": "um", "fwhm": "0.006"},
        {"wavelength": "551.5", "wavelength_units": "nm", "fwhm": "7"},
        {"wavelength": "640.25", "wavelength_units": "Nanometers", "fwhm": "8"},
        {"wavelength": "0.865", "wavelength_units": "Micrometers", "fwhm": "0.012"},
    ]
    check(open_scene(write_tif(tmp_path / "a.tif", cube_of(4), band_tags=tags)), 0, widths=True)


def test_a_key_that_ends_in_a_unit(tmp_path: Path) -> None:
    tags = [
        {"wavelength_um": str(nm / 1e3), "fwhm_nm": str(width)}
        for nm, width in zip(NM, FWHM, strict=True)
    ]
    check(open_scene(write_tif(tmp_path / "a.tif", cube_of(4), band_tags=tags)), 0, widths=True)


def test_an_index_that_is_none(tmp_path: Path) -> None:
    scene = open_scene(envi(tmp_path, NM, "Index", FWHM))
    check(scene, 1, widths=True)
    assert "cannot be in the unit 'Index'" in scene.attrs["warnings"][0]


@pytest.mark.parametrize("unit", ["Index", "Unknown", ""])
def test_a_list_of_band_numbers_is_not_used(tmp_path: Path, unit: str) -> None:
    with pytest.raises(WavelengthError, match="no wavelengths"):
        open_scene(envi(tmp_path, np.arange(1.0, 5.0), unit, None))


@pytest.mark.parametrize("factor", [1.0, 1e-3])
def test_values_given_in_python(factor: float) -> None:
    scene = scene_from_array(cube_of(4), NM * factor, fwhm_nm=FWHM * factor)
    check(scene, int(factor != 1), widths=True)
    with pytest.raises(WavelengthError, match="no optical wavelengths"):
        scene_from_array(cube_of(4), np.array([1.0, 2000.0, 3.0, 4.0]))


def test_metadata_of_a_product_in_micrometres(tmp_path: Path) -> None:
    folder = write_enmap(tmp_path / "product")
    (metadata,) = folder.glob("*METADATA.XML")
    written = metadata.read_text()
    sound = open_scene(folder)
    parts = written.split("<wavelengthCenterOfBand>")
    small = [f"{float(part.split('<', 1)[0]) / 1e3}<{part.split('<', 1)[1]}" for part in parts[1:]]
    metadata.write_text("<wavelengthCenterOfBand>".join([parts[0], *small]))
    scene = open_scene(folder)
    np.testing.assert_allclose(scene["wavelength"], sound["wavelength"])
    assert len(scene.attrs["warnings"]) >= 1


# The option -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "warnings"),
    [
        ("wavelength_um\n0.462\n0.5515\n0.64025\n0.865\n", 0),
        ("wavelength_um\n462\n551.5\n640.25\n865\n", 1),
        ("wavelength_nm\n0.462\n0.5515\n0.64025\n0.865\n", 1),
        ("band,Wavelength (µm)\n1,0.462\n2,0.5515\n3,0.64025\n4,0.865\n", 0),
        ("band;centre [nm];fwhm\n1;462,0;6\n2;551,5;7\n3;640,25;8\n4;865,0;12\n", 0),
        ("band\tcenter_wavelength\n1\t462\n2\t551.5\n3\t640.25\n4\t865\n", 0),
        ("# wavelength_um\n0.462\n0.5515\n0.64025\n0.865\n", 0),
        ("# band,wavelength (nm)\n1,462\n2,551.5\n3,640.25\n4,865\n", 0),
        ("# made of 6 nm pieces\n0.462\n0.5515\n0.64025\n0.865\n", 1),
        ("0.462\n0.5515\n0.64025\n0.865\n", 0),
        ("nm\n462\n551.5\n640.25\n865\n", 0),
    ],
)
def test_files_of_centres_tell_their_unit(tmp_path: Path, content: str, warnings: int) -> None:
    path = write_tif(tmp_path / "a.tif", cube_of(4))
    (tmp_path / "centres.csv").write_text(content, encoding="utf-8")
    scene = open_scene(path, wavelengths=str(tmp_path / "centres.csv"))
    check(scene, warnings, widths="fwhm" in content)


@pytest.mark.parametrize("content", ["1,462\n2,551.5\n3,640\n4,865\n", "band,nr\n1,1\n2,2\n"])
def test_a_column_of_band_numbers_is_refused(tmp_path: Path, content: str) -> None:
    path = write_tif(tmp_path / "a.tif", cube_of(4))
    (tmp_path / "centres.csv").write_text(content)
    with pytest.raises(OptionError):
        open_scene(path, wavelengths=str(tmp_path / "centres.csv"))


def test_start_and_stop_in_micrometres(tmp_path: Path) -> None:
    path = write_tif(tmp_path / "a.tif", cube_of(4))
    scene = open_scene(path, wavelengths="0.4:1.0")
    np.testing.assert_allclose(scene["wavelength"], [400.0, 600.0, 800.0, 1000.0])
    assert "--wavelengths 0.4:1.0" in scene.attrs["warnings"][0]
    with pytest.raises(WavelengthError, match="no optical wavelengths"):
        open_scene(path, wavelengths="1:300")


# Told, and not learnt from --------------------------------------------------------------------


def test_the_option_silences_what_it_replaces(tmp_path: Path) -> None:
    path = envi(tmp_path, NM, "Micrometers", None)
    assert "warnings" in open_scene(path).attrs
    assert "warnings" not in open_scene(path, wavelengths="400:900").attrs


def test_info_tells_the_flaw(tmp_path: Path) -> None:
    found = info(envi(tmp_path, NM, "Micrometers", FWHM))["scene"]
    assert found["range_nm"] == [462.0, 865.0]
    assert ["taken for nanometres" in warning for warning in found["warnings"]] == [True]


def test_an_unused_band_without_a_wavelength_is_no_part_of_the_range(tmp_path: Path) -> None:
    path = write_envi(
        tmp_path / "cube.bsq",
        cube_of(4),
        "wavelength units = nm",
        "wavelength = {0, 551.5, 640.25, 865}",
        "bbl = {0, 1, 1, 1}",
    )
    assert info(path)["scene"]["range_nm"] == [551.5, 865.0]


@pytest.mark.usefixtures("quick")
def test_a_model_of_the_sound_scene_maps_the_flawed_one_alike(
    make_scene: MakeScene, tmp_path: Path, recorder: Recorder
) -> None:
    planted = make_scene(bands=9)
    model = model_for(planted.path)
    flawed = open_scene(planted.path)
    sound = predict(planted.path, model, out=tmp_path / "sound.tif")
    in_um = flawed.assign_coords(wavelength=("band", planted.centres_nm, {"units": "um"}))
    mapped = predict(in_um, model, out=tmp_path / "flawed.tif", reporter=recorder)
    assert mapped.paths.classes.read_bytes() == sound.paths.classes.read_bytes()
    assert sum("taken for nanometres" in warning for warning in recorder.warnings) == 1


@pytest.mark.parametrize("centres", [[8000.0, 9000.0, 12000.0], [250.0], [2600.0, 4000.0]])
def test_a_network_that_sees_no_band_refuses(centres: list[float]) -> None:
    with pytest.raises(WavelengthError, match="350 to 2550 nm"):
        resample_to_axis(S2FormerConfig(), np.array(centres), np.full(len(centres), 900.0))


@example(near=349.0)
@given(near=st.floats(351.0, 2549.0))
def test_a_network_that_sees_one_band_does_not(near: float) -> None:
    given_nm = np.array([max(near, 351.0), 9000.0])
    found = resample_to_axis(S2FormerConfig(), given_nm, np.array([10.0, 300.0]))
    assert found.present.any()


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("job", ["adapt", "predict", "pretrain"])
def test_jobs_refuse_a_scene_off_the_axis(make_scene: MakeScene, tmp_path: Path, job: str) -> None:
    from hsi_geo import pretrain

    planted = make_scene(bands=9)
    shots = planted.shots(tmp_path / "shots.gpkg")
    model = model_for(planted.path)
    thermal = open_scene(planted.path, wavelengths="8000:12000")
    with pytest.raises(WavelengthError, match=r"cannot be seen|covers 8000"):
        if job == "adapt":
            adapt(thermal, shots)
        elif job == "predict":
            predict(thermal, model, out=tmp_path / "map.tif")
        else:
            pretrain(thermal, tmp_path / "weights.safetensors", steps=2)
    assert not list(tmp_path.glob("*.safetensors*"))
