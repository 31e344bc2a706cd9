"""Units that contradict the numbers, in every source of wavelengths and widths."""

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
from product_cases import write_enmap

from hsi_geo import predict
from hsi_geo.arrays import Float64Array
from hsi_geo.errors import WavelengthError
from hsi_geo.io.scenes.lazy import are_checked
from hsi_geo.io.scenes.properties import bands_of
from hsi_geo.io.scenes.scene import open_scene, scene_from_array
from hsi_geo.tasks.info import info

if TYPE_CHECKING:
    from planted import MakeScene, Recorder


# Sources ----------------------------------------------------------------------

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
        source = group.create_group("Metadata/Coordinate_System")
        source["EPSG Code"] = "32611"
        source["Map_Info"] = "UTM, 1, 1, 257000, 4112000, 1, 1, 11, North, WGS-84, units=Meters"
    return folder / "a.h5"


def python(
    folder: Path, centres: Float64Array, unit: str, widths: Float64Array | None
) -> xr.DataArray:
    coords = {"wavelength": ("band", centres, {"units": unit})}
    if widths is not None:
        coords["fwhm"] = ("band", widths, {})
    return xr.DataArray(cube_of(4), dims=("band", "y", "x"), coords=coords, name="mine")


SOURCES = (envi, dataset_tags, band_tags, band_names, netcdf, neon, python)


def check(scene: xr.DataArray, warnings: int, widths: bool) -> None:
    bands = bands_of(scene)
    np.testing.assert_allclose(bands.centres_nm, NM)
    if widths:
        np.testing.assert_allclose(bands.fwhm_nm, FWHM)
    assert len(scene.attrs.get("warnings", ())) == warnings, scene.attrs.get("warnings")
    assert scene["wavelength"].attrs["units"] == "nm"


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize(
    ("unit", "factor", "warnings"),
    [
        ("Micrometers", 1e-3, 0),
        ("Nanometers", 1.0, 0),
        ("Micrometers", 1.0, 1),
        ("Nanometers", 1e-3, 1),
    ],
)
def test_units_are_checked_in_every_source(
    tmp_path: Path, source: Callable[..., Any], unit: str, factor: float, warnings: int
) -> None:
    has_widths = source is not band_names
    scene = open_scene(source(tmp_path, NM * factor, unit, FWHM * factor if has_widths else None))
    check(scene, warnings, has_widths)
    check(open_scene(scene), warnings, has_widths)  # once is enough


@pytest.mark.parametrize("source", [source for source in SOURCES if source is not band_names])
def test_widths_in_nm_beside_micrometres_in_every_source(
    tmp_path: Path, source: Callable[..., Any]
) -> None:
    check(open_scene(source(tmp_path, NM / 1e3, "um", FWHM)), 1, widths=True)


@pytest.mark.parametrize("source", SOURCES)
def test_numbers_that_fit_no_unit_are_refused_in_every_source(
    tmp_path: Path, source: Callable[..., Any]
) -> None:
    with pytest.raises(WavelengthError, match="no optical wavelengths"):
        open_scene(source(tmp_path, np.array([1.0, 70.0, 300.0, 5.0]), "um", None))


@pytest.mark.parametrize("factor", [1.0, 1e-3])
@pytest.mark.parametrize("key", ["center_wavelength", "eo:center_wavelength"])
def test_stac_wavelengths_are_in_micrometres_or_get_a_warning(
    tmp_path: Path, key: str, factor: float
) -> None:
    path = write_tif(tmp_path / "a.tif", cube_of(4))
    bands = [
        {key: centre * factor, "full_width_half_max": width * factor}
        for centre, width in zip(NM, FWHM, strict=True)
    ]
    item = {"properties": {"eo:bands": bands}}
    path.with_suffix(".stac.json").write_text(json.dumps(item))
    check(open_scene(path), int(factor == 1), widths=True)


def test_gdal_imagery_tags_in_nm_get_a_warning(tmp_path: Path) -> None:
    imagery = [
        {"CENTRAL_WAVELENGTH_UM": f"{centre}", "FWHM_UM": f"{width}"}
        for centre, width in zip(NM, FWHM, strict=True)
    ]
    path = write_tif(tmp_path / "a.tif", cube_of(4), imagery=imagery)
    check(open_scene(path), 1, widths=True)


def test_each_band_may_have_its_own_unit(tmp_path: Path) -> None:
    tags = [
        {"wavelength": "0.462", "wavelength_units": "um", "fwhm": "0.006"},
        {"wavelength": "551.5", "wavelength_units": "nm", "fwhm": "7"},
        {"wavelength": "640.25", "wavelength_units": "Nanometers", "fwhm": "8"},
        {"wavelength": "0.865", "wavelength_units": "Micrometers", "fwhm": "0.012"},
    ]
    check(open_scene(write_tif(tmp_path / "a.tif", cube_of(4), band_tags=tags)), 0, widths=True)


def test_keys_of_tags_may_end_in_a_unit(tmp_path: Path) -> None:
    tags = [
        {"wavelength_um": str(nm / 1e3), "fwhm_nm": str(width)}
        for nm, width in zip(NM, FWHM, strict=True)
    ]
    check(open_scene(write_tif(tmp_path / "a.tif", cube_of(4), band_tags=tags)), 0, widths=True)


def test_wavelengths_with_the_unit_index_get_a_warning(tmp_path: Path) -> None:
    scene = open_scene(envi(tmp_path, NM, "Index", FWHM))
    check(scene, 1, widths=True)
    assert "cannot be in the unit 'Index'" in scene.attrs["warnings"][0]


