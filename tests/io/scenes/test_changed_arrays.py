"""Values of arrays that users changed with xarray after they opened them, or made themselves."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pytest
import rasterio
import rioxarray
import shapely
import xarray as xr
from planted import Recorder

from hsi_geo.errors import SceneError
from hsi_geo.io.scenes import computed_values
from hsi_geo.io.scenes.properties import log_remarks, remarks_of, rescaled
from hsi_geo.io.scenes.scene import open_scene, scene_from_array
from hsi_geo.tasks.info import describe_scene
from hsi_geo.tasks.runtime import known_files, scene_hash, values_hash

if TYPE_CHECKING:
    from planted import Planted

# rioxarray 0.23 multiplies affines in the way that affine 3.1 is about to deprecate.
pytestmark = pytest.mark.filterwarnings("ignore:Use .@. matmul:PendingDeprecationWarning")

Change = Callable[[xr.DataArray], xr.DataArray]

# Values of the file -----------------------------------------------------------------------------


def by_engine(scene: xr.DataArray) -> xr.DataArray:
    """The same scene from xarray's engine."""
    return xr.open_dataset(scene.attrs["source"], engine="hsi_geo", cache=False)["band_data"]


def cached(scene: xr.DataArray) -> xr.DataArray:
    """From xarray's engine, after its values were read and kept."""
    found = xr.open_dataset(scene.attrs["source"], engine="hsi_geo")["band_data"]
    assert found.values.any()
    return found


def assigned(scene: xr.DataArray) -> xr.DataArray:
    scene = scene.load()
    scene[:, 10:20] = -999
    return scene


def written_through_the_engine(scene: xr.DataArray) -> xr.DataArray:
    found = xr.open_dataset(scene.attrs["source"], engine="hsi_geo")["band_data"]
    found[:, 10:20] = -999
    return found


SAME: dict[str, Change] = {
    "opened": lambda s: s,
    "engine": by_engine,
    "part": lambda s: s.isel(x=slice(3, 20), band=[5, 1]),
    "part of the engine": lambda s: by_engine(s).isel(x=slice(3, 20)),
    "other order": lambda s: s.transpose("y", "x", "band"),
    "shallow copy": lambda s: s.copy(deep=False),
    "deep copy": lambda s: s.copy(),
    "pickled": lambda s: pickle.loads(pickle.dumps(s)),
    "attributes": lambda s: s.assign_attrs(note=1),
    "renamed": lambda s: s.rename("other"),
}
OTHERS: dict[str, Change] = {
    "replaced": lambda s: s.copy(data=s.values[:, ::-1, ::-1]),
    "assigned": assigned,
    "assigned through the engine": written_through_the_engine,
    "loaded": lambda s: s.load(),
    "cached": cached,
    "time": lambda s: s.expand_dims("time"),  # xarray reads it
    "rolled": lambda s: s.roll(x=5),
    "computed": lambda s: s * 2,
    "masked": lambda s: s.where(s > 900),
    "same type": lambda s: s.astype("int16"),
    "joined": lambda s: xr.concat([s.isel(x=slice(20)), s.isel(x=slice(20, 53))], "x"),
    "clipped": lambda s: s.rio.clip([shapely.box(*s.rio.bounds()).buffer(-200)], drop=False),
    "chunks": lambda s: s.chunk(x=10),
    "made": lambda s: scene_from_array(s.values, s["wavelength"].values, grid=s.hsi.grid),
}


@pytest.mark.parametrize("case", [*SAME, *OTHERS])
def test_files_are_known_as_long_as_values_are_read_from_them(planted: Planted, case: str) -> None:
    scene = open_scene(planted.path)
    changed = open_scene((SAME | OTHERS)[case](scene))
    again = open_scene(planted.path)
    same = case in SAME
    assert known_files(changed) == ((str(planted.path),) if same else ())
    is_whole = changed.shape == again.shape
    assert (scene_hash(changed) == scene_hash(again)) == (same and is_whole)


def test_the_hash_of_chunks_changes_with_their_file(planted: Planted) -> None:
    chunks = open_scene(planted.path).chunk(x=10)
    before = scene_hash(chunks)
    os.utime(planted.path, ns=(1, 1))
    assert scene_hash(chunks) != before