@pytest.mark.parametrize("unit", ["Index", "Unknown", ""])
def test_band_numbers_are_not_used_as_wavelengths(tmp_path: Path, unit: str) -> None:
    with pytest.raises(WavelengthError, match="no wavelengths"):
        open_scene(envi(tmp_path, np.arange(1.0, 5.0), unit, None))


@pytest.mark.parametrize("factor", [1.0, 1e-3])
def test_scene_from_array_checks_units(factor: float) -> None:
    scene = scene_from_array(cube_of(4), NM * factor, fwhm_nm=FWHM * factor)
    check(scene, int(factor != 1), widths=True)
    with pytest.raises(WavelengthError, match="no optical wavelengths"):
        scene_from_array(cube_of(4), np.array([1.0, 2000.0, 3.0, 4.0]))


def test_product_metadata_in_micrometres_get_a_warning(tmp_path: Path) -> None:
    folder = write_enmap(tmp_path / "product")
    (metadata,) = folder.glob("*METADATA.XML")
    written = metadata.read_text()
    in_nm = open_scene(folder)
    parts = written.split("<wavelengthCenterOfBand>")
    small = [f"{float(part.split('<', 1)[0]) / 1e3}<{part.split('<', 1)[1]}" for part in parts[1:]]
    metadata.write_text("<wavelengthCenterOfBand>".join([parts[0], *small]))
    scene = open_scene(folder)
    np.testing.assert_allclose(scene["wavelength"], in_nm["wavelength"])
    assert len(scene.attrs["warnings"]) >= 1


# Messages -------------------------------------------------------------------------------------


def test_info_lists_the_warning_on_a_wrong_unit(tmp_path: Path) -> None:
    found = info(envi(tmp_path, NM, "Micrometers", FWHM))["scene"]
    assert found["range_nm"] == [462.0, 865.0]
    assert ["taken for nanometres" in warning for warning in found["warnings"]] == [True]


def test_info_leaves_bands_without_a_wavelength_out_of_the_range(tmp_path: Path) -> None:
    path = write_envi(
        tmp_path / "cube.bsq",
        cube_of(4),
        "wavelength units = nm",
        "wavelength = {0, 551.5, 640.25, 865}",
        "bbl = {0, 1, 1, 1}",
    )
    assert info(path)["scene"]["range_nm"] == [551.5, 865.0]


@pytest.mark.usefixtures("quick")
def test_a_scene_with_a_wrong_unit_gets_the_same_map(
    make_scene: MakeScene, tmp_path: Path, recorder: Recorder
) -> None:
    planted = make_scene(bands=9)
    model = model_for(planted.path)
    scene = open_scene(planted.path)
    expected = predict(planted.path, model, out=tmp_path / "expected.tif")
    in_um = scene.assign_coords(wavelength=("band", planted.centres_nm, {"units": "um"}))
    mapped = predict(in_um, model, out=tmp_path / "in_um.tif", reporter=recorder)
    assert mapped.paths.classes.read_bytes() == expected.paths.classes.read_bytes()
    assert sum("taken for nanometres" in warning for warning in recorder.warnings) == 1


def test_info_warns_once_of_nanometres_that_may_be_angstroms(tmp_path: Path) -> None:
    values = np.array([4620.0, 5515.0, 6402.5, 8650.0])
    path = envi(tmp_path, values, "Nanometers", None)
    found = info(path)["scene"]
    assert found["range_nm"] == [4620.0, 8650.0]
    assert ["may be angstroms" in warning for warning in found["warnings"]] == [True]
    centres = tmp_path / "centres.csv"
    centres.write_text("wavelength_angstrom\n" + "\n".join(map(str, values)))
    opened = open_scene(path, wavelengths=str(centres))
    check(opened, 0, widths=False)


@pytest.mark.parametrize(("unit", "factor"), [("um", 1e-3), ("Angstrom", 10.0)])
def test_centres_that_were_computed_into_another_unit_are_read_in_it(
    make_scene: MakeScene, unit: str, factor: float
) -> None:
    """xarray keeps attributes in arithmetic, also the mark of centres that were checked in nm."""
    scene = open_scene(make_scene(bands=9).path)
    scaled = scene["wavelength"].copy(data=scene["wavelength"].values * factor)
    changed = scene.assign_coords(wavelength=scaled)
    changed["wavelength"].attrs["units"] = unit
    centres = scene["wavelength"].values
    np.testing.assert_allclose(bands_of(changed).centres_nm, centres)
    np.testing.assert_allclose(open_scene(changed)["wavelength"], centres)
    assert open_scene(changed)["wavelength"].attrs["units"] == "nm"


@pytest.mark.parametrize(("factor", "bands"), [(1e-3, 9), (1e-3, 1), (10.0, 9)])
def test_centres_that_were_computed_with_under_their_former_unit_are_checked_again(
    make_scene: MakeScene, factor: float, bands: int
) -> None:
    scene = open_scene(make_scene(bands=9).path).isel(band=slice(0, bands))
    scaled = scene["wavelength"].copy(data=scene["wavelength"].values * factor)
    changed = open_scene(scene.assign_coords(wavelength=scaled))
    (warning,) = changed.attrs["warnings"]
    if factor < 1:
        np.testing.assert_allclose(changed["wavelength"], scene["wavelength"])
        assert "taken for micrometres" in warning
    else:
        assert "may be angstroms" in warning


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_checked_centres_stay_checked_in_selections_and_other_types(dtype: str) -> None:
    scene = scene_from_array(cube_of(4), NM / 1e3)
    part = scene.isel(band=[2, 0]).assign_coords(
        wavelength=scene["wavelength"][[2, 0]].astype(dtype)
    )
    assert are_checked(part["wavelength"])
    check_again = open_scene(scene.isel(band=[3, 1]))
    assert check_again.attrs["warnings"] == scene.attrs["warnings"]  # once is enough