def test_values_of_unknown_files_have_a_hash(planted: Planted) -> None:
    scene = open_scene(planted.path).load()
    other = scene.copy()
    other[3, 36, 52] += 1
    assert scene_hash(scene) == scene_hash(other)
    assert values_hash(scene) == values_hash(scene.copy(deep=True)) != values_hash(other)


# Scale, offset and nodata ------------------------------------------------------------------------


def with_scales(planted: Planted) -> tuple[xr.DataArray, npt.NDArray[np.float64]]:
    """A scene whose bands have different scales and offsets, and its (C, H, W) physical values, NaN for nodata."""
    scale, offset = 1e-4 * (1 + np.arange(40)), 0.1 * np.arange(40)
    with rasterio.open(planted.path, "r+") as file:
        file.scales, file.offsets = scale, offset
    values = np.where(planted.truth > 0, planted.values, np.nan)
    return open_scene(planted.path), values * scale[:, None, None] + offset[:, None, None]


BANDS: dict[str, tuple[Change, Any]] = {
    "all": (lambda s: s, slice(None)),
    "no numbers": (lambda s: s.drop_vars("band"), slice(None)),
    "part without numbers": (lambda s: s.drop_vars("band")[10:20], slice(10, 20)),
    "new numbers": (lambda s: s[10:20].assign_coords(band=np.arange(1, 11)), slice(10, 20)),
    "numbers from 0": (lambda s: s.assign_coords(band=np.arange(40)), slice(None)),
    "index taken away": (lambda s: s[5:].reset_index("band", drop=True), slice(5, 40)),
    "reversed": (lambda s: s[::-1].drop_vars("band"), slice(None, None, -1)),
    "by wavelength": (lambda s: s.swap_dims(band="wavelength").sortby("wavelength"), slice(None)),
    "joined": (lambda s: xr.concat([s[20:], s[:20]], "band"), np.r_[20:40, 0:20]),
    "good bands": (lambda s: s.hsi.good, slice(None)),
}


@pytest.mark.parametrize("case", BANDS)
def test_scales_follow_their_bands(planted: Planted, case: str) -> None:
    scene, physical = with_scales(planted)
    change, bands = BANDS[case]
    image, valid = open_scene(change(scene)).hsi.read()
    np.testing.assert_array_equal(valid, planted.truth > 0)
    np.testing.assert_allclose(image[:, valid], physical[bands][:, valid], rtol=1e-5)


def test_scales_follow_bands_through_netcdf(planted: Planted, tmp_path: Path) -> None:
    scene, physical = with_scales(planted)
    part = scene[3:20]
    part.attrs = {"_FillValue": np.int16(part.attrs["_FillValue"])}
    part.to_netcdf(tmp_path / "part.nc")
    image, valid = open_scene(tmp_path / "part.nc").hsi.read()
    np.testing.assert_array_equal(valid, planted.truth > 0)
    np.testing.assert_allclose(image[:, valid], physical[3:20, valid], rtol=1e-5)


def test_bands_with_other_scales_cannot_be_mixed_up(planted: Planted) -> None:
    scene, _ = with_scales(planted)
    beside = scene.assign_coords(x=scene["x"] + 53 * 30.0, scale_factor=scene["scale_factor"] * 2)
    with pytest.raises(SceneError, match="another scale_factor along"):
        xr.concat([scene, beside], "x", coords="different", compat="equals").hsi.read()


def test_numbers_by_band_can_be_multiplied(planted: Planted) -> None:
    scene, physical = with_scales(planted)
    image, valid = rescaled(scene, 100.0).hsi.read()
    np.testing.assert_allclose(image[:, valid], 100 * physical[:, valid], rtol=1e-5)


@pytest.mark.filterwarnings("ignore:(Scales|Offsets) differ across bands:UserWarning")
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(
    "bands", [slice(None), slice(3, 9), slice(None, None, -1)], ids=["all", "part", "reversed"]
)
def test_scales_of_rioxarray_are_applied(planted: Planted, masked: bool, bands: slice) -> None:
    _, physical = with_scales(planted)
    raster: Any = rioxarray.open_rasterio(planted.path, masked=masked)
    scene = raster.assign_coords(wavelength=("band", planted.centres_nm)).isel(band=bands)
    image, valid = open_scene(scene).hsi.read()
    np.testing.assert_array_equal(valid, planted.truth > 0)
    np.testing.assert_allclose(image[:, valid], physical[bands][:, valid], rtol=1e-5)


def test_a_list_that_does_not_fit_the_bands_is_refused(planted: Planted) -> None:
    scene = open_scene(planted.path).drop_vars("band").assign_attrs(scale_factor=[1.0, 2.0])
    with pytest.raises(
        SceneError, match="40 bands, and its attribute 'scale_factor' has 2 numbers"
    ):
        scene.hsi.read()


LISTS: dict[str, tuple[Change, Any, str]] = {
    "numbers kept": (lambda s: s[10:20], np.s_[10:20], ""),
    "numbers along other axis": (lambda s: s.swap_dims(band="wavelength")[5:9], np.s_[5:9], ""),
    "all without numbers": (lambda s: s.drop_vars("band"), np.s_[:], "bands have no numbers"),
    "first bands": (lambda s: s[:7], np.s_[:7], "40 numbers, and its bands are numbered 1 to 7"),
}


@pytest.mark.filterwarnings("ignore:(Scales|Offsets) differ across bands:UserWarning")
@pytest.mark.parametrize("case", LISTS)
def test_lists_follow_bands_that_get_numbers_later(planted: Planted, case: str) -> None:
    _, physical = with_scales(planted)
    raster: Any = rioxarray.open_rasterio(planted.path)
    change, bands, expected = LISTS[case]
    scene = open_scene(change(raster.assign_coords(wavelength=("band", planted.centres_nm))))
    image, valid = scene.hsi.read()
    np.testing.assert_allclose(image[:, valid], physical[bands][:, valid], rtol=1e-5)
    warnings = [text for text in scene.attrs.get("warnings", ()) if "numbers" in text]
    assert len(warnings) == (2 if expected else 0)  # of scales and of offsets
    assert all(expected in text for text in warnings)


@pytest.mark.filterwarnings("ignore:(Scales|Offsets) differ across bands:UserWarning")
@pytest.mark.parametrize("bands", [np.s_[20:], np.s_[:30], np.s_[::2]], ids=["end", "start", "2nd"])
def test_a_list_without_numbers_of_its_bands_must_fit_them(planted: Planted, bands: slice) -> None:
    with_scales(planted)
    raster: Any = rioxarray.open_rasterio(planted.path)
    scene = raster.assign_coords(wavelength=("band", planted.centres_nm))
    part = scene.swap_dims(band="wavelength").drop_vars("band")[bands]
    with pytest.raises(SceneError, match=r"its attribute 'scales' has 40 numbers"):
        open_scene(part)
    same = open_scene(part.assign_attrs(scales=(0.5,) * 40, offsets=(0.0,) * 40))
    assert describe_scene(same)["scale"] == 0.5
    assert not any("numbers" in text for text in same.attrs.get("warnings", ()))


PLACES = ["_FillValue", "missing_value", "fill_value", "nodata", "nodatavals", "encoding"]


@pytest.mark.parametrize("place", PLACES)
def test_nodata_is_found_in_each_place_of_rioxarray(planted: Planted, place: str) -> None:
    scene = scene_from_array(planted.values[:5], planted.centres_nm[:5])
    value = planted.values[0][planted.truth == 0][0]
    if place == "encoding":
        scene.encoding["_FillValue"] = value
    else:
        scene.attrs[place] = [value] * 5 if place == "nodatavals" else value
    _, valid = open_scene(scene).hsi.read()
    np.testing.assert_array_equal(valid, planted.truth > 0)
    assert describe_scene(scene)["nodata"] == value


def test_the_first_place_counts_and_texts_do_not() -> None:
    values = np.array([[[1, 2, 3]], [[4, 2, 3]]])
    scene = scene_from_array(values, np.array([550.0, 660.0]))
    scene.attrs |= {"_FillValue": "none", "missing_value": 2, "nodata": 3}
    assert scene.hsi.read()[1].tolist() == [[True, False, True]]


def test_masked_arrays_have_nan_for_nodata(planted: Planted) -> None:
    raster: Any = rioxarray.open_rasterio(planted.path, masked=True)
    scene = open_scene(raster.assign_coords(wavelength=("band", planted.centres_nm)))
    np.testing.assert_array_equal(scene.hsi.read()[1], planted.truth > 0)
    assert describe_scene(scene)["nodata"] is None


# Computed values --------------------------------------------------------------------------------


def test_physical_values_are_scaled_once(planted: Planted, monkeypatch: pytest.MonkeyPatch) -> None:
    scene, expected = with_scales(planted)
    monkeypatch.setattr(computed_values, "_PART_BYTES", 40 * 53 * 2 * 5)  # some rows at a time
    found = scene.hsi.physical()
    np.testing.assert_allclose(found.values, expected, rtol=1e-5)
    assert found.dtype == np.float32
    for changed in (found, found * 3, open_scene(found + 1, wavelengths="400:900")):
        assert remarks_of(changed).warnings == ()
        np.testing.assert_array_equal(changed.hsi.read()[1], planted.truth > 0)
    valid = planted.truth > 0
    np.testing.assert_allclose(
        (found * 3).hsi.read()[0][:, valid], 3 * expected[:, valid], rtol=1e-5
    )
    assert scene.dtype == np.int16
    assert float(scene["scale_factor"][1]) == 2e-4


WARNED: dict[str, tuple[Change, str]] = {
    "factor": (lambda s: s * 1e-4, "nodata value -999, scale 0.0001, offset 0.5"),
    "sum": (lambda s: s - 50, "nodata value -999, scale 0.0001, offset 0.5"),
    "no scale": (
        lambda s: s.drop_attrs().assign_attrs(driver="GTiff", _FillValue=1) + 1,
        ": nodata value 1;",
    ),
    "replaced": (lambda s: s.copy(data=s.values * 1e-4), "scale 0.0001"),
    "by band": (
        lambda s: (
            s.assign_coords(scale_factor=("band", np.arange(40.0)))
            .drop_attrs()
            .assign_attrs(driver="")
            * 2
        ),
        ": scale by band;",
    ),
    "joined": (
        lambda s: xr.concat(
            [s, s.assign_coords(x=s["x"] + 53 * 30.0).assign_attrs(scale_factor=2)], "x"
        ),
        "scale 0.0001",
    ),
    "bands of another scene": (
        lambda s: xr.concat(
            [s[:20], s[20:35].assign_coords(wavelength=s["wavelength"][:15] + 0.5)], "band"
        ),
        "scale 0.0001",
    ),
    "bands repeated": (lambda s: xr.concat([s[:20], s[5:25]], "band"), "scale 0.0001"),
}


@pytest.mark.parametrize("case", WARNED)
def test_what_still_applies_to_computed_values_gets_a_warning(planted: Planted, case: str) -> None:
    with rasterio.open(planted.path, "r+") as file:
        file.scales, file.offsets = [1e-4] * 40, [0.5] * 40
    change, said = WARNED[case]
    recorder = Recorder()
    log_remarks([open_scene(change(open_scene(planted.path)))], recorder)
    (warning,) = recorder.warnings
    assert said in warning


SILENT: dict[str, Change] = {
    **SAME,
    "loaded": lambda s: s.load(),
    "chunks": lambda s: s.chunk(x=10),
    "part in memory": lambda s: s.load().isel(x=slice(3, 9), band=[3, 1]),
    "assigned": assigned,
    "joined again": lambda s: xr.concat([s.isel(x=slice(20)), s.isel(x=slice(20, 53))], "x"),
    "bands joined again": lambda s: xr.concat([s[7:9], s[20:], s[:7]], "band"),
    "centres moved": lambda s: s.load()[:9].assign_coords(wavelength=s["wavelength"][:9] + 0.25),
    "nothing declared": lambda s: (s * 2).drop_attrs(),
    "made": OTHERS["made"],
}


@pytest.mark.parametrize("case", SILENT)
def test_stored_values_get_no_warning(planted: Planted, case: str) -> None:
    assert remarks_of(open_scene(SILENT[case](open_scene(planted.path)))).warnings == ()
